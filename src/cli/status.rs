//! How a capture is going, for whoever watches it: a few lines that change on a terminal, a line now and then in a log.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::capture::Counts;
use crate::output::text::{counted, one_line};

use super::console::{can_redraw, say};

/// The longest line of what is shown by name.
const WIDTH: usize = 200;
/// Edges that are shown by name.
const NEWEST: usize = 6;
/// Edges that are told apart; more are not counted.
const MOST_EDGES: usize = 200_000;
/// Time between two looks on a terminal.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Time between two lines of a log: at first, and when it has gone well for a while.
const LINE_EVERY: [Duration; 2] = [Duration::from_secs(10), Duration::from_mins(1)];
/// From when on it has gone well for a while.
const A_WHILE: Duration = Duration::from_mins(2);

/// What is shown.
pub(super) struct View {
    bar: Option<ProgressBar>,
    begin: Instant,
    end: Option<Instant>,
    next: Instant,
    before: (Instant, Counts),
    edges: BTreeSet<String>,
    newest: VecDeque<String>,
    last_new: Option<Instant>,
    note: Option<String>,
}

impl View {
    /// A view of a capture that begins now.
    pub(super) fn new(length: Option<Duration>) -> Self {
        let begin = Instant::now();
        let bar = can_redraw().then(|| {
            let style = ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
            ProgressBar::new_spinner().with_style(style)
        });
        let next = begin + if bar.is_some() { LOOK_EVERY } else { LINE_EVERY[0] };
        Self {
            bar,
            begin,
            end: length.map(|length| begin + length),
            next,
            before: (begin, Counts::default()),
            edges: BTreeSet::new(),
            newest: VecDeque::new(),
            last_new: None,
            note: None,
        }
    }

    /// How many different edges were seen.
    pub(super) fn edges(&self) -> usize {
        self.edges.len()
    }

    /// Takes in edges that were seen, again or for the first time.
    pub(super) fn see(&mut self, edges: impl IntoIterator<Item = String>) {
        for edge in edges {
            if self.edges.len() < MOST_EDGES && self.edges.insert(edge.clone()) {
                self.last_new = Some(Instant::now());
                self.newest.push_front(edge);
                self.newest.truncate(NEWEST);
            }
        }
    }

    /// Something that is to be told as long as it is so.
    pub(super) fn note(&mut self, note: Option<String>) {
        self.note = note;
    }

    /// Shows how it stands, if it is time.
    pub(super) fn show(&mut self, counts: Counts) {
        let now = Instant::now();
        if now < self.next {
            return;
        }
        let line = self.line(now, counts);
        if let Some(bar) = &self.bar {
            let newest = self.newest.iter().map(|edge| format!("  {}", one_line(edge, WIDTH)));
            let note = self.note.iter().map(|note| format!("  {}", one_line(note, WIDTH)));
            let lines: Vec<String> = std::iter::once(line).chain(note).chain(newest).collect();
            bar.set_message(lines.join("\n"));
            self.next = now + LOOK_EVERY;
        } else {
            let note = self.note.as_ref().map_or_else(String::new, |note| format!("; {note}"));
            say(&format!("{line}{note}"));
            self.next = now + LINE_EVERY[usize::from(now.duration_since(self.begin) >= A_WHILE)];
        }
        self.before = (now, counts);
    }

    fn line(&self, now: Instant, counts: Counts) -> String {
        let (then, before) = self.before;
        let millis = now.duration_since(then).as_millis().max(1);
        let rate = |new: u64, old: u64| u128::from(new.saturating_sub(old)) * 1000 / millis;
        let time = match self.end {
            Some(end) => format!("{} left", length(end.saturating_duration_since(now))),
            None => format!("{} so far, until Ctrl-C", length(now.duration_since(self.begin))),
        };
        let last_new = match self.last_new {
            Some(at) => format!(", the last new one {} ago", length(now.duration_since(at))),
            None => String::new(),
        };
        format!(
            "{time}: {} packets/s, {} dropped/s, {}, {}{last_new}",
            rate(counts.frames, before.frames),
            rate(counts.dropped, before.dropped),
            counted(counts.conversations, "flow", "flows"),
            counted(u64::try_from(self.edges.len()).unwrap_or(u64::MAX), "edge", "edges"),
        )
    }
}

impl Drop for View {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// `45 s`, `12 min 3 s`, `3 h 20 min`.
pub(super) fn length(length: Duration) -> String {
    let seconds = length.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_time_rates_and_edges() {
        let mut view = View::new(Some(Duration::from_hours(1)));
        let begin = view.begin;
        let counts = Counts { frames: 5000, dropped: 20, conversations: 7 };
        let now = begin + Duration::from_secs(10);
        assert_eq!(view.line(now, counts), "59 min 50 s left: 500 packets/s, 2 dropped/s, 7 flows, 0 edges");
        view.see(["a -> b TCP 80", "a -> b TCP 80", "a -> c TCP 80"].map(str::to_owned));
        view.last_new = Some(begin);
        let line = view.line(now, Counts::default());
        assert!(line.ends_with("0 packets/s, 0 dropped/s, 0 flows, 2 edges, the last new one 10 s ago"), "{line}");
        assert_eq!(view.newest, ["a -> c TCP 80", "a -> b TCP 80"]);
    }
}
