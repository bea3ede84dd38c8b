//! Tunnels in, a judgement out: which of them are the cluster's own.
//!
//! A pod needs nothing but a UDP socket to send what looks like VXLAN, and a kernel takes it from anywhere. So what is inside counts
//! only if both outer ends are nodes, or were declared as tunnel ends, and everybody inside lives where the outer header says: on the
//! node that sent it, or on the one that got it. The second rule stops a pod's VXLAN to another node, on which its own node puts its
//! address. It is wrong for pods on that node alone: one of them may still send, never get, what seems to come from another.
//!
//! What is in any other tunnel was never there: its outer datagram is traffic of whoever sent it, like any other.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipnet::IpNet;

use crate::decode::{GENEVE_PORT, OtherOverlay, Tunnel, TunnelGuard, TunnelKind};
use crate::inventory::{Identity, Inventory, NodeId, Origin};
use crate::model::{Code, Findings, Flow, SeededSet, Timestamp};

use super::place::Place;

/// The tunnels of a cluster, by its inventory and what was declared.
#[derive(Debug)]
pub struct ClusterTunnels {
    inventory: Arc<Inventory>,
    /// Addresses of ends that the inventory does not know.
    declared: Vec<IpNet>,
    /// UDP ports of tunnels.
    ports: BTreeSet<u16>,
    /// Whether anything is known of where tunnels end.
    knows_ends: bool,
    noted: Mutex<Noted>,
}

/// One end of a tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TunnelEnd {
    Node(NodeId),
    Declared,
    /// Nobody that the inventory knows, in a network that the internet does not reach.
    Unknown,
    /// A pod, a Service, somebody on the internet.
    Foreign,
    /// A group: what is sent there is reported as such.
    Group,
}

/// Why a tunnel is not the cluster's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Objection {
    NotBetweenNodes,
    PodsElsewhere,
    TooDeep,
}

/// What was seen of other tunnels. What is kept does not depend on the order in which it came.
#[derive(Debug, Default)]
struct Noted {
    refused: First<(TunnelKind, IpAddr, IpAddr, Objection)>,
    unknown: First<IpAddr>,
    others: First<(OtherOverlay, IpAddr, IpAddr)>,
    /// The two ends of conversations that came out of tunnels of which nothing is known, the lesser first.
    unchecked: SeededSet<(IpAddr, IpAddr)>,
    /// Whether there were more.
    is_unchecked_full: bool,
}

/// The least of the things that were noted, each with the time when it was first seen.
#[derive(Debug)]
struct First<K> {
    noted: BTreeMap<K, Timestamp>,
    has_more: bool,
}

impl<K> Default for First<K> {
    fn default() -> Self {
        Self { noted: BTreeMap::new(), has_more: false }
    }
}

impl<K: Ord> First<K> {
    const MOST: usize = 200;

    fn add(&mut self, key: K, at: Timestamp) {
        self.noted.entry(key).and_modify(|first| *first = at.min(*first)).or_insert(at);
        if self.noted.len() > Self::MOST {
            self.noted.pop_last();
            self.has_more = true;
        }
    }
}

impl ClusterTunnels {
    /// Tunnels in each other that a cluster has: an overlay, and a mirror of what nodes exchange.
    const NESTING: usize = 2;
    /// Pairs of addresses that are remembered.
    const UNCHECKED: usize = 1_000_000;

    /// The tunnels of a cluster, with the ranges of further ends and the ports of VXLAN.
    #[must_use]
    pub fn new(inventory: Arc<Inventory>, declared: Vec<IpNet>, vxlan_ports: &BTreeSet<u16>) -> Self {
        let knows_ends = inventory.nodes().iter().any(|node| !node.addresses.is_empty()) || !declared.is_empty();
        let ports = vxlan_ports.iter().copied().chain([GENEVE_PORT]).collect();
        Self { inventory, declared, ports, knows_ends, noted: Mutex::default() }
    }

    /// UDP ports of tunnels.
    pub(super) const fn ports(&self) -> &BTreeSet<u16> {
        &self.ports
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, address: IpAddr, at: Timestamp) -> TunnelEnd {
        let address = address.to_canonical();
        let is_declared = || self.declared.iter().any(|range| range.contains(&address));
        match self.inventory.identify(address, at) {
            Identity::Node(node) => TunnelEnd::Node(node),
            // Whoever declares a whole network does not mean the pods in it.
            Identity::Pod(_) | Identity::Secondary(_) | Identity::Service(_) => TunnelEnd::Foreign,
            Identity::Multicast => TunnelEnd::Group,
            _ if is_declared() => TunnelEnd::Declared,
            Identity::UnknownInCluster => TunnelEnd::Unknown,
            Identity::Outside if self.inventory.origin(address) == Origin::Network => TunnelEnd::Unknown,
            _ if !self.knows_ends => TunnelEnd::Unknown,
            _ => TunnelEnd::Foreign,
        }
    }

    /// The node on which an address inside a tunnel lives, if that is known.
    fn host(&self, address: IpAddr, at: Timestamp) -> Option<NodeId> {
        match self.inventory.identify(address, at) {
            Identity::Pod(pod) | Identity::Secondary(pod) => self.inventory.pod(pod).node,
            Identity::Node(node) => Some(node),
            _ => None,
        }
    }

    /// Whether an address inside a tunnel may be on that node: what is not of the cluster may be anywhere.
    fn is_at(&self, address: IpAddr, node: NodeId, at: Timestamp) -> bool {
        // Some addresses are those of every node (Calico's route source).
        let is_of_node = || self.inventory.node(node).addresses.contains(&address.to_canonical());
        self.host(address, at).is_none_or(|host| host == node) || is_of_node()
    }

    /// Whether those inside live where the outer ends say. A collector gets mirrored both what a node sends and what it gets, so there
    /// one of the two must be on the node.
    fn are_at(&self, ends: (TunnelEnd, TunnelEnd), (source, destination): (IpAddr, IpAddr), at: Timestamp) -> bool {
        match ends {
            (TunnelEnd::Node(from), TunnelEnd::Node(to)) => self.is_at(source, from, at) && self.is_at(destination, to, at),
            (TunnelEnd::Node(node), _) | (_, TunnelEnd::Node(node)) => {
                self.is_at(source, node, at) || self.is_at(destination, node, at)
            }
            _ => true,
        }
    }

    /// Whether the ends of a conversation exchanged packets in tunnels of which nothing is known.
    pub(super) fn is_unchecked(&self, flow: &Flow) -> bool {
        if self.knows_ends {
            return false;
        }
        let noted = self.noted();
        noted.is_unchecked_full || noted.unchecked.contains(&pair(flow.originator.address, flow.responder.address))
    }

    /// What is to be said of the tunnels so far.
    #[must_use]
    pub fn findings(&self) -> Findings {
        let noted = self.noted();
        let mut findings = Findings::default();
        let name = |address: IpAddr, at: Timestamp| {
            let name = Place::calling(address, at, &self.inventory).describe(&self.inventory);
            if name.contains(&address.to_string()) { name } else { format!("{name} ({address})") }
        };
        for ((kind, source, destination, objection), at) in &noted.refused.noted {
            let subject = format!("{} -> {}", name(*source, *at), name(*destination, *at));
            let message = match objection {
                Objection::NotBetweenNodes => format!("looks like {kind}, and is not between nodes: nothing inside counts"),
                Objection::PodsElsewhere => {
                    format!("is {kind} with pods inside that are not on these nodes: nothing inside counts")
                }
                Objection::TooDeep => format!("is {kind} inside of more tunnels than a cluster has: nothing inside counts"),
            };
            findings.add(Code::TunnelNotBetweenNodes, subject, message);
        }
        if noted.refused.has_more {
            findings.add(Code::TunnelNotBetweenNodes, "further addresses", "sent what looks like tunnels: nothing inside counts");
        }
        if !noted.unknown.noted.is_empty() {
            let addresses: Vec<String> = noted.unknown.noted.keys().take(20).map(ToString::to_string).collect();
            let more = if noted.unknown.noted.len() > 20 || noted.unknown.has_more { " and others" } else { "" };
            let message = "are ends of tunnels and of no node in the inventory: nothing inside counts";
            findings.add(Code::UnknownTunnelEnd, format!("{}{more}", addresses.join(", ")), message);
        }
        if !noted.unchecked.is_empty() {
            let message = "came out of tunnels that nothing is known of: the inventory has no nodes";
            findings.add(Code::UncheckedTunnels, "traffic", message);
        }
        let mut overlays: BTreeMap<OtherOverlay, String> = BTreeMap::new();
        for ((overlay, source, destination), at) in &noted.others.noted {
            overlays.entry(*overlay).or_insert_with(|| format!("{} -> {}", name(*source, *at), name(*destination, *at)));
        }
        for (overlay, between) in overlays {
            let subject = match overlay {
                OtherOverlay::Vxlan(port) => format!("VXLAN on UDP port {port}"),
                OtherOverlay::FlannelUdp => "flannel's UDP backend (UDP port 8285)".to_owned(),
            };
            findings.add(Code::OverlayNotOpened, subject, format!("is between nodes ({between}), and was not opened"));
        }
        findings
    }
}

impl TunnelGuard for ClusterTunnels {
    fn moment(&self, at: Timestamp) -> usize {
        self.inventory.moment(at)
    }

    fn is_end(&self, at: Timestamp, address: IpAddr) -> bool {
        let end = self.end(address, at);
        matches!(end, TunnelEnd::Node(_) | TunnelEnd::Declared) || !self.knows_ends && end == TunnelEnd::Unknown
    }

    fn admits(&self, at: Timestamp, tunnel: &Tunnel, inner: Option<(IpAddr, IpAddr)>, nesting: usize) -> bool {
        let &Tunnel { kind, source, destination } = tunnel;
        let ends = (self.end(source, at), self.end(destination, at));
        let refuse = |objection| {
            self.noted().refused.add((kind, source, destination, objection), at);
            false
        };
        if ends.0 == TunnelEnd::Group || ends.1 == TunnelEnd::Group {
            return false;
        }
        if ends.0 == TunnelEnd::Foreign || ends.1 == TunnelEnd::Foreign {
            return refuse(Objection::NotBetweenNodes);
        }
        if nesting >= Self::NESTING {
            return refuse(Objection::TooDeep);
        }
        if !self.knows_ends {
            if let Some((source, destination)) = inner {
                let mut noted = self.noted();
                noted.is_unchecked_full |= noted.unchecked.len() >= Self::UNCHECKED;
                if !noted.is_unchecked_full {
                    noted.unchecked.insert(pair(source, destination));
                }
            }
            return true;
        }
        let unknown = [(ends.0, source), (ends.1, destination)].into_iter().filter(|(end, _)| *end == TunnelEnd::Unknown);
        let unknown: Vec<IpAddr> = unknown.map(|(_, address)| address).collect();
        if !unknown.is_empty() {
            let mut noted = self.noted();
            for address in unknown {
                noted.unknown.add(address, at);
            }
            return false;
        }
        match inner {
            Some(inner) if !self.are_at(ends, inner, at) => refuse(Objection::PodsElsewhere),
            _ => true,
        }
    }

    fn note_other(&self, at: Timestamp, overlay: OtherOverlay, (source, destination): (IpAddr, IpAddr)) {
        if self.knows_ends && self.is_end(at, source) && self.is_end(at, destination) {
            self.noted().others.add((overlay, source, destination), at);
        }
    }
}

fn pair(one: IpAddr, other: IpAddr) -> (IpAddr, IpAddr) {
    (one.min(other), one.max(other))
}
