//! What policies mean, and whether the learned ones keep their promise.
//!
//! In: NetworkPolicies as API objects, a [`World`] of pods and addresses, observed edges. Out: verdicts with reasons
//! ([`Evaluator`]) and the [`Proof`] that no observed connection is denied and no other one allowed.
//! Nothing here knows how policies are made: the semantics come from the API's text, so that a mistake in the making cannot hide
//! behind the same mistake in the checking.

mod block;
mod error;
mod evaluator;
mod groups;
mod ports;
mod proof;
mod selector;
mod spec;
mod verdict;
mod world;

pub use block::AddressBlock;
pub use error::{PolicyError, PolicyFault, PolicyName};
pub use evaluator::Evaluator;
pub use ports::PortSet;
pub use proof::{Denied, Excess, Proof, Reached, Reason, Terms, Why, Widened, Widening, denied, prove};
pub use verdict::{Answer, Direction, Exempt, Reach, RuleName, Side, Verdict};
pub use world::{NamedPort, Node, Place, Pod, World};

#[cfg(test)]
mod tests;
