//! What changes when one set of policies takes the place of another: connections that become possible, and that no longer are.
//!
//! In: two sets of policies and the [`World`]. Out: [`Difference`], by pairs of workloads and ports and by addresses outside, never
//! by lines of YAML. A connection between pods is possible where the egress of its originator and the ingress of its responder
//! both allow it; with addresses outside the pod's own side decides. A pod and itself, and a pod and its own node, are always
//! allowed and no difference. The work grows with what changed: pairs on which neither side changed are not looked at.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::networking::v1::NetworkPolicy;

use super::error::PolicyError;
use super::evaluator::Evaluator;
use super::groups::GroupId;
use super::parties::{Namer, Parties};
use super::ports::PortSet;
use super::proof::observed::Actors;
use super::ranges::{AddressPorts, AddressSet};
use super::sides::{Row, Sides, both};
use super::verdict::{Answer, Direction, Reach};
use super::world::World;

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
pub fn diff(old: &[NetworkPolicy], new: &[NetworkPolicy], world: &World) -> Result<Difference, PolicyError> {
    let (old, new) = Evaluator::pair(old, new, world)?;
    let actors = Actors::new(&old, Some(&BTreeSet::new()));
    let namer = Namer::new(&actors);
    let comparison = Comparison::new(Sides::new(&old), Sides::new(&new), &actors);
    let mut difference = Difference::default();
    let mut add = |(is_gain, certainty, ports): Kind, originators: Parts, responders: Parts| {
        let changes = if is_gain { &mut difference.gained } else { &mut difference.lost };
        changes.push(Change { originators, responders, ports, certainty });
    };
    for ((kind, responders), originators) in comparison.pods() {
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
    /// How many pods are in each group.
    sizes: Vec<usize>,
    /// The groups whose ingress is not the same under both.
    changed_ingress: BTreeSet<GroupId>,
}

impl<'a> Comparison<'a> {
    fn new(old: Sides<'a>, new: Sides<'a>, actors: &Actors<'_>) -> Self {
        let mut sizes = vec![0; old.evaluator.groups.len()];
        for (&group, pods) in actors.workloads().iter().flat_map(|actor| &actor.groups) {
            sizes[group as usize] += pods.len();
        }
        let mut comparison = Self { old, new, sizes, changed_ingress: BTreeSet::new() };
        let changed = comparison.groups().filter(|&group| {
            let (old, new) = comparison.rows(Direction::Ingress, group);
            (&old.open, &old.listed) != (&new.open, &new.listed)
        });
        comparison.changed_ingress = changed.collect();
        comparison
    }

    fn groups(&self) -> std::ops::Range<GroupId> {
        0..GroupId::try_from(self.sizes.len()).unwrap_or(GroupId::MAX)
    }

    fn rows(&self, direction: Direction, group: GroupId) -> (Row, Row) {
        (self.old.row(direction, group), self.new.row(direction, group))
    }

    /// Changes between groups: originators by kind and responders.
    fn pods(&self) -> BTreeMap<(Kind, Vec<GroupId>), Vec<GroupId>> {
        let mut lines: BTreeMap<(Kind, Vec<GroupId>), Vec<GroupId>> = BTreeMap::new();
        for originator in self.groups() {
            let (old, new) = self.rows(Direction::Egress, originator);
            let is_changed = (&old.open, &old.listed) != (&new.open, &new.listed);
            let named: BTreeSet<GroupId> = old.listed.keys().chain(new.listed.keys()).copied().collect();
            let is_open = !old.open.is_empty() || !new.open.is_empty();
            let candidates: Vec<GroupId> = match (is_open, is_changed) {
                (true, true) => self.groups().collect(),
                (true, false) => self.changed_ingress.iter().copied().collect(),
                (false, true) => named.into_iter().collect(),
                (false, false) => named.intersection(&self.changed_ingress).copied().collect(),
            };
            let mut own: BTreeMap<Kind, Vec<GroupId>> = BTreeMap::new();
            for responder in candidates {
                // The only pod of a group is not filtered on the way to itself.
                if originator == responder && self.sizes[originator as usize] == 1 {
                    continue;
                }
                let ingress = |sides: &Sides<'_>| sides.reach(Direction::Ingress, responder, originator);
                let before = both(&old.with(responder), &ingress(&self.old));
                let after = both(&new.with(responder), &ingress(&self.new));
                for kind in kinds(&before, &after) {
                    own.entry(kind).or_default().push(responder);
                }
            }
            for (kind, responders) in own {
                lines.entry((kind, responders)).or_default().push(originator);
            }
        }
        lines
    }

    /// Changes with addresses: groups by kind, direction and addresses.
    fn addresses(&self) -> BTreeMap<(Kind, Direction, AddressSet), Vec<GroupId>> {
        let mut lines: BTreeMap<(Kind, Direction, AddressSet), Vec<GroupId>> = BTreeMap::new();
        for group in self.groups() {
            for direction in [Direction::Ingress, Direction::Egress] {
                let (old, new) = self.rows(direction, group);
                let (old, new): (AddressPorts, AddressPorts) = (old.outside(), new.outside());
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
