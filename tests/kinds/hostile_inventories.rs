//! One object that no API server takes costs its own workload, and never the run.

use serde_json::{Value, json};

use crate::world::{Learned, World};

const WEB: &str = "10.244.1.13";
const API: &str = "10.244.1.14";
const BAD: &str = "10.244.1.15";

/// What is right whatever else lies in the inventory.
const RIGHT: [&str; 2] =
    ["shop/allow-egress-from-web [app=web] -> [app=api] TCP 8080", "shop/allow-ingress-to-api [app=api] <- [app=web] TCP 8080"];

fn cluster() -> World {
    World::default()
        .namespace("shop")
        .node("n1", "10.0.0.11", &["10.244.1.0/24"])
        .pod("shop", "web", WEB, "n1", "app=web")
        .pod("shop", "api", API, "n1", "app=api")
}

/// The policies of the others are there, with an exit code that says that it could be done.
fn fault(learned: &Learned) -> Option<String> {
    let rules = learned.rules();
    let is_right = RIGHT.iter().all(|rule| rules.contains(*rule)) && matches!(learned.code, Some(0 | 1));
    (!is_right).then(|| format!("{:?}\n{rules:#?}\n{}", learned.code, learned.messages))
}

fn pod(change: impl FnOnce(&mut Value)) -> Value {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": "bad-1", "namespace": "shop", "uid": "uid-bad", "labels": {"app": "bad"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "bad-6d4cf56db6", "controller": true}],
        },
        "spec": {"nodeName": "n1", "containers": [{"name": "main", "image": "i", "ports": [{"name": "http", "containerPort": 8080}]}]},
        "status": {"phase": "Running", "podIP": BAD, "startTime": "2026-09-21T10:00:01Z"},
    });
    change(&mut pod);
    pod
}

#[test]
fn an_object_that_cannot_be_used_costs_its_own_workload() {
    let long = "x".repeat(300);
    let many: serde_json::Map<String, Value> = (0..10_000).map(|number| (format!("key-{number}"), "v".into())).collect();
    let rows: Vec<(&str, Value)> = vec![
        ("an owner of kind A/B", pod(|pod| pod["metadata"]["ownerReferences"][0]["kind"] = "A/B".into())),
        ("an owner that is a path", pod(|pod| pod["metadata"]["ownerReferences"][0]["name"] = "../../x".into())),
        ("a pod named as a path", pod(|pod| pod["metadata"]["name"] = "../x".into())),
        ("a pod with a line feed", pod(|pod| pod["metadata"]["name"] = "a\nb: c".into())),
        ("a pod with a long name", pod(|pod| pod["metadata"]["name"] = long.clone().into())),
        ("a namespace that is a path", pod(|pod| pod["metadata"]["namespace"] = "../../etc".into())),
        ("a label with spaces", pod(|pod| pod["metadata"]["labels"]["app"] = "a b".into())),
        ("a label that is long", pod(|pod| pod["metadata"]["labels"]["app"] = long.clone().into())),
        ("a key of a label that is none", pod(|pod| pod["metadata"]["labels"] = json!({"a/b/c": "d"}))),
        ("labels without end", pod(|pod| pod["metadata"]["labels"] = many.clone().into())),
        ("a port that is too high", pod(|pod| pod["spec"]["containers"][0]["ports"][0]["containerPort"] = 99_999.into())),
        ("a port below 0", pod(|pod| pod["spec"]["containers"][0]["ports"][0]["containerPort"] = (-1).into())),
        ("a port that is a word", pod(|pod| pod["spec"]["containers"][0]["ports"][0]["containerPort"] = "http".into())),
        ("an address that is none", pod(|pod| pod["status"]["podIP"] = "10.244.1.999".into())),
        ("a time that is none", pod(|pod| pod["status"]["startTime"] = "soon".into())),
        (
            "a namespace object that is a path",
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "../../etc"}}),
        ),
        ("a node with an escape", json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n\u{1b}[31m"}})),
        (
            "a Service that selects by what is no label",
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "bad", "namespace": "shop"},
                "spec": {"clusterIP": "10.96.0.9", "selector": {"app": "a b"}, "ports": [{"port": 80}]}}),
        ),
        (
            "a Service of no type",
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "bad", "namespace": "shop"}, "spec": {"type": "Odd"}}),
        ),
        (
            "a Deployment that selects by what is no label",
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "bad", "namespace": "shop"},
                "spec": {"selector": {"matchLabels": {"app": "a\nb"}}}}),
        ),
        (
            "a kind that is a path",
            json!({"apiVersion": "x.example/v1", "kind": "../X", "metadata": {"name": "bad", "namespace": "shop"}}),
        ),
    ];
    let mut wrong = Vec::new();
    for (what, object) in rows {
        let learned = cluster().object(&object.to_string()).tcp(WEB, API, 8080).learn(&[]);
        if let Some(fault) = fault(&learned) {
            wrong.push(format!("{what}: {fault}"));
        } else if !learned.codes().contains("unreadable-object") {
            wrong.push(format!("{what}: nothing is said\n{}", learned.messages));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// All places of a value that hold a text or a number, as JSON pointers.
fn leaves(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(key, member)| leaves(member, &format!("{at}/{key}"), found)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(position, item)| leaves(item, &format!("{at}/{position}"), found));
        }
        _ => found.push(at.to_owned()),
    }
}

#[test]
fn whatever_one_field_says_the_others_get_their_policies() {
    let workload = [
        pod(|_| {}),
        json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "bad-6d4cf56db6", "namespace": "shop"},
            "spec": {"selector": {"matchLabels": {"app": "bad"}}, "template": {"metadata": {"labels": {"app": "bad"}}}}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "bad", "namespace": "shop"},
            "spec": {"type": "ClusterIP", "clusterIP": "10.96.0.9", "selector": {"app": "bad"}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}}),
        json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "bad", "namespace": "shop"},
            "spec": {"schedule": "* * * * *", "timeZone": "Etc/UTC", "jobTemplate": {"spec": {"template": {"metadata": {"labels": {"app": "bad"}}}}}}}),
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "bad", "namespace": "shop"},
            "spec": {"podSelector": {"matchLabels": {"app": "bad"}}, "policyTypes": ["Ingress"],
                "ingress": [{"from": [{"ipBlock": {"cidr": "192.0.2.0/24"}}], "ports": [{"port": 80, "endPort": 90}]}]}}),
    ];
    let hostile = [json!("../../\u{1b}[31m\n'\"{{ x }}"), json!(-1), json!(null), json!({"a": ["b"]})];
    let mut wrong = Vec::new();
    for (position, object) in workload.iter().enumerate() {
        let mut places = Vec::new();
        leaves(object, "", &mut places);
        for place in places {
            for value in &hostile {
                let mut changed = workload.clone();
                *changed[position].pointer_mut(&place).unwrap() = value.clone();
                let world = changed.iter().fold(cluster(), |world, object| world.object(&object.to_string()));
                let learned = world.tcp(WEB, API, 8080).tcp(WEB, BAD, 8080).learn(&[]);
                wrong.extend(fault(&learned).map(|fault| format!("{} {place} = {value}: {fault}", object["kind"])));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
