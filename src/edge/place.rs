//! Who is meant by an endpoint, as far as policies care.

use std::net::IpAddr;

use crate::inventory::{Backend, CloudPort, Identity, Inventory, NodeId, PodId};
use crate::model::{Endpoint, Timestamp};

use super::dns_cache::NameBook;
use super::link::Side;
use super::repeated::Who;

/// One side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Place {
    /// A pod on the pod network.
    Pod(PodId),
    /// A pod, at the address of a further interface, which no NetworkPolicy is about.
    Secondary(PodId, IpAddr),
    /// A node, or a pod on its network, at this address.
    Node(NodeId, IpAddr),
    /// Something on the pod's own node: link-local IPv6.
    OwnNode,
    /// The API server.
    ApiServer,
    /// The metadata service.
    Metadata(IpAddr),
    /// A resolver that is no pod: a cache on the pod's own node, or the cloud's.
    NodeLocalDns(IpAddr),
    /// Outside the cluster.
    Outside(IpAddr),
    /// In the cluster's ranges, but nobody's that is known.
    Unknown(IpAddr),
    /// A pod that calls itself, by the address that a network plug-in puts in place of its own.
    Itself,
    /// Loopback, multicast: of no concern.
    Nowhere,
}

impl Place {
    /// Who is called at this endpoint at that time.
    pub(super) fn called(endpoint: Endpoint, at: Timestamp, inventory: &Inventory) -> Self {
        Self::called_as(inventory.identify(endpoint.address, at), endpoint, inventory)
    }

    /// Who is called at this endpoint, whose address stood for that.
    pub(super) fn called_as(identity: Identity, endpoint: Endpoint, inventory: &Inventory) -> Self {
        let Endpoint { address, port } = endpoint;
        if inventory.api_server().contains(&Backend { address, port }) {
            return Self::ApiServer;
        }
        match (identity, address) {
            (Identity::LinkLocal, IpAddr::V4(_)) if port == 53 => Self::NodeLocalDns(address),
            (Identity::Metadata, _) => match CloudPort::of(port) {
                CloudPort::Dns => Self::NodeLocalDns(address),
                CloudPort::Time => Self::Outside(address),
                CloudPort::Credentials => Self::Metadata(address),
            },
            (Identity::UnknownInCluster, _) if port == 53 && inventory.is_resolver_of_nodes(address) => {
                Self::NodeLocalDns(address)
            }
            (identity, _) => Self::of(identity, address),
        }
    }

    /// Who calls from this address at that time.
    pub(super) fn calling(address: IpAddr, at: Timestamp, inventory: &Inventory) -> Self {
        Self::of(inventory.identify(address, at), address)
    }

    /// Who calls from an address that stood for that.
    pub(super) const fn of(identity: Identity, address: IpAddr) -> Self {
        match (identity, address) {
            (Identity::Pod(pod), _) => Self::Pod(pod),
            (Identity::Secondary(pod), _) => Self::Secondary(pod, address),
            (Identity::Node(node), _) => Self::Node(node, address),
            (Identity::Service(_) | Identity::UnknownInCluster, _) => Self::Unknown(address),
            (Identity::Loopback | Identity::Multicast, _) => Self::Nowhere,
            (Identity::LinkLocal, IpAddr::V6(_)) | (Identity::OwnNode, _) => Self::OwnNode,
            (Identity::Hairpin, _) => Self::Itself,
            (Identity::LinkLocal, IpAddr::V4(_)) | (Identity::Metadata | Identity::Outside, _) => Self::Outside(address),
        }
    }

    /// The same place with what names say of it: an address in the cluster's ranges that no pod ever had is outside if pods asked
    /// for it by a name that is not the cluster's. Pods share networks with other machines, and some ranges were guessed.
    pub(super) fn named(self, identity: Identity, at: Timestamp, book: &NameBook, inventory: &Inventory) -> Self {
        match self {
            Self::Unknown(address)
                if identity == Identity::UnknownInCluster
                    && book.is_named_outside(address)
                    && !inventory.had_pod(address)
                    && inventory.candidates(address, at).is_empty() =>
            {
                Self::Outside(address)
            }
            place => place,
        }
    }

    /// The side of a link, where this place can be one.
    pub(super) fn side(self, inventory: &Inventory) -> Option<Side> {
        Some(match self {
            Self::Pod(pod) => Side::Workload(inventory.pod(pod).workload),
            Self::Node(node, address) => Side::Node(node, address),
            Self::ApiServer => Side::ApiServer,
            Self::Metadata(address) => Side::Metadata(address),
            Self::NodeLocalDns(address) => Side::NodeLocalDns(address),
            Self::Outside(address) => Side::Outside(address),
            Self::Secondary(..) | Self::OwnNode | Self::Itself | Self::Unknown(_) | Self::Nowhere => return None,
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
            Self::Node(node, address) => inventory.pod(pod).node.is_some_and(|own| {
                // Some addresses are those of every node (Calico's route source).
                own == node || inventory.node(own).addresses.contains(&address)
            }),
            _ => false,
        }
    }

    /// For people.
    pub(super) fn describe(self, inventory: &Inventory) -> String {
        Who::at(self, inventory).describe(inventory)
    }
}
