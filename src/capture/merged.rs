//! Many captures as one, in the order of time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::compression::Means;
use super::file::Far;
use super::frame_batch::Decoded;
use super::parallel::Splitting;
use super::read_ahead::{Ahead, Chunk, Content, Rest};
use super::{CaptureError, CaptureFile, Input, Observed};
use crate::decode::Tally;
use crate::flow::{Batch, Record};
use crate::model::{Findings, Timestamp};

/// Files that stay open between the look at their first frame and their turn. Where there are more, each is read with little memory:
/// all may have to be open at a time.
const KEPT_OPEN: usize = 16;
/// Frames of several files that are given together.
const TOGETHER: usize = 2048;

/// The frames of many inputs, merged by time. Frames of one input keep their order; of frames at the same time, those of the
/// earlier input come first. Of many files, each is open only from its first frame's time to its end, so captures that follow one
/// another need few descriptors.
///
/// What is wrong with one input does not stop the others: see [`Merged::errors`].
#[derive(Debug)]
pub struct Merged {
    inputs: Vec<Source>,
    /// The next frame's time of every input but the active one, the earliest on top.
    waiting: BinaryHeap<Reverse<(Timestamp, usize)>>,
    /// The input that gave the last frame; its next frame has not been looked at.
    active: Option<usize>,
    /// The input that is known to give the next one, and stands at it.
    next: Option<usize>,
    errors: Vec<CaptureError>,
    findings: Findings,
    bytes_of_ended: u64,
    total_bytes: Option<u64>,
    /// How files are split, if they are.
    splitting: Option<Splitting>,
    /// The threads that read files side by side, as soon as there is a need of them.
    ahead: Option<Ahead>,
    /// What decoders made of frames of theirs.
    tally: Tally,
    /// For the next frames of several files.
    spare: Option<Batch>,
    means: Means,
}

/// What comes next of many captures.
#[derive(Debug)]
pub enum Following<'a> {
    /// One frame or record, and the number of its input.
    One(u32, Observed<'a>),
    /// Many frames, decoded.
    Many(Box<Decoded>),
}

#[derive(Debug)]
struct Source {
    input: Input,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Its first frame's time is known; to be opened again when the merge gets there.
    Closed,
    /// Standing at the frame whose time waits, or at the one that was given last.
    Open(Box<CaptureFile>),
    /// The same, of a file that other threads read.
    Ahead(Box<Coming>),
    Ended,
}

/// What is there already of a file that other threads read.
#[derive(Debug)]
struct Coming {
    ready: Ready,
    bytes_read: u64,
    rest: Rest,
    /// Whether it may be read in pieces once no other file's frames come between its own,
    may_split: bool,
    /// and whether some did.
    is_interrupted: bool,
}

#[derive(Debug)]
enum Ready {
    /// The record at which it stands, and those that follow.
    Records(Option<Record>, std::vec::IntoIter<(Timestamp, Record)>),
    /// It stands at the first of them.
    Frames(Batch),
}

impl Merged {
    /// Looks at the first frame of every input.
    #[must_use]
    pub fn new(inputs: Vec<Input>) -> Self {
        Self::with(inputs, None)
    }

    /// The same, where threads read ahead: long files are split, what is compressed is decompressed beside. With
    /// [`read_following`](Self::read_following) only.
    #[must_use]
    pub fn splitting(inputs: Vec<Input>, splitting: Splitting) -> Self {
        Self::with(inputs, Some(splitting))
    }

    fn with(inputs: Vec<Input>, splitting: Option<Splitting>) -> Self {
        let is_ahead = splitting.as_ref().is_some_and(|splitting| splitting.threads.get() > 1);
        let means = match inputs.len() {
            ..=KEPT_OPEN if is_ahead => Means::Ahead,
            ..=KEPT_OPEN => Means::Usual,
            _ => Means::Sparing,
        };
        let mut merged = Self {
            inputs: Vec::with_capacity(inputs.len()),
            waiting: BinaryHeap::with_capacity(inputs.len()),
            active: None,
            next: None,
            errors: Vec::new(),
            findings: Findings::default(),
            bytes_of_ended: 0,
            total_bytes: Some(0),
            splitting,
            ahead: None,
            tally: Tally::default(),
            spare: None,
            means,
        };
        for input in inputs {
            let index = merged.inputs.len();
            let length = regular_length(&input);
            merged.total_bytes = merged.total_bytes.zip(length).map(|(total, length)| total + length);
            merged.inputs.push(Source { input, state: State::Closed });
            // What comes from a pipe cannot be opened again; and few files may as well stay open.
            if merged.start(index) && length.is_some() && index >= KEPT_OPEN {
                merged.inputs[index].state = State::Closed;
            }
        }
        merged
    }

    /// When the inputs begin, in order. Complete before anything has been read.
    #[must_use]
    pub fn beginnings(&self) -> Vec<Timestamp> {
        let mut beginnings: Vec<Timestamp> = self.waiting.iter().map(|Reverse((at, _))| *at).collect();
        beginnings.sort_unstable();
        beginnings
    }

    /// The next frame or record of all inputs. Not to be mixed with [`read_following`](Self::read_following).
    pub fn read_next(&mut self) -> Option<Observed<'_>> {
        let index = self.next_input()?;
        self.active = Some(index);
        self.inputs[index].state.current()
    }

    /// The next frame or record of all inputs, or many frames.
    pub fn read_following(&mut self) -> Option<Following<'_>> {
        if let Some(decoded) = self.advance_far() {
            return Some(Following::Many(decoded));
        }
        let index = self.next_input()?;
        if self.inputs[index].state.stands_at_frames() {
            return Some(Following::Many(Box::new(self.gather(index)?)));
        }
        self.active = Some(index);
        self.inputs[index].state.current().map(|one| Following::One(number(index), one))
    }

    /// Many frames of the input that gave the last one, if none of another comes between them.
    fn advance_far(&mut self) -> Option<Box<Decoded>> {
        let (splitting, index) = (self.splitting.as_ref()?, self.active?);
        let State::Open(file) = &mut self.inputs[index].state else { return None };
        let waiting = self.waiting.peek().map(|Reverse(first)| *first);
        let may_come = |at| waiting.is_none_or(|first| (at, index) < first);
        match file.advance_far(splitting, may_come) {
            Far::Moved(decoded) => return Some(decoded),
            Far::Single => {}
            Far::Between => self.go_ahead(index),
        }
        None
    }

    /// The next frames of all inputs that other threads decode, up to what another input gives. The first is that of `index`, which
    /// stands at it.
    fn gather(&mut self, mut index: usize) -> Option<Decoded> {
        let batch = self.spare.take().or_else(|| Some(self.splitting.as_ref()?.batch.clone()))?;
        let mut decoded = Decoded::empty(batch);
        loop {
            let waiting = self.waiting.peek().map(|Reverse(first)| *first);
            self.inputs[index].state.hand_on(&mut decoded.batch, |at| waiting.is_none_or(|first| (at, index) < first));
            self.active = Some(index);
            if decoded.batch.len() >= TOGETHER {
                break;
            }
            match self.next_input() {
                Some(next) if self.inputs[next].state.stands_at_frames() => index = next,
                next => {
                    self.next = next;
                    break;
                }
            }
        }
        decoded.tally = std::mem::take(&mut self.tally);
        Some(decoded)
    }

    /// Takes back what can be filled again.
    pub fn recycle(&mut self, batch: Batch) {
        match self.active.map(|index| &mut self.inputs[index].state) {
            Some(State::Open(file)) => file.recycle(batch),
            _ => self.spare = Some(batch),
        }
    }

    /// What is to be said of the inputs themselves. Complete only after the last frame.
    pub fn take_findings(&mut self) -> Findings {
        std::mem::take(&mut self.findings)
    }

    /// What could not be read, or not to its end. The frames of other inputs are not touched by it.
    #[must_use]
    pub fn errors(&self) -> &[CaptureError] {
        &self.errors
    }

    /// The same, to be kept.
    pub fn take_errors(&mut self) -> Vec<CaptureError> {
        std::mem::take(&mut self.errors)
    }

    /// How many inputs there are, broken ones included.
    #[must_use]
    pub fn input_count(&self) -> usize {
        self.inputs.len()
    }

    /// Bytes taken from the inputs so far, before decompression.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        let open = self.inputs.iter().map(|source| match &source.state {
            State::Open(file) => file.bytes_read(),
            State::Ahead(coming) => coming.bytes_read,
            State::Closed | State::Ended => 0,
        });
        self.bytes_of_ended + open.sum::<u64>()
    }

    /// Bytes of all inputs, before decompression; `None` if one is a pipe.
    #[must_use]
    pub const fn total_bytes(&self) -> Option<u64> {
        self.total_bytes
    }

    fn open(&self, index: usize) -> Result<CaptureFile, CaptureError> {
        CaptureFile::open_with(&self.inputs[index].input, self.means).map(|file| file.numbered(number(index)))
    }

    /// Opens an input and puts it in the queue at its first frame. False if it has none.
    fn start(&mut self, index: usize) -> bool {
        match self.open(index) {
            Ok(file) => {
                self.inputs[index].state = State::Open(Box::new(file));
                self.queue(index)
            }
            Err(error) => {
                self.errors.push(error);
                self.inputs[index].state = State::Ended;
                false
            }
        }
    }

    /// Moves an open input on, and puts it in the queue; at its end it is closed.
    fn queue(&mut self, index: usize) -> bool {
        let at = self.advance(index);
        if let Some(at) = at {
            self.waiting.push(Reverse((at, index)));
        }
        at.is_some()
    }

    fn advance(&mut self, index: usize) -> Option<Timestamp> {
        // Of packets it is tried only where frames of others come between: alone, a file is read in pieces.
        if matches!(&self.inputs[index].state, State::Open(file) if file.holds_records()) {
            self.go_ahead(index);
        }
        loop {
            match &mut self.inputs[index].state {
                State::Open(file) => match file.advance() {
                    Ok(Some(at)) => return Some(at),
                    end => {
                        self.end(index, end.err());
                        return None;
                    }
                },
                State::Ahead(coming) => {
                    if let Some(at) = coming.ready.advance() {
                        return Some(at);
                    }
                    match std::mem::replace(&mut coming.rest, Rest::Ahead) {
                        Rest::Ahead => self.read_ahead(index),
                        Rest::Here(file) => self.inputs[index].state = State::Open(file),
                        Rest::End(file, error) => {
                            self.inputs[index].state = State::Open(file);
                            self.end(index, error);
                        }
                    }
                }
                State::Closed | State::Ended => return None,
            }
        }
    }

    /// Lets other threads read an input on; without others it is read some at a time.
    fn go_ahead(&mut self, index: usize) {
        let Some(splitting) = &self.splitting else { return };
        let state = &mut self.inputs[index].state;
        let State::Open(file) = state else { return };
        // One thread parses records no quicker some at a time, but decodes frames so.
        if !file.can_go_ahead() || file.holds_records() && splitting.threads.get() == 1 {
            return;
        }
        let coming = Coming {
            ready: Ready::Records(None, Vec::new().into_iter()),
            bytes_read: file.bytes_read(),
            rest: Rest::Ahead,
            may_split: file.may_split(),
            is_interrupted: true,
        };
        if let State::Open(file) = std::mem::replace(state, State::Ahead(Box::new(coming))) {
            let files = self.inputs.len();
            self.ahead.get_or_insert_with(|| Ahead::new(splitting.clone(), files)).begin(index, file);
        }
    }

    /// Takes what other threads have read of an input.
    fn read_ahead(&mut self, index: usize) {
        let (State::Ahead(coming), Some(ahead)) = (&mut self.inputs[index].state, &mut self.ahead) else { return };
        let goes_on = coming.is_interrupted || !coming.may_split;
        let Some(Chunk { content, bytes_read, rest, .. }) = ahead.next(index, goes_on) else {
            self.inputs[index].state = State::Ended;
            return;
        };
        (coming.bytes_read, coming.rest, coming.is_interrupted) = (bytes_read, rest, false);
        let ready = match content {
            Content::Records(records) => Ready::Records(None, records.into_iter()),
            Content::Frames(decoded) => {
                self.tally.merge(&decoded.tally);
                Ready::Frames(decoded.batch)
            }
        };
        if let Ready::Frames(batch) = std::mem::replace(&mut coming.ready, ready) {
            ahead.recycle(batch);
        }
    }

    /// Takes what an input has to say at its end.
    fn end(&mut self, index: usize, error: Option<CaptureError>) {
        if let State::Open(file) = &mut self.inputs[index].state {
            self.bytes_of_ended += file.bytes_read();
            self.findings.merge(file.take_findings());
        }
        self.errors.extend(error);
        self.inputs[index].state = State::Ended;
    }

    /// The input whose frame is next; it stands there.
    fn next_input(&mut self) -> Option<usize> {
        if self.next.is_some() {
            return self.next.take();
        }
        if let Some(index) = self.active.take()
            && let Some(at) = self.advance(index)
        {
            // As long as one file stays ahead of the others, nothing is queued.
            if self.waiting.peek().is_none_or(|Reverse(first)| (at, index) < *first) {
                return Some(index);
            }
            self.waiting.push(Reverse((at, index)));
        }
        loop {
            let Reverse((_, index)) = self.waiting.pop()?;
            if let State::Open(_) | State::Ahead(_) = self.inputs[index].state {
                return Some(index);
            }
            // Its time was looked up before; now it is read. What follows in the queue was looked up as well, so the order holds.
            match self.open(index) {
                Ok(file) => {
                    self.inputs[index].state = State::Open(Box::new(file));
                    if self.advance(index).is_some() {
                        return Some(index);
                    }
                }
                Err(error) => {
                    self.errors.push(error);
                    self.inputs[index].state = State::Ended;
                }
            }
        }
    }
}

impl State {
    fn current(&self) -> Option<Observed<'_>> {
        match self {
            Self::Open(file) => file.current(),
            Self::Ahead(coming) => match &coming.ready {
                Ready::Records(current, _) => current.as_ref().map(Observed::Record),
                Ready::Frames(_) => None,
            },
            Self::Closed | Self::Ended => None,
        }
    }

    const fn stands_at_frames(&self) -> bool {
        matches!(self, Self::Ahead(coming) if matches!(coming.ready, Ready::Frames(_)))
    }

    /// Moves the frame at which it stands, and those that follow up to the first that is not meant, to the end of a batch.
    fn hand_on(&mut self, batch: &mut Batch, is_meant: impl Fn(Timestamp) -> bool) {
        if let Self::Ahead(coming) = self
            && let Ready::Frames(frames) = &mut coming.ready
        {
            frames.hand_on(batch, is_meant);
            coming.is_interrupted |= !frames.is_empty();
        }
    }
}

impl Ready {
    /// Moves to the next record and tells its time; to frames that it stands at it has moved already.
    fn advance(&mut self) -> Option<Timestamp> {
        match self {
            Self::Records(current, left) => {
                let (at, record) = left.next()?;
                *current = Some(record);
                Some(at)
            }
            Self::Frames(frames) => frames.next_at(),
        }
    }
}

/// There are fewer inputs than 2^32.
fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX - 1)
}

/// The length of a file that can be opened again; `None` for pipes and standard input.
fn regular_length(input: &Input) -> Option<u64> {
    match input {
        Input::StandardInput => None,
        Input::File(path) => path.metadata().map_or(Some(0), |metadata| metadata.is_file().then_some(metadata.len())),
    }
}
