//! What makes a policy unusable. The API server would refuse it too, so nothing is guessed in its place.

use std::fmt;

/// A policy's namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyName {
    /// `metadata.namespace`; `default` where the object has none, as `kubectl apply` takes it.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
}

impl fmt::Display for PolicyName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.namespace, self.name)
    }
}

/// A policy that cannot be evaluated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("evaluate policy {policy}")]
pub struct PolicyError {
    /// Which policy.
    pub policy: PolicyName,
    /// What is wrong with it.
    #[source]
    pub fault: PolicyFault,
}

/// What is wrong with a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyFault {
    /// `metadata.name` is missing.
    #[error("it has no name")]
    NameMissing,
    /// `policyTypes` holds something else than `Ingress` and `Egress`.
    #[error("unknown policy type `{0}`")]
    UnknownPolicyType(String),
    /// `ipBlock.cidr` or one of `ipBlock.except` is not a range of addresses.
    #[error("`{0}` is not a CIDR")]
    BadCidr(String),
    /// A range of `except` is not strictly inside `cidr`.
    #[error("except `{except}` is not a strict part of `{cidr}`")]
    ExceptOutside {
        /// The block's range.
        cidr: String,
        /// The exception.
        except: String,
    },
    /// A peer has `ipBlock` and a selector.
    #[error("a peer has both ipBlock and a selector")]
    BlockWithSelector,
    /// A peer has no field at all.
    #[error("a peer is empty")]
    EmptyPeer,
    /// `protocol` is not TCP, UDP or SCTP.
    #[error("unknown protocol `{0}`")]
    UnknownProtocol(String),
    /// `port` is not from 1 to 65535.
    #[error("{0} is not a port")]
    BadPort(i32),
    /// `port` is text that is no name of a port: those have a letter. A number in quotes is none.
    #[error("`{0}` is no name of a port")]
    BadPortName(String),
    /// `endPort` without a numeric `port`.
    #[error("endPort {0} without a numeric port")]
    EndPortWithoutPort(i32),
    /// `endPort` is below `port` or above 65535.
    #[error("endPort {end} does not fit port {port}")]
    BadEndPort {
        /// `port`.
        port: i32,
        /// `endPort`.
        end: i32,
    },
    /// The operator of a `matchExpressions` entry is unknown.
    #[error("unknown operator `{0}`")]
    UnknownOperator(String),
    /// `In` or `NotIn` without values.
    #[error("operator {operator} on `{key}` without values")]
    ValuesMissing {
        /// The label's key.
        key: String,
        /// The operator.
        operator: String,
    },
    /// `Exists` or `DoesNotExist` with values.
    #[error("operator {operator} on `{key}` with values")]
    ValuesGiven {
        /// The label's key.
        key: String,
        /// The operator.
        operator: String,
    },
}
