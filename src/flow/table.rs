//! The table of conversations under way, bounded in size and driven by capture time alone.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::decode::{IcmpError, Packet, Transport};
use crate::model::memory::advise_hugepages;
use crate::model::{Code, Endpoint, Findings, Flow, Protocol, Timestamp};

use super::beginning::Beginnings;
use super::connection_map::{Candidate, ConnectionMap, Seen, Taken, Took};
use super::contexts::Contexts;
use super::conversation::Conversation;
use super::event::{Batch, Event, What, is_for_many, is_port_zero, parts, tcp_fact};
use super::fact::{Fact, Stamp};
use super::floods::Floods;
use super::key::{End, FlowKey, Narrow, Packed, Seeds, Wide};
use super::names::Names;
use super::origins::Origins;
use super::portless_traffic::{PortlessTraffic, PortlessTrafficTable};
use super::questions::Questions;
use super::record::Record;
use super::recorder::Recorder;
use super::refusers::{Refuser, Refusers, Senders};
use super::timeouts::{STREAM_SILENCE, patience, silence};
use super::{REORDERING, SECOND};

mod names;
mod portless;
mod recall;
mod room;

/// Capture time between two sweeps of the table.
const SWEEP_EVERY: u64 = 60 * SECOND.unsigned_abs();
/// What is earlier than the latest by more than this was not delayed.
const MOST_DISORDER: u64 = (STREAM_SILENCE + REORDERING).unsigned_abs();

/// What the table had to do to stay within its bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableTally {
    /// Unanswered conversations closed early, for lack of room.
    pub unanswered_evicted: u64,
    /// Answered conversations closed early, for lack of room.
    pub answered_evicted: u64,
}

/// Packets in, flows out; or, where a flow file is written, the records that add up to them.
#[derive(Debug)]
pub struct FlowTable {
    // Keys are hashed with seeds of this table's own: they come from hostile packets. No output depends on where they are.
    seeds: Seeds,
    contexts: Contexts,
    origins: Origins,
    refusers: Refusers,
    narrow: ConnectionMap<Narrow>,
    wide: ConnectionMap<Wide>,
    capacity: usize,
    now: Timestamp,
    swept: Timestamp,
    ended: Ended,
    names: Names,
    /// The same inside of tunnels that are kept apart, of all of them together.
    names_inside: Names,
    questions: Questions,
    sightings: PortlessTrafficTable,
    /// The same inside of tunnels that are kept apart, by their number.
    sightings_inside: BTreeMap<u16, PortlessTrafficTable>,
    /// How many these are.
    sighted_inside: usize,
    floods: Floods,
    tally: TableTally,
    was_full: bool,
    opened: u64,
}

/// What no packet can reach any more.
#[derive(Debug, Default)]
struct Ended {
    flows: Vec<Flow>,
    beginnings: Beginnings,
    /// Only where a flow file is written.
    recorder: Option<Recorder>,
}

impl Ended {
    fn close(&mut self, key: &FlowKey, taken: Taken) {
        if self.recorder.is_some() && !taken.is_touched {
            return;
        }
        for conversation in taken.chain.into_all() {
            self.end(key, conversation);
        }
    }

    /// Hands on a conversation that no packet can reach any more.
    fn end(&mut self, key: &FlowKey, conversation: Conversation) {
        match &mut self.recorder {
            Some(recorder) => recorder.tell(key, &conversation),
            None => conversation.flows(key, &self.beginnings, &mut self.flows),
        }
    }
}

impl FlowTable {
    /// A table for at most `capacity` conversations at a time (at least 16).
    pub fn new(capacity: usize) -> Self {
        Self::with(capacity, None)
    }

    /// A table that gives [records](Self::take_records) in place of flows.
    pub fn recording(capacity: usize) -> Self {
        Self::with(capacity, Some(Recorder::ROOM.saturating_add(capacity)))
    }

    /// With room for so many records that wait, if it is recording.
    pub(super) fn with(capacity: usize, room: Option<usize>) -> Self {
        let seeds = Seeds::random();
        let contexts = Contexts::default();
        let recorder = room.map(|room| Recorder::with_room(room, contexts.clone()));
        let is_recording = recorder.is_some();
        Self {
            seeds,
            contexts,
            origins: Origins::default(),
            refusers: Refusers::default(),
            narrow: ConnectionMap::new(seeds, is_recording),
            wide: ConnectionMap::new(seeds, is_recording),
            capacity: capacity.max(16),
            now: Timestamp::MIN,
            swept: Timestamp::MIN,
            ended: Ended { flows: Vec::new(), beginnings: Beginnings::default(), recorder },
            names: Names::default(),
            names_inside: Names::default(),
            questions: Questions::default(),
            sightings: PortlessTrafficTable::default(),
            sightings_inside: BTreeMap::new(),
            sighted_inside: 0,
            floods: Floods::default(),
            tally: TableTally::default(),
            was_full: false,
            opened: 0,
        }
    }

    /// Says that a capture whose packets come from now on began at this time: what it has first may have begun before.
    pub fn begin_capture(&mut self, at: Timestamp) {
        let is_further = !self.ended.beginnings.is_empty();
        let is_news = self.ended.beginnings.add(at);
        // The first one is told by the header.
        if is_further && is_news {
            self.tell_beginning(at);
        }
    }

    /// Says that a capture that had stopped went on at this time.
    pub fn resume_capture(&mut self, at: Timestamp) {
        self.ended.beginnings.add(at);
        self.tell_beginning(at);
    }

    fn tell_origins(&mut self) {
        if let Some(recorder) = &mut self.ended.recorder {
            recorder.know(Senders { origins: self.origins.all(), refusers: self.refusers.all() });
        }
    }

    fn tell_beginning(&mut self, at: Timestamp) {
        if let Some(recorder) = &mut self.ended.recorder {
            recorder.began(at);
        }
    }

    /// An empty batch for this table.
    pub fn batch(&self) -> Batch {
        Batch::new(self.seeds, self.contexts.clone())
    }

    #[inline]
    fn advance(&mut self, at: Timestamp) {
        if at <= self.now {
            if self.now.after(at) > MOST_DISORDER {
                // That is no disorder: the clock was set back, and all that follows would be taken for long silent.
                (self.now, self.swept) = (at, at);
            }
            return;
        }
        self.now = at;
        if self.now.after(self.swept) >= SWEEP_EVERY {
            self.sweep();
        }
    }

    /// Takes in one packet.
    pub fn observe(&mut self, packet: &Packet) {
        let step = Event::of(packet, &self.seeds);
        let stamp = Stamp::from(step.at);
        self.advance(packet.at);
        match step.what {
            What::Narrow(key, end, fact) => {
                let found = self.narrow.find(key, step.hash);
                self.narrow(found, key, step.hash, stamp, end, fact);
            }
            What::Wide(key, end, fact) => {
                let found = self.wide.find(key, step.hash);
                self.wide(found, key, step.hash, stamp, end, fact);
            }
            What::Whole => self.observe_whole(packet, stamp, 0),
            What::Silent | What::NoPacket => {}
        }
    }

    /// Takes in the packets of a batch, as if they came one by one, and leaves it empty.
    pub fn observe_all(&mut self, batch: &mut Batch) {
        self.observe_next(batch, usize::MAX);
    }

    /// Takes in the next packets of a batch, as if they came one by one: of so many frames at most. Returns of how many.
    pub fn observe_next(&mut self, batch: &mut Batch, most: usize) -> usize {
        /// Look-ups that wait for memory together.
        const TOGETHER: usize = 64;
        let (from, first_packet) = batch.taken;
        // In the order in which they came in.
        for stations in &batch.origins.all()[batch.numbers.len()..] {
            batch.numbers.push(self.origins.number(*stations));
        }
        self.tell_origins();
        let count = batch.len().min(most);
        let mut packets = batch.packets[first_packet..].iter();
        let mut candidates = [Candidate::default(); TOGETHER];
        for steps in batch.steps[from..from + count].chunks(TOGETHER) {
            for step in steps {
                match step.what {
                    What::Narrow(..) => self.narrow.prefetch(step.hash),
                    What::Wide(..) => self.wide.prefetch(step.hash),
                    What::Whole | What::Silent | What::NoPacket => {}
                }
            }
            for (candidate, step) in candidates.iter_mut().zip(steps) {
                *candidate = match step.what {
                    What::Narrow(..) => self.narrow.candidate(step.hash),
                    What::Wide(..) => self.wide.candidate(step.hash),
                    What::Whole | What::Silent | What::NoPacket => Candidate::default(),
                };
            }
            for (candidate, &Event { at, hash, origin, what }) in candidates.into_iter().zip(steps) {
                if let What::NoPacket = what {
                    continue;
                }
                self.advance(at);
                let (input, number) = parts(origin);
                let known = usize::from(number).checked_sub(1).and_then(|position| batch.numbers.get(position));
                let stamp = Stamp { at, input, origin: known.copied().unwrap_or_default() };
                match what {
                    What::Narrow(key, end, fact) => {
                        let found = self.narrow.confirm(candidate, key, hash);
                        if let (Some(position), Fact::Did(deeds, number)) = (found, fact)
                            && self.narrow.go_on(position, at, stamp.origin, end, (deeds, number))
                        {
                            continue;
                        }
                        self.narrow(found, key, hash, stamp, end, fact);
                    }
                    What::Wide(key, end, fact) => {
                        self.observe_wide(candidate, (batch.wide[key as usize], hash), stamp, end, fact);
                    }
                    What::Whole => {
                        if let Some((packet, context)) = packets.next() {
                            self.observe_whole(packet, stamp, *context);
                        }
                    }
                    What::Silent | What::NoPacket => {}
                }
            }
        }
        batch.taken = (from + count, batch.packets.len() - packets.len());
        if batch.is_empty() {
            batch.clear();
        }
        count
    }

    /// Apart, so that the short keys' way keeps its registers.
    #[inline(never)]
    fn observe_wide(&mut self, candidate: Candidate, (key, hash): (Wide, u32), stamp: Stamp, end: End, fact: Fact) {
        let found = self.wide.confirm(candidate, key, hash);
        match (found, fact) {
            (Some(position), Fact::Did(deeds, number))
                if self.wide.go_on(position, stamp.at, stamp.origin, end, (deeds, number)) => {}
            _ => self.wide(found, key, hash, stamp, end, fact),
        }
    }

    #[inline]
    fn narrow(&mut self, found: Option<usize>, key: Narrow, hash: u32, stamp: Stamp, end: End, fact: Fact) {
        let has_room = self.has_room();
        match self.narrow.take(found, (key, hash), has_room, silence(key.protocol()), stamp, end, fact) {
            Took::Added => {}
            Took::Opened => self.opened += 1,
            Took::Nothing => self.add_rarely(&key.key(), stamp, end, fact),
        }
        self.bear();
    }

    #[inline]
    fn wide(&mut self, found: Option<usize>, key: Wide, hash: u32, stamp: Stamp, end: End, fact: Fact) {
        let has_room = self.has_room();
        match self.wide.take(found, (key, hash), has_room, silence(key.protocol()), stamp, end, fact) {
            Took::Added => {}
            Took::Opened => self.opened += 1,
            Took::Nothing => self.add_rarely(&key.key(), stamp, end, fact),
        }
        self.bear();
    }

    /// What starts a new conversation after a long silence, or finds no room, or has no brief form.
    fn add_rarely(&mut self, key: &FlowKey, stamp: Stamp, end: End, fact: Fact) {
        let mut conversation = Conversation::new(stamp.at);
        conversation.add(stamp, end, fact);
        self.put(key, conversation);
    }

    /// Sees to it that conversations of very many openings do not take more memory than all others together.
    #[inline]
    fn bear(&mut self) {
        if self.narrow.weight() + self.wide.weight() > self.capacity.saturating_mul(room::WEIGHT) {
            self.lighten();
        }
    }

    /// Takes in a packet that is more than a fact of a conversation, at the time to which the table has come. The context is that of its
    /// tunnels as it travels.
    fn observe_whole(&mut self, packet: &Packet, stamp: Stamp, context: u16) {
        match &packet.transport {
            Transport::Tcp { source_port, destination_port, flags, sequence, acknowledgment, payload_length, dns } => {
                if let Some(fact) = tcp_fact(*flags, *sequence, *acknowledgment, *payload_length) {
                    self.record(packet, (stamp, context), Protocol::Tcp, (*source_port, *destination_port), fact);
                }
                self.learn_names(packet, Protocol::Tcp, (*source_port, *destination_port), dns.as_deref(), context);
            }
            Transport::Udp { source_port, destination_port, dns } => {
                let fact = match dns {
                    None => Fact::DATAGRAM,
                    Some(message) if message.is_response => Fact::RESPONDS,
                    Some(_) => Fact::ASKS,
                };
                if is_for_many(packet.destination) {
                    self.sight(PortlessTraffic::Multicast(*destination_port), packet, context);
                } else {
                    self.record(packet, (stamp, context), Protocol::Udp, (*source_port, *destination_port), fact);
                    self.learn_names(packet, Protocol::Udp, (*source_port, *destination_port), dns.as_deref(), context);
                }
            }
            Transport::IcmpError(error) => self.refuse((stamp, packet.source), error, context),
            Transport::EchoRequest => self.sight(PortlessTraffic::Echo, packet, context),
            Transport::OpaqueTunnel(name) => self.sight(PortlessTraffic::OpaqueTunnel(name), packet, context),
            Transport::Other(_) if is_for_many(packet.destination) => self.sight(PortlessTraffic::Multicast(0), packet, context),
            Transport::Other(number) => self.sight(PortlessTraffic::Protocol(*number), packet, context),
            Transport::Sctp { .. } => self.sight(PortlessTraffic::PortZero, packet, context),
            Transport::EchoReply | Transport::IcmpControl | Transport::LaterFragment => {}
        }
    }

    /// The flows finished since the last call, in no particular order.
    pub fn take_finished(&mut self) -> Vec<Flow> {
        std::mem::take(&mut self.ended.flows)
    }

    /// How many finished flows wait to be taken.
    pub fn finished_count(&self) -> usize {
        self.ended.flows.len()
    }

    /// The latest capture time.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// The DNS answers seen so far.
    pub const fn names(&self) -> &Names {
        &self.names
    }

    /// Traffic without ports seen so far.
    pub const fn sightings(&self) -> &PortlessTrafficTable {
        &self.sightings
    }

    /// Where packets came from.
    pub fn senders(&self) -> Senders<'_> {
        Senders { origins: self.origins.all(), refusers: self.refusers.all() }
    }

    /// Attempts that were too many to be kept apart.
    pub const fn floods(&self) -> &Floods {
        &self.floods
    }

    /// Of a [recording](Self::recording) table, what the records taken so far do not tell, behind a checkpoint: all facts of those
    /// under way that have a new one, but of `most` of them; the next call goes on until it [has told](Self::has_told) all.
    pub fn take_records(&mut self, mut most: usize) -> Vec<Record> {
        if self.has_told() {
            self.narrow.begin_telling();
            self.wide.begin_telling();
        }
        let Some(recorder) = &mut self.ended.recorder else { return Vec::new() };
        self.narrow.tell(&mut most, recorder);
        self.wide.tell(&mut most, recorder);
        recorder.take(self.now)
    }

    /// Whether the last [records](Self::take_records) told all there was to tell.
    pub const fn has_told(&self) -> bool {
        self.narrow.has_told() && self.wide.has_told()
    }

    /// How many pairs of endpoints have been taken up so far.
    pub const fn opened(&self) -> u64 {
        self.opened
    }

    /// How many records of a [recording](Self::recording) table wait to be taken, beside those of conversations under way.
    pub fn waiting(&self) -> usize {
        self.ended.recorder.as_ref().map_or(0, Recorder::waiting)
    }

    /// Finishes all conversations: the capture is over.
    pub fn finish(&mut self) {
        self.ended.recorder.iter_mut().for_each(Recorder::admit_all);
        if self.was_full {
            self.fold_all();
        }
        let ended = &mut self.ended;
        if let Some(recorder) = &mut ended.recorder {
            recorder.conclude(&self.sightings, &self.floods);
            for (context, sightings) in &self.sightings_inside {
                recorder.conclude_inside(sightings, *context);
            }
            recorder.left(&self.questions);
        } else {
            ended.flows.reserve(self.narrow.len() + self.wide.len());
            advise_hugepages(&ended.flows);
        }
        self.narrow.drain(|key, taken| ended.close(key, taken));
        self.wide.drain(|key, taken| ended.close(key, taken));
    }

    /// What is to be said of the table itself.
    pub fn findings(&self) -> Findings {
        let mut findings = Findings::default();
        findings.merge(self.names.findings());
        findings.merge(self.names_inside.findings());
        let message = "was full: what was left out (echo requests, multicast, other protocols) is in no finding";
        findings.add_many(Code::FlowTableFull, "table of traffic without ports", message, self.sightings.left_out());
        // A flow file tells of the others itself.
        for (asker, count) in self.questions.unasked(self.ended.recorder.is_none()) {
            let message = "got DNS answers to no question that was seen: they name nothing";
            findings.add_many(Code::DnsAnswerNotUsed, asker.to_string(), message, count);
        }
        if self.origins.is_full() {
            let message = "was full: of some packets it is not known who sent them";
            findings.add(Code::FlowTableFull, "table of senders", message);
        }
        let TableTally { unanswered_evicted, answered_evicted } = self.tally;
        let subject = format!("flow table of {} conversations", self.capacity);
        findings.add_many(
            Code::FlowTableFull,
            subject.clone(),
            "was full: answered conversations were closed early",
            answered_evicted,
        );
        let lost = self.ended.recorder.as_ref().map_or(0, Recorder::lost);
        findings.add_many(Code::RecordingIncomplete, "conversations", "were given up because nobody took their records", lost);
        findings.add_many(
            Code::FlowTableFull,
            subject,
            "was full: unanswered conversations were closed early",
            unanswered_evicted,
        );
        findings
    }

    fn record(
        &mut self,
        packet: &Packet,
        (stamp, context): (Stamp, u16),
        protocol: Protocol,
        (source_port, destination_port): (u16, u16),
        fact: Fact,
    ) {
        if is_port_zero(protocol, source_port, destination_port) {
            self.sight(PortlessTraffic::PortZero, packet, context);
            return;
        }
        let sender = Endpoint { address: packet.source, port: source_port };
        let receiver = Endpoint { address: packet.destination, port: destination_port };
        let (key, end) = FlowKey::of(sender, receiver, protocol);
        let key = self.within(key, end, context);
        self.add(&key, stamp, end, fact);
    }

    /// The key in tunnels as packets of that end travel.
    fn within(&self, key: FlowKey, sender: End, context: u16) -> FlowKey {
        key.within(if sender == End::Low { context } else { self.contexts.reversed(context) })
    }

    /// An ICMP error refuses the conversation it quotes. One that quotes nothing known opens none: only what really sent counts. Nobody
    /// sends one about a packet of its own.
    fn refuse(&mut self, (stamp, address): (Stamp, IpAddr), error: &IcmpError, context: u16) {
        if address == error.source {
            return;
        }
        let stations = self.origins.stations(stamp.origin);
        let Some(refuser) = self.refusers.number(Refuser { address, stations }) else { return };
        self.tell_origins();
        let sender = Endpoint { address: error.source, port: error.source_port };
        let receiver = Endpoint { address: error.destination, port: error.destination_port };
        let (key, end) = FlowKey::of(sender, receiver, error.protocol);
        // It travels towards whoever sent what it quotes.
        let key = self.within(key, end.opposite(), context);
        self.add(&key, stamp, end, Fact::Undeliverable(refuser));
    }

    fn add(&mut self, key: &FlowKey, stamp: Stamp, end: End, fact: Fact) {
        match Event::wide(stamp.at, key, end, fact, &self.seeds) {
            Event { hash, what: What::Narrow(key, ..), .. } => {
                let found = self.narrow.find(key, hash);
                self.narrow(found, key, hash, stamp, end, fact);
            }
            Event { hash, what: What::Wide(key, ..), .. } => {
                let found = self.wide.find(key, hash);
                self.wide(found, key, hash, stamp, end, fact);
            }
            _ => {}
        }
    }

    fn put(&mut self, key: &FlowKey, conversation: Conversation) {
        let silence = silence(key.protocol());
        let given_up = match key.narrow() {
            Ok(narrow) => {
                let hash = narrow.hash(&self.seeds);
                let Some(position) = self.narrow.find(narrow, hash) else {
                    self.make_room();
                    self.opened += 1;
                    return self.narrow.insert(narrow, hash, conversation);
                };
                self.narrow.put(position, silence, conversation)
            }
            Err(wide) => {
                let hash = wide.hash(&self.seeds);
                let Some(position) = self.wide.find(wide, hash) else {
                    self.make_room();
                    self.opened += 1;
                    return self.wide.insert(wide, hash, conversation);
                };
                self.wide.put(position, silence, conversation)
            }
        };
        for conversation in given_up {
            self.ended.end(key, conversation);
        }
    }

    /// Finishes what has been silent for long enough that no packet can belong to it any more.
    fn sweep(&mut self) {
        let is_first = self.swept == Timestamp::MIN;
        self.swept = self.now;
        if is_first {
            return;
        }
        let now = self.now;
        let is_over = |seen: Seen<'_>| now.since(seen.last()) > patience(seen) + REORDERING;
        let ended = &mut self.ended;
        self.narrow.extract(is_over, |key, taken| ended.close(key, taken));
        self.wide.extract(is_over, |key, taken| ended.close(key, taken));
    }

    #[inline]
    const fn has_room(&self) -> bool {
        self.narrow.len() + self.wide.len() < self.capacity
    }

    /// Makes room for at least one conversation, if there is none: those of least worth go first, then those longest silent, a batch at
    /// a time. Of the unanswered, those that one address makes, or gets, in great numbers are folded: a scan or a flood is one
    /// thing to tell.
    #[inline]
    fn make_room(&mut self) {
        if !self.has_room() {
            self.make_room_now();
        }
    }
}
