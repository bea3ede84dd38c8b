//! What changes when one set of policies takes the place of another: connections that become possible, and that no longer are.
//!
//! In: two sets of policies and the [`ClusterView`]. Out: [`Difference`], by pairs of workloads and ports and by addresses outside, never
//! by lines of YAML. A connection between pods is possible where the egress of its originator and the ingress of its responder
//! both allow it; with addresses outside the pod's own side decides. A pod and itself, and a pod and its own node, are always
//! allowed and no difference. The work grows with what changed: pairs on which neither side changed are not looked at.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use k8s_openapi::api::networking::v1::NetworkPolicy;

use super::cluster_view::ClusterView;
use super::direction::{ReachId, Reaches, Sides, both};
use super::error::PolicyError;
use super::evaluator::Evaluator;
use super::groups::GroupId;
use super::ports::PortSet;
use super::proof::observed::Actors;
use super::ranges::AddressSet;
use super::verdict::{Answer, Direction, Reach};
use super::workload_set::{Namer, Parties};

/// What one set of policies allows more or less than another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Possible under the new ones only.
    pub gained: Vec<Change>,
    /// Possible under the old ones only.
    pub lost: Vec<Change>,
}

impl Difference {
    /// Whether all that is possible under one set is under the other.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.gained.is_empty() && self.lost.is_empty()
    }
}

/// All these originators to all these responders on all these ports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// Who opens.
    pub originators: Parts,
    /// Who is called.
    pub responders: Parts,
    /// On which ports of the responder.
    pub ports: PortSet,
    /// [`Answer::Allowed`] where it is certain; [`Answer::Undefined`] where an `ipBlock` on pods' addresses decides, before or
    /// after, so that network plug-ins differ.
    pub certainty: Answer,
}

/// One side of a change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Parts {
    /// Pods.
    Pods(Parties),
    /// Addresses that no pod has: outside the cluster, or of nodes.
    Addresses(AddressSet),
}

/// Whether it is gained, how certain that is, and on which ports.
type Kind = (bool, Answer, PortSet);

/// Compares what two sets of policies make possible.
///
/// # Errors
/// The first policy that is malformed.
pub fn diff(old: &[NetworkPolicy], new: &[NetworkPolicy], world: &ClusterView) -> Result<Difference, PolicyError> {
    let (old, new) = Evaluator::pair(old, new, world)?;
    let actors = Actors::new(&old, Some(&BTreeSet::new()));
    let namer = Namer::new(&actors);
    let mut comparison = Comparison::new(Sides::new(&old), Sides::new(&new), &actors);
    let mut difference = Difference::default();
    let mut add = |(is_gain, certainty, ports): Kind, originators: Parts, responders: Parts| {
        let changes = if is_gain { &mut difference.gained } else { &mut difference.lost };
        changes.push(Change { originators, responders, ports, certainty });
    };
    for (kind, originators, responders) in comparison.pods() {
        add(kind, Parts::Pods(namer.of_groups(&originators)), Parts::Pods(namer.of_groups(&responders)));
    }
    for ((kind, direction, addresses), subjects) in comparison.addresses() {
        let (subjects, addresses) = (Parts::Pods(namer.of_groups(&subjects)), Parts::Addresses(addresses));
        match direction {
            Direction::Egress => add(kind, subjects, addresses),
            Direction::Ingress => add(kind, addresses, subjects),
        }
    }
    difference.gained.sort();
    difference.lost.sort();
    Ok(difference)
}

/// Two sets of policies over the same groups.
struct Comparison<'a> {
    old: Sides<'a>,
    new: Sides<'a>,
    reaches: Reaches,
    /// How many pods are in each group.
    sizes: Vec<usize>,
    /// The groups whose rules are not the same under both.
    changed: BTreeMap<Direction, BTreeSet<GroupId>>,
}

/// Different kinds of changes, by number, and which a pair has whose four sides have these answers.
#[derive(Default)]
struct Kinds {
    all: Vec<Kind>,
    ids: BTreeMap<Kind, usize>,
    of: HashMap<[ReachId; 4], Vec<usize>>,
}

impl Kinds {
    fn of(&mut self, reaches: &Reaches, sides: [ReachId; 4]) -> &[usize] {
        self.of.entry(sides).or_insert_with(|| {
            let [old_egress, old_ingress, new_egress, new_ingress] = sides.map(|id| reaches.get(id));
            let (before, after) = (both(old_egress, old_ingress), both(new_egress, new_ingress));
            let mut number = |kind: Kind| {
                let next = self.all.len();
                *self.ids.entry(kind.clone()).or_insert_with(|| {
                    self.all.push(kind);
                    next
                })
            };
            kinds(&before, &after).map(&mut number).collect()
        })
    }
}

impl<'a> Comparison<'a> {
    fn new(old: Sides<'a>, new: Sides<'a>, actors: &Actors<'_>) -> Self {
        let mut sizes = vec![0; old.evaluator.groups.len()];
        for (&group, pods) in actors.workloads().iter().flat_map(|actor| &actor.groups) {
            sizes[group as usize] += pods.len();
        }
        let mut contents = BTreeMap::new();
        let mut changed: BTreeMap<Direction, BTreeSet<GroupId>> = BTreeMap::new();
        for group in groups(&sizes) {
            for direction in [Direction::Ingress, Direction::Egress] {
                if old.signature(&mut contents, direction, group) != new.signature(&mut contents, direction, group) {
                    changed.entry(direction).or_default().insert(group);
                }
            }
        }
        Self { old, new, reaches: Reaches::new(), sizes, changed }
    }

    fn has_changed(&self, direction: Direction, group: GroupId) -> bool {
        self.changed.get(&direction).is_some_and(|groups| groups.contains(&group))
    }

    /// The responders with whom something may be different.
    fn candidates(&self, originator: GroupId) -> Vec<GroupId> {
        let named = [&self.old, &self.new].map(|sides| sides.named(Direction::Egress, originator));
        let changed = self.changed.get(&Direction::Ingress);
        let is_changed = self.has_changed(Direction::Egress, originator);
        match named {
            [Some(old), Some(new)] if is_changed => old.union(&new).copied().collect(),
            [Some(old), Some(_)] => changed.into_iter().flatten().copied().filter(|group| old.contains(group)).collect(),
            _ if is_changed => groups(&self.sizes).collect(),
            _ => changed.into_iter().flatten().copied().collect(),
        }
    }

    /// Changes between groups: originators by kind and responders.
    fn pods(&mut self) -> Vec<(Kind, Vec<GroupId>, Vec<GroupId>)> {
        let mut kinds = Kinds::default();
        let mut lines: BTreeMap<(usize, Vec<GroupId>), Vec<GroupId>> = BTreeMap::new();
        for originator in groups(&self.sizes) {
            let mut own: BTreeMap<usize, Vec<GroupId>> = BTreeMap::new();
            for responder in self.candidates(originator) {
                // The only pod of a group is not filtered on the way to itself.
                if originator == responder && self.sizes[originator as usize] == 1 {
                    continue;
                }
                let reaches = &mut self.reaches;
                let mut pair = |sides: &mut Sides<'_>| {
                    let egress = sides.reach(reaches, Direction::Egress, originator, responder);
                    (egress, sides.reach(reaches, Direction::Ingress, responder, originator))
                };
                let (old, new) = (pair(&mut self.old), pair(&mut self.new));
                if old != new {
                    for &kind in kinds.of(&self.reaches, [old.0, old.1, new.0, new.1]) {
                        own.entry(kind).or_default().push(responder);
                    }
                }
            }
            for (kind, responders) in own {
                lines.entry((kind, responders)).or_default().push(originator);
            }
        }
        let line = |((kind, responders), originators): ((usize, _), _)| (kinds.all[kind].clone(), originators, responders);
        lines.into_iter().map(line).collect()
    }

    /// Changes with addresses: groups by kind, direction and addresses.
    fn addresses(&self) -> BTreeMap<(Kind, Direction, AddressSet), Vec<GroupId>> {
        let mut lines: BTreeMap<(Kind, Direction, AddressSet), Vec<GroupId>> = BTreeMap::new();
        for (&direction, changed) in &self.changed {
            for &group in changed {
                let (old, new) = (self.old.outside(direction, group), self.new.outside(direction, group));
                for (is_gain, rest) in [(true, new.minus(&old)), (false, old.minus(&new))] {
                    for (ports, addresses) in rest.by_ports() {
                        lines.entry(((is_gain, Answer::Allowed, ports), direction, addresses)).or_default().push(group);
                    }
                }
            }
        }
        lines
    }
}

/// All groups of which these are the sizes.
fn groups(sizes: &[usize]) -> std::ops::Range<GroupId> {
    0..GroupId::try_from(sizes.len()).unwrap_or(GroupId::MAX)
}

/// How the ports of a pair change.
fn kinds(before: &Reach, after: &Reach) -> impl Iterator<Item = Kind> {
    let one_way = |is_gain: bool, less: &Reach, more: &Reach| {
        let mut possible = less.allowed.clone();
        possible.add(&less.undefined);
        let certain = more.allowed.minus(&possible);
        let mut undefined = more.allowed.and(&less.undefined);
        undefined.add(&more.undefined.minus(&possible));
        [(is_gain, Answer::Allowed, certain), (is_gain, Answer::Undefined, undefined)]
    };
    let kinds = one_way(true, before, after).into_iter().chain(one_way(false, after, before));
    kinds.filter(|(_, _, ports)| !ports.is_empty())
}
