//! The commands of a plan: for a POSIX shell, one line each, right from the directory in which the plan was made.
//!
//! In: steps, and where the policies' files are. Out: lines. Names of files come from whoever runs the tool and are quoted; names of
//! objects come from the cluster, and one that Kubernetes would not accept gets into no command. No line ends in a comment, which
//! some shells take for arguments when they are pasted.

use k8s_openapi::api::networking::v1::NetworkPolicySpec;
use serde_json::{Value, json};

use crate::migration::{Change, Namespace, Phase, Step};
use crate::model::WorkloadName;
use crate::output::layout::is_namespace_name;
use crate::verify::PolicyName;

use super::Places;

/// How long each step is watched.
const WATCHED: &str = "1h";
/// Kinds that can be restarted, with the words of kubectl.
const RESTARTED: [(&str, &str); 3] = [("DaemonSet", "daemonset"), ("Deployment", "deployment"), ("StatefulSet", "statefulset")];
/// The most nodes that are named.
const NODES: usize = 8;

/// Text as one word of a shell.
pub(super) fn word(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "._/:=@%+-".contains(letter);
    // A path that begins with a dash would be an option.
    let text = if text.starts_with('-') { format!("./{text}") } else { text.to_owned() };
    if !text.is_empty() && text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Whether this can be the name of an object: a DNS name of RFC 1123.
pub(super) fn is_object_name(name: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

/// What shows what a step would change.
pub(super) fn diff(namespace: &Namespace, step: &Step, places: &Places) -> Vec<String> {
    match step.phase {
        Phase::Allow => vec![format!("kubectl diff {}", files(namespace, step, places))],
        _ => Vec::new(),
    }
}

/// What applies a step.
pub(super) fn apply(namespace: &Namespace, step: &Step, places: &Places) -> Vec<String> {
    let mut lines = match step.phase {
        Phase::Allow => vec![format!("kubectl apply {}", files(namespace, step, places))],
        _ => step.policies.keys().map(|name| apply_one(name, step.in_part.contains(name), places)).collect(),
    };
    // `kubectl apply` removes only what it wrote by itself. Of a namesake that was made otherwise, rules and labels of the selector
    // would stay: a deny that denies nothing, a policy that selects nobody.
    for (name, change) in &step.changes {
        let spec = step.policies.get(name).and_then(|policy| policy.spec.as_ref());
        if let (Change::Replaces(old), Some(new)) = (change, spec)
            && has_more(&json!(old), &json!(new))
        {
            lines.push(set_spec(name, new));
        }
    }
    lines
}

/// Whether an object has a member, at any depth, that the other one lacks. Lists are replaced as a whole.
fn has_more(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            old.iter().any(|(key, value)| new.get(key).is_none_or(|new| has_more(value, new)))
        }
        _ => false,
    }
}

/// What gives a policy that is there these rules and no others.
fn set_spec(name: &PolicyName, spec: &NetworkPolicySpec) -> String {
    let patch = json!([{ "op": "replace", "path": "/spec", "value": spec }]).to_string();
    let PolicyName { namespace, name } = name;
    format!("kubectl patch networkpolicy -n {namespace} {name} --type json -p {}", word(&patch))
}

/// What takes a step back to how it was before.
pub(super) fn undo(namespace: &Namespace, step: &Step, places: &Places) -> Vec<String> {
    let in_part = namespace.steps.iter().find(|step| step.phase == Phase::DenyIngress).map(|step| &step.in_part);
    let is_all_new = step.changes.values().all(|change| *change == Change::New);
    if step.phase == Phase::Allow && is_all_new && places.kustomized.contains(&namespace.name) {
        return vec![format!("kubectl delete -k {}", word(&format!("{}/{}", places.directory, namespace.name)))];
    }
    let mut lines = Vec::new();
    let mut new = Vec::new();
    for (name, change) in &step.changes {
        if step.phase == Phase::DenyEgress && in_part.is_some_and(|in_part| in_part.contains(name)) {
            lines.push(apply_one(name, true, places));
            continue;
        }
        match change {
            Change::Same => {}
            Change::New => new.push(name.name.as_str()),
            Change::Replaces(spec) => lines.push(set_spec(name, spec)),
        }
    }
    if !new.is_empty() {
        lines.push(format!("kubectl delete networkpolicy -n {} {}", namespace.name, new.join(" ")));
    }
    lines
}

/// One policy from its file; in part, with its ingress part alone.
fn apply_one(name: &PolicyName, in_part: bool, places: &Places) -> String {
    let file = places.files.get(name).map(|file| word(file)).unwrap_or_default();
    if in_part {
        // The same object with one of its two types, so that the next step has nothing to remove.
        format!(
            "kubectl patch --local -f {file} --type merge -p '{{\"spec\":{{\"policyTypes\":[\"Ingress\"]}}}}' -o yaml | kubectl apply -f -"
        )
    } else {
        format!("kubectl apply -f {file}")
    }
}

/// A step's files as arguments: their kustomization if that is what they are, else each.
fn files(namespace: &Namespace, step: &Step, places: &Places) -> String {
    if places.kustomized.contains(&namespace.name) {
        return format!("-k {}", word(&format!("{}/{}", places.directory, namespace.name)));
    }
    let files = step.policies.keys().filter_map(|name| places.files.get(name));
    files.map(|file| format!("-f {}", word(file))).collect::<Vec<_>>().join(" ")
}

/// The workloads that a step isolates, for which connections are to be opened anew.
fn concerned(step: &Step) -> impl Iterator<Item = &WorkloadName> {
    let all: std::collections::BTreeSet<&WorkloadName> = step.isolates.values().flatten().collect();
    all.into_iter()
}

/// What makes the workloads that a step isolates open their connections anew.
pub(super) fn restart(namespace: &Namespace, step: &Step) -> Vec<String> {
    let mut restarts = Vec::new();
    let mut waits = Vec::new();
    let mut jobs = Vec::new();
    let is_restarted = |workload: &&WorkloadName| is_restarted(namespace, workload);
    for WorkloadName { namespace, name, kind } in concerned(step).filter(is_restarted) {
        if let Some((_, word)) = RESTARTED.iter().find(|(known, _)| *known == kind.0) {
            restarts.push(format!("kubectl rollout restart -n {namespace} {word}/{name}"));
            waits.push(format!("kubectl rollout status -n {namespace} {word}/{name} --timeout 10m"));
        } else {
            jobs.extend(run_once(namespace, name, suffix(step.phase)));
        }
    }
    [restarts, waits, jobs].concat()
}

/// What runs a CronJob once, also when the step is taken a second time.
fn run_once(namespace: &str, name: &str, suffix: &str) -> [String; 2] {
    // A job's name takes 63 characters at most, since its pods have it as a label.
    let short = name.get(..40).unwrap_or(name).trim_end_matches(['-', '.']);
    let job = format!("{short}-{suffix}");
    [
        format!("kubectl delete job -n {namespace} {job} --ignore-not-found"),
        format!("kubectl create job -n {namespace} --from cronjob/{name} {job}"),
    ]
}

/// The workloads that a step isolates and no command restarts.
pub(super) fn not_restarted(namespace: &Namespace, step: &Step) -> Vec<String> {
    let is_left = |workload: &&WorkloadName| !is_restarted(namespace, workload);
    concerned(step).filter(is_left).map(|workload| format!("{} ({})", workload.name, workload.kind.0)).collect()
}

/// Whether a command restarts it. Not a CronJob that was suspended: somebody did not want it to run.
fn is_restarted(namespace: &Namespace, workload: &WorkloadName) -> bool {
    let is_known = RESTARTED.iter().any(|(known, _)| *known == workload.kind.0)
        || workload.kind.0 == "CronJob" && namespace.schedules.contains_key(workload);
    is_known && is_object_name(&workload.name)
}

const fn suffix(phase: Phase) -> &'static str {
    match phase {
        Phase::Allow => "after-allow",
        Phase::DenyIngress => "after-ingress-deny",
        Phase::DenyEgress => "after-egress-deny",
    }
}

/// What removes policies that are no longer among the files, one line each.
pub(super) fn leftover(places: &Places) -> Vec<String> {
    let known = places.leftover.iter().filter(|name| is_namespace_name(&name.namespace) && is_object_name(&name.name));
    known.map(|PolicyName { namespace, name }| format!("kubectl delete networkpolicy -n {namespace} {name}")).collect()
}

/// Where what is seen of a step is kept: flows and inventory.
fn record_files(namespace: &Namespace, step: &Step) -> [String; 2] {
    ["flows", "inventory"].map(|what| format!("{}-{}.{what}.zst", namespace.name, suffix(step.phase)))
}

/// The nodes of a namespace in words.
pub(super) fn nodes(namespace: &Namespace) -> String {
    let nodes: Vec<&str> = namespace.nodes.iter().take(NODES).map(String::as_str).collect();
    let more = namespace.nodes.len().saturating_sub(NODES);
    match (nodes.as_slice(), more) {
        ([], _) => "each node with pods of it".to_owned(),
        (nodes, 0) => nodes.join(", "),
        (nodes, more) => format!("{} and {more} more nodes", nodes.join(", ")),
    }
}

/// What records the connections that are opened from a step on. It runs through all of the step, so that starts are seen too.
pub(super) fn record(namespace: &Namespace, step: &Step) -> Vec<String> {
    let [flows, inventory] = record_files(namespace, step);
    vec![
        format!("netpol-gen inventory --watch {WATCHED} --output {inventory}"),
        format!("netpol-gen capture --duration {WATCHED} --output {flows}"),
    ]
}

/// The decisions that count, as options: those that the plan was made with.
fn deciding(places: &Places) -> String {
    match &places.decisions {
        Some(file) => format!(" --decisions {}", word(file)),
        None if places.has_no_decisions => " --no-decisions".to_owned(),
        None => String::new(),
    }
}

/// What tells how a step went.
pub(super) fn check(namespace: &Namespace, step: &Step, places: &Places) -> Vec<String> {
    let name = &namespace.name;
    let [flows, inventory] = record_files(namespace, step);
    vec![
        format!("kubectl get pods -n {name}"),
        format!("kubectl get events -n {name} --field-selector type=Warning --sort-by .lastTimestamp"),
        format!(
            "netpol-gen verify --policies {} --read {flows} --inventory {inventory}{}",
            word(&places.directory),
            deciding(places)
        ),
    ]
}

/// What gathers the evidence that is missing: one longer look, with restarts in it.
pub(super) fn prepare(names: &[&str], schedules: &[&WorkloadName], places: &Places) -> Vec<String> {
    // A plan that was made after looking longer has these lines too, and what was kept then is kept.
    let is_taken = |name: &str| {
        let mut kept = places.captures.iter().chain(&places.inventories);
        kept.any(|path| path.rsplit('/').next().is_some_and(|file| file.split('.').next() == Some(name)))
    };
    let mut more = "more".to_owned();
    for number in 2.. {
        if !is_taken(&more) {
            break;
        }
        more = format!("more-{number}");
    }
    let mut lines = vec![
        format!("netpol-gen inventory --watch 24h --output {more}.inventory.zst"),
        format!("netpol-gen capture --duration 24h --output {more}.flows.zst"),
    ];
    for name in names.iter().filter(|name| is_namespace_name(name)) {
        lines.push(format!("kubectl rollout restart -n {name} deployment,statefulset,daemonset"));
    }
    for WorkloadName { namespace, name, .. } in schedules.iter().filter(|job| is_object_name(&job.name)) {
        lines.extend(run_once(namespace, name, "watched"));
    }
    // Into a directory of its own: what a person decided in the first one stays, and is compared.
    let (old, new) = (word(&places.directory), word(&format!("{}-next", places.directory)));
    let option = |name: &str, values: &[String]| -> String {
        values.iter().flat_map(|value| [" --".to_owned(), name.to_owned(), " ".to_owned(), word(value)]).collect()
    };
    // Without what is known of how the first were learned, the next would be others: what is in quarantine would be allowed.
    let how = [
        option("namespace", &places.namespaces),
        if places.includes_system && places.namespaces.is_empty() { " --system".to_owned() } else { String::new() },
        if places.has_quarantine { " --quarantine".to_owned() } else { String::new() },
        places.options.iter().flat_map(|typed| [" ".to_owned(), option_word(typed)]).collect(),
        deciding(places),
    ]
    .concat();
    let (captures, inventories) = (option("read", &places.captures), option("inventory", &places.inventories));
    lines.push(format!(
        "netpol-gen learn{captures} --read {more}.flows.zst{inventories} --inventory {more}.inventory.zst{how} --output {new}"
    ));
    lines.push(format!("netpol-gen diff {old} {new}{inventories} --inventory {more}.inventory.zst"));
    lines.push(format!("netpol-gen plan --policies {new}{inventories} --inventory {more}.inventory.zst{}", deciding(places)));
    lines
}

/// A word of an option as it is typed again: the name of one that `learn` has, or what is to stand after it.
fn option_word(typed: &str) -> String {
    const NAMES: [&str; 8] = [
        "--public",
        "--dns",
        "--port-ranges",
        "--pod-cidr",
        "--service-cidr",
        "--vxlan-port",
        "--tunnel-endpoint",
        "--no-decapsulation",
    ];
    if NAMES.contains(&typed) { typed.to_owned() } else { word(typed) }
}

/// Whether the network plug-in enforces anything at all: a listener, a call that must succeed, a deny, the same call that must fail.
pub(super) fn probe() -> Vec<String> {
    const NAMESPACE: &str = "netpol-gen-probe";
    const IMAGE: &str = "registry.k8s.io/e2e-test-images/agnhost:2.47";
    let deny = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": { "name": "deny", "namespace": NAMESPACE },
        "spec": { "podSelector": {}, "policyTypes": ["Ingress"] },
    });
    // Attached without standard input: that would be the lines after it, where all are pasted at once.
    let call = |name: &str| {
        format!(
            "kubectl run -n {NAMESPACE} {name} --image {IMAGE} --rm --attach --restart Never --command -- /agnhost connect \"$listener\" --timeout 5s && echo reached"
        )
    };
    vec![
        format!("kubectl create namespace {NAMESPACE}"),
        format!("kubectl run -n {NAMESPACE} listener --image {IMAGE} --port 8080 --command -- /agnhost netexec --http-port 8080"),
        format!("kubectl wait -n {NAMESPACE} pod/listener --for condition=Ready --timeout 2m"),
        format!("listener=\"[$(kubectl get pod -n {NAMESPACE} listener -o jsonpath='{{.status.podIP}}')]:8080\""),
        call("before"),
        format!("echo '{deny}' | kubectl apply -f -"),
        call("after"),
        format!("kubectl delete namespace {NAMESPACE}"),
    ]
}
