//! Edges whose direction was guessed, and what contradicts the guess.

use std::collections::{BTreeMap, BTreeSet};

use crate::inventory::Inventory;
use crate::model::{Code, Edge, Evidence, Findings};

use super::bounded_edges::{BoundedEdges, Kept};
use super::link::Link;

/// Guesses that are kept to be compared; of more, those that are last in the order of edges are not looked at.
const KEPT: usize = 65_536;

/// Edges whose direction was guessed, each with the edge that the same ports make in the other direction.
#[derive(Debug, Default)]
pub(super) struct Guesses {
    reversed: BTreeSet<(Link, Link)>,
}

impl Guesses {
    /// Remembers a guess, and what it would be if client and server were swapped.
    pub(super) fn add(&mut self, guessed: Link, reversed: Link) {
        self.reversed.insert((guessed, reversed));
        if self.reversed.len() > KEPT {
            self.reversed.pop_last();
        }
    }

    /// Edges that rest on guesses alone, with the proven edge that contradicts each.
    pub(super) fn contradicted(self, edges: &BoundedEdges<Kept>, inventory: &Inventory) -> BTreeMap<Edge, Edge> {
        let is_weak = |link| edges.get(link).map(|kept| kept.evidence.direction.is_weak());
        let found =
            self.reversed.into_iter().filter(|&(guess, proven)| is_weak(guess) == Some(true) && is_weak(proven) == Some(false));
        found.map(|(guess, proven)| (guess.edge(inventory), proven.edge(inventory))).collect()
    }
}

/// What is to be said of edges whose direction no packet shows.
pub(super) fn findings(edges: &BTreeMap<Edge, Evidence>, contradicted: &BTreeMap<Edge, Edge>) -> Findings {
    let mut findings = Findings::default();
    for (edge, evidence) in edges.iter().filter(|(_, evidence)| evidence.direction.is_weak()) {
        let decided = format!("direction decided by {}", evidence.direction);
        let (code, message) = match contradicted.get(edge) {
            Some(proven) => (Code::DirectionContradicted, format!("{decided}, but the same ports show {proven}")),
            None => (Code::WeakDirection, decided),
        };
        findings.add_many(code, edge.to_string(), message, evidence.weak.max(1));
    }
    findings
}
