//! `plan` as a whole command: its steps are carried out on a cluster of the imagination, and nothing that was observed may be denied.

#![expect(clippy::unwrap_used, reason = "in tests a failed unwrap is the failure to report")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Exit code, standard output, standard error of a run in `folder`.
fn run(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_netpol-gen")).current_dir(folder).args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn capture(name: &str) -> String {
    root().join("captures").join(name).to_str().unwrap().to_owned()
}

/// Policies of this capture in `folder/policies`.
fn learn(folder: &Path, name: &str) {
    let (read, inventory) = (capture(&format!("{name}.pcap")), capture(&format!("{name}.yaml")));
    let (code, _, stderr) = run(folder, &["learn", "--read", &read, "--inventory", &inventory, "--output", "policies"]);
    assert_eq!(code, Some(0), "{stderr}");
}

fn plan(folder: &Path, name: &str, more: &[&str]) -> (Option<i32>, String, String) {
    let inventory = capture(&format!("{name}.yaml"));
    run(folder, &[&["plan", "--policies", "policies", "--inventory", &inventory], more].concat())
}

fn plan_json(folder: &Path, name: &str, more: &[&str]) -> (Option<i32>, Value) {
    let (code, stdout, stderr) = plan(folder, name, &[more, &["--format", "json"]].concat());
    (code, serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stderr}")))
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|item| item.as_str().unwrap()).collect()
}

/// The policies of a cluster, by namespace and name.
type Cluster = BTreeMap<(String, String), Value>;

fn read(path: &Path) -> Value {
    serde_saphyr::from_str(&fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))).unwrap()
}

fn key(object: &Value) -> (String, String) {
    let text = |key: &str| object["metadata"][key].as_str().unwrap().to_owned();
    (text("namespace"), text("name"))
}

/// All policies of a kustomization.
fn kustomized(folder: &Path) -> Vec<Value> {
    let mut found = Vec::new();
    for resource in texts(&read(&folder.join("kustomization.yaml"))["resources"]) {
        let path = folder.join(resource);
        if path.is_dir() { found.extend(kustomized(&path)) } else { found.push(read(&path)) }
    }
    found
}

/// What `kubectl apply` makes of a policy that it did not make: what the file does not speak of stays, but for items of lists.
fn merged(there: &Value, file: &Value) -> Value {
    let (Value::Object(there), Value::Object(file)) = (there, file) else { return file.clone() };
    let mut all = there.clone();
    for (key, value) in file {
        let merged = all.get(key).map_or_else(|| value.clone(), |there| merged(there, value));
        all.insert(key.clone(), merged);
    }
    Value::Object(all)
}

/// What a command of the plan does to a cluster. What has no label of this tool was made by other means than `kubectl apply`.
fn carry_out(line: &str, folder: &Path, cluster: &mut Cluster) {
    let words: Vec<&str> = line.split(' ').collect();
    let apply = |objects: Vec<Value>, cluster: &mut Cluster| {
        assert!(!objects.is_empty(), "{line}");
        for object in objects {
            let others = cluster.get(&key(&object)).filter(|there| there["metadata"]["labels"].is_null());
            let applied = others.map_or_else(|| object.clone(), |there| merged(there, &object));
            cluster.insert(key(&object), applied);
        }
    };
    match words[..] {
        ["kubectl", "apply", "-k", path] => apply(kustomized(&folder.join(path)), cluster),
        ["kubectl", "apply", "-f", path] => apply(vec![read(&folder.join(path))], cluster),
        ["kubectl", "delete", "-k", path] => {
            for object in kustomized(&folder.join(path)) {
                assert!(cluster.remove(&key(&object)).is_some(), "{line}");
            }
        }
        ["kubectl", "delete", "networkpolicy", "-n", namespace, ref names @ ..] => {
            for name in names {
                assert!(cluster.remove(&(namespace.to_owned(), (*name).to_owned())).is_some(), "{line}");
            }
        }
        [
            "kubectl",
            "patch",
            "--local",
            "-f",
            path,
            "--type",
            "merge",
            "-p",
            change,
            "-o",
            "yaml",
            "|",
            "kubectl",
            "apply",
            "-f",
            "-",
        ] => {
            let change: Value = serde_json::from_str(change.trim_matches('\'')).unwrap();
            assert_eq!(change, json!({"spec": {"policyTypes": ["Ingress"]}}));
            let mut object = read(&folder.join(path));
            object["spec"]["policyTypes"] = change["spec"]["policyTypes"].clone();
            apply(vec![object], cluster);
        }
        ["kubectl", "patch", "networkpolicy", "-n", namespace, name, "--type", "json", "-p", patch] => {
            let patch: Value = serde_json::from_str(patch.trim_matches('\'')).unwrap();
            assert_eq!((&patch[0]["op"], &patch[0]["path"]), (&json!("replace"), &json!("/spec")), "{line}");
            cluster.get_mut(&(namespace.to_owned(), name.to_owned())).unwrap()["spec"] = patch[0]["value"].clone();
        }
        _ => panic!("nobody knows what this does: {line}"),
    }
}

/// Holds that these policies deny nothing of the capture.
fn hold(cluster: &Cluster, name: &str, what: &str) {
    let folder = tempfile::tempdir().unwrap();
    for ((namespace, policy), object) in cluster {
        fs::write(folder.path().join(format!("{namespace}.{policy}.json")), object.to_string()).unwrap();
    }
    let (read, inventory) = (capture(&format!("{name}.pcap")), capture(&format!("{name}.yaml")));
    let (code, stdout, stderr) =
        run(folder.path(), &["verify", "--policies", ".", "--without-cluster", "--read", &read, "--inventory", &inventory]);
    assert_eq!(code, Some(0), "{name}, {what}:\n{stdout}{stderr}");
}

#[test]
fn after_each_step_all_that_was_observed_is_allowed_and_each_step_can_be_undone() {
    let mut steps = 0;
    for name in ["shop-namespaces", "lab", "cronjob", "tenants", "selectors", "node", "dual"] {
        let folder = tempfile::tempdir().unwrap();
        if name == "node" {
            let decided =
                "version: 1\naccept:\n- {from: ops/cloud-agent, to: 169.254.169.254, port: TCP 80, reason: by design}\n";
            fs::write(folder.path().join("netpol-gen.yaml"), decided).unwrap();
        }
        learn(folder.path(), name);
        let (code, plan) = plan_json(folder.path(), name, &["--without-cluster"]);
        assert_eq!(code, Some(1), "nothing of a capture of seconds is ready");
        let mut cluster = Cluster::new();
        for namespace in plan["namespaces"].as_array().unwrap() {
            for step in namespace["steps"].as_array().unwrap() {
                let what = format!("{} of {}", step["phase"], namespace["name"]);
                let before = cluster.clone();
                for line in texts(&step["apply"]) {
                    carry_out(line, folder.path(), &mut cluster);
                }
                assert_ne!(cluster, before, "{name}, {what}");
                hold(&cluster, name, &what);
                let mut undone = cluster.clone();
                for line in texts(&step["undo"]) {
                    carry_out(line, folder.path(), &mut undone);
                }
                assert_eq!(undone, before, "{name}, {what}");
                steps += 1;
            }
        }
        // All is applied as it was learned.
        let mut whole: Cluster =
            kustomized(&folder.path().join("policies")).into_iter().map(|object| (key(&object), object)).collect();
        whole.extend(kustomized(&folder.path().join("policies/_default-deny")).into_iter().map(|object| (key(&object), object)));
        assert_eq!(cluster, whole, "{name}");
        for line in texts(&plan["undo"]) {
            carry_out(line, folder.path(), &mut cluster);
        }
        assert_eq!(cluster, Cluster::new(), "{name}: the way back");
    }
    assert!(steps >= 20, "{steps}");
}

/// The lines of Markdown's blocks of code.
fn commands(markdown: &str) -> Vec<&str> {
    markdown.lines().filter(|line| line.starts_with("    ")).map(str::trim).collect()
}

#[test]
fn every_file_that_a_command_names_is_there() {
    let folder = tempfile::tempdir().unwrap();
    learn(folder.path(), "shop-namespaces");
    let (code, stdout, stderr) = plan(folder.path(), "shop-namespaces", &["--output", "plan", "--staged", "calico"]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    let text = fs::read_to_string(folder.path().join("plan/PLAN.md")).unwrap();
    let (mut kubectl, mut files) = (0, 0);
    for line in commands(&text).iter().filter(|line| line.contains("kubectl ") || line.starts_with("netpol-gen ")) {
        kubectl += 1;
        let words: Vec<&str> = line.split(" # ").next().unwrap().split_whitespace().collect();
        for pair in words.windows(2) {
            let is_input = ["-k", "-f", "--policies"].contains(&pair[0]) && pair[1] != "-";
            // What is learned anew is not there yet.
            if is_input && pair[1] != "policies-next" {
                assert!(folder.path().join(pair[1]).exists(), "{line}");
                files += 1;
            }
        }
    }
    assert!(kubectl > 40 && files > 20, "{kubectl} commands, {files} files");
    for word in ["plan/_staged", "policies/prod", "policies/dev", "policies/staging"] {
        assert!(text.contains(&format!("kubectl apply -k {word}\n")), "{word}");
    }
}

#[test]
fn a_plan_says_what_the_shop_is_in_for() {
    let folder = tempfile::tempdir().unwrap();
    learn(folder.path(), "shop-namespaces");
    let (code, plan) = plan_json(folder.path(), "shop-namespaces", &[]);
    assert_eq!((code, &plan["version"], &plan["ready"]), (Some(1), &json!(1), &json!(false)));
    let namespaces: Vec<&str> = plan["namespaces"].as_array().unwrap().iter().map(|own| own["name"].as_str().unwrap()).collect();
    assert_eq!(namespaces, ["prod", "dev", "staging"], "16, 4 and 2 connections: none enough for an estimate");
    let isolates = |namespace: usize, step: usize| &plan["namespaces"][namespace]["steps"][step]["isolates"];
    // Everyone calls web from outside, web calls api, api calls db; db calls nobody.
    assert_eq!(
        isolates(0, 0),
        &json!([
            {"direction": "ingress", "workloads": ["api", "db", "web"], "nothing": []},
            {"direction": "egress", "workloads": ["api", "web"], "nothing": []},
        ])
    );
    assert_eq!(isolates(0, 1), &json!([]));
    assert_eq!(isolates(0, 2), &json!([{"direction": "egress", "workloads": ["db"], "nothing": ["db"]}]));
    // Nobody calls api in dev.
    assert_eq!(isolates(1, 1), &json!([{"direction": "ingress", "workloads": ["api"], "nothing": ["api"]}]));
    assert_eq!(
        plan["namespaces"][0]["steps"][2]["restart"],
        json!(["kubectl rollout restart -n prod statefulset/db", "kubectl rollout status -n prod statefulset/db --timeout 10m"])
    );
    let reasons = |value: &Value| -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        value.as_array().unwrap().iter().map(|one| (text(&one["about"]), text(&one["reason"]))).collect()
    };
    let pair = |about: &str, reason: &str| (about.to_owned(), reason.to_owned());
    assert_eq!(reasons(&plan["objections"]), [pair("everything", "watched-too-short")]);
    let expected = [pair("dev", "few-connections"), pair("dev", "start-not-seen"), pair("dev/api", "port-not-called")];
    assert_eq!(reasons(&plan["namespaces"][1]["objections"]), expected);
}

const ACCEPTED: [&str; 10] = [
    "--accept",
    "watched-too-short",
    "--accept",
    "few-connections",
    "--accept",
    "start-not-seen",
    "--accept",
    "port-not-called",
    "--accept",
    "new-edge-late",
];

#[test]
fn a_pipeline_learns_by_the_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    learn(folder.path(), "shop-namespaces");
    let (code, plan_of_all) = plan_json(folder.path(), "shop-namespaces", &ACCEPTED);
    assert_eq!((code, &plan_of_all["ready"]), (Some(0), &json!(true)), "a person took it upon themselves: {plan_of_all}");
    assert!(plan_of_all["accepted"].as_array().unwrap().len() >= 9, "and it is told all the same");

    // Later staging reads the database of prod.
    let later = capture("shop-staging-reads-db.pcap");
    let inventory = capture("shop-staging-reads-db.yaml");
    let arguments = ["plan", "--policies", "policies", "--inventory", &inventory, "--read", &later];
    let (code, stdout, stderr) = run(folder.path(), &[&arguments, ACCEPTED.as_slice()].concat());
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stdout.contains("`replay-denied`"), "{stdout}");
    assert!(stdout.contains("staging/api -> prod/db TCP 3306 would be denied (egress)"), "{stdout}");
    assert!(stdout.contains("staging/api -> prod/db TCP 3306 would be denied (ingress)"), "{stdout}");
    assert!(
        stdout.contains("| dev | 2 |") && stdout.contains("1 of 3 namespaces with policies are ready"),
        "dev is no part of it: {stdout}"
    );
    let (code, ..) = run(folder.path(), &[&arguments, ACCEPTED.as_slice(), &["--namespace", "dev"]].concat());
    assert_eq!(code, Some(0), "dev alone");

    let (code, _, stderr) = plan(folder.path(), "shop-namespaces", &["--accept", "everything"]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("hint: the reasons are") && stderr.contains("watched-too-short"), "{stderr}");
    let (code, ..) = plan(folder.path(), "shop-namespaces", &["--namespace", "nowhere"]);
    assert_eq!(code, Some(2), "no policy is for it");
}

#[test]
fn policies_that_are_not_those_learned_have_no_evidence_but_later_traffic() {
    let folder = tempfile::tempdir().unwrap();
    learn(folder.path(), "shop-namespaces");
    let path = folder.path().join("policies/prod/allow-ingress-to-db.yaml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("# read by a person\n{text}")).unwrap();
    let (code, ..) = plan(folder.path(), "shop-namespaces", &ACCEPTED);
    assert_eq!(code, Some(0), "a comment changes nothing");
    fs::write(&path, text.replace("3306", "3307")).unwrap();
    let (code, stdout, _) = plan(folder.path(), "shop-namespaces", &ACCEPTED);
    assert_eq!(code, Some(1));
    assert!(stdout.contains("these changed since they were learned: allow-ingress-to-db"), "{stdout}");
    // Held against the traffic, the changed rule shows.
    let read = capture("shop-namespaces.pcap");
    let (code, stdout, _) = plan(folder.path(), "shop-namespaces", &[&ACCEPTED, ["--read", &read].as_slice()].concat());
    assert_eq!(code, Some(1));
    assert!(stdout.contains("prod/api -> prod/db TCP 3306 would be denied (ingress)"), "{stdout}");
    assert!(stdout.contains("is of other policies: the evidence is the captures given with --read"), "{stdout}");
    assert!(!stdout.contains("policies-changed"), "{stdout}");

    fs::write(&path, text).unwrap();
    fs::remove_file(folder.path().join("policies/REVIEW.json")).unwrap();
    let (code, stdout, _) = plan(folder.path(), "shop-namespaces", &ACCEPTED);
    assert_eq!(code, Some(1));
    assert!(stdout.contains("there is no evidence for the policies of prod"), "{stdout}");
    let (code, stdout, stderr) = plan(folder.path(), "shop-namespaces", &[&ACCEPTED, ["--read", &read].as_slice()].concat());
    assert_eq!(code, Some(0), "the traffic is the evidence: {stdout}{stderr}");
}

#[test]
fn what_was_set_apart_is_no_policy_and_stands_against_its_namespace() {
    let folder = tempfile::tempdir().unwrap();
    learn(folder.path(), "shop-namespaces");
    let apart = folder.path().join("policies/dev/_quarantine");
    fs::create_dir(&apart).unwrap();
    fs::copy(folder.path().join("policies/dev/allow-egress-from-api.yaml"), apart.join("allow-api-to-odd.yaml")).unwrap();
    let (code, stdout, stderr) = plan(folder.path(), "shop-namespaces", &ACCEPTED);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stdout.contains("`quarantined`") && stdout.contains("in quarantine: allow-api-to-odd.yaml"), "{stdout}");
    assert!(stderr.contains("policies: 12 in "), "it is not one of them: {stderr}");
}

#[test]
fn the_plan_may_lie_beside_the_policies_and_nothing_of_anyone_else_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    learn(folder.path(), "shop-namespaces");
    let beside = ["--output", "policies", "--staged", "calico"];
    let (code, _, stderr) = plan(folder.path(), "shop-namespaces", &beside);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("files: 14 written, 0 unchanged, 0 removed; policies/PLAN.md is the plan"), "{stderr}");
    let (_, _, stderr) = plan(folder.path(), "shop-namespaces", &beside);
    assert!(stderr.contains("files: 0 written, 14 unchanged, 0 removed"), "the same bytes: {stderr}");
    // The dry run is the policies to the letter.
    let mut compared = 0;
    for object in kustomized(&folder.path().join("policies/_staged")) {
        let (namespace, name) = key(&object);
        let inner = if name == "default-deny-all" { "default-deny/" } else { "" };
        let policy = read(&folder.path().join(format!("policies/{namespace}/{inner}{name}.yaml")));
        assert_eq!(object["kind"], "StagedKubernetesNetworkPolicy");
        assert_eq!(object["spec"], policy["spec"], "{namespace}/{name}");
        compared += 1;
    }
    assert_eq!(compared, 12);
    // Learning and checking go on as before.
    learn(folder.path(), "shop-namespaces");
    assert!(
        folder.path().join("policies/PLAN.md").exists() && folder.path().join("policies/_staged/kustomization.yaml").exists()
    );
    let (read, inventory) = (capture("shop-namespaces.pcap"), capture("shop-namespaces.yaml"));
    let (code, _, stderr) = run(folder.path(), &["verify", "--policies", "policies", "--read", &read, "--inventory", &inventory]);
    assert_eq!(code, Some(0), "{stderr}");
    // One namespace alone: what is of the others goes, but not what someone else wrote.
    fs::write(folder.path().join("policies/_staged/dev/mine.yaml"), "a: b\n").unwrap();
    let (_, _, stderr) = plan(folder.path(), "shop-namespaces", &[&beside, ["--namespace", "prod"].as_slice()].concat());
    assert!(stderr.contains("6 removed"), "dev and staging had three each: {stderr}");
    assert!(folder.path().join("policies/_staged/dev/mine.yaml").exists());
    fs::write(folder.path().join("policies/PLAN.md"), "# My own plan\n").unwrap();
    let (code, _, stderr) = plan(folder.path(), "shop-namespaces", &beside);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("replace files that this tool did not write: policies/PLAN.md"), "{stderr}");
}

#[test]
fn a_plan_made_again_says_what_is_left() {
    let folder = tempfile::tempdir().unwrap();
    learn(folder.path(), "shop-namespaces");
    let dev = kustomized(&folder.path().join("policies/dev"));
    let mut old = dev[0].clone();
    old["metadata"]["name"] = json!("allow-egress-from-gone");
    let mut other = kustomized(&folder.path().join("policies/staging")).remove(0);
    // Of a deny that somebody else made, the selector and the rule would stay: it would deny nothing.
    let metadata = |name: &str| json!({"namespace": "staging", "name": name});
    other["metadata"] = metadata(other["metadata"]["name"].as_str().unwrap());
    other["spec"] = json!({"podSelector": {"matchLabels": {"generation": "old"}}, "policyTypes": ["Ingress"], "ingress": [{}]});
    let mut deny = other.clone();
    deny["metadata"] = metadata("default-deny-all");
    deny["spec"] = json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]});
    let items = [dev, vec![old, other, deny]].concat();
    let later = folder.path().join("later.json");
    fs::write(&later, json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()).unwrap();
    let more = ["--inventory", later.to_str().unwrap()];
    let (_, plan) = plan_json(folder.path(), "shop-namespaces", &more);
    let own = |name: &str| plan["namespaces"].as_array().unwrap().iter().find(|own| own["name"] == name).unwrap();
    let done: Vec<&Value> = own("dev")["steps"].as_array().unwrap().iter().map(|step| &step["done"]).collect();
    assert_eq!(done, [&json!(true), &json!(false), &json!(false)]);
    assert_eq!(plan["leftover"], json!(["kubectl delete networkpolicy -n dev allow-egress-from-gone"]));
    // What a namesake said comes back with the way back; nothing that was there before goes.
    let mut cluster: Cluster = items.iter().map(|object| (key(object), object.clone())).collect();
    let was = cluster.clone();
    for step in own("staging")["steps"].as_array().unwrap() {
        for line in texts(&step["apply"]) {
            carry_out(line, folder.path(), &mut cluster);
        }
    }
    let replaces: Vec<&Value> = own("staging")["steps"].as_array().unwrap().iter().map(|step| &step["replaces"]).collect();
    assert_eq!(replaces, [&json!(["allow-egress-from-api"]), &json!(["default-deny-all"]), &json!(["default-deny-all"])]);
    for part in ["policies/staging", "policies/staging/default-deny"] {
        for object in kustomized(&folder.path().join(part)) {
            assert_eq!(cluster[&key(&object)]["spec"], object["spec"], "{:?}", key(&object));
        }
    }
    let undo: Vec<&str> = texts(&plan["undo"]).into_iter().filter(|line| line.contains("staging")).collect();
    for line in &undo {
        carry_out(line, folder.path(), &mut cluster);
    }
    assert_eq!(cluster.keys().collect::<Vec<_>>(), was.keys().collect::<Vec<_>>());
    assert!(cluster.iter().all(|(name, object)| object["spec"] == was[name]["spec"]), "{undo:?}");
    assert!(undo.iter().any(|line| line.starts_with("kubectl patch networkpolicy -n staging")), "{undo:?}");
}

#[test]
fn looking_longer_reads_all_that_was_kept_and_writes_over_nothing() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(capture("shop-namespaces.yaml"), folder.path().join("then.yaml")).unwrap();
    fs::copy(capture("shop-namespaces.pcap"), folder.path().join("then.pcap")).unwrap();
    let prepare = |policies: &str| {
        let (now, policies) = (capture("shop-namespaces.yaml"), ["plan", "--format", "json", "--policies", policies]);
        let (_, stdout, stderr) = run(folder.path(), &[policies.as_slice(), &["--inventory", &now]].concat());
        let plan: Value = serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"));
        texts(&plan["prepare"]).into_iter().map(|line| line.replace(&now, "now.yaml")).collect::<Vec<_>>()
    };
    let learn = |arguments: &str| {
        let (code, _, stderr) = run(folder.path(), &arguments.split(' ').skip(1).collect::<Vec<_>>());
        assert_eq!(code, Some(0), "{stderr}");
    };
    learn("netpol-gen learn --read then.pcap --inventory then.yaml --output policies");
    let lines = prepare("policies");
    assert_eq!(lines[0], "netpol-gen inventory --watch 24h --output more.inventory.zst");
    let line = lines.iter().find(|line| line.starts_with("netpol-gen learn")).unwrap();
    assert_eq!(
        line,
        "netpol-gen learn --read then.pcap --read more.flows.zst --inventory now.yaml --inventory then.yaml \
         --inventory more.inventory.zst --output policies-next"
    );
    // The plan of what came of that.
    fs::copy(folder.path().join("then.yaml"), folder.path().join("now.yaml")).unwrap();
    fs::copy(folder.path().join("then.yaml"), folder.path().join("more.inventory.zst")).unwrap();
    run(folder.path(), &["capture", "--read", "then.pcap", "--output", "more.flows.zst"]);
    learn(line);
    let again = prepare("policies-next");
    assert_eq!(again[0], "netpol-gen inventory --watch 24h --output more-2.inventory.zst");
    assert_eq!(again[1], "netpol-gen capture --duration 24h --output more-2.flows.zst");
    let line = again.iter().find(|line| line.starts_with("netpol-gen learn")).unwrap();
    assert!(line.contains("--read more.flows.zst --read then.pcap --read more-2.flows.zst --inventory"), "{line}");
}

#[test]
fn a_file_of_several_policies_cannot_be_applied_step_by_step() {
    let folder = tempfile::tempdir().unwrap();
    learn(folder.path(), "shop-namespaces");
    let dev = folder.path().join("policies/dev");
    let text = |name: &str| fs::read_to_string(dev.join(name)).unwrap();
    let both = format!("{}---\n{}", text("allow-egress-from-api.yaml"), text("allow-ingress-to-db.yaml"));
    fs::remove_file(dev.join("allow-ingress-to-db.yaml")).unwrap();
    fs::write(dev.join("allow-egress-from-api.yaml"), both).unwrap();
    let (code, _, stderr) = plan(folder.path(), "shop-namespaces", &[]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("plan steps for dev/allow-egress-from-api and dev/allow-ingress-to-db: both are in"), "{stderr}");
}

#[test]
fn without_kustomizations_and_in_odd_places_commands_name_files() {
    let folder = tempfile::tempdir().unwrap();
    learn(folder.path(), "shop-namespaces");
    fs::remove_file(folder.path().join("policies/dev/kustomization.yaml")).unwrap();
    fs::write(
        folder.path().join("policies/staging/kustomization.yaml"),
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamePrefix: x-\nresources: [allow-egress-from-api.yaml, allow-ingress-to-db.yaml]\n",
    )
    .unwrap();
    fs::rename(folder.path().join("policies"), folder.path().join("it's mine")).unwrap();
    let inventory = capture("shop-namespaces.yaml");
    let (_, stdout, _) = run(folder.path(), &["plan", "--policies", "it's mine/", "--inventory", &inventory]);
    for line in [
        r"kubectl apply -k 'it'\''s mine/prod'",
        r"kubectl apply -f 'it'\''s mine/dev/allow-egress-from-api.yaml' -f 'it'\''s mine/dev/allow-ingress-to-db.yaml'",
        // A prefix would change what is applied.
        r"kubectl apply -f 'it'\''s mine/staging/allow-egress-from-api.yaml' -f 'it'\''s mine/staging/allow-ingress-to-db.yaml'",
        "kubectl delete networkpolicy -n dev allow-egress-from-api allow-ingress-to-db",
    ] {
        assert!(commands(&stdout).contains(&line), "{line}\n{stdout}");
    }
}

const DENY: &str = "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: NAME, namespace: dev}
spec:
  podSelector: {}
  policyTypes: TYPES
";

/// Instead of the default deny that was learned, others of a person's making; `is_listed` by the kustomization of what is allowed.
fn deny_by_hand(folder: &Path, denies: &[(&str, &str)], is_listed: bool) {
    let dev = folder.join("policies/dev");
    fs::remove_dir_all(dev.join("default-deny")).unwrap();
    let kustomization = dev.join("kustomization.yaml");
    for (name, types) in denies {
        fs::write(dev.join(format!("{name}.yaml")), DENY.replace("NAME", name).replace("TYPES", types)).unwrap();
        if is_listed {
            let text = fs::read_to_string(&kustomization).unwrap();
            fs::write(&kustomization, text.replace("resources:", &format!("resources:\n- {name}.yaml"))).unwrap();
        }
    }
}

#[test]
fn the_way_back_takes_every_deny_of_a_persons_making_along() {
    let folder = tempfile::tempdir().unwrap();
    learn(folder.path(), "shop-namespaces");
    deny_by_hand(folder.path(), &[("deny-egress", "[Egress]"), ("deny-ingress", "[Ingress]")], false);
    let (_, plan) = plan_json(folder.path(), "shop-namespaces", &["--namespace", "dev", "--without-cluster"]);
    let mut cluster = Cluster::new();
    for step in plan["namespaces"][0]["steps"].as_array().unwrap() {
        for line in texts(&step["apply"]) {
            carry_out(line, folder.path(), &mut cluster);
        }
    }
    assert_eq!(cluster.len(), 4);
    for line in texts(&plan["undo"]) {
        carry_out(line, folder.path(), &mut cluster);
        let is_allowed = |name: &str| cluster.contains_key(&("dev".to_owned(), name.to_owned()));
        assert!(!is_allowed("deny-egress") || is_allowed("allow-egress-from-api"), "{line}: the deny alone is left");
    }
    assert_eq!(cluster, Cluster::new());
}

#[test]
fn a_plan_made_between_two_steps_still_knows_the_way_back() {
    let folder = tempfile::tempdir().unwrap();
    learn(folder.path(), "shop-namespaces");
    let (_, first) = plan_json(folder.path(), "shop-namespaces", &["--namespace", "dev", "--without-cluster"]);
    let mut cluster = Cluster::new();
    for step in first["namespaces"][0]["steps"].as_array().unwrap().iter().take(2) {
        for line in texts(&step["apply"]) {
            carry_out(line, folder.path(), &mut cluster);
        }
    }
    let now = folder.path().join("now.json");
    let items: Vec<&Value> = cluster.values().collect();
    fs::write(&now, json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()).unwrap();
    let (_, plan) = plan_json(folder.path(), "shop-namespaces", &["--namespace", "dev", "--inventory", now.to_str().unwrap()]);
    let steps = plan["namespaces"][0]["steps"].as_array().unwrap();
    let done: Vec<&Value> = steps.iter().map(|step| &step["done"]).collect();
    assert_eq!(done, [&json!(true), &json!(true), &json!(false)]);
    let (_, text, _) = run(
        folder.path(),
        &[
            "plan",
            "--policies",
            "policies",
            "--namespace",
            "dev",
            "--inventory",
            now.to_str().unwrap(),
            "--inventory",
            &capture("shop-namespaces.yaml"),
        ],
    );
    assert!(text.contains("\nSteps that the cluster already had when this plan was made are not included. "), "{text}");
    let before = cluster.clone();
    for line in texts(&steps[2]["apply"]) {
        carry_out(line, folder.path(), &mut cluster);
    }
    assert_ne!(cluster, before);
    for line in texts(&plan["undo"]) {
        carry_out(line, folder.path(), &mut cluster);
    }
    assert_eq!(cluster, before);
}

#[test]
fn a_kustomization_that_brings_the_deny_along_is_no_step_that_allows() {
    let folder = tempfile::tempdir().unwrap();
    learn(folder.path(), "shop-namespaces");
    deny_by_hand(folder.path(), &[("deny", "[Ingress, Egress]")], true);
    let (_, plan) = plan_json(folder.path(), "shop-namespaces", &["--namespace", "dev", "--without-cluster"]);
    let apply = "kubectl apply -f policies/dev/allow-egress-from-api.yaml -f policies/dev/allow-ingress-to-db.yaml";
    assert_eq!(plan["namespaces"][0]["steps"][0]["apply"], json!([apply]));
    assert!(texts(&plan["undo"]).iter().all(|line| !line.contains("delete -k")), "{:#}", plan["undo"]);
}

#[test]
fn commands_go_on_as_the_policies_were_learned() {
    let folder = tempfile::tempdir().unwrap();
    let later = "shop-staging-reads-db";
    let (read, inventory) = (capture(&format!("{later}.pcap")), capture(&format!("{later}.yaml")));
    fs::write(folder.path().join("our decisions.yaml"), "version: 1\n").unwrap();
    let decisions = ["--decisions", "our decisions.yaml"];
    let arguments = ["learn", "--read", &read, "--inventory", &inventory, "--output", "policies", "--quarantine"];
    let scope = ["--namespace", "prod", "--namespace", "staging"];
    let (code, _, stderr) = run(folder.path(), &[&arguments, decisions.as_slice(), &scope].concat());
    assert_eq!(code, Some(0), "{stderr}");
    let lines = |more: &[&str]| -> Vec<String> {
        let (_, plan) = plan_json(folder.path(), later, more);
        let check = &plan["namespaces"][0]["steps"][0]["check"];
        [texts(&plan["prepare"]), texts(check)].concat().into_iter().map(str::to_owned).collect()
    };
    let own = |lines: &[String], command: &str| -> String {
        lines.iter().find(|line| line.starts_with(&format!("netpol-gen {command} "))).unwrap().clone()
    };
    let with = lines(&decisions);
    let how = " --namespace prod --namespace staging --quarantine --decisions 'our decisions.yaml' --output policies-next";
    assert!(own(&with, "learn").ends_with(how), "{with:#?}");
    for command in ["plan", "verify"] {
        assert!(own(&with, command).ends_with(" --decisions 'our decisions.yaml'"), "{with:#?}");
    }
    assert!(own(&lines(&["--no-decisions"]), "verify").ends_with(" --no-decisions"));
    assert!(!own(&lines(&[]), "verify").contains("decisions"));
}

#[cfg(unix)]
#[test]
fn a_review_that_is_no_file_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    learn(folder.path(), "shop-namespaces");
    let path = folder.path().join("policies/REVIEW.json");
    fs::write(&path, [0xff, 0xfe]).unwrap();
    let (code, stdout, _) = plan(folder.path(), "shop-namespaces", &[]);
    assert!(code == Some(1) && stdout.contains("evidence-missing"), "what is no text is no review: {stdout}");
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
    let (code, _, stderr) = plan(folder.path(), "shop-namespaces", &[]);
    assert!(code == Some(2) && stderr.contains("policies/REVIEW.json: it is no file"), "{stderr}");
}
