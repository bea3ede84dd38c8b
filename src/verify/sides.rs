//! One side of connections, for a whole group of pods at a time: what its rules allow with every other group and every address.
//!
//! Walks over what rules name, so a side costs as much as it allows, not as much as the cluster is large. A pod and itself, and a
//! pod and its own node, are not told apart here: those are always allowed.

use std::collections::{BTreeMap, BTreeSet};

use super::block::AddressBlock;
use super::evaluator::{Evaluator, Peers, ResolvedRule};
use super::groups::GroupId;
use super::ports::PortSet;
use super::ranges::AddressPorts;
use super::verdict::{Direction, Reach};

/// The sides of all groups under one set of policies.
pub(super) struct Sides<'a> {
    pub(super) evaluator: &'a Evaluator<'a>,
    /// The groups that have a pod in a block.
    within: BTreeMap<&'a AddressBlock, BTreeSet<GroupId>>,
    /// Policies whose rules do not count here; they isolate all the same.
    without: BTreeSet<usize>,
}

/// What one group's rules allow in one direction.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    /// With everyone: every port where nothing isolates the group.
    pub(super) open: PortSet,
    /// With these groups.
    pub(super) listed: BTreeMap<GroupId, Reach>,
    /// With addresses outside, by blocks.
    pub(super) addresses: AddressPorts,
}

impl Row {
    /// The ports with a group.
    pub(super) fn with(&self, group: GroupId) -> Reach {
        let mut reach = self.listed.get(&group).cloned().unwrap_or_default();
        reach.allowed.add(&self.open);
        reach.undefined = reach.undefined.minus(&reach.allowed);
        reach
    }

    /// The ports with all addresses.
    pub(super) fn outside(&self) -> AddressPorts {
        if self.open.is_empty() {
            return self.addresses.clone();
        }
        self.addresses.joined(&AddressPorts::everywhere(&self.open))
    }
}

impl<'a> Sides<'a> {
    pub(super) fn new(evaluator: &'a Evaluator<'a>) -> Self {
        let mut within: BTreeMap<&AddressBlock, BTreeSet<GroupId>> = BTreeMap::new();
        for block in evaluator.blocks() {
            within.entry(block).or_insert_with(|| {
                let ranges = block.ranges().into_iter();
                let pods = ranges.flat_map(|(first, last)| evaluator.addresses.pods_between(first, last));
                pods.filter_map(|(_, pod)| evaluator.groups.of_pod(pod)).collect()
            });
        }
        Self { evaluator, within, without: BTreeSet::new() }
    }

    /// The same without the rules of some policies.
    pub(super) fn without(&self, without: BTreeSet<usize>) -> Self {
        Self { evaluator: self.evaluator, within: self.within.clone(), without }
    }

    /// Whether some policy isolates the group.
    pub(super) fn is_isolated(&self, direction: Direction, group: GroupId) -> bool {
        !self.evaluator.isolating(group, direction).is_empty()
    }

    /// The rules of a group that count here.
    pub(super) fn rules(&self, direction: Direction, group: GroupId) -> impl Iterator<Item = (usize, usize, &'a ResolvedRule)> {
        self.evaluator.rules(group, direction).filter(|(policy, ..)| !self.without.contains(policy))
    }

    /// A rule's ports on the responder of a connection between two groups.
    pub(super) fn ports(&self, rule: &ResolvedRule, direction: Direction, subject: GroupId, peer: GroupId) -> PortSet {
        let responder = if direction == Direction::Ingress { subject } else { peer };
        rule.ports.on(Some(self.evaluator.groups.get(responder)))
    }

    /// Whether peers mean a group for certain, and whether by a block that has some of its pods.
    pub(super) fn peers_mean(&self, peers: &Peers, peer: GroupId) -> (bool, bool) {
        match peers {
            Peers::Everyone => (true, false),
            Peers::Listed { selections, blocks } => {
                let is_selected = selections.iter().any(|&set| self.evaluator.selection(set).binary_search(&peer).is_ok());
                let is_within = |block| self.within.get(block).is_some_and(|groups: &BTreeSet<GroupId>| groups.contains(&peer));
                (is_selected, !is_selected && blocks.iter().any(is_within))
            }
        }
    }

    /// What `subject` may do with one group.
    pub(super) fn reach(&self, direction: Direction, subject: GroupId, peer: GroupId) -> Reach {
        if !self.is_isolated(direction, subject) {
            return Reach { allowed: PortSet::every(), undefined: PortSet::none() };
        }
        let mut reach = Reach::default();
        for (_, _, rule) in self.rules(direction, subject) {
            match self.peers_mean(&rule.peers, peer) {
                (true, _) => reach.allowed.add(&self.ports(rule, direction, subject, peer)),
                (false, true) => reach.undefined.add(&self.ports(rule, direction, subject, peer)),
                (false, false) => {}
            }
        }
        reach.undefined = reach.undefined.minus(&reach.allowed);
        reach
    }

    /// What `subject` may do with all.
    pub(super) fn row(&self, direction: Direction, subject: GroupId) -> Row {
        if !self.is_isolated(direction, subject) {
            return Row { open: PortSet::every(), ..Row::default() };
        }
        let mut row = Row::default();
        let mut pieces = Vec::new();
        for (_, _, rule) in self.rules(direction, subject) {
            let own = (direction == Direction::Ingress).then(|| self.evaluator.groups.get(subject));
            let numbered = rule.ports.on(own);
            let Peers::Listed { selections, blocks } = &rule.peers else {
                row.open.add(&numbered);
                if direction == Direction::Egress && !rule.ports.named.is_empty() {
                    // A name is another number on every responder.
                    for peer in (0..).take(self.evaluator.groups.len()) {
                        row.listed.entry(peer).or_default().allowed.add(&self.ports(rule, direction, subject, peer));
                    }
                }
                continue;
            };
            for &peer in selections.iter().flat_map(|&set| self.evaluator.selection(set)) {
                row.listed.entry(peer).or_default().allowed.add(&self.ports(rule, direction, subject, peer));
            }
            for block in blocks {
                for &peer in self.within.get(block).into_iter().flatten() {
                    row.listed.entry(peer).or_default().undefined.add(&self.ports(rule, direction, subject, peer));
                }
                pieces.extend(block.ranges().into_iter().map(|(first, last)| (first, last, numbered.clone())));
            }
        }
        for reach in row.listed.values_mut() {
            reach.allowed.add(&row.open);
            reach.undefined = reach.undefined.minus(&reach.allowed);
        }
        row.listed.retain(|_, reach| reach.allowed != row.open || !reach.undefined.is_empty());
        row.addresses = AddressPorts::of(&pieces);
        row
    }
}

/// What is possible where both sides must allow.
pub(super) fn both(egress: &Reach, ingress: &Reach) -> Reach {
    let possible = |side: &Reach| {
        let mut ports = side.allowed.clone();
        ports.add(&side.undefined);
        ports
    };
    let allowed = egress.allowed.and(&ingress.allowed);
    let undefined = possible(egress).and(&possible(ingress)).minus(&allowed);
    Reach { allowed, undefined }
}
