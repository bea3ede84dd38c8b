//! Callers that a node's address may hide: a node puts its own address on what it forwards from a node port (SNAT).

use std::collections::{BTreeMap, BTreeSet};

use crate::inventory::{Inventory, NodeId};
use crate::model::{Code, Findings};

use super::nat_correlation::Connection;
use super::place::Place;

/// Answered calls from addresses of nodes to ports that nodes forward to.
#[derive(Debug, Default)]
pub(super) struct Masked {
    /// How often, by node, who was called, and what is to be said.
    calls: BTreeMap<(NodeId, String, String), u64>,
    /// Nodes of which a call was seen before they put their address on it.
    seen_through: BTreeSet<NodeId>,
}

impl Masked {
    /// Remembers that a node's address may hide who really called.
    pub(super) fn see(&mut self, connection: &Connection, from: Place, to: Place, port: u16, inventory: &Inventory) {
        let Place::Node(node, _) = from else { return };
        if connection.hidden_originator.is_some() {
            self.seen_through.insert(node);
            return;
        }
        let Some(pod) = to.pod() else { return };
        let protocol = connection.known.flow.protocol;
        let workload = inventory.pod(pod).workload;
        if !inventory.is_forwarded(workload, protocol, port) {
            return;
        }
        // The kubelet's own probes. Wrong where calls from outside come through this node as well: they are allowed like all
        // else from it.
        if from.is_own_node_of(pod, inventory) && inventory.is_probed(pod, protocol, port) {
            return;
        }
        let hosted = inventory.host_workloads(node);
        // Who calls the backend of an Ingress from a node with an ingress controller is the controller.
        if inventory.is_ingress_backend(workload, protocol, port) && hosted.iter().any(|hosted| hosted.is_ingress_controller) {
            return;
        }
        let mut message =
            format!("is exposed on {protocol} {port} and was called from the address of {}", from.describe(inventory));
        if let Some(named) = inventory.hosted(node) {
            message.push_str("; if it was ");
            message.push_str(&named);
            message.push_str(" on the node's network, nobody is hidden and the rule for the node is what is needed");
        }
        *self.calls.entry((node, to.describe(inventory), message)).or_default() += 1;
    }

    /// A node of which some calls were seen before it put its own address on them was watched from outside: its other calls
    /// are its own (probes). Of other nodes that can't be told.
    pub(super) fn findings(self) -> Findings {
        let mut findings = Findings::default();
        for ((node, subject, message), count) in self.calls {
            if !self.seen_through.contains(&node) {
                findings.add_many(Code::SnatHidesOriginator, subject, message, count);
            }
        }
        findings
    }
}
