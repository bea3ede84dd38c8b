//! Records in, a flow file out, while a capture goes on.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::capture::CaptureError;
use crate::flow::Lines;
use crate::flow::record::{Header, Record, VERSION};
use crate::model::{Code, Findings, Timestamp};

use super::checkpointed_log::CheckpointedLog;
use super::console::warn;
use super::failure::Failure;

/// What this program calls itself in files.
pub(super) const TOOL: &str = concat!("netpol-gen ", env!("CARGO_PKG_VERSION"));

/// How often a disk that takes nothing is tried again.
const RETRY_EVERY: Duration = Duration::from_secs(2);

/// A flow file that is being written.
pub(super) struct FlowFile {
    path: PathBuf,
    journal: CheckpointedLog,
    lines: Lines,
    every: Duration,
    next: Instant,
    /// Whether the last checkpoint failed; that is told once, not every time.
    is_stuck: bool,
    records: u64,
}

impl FlowFile {
    /// A new file with its header, on the disk. What is added comes there when it is time: no more often than `every`.
    ///
    /// # Errors
    /// When there is one already, or none can be made.
    pub(super) fn create(path: &Path, header: Header, every: Duration) -> Result<Self, Failure> {
        let failed = |source| Failure::Unwritable { path: path.to_owned(), source };
        let mut journal = CheckpointedLog::create(path).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => Failure::Occupied(path.to_owned()),
            _ => failed(source),
        })?;
        journal.add(&Record::Header(header)).map_err(failed)?;
        journal.checkpoint().map_err(|source| {
            // Without its header it is of no use, and in the way of the next.
            let _ = std::fs::remove_file(path);
            failed(source)
        })?;
        let next = Instant::now() + every;
        Ok(Self { path: path.to_owned(), journal, lines: Lines::default(), every, next, is_stuck: false, records: 0 })
    }

    /// Adds records; they are on the disk after the next checkpoint.
    pub(super) fn add(&mut self, records: &[Record]) -> Result<(), Failure> {
        for record in records {
            let written = self.journal.add_line(|line| self.lines.write(record, line));
            written.map_err(|source| Failure::Unwritable { path: self.path.clone(), source })?;
            if self.journal.is_heavy() && !self.is_stuck {
                self.write();
            }
        }
        self.records += u64::try_from(records.len()).unwrap_or(u64::MAX);
        Ok(())
    }

    /// Writes what has come together, if it is time. A disk that takes nothing is told and tried again later.
    pub(super) fn keep_up(&mut self) {
        if Instant::now() >= self.next {
            self.write();
        }
    }

    fn write(&mut self) {
        match self.journal.checkpoint() {
            Ok(()) => {
                self.is_stuck = false;
                self.next = Instant::now() + self.every;
            }
            Err(error) => {
                if !self.is_stuck {
                    warn(&format!("warning: cannot write {}: {error}; going on, and trying again", self.path.display()));
                }
                self.is_stuck = true;
                self.next = Instant::now() + RETRY_EVERY;
            }
        }
    }

    /// Ends the file in order, at this capture time.
    ///
    /// # Errors
    /// When the disk does not take the rest.
    pub(super) fn end(mut self, at: Timestamp, findings: &Findings) -> Result<u64, Failure> {
        let failed = |source| Failure::Unwritable { path: self.path.clone(), source };
        // Room for the last words.
        self.journal.checkpoint().map_err(failed)?;
        let lost = self.journal.lost();
        let mut findings = findings.clone();
        findings.add_many(Code::RecordingIncomplete, "records", "were given up because the disk took nothing", lost);
        self.add(&finding_records(&findings))?;
        self.add(&[Record::End { at }])?;
        let failed = |source| Failure::Unwritable { path: self.path.clone(), source };
        self.journal.checkpoint().map_err(failed)?;
        if lost > 0 {
            return Err(failed(io::Error::other(format!("{lost} records found no room"))));
        }
        Ok(self.records)
    }
}

/// A header with what this program knows by itself.
pub(super) fn header(host: String, interfaces: Vec<String>, filter: String, at: Timestamp) -> Header {
    Header { version: VERSION, tool: TOOL.to_owned(), host, interfaces, filter, at }
}

/// Findings, as a flow file has them.
pub(super) fn finding_records(findings: &Findings) -> Vec<Record> {
    let record = |finding: crate::model::Finding| Record::Finding {
        code: finding.code.name().to_owned(),
        subject: finding.subject,
        message: finding.message,
        count: finding.count,
    };
    findings.sorted().into_iter().map(record).collect()
}

/// Tells each error of an input.
pub(super) fn tell_errors(errors: &[CaptureError]) {
    for error in errors {
        super::failure::print(error, error.hint());
    }
}
