//! Policies as values (`networking.k8s.io/v1` NetworkPolicy), narrowed to what this tool may say.
//!
//! A rule always has a peer and a port, a policy always says its direction: the forms that Kubernetes reads as "everyone" or
//! "every port" cannot be built by leaving something out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::NonZeroU16;

use ipnet::IpNet;

use super::{Edge, Evidence, NonEmpty, PodSelector, Protocol, WorkloadName};

/// What a policy is for; one policy never mixes two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Denies what no other policy allows.
    DefaultDeny,
    /// Name resolution.
    Dns,
    /// Pod to pod.
    Workload,
    /// The Kubernetes API.
    ApiServer,
    /// Nodes other than the pod's own.
    Node,
    /// The cloud's metadata service.
    Metadata,
    /// Addresses outside the cluster, exactly as seen.
    Outside,
    /// Any address outside the cluster, to a workload that is exposed on purpose.
    Internet,
}

impl Class {
    /// All of them, in output order.
    pub const ALL: [Self; 8] = [
        Self::DefaultDeny,
        Self::Dns,
        Self::Workload,
        Self::ApiServer,
        Self::Node,
        Self::Metadata,
        Self::Outside,
        Self::Internet,
    ];

    /// The value of the annotation `netpol-gen/class`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DefaultDeny => "default-deny",
            Self::Dns => "dns",
            Self::Workload => "workload",
            Self::ApiServer => "api-server",
            Self::Node => "node",
            Self::Metadata => "metadata",
            Self::Outside => "outside",
            Self::Internet => "internet",
        }
    }
}

/// A range of addresses with holes (`IPBlock`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Block {
    /// The range; its host bits are zero.
    pub cidr: IpNet,
    /// Strict subranges of it that are not meant.
    pub except: BTreeSet<IpNet>,
}

/// One peer (`NetworkPolicyPeer`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Peer {
    /// Pods; both selectors must hold (one list item of the API).
    Pods {
        /// The namespace, selected by its label `kubernetes.io/metadata.name`; `None` is the policy's own.
        namespace: Option<String>,
        /// Which of its pods.
        pods: PodSelector,
    },
    /// Addresses outside the pod network.
    Block(Block),
}

impl fmt::Display for Peer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pods { namespace: None, pods } => write!(formatter, "pods {pods}"),
            Self::Pods { namespace: Some(namespace), pods } => write!(formatter, "pods {pods} of {namespace}"),
            Self::Block(block) => block.cidr.fmt(formatter),
        }
    }
}

/// One port or range of ports (`NetworkPolicyPort`), never named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyPort {
    protocol: Protocol,
    first: NonZeroU16,
    last: NonZeroU16,
}

impl PolicyPort {
    /// A single port.
    pub const fn single(protocol: Protocol, port: NonZeroU16) -> Self {
        Self { protocol, first: port, last: port }
    }

    /// All ports from `first` to `last` (`endPort`); nothing if `last` is the lesser.
    pub fn range(protocol: Protocol, first: NonZeroU16, last: NonZeroU16) -> Option<Self> {
        (first <= last).then_some(Self { protocol, first, last })
    }

    /// The transport protocol.
    pub const fn protocol(self) -> Protocol {
        self.protocol
    }

    /// The first port.
    pub const fn first(self) -> NonZeroU16 {
        self.first
    }

    /// The last port; the first again for a single one.
    pub const fn last(self) -> NonZeroU16 {
        self.last
    }
}

impl fmt::Display for PolicyPort {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.protocol, self.first)?;
        if self.last > self.first { write!(formatter, "-{}", self.last) } else { Ok(()) }
    }
}

/// All peers times all ports (`NetworkPolicyIngressRule`, `NetworkPolicyEgressRule`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rule {
    /// Who.
    pub peers: NonEmpty<Peer>,
    /// On which of the responder's ports.
    pub ports: NonEmpty<PolicyPort>,
}

/// What a policy does to the pods it selects.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rules {
    /// Isolates them in both directions and allows nothing.
    DenyAll,
    /// Isolates them for ingress but for these rules.
    Ingress(NonEmpty<Rule>),
    /// Isolates them for egress but for these rules.
    Egress(NonEmpty<Rule>),
}

impl Rules {
    /// The rules that allow something.
    pub fn allowing(&self) -> impl Iterator<Item = &Rule> {
        match self {
            Self::DenyAll => None,
            Self::Ingress(rules) | Self::Egress(rules) => Some(rules.iter()),
        }
        .into_iter()
        .flatten()
    }
}

/// One NetworkPolicy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Policy {
    /// `metadata.namespace`.
    pub namespace: String,
    /// What it is for. Before the name, so that the default deny comes first of its namespace.
    pub class: Class,
    /// `metadata.name`; unique in the namespace.
    pub name: String,
    /// The workload it is for; `None` where it is for all pods of the namespace.
    pub subject: Option<WorkloadName>,
    /// `spec.podSelector`.
    pub selects: PodSelector,
    /// `spec.policyTypes`, `spec.ingress` and `spec.egress`.
    pub rules: Rules,
}

/// A policy and, for each of its rules, the edges it is there for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// The policy.
    pub policy: Policy,
    /// The grounds of each rule; every rule of the policy has at least one.
    pub grounds: BTreeMap<Rule, BTreeMap<Edge, Evidence>>,
    /// Sentences for the reviewer that belong above the whole policy, such as a stated widening.
    pub notes: Vec<String>,
}
