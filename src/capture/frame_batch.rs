//! Frames that have been decoded where they were read, for whoever merges them.

use super::record::Record;
use super::timestamp_filter::is_near;
use crate::decode::{Decoder, Tally};
use crate::flow::Batch;
use crate::model::Timestamp;

/// Frames of a part of a file, or of parts of several files in the order of time.
#[derive(Debug)]
pub struct Decoded {
    /// One for each frame.
    pub batch: Batch,
    /// What decoders made of them, or of some that follow.
    pub tally: Tally,
}

impl Decoded {
    /// None yet, in that batch.
    pub(super) fn empty(mut batch: Batch) -> Self {
        batch.clear();
        Self { batch, tally: Tally::default() }
    }
}

/// The times of frames that follow one another in a file.
#[derive(Debug)]
pub(super) struct Times {
    pub(super) frames: u64,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    pub(super) latest: Timestamp,
    /// Frames that are earlier than the one before.
    pub(super) backwards: u64,
}

impl Times {
    pub(super) const fn new() -> Self {
        Self { frames: 0, first: Timestamp::MAX, last: Timestamp::MIN, latest: Timestamp::MIN, backwards: 0 }
    }

    /// Whether a frame at that time may follow.
    #[inline]
    pub(super) const fn is_next(&self, at: Timestamp) -> bool {
        self.frames == 0 || is_near(self.last, at)
    }

    #[inline]
    pub(super) fn saw(&mut self, at: Timestamp) {
        if self.frames == 0 {
            self.first = at;
        } else {
            self.backwards += u64::from(at < self.last);
        }
        self.frames += 1;
        self.last = at;
        self.latest = self.latest.max(at);
    }
}

/// Decodes the records that `here` finds at the beginning of these bytes, one after the other, until it finds none or one that must
/// not follow. Returns how many bytes they are.
#[inline]
pub(super) fn take_usual(
    bytes: &[u8],
    (batch, times): (&mut Batch, &mut Times),
    decoder: &mut Decoder,
    mut here: impl FnMut(&[u8]) -> Option<(Record, usize)>,
) -> usize {
    let mut taken = 0;
    while let Some((record, length)) = here(&bytes[taken..])
        && times.is_next(record.at)
    {
        taken += length;
        let from = taken - record.distance;
        batch.take(&record.frame(&bytes[from..from + record.captured]), decoder);
        times.saw(record.at);
    }
    taken
}
