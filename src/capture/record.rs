//! What the readers of both file formats share.

use crate::decode::{Frame, LinkType};
use crate::model::Timestamp;

/// Captured bytes of a frame that are always accepted: libpcap's own `MAXIMUM_SNAPLEN`.
const LEAST_FRAME_LIMIT: u32 = 256 * 1024;
/// Captured bytes of a frame that are never accepted beyond, whatever snaplen the file claims.
const MOST_FRAME_LIMIT: u32 = 16 * 1024 * 1024;

/// The most that a frame of a file with this snaplen may hold; more is a damaged length, not a frame.
pub(super) fn frame_limit(snaplen: u32) -> u32 {
    snaplen.clamp(LEAST_FRAME_LIMIT, MOST_FRAME_LIMIT)
}

/// The order of a file's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ByteOrder {
    Little,
    Big,
}

impl ByteOrder {
    #[inline]
    pub(super) fn u16<const N: usize>(self, bytes: &[u8; N], at: usize) -> u16 {
        let bytes = [bytes[at], bytes[at + 1]];
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }

    #[inline]
    pub(super) fn u32<const N: usize>(self, bytes: &[u8; N], at: usize) -> u32 {
        let number = u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        if self == Self::Little { number } else { number.swap_bytes() }
    }
}

/// A frame in the window: its bytes end `distance - captured` bytes before the window's position.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    pub(super) at: Timestamp,
    pub(super) link: LinkType,
    pub(super) wire_length: u32,
    /// From the frame's first byte to the window's position.
    pub(super) distance: usize,
    pub(super) captured: usize,
}

impl Record {
    /// The frame, of which these are the bytes.
    #[inline]
    pub(super) const fn frame<'a>(&self, data: &'a [u8]) -> Frame<'a> {
        Frame { at: self.at, link: self.link, wire_length: self.wire_length, data }
    }
}

/// What a reader of records came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next<T> {
    /// It is there.
    Is(T),
    /// The end, between two records.
    End,
    /// The end of what can be read, inside something: what is missing or wrong, as the rest of a sentence that begins with the
    /// file.
    Cut(String),
}

impl<T> Next<T> {
    /// Why there is nothing, where there is nothing.
    pub(super) fn without<U>(self) -> Next<U> {
        match self {
            Self::Is(_) | Self::End => Next::End,
            Self::Cut(why) => Next::Cut(why),
        }
    }
}
