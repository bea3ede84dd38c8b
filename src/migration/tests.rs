//! Steps and objections, each against what the scenario says.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::networking::v1::NetworkPolicy;
use serde_json::{Value, json};

use super::*;
use crate::coverage::{BackTest, Estimate};
use crate::inventory::{InventoryBuilder, InventoryOptions};
use crate::model::{Code, WorkloadKind};
use crate::verify::Direction;

/// Two namespaces, `a` with web and db, `b` with job runners, and one without policies.
fn inventory() -> Inventory {
    let pod = |namespace: &str, name: &str, address: &str| {
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
            "spec": {"nodeName": "node-1", "containers": [{"name": "x"}]},
            "status": {"podIP": address, "podIPs": [{"ip": address}], "phase": "Running"},
        })
    };
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"},
        "status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.1"}]}});
    let cron = json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "nightly", "namespace": "b"},
        "spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": {"metadata": {"labels": {"app": "nightly"}}}}}}});
    let mut builder = InventoryBuilder::new();
    for object in [
        node,
        pod("a", "db", "10.0.0.1"),
        pod("a", "web", "10.0.0.2"),
        pod("b", "runner", "10.0.1.1"),
        cron,
        pod("c", "forgotten", "10.0.2.1"),
        pod("kube-system", "dns", "10.0.3.1"),
    ] {
        builder.apply_value(object);
    }
    builder.build(&InventoryOptions::default())
}

fn policy(namespace: &str, name: &str, spec: &Value) -> NetworkPolicy {
    serde_json::from_value(json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace}, "spec": spec,
    }))
    .expect("a policy")
}

fn deny(namespace: &str) -> NetworkPolicy {
    policy(namespace, "default-deny-all", &json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}))
}

/// Web may call db.
fn allow() -> [NetworkPolicy; 2] {
    let ports = json!([{"protocol": "TCP", "port": 5432}]);
    let pods = |app: &str| json!({"matchLabels": {"app": app}});
    [
        policy(
            "a",
            "allow-egress-from-web",
            &json!({"podSelector": pods("web"), "policyTypes": ["Egress"],
            "egress": [{"to": [{"podSelector": pods("db")}], "ports": ports}]}),
        ),
        policy(
            "a",
            "allow-ingress-to-db",
            &json!({"podSelector": pods("db"), "policyTypes": ["Ingress"],
            "ingress": [{"from": [{"podSelector": pods("web")}], "ports": ports}]}),
        ),
    ]
}

fn given(policies: &[NetworkPolicy]) -> BTreeMap<PolicyName, Given> {
    let one = |object: &NetworkPolicy| {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let name = PolicyName { namespace: text(&object.metadata.namespace), name: text(&object.metadata.name) };
        let digest = serde_json::to_string(&object.spec).expect("JSON");
        (name, Given { object: object.clone(), digest })
    };
    policies.iter().map(one).collect()
}

fn all() -> Vec<NetworkPolicy> {
    [allow().to_vec(), vec![deny("a"), deny("b")]].concat()
}

fn terms() -> Terms {
    Terms { most_chance: 0.01, least_seconds: 86_400, accepted: BTreeSet::new() }
}

fn course(connections: u64, edges: u64, seen_once: u64) -> Course {
    Course {
        estimate: Estimate::new(connections, edges, seen_once, 0, true),
        known: [edges; 10],
        last_new: None,
        seconds_since_new: Some(7200),
    }
}

/// Evidence without a flaw, of these policies.
fn evidence(policies: &[NetworkPolicy]) -> Evidence {
    Evidence {
        seconds: 604_800,
        namespaces: BTreeMap::from([("a".into(), course(5000, 10, 0)), ("b".into(), course(900, 5, 1))]),
        back_test: Some(BackTest { connections: 1000, ..BackTest::default() }),
        findings: BTreeSet::new(),
        policies: Some(given(policies).into_iter().map(|(name, given)| (name, given.digest)).collect()),
    }
}

struct Case {
    policies: Vec<NetworkPolicy>,
    existing: Vec<NetworkPolicy>,
    evidence: Option<Evidence>,
    namespaces: Option<BTreeSet<String>>,
    quarantined: BTreeMap<String, Vec<String>>,
    terms: Terms,
}

impl Case {
    fn new() -> Self {
        Self {
            policies: all(),
            existing: Vec::new(),
            evidence: Some(evidence(&all())),
            namespaces: Some(["a", "b"].map(str::to_owned).into()),
            quarantined: BTreeMap::new(),
            terms: terms(),
        }
    }

    fn plan(&self) -> Migration {
        let inventory = inventory();
        let wanted = Wanted {
            policies: &given(&self.policies),
            existing: &self.existing,
            inventory: &inventory,
            world: &ClusterView::from_inventory(&inventory),
            evidence: self.evidence.as_ref(),
            denied: &BTreeMap::new(),
            quarantined: &self.quarantined,
            namespaces: self.namespaces.as_ref(),
        };
        Migration::new(&wanted, &self.terms).expect("a plan")
    }
}

fn reasons(migration: &Migration) -> Vec<(String, &'static str)> {
    let all = migration.objections.iter().chain(migration.namespaces.iter().flat_map(|namespace| &namespace.objections));
    let about = |about: &About| match about {
        About::Everything => "all".to_owned(),
        About::Namespace(namespace) => namespace.clone(),
        About::Workload(workload) => workload.to_string(),
    };
    all.map(|objection| (about(&objection.about), objection.reason.name())).collect()
}

fn names(workloads: Option<&BTreeSet<WorkloadName>>) -> Vec<&str> {
    workloads.into_iter().flatten().map(|workload| workload.name.as_str()).collect()
}

#[test]
fn steps_come_in_order_and_say_whom_they_isolate() {
    let migration = Case::new().plan();
    let namespace = &migration.namespaces[0];
    assert_eq!(namespace.name, "a");
    let told: Vec<_> = namespace
        .steps
        .iter()
        .map(|step| {
            let way = |direction| names(step.isolates.get(&direction));
            (step.phase, step.policies.len(), way(Direction::Ingress), way(Direction::Egress))
        })
        .collect();
    let expected = [
        (Phase::Allow, 2, vec!["db"], vec!["web"]),
        (Phase::DenyIngress, 1, vec!["web"], vec![]),
        (Phase::DenyEgress, 1, vec![], vec!["db"]),
    ];
    assert_eq!(told, expected, "an allow rule isolates its pod at once, in its direction");
    let [allow, ingress, egress] = &namespace.steps[..] else { panic!("three steps") };
    assert!(allow.silences.is_empty(), "both are allowed something");
    assert_eq!(names(ingress.silences.get(&Direction::Ingress)), ["web"], "nobody was seen to call it");
    let types = |step: &Step| step.policies.values().next().and_then(|policy| policy.spec.clone()?.policy_types);
    assert_eq!(types(ingress).as_deref(), Some(&["Ingress".to_owned()][..]));
    assert_eq!(types(egress).map(|types| types.len()), Some(2));
    let b: Vec<Phase> = migration.namespaces[1].steps.iter().map(|step| step.phase).collect();
    assert_eq!(b, [Phase::DenyIngress, Phase::DenyEgress], "nothing is allowed there, so there is no such step");
    assert_eq!(migration.namespaces[1].schedules.values().collect::<Vec<_>>(), [&("`0 3 * * *` UTC".to_owned(), Some(86_400))]);
    assert!(migration.is_ready(), "{:?}", reasons(&migration));
}

#[test]
fn what_the_cluster_has_is_not_done_again_nor_taken_back() {
    let half = policy("a", "default-deny-all", &json!({"podSelector": {}, "policyTypes": ["Ingress"]}));
    let rows: [(Vec<NetworkPolicy>, [bool; 3], &str); 4] = [
        (vec![], [false, false, false], "nothing is there"),
        (allow().to_vec(), [true, false, false], "after the first step"),
        ([allow().to_vec(), vec![half]].concat(), [true, true, false], "after the second"),
        ([allow().to_vec(), vec![deny("a")]].concat(), [true, true, true], "after the third"),
    ];
    for (existing, expected, message) in rows {
        let migration = Case { existing, ..Case::new() }.plan();
        let namespace = migration.namespaces.iter().find(|namespace| namespace.name == "a").expect("a");
        assert_eq!(namespace.steps.iter().map(|step| step.is_done).collect::<Vec<_>>(), expected, "{message}");
        assert_eq!(namespace.is_done(), expected == [true; 3], "{message}");
    }
    // The whole deny is there and a rule is new: the deny is not first taken back to ingress alone.
    let migration = Case { existing: vec![deny("a")], ..Case::new() }.plan();
    let namespace = migration.namespaces.iter().find(|namespace| namespace.name == "a").expect("a");
    assert!(namespace.steps.iter().all(|step| step.in_part.is_empty()), "{namespace:?}");
    assert!(namespace.steps[0].isolates.is_empty(), "all are isolated already");
    // Another policy of the same name is replaced, and what it said is kept for the way back.
    let other = policy("a", "allow-ingress-to-db", &json!({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]}));
    let migration = Case { existing: vec![other.clone()], ..Case::new() }.plan();
    let namespace = migration.namespaces.iter().find(|namespace| namespace.name == "a").expect("a");
    let change = namespace.steps[0].changes.iter().find(|(name, _)| name.name == "allow-ingress-to-db").map(|(_, change)| change);
    assert_eq!(change, Some(&Change::Replaces(Box::new(other.spec.expect("a spec")))));
}

#[test]
fn the_strongest_evidence_goes_first() {
    let rows = [
        ((5000, 0), (900, 1), ["a", "b"], "less than 1 in 5000, about 1 in 900"),
        ((100, 1), (900, 1), ["b", "a"], "1 in 100, 1 in 900"),
        ((200, 0), (200, 1), ["a", "b"], "the same as far as can be told, so by name"),
        ((29, 0), (900, 9), ["b", "a"], "too few for an estimate come last"),
        ((0, 0), (0, 0), ["a", "b"], "nothing known of either"),
    ];
    for ((a, once_a), (b, once_b), expected, message) in rows {
        let mut evidence = evidence(&all());
        evidence.namespaces = BTreeMap::from([("a".into(), course(a, 10, once_a)), ("b".into(), course(b, 10, once_b))]);
        let accepted = ["few-connections", "unseen-chance"].map(str::to_owned).into();
        let migration = Case { evidence: Some(evidence), terms: Terms { accepted, ..terms() }, ..Case::new() }.plan();
        assert_eq!(
            migration.namespaces.iter().map(|namespace| namespace.name.as_str()).collect::<Vec<_>>(),
            expected,
            "{message}"
        );
    }
    let mut evidence = evidence(&all());
    evidence.findings.insert(found(Code::PortNotCalled, "a/web"));
    let migration = Case { evidence: Some(evidence), ..Case::new() }.plan();
    assert_eq!(migration.namespaces[0].name, "b", "what is not ready comes last, however strong its evidence");
}

fn found(code: Code, subject: &str) -> Found {
    Found { code, subject: subject.to_owned(), message: "was so".to_owned() }
}

/// What it shows, what is changed, and what stands against whom.
type Row = (&'static str, fn(&mut Case), &'static [(&'static str, &'static str)]);

fn on(case: &mut Case, change: impl Fn(&mut Evidence)) {
    change(case.evidence.as_mut().expect("evidence"));
}

fn hold(rows: &[Row]) {
    for (message, change, expected) in rows {
        let mut case = Case::new();
        change(&mut case);
        let migration = case.plan();
        let mut told = reasons(&migration);
        told.sort();
        let expected: Vec<(String, &str)> = expected.iter().map(|(about, reason)| ((*about).to_owned(), *reason)).collect();
        assert_eq!(told, expected, "{message}");
        assert_eq!(migration.is_ready(), expected.is_empty(), "{message}");
    }
}

#[test]
fn policies_without_their_evidence_stand_against_their_namespace() {
    hold(&[
        ("without a flaw", |_| {}, &[]),
        ("nobody knows", |case| case.evidence = None, &[("a", "evidence-missing"), ("b", "evidence-missing")]),
        (
            "learned for one namespace only",
            |case| {
                on(case, |evidence| {
                    evidence.namespaces.remove("b");
                });
            },
            &[("b", "evidence-missing")],
        ),
        (
            "a rule was changed",
            |case| {
                case.policies[0] =
                    policy("a", "allow-egress-from-web", &json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]}));
            },
            &[("a", "policies-changed")],
        ),
        (
            "a policy came in addition",
            |case| case.policies.push(policy("b", "mine", &json!({"podSelector": {}, "ingress": [{}]}))),
            &[("b", "policies-changed")],
        ),
        (
            "a policy was deleted",
            |case| {
                case.policies.remove(0);
            },
            &[("a", "policies-changed")],
        ),
        (
            "no default deny",
            |case| {
                case.policies.remove(2);
                case.evidence = Some(evidence(&case.policies));
            },
            &[("a", "default-deny-missing")],
        ),
    ]);
}

#[test]
fn numbers_that_are_too_weak_stand_against_what_they_are_of() {
    hold(&[
        ("a day but for its edges", |case| on(case, |evidence| evidence.seconds = 86_340), &[]),
        ("an hour", |case| on(case, |evidence| evidence.seconds = 3600), &[("all", "watched-too-short")]),
        ("exactly a day", |case| on(case, |evidence| evidence.seconds = 86_400), &[]),
        (
            "29 connections",
            |case| on(case, |evidence| drop(evidence.namespaces.insert("a".into(), course(29, 2, 0)))),
            &[("a", "few-connections")],
        ),
        (
            "1 in 100 is the most",
            |case| on(case, |evidence| drop(evidence.namespaces.insert("a".into(), course(100, 2, 1)))),
            &[],
        ),
        (
            "1 in 99 is more",
            |case| on(case, |evidence| drop(evidence.namespaces.insert("a".into(), course(99, 2, 1)))),
            &[("a", "unseen-chance")],
        ),
        (
            "none of 99 cannot tell 1 in 100",
            |case| on(case, |evidence| drop(evidence.namespaces.insert("a".into(), course(99, 2, 0)))),
            &[("a", "unseen-chance")],
        ),
        (
            "all seen once",
            |case| on(case, |evidence| drop(evidence.namespaces.insert("a".into(), course(40, 40, 40)))),
            &[("a", "few-connections")],
        ),
        (
            "an edge in the last tenth",
            |case| {
                on(case, |evidence| {
                    if let Some(course) = evidence.namespaces.get_mut("b") {
                        course.known[8] = 4;
                    }
                });
            },
            &[("b", "new-edge-late")],
        ),
        (
            "the back-test denies 11 of 1000",
            |case| {
                on(case, |evidence| {
                    evidence.back_test = Some(BackTest { connections: 1000, denied: 11, ..BackTest::default() });
                });
            },
            &[("all", "back-test-denied")],
        ),
        (
            "the back-test denies 10 of 1000",
            |case| {
                on(case, |evidence| {
                    evidence.back_test = Some(BackTest { connections: 1000, denied: 10, ..BackTest::default() });
                });
            },
            &[],
        ),
    ]);
}

#[test]
fn findings_stand_against_whom_they_name_and_else_against_all() {
    hold(&[
        (
            "a workload",
            |case| on(case, |evidence| evidence.findings.extend([found(Code::CronJobNotDue, "b/nightly")])),
            &[("b/nightly", "cron-job-not-due")],
        ),
        (
            "a namespace",
            |case| on(case, |evidence| evidence.findings.extend([found(Code::StartNotSeen, "a")])),
            &[("a", "start-not-seen")],
        ),
        (
            "both sides of an edge",
            |case| on(case, |evidence| evidence.findings.extend([found(Code::WeakDirection, "a/web -> a/db TCP 5432")])),
            &[("a/db", "weak-direction"), ("a/web", "weak-direction")],
        ),
        (
            "a node: whoever has pods there and is asked for",
            |case| on(case, |evidence| evidence.findings.extend([found(Code::NodeNotSeen, "node node-1")])),
            &[("a/db", "node-not-seen"), ("a/web", "node-not-seen"), ("b/runner", "node-not-seen")],
        ),
        (
            "nobody in particular",
            |case| on(case, |evidence| evidence.findings.extend([found(Code::FlowTableFull, "capture")])),
            &[("all", "flow-table-full")],
        ),
        (
            "an address of nobody",
            |case| on(case, |evidence| evidence.findings.extend([found(Code::UnattributedAddress, "10.0.9.9")])),
            &[("all", "unattributed-address")],
        ),
        (
            "one that is not asked for",
            |case| on(case, |evidence| evidence.findings.extend([found(Code::BroadSelector, "c/forgotten")])),
            &[],
        ),
        (
            "good to know only",
            |case| on(case, |evidence| evidence.findings.extend([found(Code::InternetExposure, "a/web")])),
            &[],
        ),
        ("set apart", |case| drop(case.quarantined.insert("b".into(), vec!["allow-x.yaml".into()])), &[("b", "quarantined")]),
        ("no namespaces were named", |case| case.namespaces = None, &[("c", "policies-missing")]),
        (
            "the cluster closed it already",
            |case| {
                case.namespaces = None;
                case.existing.push(deny("c"));
            },
            &[],
        ),
        (
            "the cluster closed it by half",
            |case| {
                case.namespaces = None;
                case.existing.push(policy("c", "deny", &json!({"podSelector": {}, "policyTypes": ["Ingress"]})));
            },
            &[("c", "policies-missing")],
        ),
        (
            "accepted",
            |case| {
                on(case, |evidence| evidence.seconds = 3600);
                case.terms.accepted.insert("watched-too-short".to_owned());
            },
            &[],
        ),
    ]);
}

#[test]
fn what_stands_against_all_lets_nobody_go_and_what_stands_against_one_that_one() {
    let mut case = Case::new();
    case.evidence.as_mut().expect("evidence").findings.insert(found(Code::PortNotCalled, "a/web"));
    let migration = case.plan();
    let may_go = |migration: &Migration| -> Vec<String> {
        migration.namespaces.iter().filter(|own| migration.may_go(own)).map(|own| own.name.clone()).collect()
    };
    assert_eq!(may_go(&migration), ["b"]);
    case.evidence.as_mut().expect("evidence").seconds = 1;
    assert_eq!(may_go(&case.plan()), [""; 0]);
}

#[test]
fn later_traffic_that_would_be_denied_stands_against_the_side_that_denies() {
    use crate::model::{Party, Protocol};
    use crate::verify::{Missing, Why};
    use std::num::NonZeroU16;
    let workload = |name: &str| WorkloadName { namespace: "a".into(), name: name.into(), kind: WorkloadKind("Pod".into()) };
    let edge = Edge {
        originator: Party::Workload(workload("db").into()),
        responder: Party::Workload(workload("web").into()),
        protocol: Protocol::Tcp,
        port: NonZeroU16::new(80).expect("a port"),
    };
    let why = Why::UnknownParty(edge.responder.clone());
    let missing = Missing { side: Direction::Egress, why, nearest: Vec::new() };
    let inventory = inventory();
    let wanted = Wanted {
        policies: &given(&all()),
        existing: &[],
        inventory: &inventory,
        world: &ClusterView::from_inventory(&inventory),
        evidence: Some(&evidence(&all())),
        denied: &BTreeMap::from([(edge, vec![missing])]),
        quarantined: &BTreeMap::new(),
        namespaces: Some(&["a", "b"].map(str::to_owned).into()),
    };
    let migration = Migration::new(&wanted, &terms()).expect("a plan");
    assert_eq!(reasons(&migration), [("a/db".to_owned(), "replay-denied")]);
}

#[test]
fn reasons_have_codes_of_their_own() {
    let names: Vec<&str> = Reason::all().map(Reason::name).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
    assert!(names.contains(&"port-not-called") && !names.contains(&"internet-exposure"));
}
