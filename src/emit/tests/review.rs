use std::collections::BTreeMap;

use super::samples;
use crate::coverage::{Course, Coverage, Discovery, Estimate, HoldOut};
use crate::emit::review::{Captures, Frames, Proof, json, markdown, terminal};
use crate::emit::sink::Written;
use crate::emit::{Summary, Templates};
use crate::model::{Code, Findings, Span, Timestamp};

/// Five minutes with two edges seen once and one seen twice.
fn coverage() -> Coverage {
    let course = Course {
        estimate: Estimate::new(61, 13, 2, 1, true),
        known: [4, 7, 9, 10, 10, 12, 12, 12, 13, 13],
        last_new: Some("2026-09-21T14:17:50.000Z".into()),
        seconds_since_new: Some(30),
    };
    let discovery = Discovery { seconds: 300, all: course.clone(), namespaces: BTreeMap::from([("prod".into(), course)]) };
    let hold_out = HoldOut { split: String::new(), learned_seconds: 240, connections: 14, denied: 1, denied_edges: 1 };
    Coverage { discovery, hold_out: Some(hold_out) }
}

fn summary() -> Summary {
    let first = Timestamp::from_seconds(1_790_000_000);
    let mut summary = Summary {
        captures: Captures::new(
            vec!["captures/shop.pcap".into()],
            Some(Span::between(first, Timestamp::from_seconds(1_790_000_300))),
        ),
        frames: Frames { total: 512, decoded: 510, dropped: 0, left_out: BTreeMap::from([("unsupported-frame".into(), 2)]) },
        flows: BTreeMap::from([("answered".into(), 61), ("refused".into(), 1), ("unanswered".into(), 2)]),
        edges: 13,
        proof: Some(Proof {
            allowed: 13,
            widened: vec!["prod/web admits 0.0.0.0/0 and ::/0 on TCP 80".into()],
            ..Proof::default()
        }),
        coverage: Some(coverage()),
        files: Some(Written { written: 9, unchanged: 0, removed: 0 }),
        ..Summary::default()
    };
    summary.namespaces.entry("prod".into()).or_default().workloads = vec!["api (Deployment)".into(), "db (Deployment)".into()];
    summary.set_policies(&samples::shop("prod"));
    let mut findings = Findings::default();
    findings.add(Code::InternetExposure, "prod/web", "was reached from 9 outside addresses");
    findings.add_many(Code::RefusedConnection, "prod/web -> prod/db TCP 3306", "was refused", 3);
    findings.add(Code::UnattributedAddress, "10.244.1.9", "called prod/api TCP 5000");
    findings.add(Code::GuessedRanges, "10.244.0.0/16", "was taken for the pod range");
    summary.set_findings(&findings);
    summary
}

#[test]
fn a_run_that_went_well_fits_a_screen() {
    let text = terminal(&summary(), false);
    let expected = "\
read: captures/shop.pcap, 2026-09-21T14:13:20.000Z to 2026-09-21T14:18:20.000Z (5 min); 512 frames, 510 decoded, \
left out: 2 unsupported-frame
flows: 64 (61 answered, 2 unanswered, 1 refused), 13 edges
  prod  4 policies (1 default-deny, 1 dns, 1 internet, 1 workload) for 2 workloads
proof: 13 of 13 observed edges are allowed, and nothing else; 1 widening on purpose
coverage: 5 min watched, the last new edge 30 s before the end; if traffic goes on alike, about 3.3 % of connections will be on \
edges not seen yet (Good-Turing); the unseen edges are 0.5 or more (Chao1)
hold-out: policies learned from the first four fifths of the time (4 min) alone deny 1 of 14 connections that began later
serious: unattributed-address
  10.244.1.9 called prod/api TCP 5000
  hint: no rule was written: add an inventory taken while this address was in use (--inventory is repeatable)
warning: internet-exposure
  prod/web was reached from 9 outside addresses
  hint: this is wider than what was seen; --public exact allows the addresses seen and no others
warning: refused-connection
  prod/web -> prod/db TCP 3306 was refused (3 times)
  hint: no rule was written; the attempt was refused during the capture as well
note: guessed-ranges (1): give them with --pod-cidr and --service-cidr
files: 9 written, 0 unchanged, 0 removed; REVIEW.md says how to apply them
";
    assert_eq!(text, expected);
}

#[test]
fn many_subjects_are_cut_and_hostile_ones_are_harmless() {
    let mut findings = Findings::default();
    for number in 0..9 {
        findings.add(Code::Icmp, format!("{number}\u{1b}[2J\nfiles: 0"), "<script>|");
    }
    let mut summary = summary();
    summary.set_findings(&findings);
    let text = terminal(&summary, false);
    assert!(text.chars().all(|letter| letter == '\n' || !letter.is_control()), "{text:?}");
    assert!(text.contains("\n  and 4 more\n"), "{text}");
    assert_eq!(text.matches("hint:").count(), 1);
    let text = markdown(&summary, &Templates::embedded().expect("parses")).expect("renders");
    assert!(!text.contains("<script") && text.contains("&lt;script>\\|"), "{text}");
}

#[test]
fn what_is_left_out_is_said_as_it_is() {
    let said = |count: usize| {
        let mut findings = Findings::default();
        for number in 0..count {
            findings.add(Code::RefusedConnection, format!("{number:05}"), "was refused");
            findings.add(Code::Multicast, format!("{number:05}"), "was seen");
        }
        let mut summary = summary();
        summary.set_findings(&findings);
        (terminal(&summary, false), markdown(&summary, &Templates::embedded().expect("parses")).expect("renders"))
    };
    let (screen, review) = said(1000);
    assert!(screen.contains("\n  and 995 more\n  hint") && screen.contains("multicast (1000):"), "{screen}");
    assert!(review.contains("\n- and 900 more, which `--format json` lists\n\n"), "{review}");
    let (screen, review) = said(1234);
    assert!(screen.contains("\n  and 995 more\n  and 234 findings of further subjects, which were not kept\n  hint"), "{screen}");
    assert!(screen.contains("multicast (1000 and more):"), "{screen}");
    let rest = "\n- and 900 more, which `--format json` lists\n- and 234 of further subjects, which were counted and not kept\n";
    assert!(review.contains(rest), "{review}");
}

#[test]
fn one_edge_and_no_time_are_said_well() {
    let mut summary = summary();
    summary.edges = 1;
    summary.captures.seconds = 0;
    summary.proof = Some(Proof { allowed: 1, ..Proof::default() });
    let text = terminal(&summary, false);
    assert!(text.contains("proof: 1 of 1 observed edge is allowed") && text.contains("(less than 1 s)"), "{text}");
    let text = markdown(&summary, &Templates::embedded().expect("parses")).expect("renders");
    assert!(text.contains("allow 1 of 1 observed edge, and") && text.contains("lasted (less than 1 s)"), "{text}");
}

#[test]
fn colours_only_when_asked_for() {
    assert!(terminal(&summary(), true).contains("\u{1b}[1;31mserious: unattributed-address\u{1b}[0m\n"));
    assert!(!terminal(&summary(), false).contains('\u{1b}'));
}

#[test]
fn a_failed_proof_is_said_first_of_all() {
    let mut summary = summary();
    summary.proof = Some(Proof { allowed: 12, denied: vec!["prod/api -> prod/db TCP 3306".into()], ..Proof::default() });
    let text = terminal(&summary, false);
    assert!(text.contains("proof failed: 1 denied though observed\n  prod/api -> prod/db TCP 3306\n"), "{text}");
    let text = markdown(&summary, &Templates::embedded().expect("parses")).expect("renders");
    assert!(
        text.contains("**The proof failed.") && text.contains("- Observed and denied: prod/api -> prod/db TCP 3306\n"),
        "{text}"
    );
}

#[test]
fn the_review_is_this() {
    let text = markdown(&summary(), &Templates::embedded().expect("parses")).expect("renders");
    assert_eq!(text, include_str!("review.md"));
}

#[test]
fn a_partial_run_says_so() {
    let mut summary = summary();
    summary.scope = Some(vec!["prod".into(), "dev".into()]);
    let text = markdown(&summary, &Templates::embedded().expect("parses")).expect("renders");
    assert!(text.contains("\nThis run speaks for these namespaces only: `prod`, `dev`; the files of others"), "{text}");
    assert!(text.contains("\nThey take all namespaces of the directory"), "{text}");
}

#[test]
fn a_run_without_anything_still_has_a_review() {
    let text = markdown(&Summary::default(), &Templates::embedded().expect("parses")).expect("renders");
    assert!(text.contains("There is nothing to apply.") && !text.contains("kubectl"), "{text}");
    assert!(terminal(&Summary::default(), false).starts_with("read: 0 captures; 0 frames, 0 decoded\nflows: 0, 0 edges\n"));
}

#[test]
fn json_keeps_its_form() {
    let value: serde_json::Value = serde_json::from_str(&json(&summary()).expect("writes")).expect("reads");
    let keys: Vec<&str> = value.as_object().expect("object").keys().map(String::as_str).collect();
    let expected = [
        "captures",
        "coverage",
        "edges",
        "files",
        "findings",
        "flows",
        "frames",
        "namespaces",
        "proof",
        "scope",
        "tool",
        "version",
    ];
    assert_eq!(keys, expected);
    assert_eq!((&value["version"], &value["tool"]), (&1.into(), &"netpol-gen".into()));
    assert_eq!(
        value["namespaces"]["prod"]["policies"][1]["allows"][0],
        "to pods k8s-app=kube-dns of kube-system on TCP 53, UDP 53"
    );
    assert_eq!(value["findings"][0]["severity"], "serious");
}
