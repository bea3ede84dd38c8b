//! The policies of all subject namespaces.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::edge::{DynamicPorts, Exposure, Observation, Public};
use crate::inventory::{Due, Inventory, Schedule, is_system_namespace};
use crate::model::{Class, Code, Edge, Evidence, Explained, Findings, PodSelector, Policy, Rules, Span, Widening, WorkloadName};
use crate::review::decisions::{Decision, QUARANTINED, What, added};

use super::builder::RuleBuilder;
use super::draft::DraftKey;
use super::name;
use super::selector::select_all;
use super::widenings::Collector;

/// Who may resolve names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DnsScope {
    /// Workloads that were seen to.
    #[default]
    Seen,
    /// All pods of a namespace in which one was.
    Namespace,
}

/// What the user asks of the policies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyOptions {
    /// The subject namespaces; `None` for all that have pods and are not the system's.
    pub namespaces: Option<BTreeSet<String>>,
    /// Whether the system's namespaces are subjects too.
    pub includes_system: bool,
    /// Who may call exposed workloads.
    pub public: Public,
    /// Who may resolve names.
    pub dns: DnsScope,
    /// Whether ports picked at run time become an `endPort` range from the least to the greatest seen.
    pub allows_port_ranges: bool,
    /// Outside addresses that are to be said as ranges; decisions of that kind and no others.
    pub widenings: Vec<Arc<Decision>>,
    /// What is rejected; addresses among it are cut out of what everyone outside may call.
    pub rejections: Vec<Arc<Decision>>,
}

/// All policies of a run.
#[derive(Clone, Debug, Default)]
pub struct PolicySet {
    /// The policies, in output order: by namespace, the default deny first.
    pub policies: Vec<Explained>,
    /// The subject namespaces.
    pub namespaces: BTreeSet<String>,
    /// What the policies may allow beyond what was seen.
    pub widenings: BTreeSet<Widening>,
    /// Observed edges that no policy can allow; each has a finding that says why.
    pub inexpressible: BTreeSet<Edge>,
    /// What is to be said beside the policies.
    pub findings: Findings,
}

/// Makes the policies that allow what was observed, and deny all else.
pub fn make(observation: &Observation, inventory: &Inventory, options: &PolicyOptions) -> PolicySet {
    let workloads = inventory.selectable();
    let subjects = wanted(&workloads, options);
    let mut set = allow(&observation.edges, &observation.dynamic, inventory, options, "");
    set.policies.extend(subjects.iter().map(|namespace| default_deny(namespace)));
    set.policies.sort_by(|one, other| one.policy.cmp(&other.policy));
    if inventory.services().is_empty() {
        set.findings.add(Code::ServicesMissing, "inventory", "holds no Service at all");
    }
    unseen(&mut set.findings, observation, inventory, &subjects, &workloads);
    set
}

/// Makes the policies that would allow what is in quarantine beside what is not: no default deny, nothing wider than what was seen
/// where that can be helped, and no name that another policy has.
pub fn make_quarantined(
    edges: &BTreeMap<Edge, Evidence>,
    dynamic: &[DynamicPorts],
    inventory: &Inventory,
    options: &PolicyOptions,
) -> PolicySet {
    let options = PolicyOptions {
        public: Public::Exact,
        dns: DnsScope::Seen,
        widenings: Vec::new(),
        rejections: Vec::new(),
        ..options.clone()
    };
    let mut set = allow(edges, dynamic, inventory, &options, QUARANTINED);
    for explained in &mut set.policies {
        let why = match explained.policy.class {
            Class::Metadata => {
                "it leads to the cloud's credentials, so no kustomization names this file. Accept or reject that in \
                                netpol-gen.yaml."
            }
            _ => "what it allows is suspicious, so no kustomization includes this file. Apply it by hand, or not at all.",
        };
        explained.notes.push(format!("In quarantine: {why}"));
    }
    set
}

/// Which ports are open to the internet by these edges. Callers of a range that a reviewer decided on say nothing of everyone else.
pub(super) fn exposure(edges: &BTreeMap<Edge, Evidence>, inventory: &Inventory, options: &PolicyOptions) -> Exposure {
    let is_decided = |edge: &Edge| options.widenings.iter().any(|decision| decision.widens(edge).is_some());
    Exposure::new(edges.keys().filter(|edge| !is_decided(edge)), inventory, options.public)
}

/// The policies that allow these edges; their names begin with `prefix`.
fn allow(
    edges: &BTreeMap<Edge, Evidence>,
    dynamic: &[DynamicPorts],
    inventory: &Inventory,
    options: &PolicyOptions,
    prefix: &str,
) -> PolicySet {
    let workloads = inventory.selectable();
    let subjects = wanted(&workloads, options);
    let selections = select_all(inventory);
    let exposure = exposure(edges, inventory, options);
    let mut sorter = RuleBuilder::new(inventory, options, &subjects, &selections, &exposure);
    for (edge, evidence) in edges {
        sorter.sort(edge, evidence);
    }
    for dynamic in dynamic {
        sorter.sort_dynamic(dynamic);
    }
    sorter.finish_outside();
    sorter.finish_exposed();
    sorter.finish_resolution(&workloads);

    let drafts = std::mem::take(&mut sorter.drafts);
    let names = unique_names(drafts.iter().map(|(key, draft)| (key, format!("{prefix}{}", draft.name))));
    let mut set = PolicySet { namespaces: subjects.clone(), ..PolicySet::default() };
    for (key, draft) in drafts {
        let Some(selects) = sorter.selects(key.subject.as_ref()) else {
            set.inexpressible.extend(draft.edges());
            continue;
        };
        let name = names[&key].clone();
        let decisions = sorter.widened.remove(&key).unwrap_or_default();
        if let Some(mut explained) = draft.finish(key, name, selects) {
            for decision in decisions {
                note(&mut explained, decision);
            }
            set.policies.push(explained);
        }
    }
    set.widenings = Collector::new(inventory, options, (&workloads, &subjects), &selections, &exposure).collect(edges, dynamic);
    set.policies.sort_by(|one, other| one.policy.cmp(&other.policy));
    set.inexpressible.append(&mut sorter.inexpressible);
    // What no rule can say of one port of a range, none can say of the others.
    for DynamicPorts { edge, ports, .. } in dynamic {
        if set.inexpressible.contains(edge) {
            set.inexpressible.extend(ports.iter().map(|&port| Edge { port, ..edge.clone() }));
        }
    }
    set.findings = sorter.findings;
    set
}

/// The namespaces that policies are made for.
pub fn subjects(inventory: &Inventory, options: &PolicyOptions) -> BTreeSet<String> {
    wanted(&inventory.selectable(), options)
}

pub(super) fn wanted(workloads: &BTreeMap<String, BTreeSet<WorkloadName>>, options: &PolicyOptions) -> BTreeSet<String> {
    let is_wanted = |namespace: &&String| match &options.namespaces {
        Some(namespaces) => namespaces.contains(*namespace),
        None => options.includes_system || !is_system_namespace(namespace),
    };
    workloads.keys().filter(is_wanted).cloned().collect()
}

/// Names by draft, unique in each namespace; the default deny's name is taken.
fn unique_names<'a>(drafts: impl Iterator<Item = (&'a DraftKey, String)>) -> BTreeMap<DraftKey, String> {
    let mut by_namespace: BTreeMap<&str, BTreeMap<DraftKey, String>> = BTreeMap::new();
    for (key, wanted) in drafts {
        by_namespace.entry(&key.namespace).or_default().insert(key.clone(), wanted);
    }
    let text = |key: &DraftKey| {
        let subject = key.subject.as_ref().map(|workload| (&workload.kind.0, &workload.name));
        format!("{} {subject:?} {}", key.class.name(), key.group)
    };
    by_namespace.into_values().flat_map(|wanted| name::unique(&wanted, text)).collect()
}

fn default_deny(namespace: &str) -> Explained {
    let policy = Policy {
        namespace: namespace.to_owned(),
        class: Class::DefaultDeny,
        name: "default-deny-all".to_owned(),
        subject: None,
        selects: PodSelector::EveryPod,
        rules: Rules::DenyAll,
    };
    Explained { policy, grounds: BTreeMap::new(), notes: Vec::new() }
}

/// Says that a policy has a range instead of the addresses seen, as a reviewer decided.
fn note(explained: &mut Explained, decision: &Decision) {
    let What::Widen(widen) = &decision.what else { return };
    let edges = explained.grounds.values().flat_map(BTreeMap::keys).filter(|edge| widen.subject(edge).is_some());
    let count = added(widen.range, edges);
    let added =
        if count == 1 { "1 address that was not seen".to_owned() } else { format!("{count} addresses that were not seen") };
    explained.notes.push(format!("By decision: {}, which adds {added} ({})", widen.range, decision.reason));
}

/// Why nothing was to be seen of a CronJob; nothing if there was.
fn not_due(schedule: &Schedule, span: Span) -> Option<String> {
    let text = schedule.describe();
    Some(match schedule.due(span) {
        Due::At(_) => return None,
        Due::Not { next: Some(next) } => format!("has the schedule {text}: not due while the capture ran, and next at {next}"),
        Due::Not { next: None } => format!("has the schedule {text}, which comes to no time"),
        Due::Suspended => format!("has the schedule {text} and is suspended"),
        Due::Unknown(reason) => {
            format!("has the schedule {text}; whether it was due while the capture ran cannot be told: {reason}")
        }
    })
}

/// Says which workloads and namespaces nothing was seen of.
fn unseen(
    findings: &mut Findings,
    observation: &Observation,
    inventory: &Inventory,
    subjects: &BTreeSet<String>,
    workloads: &BTreeMap<String, BTreeSet<WorkloadName>>,
) {
    let active: BTreeSet<&WorkloadName> = observation.active.iter().map(|&id| &*inventory.workload(id).name).collect();
    let pods: BTreeMap<&WorkloadName, usize> =
        inventory.workloads().iter().map(|workload| (&*workload.name, workload.pods.len())).collect();
    for namespace in subjects {
        let own = workloads.get(namespace).into_iter().flatten();
        let silent: Vec<&WorkloadName> = own.clone().filter(|workload| !active.contains(workload)).collect();
        if silent.len() == own.count() {
            findings.add(
                Code::NamespaceWithoutTraffic,
                namespace.clone(),
                match silent.len() {
                    1 => "has one workload, which was not seen to talk".to_owned(),
                    count => format!("has {count} workloads, none of which was seen to talk"),
                },
            );
            continue;
        }
        for workload in silent {
            if let Some((schedule, span)) = inventory.schedule(workload).zip(observation.span)
                && let Some(message) = not_due(schedule, span)
            {
                findings.add(Code::CronJobNotDue, workload.to_string(), message);
                continue;
            }
            let message = match pods.get(workload) {
                Some(0) | None => "had no pods while the inventory was taken".to_owned(),
                Some(_) => "was not seen to talk".to_owned(),
            };
            findings.add(Code::WorkloadWithoutTraffic, workload.to_string(), message);
        }
    }
}
