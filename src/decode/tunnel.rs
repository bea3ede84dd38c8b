//! Tunnels: those that are looked into, and those that cannot be.
//!
//! A tunnel that is not what it seems (a datagram that happens to use a VXLAN port) is told by the fields that the standards fix;
//! it is left a plain datagram then.

use std::collections::BTreeSet;

use super::bytes::{Bytes, u16_at};
use super::guard::{OtherOverlay, TunnelKind};
use super::ip::{Datagram, Part, number};
use super::link::{self, IpVersion};
use super::tally::Skipped;

/// How many tunnels in each other are followed. Overlay in IP-in-IP in GRE exists; more is an attack or a mistake.
pub(super) const MAX_NESTING: usize = 4;

const ESP: &str = "ESP";
const PPTP: &str = "PPTP";
const GRE_WITH_SOURCE_ROUTING: &str = "GRE with source routing";
const IPSEC_NAT_TRAVERSAL: &str = "IPsec NAT traversal";
const WIREGUARD: &str = "WireGuard";

/// A tunnel that cannot be looked into, by the name that [`Transport::OpaqueTunnel`](super::Transport::OpaqueTunnel) gives it.
#[must_use]
pub fn opaque_tunnel(name: &str) -> Option<&'static str> {
    [ESP, PPTP, GRE_WITH_SOURCE_ROUTING, IPSEC_NAT_TRAVERSAL, WIREGUARD].into_iter().find(|known| *known == name)
}

/// Of Geneve (IANA).
pub const GENEVE_PORT: u16 = 6081;
const WIREGUARD_PORTS: [u16; 2] = [51820, 51821];
const NAT_TRAVERSAL_PORT: u16 = 4500;

/// Of flannel's backend `udp`.
const FLANNEL_PORT: u16 = 8285;

/// All UDP ports of tunnels but VXLAN's.
pub(super) const UDP_PORTS: [u16; 5] = [GENEVE_PORT, WIREGUARD_PORTS[0], WIREGUARD_PORTS[1], NAT_TRAVERSAL_PORT, FLANNEL_PORT];

/// Transparent Ethernet bridging (RFC 1701); what Geneve and GRE call a whole Ethernet frame.
const ETHERNET: u16 = 0x6558;

/// What an IP payload is to the tunnels.
pub(super) enum Content<'a> {
    /// A tunnel: what comes out of it, from its IP header on, or why there is nothing.
    Inner(TunnelKind, Result<(IpVersion, Bytes<'a>), Skipped>),
    /// A tunnel that cannot be looked into, by its name.
    Opaque(&'static str),
    /// No tunnel.
    Plain,
}

/// Looks into the payload of a datagram that is no later fragment. An error where it seems to be a tunnel and contradicts itself.
#[inline]
pub(super) fn open<'a>(datagram: &Datagram<'a>, vxlan_ports: &BTreeSet<u16>) -> Result<Content<'a>, Skipped> {
    debug_assert_ne!(datagram.part, Part::LaterFragment, "they have no headers");
    match datagram.protocol {
        number::UDP => udp(datagram.payload, vxlan_ports),
        number::IPV4 => Ok(Content::Inner(TunnelKind::IpInIp, Ok((IpVersion::V4, datagram.payload)))),
        number::IPV6 => Ok(Content::Inner(TunnelKind::IpInIp, Ok((IpVersion::V6, datagram.payload)))),
        number::GRE => gre(datagram.payload),
        number::ESP => Ok(Content::Opaque(ESP)),
        _ => Ok(Content::Plain),
    }
}

/// The overlay that a plain UDP datagram seems to be, by its form.
pub(super) fn other_overlay(datagram: &Datagram<'_>) -> Option<OtherOverlay> {
    let header = datagram.payload.first::<8>().ok().filter(|_| datagram.protocol == number::UDP)?;
    let payload = datagram.payload.after(8).ok()?.captured();
    match u16_at(header, 2) {
        FLANNEL_PORT => payload.first().is_some_and(|first| first >> 4 == 4).then_some(OtherOverlay::FlannelUdp),
        port => looks_like_vxlan(payload).then_some(OtherOverlay::Vxlan(port)),
    }
}

/// Whether the bytes are a VXLAN header (RFC 7348, section 5) and an Ethernet header of IP or ARP.
#[inline]
pub(super) fn looks_like_vxlan(payload: &[u8]) -> bool {
    let Some(header) = payload.first_chunk::<22>() else { return false };
    header[..4] == [0x08, 0, 0, 0] && header[7] == 0 && matches!(u16_at(header, 20), 0x0800 | 0x0806 | 0x86dd)
}

#[inline]
fn udp<'a>(bytes: Bytes<'a>, vxlan_ports: &BTreeSet<u16>) -> Result<Content<'a>, Skipped> {
    let Ok(header) = bytes.first::<8>() else { return Ok(Content::Plain) };
    let (source, destination) = (u16_at(header, 0), u16_at(header, 2));
    let payload = bytes.after(8)?;
    if vxlan_ports.contains(&destination) {
        return Ok(vxlan(payload));
    }
    if destination == GENEVE_PORT {
        return geneve(payload);
    }
    if WIREGUARD_PORTS.contains(&source) || WIREGUARD_PORTS.contains(&destination) {
        return wireguard(payload);
    }
    // NAT moves one of the ports, and never below 1024. That leaves out a resolver's answer to port 4500.
    if (source == NAT_TRAVERSAL_PORT && destination >= 1024) || (destination == NAT_TRAVERSAL_PORT && source >= 1024) {
        return nat_traversal(payload);
    }
    Ok(Content::Plain)
}

/// RFC 7348, section 5; with the group policy extension in the bytes that are reserved there.
fn vxlan(bytes: Bytes<'_>) -> Content<'_> {
    if bytes.wire_length() < 8 {
        return Content::Plain;
    }
    let Ok(header) = bytes.first::<8>() else { return Content::Inner(TunnelKind::Vxlan, Err(Skipped::Cut)) };
    let has_identifier = header[0] & 0x08 != 0;
    let has_group_policy = header[0] & 0x80 != 0;
    let is_reserved_zero = header[7] == 0 && (has_group_policy || header[1..4] == [0; 3]);
    if !has_identifier || !is_reserved_zero {
        return Content::Plain;
    }
    Content::Inner(TunnelKind::Vxlan, bytes.after(8).and_then(link::ethernet))
}

/// RFC 8926, section 3.4.
fn geneve(bytes: Bytes<'_>) -> Result<Content<'_>, Skipped> {
    if bytes.wire_length() < 8 {
        return Ok(Content::Plain);
    }
    let header = bytes.first::<8>()?;
    let version = header[0] >> 6;
    if version != 0 || header[1] & 0x3f != 0 || header[7] != 0 {
        return Ok(Content::Plain);
    }
    let options_length = usize::from(header[0] & 0x3f) * 4;
    let rest = bytes.after(8).and_then(|rest| rest.after(options_length));
    Ok(Content::Inner(TunnelKind::Geneve, rest.and_then(|rest| payload_of_type(u16_at(header, 2), rest))))
}

/// RFC 2784 with the key and sequence number of RFC 2890; NVGRE (RFC 7637) is GRE with a key and Ethernet.
fn gre(bytes: Bytes<'_>) -> Result<Content<'_>, Skipped> {
    let header = bytes.first::<4>()?;
    let flags = u16_at(header, 0);
    match flags & 0x0007 {
        0 => {}
        1 => return Ok(Content::Opaque(PPTP)),
        _ => return Err(Skipped::Malformed),
    }
    // Source routing (RFC 1701) went out of use with RFC 2784; its length is not in the flags.
    if flags & 0x4000 != 0 {
        return Ok(Content::Opaque(GRE_WITH_SOURCE_ROUTING));
    }
    let optional = [0x8000, 0x2000, 0x1000].iter().filter(|flag| flags & **flag != 0).count() * 4;
    let rest = bytes.after(4).and_then(|rest| rest.after(optional));
    let content = match u16_at(header, 2) {
        // Keepalives: a GRE header and nothing in it.
        0 => Err(Skipped::NotIp),
        protocol => rest.and_then(|rest| payload_of_type(protocol, rest)),
    };
    Ok(Content::Inner(TunnelKind::Gre, content))
}

fn payload_of_type(number: u16, bytes: Bytes<'_>) -> Result<(IpVersion, Bytes<'_>), Skipped> {
    if number == ETHERNET { link::ethernet(bytes) } else { link::ether_type(number, bytes) }
}

/// RFC 3948, section 2: a keepalive of one byte, or an ESP or IKE header, which is encrypted and so cannot be told from noise.
fn nat_traversal(bytes: Bytes<'_>) -> Result<Content<'_>, Skipped> {
    match bytes.wire_length() {
        0 | 2..8 => Ok(Content::Plain),
        1 if bytes.first::<1>()? != &[0xff] => Ok(Content::Plain),
        _ => Ok(Content::Opaque(IPSEC_NAT_TRAVERSAL)),
    }
}

/// `WireGuard` messages begin with a type from 1 to 4 and three zero bytes (its paper, section 5.4). Its port is whatever was
/// configured, so these are only the usual ones: 51820, and 51821 where Calico carries IPv6.
fn wireguard(bytes: Bytes<'_>) -> Result<Content<'_>, Skipped> {
    if bytes.wire_length() < 4 {
        return Ok(Content::Plain);
    }
    match bytes.first::<4>()? {
        [1..=4, 0, 0, 0] => Ok(Content::Opaque(WIREGUARD)),
        _ => Ok(Content::Plain),
    }
}
