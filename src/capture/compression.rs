//! Compressed captures, recognised by content.
//!
//! Decompressors stream: a bomb of any ratio costs time, not memory.

use std::io::{self, BufReader, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

/// The largest zstd window, as a power of two: what `zstd` itself decompresses without being told otherwise. `--long=31` is
/// refused.
const ZSTD_WINDOW_LOG: u32 = 27;
/// Compression inside compression that is looked through (`tcpdump -z gzip` on a file that a log shipper then compressed).
const MAX_LAYERS: usize = 3;

/// How a stream is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    Gzip,
    Zstd,
}

impl Compression {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// By the first bytes: RFC 1952, section 2.3.1; RFC 8878, sections 3.1.1 and 3.1.2 (skippable frames may come first).
    fn recognise(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// Bytes taken from a file or pipe, before decompression. Shared, so that a progress bar may look while reading goes on.
#[derive(Clone, Debug, Default)]
pub(super) struct Position(Arc<AtomicU64>);

impl Position {
    pub(super) fn set(&self, bytes: u64) {
        self.0.store(bytes, Ordering::Relaxed);
    }

    pub(super) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A failure of the file itself, told apart from what decompressors make of what they read.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct SourceFailed(io::Error);

/// The outermost reader: counts, and marks errors as its own.
pub(super) struct Source<R> {
    pub(super) inner: R,
    pub(super) position: Position,
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.inner.read(buffer) {
            Ok(count) => {
                self.position.0.fetch_add(count as u64, Ordering::Relaxed);
                Ok(count)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => Err(io::Error::other(SourceFailed(error))),
        }
    }
}

/// What an error from a decompressed stream means.
#[derive(Debug)]
pub(super) enum Failure {
    /// The file could not be read on.
    Source(io::Error),
    /// The compressed stream ends too early.
    Truncated,
    /// The compressed stream is damaged.
    Damaged(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return Self::Truncated;
        }
        match error.downcast::<SourceFailed>() {
            Ok(SourceFailed(error)) => Self::Source(error),
            Err(error) => Self::Damaged(error),
        }
    }
}

/// A stream without its compression.
pub(super) struct Decompressed {
    pub(super) reader: Box<dyn Read + Send>,
    /// The outermost compression.
    pub(super) compression: Option<Compression>,
    pub(super) position: Position,
}

/// With how much memory a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Means {
    /// Another thread decompresses, ahead of the reader.
    Ahead,
    /// The usual buffers.
    Usual,
    /// Little, for there are hundreds of files.
    Sparing,
}

/// The buffer of a decompressor that is to be sparing; zstd's own choice is 128 KB.
const SPARING: usize = 16 * 1024;

/// Looks at the first bytes of `reader` and takes off what compression there is. A failure comes with the outermost compression.
pub(super) fn decompress(
    reader: impl Read + Send + 'static,
    means: Means,
) -> Result<Decompressed, (Option<Compression>, Failure)> {
    let position = Position::default();
    let mut reader: Box<dyn Read + Send> = Box::new(Source { inner: reader, position: position.clone() });
    let mut compression = None;
    for _ in 0..MAX_LAYERS {
        let mut head = Vec::with_capacity(4);
        reader.by_ref().take(4).read_to_end(&mut head).map_err(|error| (compression, error.into()))?;
        let recognised = Compression::recognise(&head);
        let whole = io::Cursor::new(head).chain(reader);
        reader = match recognised {
            None => {
                reader = Box::new(whole);
                break;
            }
            Some(Compression::Gzip) => {
                Box::new(Steps::new(flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(64 * 1024, whole))))
            }
            Some(Compression::Zstd) => Box::new(Steps::new(unzstd(whole, means).map_err(|error| (recognised, error.into()))?)),
        };
        compression = compression.or(recognised);
    }
    if means == Means::Ahead && compression.is_some() {
        reader = ahead(reader);
    }
    Ok(Decompressed { reader, compression, position })
}

fn unzstd<R: Read>(reader: R, means: Means) -> io::Result<zstd::stream::read::Decoder<'static, BufReader<R>>> {
    let usual = zstd::zstd_safe::DCtx::in_size();
    let buffer = BufReader::with_capacity(if means == Means::Sparing { SPARING } else { usual }, reader);
    let mut decoder = zstd::stream::read::Decoder::with_buffer(buffer)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG)?;
    Ok(decoder)
}

/// Bytes that are asked of a decompressor at a time.
const STEP: usize = 8 * 1024;

/// A decompressor that is asked for the same whoever reads. What it had of a request in which it fails is lost; so requests are
/// small, and where the bytes end is the same for whoever reads them.
struct Steps<R> {
    decompressor: R,
    /// For whoever wants less than a step.
    step: Vec<u8>,
    /// What of it has been taken, and how much of it there is.
    taken: usize,
    length: usize,
    failure: Option<io::Error>,
}

impl<R> Steps<R> {
    const fn new(decompressor: R) -> Self {
        Self { decompressor, step: Vec::new(), taken: 0, length: 0, failure: None }
    }
}

impl<R: Read> Read for Steps<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let mut count = 0;
        while count < buffer.len() {
            if self.taken < self.length {
                let some = (buffer.len() - count).min(self.length - self.taken);
                buffer[count..count + some].copy_from_slice(&self.step[self.taken..self.taken + some]);
                self.taken += some;
                count += some;
                continue;
            }
            let is_direct = buffer.len() - count >= STEP;
            let read = if is_direct {
                self.decompressor.read(&mut buffer[count..count + STEP])
            } else {
                self.step.resize(STEP, 0);
                self.decompressor.read(&mut self.step)
            };
            match read {
                Ok(0) => break,
                Ok(some) if is_direct => count += some,
                Ok(some) => (self.taken, self.length) = (0, some),
                Err(error) if count == 0 => return Err(error),
                Err(error) => {
                    self.failure = Some(error);
                    break;
                }
            }
        }
        Ok(count)
    }
}

/// Bytes that go from thread to thread at once, and how often: enough that waking a thread for them does not count.
const AHEAD: usize = 512 * 1024;
const AHEAD_COUNT: usize = 3;

/// What another thread has read.
struct Ahead {
    chunks: Receiver<io::Result<Chunk>>,
    spent: SyncSender<Chunk>,
    chunk: Chunk,
    taken: usize,
}

/// Bytes on their way from thread to thread.
#[derive(Debug, Default)]
struct Chunk {
    bytes: Vec<u8>,
    /// How many of them count.
    length: usize,
}

impl Chunk {
    /// Fills it anew, as far as the reader goes.
    fn fill(&mut self, reader: &mut impl Read) -> io::Result<()> {
        self.bytes.resize(AHEAD, 0);
        self.length = 0;
        while self.length < AHEAD {
            match reader.read(&mut self.bytes[self.length..]) {
                Ok(0) => break,
                Ok(count) => self.length += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Lets another thread read. Without one, nothing changes.
fn ahead(reader: Box<dyn Read + Send>) -> Box<dyn Read + Send> {
    let (give, chunks) = sync_channel(AHEAD_COUNT);
    let (spent, take_back) = sync_channel::<Chunk>(AHEAD_COUNT + 2);
    // The thread takes the reader out as soon as it runs.
    let reader = Arc::new(Mutex::new(Some(reader)));
    let shared = Arc::clone(&reader);
    let started = std::thread::Builder::new().name("decompress".into()).spawn(move || {
        let Some(mut reader) = shared.lock().ok().and_then(|mut reader| reader.take()) else { return };
        loop {
            let mut chunk = take_back.try_recv().unwrap_or_default();
            let filled = chunk.fill(&mut reader);
            let is_end = chunk.length == 0;
            // What came before a failure counts.
            if !is_end && give.send(Ok(chunk)).is_err() {
                return;
            }
            if let Err(error) = filled {
                let _ = give.send(Err(error));
                return;
            }
            if is_end {
                return;
            }
        }
    });
    match started {
        Ok(_) => Box::new(Ahead { chunks, spent, chunk: Chunk::default(), taken: 0 }),
        Err(_) => reader.lock().ok().and_then(|mut reader| reader.take()).unwrap_or_else(|| Box::new(io::empty())),
    }
}

impl Read for Ahead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.chunk.length {
            let Ok(next) = self.chunks.recv() else { return Ok(0) };
            let spent = std::mem::replace(&mut self.chunk, next?);
            self.taken = 0;
            let _ = self.spent.try_send(spent);
        }
        let count = buffer.len().min(self.chunk.length - self.taken);
        buffer[..count].copy_from_slice(&self.chunk.bytes[self.taken..self.taken + count]);
        self.taken += count;
        Ok(count)
    }
}
