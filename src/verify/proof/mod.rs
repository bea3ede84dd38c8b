//! The proof of a learned result: no observed connection is denied, and nothing else is allowed.
//!
//! In: policies, the observed edges, the [`ClusterView`], and what the caller admits to have widened on purpose. Out: each breach of
//! the promise by name. Judged per side: the egress rules of every pod of a subject namespace against what that pod's workload
//! was seen to call, its ingress rules against who was seen to call it.
//!
//! The allowed side is compared as sets, so "nothing else" means every pod of the world, every port from 0 to 65535 and every
//! address of both families, not only those that were seen; the work grows with what the policies allow, not with
//! workloads x workloads x ports.

mod allowed_despite_rejection;
pub(super) mod observed;
mod over_permission;

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::fmt;

use k8s_openapi::api::networking::v1::NetworkPolicy;

use super::cluster_view::{ClusterView, Place};
use super::error::{PolicyError, PolicyName};
use super::evaluator::Evaluator;
use super::ports::PortSet;
use super::ranges::AddressSet;
use super::verdict::{Answer, Direction, RuleName, Side};
use crate::inventory::PodId;
use crate::model::{Edge, Party, PodName, Protocol, Widening, WorkloadName};
pub use allowed_despite_rejection::{Admitted, admitted};
use observed::{Actors, Observed};

/// What the caller admits, as plain values: nothing of it is taken from the policies themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// The namespaces the promise is about; `None` for all that have policies.
    pub subjects: Option<BTreeSet<String>>,
    /// What the policies may allow beyond what was seen; all else that they allow is excess.
    pub widenings: BTreeSet<Widening>,
}

/// How the promise was kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// Observed edges that the policies deny.
    pub denied: BTreeSet<Denied>,
    /// What they allow and nobody used.
    pub excess: BTreeSet<Excess>,
    /// What they allow and nobody used, admitted or unavoidable.
    pub widened: BTreeSet<Widened>,
    /// Workloads of subject namespaces of which some pod is isolated by no policy in that direction: everything is allowed there.
    pub unisolated: BTreeSet<(WorkloadName, Direction)>,
    /// How many pairs were judged: each subject workload and direction with each workload on the pod network and each
    /// address of the edges.
    pub pairs_checked: u64,
}

impl Proof {
    /// Whether the promise was kept.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.denied.is_empty() && self.excess.is_empty() && self.unisolated.is_empty()
    }
}

/// An observed edge that one side would no longer allow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Denied {
    /// The edge.
    pub edge: Edge,
    /// Egress of its originator or ingress of its responder.
    pub side: Direction,
    /// Why.
    pub why: Why,
}

/// Why an observed edge is not allowed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// These policies isolate the pod and no rule allows the connection.
    NoRule {
        /// A pod of the subject for which that is so.
        pod: PodName,
        /// The policies.
        isolated_by: BTreeSet<PolicyName>,
    },
    /// Only an `ipBlock` on a pod's address allows it.
    Undefined {
        /// A pod of the subject for which that is so.
        pod: PodName,
        /// The rules with that block.
        by: BTreeSet<RuleName>,
    },
    /// The world has no pod of one of the workloads, or no address of the API server, so nothing can be proved.
    UnknownParty(Party),
}

/// Connections that one side allows and nobody used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Excess {
    /// The workload whose policies allow them.
    pub subject: WorkloadName,
    /// To it or from it.
    pub direction: Direction,
    /// From whom or to whom.
    pub peer: Reached,
    /// On which ports of the responder.
    pub ports: PortSet,
    /// Whether they are allowed for certain, or [`Answer::Undefined`]: by an `ipBlock` on a pod's address.
    pub certainty: Answer,
    /// The rules that do.
    pub by: BTreeSet<RuleName>,
}

/// How pods of namespaces that the world does not know are called.
pub const UNKNOWN_NAMESPACES: &str = "pods of namespaces to come";

/// The other side of an excess.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reached {
    /// Everyone: the rule has no peers.
    Everyone,
    /// Pods of any namespace, also of those that nobody knows yet.
    UnknownNamespaces,
    /// Pods of a workload.
    Workload(WorkloadName),
    /// Addresses that were not seen with this workload, or not on these ports.
    Addresses(AddressSet),
}

/// An excess with its excuse.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Widened {
    /// What is allowed.
    pub excess: Excess,
    /// Why.
    pub reason: Reason,
}

/// Why an excess is not held against the policies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A workload that may do so has pods with exactly the same labels; no selector tells them apart.
    SameLabels,
    /// Its [`Widening::reason`].
    Stated(String),
}

impl fmt::Display for Reached {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everyone => formatter.write_str("everyone"),
            Self::UnknownNamespaces => formatter.write_str(UNKNOWN_NAMESPACES),
            Self::Workload(workload) => workload.fmt(formatter),
            Self::Addresses(addresses) => addresses.fmt(formatter),
        }
    }
}

/// `egress shop/web -> shop/db TCP 5433, by shop/allow-egress-from-web egress[0]`.
impl fmt::Display for Excess {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.direction {
            Direction::Egress => write!(formatter, "egress {} -> {} {}", self.subject, self.peer, self.ports)?,
            Direction::Ingress => write!(formatter, "ingress {} -> {} {}", self.peer, self.subject, self.ports)?,
        }
        if self.certainty == Answer::Undefined {
            formatter.write_str(" (up to the network plug-in)")?;
        }
        write!(formatter, ", by {}", listed(&self.by))
    }
}

impl fmt::Display for Why {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRule { pod, isolated_by } => {
                write!(formatter, "pod {pod} is isolated by {} and no rule allows it", listed(isolated_by))
            }
            Self::Undefined { pod, by } => {
                write!(formatter, "pod {pod} has only an ipBlock on a pod's address for it, in {}", listed(by))
            }
            Self::UnknownParty(party) => write!(formatter, "no address of {party} is known"),
        }
    }
}

/// `ingress of shop/web -> shop/db TCP 5432: pod shop/db-0 is isolated by ...`.
impl fmt::Display for Denied {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} of {}: {}", self.side, self.edge, self.why)
    }
}

fn listed(names: &BTreeSet<impl fmt::Display>) -> String {
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Judges the policies by the observed edges.
///
/// # Errors
/// The first policy that is malformed.
pub fn prove<'e>(
    policies: impl IntoIterator<Item: Borrow<NetworkPolicy>>,
    world: &ClusterView,
    edges: impl IntoIterator<Item = &'e Edge>,
    terms: &Terms,
) -> Result<Proof, PolicyError> {
    let evaluator = Evaluator::new(policies, world)?;
    let actors = Actors::new(&evaluator, terms.subjects.as_ref());
    let mut observed = Observed::default();
    let mut proof = Proof::default();
    for edge in edges {
        observed.add(edge, &actors, world);
        proof.denied.extend(denials(&evaluator, &actors, edge));
    }
    over_permission::find(&evaluator, &actors, &observed, terms, &mut proof);
    let peers = actors.workloads().iter().filter(|actor| !actor.groups.is_empty()).count() + observed.addresses().len();
    proof.pairs_checked = (actors.subjects().count() as u64).saturating_mul(2).saturating_mul(peers as u64);
    Ok(proof)
}

/// The edges that the policies deny on the side of a namespace of `subjects`, and nothing of what they allow beside.
///
/// # Errors
/// The first policy that is malformed.
pub fn denied<'e>(
    policies: impl IntoIterator<Item: Borrow<NetworkPolicy>>,
    world: &ClusterView,
    edges: impl IntoIterator<Item = &'e Edge>,
    subjects: &BTreeSet<String>,
) -> Result<BTreeSet<Denied>, PolicyError> {
    let evaluator = Evaluator::new(policies, world)?;
    let actors = Actors::new(&evaluator, Some(subjects));
    Ok(edges.into_iter().flat_map(|edge| denials(&evaluator, &actors, edge)).collect())
}

/// The sides on which an edge is denied.
fn denials(evaluator: &Evaluator<'_>, actors: &Actors<'_>, edge: &Edge) -> Vec<Denied> {
    let sides = [(Direction::Egress, &edge.originator, &edge.responder), (Direction::Ingress, &edge.responder, &edge.originator)];
    let denial = |(side, subject, peer): (Direction, &Party, &Party)| {
        let Party::Workload(subject) = subject else { return None };
        if !actors.is_subject_namespace(&subject.namespace) {
            return None;
        }
        let why = judge(evaluator, actors, edge, side, subject, peer).err()?;
        Some(Denied { edge: edge.clone(), side, why })
    };
    sides.into_iter().filter_map(denial).collect()
}

/// Whether all pods of the subject may have this edge with all of its peer, on the subject's side.
pub(super) fn judge(
    evaluator: &Evaluator<'_>,
    actors: &Actors<'_>,
    edge: &Edge,
    direction: Direction,
    subject: &WorkloadName,
    peer: &Party,
) -> Result<(), Why> {
    let unknown = |party: Party| Why::UnknownParty(party);
    let subjects = actors.named(subject).ok_or_else(|| unknown(Party::Workload(subject.clone().into())))?;
    let port = edge.port.get();
    let places: Vec<(Vec<Place>, u16)> = match peer {
        Party::Workload(name) => {
            let peers = actors.named(name).ok_or_else(|| unknown(peer.clone()))?;
            // An edge names a workload for its pods on the pod network; one that has none is meant by its nodes' addresses.
            let of_nodes = peers.on_host_network.iter().filter(|_| peers.groups.is_empty()).map(|&pod| vec![Place::Pod(pod)]);
            let pods = peers.groups.values().map(|pods| pods.iter().copied().map(Place::Pod).collect());
            pods.chain(of_nodes).map(|alike| (alike, port)).collect()
        }
        // Any of its endpoints may answer, each at its own port.
        Party::ApiServer if direction == Direction::Egress => {
            let backends = evaluator.world.api_server.iter();
            backends.map(|backend| (vec![Place::Address(backend.address)], backend.port)).collect()
        }
        _ => {
            let addresses = observed::addresses(peer, evaluator.world).into_iter();
            addresses.map(|address| (vec![Place::Address(address)], port)).collect()
        }
    };
    if places.is_empty() {
        return Err(unknown(peer.clone()));
    }
    for pods in subjects.groups.values() {
        for (alike, port) in &places {
            // Pods of a group differ only in what exempts them: their node, and being the same pod.
            let pairs = pods.iter().flat_map(|&pod| alike.iter().map(move |&place| (pod, place)));
            let judged = pairs.map(|(pod, place)| (pod, side(evaluator, (edge.protocol, *port), direction, pod, place)));
            match judged.into_iter().find(|(_, side)| !matches!(side, Side::Exempt(_))) {
                Some((pod, Side::Denied { isolated_by })) => {
                    return Err(Why::NoRule { pod: evaluator.world.pod(pod).name.clone(), isolated_by });
                }
                Some((pod, Side::Undefined { by })) => {
                    return Err(Why::Undefined { pod: evaluator.world.pod(pod).name.clone(), by });
                }
                _ => {}
            }
        }
    }
    Ok(())
}

fn side(evaluator: &Evaluator<'_>, (protocol, port): (Protocol, u16), direction: Direction, subject: PodId, peer: Place) -> Side {
    let (subject, peer) = (evaluator.stand(Place::Pod(subject)), evaluator.stand(peer));
    evaluator.side(direction, &subject, &peer, protocol, port)
}
