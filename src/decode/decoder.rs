//! The layers of a frame, from the link to the transport, through tunnels.

use std::collections::BTreeSet;

use super::bytes::Bytes;
use super::ip::{self, Datagram, Part, number};
use super::quick::{self, Ports};
use super::tally::{Skipped, Tally};
use super::tunnel::{self, Content};
use super::{Frame, Packet, Transport, dns, icmp, link, transport};

/// What cannot be read from the frames themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeOptions {
    /// UDP destination ports that carry VXLAN.
    pub vxlan_ports: BTreeSet<u16>,
}

impl Default for DecodeOptions {
    /// VXLAN on 4789 (IANA) and 8472 (Linux's own default, which flannel keeps).
    fn default() -> Self {
        Self { vxlan_ports: [4789, 8472].into() }
    }
}

/// Turns frames into packets, and counts what it leaves out.
#[derive(Clone, Debug)]
pub struct Decoder {
    options: DecodeOptions,
    /// UDP ports that the short way does not know.
    special: Ports,
    tally: Tally,
    /// For DNS messages; kept so that it is allocated once.
    scratch: Vec<u8>,
}

impl Decoder {
    /// A decoder that has seen nothing yet.
    #[must_use]
    pub fn new(options: DecodeOptions) -> Self {
        let special = options.vxlan_ports.iter().copied().chain(tunnel::UDP_PORTS).chain(dns::PORTS);
        Self { special: Ports::new(special), options, tally: Tally::default(), scratch: Vec::new() }
    }

    /// The datagram in `frame`; `None` if there is none, or if it was left out, which the [tally](Self::tally) tells.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "where it is used at once, the packet never is put together in memory")]
    pub fn decode(&mut self, frame: &Frame<'_>) -> Option<Packet> {
        if let Some(packet) = quick::read(frame, &self.special) {
            self.tally.frames += 1;
            self.tally.decoded += 1;
            return Some(packet);
        }
        self.decode_any(frame)
    }

    /// The same, the long way.
    #[inline(never)]
    fn decode_any(&mut self, frame: &Frame<'_>) -> Option<Packet> {
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
        let (mut version, mut bytes) = link::open(frame.link, Bytes::new(frame.data, frame.wire_length))?;
        for _ in 0..=tunnel::MAX_NESTING {
            let datagram = ip::read(version, bytes)?;
            let transport = if datagram.part == Part::LaterFragment {
                self.tally.later_fragments += 1;
                Transport::LaterFragment
            } else {
                match tunnel::open(&datagram, &self.options.vxlan_ports)? {
                    Content::Inner(inner_version, inner_bytes) => {
                        (version, bytes) = (inner_version, inner_bytes);
                        self.tally.decapsulated += 1;
                        continue;
                    }
                    Content::Opaque(name) => {
                        *self.tally.opaque.entry(name).or_default() += 1;
                        Transport::OpaqueTunnel(name)
                    }
                    Content::Plain => self.transport(&datagram)?,
                }
            };
            return Ok(Packet { at: frame.at, source: datagram.source, destination: datagram.destination, transport });
        }
        Err(Skipped::TooDeep)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::decode::LinkType;
    use crate::model::Timestamp;

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

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn the_short_way_leads_where_the_long_way_does((data, wire_length) in any_frame()) {
            let frame = Frame { at: Timestamp(1), link: LinkType::Ethernet, wire_length, data: &data };
            let mut decoder = Decoder::new(DecodeOptions::default());
            if let Some(packet) = quick::read(&frame, &decoder.special) {
                prop_assert_eq!(decoder.decode_any(&frame), Some(packet));
                prop_assert_eq!(decoder.tally(), &Tally { frames: 1, decoded: 1, ..Tally::default() });
            }
        }
    }
}
