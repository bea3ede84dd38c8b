//! What policies mean, and whether the learned ones keep their promise.
//!
//! In: NetworkPolicies as API objects, a [`ClusterView`] of pods and addresses, observed edges. Out: verdicts with reasons
//! ([`Evaluator`], [`explain`]), the [`Proof`] that no observed connection is denied and no other one allowed, what later traffic
//! would be denied and what nobody used ([`replay`]), and what one set allows that another does not ([`diff`]).
//! Nothing here knows how policies are made: the semantics come from the API's text, so that a mistake in the making cannot hide
//! behind the same mistake in the checking.

mod block;
mod closest_policy;
mod cluster_view;
mod diff;
mod direction;
mod error;
mod evaluator;
mod explain;
mod groups;
mod pods_to_come;
mod ports;
mod proof;
mod ranges;
mod replay;
mod selector;
mod spec;
mod unmatched;
mod unused;
mod verdict;
mod widenings;
mod workload_set;

pub use crate::model::Widening;
pub use block::AddressBlock;
pub use closest_policy::Nearest;
pub use cluster_view::{ClusterView, NamedPort, Node, Place, Pod, ToOwnNode};
pub use diff::{Change, Difference, Parts, diff};
pub use error::{PolicyError, PolicyFault, PolicyName};
pub use evaluator::{Evaluator, check};
pub use explain::{Case, explain};
pub use ports::PortSet;
pub use proof::{
    Admitted, Denied, Excess, Proof, Reached, Reason, Terms, UNKNOWN_NAMESPACES, Why, Widened, admitted, denied, prove,
};
pub use ranges::AddressSet;
pub use replay::{Missing, Replay, Unused, UnusedPeers, replay, replay_in};
pub use unmatched::{Unmatched, unmatched};
pub use verdict::{Answer, Direction, Exempt, Reach, RuleName, Side, Verdict};
pub use workload_set::{Member, Parties};

#[cfg(test)]
mod tests;
