//! A day at the shop, with somebody in it who does not belong there: what is said of that, and what is kept apart.

#![expect(clippy::unwrap_used, reason = "in tests a failed unwrap is the failure to report")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use support::captures::{Captured, Order, Variant, pcap_header, pcap_record};
use support::frames::*;

const SECOND: i64 = 1_000_000_000;
const MILLISECOND: i64 = 1_000_000;
const BEGIN: i64 = 1_790_000_000 * SECOND;

const WEB: &str = "10.244.1.10";
const API: &str = "10.244.1.20";
const CART: &str = "10.244.1.30";
const DB: &str = "10.244.1.40";
const STAGING: &str = "10.244.1.50";
const RESOLVER: &str = "10.244.1.53";
const PARTNER: &str = "203.0.113.80";
const STRANGER: &str = "203.0.113.66";
const METADATA: &str = "169.254.169.254";

/// Frames in the making; every conversation has a port of its own.
#[derive(Default)]
struct Traffic {
    frames: Vec<Captured>,
    port: u16,
}

impl Traffic {
    fn add(&mut self, at: i64, from: &str, to: &str, upper: Upper) {
        self.frames.push(Captured::whole(BEGIN + at, ethernet(&ip(from, to, upper))));
    }

    fn next(&mut self) -> u16 {
        self.port += 1;
        40_000 + self.port
    }

    /// A connection that was answered, over after 5 ms.
    fn call(&mut self, at: i64, from: &str, to: &str, port: u16) {
        let own = self.next();
        let number = u32::from(own) * 1000;
        self.add(at, from, to, tcp_at(own, port, SYN, number, 0, b""));
        self.add(at + MILLISECOND, to, from, tcp_at(port, own, SYN | ACK, 7, number + 1, b""));
        self.add(at + 2 * MILLISECOND, from, to, tcp_at(own, port, ACK | PSH, number + 1, 8, b"hello"));
        self.add(at + 3 * MILLISECOND, to, from, tcp_at(port, own, ACK | PSH, 8, number + 6, b"hello"));
        self.add(at + 5 * MILLISECOND, from, to, tcp_at(own, port, ACK | FIN, number + 6, 13, b""));
    }

    fn refused(&mut self, at: i64, from: &str, to: &str, port: u16) {
        let own = self.next();
        self.add(at, from, to, tcp_at(own, port, SYN, 1, 0, b""));
        self.add(at + MILLISECOND, to, from, tcp_at(port, own, RST | ACK, 0, 2, b""));
    }

    fn ask(&mut self, at: i64, from: &str, resolver: &str, name: &str, address: &str) {
        let own = self.next();
        let (kind, content) = dns_address(address);
        self.add(at, from, resolver, udp(own, 53, &dns(DNS_QUERY, name, &[])));
        self.add(at + MILLISECOND, resolver, from, udp(53, own, &dns(DNS_ANSWER, name, &[(name, kind, 300, content)])));
    }

    /// What the shop does all day: a minute of it.
    fn ordinary() -> Self {
        let mut traffic = Self::default();
        for number in 0..40 {
            let at = number * 1400 * MILLISECOND;
            traffic.call(at, WEB, API, 5000);
            traffic.call(at + 20 * MILLISECOND, API, DB, 3306);
        }
        for at in [2, 9, 31] {
            traffic.ask(at * SECOND, API, RESOLVER, "partner.example", PARTNER);
            traffic.call(at * SECOND + 10 * MILLISECOND, API, PARTNER, 443);
        }
        traffic
    }

    /// What nobody meant.
    fn odd(&mut self) {
        for port in (0..15).map(|number| 6000 + number) {
            self.refused(40 * SECOND + i64::from(port) * MILLISECOND, WEB, DB, port);
        }
        self.call(47 * SECOND, WEB, DB, 3306);
        self.call(20 * SECOND, API, CART, 6379);
        self.call(21 * SECOND, API, STRANGER, 4444);
        self.call(22 * SECOND, API, METADATA, 80);
        self.ask(23 * SECOND, DB, "8.8.8.8", "exfiltrated.example", STRANGER);
        self.call(50 * SECOND, STAGING, DB, 3306);
    }

    fn write(mut self, path: &Path) {
        self.frames.sort_by_key(|frame| frame.at);
        let (order, variant) = (Order::Little, Variant::Nanoseconds);
        let records = self.frames.iter().flat_map(|frame| pcap_record(order, variant, frame));
        fs::write(path, pcap_header(order, variant, 65535, 1).into_iter().chain(records).collect::<Vec<u8>>()).unwrap();
    }
}

fn inventory() -> Value {
    let pod = |namespace: &str, name: &str, address: &str, port: u16| {
        let owner = json!([{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": name, "uid": name, "controller": true}]);
        let ports: Vec<Value> = ["TCP", "UDP"].map(|protocol| json!({"containerPort": port, "protocol": protocol})).into();
        json!({"apiVersion": "v1", "kind": "Pod", "spec": {"nodeName": "node-1", "containers": [{"name": "c", "ports": ports}]},
            "metadata": {"namespace": namespace, "name": format!("{name}-0"), "labels": {"app": name}, "ownerReferences": owner},
            "status": {"podIP": address, "startTime": "2026-01-01T00:00:00Z"}})
    };
    json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}, "spec": {"podCIDR": "10.244.1.0/24"},
         "status": {"addresses": [{"type": "InternalIP", "address": "10.0.0.11"}]}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "kube-system", "name": "kube-dns"},
         "spec": {"clusterIP": "10.96.0.10", "selector": {"app": "coredns"},
                  "ports": [{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53, "protocol": "TCP"}]}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "prod", "name": "web"},
         "spec": {"type": "LoadBalancer", "clusterIP": "10.96.0.80", "selector": {"app": "web"}, "ports": [{"port": 80}]}},
        pod("kube-system", "coredns", RESOLVER, 53),
        pod("prod", "web", WEB, 80),
        pod("prod", "api", API, 5000),
        pod("prod", "cart", CART, 6379),
        pod("prod", "db", DB, 3306),
        pod("staging", "api", STAGING, 5000),
    ]})
}

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("inventory.json"), inventory().to_string()).unwrap();
        Traffic::ordinary().write(&folder.path().join("ordinary.pcap"));
        let mut all = Traffic::ordinary();
        all.odd();
        all.write(&folder.path().join("all.pcap"));
        Self { folder }
    }

    fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_netpol-gen"));
        let output =
            command.current_dir(self.folder.path()).args(arguments).args(["--inventory", "inventory.json"]).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }

    fn learn(&self, capture: &str, output: &str, more: &[&str]) -> Value {
        let arguments = ["learn", "--read", capture, "--output", output, "--format", "json"];
        let (code, stdout, stderr) = self.run(&[&arguments, more].concat());
        assert_eq!(code, Some(0), "{stderr}");
        serde_json::from_str(&stdout).unwrap()
    }

    /// All files below a directory but the review, in both its forms.
    fn tree(&self, directory: &str) -> BTreeMap<String, String> {
        let top = self.folder.path().join(directory);
        let mut found = BTreeMap::new();
        let mut pending = vec![top.clone()];
        while let Some(next) = pending.pop() {
            for entry in fs::read_dir(next).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    pending.push(path);
                } else {
                    let name = path.strip_prefix(&top).unwrap().to_str().unwrap().to_owned();
                    found.insert(name, fs::read_to_string(path).unwrap());
                }
            }
        }
        found.remove("REVIEW.md");
        found.remove("REVIEW.json");
        found
    }
}

fn doubted(summary: &Value) -> BTreeSet<(String, String)> {
    let codes = [
        "found-by-scan",
        "one-off-connection",
        "never-asked-by-name",
        "foreign-resolver",
        "first-across-namespaces",
        "metadata-address",
    ];
    let findings = summary["findings"].as_array().unwrap().iter();
    let text = |finding: &Value, member: &str| finding[member].as_str().unwrap().to_owned();
    let doubted = findings.filter(|finding| codes.contains(&finding["code"].as_str().unwrap()));
    doubted.map(|finding| (text(finding, "code"), text(finding, "subject"))).collect()
}

fn pairs(rows: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    rows.iter().map(|(code, subject)| ((*code).to_owned(), (*subject).to_owned())).collect()
}

#[test]
fn what_is_odd_is_said_and_what_is_usual_is_not() {
    let place = Place::new();
    assert_eq!(doubted(&place.learn("ordinary.pcap", "policies", &[])), BTreeSet::new());
    let summary = place.learn("all.pcap", "policies", &[]);
    let expected = [
        ("found-by-scan", "prod/web -> prod/db TCP 3306"),
        ("one-off-connection", "prod/web -> prod/db TCP 3306"),
        ("one-off-connection", "prod/api -> prod/cart TCP 6379"),
        ("never-asked-by-name", "prod/api -> 203.0.113.66 TCP 4444"),
        ("foreign-resolver", "prod/db -> 8.8.8.8 UDP 53"),
        ("first-across-namespaces", "staging/api -> prod/db TCP 3306"),
        ("metadata-address", "prod/api"),
    ];
    assert_eq!(doubted(&summary), pairs(&expected));
    assert_eq!((&summary["proof"]["allowed"], &summary["proof"]["quarantined"]), (&json!(9), &json!(1)));
    let quarantine = &summary["quarantine"];
    assert_eq!((&quarantine["is_requested"], &quarantine["withheld"]), (&json!(false), &json!(1)), "credentials only");
    let apart: Vec<String> = place.tree("policies").into_keys().filter(|name| name.contains("quarantine")).collect();
    assert_eq!(apart, ["prod/_quarantine/quarantined-allow-api-to-cloud-metadata.yaml"]);
}

#[test]
fn with_quarantine_the_policies_are_as_if_it_had_never_been_there() {
    let place = Place::new();
    place.learn("ordinary.pcap", "ordinary", &[]);
    let summary = place.learn("all.pcap", "policies", &["--quarantine"]);
    assert_eq!(
        (&summary["edges"], &summary["proof"]["allowed"], &summary["proof"]["quarantined"]),
        (&json!(10), &json!(4), &json!(6))
    );
    assert!(
        summary["proof"]["denied"].as_array().unwrap().is_empty() && summary["proof"]["excess"].as_array().unwrap().is_empty()
    );

    let (apart, main): (BTreeMap<_, _>, BTreeMap<_, _>) =
        place.tree("policies").into_iter().partition(|(name, _)| name.contains("/_quarantine/"));
    assert_eq!(main, place.tree("ordinary"));
    let names: Vec<&str> = apart.keys().map(String::as_str).collect();
    let expected = [
        "prod/_quarantine/quarantined-allow-api-to-203-0-113-66.yaml",
        "prod/_quarantine/quarantined-allow-api-to-cloud-metadata.yaml",
        "prod/_quarantine/quarantined-allow-db-to-8-8-8-8.yaml",
        "prod/_quarantine/quarantined-allow-egress-from-api.yaml",
        "prod/_quarantine/quarantined-allow-egress-from-web.yaml",
        "prod/_quarantine/quarantined-allow-ingress-to-cart.yaml",
        "prod/_quarantine/quarantined-allow-ingress-to-db.yaml",
        "staging/_quarantine/quarantined-allow-egress-from-api.yaml",
    ];
    assert_eq!(names, expected);
    let web = &apart[expected[4]];
    let above = "  # prod/web -> prod/db TCP 3306\n  #   1 connection, 2026-09-21T14:14:07.000Z to 2026-09-21T14:14:07.005Z; client identified by TCP SYN\n  \
                 #   found-by-scan: was first used while its originator looked around: it tried 15 ports and addresses in vain\n  \
                 #   one-off-connection: was used once, beside 40 other connections\n  - to:\n";
    assert!(web.contains(above), "{web}");
    assert!(main.values().all(|text| !text.contains("quarantine")), "no kustomization leads there");

    let held_out = |summary: &Value| summary["coverage"]["back_test"]["denied"].clone();
    assert_eq!(held_out(&summary), json!(0), "what is denied on purpose is no failure of the first part");
    assert_eq!(held_out(&place.learn("all.pcap", "all", &[])), json!(2), "else two of them began too late");
    let edges = summary["quarantine"]["edges"].as_array().unwrap();
    assert!(edges.len() == 6 && edges.iter().all(|edge| edge["is_denied"] == true), "{edges:?}");
    let review = fs::read_to_string(place.folder.path().join("policies/REVIEW.md")).unwrap();
    for line in [
        "allow 4 of 10 observed edges, 6 are in quarantine, and nothing else",
        "| prod/api -> 203.0.113.66 TCP 4444 | `never-asked-by-name`: leads to an address that was never asked for by name | denied |",
        "`kubectl apply -f prod/_quarantine/quarantined-allow-egress-from-web.yaml`",
    ] {
        assert!(review.contains(line), "{line}\n{review}");
    }
}

#[test]
fn what_is_in_quarantine_counts_for_nothing_until_somebody_takes_it_out() {
    let place = Place::new();
    place.learn("all.pcap", "policies", &["--quarantine"]);
    let (code, stdout, stderr) = place.run(&["verify", "--policies", "policies", "--read", "all.pcap"]);
    assert_eq!((code, stdout.lines().next()), (Some(1), Some("10 edges: 4 allowed, 6 denied (1 of them withheld)")), "{stderr}");
    assert!(stderr.contains("8 files in quarantine left aside"), "{stderr}");
    let asked = ["explain", "--policies", "policies", "--from", "prod/web", "--to", "prod/db", "--port", "3306"];
    let (code, stdout, _) = place.run(&asked);
    let hint = "in quarantine, and would allow it: prod/quarantined-allow-egress-from-web egress[0], prod/quarantined-allow-ingress-to-db ingress[0]";
    assert!(code == Some(1) && stdout.contains(hint), "{stdout}");
    let (_, stdout, _) =
        place.run(&["explain", "--policies", "policies", "--from", "prod/cart", "--to", "prod/db", "--port", "3306"]);
    assert!(!stdout.contains("quarantine"), "there is nothing of the kind: {stdout}");
    let quarantine = ["policies/prod/_quarantine", "policies/staging/_quarantine"];
    let named =
        ["verify", "--policies", "policies", "--policies", quarantine[0], "--policies", quarantine[1], "--read", "all.pcap"];
    let (code, stdout, stderr) = place.run(&named);
    assert_eq!((code, stdout.lines().next()), (Some(0), Some("10 edges: 10 allowed, 0 denied")), "named, they count: {stderr}");
}

#[test]
fn a_later_run_takes_away_what_is_no_longer_in_quarantine() {
    let place = Place::new();
    place.learn("all.pcap", "policies", &["--quarantine"]);
    let first = place.tree("policies");
    let again = place.learn("all.pcap", "policies", &["--quarantine"]);
    assert_eq!((&again["files"]["written"], &again["files"]["removed"]), (&json!(0), &json!(0)));
    let own = place.folder.path().join("policies/prod/_quarantine/notes.yaml");
    fs::write(&own, "# looked at on Monday\n").unwrap();
    place.learn("all.pcap", "policies", &[]);
    let left: Vec<String> = place.tree("policies").into_keys().filter(|name| name.contains("quarantine")).collect();
    let expected = ["prod/_quarantine/notes.yaml", "prod/_quarantine/quarantined-allow-api-to-cloud-metadata.yaml"];
    assert_eq!(left, expected, "what people wrote stays, and so does what leads to credentials");
    fs::remove_file(own).unwrap();
    place.learn("all.pcap", "policies", &["--quarantine"]);
    assert_eq!(place.tree("policies"), first);
}

#[test]
fn what_is_accepted_or_rejected_leaves_the_quarantine() {
    let place = Place::new();
    let decisions = "version: 1\naccept:\n- {from: staging/api, to: prod/db, port: TCP 3306, reason: the report}\n\
                     reject:\n- {from: prod/api, to: 203.0.113.66, port: any, reason: nobody knows it}\n\
                     widen:\n- {from: prod/db, to: 8.8.8.8/29, port: UDP 53, bound: 8, reason: its resolver}\n";
    fs::write(place.folder.path().join("netpol-gen.yaml"), decisions).unwrap();
    place.learn("all.pcap", "policies", &["--quarantine", "--no-decisions"]);
    let summary = place.learn("all.pcap", "policies", &["--quarantine"]);
    let proof = &summary["proof"];
    let counts = ["allowed", "rejected", "quarantined"].map(|count| proof[count].as_u64().unwrap());
    assert_eq!(counts, [6, 1, 3], "{:#}", summary["quarantine"]["edges"]);
    let apart: Vec<String> = place.tree("policies").into_keys().filter(|name| name.contains("/_quarantine/")).collect();
    let expected = [
        "prod/_quarantine/quarantined-allow-api-to-cloud-metadata.yaml",
        "prod/_quarantine/quarantined-allow-egress-from-api.yaml",
        "prod/_quarantine/quarantined-allow-egress-from-web.yaml",
        "prod/_quarantine/quarantined-allow-ingress-to-cart.yaml",
        "prod/_quarantine/quarantined-allow-ingress-to-db.yaml",
    ];
    assert_eq!(apart, expected);
    let tree = place.tree("policies");
    let db = &tree["prod/allow-ingress-to-db.yaml"];
    assert!(db.contains("kubernetes.io/metadata.name: staging") && db.contains("(the report)"), "{db}");
    assert!(tree["prod/allow-db-to-8-8-8-8-29.yaml"].contains("cidr: 8.8.8.8/29"));
    assert!(tree.values().all(|text| !text.contains("203.0.113.66/32")), "what is rejected is nowhere");
    let (code, stdout, stderr) = place.run(&["verify", "--policies", "policies", "--read", "all.pcap"]);
    let said = "10 edges: 6 allowed, 3 denied (1 of them withheld), 1 rejected by decision";
    assert_eq!((code, stdout.lines().next()), (Some(1), Some(said)), "{stderr}");
}

#[test]
fn what_is_rejected_is_denied_also_with_what_is_in_quarantine() {
    let place = Place::new();
    let mut inventory = inventory();
    let items = inventory["items"].as_array_mut().unwrap();
    let mut twin = items.iter().find(|item| item["metadata"]["name"] == "api-0").unwrap().clone();
    twin["metadata"]["name"] = json!("twin-0");
    twin["metadata"]["ownerReferences"][0]["name"] = json!("twin");
    twin["metadata"]["ownerReferences"][0]["uid"] = json!("twin");
    twin["status"]["podIP"] = json!("10.244.1.21");
    items.push(twin);
    fs::write(place.folder.path().join("inventory.json"), inventory.to_string()).unwrap();
    let mut traffic = Traffic::ordinary();
    traffic.call(20 * SECOND, API, CART, 6379);
    traffic.call(21 * SECOND, "10.244.1.21", CART, 6379);
    traffic.write(&place.folder.path().join("twins.pcap"));
    let decisions = "version: 1\nreject:\n- {from: prod/twin, to: prod/cart, port: any, reason: not that one}\n";
    fs::write(place.folder.path().join("netpol-gen.yaml"), decisions).unwrap();
    let (code, _, stderr) = place.run(&["learn", "--read", "twins.pcap", "--output", "policies", "--quarantine"]);
    assert_eq!(code, Some(2), "no label tells the two apart: {stderr}");
    let said = "prod/twin -> prod/cart TCP 6379 would be allowed all the same, ";
    assert!(stderr.contains(said) && stderr.contains("quarantined-allow-egress-from-api"), "{stderr}");
    assert!(!place.folder.path().join("policies").exists());
}

#[test]
fn policies_of_an_earlier_run_that_allow_what_is_in_quarantine_are_told() {
    let place = Place::new();
    let accepted = "version: 1\naccept:\n- {from: prod/api, to: 169.254.169.254, port: TCP 80, reason: it did then}\n";
    fs::write(place.folder.path().join("accepted.yaml"), accepted).unwrap();
    place.learn("all.pcap", "before", &["--decisions", "accepted.yaml"]);
    let applied: Vec<String> =
        place.tree("before").into_iter().filter(|(name, _)| name.starts_with("prod/allow")).map(|(_, text)| text).collect();
    fs::write(place.folder.path().join("applied.yaml"), applied.join("---\n")).unwrap();
    let summary = place.learn("all.pcap", "policies", &["--quarantine", "--inventory", "applied.yaml"]);
    let findings = summary["findings"].as_array().unwrap().iter().filter(|finding| finding["code"] == "existing-policy");
    let told: BTreeSet<(&str, &str)> =
        findings.map(|finding| (finding["subject"].as_str().unwrap(), finding["message"].as_str().unwrap())).collect();
    // What had a policy of its own. Of the others one side at least is in a policy that this run makes anew.
    let expected = [
        ("prod/allow-api-to-203-0-113-66", "would still let prod/api -> 203.0.113.66 TCP 4444 through, which is in quarantine"),
        (
            "prod/allow-api-to-cloud-metadata",
            "would still let prod/api -> metadata service 169.254.169.254 TCP 80 through, which is in quarantine",
        ),
        ("prod/allow-db-to-8-8-8-8", "would still let prod/db -> 8.8.8.8 UDP 53 through, which is in quarantine"),
    ];
    let denied = summary["quarantine"]["edges"].as_array().unwrap().len();
    assert_eq!((told, denied), (expected.into(), 6));
}

#[test]
fn a_stream_has_no_quarantine_and_says_so() {
    let place = Place::new();
    let (code, stdout, stderr) = place.run(&["learn", "--read", "all.pcap", "--output", "-", "--quarantine"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("allow-egress-from-web") && !stdout.contains("quarantine"), "{stdout}");
    for line in [
        "proof: 4 of 10 observed edges are allowed, 6 are in quarantine, and nothing else",
        "quarantine: 6 edges are denied for now",
        "  prod/web -> prod/db TCP 3306 (found-by-scan, one-off-connection)",
        "hint: the rules are in no file; with --output DIRECTORY they are written",
    ] {
        assert!(stderr.contains(line), "{line}\n{stderr}");
    }
}

#[test]
fn what_a_wider_policy_allows_all_the_same_is_told() {
    let place = Place::new();
    let mut traffic = Traffic::ordinary();
    traffic.call(SECOND, "198.51.100.7", WEB, 80);
    for port in (0..15).map(|number| 6000 + number) {
        traffic.refused(40 * SECOND + i64::from(port) * MILLISECOND, "198.51.100.99", WEB, port);
    }
    traffic.call(47 * SECOND, "198.51.100.99", WEB, 80);
    traffic.write(&place.folder.path().join("exposed.pcap"));
    let summary = place.learn("exposed.pcap", "policies", &["--quarantine", "--public", "any"]);
    let edges = summary["quarantine"]["edges"].as_array().unwrap();
    assert_eq!(
        (edges.len(), &edges[0]["edge"], &edges[0]["is_denied"]),
        (1, &json!("198.51.100.99 -> prod/web TCP 80"), &json!(false))
    );
    let tree = place.tree("policies");
    let exact = &tree["prod/_quarantine/quarantined-allow-198-51-100-99-to-web.yaml"];
    assert!(exact.contains("cidr: 198.51.100.99/32\n"), "no wider than what was seen: {exact}");
    assert!(tree.contains_key("prod/allow-internet-to-web.yaml"));
    let (_, _, stderr) =
        place.run(&["learn", "--read", "exposed.pcap", "--output", "policies", "--quarantine", "--public", "any"]);
    assert!(
        stderr.contains(
            "quarantine: 1 edge is allowed, by a rule that is broader than observed on purpose\n  198.51.100.99 -> prod/web TCP 80 (found-by-scan)"
        ),
        "{stderr}"
    );
}

#[test]
fn where_all_is_in_quarantine_there_is_no_result() {
    let place = Place::new();
    let mut traffic = Traffic::default();
    traffic.call(SECOND, API, METADATA, 80);
    traffic.write(&place.folder.path().join("metadata.pcap"));
    let (code, _, stderr) = place.run(&["learn", "--read", "metadata.pcap", "--output", "policies", "--quarantine"]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("1 edge was seen of which policies would be made, all in quarantine"), "{stderr}");
    assert!(!place.folder.path().join("policies").exists());
}
