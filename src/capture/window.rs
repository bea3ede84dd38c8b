//! A window that slides over a stream: contiguous bytes, one buffer, no copies but of what straddles its end.

use std::io::{self, Read};

/// How much is asked of the source at once, and the size that a window does not leave unless one record is larger.
const CHUNK: usize = 272 * 1024;
/// The same where hundreds of streams are open.
const SPARING: usize = 32 * 1024;

/// Bytes of a stream, looked at in place. Reading never fails: an error is an end of the stream that [`Window::failure`] tells.
pub(super) struct Window<R> {
    source: R,
    chunk: usize,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Bytes taken from the source.
    taken: u64,
    is_ended: bool,
    failure: Option<io::Error>,
}

impl<R: Read> Window<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source, chunk: CHUNK, buffer: Vec::new(), start: 0, end: 0, taken: 0, is_ended: false, failure: None }
    }

    /// A window with little memory.
    pub(super) fn sparing(source: R) -> Self {
        Self { chunk: SPARING, ..Self::new(source) }
    }

    /// Begins again, with another source and the same buffer.
    pub(super) fn restart(&mut self, source: R) {
        let buffer = std::mem::take(&mut self.buffer);
        *self = Self { buffer, chunk: self.chunk, ..Self::new(source) };
    }

    /// How far into the stream the window is.
    #[inline]
    pub(super) const fn offset(&self) -> u64 {
        self.taken - (self.end - self.start) as u64
    }

    /// What is there without reading on.
    #[inline]
    pub(super) fn ready(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Whether `length` bytes are there, reading as needed. The buffer grows with the bytes that come, never with what a header
    /// claims.
    #[inline]
    pub(super) fn has(&mut self, length: usize) -> bool {
        self.end - self.start >= length || self.fill(length)
    }

    /// The next `N` bytes, which stay.
    #[inline]
    pub(super) fn peek<const N: usize>(&mut self) -> Option<&[u8; N]> {
        if self.has(N) { self.ready().first_chunk() } else { None }
    }

    /// Steps over `length` bytes that are there. They stay readable through [`Window::behind`] until the next reading.
    #[inline]
    pub(super) fn step(&mut self, length: usize) {
        debug_assert!(length <= self.end - self.start, "only over what is there");
        self.start = self.end.min(self.start + length);
    }

    /// The `length` bytes that begin `distance` bytes before where the window is.
    #[inline]
    pub(super) fn behind(&self, distance: usize, length: usize) -> &[u8] {
        let from = self.start - distance;
        &self.buffer[from..from + length]
    }

    /// Steps over `length` bytes, however many; false if there are fewer.
    pub(super) fn skip(&mut self, mut length: u64) -> bool {
        loop {
            let there = (self.end - self.start) as u64;
            if length <= there {
                self.start += usize::try_from(length).unwrap_or_default();
                return true;
            }
            length -= there;
            self.start = self.end;
            if !self.has(1) {
                return false;
            }
        }
    }

    /// Why the stream ended, if not because it was at its end.
    pub(super) fn failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    #[cold]
    fn fill(&mut self, length: usize) -> bool {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        while self.end < length && !self.is_ended {
            if self.end == self.buffer.len() {
                // Doubling as the bytes come: a claim of 16 MB in a file of 100 bytes costs nothing.
                self.buffer.resize((self.buffer.len() * 2).max(self.chunk), 0);
            }
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.is_ended = true,
                Ok(count) => {
                    let count = count.min(self.buffer.len() - self.end);
                    self.end += count;
                    self.taken += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.is_ended = true;
                    self.failure = Some(error);
                }
            }
        }
        self.end >= length
    }
}
