//! Who talks to whom: what remains of flows when replicas, ephemeral ports and repetitions are folded away.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::sync::Arc;

use super::{DirectionEvidence, Protocol, Span, WorkloadName};

/// One side of an edge. There may be a million edges, so names are shared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Party {
    /// Pods of a workload, on the pod network.
    Workload(Arc<WorkloadName>),
    /// A node, or a pod on its network, at this address. A node that calls a pod is never the pod's own; a node that a pod calls may
    /// be.
    Node(Arc<NodeAddress>),
    /// The Kubernetes API server, wherever its endpoints are.
    ApiServer,
    /// A service by which a cloud hands out credentials or controls its machines.
    Metadata(IpAddr),
    /// A resolver that is no pod: a cache on the pod's own node (NodeLocal DNS) at a link-local address or the Service's own, or the
    /// cloud's.
    NodeLocalDns(IpAddr),
    /// Any other address outside the cluster.
    Outside(IpAddr),
}

/// A node, by one of its addresses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeAddress {
    /// The node's name.
    pub name: String,
    /// Its address in an edge.
    pub address: IpAddr,
}

impl fmt::Display for Party {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workload(workload) => workload.fmt(formatter),
            Self::Node(node) => write!(formatter, "node {} ({})", node.name, node.address),
            Self::ApiServer => formatter.write_str("kube-apiserver"),
            Self::Metadata(address) => write!(formatter, "metadata service {address}"),
            Self::NodeLocalDns(address) => write!(formatter, "resolver {address}"),
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
    /// The strongest evidence of the direction among them: what it proves holds for all, for they are one edge.
    pub direction: DirectionEvidence,
    /// The weakest evidence of the direction among them.
    pub weakest: DirectionEvidence,
    /// How many of them rest on weak evidence of the direction alone (see [`DirectionEvidence::is_weak`]).
    pub weak: u64,
    /// How many of them may have come out of tunnels that nothing is known of: any pod may have sent them.
    pub unchecked: u64,
    /// How many of them passed a pod that forwards for others, which alone says whose they are.
    pub forwarded: u64,
    /// How many of them were under way before they were first seen.
    pub mid_stream: u64,
    /// How many of them were one-way UDP, or connections of which one side only was seen.
    pub one_way: u64,
    /// By what the originators called the responder, if not by its address; absent for most of a million edges.
    pub called: Option<Arc<Called>>,
}

/// By what responders were called.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Called {
    /// Names by which the originators had asked for the responder's address, with how many conversations each.
    pub names: BTreeMap<Arc<str>, u64>,
    /// The Services through which the originators called, as `namespace/name`.
    pub services: BTreeSet<Arc<str>>,
    /// To how many addresses of one family the names led, as far as that was seen; called or not.
    pub answered: BTreeMap<Arc<str>, u64>,
}

impl Called {
    /// As evidence has it: absent when there is nothing to say.
    pub fn of(names: BTreeMap<Arc<str>, u64>, services: BTreeSet<Arc<str>>) -> Option<Arc<Self>> {
        (!names.is_empty() || !services.is_empty()).then(|| Arc::new(Self { names, services, answered: BTreeMap::new() }))
    }
}

impl Evidence {
    /// Names by which the originators had asked for the responder's address, with how many conversations each.
    pub fn names(&self) -> impl Iterator<Item = (&Arc<str>, u64)> {
        self.called.iter().flat_map(|called| &called.names).map(|(name, connections)| (name, *connections))
    }

    /// The Services through which the originators called, as `namespace/name`.
    pub fn services(&self) -> impl Iterator<Item = &Arc<str>> {
        self.called.iter().flat_map(|called| &called.services)
    }

    /// To how many addresses this name led, as far as that was seen.
    pub fn answered(&self, name: &str) -> u64 {
        self.called.as_ref().and_then(|called| called.answered.get(name)).copied().unwrap_or_default()
    }

    /// Whether nothing but what pods forwarded for others shows the edge.
    #[must_use]
    pub const fn is_forwarded(&self) -> bool {
        self.forwarded > 0 && self.forwarded >= self.connections
    }

    /// Takes over by what one connection called the responder.
    pub fn call(&mut self, name: Option<&Arc<str>>, service: Option<&Arc<str>>) {
        if name.is_none() && service.is_none() {
            return;
        }
        let called = Arc::make_mut(self.called.get_or_insert_default());
        if let Some(name) = name {
            match called.names.get_mut(name) {
                Some(connections) => *connections += 1,
                None => _ = called.names.insert(Arc::clone(name), 1),
            }
        }
        if let Some(service) = service
            && !called.services.contains(service)
        {
            called.services.insert(Arc::clone(service));
        }
    }

    /// Takes over other evidence. Commutative and associative.
    pub fn merge(&mut self, other: Self) {
        self.connections = self.connections.saturating_add(other.connections);
        self.span = self.span.merge(other.span);
        self.direction = self.direction.max(other.direction);
        self.weakest = self.weakest.min(other.weakest);
        self.weak = self.weak.saturating_add(other.weak);
        self.unchecked = self.unchecked.saturating_add(other.unchecked);
        self.forwarded = self.forwarded.saturating_add(other.forwarded);
        self.mid_stream = self.mid_stream.saturating_add(other.mid_stream);
        self.one_way = self.one_way.saturating_add(other.one_way);
        match (&mut self.called, other.called) {
            (Some(known), Some(further)) => {
                let known = Arc::make_mut(known);
                for (name, connections) in &further.names {
                    *known.names.entry(Arc::clone(name)).or_default() += connections;
                }
                known.services.extend(further.services.iter().cloned());
                for (name, addresses) in &further.answered {
                    let answered = known.answered.entry(Arc::clone(name)).or_default();
                    *answered = (*answered).max(*addresses);
                }
            }
            (known @ None, further) => *known = further,
            (Some(_), None) => {}
        }
    }
}
