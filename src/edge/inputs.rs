//! The inputs that conversations were seen in: their names, and whether they show who sent what.

use std::collections::BTreeMap;

use crate::model::{Code, Findings};

/// What is known of the inputs, by the numbers that flows have.
#[derive(Debug, Default)]
pub(super) struct Inputs {
    names: Vec<String>,
    /// Of those with conversations of pods, whether any station of one is a pod's.
    shows_senders: BTreeMap<u16, bool>,
}

impl Inputs {
    pub(super) const fn new(names: Vec<String>) -> Self {
        Self { names, shows_senders: BTreeMap::new() }
    }

    /// What an input is called.
    pub(super) fn name(&self, input: u16) -> &str {
        let name = usize::from(input).checked_sub(1).and_then(|position| self.names.get(position));
        name.map_or("the capture", String::as_str)
    }

    /// Takes in a conversation of a pod. Where no input is known, nothing is to be said of one.
    pub(super) fn see(&mut self, input: u16, shows_sender: impl FnOnce() -> bool) {
        if input == 0 {
            return;
        }
        let shows_senders = self.shows_senders.entry(input).or_default();
        *shows_senders = *shows_senders || shows_sender();
    }

    /// Says which of them do not show who sent what: all in one, if they are alike.
    pub(super) fn findings(&self) -> Findings {
        let mut findings = Findings::default();
        let message = "which pod sent a packet is not to be seen: packets that a pod forges count like any other";
        let blind = || self.shows_senders.iter().filter(|(_, shows_senders)| !**shows_senders).map(|(input, _)| *input);
        let count = blind().count();
        if count > 1 && count == self.shows_senders.len() {
            findings.add(Code::SenderNotShown, format!("all {count} captures"), message);
            return findings;
        }
        for input in blind() {
            findings.add(Code::SenderNotShown, self.name(input), message);
        }
        findings
    }
}
