//! Names of what runs in the cluster.

use std::fmt;

/// The kind of a workload's top-most lasting owner, such as `Deployment`; `Pod` for a pod without an owner.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkloadKind(pub String);

/// A workload: the top-most lasting owner of a set of pods (the Deployment, not the ReplicaSet).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkloadName {
    /// Its namespace.
    pub namespace: String,
    /// Its own name.
    pub name: String,
    /// Its kind; last, so that output is ordered by name.
    pub kind: WorkloadKind,
}

impl WorkloadName {
    /// Stands for the pods to come of a namespace that have none of the labels by which workloads there are known. No object can have
    /// this name.
    #[must_use]
    pub fn any_other_pod(namespace: &str) -> Self {
        Self { namespace: namespace.to_owned(), name: "any other pod".to_owned(), kind: WorkloadKind("Pod".to_owned()) }
    }
}

impl fmt::Display for WorkloadName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.namespace, self.name)
    }
}

/// A pod's namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodName {
    /// Its namespace.
    pub namespace: String,
    /// Its own name.
    pub name: String,
}

impl fmt::Display for PodName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.namespace, self.name)
    }
}
