//! Flow files: the lines that a capture wrote.

use std::io::Read;

use super::record::Next;
use super::strays::Strays;
use super::window::Window;
use crate::flow::record::{self, Record};
use crate::model::Timestamp;

/// More than any record needs; a longer line is none.
const MOST_LINE: usize = 1 << 20;

/// Reads the lines of a flow file. Its time is that of the last checkpoint.
#[derive(Debug)]
pub(super) struct Flows {
    at: Timestamp,
    /// Until it has been given.
    header: Option<Record>,
    pub(super) current: Option<Record>,
    pub(super) strays: Strays,
    /// Lines that are no records.
    pub(super) malformed: u64,
    /// Records of kinds that a later version added.
    pub(super) unknown: u64,
    pub(super) has_ended: bool,
    /// Whether there is nothing more to read.
    has_stopped: bool,
}

/// Why the first line is no header.
pub(super) enum NoHeader {
    Cut,
    Malformed,
    OtherVersion(u32),
}

impl Flows {
    /// By the first byte: a record is an object, and no capture begins like that.
    pub(super) const fn is_magic(head: [u8; 4]) -> bool {
        head[0] == b'{'
    }

    /// Reads the first line.
    pub(super) fn open<R: Read>(window: &mut Window<R>) -> Result<Self, NoHeader> {
        let length = line(window).ok_or(NoHeader::Cut)?;
        window.step(length + 1);
        match Record::parse(window.behind(length + 1, length)) {
            Ok(Some(Record::Header(header))) if header.version != record::VERSION => Err(NoHeader::OtherVersion(header.version)),
            Ok(Some(Record::Header(header))) => {
                let at = header.at;
                let header = Some(Record::Header(header));
                Ok(Self {
                    at,
                    header,
                    current: None,
                    strays: Strays::new(at),
                    malformed: 0,
                    unknown: 0,
                    has_ended: false,
                    has_stopped: false,
                })
            }
            _ => Err(NoHeader::Malformed),
        }
    }

    /// The next record and its time.
    pub(super) fn advance<R: Read>(&mut self, window: &mut Window<R>) -> Next<Timestamp> {
        if let Some(header) = self.header.take() {
            self.current = Some(header);
            return Next::Is(self.at);
        }
        loop {
            if let Some(record) = self.strays.next() {
                if let Record::Checkpoint { at } | Record::End { at } = &record {
                    self.at = *at;
                }
                self.current = Some(record);
                return Next::Is(self.at);
            }
            match self.read(window) {
                Next::Is(record) => self.strays.add(record),
                end if self.has_stopped => return end.without(),
                _ => {
                    self.has_stopped = true;
                    self.strays.end();
                }
            }
        }
    }

    /// The next record as it stands there.
    fn read<R: Read>(&mut self, window: &mut Window<R>) -> Next<Record> {
        loop {
            let Some(length) = line(window) else {
                return match window.ready().len() {
                    0 => Next::End,
                    MOST_LINE.. => Next::Cut("has a line that is too long for a record; what follows was not read".into()),
                    _ => Next::Cut("ends inside a line".into()),
                };
            };
            window.step(length + 1);
            match Record::parse(window.behind(length + 1, length)) {
                Ok(Some(Record::Header(header))) if header.version != record::VERSION => {
                    return Next::Cut(format!("goes on in version {}, which this program does not know", header.version));
                }
                Ok(Some(record)) => {
                    // Files may have been put one behind the other.
                    self.has_ended = match &record {
                        Record::End { .. } => true,
                        Record::Header(_) => false,
                        _ => self.has_ended,
                    };
                    return Next::Is(record);
                }
                Ok(None) => self.unknown += 1,
                Err(_) => self.malformed += 1,
            }
        }
    }
}

/// The length of the line that the window stands at, without its end.
fn line<R: Read>(window: &mut Window<R>) -> Option<usize> {
    /// Looked through at once, which is much quicker than byte by byte.
    const AT_ONCE: usize = 128;
    let mut searched = 0;
    loop {
        if let Some(part) = window.ready()[searched..].chunks(AT_ONCE).position(|part| part.contains(&b'\n')) {
            let from = searched + part * AT_ONCE;
            return window.ready()[from..].iter().position(|byte| *byte == b'\n').map(|position| from + position);
        }
        searched = window.ready().len();
        if searched >= MOST_LINE || !window.has(searched + 1) {
            return None;
        }
    }
}
