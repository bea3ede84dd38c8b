//! What a table has to tell a flow file at its next checkpoint.

use std::net::IpAddr;

use super::conversation::Conversation;
use super::floods::Floods;
use super::key::FlowKey;
use super::record::{FloodRecord, Name, Record, SightingRecord};
use super::sightings::{Sighting, Sightings};
use crate::model::{NameAnswer, Span, Timestamp};

/// Records that wait to be taken.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    conversations: Vec<Record>,
    others: Vec<Record>,
    lost: u64,
}

impl Recorder {
    /// Records that may wait; nobody takes them when a disk hangs.
    const CAPACITY: usize = 500_000;

    pub(super) fn tell(&mut self, key: &FlowKey, conversation: &Conversation) {
        if self.conversations.len() >= Self::CAPACITY {
            self.lost += 1;
            return;
        }
        self.conversations.push(Record::Conversation(conversation.record(key)));
    }

    pub(super) fn name(&mut self, answer: NameAnswer) {
        let NameAnswer { asker, address, at, name, time_to_live } = answer;
        self.others.push(Record::Name(Name { asker, name, address, at, time_to_live }));
    }

    pub(super) fn sight(&mut self, sighting: Sighting, source: IpAddr, destination: IpAddr, span: Span) {
        let (kind, first, last) = (sighting.into(), span.first(), span.last());
        self.others.push(Record::Sighting(SightingRecord { kind, source, destination, first, last }));
    }

    /// Tells once and for all what was only counted on the way.
    pub(super) fn conclude(&mut self, sightings: &Sightings, floods: &Floods) {
        for (sighting, source, destination, span) in sightings.iter() {
            if span.length() > 0 {
                self.sight(sighting, source, destination, span);
            }
        }
        for (originator, responder, attempts, span) in floods.iter() {
            let (first, last) = (span.first(), span.last());
            self.others.push(Record::Flood(FloodRecord { originator, responder, attempts, first, last }));
        }
    }

    pub(super) fn waiting(&self) -> usize {
        self.conversations.len() + self.others.len()
    }

    /// Conversations that are not told, for lack of room.
    pub(super) const fn lost(&self) -> u64 {
        self.lost
    }

    /// Everything that waits, behind a checkpoint of this time.
    pub(super) fn take(&mut self, at: Timestamp) -> Vec<Record> {
        let mut conversations = std::mem::take(&mut self.conversations);
        let mut others = std::mem::take(&mut self.others);
        if conversations.is_empty() && others.is_empty() {
            return Vec::new();
        }
        conversations.sort_by_key(order);
        let mut records = vec![Record::Checkpoint { at }];
        // Names first: whoever reads on knows them when the conversations come.
        records.append(&mut others);
        records.append(&mut conversations);
        records
    }
}

/// By time, then by anything else that is the same in every run.
fn order(record: &Record) -> Option<(Timestamp, Timestamp, IpAddr, u16, IpAddr, u16)> {
    let Record::Conversation(conversation) = record else { return None };
    let [one, other] = &conversation.ends;
    Some((conversation.first, conversation.last, one.address, one.port, other.address, other.port))
}
