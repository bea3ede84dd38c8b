//! An address at a time in, an identity out.
//!
//! In: Kubernetes objects of any number of snapshots taken at different times ([`snapshot`]), or of a watch, merged by
//! [`InventoryBuilder`] in any order. Out: [`Inventory`], a value: who an address was at the time of a packet, which Service was
//! called and what stood behind it then, which workloads there are. Never is anything attributed by what is true at present.
//! What could not be read or had to be guessed is told in [`Inventory::findings`].

mod assemble;
mod builder;
mod control_plane;
mod expected_calls;
mod generated;
mod host_network;
mod internet;
mod merge;
mod mesh;
mod node_address;
pub mod object;
mod objects;
mod owner;
mod range;
mod schedule;
mod service;
pub mod snapshot;
mod stable_labels;
mod system_namespace;
#[cfg(test)]
mod tests;
mod timeline;
mod together;
mod watched;
mod well_known;

pub use builder::{InventoryBuilder, InventoryOptions};
pub use expected_calls::{Ground, Listeners};
pub use host_network::HostWorkload;
pub use internet::Origin;
pub use mesh::{HBONE, LINKERD_INBOUND, Mesh};
pub use node_address::{NetworkPlugin, NodeInterface};
pub use objects::{
    Backend, ContainerPort, Family, Identity, Namespaces, Node, NodeCache, NodeId, Pod, PodDns, PodId, Service, ServiceAddress,
    ServiceCall, ServiceId, ServicePort, ServiceType, TargetPort, Workload, WorkloadId,
};
pub use schedule::{Due, Schedule};
pub use snapshot::InventoryError;
pub(crate) use stable_labels::known::{RUN, marks};
pub use stable_labels::{Ends, Event, StableLabels};
pub use system_namespace::is_system_namespace;
pub use watched::{Gap, History, Record, VERSION};
pub use well_known::{Cloud, CloudPort};

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use k8s_openapi::api::networking::v1::NetworkPolicy;

use crate::model::{Findings, Labels, Protocol, SeededMap, Timestamp, WorkloadName};
use expected_calls::Declarations;
use service::ServiceIndex;
use timeline::Timeline;

/// The label by which rules select a namespace by its name. The API server sets it on every namespace (Kubernetes 1.21, feature
/// `NamespaceDefaultLabelName`).
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// All that is known of the cluster, over time.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    pods: Vec<Pod>,
    workloads: Vec<Workload>,
    /// Of each workload, its proxy container.
    side_cars: Vec<Option<&'static str>>,
    /// Of each workload, the mesh that it is in.
    meshes: Vec<Option<Mesh>>,
    nodes: Vec<Node>,
    node_addresses: SeededMap<IpAddr, NodeId>,
    /// Pods on the network of each node.
    host_pods: BTreeMap<NodeId, Vec<PodId>>,
    services: Vec<Service>,
    service_index: ServiceIndex,
    namespaces: Namespaces,
    existing_policies: Vec<NetworkPolicy>,
    declarations: Declarations,
    timeline: Timeline,
    /// Pods by the addresses of their further interfaces.
    secondary: SeededMap<IpAddr, Vec<PodId>>,
    api_server: BTreeSet<Backend>,
    pod_ranges: Vec<IpNet>,
    service_ranges: Vec<IpNet>,
    plugins: BTreeSet<NetworkPlugin>,
    cloud: Option<Cloud>,
    is_openshift: bool,
    is_flat: bool,
    /// Set aside for pods by who gives out addresses, one by one.
    allocated: BTreeSet<IpAddr>,
    /// What network plug-ins put in place of other addresses inside a node.
    masquerade: BTreeMap<IpAddr, Identity>,
    /// Addresses at which caches of names on nodes say that they listen.
    cache_addresses: BTreeSet<IpAddr>,
    /// Nodes with a cache of names.
    nodes_with_cache: BTreeSet<NodeId>,
    has_ipv6: bool,
    findings: Findings,
}

impl Inventory {
    /// All pods, by namespace, name and start.
    #[must_use]
    pub fn pods(&self) -> &[Pod] {
        &self.pods
    }

    /// One pod.
    ///
    /// # Panics
    ///
    /// If the id is of another inventory; so do the other look-ups by id.
    #[must_use]
    pub fn pod(&self, id: PodId) -> &Pod {
        &self.pods[id.0 as usize]
    }

    /// All workloads, by namespace, name and kind; also those that have no pods now.
    #[must_use]
    pub fn workloads(&self) -> &[Workload] {
        &self.workloads
    }

    /// The workloads that policies can select, by namespace: not those on the networks of nodes.
    #[must_use]
    pub fn selectable(&self) -> BTreeMap<String, BTreeSet<WorkloadName>> {
        let mut selectable: BTreeMap<String, BTreeSet<WorkloadName>> = BTreeMap::new();
        for workload in &self.workloads {
            if workload.pods.is_empty() || workload.pods.iter().any(|&pod| !self.pod(pod).is_on_host_network) {
                selectable.entry(workload.name.namespace.clone()).or_default().insert(WorkloadName::clone(&workload.name));
            }
        }
        selectable
    }

    /// One workload.
    #[must_use]
    pub fn workload(&self, id: WorkloadId) -> &Workload {
        &self.workloads[id.0 as usize]
    }

    /// All nodes, by name.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// One node.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    /// To which interface of a node an address belongs, where a network plug-in made it.
    #[must_use]
    pub fn node_interface(&self, address: IpAddr) -> Option<NodeInterface> {
        let node = self.node_addresses.get(&address)?;
        self.node(*node).interfaces.get(&address).copied()
    }

    /// Whether a node has the address.
    #[must_use]
    pub fn is_node(&self, address: IpAddr) -> bool {
        self.node_addresses.contains_key(&address)
    }

    /// Whether this is OpenShift.
    #[must_use]
    pub const fn is_openshift(&self) -> bool {
        self.is_openshift
    }

    /// Network plug-ins that left their marks on objects.
    #[must_use]
    pub const fn plugins(&self) -> &BTreeSet<NetworkPlugin> {
        &self.plugins
    }

    /// All Services, by namespace and name.
    #[must_use]
    pub fn services(&self) -> &[Service] {
        &self.services
    }

    /// One Service.
    #[must_use]
    pub fn service(&self, id: ServiceId) -> &Service {
        &self.services[id.0 as usize]
    }

    /// The labels of all namespaces. A namespace whose object the inventory does not hold has the label that the API server puts
    /// on every one.
    #[must_use]
    pub const fn namespaces(&self) -> &Namespaces {
        &self.namespaces
    }

    /// Whether rules can select a namespace by its name: whether it has the label that the API server puts on every one.
    #[must_use]
    pub fn is_namespace_selectable(&self, namespace: &str) -> bool {
        let label = |labels: &Labels| labels.get(NAME_LABEL).is_some_and(|value| value == namespace);
        self.namespaces.get(namespace).is_some_and(label)
    }

    /// All NetworkPolicies in the cluster, this tool's own too; each has its namespace.
    #[must_use]
    pub fn existing_policies(&self) -> &[NetworkPolicy] {
        &self.existing_policies
    }

    /// What could not be read, had to be guessed, or weakens policies.
    #[must_use]
    pub const fn findings(&self) -> &Findings {
        &self.findings
    }

    /// Whom `address` stood for at `at`.
    ///
    /// What has the same meaning everywhere comes first, then the pod that owned it at that time, node, a pod's further interface, Service, link-local, the
    /// cluster's ranges; what is left is outside.
    #[must_use]
    pub fn identify(&self, address: IpAddr, at: Timestamp) -> Identity {
        let address = address.to_canonical();
        if let Some(identity) = well_known::fixed(address).or_else(|| self.masquerade.get(&address).copied()) {
            return identity;
        }
        if let Some(owners) = self.timeline.owners(address) {
            if owners.is_contested(at) {
                return Identity::UnknownInCluster;
            }
            if let Some(pod) = owners.at(at) {
                return Identity::Pod(pod);
            }
        }
        if let Some(&node) = self.node_addresses.get(&address) {
            Identity::Node(node)
        } else if let Some(pod) = self.secondary_owner(address, at) {
            Identity::Secondary(pod)
        } else if let Some(service) = self.service_index.at(address) {
            Identity::Service(service)
        } else if well_known::is_link_local(address) {
            Identity::LinkLocal
        } else if self.is_of_cluster(address) && self.service_index.outside(address).is_none() {
            Identity::UnknownInCluster
        } else {
            Identity::Outside
        }
    }

    /// The pod that had an address on a further interface at that time; the first, where networks of their own use it twice.
    fn secondary_owner(&self, address: IpAddr, at: Timestamp) -> Option<PodId> {
        let is_alive = |id: &&PodId| {
            let pod = self.pod(**id);
            pod.from.plus(-timeline::SLACK_BEFORE) <= at && at <= pod.until.plus(timeline::SLACK_AFTER)
        };
        self.secondary.get(&address)?.iter().find(is_alive).copied()
    }

    /// Whether only something of the cluster can have the address: it is of its ranges, or set aside for pods.
    fn is_of_cluster(&self, address: IpAddr) -> bool {
        range::holds(&self.pod_ranges, address)
            || range::holds(&self.service_ranges, address)
            || self.allocated.contains(&address)
    }

    /// Whether a pod on the pod network ever had the address.
    #[must_use]
    pub fn had_pod(&self, address: IpAddr) -> bool {
        self.timeline.owners(address.to_canonical()).is_some()
    }

    /// The cloud whose service has an address with [`Identity::Metadata`]: that of the address, else that of the nodes.
    #[must_use]
    pub fn cloud_of(&self, address: IpAddr) -> Option<Cloud> {
        well_known::only_cloud_at(address).or(self.cloud)
    }

    /// Whether a process of nodes answers questions for names at an address of the Service range that is no Service's (EKS Auto
    /// Mode): nothing else resolves names for the cluster.
    #[must_use]
    pub fn is_resolver_of_nodes(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.resolvers().is_empty()
            && range::holds(&self.service_ranges, address)
            && !range::holds(&self.pod_ranges, address)
            && self.service_index.at(address).is_none()
    }

    /// Whether a Service is the cluster's resolver, by its name or label.
    #[must_use]
    pub fn is_resolver(&self, service: ServiceId) -> bool {
        service::is_resolver(self.service(service))
    }

    /// Whether a pod is a cache of names for its node (NodeLocal DNS), by its label.
    #[must_use]
    pub fn is_cache(&self, pod: PodId) -> bool {
        objects::is_cache(self.pod(pod))
    }

    /// Whether a cache on the pod's node (NodeLocal DNS) answers instead of a Service with this address.
    #[must_use]
    pub fn node_cache(&self, pod: PodId, address: IpAddr) -> NodeCache {
        let has_cache =
            self.pod(pod).node.map_or(!self.nodes_with_cache.is_empty(), |node| self.nodes_with_cache.contains(&node));
        match has_cache {
            true if self.cache_addresses.contains(&address) => NodeCache::Answers,
            // In IPVS mode it does not take over the Service's address. Its arguments would say so.
            true if self.cache_addresses.is_empty() => NodeCache::MayAnswer,
            _ => NodeCache::None,
        }
    }

    /// The pods of which one had `address` at `at`, where it passed from one workload to another so soon that it cannot be told
    /// which; otherwise none. Such an address is [`Identity::UnknownInCluster`].
    #[must_use]
    pub fn candidates(&self, address: IpAddr, at: Timestamp) -> BTreeSet<PodId> {
        self.timeline.owners(address.to_canonical()).into_iter().flat_map(|owners| owners.candidates(at)).collect()
    }

    /// A number that is the same for all times between which no pod came or went: then [`Inventory::backends`] are the same too.
    #[must_use]
    pub fn moment(&self, at: Timestamp) -> usize {
        self.timeline.moment(at)
    }

    /// The Service that answers at this address and port (ClusterIP, load balancer, external IP, node address + node port).
    #[must_use]
    pub fn service_call(&self, address: IpAddr, protocol: Protocol, port: u16) -> Option<ServiceCall> {
        let address = address.to_canonical();
        self.service_index.call(address, protocol, port).or_else(|| {
            let is_node = self.node_addresses.contains_key(&address);
            if is_node { self.service_index.node_port(address, protocol, port) } else { None }
        })
    }

    /// The Service that lists this address as an endpoint and does not say that it is a pod (an EndpointSlice without `targetRef`).
    #[must_use]
    pub fn service_outside(&self, address: IpAddr) -> Option<&Service> {
        self.service_index.outside(address).and_then(|service| self.services.get(service.0 as usize))
    }

    /// What stood behind that Service port at `at`: pods its selector matches with their target port, else EndpointSlices.
    /// All are of the family of the called address. Whether they were ready does not matter: they were, if they answered.
    #[must_use]
    pub fn backends(&self, call: ServiceCall, at: Timestamp) -> BTreeSet<Backend> {
        let Some(port) = self.services.get(call.service.0 as usize).and_then(|service| service.ports.get(call.port)) else {
            return BTreeSet::new();
        };
        let mut backends = BTreeSet::new();
        for &id in self.service_index.members(call.service) {
            let pod = self.pod(id);
            if let Some(target) = service::target(pod, port) {
                let own = pod.addresses.iter().copied().filter(|address| self.holds(id, *address, at));
                backends.extend(own.map(|address| Backend { address, port: target }));
            }
        }
        backends.retain(|backend| Family::of(backend.address) == call.family);
        if backends.is_empty() {
            let endpoints = self.service_index.endpoints(call.service, port);
            let current = endpoints.filter(|endpoint| {
                let address = endpoint.backend.address;
                match (self.timeline.owner(address, at), endpoint.pod) {
                    (Some(owner), Some(named)) => self.pod(owner).name == *named,
                    (Some(_), None) => true,
                    // A pod's address at a time when it was nobody's.
                    (None, _) => self.timeline.owners(address).is_none(),
                }
            });
            backends.extend(current.map(|endpoint| endpoint.backend));
            backends.retain(|backend| Family::of(backend.address) == call.family);
        }
        if backends.is_empty() && port.protocol == Protocol::Tcp && self.is_kubernetes(call.service) {
            // Its endpoints may be known from elsewhere.
            backends.extend(self.api_server.iter().filter(|backend| Family::of(backend.address) == call.family));
        }
        backends
    }

    /// Whether a pod had an address at a time, or may have had it. A pod on the host network has those of its node.
    fn holds(&self, id: PodId, address: IpAddr, at: Timestamp) -> bool {
        let pod = self.pod(id);
        if pod.is_on_host_network {
            pod.from.plus(-timeline::SLACK_BEFORE) <= at && at <= pod.until.plus(timeline::SLACK_AFTER)
        } else {
            let owners = self.timeline.owners(address);
            owners.is_some_and(|owners| owners.at(at) == Some(id) || owners.candidates(at).any(|candidate| candidate == id))
        }
    }

    /// Whether something at this address declares that it listens there: a container port, an EndpointSlice port, a Service port.
    #[must_use]
    pub fn declares(&self, address: IpAddr, protocol: Protocol, port: u16, at: Timestamp) -> bool {
        self.declares_as(self.identify(address, at), address, protocol, port, at)
    }

    /// The same, for whoever knows already whom the address stood for.
    #[must_use]
    pub fn declares_as(&self, identity: Identity, address: IpAddr, protocol: Protocol, port: u16, at: Timestamp) -> bool {
        let address = address.to_canonical();
        let is_own = match identity {
            Identity::Pod(pod) => self.workload_declares(self.pod(pod).workload, protocol, port),
            Identity::Node(node) => {
                let mut own = self.host_pods.get(&node).into_iter().flatten().filter(|id| self.holds(**id, address, at));
                own.any(|id| self.workload_declares(self.pod(*id).workload, protocol, port))
            }
            _ => false,
        };
        is_own
            || self.service_call(address, protocol, port).is_some()
            || self.host_port(address, protocol, port, at).is_some()
            || self.service_index.declares_endpoint(address, protocol, port)
            || protocol == Protocol::Tcp && self.api_server.contains(&Backend { address, port })
    }

    /// Whether a workload declares the port as containerPort or as a Service's target.
    #[must_use]
    pub fn workload_declares(&self, workload: WorkloadId, protocol: Protocol, port: u16) -> bool {
        self.service_index.declared(workload).is_some_and(|ports| ports.contains(&(protocol, port)))
    }

    /// The pod on the pod network to which its node forwarded this port of its own address at `at` (`hostPort`), with the port
    /// there.
    #[must_use]
    pub fn host_port(&self, address: IpAddr, protocol: Protocol, port: u16, at: Timestamp) -> Option<(PodId, u16)> {
        let node = *self.node_addresses.get(&address.to_canonical())?;
        let forwarded = self.service_index.host_ports(node, protocol, port);
        let alive = |(id, _): &&(PodId, u16)| {
            self.pod(*id).addresses.iter().any(|address| self.timeline.owner(*address, at) == Some(*id))
        };
        forwarded.iter().find(alive).copied()
    }

    /// Whether this is the API server's own Service.
    #[must_use]
    pub fn is_kubernetes(&self, service: ServiceId) -> bool {
        let service = self.service(service);
        service.namespace == "default" && service.name == "kubernetes"
    }

    /// Addresses and ports of the API server: EndpointSlices (or Endpoints) of default/kubernetes; without them, its static pods;
    /// without these, the nodes of the control plane with the target port of default/kubernetes.
    #[must_use]
    pub const fn api_server(&self) -> &BTreeSet<Backend> {
        &self.api_server
    }

    /// Workloads that resolve names for the cluster, with their DNS ports.
    #[must_use]
    pub const fn resolvers(&self) -> &BTreeMap<WorkloadId, BTreeSet<(Protocol, u16)>> {
        &self.service_index.resolvers
    }

    /// Target ports of a workload that are reachable from outside on purpose: through a Service of type LoadBalancer or NodePort
    /// or with external addresses, as an Ingress's backend, or by a `hostPort`.
    #[must_use]
    pub fn exposed_ports(&self, workload: WorkloadId) -> BTreeSet<(Protocol, u16)> {
        self.service_index.exposed(workload).cloned().unwrap_or_default()
    }

    /// Whether this is one of the workload's [exposed ports](Self::exposed_ports).
    #[must_use]
    pub fn is_exposed(&self, workload: WorkloadId, protocol: Protocol, port: u16) -> bool {
        self.service_index.exposed(workload).is_some_and(|ports| ports.contains(&(protocol, port)))
    }

    /// Whether nodes forward calls to this port, and may put their own address on them: through a Service of type `LoadBalancer` or
    /// `NodePort` or with external addresses, or by a `hostPort`.
    #[must_use]
    pub fn is_forwarded(&self, workload: WorkloadId, protocol: Protocol, port: u16) -> bool {
        self.service_index.forwarded(workload).is_some_and(|ports| ports.contains(&(protocol, port)))
    }

    /// Whether an Ingress leads to this port.
    #[must_use]
    pub fn is_ingress_backend(&self, workload: WorkloadId, protocol: Protocol, port: u16) -> bool {
        self.service_index.ingressed(workload).is_some_and(|ports| ports.contains(&(protocol, port)))
    }

    /// Whether the kubelet asks this port of the pod whether it is well.
    #[must_use]
    pub fn is_probed(&self, pod: PodId, protocol: Protocol, port: u16) -> bool {
        protocol == Protocol::Tcp && self.declarations.is_probed(&self.pod(pod).name, port)
    }

    /// Whether an address never leaves its host, or is none.
    #[must_use]
    pub fn is_loopback(&self, address: IpAddr) -> bool {
        well_known::fixed(address.to_canonical()) == Some(Identity::Loopback)
    }

    /// The proxy container that speaks for the others in the workload's pods, if there is one (`istio-proxy`).
    #[must_use]
    pub fn sidecar(&self, workload: WorkloadId) -> Option<&str> {
        self.side_cars.get(workload.0 as usize).copied().flatten()
    }

    /// The mesh that the workload's pods are in, if one shows.
    #[must_use]
    pub fn mesh(&self, workload: WorkloadId) -> Option<Mesh> {
        self.meshes.get(workload.0 as usize).copied().flatten()
    }

    /// Ranges from which pods get addresses, in the fewest ranges.
    #[must_use]
    pub fn pod_ranges(&self) -> &[IpNet] {
        &self.pod_ranges
    }

    /// Ranges from which Services get addresses, in the fewest ranges.
    #[must_use]
    pub fn service_ranges(&self) -> &[IpNet] {
        &self.service_ranges
    }

    /// What lies in a range that is no outside address, in words: the first thing found, ranges first; nothing if all of the range
    /// is outside.
    #[must_use]
    pub fn own_within(&self, range: IpNet) -> Option<String> {
        let overlaps = |other: &&IpNet| other.contains(&range) || range.contains(*other);
        let ranges = || {
            let fixed = well_known::reserved_within(range).map(str::to_owned);
            let pods = || self.pod_ranges.iter().find(overlaps).map(|own| format!("the pod range {own}"));
            let services = || self.service_ranges.iter().find(overlaps).map(|own| format!("the Service range {own}"));
            fixed.or_else(pods).or_else(services)
        };
        let within = |addresses: &BTreeSet<IpAddr>| addresses.iter().copied().find(|address| range.contains(address));
        let node = || {
            let node = self.nodes.iter().find_map(|node| Some((within(&node.addresses)?, &node.name)))?;
            Some(format!("node {} ({})", node.1, node.0))
        };
        let pod = || {
            let pod = self.pods.iter().find_map(|pod| Some((within(&pod.addresses)?, &pod.name)))?;
            Some(format!("pod {} ({})", pod.1, pod.0))
        };
        let service = || {
            let clusters = |service: &Service| service.cluster_addresses.iter().copied().find(|address| range.contains(address));
            let service = self.services.iter().find_map(|service| Some((clusters(service)?, service)))?;
            Some(format!("Service {}/{} ({})", service.1.namespace, service.1.name, service.0))
        };
        let api_server = || {
            let endpoint = self.api_server.iter().find(|endpoint| range.contains(&endpoint.address))?;
            Some(format!("the API server ({})", endpoint.address))
        };
        ranges().or_else(node).or_else(pod).or_else(service).or_else(api_server)
    }

    /// Whether IPv6 is in use in the cluster.
    #[must_use]
    pub const fn has_ipv6(&self) -> bool {
        self.has_ipv6
    }
}

/// A position as an id has it. Four billion objects do not fit into memory, so no two positions become the same id.
fn index(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}
