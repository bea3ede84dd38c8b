//! Names by which addresses were asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::model::{NameAnswer, Timestamp};

type AskerAndAddress = (IpAddr, IpAddr);
/// When, which name, its time to live in seconds.
type Answer = (Timestamp, String, u32);

/// DNS answers as their askers received them, bounded in number.
#[derive(Clone, Debug, Default)]
pub struct Names {
    answers: BTreeMap<AskerAndAddress, BTreeSet<Answer>>,
    count: usize,
}

impl Names {
    /// More answers than this are not kept: names make policies readable, they decide nothing.
    const CAPACITY: usize = 500_000;
    /// Answers kept for one asker and address; the earliest and the latest matter most, so the middle gives way.
    const PER_PAIR: usize = 64;

    /// Remembers an answer, and tells whether it is one more to be kept.
    pub fn add(&mut self, answer: NameAnswer) -> bool {
        if self.count >= Self::CAPACITY {
            return false;
        }
        let kept = self.answers.entry((answer.asker, answer.address)).or_default();
        let added = (answer.at, answer.name, answer.time_to_live);
        let was_new = kept.insert(added.clone());
        if kept.len() > Self::PER_PAIR {
            let middle = kept.iter().nth(Self::PER_PAIR / 2).cloned();
            let is_other = middle.as_ref() != Some(&added);
            middle.map(|middle| kept.remove(&middle));
            return is_other;
        }
        self.count += usize::from(was_new);
        was_new
    }

    /// All answers, by asker and address, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = NameAnswer> + '_ {
        self.answers.iter().flat_map(|(&(asker, address), answers)| {
            answers.iter().map(move |(at, name, time_to_live)| NameAnswer {
                asker,
                address,
                at: *at,
                name: name.clone(),
                time_to_live: *time_to_live,
            })
        })
    }
}
