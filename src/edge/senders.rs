//! Who sent it: flows and the stations between which their packets went in, flows that a pod only pretends out.
//!
//! A pod can put any source address on what it sends, but its frames bear its own link address, or come in at its own interface. A station
//! is a pod's if answered conversations prove it: packets with the pod's address left the station, unrouted, and the answers were
//! delivered to it. Whoever forges an address does not get the answers, so forged packets prove nothing. A station that also got
//! answers to anybody else's address (a router, a node, an ipvlan's parent, a VPN) is nobody's, and says nothing about who lies.
//!
//! Wrong for a pod that sends with an address of its own that the inventory does not know, as long as nobody answers that; and blind where
//! frames do not say who sent them (raw IP, cooked captures of the first version, mirrored or bridged by one station).

use std::collections::BTreeMap;

use crate::decode::{Station, Stations};
use crate::inventory::{Identity, Inventory, PodId};
use crate::model::{Code, Findings, Flow, Outcome};

use super::place::Place;

/// What is proved of stations so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Senders {
    stations: BTreeMap<Station, Proved>,
}

/// Whose answers a station got.
#[derive(Clone, Copy, Debug, Default)]
struct Proved {
    /// The pod whose packets left it unrouted.
    own: Option<PodId>,
    /// Whether packets of several pods did (ipvlan).
    has_several: bool,
    /// The pod, if all that is proved is of one.
    carries: Option<PodId>,
    /// Whether it carried the traffic of several, or of anybody who is no pod.
    is_shared: bool,
}

impl Proved {
    fn add(&mut self, pod: Option<PodId>, is_first_hop: bool) {
        let Some(pod) = pod else {
            self.is_shared = true;
            return;
        };
        self.is_shared |= *self.carries.get_or_insert(pod) != pod;
        if is_first_hop {
            self.has_several |= *self.own.get_or_insert(pod) != pod;
        }
    }
}

impl Senders {
    /// Takes in what answered conversations prove.
    pub(super) fn prove(&mut self, flows: &[Flow], origins: &[Stations], inventory: &Inventory) {
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
                    let pod = match inventory.identify(address, at) {
                        Identity::Pod(pod) | Identity::Secondary(pod) => Some(pod),
                        // Every station has such addresses of its own, or it is not known whose they were: an address passed from one
                        // pod to the next.
                        Identity::Loopback | Identity::Multicast | Identity::LinkLocal | Identity::UnknownInCluster => continue,
                        _ => None,
                    };
                    self.stations.entry(stations.sender).or_default().add(pod, stations.is_first_hop);
                }
            }
        }
    }

    /// The pod that a station is, if that is proved.
    fn pod(&self, station: Station) -> Option<PodId> {
        let proved = self.stations.get(&station)?;
        proved.own.filter(|_| !proved.is_shared)
    }

    /// The pod that pretended to be an end of a flow, if one did.
    pub(super) fn forger(&self, flow: &Flow, origins: &[Stations], inventory: &Inventory) -> Option<PodId> {
        if self.stations.is_empty() {
            return None;
        }
        let at = flow.span.first();
        let ends = [(flow.origins[0], flow.originator.address), (flow.origins[1], flow.responder.address)];
        let owners = ends.map(|(_, address)| inventory.identify(address, at));
        for (here, (seen, _)) in ends.iter().enumerate() {
            let is_own =
                |pod: PodId, owner: Identity| matches!(owner, Identity::Pod(own) | Identity::Secondary(own) if own == pod);
            let may_be_anybodys = matches!(
                owners[here],
                Identity::Loopback | Identity::Multicast | Identity::LinkLocal | Identity::UnknownInCluster
            );
            let sent: Vec<Option<PodId>> = of(*seen, origins)
                .map(|stations| self.pod(stations.sender).filter(|pod| !may_be_anybodys && !is_own(*pod, owners[here])))
                .collect();
            let Some(forger) = sent.iter().flatten().next().copied() else { continue };
            // Where the end itself was heard too, it was there; but nobody answers for the one that it talks to.
            if sent.iter().all(Option::is_some) || is_own(forger, owners[1 - here]) {
                return Some(forger);
            }
        }
        None
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
        let forwarding = self.stations.values().filter(|proved| proved.is_shared && !proved.has_several);
        for pod in forwarding.filter_map(|proved| proved.own) {
            let message =
                "forwards for others (a VPN, a proxy that keeps addresses, virtual machines): what they do counts as theirs";
            findings.add(Code::ForwardingPod, inventory.pod(pod).name.to_string(), message);
        }
        findings
    }
}

fn of(numbers: [u16; 2], origins: &[Stations]) -> impl Iterator<Item = &Stations> {
    numbers.into_iter().filter_map(move |number| origins.get(usize::from(number).checked_sub(1)?))
}
