//! What may be typed for `verify`, `explain` and `diff`; nothing of what it means.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use ipnet::IpNet;

#[cfg(feature = "cluster")]
use super::args::Cluster;
use super::args::{Beyond, Format, OneWay, Tunnelling};

/// Who is who.
#[derive(Debug, Args)]
pub(super) struct Known {
    /// Kubernetes objects as `kubectl get -o yaml` (or json) prints them, or what `netpol-gen inventory` wrote: file or directory.
    /// Repeatable, for several times. Without it: ask the cluster
    #[arg(long, short, value_name = "PATH", required = cfg!(not(feature = "cluster")))]
    pub(super) inventory: Vec<PathBuf>,

    #[cfg(feature = "cluster")]
    #[command(flatten)]
    pub(super) cluster: Cluster,

    /// A pod range of the cluster, if the nodes do not tell. Repeatable
    #[arg(long, value_name = "CIDR")]
    pub(super) pod_cidr: Vec<IpNet>,

    /// A Service range of the cluster, if the inventory does not tell. Repeatable
    #[arg(long, value_name = "CIDR")]
    pub(super) service_cidr: Vec<IpNet>,
}

/// What reviewers decided.
#[derive(Debug, Args)]
pub(super) struct Deciding {
    /// A file of decisions (accept, reject, widen, rename, ignore). Without it: netpol-gen.yaml of the current directory, if there is
    /// one
    #[arg(long, value_name = "FILE")]
    pub(super) decisions: Option<PathBuf>,

    /// Leave decisions out
    #[arg(long, conflicts_with = "decisions")]
    pub(super) no_decisions: bool,
}

/// The policies to be checked.
#[derive(Debug, Args)]
pub(super) struct GivenPolicies {
    /// NetworkPolicies: a file, a directory, - for standard input, or the word cluster for those of the inventory. Other kinds are
    /// passed over. Repeatable
    #[arg(long, short, value_name = "PATH|cluster", required = true)]
    pub(super) policies: Vec<String>,

    /// The namespace of policies that say none. Without it they are an error
    #[arg(long, short, value_name = "NAME")]
    pub(super) namespace: Option<String>,

    /// Leave out the NetworkPolicies of the inventory. Without it all count that have another name than the given ones
    #[arg(long)]
    pub(super) without_cluster: bool,
}

/// How captures are read.
#[derive(Debug, Args)]
pub(super) struct Replaying {
    #[command(flatten)]
    pub(super) tunnelling: Tunnelling,

    /// Whether connections of which the capture has one direction only count as answered
    #[arg(long, value_enum, default_value_t = OneWay::Withhold)]
    pub(super) one_way: OneWay,

    /// Conversations under way that are kept at a time
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000)]
    pub(super) flows: usize,

    /// Edges (who talks to whom on which port) that are kept; beyond, those with outside addresses are left out, and counted
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000)]
    pub(super) edges: usize,

    /// Threads that read the captures. Without it: one for each processor, four at most. The result is the same
    #[arg(long, value_name = "COUNT")]
    pub(super) threads: Option<NonZeroUsize>,
}

#[derive(Debug, Args)]
pub(super) struct Verify {
    #[command(flatten)]
    pub(super) given: GivenPolicies,

    /// A capture: file, directory, pattern, or - for standard input; pcap, pcapng or a flow file, plain, gzip or zstd. Repeatable
    #[arg(long, short, value_name = "PATH", required = true)]
    pub(super) read: Vec<String>,

    #[command(flatten)]
    pub(super) known: Known,

    #[command(flatten)]
    pub(super) replaying: Replaying,

    #[command(flatten)]
    pub(super) deciding: Deciding,

    #[command(flatten)]
    pub(super) beyond: Beyond,

    /// End with exit code 1 also if something is allowed that nobody used, on both sides or on one, unless the inventory together with
    /// --public, --dns, --port-ranges or a decision says that it may be. What the policies say of themselves counts for nothing
    #[arg(long)]
    pub(super) deny_excess: bool,

    /// Judge this namespace only. Repeatable. Without it: those with policies, and with --deny-excess all but the system's, because a
    /// namespace without policies allows everything
    #[arg(long, value_name = "NAMESPACE")]
    pub(super) judge: Vec<String>,

    /// End with exit code 1 if more answered connections than this, of workloads in the namespaces judged, go to or come from an
    /// address of which it is not known whose it was
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub(super) max_unattributed: u64,

    /// How to tell the result
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct Explain {
    #[command(flatten)]
    pub(super) given: GivenPolicies,

    #[command(flatten)]
    pub(super) known: Known,

    /// Who opens: an address, namespace/pod, namespace/workload, or namespace/kind/name
    #[arg(long, value_name = "WHO")]
    pub(super) from: String,

    /// Who is called: the same, or with --read a name outside that a pod asked for
    #[arg(long, value_name = "WHO")]
    pub(super) to: String,

    /// The port as the one who is called sees it (targetPort): a number, or a container port's name
    #[arg(long, value_name = "PORT")]
    pub(super) port: String,

    /// The transport protocol
    #[arg(long, value_enum, ignore_case = true, default_value_t = TransportProtocol::Tcp)]
    pub(super) protocol: TransportProtocol,

    /// A capture in which names were asked for, as verify takes it. Repeatable
    #[arg(long, short, value_name = "PATH")]
    pub(super) read: Vec<String>,

    #[command(flatten)]
    pub(super) replaying: Replaying,

    /// How to tell the result
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct Diff {
    /// NetworkPolicies: a file, a directory, - for standard input, or the word cluster for those of the inventory
    #[arg(value_name = "OLD")]
    pub(super) old: String,

    /// What takes their place: the same
    #[arg(value_name = "NEW")]
    pub(super) new: String,

    #[command(flatten)]
    pub(super) known: Known,

    /// The namespace of policies that say none. Without it they are an error
    #[arg(long, short, value_name = "NAME")]
    pub(super) namespace: Option<String>,

    /// Count the NetworkPolicies of the inventory in both sets, but for those of a name that is in one of them
    #[arg(long)]
    pub(super) with_cluster: bool,

    /// How to tell the result
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
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
