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

    /// Counts those of the attempts that belong to a scan or flood, and tells for each whether it did.
    pub(super) fn fold(&mut self, attempts: &[Attempt]) -> Vec<bool> {
        let mut pairs: HashMap<(IpAddr, IpAddr), usize> = HashMap::new();
        let mut originators: HashMap<IpAddr, usize> = HashMap::new();
        let mut responders: HashMap<IpAddr, usize> = HashMap::new();
        for attempt in attempts {
            *pairs.entry((attempt.originator, attempt.responder)).or_default() += 1;
            *originators.entry(attempt.originator).or_default() += 1;
            *responders.entry(attempt.responder).or_default() += 1;
        }
        let is_many = |count: Option<&usize>| count.is_some_and(|count| *count >= Self::MANY);
        let mut is_folded = Vec::with_capacity(attempts.len());
        for &Attempt { originator, responder, span } in attempts {
            let ends = if is_many(pairs.get(&(originator, responder))) {
                Some((Some(originator), Some(responder)))
            } else if is_many(originators.get(&originator)) {
                Some((Some(originator), None))
            } else if is_many(responders.get(&responder)) {
                Some((None, Some(responder)))
            } else {
                None
            };
            if let Some((originator, responder)) = ends {
                self.add(originator, responder, 1, span);
            }
            is_folded.push(ends.is_some());
        }
        is_folded
    }
}
