//! A file of JSON Lines that grows while a run goes on.
//!
//! In: records, and now and then a checkpoint. Out: a file that `zstdcat | jq` reads at any time. Every checkpoint is one zstd
//! frame (RFC 8878), written at once and forced to the disk; so whatever happens to the process or the machine, what a finished
//! checkpoint holds stays readable, and at most the records since then are lost. On a full disk the file is cut back to the last
//! whole frame and its records are kept for the next try.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

use serde::Serialize;

/// Bytes of records, before compression, that wait for a disk that takes nothing.
const MOST_PENDING: usize = 64 << 20;
/// Bytes of records that are better written before more come.
const HEAVY: usize = 8 << 20;
/// Bytes of a block, before compression.
const BLOCK: usize = 16 << 10;
/// The quickest: lines this much alike become no smaller with more work.
const LEVEL: i32 = 1;
/// How far back a line may refer (a power of two of bytes): whoever reads the files of hundreds of nodes holds so much of each.
const WINDOW_LOG: u32 = 17;

/// An append-only file of records.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    /// The length of all whole frames.
    good: u64,
    pending: Vec<u8>,
    /// Records that found no room in `pending`.
    lost: u64,
}

impl Journal {
    /// A new file.
    ///
    /// # Errors
    /// When there is a file of that name already, or none can be made.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let file = File::options().write(true).create_new(true).open(path)?;
        Ok(Self { file, good: 0, pending: Vec::new(), lost: 0 })
    }

    /// Adds a record; it is in the file after the next checkpoint.
    ///
    /// # Errors
    /// Never because of the disk; only for a record that JSON has no form for.
    pub(super) fn add(&mut self, record: &impl Serialize) -> io::Result<()> {
        if self.pending.len() >= MOST_PENDING {
            self.lost += 1;
            return Ok(());
        }
        let before = self.pending.len();
        if let Err(error) = serde_json::to_writer(&mut self.pending, record) {
            self.pending.truncate(before);
            return Err(error.into());
        }
        self.pending.push(b'\n');
        Ok(())
    }

    /// Writes what was added since the last checkpoint.
    ///
    /// # Errors
    /// When the disk does not take it. Nothing is lost by that: the next checkpoint tries again, with what was added meanwhile.
    pub(super) fn checkpoint(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let frame = compress(&self.pending)?;
        let written = self.file.write_all(&frame).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // Half a frame would make everything behind it unreadable.
            self.file.set_len(self.good)?;
            self.file.seek(SeekFrom::Start(self.good))?;
            return Err(error);
        }
        self.good += u64::try_from(frame.len()).unwrap_or(u64::MAX);
        self.pending.clear();
        Ok(())
    }

    /// Whether so much waits that a checkpoint is due, whatever the time.
    pub(super) const fn is_heavy(&self) -> bool {
        self.pending.len() >= HEAVY
    }

    /// Records that were given up because the disk took nothing for too long.
    pub(super) const fn lost(&self) -> u64 {
        self.lost
    }
}

/// One frame, in blocks that can be read one by one: what is torn in the middle is readable up to there.
fn compress(lines: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = zstd::Encoder::new(Vec::new(), LEVEL)?;
    encoder.window_log(WINDOW_LOG)?;
    for block in lines.chunks(BLOCK) {
        encoder.write_all(block)?;
        encoder.flush()?;
    }
    encoder.finish()
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
        let mut journal = Journal::create(&path).expect("a journal");
        for number in 0..3 {
            journal.add(&number).expect("a number");
            journal.checkpoint().expect("room");
            assert_eq!(lines(&path).len(), number + 1);
        }
        journal.add(&"not yet").expect("a string");
        assert_eq!(lines(&path), ["0", "1", "2"]);
        assert!(Journal::create(&path).is_err(), "what is there is not overwritten");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_disk_that_takes_nothing_costs_nothing_but_time() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("a.zst");
        let mut journal = Journal::create(&path).expect("a journal");
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
