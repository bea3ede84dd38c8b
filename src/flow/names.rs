//! Names by which addresses were asked for.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::model::{Code, Exchange, Findings, NameAnswer, SeededMap, SeededSet, Timestamp};

/// DNS answers as their askers received them, bounded in bytes: in all tunnels together, where they are kept apart by tunnel.
///
/// Each asker has bytes of its own that no other can take, and more from what all share while there is some left. So one that asks
/// for very many names loses names itself, and nobody else does.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// By the number of the tunnels around them, and their address.
    askers: SeededMap<(u16, IpAddr), Asker>,
    /// Bytes that askers use beyond their own.
    shared: usize,
    /// How many answers were dropped, by asker.
    dropped: BTreeMap<IpAddr, u64>,
}

/// What one asker was told.
#[derive(Clone, Debug, Default)]
struct Asker {
    names: SeededSet<Arc<str>>,
    /// Of each address in order, each answer once.
    answers: SeededMap<IpAddr, Vec<Answer>>,
    bytes: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Answer {
    at: Timestamp,
    name: Arc<str>,
    /// In seconds.
    time_to_live: u32,
    exchange: Option<Exchange>,
}

impl Names {
    /// Bytes of each asker's own: a hundred addresses or so.
    const OWN: usize = 16 << 10;
    /// Bytes of one asker in all: some ten thousand addresses.
    const PER_ASKER: usize = 2 << 20;
    /// Bytes that all askers share beyond their own.
    const SHARED: usize = 64 << 20;
    /// Askers that are kept. A cluster has fewer pods on one network; forged addresses have no end.
    const ASKERS: usize = 16_384;
    /// Answers kept for one asker and address; the earliest and the latest matter most, so the middle gives way.
    const PER_PAIR: usize = 64;
    /// Askers of which is told that answers were dropped.
    const TOLD: usize = 1_000;

    /// Remembers an answer, and tells whether it is one more to be kept.
    pub fn add(&mut self, answer: NameAnswer) -> bool {
        self.add_inside(answer, 0)
    }

    /// The same for an asker in the tunnels of that number.
    pub(super) fn add_inside(&mut self, answer: NameAnswer, context: u16) -> bool {
        let NameAnswer { asker: address_of_asker, address, at, name, time_to_live, exchange } = answer;
        let key = (context, address_of_asker);
        let is_full = self.askers.len() >= Self::ASKERS && !self.askers.contains_key(&key);
        if is_full {
            self.drop_one(address_of_asker);
            return false;
        }
        let asker = self.askers.entry(key).or_default();
        let known_name = asker.names.get(name.as_str()).map(Arc::clone);
        let (is_new_name, name) = known_name.map_or_else(|| (true, Arc::from(name)), |known| (false, known));
        let answer = Answer { at, name, time_to_live, exchange };
        let known = asker.answers.get(&address);
        let place = match known.map(|known| (known.last(), known)) {
            None | Some((None, _)) => 0,
            // Nearly always the latest.
            Some((Some(last), known)) if *last < answer => known.len(),
            Some((_, known)) => match known.binary_search(&answer) {
                Ok(_) => return false,
                Err(place) => place,
            },
        };
        let mut bytes = 0;
        if known.is_none_or(|known| known.len() < Self::PER_PAIR) {
            bytes += size_of::<Answer>();
        }
        if known.is_none() {
            bytes += 2 * size_of::<(IpAddr, Vec<Answer>)>();
        }
        if is_new_name {
            bytes += 2 * size_of::<Arc<str>>() + answer.name.len();
        }
        let beyond = |bytes: usize| bytes.saturating_sub(Self::OWN);
        let shared = beyond(asker.bytes + bytes) - beyond(asker.bytes);
        if asker.bytes + bytes > Self::PER_ASKER || self.shared + shared > Self::SHARED {
            self.drop_one(address_of_asker);
            return false;
        }
        asker.bytes += bytes;
        self.shared += shared;
        if is_new_name {
            asker.names.insert(Arc::clone(&answer.name));
        }
        let kept = asker.answers.entry(address).or_default();
        kept.insert(place, answer);
        if kept.len() > Self::PER_PAIR {
            kept.remove(Self::PER_PAIR / 2);
            return place != Self::PER_PAIR / 2;
        }
        true
    }

    fn drop_one(&mut self, asker: IpAddr) {
        if self.dropped.len() < Self::TOLD || self.dropped.contains_key(&asker) {
            *self.dropped.entry(asker).or_default() += 1;
        }
    }

    /// All answers, by asker and address, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = NameAnswer> + '_ {
        let mut all: Vec<_> = self
            .askers
            .iter()
            .flat_map(|(asker, Asker { answers, .. })| answers.iter().map(|(address, answers)| ((*asker, *address), answers)))
            .collect();
        all.sort_unstable_by_key(|(pair, _)| *pair);
        all.into_iter().flat_map(|(((_, asker), address), answers)| {
            answers.iter().map(move |answer| NameAnswer {
                asker,
                address,
                at: answer.at,
                name: (*answer.name).into(),
                time_to_live: answer.time_to_live,
                exchange: answer.exchange,
            })
        })
    }

    /// Says whose answers were dropped for lack of room.
    pub(super) fn findings(&self) -> Findings {
        let mut findings = Findings::default();
        for (asker, count) in &self.dropped {
            let message = "asked for more names than are kept: the others are in no policy's name";
            findings.add_many(Code::DnsAnswerNotUsed, asker.to_string(), message, *count);
        }
        findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(asker: u32, address: u32, name: String) -> NameAnswer {
        let address_of = |number: u32| IpAddr::from(std::net::Ipv4Addr::from(number));
        let (asker, address) = (address_of(asker), address_of(address));
        NameAnswer { asker, address, at: Timestamp(0), name, time_to_live: 60, exchange: None }
    }

    #[test]
    fn who_asks_for_very_many_names_pushes_out_nobody_elses() {
        let mut names = Names::default();
        for number in 0..200_000 {
            names.add(answer(1, number, format!("{number:0>200}.example")));
        }
        // More than share what all have together.
        for asker in 10..100 {
            for number in 0..8_000 {
                names.add(answer(asker, number, format!("{number:0>200}.example")));
            }
        }
        assert!(names.add(answer(2, 7, "api.example".into())), "another's first");
        assert!(names.shared <= Names::SHARED);
        assert!(names.askers.values().all(|asker| asker.bytes <= Names::PER_ASKER));
        let finding = names.findings().sorted();
        assert_eq!(finding.first().map(|finding| (finding.subject.as_str(), finding.count > 100_000)), Some(("0.0.0.1", true)));
    }

    #[test]
    fn all_tunnels_together_are_bounded() {
        let mut names = Names::default();
        for context in 1..=200 {
            for asker in 0..100 {
                for number in 0..3 {
                    names.add_inside(answer(asker, number, format!("{number:0>200}.example")), context);
                }
            }
        }
        assert_eq!(names.askers.len(), Names::ASKERS);
        let bytes: usize = names.askers.values().map(|asker| asker.bytes).sum();
        assert!(bytes <= Names::ASKERS * Names::OWN + Names::SHARED, "{bytes}");
        assert!(!names.findings().sorted().is_empty());
        let known = answer(7, 9, "x.example".into());
        assert_eq!((names.add_inside(known.clone(), 1), names.add_inside(known, 2)), (true, true), "each tunnel's by itself");
    }

    #[test]
    fn askers_are_bounded_and_those_that_are_known_stay() {
        let mut names = Names::default();
        for asker in 0..100_000 {
            names.add(answer(asker, 1, "x.example".into()));
        }
        assert_eq!(names.askers.len(), Names::ASKERS);
        assert!(names.add(answer(0, 2, "y.example".into())));
    }
}
