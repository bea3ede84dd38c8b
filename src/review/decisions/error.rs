//! Why decisions cannot be obeyed. None of them is: half a file obeyed would be another file.

use ipnet::IpNet;

use super::kinds::What;
use crate::model::{Edge, WorkloadName};

/// What is wrong, as the rest of a sentence that names the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecisionError {
    /// It is no file of decisions.
    #[error("line {line}, column {column}: {what}")]
    Malformed {
        /// From 1.
        line: u64,
        /// From 1.
        column: u64,
        /// What the reader says.
        what: String,
    },
    /// A version that is not known.
    #[error("it says version {0}, and this program knows version 1")]
    Version(u64),
    /// A field that says nothing that can be understood.
    #[error("line {line}: {field}: `{text}` {what}")]
    Field {
        /// Where the field is.
        line: u64,
        /// Its name.
        field: &'static str,
        /// What stands there.
        text: String,
        /// What is wrong with that.
        what: String,
    },
    /// Two decisions that say the same.
    #[error("`{first}` (line {first_line}) and `{second}` (line {second_line}) speak of the same")]
    Twice {
        /// The one.
        first: Box<What>,
        /// Where it is.
        first_line: u64,
        /// The other.
        second: Box<What>,
        /// Where that is.
        second_line: u64,
    },
    /// Two decisions of which only one can be obeyed.
    #[error("`{first}` (line {first_line}) and `{second}` (line {second_line}) contradict each other: both mean {over}")]
    Contradiction {
        /// The one.
        first: Box<What>,
        /// Where it is.
        first_line: u64,
        /// The other.
        second: Box<What>,
        /// Where that is.
        second_line: u64,
        /// What both mean.
        over: String,
    },
    /// A range that is no outside range.
    #[error("line {line}: `{what}`: {range} overlaps {own}")]
    Overlap {
        /// Where the decision is.
        line: u64,
        /// The decision.
        what: Box<What>,
        /// Its range.
        range: IpNet,
        /// What lies in it.
        own: String,
    },
    /// A range that adds too much.
    #[error("line {line}: `{what}` would add {added} addresses to those that {workload} was seen with, and its bound is {bound}")]
    BeyondBound {
        /// Where the decision is.
        line: u64,
        /// The decision.
        what: Box<What>,
        /// Whose addresses they are.
        workload: Box<WorkloadName>,
        /// How many it would add.
        added: u128,
        /// How many it may add.
        bound: u64,
    },
    /// A name that another policy has.
    #[error("line {line}: `{what}`: {other} would have that name too")]
    NameTaken {
        /// Where the decision is.
        line: u64,
        /// The decision.
        what: Box<What>,
        /// The other policy, by the name that the tool gives it.
        other: String,
    },
    /// An edge that is rejected and would be allowed all the same.
    #[error("line {line}: `{what}`: {edge} would be allowed all the same, {by}")]
    Reallowed {
        /// Where the decision is.
        line: u64,
        /// The decision.
        what: Box<What>,
        /// The edge.
        edge: Box<Edge>,
        /// By what.
        by: String,
    },
}

impl DecisionError {
    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Malformed { .. } | Self::Version(_) | Self::Field { .. } => {
                "docs/decisions.md says what the file may hold; --no-decisions leaves it out"
            }
            Self::Twice { .. } => "keep one of them",
            Self::Contradiction { .. } => "no decision comes before another: make one of them narrower, or take it out",
            Self::Overlap { .. } => "only ranges outside the cluster can be said as a CIDR: take one that leaves this out",
            Self::BeyondBound { .. } => {
                "take a smaller range, or raise the bound; a bound as great as the range holds however few were seen"
            }
            Self::NameTaken { .. } => "choose a name that no other policy of the namespace has",
            Self::Reallowed { .. } => {
                "narrow what allows it (a smaller range, both protocols of name resolution, labels that tell workloads apart), or take the decision back"
            }
        }
    }
}
