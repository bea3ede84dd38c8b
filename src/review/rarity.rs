//! What workloads do again and again, and what one did only once.
//!
//! What a person looks for is the debugging session or the intruder: a shell in one pod, one connection to where the workload never
//! goes, and then it is over. Counting alone does not tell that: in a short capture most is seen once, whoever calls many calls some
//! of them rarely, what everybody calls is called rarely by somebody, and a pool holds one connection for days. So an edge is
//! one-off only where all of this holds:
//!
//! - It was used once, from its beginning, and not for long ([`LASTING`]).
//! - Its originator is known by what else it does: it made [`KNOWN`] other connections. A pod that nothing owns (`kubectl run`) may have
//!   no other habit; it is measured by its namespace.
//! - The two have nothing else to do with each other, in either direction, and are not replicas of one workload.
//! - The originator does not call many ([`HUB`]: an ingress controller, a scraper), and the responder is not called by several
//!   ([`SHARED`]: a queue, a server of configuration). Everybody may know the API server and still have no business there.
//! - The originator is no Job or CronJob: what these do, they do once. The port is not exposed to the outside on purpose.
//!
//! Wrong for what is rare and meant: a nightly report, a fail-over, a pool that opened one connection and left it idle. What went
//! outside is not judged here: callers and called are as many as the world, and mostly seen once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Reason, is_run};
use crate::model::{Edge, Evidence, Party, Span, WorkloadName};

/// With fewer other connections it is not known what a workload does: as many as the estimates of what is unseen ask for.
const KNOWN: u64 = 30;
/// A connection that lasted this part of the capture is held on purpose.
const LASTING: i64 = 10;
/// Whoever calls so many different workloads calls some of them rarely.
const HUB: usize = 8;
/// A workload that so many others call is there for all.
const SHARED: usize = 3;

/// Connections by who made them.
#[derive(Clone, Debug, Default)]
pub(super) struct Habits {
    length: i64,
    /// Made by each workload.
    made: BTreeMap<Arc<WorkloadName>, u64>,
    /// With a side in each namespace.
    within: BTreeMap<String, u64>,
    /// How many edges there are between two, the lesser first.
    between: BTreeMap<(Party, Party), u64>,
    calls: BTreeMap<Party, BTreeSet<Party>>,
    called_by: BTreeMap<Party, BTreeSet<Party>>,
}

impl Habits {
    /// From all edges but those of name resolution.
    pub(super) fn new(edges: &[(&Edge, &Evidence)], span: Option<Span>) -> Self {
        let mut habits = Self { length: span.map_or(0, Span::length), ..Self::default() };
        for (edge, evidence) in edges {
            let Edge { originator, responder, .. } = edge;
            let mut namespaces = BTreeSet::new();
            for party in [originator, responder] {
                if let Party::Workload(workload) = party {
                    namespaces.insert(&workload.namespace);
                }
            }
            for namespace in namespaces {
                match habits.within.get_mut(namespace) {
                    Some(known) => *known += evidence.connections,
                    None => drop(habits.within.insert(namespace.clone(), evidence.connections)),
                }
            }
            if let Party::Workload(workload) = originator {
                *habits.made.entry(Arc::clone(workload)).or_default() += evidence.connections;
                if is_judged(responder) {
                    *habits.between.entry(pair(edge)).or_default() += 1;
                    habits.calls.entry(originator.clone()).or_default().insert(responder.clone());
                    habits.called_by.entry(responder.clone()).or_default().insert(originator.clone());
                }
            }
        }
        habits
    }

    pub(super) fn reason(&self, edge: &Edge, evidence: &Evidence) -> Option<Reason> {
        let Party::Workload(originator) = &edge.originator else { return None };
        let is_once = evidence.connections == 1 && evidence.mid_stream == 0 && evidence.one_way == 0;
        let is_lasting = evidence.span.length() >= (self.length / LASTING).max(1);
        let is_with_itself = edge.originator == edge.responder;
        if !is_once || is_lasting || is_with_itself || is_run(originator) || !is_judged(&edge.responder) {
            return None;
        }
        let all = if originator.kind.0 == "Pod" { self.within.get(&originator.namespace) } else { self.made.get(originator) };
        let others = all?.checked_sub(1).filter(|others| *others >= KNOWN)?;
        let is_related = self.between.get(&pair(edge)).is_some_and(|edges| *edges > 1);
        let count = |known: &BTreeMap<Party, BTreeSet<Party>>, party| known.get(party).map_or(0, BTreeSet::len);
        let is_hub = count(&self.calls, &edge.originator) >= HUB;
        // The one in question is among them.
        let is_shared = edge.responder != Party::ApiServer && count(&self.called_by, &edge.responder) > SHARED;
        (!is_related && !is_hub && !is_shared).then_some(Reason::OneOff { others })
    }
}

const fn is_judged(responder: &Party) -> bool {
    matches!(responder, Party::Workload(_) | Party::Node(_) | Party::ApiServer)
}

fn pair(edge: &Edge) -> (Party, Party) {
    let (one, other) = (&edge.originator, &edge.responder);
    let (lesser, greater) = if one <= other { (one, other) } else { (other, one) };
    (lesser.clone(), greater.clone())
}
