//! Why one connection is possible or not.
//!
//! In: the pods or addresses on both sides, protocol and port. Out: a [`Case`] for each different answer; mostly there is one, and
//! more where pods of one workload are treated differently.

use std::collections::BTreeMap;

use super::closest_policy::{Nearest, candidates};
use super::cluster_view::Place;
use super::evaluator::{Endpoint, Evaluator};
use super::groups::GroupId;
use super::proof::observed::Actors;
use super::verdict::{Direction, Exempt, Side, Verdict};
use crate::model::Protocol;

/// How many pairs of pods that selectors cannot tell apart are asked. They differ only in what exempts some of them, and in the
/// blocks that hold their addresses.
const PAIRS: usize = 4096;

/// One answer, with a pair of places for which it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The answers of both sides.
    pub verdict: Verdict,
    /// Who opens, for example.
    pub originator: Place,
    /// Who is called, for example.
    pub responder: Place,
    /// For each side that does not allow it, the policies that could be changed to, the nearest first.
    pub nearest: BTreeMap<Direction, Vec<Nearest>>,
}

/// The different answers for connections from these places to those.
#[must_use]
pub fn explain(evaluator: &Evaluator<'_>, from: &[Place], to: &[Place], protocol: Protocol, port: u16) -> Vec<Case> {
    let actors = Actors::new(evaluator, None);
    let mut cases: BTreeMap<Verdict, (Place, Place)> = BTreeMap::new();
    let (from, to) = (alike(evaluator, from), alike(evaluator, to));
    for originators in &from {
        for responders in &to {
            let pairs = originators.iter().flat_map(|&one| responders.iter().map(move |&other| (one, other)));
            let mut special = None;
            let mut is_usual = false;
            for (one, other) in pairs.take(PAIRS) {
                let verdict = evaluator.verdict(one, other, protocol, port);
                if is_special(&verdict) {
                    special.get_or_insert((verdict, (one, other)));
                } else {
                    is_usual = true;
                    cases.entry(verdict).or_insert((one, other));
                }
            }
            if let Some((verdict, pair)) = special.filter(|_| !is_usual) {
                cases.entry(verdict).or_insert(pair);
            }
        }
    }
    let case = |(verdict, (originator, responder)): (Verdict, (Place, Place))| {
        let sides = [
            (Direction::Egress, &verdict.originator, originator, responder),
            (Direction::Ingress, &verdict.responder, responder, originator),
        ];
        let lacking = sides.into_iter().filter(|(_, side, ..)| matches!(side, Side::Denied { .. } | Side::Undefined { .. }));
        let nearest = lacking.map(|(direction, _, subject, peer)| {
            (direction, candidates(evaluator, &actors, direction, &evaluator.stand(subject), &evaluator.stand(peer)))
        });
        Case { nearest: nearest.collect(), verdict, originator, responder }
    };
    cases.into_iter().map(case).collect()
}

/// Whether the answer rests on where these two are, not on what they are.
const fn is_special(verdict: &Verdict) -> bool {
    const fn is(side: &Side) -> bool {
        matches!(side, Side::Exempt(Exempt::SamePod | Exempt::OwnNode))
    }
    is(&verdict.originator) || is(&verdict.responder)
}

/// The places, those together that policies cannot tell apart.
fn alike(evaluator: &Evaluator<'_>, places: &[Place]) -> Vec<Vec<Place>> {
    let mut groups: BTreeMap<GroupId, Vec<Place>> = BTreeMap::new();
    let mut others = Vec::new();
    for &place in places {
        match evaluator.stand(place) {
            Endpoint::Pod { group, .. } => groups.entry(group).or_default().push(place),
            Endpoint::Host { .. } | Endpoint::Outside(_) => others.push(vec![place]),
        }
    }
    groups.into_values().chain(others).collect()
}
