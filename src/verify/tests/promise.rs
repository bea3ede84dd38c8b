//! The proof notices each way in which policies can break their promise.

use std::collections::BTreeSet;
use std::num::NonZeroU16;

use k8s_openapi::api::networking::v1::NetworkPolicy;
use serde_json::{Value, json};

use super::{address, allow, app, deny_all, labels, place, pod, policy, policy_in, shop, widening, workload};
use crate::inventory::Backend;
use crate::model::Protocol::{Tcp, Udp};
use crate::model::{Block, Edge, NodeAddress, Party, Protocol};
use crate::verify::{
    Answer, ClusterView, Direction, Evaluator, Place, Proof, Reached, Reason, Terms, Why, Widening, admitted, prove,
};

fn party(text: &str) -> Party {
    match text.split_once('/') {
        _ if text == "api" => Party::ApiServer,
        Some(_) => Party::Workload(workload(text).into()),
        None if text.starts_with("192.0.2.") => {
            Party::Node(NodeAddress { name: "some".to_owned(), address: address(text) }.into())
        }
        None => Party::Outside(address(text)),
    }
}

fn edge(originator: &str, responder: &str, protocol: Protocol, port: u16) -> Edge {
    Edge { originator: party(originator), responder: party(responder), protocol, port: NonZeroU16::new(port).unwrap() }
}

fn edges() -> BTreeSet<Edge> {
    [
        edge("shop/web", "shop/db", Tcp, 5432),
        edge("shop/web", "203.0.113.7", Tcp, 443),
        edge("shop/web", "203.0.113.8", Tcp, 443),
        edge("ops/metrics", "shop/web", Tcp, 8080),
    ]
    .into()
}

/// Exactly what the edges need.
fn exact() -> Vec<NetworkPolicy> {
    let ops = json!({"matchLabels": {"kubernetes.io/metadata.name": "ops"}});
    let metrics = json!([{"namespaceSelector": ops, "podSelector": {"matchLabels": {"role": "metrics"}}}]);
    vec![
        deny_all("shop"),
        allow("web-out", "web", "Egress", json!([app("db")]), json!([{"port": 5432}])),
        allow(
            "web-to-store",
            "web",
            "Egress",
            json!([{"ipBlock": {"cidr": "203.0.113.7/32"}}, {"ipBlock": {"cidr": "203.0.113.8/32"}}]),
            json!([{"port": 443}]),
        ),
        allow("db-in", "db", "Ingress", json!([app("web")]), json!([{"port": 5432}])),
        allow("web-in", "web", "Ingress", metrics, json!([{"port": 8080}])),
    ]
}

fn judge(world: &ClusterView, policies: &[NetworkPolicy], edges: &BTreeSet<Edge>, terms: &Terms) -> Proof {
    prove(policies, world, edges, terms).unwrap()
}

fn excess(proof: &Proof) -> Vec<String> {
    proof.excess.iter().map(ToString::to_string).collect()
}

fn denied(proof: &Proof) -> Vec<String> {
    proof.denied.iter().map(ToString::to_string).collect()
}

#[test]
fn exact_policies_keep_the_promise() {
    let proof = judge(&shop(), &exact(), &edges(), &Terms::default());
    assert!(proof.holds(), "{:?} {:?} {:?}", denied(&proof), excess(&proof), proof.unisolated);
    assert_eq!(proof.widened, BTreeSet::new());
    assert_eq!(proof.pairs_checked, 2 * 2 * (3 + 2), "two workloads, two directions, three workloads and two addresses");
}

#[test]
fn every_missing_rule_is_noticed() {
    let rows = [
        (
            1,
            "egress of shop/web -> shop/db TCP 5432: pod shop/web-0 is isolated by shop/default-deny-all, shop/web-to-store and no rule allows it",
        ),
        (
            2,
            "egress of shop/web -> 203.0.113.7 TCP 443: pod shop/web-0 is isolated by shop/default-deny-all, shop/web-out and no rule allows it",
        ),
        (3, "ingress of shop/web -> shop/db TCP 5432: pod shop/db-0 is isolated by shop/default-deny-all and no rule allows it"),
        (
            4,
            "ingress of ops/metrics -> shop/web TCP 8080: pod shop/web-0 is isolated by shop/default-deny-all and no rule allows it",
        ),
    ];
    for (dropped, text) in rows {
        let mut policies = exact();
        policies.remove(dropped);
        let proof = judge(&shop(), &policies, &edges(), &Terms::default());
        assert_eq!(denied(&proof).first().map(String::as_str), Some(text), "without policy {dropped}");
        assert!(!proof.holds() && proof.excess.is_empty(), "without policy {dropped}");
    }
}

#[test]
fn every_edge_that_was_not_seen_is_excess() {
    let rows = [
        (
            edge("shop/web", "shop/db", Tcp, 5432),
            vec![
                "ingress shop/web -> shop/db TCP 5432, by shop/db-in ingress[0]",
                "egress shop/web -> shop/db TCP 5432, by shop/web-out egress[0]",
            ],
        ),
        (
            edge("shop/web", "203.0.113.8", Tcp, 443),
            vec!["egress shop/web -> 203.0.113.8 TCP 443, by shop/web-to-store egress[0]"],
        ),
        (edge("ops/metrics", "shop/web", Tcp, 8080), vec!["ingress ops/metrics -> shop/web TCP 8080, by shop/web-in ingress[0]"]),
    ];
    for (unseen, texts) in rows {
        let mut edges = edges();
        assert!(edges.remove(&unseen), "{unseen}");
        let proof = judge(&shop(), &exact(), &edges, &Terms::default());
        assert_eq!(excess(&proof), texts, "without {unseen}");
        assert!(!proof.holds() && proof.denied.is_empty(), "without {unseen}");
    }
}

#[test]
fn each_kind_of_widening_is_noticed() {
    let every = |name: &str| {
        policy(name, json!({"podSelector": {"matchLabels": {"app": "db"}}, "policyTypes": ["Ingress"], "ingress": [{}]}))
    };
    let rows = [
        (
            every("open"),
            vec!["ingress everyone -> shop/db every port, by shop/open ingress[0]"],
            "a rule that lost its peers and ports",
        ),
        (
            allow(
                "ports",
                "db",
                "Ingress",
                json!([app("web")]),
                json!([{"port": 5431, "endPort": 5433}, {"port": 5432, "protocol": "UDP"}]),
            ),
            vec!["ingress shop/web -> shop/db TCP 5431,5433 UDP 5432, by shop/ports ingress[0]"],
            "neighbour ports and another protocol",
        ),
        (
            allow("pods", "web", "Egress", json!([{"podSelector": {}}]), json!([{"port": 5432}])),
            vec!["egress shop/web -> shop/web TCP 5432, by shop/pods egress[0]"],
            "every pod of the namespace in place of one workload",
        ),
        (
            allow("wide", "web", "Egress", json!([{"ipBlock": {"cidr": "203.0.113.6/31"}}]), json!([{"port": 443}])),
            vec!["egress shop/web -> 203.0.113.6 TCP 443, by shop/wide egress[0]"],
            "an address more",
        ),
        (
            allow(
                "address",
                "web",
                "Egress",
                json!([{"ipBlock": {"cidr": "203.0.113.7/32"}}]),
                json!([{"port": 443}, {"port": 80}]),
            ),
            vec!["egress shop/web -> 203.0.113.7 TCP 80, by shop/address egress[0]"],
            "a port more at a known address",
        ),
        (
            allow("pod-block", "db", "Egress", json!([{"ipBlock": {"cidr": "10.1.1.1/32"}}]), json!([{"port": 8080}])),
            vec![
                "egress shop/db -> ops/metrics TCP 8080 (up to the network plug-in), by shop/pod-block egress[0]",
                "egress shop/db -> 10.1.1.1 TCP 8080, by shop/pod-block egress[0]",
            ],
            "a pod by its address",
        ),
        (
            allow("named", "web", "Egress", json!([app("db")]), json!([{"port": "sql"}, {"port": "http"}])),
            vec![],
            "a name of the port that was seen, and one that the responder does not have",
        ),
        (
            policy(
                "names-to-all",
                json!({"podSelector": {"matchLabels": {"app": "db"}}, "policyTypes": ["Egress"], "egress": [{"ports": [{"port": "http"}]}]}),
            ),
            vec!["egress shop/db -> shop/web TCP 8080-8081, by shop/names-to-all egress[0]"],
            "a name that means other ports on every pod",
        ),
    ];
    for (widening, texts, message) in rows {
        let mut policies = exact();
        policies.push(widening);
        let proof = judge(&shop(), &policies, &edges(), &Terms::default());
        assert_eq!(excess(&proof), texts, "{message}");
        assert_eq!((proof.holds(), proof.denied.len()), (texts.is_empty(), 0), "{message}");
    }
}

#[test]
fn a_widening_excuses_exactly_whom_it_names_on_exactly_its_ports() {
    let dns = |name, ports| allow(name, "web", "Egress", json!([app("db")]), ports);
    let mut policies = exact();
    policies.push(dns("dns", json!([{"port": 53, "protocol": "UDP"}, {"port": 53}])));
    let mut edges = edges();
    edges.insert(edge("shop/web", "shop/db", Udp, 53));
    let world = shop();
    let with = |policies: &[NetworkPolicy], widening: &Widening| {
        judge(&world, policies, &edges, &Terms { subjects: None, widenings: [widening.clone()].into() })
    };
    // The other side allows no DNS here; only the excess matters.
    let tcp = widening("shop/web", Direction::Egress, &["shop/db"], &["TCP 53"]);
    let proof = with(&policies, &tcp);
    assert_eq!(excess(&proof), Vec::<String>::new());
    let widened: Vec<_> = proof.widened.iter().map(|widened| (widened.excess.to_string(), widened.reason.clone())).collect();
    let expected = "egress shop/web -> shop/db TCP 53, by shop/dns egress[0]";
    assert_eq!(widened, [(expected.to_owned(), Reason::Stated("stated".to_owned()))]);
    let egress = |subject, peers: &[&str], ports: &[&str]| widening(subject, Direction::Egress, peers, ports);
    let rows = [
        (egress("shop/web", &["shop/db"], &["TCP 53", "UDP 53"]), 0, "among others"),
        (egress("shop/web", &["shop/db"], &["TCP 1-65535"]), 0, "a range around the port"),
        (egress("shop/web", &["shop/db"], &["TCP 54"]), 1, "another port"),
        (egress("shop/web", &["shop/db"], &["UDP 53"]), 1, "another protocol"),
        (egress("shop/web", &["shop/web", "ops/metrics"], &["TCP 53"]), 1, "other peers"),
        (egress("shop/web", &["10.0.0.0/8"], &["TCP 53"]), 1, "the peer's addresses, where a selector means its pods"),
        (egress("shop/db", &["shop/db"], &["TCP 53"]), 1, "another subject"),
        (widening("shop/web", Direction::Ingress, &["shop/db"], &["TCP 53"]), 1, "the other direction"),
        (widening("shop/db", Direction::Ingress, &["shop/web"], &["TCP 53"]), 1, "the other side of the same connection"),
    ];
    for (widening, count, message) in rows {
        assert_eq!(with(&policies, &widening).excess.len(), count, "{message}");
    }
    // No policy is named, so it makes no difference which one allows it; and what a policy allows besides is not excused.
    policies.push(dns("again", json!([{"port": 53}])));
    assert!(with(&policies, &tcp).excess.is_empty(), "another policy");
    policies.push(dns("more", json!([{"port": 53, "endPort": 54}])));
    assert_eq!(excess(&with(&policies, &tcp)), ["egress shop/web -> shop/db TCP 54, by shop/more egress[0]"]);
}

#[test]
fn exposure_to_the_internet_is_excess_until_it_is_stated() {
    let blocks = json!([
        {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8", "169.254.0.0/16"]}}, {"ipBlock": {"cidr": "::/0", "except": ["fd00::/8"]}}]);
    let internet =
        |blocks: &Value, ports: Value| [exact(), vec![allow("internet", "web", "Ingress", blocks.clone(), ports)]].concat();
    let port = || json!([{"port": 8443}]);
    let mut edges = edges();
    edges.insert(edge("198.51.100.9", "shop/web", Tcp, 8443));
    let with = |policies: &[NetworkPolicy], widenings: &[Widening]| {
        let terms = Terms { subjects: None, widenings: widenings.iter().cloned().collect() };
        excess(&judge(&shop(), policies, &edges, &terms))
    };
    let found = with(&internet(&blocks, port()), &[]);
    assert_eq!(found.len(), 1, "{found:?}");
    let mut stated = widening("shop/web", Direction::Ingress, &["0.0.0.0/0", "::/0"], &["TCP 8443"]);
    let holes = |cidr: &str| -> BTreeSet<_> {
        let holes = if cidr == "::/0" { &["fd00::/8"][..] } else { &["10.0.0.0/8", "169.254.0.0/16"][..] };
        holes.iter().map(|hole| hole.parse().unwrap()).collect()
    };
    stated.blocks = stated.blocks.into_iter().map(|block| Block { except: holes(&block.cidr.to_string()), ..block }).collect();
    assert_eq!(with(&internet(&blocks, port()), std::slice::from_ref(&stated)), Vec::<String>::new());
    let by = "ingress[0]";
    let rows = [
        (
            internet(&json!([{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}]), port()),
            vec![format!("ingress 169.254.0.0/16 -> shop/web TCP 8443, by shop/internet {by}")],
            "a hole less",
        ),
        (
            internet(&blocks, json!([{"port": 8443, "endPort": 8444}])),
            vec![format!(
                "ingress 0.0.0.0/0 except 10.0.0.0/8, 169.254.0.0/16, ::/0 except fd00::/8 -> shop/web TCP 8444, by shop/internet {by}"
            )],
            "a port more",
        ),
        (
            internet(&json!([{"ipBlock": {"cidr": "0.0.0.0/0"}}]), port()),
            vec![
                format!("ingress ops/metrics -> shop/web TCP 8443 (up to the network plug-in), by shop/internet {by}"),
                format!("ingress shop/db -> shop/web TCP 8443 (up to the network plug-in), by shop/internet {by}"),
                format!("ingress shop/web -> shop/web TCP 8443 (up to the network plug-in), by shop/internet {by}"),
                format!("ingress 10.0.0.0/8, 169.254.0.0/16 -> shop/web TCP 8443, by shop/internet {by}"),
            ],
            "no hole at all, so that pods' addresses are in it",
        ),
    ];
    for (policies, expected, message) in rows {
        let found: BTreeSet<String> = with(&policies, std::slice::from_ref(&stated)).into_iter().collect();
        assert_eq!(found, expected.into_iter().collect(), "{message}");
    }
}

#[test]
fn pods_that_no_policy_isolates_are_named() {
    let mut policies = exact();
    policies.remove(0);
    let proof = judge(&shop(), &policies, &edges(), &Terms::default());
    assert_eq!(
        proof.unisolated,
        [(workload("shop/db"), Direction::Egress)].into(),
        "the others are isolated by what allows them"
    );
    assert!(!proof.holds());
}

#[test]
fn workloads_with_the_same_labels_share_their_permissions() {
    let mut world = shop();
    world.pods.push(pod("shop/canary-0", "app=web", &["10.1.0.9"]));
    let proof = judge(&world, &exact(), &edges(), &Terms::default());
    assert_eq!(excess(&proof), Vec::<String>::new());
    let widened: Vec<_> = proof.widened.iter().map(|widened| (widened.excess.to_string(), widened.reason.clone())).collect();
    let text = [
        "ingress ops/metrics -> shop/canary TCP 8080, by shop/web-in ingress[0]",
        "egress shop/canary -> shop/db TCP 5432, by shop/web-out egress[0]",
        "egress shop/canary -> 203.0.113.7, 203.0.113.8 TCP 443, by shop/web-to-store egress[0]",
        "ingress shop/canary -> shop/db TCP 5432, by shop/db-in ingress[0]",
    ];
    assert_eq!(widened, text.map(|text| (text.to_owned(), Reason::SameLabels)));
    if let Some(canary) = world.pods.last_mut() {
        canary.labels = labels("app=web track=canary").into();
    }
    assert_eq!(judge(&world, &exact(), &edges(), &Terms::default()).excess.len(), 4, "a selector could tell these apart");
}

#[test]
fn the_api_server_is_all_its_endpoints() {
    let mut world = shop();
    world.api_server = ["198.51.100.1", "198.51.100.2"].map(|text| Backend { address: address(text), port: 6443 }).into();
    let edges = BTreeSet::from([edge("shop/web", "api", Tcp, 6443)]);
    let to = |endpoints: &[&str]| {
        let blocks: Vec<Value> =
            endpoints.iter().map(|endpoint| json!({"ipBlock": {"cidr": format!("{endpoint}/32")}})).collect();
        vec![deny_all("shop"), allow("api", "web", "Egress", json!(blocks), json!([{"port": 6443}]))]
    };
    let both = judge(&world, &to(&["198.51.100.1", "198.51.100.2"]), &edges, &Terms::default());
    assert!(both.holds(), "{:?} {:?}", denied(&both), excess(&both));
    let one = judge(&world, &to(&["198.51.100.1"]), &edges, &Terms::default());
    assert_eq!(one.denied.len(), 1, "an endpoint that is not allowed: {:?}", denied(&one));
    let more = judge(&world, &to(&["198.51.100.1", "198.51.100.2", "198.51.100.3"]), &edges, &Terms::default());
    assert_eq!(more.excess.len(), 1, "an address that is none of them: {:?}", excess(&more));
    world.api_server.insert(Backend { address: address("198.51.100.2"), port: 443 });
    let mut two_ports = to(&["198.51.100.1", "198.51.100.2"]);
    two_ports.push(allow("other", "web", "Egress", json!([{"ipBlock": {"cidr": "198.51.100.2/32"}}]), json!([{"port": 443}])));
    let proof = judge(&world, &two_ports, &edges, &Terms::default());
    assert!(proof.holds(), "an endpoint may answer at another port: {:?}", excess(&proof));
    world.api_server.clear();
    let none = judge(&world, &to(&["198.51.100.1"]), &edges, &Terms::default());
    let why: Vec<_> = none.denied.iter().map(|denied| denied.why.clone()).collect();
    assert_eq!(why, [Why::UnknownParty(Party::ApiServer)], "nothing can be proved of endpoints that are not known");
}

#[test]
fn edges_of_nodes_and_unknown_workloads() {
    let node = [edge("192.0.2.2", "shop/web", Tcp, 8080)].into();
    let proof = judge(&shop(), &[deny_all("shop")], &node, &Terms::default());
    assert_eq!(denied(&proof).len(), 1, "web-1 is on that node, web-0 is not");
    let first = [edge("192.0.2.1", "shop/web", Tcp, 8080)].into();
    let proof = judge(&shop(), &[deny_all("shop")], &first, &Terms::default());
    assert_eq!(denied(&proof).len(), 1, "web-0 is on that node, web-1 is not");
    let block = allow("node", "web", "Ingress", json!([{"ipBlock": {"cidr": "192.0.2.2/32"}}]), json!([{"port": 8080}]));
    let proof = judge(&shop(), &[deny_all("shop"), block], &node, &Terms::default());
    assert!(proof.holds(), "{:?} {:?}", denied(&proof), excess(&proof));
    let own = [edge("shop/db", "192.0.2.2", Tcp, 10250)].into();
    assert_eq!(denied(&judge(&shop(), &[deny_all("shop")], &own, &Terms::default())).len(), 1, "its own node needs a rule too");
    let unknown = [edge("shop/ghost", "ops/metrics", Tcp, 1), edge("shop/web", "ops/ghost", Tcp, 1)].into();
    let proof = judge(&shop(), &[deny_all("shop")], &unknown, &Terms::default());
    let why: BTreeSet<_> = proof.denied.iter().map(|denied| denied.why.clone()).collect();
    assert_eq!(why, ["shop/ghost", "ops/ghost"].map(|text| Why::UnknownParty(party(text))).into(), "not passed over in silence");
    let by_block = allow("block", "web", "Egress", json!([{"ipBlock": {"cidr": "10.1.1.1/32"}}]), json!([{"port": 9}]));
    let proof =
        judge(&shop(), &[deny_all("shop"), by_block], &[edge("shop/web", "ops/metrics", Tcp, 9)].into(), &Terms::default());
    let undefined = proof.denied.iter().filter(|denied| matches!(denied.why, Why::Undefined { .. })).count();
    assert_eq!(undefined, 1, "an ipBlock on a pod's address is not relied on");
}

#[test]
fn a_workload_is_meant_by_its_pods_on_the_pod_network() {
    let mut world = shop();
    let mut moved = pod("ops/metrics-9", "role=metrics", &["192.0.2.2"]);
    moved.is_on_host_network = true;
    world.pods.push(moved);
    let proof = judge(&world, &exact(), &edges(), &Terms::default());
    assert!(proof.holds(), "while it has some: {:?}", denied(&proof));
    let from_agent = [edge("ops/agent", "shop/web", Tcp, 8080)].into();
    let block = allow("agent", "web", "Ingress", json!([{"ipBlock": {"cidr": "192.0.2.2/32"}}]), json!([{"port": 8080}]));
    let proof = judge(&world, &[deny_all("shop"), block], &from_agent, &Terms::default());
    assert!(proof.holds(), "otherwise by its node's addresses: {:?} {:?}", denied(&proof), excess(&proof));
    let proof = judge(&world, &[deny_all("shop")], &from_agent, &Terms::default());
    assert_eq!(denied(&proof).len(), 1);
}

#[test]
fn an_address_may_have_had_several_pods() {
    let mut world = shop();
    world.pods.push(pod("ops/later-0", "app=later", &["10.1.1.1"]));
    let mut policies = exact();
    policies.push(allow("block", "db", "Egress", json!([{"ipBlock": {"cidr": "10.1.1.1/32"}}]), json!([{"port": 9}])));
    let proof = judge(&world, &policies, &edges(), &Terms::default());
    let undefined =
        proof.excess.iter().filter(|excess| excess.certainty == Answer::Undefined).map(|excess| excess.peer.to_string());
    assert_eq!(undefined.collect::<Vec<_>>(), ["ops/later", "ops/metrics"]);
    let evaluator = Evaluator::new(&policies, &world).unwrap();
    let verdict = evaluator.verdict(place(&world, "shop/db-0"), Place::Address(address("10.1.1.1")), Tcp, 9);
    assert_eq!(verdict.originator.answer(), Answer::Undefined, "a pod's address, whichever pod's");
}

#[test]
fn only_sides_in_subject_namespaces_count() {
    let policies =
        [deny_all("shop"), policy_in("ops", "dns", &json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]}))];
    let edges = [edge("ops/metrics", "shop/db", Tcp, 5432)].into();
    let shop_only = Terms { subjects: Some(["shop".to_owned()].into()), widenings: BTreeSet::new() };
    let proof = judge(&shop(), &policies, &edges, &shop_only);
    assert_eq!(proof.denied.iter().map(|denied| denied.side).collect::<Vec<_>>(), [Direction::Ingress]);
    assert_eq!((proof.excess.len(), proof.unisolated.len()), (0, 0), "what ops may do is not judged");
    let proof = judge(&shop(), &policies, &edges, &Terms::default());
    assert_eq!(
        proof.unisolated,
        [(workload("ops/metrics"), Direction::Ingress)].into(),
        "by default all namespaces with policies are"
    );
    assert!(matches!(proof.excess.first().map(|excess| &excess.peer), Some(Reached::Everyone)), "{:?}", excess(&proof));
}

#[test]
fn a_range_that_is_stated_excuses_its_addresses() {
    let mut policies = exact();
    let range = |cidr: &str| json!([{"ipBlock": {"cidr": cidr}}]);
    policies.push(allow("range", "web", "Egress", range("198.51.100.0/28"), json!([{"port": 443}])));
    let mut edges = edges();
    edges.insert(edge("shop/web", "198.51.100.9", Tcp, 443));
    let with = |policies: &[NetworkPolicy], addresses: &str| {
        let widenings = [widening("shop/web", Direction::Egress, &[addresses], &["TCP 443"])].into();
        judge(&shop(), policies, &edges, &Terms { subjects: None, widenings })
    };
    for (addresses, expected, message) in [
        ("198.51.100.0/28", vec![], "that range"),
        ("198.51.0.0/16", vec![], "a range around it"),
        ("198.51.100.0/29", vec!["198.51.100.8, 198.51.100.10/31, 198.51.100.12/30"], "a part of it, and one was seen"),
        ("203.0.113.0/24", vec!["198.51.100.0/29, 198.51.100.8, 198.51.100.10/31, 198.51.100.12/30"], "another range"),
    ] {
        let proof = with(&policies, addresses);
        let found: Vec<String> = proof.excess.iter().map(|excess| excess.peer.to_string()).collect();
        assert_eq!(found, expected, "stated for {message}");
    }
    // On a flat network pods have addresses in the range. They are meant as far as it is.
    policies.pop();
    policies.push(allow("range", "web", "Egress", range("10.0.0.0/8"), json!([{"port": 443}])));
    assert_eq!(excess(&with(&policies, "10.0.0.0/8")), Vec::<String>::new());
    let found = with(&policies, "10.1.0.0/24").excess;
    let undefined: Vec<String> =
        found.iter().filter(|excess| excess.certainty == Answer::Undefined).map(|excess| excess.peer.to_string()).collect();
    assert_eq!(undefined, ["ops/metrics"], "its address is in no part that was stated");
}

#[test]
fn what_must_not_be_possible_is_found_where_it_is() {
    let with = |more: &[NetworkPolicy]| [exact(), more.to_vec()].concat();
    let internet =
        |direction| allow("internet", "web", direction, json!([{"ipBlock": {"cidr": "0.0.0.0/0"}}]), json!([{"port": 25}]));
    let everyone = allow("all-out", "web", "Egress", json!([{"podSelector": {}}]), json!([{"port": 25}]));
    let rows: [(&str, Vec<NetworkPolicy>, Edge, Option<&str>); 9] = [
        ("nothing allows it", exact(), edge("shop/web", "198.51.100.9", Tcp, 25), None),
        (
            "a wide block does",
            with(&[internet("Egress")]),
            edge("shop/web", "198.51.100.9", Tcp, 25),
            Some("by shop/internet egress[0]"),
        ),
        (
            "also for who calls",
            with(&[internet("Ingress")]),
            edge("198.51.100.9", "shop/web", Tcp, 25),
            Some("by shop/internet ingress[0]"),
        ),
        ("on another port", with(&[internet("Egress")]), edge("shop/web", "198.51.100.9", Tcp, 26), None),
        ("one side alone opens nothing", with(&[everyone]), edge("shop/web", "shop/db", Tcp, 25), None),
        ("both do", exact(), edge("shop/web", "shop/db", Tcp, 5432), Some("by shop/db-in ingress[0], shop/web-out egress[0]")),
        ("no isolation", Vec::new(), edge("shop/web", "shop/db", Tcp, 25), Some("because no policy isolates either side")),
        (
            "a block on pods' addresses is up to the plug-in, so it is not closed",
            with(&[internet("Egress")]),
            edge("shop/web", "ops/metrics", Tcp, 25),
            Some("by shop/internet egress[0]"),
        ),
        ("nobody knows the workload", Vec::new(), edge("shop/gone", "198.51.100.9", Tcp, 25), None),
    ];
    for (message, policies, edge, expected) in rows {
        let found = admitted(&policies, &shop(), [&edge]).unwrap();
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{message}");
    }
}
