//! What every run must hold, asked of the evaluator and of what the generator knows.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use k8s_openapi::api::networking::v1::NetworkPolicy;
use netpol_gen::inventory::PodId;
use netpol_gen::model::{Direction, Edge, Evidence, Finding, Party, PolicyPort, Protocol, WorkloadName};
use netpol_gen::output::manifest;
use netpol_gen::policy::{self, PolicyOptions};
use netpol_gen::verify::{self, ClusterView, Evaluator, Place, Side};

use crate::cluster::Cluster;
use crate::random::Random;
use crate::run::Run;
use crate::traffic::{Conversation, Outcome};

/// Breaches of the promise, as sentences; none is wanted.
pub fn breaches(cluster: &Cluster, traffic: &[Conversation], run: &Run, random: &mut Random) -> Vec<String> {
    let mut breaches = Vec::new();
    let proof = &run.learned.proof;
    breaches.extend(proof.denied.iter().chain(&proof.excess).map(|breach| format!("the proof failed: {breach}")));
    for finding in run.findings.iter().filter(|finding| finding.code.name() == "policy-withheld") {
        breaches.push(format!("withheld: {} {}", finding.subject, finding.message));
    }
    let world = ClusterView::from_inventory(&run.inventory);
    let policies: Vec<_> = run.learned.set.policies.iter().map(|explained| manifest::write(&explained.policy)).collect();
    let evaluator = match Evaluator::new(&policies, &world) {
        Ok(evaluator) => evaluator,
        Err(error) => return vec![format!("a policy cannot be evaluated: {error:?}")],
    };
    let check = Check { run, world: &world, evaluator, cluster };
    breaches.extend(check.observed());
    breaches.extend(check.happened(traffic));
    breaches.extend(check.unproved(traffic));
    breaches.extend(check.unobserved(random));
    breaches.extend(check.justified(&policies));
    breaches
}

struct Check<'a> {
    run: &'a Run,
    world: &'a ClusterView,
    evaluator: Evaluator<'a>,
    cluster: &'a Cluster,
}

impl Check<'_> {
    fn places(&self, party: &Party) -> Vec<Place> {
        match party {
            Party::Workload(name) => {
                let pods = self.world.pods().filter(|(_, pod)| pod.workload == **name);
                let (host, own): (Vec<_>, Vec<_>) = pods.partition(|(_, pod)| pod.is_on_host_network);
                let meant = if own.is_empty() { host } else { own };
                meant.into_iter().map(|(id, _)| Place::Pod(id)).collect()
            }
            Party::ApiServer => self.world.api_server.iter().map(|backend| Place::Address(backend.address)).collect(),
            Party::Node(node) => vec![Place::Address(node.address)],
            Party::Metadata(address) | Party::NodeLocalDns(address) | Party::Outside(address) => vec![Place::Address(*address)],
        }
    }

    /// Whether an edge is denied for some of its pods.
    fn is_denied(&self, edge: &Edge) -> bool {
        let (from, to) = (self.places(&edge.originator), self.places(&edge.responder));
        from.iter().any(|one| {
            to.iter().any(|other| {
                let verdict = self.evaluator.verdict(*one, *other, edge.protocol, edge.port.get());
                let is_exempt = |side: &Side| matches!(side, Side::Exempt(_));
                let is_denied = |side: &Side| matches!(side, Side::Denied { .. } | Side::Undefined { .. });
                !(is_exempt(&verdict.originator) && is_exempt(&verdict.responder))
                    && (is_denied(&verdict.originator) || is_denied(&verdict.responder))
            })
        })
    }

    fn is_named(&self, edge: &Edge) -> bool {
        let text = edge.to_string();
        let workloads = [&edge.originator, &edge.responder].map(|party| match party {
            Party::Workload(name) => Some(name.to_string()),
            _ => None,
        });
        self.run.findings.iter().any(|finding| {
            let Finding { subject, message, .. } = finding;
            subject.contains(&text)
                || message.contains(&text)
                || finding.code.name() == "workload-not-selectable"
                    && workloads.iter().flatten().any(|workload| workload == subject)
        })
    }

    /// No observed edge is denied, unless somebody wanted it so or a finding names it.
    fn observed(&self) -> Vec<String> {
        let learned = &self.run.learned;
        let edges = self.run.observation.edges.keys();
        let edges = edges.filter(|edge| !learned.rejected.contains(edge) && !learned.reasons.contains_key(edge));
        let denied = edges.filter(|edge| self.is_denied(edge) && !self.is_named(edge));
        denied.map(|edge| format!("observed, denied and not said: {edge}")).collect()
    }

    /// What the generator knows to have been answered between two pods is allowed, or something was said of one of them.
    fn happened(&self, traffic: &[Conversation]) -> Vec<String> {
        let mut breaches = Vec::new();
        for conversation in traffic.iter().filter(|conversation| conversation.outcome == Outcome::Answered) {
            let [Some(from), Some(to)] = conversation.pods else { continue };
            let (from, to) = (&self.cluster.pods[from], &self.cluster.pods[to]);
            let protocol = match conversation.protocol {
                "TCP" => Protocol::Tcp,
                "UDP" => Protocol::Udp,
                _ => Protocol::Sctp,
            };
            let found = |name: &str, namespace: &str| {
                self.world.pods().find(|(_, pod)| pod.name.name == name && pod.name.namespace == namespace).map(|(id, _)| id)
            };
            let (Some(one), Some(other)) = (found(&from.name, &from.namespace), found(&to.name, &to.namespace)) else { continue };
            let verdict = self.evaluator.verdict(Place::Pod(one), Place::Pod(other), protocol, conversation.port);
            if ![&verdict.originator, &verdict.responder].iter().any(|side| matches!(side, Side::Denied { .. })) {
                continue;
            }
            if !self.is_spoken_of([one, other], conversation) {
                breaches.push(format!(
                    "answered, denied and not said: {}/{} -> {}/{} {} {}",
                    from.namespace, from.name, to.namespace, to.name, conversation.protocol, conversation.port
                ));
            }
        }
        breaches
    }

    /// What one side alone says of two pods makes no edge, unless the other traffic has one.
    fn unproved(&self, traffic: &[Conversation]) -> Vec<String> {
        let workload = |pod: Option<usize>| {
            let pod = &self.cluster.pods[pod?];
            let mut pods = self.world.pods().map(|(_, known)| known);
            let known = pods.find(|known| known.name.name == pod.name && known.name.namespace == pod.namespace)?;
            Some(&known.workload)
        };
        let is_accepted = self.run.accepts_one_way;
        let is_one_sided = |outcome| outcome == Outcome::HalfOpen || outcome == Outcome::OneSided && !is_accepted;
        let mut breaches = Vec::new();
        for one in traffic.iter().filter(|one| is_one_sided(one.outcome) && one.protocol != "UDP") {
            let (Some(from), Some(to)) = (workload(one.pods[0]), workload(one.pods[1])) else { continue };
            // A call to a Service, or to a node's port, is an edge to each workload behind it: which one answered may not be seen.
            let ports = self.cluster.services.iter().flat_map(|service| &service.ports);
            let doors: BTreeSet<u16> = ports
                .filter(|port| port.protocol == one.protocol)
                .filter(|port| port.backends.iter().any(|&(pod, port)| port == one.port && workload(Some(pod)) == Some(to)))
                .flat_map(|port| port.node_port.into_iter().chain([port.port]))
                .collect();
            let has_both_sides = |other: &Conversation| {
                let is_direct = other.port == one.port && workload(other.pods[1]).is_none_or(|called| called == to);
                other.protocol == one.protocol
                    && (is_direct || doors.contains(&other.front.unwrap_or(other.port)))
                    && !is_one_sided(other.outcome)
                    && workload(other.pods[0]).is_none_or(|caller| caller == from)
            };
            let is_meant = |edge: &Edge| {
                let is = |party: &Party, name: &WorkloadName| matches!(party, Party::Workload(own) if **own == *name);
                let at = (edge.protocol.name(), edge.port.get());
                at == (one.protocol, one.port) && is(&edge.originator, from) && is(&edge.responder, to)
            };
            if self.run.observation.edges.keys().any(is_meant) && !traffic.iter().any(has_both_sides) {
                breaches
                    .push(format!("one side only, and an edge: {from} -> {to} {} {} {:?}", one.protocol, one.port, one.outcome));
            }
        }
        breaches
    }

    fn is_spoken_of(&self, pods: [PodId; 2], conversation: &Conversation) -> bool {
        let learned = &self.run.learned;
        let workloads: Vec<&WorkloadName> = pods.iter().map(|id| &self.world.pods[id.0 as usize].workload).collect();
        let names: BTreeSet<String> = workloads.iter().map(ToString::to_string).collect();
        let addresses: Vec<String> =
            pods.iter().flat_map(|id| &self.world.pods[id.0 as usize].addresses).map(ToString::to_string).collect();
        let port = format!(" {}", conversation.port);
        let is_meant = |edge: &Edge| {
            let sides = [&edge.originator, &edge.responder];
            sides.into_iter().all(|side| matches!(side, Party::Workload(name) if names.contains(&name.to_string())))
        };
        if learned.rejected.edges().any(|(edge, _)| is_meant(edge)) || learned.reasons.keys().any(is_meant) {
            return true;
        }
        self.run.findings.iter().any(|finding| {
            let text = format!("{} {}", finding.subject, finding.message);
            let is_about_port = text.contains(&port)
                || matches!(finding.code.name(), "dynamic-ports" | "workload-not-selectable" | "weak-direction");
            let is_about = names.iter().any(|name| text.contains(name.as_str()))
                || addresses.iter().any(|address| text.contains(address.as_str()));
            is_about && is_about_port
        })
    }

    /// `verify --deny-excess` with the same options finds nothing in what was written, by what it works out itself.
    fn justified(&self, policies: &[NetworkPolicy]) -> Vec<String> {
        let observation = &self.run.observation;
        let mut edges: BTreeMap<Edge, Evidence> = observation.edges.clone();
        for dynamic in &observation.dynamic {
            edges.extend(dynamic.ports.iter().map(|&port| (Edge { port, ..dynamic.edge.clone() }, dynamic.evidence.clone())));
        }
        let mut free = edges.clone();
        free.retain(|edge, _| !self.run.learned.rejected.contains(edge));
        let mut dynamic = observation.dynamic.clone();
        for dynamic in &mut dynamic {
            dynamic.ports.retain(|&port| free.contains_key(&Edge { port, ..dynamic.edge.clone() }));
        }
        let options = PolicyOptions { namespaces: None, includes_system: true, ..self.run.options.clone() };
        let widenings = policy::widenings(&free, &dynamic, &self.run.inventory, &options);
        let world = self.world.with_pods_to_come(policies);
        let replay = world.and_then(|world| verify::replay(policies, &widenings, &world, edges.keys()));
        let replay = match replay {
            Ok(replay) => replay,
            Err(error) => return vec![format!("cannot be replayed: {error:?}")],
        };
        let excess = replay.unused.iter().filter(|unused| unused.reason.is_none()).chain(&replay.one_sided);
        let excess = excess.map(|unused| format!("learned, and excess by the same options: {unused:?}"));
        excess.chain(replay.unisolated.iter().map(|unisolated| format!("not isolated: {unisolated:?}"))).collect()
    }

    fn is_widened(&self, own: PodId, other: Place, is_egress: bool, (protocol, port): (Protocol, u16)) -> bool {
        let pod = |id: PodId| &self.world.pods[id.0 as usize];
        let direction = if is_egress { Direction::Egress } else { Direction::Ingress };
        self.run.learned.set.widenings.iter().any(|widening| {
            let holds = |address: &IpAddr| {
                let mut blocks = widening.blocks.iter();
                blocks.any(|block| block.cidr.contains(address) && !block.except.iter().any(|hole| hole.contains(address)))
            };
            let is_other = match other {
                Place::Pod(id) => widening.workloads.contains(&pod(id).workload) || pod(id).addresses.iter().any(holds),
                Place::Address(address) => holds(&address),
            };
            let is_port =
                |known: &PolicyPort| known.protocol() == protocol && (known.first().get()..=known.last().get()).contains(&port);
            widening.direction == direction
                && is_other
                && widening.subjects.contains(&pod(own).workload)
                && widening.ports.iter().any(is_port)
        })
    }

    /// Nothing that was not observed is allowed, but what the widenings name.
    fn unobserved(&self, random: &mut Random) -> Vec<String> {
        let mut breaches = BTreeSet::new();
        if self.world.pods.is_empty() {
            return Vec::new();
        }
        let addresses =
            ["203.0.113.3", "198.51.100.200", "10.50.0.100", "169.254.169.254", "8.8.8.8", "2001:db8::3", "192.168.1.77"];
        let ports: Vec<u16> = self.run.observation.edges.keys().map(|edge| edge.port.get()).chain([81, 65_535, 53]).collect();
        for _ in 0..150 {
            let pod = |random: &mut Random| PodId(u32::try_from(random.below(self.world.pods.len())).unwrap());
            let place = |random: &mut Random| match random.below(3) {
                0 => Place::Address(random.pick(&addresses).parse().unwrap()),
                _ => Place::Pod(pod(random)),
            };
            let (own, other, is_egress) = (pod(random), place(random), random.chance(50));
            let (from, to) = if is_egress { (Place::Pod(own), other) } else { (other, Place::Pod(own)) };
            let protocol = *random.pick(&[Protocol::Tcp, Protocol::Tcp, Protocol::Udp, Protocol::Sctp]);
            let port = *random.pick(&ports);
            let verdict = self.evaluator.verdict(from, to, protocol, port);
            let side = if is_egress { &verdict.originator } else { &verdict.responder };
            let (Side::Allowed { by } | Side::Undefined { by }) = side else { continue };
            let at = (protocol, port);
            if self.is_widened(own, other, is_egress, at) || self.is_observed(own, other, is_egress, protocol, port) {
                continue;
            }
            let rules: Vec<String> = by.iter().map(ToString::to_string).collect();
            breaches.insert(format!("not observed and allowed: {from:?} -> {to:?} {protocol} {port} by {}", rules.join(", ")));
        }
        breaches.into_iter().collect()
    }

    fn is_observed(&self, own: PodId, other: Place, is_egress: bool, protocol: Protocol, port: u16) -> bool {
        let pod = |id: PodId| &self.world.pods[id.0 as usize];
        // Pods with the same labels are told apart by nothing.
        let is_own = |party: &Party, id: PodId| {
            let Party::Workload(name) = party else { return false };
            let alike = self
                .world
                .pods()
                .filter(|(_, other)| other.labels == pod(id).labels && other.name.namespace == pod(id).name.namespace);
            let mut alike = alike.map(|(_, other)| &other.workload);
            alike.any(|workload| workload == &**name) || pod(id).workload == **name
        };
        let is_other = |party: &Party| match other {
            Place::Pod(id) => {
                is_own(party, id)
                    || self
                        .places(party)
                        .iter()
                        .any(|place| matches!(place, Place::Address(address) if pod(id).addresses.contains(address)))
            }
            Place::Address(address) => self.places(party).contains(&Place::Address(address)),
        };
        let observation = &self.run.observation;
        let dynamic = observation
            .dynamic
            .iter()
            .flat_map(|dynamic| dynamic.ports.iter().map(|port| Edge { port: *port, ..dynamic.edge.clone() }));
        observation.edges.keys().cloned().chain(dynamic).any(|edge| {
            let (subject, peer) =
                if is_egress { (&edge.originator, &edge.responder) } else { (&edge.responder, &edge.originator) };
            // All endpoints of the API server are one.
            let is_port = edge.port.get() == port || *peer == Party::ApiServer;
            edge.protocol == protocol && is_port && is_own(subject, own) && is_other(peer)
        })
    }
}
