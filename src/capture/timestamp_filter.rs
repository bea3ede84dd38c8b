//! Times of frames in, times that can be believed out.
//!
//! A damaged header or a clock that was set gives a frame a time that is years away. What follows such a time ends all
//! conversations under way, and the frame itself is lost to its own. So a time is asked of the frames around it: in one file
//! these were written one after the other, whatever their clock said.

use crate::model::{Code, Findings, Timestamp};

const DAY: u64 = 24 * 3600 * 1_000_000_000;
/// Nothing that was captured in one go is silent for so long.
const FAR: u64 = 365 * DAY;
/// Frames that are read ahead before a jump is taken for a pause or a clock that was set.
const AHEAD: usize = 16;

/// The clock of one file.
#[derive(Debug, Default)]
pub(super) struct Clock {
    /// The time of the frame that was given out last.
    last: Option<Timestamp>,
    strays: u64,
    /// The first frame that was given another time, and its own.
    first_stray: Option<(u64, Timestamp)>,
    /// The first frame after a jump that was believed, with the times before and after it.
    jump: Option<(u64, Timestamp, Timestamp)>,
}

impl Clock {
    /// Whether a frame at this time may be given out without looking at those that follow.
    pub(super) fn is_steady(&self, at: Timestamp) -> bool {
        self.last.is_some_and(|last| is_near(last, at))
    }

    pub(super) const fn gave(&mut self, at: Timestamp) {
        self.last = Some(at);
    }

    /// The times of frames that were read ahead, the first being frame `number` of the file; `next` is the frame after them, if
    /// the file has one. Nothing if more must be read, which is never more than [`AHEAD`] frames.
    ///
    /// Frames that are a day away from the one before them and from one that soon follows get the time of the one before. At
    /// the ends of the file, where one side is missing, a single frame does that is a year away.
    pub(super) fn judge(&mut self, number: u64, ahead: &[Timestamp], next: Option<Timestamp>) -> Option<Vec<Timestamp>> {
        let righted = match (self.last, ahead, next) {
            (Some(last), _, Some(next)) if is_near(last, next) => vec![last; ahead.len()],
            (Some(last), [lone], None) if is_far(last, *lone) => vec![last],
            (None, [first], Some(second)) if is_far(*first, second) => return None,
            (None, [first, second], Some(third)) if is_far(*first, *second) && is_near(*second, third) => vec![*second; 2],
            (None, [first, _], Some(third)) if is_near(*first, third) => vec![*first; 2],
            (Some(_), _, Some(_)) if ahead.len() < AHEAD => return None,
            _ => ahead.to_vec(),
        };
        let mut before = self.last;
        for ((number, at), righted) in (number..).zip(ahead).zip(&righted) {
            if at != righted {
                self.strays += 1;
                self.first_stray.get_or_insert((number, *at));
            } else if let Some(before) = before.filter(|before| is_far(*before, *at)) {
                self.jump.get_or_insert((number, before, *at));
            }
            before = Some(*righted);
        }
        Some(righted)
    }

    /// What is to be said of the file called `subject`.
    pub(super) fn findings(&self, subject: &str) -> Findings {
        let mut findings = Findings::default();
        if let Some((number, at)) = self.first_stray {
            let message = format!("has a frame ({number}) at {at}, far from the frames around it: it was given their time");
            findings.add_many(Code::ClockJump, subject, message, self.strays);
        }
        if let Some((number, before, after)) = self.jump {
            findings.add(Code::ClockJump, subject, format!("goes from {before} to {after} at frame {number}"));
        }
        findings
    }
}

pub(super) const fn is_near(one: Timestamp, other: Timestamp) -> bool {
    distance(one, other) <= DAY
}

pub(super) const fn is_far(one: Timestamp, other: Timestamp) -> bool {
    distance(one, other) > FAR
}

const fn distance(one: Timestamp, other: Timestamp) -> u64 {
    one.0.abs_diff(other.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the clock over the times (in days) of a whole file, as a reader does; what it made of them and said.
    fn read(days: &[i64]) -> (Vec<i64>, Vec<(String, u64)>) {
        let day = i64::try_from(DAY).expect("a day");
        let mut left = days.iter().map(|days| Timestamp(days * day)).peekable();
        let mut clock = Clock::default();
        let mut given: Vec<Timestamp> = Vec::new();
        while let Some(at) = left.next() {
            let mut ahead = vec![at];
            let times = loop {
                if clock.is_steady(at) {
                    break ahead.clone();
                }
                assert!(ahead.len() <= AHEAD, "reading ahead ends");
                match clock.judge(given.len() as u64 + 1, &ahead, left.peek().copied()) {
                    Some(times) => break times,
                    None => ahead.extend(left.next()),
                }
            };
            for at in times {
                clock.gave(at);
                given.push(at);
            }
        }
        let findings = clock.findings("file").sorted().into_iter().map(|finding| (finding.message, finding.count));
        (given.iter().map(|at| at.0 / day).collect(), findings.collect())
    }

    #[test]
    fn a_time_is_asked_of_the_frames_around_it() {
        const T: i64 = 20_000;
        /// What it shows, the times, what is made of them, frames given other times, whether a jump is said.
        type Row<'a> = (&'a str, Vec<i64>, Vec<i64>, u64, bool);
        let all = |after: i64, count: usize| [vec![T; 3], vec![after; count]].concat();
        let rows: Vec<Row> = vec![
            ("steady", vec![T; 5], vec![T; 5], 0, false),
            ("one in the future", vec![T, T, 49_000, T, T], vec![T; 5], 1, false),
            ("one at 0", vec![T, T, 0, T, T], vec![T; 5], 1, false),
            ("two in a row, of different times", vec![T, T, 0, 49_000, T], vec![T; 5], 2, false),
            ("every other one", vec![T, 0, T, 0, T, 0, T], vec![T; 7], 3, false),
            ("the first", vec![0, T, T], vec![T; 3], 1, false),
            ("the second", vec![T, 0, T], vec![T; 3], 1, false),
            ("the last", vec![T, T, 49_000], vec![T; 3], 1, false),
            ("the only one", vec![0], vec![0], 0, false),
            ("two that contradict each other", vec![0, T], vec![0, T], 0, true),
            ("a pause", vec![T, T + 30, T + 30], vec![T, T + 30, T + 30], 0, false),
            ("a pause before the last", vec![T, T, T + 30], vec![T, T, T + 30], 0, false),
            ("seldom anything", vec![T, T + 2, T + 4, T + 6], vec![T, T + 2, T + 4, T + 6], 0, false),
            ("a clock that was set", all(49_000, 20), all(49_000, 20), 0, true),
            ("a clock that was set back", all(0, 20), all(0, 20), 0, true),
        ];
        for (message, days, expected, strays, jumps) in rows {
            let (given, found) = read(&days);
            assert_eq!(given, expected, "{message}");
            let counts: Vec<u64> = found.iter().map(|(_, count)| *count).collect();
            let jump = jumps.then_some(1);
            let stray = (strays > 0).then_some(strays);
            assert_eq!(counts, jump.into_iter().chain(stray).collect::<Vec<_>>(), "{message}: {found:?}");
        }
    }
}
