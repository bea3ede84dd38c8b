//! What may be typed; nothing of what it means.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use ipnet::IpNet;

/// Least-privilege Kubernetes NetworkPolicies from observed traffic.
///
/// Exit codes: 0 done; 1 done, but a finding that --deny names was made; 2 it could not be done, a capture could not be read, or
/// there is no result.
#[derive(Debug, Parser)]
#[command(name = "netpol-gen", version, max_term_width = 110)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Learn policies from captures: what was seen is allowed, everything else is denied
    Learn(Box<Learn>),
    /// List the codes of all findings, how bad they are, and what to do
    Findings,
    /// Ask the cluster who is who, and write it to a file for --inventory
    ///
    /// Lists, once and read-only, namespaces, pods, services, nodes, endpointslices, the controllers of pods, ingresses,
    /// networkpolicies and servicecidrs. Kept are names, labels, addresses, ports and times; environments, volumes, images,
    /// annotations, managed fields and command lines are not. Exceptions: the address and range annotations of nodes, and the flags
    /// --cluster-cidr, --service-cluster-ip-range and --secure-port of pods in kube-system. Neither Secrets nor ConfigMaps are asked
    /// for.
    #[cfg(feature = "cluster")]
    Inventory(Inventory),
    /// List the network interfaces of this machine that can be captured on
    #[cfg(feature = "live")]
    Interfaces(Interfaces),
}

#[cfg(feature = "cluster")]
#[derive(Debug, Args)]
pub(super) struct Inventory {
    /// Where to write: a file, replaced whole or not at all, or - for standard output
    #[arg(long, short, value_name = "FILE")]
    pub(super) output: PathBuf,

    /// A context of the kubeconfig. Without it: the current one
    #[arg(long, value_name = "NAME")]
    pub(super) context: Option<String>,

    /// A kubeconfig. Without it: $KUBECONFIG, ~/.kube/config, or the service account of the pod this runs in
    #[arg(long, value_name = "FILE")]
    pub(super) kubeconfig: Option<PathBuf>,
}

#[cfg(feature = "live")]
#[derive(Debug, Args)]
pub(super) struct Interfaces {
    /// How to tell: text as a table, or json
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that is typed or not")]
pub(super) struct Learn {
    /// A capture: file, directory, pattern, or - for standard input; pcap or pcapng, plain, gzip or zstd. Repeatable
    #[arg(long, short, value_name = "PATH", required = true)]
    pub(super) read: Vec<String>,

    /// Kubernetes objects as `kubectl get -o yaml` (or json) prints them: file or directory. Repeatable, for several times
    #[arg(long, short, value_name = "PATH", required = true)]
    pub(super) inventory: Vec<PathBuf>,

    /// Where to write: a directory, or - for one YAML stream on standard output
    #[arg(long, short, value_name = "PATH", default_value = "policies")]
    pub(super) output: PathBuf,

    /// Make policies for this namespace only. Repeatable. Without it: all but the system's
    #[arg(long, short, value_name = "NAME")]
    pub(super) namespace: Vec<String>,

    /// Make policies for kube-system, kube-public and kube-node-lease too
    #[arg(long)]
    pub(super) system: bool,

    /// Who may call a workload that is exposed on purpose and was called from outside
    #[arg(long, value_enum, default_value_t = Public::Any)]
    pub(super) public: Public,

    /// Who may resolve names
    #[arg(long, value_enum, default_value_t = Dns::Seen)]
    pub(super) dns: Dns,

    /// Allow a range (endPort) over ports that a program picked at run time
    #[arg(long)]
    pub(super) port_ranges: bool,

    /// A pod range of the cluster, if the nodes do not tell. Repeatable
    #[arg(long, value_name = "CIDR")]
    pub(super) pod_cidr: Vec<IpNet>,

    /// A Service range of the cluster, if the inventory does not tell. Repeatable
    #[arg(long, value_name = "CIDR")]
    pub(super) service_cidr: Vec<IpNet>,

    /// A UDP port that carries VXLAN, besides 4789 and 8472. Repeatable
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) vxlan_port: Vec<u16>,

    /// Conversations under way that are kept at a time
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000)]
    pub(super) flows: usize,

    /// Templates of your own: policy.yaml, kustomization.yaml, REVIEW.md; those missing are the built-in ones
    #[arg(long, value_name = "DIRECTORY")]
    pub(super) templates: Option<PathBuf>,

    /// Overwrite files that this tool did not write
    #[arg(long)]
    pub(super) force: bool,

    /// Write files anew, with their evidence, also where nothing has changed
    #[arg(long)]
    pub(super) refresh_evidence: bool,

    /// How to tell the result: text on standard error, or JSON on standard output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,

    /// End with exit code 1 if there is a finding with this code, or at least this bad (note, warning, serious). Repeatable
    #[arg(long, value_name = "CODE|SEVERITY")]
    pub(super) deny: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Public {
    /// Every address outside the cluster
    Any,
    /// The addresses seen
    Exact,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Dns {
    /// Workloads that were seen to
    Seen,
    /// All pods of a namespace in which one was
    Namespace,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}
