//! Records of a flow file whose times are years away from those around them.
//!
//! A conversation of the year 2200 says nothing that could be believed, and a checkpoint of that time ends all conversations under way.
//! In one file records were written one after the other; so one that is far from those before and after it is left out. Where many in a
//! row are far, the clock was set, and they are believed.

use std::collections::VecDeque;

use super::timestamp_filter::is_far;
use crate::flow::record::Record;
use crate::model::{Code, Findings, Timestamp};

/// Records that are read ahead before a jump is taken for a clock that was set.
const AHEAD: usize = 16;

/// The records of one file, in its order.
#[derive(Debug)]
pub(super) struct Strays {
    /// Latest time that was accepted.
    last: Timestamp,
    /// Far from that.
    far: VecDeque<(Record, [Timestamp; 2])>,
    ready: VecDeque<Record>,
    left_out: u64,
    first: Option<Timestamp>,
    /// A jump of the clock that was accepted.
    jump: Option<[Timestamp; 2]>,
}

impl Strays {
    /// Creates the filter for a file whose header has this time.
    pub(super) const fn new(at: Timestamp) -> Self {
        Self { last: at, far: VecDeque::new(), ready: VecDeque::new(), left_out: 0, first: None, jump: None }
    }

    /// Takes in the next record.
    pub(super) fn add(&mut self, record: Record) {
        let Some(times) = times(&record) else {
            self.ready.push_back(record);
            return;
        };
        if times.iter().all(|at| !is_far(self.last, *at)) {
            while self.leave_out() {}
            if is_mark(&record) {
                self.last = times[1];
            }
            self.ready.push_back(record);
            return;
        }
        self.far.push_back((record, times));
        if self.far.len() >= AHEAD {
            if self.is_one_time() {
                self.believe();
            } else {
                self.leave_out();
            }
        }
    }

    /// The file ends: a single record that is far from all others is left out.
    pub(super) fn end(&mut self) {
        if self.far.len() > 1 && self.is_one_time() {
            self.believe();
        }
        while self.leave_out() {}
    }

    /// The next record that is believed.
    pub(super) fn next(&mut self) -> Option<Record> {
        self.ready.pop_front()
    }

    /// What is to be said of the file called `subject`.
    pub(super) fn findings(&self, subject: &str) -> Findings {
        let mut findings = Findings::default();
        if let Some(at) = self.first {
            let message = format!("has a record at {at}, years away from those around it: it was left out");
            findings.add_many(Code::ClockJump, subject, message, self.left_out);
        }
        if let Some([before, after]) = self.jump {
            findings.add(Code::ClockJump, subject, format!("goes from {before} to {after}"));
        }
        findings
    }

    /// Whether those that are far are near to one another.
    fn is_one_time(&self) -> bool {
        let all = || self.far.iter().flat_map(|(_, times)| times.iter().copied());
        match (all().min(), all().max()) {
            (Some(first), Some(last)) => !is_far(first, last),
            _ => true,
        }
    }

    fn believe(&mut self) {
        for (record, times) in self.far.drain(..) {
            self.jump.get_or_insert([self.last, times[0]]);
            self.last = times[1];
            self.ready.push_back(record);
        }
    }

    fn leave_out(&mut self) -> bool {
        let Some((_, times)) = self.far.pop_front() else { return false };
        self.left_out += 1;
        self.first.get_or_insert(times[0]);
        true
    }
}

/// When what a record tells began and ended; nothing for one that tells no time.
fn times(record: &Record) -> Option<[Timestamp; 2]> {
    Some(match record {
        Record::Header(header) => [header.at; 2],
        Record::Checkpoint { at } | Record::Began { at } | Record::End { at } => [*at; 2],
        Record::Conversation(conversation) => {
            let length = i64::try_from(conversation.last().0).unwrap_or(i64::MAX);
            [conversation.first, Timestamp(conversation.first.0.saturating_add(length))]
        }
        Record::Name(name) => [name.at; 2],
        Record::Question(question) => [question.at; 2],
        Record::PortlessTraffic(sighting) => [sighting.first, sighting.last],
        Record::Flood(flood) => [flood.first, flood.last],
        _ => return None,
    })
}

/// Whether it tells when the file was written.
const fn is_mark(record: &Record) -> bool {
    matches!(record, Record::Header(_) | Record::Checkpoint { .. } | Record::Began { .. } | Record::End { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    const YEAR: i64 = 365 * 24 * 3600 * 1_000_000_000;

    /// Runs checkpoints at these times (in years) through; what is left of them, how many were left out, whether a jump is said.
    fn read(years: &[i64]) -> (Vec<i64>, u64, bool) {
        let mut strays = Strays::new(Timestamp(20 * YEAR));
        for year in years {
            strays.add(Record::Checkpoint { at: Timestamp(year * YEAR) });
        }
        strays.end();
        let mut left = Vec::new();
        while let Some(Record::Checkpoint { at }) = strays.next() {
            left.push(at.0 / YEAR);
        }
        (left, strays.left_out, strays.jump.is_some())
    }

    /// What it shows, the years of records, those that are left, how many are left out, whether a jump is said.
    type Row<'a> = (&'a str, Vec<i64>, Vec<i64>, u64, bool);

    #[test]
    fn a_time_is_asked_of_the_records_around_it() {
        let rows: [Row<'_>; 8] = [
            ("steady", vec![20, 20, 20], vec![20, 20, 20], 0, false),
            ("one in the future", vec![20, 90, 20], vec![20, 20], 1, false),
            ("one in the past", vec![20, 0, 20], vec![20, 20], 1, false),
            ("the last", vec![20, 20, 90], vec![20, 20], 1, false),
            ("the header alone", vec![50, 50, 50], vec![50, 50, 50], 0, true),
            ("a clock that was set", [vec![20], vec![40; 20]].concat(), [vec![20], vec![40; 20]].concat(), 0, true),
            ("every other one", [20, 90].repeat(30), vec![20; 30], 30, false),
            ("anything", (30..70).collect(), vec![], 40, false),
        ];
        for (what, years, expected, left_out, is_jump) in rows {
            assert_eq!(read(&years), (expected, left_out, is_jump), "{what}");
        }
    }
}
