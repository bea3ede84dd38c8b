//! What may be allowed beyond what was seen, found by who takes part.
//!
//! In: [`Widening`]s as values. Out: for one side of a pair, the ports on which more is allowed on purpose, with the reasons. Each
//! says exactly whom it means on which ports, so what none of them names stays excess.

use std::collections::{BTreeMap, BTreeSet};

use super::block::AddressBlock;
use super::cluster_view::ClusterView;
use super::groups::GroupId;
use super::ports::PortSet;
use super::proof::observed::{ActorId, Actors};
use super::ranges::AddressPorts;
use super::verdict::Direction;
use crate::model::Widening;

/// One widening, with its names looked up.
pub(super) struct Known<'t> {
    subjects: BTreeSet<ActorId>,
    workloads: BTreeSet<ActorId>,
    pub(super) addresses: AddressPorts,
    pub(super) ports: PortSet,
    pub(super) reason: &'t str,
}

/// All widenings.
pub(super) struct Widenings<'t> {
    all: Vec<Known<'t>>,
    /// Positions, by the workload whose rules are meant and their direction.
    by_subject: BTreeMap<(ActorId, Direction), Vec<usize>>,
    /// Positions, by the workload that is the other side, and the direction of the rules that are meant.
    by_peer: BTreeMap<(ActorId, Direction), Vec<usize>>,
}

impl<'t> Widenings<'t> {
    pub(super) fn new(widenings: impl IntoIterator<Item = &'t Widening>, actors: &Actors<'_>) -> Self {
        let mut known = Self { all: Vec::new(), by_subject: BTreeMap::new(), by_peer: BTreeMap::new() };
        for widening in widenings {
            let ids = |names: &BTreeSet<_>| -> BTreeSet<ActorId> { names.iter().filter_map(|name| actors.id(name)).collect() };
            let (subjects, workloads) = (ids(&widening.subjects), ids(&widening.workloads));
            let mut ports = PortSet::none();
            for port in &widening.ports {
                ports.insert(port.protocol(), port.first().get(), port.last().get());
            }
            let blocks = widening.blocks.iter().map(|block| AddressBlock::of(block.cidr, &block.except));
            let ranges = blocks.flat_map(|block| block.ranges());
            let pieces: Vec<_> = ranges.map(|(first, last)| (first, last, ports.clone())).collect();
            let position = known.all.len();
            for &subject in &subjects {
                known.by_subject.entry((subject, widening.direction)).or_default().push(position);
            }
            for &workload in &workloads {
                known.by_peer.entry((workload, widening.direction)).or_default().push(position);
            }
            let addresses = AddressPorts::of(&pieces);
            known.all.push(Known { subjects, workloads, addresses, ports, reason: &widening.reason });
        }
        known
    }

    /// Those about a workload's rules of one direction.
    pub(super) fn of(&self, subject: ActorId, direction: Direction) -> impl Iterator<Item = &Known<'t>> {
        let positions = self.by_subject.get(&(subject, direction)).map(Vec::as_slice).unwrap_or_default();
        positions.iter().map(|&position| &self.all[position])
    }

    /// Those of them that mean a workload as the other side.
    pub(super) fn between(&self, subject: ActorId, direction: Direction, peer: ActorId) -> impl Iterator<Item = &Known<'t>> {
        self.of(subject, direction).filter(move |known| known.workloads.contains(&peer))
    }

    /// Whether some widening means both, on either side.
    pub(super) fn mean(&self, subject: ActorId, direction: Direction, peer: ActorId) -> bool {
        let others = self.by_peer.get(&(subject, direction.other())).map(Vec::as_slice).unwrap_or_default();
        self.between(subject, direction, peer).next().is_some()
            || others.iter().any(|&position| self.all[position].subjects.contains(&peer))
    }

    /// The addresses that a workload's rules may allow.
    pub(super) fn addresses(&self, subject: ActorId, direction: Direction) -> AddressPorts {
        let mut addresses = AddressPorts::default();
        for known in self.of(subject, direction).filter(|known| !known.addresses.is_empty()) {
            addresses = if addresses.is_empty() { known.addresses.clone() } else { addresses.joined(&known.addresses) };
        }
        addresses
    }
}

/// On which ports blocks may cover the addresses of pods, because those addresses may be allowed: blocks mean them too, and what
/// that does to pods is up to the network plug-in.
pub(super) struct OnPods<'a> {
    world: &'a ClusterView,
    /// What the blocks of some rules allow.
    blocks: AddressPorts,
    widened: AddressPorts,
    kind: Excuse,
}

/// How much of what blocks allow may be allowed.
enum Excuse {
    Nothing,
    Everything,
    /// It depends on the address.
    Some,
}

impl<'a> OnPods<'a> {
    /// `has_names`: whether the rules name ports, which are other numbers on each pod; then nothing is excused.
    pub(super) fn new(world: &'a ClusterView, blocks: AddressPorts, widened: AddressPorts, has_names: bool) -> Self {
        let kind = if has_names || widened.is_empty() {
            Excuse::Nothing
        } else if blocks.minus(&widened).is_empty() {
            Excuse::Everything
        } else {
            Excuse::Some
        };
        Self { world, blocks, widened, kind }
    }

    /// The ports that may be allowed on all pods that a workload has in a group.
    pub(super) fn excused(&self, actors: &Actors<'_>, actor: ActorId, group: GroupId) -> PortSet {
        match self.kind {
            Excuse::Nothing => PortSet::none(),
            Excuse::Everything => PortSet::every(),
            Excuse::Some => {
                let pods = actors.workloads()[actor].groups.get(&group).into_iter().flatten();
                let addresses = pods.flat_map(|&pod| &self.world.pod(pod).addresses);
                let covered = addresses.filter(|address| self.blocks.at(**address).is_some());
                covered.fold(PortSet::every(), |excused, address| {
                    self.widened.at(*address).map_or_else(PortSet::none, |ports| excused.and(ports))
                })
            }
        }
    }
}

/// A part of what is allowed for which there is a reason, and the reason.
pub(super) type Reasoned = (PortSet, String);

/// Splits ports by the widenings that hold them; what none holds is left over in `ports`.
pub(super) fn split<'k>(ports: &mut PortSet, widenings: impl Iterator<Item = (&'k PortSet, &'k str)>) -> Vec<Reasoned> {
    let mut reasoned = Vec::new();
    for (widened, reason) in widenings {
        let part = ports.and(widened);
        if !part.is_empty() {
            *ports = ports.minus(&part);
            reasoned.push((part, reason.to_owned()));
        }
    }
    reasoned
}
