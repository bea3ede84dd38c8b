//! What the cluster consists of, narrowed to what identifies addresses and workloads.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::NodeInterface;
use crate::model::{Labels, PodName, Protocol, Timestamp, WorkloadName};

/// A pod of the inventory; the index of [`super::Inventory::pods`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodId(pub u32);

/// A workload of the inventory; the index of [`super::Inventory::workloads`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkloadId(pub u32);

/// A node of the inventory; the index of [`super::Inventory::nodes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

/// A Service of the inventory; the index of [`super::Inventory::services`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceId(pub u32);

/// One pod over its life.
#[derive(Clone, Debug)]
pub struct Pod {
    /// Namespace and name.
    pub name: PodName,
    /// The workload it belongs to.
    pub workload: WorkloadId,
    /// `metadata.labels`; those of replicas are one value.
    pub labels: Arc<Labels>,
    /// The node it runs on (`spec.nodeName`), if it is known.
    pub node: Option<NodeId>,
    /// Whether it uses its node's network (`spec.hostNetwork`): then no policy selects it.
    pub is_on_host_network: bool,
    /// Whom it asks for names.
    pub dns: PodDns,
    /// `status.podIPs`; the node's for a pod on the host network.
    pub addresses: BTreeSet<IpAddr>,
    /// Addresses of its further interfaces (Multus), each with the name of the network: no NetworkPolicy is about them.
    pub secondary: BTreeMap<IpAddr, String>,
    /// Since when it may have sent (`status.startTime`, else `metadata.creationTimestamp`).
    pub from: Timestamp,
    /// Until when: deletion, or the end of its last container; [`Timestamp::MAX`] while it runs.
    pub until: Timestamp,
    /// `spec.containers[].ports` (init containers with `restartPolicy: Always` too).
    pub ports: Vec<ContainerPort>,
    /// Names of its containers.
    pub containers: BTreeSet<String>,
    /// Keys of labels that changed while it ran.
    pub changed_labels: BTreeSet<String>,
}

/// Whom a pod asks for names beside the cluster's resolver.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodDns {
    /// `spec.dnsConfig.nameservers`.
    pub nameservers: BTreeSet<IpAddr>,
    /// Whether `spec.dnsPolicy` is `Default`: it asks whom its node asks, and no object says who that is.
    pub is_as_of_node: bool,
}

/// Whether a pod is NodeLocal DNS: kubernetes/kubernetes, `cluster/addons/dns/nodelocaldns`.
pub(super) fn is_cache(pod: &Pod) -> bool {
    pod.labels.get("k8s-app").is_some_and(|value| value == "node-local-dns")
}

/// One declared port (`ContainerPort`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerPort {
    /// Its name.
    pub name: Option<String>,
    /// `containerPort`.
    pub port: u16,
    /// Its protocol.
    pub protocol: Protocol,
    /// `hostPort`, where the node forwards to it.
    pub host_port: Option<u16>,
}

/// A top-most lasting owner and its pods.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Namespace, name, kind; shared with all edges of the workload.
    pub name: Arc<WorkloadName>,
    /// All its pods ever seen.
    pub pods: BTreeSet<PodId>,
    /// The labels by which its owner finds its pods, if the owner says so: `spec.selector.matchLabels` of Deployment,
    /// StatefulSet, DaemonSet, ReplicaSet; the template's labels of a Job or CronJob.
    pub selector: Option<Labels>,
    /// The labels that the owner gives its pods, where the inventory says so: its template's; of a custom kind without one, its own.
    pub template: Option<Labels>,
    /// Names of owners between the pods and the workload that come and go: ReplicaSets, Jobs, runs.
    pub passing_owners: BTreeSet<String>,
}

impl Workload {
    /// A workload of which nothing but its name is known.
    pub(super) fn new(name: WorkloadName) -> Self {
        Self { name: name.into(), pods: BTreeSet::new(), selector: None, template: None, passing_owners: BTreeSet::new() }
    }
}

/// One node.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// `metadata.name`.
    pub name: String,
    /// All its addresses: `status.addresses`, those that annotations and objects of network plug-ins name, and the first two
    /// addresses of its pod ranges (tunnel device and bridge). None that a pod ever had but those in its status.
    pub addresses: BTreeSet<IpAddr>,
    /// Of these, the ones that a network plug-in made, and to which interface each belongs.
    pub interfaces: BTreeMap<IpAddr, NodeInterface>,
    /// `spec.podCIDRs`.
    pub pod_ranges: Vec<IpNet>,
}

/// How a Service is reached from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServiceType {
    /// Not at all.
    ClusterIp,
    /// At every node.
    NodePort,
    /// At a load balancer, and mostly at every node.
    LoadBalancer,
    /// It is only a DNS alias.
    ExternalName,
}

/// One Service.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// `spec.type`.
    pub kind: ServiceType,
    /// `spec.clusterIPs`, without `None`.
    pub cluster_addresses: BTreeSet<IpAddr>,
    /// `status.loadBalancer.ingress[].ip` and `spec.externalIPs`.
    pub outside_addresses: BTreeSet<IpAddr>,
    /// `spec.ports`.
    pub ports: Vec<ServicePort>,
    /// `spec.selector`; `None` if its endpoints are written by hand.
    pub selector: Option<Labels>,
    /// Its labels.
    pub labels: Arc<Labels>,
}

/// One port of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// Its name; by this EndpointSlices refer to it.
    pub name: String,
    /// Its protocol.
    pub protocol: Protocol,
    /// The Service's own port.
    pub port: u16,
    /// Where it leads.
    pub target: TargetPort,
    /// The port at every node.
    pub node_port: Option<u16>,
}

/// `ServicePort.targetPort`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetPort {
    /// A number.
    Number(u16),
    /// A container port's name, which may be another number in every pod.
    Name(String),
}

/// One address and port behind a Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Backend {
    /// The endpoint's address.
    pub address: IpAddr,
    /// The port there (after DNAT).
    pub port: u16,
}

/// A call to a Service's own address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServiceCall {
    /// Which Service.
    pub service: ServiceId,
    /// Which of its ports; the index of [`Service::ports`].
    pub port: usize,
    /// By which of its addresses.
    pub through: ServiceAddress,
    /// The family of that address: the endpoints behind it are of the same one.
    pub family: Family,
}

/// The family of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The family of `address`, which must not be an IPv4-mapped one.
    #[must_use]
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

/// By which of its addresses a Service is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServiceAddress {
    /// `spec.clusterIPs`.
    Cluster,
    /// A load balancer's address or an external IP.
    Outside,
    /// A node's address and the node port (or a pod's `hostPort`).
    Node,
}

/// Whether a cache of names on a node answers at an address of the resolver's Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeCache {
    /// There is none, or it listens elsewhere.
    None,
    /// There is one, and it does not say where it listens.
    MayAnswer,
    /// It says that it listens there, so no question reaches the pods behind the Service.
    Answers,
}

/// Whom an address stood for at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Identity {
    /// A pod on the pod network.
    Pod(PodId),
    /// An address of a further interface of a pod.
    Secondary(PodId),
    /// A node, or a pod on its network.
    Node(NodeId),
    /// A Service's address; which port of it is asked with [`super::Inventory::service_call`].
    Service(ServiceId),
    /// A service by which a cloud hands out credentials or controls its machines: 169.254.169.254, `fd00:ec2::254` and the like.
    /// By its port ([`super::CloudPort`]) it may be the cloud's DNS or clock.
    Metadata,
    /// What a network plug-in puts in place of a pod's address when the pod calls its own Service.
    Hairpin,
    /// What a network plug-in puts in place of a node's address towards the node's own pods.
    OwnNode,
    /// Loopback or unspecified.
    Loopback,
    /// Multicast or broadcast.
    Multicast,
    /// Other link-local addresses: 169.254.0.0/16, `fe80::/10`.
    LinkLocal,
    /// Inside the pod or Service ranges, owned by nobody that the inventory knows at that time, or by two workloads at once.
    UnknownInCluster,
    /// Anything else: outside the cluster.
    Outside,
}

/// Labels of namespaces by name.
pub type Namespaces = BTreeMap<String, Labels>;
