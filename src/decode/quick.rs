//! The short way through the usual frames: TCP and UDP over IPv4 without fragments or DNS, of which nearly all traffic is.
//!
//! What it reads it reads as the long way does; whatever is unusual in the least it leaves to that.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::bytes::{u16_at, u32_at};
use super::ip::number;
use super::{Frame, LinkType, Packet, TcpFlags, Transport, dns};
use crate::model::Timestamp;

/// What nearly every frame holds: a TCP segment or a UDP datagram between two IPv4 addresses, and no DNS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usual {
    /// Address and port of the sender.
    pub source: (Ipv4Addr, u16),
    /// Address and port of the receiver.
    pub destination: (Ipv4Addr, u16),
    /// Nothing of UDP.
    pub segment: Option<Segment>,
}

/// What matters of a TCP header (RFC 9293, section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The control bits, as they are in the header.
    pub flags: u8,
    /// Sequence number.
    pub sequence: u32,
    /// Acknowledgement number; meaningful with the ACK flag.
    pub acknowledgment: u32,
    /// Bytes of payload on the wire.
    pub payload_length: u32,
}

impl Usual {
    /// The same as any other packet.
    #[must_use]
    pub fn packet(self, at: Timestamp) -> Packet {
        let Self { source: (source, source_port), destination: (destination, destination_port), segment } = self;
        let transport = match segment {
            Some(Segment { flags, sequence, acknowledgment, payload_length }) => {
                let flags = TcpFlags::from_bits(flags);
                Transport::Tcp { source_port, destination_port, flags, sequence, acknowledgment, payload_length, dns: None }
            }
            None => Transport::Udp { source_port, destination_port, dns: None },
        };
        Packet { at, source: source.into(), destination: destination.into(), transport }
    }
}

/// A set of UDP ports.
#[derive(Clone, Debug)]
pub(super) struct Ports(Arc<[u64; 1024]>);

impl Ports {
    pub(super) fn new(ports: impl IntoIterator<Item = u16>) -> Self {
        let mut bits = [0; 1024];
        for port in ports {
            bits[usize::from(port / 64)] |= 1 << (port % 64);
        }
        Self(Arc::new(bits))
    }

    #[inline]
    fn has(&self, port: u16) -> bool {
        self.0[usize::from(port / 64)] >> (port % 64) & 1 == 1
    }
}

/// Ethernet and IPv4 without options.
const TO_TRANSPORT: usize = 34;
const TO_UDP_PAYLOAD: usize = TO_TRANSPORT + 8;

/// What is in a usual frame. `special` are the UDP ports behind which there may be more than a datagram.
#[inline(always)]
#[expect(clippy::inline_always, reason = "what it returns is used at once and never put together in memory")]
pub(super) fn read(frame: &Frame<'_>, special: &Ports) -> Option<Usual> {
    if frame.link == LinkType::Ethernet { ethernet(frame.data, special) } else { None }
}

/// What is in a usual frame that is in VXLAN itself (RFC 7348, section 5), without the group policy extension.
pub(super) fn read_in_vxlan(frame: &Frame<'_>, special: &Ports, vxlan: &Ports) -> Option<Usual> {
    let header: &[u8; TO_UDP_PAYLOAD + 8] = frame.data.first_chunk()?;
    let (total_length, udp_length) = (usize::from(u16_at(header, 16)), usize::from(u16_at(header, TO_TRANSPORT + 4)));
    let is_vxlan = frame.link == LinkType::Ethernet
        && is_plain_ipv4(header)
        && header[23] == number::UDP
        && (16..=total_length.checked_sub(20)?).contains(&udp_length)
        && vxlan.has(u16_at(header, TO_TRANSPORT + 2))
        && header[TO_UDP_PAYLOAD] & 0x88 == 0x08
        && header[TO_UDP_PAYLOAD + 1..TO_UDP_PAYLOAD + 4] == [0; 3]
        && header[TO_UDP_PAYLOAD + 7] == 0;
    let end = frame.data.len().min(TO_TRANSPORT + udp_length);
    if is_vxlan { ethernet(&frame.data[TO_UDP_PAYLOAD + 8..end], special) } else { None }
}

/// Whether an Ethernet frame holds IPv4 without options that is neither a later fragment nor one that has such.
#[inline(always)]
#[expect(clippy::inline_always, reason = "it is a part of reading a frame")]
fn is_plain_ipv4<const N: usize>(header: &[u8; N]) -> bool {
    let is_fragment = header[20] & 0x3f != 0 || header[21] != 0;
    u16_at(header, 12) == 0x0800 && header[14] == 0x45 && !is_fragment
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "it is a part of reading a frame")]
fn ethernet(data: &[u8], special: &Ports) -> Option<Usual> {
    let header: &[u8; TO_UDP_PAYLOAD] = data.first_chunk()?;
    if !is_plain_ipv4(header) {
        return None;
    }
    let total_length = usize::from(u16_at(header, 16));
    let (source_port, destination_port) = (u16_at(header, TO_TRANSPORT), u16_at(header, TO_TRANSPORT + 2));
    let segment = match header[23] {
        number::TCP => {
            let header: &[u8; TO_TRANSPORT + 20] = data.first_chunk()?;
            let header_length = usize::from(header[TO_TRANSPORT + 12] >> 4) * 4;
            if header_length < 20 || dns::PORTS.contains(&source_port) || dns::PORTS.contains(&destination_port) {
                return None;
            }
            Some(Segment {
                flags: header[TO_TRANSPORT + 13],
                sequence: u32_at(header, TO_TRANSPORT + 4),
                acknowledgment: u32_at(header, TO_TRANSPORT + 8),
                payload_length: u32::try_from(total_length.checked_sub(20 + header_length)?).ok()?,
            })
        }
        number::UDP => {
            let length = usize::from(u16_at(header, TO_TRANSPORT + 4));
            if length < 8 || length + 20 > total_length || special.has(source_port) || special.has(destination_port) {
                return None;
            }
            None
        }
        _ => return None,
    };
    let address = |at| Ipv4Addr::from_bits(u32_at(header, at));
    Some(Usual { source: (address(26), source_port), destination: (address(30), destination_port), segment })
}
