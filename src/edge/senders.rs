//! Who sent it: flows and the stations between which their packets went in, flows that a pod only pretends out.
//!
//! A pod can put any source address on what it sends, but its frames bear its own link address, or come in at its own interface. Which
//! pod a station is follows from what was answered there ([`Bindings`]).
//!
//! Both ends of a conversation sent by one pod's station are a lie. Packets of one end alone are a weaker sign: others may be behind the
//! station whose answers were not seen (ipvlan, a bridge that puts its own address on frames, the only interface of the namespace in
//! which the capture ran), since one-way datagrams get none. So there the claim must be contradicted: by the station that the other pod
//! is, or by a capture that tells the pods of a node apart.
//!
//! Wrong for a pod that sends with an address of its own that the inventory does not know, as long as nobody answers that; and blind where
//! frames do not say who sent them (raw IP, mirrored or bridged by one station). Where a capture says at which interface a frame was seen, and
//! whether it came in or went out, the two sides of the interface are its stations, whatever link addresses the frame bears.

use std::net::IpAddr;

use crate::decode::{Station, Stations};
use crate::inventory::{Identity, Inventory, PodId};
use crate::model::{Code, Endpoint, Findings, Flow, Protocol, Timestamp};

use super::place::Place;
use super::stations::{Binding, Bindings, has, may_be_anybodys, of};

/// What a flow is worth by who sent its packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Honest,
    /// This pod pretended the flow.
    Pretended(PodId),
    /// The originator sent, and this pod pretended the answer.
    PretendedAnswer(PodId),
    /// This pod sent with an address of which the owner was heard too, so that it is not certain who was first.
    Mixed(PodId),
}

/// Who sends with others' addresses.
#[derive(Clone, Debug, Default)]
pub(super) struct Senders {
    bindings: Bindings,
    /// As flows number them.
    origins: Vec<Stations>,
}

impl Senders {
    /// Takes in what answered conversations prove. These are all origins so far, as flows number them.
    pub(super) fn prove(&mut self, flows: &[Flow], origins: &[Stations], inventory: &Inventory) {
        self.origins.extend_from_slice(origins.get(self.origins.len()..).unwrap_or_default());
        self.bindings.prove(flows, origins, inventory);
    }

    /// Whether it is known of any packet of a flow that a pod's own station sent it.
    pub(super) fn shows_sender(&self, flow: &Flow) -> bool {
        let mut stations = flow.origins.into_iter().flat_map(|seen| of(seen, &self.origins));
        stations.any(|stations| self.bindings.get(stations.sender).is_some())
    }

    /// The pod that a station belongs to, if that is proved.
    pub(super) fn pod(&self, station: Station) -> Option<PodId> {
        self.bindings.get(station).map(Binding::pod)
    }

    /// What a flow is worth by who sent its packets.
    pub(super) fn judge(&self, flow: &Flow, inventory: &Inventory) -> Verdict {
        if self.bindings.is_empty() {
            return Verdict::Honest;
        }
        let at = flow.span.first();
        let ends = [flow.originator, flow.responder];
        let owners = ends.map(|end| inventory.identify(end.address, at));
        let sent = [0, 1].map(|here: usize| -> Vec<Option<(PodId, Station)>> {
            let (end, owner) = (ends[here], owners[here]);
            let liar = |stations: &Stations| {
                let station = stations.sender;
                let binding = self.bindings.get(station)?;
                let pod = match binding {
                    // Pods are no ends of the cluster's tunnels.
                    _ if stations.is_inside => {
                        return self.bindings.tells_apart(binding.pod(), station, inventory).then_some((binding.pod(), station));
                    }
                    Binding::Own(pod) => pod,
                    // Nobody forwards for a pod that has a station of its own, and what leaves here unrouted was made here.
                    Binding::Forwards(pod) => {
                        let has_own = matches!(owner, Identity::Pod(other) if self.bindings.is_at_another(other, station));
                        Some(pod).filter(|_| has_own && stations.is_first_hop)?
                    }
                };
                // The address of its link may have passed to another pod.
                let is_there = inventory.pod(pod).until > at;
                let may_be_anybodys = may_be_anybodys(owner) && !is_routed_link_local(pod, owner, owners[1 - here], end.address);
                let may_send = may_be_anybodys || may_send_as(pod, owner, (end, flow.protocol), at, inventory);
                (is_there && !may_send).then_some((pod, station))
            };
            of(flow.origins[here], &self.origins).map(liar).collect()
        });
        let mut verdict = Verdict::Honest;
        for here in [0, 1] {
            let (these, others) = (&sent[here], &sent[1 - here]);
            let Some((forger, station)) = these.iter().flatten().next().copied() else { continue };
            // It also came in at an interface of which nothing is proved: that may be its own, and the other one a bridge behind it.
            if of(flow.origins[here], &self.origins).any(|stations| self.bindings.is_unknown_interface(stations.sender)) {
                continue;
            }
            // Nobody answers for the one that it talks to.
            if has(forger, owners[1 - here], ends[1 - here].address, inventory) {
                return Verdict::Pretended(forger);
            }
            let all = |sent: &[Option<(PodId, Station)>]| !sent.is_empty() && sent.iter().all(Option::is_some);
            if all(these) && all(others) {
                return Verdict::Pretended(forger);
            }
            if !self.is_elsewhere(owners[here], forger, station, inventory) {
                continue;
            }
            verdict = match (all(these), here) {
                (true, 0) => return Verdict::Pretended(forger),
                (true, _) => return Verdict::PretendedAnswer(forger),
                // The end itself was heard too.
                (false, _) => Verdict::Mixed(forger),
            };
        }
        verdict
    }

    /// Whether whoever has an address is elsewhere than at a pod's station: it is another pod that another station is, or it would have
    /// a station of its own.
    fn is_elsewhere(&self, owner: Identity, pod: PodId, station: Station, inventory: &Inventory) -> bool {
        matches!(owner, Identity::Pod(owner) | Identity::Secondary(owner) if self.bindings.is_at_another(owner, station))
            || self.bindings.tells_apart(pod, station, inventory)
    }

    /// Whether an end of a flow was seen only where a pod forwards for it, or may claim to.
    pub(super) fn is_forwarded(&self, flow: &Flow, inventory: &Inventory) -> bool {
        if !self.bindings.has_forwarders() {
            return false;
        }
        let at = flow.span.first();
        let ends = [(flow.origins[0], flow.originator.address), (flow.origins[1], flow.responder.address)];
        ends.into_iter().any(|(seen, address)| {
            let outside = || of(seen, &self.origins).filter(|stations| !stations.is_inside);
            let bindings = || outside().filter_map(|stations| self.bindings.get(stations.sender));
            if !bindings().any(|binding| matches!(binding, Binding::Forwards(_))) {
                return false;
            }
            let owner = inventory.identify(address, at);
            !may_be_anybodys(owner) && !bindings().any(|binding| has(binding.pod(), owner, address, inventory))
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
        for pod in self.bindings.forwarding() {
            let message = "forwards for others (a VPN, a proxy that keeps addresses, virtual machines), or claims to";
            findings.add(Code::ForwardingPod, inventory.pod(pod).name.to_string(), message);
        }
        findings
    }
}

/// Whether a pod may send with the address of this end: its own, or that of a Service that leads to it, with which it answers where the load balancer leaves answering to it (direct server return).
fn may_send_as(pod: PodId, owner: Identity, (end, protocol): (Endpoint, Protocol), at: Timestamp, inventory: &Inventory) -> bool {
    let is_backend = || {
        let own = &inventory.pod(pod).addresses;
        let call = inventory.service_call(end.address, protocol, end.port);
        call.is_some_and(|call| inventory.backends(call, at).iter().any(|backend| own.contains(&backend.address)))
    };
    has(pod, owner, end.address, inventory) || matches!(owner, Identity::Service(_)) && is_backend()
}

/// Whether a pod sends to another pod with a link-local IPv4 address. These are the node's and the platform's; a pod that has one of its own
/// would not be answered (RFC 3927, section 2.7: routers do not forward them).
fn is_routed_link_local(pod: PodId, owner: Identity, other: Identity, address: IpAddr) -> bool {
    let is_other_pod = matches!(other, Identity::Pod(other) if other != pod);
    owner == Identity::LinkLocal && address.is_ipv4() && is_other_pod
}
