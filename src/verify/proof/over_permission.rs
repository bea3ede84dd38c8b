//! What policies allow beyond what was seen. Walks over what each rule allows, so the work is in proportion to that.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::observed::{ActorId, Actors, Observed, Peer, TwinsId};
use super::{Excess, Proof, Reached, Reason, Terms, Widened};
use crate::verify::block::AddressBlock;
use crate::verify::evaluator::{Evaluator, Peers, ResolvedRule};
use crate::verify::groups::GroupId;
use crate::verify::ports::PortSet;
use crate::verify::ranges::AddressPorts;
use crate::verify::verdict::{Answer, Direction, RuleName};
use crate::verify::widenings::{OnPods, Widenings, split};

/// What was found about one peer of one subject: ports and the rules that allow them.
type Found<K> = BTreeMap<K, (PortSet, BTreeSet<RuleName>)>;

/// The ports that workloads of the same labels were seen with, in one direction, on those of the same labels as a peer.
type PortsAlike = BTreeMap<(TwinsId, Direction, TwinsId), PortSet>;

/// The search for one subject in one direction.
struct Search<'a> {
    evaluator: &'a Evaluator<'a>,
    actors: &'a Actors<'a>,
    observed: &'a Observed,
    widenings: &'a Widenings<'a>,
    subject: ActorId,
    direction: Direction,
    /// The addresses seen with the subject.
    own: AddressPorts,
    /// Those seen with a workload of the same labels.
    alike: AddressPorts,
    ports_alike: &'a RefCell<PortsAlike>,
    /// Those that the subject's rules may allow.
    widened_addresses: AddressPorts,
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
    let widenings = Widenings::new(&terms.widenings, actors);
    let (mut addresses_alike, ports_alike) = (BTreeMap::new(), RefCell::default());
    for (subject, actor) in actors.subjects() {
        for direction in [Direction::Ingress, Direction::Egress] {
            let own = observed.by_address([subject], direction);
            let twins = actors.twins(subject);
            let by_address =
                || if twins.len() > 1 { observed.by_address(twins.iter().copied(), direction) } else { AddressPorts::default() };
            let alike: AddressPorts = addresses_alike.entry((actor.twins, direction)).or_insert_with(by_address).clone();
            let mut search = Search {
                evaluator,
                actors,
                observed,
                widenings: &widenings,
                subject,
                direction,
                own,
                alike,
                ports_alike: &ports_alike,
                widened_addresses: widenings.addresses(subject, direction),
                excess: Found::new(),
                widened: Found::new(),
            };
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
                    self.pods(standing, group, None);
                }
                if !blocks.is_empty() {
                    self.blocks(standing, blocks);
                }
                if standing.rule.means_unknown {
                    let ports = self.ports(standing, (self.direction == Direction::Ingress).then_some(standing.group));
                    self.excess(standing, Reached::UnknownNamespaces, Answer::Allowed, &ports);
                }
            }
        }
    }

    fn everyone(&mut self, standing: Standing<'_>) {
        let responder = (self.direction == Direction::Ingress).then_some(standing.group);
        let ports = self.ports(standing, responder);
        self.excess(standing, Reached::Everyone, Answer::Allowed, &ports);
        if self.direction == Direction::Egress && !standing.rule.ports.named.is_empty() {
            for group in (0..).take(self.evaluator.groups.len()) {
                self.pods(standing, group, None);
            }
        }
    }

    /// A rule that means the pods of a group: for certain, or by blocks on their addresses.
    fn pods(&mut self, standing: Standing<'_>, group: GroupId, by_blocks: Option<&OnPods<'_>>) {
        let responder = if self.direction == Direction::Ingress { standing.group } else { group };
        let ports = self.ports(standing, Some(responder));
        let (actors, subject, direction, widenings) = (self.actors, self.subject, self.direction, self.widenings);
        let certainty = if by_blocks.is_some() { Answer::Undefined } else { Answer::Allowed };
        for actor in actors.of_group(group) {
            let seen = self.observed.ports(subject, direction, Peer::Workload(actor));
            let mut ports = seen.map_or_else(|| ports.clone(), |seen| ports.minus(seen));
            if ports.is_empty() {
                continue;
            }
            let reached = || Reached::Workload(actors.workloads()[actor].name.clone());
            let alike = ports.and(&self.ports_alike(actor));
            ports = ports.minus(&alike);
            self.widen(standing, reached(), certainty, &alike, Reason::SameLabels);
            let between = widenings.between(subject, direction, actor).map(|known| (&known.ports, known.reason));
            let mut reasoned = split(&mut ports, between);
            if let Some(on_pods) = by_blocks.filter(|_| !ports.is_empty()) {
                let mut excused = ports.and(&on_pods.excused(actors, actor, group));
                ports = ports.minus(&excused);
                let addressed = widenings.of(subject, direction).filter(|known| !known.addresses.is_empty());
                reasoned.extend(split(&mut excused, addressed.map(|known| (&known.ports, known.reason))));
                ports.add(&excused);
            }
            for (part, reason) in reasoned {
                self.widen(standing, reached(), certainty, &part, Reason::Stated(reason));
            }
            self.excess(standing, reached(), certainty, &ports);
        }
    }

    fn ports_alike(&self, peer: ActorId) -> PortSet {
        let twins = |actor: ActorId| self.actors.workloads()[actor].twins;
        let find = || self.observed.ports_alike(self.actors, self.subject, self.direction, peer);
        let mut known = self.ports_alike.borrow_mut();
        known.entry((twins(self.subject), self.direction, twins(peer))).or_insert_with(find).clone()
    }

    /// A rule that means addresses, also those that pods have.
    fn blocks(&mut self, standing: Standing<'_>, blocks: &[AddressBlock]) {
        let evaluator = self.evaluator;
        let ports = self.ports(standing, (self.direction == Direction::Ingress).then_some(standing.group));
        let ranges: Vec<_> = blocks.iter().flat_map(AddressBlock::ranges).collect();
        let pieces: Vec<_> = ranges.iter().map(|&(first, last)| (first, last, ports.clone())).collect();
        let allowed = AddressPorts::of(&pieces);
        let mut groups = BTreeSet::new();
        for (first, last) in ranges {
            groups.extend(evaluator.addresses.pods_between(first, last).filter_map(|(_, pod)| evaluator.groups.of_pod(pod)));
        }
        let has_names = self.direction == Direction::Egress && !standing.rule.ports.named.is_empty();
        let on_pods = OnPods::new(evaluator.world, allowed.clone(), self.widened_addresses.clone(), has_names);
        for group in groups {
            self.pods(standing, group, Some(&on_pods));
        }
        let rest = allowed.minus(&self.own);
        let alike = rest.and(&self.alike);
        let mut rest = rest.minus(&alike);
        let mut reasoned = vec![(alike, Reason::SameLabels)];
        for known in self.widenings.of(self.subject, self.direction).filter(|known| !known.addresses.is_empty()) {
            let part = rest.and(&known.addresses);
            rest = rest.minus(&part);
            reasoned.push((part, Reason::Stated(known.reason.to_owned())));
        }
        for (part, reason) in reasoned {
            for (ports, addresses) in part.by_ports() {
                self.widen(standing, Reached::Addresses(addresses), Answer::Allowed, &ports, reason.clone());
            }
        }
        for (ports, addresses) in rest.by_ports() {
            self.excess(standing, Reached::Addresses(addresses), Answer::Allowed, &ports);
        }
    }

    fn ports(&self, standing: Standing<'_>, responder: Option<GroupId>) -> PortSet {
        standing.rule.ports.on(responder.map(|group| self.evaluator.groups.get(group)))
    }

    fn name(&self, standing: Standing<'_>) -> RuleName {
        self.evaluator.rule_name(standing.policy, self.direction, standing.index)
    }

    fn excess(&mut self, standing: Standing<'_>, reached: Reached, certainty: Answer, ports: &PortSet) {
        if !ports.is_empty() {
            let name = self.name(standing);
            let (all, by) = self.excess.entry((reached, certainty)).or_default();
            all.add(ports);
            by.insert(name);
        }
    }

    fn widen(&mut self, standing: Standing<'_>, reached: Reached, certainty: Answer, ports: &PortSet, reason: Reason) {
        if !ports.is_empty() {
            let name = self.name(standing);
            let (all, by) = self.widened.entry((reached, certainty, reason)).or_default();
            all.add(ports);
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
        for ((peer, certainty, reason), (ports, by)) in self.widened {
            proof.widened.insert(Widened { excess: entry(peer, certainty, ports, by), reason });
        }
        for ((peer, certainty), (ports, by)) in self.excess {
            proof.excess.insert(entry(peer, certainty, ports, by));
        }
    }
}
