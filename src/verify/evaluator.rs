//! The semantics of `networking.k8s.io/v1`, over the union of all policies.
//!
//! In: policies as API objects and a [`ClusterView`]. Out: verdicts with reasons, for single connections and for sets of ports.
//! Written from the API's text (`NetworkPolicySpec` and the concept page "Network Policies"), sharing nothing with the code
//! that makes policies. Each policy is resolved once into the groups of pods that it selects and, for each rule, the groups and
//! address blocks that are its peers; questions are answered from that.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use k8s_openapi::api::networking::v1::NetworkPolicy;

use super::block::AddressBlock;
use super::cluster_view::{Addresses, ClusterView, OnNode, Place, ToOwnNode, unknown_namespace};
use super::error::{PolicyError, PolicyName};
use super::groups::{GroupId, Groups};
use super::ports::PortSet;
use super::selector::Selector;
use super::spec::{Ports, Spec, SpecPeer, SpecRule};
use super::verdict::{Direction, Exempt, Reach, RuleName, Side, Verdict};
use crate::inventory::{NodeId, PodId};
use crate::model::Protocol;

/// Whether a policy can be evaluated.
///
/// # Errors
/// What is wrong with it.
pub fn check(policy: &NetworkPolicy) -> Result<(), PolicyError> {
    Spec::new(policy).map(drop)
}

/// Policies over a world.
#[derive(Debug)]
pub struct Evaluator<'w> {
    pub(super) world: &'w ClusterView,
    pub(super) groups: Arc<Groups>,
    pub(super) addresses: Arc<Addresses>,
    policies: Vec<Resolved>,
    /// For each group the policies that isolate it, in order of the given policies.
    isolating: BTreeMap<Direction, Vec<Vec<usize>>>,
    /// Sets of groups that peers mean, each in order; kept once, as many peers mean the same.
    selections: Vec<Vec<GroupId>>,
}

/// A policy of which the selectors have been answered.
#[derive(Debug)]
struct Resolved {
    name: PolicyName,
    /// The set of groups that it selects (a position of `Evaluator::selections`).
    subjects: usize,
    ingress: Vec<ResolvedRule>,
    egress: Vec<ResolvedRule>,
}

/// A rule of which the selectors have been answered.
#[derive(Debug)]
pub(super) struct ResolvedRule {
    pub(super) peers: Peers,
    pub(super) ports: Ports,
    /// Whether it means pods of namespaces that the world does not know, whatever labels those have.
    pub(super) means_unknown: bool,
}

/// Whom a rule means.
#[derive(Debug)]
pub(super) enum Peers {
    /// `from` or `to` is missing or empty.
    Everyone,
    /// Pods of these sets (positions of `Evaluator::selections`), and addresses in these blocks.
    Listed { selections: BTreeSet<usize>, blocks: Vec<AddressBlock> },
}

/// A place, with what the world knows of it.
#[derive(Clone, Debug)]
pub(super) enum Endpoint<'w> {
    Pod { id: PodId, group: GroupId, node: Option<NodeId>, addresses: &'w BTreeSet<IpAddr> },
    Host { node: Option<NodeId>, addresses: BTreeSet<IpAddr> },
    Outside(IpAddr),
}

/// Whether a rule means a peer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Match {
    No,
    Undefined,
    Yes,
}

/// In which namespaces a selector looks for pods.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Scope<'s> {
    Own(&'s str),
    Matching(&'s Selector),
}

/// Answers selectors, each different one once.
struct Selections<'s> {
    world: &'s ClusterView,
    groups: &'s Groups,
    known: BTreeMap<(Scope<'s>, &'s Selector), usize>,
    sets: Vec<Vec<GroupId>>,
}

impl<'s> Selections<'s> {
    fn of(&mut self, scope: Scope<'s>, pods: &'s Selector) -> usize {
        let (world, groups, sets) = (self.world, self.groups, &mut self.sets);
        let key = (scope, pods);
        if let Some(&position) = self.known.get(&key) {
            return position;
        }
        let mut selected = match key.0 {
            Scope::Own(namespace) => groups.select(namespace, pods),
            Scope::Matching(namespaces) => {
                let matching = world.namespaces.iter().filter(|(_, labels)| namespaces.matches(labels));
                matching.flat_map(|(namespace, _)| groups.select(namespace, pods)).collect()
            }
        };
        selected.sort_unstable();
        sets.push(selected);
        self.known.insert(key, sets.len() - 1);
        sets.len() - 1
    }

    fn rules(&mut self, namespace: &'s str, rules: Option<&'s Vec<SpecRule>>) -> Vec<ResolvedRule> {
        let mut resolved = Vec::new();
        for rule in rules.into_iter().flatten() {
            let peers = match &rule.peers {
                None => Peers::Everyone,
                Some(peers) => {
                    let (mut selections, mut blocks) = (BTreeSet::new(), Vec::new());
                    for peer in peers {
                        match peer {
                            SpecPeer::Block(block) => blocks.push(block.clone()),
                            SpecPeer::Pods { namespaces: None, pods } => {
                                selections.insert(self.of(Scope::Own(namespace), pods));
                            }
                            SpecPeer::Pods { namespaces: Some(namespaces), pods } => {
                                selections.insert(self.of(Scope::Matching(namespaces), pods));
                            }
                        }
                    }
                    Peers::Listed { selections, blocks }
                }
            };
            let means_unknown = rule.peers.iter().flatten().any(|peer| {
                matches!(peer, SpecPeer::Pods { namespaces: Some(namespaces), .. } if namespaces.matches(&unknown_namespace()))
            });
            resolved.push(ResolvedRule { peers, ports: rule.ports.clone(), means_unknown });
        }
        resolved
    }
}

impl<'w> Evaluator<'w> {
    /// Resolves the policies, all of which count together. Those that are handed over one by one need not be in memory together.
    ///
    /// # Errors
    /// The first policy that is malformed, in the given order.
    pub fn new(policies: impl IntoIterator<Item: Borrow<NetworkPolicy>>, world: &'w ClusterView) -> Result<Self, PolicyError> {
        let specs = policies.into_iter().map(|policy| Spec::new(policy.borrow())).collect::<Result<Vec<_>, _>>()?;
        let groups = Arc::new(Groups::new(world, &specs));
        Ok(Self::resolve(&specs, groups, Arc::new(Addresses::new(world)), world))
    }

    /// Resolves two sets of policies over the same groups of pods, so that their answers can be compared group by group.
    ///
    /// # Errors
    /// The first policy that is malformed, of the first set before the second.
    pub(super) fn pair(
        old: &[NetworkPolicy],
        new: &[NetworkPolicy],
        world: &'w ClusterView,
    ) -> Result<(Self, Self), PolicyError> {
        let specs = old.iter().chain(new).map(Spec::new).collect::<Result<Vec<_>, _>>()?;
        let groups = Arc::new(Groups::new(world, &specs));
        let addresses = Arc::new(Addresses::new(world));
        let (old, new) = specs.split_at(old.len());
        let resolve = |specs| Self::resolve(specs, Arc::clone(&groups), Arc::clone(&addresses), world);
        Ok((resolve(old), resolve(new)))
    }

    fn resolve(specs: &[Spec], groups: Arc<Groups>, addresses: Arc<Addresses>, world: &'w ClusterView) -> Self {
        let mut isolating =
            BTreeMap::from([Direction::Ingress, Direction::Egress].map(|way| (way, vec![Vec::new(); groups.len()])));
        let mut selections = Selections { world, groups: &groups, known: BTreeMap::new(), sets: Vec::new() };
        let mut resolved = Vec::new();
        for (position, spec) in specs.iter().enumerate() {
            let subjects = selections.of(Scope::Own(&spec.name.namespace), &spec.selects);
            for (direction, rules) in [(Direction::Ingress, &spec.ingress), (Direction::Egress, &spec.egress)] {
                if let (Some(_), Some(isolating)) = (rules, isolating.get_mut(&direction)) {
                    for &group in &selections.sets[subjects] {
                        isolating[group as usize].push(position);
                    }
                }
            }
            resolved.push(Resolved {
                name: spec.name.clone(),
                subjects,
                ingress: selections.rules(&spec.name.namespace, spec.ingress.as_ref()),
                egress: selections.rules(&spec.name.namespace, spec.egress.as_ref()),
            });
        }
        let selections = selections.sets;
        Self { world, addresses, groups, policies: resolved, isolating, selections }
    }

    /// Whether `from` may open a connection to `port` of `to`, by both sides. The port is the responder's own, after any
    /// Service address was translated.
    #[must_use]
    pub fn verdict(&self, from: Place, to: Place, protocol: Protocol, port: u16) -> Verdict {
        let (from, to) = (self.stand(from), self.stand(to));
        Verdict {
            originator: self.side(Direction::Egress, &from, &to, protocol, port),
            responder: self.side(Direction::Ingress, &to, &from, protocol, port),
        }
    }

    /// The policies that isolate the pod in this direction; none for a pod on the host network.
    #[must_use]
    pub fn isolated_by(&self, pod: PodId, direction: Direction) -> BTreeSet<PolicyName> {
        let isolating = self.groups.of_pod(pod).map(|group| self.isolating(group, direction)).unwrap_or_default();
        isolating.iter().map(|&policy| self.policies[policy].name.clone()).collect()
    }

    /// All ports of `to` that `from` reaches.
    #[must_use]
    pub fn reach(&self, from: Place, to: Place) -> Reach {
        let (from, to) = (self.stand(from), self.stand(to));
        let egress = self.side_reach(Direction::Egress, &from, &to);
        let ingress = self.side_reach(Direction::Ingress, &to, &from);
        let allowed = egress.allowed.and(&ingress.allowed);
        let possible = |mut side: Reach| {
            side.allowed.add(&side.undefined);
            side.allowed
        };
        let undefined = possible(egress).and(&possible(ingress)).minus(&allowed);
        Reach { allowed, undefined }
    }

    /// The policies that isolate a group, by position.
    pub(super) fn isolating(&self, group: GroupId, direction: Direction) -> &[usize] {
        self.isolating.get(&direction).and_then(|groups| groups.get(group as usize)).map(Vec::as_slice).unwrap_or_default()
    }

    /// All rules of the policies that isolate a group.
    pub(super) fn rules(&self, group: GroupId, direction: Direction) -> impl Iterator<Item = (usize, usize, &ResolvedRule)> {
        self.isolating(group, direction).iter().flat_map(move |&policy| {
            let rules = match direction {
                Direction::Ingress => &self.policies[policy].ingress,
                Direction::Egress => &self.policies[policy].egress,
            };
            rules.iter().enumerate().map(move |(index, rule)| (policy, index, rule))
        })
    }

    /// All address blocks that rules name, some of them often.
    pub(super) fn blocks(&self) -> impl Iterator<Item = &AddressBlock> {
        let rules = self.policies.iter().flat_map(|policy| policy.ingress.iter().chain(&policy.egress));
        rules.flat_map(|rule| match &rule.peers {
            Peers::Everyone => [].iter(),
            Peers::Listed { blocks, .. } => blocks.iter(),
        })
    }

    /// The name of the policy at this position.
    pub(super) fn policy_name(&self, policy: usize) -> &PolicyName {
        &self.policies[policy].name
    }

    /// The groups that the policy at this position selects.
    pub(super) fn subjects(&self, policy: usize) -> &[GroupId] {
        self.selection(self.policies[policy].subjects)
    }

    /// The namespaces that have policies.
    pub(super) fn policy_namespaces(&self) -> BTreeSet<&str> {
        self.policies.iter().map(|policy| policy.name.namespace.as_str()).collect()
    }

    /// The set of groups at this position.
    pub(super) fn selection(&self, position: usize) -> &[GroupId] {
        &self.selections[position]
    }

    pub(super) fn rule_name(&self, policy: usize, direction: Direction, index: usize) -> RuleName {
        RuleName { policy: self.policies[policy].name.clone(), direction, index }
    }

    /// What is known of a place.
    pub(super) fn stand(&self, place: Place) -> Endpoint<'w> {
        let pod = match place {
            Place::Pod(id) => id,
            Place::Address(address) => match (self.addresses.node(address), self.addresses.pod(address)) {
                (Some(OnNode(node)), _) => return Endpoint::Host { node, addresses: BTreeSet::from([address]) },
                (None, Some(id)) => id,
                (None, None) => return Endpoint::Outside(address),
            },
        };
        let known = self.world.pod(pod);
        match self.groups.of_pod(pod) {
            Some(group) => Endpoint::Pod { id: pod, group, node: known.node, addresses: &known.addresses },
            None => Endpoint::Host { node: known.node, addresses: known.addresses.clone() },
        }
    }

    /// The answer of `subject`'s policies for this direction.
    pub(super) fn side(
        &self,
        direction: Direction,
        subject: &Endpoint<'_>,
        peer: &Endpoint<'_>,
        protocol: Protocol,
        port: u16,
    ) -> Side {
        let group = match exempt(direction, subject, peer, self.world.to_own_node) {
            Ok(group) => group,
            Err(reason) => return Side::Exempt(reason),
        };
        let isolating = self.isolating(group, direction);
        if isolating.is_empty() {
            return Side::NotIsolated;
        }
        let (mut allowed, mut undefined) = (BTreeSet::new(), BTreeSet::new());
        for (policy, index, rule) in self.rules(group, direction) {
            let by = match self.means(rule, peer) {
                Match::Yes => &mut allowed,
                Match::Undefined => &mut undefined,
                Match::No => continue,
            };
            if self.ports(rule, direction, group, peer).contains(protocol, port) {
                by.insert(self.rule_name(policy, direction, index));
            }
        }
        if !allowed.is_empty() {
            Side::Allowed { by: allowed }
        } else if !undefined.is_empty() {
            Side::Undefined { by: undefined }
        } else {
            Side::Denied { isolated_by: isolating.iter().map(|&policy| self.policies[policy].name.clone()).collect() }
        }
    }

    /// The ports that `subject`'s policies allow for this direction.
    fn side_reach(&self, direction: Direction, subject: &Endpoint<'_>, peer: &Endpoint<'_>) -> Reach {
        let mut reach = Reach::default();
        match exempt(direction, subject, peer, self.world.to_own_node) {
            Ok(group) if !self.isolating(group, direction).is_empty() => {
                for (_, _, rule) in self.rules(group, direction) {
                    match self.means(rule, peer) {
                        Match::Yes => reach.allowed.add(&self.ports(rule, direction, group, peer)),
                        Match::Undefined => reach.undefined.add(&self.ports(rule, direction, group, peer)),
                        Match::No => {}
                    }
                }
                reach.undefined = reach.undefined.minus(&reach.allowed);
            }
            _ => reach.allowed = PortSet::every(),
        }
        reach
    }

    /// A rule's ports on the responder, which is the subject for ingress and the peer for egress.
    fn ports(&self, rule: &ResolvedRule, direction: Direction, subject: GroupId, peer: &Endpoint<'_>) -> PortSet {
        let responder = match (direction, peer) {
            (Direction::Ingress, _) => Some(subject),
            (Direction::Egress, Endpoint::Pod { group, .. }) => Some(*group),
            (Direction::Egress, _) => None,
        };
        rule.ports.on(responder.map(|group| self.groups.get(group)))
    }

    pub(super) fn means(&self, rule: &ResolvedRule, peer: &Endpoint<'_>) -> Match {
        let Peers::Listed { selections, blocks } = &rule.peers else { return Match::Yes };
        let covers =
            |addresses: &BTreeSet<IpAddr>| addresses.iter().any(|&address| blocks.iter().any(|block| block.contains(address)));
        match peer {
            Endpoint::Pod { group, .. } if selections.iter().any(|&set| self.selections[set].binary_search(group).is_ok()) => {
                Match::Yes
            }
            Endpoint::Pod { addresses, .. } if covers(addresses) => Match::Undefined,
            // Selectors never mean pods on the host network; by their node's address they are meant like any address.
            Endpoint::Host { addresses, .. } if covers(addresses) => Match::Yes,
            Endpoint::Outside(address) if blocks.iter().any(|block| block.contains(*address)) => Match::Yes,
            _ => Match::No,
        }
    }
}

/// The subject's group, or why no policy has a say on it.
fn exempt(direction: Direction, subject: &Endpoint<'_>, peer: &Endpoint<'_>, to_own_node: ToOwnNode) -> Result<GroupId, Exempt> {
    let is_loopback =
        |stand: &Endpoint<'_>| matches!(stand, Endpoint::Outside(address) if address.is_loopback() || address.is_unspecified());
    if is_loopback(subject) || is_loopback(peer) {
        return Err(Exempt::Loopback);
    }
    match (subject, peer) {
        (Endpoint::Pod { id, .. }, Endpoint::Pod { id: other, .. }) if id == other => Err(Exempt::SamePod),
        (Endpoint::Pod { node: Some(node), .. }, Endpoint::Host { node: Some(other), .. })
            if node == other && (direction == Direction::Ingress || to_own_node == ToOwnNode::Exempt) =>
        {
            Err(Exempt::OwnNode)
        }
        (Endpoint::Pod { group, .. }, _) => Ok(*group),
        (Endpoint::Host { .. }, _) => Err(Exempt::HostNetwork),
        (Endpoint::Outside(_), _) => Err(Exempt::Outside),
    }
}
