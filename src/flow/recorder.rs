//! What a table has to tell a flow file at its next checkpoint.

use std::net::IpAddr;

use super::contexts::Contexts;
use super::conversation::Conversation;
use super::floods::Floods;
use super::key::FlowKey;
use super::portless_traffic::{PortlessTraffic, PortlessTrafficTable};
use super::questions::{Answer, Question, Questions, Transaction};
use super::record::{self, After, Answers, End, FloodRecord, Name, PortlessTrafficRecord, Record, RefusedBy};
use super::refusers::{Refuser, Senders};
use crate::decode::Stations;
use crate::model::{Endpoint, NameAnswer, Protocol, Span, Timestamp};

/// Records that wait to be taken.
#[derive(Debug)]
pub(super) struct Recorder {
    conversations: Vec<Record>,
    others: Vec<Record>,
    /// How many conversations may wait.
    room: usize,
    lost: u64,
    contexts: Contexts,
    /// By their numbers, which begin with 1.
    stations: Vec<Stations>,
    /// Likewise.
    refusers: Vec<Refuser>,
}

impl Recorder {
    /// Conversations that may wait beside those that a table closes at once: nobody takes them when a disk hangs.
    pub(super) const ROOM: usize = 300_000;

    /// One that has nothing to tell yet, with room for so many conversations.
    pub(super) const fn with_room(room: usize, contexts: Contexts) -> Self {
        Self {
            conversations: Vec::new(),
            others: Vec::new(),
            room,
            lost: 0,
            contexts,
            stations: Vec::new(),
            refusers: Vec::new(),
        }
    }

    pub(super) fn tell(&mut self, key: &FlowKey, conversation: &Conversation) {
        // Nobody could judge what is in tunnels that are not known any more.
        if !self.has_room() || key.context() == Contexts::TOO_MANY {
            self.lost += 1;
            return;
        }
        let tunnels = self.contexts.tunnels(key.context());
        let mut told = record::Conversation { tunnels, ..conversation.record(key) };
        for (end, numbers) in told.ends.iter_mut().zip(conversation.origins) {
            let known = numbers.into_iter().filter_map(|number| self.stations.get(usize::from(number).checked_sub(1)?));
            end.stations.extend(known);
        }
        let refusers = conversation.refusers.into_iter();
        let refusers = refusers.filter_map(|number| self.refusers.get(usize::from(number).checked_sub(1)?));
        told.refused_by.extend(refusers.map(|&Refuser { address, stations }| RefusedBy { address, stations }));
        self.conversations.push(Record::Conversation(told));
    }

    /// Takes over the stations, and who refused, that the table knows by now.
    pub(super) fn know(&mut self, Senders { origins, refusers }: Senders<'_>) {
        self.stations.extend_from_slice(origins.get(self.stations.len()..).unwrap_or_default());
        self.refusers.extend_from_slice(refusers.get(self.refusers.len()..).unwrap_or_default());
    }

    pub(super) fn began(&mut self, at: Timestamp) {
        self.others.push(Record::Began { at });
    }

    pub(super) fn name(&mut self, answer: NameAnswer, context: u16) {
        let NameAnswer { asker, address, at, name, time_to_live, exchange } = answer;
        self.name_of(
            Name { asker, name, address, at, time_to_live, answers: exchange.map(Into::into), tunnels: Vec::new() },
            context,
        );
    }

    fn name_of(&mut self, name: Name, context: u16) {
        if context != Contexts::TOO_MANY {
            let tunnels = self.contexts.tunnels(context);
            self.others.push(Record::Name(Name { tunnels, ..name }));
        }
    }

    /// Tells questions without an answer, and answers without a question: another file may have the rest.
    pub(super) fn left(&mut self, questions: &Questions) {
        let (questions, answers) = questions.left();
        for Question { transaction, server, at, .. } in questions {
            let Transaction { protocol, asker, port, id, name, context } = transaction.clone();
            if context != Contexts::TOO_MANY {
                let (name, server, at, tunnels) = (name.into(), *server, *at, self.contexts.tunnels(context));
                self.others.push(Record::Question(record::Question { protocol, asker, port, id, name, server, at, tunnels }));
            }
        }
        for Answer { transaction, server, at, addresses } in answers {
            let Transaction { protocol, asker, port, id, name, context } = transaction;
            let answers = Some(Answers { protocol: *protocol, port: *port, server: *server, asked: None, unasked: Some(*id) });
            let context = self.contexts.reversed(*context);
            for (address, time_to_live) in addresses {
                let (asker, name, address, at, time_to_live) = (*asker, (**name).into(), *address, *at, *time_to_live);
                self.name_of(Name { asker, name, address, at, time_to_live, answers, tunnels: Vec::new() }, context);
            }
        }
    }

    pub(super) fn sight(&mut self, sighting: PortlessTraffic, source: IpAddr, destination: IpAddr, span: Span, context: u16) {
        if context == Contexts::TOO_MANY {
            return;
        }
        let tunnels = self.contexts.tunnels(context);
        let (kind, first, last) = (sighting.into(), span.first(), span.last());
        self.others.push(Record::PortlessTraffic(PortlessTrafficRecord { kind, source, destination, first, last, tunnels }));
    }

    /// The capture is over: from now on there is room for all that the table holds.
    pub(super) const fn admit_all(&mut self) {
        self.room = usize::MAX;
    }

    /// Tells once and for all what was only counted on the way.
    pub(super) fn conclude(&mut self, sightings: &PortlessTrafficTable, floods: &Floods) {
        self.conclude_inside(sightings, 0);
        for (originator, responder, attempts, span) in floods.iter() {
            let (first, last) = (span.first(), span.last());
            self.others.push(Record::Flood(FloodRecord { originator, responder, attempts, first, last }));
        }
    }

    /// The same of traffic without ports in these tunnels.
    pub(super) fn conclude_inside(&mut self, sightings: &PortlessTrafficTable, context: u16) {
        for (sighting, source, destination, span) in sightings.iter() {
            if span.length() > 0 {
                self.sight(sighting, source, destination, span, context);
            }
        }
    }

    /// Whether another conversation may be told before they are taken.
    pub(super) const fn has_room(&self) -> bool {
        self.conversations.len() < self.room
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
        let mut records = std::mem::take(&mut self.conversations);
        sort(&mut records);
        // Names first: whoever reads on knows them when the conversations come.
        records.splice(..0, std::iter::once(Record::Checkpoint { at }).chain(self.others.drain(..)));
        // Mostly as many come the next time, and whoever takes them may add a few.
        self.conversations.reserve_exact(records.len() + 16);
        records
    }
}

/// Sorts by time. Records are large, so their places are sorted, and then each is moved once, within the memory they have.
fn sort(records: &mut [Record]) {
    let mut places: Vec<_> = records.iter().map(first).zip(0..).collect();
    places.sort_unstable_by(|&(first, place), &(other_first, other)| {
        let rest = || order(&records[place]).cmp(&order(&records[other]));
        first.cmp(&other_first).then_with(rest).then(place.cmp(&other))
    });
    let mut places: Vec<usize> = places.into_iter().map(|(_, place)| place).collect();
    for start in 0..places.len() {
        // A circle of places: into each comes what is at the next one.
        let mut place = start;
        while places[place] != start {
            let next = std::mem::replace(&mut places[place], place);
            records.swap(place, next);
            place = next;
        }
        places[place] = place;
    }
}

const fn first(record: &Record) -> Timestamp {
    match record {
        Record::Conversation(conversation) => conversation.first,
        _ => Timestamp::MIN,
    }
}

/// Of those that begin at the same time: by anything that is the same in every run.
fn order(record: &Record) -> Option<(After, [Endpoint; 2], Protocol)> {
    let Record::Conversation(conversation) = record else { return None };
    let ends = conversation.ends.each_ref().map(End::endpoint);
    Some((conversation.last(), ends, conversation.protocol))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_in_the_order_of_time() {
        let conversation = |(first, port, protocol): (i64, u16, Protocol)| {
            let address = IpAddr::from([10, 0, 0, 1]);
            let did = record::EndpointFlags::default();
            let end = End { address, port, heard: None, carried: None, acknowledges: None, did, tenths: 0, stations: Vec::new() };
            let (first, last) = (Timestamp(first), None);
            let ends = [end.clone(), end];
            let (openings, tunnels) = (Vec::new(), Vec::new());
            Record::Conversation(record::Conversation {
                protocol,
                first,
                last,
                ends,
                openings,
                ordered: 0,
                tunnels,
                refused_by: Vec::new(),
            })
        };
        let (tcp, udp) = (Protocol::Tcp, Protocol::Udp);
        let told = [(5, 1, udp), (3, 2, tcp), (4, 3, tcp), (3, 1, tcp), (1, 1, tcp), (5, 1, tcp), (2, 1, udp)].map(conversation);
        let others = vec![Record::End { at: Timestamp(0) }];
        let mut recorder = Recorder { conversations: told.into(), others, ..Recorder::with_room(100, Contexts::default()) };
        let mut expected = vec![Record::Checkpoint { at: Timestamp(7) }, Record::End { at: Timestamp(0) }];
        let ordered = [(1, 1, tcp), (2, 1, udp), (3, 1, tcp), (3, 2, tcp), (4, 3, tcp), (5, 1, tcp), (5, 1, udp)];
        expected.extend(ordered.map(conversation));
        assert_eq!(recorder.take(Timestamp(7)), expected);
        assert!(recorder.take(Timestamp(8)).is_empty(), "all was taken");
    }
}
