//! Edges in few bytes: a connection finds its edge among a million by numbers, not by names.
//!
//! Workloads and nodes are numbered by their names, so links are in the order of the edges they stand for.

use std::net::IpAddr;
use std::num::NonZeroU16;
use std::sync::Arc;

use crate::inventory::{Inventory, NodeId, WorkloadId};
use crate::model::{Edge, NodeAddress, Party, Protocol};

/// A [`Party`] of one inventory. The order of variants is that of parties.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Side {
    Workload(WorkloadId),
    Node(NodeId, IpAddr),
    ApiServer,
    Metadata(IpAddr),
    NodeLocalDns(IpAddr),
    Outside(IpAddr),
}

impl Side {
    pub(super) fn party(self, inventory: &Inventory) -> Party {
        match self {
            Self::Workload(workload) => Party::Workload(Arc::clone(&inventory.workload(workload).name)),
            Self::Node(node, address) => {
                let name = inventory.node(node).name.clone();
                Party::Node(Arc::new(NodeAddress { name, address }))
            }
            Self::ApiServer => Party::ApiServer,
            Self::Metadata(address) => Party::Metadata(address),
            Self::NodeLocalDns(address) => Party::NodeLocalDns(address),
            Self::Outside(address) => Party::Outside(address),
        }
    }

    /// The workload, if it is one.
    pub(super) const fn workload(self) -> Option<WorkloadId> {
        if let Self::Workload(workload) = self { Some(workload) } else { None }
    }
}

/// An [`Edge`] of one inventory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Link {
    pub(super) originator: Side,
    pub(super) responder: Side,
    pub(super) protocol: Protocol,
    pub(super) port: NonZeroU16,
}

impl Link {
    pub(super) fn edge(self, inventory: &Inventory) -> Edge {
        let Self { originator, responder, protocol, port } = self;
        Edge { originator: originator.party(inventory), responder: responder.party(inventory), protocol, port }
    }

    /// Whether the responder is a workload that declares the port.
    pub(super) fn is_declared(self, inventory: &Inventory) -> bool {
        let workload = self.responder.workload();
        workload.is_some_and(|workload| inventory.workload_declares(workload, self.protocol, self.port.get()))
    }
}
