//! `netpol-gen capture`: interfaces in, a flow file out; and what `learn` does while it captures.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::capture::{self, Batch, Counts, Live, LiveOptions, Opened};
use crate::flow::record::Record;
use crate::model::{Findings, Flow, Outcome, Timestamp};
use crate::output::text::counted;

use super::args::{Capture, Tapping};
use super::console::{say, warn};
use super::failure::Failure;
use super::flow_file_writer::{FlowFile, header};
use super::interrupt::Interrupt;
use super::seen_pairs::Addresses;
use super::status::{View, length};
use super::writer::Writer;
use super::{convert, exit};

/// How long is waited for records before time and signals are looked at.
const PATIENCE: Duration = Duration::from_millis(100);
/// Hand-overs that are taken before time and signals are looked at again.
const AT_ONCE: usize = 32;
/// How often interfaces are looked for that match a pattern.
const REFRESH_EVERY: Duration = Duration::from_secs(1);

/// Captures, or converts what was captured.
pub(super) fn run(arguments: &Capture) -> Result<u8, Failure> {
    if !arguments.read.is_empty() {
        return convert::run(arguments);
    }
    if arguments.output.symlink_metadata().is_ok() {
        return Err(Failure::Occupied(arguments.output.clone()));
    }
    let mut opened = open(&arguments.tapping, arguments.flows, &arguments.vxlan_port)?;
    // The only file is open before its writer becomes another user.
    let mut file = flow_file(&opened, arguments)?;
    let writer = Writer::of_process();
    writer.give_file(&arguments.output)?;
    give_up(&mut opened, writer, &[])?;
    let interrupt = Interrupt::listen().map_err(Failure::Signals)?;
    announce(&opened, arguments.tapping.duration);
    let mut view = View::new(arguments.tapping.duration);
    let mut addresses = Addresses::default();
    let counts = follow(opened, arguments.tapping.duration, &interrupt, &mut file, &mut view, |records, view| {
        let flows = records.iter().flat_map(|record| addresses.news(record));
        view.see(flows.filter(|flow| flow.outcome == Outcome::Answered).map(|flow| edge(&flow)));
        Ok(())
    })?;
    let edges = view.edges();
    drop(view);
    file.end(now(), &Findings::default())?;
    let Counts { frames, dropped, conversations } = counts;
    let edges = counted(u64::try_from(edges).unwrap_or(u64::MAX), "edge", "edges");
    let output = arguments.output.display();
    say(&format!("{frames} frames, {dropped} dropped; {conversations} flows, {edges} between addresses; written to {output}"));
    if frames == 0 {
        return Err(Failure::NothingCaptured);
    }
    Ok(exit::DONE)
}

/// Opens the interfaces that are asked for.
pub(super) fn open(tapping: &Tapping, capacity: usize, vxlan_ports: &[u16]) -> Result<Opened, Failure> {
    let decoding = super::ingest::apart(vxlan_ports);
    let options = LiveOptions {
        interfaces: tapping.interfaces(),
        filter: tapping.filter.clone().unwrap_or_default(),
        decoding,
        capacity,
        every: tapping.every,
    };
    Ok(capture::open(options)?)
}

/// Gives up every right but those to go on, and says what could not be given up.
pub(super) fn give_up(opened: &mut Opened, writer: Writer, directories: &[&Path]) -> Result<(), Failure> {
    let kept = opened.give_up(writer.user, directories).map_err(Failure::Rights)?;
    match writer.user {
        Some(user) if kept.is_other_user => say(&format!("rights given up; files are written as user {}", user.uid)),
        Some(_) => warn("warning: root cannot become another user here; going on as root without capabilities"),
        None => {}
    }
    for lacking in kept.lacking {
        warn(&format!("warning: {lacking}; going on without it"));
    }
    Ok(())
}

fn flow_file(opened: &Opened, arguments: &Capture) -> Result<FlowFile, Failure> {
    let header = header(host(), opened.interfaces(), opened.filter().to_owned(), now());
    // The interfaces hand on what they have when it is time; then it is written.
    FlowFile::create(&arguments.output, header, Duration::ZERO)
}

/// The name of this machine; in a cluster mostly the node's.
pub(super) fn host() -> String {
    capture::host()
}

/// The present. Only here, at the edge, is the clock asked; frames have times of their own.
pub(super) fn now() -> Timestamp {
    Timestamp(i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX))
}

/// Says what begins, and how it ends.
pub(super) fn announce(opened: &Opened, duration: Option<Duration>) {
    let length = match duration {
        Some(duration) => format!("for {}; Ctrl-C ends it earlier, in order", length(duration)),
        None => "until Ctrl-C".to_owned(),
    };
    let filter = if opened.filter().is_empty() { String::new() } else { format!(", only `{}`", opened.filter()) };
    say(&format!("capturing on {}{filter}, {length}", opened.interfaces().join(", ")));
}

/// Captures until the time is over or a signal comes. Everything goes to the file; `beat` gets it too, and is called often.
pub(super) fn follow(
    opened: Opened,
    duration: Option<Duration>,
    interrupt: &Interrupt,
    file: &mut FlowFile,
    view: &mut View,
    mut beat: impl FnMut(&[Record], &mut View) -> Result<(), Failure>,
) -> Result<Counts, Failure> {
    let end = duration.map(|duration| Instant::now() + duration);
    let mut live = opened.start();
    let mut next_refresh = Instant::now() + REFRESH_EVERY;
    let mut result = loop {
        if interrupt.is_raised() || end.is_some_and(|end| Instant::now() >= end) {
            break Ok(());
        }
        if let Err(failure) = step(&live, file, view, &mut beat) {
            break Err(failure);
        }
        if Instant::now() >= next_refresh {
            live.refresh();
            next_refresh = Instant::now() + REFRESH_EVERY;
        }
    };
    let counts = live.stop(|batch| {
        let taken = file.add(&batch.records).and_then(|()| beat(&batch.records, view));
        if result.is_ok() {
            result = taken;
        }
    });
    result.map(|()| counts)
}

fn step(
    live: &Live,
    file: &mut FlowFile,
    view: &mut View,
    beat: &mut impl FnMut(&[Record], &mut View) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let first = live.receive(PATIENCE);
    beat(&[], view)?;
    // What has come together is written at once.
    let more = std::iter::from_fn(|| live.receive(Duration::ZERO));
    for Batch { records, .. } in first.into_iter().chain(more).take(AT_ONCE) {
        file.add(&records)?;
        beat(&records, view)?;
    }
    file.keep_up();
    view.show(live.counts());
    Ok(())
}

/// A connection in addresses: what can be told without an inventory.
fn edge(flow: &Flow) -> String {
    let Flow { originator, responder, protocol, .. } = flow;
    format!("{} -> {responder} {protocol}", originator.address)
}
