//! Selectors that mean one workload and no other.
//!
//! In: the workloads of an inventory with the labels of their pods. Out: a [`Selection`] for each. Guarantees: a selector has a label
//! that changes with the next pod, run or release only where the pods have no other (see [`may_not_last`]), and says who else is meant
//! where no label tells them apart. Takes little more than the size of the inventory: others are found by label (see [`Index`]), and
//! workloads that are alike are judged once.

mod index;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::inventory::{Ends, Event, Inventory, RUN, StableLabels, Workload, WorkloadId, marks};
use crate::model::{Labels, NonEmpty, PodSelector, Requirement, WorkloadName};

use index::{Index, Other};

/// How a workload can be selected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Selection {
    /// This selector matches its pods and no others of the namespace.
    Exact(PodSelector),
    /// No selector tells it apart; this one matches all of these workloads, it may be itself among them.
    Broad(PodSelector, Rc<BTreeSet<WorkloadName>>),
    /// Nothing but "every pod" would match its pods.
    Impossible,
    /// Not sought: too many workloads of the namespace are too much alike.
    TooCostly,
}

impl Selection {
    /// The selector to write, if there is one.
    pub(super) const fn selector(&self) -> Option<&PodSelector> {
        match self {
            Self::Exact(selector) | Self::Broad(selector, _) => Some(selector),
            Self::Impossible | Self::TooCostly => None,
        }
    }

    /// Whom the selector of `workload` matches besides.
    pub(super) fn others<'a>(&'a self, workload: &'a WorkloadName) -> impl Iterator<Item = &'a WorkloadName> {
        let matched = match self {
            Self::Broad(_, matched) => Some(&**matched),
            Self::Exact(_) | Self::Impossible | Self::TooCostly => None,
        };
        matched.into_iter().flatten().filter(move |other| *other != workload)
    }
}

/// Finds the selectors of all workloads that have pods on the pod network or could have.
pub(super) fn select_all(inventory: &Inventory) -> BTreeMap<WorkloadName, Selection> {
    select_within(inventory, Budget::STEPS)
}

/// The same, with so many steps for each namespace.
fn select_within(inventory: &Inventory, steps: u64) -> BTreeMap<WorkloadName, Selection> {
    let mut by_namespace: BTreeMap<&str, Vec<Draft<'_>>> = BTreeMap::new();
    for (workload, id) in inventory.workloads().iter().zip(0..) {
        by_namespace.entry(&workload.name.namespace).or_default().push(Draft::of(workload, WorkloadId(id), inventory));
    }
    let mut selections = BTreeMap::new();
    for mut drafts in by_namespace.into_values() {
        blank(&mut drafts);
        let index = Index::new(drafts.iter().flat_map(|draft| draft.own.iter().map(|labels| (draft.name, &**labels))));
        let budget = Budget(Cell::new(steps));
        let endings = drafts.iter().map(|draft| (draft.name, &draft.stable.ending_keys)).collect();
        let mut alike: BTreeMap<Traits<'_>, BTreeSet<&WorkloadName>> = BTreeMap::new();
        for draft in &drafts {
            alike.entry(draft.traits()).or_default().insert(draft.name);
        }
        for (traits, twins) in alike {
            let having =
                |labels: &Labels| -> Box<dyn Iterator<Item = Other<'_>>> { Box::new(index.having(labels, || budget.spend(1))) };
            let others = Others { having: &having, endings: &endings, budget: &budget };
            let selection = select(&traits, &twins, &others);
            selections.extend(twins.into_iter().map(|name| (name.clone(), selection.clone())));
        }
    }
    selections
}

/// Why a selector may not mean the workload's pods after the next event, as the rest of a sentence that begins with the workload;
/// nothing if it rests on labels that last.
pub(super) fn may_not_last(selector: &PodSelector, stable: &StableLabels) -> Option<String> {
    let PodSelector::Labelled(requirements) = selector else { return None };
    requirements.iter().find_map(|requirement| match requirement {
        Requirement::Equals { key, value } => stable.end(key).map(|ends| {
            let (why, next) = (&ends.why, ends.event.next());
            format!("is selected by {key}={value}, which {why}: no policy will select the pods {next}")
        }),
        Requirement::Present { key } if !marks().any(|mark| mark == key) => stable.end(key).map(|ends| {
            let why = &ends.why;
            format!("is selected by the presence of {key}, whose value {why}: whether the next pods have this label is not known")
        }),
        _ => None,
    })
}

/// The key of a label in a selector that Cilium does not look at, by its default configuration: such a selector means no pod there,
/// or with `DoesNotExist` every pod (cilium/cilium Documentation/operations/performance/scalability/identity-relevant-labels.rst).
pub(super) fn ignored_by_cilium(selector: &PodSelector) -> Option<&str> {
    const KEYS: [&str; 8] = [
        "pod-template-hash",
        "controller-revision-hash",
        "pod-template-generation",
        "controller-uid",
        "batch.kubernetes.io/controller-uid",
        "batch.kubernetes.io/job-completion-index",
        "statefulset.kubernetes.io/pod-name",
        "apps.kubernetes.io/pod-index",
    ];
    let PodSelector::Labelled(requirements) = selector else { return None };
    let is_ignored = |key: &&str| KEYS.contains(key) || key.starts_with("kubernetes.io") || key.starts_with("k8s.io");
    requirements.iter().map(Requirement::key).find(is_ignored)
}

/// The selectors that mean one workload and no other, of all workloads that have one.
pub fn selectors(inventory: &Inventory) -> BTreeMap<WorkloadName, PodSelector> {
    let exact = |(workload, selection)| match selection {
        Selection::Exact(selector) => Some((workload, selector)),
        Selection::Broad(..) | Selection::Impossible | Selection::TooCostly => None,
    };
    select_all(inventory).into_iter().filter_map(exact).collect()
}

/// A workload, before it is known who is like it.
struct Draft<'a> {
    name: &'a WorkloadName,
    /// The different label sets of its pods: replicas share theirs.
    own: BTreeSet<Cow<'a, Labels>>,
    selector: Option<&'a Labels>,
    stable: StableLabels,
    run: Option<(String, String)>,
}

impl<'a> Draft<'a> {
    fn of(workload: &'a Workload, id: WorkloadId, inventory: &'a Inventory) -> Self {
        let own = pod_labels(workload, inventory);
        let run = run_label(workload, &own);
        let mut stable = inventory.stable_labels(id);
        // The reason names what is the workload's alone, and nothing is chosen by it.
        stable.ending.values_mut().for_each(|(_, ends)| ends.why.clear());
        let own = own.into_iter().map(Cow::Borrowed).collect();
        Self { name: &workload.name, own, selector: workload.selector.as_ref(), stable, run }
    }

    fn traits(&self) -> Traits<'_> {
        Traits {
            own: self.own.iter().map(|labels| &**labels).collect(),
            selector: self.selector,
            stable: &self.stable,
            run: &self.run,
        }
    }
}

/// Empties the values of labels that no selector asks for, because they last for no workload that has them. So workloads that differ
/// in nothing else are alike, and a namespace of many costs no more than its kinds.
fn blank(drafts: &mut [Draft<'_>]) {
    let is_kept = |draft: &Draft<'_>, key: &str| {
        let is_of_the_pod = draft.stable.end(key).is_some_and(|ends| ends.event == Event::Change);
        key == RUN || is_of_the_pod || !draft.stable.ending_keys.contains(key)
    };
    let mut kept: BTreeSet<String> = BTreeSet::new();
    for draft in &*drafts {
        let keys = draft.own.iter().flat_map(|labels| labels.keys());
        kept.extend(keys.filter(|key| is_kept(draft, key)).cloned().collect::<BTreeSet<String>>());
    }
    for draft in drafts {
        let is_blank = |key: &String| !kept.contains(key);
        draft.stable.ending.iter_mut().filter(|(key, _)| is_blank(key)).for_each(|(_, (value, _))| value.clear());
        draft.own = std::mem::take(&mut draft.own).into_iter().map(|labels| blanked(labels, &kept)).collect();
    }
}

fn blanked<'a>(mut labels: Cow<'a, Labels>, kept: &BTreeSet<String>) -> Cow<'a, Labels> {
    if labels.keys().any(|key| !kept.contains(key)) {
        labels.to_mut().iter_mut().filter(|(key, _)| !kept.contains(*key)).for_each(|(_, value)| value.clear());
    }
    labels
}

/// All that the choice of a workload's selector rests on, but for the others; workloads of the same traits are told apart by
/// nothing.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Traits<'a> {
    /// The different label sets of its pods: replicas share theirs.
    own: BTreeSet<&'a Labels>,
    /// Its owner's selector.
    selector: Option<&'a Labels>,
    /// Which of the labels last.
    stable: &'a StableLabels,
    /// What names its run.
    run: &'a Option<(String, String)>,
}

/// The label sets of a workload's pods; of its owner's selector where it has no pod now.
fn pod_labels<'a>(workload: &'a Workload, inventory: &'a Inventory) -> BTreeSet<&'a Labels> {
    let pods = workload.pods.iter().map(|&pod| inventory.pod(pod));
    let sets: BTreeSet<&Labels> = pods.filter(|pod| !pod.is_on_host_network).map(|pod| &*pod.labels).collect();
    if sets.is_empty() && workload.pods.is_empty() { workload.selector.iter().collect() } else { sets }
}

/// Finds the label sets of the namespace that have all of these labels.
type Having<'i, 'a> = dyn Fn(&Labels) -> Box<dyn Iterator<Item = Other<'a>> + 'i> + 'i;

/// What may be spent on the selectors of one namespace. Whoever may create pods can create very many that are alike, and to tell each
/// apart from all others costs the square of their number. What is spent is counted, not timed, so that every run ends at the same
/// workload.
struct Budget(Cell<u64>);

impl Budget {
    /// Label sets that are looked at. A namespace of a thousand workloads without a label of their own takes some ten million.
    const STEPS: u64 = 100_000_000;
    /// What a name or value that is kept costs, in steps: it takes a hundred bytes or so.
    const KEPT: u64 = 32;

    fn spend(&self, steps: u64) {
        self.0.set(self.0.get().saturating_sub(steps));
    }

    fn keep(&self, count: usize) {
        self.spend(Self::KEPT.saturating_mul(u64::try_from(count).unwrap_or(u64::MAX)));
    }

    const fn is_spent(&self) -> bool {
        self.0.get() == 0
    }
}

/// The other workloads of the namespace.
struct Others<'i, 'a> {
    having: &'i Having<'i, 'a>,
    /// Of each, the keys of labels that do not last.
    endings: &'i BTreeMap<&'a WorkloadName, &'a BTreeSet<String>>,
    budget: &'i Budget,
}

/// How workloads of these traits are selected: `twins`, one or more.
fn select<'a>(traits: &Traits<'_>, twins: &BTreeSet<&WorkloadName>, others: &Others<'_, 'a>) -> Selection {
    let Traits { own, selector, stable, run } = traits;
    if others.budget.is_spent() {
        return Selection::TooCostly;
    }
    let StableLabels { lasting, identifying, .. } = stable;
    let mut chosen: Labels = match selector {
        Some(selector) => selector.iter().filter(|(key, value)| lasting.get(*key) == Some(value)).map(owned).collect(),
        None => identifying.clone(),
    };
    if chosen.is_empty() {
        chosen.clone_from(lasting);
    }
    let mistaken = |labels: &Labels| (others.having)(labels).filter(|(name, _)| !twins.contains(name));
    let others_left = |labels: &Labels, run: Option<&(String, String)>| {
        let all: Labels = labels.iter().chain(lasting).map(owned).chain(run.cloned()).collect();
        mistaken(&all).filter(|(_, labels)| run.is_some() || labels.contains_key(RUN)).count()
    };
    // A Job that is numbered, as a release names its own, has another number next time; that it is a Job lasts.
    let is_numbered = run.as_ref().is_some_and(|(_, name)| is_numbered(name));
    let is_marked = is_numbered && others_left(&chosen, None) <= others_left(&chosen, run.as_ref());
    let run = run.as_ref().filter(|_| !is_marked);
    if chosen.is_empty() {
        chosen.extend(run.cloned());
    }
    let is_unlabelled = chosen.is_empty();
    let rest: Vec<(String, String)> =
        lasting.iter().map(owned).chain(run.cloned()).filter(|(key, _)| !chosen.contains_key(key)).collect();
    let addition = fewest_additions(&rest, |addition, limit| {
        let mut labels = chosen.clone();
        labels.extend(addition.iter().cloned());
        mistaken(&labels).take(limit).count()
    });
    chosen.extend(addition);
    let mut left: Vec<Other<'a>> = mistaken(&chosen).collect();
    let mut requirements: BTreeSet<Requirement> =
        chosen.into_iter().map(|(key, value)| Requirement::Equals { key, value }).collect();
    if is_unlabelled && let Some(requirement) = mark(own).or_else(|| last_resort(stable, &left)) {
        left.retain(|(_, labels)| requirement.is_met_by(labels));
        requirements.insert(requirement);
    }
    while let Some(requirement) = exclusion(own, &left, others).or_else(|| mark_exclusion(own, &left)) {
        left.retain(|(_, labels)| requirement.is_met_by(labels));
        requirements.insert(requirement);
    }
    others.budget.keep(left.len());
    if others.budget.is_spent() {
        return Selection::TooCostly;
    }
    let mut matched: BTreeSet<WorkloadName> = left.into_iter().map(|(name, _)| name.clone()).collect();
    // What one twin's pods meet, so do the others'.
    if twins.len() > 1 && !own.is_empty() {
        matched.extend(twins.iter().map(|&name| name.clone()));
    }
    let selector = NonEmpty::new(requirements).map(PodSelector::Labelled);
    match (selector, matched.is_empty()) {
        (Some(selector), true) => Selection::Exact(selector),
        (None, true) => Selection::Exact(PodSelector::EveryPod),
        (Some(selector), false) => Selection::Broad(selector, Rc::new(matched)),
        (None, false) => Selection::Impossible,
    }
}

fn owned((key, value): (&String, &String)) -> (String, String) {
    (key.clone(), value.clone())
}

/// Sets of labels that are tried. Of a hundred labels all pairs are; more have been seen on no pod.
const TRIES: usize = 20_000;

/// The fewest further labels (at most three, else all of them) that leave the least number of others matched; the first in
/// alphabetical order of those. None if none helps. `matched` counts the others, up to a limit.
fn fewest_additions(rest: &[(String, String)], matched: impl Fn(&[(String, String)], usize) -> usize) -> Vec<(String, String)> {
    let least = matched(rest, usize::MAX);
    let suffices = |addition: &[(String, String)]| matched(addition, least.saturating_add(1)) <= least;
    if suffices(&[]) {
        return Vec::new();
    }
    let mut sets: Vec<Vec<usize>> = vec![Vec::new()];
    for _ in 0..3 {
        if sets.len().saturating_mul(rest.len()) > TRIES {
            break;
        }
        let longer = |set: &Vec<usize>| {
            let from = set.last().map_or(0, |last| last + 1);
            let set = set.clone();
            (from..rest.len()).map(move |next| set.iter().copied().chain([next]).collect::<Vec<usize>>())
        };
        sets = sets.iter().flat_map(longer).collect();
        for set in &sets {
            let labels: Vec<(String, String)> = set.iter().map(|&position| rest[position].clone()).collect();
            if suffices(&labels) {
                return labels;
            }
        }
    }
    rest.to_vec()
}

/// A requirement that all own pods meet and most of the others left do not: a label that only the others have, or a value of
/// it that only they have. Nothing if there is none.
fn exclusion(own: &BTreeSet<&Labels>, left: &[Other<'_>], others: &Others<'_, '_>) -> Option<Requirement> {
    let mut best: Option<(usize, Requirement)> = None;
    let ends = |name: &WorkloadName, key: &str| others.endings.get(name).is_some_and(|keys| keys.contains(key));
    let is_lasting = |name: &WorkloadName, key: &str| !ends(name, key) || key == RUN && is_run(name);
    let keys: BTreeSet<&String> =
        left.iter().flat_map(|(name, labels)| labels.keys().filter(|key| is_lasting(name, key))).collect();
    for key in keys {
        others.budget.spend(u64::try_from(left.len()).unwrap_or(u64::MAX));
        if others.budget.is_spent() {
            return None;
        }
        let lasting = left.iter().filter(|(name, _)| is_lasting(name, key));
        let values: BTreeSet<&String> = lasting.filter_map(|(_, labels)| labels.get(key)).collect();
        let is_own = |value: &&String| own.iter().any(|labels| labels.get(key) == Some(value));
        let foreign: BTreeSet<String> = values.into_iter().filter(|value| !is_own(value)).cloned().collect();
        others.budget.keep(foreign.len());
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

/// Whether it is a Job of its own: no CronJob gives each run another name, so the name is as lasting as the workload.
fn is_run(name: &WorkloadName) -> bool {
    name.kind.0 == "Job"
}

/// Whether a name ends in a number.
fn is_numbered(name: &str) -> bool {
    name.rsplit_once('-').is_some_and(|(_, last)| !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The label by which the pods of a Job of its own are told apart from all others.
fn run_label(workload: &Workload, own: &BTreeSet<&Labels>) -> Option<(String, String)> {
    let Workload { name, .. } = workload;
    let is_labelled = !own.is_empty() && own.iter().all(|labels| labels.get(RUN) == Some(&name.name));
    (is_run(name) && is_labelled).then(|| (RUN.to_owned(), name.name.clone()))
}

/// What all own pods have from their controller, where they have no labels of their own (`kubectl create cronjob`).
fn mark(own: &BTreeSet<&Labels>) -> Option<Requirement> {
    let is_common = |key: &str| !own.is_empty() && own.iter().all(|labels| labels.contains_key(key));
    marks().find(|key| is_common(key)).map(|key| Requirement::Present { key: key.to_owned() })
}

/// Of labels that do not last, what may be left of them: that they are there, or else their values. The label that the fewest of the
/// others have.
fn last_resort(stable: &StableLabels, others: &[Other<'_>]) -> Option<Requirement> {
    let requirement = |(key, (value, ends)): (&String, &(String, Ends))| match ends.event {
        Event::Change => Requirement::Equals { key: key.clone(), value: value.clone() },
        _ => Requirement::Present { key: key.clone() },
    };
    let matched = |requirement: &Requirement| others.iter().filter(|(_, labels)| requirement.is_met_by(labels)).count();
    stable.ending.iter().map(requirement).min_by_key(matched)
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
    marks().filter(|key| holds(key)).map(|key| requirement(key.to_owned())).collect()
}
