//! Flow files whose lines are parsed ahead, by threads beside the one that takes their records.
//!
//! In: files at some place between two records. Out: each file's records in their order, some at a time. What is ahead is bounded: of
//! each file no more than those.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{CaptureError, CaptureFile};
use crate::flow::Record;
use crate::model::Timestamp;

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
    /// Records of a file that are parsed at once.
    together: usize,
    files: Mutex<Files>,
    changed: Condvar,
}

/// The files by their numbers.
#[derive(Debug, Default)]
struct Files {
    /// Those that wait to be parsed.
    queue: VecDeque<usize>,
    states: BTreeMap<usize, State>,
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
    /// So many threads, each of which parses so many records of a file at once.
    pub(super) fn new(threads: usize, together: usize) -> Self {
        let shared = Arc::new(Shared { together, files: Mutex::default(), changed: Condvar::new() });
        let work = || {
            let shared = Arc::clone(&shared);
            // Without the thread it takes longer.
            std::thread::Builder::new().name("parse".into()).spawn(move || shared.work()).ok()
        };
        Self { threads: (0..threads).filter_map(|_| work()).collect(), shared }
    }

    /// Lets a file be parsed from where it is.
    pub(super) fn begin(&self, number: usize, file: Box<CaptureFile>) {
        self.shared.lock().put(number, file);
        self.shared.changed.notify_all();
    }

    /// The next records of a file that has begun; the last ones come with the file. After them there is nothing.
    pub(super) fn next(&mut self, number: usize) -> Option<Chunk> {
        let mut files = self.shared.lock();
        loop {
            match files.states.remove(&number)? {
                State::Done(chunk, file) => {
                    if let Some(file) = file {
                        files.put(number, file);
                        drop(files);
                        self.shared.changed.notify_all();
                    }
                    return Some(chunk);
                }
                // Nobody has come to it yet.
                State::Waiting(file) => {
                    files.queue.retain(|waiting| *waiting != number);
                    drop(files);
                    let (chunk, file) = parse(file, self.shared.together);
                    if let Some(file) = file {
                        self.begin(number, file);
                    }
                    return Some(chunk);
                }
                State::Parsed => {
                    files.states.insert(number, State::Parsed);
                    let waited = self.shared.changed.wait_timeout(files, PATIENCE);
                    let (again, waited) = waited.unwrap_or_else(PoisonError::into_inner);
                    files = again;
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

impl Files {
    fn put(&mut self, number: usize, file: Box<CaptureFile>) {
        self.states.insert(number, State::Waiting(file));
        self.queue.push_back(number);
    }

    /// A file that waits to be parsed.
    fn claim(&mut self) -> Option<(usize, Box<CaptureFile>)> {
        let number = self.queue.pop_front()?;
        match self.states.insert(number, State::Parsed) {
            Some(State::Waiting(file)) => Some((number, file)),
            _ => None,
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Parses files until all is over.
    fn work(&self) {
        let mut files = self.lock();
        while !files.is_over {
            let Some((number, file)) = files.claim() else {
                files = self.changed.wait(files).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            drop(files);
            let (chunk, file) = parse(file, self.together);
            files = self.lock();
            files.states.insert(number, State::Done(chunk, file));
            self.changed.notify_all();
        }
    }
}

/// The next records of a file; the file too, if there may be more.
fn parse(mut file: Box<CaptureFile>, together: usize) -> (Chunk, Option<Box<CaptureFile>>) {
    let mut chunk = Chunk { records: Vec::with_capacity(together), ..Chunk::default() };
    while chunk.records.len() < together {
        match file.advance() {
            Ok(Some(at)) => chunk.records.extend(file.take_record().map(|record| (at, record))),
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
