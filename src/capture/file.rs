//! One capture file, as a source of frames or of what a capture made of them.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::compression::{Compression, Decompressed, Failure, Position, decompress};
use super::flows::{Flows, NoHeader};
use super::pcap::{self, Pcap};
use super::pcapng::{self, Pcapng};
use super::record::{Next, Record};
use super::window::Window;
use super::{CaptureError, Input};
use crate::decode::Frame;
use crate::flow;
use crate::model::{Code, Findings, Timestamp};

/// What a capture holds.
#[derive(Clone, Copy, Debug)]
pub enum Observed<'a> {
    /// A frame as it was on the wire.
    Frame(Frame<'a>),
    /// What was made of frames that are not there any more.
    Record(&'a flow::Record),
}

/// A capture that is being read: pcap, pcapng or a flow file, plain or compressed, from a file, standard input or any reader. It holds one
/// buffer of 256 kB, or of the largest frame if that is larger (16 MB at most).
pub struct CaptureFile {
    path: PathBuf,
    window: Window<Box<dyn Read + Send>>,
    format: Format,
    compression: Option<Compression>,
    position: Position,
    /// The frame that [`CaptureFile::advance`] came to.
    current: Option<Record>,
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

enum Format {
    Pcap(Pcap),
    Pcapng(Pcapng),
    Flows(Box<Flows>),
}

impl CaptureFile {
    /// Opens what `input` names and reads the file's header.
    ///
    /// # Errors
    /// When it cannot be opened, or is no capture.
    pub fn open(input: &Input) -> Result<Self, CaptureError> {
        match input {
            Input::StandardInput => Self::from_reader("-", io::stdin()),
            Input::File(path) => {
                let file = File::open(path).map_err(|source| CaptureError::Open { path: path.clone(), source })?;
                Self::from_reader(path, file)
            }
        }
    }

    /// Reads the header of a capture from `reader`; `path` is what messages call it.
    ///
    /// # Errors
    /// When it cannot be read, or is no capture.
    pub fn from_reader(path: impl AsRef<Path>, reader: impl Read + Send + 'static) -> Result<Self, CaptureError> {
        let path = path.as_ref().to_path_buf();
        let Decompressed { reader, compression, position } =
            decompress(reader).map_err(|(compression, failure)| before_frames(&path, compression, failure))?;
        let mut window = Window::new(reader);
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
            window,
            format,
            compression,
            position,
            current: None,
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
        let next = match &mut self.format {
            Format::Pcap(pcap) => pcap.advance(&mut self.window),
            Format::Pcapng(pcapng) => pcapng.advance(&mut self.window),
            Format::Flows(flows) => {
                let next = flows.advance(&mut self.window);
                if let Next::Is(at) = next {
                    self.frames += 1;
                    return Ok(Some(at));
                }
                next.without()
            }
        };
        if let Next::Is(record) = next {
            self.frames += 1;
            self.backwards += u64::from(record.at < self.latest);
            self.latest = record.at;
            self.current = Some(record);
            return Ok(Some(record.at));
        }
        self.end(&next)
    }

    /// What the last [`advance`](Self::advance) came to, in place.
    #[must_use]
    pub fn current(&self) -> Option<Observed<'_>> {
        if let Format::Flows(flows) = &self.format {
            return flows.current.as_ref().map(Observed::Record);
        }
        let record = self.current?;
        let data = self.window.behind(record.distance, record.captured);
        Some(Observed::Frame(Frame { at: record.at, link: record.link, wire_length: record.wire_length, data }))
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
            let message = "has lines that are no records; they were left out";
            self.findings.add_many(Code::MalformedFrame, &subject, message, flows.malformed);
            let message = "has records of a kind that only a later version of this program reads; they were left out";
            self.findings.add_many(Code::UnsupportedFrame, &subject, message, flows.unknown);
            if !flows.has_ended {
                let message = "is unfinished: its capture was killed, or still goes on";
                self.findings.add(Code::TruncatedFile, &subject, message);
            }
        }
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

/// Why the first bytes are no capture's.
enum Problem {
    Empty,
    HeaderCut(&'static str),
    HeaderMalformed(&'static str),
    Newer(u32),
    NotACapture(Option<&'static str>),
}

impl Problem {
    fn at(self, path: PathBuf) -> CaptureError {
        match self {
            Self::Empty => CaptureError::Empty { path },
            Self::HeaderCut(format) => CaptureError::HeaderCut { path, format },
            Self::HeaderMalformed(format) => CaptureError::HeaderMalformed { path, format },
            Self::Newer(version) => CaptureError::Newer { path, version },
            Self::NotACapture(looks_like) => CaptureError::NotACapture { path, looks_like },
        }
    }
}

fn recognise(window: &mut Window<Box<dyn Read + Send>>) -> Result<Format, Problem> {
    let Some(&magic) = window.peek::<4>() else {
        return Err(if window.ready().is_empty() { Problem::Empty } else { Problem::NotACapture(None) });
    };
    if Pcap::is_magic(magic) {
        let header = window.peek::<{ pcap::HEADER }>().ok_or(Problem::HeaderCut("pcap"))?;
        let pcap = Pcap::from_header(header).ok_or(Problem::HeaderMalformed("pcap"))?;
        window.step(pcap::HEADER);
        return Ok(Format::Pcap(pcap));
    }
    if magic == pcapng::SECTION_MAGIC {
        let header = window.peek::<{ pcapng::HEADER }>().ok_or(Problem::HeaderCut("pcapng"))?;
        return Pcapng::from_header(header).map(Format::Pcapng).ok_or(Problem::HeaderMalformed("pcapng"));
    }
    if Flows::is_magic(magic) {
        return match Flows::open(window) {
            Ok(flows) => Ok(Format::Flows(Box::new(flows))),
            Err(NoHeader::Cut) => Err(Problem::HeaderCut("flow file")),
            Err(NoHeader::Newer(version)) => Err(Problem::Newer(version)),
            Err(NoHeader::Malformed) => Err(Problem::NotACapture(Some("JSON"))),
        };
    }
    window.has(16);
    Err(Problem::NotACapture(looks_like(window.ready())))
}

/// What people have in place of a capture.
fn looks_like(head: &[u8]) -> Option<&'static str> {
    let kinds: &[(&[u8], &str)] = &[
        (b"snoop\0\0\0", "a snoop file"),
        (b"\xfd7zXZ\0", "an xz archive"),
        (b"BZh", "a bzip2 archive"),
        (b"\x04\x22\x4d\x18", "an lz4 archive"),
        (b"PK\x03\x04", "a zip archive"),
        (b"7z\xbc\xaf", "a 7z archive"),
        (b"\x7fELF", "a program"),
        (b"SQLite format 3", "a database"),
        (b"apiVersion:", "a Kubernetes object"),
        (b"RTSS", "a Network Monitor file"),
        (b"GMBU", "a Network Monitor file"),
        (b"\x1f\x8b", "a gzip archive that was compressed again and again"),
    ];
    let kind = kinds.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, kind)| *kind);
    let is_text = !head.is_empty() && head.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
    kind.or(is_text.then_some("text"))
}

/// A failure before any frame.
fn before_frames(path: &Path, compression: Option<Compression>, failure: Failure) -> CaptureError {
    let path = path.to_path_buf();
    // Without compression there is no failure but the source's.
    let compression = compression.map_or("", Compression::name);
    match failure {
        Failure::Source(source) => CaptureError::Read { path, frames: 0, source },
        Failure::Truncated => CaptureError::HeaderCut { path, format: compression },
        Failure::Damaged(source) => CaptureError::Decompress { path, compression, source },
    }
}
