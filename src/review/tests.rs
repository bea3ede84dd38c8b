//! Each rule with what it is there for, and with what is nearly that and usual.

use std::num::NonZeroU16;

use serde_json::{Value, json};

use super::*;
use crate::edge::{DynamicPorts, FailedTargets};
use crate::inventory::{InventoryBuilder, InventoryOptions};
use crate::model::{Called, DirectionEvidence, Span, Timestamp, WorkloadKind};

const SECOND: i64 = 1_000_000_000;

/// Workloads as `Kind namespace/name port,port`; the ports are declared. With a further word they run in the network of the node.
fn inventory(workloads: &[&str]) -> Inventory {
    let mut items = vec![
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-2"}, "spec": {"podCIDR": "10.244.2.0/24"},
            "status": {"addresses": [{"type": "InternalIP", "address": "10.0.0.12"}]}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "kube-system", "name": "kube-dns"},
            "spec": {"clusterIP": "10.96.0.10", "selector": {"app": "kube-system-coredns"},
                "ports": [{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53, "protocol": "TCP"}]}}),
    ];
    items.push(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "prod", "name": "front"},
        "spec": {"type": "LoadBalancer", "clusterIP": "10.96.0.80", "selector": {"app": "prod-front"}, "ports": [{"port": 8080}]}}));
    let known = ["Deployment kube-system/coredns 53", "Deployment ops/unbound 53", "ReplicaSet prod/front 8080"];
    for (number, text) in workloads.iter().chain(&known).enumerate() {
        let (kind, namespace, name) = split(text);
        let label = format!("{namespace}-{name}");
        let ports = text.split(' ').nth(2).into_iter().flat_map(|ports| ports.split(','));
        let ports: Vec<Value> = ports
            .flat_map(|port| {
                ["TCP", "UDP"].map(|protocol| json!({"containerPort": port.parse::<u16>().unwrap(), "protocol": protocol}))
            })
            .collect();
        let owners = match kind {
            "Pod" => json!([]),
            _ => {
                json!([{"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": format!("{kind}{number}"), "controller": true}])
            }
        };
        let is_on_host = text.split(' ').nth(3).is_some();
        let address = if is_on_host { "10.0.0.12".to_owned() } else { format!("10.244.1.{}", number + 10) };
        let containers = json!([{"name": "c", "ports": ports}]);
        items.push(json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": containers, "hostNetwork": is_on_host},
            "metadata": {"namespace": namespace, "name": name, "labels": {"app": label}, "ownerReferences": owners},
            "status": {"podIP": address}}));
    }
    let mut builder = InventoryBuilder::new();
    builder.apply_value(json!({"apiVersion": "v1", "kind": "List", "items": items}));
    builder.build(&InventoryOptions::default())
}

fn split(text: &str) -> (&str, &str, &str) {
    let mut words = text.split(' ');
    let (kind, rest) = (words.next().unwrap(), words.next().unwrap());
    let (namespace, name) = rest.split_once('/').unwrap();
    (kind, namespace, name)
}

/// A party, as `Kind namespace/name`, `apiserver`, `metadata`, `node` or an address.
fn party(text: &str) -> Party {
    match text {
        "apiserver" => Party::ApiServer,
        "metadata" => Party::Metadata([169, 254, 169, 254].into()),
        "cache" => Party::NodeLocalDns([169, 254, 20, 10].into()),
        "node" => Party::Node(crate::model::NodeAddress { name: "node-2".into(), address: [10, 0, 0, 12].into() }.into()),
        _ => text.parse().map_or_else(
            |_| {
                let (kind, namespace, name) = split(text);
                let kind = WorkloadKind(kind.into());
                Party::Workload(WorkloadName { namespace: namespace.into(), name: name.into(), kind }.into())
            },
            Party::Outside,
        ),
    }
}

fn edge(originator: &str, responder: &str, port: u16) -> Edge {
    let port = NonZeroU16::new(port).unwrap();
    Edge { originator: party(originator), responder: party(responder), protocol: Protocol::Tcp, port }
}

/// Connections, from and to a second.
fn seen(connections: u64, first: i64, last: i64) -> Evidence {
    Evidence {
        connections,
        span: Span::between(Timestamp(first * SECOND), Timestamp(last * SECOND)),
        direction: DirectionEvidence::Syn,
        weakest: DirectionEvidence::Syn,
        weak: 0,
        unchecked: 0,
        forwarded: 0,
        mid_stream: 0,
        one_way: 0,
        called: None,
    }
}

/// A capture of a hundred seconds.
fn observe(edges: &[(Edge, Evidence)]) -> Observation {
    let span = Some(Span::between(Timestamp(0), Timestamp(100 * SECOND)));
    let mut observation = Observation { span, edges: edges.iter().cloned().collect(), ..Observation::default() };
    for (edge, evidence) in edges {
        for _ in 0..evidence.connections {
            observation.arrivals.add(edge, evidence.span.first());
        }
    }
    observation
}

fn judge(observation: &Observation, inventory: &Inventory, edge: &Edge) -> BTreeSet<Reason> {
    let subjects = ["prod", "ops", "staging", "dev"].map(str::to_owned).into();
    Suspicions::new(observation, inventory, &subjects, BTreeSet::new()).reasons(edge, &observation.edges[edge])
}

/// What else there is, the edge in question, why it is doubted, what it shows.
type Row = (Vec<(Edge, Evidence)>, (Edge, Evidence), BTreeSet<Reason>, &'static str);

const API: &str = "ReplicaSet prod/api";
const DB: &str = "StatefulSet prod/db";
const WEB: &str = "ReplicaSet prod/web";
const FRONT: &str = "ReplicaSet prod/front";

#[test]
fn what_a_scan_found_is_doubted_and_what_went_on_before_is_not() {
    let inventory = inventory(&["ReplicaSet prod/api", "ReplicaSet prod/web", "StatefulSet prod/db 3306"]);
    let failed_attempts =
        |targets, since: i64| BTreeMap::from([(party(API), FailedTargets { targets, since: Timestamp(since * SECOND) })]);
    let found = edge(API, DB, 22);
    let ordinary =
        |answered| -> Vec<(Edge, Evidence)> { (0..answered).map(|port| (edge(API, WEB, 8000 + port), seen(2, 0, 90))).collect() };
    let rows = [
        (failed_attempts(12, 50), 0, seen(1, 60, 60), Some(12), "found while it scanned"),
        (failed_attempts(12, 50), 0, seen(400, 60, 99), Some(12), "and used ever since"),
        (failed_attempts(12, 50), 0, seen(1, 49, 60), Some(12), "probes go out several at a time"),
        (failed_attempts(12, 50), 0, seen(40, 20, 99), None, "known before"),
        (failed_attempts(9, 50), 0, seen(1, 60, 60), None, "a program whose peers are not there"),
        (failed_attempts(12, 50), 11, seen(1, 60, 60), None, "one that calls many, of which some are gone"),
        (failed_attempts(12, 50), 10, seen(1, 60, 60), Some(12), "one that fails more often than not"),
    ];
    for (failed_attempts, answered, evidence, targets, message) in rows {
        let mut edges = ordinary(answered);
        edges.push((found.clone(), evidence));
        let observation = Observation { failed_attempts, ..observe(&edges) };
        let expected = targets.map(|targets| Reason::Scan { targets }).into_iter().collect();
        assert_eq!(judge(&observation, &inventory, &found), expected, "{message}");
        for (edge, _) in ordinary(answered) {
            assert_eq!(judge(&observation, &inventory, &edge), BTreeSet::new(), "{message}: its own work");
        }
    }
    let resolution = edge(API, "ReplicaSet kube-system/coredns", 53);
    let resolver = edge(API, "Deployment kube-system/coredns", 53);
    let observation = Observation {
        failed_attempts: failed_attempts(12, 50),
        ..observe(&[(resolver.clone(), seen(1, 60, 60)), (resolution.clone(), seen(1, 60, 60))])
    };
    assert_eq!(judge(&observation, &inventory, &resolver), BTreeSet::new(), "every pod asks for names");
    assert!(!judge(&observation, &inventory, &resolution).is_empty(), "what is no resolver is");
}

#[test]
fn ports_picked_at_run_time_that_a_scan_found_are_doubted_too() {
    let inventory = inventory(&["ReplicaSet prod/api", "StatefulSet prod/db 3306"]);
    let found = edge(API, DB, 40001);
    let ports = [40001, 40002, 40003].map(|port| NonZeroU16::new(port).unwrap()).into();
    let mut observation = Observation {
        failed_attempts: BTreeMap::from([(party(API), FailedTargets { targets: 60, since: Timestamp(0) })]),
        dynamic: vec![DynamicPorts { edge: found.clone(), ports, evidence: seen(3, 60, 61) }],
        ..observe(&[])
    };
    let subjects = BTreeSet::from(["prod".to_owned()]);
    let suspicions = Suspicions::new(&observation, &inventory, &subjects, BTreeSet::new());
    assert_eq!(suspicions.findings(&observation).sorted()[0].code, Code::FoundByScan);
    assert!(suspicions.quarantine(&mut observation, false).reasons.is_empty(), "it leads to no credentials");
    let mut quarantine = suspicions.quarantine(&mut observation, true);
    assert_eq!((observation.dynamic.len(), quarantine.dynamic.len()), (0, 1));
    quarantine.give_back(&mut observation);
    assert_eq!((observation.dynamic.len(), quarantine.dynamic.len()), (1, 0));
    assert_eq!(quarantine.reasons[&found], BTreeSet::from([Reason::Scan { targets: 60 }]));
}

#[test]
fn what_was_done_once_is_doubted_where_it_is_odd() {
    let debug = "Pod prod/debug";
    let inventory = inventory(&["ReplicaSet prod/api", "ReplicaSet prod/web", "StatefulSet prod/db 3306", "Pod prod/debug"]);
    let many = || (edge(API, WEB, 80), seen(40, 0, 99));
    let to_db = |evidence| (edge(API, DB, 3306), evidence);
    let hub = (0..7).map(|number| (edge(API, &format!("ReplicaSet prod/w{number}"), 80), seen(9, 0, 99)));
    let shared = (0..3).map(|number| (edge(&format!("ReplicaSet prod/w{number}"), DB, 3306), seen(9, 0, 99)));
    let others = [
        (edge("ReplicaSet ops/a", "apiserver", 6443), seen(9, 0, 99)),
        (edge("ReplicaSet ops/b", "apiserver", 6443), seen(9, 0, 99)),
        (edge("ReplicaSet ops/c", "apiserver", 6443), seen(9, 0, 99)),
    ];
    let one_off = |others| BTreeSet::from([Reason::OneOff { others }]);
    let rows: Vec<Row> = vec![
        (vec![many()], to_db(seen(1, 50, 52)), one_off(40), "a shell in api's pod, one query"),
        (
            others.iter().cloned().chain([many()]).collect(),
            (edge(API, "apiserver", 6443), seen(1, 50, 52)),
            one_off(40),
            "everybody calls the API server",
        ),
        (vec![many()], to_db(seen(2, 50, 52)), [].into(), "twice"),
        (vec![many()], to_db(seen(1, 50, 61)), [].into(), "a connection that is held"),
        (vec![many()], to_db(Evidence { mid_stream: 1, ..seen(1, 0, 2) }), [].into(), "under way before"),
        (vec![(edge(API, WEB, 80), seen(29, 0, 99))], to_db(seen(1, 50, 52)), [].into(), "little is known of api"),
        (vec![(edge(WEB, DB, 3306), seen(400, 0, 99))], to_db(seen(1, 50, 52)), [].into(), "nothing is known of api"),
        (
            vec![many(), (edge(DB, API, 8080), seen(5, 0, 99))],
            to_db(seen(1, 50, 52)),
            [].into(),
            "they have to do with each other",
        ),
        (vec![many(), (edge(API, DB, 33060), seen(5, 0, 99))], to_db(seen(1, 50, 52)), [].into(), "they talk on another port"),
        (hub.chain([many()]).collect(), to_db(seen(1, 50, 52)), [].into(), "who calls many calls some rarely"),
        (shared.chain([many()]).collect(), to_db(seen(1, 50, 52)), [].into(), "what is there for all"),
        (vec![many()], (edge(debug, DB, 3306), seen(1, 50, 52)), one_off(40), "a pod that nothing owns, in a busy namespace"),
        (vec![], (edge(debug, DB, 3306), seen(1, 50, 52)), [].into(), "a pod that nothing owns, in a quiet namespace"),
        (
            vec![(edge("CronJob prod/api", WEB, 80), seen(40, 0, 99))],
            (edge("CronJob prod/api", DB, 3306), seen(1, 50, 52)),
            [].into(),
            "a CronJob that ran once",
        ),
        (vec![many()], (edge(API, API, 7000), seen(1, 50, 52)), [].into(), "replicas of one workload"),
        (vec![many()], (edge(API, FRONT, 8081), seen(1, 50, 52)), one_off(40), "a port that is not exposed"),
        (vec![many()], (edge(API, FRONT, 8080), seen(1, 50, 52)), [].into(), "a port that everybody may call"),
        (vec![many()], (edge(API, "203.0.113.9", 443), seen(1, 50, 52)), [].into(), "outside, most is seen once"),
        (vec![many()], (edge("203.0.113.9", DB, 3306), seen(1, 50, 52)), [].into(), "and from there"),
    ];
    for (mut edges, asked, expected, message) in rows {
        edges.push(asked.clone());
        assert_eq!(judge(&observe(&edges), &inventory, &asked.0), expected, "{message}");
    }
}

#[test]
fn an_outside_address_that_was_never_asked_for_is_doubted() {
    let inventory = inventory(&["ReplicaSet prod/api 8080", "ReplicaSet prod/web"]);
    let id = |name: &str| {
        WorkloadId(inventory.workloads().iter().position(|workload| workload.name.name == name).unwrap().try_into().unwrap())
    };
    let through = |services: &[&str]| Called::of(BTreeMap::new(), services.iter().map(|name| (*name).into()).collect());
    let plain = || seen(5, 0, 99);
    let (other, same) = ("203.0.113.8", "203.0.113.9");
    let rows = [
        (API, plain(), ("api", other), true, "no name for it, though there were others"),
        (API, Evidence { mid_stream: 4, ..plain() }, ("api", other), true, "one of five was opened in the capture"),
        (API, Evidence { mid_stream: 5, ..plain() }, ("api", other), false, "all were opened before: it may have been asked for"),
        (API, plain(), ("api", same), false, "asked for"),
        (API, Evidence { called: through(&["prod/mail"]), ..plain() }, ("api", other), false, "a Service that leads outside"),
        (API, plain(), ("web", other), false, "its name resolution was not captured"),
        (same, plain(), ("api", other), false, "callers come from anywhere"),
    ];
    for (originator, evidence, (asker, address), expected, message) in rows {
        let edge = if originator == API { edge(API, same, 443) } else { edge(originator, API, 8080) };
        let asked = BTreeMap::from([(id(asker), BTreeSet::from([address.parse().unwrap()]))]);
        let observation = Observation { asked, ..observe(&[(edge.clone(), evidence)]) };
        let reasons = judge(&observation, &inventory, &edge);
        assert_eq!(reasons, expected.then_some(Reason::NeverAsked).into_iter().collect(), "{message}");
    }
}

#[test]
fn names_are_asked_for_at_the_clusters_resolver() {
    let inventory = inventory(&["ReplicaSet prod/api", "ReplicaSet prod/web"]);
    let resolver = "Deployment kube-system/coredns";
    let rows = [
        (API, "8.8.8.8", 53, true, "a resolver outside"),
        (API, "8.8.8.8", 853, true, "over TLS"),
        (API, WEB, 53, true, "a workload that is none"),
        (API, "node", 53, true, "a node"),
        (API, "8.8.8.8", 5353, false, "another port"),
        (API, resolver, 53, false, "the cluster's"),
        (API, "cache", 53, false, "its cache on the node"),
        (API, "Deployment ops/unbound", 53, false, "a resolver that the cluster declares"),
        ("Deployment ops/unbound", "8.8.8.8", 53, false, "which asks its own"),
        ("8.8.8.8", API, 53, false, "whoever asks from outside is none of the cluster's"),
    ];
    for (originator, responder, port, expected, message) in rows {
        let asked = Edge { protocol: Protocol::Udp, ..edge(originator, responder, port) };
        let reasons = judge(&observe(&[(asked.clone(), seen(3, 0, 9))]), &inventory, &asked);
        assert_eq!(reasons, expected.then_some(Reason::ForeignResolver).into_iter().collect(), "{message}");
    }
    let on_nodes = self::inventory(&["DaemonSet ops/cache 53 host"]);
    let asked = Edge { protocol: Protocol::Udp, ..edge(WEB, "node", 53) };
    let reasons = judge(&observe(&[(asked.clone(), seen(3, 0, 9))]), &on_nodes, &asked);
    assert_eq!(reasons, BTreeSet::new(), "a cache of names on every node, in its network");
    let upstream = Edge { protocol: Protocol::Udp, ..edge(resolver, "8.8.8.8", 53) };
    let observation = observe(&[(upstream.clone(), seen(3, 0, 9))]);
    let subjects = BTreeSet::from(["kube-system".to_owned()]);
    let suspicions = Suspicions::new(&observation, &inventory, &subjects, BTreeSet::new());
    assert_eq!(
        suspicions.reasons(&upstream, &observation.edges[&upstream]),
        BTreeSet::new(),
        "the cluster's resolver asks its own"
    );
}

#[test]
fn the_first_call_between_two_namespaces_is_doubted_when_it_is_late_and_rare() {
    let inventory = inventory(&["ReplicaSet prod/api", "ReplicaSet staging/api", "StatefulSet prod/db 3306"]);
    let staging = "ReplicaSet staging/api";
    let crossing = |evidence| (edge(staging, DB, 3306), evidence);
    let usual = || (edge(API, DB, 3306), seen(12, 0, 40));
    let first = |before| BTreeSet::from([Reason::FirstAcross { before }]);
    let further = |originator: &str, responder: &str| (edge(originator, responder, 80), seen(2, 0, 40));
    let rows: Vec<Row> = vec![
        (vec![usual()], crossing(seen(1, 70, 71)), first(12), "staging reads prod's database"),
        (vec![usual()], crossing(seen(3, 70, 99)), first(12), "three times"),
        (vec![usual()], crossing(seen(4, 70, 99)), [].into(), "in use"),
        (vec![usual()], crossing(seen(1, 40, 41)), [].into(), "early"),
        (vec![usual()], crossing(Evidence { mid_stream: 1, ..seen(1, 70, 71) }), [].into(), "under way before"),
        (vec![(edge(API, DB, 3306), seen(9, 0, 40))], crossing(seen(1, 70, 71)), [].into(), "little was seen before it"),
        (vec![(edge(API, DB, 3306), seen(12, 80, 90))], crossing(seen(1, 70, 71)), [].into(), "nothing was seen before it"),
        (vec![usual(), further("ReplicaSet staging/web", WEB)], crossing(seen(1, 70, 71)), [].into(), "not the only edge"),
        (vec![usual(), further(WEB, staging)], crossing(seen(1, 70, 71)), [].into(), "not the only edge, the other goes back"),
        (
            vec![usual(), further(staging, "ReplicaSet dev/web")],
            crossing(seen(1, 70, 71)),
            [].into(),
            "staging calls several (monitoring)",
        ),
        (vec![usual(), further("ReplicaSet dev/web", WEB)], crossing(seen(1, 70, 71)), [].into(), "prod is called by several"),
        (
            vec![usual(), further(API, "ReplicaSet kube-system/metrics")],
            crossing(seen(1, 70, 71)),
            first(14),
            "the system is nobody's neighbour",
        ),
        (
            vec![usual()],
            (edge(API, "ReplicaSet kube-system/metrics", 443), seen(1, 70, 71)),
            [].into(),
            "the system is there for all",
        ),
        (vec![usual()], (edge(staging, FRONT, 8080), seen(1, 70, 71)), [].into(), "a port that everybody may call"),
        (vec![usual()], (edge("Job staging/copy", DB, 3306), seen(1, 70, 71)), [].into(), "a Job"),
    ];
    for (mut edges, asked, expected, message) in rows {
        edges.push(asked.clone());
        assert_eq!(judge(&observe(&edges), &inventory, &asked.0), expected, "{message}");
    }
}

#[test]
fn the_metadata_service_is_always_doubted_until_somebody_accepts_it() {
    let inventory = inventory(&["ReplicaSet prod/api"]);
    let asked = edge(API, "metadata", 80);
    let mut observation = observe(&[(asked.clone(), seen(500, 0, 99)), (edge(API, WEB, 80), seen(500, 0, 99))]);
    let before = observation.edges.clone();
    let subjects = BTreeSet::from(["prod".to_owned()]);
    let suspicions = Suspicions::new(&observation, &inventory, &subjects, BTreeSet::new());
    assert_eq!(suspicions.reasons(&asked, &before[&asked]), BTreeSet::from([Reason::Metadata]));
    for is_requested in [true, false] {
        let mut quarantine = suspicions.quarantine(&mut observation, is_requested);
        assert_eq!(quarantine.edges.keys().collect::<Vec<_>>(), [&asked], "whether a quarantine is asked for or not");
        assert_eq!(observation.edges.len(), 1, "the rest is learned from");
        quarantine.give_back(&mut observation);
        assert_eq!(observation.edges, before, "the observation is whole again");
    }
    let told = &suspicions.findings(&observation).sorted()[0];
    let message = "called 169.254.169.254 on TCP 80; decide by accept or reject: - {from: prod/api, to: '169.254.169.254', port: TCP 80, reason: WHY}";
    assert_eq!(
        (told.code, told.subject.as_str(), told.message.as_str(), told.count),
        (Code::MetadataAddress, "prod/api", message, 500)
    );

    let accepted = BTreeSet::from([asked.clone()]);
    let suspicions = Suspicions::new(&observation, &inventory, &subjects, accepted);
    assert!(suspicions.quarantine(&mut observation, true).reasons.is_empty(), "accepted");
    assert!(suspicions.findings(&observation).sorted().is_empty(), "what was decided is no finding any more");
    let elsewhere = BTreeSet::from(["ops".to_owned()]);
    let suspicions = Suspicions::new(&observation, &inventory, &elsewhere, BTreeSet::new());
    assert!(suspicions.quarantine(&mut observation, true).reasons.is_empty(), "no policy would be made of it");
}
