//! `netpol-gen capture --read`: captures in, one flow file out, without a byte of payload.

use std::time::Duration;

use crate::capture::{self, Observed};
use crate::decode::DecodeOptions;
use crate::flow::FlowTable;
use crate::flow::record::{Frames, Record};
use crate::model::Timestamp;

use super::args::Capture;
use super::exit;
use super::failure::Failure;
use super::reading::{self, Intake};
use super::recording::{FlowFile, header, say, tell_errors};

/// Frames or records between two looks at what waits.
const BETWEEN: u64 = 8192;
/// Capture time between two tellings of conversations that go on: so whoever reads several such files at once hears of each
/// conversation from all of them at about the same time.
const TELL_EVERY: i64 = 10_000_000_000;
/// Records that are told at once.
const MOST_WAITING: usize = 20_000;
/// How often the file grows.
const WRITE_EVERY: Duration = Duration::from_secs(1);

/// Reads, writes, tells.
pub(super) fn run(arguments: &Capture) -> Result<u8, Failure> {
    let inputs = capture::expand(&arguments.read)?;
    let mut decoding = DecodeOptions::default();
    decoding.vxlan_ports.extend(&arguments.vxlan_port);
    let names: Vec<String> = inputs.iter().map(|input| input.path().display().to_string()).collect();
    let mut intake = Intake::new(decoding, FlowTable::recording(arguments.flows));
    let mut file: Option<FlowFile> = None;
    let mut told = Timestamp::MIN;
    let create =
        |at: Timestamp| FlowFile::create(&arguments.output, header(String::new(), names.clone(), String::new(), at), WRITE_EVERY);
    let (mut findings, errors) = reading::each(inputs, |observed, count| {
        let file = match &mut file {
            Some(file) => file,
            empty => empty.insert(create(time(observed).unwrap_or_default())?),
        };
        // Before a frame that comes later, not after it: what is told then is true up to here.
        let is_time = time(observed).is_some_and(|at| at.since(told) >= TELL_EVERY);
        if is_time || count.is_multiple_of(BETWEEN) && intake.table().waiting() >= MOST_WAITING {
            told = time(observed).unwrap_or(told);
            file.add(&intake.table().take_records(usize::MAX))?;
            file.keep_up();
        }
        intake.take(observed);
        Ok(())
    })?;
    let mut file = match file {
        Some(file) => file,
        None => create(Timestamp::default())?,
    };
    let (frames, found, mut table) = intake.finish();
    findings.merge(found);
    file.add(&table.take_records(usize::MAX))?;
    let left_out = frames.left_out.clone();
    let (read, decoded, dropped) = (frames.total, frames.decoded, frames.dropped);
    file.add(&[Record::Frames(Frames { source: names.join(", "), read, decoded, dropped, left_out })])?;
    let records = file.end(table.now().max(Timestamp::default()), &findings)?;
    tell_errors(&errors);
    say(&format!("{read} frames, {records} records written to {}", arguments.output.display()));
    Ok(if errors.is_empty() { exit::DONE } else { exit::FAILED })
}

/// When what was observed was captured, if it tells.
const fn time(observed: Observed<'_>) -> Option<Timestamp> {
    match observed {
        Observed::Frame(frame) => Some(frame.at),
        Observed::Record(Record::Header(header)) => Some(header.at),
        Observed::Record(Record::Checkpoint { at }) => Some(*at),
        Observed::Record(_) => None,
    }
}
