//! What a packet says to the table, short enough that thousands of packets can wait.

use std::net::IpAddr;

use crate::decode::{Chunk, Packet, TcpFlags, Transport};
use crate::model::{Endpoint, Protocol, Timestamp};

use super::conversation::Fact;
use super::key::{End, FlowKey, Narrow, Packed, Seeds, Wide};

/// One frame's part in a [`Batch`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) at: Timestamp,
    pub(super) hash: u32,
    pub(super) what: What,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    /// A fact of a conversation between two IPv4 endpoints.
    Narrow(Narrow, End, Fact),
    /// A fact of any other conversation.
    Wide(Wide, End, Fact),
    /// Something else, for which the whole packet is needed.
    Whole,
    /// Nothing but that it was there.
    Silent,
    /// A frame without a packet: not even its time counts.
    NoPacket,
}

impl Step {
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "where the packet is made just before, it never is put together in memory")]
    pub(super) fn of(packet: &Packet, seeds: &Seeds) -> Self {
        let whole = Self { at: packet.at, hash: 0, what: What::Whole };
        let silent = Self { what: What::Silent, ..whole };
        let (protocol, source_port, destination_port, fact) = match &packet.transport {
            Transport::Tcp { source_port, destination_port, flags, sequence, acknowledgment, payload_length, dns: None } => {
                match tcp_fact(*flags, *sequence, *acknowledgment, *payload_length) {
                    Some(fact) => (Protocol::Tcp, *source_port, *destination_port, fact),
                    None => return silent,
                }
            }
            Transport::Udp { source_port, destination_port, dns: None } if !is_for_many(packet.destination) => {
                (Protocol::Udp, *source_port, *destination_port, Fact::Datagram)
            }
            Transport::Sctp { source_port, destination_port, verification_tag, chunk } => {
                let fact = match *chunk {
                    Chunk::Init { tag } => Fact::Opens(tag),
                    Chunk::InitAck { .. } => Fact::Accepts(*verification_tag),
                    Chunk::Abort => Fact::Resets,
                    Chunk::Other => Fact::Carries(true),
                };
                (Protocol::Sctp, *source_port, *destination_port, fact)
            }
            Transport::EchoReply | Transport::IcmpControl | Transport::LaterFragment => return silent,
            _ => return whole,
        };
        if is_port_zero(protocol, source_port, destination_port) {
            return whole;
        }
        if let (IpAddr::V4(source), IpAddr::V4(destination)) = (packet.source, packet.destination) {
            let (key, end) = Narrow::of((source, source_port), (destination, destination_port), protocol);
            return Self { at: packet.at, hash: key.hash(seeds), what: What::Narrow(key, end, fact) };
        }
        let sender = Endpoint { address: packet.source, port: source_port };
        let receiver = Endpoint { address: packet.destination, port: destination_port };
        let (key, end) = FlowKey::of(sender, receiver, protocol);
        Self::wide(packet.at, &key, end, fact, seeds)
    }

    pub(super) fn wide(at: Timestamp, key: &FlowKey, end: End, fact: Fact, seeds: &Seeds) -> Self {
        match key.narrow() {
            Ok(key) => Self { at, hash: key.hash(seeds), what: What::Narrow(key, end, fact) },
            Err(key) => Self { at, hash: key.hash(seeds), what: What::Wide(key, end, fact) },
        }
    }
}

/// Packets on their way to a table, in their order. It is made by the [table](super::FlowTable::batch) that is to take it, perhaps
/// filled in another thread, and can be filled again when it has been taken.
#[derive(Clone, Debug)]
pub struct Batch {
    pub(super) seeds: Seeds,
    pub(super) steps: Vec<Step>,
    /// Those of [`What::Whole`], in their order.
    pub(super) packets: Vec<Packet>,
    /// How many steps, and how many of the packets, have been taken.
    pub(super) taken: (usize, usize),
}

impl Batch {
    pub(super) const fn new(seeds: Seeds) -> Self {
        Self { seeds, steps: Vec::new(), packets: Vec::new(), taken: (0, 0) }
    }

    /// Adds a frame's packet.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "where the packet is made just before, it never is put together in memory")]
    pub fn push(&mut self, packet: Packet) {
        let step = Step::of(&packet, &self.seeds);
        self.steps.push(step);
        if let What::Whole = step.what {
            self.packets.push(packet);
        }
    }

    /// Adds a frame at that time, of which there is no packet.
    #[inline]
    pub fn push_nothing(&mut self, at: Timestamp) {
        self.steps.push(Step { at, hash: 0, what: What::NoPacket });
    }

    /// How many frames there are that have not been taken.
    pub const fn len(&self) -> usize {
        self.steps.len() - self.taken.0
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        self.steps.clear();
        self.packets.clear();
        self.taken = (0, 0);
    }
}

/// Whether one of the ports is 0, which nothing real uses; a UDP datagram may leave out whence it came (RFC 768).
#[inline]
pub(super) fn is_port_zero(protocol: Protocol, source_port: u16, destination_port: u16) -> bool {
    source_port == 0 && protocol != Protocol::Udp || destination_port == 0
}

/// What a TCP segment says. Bits are tested one by one: an opening with ECN (RFC 3168) carries ECE and CWR beside SYN.
#[inline]
pub(super) fn tcp_fact(flags: TcpFlags, sequence: u32, acknowledgment: u32, payload_length: u32) -> Option<Fact> {
    match flags {
        TcpFlags { rst: true, ack: true, .. } if sequence == 0 => Some(Fact::Rejects(acknowledgment.wrapping_sub(1))),
        TcpFlags { rst: true, .. } => Some(Fact::Resets),
        TcpFlags { syn: true, fin: true, .. } => None,
        TcpFlags { syn: true, ack: true, .. } => Some(Fact::Accepts(acknowledgment.wrapping_sub(1))),
        TcpFlags { syn: true, .. } => Some(Fact::Opens(sequence)),
        TcpFlags { ack: true, fin: true, .. } => Some(Fact::Finishes),
        TcpFlags { ack: true, .. } => Some(Fact::Carries(payload_length > 0)),
        // Neither SYN, RST nor ACK: no TCP stack sends it (null and Xmas scans do).
        TcpFlags { .. } => None,
    }
}

/// Whether a datagram goes to a group rather than to one address.
#[inline]
pub(super) fn is_for_many(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_multicast() || address.is_broadcast(),
        IpAddr::V6(address) => address.is_multicast(),
    }
}
