//! What is taken in of a record that came out of tunnels: whoever wrote it knew of no cluster, and whoever reads it does.

use std::borrow::Cow;
use std::net::IpAddr;

use super::record::{Conversation, Kind, Name, PortlessTrafficRecord, Record};
use crate::decode::{Decapsulation, DecodeOptions, GENEVE_PORT, Tunnel, TunnelGuard};
use crate::model::{Protocol, Timestamp};

/// IP protocol numbers of tunnels: IPv4, IPv6, GRE.
const TUNNEL_PROTOCOLS: [u8; 3] = [4, 41, 47];

impl Record {
    /// What there would be of its packets if they were decoded with these options; nothing if they would not be seen, because they
    /// are in a tunnel that is not opened, or are the outside of one that is.
    #[must_use]
    pub fn admitted(&self, options: &DecodeOptions) -> Option<Cow<'_, Self>> {
        let is_inside = !self.tunnels().is_empty();
        let is_seen = match &options.decapsulation {
            Decapsulation::Apart => return Some(Cow::Borrowed(self)),
            Decapsulation::All => true,
            Decapsulation::Never => !is_inside,
            Decapsulation::Guarded(guard) if is_inside => self.is_admitted(guard.as_ref()),
            Decapsulation::Guarded(guard) => !self.is_outside_of_tunnel(guard.as_ref(), options),
        };
        let seen = || if is_inside { Cow::Owned(self.opened()) } else { Cow::Borrowed(self) };
        is_seen.then(seen)
    }

    fn tunnels(&self) -> &[Tunnel] {
        match self {
            Self::Conversation(conversation) => &conversation.tunnels,
            Self::Name(name) => &name.tunnels,
            Self::PortlessTraffic(sighting) => &sighting.tunnels,
            _ => &[],
        }
    }

    /// The same out of its tunnels.
    fn opened(&self) -> Self {
        let mut opened = self.clone();
        match &mut opened {
            Self::Conversation(Conversation { tunnels, .. })
            | Self::Name(Name { tunnels, .. })
            | Self::PortlessTraffic(PortlessTrafficRecord { tunnels, .. }) => tunnels.clear(),
            _ => {}
        }
        opened
    }

    /// When it was, and between whom: from the first to the second, as its tunnels go. The sender of a DNS answer is not told.
    fn ends(&self) -> Option<(Timestamp, Option<IpAddr>, IpAddr)> {
        match self {
            Self::Conversation(Conversation { first, ends: [one, other], .. }) => {
                Some((*first, Some(one.address), other.address))
            }
            Self::PortlessTraffic(PortlessTrafficRecord { first, source, destination, .. }) => {
                Some((*first, Some(*source), *destination))
            }
            Self::Name(Name { at, asker, .. }) => Some((*at, None, *asker)),
            _ => None,
        }
    }

    fn is_admitted(&self, guard: &dyn TunnelGuard) -> bool {
        let Some((at, source, destination)) = self.ends() else { return false };
        let tunnels = self.tunnels();
        tunnels.iter().enumerate().all(|(nesting, tunnel)| {
            let next = tunnels.get(nesting + 1).map(|next| (next.source, next.destination));
            // A sender that is not told may be anywhere: its own place is where the tunnel begins.
            let innermost = || (source.unwrap_or(tunnel.source), destination);
            guard.admits(at, tunnel, Some(next.unwrap_or_else(innermost)), nesting)
        })
    }

    /// Whether it is what the two ends of the cluster's own tunnels exchanged.
    fn is_outside_of_tunnel(&self, guard: &dyn TunnelGuard, options: &DecodeOptions) -> bool {
        let is_tunnel = match self {
            Self::Conversation(Conversation { protocol: Protocol::Udp, ends, .. }) => {
                let is_tunnel = |port: u16| port == GENEVE_PORT || options.vxlan_ports.contains(&port);
                ends.iter().any(|end| is_tunnel(end.port))
            }
            Self::PortlessTraffic(PortlessTrafficRecord { kind: Kind::Protocol(number), .. }) => {
                TUNNEL_PROTOCOLS.contains(number)
            }
            _ => false,
        };
        let between_ends = |(at, source, destination): (Timestamp, Option<IpAddr>, IpAddr)| {
            guard.is_end(at, destination) && source.is_some_and(|source| guard.is_end(at, source))
        };
        is_tunnel && self.ends().is_some_and(between_ends)
    }
}
