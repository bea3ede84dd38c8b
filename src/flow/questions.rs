//! DNS questions that wait for their answers.
//!
//! In: questions and answers in the order in which they were read. Out: the answers that somebody asked for. Only these may name an
//! address: anyone can send a datagram from port 53. Memory is bounded, for each asker by itself and for all together.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use super::SECOND;
use crate::model::{Exchange, Protocol, SeededMap, Timestamp};

/// An answer later than this was not waited for: resolvers of glibc and musl give up after 30 seconds at most
/// (resolv.conf(5), `timeout`).
const PATIENCE: i64 = 30 * SECOND;
/// Questions of one asker that wait at a time.
const PER_ASKER: usize = 64;
/// Askers whose questions wait at a time.
const ASKERS: usize = 16_384;
/// Answers whose questions were not read yet: taps may share a time stamp, and another file may have the question.
const EARLY: usize = 1_024;
/// Askers of which is told that they got answers to no question.
const TOLD: usize = 1_000;

/// What an answer repeats of its question, and who asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Transaction {
    pub(super) protocol: Protocol,
    pub(super) asker: IpAddr,
    /// The asker's port.
    pub(super) port: u16,
    pub(super) id: u16,
    pub(super) name: Box<str>,
    /// The tunnels of the question.
    pub(super) context: u16,
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) transaction: Transaction,
    /// Who was asked.
    pub(super) server: IpAddr,
    pub(super) at: Timestamp,
    is_answered: bool,
}

/// An answer, whether or not somebody asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) transaction: Transaction,
    /// Who answered.
    pub(super) server: IpAddr,
    pub(super) at: Timestamp,
    /// With their times to live.
    pub(super) addresses: Vec<(IpAddr, u32)>,
}

/// Questions that wait, and answers to none.
#[derive(Debug, Default)]
pub(super) struct Questions {
    /// By asker and tunnels.
    waiting: SeededMap<(IpAddr, u16), VecDeque<Question>>,
    early: VecDeque<Answer>,
    /// How many answers that no question came for each asker got.
    unasked: BTreeMap<IpAddr, u64>,
}

impl Questions {
    /// Takes in a question; gives the answers that came before it.
    pub(super) fn ask(&mut self, transaction: Transaction, server: IpAddr, at: Timestamp) -> Vec<(Answer, Exchange)> {
        let asker = (transaction.asker, transaction.context);
        let mut question = Question { transaction, server, at, is_answered: false };
        let mut answered = Vec::new();
        if self.early.iter().any(|answer| question.is_of(answer)) {
            question.is_answered = true;
            for answer in std::mem::take(&mut self.early) {
                if question.is_of(&answer) {
                    let exchange = answer.exchange(server);
                    answered.push((answer, exchange));
                } else {
                    self.early.push_back(answer);
                }
            }
        }
        if self.waiting.len() >= ASKERS && !self.waiting.contains_key(&asker) {
            // Who waits in vain makes room; if nobody does, the question is not noted, and its answer is not believed.
            self.waiting.retain(|_, questions| questions.back().is_some_and(|last| at.since(last.at) <= PATIENCE));
            if self.waiting.len() >= ASKERS {
                return answered;
            }
        }
        let questions = self.waiting.entry(asker).or_default();
        if questions.len() >= PER_ASKER {
            questions.pop_front();
        }
        questions.push_back(question);
        answered
    }

    /// Takes in an answer; gives it back if somebody asked for it. Several taps may see the same one, so a question stays.
    pub(super) fn answer(&mut self, answer: Answer) -> Option<(Answer, Exchange)> {
        if answer.addresses.is_empty() {
            return None;
        }
        let questions = self.waiting.get_mut(&(answer.transaction.asker, answer.transaction.context));
        let mut asked = None;
        for question in questions.into_iter().flatten().filter(|question| question.is_of(&answer)) {
            question.is_answered = true;
            // A question to a Service is seen before and after its address is translated.
            if asked != Some(answer.server) {
                asked = Some(question.server);
            }
        }
        if let Some(asked) = asked {
            let exchange = answer.exchange(asked);
            return Some((answer, exchange));
        }
        if self.early.len() >= EARLY
            && let Some(oldest) = self.early.pop_front()
        {
            count(&mut self.unasked, oldest.transaction.asker);
        }
        self.early.push_back(answer);
        None
    }

    /// The questions that no answer came for, and the answers that no question came for, in order: another file may have the rest.
    pub(super) fn left(&self) -> (Vec<&Question>, Vec<&Answer>) {
        let mut questions: Vec<&Question> = self.waiting.values().flatten().filter(|question| !question.is_answered).collect();
        questions.sort_by_key(|question| (question.at, question.transaction.asker, question.transaction.port));
        (questions, self.early.iter().collect())
    }

    /// How many answers that no question came for were sent to whom; with those of which a file may still tell the question.
    pub(super) fn unasked(&self, with_left: bool) -> BTreeMap<IpAddr, u64> {
        let mut unasked = self.unasked.clone();
        for answer in self.early.iter().filter(|_| with_left) {
            count(&mut unasked, answer.transaction.asker);
        }
        unasked
    }
}

fn count(unasked: &mut BTreeMap<IpAddr, u64>, asker: IpAddr) {
    if unasked.len() < TOLD || unasked.contains_key(&asker) {
        *unasked.entry(asker).or_default() += 1;
    }
}

impl Question {
    fn is_of(&self, answer: &Answer) -> bool {
        self.at <= answer.at && answer.at.since(self.at) <= PATIENCE && self.transaction == answer.transaction
    }
}

impl Answer {
    const fn exchange(&self, asked: IpAddr) -> Exchange {
        let Transaction { protocol, port, .. } = self.transaction;
        Exchange { protocol, port, server: self.server, asked }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKER: [u8; 4] = [10, 244, 1, 13];
    const SERVICE: [u8; 4] = [10, 96, 0, 10];
    const RESOLVER: [u8; 4] = [10, 244, 2, 4];

    fn transaction(asker: [u8; 4], port: u16, protocol: Protocol, id: u16) -> Transaction {
        Transaction { protocol, asker: asker.into(), port, id, name: "x.example".into(), context: 0 }
    }

    fn answer(transaction: Transaction, server: [u8; 4], at: i64) -> Answer {
        Answer { transaction, server: server.into(), at: Timestamp(at), addresses: vec![([203, 0, 113, 7].into(), 60)] }
    }

    /// Whom the asker is found to have asked when this answer comes, after these questions.
    fn asked(questions: &[([u8; 4], i64)], server: [u8; 4], transaction_of: Transaction, at: i64) -> Option<IpAddr> {
        let mut table = Questions::default();
        for (server, at) in questions {
            table.ask(transaction(ASKER, 40_000, Protocol::Udp, 7), (*server).into(), Timestamp(*at));
        }
        table.answer(answer(transaction_of, server, at)).map(|(_, exchange)| exchange.asked)
    }

    #[test]
    fn an_answer_is_that_of_its_question() {
        /// What it shows, questions, who answers, which transaction, when, who is found to have been asked.
        type Row<'a> = (&'a str, &'a [([u8; 4], i64)], [u8; 4], Transaction, i64, Option<[u8; 4]>);
        let to_service = [(SERVICE, 10)];
        let (to_both, to_both_back) = ([(SERVICE, 10), (RESOLVER, 11)], [(RESOLVER, 10), (SERVICE, 11)]);
        let same = || transaction(ASKER, 40_000, Protocol::Udp, 7);
        let rows: [Row; 13] = [
            ("no question", &[], SERVICE, same(), 20, None),
            ("from whom it was asked", &to_service, SERVICE, same(), 20, Some(SERVICE)),
            ("from behind the Service", &to_service, RESOLVER, same(), 20, Some(SERVICE)),
            ("after translation", &to_both, RESOLVER, same(), 20, Some(RESOLVER)),
            ("before translation", &to_both, SERVICE, same(), 20, Some(SERVICE)),
            ("before translation, the other way round", &to_both_back, RESOLVER, same(), 20, Some(RESOLVER)),
            ("at the same instant", &to_service, SERVICE, same(), 10, Some(SERVICE)),
            ("before the question", &to_service, SERVICE, same(), 9, None),
            ("long after it", &to_service, SERVICE, same(), 31 * SECOND, None),
            ("another port", &to_service, SERVICE, transaction(ASKER, 40_001, Protocol::Udp, 7), 20, None),
            ("another id", &to_service, SERVICE, transaction(ASKER, 40_000, Protocol::Udp, 8), 20, None),
            ("another protocol", &to_service, SERVICE, transaction(ASKER, 40_000, Protocol::Tcp, 7), 20, None),
            ("another asker", &to_service, SERVICE, transaction(RESOLVER, 40_000, Protocol::Udp, 7), 20, None),
        ];
        for (what, questions, server, transaction, at, expected) in rows {
            assert_eq!(asked(questions, server, transaction, at), expected.map(IpAddr::from), "{what}");
        }
    }

    #[test]
    fn an_answer_that_is_read_first_waits_for_its_question() {
        let same = || transaction(ASKER, 40_000, Protocol::Udp, 7);
        let mut table = Questions::default();
        assert_eq!(table.answer(answer(same(), SERVICE, 10)), None);
        assert_eq!(table.unasked(true), [(ASKER.into(), 1)].into());
        assert_eq!(table.left().1.len(), 1);
        assert_eq!(table.ask(same(), SERVICE.into(), Timestamp(10)).len(), 1, "they have one time stamp");
        assert_eq!((table.unasked(true).len(), table.left()), (0, (vec![], vec![])));
    }

    #[test]
    fn what_waits_is_bounded_for_each_asker_and_for_all() {
        let mut table = Questions::default();
        table.ask(transaction(ASKER, 40_000, Protocol::Udp, 7), SERVICE.into(), Timestamp(0));
        for number in 0..50_000_u32 {
            let [_, high, middle, low] = number.to_be_bytes();
            table.ask(transaction([10, high, middle, low], 1, Protocol::Udp, 1), SERVICE.into(), Timestamp(1));
            table.answer(answer(transaction([11, high, middle, low], 1, Protocol::Udp, 1), SERVICE, 1));
        }
        for id in 0..1_000 {
            table.ask(transaction([10, 0, 0, 0], 1, Protocol::Udp, id), SERVICE.into(), Timestamp(1));
        }
        assert!(table.waiting.len() <= ASKERS && table.early.len() <= EARLY && table.unasked(true).len() <= TOLD);
        assert!(table.waiting.values().all(|questions| questions.len() <= PER_ASKER));
        let own = table.answer(answer(transaction(ASKER, 40_000, Protocol::Udp, 7), SERVICE, 2));
        assert!(own.is_some(), "others' questions do not push out one's own");
    }
}
