//! How many connections are on edges not seen yet, from how often those seen were used.
//!
//! With `n` connections on edges of which `f1` were used once and `f2` twice:
//!
//! - the chance that the next connection is on an edge not seen yet is about `f1 / n` (I. J. Good, "The population frequencies of
//!   species and the estimation of population parameters", Biometrika 40, 1953, after A. M. Turing);
//! - at least about `f1 (f1 - 1) / (2 (f2 + 1))` edges are unseen (A. Chao, "Nonparametric estimation of the number of classes in
//!   a population", Scandinavian Journal of Statistics 11, 1984, and Biometrics 43, 1987; the bias-corrected form). A lower bound.
//!
//! Both take connections for draws from the same urn, one independent of the other. Wrong for what has its hour (a nightly job, the
//! end of the month, a fail-over): no estimate from the hours before knows of it. Programs that keep one connection open for
//! days look like rarely used edges; the estimates then err on the side of caution.

use serde::{Deserialize, Serialize};

/// Below this many connections nothing is estimated: a handful says nothing of what is rare. By convention, not by theory.
pub const FEW: u64 = 30;

/// Whether the estimates have something to go by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// Fewer than [`FEW`] connections.
    #[default]
    FewConnections,
    /// Every edge was used once: the sample shows no end of new ones, and `f1 / n` is 1 whatever the truth.
    AllSeenOnce,
    /// There were more edges than are kept.
    EdgesLeftOut,
    /// There are estimates.
    Enough,
}

/// What is known of edges, and what that says of those that are not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Connections, each counted once for each edge it is on.
    pub connections: u64,
    /// Edges they are on. Those that one rule allows together (everyone outside to an exposed workload, DNS over both protocols) are
    /// one.
    pub edges: u64,
    /// How many of these edges were used once.
    pub seen_once: u64,
    /// How many were used twice.
    pub seen_twice: u64,
    /// Whether there is enough for the next two.
    pub basis: Basis,
    /// The estimated chance, from 0 to 1, that the next connection is on an edge not seen yet. No finer than `1 / connections`: 0
    /// means less than that.
    pub unseen_chance: Option<f64>,
    /// About how many edges are unseen, at least.
    pub unseen_edges: Option<f64>,
}

impl Estimate {
    /// From the counts. `is_whole` tells whether these are all edges there were.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "an estimate has fewer digits than a float")]
    pub fn new(connections: u64, edges: u64, seen_once: u64, seen_twice: u64, is_whole: bool) -> Self {
        let basis = if !is_whole {
            Basis::EdgesLeftOut
        } else if connections < FEW {
            Basis::FewConnections
        } else if seen_once == connections {
            Basis::AllSeenOnce
        } else {
            Basis::Enough
        };
        let (n, f1, f2) = (connections as f64, seen_once as f64, seen_twice as f64);
        let is_enough = basis == Basis::Enough;
        Self {
            connections,
            edges,
            seen_once,
            seen_twice,
            basis,
            unseen_chance: is_enough.then(|| f1 / n),
            // Without any edge seen once, the product would be a zero with a sign.
            unseen_edges: is_enough.then(|| f1 * (f1 - 1.0).max(0.0) / (2.0 * (f2 + 1.0))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_are_those_of_the_formulas() {
        /// What it shows; n, edges, f1, f2; the basis, the chance and the unseen edges.
        type Row = (&'static str, [u64; 4], Basis, Option<f64>, Option<f64>);
        let rows: [Row; 9] = [
            ("2 of 500 on edges seen once: 0.4 %; 2 * 1 / (2 * 2) = 0.5", [500, 20, 2, 1], Basis::Enough, Some(0.004), Some(0.5)),
            ("f1 = 10, f2 = 4: 10 * 9 / (2 * 5) = 9", [1000, 60, 10, 4], Basis::Enough, Some(0.01), Some(9.0)),
            ("f2 = 0 needs no other formula: 6 * 5 / 2 = 15", [100, 20, 6, 0], Basis::Enough, Some(0.06), Some(15.0)),
            ("none seen once", [400, 8, 0, 3], Basis::Enough, Some(0.0), Some(0.0)),
            ("one seen once: 1 * 0 = 0", [50, 8, 1, 0], Basis::Enough, Some(0.02), Some(0.0)),
            ("29 connections are too few", [29, 5, 1, 1], Basis::FewConnections, None, None),
            ("30 are just enough", [30, 5, 3, 0], Basis::Enough, Some(0.1), Some(3.0)),
            ("nothing came twice", [40, 40, 40, 0], Basis::AllSeenOnce, None, None),
            ("nothing at all", [0, 0, 0, 0], Basis::FewConnections, None, None),
        ];
        for (message, [connections, edges, once, twice], basis, chance, unseen) in rows {
            let estimate = Estimate::new(connections, edges, once, twice, true);
            assert_eq!((estimate.basis, estimate.unseen_chance, estimate.unseen_edges), (basis, chance, unseen), "{message}");
        }
        let partly = Estimate::new(5000, 1000, 20, 10, false);
        assert_eq!((partly.basis, partly.unseen_chance, partly.unseen_edges), (Basis::EdgesLeftOut, None, None));
    }
}
