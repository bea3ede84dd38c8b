//! One file, read in pieces by several threads.
//!
//! In: a file of records at a place between two of them. Out: the [`Piece`]s of it in their order, each with its frames decoded. Where a
//! piece begins is known only when the one before it has been read; so a thread that goes ahead guesses, and a guess that turns
//! out wrong costs time, nothing else: the piece is read again from where it does begin. A piece ends before whatever is unusual
//! (the end, damage, another section, a time that jumps); from there on the file is read frame by frame.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::frame_batch::{Decoded, Times, take_usual};
use super::pcap::Pcap;
use super::pcapng::Pcapng;
use super::record::{ByteOrder, Next, Record};
use super::window::Window;
use crate::decode::Decoder;
use crate::flow::Batch;
use crate::model::Timestamp;

/// Bytes of a piece: many windows, so that threads seldom have to do with one another, and few enough that what becomes of it is
/// still in a cache when it is taken.
const PIECE: u64 = 1024 * 1024;
/// Files with less left than that are not worth threads.
const WORTH: u64 = 4 * PIECE;
/// Bytes that are read of the next piece at first, for the record that reaches into it,
const OVERLAP: usize = 2048;
/// and at once if that is longer.
const BEYOND: usize = 128 * 1024;
/// Bytes in which the beginning of a record is searched.
const SEARCHED: usize = 128 * 1024;
/// How long a piece is waited for before it is asked whether anybody reads it.
const PATIENCE: Duration = Duration::from_secs(1);

/// How files are to be split: what every thread needs of those who will take the frames.
#[derive(Clone, Debug)]
pub struct Splitting {
    /// Threads in all, with the one that takes the pieces.
    pub threads: NonZeroUsize,
    /// One that has seen nothing.
    pub decoder: Decoder,
    /// An empty one.
    pub batch: Batch,
}

/// What can be split.
#[derive(Clone, Debug)]
pub(super) enum Records {
    Pcap(Pcap),
    Pcapng(Pcapng),
}

impl Records {
    fn advance(&mut self, window: &mut Window<FileAt>) -> Next<Record> {
        match self {
            Self::Pcap(pcap) => pcap.advance(window),
            Self::Pcapng(pcapng) => pcapng.advance(window),
        }
    }

    const fn changes(&self) -> u64 {
        match self {
            Self::Pcap(_) => 0,
            Self::Pcapng(pcapng) => pcapng.changes,
        }
    }

    const fn left_out(&self) -> u64 {
        match self {
            Self::Pcap(_) => 0,
            Self::Pcapng(pcapng) => pcapng.left_out,
        }
    }
}

/// A file from some place on, whatever other threads read of it.
#[derive(Debug)]
pub(super) struct FileAt {
    pub(super) file: Arc<File>,
    pub(super) offset: u64,
    /// From there on little is wanted: it is another piece's.
    pub(super) until: u64,
}

impl Read for FileAt {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.until.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        let wanted = if wanted == 0 { BEYOND } else { wanted };
        let wanted = buffer.len().min(wanted);
        let count = read_at(&self.file, &mut buffer[..wanted], self.offset)?;
        self.offset += count as u64;
        Ok(count)
    }
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

/// A part of a file.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) decoded: Decoded,
    /// Where it begins and where the next one does.
    pub(super) start: u64,
    pub(super) end: u64,
    /// Whether it ends before something that must be looked at frame by frame.
    pub(super) is_broken_off: bool,
    pub(super) times: Times,
    /// Of pcapng.
    pub(super) left_out: u64,
}

/// A file that is being read in pieces.
pub(super) struct Split {
    shared: Arc<Shared>,
    reader: Reader,
    threads: Vec<JoinHandle<()>>,
    /// The piece that is next, and where it begins.
    number: u64,
    offset: u64,
}

#[derive(Debug)]
struct Shared {
    plan: Plan,
    progress: Mutex<Progress>,
    changed: Condvar,
}

/// What does not change.
#[derive(Debug)]
struct Plan {
    file: Arc<File>,
    records: Records,
    splitting: Splitting,
    /// Where the first piece begins; the others begin at multiples of [`PIECE`], or with the first record after them.
    begin: u64,
    /// How many pieces there seemed to be.
    count: u64,
    /// The time there.
    near: Timestamp,
}

#[derive(Debug)]
struct Progress {
    /// The first piece that nobody reads yet.
    unclaimed: u64,
    /// The piece that is to be taken next.
    wanted: u64,
    done: BTreeMap<u64, Piece>,
    spare: Vec<Batch>,
    /// How many threads wait to be told of a change; without any, telling costs nothing.
    waiting: usize,
    is_over: bool,
}

impl Split {
    /// Splits the rest of a file, if it is long enough: from `offset`, where a record begins at about `near`.
    pub(super) fn begin(file: &Arc<File>, records: Records, splitting: &Splitting, offset: u64, near: Timestamp) -> Option<Self> {
        let length = file.metadata().ok().filter(std::fs::Metadata::is_file)?.len();
        if length < offset.saturating_add(WORTH) {
            return None;
        }
        let count = length / PIECE - offset / PIECE;
        let plan = Plan { file: Arc::clone(file), records, splitting: splitting.clone(), begin: offset, count, near };
        let progress = Progress { unclaimed: 0, wanted: 0, done: BTreeMap::new(), spare: Vec::new(), waiting: 0, is_over: false };
        let shared = Arc::new(Shared { plan, progress: Mutex::new(progress), changed: Condvar::new() });
        let reader = Reader::new(&shared.plan);
        let mut threads = Vec::new();
        for _ in 1..splitting.threads.get() {
            let shared = Arc::clone(&shared);
            // Without the thread it takes longer.
            threads.extend(std::thread::Builder::new().name("read".into()).spawn(move || shared.work()));
        }
        Some(Self { shared, reader, threads, number: 0, offset })
    }

    /// Where the next piece begins.
    pub(super) const fn offset(&self) -> u64 {
        self.offset
    }

    /// The next piece; nothing if there is none.
    pub(super) fn next(&mut self) -> Option<Piece> {
        let number = self.number;
        if number >= self.shared.plan.count {
            return None;
        }
        let piece = loop {
            let mut progress = self.shared.lock();
            if let Some(piece) = progress.done.remove(&number) {
                drop(progress);
                break if piece.start == self.offset {
                    piece
                } else {
                    self.reader.read(&self.shared.plan, number, Some(self.offset), piece.decoded.batch)
                };
            }
            let Some(claimed) = progress.claim(&self.shared.plan) else {
                // Whoever reads it will say so, unless its thread is no more.
                progress.waiting += 1;
                let waited = self.shared.changed.wait_timeout(progress, PATIENCE);
                let (mut progress, waited) = waited.unwrap_or_else(PoisonError::into_inner);
                progress.waiting -= 1;
                let is_lost = waited.timed_out() && !progress.done.contains_key(&number);
                if is_lost && self.threads.iter().any(JoinHandle::is_finished) {
                    drop(progress);
                    let batch = self.shared.plan.splitting.batch.clone();
                    break self.reader.read(&self.shared.plan, number, Some(self.offset), batch);
                }
                continue;
            };
            let batch = progress.spare.pop().unwrap_or_else(|| self.shared.plan.splitting.batch.clone());
            drop(progress);
            let start = (claimed == number).then_some(self.offset);
            let piece = self.reader.read(&self.shared.plan, claimed, start, batch);
            if claimed == number {
                break piece;
            }
            self.shared.lock().done.insert(claimed, piece);
        };
        self.number += 1;
        self.offset = piece.end;
        let mut progress = self.shared.lock();
        progress.wanted = self.number;
        self.shared.tell(progress);
        Some(piece)
    }

    /// Takes back what can be filled again.
    pub(super) fn recycle(&self, batch: Batch) {
        self.shared.lock().spare.push(batch);
    }
}

impl Drop for Split {
    fn drop(&mut self) {
        self.shared.lock().is_over = true;
        self.shared.changed.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Progress {
    /// A piece that is to be read, if so many more may wait.
    fn claim(&mut self, plan: &Plan) -> Option<u64> {
        let ahead = 2 * plan.splitting.threads.get() as u64;
        let is_free = self.unclaimed < plan.count && self.unclaimed < self.wanted + ahead;
        is_free.then(|| {
            self.unclaimed += 1;
            self.unclaimed - 1
        })
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells those who wait that there is something new.
    fn tell(&self, progress: MutexGuard<'_, Progress>) {
        let is_awaited = progress.waiting > 0;
        drop(progress);
        if is_awaited {
            self.changed.notify_all();
        }
    }

    /// Reads pieces until there are no more.
    fn work(&self) {
        let mut reader = Reader::new(&self.plan);
        let mut progress = self.lock();
        while !progress.is_over && progress.unclaimed < self.plan.count {
            let Some(number) = progress.claim(&self.plan) else {
                progress.waiting += 1;
                progress = self.changed.wait(progress).unwrap_or_else(PoisonError::into_inner);
                progress.waiting -= 1;
                continue;
            };
            let batch = progress.spare.pop().unwrap_or_else(|| self.plan.splitting.batch.clone());
            drop(progress);
            let piece = reader.read(&self.plan, number, None, batch);
            progress = self.lock();
            progress.done.insert(number, piece);
            self.tell(progress);
            progress = self.lock();
        }
    }
}

/// What a thread needs to read pieces.
struct Reader {
    window: Window<FileAt>,
}

impl Reader {
    fn new(plan: &Plan) -> Self {
        Self { window: Window::new(FileAt { file: Arc::clone(&plan.file), offset: 0, until: 0 }) }
    }

    /// Reads a piece, from where it is known to begin or seems to.
    fn read(&mut self, plan: &Plan, number: u64, start: Option<u64>, batch: Batch) -> Piece {
        let boundary = |number| (plan.begin / PIECE + number) * PIECE;
        let (from, until) = (boundary(number), boundary(number + 1));
        let start = start.or((number == 0).then_some(plan.begin));
        let base = start.unwrap_or(from);
        self.window.restart(FileAt { file: Arc::clone(&plan.file), offset: base, until: until + OVERLAP as u64 });
        let mut piece = Piece::empty(batch, start.unwrap_or(u64::MAX));
        if start.is_none() {
            self.window.has(SEARCHED);
            let guess = match &plan.records {
                Records::Pcap(pcap) => pcap.guess(self.window.ready(), plan.near),
                Records::Pcapng(pcapng) => pcapng.guess(self.window.ready()),
            };
            let Some(guess) = guess else { return piece };
            self.window.step(guess);
            piece.start = base + guess as u64;
        }
        piece.end = base + self.window.offset();
        match &plan.records {
            // Compiled by itself, the usual order costs nothing.
            Records::Pcap(pcap) if pcap.order == ByteOrder::Little => {
                self.fill(plan, base, until, &mut piece, |bytes| pcap.here(ByteOrder::Little, bytes));
            }
            Records::Pcap(pcap) => self.fill(plan, base, until, &mut piece, |bytes| pcap.here(pcap.order, bytes)),
            Records::Pcapng(pcapng) => self.fill(plan, base, until, &mut piece, |bytes| pcapng.here(bytes)),
        }
        piece
    }

    /// Puts the frames up to a place into a piece. `here` finds usual records in bytes.
    fn fill(&mut self, plan: &Plan, base: u64, until: u64, piece: &mut Piece, here: impl Fn(&[u8]) -> Option<(Record, usize)>) {
        let mut records = plan.records.clone();
        let mut decoder = plan.splitting.decoder.clone();
        while piece.end < until {
            let wanted = usize::try_from(until - piece.end).unwrap_or(usize::MAX);
            let mut found = 0;
            let within = |bytes: &[u8]| {
                let next = if found < wanted { here(bytes) } else { None };
                found += next.as_ref().map_or(0, |(_, length)| *length);
                next
            };
            let taken = take_usual(self.window.ready(), (&mut piece.decoded.batch, &mut piece.times), &mut decoder, within);
            self.window.step(taken);
            piece.end += taken as u64;
            if piece.end >= until {
                break;
            }
            let Next::Is(record) = records.advance(&mut self.window) else {
                piece.is_broken_off = true;
                break;
            };
            if records.changes() != plan.records.changes() || !piece.times.is_next(record.at) {
                piece.is_broken_off = true;
                break;
            }
            piece.decoded.batch.take(&record.frame(self.window.behind(record.distance, record.captured)), &mut decoder);
            piece.times.saw(record.at);
            piece.left_out = records.left_out() - plan.records.left_out();
            piece.end = base + self.window.offset();
        }
        piece.decoded.tally = decoder.into_tally();
    }
}

impl Piece {
    fn empty(batch: Batch, start: u64) -> Self {
        Self { decoded: Decoded::empty(batch), start, end: start, is_broken_off: false, times: Times::new(), left_out: 0 }
    }
}
