//! One Kubernetes object as one snapshot shows it, narrowed to what the inventory uses.
//!
//! Between reading ([`super::snapshot`]) or watching a cluster, and merging ([`super::InventoryBuilder`]). Everything is parsed:
//! addresses, ranges and times are values here.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use k8s_openapi::api::networking::v1::NetworkPolicy;

use super::{Backend, Cloud, ContainerPort, Mesh, NetworkPlugin, NodeInterface, PodDns, Schedule, ServicePort, ServiceType};
use crate::model::{Labels, PodName, Protocol, Timestamp};

/// A Kubernetes object.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// `kind`.
    pub kind: String,
    /// `metadata`.
    pub metadata: Metadata,
    /// What the kind adds.
    pub body: Body,
}

/// `metadata`, as far as it matters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Its namespace; empty for kinds that have none.
    pub namespace: String,
    /// Its name; never empty.
    pub name: String,
    /// Of a pod without a controller, what its name was generated from (`generateName`), without the dash at the end.
    pub stem: Option<String>,
    /// Its uid; empty in snapshots written by hand.
    pub uid: String,
    /// Its `resourceVersion`, by which snapshots of one object are put in order. Opaque by the API's contract, but a number that
    /// grows in every API server there is (etcd's revision).
    pub version: Option<u64>,
    /// Its labels; many objects have the same.
    pub labels: Arc<Labels>,
    /// What annotations of a Pod or Service ask of Prometheus.
    pub scrape: Option<Scrape>,
    /// The mesh that annotations of a Pod tell.
    pub mesh: Option<Mesh>,
    /// The owner whose reference has `controller: true`.
    pub controller: Option<Owner>,
    /// `creationTimestamp`.
    pub created: Option<Timestamp>,
    /// `deletionTimestamp`.
    pub deleted: Option<Timestamp>,
}

/// `prometheus.io/scrape: "true"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scrape {
    /// `prometheus.io/port`; without it, all declared ports are meant.
    pub port: Option<u16>,
}

/// An owner by kind and name; it is in the object's own namespace or in none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// What a kind adds to the metadata.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// `Namespace`.
    Namespace,
    /// `Node`.
    Node(Box<NodeBody>),
    /// `Pod`.
    Pod(Box<PodBody>),
    /// `Service`.
    Service(Box<ServiceBody>),
    /// `EndpointSlice`, or `Endpoints` of old.
    Endpoints(EndpointsBody),
    /// A kind that owns pods or owners of pods.
    Owner(OwnerBody),
    /// `Ingress`: the Services it leads to.
    Ingress(BTreeSet<(String, PortName)>),
    /// `NetworkPolicy`, whole: it is evaluated.
    NetworkPolicy(Box<NetworkPolicy>),
    /// `ServiceCIDR`.
    ServiceRanges(Vec<IpNet>),
    /// An object of a network plug-in or platform.
    Network(Box<NetworkBody>),
    /// A kind that says who will call or come.
    Declaration(Declaration),
    /// Another kind. Nothing is known of it but its metadata and, where it has one, its `spec.selector.matchLabels`.
    Other(OwnerBody),
}

/// `Node`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeBody {
    /// `status.addresses` and the node's addresses in annotations.
    pub addresses: BTreeSet<IpAddr>,
    /// Addresses of its interfaces that a network plug-in made, mostly out of the pod ranges.
    pub interfaces: BTreeMap<IpAddr, NodeInterface>,
    /// `spec.podCIDRs` and the ranges in annotations of network plug-ins.
    pub pod_ranges: Vec<IpNet>,
    /// Ranges of which OVN-Kubernetes puts addresses in place of others inside the node.
    pub masquerade_ranges: Vec<IpNet>,
    /// Ranges of the whole cluster, from the command line of k3s or RKE2.
    pub arguments: Arguments,
    /// Network plug-ins that left their marks.
    pub plugins: BTreeSet<NetworkPlugin>,
    /// The cloud that runs it.
    pub cloud: Option<Cloud>,
}

/// What an object of a network plug-in or platform says of addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkBody {
    /// By node: its addresses and interfaces. With an empty name, those that every node has.
    pub nodes: BTreeMap<String, NodeBody>,
    /// Ranges from which pods get addresses.
    pub pod_ranges: Vec<IpNet>,
    /// Ranges from which Services get addresses.
    pub service_ranges: Vec<IpNet>,
    /// Addresses set aside for pods, whether or not a pod has them.
    pub allocated: BTreeSet<IpAddr>,
    /// Whether pods have addresses of the same networks as other machines.
    pub is_flat: bool,
    /// The network plug-in that it belongs to.
    pub plugin: Option<NetworkPlugin>,
    /// Whether only OpenShift has such an object.
    pub is_openshift: bool,
}

/// `Pod`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodBody {
    /// `spec.nodeName`.
    pub node: Option<String>,
    /// `spec.hostNetwork`.
    pub is_on_host_network: bool,
    /// Whom it asks for names.
    pub dns: PodDns,
    /// `status.podIPs`.
    pub addresses: BTreeSet<IpAddr>,
    /// When it had which of these, as far as a watch saw that.
    pub holds: BTreeMap<IpAddr, Hold>,
    /// Addresses of its further interfaces, each with the name of the network: the annotation
    /// `k8s.v1.cni.cncf.io/network-status`.
    pub secondary: BTreeMap<IpAddr, String>,
    /// `status.hostIPs`: its node's.
    pub node_addresses: BTreeSet<IpAddr>,
    /// `status.startTime`.
    pub started: Option<Timestamp>,
    /// When its first container started, where that is told: before, nothing of it talked. A whole second, cut off.
    pub talks_from: Option<Timestamp>,
    /// When its last container ended, of a pod whose phase is `Succeeded` or `Failed`.
    pub finished: Option<Timestamp>,
    /// Whether its phase is `Succeeded` or `Failed`: its addresses are others' to have, also where no time is told.
    pub is_over: bool,
    /// When nothing of it talked any more, where that is certain: its last container had ended, or a watch heard that it is gone.
    /// When it should be gone is in [`Metadata::deleted`].
    pub gone: Option<Timestamp>,
    /// Declared ports.
    pub ports: Vec<ContainerPort>,
    /// Ports that the kubelet asks whether the pod is well, over TCP.
    pub probes: BTreeSet<u16>,
    /// Names of its containers.
    pub containers: BTreeSet<String>,
    /// What the arguments of a control plane component in `kube-system` say.
    pub arguments: Arguments,
    /// Keys of labels that were seen with different values, or there and not there.
    pub changed_labels: BTreeSet<String>,
}

/// When a pod had one of its addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hold {
    /// Since when; `None` for the beginning of its life.
    pub from: Option<Timestamp>,
    /// Until when; `None` for its end.
    pub until: Option<Timestamp>,
    /// When a watch heard first that it has it.
    pub seen: Option<Timestamp>,
}

/// What control plane components are told on their command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments {
    /// `--cluster-cidr`.
    pub pod_ranges: Vec<IpNet>,
    /// `--service-cluster-ip-range`.
    pub service_ranges: Vec<IpNet>,
    /// `-localip` of NodeLocal DNSCache.
    pub cache_addresses: BTreeSet<IpAddr>,
    /// `--secure-port` of `kube-apiserver`, or its default; `None` for other programs.
    pub api_server_port: Option<u16>,
}

/// `Service`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceBody {
    /// `spec.type`.
    pub kind: ServiceType,
    /// `spec.clusterIPs`, without `None`.
    pub cluster_addresses: BTreeSet<IpAddr>,
    /// `status.loadBalancer.ingress[].ip` and `spec.externalIPs`.
    pub outside_addresses: BTreeSet<IpAddr>,
    /// `spec.ports`.
    pub ports: Vec<ServicePort>,
    /// `spec.selector`, unless it is empty.
    pub selector: Option<Labels>,
}

/// `EndpointSlice` or `Endpoints`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointsBody {
    /// The Service's name, in the same namespace.
    pub service: String,
    /// Whether this is the old kind, which the new one replaces.
    pub is_legacy: bool,
    /// Addresses with the ports that all of them have.
    pub subsets: BTreeSet<Subset>,
}

/// Addresses and ports of which every pair is an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subset {
    /// The addresses, with the pod that each is said to belong to.
    pub addresses: BTreeMap<IpAddr, Option<PodName>>,
    /// The ports, by the name of the Service's port.
    pub ports: BTreeSet<(String, Protocol, u16)>,
}

/// A kind that owns pods or owners of pods.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnerBody {
    /// The labels by which it finds its pods; never empty.
    pub selector: Option<Labels>,
    /// The labels that it gives its pods (`spec.template.metadata.labels`); never empty.
    pub template: Option<Labels>,
    /// What its name was generated from (`metadata.generateName`), without the dash at the end; of a custom kind, its whole name if
    /// it only looks generated.
    pub stem: Option<String>,
    /// Whether it will not make pods any more: a finished Job, or any that a watch saw deleted.
    pub is_finished: bool,
    /// Of a `CronJob`, when it is due.
    pub schedule: Option<Schedule>,
}

/// What is said of calls and pods to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Declaration {
    /// `ValidatingWebhookConfiguration`, `MutatingWebhookConfiguration`, `APIService`: Services (namespace, name, port) that the API
    /// server calls.
    Calls(BTreeSet<(String, String, u16)>),
    /// `HorizontalPodAutoscaler`: what it scales, in its own namespace.
    Scaler(Owner),
    /// `ServiceMonitor`, `PodMonitor`: what Prometheus is to ask.
    Monitor(Monitor),
}

/// What a Prometheus operator is told to watch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Monitor {
    /// Whether pods are meant, and not Services.
    pub is_of_pods: bool,
    /// The labels of those that are meant.
    pub labels: Labels,
    /// Their namespaces; `None` for all.
    pub namespaces: Option<BTreeSet<String>>,
    /// Their ports, by the name of a Service's port.
    pub service_ports: BTreeSet<String>,
    /// Their ports, as the pods have them.
    pub targets: BTreeSet<PortName>,
}

/// A Service's port as an Ingress names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PortName {
    /// By number.
    Number(u16),
    /// By name.
    Name(String),
}

impl Subset {
    /// Its endpoints for TCP.
    pub(super) fn tcp(&self) -> impl Iterator<Item = Backend> {
        let numbers = self.ports.iter().filter(|(_, protocol, _)| *protocol == Protocol::Tcp);
        numbers.flat_map(|(_, _, port)| self.addresses.keys().map(|address| Backend { address: *address, port: *port }))
    }
}

impl Object {
    /// How messages call it: `Pod prod/web-1`, `Node worker-1`.
    #[must_use]
    pub fn describe(&self) -> String {
        describe(&self.kind, &self.metadata.namespace, &self.metadata.name)
    }
}

/// How messages call an object.
pub(super) fn describe(kind: &str, namespace: &str, name: &str) -> String {
    if namespace.is_empty() { format!("{kind} {name}") } else { format!("{kind} {namespace}/{name}") }
}
