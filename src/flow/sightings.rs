//! What was seen and is no conversation of ports: echo, multicast, tunnels, other protocols.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::model::Span;

/// One kind of such traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sighting {
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

/// Sightings by kind, source and destination, each once however often it was seen; bounded in number.
#[derive(Clone, Debug, Default)]
pub struct Sightings {
    seen: BTreeMap<(Sighting, IpAddr, IpAddr), Span>,
    left_out: u64,
}

impl Sightings {
    const CAPACITY: usize = 100_000;

    /// Remembers one, and tells whether it is the first of its kind.
    pub fn add(&mut self, sighting: Sighting, source: IpAddr, destination: IpAddr, span: Span) -> bool {
        let key = (sighting, source, destination);
        if let Some(seen) = self.seen.get_mut(&key) {
            *seen = seen.merge(span);
            false
        } else if self.seen.len() < Self::CAPACITY {
            self.seen.insert(key, span);
            true
        } else {
            self.left_out += 1;
            false
        }
    }

    /// All of them in order.
    pub fn iter(&self) -> impl Iterator<Item = (Sighting, IpAddr, IpAddr, Span)> + '_ {
        self.seen.iter().map(|(&(sighting, source, destination), &span)| (sighting, source, destination, span))
    }

    /// Packets left out because there were too many different ones.
    pub const fn left_out(&self) -> u64 {
        self.left_out
    }
}
