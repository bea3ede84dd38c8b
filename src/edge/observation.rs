//! What was observed, in terms of the cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::inventory::{NodeId, PodId, WorkloadId};
use crate::model::{Edge, Evidence, Findings, Party, Protocol, Span};

use super::classes::FlowClasses;
use super::failures::{FailedAttempts, FailedTargets};
use super::ports::DynamicPorts;
use super::start_histogram::StartHistogram;
use super::unattributed::Unattributed;

/// What was observed, in terms of the cluster.
#[derive(Clone, Debug, Default)]
pub struct Observation {
    /// Who must be able to talk to whom, and why.
    pub edges: BTreeMap<Edge, Evidence>,
    /// Connections to ports picked at run time; not among the edges.
    pub dynamic: Vec<DynamicPorts>,
    /// Workloads that took part in an answered connection.
    pub active: BTreeSet<WorkloadId>,
    /// Pods that sent or answered anything, a ping and what they said to their own node included.
    pub seen: BTreeSet<PodId>,
    /// Nodes that exchanged packets with pods of their own, which only a capture there can show.
    pub seen_nodes: BTreeSet<NodeId>,
    /// Ports at which workloads answered pods' own nodes (probes), which makes no edges.
    pub answered_own_node: BTreeSet<(WorkloadId, Protocol, u16)>,
    /// What parties tried in vain, but for outside addresses that they had asked for by name.
    pub failed_attempts: BTreeMap<Party, FailedTargets>,
    /// The addresses to which names led that pods of each workload asked for; none for a workload whose name resolution was not seen.
    pub asked: BTreeMap<WorkloadId, BTreeSet<IpAddr>>,
    /// Conversations by outcome; those of scans and floods that were summed up are `flood`.
    pub flows: BTreeMap<&'static str, u64>,
    /// The same conversations by what became of them.
    pub classes: FlowClasses,
    /// Edges that rest on one-way UDP alone, with how many conversations are counted with each.
    pub one_way: BTreeMap<Edge, u64>,
    /// Attempts that failed, where the inventory holds policies that may be why; at most one entry for a finding.
    pub failed: Vec<FailedAttempts>,
    /// Answered connections of workloads with addresses of which it is not known whose they were.
    pub unattributed: Unattributed,
    /// From the first to the last flow.
    pub span: Option<Span>,
    /// When the answered connections of the edges began. One that may have gone to several workloads behind a Service counts once
    /// for each, as it does in their evidence.
    pub arrivals: StartHistogram,
    /// Connections on edges that were too many to be kept; `arrivals` has them, `edges` has not.
    pub left_out: u64,
    /// What is to be said beside the edges.
    pub findings: Findings,
}
