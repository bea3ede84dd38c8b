//! The labels of a workload's pods in, which of them last out.
//!
//! A selector may rest on what the next event does not change: a rollout, a run, a fail-over, a pod made anew. Each label is judged
//! by what is known of the project that sets it ([`known`]) and by evidence: that it was seen to change, that pods of the workload
//! differ in it, that its value or key has the signs of something made for one pod, run or version ([`signs`]), that it is not in the
//! template of the owner. Wrong where a workload has one pod, nothing is known of who set the label, and its value is a plain word:
//! a fail-over may change it all the same.

pub(crate) mod known;
mod signs;

use std::collections::{BTreeMap, BTreeSet};

use super::{Inventory, Pod, Workload, WorkloadId, generated};
use crate::model::Labels;
use known::Knowledge;
use signs::Context;

/// What changes a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// The controller changes it on a running pod.
    Change,
    /// Another pod takes over.
    FailOver,
    /// A pod runs on another node.
    NodeChange,
    /// A pod is made anew, also one more replica.
    Replacement,
    /// The template changes.
    Rollout,
    /// The next run.
    Run,
    /// A new version.
    Upgrade,
}

impl Event {
    /// Which pods will have another value, as the end of a sentence.
    #[must_use]
    pub const fn next(self) -> &'static str {
        match self {
            Self::Change => "after the next change of the pod",
            Self::FailOver => "after the next fail-over",
            Self::NodeChange => "of a pod on another node",
            Self::Replacement => "of the next pod that is made",
            Self::Rollout => "after the next rollout",
            Self::Run => "of the next run",
            Self::Upgrade => "after the next upgrade",
        }
    }
}

/// Why a label does not last.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ends {
    /// What changes it.
    pub event: Event,
    /// How that is known, as the rest of a sentence that begins with the label.
    pub why: String,
}

/// The labels that all pods of a workload have in common, by how long they last.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct StableLabels {
    /// Those that mean the same pods tomorrow.
    pub lasting: Labels,
    /// Of these, the ones by which the project that made the pods identifies them, or which its custom resource says.
    pub identifying: Labels,
    /// Those that do not last, and why.
    pub ending: BTreeMap<String, (String, Ends)>,
    /// Keys whose values do not last, also of labels in which the pods differ.
    pub ending_keys: BTreeSet<String>,
}

impl StableLabels {
    /// What becomes of a selector that asks for a label of this key; nothing if it lasts.
    #[must_use]
    pub fn end(&self, key: &str) -> Option<&Ends> {
        self.ending.get(key).map(|(_, ends)| ends)
    }

    /// The lasting labels whose keys say that they name what the pods are.
    pub(super) fn naming(&self) -> Labels {
        self.lasting.iter().filter(|(key, _)| self.identifying.contains_key(*key) || signs::is_name(key)).map(owned).collect()
    }
}

impl Inventory {
    /// Which labels of the workload's pods last.
    #[must_use]
    pub fn stable_labels(&self, workload: WorkloadId) -> StableLabels {
        let workload = self.workload(workload);
        let pods = workload.pods.iter().map(|&pod| self.pod(pod));
        judge(workload, pods, |pod| pod.node.map(|node| self.node(node).name.as_str()))
    }
}

/// Judges the labels of these pods of a workload, or of its owner's selector where there is no pod on the pod network.
pub(super) fn judge<'p>(
    workload: &Workload,
    pods: impl Iterator<Item = &'p Pod>,
    node: impl Fn(&'p Pod) -> Option<&'p str>,
) -> StableLabels {
    let pods: Vec<&Pod> = pods.filter(|pod| !pod.is_on_host_network).collect();
    let Some((first, rest)) = pods.split_first() else {
        let selector = workload.selector.as_ref().filter(|_| workload.pods.is_empty());
        let known = selector.map(Knowledge::of);
        let lasts = |key: &str| known.as_ref().is_some_and(|known| known.end(key).is_none());
        let lasting = selector.into_iter().flatten().filter(|(key, _)| lasts(key));
        return StableLabels { lasting: lasting.map(owned).collect(), ..StableLabels::default() };
    };
    let known = Knowledge::of(&first.labels);
    let kind = workload.name.kind.0.as_str();
    let is_named = kind != "Pod" || first.name.name != workload.name.name;
    let context = Context {
        workload: &workload.name.name,
        pod: is_named.then_some(first.name.name.as_str()).filter(|_| rest.is_empty()),
        node: node(first),
        passing: &workload.passing_owners,
        is_built_in: BUILT_IN.contains(&kind),
        is_stateful: kind == "StatefulSet" && workload.template.is_none(),
    };
    let is_templated = context.is_built_in || TEMPLATED.contains(&kind);
    // The labels of a Job's template stand for its selector, and are as good as any label.
    let has_selector = kind != "Job" && kind != "CronJob";
    let changed: BTreeSet<&String> = pods.iter().flat_map(|pod| &pod.changed_labels).collect();
    let mut found = StableLabels::default();
    let keys: BTreeMap<&String, &String> = pods.iter().rev().flat_map(|pod| pod.labels.iter()).collect();
    for (key, value) in keys {
        let is_common = pods.iter().all(|pod| pod.labels.get(key) == Some(value));
        let is_in = |labels: &Option<Labels>| labels.as_ref().is_some_and(|labels| labels.get(key) == Some(value));
        let is_selected = has_selector && is_in(&workload.selector);
        let end = if changed.contains(key) && !is_selected {
            Some(Ends { event: Event::Change, why: "was seen to change on a running pod".to_owned() })
        } else if let Some(event) = known.end(key) {
            Some(Ends { event, why: "is set anew by the controller that makes the pods".to_owned() })
        } else if is_selected {
            None
        } else if known.lasts(key) {
            let why = || "is the name of one run".to_owned();
            let is_made =
                !known.identifies(key) && generated::form(value).is_some() && !workload.name.name.contains(value.as_str());
            (is_made || is_of_run(value, &workload.name.name)).then(|| Ends { event: Event::Run, why: why() })
        } else {
            signs::read(key, value, context).or_else(|| {
                let is_added = workload.template.as_ref().is_some_and(|template| !template.contains_key(key));
                let why = || "is not in the template of the owner".to_owned();
                (is_added && is_templated).then(|| Ends { event: Event::Change, why: why() })
            })
        };
        match end {
            Some(ends) => {
                found.ending_keys.insert(key.clone());
                if is_common {
                    found.ending.insert(key.clone(), (value.clone(), ends));
                }
            }
            None if is_common => _ = found.lasting.insert(key.clone(), value.clone()),
            None => {}
        }
    }
    let identifying = found.lasting.iter().filter(|(key, _)| known.identifies(key));
    found.identifying = identifying.map(owned).collect();
    if found.identifying.is_empty() {
        let is_said = |(key, value): &(&String, &String)| {
            let template = workload.template.as_ref();
            template.is_some_and(|labels| labels.get(*key) == Some(value)) && !GENERAL.contains(&key.as_str())
        };
        found.identifying = found.lasting.iter().filter(is_said).map(owned).collect();
    }
    found
}

/// Whether a value is the name of a run, of which the workload's name has the part that lasts.
fn is_of_run(value: &str, workload: &str) -> bool {
    !workload.starts_with(value) && generated::stem(value).is_some_and(|stem| workload.starts_with(stem))
}

/// Labels that mean much more than one workload.
const GENERAL: &[&str] = &["app.kubernetes.io/managed-by", "app.kubernetes.io/part-of", "managed-by", "part-of"];
/// Kinds whose pods have the labels that a person wrote, and a few known ones of the controller.
const BUILT_IN: &[&str] =
    &["Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job", "CronJob"];
/// Custom kinds of that sort, of which some add labels for a time.
const TEMPLATED: &[&str] = &["Rollout", "DeploymentConfig", "CloneSet"];

fn owned((key, value): (&String, &String)) -> (String, String) {
    (key.clone(), value.clone())
}
