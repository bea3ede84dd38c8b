//! Nodes and pods in, addresses of the API server out, for inventories that have neither EndpointSlices nor Endpoints of
//! `default/kubernetes`: dumps mostly leave them out.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::{Backend, Family};
use crate::model::Labels;

/// Labels of the nodes on which the API server runs: kubeadm, k3s, RKE2 and OpenShift (the first two), RKE, MicroK8s.
const LABELS: [&str; 4] = [
    "node-role.kubernetes.io/control-plane",
    "node-role.kubernetes.io/master",
    "node-role.kubernetes.io/controlplane",
    "node.kubernetes.io/microk8s-controlplane",
];

/// The nodes of the control plane.
#[derive(Default)]
pub(super) struct ControlPlane {
    nodes: BTreeMap<String, BTreeSet<IpAddr>>,
    /// Of each node, the addresses that pods on it say are its own.
    hosts: BTreeMap<String, BTreeSet<IpAddr>>,
}

impl ControlPlane {
    /// Takes in a node, if it is one of the control plane.
    pub(super) fn add_node(&mut self, name: &str, labels: &Labels, addresses: &BTreeSet<IpAddr>) {
        if LABELS.iter().any(|label| labels.contains_key(*label)) {
            self.nodes.entry(name.to_owned()).or_default().extend(addresses);
        }
    }

    /// Takes in the node of a pod, and the node's addresses as the pod's `hostIPs` have them: those without outside addresses.
    pub(super) fn add_host(&mut self, name: &str, addresses: &BTreeSet<IpAddr>) {
        if !addresses.is_empty() {
            self.hosts.entry(name.to_owned()).or_default().extend(addresses);
        }
    }

    /// The API server at this port: at the address of each node of the control plane by which its pods know it, or else its only one
    /// of a family. Wrong where the API server runs elsewhere than on nodes with such a label (hosted control planes have none), or
    /// advertises another address than its node's.
    pub(super) fn api_server(&self, port: u16) -> BTreeSet<Backend> {
        let mut backends = BTreeSet::new();
        for (name, addresses) in &self.nodes {
            let of = |family: Family| addresses.iter().copied().filter(move |address| Family::of(*address) == family);
            let only = [Family::V4, Family::V6].into_iter().filter(|family| of(*family).count() == 1).flat_map(of).collect();
            let addresses = self.hosts.get(name).unwrap_or(&only);
            backends.extend(addresses.iter().map(|address| Backend { address: *address, port }));
        }
        backends
    }
}
