use std::collections::BTreeMap;

use super::samples;
use crate::coverage::{BackTest, Course, Coverage, Discovery, Estimate};
use crate::model::{Code, Edge, Findings, Party, Protocol, Span, Timestamp};
use crate::output::report::{
    Captures, Decided, DecisionLine, Frames, Proof, Quarantine, RejectedLine, Style, json, markdown, terminal,
};
use crate::output::sink::Written;
use crate::output::{Summary, Templates};
use crate::review::Reason;

/// Five minutes with two edges seen once and one seen twice.
fn coverage() -> Coverage {
    let course = Course {
        estimate: Estimate::new(61, 13, 2, 1, true),
        known: [4, 7, 9, 10, 10, 12, 12, 12, 13, 13],
        last_new: Some("2026-09-21T14:17:50.000Z".into()),
        seconds_since_new: Some(30),
    };
    let discovery = Discovery { seconds: 300, all: course.clone(), namespaces: BTreeMap::from([("prod".into(), course)]) };
    let back_test = BackTest { split: String::new(), learned_seconds: 240, connections: 14, denied: 1, denied_edges: 1 };
    Coverage { discovery, back_test: Some(back_test) }
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
        flow_classes: BTreeMap::from([
            ("edge".into(), 50),
            ("other-view".into(), 11),
            ("refused".into(), 1),
            ("unanswered".into(), 2),
        ]),
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
    let text = terminal(&summary(), Style::default());
    let expected = "\
read: captures/shop.pcap, 2026-09-21T14:13:20.000Z to 2026-09-21T14:18:20.000Z (5 min); 512 frames, 510 decoded, \
left out: 2 unsupported-frame
flows: 64 (61 answered, 2 unanswered, 1 refused), 13 edges
  of these: 50 in edges, 2 not answered, 1 refused, 11 other views of the same connections
  prod  4 policies (1 default-deny, 1 dns, 1 internet, 1 workload) for 2 workloads
proof: 13 of 13 observed edges are allowed, and nothing else; 1 rule is broader than observed, on purpose
coverage: 5 min watched, the last new edge 30 s before the end; if traffic goes on alike, about 3.3 % of connections will be on \
edges not seen yet (Good-Turing); the unseen edges are 0.5 or more (Chao1)
back-test: policies learned from the first four fifths of the time (4 min) alone deny 1 of 14 connections that began later
serious: unattributed-address
  10.244.1.9 called prod/api TCP 5000
  hint: no rule was written: add an inventory taken while this address was in use (--inventory is repeatable)
warning: internet-exposure
  prod/web was reached from 9 outside addresses
  hint: if only the addresses seen should be allowed, learn again with --public exact
warning: refused-connection
  prod/web -> prod/db TCP 3306 was refused (3 times)
  hint: no rule was written; if the call is wanted, make it work, capture again and learn again
note: guessed-ranges (1): give the ranges with --pod-cidr and --service-cidr
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
    let text = terminal(&summary, Style::default());
    assert!(text.chars().all(|letter| letter == '\n' || !letter.is_control()), "{text:?}");
    assert!(text.contains("\n  and 4 more\n"), "{text}");
    assert_eq!(text.matches("hint:").count(), 1);
    let text = markdown(&summary, &Templates::embedded().expect("parses")).expect("renders");
    assert!(!text.contains("<script") && text.contains("&lt;script>\\|"), "{text}");
}

#[test]
fn decisions_are_told_with_what_became_of_them() {
    let line = |kind: &str, what: &str, state: &str, matches: u64| DecisionLine {
        kind: kind.into(),
        what: what.into(),
        reason: "said <b>so</b>\n|\u{1b}[2J".into(),
        by: Some("*me*".into()),
        until: None,
        state: state.into(),
        matches,
        effects: Vec::new(),
    };
    let rejected = (0..7).map(|number| RejectedLine {
        edge: format!("prod/web -> 192.0.2.{number} TCP 80"),
        connections: number,
        reason: "no\u{1b}[2J".into(),
    });
    let mut summary = summary();
    summary.proof = Some(Proof { allowed: 6, rejected: 7, ..Proof::default() });
    summary.decisions = Some(Decided {
        file: "a/`netpol`-gen.yaml".into(),
        decisions: vec![
            line("accept", "prod/web -> prod/api TCP 80", "unmatched", 0),
            line("reject", "prod/web -> outside any port", "obeyed", 7),
            line("rename", "prod/a to b", "elsewhere", 0),
            line("ignore", "icmp", "expired", 0),
            line("ignore", "flood", "expired", 0),
        ],
        rejected: rejected.collect(),
        ignored: Vec::new(),
    });
    let text = terminal(&summary, Style::default());
    let expected = "proof: 6 of 13 observed edges are allowed, 7 denied by decision, and nothing else\n\
         decisions: a/`netpol`-gen.yaml: 1 applied (1 reject), 1 matches nothing that was seen, 2 have expired, 1 is about other namespaces\n  \
         denied: prod/web -> 192.0.2.0 TCP 80 (0 connections): no\\u{1b}[2J\n";
    assert!(text.contains(expected) && text.contains("\n  and 2 more\n"), "{text}");
    let text = markdown(&summary, &Templates::embedded().expect("parses")).expect("renders");
    let row = "\n| reject prod/web -> outside any port | said &lt;b>so&lt;/b>\\\\n\\|\\\\u{1b}\\[2J (\\*me\\*) | 7 edges |\n";
    assert!(text.contains(row), "{text}");
    assert!(text.contains("| nothing: it is about other namespaces than this run |\n"), "{text}");
    assert!(text.contains("\n- prod/web -> 192.0.2.1 TCP 80 (1 connection): no"), "{text}");
    assert!(text.contains("allow 6 of 13 observed edges, deny 7 by decision, and nothing else."), "{text}");
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
        (terminal(&summary, Style::default()), markdown(&summary, &Templates::embedded().expect("parses")).expect("renders"))
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
    let text = terminal(&summary, Style::default());
    assert!(text.contains("proof: 1 of 1 observed edge is allowed") && text.contains("(less than 1 s)"), "{text}");
    let text = markdown(&summary, &Templates::embedded().expect("parses")).expect("renders");
    assert!(text.contains("allow 1 of 1 observed edge, and") && text.contains("during the capture (less than 1 s)"), "{text}");
}

#[test]
fn colours_only_when_asked_for() {
    assert!(
        terminal(&summary(), Style { colours: true, ..Style::default() })
            .contains("\u{1b}[1;31mserious: unattributed-address\u{1b}[0m\n")
    );
    assert!(!terminal(&summary(), Style::default()).contains('\u{1b}'));
}

#[test]
fn a_failed_proof_is_said_first_of_all() {
    let mut summary = summary();
    summary.proof = Some(Proof { allowed: 12, denied: vec!["prod/api -> prod/db TCP 3306".into()], ..Proof::default() });
    let text = terminal(&summary, Style::default());
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
    assert_eq!(text, include_str!("report.md"));
}

#[test]
fn a_partial_run_says_so() {
    let mut summary = summary();
    summary.scope = Some(vec!["prod".into(), "dev".into()]);
    let text = markdown(&summary, &Templates::embedded().expect("parses")).expect("renders");
    assert!(text.contains("\nThis run covers only these namespaces: `prod`, `dev`. It left the files"), "{text}");
    assert!(text.contains("\nThey apply to all namespaces of the directory"), "{text}");
}

#[test]
fn a_run_without_anything_still_has_a_review() {
    let text = markdown(&Summary::default(), &Templates::embedded().expect("parses")).expect("renders");
    assert!(text.contains("There is nothing to apply.") && !text.contains("kubectl"), "{text}");
    assert!(
        terminal(&Summary::default(), Style::default()).starts_with("read: 0 captures; 0 frames, 0 decoded\nflows: 0, 0 edges\n")
    );
}

#[test]
fn json_keeps_its_form() {
    let value: serde_json::Value = serde_json::from_str(&json(&summary()).expect("writes")).expect("reads");
    let keys: Vec<&str> = value.as_object().expect("object").keys().map(String::as_str).collect();
    let expected = [
        "captures",
        "coverage",
        "decisions",
        "edges",
        "files",
        "findings",
        "flow_classes",
        "flows",
        "frames",
        "namespaces",
        "proof",
        "quarantine",
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

#[test]
fn what_is_in_quarantine_is_told_with_why_and_how_to_accept_it() {
    let edge = |name: &str| Edge {
        originator: Party::Workload(samples::workload("prod", name).into()),
        responder: Party::Workload(samples::workload("prod", "db").into()),
        protocol: Protocol::Tcp,
        port: samples::port(3306),
    };
    let odd = edge("api\u{1b}[2J|<b>\n");
    let reasons = BTreeMap::from([
        (odd.clone(), [Reason::Scan { targets: 12 }, Reason::OneOff { others: 40 }].into()),
        (edge("web"), [Reason::ForeignResolver].into()),
    ]);
    let mut apart = samples::ingress_to_db("prod");
    apart.policy.name = "quarantined-allow-ingress-to-db".into();
    let mut summary = summary();
    summary.quarantine = Some(Quarantine::new(&reasons, |edge| *edge == odd, &[apart]));
    summary.proof = Some(Proof { allowed: 11, quarantined: 2, ..Proof::default() });
    let text = terminal(&summary, Style::default());
    let expected = "\
proof: 11 of 13 observed edges are allowed, 2 are in quarantine, and nothing else
quarantine: 1 edge is denied for now
  prod/api\\u{1b}[2J|<b>\\n -> prod/db TCP 3306 (found-by-scan, one-off-connection)
quarantine: 1 edge is allowed, by a rule that is broader than observed on purpose
  prod/web -> prod/db TCP 3306 (foreign-resolver)
  hint: the rules are in NAMESPACE/_quarantine/, which no kustomization includes; accept what is wanted in netpol-gen.yaml
";
    assert!(text.contains(expected), "{text}");
    let text = markdown(&summary, &Templates::embedded().expect("parses")).expect("renders");
    for line in [
        "| prod/web -> prod/db TCP 3306 | `foreign-resolver`: asks for names elsewhere than at the cluster's resolver | allowed, by a rule",
        "`found-by-scan`: was first used while its originator looked around: it tried 12 ports and addresses in vain<br>`one-off-connection`",
        "| db (Deployment): from pods name=api-pod on TCP 3306 | `kubectl apply -f prod/_quarantine/quarantined-allow-ingress-to-db.yaml` |",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(!text.contains("<b>") && !text.contains('\u{1b}'), "{text}");

    summary.quarantine = Some(Quarantine::default());
    summary.proof = Some(Proof { allowed: 13, ..Proof::default() });
    assert!(terminal(&summary, Style::default()).contains("and nothing else\nquarantine: nothing suspicious was seen\n"));
    let text = markdown(&summary, &Templates::embedded().expect("parses")).expect("renders");
    assert!(text.contains("\n## Quarantine\n\nNothing suspicious was seen.\n\n## Was the capture"), "{text}");
}
