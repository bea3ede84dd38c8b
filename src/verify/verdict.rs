//! What may be said of a connection.

use std::collections::BTreeSet;
use std::fmt;

use super::error::PolicyName;
use super::ports::PortSet;
pub use crate::model::Direction;

/// One rule of a policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleName {
    /// The policy.
    pub policy: PolicyName,
    /// The list it is in: `spec.ingress` or `spec.egress`.
    pub direction: Direction,
    /// Its position there, from 0.
    pub index: usize,
}

/// As a path into the object: `shop/allow-egress-from-web egress[0]`.
impl fmt::Display for RuleName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}[{}]", self.policy, self.direction, self.index)
    }
}

/// Why policies have no say on one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Exempt {
    /// A pod and itself.
    SamePod,
    /// A loopback or unspecified address: it never leaves where it began.
    Loopback,
    /// A pod called by the node that it runs on. The API's text exempts the other way too ("traffic to and from the node where a
    /// Pod is running is always allowed, regardless of the IP address of the Pod or the node"), but most network plug-ins do not.
    OwnNode,
    /// A node or a pod on its network: no policy selects it.
    HostNetwork,
    /// An address outside the cluster: no policy selects it.
    Outside,
}

/// The answer of one side: of the policies that select the originator for egress, or the responder for ingress.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// No policy can forbid it.
    Exempt(Exempt),
    /// No policy isolates the pod in this direction.
    NotIsolated,
    /// These rules allow it.
    Allowed {
        /// All of them, at least one.
        by: BTreeSet<RuleName>,
    },
    /// Only by an `ipBlock` that covers a pod's address. The API means blocks for "cluster-external IPs"; whether one matches a
    /// pod is up to the network plug-in, so it must not be relied on, nor be held for closed.
    Undefined {
        /// The rules with such a block.
        by: BTreeSet<RuleName>,
    },
    /// No rule allows it.
    Denied {
        /// The policies that isolate the pod in this direction, at least one.
        isolated_by: BTreeSet<PolicyName>,
    },
}

/// An answer without its reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Answer {
    /// It is denied.
    Denied,
    /// Network plug-ins differ.
    Undefined,
    /// It is allowed.
    Allowed,
}

impl Side {
    /// The answer without its reasons.
    #[must_use]
    pub const fn answer(&self) -> Answer {
        match self {
            Self::Exempt(_) | Self::NotIsolated | Self::Allowed { .. } => Answer::Allowed,
            Self::Undefined { .. } => Answer::Undefined,
            Self::Denied { .. } => Answer::Denied,
        }
    }
}

/// The answers of both sides. A connection is possible only if both allow it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Verdict {
    /// Egress of the originator.
    pub originator: Side,
    /// Ingress of the responder.
    pub responder: Side,
}

impl Verdict {
    /// The answer of both together: the worse one.
    #[must_use]
    pub fn answer(&self) -> Answer {
        self.originator.answer().min(self.responder.answer())
    }
}

/// The ports of a responder that an originator reaches.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reach {
    /// Those allowed on both sides.
    pub allowed: PortSet,
    /// Those of which network plug-ins differ; disjoint from the allowed ones.
    pub undefined: PortSet,
}
