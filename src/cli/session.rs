//! The files of live runs, in one directory.
//!
//! A run has a name, the time at which it began. Its files are `NAME.flows.zst` and `NAME.inventory.zst`; a run that was killed
//! goes on in `NAME.2.flows.zst` and so on. Nothing that is there is ever written over.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::capture::{CaptureFile, Input, Observed};
use crate::flow::Record;
use crate::model::Timestamp;

use super::failure::Failure;

const FLOWS: &str = ".flows.zst";
const INVENTORY: &str = ".inventory.zst";

/// A run, with the part of it that is under way.
#[derive(Debug)]
pub(super) struct Run {
    directory: PathBuf,
    name: String,
    part: u32,
    /// For how long it was captured in earlier parts.
    pub(super) captured: Duration,
}

impl Run {
    /// A new one, in a directory that is there.
    pub(super) fn begin(directory: &Path, now: Timestamp) -> Self {
        // RFC 3339 without the signs that some file systems do not take.
        let name: String = now.to_string().chars().filter(|letter| !matches!(letter, '-' | ':' | '.')).collect();
        Self { directory: directory.to_owned(), name, part: 1, captured: Duration::ZERO }
    }

    /// The newest one, if it did not come to its end.
    pub(super) fn resume(directory: &Path) -> Result<Self, Failure> {
        let mut parts = Vec::new();
        for path in files(directory, FLOWS)? {
            let Some((name, part)) = parse(&path) else { continue };
            match length(&path) {
                Ok((length, is_whole)) => parts.push((name, part, length, is_whole)),
                // Killed before its first line was written, or damaged: what it holds, reading will tell.
                Err(failure) => failure.print(),
            }
        }
        parts.sort();
        let nothing = || Failure::NothingToResume { directory: directory.to_owned() };
        let (name, ..) = parts.last().cloned().ok_or_else(nothing)?;
        let own = || parts.iter().filter(|(other, ..)| *other == name);
        let captured = own().map(|(_, _, length, _)| *length).sum();
        let has_ended = own().next_back().is_some_and(|(.., is_whole)| *is_whole);
        if has_ended {
            return Err(nothing());
        }
        let mut last = 1;
        for ending in [FLOWS, INVENTORY] {
            let files = files(directory, ending)?;
            let parts = files.iter().filter_map(|path| parse(path)).filter(|(other, _)| *other == name);
            last = parts.map(|(_, part)| part).max().unwrap_or(1).max(last);
        }
        Ok(Self { directory: directory.to_owned(), name, part: last + 1, captured })
    }

    /// Where the part under way writes flows.
    pub(super) fn flows(&self) -> PathBuf {
        self.path(FLOWS)
    }

    /// Where the part under way writes what it hears of the cluster.
    pub(super) fn inventory(&self) -> PathBuf {
        self.path(INVENTORY)
    }

    /// The flow files of all parts.
    pub(super) fn all_flows(&self) -> Result<Vec<PathBuf>, Failure> {
        self.all(FLOWS)
    }

    /// The inventories of all parts.
    pub(super) fn all_inventories(&self) -> Result<Vec<PathBuf>, Failure> {
        self.all(INVENTORY)
    }

    fn path(&self, ending: &str) -> PathBuf {
        let part = if self.part == 1 { String::new() } else { format!(".{}", self.part) };
        self.directory.join(format!("{}{part}{ending}", self.name))
    }

    fn all(&self, ending: &str) -> Result<Vec<PathBuf>, Failure> {
        let mut own = files(&self.directory, ending)?;
        own.retain(|path| parse(path).is_some_and(|(name, _)| name == self.name));
        Ok(own)
    }
}

/// The files with this ending, in order.
fn files(directory: &Path, ending: &str) -> Result<Vec<PathBuf>, Failure> {
    let failed = |source| Failure::Unreadable { path: directory.to_owned(), source };
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(ending)) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a file is a run's, by its name.
pub(super) fn is_own(path: &Path) -> bool {
    parse(path).is_some()
}

/// Name and part of one of a run's files.
fn parse(path: &Path) -> Option<(String, u32)> {
    let file = path.file_name()?.to_str()?;
    let stem = file.strip_suffix(FLOWS).or_else(|| file.strip_suffix(INVENTORY))?;
    let (name, part) = match stem.split_once('.') {
        None => (stem, 1),
        Some((name, part)) => (name, part.parse().ok()?),
    };
    // Others may keep files of their own there.
    let (date, time) = name.strip_suffix('Z')?.split_once('T')?;
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    (date.len() == 8 && is_number(date) && is_number(time)).then(|| (name.to_owned(), part))
}

/// For how long a flow file was written, and whether it came to its end.
fn length(path: &Path) -> Result<(Duration, bool), Failure> {
    let mut file = CaptureFile::open(&Input::File(path.to_owned()))?;
    let (mut first, mut last, mut has_ended) = (None, None, false);
    while let Some(observed) = file.read_next()? {
        match observed {
            Observed::Record(Record::Header(header)) => first = Some(header.at),
            Observed::Record(Record::Checkpoint { at }) => last = Some(*at),
            Observed::Record(Record::End { at }) => {
                last = Some(*at);
                has_ended = true;
            }
            _ => {}
        }
    }
    let nanoseconds = first.zip(last).map_or(0, |(first, last)| last.since(first));
    Ok((Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0)), has_ended))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::flow_file_writer::{FlowFile, header};
    use crate::model::Findings;

    fn second(number: i64) -> Timestamp {
        Timestamp::from_seconds(1_700_000_000 + number)
    }

    fn write(path: &Path, from: i64, until: i64, is_whole: bool) {
        let header = header(String::new(), Vec::new(), String::new(), second(from));
        let mut file = FlowFile::create(path, header, Duration::ZERO).expect("a file");
        file.add(&[Record::Checkpoint { at: second(until) }]).expect("room");
        if is_whole {
            file.end(second(until), &Findings::default()).expect("room");
        } else {
            file.keep_up();
        }
    }

    #[test]
    fn a_run_that_was_killed_goes_on_in_a_file_of_its_own() {
        let directory = tempfile::tempdir().expect("a directory");
        let directory = directory.path().join("policies.record");
        fs::create_dir(&directory).expect("makes");
        let old = Run::begin(&directory, second(-5000));
        write(&old.flows(), -5000, -4000, true);
        let run = Run::begin(&directory, second(0));
        assert_eq!(run.flows().file_name().and_then(|name| name.to_str()), Some("20231114T221320000Z.flows.zst"));
        write(&run.flows(), 0, 40, false);

        let second_part = Run::resume(&directory).expect("an unfinished run");
        assert_eq!(second_part.captured, Duration::from_secs(40));
        assert_eq!(second_part.flows(), directory.join("20231114T221320000Z.2.flows.zst"));
        write(&second_part.flows(), 100, 105, false);
        let third_part = Run::resume(&directory).expect("an unfinished run");
        assert_eq!(third_part.captured, Duration::from_secs(45));
        write(&third_part.flows(), 200, 201, true);
        assert_eq!(third_part.all_flows().expect("files").len(), 3, "those of the older run are not among them");
        assert!(matches!(Run::resume(&directory), Err(Failure::NothingToResume { .. })), "it came to its end");
    }

    #[test]
    fn what_else_lies_there_is_in_nobodys_way() {
        let directory = tempfile::tempdir().expect("a directory");
        let directory = directory.path();
        let run = Run::begin(directory, second(0));
        write(&run.flows(), 0, 40, false);
        // Of a later run, killed before its first line was written; of other people; of an inventory that was never asked for.
        fs::write(Run::begin(directory, second(900)).flows(), "").expect("room");
        fs::write(directory.join("node-b.flows.zst"), "noise").expect("room");
        fs::write(directory.join("20231114T221320000Z.2.inventory.zst"), "").expect("room");
        let next = Run::resume(directory).expect("an unfinished run");
        assert_eq!(next.captured, Duration::from_secs(40));
        assert_eq!(next.inventory(), directory.join("20231114T221320000Z.3.inventory.zst"));
        assert_eq!(next.all_flows().expect("files"), [run.flows()]);
    }
}
