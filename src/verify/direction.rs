//! One side of connections, for a whole group of pods at a time: what its rules allow with every other group and every address.
//!
//! Millions of pairs of groups have few different answers, so answers are kept once and known by number ([`Reaches`]): which rules
//! mean the peer decides. A pod and itself, and a pod called by its own node, are not told apart here: those are always allowed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::block::AddressBlock;
use super::evaluator::{Evaluator, Peers, ResolvedRule};
use super::groups::GroupId;
use super::ports::PortSet;
use super::ranges::AddressPorts;
use super::spec::Ports;
use super::verdict::{Direction, Reach};

/// The number of an answer.
pub(super) type ReachId = u32;

/// Every port: what a group may do that nothing isolates.
const EVERY: ReachId = 0;

/// All different answers.
#[derive(Debug)]
pub(super) struct Reaches {
    all: Vec<Reach>,
    ids: HashMap<Reach, ReachId>,
}

impl Reaches {
    pub(super) fn new() -> Self {
        let mut reaches = Self { all: Vec::new(), ids: HashMap::new() };
        reaches.id(Reach { allowed: PortSet::every(), undefined: PortSet::none() });
        reaches
    }

    fn id(&mut self, reach: Reach) -> ReachId {
        if let Some(&id) = self.ids.get(&reach) {
            return id;
        }
        let id = ReachId::try_from(self.all.len()).unwrap_or(ReachId::MAX);
        self.ids.insert(reach.clone(), id);
        self.all.push(reach);
        id
    }

    pub(super) fn get(&self, id: ReachId) -> &Reach {
        &self.all[id as usize]
    }
}

/// Which of a group's rules mean a peer, for certain and by a block on its pods' addresses; the first 64.
type Mask = (u64, u64);

/// What decides the answers of one group's side, comparable between two sets of policies.
pub(super) type Signature = Option<BTreeSet<(Option<(BTreeSet<usize>, Vec<AddressBlock>)>, Ports)>>;

/// The sides of all groups under one set of policies.
pub(super) struct Sides<'a> {
    pub(super) evaluator: &'a Evaluator<'a>,
    /// The groups that have a pod in a block.
    within: BTreeMap<&'a AddressBlock, BTreeSet<GroupId>>,
    known: HashMap<(Direction, GroupId, Mask), ReachId>,
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
        Self { evaluator, within, known: HashMap::new() }
    }

    /// Whether some policy isolates the group.
    pub(super) fn is_isolated(&self, direction: Direction, group: GroupId) -> bool {
        !self.evaluator.isolating(group, direction).is_empty()
    }

    /// The rules of a group.
    pub(super) fn rules(&self, direction: Direction, group: GroupId) -> impl Iterator<Item = (usize, usize, &'a ResolvedRule)> {
        self.evaluator.rules(group, direction)
    }

    /// A rule's ports on the responder of a connection between two groups.
    fn ports(&self, rule: &ResolvedRule, direction: Direction, subject: GroupId, peer: GroupId) -> PortSet {
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

    /// The groups that a group's rules name; nothing if a rule means everyone or nothing isolates it.
    pub(super) fn named(&self, direction: Direction, subject: GroupId) -> Option<BTreeSet<GroupId>> {
        let means_everyone = |rule: &ResolvedRule| matches!(rule.peers, Peers::Everyone);
        let is_open =
            !self.is_isolated(direction, subject) || self.rules(direction, subject).any(|(.., rule)| means_everyone(rule));
        (!is_open).then(|| self.listed(direction, subject))
    }

    /// The groups with which a group's rules allow something beyond what they allow with everyone.
    pub(super) fn listed(&self, direction: Direction, subject: GroupId) -> BTreeSet<GroupId> {
        let mut listed = BTreeSet::new();
        for (_, _, rule) in self.rules(direction, subject) {
            match &rule.peers {
                Peers::Listed { selections, blocks } => {
                    listed.extend(selections.iter().flat_map(|&set| self.evaluator.selection(set)));
                    listed.extend(blocks.iter().filter_map(|block| self.within.get(block)).flatten());
                }
                // A name is another number on every responder.
                Peers::Everyone if direction == Direction::Egress && !rule.ports.named.is_empty() => {
                    listed.extend((0..).take(self.evaluator.groups.len()));
                }
                Peers::Everyone => {}
            }
        }
        listed
    }

    /// Which of a group's rules mean a peer; nothing where there are too many, or where a port's name means another number on each
    /// peer.
    pub(super) fn mask(&self, direction: Direction, subject: GroupId, peer: GroupId) -> Option<Mask> {
        let mut mask = (0, 0);
        for (position, (_, _, rule)) in self.rules(direction, subject).enumerate() {
            let bit = u32::try_from(position).ok().and_then(|position| 1_u64.checked_shl(position))?;
            let (is_certain, is_undefined) = self.peers_mean(&rule.peers, peer);
            if is_certain || is_undefined {
                if direction == Direction::Egress && !rule.ports.named.is_empty() {
                    return None;
                }
                *(if is_certain { &mut mask.0 } else { &mut mask.1 }) |= bit;
            }
        }
        Some(mask)
    }

    /// What `subject` may do with one group.
    pub(super) fn reach(&mut self, reaches: &mut Reaches, direction: Direction, subject: GroupId, peer: GroupId) -> ReachId {
        if !self.is_isolated(direction, subject) {
            return EVERY;
        }
        let Some(mask) = self.mask(direction, subject, peer) else {
            return reaches.id(self.work_out(direction, subject, peer));
        };
        if let Some(&id) = self.known.get(&(direction, subject, mask)) {
            return id;
        }
        let id = reaches.id(self.work_out(direction, subject, peer));
        self.known.insert((direction, subject, mask), id);
        id
    }

    fn work_out(&self, direction: Direction, subject: GroupId, peer: GroupId) -> Reach {
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

    /// What `subject` may do with everyone, whoever it is: every port where nothing isolates it.
    pub(super) fn open(&self, direction: Direction, subject: GroupId) -> PortSet {
        if !self.is_isolated(direction, subject) {
            return PortSet::every();
        }
        self.where_rules(direction, subject, |rule| matches!(rule.peers, Peers::Everyone))
    }

    /// What `subject` may do with pods of namespaces that the world does not know.
    pub(super) fn unknown(&self, direction: Direction, subject: GroupId) -> PortSet {
        self.where_rules(direction, subject, |rule| rule.means_unknown)
    }

    fn where_rules(&self, direction: Direction, subject: GroupId, are_meant: impl Fn(&ResolvedRule) -> bool) -> PortSet {
        let mut ports = PortSet::none();
        for (_, _, rule) in self.rules(direction, subject).filter(|(.., rule)| are_meant(rule)) {
            ports.add(&self.own_ports(rule, direction, subject));
        }
        ports
    }

    /// A rule's ports where the peer is an address: a name among them means something on pods only.
    fn own_ports(&self, rule: &ResolvedRule, direction: Direction, subject: GroupId) -> PortSet {
        rule.ports.on((direction == Direction::Ingress).then(|| self.evaluator.groups.get(subject)))
    }

    /// What `subject` may do with addresses, by blocks.
    pub(super) fn blocks(&self, direction: Direction, subject: GroupId) -> AddressPorts {
        let mut pieces = Vec::new();
        for (_, _, rule) in self.rules(direction, subject) {
            if let Peers::Listed { blocks, .. } = &rule.peers {
                let ports = self.own_ports(rule, direction, subject);
                let ranges = blocks.iter().flat_map(AddressBlock::ranges);
                pieces.extend(ranges.map(|(first, last)| (first, last, ports.clone())));
            }
        }
        AddressPorts::of(&pieces)
    }

    /// What `subject` may do with all addresses.
    pub(super) fn outside(&self, direction: Direction, subject: GroupId) -> AddressPorts {
        let open = self.open(direction, subject);
        let blocks = self.blocks(direction, subject);
        if open.is_empty() { blocks } else { blocks.joined(&AddressPorts::everywhere(&open)) }
    }

    /// What decides all this; the same wherever nothing differs. `contents` numbers sets of groups by what they hold.
    pub(super) fn signature(
        &self,
        contents: &mut BTreeMap<&'a [GroupId], usize>,
        direction: Direction,
        subject: GroupId,
    ) -> Signature {
        let evaluator = self.evaluator;
        let mut number = |set: usize| {
            let next = contents.len();
            *contents.entry(evaluator.selection(set)).or_insert(next)
        };
        let one = |rule: &ResolvedRule| match &rule.peers {
            Peers::Everyone => (None, rule.ports.clone()),
            Peers::Listed { selections, blocks } => {
                let mut blocks = blocks.clone();
                blocks.sort();
                (Some((selections.iter().map(|&set| number(set)).collect(), blocks)), rule.ports.clone())
            }
        };
        let rules = self.rules(direction, subject).map(|(.., rule)| rule);
        self.is_isolated(direction, subject).then(|| rules.map(one).collect())
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
