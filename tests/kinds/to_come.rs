//! Pods and namespaces to come: `verify --deny-excess` sees what policies allow to pods that nobody has yet, and what nothing isolates.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::world::World;

/// `web` calls `db` in prod, and `mon` of another namespace does.
fn cluster() -> World {
    let (web, db, mon) = ("10.244.1.10", "10.244.1.11", "10.244.1.20");
    World::default()
        .node("n1", "10.0.0.1", &["10.244.1.0/24"])
        .namespace("prod")
        .namespace("ops")
        .pod("prod", "web", web, "n1", "app=web")
        .pod("prod", "db", db, "n1", "app=db")
        .pod("ops", "mon", mon, "n1", "app=mon")
        .tcp(web, db, 5432)
        .tcp(mon, db, 9187)
}

const INGRESS: &str = "prod/allow-ingress-to-db.yaml";

fn read(path: &Path) -> Value {
    serde_saphyr::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Writes something at a place of a policy.
fn set(folder: &Path, file: &str, pointer: &str, value: Value) {
    let path = folder.join(file);
    let mut policy = read(&path);
    *policy.pointer_mut(pointer).unwrap() = value;
    fs::write(path, policy.to_string()).unwrap();
}

/// Adds a policy to prod.
fn add(folder: &Path, spec: &Value) {
    let metadata = json!({"name": "more", "namespace": "prod"});
    let policy = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec});
    fs::write(folder.join("more.yaml"), policy.to_string()).unwrap();
}

/// Lets others than the workloads at hand call `db`.
fn also_from(folder: &Path, peer: &Value) {
    let spec = json!({"podSelector": {"matchLabels": {"app": "db"}}, "policyTypes": ["Ingress"],
        "ingress": [{"from": [peer], "ports": [{"port": 5432}]}]});
    add(folder, &spec);
}

/// What it shows, what is done to the policies, options of `verify`, its exit code, and what it says.
type Row = (&'static str, fn(&Path), &'static [&'static str], i32, &'static str);

#[expect(clippy::too_many_lines, reason = "a table")]
fn rows() -> Vec<Row> {
    let excess: &[&str] = &["--deny-excess"];
    vec![
        ("as they were learned", |_| {}, excess, 0, "2 edges: 2 allowed, 0 denied\n"),
        (
            "a policy's selector emptied, in a namespace with one workload",
            |folder| set(folder, "ops/allow-egress-from-mon.yaml", "/spec/podSelector", json!({})),
            excess,
            1,
            "ops/any other pod -> prod/db TCP 9187, by ops/allow-egress-from-mon egress[0]\n",
        ),
        (
            "a peer of a whole namespace with one workload",
            |folder| {
                let all = json!([{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ops"}}}]);
                set(folder, INGRESS, "/spec/ingress/1/from", all);
            },
            excess,
            1,
            "ops/any other pod -> prod/db TCP 9187, by prod/allow-ingress-to-db ingress[1]\n",
        ),
        (
            "one list item of two selectors split into two",
            |folder| {
                let ops = json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ops"}}});
                set(folder, INGRESS, "/spec/ingress/1/from", json!([ops, {"podSelector": {"matchLabels": {"app": "mon"}}}]));
            },
            excess,
            1,
            "prod/any pod with app=mon -> prod/db TCP 9187, by prod/allow-ingress-to-db ingress[1]\n",
        ),
        (
            "a peer that is not there",
            |folder| also_from(folder, &json!({"podSelector": {"matchLabels": {"app": "nobody"}}})),
            excess,
            1,
            "prod/any pod with app=nobody -> prod/db TCP 5432, by prod/more ingress[0]\n",
        ),
        (
            "one more value",
            |folder| {
                let any = json!([{"key": "app", "operator": "In", "values": ["web", "web2"]}]);
                also_from(folder, &json!({"podSelector": {"matchExpressions": any}}));
            },
            excess,
            1,
            "prod/any pod with app=web2 -> prod/db TCP 5432, by prod/more ingress[0]\n",
        ),
        (
            "a namespace that is not there",
            |folder| also_from(folder, &json!({"namespaceSelector": {"matchLabels": {"team": "a"}}})),
            excess,
            1,
            "any namespace with team=a/any other pod -> prod/db TCP 5432, by prod/more ingress[0]\n",
        ),
        (
            "a policy for pods that are not there",
            |folder| {
                add(
                    folder,
                    &json!({"podSelector": {"matchLabels": {"app": "nobody"}}, "policyTypes": ["Ingress"], "ingress": [{}]}),
                );
            },
            excess,
            1,
            "everyone -> prod/any pod with app=nobody every port, by prod/more ingress[0]\n",
        ),
        (
            "the same pods by other labels of theirs: nobody new",
            |folder| {
                also_from(
                    folder,
                    &json!({"podSelector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]}}),
                );
            },
            excess,
            0,
            "2 edges: 2 allowed, 0 denied\n",
        ),
        (
            "the default deny gone where every workload has policies of both directions",
            |folder| {
                fs::remove_file(folder.join("prod/default-deny/default-deny-all.yaml")).unwrap();
                add(
                    folder,
                    &json!({"podSelector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]},
                    "policyTypes": ["Ingress", "Egress"]}),
                );
            },
            excess,
            1,
            "isolated by no policy, so everything is allowed:\n  ingress of prod/any other pod\n  egress of prod/any other pod\n",
        ),
        (
            "all policies of a namespace gone",
            |folder| fs::remove_dir_all(folder.join("ops")).unwrap(),
            excess,
            1,
            "  egress of ops/mon\n",
        ),
        (
            "the same, and only the other namespace is wanted",
            |folder| fs::remove_dir_all(folder.join("ops")).unwrap(),
            &["--deny-excess", "--namespace", "prod"],
            0,
            "2 edges: 2 allowed, 0 denied\n",
        ),
        (
            "the same, asked for denials only",
            |folder| fs::remove_dir_all(folder.join("ops")).unwrap(),
            &[],
            0,
            "not checked, because these namespaces have no policies (--deny-excess or --namespace checks them): ops\n",
        ),
        (
            "a namespace that is misspelt",
            |_| {},
            &["--namespace", "prdo"],
            2,
            "find pods of the namespace `prdo` in the inventory\nhint: did you mean `prod`?",
        ),
    ]
}

#[test]
fn what_is_allowed_to_pods_to_come_is_excess() {
    for (what, change, options, expected, told) in rows() {
        let world = cluster();
        let learned = world.learn(&["--no-decisions"]);
        assert_eq!(learned.code, Some(0), "{what}: {}", learned.messages);
        change(&learned.output);
        let folder = tempfile::tempdir().unwrap();
        let (capture, inventory) = world.write(folder.path());
        let (code, stdout, stderr) =
            learned.verify(&capture, &inventory, &[options, &["--without-cluster", "--no-decisions"]].concat());
        assert_eq!(code, Some(expected), "{what}: {stdout}{stderr}");
        assert!(stdout.contains(told) || stderr.contains(told), "{what}: {stdout}{stderr}");
    }
}
