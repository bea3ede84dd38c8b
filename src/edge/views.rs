//! Views of one connection: before and after a Service's address was translated.
//!
//! A capture on a node sees a call to a Service twice: to the Service's address as the caller sent it, and to a pod's as it
//! was delivered (DNAT), perhaps from a node's address (SNAT). Both are one connection.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use crate::inventory::{Backend, Identity, Inventory, ServiceCall};
use crate::model::{Endpoint, Flow, Outcome, Protocol, Span, Timestamp};

/// How far apart (nanoseconds) two taps may see the same packet: delay and clocks of nodes.
const SKEW: i64 = 5_000_000_000;

/// What was called instead of the pod that answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Call {
    /// A Service, by one of its addresses.
    Service(ServiceCall),
    /// A port of a node that it forwards to a pod of its own (`hostPort`).
    HostPort,
}

/// One connection, all its views joined.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    /// The flow as delivered; where no tap saw that, as called.
    pub(super) flow: Flow,
    /// Who really opened it, where the delivered view shows a node's address instead.
    pub(super) hidden_originator: Option<Endpoint>,
    /// What was called, if not the pod itself.
    pub(super) call: Option<Call>,
    /// Where the call may have been delivered, if no tap saw it delivered.
    pub(super) backends: Option<BTreeSet<Backend>>,
}

/// Joins the views among these flows, whose roles are settled.
pub(super) fn join(mut flows: Vec<Flow>, inventory: &Inventory) -> Vec<Connection> {
    flows.sort();
    let mut delivered = Vec::new();
    let mut called = Vec::new();
    let mut cache = Backends::default();
    for flow in flows {
        match translated(&flow, inventory, &mut cache) {
            Some((call, backends)) => called.push((flow, call, backends)),
            None => delivered.push(Connection { flow, hidden_originator: None, call: None, backends: None }),
        }
    }
    let index = Index::new(&delivered);
    let mut unjoined = Vec::new();
    for (view, call, backends) in called {
        let found = index.candidates(&view).find(|&position| is_same(&view, &delivered[position].flow, &backends, inventory));
        if let Some(connection) = found.and_then(|position| delivered.get_mut(position)) {
            let is_translated = connection.flow.originator.address != view.originator.address;
            let knows_better = !matches!(inventory.identify(view.originator.address, view.span.first()), Identity::Node(_));
            if is_translated && knows_better {
                connection.hidden_originator = Some(view.originator);
            }
            connection.call = Some(connection.call.map_or(call, |known| known.min(call)));
            connection.flow.outcome = connection.flow.outcome.max(view.outcome);
            connection.flow.direction = connection.flow.direction.max(view.direction);
            connection.flow.span = connection.flow.span.merge(view.span);
        } else {
            unjoined.push((view, call, backends));
        }
    }
    delivered.extend(unjoined.into_iter().map(|(flow, call, backends)| Connection {
        flow,
        hidden_originator: None,
        call: Some(call),
        backends: Some(backends),
    }));
    delivered
}

/// What the flow's responder address stands for and where that leads; nothing if it is the end of the way itself.
fn translated(flow: &Flow, inventory: &Inventory, cache: &mut Backends) -> Option<(Call, BTreeSet<Backend>)> {
    let Endpoint { address, port } = flow.responder;
    let at = flow.span.first();
    if matches!(inventory.identify(address, at), Identity::Pod(_)) {
        return None;
    }
    if let Some(call) = inventory.service_call(address, flow.protocol, port) {
        return Some((Call::Service(call), cache.of(inventory, call, at)));
    }
    let (pod, port) = inventory.host_port(address, flow.protocol, port, at)?;
    let same_family = |own: &&IpAddr| own.is_ipv4() == address.is_ipv4();
    let backends = inventory.pod(pod).addresses.iter().filter(same_family).map(|&address| Backend { address, port }).collect();
    Some((Call::HostPort, backends))
}

/// Whether the view of a call and a delivered view are one connection. The delivered one must lead to one of the Service's
/// backends; equal initial sequence numbers alone prove nothing (forged and replayed traffic repeats them).
fn is_same(view: &Flow, delivered: &Flow, backends: &BTreeSet<Backend>, inventory: &Inventory) -> bool {
    let Endpoint { address, port } = delivered.responder;
    if !backends.contains(&Backend { address, port }) {
        return false;
    }
    let has_same_originator = view.originator == delivered.originator;
    match (view.opening, delivered.opening) {
        (Some(one), Some(other)) => {
            let is_near = view.span.first().since(delivered.span.first()).abs() <= SKEW;
            let is_masqueraded =
                || matches!(inventory.identify(delivered.originator.address, delivered.span.first()), Identity::Node(_));
            one == other && is_near && (has_same_originator || is_masqueraded())
        }
        _ => has_same_originator && overlap(view.span, delivered.span),
    }
}

fn overlap(one: Span, other: Span) -> bool {
    one.first().since(other.last()) <= SKEW && other.first().since(one.last()) <= SKEW
}

/// Delivered views by what a view of the call shares with them.
struct Index {
    by_opening: HashMap<(Protocol, u32), Vec<usize>>,
    by_originator: HashMap<(Protocol, Endpoint), Vec<usize>>,
}

impl Index {
    fn new(delivered: &[Connection]) -> Self {
        let mut by_opening: HashMap<_, Vec<usize>> = HashMap::new();
        let mut by_originator: HashMap<_, Vec<usize>> = HashMap::new();
        for (position, Connection { flow, .. }) in delivered.iter().enumerate() {
            if let Some(opening) = flow.opening {
                by_opening.entry((flow.protocol, opening)).or_default().push(position);
            }
            by_originator.entry((flow.protocol, flow.originator)).or_default().push(position);
        }
        Self { by_opening, by_originator }
    }

    fn candidates(&self, view: &Flow) -> impl Iterator<Item = usize> + '_ {
        let same_originator = self.by_originator.get(&(view.protocol, view.originator));
        let same_opening = view.opening.and_then(|opening| self.by_opening.get(&(view.protocol, opening)));
        // Repeated numbers in forged traffic must not make this quadratic.
        let same_opening = same_opening.filter(|positions| positions.len() <= 64);
        [same_originator, same_opening].into_iter().flatten().flatten().copied()
    }
}

/// Backends by call and second, because asking is dear and calls are many.
#[derive(Default)]
struct Backends(BTreeMap<(ServiceCall, i64), BTreeSet<Backend>>);

impl Backends {
    fn of(&mut self, inventory: &Inventory, call: ServiceCall, at: Timestamp) -> BTreeSet<Backend> {
        let second = at.0.div_euclid(1_000_000_000);
        self.0.entry((call, second)).or_insert_with(|| inventory.backends(call, at)).clone()
    }
}

impl Connection {
    /// Whether anything came of it.
    pub(super) const fn is_answered(&self) -> bool {
        matches!(self.flow.outcome, Outcome::Answered)
    }
}
