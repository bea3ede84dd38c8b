//! How much of the cluster's traffic the capture can have shown.
//!
//! In: an [`Observation`](crate::edge::Observation), the [`Inventory`](crate::inventory::Inventory) and the policies made of them.
//! Out: how the discovery of edges levelled off ([`Discovery`]) with estimates of what is still unseen ([`Estimate`]), and what a run
//! learned from the first part alone would have denied of the rest ([`BackTest`]); and by name what the cluster's objects speak of and
//! nothing was seen of ([`blind_spots`], and as rules to be completed [`candidates`](candidates())). Guaranteed: the order in which captures were read
//! makes no difference; where there is too little to go by, there is no number.

mod back_test;
mod blind;
mod candidates;
mod denied;
mod discovery;
mod estimate;
#[cfg(test)]
mod tests;

pub use back_test::{BackTest, Split, split};
pub use blind::{blind_spots, uncalled};
pub use candidates::{Caller, Candidate, candidates};
pub use denied::attribute_denials;
pub use discovery::{Course, Discovery};
pub use estimate::{Basis, Estimate, FEW};

use serde::{Deserialize, Serialize};

/// What a run may have missed, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Coverage {
    /// How edges came up over time, and what that says of those that did not.
    #[serde(flatten)]
    pub discovery: Discovery,
    /// What the first part of the time alone would have denied of the rest; `null` where that cannot be told.
    pub back_test: Option<BackTest>,
}
