//! What a tap delivers.

use crate::model::Timestamp;

/// How a frame's first bytes are to be read (`LINKTYPE_` values of the tcpdump.org registry).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LinkType {
    /// 1: Ethernet.
    Ethernet,
    /// The same, of which the capture file says beside the frame at which of its interfaces it was seen.
    EthernetAt {
        /// The number of the interface in the file.
        interface: u16,
        /// Whether it came in there; else it went out.
        is_inbound: bool,
    },
    /// 0 and 108: null/loopback; the address family in four bytes, of either byte order.
    Loopback,
    /// 101, 12, 14, 228, 229: IPv4 or IPv6 without anything before it.
    RawIp,
    /// 113: Linux cooked v1.
    LinuxCooked,
    /// 276: Linux cooked v2.
    LinuxCooked2,
    /// Any other.
    Unsupported(u16),
}

impl LinkType {
    /// Whether frames begin with an Ethernet header.
    #[inline]
    #[must_use]
    pub const fn is_ethernet(self) -> bool {
        matches!(self, Self::Ethernet | Self::EthernetAt { .. })
    }

    /// The link type of a `LINKTYPE_` number, with the `DLT_` numbers of raw IP that some systems write instead.
    #[must_use]
    pub const fn from_number(number: u16) -> Self {
        match number {
            1 => Self::Ethernet,
            0 | 108 => Self::Loopback,
            12 | 14 | 101 | 228 | 229 => Self::RawIp,
            113 => Self::LinuxCooked,
            276 => Self::LinuxCooked2,
            _ => Self::Unsupported(number),
        }
    }
}

/// Link-layer bytes with the time at which they were seen.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Capture time.
    pub at: Timestamp,
    /// How to read `data`; a pcapng file may mix link types.
    pub link: LinkType,
    /// Length on the wire in bytes; at least `data.len()`.
    pub wire_length: u32,
    /// What was captured of it.
    pub data: &'a [u8],
}
