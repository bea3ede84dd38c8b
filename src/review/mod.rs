//! What was seen and may not have been meant: attacks, debugging sessions, mistakes; and what reviewers decided ([`decisions`]).
//!
//! In: an [`Observation`], the [`Inventory`], the namespaces that policies are made for, and the edges that somebody has accepted. Out:
//! for each edge the [`Reason`]s to doubt it, as findings and, where it is asked for, a [`Quarantine`] of the edges that have one; those
//! to the cloud's credentials, and those that only a pod that forwards for others shows, are in it in any case.
//! Guaranteed: what the rest of the tool relies on is never doubted (name resolution by the cluster's own resolver); the order in
//! which traffic was read makes no difference; an edge that was accepted has no reason.
//!
//! All rules are about oddity, not about guilt, and none knows what was meant; each says when it is wrong. What a cluster does all day
//! must not be among them, or nobody reads them: so the rules about rarity ([`OneOff`](Reason::OneOff),
//! [`FirstAcross`](Reason::FirstAcross)) say nothing where too little was seen to tell rare from usual.

pub mod decisions;

mod cross_namespace;
mod quarantine;
mod rarity;
mod scans;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use crate::edge::Observation;
use crate::inventory::{Inventory, WorkloadId};
use crate::model::{Code, Edge, Evidence, Findings, Party, Protocol, WorkloadName};
use cross_namespace::Crossings;
use rarity::Habits;
use scans::Scans;

pub use quarantine::{Quarantine, Reasons};

/// DNS, also over TCP (RFC 7766); DNS over TLS (RFC 7858) and QUIC (RFC 9250). DNS over HTTPS looks like any other HTTPS.
const DNS_PORTS: [u16; 2] = [53, 853];

/// Why an edge is doubted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// It leads to the metadata service. Wrong for the few workloads that get their credentials there by design.
    Metadata,
    /// All of its connections passed a pod that forwards for others, and nothing else says that they are not its own. Wrong for
    /// VPNs, proxies that keep addresses, virtual machines and routers to other networks that are there by design.
    Forwarded,
    /// It was first used when its originator had begun to try ports and addresses; in vain, mostly.
    Scan {
        /// At how many it tried in vain.
        targets: u64,
    },
    /// It was used once, by an originator that otherwise does other things.
    OneOff {
        /// How many connections it was seen against: those the originator made elsewhere, or those of its namespace for a pod that
        /// nothing owns.
        others: u64,
    },
    /// It leads outside, and no pod of the workload asked for the address by name, although they were seen to ask for others. Wrong
    /// for addresses fixed in a configuration, and for programs that asked before the capture began; so what was under way when it
    /// began has this reason never, and a workload whose name resolution was not captured neither: of those it cannot be told.
    NeverAsked,
    /// It asks for names at somebody else than the cluster's resolver, its cache on the node, or a workload that declares to be a
    /// resolver; resolvers themselves may. Wrong for pods with `dnsPolicy: Default` or `None`, whose resolver is meant to be another.
    ForeignResolver,
    /// It is the only edge between two namespaces, and a late one.
    FirstAcross {
        /// How many connections of the two namespaces came before it.
        before: u64,
    },
}

impl Reason {
    /// Whether the edge gets no rule before somebody has decided on it, whatever the run was asked for.
    #[must_use]
    pub const fn needs_decision(self) -> bool {
        matches!(self, Self::Metadata | Self::Forwarded)
    }

    /// The finding that says so.
    #[must_use]
    pub const fn code(self) -> Code {
        match self {
            Self::Metadata => Code::MetadataAddress,
            Self::Forwarded => Code::ForwardingPod,
            Self::Scan { .. } => Code::FoundByScan,
            Self::OneOff { .. } => Code::OneOffConnection,
            Self::NeverAsked => Code::NeverAskedByName,
            Self::ForeignResolver => Code::ForeignResolver,
            Self::FirstAcross { .. } => Code::FirstAcrossNamespaces,
        }
    }
}

/// The rest of a sentence that begins with the edge.
impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Metadata => formatter.write_str("leads to the service that hands out the cloud's credentials"),
            Self::Forwarded => formatter.write_str("was seen only through a pod that forwards for others"),
            Self::Scan { targets } => {
                write!(
                    formatter,
                    "was first used while its originator looked around: it tried {targets} ports and addresses in vain"
                )
            }
            Self::OneOff { others } => write!(formatter, "was used once, beside {others} other connections"),
            Self::NeverAsked => formatter.write_str("leads to an address that was never asked for by name"),
            Self::ForeignResolver => formatter.write_str("asks for names elsewhere than at the cluster's resolver"),
            Self::FirstAcross { before } => {
                write!(formatter, "is the only one between these namespaces, after {before} other connections of theirs")
            }
        }
    }
}

/// What there is to doubt edges by.
#[derive(Debug)]
pub struct Suspicions<'a> {
    inventory: &'a Inventory,
    subjects: &'a BTreeSet<String>,
    accepted: BTreeSet<Edge>,
    ids: BTreeMap<&'a WorkloadName, WorkloadId>,
    asked: BTreeMap<WorkloadId, BTreeSet<IpAddr>>,
    scans: Scans,
    habits: Habits,
    crossings: Crossings,
}

impl<'a> Suspicions<'a> {
    /// From what was observed, for edges with a side in one of the namespaces. What was `accepted` is not doubted.
    #[must_use]
    pub fn new(
        observation: &Observation,
        inventory: &'a Inventory,
        subjects: &'a BTreeSet<String>,
        accepted: BTreeSet<Edge>,
    ) -> Self {
        let ids = inventory.workloads().iter().zip(0..).map(|(workload, id)| (&*workload.name, WorkloadId(id))).collect();
        let mut this = Self {
            inventory,
            subjects,
            accepted,
            ids,
            asked: observation.asked.clone(),
            scans: Scans::new(observation),
            habits: Habits::default(),
            crossings: Crossings::default(),
        };
        let is_meant = |(edge, _): &(&Edge, &Evidence)| !this.is_resolution(edge);
        let edges: Vec<(&Edge, &Evidence)> = observation.edges.iter().filter(is_meant).collect();
        let (habits, crossings) = (Habits::new(&edges, observation.span), Crossings::new(&edges, observation));
        (this.habits, this.crossings) = (habits, crossings);
        this
    }

    /// Why this edge is doubted; empty for most.
    #[must_use]
    pub fn reasons(&self, edge: &Edge, evidence: &Evidence) -> BTreeSet<Reason> {
        if !self.is_subject(edge) || self.accepted.contains(edge) {
            return BTreeSet::new();
        }
        let forwarded = evidence.is_forwarded().then_some(Reason::Forwarded);
        if self.is_resolution(edge) {
            return forwarded.into_iter().collect();
        }
        let reasons = [
            forwarded,
            matches!(edge.responder, Party::Metadata(_)).then_some(Reason::Metadata),
            self.scans.reason(edge, evidence),
            self.habits.reason(edge, evidence).filter(|_| !self.is_exposed(edge)),
            self.is_never_asked(edge, evidence).then_some(Reason::NeverAsked),
            self.is_foreign_resolution(edge).then_some(Reason::ForeignResolver),
            self.crossings.reason(edge).filter(|_| !self.is_exposed(edge)),
        ];
        reasons.into_iter().flatten().collect()
    }

    /// One finding for each edge and reason.
    #[must_use]
    pub fn findings(&self, observation: &Observation) -> Findings {
        let mut findings = Findings::default();
        let dynamic = observation.dynamic.iter().map(|dynamic| (&dynamic.edge, &dynamic.evidence));
        for (edge, evidence) in observation.edges.iter().chain(dynamic) {
            for reason in self.reasons(edge, evidence) {
                match reason {
                    Reason::Metadata => tell_metadata(&mut findings, edge, evidence, self.inventory),
                    Reason::Forwarded => tell_forwarded(&mut findings, edge, evidence),
                    _ => findings.add(reason.code(), edge.to_string(), reason.to_string()),
                }
            }
        }
        findings
    }

    /// The findings alone about edges on which somebody has to decide.
    #[must_use]
    pub fn undecided(&self, observation: &Observation) -> Findings {
        let mut findings = Findings::default();
        for (edge, evidence) in &observation.edges {
            let reasons = self.reasons(edge, evidence);
            if reasons.contains(&Reason::Metadata) {
                tell_metadata(&mut findings, edge, evidence, self.inventory);
            }
            if reasons.contains(&Reason::Forwarded) {
                tell_forwarded(&mut findings, edge, evidence);
            }
        }
        findings
    }

    fn is_subject(&self, edge: &Edge) -> bool {
        [&edge.originator, &edge.responder]
            .into_iter()
            .any(|party| matches!(party, Party::Workload(workload) if self.subjects.contains(&workload.namespace)))
    }

    fn id(&self, party: &Party) -> Option<WorkloadId> {
        let Party::Workload(workload) = party else { return None };
        self.ids.get(&**workload).copied()
    }

    /// Whether everybody may call, on purpose: then it is not odd that somebody does (an ingress controller, a neighbour).
    fn is_exposed(&self, edge: &Edge) -> bool {
        let port = (edge.protocol, edge.port.get());
        self.id(&edge.responder).is_some_and(|id| self.inventory.exposed_ports(id).contains(&port))
    }

    /// Whether this is the cluster's own name resolution, which every pod needs.
    fn is_resolution(&self, edge: &Edge) -> bool {
        let port = (edge.protocol, edge.port.get());
        match &edge.responder {
            Party::NodeLocalDns(_) => true,
            responder => {
                let ports = self.id(responder).and_then(|id| self.inventory.resolvers().get(&id));
                ports.is_some_and(|ports| ports.contains(&port))
            }
        }
    }

    fn is_never_asked(&self, edge: &Edge, evidence: &Evidence) -> bool {
        let Party::Outside(address) = edge.responder else { return false };
        let asked = self.id(&edge.originator).and_then(|id| self.asked.get(&id));
        asked.is_some_and(|asked| !asked.contains(&address))
            // Behind a Service without pods there may be an outside address, and what was asked for is the Service's.
            && evidence.services().next().is_none()
            && evidence.connections > evidence.mid_stream
            // A resolver is always known by its address.
            && !DNS_PORTS.contains(&edge.port.get())
    }

    fn is_foreign_resolution(&self, edge: &Edge) -> bool {
        let is_dns = edge.protocol != Protocol::Sctp && DNS_PORTS.contains(&edge.port.get());
        if !is_dns || !matches!(edge.originator, Party::Workload(_)) || self.is_resolver(&edge.originator) {
            return false;
        }
        match &edge.responder {
            Party::Outside(_) => true,
            Party::Node(node) => !self.is_resolver_at(node.address),
            responder @ Party::Workload(_) => !self.is_resolver(responder),
            Party::ApiServer | Party::Metadata(_) | Party::NodeLocalDns(_) => false,
        }
    }

    /// Whether a resolver has this address of a node, in whose network it runs.
    fn is_resolver_at(&self, address: IpAddr) -> bool {
        let resolvers = (0..).map(WorkloadId).zip(self.inventory.workloads()).filter(|(id, _)| self.resolves(*id));
        let mut pods = resolvers.flat_map(|(_, workload)| workload.pods.iter().map(|&pod| self.inventory.pod(pod)));
        pods.any(|pod| pod.addresses.contains(&address))
    }

    /// Whether it resolves names for the cluster, or declares that it resolves names for somebody.
    fn is_resolver(&self, party: &Party) -> bool {
        self.id(party).is_some_and(|id| self.resolves(id))
    }

    fn resolves(&self, id: WorkloadId) -> bool {
        let ports = || [Protocol::Udp, Protocol::Tcp].into_iter().flat_map(|protocol| DNS_PORTS.map(|port| (protocol, port)));
        let declares = || ports().any(|(protocol, port)| self.inventory.workload_declares(id, protocol, port));
        self.inventory.resolvers().contains_key(&id) || declares()
    }
}

/// Says who called the metadata service, with the entry of a decisions file that settles it.
fn tell_metadata(findings: &mut Findings, edge: &Edge, evidence: &Evidence, inventory: &Inventory) {
    let (Party::Workload(workload), Party::Metadata(address)) = (&edge.originator, &edge.responder) else { return };
    let (port, entry) = (format!("{} {}", edge.protocol, edge.port), entry(edge));
    let cloud = inventory.cloud_of(*address).map_or_else(String::new, |cloud| format!(" of {cloud}"));
    let message = format!("called {address}{cloud} on {port}; decide by accept or reject: - {entry}");
    findings.add_many(Code::MetadataAddress, workload.to_string(), message, evidence.connections);
}

/// Says what a pod brought that forwards for others, with the entry of a decisions file that settles it.
fn tell_forwarded(findings: &mut Findings, edge: &Edge, evidence: &Evidence) {
    let message = format!("{}; decide by accept or reject: - {}", Reason::Forwarded, entry(edge));
    findings.add_many(Code::ForwardingPod, edge.to_string(), message, evidence.connections);
}

/// The entry of a decisions file that means an edge.
fn entry(edge: &Edge) -> String {
    let party = |party: &Party| match party {
        Party::Workload(_) | Party::ApiServer => party.to_string(),
        Party::Node(node) => format!("node {}", node.name),
        Party::Metadata(address) | Party::NodeLocalDns(address) | Party::Outside(address) => format!("'{address}'"),
    };
    let (from, to) = (party(&edge.originator), party(&edge.responder));
    format!("{{from: {from}, to: {to}, port: {} {}, reason: WHY}}", edge.protocol, edge.port)
}

/// Whether a workload is a run that comes to its end: what it does once it does as often as it is meant to.
fn is_run(workload: &WorkloadName) -> bool {
    ["Job", "CronJob"].contains(&workload.kind.0.as_str())
}
