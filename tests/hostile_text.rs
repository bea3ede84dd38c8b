//! Names from the cluster, from packets, from files and from reviewers that steer terminals, turn text round or begin lines of
//! their own: no output and no file has them as they are.
#![expect(clippy::unwrap_used, reason = "in tests a failed unwrap is the failure to report")]

#[path = "support/mod.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::{Value, json};

use netpol_gen::output::text::{is_printable, pretty_json};
use support::captures::{Captured, Order, Variant, pcap};
use support::frames::{ACK, DNS_ANSWER, DNS_QUERY, PSH, SYN, dns, dns_address, ethernet, ip, tcp_at, udp};

/// An override of direction and its isolate, a mark, a colour, a control character of eight bits, two ends of a line, markup of YAML,
/// Markdown and HTML, a tag character, and a line that would be believed.
const HOSTILE: &str =
    "\u{202e}\u{2066}\u{200f}\u{1b}[31m\u{9b}2J\u{7f}\u{2028}\r\nFORGED: \"'`|*_<b>&#\u{e0041}{{x}}\nFORGED: done\t\u{feff}";
/// What no line may begin with, after blanks and the signs of comments and lists.
const FORGED: &str = "FORGED";
/// Values of the inventory that mean something to the program, or nothing to anybody.
const MEANINGFUL: &[&str] = &["v1", "apps/v1", "discovery.k8s.io/v1", "List", "Pod", "Namespace", "Running", ""];

fn run(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_netpol-gen")).current_dir(directory).args(arguments).output().unwrap()
}

/// What is wrong with a text that people or terminals see.
fn harm(text: &str) -> Option<String> {
    for line in text.split('\n') {
        if let Some(letter) = line.chars().find(|letter| !is_printable(*letter)) {
            return Some(format!("U+{:04X} in {line:?}", u32::from(letter)));
        }
        let start = line.trim_start_matches([' ', '#', '-', '*', '>']);
        if start.starts_with(FORGED) {
            return Some(format!("a forged line: {line:?}"));
        }
    }
    None
}

/// What is wrong with what a run said, by stream.
fn harms(what: &str, output: &Output) -> Vec<String> {
    let streams = [("standard output", &output.stdout), ("standard error", &output.stderr)];
    let harms = streams.into_iter().filter_map(|(stream, bytes)| match std::str::from_utf8(bytes) {
        Ok(text) => harm(text).map(|harm| format!("{what}: {stream}: {harm}")),
        Err(error) => Some(format!("{what}: {stream}: {error}")),
    });
    let panicked = String::from_utf8_lossy(&output.stderr).contains("panicked at");
    harms.chain(panicked.then(|| format!("{what}: panicked"))).collect()
}

/// What is wrong with the files of a directory, and their names.
fn harms_in(what: &str, directory: &Path) -> Vec<String> {
    let mut harms = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        let Ok(entries) = fs::read_dir(&directory) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            harms.extend(harm(&name).map(|harm| format!("{what}: a file's name: {harm}")));
            if path.is_dir() {
                directories.push(path);
            } else {
                let text = fs::read_to_string(&path).unwrap();
                harms.extend(harm(&text).map(|harm| format!("{what}: {name}: {harm}")));
            }
        }
    }
    harms
}

fn shop() -> Value {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("captures/shop.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn capture() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("captures/shop.pcap").to_str().unwrap().to_owned()
}

/// Changes strings, keys too.
fn change(value: &Value, other: &impl Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => other(text).into(),
        Value::Array(items) => items.iter().map(|item| change(item, other)).collect(),
        Value::Object(members) => members.iter().map(|(key, value)| (other(key), change(value, other))).collect(),
        _ => value.clone(),
    }
}

fn strings(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => drop(into.insert(text.clone())),
        Value::Array(items) => items.iter().for_each(|item| strings(item, into)),
        Value::Object(members) => members.values().for_each(|value| strings(value, into)),
        _ => {}
    }
}

/// Names of every kind: of objects, namespaces, labels, ports, nodes, owners.
fn is_name(text: &str) -> bool {
    let is_word = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    is_word && text.starts_with(|letter: char| letter.is_ascii_lowercase())
}

#[test]
fn whatever_is_hostile_in_an_inventory_is_shown_and_written_harmlessly() {
    let inventory = shop();
    let mut values = BTreeSet::new();
    strings(&inventory, &mut values);
    let is_dull = |text: &&String| text.parse::<u64>().is_ok() || (text.len() == 36 && text.matches('-').count() == 4);
    let values: Vec<&String> = values.iter().filter(|text| !MEANINGFUL.contains(&text.as_str()) && !is_dull(text)).collect();
    assert!(values.len() > 100, "{} values are changed", values.len());
    let (next, found): (AtomicUsize, Mutex<Vec<String>>) = Default::default();
    let learned = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(value) = values.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let directory = tempfile::tempdir().unwrap();
                    let hostile = |text: &str| if text == value.as_str() { format!("{text}{HOSTILE}") } else { text.to_owned() };
                    fs::write(directory.path().join("inventory.json"), change(&inventory, &hostile).to_string()).unwrap();
                    let arguments =
                        ["learn", "--read", &capture(), "--inventory", "inventory.json", "--output", "out", "--no-decisions"];
                    let output = run(directory.path(), &arguments);
                    learned.fetch_add(usize::from(output.status.code() == Some(0)), Ordering::Relaxed);
                    let mut harms = harms(&format!("`{value}` in learn"), &output);
                    harms.extend(harms_in(&format!("`{value}` in learn"), &directory.path().join("out")));
                    found.lock().unwrap().extend(harms);
                }
            });
        }
    });
    let found = found.into_inner().unwrap();
    assert!(found.is_empty(), "{} harms:\n{}", found.len(), found[..found.len().min(20)].join("\n"));
    let learned = learned.into_inner();
    assert!(learned * 10 > values.len() * 9, "one hostile name costs the whole run: {learned} of {} were done", values.len());
}

/// The demo with every name hostile, a capture with a hostile name in DNS, and files with hostile names.
struct Scene {
    directory: tempfile::TempDir,
    capture: String,
    inventory: String,
}

impl Scene {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let words: BTreeMap<&str, &str> = [("prod", "prod"), ("default", "default"), ("kube-system", "kube-system")].into();
        let hostile = |text: &str| match words.get(text) {
            None if is_name(text) && !is_field(text) => format!("{text}{HOSTILE}"),
            _ => text.to_owned(),
        };
        let inventory = format!("inventory{HOSTILE}.json").replace('/', "");
        fs::write(directory.path().join(&inventory), change(&shop(), &hostile).to_string()).unwrap();
        let capture = format!("capture{HOSTILE}.pcap").replace('/', "");
        fs::write(directory.path().join(&capture), pcap(Order::Little, Variant::Nanoseconds, 1, &resolved())).unwrap();
        Self { directory, capture, inventory }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        run(self.directory.path(), arguments)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

/// Names of fields and values that the API gives a meaning to.
fn is_field(text: &str) -> bool {
    const FIELDS: &[&str] = &[
        "kind",
        "metadata",
        "items",
        "spec",
        "status",
        "name",
        "namespace",
        "labels",
        "annotations",
        "selector",
        "template",
        "containers",
        "ports",
        "port",
        "protocol",
        "addresses",
        "endpoints",
        "conditions",
        "ready",
        "phase",
        "type",
        "controller",
        "uid",
        "ip",
        "address",
        "data",
        "image",
        "key",
        "values",
        "operator",
        "replicas",
        "image",
        "nodes",
        "pods",
        "services",
    ];
    FIELDS.contains(&text)
}

/// A pod of the shop asks for a hostile name and calls what it was told.
fn resolved() -> Vec<Captured> {
    const BEGIN: i64 = 1_795_000_000_000_000_000;
    let name = "a\u{1b}[31m\u{7f}`|<b>\r\nFORGED.example.com";
    let (pod, resolver, outside) = ("10.244.1.10", "10.244.1.2", "192.0.2.80");
    let (kind, address) = dns_address(outside);
    let packets = [
        ip(pod, resolver, udp(40_000, 53, &dns(DNS_QUERY, name, &[]))),
        ip(resolver, pod, udp(53, 40_000, &dns(DNS_ANSWER, name, &[(name, kind, 300, address)]))),
        ip(pod, outside, tcp_at(40_001, 443, SYN, 1, 0, b"")),
        ip(outside, pod, tcp_at(443, 40_001, SYN | ACK, 7, 2, b"")),
        ip(pod, outside, tcp_at(40_001, 443, ACK, 2, 8, b"")),
        ip(pod, outside, tcp_at(40_001, 443, ACK | PSH, 2, 8, b"hello")),
        ip(outside, pod, tcp_at(443, 40_001, ACK | PSH, 8, 7, b"hello")),
        ip(pod, outside, tcp_at(40_001, 443, ACK, 7, 13, b"")),
    ];
    let at = |position: usize| BEGIN + i64::try_from(position).unwrap() * 1_000_000;
    packets.iter().enumerate().map(|(position, packet)| Captured::whole(at(position), ethernet(packet))).collect()
}

#[test]
fn every_command_shows_hostile_names_harmlessly() {
    let scene = Scene::new();
    let shop = capture();
    let (read, known) = (scene.capture.as_str(), scene.inventory.as_str());
    let decisions = json!({"version": 1,
        "accept": [{"from": "prod/*", "to": "192.0.2.80", "port": "TCP 443", "reason": format!("r{HOSTILE}"), "by": format!("b{HOSTILE}")}],
        "reject": [{"from": "prod/nobody", "to": "prod/*", "port": "TCP 1", "reason": format!("r{HOSTILE}")}],
        "ignore": [{"code": "icmp", "subject": format!("s{HOSTILE}"), "reason": format!("r{HOSTILE}")}]});
    fs::write(scene.path("decisions.yaml"), pretty_json(&decisions).unwrap()).unwrap();
    let policy = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": format!("p{HOSTILE}"), "namespace": "prod"},
        "spec": {"podSelector": {"matchLabels": {format!("k{HOSTILE}"): format!("v{HOSTILE}")}}, "policyTypes": ["Ingress"]}});
    fs::create_dir(scene.path("theirs")).unwrap();
    fs::write(scene.path("theirs/a.yaml"), pretty_json(&policy).unwrap()).unwrap();
    // YAML takes no control characters; marks of direction it does.
    let comment = HOSTILE.replace(['\n', '\r', '\u{7f}', '\u{9b}', '\u{1b}', '\u{feff}'], "");
    fs::write(scene.path("theirs/b.yaml"), format!("# c{comment}\n{}", pretty_json(&policy).unwrap())).unwrap();
    fs::write(scene.path("broken.yaml"), format!("kind: Pod\nmetadata: {{name: \"{}\"\n", HOSTILE.escape_default())).unwrap();
    // Objects with names that no API server takes are left out, so that those of the shop are needed beside them.
    let objects = concat!(env!("CARGO_MANIFEST_DIR"), "/captures/shop.yaml");
    let both = ["--read", &shop, "--read", read, "--inventory", known, "--inventory", objects];
    let rows: &[&[&str]] = &[
        &["learn", "--output", "out", "--decisions", "decisions.yaml", "--quarantine"],
        &["learn", "--output", "out", "--decisions", "decisions.yaml", "--format", "json"],
        &["learn", "--output", "-", "--no-decisions", "--system"],
        &["learn", "--output", "out", "--no-decisions", "--namespace", HOSTILE],
        &["learn", "--output", HOSTILE, "--no-decisions"],
        &["learn", "--output", "else", "--templates", HOSTILE],
        &["learn", "--output", "else", "--decisions", HOSTILE],
        &["learn", "--output", "else", "--deny", HOSTILE],
        &["verify", "--policies", "out", "--deny-excess"],
        &["verify", "--policies", "out", "--format", "json"],
        &["verify", "--policies", "theirs", "--no-decisions"],
        &["verify", "--policies", "theirs", "--no-decisions", "--format", "json"],
        &["verify", "--policies", "broken.yaml"],
        &["verify", "--policies", HOSTILE],
        &["plan", "--policies", "out", "--no-decisions"],
        &["plan", "--policies", "out", "--no-decisions", "--format", "json"],
        &["plan", "--policies", "out", "--no-decisions", "--output", "plan"],
        &["plan", "--policies", "out", "--accept", HOSTILE],
        &["explain", "--policies", "out", "--from", "10.244.1.10", "--to", "192.0.2.80", "--port", "443"],
        &["explain", "--policies", "out", "--from", "10.244.1.10", "--to", "192.0.2.80", "--port", "444", "--format", "json"],
        &["explain", "--policies", "theirs", "--from", HOSTILE, "--to", "192.0.2.80", "--port", "444"],
        &["capture", "--output", "flows.zst"],
        &["capture", "--output", HOSTILE],
    ];
    let mut found = Vec::new();
    for row in rows {
        let reads = row[0] != "capture";
        let arguments: Vec<&str> = row.iter().chain(&both[..if reads { 8 } else { 4 }]).copied().collect();
        found.extend(harms(&row.join(" ").replace(HOSTILE, "HOSTILE"), &scene.run(&arguments)));
    }
    for arguments in [
        &["diff", "out", "theirs", "--inventory", known][..],
        &["diff", "out", "theirs", "--inventory", known, "--format", "json"],
        &["diff", "theirs", "broken.yaml", "--inventory", known],
        &["learn", "--read", HOSTILE, "--inventory", known, "--output", "-"],
        &["learn", "--read", &shop, "--inventory", HOSTILE, "--output", "-"],
        &["learn", "--read", &shop, "--inventory", "broken.yaml", "--output", "-"],
        &["learn", "--read", known, "--inventory", known, "--output", "-"],
        &["learn", "--read", "flows.zst", "--inventory", known, "--inventory", objects, "--output", "again", "--no-decisions"],
        &["verify", "--read", "flows.zst", "--inventory", known, "--inventory", objects, "--policies", "again"],
        &["explain", "--policies", "theirs", "--inventory", known, "--from", "prod/api", "--to", HOSTILE, "--port", HOSTILE],
    ] {
        found.extend(harms(&arguments.join(" ").replace(HOSTILE, "HOSTILE"), &scene.run(arguments)));
    }
    for directory in ["out", "again", "plan"] {
        assert!(scene.path(directory).is_dir(), "nothing was written to {directory}");
        found.extend(harms_in(directory, &scene.path(directory)));
    }
    assert!(found.is_empty(), "{} harms:\n{}", found.len(), found.join("\n"));
}

/// Rows of a command and an option; what is hostile stands in the place of the option's value, of a command, of an option.
#[test]
fn arguments_that_are_not_understood_are_shown_harmlessly() {
    let folder = tempfile::tempdir().unwrap();
    let mut found = Vec::new();
    let option = format!("--{HOSTILE}");
    let assigned = format!("--format={HOSTILE}");
    let rows: &[&[&str]] = &[
        &[HOSTILE],
        &[&option],
        &["learn", HOSTILE],
        &["learn", &option],
        &["learn", &assigned],
        &["learn", "--dns", HOSTILE],
        &["learn", "--flows", HOSTILE],
        &["learn", "--pod-cidr", HOSTILE],
        &["learn", "--public", HOSTILE],
        &["learn", "--one-way", HOSTILE],
        &["learn", "--deny", HOSTILE, "--read", "x"],
        &["verify", "--format", HOSTILE],
        &["verify", "--service-cidr", HOSTILE],
        &["explain", "--port", HOSTILE],
        &["diff", HOSTILE],
        &["diff", "a", "b", HOSTILE],
        &["plan", "--enforcer", HOSTILE],
        &["findings", HOSTILE],
        &["capture", HOSTILE],
    ];
    for row in rows {
        let output = run(folder.path(), row);
        assert_eq!(output.status.code(), Some(2), "{row:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(!output.stderr.is_empty(), "{row:?}");
        found.extend(harms(&row.join(" ").replace(HOSTILE, "HOSTILE"), &output));
    }
    for variable in ["NETPOL_GEN_FORMAT", "NETPOL_GEN_FLOWS"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_netpol-gen"));
        let output = command.env(variable, HOSTILE).args(["learn", "--read", "x"]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{variable}: {}", String::from_utf8_lossy(&output.stderr));
        found.extend(harms(variable, &output));
    }
    assert!(found.is_empty(), "{} harms:\n{}", found.len(), found.join("\n"));
}
