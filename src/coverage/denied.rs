//! Attempts that failed because policies that are in the cluster deny them.
//!
//! In: what was observed, and the inventory with its NetworkPolicies. Out: the same observation, where such attempts are said to be
//! denied by policy, and are no longer among those that nobody answered. Wrong where a policy was written after the capture was
//! taken.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::networking::v1::NetworkPolicy;

use crate::edge::{FlowClass, Observation};
use crate::inventory::Inventory;
use crate::model::{Code, Edge};
use crate::verify::{self, ClusterView, PolicyName, Why};

/// Finds the attempts that policies of the cluster deny. One-way UDP that they deny is no edge either: what nobody answers is believed
/// because it is repeated, and a program that is denied repeats itself too.
pub fn attribute_denials(observation: &mut Observation, inventory: &Inventory) {
    let edges: BTreeSet<Edge> =
        observation.failed.iter().flat_map(|failed| &failed.edges).chain(observation.one_way.keys()).cloned().collect();
    let denials = denials(&edges, inventory);
    if denials.is_empty() {
        return;
    }
    let mut replaced: BTreeSet<(Code, String)> = BTreeSet::new();
    let mut found: BTreeMap<(String, String), u64> = BTreeMap::new();
    for failed in &observation.failed {
        let by: Option<Vec<&BTreeSet<PolicyName>>> = failed.edges.iter().map(|edge| denials.get(edge)).collect();
        // A call to a Service failed for this reason if each of its backends is denied.
        let Some(by) = by else { continue };
        let message = message(failed.code, by.into_iter().flatten());
        *found.entry((failed.subject.clone(), message)).or_default() += failed.attempts;
        replaced.insert((failed.code, failed.subject.clone()));
        let (class, counted) = failed.counted;
        observation.classes.reclassify(class, FlowClass::DeniedByPolicy, counted);
    }
    for (edge, counted) in &observation.one_way {
        let Some(by) = denials.get(edge) else { continue };
        let Some(evidence) = observation.edges.remove(edge) else { continue };
        let message = message(Code::OneWayUdp, by);
        *found.entry((edge.to_string(), message)).or_default() += evidence.connections;
        replaced.insert((Code::OneWayUdp, edge.to_string()));
        observation.classes.reclassify(FlowClass::Edge, FlowClass::DeniedByPolicy, *counted);
    }
    observation.one_way.retain(|edge, _| !denials.contains_key(edge));
    observation.findings.extract(|finding| replaced.contains(&(finding.code, finding.subject.clone())));
    for ((subject, message), attempts) in found {
        observation.findings.add_many(Code::DeniedByPolicy, subject, message, attempts);
    }
}

/// What the policies of the cluster deny of these edges, and which policies do. One that cannot be evaluated says nothing.
fn denials(edges: &BTreeSet<Edge>, inventory: &Inventory) -> BTreeMap<Edge, BTreeSet<PolicyName>> {
    let policies: Vec<&NetworkPolicy> =
        inventory.existing_policies().iter().filter(|policy| verify::check(policy).is_ok()).collect();
    if edges.is_empty() || policies.is_empty() {
        return BTreeMap::new();
    }
    let namespaces = policies.iter().filter_map(|policy| policy.metadata.namespace.clone()).collect();
    let world = ClusterView::from_inventory(inventory);
    let denied = verify::denied(policies, &world, edges, &namespaces).unwrap_or_default();
    let mut denials: BTreeMap<Edge, BTreeSet<PolicyName>> = BTreeMap::new();
    for denied in denied {
        if let Why::NoRule { isolated_by, .. } = denied.why {
            denials.entry(denied.edge).or_default().extend(isolated_by);
        }
    }
    denials
}

fn message<'n>(code: Code, by: impl IntoIterator<Item = &'n PolicyName>) -> String {
    let names: BTreeSet<String> = by.into_iter().map(ToString::to_string).collect();
    let names = names.into_iter().collect::<Vec<_>>().join(", ");
    let failed = if code == Code::RefusedConnection { "was refused" } else { "was not answered" };
    format!("{failed}, and no policy of the cluster allows it: isolated by {names}")
}
