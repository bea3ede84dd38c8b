//! Many captures as one, in the order of time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::ahead::{Ahead, Chunk};
use super::compression::Means;
use super::split::{Piece, Splitting};
use super::{CaptureError, CaptureFile, Input, Observed};
use crate::flow::{Batch, Record};
use crate::model::{Findings, Timestamp};

/// Files that stay open between the look at their first frame and their turn. Where there are more, each is read with little memory:
/// all may have to be open at a time.
const KEPT_OPEN: usize = 16;

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
    errors: Vec<CaptureError>,
    findings: Findings,
    bytes_of_ended: u64,
    total_bytes: Option<u64>,
    /// How files are split, if they are.
    splitting: Option<Splitting>,
    /// The threads that parse flow files, as soon as there is one.
    ahead: Option<Ahead>,
    means: Means,
}

/// What comes next of many captures.
#[derive(Debug)]
pub enum Following<'a> {
    /// One frame or record.
    One(Observed<'a>),
    /// Many frames, decoded.
    Many(Box<Piece>),
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
    /// The same, of a flow file that other threads parse.
    Ahead(Box<Coming>),
    Ended,
}

/// Records of a flow file that are there already.
#[derive(Debug, Default)]
struct Coming {
    current: Option<Record>,
    records: std::vec::IntoIter<(Timestamp, Record)>,
    bytes_read: u64,
    end: Option<(Box<CaptureFile>, Option<CaptureError>)>,
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
            errors: Vec::new(),
            findings: Findings::default(),
            bytes_of_ended: 0,
            total_bytes: Some(0),
            splitting,
            ahead: None,
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

    /// The next frame or record of all inputs.
    pub fn read_next(&mut self) -> Option<Observed<'_>> {
        let index = self.next_input()?;
        self.active = Some(index);
        match &self.inputs[index].state {
            State::Open(file) => file.current(),
            State::Ahead(coming) => coming.current.as_ref().map(Observed::Record),
            State::Closed | State::Ended => None,
        }
    }

    /// The next frame or record of all inputs, or many frames of one if none of another comes between them.
    pub fn read_following(&mut self) -> Option<Following<'_>> {
        if let (Some(splitting), Some(index)) = (&self.splitting, self.active)
            && let State::Open(file) = &mut self.inputs[index].state
        {
            let waiting = self.waiting.peek().map(|Reverse(first)| *first);
            let may_come = |at| waiting.is_none_or(|first| (at, index) < first);
            if let Some(piece) = file.advance_far(splitting, may_come) {
                return Some(Following::Many(Box::new(piece)));
            }
        }
        self.read_next().map(Following::One)
    }

    /// Takes back what can be filled again.
    pub fn recycle(&mut self, batch: Batch) {
        if let Some(index) = self.active
            && let State::Open(file) = &mut self.inputs[index].state
        {
            file.recycle(batch);
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
        CaptureFile::open_with(&self.inputs[index].input, self.means)
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
        self.go_ahead(index);
        match &mut self.inputs[index].state {
            State::Open(file) => match file.advance() {
                Ok(Some(at)) => return Some(at),
                end => self.end(index, end.err()),
            },
            State::Ahead(coming) => loop {
                if let Some((at, record)) = coming.records.next() {
                    coming.current = Some(record);
                    return Some(at);
                }
                if let Some((file, error)) = coming.end.take() {
                    self.inputs[index].state = State::Open(file);
                    self.end(index, error);
                    break;
                }
                let Some(Chunk { records, bytes_read, end }) = self.ahead.as_mut().and_then(|ahead| ahead.next(index)) else {
                    self.inputs[index].state = State::Ended;
                    break;
                };
                **coming = Coming { current: None, records: records.into_iter(), bytes_read, end };
            },
            State::Closed | State::Ended => {}
        }
        None
    }

    /// Lets other threads parse a flow file from its second record on, if there are other threads.
    fn go_ahead(&mut self, index: usize) {
        let Some(threads) = self.splitting.as_ref().map(|splitting| splitting.threads.get()).filter(|threads| *threads > 1)
        else {
            return;
        };
        let files = self.inputs.len();
        let state = &mut self.inputs[index].state;
        if !matches!(state, State::Open(file) if file.can_be_parsed_ahead() && file.frames() > 0) {
            return;
        }
        let ahead = self.ahead.get_or_insert_with(|| Ahead::new(threads - 1, files));
        if let State::Open(file) = std::mem::replace(state, State::Ahead(Box::default())) {
            ahead.begin(index, file);
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

/// The length of a file that can be opened again; `None` for pipes and standard input.
fn regular_length(input: &Input) -> Option<u64> {
    match input {
        Input::StandardInput => None,
        Input::File(path) => path.metadata().map_or(Some(0), |metadata| metadata.is_file().then_some(metadata.len())),
    }
}
