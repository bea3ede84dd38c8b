//! Owner references in, workloads out.
//!
//! A pod is followed up its controllers (`ownerReferences` with `controller: true`) to the one that lasts. Kinds that a rollout or
//! a schedule makes anew (ReplicaSet, Job, `ReplicationController`) are left upward, and so is every other kind whose object is there
//! and has a controller. It ends at Deployment, StatefulSet, DaemonSet and CronJob even where a custom resource owns them: an
//! operator's two `StatefulSets` (a database and its proxy, say) do different things under one owner, and as one workload each
//! would get the other's rules. Under any other custom kind (Argo's `Rollout`) the pods are alike, and it is the workload.

use std::collections::{BTreeMap, BTreeSet};

use super::object::{Owner, OwnerBody, describe};
use crate::model::{Code, Findings, Labels, WorkloadKind, WorkloadName};

/// Kinds that last.
const LASTING: &[&str] = &["Deployment", "StatefulSet", "DaemonSet", "CronJob"];
/// Kinds that come and go with each rollout or run; without a controller of their own they are workloads.
const TRANSIENT: &[&str] = &["ReplicaSet", "Job", "ReplicationController"];
/// Labels that tell `ReplicaSets` of one owner apart, with the kind of that owner.
const HASHES: &[(&str, &str)] = &[("pod-template-hash", "Deployment"), ("rollouts-pod-template-hash", "Rollout")];
/// Labels that tell Jobs of one CronJob apart; the API server adds them to the template.
const RUN_LABELS: &[&str] = &["batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name", "controller-uid", "job-name"];
/// Owners of owners; more is a loop.
const LONGEST_CHAIN: usize = 16;

/// Namespace, kind, name.
pub(super) type OwnerKey = (String, String, String);

/// What is known of a kind that may own.
#[derive(Clone, Debug)]
pub(super) struct OwnerRecord {
    pub(super) controller: Option<Owner>,
    pub(super) body: OwnerBody,
    /// Whether the kind is one of the API's own.
    pub(super) is_built_in: bool,
}

/// A pod, as far as its owner matters.
pub(super) struct Owned<'a> {
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
    pub(super) labels: &'a Labels,
    pub(super) node: Option<&'a str>,
    pub(super) controller: Option<&'a Owner>,
}

/// All owners of the inventory.
#[derive(Debug, Default)]
pub(super) struct Owners {
    records: BTreeMap<OwnerKey, OwnerRecord>,
    used: BTreeSet<OwnerKey>,
}

impl Owners {
    pub(super) fn insert(&mut self, key: OwnerKey, record: OwnerRecord) {
        self.records.insert(key, record);
    }

    /// Kinds unknown to the API that own no pods, with how many there are.
    pub(super) fn unused(&self) -> BTreeMap<&str, u64> {
        let mut counts = BTreeMap::new();
        for (key, record) in &self.records {
            if !record.is_built_in && !self.used.contains(key) {
                *counts.entry(key.1.as_str()).or_default() += 1;
            }
        }
        counts
    }

    /// Owners that are workloads even while they have no pods: a Deployment scaled to nothing, a CronJob between two runs. Their
    /// pods will come, and every policy for "all workloads of the namespace" meets them.
    pub(super) fn without_pods(&self) -> impl Iterator<Item = (WorkloadName, Option<Labels>)> {
        let lasting = self.records.iter().filter(|(key, record)| {
            let kind = key.1.as_str();
            let is_own = TRANSIENT.contains(&kind) && record.controller.is_none();
            record.is_built_in && !record.body.is_finished && (LASTING.contains(&kind) || is_own)
        });
        lasting.map(|((namespace, kind, name), record)| {
            let workload = WorkloadName { namespace: namespace.clone(), name: name.clone(), kind: WorkloadKind(kind.clone()) };
            (workload, record.body.selector.clone())
        })
    }

    /// The workload a pod belongs to, and the labels by which its owner finds its pods.
    pub(super) fn workload(&mut self, pod: &Owned<'_>, findings: &mut Findings) -> (WorkloadName, Option<Labels>) {
        let named = |kind: &str, name: &str| WorkloadName {
            namespace: pod.namespace.to_owned(),
            name: name.to_owned(),
            kind: WorkloadKind(kind.to_owned()),
        };
        let Some(mut owner) = pod.controller.cloned() else {
            return (named("Pod", pod.name), None);
        };
        if owner.kind == "Node" {
            // The API server's picture of a pod that a kubelet runs from a file: `kube-proxy-worker-1`.
            let suffix = format!("-{}", pod.node.unwrap_or(&owner.name));
            return (named("Pod", pod.name.strip_suffix(&suffix).unwrap_or(pod.name)), None);
        }
        let mut selector = None;
        for _ in 0..LONGEST_CHAIN {
            let is_lasting = LASTING.contains(&owner.kind.as_str());
            let Some((key, record)) = self.find(pod.namespace, &owner) else {
                if is_lasting || !TRANSIENT.contains(&owner.kind.as_str()) {
                    break;
                }
                let above = self.guess(pod, &owner);
                let taken = above.as_ref().unwrap_or(&owner);
                let message = format!("is missing: its pods were taken for those of {} {}", taken.kind, taken.name);
                findings.add(Code::OwnerMissing, describe(&owner.kind, pod.namespace, &owner.name), message);
                if let Some(above) = above {
                    owner = above;
                    // The Deployment, CronJob or Rollout may itself be there, with its selector.
                    if let Some((key, record)) = self.find(pod.namespace, &owner) {
                        selector = record.body.selector.clone().or(selector);
                        self.used.insert(key);
                    }
                }
                break;
            };
            let controller = record.controller.clone();
            if record.body.selector.is_some() {
                selector.clone_from(&record.body.selector);
            }
            self.used.insert(key);
            match controller {
                Some(above) if !is_lasting => {
                    owner = above;
                    selector = selector.map(without_hashes);
                }
                _ => break,
            }
        }
        // A custom kind's selector may be of another sort than those of the API; it must at least select its own pod.
        let is_true = |selector: &Labels| selector.iter().all(|(key, value)| pod.labels.get(key) == Some(value));
        (named(&owner.kind, &owner.name), selector.filter(|selector| !selector.is_empty() && is_true(selector)))
    }

    fn find(&self, namespace: &str, owner: &Owner) -> Option<(OwnerKey, &OwnerRecord)> {
        let namespaces = [namespace, ""];
        let keys = namespaces.map(|namespace| (namespace.to_owned(), owner.kind.clone(), owner.name.clone()));
        keys.into_iter().find_map(|key| self.records.get(&key).map(|record| (key, record)))
    }

    /// The owner of an owner that the inventory does not hold, from how controllers name what they make.
    fn guess(&self, pod: &Owned<'_>, owner: &Owner) -> Option<Owner> {
        let made = |kind: &str, name: &str| (!name.is_empty()).then(|| Owner { kind: kind.to_owned(), name: name.to_owned() });
        match owner.kind.as_str() {
            "ReplicaSet" => HASHES.iter().find_map(|(label, kind)| {
                let hash = pod.labels.get(*label)?;
                made(kind, owner.name.strip_suffix(hash.as_str())?.strip_suffix('-')?)
            }),
            "Job" => {
                // The CronJob controller appends the scheduled time in minutes since 1970: eight digits until the year 2160.
                let (name, minutes) = owner.name.rsplit_once('-')?;
                let is_scheduled = minutes.len() >= 8 && minutes.bytes().all(|byte| byte.is_ascii_digit());
                let labels = ["batch.kubernetes.io/job-name", "job-name"];
                let is_labelled = labels.iter().any(|label| pod.labels.get(*label) == Some(&owner.name));
                let cron_job = made("CronJob", name)?;
                (is_scheduled && (is_labelled || self.find(pod.namespace, &cron_job).is_some())).then_some(cron_job)
            }
            // OpenShift's DeploymentConfig makes ReplicationControllers and labels their pods.
            "ReplicationController" => {
                let name = pod.labels.get("deploymentconfig")?;
                owner.name.strip_prefix(name.as_str())?.strip_prefix('-')?;
                made("DeploymentConfig", name)
            }
            _ => None,
        }
    }
}

/// The labels that are the same for all `ReplicaSets` or Jobs of an owner.
fn without_hashes(mut selector: Labels) -> Labels {
    for label in HASHES.iter().map(|(label, _)| label).chain(RUN_LABELS) {
        selector.remove(*label);
    }
    selector
}
