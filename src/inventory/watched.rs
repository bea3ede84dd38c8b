//! Changes of a cluster as they are seen in, objects with their times out; and the file such changes are kept in.
//!
//! In: [`Record`]s, from a watch under way or from a file of it. Out: [`History::conclude`], one object each of all that was ever
//! there, with the time at which it was seen to go and the times at which a pod's addresses changed. Guaranteed: of an object that
//! changes a thousand times one state is kept, not a thousand. What was not watched, or not all the time, is a finding.
//!
//! # The file
//!
//! JSON Lines (UTF-8, one record a line, ended by a line feed), mostly compressed with zstd, a frame each few seconds. What
//! `kubectl get --watch --output-watch-events -o json` prints is read too: it has no header, no end and no times of its own. Times
//! are RFC 3339 in UTC with microseconds, of the clock of the machine that watched. By `type`:
//!
//! | `type` | member | meaning |
//! |---|---|---|
//! | `HEADER` | | the first line |
//! | | `version` | of the format: 1; a reader refuses others |
//! | | `tool` | what wrote it: name and version |
//! | | `server` | the API server: scheme, host and port |
//! | | `at` | when the watch began |
//! | `ADDED` | | an object is there: one of the first list, or a new one |
//! | `MODIFIED` | | it is now like this |
//! | `DELETED` | | it is gone; the object as it was last seen |
//! | | `at` | when that was heard |
//! | | `object` | the object, narrowed ([`narrow`](super::snapshot::narrow)); it names its `kind` and `apiVersion` |
//! | `GAP` | | changes in this time were heard later or, if they were undone in it, never |
//! | | `from`, `until` | the time |
//! | | `kinds` | of which kinds |
//! | | `reason` | what went wrong, in words |
//! | `LEFT_OUT` | | a kind is missing |
//! | | `at` | when that was heard |
//! | | `kinds` | which |
//! | | `reason` | why, in words |
//! | `END` | | the last line; without it, whoever wrote was stopped |
//! | | `at` | when the watch ended |
//!
//! States that differ in nothing that is kept, but for their `resourceVersion`, are written once. Other members may be added
//! within version 1 and are passed over. The `BOOKMARK`s of the API are not written, and passed over too; other types are counted
//! and left out.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::de::{Deserializer, Error as _};
use serde::ser::{Error as _, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::builder::Key;
use super::merge::{earliest, merge};
use super::object::{Body, Hold, Object};
use super::snapshot::{self, Snapshot};
use super::timeline::FORCED_AFTER;
use crate::model::{Code, Findings, Timestamp};

/// The version of the file format.
pub const VERSION: u32 = 1;
/// How long before its address was heard of a pod may have it: the kubelet gathers what it reports.
const REPORTED_AFTER: i64 = 10_000_000_000;
/// So many gaps are kept apart; if there are more, those that overlap are put together.
const MOST_GAPS: usize = 1000;

/// One line of the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Record {
    /// What follows.
    Header {
        /// [`VERSION`].
        version: u32,
        /// What writes it.
        tool: String,
        /// The API server: scheme, host and port.
        server: String,
        /// When the watch began.
        #[serde(serialize_with = "rfc3339", deserialize_with = "from_rfc3339")]
        at: Timestamp,
    },
    /// An object is there.
    Added {
        /// When that was heard.
        #[serde(serialize_with = "rfc3339", deserialize_with = "from_rfc3339")]
        at: Timestamp,
        /// It.
        object: Value,
    },
    /// It has changed.
    Modified {
        /// When that was heard.
        #[serde(serialize_with = "rfc3339", deserialize_with = "from_rfc3339")]
        at: Timestamp,
        /// As it is now.
        object: Value,
    },
    /// It is gone.
    Deleted {
        /// When that was heard.
        #[serde(serialize_with = "rfc3339", deserialize_with = "from_rfc3339")]
        at: Timestamp,
        /// As it was.
        object: Value,
    },
    /// Nothing was heard for a time.
    Gap(Gap),
    /// Kinds that could not be had.
    LeftOut {
        /// When that was heard.
        #[serde(serialize_with = "rfc3339", deserialize_with = "from_rfc3339")]
        at: Timestamp,
        /// Which.
        kinds: BTreeSet<String>,
        /// Why, in words.
        reason: String,
    },
    /// Nothing follows.
    End {
        /// When the watch ended.
        #[serde(serialize_with = "rfc3339", deserialize_with = "from_rfc3339")]
        at: Timestamp,
    },
}

/// A time in which changes were not heard of as they happened.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Gap {
    /// Its beginning.
    #[serde(serialize_with = "rfc3339", deserialize_with = "from_rfc3339")]
    pub from: Timestamp,
    /// Its end.
    #[serde(serialize_with = "rfc3339", deserialize_with = "from_rfc3339")]
    pub until: Timestamp,
    /// Changes of which kinds.
    pub kinds: BTreeSet<String>,
    /// What went wrong, in words.
    pub reason: String,
}

impl Gap {
    /// The gaps in order, those that overlap put together: when the API is away, it is so for all kinds.
    #[must_use]
    pub fn merged(mut gaps: Vec<Self>) -> Vec<Self> {
        gaps.sort();
        let mut merged: Vec<Self> = Vec::new();
        for gap in gaps {
            match merged.last_mut() {
                Some(last) if gap.from <= last.until => {
                    last.until = last.until.max(gap.until);
                    last.kinds.extend(gap.kinds);
                }
                _ => merged.push(gap),
            }
        }
        merged
    }
}

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Added,
    Modified,
    Deleted,
}

/// What was seen so far.
#[derive(Clone, Debug, Default)]
pub struct History {
    lives: BTreeMap<Key, Life>,
    gaps: Vec<Gap>,
    left_out: BTreeMap<String, String>,
    findings: Findings,
    /// Whether there was a header.
    is_opened: bool,
    /// Whether the end has come.
    is_ended: bool,
    /// How many records there were.
    records: u64,
}

/// An object, with what its earlier states knew of addresses, owners and ends.
#[derive(Clone, Debug)]
struct Life {
    object: Object,
    /// Of a pod: the addresses it has now.
    current: BTreeSet<IpAddr>,
}

impl History {
    /// Takes in a record of a watch under way. Records of one watch must come in its order.
    pub fn apply(&mut self, record: Record) {
        let (change, at, object) = match record {
            Record::Added { at, object } => (Change::Added, at, object),
            Record::Modified { at, object } => (Change::Modified, at, object),
            Record::Deleted { at, object } => (Change::Deleted, at, object),
            Record::Header { .. } => return self.open(),
            Record::Gap(gap) => return self.gap(gap),
            Record::LeftOut { kinds, reason, .. } => return self.leave_out(kinds, &reason),
            Record::End { .. } => return self.end(),
        };
        let Snapshot { objects, findings } = snapshot::read_value(object, "watch");
        self.findings.merge(findings);
        for object in objects {
            self.observe(change, Some(at), object);
        }
    }

    pub(super) const fn open(&mut self) {
        self.records += 1;
        self.is_opened = true;
        self.is_ended = false;
    }

    pub(super) const fn end(&mut self) {
        self.records += 1;
        self.is_ended = true;
    }

    pub(super) fn gap(&mut self, gap: Gap) {
        self.records += 1;
        self.gaps.push(gap);
        if self.gaps.len() > MOST_GAPS {
            self.gaps = Gap::merged(std::mem::take(&mut self.gaps));
        }
    }

    pub(super) fn leave_out(&mut self, kinds: BTreeSet<String>, reason: &str) {
        self.records += 1;
        self.left_out.extend(kinds.into_iter().map(|kind| (kind, reason.to_owned())));
    }

    /// How many records there were.
    pub(super) const fn records(&self) -> u64 {
        self.records
    }

    /// Takes in an object as a record has it; without `at` if whoever wrote it does not tell times.
    pub(super) fn observe(&mut self, change: Change, at: Option<Timestamp>, mut object: Object) {
        self.records += 1;
        let key = Key::of(&object);
        if change == Change::Deleted {
            match &mut object.body {
                // What it allowed it does not allow any more.
                Body::NetworkPolicy(_) => {
                    self.lives.remove(&key);
                    return;
                }
                // It will not make pods any more; if it is made anew, that is seen too.
                Body::Owner(owner) | Body::Other(owner) => owner.is_finished = true,
                _ => {}
            }
            if let (Body::Pod(pod), Some(at)) = (&mut object.body, at) {
                // Its last state may say when it should be gone also where it was not given the time.
                let was_told = self.lives.get(&key).is_some_and(|life| life.object.metadata.deleted.is_some());
                let was_over = pod.is_over || self.lives.get(&key).is_some_and(|life| is_over(&life.object));
                pod.gone = earliest(pod.gone, Some(if was_told || was_over { at } else { at.plus(FORCED_AFTER) }));
            }
            // A deletionTimestamp is when it should be gone, after its time of grace; now it is.
            object.metadata.deleted = at.or(object.metadata.deleted);
        }
        let now = match &object.body {
            Body::Pod(pod) => pod.addresses.clone(),
            _ => BTreeSet::new(),
        };
        let older = self.lives.remove(&key);
        let mut current = older.as_ref().map(|life| life.current.clone()).unwrap_or_default();
        if let Some(Life { object: older, .. }) = older {
            object = merge(older, object);
        }
        if let (Body::Pod(pod), Some(at)) = (&mut object.body, at)
            && change != Change::Deleted
        {
            for address in &now {
                pod.holds.entry(*address).or_default().seen.get_or_insert(at);
            }
        }
        if let (Body::Pod(pod), Some(at)) = (&mut object.body, at)
            && !current.is_empty()
            && !now.is_empty()
        {
            // A new sandbox (after a reboot of its node) has new addresses, and the old ones are others' to have.
            for address in current.difference(&now) {
                pod.holds.entry(*address).or_default().until = Some(at);
            }
            for address in now.difference(&current) {
                let hold = pod.holds.entry(*address).or_default();
                hold.from = hold.from.or(Some(at.plus(-REPORTED_AFTER)));
                hold.until = None;
                hold.seen = Some(at);
            }
        }
        if !now.is_empty() {
            current = now;
        }
        self.lives.insert(key, Life { object, current });
    }

    /// All that was ever there, and what was found. `name` is what messages call the watch: a file, a server.
    #[must_use]
    pub fn conclude(self, name: &str) -> Snapshot {
        let mut findings = self.findings;
        for Gap { from, until, kinds, reason } in Gap::merged(self.gaps) {
            let kinds = kinds.into_iter().collect::<Vec<_>>().join(", ");
            let message = format!("changes between {from} and {until} were not seen as they happened: {reason} ({name})");
            findings.add(Code::InventoryGap, kinds, message);
        }
        for (kind, reason) in self.left_out {
            findings.add(Code::KindLeftOut, kind, format!("is not in the inventory: {reason} ({name})"));
        }
        if self.is_opened && !self.is_ended {
            findings.add(Code::TruncatedFile, name, format!("has no end, after {} records", self.records));
        }
        Snapshot { objects: self.lives.into_values().map(|life| life.object).collect(), findings }
    }
}

/// Whether it is a pod that has ended by itself.
fn is_over(object: &Object) -> bool {
    matches!(&object.body, Body::Pod(pod) if pod.is_over)
}

impl Hold {
    /// The part of a pod's life in which it had the address.
    pub(super) fn within(self, from: Timestamp, until: Timestamp) -> (Timestamp, Timestamp) {
        let begin = self.from.unwrap_or(from).max(from);
        (begin, self.until.unwrap_or(until).min(until).max(begin))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn rfc3339<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    let time = jiff::Timestamp::from_nanosecond(i128::from(time.0)).map_err(S::Error::custom)?;
    serializer.collect_str(&format_args!("{time:.6}"))
}

fn from_rfc3339<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let time: jiff::Timestamp = String::deserialize(deserializer)?.parse().map_err(D::Error::custom)?;
    i64::try_from(time.as_nanosecond()).map(Timestamp).map_err(D::Error::custom)
}
