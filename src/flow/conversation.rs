//! The facts of one conversation, and the flows they add up to.

use std::num::NonZeroU32;

use crate::model::{Beginning, DirectionEvidence, Endpoint, Flow, Outcome, Protocol, Span, Speaker, Timestamp};

use super::beginning::Beginnings;
use super::fact::{ASKED, CARRIED, FINISHED, Fact, GAVE, RESET, RESPONDED, SENT_DATAGRAM, Stamp, WAS_UNDELIVERABLE};
use super::floods::Attempt;
use super::key::{End, FlowKey};
use super::order::Order;
use super::origins::{EndOrigins, note};
use super::record::After;
use super::{SECOND, record};

/// One try to open a TCP connection or SCTP association; several where a port pair is used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Opening {
    pub(super) by: End,
    pub(super) number: u32,
    pub(super) first: Timestamp,
    /// What the other end sent to be acknowledged when it accepted; the least, if it did so several times.
    pub(super) answer: Option<u32>,
    pub(super) is_rejected: bool,
}

/// What one end was seen to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EndpointFlags {
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    pub(super) last_carried: Timestamp,
    /// The tenths of a second, modulo 64, in which it sent; counted of UDP only.
    pub(super) tenths: u64,
    pub(super) bits: u8,
}

impl EndpointFlags {
    const NONE: Self = Self { first: Timestamp::MAX, last: Timestamp::MIN, last_carried: Timestamp::MIN, tenths: 0, bits: 0 };

    const fn did(&self, bits: u8) -> bool {
        self.bits & bits != 0
    }

    fn is_heard(&self) -> bool {
        self.first <= self.last
    }

    /// Whether somebody said so of a packet that was seen.
    fn was_undeliverable(&self) -> bool {
        self.did(WAS_UNDELIVERABLE) && self.is_heard()
    }

    fn merge(&mut self, other: Self) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.last_carried = self.last_carried.max(other.last_carried);
        self.tenths |= other.tenths;
        self.bits |= other.bits;
    }
}

/// The tenth of a second, modulo 64, as [`EndpointFlags`] count it.
#[inline]
pub(super) const fn tenth(at: Timestamp) -> u64 {
    1 << at.0.div_euclid(SECOND / 10).rem_euclid(64)
}

/// Of which end it may still matter what it acknowledges: of one that opened, until there is no doubt that it got the answer.
#[inline]
pub(super) const fn watched([low, high]: [u8; 2], has_opened: [bool; 2]) -> [bool; 2] {
    let (low_carried, high_carried) = (low & CARRIED != 0, high & CARRIED != 0);
    let (low_gave, high_gave) = (low_carried && low & GAVE != 0, high_carried && high & GAVE != 0);
    match has_opened {
        [true, true] => [false, false],
        [true, false] => [!(low_carried && high_gave), false],
        [false, true] => [false, !(high_carried && low_gave)],
        [false, false] => [!(low_gave && high_gave); 2],
    }
}

/// The number of the input in which something was seen first, after another packet.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "there are fewer inputs")]
pub(super) const fn first_input(known: u16, stamp: Stamp) -> u16 {
    if known == 0 { (stamp.input as u16).saturating_add(1) } else { known }
}

/// What may come of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ConnectionState {
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
    pub(super) deeds: [EndpointFlags; 2],
    pub(super) openings: Vec<Opening>,
    pub(super) order: Order,
    /// The least number that an end acknowledges, as long as that [matters](watched). Wrong only where numbers begin anew at 0.
    pub(super) acknowledged: [Option<u32>; 2],
    /// Of each end.
    pub(super) origins: [EndOrigins; 2],
    /// The first two that said that packets could not be delivered.
    pub(super) refusers: EndOrigins,
    /// As a flow has it.
    pub(super) input: u16,
}

impl Conversation {
    /// More openings than this on one pair of ports within one conversation are a flood, not reuse; the rest is left out.
    const OPENINGS: usize = 64;

    pub(super) const fn new(at: Timestamp) -> Self {
        Self {
            span: Span::at(at),
            deeds: [EndpointFlags::NONE; 2],
            openings: Vec::new(),
            order: Order::NONE,
            acknowledged: [None; 2],
            origins: [[0; 2]; 2],
            refusers: [0; 2],
            input: 0,
        }
    }

    pub(super) const fn span(&self) -> Span {
        self.span
    }

    /// Adds what a packet of `end` at `at` says, and tells whether that is more than a later time. The order of calls does not
    /// matter.
    pub(super) fn add(&mut self, stamp: Stamp, end: End, fact: Fact) -> bool {
        let at = stamp.at;
        self.span = self.span.merge(Span::at(at));
        let mut is_news = false;
        let mut acknowledges = None;
        let bits = match fact {
            Fact::Opens(number) => {
                is_news = self.opening(end, number, at, None, false);
                0
            }
            Fact::Accepts(number, answer) => {
                is_news = self.opening(end.opposite(), number, at, Some(answer), false);
                0
            }
            Fact::Rejects(number) => {
                is_news = self.opening(end.opposite(), number, at, None, true);
                RESET
            }
            Fact::Breaks(number) => {
                acknowledges = Some(number);
                RESET
            }
            Fact::Undeliverable(refuser) => {
                // The quoting error is not a packet of this end: it must not count as its first or last.
                let deeds = &mut self.deeds[end as usize];
                let (was_known, before) = (deeds.did(WAS_UNDELIVERABLE), self.refusers);
                deeds.bits |= WAS_UNDELIVERABLE;
                note(&mut self.refusers, refuser);
                return !was_known || self.refusers != before;
            }
            Fact::Did(bits, number) => {
                acknowledges = (bits & CARRIED != 0).then_some(number);
                bits
            }
        };
        if bits & SENT_DATAGRAM != 0 {
            let [low, high] = &self.deeds;
            self.order.take(stamp, end, low.first.min(high.first), self.deeds[end as usize].first);
        }
        note(&mut self.origins[end as usize], stamp.origin);
        self.input = first_input(self.input, stamp);
        let last_carried = if bits & CARRIED != 0 { at } else { Timestamp::MIN };
        let tenths = tenth(at);
        let deeds = &mut self.deeds[end as usize];
        is_news |= bits & !deeds.bits != 0;
        let is_repetition = is_repetition(bits, tenths, deeds);
        deeds.merge(EndpointFlags { first: at, last: at, last_carried, tenths, bits });
        let before = self.acknowledged[end as usize];
        self.acknowledged[end as usize] = least(before, acknowledges);
        self.forget_acknowledged();
        let after = self.acknowledged[end as usize];
        is_news |= after.is_some() && after != before;
        is_news || is_repetition && !self.is_answered()
    }

    /// Whether that was not known yet.
    fn opening(&mut self, by: End, number: u32, at: Timestamp, answer: Option<u32>, is_rejected: bool) -> bool {
        if let Some(opening) = self.openings.iter_mut().find(|opening| opening.by == by && opening.number == number) {
            let answer = least(opening.answer, answer);
            let is_news = answer != opening.answer || is_rejected && !opening.is_rejected;
            opening.first = opening.first.min(at);
            opening.answer = answer;
            opening.is_rejected |= is_rejected;
            return is_news;
        }
        if answer.is_some() && self.openings.len() >= Self::OPENINGS {
            // One that came to something is worth more than one that did not.
            let failed = self.openings.iter().position(|opening| opening.answer.is_none());
            failed.map(|position| self.openings.swap_remove(position));
        }
        let has_room = self.openings.len() < Self::OPENINGS;
        if has_room {
            // Mostly there is one, and a list's usual first room is for four.
            self.openings.reserve_exact(usize::from(self.openings.is_empty()));
            self.openings.push(Opening { by, number, first: at, answer, is_rejected });
        }
        has_room
    }

    /// Where more is known, the numbers say nothing.
    fn forget_acknowledged(&mut self) {
        let has_opened = [End::Low, End::High].map(|end| self.openings.iter().any(|opening| opening.by == end));
        let watched = watched(self.bits(), has_opened);
        for (number, is_watched) in self.acknowledged.iter_mut().zip(watched) {
            *number = number.filter(|_| is_watched);
        }
    }

    /// Takes over the facts of another conversation of the same endpoints, of packets that came later.
    pub(super) fn merge(&mut self, other: Self) {
        self.span = self.span.merge(other.span);
        let firsts = |deeds: &[EndpointFlags; 2]| [deeds[0].first, deeds[1].first];
        self.order.merge(other.order, firsts(&self.deeds), firsts(&other.deeds));
        for (mine, theirs) in self.acknowledged.iter_mut().zip(other.acknowledged) {
            *mine = least(*mine, theirs);
        }
        for (mine, theirs) in self.deeds.iter_mut().zip(other.deeds) {
            mine.merge(theirs);
        }
        for (mine, theirs) in self.origins.iter_mut().zip(other.origins) {
            for origin in theirs {
                note(mine, origin);
            }
        }
        self.input = if self.input == 0 { other.input } else { self.input };
        for refuser in other.refusers {
            note(&mut self.refusers, refuser);
        }
        for opening in other.openings {
            self.opening(opening.by, opening.number, opening.first, opening.answer, opening.is_rejected);
        }
        self.forget_acknowledged();
    }

    /// The facts, in the form of a flow file.
    pub(super) fn record(&self, key: &FlowKey) -> record::Conversation {
        let (first, last) = (self.span.first(), self.span.last());
        let after = |at: Timestamp| After::between(first, at);
        let end = |end: End| {
            let deeds = &self.deeds[end as usize];
            let Endpoint { address, port } = key.endpoint(end);
            let is_heard = deeds.is_heard();
            record::End {
                address,
                port,
                heard: is_heard.then(|| [after(deeds.first), after(deeds.last)]),
                carried: deeds.did(CARRIED).then(|| after(deeds.last_carried)),
                acknowledges: self.acknowledged[end as usize],
                did: record::EndpointFlags(deeds.bits & !CARRIED),
                tenths: if key.protocol() == Protocol::Udp { deeds.tenths } else { 0 },
                stations: Vec::new(),
            }
        };
        let opening = |opening: &Opening| record::Opening {
            by: opening.by as u8,
            number: opening.number,
            after: after(opening.first),
            answer: opening.answer,
            rejected: opening.is_rejected,
        };
        record::Conversation {
            protocol: key.protocol(),
            first,
            last: self.deeds.iter().all(|deeds| deeds.last < last).then(|| after(last)),
            ends: [end(End::Low), end(End::High)],
            openings: self.openings.iter().map(opening).collect(),
            ordered: self.order.decided,
            tunnels: Vec::new(),
            refused_by: Vec::new(),
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
            conversation.acknowledged[end as usize] = recorded.acknowledges;
            if let Some(carried) = recorded.carried {
                deeds.last_carried = time(carried);
                deeds.bits |= CARRIED;
            }
        }
        for opening in &record.openings {
            let by = if opening.by == 0 { end_of_one } else { end_of_one.opposite() };
            conversation.opening(by, opening.number, time(opening.after), opening.answer, opening.rejected);
        }
        conversation.forget_acknowledged();
        let [low, high] = &conversation.deeds;
        let has_order = record.protocol == Protocol::Udp && low.first == high.first;
        let of_ends = if end_of_one == End::Low { record.ordered } else { record.ordered >> 1 | record.ordered << 1 };
        conversation.order = Order {
            by: if high.first < low.first { End::High } else { End::Low },
            decided: if has_order { of_ends & 3 } else { 0 },
            ..Order::NONE
        };
        (key, conversation)
    }

    /// What may come of it: it is given up in this order when memory runs out.
    pub(super) fn standing(&self) -> ConnectionState {
        let is_accepted = self.openings.iter().any(|opening| opening.answer.is_some());
        let is_acknowledged = self.openings.iter().any(|opening| self.is_acknowledged(opening));
        standing(self.bits(), is_accepted, is_acknowledged)
    }

    /// Whether whoever opened acknowledged the answer, by its number.
    fn is_acknowledged(&self, opening: &Opening) -> bool {
        opening.answer.is_some() && opening.answer == self.acknowledged[opening.by as usize]
    }

    const fn bits(&self) -> [u8; 2] {
        let [low, high] = &self.deeds;
        [low.bits, high.bits]
    }

    /// Whether there was an answer, as far as one side alone can show it.
    pub(super) fn is_answered(&self) -> bool {
        self.standing() == ConnectionState::Answered
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
    pub(super) fn flows(self, key: &FlowKey, beginnings: &Beginnings, flows: &mut Vec<Flow>) {
        if self.refusers == [0; 2] {
            return self.all_flows(key, beginnings, flows);
        }
        let (mut unrefused, from) = (self.clone(), flows.len());
        unrefused.forget_errors();
        self.all_flows(key, beginnings, flows);
        let mut others = Vec::new();
        unrefused.all_flows(key, beginnings, &mut others);
        for (flow, other) in flows[from..].iter_mut().zip(others) {
            flow.unrefused = other.outcome;
        }
    }

    /// As if nobody had said that packets could not be delivered.
    pub(super) fn forget_errors(&mut self) {
        self.deeds.iter_mut().for_each(|deeds| deeds.bits &= !WAS_UNDELIVERABLE);
    }

    fn all_flows(mut self, key: &FlowKey, beginnings: &Beginnings, flows: &mut Vec<Flow>) {
        if key.protocol() == Protocol::Udp {
            flows.extend(self.datagrams(key, beginnings));
            return;
        }
        if self.openings.is_empty() {
            flows.extend(self.mid_stream(key));
            return;
        }
        self.openings.sort_by_key(|opening| (opening.first, opening.by, opening.number));
        let ends = self.openings.iter().skip(1).map(|next| next.first).chain([self.span.last()]);
        let openings = self.openings.iter().zip(ends).enumerate().filter(|(_, (opening, _))| !self.is_fast_open(key, opening));
        flows.extend(openings.map(|(position, (opening, end))| {
            // What was carried after the other side had opened may be carried on the other's connection.
            let is_last_word = self.openings[position..].iter().all(|later| later.by == opening.by);
            self.flow(key, opening.by, Span::between(opening.first, end), self.outcome(key.protocol(), opening, is_last_word))
                .opened(key.protocol(), opening.number, opening.answer.or(self.acknowledged[opening.by as usize]))
        }));
    }

    /// Whether the opening carried data, and was accepted with it: the same opening then has another number too (RFC 7413).
    fn is_fast_open(&self, key: &FlowKey, opening: &Opening) -> bool {
        const MOST_DATA: u32 = 65_535;
        let accepts_more = |other: &Opening| {
            let more = other.number.wrapping_sub(opening.number);
            other.by == opening.by && other.answer.is_some() && (1..=MOST_DATA).contains(&more)
        };
        key.protocol() == Protocol::Tcp && opening.answer.is_none() && self.openings.iter().any(accepts_more)
    }

    fn flow(&self, key: &FlowKey, originator: End, span: Span, outcome: Outcome) -> Flow {
        Flow {
            span,
            protocol: key.protocol(),
            originator: key.endpoint(originator),
            responder: key.endpoint(originator.opposite()),
            outcome,
            direction: DirectionEvidence::LowerPort,
            beginning: Beginning::Unknown,
            opening: None,
            answer: None,
            origins: [originator, originator.opposite()].map(|end| self.origins[end as usize]),
            input: self.input,
            refusers: self.refusers,
            unrefused: outcome,
            moments: 0,
        }
    }

    /// A connection is answered when both sides spoke: the opening was accepted, and whoever opened acknowledged that. A kernel
    /// accepts for any forged SYN; only who got its answer can acknowledge the number in it (RFC 9293, section 3.5), and only who was
    /// acknowledged gets to send data. Where the answer was not captured, both sides must have sent what only an established connection
    /// carries.
    ///
    /// Wrong where the only acknowledgment was not captured and the responder never sends any data. An SCTP association is there with
    /// the COOKIE ACK, which is the first thing that the responder sends behind INIT ACK (RFC 9260, section 5.1).
    fn outcome(&self, protocol: Protocol, opening: &Opening, is_last_word: bool) -> Outcome {
        let originator = &self.deeds[opening.by as usize];
        let responder = &self.deeds[opening.by.opposite() as usize];
        if opening.answer.is_some() {
            let is_exchange = originator.did(CARRIED) && responder.did(CARRIED) && responder.did(GAVE);
            return match () {
                () if is_exchange || protocol == Protocol::Tcp && self.is_acknowledged(opening) => Outcome::Answered,
                () if originator.is_heard() => Outcome::HalfOpen { was_reset: originator.did(RESET) },
                () => Outcome::OneSided(Speaker::Responder),
            };
        }
        // What belongs to a connection that the other end opened shows nothing of this one.
        let is_other = |other: &Opening| other.by != opening.by && other.answer.is_some();
        let counts = is_last_word && !opening.is_rejected && !self.openings.iter().any(is_other);
        let carried = |deeds: &EndpointFlags| counts && deeds.did(CARRIED) && deeds.last_carried >= opening.first;
        match (carried(originator), carried(responder)) {
            (true, true) => Outcome::Answered,
            _ if opening.is_rejected || responder.did(RESET) || originator.was_undeliverable() => Outcome::Refused,
            (true, false) => Outcome::OneSided(Speaker::Originator),
            (false, true) => Outcome::OneSided(Speaker::Responder),
            (false, false) => Outcome::Unanswered,
        }
    }

    /// A TCP connection or SCTP association that was under way when the capture began. It is answered where both ends were seen: to
    /// a segment of no connection a kernel answers with a reset.
    fn mid_stream(&self, key: &FlowKey) -> Option<Flow> {
        let [low, high] = &self.deeds;
        let was_refused = self.deeds.iter().any(|deeds| deeds.did(RESET) || deeds.was_undeliverable());
        let (low_port, high_port) = (key.endpoint(End::Low).port, key.endpoint(End::High).port);
        let originator = if low_port < high_port { End::High } else { End::Low };
        let outcome = match (low.did(CARRIED), high.did(CARRIED)) {
            (true, true) => Outcome::Answered,
            (false, false) => return None,
            _ if was_refused => Outcome::Refused,
            _ if self.deeds[originator as usize].did(CARRIED) => Outcome::OneSided(Speaker::Originator),
            _ => Outcome::OneSided(Speaker::Responder),
        };
        Some(self.flow(key, originator, self.span, outcome))
    }

    fn datagrams(&self, key: &FlowKey, beginnings: &Beginnings) -> Option<Flow> {
        let [low, high] = &self.deeds;
        let (heard_low, heard_high) = (low.did(SENT_DATAGRAM), high.did(SENT_DATAGRAM));
        if !heard_low && !heard_high {
            return None;
        }
        let (originator, direction) = match (low.did(ASKED) || high.did(RESPONDED), high.did(ASKED) || low.did(RESPONDED)) {
            (true, false) => (End::Low, DirectionEvidence::DnsHeader),
            (false, true) => (End::High, DirectionEvidence::DnsHeader),
            _ if low.first < high.first => (End::Low, DirectionEvidence::FirstPacket),
            _ if high.first < low.first => (End::High, DirectionEvidence::FirstPacket),
            _ => match self.order.first() {
                Some(first) => (first, DirectionEvidence::FirstPacket),
                // Nothing says who was first: the higher port is taken for the client's.
                None if key.endpoint(End::Low).port < key.endpoint(End::High).port => (End::High, DirectionEvidence::LowerPort),
                None => (End::Low, DirectionEvidence::LowerPort),
            },
        };
        let caller = &self.deeds[originator as usize];
        let responder = &self.deeds[originator.opposite() as usize];
        let moments = moments(caller);
        let outcome = if heard_low && heard_high && responder.last >= caller.first {
            Outcome::Answered
        } else if !caller.did(SENT_DATAGRAM) {
            // An answer that nobody asked for, as far as was seen.
            Outcome::OneSided(Speaker::Responder)
        } else if caller.was_undeliverable() {
            Outcome::Refused
        } else if direction == DirectionEvidence::DnsHeader {
            // A question without an answer is no one-way protocol.
            Outcome::Unanswered
        } else {
            Outcome::OneWay { moments }
        };
        let first = low.first.min(high.first);
        let beginning = beginnings.of(first, low.last.max(high.last), low.tenths | high.tenths);
        let flow = self.flow(key, originator, self.span, outcome);
        Some(Flow { direction, beginning, moments, ..flow })
    }
}

impl Flow {
    fn opened(self, protocol: Protocol, number: u32, answer: Option<u32>) -> Self {
        let direction = if protocol == Protocol::Sctp { DirectionEvidence::SctpInit } else { DirectionEvidence::Syn };
        let answer = answer.and_then(NonZeroU32::new);
        Self { direction, beginning: Beginning::Seen, opening: Some(number), answer, ..self }
    }
}

/// What may come of a conversation whose ends did these things.
pub(super) const fn standing([low, high]: [u8; 2], is_accepted: bool, is_acknowledged: bool) -> ConnectionState {
    const PART: u8 = CARRIED | SENT_DATAGRAM;
    if is_acknowledged || low & PART != 0 && high & PART != 0 {
        ConnectionState::Answered
    } else if is_accepted || (low | high) & PART != 0 {
        ConnectionState::OneSided
    } else {
        ConnectionState::Attempt
    }
}

/// The lesser of two numbers, as far as there are any.
#[inline]
pub(super) fn least(one: Option<u32>, other: Option<u32>) -> Option<u32> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// Whether both ends finished, or one reset.
pub(super) const fn is_over([low, high]: [u8; 2]) -> bool {
    (low | high) & RESET != 0 || low & high & FINISHED != 0
}

/// Whether a datagram in this tenth of a second is a repetition that counts, of datagrams that nobody answers.
pub(super) fn is_repetition(bits: u8, tenths: u64, before: &EndpointFlags) -> bool {
    bits == SENT_DATAGRAM && tenths & !before.tenths != 0 && moments(before) < ENOUGH_MOMENTS
}

/// IPv4 addresses as such.
fn unmapped(endpoint: Endpoint) -> Endpoint {
    Endpoint { address: endpoint.address.to_canonical(), ..endpoint }
}

/// Repetition, as [`Outcome::OneWay`] counts it: runs of tenths of a second with sendings, those with a pause between them
/// apart. A sending at the edge of two tenths is one run, so several taps do not multiply it.
fn moments(deeds: &EndpointFlags) -> u8 {
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
