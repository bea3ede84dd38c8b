//! The layers of a frame, from the link to the transport, through tunnels.

use std::collections::BTreeSet;

use super::bytes::Bytes;
use super::ip::{self, Datagram, Part, number};
use super::tally::{Skipped, Tally};
use super::tunnel::{self, Content};
use super::{Frame, Packet, Transport, icmp, link, transport};

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
    tally: Tally,
    /// For DNS messages; kept so that it is allocated once.
    scratch: Vec<u8>,
}

impl Decoder {
    /// A decoder that has seen nothing yet.
    #[must_use]
    pub fn new(options: DecodeOptions) -> Self {
        Self { options, tally: Tally::default(), scratch: Vec::new() }
    }

    /// The datagram in `frame`; `None` if there is none, or if it was left out, which the [tally](Self::tally) tells.
    #[inline]
    pub fn decode(&mut self, frame: &Frame<'_>) -> Option<Packet> {
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
