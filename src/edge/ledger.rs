//! Edges under a bound: outside addresses are as many as there are callers in the world.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU16;

use crate::model::{Edge, Party, Protocol};

/// What is known of each edge, of at most so many edges.
///
/// Room is made by the group of outside addresses that takes most of it, so a workload that scans the world costs the others
/// nothing. Which edges are kept does not depend on the order in which they came, and nothing is lost of an edge that is kept:
/// the addresses of a group go from the last on, and a group from which some went never grows again.
#[derive(Debug)]
pub(super) struct Ledger<V> {
    within: BTreeMap<Edge, V>,
    outside: BTreeMap<Group, BTreeMap<IpAddr, V>>,
    /// The groups by how many addresses each has.
    sizes: BTreeSet<(usize, Group)>,
    length: usize,
    capacity: usize,
}

/// The edges of a workload with outside addresses, in one direction and on one port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Group {
    workload: Party,
    is_called: bool,
    protocol: Protocol,
    port: NonZeroU16,
}

impl Group {
    /// The group of an edge and its outside address, if it has one.
    pub(super) fn of(edge: &Edge) -> Option<(Self, IpAddr)> {
        let (workload, address, is_called) = match (&edge.originator, &edge.responder) {
            (Party::Outside(address), workload) => (workload, *address, true),
            (workload, Party::Outside(address)) => (workload, *address, false),
            _ => return None,
        };
        Some((Self { workload: workload.clone(), is_called, protocol: edge.protocol, port: edge.port }, address))
    }

    fn edge(&self, address: IpAddr) -> Edge {
        let (workload, outside) = (self.workload.clone(), Party::Outside(address));
        let (originator, responder) = if self.is_called { (outside, workload) } else { (workload, outside) };
        Edge { originator, responder, protocol: self.protocol, port: self.port }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { workload, protocol, port, .. } = self;
        if self.is_called {
            write!(formatter, "outside addresses -> {workload} {protocol} {port}")
        } else {
            write!(formatter, "{workload} -> outside addresses {protocol} {port}")
        }
    }
}

impl<V> Ledger<V> {
    pub(super) const fn new(capacity: usize) -> Self {
        Self { within: BTreeMap::new(), outside: BTreeMap::new(), sizes: BTreeSet::new(), length: 0, capacity }
    }

    /// Adds to what is known of an edge; gives back what had to make room.
    pub(super) fn add(&mut self, edge: Edge, value: V, merge: impl FnOnce(&mut V, V)) -> Option<(Edge, V)> {
        if let Some(known) = self.get_mut(&edge) {
            merge(known, value);
            return None;
        }
        self.length += 1;
        match Group::of(&edge) {
            None => {
                self.within.insert(edge, value);
            }
            Some((group, address)) => {
                let addresses = self.outside.entry(group.clone()).or_default();
                addresses.insert(address, value);
                let length = addresses.len();
                self.resize(group, length - 1, length);
            }
        }
        if self.length > self.capacity { self.make_room() } else { None }
    }

    pub(super) fn contains(&self, edge: &Edge) -> bool {
        match Group::of(edge) {
            None => self.within.contains_key(edge),
            Some((group, address)) => self.outside.get(&group).is_some_and(|addresses| addresses.contains_key(&address)),
        }
    }

    /// All edges in output order; none are left.
    pub(super) fn take(&mut self) -> BTreeMap<Edge, V> {
        self.sizes.clear();
        self.length = 0;
        let outside = std::mem::take(&mut self.outside).into_iter();
        let outside = outside
            .flat_map(|(group, addresses)| addresses.into_iter().map(move |(address, value)| (group.edge(address), value)));
        let mut all = std::mem::take(&mut self.within);
        all.extend(outside);
        all
    }

    fn get_mut(&mut self, edge: &Edge) -> Option<&mut V> {
        match Group::of(edge) {
            None => self.within.get_mut(edge),
            Some((group, address)) => self.outside.get_mut(&group)?.get_mut(&address),
        }
    }

    /// The last address of the largest group; without any, the last edge within the cluster.
    fn make_room(&mut self) -> Option<(Edge, V)> {
        self.length -= 1;
        let Some((length, group)) = self.sizes.last().cloned() else { return self.within.pop_last() };
        let (address, value) = self.outside.get_mut(&group)?.pop_last()?;
        let edge = group.edge(address);
        self.resize(group, length, length - 1);
        Some((edge, value))
    }

    fn resize(&mut self, group: Group, from: usize, to: usize) {
        self.sizes.remove(&(from, group.clone()));
        if to > 0 {
            self.sizes.insert((to, group));
        } else {
            self.outside.remove(&group);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{WorkloadKind, WorkloadName};

    fn workload(name: &str) -> Party {
        let kind = WorkloadKind("Deployment".into());
        Party::Workload(WorkloadName { namespace: "n".into(), name: name.into(), kind }.into())
    }

    fn edge(originator: Party, responder: Party) -> Edge {
        Edge { originator, responder, protocol: Protocol::Tcp, port: NonZeroU16::MIN }
    }

    fn outside(last: u8) -> Party {
        Party::Outside([203, 0, 113, last].into())
    }

    /// The edges kept with their counts, and how many additions went with those that were not.
    fn fill(edges: &[Edge], capacity: usize) -> (BTreeMap<Edge, u64>, u64) {
        let mut ledger = Ledger::new(capacity);
        let evicted = edges.iter().filter_map(|edge| ledger.add(edge.clone(), 1, |known, more| *known += more));
        let left_out = evicted.map(|(_, count): (Edge, u64)| count).sum();
        (ledger.take(), left_out)
    }

    #[test]
    fn who_takes_most_makes_room() {
        let mut edges: Vec<Edge> = (0..100).map(|last| edge(workload("a"), outside(last))).collect();
        edges.extend([edge(outside(200), workload("b")), edge(workload("b"), workload("c"))]);
        edges.extend((0..100).map(|last| edge(workload("a"), outside(last))));
        let (kept, left_out) = fill(&edges, 10);
        let expected: BTreeMap<Edge, u64> =
            (0..8usize).map(|last| (edges[last].clone(), 2)).chain([(edges[100].clone(), 1), (edges[101].clone(), 1)]).collect();
        assert_eq!(kept, expected);
        assert_eq!(left_out, 184, "everything that was not kept is counted");
    }

    fn any_edge() -> impl Strategy<Value = Edge> {
        let name = || prop_oneof![Just("a"), Just("b"), Just("c")];
        prop_oneof![
            (name(), 0u8..12).prop_map(|(name, last)| edge(workload(name), outside(last))),
            (name(), 0u8..12).prop_map(|(name, last)| edge(outside(last), workload(name))),
            (name(), name()).prop_map(|(one, other)| edge(workload(one), workload(other))),
        ]
    }

    proptest! {
        #[test]
        fn order_decides_nothing(
            (edges, shuffled) in proptest::collection::vec(any_edge(), 0..80).prop_flat_map(|edges| (Just(edges.clone()), Just(edges).prop_shuffle())),
            capacity in 1usize..40,
        ) {
            let (kept, left_out) = fill(&edges, capacity);
            prop_assert!(kept.len() <= capacity);
            prop_assert_eq!(kept.values().sum::<u64>() + left_out, edges.len() as u64);
            prop_assert_eq!((kept, left_out), fill(&shuffled, capacity));
        }
    }
}
