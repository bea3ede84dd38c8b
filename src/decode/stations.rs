//! Which stations of a link a frame went between.
//!
//! In: a frame. Out: who put it on the link, and for whom, as far as the link says so: by addresses of its layer (IEEE 802), or by
//! the interface and direction in which a cooked capture saw it. Neither says what the frame is about, and so both help to find out who
//! lies about that.

use serde::{Deserialize, Serialize};

use super::bytes::u16_at;
use super::{Frame, LinkType};

/// One station.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Station(u64);

impl Station {
    const ADDRESS: u64 = 1 << 48;
    /// Programs read numbers of JSON up to 2^53 at least; these are compared, and not reckoned with.
    const INTERFACE: u64 = 1 << 58;
    const HOST: u64 = 1 << 57;
    /// The side of an interface on which the host is that captured.
    const INNER: u64 = 1 << 56;
    /// Somebody, of whom no more is said.
    const ANYBODY: Self = Self(0);

    /// The station with this link address of 48 bits.
    const fn address(address: u64) -> Self {
        Self(Self::ADDRESS | address)
    }

    /// Whether it is the host that captured: it sends for everybody on it.
    #[must_use]
    pub const fn is_host(self) -> bool {
        self.0 & Self::HOST != 0
    }

    /// Whether it is a side of an interface, on which there may be one station or many. Nobody can pretend to be at another one.
    #[must_use]
    pub const fn is_interface(self) -> bool {
        self.0 & Self::INTERFACE != 0
    }

    /// Whether both are named in the same way, so that the one being somebody says that the other is not: link addresses are the same
    /// in all captures, interfaces are those of one.
    pub(crate) fn is_comparable(self, other: Self) -> bool {
        self.input() == other.input()
    }

    /// The capture of which it is an interface, if it is one.
    pub(crate) const fn input(self) -> Option<u64> {
        if self.0 & Self::INTERFACE == 0 { None } else { Some(self.0 >> 32 & 0xff_ffff) }
    }

    /// The number by which a flow file names it.
    pub(crate) const fn number(self) -> u64 {
        self.0
    }

    /// The station with that number.
    pub(crate) const fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// The same in one of several captures: interfaces have the same numbers on other hosts.
    const fn of_input(self, input: u32) -> Self {
        if self.0 & (Self::INTERFACE | Self::HOST) == 0 {
            return self;
        }
        Self(self.0 | (input as u64 & 0xff_ffff) << 32)
    }
}

/// Between whom a frame went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "(u64, u64, u8)", from = "(u64, u64, u8)")]
pub struct Stations {
    /// Who put it on the link.
    pub sender: Station,
    /// For whom.
    pub receiver: Station,
    /// Whether its IP header has the hop limit with which hosts send (64, 128 or 255), so that no router has passed it on. A program may
    /// send with any.
    pub is_first_hop: bool,
    /// Whether the packet came out of a tunnel that went between them.
    pub is_inside: bool,
}

impl Stations {
    /// The stations of a frame of this input, if its link names them.
    #[inline]
    #[must_use]
    pub fn of(frame: &Frame<'_>, input: u32) -> Option<Self> {
        match frame.link {
            LinkType::Ethernet => LinkHeader::of(frame)?.stations(),
            LinkType::EthernetAt { interface, is_inbound } => Some(Self::at(frame, (interface, is_inbound), input)),
            LinkType::LinuxCooked => Self::cooked_1(frame, input),
            LinkType::LinuxCooked2 => Self::cooked(frame, input),
            _ => None,
        }
    }

    /// The two sides of an interface. Link addresses say no more then: whoever sends the frame chooses them.
    fn at(frame: &Frame<'_>, (interface, is_inbound): (u16, bool), input: u32) -> Self {
        let outer = Station(Station::INTERFACE | u64::from(interface)).of_input(input);
        let inner = Station(outer.0 | Station::INNER);
        let (sender, receiver) = if is_inbound { (outer, inner) } else { (inner, outer) };
        let is_first_hop = LinkHeader::of(frame).is_some_and(|header| is_initial(header.hops()));
        Self { sender, receiver, is_first_hop, is_inside: false }
    }

    /// tcpdump.org, `LINKTYPE_LINUX_SLL`: the packet type and the sender's link address. To whom the host sends is not said.
    fn cooked_1(frame: &Frame<'_>, input: u32) -> Option<Self> {
        const ADDRESS_LENGTH: u16 = 6;
        let header = frame.data.first_chunk::<25>()?;
        let hops = match u16_at(header, 14) {
            0x0800 => header[24],
            0x86dd => header[23],
            _ => 0,
        };
        let is_first_hop = is_initial(hops);
        let host = Station(Station::HOST).of_input(input);
        let address = [header[6], header[7], header[8], header[9], header[10], header[11]];
        match u16_at(header, 0) {
            Self::OTHER_HOST => None,
            Self::OUTGOING => Some(Self { sender: host, receiver: Station::ANYBODY, is_first_hop, is_inside: false }),
            _ if u16_at(header, 4) != ADDRESS_LENGTH || address == [0; 6] => None,
            _ => {
                let [s0, s1, s2, s3, s4, s5] = address;
                let sender = Station::address(u64::from_be_bytes([0, 0, s0, s1, s2, s3, s4, s5]));
                Some(Self { sender, receiver: host, is_first_hop, is_inside: false })
            }
        }
    }

    /// Sent by the host itself (tcpdump.org, `LINKTYPE_LINUX_SLL`).
    const OUTGOING: u16 = 4;
    /// Between others.
    const OTHER_HOST: u16 = 3;

    /// tcpdump.org, `LINKTYPE_LINUX_SLL2`: the protocol, the interface and the packet type.
    fn cooked(frame: &Frame<'_>, input: u32) -> Option<Self> {
        let header = frame.data.first_chunk::<29>()?;
        let interface = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
        let hops = match u16_at(header, 0) {
            0x0800 => header[28],
            0x86dd => header[27],
            _ => 0,
        };
        let interface = Station(Station::INTERFACE | u64::from(interface)).of_input(input);
        let host = Station(Station::HOST).of_input(input);
        let (sender, receiver) = match u16::from(header[10]) {
            Self::OTHER_HOST => return None,
            Self::OUTGOING => (host, interface),
            _ => (interface, host),
        };
        Some(Self { sender, receiver, is_first_hop: is_initial(hops), is_inside: false })
    }

    /// The same in one of several captures.
    pub(crate) const fn of_input(self, input: u32) -> Self {
        Self { sender: self.sender.of_input(input), receiver: self.receiver.of_input(input), ..self }
    }

    /// Whether these are the stations of an answer, as far as the link goes.
    #[must_use]
    pub fn answers(&self, other: &Self) -> bool {
        let is_for = |sender: Station, receiver: Station| sender == receiver || receiver == Station::ANYBODY;
        is_for(self.sender, other.receiver) && is_for(other.sender, self.receiver) && self.sender != other.sender
    }
}

/// What an Ethernet frame says about its stations, as it lies in the frame: both addresses, the protocol and the hop limit.
///
/// It costs little to read and to compare, so that the stations of nearly all frames can be looked up by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LinkHeader([u64; 2]);

impl LinkHeader {
    /// Bits of the second number that hold the hop limit; those below hold the sender and the protocol.
    const HOPS: u32 = 48;

    /// The header of an Ethernet frame that is long enough for an IP header's hop limit; nothing of other links.
    #[inline]
    pub(crate) fn of(frame: &Frame<'_>) -> Option<Self> {
        if !frame.link.is_ethernet() {
            return None;
        }
        let header = frame.data.first_chunk::<23>()?;
        let [r0, r1, r2, r3, r4, r5, s0, s1, s2, s3, s4, s5, p0, p1, ..] = *header;
        let (is_ipv4, is_ipv6) = ([p0, p1] == [0x08, 0x00], [p0, p1] == [0x86, 0xdd]);
        let hops = if is_ipv4 { header[22] } else { header[21] & 0u8.wrapping_sub(u8::from(is_ipv6)) };
        let rest = u64::from_le_bytes([s2, s3, s4, s5, p0, p1, 0, 0]) | u64::from(hops) << Self::HOPS;
        Some(Self([u64::from_le_bytes([r0, r1, r2, r3, r4, r5, s0, s1]), rest]))
    }

    /// The hop limit; 0 if there is none.
    const fn hops(self) -> u8 {
        let [.., hops, _] = self.0[1].to_le_bytes();
        hops
    }

    /// A small number by which most headers of a link differ.
    #[inline]
    pub(crate) const fn digest(self) -> u8 {
        let mixed = (self.0[0] ^ self.0[1].rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed.to_be_bytes()[0]
    }

    /// Which stations it names.
    fn stations(self) -> Option<Stations> {
        const GROUP: u64 = 1 << 40;
        let [r0, r1, r2, r3, r4, r5, s0, s1] = self.0[0].to_le_bytes();
        let [s2, s3, s4, s5, _, _, hops, _] = self.0[1].to_le_bytes();
        let [receiver, sender] = [[0, 0, r0, r1, r2, r3, r4, r5], [0, 0, s0, s1, s2, s3, s4, s5]].map(u64::from_be_bytes);
        // A group sends nothing; some tools write zeros.
        (sender & GROUP == 0 && sender != 0).then(|| Stations {
            sender: Station::address(sender),
            receiver: Station::address(receiver),
            is_first_hop: is_initial(hops),
            is_inside: false,
        })
    }
}

impl From<Stations> for (u64, u64, u8) {
    fn from(stations: Stations) -> Self {
        let marks = u8::from(stations.is_first_hop) | u8::from(stations.is_inside) << 1;
        (stations.sender.number(), stations.receiver.number(), marks)
    }
}

impl From<(u64, u64, u8)> for Stations {
    fn from((sender, receiver, marks): (u64, u64, u8)) -> Self {
        let [sender, receiver] = [sender, receiver].map(Station::from_number);
        Self { sender, receiver, is_first_hop: marks & 1 != 0, is_inside: marks & 2 != 0 }
    }
}

/// What Linux, Windows and others begin with.
const fn is_initial(hops: u8) -> bool {
    matches!(hops, 64 | 128 | 255)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    fn stations(link: LinkType, head: &[u8], input: u32) -> Option<Stations> {
        let mut data = head.to_vec();
        data.resize(60, 0);
        Stations::of(&Frame { at: Timestamp(0), link, wire_length: 60, data: &data }, input)
    }

    #[test]
    fn a_link_names_its_stations() {
        let mut there = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45];
        there.resize(22, 0);
        there.push(64);
        let mut back = there.clone();
        back[..6].copy_from_slice(&there[6..12]);
        back[6..12].copy_from_slice(&there[..6]);
        back[22] = 63;
        let (there, back) = (stations(LinkType::Ethernet, &there, 0), stations(LinkType::Ethernet, &back, 9));
        let (there, back) = (there.expect("stations"), back.expect("stations"));
        assert!(there.answers(&back) && back.answers(&there) && !there.answers(&there));
        assert_eq!((there.is_first_hop, back.is_first_hop), (true, false));
        assert_eq!(stations(LinkType::Ethernet, &[2, 0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 1], 0), None, "a group sends nothing");
        assert_eq!(stations(LinkType::RawIp, &[0x45], 0), None);
    }

    #[test]
    fn a_capture_file_tells_the_interface_and_the_direction() {
        let of = |interface, is_inbound, input| {
            let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45];
            frame.resize(22, 0);
            frame.push(64);
            stations(LinkType::EthernetAt { interface, is_inbound }, &frame, input).expect("stations")
        };
        let (inbound, outbound) = (of(7, true, 0), of(7, false, 0));
        assert!(inbound.answers(&outbound) && outbound.answers(&inbound) && inbound.is_first_hop);
        assert!(inbound.sender.is_interface() && inbound.sender != outbound.sender && !inbound.sender.is_host());
        assert!(!of(8, true, 0).answers(&outbound), "another interface");
        assert!(!of(7, true, 1).answers(&outbound), "another capture");
    }

    #[test]
    fn a_cooked_capture_of_the_first_version_knows_the_sender() {
        let cooked = |packet_type: u8, last: u8| {
            let mut head = vec![0, packet_type, 0, 1, 0, 6, 2, 0, 0, 0, 0, last, 0, 0, 8, 0];
            head.resize(24, 0);
            head.push(64);
            head
        };
        let of = |packet_type, last| stations(LinkType::LinuxCooked, &cooked(packet_type, last), 0);
        let (from, to) = (of(0, 1).expect("stations"), of(4, 9).expect("stations"));
        assert!(from.answers(&to) && to.answers(&from) && to.sender.is_host() && from.is_first_hop);
        assert_ne!(from.sender, of(0, 2).expect("stations").sender);
        assert!(!from.answers(&of(0, 2).expect("stations")), "both came in");
        assert_eq!(of(3, 1), None, "between others");
    }

    #[test]
    fn a_cooked_capture_knows_the_interface_and_the_direction() {
        let cooked = |interface: u8, packet_type: u8| {
            let mut head = vec![8, 0, 0, 0, 0, 0, 0, interface, 0, 1, packet_type, 6];
            head.resize(28, 0);
            head.push(64);
            head
        };
        let of = |interface, packet_type, input| stations(LinkType::LinuxCooked2, &cooked(interface, packet_type), input);
        let (from, to) = (of(7, 0, 0).expect("stations"), of(7, 4, 0).expect("stations"));
        assert!(from.answers(&to) && to.sender.is_host() && from.is_first_hop);
        assert!(!of(8, 0, 0).expect("stations").answers(&to), "another interface");
        assert!(!of(7, 0, 1).expect("stations").answers(&to), "another capture");
        assert_eq!(of(7, 3, 0), None, "between others");
    }
}
