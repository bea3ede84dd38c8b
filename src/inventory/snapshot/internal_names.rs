//! Objects as kubectl before 1.14 dumps them in, the same as the API writes them out.
//!
//! Its `cluster-info dump` printed the internal types of Kubernetes, whose members have no JSON names: `Items`, `Spec`, `PodIP`; and
//! what is `metadata` elsewhere stands in the object itself:
//!
//! ```text
//! {"selfLink": "/api/v1/namespaces/shop/pods", "Items": [
//!   {"name": "web", "namespace": "shop", "labels": {"app": "web"}, "Spec": {"NodeName": "n1", …}, "Status": {"PodIP": "10.0.0.5", …}}]}
//! ```

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::node::{Keep, Tree};

/// Members of `metadata`.
const METADATA: &[&str] = &[
    "name",
    "namespace",
    "uid",
    "selfLink",
    "resourceVersion",
    "labels",
    "annotations",
    "ownerReferences",
    "creationTimestamp",
    "deletionTimestamp",
];

/// A member's name as the API spells it: `PodIP` is `podIP`, `HTTPGet` is `httpGet`.
pub(super) fn api_name(name: &str) -> Cow<'_, str> {
    let capitals = name.bytes().take_while(u8::is_ascii_uppercase).count();
    let lowered = match capitals {
        0 => return Cow::Borrowed(name),
        1 => 1,
        // The last one begins the next word, if there is one.
        _ if name.as_bytes().get(capitals).is_some_and(u8::is_ascii_lowercase) => capitals - 1,
        _ => capitals,
    };
    Cow::Owned(name[..lowered].to_ascii_lowercase() + &name[lowered..])
}

/// The object as the API spells it; one that is so already stays as it is.
pub(super) fn respelled(tree: Tree) -> Tree {
    match tree {
        Tree::Mapping(members) if is_internal(&members) => {
            let mut object = lifted(members);
            // The API has these elsewhere, or under another name.
            let spec = object.get_mut("spec");
            if let Some(Tree::Mapping(spec)) = spec
                && let Some(Tree::Mapping(mut context)) = spec.remove("securityContext")
                && let Some(host_network) = context.remove("hostNetwork")
            {
                spec.insert("hostNetwork".into(), host_network);
            }
            Tree::Mapping(object)
        }
        tree => tree,
    }
}

fn is_internal(members: &BTreeMap<String, Tree>) -> bool {
    !members.contains_key("metadata")
        && members.get("name").is_some_and(|name| name.text().is_some())
        && members.keys().any(|name| matches!(name.as_str(), "Spec" | "Status" | "Subsets" | "InvolvedObject" | "Data"))
}

/// An object or template with its metadata where the API has them.
fn lifted(members: BTreeMap<String, Tree>) -> BTreeMap<String, Tree> {
    let (metadata, others): (BTreeMap<_, _>, BTreeMap<_, _>) =
        members.into_iter().partition(|(name, _)| METADATA.contains(&name.as_str()));
    let mut object = renamed(others);
    object.insert("metadata".into(), Tree::Mapping(metadata));
    object
}

fn renamed(members: BTreeMap<String, Tree>) -> BTreeMap<String, Tree> {
    let rename = |(name, value): (String, Tree)| {
        let name = match api_name(&name).into_owned() {
            name if name == "lastTerminationState" => "lastState".into(),
            name => name,
        };
        let value = match (value, name.as_str()) {
            (Tree::Mapping(members), "template" | "jobTemplate") => Tree::Mapping(lifted(members)),
            (value, name) if Keep::Useful.below(name) == Some(Keep::All) => value,
            (value, _) => renamed_below(value),
        };
        (name, value)
    };
    members.into_iter().map(rename).collect()
}

fn renamed_below(tree: Tree) -> Tree {
    match tree {
        Tree::Mapping(members) => Tree::Mapping(renamed(members)),
        Tree::Sequence(items) => Tree::Sequence(items.into_iter().map(renamed_below).collect()),
        scalar => scalar,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_api() {
        for (name, expected) in [
            ("Spec", "spec"),
            ("PodIP", "podIP"),
            ("PodCIDR", "podCIDR"),
            ("ClusterIP", "clusterIP"),
            ("ExternalIPs", "externalIPs"),
            ("IP", "ip"),
            ("UID", "uid"),
            ("HTTPGet", "httpGet"),
            ("TCPSocket", "tcpSocket"),
            ("podIP", "podIP"),
            ("", ""),
        ] {
            assert_eq!(api_name(name), expected, "{name}");
        }
    }

    #[test]
    fn an_object_is_respelled_and_its_labels_are_not() {
        let internal = serde_json::json!({
            "name": "web", "namespace": "shop", "labels": {"App": "Web"}, "creationTimestamp": "2018-01-01T00:00:00Z",
            "Spec": {"NodeName": "n1", "SecurityContext": {"HostNetwork": true}, "Containers": [{"Name": "main",
                "Ports": [{"ContainerPort": 80, "Protocol": "TCP"}]}], "Selector": {"App": "Web"},
                "Template": {"labels": {"App": "Web"}, "Spec": {"NodeName": ""}}},
            "Status": {"Phase": "Running", "PodIP": "10.0.0.5", "ContainerStatuses": [{"LastTerminationState": {"Terminated": null}}]},
        });
        let expected = serde_json::json!({
            "metadata": {
                "name": "web", "namespace": "shop", "labels": {"App": "Web"}, "creationTimestamp": "2018-01-01T00:00:00Z"},
            "spec": {"nodeName": "n1", "hostNetwork": true, "containers": [{"name": "main",
                "ports": [{"containerPort": 80, "protocol": "TCP"}]}], "selector": {"App": "Web"},
                "template": {"metadata": {"labels": {"App": "Web"}}, "spec": {"nodeName": ""}}},
            "status": {"phase": "Running", "podIP": "10.0.0.5", "containerStatuses": [{"lastState": {"terminated": null}}]},
        });
        assert_eq!(respelled(Tree::from(internal)), Tree::from(expected.clone()));
        assert_eq!(respelled(Tree::from(expected.clone())), Tree::from(expected), "what the API wrote stays as it is");
    }
}
