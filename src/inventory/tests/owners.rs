//! Which workload a pod belongs to.

use super::*;

fn pod(name: &str, labels: &str, owner: &str, node: &str) -> String {
    let owners = if owner.is_empty() {
        String::new()
    } else {
        let (kind, owner) = owner.split_once(' ').unwrap();
        format!(
            ", ownerReferences: [{{apiVersion: v1, kind: ConfigMap, name: other}}, \
             {{apiVersion: x/v1, kind: {kind}, name: {owner}, controller: true}}]"
        )
    };
    format!(
        "---\nkind: Pod\nmetadata: {{name: {name}, namespace: prod, labels: {{{labels}}}{owners}}}\nspec: {{nodeName: '{node}'}}\n"
    )
}

fn owned(api: &str, kind: &str, name: &str, owner: &str, spec: &str) -> String {
    let owners = match owner.split_once(' ') {
        Some((kind, owner)) => format!(", ownerReferences: [{{kind: {kind}, name: {owner}, controller: true}}]"),
        None => String::new(),
    };
    format!("---\napiVersion: {api}\nkind: {kind}\nmetadata: {{name: {name}, namespace: prod{owners}}}\nspec: {{{spec}}}\n")
}

const SELECT: &str = "selector: {matchLabels: {app: web}}";
const HASHED: &str = "selector: {matchLabels: {app: web, pod-template-hash: 5d4f}}";

/// A message; a pod, its owners; the workload expected, its selector, whether an owner is missing.
type Row = (&'static str, String, String, &'static str, Option<&'static str>, bool);

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn pods_are_followed_to_the_owner_that_lasts() {
    let web = "app: web, pod-template-hash: 5d4f";
    let rows: &[Row] = &[
        (
            "Deployment",
            pod("web-5d4f-x", web, "ReplicaSet web-5d4f", ""),
            owned("apps/v1", "ReplicaSet", "web-5d4f", "Deployment web", HASHED)
                + &owned("apps/v1", "Deployment", "web", "", SELECT),
            "Deployment web",
            Some("app=web"),
            false,
        ),
        (
            "Deployment of an operator",
            pod("web-5d4f-x", web, "ReplicaSet web-5d4f", ""),
            owned("apps/v1", "ReplicaSet", "web-5d4f", "Deployment web", HASHED)
                + &owned("apps/v1", "Deployment", "web", "Shop main", SELECT)
                + &owned("shop.io/v1", "Shop", "main", "", ""),
            "Deployment web",
            Some("app=web"),
            false,
        ),
        (
            "Deployment that is missing",
            pod("web-5d4f-x", web, "ReplicaSet web-5d4f", ""),
            owned("apps/v1", "ReplicaSet", "web-5d4f", "Deployment web", HASHED),
            "Deployment web",
            Some("app=web"),
            false,
        ),
        (
            "ReplicaSet that is missing",
            pod("web-5d4f-x", web, "ReplicaSet web-5d4f", ""),
            String::new(),
            "Deployment web",
            None,
            true,
        ),
        (
            "ReplicaSet that is missing, Deployment there",
            pod("web-5d4f-x", web, "ReplicaSet web-5d4f", ""),
            owned("apps/v1", "Deployment", "web", "", SELECT),
            "Deployment web",
            Some("app=web"),
            true,
        ),
        (
            "ReplicaSet that is missing and has no hash in its name",
            pod("web-x", "app: web", "ReplicaSet web", ""),
            String::new(),
            "ReplicaSet web",
            None,
            true,
        ),
        (
            "ReplicaSet of its own",
            pod("web-x", "app: web", "ReplicaSet web", ""),
            owned("apps/v1", "ReplicaSet", "web", "", SELECT),
            "ReplicaSet web",
            Some("app=web"),
            false,
        ),
        (
            "Rollout that is missing",
            pod("web-77-x", "app: web, rollouts-pod-template-hash: '77'", "ReplicaSet web-77", ""),
            owned(
                "apps/v1",
                "ReplicaSet",
                "web-77",
                "Rollout web",
                "selector: {matchLabels: {app: web, rollouts-pod-template-hash: '77'}}",
            ),
            "Rollout web",
            Some("app=web"),
            false,
        ),
        (
            "Rollout that is there",
            pod("web-77-x", "app: web, rollouts-pod-template-hash: '77'", "ReplicaSet web-77", ""),
            owned("apps/v1", "ReplicaSet", "web-77", "Rollout web", "")
                + &owned("argoproj.io/v1alpha1", "Rollout", "web", "", SELECT),
            "Rollout web",
            Some("app=web"),
            false,
        ),
        (
            "custom owner whose selector does not fit",
            pod("web-0", "app: web", "Machine web", ""),
            owned("x.io/v1", "Machine", "web", "", "selector: {matchLabels: {zone: a}}"),
            "Machine web",
            None,
            false,
        ),
        (
            "custom owner of a custom owner",
            pod("web-0", "app: web", "PodSet web", ""),
            owned("x.io/v1", "PodSet", "web", "Cluster big", "") + &owned("x.io/v1", "Cluster", "big", "", ""),
            "Cluster big",
            None,
            false,
        ),
        (
            "StatefulSet",
            pod("db-0", "app: web, apps.kubernetes.io/pod-index: '0'", "StatefulSet db", ""),
            owned("apps/v1", "StatefulSet", "db", "", SELECT),
            "StatefulSet db",
            Some("app=web"),
            false,
        ),
        (
            "DaemonSet that is missing",
            pod("agent-x", "app: web", "DaemonSet agent", ""),
            String::new(),
            "DaemonSet agent",
            None,
            false,
        ),
        (
            "CronJob",
            pod("cron-28000000-x", "app: web, job-name: cron-28000000", "Job cron-28000000", ""),
            owned(
                "batch/v1",
                "Job",
                "cron-28000000",
                "CronJob cron",
                "template: {metadata: {labels: {app: web, job-name: cron-28000000}}}",
            ) + &owned("batch/v1", "CronJob", "cron", "", "jobTemplate: {spec: {template: {metadata: {labels: {app: web}}}}}"),
            "CronJob cron",
            Some("app=web"),
            false,
        ),
        (
            "CronJob that is missing",
            pod("cron-28000000-x", "app: web, job-name: cron-28000000", "Job cron-28000000", ""),
            owned(
                "batch/v1",
                "Job",
                "cron-28000000",
                "CronJob cron",
                "template: {metadata: {labels: {app: web, job-name: cron-28000000}}}",
            ),
            "CronJob cron",
            Some("app=web"),
            false,
        ),
        (
            "Job that is missing, of a CronJob by its name",
            pod("cron-28000000-x", "app: web, job-name: cron-28000000", "Job cron-28000000", ""),
            String::new(),
            "CronJob cron",
            None,
            true,
        ),
        (
            "Job that is missing, with a short number",
            pod("load-2024-x", "app: web, job-name: load-2024", "Job load-2024", ""),
            String::new(),
            "Job load-2024",
            None,
            true,
        ),
        (
            "Job of its own",
            pod("load-x", "app: web", "Job load", ""),
            owned("batch/v1", "Job", "load", "", "template: {metadata: {labels: {app: web}}}"),
            "Job load",
            Some("app=web"),
            false,
        ),
        (
            "ReplicationController",
            pod("old-x", "app: web", "ReplicationController old", ""),
            owned("v1", "ReplicationController", "old", "", "selector: {app: web}"),
            "ReplicationController old",
            Some("app=web"),
            false,
        ),
        (
            "DeploymentConfig of OpenShift",
            pod("old-1-x", "app: web, deploymentconfig: old", "ReplicationController old-1", ""),
            String::new(),
            "DeploymentConfig old",
            None,
            true,
        ),
        ("mirror pod", pod("proxy-worker-1", "app: web", "Node worker-1", "worker-1"), String::new(), "Pod proxy", None, false),
        ("bare pod", pod("debug", "app: web", "", ""), String::new(), "Pod debug", None, false),
        (
            "owners in a circle",
            pod("web-0", "app: web", "A a", ""),
            owned("x.io/v1", "A", "a", "B b", "") + &owned("x.io/v1", "B", "b", "A a", ""),
            "A a",
            None,
            false,
        ),
    ];
    for (message, pod, owners, expected, selector, is_missing) in rows {
        let inventory = inventory(&[pod, owners]);
        let [pod] = inventory.pods() else { panic!("{message}: one pod") };
        let workload = inventory.workload(pod.workload);
        assert_eq!(format!("{} {}", workload.name.kind.0, workload.name.name), *expected, "{message}");
        assert_eq!(workload.pods, [PodId(0)].into(), "{message}");
        let labels = workload
            .selector
            .as_ref()
            .map(|labels| labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(","));
        assert_eq!(labels.as_deref(), *selector, "{message}");
        let findings = found(&inventory);
        assert_eq!(findings.iter().any(|(code, _)| *code == Code::OwnerMissing), *is_missing, "{message}: {findings:?}");
    }
}

#[test]
fn replicas_of_several_rollouts_are_one_workload() {
    let text = pod("web-a-1", "app: web, pod-template-hash: a", "ReplicaSet web-a", "")
        + &pod("web-b-1", "app: web, pod-template-hash: b", "ReplicaSet web-b", "")
        + &pod("web-c-1", "app: web, pod-template-hash: c", "ReplicaSet web-c", "")
        + &owned("apps/v1", "ReplicaSet", "web-a", "Deployment web", "")
        + &owned("apps/v1", "ReplicaSet", "web-b", "Deployment web", "");
    let inventory = inventory(&[&text]);
    assert_eq!(inventory.workloads().len(), 1);
    assert_eq!(inventory.workloads()[0].pods.len(), 3);
}

#[test]
fn two_sets_of_one_operator_stay_two_workloads() {
    let text = pod("db-0", "app: db", "StatefulSet db", "")
        + &pod("proxy-0", "app: proxy", "StatefulSet proxy", "")
        + &owned("apps/v1", "StatefulSet", "db", "Database main", "")
        + &owned("apps/v1", "StatefulSet", "proxy", "Database main", "")
        + &owned("db.io/v1", "Database", "main", "", "");
    assert_eq!(inventory(&[&text]).workloads().len(), 2);
}

#[test]
fn workloads_without_pods_are_workloads() {
    let text = owned("apps/v1", "Deployment", "idle", "", SELECT)
        + &owned("batch/v1", "CronJob", "nightly", "", "")
        + &owned("apps/v1", "ReplicaSet", "idle-1", "Deployment idle", "")
        + &owned("batch/v1", "Job", "nightly-28000000", "CronJob nightly", "")
        + &owned("batch/v1", "Job", "soon", "", "")
        + "---\napiVersion: batch/v1\nkind: Job\nmetadata: {name: done, namespace: prod}\n\
           status: {conditions: [{type: Complete, status: 'True'}]}\n"
        + &owned("policy/v1", "PodDisruptionBudget", "web", "", SELECT)
        + &owned("apps.kruise.io/v1", "StatefulSet", "kruise", "", SELECT);
    let inventory = inventory(&[&text]);
    let names: Vec<&str> = inventory.workloads().iter().map(|workload| workload.name.name.as_str()).collect();
    assert_eq!(names, ["idle", "nightly", "soon"]);
    assert!(inventory.workloads().iter().all(|workload| workload.pods.is_empty()));
    assert_eq!(inventory.namespaces()["prod"]["kubernetes.io/metadata.name"], "prod", "a namespace known by its objects");
}

#[test]
fn unknown_kinds_are_counted_unless_they_own() {
    let text = pod("web-0", "app: web", "Widget w", "")
        + &owned("x.io/v1", "Widget", "w", "", SELECT)
        + &owned("x.io/v1", "Widget", "idle", "", SELECT)
        + "---\nkind: Secret\nmetadata: {name: a}\ndata: {a: b}\n---\nkind: Secret\nmetadata: {name: b}\n\
           ---\nkind: Event\nmetadata: {name: c}\n";
    let inventory = inventory(&[&text]);
    let findings = inventory.findings().sorted();
    let counts: Vec<(&str, u64)> = findings.iter().map(|finding| (finding.subject.as_str(), finding.count)).collect();
    assert_eq!(counts, [("Event", 1), ("Secret", 2), ("Widget", 1)]);
    assert!(findings.iter().all(|finding| finding.code == Code::UnknownKind));
}
