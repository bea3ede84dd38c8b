//! Policies whose selectors match no pod any more.
//!
//! In: policies, the [`ClusterView`], edges and what [`super::replay`] said of them. Out: [`Unmatched`]. A selector that matches nothing may be
//! right: its workload is scaled to nothing. So it is told only where the policy, if it selected the pods of some workload of its
//! namespace, would allow what that workload was seen to do and no policy allows, or no policy keeps it from. Decided by selectors, pods
//! and traffic alone. Wrong where two workloads do the same and only one of them has gone.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::networking::v1::NetworkPolicy;

use super::cluster_view::ClusterView;
use super::error::{PolicyError, PolicyName};
use super::groups::Groups;
use super::proof::observed::addresses;
use super::replay::Replay;
use super::selector::Selector;
use super::spec::{Spec, SpecPeer, SpecRule};
use super::verdict::Direction;
use crate::model::{Edge, Labels, Party, WorkloadName};

/// A selector that matches no pod, though the pods it was written for are there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unmatched {
    /// The policy.
    pub policy: PolicyName,
    /// Whether the selector is a peer's; else it is the policy's own.
    pub is_peer: bool,
    /// The workload whose pods it was written for, by what they were seen to do.
    pub workload: WorkloadName,
    /// What they were seen to do.
    pub edge: Edge,
}

/// Finds selectors that match no pod and that edges need: of each policy and workload the first edge.
///
/// # Errors
/// The first policy that is malformed.
pub fn unmatched<'e>(
    policies: &[NetworkPolicy],
    world: &ClusterView,
    edges: impl IntoIterator<Item = &'e Edge>,
    replay: &Replay,
) -> Result<BTreeSet<Unmatched>, PolicyError> {
    let specs = policies.iter().map(Spec::new).collect::<Result<Vec<_>, _>>()?;
    let mut pods: BTreeMap<&WorkloadName, BTreeSet<&Labels>> = BTreeMap::new();
    for (_, pod) in world.pods().filter(|(_, pod)| !pod.is_on_host_network) {
        pods.entry(&pod.workload).or_default().insert(&pod.labels);
    }
    let search = Search { world, groups: Groups::new(world, &specs), pods };
    let lacking: Vec<Lacking<'_>> = edges.into_iter().flat_map(|edge| lacking(edge, replay)).collect();
    let mut found = BTreeSet::new();
    let mut known = BTreeSet::new();
    for spec in &specs {
        let selects_none = search.is_stale(&spec.name.namespace, &spec.selects);
        for lacking in lacking.iter().filter(|lacking| lacking.subject.namespace == spec.name.namespace) {
            let rules = match lacking.direction {
                Direction::Ingress => &spec.ingress,
                Direction::Egress => &spec.egress,
            };
            let mut rules = rules.iter().flatten().filter(|rule| covers(rule, lacking.edge));
            let workload = if selects_none {
                rules.any(|rule| search.means(rule, spec, lacking.peer) != Some(false)).then_some(lacking.subject)
            } else if search.selects(spec, lacking.subject) {
                let Party::Workload(peer) = lacking.peer else { continue };
                rules.any(|rule| search.means(rule, spec, lacking.peer).is_none()).then_some(&**peer)
            } else {
                None
            };
            if let Some(workload) = workload
                && known.insert((&spec.name, workload))
            {
                let (policy, workload, edge) = (spec.name.clone(), workload.clone(), lacking.edge.clone());
                found.insert(Unmatched { policy, is_peer: !selects_none, workload, edge });
            }
        }
    }
    Ok(found)
}

/// One side of an edge that no policy allows, or that none isolates.
struct Lacking<'e> {
    edge: &'e Edge,
    direction: Direction,
    subject: &'e WorkloadName,
    peer: &'e Party,
}

fn lacking<'e>(edge: &'e Edge, replay: &Replay) -> impl Iterator<Item = Lacking<'e>> {
    let missing: Vec<Direction> = replay.denied.get(edge).into_iter().flatten().map(|missing| missing.side).collect();
    let sides = [(Direction::Egress, &edge.originator, &edge.responder), (Direction::Ingress, &edge.responder, &edge.originator)];
    let found = sides.into_iter().filter_map(|(direction, subject, peer)| {
        let Party::Workload(subject) = subject else { return None };
        let is_free = || replay.unisolated.contains(&(WorkloadName::clone(subject), direction));
        (missing.contains(&direction) || is_free()).then_some(Lacking { edge, direction, subject, peer })
    });
    found.collect::<Vec<_>>().into_iter()
}

/// Whether a rule has the port of an edge. A named port may be any number on pods to come.
fn covers(rule: &SpecRule, edge: &Edge) -> bool {
    let is_named = rule.ports.named.iter().any(|(protocol, _)| *protocol == edge.protocol);
    is_named || rule.ports.numbered.contains(edge.protocol, edge.port.get())
}

struct Search<'w> {
    world: &'w ClusterView,
    groups: Groups,
    /// The different label sets of each workload's pods on the pod network.
    pods: BTreeMap<&'w WorkloadName, BTreeSet<&'w Labels>>,
}

impl Search<'_> {
    /// Whether a selector matches no pod of a namespace that has pods.
    fn is_stale(&self, namespace: &str, selector: &Selector) -> bool {
        let every = Selector::default();
        self.groups.select(namespace, selector).is_empty() && !self.groups.select(namespace, &every).is_empty()
    }

    /// Whether a policy selects some pod of a workload.
    fn selects(&self, spec: &Spec, workload: &WorkloadName) -> bool {
        self.pods(workload).any(|labels| spec.selects.matches(labels))
    }

    fn pods(&self, workload: &WorkloadName) -> impl Iterator<Item = &Labels> {
        self.pods.get(workload).into_iter().flatten().copied()
    }

    /// Whether a rule means a peer; nothing where it would be meant by a selector that matches no pod.
    fn means(&self, rule: &SpecRule, spec: &Spec, peer: &Party) -> Option<bool> {
        let Some(peers) = &rule.peers else { return Some(true) };
        let mut is_stale = false;
        for item in peers {
            match (item, peer) {
                (SpecPeer::Block(block), peer) => {
                    if addresses(peer, self.world).into_iter().any(|address| block.contains(address)) {
                        return Some(true);
                    }
                }
                (SpecPeer::Pods { namespaces, pods }, Party::Workload(workload)) => {
                    let namespace = &workload.namespace;
                    let is_meant = match namespaces {
                        None => *namespace == spec.name.namespace,
                        Some(selector) => self.world.namespaces.get(namespace).is_some_and(|labels| selector.matches(labels)),
                    };
                    if is_meant && self.pods(workload).any(|labels| pods.matches(labels)) {
                        return Some(true);
                    }
                    is_stale |= is_meant && self.is_stale(namespace, pods);
                }
                (SpecPeer::Pods { .. }, _) => {}
            }
        }
        if is_stale { None } else { Some(false) }
    }
}
