//! `verify`, `explain` and `diff` as whole commands: what they say of policies that `learn` made, and how they end.

#![expect(clippy::unwrap_used, reason = "in tests a failed unwrap is the failure to report")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netpol-gen"));
    command.current_dir(root()).args(arguments);
    command
}

fn result(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    result(&command(arguments).output().unwrap())
}

/// Policies learned from these captures of `captures/`.
fn learned(folder: &Path, captures: &[String], inventories: &[String], arguments: &[String]) -> String {
    let output = folder.join("policies");
    let mut command = command(&["learn", "--output", output.to_str().unwrap()]);
    for capture in captures {
        command.arg("--read").arg(format!("captures/{capture}"));
    }
    for inventory in inventories {
        command.arg("--inventory").arg(format!("captures/{inventory}"));
    }
    let (code, _, stderr) = result(&command.args(arguments).output().unwrap());
    assert_eq!(code, Some(0), "{stderr}");
    output.to_str().unwrap().to_owned()
}

fn learned_from(folder: &Path, name: &str) -> String {
    let folder = folder.join(name);
    fs::create_dir(&folder).unwrap();
    learned(&folder, &[format!("{name}.pcap")], &[format!("{name}.yaml")], &[])
}

const LATER: [&str; 2] = ["--read", "captures/shop-staging-reads-db.pcap"];
const INVENTORY: [&str; 2] = ["--inventory", "captures/shop-staging-reads-db.yaml"];

fn verify(policies: &str, more: &[&str]) -> (Option<i32>, String, String) {
    run(&[&["verify", "--policies", policies], LATER.as_slice(), INVENTORY.as_slice(), more].concat())
}

fn explain(policies: &str, (from, to, port): (&str, &str, &str), more: &[&str]) -> (Option<i32>, String, String) {
    let asked = ["explain", "--policies", policies, "--from", from, "--to", to, "--port", port];
    run(&[&asked, INVENTORY.as_slice(), more].concat())
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn policy(namespace: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name, "namespace": namespace}, "spec": spec})
}

/// The inventory of the later scenario with more objects.
fn inventory_with(folder: &Path, objects: &[Value]) -> [String; 3] {
    let more = write(folder, "more.json", &json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string());
    ["--inventory".to_owned(), "captures/shop-staging-reads-db.yaml".to_owned(), more]
}

#[test]
fn a_later_connection_that_would_be_denied_is_told_with_the_policy_to_change() {
    let folder = tempfile::tempdir().unwrap();
    let policies = learned_from(folder.path(), "shop");
    let (code, stdout, stderr) = verify(&policies, &[]);
    assert_eq!(code, Some(1), "{stderr}");
    let lines: Vec<&str> = stdout.lines().take(6).collect();
    assert_eq!(
        lines,
        [
            "8 edges: 7 allowed, 1 denied",
            "denied: staging/api -> prod/db TCP 3306",
            "  1 connection, 2026-11-21T04:02:47.454Z to 2026-11-21T04:02:47.466Z",
            "  ingress of prod/db: isolated by prod/allow-ingress-to-db, prod/default-deny-all, and no rule matches (pod prod/db-0)",
            "    change prod/allow-ingress-to-db",
            "allowed but unused, on purpose: 1 connection",
        ],
        "staging is isolated by nothing, so only the responder's side denies"
    );
    assert!(stderr.contains("policies: 6 in 10 files of ") && stderr.contains("passed over: 4 Kustomization"), "{stderr}");

    let both = learned_from(folder.path(), "shop-namespaces");
    let (code, stdout, _) = verify(&both, &["--format", "json"]);
    let told: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &told["version"], &told["edges"]), (Some(1), &json!(1), &json!(8)));
    let denied = told["denied"].as_array().unwrap();
    assert_eq!(denied.len(), 1, "{stdout}");
    assert_eq!((&denied[0]["originator"], &denied[0]["responder"]), (&json!("staging/api"), &json!("prod/db")));
    let sides: Vec<(&Value, &Value)> =
        denied[0]["missing"].as_array().unwrap().iter().map(|missing| (&missing["side"], &missing["remedy"]["policy"])).collect();
    let expected = [("egress", "staging/allow-egress-from-api"), ("ingress", "prod/allow-ingress-to-db")];
    assert_eq!(
        sides,
        expected.map(|(side, policy)| (json!(side), json!(policy))).iter().map(|(a, b)| (a, b)).collect::<Vec<_>>()
    );

    let after = learned_from(folder.path(), "shop-staging-reads-db");
    let (code, stdout, stderr) = verify(&after, &["--deny-excess"]);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    assert!(stdout.starts_with("8 edges: 8 allowed, 0 denied\n"), "{stdout}");
}

#[test]
fn what_is_learned_denies_nothing_of_its_own_capture_and_allows_nothing_else() {
    let mut checked = 0;
    for entry in fs::read_dir(root().join("tests/cases")).unwrap() {
        let path = entry.unwrap().path();
        let Ok(text) = fs::read_to_string(path.join("case.toml")) else { continue };
        let case: toml::Table = toml::from_str(&text).unwrap();
        let list = |key: &str| -> Vec<String> {
            case[key].as_array().unwrap().iter().map(|item| item.as_str().unwrap().to_owned()).collect()
        };
        let folder = tempfile::tempdir().unwrap();
        let policies = learned(folder.path(), &list("read"), &list("inventory"), &list("arguments"));
        let inventories: Vec<String> =
            list("inventory").iter().flat_map(|name| ["--inventory".to_owned(), format!("captures/{name}")]).collect();
        let mut verify = command(&["verify", "--policies", &policies, "--without-cluster", "--deny-excess"]);
        verify.args(&inventories);
        for capture in list("read") {
            verify.arg("--read").arg(format!("captures/{capture}"));
        }
        // What leads to the cloud's credentials lies apart, and counts once it is named.
        let apart = Path::new(&policies).join("ops/_quarantine");
        if apart.is_dir() {
            let (code, stdout, stderr) = result(&verify.output().unwrap());
            assert!(
                code == Some(1) && stdout.contains(" 1 denied (1 of them withheld)\n"),
                "{}: {stdout}{stderr}",
                path.display()
            );
            verify.arg("--policies").arg(apart);
        }
        let (code, stdout, stderr) = result(&verify.output().unwrap());
        assert_eq!(code, Some(0), "{}: {stdout}{stderr}", path.display());
        let (code, stdout, stderr) = result(&command(&["diff", &policies, &policies]).args(&inventories).output().unwrap());
        assert_eq!((code, stdout.as_str()), (Some(0), "no difference: the same connections are possible\n"), "{stderr}");
        checked += 1;
    }
    assert!(checked >= 20, "the cases were found");
}

#[test]
fn a_connection_is_explained_and_the_rule_it_lacks_makes_it_possible() {
    let folder = tempfile::tempdir().unwrap();
    let policies = learned_from(folder.path(), "shop-namespaces");
    let (code, stdout, stderr) = explain(&policies, ("prod/api", "prod/db", "3306"), &[]);
    assert_eq!(code, Some(0), "{stderr}");
    let expected =
        ["prod/api -> prod/db TCP 3306: allowed", "  egress of prod/api: allowed by prod/allow-egress-from-api egress[0]"];
    assert_eq!(stdout.lines().take(2).collect::<Vec<_>>(), expected);
    assert!(stdout.contains("    # prod/api -> prod/db TCP 3306\n    #   "), "the evidence of the rule: {stdout}");

    let asked = ("staging/api", "prod/db", "3306");
    let (code, stdout, _) = explain(&policies, asked, &[]);
    assert_eq!(code, Some(1));
    assert!(stdout.starts_with("staging/api -> prod/db TCP 3306: denied\n"), "{stdout}");
    let missing: Vec<&str> = stdout.lines().filter(|line| line.starts_with("# to allow it")).collect();
    assert_eq!(
        missing,
        [
            "# to allow it: add to spec.egress of staging/allow-egress-from-api",
            "# to allow it: add to spec.ingress of prod/allow-ingress-to-db"
        ]
    );
    // What is to be pasted, as policies of its own beside the others.
    let mut beside = Vec::new();
    for (part, (namespace, app, list, way)) in stdout
        .split("\n# to allow it")
        .skip(1)
        .zip([("staging", "api-pod", "egress", "Egress"), ("prod", "", "ingress", "Ingress")])
    {
        let rules: Value = serde_saphyr::from_str(part.split_once('\n').unwrap().1).unwrap();
        let labels = if app.is_empty() { json!({"role": "db"}) } else { json!({ "name": app }) };
        beside.push(
            policy(
                namespace,
                &format!("pasted-{way}").to_lowercase(),
                &json!({
                    "podSelector": {"matchLabels": labels}, "policyTypes": [way], list: rules,
                }),
            )
            .to_string(),
        );
    }
    let pasted = write(folder.path(), "pasted.yaml", &beside.join("\n---\n"));
    let (code, stdout, stderr) = explain(&policies, asked, &["--policies", &pasted]);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    let (code, stdout, _) = run(&[&["diff", &policies, &policies], INVENTORY.as_slice()].concat());
    assert_eq!((code, stdout.lines().count()), (Some(0), 1));

    let (code, stdout, _) = explain(&policies, asked, &["--format", "json"]);
    let told: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &told["version"], &told["answer"]), (Some(1), &json!(1), &json!("denied")));
    assert_eq!(told["proposals"].as_array().unwrap().len(), 2);
}

/// What it shows, the question, the exit code, a part of the answer.
type Asked = (&'static str, (&'static str, &'static str, &'static str), i32, &'static str);

#[test]
fn whom_a_question_is_about() {
    let folder = tempfile::tempdir().unwrap();
    let policies = learned_from(folder.path(), "shop-namespaces");
    let rows: [Asked; 11] = [
        (
            "a workload by kind",
            ("prod/deployment/api", "prod/StatefulSet/db", "3306"),
            0,
            "prod/api -> prod/db TCP 3306: allowed",
        ),
        ("a pod", ("prod/api", "prod/db-0", "3306"), 0, "prod/api -> prod/db-0 TCP 3306: allowed"),
        ("an address outside", ("198.51.100.99", "prod/web", "80"), 0, "198.51.100.99 -> prod/web TCP 80: allowed"),
        ("a name of a port", ("203.0.113.9", "kube-system/coredns", "metrics"), 0, "kube-system/coredns TCP 9153: allowed"),
        ("nobody", ("prod/none", "prod/db", "1"), 2, "find --from prod/none in the inventory"),
        (
            "a workload of another namespace",
            ("none/api", "prod/db", "1"),
            2,
            "did you mean dev/Deployment/api or prod/Deployment/api or",
        ),
        ("a name without a namespace", ("web", "prod/db", "1"), 2, "hint: did you mean prod/Deployment/web?"),
        ("a name outside without captures", ("prod/web", "example.com", "1"), 2, "names outside are known with --read"),
        ("a Service's address", ("prod/web", "10.96.0.10", "53"), 2, "an address of the Service kube-system/kube-dns"),
        ("no port", ("prod/web", "prod/db", "0"), 2, "find the port 0"),
        ("no name of a port", ("prod/web", "kube-system/coredns", "mysql"), 2, "metrics (9153)"),
    ];
    for (message, asked, expected, part) in rows {
        let (code, stdout, stderr) = explain(&policies, asked, &[]);
        assert_eq!(code, Some(expected), "{message}: {stdout}{stderr}");
        assert!(stdout.contains(part) || stderr.contains(part), "{message}: no {part:?} in {stdout}{stderr}");
        assert!(expected != 2 || stdout.is_empty() && stderr.contains("\nhint: "), "{message}: {stdout}{stderr}");
    }
    let twin = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "db", "namespace": "prod", "uid": "t"},
        "spec": {"containers": [{"name": "c"}]}, "status": {"podIPs": [{"ip": "10.244.1.99"}]}});
    let inventory = inventory_with(folder.path(), &[twin]);
    let asked = ["explain", "--policies", &policies, "--from", "prod/web", "--to", "prod/db", "--port", "1", "--inventory"];
    let (code, _, stderr) = run(&[&asked, [inventory[1].as_str(), "--inventory", &inventory[2]].as_slice()].concat());
    assert_eq!(code, Some(2));
    assert!(stderr.contains("it may be prod/Pod/db, prod/StatefulSet/db"), "{stderr}");
}

#[test]
fn names_that_pods_asked_for_can_be_asked_about() {
    let folder = tempfile::tempdir().unwrap();
    let policies = learned_from(folder.path(), "cronjob");
    let made = fs::read_dir(Path::new(&policies).join("my-ns")).unwrap();
    let names: Vec<String> = made.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let policy = names.iter().find(|name| name.contains("-to-example-com")).unwrap();
    let workload = policy.strip_prefix("allow-").unwrap().split("-to-").next().unwrap();
    let from = format!("my-ns/{workload}");
    let asked = |to: &str, port: &str| {
        run(&[
            "explain",
            "--policies",
            &policies,
            "--inventory",
            "captures/cronjob.yaml",
            "--read",
            "captures/cronjob.pcap",
            "--from",
            &from,
            "--to",
            to,
            "--port",
            port,
        ])
    };
    let (code, stdout, stderr) = asked("example.com", "80");
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    assert!(stdout.contains("-> example.com (") && stdout.contains(policy.strip_suffix(".yaml").unwrap()), "{stdout}");
    let (code, stdout, _) = asked("example.com", "81");
    assert_eq!(code, Some(1));
    assert!(stdout.contains(" means the peer, on other ports"), "{stdout}");
    let (code, _, stderr) = asked("example.org", "80");
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("a name that a pod asked for in the captures"), "{stderr}");
}

#[test]
fn sets_are_compared_by_connections() {
    let folder = tempfile::tempdir().unwrap();
    let (before, after) = (learned_from(folder.path(), "shop-namespaces"), learned_from(folder.path(), "shop-staging-reads-db"));
    let diff = |old: &str, new: &str, more: &[&str]| run(&[&["diff", old, new], INVENTORY.as_slice(), more].concat());
    let (code, stdout, stderr) = diff(&before, &after, &[]);
    assert_eq!((code, stdout.as_str()), (Some(1), "gained:\n  staging/api -> prod/db TCP 3306\n"), "{stderr}");
    let (code, stdout, _) = diff(&after, &before, &[]);
    assert_eq!((code, stdout.as_str()), (Some(1), "lost:\n  staging/api -> prod/db TCP 3306\n"));
    let (_, stdout, _) = diff(&before, &after, &["--format", "json"]);
    let told: Value = serde_json::from_str(&stdout).unwrap();
    let gained = json!([{"originators": {"pods": [{"workload": "staging/api", "kind": "Deployment"}]},
        "responders": {"pods": [{"workload": "prod/db", "kind": "StatefulSet"}]},
        "ports": [{"protocol": "TCP", "first": 3306, "last": 3306}], "certainty": "certain"}]);
    assert_eq!((&told["version"], &told["gained"], &told["lost"]), (&json!(1), &gained, &json!([])));

    // The same said in other words.
    let written = json!({"podSelector": {}, "policyTypes": ["Egress"],
        "egress": [{"to": [{"podSelector": {"matchExpressions": [{"key": "role", "operator": "In", "values": ["db"]}]},
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "prod"}}}], "ports": [{"port": 3306}]}]});
    let labelled = json!({"podSelector": {}, "policyTypes": ["Egress"],
        "egress": [{"to": [{"podSelector": {"matchLabels": {"role": "db"}},
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "prod"}}}], "ports": [{"port": 3306, "protocol": "TCP"}]}]});
    let one = write(folder.path(), "one.json", &policy("staging", "one", &written).to_string());
    let other = write(folder.path(), "other.yaml", &policy("staging", "another", &labelled).to_string());
    assert_eq!(diff(&one, &other, &[]).0, Some(0), "names and forms do not matter");
}

#[test]
fn policies_of_the_cluster_count_unless_they_are_replaced_or_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let policies = learned_from(folder.path(), "shop");
    let from_staging = json!({"podSelector": {"matchLabels": {"role": "db"}}, "policyTypes": ["Ingress"],
        "ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "staging"}}}], "ports": [{"port": 3306}]}]});
    let closed = json!({"podSelector": {}, "policyTypes": ["Ingress"]});
    let objects = [policy("prod", "by-hand", &from_staging), policy("prod", "allow-ingress-to-api", &closed)];
    let inventory = inventory_with(folder.path(), &objects);
    let inventory = ["--inventory", inventory[1].as_str(), "--inventory", inventory[2].as_str()];
    let verify =
        |policies: &[&str], more: &[&str]| run(&[&["verify"], policies, LATER.as_slice(), inventory.as_slice(), more].concat());
    let (code, stdout, stderr) = verify(&["--policies", &policies], &[]);
    assert_eq!(code, Some(0), "what was written by hand allows it: {stdout}{stderr}");
    assert!(stderr.contains("1 of the cluster's own count too: prod/by-hand"), "{stderr}");
    assert!(stderr.contains("1 replaced by the files' of the same name: prod/allow-ingress-to-api"), "{stderr}");
    let (code, _, stderr) = verify(&["--policies", &policies], &["--without-cluster"]);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(!stderr.contains("by-hand"), "{stderr}");
    let (code, stdout, _) = verify(&["--policies", "cluster"], &["--deny-excess"]);
    assert_eq!(code, Some(1), "the cluster's alone: {stdout}");
    let of_prod = stdout.lines().filter(|line| line.starts_with("denied: ")).collect::<Vec<_>>();
    assert!(of_prod.contains(&"denied: prod/web -> prod/api TCP 5000"), "{stdout}");
    let diff = |more: &[&str]| run(&[&["diff", "cluster", &policies], inventory.as_slice(), more].concat());
    assert_eq!(diff(&[]).0, Some(1));
    let (code, stdout, stderr) = run(&[&["diff", "cluster", "cluster"], inventory.as_slice()].concat());
    assert_eq!(code, Some(0), "{stdout}{stderr}");
}

#[test]
fn what_nobody_used_is_listed_and_can_be_denied() {
    let folder = tempfile::tempdir().unwrap();
    let policies = learned_from(folder.path(), "shop-staging-reads-db");
    let wide = json!({"podSelector": {"matchLabels": {"role": "db"}}, "policyTypes": ["Ingress"],
        "ingress": [{"from": [{"podSelector": {"matchLabels": {"name": "api-pod"}}}], "ports": [{"port": 3306, "endPort": 3307}]}]});
    let wide = write(folder.path(), "wide.yaml", &policy("prod", "wide", &wide).to_string());
    let (code, stdout, stderr) = verify(&policies, &["--policies", &wide]);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    assert!(!stdout.contains("allowed but unused: "), "the originator's side does not allow 3307: {stdout}");
    let out = json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"ports": [{"port": 3307}]}]});
    let out = write(folder.path(), "out.yaml", &policy("prod", "out", &out).to_string());
    let (code, stdout, _) = verify(&policies, &["--policies", &wide, "--policies", &out, "--deny-excess"]);
    assert_eq!(code, Some(1));
    assert!(stdout.contains("\n  prod/api -> prod/db TCP 3307, by prod/wide ingress[0]\n"), "{stdout}");
    assert!(stdout.contains("\n  prod/api -> everyone TCP 3307, by prod/out egress[0]\n"), "{stdout}");
}

#[test]
fn a_block_on_a_pods_address_is_not_relied_on() {
    let folder = tempfile::tempdir().unwrap();
    let policies = learned_from(folder.path(), "shop");
    let block = json!({"podSelector": {"matchLabels": {"role": "db"}}, "policyTypes": ["Ingress"],
        "ingress": [{"from": [{"ipBlock": {"cidr": "10.244.0.0/16"}}], "ports": [{"port": 3306}]}]});
    let block = write(folder.path(), "block.yaml", &policy("prod", "block", &block).to_string());
    let (code, stdout, _) = verify(&policies, &["--policies", &block]);
    assert_eq!(code, Some(1));
    assert!(
        stdout.contains("ingress of prod/db: up to the network plug-in, only an ipBlock on a pod's address matches"),
        "{stdout}"
    );
    let (code, stdout, _) = explain(&policies, ("staging/api", "prod/db", "3306"), &["--policies", &block]);
    assert_eq!(code, Some(1));
    assert!(stdout.starts_with("staging/api -> prod/db TCP 3306: up to the network plug-in\n"), "{stdout}");
}

#[test]
fn what_cannot_be_done_says_what_why_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let good = policy("prod", "one", &json!({"podSelector": {}}));
    let good_file = write(here, "good.json", &good.to_string());
    let mut homeless = good.clone();
    homeless["metadata"] = json!({"name": "one"});
    let homeless = write(here, "homeless.yaml", &homeless.to_string());
    let twice =
        write(here, "twice.yaml", &policy("prod", "one", &json!({"podSelector": {}, "policyTypes": ["Egress"]})).to_string());
    let broken = write(here, "broken.yaml", "kind: NetworkPolicy\nmetadata: }\n");
    let field = write(
        here,
        "field.yaml",
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a, namespace: b}\nspec:\n  podselector: {}\n",
    );
    let none = write(here, "none.yaml", "kind: Kustomization\n");
    let empty = here.join("empty");
    fs::create_dir(&empty).unwrap();
    let empty = empty.to_str().unwrap();
    let rows: [(&str, &[&str], &[&str]); 8] = [
        ("no such file", &["missing.yaml"], &["read policies from missing.yaml"]),
        ("an empty directory", &[empty], &["find a NetworkPolicy in "]),
        ("other kinds", &[&none], &["none.yaml: there is 1 Kustomization"]),
        ("no YAML", &[&broken], &["broken.yaml: line 2, column "]),
        ("a field that there is not", &[&field], &["field.yaml: line 5, column 3: spec.podselector: there is no such field"]),
        ("no namespace", &[&homeless], &["the policy one says no namespace", "--default-namespace"]),
        ("two of one name", &[&good_file, &twice], &["which policy prod/one counts", "good.json, line 1", "twice.yaml, line 1"]),
        ("a capture", &["captures/shop.pcap"], &["captures/shop.pcap"]),
    ];
    for (message, files, expected) in rows {
        let policies: Vec<&str> = files.iter().flat_map(|file| ["--policies", file]).collect();
        let asked: [&[&str]; 3] = [
            &[&["verify"], policies.as_slice(), &LATER, &INVENTORY].concat(),
            &[&["explain"], policies.as_slice(), &INVENTORY, &["--from", "prod/web", "--to", "prod/db", "--port", "1"]].concat(),
            &[&["diff", files.last().unwrap(), files[0]], INVENTORY.as_slice()].concat(),
        ];
        for arguments in asked {
            // Two sets may each have a policy of one name.
            if files.len() > 1 && arguments[0] == "diff" {
                continue;
            }
            let (code, stdout, stderr) = run(arguments);
            assert_eq!(code, Some(2), "{message}: {stdout}{stderr}");
            assert_eq!(stdout, "", "{message}: standard output is for data");
            for part in expected.iter().copied().chain(["error: failed to ", "\nhint: "]) {
                assert!(stderr.contains(part), "{message}: no {part:?} in {stderr}");
            }
        }
    }
    let (code, _, stderr) = verify(&homeless, &["--default-namespace", "prod"]);
    assert_eq!(code, Some(1), "with a namespace: {stderr}");
    let (code, stdout, stderr) =
        run(&[&["verify", "--policies", &good_file, "--read", "captures/lab.pcap"], INVENTORY.as_slice()].concat());
    assert_eq!((code, stdout.as_str()), (Some(2), ""), "{stderr}");
    assert!(stderr.contains("none of 24 flows was an answered connection of a pod"), "an empty result is no success: {stderr}");
    let empty_capture = write(here, "empty.pcap", "");
    let (code, stdout, stderr) = verify(&good_file, &["--read", &empty_capture]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stdout.contains(" denied\n") && stderr.contains("empty.pcap: it is empty"), "told, but not complete: {stderr}");
}

#[test]
fn policies_may_come_from_standard_input() {
    let (code, stream, _) = run(&["learn", "--read", "captures/shop.pcap", "--inventory", "captures/shop.yaml", "--output", "-"]);
    assert_eq!(code, Some(0));
    let mut child = command(&["verify", "--policies", "-", "--read", "captures/shop.pcap", "--inventory", "captures/shop.yaml"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(stream.as_bytes()).unwrap();
    let (code, stdout, stderr) = result(&child.wait_with_output().unwrap());
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.starts_with("5 edges: 5 allowed, 0 denied\n"), "{stdout}");
}
