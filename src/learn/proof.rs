//! The proof of what was made, against what was observed.

use std::collections::BTreeSet;

use k8s_openapi::api::networking::v1::NetworkPolicy;

use crate::edge::Observation;
use crate::model::{Edge, Findings, WorkloadName};
use crate::output::{self, report};
use crate::policy::{PolicyOptions, PolicySet};
use crate::review::Reasons;
use crate::review::decisions::Rejected;
use crate::verify::{self, ClusterView, Direction, PolicyError, Reason, Terms, Widened};

use super::withhold::{Settled, settle};

/// What was observed, by what is to become of it.
pub(super) struct Seen<'a> {
    /// What is to be allowed.
    kept: Vec<&'a Edge>,
    /// What is in quarantine.
    doubted: Vec<&'a Edge>,
    /// How many edges of the observation are among `kept`; its ports picked at run time come after them.
    kept_edges: usize,
    /// How many edges of the observation are among `doubted`.
    doubted_edges: usize,
    /// How many edges of the observation are rejected.
    rejected_edges: usize,
}

/// Connections to ports picked at run time, an edge for each port. None without the option: no rule is made of them then, and a
/// finding says so.
pub(super) fn dynamic_edges(observation: &Observation, options: &PolicyOptions) -> Vec<(Edge, Edge)> {
    let dynamic = observation.dynamic.iter().filter(|_| options.allows_port_ranges);
    let edges = dynamic
        .flat_map(|dynamic| dynamic.ports.iter().map(|&port| (Edge { port, ..dynamic.edge.clone() }, dynamic.edge.clone())));
    edges.collect()
}

impl<'a> Seen<'a> {
    /// `dynamic` are the [`dynamic_edges`], each with the edge by which all ports of its pair are known.
    pub(super) fn new(observation: &'a Observation, dynamic: &'a [(Edge, Edge)], reasons: &Reasons, rejected: &Rejected) -> Self {
        let is_free = |edge: &&Edge| !rejected.contains(edge);
        let edges = observation.edges.keys().filter(is_free);
        let (mut doubted, mut kept): (Vec<&Edge>, Vec<&Edge>) = edges.partition(|edge| reasons.contains_key(edge));
        let (kept_edges, doubted_edges) = (kept.len(), doubted.len());
        let rejected_edges = observation.edges.len() - kept_edges - doubted_edges;
        for (edge, pair) in dynamic.iter().filter(|(edge, _)| is_free(&edge)) {
            if reasons.contains_key(pair) { doubted.push(edge) } else { kept.push(edge) }
        }
        Self { kept, doubted, kept_edges, doubted_edges, rejected_edges }
    }
}

/// Proves the policies by an evaluator that shares no code with their making, and leaves out what cannot be proved: those to be applied
/// alone, against all but what is in quarantine; and together with those in quarantine, against all.
pub(super) fn prove(
    seen: &Seen<'_>,
    world: &ClusterView,
    (set, quarantined): (&mut PolicySet, &mut PolicySet),
    reasons: &Reasons,
    findings: &mut Findings,
) -> Result<(report::Proof, report::Quarantine), PolicyError> {
    let Settled { proof, mut withheld, left } = settle(set, None, &seen.kept, world)?;
    let widened: BTreeSet<String> = proof.widened.iter().map(widened).collect();
    let is_denied = |edge: &&Edge| set.inexpressible.contains(edge) || withheld.edges.contains_key(*edge);
    let mut told = report::Proof {
        allowed: count(seen.kept[..seen.kept_edges].iter().filter(|edge| !is_denied(edge)).count()),
        rejected: count(seen.rejected_edges),
        quarantined: count(seen.doubted_edges),
        denied: Vec::new(),
        excess: left,
        widened: widened.into_iter().collect(),
        withheld: Vec::new(),
    };
    let denied = verify::denied(written(set), world, reasons.keys(), &set.namespaces)?;
    let denied: BTreeSet<Edge> = denied.into_iter().map(|denied| denied.edge).collect();
    if !reasons.is_empty() {
        let all: Vec<&Edge> = seen.kept.iter().chain(&seen.doubted).copied().collect();
        let Settled { withheld: further, left, .. } = settle(quarantined, Some((set, &withheld)), &all, world)?;
        withheld.merge(further);
        if !left.is_empty() {
            // What is to be applied is proved alone, and stays.
            quarantined.policies.clear();
            withheld.leave_quarantine(&left);
        }
    }
    told.withheld = withheld.edges.keys().map(ToString::to_string).collect();
    findings.merge(withheld.findings());
    let quarantine = report::Quarantine::new(reasons, |edge| denied.contains(edge), &quarantined.policies);
    Ok((told, quarantine))
}

/// The policies as the API has them, one by one: of many, all together would be heavier than the rest of a run.
pub(super) fn written(set: &PolicySet) -> impl Iterator<Item = NetworkPolicy> {
    set.policies.iter().map(|explained| output::manifest::write(&explained.policy))
}

/// What the policies may allow beyond what was seen.
pub(super) fn terms<'a>(subjects: &BTreeSet<String>, sets: impl IntoIterator<Item = &'a PolicySet>) -> Terms {
    let widenings = sets.into_iter().flat_map(|set| &set.widenings).cloned().collect();
    Terms { subjects: Some(subjects.clone()), widenings }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// The policies that say more than what was seen, and why; not every address of theirs.
fn widened(widened: &Widened) -> String {
    let policies: BTreeSet<String> = widened.excess.by.iter().map(|rule| rule.policy.to_string()).collect();
    let reason = match &widened.reason {
        Reason::SameLabels => "workloads with the same labels",
        Reason::Stated(reason) => reason,
    };
    format!("{}: {reason}", policies.into_iter().collect::<Vec<_>>().join(", "))
}

pub(super) fn unisolated((workload, direction): &(WorkloadName, Direction)) -> String {
    format!("{direction} of {workload} is not isolated")
}
