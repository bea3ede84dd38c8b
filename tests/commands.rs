//! Whole command lines: what they print, what they leave behind, how they end.

#![expect(clippy::unwrap_used, reason = "in tests a failed unwrap is the failure to report")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const SHOP: [&str; 4] = ["--read", "captures/shop.pcap", "--inventory", "captures/shop.yaml"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netpol-gen"));
    command.current_dir(root()).arg("learn").args(arguments);
    command
}

fn learn(arguments: &[&str]) -> (Option<i32>, String, String) {
    result(&command(arguments).output().unwrap())
}

fn result(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> String {
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The objects of captures/shop.json, changed.
fn inventory(folder: &Path, change: impl Fn(&mut Vec<Value>)) -> String {
    let text = fs::read(root().join("captures/shop.json")).unwrap();
    let mut list: Value = serde_json::from_slice(&text).unwrap();
    change(list["items"].as_array_mut().unwrap());
    write(folder, "changed.json", &serde_json::to_vec(&list).unwrap())
}

fn is_kind(object: &Value, kind: &str) -> bool {
    object["kind"] == kind
}

#[test]
fn what_cannot_be_done_says_what_why_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let capture = fs::read(root().join("captures/shop.pcap")).unwrap();
    let empty = write(here, "empty.pcap", b"");
    let frameless = write(here, "frameless.pcap", &capture[..24]);
    let text = write(here, "notes.txt", b"these are notes");
    let broken = write(here, "broken.yaml", b"kind: List\nitems:\n  - kind: Pod\n    metadata: }\n");
    let without_pods = inventory(here, |items| items.retain(|item| !is_kind(item, "Pod")));
    let shop = fs::read(root().join("captures/shop.pcap")).unwrap();
    let cut = write(here, "cut.pcap", &shop[..50]);
    let in_a_file = format!("{text}/policies");
    let output = here.join("policies");
    let output = output.to_str().unwrap();

    let rows: [(&str, Vec<&str>, &[&str]); 14] = [
        (
            "no such capture",
            vec!["--read", "none.pcap", "--inventory", "captures/shop.yaml"],
            &["find a file that matches none.pcap", "check the path"],
        ),
        (
            "not a capture",
            vec!["--read", &text, "--inventory", "captures/shop.yaml"],
            &["notes.txt: it is not a capture but looks like text", "convert it"],
        ),
        ("an empty file", vec!["--read", &empty, "--inventory", "captures/shop.yaml"], &["empty.pcap", "it is empty"]),
        (
            "a capture without frames",
            vec!["--read", &frameless, "--inventory", "captures/shop.yaml"],
            &["the captures hold no frames"],
        ),
        (
            "a capture that is cut in its first frame",
            vec!["--read", &cut, "--inventory", "captures/shop.yaml"],
            &["truncated-file", "no frame of the captures can be read", "the findings above say why"],
        ),
        (
            "a capture of another cluster",
            vec!["--read", "captures/lab.pcap", "--inventory", "captures/shop.yaml"],
            &["unattributed-address", "none of 24 flows was an answered connection of a pod", "same cluster and time"],
        ),
        ("no inventory", vec!["--read", "captures/shop.pcap", "--inventory", "none.yaml"], &["none.yaml", "kubectl get"]),
        (
            "an inventory without pods",
            vec!["--read", "captures/shop.pcap", "--inventory", &without_pods],
            &["find a pod in the inventory", "kubectl get pods"],
        ),
        ("unreadable YAML", vec!["--read", "captures/shop.pcap", "--inventory", &broken], &["broken.yaml", "line 4, column"]),
        (
            "a namespace that is not there",
            [SHOP.as_slice(), &["--namespace", "none"]].concat(),
            &["pods of the namespace `none`"],
        ),
        ("an unknown code", [SHOP.as_slice(), &["--deny", "none"]].concat(), &["--deny none", "netpol-gen findings"]),
        ("a directory that cannot be written", [SHOP.as_slice(), &["--output", &in_a_file]].concat(), &["notes.txt/policies"]),
        (
            "two results on one standard output",
            [SHOP.as_slice(), &["--output", "-", "--format", "json"]].concat(),
            &["--output -", "--format json"],
        ),
        ("templates that are not there", [SHOP.as_slice(), &["--templates", "none"]].concat(), &["none"]),
    ];
    for (message, mut arguments, expected) in rows {
        if !arguments.contains(&"--output") {
            arguments.extend(["--output", output]);
        }
        let (code, stdout, stderr) = learn(&arguments);
        assert_eq!(code, Some(2), "{message}: {stderr}");
        assert_eq!(stdout, "", "{message}: standard output is for data");
        for part in expected.iter().copied().chain(["error: failed to ", "\nhint: "]) {
            assert!(stderr.contains(part), "{message}: no {part:?} in\n{stderr}");
        }
        assert!(!Path::new(output).exists(), "{message}: nothing is written");
    }
}

#[test]
fn one_bad_capture_does_not_lose_the_others_but_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let empty = write(folder.path(), "empty.pcap", b"");
    let output = folder.path().join("policies");
    let (code, _, stderr) = learn(&[SHOP.as_slice(), &["--read", &empty, "--output", output.to_str().unwrap()]].concat());
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("empty.pcap: it is empty"), "{stderr}");
    assert!(output.join("prod/allow-ingress-to-db.yaml").exists());
}

#[test]
fn findings_that_are_denied_change_the_exit_code_and_nothing_else() {
    for (deny, expected) in [("serious", 0), ("warning", 1), ("note", 1), ("internet-exposure", 1), ("icmp", 0)] {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("policies");
        let (code, _, stderr) = learn(&[SHOP.as_slice(), &["--deny", deny, "--output", output.to_str().unwrap()]].concat());
        assert_eq!(code, Some(expected), "--deny {deny}: {stderr}");
        assert!(output.join("REVIEW.md").exists(), "--deny {deny}");
    }
}

#[test]
fn a_capture_may_come_from_standard_input_and_policies_go_to_standard_output() {
    let mut child = command(&["--read", "-", "--inventory", "captures/shop.yaml", "--output", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let capture = fs::read(root().join("captures/shop.pcap")).unwrap();
    child.stdin.take().unwrap().write_all(&capture).unwrap();
    let (code, stdout, stderr) = result(&child.wait_with_output().unwrap());
    assert_eq!(code, Some(0), "{stderr}");
    let documents: Vec<&str> = stdout.split("\n---\n").collect();
    assert_eq!(documents.len(), 6, "{stdout}");
    assert!(documents.iter().all(|document| document.contains("kind: NetworkPolicy")));
    assert!(documents.last().unwrap().contains("name: default-deny-all"), "the default deny comes last");
}

#[test]
fn a_pattern_and_a_directory_name_captures() {
    let folder = tempfile::tempdir().unwrap();
    let shop = fs::read(root().join("captures/shop.pcap")).unwrap();
    write(folder.path(), "one.pcap", &shop);
    write(folder.path(), "two.bin", &shop);
    write(folder.path(), "notes.txt", b"no capture");
    for read in [folder.path().join("*.pcap"), folder.path().to_owned()] {
        let output = tempfile::tempdir().unwrap();
        let (read, output) = (read.to_str().unwrap(), output.path().to_str().unwrap());
        let (code, _, stderr) = learn(&["--read", read, "--inventory", "captures/shop.yaml", "--output", output]);
        assert_eq!(code, Some(0), "{read}: {stderr}");
        assert!(stderr.contains("37 answered"), "{read}: seen twice is counted once: {stderr}");
    }
}

#[test]
fn the_summary_is_data_on_request() {
    let output = tempfile::tempdir().unwrap();
    let (code, stdout, stderr) =
        learn(&[SHOP.as_slice(), &["--format", "json", "--output", output.path().to_str().unwrap()]].concat());
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let summary: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(summary["version"], 1);
    assert_eq!(summary["flows"]["answered"], 37);
    assert_eq!(summary["edges"], 5);
    assert_eq!(summary["proof"]["allowed"], 5);
    assert_eq!(summary["proof"]["excess"], serde_json::json!([]));
    assert_eq!(
        summary["namespaces"]["prod"]["workloads"],
        serde_json::json!(["api (Deployment)", "db (StatefulSet)", "web (Deployment)"])
    );
}

#[test]
fn learning_again_changes_nothing_and_less_traffic_removes_what_no_longer_applies() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("policies");
    let with_backup = ["--inventory", "captures/shop-backup-in.yaml", "--output", output.to_str().unwrap()];
    let (code, _, stderr) = learn(&[&["--read", "captures/shop-backup-in.pcap"], with_backup.as_slice()].concat());
    assert_eq!(code, Some(0), "{stderr}");
    let policy = output.join("prod/allow-192-168-5-10-to-db.yaml");
    assert!(policy.exists());

    let (_, _, stderr) = learn(&[&["--read", "captures/shop-backup-in.pcap"], with_backup.as_slice()].concat());
    assert!(stderr.contains("0 written, 13 unchanged, 0 removed"), "{stderr}");

    let same = ["--output", output.to_str().unwrap()];
    let kept = fs::read(output.join("prod/allow-ingress-to-api.yaml")).unwrap();
    let (code, _, stderr) = learn(&[SHOP.as_slice(), same.as_slice()].concat());
    assert_eq!(code, Some(0), "{stderr}");
    assert!(!policy.exists(), "it no longer applies");
    assert_eq!(fs::read(output.join("prod/allow-ingress-to-api.yaml")).unwrap(), kept, "other evidence alone rewrites nothing");

    let (_, _, stderr) = learn(&[SHOP.as_slice(), same.as_slice(), &["--refresh-evidence"]].concat());
    assert!(!stderr.contains(" 0 written"), "{stderr}");
    assert_ne!(fs::read(output.join("prod/allow-ingress-to-api.yaml")).unwrap(), kept, "unless it is asked for");
}

#[test]
fn files_of_others_are_not_touched_without_force() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("prod")).unwrap();
    let mine = folder.path().join("prod/allow-ingress-to-db.yaml");
    fs::write(&mine, "written by hand").unwrap();
    let output = ["--output", folder.path().to_str().unwrap()];
    let (code, _, stderr) = learn(&[SHOP.as_slice(), output.as_slice()].concat());
    assert_eq!(code, Some(2));
    assert!(stderr.contains("allow-ingress-to-db.yaml") && stderr.contains("--force"), "{stderr}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else was written either");
    let (code, _, _) = learn(&[SHOP.as_slice(), output.as_slice(), &["--force"]].concat());
    assert_eq!(code, Some(0));
    assert!(fs::read_to_string(&mine).unwrap().contains("kind: NetworkPolicy"));
}

#[test]
fn an_exposed_workload_is_said_once_with_its_callers() {
    let output = tempfile::tempdir().unwrap();
    let (_, _, stderr) = learn(&[SHOP.as_slice(), &["--output", output.path().to_str().unwrap()]].concat());
    let said = "prod/web is exposed on TCP 80: 3 addresses on the internet (2 networks) called it, and every address on the internet is allowed \
                to\n";
    assert!(stderr.contains(said), "{stderr}");
}

#[test]
fn exposed_workloads_are_open_to_all_or_to_those_seen() {
    let output = tempfile::tempdir().unwrap();
    let output = output.path().to_str().unwrap();
    let (code, _, stderr) = learn(&[SHOP.as_slice(), &["--public", "exact", "--output", output]].concat());
    assert_eq!(code, Some(0), "{stderr}");
    let names: Vec<String> = fs::read_dir(Path::new(output).join("prod"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with("-to-web.yaml"))
        .collect();
    assert_eq!(names.len(), 3, "one for each of three users: {names:?}");
    assert!(!names.contains(&"allow-internet-to-web.yaml".to_owned()));
}

fn explained(arguments: &[&str]) -> (Option<i32>, String, String) {
    result(&Command::new(env!("CARGO_BIN_EXE_netpol-gen")).arg("findings").args(arguments).output().unwrap())
}

#[test]
fn every_code_is_explained() {
    let (code, stdout, _) = explained(&[]);
    assert_eq!(code, Some(0));
    let (_, json, _) = explained(&["--format", "json"]);
    let entries: Vec<Value> = serde_json::from_str(&json).unwrap();
    let all = netpol_gen::model::Code::ALL;
    assert_eq!(entries.len(), all.len());
    for (code, entry) in all.iter().zip(&entries) {
        assert!(stdout.lines().any(|line| line == code.name()), "{code} in the list");
        assert_eq!(entry["code"], code.name());
        for part in ["severity", "seen", "why", "hint"] {
            assert!(entry[part].as_str().is_some_and(|text| !text.is_empty()), "{code}: {part}");
        }
        let (exit, full, _) = explained(&[code.name()]);
        assert_eq!(exit, Some(0));
        for part in ["What was seen:", "Why it matters:", "What to do:", code.severity().name()] {
            assert!(full.contains(part), "{code}: {part} in {full}");
        }
    }
    let (_, two, _) = explained(&["icmp", "flood", "--format", "json"]);
    assert_eq!(serde_json::from_str::<Vec<Value>>(&two).unwrap().len(), 2);
}

#[test]
fn a_mistyped_code_gets_a_suggestion() {
    for (word, expected) in [
        ("metadata-adress", "did you mean `metadata-address`?"),
        ("recording-incomplet", "did you mean `recording-incomplete`?"),
        ("zzz", "`netpol-gen findings` lists all codes"),
    ] {
        let (code, stdout, stderr) = explained(&[word]);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{word}");
        assert!(stderr.contains(&format!("failed to find the code `{word}`\nhint: {expected}")), "{stderr}");
        let (code, _, stderr) = learn(&[SHOP.as_slice(), &["--deny", word]].concat());
        assert_eq!(code, Some(2));
        assert!(stderr.contains(expected), "{stderr}");
    }
}

/// The coverage that `learn` tells of these captures.
fn coverage(arguments: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("policies");
    let (code, stdout, stderr) = learn(&[arguments, &["--format", "json", "--output", output.to_str().unwrap()]].concat());
    assert_eq!(code, Some(0), "{stderr}");
    serde_json::from_str::<Value>(&stdout).unwrap()["coverage"].clone()
}

#[test]
fn coverage_counts_what_one_rule_allows_once() {
    let shop = coverage(&SHOP);
    // Three users outside call web, which a rule allows to all; web calls api, api calls db.
    assert_eq!((&shop["all"]["edges"], &shop["all"]["known"][9]), (&3.into(), &3.into()), "{shop:#}");
    assert_eq!(shop["all"], shop["namespaces"]["prod"], "{shop:#}");
    assert_eq!(shop["all"]["basis"], "few-connections", "{shop:#}");
    assert!(shop["all"]["unseen_chance"].is_null() && shop["all"]["unseen_edges"].is_null(), "{shop:#}");
    assert_eq!(shop["back_test"]["denied"], 0, "all tiers talked from the beginning: {shop:#}");
    // With the addresses seen and no others, each user is an edge of their own.
    let exact = coverage(&[SHOP.as_slice(), &["--public", "exact"]].concat());
    assert_eq!(exact["all"]["edges"], 5, "{exact:#}");
    let lab = coverage(&["--read", "captures/lab.pcap", "--inventory", "captures/lab.yaml"]);
    // Two callers of the front end, one of the back end, and both ask for names.
    assert_eq!(lab["all"]["edges"], 5, "{lab:#}");
}

#[test]
fn the_back_test_is_what_an_earlier_end_would_have_denied() {
    let shop = ["--read", "captures/shop-staging-reads-db.pcap", "--inventory", "captures/shop-staging-reads-db.yaml"];
    let whole = coverage(&shop);
    let back_test = &whole["back_test"];
    let (connections, denied) = (back_test["connections"].as_u64().unwrap(), back_test["denied"].as_u64().unwrap());
    assert!(denied <= connections && connections <= whole["all"]["connections"].as_u64().unwrap(), "{whole:#}");
    let split = back_test["split"].as_str().unwrap();
    let late = |namespace: &str| whole["namespaces"][namespace]["last_new"].as_str().unwrap() >= split;
    assert_eq!(denied > 0, ["prod", "dev", "staging"].into_iter().any(late), "only what came up late is denied: {whole:#}");
    let of_prod = coverage(&[shop.as_slice(), &["--namespace", "prod"]].concat());
    assert!(of_prod["namespaces"].as_object().unwrap().keys().eq(["prod"]), "{of_prod:#}");
    assert_eq!(of_prod["back_test"]["split"], back_test["split"]);
    assert!(of_prod["back_test"]["connections"].as_u64().unwrap() <= connections, "{of_prod:#}");
}

/// The findings of these codes, as `subject message`.
fn findings(arguments: &[&str], code: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("policies");
    let (exit, stdout, stderr) = learn(&[arguments, &["--format", "json", "--output", output.to_str().unwrap()]].concat());
    assert_eq!(exit, Some(0), "{stderr}");
    let summary: Value = serde_json::from_str(&stdout).unwrap();
    let found = summary["findings"].as_array().unwrap().iter().filter(|finding| finding["code"] == code);
    found.map(|finding| format!("{} {}", finding["subject"].as_str().unwrap(), finding["message"].as_str().unwrap())).collect()
}

#[test]
fn a_cron_job_that_was_not_due_is_told_with_its_time() {
    let folder = tempfile::tempdir().unwrap();
    // The capture was taken on 21 November 2026 at 04:02 UTC.
    let rows = [
        (
            serde_json::json!({"schedule": "0 6 * * *", "timeZone": "Europe/Berlin"}),
            Some("not due while the capture ran, and next at 2026-11-21T05:00:00.000Z"),
        ),
        (serde_json::json!({"schedule": "0 6 * * *"}), Some("next at 2026-11-21T06:00:00.000Z")),
        (serde_json::json!({"schedule": "* * * * *", "suspend": true}), Some("is suspended")),
        (serde_json::json!({"schedule": "@every 5h"}), Some("cannot be told")),
        (serde_json::json!({}), None),
    ];
    for (spec, expected) in rows {
        let file = inventory(folder.path(), |items| {
            let mut spec = spec.clone();
            spec["jobTemplate"] = serde_json::json!({"spec": {"template": {"metadata": {"labels": {"app": "backup"}}}}});
            items.push(serde_json::json!({"apiVersion": "batch/v1", "kind": "CronJob",
                "metadata": {"namespace": "prod", "name": "backup"}, "spec": spec}));
        });
        let arguments = ["--read", "captures/shop.pcap", "--inventory", &file];
        let found = findings(&arguments, "cron-job-not-due");
        let generic = findings(&arguments, "workload-without-traffic");
        match expected {
            Some(expected) => {
                assert!(
                    found.len() == 1 && found[0].starts_with("prod/backup ") && found[0].contains(expected),
                    "{spec}: {found:?}"
                );
                assert_eq!(generic.len(), 0, "{spec}: it is said once: {generic:?}");
            }
            None => assert_eq!((found.len(), generic.len()), (0, 1), "{spec}: {found:?} {generic:?}"),
        }
    }
}

#[test]
fn candidates_are_comments_that_no_kustomization_names() {
    let folder = tempfile::tempdir().unwrap();
    let file = inventory(folder.path(), |items| {
        let api = items.iter_mut().find(|item| is_kind(item, "Pod") && item["metadata"]["labels"]["name"] == "api-pod").unwrap();
        api["spec"]["containers"][0]["ports"].as_array_mut().unwrap().push(serde_json::json!({"containerPort": 9443}));
        items
            .push(serde_json::json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "prod", "name": "checks"},
            "spec": {"selector": {"name": "api-pod"}, "ports": [{"port": 443, "targetPort": 9443}]}}));
        items.push(serde_json::json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": "checks"},
            "webhooks": [{"clientConfig": {"service": {"namespace": "prod", "name": "checks", "port": 443}}}]}));
        items.push(
            serde_json::json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "prod", "name": "metrics"},
            "spec": {"selector": {"name": "api-pod"}, "ports": [{"port": 9100}]}}),
        );
    });
    let output = folder.path().join("policies");
    let arguments = ["--read", "captures/shop.pcap", "--inventory", &file, "--output", output.to_str().unwrap()];
    let path = output.join("prod/_candidates.yaml");
    let (code, _, stderr) = learn(&arguments);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(
        stderr.contains("warning: api-server-call-not-seen\n  prod/api is to be called by the API server on TCP 9443"),
        "{stderr}"
    );
    assert!(!path.exists(), "only on request");
    let (code, _, stderr) = learn(&[arguments.as_slice(), &["--candidates"]].concat());
    assert_eq!(code, Some(0), "{stderr}");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.lines().all(|line| line.starts_with('#')), "{text}");
    let api_server = "# # prod/api (Deployment) on TCP 9443: containerPort, Service prod/checks, ValidatingWebhookConfiguration checks.\n\
                      # # Nobody called while the capture ran; the API server, if it calls from the addresses of its endpoints, would.\n";
    assert!(text.contains(api_server) && text.contains("#         cidr: 10.0.0.10/32\n"), "{text}");
    assert!(text.contains("#   name: allow-api-tcp-9100\n") && text.contains("#           caller: \"?\"\n"), "{text}");
    for kustomization in ["kustomization.yaml", "prod/kustomization.yaml", "_default-deny/kustomization.yaml"] {
        assert!(!fs::read_to_string(output.join(kustomization)).unwrap().contains("candidates"), "{kustomization}");
    }
    let (code, _, stderr) = learn(&arguments);
    assert!(code == Some(0) && stderr.contains("1 removed"), "{stderr}");
    assert!(!path.exists(), "what was not asked for again goes");
    let (_, stream, _) = learn(&[&arguments[..4], &["--candidates", "--output", "-"]].concat());
    assert!(stream.ends_with(&text), "candidates end the stream: {stream}");
}
