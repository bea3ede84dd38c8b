//! What reviewers decided, and what became of it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::output::text::{counted, listed, one_line};
use crate::review::decisions::{Decisions, Entry, Rejected, State};

use super::FindingLine;

/// The decisions of a run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Decided {
    /// The file they are in.
    pub file: String,
    /// All of them, by kind.
    pub decisions: Vec<DecisionLine>,
    /// Observed edges that are denied by decision.
    pub rejected: Vec<RejectedLine>,
    /// Findings that were left out.
    pub ignored: Vec<IgnoredLine>,
}

/// One decision.
#[derive(Clone, Debug, Serialize)]
pub struct DecisionLine {
    /// `accept`, `reject`, `widen`, `rename` or `ignore`.
    pub kind: String,
    /// What it says, after its kind.
    pub what: String,
    /// Why.
    pub reason: String,
    /// Who decided, if that was written down.
    pub by: Option<String>,
    /// The last day on which it counts, if there is one.
    pub until: Option<String>,
    /// `obeyed`, `unmatched`, `expired`, or `elsewhere`: about namespaces that the run was not asked about.
    pub state: String,
    /// How many edges, policies or findings it meant.
    pub matches: u64,
    /// What came of it beside that: for `widen`, how many addresses were seen and added.
    pub effects: Vec<String>,
}

/// An edge that is denied on purpose.
#[derive(Clone, Debug, Serialize)]
pub struct RejectedLine {
    /// The edge.
    pub edge: String,
    /// How often it was seen.
    pub connections: u64,
    /// Why it is denied.
    pub reason: String,
}

/// A finding that was left out.
#[derive(Clone, Debug, Serialize)]
pub struct IgnoredLine {
    /// The finding.
    #[serde(flatten)]
    pub finding: FindingLine,
    /// Why it is settled.
    pub reason: String,
}

impl DecisionLine {
    fn new(entry: &Entry) -> Self {
        let decision = &entry.decision;
        let (kind, what) = (decision.what.kind().name(), decision.what.to_string());
        Self {
            kind: kind.to_owned(),
            what: what.strip_prefix(kind).unwrap_or(&what).trim_start().to_owned(),
            reason: decision.reason.clone(),
            by: decision.by.clone(),
            until: decision.until.map(|until| until.to_string()),
            state: entry.state().name().to_owned(),
            matches: entry.matches,
            effects: entry.effects.clone(),
        }
    }
}

impl DecisionLine {
    /// What became of it, in words.
    pub(super) fn extent(&self) -> String {
        let is = |state: State| self.state == state.name();
        if is(State::Unmatched) {
            "nothing: it matches nothing that this run saw".into()
        } else if is(State::Expired) {
            "nothing: it has expired".into()
        } else if is(State::Elsewhere) {
            "nothing: it is about other namespaces than this run".into()
        } else {
            match self.kind.as_str() {
                "rename" => "named so".into(),
                "ignore" => counted(self.matches, "finding", "findings"),
                _ => counted(self.matches, "edge", "edges"),
            }
        }
    }
}

impl Decided {
    /// What became of the decisions of a file.
    #[must_use]
    pub fn new(file: String, decisions: &Decisions, rejected: &Rejected) -> Self {
        let rejected = rejected.edges().map(|(edge, rejection)| RejectedLine {
            edge: edge.to_string(),
            connections: rejection.evidence.connections,
            reason: rejection.decision.reason.clone(),
        });
        let ignored = decisions.ignored().iter();
        let ignored =
            ignored.map(|ignored| IgnoredLine { finding: FindingLine::new(&ignored.finding), reason: ignored.reason.clone() });
        Self {
            file,
            decisions: decisions.entries().iter().map(DecisionLine::new).collect(),
            rejected: rejected.collect(),
            ignored: ignored.collect(),
        }
    }

    /// How many there are of a state, by kind.
    fn count(&self, state: State) -> BTreeMap<&str, u64> {
        let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
        for line in self.decisions.iter().filter(|line| line.state == state.name()) {
            *kinds.entry(&line.kind).or_default() += 1;
        }
        kinds
    }

    /// What became of the decisions, on one line.
    pub(super) fn in_words(&self) -> String {
        let total = |state| self.count(state).values().sum::<u64>();
        let obeyed = match (self.decisions.len(), total(State::Obeyed)) {
            (0, _) => "holds none".to_owned(),
            (_, 0) => "none applied".to_owned(),
            (_, count) => {
                // In the order of the file's documentation, which is that of the lines.
                let mut kinds: Vec<&str> = self.decisions.iter().map(|line| line.kind.as_str()).collect();
                kinds.dedup();
                let counts = self.count(State::Obeyed);
                let kinds = kinds.into_iter().filter_map(|kind| Some(format!("{} {kind}", counts.get(kind)?)));
                format!("{count} applied ({})", listed(kinds, 8))
            }
        };
        let mut line = format!("{}: {obeyed}", one_line(&self.file, 80));
        for (state, one, many) in [
            (State::Unmatched, "matches nothing that was seen", "match nothing that was seen"),
            (State::Expired, "has expired", "have expired"),
            (State::Elsewhere, "is about other namespaces", "are about other namespaces"),
        ] {
            let count = total(state);
            if count > 0 {
                line = format!("{line}, {}", counted(count, one, many));
            }
        }
        line
    }
}
