//! Flow files whose lines are parsed ahead, by threads beside the one that takes their records.
//!
//! In: files at some place between two records, none of them a pipe. Out: each file's records in their order, some at a time. What is
//! ahead is bounded: of each file so many bytes of lines, and little beyond its next checkpoint, for by then it is mostly another
//! file's turn.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{CaptureError, CaptureFile};
use crate::flow::Record;
use crate::model::Timestamp;

/// Bytes of lines that are parsed at once, of all files together and of each.
const TOGETHER: usize = 64 << 20;
const MOST: usize = 512 << 10;
const LEAST: usize = 16 << 10;
/// Records that are worth handing over at a checkpoint.
const WORTH: usize = 256;
/// How long a file is waited for before it is asked whether anybody reads it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Records of one file, with their times.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    pub(super) records: Vec<(Timestamp, Record)>,
    /// Bytes taken from the file so far.
    pub(super) bytes_read: u64,
    /// The file, when there is nothing more in it, and why it could not be read on.
    pub(super) end: Option<(Box<CaptureFile>, Option<CaptureError>)>,
}

/// The threads, and the files they parse.
#[derive(Debug)]
pub(super) struct Ahead {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    /// Bytes of a file's lines that are parsed at once.
    most: u64,
    files: Mutex<Files>,
    changed: Condvar,
}

/// The files by their numbers.
#[derive(Debug, Default)]
struct Files {
    /// Those that wait to be parsed.
    queue: VecDeque<usize>,
    states: BTreeMap<usize, State>,
    /// Threads that wait to be told of a change.
    waiting: usize,
    is_over: bool,
}

#[derive(Debug)]
enum State {
    Waiting(Box<CaptureFile>),
    /// A thread has it.
    Parsed,
    Done(Chunk, Option<Box<CaptureFile>>),
}

impl Ahead {
    /// So many threads, for so many files at most.
    pub(super) fn new(threads: usize, files: usize) -> Self {
        let most = (TOGETHER / files.max(1)).clamp(LEAST, MOST) as u64;
        let shared = Arc::new(Shared { most, files: Mutex::default(), changed: Condvar::new() });
        let work = || {
            let shared = Arc::clone(&shared);
            // Without the thread it takes longer.
            std::thread::Builder::new().name("parse".into()).spawn(move || shared.work()).ok()
        };
        Self { threads: (0..threads.min(files)).filter_map(|_| work()).collect(), shared }
    }

    /// Lets a file be parsed from where it is.
    pub(super) fn begin(&self, number: usize, file: Box<CaptureFile>) {
        self.shared.put(number, file);
    }

    /// The next records of a file that has begun; the last ones come with the file. After them there is nothing.
    pub(super) fn next(&mut self, number: usize) -> Option<Chunk> {
        let mut files = self.shared.lock();
        loop {
            match files.states.remove(&number)? {
                State::Done(chunk, file) => {
                    drop(files);
                    if let Some(file) = file {
                        self.shared.put(number, file);
                    }
                    return Some(chunk);
                }
                // Nobody has come to it yet.
                State::Waiting(file) => {
                    files.queue.retain(|waiting| *waiting != number);
                    drop(files);
                    let (chunk, file) = parse(file, self.shared.most);
                    if let Some(file) = file {
                        self.shared.put(number, file);
                    }
                    return Some(chunk);
                }
                State::Parsed => {
                    files.states.insert(number, State::Parsed);
                    // Meanwhile another's are parsed here.
                    if let Some((other, file)) = files.claim() {
                        drop(files);
                        files = self.shared.parse(other, file);
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

    /// Lets a file be parsed.
    fn put(&self, number: usize, file: Box<CaptureFile>) {
        let mut files = self.lock();
        files.states.insert(number, State::Waiting(file));
        files.queue.push_back(number);
        files.tell(&self.changed);
    }

    /// Parses files until all is over.
    fn work(&self) {
        let mut files = self.lock();
        while !files.is_over {
            let Some((number, file)) = files.claim() else {
                files.waiting += 1;
                files = self.changed.wait(files).unwrap_or_else(PoisonError::into_inner);
                files.waiting -= 1;
                continue;
            };
            drop(files);
            files = self.parse(number, file);
        }
    }

    /// Parses the next records of a file, for whoever takes them.
    fn parse(&self, number: usize, file: Box<CaptureFile>) -> MutexGuard<'_, Files> {
        let (chunk, file) = parse(file, self.most);
        let mut files = self.lock();
        files.states.insert(number, State::Done(chunk, file));
        files.tell(&self.changed);
        files
    }
}

impl Files {
    /// A file that waits to be parsed.
    fn claim(&mut self) -> Option<(usize, Box<CaptureFile>)> {
        let number = self.queue.pop_front()?;
        match self.states.insert(number, State::Parsed) {
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

/// The next records of a file, in so many bytes of lines or little more; the file too, if there may be more.
fn parse(mut file: Box<CaptureFile>, most: u64) -> (Chunk, Option<Box<CaptureFile>>) {
    let mut chunk = Chunk::default();
    let end = file.offset() + most;
    while file.offset() < end {
        match file.advance() {
            Ok(Some(at)) => {
                let is_checkpoint = chunk.records.last().is_some_and(|(last, _)| *last != at);
                chunk.records.extend(file.take_record().map(|record| (at, record)));
                if is_checkpoint && chunk.records.len() >= WORTH {
                    break;
                }
            }
            end => {
                chunk.bytes_read = file.bytes_read();
                chunk.end = Some((file, end.err()));
                return (chunk, None);
            }
        }
    }
    chunk.bytes_read = file.bytes_read();
    (chunk, Some(file))
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

    #[test]
    fn long_lines_come_one_after_the_other() {
        let lines: Vec<String> = std::iter::once(HEADER.into()).chain((0..100).map(|_| finding(100_000))).collect();
        let (chunk, file) = parse(open(&lines), 300_000);
        assert_eq!(chunk.records.len(), 4, "the header, and lines up to the bound");
        let (chunk, _) = parse(file.expect("more"), 1);
        assert_eq!(chunk.records.len(), 1, "there is always one");
    }

    #[test]
    fn a_checkpoint_is_where_another_file_may_come() {
        let checkpoint = r#"{"checkpoint":{"at":"2026-11-21T00:00:10Z"}}"#.to_owned();
        let short = (0..300).map(|_| finding(1));
        let lines: Vec<String> = std::iter::once(HEADER.into()).chain(short.clone()).chain([checkpoint]).chain(short).collect();
        let (chunk, file) = parse(open(&lines), 1 << 20);
        assert_eq!(chunk.records.len(), 302, "the header, the findings and the checkpoint");
        let (chunk, file) = parse(file.expect("more"), 1 << 20);
        assert_eq!((chunk.records.len(), file.is_none(), chunk.end.is_some()), (300, true, true));
    }

    #[test]
    fn nobody_waits_for_a_pipe() {
        let lines = format!("{HEADER}\n{}\n", finding(1));
        let pipe = CaptureFile::from_reader("-", Cursor::new(lines)).expect("a flow file");
        assert!(!pipe.can_be_parsed_ahead(), "what is parsed ahead must be there");
        assert!(open(&[HEADER.into()]).can_be_parsed_ahead());
    }
}
