//! `netpol-gen capture --read`: captures in, one flow file out, without a byte of payload.

use std::time::Duration;

use crate::capture;
use crate::flow::FlowTable;
use crate::flow::record::{Frames, Record};
use crate::model::Timestamp;

use super::args::Capture;
use super::console::say;
use super::exit;
use super::failure::Failure;
use super::flow_file_writer::{FlowFile, header, tell_errors};
use super::ingest::{self, TakenIn};

/// Capture time between two tellings of conversations that go on: so whoever reads several such files at once hears of each
/// conversation from all of them at about the same time.
const TELL_EVERY: i64 = 10_000_000_000;
/// Records that are told at once.
const MOST_WAITING: usize = 20_000;
/// How often the file grows.
const WRITE_EVERY: Duration = Duration::from_secs(1);

/// Reads, writes, tells.
pub(super) fn run(arguments: &Capture) -> Result<u8, Failure> {
    let expanded = capture::expand(&arguments.read)?;
    let passed_over = expanded.findings();
    let inputs = expanded.inputs;
    let decoding = ingest::apart(&arguments.vxlan_port);
    let names: Vec<String> = inputs.iter().map(|input| input.path().display().to_string()).collect();
    let create =
        |at: Timestamp| FlowFile::create(&arguments.output, header(String::new(), names.clone(), String::new(), at), WRITE_EVERY);
    let mut file: Option<FlowFile> = None;
    let mut due = Timestamp::MIN;
    let table = FlowTable::recording(arguments.flows);
    let taken = ingest::take_in(inputs, decoding, table, ingest::threads(arguments.threads), |table, at| {
        let file = match &mut file {
            Some(file) => file,
            empty => empty.insert(create(at.unwrap_or_default())?),
        };
        // Before a frame that comes later, not after it: what is told then is true up to here.
        let is_time = at.is_some_and(|at| at >= due);
        if is_time || table.waiting() >= MOST_WAITING {
            due = at.map_or(due, |at| at.plus(TELL_EVERY));
            loop {
                file.add(&table.take_records(usize::MAX))?;
                if table.has_told() {
                    break;
                }
            }
            file.keep_up();
        }
        Ok(due)
    })?;
    let TakenIn { mut table, frames, mut findings, errors } = taken;
    findings.merge(passed_over);
    let mut file = match file {
        Some(file) => file,
        None => create(Timestamp::default())?,
    };
    file.add(&table.take_records(usize::MAX))?;
    let left_out = frames.left_out.clone();
    let (read, decoded, dropped) = (frames.total, frames.decoded, frames.dropped);
    file.add(&[Record::Frames(Frames { source: names.join(", "), read, decoded, dropped, left_out })])?;
    let records = file.end(table.now().max(Timestamp::default()), &findings)?;
    tell_errors(&errors);
    say(&format!("{read} frames, {records} records written to {}", arguments.output.display()));
    Ok(if errors.is_empty() { exit::DONE } else { exit::FAILED })
}
