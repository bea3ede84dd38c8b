//! Scans and floods: attempts without an answer that are too many to be kept apart.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use crate::model::Span;

/// One attempt, as far as floods go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    pub(super) originator: IpAddr,
    pub(super) responder: IpAddr,
    pub(super) span: Span,
}

/// Who, and whom; either absent where that were many.
type Ends = (Option<IpAddr>, Option<IpAddr>);

/// Attempts by who tried and whom, bounded in number.
#[derive(Clone, Debug, Default)]
pub struct Floods {
    counted: BTreeMap<Ends, (u64, Span)>,
}

impl Floods {
    /// So many at a time, by one address or at one, are no program that waits for another to start.
    const MANY: usize = 256;
    /// Different ones kept apart; further ones are counted together.
    const CAPACITY: usize = 1000;

    /// Counts attempts.
    pub fn add(&mut self, originator: Option<IpAddr>, responder: Option<IpAddr>, attempts: u64, span: Span) {
        let mut ends = (originator, responder);
        if self.counted.len() >= Self::CAPACITY && !self.counted.contains_key(&ends) {
            ends = (None, None);
        }
        let (count, seen) = self.counted.entry(ends).or_insert((0, span));
        *count = count.saturating_add(attempts);
        *seen = seen.merge(span);
    }

    /// All of them in order: who, whom, how many attempts, when.
    pub fn iter(&self) -> impl Iterator<Item = (Option<IpAddr>, Option<IpAddr>, u64, Span)> + '_ {
        self.counted.iter().map(|(&(originator, responder), &(count, span))| (originator, responder, count, span))
    }

    /// Counts those of the attempts that belong to a scan or flood, and tells for each whether it did. What one address makes at
    /// one address is told so; of the rest, what one address makes; of the rest, what one address gets.
    pub(super) fn fold(&mut self, attempts: &[Attempt]) -> Vec<bool> {
        let views: [fn(&Attempt) -> Ends; 3] = [
            |attempt| (Some(attempt.originator), Some(attempt.responder)),
            |attempt| (Some(attempt.originator), None),
            |attempt| (None, Some(attempt.responder)),
        ];
        let mut is_folded = vec![false; attempts.len()];
        for view in views {
            let mut counts: HashMap<Ends, usize> = HashMap::new();
            for (attempt, _) in attempts.iter().zip(&is_folded).filter(|(_, is_folded)| !**is_folded) {
                *counts.entry(view(attempt)).or_default() += 1;
            }
            for (attempt, is_folded) in attempts.iter().zip(&mut is_folded).filter(|(_, is_folded)| !**is_folded) {
                let ends = view(attempt);
                if counts.get(&ends).is_some_and(|count| *count >= Self::MANY) {
                    self.add(ends.0, ends.1, 1, attempt.span);
                    *is_folded = true;
                }
            }
        }
        is_folded
    }
}
