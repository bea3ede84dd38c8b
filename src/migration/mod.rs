//! How to get from an open cluster to default deny, in steps that each keep what is to stay possible.
//!
//! In: policies, those that the cluster has already, the [`ClusterView`](crate::verify::ClusterView), and the [`Evidence`] that the policies rest on.
//! Out: a [`Migration`]: namespaces in the order of their evidence, strongest first, each with its steps (what allows, then the ingress
//! deny, then the egress deny), and the [`Objection`]s that stand against them: everything known to be unknown. Guarantees, held by
//! [`Migration::new`] before it hands anything out:
//!
//! - After each step a pod that is isolated in a direction has all rules of that direction that it will ever get. So no step denies
//!   what the whole set allows, whichever namespaces went before: policies isolate only pods of their own namespace.
//! - The steps add up to the policies, and take nothing away that was in the cluster before, but for namesakes.
//!
//! What allows comes first and is not without effect all the same: the first policy that selects a pod for a direction isolates it. Whom
//! that concerns each step says by name, as the evaluator sees it.
//!
//! The evidence comes from `REVIEW.json`, which `learn` writes in one go with the policies: they carry evidence in comments, for people
//! to read and to edit, and nothing of what was not seen. It holds a digest of each policy, so rules that were changed since are not taken
//! for learned ones.

mod evidence;
mod objection;
mod steps;
#[cfg(test)]
mod tests;

pub use evidence::{Evidence, Found};
pub use objection::{About, Objection, Reason, Terms};
pub use steps::{Broken, Change, Given, MigrationError, Phase, Step};

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::networking::v1::NetworkPolicy;

use crate::coverage::Course;
use crate::inventory::{Inventory, is_system_namespace};
use crate::model::{Edge, WorkloadName};
use crate::verify::{ClusterView, Direction, Missing, PolicyName};

/// What a plan is made of.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// The policies to be applied, each with the digest of its `spec`.
    pub policies: &'a BTreeMap<PolicyName, Given>,
    /// The cluster's policies; none where they are not to count.
    pub existing: &'a [NetworkPolicy],
    /// Who is who.
    pub inventory: &'a Inventory,
    /// The same as the evaluator takes it.
    pub world: &'a ClusterView,
    /// What the policies rest on; nothing if nobody knows.
    pub evidence: Option<&'a Evidence>,
    /// What the policies would deny of later traffic.
    pub denied: &'a BTreeMap<Edge, Vec<Missing>>,
    /// Files of policies that are not to be applied, by namespace.
    pub quarantined: &'a BTreeMap<String, Vec<String>>,
    /// Only these namespaces; `None` for all that have policies or pods and are not the system's.
    pub namespaces: Option<&'a BTreeSet<String>>,
}

/// The steps and what stands against them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Migration {
    /// The namespaces that have policies, in the order in which to take them.
    pub namespaces: Vec<Namespace>,
    /// What stands against all of it, or against namespaces without policies.
    pub objections: BTreeSet<Objection>,
    /// What would stand against it and was accepted.
    pub accepted: BTreeSet<Objection>,
}

/// One namespace.
#[derive(Clone, Debug, PartialEq)]
pub struct Namespace {
    /// Its name.
    pub name: String,
    /// Its steps, in order; those that have nothing to apply are left out.
    pub steps: Vec<Step>,
    /// What stands against it and its workloads.
    pub objections: BTreeSet<Objection>,
    /// What is known of its edges.
    pub course: Option<Course>,
    /// Its workloads on the pod network.
    pub workloads: BTreeSet<WorkloadName>,
    /// When its CronJobs are due: in words, and the longest time between two starts in seconds, if there is one. Not those suspended.
    pub schedules: BTreeMap<WorkloadName, (String, Option<u64>)>,
    /// The nodes that its pods run on.
    pub nodes: BTreeSet<String>,
}

impl Namespace {
    /// Whether the cluster has all of its policies as they are.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.steps.iter().all(|step| step.is_done)
    }

    /// The strongest first: the least chance that the next connection is on an edge not seen yet.
    fn strength(&self) -> impl Ord + use<> {
        let bound = self.course.as_ref().map(|course| course.estimate).filter(|estimate| estimate.unseen_chance.is_some());
        // In parts of 2^32, so that it can be compared for certain.
        let chance = bound.map_or(u128::MAX, |estimate| {
            (u128::from(estimate.seen_once.max(1)) << 32) / u128::from(estimate.connections.max(1))
        });
        let connections = self.course.as_ref().map_or(0, |course| course.estimate.connections);
        (!self.objections.is_empty(), chance, std::cmp::Reverse(connections), self.name.clone())
    }
}

impl Migration {
    /// Plans.
    ///
    /// # Errors
    /// A policy is malformed, or a step would break the promise, which is a defect of this program.
    pub fn new(wanted: &Wanted<'_>, terms: &Terms) -> Result<Self, MigrationError> {
        let is_wanted = |namespace: &str| wanted.namespaces.is_none_or(|names| names.contains(namespace));
        let planned: BTreeSet<&str> =
            wanted.policies.keys().map(|name| name.namespace.as_str()).filter(|name| is_wanted(name)).collect();
        let workloads = wanted.inventory.selectable();
        let mut all = objection::general(wanted, terms);
        for (namespace, own) in &workloads {
            let is_subject = if wanted.namespaces.is_some() { is_wanted(namespace) } else { !is_system_namespace(namespace) };
            if is_subject && !planned.contains(namespace.as_str()) && !is_closed(namespace, wanted.existing) {
                all.extend(objection::without_policies(namespace, own.len()));
            }
        }
        let mut migration = Self::default();
        for namespace in planned {
            let own = workloads.get(namespace).cloned().unwrap_or_default();
            let steps = steps::steps(namespace, wanted)?;
            all.extend(objection::of_namespace(namespace, wanted, &own, terms));
            let course = wanted.evidence.and_then(|evidence| evidence.namespaces.get(namespace)).cloned();
            let objections = BTreeSet::new();
            let schedules = own.iter().filter_map(|name| {
                let schedule = wanted.inventory.schedule(name).filter(|schedule| !schedule.is_suspended)?;
                Some((name.clone(), (schedule.describe(), schedule.longest_interval())))
            });
            let schedules = schedules.collect();
            let nodes = nodes(namespace, wanted.inventory);
            let name = namespace.to_owned();
            migration.namespaces.push(Namespace { name, steps, objections, course, workloads: own, schedules, nodes });
        }
        for objection in all {
            let into = if terms.accepted.contains(objection.reason.name()) {
                &mut migration.accepted
            } else {
                let of = objection.about.namespace();
                let own = migration.namespaces.iter_mut().find(|own| Some(own.name.as_str()) == of);
                own.map_or(&mut migration.objections, |namespace| &mut namespace.objections)
            };
            into.insert(objection);
        }
        migration.namespaces.sort_by_cached_key(Namespace::strength);
        Ok(migration)
    }

    /// Whether nothing stands against any of it.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.objections.is_empty() && self.namespaces.iter().all(|namespace| namespace.objections.is_empty())
    }

    /// Whether a namespace may go: nothing stands against it, nor against all.
    #[must_use]
    pub fn may_go(&self, namespace: &Namespace) -> bool {
        namespace.objections.is_empty() && !self.objections.iter().any(|objection| objection.about == About::Everything)
    }
}

/// Whether the cluster denies by default in a namespace already, in both directions.
fn is_closed(namespace: &str, existing: &[NetworkPolicy]) -> bool {
    let own = existing.iter().filter(|object| object.metadata.namespace.as_deref() == Some(namespace));
    let own: Vec<Given> = own.map(|object| Given { object: object.clone(), digest: String::new() }).collect();
    [Direction::Ingress, Direction::Egress].into_iter().all(|direction| own.iter().any(|given| given.denies(direction)))
}

/// The nodes that pods of a namespace run on.
fn nodes(namespace: &str, inventory: &Inventory) -> BTreeSet<String> {
    let own = inventory.pods().iter().filter(|pod| pod.name.namespace == namespace && !pod.is_on_host_network);
    own.filter_map(|pod| Some(inventory.node(pod.node?).name.clone())).collect()
}
