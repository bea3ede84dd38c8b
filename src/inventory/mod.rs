//! An address at a time in, an identity out.

mod objects;

pub use objects::{
    Backend, ContainerPort, Identity, Namespaces, Node, NodeId, Pod, PodId, Service, ServiceAddress, ServiceCall, ServiceId,
    ServicePort, ServiceType, TargetPort, Workload, WorkloadId,
};

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use k8s_openapi::api::networking::v1::NetworkPolicy;

use crate::model::{Findings, Protocol, Timestamp};

/// All that is known of the cluster, over time.
#[derive(Clone, Debug, Default)]
pub struct Inventory {}

#[expect(clippy::todo, reason = "the body follows")]
#[expect(missing_docs, reason = "the body follows")]
#[expect(unused_variables, reason = "the body follows")]
impl Inventory {
    pub fn pods(&self) -> &[Pod] {
        todo!()
    }
    pub fn pod(&self, id: PodId) -> &Pod {
        todo!()
    }
    pub fn workloads(&self) -> &[Workload] {
        todo!()
    }
    pub fn workload(&self, id: WorkloadId) -> &Workload {
        todo!()
    }
    pub fn nodes(&self) -> &[Node] {
        todo!()
    }
    pub fn node(&self, id: NodeId) -> &Node {
        todo!()
    }
    pub fn services(&self) -> &[Service] {
        todo!()
    }
    pub fn service(&self, id: ServiceId) -> &Service {
        todo!()
    }
    pub fn namespaces(&self) -> &Namespaces {
        todo!()
    }
    pub fn existing_policies(&self) -> &[NetworkPolicy] {
        todo!()
    }
    pub fn findings(&self) -> &Findings {
        todo!()
    }
    /// Whom `address` stood for at `at`.
    pub fn identify(&self, address: IpAddr, at: Timestamp) -> Identity {
        todo!()
    }
    /// The Service that answers at this address and port (ClusterIP, load balancer, external IP, node address + node port).
    pub fn service_call(&self, address: IpAddr, protocol: Protocol, port: u16) -> Option<ServiceCall> {
        todo!()
    }
    /// What stood behind that Service port at `at`: pods its selector matches with their target port, else EndpointSlices.
    pub fn backends(&self, call: ServiceCall, at: Timestamp) -> BTreeSet<Backend> {
        todo!()
    }
    /// Whether something at this address declares that it listens there: a container port, an EndpointSlice port, a Service port.
    pub fn declares(&self, address: IpAddr, protocol: Protocol, port: u16, at: Timestamp) -> bool {
        todo!()
    }
    /// Whether a workload declares the port as containerPort or as a Service's target.
    pub fn workload_declares(&self, workload: WorkloadId, protocol: Protocol, port: u16) -> bool {
        todo!()
    }
    /// Addresses and ports of the API server: EndpointSlices (or Endpoints) of default/kubernetes.
    pub fn api_server(&self) -> &BTreeSet<Backend> {
        todo!()
    }
    /// Workloads that resolve names for the cluster, with their DNS ports.
    pub fn resolvers(&self) -> &BTreeMap<WorkloadId, BTreeSet<(Protocol, u16)>> {
        todo!()
    }
    /// Target ports of a workload that are reachable from outside on purpose.
    pub fn exposed_ports(&self, workload: WorkloadId) -> BTreeSet<(Protocol, u16)> {
        todo!()
    }
    pub fn pod_ranges(&self) -> &[IpNet] {
        todo!()
    }
    pub fn service_ranges(&self) -> &[IpNet] {
        todo!()
    }
    /// Whether IPv6 is in use in the cluster.
    pub fn has_ipv6(&self) -> bool {
        todo!()
    }
}
