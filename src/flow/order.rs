//! Which end of a UDP conversation spoke first, where time does not tell.

use crate::model::Timestamp;

use super::fact::Stamp;
use super::key::End;

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
    pub(super) fn take(&mut self, Stamp { at, input, .. }: Stamp, end: End, first: Timestamp, own: Timestamp) {
        if at < first {
            *self = Self { input, by: end, decided: 0 };
        } else if at == first && own > at && input == self.input {
            self.decided |= self.by.bit();
        }
    }

    /// Takes over what another conversation of the same endpoints knows, whose packets came later, if not in time.
    pub(super) fn merge(&mut self, other: Self, mine: [Timestamp; 2], theirs: [Timestamp; 2]) {
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
    pub(super) const fn first(self) -> Option<End> {
        match self.decided {
            1 => Some(End::Low),
            2 => Some(End::High),
            _ => None,
        }
    }
}
