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
            workloads.iter().map(|workload| (&workload.name, pod_labels(workload, inventory))).collect();
        for (workload, (name, own)) in workloads.iter().zip(&labels) {
            let others: Vec<(&WorkloadName, &Labels)> = labels
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

fn select(workload: &Workload, own: &BTreeSet<&Labels>, others: &[(&WorkloadName, &Labels)]) -> Selection {
    let common = common_labels(own);
    let mut chosen: Labels = match &workload.selector {
        Some(selector) => selector.iter().filter(|(key, value)| common.get(*key) == Some(value)).map(owned).collect(),
        None => common.clone(),
    };
    if chosen.is_empty() {
        chosen.clone_from(&common);
    }
    let rest: Vec<(String, String)> = common.iter().filter(|(key, _)| !chosen.contains_key(*key)).map(owned).collect();
    let mistaken = |labels: &Labels| -> Vec<(&WorkloadName, &Labels)> {
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
    while let Some(requirement) = exclusion(own, &left) {
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
fn exclusion(own: &BTreeSet<&Labels>, left: &[(&WorkloadName, &Labels)]) -> Option<Requirement> {
    let mut best: Option<(usize, Requirement)> = None;
    let keys: BTreeSet<&String> = left.iter().flat_map(|(_, labels)| labels.keys()).filter(|key| !is_volatile(key)).collect();
    for key in keys {
        let values: BTreeSet<&String> = left.iter().filter_map(|(_, labels)| labels.get(key)).collect();
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
