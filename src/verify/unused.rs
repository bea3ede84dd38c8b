//! What policies allow and nobody used, over both sides of every pair.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::error::PolicyName;
use super::evaluator::{Evaluator, Peers};
use super::groups::GroupId;
use super::parties::Namer;
use super::ports::PortSet;
use super::proof::observed::{ActorId, Actors, Observed, Peer};
use super::ranges::{AddressPorts, AddressSet};
use super::replay::{Replay, Unused, UnusedPeers};
use super::sides::{ReachId, Reaches, Sides, both};
use super::verdict::{Answer, Direction, Reach};

/// Why workloads with the same labels may do the same.
const SAME_LABELS: &str = "workloads with the same labels";

/// Rules, by positions of policy and rule.
type Rules = BTreeSet<(usize, usize)>;
/// What the entries of one subject and direction have in common.
type Common = (Option<String>, PortSet, Answer, Rules);

struct Search<'a> {
    evaluator: &'a Evaluator<'a>,
    actors: &'a Actors<'a>,
    observed: &'a Observed,
    reaches: Reaches,
    /// With all policies.
    whole: Sides<'a>,
    /// Without those that say more on purpose.
    strict: Sides<'a>,
    /// By position, why a policy says more.
    reasons: BTreeMap<usize, &'a str>,
}

/// What was found of one subject in one direction.
#[derive(Default)]
struct Found {
    everyone: BTreeSet<Common>,
    pods: BTreeMap<Common, Vec<ActorId>>,
    addresses: BTreeSet<(Common, AddressSet)>,
}

/// The answers for a pair of groups: of both sides, with all policies and with the strict ones.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Answers {
    own: [ReachId; 2],
    other: [ReachId; 2],
}

/// One group of the subject, in one direction.
#[derive(Clone, Copy)]
struct Subject {
    actor: ActorId,
    group: GroupId,
    direction: Direction,
}

/// Adds what is allowed and was not seen.
pub(super) fn find(
    evaluator: &Evaluator<'_>,
    actors: &Actors<'_>,
    observed: &Observed,
    stated: &BTreeMap<PolicyName, String>,
    replay: &mut Replay,
) {
    let policies = (0..evaluator.policy_count()).map(|policy| (policy, evaluator.policy_name(policy)));
    let reasons: BTreeMap<usize, &str> =
        policies.filter_map(|(policy, name)| Some((policy, stated.get(name)?.as_str()))).collect();
    let whole = Sides::new(evaluator);
    let strict = whole.without(reasons.keys().copied().collect());
    let mut search = Search { evaluator, actors, observed, reaches: Reaches::new(), whole, strict, reasons };
    let namer = Namer::new(actors);
    for (actor, known) in actors.subjects() {
        for direction in [Direction::Ingress, Direction::Egress] {
            let mut found = Found::default();
            for &group in known.groups.keys() {
                if search.whole.is_isolated(direction, group) {
                    search.subject(Subject { actor, group, direction }, &mut found);
                } else {
                    replay.unisolated.insert((known.name.clone(), direction));
                }
            }
            let mut add = |(reason, ports, certainty, by): Common, peers: UnusedPeers| {
                let by = by.into_iter().map(|(policy, rule)| evaluator.rule_name(policy, direction, rule)).collect();
                replay.unused.insert(Unused { subject: known.name.clone(), direction, reason, peers, ports, certainty, by });
            };
            found.everyone.into_iter().for_each(|common| add(common, UnusedPeers::Everyone));
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

impl Search<'_> {
    fn subject(&mut self, subject: Subject, found: &mut Found) {
        let Subject { group, direction, .. } = subject;
        let (whole, strict) = (self.whole.open(direction, group), self.strict.open(direction, group));
        for (ports, is_stated) in [(strict.clone(), false), (whole.minus(&strict), true)] {
            if !ports.is_empty() {
                let (by, reasons) = self.by(subject, &ports, |rule| matches!(rule, Peers::Everyone));
                found.everyone.insert((is_stated.then_some(reasons), ports, Answer::Allowed, by));
            }
        }
        self.pods(subject, &whole, found);
        self.outside(subject, found);
    }

    /// Pairs with other groups. Most have few different answers and were never seen, so what is to be said is kept.
    fn pods(&mut self, subject: Subject, open: &PortSet, found: &mut Found) {
        let Subject { actor, group, direction } = subject;
        let other = if direction == Direction::Ingress { Direction::Egress } else { Direction::Ingress };
        let (actors, related) = (self.actors, self.related(subject));
        let is_alone = actors.workloads()[actor].groups.values().map(Vec::len).sum::<usize>() == 1;
        let mut kept: Vec<(Vec<Common>, Vec<ActorId>)> = Vec::new();
        let mut known: HashMap<(Answers, (u64, u64)), usize> = HashMap::new();
        for peer in self.whole.listed(direction, group) {
            // A pair is told once: by its responder, if some policy has a say on what comes in there.
            if direction == Direction::Egress && self.whole.is_isolated(Direction::Ingress, peer) {
                continue;
            }
            let mut answer =
                |sides: &mut Sides<'_>, direction, one, another| sides.reach(&mut self.reaches, direction, one, another);
            let own = [answer(&mut self.whole, direction, group, peer), answer(&mut self.strict, direction, group, peer)];
            let back = [answer(&mut self.whole, other, peer, group), answer(&mut self.strict, other, peer, group)];
            let answers = Answers { own, other: back };
            // Why the other side says more is another matter for each.
            let mask = self.whole.mask(direction, group, peer).filter(|_| back[0] == back[1]);
            for counterpart in actors.of_group(peer) {
                if counterpart == actor && is_alone {
                    continue;
                }
                let (false, Some(mask)) = (related.contains(&counterpart), mask) else {
                    for common in self.pair(subject, peer, counterpart, answers, open) {
                        found.pods.entry(common).or_default().push(counterpart);
                    }
                    continue;
                };
                let position = *known.entry((answers, mask)).or_insert_with(|| {
                    kept.push((self.pair(subject, peer, counterpart, answers, open), Vec::new()));
                    kept.len() - 1
                });
                kept[position].1.push(counterpart);
            }
        }
        for (commons, counterparts) in kept {
            for common in commons {
                found.pods.entry(common).or_default().extend(&counterparts);
            }
        }
    }

    /// The workloads that were seen with the subject, or are like one that was with one like the subject.
    fn related(&self, subject: Subject) -> BTreeSet<ActorId> {
        let workloads = self.actors.workloads();
        let twins = workloads[subject.actor].twins.iter();
        let seen = twins.filter_map(|&twin| self.observed.with(twin, subject.direction)).flat_map(BTreeMap::keys);
        let seen = seen.filter_map(|peer| if let Peer::Workload(peer) = peer { Some(*peer) } else { None });
        seen.flat_map(|peer| &workloads[peer].twins).copied().collect()
    }

    /// What is to be said of the subject and one workload of a group.
    fn pair(&self, subject: Subject, peer: GroupId, counterpart: ActorId, answers: Answers, open: &PortSet) -> Vec<Common> {
        let Subject { actor, group, direction } = subject;
        let reach = |position: usize| {
            let own = self.reaches.get(answers.own[position]);
            // What is allowed with everyone is told as that.
            let own = Reach { allowed: own.allowed.minus(open), undefined: own.undefined.minus(open) };
            both(&own, self.reaches.get(answers.other[position]))
        };
        let (whole, strict) = (reach(0), reach(1));
        let seen = self.observed.ports(actor, direction, Peer::Workload(counterpart)).cloned().unwrap_or_default();
        let mut commons = Vec::new();
        for (certainty, ports, strict) in
            [(Answer::Allowed, &whole.allowed, &strict.allowed), (Answer::Undefined, &whole.undefined, &strict.undefined)]
        {
            let ports = ports.minus(&seen);
            if ports.is_empty() {
                continue;
            }
            let alike = ports.and(&self.seen_alike(subject, Peer::Workload(counterpart)));
            let unstated = ports.and(strict).minus(&alike);
            let stated = ports.minus(&alike).minus(&unstated);
            for (ports, kind) in [(unstated, Kind::Unstated), (stated, Kind::Stated), (alike, Kind::SameLabels)] {
                if ports.is_empty() {
                    continue;
                }
                let (by, reasons) = self.by(subject, &ports, |rule| self.means(rule, peer));
                let reason = match kind {
                    Kind::Unstated => None,
                    Kind::SameLabels => Some(SAME_LABELS.to_owned()),
                    Kind::Stated if reasons.is_empty() => {
                        let other = if direction == Direction::Ingress { Direction::Egress } else { Direction::Ingress };
                        let back = Subject { actor: counterpart, group: peer, direction: other };
                        Some(self.by(back, &ports, |rule| self.means(rule, group)).1)
                    }
                    Kind::Stated => Some(reasons),
                };
                commons.push((reason, ports, certainty, by));
            }
        }
        commons
    }

    fn outside(&self, subject: Subject, found: &mut Found) {
        let Subject { actor, group, direction } = subject;
        let (whole, strict) = (self.whole.blocks(direction, group), self.strict.blocks(direction, group));
        let mut seen = Vec::new();
        for &twin in &self.actors.workloads()[actor].twins {
            for (peer, ports) in self.observed.with(twin, direction).into_iter().flatten() {
                if let Peer::Address(address) = peer {
                    seen.push((*address, *address, ports.clone()));
                }
            }
        }
        let seen = AddressPorts::of(&seen);
        let unstated = strict.minus(&seen);
        let stated = whole.minus(&seen).minus(&strict);
        for (rest, is_stated) in [(unstated, false), (stated, true)] {
            for (ports, addresses) in rest.by_ports() {
                let within = |rule: &Peers| match rule {
                    Peers::Everyone => false,
                    Peers::Listed { blocks, .. } => {
                        let mut first = addresses.ranges().iter().map(|(first, _)| *first);
                        first.any(|first| blocks.iter().any(|block| block.contains(first)))
                    }
                };
                let (by, reasons) = self.by(subject, &ports, within);
                found.addresses.insert(((is_stated.then_some(reasons), ports, Answer::Allowed, by), addresses));
            }
        }
    }

    /// The rules of a subject that mean such peers on some of these ports, and why their policies say more on purpose.
    fn by(&self, subject: Subject, ports: &PortSet, means: impl Fn(&Peers) -> bool) -> (Rules, String) {
        let (mut by, mut reasons) = (Rules::new(), BTreeSet::<&str>::new());
        for (policy, index, rule) in self.whole.rules(subject.direction, subject.group) {
            // A name among the ports may be any number on the peer; then the rule counts.
            let may_be = |rule_ports: &PortSet| !rule_ports.and(ports).is_empty();
            let own = (subject.direction == Direction::Ingress).then(|| self.evaluator.groups.get(subject.group));
            let is_named = subject.direction == Direction::Egress && !rule.ports.named.is_empty();
            if means(&rule.peers) && (is_named || may_be(&rule.ports.on(own))) {
                by.insert((policy, index));
                reasons.extend(self.reasons.get(&policy));
            }
        }
        (by, reasons.into_iter().collect::<Vec<_>>().join(", "))
    }

    fn means(&self, peers: &Peers, group: GroupId) -> bool {
        let (is_certain, is_undefined) = self.whole.peers_mean(peers, group);
        is_certain || is_undefined
    }

    /// The ports that workloads with the same labels as the subject were seen with, on those with the same labels as the peer.
    fn seen_alike(&self, subject: Subject, peer: Peer) -> PortSet {
        let workloads = self.actors.workloads();
        let peers: Vec<Peer> = match peer {
            Peer::Workload(peer) => workloads[peer].twins.iter().map(|&twin| Peer::Workload(twin)).collect(),
            Peer::Address(_) => vec![peer],
        };
        let mut ports = PortSet::none();
        for &twin in &workloads[subject.actor].twins {
            for &peer in &peers {
                if let Some(seen) = self.observed.ports(twin, subject.direction, peer) {
                    ports.add(seen);
                }
            }
        }
        ports
    }
}

/// Why a part of what is allowed is there.
#[derive(Clone, Copy)]
enum Kind {
    Unstated,
    Stated,
    SameLabels,
}
