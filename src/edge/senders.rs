//! Who sent it: flows and the stations between which their packets went in, flows that a pod only pretends out.
//!
//! A pod can put any source address on what it sends, but its frames bear its own link address, or come in at its own interface. A station
//! is a pod's if answered conversations prove it: packets with the pod's address left the station, unrouted, and the answers were
//! delivered to it. Whoever forges an address does not get the answers, so forged packets prove nothing. Where a pod's station also gets
//! answers to others' addresses, the pod forwards for them (a VPN, a proxy that keeps addresses): what it says of others is marked. A
//! station that sends for a node, or unrouted for several pods (a router, an ipvlan's parent), is nobody's, and says nothing about who
//! lies.
//!
//! Wrong for a pod that sends with an address of its own that the inventory does not know, as long as nobody answers that; and blind where
//! frames do not say who sent them (raw IP, mirrored or bridged by one station). Where a capture says at which interface a frame was seen, and
//! whether it came in or went out, the two sides of the interface are its stations, whatever link addresses the frame bears.

use std::collections::{BTreeMap, BTreeSet};

use crate::decode::{Station, Stations};
use crate::inventory::{Identity, Inventory, PodId};
use crate::model::{Code, Findings, Flow, Outcome};

use super::place::Place;

/// What is proved of stations so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Senders {
    proved: BTreeMap<Station, Proved>,
    bindings: BTreeMap<Station, Binding>,
    /// The pods that have a station of their own.
    bound: BTreeSet<PodId>,
    has_forwarders: bool,
    /// As flows number them.
    origins: Vec<Stations>,
}

/// Whose answers a station got.
#[derive(Clone, Debug, Default)]
struct Proved {
    /// The pods whose packets left it unrouted.
    own: BTreeSet<PodId>,
    /// Whose answers it got, from which stations; nothing for whoever is no pod.
    carries: BTreeMap<Option<PodId>, BTreeSet<Station>>,
    /// Whether it got a node's.
    is_node: bool,
}

/// The pod that a station belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Binding {
    /// All that left it is this pod's.
    Own(PodId),
    /// It also got answers to others.
    Forwards(PodId),
}

impl Binding {
    const fn pod(self) -> PodId {
        match self {
            Self::Own(pod) | Self::Forwards(pod) => pod,
        }
    }
}

impl Proved {
    /// The pod, if all that is proved is of one.
    fn only(&self) -> Option<PodId> {
        let pod = self.own.first().copied().filter(|_| self.own.len() == 1 && !self.is_node)?;
        self.carries.keys().all(|carried| *carried == Some(pod)).then_some(pod)
    }

    /// The pod that forwards here. Pods that have a station of their own elsewhere are among those for whom it does. A gateway between
    /// pods' own stations is no pod, even if it leaves hop limits as they are.
    fn forwarder(&self, bound: &BTreeSet<PodId>, is_bound: impl Fn(&Station) -> bool) -> Option<PodId> {
        let mut own = self.own.difference(bound);
        let pod = own.next().copied().filter(|_| !self.is_node)?;
        let mut for_others = self.carries.iter().filter(|(carried, _)| **carried != Some(pod)).flat_map(|(_, from)| from);
        (own.next().is_none() && for_others.any(|station| !is_bound(station))).then_some(pod)
    }
}

impl Senders {
    /// Takes in what answered conversations prove. These are all origins so far, as flows number them.
    pub(super) fn prove(&mut self, flows: &[Flow], origins: &[Stations], inventory: &Inventory) {
        self.origins.extend_from_slice(origins.get(self.origins.len()..).unwrap_or_default());
        for flow in flows.iter().filter(|flow| flow.outcome == Outcome::Answered) {
            let at = flow.span.first();
            let [there, back] = flow.origins;
            let ends = [(there, back, flow.originator.address), (back, there, flow.responder.address)];
            for (own, other, address) in ends {
                for stations in of(own, origins) {
                    let is_answered = of(other, origins).any(|answer| answer.answers(stations));
                    if !is_answered || stations.sender.is_host() {
                        continue;
                    }
                    let identity = inventory.identify(address, at);
                    if may_be_anybodys(identity) {
                        continue;
                    }
                    let pod = match identity {
                        Identity::Pod(pod) | Identity::Secondary(pod) => Some(pod),
                        _ => None,
                    };
                    let proved = self.proved.entry(stations.sender).or_default();
                    proved.is_node |= matches!(identity, Identity::Node(_) | Identity::OwnNode);
                    proved.carries.entry(pod).or_default().insert(stations.receiver);
                    proved.own.extend(pod.filter(|_| stations.is_first_hop));
                }
            }
        }
        self.bind();
    }

    fn bind(&mut self) {
        let own = self.proved.iter().filter_map(|(station, proved)| Some((*station, Binding::Own(proved.only()?))));
        let own: BTreeMap<Station, Binding> = own.collect();
        self.bound = own.values().map(|binding| binding.pod()).collect();
        let forwarding = self.proved.iter().filter(|(station, _)| !own.contains_key(station));
        let forwarding = forwarding.filter_map(|(station, proved)| {
            let pod = proved.forwarder(&self.bound, |station| own.contains_key(station))?;
            Some((*station, Binding::Forwards(pod)))
        });
        let forwarding: BTreeMap<Station, Binding> = forwarding.collect();
        self.has_forwarders = !forwarding.is_empty();
        self.bindings = own;
        self.bindings.extend(forwarding);
    }

    /// Whether it is known of any packet of a flow that a pod's own station sent it.
    pub(super) fn shows_sender(&self, flow: &Flow) -> bool {
        let mut stations = flow.origins.into_iter().flat_map(|seen| of(seen, &self.origins));
        stations.any(|stations| self.bindings.contains_key(&stations.sender))
    }

    /// The pod that a station belongs to, if that is proved.
    pub(super) fn pod(&self, station: Station) -> Option<PodId> {
        self.bindings.get(&station).map(|binding| binding.pod())
    }

    /// The pod that pretended to be an end of a flow, if one did.
    pub(super) fn forger(&self, flow: &Flow, inventory: &Inventory) -> Option<PodId> {
        if self.bindings.is_empty() {
            return None;
        }
        let at = flow.span.first();
        let ends = [(flow.origins[0], flow.originator.address), (flow.origins[1], flow.responder.address)];
        let owners = ends.map(|(_, address)| inventory.identify(address, at));
        for (here, (seen, _)) in ends.iter().enumerate() {
            let owner = owners[here];
            let sent = of(*seen, &self.origins).map(|stations| {
                let liar = match *self.bindings.get(&stations.sender)? {
                    Binding::Own(pod) => pod,
                    // Nobody forwards for a pod that has a station of its own, and what leaves here unrouted was made here.
                    Binding::Forwards(pod) => {
                        let has_own = matches!(owner, Identity::Pod(other) if self.bound.contains(&other));
                        Some(pod).filter(|_| has_own && stations.is_first_hop)?
                    }
                };
                (!may_be_anybodys(owner) && !is_of(owner, liar)).then_some(liar)
            });
            let sent: Vec<Option<PodId>> = sent.collect();
            let Some(forger) = sent.iter().flatten().next().copied() else { continue };
            // It also came in at an interface of which nothing is proved: that may be its own, and the other one a bridge behind it.
            if of(*seen, &self.origins).any(|stations| self.is_unknown_interface(stations.sender)) {
                continue;
            }
            // Where the end itself was heard too, it was there; but nobody answers for the one that it talks to.
            if sent.iter().all(Option::is_some) || is_of(owners[1 - here], forger) {
                return Some(forger);
            }
        }
        None
    }

    fn is_unknown_interface(&self, station: Station) -> bool {
        station.is_interface() && !self.proved.contains_key(&station)
    }

    /// Whether an end of a flow was seen only where a pod forwards for it, or may claim to.
    pub(super) fn is_forwarded(&self, flow: &Flow, inventory: &Inventory) -> bool {
        if !self.has_forwarders {
            return false;
        }
        let at = flow.span.first();
        let ends = [(flow.origins[0], flow.originator.address), (flow.origins[1], flow.responder.address)];
        ends.into_iter().any(|(seen, address)| {
            let bindings = || of(seen, &self.origins).filter_map(|stations| self.bindings.get(&stations.sender));
            if !bindings().any(|binding| matches!(binding, Binding::Forwards(_))) {
                return false;
            }
            let owner = inventory.identify(address, at);
            !may_be_anybodys(owner) && !bindings().any(|binding| is_of(owner, binding.pod()))
        })
    }

    /// Says what a pod pretended.
    pub(super) fn report(flow: &Flow, forger: PodId, inventory: &Inventory, findings: &mut Findings) {
        let at = flow.span.first();
        let name = |address| Place::calling(address, at, inventory).describe(inventory);
        let (from, to) = (name(flow.originator.address), name(flow.responder.address));
        let protocol = flow.protocol;
        let message = format!("sent packets with another's address: {from} -> {to} over {protocol} counts for nothing");
        findings.add(Code::SpoofedSource, inventory.pod(forger).name.to_string(), message);
    }

    /// Names pods at whose interfaces others get their answers.
    pub(super) fn forwarders(&self, inventory: &Inventory) -> Findings {
        let mut findings = Findings::default();
        for binding in self.bindings.values() {
            if let Binding::Forwards(pod) = binding {
                let message = "forwards for others (a VPN, a proxy that keeps addresses, virtual machines), or claims to";
                findings.add_once(Code::ForwardingPod, inventory.pod(*pod).name.to_string(), message);
            }
        }
        findings
    }
}

/// Whether every station has such addresses of its own, or it is not known whose they were: an address passed from one pod to the next.
const fn may_be_anybodys(identity: Identity) -> bool {
    matches!(identity, Identity::Loopback | Identity::Multicast | Identity::LinkLocal | Identity::UnknownInCluster)
}

pub(super) fn is_of(identity: Identity, pod: PodId) -> bool {
    matches!(identity, Identity::Pod(own) | Identity::Secondary(own) if own == pod)
}

fn of(numbers: [u16; 2], origins: &[Stations]) -> impl Iterator<Item = &Stations> {
    numbers.into_iter().filter_map(move |number| origins.get(usize::from(number).checked_sub(1)?))
}
