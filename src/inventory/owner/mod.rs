//! Owner references in, workloads out.
//!
//! A pod is followed up its controllers (`ownerReferences` with `controller: true`) to the one that lasts. Kinds that a rollout or
//! a schedule makes anew (ReplicaSet, Job, `ReplicationController`) are left upward, and so is every other kind whose object is there
//! and has a controller. It ends at Deployment, StatefulSet, DaemonSet and CronJob even where a custom resource owns them: an
//! operator's two `StatefulSets` (a database and its proxy, say) do different things under one owner, and as one workload each
//! would get the other's rules. Under any other custom kind (Argo's `Rollout`) the pods are alike, and it is the workload.
//! Where a platform means something else by its owners, its row in [`platforms`] says what.
//!
//! A name that was generated for one run is cut: what runs next is the same workload.

mod platforms;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::generated;
use super::object::{Owner, OwnerBody, describe};
use crate::model::{Code, Findings, Labels, WorkloadKind, WorkloadName};

/// Kinds that last.
const LASTING: &[&str] = &["Deployment", "StatefulSet", "DaemonSet", "CronJob", "DeploymentConfig"];
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
    pub(super) labels: Arc<Labels>,
    /// Whether the kind is one of the API's own.
    pub(super) is_built_in: bool,
}

/// What a pod's owners say of it.
#[derive(Debug)]
pub(super) struct Belonging {
    pub(super) workload: WorkloadName,
    /// The labels by which the workload finds its pods.
    pub(super) selector: Option<Labels>,
    /// The labels that the workload gives its pods, or that it has itself.
    pub(super) template: Option<Labels>,
    /// Names of owners below the workload, or of the run that it was cut from.
    pub(super) passing: BTreeSet<String>,
    /// Whether its kind is unknown to the API and to the table of platforms, or its name was cut by nothing but its form.
    pub(super) is_custom: bool,
}

/// A pod, as far as its owner matters.
pub(super) struct Owned<'a> {
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
    /// What its name was generated from, if that is known.
    pub(super) stem: Option<&'a str>,
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
            let own = [(kind.clone(), name.clone())];
            let platform = record.body.template.as_ref().and_then(|labels| platforms::identify(labels, &own));
            let is_own = platform.as_ref().is_none_or(|identity| *identity == own[0]);
            let run = || (kind == "Job").then(|| run_name(kind, name)).flatten();
            let stem = || (kind.clone(), record.body.stem.clone().or_else(run).unwrap_or_else(|| name.clone()));
            let (kind, name) = platform.unwrap_or_else(stem);
            let workload = WorkloadName { namespace: namespace.clone(), name, kind: WorkloadKind(kind) };
            // One revision's selector is not that of all.
            (workload, record.body.selector.clone().filter(|_| is_own))
        })
    }

    /// The workload a pod belongs to, and what its owners say of its labels.
    pub(super) fn workload(&mut self, pod: &Owned<'_>, findings: &mut Findings) -> Belonging {
        let named = |kind: &str, name: &str| WorkloadName {
            namespace: pod.namespace.to_owned(),
            name: name.to_owned(),
            kind: WorkloadKind(kind.to_owned()),
        };
        let alone = |workload| Belonging { workload, selector: None, template: None, passing: BTreeSet::new(), is_custom: false };
        let platform = |chain: &[(String, String)]| platforms::identify(pod.labels, chain);
        let Some(owner) = pod.controller.cloned() else {
            let own = || ("Pod".to_owned(), pod_stem(pod));
            let (kind, name) = platform(&[]).unwrap_or_else(own);
            let is_custom = kind == "Pod" && name != pod.name;
            return Belonging { is_custom, ..alone(named(&kind, &name)) };
        };
        if owner.kind == "Node" {
            // The API server's picture of a pod that a kubelet runs from a file: `kube-proxy-worker-1`.
            let suffix = format!("-{}", pod.node.unwrap_or(&owner.name));
            return alone(named("Pod", pod.name.strip_suffix(&suffix).unwrap_or(pod.name)));
        }
        let Climbed { chain, selector, top } = self.climb(pod, owner, findings);
        let (kind, name) = match platform(&chain) {
            Some(identity) => identity,
            None => self.cut(pod, &chain),
        };
        let (top_kind, top_name) = chain.last().map(|(kind, name)| (kind.as_str(), name.as_str())).unwrap_or_default();
        // The selector of a Deployment that a platform makes for each revision is not the workload's.
        let is_top = kind == top_kind && (name.starts_with(top_name) || top_name.starts_with(&name));
        // A custom kind's selector may be of another sort than those of the API; it must at least select its own pod.
        let is_true = |selector: &Labels| selector.iter().all(|(key, value)| pod.labels.get(key) == Some(value));
        let selector = selector.filter(|selector| is_top && !selector.is_empty() && is_true(selector));
        let record = top.as_ref().filter(|_| is_top).and_then(|key| self.records.get(key));
        let template = record.and_then(|record| {
            let own = || Some(Labels::clone(&record.labels)).filter(|labels| !record.is_built_in && !labels.is_empty());
            record.body.template.clone().or_else(own)
        });
        let passing = chain.iter().map(|(_, own)| own).filter(|own| **own != name).cloned().collect();
        let is_known = [LASTING, TRANSIENT, &["Pod"]].concat().contains(&top_kind);
        let is_cut = name != top_name && platform(&chain).is_none();
        let is_custom = kind == top_kind && (top.is_none() && !is_known || is_cut);
        Belonging { workload: named(&kind, &name), selector, template, passing, is_custom }
    }

    /// Follows a pod up its owners, to the one that lasts or the last one known.
    fn climb(&mut self, pod: &Owned<'_>, mut owner: Owner, findings: &mut Findings) -> Climbed {
        let mut chain = vec![(owner.kind.clone(), owner.name.clone())];
        let (mut selector, mut top) = (None, None);
        for _ in 0..LONGEST_CHAIN {
            let is_lasting = LASTING.contains(&owner.kind.as_str());
            let Some((key, record)) = self.find(pod.namespace, &owner) else {
                top = None;
                if is_lasting || !TRANSIENT.contains(&owner.kind.as_str()) {
                    break;
                }
                let above = self.guess(pod, &owner);
                let taken = above.as_ref().unwrap_or(&owner);
                let message = format!("is missing: its pods were taken for those of {} {}", taken.kind, taken.name);
                findings.add(Code::OwnerMissing, describe(&owner.kind, pod.namespace, &owner.name), message);
                if let Some(above) = above {
                    chain.push((above.kind.clone(), above.name.clone()));
                    // The Deployment, CronJob or Rollout may itself be there, with its selector.
                    if let Some((key, record)) = self.find(pod.namespace, &above) {
                        selector = record.body.selector.clone().or(selector);
                        self.used.insert(key.clone());
                        top = Some(key);
                    }
                }
                break;
            };
            let controller = record.controller.clone();
            if record.body.selector.is_some() {
                selector.clone_from(&record.body.selector);
            }
            self.used.insert(key.clone());
            top = Some(key);
            match controller {
                Some(above) if !is_lasting => {
                    selector = selector.map(|selector| without_hashes(selector, &owner.kind));
                    owner = above;
                    chain.push((owner.kind.clone(), owner.name.clone()));
                }
                _ => break,
            }
        }
        Climbed { chain, selector, top }
    }

    /// The workload at the end of a chain of owners, without what was generated for one run. What the API says of its name goes
    /// before what the name looks like.
    fn cut(&self, pod: &Owned<'_>, chain: &[(String, String)]) -> (String, String) {
        let Some((kind, name)) = chain.last().cloned() else { return ("Pod".to_owned(), pod.name.to_owned()) };
        let owner = Owner { kind, name };
        let known = self.find(pod.namespace, &owner).map(|(_, record)| record);
        let Owner { kind, name } = owner;
        let run = || run_name(&kind, &name);
        let stem = match known {
            Some(record) if record.is_built_in && kind != "Job" => None,
            Some(record) => record.body.stem.clone().or_else(run),
            None if LASTING.contains(&kind.as_str()) || kind == "ReplicaSet" || kind == "Pod" => None,
            None => generated::stem(&name).map(str::to_owned).or_else(run),
        };
        if kind == "Pod" {
            // What a pod makes does other things than its maker.
            return (kind, format!("{name}-pods"));
        }
        (kind, stem.unwrap_or(name))
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
            // OpenShift's DeploymentConfig makes ReplicationControllers, NAME-REVISION, and labels their pods.
            "ReplicationController" => {
                let name = generated::without_number(&owner.name)?;
                let config = made("DeploymentConfig", name)?;
                let is_labelled = pod.labels.get("deploymentconfig").is_some_and(|own| own == name)
                    || pod.labels.get("deployment") == Some(&owner.name);
                (is_labelled || self.find(pod.namespace, &config).is_some()).then_some(config)
            }
            _ => None,
        }
    }
}

/// A name without what a client made up for one run; the kind where all of it was.
fn run_name(kind: &str, name: &str) -> Option<String> {
    let stem = generated::run_stem(name)?;
    Some(if stem.is_empty() { kind.to_ascii_lowercase() } else { stem.to_owned() })
}

/// The name of a pod without owners, without what was generated. Of a copy of a Deployment's pod, such as a virtual cluster makes
/// (`web-6d4cf56db6-x7k2p-x-default-x-team`), it is what stands before the template hash.
fn pod_stem(pod: &Owned<'_>) -> String {
    let hash = pod.labels.get(HASHES[0].0).filter(|hash| !hash.is_empty());
    let start = hash.and_then(|hash| pod.name.find(&format!("-{hash}-")));
    let before_hash = start.and_then(|start| pod.name.get(..start)).filter(|name| !name.is_empty());
    let said = || pod.stem.filter(|stem| pod.name.starts_with(stem));
    let stem = before_hash.or_else(said).or_else(|| generated::run_stem(pod.name)).unwrap_or(pod.name);
    if stem.is_empty() { "pod".to_owned() } else { stem.to_owned() }
}

/// Where a chain of owners ends.
struct Climbed {
    /// Kinds and names, from the pod up.
    chain: Vec<(String, String)>,
    /// The selector of the highest owner that has one, without what tells rollouts apart.
    selector: Option<Labels>,
    /// The last owner, if the inventory holds it.
    top: Option<OwnerKey>,
}

/// The labels that are the same for all `ReplicaSets`, Jobs or `ReplicationControllers` of an owner.
fn without_hashes(mut selector: Labels, kind: &str) -> Labels {
    let revision: &[&str] = if kind == "ReplicationController" { &["deployment"] } else { &[] };
    for label in HASHES.iter().map(|(label, _)| label).chain(RUN_LABELS).chain(revision) {
        selector.remove(*label);
    }
    selector
}
