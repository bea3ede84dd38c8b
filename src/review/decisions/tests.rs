use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU16;

use jiff::civil::{Date, date};
use serde_json::json;

use super::pattern::is_like;
use super::*;
use crate::edge::{DynamicPorts, Observation};
use crate::inventory::{Inventory, InventoryBuilder, InventoryOptions};
use crate::model::{
    Called, Code, DirectionEvidence, Edge, Evidence, Findings, NodeAddress, Party, Protocol, Span, Timestamp, WorkloadKind,
    WorkloadName,
};

const TODAY: Date = date(2026, 11, 21);

fn workload(text: &str) -> WorkloadName {
    let (namespace, name) = text.split_once('/').expect("namespace/name");
    WorkloadName { namespace: namespace.into(), name: name.into(), kind: WorkloadKind("Deployment".into()) }
}

fn party(text: &str) -> Party {
    match text {
        "kube-apiserver" => Party::ApiServer,
        "node-1" => Party::Node(NodeAddress { name: text.into(), address: [172, 18, 0, 3].into() }.into()),
        "169.254.169.254" => Party::Metadata([169, 254, 169, 254].into()),
        _ => text.parse().map_or_else(|_| Party::Workload(workload(text).into()), Party::Outside),
    }
}

fn edge(from: &str, to: &str, protocol: Protocol, port: u16) -> Edge {
    Edge { originator: party(from), responder: party(to), protocol, port: NonZeroU16::new(port).expect("a port") }
}

fn tcp(from: &str, to: &str, port: u16) -> Edge {
    edge(from, to, Protocol::Tcp, port)
}

fn evidence(names: &[&str]) -> Evidence {
    Evidence {
        connections: 2,
        span: Span::at(Timestamp(0)),
        direction: DirectionEvidence::Syn,
        weakest: DirectionEvidence::Syn,
        weak: 0,
        unchecked: 0,
        forwarded: 0,
        mid_stream: 0,
        one_way: 0,
        called: Called::of(names.iter().map(|name| ((*name).into(), 1)).collect(), BTreeSet::new()),
    }
}

fn inventory() -> Inventory {
    let mut builder = InventoryBuilder::new();
    builder.apply_value(json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "prod", "name": "web"}, "status": {"podIP": "10.244.1.9"}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "prod", "name": "web"}, "spec": {"clusterIP": "10.96.0.9"}},
        {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"},
         "status": {"addresses": [{"type": "InternalIP", "address": "172.18.0.3"}]}}]}));
    builder.build(&InventoryOptions {
        pod_ranges: vec!["10.244.0.0/16".parse().expect("a range")],
        service_ranges: vec!["10.96.0.0/16".parse().expect("a range")],
    })
}

/// A file of these entries, each of a kind.
fn file_of(entries: &[(&str, &str)]) -> String {
    let mut kinds: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (kind, entry) in entries {
        kinds.entry(kind).or_default().push(format!("- {{{entry}, reason: why}}\n"));
    }
    kinds.iter().fold("version: 1\n".to_owned(), |file, (kind, entries)| format!("{file}{kind}:\n{}", entries.concat()))
}

fn decisions(entries: &[(&str, &str)]) -> Result<Decisions, DecisionError> {
    Decisions::new(file::read(&file_of(entries))?, TODAY)
}

fn observed(edges: &[Edge]) -> Observation {
    let edges = edges.iter().map(|edge| (edge.clone(), evidence(&[]))).collect();
    Observation { edges, ..Observation::default() }
}

fn apply(entries: &[(&str, &str)], edges: &[Edge]) -> Result<(Decisions, Observation, Rejected), DecisionError> {
    let (mut decisions, mut observation) = (decisions(entries)?, observed(edges));
    let rejected = decisions.apply(&mut observation, &inventory(), |namespace| namespace == "prod")?;
    Ok((decisions, observation, rejected))
}

#[test]
fn a_whole_file_is_read() {
    let text = "version: 1
accept:
- from: prod/web
  to: prod/api
  port: TCP 8080
  reason: >-
    ours
    alone
  by: the shop team
  until: 2027-06-30
reject:
- {from: 'prod/*', to: outside, port: any, reason: none may}
widen:
- {from: prod/StatefulSet/db, to: 2001:db8::/64, port: UDP 5000-5100, bound: 3, reason: a pool}
rename:
- {namespace: prod, from: allow-a-to-b, to: allow-c, reason: clearer}
ignore:
- {code: icmp, subject: 'prod/*', reason: probes}
";
    let decisions = Decisions::new(file::read(text).expect("a file"), TODAY).expect("they agree");
    let shown: Vec<String> = decisions.entries().iter().map(|entry| entry.decision.what.to_string()).collect();
    let expected = [
        "accept prod/web -> prod/api TCP 8080",
        "reject prod/* -> outside any port",
        "widen prod/StatefulSet/db -> 2001:db8::/64 UDP 5000-5100",
        "rename prod/allow-a-to-b to allow-c",
        "ignore icmp of prod/*",
    ];
    assert_eq!(shown, expected);
    let accept = &decisions.entries()[0].decision;
    assert_eq!((accept.by.as_deref(), accept.until, accept.line), (Some("the shop team"), Some(date(2027, 6, 30)), 3));
    assert_eq!(accept.reason, "ours alone");
}

#[test]
fn a_file_that_says_something_else_is_refused_with_its_place() {
    let edge = "from: prod/web, to: prod/api, port: TCP 80";
    let rows = [
        ("nothing at all", String::new(), "line 1"),
        ("no version", "reject: []\n".into(), "version"),
        ("a later version", "version: 2\n".into(), "version 2, and this program knows version 1"),
        ("an unknown kind", "version: 1\nallow: []\n".into(), "line 2"),
        (
            "an unknown field",
            format!("version: 1\nreject:\n- {{{edge}, reason: x, why: y}}\n"),
            "line 3, column 59: unknown field `why`, expected one of from, to, port, reason, by, until",
        ),
        ("a kind twice", "version: 1\nreject: []\nreject: []\n".into(), "line 3"),
        ("no reason", format!("version: 1\nreject:\n- {{{edge}}}\n"), "reason"),
        ("an empty reason", format!("version: 1\nreject:\n- {{{edge}, reason: ' '}}\n"), "line 3: reason: ` ` says nothing"),
        ("no port", "version: 1\nreject:\n- {from: prod/web, to: prod/api, reason: x}\n".into(), "port"),
        ("another spelling", file_of(&[("reject", "from: prod/web, to: prod/api, port: 443/TCP")]), "such as TCP 443"),
        ("ports the wrong way round", file_of(&[("reject", "from: prod/web, to: prod/api, port: TCP 9-8")]), "is no port"),
        ("port 0", file_of(&[("reject", "from: prod/web, to: prod/api, port: TCP 0")]), "is no port"),
        ("nobody", file_of(&[("reject", "from: web, to: prod/api, port: TCP 80")]), "line 3: from: `web` is nobody"),
        ("host bits", file_of(&[("reject", "from: prod/web, to: 10.0.0.1/8, port: TCP 80")]), "write 10.0.0.0/8"),
        ("a broken address", file_of(&[("reject", "from: prod/web, to: 203.0.113.999, port: TCP 80")]), "is nobody"),
        ("a name that calls", file_of(&[("reject", "from: example.com, to: prod/api, port: TCP 80")]), "is a name"),
        ("a date with a time", file_of(&[("ignore", "code: icmp, until: '2027-01-01T00:00:00Z'")]), "is no date"),
        ("no such day", file_of(&[("ignore", "code: icmp, until: 2027-02-30")]), "is no date"),
        ("no such code", file_of(&[("ignore", "code: icpm")]), "`netpol-gen findings` lists them"),
        ("a finding about decisions", file_of(&[("ignore", "code: decision-expired")]), "is about decisions"),
        ("a name of two labels", file_of(&[("rename", "namespace: prod, from: a, to: b.c")]), "DNS label"),
        ("a name that leads up", file_of(&[("rename", "namespace: prod, from: a, to: ../b")]), "DNS label"),
        ("a file of kustomize", file_of(&[("rename", "namespace: prod, from: a, to: kustomization")]), "DNS label"),
        ("no range", file_of(&[("widen", "from: prod/db, to: prod/api, port: TCP 80, bound: 9")]), "one side must be a CIDR"),
        ("no bound", file_of(&[("widen", "from: prod/db, to: 192.0.2.0/24, port: TCP 80")]), "bound"),
        ("a bound below nothing", file_of(&[("widen", "from: prod/db, to: 192.0.2.0/24, port: TCP 80, bound: -1")]), "line 3"),
        ("two ranges", file_of(&[("widen", "from: 10.0.0.0/8, to: 192.0.2.0/24, port: any, bound: 9")]), "one side must"),
        ("no YAML", "version: 1\nreject: [\n".into(), "line"),
        ("a subject left empty", file_of(&[("ignore", "code: icmp, subject: ")]), "says nothing"),
        ("a last day left empty", file_of(&[("ignore", "code: icmp, until: ~")]), "says nothing"),
        ("a reason left empty", "version: 1\nignore:\n- {code: icmp, reason: }\n".into(), "line 3"),
        ("a name of the quarantine", file_of(&[("rename", "namespace: prod, from: a, to: quarantined-b")]), "in quarantine"),
        ("an alias bomb", format!("version: 1\nreject: &a [{}]\n", ["*a"; 50].join(",")), "line 2"),
    ];
    for (message, text, expected) in rows {
        let error = file::read(&text).expect_err(message).to_string();
        assert!(error.contains(expected), "{message}: no {expected:?} in {error:?}");
        assert!(error.matches("line").count() < 3, "{message}: a place is said once: {error:?}");
    }
}

#[test]
fn parties_and_ports_mean_what_they_say() {
    /// What it shows, the pattern, an edge, the names asked for, whether it is meant.
    type Row<'a> = (&'a str, [&'a str; 3], Edge, &'a [&'a str], bool);
    let rows: [Row; 28] = [
        (
            "a range of IPv4 as IPv6 has it",
            ["::ffff:203.0.113.0/120", "prod/web", "any"],
            tcp("203.0.113.9", "prod/web", 80),
            &[],
            true,
        ),
        ("a workload", ["prod/web", "prod/api", "TCP 80"], tcp("prod/web", "prod/api", 80), &[], true),
        ("another port", ["prod/web", "prod/api", "TCP 80"], tcp("prod/web", "prod/api", 81), &[], false),
        ("another protocol", ["prod/web", "prod/api", "UDP 80"], tcp("prod/web", "prod/api", 80), &[], false),
        ("the other way", ["prod/web", "prod/api", "TCP 80"], tcp("prod/api", "prod/web", 80), &[], false),
        ("another namespace", ["prod/web", "prod/api", "TCP 80"], tcp("dev/web", "prod/api", 80), &[], false),
        ("the beginning of a name", ["prod/we", "prod/api", "TCP 80"], tcp("prod/web", "prod/api", 80), &[], false),
        ("a kind", ["prod/Deployment/web", "prod/api", "any"], tcp("prod/web", "prod/api", 80), &[], true),
        ("another kind", ["prod/DaemonSet/web", "prod/api", "any"], tcp("prod/web", "prod/api", 80), &[], false),
        ("a namespace", ["prod/*", "dev/*", "any"], tcp("prod/web", "dev/api", 80), &[], true),
        ("no address is in one", ["prod/*", "prod/*", "any"], tcp("prod/web", "192.0.2.1", 80), &[], false),
        ("ports from", ["prod/web", "prod/api", "TCP 80-90"], tcp("prod/web", "prod/api", 80), &[], true),
        ("ports to", ["prod/web", "prod/api", "TCP 80-90"], tcp("prod/web", "prod/api", 90), &[], true),
        ("ports beyond", ["prod/web", "prod/api", "TCP 80-90"], tcp("prod/web", "prod/api", 91), &[], false),
        ("the API server", ["prod/web", "kube-apiserver", "any"], tcp("prod/web", "kube-apiserver", 6443), &[], true),
        ("any node", ["node", "prod/web", "any"], tcp("node-1", "prod/web", 80), &[], true),
        ("one node", ["node node-1", "prod/web", "any"], tcp("node-1", "prod/web", 80), &[], true),
        ("another node", ["node node-2", "prod/web", "any"], tcp("node-1", "prod/web", 80), &[], false),
        ("a node's address", ["172.18.0.0/16", "prod/web", "any"], tcp("node-1", "prod/web", 80), &[], true),
        ("outside", ["outside", "prod/web", "any"], tcp("203.0.113.9", "prod/web", 80), &[], true),
        ("a node is not outside", ["outside", "prod/web", "any"], tcp("node-1", "prod/web", 80), &[], false),
        ("nor is the metadata service", ["prod/web", "outside", "any"], tcp("prod/web", "169.254.169.254", 80), &[], false),
        ("which has its address", ["prod/web", "169.254.169.254", "any"], tcp("prod/web", "169.254.169.254", 80), &[], true),
        ("an address", ["::ffff:203.0.113.9", "prod/web", "any"], tcp("203.0.113.9", "prod/web", 80), &[], true),
        ("a range", ["2001:db8::/32", "prod/web", "any"], tcp("2001:db8::9", "prod/web", 80), &[], true),
        (
            "a name",
            ["prod/web", "API.example.com", "any"],
            tcp("prod/web", "192.0.2.1", 80),
            &["x.org", "api.Example.com."],
            true,
        ),
        ("not its parent", ["prod/web", "example.com", "any"], tcp("prod/web", "192.0.2.1", 80), &["api.example.com"], false),
        ("nobody asked", ["prod/web", "example.com", "any"], tcp("prod/web", "192.0.2.1", 80), &[], false),
    ];
    for (message, [from, to, port], edge, names, expected) in rows {
        let entry = format!("from: '{from}', to: '{to}', port: {port}");
        let decisions = decisions(&[("accept", &entry)]).expect(message);
        assert_eq!(decisions.accepts(&edge, &evidence(names)).is_some(), expected, "{message}: {from} -> {to} {port}");
        assert!(decisions.rejects(&edge, &evidence(names)).is_none(), "{message}: accepting rejects nothing");
    }
}

#[test]
fn what_is_wrong_is_said_to_those_who_write_decisions() {
    let rows = [
        ("a field twice", "version: 1\nversion: 1\n", "line 2, column 1: duplicate mapping key: version"),
        ("two documents", "version: 1\n---\nversion: 1\n", "line 3, column 1: multiple YAML documents detected"),
    ];
    for (message, text, expected) in rows {
        assert_eq!(file::read(text).expect_err(message).to_string(), expected, "{message}");
    }
}

#[test]
fn a_star_in_a_subject_stands_for_any_text() {
    let rows = [
        ("prod/web", "prod/web", true),
        ("prod/web", "prod/web2", false),
        ("prod/*", "prod/web", true),
        ("*", "", true),
        ("*a*b", "xaxb", true),
        ("*a*b", "xb", false),
        ("a*a", "a", false),
        ("*ab*ab", "ab", false),
        ("*-> prod/db TCP *", "203.0.113.9 -> prod/db TCP 80", true),
    ];
    for (pattern, text, expected) in rows {
        assert_eq!(is_like(pattern, text), expected, "{pattern} of {text}");
    }
}

#[test]
fn what_is_rejected_goes_and_comes_back() {
    let edges = [tcp("prod/web", "prod/api", 80), tcp("prod/web", "192.0.2.1", 80), tcp("dev/web", "192.0.2.1", 80)];
    let entries = [("reject", "from: 'prod/*', to: outside, port: any"), ("reject", "from: 'dev/*', to: outside, port: any")];
    let (mut decisions, mut observation, mut rejected) = apply(&entries, &edges).expect("applies");
    assert_eq!(observation.edges.keys().collect::<Vec<_>>(), [&edges[2], &edges[0]], "dev is no subject");
    assert_eq!(rejected.edges().map(|(edge, _)| edge).collect::<Vec<_>>(), [&edges[1]]);
    rejected.restore(&mut observation);
    assert_eq!(observation.edges, observed(&edges).edges);
    assert!(rejected.contains(&edges[1]), "it stays known");
    let mut findings = Findings::default();
    decisions.conclude(None, &mut findings);
    let told: Vec<String> = findings.sorted().into_iter().map(|finding| finding.subject).collect();
    assert_eq!(told, ["reject dev/* -> outside any port"], "of which nothing is made by this run");
}

#[test]
fn ports_picked_at_run_time_are_rejected_one_by_one() {
    let ports = [40001, 40002, 40003].map(|port| NonZeroU16::new(port).expect("a port"));
    let dynamic = DynamicPorts { edge: tcp("prod/web", "192.0.2.1", 40001), ports: ports.into(), evidence: evidence(&[]) };
    let mut observation = Observation { dynamic: vec![dynamic.clone()], ..Observation::default() };
    let wide = ("widen", "from: prod/web, to: 192.0.2.0/24, port: any, bound: 256");
    let mut decisions = decisions(&[("reject", "from: prod/web, to: 192.0.2.1, port: TCP 40002-50000"), wide]).expect("reads");
    let mut rejected = decisions.apply(&mut observation, &inventory(), |_| true).expect("applies");
    assert_eq!(observation.dynamic[0].ports, BTreeSet::from([ports[0]]));
    assert_eq!(rejected.edges().len(), 2);
    assert_eq!(decisions.entries()[1].state(), State::Unmatched, "no range is made of them");
    rejected.restore(&mut observation);
    assert_eq!((observation.dynamic, observation.edges.len()), (vec![dynamic], 0), "they were no edges before either");
}

#[test]
fn decisions_that_cannot_both_be_obeyed_are_named_both() {
    /// What it shows, the decisions, what the error names.
    type Row<'a> = (&'a str, [(&'a str, &'a str); 2], [&'a str; 2]);
    let web_out = "from: prod/web, to: 192.0.2.1, port: TCP 80";
    let wide = "from: prod/web, to: 192.0.2.0/24, port: any, bound: 255";
    let narrow = "from: prod/*, to: 192.0.2.0/30, port: TCP 80, bound: 3";
    let edges = [tcp("prod/web", "192.0.2.1", 80)];
    let rows: [Row; 6] = [
        (
            "the same edges",
            [("accept", web_out), ("reject", web_out)],
            ["accept prod/web -> 192.0.2.1 TCP 80` (line 3)", "reject prod/web -> 192.0.2.1 TCP 80` (line 5)"],
        ),
        (
            "edges that both mean",
            [("accept", "from: prod/*, to: outside, port: any"), ("reject", web_out)],
            ["accept prod/* -> outside any port", "reject prod/web -> 192.0.2.1 TCP 80"],
        ),
        ("two ranges", [("widen", wide), ("widen", narrow)], ["192.0.2.0/24", "192.0.2.0/30"]),
        ("said twice", [("reject", web_out), ("reject", web_out)], ["(line 3)", "(line 4)"]),
        (
            "a policy with two names",
            [("rename", "namespace: prod, from: a, to: b"), ("rename", "namespace: prod, from: a, to: c")],
            ["prod/a to b", "prod/a to c"],
        ),
        (
            "two policies with one name",
            [("rename", "namespace: prod, from: a, to: c"), ("rename", "namespace: prod, from: b, to: c")],
            ["prod/a to c", "prod/b to c"],
        ),
    ];
    for (message, entries, expected) in rows {
        let error = apply(&entries, &edges).expect_err(message).to_string();
        for part in expected {
            assert!(error.contains(part), "{message}: no {part:?} in {error:?}");
        }
    }
    let past = [("accept", web_out), ("reject", "from: prod/web, to: 192.0.2.1, port: TCP 80, until: 2026-11-20")];
    apply(&past, &edges).expect("what is over contradicts nothing");
}

#[test]
fn ranges_are_outside_and_within_their_bound() {
    let edges = [tcp("prod/web", "192.0.2.1", 80), tcp("prod/web", "192.0.2.2", 80), tcp("prod/web", "192.0.2.1", 443)];
    let rows: [(&str, &str, Result<(), &str>); 11] = [
        ("just enough", "to: 192.0.2.0/30, port: TCP 80, bound: 2", Ok(())),
        (
            "one too many",
            "to: 192.0.2.0/30, port: TCP 80, bound: 1",
            Err("would add 2 addresses to those that prod/web was seen"),
        ),
        ("each port counts alone", "to: 192.0.2.0/30, port: any, bound: 2", Err("would add 3 addresses")),
        ("nothing was seen there", "to: 198.51.100.0/24, port: any, bound: 0", Ok(())),
        ("pods", "to: 10.244.9.0/24, port: any, bound: 999", Err("overlaps the pod range 10.244.0.0/16")),
        ("around pods", "to: 10.0.0.0/8, port: any, bound: 99999999", Err("overlaps the pod range")),
        ("Services", "to: 10.96.0.0/12, port: any, bound: 9999999", Err("overlaps the Service range")),
        ("a node", "to: 172.18.0.0/16, port: any, bound: 99999", Err("overlaps node node-1 (172.18.0.3)")),
        ("metadata", "to: 169.254.169.0/24, port: any, bound: 999", Err("169.254.0.0/16")),
        ("another's metadata", "to: 100.64.0.0/10, port: any, bound: 99999999", Err("a metadata service")),
        ("everything of a family", "to: '::/0', port: any, bound: 18446744073709551615", Err("overlaps fe80::/10")),
    ];
    for (message, entry, expected) in rows {
        let entry = format!("from: prod/web, {entry}");
        match (apply(&[("widen", &entry)], &edges).map(drop), expected) {
            (Ok(()), Ok(())) => {}
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{message}: no {part:?} in {error}"),
            (found, _) => panic!("{message}: {found:?}"),
        }
    }
}

#[test]
fn no_range_takes_in_what_is_rejected_also_if_that_is_not_seen() {
    let seen = [tcp("prod/web", "192.0.2.1", 80)];
    let wide = ("widen", "from: prod/web, to: 192.0.2.0/24, port: any, bound: 255");
    let rows = [
        ("an address of it", "from: prod/web, to: 192.0.2.9, port: any", false),
        ("a part of it, for all workloads", "from: 'prod/*', to: 192.0.2.128/25, port: TCP 80-90", false),
        ("another port", "from: prod/web, to: 192.0.2.9, port: TCP 443", true),
        ("another workload", "from: prod/api, to: 192.0.2.9, port: any", true),
        ("another address", "from: prod/web, to: 198.51.100.9, port: any", true),
        ("the other way", "from: 192.0.2.9, to: prod/web, port: any", true),
        ("what counts no more", "from: prod/web, to: 192.0.2.9, port: any, until: 2026-11-20", true),
    ];
    for (message, entry, is_fine) in rows {
        let found = apply(&[wide, ("reject", entry)], &seen).map(drop);
        assert_eq!(found.is_ok(), is_fine, "{message}: {found:?}");
        if let Err(error) = found {
            let said = "contradict each other: both mean addresses of 192.0.2.0/24 with prod/web on TCP 80";
            assert!(error.to_string().contains(said), "{message}: {error}");
        }
    }
}

#[test]
fn findings_are_ignored_with_their_reasons_until_a_day() {
    let mut findings = Findings::default();
    findings.add_many(Code::Icmp, "prod/web", "echo", 3);
    findings.add(Code::Icmp, "dev/web", "echo");
    findings.add(Code::InternetExposure, "prod/web", "is exposed");
    let entries = [
        ("ignore", "code: icmp, subject: prod/*"),
        ("ignore", "code: internet-exposure, until: 2026-11-20"),
        ("ignore", "code: flood, until: 2026-11-21"),
    ];
    let mut decisions = decisions(&entries).expect("reads");
    decisions.ignore(&mut findings);
    decisions.conclude(None, &mut findings);
    let ignored: Vec<(&str, u64, &str)> = decisions
        .ignored()
        .iter()
        .map(|ignored| (ignored.finding.subject.as_str(), ignored.finding.count, ignored.reason.as_str()))
        .collect();
    assert_eq!(ignored, [("prod/web", 3, "why")]);
    let left: Vec<(Code, String)> = findings.sorted().into_iter().map(|finding| (finding.code, finding.subject)).collect();
    let expected = [
        (Code::InternetExposure, "prod/web"),
        (Code::Icmp, "dev/web"),
        (Code::DecisionUnmatched, "ignore flood"),
        (Code::DecisionExpired, "ignore internet-exposure"),
    ];
    assert_eq!(left, expected.map(|(code, subject)| (code, subject.to_owned())), "a decision counts on its last day");
}

#[test]
fn what_is_about_other_namespaces_is_not_missed() {
    let scope = BTreeSet::from(["prod".to_owned()]);
    let rows = [
        ("reject", "from: prod/web, to: dev/api, port: any", State::Unmatched),
        ("reject", "from: dev/web, to: dev/api, port: any", State::Elsewhere),
        ("reject", "from: dev/web, to: outside, port: any", State::Elsewhere),
        ("rename", "namespace: dev, from: a, to: b", State::Elsewhere),
        ("ignore", "code: icmp, subject: prod/*", State::Unmatched),
        ("ignore", "code: icmp, subject: dev/*", State::Elsewhere),
        ("ignore", "code: icmp", State::Elsewhere),
    ];
    for (kind, entry, expected) in rows {
        let mut decisions = decisions(&[(kind, entry)]).expect("reads");
        let mut findings = Findings::default();
        decisions.conclude(Some(&scope), &mut findings);
        assert_eq!(decisions.entries()[0].state(), expected, "{kind} {entry}");
        assert_eq!(findings.worst().is_some(), expected == State::Unmatched, "{kind} {entry}");
    }
}
