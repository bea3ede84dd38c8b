//! What a table has to tell a flow file at its next checkpoint.

use std::net::IpAddr;

use super::conversation::Conversation;
use super::floods::Floods;
use super::key::FlowKey;
use super::record::{self, FloodRecord, Name, Record, SightingRecord};
use super::sightings::{Sighting, Sightings};
use crate::model::{NameAnswer, Span, Timestamp};

/// Records that wait to be taken.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    conversations: Vec<record::Conversation>,
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
        self.conversations.push(conversation.record(key));
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
        if self.waiting() == 0 {
            return Vec::new();
        }
        let conversations = std::mem::take(&mut self.conversations);
        // They are large, so their places are sorted, and each is moved once.
        let mut places: Vec<_> = conversations.iter().map(|told| told.first).zip(0..).collect();
        places.sort_unstable_by(|&(first, place), &(other_first, other)| {
            let rest = || order(&conversations[place]).cmp(&order(&conversations[other]));
            first.cmp(&other_first).then_with(rest).then(place.cmp(&other))
        });
        let mut conversations: Vec<_> = conversations.into_iter().map(Some).collect();
        let mut records = Vec::with_capacity(1 + self.others.len() + conversations.len());
        records.push(Record::Checkpoint { at });
        // Names first: whoever reads on knows them when the conversations come.
        records.append(&mut self.others);
        records.extend(places.into_iter().filter_map(|(_, place)| conversations[place].take()).map(Record::Conversation));
        records
    }
}

/// Of those that begin at the same time: by anything that is the same in every run.
fn order(conversation: &record::Conversation) -> (Timestamp, IpAddr, u16, IpAddr, u16) {
    let [one, other] = &conversation.ends;
    (conversation.last, one.address, one.port, other.address, other.port)
}
