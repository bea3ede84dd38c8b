//! Names by which addresses were asked for.

use std::net::IpAddr;

use crate::model::{NameAnswer, SeededMap, Timestamp};

type AskerAndAddress = (IpAddr, IpAddr);
/// When, which name, its time to live in seconds.
type Answer = (Timestamp, Box<str>, u32);

/// DNS answers as their askers received them, bounded in number.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Of each pair in order, each answer once.
    answers: SeededMap<AskerAndAddress, Vec<Answer>>,
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
        let NameAnswer { asker, address, at, name, time_to_live } = answer;
        let kept = self.answers.entry((asker, address)).or_default();
        // Nearly always the latest.
        let order = |known: &Answer| (known.0, &*known.1, known.2).cmp(&(at, &name, time_to_live));
        let place = match kept.last().map(order) {
            None | Some(std::cmp::Ordering::Less) => kept.len(),
            Some(_) => match kept.binary_search_by(order) {
                Ok(_) => return false,
                Err(place) => place,
            },
        };
        kept.insert(place, (at, name.into(), time_to_live));
        if kept.len() > Self::PER_PAIR {
            kept.remove(Self::PER_PAIR / 2);
            return place != Self::PER_PAIR / 2;
        }
        self.count += 1;
        true
    }

    /// All answers, by asker and address, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = NameAnswer> + '_ {
        let mut all: Vec<_> = self.answers.iter().collect();
        all.sort_unstable_by_key(|(pair, _)| *pair);
        all.into_iter().flat_map(|(&(asker, address), answers)| {
            answers.iter().map(move |(at, name, time_to_live)| NameAnswer {
                asker,
                address,
                at: *at,
                name: (**name).into(),
                time_to_live: *time_to_live,
            })
        })
    }
}
