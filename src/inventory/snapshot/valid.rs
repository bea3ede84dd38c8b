//! What no API server takes: an object that has it is not of a cluster, and is left out alone.
//!
//! Names become paths, selectors and lines of a review. So they are asked here, once, and not wherever they are used.

use super::api_types::{Envelope, OwnerReference};
use super::node::shorten;
use crate::model::Labels;

/// How many bytes the labels of an object may have. The API takes no object above 3 MiB; real ones have a hundred labels at most.
const MOST_LABELS: usize = 32 << 10;

/// Kinds whose objects have names of DNS, as the API server checks them (kubernetes/kubernetes, pkg/apis/*/validation). Other kinds may
/// have any name that can stand in a path.
const NAMED_AS_DNS: &[&str] = &[
    "Pod",
    "Node",
    "Service",
    "Deployment",
    "ReplicaSet",
    "StatefulSet",
    "DaemonSet",
    "ReplicationController",
    "Job",
    "CronJob",
    "Ingress",
    "NetworkPolicy",
    "EndpointSlice",
    "Endpoints",
];

/// Why an object cannot be one of a cluster; nothing if it can.
pub(super) fn fault(envelope: &Envelope) -> Option<String> {
    let Envelope { kind, metadata, .. } = envelope;
    let name = metadata.name.as_str();
    if kind.is_empty() {
        return Some("it has no kind".to_owned());
    }
    if name.is_empty() {
        return Some("it has no name".to_owned());
    }
    let is_name = match kind.as_str() {
        "Namespace" => is_dns_label(name),
        kind if NAMED_AS_DNS.contains(&kind) => is_dns_name(name),
        _ => is_path_segment(name),
    };
    if !is_kind(kind) {
        return Some(format!("`{}` is not a kind", shorten(kind)));
    }
    if !is_name {
        return Some(format!("`{}` is not a name of a {kind}", shorten(name)));
    }
    if !metadata.namespace.is_empty() && !is_dns_label(&metadata.namespace) {
        return Some(format!("`{}` is not a name of a namespace", shorten(&metadata.namespace)));
    }
    let bytes: usize = metadata.labels.iter().map(|(key, value)| key.len() + value.len()).sum();
    (bytes > MOST_LABELS).then(|| format!("its labels are longer than {} KiB", MOST_LABELS >> 10))
}

/// Whether this can be an owner.
pub(super) fn is_owner(owner: &OwnerReference) -> bool {
    is_kind(&owner.kind) && is_path_segment(&owner.name)
}

/// The first label that is none.
pub(super) fn not_a_label(labels: &Labels) -> Option<(&String, &String)> {
    labels.iter().find(|(key, value)| !is_label(key, value))
}

/// Whether this is a label (kubernetes/kubernetes, staging/src/k8s.io/apimachinery/pkg/util/validation).
pub(super) fn is_label(key: &str, value: &str) -> bool {
    let (prefix, name) = key.rsplit_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    prefix.is_none_or(is_dns_name) && is_qualified(name) && (value.is_empty() || is_qualified(value))
}

/// Letters, digits, and between them `-`, `_` and `.`; at most 63.
fn is_qualified(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let is_end = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    text.len() <= 63 && text.bytes().all(is_inner) && is_end(text.bytes().next()) && is_end(text.bytes().last())
}

/// RFC 1123, a label: small letters, digits, and between them dashes; at most 63.
fn is_dns_label(text: &str) -> bool {
    text.len() <= 63 && is_part(text)
}

/// RFC 1123, a subdomain: parts with dots between them; at most 253.
fn is_dns_name(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_part)
}

fn is_part(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.bytes().all(is_inner) && !text.starts_with('-') && !text.ends_with('-')
}

/// What can stand in a path of the API: anything that is printed, but for `/` and `%`.
fn is_path_segment(text: &str) -> bool {
    !matches!(text, "" | "." | "..")
        && text.len() <= 253
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'/' | b'%'))
}

/// Letters and digits, the first a letter. Custom ones may have dashes.
fn is_kind(text: &str) -> bool {
    text.len() <= 63
        && text.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_labels_are_those_that_the_api_server_takes() {
        let long = "a".repeat(64);
        let rows: [(&str, bool, bool); 24] = [
            ("a label", is_label("app", "web"), true),
            ("with a prefix", is_label("app.kubernetes.io/name", "Web_1.0"), true),
            ("without a value", is_label("app", ""), true),
            ("an empty key", is_label("", "web"), false),
            ("an empty prefix", is_label("/app", "web"), false),
            ("two prefixes", is_label("a/b/c", "web"), false),
            ("a prefix with capitals", is_label("Example.com/app", "web"), false),
            ("a long value", is_label("app", &long), false),
            ("a long key", is_label(&long, "web"), false),
            ("a space", is_label("app", "my web"), false),
            ("a line feed", is_label("app", "web\n"), false),
            ("a dash at the end", is_label("app", "web-"), false),
            ("a namespace", is_dns_label("kube-system"), true),
            ("a path", is_dns_label("../../etc"), false),
            ("a dot", is_dns_label("a.b"), false),
            ("a long namespace", is_dns_label(&long), false),
            ("a pod", is_dns_name("web-6d4cf56db6-x2x4z"), true),
            ("capitals", is_dns_name("Web"), false),
            ("a path segment", is_path_segment("system:node:worker-1"), true),
            ("the directory above", is_path_segment(".."), false),
            ("an escape", is_path_segment("a\u{1b}[31m"), false),
            ("a kind", is_kind("ReplicaSet"), true),
            ("two kinds", is_kind("A/B"), false),
            ("no kind", is_kind(""), false),
        ];
        for (what, found, expected) in rows {
            assert_eq!(found, expected, "{what}");
        }
    }
}
