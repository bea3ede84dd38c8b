//! Who called whom, where the packets alone do not settle it.

use std::net::IpAddr;

use crate::inventory::{Identity, Inventory, WorkloadId};
use crate::model::{Beginning, DirectionEvidence, Endpoint, Flow, Outcome, Protocol, SeededMap, SeededSet};

use super::dns_cache::NameBook;
use super::identified::Identified;

/// The first port that Linux hands out to callers (`net.ipv4.ip_local_port_range`).
pub(super) const EPHEMERAL: u16 = 32768;

/// Ports below are those of services by assignment (RFC 6335, section 6).
const SYSTEM: u16 = 1024;

/// Ports in that range on which programs listen by custom all the same: gRPC, DB2 and Jenkins agents, MySQL X, ActiveMQ's
/// protocols, `MongoDB` beside another. Asked only between two ports of the range, of which nothing else is known.
const CUSTOMARY: [u16; 9] = [33060, 37017, 50000, 50051, 50052, 61613, 61614, 61616, 61617];

/// What the other flows tell of who listens: a port that accepted a connection elsewhere in the capture, or that several
/// callers hold connections to. By workload, so that one replica speaks for the others.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    proven: SeededSet<(Owner, Protocol, u16)>,
    /// Who is proven to have called whom.
    calls: SeededSet<(Owner, Owner)>,
    /// The first other end seen, or `None` when there were several.
    others: SeededMap<(Owner, Protocol, u16), Option<Endpoint>>,
}

/// Whose port: all replicas of a workload together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Owner {
    Workload(WorkloadId),
    Address(IpAddr),
}

impl Owner {
    fn of(endpoint: Endpoint, identity: Identity, inventory: &Inventory) -> Self {
        match identity {
            Identity::Pod(pod) => Self::Workload(inventory.pod(pod).workload),
            _ => Self::Address(endpoint.address),
        }
    }
}

impl Listeners {
    pub(super) fn new(flows: &[Identified], inventory: &Inventory) -> Self {
        let mut listeners = Self::default();
        if !flows.iter().any(|known| is_open(&known.flow) || is_doubtful(&known.flow)) {
            return listeners;
        }
        for Identified { flow, originator, responder, .. } in flows.iter().filter(|known| known.flow.outcome == Outcome::Answered)
        {
            let key = |end, identity| (Owner::of(end, identity, inventory), flow.protocol, end.port);
            let is_declared = |end: Endpoint, identity| {
                inventory.declares_as(identity, end.address, flow.protocol, end.port, flow.span.first())
            };
            let is_proven = match flow.direction {
                DirectionEvidence::FirstPacket => {
                    flow.beginning == Beginning::Seen
                        || is_declared(flow.responder, *responder) && !is_declared(flow.originator, *originator)
                }
                direction => direction >= DirectionEvidence::DnsHeader,
            };
            if is_proven {
                listeners.proven.insert(key(flow.responder, *responder));
                let owner = |end: Endpoint, identity| Owner::of(end, identity, inventory);
                listeners.calls.insert((owner(flow.originator, *originator), owner(flow.responder, *responder)));
            } else if flow.protocol != Protocol::Udp && !is_translated(flow, inventory) {
                // A TCP socket that calls has one other end. Not so UDP, where one socket may call many.
                let ends = [(flow.originator, *originator, flow.responder), (flow.responder, *responder, flow.originator)];
                for (end, identity, other) in ends {
                    let known = listeners.others.entry(key(end, identity)).or_insert(Some(other));
                    if *known != Some(other) {
                        *known = None;
                    }
                }
            }
        }
        listeners
    }

    fn listens(&self, protocol: Protocol, end: Endpoint, identity: Identity, inventory: &Inventory) -> bool {
        let key = (Owner::of(end, identity, inventory), protocol, end.port);
        self.proven.contains(&key) || self.others.get(&key).is_some_and(Option::is_none)
    }

    /// Whether the first is proven to have called the second elsewhere, and never the other way round.
    fn calls(&self, client: (Endpoint, Identity), server: (Endpoint, Identity), inventory: &Inventory) -> bool {
        let [client, server] = [client, server].map(|(end, identity)| Owner::of(end, identity, inventory));
        self.calls.contains(&(client, server)) && !self.calls.contains(&(server, client))
    }
}

/// Whether it is not certain that the first packet is no reply, so that other flows may be asked.
fn is_doubtful(flow: &Flow) -> bool {
    flow.direction == DirectionEvidence::FirstPacket && flow.beginning < Beginning::Seen && flow.outcome == Outcome::Answered
}

/// Whether the packets say nothing of who called whom, so that other flows may be asked.
fn is_open(flow: &Flow) -> bool {
    flow.direction < DirectionEvidence::FirstPacket
}

/// Whether a Service's address is an end of it: then the same connection is there a second time, as delivered.
fn is_translated(flow: &Flow, inventory: &Inventory) -> bool {
    let is_service = |end: Endpoint| inventory.service_call(end.address, flow.protocol, end.port).is_some();
    is_service(flow.originator) || is_service(flow.responder)
}

/// The flow with its roles as the declared listeners and the other flows have them, where the packets do not prove them.
pub(super) fn settle(mut known: Identified, inventory: &Inventory, listeners: &Listeners, book: &NameBook) -> Identified {
    if known.flow.direction < DirectionEvidence::DnsHeader {
        assign(&mut known, inventory, listeners, book);
    }
    known
}

fn assign(known: &mut Identified, inventory: &Inventory, listeners: &Listeners, book: &NameBook) {
    let Identified { ref flow, originator, responder, .. } = *known;
    let declares =
        |end: Endpoint, identity| inventory.declares_as(identity, end.address, flow.protocol, end.port, flow.span.first());
    let calls = declares(flow.responder, responder);
    let is_called = declares(flow.originator, originator);
    let is_high = |end: Endpoint| end.port >= EPHEMERAL;
    if !is_open(flow) {
        if let Some(evidence) = reply(known, (calls, is_called), inventory, listeners) {
            known.flip_roles(evidence);
        }
        return;
    }
    match (calls, is_called) {
        (true, false) => return known.flow.direction = DirectionEvidence::DeclaredListener,
        (false, true) => return known.flip_roles(DirectionEvidence::DeclaredListener),
        _ => {}
    }
    let listens = |end, identity| listeners.listens(flow.protocol, end, identity, inventory);
    match (listens(flow.responder, responder), listens(flow.originator, originator)) {
        (true, false) => return known.flow.direction = DirectionEvidence::OtherTraffic,
        (false, true) => return known.flip_roles(DirectionEvidence::OtherTraffic),
        _ => {}
    }
    if is_high(flow.originator) != is_high(flow.responder) {
        return by_port(known);
    }
    let has_asked = |caller: Identity, called: Endpoint| match caller {
        Identity::Pod(pod) => book.has_asked(pod, called.address),
        _ => false,
    };
    match (has_asked(originator, flow.responder), has_asked(responder, flow.originator)) {
        (true, false) => known.flow.direction = DirectionEvidence::OtherTraffic,
        (false, true) => known.flip_roles(DirectionEvidence::OtherTraffic),
        _ => by_port(known),
    }
}

/// By what the first packet that was captured of a UDP conversation is a reply, if it is one.
///
/// A first packet that is known to be the beginning decides: whoever sends it needs the rule, for after a silence no connection
/// tracking takes it for a reply any more. Only where nobody answers it is a declared port stronger: then nothing shows that anyone
/// listens at the other. Where the capture may have begun between question and answer, the signs below decide, the strongest first.
/// Wrong for a server that calls a client's undeclared high port just after the capture began, and for a client below the ephemeral
/// range whose server has an undeclared high port and no other traffic.
fn reply(
    known: &Identified,
    (calls, is_called): (bool, bool),
    inventory: &Inventory,
    listeners: &Listeners,
) -> Option<DirectionEvidence> {
    let Identified { ref flow, originator, responder, .. } = *known;
    let is_exchange = flow.outcome == Outcome::Answered;
    let is_to_high = flow.responder.port >= EPHEMERAL;
    if calls || flow.beginning == Beginning::Seen && is_exchange {
        return None;
    }
    if is_called
        && (is_to_high || is_exchange && flow.beginning == Beginning::Unknown && flow.originator.port != flow.responder.port)
    {
        return Some(DirectionEvidence::DeclaredListener);
    }
    if !is_exchange {
        return None;
    }
    let ends = [(flow.originator, originator), (flow.responder, responder)];
    let [from_listener, to_listener] = ends.map(|(end, identity)| listeners.listens(flow.protocol, end, identity, inventory));
    if is_to_high && from_listener && !to_listener {
        return Some(DirectionEvidence::OtherTraffic);
    }
    let is_unknown = flow.beginning == Beginning::Unknown;
    if is_unknown && is_to_high && flow.originator.port >= EPHEMERAL {
        // Between two high ports, who else called whom.
        return listeners.calls(ends[1], ends[0], inventory).then_some(DirectionEvidence::OtherTraffic);
    }
    let is_service = flow.originator.port < SYSTEM || is_unknown && !listeners.calls(ends[0], ends[1], inventory);
    (is_to_high && flow.originator.port < EPHEMERAL && is_service).then_some(DirectionEvidence::EphemeralRange)
}

fn by_port(known: &mut Identified) {
    let (originator, responder) = (known.flow.originator.port, known.flow.responder.port);
    match (originator >= EPHEMERAL, responder >= EPHEMERAL) {
        (true, false) => return known.flow.direction = DirectionEvidence::EphemeralRange,
        (false, true) => return known.flip_roles(DirectionEvidence::EphemeralRange),
        _ => {}
    }
    match (CUSTOMARY.contains(&originator), CUSTOMARY.contains(&responder)) {
        (false, true) => known.flow.direction = DirectionEvidence::CustomaryPort,
        (true, false) => known.flip_roles(DirectionEvidence::CustomaryPort),
        _ if originator < responder => known.flip_roles(DirectionEvidence::LowerPort),
        _ => known.flow.direction = DirectionEvidence::LowerPort,
    }
}
