use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::{Value, json};

use super::{FlowClass, Observation, Observer};
use crate::flow::{Floods, Names};
use crate::inventory::{History, Inventory, InventoryBuilder, InventoryOptions, Record};
use crate::model::{
    Beginning, Code, DirectionEvidence, Endpoint, Exchange, Flow, NameAnswer, Outcome, Party, Protocol, Span, Timestamp,
};

const CALLER: &str = "10.244.1.10";
const SECOND_CALLER: &str = "10.244.1.11";
const SERVER: &str = "10.244.1.20";
const SERVICE: &str = "10.96.0.20";
const NODE: &str = "10.0.0.11";

fn pod(name: &str, address: &str, ports: &[(u16, &str)]) -> Value {
    let ports: Vec<Value> = ports.iter().map(|(port, protocol)| json!({"containerPort": port, "protocol": protocol})).collect();
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "n", "name": name, "labels": {"app": name}},
        "spec": {"nodeName": "node-1", "containers": [{"name": "c", "image": "i", "ports": ports}]}, "status": {"podIP": address}})
}

/// Two callers and a server; the port of gossip and of statsd is declared by all.
fn inventory() -> Inventory {
    let mut builder = InventoryBuilder::new();
    let declared = [(7946, "UDP"), (8125, "UDP"), (21, "TCP")];
    builder.apply_value(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"},
        "status": {"addresses": [{"type": "InternalIP", "address": NODE}]}}));
    builder.apply_value(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "n", "name": "server"},
        "spec": {"clusterIP": SERVICE, "clusterIPs": [SERVICE], "selector": {"app": "server"}, "ports": [{"port": 80, "targetPort": 8080}]}}));
    for (name, address) in [("caller", CALLER), ("second", SECOND_CALLER), ("server", SERVER)] {
        builder.apply_value(pod(name, address, &declared));
    }
    builder.build(&InventoryOptions::default())
}

fn end(address: &str, port: u16) -> Endpoint {
    Endpoint { address: address.parse().expect("an address"), port }
}

fn flow(protocol: Protocol, originator: (&str, u16), responder: (&str, u16), direction: DirectionEvidence) -> Flow {
    Flow {
        span: Span::at(Timestamp(1_000_000_000)),
        protocol,
        originator: end(originator.0, originator.1),
        responder: end(responder.0, responder.1),
        outcome: Outcome::Answered,
        direction,
        beginning: Beginning::Unknown,
        opening: None,
        answer: None,
        origins: [[0; 2]; 2],
        input: 0,
        refusers: [0; 2],
        unrefused: Outcome::Answered,
        moments: 1,
    }
}

fn tcp(originator: (&str, u16), responder: (&str, u16)) -> Flow {
    flow(Protocol::Tcp, originator, responder, DirectionEvidence::LowerPort)
}

fn syn(originator: (&str, u16), responder: (&str, u16)) -> Flow {
    flow(Protocol::Tcp, originator, responder, DirectionEvidence::Syn)
}

fn udp(originator: (&str, u16), responder: (&str, u16)) -> Flow {
    flow(Protocol::Udp, originator, responder, DirectionEvidence::FirstPacket)
}

/// A question that the cache of names on the node answered.
fn asked_node() -> Exchange {
    let server = NODE.parse().expect("an address");
    Exchange { protocol: Protocol::Udp, port: 40_000, server, asked: server }
}

fn observe(flows: Vec<Flow>, names: &Names) -> Observation {
    let inventory = inventory();
    let mut observer = Observer::new(&inventory, 1000);
    observer.observe(flows, names);
    observer.conclude()
}

fn classes(observation: &Observation) -> Vec<(FlowClass, u64)> {
    observation.classes.iter().collect()
}

fn edges(flows: Vec<Flow>) -> Vec<String> {
    observe(flows, &Names::default()).edges.keys().map(ToString::to_string).collect()
}

/// The address of a worker, which is behind a Service, goes to an auditor in the second from 100 on; perhaps a watch heard when the
/// worker was gone.
fn passed_on(gone: Option<f64>) -> Inventory {
    let mut builder = InventoryBuilder::new();
    let owned = |name: &str, address: &str, start: i64, ports: &[(u16, &str)]| {
        let mut pod = pod(name, address, ports);
        let start = jiff::Timestamp::from_second(start).expect("a time").to_string();
        pod["metadata"]["uid"] = name.into();
        pod["status"]["startTime"] = start.clone().into();
        pod["status"]["containerStatuses"] = json!([{"state": {"running": {"startedAt": start}}}]);
        pod
    };
    builder.apply_value(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"},
        "status": {"addresses": [{"type": "InternalIP", "address": NODE}]}}));
    builder.apply_value(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "n", "name": "worker"},
        "spec": {"clusterIP": SERVICE, "selector": {"app": "worker"}, "ports": [{"port": 80, "targetPort": 8080}]}}));
    builder.apply_value(owned("server", SERVER, 1, &[]));
    let mut worker = owned("worker", CALLER, 1, &[]);
    worker["metadata"]["deletionTimestamp"] = "1970-01-01T00:02:10Z".into();
    builder.apply_value(worker.clone());
    builder.end_snapshot();
    if let Some(gone) = gone {
        let mut watch = History::default();
        watch.apply(Record::Added { at: seconds(2.0), object: worker.clone() });
        watch.apply(Record::Deleted { at: seconds(gone), object: worker });
        builder.apply_snapshot(watch.conclude("watch"));
    }
    builder.apply_value(owned("auditor", CALLER, 100, &[]));
    builder.build(&InventoryOptions::default())
}

fn seconds(seconds: f64) -> Timestamp {
    #[expect(clippy::cast_possible_truncation, reason = "a time of a test")]
    Timestamp((seconds * 1e9) as i64)
}

fn when(at: f64, mut flow: Flow) -> Flow {
    flow.span = Span::at(seconds(at));
    flow
}

#[test]
fn what_one_of_two_owners_of_an_address_did_makes_no_rule() {
    type Row<'a> = (&'a str, Vec<Flow>, &'a [&'a str], &'a [&'a str]);
    let call = |port: u16| syn((CALLER, 40000), (SERVER, port));
    let subject = format!("{CALLER} (n/auditor or n/worker)");
    let rows: [Row; 7] = [
        ("within the second", vec![when(100.05, call(80))], &[], &["called n/server on TCP 80 (answered)"]),
        ("before it", vec![when(99.95, call(80))], &["n/worker -> n/server TCP 80"], &[]),
        ("after it", vec![when(101.0, call(80))], &["n/auditor -> n/server TCP 80"], &[]),
        (
            "one did the same at another time: the other may have too",
            vec![when(50.0, call(80)), when(100.05, call(80))],
            &["n/worker -> n/server TCP 80"],
            &["called n/server on TCP 80 (answered)"],
        ),
        (
            "both did the same at other times: no rule is missing",
            vec![when(50.0, call(80)), when(100.05, call(80)), when(102.0, call(80))],
            &["n/auditor -> n/server TCP 80", "n/worker -> n/server TCP 80"],
            &[],
        ),
        (
            "called within the second",
            vec![when(100.5, syn((SERVER, 40000), (CALLER, 8080)))],
            &[],
            &["was called by n/server on TCP 8080 (answered)"],
        ),
        ("probed by the node, which is always allowed", vec![when(100.5, syn((NODE, 40000), (CALLER, 8080)))], &[], &[]),
    ];
    let inventory = passed_on(None);
    for (message, flows, edges, findings) in rows {
        let mut observer = Observer::new(&inventory, 1000);
        observer.observe(flows, &Names::default());
        let seen = observer.conclude();
        assert_eq!(seen.edges.keys().map(ToString::to_string).collect::<Vec<_>>(), edges, "{message}");
        let found = seen.findings.sorted().into_iter().filter(|finding| finding.code == Code::AddressReused);
        let found: Vec<(String, String)> = found.map(|finding| (finding.subject, finding.message)).collect();
        let expected: Vec<(String, String)> = findings.iter().map(|text| (subject.clone(), (*text).to_owned())).collect();
        assert_eq!(found, expected, "{message}");
        let unattributed = seen.findings.sorted().into_iter().any(|finding| finding.code == Code::UnattributedAddress);
        assert!(!unattributed, "{message}: it is known whose it may have been");
    }
}

/// A call to a Service, seen before its address was translated, leads to whoever has the address of its pod by then.
#[test]
fn a_service_leads_to_the_pods_it_had_at_the_time_of_the_call() {
    let call = |seconds: f64, port: u16| when(seconds, syn((SERVER, port), (SERVICE, 80)));
    let observe = |gone: Option<f64>, flows: Vec<Flow>| {
        let inventory = passed_on(gone);
        let mut observer = Observer::new(&inventory, 1000);
        observer.observe(flows, &Names::default());
        let seen = observer.conclude();
        let codes: Vec<Code> = seen.findings.sorted().into_iter().map(|finding| finding.code).collect();
        (seen.edges.keys().map(ToString::to_string).collect::<Vec<_>>(), codes)
    };
    let worker = || vec!["n/server -> n/worker TCP 8080".to_owned()];
    assert_eq!(observe(None, vec![call(99.9, 40000)]), (worker(), vec![]));
    assert_eq!(observe(None, vec![call(100.1, 40000)]), (vec![], vec![Code::AddressReused]));
    assert_eq!(observe(None, vec![call(102.0, 40000)]), (vec![], vec![Code::ServiceWithoutBackends]));
    let codes = vec![Code::AddressReused, Code::ServiceWithoutBackends];
    let all = observe(Some(100.25), vec![call(99.9, 40000), call(100.1, 40001), call(100.5, 40002)]);
    assert_eq!(all, (worker(), codes), "two owners in one second");
}

#[test]
fn roles_of_connections_without_a_beginning() {
    let (one, two, server) = (CALLER, SECOND_CALLER, SERVER);
    let rows: [(&str, Vec<Flow>, &[&str]); 6] = [
        ("a port by custom", vec![tcp((server, 50051), (one, 41234))], &["n/caller -> n/server TCP 50051"]),
        ("nothing known: the lower port", vec![tcp((server, 45678), (one, 41234))], &["n/server -> n/caller TCP 41234"]),
        (
            "several callers hold connections to it",
            vec![tcp((server, 45678), (one, 41234)), tcp((server, 45678), (two, 41000))],
            &["n/caller -> n/server TCP 45678", "n/second -> n/server TCP 45678"],
        ),
        (
            "it accepted another connection",
            vec![tcp((server, 45678), (one, 41234)), syn((two, 50000), (server, 45678))],
            &["n/caller -> n/server TCP 45678", "n/second -> n/server TCP 45678"],
        ),
        ("a reply that opens the capture", vec![udp((server, 9999), (one, 40000))], &["n/caller -> n/server UDP 9999"]),
        ("a call from one high port to another", vec![udp((one, 40000), (server, 50123))], &["n/caller -> n/server UDP 50123"]),
    ];
    for (message, flows, expected) in rows {
        let reversed = flows.iter().rev().cloned().collect();
        assert_eq!(edges(flows), expected, "{message}");
        assert_eq!(edges(reversed), expected, "{message}, in the other order");
    }
}

#[test]
fn one_way_traffic_from_a_low_port_is_no_reply() {
    let sent = Flow { outcome: Outcome::OneWay { moments: 5 }, ..udp((CALLER, 9000), (SERVER, 40000)) };
    assert_eq!(edges(vec![sent]), ["n/caller -> n/server UDP 40000"]);
}

#[test]
fn who_asked_for_a_name_is_the_caller() {
    let mut names = Names::default();
    let address = |text: &str| -> IpAddr { text.parse().expect("an address") };
    let at = Timestamp(0);
    names.add(NameAnswer {
        asker: address(CALLER),
        address: address(SERVER),
        at,
        name: "server".into(),
        time_to_live: 5,
        exchange: Some(asked_node()),
    });
    let observation = observe(vec![tcp((SERVER, 45678), (CALLER, 41234))], &names);
    let edges: Vec<String> = observation.edges.keys().map(ToString::to_string).collect();
    assert_eq!(edges, ["n/caller -> n/server TCP 45678"]);
}

#[test]
fn peers_that_talk_from_listener_to_listener_may_both_begin() {
    let gossip = vec![udp((CALLER, 7946), (SERVER, 7946))];
    assert_eq!(edges(gossip), ["n/caller -> n/server UDP 7946", "n/server -> n/caller UDP 7946"]);
    let undeclared = vec![udp((CALLER, 123), (SERVER, 123))];
    assert_eq!(edges(undeclared), ["n/caller -> n/server UDP 123"], "a caller that binds the port it calls");
}

#[test]
fn data_ports_of_ftp_are_no_rules() {
    let control = syn((CALLER, 40000), (SERVER, 21));
    let observation = observe(
        vec![
            control,
            syn((CALLER, 40001), (SERVER, 45001)),
            syn((SERVER, 20), (CALLER, 45002)),
            syn((CALLER, 40002), (SERVER, 5432)),
        ],
        &Names::default(),
    );
    let edges: Vec<String> = observation.edges.keys().map(ToString::to_string).collect();
    assert_eq!(edges, ["n/caller -> n/server TCP 21", "n/caller -> n/server TCP 5432"]);
    assert_eq!(observation.dynamic.len(), 2, "passive and active");
}

#[test]
fn one_way_udp_to_a_declared_port_needs_two_moments() {
    let sent =
        |port: u16, from: u16, moments: u8| Flow { outcome: Outcome::OneWay { moments }, ..udp((CALLER, from), (SERVER, port)) };
    let rows: [(&str, Vec<Flow>, usize); 4] = [
        ("two sockets to a declared port", vec![sent(8125, 40001, 1), sent(8125, 40002, 1)], 1),
        ("one datagram", vec![sent(8125, 40001, 1)], 0),
        ("two sockets to a port nobody declares", vec![sent(9125, 40001, 1), sent(9125, 40002, 1)], 0),
        ("five moments to a port nobody declares", vec![sent(9125, 40001, 5)], 1),
    ];
    for (message, flows, expected) in rows {
        assert_eq!(edges(flows).len(), expected, "{message}");
    }
}

#[test]
fn a_pod_that_calls_itself_through_its_service_needs_no_rule() {
    let opened = |flow: Flow| Flow { opening: Some(77), ..flow };
    let called = opened(syn((SERVER, 40000), (SERVICE, 80)));
    // Masqueraded, or the answer would not come back through the node.
    let delivered = opened(syn((NODE, 40000), (SERVER, 8080)));
    for flows in [vec![called.clone()], vec![called, delivered]] {
        let observation = observe(flows, &Names::default());
        assert_eq!(observation.edges.len(), 0, "{:?}", observation.edges);
        let codes: Vec<Code> = observation.findings.sorted().iter().map(|finding| finding.code).collect();
        assert!(codes.contains(&Code::Hairpin), "{codes:?}");
    }
}

#[test]
fn both_views_of_a_call_to_a_service_are_one_edge_of_the_pods() {
    let opened = |flow: Flow| Flow { opening: Some(77), ..flow };
    let called = opened(syn((CALLER, 40000), (SERVICE, 80)));
    let delivered = opened(syn((CALLER, 40000), (SERVER, 8080)));
    for flows in [vec![called.clone()], vec![delivered.clone()], vec![called.clone(), delivered.clone()], vec![delivered, called]]
    {
        let count = flows.len();
        let observation = observe(flows, &Names::default());
        let edges: Vec<String> = observation.edges.keys().map(ToString::to_string).collect();
        assert_eq!(edges, ["n/caller -> n/server TCP 8080"]);
        assert!(observation.edges.values().all(|evidence| evidence.connections == 1));
        let views = [(FlowClass::Edge, 1), (FlowClass::OtherView, 1)];
        assert_eq!(classes(&observation), views[..count], "{count} views");
    }
}

/// The cluster without its Services.
fn without_services() -> Inventory {
    let mut builder = InventoryBuilder::new();
    for (name, address) in [("caller", CALLER), ("second", SECOND_CALLER), ("server", SERVER)] {
        builder.apply_value(pod(name, address, &[]));
    }
    builder.build(&InventoryOptions::default())
}

#[test]
fn a_call_to_an_unknown_service_is_known_by_its_delivered_view() {
    let opened = |flow: Flow, number: u32| Flow { opening: Some(number), ..flow };
    let late = |flow: Flow, seconds: i64| Flow { span: Span::at(Timestamp((1 + seconds) * 1_000_000_000)), ..flow };
    let called = opened(syn((CALLER, 40000), (SERVICE, 80)), 77);
    let delivered = opened(syn((CALLER, 40000), (SERVER, 8080)), 77);
    let outside = "n/caller -> 10.96.0.20 TCP 80";
    let pods = "n/caller -> n/server TCP 8080";
    let rows: [(&str, Vec<Flow>, Vec<&str>); 6] = [
        ("both views", vec![called.clone(), delivered.clone()], vec![pods]),
        ("the call alone", vec![called.clone()], vec![outside]),
        ("another number", vec![called.clone(), opened(delivered.clone(), 78)], vec![pods, outside]),
        (
            "another originator",
            vec![called.clone(), opened(syn((SECOND_CALLER, 40000), (SERVER, 8080)), 77)],
            vec![outside, "n/second -> n/server TCP 8080"],
        ),
        ("another time", vec![called.clone(), late(delivered.clone(), 60)], vec![pods, outside]),
        (
            "two outside addresses",
            vec![called.clone(), opened(syn((CALLER, 40000), ("203.0.113.9", 80)), 77)],
            vec![outside, "n/caller -> 203.0.113.9 TCP 80"],
        ),
    ];
    let inventory = without_services();
    for (message, flows, expected) in rows {
        let mut observer = Observer::new(&inventory, 1000);
        observer.observe(flows, &Names::default());
        let edges: Vec<String> = observer.conclude().edges.keys().map(ToString::to_string).collect();
        assert_eq!(edges, expected, "{message}");
    }
}

#[test]
fn views_are_joined_over_the_border_of_two_batches() {
    let opened = |flow: Flow| Flow { opening: Some(77), ..flow };
    let called = opened(syn((CALLER, 40000), (SERVICE, 80)));
    let delivered = opened(syn((CALLER, 40000), (SERVER, 8080)));
    let masked = opened(syn((NODE, 40000), (SERVER, 8080)));
    for inventory in [inventory(), without_services()] {
        for (called, delivered) in [(&called, &delivered), (&called, &masked)] {
            let observe = |batches: Vec<Vec<Flow>>| {
                let mut observer = Observer::new(&inventory, 1000);
                for batch in batches {
                    observer.observe(batch, &Names::default());
                }
                let observation = observer.conclude();
                (observation.edges, observation.findings, observation.flows)
            };
            let together = observe(vec![vec![called.clone(), delivered.clone()]]);
            assert_eq!(observe(vec![vec![called.clone()], vec![delivered.clone()]]), together);
            assert_eq!(observe(vec![vec![delivered.clone()], vec![called.clone()], vec![]]), together);
        }
    }
}

#[test]
fn more_edges_than_are_kept_are_said() {
    let inventory = inventory();
    let mut observer = Observer::new(&inventory, 5);
    let mut flows: Vec<Flow> = (0..20).map(|last| syn((CALLER, 40000), (&format!("203.0.113.{last}"), 443))).collect();
    flows.push(syn(("203.0.113.99", 40000), (SERVER, 8080)));
    flows.push(syn((SECOND_CALLER, 40000), (SERVER, 8080)));
    flows.extend((0..20).map(|last| {
        let outcome = Outcome::OneWay { moments: 5 };
        Flow { outcome, ..udp((SERVER, 40000), (&format!("203.0.113.{last}"), 514)) }
    }));
    observer.observe(flows, &Names::default());
    let observation = observer.conclude();
    let left_out: Vec<(String, u64)> = observation
        .findings
        .sorted()
        .into_iter()
        .filter(|finding| finding.code == Code::TooManyEdges)
        .map(|finding| (finding.subject, finding.count))
        .collect();
    let expected = [("n/caller -> outside addresses TCP 443", 18), ("n/server -> outside addresses UDP 514", 19)];
    assert_eq!(left_out, expected.map(|(subject, count)| (subject.to_owned(), count)));
    let edges: Vec<String> = observation.edges.keys().map(ToString::to_string).collect();
    let expected = [
        "n/caller -> 203.0.113.0 TCP 443",
        "n/caller -> 203.0.113.1 TCP 443",
        "n/second -> n/server TCP 8080",
        "n/server -> 203.0.113.0 UDP 514",
        "203.0.113.99 -> n/server TCP 8080",
    ];
    assert_eq!(edges, expected);
    assert_eq!(classes(&observation), [(FlowClass::Edge, 5), (FlowClass::LeftOut, 37)]);
}

#[test]
fn the_own_node_needs_no_rule() {
    for node in [NODE, "fe80::1"] {
        let observation = observe(vec![syn((node, 40000), (SERVER, 8080))], &Names::default());
        assert_eq!(observation.edges.len(), 0, "{node}");
    }
}

#[test]
fn a_pod_that_calls_its_own_node_needs_the_rule_of_a_node() {
    let observation =
        observe(vec![syn((SERVER, 40000), (NODE, 9100)), syn((SERVER, 40001), ("fe80::1", 9100))], &Names::default());
    let edges: Vec<String> = observation.edges.keys().map(ToString::to_string).collect();
    let node = observation.edges.keys().filter(|edge| matches!(edge.responder, Party::Node(_))).count();
    assert_eq!((edges.len(), node), (1, 1), "a link-local address means another machine to every caller: {edges:?}");
}

#[test]
fn what_is_tried_in_vain_and_who_gets_names_is_remembered() {
    let inventory = inventory();
    let mut observer = Observer::new(&inventory, 1000);
    let refused = |port: u16| Flow { outcome: Outcome::Refused, ..syn((CALLER, 40_000 + port), (SERVER, port)) };
    let mut names = Names::default();
    let asker = SECOND_CALLER.parse().expect("an address");
    let address = [203, 0, 113, 9].into();
    names.add(NameAnswer {
        asker,
        address,
        at: Timestamp(0),
        name: "x.example".into(),
        time_to_live: 60,
        exchange: Some(asked_node()),
    });
    let outside = |caller| Flow { outcome: Outcome::Unanswered, ..syn((caller, 40_002), ("203.0.113.9", 443)) };
    let other = syn((CALLER, 40_001), (SERVER, 8080));
    let flows = vec![refused(22), refused(23), refused(8080), other, outside(CALLER), outside(SECOND_CALLER)];
    observer.observe(flows, &names);
    let span = Span::between(Timestamp(7), Timestamp(9));
    let mut floods = Floods::default();
    let scanner: IpAddr = [198, 51, 100, 9].into();
    floods.add(Some(scanner), None, 500, span);
    floods.add(Some([198, 51, 100, 10].into()), Some(SERVER.parse().expect("an address")), 500, span);
    observer.flood(&floods);
    let observation = observer.conclude();
    let expected = [(FlowClass::Edge, 1), (FlowClass::Unanswered, 2), (FlowClass::Refused, 3), (FlowClass::Flood, 1000)];
    assert_eq!(classes(&observation), expected);
    let told: Vec<(String, u64)> =
        observation.failed_attempts.iter().map(|(party, vain)| (party.to_string(), vain.targets)).collect();
    let expected = [("n/caller".to_owned(), 3), (scanner.to_string(), 500)];
    let message =
        "not what worked at another time, nor what was asked for by name, nor what one tries at one other again and again";
    assert_eq!(told, expected, "{message}");
    assert_eq!(observation.failed_attempts[&Party::Outside(scanner)].since, Timestamp(7));
    let answered: Vec<(String, &BTreeSet<IpAddr>)> =
        observation.asked.iter().map(|(&id, addresses)| (inventory.workload(id).name.to_string(), addresses)).collect();
    assert_eq!(answered, [("n/second".to_owned(), &BTreeSet::from([address]))]);
}

#[test]
fn all_workloads_behind_a_service_may_have_been_meant_also_those_of_one_name() {
    let mut builder = InventoryBuilder::new();
    builder.apply_value(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "n", "name": "server"},
        "spec": {"clusterIP": SERVICE, "clusterIPs": [SERVICE], "selector": {"app": "server"}, "ports": [{"port": 80, "targetPort": 8080}]}}));
    builder.apply_value(pod("caller", CALLER, &[]));
    builder.apply_value(pod("server", SERVER, &[]));
    let owner = json!([{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "server", "uid": "s", "controller": true}]);
    builder.apply_value(json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"namespace": "n", "name": "server-0", "labels": {"app": "server"}, "ownerReferences": owner},
        "spec": {"nodeName": "node-1", "containers": [{"name": "c", "image": "i"}]}, "status": {"podIP": "10.244.1.21"}}));
    let inventory = builder.build(&InventoryOptions::default());
    let mut observer = Observer::new(&inventory, 1000);
    observer.observe(vec![syn((CALLER, 40000), (SERVICE, 80))], &Names::default());
    let edges = observer.conclude().edges;
    let kinds: Vec<&str> = edges
        .keys()
        .filter_map(|edge| if let Party::Workload(name) = &edge.responder { Some(&*name.kind.0) } else { None })
        .collect();
    assert_eq!(kinds, ["Pod", "StatefulSet"], "the pod and its namesake");
}
