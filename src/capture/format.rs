//! What a file is, told by its first bytes.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::CaptureError;
use super::compression::{Compression, Failure};
use super::flows::{Flows, NoHeader};
use super::pcap::{self, Pcap};
use super::pcapng::{self, Pcapng};
use super::record::Record;
use super::window::Window;

/// The formats, each with what its reader knows.
pub(super) enum Format {
    Pcap(Pcap),
    Pcapng(Pcapng),
    Flows(Box<Flows>),
}

impl Format {
    /// The frame at the beginning of these bytes, and the length of its record, if there is nothing else to it.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "what it returns is used at once and never put together in memory")]
    pub(super) fn here(&self, bytes: &[u8]) -> Option<(Record, usize)> {
        match self {
            Self::Pcap(pcap) => pcap.here(pcap.order, bytes),
            Self::Pcapng(pcapng) => pcapng.here(bytes),
            Self::Flows(_) => None,
        }
    }
}

/// Why the first bytes are no capture's.
pub(super) enum Problem {
    Empty,
    HeaderCut(&'static str),
    HeaderMalformed(&'static str),
    OtherVersion(u32),
    NotACapture(Option<&'static str>),
}

impl Problem {
    pub(super) fn at(self, path: PathBuf) -> CaptureError {
        match self {
            Self::Empty => CaptureError::Empty { path },
            Self::HeaderCut(format) => CaptureError::HeaderCut { path, format },
            Self::HeaderMalformed(format) => CaptureError::HeaderMalformed { path, format },
            Self::OtherVersion(version) => CaptureError::OtherVersion { path, version },
            Self::NotACapture(looks_like) => CaptureError::NotACapture { path, looks_like },
        }
    }
}

/// Reads the header of a capture.
pub(super) fn recognise(window: &mut Window<Box<dyn Read + Send>>) -> Result<Format, Problem> {
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
            Err(NoHeader::OtherVersion(version)) => Err(Problem::OtherVersion(version)),
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
pub(super) fn before_frames(path: &Path, compression: Option<Compression>, failure: Failure) -> CaptureError {
    let path = path.to_path_buf();
    // Without compression there is no failure but the source's.
    let compression = compression.map_or("", Compression::name);
    match failure {
        Failure::Source(source) => CaptureError::Read { path, frames: 0, source },
        Failure::Truncated => CaptureError::HeaderCut { path, format: compression },
        Failure::Damaged(source) => CaptureError::Decompress { path, compression, source },
    }
}
