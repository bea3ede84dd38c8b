//! The other way round: edges that must not be possible, and are.

use std::collections::BTreeSet;
use std::fmt;

use k8s_openapi::api::networking::v1::NetworkPolicy;

use super::observed::{Actors, addresses};
use crate::model::{Edge, Party};
use crate::verify::cluster_view::{ClusterView, Place};
use crate::verify::error::PolicyError;
use crate::verify::evaluator::Evaluator;
use crate::verify::verdict::{RuleName, Side};

/// An edge that policies let through, for some pods of its workloads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Admitted {
    /// The edge.
    pub edge: Edge,
    /// The rules of either side that do, those too whose `ipBlock` on a pod's address is up to the network plug-in; none where neither
    /// side is isolated.
    pub by: BTreeSet<RuleName>,
}

/// `by prod/allow-internet-to-web ingress[0]`.
impl fmt::Display for Admitted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.by.is_empty() {
            return formatter.write_str("because no policy isolates either side");
        }
        let rules: Vec<String> = self.by.iter().map(ToString::to_string).collect();
        write!(formatter, "by {}", rules.join(", "))
    }
}

/// Those of the edges that the policies let through. One denied side is enough to close an edge, and it must be for every pair of
/// pods; what no policy can forbid (a pod and its own node) is not held against them.
///
/// # Errors
/// The first policy that is malformed.
pub fn admitted<'e>(
    policies: &[NetworkPolicy],
    world: &ClusterView,
    edges: impl IntoIterator<Item = &'e Edge>,
) -> Result<BTreeSet<Admitted>, PolicyError> {
    let evaluator = Evaluator::new(policies, world)?;
    let actors = Actors::new(&evaluator, None);
    let admitted = |edge: &Edge| {
        let by = rules(&evaluator, &actors, edge)?;
        Some(Admitted { edge: edge.clone(), by })
    };
    Ok(edges.into_iter().filter_map(admitted).collect())
}

/// The rules that let an edge through; nothing where it is denied.
fn rules(evaluator: &Evaluator<'_>, actors: &Actors<'_>, edge: &Edge) -> Option<BTreeSet<RuleName>> {
    let (from, to) = (places(evaluator, actors, &edge.originator), places(evaluator, actors, &edge.responder));
    let mut found: Option<BTreeSet<RuleName>> = None;
    for originators in &from {
        for responders in &to {
            // Within a group only what exempts differs: the node, and being the same pod.
            let mut pairs = originators.iter().flat_map(|one| responders.iter().map(move |other| (*one, *other)));
            let judged = pairs.find_map(|(one, other)| {
                let verdict = evaluator.verdict(one, other, edge.protocol, edge.port.get());
                let is_exempt = |side: &Side| matches!(side, Side::Exempt(_));
                (!(is_exempt(&verdict.originator) && is_exempt(&verdict.responder))).then_some(verdict)
            });
            let Some(verdict) = judged else { continue };
            let sides = [verdict.originator, verdict.responder];
            if sides.iter().any(|side| matches!(side, Side::Denied { .. })) {
                continue;
            }
            let known = found.get_or_insert_default();
            for side in sides {
                if let Side::Allowed { by } | Side::Undefined { by } = side {
                    known.extend(by);
                }
            }
        }
    }
    found
}

/// Where a party is: its pods by group, or its addresses one by one.
fn places(evaluator: &Evaluator<'_>, actors: &Actors<'_>, party: &Party) -> Vec<Vec<Place>> {
    match party {
        Party::Workload(name) => {
            let Some(actor) = actors.named(name) else { return Vec::new() };
            let groups = actor.groups.values().map(|pods| pods.iter().copied().map(Place::Pod).collect());
            groups.chain(actor.on_host_network.iter().map(|&pod| vec![Place::Pod(pod)])).collect()
        }
        _ => addresses(party, evaluator.world).into_iter().map(|address| vec![Place::Address(address)]).collect(),
    }
}
