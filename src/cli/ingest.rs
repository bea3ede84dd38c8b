//! Captures in, an observation out.

use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::capture::{CaptureError, Decoded, Expanded, Following, Input, Merged, Observed, Splitting};
use crate::coverage::attribute_denials;
use crate::decode::{Decapsulation, DecodeOptions, Decoder, Tally, TunnelGuard};
use crate::edge::{ClusterTunnels, Observation, Observer};
use crate::flow::{Batch, FlowTable, Record};
use crate::inventory::Inventory;
use crate::model::{Code, Findings, Timestamp};
use crate::output::report::Frames;

use super::args::{OneWay, Tunnelling};
use super::failure::Failure;
use super::progress::Progress;

/// Finished flows are handed on when this many have come together.
const BATCH: usize = 500_000;
/// Frames or records between two looks at the progress bar and the flow table.
const BETWEEN: usize = 8192;

/// Frames that go to the flow table together.
const TOGETHER: usize = 256;
/// So many threads are used without being told: one table takes in what all of them read.
const MOST_THREADS: usize = 4;

/// What is used at most, and what counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) threads: NonZeroUsize,
    /// Conversations under way.
    pub(super) flows: usize,
    /// Different edges.
    pub(super) edges: usize,
    /// Whether connections of which one side only was seen make edges.
    pub(super) one_way: OneWay,
}

/// The threads there are to be, if so many were asked for.
pub(super) fn threads(wanted: Option<NonZeroUsize>) -> NonZeroUsize {
    let usual = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get).min(MOST_THREADS);
    wanted.or_else(|| NonZeroUsize::new(usual())).unwrap_or(NonZeroUsize::MIN)
}

/// What reading the captures gave.
pub(super) struct Reading {
    pub(super) observation: Observation,
    pub(super) frames: Frames,
    pub(super) sources: Vec<String>,
    pub(super) findings: Findings,
    /// Inputs that could not be read, or not to their end.
    pub(super) errors: Vec<CaptureError>,
}

/// How a capture is recorded, where nothing is known of the cluster.
pub(super) fn apart(vxlan_ports: &[u16]) -> DecodeOptions {
    DecodeOptions { decapsulation: Decapsulation::Apart, ..options(vxlan_ports) }
}

fn options(vxlan_ports: &[u16]) -> DecodeOptions {
    let mut options = DecodeOptions::default();
    options.vxlan_ports.extend(vxlan_ports);
    options
}

/// Reads everything; what is wrong with one input does not stop the others.
///
/// # Errors
/// When nothing could be read at all.
pub(super) fn read(
    expanded: Expanded,
    tunnelling: &Tunnelling,
    limits: Limits,
    inventory: &Arc<Inventory>,
) -> Result<Reading, Failure> {
    let decoding = options(&tunnelling.vxlan_port);
    let declared = tunnelling.tunnel_endpoint.clone();
    let tunnels = Arc::new(ClusterTunnels::new(Arc::clone(inventory), declared, &decoding.vxlan_ports));
    let decapsulation = if tunnelling.no_decapsulation {
        Decapsulation::Never
    } else {
        Decapsulation::Guarded(Arc::clone(&tunnels) as Arc<dyn TunnelGuard>)
    };
    let decoding = DecodeOptions { decapsulation, ..decoding };
    let passed_over = expanded.findings();
    let Expanded { inputs, .. } = expanded;
    let sources: Vec<String> = inputs.iter().map(|input| input.path().display().to_string()).collect();
    let observer = Observer::new(inventory, limits.edges).accepting_one_way(limits.one_way == OneWay::Accept);
    let mut observer = observer.marking(Arc::clone(&tunnels)).of_inputs(sources.clone());
    let taken = take_in(inputs, decoding, FlowTable::new(limits.flows), limits.threads, |table, _| {
        if table.finished_count() >= BATCH {
            let flows = table.take_finished();
            observer.observe_sent(flows, table.senders(), table.names());
        }
        Ok(Timestamp::MAX)
    })?;
    let TakenIn { mut table, frames, mut findings, errors } = taken;
    findings.merge(passed_over);
    findings.merge(tunnels.findings());
    observer.observe_sent(table.take_finished(), table.senders(), table.names());
    observer.sight(table.sightings());
    observer.flood(table.floods());
    let mut observation = observer.conclude();
    attribute_denials(&mut observation, inventory);
    Ok(Reading { observation, frames, sources, findings, errors })
}

/// All frames and records of all inputs.
pub(super) struct TakenIn {
    /// With all conversations finished.
    pub(super) table: FlowTable,
    pub(super) frames: Frames,
    pub(super) findings: Findings,
    /// As in a [`Reading`].
    pub(super) errors: Vec<CaptureError>,
}

/// Puts everything into a table, in the order of time, and shows how far it has come. At the beginning, every few thousand frames
/// or records, and before what comes at the time that it said last, or later, `look` gets the table, with the time of what comes
/// next, if that tells one.
///
/// # Errors
/// When none of the inputs could be read, or when `look` gives up.
pub(super) fn take_in(
    inputs: Vec<Input>,
    decoding: DecodeOptions,
    table: FlowTable,
    threads: NonZeroUsize,
    mut look: impl FnMut(&mut FlowTable, Option<Timestamp>) -> Result<Timestamp, Failure>,
) -> Result<TakenIn, Failure> {
    let mut intake = Intake::new(decoding.clone(), table);
    let splitting = Splitting { threads, decoder: Decoder::new(decoding), batch: intake.table.batch() };
    let mut merged = Merged::splitting(inputs, splitting);
    for at in merged.beginnings() {
        intake.table.begin_capture(at);
    }
    let progress = Progress::new(merged.total_bytes());
    let mut left = 0;
    let mut due = Timestamp::MIN;
    while let Some(following) = merged.read_following() {
        match following {
            Following::One(input, one) => {
                let at = one.at();
                if left == 0 || at.is_some_and(|at| at >= due) {
                    due = look(intake.table(), at)?;
                    left = BETWEEN;
                }
                intake.take(input, one);
                left -= 1;
                if left == 0 {
                    progress.at(merged.bytes_read());
                }
            }
            Following::Many(mut decoded) => {
                intake.join(&decoded);
                while let Some(at) = decoded.batch.next_at() {
                    if left == 0 || at >= due {
                        due = look(intake.table(), Some(at))?;
                        left = BETWEEN;
                    }
                    let count = decoded.batch.count_before(due, left);
                    left -= intake.table().observe_next(&mut decoded.batch, count);
                }
                progress.at(merged.bytes_read());
                merged.recycle(decoded.batch);
            }
        }
    }
    drop(progress);
    let (mut findings, errors) = end(merged)?;
    let (frames, found, table) = intake.finish();
    findings.merge(found);
    Ok(TakenIn { table, frames, findings, errors })
}

/// What is to be said of the inputs themselves, after the last frame.
fn end(mut merged: Merged) -> Result<(Findings, Vec<CaptureError>), Failure> {
    let findings = merged.take_findings();
    let mut errors = merged.take_errors();
    if merged.input_count() == errors.len()
        && let Some(first) = errors.pop()
    {
        return Err(first.into());
    }
    Ok((findings, errors))
}

/// Frames and records in, a table of conversations and counts out.
struct Intake {
    decoding: DecodeOptions,
    decoder: Decoder,
    table: FlowTable,
    /// Packets on their way to the table.
    batch: Batch,
    /// Of frames that others decoded.
    tally: Tally,
    /// Of records; those of frames are in the decoder.
    frames: Frames,
    findings: Findings,
}

impl Intake {
    fn new(decoding: DecodeOptions, table: FlowTable) -> Self {
        let (decoder, batch) = (Decoder::new(decoding.clone()), table.batch());
        Self {
            decoding,
            decoder,
            table,
            batch,
            tally: Tally::default(),
            frames: Frames::default(),
            findings: Findings::default(),
        }
    }

    /// The table, which knows of all that was taken in.
    fn table(&mut self) -> &mut FlowTable {
        self.table.observe_all(&mut self.batch);
        &mut self.table
    }

    /// Counts frames that others decoded.
    fn join(&mut self, decoded: &Decoded) {
        self.tally.merge(&decoded.tally);
    }

    fn take(&mut self, input: u32, observed: Observed<'_>) {
        match observed {
            Observed::Frame(frame) => {
                self.batch.set_input(input);
                self.batch.take(&frame, &mut self.decoder);
                if self.batch.len() >= TOGETHER {
                    self.table.observe_all(&mut self.batch);
                }
            }
            Observed::Record(Record::Frames(frames)) => {
                self.frames.total = self.frames.total.saturating_add(frames.read);
                self.frames.decoded = self.frames.decoded.saturating_add(frames.decoded);
                self.frames.dropped = self.frames.dropped.saturating_add(frames.dropped);
                let message = "frames came while nobody was quick enough to read them";
                self.findings.add_many(Code::DroppedFrames, &frames.source, message, frames.dropped);
                for (reason, count) in &frames.left_out {
                    let known = self.frames.left_out.entry(reason.clone()).or_default();
                    *known = known.saturating_add(*count);
                }
            }
            Observed::Record(Record::Finding { code, subject, message, count }) => {
                let known = Code::ALL.iter().find(|known| known.name() == code);
                self.findings.add_many(known.copied().unwrap_or(Code::UnsupportedFrame), subject, message, *count);
            }
            Observed::Record(record) => {
                if let Some(record) = record.admitted(&self.decoding) {
                    self.table().recall_from(input, &record);
                }
            }
        }
    }

    /// The counts of all frames, what is to be said of them, and the table with all conversations finished.
    fn finish(mut self) -> (Frames, Findings, FlowTable) {
        self.table().finish();
        let mut tally = self.tally;
        tally.merge(self.decoder.tally());
        let mut frames = self.frames;
        frames.total = frames.total.saturating_add(tally.frames);
        frames.decoded = frames.decoded.saturating_add(tally.decoded);
        for (reason, count) in tally.left_out() {
            let known = frames.left_out.entry(reason.to_owned()).or_default();
            *known = known.saturating_add(count);
        }
        self.findings.merge(self.table.findings());
        self.findings.merge(tally.findings());
        (frames, self.findings, self.table)
    }
}
