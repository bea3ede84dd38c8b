//! NatCorrelation of one connection: before and after a Service's address was translated.
//!
//! A capture on a node sees a call to a Service twice: to the Service's address as the caller sent it, and to a pod's as it
//! was delivered (DNAT), perhaps from a node's address (SNAT). Both are one connection.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::inventory::{Backend, Identity, Inventory, ServiceCall};
use crate::model::{Endpoint, Flow, Outcome, Protocol, SeededSet, Span, Timestamp};

use super::identified::Identified;

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
    pub(super) known: Identified,
    /// Who really opened it, where the delivered view shows a node's address instead.
    pub(super) hidden_originator: Option<Endpoint>,
    /// What was called, if not the pod itself.
    pub(super) call: Option<Call>,
    /// Where the call may have been delivered, if no tap saw it delivered.
    pub(super) backends: Option<Arc<BTreeSet<Backend>>>,
    /// Whether it counts as answered although one side only was seen.
    pub(super) is_one_sided: bool,
}

/// Joins views that come together, or in two batches that follow one another: views see the same packets, so they end at nearly
/// the same time, but one may be handed on just before the other.
#[derive(Debug, Default)]
pub(super) struct NatCorrelation {
    /// Flows of the last batch that had nothing to do with any other of it or of the batch before,
    alone: Vec<Identified>,
    /// and those that had, and still found no other view of theirs.
    waiting: Vec<Identified>,
    /// How many were found to be another view of a connection, and are no connection of their own.
    merged: u64,
}

impl NatCorrelation {
    /// Takes in the next flows, whose roles are settled; gives out the connections that wait for no other view.
    pub(super) fn join(&mut self, mut flows: Vec<Identified>, inventory: &Inventory) -> Joined {
        let mut alone = std::mem::take(&mut self.alone);
        alone.append(&mut self.waiting);
        let related = Related::new(&flows, &alone, inventory);
        // Most have nothing to do with any other, and take no part in the rest.
        let new = flows.extract_if(.., |known| related.has(known, inventory)).map(|known| (known, true));
        let mut others: Vec<(Identified, bool)> = new.collect();
        others.extend(alone.extract_if(.., |known| related.has(known, inventory)).map(|known| (known, false)));
        others.sort_unstable_by(|(one, is_new), (other, is_other_new)| (&one.flow, is_new).cmp(&(&other.flow, is_other_new)));
        self.alone = flows;
        Joined { connections: self.join_related(others, inventory), alone }
    }

    fn join_related(&mut self, flows: Vec<(Identified, bool)>, inventory: &Inventory) -> Vec<Connection> {
        let mut delivered = Vec::new();
        let mut called = Vec::new();
        let mut cache = Backends::default();
        for (known, is_new) in flows {
            match translated(&known, inventory, &mut cache) {
                Some((call, backends)) => called.push((known, is_new, call, backends)),
                None => delivered.push(View { known, is_new, is_joined: false, hidden_originator: None, call: None }),
            }
        }
        let index = Index::new(&delivered, !called.is_empty());
        let mut connections = Vec::new();
        for (known, is_new, call, backends) in called {
            let is_view = |&position: &usize| is_same(&known.flow, &delivered[position].known, &backends);
            // Without numbers, one that came to the same is nearer.
            let comes_to_same = |&position: &usize| {
                let outcome = delivered[position].known.flow.outcome;
                (outcome == Outcome::Answered) == (known.flow.outcome == Outcome::Answered)
            };
            let views = || index.candidates(&known.flow).filter(is_view);
            match views().find(comes_to_same).or_else(|| views().next()) {
                Some(position) => {
                    self.merged += 1;
                    delivered[position].take_in_call(&known, call, inventory);
                }
                None if is_new => self.waiting.push(known),
                None => {
                    let backends = Some(backends);
                    connections.push(Connection { call: Some(call), backends, ..Connection::alone(known) });
                }
            }
        }
        let is_superseded = supersede(&mut delivered, &index, inventory);
        for (view, is_superseded) in delivered.into_iter().zip(is_superseded) {
            let View { known, is_new, is_joined, hidden_originator, call } = view;
            if is_superseded {
                self.merged += 1;
            } else if is_new && !is_joined {
                self.waiting.push(known);
            } else {
                connections.push(Connection { hidden_originator, call, ..Connection::alone(known) });
            }
        }
        connections
    }

    /// How many flows were another view of a connection so far.
    pub(super) const fn merged(&self) -> u64 {
        self.merged
    }

    /// The connections that still wait, now that nothing more comes.
    pub(super) fn finish(&mut self, inventory: &Inventory) -> Joined {
        // What had nothing to do with all others has nothing to do with some of them.
        let mut alone = std::mem::take(&mut self.alone);
        let mut last = self.join(Vec::new(), inventory);
        alone.append(&mut last.alone);
        Joined { alone, ..last }
    }
}

/// What became of flows.
pub(super) struct Joined {
    pub(super) connections: Vec<Connection>,
    /// Connections that have one view, as delivered.
    pub(super) alone: Vec<Identified>,
}

/// What flows that may be views of one connection have in common.
struct Related {
    /// Numbers of openings that there are more than once, of whatever protocol. Sorted.
    openings: Vec<u32>,
    /// Who called a Service's address.
    callers: SeededSet<(Protocol, Endpoint)>,
}

impl Related {
    fn new(flows: &[Identified], others: &[Identified], inventory: &Inventory) -> Self {
        let all = || flows.iter().chain(others);
        let mut openings: Vec<u32> = all().filter_map(|known| known.flow.opening).collect();
        openings.sort_unstable();
        let repeated = openings.chunk_by(|one, other| one == other).filter(|same| same.len() > 1);
        let openings = repeated.map(|same| same[0]).collect();
        let calls = all().filter(|known| known.is_translated(inventory)).map(|known| &known.flow);
        let callers = calls.map(|flow| (flow.protocol, flow.originator)).collect();
        Self { openings, callers }
    }

    fn has(&self, known: &Identified, inventory: &Inventory) -> bool {
        let flow = &known.flow;
        known.is_translated(inventory)
            || !self.callers.is_empty() && self.callers.contains(&(flow.protocol, flow.originator))
            || !self.openings.is_empty() && flow.opening.is_some_and(|opening| self.openings.binary_search(&opening).is_ok())
    }
}

/// A flow as delivered, as far as is known yet.
struct View {
    known: Identified,
    /// Whether it came with this batch; the other views of older ones have had their time.
    is_new: bool,
    is_joined: bool,
    hidden_originator: Option<Endpoint>,
    call: Option<Call>,
}

impl View {
    fn take_in(&mut self, other: &Flow, inventory: &Inventory) {
        self.is_joined = true;
        self.known.merge(other, inventory);
    }

    fn take_in_call(&mut self, called: &Identified, call: Call, inventory: &Inventory) {
        let is_translated = self.known.flow.originator.address != called.flow.originator.address;
        let knows_better = !matches!(called.originator, Identity::Node(_));
        if is_translated && knows_better {
            self.hidden_originator = Some(called.flow.originator);
        }
        self.call = Some(self.call.map_or(call, |known| known.min(call)));
        self.take_in(&called.flow, inventory);
    }
}

/// Which of these flows are calls to a Service that the inventory does not know, and were seen delivered as well: the same
/// originator opened both at the same time with the same initial sequence number, but only the other leads to a pod or a node.
/// Wrong for a program that opens all its connections from one port with one number, which no TCP stack does (RFC 6528).
fn supersede(views: &mut [View], index: &Index, inventory: &Inventory) -> Vec<bool> {
    let mut is_superseded = vec![false; views.len()];
    for (position, same) in index.same_openings() {
        let known = &views[position].known;
        let Some(standing_of_known) = standing(known) else { continue };
        let flow = &known.flow;
        let is_delivered = |&other: &usize| {
            let other = &views[other].known;
            other.flow.originator == flow.originator
                && other.flow.span.first().since(flow.span.first()).abs() <= SKEW
                && agrees(flow, &other.flow)
                && standing(other) > Some(standing_of_known)
        };
        // Of several (load balancer, node port, pod) the last on the way.
        let delivered = positions_of(same).filter(is_delivered).max_by_key(|&other| standing(&views[other].known));
        if let Some(delivered) = delivered {
            let flow = flow.clone();
            views[delivered].take_in(&flow, inventory);
            is_superseded[position] = true;
        }
    }
    is_superseded
}

/// How far on its way a connection is at its responder: anything may be translated to a node's address or a pod's, and a
/// node's to a pod's.
fn standing(known: &Identified) -> Option<u8> {
    known.flow.opening?;
    match known.responder {
        Identity::Service(_) | Identity::UnknownInCluster | Identity::Outside => Some(0),
        Identity::Node(_) => Some(1),
        Identity::Pod(_) => Some(2),
        _ => None,
    }
}

/// What the flow's responder address stands for and where that leads; nothing if it is the end of the way itself.
fn translated(known: &Identified, inventory: &Inventory, cache: &mut Backends) -> Option<(Call, Arc<BTreeSet<Backend>>)> {
    if matches!(known.responder, Identity::Pod(_)) {
        return None;
    }
    let flow = &known.flow;
    let Endpoint { address, port } = flow.responder;
    let at = flow.span.first();
    if let Some(call) = inventory.service_call(address, flow.protocol, port) {
        return Some((Call::Service(call), cache.of(inventory, call, at)));
    }
    let (pod, port) = inventory.host_port(address, flow.protocol, port, at)?;
    let same_family = |own: &&IpAddr| own.is_ipv4() == address.is_ipv4();
    let backends = inventory.pod(pod).addresses.iter().filter(same_family).map(|&address| Backend { address, port }).collect();
    Some((Call::HostPort, Arc::new(backends)))
}

/// Whether the view of a call and a delivered view are one connection. The delivered one must lead to one of the Service's
/// backends; equal initial sequence numbers alone prove nothing (forged and replayed traffic repeats them).
fn is_same(view: &Flow, known: &Identified, backends: &BTreeSet<Backend>) -> bool {
    let delivered = &known.flow;
    let Endpoint { address, port } = delivered.responder;
    if !backends.contains(&Backend { address, port }) {
        return false;
    }
    let has_same_originator = view.originator == delivered.originator;
    match (view.opening, delivered.opening) {
        (Some(one), Some(other)) => {
            let is_near = view.span.first().since(delivered.span.first()).abs() <= SKEW;
            let is_masqueraded = matches!(known.originator, Identity::Node(_));
            one == other && is_near && (has_same_originator || is_masqueraded) && agrees(view, delivered)
        }
        _ => has_same_originator && overlap(view.span, delivered.span),
    }
}

/// Whether what came of two flows with the same opening does not contradict that they are one connection. The responder's number is
/// the same in all views, so where both have it, it decides. A view of nothing but the opening is no view of a connection that was
/// answered: anyone can send a second opening with the same port and number to somebody else.
fn agrees(one: &Flow, other: &Flow) -> bool {
    let failed = |flow: &Flow| matches!(flow.outcome, Outcome::Unanswered | Outcome::Refused);
    match (one.answer, other.answer) {
        (Some(one), Some(other)) => one == other,
        _ => failed(one) == failed(other),
    }
}

fn overlap(one: Span, other: Span) -> bool {
    one.first().since(other.last()) <= SKEW && other.first().since(one.last()) <= SKEW
}

/// An opening, and the view that has it.
type Opened = ((Protocol, u32), u32);

/// Delivered views by what another view shares with them. Sorted, since there may be a million.
struct Index {
    by_opening: Vec<Opened>,
    by_originator: Vec<((Protocol, Endpoint), u32)>,
}

impl Index {
    /// Repeated numbers in forged traffic must not make the search quadratic.
    const SAME_OPENING: usize = 64;

    /// Without calls, nobody asks for originators.
    fn new(delivered: &[View], has_calls: bool) -> Self {
        let flows = || delivered.iter().map(|view| &view.known.flow).zip(0..);
        let opened = flows().filter_map(|(flow, position)| Some(((flow.protocol, flow.opening?), position)));
        let mut by_opening: Vec<_> = opened.collect();
        let flows = flows().filter(|_| has_calls);
        let mut by_originator: Vec<_> = flows.map(|(flow, position)| ((flow.protocol, flow.originator), position)).collect();
        by_opening.sort_unstable();
        by_originator.sort_unstable();
        Self { by_opening, by_originator }
    }

    /// The views that share their opening with others, each with all that do.
    fn same_openings(&self) -> impl Iterator<Item = (usize, &[Opened])> {
        let same = self.by_opening.chunk_by(|(one, _), (other, _)| one == other);
        let same = same.filter(|same| (2..=Self::SAME_OPENING).contains(&same.len()));
        same.flat_map(|same| positions_of(same).map(move |position| (position, same)))
    }

    fn candidates(&self, view: &Flow) -> impl Iterator<Item = usize> + '_ {
        let same_originator = positions(&self.by_originator, (view.protocol, view.originator));
        positions_of(same_originator).chain(self.same_opening(view))
    }

    fn same_opening(&self, view: &Flow) -> impl Iterator<Item = usize> + '_ {
        let same = view.opening.map(|opening| positions(&self.by_opening, (view.protocol, opening)));
        positions_of(same.filter(|same| same.len() <= Self::SAME_OPENING).unwrap_or_default())
    }
}

fn positions<K: Ord + Copy>(entries: &[(K, u32)], key: K) -> &[(K, u32)] {
    let from = entries.partition_point(|(known, _)| *known < key);
    let length = entries[from..].partition_point(|(known, _)| *known == key);
    &entries[from..from + length]
}

fn positions_of<K>(entries: &[(K, u32)]) -> impl Iterator<Item = usize> + '_ {
    entries.iter().map(|(_, position)| *position as usize)
}

/// Backends by call and time, because asking is dear and calls are many.
#[derive(Default)]
struct Backends(BTreeMap<(ServiceCall, usize), Arc<BTreeSet<Backend>>>);

impl Backends {
    fn of(&mut self, inventory: &Inventory, call: ServiceCall, at: Timestamp) -> Arc<BTreeSet<Backend>> {
        let known = self.0.entry((call, inventory.moment(at))).or_insert_with(|| Arc::new(inventory.backends(call, at)));
        Arc::clone(known)
    }
}

impl Connection {
    /// One of which there is one view, as delivered.
    pub(super) const fn alone(known: Identified) -> Self {
        Self { known, hidden_originator: None, call: None, backends: None, is_one_sided: false }
    }

    /// Whether anything came of it.
    pub(super) const fn is_answered(&self) -> bool {
        matches!(self.known.flow.outcome, Outcome::Answered)
    }
}
