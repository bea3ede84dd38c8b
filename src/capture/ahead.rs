//! Files that are read ahead side by side, by threads beside the one that merges them.
//!
//! In: files at some place between two frames or records, none of them a pipe. Out: what each of them holds in its order, some at a
//! time: records parsed, frames decoded. What is ahead is bounded: of each file so many bytes, and of a flow file little beyond its
//! next checkpoint, for by then it is mostly another file's turn.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::decoded::Decoded;
use super::split::Splitting;
use super::{CaptureError, CaptureFile};
use crate::flow::{Batch, Record};
use crate::model::Timestamp;

/// Bytes that are read at once, of all files together and of each; of what is compressed, behind its compression.
const TOGETHER: usize = 64 << 20;
const MOST: usize = 512 << 10;
const LEAST: usize = 16 << 10;
/// What is decoded takes up to four times the bytes of its frames (DNS), so of frames fewer are read at once.
const OF_FRAMES: u64 = 4;
/// Records that are worth handing over at a checkpoint.
const WORTH: usize = 256;
/// How long a file is waited for before it is asked whether anybody reads it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Some of what one file holds.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) content: Content,
    /// Bytes taken from the file so far.
    pub(super) bytes_read: u64,
    pub(super) rest: Rest,
}

#[derive(Debug)]
pub(super) enum Content {
    /// Of a flow file, with their times.
    Records(Vec<(Timestamp, Record)>),
    /// Of a capture of packets.
    Frames(Box<Decoded>),
}

/// What follows a [`Chunk`].
#[derive(Debug)]
pub(super) enum Rest {
    /// More, which is being read.
    Ahead,
    /// Perhaps more: the file stands behind the chunk.
    Here(Box<CaptureFile>),
    /// Nothing; and why the file could not be read on.
    End(Box<CaptureFile>, Option<CaptureError>),
}

/// The threads, and the files they read.
#[derive(Debug)]
pub(super) struct Ahead {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    /// Bytes of a file that are read at once.
    most: u64,
    splitting: Splitting,
    files: Mutex<Files>,
    changed: Condvar,
}

/// The files by their numbers.
#[derive(Debug, Default)]
struct Files {
    /// Those that wait to be read.
    queue: VecDeque<usize>,
    states: BTreeMap<usize, State>,
    /// What can be filled again.
    spare: Vec<Batch>,
    /// Threads that wait to be told of a change.
    waiting: usize,
    is_over: bool,
}

#[derive(Debug)]
enum State {
    Waiting(Box<CaptureFile>),
    /// A thread has it.
    Read,
    Done(Box<Chunk>),
}

impl Ahead {
    /// The threads beside the one that calls this, for so many files at most.
    pub(super) fn new(splitting: Splitting, files: usize) -> Self {
        let most = (TOGETHER / files.max(1)).clamp(LEAST, MOST) as u64;
        let threads = (splitting.threads.get() - 1).min(files);
        let shared = Arc::new(Shared { most, splitting, files: Mutex::default(), changed: Condvar::new() });
        let work = || {
            let shared = Arc::clone(&shared);
            // Without the thread it takes longer.
            std::thread::Builder::new().name("ahead".into()).spawn(move || shared.work()).ok()
        };
        Self { threads: (0..threads).filter_map(|_| work()).collect(), shared }
    }

    /// Lets a file be read from where it is.
    pub(super) fn begin(&self, number: usize, file: Box<CaptureFile>) {
        self.shared.put(number, file);
    }

    /// What comes next of a file that has begun, if there is anything. Where it `goes_on`, what follows is read meanwhile; otherwise
    /// the file comes back.
    pub(super) fn next(&mut self, number: usize, goes_on: bool) -> Option<Chunk> {
        let Chunk { content, bytes_read, rest } = self.take(number)?;
        let rest = match rest {
            Rest::Here(file) if goes_on => {
                self.shared.put(number, file);
                Rest::Ahead
            }
            rest => rest,
        };
        Some(Chunk { content, bytes_read, rest })
    }

    /// Takes back what can be filled again.
    pub(super) fn recycle(&self, batch: Batch) {
        self.shared.lock().spare.push(batch);
    }

    fn take(&mut self, number: usize) -> Option<Chunk> {
        let mut files = self.shared.lock();
        loop {
            match files.states.remove(&number)? {
                State::Done(chunk) => return Some(*chunk),
                // Nobody has come to it yet.
                State::Waiting(file) => {
                    files.queue.retain(|waiting| *waiting != number);
                    return Some(self.shared.read(files, file));
                }
                State::Read => {
                    files.states.insert(number, State::Read);
                    // Meanwhile another's are read here.
                    if let Some((other, file)) = files.claim() {
                        files = self.shared.read_for(files, other, file);
                        continue;
                    }
                    files.waiting += 1;
                    let waited = self.shared.changed.wait_timeout(files, PATIENCE);
                    let (again, waited) = waited.unwrap_or_else(PoisonError::into_inner);
                    files = again;
                    files.waiting -= 1;
                    if waited.timed_out()
                        && let Some(ended) = self.threads.iter().position(JoinHandle::is_finished)
                    {
                        drop(files);
                        // A thread that ended before all is over did so by a defect, which is told as if it had come up here.
                        if let Err(defect) = self.threads.swap_remove(ended).join() {
                            std::panic::resume_unwind(defect);
                        }
                        files = self.shared.lock();
                    }
                }
            }
        }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.shared.lock().is_over = true;
        self.shared.changed.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a file be read.
    fn put(&self, number: usize, file: Box<CaptureFile>) {
        let mut files = self.lock();
        files.states.insert(number, State::Waiting(file));
        files.queue.push_back(number);
        files.tell(&self.changed);
    }

    /// Reads files until all is over.
    fn work(&self) {
        let mut files = self.lock();
        while !files.is_over {
            let Some((number, file)) = files.claim() else {
                files.waiting += 1;
                files = self.changed.wait(files).unwrap_or_else(PoisonError::into_inner);
                files.waiting -= 1;
                continue;
            };
            files = self.read_for(files, number, file);
        }
    }

    /// Reads on in a file, for whoever takes what comes.
    fn read_for<'a>(&'a self, files: MutexGuard<'_, Files>, number: usize, file: Box<CaptureFile>) -> MutexGuard<'a, Files> {
        let chunk = self.read(files, file);
        let mut files = self.lock();
        files.states.insert(number, State::Done(chunk.into()));
        files.tell(&self.changed);
        files
    }

    /// Reads on in a file, while others may do so in theirs.
    fn read(&self, mut files: MutexGuard<'_, Files>, file: Box<CaptureFile>) -> Chunk {
        if file.holds_records() {
            drop(files);
            return parse(file, self.most);
        }
        let batch = files.spare.pop();
        drop(files);
        decode(file, self.most / OF_FRAMES, &self.splitting, batch.unwrap_or_else(|| self.splitting.batch.clone()))
    }
}

impl Files {
    /// A file that waits to be read.
    fn claim(&mut self) -> Option<(usize, Box<CaptureFile>)> {
        let number = self.queue.pop_front()?;
        match self.states.insert(number, State::Read) {
            Some(State::Waiting(file)) => Some((number, file)),
            _ => None,
        }
    }

    /// Tells those who wait that there is something new.
    fn tell(&self, changed: &Condvar) {
        if self.waiting > 0 {
            changed.notify_all();
        }
    }
}

/// The next records of a file, in so many bytes of lines or little more.
fn parse(mut file: Box<CaptureFile>, most: u64) -> Chunk {
    let mut records: Vec<(Timestamp, Record)> = Vec::new();
    let end = file.offset() + most;
    while file.offset() < end {
        match file.advance() {
            Ok(Some(at)) => {
                let is_checkpoint = records.last().is_some_and(|(last, _)| *last != at);
                records.extend(file.take_record().map(|record| (at, record)));
                if is_checkpoint && records.len() >= WORTH {
                    break;
                }
            }
            end => {
                return Chunk {
                    content: Content::Records(records),
                    bytes_read: file.bytes_read(),
                    rest: Rest::End(file, end.err()),
                };
            }
        }
    }
    Chunk { content: Content::Records(records), bytes_read: file.bytes_read(), rest: Rest::Here(file) }
}

/// The next frames of a file, in so many bytes or little more.
fn decode(mut file: Box<CaptureFile>, most: u64, splitting: &Splitting, batch: Batch) -> Chunk {
    let mut decoded = Box::new(Decoded::empty(batch));
    let mut decoder = splitting.decoder.clone();
    let until = file.offset() + most;
    let mut end = None;
    while file.offset() < until && end.is_none() {
        end = file.decode_on(&mut decoded.batch, &mut decoder).err();
    }
    decoded.tally = decoder.into_tally();
    let bytes_read = file.bytes_read();
    let rest = match end {
        Some(error) => Rest::End(file, error),
        None => Rest::Here(file),
    };
    Chunk { content: Content::Frames(decoded), bytes_read, rest }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Cursor;

    use super::*;
    use crate::capture::Input;

    const HEADER: &str =
        r#"{"header":{"version":1,"tool":"t","host":"h","interfaces":[],"filter":"","at":"2026-11-21T00:00:00Z"}}"#;

    fn finding(length: usize) -> String {
        format!(r#"{{"finding":{{"code":"c","subject":"s","message":"{}","count":1}}}}"#, "x".repeat(length))
    }

    fn open(lines: &[String]) -> Box<CaptureFile> {
        let directory = tempfile::tempdir().expect("room");
        let path = directory.path().join("flows");
        fs::write(&path, lines.join("\n") + "\n").expect("room");
        Box::new(CaptureFile::open(&Input::File(path)).expect("a flow file"))
    }

    fn records(chunk: &Chunk) -> usize {
        match &chunk.content {
            Content::Records(records) => records.len(),
            Content::Frames(_) => panic!("a flow file has no frames"),
        }
    }

    fn rest(chunk: Chunk) -> Box<CaptureFile> {
        match chunk.rest {
            Rest::Here(file) => file,
            rest => panic!("there is more: {rest:?}"),
        }
    }

    #[test]
    fn long_lines_come_one_after_the_other() {
        let lines: Vec<String> = std::iter::once(HEADER.into()).chain((0..100).map(|_| finding(100_000))).collect();
        let chunk = parse(open(&lines), 300_000);
        assert_eq!(records(&chunk), 4, "the header, and lines up to the bound");
        assert_eq!(records(&parse(rest(chunk), 1)), 1, "there is always one");
    }

    #[test]
    fn a_checkpoint_is_where_another_file_may_come() {
        let checkpoint = r#"{"checkpoint":{"at":"2026-11-21T00:00:10Z"}}"#.to_owned();
        let short = (0..300).map(|_| finding(1));
        let lines: Vec<String> = std::iter::once(HEADER.into()).chain(short.clone()).chain([checkpoint]).chain(short).collect();
        let chunk = parse(open(&lines), 1 << 20);
        assert_eq!(records(&chunk), 302, "the header, the findings and the checkpoint");
        let chunk = parse(rest(chunk), 1 << 20);
        assert_eq!(records(&chunk), 300);
        assert!(matches!(chunk.rest, Rest::End(_, None)), "{:?}", chunk.rest);
    }

    #[test]
    fn nobody_waits_for_a_pipe() {
        let lines = format!("{HEADER}\n{}\n", finding(1));
        let mut pipe = CaptureFile::from_reader("-", Cursor::new(lines)).expect("a flow file");
        let mut file = open(&[HEADER.into()]);
        for (capture, expected) in [(&mut pipe, false), (&mut *file, true)] {
            capture.advance().expect("a header");
            assert_eq!(capture.can_go_ahead(), expected, "what is read ahead must be there");
        }
    }
}
