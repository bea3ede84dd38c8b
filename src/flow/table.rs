//! The table of conversations under way, bounded in size and driven by capture time alone.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;

use crate::decode::{Chunk, DnsMessage, IcmpError, Packet, TcpFlags, Transport};
use crate::model::{Code, Endpoint, Findings, Flow, NameAnswer, Protocol, Span, Timestamp};

use super::conversation::{Conversation, Fact, Standing};
use super::floods::Floods;
use super::key::{End, FlowKey};
use super::names::Names;
use super::record::{self, Record};
use super::recorder::Recorder;
use super::sightings::{Sighting, Sightings};
use super::{REORDERING, SECOND};

/// After this silence a UDP exchange is another one: the time Linux keeps a UDP stream in its connection tracking
/// (`nf_conntrack_udp_timeout_stream`), after which a reply is no reply any more.
const UDP_SILENCE: i64 = 120 * SECOND;
/// A TCP connection or SCTP association without a packet for a day is given up; pools keep connections open that long.
const STREAM_SILENCE: i64 = 24 * 3600 * SECOND;
/// How long facts of a connection that is over, or that was never answered, are waited for.
const AFTERMATH: i64 = 300 * SECOND;
/// Capture time between two sweeps of the table.
const SWEEP_EVERY: i64 = 60 * SECOND;
/// What the table had to do to stay within its bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableTally {
    /// Unanswered conversations closed early, for lack of room.
    pub unanswered_evicted: u64,
    /// Answered conversations closed early, for lack of room.
    pub answered_evicted: u64,
}

/// A conversation and, rarely, earlier ones of the same endpoints that may still get late packets.
#[derive(Debug)]
struct Slot {
    newest: Conversation,
    earlier: Vec<Conversation>,
    /// Whether the flow file does not tell all that is known, and it matters.
    is_news: bool,
    /// Whether there was any packet since it told.
    is_touched: bool,
    /// The last packet that the flow file tells of.
    told: Timestamp,
}

/// Packets in, flows out; or, where a flow file is written, the records that add up to them.
#[derive(Debug)]
pub struct FlowTable {
    // The hasher is seeded at random for each table: keys come from hostile packets. No output depends on its order.
    slots: HashMap<FlowKey, Slot>,
    capacity: usize,
    now: Timestamp,
    swept: Timestamp,
    finished: Vec<Flow>,
    names: Names,
    sightings: Sightings,
    floods: Floods,
    tally: TableTally,
    was_full: bool,
    opened: u64,
    /// Only where a flow file is written.
    recorder: Option<Recorder>,
}

impl FlowTable {
    /// A table for at most `capacity` conversations at a time (at least 16).
    pub fn new(capacity: usize) -> Self {
        Self {
            slots: HashMap::new(),
            capacity: capacity.max(16),
            now: Timestamp::MIN,
            swept: Timestamp::MIN,
            finished: Vec::new(),
            names: Names::default(),
            sightings: Sightings::default(),
            floods: Floods::default(),
            tally: TableTally::default(),
            was_full: false,
            opened: 0,
            recorder: None,
        }
    }

    /// A table that gives [records](Self::take_records) in place of flows.
    pub fn recording(capacity: usize) -> Self {
        Self { recorder: Some(Recorder::default()), ..Self::new(capacity) }
    }

    /// Takes in what a record tells, as if its packets had been observed. Headers and checkpoints tell of no packets; a checkpoint
    /// moves the time on.
    pub fn recall(&mut self, record: &Record) {
        match record {
            Record::Checkpoint { at } => self.advance(*at),
            Record::Conversation(facts) => {
                let (key, conversation) = Conversation::from_record(facts);
                self.put(key, conversation);
            }
            Record::Name(record::Name { asker, name, address, at, time_to_live }) => {
                self.name(NameAnswer {
                    asker: *asker,
                    address: *address,
                    at: *at,
                    name: name.clone(),
                    time_to_live: *time_to_live,
                });
            }
            Record::Sighting(record::SightingRecord { kind, source, destination, first, last }) => {
                if let Some(sighting) = kind.sighting() {
                    self.see(sighting, *source, *destination, Span::between(*first, *last));
                }
            }
            Record::Flood(flood) => {
                self.floods.add(flood.originator, flood.responder, flood.attempts, Span::between(flood.first, flood.last));
            }
            Record::Header(_) | Record::Frames(_) | Record::Finding { .. } | Record::End { .. } => {}
        }
    }

    fn advance(&mut self, at: Timestamp) {
        if at <= self.now {
            if self.now.since(at) > STREAM_SILENCE + REORDERING {
                // That is no disorder: the clock was set back, and all that follows would be taken for long silent.
                (self.now, self.swept) = (at, at);
            }
            return;
        }
        self.now = at;
        if self.swept == Timestamp::MIN {
            self.swept = self.now;
        } else if self.now.since(self.swept) >= SWEEP_EVERY {
            self.sweep();
        }
    }

    /// Takes in one packet.
    pub fn observe(&mut self, packet: &Packet) {
        self.advance(packet.at);
        match &packet.transport {
            Transport::Tcp { source_port, destination_port, flags, sequence, acknowledgment, payload_length, dns } => {
                if let Some(fact) = tcp_fact(*flags, *sequence, *acknowledgment, *payload_length) {
                    self.record(packet, Protocol::Tcp, *source_port, *destination_port, fact);
                }
                self.learn_names(packet, dns.as_deref());
            }
            Transport::Udp { source_port, destination_port, dns } => {
                let fact = match dns {
                    None => Fact::Datagram,
                    Some(message) if message.is_response => Fact::Responds,
                    Some(_) => Fact::Asks,
                };
                if is_for_many(packet.destination) {
                    self.sight(Sighting::Multicast(*destination_port), packet);
                } else {
                    self.record(packet, Protocol::Udp, *source_port, *destination_port, fact);
                    self.learn_names(packet, dns.as_deref());
                }
            }
            Transport::Sctp { source_port, destination_port, verification_tag, chunk } => {
                let fact = match *chunk {
                    Chunk::Init { tag } => Fact::Opens(tag),
                    Chunk::InitAck { .. } => Fact::Accepts(*verification_tag),
                    Chunk::Abort => Fact::Resets,
                    Chunk::Other => Fact::Carries(true),
                };
                self.record(packet, Protocol::Sctp, *source_port, *destination_port, fact);
            }
            Transport::IcmpError(error) => self.refuse(packet.at, error),
            Transport::EchoRequest => self.sight(Sighting::Echo, packet),
            Transport::OpaqueTunnel(name) => self.sight(Sighting::OpaqueTunnel(name), packet),
            Transport::Other(number) if is_for_many(packet.destination) => {
                let _ = number;
                self.sight(Sighting::Multicast(0), packet);
            }
            Transport::Other(number) => self.sight(Sighting::Protocol(*number), packet),
            Transport::EchoReply | Transport::IcmpControl | Transport::LaterFragment => {}
        }
    }

    /// The flows finished since the last call, in no particular order.
    pub fn take_finished(&mut self) -> Vec<Flow> {
        std::mem::take(&mut self.finished)
    }

    /// How many finished flows wait to be taken.
    pub fn finished_count(&self) -> usize {
        self.finished.len()
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
    pub const fn sightings(&self) -> &Sightings {
        &self.sightings
    }

    /// Attempts that were too many to be kept apart.
    pub const fn floods(&self) -> &Floods {
        &self.floods
    }

    /// Of a [recording](Self::recording) table, what the records taken so far do not tell: in the order in which a reader may
    /// rely on it, a checkpoint first. Of conversations under way, all facts again as soon as there is a new one.
    pub fn take_records(&mut self) -> Vec<Record> {
        let Some(recorder) = &mut self.recorder else { return Vec::new() };
        // Each slot by itself; the file's order is made by the sorting.
        self.slots.iter_mut().for_each(|(key, slot)| {
            let last = slot.newest.span().last();
            // What nobody answers is told when it is given up: a flood would fill the disk.
            if slot.is_attempt() {
                return;
            }
            // Half of the silence that would end it: so whoever reads the file does not take it for over.
            if slot.is_news || last.since(slot.told) >= patience(key.protocol(), &slot.newest) / 2 {
                slot.is_news = false;
                slot.is_touched = false;
                slot.told = last;
                slot.earlier.iter().chain([&slot.newest]).for_each(|conversation| recorder.tell(key, conversation));
            }
        });
        recorder.take(self.now)
    }

    /// How many pairs of endpoints have been taken up so far.
    pub const fn opened(&self) -> u64 {
        self.opened
    }

    /// How many records of a [recording](Self::recording) table wait to be taken, beside those of conversations under way.
    pub fn waiting(&self) -> usize {
        self.recorder.as_ref().map_or(0, Recorder::waiting)
    }

    /// Finishes all conversations: the capture is over.
    pub fn finish(&mut self) {
        if self.was_full {
            self.fold_all();
        }
        let slots = std::mem::take(&mut self.slots);
        self.finished.reserve_exact(if self.recorder.is_some() { 0 } else { slots.len() });
        #[expect(clippy::iter_over_hash_type, reason = "finished flows are in no particular order")]
        for (key, slot) in slots {
            self.close(&key, slot);
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.conclude(&self.sightings, &self.floods);
        }
    }

    /// What is to be said of the table itself.
    pub fn findings(&self) -> Findings {
        let mut findings = Findings::default();
        let TableTally { unanswered_evicted, answered_evicted } = self.tally;
        let subject = format!("flow table of {} conversations", self.capacity);
        findings.add_many(
            Code::FlowTableFull,
            subject.clone(),
            "was full: answered conversations were closed early",
            answered_evicted,
        );
        let lost = self.recorder.as_ref().map_or(0, Recorder::lost);
        findings.add_many(Code::RecordLost, "conversations", "were given up because nobody took their records", lost);
        findings.add_many(
            Code::FlowTableFull,
            subject,
            "was full: unanswered conversations were closed early",
            unanswered_evicted,
        );
        findings
    }

    fn record(&mut self, packet: &Packet, protocol: Protocol, source_port: u16, destination_port: u16, fact: Fact) {
        if source_port == 0 && protocol != Protocol::Udp || destination_port == 0 {
            self.sight(Sighting::PortZero, packet);
            return;
        }
        let sender = Endpoint { address: packet.source, port: source_port };
        let receiver = Endpoint { address: packet.destination, port: destination_port };
        let (key, end) = FlowKey::of(sender, receiver, protocol);
        self.add(key, packet.at, end, fact);
    }

    /// An ICMP error refuses the conversation it quotes. One that quotes nothing known opens none: only what really sent counts.
    fn refuse(&mut self, at: Timestamp, error: &IcmpError) {
        let sender = Endpoint { address: error.source, port: error.source_port };
        let receiver = Endpoint { address: error.destination, port: error.destination_port };
        let (key, end) = FlowKey::of(sender, receiver, error.protocol);
        self.add(key, at, end, Fact::Undeliverable);
    }

    fn add(&mut self, key: FlowKey, at: Timestamp, end: End, fact: Fact) {
        if let Some(slot) = self.slots.get_mut(&key)
            && slot.add(&key, at, end, fact)
        {
            return;
        }
        let mut conversation = Conversation::new(at);
        conversation.add(at, end, fact);
        self.put(key, conversation);
    }

    fn put(&mut self, key: FlowKey, conversation: Conversation) {
        if self.slots.len() >= self.capacity && !self.slots.contains_key(&key) {
            self.make_room();
        }
        match self.slots.entry(key) {
            Entry::Vacant(vacant) => {
                self.opened += 1;
                vacant.insert(Slot {
                    newest: conversation,
                    earlier: Vec::new(),
                    is_news: true,
                    is_touched: true,
                    told: Timestamp::MIN,
                });
            }
            Entry::Occupied(occupied) => {
                for conversation in occupied.into_mut().put(&key, conversation) {
                    self.end(&key, conversation);
                }
            }
        }
    }

    fn sight(&mut self, sighting: Sighting, packet: &Packet) {
        self.see(sighting, packet.source, packet.destination, Span::at(packet.at));
    }

    fn see(&mut self, sighting: Sighting, source: IpAddr, destination: IpAddr, span: Span) {
        let is_new = self.sightings.add(sighting, source, destination, span);
        if let Some(recorder) = &mut self.recorder
            && is_new
        {
            recorder.sight(sighting, source, destination, span);
        }
    }

    fn learn_names(&mut self, packet: &Packet, dns: Option<&DnsMessage>) {
        let Some(DnsMessage { is_response: true, question: Some(name), addresses }) = dns else {
            return;
        };
        for &(address, time_to_live) in addresses {
            self.name(NameAnswer { asker: packet.destination, address, at: packet.at, name: name.clone(), time_to_live });
        }
    }

    fn name(&mut self, answer: NameAnswer) {
        match &mut self.recorder {
            Some(recorder) => {
                if self.names.add(answer.clone()) {
                    recorder.name(answer);
                }
            }
            None => {
                self.names.add(answer);
            }
        }
    }

    fn close(&mut self, key: &FlowKey, slot: Slot) {
        if self.recorder.is_some() && !slot.is_touched {
            return;
        }
        for conversation in slot.earlier.into_iter().chain([slot.newest]) {
            self.end(key, conversation);
        }
    }

    /// Hands on a conversation that no packet can reach any more.
    fn end(&mut self, key: &FlowKey, conversation: Conversation) {
        match &mut self.recorder {
            Some(recorder) => recorder.tell(key, &conversation),
            None => self.finished.extend(conversation.flows(key)),
        }
    }

    /// Finishes what has been silent for long enough that no packet can belong to it any more.
    fn sweep(&mut self) {
        self.swept = self.now;
        let now = self.now;
        let over = self.slots.extract_if(|key, slot| {
            let silence = now.since(slot.newest.span().last());
            silence > patience(key.protocol(), &slot.newest) + REORDERING
        });
        let over: Vec<(FlowKey, Slot)> = over.collect();
        for (key, slot) in over {
            self.close(&key, slot);
        }
    }

    /// Makes room for at least one conversation: unanswered ones go first, then those longest silent, a batch at a time. Of the
    /// unanswered, those that one address makes, or gets, in great numbers are folded: a scan or a flood is one thing to tell.
    fn make_room(&mut self) {
        self.sweep();
        if self.slots.len() < self.capacity {
            return;
        }
        self.was_full = true;
        let candidates = self.slots.iter().map(|(key, slot)| (slot.newest.standing(), slot.newest.span().last(), *key));
        let mut candidates: Vec<(Standing, Timestamp, FlowKey)> = candidates.collect();
        candidates.sort_unstable();
        candidates.truncate((self.capacity / 8).max(1));
        let mut attempts = Vec::new();
        for (standing, _, key) in candidates {
            let Some(slot) = self.slots.remove(&key) else { continue };
            match standing {
                Standing::Answered => self.tally.answered_evicted += 1,
                Standing::OneSided => self.tally.unanswered_evicted += 1,
                Standing::Attempt => {}
            }
            if slot.is_attempt() { attempts.push((key, slot)) } else { self.close(&key, slot) }
        }
        self.tally.unanswered_evicted += self.give_up(attempts);
    }

    /// Of a table that was full, the attempts that are left belong to the same scans and floods.
    fn fold_all(&mut self) {
        let attempts = self.slots.extract_if(|_, slot| slot.is_attempt()).collect();
        self.give_up(attempts);
    }

    /// Closes attempts, or folds them; returns how many were closed.
    fn give_up(&mut self, slots: Vec<(FlowKey, Slot)>) -> u64 {
        let attempts: Vec<_> = slots.iter().map(|(key, slot)| slot.newest.attempt(key)).collect();
        let is_folded = self.floods.fold(&attempts);
        let mut closed = 0;
        for ((key, slot), is_folded) in slots.into_iter().zip(is_folded) {
            if !is_folded {
                closed += 1;
                self.close(&key, slot);
            }
        }
        closed
    }
}

impl Slot {
    /// More conversations of the same endpoints are not waited for at a time.
    const EARLIER: usize = 8;

    /// Whether nothing can come of it but a failed attempt.
    fn is_attempt(&self) -> bool {
        self.earlier.is_empty() && self.newest.standing() == Standing::Attempt
    }

    /// Adds a fact to the newest conversation, if it belongs there and nowhere else.
    fn add(&mut self, key: &FlowKey, at: Timestamp, end: End, fact: Fact) -> bool {
        let belongs = self.earlier.is_empty() && reaches(silence(key.protocol()), self.newest.span(), Span::at(at));
        if belongs {
            self.is_news |= self.newest.add(at, end, fact);
            self.is_touched = true;
        }
        belongs
    }

    /// Adds facts to the conversation they belong to: the one whose span, widened by the protocol's silence, meets theirs. They
    /// may join two conversations into one. Returns those that no packet can reach any more.
    fn put(&mut self, key: &FlowKey, mut joined: Conversation) -> Vec<Conversation> {
        let silence = silence(key.protocol());
        self.is_news = true;
        self.is_touched = true;
        let mut others = Vec::new();
        let placeholder = Conversation::new(joined.span().first());
        let newest = std::mem::replace(&mut self.newest, placeholder);
        for conversation in self.earlier.drain(..).chain([newest]) {
            if reaches(silence, conversation.span(), joined.span()) {
                joined.merge(conversation);
            } else {
                others.push(conversation);
            }
        }
        let joined_span = joined.span();
        others.push(joined);
        others.sort_by_key(Conversation::span);
        // Whichever came last stays, however old: of a clock that was set back, more will come.
        let mut given_up = Vec::new();
        while others.len() > Self::EARLIER {
            let oldest = usize::from(others[0].span() == joined_span);
            given_up.push(others.remove(oldest));
        }
        if let Some(newest) = others.pop() {
            self.newest = newest;
        }
        self.earlier = others;
        given_up
    }
}

/// The silence after which packets between the same endpoints are another conversation.
const fn silence(protocol: Protocol) -> i64 {
    match protocol {
        Protocol::Udp => UDP_SILENCE,
        Protocol::Tcp | Protocol::Sctp => STREAM_SILENCE,
    }
}

/// Whether no more than that silence lies between the two.
fn reaches(silence: i64, one: Span, other: Span) -> bool {
    other.first().since(one.last()) <= silence && one.first().since(other.last()) <= silence
}

/// How long a conversation's silence may last before it is finished.
fn patience(protocol: Protocol, conversation: &Conversation) -> i64 {
    match protocol {
        Protocol::Udp => UDP_SILENCE,
        Protocol::Tcp | Protocol::Sctp if conversation.is_over() || !conversation.is_answered() => AFTERMATH,
        Protocol::Tcp | Protocol::Sctp => STREAM_SILENCE,
    }
}

/// What a TCP segment says. Bits are tested one by one: an opening with ECN (RFC 3168) carries ECE and CWR beside SYN.
fn tcp_fact(flags: TcpFlags, sequence: u32, acknowledgment: u32, payload_length: u32) -> Option<Fact> {
    match flags {
        TcpFlags { rst: true, ack: true, .. } if sequence == 0 => Some(Fact::Rejects(acknowledgment.wrapping_sub(1))),
        TcpFlags { rst: true, .. } => Some(Fact::Resets),
        TcpFlags { syn: true, fin: true, .. } => None,
        TcpFlags { syn: true, ack: true, .. } => Some(Fact::Accepts(acknowledgment.wrapping_sub(1))),
        TcpFlags { syn: true, .. } => Some(Fact::Opens(sequence)),
        TcpFlags { ack: true, fin: true, .. } => Some(Fact::Finishes),
        TcpFlags { ack: true, .. } => Some(Fact::Carries(payload_length > 0)),
        // Neither SYN, RST nor ACK: no TCP stack sends it (null and Xmas scans do).
        TcpFlags { .. } => None,
    }
}

/// Whether a datagram goes to a group rather than to one address.
fn is_for_many(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_multicast() || address.is_broadcast(),
        IpAddr::V6(address) => address.is_multicast(),
    }
}
