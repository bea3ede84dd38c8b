//! What verdicts are about: pods, nodes and namespaces, as far as the API's semantics ask for them.
//!
//! In: an inventory, or values written by hand. Out: a value that [`super::Evaluator`] reads. A `ClusterView` has no time: it holds
//! every pod that ever was in the inventory, since a policy that outlives pods must be right for all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::inventory::{Backend, Inventory, NodeId, PodId};
use crate::model::{Labels, PodName, Protocol, WorkloadName};

/// Pods, nodes and namespaces.
#[derive(Clone, Debug, Default)]
pub struct ClusterView {
    /// Labels of namespaces. A namespace that has pods and is not here has no labels.
    pub namespaces: BTreeMap<String, Labels>,
    /// All pods; [`PodId`] is the position.
    pub pods: Vec<Pod>,
    /// All nodes; [`NodeId`] is the position.
    pub nodes: Vec<Node>,
    /// Where the API server answers.
    pub api_server: BTreeSet<Backend>,
    /// Whether policies have a say on what a pod sends to its own node.
    pub to_own_node: ToOwnNode,
}

/// Whether policies have a say on what a pod sends to its own node. What a node sends to its own pods is always allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ToOwnNode {
    /// It needs a rule, as with most network plug-ins: Calico, Cilium, OVN-Kubernetes, kube-router, kindnet.
    #[default]
    Filtered,
    /// It is allowed, as the API's text says.
    Exempt,
}

/// One pod.
#[derive(Clone, Debug)]
pub struct Pod {
    /// Namespace and name.
    pub name: PodName,
    /// The workload it belongs to.
    pub workload: WorkloadName,
    /// `metadata.labels`.
    pub labels: Arc<Labels>,
    /// All its addresses, of both families.
    pub addresses: BTreeSet<IpAddr>,
    /// Whether it uses its node's network: then no selector means it, and it is its node's addresses to others.
    pub is_on_host_network: bool,
    /// Its node, if that is known.
    pub node: Option<NodeId>,
    /// Its container ports that have names.
    pub named_ports: Vec<NamedPort>,
}

/// A container port with a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamedPort {
    /// Its name.
    pub name: String,
    /// Its protocol; a policy port finds it only if it names the same one.
    pub protocol: Protocol,
    /// Its number.
    pub port: u16,
}

/// One node.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its addresses.
    pub addresses: BTreeSet<IpAddr>,
}

/// Where a connection begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// A pod of the [`ClusterView`]; any other position panics.
    Pod(PodId),
    /// An address. One that a pod or node of the [`ClusterView`] has is taken for that pod (the last in order, where several had it
    /// over time) or node.
    Address(IpAddr),
}

/// The label by which the API server makes every namespace selectable by name.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// The labels of a namespace that is not there yet: its name is none that anybody knows.
pub(super) fn unknown_namespace() -> Labels {
    Labels::from([(NAMESPACE_NAME.to_owned(), String::new())])
}

impl ClusterView {
    /// All that the inventory knows; positions of pods and nodes stay the same.
    #[must_use]
    pub fn from_inventory(inventory: &Inventory) -> Self {
        let mut namespaces = inventory.namespaces().clone();
        let pods: Vec<Pod> = inventory
            .pods()
            .iter()
            .map(|pod| Pod {
                name: pod.name.clone(),
                workload: WorkloadName::clone(&inventory.workload(pod.workload).name),
                labels: pod.labels.clone(),
                addresses: pod.addresses.clone(),
                is_on_host_network: pod.is_on_host_network,
                node: pod.node,
                named_ports: pod
                    .ports
                    .iter()
                    .filter_map(|port| {
                        let name = port.name.clone()?;
                        Some(NamedPort { name, protocol: port.protocol, port: port.port })
                    })
                    .collect(),
            })
            .collect();
        for pod in &pods {
            // Of a namespace whose object is not in the inventory this one label is known all the same: the API server sets it
            // on every namespace since Kubernetes 1.21.
            let name = &pod.name.namespace;
            if !namespaces.contains_key(name) {
                namespaces.insert(name.clone(), Labels::from([(NAMESPACE_NAME.to_owned(), name.clone())]));
            }
        }
        let nodes =
            inventory.nodes().iter().map(|node| Node { name: node.name.clone(), addresses: node.addresses.clone() }).collect();
        Self { namespaces, pods, nodes, api_server: inventory.api_server().clone(), to_own_node: ToOwnNode::Filtered }
    }

    /// The pod of that name; the last one, where several had it over time.
    #[must_use]
    pub fn pod_named(&self, name: &PodName) -> Option<PodId> {
        self.pods().filter(|(_, pod)| pod.name == *name).map(|(id, _)| id).last()
    }

    /// All pods with their positions.
    pub fn pods(&self) -> impl Iterator<Item = (PodId, &Pod)> {
        (0..).map(PodId).zip(&self.pods)
    }

    /// The pod at this position.
    pub(super) fn pod(&self, id: PodId) -> &Pod {
        &self.pods[id.0 as usize]
    }
}

/// Who has which address.
#[derive(Debug)]
pub(super) struct Addresses {
    /// Of pods on the pod network, in order of address.
    pods: BTreeMap<IpAddr, Vec<PodId>>,
    /// Of nodes and of pods on their network.
    nodes: BTreeMap<IpAddr, OnNode>,
}

/// On which node something is; nothing inside if nobody knows.
#[derive(Clone, Copy, Debug)]
pub(super) struct OnNode(pub(super) Option<NodeId>);

impl Addresses {
    pub(super) fn new(world: &ClusterView) -> Self {
        let mut pods: BTreeMap<IpAddr, Vec<PodId>> = BTreeMap::new();
        let mut nodes = BTreeMap::new();
        for (id, pod) in world.pods() {
            for &address in &pod.addresses {
                if pod.is_on_host_network {
                    nodes.insert(address, OnNode(pod.node));
                } else {
                    pods.entry(address).or_default().push(id);
                }
            }
        }
        for (id, node) in (0..).map(NodeId).zip(&world.nodes) {
            nodes.extend(node.addresses.iter().map(|&address| (address, OnNode(Some(id)))));
        }
        Self { pods, nodes }
    }

    /// The last pod on the pod network that has it.
    pub(super) fn pod(&self, address: IpAddr) -> Option<PodId> {
        self.pods.get(&address)?.last().copied()
    }

    /// Whether it is the address of a node, or of a pod on its network.
    pub(super) fn node(&self, address: IpAddr) -> Option<OnNode> {
        self.nodes.get(&address).copied()
    }

    /// The pods with an address from `first` to `last`, with that address.
    pub(super) fn pods_between(&self, first: IpAddr, last: IpAddr) -> impl Iterator<Item = (IpAddr, PodId)> {
        self.pods.range(first..=last).flat_map(|(&address, pods)| pods.iter().map(move |&pod| (address, pod)))
    }
}
