//! Files that are read ahead side by side, by threads beside the one that merges them.
//!
//! In: files at some place between two frames or records, none of them a pipe. Out: what each of them holds in its order, some at a
//! time: records parsed, frames decoded. What is needed first is read first, and what is ahead is bounded in bytes, of all files
//! together.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::frame_batch::Decoded;
use super::parallel::Splitting;
use super::{CaptureError, CaptureFile};
use crate::flow::{Batch, Record};
use crate::model::Timestamp;

/// Bytes that may be taken by what is ahead and what is being merged, of all files together.
const MOST: u64 = 64 << 20;
/// Bytes of a file that are read at once, at least and at most, by the number of files: of each one there is something all the time,
/// which is to leave room for what is ahead. Of what is compressed, behind its compression.
const AT_ONCE: (u64, u64) = (4 << 10, 128 << 10);
/// Batches that are kept to be filled again.
const SPARE: usize = 16;
/// What is decoded takes up to four times the bytes of its frames (DNS), what is parsed no more than those of its lines.
const OF_FRAMES: u64 = 4;
/// How long a file is waited for before it is asked whether anybody reads it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Some of what one file holds.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) content: Content,
    /// Bytes taken from the file so far.
    pub(super) bytes_read: u64,
    pub(super) rest: Rest,
    /// The time of the last frame or record, if there is any.
    last: Option<Timestamp>,
    /// Bytes that it may take.
    size: u64,
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
    /// Bytes that may be taken by what is read of a file at once.
    at_once: u64,
    splitting: Splitting,
    files: Mutex<Files>,
    changed: Condvar,
}

/// The files by their numbers.
#[derive(Debug, Default)]
struct Files {
    /// Those that wait to be read, with the times they have come to: what is next of the first is needed first.
    queue: BTreeSet<(Timestamp, usize)>,
    states: BTreeMap<usize, State>,
    /// Bytes taken by what is ahead, will be when it has been read, and by what is being merged.
    taken: u64,
    /// What can be filled again.
    spare: Vec<Batch>,
    /// Threads that wait to be told of a change.
    waiting: usize,
    is_over: bool,
}

#[derive(Debug)]
struct State {
    /// What has been read and not taken.
    ready: VecDeque<Chunk>,
    /// The file, unless a thread has it or it is at its end.
    file: Option<Box<CaptureFile>>,
    /// Bytes taken by what is being merged.
    merged: u64,
    /// The time it has come to.
    at: Timestamp,
    /// Whether it is not to be read on, for it is to come back.
    is_held: bool,
}

impl Ahead {
    /// The threads beside the one that calls this, for so many files.
    pub(super) fn new(splitting: Splitting, files: usize) -> Self {
        let threads = (splitting.threads.get() - 1).min(files);
        let at_once = (MOST / 4 / files.max(1) as u64).min(OF_FRAMES * AT_ONCE.1);
        let shared = Arc::new(Shared { at_once, splitting, files: Mutex::default(), changed: Condvar::new() });
        let work = || {
            let shared = Arc::clone(&shared);
            // Without the thread it takes longer.
            std::thread::Builder::new().name("ahead".into()).spawn(move || shared.work()).ok()
        };
        Self { threads: (0..threads).filter_map(|_| work()).collect(), shared }
    }

    /// Lets a file be read from where it is.
    pub(super) fn begin(&self, number: usize, file: Box<CaptureFile>) {
        let state = State { ready: VecDeque::new(), file: Some(file), merged: 0, at: Timestamp::MIN, is_held: false };
        let mut files = self.shared.lock();
        files.states.insert(number, state);
        files.enqueue(number);
        files.tell(&self.shared.changed);
    }

    /// What comes next of a file that has begun, if there is anything. Where it `goes_on`, what follows is read meanwhile; otherwise
    /// the file comes back as soon as what has been read of it is taken.
    pub(super) fn next(&mut self, number: usize, goes_on: bool) -> Option<Chunk> {
        let mut files = self.shared.lock();
        while files.states.contains_key(&number) {
            if let Some(chunk) = files.take(number, goes_on) {
                files.tell(&self.shared.changed);
                return Some(chunk);
            }
            // Nobody has come to it yet, or somebody is at it; then another's is read here meanwhile.
            if let Some(file) = files.take_file(number) {
                files = self.shared.read(files, number, file);
            } else if let Some((other, file)) = files.claim() {
                files = self.shared.read(files, other, file);
            } else {
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
        None
    }

    /// Takes back what can be filled again.
    pub(super) fn recycle(&self, batch: Batch) {
        let mut files = self.shared.lock();
        if files.spare.len() < SPARE {
            files.spare.push(batch);
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

    /// Reads files until all is over.
    fn work(&self) {
        let mut files = self.lock();
        while !files.is_over {
            if let Some((number, file)) = files.claim() {
                files = self.read(files, number, file);
            } else {
                files.waiting += 1;
                files = self.changed.wait(files).unwrap_or_else(PoisonError::into_inner);
                files.waiting -= 1;
            }
        }
    }

    /// Reads on in a file that was taken out, while others may do so in theirs.
    fn read<'a>(&'a self, mut files: MutexGuard<'a, Files>, number: usize, file: Box<CaptureFile>) -> MutexGuard<'a, Files> {
        let (least, most) = AT_ONCE;
        files.taken += self.at_once;
        let read = if file.holds_records() {
            drop(files);
            parse(file, self.at_once.clamp(least, most))
        } else {
            let batch = files.spare.pop();
            drop(files);
            let most = (self.at_once / OF_FRAMES).clamp(least, most);
            decode(file, most, &self.splitting, batch.unwrap_or_else(|| self.splitting.batch.clone()))
        };
        let mut files = self.lock();
        files.taken -= self.at_once;
        files.put(number, read);
        files.tell(&self.changed);
        files
    }
}

impl Files {
    /// A file that is to be read, if there is room for what it holds.
    fn claim(&mut self) -> Option<(usize, Box<CaptureFile>)> {
        if self.taken >= MOST {
            return None;
        }
        let (_, number) = self.queue.pop_first()?;
        Some((number, self.states.get_mut(&number)?.file.take()?))
    }

    /// The same of one that is needed at once.
    fn take_file(&mut self, number: usize) -> Option<Box<CaptureFile>> {
        let state = self.states.get_mut(&number)?;
        self.queue.remove(&(state.at, number));
        state.file.take()
    }

    /// Takes in what was read of a file.
    fn put(&mut self, number: usize, (chunk, file): (Chunk, Option<Box<CaptureFile>>)) {
        let Some(state) = self.states.get_mut(&number) else { return };
        self.taken += chunk.size;
        (state.at, state.file) = (chunk.last.unwrap_or(state.at), file);
        state.ready.push_back(chunk);
        self.enqueue(number);
    }

    /// What is ready of a file, if anything is.
    fn take(&mut self, number: usize, goes_on: bool) -> Option<Chunk> {
        let state = self.states.get_mut(&number)?;
        // What was being merged of it has been.
        self.taken -= std::mem::take(&mut state.merged);
        let next = state.ready.pop_front();
        state.merged = next.as_ref().map_or(0, |chunk| chunk.size);
        let is_all = state.ready.is_empty();
        state.is_held = !goes_on;
        if goes_on {
            self.enqueue(number);
        } else {
            self.queue.remove(&(state.at, number));
        }
        let mut chunk = next?;
        if !goes_on
            && is_all
            && let Some(file) = self.take_file(number)
        {
            chunk.rest = Rest::Here(file);
        }
        if !matches!(chunk.rest, Rest::Ahead) {
            self.taken -= chunk.size;
            self.states.remove(&number);
        }
        Some(chunk)
    }

    /// Lets a file that is there be read on.
    fn enqueue(&mut self, number: usize) {
        if let Some(state) = self.states.get(&number)
            && state.file.is_some()
            && !state.is_held
        {
            self.queue.insert((state.at, number));
        }
    }

    /// Tells those who wait that there is something new.
    fn tell(&self, changed: &Condvar) {
        if self.waiting > 0 {
            changed.notify_all();
        }
    }
}

/// The next records of a file, in so many bytes of lines or little more; and the file, if there may be more.
fn parse(mut file: Box<CaptureFile>, most: u64) -> (Chunk, Option<Box<CaptureFile>>) {
    let mut records: Vec<(Timestamp, Record)> = Vec::new();
    let start = file.offset();
    let mut went = Ok(());
    while file.offset() < start + most && went.is_ok() {
        match file.advance() {
            Ok(Some(at)) => records.extend(file.take_record().map(|record| (at, record))),
            end => went = Err(end.err()),
        }
    }
    let last = records.last().map(|(at, _)| *at);
    let size = file.offset() - start;
    Chunk::of(Content::Records(records), (last, size), file, went)
}

/// The next frames of a file, in so many bytes or little more; and the file, if there may be more.
fn decode(mut file: Box<CaptureFile>, most: u64, splitting: &Splitting, batch: Batch) -> (Chunk, Option<Box<CaptureFile>>) {
    let mut frames = Box::new(Decoded::empty(batch));
    let mut decoder = splitting.decoder.clone();
    let start = file.offset();
    let mut went = Ok(());
    while file.offset() < start + most && went.is_ok() {
        went = file.decode_on(start + most - file.offset(), &mut frames.batch, &mut decoder);
    }
    frames.tally = decoder.into_tally();
    let last = Some(file.latest());
    let size = (file.offset() - start) * OF_FRAMES;
    Chunk::of(Content::Frames(frames), (last, size), file, went)
}

impl Chunk {
    /// What was read of a file before it went on or, with or without an error, ended.
    fn of(
        content: Content,
        (last, size): (Option<Timestamp>, u64),
        file: Box<CaptureFile>,
        went: Result<(), Option<CaptureError>>,
    ) -> (Self, Option<Box<CaptureFile>>) {
        let bytes_read = file.bytes_read();
        let (rest, file) = match went {
            Ok(()) => (Rest::Ahead, Some(file)),
            Err(error) => (Rest::End(file, error), None),
        };
        (Self { content, bytes_read, rest, last, size }, file)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Cursor;
    use std::num::NonZeroUsize;

    use super::*;
    use crate::capture::Input;
    use crate::decode::{DecodeOptions, Decoder};
    use crate::flow::FlowTable;

    const HEADER: &str =
        r#"{"header":{"version":4,"tool":"t","host":"h","interfaces":[],"filter":"","at":"2026-11-21T00:00:00Z"}}"#;

    fn finding(length: usize) -> String {
        format!(r#"{{"finding":{{"code":"c","subject":"s","message":"{}","count":1}}}}"#, "x".repeat(length))
    }

    fn open(lines: &[String]) -> Box<CaptureFile> {
        let directory = tempfile::tempdir().expect("room");
        let path = directory.path().join("flows");
        fs::write(&path, lines.join("\n") + "\n").expect("room");
        Box::new(CaptureFile::open(&Input::File(path)).expect("a flow file"))
    }

    fn number(number: usize) -> String {
        format!(r#"{{"finding":{{"code":"c","subject":"{number}","message":"","count":1}}}}"#)
    }

    fn records(chunk: &Chunk) -> &[(Timestamp, Record)] {
        match &chunk.content {
            Content::Records(records) => records,
            Content::Frames(_) => panic!("a flow file has no frames"),
        }
    }

    fn ahead(threads: usize) -> Ahead {
        let (decoder, batch) = (Decoder::new(DecodeOptions::default()), FlowTable::new(16).batch());
        Ahead::new(Splitting { threads: NonZeroUsize::new(threads).expect("some"), decoder, batch }, 3)
    }

    #[test]
    fn long_lines_come_one_after_the_other() {
        let lines: Vec<String> = std::iter::once(HEADER.into()).chain((0..100).map(|_| finding(100_000))).collect();
        let (chunk, file) = parse(open(&lines), 300_000);
        assert_eq!(records(&chunk).len(), 4, "the header, and lines up to the bound");
        assert_eq!(records(&parse(file.expect("there is more"), 1).0).len(), 1, "there is always one");
    }

    /// Everything comes, in order and once, whoever reads it, also where the file is asked back now and then.
    #[test]
    fn what_is_read_ahead_is_what_is_there() {
        let lines: Vec<String> = std::iter::once(HEADER.into()).chain((0..20_000).map(number)).collect();
        for threads in [1, 2, 4] {
            let mut ahead = ahead(threads);
            let mut came = vec![Vec::new(); 3];
            let files = [lines[..1].to_vec(), lines[..7000].to_vec(), lines.clone()];
            for (file, lines) in files.iter().enumerate() {
                ahead.begin(file, open(lines));
            }
            let (mut turn, mut returned) = (0, 0);
            let mut left = vec![0, 1, 2];
            while !left.is_empty() {
                turn += 1;
                let file = left[turn % left.len()];
                let chunk = ahead.next(file, turn % 5 > 1).expect("its end has not come");
                came[file].extend(records(&chunk).iter().map(|(_, record)| format!("{record:?}")));
                match chunk.rest {
                    Rest::Ahead => {}
                    Rest::Here(again) => {
                        returned += 1;
                        ahead.begin(file, again);
                    }
                    Rest::End(_, error) => {
                        assert!(error.is_none(), "{error:?}");
                        left.retain(|number| *number != file);
                        assert!(ahead.next(file, true).is_none(), "after the end there is nothing");
                    }
                }
            }
            assert!(returned > 0, "{threads} threads: no file came back");
            assert_eq!(ahead.shared.lock().taken, 0, "{threads} threads: all that was ahead was taken");
            for (lines, came) in files.iter().zip(&came) {
                let mut alone = open(lines);
                let mut expected = Vec::new();
                while alone.advance().expect("it can be read").is_some() {
                    expected.extend(alone.take_record().map(|record| format!("{record:?}")));
                }
                assert!(*came == expected, "{threads} threads: {} of {} records", came.len(), expected.len());
            }
        }
    }

    #[test]
    fn little_is_ahead_of_who_takes_nothing() {
        let long = std::iter::once(HEADER.into()).chain((0..1000).map(|_| finding(100_000)));
        let long = open(&long.collect::<Vec<String>>());
        let mut ahead = ahead(3);
        ahead.begin(0, long);
        // As soon as both threads wait for more room, they have done what they may.
        let files = loop {
            let files = ahead.shared.lock();
            if files.waiting == 2 && files.taken >= MOST {
                break files;
            }
            drop(files);
            std::thread::yield_now();
        };
        assert!((MOST..MOST + 4 * AT_ONCE.1).contains(&files.taken), "{} bytes are ahead", files.taken);
        drop(files);
        assert_eq!(records(&ahead.next(0, true).expect("the first")).len(), 3, "the header and what begins within the bound");
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
