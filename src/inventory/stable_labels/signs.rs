//! What a label's key and value say of how long it lasts, without any knowledge of who set it.

use std::collections::BTreeSet;

use super::Ends;
use super::Event::{self, FailOver, NodeChange, Replacement, Rollout, Run, Upgrade};
use crate::inventory::generated;

/// Last words of keys whose values are of one pod, run or version.
const WORDS: &[(&[&str], Event)] = &[
    (&["uid", "uuid", "index", "ordinal", "token"], Replacement),
    (&["hash", "revision", "generation", "digest", "checksum", "timestamp", "date", "sha", "commit", "build"], Rollout),
    (&["attempt", "retry", "run", "runid"], Run),
    (&["node", "nodename", "hostname"], NodeChange),
];
/// Last words of keys that mostly say what a pod is at the moment. Under a Deployment or StatefulSet they are what its template says.
const ROLES: &[&str] = &["role", "instance", "instancename", "leader", "state", "phase"];
/// Last words of keys whose values look made up and last.
const TENANTS: &[&str] = &["shard", "tenant", "customer", "account"];

/// What surrounds a label.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    /// The workload's own name.
    pub(super) workload: &'a str,
    /// The names of one of its pods, if they were given by a controller.
    pub(super) pod: Option<&'a str>,
    /// The name of that pod's node.
    pub(super) node: Option<&'a str>,
    /// The names of owners that come and go below the workload: ReplicaSets, runs.
    pub(super) passing: &'a BTreeSet<String>,
    /// Whether a controller that knows no roles (of `apps` or `batch`) made the pods.
    pub(super) is_built_in: bool,
}

/// The words of a label's key after its prefix, in lower case: `app.kubernetes.io/instanceName` has `instance` and `name`.
fn words(key: &str) -> Vec<String> {
    let name = key.rsplit_once('/').map_or(key, |(_, name)| name);
    let mut words: Vec<String> = Vec::new();
    let mut was_lower = false;
    let mut starts = true;
    for letter in name.chars() {
        if matches!(letter, '-' | '_' | '.') {
            starts = true;
            continue;
        }
        if starts || letter.is_ascii_uppercase() && was_lower {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(letter.to_ascii_lowercase());
        }
        was_lower = letter.is_ascii_lowercase();
        starts = false;
    }
    words
}

/// The last word of a key, and the last two as one.
fn last_words(key: &str) -> (String, String) {
    let words = words(key);
    let last = words.last().cloned().unwrap_or_default();
    let two = words.iter().rev().take(2).rev().map(String::as_str).collect();
    (last, two)
}

/// Why the label does not last; nothing if no sign says so.
pub(super) fn read(key: &str, value: &str, context: Context<'_>) -> Option<Ends> {
    let ends = |event, why: &str| Some(Ends { event, why: why.to_owned() });
    // `kubectl run debug` labels its pod `run: debug`.
    if value == context.workload {
        return None;
    }
    let (last, two) = last_words(key);
    let is_one_of = |list: &[&str]| list.contains(&last.as_str()) || list.contains(&two.as_str());
    if let Some((_, event)) = WORDS.iter().find(|(words, _)| is_one_of(words)) {
        return ends(*event, "has a key that ends in a word for what changes");
    }
    if key.contains("checksum") {
        return ends(Rollout, "has a key that ends in a word for what changes");
    }
    if context.pod == Some(value) {
        return ends(Replacement, "is the pod's name");
    }
    let short = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
    if context.node.is_some_and(|node| !value.is_empty() && (node == value || short(node) == value)) {
        return ends(NodeChange, "is the name of the node");
    }
    if let Some(name) = context.passing.iter().find(|name| holds(value, name)) {
        return ends(Run, &format!("holds the name {name} of an owner that comes and goes"));
    }
    if let Some(suffix) = context.pod.and_then(|pod| pod.rsplit_once('-')).map(|(_, suffix)| suffix) {
        if generated::is_suffix(suffix) && value.ends_with(suffix) {
            return ends(Replacement, "ends as the pod's name does");
        }
        let is_ordinal = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        if is_ordinal && value == suffix {
            return ends(Replacement, "is the number of the pod");
        }
    }
    if last == "version" && value.split('.').filter(|part| part.bytes().any(|byte| byte.is_ascii_digit())).count() > 1 {
        return ends(Upgrade, "is a version");
    }
    if is_one_of(ROLES) && !context.is_built_in {
        return ends(FailOver, "has a key that ends in a word for what a pod is at the moment");
    }
    if is_one_of(TENANTS) {
        return None;
    }
    generated::form(value).and_then(|form| ends(Rollout, form))
}

/// Whether a value holds a name: is it, or has it in it where the name is long enough not to be there by chance.
fn holds(value: &str, name: &str) -> bool {
    value == name || generated::stem(name).is_some() && value.contains(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sign_is_seen_and_plain_labels_are_left_alone() {
        let passing = BTreeSet::from(["build-x7k2p".to_owned(), "api-7".to_owned()]);
        let context = |is_built_in| Context {
            workload: "orders",
            pod: Some("orders-1-x7k2p"),
            node: Some("n1.example.com"),
            passing: &passing,
            is_built_in,
        };
        let rows: &[(&str, &str, Option<Event>)] = &[
            ("app", "orders", None),
            ("app", "web", None),
            ("run", "orders", None),
            ("example.com/runId", "7", Some(Run)),
            ("example.com/run_id", "7", Some(Run)),
            ("commit", "main", Some(Rollout)),
            ("build", "12", Some(Rollout)),
            ("config-checksum", "1", Some(Rollout)),
            ("example.com/nodeName", "x", Some(NodeChange)),
            ("where", "n1", Some(NodeChange)),
            ("who", "orders-1-x7k2p", Some(Replacement)),
            ("part", "a-x7k2p", Some(Replacement)),
            ("owner", "api-7", Some(Run)),
            ("owner", "of-build-x7k2p-1", Some(Run)),
            ("owner", "my-api-7", None),
            ("version", "4.0.1", Some(Upgrade)),
            ("version", "v1", None),
            ("role", "primary", Some(FailOver)),
            ("example.com/instanceName", "one", Some(FailOver)),
            ("tenant", "8b71b8ec3f68", None),
            ("id", "8b71b8ec3f68", Some(Rollout)),
            ("tier", "front", None),
        ];
        for (key, value, expected) in rows {
            let found = read(key, value, context(false)).map(|ends| ends.event);
            assert_eq!(found, *expected, "{key}={value}");
        }
        assert_eq!(read("role", "primary", context(true)), None, "the template of a Deployment says it");
    }
}
