//! A conversation and, rarely, earlier ones of the same endpoints that may still get late packets.

use crate::model::Span;

use super::conversation::Conversation;
use super::fact::{Fact, Stamp};
use super::key::End;

/// At least one conversation.
#[derive(Debug)]
pub(super) struct History {
    newest: Conversation,
    earlier: Vec<Conversation>,
}

impl History {
    /// More conversations of the same endpoints are not waited for at a time.
    const EARLIER: usize = 8;

    pub(super) const fn new(newest: Conversation) -> Self {
        Self { newest, earlier: Vec::new() }
    }

    pub(super) const fn newest(&self) -> &Conversation {
        &self.newest
    }

    /// The newest, if it is the only one.
    pub(super) fn only(&self) -> Option<&Conversation> {
        self.earlier.is_empty().then_some(&self.newest)
    }

    /// About how much memory it takes, in openings.
    pub(super) fn weight(&self) -> usize {
        /// What a conversation takes without its openings.
        const REST: usize = 4;
        self.iter().map(|conversation| REST + conversation.openings.len()).sum()
    }

    /// All of them, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Conversation> {
        self.earlier.iter().chain([&self.newest])
    }

    /// All of them, oldest first.
    pub(super) fn into_all(self) -> impl Iterator<Item = Conversation> {
        self.earlier.into_iter().chain([self.newest])
    }

    /// Adds a fact to the newest conversation, if it belongs there and nowhere else; tells whether that is news.
    pub(super) fn add(&mut self, silence: i64, stamp: Stamp, end: End, fact: Fact) -> Option<bool> {
        let belongs = self.earlier.is_empty() && reaches(silence, self.newest.span(), Span::at(stamp.at));
        belongs.then(|| self.newest.add(stamp, end, fact))
    }

    /// Adds facts to the conversation they belong to: the one whose span, widened by the protocol's silence, meets theirs. They
    /// may join two conversations into one. Returns those that no packet can reach any more.
    pub(super) fn put(&mut self, silence: i64, added: Conversation) -> Vec<Conversation> {
        let mut others = Vec::new();
        let mut reached = Vec::new();
        let mut span = added.span();
        let placeholder = Conversation::new(span.first());
        let newest = std::mem::replace(&mut self.newest, placeholder);
        for conversation in self.earlier.drain(..).chain([newest]) {
            if reaches(silence, conversation.span(), span) {
                span = span.merge(conversation.span());
                reached.push(conversation);
            } else {
                others.push(conversation);
            }
        }
        let joined = reached.into_iter().rev().fold(added, |later, mut earlier| {
            earlier.merge(later);
            earlier
        });
        let joined_span = joined.span();
        others.push(joined);
        others.sort_by_key(Conversation::span);
        // Whichever came last stays, however old: of a clock that was set back, more will come.
        let mut given_up = Vec::new();
        while others.len() > Self::EARLIER {
            let oldest = usize::from(others[0].span() == joined_span);
            given_up.push(others.remove(oldest));
        }
        if let Some(newest) = others.pop() {
            self.newest = newest;
        }
        self.earlier = others;
        given_up
    }
}

/// Whether no more than that silence lies between the two.
fn reaches(silence: i64, one: Span, other: Span) -> bool {
    other.first().since(one.last()) <= silence && one.first().since(other.last()) <= silence
}
