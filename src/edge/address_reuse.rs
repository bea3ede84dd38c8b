//! What one of two pods did while an address went from one to the other, bounded in number.
//!
//! What is kept does not depend on the order in which connections come.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Code, Findings};

use super::link::Link;

/// Connections of which it cannot be told whose they were.
#[derive(Debug, Default)]
pub(super) struct PassedOn {
    /// By address and what was done: how often, and the edges that it would have been of either.
    doubtful: BTreeMap<(String, String), (u64, BTreeSet<Link>)>,
    /// Those that found no room.
    beyond: u64,
}

impl PassedOn {
    /// Kept apart.
    const MOST: usize = 20_000;

    pub(super) fn add(&mut self, subject: String, message: String, links: impl Iterator<Item = Link>) {
        let (count, known) = self.doubtful.entry((subject, message)).or_default();
        *count += 1;
        known.extend(links);
        if self.doubtful.len() > Self::MOST
            && let Some((_, (count, _))) = self.doubtful.pop_last()
        {
            self.beyond += count;
        }
    }

    /// What is to be said of them. Whose it was does not matter where both did what `worked` at other times: a rule allows it.
    pub(super) fn findings(self, worked: impl Fn(Link) -> bool) -> Findings {
        let mut findings = Findings::default();
        for ((subject, message), (count, links)) in self.doubtful {
            if links.is_empty() || !links.into_iter().all(&worked) {
                findings.add_many(Code::AddressReused, subject, message, count);
            }
        }
        let message = format!("in number, beyond the first {}", Self::MOST);
        findings.add_many(Code::AddressReused, "further connections", message, self.beyond);
        findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_comes_first_the_same_is_kept() {
        let told = |numbers: &mut dyn Iterator<Item = u32>| {
            let mut passed_on = PassedOn::default();
            numbers.for_each(|number| passed_on.add(format!("{number:06}"), "called".to_owned(), std::iter::empty()));
            passed_on.findings(|_| true)
        };
        let forward = told(&mut (0..25_000));
        assert_eq!(forward, told(&mut (0..25_000).rev()));
        assert_eq!(forward.sorted().iter().map(|finding| finding.count).sum::<u64>(), 25_000, "all are counted");
    }
}
