//! Who called whom, where the packets alone do not settle it.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use crate::inventory::{Identity, Inventory, WorkloadId};
use crate::model::{DirectionEvidence, Endpoint, Flow, Outcome, Protocol, Timestamp};

use super::book::NameBook;

/// The first port that Linux hands out to callers (`net.ipv4.ip_local_port_range`).
pub(super) const EPHEMERAL: u16 = 32768;

/// Ports in that range on which programs listen by custom all the same: gRPC, DB2 and Jenkins agents, MySQL X, ActiveMQ's
/// protocols, `MongoDB` beside another. Asked only between two ports of the range, of which nothing else is known.
const CUSTOMARY: [u16; 9] = [33060, 37017, 50000, 50051, 50052, 61613, 61614, 61616, 61617];

/// What the other flows tell of who listens: a port that accepted a connection elsewhere in the capture, or that several
/// callers hold connections to. By workload, so that one replica speaks for the others.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    proven: HashSet<(Owner, Protocol, u16)>,
    /// The first other end seen, or `None` when there were several.
    others: HashMap<(Owner, Protocol, u16), Option<Endpoint>>,
}

/// Whose port: all replicas of a workload together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Owner {
    Workload(WorkloadId),
    Address(IpAddr),
}

impl Owner {
    fn of(endpoint: Endpoint, at: Timestamp, inventory: &Inventory) -> Self {
        match inventory.identify(endpoint.address, at) {
            Identity::Pod(pod) => Self::Workload(inventory.pod(pod).workload),
            _ => Self::Address(endpoint.address),
        }
    }
}

impl Listeners {
    pub(super) fn new(flows: &[Flow], inventory: &Inventory) -> Self {
        let mut listeners = Self::default();
        for flow in flows.iter().filter(|flow| flow.outcome == Outcome::Answered) {
            let at = flow.span.first();
            let key = |end: Endpoint| (Owner::of(end, at, inventory), flow.protocol, end.port);
            if flow.direction >= DirectionEvidence::DnsHeader {
                listeners.proven.insert(key(flow.responder));
            } else if flow.protocol != Protocol::Udp && !is_translated(flow, inventory) {
                // A TCP socket that calls has one other end. Not so UDP, where one socket may call many.
                for (end, other) in [(flow.originator, flow.responder), (flow.responder, flow.originator)] {
                    let known = listeners.others.entry(key(end)).or_insert(Some(other));
                    if *known != Some(other) {
                        *known = None;
                    }
                }
            }
        }
        listeners
    }

    fn listens(&self, flow: &Flow, end: Endpoint, inventory: &Inventory) -> bool {
        let key = (Owner::of(end, flow.span.first(), inventory), flow.protocol, end.port);
        self.proven.contains(&key) || self.others.get(&key).is_some_and(Option::is_none)
    }
}

/// Whether a Service's address is an end of it: then the same connection is there a second time, as delivered.
fn is_translated(flow: &Flow, inventory: &Inventory) -> bool {
    let is_service = |end: Endpoint| inventory.service_call(end.address, flow.protocol, end.port).is_some();
    is_service(flow.originator) || is_service(flow.responder)
}

/// The flow with its roles as the declared listeners and the other flows have them, where the packets do not prove them.
pub(super) fn settle(flow: Flow, inventory: &Inventory, listeners: &Listeners, book: &NameBook) -> Flow {
    if flow.direction >= DirectionEvidence::DnsHeader {
        return flow;
    }
    let at = flow.span.first();
    let calls = listens(inventory, &flow, flow.responder, at);
    let is_called = listens(inventory, &flow, flow.originator, at);
    let is_high = |end: Endpoint| end.port >= EPHEMERAL;
    if flow.direction == DirectionEvidence::FirstPacket {
        // The first packet is believed unless it plainly is a reply: to an ephemeral port that nobody declares, from a declared
        // listener, or from below the ephemeral range in an exchange. Capturing then began between question and answer. Wrong
        // for a caller that binds a low port to call an undeclared high one.
        let is_exchange = flow.outcome == Outcome::Answered;
        let is_reply = !calls && is_high(flow.responder) && (is_called || is_exchange && !is_high(flow.originator));
        let evidence = if is_called { DirectionEvidence::DeclaredListener } else { DirectionEvidence::EphemeralRange };
        return if is_reply { turned(flow, evidence) } else { flow };
    }
    match (calls, is_called) {
        (true, false) => return Flow { direction: DirectionEvidence::DeclaredListener, ..flow },
        (false, true) => return turned(flow, DirectionEvidence::DeclaredListener),
        _ => {}
    }
    match (listeners.listens(&flow, flow.responder, inventory), listeners.listens(&flow, flow.originator, inventory)) {
        (true, false) => return Flow { direction: DirectionEvidence::OtherTraffic, ..flow },
        (false, true) => return turned(flow, DirectionEvidence::OtherTraffic),
        _ => {}
    }
    if is_high(flow.originator) != is_high(flow.responder) {
        return by_port(flow);
    }
    let has_asked = |caller: Endpoint, called: Endpoint| match inventory.identify(caller.address, at) {
        Identity::Pod(pod) => book.has_asked(pod, called.address),
        _ => false,
    };
    match (has_asked(flow.originator, flow.responder), has_asked(flow.responder, flow.originator)) {
        (true, false) => Flow { direction: DirectionEvidence::OtherTraffic, ..flow },
        (false, true) => turned(flow, DirectionEvidence::OtherTraffic),
        _ => by_port(flow),
    }
}

fn by_port(flow: Flow) -> Flow {
    let (originator, responder) = (flow.originator.port, flow.responder.port);
    let settled = |flow, direction| Flow { direction, ..flow };
    match (originator >= EPHEMERAL, responder >= EPHEMERAL) {
        (true, false) => return settled(flow, DirectionEvidence::EphemeralRange),
        (false, true) => return turned(flow, DirectionEvidence::EphemeralRange),
        _ => {}
    }
    match (CUSTOMARY.contains(&originator), CUSTOMARY.contains(&responder)) {
        (false, true) => settled(flow, DirectionEvidence::CustomaryPort),
        (true, false) => turned(flow, DirectionEvidence::CustomaryPort),
        _ if originator < responder => turned(flow, DirectionEvidence::LowerPort),
        _ => settled(flow, DirectionEvidence::LowerPort),
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
