//! The pcap format (draft-ietf-opsawg-pcap): both byte orders, microseconds and nanoseconds, and Kuznetzov's variant with longer
//! record headers.

use std::io::Read;

use super::record::{ByteOrder, Next, Record, frame_limit};
use super::window::Window;
use crate::decode::LinkType;
use crate::model::Timestamp;

pub(super) const HEADER: usize = 24;

/// What the file's header says of its records.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pcap {
    pub(super) order: ByteOrder,
    nanoseconds_per_fraction: u32,
    record_header: usize,
    link: LinkType,
    frame_limit: u32,
}

impl Pcap {
    /// By the magic number at the start of a file.
    pub(super) fn is_magic(head: [u8; 4]) -> bool {
        magic(head).is_some()
    }

    /// `None` if the header is none. Version numbers and time zone are not looked at: no writer of two decades set them
    /// otherwise.
    pub(super) fn from_header(header: &[u8; HEADER]) -> Option<Self> {
        let (order, nanoseconds_per_fraction, record_header) = magic([header[0], header[1], header[2], header[3]])?;
        // The upper half tells of frame check sequences at the end of frames, which IP lengths cut off anyway.
        let link = LinkType::from_number((order.u32(header, 20) & 0xffff) as u16);
        let frame_limit = frame_limit(order.u32(header, 16));
        Some(Self { order, nanoseconds_per_fraction, record_header, link, frame_limit })
    }

    /// The record at the beginning of these bytes, which have this order, and its length, if it is whole and there is nothing to be
    /// said of it.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "what it returns is used at once and never put together in memory")]
    pub(super) fn here(&self, order: ByteOrder, bytes: &[u8]) -> Option<(Record, usize)> {
        let header = bytes.first_chunk::<16>()?;
        let captured = order.u32(header, 8);
        let length = self.record_header + captured as usize;
        let is_usual = captured > 0 && captured <= self.frame_limit && length <= bytes.len();
        is_usual.then(|| (self.record(order, header), length))
    }

    /// The record with this header.
    #[inline]
    fn record(&self, order: ByteOrder, header: &[u8; 16]) -> Record {
        let seconds = order.u32(header, 0);
        let fraction = order.u32(header, 4);
        let captured_length = order.u32(header, 8);
        let wire_length = order.u32(header, 12).max(captured_length);
        // It fits: 2^32 s are less than 2^63 ns by half, and a fraction beyond its second moves on at most 4295 s.
        let at = Timestamp(i64::from(seconds) * 1_000_000_000 + i64::from(fraction) * i64::from(self.nanoseconds_per_fraction));
        let captured = captured_length as usize;
        Record { at, link: self.link, wire_length, distance: captured, captured }
    }

    /// The next record. The window stands behind it then.
    #[inline]
    pub(super) fn advance<R: Read>(&self, window: &mut Window<R>) -> Next<Record> {
        let Some(header) = window.peek::<16>() else {
            return match window.ready().len() {
                0 => Next::End,
                there => {
                    Next::Cut(format!("ends inside a packet header, of which {there} of {} bytes are there", self.record_header))
                }
            };
        };
        let captured_length = self.order.u32(header, 8);
        let record = self.record(self.order, header);
        if *header == [0; 16] {
            return Next::Cut("ends in zeros: it was not written to its end".into());
        }
        if captured_length > self.frame_limit {
            return Next::Cut(format!("has a packet that claims {captured_length} bytes; what follows was not read"));
        }
        let captured = captured_length as usize;
        let whole = self.record_header + captured;
        if !window.has(whole) {
            let there = window.ready().len().saturating_sub(self.record_header);
            return Next::Cut(format!("ends inside a packet, of which {there} of {captured} bytes are there"));
        }
        window.step(whole);
        Next::Is(record)
    }
}

impl Pcap {
    /// Where in these bytes, taken from the middle of a file, a record seems to begin: several headers in a row make sense, at
    /// times not too far from `near`. It may be wrong: frames may hold what looks like that.
    pub(super) fn guess(&self, bytes: &[u8], near: Timestamp) -> Option<usize> {
        (0..bytes.len()).find(|&from| {
            let mut at = from;
            for confirmed in 0..GUESS_HEADERS {
                let Some(header) = bytes.get(at..).and_then(|rest| rest.first_chunk::<16>()) else {
                    return confirmed > 0 && at == bytes.len();
                };
                let captured = self.order.u32(header, 8);
                let makes_sense = i64::from(self.order.u32(header, 0)).abs_diff(near.0 / 1_000_000_000) < GUESS_SECONDS
                    && u64::from(self.order.u32(header, 4)) * u64::from(self.nanoseconds_per_fraction) < 1_000_000_000
                    && (1..=self.frame_limit).contains(&captured)
                    && (captured..captured.saturating_add(65536)).contains(&self.order.u32(header, 12));
                if !makes_sense {
                    return false;
                }
                at += self.record_header + captured as usize;
            }
            true
        })
    }
}

/// Headers in a row that make a guess,
const GUESS_HEADERS: usize = 4;
/// and how far (seconds) their times may be from where the file begins.
const GUESS_SECONDS: u64 = 400 * 24 * 3600;

/// Byte order, nanoseconds in a unit of the time's fraction, length of record headers.
fn magic(head: [u8; 4]) -> Option<(ByteOrder, u32, usize)> {
    for (order, number) in [(ByteOrder::Little, u32::from_le_bytes(head)), (ByteOrder::Big, u32::from_be_bytes(head))] {
        match number {
            0xa1b2_c3d4 => return Some((order, 1000, 16)),
            0xa1b2_3c4d => return Some((order, 1, 16)),
            0xa1b2_cd34 => return Some((order, 1000, 24)),
            _ => {}
        }
    }
    None
}
