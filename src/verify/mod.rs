//! What policies mean, and whether the learned ones keep their promise.
//!
//! In: NetworkPolicies as API objects, a [`World`] of pods and addresses, observed edges. Out: verdicts with reasons
//! ([`Evaluator`], [`explain`]), the [`Proof`] that no observed connection is denied and no other one allowed, what later traffic
//! would be denied and what nobody used ([`replay`]), and what one set allows that another does not ([`diff`]).
//! Nothing here knows how policies are made: the semantics come from the API's text, so that a mistake in the making cannot hide
//! behind the same mistake in the checking.

mod block;
mod diff;
mod error;
mod evaluator;
mod explain;
mod groups;
mod nearest;
mod parties;
mod pods_to_come;
mod ports;
mod proof;
mod ranges;
mod replay;
mod selector;
mod sides;
mod spec;
mod unmatched;
mod unused;
mod verdict;
mod widenings;
mod world;

pub use crate::model::Widening;
pub use block::AddressBlock;
pub use diff::{Change, Difference, Parts, diff};
pub use error::{PolicyError, PolicyFault, PolicyName};
pub use evaluator::{Evaluator, check};
pub use explain::{Case, explain};
pub use nearest::Nearest;
pub use parties::{Member, Parties};
pub use ports::PortSet;
pub use proof::{
    Admitted, Denied, Excess, Proof, Reached, Reason, Terms, UNKNOWN_NAMESPACES, Why, Widened, admitted, denied, prove,
};
pub use ranges::AddressSet;
pub use replay::{Missing, Replay, Unused, UnusedPeers, replay, replay_in};
pub use unmatched::{Unmatched, unmatched};
pub use verdict::{Answer, Direction, Exempt, Reach, RuleName, Side, Verdict};
pub use world::{NamedPort, Node, Place, Pod, ToOwnNode, World};

#[cfg(test)]
mod tests;
