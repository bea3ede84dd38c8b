//! What a reviewer decided, held against what was seen.
//!
//! In: the text of a decisions file ([`file`]), the [`Observation`](crate::edge::Observation), the
//! [`Inventory`](crate::inventory::Inventory) and the date, which the command line knows. Out: edges that must not become rules
//! ([`Rejected`]), addresses outside that may be said as a range, names, findings that are settled, and of every decision what
//! became of it ([`State`]).
//!
//! Guaranteed: no decision allows what was not seen, but for the addresses of a range, which are counted, bounded and none of the
//! cluster's own; decisions that contradict one another are an error that names both, and so none comes before another: the same
//! decisions in any order give the same result.

mod error;
pub mod file;
mod kinds;
mod pattern;
mod ruling;
#[cfg(test)]
mod tests;

pub use error::DecisionError;
pub use kinds::{Decision, Ignore, Kind, QUARANTINED, Rename, What, Widen, added};
pub use pattern::{EdgePattern, PartyPattern, Ports, Way};
pub use ruling::{Decisions, Entry, Ignored, Rejected, Rejection, State};
