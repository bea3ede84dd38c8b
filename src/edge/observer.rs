//! Folds connections into edges, and what cannot be one into findings.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::sync::Arc;

use crate::flow::{Floods, Names, Sightings};
use crate::inventory::{Inventory, NodeId, PodId, WorkloadId};
use crate::model::{
    Code, DirectionEvidence, Edge, Endpoint, Evidence, Findings, Flow, Outcome, Party, Protocol, Span, Timestamp, WorkloadName,
};

use super::answered::Answered;
use super::arrivals::Arrivals;
use super::book::NameBook;
use super::contradictions::{self, Guesses};
use super::failures::{Attempt, Failures, Vain};
use super::handover::PassedOn;
use super::identified::Identified;
use super::ledger::{Group, Ledger};
use super::link::{Link, Side};
use super::place::Place;
use super::portless;
use super::ports::{DynamicPorts, take_dynamic};
use super::proxies;
use super::repeated::{OwnNode, Repeated, Tried, Tries, Who};
use super::roles;
use super::tenants::Tenants;
use super::views::{Call, Connection, Joined, Views};
use one_way::OneWay;

mod one_way;

/// What was observed, in terms of the cluster.
#[derive(Clone, Debug, Default)]
pub struct Observation {
    /// Who must be able to talk to whom, and why.
    pub edges: BTreeMap<Edge, Evidence>,
    /// Connections to ports picked at run time; not among the edges.
    pub dynamic: Vec<DynamicPorts>,
    /// Workloads that took part in an answered connection.
    pub active: BTreeSet<WorkloadId>,
    /// Pods that sent or answered anything, their own node included.
    pub seen: BTreeSet<PodId>,
    /// Ports at which workloads answered pods' own nodes (probes), which makes no edges.
    pub answered_own_node: BTreeSet<(WorkloadId, Protocol, u16)>,
    /// What parties tried in vain, but for outside addresses that they had asked for by name.
    pub in_vain: BTreeMap<Party, Vain>,
    /// The addresses to which names led that pods of each workload asked for; none for a workload whose name resolution was not seen.
    pub asked: BTreeMap<WorkloadId, BTreeSet<IpAddr>>,
    /// Flows by outcome.
    pub flows: BTreeMap<&'static str, u64>,
    /// From the first to the last flow.
    pub span: Option<Span>,
    /// When the answered connections of the edges began. One that may have gone to several workloads behind a Service counts once
    /// for each, as it does in their evidence.
    pub arrivals: Arrivals,
    /// Connections on edges that were too many to be kept; `arrivals` has them, `edges` has not.
    pub left_out: u64,
    /// What is to be said beside the edges.
    pub findings: Findings,
}

/// Takes in flows, gives out an [`Observation`].
#[derive(Debug)]
pub struct Observer<'a> {
    inventory: &'a Inventory,
    /// Of each workload, the number of its namespace among the arrivals.
    namespaces: Vec<u32>,
    /// Of each Service, its name.
    services: Vec<Arc<str>>,
    tenants: Tenants,
    views: Views,
    /// The names asked for up to the last flows.
    book: NameBook,
    edges: Ledger<Evidence>,
    one_way: Ledger<OneWay>,
    guesses: Guesses,
    /// Attempts that are not among the failures yet.
    tried: Repeated<Tried, Tries>,
    failures: Failures,
    /// What is not among the findings yet.
    own_node: Repeated<OwnNode, u64>,
    /// What one of two pods did, with what each of them would have done.
    passed_on: PassedOn,
    masked: BTreeMap<(NodeId, String, String), u64>,
    seen_through: BTreeSet<NodeId>,
    /// Of each workload and of each pod, as in an [`Observation`].
    active: Vec<bool>,
    seen: Vec<bool>,
    answered_own_node: BTreeSet<(WorkloadId, Protocol, u16)>,
    /// Scans that were too many attempts to be kept apart.
    scans: BTreeMap<Side, Vain>,
    asked: BTreeMap<WorkloadId, BTreeSet<IpAddr>>,
    answered: Answered,
    flows: BTreeMap<&'static str, u64>,
    span: Option<Span>,
    arrivals: Arrivals,
    left_out: u64,
    findings: Findings,
}

/// The outcomes that are counted, as [`kind`] numbers them.
const OUTCOMES: [&str; 5] = ["unanswered", "refused", "one-way", "mid-stream", "answered"];

impl<'a> Observer<'a> {
    /// An observer of the cluster that `inventory` describes, which keeps at most so many edges; of the others it only says
    /// whose they are.
    pub fn new(inventory: &'a Inventory, edges: usize) -> Self {
        let mut arrivals = Arrivals::default();
        let namespaces = inventory.workloads().iter().map(|workload| arrivals.namespace(&workload.name.namespace));
        Self {
            namespaces: namespaces.collect(),
            services: inventory
                .services()
                .iter()
                .map(|service| format!("{}/{}", service.namespace, service.name).into())
                .collect(),
            tenants: Tenants::new(inventory),
            inventory,
            views: Views::default(),
            book: NameBook::default(),
            edges: Ledger::new(edges),
            one_way: Ledger::new(edges),
            guesses: Guesses::default(),
            tried: Repeated::default(),
            failures: Failures::default(),
            own_node: Repeated::default(),
            passed_on: PassedOn::default(),
            masked: BTreeMap::new(),
            seen_through: BTreeSet::new(),
            active: vec![false; inventory.workloads().len()],
            seen: vec![false; inventory.pods().len()],
            answered_own_node: BTreeSet::new(),
            scans: BTreeMap::new(),
            asked: BTreeMap::new(),
            answered: Answered::default(),
            flows: BTreeMap::new(),
            span: None,
            arrivals,
            left_out: 0,
            findings: Findings::default(),
        }
    }

    /// Takes in finished flows; the order does not matter. The views of one connection may come in one call, or in two that
    /// follow one another.
    pub fn observe(&mut self, flows: Vec<Flow>, names: &Names) {
        self.book = NameBook::new(names, self.inventory);
        self.answered.add(&self.book, self.inventory);
        for (pod, address) in self.book.asked() {
            self.asked.entry(self.inventory.pod(pod).workload).or_default().insert(address);
        }
        let mut counts = [0; OUTCOMES.len()];
        for flow in &flows {
            counts[kind(flow)] += 1;
            self.span = Some(self.span.map_or(flow.span, |span| span.merge(flow.span)));
        }
        for (outcome, count) in OUTCOMES.into_iter().zip(counts).filter(|(_, count)| *count > 0) {
            *self.flows.entry(outcome).or_default() += count;
        }
        let flows = Identified::all(flows, self.inventory);
        let listeners = roles::Listeners::new(&flows, self.inventory);
        let settled = flows.into_iter().map(|flow| roles::settle(flow, self.inventory, &listeners, &self.book)).collect();
        let joined = self.views.join(settled, self.inventory);
        self.connections(joined);
    }

    fn connections(&mut self, joined: Joined) {
        let book = std::mem::take(&mut self.book);
        let alone = joined.alone.into_iter().map(Connection::alone);
        for connection in joined.connections.into_iter().chain(alone) {
            self.connection(&connection, &book);
        }
        self.book = book;
    }

    /// Takes in traffic without ports.
    pub fn sight(&mut self, sightings: &Sightings) {
        self.findings.merge(portless::findings(sightings, self.inventory));
    }

    /// Takes in attempts that were too many to be kept apart.
    pub fn flood(&mut self, floods: &Floods) {
        for (originator, responder, attempts, span) in floods.iter() {
            let name = |address: Option<IpAddr>| match address {
                Some(address) => Place::calling(address, span.first(), self.inventory).describe(self.inventory),
                None => "many addresses".to_owned(),
            };
            // At one other it may as well be a program that tries without end.
            if let (Some(address), None) = (originator, responder)
                && let Some(side) = Place::calling(address, span.first(), self.inventory).side(self.inventory)
            {
                let vain = Vain { targets: attempts, since: span.first() };
                self.scans.entry(side).and_modify(|known| known.merge(vain)).or_insert(vain);
            }
            let message = "attempts without an answer, too many to be kept apart";
            self.findings.add_many(Code::Flood, format!("{} -> {}", name(originator), name(responder)), message, attempts);
        }
    }

    /// What has been observed.
    pub fn conclude(mut self) -> Observation {
        let waiting = self.views.finish(self.inventory);
        self.connections(waiting);
        self.judge_one_way();
        self.tell_tried();
        self.tell_own_node();
        let inventory = self.inventory;
        let known = &self.edges;
        let mut in_vain = self.failures.in_vain(|link| known.contains(link));
        for (side, vain) in std::mem::take(&mut self.scans) {
            in_vain.entry(side).and_modify(|known| known.merge(vain)).or_insert(vain);
        }
        self.findings.merge(std::mem::take(&mut self.failures).findings(|link| known.contains(link)));
        self.findings.merge(std::mem::take(&mut self.passed_on).findings(|link| known.contains(link)));
        self.judge_masked();
        self.answered.note(&mut self.edges);
        let contradicted = std::mem::take(&mut self.guesses).contradicted(&self.edges, inventory);
        let edges = self.edges.take().into_iter().map(|(link, evidence)| (link.edge(inventory), evidence));
        let mut edges: BTreeMap<Edge, Evidence> = edges.collect();
        let mut arrivals = std::mem::take(&mut self.arrivals);
        let workloads = inventory.workloads().iter().zip(0..).map(|(workload, id)| (&*workload.name, WorkloadId(id)));
        let ids: BTreeMap<&WorkloadName, WorkloadId> = workloads.collect();
        let dynamic = take_dynamic(
            &mut edges,
            |edge| {
                let Party::Workload(name) = &edge.responder else { return false };
                ids.get(&**name).is_some_and(|&id| inventory.workload_declares(id, edge.protocol, edge.port.get()))
            },
            // Each was called once, so its evidence knows when.
            |edge, evidence| arrivals.remove(edge, evidence.span.first(), evidence.connections - evidence.one_way),
        );
        self.findings.merge(contradictions::findings(&edges, &contradicted));
        let numbered = |is_there: &[bool]| -> Vec<u32> { (0..).zip(is_there).filter(|(_, is)| **is).map(|(id, _)| id).collect() };
        let active: BTreeSet<WorkloadId> = numbered(&self.active).into_iter().map(WorkloadId).collect();
        self.findings.merge(proxies::findings(&edges, &active, &ids, inventory));
        Observation {
            edges,
            dynamic,
            active,
            seen: numbered(&self.seen).into_iter().map(PodId).collect(),
            answered_own_node: self.answered_own_node,
            in_vain: in_vain.into_iter().map(|(side, vain)| (side.party(inventory), vain)).collect(),
            asked: self.asked,
            flows: self.flows,
            span: self.span,
            arrivals,
            left_out: self.left_out,
            findings: self.findings,
        }
    }

    fn connection(&mut self, connection: &Connection, book: &NameBook) {
        let Connection { known, hidden_originator, call, backends } = connection;
        let Identified { flow, originator, responder, .. } = known;
        let at = flow.span.first();
        let delivered = Place::of(*originator, flow.originator.address);
        let originator = hidden_originator.map_or(delivered, |hidden| Place::calling(hidden.address, at, self.inventory));
        self.see(originator);
        if let (Some(backends), Some(call)) = (backends, call) {
            let responders: Vec<Endpoint> =
                backends.iter().map(|backend| Endpoint { address: backend.address, port: backend.port }).collect();
            self.called(connection, originator, *call, &responders, book);
            return;
        }
        let responder = Place::called_as(*responder, flow.responder, self.inventory);
        if connection.is_answered() {
            self.see(responder);
        }
        self.pair(connection, originator, responder, flow.responder.port, book);
        if hidden_originator.is_some() {
            // The responder's side sees the node that forwarded the call.
            self.pair(connection, delivered, responder, flow.responder.port, book);
        }
    }

    fn see(&mut self, place: Place) {
        if let Place::Pod(pod) = place {
            self.seen[pod.0 as usize] = true;
        }
    }

    fn activate(&mut self, sides: [Side; 2]) {
        for workload in sides.into_iter().filter_map(Side::workload) {
            self.active[workload.0 as usize] = true;
        }
    }

    /// A call to a Service whose delivery was not captured: every backend may have been meant.
    fn called(&mut self, connection: &Connection, originator: Place, call: Call, backends: &[Endpoint], book: &NameBook) {
        let inventory = self.inventory;
        let flow = &connection.known.flow;
        let at = flow.span.first();
        // Once for each workload behind the Service, not once for each of its pods.
        let mut others: Vec<(Who, Place, u16)> = Vec::new();
        let (mut is_empty, mut has_pod) = (true, originator.pod().is_some());
        for backend in backends {
            let place = Place::called(*backend, at, inventory);
            is_empty = false;
            has_pod |= place.pod().is_some();
            let who = Who::at(place, inventory);
            if place != originator && !others.iter().any(|(known, _, port)| (*known, *port) == (who, backend.port)) {
                others.push((who, place, backend.port));
            }
        }
        if !connection.is_answered() && !matches!(flow.outcome, Outcome::OneWay { .. }) {
            if has_pod {
                let Flow { protocol, outcome, responder: Endpoint { port, .. }, .. } = *flow;
                let links = others.iter().filter_map(|&(_, place, port)| self.link(protocol, originator, place, port));
                let links: Vec<Link> = links.collect();
                let tried = Tried { from: Who::at(originator, inventory), to: Who::called(call), protocol, port, outcome };
                self.try_in_vain(tried, at, originator.side(inventory), links.into_iter());
            }
            return;
        }
        if is_empty {
            let message = format!("called by {}", originator.describe(inventory));
            self.findings.add(Code::ServiceWithoutBackends, Who::called(call).describe(inventory), message);
            return;
        }
        if others.is_empty() {
            let message = format!("called itself through {}", Who::called(call).describe(inventory));
            self.findings.add(Code::Hairpin, originator.describe(inventory), message);
            return;
        }
        let is_one = others.iter().all(|(who, ..)| *who == others[0].0);
        let workloads = || others.iter().map(|(who, ..)| who.describe(inventory)).collect::<BTreeSet<_>>();
        if !is_one
            && others.iter().all(|(_, place, _)| place.pod().is_some())
            && let workloads = workloads()
            && workloads.len() > 1
        {
            let names: Vec<&str> = workloads.iter().map(String::as_str).collect();
            let subject = format!("{} -> {}", originator.describe(inventory), Who::called(call).describe(inventory));
            self.findings.add(Code::ServiceBackendNotSeen, subject, format!("may have reached any of {}", names.join(", ")));
        }
        for (_, place, port) in others {
            self.pair(connection, originator, place, port, book);
        }
    }

    fn try_in_vain(&mut self, tried: Tried, at: Timestamp, originator: Option<Side>, links: impl Iterator<Item = Link>) {
        self.tried.get(tried, || Tries::none(at)).add(at, originator, links);
        if self.tried.is_full() {
            self.tell_tried();
        }
    }

    fn tell_tried(&mut self) {
        for (Tried { from, to, protocol, port, outcome }, Tries { count, since, originator, links }) in self.tried.take() {
            let (from, to) = (from.describe(self.inventory), to.describe(self.inventory));
            self.failures.add(Attempt { count, since, from, originator, to, protocol, port, outcome, links });
        }
    }

    fn tell_own_node(&mut self) {
        for (OwnNode { from, to, protocol, port, outcome }, count) in self.own_node.take() {
            let subject = format!("{} -> {}", from.describe(self.inventory), to.describe(self.inventory));
            self.findings.add_many(Code::OwnNodeTraffic, subject, format!("{protocol} {port} ({outcome})"), count);
        }
    }

    fn pair(&mut self, connection: &Connection, from: Place, to: Place, port: u16, book: &NameBook) {
        let inventory = self.inventory;
        let Flow { outcome, protocol, span, .. } = connection.known.flow;
        let at = span.first();
        if from == Place::Nowhere || to == Place::Nowhere {
            return;
        }
        if from.pod().is_some() && from == to {
            if connection.call.is_some() && connection.is_answered() {
                self.findings.add(Code::Hairpin, from.describe(inventory), "called itself through an address that is translated");
            }
            return;
        }
        for (unknown, other, did) in [(from, to, "called"), (to, from, "was called by")] {
            if let Place::Unknown(address) = unknown {
                let message = format!("{did} {} on {protocol} {port} ({})", other.describe(inventory), outcome_name(outcome));
                let candidates = inventory.candidates(address, at);
                if candidates.is_empty() {
                    self.findings.add(Code::UnattributedAddress, self.tenants.describe(address, inventory), message);
                } else if !candidates.iter().all(|&pod| other.is_own_node_of(pod, inventory)) {
                    let links = candidates.iter().filter_map(|&pod| {
                        let (from, to) = if did == "called" { (Place::Pod(pod), other) } else { (other, Place::Pod(pod)) };
                        self.link(protocol, from, to, port)
                    });
                    let links: Vec<Link> = links.collect();
                    let names: Vec<String> = candidates.iter().map(|id| inventory.pod(*id).name.to_string()).collect();
                    self.passed_on.add(format!("{address} ({})", names.join(" or ")), message, links.into_iter());
                }
            }
        }
        let Some((pod, other)) = from.pod().map(|pod| (pod, to)).or_else(|| to.pod().map(|pod| (pod, from))) else {
            return;
        };
        // What a pod sends to its own node is filtered by most network plug-ins, although the API exempts it: it needs the rule that
        // any node needs. Link-local addresses are the exception, because they mean another machine to every caller.
        if other.is_own_node_of(pod, inventory) && (to.pod().is_some() || to == Place::OwnNode) {
            self.own_node(connection, from, to, port);
            return;
        }
        let Some(link) = self.link(protocol, from, to, port) else {
            return;
        };
        match outcome {
            Outcome::Unanswered | Outcome::Refused => {
                // Who scans does not ask for names, and of a name's addresses outside some may be out of reach (IPv6).
                let is_named = |address| from.pod().is_some_and(|pod| book.has_asked(pod, address));
                let is_looking = !matches!(to, Place::Outside(address) if is_named(address));
                let originator = is_looking.then_some(link.originator);
                let (from, to) = (Who::Side(link.originator), Who::Side(link.responder));
                self.try_in_vain(Tried { from, to, protocol, port, outcome }, at, originator, std::iter::once(link));
            }
            Outcome::OneWay { moments } => self.one_way(connection, link, moments, (from, book)),
            Outcome::Answered => {
                self.snat(connection, from, to, port);
                self.activate([link.originator, link.responder]);
                if let Some(reverse) = self.peer_link(connection, link) {
                    self.count(reverse, connection, from, book);
                }
                self.count(link, connection, from, book);
            }
        }
    }

    /// Counts an answered connection for an edge.
    fn count(&mut self, link: Link, connection: &Connection, from: Place, book: &NameBook) {
        let namespace = |side: Side| Some(self.namespaces[side.workload()?.0 as usize]);
        let sides = (namespace(link.originator), namespace(link.responder));
        let Flow { span, direction, originator, .. } = connection.known.flow;
        self.arrivals.count(sides, span.first());
        if direction.is_weak()
            && let Some(port) = NonZeroU16::new(originator.port)
        {
            self.guesses.add(link, Link { originator: link.responder, responder: link.originator, port, ..link });
        }
        let (mut evidence, name, service) = self.evidence(connection, from, book);
        if let Some(known) = self.edges.get_mut(link) {
            known.merge(evidence);
            known.call(name, service.as_ref());
        } else {
            evidence.call(name, service.as_ref());
            let evicted = self.edges.insert(link, evidence);
            self.leave_out(evicted);
        }
    }

    /// The edge the other way, where two peers talk from listener to listener (gossip, UDP 7946 on both sides): which of them
    /// speaks first is chance, and after a pause it is the other.
    fn peer_link(&self, connection: &Connection, link: Link) -> Option<Link> {
        let Flow { originator, responder, direction, protocol, .. } = connection.known.flow;
        let is_between_listeners = protocol == Protocol::Udp
            && originator.port == responder.port
            && direction < DirectionEvidence::DnsHeader
            && connection.call.is_none();
        let reverse = Link { originator: link.responder, responder: link.originator, ..link };
        let is_declared = |link: Link| link.is_declared(self.inventory);
        (is_between_listeners && is_declared(link) && is_declared(reverse)).then_some(reverse)
    }

    fn own_node(&mut self, connection: &Connection, from: Place, to: Place, port: u16) {
        let Flow { protocol, outcome, .. } = connection.known.flow;
        let [who_calls, who_is_called] = [from, to].map(|place| Who::at(place, self.inventory));
        let said = OwnNode { from: who_calls, to: who_is_called, protocol, port, outcome: outcome_name(outcome) };
        *self.own_node.get(said, || 0) += 1;
        if self.own_node.is_full() {
            self.tell_own_node();
        }
        if connection.is_answered() {
            self.answered_own_node.extend(to.pod().map(|pod| (self.inventory.pod(pod).workload, protocol, port)));
            self.snat(connection, from, to, port);
        }
    }

    /// Remembers that a node's address at an exposed port may hide who really called.
    fn snat(&mut self, connection: &Connection, from: Place, to: Place, port: u16) {
        let Place::Node(node, _) = from else { return };
        if connection.hidden_originator.is_some() {
            self.seen_through.insert(node);
            return;
        }
        let Some(pod) = to.pod() else { return };
        let protocol = connection.known.flow.protocol;
        if self.inventory.is_exposed(self.inventory.pod(pod).workload, protocol, port) {
            let caller = from.describe(self.inventory);
            let message = format!("is exposed on {protocol} {port} and was called from the address of {caller}");
            *self.masked.entry((node, to.describe(self.inventory), message)).or_default() += 1;
        }
    }

    /// A node of which some calls were seen before it put its own address on them was watched from outside: its other calls
    /// are its own (probes). Of other nodes that can't be told; wrong for the kubelet's own probes of an exposed port.
    fn judge_masked(&mut self) {
        for ((node, subject, message), count) in std::mem::take(&mut self.masked) {
            if !self.seen_through.contains(&node) {
                self.findings.add_many(Code::SnatHidesOriginator, subject, message, count);
            }
        }
    }

    /// Says whose edge was not kept.
    fn leave_out(&mut self, evicted: Option<(Link, Evidence)>) {
        let Some((link, evidence)) = evicted else { return };
        let edge = || link.edge(self.inventory).to_string();
        let subject = Group::of(link).map_or_else(edge, |(group, _)| group.describe(self.inventory));
        self.left_out += evidence.connections;
        self.findings.add_many(Code::TooManyEdges, subject, "connections have no rule", evidence.connections);
    }

    fn link(&self, protocol: Protocol, from: Place, to: Place, port: u16) -> Option<Link> {
        if from.pod().is_none() && to.pod().is_none() {
            return None;
        }
        let (originator, responder) = (from.side(self.inventory)?, to.side(self.inventory)?);
        Some(Link { originator, responder, protocol, port: NonZeroU16::new(port)? })
    }

    /// What one connection shows, by which name its originator had asked for the responder's address, and the Service it called.
    fn evidence<'b>(
        &self,
        connection: &Connection,
        from: Place,
        book: &'b NameBook,
    ) -> (Evidence, Option<&'b Arc<str>>, Option<Arc<str>>) {
        let flow = &connection.known.flow;
        let name = from.pod().and_then(|pod| book.name(pod, flow.responder.address, flow.span.first()));
        let service = match connection.call {
            Some(Call::Service(call)) => Some(Arc::clone(&self.services[call.service.0 as usize])),
            _ => None,
        };
        let evidence = Evidence {
            connections: 1,
            span: flow.span,
            direction: flow.direction,
            weakest: flow.direction,
            weak: u64::from(flow.direction.is_weak()),
            mid_stream: u64::from(flow.is_mid_stream()),
            one_way: u64::from(matches!(flow.outcome, Outcome::OneWay { .. })),
            called: None,
        };
        (evidence, name, service)
    }
}

/// Which of [`OUTCOMES`] it is.
fn kind(flow: &Flow) -> usize {
    match flow.outcome {
        Outcome::Unanswered => 0,
        Outcome::Refused => 1,
        Outcome::OneWay { .. } => 2,
        Outcome::Answered if flow.is_mid_stream() => 3,
        Outcome::Answered => 4,
    }
}

const fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Unanswered => "not answered",
        Outcome::Refused => "refused",
        Outcome::OneWay { .. } => "one-way",
        Outcome::Answered => "answered",
    }
}
