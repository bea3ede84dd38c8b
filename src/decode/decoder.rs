//! The layers of a frame, from the link to the transport, through tunnels.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use super::bytes::Bytes;
use super::guard::{Answers, Decapsulation, Tunnel, TunnelKind};
use super::ip::{self, Datagram, Part, number};
use super::quick::{self, Ports};
use super::tally::{Skipped, Tally};
use super::tunnel::{self, Content};
use super::{Between, Frame, Packet, Transport, Usual, dns, icmp, link, transport};
use crate::model::Timestamp;

/// What cannot be read from the frames themselves.
#[derive(Clone, Debug)]
pub struct DecodeOptions {
    /// UDP destination ports that carry VXLAN.
    pub vxlan_ports: BTreeSet<u16>,
    /// Which tunnels are opened.
    pub decapsulation: Decapsulation,
}

impl Default for DecodeOptions {
    /// VXLAN on 4789 (IANA) and 8472 (Linux's own default, which flannel keeps).
    fn default() -> Self {
        Self { vxlan_ports: [4789, 8472].into(), decapsulation: Decapsulation::All }
    }
}

/// Turns frames into packets, and counts what it leaves out.
#[derive(Clone, Debug)]
pub struct Decoder {
    options: DecodeOptions,
    /// UDP ports that the short way does not know.
    special: Ports,
    vxlan: Ports,
    tally: Tally,
    /// Of the last frame, the tunnels that were opened, outermost first, and the outermost datagram.
    tunnels: Vec<Tunnel>,
    outer: Option<Packet>,
    answers: Answers,
    /// For DNS messages; kept so that it is allocated once.
    scratch: Vec<u8>,
}

impl Decoder {
    /// A decoder that has seen nothing yet.
    #[must_use]
    pub fn new(options: DecodeOptions) -> Self {
        let special = options.vxlan_ports.iter().copied().chain(tunnel::UDP_PORTS).chain(dns::PORTS);
        let vxlan = Ports::new(options.vxlan_ports.iter().copied());
        Self {
            special: Ports::new(special),
            vxlan,
            options,
            tally: Tally::default(),
            tunnels: Vec::new(),
            outer: None,
            answers: Answers::default(),
            scratch: Vec::new(),
        }
    }

    /// The datagram in `frame`; `None` if there is none, or if it was left out, which the [tally](Self::tally) tells.
    pub fn decode(&mut self, frame: &Frame<'_>) -> Option<Packet> {
        if let Some(between) = self.decode_plain(frame) {
            return Some(between.packet(frame.at));
        }
        match self.decode_usual(frame) {
            Some(usual) => Some(usual.packet(frame.at)),
            None => self.decode_any(frame),
        }
    }

    /// The same for what nearly all frames hold, IPv4 without a tunnel. For any other there is nothing, nothing is counted, and
    /// [`decode_usual`](Self::decode_usual) may be asked.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "what it returns is used at once and never put together in memory")]
    pub fn decode_plain(&mut self, frame: &Frame<'_>) -> Option<Between<Ipv4Addr>> {
        let between = quick::read(frame, &self.special)?;
        self.tally.frames += 1;
        self.tally.decoded += 1;
        Some(between)
    }

    /// The same for any other usual frame. For what is not usual there is nothing, nothing is counted, and
    /// [`decode_any`](Self::decode_any) must be asked.
    #[inline(never)]
    pub fn decode_usual(&mut self, frame: &Frame<'_>) -> Option<Usual> {
        self.forget_tunnels();
        let usual = if let Some(between) = quick::read_v6(frame, &self.special) {
            Usual::V6(between)
        } else {
            let (outer, usual) = quick::read_in_vxlan(frame, &self.special, &self.vxlan)?;
            let (source, destination) = outer.addresses();
            let tunnel = Tunnel { kind: TunnelKind::Vxlan, source, destination };
            if self.admits(frame.at, &tunnel, Some(usual.addresses()), 0) {
                self.tally.decapsulated += 1;
                if let Decapsulation::Apart = self.options.decapsulation {
                    self.tunnels.push(tunnel);
                    self.outer = Some(outer.packet(frame.at));
                }
                usual
            } else {
                Usual::V4(outer)
            }
        };
        self.tally.frames += 1;
        self.tally.decoded += 1;
        Some(usual)
    }

    /// The same as [`decode`](Self::decode), for a frame that is not usual.
    #[inline(never)]
    pub fn decode_any(&mut self, frame: &Frame<'_>) -> Option<Packet> {
        self.forget_tunnels();
        self.tally.frames += 1;
        match self.read(frame) {
            Ok(packet) => {
                self.tally.decoded += 1;
                Some(packet)
            }
            Err(reason) => {
                self.tally.skip(reason);
                None
            }
        }
    }

    /// Of tunnels that are opened [apart](Decapsulation::Apart): those of the frame that was decoded last, outermost first, and the
    /// outermost datagram. That is there as well where nothing inside could be read. Not for [plain](Self::decode_plain) frames.
    #[must_use]
    pub fn opened(&self) -> Option<(&[Tunnel], &Packet)> {
        self.outer.as_ref().map(|outer| (self.tunnels.as_slice(), outer))
    }

    fn forget_tunnels(&mut self) {
        self.tunnels.clear();
        self.outer = None;
    }

    /// Whether a tunnel is to be opened.
    fn admits(&mut self, at: Timestamp, tunnel: &Tunnel, inner: Option<(IpAddr, IpAddr)>, nesting: usize) -> bool {
        match &self.options.decapsulation {
            Decapsulation::All | Decapsulation::Apart => true,
            Decapsulation::Guarded(guard) => self.answers.ask(guard.as_ref(), at, tunnel, inner, nesting),
            Decapsulation::Never => false,
        }
    }

    /// What was seen so far.
    #[must_use]
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The same, to be kept.
    #[must_use]
    pub fn into_tally(self) -> Tally {
        self.tally
    }

    #[inline]
    fn read(&mut self, frame: &Frame<'_>) -> Result<Packet, Skipped> {
        let at = frame.at;
        let (version, bytes) = link::open(frame.link, Bytes::new(frame.data, frame.wire_length))?;
        let mut datagram = ip::read(version, bytes)?;
        for nesting in 0.. {
            if datagram.part == Part::LaterFragment {
                self.tally.later_fragments += 1;
                return Ok(packet(at, &datagram, Transport::LaterFragment));
            }
            match tunnel::open(&datagram, &self.options.vxlan_ports) {
                Ok(Content::Inner(kind, inner)) => {
                    let tunnel = Tunnel { kind, source: datagram.source, destination: datagram.destination };
                    let inner = inner.and_then(|(version, bytes)| ip::read(version, bytes));
                    let inner_ends = inner.as_ref().ok().map(|inner| (inner.source, inner.destination));
                    if !self.admits(at, &tunnel, inner_ends, nesting) {
                        break;
                    }
                    if let (Decapsulation::Apart, 0) = (&self.options.decapsulation, nesting) {
                        self.outer = self.transport(&datagram).ok().map(|transport| packet(at, &datagram, transport));
                    }
                    if nesting >= tunnel::MAX_NESTING {
                        return Err(Skipped::TooDeep);
                    }
                    datagram = inner?;
                    self.tunnels.push(tunnel);
                    self.tally.decapsulated += 1;
                }
                Ok(Content::Opaque(name)) => {
                    *self.tally.opaque.entry(name).or_default() += 1;
                    return Ok(packet(at, &datagram, Transport::OpaqueTunnel(name)));
                }
                Ok(Content::Plain) => {
                    self.note_other_overlay(at, &datagram);
                    break;
                }
                Err(reason) => match self.options.decapsulation {
                    Decapsulation::All => return Err(reason),
                    // A datagram that contradicts itself as a tunnel was sent all the same.
                    _ => break,
                },
            }
        }
        Ok(packet(at, &datagram, self.transport(&datagram)?))
    }

    /// Looks whether a plain datagram between nodes is an overlay that is not known as one.
    fn note_other_overlay(&self, at: Timestamp, datagram: &Datagram<'_>) {
        if let Decapsulation::Guarded(guard) = &self.options.decapsulation
            && let Some(overlay) = tunnel::other_overlay(datagram)
        {
            guard.note_other(at, overlay, (datagram.source, datagram.destination));
        }
    }

    #[inline]
    fn transport(&mut self, datagram: &Datagram<'_>) -> Result<Transport, Skipped> {
        match datagram.protocol {
            number::TCP => transport::tcp(datagram, &mut self.scratch),
            number::UDP => transport::udp(datagram, &mut self.scratch),
            number::SCTP => transport::sctp(datagram.payload),
            number::ICMP if !datagram.is_v6 => icmp::v4(datagram.payload),
            number::ICMPV6 if datagram.is_v6 => icmp::v6(datagram.payload),
            protocol => Ok(Transport::Other(protocol)),
        }
    }
}

const fn packet(at: Timestamp, datagram: &Datagram<'_>, transport: Transport) -> Packet {
    Packet { at, source: datagram.source, destination: datagram.destination, transport }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use proptest::prelude::*;

    use super::*;
    use crate::decode::{LinkType, Segment};

    /// An Ethernet frame, mostly of TCP or UDP over IPv4, with lengths and ports that mean something here.
    fn any_frame() -> impl Strategy<Value = (Vec<u8>, u32)> {
        let port = prop_oneof![Just(53u16), Just(5353), Just(4789), Just(6081), Just(51820), Just(4500), Just(0), 1024u16..];
        let length = prop_oneof![3 => 0u16..80, 1 => Just(20u16), 1 => Just(40u16)];
        let first = prop_oneof![6 => Just(0x45u8), 1 => any::<u8>()];
        let fragment = prop_oneof![6 => Just(0x4000u16), 1 => any::<u16>()];
        let protocol = prop_oneof![3 => Just(6u8), 3 => Just(17u8), 1 => any::<u8>()];
        let ether_type = prop_oneof![8 => Just(0x0800u16), 1 => any::<u16>()];
        let rest = proptest::collection::vec(any::<u8>(), 60);
        let ports = (port.clone(), port);
        (ports, length.clone(), first, fragment, protocol, ether_type, rest, length, 0usize..90, 0u32..100).prop_map(
            |(ports, total, first, fragment, protocol, ether_type, rest, udp_length, captured, more)| {
                let mut frame = vec![2; 12];
                frame.extend(ether_type.to_be_bytes());
                frame.extend([first, 0]);
                frame.extend(total.to_be_bytes());
                frame.extend([0, 0]);
                frame.extend(fragment.to_be_bytes());
                frame.extend([64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
                frame.extend(ports.0.to_be_bytes());
                frame.extend(ports.1.to_be_bytes());
                frame.extend(udp_length.to_be_bytes());
                frame.extend(rest);
                frame.truncate(captured);
                let wire_length = u32::try_from(frame.len()).expect("short") + more;
                (frame, wire_length)
            },
        )
    }

    /// The same over IPv6, also between addresses that are mapped or of a group.
    fn any_frame_of_v6() -> impl Strategy<Value = (Vec<u8>, u32)> {
        let address = || {
            prop_oneof![
                4 => any::<u16>().prop_map(|last| Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, last)),
                1 => any::<u32>().prop_map(|bits| Ipv4Addr::from(bits).to_ipv6_mapped()),
                1 => Just(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb)),
            ]
        };
        let first = prop_oneof![6 => Just(0x60u8), 1 => any::<u8>()];
        let next = prop_oneof![3 => Just(6u8), 3 => Just(17u8), 1 => any::<u8>()];
        let length = prop_oneof![3 => 0u16..80, 1 => Just(8u16), 1 => Just(20u16)];
        (any_frame(), first, length, next, (address(), address()), 0usize..110).prop_map(
            |((inner, more), first, length, next, addresses, captured)| {
                let mut frame = vec![2; 12];
                frame.extend([0x86, 0xdd, first, 0, 0, 0]);
                frame.extend(length.to_be_bytes());
                frame.extend([next, 64]);
                frame.extend(addresses.0.octets());
                frame.extend(addresses.1.octets());
                // From its transport header on.
                frame.extend(inner.iter().skip(34));
                frame.truncate(captured.max(50));
                let wire_length = u32::try_from(frame.len()).expect("short") + more;
                (frame, wire_length)
            },
        )
    }

    /// The same in VXLAN, mostly with lengths that are right.
    fn any_frame_in_vxlan() -> impl Strategy<Value = (Vec<u8>, u32)> {
        let port = prop_oneof![6 => Just(4789u16), 1 => Just(8472), 1 => any::<u16>()];
        let flags = prop_oneof![6 => Just(0x08u8), 1 => any::<u8>()];
        let reserved = prop_oneof![6 => Just(0u8), 1 => any::<u8>()];
        let off = prop_oneof![4 => Just(0i32), 1 => -60i32..60];
        let inner = prop_oneof![any_frame(), any_frame_of_v6()];
        (inner, port, flags, (reserved.clone(), reserved), (off.clone(), off), 0usize..200).prop_map(
            |((inner, more), port, flags, reserved, off, captured)| {
                let length = |of: usize, off: i32| {
                    u16::try_from(i32::try_from(of).expect("short") + off).unwrap_or_default().to_be_bytes()
                };
                let mut frame = vec![2; 12];
                frame.extend([0x08, 0x00, 0x45, 0]);
                frame.extend(length(inner.len() + 36, off.0));
                frame.extend([0, 0, 0x40, 0, 64, 17, 0, 0, 172, 18, 0, 1, 172, 18, 0, 2, 0x9c, 0x40]);
                frame.extend(port.to_be_bytes());
                frame.extend(length(inner.len() + 16, off.1));
                frame.extend([0, 0, flags, 0, reserved.0, 0, 0, 0, 1, reserved.1]);
                frame.extend(&inner);
                frame.truncate(captured.max(60));
                let wire_length = u32::try_from(frame.len()).expect("short") + more;
                (frame, wire_length)
            },
        )
    }

    #[test]
    fn a_usual_frame_in_vxlan_takes_the_short_way() {
        let mut inner = vec![2; 12];
        inner.extend([
            0x08, 0x00, 0x45, 0, 0, 28, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0x9c, 0x40, 0x1f, 0x90, 0, 8, 0, 0,
        ]);
        let mut data = vec![2; 12];
        data.extend([0x08, 0x00, 0x45, 0, 0, 78, 0, 0, 0x40, 0, 64, 17, 0, 0, 172, 18, 0, 1, 172, 18, 0, 2]);
        data.extend([0x9c, 0x40, 0x12, 0xb5, 0, 58, 0, 0, 0x08, 0, 0, 0, 0, 0, 1, 0]);
        data.extend(&inner);
        let wire_length = u32::try_from(data.len()).expect("short");
        let frame = Frame { at: Timestamp(1), link: LinkType::Ethernet, wire_length, data: &data };
        let decoder = Decoder::new(DecodeOptions::default());
        let between = |source: ([u8; 4], u16), destination: ([u8; 4], u16)| Between {
            source: (source.0.into(), source.1),
            destination: (destination.0.into(), destination.1),
            segment: None,
        };
        let outer = between(([172, 18, 0, 1], 40000), ([172, 18, 0, 2], 4789));
        let inner = between(([10, 0, 0, 1], 40000), ([10, 0, 0, 2], 8080));
        assert_eq!(quick::read_in_vxlan(&frame, &decoder.special, &decoder.vxlan), Some((outer, Usual::V4(inner))));
    }

    #[test]
    fn a_usual_frame_of_ipv6_takes_the_short_way() {
        let mut data = vec![2; 12];
        data.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 25, 6, 64]);
        let ends = ["fd00::1", "fd00::2"].map(|address| address.parse::<Ipv6Addr>().expect("an address"));
        data.extend(ends.iter().flat_map(Ipv6Addr::octets));
        data.extend([0x9c, 0x40, 0x1f, 0x90, 0, 0, 0, 7, 0, 0, 0, 9, 0x50, 0x18, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5]);
        let wire_length = u32::try_from(data.len()).expect("short");
        let frame = Frame { at: Timestamp(1), link: LinkType::Ethernet, wire_length, data: &data };
        let decoder = Decoder::new(DecodeOptions::default());
        let segment = Segment { flags: 0x18, sequence: 7, acknowledgment: 9, payload_length: 5 };
        let expected = Between { source: (ends[0], 40000), destination: (ends[1], 8080), segment: Some(segment) };
        assert_eq!(quick::read_v6(&frame, &decoder.special), Some(expected));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn the_short_way_leads_where_the_long_way_does((data, wire_length) in any_frame()) {
            let frame = Frame { at: Timestamp(1), link: LinkType::Ethernet, wire_length, data: &data };
            let mut decoder = Decoder::new(DecodeOptions::default());
            if let Some(usual) = quick::read(&frame, &decoder.special) {
                prop_assert_eq!(decoder.decode_any(&frame), Some(usual.packet(frame.at)));
                prop_assert_eq!(decoder.tally(), &Tally { frames: 1, decoded: 1, ..Tally::default() });
            }
        }

        #[test]
        fn so_does_that_of_ipv6((data, wire_length) in any_frame_of_v6()) {
            let frame = Frame { at: Timestamp(1), link: LinkType::Ethernet, wire_length, data: &data };
            let mut decoder = Decoder::new(DecodeOptions::default());
            if let Some(usual) = quick::read_v6(&frame, &decoder.special) {
                prop_assert_eq!(decoder.decode_any(&frame), Some(usual.packet(frame.at)));
                prop_assert_eq!(decoder.tally(), &Tally { frames: 1, decoded: 1, ..Tally::default() });
            }
        }

        #[test]
        fn so_does_the_short_way_through_vxlan((data, wire_length) in any_frame_in_vxlan()) {
            let frame = Frame { at: Timestamp(1), link: LinkType::Ethernet, wire_length, data: &data };
            let mut decoder = Decoder::new(DecodeOptions::default());
            if let Some((_, usual)) = quick::read_in_vxlan(&frame, &decoder.special, &decoder.vxlan) {
                prop_assert_eq!(decoder.decode_any(&frame), Some(usual.packet(frame.at)));
                prop_assert_eq!(decoder.tally(), &Tally { frames: 1, decoded: 1, decapsulated: 1, ..Tally::default() });
            }
        }
    }
}
