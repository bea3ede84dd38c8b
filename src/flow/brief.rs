//! A conversation in few bytes: the usual ones, of which there may be a million.
//!
//! It holds the same facts as a [`Conversation`] and takes in the usual ones itself; what it cannot hold (a second opening, an ICMP
//! error from outside its span, times out of order around an opening) it leaves to the whole form. Nothing is lost either way.

use crate::model::{Protocol, Span, Timestamp};

use super::conversation::{
    CARRIED, Conversation, Deeds, Fact, Opening, RESET, SENT_DATAGRAM, Standing, WAS_UNDELIVERABLE, is_over, is_repetition,
    standing, tenth,
};
use super::key::End;
use super::patience::LEAST_SILENCE;

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
pub(super) struct Brief {
    parts: [Part; 2],
    /// Of the opening.
    number: u32,
    bits: [u8; 2],
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

impl Brief {
    /// Nothing yet.
    pub(super) const NONE: Self = Self {
        parts: [Part { first: Timestamp::MAX, last: Timestamp::MIN, third: 0 }; 2],
        number: 0,
        bits: [0; 2],
        opening: 0,
        state: 0,
    };

    /// The conversation that begins with a packet of `end` at `at`, if this form can hold it.
    #[inline]
    pub(super) fn begun(protocol: Protocol, at: Timestamp, end: End, fact: Fact) -> Option<Self> {
        let mut brief = Self::NONE;
        if protocol != Protocol::Udp {
            brief.parts.iter_mut().for_each(|part| part.third = Timestamp::MIN.0);
        }
        // Otherwise it would be no packet's time.
        if fact == Fact::Undeliverable {
            return None;
        }
        brief.take(protocol, at, end, fact).map(|_| brief)
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
    pub(super) fn add(&mut self, protocol: Protocol, silence: i64, at: Timestamp, end: End, fact: Fact) -> Option<bool> {
        if at.since(self.last()) > silence || self.first().since(at) > silence {
            return None;
        }
        self.take(protocol, at, end, fact)
    }

    /// Adds deeds that come after all else and before any silence is long. False if they do not, and nothing has changed then.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it is done for nearly every packet")]
    pub(super) fn go_on(&mut self, at: Timestamp, end: End, deeds: u8) -> bool {
        let last = self.last();
        if at < last || at.after(last) > LEAST_SILENCE {
            return false;
        }
        let part = &mut self.parts[end as usize];
        part.first = part.first.min(at);
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
    fn take(&mut self, protocol: Protocol, at: Timestamp, end: End, fact: Fact) -> Option<bool> {
        let here = end as usize;
        // An opening's time is told by one of the ends' first packets.
        let moves_opening =
            self.opening & OPENED != 0 && at < self.parts[here].first && (self.opening & AT_HIGH != 0) == (end == End::High);
        if moves_opening {
            return None;
        }
        let mut is_news = false;
        let bits = match fact {
            Fact::Opens(number) => {
                is_news = self.open(at, end, end, number, 0)?;
                0
            }
            Fact::Accepts(number) => {
                is_news = self.open(at, end, end.opposite(), number, ACCEPTED)?;
                0
            }
            Fact::Rejects(number) => {
                is_news = self.open(at, end, end.opposite(), number, REJECTED)?;
                RESET
            }
            Fact::Undeliverable => {
                if at < self.first() || at > self.last() {
                    return None;
                }
                let is_news = self.bits[here] & WAS_UNDELIVERABLE == 0;
                self.bits[here] |= WAS_UNDELIVERABLE;
                return Some(is_news);
            }
            Fact::Did(bits) => bits,
        };
        is_news |= bits & !self.bits[here] != 0;
        if protocol == Protocol::Udp {
            let tenths = tenth(at);
            let is_repetition = is_repetition(bits, tenths, &self.deeds(protocol, end));
            self.parts[here].third |= tenths.cast_signed();
            self.mark(here, at, bits);
            return Some(is_news || is_repetition && self.standing() != Standing::Answered);
        }
        if bits & CARRIED != 0 {
            self.parts[here].third = self.parts[here].third.max(at.0);
        }
        self.mark(here, at, bits);
        Some(is_news)
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

    const fn deeds(&self, protocol: Protocol, end: End) -> Deeds {
        let Part { first, last, third } = self.parts[end as usize];
        let bits = self.bits[end as usize];
        match protocol {
            Protocol::Udp => Deeds { first, last, last_carried: Timestamp::MIN, tenths: third.cast_unsigned(), bits },
            Protocol::Tcp | Protocol::Sctp => Deeds { first, last, last_carried: Timestamp(third), tenths: 0, bits },
        }
    }

    /// As [`Conversation::standing`].
    pub(super) const fn standing(&self) -> Standing {
        standing(self.bits, self.opening & OPENED != 0, self.opening & ACCEPTED != 0)
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
                is_accepted: self.opening & ACCEPTED != 0,
                is_rejected: self.opening & REJECTED != 0,
            });
        }
        Conversation { span: Span::between(self.first(), self.last()), deeds, openings }
    }

    /// The brief form, if it can hold the conversation.
    pub(super) fn of(protocol: Protocol, conversation: &Conversation) -> Option<Self> {
        let mut brief = Self::NONE;
        for (here, deeds) in conversation.deeds.iter().enumerate() {
            let Deeds { first, last, last_carried, tenths, bits } = *deeds;
            let third = if protocol == Protocol::Udp { tenths.cast_signed() } else { last_carried.0 };
            brief.parts[here] = Part { first, last, third };
            brief.bits[here] = bits;
        }
        match conversation.openings.as_slice() {
            [] => {}
            [opening] => {
                let by_high = if opening.by == End::High { BY_HIGH } else { 0 };
                let at_high = if opening.first == brief.parts[0].first { 0 } else { AT_HIGH };
                let became = (u8::from(opening.is_accepted) * ACCEPTED) | (u8::from(opening.is_rejected) * REJECTED);
                brief.number = opening.number;
                brief.opening = OPENED | by_high | at_high | became;
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
            prop_oneof![4 => Just(Fact::DATAGRAM), 1 => Just(Fact::ASKS), 1 => Just(Fact::RESPONDS), 1 => Just(Fact::Undeliverable)]
                .boxed()
        } else {
            prop_oneof![
                number.clone().prop_map(Fact::Opens),
                number.clone().prop_map(Fact::Accepts),
                number.prop_map(Fact::Rejects),
                Just(Fact::RESETS),
                Just(Fact::CARRIES),
                Just(Fact::CARRIES_PAYLOAD),
                Just(Fact::FINISHES),
                Just(Fact::Undeliverable),
            ]
            .boxed()
        }
    }

    /// Mostly in order, close together, some at the same time.
    fn any_facts() -> impl Strategy<Value = (Protocol, Vec<(i64, End, Fact)>)> {
        let protocol = prop_oneof![Just(Protocol::Tcp), Just(Protocol::Udp), Just(Protocol::Sctp)];
        protocol.prop_flat_map(|protocol| {
            let end = prop_oneof![Just(End::Low), Just(End::High)];
            let step = prop_oneof![3 => 0i64..3, 1 => -5i64..20];
            let facts = proptest::collection::vec((step, end, any_fact(protocol)), 1..14).prop_map(|facts| {
                let mut at = 1000;
                let moved = facts.into_iter().map(|(step, end, fact)| {
                    at += step * 50_000_000;
                    (at, end, fact)
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
            let (first, end, fact) = facts[0];
            let mut whole = Conversation::new(Timestamp(first));
            whole.add(Timestamp(first), end, fact);
            let mut brief = Brief::begun(protocol, Timestamp(first), end, fact);
            for (at, end, fact) in &facts[1..] {
                if let Some(known) = &brief {
                    prop_assert_eq!(known.whole(protocol), plain(protocol, &whole));
                    prop_assert_eq!((known.standing(), known.is_over()), (whole.standing(), whole.is_over()));
                }
                let before = brief;
                let is_news = whole.add(Timestamp(*at), *end, *fact);
                let told = brief.as_mut().and_then(|brief| brief.add(protocol, 120 * SECOND, Timestamp(*at), *end, *fact));
                if let (Some(mut short), Fact::Did(deeds)) = (before, *fact) {
                    let has_gone_on = short.go_on(Timestamp(*at), *end, deeds);
                    prop_assert_eq!(Some(short), if has_gone_on { brief } else { before });
                    prop_assert!(!has_gone_on || told.is_some(), "the short way leads where the long one does");
                }
                if let Some(told) = told {
                    prop_assert_eq!(told, is_news);
                } else {
                    prop_assert_eq!(brief, before, "what is not taken in changes nothing");
                    brief = Brief::of(protocol, &whole);
                }
            }
            if let Some(brief) = brief {
                prop_assert_eq!(brief.whole(protocol), plain(protocol, &whole));
            }
        }
    }
}
