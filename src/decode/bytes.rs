//! Bytes of one layer: what was captured of them, and how many there were on the wire.

use super::tally::Skipped;

/// The rest of a frame from some layer on. The wire length comes from the capture at first, then from the lengths in the headers;
/// it may exceed what was captured (snaplen), and what was captured never exceeds it (trailers are cut off).
#[derive(Clone, Copy, Debug)]
pub(super) struct Bytes<'a> {
    captured: &'a [u8],
    wire_length: usize,
}

impl<'a> Bytes<'a> {
    #[inline]
    pub(super) fn new(captured: &'a [u8], wire_length: u32) -> Self {
        Self { captured, wire_length: captured.len().max(wire_length as usize) }
    }

    #[inline]
    pub(super) const fn captured(self) -> &'a [u8] {
        self.captured
    }

    #[inline]
    pub(super) const fn wire_length(self) -> usize {
        self.wire_length
    }

    /// Whether the capture has less of it than the wire had.
    #[inline]
    pub(super) const fn is_cut(self) -> bool {
        self.captured.len() < self.wire_length
    }

    /// Why `length` bytes cannot be read: they were on the wire and not captured, or they were never there.
    #[inline]
    pub(super) const fn missing(self, length: usize) -> Skipped {
        if self.wire_length >= length { Skipped::Cut } else { Skipped::Malformed }
    }

    /// The first `N` bytes.
    #[inline]
    pub(super) fn first<const N: usize>(self) -> Result<&'a [u8; N], Skipped> {
        self.captured.first_chunk().ok_or(self.missing(N))
    }

    /// What comes after the first `length` bytes, which were on the wire, though perhaps not captured.
    #[inline]
    pub(super) fn after(self, length: usize) -> Result<Self, Skipped> {
        let wire_length = self.wire_length.checked_sub(length).ok_or(Skipped::Malformed)?;
        Ok(Self { captured: self.captured.get(length..).unwrap_or_default(), wire_length })
    }

    /// As long as a header says. The header is believed where it says more than the wire length: tools that shorten frames do not
    /// all keep the first length, and headers that are whole are right all the same.
    #[inline]
    pub(super) fn limited(self, wire_length: usize) -> Self {
        Self { captured: &self.captured[..self.captured.len().min(wire_length)], wire_length }
    }
}

/// The big-endian number at `at` of a header that was checked to hold it.
#[inline]
pub(super) const fn u16_at<const N: usize>(header: &[u8; N], at: usize) -> u16 {
    u16::from_be_bytes([header[at], header[at + 1]])
}

/// The big-endian number at `at` of a header that was checked to hold it.
#[inline]
pub(super) const fn u32_at<const N: usize>(header: &[u8; N], at: usize) -> u32 {
    u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
}
