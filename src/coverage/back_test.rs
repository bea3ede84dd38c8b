//! What would have happened had the capture ended earlier.
//!
//! Policies are learned from the first four fifths of the time alone and put to the test on the rest. The split is by time, as a person
//! would stop watching, and not by connections; it lies on a boundary at which connections were counted
//! ([`StartHistogram`](crate::edge::StartHistogram)), at most a few thousandths of the time before. What is known of an edge from the first part
//! (names, repetitions of datagrams) is not cut: the split asks only whether it was seen.
//!
//! An edge first seen after the split has all its connections after it, and any other none that would be denied: so the count of
//! those denied is exact. Datagrams that nobody answers are in neither count. What a reviewer rejected and what is in quarantine is not in
//! the observation, so it is never among those denied; its connections are still among those that began later.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::discovery::{seconds, sides};
use crate::edge::Observation;
use crate::model::{Edge, Evidence, Timestamp};

/// What policies learned from the first part would have done to the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackTest {
    /// When the first part ends, in RFC 3339.
    pub split: String,
    /// Whole seconds from the beginning until then.
    pub learned_seconds: u64,
    /// Connections that began later.
    pub connections: u64,
    /// How many of them would have been denied.
    pub denied: u64,
    /// On how many different edges.
    pub denied_edges: u64,
}

/// An observation without what came after the split.
#[derive(Debug)]
pub struct Split {
    at: Timestamp,
    learned_seconds: u64,
    connections: u64,
    /// The edges first seen later, which the observation no longer has.
    pub later: BTreeMap<Edge, Evidence>,
}

/// Takes out of the observation the edges that were first seen after four fifths of the time. Nothing if that cannot be told: no time
/// passed, or there were more edges than are kept. Connections count where a side is in a namespace that `is_subject`.
pub fn split(observation: &mut Observation, is_subject: impl Fn(&str) -> bool) -> Option<Split> {
    let span = observation.span?;
    let at = observation.arrivals.boundary(span.first().plus(span.length() / 5 * 4));
    if at <= span.first() || observation.left_out > 0 {
        return None;
    }
    let connections = observation.arrivals.since(at, &is_subject);
    let is_later = |edge: &Edge, evidence: &mut Evidence| evidence.span.first() >= at && sides(edge).into_iter().any(&is_subject);
    let later = observation.edges.extract_if(.., is_later).collect();
    Some(Split { at, learned_seconds: seconds(at.since(span.first())), connections, later })
}

impl Split {
    /// The result, and the observation whole again. `is_denied` tells of an edge of the rest what policies learned from the first part
    /// would do to it.
    pub fn conclude(self, observation: &mut Observation, is_denied: impl Fn(&Edge) -> bool) -> BackTest {
        let denied = self.later.iter().filter(|(edge, _)| is_denied(edge));
        let denied: Vec<u64> = denied.map(|(_, evidence)| evidence.connections - evidence.one_way).collect();
        let back_test = BackTest {
            split: self.at.to_string(),
            learned_seconds: self.learned_seconds,
            connections: self.connections,
            denied: denied.iter().sum(),
            denied_edges: u64::try_from(denied.iter().filter(|count| **count > 0).count()).unwrap_or(u64::MAX),
        };
        observation.edges.extend(self.later);
        back_test
    }
}
