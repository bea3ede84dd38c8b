//! Edges under a bound: outside addresses are as many as there are callers in the world.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::num::NonZeroU16;

use crate::inventory::Inventory;
use crate::model::{Evidence, Protocol, SeededMap};

use super::link::{Link, Side};

/// What is known of an edge.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) evidence: Evidence,
    /// Conversations that are counted with it: of those that may have made several edges, each counts with one.
    pub(super) own: u64,
}

/// What is known of each edge, of at most so many edges.
///
/// Room is made by the group of outside addresses that takes most of it, so a workload that scans the world costs the others
/// nothing. Which edges are kept does not depend on the order in which they came, and nothing is lost of an edge that is kept:
/// the addresses of a group go from the last on, and a group from which some went never grows again.
#[derive(Debug)]
pub(super) struct BoundedEdges<V> {
    known: SeededMap<Link, V>,
    /// Who gives way; from when on there was no room for all.
    order: Option<Order>,
    capacity: usize,
}

/// Edges in the order in which they give way.
#[derive(Debug, Default)]
struct Order {
    within: BTreeSet<Link>,
    outside: BTreeMap<Group, BTreeSet<IpAddr>>,
    /// The groups by how many addresses each has.
    sizes: BTreeSet<(usize, Group)>,
}

/// The edges of a workload with outside addresses, in one direction and on one port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Group {
    workload: Side,
    is_called: bool,
    protocol: Protocol,
    port: NonZeroU16,
}

impl Group {
    /// The group of an edge and its outside address, if it has one.
    pub(super) const fn of(link: Link) -> Option<(Self, IpAddr)> {
        let (workload, address, is_called) = match (link.originator, link.responder) {
            (Side::Outside(address), workload) => (workload, address, true),
            (workload, Side::Outside(address)) => (workload, address, false),
            _ => return None,
        };
        Some((Self { workload, is_called, protocol: link.protocol, port: link.port }, address))
    }

    const fn link(self, address: IpAddr) -> Link {
        let (workload, outside) = (self.workload, Side::Outside(address));
        let (originator, responder) = if self.is_called { (outside, workload) } else { (workload, outside) };
        Link { originator, responder, protocol: self.protocol, port: self.port }
    }

    /// For people.
    pub(super) fn describe(self, inventory: &Inventory) -> String {
        let Self { protocol, port, .. } = self;
        let workload = self.workload.party(inventory);
        if self.is_called {
            format!("outside addresses -> {workload} {protocol} {port}")
        } else {
            format!("{workload} -> outside addresses {protocol} {port}")
        }
    }
}

impl<V> BoundedEdges<V> {
    pub(super) fn new(capacity: usize) -> Self {
        Self { known: SeededMap::default(), order: None, capacity }
    }

    /// What is known of an edge.
    pub(super) fn get(&self, link: Link) -> Option<&V> {
        self.known.get(&link)
    }

    /// What is known of an edge.
    pub(super) fn get_mut(&mut self, link: Link) -> Option<&mut V> {
        self.known.get_mut(&link)
    }

    /// All of them, in no particular order.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&Link, &mut V)> {
        self.known.iter_mut()
    }

    /// Adds an edge of which nothing is known; gives back what had to make room.
    pub(super) fn insert(&mut self, link: Link, value: V) -> Option<(Link, V)> {
        self.known.insert(link, value);
        if let Some(order) = &mut self.order {
            order.insert(link);
        }
        if self.known.len() <= self.capacity {
            return None;
        }
        let order = self.order.get_or_insert_with(|| {
            let mut order = Order::default();
            self.known.keys().for_each(|link| order.insert(*link));
            order
        });
        let evicted = order.make_room()?;
        self.known.remove_entry(&evicted)
    }

    pub(super) fn contains(&self, link: Link) -> bool {
        self.known.contains_key(&link)
    }

    /// All edges in output order; none are left.
    pub(super) fn take(&mut self) -> Vec<(Link, V)> {
        self.order = None;
        let mut all: Vec<(Link, V)> = std::mem::take(&mut self.known).into_iter().collect();
        all.sort_unstable_by_key(|(link, _)| *link);
        all
    }
}

impl Order {
    fn insert(&mut self, link: Link) {
        match Group::of(link) {
            None => {
                self.within.insert(link);
            }
            Some((group, address)) => {
                let addresses = self.outside.entry(group).or_default();
                addresses.insert(address);
                let length = addresses.len();
                self.resize(group, length - 1, length);
            }
        }
    }

    /// The last address of the largest group; without any, the last edge within the cluster.
    fn make_room(&mut self) -> Option<Link> {
        let Some(&(length, group)) = self.sizes.last() else { return self.within.pop_last() };
        let address = self.outside.get_mut(&group)?.pop_last()?;
        self.resize(group, length, length - 1);
        Some(group.link(address))
    }

    fn resize(&mut self, group: Group, from: usize, to: usize) {
        self.sizes.remove(&(from, group));
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
    use crate::inventory::WorkloadId;

    const A: Side = Side::Workload(WorkloadId(0));
    const B: Side = Side::Workload(WorkloadId(1));
    const C: Side = Side::Workload(WorkloadId(2));

    fn link(originator: Side, responder: Side) -> Link {
        Link { originator, responder, protocol: Protocol::Tcp, port: NonZeroU16::MIN }
    }

    fn outside(last: u8) -> Side {
        Side::Outside([203, 0, 113, last].into())
    }

    /// The edges kept with their counts, and how many additions went with those that were not.
    fn fill(links: &[Link], capacity: usize) -> (BTreeMap<Link, u64>, u64) {
        let mut ledger = BoundedEdges::new(capacity);
        let mut left_out = 0;
        for link in links {
            match ledger.get_mut(*link) {
                Some(count) => *count += 1,
                None => left_out += ledger.insert(*link, 1).map_or(0, |(_, count): (Link, u64)| count),
            }
        }
        (ledger.take().into_iter().collect(), left_out)
    }

    #[test]
    fn who_takes_most_makes_room() {
        let mut links: Vec<Link> = (0..100).map(|last| link(A, outside(last))).collect();
        links.extend([link(outside(200), B), link(B, C)]);
        links.extend((0..100).map(|last| link(A, outside(last))));
        let (kept, left_out) = fill(&links, 10);
        let expected: BTreeMap<Link, u64> =
            (0..8usize).map(|last| (links[last], 2)).chain([(links[100], 1), (links[101], 1)]).collect();
        assert_eq!(kept, expected);
        assert_eq!(left_out, 184, "everything that was not kept is counted");
    }

    fn any_link() -> impl Strategy<Value = Link> {
        let side = || prop_oneof![Just(A), Just(B), Just(C)];
        prop_oneof![
            (side(), 0u8..12).prop_map(|(side, last)| link(side, outside(last))),
            (side(), 0u8..12).prop_map(|(side, last)| link(outside(last), side)),
            (side(), side()).prop_map(|(one, other)| link(one, other)),
        ]
    }

    proptest! {
        #[test]
        fn order_decides_nothing(
            (links, shuffled) in proptest::collection::vec(any_link(), 0..80).prop_flat_map(|links| (Just(links.clone()), Just(links).prop_shuffle())),
            capacity in 1usize..40,
        ) {
            let (kept, left_out) = fill(&links, capacity);
            prop_assert!(kept.len() <= capacity);
            prop_assert_eq!(kept.values().sum::<u64>() + left_out, links.len() as u64);
            prop_assert_eq!((kept, left_out), fill(&shuffled, capacity));
        }
    }
}
