//! Who talks to whom: what remains of flows when replicas, ephemeral ports and repetitions are folded away.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU16;

use super::{DirectionEvidence, Protocol, Span, WorkloadName};

/// One side of an edge.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Party {
    /// Pods of a workload, on the pod network.
    Workload(WorkloadName),
    /// A node, or a pod on its network, reached at this address. Never the node the other side runs on.
    Node {
        /// The node's name.
        name: String,
        /// Its address in this edge.
        address: IpAddr,
    },
    /// The Kubernetes API server, wherever its endpoints are.
    ApiServer,
    /// The cloud's metadata service.
    Metadata(IpAddr),
    /// The resolver's cache on the pod's own node (NodeLocal DNS), at its link-local address.
    NodeLocalDns(IpAddr),
    /// Any other address outside the cluster.
    Outside(IpAddr),
}

impl fmt::Display for Party {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workload(workload) => workload.fmt(formatter),
            Self::Node { name, address } => write!(formatter, "node {name} ({address})"),
            Self::ApiServer => formatter.write_str("kube-apiserver"),
            Self::Metadata(address) => write!(formatter, "metadata service {address}"),
            Self::NodeLocalDns(address) => write!(formatter, "node-local DNS {address}"),
            Self::Outside(address) => address.fmt(formatter),
        }
    }
}

/// A connection that must be possible. At least one side is a workload.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Edge {
    /// Who opens.
    pub originator: Party,
    /// Who is called.
    pub responder: Party,
    /// The transport protocol.
    pub protocol: Protocol,
    /// The responder's port as the responder itself sees it (after DNAT: the target port).
    pub port: NonZeroU16,
}

impl fmt::Display for Edge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} -> {} {} {}", self.originator, self.responder, self.protocol, self.port)
    }
}

/// Why an edge is believed. Holds nothing that depends on how the traffic was cut into files or at how many taps a packet was
/// seen; so no packet or byte counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Evidence {
    /// Distinct conversations.
    pub connections: u64,
    /// First and last seen.
    pub span: Span,
    /// The weakest decision of direction among them.
    pub direction: DirectionEvidence,
    /// How many of them were under way before they were first seen.
    pub mid_stream: u64,
    /// How many of them were one-way UDP.
    pub one_way: u64,
    /// Names by which the originators had asked for the responder's address, with how many conversations each.
    pub names: BTreeMap<String, u64>,
    /// The Services through which the originators called, as `namespace/name`.
    pub services: BTreeSet<String>,
}

impl Evidence {
    /// The evidence of both. Commutative and associative.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.connections = self.connections.saturating_add(other.connections);
        self.span = self.span.merge(other.span);
        self.direction = self.direction.min(other.direction);
        self.mid_stream = self.mid_stream.saturating_add(other.mid_stream);
        self.one_way = self.one_way.saturating_add(other.one_way);
        for (name, connections) in other.names {
            *self.names.entry(name).or_default() += connections;
        }
        self.services.extend(other.services);
        self
    }
}
