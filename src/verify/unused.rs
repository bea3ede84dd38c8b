//! What policies allow and nobody used, over both sides of every pair.

use std::collections::{BTreeMap, BTreeSet};

use super::error::PolicyName;
use super::evaluator::{Evaluator, Peers};
use super::groups::GroupId;
use super::parties::Namer;
use super::ports::PortSet;
use super::proof::observed::{ActorId, Actors, Observed, Peer};
use super::ranges::{AddressPorts, AddressSet};
use super::replay::{Replay, Unused, UnusedPeers};
use super::sides::{Row, Sides, both};
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
    pods: BTreeMap<Common, BTreeSet<ActorId>>,
    addresses: BTreeSet<(Common, AddressSet)>,
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
    let search = Search { evaluator, actors, observed, whole, strict, reasons };
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
            for (common, peers) in found.pods {
                add(common, UnusedPeers::Pods(namer.of_actors(&peers)));
            }
            for (common, addresses) in found.addresses {
                add(common, UnusedPeers::Addresses(addresses));
            }
        }
    }
}

impl Search<'_> {
    fn subject(&self, subject: Subject, found: &mut Found) {
        let Subject { group, direction, .. } = subject;
        let (whole, strict) = (self.whole.row(direction, group), self.strict.row(direction, group));
        let mut everyone = |ports: PortSet, is_stated: bool| {
            if !ports.is_empty() {
                let (by, reasons) = self.by(subject, &ports, |rule| matches!(rule, Peers::Everyone));
                found.everyone.insert((is_stated.then_some(reasons), ports, Answer::Allowed, by));
            }
        };
        everyone(strict.open.clone(), false);
        everyone(whole.open.minus(&strict.open), true);
        for (&peer, reach) in &whole.listed {
            // A pair is told once: by its responder, if some policy has a say on what comes in there.
            if direction == Direction::Egress && self.whole.is_isolated(Direction::Ingress, peer) {
                continue;
            }
            self.pair(subject, peer, &without_open(reach, &whole), &without_open(&strict.with(peer), &whole), found);
        }
        self.outside(subject, &whole, &strict, found);
    }

    fn pair(&self, subject: Subject, peer: GroupId, whole: &Reach, strict: &Reach, found: &mut Found) {
        let Subject { actor, group, direction } = subject;
        let other = if direction == Direction::Ingress { Direction::Egress } else { Direction::Ingress };
        let whole = both(whole, &self.whole.reach(other, peer, group));
        let strict = both(strict, &self.strict.reach(other, peer, group));
        for counterpart in self.actors.of_group(peer) {
            if counterpart == actor && self.actors.workloads()[actor].groups.values().map(Vec::len).sum::<usize>() == 1 {
                continue;
            }
            let seen = self.observed.ports(actor, direction, Peer::Workload(counterpart)).cloned().unwrap_or_default();
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
                    let means = |rule: &Peers| self.means(rule, peer);
                    let (by, reasons) = self.by(subject, &ports, means);
                    let reason = match kind {
                        Kind::Unstated => None,
                        Kind::SameLabels => Some(SAME_LABELS.to_owned()),
                        Kind::Stated if reasons.is_empty() => {
                            let back = Subject { actor: counterpart, group: peer, direction: other };
                            Some(self.by(back, &ports, |rule| self.means(rule, group)).1)
                        }
                        Kind::Stated => Some(reasons),
                    };
                    found.pods.entry((reason, ports, certainty, by)).or_default().insert(counterpart);
                }
            }
        }
    }

    fn outside(&self, subject: Subject, whole: &Row, strict: &Row, found: &mut Found) {
        let Subject { actor, direction, .. } = subject;
        let mut seen = Vec::new();
        for &twin in &self.actors.workloads()[actor].twins {
            for (peer, ports) in self.observed.with(twin, direction).into_iter().flatten() {
                if let Peer::Address(address) = peer {
                    seen.push((*address, *address, ports.clone()));
                }
            }
        }
        let seen = AddressPorts::of(&seen);
        let unstated = strict.addresses.minus(&seen);
        let stated = whole.addresses.minus(&seen).minus(&strict.addresses);
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

/// What is allowed with a peer beyond what is allowed with everyone, which is told as that.
fn without_open(reach: &Reach, row: &Row) -> Reach {
    Reach { allowed: reach.allowed.minus(&row.open), undefined: reach.undefined.minus(&row.open) }
}
