//! Later traffic held against policies: what they would deny of it, and what they allow that nobody used.
//!
//! In: policies, the [`ClusterView`], observed edges, and what may be allowed beyond them. Out: [`Replay`]. A connection
//! counts as allowed where both sides allow it, for every pod of its workloads: replicas stand for one another, and a pod that a
//! policy treats otherwise than its fellows is named. An `ipBlock` that covers a pod's address is never relied on.
//! What nobody used is told per subject: the responder where its ingress is isolated, else the originator.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::networking::v1::NetworkPolicy;

use super::closest_policy::{Nearest, nearest};
use super::cluster_view::ClusterView;
use super::error::PolicyError;
use super::evaluator::Evaluator;
use super::ports::PortSet;
use super::proof::observed::{Actors, Observed};
use super::proof::{Why, judge};
use super::ranges::AddressSet;
use super::unused;
use super::verdict::{Answer, Direction, RuleName};
use super::widenings::Widenings;
use super::workload_set::Parties;
use crate::model::{Edge, Party, Widening, WorkloadName};

/// Edges held against policies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replay {
    /// How many edges there were.
    pub edges: u64,
    /// Those that one side or both would not allow, with at least one reason each.
    pub denied: BTreeMap<Edge, Vec<Missing>>,
    /// What the policies allow and nobody used.
    pub unused: BTreeSet<Unused>,
    /// What the subject's own rules allow and nobody used, and the other side denies: one more rule there, and it is open.
    pub one_sided: BTreeSet<Unused>,
    /// Workloads of the judged namespaces of which some pod is isolated by none in that direction: everything is allowed there.
    pub unisolated: BTreeSet<(WorkloadName, Direction)>,
}

/// What one side lacks for an edge.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Missing {
    /// Egress of the originator or ingress of the responder.
    pub side: Direction,
    /// Why it is not allowed.
    pub why: Why,
    /// Policies of that subject and direction that could be changed to allow it, the nearest first.
    pub nearest: Vec<Nearest>,
}

/// Connections that policies allow and nobody used: all these peers on all these ports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unused {
    /// The workload whose rules allow them.
    pub subject: WorkloadName,
    /// To it or from it.
    pub direction: Direction,
    /// Why it may be allowed although it was not seen; nothing where it is excess.
    pub reason: Option<String>,
    /// From whom or to whom.
    pub peers: UnusedPeers,
    /// On which ports of the responder.
    pub ports: PortSet,
    /// Whether they are allowed for certain, or only by an `ipBlock` on pods' addresses, which network plug-ins treat differently.
    pub certainty: Answer,
    /// The subject's rules that allow them.
    pub by: BTreeSet<RuleName>,
}

/// The other side of connections that nobody used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UnusedPeers {
    /// Everyone, pods and addresses: the rule has no peers.
    Everyone,
    /// Pods of any namespace, also of those that nobody knows yet.
    UnknownNamespaces,
    /// Workloads.
    Pods(Parties),
    /// Addresses that no pod has.
    Addresses(AddressSet),
}

impl Replay {
    /// Whether more is allowed than was seen and may be allowed: on both sides, on one, or because nothing isolates a workload.
    #[must_use]
    pub fn has_excess(&self) -> bool {
        !self.unisolated.is_empty() || !self.one_sided.is_empty() || self.unused.iter().any(|unused| unused.reason.is_none())
    }
}

impl Unused {
    /// How many pairs of workloads it stands for; all others count as one.
    #[must_use]
    pub const fn pairs(&self) -> u64 {
        match &self.peers {
            UnusedPeers::Pods(parties) => parties.workloads,
            UnusedPeers::Everyone | UnusedPeers::UnknownNamespaces | UnusedPeers::Addresses(_) => 1,
        }
    }
}

/// Holds edges against policies, for the namespaces that have some. `widenings` are what the policies may allow beyond what was seen.
///
/// # Errors
/// The first policy that is malformed.
pub fn replay<'e, 't>(
    policies: &[NetworkPolicy],
    widenings: impl IntoIterator<Item = &'t Widening>,
    world: &ClusterView,
    edges: impl IntoIterator<Item = &'e Edge>,
) -> Result<Replay, PolicyError> {
    replay_in(None, policies, widenings, world, edges)
}

/// The same for these namespaces, whether or not they have policies; without any, for all that have some.
///
/// # Errors
/// The first policy that is malformed.
pub fn replay_in<'e, 't>(
    namespaces: Option<&BTreeSet<String>>,
    policies: &[NetworkPolicy],
    widenings: impl IntoIterator<Item = &'t Widening>,
    world: &ClusterView,
    edges: impl IntoIterator<Item = &'e Edge>,
) -> Result<Replay, PolicyError> {
    let evaluator = Evaluator::new(policies, world)?;
    let actors = Actors::new(&evaluator, namespaces);
    let mut observed = Observed::default();
    let mut replay = Replay::default();
    for edge in edges {
        replay.edges += 1;
        observed.add(edge, &actors, world);
        let missing = missing(&evaluator, &actors, edge);
        if !missing.is_empty() {
            replay.denied.insert(edge.clone(), missing);
        }
    }
    unused::find(&evaluator, &actors, &observed, &Widenings::new(widenings, &actors), &mut replay);
    Ok(replay)
}

/// What the sides of an edge lack.
fn missing(evaluator: &Evaluator<'_>, actors: &Actors<'_>, edge: &Edge) -> Vec<Missing> {
    let sides = [(Direction::Egress, &edge.originator, &edge.responder), (Direction::Ingress, &edge.responder, &edge.originator)];
    let mut missing = Vec::new();
    for (side, subject, peer) in sides {
        if let Party::Workload(subject) = subject
            && actors.is_subject_namespace(&subject.namespace)
            && let Err(why) = judge(evaluator, actors, edge, side, subject, peer)
        {
            let nearest = match &why {
                Why::UnknownParty(_) => Vec::new(),
                Why::NoRule { pod, .. } | Why::Undefined { pod, .. } => nearest(evaluator, actors, side, pod, peer),
            };
            missing.push(Missing { side, why, nearest });
        }
    }
    missing
}
