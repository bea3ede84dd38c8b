//! What may be typed; nothing of what it means.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;
#[cfg(feature = "cluster")]
use std::time::Duration;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, ColorChoice, Parser, Subcommand, ValueEnum};
use ipnet::IpNet;

#[cfg(feature = "cluster")]
use crate::cluster::Access;
use crate::edge;
use crate::policy::{DnsScope, PolicyOptions};

use super::args_checks::{Deciding, Diff, Explain, Verify};
#[cfg(feature = "live")]
pub(super) use super::args_live::{Interfaces, Live, Tapping};
use super::args_plan::Plan;
#[cfg(feature = "cluster")]
use super::duration::parse_duration;
use super::examples;

/// Heading of the options that few people need.
pub(super) const EXPERT: &str = "Expert options";
/// Heading of the options that all commands share.
const GLOBAL: &str = "Global options";
/// Heading of the options that say which cluster.
#[cfg(feature = "cluster")]
const CLUSTER: &str = "Cluster";

/// Least-privilege Kubernetes NetworkPolicies from observed traffic
///
/// netpol-gen reads captured traffic and the objects of the cluster. It writes NetworkPolicies that allow what was observed and
/// nothing else. It applies nothing to the cluster.
///
/// Every option can be set by an environment variable: --pod-cidr by NETPOL_GEN_POD_CIDR, and so on. The command line wins.
///
/// Exit codes: 0 success. 1 the answer is no: something would be denied, sets of policies differ, a namespace is not ready, or a
/// finding named by --deny was made. 2 failure: the command could not be completed, or there is no result.
#[derive(Debug, Parser)]
#[command(name = "netpol-gen", version, max_term_width = 100, after_help = examples::ALL)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) telling: Telling,

    #[command(subcommand)]
    pub(super) command: Command,
}

/// The options of every command that set the amount of detail and the colors on standard error.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = GLOBAL)]
pub(super) struct Telling {
    /// Print errors, warnings and serious findings only
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,

    /// Print every finding in full, and why it matters
    #[arg(long, short, global = true)]
    pub(super) verbose: bool,

    /// Use colors: auto means on a terminal, unless NO_COLOR is set or TERM is dumb
    #[arg(long, global = true, value_name = "WHEN", default_value_t = ColorChoice::Auto)]
    pub(super) color: ColorChoice,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Generate policies from captures, or from a live capture on this node
    #[command(after_help = examples::LEARN)]
    Learn(Box<Learn>),
    /// Record connections on this node to a file without payload, for learn --read
    #[command(after_help = examples::CAPTURE)]
    Capture(Box<Capture>),
    /// Check traffic against policies: what would be denied, and what is allowed but unused
    ///
    /// Each answered connection of the captures is evaluated against all policies together: the given ones and those of the
    /// inventory. A given policy replaces one of the same name in the inventory. A connection counts as denied if it would be denied
    /// for any replica. The result goes to standard output, everything else to standard error.
    ///
    /// Exit codes: 0 everything is allowed, or denied by a decision. 1 something would be denied, or is allowed although a decision
    /// rejects it; with --deny-excess also if something unused is allowed without a reason. 2 the command could not be completed.
    #[command(after_help = examples::VERIFY)]
    Verify(Box<Verify>),
    /// Explain which rule allows a connection, or which rule is missing
    ///
    /// If the connection is denied, the smallest rule that would allow it is printed as YAML, for each side that needs one. An ipBlock
    /// that covers the address of a pod does not count: network plug-ins treat it differently. The result goes to standard output.
    ///
    /// Exit codes: 0 allowed for all pods of both sides. 1 denied, or it depends on the network plug-in. 2 the command could not be
    /// completed.
    #[command(after_help = examples::EXPLAIN)]
    Explain(Box<Explain>),
    /// Compare two sets of policies by the connections that they allow
    ///
    /// A connection is allowed if the egress policies of the source and the ingress policies of the destination allow it. Each set is
    /// evaluated by itself; --with-cluster adds the policies of the inventory to both. The result goes to standard output.
    ///
    /// Exit codes: 0 no difference. 1 differences. 2 the command could not be completed.
    #[command(after_help = examples::DIFF)]
    Diff(Box<Diff>),
    /// Plan the rollout of policies: steps with their commands, and what is not ready
    ///
    /// The plan goes namespace by namespace, those with the strongest evidence first: allow rules, then the ingress default deny, then
    /// the egress default deny. Each step lists the pods that it isolates, the commands, what to watch and how to undo it. Nothing is
    /// applied. The plan goes to standard output as Markdown, or to PLAN.md in --output.
    ///
    /// Exit codes: 0 every namespace is ready. 1 something is not ready. 2 the command could not be completed.
    #[command(after_help = examples::PLAN)]
    Plan(Box<Plan>),
    /// Explain findings: what was seen, why it matters and what to do
    #[command(after_help = examples::FINDINGS)]
    Findings(Findings),
    /// Save the cluster's objects to a file for --inventory
    ///
    /// Lists objects once, read-only: namespaces, pods, services, nodes, endpointslices, the controllers of pods, ingresses,
    /// networkpolicies, servicecidrs, webhook configurations, apiservices, horizontalpodautoscalers. Of network plug-ins, platforms
    /// and operators it lists the kinds that --print-role names, where the cluster has them.
    ///
    /// Kept: names, labels, addresses, ports, times, schedules, restart counts, and the DNS servers of pods (dnsPolicy, nameservers of
    /// dnsConfig). Left out: environments, volumes, images, annotations, managed fields and command lines. Secrets and ConfigMaps are
    /// never requested.
    ///
    /// These annotations and flags are kept all the same: the address and range annotations of nodes; prometheus.io/scrape and /port of
    /// pods and services; names and addresses of pods' further interfaces (k8s.v1.cni.cncf.io/network-status, in older clusters
    /// networks-status); the annotations that say which mesh a pod is in (ambient.istio.io/redirection, sidecar.istio.io/status without
    /// its value, consul.hashicorp.com/connect-inject-status, kuma.io/sidecar-injected); and the flags --cluster-cidr,
    /// --service-cluster-ip-range, --service-cidr, --secure-port and -localip of pods in kube-system and of k3s.
    #[cfg(feature = "cluster")]
    #[command(after_help = examples::INVENTORY)]
    Inventory(Inventory),
    /// Ask the cluster beside a live capture, for learn
    #[cfg(all(feature = "live", feature = "cluster"))]
    #[command(hide = true)]
    Feed(Cluster),
    /// List the network interfaces of this machine that can be captured on
    #[cfg(feature = "live")]
    #[command(after_help = examples::INTERFACES)]
    Interfaces(Interfaces),
    /// Print a completion script for a shell
    #[command(after_help = examples::COMPLETIONS)]
    Completions(Completions),
    /// Write the man pages
    #[command(hide = true)]
    Man(Man),
}

/// A shell that completes commands and options.
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    pub(super) shell: clap_complete::Shell,
}

/// Where man pages go.
#[derive(Debug, Args)]
pub(super) struct Man {
    /// Directory to write to: netpol-gen.1 and one page for each command
    #[arg(value_name = "DIR")]
    pub(super) directory: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Findings {
    /// Explain only these codes, in full
    #[arg(value_name = "CODE")]
    pub(super) codes: Vec<String>,

    /// Output format
    #[arg(long, short = 'o', value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

#[cfg(feature = "cluster")]
#[derive(Debug, Args)]
pub(super) struct Inventory {
    /// File to write, or - for standard output. With --watch: a new file
    #[arg(long, short, value_name = "FILE", required_unless_present_any = ["print_role", "print_command"],
        value_parser = path("a file, which always holds JSON"))]
    pub(super) output: Option<PathBuf>,

    /// Keep watching for this time (30s, 5m, 2h, 1d), or until Ctrl-C, and record every change with its time
    ///
    /// Run it beside a capture that is taken elsewhere: it records which pod had which address when. It needs no right to capture. The
    /// file is JSON Lines, compressed with zstd. Ctrl-C ends it in order.
    #[arg(long, value_name = "DURATION", num_args = 0..=1, value_parser = parse_duration)]
    #[expect(clippy::option_option, reason = "absent, alone and with a value are three things")]
    pub(super) watch: Option<Option<Duration>>,

    /// Print the RBAC objects (a ClusterRole and its binding) that this command needs, for kubectl apply
    #[arg(long, conflicts_with_all = ["output", "watch", "print_command", "context", "kubeconfig"])]
    pub(super) print_role: bool,

    /// Print a kubectl command that saves the same objects
    #[arg(long, conflicts_with_all = ["output", "watch", "context", "kubeconfig"])]
    pub(super) print_command: bool,

    #[command(flatten)]
    pub(super) cluster: Cluster,
}

/// Which cluster.
#[cfg(feature = "cluster")]
#[derive(Debug, Args)]
#[command(next_help_heading = CLUSTER)]
pub(super) struct Cluster {
    /// Context of the kubeconfig. Default: the current one
    #[arg(long, value_name = "NAME")]
    pub(super) context: Option<String>,

    /// Kubeconfig file. Default: $KUBECONFIG, ~/.kube/config, or the ServiceAccount of this pod
    #[arg(long, value_name = "FILE")]
    pub(super) kubeconfig: Option<PathBuf>,
}

#[cfg(feature = "cluster")]
impl Cluster {
    /// How to get there.
    pub(super) fn access(&self) -> Access {
        Access { kubeconfig: self.kubeconfig.clone(), context: self.context.clone(), ..Access::default() }
    }
}

/// The parser of a path to write to: a word that kubectl takes for an output format is an error that says what to do instead.
pub(super) fn path(what: &'static str) -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().try_map(move |value: OsString| {
        let word = value.to_str().unwrap_or_default();
        if word.is_empty() && value.is_empty() {
            return Err("the path is empty".to_owned());
        }
        let is_format = matches!(word, "json" | "yaml" | "yml" | "text" | "wide" | "name" | "table");
        if is_format || word.starts_with("jsonpath") || word.starts_with("go-template") || word.starts_with("custom-columns") {
            return Err(format!("here --output is {what}; if you mean a path of this name, write ./{word}"));
        }
        Ok(PathBuf::from(value))
    })
}

#[derive(Debug, Args)]
pub(super) struct Capture {
    /// Convert this capture instead of capturing; takes what learn --read takes. Repeatable
    #[arg(long, short, value_name = "PATH", required = cfg!(not(feature = "live")))]
    pub(super) read: Vec<String>,

    /// New file to write (JSON Lines, compressed with zstd)
    #[arg(long, short, value_name = "FILE", value_parser = path("a file, which always holds JSON Lines"))]
    pub(super) output: PathBuf,

    #[cfg(feature = "live")]
    #[command(flatten)]
    pub(super) tapping: Tapping,

    /// UDP port that carries VXLAN, besides 4789 and 8472. Repeatable
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..), value_delimiter = ',', help_heading = EXPERT)]
    pub(super) vxlan_port: Vec<u16>,

    /// Maximum number of concurrent connections to track
    #[arg(long, value_name = "COUNT", default_value_t = 200_000, help_heading = EXPERT)]
    pub(super) flows: usize,

    /// Threads that read the captures of --read. Default: one for each processor, at most four
    #[arg(long, value_name = "COUNT", help_heading = EXPERT)]
    pub(super) threads: Option<NonZeroUsize>,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that is typed or not")]
pub(super) struct Learn {
    /// Capture to read: file, directory, pattern, or - for standard input. Repeatable. Default: live capture
    ///
    /// Reads pcap, pcapng and flow files, plain or compressed with gzip or zstd.
    #[arg(long, short, value_name = "PATH", required = cfg!(not(feature = "live")))]
    pub(super) read: Vec<String>,

    /// Kubernetes objects: file or directory. Repeatable, for several times. Default: ask the cluster
    ///
    /// Reads the output of `kubectl get -o yaml` (or json), `kubectl cluster-info dump` and `netpol-gen inventory`, support bundles,
    /// must-gather directories and Velero backups.
    #[arg(long, short, value_name = "PATH", required = cfg!(not(feature = "cluster")))]
    pub(super) inventory: Vec<PathBuf>,

    /// Directory to write to, or - for one YAML stream on standard output
    #[arg(long, short, value_name = "DIR", default_value = "policies",
        value_parser = path("a directory of YAML files; `--output -` prints one YAML stream, `--format json` prints the summary as JSON"))]
    pub(super) output: PathBuf,

    /// Only this namespace. Repeatable. Default: all but the system namespaces
    #[arg(long, short, value_name = "NAME", value_delimiter = ',')]
    pub(super) namespace: Vec<String>,

    /// Include the system namespaces kube-system, kube-public and kube-node-lease
    #[arg(long)]
    pub(super) system: bool,

    /// Keep suspicious connections out of the policies; write their rules to NAMESPACE/_quarantine/
    ///
    /// Suspicious: what a scan found, one-off connections, outside addresses without a DNS lookup, DNS to other resolvers, the cloud's
    /// metadata service, the first connection between two namespaces. No kustomization includes the quarantined rules.
    #[arg(long)]
    pub(super) quarantine: bool,

    /// Also write NAMESPACE/_candidates.yaml: connections that the cluster's objects suggest but nobody was seen to make
    ///
    /// These are Services without calls, webhooks and scraping. The file holds comments only, for you to complete.
    #[arg(long)]
    pub(super) candidates: bool,

    #[command(flatten)]
    pub(super) deciding: Deciding,

    #[command(flatten)]
    pub(super) beyond: Beyond,

    /// Exit with code 1 if there is a finding with this code, or of this severity or worse (note, warning, serious). Repeatable
    #[arg(long, value_name = "CODE|SEVERITY", value_delimiter = ',')]
    pub(super) deny: Vec<String>,

    /// Output format of the summary: text on standard error, or json on standard output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,

    /// Overwrite files that netpol-gen did not write
    #[arg(long)]
    pub(super) force: bool,

    #[cfg(feature = "live")]
    #[command(flatten)]
    pub(super) live: Live,

    #[cfg(feature = "cluster")]
    #[command(flatten)]
    pub(super) cluster: Cluster,

    #[command(flatten)]
    pub(super) ranges: Ranges,

    #[command(flatten)]
    pub(super) tunnelling: Tunnelling,

    /// Whether to write rules for connections of which only one direction was captured
    #[arg(long, value_enum, default_value_t = OneWay::Withhold, help_heading = EXPERT)]
    pub(super) one_way: OneWay,

    /// Directory with templates of your own (policy.yaml, kustomization.yaml, REVIEW.md); missing ones are built in
    #[arg(long, value_name = "DIR", help_heading = EXPERT)]
    pub(super) templates: Option<PathBuf>,

    /// Rewrite all files with their present evidence, even if nothing changed
    #[arg(long, help_heading = EXPERT)]
    pub(super) refresh_evidence: bool,

    #[command(flatten)]
    pub(super) limits: Limits,
}

/// Bounds of memory and threads.
#[derive(Debug, Args)]
#[command(next_help_heading = EXPERT)]
pub(super) struct Limits {
    /// Maximum number of concurrent connections to track
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000)]
    pub(super) flows: usize,

    /// Maximum number of edges (source, destination and port) to keep
    ///
    /// If there are more, those with outside addresses are left out, and counted in a finding.
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000)]
    pub(super) edges: usize,

    /// Threads to use. Default: one for each processor, at most four. The result is always the same
    #[arg(long, value_name = "COUNT")]
    pub(super) threads: Option<NonZeroUsize>,
}

/// Address ranges that the cluster does not report.
#[derive(Debug, Args)]
#[command(next_help_heading = EXPERT)]
pub(super) struct Ranges {
    /// Pod range of the cluster, if the nodes do not report it. Repeatable
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    pub(super) pod_cidr: Vec<IpNet>,

    /// Service range of the cluster, if the inventory does not have it. Repeatable
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    pub(super) service_cidr: Vec<IpNet>,
}

/// What becomes of connections of which one side only was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum OneWay {
    /// Write no rule: anyone who can send packets with a forged address can cause such a connection
    Withhold,
    /// Write rules and mark them: for links that carry one direction only (asymmetric routes, direct server return, a mirror port)
    Accept,
}

/// Which tunnels are opened.
#[derive(Debug, Args)]
#[command(next_help_heading = EXPERT)]
pub(super) struct Tunnelling {
    /// UDP port that carries VXLAN, besides 4789 and 8472. Repeatable
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..), value_delimiter = ',')]
    pub(super) vxlan_port: Vec<u16>,

    /// Addresses where tunnels may end, besides the nodes: deleted nodes, the collector of a traffic mirror. Repeatable
    ///
    /// Traffic inside any other tunnel is ignored.
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    pub(super) tunnel_endpoint: Vec<IpNet>,

    /// Do not look into tunnels (VXLAN, Geneve, GRE, IP-in-IP)
    #[arg(long, conflicts_with = "tunnel_endpoint")]
    pub(super) no_decapsulation: bool,
}

/// What policies may allow beyond what was seen: learn writes it, verify knows by the same options that it is meant.
#[derive(Debug, Args)]
pub(super) struct Beyond {
    /// Who may call a workload that is exposed on purpose and was called from outside
    #[arg(long, value_enum, default_value_t = Public::Auto)]
    pub(super) public: Public,

    /// Which pods may resolve names
    #[arg(long, value_enum, default_value_t = Dns::Seen)]
    pub(super) dns: Dns,

    /// Allow a port range (endPort) if a program picks its ports at run time
    #[arg(long)]
    pub(super) port_ranges: bool,
}

impl Beyond {
    /// Those that differ from the defaults, as they are typed.
    pub(super) fn typed(&self) -> Vec<String> {
        let mut typed = Vec::new();
        let name = |value: clap::builder::PossibleValue| value.get_name().to_owned();
        if self.public != Public::Auto {
            typed.push("--public".to_owned());
            typed.extend(self.public.to_possible_value().map(name));
        }
        if self.dns != Dns::Seen {
            typed.push("--dns".to_owned());
            typed.extend(self.dns.to_possible_value().map(name));
        }
        if self.port_ranges {
            typed.push("--port-ranges".to_owned());
        }
        typed
    }

    /// For all namespaces, without decisions.
    pub(super) fn options(&self) -> PolicyOptions {
        PolicyOptions {
            public: self.public.into(),
            dns: match self.dns {
                Dns::Seen => DnsScope::Seen,
                Dns::Namespace => DnsScope::Namespace,
            },
            allows_port_ranges: self.port_ranges,
            ..PolicyOptions::default()
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Public {
    /// The whole internet, if at least three addresses there called, in two networks (IPv4 /16, IPv6 /32); else the addresses seen
    Auto,
    /// The whole internet, if one address there called
    Any,
    /// Only the addresses seen
    Exact,
}

impl From<Public> for edge::Public {
    fn from(public: Public) -> Self {
        match public {
            Public::Auto => Self::Auto,
            Public::Any => Self::Any,
            Public::Exact => Self::Exact,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Dns {
    /// Workloads that were seen to resolve names
    Seen,
    /// All pods of a namespace, if one of them was
    Namespace,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Text for people
    Text,
    /// JSON for programs
    Json,
}
