//! What policies may allow beyond what was seen.

use std::collections::BTreeSet;

use super::{Block, Direction, PolicyPort, WorkloadName};

/// Connections that policies may allow on one side although nobody used them: every one of the subjects, with every one of the
/// peers, on every one of the ports, and no others. It names no policy: whichever rule allows such a connection is excused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Widening {
    /// The workloads whose rules may allow more.
    pub subjects: BTreeSet<WorkloadName>,
    /// Whether it is their egress or their ingress rules.
    pub direction: Direction,
    /// The peers that are pods.
    pub workloads: BTreeSet<WorkloadName>,
    /// The peers that are addresses. A pod that has one of them is meant where an `ipBlock` covers that address.
    pub blocks: BTreeSet<Block>,
    /// On which of the responder's ports.
    pub ports: BTreeSet<PolicyPort>,
    /// Why, for the reader.
    pub reason: String,
}
