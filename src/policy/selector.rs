//! Selectors that mean one workload and no other.

use std::collections::{BTreeMap, BTreeSet};

use crate::inventory::{Inventory, Workload};
use crate::model::{Labels, NonEmpty, PodSelector, Requirement, WorkloadName};

/// How a workload can be selected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Selection {
    /// This selector matches its pods and no others of the namespace.
    Exact(PodSelector),
    /// No selector tells it apart; this one also matches the workloads named.
    Broad(PodSelector, BTreeSet<WorkloadName>),
    /// Nothing but "every pod" would match its pods.
    Impossible,
}

impl Selection {
    /// The selector to write, if there is one.
    pub(super) const fn selector(&self) -> Option<&PodSelector> {
        match self {
            Self::Exact(selector) | Self::Broad(selector, _) => Some(selector),
            Self::Impossible => None,
        }
    }
}

/// Finds the selectors of all workloads that have pods on the pod network or could have.
pub(super) fn select_all(inventory: &Inventory) -> BTreeMap<WorkloadName, Selection> {
    let mut by_namespace: BTreeMap<&str, Vec<&Workload>> = BTreeMap::new();
    for workload in inventory.workloads() {
        by_namespace.entry(&workload.name.namespace).or_default().push(workload);
    }
    let mut selections = BTreeMap::new();
    for workloads in by_namespace.values() {
        // Replicas share their labels: judged once for each different set.
        let labels: Vec<(&WorkloadName, BTreeSet<&Labels>)> =
            workloads.iter().map(|workload| (&*workload.name, pod_labels(workload, inventory))).collect();
        for (workload, (name, own)) in workloads.iter().zip(&labels) {
            let others: Vec<Other<'_>> = labels
                .iter()
                .filter(|(other, _)| other != name)
                .flat_map(|(other, sets)| sets.iter().map(move |labels| (*other, *labels)))
                .collect();
            selections.insert((*name).clone(), select(workload, own, &others));
        }
    }
    selections
}

/// The label sets of a workload's pods; of its owner's selector where it has no pod now.
fn pod_labels<'a>(workload: &'a Workload, inventory: &'a Inventory) -> BTreeSet<&'a Labels> {
    let pods = workload.pods.iter().map(|&pod| inventory.pod(pod));
    let sets: BTreeSet<&Labels> = pods.filter(|pod| !pod.is_on_host_network).map(|pod| &pod.labels).collect();
    if sets.is_empty() && workload.pods.is_empty() { workload.selector.iter().collect() } else { sets }
}

/// A label set of another workload's pods.
type Other<'a> = (&'a WorkloadName, &'a Labels);

fn select(workload: &Workload, own: &BTreeSet<&Labels>, others: &[Other<'_>]) -> Selection {
    let common = common_labels(own);
    let run = run_label(workload, own);
    let mut chosen: Labels = match &workload.selector {
        Some(selector) => selector.iter().filter(|(key, value)| common.get(*key) == Some(value)).map(owned).collect(),
        None => common.clone(),
    };
    if chosen.is_empty() {
        chosen.clone_from(&common);
    }
    if chosen.is_empty() {
        chosen.extend(run.clone());
    }
    let is_unlabelled = chosen.is_empty();
    let rest: Vec<(String, String)> = common.iter().map(owned).chain(run).filter(|(key, _)| !chosen.contains_key(key)).collect();
    let mistaken = |labels: &Labels| -> Vec<Other<'_>> {
        let is_matched = |other: &Labels| labels.iter().all(|(key, value)| other.get(key) == Some(value));
        others.iter().copied().filter(|(_, other)| is_matched(other)).collect()
    };
    if !mistaken(&chosen).is_empty()
        && let Some(addition) = fewest_additions(&rest, |addition| {
            let mut labels = chosen.clone();
            labels.extend(addition.iter().cloned());
            mistaken(&labels).len()
        })
    {
        chosen.extend(addition);
    }
    let mut left = mistaken(&chosen);
    let mut requirements: BTreeSet<Requirement> =
        chosen.into_iter().map(|(key, value)| Requirement::Equals { key, value }).collect();
    if is_unlabelled && let Some(requirement) = mark(own) {
        left.retain(|(_, labels)| requirement.is_met_by(labels));
        requirements.insert(requirement);
    }
    while let Some(requirement) = exclusion(own, &left).or_else(|| mark_exclusion(own, &left)) {
        left.retain(|(_, labels)| requirement.is_met_by(labels));
        requirements.insert(requirement);
    }
    let selector = NonEmpty::new(requirements).map(PodSelector::Labelled);
    match (selector, left.is_empty()) {
        (Some(selector), true) => Selection::Exact(selector),
        (None, true) => Selection::Exact(PodSelector::EveryPod),
        (Some(selector), false) => Selection::Broad(selector, left.into_iter().map(|(name, _)| name.clone()).collect()),
        (None, false) => Selection::Impossible,
    }
}

fn owned((key, value): (&String, &String)) -> (String, String) {
    (key.clone(), value.clone())
}

/// Labels that all pods share and that will be there tomorrow.
fn common_labels(sets: &BTreeSet<&Labels>) -> Labels {
    let Some(first) = sets.first() else {
        return Labels::new();
    };
    let is_common = |key: &String, value: &String| sets.iter().all(|labels| labels.get(key) == Some(value));
    first.iter().filter(|(key, value)| !is_volatile(key) && is_common(key, value)).map(owned).collect()
}

/// The fewest further labels (at most three, else all of them) that leave the least number of others matched; the first in
/// alphabetical order of those. Nothing if none helps.
fn fewest_additions(rest: &[(String, String)], matched: impl Fn(&[(String, String)]) -> usize) -> Option<Vec<(String, String)>> {
    let without = matched(&[]);
    let least = matched(rest);
    if least == without {
        return None;
    }
    let mut sets: Vec<Vec<usize>> = vec![Vec::new()];
    for _ in 0..3 {
        let longer = |set: &Vec<usize>| {
            let from = set.last().map_or(0, |last| last + 1);
            let set = set.clone();
            (from..rest.len()).map(move |next| set.iter().copied().chain([next]).collect::<Vec<usize>>())
        };
        sets = sets.iter().flat_map(longer).collect();
        for set in &sets {
            let labels: Vec<(String, String)> = set.iter().map(|&position| rest[position].clone()).collect();
            if matched(&labels) == least {
                return Some(labels);
            }
        }
    }
    Some(rest.to_vec())
}

/// A requirement that all own pods meet and most of the others left do not: a label that only the others have, or a value of
/// it that only they have. Nothing if there is none.
fn exclusion(own: &BTreeSet<&Labels>, left: &[Other<'_>]) -> Option<Requirement> {
    let mut best: Option<(usize, Requirement)> = None;
    let is_lasting = |name: &WorkloadName, key: &str| !is_volatile(key) || key == RUN && is_run(name);
    let keys: BTreeSet<&String> =
        left.iter().flat_map(|(name, labels)| labels.keys().filter(|key| is_lasting(name, key))).collect();
    for key in keys {
        let lasting = left.iter().filter(|(name, _)| is_lasting(name, key));
        let values: BTreeSet<&String> = lasting.filter_map(|(_, labels)| labels.get(key)).collect();
        let is_own = |value: &&String| own.iter().any(|labels| labels.get(key) == Some(value));
        let foreign: BTreeSet<String> = values.into_iter().filter(|value| !is_own(value)).cloned().collect();
        let requirement = if own.iter().any(|labels| labels.contains_key(key)) {
            Requirement::NotIn { key: key.clone(), values: foreign }
        } else {
            Requirement::Absent { key: key.clone() }
        };
        let excluded = left.iter().filter(|(_, labels)| !requirement.is_met_by(labels)).count();
        if excluded > 0 && best.as_ref().is_none_or(|(most, _)| excluded > *most) {
            best = Some((excluded, requirement));
        }
    }
    best.map(|(_, requirement)| requirement)
}

/// The label that names a Job's pods.
const RUN: &str = "batch.kubernetes.io/job-name";

/// Whether it is a Job of its own: no CronJob gives each run another name, so the name is as lasting as the workload.
fn is_run(name: &WorkloadName) -> bool {
    name.kind.0 == "Job"
}

/// The label by which the pods of a Job of its own are told apart from all others.
fn run_label(workload: &Workload, own: &BTreeSet<&Labels>) -> Option<(String, String)> {
    let Workload { name, .. } = workload;
    let is_labelled = !own.is_empty() && own.iter().all(|labels| labels.get(RUN) == Some(&name.name));
    (is_run(name) && is_labelled).then(|| (RUN.to_owned(), name.name.clone()))
}

/// Labels that controllers put on every pod they make: the values change, but that they are there tells the kind of controller.
const MARKS: [&str; 7] = [
    RUN,
    "job-name",
    "statefulset.kubernetes.io/pod-name",
    "pod-template-generation",
    "rollouts-pod-template-hash",
    "pod-template-hash",
    "controller-revision-hash",
];

/// What all own pods have from their controller, where they have no labels of their own (`kubectl create cronjob`).
fn mark(own: &BTreeSet<&Labels>) -> Option<Requirement> {
    let is_common = |key: &&str| !own.is_empty() && own.iter().all(|labels| labels.contains_key(*key));
    MARKS.into_iter().find(is_common).map(|key| Requirement::Present { key: key.to_owned() })
}

/// The last resort: a mark of a controller that all own pods and not all of the others have, or the other way round (a
/// Deployment and a StatefulSet with the same labels).
fn mark_exclusion(own: &BTreeSet<&Labels>, left: &[Other<'_>]) -> Option<Requirement> {
    let present = mark_where(|key| own.iter().all(|labels| labels.contains_key(key)), |key| Requirement::Present { key });
    let absent = mark_where(|key| !own.iter().any(|labels| labels.contains_key(key)), |key| Requirement::Absent { key });
    let excluded = |requirement: &Requirement| left.iter().filter(|(_, labels)| !requirement.is_met_by(labels)).count();
    // The first of the best, and what is there before what is not.
    let best = present.into_iter().chain(absent).rev().max_by_key(excluded);
    best.filter(|requirement| !own.is_empty() && excluded(requirement) > 0)
}

fn mark_where(holds: impl Fn(&str) -> bool, requirement: impl Fn(String) -> Requirement) -> Vec<Requirement> {
    MARKS.into_iter().filter(|key| holds(key)).map(|key| requirement(key.to_owned())).collect()
}

/// Labels that change from one pod, run or release to the next.
fn is_volatile(key: &str) -> bool {
    const KEYS: [&str; 20] = [
        "pod-template-hash",
        "rollouts-pod-template-hash",
        "controller-revision-hash",
        "pod-template-generation",
        "statefulset.kubernetes.io/pod-name",
        "apps.kubernetes.io/pod-index",
        "controller-uid",
        "job-name",
        "helm.sh/chart",
        "chart",
        "heritage",
        "app.kubernetes.io/version",
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
        "topology.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone",
        "failure-domain.beta.kubernetes.io/region",
        "node.kubernetes.io/instance-type",
        "service.istio.io/canonical-revision",
        "security.istio.io/tlsMode",
    ];
    const PREFIXES: [&str; 2] = ["batch.kubernetes.io/", "topology."];
    KEYS.contains(&key) || PREFIXES.iter().any(|prefix| key.starts_with(prefix)) || key.contains("checksum")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::inventory::{InventoryBuilder, InventoryOptions};

    fn pod(name: &str, owner: (&str, &str), labels: &Value) -> Value {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "n", "name": name, "labels": labels,
            "ownerReferences": [{"kind": owner.0, "name": owner.1, "controller": true}]},
            "status": {"podIP": "10.244.1.9"}})
    }

    /// The selectors of these pods' workloads, as `kubectl get -l` takes them; `?` before one that is not exact.
    fn selectors(pods: &[Value]) -> BTreeMap<String, String> {
        let mut builder = InventoryBuilder::new();
        for pod in pods {
            builder.apply_value(pod.clone());
        }
        let text = |selection: Selection| match selection {
            Selection::Exact(selector) => selector.to_string(),
            Selection::Broad(selector, _) => format!("?{selector}"),
            Selection::Impossible => "impossible".into(),
        };
        let all = select_all(&builder.build(&InventoryOptions::default()));
        all.into_iter().map(|(name, selection)| (format!("{}/{}", name.kind.0, name.name), text(selection))).collect()
    }

    #[test]
    fn controllers_with_the_same_labels_are_told_apart_by_what_they_add() {
        let found = selectors(&[
            pod("web-abc-1", ("ReplicaSet", "web-abc"), &json!({"app": "web", "pod-template-hash": "abc"})),
            pod("web-0", ("StatefulSet", "web"), &json!({"app": "web", "statefulset.kubernetes.io/pod-name": "web-0"})),
        ]);
        assert_eq!(found["Deployment/web"], "app=web,pod-template-hash");
        assert_eq!(found["StatefulSet/web"], "app=web,statefulset.kubernetes.io/pod-name");
    }

    #[test]
    fn what_no_label_tells_apart_is_said() {
        let found = selectors(&[
            pod("a-abc-1", ("ReplicaSet", "a-abc"), &json!({"app": "web", "pod-template-hash": "abc"})),
            pod("b-cba-1", ("ReplicaSet", "b-cba"), &json!({"app": "web", "pod-template-hash": "cba"})),
        ]);
        assert_eq!(found["Deployment/a"], "?app=web", "no hash is written: the next rollout has another");
        assert_eq!(found["Deployment/b"], "?app=web");
    }

    #[test]
    fn jobs_without_labels_of_their_own() {
        let run = |name: &str| json!({"batch.kubernetes.io/job-name": name, "job-name": name, "controller-uid": "1"});
        let found = selectors(&[
            pod("report-29395000-x", ("Job", "report-29395000"), &run("report-29395000")),
            pod("migrate-x", ("Job", "migrate"), &run("migrate")),
            pod("web-abc-1", ("ReplicaSet", "web-abc"), &json!({"app": "web", "pod-template-hash": "abc"})),
        ]);
        assert_eq!(found["CronJob/report"], "batch.kubernetes.io/job-name notin (migrate),batch.kubernetes.io/job-name");
        assert_eq!(found["Job/migrate"], "batch.kubernetes.io/job-name=migrate", "its name lasts: nobody makes it anew");
        let alone = selectors(&[pod("report-29395000-x", ("Job", "report-29395000"), &run("report-29395000"))]);
        assert_eq!(alone["CronJob/report"], "batch.kubernetes.io/job-name", "not every pod that may come");
    }

    #[test]
    fn a_subset_of_anothers_labels_is_told_apart_by_the_label_it_lacks() {
        let found = selectors(&[
            pod("stable-abc-1", ("ReplicaSet", "stable-abc"), &json!({"app": "web", "pod-template-hash": "abc"})),
            pod(
                "canary-cba-1",
                ("ReplicaSet", "canary-cba"),
                &json!({"app": "web", "track": "canary", "pod-template-hash": "cba"}),
            ),
        ]);
        assert_eq!(found["Deployment/stable"], "app=web,!track");
        assert_eq!(found["Deployment/canary"], "app=web,track=canary");
    }
}
