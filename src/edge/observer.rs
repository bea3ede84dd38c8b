//! Folds connections into edges, and what cannot be one into findings.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::sync::Arc;

use crate::flow::{Floods, Names, Sighting, Sightings};
use crate::inventory::{Inventory, NodeId, PodId, WorkloadId};
use crate::model::{
    Called, Code, DirectionEvidence, Edge, Endpoint, Evidence, Findings, Flow, Outcome, Party, Protocol, Span, Timestamp,
    WorkloadName,
};

use super::arrivals::Arrivals;
use super::book::NameBook;
use super::failures::{Attempt, Failures, Vain};
use super::handover::PassedOn;
use super::ledger::{Group, Ledger};
use super::place::Place;
use super::ports::{DynamicPorts, take_dynamic};
use super::roles;
use super::views::{Call, Connection, Joined, Views};

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

/// One-way UDP of one edge: how often, and why it may be believed.
#[derive(Debug)]
struct OneWay {
    flows: u64,
    moments: u64,
    evidence: Evidence,
}

impl OneWay {
    fn merge(&mut self, other: Self) {
        self.flows += other.flows;
        self.moments += other.moments;
        self.evidence.merge(other.evidence);
    }
}

/// Takes in flows, gives out an [`Observation`].
#[derive(Debug)]
pub struct Observer<'a> {
    inventory: &'a Inventory,
    ids: BTreeMap<&'a WorkloadName, WorkloadId>,
    /// Pods by the addresses they ever had.
    tenants: BTreeMap<IpAddr, Vec<PodId>>,
    views: Views,
    /// The names asked for up to the last flows.
    book: NameBook,
    edges: Ledger<Evidence>,
    one_way: Ledger<OneWay>,
    failures: Failures,
    /// What one of two pods did, with what each of them would have done.
    passed_on: PassedOn,
    masked: BTreeMap<(NodeId, String, String), u64>,
    seen_through: BTreeSet<NodeId>,
    active: BTreeSet<WorkloadId>,
    seen: BTreeSet<PodId>,
    answered_own_node: BTreeSet<(WorkloadId, Protocol, u16)>,
    /// Scans that were too many attempts to be kept apart.
    scans: BTreeMap<Party, Vain>,
    asked: BTreeMap<WorkloadId, BTreeSet<IpAddr>>,
    flows: BTreeMap<&'static str, u64>,
    span: Option<Span>,
    arrivals: Arrivals,
    left_out: u64,
    findings: Findings,
}

impl<'a> Observer<'a> {
    /// An observer of the cluster that `inventory` describes, which keeps at most so many edges; of the others it only says
    /// whose they are.
    pub fn new(inventory: &'a Inventory, edges: usize) -> Self {
        let mut tenants: BTreeMap<IpAddr, Vec<PodId>> = BTreeMap::new();
        for (pod, id) in inventory.pods().iter().zip(0..).filter(|(pod, _)| !pod.is_on_host_network) {
            for &address in &pod.addresses {
                tenants.entry(address).or_default().push(PodId(id));
            }
        }
        Self {
            tenants,
            inventory,
            ids: inventory.workloads().iter().zip(0..).map(|(workload, id)| (&*workload.name, WorkloadId(id))).collect(),
            views: Views::default(),
            book: NameBook::default(),
            edges: Ledger::new(edges),
            one_way: Ledger::new(edges),
            failures: Failures::default(),
            passed_on: PassedOn::default(),
            masked: BTreeMap::new(),
            seen_through: BTreeSet::new(),
            active: BTreeSet::new(),
            seen: BTreeSet::new(),
            answered_own_node: BTreeSet::new(),
            scans: BTreeMap::new(),
            asked: BTreeMap::new(),
            flows: BTreeMap::new(),
            span: None,
            arrivals: Arrivals::default(),
            left_out: 0,
            findings: Findings::default(),
        }
    }

    /// Takes in finished flows; the order does not matter. The views of one connection may come in one call, or in two that
    /// follow one another.
    pub fn observe(&mut self, flows: Vec<Flow>, names: &Names) {
        self.book = NameBook::new(names, self.inventory);
        for (pod, address) in self.book.asked() {
            self.asked.entry(self.inventory.pod(pod).workload).or_default().insert(address);
        }
        for flow in &flows {
            let outcome = match flow.outcome {
                Outcome::Unanswered => "unanswered",
                Outcome::Refused => "refused",
                Outcome::OneWay { .. } => "one-way",
                Outcome::Answered if flow.is_mid_stream() => "mid-stream",
                Outcome::Answered => "answered",
            };
            *self.flows.entry(outcome).or_default() += 1;
            self.span = Some(self.span.map_or(flow.span, |span| span.merge(flow.span)));
        }
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
        for (sighting, source, destination, span) in sightings.iter() {
            let at = span.first();
            let from = Place::calling(source, at, self.inventory);
            let to = Place::calling(destination, at, self.inventory);
            let pair = format!("{} -> {}", from.describe(self.inventory), to.describe(self.inventory));
            let is_between_pods = from.pod().is_some() || to.pod().is_some();
            let is_same = from.pod().is_some() && from == to;
            match sighting {
                Sighting::Multicast(port) if from.pod().is_some() => {
                    let group =
                        if port == 0 { destination.to_string() } else { Endpoint { address: destination, port }.to_string() };
                    self.findings.add(Code::Multicast, from.describe(self.inventory), format!("sent to {group}"));
                }
                Sighting::Echo if is_between_pods && !is_same => {
                    let is_own_node =
                        |pod: Option<PodId>, other: Place| pod.is_some_and(|pod| other.is_own_node_of(pod, self.inventory));
                    if is_own_node(from.pod(), to) || is_own_node(to.pod(), from) {
                        self.findings.add(Code::OwnNodeTraffic, pair, "ICMP echo");
                    } else {
                        self.findings.add(Code::Icmp, pair, "echo (ping)");
                    }
                }
                Sighting::OpaqueTunnel(name) => {
                    let subject = format!("{source} -> {destination}");
                    self.findings.add(Code::OpaqueTunnel, subject, format!("{name} traffic, unreadable"));
                }
                Sighting::Protocol(number) if is_between_pods && !is_same => {
                    self.findings.add(
                        Code::NotExpressible,
                        pair,
                        format!("IP protocol {number}: NetworkPolicy knows TCP, UDP and SCTP"),
                    );
                }
                Sighting::PortZero if is_between_pods => self.findings.add(Code::MalformedFrame, pair, "packets with port 0"),
                _ => {}
            }
        }
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
                && let Some(party) = Place::calling(address, span.first(), self.inventory).party(self.inventory)
            {
                let vain = Vain { targets: attempts, since: span.first() };
                self.scans.entry(party).and_modify(|known| known.merge(vain)).or_insert(vain);
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
        let edges = &self.edges;
        let mut in_vain = self.failures.in_vain(|edge| edges.contains(edge));
        for (party, vain) in std::mem::take(&mut self.scans) {
            in_vain.entry(party).and_modify(|known| known.merge(vain)).or_insert(vain);
        }
        self.findings.merge(std::mem::take(&mut self.failures).findings(|edge| edges.contains(edge)));
        self.findings.merge(std::mem::take(&mut self.passed_on).findings(|edge| edges.contains(edge)));
        self.judge_masked();
        let inventory = self.inventory;
        let mut edges = self.edges.take();
        let mut arrivals = std::mem::take(&mut self.arrivals);
        let dynamic = take_dynamic(
            &mut edges,
            |edge| self.declares(edge),
            // Each was called once, so its evidence knows when.
            |edge, evidence| arrivals.remove(edge, evidence.span.first(), evidence.connections - evidence.one_way),
        );
        for (edge, evidence) in &edges {
            if evidence.direction < DirectionEvidence::FirstPacket {
                let message = format!("direction decided by {}", evidence.direction);
                self.findings.add_many(Code::WeakDirection, edge.to_string(), message, evidence.mid_stream.max(1));
            }
        }
        for &workload in &self.active {
            if let Some(proxy) = inventory.sidecar(workload) {
                let message = format!("talks through its side-car {proxy}");
                self.findings.add(Code::ProxyPeer, inventory.workload(workload).name.to_string(), message);
            }
        }
        Observation {
            edges,
            dynamic,
            active: self.active,
            seen: self.seen,
            answered_own_node: self.answered_own_node,
            in_vain,
            asked: self.asked,
            flows: self.flows,
            span: self.span,
            arrivals,
            left_out: self.left_out,
            findings: self.findings,
        }
    }

    fn connection(&mut self, connection: &Connection, book: &NameBook) {
        let Connection { flow, hidden_originator, call, backends } = connection;
        let at = flow.span.first();
        let delivered = Place::calling(flow.originator.address, at, self.inventory);
        let originator = hidden_originator.map_or(delivered, |hidden| Place::calling(hidden.address, at, self.inventory));
        self.seen.extend(originator.pod());
        if let (Some(backends), Some(call)) = (backends, call) {
            let responders: Vec<Endpoint> =
                backends.iter().map(|backend| Endpoint { address: backend.address, port: backend.port }).collect();
            self.called(connection, originator, *call, &responders, book);
            return;
        }
        let responder = Place::called(flow.responder, at, self.inventory);
        self.seen.extend(responder.pod().filter(|_| connection.is_answered()));
        self.pair(connection, originator, responder, flow.responder.port, book);
        if hidden_originator.is_some() {
            // The responder's side sees the node that forwarded the call.
            self.pair(connection, delivered, responder, flow.responder.port, book);
        }
    }

    /// A call to a Service whose delivery was not captured: every backend may have been meant.
    fn called(&mut self, connection: &Connection, originator: Place, call: Call, backends: &[Endpoint], book: &NameBook) {
        let at = connection.flow.span.first();
        let service = self.call_name(call);
        let places: Vec<(Place, u16)> =
            backends.iter().map(|backend| (Place::called(*backend, at, self.inventory), backend.port)).collect();
        let others: Vec<(Place, u16)> = places.iter().copied().filter(|(place, _)| *place != originator).collect();
        if !connection.is_answered() && !matches!(connection.flow.outcome, Outcome::OneWay { .. }) {
            if originator.pod().is_some() || places.iter().any(|(place, _)| place.pod().is_some()) {
                let Endpoint { port, .. } = connection.flow.responder;
                let edges = others.iter().filter_map(|&(place, port)| self.edge(connection, originator, place, port)).collect();
                let Flow { protocol, outcome, .. } = connection.flow;
                let from = originator.describe(self.inventory);
                let originator = originator.party(self.inventory);
                self.failures.add(Attempt { at, from, originator, to: service, protocol, port, outcome, edges });
            }
            return;
        }
        if places.is_empty() {
            let message = format!("called by {}", originator.describe(self.inventory));
            self.findings.add(Code::ServiceWithoutBackends, service, message);
            return;
        }
        if others.is_empty() {
            self.findings.add(Code::Hairpin, originator.describe(self.inventory), format!("called itself through {service}"));
            return;
        }
        let workloads: BTreeSet<String> = others.iter().map(|(place, _)| place.describe(self.inventory)).collect();
        if workloads.len() > 1 && others.iter().all(|(place, _)| place.pod().is_some()) {
            let names: Vec<&str> = workloads.iter().map(String::as_str).collect();
            let subject = format!("{} -> {service}", originator.describe(self.inventory));
            self.findings.add(Code::ServiceBackendNotSeen, subject, format!("may have reached any of {}", names.join(", ")));
        }
        let mut noted = BTreeSet::new();
        for (place, port) in others {
            // Once for each workload behind the Service, not once for each of its pods.
            if noted.insert((place.describe(self.inventory), port)) {
                self.pair(connection, originator, place, port, book);
            }
        }
    }

    fn pair(&mut self, connection: &Connection, from: Place, to: Place, port: u16, book: &NameBook) {
        let inventory = self.inventory;
        let outcome = connection.flow.outcome;
        let protocol = connection.flow.protocol;
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
                let candidates = inventory.candidates(address, connection.flow.span.first());
                if candidates.is_empty() {
                    self.findings.add(Code::UnattributedAddress, self.unattributed(address), message);
                } else if !candidates.iter().all(|&pod| other.is_own_node_of(pod, inventory)) {
                    let edges = candidates.iter().filter_map(|&pod| {
                        let (from, to) = if did == "called" { (Place::Pod(pod), other) } else { (other, Place::Pod(pod)) };
                        self.edge(connection, from, to, port)
                    });
                    let edges = edges.collect();
                    let names: Vec<String> = candidates.iter().map(|id| inventory.pod(*id).name.to_string()).collect();
                    self.passed_on.add(format!("{address} ({})", names.join(" or ")), message, edges);
                }
            }
        }
        let Some((pod, other)) = from.pod().map(|pod| (pod, to)).or_else(|| to.pod().map(|pod| (pod, from))) else {
            return;
        };
        if other.is_own_node_of(pod, inventory) && to != Place::ApiServer {
            self.own_node(connection, from, to, port);
            return;
        }
        let Some(edge) = self.edge(connection, from, to, port) else {
            return;
        };
        match outcome {
            Outcome::Unanswered | Outcome::Refused => {
                let at = connection.flow.span.first();
                // Who scans does not ask for names, and of a name's addresses outside some may be out of reach (IPv6).
                let is_named = |address| from.pod().is_some_and(|pod| book.has_asked(pod, address));
                let is_looking = !matches!(to, Place::Outside(address) if is_named(address));
                let originator = is_looking.then(|| edge.originator.clone());
                let (from, to) = (edge.originator.to_string(), edge.responder.to_string());
                let edges = BTreeSet::from([edge]);
                self.failures.add(Attempt { at, from, originator, to, protocol, port, outcome, edges });
            }
            Outcome::OneWay { moments } => {
                let evidence = self.evidence(connection, from, book);
                let one_way = OneWay { flows: 1, moments: u64::from(moments), evidence };
                let evicted = self.one_way.add(edge, one_way, OneWay::merge);
                self.leave_out(evicted.map(|(edge, one_way)| (edge, one_way.evidence)));
            }
            Outcome::Answered => {
                self.snat(connection, from, to, port);
                let evidence = self.evidence(connection, from, book);
                self.active.extend([from, to].into_iter().filter_map(Place::pod).map(|pod| inventory.pod(pod).workload));
                if let Some(reverse) = self.peer_edge(connection, &edge) {
                    self.arrivals.add(&reverse, connection.flow.span.first());
                    self.add(reverse, evidence.clone());
                }
                self.arrivals.add(&edge, connection.flow.span.first());
                self.add(edge, evidence);
            }
        }
    }

    /// The edge the other way, where two peers talk from listener to listener (gossip, UDP 7946 on both sides): which of them
    /// speaks first is chance, and after a pause it is the other.
    fn peer_edge(&self, connection: &Connection, edge: &Edge) -> Option<Edge> {
        let Flow { originator, responder, direction, protocol, .. } = connection.flow;
        let is_between_listeners = protocol == Protocol::Udp
            && originator.port == responder.port
            && direction < DirectionEvidence::DnsHeader
            && connection.call.is_none();
        let reverse = Edge { originator: edge.responder.clone(), responder: edge.originator.clone(), ..edge.clone() };
        (is_between_listeners && self.declares(edge) && self.declares(&reverse)).then_some(reverse)
    }

    fn own_node(&mut self, connection: &Connection, from: Place, to: Place, port: u16) {
        let protocol = connection.flow.protocol;
        let subject = format!("{} -> {}", from.describe(self.inventory), to.describe(self.inventory));
        let message = format!("{protocol} {port} ({})", outcome_name(connection.flow.outcome));
        self.findings.add(Code::OwnNodeTraffic, subject, message);
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
        let exposed = self.inventory.exposed_ports(self.inventory.pod(pod).workload);
        if exposed.contains(&(connection.flow.protocol, port)) {
            let message = format!(
                "is exposed on {} {port} and was called from the address of {}",
                connection.flow.protocol,
                from.describe(self.inventory)
            );
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

    fn add(&mut self, edge: Edge, evidence: Evidence) {
        let evicted = self.edges.add(edge, evidence, Evidence::merge);
        self.leave_out(evicted);
    }

    /// Says whose edge was not kept.
    fn leave_out(&mut self, evicted: Option<(Edge, Evidence)>) {
        let Some((edge, evidence)) = evicted else { return };
        let subject = Group::of(&edge).map_or_else(|| edge.to_string(), |(group, _)| group.to_string());
        self.left_out += evidence.connections;
        self.findings.add_many(Code::TooManyEdges, subject, "connections have no rule", evidence.connections);
    }

    fn edge(&self, connection: &Connection, from: Place, to: Place, port: u16) -> Option<Edge> {
        if from.pod().is_none() && to.pod().is_none() {
            return None;
        }
        Some(Edge {
            originator: from.party(self.inventory)?,
            responder: to.party(self.inventory)?,
            protocol: connection.flow.protocol,
            port: NonZeroU16::new(port)?,
        })
    }

    fn evidence(&self, connection: &Connection, from: Place, book: &NameBook) -> Evidence {
        let flow = &connection.flow;
        let name = from.pod().and_then(|pod| book.name(pod, flow.responder.address, flow.span.first()));
        Evidence {
            connections: 1,
            span: flow.span,
            direction: flow.direction,
            mid_stream: u64::from(flow.is_mid_stream()),
            one_way: u64::from(matches!(flow.outcome, Outcome::OneWay { .. })),
            called: Called::of(
                name.into_iter().map(|name| (Arc::clone(name), 1)).collect(),
                connection.call.into_iter().filter_map(|call| self.service_name(call)).map(Arc::from).collect(),
            ),
        }
    }

    /// Whether the edge's responder is a workload that declares the port.
    fn declares(&self, edge: &Edge) -> bool {
        let Party::Workload(name) = &edge.responder else { return false };
        self.ids.get(&**name).is_some_and(|&id| self.inventory.workload_declares(id, edge.protocol, edge.port.get()))
    }

    fn service_name(&self, call: Call) -> Option<String> {
        let Call::Service(call) = call else { return None };
        let service = self.inventory.service(call.service);
        Some(format!("{}/{}", service.namespace, service.name))
    }

    fn call_name(&self, call: Call) -> String {
        self.service_name(call).map_or_else(|| "a host port".to_owned(), |name| format!("Service {name}"))
    }

    /// An address nobody owned at the time, with who owns it at other times: that tells a stale inventory from a missing one.
    fn unattributed(&self, address: IpAddr) -> String {
        let pods = self.tenants.get(&address).into_iter().flatten().map(|&id| self.inventory.pod(id));
        let owners: BTreeSet<String> = pods
            .map(|pod| {
                let since = if pod.from == Timestamp::MIN { "ever".into() } else { pod.from.to_string() };
                format!("{} from {since}", pod.name)
            })
            .collect();
        let owners: Vec<String> = owners.into_iter().collect();
        if owners.is_empty() { address.to_string() } else { format!("{address} ({})", owners.join("; ")) }
    }

    /// One-way UDP is an edge when it was repeated: at two moments to a port somebody declares, at three from several sockets,
    /// or at five to any. Wrong for a caller that tries a dead address again and again; therefore always a finding.
    fn judge_one_way(&mut self) {
        for (edge, OneWay { flows, moments, evidence }) in self.one_way.take() {
            let is_known = self.edges.contains(&edge);
            let is_declared = self.declares(&edge);
            if is_known || moments >= 2 && is_declared || moments >= 3 && flows >= 2 || moments >= 5 {
                if !is_known {
                    self.findings.add_many(Code::OneWayUdp, edge.to_string(), "nobody answers", flows);
                }
                for party in [&edge.originator, &edge.responder] {
                    if let Party::Workload(name) = party {
                        self.active.extend(self.ids.get(&**name));
                    }
                }
                self.add(edge, evidence);
            } else {
                self.findings.add_many(Code::UnrepeatedUdp, edge.to_string(), "nobody answered", flows);
            }
        }
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
