//! What a packet says to the table, short enough that thousands of packets can wait.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::decode::{Between, Chunk, Decoder, Frame, Packet, Segment, Stations, TcpFlags, Transport, Tunnel, Usual};
use crate::model::{Endpoint, Protocol, Timestamp};

use super::contexts::Contexts;
use super::fact::Fact;
use super::key::{End, FlowKey, Narrow, Packed, Seeds, Wide};
use super::origins::Origins;

const _: () = assert!(size_of::<Event<u32>>() == 48, "thousands of them wait in a processor's own cache");

/// One frame's part in a [`Batch`], with the long keys in it or beside it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event<L> {
    pub(super) at: Timestamp,
    pub(super) hash: u32,
    /// The input that it comes from, and the number of its origin: [`Batch::origin`].
    pub(super) origin: u32,
    pub(super) what: What<L>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum What<L> {
    /// A fact of a conversation between two IPv4 endpoints.
    Narrow(Narrow, End, Fact),
    /// A fact of any other conversation.
    Wide(L, End, Fact),
    /// Something else, for which the whole packet is needed.
    Whole,
    /// Nothing but that it was there.
    Silent,
    /// A frame without a packet: not even its time counts.
    NoPacket,
}

impl Event<Wide> {
    pub(super) fn of(packet: &Packet, seeds: &Seeds) -> Self {
        let whole = Self { at: packet.at, hash: 0, origin: 0, what: What::Whole };
        let silent = Self { what: What::Silent, ..whole };
        let (protocol, source_port, destination_port, fact) = match &packet.transport {
            Transport::Tcp { source_port, destination_port, flags, sequence, acknowledgment, payload_length, dns: None } => {
                match tcp_fact(*flags, *sequence, *acknowledgment, *payload_length) {
                    Some(fact) => (Protocol::Tcp, *source_port, *destination_port, fact),
                    None => return silent,
                }
            }
            Transport::Udp { source_port, destination_port, dns: None } if !is_for_many(packet.destination) => {
                (Protocol::Udp, *source_port, *destination_port, Fact::DATAGRAM)
            }
            Transport::Sctp { source_port, destination_port, verification_tag, chunk } => {
                // Each end puts the other's tag on all it sends: that is its acknowledgment.
                let fact = match *chunk {
                    Chunk::Init { tag } => Fact::Opens(tag),
                    Chunk::InitAck { tag } => Fact::Accepts(*verification_tag, tag),
                    Chunk::Abort | Chunk::ShutdownComplete => Fact::RESETS,
                    Chunk::Error => return silent,
                    Chunk::CookieEcho => Fact::carries(0, *verification_tag),
                    Chunk::Other => Fact::carries(1, *verification_tag),
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
            return Self { at: packet.at, hash: key.hash(seeds), origin: 0, what: What::Narrow(key, end, fact) };
        }
        let sender = Endpoint { address: packet.source, port: source_port };
        let receiver = Endpoint { address: packet.destination, port: destination_port };
        let (key, end) = FlowKey::of(sender, receiver, protocol);
        Self::wide(packet.at, &key, end, fact, seeds)
    }

    /// Of any conversation.
    pub(super) fn wide(at: Timestamp, key: &FlowKey, end: End, fact: Fact, seeds: &Seeds) -> Self {
        match key.narrow() {
            Ok(key) => Self { at, hash: key.hash(seeds), origin: 0, what: What::Narrow(key, end, fact) },
            Err(key) => Self { at, hash: key.hash(seeds), origin: 0, what: What::Wide(key, end, fact) },
        }
    }

    /// The same of an input, with the long key put among others.
    fn beside(self, origin: u32, wide: &mut Vec<Wide>) -> Event<u32> {
        let what = match self.what {
            What::Narrow(key, end, fact) => What::Narrow(key, end, fact),
            What::Wide(key, end, fact) => {
                wide.push(key);
                What::Wide(number(wide.len() - 1), end, fact)
            }
            What::Whole => What::Whole,
            What::Silent => What::Silent,
            What::NoPacket => What::NoPacket,
        };
        Event { at: self.at, hash: self.hash, origin, what }
    }
}

/// The input and the number in an origin.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the halves of a number")]
pub(super) const fn parts(origin: u32) -> (u32, u16) {
    (origin >> 16, origin as u16)
}

/// The protocol and the fact of a usual packet; no fact where nothing follows from it.
#[inline(always)]
#[expect(clippy::inline_always, reason = "what it gets and returns is used at once and never put together in memory")]
fn usual_fact(segment: Option<Segment>) -> (Protocol, Option<Fact>) {
    match segment {
        // Neither SYN, RST nor FIN.
        Some(Segment { flags, acknowledgment, payload_length, .. }) if flags & 0x17 == 0x10 => {
            (Protocol::Tcp, Some(Fact::carries(payload_length, acknowledgment)))
        }
        Some(Segment { flags, sequence, acknowledgment, payload_length }) => {
            (Protocol::Tcp, tcp_fact(TcpFlags::from_bits(flags), sequence, acknowledgment, payload_length))
        }
        None => (Protocol::Udp, Some(Fact::DATAGRAM)),
    }
}

/// A batch has less than 2^32 packets.
fn number(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

/// Packets on their way to a table, in their order. It is made by the [table](super::FlowTable::batch) that is to take it, perhaps
/// filled in another thread, and can be filled again when it has been taken.
#[derive(Clone, Debug)]
pub struct Batch {
    pub(super) seeds: Seeds,
    contexts: Contexts,
    /// The input of the frames that are added.
    input: u32,
    /// The same in the higher half, and in the lower the number of the frame's stations among the batch's own.
    origin: u32,
    pub(super) origins: Origins,
    /// The table's numbers of these.
    pub(super) numbers: Vec<u16>,
    pub(super) steps: Vec<Event<u32>>,
    /// The keys of [`What::Wide`].
    pub(super) wide: Vec<Wide>,
    /// Those of [`What::Whole`], in their order, with the context of their tunnels as they travel.
    pub(super) packets: Vec<(Packet, u16)>,
    /// How many steps, and how many of the packets, have been taken.
    pub(super) taken: (usize, usize),
}

impl Batch {
    pub(super) fn new(seeds: Seeds, contexts: Contexts) -> Self {
        Self {
            seeds,
            contexts,
            input: 0,
            origin: 0,
            origins: Origins::default(),
            numbers: Vec::new(),
            steps: Vec::new(),
            wide: Vec::new(),
            packets: Vec::new(),
            taken: (0, 0),
        }
    }

    /// Says from which input the frames come that are added from now on: any number, the same for all of one input.
    pub const fn set_input(&mut self, input: u32) {
        self.input = input;
        self.origin = Self::origin(input, 0);
    }

    /// An input, of which a few bits are enough to tell it from others, and a number of stations.
    pub(super) const fn origin(input: u32, number: u16) -> u32 {
        input << 16 | number as u32
    }

    /// Says between which stations the frame went that is added next.
    #[inline]
    fn set_stations(&mut self, frame: &Frame<'_>) {
        self.origin = Self::origin(self.input, self.origins.of(frame, self.input));
    }

    /// Adds a frame, by the shortest way there is for it.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it is done for every frame, and what is decoded is never put together in memory")]
    pub fn take(&mut self, frame: &Frame<'_>, decoder: &mut Decoder) {
        self.set_stations(frame);
        if let Some(between) = decoder.decode_plain(frame) {
            return self.push_plain(frame.at, &between);
        }
        let opened = decoder.tally().decapsulated;
        let usual = decoder.decode_usual(frame);
        let packet = if usual.is_none() { decoder.decode_any(frame) } else { None };
        let of_frame = self.origin;
        if decoder.tally().decapsulated > opened {
            // Nodes carry what others sent.
            let (input, number) = parts(self.origin);
            let stations = self.origins.stations(number);
            let number = stations.map_or(0, |stations| self.origins.number(Stations { is_inside: true, ..stations }));
            self.origin = Self::origin(input, number);
        }
        if let Some(usual) = usual {
            match decoder.opened() {
                Some((tunnels, outer)) => self.push_opened(Some(usual.packet(frame.at)), tunnels, outer, of_frame),
                None => self.push_usual(frame.at, &usual),
            }
        } else {
            match (packet, decoder.opened()) {
                (packet, Some((tunnels, outer))) => self.push_opened(packet, tunnels, outer, of_frame),
                (Some(packet), None) => self.push(packet),
                (None, None) => self.push_nothing(frame.at),
            }
        }
    }

    /// Adds the outermost datagram of a frame, which its stations sent, and what it carries, kept apart.
    #[cold]
    fn push_opened(&mut self, inside: Option<Packet>, tunnels: &[Tunnel], outer: &Packet, of_frame: u32) {
        let origin = std::mem::replace(&mut self.origin, of_frame);
        self.push(outer.clone());
        self.origin = origin;
        if let Some(packet) = inside.filter(|_| !tunnels.is_empty()) {
            let context = self.contexts.number(tunnels);
            let end_context = |end| if end == End::Low { context } else { self.contexts.reversed(context) };
            let step = Event::of(&packet, &self.seeds);
            let what = match step.what {
                What::Narrow(key, end, fact) => What::Narrow(key.within(end_context(end)), end, fact),
                What::Wide(key, end, fact) => What::Wide(key.within(end_context(end)), end, fact),
                other => other,
            };
            self.add(Event { what, ..step }, || (packet, context));
        }
    }

    /// Adds a usual frame's packet.
    fn push_usual(&mut self, at: Timestamp, usual: &Usual) {
        match usual {
            Usual::V4(between) => self.push_plain(at, between),
            Usual::V6(between) => self.push_v6(at, between),
        }
    }

    /// The same for what nearly all frames hold.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "what it gets is made just before and never put together in memory")]
    fn push_plain(&mut self, at: Timestamp, between: &Between<Ipv4Addr>) {
        let &Between { source, destination, segment } = between;
        let (protocol, Some(fact)) = usual_fact(segment) else { return self.push_silent(at) };
        let is_for_many = protocol == Protocol::Udp && (destination.0.is_multicast() || destination.0.is_broadcast());
        if is_for_many || is_port_zero(protocol, source.1, destination.1) {
            return self.push(between.packet(at));
        }
        let (key, end) = Narrow::of(source, destination, protocol);
        self.steps.push(Event { at, hash: key.hash(&self.seeds), origin: self.origin, what: What::Narrow(key, end, fact) });
    }

    fn push_v6(&mut self, at: Timestamp, between: &Between<Ipv6Addr>) {
        let &Between { source, destination, segment } = between;
        let (protocol, Some(fact)) = usual_fact(segment) else { return self.push_silent(at) };
        let is_for_many = protocol == Protocol::Udp && destination.0.is_multicast();
        if is_for_many || is_port_zero(protocol, source.1, destination.1) {
            return self.push(between.packet(at));
        }
        let (key, end) = Wide::of(source, destination, protocol);
        self.wide.push(key);
        let what = What::Wide(number(self.wide.len() - 1), end, fact);
        self.steps.push(Event { at, hash: key.hash(&self.seeds), origin: self.origin, what });
    }

    fn push_silent(&mut self, at: Timestamp) {
        self.steps.push(Event { at, hash: 0, origin: self.origin, what: What::Silent });
    }

    /// Adds a frame's packet.
    pub fn push(&mut self, packet: Packet) {
        self.add(Event::of(&packet, &self.seeds), || (packet, 0));
    }

    #[inline]
    fn add(&mut self, step: Event<Wide>, packet: impl FnOnce() -> (Packet, u16)) {
        let step = step.beside(self.origin, &mut self.wide);
        self.steps.push(step);
        if let What::Whole = step.what {
            self.packets.push(packet());
        }
    }

    /// Adds a frame at that time, of which there is no packet.
    #[inline]
    fn push_nothing(&mut self, at: Timestamp) {
        self.steps.push(Event { at, hash: 0, origin: self.origin, what: What::NoPacket });
    }

    /// The time of the next frame.
    pub fn next_at(&self) -> Option<Timestamp> {
        self.steps.get(self.taken.0).map(|step| step.at)
    }

    /// How many frames there are up to the first one at that time or later, `most` at most: the next one, and those that follow.
    pub fn count_before(&self, due: Timestamp, most: usize) -> usize {
        let steps = &self.steps[self.taken.0..];
        let most = most.min(steps.len());
        // Nothing is later.
        if due == Timestamp::MAX {
            return most;
        }
        steps[..most].iter().skip(1).position(|step| step.at >= due).map_or(most, |others| others + 1)
    }

    /// Moves frames to the end of another batch of the same table: the next one, and those that follow up to the first that is not
    /// meant.
    pub fn hand_on(&mut self, other: &mut Self, is_meant: impl Fn(Timestamp) -> bool) {
        let (from, mut packet) = self.taken;
        let steps = &self.steps[from..];
        let count = steps.iter().skip(1).position(|step| !is_meant(step.at)).map_or(steps.len(), |others| others + 1);
        for &Event { at, hash, origin, what } in &steps[..count] {
            let (input, stations) = parts(origin);
            let stations = self.origins.stations(stations).map_or(0, |stations| other.origins.number(stations));
            let origin = Self::origin(input, stations);
            let what = match what {
                What::Wide(key, end, fact) => {
                    other.wide.push(self.wide[key as usize]);
                    What::Wide(number(other.wide.len() - 1), end, fact)
                }
                What::Whole => {
                    other.packets.push(std::mem::replace(&mut self.packets[packet], (Packet::NONE, 0)));
                    packet += 1;
                    What::Whole
                }
                What::Narrow(..) | What::Silent | What::NoPacket => what,
            };
            other.steps.push(Event { at, hash, origin, what });
        }
        self.taken = (from + count, packet);
        if self.is_empty() {
            self.clear();
        }
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
        self.wide.clear();
        self.packets.clear();
        self.origins.clear();
        self.numbers.clear();
        self.taken = (0, 0);
    }
}

/// Whether one of the ports is 0, which nothing real uses; a UDP datagram may leave out whence it came (RFC 768).
#[inline]
pub(super) fn is_port_zero(protocol: Protocol, source_port: u16, destination_port: u16) -> bool {
    source_port == 0 && protocol != Protocol::Udp || destination_port == 0
}

/// What a TCP segment says. Only an established connection carries segments with ACK and without SYN or RST. Bits are tested one by one: an opening with ECN (RFC 3168) carries ECE and CWR beside SYN.
#[inline]
pub(super) fn tcp_fact(flags: TcpFlags, sequence: u32, acknowledgment: u32, payload_length: u32) -> Option<Fact> {
    match flags {
        TcpFlags { rst: true, ack: true, .. } if sequence == 0 => Some(Fact::Rejects(acknowledgment.wrapping_sub(1))),
        TcpFlags { rst: true, ack: true, .. } => Some(Fact::Breaks(acknowledgment)),
        TcpFlags { rst: true, .. } => Some(Fact::RESETS),
        TcpFlags { syn: true, fin: true, .. } => None,
        TcpFlags { syn: true, ack: true, .. } => Some(Fact::Accepts(acknowledgment.wrapping_sub(1), sequence.wrapping_add(1))),
        TcpFlags { syn: true, .. } => Some(Fact::Opens(sequence)),
        TcpFlags { ack: true, fin: true, .. } => Some(Fact::finishes(acknowledgment)),
        TcpFlags { ack: true, .. } => Some(Fact::carries(payload_length, acknowledgment)),
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn between<A: std::fmt::Debug>(address: impl Strategy<Value = A> + Clone) -> impl Strategy<Value = Between<A>> {
        let port = prop_oneof![Just(0u16), 1u16..];
        let segment =
            (any::<u8>(), 0u32..2, any::<u32>(), 0u32..2).prop_map(|(flags, sequence, acknowledgment, payload_length)| Segment {
                flags,
                sequence,
                acknowledgment,
                payload_length,
            });
        let segment = proptest::option::of(segment);
        ((address.clone(), port.clone()), (address, port), segment).prop_map(|(source, destination, segment)| Between {
            source,
            destination,
            segment,
        })
    }

    fn any_usual() -> impl Strategy<Value = Usual> {
        let v4 = prop_oneof![any::<u8>().prop_map(|last| [10, 0, 0, last]), Just([224, 0, 0, 251]), Just([255; 4])];
        let v6 = prop_oneof![any::<u16>().prop_map(|last| [0xfd00, 0, 0, 0, 0, 0, 0, last]), Just([0xff02, 0, 0, 0, 0, 0, 0, 1])];
        prop_oneof![
            between(v4.prop_map(Ipv4Addr::from)).prop_map(Usual::V4),
            between(v6.prop_map(Ipv6Addr::from)).prop_map(Usual::V6),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn a_usual_packet_says_what_any_packet_would(usual in any_usual()) {
            let mut short = Batch::new(Seeds::random(), Contexts::default());
            let mut long = short.clone();
            short.push_usual(Timestamp(1), &usual);
            long.push(usual.packet(Timestamp(1)));
            prop_assert_eq!(format!("{short:?}"), format!("{long:?}"));
        }

        /// Two batches that were filled apart become one, as if its frames had been added in that order.
        #[test]
        fn frames_are_handed_on_as_they_are(
            frames in proptest::collection::vec((any_usual(), any::<bool>(), any::<bool>()), 1..40),
        ) {
            let empty = Batch::new(Seeds::random(), Contexts::default());
            let mut apart = [empty.clone(), empty.clone()];
            let (mut together, mut expected) = (empty.clone(), empty);
            let add = |batch: &mut Batch, at: Timestamp, usual: &Usual, is_nothing: bool| {
                if is_nothing { batch.push_nothing(at) } else { batch.push(usual.packet(at)) }
            };
            for ((usual, is_nothing, is_second), at) in frames.iter().zip(0..) {
                add(&mut apart[usize::from(*is_second)], Timestamp(at), usual, *is_nothing);
                add(&mut expected, Timestamp(at), usual, *is_nothing);
            }
            while let Some(next) = apart.iter().filter_map(Batch::next_at).min() {
                let (one, other) = if apart[0].next_at() == Some(next) { (0, 1) } else { (1, 0) };
                let bound = apart[other].next_at().unwrap_or(Timestamp::MAX);
                apart[one].hand_on(&mut together, |at| at < bound);
            }
            let all = |batch: &Batch| format!("{:?} {:?} {:?}", batch.steps, batch.wide, batch.packets);
            prop_assert_eq!(all(&together), all(&expected));
            prop_assert!(apart.iter().all(Batch::is_empty));
        }
    }
}
