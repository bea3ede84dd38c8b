//! What was seen and is no conversation of ports: echo, multicast, tunnels, other protocols.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::model::Span;

/// One kind of such traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PortlessTraffic {
    /// An ICMP echo request.
    Echo,
    /// A datagram to a multicast or broadcast address, with its port.
    Multicast(u16),
    /// A tunnel whose inside cannot be read, by name.
    OpaqueTunnel(&'static str),
    /// Another IP protocol, by number.
    Protocol(u8),
    /// A TCP, UDP or SCTP packet with port 0, which nothing real sends.
    PortZero,
}

/// PortlessTrafficTable by kind, source and destination, each once however often it was seen; bounded in number.
#[derive(Clone, Debug, Default)]
pub struct PortlessTrafficTable {
    seen: BTreeMap<(PortlessTraffic, IpAddr, IpAddr), Span>,
    left_out: u64,
}

impl PortlessTrafficTable {
    /// Different ones that are kept.
    pub(super) const CAPACITY: usize = 100_000;

    /// Remembers one, and tells whether it is the first of its kind.
    pub fn add(&mut self, sighting: PortlessTraffic, source: IpAddr, destination: IpAddr, span: Span) -> bool {
        if self.merge(sighting, source, destination, span) {
            false
        } else if self.seen.len() < Self::CAPACITY {
            self.seen.insert((sighting, source, destination), span);
            true
        } else {
            self.left_out += 1;
            false
        }
    }

    /// Adds to one that is known, and tells whether it is.
    pub(super) fn merge(&mut self, sighting: PortlessTraffic, source: IpAddr, destination: IpAddr, span: Span) -> bool {
        let seen = self.seen.get_mut(&(sighting, source, destination));
        seen.map(|seen| *seen = seen.merge(span)).is_some()
    }

    /// Counts one for which there was no room elsewhere.
    pub(super) const fn leave_out(&mut self) {
        self.left_out += 1;
    }

    /// All of them in order.
    pub fn iter(&self) -> impl Iterator<Item = (PortlessTraffic, IpAddr, IpAddr, Span)> + '_ {
        self.seen.iter().map(|(&(sighting, source, destination), &span)| (sighting, source, destination, span))
    }

    /// Packets left out because there were too many different ones.
    pub const fn left_out(&self) -> u64 {
        self.left_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    #[test]
    fn they_are_bounded_and_what_is_left_out_is_counted() {
        let mut sightings = PortlessTrafficTable::default();
        let mut add = |number: u32, at: i64| {
            let (source, destination) = (IpAddr::from(number.to_be_bytes()), IpAddr::from([10, 0, 0, 1]));
            sightings.add(PortlessTraffic::Echo, source, destination, Span::at(Timestamp(at)))
        };
        let new = (0..150_000).filter(|number| add(*number, 1)).count();
        assert_eq!(new, PortlessTrafficTable::CAPACITY);
        assert!(!add(0, 9), "known");
        assert_eq!((sightings.iter().count(), sightings.left_out()), (PortlessTrafficTable::CAPACITY, 50_000));
        assert!(sightings.iter().any(|(.., span)| span.last() == Timestamp(9)), "one that is known goes on");
    }
}
