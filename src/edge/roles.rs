//! Who called whom, where the packets alone do not settle it.

use std::cmp::Ordering;

use crate::inventory::Inventory;
use crate::model::{DirectionEvidence, Endpoint, Flow, Timestamp};

/// The first port that Linux hands out to callers (`net.ipv4.ip_local_port_range`).
pub(super) const EPHEMERAL: u16 = 32768;

/// The flow with its roles as the declared listeners have them, where the packets do not prove them.
pub(super) fn settle(flow: Flow, inventory: &Inventory) -> Flow {
    if flow.direction >= DirectionEvidence::DnsHeader {
        return flow;
    }
    let at = flow.span.first();
    let calls = listens(inventory, &flow, flow.responder, at);
    let is_called = listens(inventory, &flow, flow.originator, at);
    if flow.direction == DirectionEvidence::FirstPacket {
        // The first packet is believed unless it plainly is a reply: from a declared listener to a port nobody declares.
        let is_reply = is_called && !calls && flow.responder.port >= EPHEMERAL;
        return if is_reply { turned(flow, DirectionEvidence::DeclaredListener) } else { flow };
    }
    match (calls, is_called) {
        (true, false) => Flow { direction: DirectionEvidence::DeclaredListener, ..flow },
        (false, true) => turned(flow, DirectionEvidence::DeclaredListener),
        _ => by_port(flow),
    }
}

fn by_port(flow: Flow) -> Flow {
    let (originator, responder) = (flow.originator.port, flow.responder.port);
    match (originator >= EPHEMERAL, responder >= EPHEMERAL) {
        (true, false) => Flow { direction: DirectionEvidence::EphemeralRange, ..flow },
        (false, true) => turned(flow, DirectionEvidence::EphemeralRange),
        _ if originator.cmp(&responder) == Ordering::Less => turned(flow, DirectionEvidence::LowerPort),
        _ => Flow { direction: DirectionEvidence::LowerPort, ..flow },
    }
}

fn turned(mut flow: Flow, direction: DirectionEvidence) -> Flow {
    std::mem::swap(&mut flow.originator, &mut flow.responder);
    flow.direction = direction;
    flow
}

fn listens(inventory: &Inventory, flow: &Flow, endpoint: Endpoint, at: Timestamp) -> bool {
    inventory.service_call(endpoint.address, flow.protocol, endpoint.port).is_some()
        || inventory.declares(endpoint.address, flow.protocol, endpoint.port, at)
}
