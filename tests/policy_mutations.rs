//! Mutated policies: whatever is changed in the policies of a scenario, `verify --deny-excess` sees it, or nothing has changed.
//!
//! The policies of every golden case, as written by hand, are changed in every single way of a list. Whether a change allows more,
//! allows less of what was seen, or means the same is worked out here by a slow evaluator over pods, addresses and ports that knows
//! nothing of the crate's own; the crate must agree each time.

#![expect(clippy::unwrap_used, reason = "in tests a failed unwrap is the failure to report")]

#[path = "policy_mutations/mutate.rs"]
mod mutate;
#[path = "policy_mutations/naive.rs"]
mod naive;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use k8s_openapi::api::networking::v1::NetworkPolicy;
use netpol_gen::capture::{Input, Merged, Observed};
use netpol_gen::decode::{DecodeOptions, Decoder};
use netpol_gen::edge::{Observation, Observer};
use netpol_gen::flow::FlowTable;
use netpol_gen::inventory::{Inventory, InventoryOptions, snapshot};
use netpol_gen::model::Widening;
use netpol_gen::policy::{self, PolicyOptions};
use netpol_gen::verify::{self, ClusterView};
use serde_json::{Value, json};

use mutate::{Mutation, mutations};
use naive::{Change, Naive};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A golden case, read.
struct Case {
    name: String,
    policies: Vec<Value>,
    inventory: Inventory,
    observation: Observation,
}

/// All golden cases, one of those that differ only in how their capture is packed.
fn cases() -> Vec<Case> {
    let mut folders: Vec<PathBuf> =
        fs::read_dir(root().join("tests/cases")).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    let (mut cases, mut known) = (Vec::new(), BTreeSet::new());
    for folder in folders {
        let Ok(text) = fs::read_to_string(folder.join("case.toml")) else { continue };
        let case: toml::Table = toml::from_str(&text).unwrap();
        let list = |key: &str| -> Vec<String> {
            case[key].as_array().unwrap().iter().map(|item| item.as_str().unwrap().to_owned()).collect()
        };
        let policies = written(&folder.join("expected"));
        let inventories: Vec<PathBuf> = list("inventory").iter().map(|name| root().join("captures").join(name)).collect();
        assert_eq!(list("arguments"), Vec::<String>::new(), "options would have to be given to the check as well");
        let inventory = snapshot::load(&inventories, &InventoryOptions::default()).unwrap();
        let observation = observe(&list("read"), &inventory);
        let edges: Vec<String> = observation.edges.keys().map(ToString::to_string).collect();
        if known.insert((format!("{policies:?}"), edges)) {
            let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
            cases.push(Case { name, policies, inventory, observation });
        }
    }
    assert!(cases.len() >= 12, "the cases were found");
    cases
}

/// The policies of a folder and those below it.
fn written(folder: &Path) -> Vec<Value> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "yaml") && !path.ends_with("kustomization.yaml") {
                found.insert(path.clone(), serde_saphyr::from_slice(&fs::read(&path).unwrap()).unwrap());
            }
        }
    }
    found.into_values().collect()
}

fn observe(captures: &[String], inventory: &Inventory) -> Observation {
    let inputs = captures.iter().map(|name| Input::File(root().join("captures").join(name)));
    let mut merged = Merged::new(inputs.collect());
    let mut table = FlowTable::new(100_000);
    let mut decoder = Decoder::new(DecodeOptions::default());
    let mut batch = table.batch();
    while let Some(observed) = merged.read_next() {
        match observed {
            Observed::Frame(frame) => {
                batch.take(&frame, &mut decoder);
                table.observe_all(&mut batch);
            }
            Observed::Record(record) => table.recall(record),
        }
    }
    table.finish();
    let mut observer = Observer::new(inventory, 100_000);
    observer.observe(table.take_finished(), table.names());
    observer.sight(table.sightings());
    observer.flood(table.floods());
    observer.conclude()
}

fn parsed(policies: &[Value]) -> Vec<NetworkPolicy> {
    policies.iter().map(|policy| serde_json::from_value(policy.clone()).unwrap()).collect()
}

/// What `verify --deny-excess` says: whether something is denied, and whether something is allowed too much.
fn judged(case: &Case, policies: &[Value], widenings: &BTreeSet<Widening>, world: &ClusterView) -> (bool, bool) {
    let policies = parsed(policies);
    // By those that the case has: a namespace whose last policy was taken away is judged all the same.
    let namespaces = case.policies.iter().map(|policy| policy["metadata"]["namespace"].as_str().unwrap().to_owned()).collect();
    let world = world.with_pods_to_come(&policies).unwrap();
    let edges = case.observation.edges.keys();
    let replay = verify::replay_in(Some(&namespaces), &policies, widenings, &world, edges).unwrap();
    (!replay.denied.is_empty(), replay.has_excess())
}

/// How many mutations of each kind widened, denied what was seen, or changed nothing.
type Counts = BTreeMap<&'static str, [u32; 3]>;

/// Where the crate and the slow evaluator disagree over a case, and how many mutations there were.
fn survivors(case: &Case) -> (Vec<String>, Counts) {
    let (mut wrong, mut counts) = (Vec::new(), Counts::new());
    let world = ClusterView::from_inventory(&case.inventory);
    let options = PolicyOptions { includes_system: true, ..PolicyOptions::default() };
    let widenings = policy::widenings(&case.observation.edges, &case.observation.dynamic, &case.inventory, &options);
    assert_eq!(judged(case, &case.policies, &widenings, &world), (false, false), "{}: as they are", case.name);
    let naive = Naive::new(&world, &case.policies, case.observation.edges.keys());
    for Mutation { kind, what, policy, changed } in mutations(&case.policies, &world) {
        let mut policies = case.policies.clone();
        match &changed {
            Some(changed) => policies[policy] = changed.clone(),
            None => drop(policies.remove(policy)),
        }
        let Change { widens, denies, because } = naive.change(kind, policy, changed.as_ref());
        let found = judged(case, &policies, &widenings, &world);
        counts.entry(kind).or_default()[if widens {
            0
        } else if denies {
            1
        } else {
            2
        }] += 1;
        if found != (denies, widens) {
            let name = &case.policies[policy]["metadata"]["name"];
            wrong.push(format!(
                "{}: {kind}: {what} of {name}: denied and excess are {found:?}, not {:?}: {because}",
                case.name,
                (denies, widens)
            ));
        }
    }
    (wrong, counts)
}

#[test]
fn no_mutation_of_a_golden_policy_survives() {
    let cases = cases();
    let results: Vec<(Vec<String>, Counts)> = thread::scope(|scope| {
        let halves: Vec<_> = (0..2)
            .map(|half| {
                scope.spawn({
                    let cases = &cases;
                    move || cases.iter().skip(half).step_by(2).map(survivors).collect::<Vec<_>>()
                })
            })
            .collect();
        halves.into_iter().flat_map(|half| half.join().unwrap()).collect()
    });
    let (mut wrong, mut counts) = (Vec::new(), Counts::new());
    for (own, further) in results {
        wrong.extend(own);
        for (kind, further) in further {
            let known = counts.entry(kind).or_default();
            known.iter_mut().zip(further).for_each(|(known, further)| *known += further);
        }
    }
    let total: u32 = counts.values().flatten().sum();
    assert!(wrong.is_empty(), "{} of {total}:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
    assert!(total > 5_000, "only {total} mutations");
    for kind in mutate::WIDENING {
        assert!(counts.get(kind).is_some_and(|[widen, ..]| *widen > 0), "no mutation {kind:?} widened anything");
    }
    assert_eq!(counts["annotation changed"][..2], [0, 0], "they mean nothing");
}

/// A policy's file, what is written at which place of it, and what the command then says; nothing where all is well.
type Row<'a> = (&'a str, &'a [(&'a str, Value)], &'a str);

/// What is written into a policy, and whether the command says that all is well. The capture is the one that was learned from.
#[test]
fn the_command_believes_no_annotation() {
    let folder = tempfile::tempdir().unwrap();
    let policies = folder.path().join("policies");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_netpol-gen"));
        command.current_dir(root()).args(arguments).args(["--read", "captures/shop.pcap", "--inventory", "captures/shop.yaml"]);
        let output = command.output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).unwrap())
    };
    let path = policies.to_str().unwrap();
    let (code, text) = run(&["learn", "--public", "any", "--output", path]);
    assert_eq!(code, Some(0), "{text}");
    let verify = |more: &[&str]| run(&[&["verify", "--policies", path, "--deny-excess", "--public", "any"], more].concat());
    assert_eq!(verify(&[]).0, Some(0), "{}", verify(&[]).1);
    let (code, text) = run(&["verify", "--policies", path, "--deny-excess", "--public", "exact"]);
    assert_eq!(code, Some(1), "without the option by which it was learned nothing justifies it: {text}");
    assert!(text.contains("by prod/allow-internet-to-web ingress[0]"), "{text}");
    let class = |class: &str| json!({"netpol-gen/class": class});
    let everyone = json!([{"ipBlock": {"cidr": "0.0.0.0/0"}}, {"namespaceSelector": {}}]);
    let rows: [Row<'_>; 6] = [
        ("allow-ingress-to-db", &[("/metadata/annotations", class("internet"))], ""),
        (
            "allow-ingress-to-db",
            &[("/metadata/annotations", class("internet")), ("/spec/ingress", json!([{"from": everyone}]))],
            "0.0.0.0/0 -> prod/db every port, by prod/allow-ingress-to-db ingress[0]",
        ),
        ("allow-internet-to-web", &[("/spec/ingress/0/ports/0/endPort", json!(65000))], "-> prod/web TCP 81-65000, by "),
        (
            "allow-internet-to-web",
            &[("/spec/ingress/0/ports", json!([{"protocol": "TCP", "port": 80}, {"protocol": "TCP", "port": 9901}]))],
            "-> prod/web TCP 9901, by ",
        ),
        (
            "allow-egress-from-web",
            &[("/metadata/annotations", class("dns")), ("/spec/egress/0/ports/0/port", json!(5001))],
            "allowed by one side but unused, and denied by the other side: 1 connection\n  prod/web -> prod/api TCP 5001, by ",
        ),
        ("default-deny/default-deny-all", &[("/spec/policyTypes", json!(["Ingress"]))], "egress of prod/db"),
    ];
    for (name, changes, expected) in rows {
        let file = policies.join(format!("prod/{name}.yaml"));
        let before = fs::read(&file).unwrap();
        let mut object: Value = serde_saphyr::from_slice(&before).unwrap();
        for (pointer, value) in changes {
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            object.pointer_mut(parent).unwrap()[key] = value.clone();
        }
        fs::write(&file, object.to_string()).unwrap();
        let (code, text) = verify(&[]);
        assert_eq!(code, Some(i32::from(!expected.is_empty())), "{name} {changes:?}: {text}");
        assert!(text.contains(expected), "{name} {changes:?}: {text}");
        fs::write(&file, before).unwrap();
    }
}
