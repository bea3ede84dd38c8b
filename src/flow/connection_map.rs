//! Where conversations under way are kept: one after the other in memory, found through an index of eight bytes each.
//!
//! A million look-ups in a table that no cache holds wait for memory a million times. So what many keys will need is asked for first,
//! and looked at when it has come: the processor then waits for many at a time.

use std::collections::BTreeMap;

use crate::model::memory::{advise_hugepages, prefetch};
use crate::model::{Protocol, Timestamp};

use super::compact::Compact;
use super::conversation::{ConnectionState, Conversation};
use super::fact::{Fact, Stamp};
use super::history::History;
use super::key::{End, FlowKey, Packed, Seeds};
use super::recorder::Recorder;
use super::timeouts::patience;

const _: () = assert!(size_of::<Entry<super::key::Narrow>>() <= 88, "a million of them are kept");

/// A conversation in its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<K> {
    key: K,
    /// If it is kept whole: nothing of it holds but the state.
    brief: Compact,
}

/// The flow file does not tell all that is known, and it matters.
const IS_NEWS: u8 = 1;
/// There was a packet since the flow file told.
const IS_TOUCHED: u8 = 1 << 1;
/// It is kept in the whole form.
const IS_WHOLE: u8 = 1 << 2;
/// What the next segments acknowledge may matter.
const WANTS_ACKNOWLEDGMENTS: u8 = 1 << 3;

#[inline]
const fn wanted(brief: &Compact) -> u8 {
    if brief.wants_acknowledgments() { WANTS_ACKNOWLEDGMENTS } else { 0 }
}

/// Conversations with keys of one form.
#[derive(Debug)]
pub(super) struct ConnectionMap<K> {
    seeds: Seeds,
    /// Open addressing with linear probing: the hash and the position plus one; 0 where nothing is.
    index: Vec<u64>,
    kept: Vec<Entry<K>>,
    /// Those that the brief form cannot hold, by position.
    whole: BTreeMap<u32, History>,
    /// What these weigh together.
    weight: usize,
    /// The last packet that the flow file tells of, by position, where one is written.
    told: Option<Vec<Timestamp>>,
    /// So many, from the first one on, are still to be looked at before all have been told.
    untold: usize,
}

/// The position plus one of what may be the conversation that is sought; 0 if there is none.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Candidate(u32);

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Took {
    /// It belongs to the conversation that was found.
    Added,
    /// It begins one.
    Opened,
    /// It must be looked at more closely.
    Nothing,
}

/// A conversation that has been taken out.
pub(super) struct Taken {
    pub(super) chain: History,
    /// Whether there was any packet since the flow file told.
    pub(super) is_touched: bool,
}

impl Taken {
    /// Whether nothing can have come of it but a failed attempt.
    pub(super) fn is_attempt(&self) -> bool {
        self.chain.only().is_some_and(|only| only.standing() == ConnectionState::Attempt)
    }
}

impl<K: Packed> ConnectionMap<K> {
    pub(super) fn new(seeds: Seeds, is_recording: bool) -> Self {
        let told = is_recording.then(Vec::new);
        Self { seeds, index: Vec::new(), kept: Vec::new(), whole: BTreeMap::new(), weight: 0, told, untold: 0 }
    }

    #[inline]
    pub(super) const fn len(&self) -> usize {
        self.kept.len()
    }

    /// Asks for the place in the index where a search for this hash begins.
    #[inline]
    pub(super) fn prefetch(&self, hash: u32) {
        prefetch(&self.index, hash as usize & self.index.len().wrapping_sub(1));
    }

    /// The first position that the index has for this hash, if there is one; asks for what is kept there.
    #[inline]
    pub(super) fn candidate(&self, hash: u32) -> Candidate {
        let mask = self.index.len().wrapping_sub(1);
        let mut place = hash as usize & mask;
        let mut entry = self.index.get(place).copied().unwrap_or_default();
        while entry != 0 && (entry >> 32) as u32 != hash {
            place = (place + 1) & mask;
            entry = self.index[place];
        }
        let candidate = (entry & 0xffff_ffff) as u32;
        let position = (candidate as usize).wrapping_sub(1);
        prefetch(&self.kept, position);
        Candidate(candidate)
    }

    /// Where the key's conversation is, for which the index had this candidate.
    #[inline]
    pub(super) fn confirm(&self, Candidate(candidate): Candidate, key: K, hash: u32) -> Option<usize> {
        let position = (candidate as usize).wrapping_sub(1);
        match self.kept.get(position) {
            Some(slot) if slot.key == key => Some(position),
            // It is another one's, or there was none then, or it has been moved since.
            _ => self.find(key, hash),
        }
    }

    /// Where the key's conversation is.
    pub(super) fn find(&self, key: K, hash: u32) -> Option<usize> {
        if self.index.is_empty() {
            return None;
        }
        let mask = self.index.len() - 1;
        let mut place = hash as usize & mask;
        loop {
            let entry = self.index[place];
            if entry == 0 {
                return None;
            }
            if (entry >> 32) as u32 == hash {
                let position = (entry & 0xffff_ffff) as usize - 1;
                if self.kept[position].key == key {
                    return Some(position);
                }
            }
            place = (place + 1) & mask;
        }
    }

    /// Adds deeds to the conversation that was found, if that is all there is to do: they come after all else, and nobody waits
    /// for news of it.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it is done for nearly every packet")]
    pub(super) fn go_on(&mut self, position: usize, at: Timestamp, origin: u16, end: End, (deeds, number): (u8, u32)) -> bool {
        let brief = &mut self.kept[position].brief;
        brief.state & (IS_WHOLE | IS_NEWS | IS_TOUCHED) == IS_NEWS | IS_TOUCHED
            && (brief.state & WANTS_ACKNOWLEDGMENTS == 0 || brief.knows(end, deeds, number))
            && brief.knows_origin(end, origin)
            && brief.go_on(at, end, deeds)
    }

    /// Adds what a packet says to the conversation that was found, or begins one if there is room.
    #[inline]
    #[expect(clippy::too_many_arguments, reason = "they are one packet")]
    pub(super) fn take(
        &mut self,
        found: Option<usize>,
        (key, hash): (K, u32),
        has_room: bool,
        silence: i64,
        stamp: Stamp,
        end: End,
        fact: Fact,
    ) -> Took {
        let Some(position) = found else {
            return match Compact::begun(key.protocol(), stamp, end, fact) {
                Some(brief) if has_room => {
                    self.insert_brief(key, hash, brief);
                    Took::Opened
                }
                _ => Took::Nothing,
            };
        };
        let slot = &mut self.kept[position];
        if slot.brief.state & IS_WHOLE == 0
            && let Some(is_news) = slot.brief.add(key.protocol(), silence, stamp, end, fact)
        {
            let news = if is_news { IS_NEWS } else { 0 };
            slot.brief.state = slot.brief.state & !WANTS_ACKNOWLEDGMENTS | wanted(&slot.brief) | IS_TOUCHED | news;
            return Took::Added;
        }
        if self.add_whole(position, silence, stamp, end, fact) { Took::Added } else { Took::Nothing }
    }

    #[cold]
    fn add_whole(&mut self, position: usize, silence: i64, stamp: Stamp, end: End, fact: Fact) -> bool {
        let mut chain = self.chain(position);
        let added = chain.add(silence, stamp, end, fact);
        self.keep(position, chain);
        if let Some(is_news) = added {
            self.kept[position].brief.state |= IS_TOUCHED | if is_news { IS_NEWS } else { 0 };
        }
        added.is_some()
    }

    /// Adds facts to the conversation that was found there; returns those that no packet can reach any more.
    pub(super) fn put(&mut self, position: usize, silence: i64, conversation: Conversation) -> Vec<Conversation> {
        let mut chain = self.chain(position);
        let given_up = chain.put(silence, conversation);
        self.keep(position, chain);
        self.kept[position].brief.state |= IS_TOUCHED | IS_NEWS;
        given_up
    }

    /// A new conversation, of a key that is not there.
    pub(super) fn insert(&mut self, key: K, hash: u32, conversation: Conversation) {
        let position = self.insert_brief(key, hash, Compact::NONE);
        self.keep(position, History::new(conversation));
    }

    /// A new conversation, of a key that is not there; returns its place.
    #[inline]
    fn insert_brief(&mut self, key: K, hash: u32, brief: Compact) -> usize {
        if (self.kept.len() + 1) * 2 > self.index.len() {
            self.grow();
        }
        let position = self.kept.len();
        self.kept.push(Entry { key, brief: brief.with(IS_NEWS | IS_TOUCHED | wanted(&brief)) });
        if let Some(told) = &mut self.told {
            told.push(Timestamp::MIN);
        }
        self.enter(hash, position);
        position
    }

    /// Takes out those for which it is said, and hands each on.
    pub(super) fn extract(&mut self, is_meant: impl Fn(Seen<'_>) -> bool, mut take: impl FnMut(&FlowKey, Taken)) {
        let mut meant = Vec::with_capacity(Self::TOGETHER);
        let mut end = self.kept.len();
        while end > 0 {
            let start = end.saturating_sub(Self::TOGETHER);
            // From the last place on: what comes into the place of another has been looked at.
            meant.extend((start..end).rev().filter(|&position| is_meant(self.seen(position))));
            self.prefetch_removal(&meant);
            for position in meant.drain(..) {
                let (key, taken) = self.remove(position);
                take(&key, taken);
            }
            end = start;
        }
    }

    /// Places in the index that are waited for together.
    pub(super) const TOGETHER: usize = 64;

    /// Asks for the places in the index that the [removal](Self::remove) of these positions needs: theirs, and those of the last ones,
    /// which come into their places.
    pub(super) fn prefetch_removal(&self, positions: &[usize]) {
        let last = (0..self.kept.len()).rev().take(positions.len());
        for position in positions.iter().copied().chain(last) {
            self.prefetch(self.kept[position].key.hash(&self.seeds));
        }
    }

    /// Takes out all of them. Memory is given back on the way, for what is made of them needs some.
    pub(super) fn drain(&mut self, mut take: impl FnMut(&FlowKey, Taken)) {
        const AT_ONCE: usize = 32 * 1024;
        self.index = Vec::new();
        while let Some(slot) = self.kept.pop() {
            let (key, taken) = self.taken(self.kept.len(), slot);
            take(&key, taken);
            if self.kept.len().is_multiple_of(AT_ONCE) {
                self.kept.shrink_to_fit();
            }
        }
        self.told.iter_mut().for_each(Vec::clear);
        self.untold = 0;
    }

    /// Every one of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = Seen<'_>> {
        (0..self.kept.len()).map(|position| self.seen(position))
    }

    /// The key of the one at a position.
    pub(super) fn key(&self, position: usize) -> FlowKey {
        self.kept[position].key.key()
    }

    /// Takes the one at a position out; another may come into its place.
    pub(super) fn remove(&mut self, position: usize) -> (FlowKey, Taken) {
        let hash = self.kept[position].key.hash(&self.seeds);
        let place = self.place(hash, position);
        self.vacate(place);
        let last = self.kept.len() - 1;
        if position != last {
            let hash = self.kept[last].key.hash(&self.seeds);
            let place = self.place(hash, last);
            self.index[place] = entry(hash, position);
        }
        let slot = self.kept.swap_remove(position);
        let (key, taken) = self.taken(position, slot);
        if let Some(told) = &mut self.told {
            told.swap_remove(position);
        }
        if let Some(chain) = self.whole.remove(&number(last)) {
            self.whole.insert(number(position), chain);
        }
        (key, taken)
    }

    /// All there are now are to be told.
    pub(super) const fn begin_telling(&mut self) {
        self.untold = self.kept.len();
    }

    /// Whether all have been told that were there at the beginning.
    pub(super) const fn has_told(&self) -> bool {
        self.untold == 0
    }

    /// Tells of every conversation of which there is news, or that was told longer ago than half the time for which its silence is
    /// borne: so whoever reads the file does not take it for over. What nobody answers is told when it is given up: a flood would
    /// fill the disk. Ends when that room, or the recorder's, is used up; another call goes on, whatever was done meanwhile: what takes the place of
    /// another comes from the end, so the last are told first.
    pub(super) fn tell(&mut self, room: &mut usize, recorder: &mut Recorder) {
        self.untold = self.untold.min(self.kept.len());
        while self.untold > 0 && *room > 0 && recorder.has_room() {
            self.untold -= 1;
            let position = self.untold;
            let seen = self.seen(position);
            let told = self.told.as_ref().map_or(Timestamp::MIN, |told| told[position]);
            if seen.is_attempt() {
                continue;
            }
            let (key, last) = (self.key(position), seen.last());
            if self.kept[position].brief.state & IS_NEWS != 0 || last.since(told) >= patience(self.seen(position)) / 2 {
                match self.whole.get(&number(position)) {
                    Some(chain) => chain.iter().for_each(|conversation| recorder.tell(&key, conversation)),
                    None => recorder.tell(&key, &self.kept[position].brief.whole(key.protocol())),
                }
                self.kept[position].brief.state &= !(IS_NEWS | IS_TOUCHED);
                self.told.iter_mut().for_each(|told| told[position] = last);
                *room -= 1;
            }
        }
    }

    fn seen(&self, position: usize) -> Seen<'_> {
        let slot = &self.kept[position];
        let chain = if slot.brief.state & IS_WHOLE == 0 { None } else { self.whole.get(&number(position)) };
        Seen { position, protocol: slot.key.protocol(), brief: &slot.brief, chain }
    }

    fn taken(&mut self, position: usize, slot: Entry<K>) -> (FlowKey, Taken) {
        let chain = self.take_whole(position, &slot.brief);
        let chain = chain.unwrap_or_else(|| History::new(slot.brief.whole(slot.key.protocol())));
        (slot.key.key(), Taken { chain, is_touched: slot.brief.state & IS_TOUCHED != 0 })
    }

    fn chain(&mut self, position: usize) -> History {
        let Entry { key, brief } = self.kept[position];
        self.take_whole(position, &brief).unwrap_or_else(|| History::new(brief.whole(key.protocol())))
    }

    fn take_whole(&mut self, position: usize, brief: &Compact) -> Option<History> {
        let chain = if brief.state & IS_WHOLE == 0 { None } else { self.whole.remove(&number(position)) };
        self.weight -= chain.as_ref().map_or(0, History::weight);
        chain
    }

    /// What the conversations weigh that the brief form cannot hold.
    #[inline]
    pub(super) const fn weight(&self) -> usize {
        self.weight
    }

    /// Each of these with its weight.
    pub(super) fn weights(&self) -> impl Iterator<Item = (usize, Seen<'_>)> {
        self.whole.iter().map(|(position, chain)| (chain.weight(), self.seen(*position as usize)))
    }

    fn keep(&mut self, position: usize, chain: History) {
        let slot = &mut self.kept[position];
        if let Some(brief) = chain.only().and_then(|only| Compact::of(slot.key.protocol(), only)) {
            slot.brief = brief.with(slot.brief.state & !(IS_WHOLE | WANTS_ACKNOWLEDGMENTS) | wanted(&brief));
        } else {
            slot.brief.state |= IS_WHOLE;
            self.weight += chain.weight();
            self.whole.insert(number(position), chain);
        }
    }

    #[cold]
    fn grow(&mut self) {
        self.index = vec![0; (self.index.len() * 2).max(64)];
        advise_hugepages(&self.index);
        self.kept.reserve_exact(self.index.len() / 2 - self.kept.len());
        advise_hugepages(&self.kept);
        for position in 0..self.kept.len() {
            self.enter(self.kept[position].key.hash(&self.seeds), position);
        }
    }

    #[inline]
    fn enter(&mut self, hash: u32, position: usize) {
        let mask = self.index.len() - 1;
        let mut place = hash as usize & mask;
        while self.index[place] != 0 {
            place = (place + 1) & mask;
        }
        self.index[place] = entry(hash, position);
    }

    /// Where in the index a position stands.
    fn place(&self, hash: u32, position: usize) -> usize {
        let mask = self.index.len() - 1;
        let sought = entry(hash, position);
        let mut place = hash as usize & mask;
        while self.index[place] != sought {
            debug_assert_ne!(self.index[place], 0, "what is kept is in the index");
            place = (place + 1) & mask;
        }
        place
    }

    /// Empties a place, and moves up what had to give way to it.
    fn vacate(&mut self, place: usize) {
        let mask = self.index.len() - 1;
        let mut empty = place;
        let mut next = place;
        loop {
            next = (next + 1) & mask;
            let entry = self.index[next];
            if entry == 0 {
                break;
            }
            let home = (entry >> 32) as usize & mask;
            // It may move if that is no further from its home than it is now.
            if (next.wrapping_sub(home) & mask) >= (next.wrapping_sub(empty) & mask) {
                self.index[empty] = entry;
                empty = next;
            }
        }
        self.index[empty] = 0;
    }
}

#[inline]
fn entry(hash: u32, position: usize) -> u64 {
    u64::from(hash) << 32 | u64::from(number(position) + 1)
}

/// A table has less than 2^32 places.
#[inline]
fn number(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

/// A conversation, to be looked at.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) position: usize,
    pub(super) protocol: Protocol,
    brief: &'a Compact,
    chain: Option<&'a History>,
}

impl Seen<'_> {
    /// The last packet.
    pub(super) fn last(&self) -> Timestamp {
        self.chain.map_or_else(|| self.brief.last(), |chain| chain.newest().span().last())
    }

    /// Of the newest.
    pub(super) fn standing(&self) -> ConnectionState {
        self.chain.map_or_else(|| self.brief.standing(), |chain| chain.newest().standing())
    }

    /// Whether the newest is over.
    pub(super) fn is_over(&self) -> bool {
        self.chain.map_or_else(|| self.brief.is_over(), |chain| chain.newest().is_over())
    }

    /// Whether nothing can come of it but a failed attempt.
    pub(super) fn is_attempt(&self) -> bool {
        self.chain.is_none_or(|chain| chain.only().is_some()) && self.standing() == ConnectionState::Attempt
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::super::key::Narrow;
    use super::*;

    fn key(port: u16) -> Narrow {
        Narrow::of((Ipv4Addr::LOCALHOST, port), (Ipv4Addr::BROADCAST, 80), Protocol::Tcp).0
    }

    proptest! {
        /// The index is so full that keys are in the way of each other.
        #[test]
        fn what_is_there_is_found_and_what_is_gone_is_not(steps in proptest::collection::vec((any::<bool>(), 0u16..90, any::<usize>()), 1..300)) {
            let mut slots = ConnectionMap::new(Seeds::random(), false);
            let mut model = BTreeMap::new();
            for (is_new, port, which) in steps {
                let hash = key(port).hash(&slots.seeds);
                if is_new && !model.contains_key(&port) {
                    let brief = Compact::begun(Protocol::Tcp, Timestamp(port.into()).into(), End::Low, Fact::Opens(port.into())).expect("an opening");
                    slots.insert_brief(key(port), hash, brief);
                    model.insert(port, i64::from(port));
                } else if !is_new && slots.len() > 0 {
                    let (gone, taken) = slots.remove(which % slots.len());
                    let expected = model.remove(&gone.endpoint(End::Low).port);
                    prop_assert_eq!(Some(taken.chain.newest().span().last().0), expected);
                }
                prop_assert_eq!(slots.len(), model.len());
                for port in 0..90 {
                    let hash = key(port).hash(&slots.seeds);
                    let found = slots.find(key(port), hash).map(|position| slots.seen(position).last().0);
                    prop_assert_eq!(found, model.get(&port).copied());
                    let candidate = slots.candidate(hash);
                    prop_assert_eq!(slots.confirm(candidate, key(port), hash), slots.find(key(port), hash));
                }
            }
        }
    }
}
