//! Learns from the first part of what was observed and asks what that would have done to the rest.

use std::collections::BTreeSet;

use crate::coverage::{BackTest, split};
use crate::edge::Observation;
use crate::inventory::Inventory;
use crate::model::Edge;
use crate::output;
use crate::policy::{self, PolicyOptions};
use crate::verify::{self, ClusterView, PolicyError};

/// The back-test figure; nothing where time or room were too short for one. The observation is afterwards what it was.
///
/// # Errors
/// The first policy of the first part that is malformed.
pub fn back_test(
    observation: &mut Observation,
    inventory: &Inventory,
    options: &PolicyOptions,
) -> Result<Option<BackTest>, PolicyError> {
    let subjects = policy::subjects(inventory, options);
    let Some(split) = split(observation, |namespace| subjects.contains(namespace)) else { return Ok(None) };
    let mut denied: BTreeSet<Edge> = BTreeSet::new();
    if !split.later.is_empty() {
        let set = policy::make(observation, inventory, options);
        let manifests = set.policies.iter().map(|explained| output::manifest::write(&explained.policy));
        // One that no API server would take would allow nothing.
        let manifests = manifests.filter(|policy| verify::check(policy).is_ok());
        let judged = verify::denied(manifests, &ClusterView::from_inventory(inventory), split.later.keys(), &subjects)?;
        denied = judged.into_iter().map(|denied| denied.edge).collect();
    }
    Ok(Some(split.conclude(observation, |edge| denied.contains(edge))))
}
