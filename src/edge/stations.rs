//! Which pod a station of a link is, proved by answered conversations.
//!
//! Packets with the pod's address left the station first and unrouted, and the answers were delivered to it. Whoever forges an address
//! does not get the answers, so forged packets prove nothing. Where a pod's station also gets answers to others' addresses, the pod
//! forwards for them (a VPN, a proxy that keeps addresses), or claims to. A station that sends for a node, or unrouted for several pods
//! (a router, an ipvlan's parent), is nobody's, and says nothing about who lies.
//!
//! Blind for a capture of one input that was joined of those of several nodes: there one number stands for an interface of each.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::decode::{Station, Stations};
use crate::inventory::{Identity, Inventory, NodeId, PodId};
use crate::model::{Flow, Outcome, Protocol};

/// What is proved of stations so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Bindings {
    proved: BTreeMap<Station, Proved>,
    verdicts: BTreeMap<Station, Binding>,
    /// Of each pod, the stations at which nothing but its own traffic was answered.
    own: BTreeMap<PodId, BTreeSet<Station>>,
    /// Those pods, by node.
    by_node: BTreeMap<Option<NodeId>, BTreeSet<PodId>>,
    /// Of each capture that tells interfaces, the nodes of the pods that sent by one.
    nodes: BTreeMap<u64, BTreeSet<NodeId>>,
    has_forwarders: bool,
}

/// Whose answers a station got.
#[derive(Clone, Debug, Default)]
struct Proved {
    /// The pods whose packets left it unrouted, and no other station before.
    own: BTreeSet<PodId>,
    /// Those whose packets left it unrouted after another station.
    relayed: BTreeSet<PodId>,
    /// Whose answers it got, from which stations; nothing for whoever is no pod.
    carries: BTreeMap<Option<PodId>, BTreeSet<Station>>,
    /// Whether it got a node's.
    is_node: bool,
}

/// The pod that a station belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binding {
    /// All that left it is this pod's.
    Own(PodId),
    /// It also got answers to others.
    Forwards(PodId),
}

impl Binding {
    pub(super) const fn pod(self) -> PodId {
        match self {
            Self::Own(pod) | Self::Forwards(pod) => pod,
        }
    }
}

impl Proved {
    /// The pod, if all that is proved is of one, or of those that had its addresses before and after it.
    fn only(&self, inventory: &Inventory) -> Option<PodId> {
        let pod = self.own.first().copied().filter(|_| !self.is_node)?;
        let is_same = |other: &PodId| is_in_place_of(pod, *other, inventory);
        let carries_own = || self.carries.keys().all(|carried| carried.is_some_and(|carried| is_same(&carried)));
        (self.own.iter().all(is_same) && self.relayed.iter().all(is_same) && carries_own()).then_some(pod)
    }

    /// From which stations others than this pod got their answers here.
    fn for_others(&self, pod: PodId) -> impl Iterator<Item = &Station> {
        self.carries.iter().filter(move |(carried, _)| **carried != Some(pod)).flat_map(|(_, from)| from)
    }
}

impl Bindings {
    /// Takes in what answered conversations prove.
    pub(super) fn prove(&mut self, flows: &[Flow], origins: &[Stations], inventory: &Inventory) {
        for flow in flows.iter().filter(|flow| flow.outcome == Outcome::Answered) {
            let at = flow.span.first();
            let [there, back] = flow.origins;
            // What comes out of a tunnel was sent elsewhere.
            let of = |numbers| of(numbers, origins).filter(|stations| !stations.is_inside);
            let ends = [(there, back, flow.originator.address), (back, there, flow.responder.address)];
            for (own, other, address) in ends {
                let identity = inventory.identify(address, at);
                if may_be_anybodys(identity) {
                    continue;
                }
                let pod = match identity {
                    Identity::Pod(pod) | Identity::Secondary(pod) => Some(pod),
                    _ => None,
                };
                let Some(first) = of(own).next() else { continue };
                // Datagrams are answered without a look at who asked; of a connection both sides know numbers.
                if flow.protocol == Protocol::Tcp
                    && first.is_first_hop
                    && of(other).any(|answer| answer.sender != first.sender)
                    && let Some(input) = first.sender.input()
                    && let Some(node) = pod.and_then(|pod| inventory.pod(pod).node)
                {
                    self.nodes.entry(input).or_default().insert(node);
                }
                for stations in of(own) {
                    let is_answered = of(other).any(|answer| answer.answers(stations));
                    if !is_answered || stations.sender.is_host() {
                        continue;
                    }
                    let proved = self.proved.entry(stations.sender).or_default();
                    proved.is_node |= matches!(identity, Identity::Node(_) | Identity::OwnNode);
                    proved.carries.entry(pod).or_default().insert(stations.receiver);
                    let is_first = stations.sender == first.sender;
                    let sent = if is_first { &mut proved.own } else { &mut proved.relayed };
                    sent.extend(pod.filter(|_| stations.is_first_hop));
                }
            }
        }
        self.bind(inventory);
    }

    fn bind(&mut self, inventory: &Inventory) {
        let is_joined = |input| self.nodes.get(&input).is_some_and(|nodes| nodes.len() > 1);
        let proved = || self.proved.iter().filter(|(station, _)| !station.input().is_some_and(is_joined));
        let own = proved().filter_map(|(station, proved)| Some((*station, Binding::Own(proved.only(inventory)?))));
        self.verdicts = own.collect();
        self.own.clear();
        self.by_node.clear();
        for (station, binding) in &self.verdicts {
            self.own.entry(binding.pod()).or_default().insert(*station);
            self.by_node.entry(inventory.pod(binding.pod()).node).or_default().insert(binding.pod());
        }
        let others = proved().filter(|(station, _)| !self.verdicts.contains_key(station));
        let forwarding = others
            .filter_map(|(station, proved)| Some((*station, Binding::Forwards(self.forwarder(*station, proved, inventory)?))));
        let forwarding: Vec<(Station, Binding)> = forwarding.collect();
        self.has_forwarders = !forwarding.is_empty();
        self.verdicts.extend(forwarding);
    }

    /// The pod that forwards at a station. Pods that have a station of their own elsewhere are among those for whom it does. A gateway
    /// between pods' own stations is no pod, even if it leaves hop limits as they are; nor is an interface that leads to everybody.
    fn forwarder(&self, station: Station, proved: &Proved, inventory: &Inventory) -> Option<PodId> {
        let mut own = proved.own.iter().copied().filter(|pod| !self.is_at_another(*pod, station));
        let pod = own.next().filter(|_| !proved.is_node && own.next().is_none())?;
        let is_relay = proved.relayed.iter().any(|relayed| *relayed != pod);
        let mut for_others = proved.for_others(pod);
        let is_end = for_others.any(|from| !self.verdicts.contains_key(from));
        (!is_relay && is_end && (station.input().is_none() || self.tells_apart(pod, station, inventory))).then_some(pod)
    }

    /// Whether nothing is known of any.
    pub(super) fn is_empty(&self) -> bool {
        self.verdicts.is_empty()
    }

    pub(super) const fn has_forwarders(&self) -> bool {
        self.has_forwarders
    }

    /// The pod that a station belongs to, if that is proved.
    pub(super) fn get(&self, station: Station) -> Option<Binding> {
        self.verdicts.get(&station).copied()
    }

    /// Whether it is an interface of which nothing is proved.
    pub(super) fn is_unknown_interface(&self, station: Station) -> bool {
        station.is_interface() && !self.proved.contains_key(&station)
    }

    /// The pods at whose stations others get their answers.
    pub(super) fn forwarding(&self) -> BTreeSet<PodId> {
        let forwarding = self.verdicts.values().filter(|binding| matches!(binding, Binding::Forwards(_)));
        forwarding.map(|binding| binding.pod()).collect()
    }

    /// Whether a pod has a station of its own, which is not this one.
    pub(super) fn is_at_another(&self, pod: PodId, station: Station) -> bool {
        let is_another = |other: &Station| *other != station && other.is_comparable(station);
        self.own.get(&pod).is_some_and(|stations| stations.iter().any(is_another))
    }

    /// Whether other pods of this one's node have stations of their own beside its. One with which it talks is not enough: that may be
    /// the only pod that was captured, and this station its gateway.
    pub(super) fn tells_apart(&self, pod: PodId, station: Station, inventory: &Inventory) -> bool {
        let proved = self.proved.get(&station);
        let is_peer = |other: &Station| proved.is_some_and(|proved| proved.carries.values().any(|from| from.contains(other)));
        let node = inventory.pod(pod).node;
        // What is not known may be the same.
        let nodes = self.by_node.iter().filter(|(other, _)| node.is_none() || other.is_none() || **other == node);
        let others = nodes.flat_map(|(_, pods)| pods).filter(|other| **other != pod);
        let mut stations = others.filter_map(|other| self.own.get(other)).flatten();
        stations.any(|other| other.is_comparable(station) && !is_peer(other))
    }
}

/// The stations with these numbers.
pub(super) fn of(numbers: [u16; 2], origins: &[Stations]) -> impl Iterator<Item = &Stations> {
    numbers.into_iter().filter_map(move |number| origins.get(usize::from(number).checked_sub(1)?))
}

/// Whether every station has such addresses of its own, or it is not known whose they were: an address passed from one pod to the next.
pub(super) const fn may_be_anybodys(identity: Identity) -> bool {
    matches!(identity, Identity::Loopback | Identity::Multicast | Identity::LinkLocal | Identity::UnknownInCluster)
}

/// Whether a pod has this address, of this owner, or took the place of the owner with it (`StatefulSet`s with fixed addresses): then it
/// may have the address of its link too.
pub(super) fn has(pod: PodId, owner: Identity, address: IpAddr, inventory: &Inventory) -> bool {
    matches!(owner, Identity::Pod(owner) | Identity::Secondary(owner)
        if owner == pod || inventory.pod(pod).addresses.contains(&address))
}

/// Whether two pods are one, or had the same address one after the other.
fn is_in_place_of(pod: PodId, other: PodId, inventory: &Inventory) -> bool {
    pod == other || !inventory.pod(pod).addresses.is_disjoint(&inventory.pod(other).addresses)
}
