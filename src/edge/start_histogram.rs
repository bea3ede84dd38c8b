//! When connections began: so many in each stretch of time, by the namespaces of both sides.
//!
//! Bounded, and the same in whatever order connections come: stretches are whole multiples of a power of two of nanoseconds, the
//! least with which all fit into [`StartHistogram::STRETCHES`]. So every boundary between two of them splits the connections exactly.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Edge, Party, SeededMap, Timestamp};

/// Counts of connections over time.
#[derive(Clone, Debug, Default)]
pub struct StartHistogram {
    /// How many nanoseconds a stretch lasts, as a power of two.
    shift: u32,
    counts: SeededMap<(i64, Sides), u64>,
    /// The first stretch and the last one.
    ends: Option<(i64, i64)>,
    namespaces: BTreeMap<String, u32>,
}

/// Namespaces of originator and responder; nothing for what is no workload.
pub(super) type Sides = (Option<u32>, Option<u32>);

impl StartHistogram {
    /// The most stretches of time.
    const STRETCHES: i64 = 1024;

    /// Counts a connection of an edge that began at `at`.
    pub fn add(&mut self, edge: &Edge, at: Timestamp) {
        let sides = (self.side(&edge.originator), self.side(&edge.responder));
        self.count(sides, at);
    }

    /// Counts a connection between namespaces that began at `at`.
    pub(super) fn count(&mut self, sides: Sides, at: Timestamp) {
        let stretch = at.0 >> self.shift;
        *self.counts.entry((stretch, sides)).or_default() += 1;
        let (first, last) = self.ends.unwrap_or((stretch, stretch));
        self.ends = Some((first.min(stretch), last.max(stretch)));
        while let Some((first, last)) = self.ends.filter(|(first, last)| last.saturating_sub(*first) >= Self::STRETCHES) {
            self.shift += 1;
            self.ends = Some((first >> 1, last >> 1));
            let counts: Vec<_> = std::mem::take(&mut self.counts).into_iter().collect();
            for ((stretch, sides), count) in counts {
                *self.counts.entry((stretch >> 1, sides)).or_default() += count;
            }
        }
    }

    /// Takes connections back that were counted before.
    pub(super) fn remove(&mut self, edge: &Edge, at: Timestamp, connections: u64) {
        let sides = (self.side(&edge.originator), self.side(&edge.responder));
        if let Some(count) = self.counts.get_mut(&(at.0 >> self.shift, sides)) {
            *count = count.saturating_sub(connections);
        }
    }

    /// The last boundary between stretches that is not after `at`.
    #[must_use]
    pub const fn boundary(&self, at: Timestamp) -> Timestamp {
        Timestamp(at.0 >> self.shift << self.shift)
    }

    /// How many connections began at or after a boundary with a side in one of the namespaces that are meant.
    #[must_use]
    pub fn since(&self, boundary: Timestamp, is_meant: impl Fn(&str) -> bool) -> u64 {
        let named = self.namespaces.iter().filter(|(name, _)| is_meant(name));
        let meant: BTreeSet<u32> = named.map(|(_, id)| *id).collect();
        let is_meant = |side: Option<u32>| side.is_some_and(|side| meant.contains(&side));
        let first = boundary.0 >> self.shift;
        let later = self.counts.iter().filter(|((stretch, _), _)| *stretch >= first);
        later.filter(|((_, (one, other)), _)| is_meant(*one) || is_meant(*other)).map(|(_, count)| count).sum()
    }

    fn side(&mut self, party: &Party) -> Option<u32> {
        let Party::Workload(workload) = party else { return None };
        Some(self.namespace(&workload.namespace))
    }

    /// The number by which a namespace is counted here.
    pub(super) fn namespace(&mut self, namespace: &str) -> u32 {
        if let Some(&known) = self.namespaces.get(namespace) {
            return known;
        }
        let id = u32::try_from(self.namespaces.len()).unwrap_or(u32::MAX);
        self.namespaces.insert(namespace.to_owned(), id);
        id
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use proptest::prelude::*;

    use super::*;
    use crate::model::{Protocol, WorkloadKind, WorkloadName};

    fn edge(namespace: &str) -> Edge {
        let kind = WorkloadKind("Deployment".into());
        let workload = WorkloadName { namespace: namespace.into(), name: "web".into(), kind };
        let outside = Party::Outside([203, 0, 113, 1].into());
        Edge { originator: outside, responder: Party::Workload(workload.into()), protocol: Protocol::Tcp, port: NonZeroU16::MIN }
    }

    fn count(begins: &[(i64, bool)]) -> StartHistogram {
        let mut arrivals = StartHistogram::default();
        for &(at, is_in_a) in begins {
            arrivals.add(&edge(if is_in_a { "a" } else { "b" }), Timestamp(at));
        }
        arrivals
    }

    #[test]
    fn few_near_one_another_are_counted_to_the_nanosecond() {
        let arrivals = count(&[(0, true), (1000, true), (1001, false), (1023, true)]);
        let rows = [(0, 4), (1, 3), (1000, 3), (1001, 2), (1002, 1), (1024, 0)];
        for (boundary, expected) in rows {
            assert_eq!(arrivals.boundary(Timestamp(boundary)), Timestamp(boundary), "{boundary} is a boundary");
            assert_eq!(arrivals.since(Timestamp(boundary), |_| true), expected, "since {boundary}");
        }
        assert_eq!(arrivals.since(Timestamp(0), |namespace| namespace == "b"), 1);
    }

    #[test]
    fn what_is_taken_back_is_not_counted() {
        let mut arrivals = count(&[(5, true), (9, true), (9, true)]);
        arrivals.remove(&edge("a"), Timestamp(9), 1);
        assert_eq!(arrivals.since(Timestamp(0), |_| true), 2);
        assert_eq!(arrivals.since(Timestamp(6), |_| true), 1);
    }

    proptest! {
        #[test]
        fn every_boundary_splits_exactly_in_any_order(
            (begins, shuffled) in proptest::collection::vec((-1_000_000_000_000i64..1_000_000_000_000, any::<bool>()), 1..60)
                .prop_flat_map(|begins| (Just(begins.clone()), Just(begins).prop_shuffle())),
            at in -1_000_000_000_000i64..1_000_000_000_000,
        ) {
            let arrivals = count(&begins);
            prop_assert!(arrivals.counts.len() <= 2 * 1024);
            let boundary = arrivals.boundary(Timestamp(at));
            prop_assert!(boundary <= Timestamp(at));
            let expected = begins.iter().filter(|(begin, _)| *begin >= boundary.0).count() as u64;
            prop_assert_eq!(arrivals.since(boundary, |_| true), expected);
            let other = count(&shuffled);
            prop_assert_eq!(other.boundary(Timestamp(at)), boundary);
            prop_assert_eq!(other.since(boundary, |_| true), expected);
            prop_assert_eq!(other.since(boundary, |name| name == "a"), arrivals.since(boundary, |name| name == "a"));
        }
    }
}
