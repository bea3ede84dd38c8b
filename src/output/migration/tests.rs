//! Commands and names in them.

use serde_json::{Value, json};

use super::commands::{is_object_name, not_restarted, restart, word};
use super::*;
use crate::migration::{Change, Reason};
use crate::model::{Code, WorkloadKind};
use crate::output::yaml;

#[test]
fn a_word_is_one_word_of_a_shell() {
    for (text, expected) in [
        ("policies/prod", "policies/prod"),
        ("my policies", "'my policies'"),
        ("it's", r"'it'\''s'"),
        ("$(reboot)", "'$(reboot)'"),
        ("-rf", "./-rf"),
        ("", "''"),
        ("a\nb", "'a\nb'"),
    ] {
        assert_eq!(word(text), expected, "{text:?}");
    }
}

#[test]
fn names_of_objects_are_those_of_kubernetes() {
    for (name, expected) in [
        ("web", true),
        ("web.example", true),
        ("a;reboot", false),
        ("$(x)", false),
        ("-n", false),
        ("a b", false),
        ("", false),
        ("web\n", false),
    ] {
        assert_eq!(is_object_name(name), expected, "{name:?}");
    }
}

fn workload(kind: &str, name: &str) -> WorkloadName {
    WorkloadName { namespace: "prod".into(), name: name.into(), kind: WorkloadKind(kind.into()) }
}

fn policy(value: Value) -> k8s_openapi::api::networking::v1::NetworkPolicy {
    serde_json::from_value(value).expect("a policy")
}

fn step(workloads: &[WorkloadName]) -> Step {
    let name = PolicyName { namespace: "prod".into(), name: "deny".into() };
    let object = policy(json!({"metadata": {"name": "deny", "namespace": "prod"}, "spec": {"podSelector": {}}}));
    Step {
        phase: Phase::DenyIngress,
        policies: BTreeMap::from([(name.clone(), object)]),
        changes: BTreeMap::from([(name.clone(), Change::New)]),
        in_part: BTreeSet::new(),
        isolates: BTreeMap::from([(Direction::Ingress, workloads.iter().cloned().collect())]),
        silences: BTreeMap::new(),
        is_done: false,
    }
}

fn namespace(workloads: &[WorkloadName]) -> Namespace {
    Namespace {
        name: "prod".into(),
        steps: vec![step(workloads)],
        objections: BTreeSet::new(),
        course: None,
        workloads: workloads.iter().cloned().collect(),
        schedules: BTreeMap::new(),
        nodes: BTreeSet::new(),
    }
}

#[test]
fn each_kind_is_restarted_in_its_way() {
    let long = format!("every-night-{}", "x".repeat(40));
    let all = [
        workload("CronJob", &long),
        workload("CronJob", "suspended"),
        workload("DaemonSet", "agent"),
        workload("Deployment", "web"),
        workload("Job", "migrate"),
        workload("Rollout", "canary"),
        workload("Deployment", "a; reboot"),
    ];
    let step = step(&all);
    let mut own = namespace(&all);
    own.schedules.insert(all[0].clone(), ("0 3 * * *".to_owned(), Some(86_400)));
    assert_eq!(
        restart(&own, &step),
        [
            "kubectl rollout restart -n prod daemonset/agent".to_owned(),
            "kubectl rollout restart -n prod deployment/web".to_owned(),
            "kubectl rollout status -n prod daemonset/agent --timeout 10m".to_owned(),
            "kubectl rollout status -n prod deployment/web --timeout 10m".to_owned(),
            format!("kubectl delete job -n prod every-night-{}-after-ingress-deny --ignore-not-found", "x".repeat(28)),
            format!("kubectl create job -n prod --from cronjob/{long} every-night-{}-after-ingress-deny", "x".repeat(28)),
        ]
    );
    assert_eq!(
        not_restarted(&own, &step),
        ["a; reboot (Deployment)", "canary (Rollout)", "migrate (Job)", "suspended (CronJob)"]
    );
}

/// Names of the cluster and words of findings are whatever someone wrote: none becomes markup, and none a command.
#[test]
fn hostile_names_steer_neither_markdown_nor_shell() {
    let hostile = "x`; $(reboot)\n# Owned <script> | [a](b)";
    let mut own = namespace(&[workload("Deployment", hostile)]);
    own.nodes.insert(hostile.to_owned());
    own.schedules.insert(workload("CronJob", hostile), (hostile.to_owned(), Some(86_400)));
    let about = About::Workload(workload("Deployment", hostile));
    own.objections.insert(Objection { about, reason: Reason::Finding(Code::PortNotCalled), message: hostile.to_owned() });
    let migration = Migration { namespaces: vec![own], ..Migration::default() };
    let name = PolicyName { namespace: "prod".into(), name: "deny".into() };
    let files = BTreeMap::from([(name, "it's/prod/deny.yaml".to_owned())]);
    let places = Places { directory: "it's".into(), files, ..Places::default() };
    let text = markdown(&migration, &places, &Templates::embedded().expect("parses")).expect("renders");
    for line in text.lines() {
        assert!(!line.starts_with("# Owned") && !line.contains("<script>"), "{line}");
        assert!(!line.starts_with("    ") || !line.contains("reboot"), "no command: {line}");
    }
    // Whom the objection is about and what it says, the CronJob and its schedule, the node, who is isolated, who is to be restarted.
    assert_eq!(text.matches("reboot").count(), 7, "said in sentences: {text}");
    assert!(text.contains(r"kubectl apply -f 'it'\''s/prod/deny.yaml'"), "{text}");
}

#[test]
fn a_name_that_kubernetes_would_refuse_is_refused() {
    let mut own = namespace(&[]);
    own.name = "a;b".into();
    let migration = Migration { namespaces: vec![own], ..Migration::default() };
    let result = json(&migration, &Places::default());
    assert!(matches!(result, Err(EmitError::BadName { what: "namespace", .. })), "{result:?}");
}

#[test]
fn a_dry_run_has_the_same_spec_to_the_letter() {
    let spec = json!({
        "podSelector": {"matchLabels": {"app": "yes", "1": "0x1f"}, "matchExpressions": [{"key": "tier", "operator": "Exists"}]},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [{"namespaceSelector": {}, "podSelector": {}}, {"ipBlock": {"cidr": "2001:db8::/32", "except": ["2001:db8::1/128"]}}],
            "ports": [{"protocol": "UDP", "port": 53, "endPort": 54}, {"port": "on"}]}],
        "egress": [{}],
    });
    let name = PolicyName { namespace: "prod".into(), name: "a.b".into() };
    let object = policy(json!({"metadata": {"name": "a.b", "namespace": "prod"}, "spec": spec}));
    let files = staged::files([(&name, &object)], &Templates::embedded().expect("parses")).expect("renders");
    let text = &files["_staged/prod/a.b.yaml"].text;
    let read = yaml::read(text).expect("YAML");
    assert_eq!((&read["apiVersion"], &read["kind"]), (&json!("projectcalico.org/v3"), &json!("StagedKubernetesNetworkPolicy")));
    assert_eq!(read["spec"], spec, "{text}");
    assert_eq!(yaml::read(&files["_staged/kustomization.yaml"].text).expect("YAML")["resources"], json!(["prod/a.b.yaml"]));
}
