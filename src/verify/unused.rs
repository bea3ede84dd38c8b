//! What policies allow and nobody used: on both sides of a pair, or on one side although the other one denies it.
//!
//! Each side stands for itself: what its rules allow must have been seen, be shared with workloads of the same labels, or be named by
//! a widening. What is left over is excess, whether or not the other side lets it through.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use super::direction::{ReachId, Reaches, Sides, both};
use super::evaluator::{Evaluator, Peers, ResolvedRule};
use super::groups::GroupId;
use super::ports::PortSet;
use super::proof::observed::{ActorId, Actors, Observed, Peer, TwinsId};
use super::ranges::AddressSet;
use super::replay::{Replay, Unused, UnusedPeers};
use super::verdict::{Answer, Direction, Reach};
use super::widenings::{OnPods, Widenings, split};
use super::workload_set::Namer;

/// Why workloads with the same labels may do the same.
const SAME_LABELS: &str = "workloads with the same labels";

/// Rules, by positions of policy and rule.
type Rules = BTreeSet<(usize, usize)>;
/// What the entries of one subject and direction have in common.
type Common = (Kind, PortSet, Answer, Rules);

/// Why a part of what is allowed is listed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// Nothing justifies it.
    Excess,
    /// Nothing justifies it, and the other side denies it.
    OneSided,
    /// It may be allowed.
    Stated(String),
}

struct Search<'a> {
    evaluator: &'a Evaluator<'a>,
    actors: &'a Actors<'a>,
    observed: &'a Observed,
    widenings: &'a Widenings<'a>,
    reaches: Reaches,
    sides: Sides<'a>,
    /// What the blocks of each workload's rules may do to pods, as far as it was asked.
    on_pods: HashMap<(ActorId, Direction, GroupId), Rc<OnPods<'a>>>,
    /// By the workloads of the same labels: those that were seen with one of them, and those like these.
    related: HashMap<(TwinsId, Direction), Rc<BTreeSet<ActorId>>>,
}

/// What was found of one subject in one direction.
#[derive(Default)]
struct Found {
    everyone: BTreeSet<Common>,
    unknown: BTreeSet<Common>,
    pods: BTreeMap<Common, Vec<ActorId>>,
    addresses: BTreeSet<(Common, AddressSet)>,
}

/// The pods of one workload in one group, and which of their rules are meant.
#[derive(Clone, Copy)]
struct Subject {
    actor: ActorId,
    group: GroupId,
    direction: Direction,
}

/// What decides a pair of which neither was seen with anyone like the other, and that no widening means: the answers of both sides,
/// whether some policy isolates the other one, which rules mean it, and what blocks may do to the pods of either.
type Key = (ReachId, ReachId, bool, (u64, u64), PortSet, PortSet);

/// Adds what is allowed and was not seen.
pub(super) fn find(
    evaluator: &Evaluator<'_>,
    actors: &Actors<'_>,
    observed: &Observed,
    widenings: &Widenings<'_>,
    replay: &mut Replay,
) {
    let (reaches, sides) = (Reaches::new(), Sides::new(evaluator));
    let mut search =
        Search { evaluator, actors, observed, widenings, reaches, sides, on_pods: HashMap::new(), related: HashMap::new() };
    let namer = Namer::new(actors);
    for (actor, known) in actors.subjects() {
        for direction in [Direction::Ingress, Direction::Egress] {
            let mut found = Found::default();
            for &group in known.groups.keys() {
                if search.sides.is_isolated(direction, group) {
                    search.subject(Subject { actor, group, direction }, &mut found);
                } else {
                    replay.unisolated.insert((known.name.clone(), direction));
                }
            }
            let mut add = |(kind, ports, certainty, by): Common, peers: UnusedPeers| {
                let by = by.into_iter().map(|(policy, rule)| evaluator.rule_name(policy, direction, rule)).collect();
                let (list, reason) = match kind {
                    Kind::Excess => (&mut replay.unused, None),
                    Kind::OneSided => (&mut replay.one_sided, None),
                    Kind::Stated(reason) => (&mut replay.unused, Some(reason)),
                };
                list.insert(Unused { subject: known.name.clone(), direction, reason, peers, ports, certainty, by });
            };
            found.everyone.into_iter().for_each(|common| add(common, UnusedPeers::Everyone));
            found.unknown.into_iter().for_each(|common| add(common, UnusedPeers::UnknownNamespaces));
            for (common, mut peers) in found.pods {
                peers.sort_unstable();
                peers.dedup();
                add(common, UnusedPeers::Pods(namer.of_actors(&peers)));
            }
            for (common, addresses) in found.addresses {
                add(common, UnusedPeers::Addresses(addresses));
            }
        }
    }
}

impl<'a> Search<'a> {
    fn subject(&mut self, subject: Subject, found: &mut Found) {
        let Subject { group, direction, .. } = subject;
        let open = self.sides.open(direction, group);
        if !open.is_empty() {
            let by = self.by(subject, &open, |rule| matches!(rule.peers, Peers::Everyone));
            found.everyone.insert((Kind::Excess, open.clone(), Answer::Allowed, by));
        }
        let unknown = self.sides.unknown(direction, group).minus(&open);
        if !unknown.is_empty() {
            let by = self.by(subject, &unknown, |rule| rule.means_unknown);
            found.unknown.insert((Kind::Excess, unknown, Answer::Allowed, by));
        }
        self.pods(subject, &open, found);
        self.outside(subject, found);
    }

    /// Pairs with other groups. Most have few different answers and were never seen, so what is to be said is kept.
    fn pods(&mut self, subject: Subject, open: &PortSet, found: &mut Found) {
        let Subject { actor, group, direction } = subject;
        let (actors, widenings, related) = (self.actors, self.widenings, self.related(subject));
        let own_pods = self.on_pods(actor, direction, group);
        let mut kept: Vec<(Vec<Common>, Vec<ActorId>)> = Vec::new();
        let mut known: HashMap<Key, usize> = HashMap::new();
        for peer in self.sides.listed(direction, group) {
            let own = self.sides.reach(&mut self.reaches, direction, group, peer);
            let back = self.sides.reach(&mut self.reaches, direction.other(), peer, group);
            let (is_own_undefined, is_back_undefined) =
                (!self.reaches.get(own).undefined.is_empty(), !self.reaches.get(back).undefined.is_empty());
            let (mask, is_isolated) = (self.sides.mask(direction, group, peer), self.sides.is_isolated(direction.other(), peer));
            for counterpart in actors.of_group(peer) {
                let excused = if is_own_undefined { own_pods.excused(actors, counterpart, peer) } else { PortSet::none() };
                let excused_back = if is_back_undefined {
                    self.on_pods(counterpart, direction.other(), peer).excused(actors, actor, group)
                } else {
                    PortSet::none()
                };
                let pair = Pair {
                    subject,
                    other: Subject { actor: counterpart, group: peer, direction: direction.other() },
                    own,
                    back,
                    excused: &excused,
                    excused_back: &excused_back,
                };
                let is_related = related.contains(&counterpart) || widenings.mean(actor, direction, counterpart);
                let Some(mask) = mask.filter(|_| !is_related) else {
                    for common in self.pair(&pair, open) {
                        found.pods.entry(common).or_default().push(counterpart);
                    }
                    continue;
                };
                let key = (own, back, is_isolated, mask, excused.clone(), excused_back.clone());
                let position = if let Some(&position) = known.get(&key) {
                    position
                } else {
                    kept.push((self.pair(&pair, open), Vec::new()));
                    known.insert(key, kept.len() - 1);
                    kept.len() - 1
                };
                kept[position].1.push(counterpart);
            }
        }
        for (commons, counterparts) in kept {
            for common in commons {
                found.pods.entry(common).or_default().extend(&counterparts);
            }
        }
    }

    /// What the blocks of a workload's rules may do to pods.
    fn on_pods(&mut self, actor: ActorId, direction: Direction, group: GroupId) -> Rc<OnPods<'a>> {
        if let Some(known) = self.on_pods.get(&(actor, direction, group)) {
            return Rc::clone(known);
        }
        let mut rules = self.sides.rules(direction, group);
        let has_names = direction == Direction::Egress
            && rules.any(|(.., rule)| {
                !rule.ports.named.is_empty() && matches!(&rule.peers, Peers::Listed { blocks, .. } if !blocks.is_empty())
            });
        let widened = self.widenings.addresses(actor, direction);
        let on_pods = Rc::new(OnPods::new(self.evaluator.world, self.sides.blocks(direction, group), widened, has_names));
        self.on_pods.insert((actor, direction, group), Rc::clone(&on_pods));
        on_pods
    }

    /// The workloads that were seen with the subject, or are like one that was with one like the subject.
    fn related(&mut self, subject: Subject) -> Rc<BTreeSet<ActorId>> {
        let key = (self.actors.workloads()[subject.actor].twins, subject.direction);
        if let Some(known) = self.related.get(&key) {
            return Rc::clone(known);
        }
        let twins = self.actors.twins(subject.actor).iter();
        let seen = twins.filter_map(|&twin| self.observed.with(twin, subject.direction)).flat_map(BTreeMap::keys);
        let seen = seen.filter_map(|peer| if let Peer::Workload(peer) = peer { Some(*peer) } else { None });
        let related: Rc<BTreeSet<ActorId>> = Rc::new(seen.flat_map(|peer| self.actors.twins(peer)).copied().collect());
        self.related.insert(key, Rc::clone(&related));
        related
    }

    /// What one side allows with the other and nothing justifies. `excused` is what its blocks may do to pods.
    fn unjustified(&self, side: Subject, other: ActorId, reach: ReachId, excused: &PortSet) -> PortSet {
        let reach = self.reaches.get(reach);
        let mut rest = reach.undefined.minus(excused);
        rest.add(&reach.allowed);
        if let Some(seen) = self.observed.ports(side.actor, side.direction, Peer::Workload(other)) {
            rest = rest.minus(seen);
        }
        if !rest.is_empty() {
            rest = rest.minus(&self.observed.ports_alike(self.actors, side.actor, side.direction, other));
            let between = self.widenings.between(side.actor, side.direction, other);
            split(&mut rest, between.map(|known| (&known.ports, known.reason)));
        }
        rest
    }

    /// What is to be said of the subject and one workload of a group.
    fn pair(&self, pair: &Pair<'_>, open: &PortSet) -> Vec<Common> {
        let Pair { subject, other, own, back, excused, excused_back } = *pair;
        let is_other_isolated = self.sides.is_isolated(other.direction, other.group);
        let mut here = self.unjustified(subject, other.actor, own, excused).minus(open);
        let there = if is_other_isolated { self.unjustified(other, subject.actor, back, excused_back) } else { PortSet::none() };
        let (own, back) = (self.reaches.get(own), self.reaches.get(back));
        // What is allowed with everyone is told as that.
        let own = Reach { allowed: own.allowed.minus(open), undefined: own.undefined.minus(open) };
        let seen = self.observed.ports(subject.actor, subject.direction, Peer::Workload(other.actor));
        let possible = both(&own, back);
        let mut commons = Vec::new();
        let mut add = |kind: Kind, ports: PortSet, certainty: Answer| {
            if !ports.is_empty() {
                let by = self.by(subject, &ports, |rule| self.means(&rule.peers, other.group));
                commons.push((kind, ports, certainty, by));
            }
        };
        for (certainty, own) in [(Answer::Allowed, &own.allowed), (Answer::Undefined, &own.undefined)] {
            let denied = here.and(own).minus(&back.allowed).minus(&back.undefined);
            add(Kind::OneSided, denied, certainty);
        }
        // A connection is told once: by its responder, if some policy has a say on what comes in there; by its originator, if that
        // one's rules alone are too wide.
        let is_told_there = subject.direction == Direction::Egress && is_other_isolated;
        if is_told_there {
            here = here.minus(&there);
        }
        for (certainty, ports) in [(Answer::Allowed, possible.allowed), (Answer::Undefined, possible.undefined)] {
            add(Kind::Excess, ports.and(&here), certainty);
            if is_told_there {
                continue;
            }
            let ports = seen.map_or_else(|| ports.clone(), |seen| ports.minus(seen));
            let mut stated = ports.minus(&here).minus(&there);
            let alike = stated.and(&self.observed.ports_alike(self.actors, subject.actor, subject.direction, other.actor));
            stated = stated.minus(&alike);
            add(Kind::Stated(SAME_LABELS.to_owned()), alike, certainty);
            let own = || self.widenings.of(subject.actor, subject.direction);
            let between = self.widenings.between(subject.actor, subject.direction, other.actor);
            let addressed = own().filter(|known| !known.addresses.is_empty());
            for (part, reason) in split(&mut stated, between.chain(addressed).map(|known| (&known.ports, known.reason))) {
                add(Kind::Stated(reason), part, certainty);
            }
        }
        commons
    }

    fn outside(&self, subject: Subject, found: &mut Found) {
        let Subject { actor, group, direction } = subject;
        let twins = self.actors.twins(actor).iter().copied();
        let allowed = self.sides.blocks(direction, group);
        if allowed.is_empty() {
            return;
        }
        let mut rest = allowed.minus(&self.observed.by_address(twins, direction));
        let mut parts = Vec::new();
        for known in self.widenings.of(actor, direction).filter(|known| !known.addresses.is_empty()) {
            let part = rest.and(&known.addresses);
            rest = rest.minus(&part);
            parts.push((part, Kind::Stated(known.reason.to_owned())));
        }
        parts.push((rest, Kind::Excess));
        for (part, kind) in parts {
            for (ports, addresses) in part.by_ports() {
                let within = |rule: &ResolvedRule| match &rule.peers {
                    Peers::Everyone => false,
                    Peers::Listed { blocks, .. } => {
                        let mut first = addresses.ranges().iter().map(|(first, _)| *first);
                        first.any(|first| blocks.iter().any(|block| block.contains(first)))
                    }
                };
                let by = self.by(subject, &ports, within);
                found.addresses.insert(((kind.clone(), ports, Answer::Allowed, by), addresses));
            }
        }
    }

    /// The rules of a subject that mean such peers on some of these ports.
    fn by(&self, subject: Subject, ports: &PortSet, means: impl Fn(&ResolvedRule) -> bool) -> Rules {
        let mut by = Rules::new();
        for (policy, index, rule) in self.sides.rules(subject.direction, subject.group) {
            // A name among the ports may be any number on the peer; then the rule counts.
            let may_be = |rule_ports: &PortSet| !rule_ports.and(ports).is_empty();
            let own = (subject.direction == Direction::Ingress).then(|| self.evaluator.groups.get(subject.group));
            let is_named = subject.direction == Direction::Egress && !rule.ports.named.is_empty();
            if means(rule) && (is_named || may_be(&rule.ports.on(own))) {
                by.insert((policy, index));
            }
        }
        by
    }

    fn means(&self, peers: &Peers, group: GroupId) -> bool {
        let (is_certain, is_undefined) = self.sides.peers_mean(peers, group);
        is_certain || is_undefined
    }
}

/// A subject and a workload of another group, or of its own.
#[derive(Clone, Copy)]
struct Pair<'p> {
    subject: Subject,
    other: Subject,
    /// What the subject's side allows.
    own: ReachId,
    /// What the other side allows.
    back: ReachId,
    /// What the blocks of the subject's rules may do to the other's pods.
    excused: &'p PortSet,
    /// What the blocks of the other's rules may do to the subject's pods.
    excused_back: &'p PortSet,
}
