//! What may be typed; nothing of what it means.

use std::num::NonZeroUsize;
#[cfg(feature = "live")]
use std::path::Path;
use std::path::PathBuf;
#[cfg(any(feature = "live", feature = "cluster"))]
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use ipnet::IpNet;

#[cfg(feature = "cluster")]
use crate::cluster::Access;
use crate::edge;
use crate::policy::{DnsScope, PolicyOptions};

use super::args_checks::{Deciding, Diff, Explain, Verify};
use super::args_plan::Plan;
#[cfg(any(feature = "live", feature = "cluster"))]
use super::duration::parse_duration;

/// Least-privilege Kubernetes NetworkPolicies from observed traffic.
///
/// Exit codes: 0 done; 1 done, but a finding that --deny names was made, or policies were withheld because they could not be proved, or verify, explain, diff or plan says no; 2 it could not be done, a capture could not be read, or
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
    /// Record who talked to whom, without a byte of payload, for learn --read
    Capture(Box<Capture>),
    /// Hold later traffic against policies: what would be denied, and what is allowed and nobody used
    ///
    /// Every answered connection of the captures is asked of the union of all policies: the given ones and those of the inventory, of
    /// which one with the same name as a given one does not count. Replicas stand for one another: a connection counts as denied where
    /// some pod of its workloads would not be let. The result goes to standard output, all else to standard error.
    ///
    /// Exit codes: 0 all is allowed, or denied by decision; 1 something would be denied, or is allowed against a decision (with
    /// --deny-excess: or something is allowed that nobody used and nothing justifies); 2 it could not be done, or a capture could not be read to its end.
    Verify(Box<Verify>),
    /// Say which rule lets a connection through, or what is missing
    ///
    /// Where it is denied, the least rule that would allow it is printed as YAML, for each side that lacks one. An ipBlock that covers a
    /// pod's address is not relied on: network plug-ins treat it differently, and the answer says so. The result goes to standard
    /// output.
    ///
    /// Exit codes: 0 allowed, for all pods of both sides; 1 denied, or up to the network plug-in; 2 it could not be told.
    Explain(Box<Explain>),
    /// Compare two sets of policies by the connections that they make possible
    ///
    /// A connection is possible if the egress of its originator and the ingress of its responder allow it. Each set stands for itself;
    /// with --with-cluster the policies of the inventory that are in neither count in both. The result goes to standard output.
    ///
    /// Exit codes: 0 no difference; 1 differences; 2 it could not be done.
    Diff(Box<Diff>),
    /// Plan how to apply policies: steps with their commands, in the order of the evidence, and what is not ready
    ///
    /// Namespace by namespace, those with the strongest evidence first: what allows, then the ingress deny, then the egress deny; for each
    /// step whom it isolates, the commands, what to watch and how to undo it. Workloads of which something is known to be unknown are not
    /// ready, with the reason. Nothing is applied. The plan goes to standard output as Markdown, or to PLAN.md in --output.
    ///
    /// Exit codes: 0 all is ready; 1 something is not; 2 it could not be told.
    Plan(Box<Plan>),
    /// Explain findings: what was seen, why it matters and what to do
    Findings(Findings),
    /// Ask the cluster who is who, and write it to a file for --inventory
    ///
    /// Lists, once and read-only, namespaces, pods, services, nodes, endpointslices, the controllers of pods, ingresses,
    /// networkpolicies, servicecidrs, webhook configurations, apiservices, horizontalpodautoscalers, and of network plug-ins, platforms
    /// and operators the kinds that --print-role lists, where the cluster has them. Kept are names, labels,
    /// addresses, ports, times, schedules, restart counts and whom pods ask for names (dnsPolicy, nameservers of dnsConfig); environments, volumes, images, annotations, managed fields and command
    /// lines are not. Exceptions: the address and range annotations of nodes, prometheus.io/scrape and /port of pods and services,
    /// names and addresses of pods' further interfaces (k8s.v1.cni.cncf.io/network-status, in older clusters networks-status),
    /// the annotations that say which mesh a pod is in (ambient.istio.io/redirection, sidecar.istio.io/status without its value,
    /// consul.hashicorp.com/connect-inject-status, kuma.io/sidecar-injected), and the flags --cluster-cidr, --service-cluster-ip-range, --service-cidr, --secure-port and -localip of pods in kube-system and
    /// of k3s. Neither Secrets nor ConfigMaps
    /// are asked for.
    ///
    /// With --watch, goes on for a time and writes what changes, with the times: who had which address when. Run it beside a capture
    /// that is taken elsewhere; it needs no right to capture. Ctrl-C ends it in order.
    #[cfg(feature = "cluster")]
    Inventory(Inventory),
    /// Ask the cluster beside a live capture, for learn
    #[cfg(all(feature = "live", feature = "cluster"))]
    #[command(hide = true)]
    Feed(Cluster),
    /// List the network interfaces of this machine that can be captured on
    #[cfg(feature = "live")]
    Interfaces(Interfaces),
}

#[cfg(feature = "cluster")]
#[derive(Debug, Args)]
pub(super) struct Inventory {
    /// Where to write: a file, replaced whole or not at all, or - for standard output. With --watch: a new file
    #[arg(long, short, value_name = "FILE", required_unless_present_any = ["print_role", "print_command"])]
    pub(super) output: Option<PathBuf>,

    /// Go on watching for so long (30s, 5m, 2h, 1d), or until Ctrl-C, and write JSON Lines, compressed with zstd
    #[arg(long, value_name = "DURATION", num_args = 0..=1, value_parser = parse_duration)]
    #[expect(clippy::option_option, reason = "absent, alone and with a value are three things")]
    pub(super) watch: Option<Option<Duration>>,

    /// Print the Kubernetes objects (a ClusterRole and who has it) that allow all this and nothing else
    #[arg(long, exclusive = true)]
    pub(super) print_role: bool,

    /// Print a shell command that writes the same with kubectl, also where the cluster lacks some of the kinds
    #[arg(long, exclusive = true)]
    pub(super) print_command: bool,

    #[command(flatten)]
    pub(super) cluster: Cluster,
}

/// Which cluster.
#[cfg(feature = "cluster")]
#[derive(Debug, Args)]
pub(super) struct Cluster {
    /// A context of the kubeconfig. Without it: the current one
    #[arg(long, value_name = "NAME")]
    pub(super) context: Option<String>,

    /// A kubeconfig. Without it: $KUBECONFIG, ~/.kube/config, or the service account of the pod this runs in
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

#[derive(Debug, Args)]
pub(super) struct Findings {
    /// Only these codes, in full. Without it: all codes
    #[arg(value_name = "CODE")]
    pub(super) codes: Vec<String>,

    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

#[cfg(feature = "live")]
#[derive(Debug, Args)]
pub(super) struct Interfaces {
    /// How to tell: text as a table, or json
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

/// Capturing on interfaces.
#[cfg(feature = "live")]
#[derive(Debug, Args)]
#[command(next_help_heading = "Capturing here and now")]
pub(super) struct Tapping {
    /// How long to capture: 30s, 5m, 2h, 1d. Without it: until Ctrl-C
    #[arg(long, short, value_name = "DURATION", value_parser = parse_duration, conflicts_with = "read")]
    pub(super) duration: Option<Duration>,

    /// An interface, or a pattern such as 'veth*', also for those that come later. Repeatable
    #[arg(long, value_name = "NAME", default_value = "any", conflicts_with = "read")]
    pub(super) interface: Vec<String>,

    /// Capture only what passes this filter, in the syntax of tcpdump
    #[arg(long, value_name = "EXPRESSION", conflicts_with = "read")]
    pub(super) filter: Option<String>,

    /// How often what was seen is written to the disk: as much is lost if the machine fails
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "10s")]
    pub(super) every: Duration,
}

#[derive(Debug, Args)]
pub(super) struct Capture {
    /// Convert captures instead of capturing: as learn --read takes them. Repeatable
    #[arg(long, short, value_name = "PATH", required = cfg!(not(feature = "live")))]
    pub(super) read: Vec<String>,

    /// Where to write: a new file, JSON Lines inside zstd
    #[arg(long, short, value_name = "FILE")]
    pub(super) output: PathBuf,

    /// A UDP port that carries VXLAN, besides 4789 and 8472. Repeatable
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) vxlan_port: Vec<u16>,

    /// Conversations under way that are kept at a time
    #[arg(long, value_name = "COUNT", default_value_t = 200_000)]
    pub(super) flows: usize,

    /// Threads that read the captures. Without it: one for each processor, four at most. The result is the same
    #[arg(long, value_name = "COUNT", requires = "read")]
    pub(super) threads: Option<NonZeroUsize>,

    #[cfg(feature = "live")]
    #[command(flatten)]
    pub(super) tapping: Tapping,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that is typed or not")]
pub(super) struct Learn {
    /// A capture: file, directory, pattern, or - for standard input; pcap, pcapng or a flow file, plain, gzip or zstd. Repeatable.
    /// Without it: capture here and now
    #[arg(long, short, value_name = "PATH", required = cfg!(not(feature = "live")))]
    pub(super) read: Vec<String>,

    /// Kubernetes objects: a file, or a directory of which every file is tried. Repeatable, for several times
    ///
    /// Output of `kubectl get -o yaml` (or json), `kubectl cluster-info dump` and `netpol-gen inventory` is read, and so are support
    /// bundles, must-gather directories and Velero backups. Without it: ask the cluster
    #[arg(long, short, value_name = "PATH", required = cfg!(not(feature = "cluster")))]
    pub(super) inventory: Vec<PathBuf>,

    #[cfg(feature = "cluster")]
    #[command(flatten)]
    pub(super) cluster: Cluster,

    /// Where to write: a directory, or - for one YAML stream on standard output
    #[arg(long, short, value_name = "PATH", default_value = "policies")]
    pub(super) output: PathBuf,

    /// Make policies for this namespace only. Repeatable. Without it: all but the system's
    #[arg(long, short, value_name = "NAME")]
    pub(super) namespace: Vec<String>,

    /// Make policies for kube-system, kube-public and kube-node-lease too
    #[arg(long)]
    pub(super) system: bool,

    #[command(flatten)]
    pub(super) beyond: Beyond,

    /// Keep what looks odd (what a scan found, one-off connections, addresses never asked for by name, DNS to strangers, the metadata
    /// service, a first call between namespaces) out of the policies, and write its rules to NAMESPACE/_quarantine/, which no
    /// kustomization names
    #[arg(long)]
    pub(super) quarantine: bool,

    #[command(flatten)]
    pub(super) deciding: Deciding,

    /// Write what objects of the cluster speak of and nobody was seen to do (Services that nobody called, webhooks, scraping) as
    /// candidates: files of comments, NAMESPACE/_candidates.yaml, for you to complete
    #[arg(long)]
    pub(super) candidates: bool,

    /// A pod range of the cluster, if the nodes do not tell. Repeatable
    #[arg(long, value_name = "CIDR")]
    pub(super) pod_cidr: Vec<IpNet>,

    /// A Service range of the cluster, if the inventory does not tell. Repeatable
    #[arg(long, value_name = "CIDR")]
    pub(super) service_cidr: Vec<IpNet>,

    #[command(flatten)]
    pub(super) tunnelling: Tunnelling,

    /// Whether connections of which the capture has one direction only make rules
    #[arg(long, value_enum, default_value_t = OneWay::Withhold)]
    pub(super) one_way: OneWay,

    /// Conversations under way that are kept at a time
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000)]
    pub(super) flows: usize,

    /// Edges (who talks to whom on which port) that are kept; beyond, those with outside addresses are left out, and counted
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000)]
    pub(super) edges: usize,

    /// Threads that read the captures and render the policies. Without it: one for each processor, four at most. The result is the same
    #[arg(long, value_name = "COUNT")]
    pub(super) threads: Option<NonZeroUsize>,

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

    #[cfg(feature = "live")]
    #[command(flatten)]
    pub(super) live: Live,
}

/// What becomes of connections of which one side only was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum OneWay {
    /// No rule is made: anyone who can send packets with a forged address can make them
    Withhold,
    /// Rules are made, and marked: for links that carry one direction only (asymmetric routes, direct server return, a mirror port)
    Accept,
}

/// Which tunnels are opened.
#[derive(Debug, Args)]
pub(super) struct Tunnelling {
    /// A UDP port that carries VXLAN, besides 4789 and 8472. Repeatable
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) vxlan_port: Vec<u16>,

    /// Addresses at which tunnels end, besides those of the nodes: nodes that have gone, the collector of a mirror. What is inside of any
    /// other tunnel counts for nothing. Repeatable
    #[arg(long, value_name = "CIDR")]
    pub(super) tunnel_endpoint: Vec<IpNet>,

    /// Open no tunnel: VXLAN, Geneve, GRE and IP-in-IP are traffic of whoever sent them
    #[arg(long, conflicts_with = "tunnel_endpoint")]
    pub(super) no_decapsulation: bool,
}

/// What policies may allow beyond what was seen: learn writes it, verify knows by the same options that it is meant.
#[derive(Debug, Args)]
pub(super) struct Beyond {
    /// Who may call a workload that is exposed on purpose and was called from outside
    #[arg(long, value_enum, default_value_t = Public::Auto)]
    pub(super) public: Public,

    /// Who may resolve names
    #[arg(long, value_enum, default_value_t = Dns::Seen)]
    pub(super) dns: Dns,

    /// Allow a range (endPort) over ports that a program picked at run time
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

/// Learning from a capture of its own.
#[cfg(feature = "live")]
#[derive(Debug, Args)]
#[command(next_help_heading = "Capturing here and now")]
pub(super) struct Live {
    #[command(flatten)]
    pub(super) tapping: Tapping,

    /// Where a live capture keeps what it saw. Without it: beside the policies, in policies.record
    #[arg(long, value_name = "DIRECTORY", conflicts_with = "read")]
    pub(super) record: Option<PathBuf>,

    /// Go on with a live capture that was killed: what it saw counts, its time too
    #[arg(long, conflicts_with = "read")]
    pub(super) resume: bool,

    /// Do not ask a cluster: without --inventory, capture only
    #[arg(long, conflicts_with = "read")]
    pub(super) offline: bool,
}

#[cfg(feature = "live")]
impl Learn {
    /// Where a live capture keeps what it saw.
    pub(super) fn record_directory(&self) -> PathBuf {
        let beside = || {
            let policies = if self.output == Path::new("-") { Path::new("policies") } else { &self.output };
            let mut name = policies.file_name().unwrap_or_default().to_owned();
            name.push(".record");
            policies.with_file_name(name)
        };
        self.live.record.clone().unwrap_or_else(beside)
    }

    /// Whether a live capture asks the cluster who is who.
    pub(super) const fn asks_cluster(&self) -> bool {
        self.inventory.is_empty() && !self.live.offline
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Public {
    /// Every address on the internet, where at least three addresses there called, in two networks (IPv4: /16, IPv6: /32); else the
    /// addresses seen
    Auto,
    /// Every address on the internet, as soon as one there called
    Any,
    /// The addresses seen
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
