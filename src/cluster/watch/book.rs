//! What is known of a watch while it goes on, shared by who watches and who asks.
//!
//! In: what was heard, and when it was not possible to hear. Out: [`Record`]s, in order, to whoever wants them; what is left at the
//! end, as a [`WatchReport`].

use std::collections::{BTreeMap, BTreeSet};

use super::super::{LeftOut, LeftOutReason, Resource};
use crate::inventory::{Gap, Record, VERSION};
use crate::model::Timestamp;

/// Takes records.
pub(super) type Receive = Box<dyn FnMut(Record) + Send>;

/// What a watch came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchReport {
    /// Kinds that could not be had.
    pub left_out: Vec<LeftOut>,
    /// Times in which changes were not heard of as they happened, in order; those of all kinds together.
    pub gaps: Vec<Gap>,
    /// How many objects, changes and deletions were handed on.
    pub events: u64,
    /// How often a kind had to be listed anew.
    pub relists: u64,
    /// Lines of the API that could not be read.
    pub garbled: u64,
}

/// The state of the watch.
pub(super) struct Book {
    /// `None` after the end.
    receive: Option<Receive>,
    report: WatchReport,
    /// Since when, and why, which kinds are not heard.
    silent: BTreeMap<&'static str, (Timestamp, String)>,
    /// Shorter gaps are not worth telling: what happened in them was heard a moment later.
    tolerated: i64,
}

impl Book {
    pub(super) fn open(mut receive: Receive, server: &str, tolerated: i64) -> Self {
        let tool = concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")).to_owned();
        receive(Record::Header { version: VERSION, tool, server: server.to_owned(), at: now() });
        Self { receive: Some(receive), report: WatchReport::default(), silent: BTreeMap::new(), tolerated }
    }

    /// Something was heard of an object.
    pub(super) fn event(&mut self, record: Record) {
        self.report.events += 1;
        self.hand_on(record);
    }

    pub(super) fn relisted(&mut self) {
        self.report.relists += 1;
    }

    pub(super) fn garbled(&mut self) {
        self.report.garbled += 1;
    }

    /// The API does not give this kind.
    pub(super) fn leave_out(&mut self, resource: &'static Resource, reason: LeftOutReason) {
        if resource.may_be_absent && reason == LeftOutReason::NotServed {
            return;
        }
        let kinds = BTreeSet::from([resource.kind.to_owned()]);
        self.hand_on(Record::LeftOut { at: now(), kinds, reason: reason.to_string() });
        self.report.left_out.push(LeftOut { resource, reason });
    }

    /// The kind has not been heard since then; the last reason is the one told.
    pub(super) fn fall_silent(&mut self, resource: &'static Resource, since: Timestamp, reason: String) {
        self.silent.entry(resource.kind).or_insert((since, String::new())).1 = reason;
    }

    /// The kind is heard again, and nothing of what happened meanwhile is missing but what was undone meanwhile.
    pub(super) fn hear(&mut self, resource: &'static Resource, at: Timestamp) {
        if let Some((from, reason)) = self.silent.remove(resource.kind) {
            self.gap(resource.kind, from, at, reason);
        }
    }

    /// Since when not all kinds are heard.
    pub(super) fn silent_since(&self) -> Option<Timestamp> {
        self.silent.values().map(|(since, _)| *since).min()
    }

    /// The end. What comes after it is lost.
    pub(super) fn close(&mut self) -> WatchReport {
        let at = now();
        for (kind, (from, reason)) in std::mem::take(&mut self.silent) {
            self.gap(kind, from, at, reason);
        }
        self.hand_on(Record::End { at });
        self.receive = None;
        self.report.gaps = Gap::merged(std::mem::take(&mut self.report.gaps));
        self.report.clone()
    }

    fn gap(&mut self, kind: &str, from: Timestamp, until: Timestamp, reason: String) {
        if until.since(from) < self.tolerated {
            return;
        }
        let gap = Gap { from, until, kinds: BTreeSet::from([kind.to_owned()]), reason };
        self.hand_on(Record::Gap(gap.clone()));
        self.report.gaps.push(gap);
        if self.report.gaps.len() > MOST_GAPS {
            self.report.gaps = Gap::merged(std::mem::take(&mut self.report.gaps));
        }
    }

    fn hand_on(&mut self, record: Record) {
        if let Some(receive) = &mut self.receive {
            receive(record);
        }
    }
}

/// So many gaps are kept apart before those that overlap are put together.
const MOST_GAPS: usize = 1000;

/// The time by the clock of this machine, by which captures are timed too.
pub(super) fn now() -> Timestamp {
    Timestamp(i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX))
}
