//! Room in a table that is full: which conversations are closed early, and which attempts are folded.

use crate::flow::connection_map::{ConnectionMap, Seen, Taken};
use crate::flow::key::{FlowKey, Narrow};
use crate::flow::timeouts::{Worth, worth};
use crate::model::Timestamp;

use super::FlowTable;

/// What the conversations that have no brief form may weigh, for each that there is room for. Mostly they are few.
pub(super) const WEIGHT: usize = 6;

impl FlowTable {
    /// Closes the heaviest conversations until they weigh an eighth less than they may: those of many openings on one pair of ports,
    /// which cost as much as many conversations and of which one sender can make any number.
    #[cold]
    pub(super) fn lighten(&mut self) {
        let now = self.now;
        let most = self.capacity.saturating_mul(WEIGHT);
        let mut excess = (self.narrow.weight() + self.wide.weight()).saturating_sub(most - most / 8);
        let order = |is_wide| move |(weight, seen): (usize, Seen<'_>)| (weight, is_wide, seen.position, worth(seen, now));
        let heavy = self.narrow.weights().map(order(false)).chain(self.wide.weights().map(order(true)));
        let mut heavy: Vec<(usize, bool, usize, Worth)> = heavy.collect();
        let key = |is_wide: bool, position| if is_wide { self.wide.key(position) } else { self.narrow.key(position) };
        heavy.sort_unstable_by(|&(weight, is_wide, position, _), &(other_weight, is_other_wide, other, _)| {
            let by_key = || key(is_wide, position).cmp(&key(is_other_wide, other));
            other_weight.cmp(&weight).then_with(by_key)
        });
        let count = heavy.iter().position(|(weight, ..)| {
            let is_enough = excess == 0;
            excess = excess.saturating_sub(*weight);
            is_enough
        });
        heavy.truncate(count.unwrap_or(heavy.len()));
        // From the last place on, so that none comes into the place of another that is still to go.
        heavy.sort_unstable_by_key(|&(_, is_wide, position, _)| std::cmp::Reverse((is_wide, position)));
        for (_, is_wide, position, worth) in heavy {
            let (key, taken) = if is_wide { self.wide.remove(position) } else { self.narrow.remove(position) };
            self.count_early(worth, now);
            self.ended.close(&key, taken);
        }
    }

    /// Counts a conversation that is closed early.
    fn count_early(&mut self, worth: Worth, now: Timestamp) {
        match worth {
            Worth::Answered => self.tally.answered_evicted += 1,
            Worth::OneSided => self.tally.unanswered_evicted += 1,
            Worth::Attempt | Worth::Over => return,
        }
        self.ended.beginnings.close_early(now);
    }

    #[cold]
    pub(super) fn make_room_now(&mut self) {
        self.sweep();
        if self.has_room() {
            return;
        }
        self.was_full = true;
        let now = self.now;
        let order = |is_wide| move |seen: Seen<'_>| (worth(seen, now), seen.last(), is_wide, seen.position);
        let candidates = self.narrow.iter().map(order(false)).chain(self.wide.iter().map(order(true)));
        let mut candidates: Vec<(Worth, Timestamp, bool, usize)> = candidates.collect();
        let key = |is_wide: bool, position| if is_wide { self.wide.key(position) } else { self.narrow.key(position) };
        let batch = (self.capacity / 8).max(1);
        candidates.select_nth_unstable_by(
            batch,
            |&(worth, last, is_wide, position), &(other_worth, other_last, is_other_wide, other)| {
                let by_key = || key(is_wide, position).cmp(&key(is_other_wide, other));
                worth.cmp(&other_worth).then(last.cmp(&other_last)).then_with(by_key)
            },
        );
        candidates.truncate(batch);
        // From the last place on, so that none comes into the place of another that is still to go.
        candidates.sort_unstable_by_key(|&(_, _, is_wide, position)| std::cmp::Reverse((is_wide, position)));
        let mut attempts = Vec::new();
        for candidates in candidates.chunks(ConnectionMap::<Narrow>::TOGETHER) {
            let positions = |of_wide| {
                let meant = candidates.iter().filter(move |(_, _, is_wide, _)| *is_wide == of_wide);
                meant.map(|(.., position)| *position).collect::<Vec<usize>>()
            };
            self.narrow.prefetch_removal(&positions(false));
            self.wide.prefetch_removal(&positions(true));
            for &(worth, _, is_wide, position) in candidates {
                let (key, taken) = if is_wide { self.wide.remove(position) } else { self.narrow.remove(position) };
                self.count_early(worth, now);
                if taken.is_attempt() { attempts.push((key, taken)) } else { self.ended.close(&key, taken) }
            }
        }
        self.tally.unanswered_evicted += self.give_up(attempts);
    }

    /// Of a table that was full, the attempts that are left belong to the same scans and floods.
    pub(super) fn fold_all(&mut self) {
        let mut attempts = Vec::new();
        self.narrow.extract(|seen| seen.is_attempt(), |key, taken| attempts.push((*key, taken)));
        self.wide.extract(|seen| seen.is_attempt(), |key, taken| attempts.push((*key, taken)));
        self.give_up(attempts);
    }

    /// Closes attempts, or folds them; returns how many were closed.
    fn give_up(&mut self, slots: Vec<(FlowKey, Taken)>) -> u64 {
        let attempts: Vec<_> = slots.iter().map(|(key, taken)| taken.chain.newest().attempt(key)).collect();
        let is_folded = self.floods.fold(&attempts);
        let mut closed = 0;
        for ((key, taken), is_folded) in slots.into_iter().zip(is_folded) {
            if !is_folded {
                closed += 1;
                self.ended.close(&key, taken);
            }
        }
        closed
    }
}
