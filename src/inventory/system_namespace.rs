//! Namespaces of platforms: peers always, subjects of policies only on request.

/// Names, and beginnings that end with `*`. Wrong for a namespace of a team that begins like one of these.
const PATTERNS: &[&str] = &[
    // Kubernetes.
    "kube-system",
    "kube-public",
    "kube-node-lease",
    // Network plug-ins.
    "calico-system",
    "calico-apiserver",
    "tigera-operator",
    "cilium-secrets",
    "kube-flannel",
    "ovn-kubernetes",
    "ovn-host-network",
    // OpenShift.
    "openshift",
    "openshift-*",
    // GKE.
    "gke-*",
    "gmp-system",
    "gmp-public",
    "config-management-*",
    "cnrm-system",
    "asm-system",
    // AKS (MicrosoftDocs/azure-aks-docs).
    "gatekeeper-system",
    "aks-*",
    "app-routing-system",
    // EKS add-ons.
    "amazon-*",
    // Rancher.
    "cattle-*",
    "fleet-*",
    "system-upgrade",
    // Storage of k3s and Rancher.
    "longhorn-system",
    "local-path-storage",
    // Meshes.
    "istio-system",
    "linkerd",
    "linkerd-*",
];

/// Whether a namespace belongs to the platform.
#[must_use]
pub fn is_system_namespace(name: &str) -> bool {
    PATTERNS.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(beginning) => name.strip_prefix(beginning).is_some_and(|rest| !rest.is_empty()),
        None => name == *pattern,
    })
}

#[cfg(test)]
mod tests {
    use super::is_system_namespace;

    #[test]
    fn platforms_have_namespaces_of_their_own() {
        let rows = [
            ("kube-system", true),
            ("openshift", true),
            ("openshift-dns", true),
            ("openshifty", false),
            ("openshift-", false),
            ("gke-managed-system", true),
            ("aks-command", true),
            ("calico-system", true),
            ("cattle-monitoring-system", true),
            ("linkerd", true),
            ("default", false),
            ("kube", false),
            ("shop", false),
        ];
        for (name, is_system) in rows {
            assert_eq!(is_system_namespace(name), is_system, "{name}");
        }
    }
}
