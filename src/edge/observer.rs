//! Folds connections into edges, and what cannot be one into findings.

mod conclude;
mod one_way;
mod sent;
mod service_call;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::sync::Arc;

use crate::flow::{Floods, Names, PortlessTraffic, PortlessTrafficTable};
use crate::inventory::{Identity, Inventory, NodeId, Pod, WorkloadId};
use crate::model::{Code, DirectionEvidence, Endpoint, Evidence, Findings, Flow, Outcome, Protocol, Span, Timestamp};

use super::address_history::AddressHistory;
use super::address_reuse::PassedOn;
use super::answered::Answered;
use super::bounded_edges::{BoundedEdges, Group, Kept};
use super::called_pods::CalledPods;
use super::classes::{FlowClass, FlowClasses, Share};
use super::contradictions::Guesses;
use super::direction;
use super::dns_cache::NameBook;
use super::failures::{Attempt, FailedAttempts, FailedTargets, Failure, Failures};
use super::identified::Identified;
use super::inputs::Inputs;
use super::link::{Link, Side};
use super::masked::Masked;
use super::nat_correlation::{Call, Connection, Joined, NatCorrelation};
use super::one_sided::OneSided;
use super::place::Place;
use super::portless;
use super::repeated::{OwnNode, Repeated, Tried, Tries, Who};
use super::senders::Senders;
use super::spoofed_answers::SpoofedAnswers;
use super::start_histogram::StartHistogram;
use super::tunnel_exchange;
use super::tunnels::ClusterTunnels;
use super::unattributed::Unknowns;
use one_way::OneWay;

/// Takes in flows, gives out an [`Observation`].
#[derive(Debug)]
pub struct Observer<'a> {
    inventory: &'a Inventory,
    tunnels: Option<Arc<ClusterTunnels>>,
    senders: Senders,
    spoofed_answers: SpoofedAnswers,
    /// Of each workload, the number of its namespace among the arrivals.
    namespaces: Vec<u32>,
    /// Of each Service, its name.
    services: Vec<Arc<str>>,
    tenants: AddressHistory,
    views: NatCorrelation,
    /// The names asked for up to the last flows.
    book: NameBook,
    edges: BoundedEdges<Kept>,
    one_way: BoundedEdges<OneWay>,
    guesses: Guesses,
    called_pods: CalledPods,
    /// Attempts that are not among the failures yet.
    tried: Repeated<Tried, Tries>,
    failures: Failures,
    /// Attempts that failed and are among the findings.
    failed: Vec<FailedAttempts>,
    /// What is not among the findings yet.
    own_node: Repeated<OwnNode, u64>,
    unattributed: Unknowns,
    /// What one of two pods did, with what each of them would have done.
    passed_on: PassedOn,
    masked: Masked,
    /// Of each workload and of each pod, as in an [`Observation`].
    active: Vec<bool>,
    seen: Vec<bool>,
    seen_nodes: BTreeSet<NodeId>,
    answered_own_node: BTreeSet<(WorkloadId, Protocol, u16)>,
    /// Scans that were too many attempts to be kept apart.
    scans: BTreeMap<Side, FailedTargets>,
    asked: BTreeMap<WorkloadId, BTreeSet<IpAddr>>,
    answered: Answered,
    flows: BTreeMap<&'static str, u64>,
    /// Conversations that are counted with no edge.
    classes: FlowClasses,
    span: Option<Span>,
    arrivals: StartHistogram,
    left_out: u64,
    one_sided: OneSided,
    inputs: Inputs,
    findings: Findings,
}

/// The outcome of attempts of which only their number is known.
const FLOOD: &str = "flood";
/// The outcomes that are counted, as [`kind`] numbers them.
const OUTCOMES: [&str; 7] = ["unanswered", "refused", "half-open", "one-sided", "one-way", "mid-stream", "answered"];

impl<'a> Observer<'a> {
    /// An observer of the cluster that `inventory` describes, which keeps at most so many edges; of the others it only says
    /// whose they are.
    pub fn new(inventory: &'a Inventory, edges: usize) -> Self {
        let mut arrivals = StartHistogram::default();
        let namespaces = inventory.workloads().iter().map(|workload| arrivals.namespace(&workload.name.namespace));
        Self {
            namespaces: namespaces.collect(),
            services: inventory
                .services()
                .iter()
                .map(|service| format!("{}/{}", service.namespace, service.name).into())
                .collect(),
            tenants: AddressHistory::new(inventory),
            inventory,
            tunnels: None,
            senders: Senders::default(),
            spoofed_answers: SpoofedAnswers::default(),
            views: NatCorrelation::default(),
            book: NameBook::default(),
            edges: BoundedEdges::new(edges),
            one_way: BoundedEdges::new(edges),
            guesses: Guesses::default(),
            called_pods: CalledPods::default(),
            tried: Repeated::default(),
            failures: Failures::default(),
            failed: Vec::new(),
            own_node: Repeated::default(),
            unattributed: Unknowns::default(),
            passed_on: PassedOn::default(),
            masked: Masked::default(),
            active: vec![false; inventory.workloads().len()],
            seen: vec![false; inventory.pods().len()],
            seen_nodes: BTreeSet::new(),
            answered_own_node: BTreeSet::new(),
            scans: BTreeMap::new(),
            asked: BTreeMap::new(),
            answered: Answered::default(),
            flows: BTreeMap::new(),
            classes: FlowClasses::default(),
            span: None,
            arrivals,
            left_out: 0,
            one_sided: OneSided::default(),
            inputs: Inputs::default(),
            findings: Findings::default(),
        }
    }

    /// Marks what came out of these tunnels, if nothing tells whether they are the cluster's.
    #[must_use]
    pub fn marking(self, tunnels: Arc<ClusterTunnels>) -> Self {
        Self { tunnels: Some(tunnels), ..self }
    }

    /// The same, which makes edges of connections of which one side only was seen, if that is wanted.
    #[must_use]
    pub fn accepting_one_way(mut self, is_wanted: bool) -> Self {
        self.one_sided.accepts(is_wanted);
        self
    }

    /// The same, which knows what the inputs are called.
    #[must_use]
    pub fn of_inputs(self, inputs: Vec<String>) -> Self {
        Self { inputs: Inputs::new(inputs), ..self }
    }

    /// Takes in finished flows; the order does not matter. The views of one connection may come in one call, or in two that
    /// follow one another.
    pub fn observe(&mut self, mut flows: Vec<Flow>, names: &Names) {
        self.book = NameBook::new(names, self.inventory, &self.spoofed_answers);
        self.book.note(self.inventory, &mut self.findings);
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
        if let Some(tunnels) = &self.tunnels {
            let joined = tunnel_exchange::join(&mut flows, tunnels.ports());
            self.classes.add(FlowClass::OtherView, joined);
        }
        let flows = Identified::all(flows, self.inventory);
        let listeners = direction::Listeners::new(&flows, self.inventory);
        let settled = flows.into_iter().map(|flow| direction::settle(flow, self.inventory, &listeners, &self.book)).collect();
        let joined = self.views.join(settled, self.inventory);
        self.connections(joined);
    }

    fn connections(&mut self, joined: Joined) {
        let book = std::mem::take(&mut self.book);
        let known = joined.connections.iter().map(|connection| &connection.known).chain(&joined.alone);
        for Identified { flow, originator, responder } in known {
            self.one_sided.count(flow);
            if [originator, responder].into_iter().any(|end| matches!(end, Identity::Pod(_))) {
                self.inputs.see(flow.input, || self.senders.shows_sender(flow));
            }
        }
        let alone = joined.alone.into_iter().map(Connection::alone);
        for mut connection in joined.connections.into_iter().chain(alone) {
            self.one_sided.judge(&mut connection);
            let mut share = Share::whole();
            let class = self.connection(&connection, &book, &mut share);
            self.classes.add(class, share.take());
        }
        self.book = book;
    }

    /// Takes in traffic without ports.
    pub fn sight(&mut self, sightings: &PortlessTrafficTable) {
        for (sighting, source, destination, span) in sightings.iter() {
            if sighting != PortlessTraffic::Echo {
                continue;
            }
            let [from, to] = [source, destination].map(|address| Place::calling(address, span.first(), self.inventory));
            self.see(from);
            self.see_own_node(from, to);
        }
        self.findings.merge(portless::findings(sightings, self.inventory));
    }

    /// Takes in attempts that were too many to be kept apart.
    pub fn flood(&mut self, floods: &Floods) {
        for (originator, responder, attempts, span) in floods.iter() {
            *self.flows.entry(FLOOD).or_default() += attempts;
            self.classes.add(FlowClass::Flood, attempts);
            let name = |address: Option<IpAddr>| match address {
                Some(address) => Place::calling(address, span.first(), self.inventory).describe(self.inventory),
                None => "many addresses".to_owned(),
            };
            // At one other it may as well be a program that tries without end.
            if let (Some(address), None) = (originator, responder)
                && let Some(side) = Place::calling(address, span.first(), self.inventory).side(self.inventory)
            {
                let vain = FailedTargets { targets: attempts, since: span.first() };
                self.scans.entry(side).and_modify(|known| known.merge(vain)).or_insert(vain);
            }
            let message = "attempts without an answer, too many to be kept apart";
            self.findings.add_many(Code::Flood, format!("{} -> {}", name(originator), name(responder)), message, attempts);
        }
    }

    /// Takes in one conversation, and says what became of it; what is counted with an edge takes the `share`.
    fn connection(&mut self, connection: &Connection, book: &NameBook, share: &mut Share) -> FlowClass {
        let Connection { known, hidden_originator, call, backends, .. } = connection;
        let Identified { flow, originator, responder, .. } = known;
        let at = flow.span.first();
        let delivered = Place::of(*originator, flow.originator.address);
        let delivered = delivered.named(*originator, at, book, self.inventory);
        let originator = hidden_originator.map_or(delivered, |hidden| Place::calling(hidden.address, at, self.inventory));
        self.see(originator);
        if let (Some(backends), Some(call)) = (backends, call) {
            let responders: Vec<Endpoint> =
                backends.iter().map(|backend| Endpoint { address: backend.address, port: backend.port }).collect();
            return self.called(connection, originator, *call, &responders, book, share);
        }
        let called = Place::called_as(*responder, flow.responder, self.inventory);
        let responder = called.named(*responder, at, book, self.inventory);
        if connection.is_answered() {
            self.see(responder);
        }
        let class = self.pair(connection, originator, responder, flow.responder.port, book, share);
        if hidden_originator.is_none() {
            return class;
        }
        // The responder's side sees the node that forwarded the call.
        class.min(self.pair(connection, delivered, responder, flow.responder.port, book, share))
    }

    /// Remembers the node of a pod whose own node is the other end.
    fn see_own_node(&mut self, from: Place, to: Place) {
        for (pod, other) in [(from.pod(), to), (to.pod(), from)] {
            if let Some(pod) = pod
                && other.is_own_node_of(pod, self.inventory)
            {
                self.seen_nodes.extend(self.inventory.pod(pod).node);
            }
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

    fn try_in_vain(
        &mut self,
        tried: Tried,
        at: Timestamp,
        originator: Option<Side>,
        links: impl Iterator<Item = Link>,
        share: &mut Share,
    ) {
        let own = share.take();
        self.classes.add(tried.failure.class(), own);
        self.tried.get(tried, || Tries::none(at)).add(at, originator, links, own);
        if self.tried.is_full() {
            self.tell_tried();
        }
    }

    fn tell_tried(&mut self) {
        for (Tried { from, to, protocol, port, failure }, Tries { count, own, since, originator, links }) in self.tried.take() {
            let (from, to) = (from.describe(self.inventory), to.describe(self.inventory));
            self.failures.add(Attempt { count, own, since, from, originator, to, protocol, port, failure, links });
        }
    }

    fn tell_own_node(&mut self) {
        for (OwnNode { from, to, protocol, port, outcome, guess }, count) in self.own_node.take() {
            let (from, to) = (from.describe(self.inventory), to.describe(self.inventory));
            let subject = format!("{from} -> {to}");
            if let Some(guess) = guess {
                let edge = format!("{subject} {protocol} {port}");
                let message = format!("direction decided by {guess}; if {to} called, it needs a rule that was not written");
                self.findings.add_many(Code::WeakDirection, edge, message, count);
            }
            self.findings.add_many(Code::OwnNodeTraffic, subject, format!("{protocol} {port} ({outcome})"), count);
        }
    }

    /// Takes in a conversation between these two, and says what became of it.
    fn pair(
        &mut self,
        connection: &Connection,
        from: Place,
        to: Place,
        port: u16,
        book: &NameBook,
        share: &mut Share,
    ) -> FlowClass {
        let inventory = self.inventory;
        let flow = &connection.known.flow;
        let Flow { outcome, protocol, span, .. } = *flow;
        let at = span.first();
        if from == Place::Nowhere || to == Place::Nowhere {
            let is_local = [flow.originator, flow.responder].iter().any(|end| inventory.is_loopback(end.address));
            return if is_local { FlowClass::Loopback } else { FlowClass::Multicast };
        }
        if from == Place::Itself || to == Place::Itself {
            let pod = if from == Place::Itself { to } else { from };
            if connection.is_answered() {
                self.findings.add(Code::Hairpin, pod.describe(inventory), "called itself through its Service");
            }
            return if pod.pod().is_some() { FlowClass::Hairpin } else { FlowClass::NoPod };
        }
        if from.pod().is_some() && from == to {
            if connection.call.is_some() && connection.is_answered() {
                self.findings.add(Code::Hairpin, from.describe(inventory), "called itself through an address that is translated");
                return FlowClass::Hairpin;
            }
            return FlowClass::Loopback;
        }
        let Some((from, to)) = self.secondary(from, to) else { return FlowClass::SecondaryInterface };
        if let Some(class) = self.unknown(connection, from, to, port) {
            return class;
        }
        let Some((pod, other)) = from.pod().map(|pod| (pod, to)).or_else(|| to.pod().map(|pod| (pod, from))) else {
            return FlowClass::NoPod;
        };
        // What a pod sends to its own node is filtered by most network plug-ins, although the API exempts it: it needs the rule that
        // any node needs. Link-local addresses are the exception, because they mean another machine to every caller.
        if other.is_own_node_of(pod, inventory) && (to.pod().is_some() || to == Place::OwnNode) {
            self.own_node(connection, from, to, port);
            return FlowClass::OwnNode;
        }
        let Some(link) = self.link(protocol, from, to, port) else {
            return FlowClass::NotExpressible;
        };
        match outcome {
            Outcome::Unanswered | Outcome::Refused | Outcome::HalfOpen { .. } | Outcome::OneSided(_) => {
                // Who scans does not ask for names, and of a name's addresses outside some may be out of reach (IPv6).
                let is_named = |address| from.pod().is_some_and(|pod| book.has_asked(pod, address));
                let failure = Failure::of(flow);
                let is_looking = failure.is_attempt() && !matches!(to, Place::Outside(address) if is_named(address));
                let originator = is_looking.then_some(link.originator);
                let (from, to) = (Who::Side(link.originator), Who::Side(link.responder));
                let tried = Tried { from, to, protocol, port, failure };
                self.try_in_vain(tried, at, originator, std::iter::once(link), share);
                failure.class()
            }
            Outcome::OneWay { moments } => {
                self.one_way(connection, link, moments, (from, book), share);
                FlowClass::OneWay
            }
            Outcome::Answered => {
                self.masked.see(connection, from, to, port, inventory);
                self.activate([link.originator, link.responder]);
                if let (Some(workload), Some(pod)) = (link.responder.workload(), to.pod())
                    && !link.is_declared(inventory)
                {
                    self.called_pods.add((workload, protocol, link.port), pod);
                }
                if let Some(reverse) = self.peer_link(connection, link) {
                    self.count(reverse, connection, from, book, &mut Share::none());
                }
                self.count(link, connection, from, book, share);
                FlowClass::Edge
            }
        }
    }

    /// The ends of a conversation as policies see them; nothing where it concerns none, as it uses further interfaces of pods alone. To
    /// the usual interface of another pod, an address on a further one is an address like any outside.
    fn secondary(&mut self, from: Place, to: Place) -> Option<(Place, Place)> {
        let is_governed = from.pod().is_some() || to.pod().is_some();
        let mut ends = [from, to];
        for end in &mut ends {
            let Place::Secondary(pod, address) = *end else { continue };
            let Pod { workload, secondary, .. } = self.inventory.pod(pod);
            self.active[workload.0 as usize] = true;
            self.seen[pod.0 as usize] = true;
            let network = secondary.get(&address).map_or("", String::as_str);
            let message = format!("talked over a secondary interface, on the network {network}");
            self.findings.add(Code::SecondaryInterface, self.inventory.workload(*workload).name.to_string(), message);
            *end = Place::Outside(address);
        }
        (is_governed || ends == [from, to]).then_some((ends[0], ends[1]))
    }

    /// Says that one end is an address inside the cluster of which it is not known whose it was.
    fn unknown(&mut self, connection: &Connection, from: Place, to: Place, port: u16) -> Option<FlowClass> {
        let inventory = self.inventory;
        let flow = &connection.known.flow;
        let Flow { outcome, protocol, span, .. } = *flow;
        let at = span.first();
        let mut class = None;
        for (unknown, other, did) in [(from, to, "called"), (to, from, "was called by")] {
            let Place::Unknown(address) = unknown else { continue };
            class = Some(FlowClass::Unattributed);
            let message = format!("{did} {} on {protocol} {port} ({})", other.describe(inventory), outcome_name(outcome));
            let candidates = inventory.candidates(address, at);
            let is_of_own_nodes = candidates.iter().all(|&pod| other.is_own_node_of(pod, inventory));
            let links = candidates.iter().filter_map(|&pod| {
                let (from, to) = if did == "called" { (Place::Pod(pod), other) } else { (other, Place::Pod(pod)) };
                self.link(protocol, from, to, port)
            });
            let links: Vec<Link> = links.collect();
            if let (Some(pod), true) = (other.pod(), connection.is_answered()) {
                self.unattributed.add(inventory.pod(pod).workload, did == "called", flow, port, &links);
            }
            if candidates.is_empty() {
                self.findings.add(Code::UnattributedAddress, self.tenants.describe(address, inventory), message);
            } else if !is_of_own_nodes {
                let names: Vec<String> = candidates.iter().map(|id| inventory.pod(*id).name.to_string()).collect();
                self.passed_on.add(format!("{address} ({})", names.join(" or ")), message, links.into_iter());
            }
        }
        class
    }

    /// Counts an answered connection for an edge.
    fn count(&mut self, link: Link, connection: &Connection, from: Place, book: &NameBook, share: &mut Share) {
        let namespace = |side: Side| Some(self.namespaces[side.workload()?.0 as usize]);
        let sides = (namespace(link.originator), namespace(link.responder));
        let Flow { span, direction, originator, .. } = connection.known.flow;
        if connection.is_one_sided {
            self.findings.add(Code::OneSidedRule, link.edge(self.inventory).to_string(), "one side only was seen");
        } else {
            self.arrivals.count(sides, span.first());
        }
        if direction.is_weak()
            && let Some(port) = NonZeroU16::new(originator.port)
        {
            self.guesses.add(link, Link { originator: link.responder, responder: link.originator, port, ..link });
        }
        let (mut evidence, name, service) = self.evidence(connection, from, book);
        let own = share.take();
        if let Some(known) = self.edges.get_mut(link) {
            known.own += own;
            known.evidence.merge(evidence);
            known.evidence.call(name, service.as_ref());
        } else {
            evidence.call(name, service.as_ref());
            let evicted = self.edges.insert(link, Kept { evidence, own });
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
        let Flow { protocol, outcome, direction, .. } = connection.known.flow;
        self.see_own_node(from, to);
        let [who_calls, who_is_called] = [from, to].map(|place| Who::at(place, self.inventory));
        // Of UDP, a port that is called elsewhere shows no more: one socket may call and be called.
        let is_doubtful = direction.is_by_port() || direction == DirectionEvidence::OtherTraffic && protocol == Protocol::Udp;
        let guess = (is_doubtful && connection.is_answered()).then_some(direction);
        let said = OwnNode { from: who_calls, to: who_is_called, protocol, port, outcome: outcome_name(outcome), guess };
        *self.own_node.get(said, || 0) += 1;
        if self.own_node.is_full() {
            self.tell_own_node();
        }
        if connection.is_answered() {
            self.answered_own_node.extend(to.pod().map(|pod| (self.inventory.pod(pod).workload, protocol, port)));
            self.masked.see(connection, from, to, port, self.inventory);
        }
    }

    /// Says whose edge was not kept.
    fn leave_out(&mut self, evicted: Option<(Link, Kept)>) {
        let Some((link, Kept { evidence, own })) = evicted else { return };
        self.classes.add(FlowClass::LeftOut, own);
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
            forwarded: u64::from(self.senders.is_forwarded(flow, self.inventory)),
            unchecked: u64::from(self.tunnels.as_ref().is_some_and(|tunnels| tunnels.is_unchecked(flow))),
            mid_stream: u64::from(flow.is_mid_stream()),
            one_way: u64::from(connection.is_one_sided || matches!(flow.outcome, Outcome::OneWay { .. })),
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
        Outcome::HalfOpen { .. } => 2,
        Outcome::OneSided(_) => 3,
        Outcome::OneWay { .. } => 4,
        Outcome::Answered if flow.is_mid_stream() => 5,
        Outcome::Answered => 6,
    }
}

const fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Unanswered => "not answered",
        Outcome::Refused => "refused",
        Outcome::HalfOpen { .. } => "not acknowledged",
        Outcome::OneSided(_) => "one side only",
        Outcome::OneWay { .. } => "one-way",
        Outcome::Answered => "answered",
    }
}
