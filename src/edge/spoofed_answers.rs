//! DNS answers in conversations that a pod only pretended: they name nothing.

use std::net::IpAddr;

use crate::flow::Names;
use crate::model::{Endpoint, Exchange, NameAnswer, Protocol, SeededMap, Span};

/// A conversation that a pod pretended.
pub(super) type Spoofed = (Protocol, [Endpoint; 2], Span);

/// Who is said to have asked at which port over which protocol, and an address that was asked or answered.
type Question = (Protocol, IpAddr, u16, IpAddr);

/// Pretended conversations in which names were asked for, with when they were seen. There are at most as many as names are kept.
#[derive(Debug, Default)]
pub(super) struct SpoofedAnswers {
    seen: SeededMap<Question, Vec<Span>>,
}

impl SpoofedAnswers {
    /// More pretended conversations of one question are one.
    const SPANS: usize = 64;

    /// Takes in pretended conversations, as far as they are about these names.
    pub(super) fn add(&mut self, conversations: Vec<Spoofed>, names: &Names) {
        if conversations.is_empty() {
            return;
        }
        for question in names.iter().filter_map(|answer| questions(&answer)).flatten() {
            self.seen.entry(question).or_default();
        }
        for (protocol, [one, other], span) in conversations {
            for (asker, server) in [(one, other), (other, one)] {
                let Some(spans) = self.seen.get_mut(&(protocol, asker.address, asker.port, server.address)) else { continue };
                if spans.len() < Self::SPANS {
                    spans.push(span);
                } else if let Some(last) = spans.last_mut() {
                    *last = last.merge(span);
                }
            }
        }
        self.seen.retain(|_, spans| !spans.is_empty());
    }

    /// Whether an answer is part of one.
    pub(super) fn has(&self, answer: &NameAnswer) -> bool {
        let is_within = |span: &Span| span.first() <= answer.at && answer.at <= span.last();
        !self.seen.is_empty()
            && questions(answer)
                .into_iter()
                .flatten()
                .any(|question| self.seen.get(&question).is_some_and(|spans| spans.iter().any(is_within)))
    }
}

/// The conversations that an answer may be part of.
fn questions(answer: &NameAnswer) -> Option<[Question; 2]> {
    let Exchange { protocol, port, server, asked } = answer.exchange?;
    Some([server, asked].map(|server| (protocol, answer.asker, port, server)))
}
