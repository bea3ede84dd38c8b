//! What may be typed for `verify`, `explain` and `diff`; nothing of what it means.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[cfg(feature = "cluster")]
use super::args::Cluster;
use super::args::{Beyond, EXPERT, Format, Limits, OneWay, Ranges, Tunnelling};
use super::policy_set::CLUSTER;

/// The objects of the cluster.
#[derive(Debug, Args)]
pub(super) struct Known {
    /// Kubernetes objects: file or directory, as learn --inventory takes them. Repeatable. Default: ask the cluster
    #[arg(long, short, value_name = "PATH", required = cfg!(not(feature = "cluster")))]
    pub(super) inventory: Vec<PathBuf>,

    #[cfg(feature = "cluster")]
    #[command(flatten)]
    pub(super) cluster: Cluster,

    #[command(flatten)]
    pub(super) ranges: Ranges,
}

/// What reviewers decided.
#[derive(Debug, Args)]
pub(super) struct Deciding {
    /// Decisions file (accept, reject, widen, rename, ignore). Default: netpol-gen.yaml beside the policies or in this directory
    #[arg(long, value_name = "FILE")]
    pub(super) decisions: Option<PathBuf>,

    /// Ignore decisions
    #[arg(long, conflicts_with = "decisions")]
    pub(super) no_decisions: bool,
}

/// The policies to be checked.
#[derive(Debug, Args)]
pub(super) struct GivenPolicies {
    /// NetworkPolicies: file, directory, - for standard input, or the word cluster for those of the inventory. Repeatable
    ///
    /// Objects of other kinds are skipped.
    #[arg(long, short = 'f', value_name = "PATH|cluster", required = true)]
    pub(super) policies: Vec<String>,

    /// Evaluate only the given policies, without those of the inventory
    #[arg(long)]
    pub(super) without_cluster: bool,

    #[command(flatten)]
    pub(super) home: DefaultNamespace,
}

impl GivenPolicies {
    /// Whether the policies of the inventory count, too, and were not named.
    pub(super) fn joins_cluster(&self) -> bool {
        !self.without_cluster && self.policies.iter().all(|word| word != CLUSTER)
    }
}

/// Where policies belong that do not say it.
#[derive(Debug, Args)]
pub(super) struct DefaultNamespace {
    /// Namespace of policies without metadata.namespace. Without it they are an error
    #[arg(long, value_name = "NAME")]
    pub(super) default_namespace: Option<String>,
}

/// How captures are read.
#[derive(Debug, Args)]
#[command(next_help_heading = EXPERT)]
pub(super) struct Replaying {
    #[command(flatten)]
    pub(super) tunnelling: Tunnelling,

    /// Whether connections count of which only one direction was captured
    #[arg(long, value_enum, default_value_t = OneWay::Withhold)]
    pub(super) one_way: OneWay,

    #[command(flatten)]
    pub(super) limits: Limits,
}

#[derive(Debug, Args)]
pub(super) struct Verify {
    #[command(flatten)]
    pub(super) given: GivenPolicies,

    /// Capture to check: file, directory, pattern, or - for standard input. Repeatable
    ///
    /// Reads pcap, pcapng and flow files, plain or compressed with gzip or zstd.
    #[arg(long, short, value_name = "PATH", required = true)]
    pub(super) read: Vec<String>,

    /// Only this namespace. Repeatable. Default: those with policies; with --deny-excess all but the system namespaces
    #[arg(long, short, value_name = "NAME", value_delimiter = ',')]
    pub(super) namespace: Vec<String>,

    /// Exit with code 1 also if something is allowed that nobody used
    ///
    /// Allowed on one side counts, too. It is no excess if the inventory together with --public, --dns, --port-ranges or a decision
    /// justifies it. Annotations in the policies justify nothing.
    #[arg(long)]
    pub(super) deny_excess: bool,

    #[command(flatten)]
    pub(super) deciding: Deciding,

    #[command(flatten)]
    pub(super) beyond: Beyond,

    /// Exit with code 1 if more connections than this involve an address that no object of the inventory explains
    ///
    /// Only answered connections of workloads in the checked namespaces count.
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub(super) max_unattributed: u64,

    /// Output format
    #[arg(long, short = 'o', value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,

    #[command(flatten)]
    pub(super) known: Known,

    #[command(flatten)]
    pub(super) replaying: Replaying,
}

#[derive(Debug, Args)]
pub(super) struct Explain {
    #[command(flatten)]
    pub(super) given: GivenPolicies,

    /// Source: an address, namespace/pod, namespace/workload, or namespace/kind/name
    #[arg(long, value_name = "SOURCE")]
    pub(super) from: String,

    /// Destination: the same, or with --read an outside DNS name
    #[arg(long, value_name = "DESTINATION")]
    pub(super) to: String,

    /// Port of the destination pod (targetPort): a number, or the name of a container port
    #[arg(long, value_name = "PORT")]
    pub(super) port: String,

    /// Transport protocol
    #[arg(long, value_enum, ignore_case = true, default_value_t = TransportProtocol::Tcp)]
    pub(super) protocol: TransportProtocol,

    /// Capture in which pods looked up DNS names, as verify takes it. Repeatable
    #[arg(long, short, value_name = "PATH")]
    pub(super) read: Vec<String>,

    /// Output format
    #[arg(long, short = 'o', value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,

    #[command(flatten)]
    pub(super) known: Known,

    #[command(flatten)]
    pub(super) replaying: Replaying,
}

#[derive(Debug, Args)]
pub(super) struct Diff {
    /// NetworkPolicies: file, directory, - for standard input, or the word cluster for those of the inventory
    #[arg(value_name = "OLD")]
    pub(super) old: String,

    /// NetworkPolicies to compare with
    #[arg(value_name = "NEW")]
    pub(super) new: String,

    /// Add the NetworkPolicies of the inventory to both sets, except those whose name is in one of the sets
    #[arg(long)]
    pub(super) with_cluster: bool,

    #[command(flatten)]
    pub(super) home: DefaultNamespace,

    /// Output format
    #[arg(long, short = 'o', value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,

    #[command(flatten)]
    pub(super) known: Known,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum TransportProtocol {
    Tcp,
    Udp,
    Sctp,
}

impl From<TransportProtocol> for crate::model::Protocol {
    fn from(protocol: TransportProtocol) -> Self {
        match protocol {
            TransportProtocol::Tcp => Self::Tcp,
            TransportProtocol::Udp => Self::Udp,
            TransportProtocol::Sctp => Self::Sctp,
        }
    }
}
