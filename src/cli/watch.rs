//! `netpol-gen inventory --watch`: everything that becomes of a cluster's objects in, a file for `--inventory` out.
//!
//! Guaranteed: the file is new, and readable up to the last checkpoint whatever happens; a disk that is full for a time costs
//! nothing. Ctrl-C, SIGTERM and the end of the time end it in the same way.

use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::cluster::{Access, Watch, WatchReport};
use crate::inventory::Record;
use crate::model::Timestamp;
use crate::output::text::{json, one_line};

use super::checkpointed_log::CheckpointedLog;
use super::console::{can_redraw, say, warn};
use super::exit;
use super::failure::Failure;
use super::interrupt::Interrupt;
use super::inventory::{destination, warnings};

/// What is lost at most if the machine goes down.
const BETWEEN_CHECKPOINTS: Duration = Duration::from_secs(10);
/// How often someone at a terminal is told how it goes. Elsewhere it is at each checkpoint, and only if there is something new.
const BETWEEN_LINES: Duration = Duration::from_secs(1);
/// So many records are not kept in memory, even if they come at once.
const MOST_RECORDS: u64 = 10_000;

/// Where records go, and how many went.
struct Output {
    target: Target,
    records: u64,
    pods: u64,
    waiting: u64,
    /// Why the disk took nothing the last time.
    trouble: Option<io::Error>,
}

enum Target {
    /// Nothing is written before the cluster has been asked.
    Waiting(Vec<Record>),
    File(CheckpointedLog),
    /// Standard output; nothing once its reader has gone.
    Stream(Option<io::Error>),
}

impl Output {
    const fn new() -> Self {
        Self { target: Target::Waiting(Vec::new()), records: 0, pods: 0, waiting: 0, trouble: None }
    }

    fn open(&mut self, path: &Path) -> Result<(), Failure> {
        let target = if path == Path::new("-") {
            Target::Stream(None)
        } else {
            Target::File(CheckpointedLog::create(path).map_err(|source| match source.kind() {
                io::ErrorKind::AlreadyExists => Failure::Occupied(path.to_owned()),
                _ => Failure::Unwritable { path: path.to_owned(), source },
            })?)
        };
        if let Target::Waiting(records) = std::mem::replace(&mut self.target, target) {
            for record in records {
                self.write(record);
            }
        }
        self.checkpoint();
        Ok(())
    }

    fn add(&mut self, record: Record) {
        self.records += 1;
        self.pods += u64::from(matches!(&record, Record::Added { object, .. } if object["kind"] == "Pod"));
        self.write(record);
    }

    fn write(&mut self, record: Record) {
        match &mut self.target {
            Target::Waiting(records) => records.push(record),
            Target::File(journal) => {
                // Records have a form in JSON; what finds no room is counted by the journal.
                let _ = journal.add(&record);
                self.waiting += 1;
                if self.waiting >= MOST_RECORDS {
                    self.checkpoint();
                }
            }
            Target::Stream(failed) => {
                if failed.is_none() {
                    *failed = stream(&record).err();
                }
            }
        }
    }

    fn checkpoint(&mut self) {
        if let Target::File(journal) = &mut self.target {
            self.waiting = 0;
            self.trouble = journal.checkpoint().err();
        }
    }

    /// Whether no one reads any more.
    const fn is_over(&self) -> bool {
        matches!(self.target, Target::Stream(Some(_)))
    }
}

fn stream(record: &Record) -> io::Result<()> {
    let line = json(serde_json::to_string(record)?) + "\n";
    let mut out = io::stdout().lock();
    out.write_all(line.as_bytes())?;
    out.flush()
}

/// Watches, writes, tells.
pub(super) fn run(access: &Access, length: Option<Duration>, path: &Path) -> Result<u8, Failure> {
    if path.symlink_metadata().is_ok() {
        return Err(Failure::Occupied(path.to_owned()));
    }
    let output = Arc::new(Mutex::new(Output::new()));
    let shared = Arc::clone(&output);
    let watch = Watch::start(access, move |record| lock(&shared).add(record))?;
    // Until here there was nothing to bring to an end.
    let interrupt = Interrupt::listen().map_err(Failure::Signals)?;
    let begin = Instant::now();
    lock(&output).open(path)?;
    let mut status = Status::new(&watch, path);
    status.begin(&lock(&output));
    let mut checkpoint = Instant::now();
    loop {
        let rest = length.map_or(BETWEEN_LINES, |length| length.saturating_sub(begin.elapsed()).min(BETWEEN_LINES));
        if rest.is_zero() || interrupt.wait(rest) || lock(&output).is_over() {
            break;
        }
        let is_due = checkpoint.elapsed() >= BETWEEN_CHECKPOINTS;
        if is_due {
            lock(&output).checkpoint();
            checkpoint = Instant::now();
        }
        status.tell(&lock(&output), watch.silent_since(), is_due);
    }
    status.clear();
    let report = watch.stop();
    let mut output = lock(&output);
    output.checkpoint();
    conclude(&report, &mut output, path)
}

fn lock(output: &Mutex<Output>) -> MutexGuard<'_, Output> {
    output.lock().unwrap_or_else(PoisonError::into_inner)
}

fn conclude(report: &WatchReport, output: &mut Output, path: &Path) -> Result<u8, Failure> {
    let mut lines = warnings(&report.left_out);
    for gap in &report.gaps {
        let kinds = gap.kinds.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let (from, until, reason) = (gap.from, gap.until, &gap.reason);
        lines.push(format!("warning: changes between {from} and {until} were not seen as they happened: {reason} ({kinds})"));
    }
    if let Target::File(journal) = &output.target
        && journal.lost() > 0
    {
        lines.push(format!("warning: {} records found no room on the disk", journal.lost()));
    }
    for line in &lines {
        warn(line);
    }
    say(&format!("{} records, {} pods, to {}", output.records, output.pods, destination(path)));
    if let Target::Stream(failed) = &mut output.target
        && let Some(error) = failed.take()
    {
        return Err(error.into());
    }
    match output.trouble.take() {
        Some(source) => Err(Failure::Unwritable { path: path.to_owned(), source }),
        None => Ok(exit::DONE),
    }
}

/// How it goes, on standard error.
struct Status {
    server: String,
    to: String,
    is_terminal: bool,
    /// What was said last.
    said: String,
}

impl Status {
    fn new(watch: &Watch, path: &Path) -> Self {
        let (server, to) = (watch.server().to_owned(), destination(path));
        Self { server, to, is_terminal: can_redraw(), said: String::new() }
    }

    fn begin(&self, output: &Output) {
        let (records, pods) = (output.records, output.pods);
        let text = format!("watching {}: {records} records, {pods} pods, to {}; Ctrl-C ends it", self.server, self.to);
        say(&text);
    }

    fn tell(&mut self, output: &Output, silent_since: Option<Timestamp>, is_due: bool) {
        let mut text = format!("{} records, {} pods", output.records, output.pods);
        if let Some(since) = silent_since {
            text = format!("{text}; the API server has not been heard since {since}");
        }
        if let Some(error) = &output.trouble {
            text = format!("{text}; the disk takes nothing: {error}");
        }
        let text = one_line(&text, usize::MAX);
        if self.is_terminal {
            let _ = write!(io::stderr(), "\r\x1b[K{text}");
        } else if is_due && text != self.said {
            say(&text);
        } else {
            return;
        }
        self.said = text;
    }

    /// Makes room for what is said at the end.
    fn clear(&self) {
        if self.is_terminal && !self.said.is_empty() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
