//! The vocabulary that every stage shares.
//!
//! In: nothing; this module imports no other of the crate. Out: plain values whose derived order is the order of every
//! output. What a type admits is what may be said: a rule without peers or ports, or a selector that means "everything" by
//! accident, cannot be built.

mod code;
mod direction;
mod edge;
mod endpoint;
mod finding;
mod flow;
mod identity;
mod labels;
pub(crate) mod memory;
mod non_empty;
mod policy;
mod seeded;
mod time;
mod widening;

pub use code::{Code, Severity};
pub use direction::Direction;
pub use edge::{Called, Edge, Evidence, NodeAddress, Party};
pub use endpoint::{Endpoint, Protocol};
pub use finding::{Finding, Findings};
pub use flow::{Beginning, DirectionEvidence, Exchange, Flow, NameAnswer, Outcome, Speaker};
pub use identity::{PodName, WorkloadKind, WorkloadName};
pub use labels::{Labels, PodSelector, Requirement};
pub use non_empty::NonEmpty;
pub use policy::{Block, Class, Explained, Peer, Policy, PolicyPort, Rule, Rules};
pub use seeded::{Seeded, SeededMap, SeededSet};
pub use time::{Span, Timestamp, length};
pub use widening::Widening;
