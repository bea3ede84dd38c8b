//! Edges from one namespace to another.
//!
//! A namespace is mostly a team or an environment, so a call across is an agreement between two; staging that reads the database of
//! prod is none. Agreements are kept all day: they are seen early, often, and for several workloads. So a first one is an edge that is
//!
//! - the only one between its two namespaces, in either direction, with [`RARE`] connections or fewer;
//! - late: it was first used in the second half of the capture, after [`SETTLED`] connections of the two namespaces, none of which went
//!   across. By the rule of succession the chance of the next one going there is then less than one in [`SETTLED`];
//! - between namespaces of which neither is there for others: one that calls into or is called from further namespaces (monitoring,
//!   ingress controllers, a shared service) calls another one day too. The system's namespaces always are.
//!
//! Wrong for what is new and meant: a call that a release in the middle of the capture brought, or one that happens once a day. Jobs
//! and CronJobs are left out: they call when they are due; so are ports that are exposed to the outside on purpose.

use std::collections::{BTreeMap, BTreeSet};

use super::{Reason, is_run};
use crate::edge::Observation;
use crate::model::{Edge, Evidence, Party, Timestamp};

/// Called more often than this, it is in use.
const RARE: u64 = 3;
/// Fewer connections than this do not tell what two namespaces do.
const SETTLED: u64 = 10;

/// The edges that are the first between two namespaces.
#[derive(Clone, Debug, Default)]
pub(super) struct Crossings {
    /// With how many connections of the two came before.
    firsts: BTreeMap<Edge, u64>,
}

impl Crossings {
    /// From all edges but those of name resolution.
    pub(super) fn new(edges: &[(&Edge, &Evidence)], observation: &Observation) -> Self {
        let Some(span) = observation.span else { return Self::default() };
        let half = span.first().plus(span.length() / 2);
        let mut between: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        let mut neighbours: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (edge, _) in edges {
            if let Some((one, other)) = namespaces(edge) {
                *between.entry((one.min(other), one.max(other))).or_default() += 1;
                for (one, other) in [(one, other), (other, one)] {
                    if !is_system(other) {
                        neighbours.entry(one).or_default().insert(other);
                    }
                }
            }
        }
        let is_only = |one: &str, other: &str| between.get(&(one.min(other), one.max(other))) == Some(&1);
        let is_for_others =
            |namespace: &str| is_system(namespace) || neighbours.get(namespace).is_some_and(|neighbours| neighbours.len() > 1);
        let first = |(edge, evidence): &(&Edge, &Evidence)| {
            let (one, other) = namespaces(edge)?;
            let at = evidence.span.first();
            let is_late = at >= half && evidence.mid_stream == 0;
            let is_rare = evidence.connections <= RARE && !is_of_run(edge);
            if !is_late || !is_rare || !is_only(one, other) || is_for_others(one) || is_for_others(other) {
                return None;
            }
            let of_both = |namespace: &str| [one, other].contains(&namespace);
            let since = |at| observation.arrivals.since(at, of_both);
            let before = since(Timestamp::MIN).saturating_sub(since(observation.arrivals.boundary(at)));
            (before >= SETTLED).then(|| ((*edge).clone(), before))
        };
        Self { firsts: edges.iter().filter_map(first).collect() }
    }

    pub(super) fn reason(&self, edge: &Edge) -> Option<Reason> {
        self.firsts.get(edge).map(|&before| Reason::FirstAcross { before })
    }
}

/// The namespaces of an edge that leads from one to another.
fn namespaces(edge: &Edge) -> Option<(&str, &str)> {
    match (&edge.originator, &edge.responder) {
        (Party::Workload(one), Party::Workload(other)) if one.namespace != other.namespace => {
            Some((&one.namespace, &other.namespace))
        }
        _ => None,
    }
}

/// Whether it is one of Kubernetes itself, to which names with this beginning are reserved.
fn is_system(namespace: &str) -> bool {
    namespace.starts_with("kube-")
}

fn is_of_run(edge: &Edge) -> bool {
    matches!(&edge.originator, Party::Workload(workload) if is_run(workload))
}
