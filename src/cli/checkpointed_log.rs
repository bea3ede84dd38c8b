//! A file of JSON Lines that grows while a run goes on.
//!
//! In: records, and now and then a checkpoint. Out: a file that `zstdcat | jq` reads at any time. Lines are compressed as they come
//! together, in zstd frames (RFC 8878) of their own, while they are in the processor's cache. A checkpoint writes the frames there
//! are at once and forces them to the disk; so whatever happens to the process or the machine, what a finished checkpoint holds
//! stays readable, and at most the records since then are lost. On a full disk the file is cut back to the last checkpoint and its
//! frames are kept for the next try.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

use serde::Serialize;
use zstd::bulk::Compressor;
use zstd::zstd_safe::{CParameter, compress_bound};

/// Bytes of frames that wait for a disk that takes nothing.
const MOST_WAITING: usize = 16 << 20;
/// Bytes of frames that are better written before more come.
const HEAVY: usize = 1 << 20;
/// Bytes of lines that become a frame: what is torn in the middle is readable up to there.
const FRAME: usize = 128 << 10;
/// The quickest: lines this much alike become no smaller with more work.
const LEVEL: i32 = 1;
/// Where equal bytes are looked for: in few places, which are those of the last lines.
const PLACES: u32 = 11;
/// Equal bytes that are worth a reference: times and addresses have less in common by chance.
const EQUAL: u32 = 7;

/// An append-only file of records.
pub(super) struct CheckpointedLog {
    file: File,
    /// The length of what finished checkpoints wrote.
    good: u64,
    /// Lines that are in no frame yet.
    lines: Vec<u8>,
    /// Whole frames that are not in the file yet.
    waiting: Vec<u8>,
    compressor: Compressor<'static>,
    /// Room for one frame.
    frame: Vec<u8>,
    /// Records that found no room in `waiting`.
    lost: u64,
}

impl CheckpointedLog {
    /// A new file.
    ///
    /// # Errors
    /// When there is a file of that name already, or none can be made.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let file = File::options().write(true).create_new(true).open(path)?;
        let mut compressor = Compressor::new(LEVEL)?;
        compressor.set_parameter(CParameter::HashLog(PLACES))?;
        compressor.set_parameter(CParameter::MinMatch(EQUAL))?;
        Ok(Self { file, good: 0, lines: Vec::new(), waiting: Vec::new(), compressor, frame: Vec::new(), lost: 0 })
    }

    /// Adds a record; it is in the file after the next checkpoint.
    ///
    /// # Errors
    /// Never because of the disk; only for a record that JSON has no form for.
    pub(super) fn add(&mut self, record: &impl Serialize) -> io::Result<()> {
        self.add_line(|lines| {
            serde_json::to_writer(&mut *lines, record)?;
            lines.push(b'\n');
            Ok(())
        })
    }

    /// Adds a line that is written to the end of what it is given; it is in the file after the next checkpoint.
    ///
    /// # Errors
    /// Never because of the disk; only if the line cannot be written.
    pub(super) fn add_line(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<(), serde_json::Error>) -> io::Result<()> {
        if self.waiting.len() >= MOST_WAITING {
            self.lost += 1;
            return Ok(());
        }
        let before = self.lines.len();
        if let Err(error) = write(&mut self.lines) {
            self.lines.truncate(before);
            return Err(error.into());
        }
        if self.lines.len() >= FRAME { self.compress() } else { Ok(()) }
    }

    /// Writes what was added since the last checkpoint.
    ///
    /// # Errors
    /// When the disk does not take it. Nothing is lost by that: the next checkpoint tries again, with what was added meanwhile.
    pub(super) fn checkpoint(&mut self) -> io::Result<()> {
        self.compress()?;
        if self.waiting.is_empty() {
            return Ok(());
        }
        let written = self.file.write_all(&self.waiting).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // Half a frame would make everything behind it unreadable.
            self.file.set_len(self.good)?;
            self.file.seek(SeekFrom::Start(self.good))?;
            return Err(error);
        }
        self.good += u64::try_from(self.waiting.len()).unwrap_or(u64::MAX);
        self.waiting.clear();
        Ok(())
    }

    /// Whether so much waits that a checkpoint is due, whatever the time.
    pub(super) const fn is_heavy(&self) -> bool {
        self.waiting.len() >= HEAVY
    }

    /// Records that were given up because the disk took nothing for too long.
    pub(super) const fn lost(&self) -> u64 {
        self.lost
    }

    /// Makes a frame of the lines there are.
    fn compress(&mut self) -> io::Result<()> {
        if self.lines.is_empty() {
            return Ok(());
        }
        // Room even for lines that become no smaller.
        self.frame.reserve(compress_bound(self.lines.len()));
        self.frame.clear();
        self.compressor.compress_to_buffer(&self.lines, &mut self.frame)?;
        self.waiting.extend_from_slice(&self.frame);
        self.lines.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn lines(path: &Path) -> Vec<String> {
        let file = fs::read(path).expect("the journal");
        let text = zstd::decode_all(&file[..]).expect("whole frames");
        String::from_utf8(text).expect("text").lines().map(str::to_owned).collect()
    }

    #[test]
    fn what_a_checkpoint_wrote_is_readable_at_once() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("a.zst");
        let mut journal = CheckpointedLog::create(&path).expect("a journal");
        for number in 0..3 {
            journal.add(&number).expect("a number");
            journal.checkpoint().expect("room");
            assert_eq!(lines(&path).len(), number + 1);
        }
        journal.add(&"not yet").expect("a string");
        assert_eq!(lines(&path), ["0", "1", "2"]);
        assert!(CheckpointedLog::create(&path).is_err(), "what is there is not overwritten");
    }

    #[test]
    fn lines_of_many_frames_are_one_file() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("a.zst");
        let mut journal = CheckpointedLog::create(&path).expect("a journal");
        let numbers: Vec<String> = (0..50_000).map(|number| (number * 7919).to_string()).collect();
        for number in &numbers {
            journal.add_line(|lines| writeln!(lines, "{number}").map_err(serde_json::Error::io)).expect("a line");
        }
        assert!(journal.waiting.len() > journal.lines.len(), "frames are made as lines come");
        let unwritten = |lines: &mut Vec<u8>| {
            lines.push(b'{');
            Err(serde_json::Error::io(io::ErrorKind::Other.into()))
        };
        assert!(journal.add_line(unwritten).is_err());
        journal.checkpoint().expect("room");
        assert_eq!(lines(&path), numbers, "half a line is no line");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_disk_that_takes_nothing_costs_nothing_but_time() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("a.zst");
        let mut journal = CheckpointedLog::create(&path).expect("a journal");
        journal.add(&1).expect("a number");
        journal.checkpoint().expect("room");
        let working = std::mem::replace(&mut journal.file, File::options().write(true).open("/dev/full").expect("a device"));
        journal.add(&2).expect("a number");
        assert!(journal.checkpoint().is_err(), "the device is full");
        journal.file = working;
        journal.add(&3).expect("a number");
        journal.checkpoint().expect("room again");
        assert_eq!(lines(&path), ["1", "2", "3"]);
        assert_eq!(journal.lost(), 0);
    }
}
