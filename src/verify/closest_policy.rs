//! Which policy would have to change for a connection that is not allowed.
//!
//! In: the pod whose side lacks a rule, and its peer. Out: the policies that isolate it and speak of no other workload, those with a
//! rule that already means the peer first (a port is missing), then those with rules for peers of the same sort. A policy that
//! selects other workloads too is none: changing it would open them.

use super::cluster_view::Place;
use super::evaluator::{Endpoint, Evaluator, Match, Peers};
use super::groups::GroupId;
use super::proof::observed::{Actors, addresses};
use super::verdict::Direction;
use super::{PolicyName, RuleName};
use crate::model::{Party, PodName};

/// A policy that could be changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Nearest {
    /// Its name.
    pub policy: PolicyName,
    /// The rule that means the peer already, on other ports.
    pub rule: Option<RuleName>,
}

/// The candidates for one side of an edge, the nearest first.
pub(super) fn nearest(
    evaluator: &Evaluator<'_>,
    actors: &Actors<'_>,
    direction: Direction,
    pod: &PodName,
    peer: &Party,
) -> Vec<Nearest> {
    let places: Vec<Place> = match peer {
        Party::Workload(name) => {
            let actor = actors.named(name);
            let pods = actor.into_iter().flat_map(|actor| actor.groups.values().flatten().chain(&actor.on_host_network));
            pods.take(1).map(|&pod| Place::Pod(pod)).collect()
        }
        _ => addresses(peer, evaluator.world).into_iter().map(Place::Address).collect(),
    };
    let (Some(pod), Some(&place)) = (evaluator.world.pod_named(pod), places.first()) else { return Vec::new() };
    candidates(evaluator, actors, direction, &evaluator.stand(Place::Pod(pod)), &evaluator.stand(place))
}

/// The same for places.
pub(super) fn candidates(
    evaluator: &Evaluator<'_>,
    actors: &Actors<'_>,
    direction: Direction,
    subject: &Endpoint<'_>,
    peer: &Endpoint<'_>,
) -> Vec<Nearest> {
    let Endpoint::Pod { group, .. } = subject else { return Vec::new() };
    let is_own = |other: &GroupId| other == group || actors.of_group(*other).eq(actors.of_group(*group));
    let mut found = Vec::new();
    for &policy in evaluator.isolating(*group, direction) {
        let selected = evaluator.subjects(policy);
        if !selected.iter().all(is_own) {
            continue;
        }
        let (mut meaning, mut same_sort) = (None, false);
        for (_, index, rule) in evaluator.rules(*group, direction).filter(|(of, ..)| *of == policy) {
            if evaluator.means(rule, peer) == Match::Yes {
                meaning = meaning.or_else(|| Some(evaluator.rule_name(policy, direction, index)));
            }
            same_sort |= match (&rule.peers, peer) {
                (Peers::Everyone, _) => true,
                (Peers::Listed { selections, .. }, Endpoint::Pod { .. }) => !selections.is_empty(),
                (Peers::Listed { blocks, .. }, _) => !blocks.is_empty(),
            };
        }
        if meaning.is_some() || same_sort {
            let nearest = Nearest { policy: evaluator.policy_name(policy).clone(), rule: meaning };
            found.push((nearest.rule.is_none(), selected.len(), nearest));
        }
    }
    found.sort();
    found.into_iter().map(|(_, _, nearest)| nearest).collect()
}
