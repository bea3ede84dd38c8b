//! The short way through the usual frames: TCP and UDP over IP without fragments, options or DNS, of which nearly all traffic is.
//!
//! What it reads it reads as the long way does; whatever is unusual in the least it leaves to that.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::bytes::{u16_at, u32_at};
use super::ip::number;
use super::{Frame, Packet, TcpFlags, Transport, dns, tunnel};
use crate::model::Timestamp;

/// What a usual frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usual {
    /// Between two IPv4 addresses.
    V4(Between<Ipv4Addr>),
    /// Between two IPv6 addresses that stand for no IPv4 addresses.
    V6(Between<Ipv6Addr>),
}

/// A TCP segment or a UDP datagram without DNS between two addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Between<A> {
    /// Address and port of the sender.
    pub source: (A, u16),
    /// Address and port of the receiver.
    pub destination: (A, u16),
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
    /// Addresses of sender and receiver.
    #[must_use]
    pub fn addresses(&self) -> (IpAddr, IpAddr) {
        match self {
            Self::V4(between) => between.addresses(),
            Self::V6(between) => between.addresses(),
        }
    }

    /// The same as any other packet.
    #[must_use]
    pub fn packet(self, at: Timestamp) -> Packet {
        match self {
            Self::V4(between) => between.packet(at),
            Self::V6(between) => between.packet(at),
        }
    }
}

impl<A: Into<IpAddr> + Copy> Between<A> {
    /// Addresses of sender and receiver.
    #[must_use]
    pub fn addresses(&self) -> (IpAddr, IpAddr) {
        (self.source.0.into(), self.destination.0.into())
    }

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

/// Ethernet, and IPv4 without options; the same and UDP; Ethernet and IPv6.
const TO_TRANSPORT: usize = 34;
const TO_UDP_PAYLOAD: usize = TO_TRANSPORT + 8;
const TO_TRANSPORT_OF_V6: usize = 54;

/// What is in a usual frame of IPv4. `special` are the UDP ports behind which there may be more than a datagram.
#[inline(always)]
#[expect(clippy::inline_always, reason = "what it returns is used at once and never put together in memory")]
pub(super) fn read(frame: &Frame<'_>, special: &Ports) -> Option<Between<Ipv4Addr>> {
    if frame.link.is_ethernet() { v4(frame.data, special) } else { None }
}

/// What is in a usual frame of IPv6.
pub(super) fn read_v6(frame: &Frame<'_>, special: &Ports) -> Option<Between<Ipv6Addr>> {
    if frame.link.is_ethernet() { v6(frame.data, special) } else { None }
}

/// A usual frame that is in VXLAN itself (RFC 7348, section 5), without the group policy extension: the outer datagram, and what is
/// inside.
pub(super) fn read_in_vxlan(frame: &Frame<'_>, special: &Ports, vxlan: &Ports) -> Option<(Between<Ipv4Addr>, Usual)> {
    let header: &[u8; TO_UDP_PAYLOAD + 8] = frame.data.first_chunk()?;
    let (total_length, udp_length) = (usize::from(u16_at(header, 16)), usize::from(u16_at(header, TO_TRANSPORT + 4)));
    let ports = (u16_at(header, TO_TRANSPORT), u16_at(header, TO_TRANSPORT + 2));
    let is_vxlan = frame.link.is_ethernet()
        && is_plain_ipv4(header)
        && header[23] == number::UDP
        && (16..=total_length.checked_sub(20)?).contains(&udp_length)
        && vxlan.has(ports.1)
        && header[TO_UDP_PAYLOAD] & 0x88 == 0x08
        && header[TO_UDP_PAYLOAD + 1..TO_UDP_PAYLOAD + 4] == [0; 3]
        && header[TO_UDP_PAYLOAD + 7] == 0;
    if !is_vxlan {
        return None;
    }
    let inner = &frame.data[TO_UDP_PAYLOAD + 8..frame.data.len().min(TO_TRANSPORT + udp_length)];
    let inner = v4(inner, special).map(Usual::V4).or_else(|| v6(inner, special).map(Usual::V6))?;
    let address = |at| Ipv4Addr::from_bits(u32_at(header, at));
    Some((Between { source: (address(26), ports.0), destination: (address(30), ports.1), segment: None }, inner))
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
fn v4(data: &[u8], special: &Ports) -> Option<Between<Ipv4Addr>> {
    let header: &[u8; TO_UDP_PAYLOAD] = data.first_chunk()?;
    if !is_plain_ipv4(header) {
        return None;
    }
    let length = usize::from(u16_at(header, 16));
    let ports = (u16_at(header, TO_TRANSPORT), u16_at(header, TO_TRANSPORT + 2));
    let segment = match header[23] {
        number::TCP => Some(segment::<TO_TRANSPORT, { TO_TRANSPORT + 20 }>(data.first_chunk()?, ports, length.checked_sub(20)?)?),
        number::UDP
            if is_plain_udp(u16_at(header, TO_TRANSPORT + 4), ports, length.checked_sub(20)?, special)
                && !tunnel::looks_like_vxlan(&data[TO_UDP_PAYLOAD..]) =>
        {
            None
        }
        _ => return None,
    };
    let address = |at| Ipv4Addr::from_bits(u32_at(header, at));
    Some(Between { source: (address(26), ports.0), destination: (address(30), ports.1), segment })
}

#[inline]
fn v6(data: &[u8], special: &Ports) -> Option<Between<Ipv6Addr>> {
    let header: &[u8; TO_TRANSPORT_OF_V6 + 8] = data.first_chunk()?;
    if u16_at(header, 12) != 0x86dd || header[14] >> 4 != 6 {
        return None;
    }
    let length = usize::from(u16_at(header, 18));
    let ports = (u16_at(header, TO_TRANSPORT_OF_V6), u16_at(header, TO_TRANSPORT_OF_V6 + 2));
    let segment = match header[20] {
        number::TCP => Some(segment::<TO_TRANSPORT_OF_V6, { TO_TRANSPORT_OF_V6 + 20 }>(data.first_chunk()?, ports, length)?),
        number::UDP
            if is_plain_udp(u16_at(header, TO_TRANSPORT_OF_V6 + 4), ports, length, special)
                && !tunnel::looks_like_vxlan(&data[TO_TRANSPORT_OF_V6 + 8..]) =>
        {
            None
        }
        _ => return None,
    };
    let address = |bytes: &[u8]| bytes.first_chunk::<16>().map(|bytes| Ipv6Addr::from_bits(u128::from_be_bytes(*bytes)));
    let (source, destination) = (address(&header[22..])?, address(&header[38..])?);
    let is_mapped = source.to_ipv4_mapped().is_some() || destination.to_ipv4_mapped().is_some();
    (!is_mapped).then_some(Between { source: (source, ports.0), destination: (destination, ports.1), segment })
}

/// What there is of TCP at `AT` of the first `N` bytes of a frame. On the wire it takes `length` bytes with its payload.
#[inline(always)]
#[expect(clippy::inline_always, reason = "it is a part of reading a frame")]
fn segment<const AT: usize, const N: usize>(bytes: &[u8; N], ports: (u16, u16), length: usize) -> Option<Segment> {
    let header_length = usize::from(bytes[AT + 12] >> 4) * 4;
    if header_length < 20 || dns::PORTS.contains(&ports.0) || dns::PORTS.contains(&ports.1) {
        return None;
    }
    Some(Segment {
        flags: bytes[AT + 13],
        sequence: u32_at(bytes, AT + 4),
        acknowledgment: u32_at(bytes, AT + 8),
        payload_length: u32::try_from(length.checked_sub(header_length)?).ok()?,
    })
}

/// Whether a UDP header with this length fits into as much as is there, and its ports promise nothing more than a datagram.
#[inline(always)]
#[expect(clippy::inline_always, reason = "it is a part of reading a frame")]
fn is_plain_udp(udp_length: u16, ports: (u16, u16), length: usize, special: &Ports) -> bool {
    (8..=length).contains(&usize::from(udp_length)) && !special.has(ports.0) && !special.has(ports.1)
}
