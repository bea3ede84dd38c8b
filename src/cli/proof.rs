//! The proof of what was made, against what was observed.

use std::collections::BTreeSet;

use k8s_openapi::api::networking::v1::NetworkPolicy;

use crate::decision::Rejected;
use crate::edge::Observation;
use crate::emit::{self, review};
use crate::inventory::Inventory;
use crate::model::{Edge, WorkloadName};
use crate::policy::{self, PolicySet};
use crate::suspicion::Reasons;
use crate::verify::{self, Direction, PolicyName, Reason, Terms, Widened, World};

use super::failure::Failure;

/// Checks the policies against what was observed and not rejected, by an evaluator that shares no code with their making: alone, against
/// all but what is in quarantine; and together with those in quarantine, against all.
pub(super) fn prove(
    observation: &Observation,
    inventory: &Inventory,
    (set, quarantined): (&PolicySet, &PolicySet),
    reasons: &Reasons,
    rejected: &Rejected,
) -> Result<(review::Proof, review::Quarantine), Failure> {
    let world = World::from_inventory(inventory);
    let is_free = |edge: &&Edge| !set.inexpressible.contains(edge) && !rejected.contains(edge);
    let edges = observation.edges.keys().filter(is_free).filter(|edge| !reasons.contains_key(edge));
    let proof = verify::prove(written(set), &world, edges.clone(), &terms(set, &[]))?;
    let denied: BTreeSet<&Edge> = proof.denied.iter().map(|denied| &denied.edge).collect();
    let widened: BTreeSet<String> = proof.widened.iter().map(widened).collect();
    let mut told = review::Proof {
        allowed: count(edges.count() - denied.len()),
        rejected: count(observation.edges.keys().filter(|edge| rejected.contains(edge)).count()),
        quarantined: count(observation.edges.keys().filter(|edge| reasons.contains_key(edge)).count()),
        denied: proof.denied.iter().map(ToString::to_string).collect(),
        excess: proof.excess.iter().map(ToString::to_string).chain(proof.unisolated.iter().map(unisolated)).collect(),
        widened: widened.into_iter().collect(),
    };
    let denied = verify::denied(written(set), &world, reasons.keys(), &set.namespaces)?;
    let denied: BTreeSet<Edge> = denied.into_iter().map(|denied| denied.edge).collect();
    let quarantine = review::Quarantine::new(reasons, |edge| denied.contains(edge), &quarantined.policies);
    if !reasons.is_empty() {
        let edges = observation.edges.keys().filter(is_free).filter(|edge| !quarantined.inexpressible.contains(edge));
        let proof = verify::prove(written(set).chain(written(quarantined)), &world, edges, &terms(set, &[quarantined]))?;
        let with = |breach: String| format!("with the quarantine, {breach}");
        told.denied.extend(proof.denied.iter().map(|denied| with(denied.to_string())));
        told.excess.extend(proof.excess.iter().map(|excess| with(excess.to_string())));
    }
    Ok((told, quarantine))
}

/// The policies as the API has them, one by one: of many, all together would be heavier than the rest of a run.
fn written(set: &PolicySet) -> impl Iterator<Item = NetworkPolicy> {
    set.policies.iter().map(|explained| emit::manifest::write(&explained.policy))
}

/// What the makers admit.
fn terms(set: &PolicySet, further: &[&PolicySet]) -> Terms {
    let widening = |widening: &policy::Widening| {
        let policy = PolicyName { namespace: widening.namespace.clone(), name: widening.name.clone() };
        let whole = verify::Widening::whole(policy, widening.reason.clone());
        verify::Widening { workloads: widening.workloads.clone(), addresses: widening.addresses, ..whole }
    };
    let widenings = [set].into_iter().chain(further.iter().copied()).flat_map(|set| &set.widenings);
    Terms { subjects: Some(set.namespaces.clone()), widenings: widenings.map(widening).collect() }
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

fn unisolated((workload, direction): &(WorkloadName, Direction)) -> String {
    format!("{direction} of {workload} is not isolated")
}
