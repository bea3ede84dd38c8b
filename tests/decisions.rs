//! Decisions of reviewers, as whole commands: obeyed, said, and refused where they cannot be.

#![expect(clippy::unwrap_used, reason = "in tests a failed unwrap is the failure to report")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

/// Three users outside call web, which a load balancer exposes; web calls api, api calls db, db calls 192.168.5.10 TCP 80.
const BACKUP: &str = "shop-backup-out";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn result(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    result(&Command::new(env!("CARGO_BIN_EXE_netpol-gen")).current_dir(root()).args(arguments).output().unwrap())
}

/// A place for files and policies.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn decide(&self, text: &str) -> String {
        let path = self.path("decisions.yaml");
        fs::write(&path, format!("version: 1\n{text}")).unwrap();
        path
    }

    fn learn(&self, name: &str, decisions: &str, more: &[&str]) -> (Option<i32>, String, String) {
        let (capture, inventory) = (format!("captures/{name}.pcap"), format!("captures/{name}.yaml"));
        let (file, output) = (self.decide(decisions), self.path("policies"));
        let given = ["learn", "--read", &capture, "--inventory", &inventory, "--decisions", &file, "--output", &output];
        run(&[&given, more].concat())
    }

    /// Learned, with exit code 0.
    fn learned(&self, decisions: &str, more: &[&str]) -> String {
        let (code, _, stderr) = self.learn(BACKUP, decisions, more);
        assert_eq!(code, Some(0), "{stderr}");
        stderr
    }

    fn verify(&self, more: &[&str]) -> (Option<i32>, String, String) {
        let (capture, inventory) = (format!("captures/{BACKUP}.pcap"), format!("captures/{BACKUP}.yaml"));
        let policies = self.path("policies");
        run(&[&["verify", "--policies", &policies, "--read", &capture, "--inventory", &inventory], more].concat())
    }

    fn policy(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.0.path().join(format!("policies/prod/{name}.yaml"))).ok()
    }

    fn review(&self) -> String {
        fs::read_to_string(self.0.path().join("policies/REVIEW.md")).unwrap()
    }
}

const REJECT: &str = "reject:
- from: prod/db
  to: 192.168.5.10
  port: TCP 80
  reason: backups are pulled, <not> pushed
";

const WIDEN: &str = "widen:
- from: prod/db
  to: 192.168.5.0/28
  port: TCP 80
  bound: 15
  reason: the backup servers are a pool
";

#[test]
fn a_rejected_edge_is_denied_and_said_to_be() {
    let place = Place::new();
    let stderr = place.learned(REJECT, &[]);
    for part in [
        "proof: 5 of 6 observed edges are allowed, 1 denied by decision, and nothing else; 1 rule is broader than observed, on purpose\n",
        "decisions.yaml: 1 applied (1 reject)\n",
        "  denied: prod/db -> 192.168.5.10 TCP 80 (2 connections): backups are pulled, <not> pushed\n",
        // The two connections to the backup server began in the last fifth of the time.
        "alone deny none of 2 connections that began later\n",
    ] {
        assert!(stderr.contains(part), "no {part:?} in\n{stderr}");
    }
    assert_eq!(place.policy("allow-db-to-192-168-5-10"), None);
    assert!(place.review().contains("- prod/db -> 192.168.5.10 TCP 80 (2 connections): backups are pulled, &lt;not> pushed\n"));

    let (code, stdout, _) = place.verify(&[]);
    assert_eq!(code, Some(1));
    assert!(stdout.starts_with("6 edges: 5 allowed, 1 denied\ndenied: prod/db -> 192.168.5.10 TCP 80\n"), "{stdout}");
    let decisions = place.path("decisions.yaml");
    let (code, stdout, _) = place.verify(&["--decisions", &decisions]);
    assert_eq!(code, Some(0), "{stdout}");
    let said = "6 edges: 5 allowed, 0 denied, 1 rejected by decision\nrejected by decision: prod/db -> 192.168.5.10 TCP 80: backups are pulled";
    assert!(stdout.starts_with(said), "{stdout}");
}

#[test]
fn policies_that_allow_what_is_rejected_are_told_on() {
    let place = Place::new();
    place.learned("", &[]);
    let decisions = place.decide(REJECT);
    let (code, stdout, _) = place.verify(&["--decisions", &decisions, "--format", "json"]);
    let told: Value = serde_json::from_str(&stdout).unwrap();
    let expected = json!([{"originator": "prod/db", "responder": "192.168.5.10", "protocol": "TCP", "port": 80,
        "reason": "backups are pulled, <not> pushed", "is_allowed": true}]);
    assert_eq!((code, &told["rejected"], &told["denied"]), (Some(1), &expected, &json!([])));
    let (code, stdout, _) = place.verify(&["--decisions", &decisions]);
    assert_eq!(code, Some(1));
    assert!(stdout.contains("rejected by decision, and allowed: prod/db -> 192.168.5.10 TCP 80: backups"), "{stdout}");
}

#[test]
fn policies_of_an_earlier_run_that_still_allow_it_are_a_finding() {
    let place = Place::new();
    place.learned("", &[]);
    let applied = place.path("applied.yaml");
    fs::write(&applied, place.policy("allow-db-to-192-168-5-10").unwrap()).unwrap();
    let stderr = place.learned(REJECT, &["--inventory", &applied]);
    let said =
        "  prod/allow-db-to-192-168-5-10 would still let prod/db -> 192.168.5.10 TCP 80 through, which is rejected by decision\n";
    assert!(stderr.contains(said), "{stderr}");
    // One that this run makes takes its place, whatever it said.
    let applied = fs::read_to_string(&applied).unwrap().replace("allow-db-to-192-168-5-10", "allow-ingress-to-db");
    fs::write(place.path("applied.yaml"), applied).unwrap();
    let stderr = place.learned(REJECT, &["--inventory", &place.path("applied.yaml")]);
    assert!(!stderr.contains("would still let"), "{stderr}");
}

#[test]
fn a_range_takes_the_place_of_the_addresses_seen_and_is_counted() {
    let place = Place::new();
    let stderr = place.learned(WIDEN, &[]);
    assert!(
        stderr.contains(
            "proof: 6 of 6 observed edges are allowed, and nothing else; 2 rules are broader than observed, on purpose\n"
        ),
        "{stderr}"
    );
    assert_eq!(place.policy("allow-db-to-192-168-5-10"), None);
    let policy = place.policy("allow-db-to-192-168-5-0-28").unwrap();
    let note =
        "# Note: By decision: 192.168.5.0/28, which adds 15 addresses that were not seen (the backup servers are a pool)\n";
    assert!(policy.contains(note), "{policy}");
    let rule = "  # prod/db -> 192.168.5.10 TCP 80\n  #   2 connections, ";
    assert!(policy.contains(rule), "the evidence is still there: {policy}");
    assert!(
        policy.contains("    - ipBlock:\n        cidr: 192.168.5.0/28\n    ports:\n    - protocol: TCP\n      port: 80\n"),
        "{policy}"
    );
    assert!(place.review().contains("| 1 edge<br>prod/db: 1 seen, 15 added |"), "{}", place.review());
    // What is unused of it is so on purpose, for those who know the decision.
    let (code, stdout, _) = place.verify(&["--deny-excess", "--without-cluster"]);
    assert_eq!(code, Some(1), "{stdout}");
    let decisions = place.path("decisions.yaml");
    let (code, stdout, _) = place.verify(&["--deny-excess", "--without-cluster", "--decisions", &decisions]);
    assert_eq!(code, Some(0), "{stdout}");
    assert!(stdout.contains("widened by decision: the backup servers are a pool"), "{stdout}");
}

#[test]
fn ports_of_a_range_are_those_seen() {
    let place = Place::new();
    let callers = "widen:
- {from: 198.51.100.0/24, to: prod/web, port: TCP 80-90, bound: 256, reason: the offices}
- {from: 198.51.100.0/24, to: prod/web, port: TCP 443, bound: 256, reason: the offices with TLS}
";
    let stderr = place.learned(callers, &[]);
    assert!(stderr.contains("1 applied (1 widen), 1 matches nothing that was seen\n"), "{stderr}");
    let policy = place.policy("allow-198-51-100-0-24-to-web").unwrap();
    assert!(policy.contains("adds 254 addresses that were not seen (the offices)\n"), "{policy}");
    assert!(!policy.contains("TLS") && !policy.contains("443"), "a port that was not seen is not allowed: {policy}");
}

#[test]
fn a_range_of_callers_closes_what_was_open_to_everyone() {
    let place = Place::new();
    let callers = "widen:
- {from: 198.51.100.0/24, to: prod/web, port: TCP 80, bound: 256, reason: the offices}
- {from: 203.0.113.48/30, to: prod/web, port: TCP 80, bound: 3, reason: the branch}
";
    let half = callers.lines().take(2).collect::<Vec<_>>().join("\n");
    let any = ["--public", "any"];
    place.learned(&half, &any);
    assert!(place.policy("allow-internet-to-web").is_some(), "one caller is in no range");
    place.learned(&half, &[]);
    assert_eq!(
        place.policy("allow-internet-to-web"),
        None,
        "those of a range are no evidence of a public, and one other is none"
    );
    assert!(place.policy("allow-203-0-113-50-to-web").unwrap().contains("cidr: 203.0.113.50/32\n"));
    place.learned(callers, &any);
    assert_eq!(place.policy("allow-internet-to-web"), None);
    assert!(place.policy("allow-198-51-100-0-24-to-web").unwrap().contains("cidr: 198.51.100.0/24\n"));
    assert!(place.policy("allow-203-0-113-48-30-to-web").unwrap().contains("cidr: 203.0.113.48/30\n"));
}

#[test]
fn a_rejected_caller_is_cut_out_of_what_is_open_to_everyone() {
    let place = Place::new();
    let decisions = "reject:
- {from: 203.0.113.0/24, to: prod/web, port: TCP 80, reason: scanners}
- {from: 192.0.2.0/24, to: prod/web, port: any, reason: those of last week}
- {from: 192.0.2.0/24, to: prod/api, port: any, reason: api is not exposed}
";
    let stderr = place.learned(decisions, &["--public", "any"]);
    let policy = place.policy("allow-internet-to-web").unwrap();
    let except = "        - 192.0.0.0/24\n        - 192.0.2.0/24\n        - 192.168.0.0/16\n        - 198.18.0.0/15\n        \
                  - 203.0.113.0/24\n        - 224.0.0.0/3\n    ports:\n";
    assert!(policy.contains(except), "{policy}");
    assert!(policy.contains("# Note: By decision: reject 203.0.113.0/24 -> prod/web TCP 80 (scanners)\n"), "{policy}");
    assert!(stderr.contains("2 applied (2 reject), 1 matches nothing that was seen\n"), "{stderr}");
    assert!(stderr.contains("every address on the internet but those rejected is allowed to\n"), "{stderr}");
    place.learned(decisions, &[]);
    assert_eq!(place.policy("allow-internet-to-web"), None, "who is rejected is no evidence of a public");
}

#[test]
fn names_are_as_decided() {
    let place = Place::new();
    let rename = "rename:
- {namespace: prod, from: allow-db-to-192-168-5-10, to: allow-db-to-backup, reason: its name}
- {namespace: prod, from: allow-ingress-to-db, to: db-callers, reason: shorter}
";
    let stderr = place.learned(rename, &[]);
    assert!(stderr.contains("2 applied (2 rename)\n"), "{stderr}");
    assert_eq!((place.policy("allow-db-to-192-168-5-10"), place.policy("allow-ingress-to-db")), (None, None));
    let policy = place.policy("allow-db-to-backup").unwrap();
    assert!(policy.contains("\n  name: allow-db-to-backup\n"), "{policy}");
    assert!(policy.contains("# Note: By decision: named so instead of allow-db-to-192-168-5-10 (its name)\n"), "{policy}");

    let taken = "rename:\n- {namespace: prod, from: allow-ingress-to-db, to: allow-ingress-to-api, reason: mistaken}\n";
    let (code, _, stderr) = place.learn(BACKUP, taken, &[]);
    assert_eq!(code, Some(2), "{stderr}");
    let said =
        "`rename prod/allow-ingress-to-db to allow-ingress-to-api`: prod/allow-ingress-to-api would have that name too\nhint: ";
    assert!(stderr.contains(said), "{stderr}");

    let swapped = "rename:
- {namespace: prod, from: allow-ingress-to-db, to: allow-ingress-to-api, reason: one}
- {namespace: prod, from: allow-ingress-to-api, to: allow-ingress-to-db, reason: other}
";
    place.learned(swapped, &[]);
    assert!(place.policy("allow-ingress-to-db").unwrap().contains("netpol-gen/workload: Deployment/api\n"));
}

#[test]
fn ignored_findings_are_counted_and_do_not_deny() {
    let place = Place::new();
    let until = |day: &str| {
        format!("ignore:\n- {{code: internet-exposure, subject: prod/web, until: {day}, reason: a shop is public}}\n")
    };
    let deny = ["--deny", "internet-exposure"];
    let stderr = place.learned(&until("9999-12-31"), &deny);
    assert!(stderr.contains("1 applied (1 ignore)\n  1 finding ignored; REVIEW.md lists them\n"), "{stderr}");
    assert!(!stderr.contains("warning: internet-exposure"), "{stderr}");
    assert!(place.review().contains("- warning `internet-exposure`: prod/web is exposed on TCP 80"), "{}", place.review());

    let (code, _, stderr) = place.learn(BACKUP, &until("2020-01-31"), &deny);
    assert_eq!(code, Some(1), "{stderr}");
    for part in [
        "none applied, 1 has expired\n",
        "warning: internet-exposure\n",
        "warning: decision-expired\n  ignore internet-exposure of prod/web counted until 2020-01-31 and counts no more\n",
    ] {
        assert!(stderr.contains(part), "no {part:?} in\n{stderr}");
    }
}

#[test]
fn decisions_that_mean_nothing_are_a_finding() {
    let place = Place::new();
    let decisions = "accept:\n- {from: prod/web, to: prod/db, port: TCP 3306, reason: not seen}\n";
    let (code, stdout, _) = place.learn(BACKUP, decisions, &["--deny", "decision-unmatched", "--format", "json"]);
    let summary: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(code, Some(1));
    let line = json!({"kind": "accept", "what": "prod/web -> prod/db TCP 3306", "reason": "not seen", "by": null, "until": null,
        "state": "unmatched", "matches": 0, "effects": []});
    assert_eq!(summary["decisions"]["decisions"], json!([line]));
    assert_eq!(summary["proof"]["rejected"], 0);
    assert!(!place.policy("allow-egress-from-web").unwrap().contains("db"), "nothing is added that was not seen");
    let codes: Vec<&Value> = summary["findings"].as_array().unwrap().iter().map(|finding| &finding["code"]).collect();
    assert!(codes.contains(&&json!("decision-unmatched")), "{codes:?}");
}

#[test]
fn decisions_of_other_namespaces_are_not_missed() {
    let place = Place::new();
    let decisions = "reject:
- {from: staging/api, to: staging/db, port: any, reason: not here}
- {from: prod/api, to: prod/db, port: TCP 3306, reason: here}
";
    let (code, _, stderr) = place.learn("shop-namespaces", decisions, &["--namespace", "prod"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("1 applied (1 reject), 1 is about other namespaces\n"), "{stderr}");
    assert!(!stderr.contains("decision-unmatched"), "{stderr}");
}

#[test]
fn what_cannot_be_obeyed_is_refused_and_nothing_is_written() {
    let both = format!("{REJECT}accept:\n- {{from: 'prod/*', to: outside, port: any, reason: all may}}\n");
    let rows: [(&str, &str, &[&str]); 6] = [
        (
            "a contradiction",
            &both,
            &["`reject prod/db -> 192.168.5.10 TCP 80` (line 3)", "`accept prod/* -> outside any port` (line 8)", "contradict"],
        ),
        (
            "pods in a range",
            "widen:\n- {from: prod/db, to: 10.244.0.0/16, port: TCP 80, bound: 65536, reason: pods}\n",
            &["line 3: `widen prod/db -> 10.244.0.0/16 TCP 80`: 10.244.0.0/16 overlaps the pod range 10.244."],
        ),
        (
            "metadata in a range",
            "widen:\n- {from: prod/db, to: 169.254.0.0/16, port: TCP 80, bound: 65536, reason: links}\n",
            &["169.254.0.0/16, link-local addresses and metadata services"],
        ),
        (
            "a range beyond its bound",
            "widen:\n- {from: prod/db, to: 192.168.5.0/24, port: TCP 80, bound: 15, reason: a pool}\n",
            &["would add 255 addresses to those that prod/db was seen with, and its bound is 15"],
        ),
        ("a file that is no such file", "refuse: []\n", &["decisions.yaml: line 2, column 1", "refuse"]),
        (
            "all of it rejected",
            "reject:\n- {from: 'prod/*', to: 'prod/*', port: any, reason: all}\n- {from: 'prod/*', to: outside, port: any, reason: all}\n- {from: outside, to: 'prod/*', port: any, reason: all}\n",
            &["all 6 edges seen are rejected by decision"],
        ),
    ];
    for (message, decisions, expected) in rows {
        let place = Place::new();
        let (code, stdout, stderr) = place.learn(BACKUP, decisions, &[]);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{message}: {stderr}");
        for part in expected.iter().copied().chain(["error: failed to ", "\nhint: "]) {
            assert!(stderr.contains(part), "{message}: no {part:?} in\n{stderr}");
        }
        assert!(!Path::new(&place.path("policies")).exists(), "{message}: nothing is written");
    }
}

#[test]
fn a_range_that_would_let_a_rejected_edge_through_is_caught() {
    // 198.51.100.7 is rejected; 198.51.100.23 makes the range that holds both a rule.
    let decisions = "reject:
- {from: 198.51.100.7, to: prod/web, port: TCP 80, reason: a scanner}
widen:
- {from: 198.51.100.0/24, to: prod/web, port: TCP 80, bound: 256, reason: the offices}
";
    let place = Place::new();
    let (code, _, stderr) = place.learn(BACKUP, decisions, &[]);
    assert_eq!(code, Some(2), "{stderr}");
    let said = "`reject 198.51.100.7 -> prod/web TCP 80` (line 3) and `widen 198.51.100.0/24 -> prod/web TCP 80` (line 5) contradict each \
                other: both mean addresses of 198.51.100.0/24 with prod/web on TCP 80";
    assert!(stderr.contains(said), "{stderr}");
}

#[test]
fn the_same_decisions_in_any_order_give_the_same_bytes() {
    let one = "reject:
- {from: 203.0.113.50, to: prod/web, port: TCP 80, reason: a}
- {from: prod/api, to: prod/db, port: TCP 3306, reason: b}
ignore:
- {code: icmp, reason: c}
- {code: start-not-seen, reason: d}
rename:
- {namespace: prod, from: allow-egress-from-web, to: web-calls, reason: e}
";
    let other = "rename:
- {reason: e, to: web-calls, from: allow-egress-from-web, namespace: prod}
ignore:
- {code: start-not-seen, reason: d}
- {code: icmp, reason: c}
reject:
- {from: prod/api, to: prod/db, port: TCP 3306, reason: b}

- {from: 203.0.113.50, to: prod/web, port: TCP 80, reason: a}
";
    // The files have the same name, which the review tells.
    let learn = |text: &str| {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("netpol-gen.yaml"), format!("version: 1\n{text}")).unwrap();
        let capture = root().join(format!("captures/{BACKUP}"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_netpol-gen"));
        command.current_dir(folder.path()).args(["learn", "--public", "any", "--read"]).arg(capture.with_extension("pcap"));
        let output = command.arg("--inventory").arg(capture.with_extension("yaml")).output().unwrap();
        let (code, _, stderr) = result(&output);
        assert_eq!(code, Some(0), "{stderr}");
        let read = |path: &str| fs::read_to_string(folder.path().join("policies").join(path)).unwrap();
        (stderr, read("REVIEW.md"), read("prod/web-calls.yaml"), read("prod/allow-internet-to-web.yaml"))
    };
    let (first, second) = (learn(one), learn(other));
    assert_eq!(first, second);
    assert!(first.0.starts_with("decisions: applying netpol-gen.yaml; "), "{}", first.0);
}

#[test]
fn the_file_of_the_directory_is_taken_unless_it_is_declined() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("netpol-gen.yaml"), "broken").unwrap();
    let capture = root().join(format!("captures/{BACKUP}"));
    let learn = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_netpol-gen"));
        command.current_dir(folder.path()).arg("learn").arg("--read").arg(capture.with_extension("pcap"));
        result(&command.arg("--inventory").arg(capture.with_extension("yaml")).args(more).output().unwrap())
    };
    let (code, _, stderr) = learn(&[]);
    assert_eq!(code, Some(2), "a broken file is never passed over: {stderr}");
    assert!(stderr.contains("failed to apply the decisions of netpol-gen.yaml: line 1"), "{stderr}");
    let (code, _, stderr) = learn(&["--decisions", "none.yaml"]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("failed to read the decisions of none.yaml"), "{stderr}");
    let (code, _, stderr) = learn(&["--no-decisions"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(!stderr.contains("decisions:"), "{stderr}");
}
