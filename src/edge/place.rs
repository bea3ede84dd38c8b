//! Who is meant by an endpoint, as far as policies care.

use std::net::IpAddr;
use std::sync::Arc;

use crate::inventory::{Backend, Identity, Inventory, NodeId, PodId};
use crate::model::{Endpoint, NodeAddress, Party, Timestamp};

/// One side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A pod on the pod network.
    Pod(PodId),
    /// A node, or a pod on its network, at this address.
    Node(NodeId, IpAddr),
    /// Something on the pod's own node: link-local IPv6.
    OwnNode,
    /// The API server.
    ApiServer,
    /// The metadata service.
    Metadata(IpAddr),
    /// A resolver's cache on the pod's own node.
    NodeLocalDns(IpAddr),
    /// Outside the cluster.
    Outside(IpAddr),
    /// In the cluster's ranges, but nobody's that is known.
    Unknown(IpAddr),
    /// Loopback, multicast: of no concern.
    Nowhere,
}

impl Place {
    /// Who is called at this endpoint at that time.
    pub(super) fn called(endpoint: Endpoint, at: Timestamp, inventory: &Inventory) -> Self {
        let Endpoint { address, port } = endpoint;
        if inventory.api_server().contains(&Backend { address, port }) {
            return Self::ApiServer;
        }
        match (inventory.identify(address, at), address) {
            (Identity::LinkLocal, IpAddr::V4(_)) if port == 53 => Self::NodeLocalDns(address),
            (Identity::Metadata, _) => Self::Metadata(address),
            (identity, _) => Self::of(identity, address),
        }
    }

    /// Who calls from this address at that time.
    pub(super) fn calling(address: IpAddr, at: Timestamp, inventory: &Inventory) -> Self {
        Self::of(inventory.identify(address, at), address)
    }

    const fn of(identity: Identity, address: IpAddr) -> Self {
        match (identity, address) {
            (Identity::Pod(pod), _) => Self::Pod(pod),
            (Identity::Node(node), _) => Self::Node(node, address),
            (Identity::Service(_) | Identity::UnknownInCluster, _) => Self::Unknown(address),
            (Identity::Loopback | Identity::Multicast, _) => Self::Nowhere,
            (Identity::LinkLocal, IpAddr::V6(_)) => Self::OwnNode,
            (Identity::LinkLocal, IpAddr::V4(_)) | (Identity::Metadata | Identity::Outside, _) => Self::Outside(address),
        }
    }

    /// The party of an edge, where this place can be one.
    pub(super) fn party(self, inventory: &Inventory) -> Option<Party> {
        Some(match self {
            Self::Pod(pod) => Party::Workload(Arc::clone(&inventory.workload(inventory.pod(pod).workload).name)),
            Self::Node(node, address) => {
                let name = inventory.node(node).name.clone();
                Party::Node(Arc::new(NodeAddress { name, address }))
            }
            Self::ApiServer => Party::ApiServer,
            Self::Metadata(address) => Party::Metadata(address),
            Self::NodeLocalDns(address) => Party::NodeLocalDns(address),
            Self::Outside(address) => Party::Outside(address),
            Self::OwnNode | Self::Unknown(_) | Self::Nowhere => return None,
        })
    }

    /// The pod, if it is one.
    pub(super) const fn pod(self) -> Option<PodId> {
        if let Self::Pod(pod) = self { Some(pod) } else { None }
    }

    /// Whether this is the node that `pod` runs on.
    pub(super) fn is_own_node_of(self, pod: PodId, inventory: &Inventory) -> bool {
        match self {
            Self::OwnNode => true,
            Self::Node(node, _) => inventory.pod(pod).node == Some(node),
            _ => false,
        }
    }

    /// For people.
    pub(super) fn describe(self, inventory: &Inventory) -> String {
        match self {
            Self::Unknown(address) => address.to_string(),
            Self::OwnNode => "its own node".into(),
            Self::Nowhere => "nowhere".into(),
            _ => self.party(inventory).map_or_else(String::new, |party| party.to_string()),
        }
    }
}
