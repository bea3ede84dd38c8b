//! Link layer: from a frame's first byte to its IP header.
//!
//! In: the bytes of a frame and their link type. Out: where IP begins and which version it claims, or why there is none. Link
//! addresses are not looked at: on the pod network they tell the node, not the pod.

use etherparse::{Ethernet2HeaderSlice, SingleVlanHeaderSlice};

use super::LinkType;
use super::bytes::{Bytes, u16_at};
use super::tally::Skipped;

/// The version that the layer below announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IpVersion {
    V4,
    V6,
    /// Nothing was announced: the first four bits decide.
    Either,
}

/// `ARPHRD_` types in a cooked header whose protocol field is no Ethernet type (tcpdump.org, `LINKTYPE_LINUX_SLL`).
const ARPHRD_FRAME_RELAY: u16 = 770;
const ARPHRD_RADIOTAP: u16 = 803;
const ARPHRD_NETLINK: u16 = 824;

#[inline]
pub(super) fn open(link: LinkType, frame: Bytes<'_>) -> Result<(IpVersion, Bytes<'_>), Skipped> {
    match link {
        LinkType::Ethernet | LinkType::EthernetAt { .. } => ethernet(frame),
        LinkType::Loopback => loopback(frame),
        LinkType::RawIp => Ok((IpVersion::Either, frame)),
        LinkType::LinuxCooked => {
            let header = frame.first::<16>()?;
            cooked(u16_at(header, 2), u16_at(header, 14), frame.after(16)?)
        }
        LinkType::LinuxCooked2 => {
            let header = frame.first::<20>()?;
            cooked(u16_at(header, 8), u16_at(header, 0), frame.after(20)?)
        }
        LinkType::Unsupported(number) => Err(Skipped::LinkType(number)),
    }
}

/// IEEE 802.3 and what tunnels of Ethernet carry.
#[inline]
pub(super) fn ethernet(frame: Bytes<'_>) -> Result<(IpVersion, Bytes<'_>), Skipped> {
    let header = Ethernet2HeaderSlice::from_slice(frame.captured()).map_err(|_| frame.missing(14))?;
    ether_type(header.ether_type().0, frame.after(14)?)
}

/// What follows an Ethernet type, with any number of VLAN tags in between (IEEE 802.1Q, 802.1ad and the older types of stacked
/// tags).
#[inline]
pub(super) fn ether_type(mut number: u16, mut rest: Bytes<'_>) -> Result<(IpVersion, Bytes<'_>), Skipped> {
    while let 0x8100 | 0x88a8 | 0x9100 | 0x9200 | 0x9300 = number {
        let tag = SingleVlanHeaderSlice::from_slice(rest.captured()).map_err(|_| rest.missing(4))?;
        number = tag.ether_type().0;
        rest = rest.after(4)?;
    }
    match number {
        0x0800 => Ok((IpVersion::V4, rest)),
        0x86dd => Ok((IpVersion::V6, rest)),
        // Up to 1535 it is a length, and LLC follows (IEEE 802.3, 3.2.6): spanning tree, mostly. In cooked headers these are
        // Linux's own protocol numbers for the same. Then ARP, RARP, IPX, EAPOL, slow protocols (LACP), LLDP, PTP, 802.1ag,
        // loopback tests, Realtek and TIPC chatter.
        0..0x0600 | 0x0806 | 0x8035 | 0x8137 | 0x888e | 0x8809 | 0x88cc | 0x88f7 | 0x8902 | 0x9000 | 0x8899 | 0x88ca => {
            Err(Skipped::NotIp)
        }
        _ => Err(Skipped::EtherType(number)),
    }
}

/// Linux cooked captures (`-i any`). The packet type (to us, from us, ...) is not looked at. On the loopback device the protocol
/// is an Ethernet type as well.
fn cooked(hardware: u16, protocol: u16, rest: Bytes<'_>) -> Result<(IpVersion, Bytes<'_>), Skipped> {
    match hardware {
        ARPHRD_NETLINK => Err(Skipped::NotIp),
        ARPHRD_FRAME_RELAY | ARPHRD_RADIOTAP => Err(Skipped::EtherType(protocol)),
        _ => ether_type(protocol, rest),
    }
}

/// The address family in four bytes: in the order of the machine that captured for `LINKTYPE_NULL`, big-endian for
/// `LINKTYPE_LOOP`. Families are small numbers, so the order shows.
fn loopback(frame: Bytes<'_>) -> Result<(IpVersion, Bytes<'_>), Skipped> {
    let header = frame.first::<4>()?;
    let big = u32::from_be_bytes(*header);
    let family = if big > 0xffff { u32::from_le_bytes(*header) } else { big };
    let version = match family {
        2 => IpVersion::V4,
        // Linux; Windows; NetBSD and OpenBSD; FreeBSD; macOS.
        10 | 23 | 24 | 28 | 30 => IpVersion::V6,
        _ => return Err(Skipped::NotIp),
    };
    Ok((version, frame.after(4)?))
}
