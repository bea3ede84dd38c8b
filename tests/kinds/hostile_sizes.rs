//! Small inputs that stand for much: each ends with a message, within memory that is bounded.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::world::World;

const WEB: &str = "10.244.1.13";
const API: &str = "10.244.1.14";

/// A client and its server on one node.
fn shop() -> World {
    World::default()
        .namespace("shop")
        .node("n1", "10.0.0.11", &["10.244.1.0/24"])
        .pod("shop", "web", WEB, "n1", "app=web")
        .pod("shop", "api", API, "n1", "app=api")
        .tcp(WEB, API, 8080)
}

/// Runs the program with at most so many MiB of address space.
fn run_within(mebibytes: u64, arguments: &[&str]) -> Output {
    let limited = format!("ulimit -v {} && exec \"$0\" \"$@\"", mebibytes << 10);
    Command::new("sh").args(["-c", &limited, env!("CARGO_BIN_EXE_netpol-gen")]).args(arguments).output().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn what_aliases_stand_for_is_bounded() {
    let world = shop();
    let folder = tempfile::tempdir().unwrap();
    let (capture, inventory) = world.write(folder.path());
    let long = "x".repeat(1 << 20);
    let aliases = vec!["*a"; 12_000].join(", ");
    let keys: Vec<String> = (0..1_000).map(|number| format!("k{number:0>999}: x")).collect();
    let keys = keys.join(", ");
    let bombs = [
        // A scalar, a key, and a list of lists.
        format!("metadata: {{annotations: {{a: &a {long}, b: [{aliases}]}}}}\n"),
        format!("metadata: {{annotations: {{a: &a {{{keys}}}, b: [{aliases}]}}}}\n"),
        (1..9).fold("a: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned(), |mut text, level| {
            let _ = writeln!(text, "b{level}: &a{level} [{}]", vec![format!("*a{}", level - 1); 10].join(", "));
            text
        }),
    ];
    for bomb in bombs {
        let bomb_file = folder.path().join("bomb.yaml");
        fs::write(&bomb_file, format!("apiVersion: v1\nkind: ConfigMap\n{bomb}")).unwrap();
        let output = folder.path().join("out");
        let learned = [
            "learn",
            "--read",
            text(&capture),
            "--inventory",
            text(&inventory),
            "--inventory",
            text(&bomb_file),
            "--output",
            text(&output),
        ];
        let verified = ["verify", "--policies", text(&bomb_file), "--read", text(&capture), "--inventory", text(&inventory)];
        for arguments in [&learned[..], &verified[..]] {
            let result = run_within(3 << 10, arguments);
            let messages = String::from_utf8_lossy(&result.stderr);
            assert_eq!(result.status.code(), Some(2), "{messages}");
            assert!(messages.contains("anchors and aliases stand for more than"), "{messages}");
        }
    }
}

#[test]
fn decisions_do_not_repeat_without_end() {
    let folder = tempfile::tempdir().unwrap();
    let (capture, inventory) = shop().write(folder.path());
    let decisions = folder.path().join("decisions.yaml");
    let repeated = "- {code: icmp, reason: *a}\n".repeat(90);
    fs::write(&decisions, format!("version: 1\nignore:\n- {{code: icmp, reason: &a {}}}\n{repeated}", "x".repeat(900_000)))
        .unwrap();
    let output = folder.path().join("out");
    let arguments = [
        "learn",
        "--read",
        text(&capture),
        "--inventory",
        text(&inventory),
        "--decisions",
        text(&decisions),
        "--output",
        text(&output),
    ];
    let result = run_within(3 << 10, &arguments);
    assert_eq!(result.status.code(), Some(2), "{}", String::from_utf8_lossy(&result.stderr));
}

#[test]
fn keys_of_one_mapping_cost_no_more_than_their_number() {
    let keys: String = (0..100_000).fold(String::new(), |mut keys, number| {
        let _ = writeln!(keys, "    key-{number}: v");
        keys
    });
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policy.yaml");
    fs::write(
        &policy,
        format!("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: a\n  namespace: shop\n  annotations:\n{keys}spec: {{podSelector: {{}}, policyTypes: [Ingress]}}\n"),
    )
    .unwrap();
    let (capture, inventory) = shop().write(folder.path());
    let arguments = ["verify", "--policies", text(&policy), "--read", text(&capture), "--inventory", text(&inventory)];
    let result = run_within(3 << 10, &arguments);
    assert_eq!(result.status.code(), Some(1), "{}", String::from_utf8_lossy(&result.stderr));
}

#[test]
fn very_many_pods_that_had_one_address_cost_no_more_than_their_number() {
    let world = shop();
    let folder = tempfile::tempdir().unwrap();
    let (capture, inventory) = world.write(folder.path());
    let ended = (0..20_000).fold(String::new(), |mut pods, number| {
        let _ = writeln!(
            pods,
            r#"{{"apiVersion": "v1", "kind": "Pod", "metadata": {{"name": "run-{number}", "namespace": "shop", "labels": {{"app": "run"}}}},
                "status": {{"phase": "Succeeded", "podIP": "10.244.1.99", "startTime": "2026-09-21T10:00:01Z"}}}}"#
        );
        pods
    });
    let many = folder.path().join("many.json");
    fs::write(&many, ended).unwrap();
    let output = folder.path().join("out");
    let inputs = ["learn", "--read", text(&capture), "--inventory", text(&inventory), "--inventory", text(&many)];
    let result = run_within(2 << 10, &[&inputs[..], &["--output", text(&output)]].concat());
    assert!(matches!(result.status.code(), Some(0 | 1)), "{}", String::from_utf8_lossy(&result.stderr));
    assert!(output.join("shop").is_dir(), "{}", String::from_utf8_lossy(&result.stderr));
}
