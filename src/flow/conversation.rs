//! The facts of one conversation, and the flows they add up to.

use crate::model::{DirectionEvidence, Endpoint, Flow, Outcome, Protocol, Span, Timestamp};

use super::floods::Attempt;
use super::key::{End, FlowKey};
use super::record::After;
use super::{SECOND, record};

/// What one packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    /// TCP SYN or SCTP INIT by the sender, with its initial sequence number or initiate tag.
    Opens(u32),
    /// TCP SYN+ACK or SCTP INIT ACK by the sender, in answer to the receiver's opening with this number.
    Accepts(u32),
    /// A TCP reset in answer to the receiver's SYN with this number (RFC 9293, section 3.5.2: sequence 0).
    Rejects(u32),
    /// An ICMP error says that a packet of the "sender" could not be delivered.
    Undeliverable,
    /// Anything else that the sender did, as its [deeds](Deeds) have it.
    Did(u8),
}

impl Fact {
    /// A reset or ABORT of the sender that does not say what it answers.
    pub(super) const RESETS: Self = Self::Did(RESET);
    /// A segment without payload that only an established connection carries.
    pub(super) const CARRIES: Self = Self::Did(CARRIED);
    /// The same with payload.
    pub(super) const CARRIES_PAYLOAD: Self = Self::Did(CARRIED | CARRIED_PAYLOAD);
    /// A UDP datagram that is no DNS message.
    pub(super) const DATAGRAM: Self = Self::Did(SENT_DATAGRAM);
    /// A DNS query by the sender.
    pub(super) const ASKS: Self = Self::Did(SENT_DATAGRAM | ASKED);
    /// A DNS response by the sender.
    pub(super) const RESPONDS: Self = Self::Did(SENT_DATAGRAM | RESPONDED);
    /// The sender will send no more (TCP FIN).
    pub(super) const FINISHES: Self = Self::Did(CARRIED | FINISHED);
}

/// One try to open a TCP connection or SCTP association; several where a port pair is used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Opening {
    pub(super) by: End,
    pub(super) number: u32,
    pub(super) first: Timestamp,
    pub(super) is_accepted: bool,
    pub(super) is_rejected: bool,
}

/// What one end was seen to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Deeds {
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    pub(super) last_carried: Timestamp,
    /// The tenths of a second, modulo 64, in which it sent; counted of UDP only.
    pub(super) tenths: u64,
    pub(super) bits: u8,
}

const CARRIED_PAYLOAD: u8 = 1;
const ASKED: u8 = 1 << 1;
const RESPONDED: u8 = 1 << 2;
pub(super) const WAS_UNDELIVERABLE: u8 = 1 << 3;
pub(super) const RESET: u8 = 1 << 4;
const FINISHED: u8 = 1 << 5;
pub(super) const SENT_DATAGRAM: u8 = 1 << 6;
/// Whether there is a `last_carried`. A flow file has only that; of the others it has the words, in this order.
pub(super) const CARRIED: u8 = 1 << 7;

impl Deeds {
    const NONE: Self = Self { first: Timestamp::MAX, last: Timestamp::MIN, last_carried: Timestamp::MIN, tenths: 0, bits: 0 };

    const fn did(&self, bits: u8) -> bool {
        self.bits & bits != 0
    }

    fn merge(&mut self, other: Self) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.last_carried = self.last_carried.max(other.last_carried);
        self.tenths |= other.tenths;
        self.bits |= other.bits;
    }
}

/// The tenth of a second, modulo 64, as [`Deeds`] count it.
#[inline]
pub(super) const fn tenth(at: Timestamp) -> u64 {
    1 << at.0.div_euclid(SECOND / 10).rem_euclid(64)
}

/// What may come of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// Nothing but an attempt that failed.
    Attempt,
    /// Something that one side did: one-way datagrams count when they are repeated.
    OneSided,
    /// A connection.
    Answered,
}

/// The facts of the packets between two endpoints, none further from the next than the protocol's silence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Conversation {
    pub(super) span: Span,
    pub(super) deeds: [Deeds; 2],
    pub(super) openings: Vec<Opening>,
}

impl Conversation {
    /// More openings than this on one pair of ports within one conversation are a flood, not reuse; the rest is left out.
    const OPENINGS: usize = 64;

    pub(super) const fn new(at: Timestamp) -> Self {
        Self { span: Span::at(at), deeds: [Deeds::NONE; 2], openings: Vec::new() }
    }

    pub(super) const fn span(&self) -> Span {
        self.span
    }

    /// Adds what a packet of `end` at `at` says, and tells whether that is more than a later time. The order of calls does not
    /// matter.
    pub(super) fn add(&mut self, at: Timestamp, end: End, fact: Fact) -> bool {
        self.span = self.span.merge(Span::at(at));
        let mut is_news = false;
        let bits = match fact {
            Fact::Opens(number) => {
                is_news = self.opening(end, number, at, false, false);
                0
            }
            Fact::Accepts(number) => {
                is_news = self.opening(end.opposite(), number, at, true, false);
                0
            }
            Fact::Rejects(number) => {
                is_news = self.opening(end.opposite(), number, at, false, true);
                RESET
            }
            Fact::Undeliverable => {
                // The quoting error is not a packet of this end: it must not count as its first or last.
                let deeds = &mut self.deeds[end as usize];
                let is_news = !deeds.did(WAS_UNDELIVERABLE);
                deeds.bits |= WAS_UNDELIVERABLE;
                return is_news;
            }
            Fact::Did(bits) => bits,
        };
        let last_carried = if bits & CARRIED != 0 { at } else { Timestamp::MIN };
        let tenths = tenth(at);
        let deeds = &mut self.deeds[end as usize];
        is_news |= bits & !deeds.bits != 0;
        let is_repetition = is_repetition(bits, tenths, deeds);
        deeds.merge(Deeds { first: at, last: at, last_carried, tenths, bits });
        is_news || is_repetition && !self.is_answered()
    }

    /// Whether that was not known yet.
    fn opening(&mut self, by: End, number: u32, at: Timestamp, is_accepted: bool, is_rejected: bool) -> bool {
        if let Some(opening) = self.openings.iter_mut().find(|opening| opening.by == by && opening.number == number) {
            let is_news = is_accepted && !opening.is_accepted || is_rejected && !opening.is_rejected;
            opening.first = opening.first.min(at);
            opening.is_accepted |= is_accepted;
            opening.is_rejected |= is_rejected;
            return is_news;
        }
        if is_accepted && self.openings.len() >= Self::OPENINGS {
            // One that came to something is worth more than one that did not.
            let failed = self.openings.iter().position(|opening| !opening.is_accepted);
            failed.map(|position| self.openings.swap_remove(position));
        }
        let has_room = self.openings.len() < Self::OPENINGS;
        if has_room {
            // Mostly there is one, and a list's usual first room is for four.
            self.openings.reserve_exact(usize::from(self.openings.is_empty()));
            self.openings.push(Opening { by, number, first: at, is_accepted, is_rejected });
        }
        has_room
    }

    /// Takes over the facts of another conversation of the same endpoints.
    pub(super) fn merge(&mut self, other: Self) {
        self.span = self.span.merge(other.span);
        for (mine, theirs) in self.deeds.iter_mut().zip(other.deeds) {
            mine.merge(theirs);
        }
        for opening in other.openings {
            self.opening(opening.by, opening.number, opening.first, opening.is_accepted, opening.is_rejected);
        }
    }

    /// The facts, in the form of a flow file.
    pub(super) fn record(&self, key: &FlowKey) -> record::Conversation {
        let (first, last) = (self.span.first(), self.span.last());
        let after = |at: Timestamp| After::between(first, at);
        let end = |end: End| {
            let deeds = &self.deeds[end as usize];
            let Endpoint { address, port } = key.endpoint(end);
            let is_heard = deeds.first <= deeds.last;
            record::End {
                address,
                port,
                heard: is_heard.then(|| [after(deeds.first), after(deeds.last)]),
                carried: deeds.did(CARRIED).then(|| after(deeds.last_carried)),
                did: record::Deeds(deeds.bits & !CARRIED),
                tenths: if key.protocol() == Protocol::Udp { deeds.tenths } else { 0 },
            }
        };
        let opening = |opening: &Opening| record::Opening {
            by: opening.by as u8,
            number: opening.number,
            after: after(opening.first),
            accepted: opening.is_accepted,
            rejected: opening.is_rejected,
        };
        record::Conversation {
            protocol: key.protocol(),
            first,
            last: self.deeds.iter().all(|deeds| deeds.last < last).then(|| after(last)),
            ends: [end(End::Low), end(End::High)],
            openings: self.openings.iter().map(opening).collect(),
        }
    }

    /// The facts of a record.
    pub(super) fn from_record(record: &record::Conversation) -> (FlowKey, Self) {
        let [one, other] = &record.ends;
        // Whoever wrote it may not have unmapped its addresses.
        let (key, end_of_one) = FlowKey::of(unmapped(one.endpoint()), unmapped(other.endpoint()), record.protocol);
        let time = |after: After| after.to_time(record.first);
        let mut conversation = Self::new(record.first);
        conversation.span = Span::between(record.first, time(record.last()));
        for (recorded, end) in [(one, end_of_one), (other, end_of_one.opposite())] {
            let deeds = &mut conversation.deeds[end as usize];
            if let Some([one, other]) = recorded.heard {
                let heard = Span::between(time(one), time(other));
                (deeds.first, deeds.last) = (heard.first(), heard.last());
            }
            (deeds.tenths, deeds.bits) = (recorded.tenths, recorded.did.0);
            if let Some(carried) = recorded.carried {
                deeds.last_carried = time(carried);
                deeds.bits |= CARRIED;
            }
        }
        for opening in &record.openings {
            let by = if opening.by == 0 { end_of_one } else { end_of_one.opposite() };
            conversation.opening(by, opening.number, time(opening.after), opening.accepted, opening.rejected);
        }
        (key, conversation)
    }

    /// What may come of it: it is given up in this order when memory runs out.
    pub(super) fn standing(&self) -> Standing {
        let is_accepted = self.openings.iter().any(|opening| opening.is_accepted);
        standing(self.bits(), !self.openings.is_empty(), is_accepted)
    }

    const fn bits(&self) -> [u8; 2] {
        let [low, high] = &self.deeds;
        [low.bits, high.bits]
    }

    /// Whether there was an answer, as far as one side alone can show it.
    pub(super) fn is_answered(&self) -> bool {
        self.standing() == Standing::Answered
    }

    /// Whether nothing more is to come: both ends finished, or one reset. Not told of ports that are used again: the end may be
    /// that of the connection before.
    pub(super) fn is_over(&self) -> bool {
        self.openings.len() <= 1 && is_over(self.bits())
    }

    /// An attempt that got no answer: by whom, at whom, when.
    pub(super) fn attempt(&self, key: &FlowKey) -> Attempt {
        let [low, high] = &self.deeds;
        let opened = self.openings.first().map(|opening| opening.by);
        let by = opened.unwrap_or(if low.first <= high.first { End::Low } else { End::High });
        let responder = key.endpoint(by.opposite()).address;
        Attempt { originator: key.endpoint(by).address, responder, span: self.span }
    }

    /// Adds the flows that the facts add up to.
    pub(super) fn flows(mut self, key: &FlowKey, flows: &mut Vec<Flow>) {
        if key.protocol() == Protocol::Udp {
            flows.extend(self.datagrams(key));
            return;
        }
        if self.openings.is_empty() {
            flows.extend(self.mid_stream(key));
            return;
        }
        self.openings.sort_by_key(|opening| (opening.first, opening.by, opening.number));
        let ends = self.openings.iter().skip(1).map(|next| next.first).chain([self.span.last()]);
        let openings = self.openings.iter().zip(ends).enumerate();
        flows.extend(openings.map(|(position, (opening, end))| {
            // What was carried after the other side had opened may be carried on the other's connection.
            let is_last_word = self.openings[position..].iter().all(|later| later.by == opening.by);
            Self::flow(key, opening.by, Span::between(opening.first, end), self.outcome(opening, is_last_word))
                .opened(key.protocol(), opening.number)
        }));
    }

    fn flow(key: &FlowKey, originator: End, span: Span, outcome: Outcome) -> Flow {
        Flow {
            span,
            protocol: key.protocol(),
            originator: key.endpoint(originator),
            responder: key.endpoint(originator.opposite()),
            outcome,
            direction: DirectionEvidence::LowerPort,
            opening: None,
        }
    }

    /// A connection is answered when its opening was accepted, or when either end later sent what only an established connection
    /// carries: that shows the answer even where a tap saw one direction only.
    fn outcome(&self, opening: &Opening, is_last_word: bool) -> Outcome {
        let originator = &self.deeds[opening.by as usize];
        let responder = &self.deeds[opening.by.opposite() as usize];
        let is_established = is_last_word && [originator, responder].iter().any(|deeds| deeds.last_carried >= opening.first);
        if opening.is_accepted || (is_established && !opening.is_rejected) {
            Outcome::Answered
        } else if opening.is_rejected || responder.did(RESET) || originator.did(WAS_UNDELIVERABLE) {
            Outcome::Refused
        } else {
            Outcome::Unanswered
        }
    }

    /// A TCP connection or SCTP association that was under way when the capture began. Payload is sent by established
    /// connections only, so one direction with payload is enough; without payload both ends must have taken part.
    fn mid_stream(&self, key: &FlowKey) -> Option<Flow> {
        let [low, high] = &self.deeds;
        let has_payload = low.did(CARRIED_PAYLOAD) || high.did(CARRIED_PAYLOAD);
        let was_refused = self.deeds.iter().any(|deeds| deeds.did(RESET | WAS_UNDELIVERABLE));
        let outcome = match (low.did(CARRIED), high.did(CARRIED)) {
            (true, true) => Outcome::Answered,
            (false, false) => return None,
            _ if was_refused => Outcome::Refused,
            _ if has_payload => Outcome::Answered,
            _ => Outcome::Unanswered,
        };
        let (low_port, high_port) = (key.endpoint(End::Low).port, key.endpoint(End::High).port);
        let originator = if low_port < high_port { End::High } else { End::Low };
        Some(Self::flow(key, originator, self.span, outcome))
    }

    fn datagrams(&self, key: &FlowKey) -> Option<Flow> {
        let [low, high] = &self.deeds;
        let (heard_low, heard_high) = (low.did(SENT_DATAGRAM), high.did(SENT_DATAGRAM));
        if !heard_low && !heard_high {
            return None;
        }
        let (originator, direction) = match (low.did(ASKED) || high.did(RESPONDED), high.did(ASKED) || low.did(RESPONDED)) {
            (true, false) => (End::Low, DirectionEvidence::DnsHeader),
            (false, true) => (End::High, DirectionEvidence::DnsHeader),
            // At the same instant the higher port is taken for the caller's, so that order does not matter.
            _ if low.first == high.first && key.endpoint(End::Low).port < key.endpoint(End::High).port => {
                (End::High, DirectionEvidence::LowerPort)
            }
            _ if low.first <= high.first => (End::Low, DirectionEvidence::FirstPacket),
            _ => (End::High, DirectionEvidence::FirstPacket),
        };
        let caller = &self.deeds[originator as usize];
        let outcome = if heard_low && heard_high || self.deeds.iter().any(|deeds| deeds.did(RESPONDED)) {
            Outcome::Answered
        } else if caller.did(WAS_UNDELIVERABLE) {
            Outcome::Refused
        } else if direction == DirectionEvidence::DnsHeader {
            // A question without an answer is no one-way protocol.
            Outcome::Unanswered
        } else {
            Outcome::OneWay { moments: moments(caller) }
        };
        let flow = Self::flow(key, originator, self.span, outcome);
        Some(Flow { direction, ..flow })
    }
}

impl Flow {
    fn opened(self, protocol: Protocol, number: u32) -> Self {
        let direction = if protocol == Protocol::Sctp { DirectionEvidence::SctpInit } else { DirectionEvidence::Syn };
        Self { direction, opening: Some(number), ..self }
    }
}

/// What may come of a conversation whose ends did these things.
pub(super) const fn standing([low, high]: [u8; 2], has_opening: bool, is_accepted: bool) -> Standing {
    const PART: u8 = CARRIED | SENT_DATAGRAM;
    let did = low | high;
    let is_established = did & CARRIED_PAYLOAD != 0 || did & CARRIED != 0 && has_opening;
    if is_accepted || is_established || did & RESPONDED != 0 || low & PART != 0 && high & PART != 0 {
        Standing::Answered
    } else if did & PART != 0 {
        Standing::OneSided
    } else {
        Standing::Attempt
    }
}

/// Whether both ends finished, or one reset.
pub(super) const fn is_over([low, high]: [u8; 2]) -> bool {
    (low | high) & RESET != 0 || low & high & FINISHED != 0
}

/// Whether a datagram in this tenth of a second is a repetition that counts, of datagrams that nobody answers.
pub(super) fn is_repetition(bits: u8, tenths: u64, before: &Deeds) -> bool {
    bits == SENT_DATAGRAM && tenths & !before.tenths != 0 && moments(before) < ENOUGH_MOMENTS
}

/// IPv4 addresses as such.
fn unmapped(endpoint: Endpoint) -> Endpoint {
    Endpoint { address: endpoint.address.to_canonical(), ..endpoint }
}

/// Repetition, as [`Outcome::OneWay`] counts it: runs of tenths of a second with sendings, those with a pause between them
/// apart. A sending at the edge of two tenths is one run, so several taps do not multiply it.
fn moments(deeds: &Deeds) -> u8 {
    let by_length = match deeds.last.since(deeds.first) {
        ..SECOND => 1,
        SECOND..10_000_000_000 => 3,
        _ => 4,
    };
    let beginnings = deeds.tenths & !deeds.tenths.rotate_left(1);
    let runs = u8::try_from(beginnings.count_ones()).unwrap_or(u8::MAX);
    runs.max(by_length)
}

/// From here on, more moments change nothing that is made of them.
const ENOUGH_MOMENTS: u8 = 8;
