//! Frames in, packets out: header facts, DNS answers, and nothing else.
//!
//! In: frames of any link type, hostile or cut short. Out: one [`Packet`] for each frame that carries a datagram, from its
//! innermost IP header that can be read; everything left out is counted by reason in a [`Tally`]. A frame of which the headers
//! were captured gives the same packet as the whole frame would (but for DNS), and one cut before that gives none: never a wrong
//! one. A tunnel is opened if [`Decapsulation`] says so; otherwise the packet is the outer one. Nothing here panics, allocates for a frame that carries no DNS, or looks at more of a frame than its headers.

mod bytes;
mod decoder;
mod dns;
mod frame;
mod guard;
mod icmp;
mod ip;
mod link;
mod packet;
mod quick;
mod stations;
mod tally;
mod transport;
mod tunnel;

pub use decoder::{DecodeOptions, Decoder};
pub use frame::{Frame, LinkType};
pub use guard::{Decapsulation, OtherOverlay, Tunnel, TunnelGuard, TunnelKind};
pub use packet::{Chunk, DnsMessage, IcmpError, Packet, TcpFlags, Transport};
pub use quick::{Between, Segment, Usual};
pub(crate) use stations::LinkHeader;
pub use stations::{Station, Stations};
pub use tally::Tally;
pub use tunnel::{GENEVE_PORT, opaque_tunnel};
