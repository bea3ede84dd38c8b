//! A policy in the making: the pairs of peer and port it must allow, with their grounds.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::model::{
    Block, Class, Edge, Evidence, Explained, NonEmpty, Peer, PodSelector, Policy, PolicyPort, Rule, Rules, WorkloadName,
};

use super::blocks::{aggregated, holding};
use super::cover::cover;
pub(super) use crate::model::Direction;

/// What makes a policy this one and no other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DraftKey {
    pub(super) namespace: String,
    pub(super) class: Class,
    pub(super) direction: Direction,
    /// The workload it is for; `None` for all pods of the namespace.
    pub(super) subject: Option<WorkloadName>,
    /// The destination group, where a workload may have several policies of this class.
    pub(super) group: String,
}

/// Edges of the observation, which has them but once.
type Grounds<'a> = Vec<(&'a Edge, &'a Evidence)>;

/// The pairs that one policy must allow.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft<'a> {
    /// The name wanted.
    pub(super) name: String,
    /// Sentences above the whole policy.
    pub(super) notes: BTreeSet<String>,
    cells: BTreeMap<(Peer, PolicyPort), Grounds<'a>>,
    addresses: BTreeMap<(IpAddr, PolicyPort), Grounds<'a>>,
}

impl<'a> Draft<'a> {
    /// A draft that allows nothing yet.
    pub(super) fn named(name: String) -> Self {
        Self { name, ..Self::default() }
    }

    /// Allows a peer on these ports.
    pub(super) fn allow(&mut self, peer: &Peer, ports: &BTreeSet<PolicyPort>, edge: &'a Edge, evidence: &'a Evidence) {
        for &port in ports {
            self.cells.entry((peer.clone(), port)).or_default().push((edge, evidence));
        }
    }

    /// Allows an address on these ports; addresses allowed alike are joined into ranges that hold exactly them.
    pub(super) fn allow_address(
        &mut self,
        address: IpAddr,
        ports: &BTreeSet<PolicyPort>,
        edge: &'a Edge,
        evidence: &'a Evidence,
    ) {
        for &port in ports {
            let grounds = self.addresses.entry((address, port)).or_default();
            // Mostly there is one, and a list's usual first room is for four.
            grounds.reserve_exact(usize::from(grounds.is_empty()));
            grounds.push((edge, evidence));
        }
    }

    /// The edges it is there for.
    pub(super) fn edges(&self) -> BTreeSet<Edge> {
        self.cells.values().chain(self.addresses.values()).flatten().map(|(edge, _)| (*edge).clone()).collect()
    }

    /// The policy with the least rules, or nothing if nothing is to be allowed.
    pub(super) fn finish(mut self, key: DraftKey, name: String, selects: PodSelector) -> Option<Explained> {
        self.join_addresses();
        let pairs: BTreeSet<(Peer, PolicyPort)> = self.cells.keys().cloned().collect();
        let mut grounds = BTreeMap::new();
        for (peers, ports) in cover(&pairs) {
            let mut own = BTreeMap::new();
            for peer in &peers {
                for port in &ports {
                    for (edge, evidence) in self.cells.get(&(peer.clone(), *port)).into_iter().flatten() {
                        own.insert((*edge).clone(), (*evidence).clone());
                    }
                }
            }
            if let (Some(peers), Some(ports)) = (NonEmpty::new(peers), NonEmpty::new(ports)) {
                grounds.insert(Rule { peers, ports }, own);
            }
        }
        let rules = NonEmpty::new(grounds.keys().cloned())?;
        let rules = match key.direction {
            Direction::Ingress => Rules::Ingress(rules),
            Direction::Egress => Rules::Egress(rules),
        };
        let DraftKey { namespace, class, subject, .. } = key;
        let policy = Policy { namespace, class, name, subject, selects, rules };
        Some(Explained { policy, grounds, notes: self.notes.into_iter().collect() })
    }

    fn join_addresses(&mut self) {
        let addresses = std::mem::take(&mut self.addresses);
        let mut alike: BTreeMap<IpAddr, Vec<PolicyPort>> = BTreeMap::new();
        for (address, port) in addresses.keys() {
            alike.entry(*address).or_default().push(*port);
        }
        let ranges = aggregated(&alike);
        for ((address, port), grounds) in addresses {
            if let Some(range) = holding(&ranges, address) {
                let peer = Peer::Block(Block { cidr: range, except: BTreeSet::new() });
                self.cells.entry((peer, port)).or_default().extend(grounds);
            }
        }
    }
}
