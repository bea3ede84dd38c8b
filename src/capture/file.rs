//! One capture file, as a source of frames or of what a capture made of them.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::compression::{Compression, Decompressed, Failure, Means, Position, Source, decompress};
use super::format::{Format, before_frames, recognise};
use super::frame_batch::{Decoded, Times, take_usual};
use super::parallel::{FileAt, Records, Split, Splitting};
use super::record::{Next, Record};
use super::timestamp_filter::Clock;
use super::window::Window;
use super::{CaptureError, Input};
use crate::decode::{Decoder, Frame, LinkType};
use crate::flow::{self, Batch};
use crate::model::{Code, Findings, Timestamp};

/// Bytes of the window that are looked at together.
const AT_ONCE: usize = 16 * 1024;
/// Nanoseconds until another file's next frame that are worth taking what comes before it together.
const WORTH_A_PIECE: i64 = 1_000_000;

/// What comes of moving over many frames at once.
pub(super) enum Far {
    Moved(Box<Decoded>),
    /// Nothing: the next frame must be looked at by itself.
    Single,
    /// Nothing: others come between the next frames.
    Between,
}

/// What a capture holds.
#[derive(Clone, Copy, Debug)]
pub enum Observed<'a> {
    /// A frame as it was on the wire.
    Frame(Frame<'a>),
    /// What was made of frames that are not there any more.
    Record(&'a flow::Record),
}

impl Observed<'_> {
    /// When it was captured, if it tells.
    #[must_use]
    pub const fn at(self) -> Option<Timestamp> {
        match self {
            Observed::Frame(frame) => Some(frame.at),
            Observed::Record(flow::Record::Header(header)) => Some(header.at),
            Observed::Record(flow::Record::Checkpoint { at }) => Some(*at),
            Observed::Record(_) => None,
        }
    }
}

/// A capture that is being read: pcap, pcapng or a flow file, plain or compressed, from a file, standard input or any reader. It holds one
/// buffer of 256 kB, or of the largest frame if that is larger (16 MB at most).
pub struct CaptureFile {
    path: PathBuf,
    /// Its number among the inputs.
    input: u32,
    window: Window<Box<dyn Read + Send>>,
    /// Where in the file the window began.
    base: u64,
    /// The file itself, if it is one.
    file: Option<Arc<File>>,
    /// While it is read in pieces.
    split: Option<Split>,
    /// How often that may still be begun.
    splits: u8,
    /// For the next piece of what is in the window.
    spare: Option<Batch>,
    format: Format,
    compression: Option<Compression>,
    position: Position,
    /// The frame that [`CaptureFile::advance`] came to.
    current: Option<Current>,
    clock: Clock,
    /// Frames that were read ahead to judge their times.
    held: VecDeque<Held>,
    /// What was read after them; its frame, if it is one, is in the window.
    pending: Option<Next<Record>>,
    /// Frames, or records of a flow file.
    frames: u64,
    latest: Timestamp,
    backwards: u64,
    is_ended: bool,
    findings: Findings,
}

impl std::fmt::Debug for CaptureFile {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("CaptureFile").field("path", &self.path).field("frames", &self.frames).finish_non_exhaustive()
    }
}

enum Current {
    InWindow(Record),
    Held(Held),
}

impl Current {
    const fn at(&self) -> Timestamp {
        match self {
            Self::InWindow(record) => record.at,
            Self::Held(held) => held.at,
        }
    }
}

/// A frame that has left the window.
struct Held {
    at: Timestamp,
    link: LinkType,
    wire_length: u32,
    data: Vec<u8>,
}

impl CaptureFile {
    /// A file in which there is something unusual again and again is read frame by frame.
    const SPLITS: u8 = 8;

    /// Opens what `input` names and reads the file's header.
    ///
    /// # Errors
    /// When it cannot be opened, or is no capture.
    pub fn open(input: &Input) -> Result<Self, CaptureError> {
        Self::open_with(input, Means::Usual)
    }

    /// The same, with so much memory.
    pub(super) fn open_with(input: &Input, means: Means) -> Result<Self, CaptureError> {
        let Input::File(path) = input else { return Self::read_from(Path::new("-"), io::stdin(), means) };
        let file = File::open(path).map_err(|source| CaptureError::Open { path: path.clone(), source })?;
        if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
            return Self::read_from(path, file, means);
        }
        let file = Arc::new(file);
        let mut capture = Self::read_from(path, FileAt { file: Arc::clone(&file), offset: 0, until: u64::MAX }, means)?;
        capture.file = Some(file);
        Ok(capture)
    }

    /// Sets the number of the input that this file is.
    pub(super) fn numbered(self, input: u32) -> Self {
        Self { input, ..self }
    }

    /// Reads the header of a capture from `reader`; `path` is what messages call it.
    ///
    /// # Errors
    /// When it cannot be read, or is no capture.
    pub fn from_reader(path: impl AsRef<Path>, reader: impl Read + Send + 'static) -> Result<Self, CaptureError> {
        Self::read_from(path.as_ref(), reader, Means::Usual)
    }

    fn read_from(path: &Path, reader: impl Read + Send + 'static, means: Means) -> Result<Self, CaptureError> {
        let path = path.to_path_buf();
        let Decompressed { reader, compression, position } =
            decompress(reader, means).map_err(|(compression, failure)| before_frames(&path, compression, failure))?;
        let mut window = if means == Means::Sparing { Window::sparing(reader) } else { Window::new(reader) };
        let format = match recognise(&mut window) {
            Ok(format) => format,
            Err(problem) => {
                return Err(match window.failure().map(Failure::from) {
                    Some(failure) => before_frames(&path, compression, failure),
                    None => problem.at(path),
                });
            }
        };
        Ok(Self {
            path,
            input: 0,
            window,
            base: 0,
            file: None,
            split: None,
            splits: Self::SPLITS,
            spare: None,
            format,
            compression,
            position,
            current: None,
            clock: Clock::default(),
            held: VecDeque::new(),
            pending: None,
            frames: 0,
            latest: Timestamp::MIN,
            backwards: 0,
            is_ended: false,
            findings: Findings::default(),
        })
    }

    /// As it was named.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Frames (of a flow file: records) read so far.
    #[must_use]
    pub const fn frames(&self) -> u64 {
        self.frames
    }

    /// The time of the last frame.
    pub(super) const fn latest(&self) -> Timestamp {
        self.latest
    }

    /// Bytes taken from the file so far, before decompression.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.position.bytes()
    }

    /// Moves to the next frame or record and tells its time; `None` at the end. It is [current](Self::current) then.
    ///
    /// # Errors
    /// When the file cannot be read on. After that, as after the end, there is nothing more.
    pub fn advance(&mut self) -> Result<Option<Timestamp>, CaptureError> {
        self.current = None;
        if self.is_ended {
            return Ok(None);
        }
        if let Format::Flows(flows) = &mut self.format {
            let next = flows.advance(&mut self.window);
            if let Next::Is(at) = next {
                self.frames += 1;
                return Ok(Some(at));
            }
            return self.end(&next.without());
        }
        if self.held.is_empty() {
            match self.read() {
                Next::Is(record) if self.clock.is_steady(record.at) => return Ok(Some(self.give(Current::InWindow(record)))),
                Next::Is(record) => self.look_ahead(record),
                end => return self.end(&end),
            }
        }
        let held = self.held.pop_front();
        Ok(held.map(|held| self.give(Current::Held(held))))
    }

    /// Moves over many frames at once, if that can be done, and none of them is later than `may_come` admits.
    pub(super) fn advance_far(&mut self, splitting: &Splitting, may_come: impl Fn(Timestamp) -> bool) -> Far {
        if !may_come(self.latest.plus(WORTH_A_PIECE)) {
            self.splits = self.splits.saturating_sub(1);
            if let Some(offset) = self.split.as_ref().map(Split::offset) {
                self.go_on(offset);
            }
            return Far::Between;
        }
        if self.split.is_none() {
            self.split = self.can_split().and_then(|(file, records, at)| {
                self.splits -= 1;
                let mut splitting = splitting.clone();
                splitting.batch.set_input(self.input);
                Split::begin(&file, records, &splitting, self.base + self.window.offset(), at)
            });
        }
        loop {
            let Some(split) = self.split.as_mut() else { return self.advance_in_window(splitting, may_come) };
            let offset = split.offset();
            let Some(piece) = split.next() else {
                self.go_on(offset);
                return Far::Single;
            };
            let Times { frames, first, latest, .. } = piece.times;
            if frames == 0 && !piece.is_broken_off {
                split.recycle(piece.decoded.batch);
                continue;
            }
            if frames == 0 || !self.clock.is_steady(first) || !may_come(latest) {
                self.go_on(offset);
                return if frames == 0 || may_come(latest) { Far::Single } else { Far::Between };
            }
            self.adopt(&piece.times, piece.left_out);
            self.position.set(piece.end);
            if piece.is_broken_off {
                self.go_on(piece.end);
            }
            return Far::Moved(piece.decoded.into());
        }
    }

    /// The same with the frames that are in the window, up to the first that must be looked at by itself.
    fn advance_in_window(&mut self, splitting: &Splitting, may_come: impl Fn(Timestamp) -> bool) -> Far {
        let mut frames = Decoded::empty(self.spare.take().unwrap_or_else(|| splitting.batch.clone()));
        frames.batch.set_input(self.input);
        let mut decoder = splitting.decoder.clone();
        if self.decode_in_window(u64::MAX, (&mut frames.batch, &mut decoder), may_come) {
            frames.tally = decoder.into_tally();
            return Far::Moved(frames.into());
        }
        self.spare = Some(frames.batch);
        Far::Single
    }

    /// Decodes the frames that are in the window and begin within so many bytes, up to the first that must be looked at by itself;
    /// false if that is the next one.
    fn decode_in_window(
        &mut self,
        most: u64,
        (batch, decoder): (&mut Batch, &mut Decoder),
        may_come: impl Fn(Timestamp) -> bool,
    ) -> bool {
        if !self.is_between_frames() || !self.window.has(AT_ONCE) {
            return false;
        }
        let bytes = self.window.ready();
        if self.format.here(bytes).is_none_or(|(first, _)| !self.clock.is_steady(first.at) || !may_come(first.at)) {
            return false;
        }
        let mut times = Times::new();
        let all = bytes.len();
        let next = |bytes: &[u8]| {
            let is_within = ((all - bytes.len()) as u64) < most;
            if is_within { self.format.here(bytes).filter(|(record, _)| may_come(record.at)) } else { None }
        };
        let taken = take_usual(bytes, (batch, &mut times), decoder, next);
        self.window.step(taken);
        self.adopt(&times, 0);
        true
    }

    /// Moves over the next frames and decodes them: at least one, and none that is not there yet or begins beyond so many bytes.
    ///
    /// # Errors
    /// At the end: why it cannot be read on, if that is not all.
    pub(super) fn decode_on(&mut self, most: u64, batch: &mut Batch, decoder: &mut Decoder) -> Result<(), Option<CaptureError>> {
        batch.set_input(self.input);
        if self.decode_in_window(most, (batch, decoder), |_| true) {
            return Ok(());
        }
        match self.advance() {
            Ok(Some(_)) => {
                if let Some(Observed::Frame(frame)) = self.current() {
                    batch.take(&frame, decoder);
                }
                Ok(())
            }
            end => Err(end.err()),
        }
    }

    /// Takes back what can be filled again.
    pub(super) fn recycle(&mut self, batch: Batch) {
        match &self.split {
            Some(split) => split.recycle(batch),
            None => self.spare = Some(batch),
        }
    }

    /// Whether it is long and can be read in pieces.
    pub(super) fn may_split(&self) -> bool {
        self.file.is_some() && self.compression.is_none() && self.splits > 0 && !matches!(self.format, Format::Flows(_))
    }

    fn is_between_frames(&self) -> bool {
        self.held.is_empty() && self.pending.is_none() && self.frames > 0 && !self.is_ended
    }

    /// The file, what is in it and the last frame's time, if it can be read in pieces from the window's place on.
    fn can_split(&self) -> Option<(Arc<File>, Records, Timestamp)> {
        let records = match &self.format {
            Format::Pcap(pcap) => Records::Pcap(*pcap),
            Format::Pcapng(pcapng) => Records::Pcapng(pcapng.clone()),
            Format::Flows(_) => return None,
        };
        let file = self.file.as_ref().filter(|_| self.is_between_frames() && self.compression.is_none() && self.splits > 0)?;
        Some((Arc::clone(file), records, self.latest))
    }

    fn adopt(&mut self, times: &Times, left_out: u64) {
        self.current = None;
        self.frames += times.frames;
        self.backwards += times.backwards + u64::from(times.first < self.latest);
        self.latest = times.last;
        self.clock.gave(times.last);
        if let Format::Pcapng(pcapng) = &mut self.format {
            pcapng.left_out += left_out;
            pcapng.last = times.last;
        }
    }

    /// Goes on frame by frame from there.
    fn go_on(&mut self, offset: u64) {
        self.split = None;
        let Some(file) = &self.file else { return };
        self.position.set(offset);
        self.base = offset;
        let inner = FileAt { file: Arc::clone(file), offset, until: u64::MAX };
        self.window = Window::new(Box::new(Source { inner, position: self.position.clone() }));
    }

    /// What the last [`advance`](Self::advance) came to, in place.
    #[must_use]
    pub fn current(&self) -> Option<Observed<'_>> {
        if let Format::Flows(flows) = &self.format {
            return flows.current.as_ref().map(Observed::Record);
        }
        Some(Observed::Frame(match self.current.as_ref()? {
            Current::InWindow(record) => self.in_window(record),
            Current::Held(Held { at, link, wire_length, data }) => {
                Frame { at: *at, link: *link, wire_length: *wire_length, data }
            }
        }))
    }

    /// Whether it holds records, not frames.
    pub(super) const fn holds_records(&self) -> bool {
        matches!(self.format, Format::Flows(_))
    }

    /// Whether its first frame or record has been given, and reading on never has to wait for whoever writes.
    pub(super) const fn can_go_ahead(&self) -> bool {
        self.file.is_some() && self.frames > 0
    }

    /// How far it has been read, behind its compression.
    pub(super) const fn offset(&self) -> u64 {
        self.window.offset()
    }

    /// The record that the last [`advance`](Self::advance) came to, to be kept.
    pub(super) fn take_record(&mut self) -> Option<flow::Record> {
        if let Format::Flows(flows) = &mut self.format { flows.current.take() } else { None }
    }

    /// Moves on, and gives what is there.
    ///
    /// # Errors
    /// As [`advance`](Self::advance).
    pub fn read_next(&mut self) -> Result<Option<Observed<'_>>, CaptureError> {
        Ok(self.advance()?.and_then(|_| self.current()))
    }

    /// What is to be said of the file itself, such as that it was cut in the middle. Complete only after its end.
    pub fn take_findings(&mut self) -> Findings {
        std::mem::take(&mut self.findings)
    }

    fn in_window(&self, record: &Record) -> Frame<'_> {
        record.frame(self.window.behind(record.distance, record.captured))
    }

    fn give(&mut self, current: Current) -> Timestamp {
        let at = current.at();
        self.frames += 1;
        self.backwards += u64::from(at < self.latest);
        self.latest = at;
        self.clock.gave(at);
        self.current = Some(current);
        at
    }

    fn read(&mut self) -> Next<Record> {
        if let Some(pending) = self.pending.take() {
            return pending;
        }
        match &mut self.format {
            Format::Pcap(pcap) => pcap.advance(&mut self.window),
            Format::Pcapng(pcapng) => pcapng.advance(&mut self.window),
            Format::Flows(_) => Next::End,
        }
    }

    /// Holds frames from this one on until the frames after them tell what their times are worth.
    fn look_ahead(&mut self, first: Record) {
        let mut next = Next::Is(first);
        let mut times = Vec::new();
        loop {
            if let Next::Is(record) = &next {
                let Frame { at, link, wire_length, data } = self.in_window(record);
                let data = data.to_vec();
                times.push(at);
                self.held.push_back(Held { at, link, wire_length, data });
            }
            next = self.read();
            let following = if let Next::Is(record) = &next { Some(record.at) } else { None };
            if let Some(righted) = self.clock.judge(self.frames + 1, &times, following) {
                self.held.iter_mut().zip(righted).for_each(|(held, at)| held.at = at);
                self.pending = Some(next);
                return;
            }
        }
    }

    /// Says why there are no more frames. Whether the rest is missing or cannot be read for damage, to the reviewer it is the
    /// same: traffic that is not in the policies. So both are `truncated-file`, a warning, and not `malformed-frame`, a note.
    fn end(&mut self, next: &Next<Record>) -> Result<Option<Timestamp>, CaptureError> {
        self.is_ended = true;
        let subject = self.path.display().to_string();
        if let Format::Pcapng(pcapng) = &self.format {
            let message =
                "has packets that contradict their block or name an interface that is not described; they were left out";
            self.findings.add_many(Code::MalformedFrame, &subject, message, pcapng.left_out);
        }
        if let Format::Flows(flows) = &mut self.format {
            flows.current = None;
            self.findings.merge(flows.strays.findings(&subject));
            let message = "has lines that are no records; they were left out";
            self.findings.add_many(Code::RecordingIncomplete, &subject, message, flows.malformed);
            let message = "has records of a kind that only a later version of this program reads; they were left out";
            self.findings.add_many(Code::UnsupportedFrame, &subject, message, flows.unknown);
            if !flows.has_ended {
                let message = "is unfinished: its capture was killed, or still goes on";
                self.findings.add(Code::TruncatedFile, &subject, message);
            }
        }
        self.findings.merge(self.clock.findings(&subject));
        self.findings.add_many(Code::OutOfOrderTime, &subject, "has frames that are earlier than the one before", self.backwards);
        let compression = self.compression.map_or("", Compression::name);
        let frames = self.frames;
        match (self.window.failure().map(Failure::from), next) {
            (Some(Failure::Source(source)), _) => {
                return Err(CaptureError::Read { path: self.path.clone(), frames, source });
            }
            (Some(Failure::Truncated), _) => {
                let message = format!("ends inside its {compression} stream, after {frames} frames");
                self.findings.add(Code::TruncatedFile, subject, message);
            }
            (Some(Failure::Damaged(error)), _) => {
                let message =
                    format!("has a damaged {compression} stream ({error}) after {frames} frames; what follows was not read");
                self.findings.add(Code::TruncatedFile, subject, message);
            }
            (None, Next::Cut(what)) => {
                self.findings.add(Code::TruncatedFile, subject, format!("{what}, after {frames} frames"));
            }
            (None, Next::End | Next::Is(_)) => {}
        }
        Ok(None)
    }
}
