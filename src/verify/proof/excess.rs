//! What policies allow beyond what was seen. Walks over what each rule allows, so the work is in proportion to that.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use super::observed::{ActorId, Actors, Observed, Peer};
use super::{Excess, Proof, Reached, Reason, Terms, Widened, Widening};
use crate::verify::block::AddressBlock;
use crate::verify::error::PolicyName;
use crate::verify::evaluator::{Evaluator, Peers, ResolvedRule};
use crate::verify::groups::GroupId;
use crate::verify::ports::PortSet;
use crate::verify::verdict::{Answer, Direction, RuleName};

/// What was found about one peer of one subject: ports and the rules that allow them.
type Found<K> = BTreeMap<K, (PortSet, BTreeSet<RuleName>)>;

/// The search for one subject in one direction.
struct Search<'a> {
    evaluator: &'a Evaluator<'a>,
    actors: &'a Actors<'a>,
    observed: &'a Observed,
    widenings: &'a BTreeMap<&'a PolicyName, Vec<&'a Widening>>,
    subject: ActorId,
    direction: Direction,
    /// The addresses seen with the subject, or with a twin of it.
    addresses: BTreeSet<IpAddr>,
    excess: Found<(Reached, Answer)>,
    widened: Found<(Reached, Answer, Reason)>,
}

/// A rule, as it stands on one of the subject's groups.
#[derive(Clone, Copy)]
struct Standing<'a> {
    group: GroupId,
    policy: usize,
    index: usize,
    rule: &'a ResolvedRule,
}

/// Adds what the policies allow beyond what was seen.
pub(super) fn find(evaluator: &Evaluator<'_>, actors: &Actors<'_>, observed: &Observed, terms: &Terms, proof: &mut Proof) {
    let mut widenings: BTreeMap<&PolicyName, Vec<&Widening>> = BTreeMap::new();
    for widening in &terms.widenings {
        widenings.entry(&widening.policy).or_default().push(widening);
    }
    for (subject, actor) in actors.subjects() {
        for direction in [Direction::Ingress, Direction::Egress] {
            let seen = actor.twins.iter().filter_map(|&twin| observed.with(twin, direction)).flat_map(BTreeMap::keys);
            let addresses = seen.filter_map(|peer| match peer {
                Peer::Address(address) => Some(*address),
                Peer::Workload(_) => None,
            });
            let (excess, widened) = (Found::new(), Found::new());
            let addresses = addresses.collect();
            let mut search =
                Search { evaluator, actors, observed, widenings: &widenings, subject, direction, addresses, excess, widened };
            for &group in actor.groups.keys() {
                if evaluator.isolating(group, direction).is_empty() {
                    proof.unisolated.insert((actor.name.clone(), direction));
                }
                for (policy, index, rule) in evaluator.rules(group, direction) {
                    search.rule(Standing { group, policy, index, rule });
                }
            }
            search.report(proof);
        }
    }
}

impl Search<'_> {
    fn rule(&mut self, standing: Standing<'_>) {
        match &standing.rule.peers {
            Peers::Everyone => self.everyone(standing),
            Peers::Listed { selections, blocks } => {
                let evaluator = self.evaluator;
                let groups: BTreeSet<GroupId> = selections.iter().flat_map(|&set| evaluator.selection(set)).copied().collect();
                for group in groups {
                    self.pods(standing, group, Answer::Allowed);
                }
                for block in blocks {
                    self.block(standing, block);
                }
            }
        }
    }

    fn everyone(&mut self, standing: Standing<'_>) {
        let responder = (self.direction == Direction::Ingress).then_some(standing.group);
        let ports = self.ports(standing, responder);
        self.found(standing, &Reached::Everyone, None, Answer::Allowed, ports);
        if self.direction == Direction::Egress && !standing.rule.ports.named.is_empty() {
            for group in (0..).take(self.evaluator.groups.len()) {
                self.pods(standing, group, Answer::Allowed);
            }
        }
    }

    /// A rule that means the pods of a group.
    fn pods(&mut self, standing: Standing<'_>, group: GroupId, certainty: Answer) {
        let responder = if self.direction == Direction::Ingress { standing.group } else { group };
        let ports = self.ports(standing, Some(responder));
        let actors = self.actors;
        for actor in actors.of_group(group) {
            let reached = Reached::Workload(actors.workloads()[actor].name.clone());
            self.found(standing, &reached, Some(Peer::Workload(actor)), certainty, ports.clone());
        }
    }

    fn block(&mut self, standing: Standing<'_>, block: &AddressBlock) {
        let evaluator = self.evaluator;
        let mut groups = BTreeSet::new();
        for (first, last) in block.ranges() {
            groups.extend(evaluator.addresses.pods_between(first, last).filter_map(|(_, pod)| evaluator.groups.of_pod(pod)));
        }
        for group in groups {
            self.pods(standing, group, Answer::Undefined);
        }
        let ports = self.ports(standing, (self.direction == Direction::Ingress).then_some(standing.group));
        let known: Vec<IpAddr> = self.addresses.iter().copied().filter(|&address| block.contains(address)).collect();
        for address in known {
            self.found(standing, &Reached::Address(address), Some(Peer::Address(address)), Answer::Allowed, ports.clone());
        }
        if let Some(such_as) = block.first_beyond(&self.addresses) {
            self.found(standing, &Reached::Block { block: block.clone(), such_as }, None, Answer::Allowed, ports);
        }
    }

    fn ports(&self, standing: Standing<'_>, responder: Option<GroupId>) -> PortSet {
        standing.rule.ports.on(responder.map(|group| self.evaluator.groups.get(group)))
    }

    /// Books the ports that a rule allows: as seen, as widened, or as excess.
    fn found(&mut self, standing: Standing<'_>, reached: &Reached, peer: Option<Peer>, certainty: Answer, mut ports: PortSet) {
        if let Some(seen) = peer.and_then(|peer| self.observed.ports(self.subject, self.direction, peer)) {
            ports = ports.minus(seen);
        }
        if ports.is_empty() {
            return;
        }
        let name = self.evaluator.rule_name(standing.policy, self.direction, standing.index);
        let mut widen = |part: PortSet, reason: Reason| {
            if !part.is_empty() {
                let (ports, by) = self.widened.entry((reached.clone(), certainty, reason)).or_default();
                ports.add(&part);
                by.insert(name.clone());
            }
        };
        let actors = self.actors.workloads();
        if let Some(peer) = peer {
            let excused = ports.and(&seen_with_twins(self.actors, self.observed, self.subject, self.direction, peer));
            ports = ports.minus(&excused);
            widen(excused, Reason::SameLabels);
        }
        let takes_part = |workload| {
            actors[self.subject].name == workload || matches!(reached, Reached::Workload(reached) if reached == workload)
        };
        for widening in self.widenings.get(self.evaluator.policy_name(standing.policy)).into_iter().flatten() {
            if widening.workloads.as_ref().is_none_or(|workloads| workloads.iter().any(takes_part))
                && widening.addresses.is_none_or(|range| is_within(reached, range))
            {
                let excused = widening.ports.as_ref().map_or_else(|| ports.clone(), |stated| ports.and(stated));
                ports = ports.minus(&excused);
                widen(excused, Reason::Stated(widening.reason.clone()));
            }
        }
        if !ports.is_empty() {
            let (all, by) = self.excess.entry((reached.clone(), certainty)).or_default();
            all.add(&ports);
            by.insert(name);
        }
    }

    fn report(self, proof: &mut Proof) {
        let (subject, direction) = (self.actors.workloads()[self.subject].name, self.direction);
        let entry = |peer: Reached, certainty: Answer, ports: PortSet, by: BTreeSet<RuleName>| Excess {
            subject: subject.clone(),
            direction,
            peer,
            ports,
            certainty,
            by,
        };
        // What is excess anyway is not widened as well.
        for ((peer, certainty, reason), (ports, by)) in self.widened {
            let ports =
                self.excess.get(&(peer.clone(), certainty)).map_or_else(|| ports.clone(), |(excess, _)| ports.minus(excess));
            if !ports.is_empty() {
                proof.widened.insert(Widened { excess: entry(peer, certainty, ports, by), reason });
            }
        }
        for ((peer, certainty), (ports, by)) in self.excess {
            proof.excess.insert(entry(peer, certainty, ports, by));
        }
    }
}

/// Whether all that is reached are addresses of the range.
fn is_within(reached: &Reached, range: IpNet) -> bool {
    match reached {
        Reached::Address(address) => range.contains(address),
        Reached::Block { block, .. } => range.contains(&block.cidr()),
        Reached::Everyone | Reached::Workload(_) => false,
    }
}

/// The ports that twins of the subject were seen with on twins of the peer.
fn seen_with_twins(actors: &Actors<'_>, observed: &Observed, subject: ActorId, direction: Direction, peer: Peer) -> PortSet {
    let mut ports = PortSet::none();
    let peers: Vec<Peer> = match peer {
        Peer::Workload(peer) => actors.workloads()[peer].twins.iter().map(|&twin| Peer::Workload(twin)).collect(),
        Peer::Address(_) => vec![peer],
    };
    for &twin in &actors.workloads()[subject].twins {
        for &peer in &peers {
            if let Some(seen) = observed.ports(twin, direction, peer) {
                ports.add(seen);
            }
        }
    }
    ports
}
