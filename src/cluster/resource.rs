//! The kinds that are asked for.

/// A kind of object, as the API addresses it.
#[derive(Debug, PartialEq, Eq)]
pub struct Resource {
    /// Its group; empty for the core group.
    pub group: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Its kind.
    pub kind: &'static str,
    /// Its plural, as in paths and RBAC rules.
    pub plural: &'static str,
    /// Whether there is no inventory without it.
    pub is_required: bool,
    /// Whether clusters in use may not have it, so that its absence is nothing to tell.
    pub is_recent: bool,
}

/// Every kind that the inventory reads but `Endpoints`, which `EndpointSlice` has replaced. What identities rest on comes first,
/// so that missing rights are told at once.
pub const RESOURCES: &[Resource] = &[
    required("namespaces", "Namespace"),
    required("pods", "Pod"),
    required("services", "Service"),
    resource("", "nodes", "Node"),
    resource("", "replicationcontrollers", "ReplicationController"),
    resource("discovery.k8s.io", "endpointslices", "EndpointSlice"),
    resource("apps", "deployments", "Deployment"),
    resource("apps", "replicasets", "ReplicaSet"),
    resource("apps", "statefulsets", "StatefulSet"),
    resource("apps", "daemonsets", "DaemonSet"),
    resource("batch", "jobs", "Job"),
    resource("batch", "cronjobs", "CronJob"),
    resource("networking.k8s.io", "ingresses", "Ingress"),
    resource("networking.k8s.io", "networkpolicies", "NetworkPolicy"),
    resource("admissionregistration.k8s.io", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration"),
    resource("admissionregistration.k8s.io", "mutatingwebhookconfigurations", "MutatingWebhookConfiguration"),
    resource("apiregistration.k8s.io", "apiservices", "APIService"),
    Resource { version: "v2", ..resource("autoscaling", "horizontalpodautoscalers", "HorizontalPodAutoscaler") },
    // Since Kubernetes 1.33.
    Resource { is_recent: true, ..resource("networking.k8s.io", "servicecidrs", "ServiceCIDR") },
];

/// All are stable, nearly all `v1`.
const fn resource(group: &'static str, plural: &'static str, kind: &'static str) -> Resource {
    Resource { group, version: "v1", kind, plural, is_required: false, is_recent: false }
}

const fn required(plural: &'static str, kind: &'static str) -> Resource {
    Resource { is_required: true, ..resource("", plural, kind) }
}

impl Resource {
    /// Its `apiVersion`.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    /// Where all objects of the kind are listed, of all namespaces.
    #[must_use]
    pub fn path(&self) -> String {
        let root = if self.group.is_empty() { "/api" } else { "/apis" };
        format!("{root}/{}/{}", self.api_version(), self.plural)
    }

    /// Its name as `kubectl api-resources` and RBAC messages give it: `pods`, `ingresses.networking.k8s.io`.
    #[must_use]
    pub fn name(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// The rule of a `ClusterRole` that allows listing and watching it.
    #[must_use]
    pub fn rule(&self) -> String {
        format!(r#"{{apiGroups: ["{}"], resources: ["{}"], verbs: ["list", "watch"]}}"#, self.group, self.plural)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn core_and_other_groups_are_addressed_differently() {
        let of = |kind: &str| RESOURCES.iter().find(|resource| resource.kind == kind).expect("a known kind");
        let rows = [
            ("Pod", "v1", "/api/v1/pods", "pods", r#"{apiGroups: [""], resources: ["pods"], verbs: ["list", "watch"]}"#),
            (
                "Ingress",
                "networking.k8s.io/v1",
                "/apis/networking.k8s.io/v1/ingresses",
                "ingresses.networking.k8s.io",
                r#"{apiGroups: ["networking.k8s.io"], resources: ["ingresses"], verbs: ["list", "watch"]}"#,
            ),
        ];
        for (kind, api_version, path, name, rule) in rows {
            let resource = of(kind);
            assert_eq!(
                (resource.api_version().as_str(), resource.path().as_str(), resource.name().as_str(), resource.rule().as_str()),
                (api_version, path, name, rule),
                "{kind}"
            );
        }
    }
}
