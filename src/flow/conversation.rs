//! The facts of one conversation, and the flows they add up to.

use crate::model::{Beginning, DirectionEvidence, Endpoint, Flow, Outcome, Protocol, Span, Timestamp};

use super::beginning::Beginnings;
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
    /// Anything else that the sender did, as its [deeds](Deeds) have it, with the acknowledgment number of a TCP segment.
    Did(u8, u32),
}

/// When a packet came, and in which input.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamp {
    pub(super) at: Timestamp,
    pub(super) input: u32,
}

impl From<Timestamp> for Stamp {
    fn from(at: Timestamp) -> Self {
        Self { at, input: 0 }
    }
}

impl Fact {
    /// A reset or ABORT of the sender that does not say what it answers.
    pub(super) const RESETS: Self = Self::Did(RESET, 0);
    /// A UDP datagram that is no DNS message.
    pub(super) const DATAGRAM: Self = Self::Did(SENT_DATAGRAM, 0);
    /// A DNS query by the sender.
    pub(super) const ASKS: Self = Self::Did(SENT_DATAGRAM | ASKED, 0);
    /// A DNS response by the sender.
    pub(super) const RESPONDS: Self = Self::Did(SENT_DATAGRAM | RESPONDED, 0);

    /// A segment that only an established connection carries, with or without payload.
    #[inline]
    pub(super) const fn carries(payload_length: u32, acknowledgment: u32) -> Self {
        let payload = if payload_length > 0 { CARRIED_PAYLOAD } else { 0 };
        Self::Did(CARRIED | payload, acknowledgment)
    }

    /// The sender will send no more (TCP FIN).
    #[inline]
    pub(super) const fn finishes(acknowledgment: u32) -> Self {
        Self::Did(CARRIED | FINISHED, acknowledgment)
    }
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

/// Who of two ends that spoke first at the same instant did so in the order of an input. Kept of UDP only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Order {
    /// The input of the packet that came first at that instant; [`Order::NO_INPUT`] where that is not known any more.
    pub(super) input: u32,
    /// Who sent it.
    pub(super) by: End,
    /// Which of the ends was first in an input that has both of them: one bit for each.
    pub(super) decided: u8,
}

impl Order {
    /// No packet comes from there.
    pub(super) const NO_INPUT: u32 = u32::MAX;
    pub(super) const NONE: Self = Self { input: Self::NO_INPUT, by: End::Low, decided: 0 };

    /// Takes in a datagram. `first` is the first instant so far, `own` the sender's.
    #[inline]
    pub(super) fn take(&mut self, Stamp { at, input }: Stamp, end: End, first: Timestamp, own: Timestamp) {
        if at < first {
            *self = Self { input, by: end, decided: 0 };
        } else if at == first && own > at && input == self.input {
            self.decided |= self.by.bit();
        }
    }

    /// Takes over what another conversation of the same endpoints knows, whose packets came later, if not in time.
    fn merge(&mut self, other: Self, mine: [Timestamp; 2], theirs: [Timestamp; 2]) {
        let (first, other_first) = (mine[0].min(mine[1]), theirs[0].min(theirs[1]));
        if other_first < first {
            *self = other;
        } else if other_first == first {
            let is_at = |times: [Timestamp; 2], end: End| times[end as usize] == first;
            let is_new = !is_at(mine, self.by.opposite()) && is_at(theirs, self.by.opposite()) && !is_at(theirs, self.by);
            if is_new && self.input == other.input && self.input != Self::NO_INPUT {
                self.decided |= self.by.bit();
            }
            self.decided |= other.decided;
        }
    }

    /// Who was first, if all inputs that have both agree.
    const fn first(self) -> Option<End> {
        match self.decided {
            1 => Some(End::Low),
            2 => Some(End::High),
            _ => None,
        }
    }
}

/// Acknowledgment numbers of a connection of which nothing but segments of one end has been seen, and not its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Acknowledged {
    /// The one that was seen.
    pub(super) number: Option<u32>,
    /// Whether another one was seen too: the end that was not seen has sent something.
    pub(super) has_moved: bool,
}

impl Acknowledged {
    /// Takes in a number, and tells whether there was another one before.
    pub(super) fn take(&mut self, number: u32) -> bool {
        let is_news = !self.has_moved && self.number.is_some_and(|known| known != number);
        if is_news {
            *self = Self { number: None, has_moved: true };
        } else if !self.has_moved {
            self.number = Some(number);
        }
        is_news
    }

    fn merge(&mut self, other: Self) {
        if other.has_moved {
            *self = other;
        } else if let Some(number) = other.number {
            self.take(number);
        }
    }
}

/// Whether segments of one end are all that was seen of a connection.
#[inline]
pub(super) const fn is_half_seen([low, high]: [u8; 2], has_opening: bool) -> bool {
    !has_opening && (low ^ high) & CARRIED != 0
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
    pub(super) order: Order,
    pub(super) acknowledged: Acknowledged,
}

impl Conversation {
    /// More openings than this on one pair of ports within one conversation are a flood, not reuse; the rest is left out.
    const OPENINGS: usize = 64;

    pub(super) const fn new(at: Timestamp) -> Self {
        let acknowledged = Acknowledged { number: None, has_moved: false };
        Self { span: Span::at(at), deeds: [Deeds::NONE; 2], openings: Vec::new(), order: Order::NONE, acknowledged }
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
        let mut acknowledges = 0;
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
            Fact::Did(bits, number) => {
                acknowledges = number;
                bits
            }
        };
        if bits & SENT_DATAGRAM != 0 {
            let [low, high] = &self.deeds;
            self.order.take(stamp, end, low.first.min(high.first), self.deeds[end as usize].first);
        }
        let last_carried = if bits & CARRIED != 0 { at } else { Timestamp::MIN };
        let tenths = tenth(at);
        let deeds = &mut self.deeds[end as usize];
        is_news |= bits & !deeds.bits != 0;
        let is_repetition = is_repetition(bits, tenths, deeds);
        deeds.merge(Deeds { first: at, last: at, last_carried, tenths, bits });
        if bits & CARRIED != 0 && self.is_half_seen() {
            is_news |= self.acknowledged.take(acknowledges);
        } else {
            self.forget_acknowledged();
        }
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

    fn is_half_seen(&self) -> bool {
        is_half_seen(self.bits(), !self.openings.is_empty())
    }

    /// Where more is known, the numbers say nothing.
    fn forget_acknowledged(&mut self) {
        if !self.is_half_seen() {
            self.acknowledged = Acknowledged::default();
        }
    }

    /// Takes over the facts of another conversation of the same endpoints, of packets that came later.
    pub(super) fn merge(&mut self, other: Self) {
        self.span = self.span.merge(other.span);
        let firsts = |deeds: &[Deeds; 2]| [deeds[0].first, deeds[1].first];
        self.order.merge(other.order, firsts(&self.deeds), firsts(&other.deeds));
        self.acknowledged.merge(other.acknowledged);
        for (mine, theirs) in self.deeds.iter_mut().zip(other.deeds) {
            mine.merge(theirs);
        }
        for opening in other.openings {
            self.opening(opening.by, opening.number, opening.first, opening.is_accepted, opening.is_rejected);
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
            acknowledgment: self.acknowledged.number,
            acknowledged: self.acknowledged.has_moved,
            ordered: self.order.decided,
            tunnels: Vec::new(),
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
        conversation.acknowledged = Acknowledged { number: record.acknowledgment, has_moved: record.acknowledged };
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
    pub(super) fn standing(&self) -> Standing {
        let is_accepted = self.openings.iter().any(|opening| opening.is_accepted);
        standing(self.bits(), !self.openings.is_empty(), is_accepted, self.acknowledged.has_moved)
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
    pub(super) fn flows(mut self, key: &FlowKey, beginnings: &Beginnings, flows: &mut Vec<Flow>) {
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
            beginning: Beginning::Unknown,
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

    /// A TCP connection or SCTP association that was under way when the capture began. It is answered where both ends were seen, or
    /// where the numbers that one end acknowledges show that the other has sent something. Wrong where one end is not seen and sends
    /// nothing but acknowledgments: an upload looks like a segment to nobody.
    fn mid_stream(&self, key: &FlowKey) -> Option<Flow> {
        let [low, high] = &self.deeds;
        let was_refused = self.deeds.iter().any(|deeds| deeds.did(RESET | WAS_UNDELIVERABLE));
        let outcome = match (low.did(CARRIED), high.did(CARRIED)) {
            (true, true) => Outcome::Answered,
            (false, false) => return None,
            _ if was_refused => Outcome::Refused,
            _ if self.acknowledged.has_moved => Outcome::Answered,
            _ => Outcome::Unanswered,
        };
        let (low_port, high_port) = (key.endpoint(End::Low).port, key.endpoint(End::High).port);
        let originator = if low_port < high_port { End::High } else { End::Low };
        Some(Self::flow(key, originator, self.span, outcome))
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
        let first = low.first.min(high.first);
        let beginning = beginnings.of(first, low.last.max(high.last), low.tenths | high.tenths);
        let flow = Self::flow(key, originator, self.span, outcome);
        Some(Flow { direction, beginning, ..flow })
    }
}

impl Flow {
    fn opened(self, protocol: Protocol, number: u32) -> Self {
        let direction = if protocol == Protocol::Sctp { DirectionEvidence::SctpInit } else { DirectionEvidence::Syn };
        Self { direction, beginning: Beginning::Seen, opening: Some(number), ..self }
    }
}

/// What may come of a conversation whose ends did these things.
pub(super) const fn standing([low, high]: [u8; 2], has_opening: bool, is_accepted: bool, is_acknowledged: bool) -> Standing {
    const PART: u8 = CARRIED | SENT_DATAGRAM;
    let did = low | high;
    let is_established = did & CARRIED != 0 && (has_opening || is_acknowledged);
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
