//! A conversation in few bytes: the usual ones, of which there may be a million.
//!
//! It holds the same facts as a [`Conversation`] and takes in the usual ones itself; what it cannot hold (a second opening, an ICMP
//! error from outside its span, times out of order around an opening) it leaves to the whole form. Nothing is lost either way.

use crate::model::{Protocol, Span, Timestamp};

use super::conversation::{
    ConnectionState, Conversation, EndpointFlags, Opening, first_input, is_over, is_repetition, least, standing, tenth, watched,
};
use super::fact::{CARRIED, Fact, RESET, SENT_DATAGRAM, Stamp};
use super::key::End;
use super::order::Order;
use super::origins::{EndOrigins, note};
use super::timeouts::LEAST_SILENCE;

/// What one end did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    first: Timestamp,
    last: Timestamp,
    /// Of TCP and SCTP, the last packet that only an established connection carries; of UDP, the tenths.
    third: i64,
}

/// The facts of a conversation with one opening at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Compact {
    parts: [Part; 2],
    /// Of the opening; of UDP, the input of the first packet; where no opening is known, what the lower end acknowledges.
    number: u32,
    /// What the other end's answer has to be acknowledged with, what whoever opened acknowledges, or both if that is one number; where no
    /// opening is known, what the higher end acknowledges.
    answer: u32,
    /// Of each end.
    origins: [EndOrigins; 2],
    /// As a flow has it.
    input: u16,
    bits: [u8; 2],
    /// What is known of the opening; of UDP, of the [order](Order) of the first packets.
    opening: u8,
    /// For whoever keeps it, who has no other room.
    pub(super) state: u8,
}

/// There is an opening.
const OPENED: u8 = 1;
/// By the higher end.
const BY_HIGH: u8 = 1 << 1;
/// It was first seen at the higher end's first packet, not at the lower's.
const AT_HIGH: u8 = 1 << 2;
const ACCEPTED: u8 = 1 << 3;
const REJECTED: u8 = 1 << 4;
/// There is what whoever opened acknowledges, or where no opening is known, the lower end,
const ACKNOWLEDGES: u8 = 1 << 5;
/// or the higher end.
const HIGH_ACKNOWLEDGES: u8 = 1 << 6;
/// Of UDP: the first packet came from the higher end,
const FIRST_AT_HIGH: u8 = 1 << 5;
/// and what [`Order::decided`] holds, so many bits up.
const DECIDED: u8 = 6;

impl Compact {
    /// Nothing yet.
    pub(super) const NONE: Self = Self {
        parts: [Part { first: Timestamp::MAX, last: Timestamp::MIN, third: 0 }; 2],
        number: 0,
        answer: 0,
        origins: [[0; 2]; 2],
        input: 0,
        bits: [0; 2],
        opening: 0,
        state: 0,
    };

    /// The conversation that begins with a packet of `end` at `at`, if this form can hold it.
    #[inline]
    pub(super) fn begun(protocol: Protocol, stamp: Stamp, end: End, fact: Fact) -> Option<Self> {
        let mut brief = Self::NONE;
        if protocol == Protocol::Udp {
            brief.set_order(Order::NONE);
        } else {
            brief.parts.iter_mut().for_each(|part| part.third = Timestamp::MIN.0);
        }
        // Otherwise it would be no packet's time.
        if let Fact::Undeliverable(_) = fact {
            return None;
        }
        brief.take(protocol, stamp, end, fact).map(|_| {
            note(&mut brief.origins[end as usize], stamp.origin);
            brief.input = first_input(0, stamp);
            brief
        })
    }

    /// The same facts with that state.
    #[inline]
    pub(super) const fn with(self, state: u8) -> Self {
        Self { state, ..self }
    }

    #[inline]
    pub(super) fn first(&self) -> Timestamp {
        self.parts[0].first.min(self.parts[1].first)
    }

    #[inline]
    pub(super) fn last(&self) -> Timestamp {
        self.parts[0].last.max(self.parts[1].last)
    }

    /// Adds what a packet says, as [`Conversation::add`] does, and tells the same. `None` if this form cannot hold it or the packet
    /// comes after a longer silence than that; nothing has changed then.
    #[inline]
    pub(super) fn add(&mut self, protocol: Protocol, silence: i64, stamp: Stamp, end: End, fact: Fact) -> Option<bool> {
        let at = stamp.at;
        if at.since(self.last()) > silence || self.first().since(at) > silence {
            return None;
        }
        let is_news = self.take(protocol, stamp, end, fact)?;
        note(&mut self.origins[end as usize], stamp.origin);
        self.input = first_input(self.input, stamp);
        Some(is_news)
    }

    /// Whether the next segments have to be looked at for what they acknowledge.
    #[inline]
    pub(super) const fn wants_acknowledgments(&self) -> bool {
        let [low, high] = self.bits;
        let [watches_low, watches_high] = watched(self.bits, self.has_opened());
        (low | high) & SENT_DATAGRAM == 0 && (watches_low || watches_high)
    }

    /// Whether these deeds of an end, and what it acknowledges, say nothing new.
    #[inline]
    pub(super) fn knows(&self, end: End, deeds: u8, number: u32) -> bool {
        let is_watched = watched(self.bits, self.has_opened())[end as usize];
        deeds & !self.bits[end as usize] == 0
            && (!is_watched || self.acknowledged()[end as usize].is_some_and(|known| known <= number))
    }

    /// Whether that origin of an end says nothing new.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it is done for nearly every packet")]
    pub(super) const fn knows_origin(&self, end: End, origin: u16) -> bool {
        let [first, second] = self.origins[end as usize];
        first == origin || second != 0 || origin == 0
    }

    /// Adds deeds of an end that was heard before, that come after all else and before any silence is long. False if they do not,
    /// and nothing has changed then. Where [acknowledgments](Self::wants_acknowledgments) count, not without
    /// [looking](Self::knows); nor where an [origin](Self::knows_origin) is new.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it is done for nearly every packet")]
    pub(super) fn go_on(&mut self, at: Timestamp, end: End, deeds: u8) -> bool {
        let last = self.last();
        if at < last || at.after(last) > LEAST_SILENCE {
            return false;
        }
        let part = &mut self.parts[end as usize];
        // Who was first is not settled in passing.
        if part.first > at {
            return false;
        }
        part.last = at;
        if deeds & SENT_DATAGRAM != 0 {
            part.third |= tenth(at).cast_signed();
        } else if deeds & CARRIED != 0 {
            // A flow file may tell of a later one than its last.
            part.third = part.third.max(at.0);
        }
        self.bits[end as usize] |= deeds;
        true
    }

    #[inline]
    fn take(&mut self, protocol: Protocol, stamp: Stamp, end: End, fact: Fact) -> Option<bool> {
        let at = stamp.at;
        let here = end as usize;
        // An opening's time is told by one of the ends' first packets.
        let moves_opening =
            self.opening & OPENED != 0 && at < self.parts[here].first && (self.opening & AT_HIGH != 0) == (end == End::High);
        if moves_opening {
            return None;
        }
        let mut is_news = false;
        let mut next = *self;
        let mut answer = self.answer();
        let mut number_of_sender = None;
        let bits = match fact {
            Fact::Opens(number) => {
                is_news = next.open(at, end, end, number, 0)?;
                0
            }
            Fact::Accepts(number, accepted) => {
                is_news = next.open(at, end, end.opposite(), number, 0)?;
                let before = answer;
                answer = least(answer, Some(accepted));
                is_news |= answer != before;
                0
            }
            Fact::Rejects(number) => {
                is_news = next.open(at, end, end.opposite(), number, REJECTED)?;
                RESET
            }
            Fact::Breaks(number) => {
                number_of_sender = Some(number);
                RESET
            }
            // It matters who said so.
            Fact::Undeliverable(_) => return None,
            Fact::Did(bits, number) => {
                number_of_sender = (bits & CARRIED != 0).then_some(number);
                bits
            }
        };
        is_news |= bits & !self.bits[here] != 0;
        if protocol == Protocol::Udp {
            let mut order = self.order();
            order.take(stamp, end, self.first(), self.parts[here].first);
            self.set_order(order);
            let tenths = tenth(at);
            let is_repetition = is_repetition(bits, tenths, &self.deeds(protocol, end));
            self.parts[here].third |= tenths.cast_signed();
            self.mark(here, at, bits);
            return Some(is_news || is_repetition && self.standing() != ConnectionState::Answered);
        }
        if bits & CARRIED != 0 {
            next.parts[here].third = next.parts[here].third.max(at.0);
        }
        next.mark(here, at, bits);
        let before = self.acknowledged();
        let mut acknowledged = before;
        acknowledged[here] = least(before[here], number_of_sender);
        next.set_numbers(answer, &mut acknowledged)?;
        *self = next;
        Some(is_news || acknowledged[here].is_some() && acknowledged[here] != before[here])
    }

    /// Which ends have opened.
    #[inline]
    const fn has_opened(&self) -> [bool; 2] {
        let (is_opened, by_high) = (self.opening & OPENED != 0, self.opening & BY_HIGH != 0);
        [is_opened && !by_high, is_opened && by_high]
    }

    /// As [`Opening::answer`].
    #[inline]
    fn answer(&self) -> Option<u32> {
        (self.opening & (OPENED | ACCEPTED) == OPENED | ACCEPTED).then_some(self.answer)
    }

    /// As [`Conversation::acknowledged`].
    #[inline]
    fn acknowledged(&self) -> [Option<u32>; 2] {
        let low = (self.opening & ACKNOWLEDGES != 0).then_some(self.number);
        let high = (self.opening & HIGH_ACKNOWLEDGES != 0).then_some(self.answer);
        let of_opener = (self.opening & ACKNOWLEDGES != 0).then_some(self.answer);
        match self.has_opened() {
            [false, false] => [low, high],
            [true, _] => [of_opener, None],
            [_, true] => [None, of_opener],
        }
    }

    /// Keeps these numbers, and forgets of them what the [whole form](Conversation::acknowledged) forgets. `None` if there are too many.
    #[inline]
    fn set_numbers(&mut self, answer: Option<u32>, acknowledged: &mut [Option<u32>; 2]) -> Option<()> {
        let has_opened = self.has_opened();
        for (number, is_watched) in acknowledged.iter_mut().zip(watched(self.bits, has_opened)) {
            *number = number.filter(|_| is_watched);
        }
        let [low, high] = *acknowledged;
        self.opening &= !(ACCEPTED | ACKNOWLEDGES | HIGH_ACKNOWLEDGES);
        if has_opened == [false; 2] {
            self.number = low.unwrap_or_default();
            self.answer = high.unwrap_or_default();
            self.opening |= (u8::from(low.is_some()) * ACKNOWLEDGES) | (u8::from(high.is_some()) * HIGH_ACKNOWLEDGES);
            return Some(());
        }
        let of_opener = low.or(high);
        if answer.is_some() && of_opener.is_some() && answer != of_opener {
            return None;
        }
        self.answer = answer.or(of_opener).unwrap_or_default();
        self.opening |= (u8::from(answer.is_some()) * ACCEPTED) | (u8::from(of_opener.is_some()) * ACKNOWLEDGES);
        Some(())
    }

    /// Of UDP.
    const fn order(&self) -> Order {
        let by = if self.opening & FIRST_AT_HIGH == 0 { End::Low } else { End::High };
        Order { input: self.number, by, decided: self.opening >> DECIDED }
    }

    /// Of UDP.
    fn set_order(&mut self, Order { input, by, decided }: Order) {
        self.number = input;
        self.opening = decided << DECIDED | if by == End::High { FIRST_AT_HIGH } else { 0 };
    }

    #[inline]
    fn mark(&mut self, here: usize, at: Timestamp, bits: u8) {
        let part = &mut self.parts[here];
        part.first = part.first.min(at);
        part.last = part.last.max(at);
        self.bits[here] |= bits;
    }

    /// An opening `by` an end, told by a packet of `end`; tells whether it is news. `None` if it is a second one, or if its time
    /// is not that of the first packet of one of the ends.
    fn open(&mut self, at: Timestamp, end: End, by: End, number: u32, became: u8) -> Option<bool> {
        let by_high = if by == End::High { BY_HIGH } else { 0 };
        if self.opening & OPENED == 0 {
            if at > self.parts[end as usize].first {
                return None;
            }
            // What was acknowledged so far is kept by whoever asks for this.
            self.number = number;
            self.opening = OPENED | by_high | became | if end == End::High { AT_HIGH } else { 0 };
            return Some(true);
        }
        if self.number != number || self.opening & BY_HIGH != by_high || at < self.opened() {
            return None;
        }
        let is_news = became & !self.opening != 0;
        self.opening |= became;
        Some(is_news)
    }

    /// When the opening was first seen.
    const fn opened(&self) -> Timestamp {
        self.parts[if self.opening & AT_HIGH == 0 { 0 } else { 1 }].first
    }

    const fn deeds(&self, protocol: Protocol, end: End) -> EndpointFlags {
        let Part { first, last, third } = self.parts[end as usize];
        let bits = self.bits[end as usize];
        match protocol {
            Protocol::Udp => EndpointFlags { first, last, last_carried: Timestamp::MIN, tenths: third.cast_unsigned(), bits },
            Protocol::Tcp | Protocol::Sctp => EndpointFlags { first, last, last_carried: Timestamp(third), tenths: 0, bits },
        }
    }

    /// As [`Conversation::standing`].
    pub(super) const fn standing(&self) -> ConnectionState {
        // Of UDP, the other bits say something else.
        let is_opened = self.opening & OPENED != 0;
        let is_accepted = is_opened && self.opening & ACCEPTED != 0;
        standing(self.bits, is_accepted, is_accepted && self.opening & ACKNOWLEDGES != 0)
    }

    /// As [`Conversation::is_over`].
    pub(super) const fn is_over(&self) -> bool {
        is_over(self.bits)
    }

    /// The whole form.
    pub(super) fn whole(&self, protocol: Protocol) -> Conversation {
        let deeds = [End::Low, End::High].map(|end| self.deeds(protocol, end));
        let mut openings = Vec::new();
        if self.opening & OPENED != 0 {
            openings.reserve_exact(1);
            openings.push(Opening {
                by: if self.opening & BY_HIGH == 0 { End::Low } else { End::High },
                number: self.number,
                first: self.opened(),
                answer: self.answer(),
                is_rejected: self.opening & REJECTED != 0,
            });
        }
        let (order, acknowledged) = match protocol {
            Protocol::Udp => (self.order(), [None; 2]),
            _ => (Order::NONE, self.acknowledged()),
        };
        let (span, origins) = (Span::between(self.first(), self.last()), self.origins);
        Conversation { span, deeds, openings, order, acknowledged, origins, refusers: [0; 2], input: self.input }
    }

    /// The brief form, if it can hold the conversation.
    pub(super) fn of(protocol: Protocol, conversation: &Conversation) -> Option<Self> {
        let mut brief = Self { origins: conversation.origins, input: conversation.input, ..Self::NONE };
        for (here, deeds) in conversation.deeds.iter().enumerate() {
            let EndpointFlags { first, last, last_carried, tenths, bits } = *deeds;
            let third = if protocol == Protocol::Udp { tenths.cast_signed() } else { last_carried.0 };
            brief.parts[here] = Part { first, last, third };
            brief.bits[here] = bits;
        }
        match conversation.openings.as_slice() {
            [] if protocol == Protocol::Udp => brief.set_order(conversation.order),
            [] => brief.set_numbers(None, &mut { conversation.acknowledged })?,
            [opening] => {
                let by_high = if opening.by == End::High { BY_HIGH } else { 0 };
                let at_high = if opening.first == brief.parts[0].first { 0 } else { AT_HIGH };
                brief.number = opening.number;
                brief.opening = OPENED | by_high | at_high | (u8::from(opening.is_rejected) * REJECTED);
                brief.set_numbers(opening.answer, &mut { conversation.acknowledged })?;
            }
            _ => return None,
        }
        // Flow files may hold what packets never make.
        let is_heard = brief.first() <= brief.last();
        // Tenths of a stream are never asked for.
        let is_same = || {
            let mut whole = brief.whole(protocol);
            if protocol != Protocol::Udp {
                whole.deeds.iter_mut().zip(&conversation.deeds).for_each(|(mine, theirs)| mine.tenths = theirs.tenths);
            }
            whole == *conversation
        };
        (is_heard && is_same()).then_some(brief)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::SECOND;
    use super::*;

    fn any_fact(protocol: Protocol) -> BoxedStrategy<Fact> {
        let number = 0u32..3;
        if protocol == Protocol::Udp {
            prop_oneof![4 => Just(Fact::DATAGRAM), 1 => Just(Fact::ASKS), 1 => Just(Fact::RESPONDS), 1 => Just(Fact::Undeliverable(1))]
                .boxed()
        } else {
            prop_oneof![
                number.clone().prop_map(Fact::Opens),
                (number.clone(), 0u32..3).prop_map(|(number, answer)| Fact::Accepts(number, answer)),
                number.clone().prop_map(Fact::Rejects),
                number.prop_map(Fact::Breaks),
                Just(Fact::RESETS),
                (0u32..2, 0u32..3).prop_map(|(length, number)| Fact::carries(length, number)),
                (0u32..3).prop_map(Fact::finishes),
                Just(Fact::Undeliverable(1)),
            ]
            .boxed()
        }
    }

    /// Mostly in order, close together, some at the same time.
    fn any_facts() -> impl Strategy<Value = (Protocol, Vec<(i64, End, Fact, u32)>)> {
        let protocol = prop_oneof![Just(Protocol::Tcp), Just(Protocol::Udp), Just(Protocol::Sctp)];
        protocol.prop_flat_map(|protocol| {
            let end = prop_oneof![Just(End::Low), Just(End::High)];
            let step = prop_oneof![3 => 0i64..3, 1 => -5i64..20];
            let facts = proptest::collection::vec((step, end, any_fact(protocol), 0u32..2), 1..14).prop_map(|facts| {
                let mut at = 1000;
                let moved = facts.into_iter().map(|(step, end, fact, input)| {
                    at += step * 50_000_000;
                    (at, end, fact, input)
                });
                moved.collect()
            });
            (Just(protocol), facts)
        })
    }

    /// The whole form without what only UDP is asked for.
    fn plain(protocol: Protocol, conversation: &Conversation) -> Conversation {
        let mut plain = conversation.clone();
        if protocol != Protocol::Udp {
            plain.deeds.iter_mut().for_each(|deeds| deeds.tenths = 0);
        }
        plain
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2048))]

        #[test]
        fn both_forms_hold_the_same((protocol, facts) in any_facts()) {
            let stamp = |at: i64, input: u32| Stamp { at: Timestamp(at), input, origin: 0 };
            let (first, end, fact, input) = facts[0];
            let mut whole = Conversation::new(Timestamp(first));
            whole.add(stamp(first, input), end, fact);
            let mut brief = Compact::begun(protocol, stamp(first, input), end, fact);
            for (at, end, fact, input) in &facts[1..] {
                if let Some(known) = &brief {
                    prop_assert_eq!(known.whole(protocol), plain(protocol, &whole));
                    prop_assert_eq!((known.standing(), known.is_over()), (whole.standing(), whole.is_over()));
                }
                let before = brief;
                let is_news = whole.add(stamp(*at, *input), *end, *fact);
                let told = brief.as_mut().and_then(|brief| brief.add(protocol, 120 * SECOND, stamp(*at, *input), *end, *fact));
                if let (Some(mut short), Fact::Did(deeds, number)) = (before, *fact)
                    && (!short.wants_acknowledgments() || short.knows(*end, deeds, number))
                {
                    let has_gone_on = short.go_on(Timestamp(*at), *end, deeds);
                    prop_assert_eq!(Some(short), if has_gone_on { brief } else { before });
                    prop_assert!(!has_gone_on || told.is_some(), "the short way leads where the long one does");
                }
                if let Some(told) = told {
                    prop_assert_eq!(told, is_news);
                } else {
                    prop_assert_eq!(brief, before, "what is not taken in changes nothing");
                    brief = Compact::of(protocol, &whole);
                }
            }
            if let Some(brief) = brief {
                prop_assert_eq!(brief.whole(protocol), plain(protocol, &whole));
            }
        }
    }
}
