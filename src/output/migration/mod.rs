//! A migration for people and for programs: `PLAN.md`, the same as JSON, and a dry run beside it.
//!
//! In: a [`Migration`] and where the policies' files are ([`Places`]). Out: [`markdown`], [`json()`], [`files`]. No clock: the same input gives
//! the same bytes. Commands are made in one place, and none has a name in it that Kubernetes would not accept.

mod commands;
pub mod staged;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::migration::{About, Change, Migration, Namespace, Objection, Phase, Step};
use crate::model::{WorkloadName, length};
use crate::verify::{Direction, PolicyName};

use super::layout::{Content, Planned, is_namespace_name};
use super::template::PLAN;
use super::text::{counted, pretty_json};
use super::{EmitError, Templates};

/// The file of the plan.
pub const FILE: &str = PLAN;
/// The version of its JSON.
const VERSION: u32 = 1;

/// Where things are, as commands name them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// The directory of the policies, as it was typed, without a slash at its end.
    pub directory: String,
    /// The file of each policy, below that directory or as that directory.
    pub files: BTreeMap<PolicyName, String>,
    /// The namespaces of which `DIRECTORY/NAMESPACE` is a kustomization of just the policies that allow.
    pub kustomized: BTreeSet<String>,
    /// The directory of the dry run, if there is one.
    pub staged: Option<String>,
    /// Policies of this tool that the cluster has and that are no longer among the files.
    pub leftover: BTreeSet<PolicyName>,
    /// The captures that the policies were learned from, as far as they are still there.
    pub captures: Vec<String>,
    /// The inventories that the plan is made with, and those of the captures; none where the cluster itself was asked.
    pub inventories: Vec<String>,
    /// The file of decisions, where it was named.
    pub decisions: Option<String>,
    /// Whether decisions are left out.
    pub has_no_decisions: bool,
    /// Whether the policies were learned with a quarantine.
    pub has_quarantine: bool,
    /// The namespaces that the policies were learned for, if they were named.
    pub namespaces: Vec<String>,
    /// Further options of `learn` that the policies were learned with.
    pub options: Vec<String>,
    /// Whether policies of the system's namespaces are among them.
    pub includes_system: bool,
    /// What the evidence comes from, as a sentence without its full stop.
    pub evidence: String,
}

/// The plan as the template and the JSON have it.
#[derive(Serialize)]
struct Values<'a> {
    /// The version of this form: 1.
    version: u32,
    /// Whether nothing stands against any of it.
    ready: bool,
    directory: &'a str,
    evidence: &'a str,
    /// How many namespaces have policies, and how many of them may go.
    planned: u64,
    may_go: u64,
    /// What stands against all of it, or against namespaces without policies.
    objections: Vec<ObjectionLine>,
    accepted: Vec<ObjectionLine>,
    /// Whether the captures that were learned from are among what `prepare` reads.
    has_captures: bool,
    /// What gathers the evidence that is missing; empty if none is.
    prepare: Vec<String>,
    /// What tells whether policies are enforced.
    probe: Vec<String>,
    staged: Option<StagedValues>,
    namespaces: Vec<NamespaceValues<'a>>,
    /// What removes policies of this tool that are no longer among the files.
    leftover: Vec<String>,
    /// What takes back all that the steps apply, last first.
    undo: Vec<String>,
}

#[derive(Serialize)]
struct StagedValues {
    directory: String,
    apply: String,
    remove: String,
}

#[derive(Serialize)]
struct ObjectionLine {
    about: String,
    /// Whether the message says by itself whom it is about.
    named: bool,
    kind: Option<String>,
    reason: &'static str,
    message: String,
    hint: &'static str,
}

#[derive(Serialize)]
struct NamespaceValues<'a> {
    name: &'a str,
    /// Whether nothing stands against it, nor against all.
    ready: bool,
    /// Whether the cluster has all of it.
    done: bool,
    /// What is known of its edges, as a sentence.
    evidence: String,
    workloads: Vec<WorkloadLine>,
    objections: Vec<ObjectionLine>,
    /// Where its pods run.
    nodes: String,
    /// When its CronJobs are due.
    schedules: Vec<String>,
    /// The longest time between two starts of one of them, in words; absent where it is no more than each step is watched.
    wait: Option<String>,
    steps: Vec<StepValues>,
}

#[derive(Serialize)]
struct WorkloadLine {
    name: String,
    kind: String,
}

#[derive(Serialize)]
struct StepValues {
    /// `allow`, `ingress-deny` or `egress-deny`.
    phase: &'static str,
    done: bool,
    policies: Vec<String>,
    isolates: Vec<Isolated>,
    /// Policies of the cluster that get other rules.
    replaces: Vec<String>,
    record: Vec<String>,
    diff: Vec<String>,
    apply: Vec<String>,
    restart: Vec<String>,
    /// Workloads to be restarted in their own way.
    not_restarted: Vec<String>,
    check: Vec<String>,
    undo: Vec<String>,
}

#[derive(Serialize)]
struct Isolated {
    direction: String,
    workloads: Vec<String>,
    /// Those that no rule allows anything.
    nothing: Vec<String>,
}

/// The plan as Markdown.
///
/// # Errors
/// The template fails, or a name can be in no command.
pub fn markdown(migration: &Migration, places: &Places, templates: &Templates) -> Result<String, EmitError> {
    templates.render(PLAN, PLAN, &Values::new(migration, places)?)
}

/// The plan as JSON, indented, with a line feed at its end.
///
/// # Errors
/// A name can be in no command.
pub fn json(migration: &Migration, places: &Places) -> Result<String, EmitError> {
    let values = Values::new(migration, places)?;
    pretty_json(&values).map_err(EmitError::Json)
}

/// The files of a plan, by path below the output directory: itself, and the dry run if one was asked for.
///
/// # Errors
/// As [`markdown`] and [`staged::files`].
pub fn files(migration: &Migration, places: &Places, templates: &Templates) -> Result<BTreeMap<String, Planned>, EmitError> {
    let text = markdown(migration, places, templates)?;
    let mut files = BTreeMap::from([(FILE.to_owned(), Planned { content: Content::Review, text })]);
    if places.staged.is_some() {
        // As they are after the last step.
        let steps = migration.namespaces.iter().flat_map(|namespace| &namespace.steps);
        let policies: BTreeMap<_, _> = steps.flat_map(|step| &step.policies).collect();
        files.extend(staged::files(policies, templates)?);
    }
    Ok(files)
}

impl<'a> Values<'a> {
    fn new(migration: &'a Migration, places: &'a Places) -> Result<Self, EmitError> {
        check_names(migration)?;
        let may_go = migration.namespaces.iter().filter(|namespace| migration.may_go(namespace)).count();
        let namespaces: Vec<NamespaceValues> =
            migration.namespaces.iter().map(|namespace| NamespaceValues::new(namespace, migration, places)).collect();
        let waiting: Vec<&Namespace> = migration.namespaces.iter().filter(|namespace| !migration.may_go(namespace)).collect();
        let prepare = if migration.is_ready() {
            Vec::new()
        } else {
            let names: Vec<&str> = waiting.iter().map(|namespace| namespace.name.as_str()).collect();
            let jobs: Vec<&WorkloadName> = waiting.iter().flat_map(|namespace| namespace.schedules.keys()).collect();
            commands::prepare(&names, &jobs, places)
        };
        let staged = places.staged.as_ref().map(|directory| StagedValues {
            apply: format!("kubectl apply -k {}", commands::word(directory)),
            remove: format!("kubectl delete -k {}", commands::word(directory)),
            directory: directory.clone(),
        });
        // With the whole deny gone, its ingress part need not come back; that of other policies, or of one that was there before, must.
        let is_gone_later = |namespace: &Namespace, step: &Step| {
            let ingress = namespace.steps.iter().find(|step| step.phase == Phase::DenyIngress);
            let goes = |ingress: &Step, name| ingress.in_part.contains(name) && ingress.changes.get(name) != Some(&Change::Same);
            step.phase == Phase::DenyEgress && ingress.is_some_and(|ingress| step.policies.keys().all(|name| goes(ingress, name)))
        };
        let is_needed = |namespace: &Namespace, step: &Step| !step.is_done && !is_gone_later(namespace, step);
        let back = migration.namespaces.iter().rev();
        let steps = back.flat_map(|namespace| namespace.steps.iter().rev().map(move |step| (namespace, step)));
        let undo = steps.filter(|(namespace, step)| is_needed(namespace, step));
        Ok(Self {
            version: VERSION,
            ready: migration.is_ready(),
            directory: &places.directory,
            evidence: &places.evidence,
            planned: count(migration.namespaces.len()),
            may_go: count(may_go),
            objections: migration.objections.iter().map(ObjectionLine::new).collect(),
            accepted: migration.accepted.iter().map(ObjectionLine::new).collect(),
            has_captures: !places.captures.is_empty(),
            prepare,
            probe: commands::probe(),
            leftover: commands::leftover(places),
            staged,
            namespaces,
            undo: undo.flat_map(|(namespace, step)| commands::undo(namespace, step, places)).collect(),
        })
    }
}

impl<'a> NamespaceValues<'a> {
    fn new(namespace: &'a Namespace, migration: &Migration, places: &Places) -> Self {
        let schedules = namespace.schedules.iter();
        let longest = namespace.schedules.values().filter_map(|(_, interval)| *interval).max();
        Self {
            name: &namespace.name,
            ready: migration.may_go(namespace),
            done: namespace.is_done(),
            evidence: evidence(namespace),
            workloads: namespace.workloads.iter().map(WorkloadLine::new).collect(),
            objections: namespace.objections.iter().map(ObjectionLine::new).collect(),
            nodes: commands::nodes(namespace),
            schedules: schedules.map(|(name, (schedule, _))| format!("{} is due at {schedule}", name.name)).collect(),
            wait: longest.filter(|seconds| *seconds > 3600).map(length),
            steps: namespace.steps.iter().map(|step| StepValues::new(namespace, step, places)).collect(),
        }
    }
}

impl WorkloadLine {
    fn new(workload: &WorkloadName) -> Self {
        Self { name: workload.name.clone(), kind: workload.kind.0.clone() }
    }
}

impl ObjectionLine {
    fn new(objection: &Objection) -> Self {
        let (about, kind) = match &objection.about {
            About::Everything => ("everything".to_owned(), None),
            About::Namespace(namespace) => (namespace.clone(), None),
            About::Workload(workload) => (workload.to_string(), Some(workload.kind.0.clone())),
        };
        let (reason, hint) = (objection.reason.name(), objection.reason.hint());
        let named = objection.about == About::Everything || objection.message.contains(&about);
        Self { about, named, kind, reason, message: objection.message.clone(), hint }
    }
}

impl StepValues {
    fn new(namespace: &Namespace, step: &Step, places: &Places) -> Self {
        let names = |workloads: Option<&BTreeSet<WorkloadName>>| -> Vec<String> {
            workloads.into_iter().flatten().map(|workload| workload.name.clone()).collect()
        };
        let isolated = |direction: Direction| Isolated {
            direction: direction.to_string(),
            workloads: names(step.isolates.get(&direction)),
            nothing: names(step.silences.get(&direction)),
        };
        let namesakes = step.changes.iter().filter(|(_, change)| matches!(change, Change::Replaces(_)));
        let replaces: Vec<String> = namesakes.map(|(name, _)| name.name.clone()).collect();
        // Where nobody is isolated and no rule goes, nothing changes for anyone.
        let is_felt = !(step.isolates.is_empty() && replaces.is_empty());
        Self {
            phase: match step.phase {
                Phase::Allow => "allow",
                Phase::DenyIngress => "ingress-deny",
                Phase::DenyEgress => "egress-deny",
            },
            done: step.is_done,
            policies: step.policies.keys().map(|name| name.name.clone()).collect(),
            isolates: step.isolates.keys().map(|direction| isolated(*direction)).collect(),
            diff: commands::diff(namespace, step, places),
            apply: commands::apply(namespace, step, places),
            restart: commands::restart(namespace, step),
            not_restarted: commands::not_restarted(namespace, step),
            record: if is_felt { commands::record(namespace, step) } else { Vec::new() },
            check: if is_felt { commands::check(namespace, step, places) } else { Vec::new() },
            replaces,
            undo: commands::undo(namespace, step, places),
        }
    }
}

/// What is known of a namespace's edges.
fn evidence(namespace: &Namespace) -> String {
    let Some(course) = &namespace.course else { return "nothing is known of what was seen of it".to_owned() };
    let estimate = &course.estimate;
    let seen =
        format!("{} on {}", counted(estimate.connections, "connection", "connections"), counted(estimate.edges, "edge", "edges"));
    let chance = if estimate.unseen_chance.is_none() {
        "too little for an estimate".to_owned()
    } else {
        let every = (estimate.connections / estimate.seen_once.max(1)).max(1);
        let about = if estimate.seen_once == 0 { "less than" } else { "about" };
        format!("{about} 1 in {every} to come on an edge not seen yet")
    };
    let since = course.seconds_since_new.map(|seconds| format!(", the last new edge {} before the end", length(seconds)));
    format!("{seen}, {chance}{}", since.unwrap_or_default())
}

/// Holds that every name that gets into commands and paths is one.
fn check_names(migration: &Migration) -> Result<(), EmitError> {
    let bad = |what, name: &str| Err(EmitError::BadName { what, name: name.to_owned(), why: "it is no DNS name (RFC 1123)" });
    for namespace in &migration.namespaces {
        if !is_namespace_name(&namespace.name) {
            return bad("namespace", &namespace.name);
        }
        for name in namespace.steps.iter().flat_map(|step| step.policies.keys()) {
            if !commands::is_object_name(&name.name) {
                return bad("policy", &name.name);
            }
        }
    }
    Ok(())
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
