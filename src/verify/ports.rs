//! Sets of ports of all three protocols, as intervals.

use std::fmt;

use crate::model::Protocol;

/// A set of (protocol, port). Kept as disjoint intervals in order that do not touch, so equal sets are equal values.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortSet {
    intervals: [Vec<(u16, u16)>; Protocol::ALL.len()],
}

const fn slot(protocol: Protocol) -> usize {
    match protocol {
        Protocol::Tcp => 0,
        Protocol::Udp => 1,
        Protocol::Sctp => 2,
    }
}

impl PortSet {
    /// No port.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Every port of every protocol: what a rule without `ports` allows. Such a rule also lets through protocols that have no
    /// ports.
    #[must_use]
    pub fn every() -> Self {
        Self { intervals: std::array::from_fn(|_| vec![(0, u16::MAX)]) }
    }

    /// One port.
    #[must_use]
    pub fn one(protocol: Protocol, port: u16) -> Self {
        Self::range(protocol, port, port)
    }

    /// The ports from `first` to `last`; none if `last` is the lesser.
    #[must_use]
    pub fn range(protocol: Protocol, first: u16, last: u16) -> Self {
        let mut ports = Self::none();
        ports.insert(protocol, first, last);
        ports
    }

    /// Adds the ports from `first` to `last`.
    pub fn insert(&mut self, protocol: Protocol, first: u16, last: u16) {
        if first > last {
            return;
        }
        let intervals = &mut self.intervals[slot(protocol)];
        // All intervals that overlap or touch the new one become one with it.
        let begin = intervals.partition_point(|&(_, end)| u32::from(end) + 1 < u32::from(first));
        let end = intervals.partition_point(|&(start, _)| u32::from(start) <= u32::from(last) + 1);
        let merged =
            intervals[begin..end].iter().fold((first, last), |(low, high), &(start, stop)| (low.min(start), high.max(stop)));
        intervals.splice(begin..end, [merged]);
    }

    /// Whether it holds no port.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.intervals.iter().all(Vec::is_empty)
    }

    /// Whether it holds every port of every protocol.
    #[must_use]
    pub fn is_every(&self) -> bool {
        self.intervals.iter().all(|intervals| intervals.as_slice() == [(0, u16::MAX)])
    }

    /// Whether it holds this port.
    #[must_use]
    pub fn contains(&self, protocol: Protocol, port: u16) -> bool {
        let intervals = &self.intervals[slot(protocol)];
        let next = intervals.partition_point(|&(_, end)| end < port);
        intervals.get(next).is_some_and(|&(start, _)| start <= port)
    }

    /// Whether it holds all of `other`.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        other.minus(self).is_empty()
    }

    /// The intervals in order: protocol, first port, last port.
    pub fn intervals(&self) -> impl Iterator<Item = (Protocol, u16, u16)> {
        Protocol::ALL
            .into_iter()
            .flat_map(|protocol| self.intervals[slot(protocol)].iter().map(move |&(first, last)| (protocol, first, last)))
    }

    /// How many ports there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.intervals().map(|(_, first, last)| u64::from(last) - u64::from(first) + 1).sum()
    }

    /// Adds all ports of `other`.
    pub fn add(&mut self, other: &Self) {
        for (protocol, first, last) in other.intervals() {
            self.insert(protocol, first, last);
        }
    }

    /// The ports that are in both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mut both = Self::none();
        for protocol in Protocol::ALL {
            let (mine, theirs) = (&self.intervals[slot(protocol)], &other.intervals[slot(protocol)]);
            let (mut left, mut right) = (0, 0);
            while let (Some(&(start, end)), Some(&(from, to))) = (mine.get(left), theirs.get(right)) {
                both.insert(protocol, start.max(from), end.min(to));
                if end < to {
                    left += 1;
                } else {
                    right += 1;
                }
            }
        }
        both
    }

    /// The ports that are not in `other`.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        let mut rest = Self::none();
        for protocol in Protocol::ALL {
            let holes = &other.intervals[slot(protocol)];
            for &(first, last) in &self.intervals[slot(protocol)] {
                // Wider than a port, so that the position after 65535 exists.
                let mut position = u32::from(first);
                for &(hole_first, hole_last) in holes.iter().skip(holes.partition_point(|&(_, end)| end < first)) {
                    if hole_first > last {
                        break;
                    }
                    rest.insert_wide(protocol, position, i64::from(hole_first) - 1);
                    position = position.max(u32::from(hole_last) + 1);
                }
                rest.insert_wide(protocol, position, i64::from(last));
            }
        }
        rest
    }

    /// As [`Self::insert`], from positions one beyond the ends of the ports; those add nothing.
    fn insert_wide(&mut self, protocol: Protocol, first: u32, last: i64) {
        if let (Ok(first), Ok(last)) = (u16::try_from(first), u16::try_from(last)) {
            self.insert(protocol, first, last);
        }
    }
}

impl FromIterator<(Protocol, u16)> for PortSet {
    fn from_iter<I: IntoIterator<Item = (Protocol, u16)>>(ports: I) -> Self {
        let mut set = Self::none();
        for (protocol, port) in ports {
            set.insert(protocol, port, port);
        }
        set
    }
}

/// `TCP 80,443 UDP 53`, `TCP 8000-8999`, `TCP any port`, `every port`, `no port`.
impl fmt::Display for PortSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_every() {
            return formatter.write_str("every port");
        }
        if self.is_empty() {
            return formatter.write_str("no port");
        }
        let mut before = None;
        for (protocol, first, last) in self.intervals() {
            if before == Some(protocol) {
                formatter.write_str(",")?;
            } else {
                let space = if before.is_some() { " " } else { "" };
                write!(formatter, "{space}{protocol} ")?;
            }
            before = Some(protocol);
            match (first, last) {
                (0, u16::MAX) => formatter.write_str("any port")?,
                _ if first == last => write!(formatter, "{first}")?,
                _ => write!(formatter, "{first}-{last}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sets_are_written_shortly() {
        let mut set = PortSet::from_iter([(Protocol::Udp, 53), (Protocol::Tcp, 443), (Protocol::Tcp, 80)]);
        let rows = [
            (PortSet::none(), "no port", "nothing"),
            (PortSet::every(), "every port", "all protocols"),
            (PortSet::range(Protocol::Sctp, 0, u16::MAX), "SCTP any port", "one protocol"),
            (set.clone(), "TCP 80,443 UDP 53", "several"),
        ];
        for (ports, text, message) in rows {
            assert_eq!(ports.to_string(), text, "{message}");
        }
        set.insert(Protocol::Tcp, 81, 442);
        assert_eq!(set.to_string(), "TCP 80-443 UDP 53", "touching intervals become one");
    }

    fn few_ranges() -> impl Strategy<Value = Vec<(u16, u16)>> {
        // Around both ends of the ports, where positions can overflow.
        let port = prop_oneof![0u16..12, 65524u16..=65535];
        proptest::collection::vec((port.clone(), port), 0..5)
    }

    fn set(ranges: &[(u16, u16)]) -> PortSet {
        let mut set = PortSet::none();
        for &(first, last) in ranges {
            set.insert(Protocol::Tcp, first, last);
        }
        set
    }

    proptest! {
        #[test]
        fn sets_behave_as_sets(left in few_ranges(), right in few_ranges()) {
            let holds = |ranges: &[(u16, u16)], port: u16| ranges.iter().any(|&(first, last)| (first..=last).contains(&port));
            let (one, other) = (set(&left), set(&right));
            let mut union = one.clone();
            union.add(&other);
            for port in (0..14).chain(30000..30002).chain(65522..=65535) {
                let (in_left, in_right) = (holds(&left, port), holds(&right, port));
                prop_assert_eq!(one.contains(Protocol::Tcp, port), in_left, "insert {}", port);
                prop_assert_eq!(union.contains(Protocol::Tcp, port), in_left || in_right, "add {}", port);
                prop_assert_eq!(one.and(&other).contains(Protocol::Tcp, port), in_left && in_right, "and {}", port);
                prop_assert_eq!(one.minus(&other).contains(Protocol::Tcp, port), in_left && !in_right, "minus {}", port);
            }
            prop_assert_eq!(one.and(&other).len() + one.minus(&other).len(), one.len(), "nothing is lost or doubled");
            prop_assert!(union.covers(&one) && union.covers(&other));
        }
    }
}
