//! The steps of one namespace, and the proof that none of them denies what is to stay possible.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicySpec};

use super::Wanted;
use crate::inventory::PodId;
use crate::model::{PodName, WorkloadName};
use crate::verify::{ClusterView, Direction, Evaluator, PolicyError, PolicyName};

const DIRECTIONS: [Direction; 2] = [Direction::Ingress, Direction::Egress];

/// A policy to be applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Given {
    /// The object.
    pub object: NetworkPolicy,
    /// What its `spec` comes to.
    pub digest: String,
}

impl Given {
    fn spec(&self) -> NetworkPolicySpec {
        self.object.spec.clone().unwrap_or_default()
    }

    /// Whether it isolates in a direction: by the API, ingress where no type is written, and egress where there are rules for it.
    fn isolates(&self, direction: Direction) -> bool {
        let spec = self.spec();
        let types = spec.policy_types.unwrap_or_default();
        match direction {
            Direction::Ingress => types.is_empty() || types.iter().any(|name| name == "Ingress"),
            Direction::Egress if types.is_empty() => spec.egress.is_some_and(|rules| !rules.is_empty()),
            Direction::Egress => types.iter().any(|name| name == "Egress"),
        }
    }

    /// Whether it is a default deny: it selects every pod and allows nothing.
    #[must_use]
    pub fn is_default_deny(&self) -> bool {
        let spec = self.spec();
        let selector = spec.pod_selector.unwrap_or_default();
        let is_everyone = selector.match_labels.is_none_or(|labels| labels.is_empty())
            && selector.match_expressions.is_none_or(|expressions| expressions.is_empty());
        let allows = spec.ingress.is_some_and(|rules| !rules.is_empty()) || spec.egress.is_some_and(|rules| !rules.is_empty());
        is_everyone && !allows
    }

    /// Whether it denies all that its namespace's pods do in a direction.
    pub(super) fn denies(&self, direction: Direction) -> bool {
        self.is_default_deny() && self.isolates(direction)
    }

    /// The same for ingress alone.
    fn for_ingress(&self) -> NetworkPolicy {
        let mut object = self.object.clone();
        if let Some(spec) = &mut object.spec {
            spec.policy_types = Some(vec!["Ingress".to_owned()]);
        }
        object
    }
}

/// What a step brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// What is allowed.
    Allow,
    /// The default deny, for ingress alone.
    DenyIngress,
    /// The default deny, for egress too.
    DenyEgress,
}

/// What a policy of a step is to the cluster.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// There is none of that name.
    New,
    /// It replaces a namesake that says this.
    Replaces(Box<NetworkPolicySpec>),
    /// It is there already, as it is.
    Same,
}

/// One step of one namespace.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What it brings.
    pub phase: Phase,
    /// Its policies, as they are to be after it.
    pub policies: BTreeMap<PolicyName, NetworkPolicy>,
    /// What each is to the cluster as it was before all steps.
    pub changes: BTreeMap<PolicyName, Change>,
    /// Policies that are applied without their egress part, which comes in a later step.
    pub in_part: BTreeSet<PolicyName>,
    /// The workloads of which some pod becomes isolated in a direction that was open to it.
    pub isolates: BTreeMap<Direction, BTreeSet<WorkloadName>>,
    /// Those among them that no rule allows anything in that direction.
    pub silences: BTreeMap<Direction, BTreeSet<WorkloadName>>,
    /// Whether the cluster has all of it already.
    pub is_done: bool,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// A policy that the API server would refuse.
    #[error("check the policies")]
    Policy(#[from] PolicyError),
    /// The steps do not keep their promise.
    #[error("prove the steps: {0}")]
    Broken(Broken),
}

/// A pod that would be isolated before it has all its rules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("after {phase:?} of {pod}'s namespace its {direction} is isolated and it lacks the rules of {}", lacks.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
pub struct Broken {
    /// The step.
    pub phase: Phase,
    /// The pod.
    pub pod: PodName,
    /// The direction.
    pub direction: Direction,
    /// What it lacks.
    pub lacks: BTreeSet<PolicyName>,
}

/// Policies of one namespace at a time.
type State = BTreeMap<PolicyName, NetworkPolicy>;

/// The steps of a namespace that apply anything, in order.
pub(super) fn steps(namespace: &str, wanted: &Wanted<'_>) -> Result<Vec<Step>, MigrationError> {
    let existing: State = wanted
        .existing
        .iter()
        .filter(|object| object.metadata.namespace.as_deref() == Some(namespace))
        .map(|object| (name_of(object), object.clone()))
        .collect();
    let given = || wanted.policies.iter().filter(|(name, _)| name.namespace == namespace);
    let pods: Vec<PodId> = wanted.world.pods().filter(|(_, pod)| pod.name.namespace == namespace).map(|(id, _)| id).collect();
    let mut last = existing.clone();
    last.extend(given().map(|(name, given)| (name.clone(), given.object.clone())));
    let last = Isolation::new(&last, wanted.world, &pods)?;

    let mut steps = Vec::new();
    let mut state = existing.clone();
    let mut before = Isolation::new(&state, wanted.world, &pods)?;
    for phase in [Phase::Allow, Phase::DenyIngress, Phase::DenyEgress] {
        let mut policies = State::new();
        let mut in_part = BTreeSet::new();
        for (name, given) in given() {
            let (ingress, egress) = (given.denies(Direction::Ingress), given.denies(Direction::Egress));
            let object = match phase {
                Phase::Allow if !given.is_default_deny() => given.object.clone(),
                // One that the cluster has already is not taken back.
                Phase::DenyIngress if ingress && egress && !is_same(existing.get(name), &given.object) => {
                    in_part.insert(name.clone());
                    given.for_ingress()
                }
                Phase::DenyIngress if ingress => given.object.clone(),
                Phase::DenyEgress if egress => given.object.clone(),
                _ => continue,
            };
            policies.insert(name.clone(), object);
        }
        if policies.is_empty() {
            continue;
        }
        state.extend(policies.clone());
        let after = Isolation::new(&state, wanted.world, &pods)?;
        after.hold(&last, phase, wanted)?;
        let isolates = after.beyond(&before, wanted.world);
        let changes = policies.iter().map(|(name, object)| {
            let whole = wanted.policies.get(name).map(|given| &given.object);
            let change = match existing.get(name) {
                None => Change::New,
                Some(old) if is_same(Some(old), object) || whole.is_some_and(|whole| is_same(Some(old), whole)) => Change::Same,
                Some(old) => Change::Replaces(Box::new(old.spec.clone().unwrap_or_default())),
            };
            (name.clone(), change)
        });
        let changes: BTreeMap<PolicyName, Change> = changes.collect();
        let is_done = changes.values().all(|change| *change == Change::Same);
        let silences = last.silent(&isolates, wanted);
        steps.push(Step { phase, policies, changes, in_part, isolates, silences, is_done });
        before = after;
    }
    Ok(steps)
}

fn name_of(object: &NetworkPolicy) -> PolicyName {
    PolicyName {
        namespace: object.metadata.namespace.clone().unwrap_or_default(),
        name: object.metadata.name.clone().unwrap_or_default(),
    }
}

fn is_same(old: Option<&NetworkPolicy>, new: &NetworkPolicy) -> bool {
    old.is_some_and(|old| old.spec == new.spec)
}

/// The policies that isolate each pod of a namespace.
struct Isolation {
    by: BTreeMap<(PodId, Direction), BTreeSet<PolicyName>>,
}

impl Isolation {
    fn new(state: &State, world: &ClusterView, pods: &[PodId]) -> Result<Self, PolicyError> {
        let policies: Vec<NetworkPolicy> = state.values().cloned().collect();
        let evaluator = Evaluator::new(&policies, world)?;
        let each = pods.iter().flat_map(|&pod| DIRECTIONS.map(|direction| (pod, direction)));
        let by = each.map(|(pod, direction)| ((pod, direction), evaluator.isolated_by(pod, direction))).collect();
        Ok(Self { by })
    }

    /// Holds that whoever is isolated has all that will isolate it in the end and allows anything: so all rules it will ever get.
    fn hold(&self, last: &Self, phase: Phase, wanted: &Wanted<'_>) -> Result<(), MigrationError> {
        for ((pod, direction), by) in &self.by {
            let own = last.by.get(&(*pod, *direction)).into_iter().flatten();
            let lacks: BTreeSet<PolicyName> = own.filter(|name| !by.contains(name) && allows(name, wanted)).cloned().collect();
            if !by.is_empty() && !lacks.is_empty() {
                let pod = wanted.world.pods[pod.0 as usize].name.clone();
                return Err(MigrationError::Broken(Broken { phase, pod, direction: *direction, lacks }));
            }
        }
        Ok(())
    }

    /// The workloads of which a pod is isolated here and was not before.
    fn beyond(&self, before: &Self, world: &ClusterView) -> BTreeMap<Direction, BTreeSet<WorkloadName>> {
        let mut beyond: BTreeMap<Direction, BTreeSet<WorkloadName>> = BTreeMap::new();
        for ((pod, direction), by) in &self.by {
            if !by.is_empty() && before.by.get(&(*pod, *direction)).is_none_or(BTreeSet::is_empty) {
                beyond.entry(*direction).or_default().insert(world.pods[pod.0 as usize].workload.clone());
            }
        }
        beyond
    }

    /// Of these workloads those of which some pod is allowed nothing in that direction, by any policy to come.
    fn silent(
        &self,
        isolates: &BTreeMap<Direction, BTreeSet<WorkloadName>>,
        wanted: &Wanted<'_>,
    ) -> BTreeMap<Direction, BTreeSet<WorkloadName>> {
        let mut silent: BTreeMap<Direction, BTreeSet<WorkloadName>> = BTreeMap::new();
        for ((pod, direction), by) in &self.by {
            let workload = &wanted.world.pods[pod.0 as usize].workload;
            let is_meant = isolates.get(direction).is_some_and(|workloads| workloads.contains(workload));
            if is_meant && !by.iter().any(|name| allows(name, wanted)) {
                silent.entry(*direction).or_default().insert(workload.clone());
            }
        }
        silent
    }
}

/// Whether a policy allows anything; of one that only the cluster has, it is taken for granted.
fn allows(name: &PolicyName, wanted: &Wanted<'_>) -> bool {
    wanted.policies.get(name).is_none_or(|given| !given.is_default_deny())
}
