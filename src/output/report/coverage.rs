//! What a run may have missed, in sentences that claim no more than the numbers do.

use serde::Serialize;

use crate::coverage::{BackTest, Basis, Course, Coverage, Estimate, FEW};
use crate::model::length;
use crate::output::text::counted;

/// How long was watched and when the last edge came up: `60 min watched, the last new edge 3 min before the end`.
pub(super) fn watched(coverage: &Coverage) -> String {
    let total = length(coverage.discovery.seconds);
    match coverage.discovery.all.seconds_since_new {
        Some(since) => format!("{total} watched, the last new edge {} before the end", length(since)),
        None => format!("{total} watched, no edge of the namespaces that policies were made for"),
    }
}

/// What the estimates say of connections to come, as the rest of a sentence.
pub(super) fn outlook(estimate: &Estimate) -> String {
    match (estimate.basis, estimate.unseen_chance, estimate.unseen_edges) {
        (Basis::Enough, Some(chance), Some(unseen)) => format!(
            "if traffic goes on alike, {} of connections will be on edges not seen yet (Good-Turing); the unseen edges are {} or more \
             (Chao1)",
            share(chance, estimate.connections),
            some(unseen)
        ),
        (Basis::AllSeenOnce, ..) => "every edge was seen only once, which does not tell how many are still unseen".to_owned(),
        (Basis::EdgesLeftOut, ..) => "there were more edges than are kept, which does not tell how many are unseen".to_owned(),
        _ => {
            let are = if estimate.connections == 1 { "is" } else { "are" };
            let connections = counted(estimate.connections, "connection", "connections");
            format!("{connections} {are} too few to estimate how many edges are still unseen")
        }
    }
}

/// `about 0.4 %`; of nothing in so many, `less than 0.3 %`.
fn share(chance: f64, connections: u64) -> String {
    let (rate, about) = if chance > 0.0 { (chance, "about") } else { (rate(1, connections), "less than") };
    // Less than two digits show.
    if rate < 0.0001 { "less than 0.01 %".to_owned() } else { format!("{about} {}", percent(rate)) }
}

/// An estimated number of edges: `0.3`, `2`.
fn some(edges: f64) -> String {
    let text = if edges < 10.0 { format!("{edges:.1}") } else { format!("{edges:.0}") };
    text.trim_end_matches(".0").to_owned()
}

/// What the first part alone would have denied of the rest.
pub(super) fn held_out(back_test: &BackTest) -> String {
    let first = format!("the first four fifths of the time ({})", length(back_test.learned_seconds));
    let connections = counted(back_test.connections, "connection", "connections");
    match (back_test.connections, back_test.denied) {
        (0, _) => format!("no connection began after {first}, so nothing could be put to the test"),
        (_, 0) => format!("policies learned from {first} alone deny none of {connections} that began later"),
        (all, denied) => {
            let share = if all < FEW { String::new() } else { format!(" ({})", percent(rate(denied, all))) };
            format!("policies learned from {first} alone deny {denied}{share} of {connections} that began later")
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
fn rate(part: u64, all: u64) -> f64 {
    part as f64 / all.max(1) as f64
}

/// Two digits that count: `12 %`, `1.2 %`, `0.04 %`.
fn percent(rate: f64) -> String {
    let percent = rate * 100.0;
    if percent >= 10.0 {
        format!("{percent:.0} %")
    } else if percent >= 1.0 {
        format!("{percent:.1} %")
    } else if percent >= 0.01 {
        format!("{} %", format!("{percent:.2}").trim_end_matches('0'))
    } else {
        "less than 0.01 %".to_owned()
    }
}

/// The coverage as the review shows it.
#[derive(Serialize)]
pub(super) struct Values<'a> {
    watched: String,
    outlook: String,
    back_test: Option<String>,
    known: String,
    rows: Vec<Row<'a>>,
}

/// One namespace.
#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    connections: u64,
    edges: u64,
    seen_once: u64,
    last_new: String,
    chance: String,
    unseen: String,
}

impl<'a> Values<'a> {
    pub(super) fn new(coverage: &'a Coverage) -> Self {
        let course = &coverage.discovery.all;
        Self {
            watched: watched(coverage),
            outlook: outlook(&course.estimate),
            back_test: coverage.back_test.as_ref().map(held_out),
            known: course.known.map(|edges| edges.to_string()).join(", "),
            rows: coverage.discovery.namespaces.iter().map(|(name, course)| Row::new(name, course)).collect(),
        }
    }
}

impl<'a> Row<'a> {
    fn new(name: &'a str, course: &Course) -> Self {
        let Estimate { connections, edges, seen_once, unseen_chance, unseen_edges, .. } = course.estimate;
        let since = course.seconds_since_new.map(|since| format!("{} before the end", length(since)));
        let untold = || "too little to tell".to_owned();
        Self {
            name,
            connections,
            edges,
            seen_once,
            last_new: since.unwrap_or_else(|| "none".to_owned()),
            chance: unseen_chance.map_or_else(untold, |chance| share(chance, connections)),
            unseen: unseen_edges.map_or_else(untold, |unseen| format!("{} or more", some(unseen))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_claim_no_more_than_the_numbers() {
        let rows = [
            (
                Estimate::new(500, 20, 2, 0, true),
                "if traffic goes on alike, about 0.4 % of connections will be on edges not seen yet (Good-Turing); the unseen edges are 1 or more (Chao1)",
            ),
            (
                Estimate::new(400, 8, 0, 3, true),
                "if traffic goes on alike, less than 0.25 % of connections will be on edges not seen yet (Good-Turing); the unseen edges are 0 or more (Chao1)",
            ),
            (
                Estimate::new(1_000_000, 90, 3, 2, true),
                "if traffic goes on alike, less than 0.01 % of connections will be on edges not seen yet (Good-Turing); the unseen edges are 1 or more (Chao1)",
            ),
            (Estimate::new(1, 1, 1, 0, true), "1 connection is too few to estimate how many edges are still unseen"),
            (Estimate::new(29, 9, 0, 0, true), "29 connections are too few to estimate how many edges are still unseen"),
            (Estimate::new(40, 40, 40, 0, true), "every edge was seen only once, which does not tell how many are still unseen"),
            (Estimate::new(40, 2, 0, 0, false), "there were more edges than are kept, which does not tell how many are unseen"),
        ];
        for (estimate, expected) in rows {
            assert_eq!(outlook(&estimate), expected);
        }
    }

    #[test]
    fn a_share_of_few_is_not_told() {
        let rows = [
            (0, 0, "no connection began after the first four fifths of the time (48 min), so nothing could be put to the test"),
            (
                312,
                0,
                "policies learned from the first four fifths of the time (48 min) alone deny none of 312 connections that began later",
            ),
            (
                312,
                3,
                "policies learned from the first four fifths of the time (48 min) alone deny 3 (0.96 %) of 312 connections that began later",
            ),
            (
                4,
                3,
                "policies learned from the first four fifths of the time (48 min) alone deny 3 of 4 connections that began later",
            ),
        ];
        for (connections, denied, expected) in rows {
            let back_test = BackTest { learned_seconds: 2880, connections, denied, ..BackTest::default() };
            assert_eq!(held_out(&back_test), expected);
        }
    }
}
