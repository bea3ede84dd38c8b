//! Whether captures have the beginnings of UDP conversations, which have no opening to show it.

use super::SECOND;
use crate::model::{Beginning, Timestamp};

/// Without a packet for so long, a conversation had not begun, or had ended: what keeps one alive is sent at least every 30 seconds
/// (RFC 5626, section 4.4.1: SIP, 24 to 29 s; RFC 3948, section 4: ESP, 20 s; RFC 9308, section 3.2: QUIC, 30 s). Wrong for one that
/// its server alone keeps up, less often.
const SILENCE: u64 = 30 * SECOND.unsigned_abs();
/// Without a packet for so long, a stream that never pauses had not begun. A pause that is no longer is not seen.
const PAUSE: u64 = SECOND.unsigned_abs() / 10;
/// Frames may be so much earlier than the first one of their capture.
const DISORDER: i64 = SECOND;

/// When captures began, and from when on conversations were closed early, so that their rest looks like another one.
#[derive(Clone, Debug, Default)]
pub(super) struct Beginnings {
    captures: Vec<Timestamp>,
    incomplete: Option<Timestamp>,
}

impl Beginnings {
    /// A capture began; tells whether that was not known.
    pub(super) fn add(&mut self, at: Timestamp) -> bool {
        let Err(place) = self.captures.binary_search(&at) else { return false };
        self.captures.insert(place, at);
        true
    }

    /// Whether any capture began.
    pub(super) const fn is_empty(&self) -> bool {
        self.captures.is_empty()
    }

    /// Conversations are closed early from then on.
    pub(super) fn close_early(&mut self, at: Timestamp) {
        self.incomplete = Some(self.incomplete.map_or(at, |known| known.min(at)));
    }

    /// Whether the first packet of a conversation is its beginning. `tenths` are the tenths of a second, modulo 64, with packets. Which
    /// capture has it is not known: the last one that had begun decides.
    pub(super) fn of(&self, first: Timestamp, last: Timestamp, tenths: u64) -> Beginning {
        if self.incomplete.is_some_and(|incomplete| first >= incomplete) {
            return Beginning::Unknown;
        }
        let begun = self.captures.partition_point(|at| *at <= first.plus(DISORDER));
        let Some(&capture) = begun.checked_sub(1).and_then(|latest| self.captures.get(latest)) else {
            return Beginning::Unknown;
        };
        match if first < capture { 0 } else { first.after(capture) } {
            SILENCE.. => Beginning::Seen,
            PAUSE.. if !has_pause(first, last, tenths) => Beginning::Likely,
            _ => Beginning::Unknown,
        }
    }
}

/// Whether there is a tenth of a second between the first and the last in which nothing was sent. Wrong for a conversation that went
/// on for so long that its packets fell into all 64.
fn has_pause(first: Timestamp, last: Timestamp, tenths: u64) -> bool {
    let number = |at: Timestamp| at.0.div_euclid(SECOND / 10);
    let length = number(last).abs_diff(number(first)) + 1;
    u64::from(tenths.count_ones()) < length.min(64)
}

#[cfg(test)]
mod tests {
    use super::super::conversation::tenth;
    use super::*;

    /// What it shows, when captures began, the conversation's packets, what is known.
    type Row<'a> = (&'a str, &'a [i64], &'a [i64], Beginning);

    #[test]
    fn a_beginning_is_known_by_the_silence_before_it() {
        let at = |milliseconds: i64| Timestamp(milliseconds * 1_000_000);
        let stream: Vec<i64> = (0..100).map(|number| 10_200 + number * 20).collect();
        let rows: [Row; 9] = [
            ("no capture is known", &[], &[10_000], Beginning::Unknown),
            ("at once", &[10_000], &[10_000, 10_001], Beginning::Unknown),
            ("a moment later", &[10_000], &[10_050, 10_051], Beginning::Unknown),
            ("a stream after more than its pauses", &[10_000], &stream, Beginning::Likely),
            ("one exchange after a pause", &[10_000], &[10_500, 10_501], Beginning::Likely),
            ("with pauses of its own", &[10_000], &[15_000, 15_001, 25_000, 25_001], Beginning::Unknown),
            ("after silence", &[10_000], &[40_000, 40_001, 50_000], Beginning::Seen),
            ("another capture had just begun", &[10_000, 39_990], &[40_000, 40_001], Beginning::Unknown),
            ("another capture began later", &[10_000, 60_000], &[40_000, 40_001], Beginning::Seen),
        ];
        for (message, captures, packets, expected) in rows {
            let mut beginnings = Beginnings::default();
            for capture in captures {
                beginnings.add(at(*capture));
            }
            let tenths = packets.iter().fold(0, |tenths, packet| tenths | tenth(at(*packet)));
            let (Some(first), Some(last)) = (packets.first(), packets.last()) else { panic!("{message}") };
            assert_eq!(beginnings.of(at(*first), at(*last), tenths), expected, "{message}");
            beginnings.close_early(at(*first));
            assert_eq!(beginnings.of(at(*first), at(*last), tenths), Beginning::Unknown, "{message}, but closed early");
        }
    }
}
