//! Edges over time: when each was first seen, and how often.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU16;

use serde::{Deserialize, Serialize};

use super::estimate::Estimate;
use crate::edge::Observation;
use crate::inventory::{Inventory, Origin, WorkloadId};
use crate::model::{Class, Edge, Evidence, Party, Protocol, Span, Timestamp, WorkloadName};
use crate::policy::PolicySet;

/// How the discovery of edges went, in all and by namespace. Only edges of the namespaces that policies were made for count, and
/// no connections to ports picked at run time, which are no edges and have a finding of their own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Discovery {
    /// Whole seconds from the first to the last flow.
    pub seconds: u64,
    /// All edges.
    pub all: Course,
    /// Those with a side in each namespace; one between two namespaces counts in both.
    pub namespaces: BTreeMap<String, Course>,
}

/// How edges came up, and what that says of those that did not.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Course {
    /// The estimates.
    #[serde(flatten)]
    pub estimate: Estimate,
    /// How many edges were known after each tenth of the time.
    pub known: [u64; 10],
    /// When the last edge was first seen, in RFC 3339; `null` without edges.
    pub last_new: Option<String>,
    /// Whole seconds from then to the end.
    pub seconds_since_new: Option<u64>,
}

impl Discovery {
    /// From what was observed, in terms of the rules that were made.
    #[must_use]
    pub fn new(observation: &Observation, inventory: &Inventory, set: &PolicySet) -> Self {
        let Some(span) = observation.span else { return Self::default() };
        let is_whole = observation.left_out == 0;
        let together = Together::new(inventory, set);
        let mut all = Tally::new(span);
        let mut namespaces: BTreeMap<&str, Tally> =
            set.namespaces.iter().map(|namespace| (namespace.as_str(), Tally::new(span))).collect();
        let mut folded: BTreeMap<Rule<'_>, (&Edge, Use)> = BTreeMap::new();
        let mut count = |edge, usage: Use| {
            let mut is_counted = false;
            for namespace in sides(edge) {
                if let Some(tally) = namespaces.get_mut(namespace) {
                    tally.add(usage);
                    is_counted = true;
                }
            }
            if is_counted {
                all.add(usage);
            }
        };
        for (edge, evidence) in &observation.edges {
            let usage = Use::of(evidence);
            match together.rule(edge) {
                Some(rule) => folded.entry(rule).or_insert((edge, Use::NONE)).1.merge(usage),
                None => count(edge, usage),
            }
        }
        for (edge, usage) in folded.into_values() {
            count(edge, usage);
        }
        Self {
            seconds: seconds(span.length()),
            all: all.conclude(is_whole),
            namespaces: namespaces.into_iter().map(|(name, tally)| (name.to_owned(), tally.conclude(is_whole))).collect(),
        }
    }
}

/// The namespaces of an edge's sides, each once.
pub(super) fn sides(edge: &Edge) -> BTreeSet<&str> {
    let namespaces = [&edge.originator, &edge.responder].map(|party| match party {
        Party::Workload(workload) => Some(workload.namespace.as_str()),
        _ => None,
    });
    namespaces.into_iter().flatten().collect()
}

/// Edges that one rule allows together, so that a further one is nothing new.
#[derive(Debug)]
struct Together<'a> {
    /// Workloads that everyone outside may call, with the ports.
    public: BTreeSet<(&'a WorkloadName, Protocol, NonZeroU16)>,
    ids: BTreeMap<&'a WorkloadName, WorkloadId>,
    inventory: &'a Inventory,
}

/// What one rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rule<'a> {
    /// Everyone outside calls this.
    Public(&'a Party, Protocol, NonZeroU16),
    /// One asks the other for names, over UDP and TCP.
    Names(&'a Party, &'a Party),
}

impl<'a> Together<'a> {
    fn new(inventory: &'a Inventory, set: &'a PolicySet) -> Self {
        let open = set.policies.iter().map(|explained| &explained.policy).filter(|policy| policy.class == Class::Internet);
        let public = open.flat_map(|policy| {
            let ports = policy.rules.allowing().flat_map(|rule| rule.ports.iter());
            ports.filter_map(|port| Some((policy.subject.as_ref()?, port.protocol(), port.first())))
        });
        let ids = inventory.workloads().iter().zip(0..).map(|(workload, id)| (&*workload.name, WorkloadId(id))).collect();
        Self { public: public.collect(), ids, inventory }
    }

    fn rule<'e>(&self, edge: &'e Edge) -> Option<Rule<'e>> {
        let Edge { originator, responder, protocol, port } = edge;
        match (originator, responder) {
            (Party::Outside(address), Party::Workload(workload)) => {
                let is_api_server = self.inventory.api_server().iter().any(|endpoint| endpoint.address == *address);
                let is_outside = matches!(self.inventory.origin(*address), Origin::Internet | Origin::Balancer);
                let is_on_internet = !is_api_server && is_outside;
                let is_public = is_on_internet && self.public.contains(&(&**workload, *protocol, *port));
                is_public.then_some(Rule::Public(responder, *protocol, *port))
            }
            (Party::Workload(_), Party::NodeLocalDns(_)) => Some(Rule::Names(originator, responder)),
            (Party::Workload(_), Party::Workload(workload)) => {
                let ports = self.inventory.resolvers().get(self.ids.get(&**workload)?)?;
                ports.contains(&(*protocol, port.get())).then_some(Rule::Names(originator, responder))
            }
            _ => None,
        }
    }
}

/// How often edges were used, and since when.
#[derive(Clone, Copy, Debug)]
struct Use {
    connections: u64,
    first: Timestamp,
}

impl Use {
    const NONE: Self = Self { connections: 0, first: Timestamp::MAX };

    const fn of(evidence: &Evidence) -> Self {
        Self { connections: evidence.connections, first: evidence.span.first() }
    }

    fn merge(&mut self, other: Self) {
        self.connections += other.connections;
        self.first = self.first.min(other.first);
    }
}

/// Counts of edges under way.
#[derive(Debug)]
struct Tally {
    span: Span,
    connections: u64,
    edges: u64,
    once: u64,
    twice: u64,
    /// How many came up in each tenth of the time.
    new: [u64; 10],
    last_new: Option<Timestamp>,
}

impl Tally {
    const fn new(span: Span) -> Self {
        Self { span, connections: 0, edges: 0, once: 0, twice: 0, new: [0; 10], last_new: None }
    }

    fn add(&mut self, usage: Use) {
        self.connections += usage.connections;
        self.edges += 1;
        self.once += u64::from(usage.connections == 1);
        self.twice += u64::from(usage.connections == 2);
        let since = i128::from(usage.first.since(self.span.first()).max(0));
        let tenth = since * 10 / i128::from(self.span.length().max(1));
        self.new[usize::try_from(tenth).map_or(9, |tenth| tenth.min(9))] += 1;
        self.last_new = self.last_new.max(Some(usage.first));
    }

    fn conclude(self, is_whole: bool) -> Course {
        let mut known = self.new;
        for tenth in 1..known.len() {
            known[tenth] += known[tenth - 1];
        }
        Course {
            estimate: Estimate::new(self.connections, self.edges, self.once, self.twice, is_whole),
            known,
            last_new: self.last_new.map(|at| at.to_string()),
            seconds_since_new: self.last_new.map(|at| seconds(self.span.last().since(at))),
        }
    }
}

/// Whole seconds.
pub(super) fn seconds(nanoseconds: i64) -> u64 {
    u64::try_from(nanoseconds / 1_000_000_000).unwrap_or(0)
}
