//! ICMP errors that say a packet could not be delivered: whose word counts.
//!
//! Anyone can send one, with the ports of any connection that can be guessed. It counts if it comes from whom the packet was for, or from
//! a hop on the way; pods are no hops. Where a pod's own interface sent it, it counts only with this pod's address.

use crate::flow::{Refuser, Senders as Sent};
use crate::inventory::{Identity, Inventory, PodId};
use crate::model::{Code, Findings, Flow};

use super::place::Place;
use super::senders::Senders;
use super::stations::has;

/// Takes back a refusal that nobody said whose word counts, and says which pods pretended one.
pub(super) fn judge(flow: &mut Flow, sent: Sent<'_>, senders: &Senders, inventory: &Inventory, findings: &mut Findings) {
    if flow.refusers == [0; 2] || flow.outcome == flow.unrefused {
        return;
    }
    let mut is_refused = false;
    for number in flow.refusers {
        let Some(refuser) = usize::from(number).checked_sub(1).and_then(|position| sent.refusers.get(position)) else { continue };
        match word(flow, *refuser, senders, inventory) {
            Word::Counts => is_refused = true,
            Word::IsAnothers => {}
            Word::IsPretended(pod) => report(flow, pod, inventory, findings),
        }
    }
    if !is_refused {
        flow.outcome = flow.unrefused;
    }
}

/// What an error is worth.
enum Word {
    Counts,
    /// It is a pod's that has nothing to do with it.
    IsAnothers,
    /// This pod sent it with another's address.
    IsPretended(PodId),
}

fn word(flow: &Flow, Refuser { address, stations }: Refuser, senders: &Senders, inventory: &Inventory) -> Word {
    let at = flow.span.first();
    let identity = inventory.identify(address, at);
    if let Some(pod) = stations.and_then(|stations| senders.pod(stations.sender))
        && !has(pod, identity, address, inventory)
    {
        return Word::IsPretended(pod);
    }
    let is_end = [flow.originator, flow.responder].iter().any(|end| end.address == address);
    let (Identity::Pod(_) | Identity::Secondary(_), false) = (identity, is_end) else { return Word::Counts };
    // A pod behind the Service that was called.
    let Flow { protocol, responder, .. } = *flow;
    let call = inventory.service_call(responder.address, protocol, responder.port);
    let is_backend = call.is_some_and(|call| inventory.backends(call, at).iter().any(|backend| backend.address == address));
    if is_backend { Word::Counts } else { Word::IsAnothers }
}

fn report(flow: &Flow, pod: PodId, inventory: &Inventory, findings: &mut Findings) {
    let at = flow.span.first();
    let name = |address| Place::calling(address, at, inventory).describe(inventory);
    let (from, to) = (name(flow.originator.address), name(flow.responder.address));
    let message = format!("sent ICMP errors with another's address about packets {from} -> {to}: they count for nothing");
    findings.add(Code::SpoofedSource, inventory.pod(pod).name.to_string(), message);
}
