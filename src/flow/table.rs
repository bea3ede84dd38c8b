//! The table of conversations under way, bounded in size and driven by capture time alone.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;

use crate::decode::{Chunk, DnsMessage, IcmpError, Packet, TcpFlags, Transport};
use crate::model::{Code, Endpoint, Findings, Flow, NameAnswer, Protocol, Span, Timestamp};

use super::conversation::{Conversation, Fact};
use super::key::{End, FlowKey};
use super::names::Names;
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
}

/// Packets in, flows out.
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
    tally: TableTally,
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
            tally: TableTally::default(),
        }
    }

    /// Takes in one packet.
    pub fn observe(&mut self, packet: &Packet) {
        if packet.at > self.now {
            self.now = packet.at;
            if self.swept == Timestamp::MIN {
                self.swept = self.now;
            } else if self.now.since(self.swept) >= SWEEP_EVERY {
                self.sweep();
            }
        } else if self.now.since(packet.at) > STREAM_SILENCE + REORDERING {
            // That is no disorder: the clock was set back, and all that follows would be taken for long silent.
            (self.now, self.swept) = (packet.at, packet.at);
        }
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

    /// Finishes all conversations: the capture is over.
    pub fn finish(&mut self) {
        let slots = std::mem::take(&mut self.slots);
        self.finished.reserve_exact(slots.len());
        self.finished.extend(slots.into_iter().flat_map(|(key, slot)| slot.flows(key)));
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
        self.put(key, packet.at, end, fact);
    }

    /// An ICMP error refuses the conversation it quotes. One that quotes nothing known opens none: only what really sent counts.
    fn refuse(&mut self, at: Timestamp, error: &IcmpError) {
        let sender = Endpoint { address: error.source, port: error.source_port };
        let receiver = Endpoint { address: error.destination, port: error.destination_port };
        let (key, end) = FlowKey::of(sender, receiver, error.protocol);
        self.put(key, at, end, Fact::Undeliverable);
    }

    fn put(&mut self, key: FlowKey, at: Timestamp, end: End, fact: Fact) {
        if self.slots.len() >= self.capacity && !self.slots.contains_key(&key) {
            self.make_room();
        }
        match self.slots.entry(key) {
            Entry::Vacant(vacant) => {
                let mut newest = Conversation::new(at);
                newest.add(at, end, fact);
                vacant.insert(Slot { newest, earlier: Vec::new() });
            }
            Entry::Occupied(occupied) => {
                let given_up = occupied.into_mut().add(&key, at, end, fact);
                for conversation in given_up {
                    self.finished.extend(conversation.flows(&key));
                }
            }
        }
    }

    fn sight(&mut self, sighting: Sighting, packet: &Packet) {
        self.sightings.add(sighting, packet.source, packet.destination, Span::at(packet.at));
    }

    fn learn_names(&mut self, packet: &Packet, dns: Option<&DnsMessage>) {
        let Some(DnsMessage { is_response: true, question: Some(name), addresses }) = dns else {
            return;
        };
        for &(address, time_to_live) in addresses {
            self.names.add(NameAnswer { asker: packet.destination, address, at: packet.at, name: name.clone(), time_to_live });
        }
    }

    fn close(&mut self, key: &FlowKey, slot: Slot) {
        self.finished.extend(slot.flows(*key));
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

    /// Makes room for at least one conversation: unanswered ones go first, then those longest silent, a batch at a time.
    fn make_room(&mut self) {
        self.sweep();
        if self.slots.len() < self.capacity {
            return;
        }
        let candidates = self.slots.iter().map(|(key, slot)| (slot.newest.is_answered(), slot.newest.span().last(), *key));
        let mut candidates: Vec<(bool, Timestamp, FlowKey)> = candidates.collect();
        candidates.sort_unstable();
        for (is_answered, _, key) in candidates.into_iter().take((self.capacity / 8).max(1)) {
            if let Some(slot) = self.slots.remove(&key) {
                if is_answered {
                    self.tally.answered_evicted += 1;
                } else {
                    self.tally.unanswered_evicted += 1;
                }
                self.close(&key, slot);
            }
        }
    }
}

impl Slot {
    fn flows(self, key: FlowKey) -> impl Iterator<Item = Flow> {
        self.earlier.into_iter().chain([self.newest]).flat_map(move |conversation| conversation.flows(&key))
    }

    /// Adds a fact to the conversation it belongs to: the one whose span, widened by the protocol's silence, holds `at`. A
    /// packet may join two conversations into one. Returns those that no packet can reach any more.
    fn add(&mut self, key: &FlowKey, at: Timestamp, end: End, fact: Fact) -> Vec<Conversation> {
        let silence = if key.protocol() == Protocol::Udp { UDP_SILENCE } else { STREAM_SILENCE };
        let reaches = |conversation: &Conversation| {
            let span = conversation.span();
            at.since(span.last()) <= silence && span.first().since(at) <= silence
        };
        if self.earlier.is_empty() && reaches(&self.newest) {
            self.newest.add(at, end, fact);
            return Vec::new();
        }
        let mut joined = Conversation::new(at);
        joined.add(at, end, fact);
        let mut others = Vec::new();
        let fresh = Conversation::new(at);
        let newest = std::mem::replace(&mut self.newest, fresh);
        for conversation in self.earlier.drain(..).chain([newest]) {
            if reaches(&conversation) { joined.merge(conversation) } else { others.push(conversation) }
        }
        others.push(joined);
        others.sort_by_key(Conversation::span);
        if let Some(newest) = others.pop() {
            self.newest = newest;
        }
        let horizon = self.newest.span().last().plus(-(silence + REORDERING));
        let (given_up, earlier) = others.into_iter().partition(|conversation| conversation.span().last() < horizon);
        self.earlier = earlier;
        given_up
    }
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
