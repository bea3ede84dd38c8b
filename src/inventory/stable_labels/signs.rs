//! What a label's key and value say of how long it lasts, without any knowledge of who set it.

use std::collections::BTreeSet;

use super::Ends;
use super::Event::{self, FailOver, NodeChange, Replacement, Rollout, Run, Upgrade};
use crate::inventory::generated;

/// Last words of keys whose values are of one pod, run or version.
const WORDS: &[(&[&str], Event)] = &[
    (&["uid", "uuid", "guid", "ulid", "index", "ordinal", "token", "podname"], Replacement),
    (
        &[
            "hash",
            "revision",
            "rev",
            "generation",
            "digest",
            "checksum",
            "timestamp",
            "date",
            "sha",
            "commit",
            "build",
            "sequence",
            "imagetag",
            "gittag",
            "createdat",
            "startedat",
            "deployedat",
            "updatedat",
        ],
        Rollout,
    ),
    (&["attempt", "retry", "run", "runname", "executionname", "sessionname", "pullrequest", "mergerequest"], Run),
    (&["node", "nodename", "hostname"], NodeChange),
];
/// Last words of keys that number or name one of many, after a word for what there are many of.
const NUMBERS: &[&str] = &["id", "number", "nr", "num", "no"];
/// What there are many of, one after the other or side by side.
const NUMBERED: &[(&[&str], Event)] = &[
    (
        &[
            "run",
            "build",
            "job",
            "execution",
            "exec",
            "session",
            "request",
            "trace",
            "transaction",
            "invocation",
            "attempt",
            "pipeline",
            "batch",
            "event",
            "pr",
            "workflow",
            "sequence",
            "check",
        ],
        Run,
    ),
    (&["pod", "instance", "replica", "broker", "server", "member", "worker", "store", "machine", "node"], Replacement),
    (&["deploy", "release", "rollout", "commit", "revision"], Rollout),
];
/// Last words of keys that mostly say what a pod is at the moment. Under a Deployment or StatefulSet they are what its template says.
const ROLES: &[&str] = &["role", "instance", "instancename", "leader", "state", "phase"];
/// Values of roles that a fail-over hands from pod to pod.
const FAIL_OVER_ROLES: &[&str] =
    &["primary", "master", "leader", "replica", "slave", "secondary", "standby", "follower", "active", "passive"];
/// Last words of keys that say yes or no to what a pod is at the moment.
const STATES: &[&str] =
    &["active", "leader", "master", "primary", "standby", "ready", "healthy", "sealed", "initialized", "elected", "completed"];
/// Last words of keys that say what was built.
const TAGS: &[&str] = &["tag", "image", "ref", "version"];
/// Last words of keys whose values look made up and last.
const TENANTS: &[&str] = &["shard", "tenant", "customer", "account"];

/// Last words of keys that name what a pod is.
const NAMES: &[&str] = &[
    "app",
    "name",
    "component",
    "service",
    "job",
    "task",
    "step",
    "workflow",
    "pipeline",
    "flow",
    "dag",
    "repo",
    "repository",
    "project",
    "queue",
];

/// Whether a key says that its value names what the pod is.
pub(super) fn is_name(key: &str) -> bool {
    words(key).last().is_some_and(|last| NAMES.contains(&last.as_str()))
}

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
    /// Whether the pods keep their names and nothing is known of the template that they were made from.
    pub(super) is_stateful: bool,
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

/// Why the label does not last; nothing if no sign says so.
pub(super) fn read(key: &str, value: &str, context: Context<'_>) -> Option<Ends> {
    let ends = |event, why: &str| Some(Ends { event, why: why.to_owned() });
    // `kubectl run debug` labels its pod `run: debug`.
    if value == context.workload && !generated::is_whole(value) {
        return None;
    }
    let words = words(key);
    let last = words.last().cloned().unwrap_or_default();
    let two: String = words.iter().rev().take(2).rev().map(String::as_str).collect();
    let is_one_of = |list: &[&str]| list.contains(&last.as_str()) || list.contains(&two.as_str());
    // `run` alone is what `kubectl run` and `kubectl create` call their objects.
    let is_plain = key == "run" && generated::form(value).is_none();
    if let Some((_, event)) = WORDS.iter().find(|(words, _)| is_one_of(words) && !is_plain) {
        return ends(*event, "has a key that ends in a word for what changes");
    }
    let has_digit = value.bytes().any(|byte| byte.is_ascii_digit());
    if let [.., of, _] = words.as_slice()
        && NUMBERS.contains(&last.as_str())
        && has_digit
        && let Some((_, event)) = NUMBERED.iter().find(|(words, _)| words.contains(&of.as_str()))
    {
        return ends(*event, "has a key for the number of one of many");
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
    if TAGS.contains(&last.as_str()) && value.split(['-', '_', '.']).any(generated::is_short_hash) {
        return ends(Rollout, "holds a hash");
    }
    let has_word = |name: &str| name.split(['-', '.']).any(|word| word == value);
    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    if is_number && !context.is_built_in && context.pod.is_some_and(has_word) && !has_word(context.workload) {
        return ends(Replacement, "is a number in the pod's name");
    }
    if last == "version" && value.split('.').filter(|part| part.bytes().any(|byte| byte.is_ascii_digit())).count() > 1 {
        return ends(Upgrade, "is a version");
    }
    let is_of_the_moment = !context.is_built_in || context.is_stateful && FAIL_OVER_ROLES.contains(&value);
    let is_state = is_one_of(STATES) && ["true", "false"].contains(&value) && (!context.is_built_in || context.is_stateful);
    if is_one_of(ROLES) && is_of_the_moment || is_state {
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
        let context = |is_built_in, is_stateful| Context {
            workload: "orders",
            pod: Some("orders-1-x7k2p"),
            node: Some("n1.example.com"),
            passing: &passing,
            is_built_in,
            is_stateful,
        };
        let rows: &[(&str, &str, Option<Event>)] = &[
            ("app", "orders", None),
            ("app", "web", None),
            ("run", "orders", None),
            ("run", "orders-job", None),
            ("example.com/runId", "7", Some(Run)),
            ("example.com/run_id", "7", Some(Run)),
            ("example.com/flow-run-name", "chocolate-horse", Some(Run)),
            ("job_id", "123", Some(Run)),
            ("job_id", "nightly", None),
            ("ci.build.number", "12", Some(Run)),
            ("pull-request", "12", Some(Run)),
            ("broker-id", "12", Some(Replacement)),
            ("brokerId", "1", Some(Replacement)),
            ("part", "1", Some(Replacement)),
            ("part", "2", None),
            ("release-id", "rel-12", Some(Rollout)),
            ("tenant-id", "12", None),
            ("app-id", "12", None),
            ("commit", "main", Some(Rollout)),
            ("build", "12", Some(Rollout)),
            ("image-tag", "main", Some(Rollout)),
            ("tag", "main-0a1b2c3", Some(Rollout)),
            ("tag", "main", None),
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
            ("vault-active", "true", Some(FailOver)),
            ("mode", "active", None),
            ("tenant", "8b71b8ec3f68", None),
            ("id", "8b71b8ec3f68", Some(Rollout)),
            ("tier", "front", None),
        ];
        for (key, value, expected) in rows {
            let found = read(key, value, context(false, false)).map(|ends| ends.event);
            assert_eq!(found, *expected, "{key}={value}");
        }
        let of_template: &[(&str, &str, bool, Option<Event>)] = &[
            ("role", "primary", false, None),
            ("role", "primary", true, Some(FailOver)),
            ("role", "worker", true, None),
            ("vault-sealed", "false", false, None),
            ("vault-sealed", "false", true, Some(FailOver)),
        ];
        for (key, value, is_stateful, expected) in of_template {
            let found = read(key, value, context(true, *is_stateful)).map(|ends| ends.event);
            assert_eq!(found, *expected, "{key}={value}, without a template: {is_stateful}");
        }
    }
}
