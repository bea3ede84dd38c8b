//! Names of resources in, kinds out: what paths and links say of objects that do not say their kind.
//!
//! Programs that list objects with the API's own types write them without `kind` and `apiVersion`; which kind they are, the name of
//! the file or a directory says. Layouts that are known:
//!
//! | what wrote it | where pods are |
//! |---|---|
//! | `kubectl cluster-info dump --output-directory` | `shop/pods.json` |
//! | troubleshoot.sh (replicatedhq/troubleshoot, `pkg/constants/constants.go`) | `cluster-resources/pods/shop.json` |
//! | `oc adm must-gather`, `oc adm inspect` (openshift/oc, `pkg/cli/admin/inspect`) | `namespaces/shop/core/pods.yaml`, `namespaces/shop/pods/web/web.yaml` |
//! | Velero (vmware-tanzu/velero, `pkg/backup/item_backupper.go`) | `resources/pods/namespaces/shop/web.json` |
//!
//! Wrong where a file of another kind has such a name: what an object says of itself always comes first.

use std::path::Path;

use super::node::Tree;
use super::parse::ListKind;

/// Plural, kind, version. Also of kinds of which no conversion reads anything, so that they can be named.
const RESOURCES: &[(&str, &str, &str)] = &[
    ("namespaces", "Namespace", "v1"),
    ("nodes", "Node", "v1"),
    ("pods", "Pod", "v1"),
    ("services", "Service", "v1"),
    ("endpoints", "Endpoints", "v1"),
    ("endpointslices", "EndpointSlice", "discovery.k8s.io/v1"),
    ("replicationcontrollers", "ReplicationController", "v1"),
    ("deployments", "Deployment", "apps/v1"),
    ("replicasets", "ReplicaSet", "apps/v1"),
    ("statefulsets", "StatefulSet", "apps/v1"),
    ("daemonsets", "DaemonSet", "apps/v1"),
    ("deploymentconfigs", "DeploymentConfig", "apps.openshift.io/v1"),
    ("jobs", "Job", "batch/v1"),
    ("cronjobs", "CronJob", "batch/v1"),
    ("ingresses", "Ingress", "networking.k8s.io/v1"),
    ("networkpolicies", "NetworkPolicy", "networking.k8s.io/v1"),
    ("servicecidrs", "ServiceCIDR", "networking.k8s.io/v1"),
    ("horizontalpodautoscalers", "HorizontalPodAutoscaler", "autoscaling/v2"),
    ("validatingwebhookconfigurations", "ValidatingWebhookConfiguration", "admissionregistration.k8s.io/v1"),
    ("mutatingwebhookconfigurations", "MutatingWebhookConfiguration", "admissionregistration.k8s.io/v1"),
    ("apiservices", "APIService", "apiregistration.k8s.io/v1"),
    ("configmaps", "ConfigMap", "v1"),
    ("events", "Event", "v1"),
    ("leases", "Lease", "coordination.k8s.io/v1"),
    ("limitranges", "LimitRange", "v1"),
    ("persistentvolumes", "PersistentVolume", "v1"),
    ("persistentvolumeclaims", "PersistentVolumeClaim", "v1"),
    ("pvs", "PersistentVolume", "v1"),
    ("pvcs", "PersistentVolumeClaim", "v1"),
    ("poddisruptionbudgets", "PodDisruptionBudget", "policy/v1"),
    ("priorityclasses", "PriorityClass", "scheduling.k8s.io/v1"),
    ("resourcequotas", "ResourceQuota", "v1"),
    ("roles", "Role", "rbac.authorization.k8s.io/v1"),
    ("rolebindings", "RoleBinding", "rbac.authorization.k8s.io/v1"),
    ("clusterroles", "ClusterRole", "rbac.authorization.k8s.io/v1"),
    ("clusterrolebindings", "ClusterRoleBinding", "rbac.authorization.k8s.io/v1"),
    ("secrets", "Secret", "v1"),
    ("serviceaccounts", "ServiceAccount", "v1"),
    ("storageclasses", "StorageClass", "storage.k8s.io/v1"),
    ("volumeattachments", "VolumeAttachment", "storage.k8s.io/v1"),
    ("customresourcedefinitions", "CustomResourceDefinition", "apiextensions.k8s.io/v1"),
];

/// The kind of a resource by its name: `pods`, `network-policy`, `deployments.apps`, in any case.
fn named(name: &str) -> Option<ListKind> {
    let name = name.split_once('.').map_or(name, |(plural, _)| plural);
    let name: String = name.chars().filter(|letter| !matches!(letter, '-' | '_')).collect::<String>().to_ascii_lowercase();
    let is_meant = |(plural, kind, _): &&(&str, &str, &str)| *plural == name || kind.eq_ignore_ascii_case(&name);
    RESOURCES.iter().find(is_meant).map(|(_, kind, version)| ListKind::new(kind, version))
}

/// Whether it is a kind of the API that has a name here.
pub(super) fn is_known(kind: &str) -> bool {
    RESOURCES.iter().any(|(_, known, _)| *known == kind)
}

/// The kind of the objects in a file, from where it is.
pub(super) fn of_path(path: &Path) -> Option<ListKind> {
    let parts: Vec<&str> = path.iter().filter_map(|part| part.to_str()).collect();
    let (file, directories) = parts.split_last()?;
    let stem = file.split_once('.').map_or(*file, |(stem, _)| stem);
    let after = |name: &str| {
        let position = directories.iter().rposition(|part| *part == name)?;
        Some(directories.get(position + 1).map_or(stem, |part| part))
    };
    // A namespace or an object may be called like a resource: where the layout is known, it says which part is which.
    if let Some(resource) = after("cluster-resources") {
        return named(resource);
    }
    if let Some(position) = directories.iter().rposition(|part| *part == "resources")
        && let [resource, below @ ..] = &directories[position + 1..]
        && below.iter().any(|part| matches!(*part, "namespaces" | "cluster"))
    {
        return named(resource);
    }
    if let Some(position) = directories.iter().rposition(|part| *part == "namespaces")
        && let [_, group, below @ ..] = &directories[position + 1..]
    {
        return match below {
            [] => named(stem),
            [..] if *group == "pods" => named("pods"),
            [resource, ..] => named(resource),
        };
    }
    if let Some(position) = directories.iter().rposition(|part| *part == "cluster-scoped-resources")
        && let [_, below @ ..] = &directories[position + 1..]
    {
        return named(below.first().map_or(stem, |resource| resource));
    }
    named(stem).or_else(|| named(directories.last()?))
}

/// The kind that an object's or a list's `selfLink` says: `/api/v1/namespaces/shop/pods/web`. The API server wrote it until 1.20.
pub(super) fn of_link(tree: &Tree) -> Option<ListKind> {
    let link = |tree: &Tree| tree.get("selfLink").and_then(Tree::text).map(str::to_owned);
    let link = link(tree).or_else(|| link(tree.get("metadata")?))?;
    let parts: Vec<&str> = link.split('/').filter(|part| !part.is_empty()).collect();
    let (["api", _, path @ ..] | ["apis", _, _, path @ ..]) = parts.as_slice() else { return None };
    match path {
        ["namespaces", _, resource, ..] | [resource, ..] => named(resource),
        [] => None,
    }
}

/// The kind that only objects of such a shape have: pods, nodes and Services that say nothing else. A custom kind made after one of
/// them would be taken for it; but programs that leave the kind out do so for the API's own types.
pub(super) fn of_shape(tree: &Tree) -> Option<ListKind> {
    let has = |part: &str, member: &str| tree.get(part).is_some_and(|part| part.get(member).is_some());
    tree.get("metadata")?;
    if has("spec", "containers") && (has("status", "phase") || has("spec", "nodeName")) {
        named("pods")
    } else if has("status", "addresses") && (has("status", "capacity") || has("spec", "podCIDR")) {
        named("nodes")
    } else if has("spec", "clusterIP") && has("spec", "ports") {
        named("services")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_say_the_kind() {
        for (path, expected) in [
            ("dump/nodes.json", Some("Node")),
            ("dump/shop/pods.json", Some("Pod")),
            ("dump/shop/replication-controllers.json", Some("ReplicationController")),
            ("pods.json.gz", Some("Pod")),
            ("pods/shop.yaml", Some("Pod")),
            ("bundle/cluster-resources/nodes.json", Some("Node")),
            ("bundle/cluster-resources/pods/shop.json", Some("Pod")),
            ("bundle/cluster-resources/pods/services.json", Some("Pod")),
            ("bundle/cluster-resources/network-policy/pods.json", Some("NetworkPolicy")),
            ("bundle/cluster-resources/ingress/shop.json", Some("Ingress")),
            ("bundle/cluster-resources/pods-errors.json", None),
            ("bundle/cluster-resources/groups.json", None),
            ("backup/resources/pods/namespaces/shop/nodes.json", Some("Pod")),
            ("backup/resources/deployments.apps/namespaces/shop/web.json", Some("Deployment")),
            ("backup/resources/pods/v1-preferredversion/namespaces/shop/web.json", Some("Pod")),
            ("backup/resources/widgets.example.com/cluster/pods.json", None),
            ("gather/namespaces/shop/core/pods.yaml", Some("Pod")),
            ("gather/namespaces/shop/apps/deployments.yaml", Some("Deployment")),
            ("gather/namespaces/pods/core/services.yaml", Some("Service")),
            ("gather/namespaces/shop/pods/web/web.yaml", Some("Pod")),
            ("gather/namespaces/shop/pods/services/services.yaml", Some("Pod")),
            ("gather/cluster-scoped-resources/core/nodes/pods.yaml", Some("Node")),
            ("gather/cluster-scoped-resources/core/nodes.yaml", Some("Node")),
            ("resources/dump/shop/pods.json", Some("Pod")),
            ("namespaces/shop/pods.json", Some("Pod")),
            ("cluster.json", None),
            ("", None),
        ] {
            let found = of_path(Path::new(path));
            assert_eq!(found.as_ref().map(ListKind::kind), expected, "{path}");
        }
    }

    #[test]
    fn links_say_the_kind() {
        for (link, expected) in [
            ("/api/v1/nodes", Some("Node")),
            ("/api/v1/namespaces/shop/pods", Some("Pod")),
            ("/api/v1/namespaces/shop/pods/web", Some("Pod")),
            ("/api/v1/namespaces/shop", Some("Namespace")),
            ("/apis/extensions/v1beta1/namespaces/shop/deployments", Some("Deployment")),
            ("/apis/example.com/v1/widgets", None),
            ("nodes", None),
        ] {
            let text = serde_json::json!({"metadata": {"selfLink": link}});
            assert_eq!(of_link(&Tree::from(text)).as_ref().map(ListKind::kind), expected, "{link}");
        }
    }
}
