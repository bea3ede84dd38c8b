//! What a reviewer rejected, and what is in quarantine: neither the policies made nor those of the cluster may let it through unsaid.

use std::collections::BTreeSet;

use k8s_openapi::api::networking::v1::NetworkPolicy;

use crate::inventory::Inventory;
use crate::model::{Code, Edge, Findings};
use crate::policy::PolicySet;
use crate::review::Reasons;
use crate::review::decisions::{DecisionError, Rejected};
use crate::verify::{self, ClusterView, PolicyError, PolicyName};

use super::LearnError;
use super::proof::written;

/// Checks that the policies, also together with those in quarantine, deny what is rejected.
///
/// # Errors
/// The first edge that the policies let through themselves.
pub(super) fn check(
    (set, quarantined): (&PolicySet, &PolicySet),
    world: &ClusterView,
    rejected: &Rejected,
) -> Result<(), LearnError> {
    if rejected.is_empty() {
        return Ok(());
    }
    let policies: Vec<NetworkPolicy> = written(set).chain(written(quarantined)).collect();
    let edges = rejected.edges().map(|(edge, _)| edge);
    if let Some(first) = verify::admitted(&policies, world, edges)?.first()
        && let Some(rejection) = rejected.get(&first.edge)
    {
        let (line, what) = (rejection.decision.line, Box::new(rejection.decision.what.clone()));
        let (edge, by) = (Box::new(first.edge.clone()), first.to_string());
        return Err(DecisionError::Reallowed { line, what, edge, by }.into());
    }
    Ok(())
}

/// Which policies that the cluster has and that stay there let through what is rejected or in quarantine. Policies add up, also those of
/// an earlier run that this one no longer makes: they stay until someone deletes them.
pub(super) fn still_allowed(
    set: &PolicySet,
    inventory: &Inventory,
    world: &ClusterView,
    rejected: &Rejected,
    reasons: &Reasons,
) -> Result<Findings, PolicyError> {
    let mut findings = Findings::default();
    if inventory.existing_policies().is_empty() || rejected.is_empty() && reasons.is_empty() {
        return Ok(findings);
    }
    let mut policies: Vec<NetworkPolicy> = written(set).collect();
    // What is allowed on purpose all the same, by what is widened, is said elsewhere.
    let own: BTreeSet<Edge> =
        verify::admitted(&policies, world, reasons.keys())?.into_iter().map(|admitted| admitted.edge).collect();
    let names: BTreeSet<_> =
        policies.iter().map(|policy| (policy.metadata.namespace.clone(), policy.metadata.name.clone())).collect();
    let is_made = |policy: &NetworkPolicy| names.contains(&(policy.metadata.namespace.clone(), policy.metadata.name.clone()));
    let stays = |policy: &&NetworkPolicy| !is_made(policy) && verify::check(policy).is_ok();
    policies.extend(inventory.existing_policies().iter().filter(stays).cloned());
    let edges = rejected.edges().map(|(edge, _)| edge).chain(reasons.keys().filter(|edge| !own.contains(edge)));
    for admitted in verify::admitted(&policies, world, edges)? {
        let why = if rejected.contains(&admitted.edge) { "rejected by decision" } else { "in quarantine" };
        let by: BTreeSet<&PolicyName> = admitted.by.iter().map(|rule| &rule.policy).collect();
        let is_old = |policy: &&&PolicyName| !names.contains(&(Some(policy.namespace.clone()), Some(policy.name.clone())));
        for policy in by.iter().filter(is_old) {
            let message = format!("would still let {} through, which is {why}", admitted.edge);
            findings.add(Code::ExistingPolicy, policy.to_string(), message);
        }
    }
    Ok(findings)
}
