//! The pcapng format (draft-ietf-opsawg-pcapng): sections of either byte order, interfaces of any link type and time unit,
//! enhanced, simple and obsolete packet blocks. Other blocks are stepped over.
//!
//! A block whose content is wrong, such as a packet of an interface that was not described, is left out and counted; a block
//! whose length is wrong ends the reading, since nothing tells where the next one begins.

use std::io::Read;

use super::record::{ByteOrder, Next, Record, frame_limit};
use super::window::Window;
use crate::decode::LinkType;
use crate::model::Timestamp;

pub(super) const SECTION_MAGIC: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
/// Of the section header up to the section length.
pub(super) const HEADER: usize = 24;

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// Blocks that are looked into are held whole; larger ones are damaged.
const BLOCK_LIMIT: u32 = 17 * 1024 * 1024;
/// Interfaces of a section that are remembered; an obsolete packet block cannot name more.
const MAX_INTERFACES: usize = 65536;

/// Where a section is.
#[derive(Clone, Debug)]
pub(super) struct Pcapng {
    order: ByteOrder,
    interfaces: Vec<Interface>,
    /// Of the last packet: simple packet blocks have no time of their own.
    pub(super) last: Timestamp,
    /// Packets left out because their block contradicts itself or the section.
    pub(super) left_out: u64,
    /// How often there was what the blocks after it depend on: a section, an interface, a packet that has the time of the one before.
    pub(super) changes: u64,
}

#[derive(Clone, Copy, Debug)]
struct Interface {
    link: LinkType,
    snaplen: u32,
    unit: TimeUnit,
    offset_seconds: i64,
}

/// How many nanoseconds a unit of time is (option `if_tsresol`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TimeUnit {
    /// This many.
    Nanoseconds(u64),
    /// One of so many parts of a nanosecond.
    Parts(u64),
    /// A second divided by a power of two.
    Binary(u8),
    /// So small that no time can be told.
    Vanishing,
}

impl TimeUnit {
    /// Section 4.2: the highest bit chooses the base, the others are the negative exponent.
    const fn from_option(value: u8) -> Self {
        let exponent = value & 0x7f;
        match (value & 0x80, exponent) {
            (0, 0..=9) => Self::Nanoseconds(10_u64.pow(9 - exponent as u32)),
            (0, 10..=28) => Self::Parts(10_u64.pow(exponent as u32 - 9)),
            (0, _) => Self::Vanishing,
            _ => Self::Binary(exponent),
        }
    }

    fn nanoseconds(self, ticks: u64) -> i64 {
        match self {
            Self::Nanoseconds(each) => i64::try_from(ticks.saturating_mul(each)).unwrap_or(i64::MAX),
            Self::Parts(each) => i64::try_from(ticks / each).unwrap_or(i64::MAX),
            Self::Binary(exponent) => i64::try_from((u128::from(ticks) * 1_000_000_000) >> exponent).unwrap_or(i64::MAX),
            Self::Vanishing => 0,
        }
    }
}

impl Interface {
    fn time(&self, high: u32, low: u32) -> Timestamp {
        let ticks = (u64::from(high) << 32) | u64::from(low);
        Timestamp(self.unit.nanoseconds(ticks)).plus(self.offset_seconds.saturating_mul(1_000_000_000))
    }
}

impl Pcapng {
    /// Before the first section header, of which `head` is the start; `None` if it is none.
    pub(super) fn from_header(head: &[u8; HEADER]) -> Option<Self> {
        let order = section_order(head)?;
        Some(Self { order, interfaces: Vec::new(), last: Timestamp::default(), left_out: 0, changes: 0 })
    }

    /// The packet of the block at the beginning of these bytes, and the block's length, if it is whole and there is nothing to be
    /// said of it.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "what it returns is used at once and never put together in memory")]
    pub(super) fn here(&self, bytes: &[u8]) -> Option<(Record, usize)> {
        let head = bytes.first_chunk::<8>()?;
        let (kind, claimed) = (self.order.u32(head, 0), self.order.u32(head, 4));
        if kind != ENHANCED_PACKET || !(32..BLOCK_LIMIT).contains(&claimed) || claimed % 4 != 0 {
            return None;
        }
        let length = claimed as usize;
        let block = bytes.get(..length)?;
        if self.order.u32(block.last_chunk::<4>()?, 0) != claimed {
            return None;
        }
        let record = self.packet(kind, &block[8..length - 4])?;
        Some((Record { distance: length - 8 - record.distance, ..record }, length))
    }

    /// The next packet. The window stands behind its block then.
    pub(super) fn advance<R: Read>(&mut self, window: &mut Window<R>) -> Next<Record> {
        loop {
            let Some(head) = window.peek::<8>() else {
                return match window.ready().len() {
                    0 => Next::End,
                    there => Next::Cut(format!("ends inside a block header, of which {there} of 8 bytes are there")),
                };
            };
            if *head == [0; 8] {
                return Next::Cut("ends in zeros: it was not written to its end".into());
            }
            // The same in both orders, which this block is about to tell.
            let is_section = head[..4] == SECTION_MAGIC;
            let kind = if is_section { SECTION } else { self.order.u32(head, 0) };
            if is_section {
                let Some(head) = window.peek::<HEADER>() else {
                    return Next::Cut("ends inside a section header".into());
                };
                let Some(order) = section_order(head) else {
                    return Next::Cut("has a section without byte order; what follows was not read".into());
                };
                self.order = order;
                self.changes += 1;
                self.interfaces.clear();
            }
            let Some(head) = window.peek::<8>() else { return Next::End };
            let claimed = self.order.u32(head, 4);
            if claimed < 12 {
                return Next::Cut(format!(
                    "has a block that claims {claimed} bytes, which is no block; what follows was not read"
                ));
            }
            // Some writers do not count the padding; Wireshark reads their files, too.
            let length = u64::from(claimed).next_multiple_of(4);
            if !matches!(kind, INTERFACE | OBSOLETE_PACKET | SIMPLE_PACKET | ENHANCED_PACKET) {
                if window.skip(length) {
                    continue;
                }
                return Next::Cut(format!("ends inside a block of {length} bytes"));
            }
            if claimed > BLOCK_LIMIT {
                return Next::Cut(format!("has a block that claims {claimed} bytes; what follows was not read"));
            }
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            if !window.has(length) {
                return Next::Cut(format!("ends inside a block, of which {} of {length} bytes are there", window.ready().len()));
            }
            let block = &window.ready()[..length];
            let trailer = block.last_chunk::<4>().map(|trailer| self.order.u32(trailer, 0));
            if trailer != Some(claimed) {
                return Next::Cut("has a block whose two lengths differ; what follows was not read".into());
            }
            let body = &block[8..length - 4];
            let packet = if kind == INTERFACE {
                self.changes += 1;
                self.describe(body);
                None
            } else {
                self.changes += u64::from(kind == SIMPLE_PACKET);
                let packet = self.packet(kind, body);
                self.left_out += u64::from(packet.is_none());
                packet
            };
            window.step(length);
            if let Some(mut record) = packet {
                // The packet told where it is in the body; from now on it counts from the block's end.
                record.distance = length - 8 - record.distance;
                self.last = record.at;
                return Next::Is(record);
            }
        }
    }

    /// Where in these bytes, taken from the middle of the section at a multiple of four, a packet's block seems to begin: several
    /// blocks in a row make sense. It may be wrong: frames may hold what looks like that.
    pub(super) fn guess(&self, bytes: &[u8]) -> Option<usize> {
        (0..bytes.len()).step_by(4).find(|&from| {
            let mut at = from;
            for confirmed in 0..3 {
                let Some(head) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) else {
                    return confirmed > 0 && at == bytes.len();
                };
                let claimed = self.order.u32(head, 4);
                let length = claimed.next_multiple_of(4) as usize;
                let is_packet = self.order.u32(head, 0) == ENHANCED_PACKET && (32..BLOCK_LIMIT).contains(&claimed);
                let trailer = |end: usize| bytes.get(end - 4..end).and_then(|trailer| trailer.first_chunk::<4>());
                if !is_packet || trailer(at + length).is_none_or(|trailer| self.order.u32(trailer, 0) != claimed) {
                    return false;
                }
                at += length;
            }
            true
        })
    }

    /// Section 4.2. A description that is cut counts, since those after it count from it; its packets are left out.
    fn describe(&mut self, body: &[u8]) {
        if self.interfaces.len() == MAX_INTERFACES {
            return;
        }
        let mut interface =
            Interface { link: LinkType::Unsupported(u16::MAX), snaplen: 0, unit: TimeUnit::Nanoseconds(1000), offset_seconds: 0 };
        if let Some((fixed, mut options)) = body.split_first_chunk::<8>() {
            interface.link = LinkType::from_number(self.order.u16(fixed, 0));
            interface.snaplen = self.order.u32(fixed, 4);
            // Section 3.5. No end of options is needed, and an option that is longer than the block ends them.
            while let Some((head, rest)) = options.split_first_chunk::<4>() {
                let (code, length) = (self.order.u16(head, 0), usize::from(self.order.u16(head, 2)));
                let Some(value) = rest.get(..length) else { break };
                match (code, value) {
                    (0, _) => break,
                    (9, [resolution]) => interface.unit = TimeUnit::from_option(*resolution),
                    (14, _) => {
                        if let Ok(value) = <[u8; 8]>::try_from(value) {
                            interface.offset_seconds = match self.order {
                                ByteOrder::Little => i64::from_le_bytes(value),
                                ByteOrder::Big => i64::from_be_bytes(value),
                            };
                        }
                    }
                    _ => {}
                }
                options = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
            }
        }
        self.interfaces.push(interface);
    }

    /// A packet in the body of its block, with its place there as `distance`; `None` if it cannot be.
    #[inline]
    fn packet(&self, kind: u32, body: &[u8]) -> Option<Record> {
        let order = self.order;
        if kind == SIMPLE_PACKET {
            // Section 4.4: the first interface, no time, and as much as its snaplen admits.
            let interface = self.interfaces.first()?;
            let wire_length = order.u32(body.first_chunk::<4>()?, 0);
            let snaplen = if interface.snaplen == 0 { u32::MAX } else { interface.snaplen };
            let there = u32::try_from(body.len() - 4).unwrap_or(u32::MAX);
            let captured = wire_length.min(snaplen);
            if captured > there {
                return None;
            }
            return Some(Record { at: self.last, link: interface.link, wire_length, distance: 4, captured: captured as usize });
        }
        let fixed = body.first_chunk::<20>()?;
        // Section 4.3; and A.1, where the interface has 16 bits, and drops the other 16.
        let identifier = if kind == OBSOLETE_PACKET { usize::from(order.u16(fixed, 0)) } else { order.u32(fixed, 0) as usize };
        let interface = self.interfaces.get(identifier)?;
        let at = interface.time(order.u32(fixed, 4), order.u32(fixed, 8));
        let captured = order.u32(fixed, 12);
        if captured > frame_limit(interface.snaplen) || captured as usize > body.len() - 20 {
            return None;
        }
        let wire_length = order.u32(fixed, 16).max(captured);
        let captured = captured as usize;
        let options = body.get(20 + captured.next_multiple_of(4)..).filter(|options| options.len() >= 8);
        let link = match options {
            Some(options) if interface.link == LinkType::Ethernet => self.link_at(identifier, options),
            _ => interface.link,
        };
        Some(Record { at, link, wire_length, distance: 20, captured })
    }

    /// Returns the link type of an Ethernet packet with its interface and direction, if the option `epb_flags` says the direction
    /// (draft-ietf-opsawg-pcapng, section 4.3.1); otherwise plain Ethernet.
    fn link_at(&self, identifier: usize, mut options: &[u8]) -> LinkType {
        const FLAGS: u16 = 2;
        while let Some((head, rest)) = options.split_first_chunk::<4>() {
            let (code, length) = (self.order.u16(head, 0), usize::from(self.order.u16(head, 2)));
            let Some(value) = rest.get(..length) else { break };
            match (code, <&[u8; 4]>::try_from(value)) {
                (0, _) => break,
                (FLAGS, Ok(flags)) => {
                    let Ok(interface) = u16::try_from(identifier) else { break };
                    return match self.order.u32(flags, 0) & 3 {
                        1 => LinkType::EthernetAt { interface, is_inbound: true },
                        2 => LinkType::EthernetAt { interface, is_inbound: false },
                        _ => LinkType::Ethernet,
                    };
                }
                _ => {}
            }
            options = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
        LinkType::Ethernet
    }
}

/// The byte order that a section header tells; `None` if it is none.
fn section_order(head: &[u8; HEADER]) -> Option<ByteOrder> {
    match head[8..12] {
        [0x4d, 0x3c, 0x2b, 0x1a] => Some(ByteOrder::Little),
        [0x1a, 0x2b, 0x3c, 0x4d] => Some(ByteOrder::Big),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_units_of_every_kind() {
        let rows: &[(&str, u8, u64, i64)] = &[
            ("seconds", 0, 5, 5_000_000_000),
            ("milliseconds", 3, 5, 5_000_000),
            ("microseconds", 6, 5, 5_000),
            ("nanoseconds", 9, 5, 5),
            ("picoseconds", 12, 5_000, 5),
            ("beyond what 64 bits count", 127, u64::MAX, 0),
            ("whole seconds in base two", 0x80, 3, 3_000_000_000),
            ("halves", 0x81, 3, 1_500_000_000),
            ("NTP fractions", 0x80 | 32, 1 << 31, 500_000_000),
            ("the smallest in base two", 0xff, u64::MAX, 0),
            ("absurd times saturate", 0, u64::MAX, i64::MAX),
            ("absurd times in base two saturate", 0x80, u64::MAX, i64::MAX),
        ];
        for (what, option, ticks, expected) in rows {
            assert_eq!(TimeUnit::from_option(*option).nanoseconds(*ticks), *expected, "{what}");
        }
    }
}
