//! Later traffic held against policies.

use std::collections::BTreeSet;
use std::num::NonZeroU16;

use k8s_openapi::api::networking::v1::NetworkPolicy;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::properties::{Choice, PORTS, edges, pods_of, policies, workloads, world};
use super::{address, allow, app, deny_all, naive, pod, policy, shop, widening, workload};
use crate::model::{Edge, Party, Protocol, WorkloadName};
use crate::verify::{
    Answer, Direction, Evaluator, Member, Place, Replay, Terms, UNKNOWN_NAMESPACES, Unused, UnusedPeers, Widening, prove, replay,
};

fn party(text: &str) -> Party {
    if text.contains('/') { Party::Workload(workload(text).into()) } else { Party::Outside(address(text)) }
}

fn edge(from: &str, to: &str, port: u16) -> Edge {
    Edge { originator: party(from), responder: party(to), protocol: Protocol::Tcp, port: NonZeroU16::new(port).unwrap() }
}

fn told(replay: &Replay) -> Vec<String> {
    let one_sided = replay.one_sided.iter().map(|unused| format!("one-sided: {}", line(unused)));
    replay.unused.iter().map(line).chain(one_sided).collect()
}

fn line(unused: &Unused) -> String {
    let peers = match &unused.peers {
        UnusedPeers::Everyone => "everyone".to_owned(),
        UnusedPeers::UnknownNamespaces => UNKNOWN_NAMESPACES.to_owned(),
        UnusedPeers::Pods(parties) => parties.to_string(),
        UnusedPeers::Addresses(set) => set.to_string(),
    };
    let way = match unused.direction {
        Direction::Ingress => format!("{peers} -> {}", unused.subject),
        Direction::Egress => format!("{} -> {peers}", unused.subject),
    };
    let by: Vec<String> = unused.by.iter().map(|rule| rule.policy.name.clone()).collect();
    let mark = if unused.certainty == Answer::Allowed { "" } else { " ?" };
    let reason = unused.reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
    format!("{way} {}{mark} by {}{reason}", unused.ports, by.join(" "))
}

fn policies_of_the_shop() -> Vec<NetworkPolicy> {
    vec![
        deny_all("shop"),
        allow("web-out", "web", "Egress", json!([app("db")]), json!([{"port": 5432}])),
        allow("db-in", "db", "Ingress", json!([app("web")]), json!([{"port": 5432}])),
    ]
}

#[test]
fn what_is_denied_is_told_by_side_with_the_nearest_policy() {
    let rows = [
        (edge("shop/web", "shop/db", 5432), vec![], "allowed by both sides"),
        (edge("ops/metrics", "shop/db", 5432), vec![(Direction::Ingress, "shop/db-in")], "another peer"),
        (
            edge("shop/web", "shop/db", 9),
            vec![(Direction::Egress, "shop/web-out egress[0]"), (Direction::Ingress, "shop/db-in ingress[0]")],
            "another port, on both sides",
        ),
        (edge("shop/db", "203.0.113.1", 443), vec![(Direction::Egress, "")], "no policy of db's speaks of egress"),
        (edge("ops/metrics", "203.0.113.1", 443), vec![], "nothing isolates it"),
    ];
    for (edge, expected, message) in rows {
        let result = replay(&policies_of_the_shop(), &[], &shop(), [&edge]).unwrap();
        let missing = result.denied.get(&edge).cloned().unwrap_or_default();
        let found: Vec<(Direction, String)> = missing
            .into_iter()
            .map(|missing| {
                let nearest = missing.nearest.first();
                let name = nearest.map(|nearest| nearest.rule.as_ref().map_or(nearest.policy.to_string(), ToString::to_string));
                (missing.side, name.unwrap_or_default())
            })
            .collect();
        let expected: Vec<(Direction, String)> = expected.into_iter().map(|(side, name)| (side, name.to_owned())).collect();
        assert_eq!(found, expected, "{message}");
    }
}

#[test]
fn what_nobody_used_is_told_once_a_pair() {
    let seen = [edge("shop/web", "shop/db", 5432)];
    let with = |more: &[NetworkPolicy], widenings: &[Widening]| {
        let policies: Vec<NetworkPolicy> = policies_of_the_shop().into_iter().chain(more.iter().cloned()).collect();
        told(&replay(&policies, widenings, &shop(), &seen).unwrap())
    };
    assert_eq!(with(&[], &[]), Vec::<String>::new(), "all that is allowed was used");
    let unused = replay(&policies_of_the_shop(), &[], &shop(), &[]).unwrap();
    assert_eq!(told(&unused), ["shop/web -> shop/db TCP 5432 by db-in"], "told by the responder's rule");
    let metrics = || {
        allow("metrics", "db", "Ingress", json!([{"namespaceSelector": {"matchLabels": {"team": "b"}}}]), json!([{"port": 1}]))
    };
    assert_eq!(with(&[metrics()], &[]), ["ops/metrics -> shop/db TCP 1 by metrics"], "nothing isolates the other side");
    let internet = allow("internet", "web", "Ingress", json!([{"ipBlock": {"cidr": "0.0.0.0/0"}}]), json!([{"port": 80}]));
    let pods =
        ["ops/metrics -> shop/web TCP 80 ? by internet", "one-sided: every workload of shop -> shop/web TCP 80 ? by internet"];
    let found = with(std::slice::from_ref(&internet), &[]);
    let lines = |found: &[String]| found.iter().cloned().collect::<BTreeSet<String>>();
    let expected = |more: &str| [more, pods[0], pods[1]].map(str::to_owned).into();
    assert_eq!(lines(&found), expected("0.0.0.0/0 -> shop/web TCP 80 by internet"));
    let stated = widening("shop/web", Direction::Ingress, &["0.0.0.0/0"], &["TCP 80"]);
    let found = with(&[internet], &[stated]);
    let expected = ["0.0.0.0/0 -> shop/web TCP 80 by internet (stated)", "ops/metrics -> shop/web TCP 80 ? by internet (stated)"];
    assert_eq!(lines(&found), expected.map(str::to_owned).into(), "what is stated, it may do to pods as well");
    let everyone = policy(
        "all",
        json!({"podSelector": {"matchLabels": {"app": "db"}}, "policyTypes": ["Ingress"], "ingress": [{"ports": [{"port": 7}]}]}),
    );
    assert_eq!(with(&[everyone], &[]), ["everyone -> shop/db TCP 7 by all"]);
}

/// Policies beside those of the shop, what is stated, what is told, and what the row shows.
type Row<'a> = (Vec<NetworkPolicy>, Vec<Widening>, &'a [&'a str], &'a str);

#[test]
fn each_side_stands_for_itself() {
    let seen = [edge("shop/web", "shop/db", 5432)];
    let out = |ports| allow("out", "web", "Egress", json!([app("db")]), ports);
    let into = |ports| allow("in", "db", "Ingress", json!([app("web")]), ports);
    let port = |number: u16| json!([{"port": number}]);
    let egress = || widening("shop/web", Direction::Egress, &["shop/db"], &["TCP 53"]);
    let ingress = || widening("shop/db", Direction::Ingress, &["shop/web"], &["TCP 53"]);
    let internet = || allow("net", "web", "Egress", json!([{"ipBlock": {"cidr": "0.0.0.0/0"}}]), json!([{"port": 443}]));
    let any = |pods: Value| json!([{"namespaceSelector": {}, "podSelector": pods}]);
    let to_come = allow("any", "db", "Ingress", any(json!({"matchLabels": {"app": "nobody"}})), port(9));
    let no_such = allow("any", "db", "Ingress", json!([{"namespaceSelector": {"matchLabels": {"team": "c"}}}]), port(9));
    let web = |spec: Value| {
        let mut spec = spec;
        spec["podSelector"] = json!({"matchLabels": {"app": "web"}});
        spec
    };
    let wide = policy("wide", web(json!({"policyTypes": ["Egress"], "egress": [{"to": [{"namespaceSelector": {}}]}]})));
    let open = policy("open", web(json!({"policyTypes": ["Ingress"], "ingress": [{}]})));
    let rows: [Row<'_>; 14] = [
        (
            vec![wide, open],
            vec![],
            &[
                "everyone -> shop/web every port by open",
                "shop/web -> ops/metrics every port by wide",
                "shop/web -> pods of namespaces to come every port by wide",
                "one-sided: shop/web -> shop/db TCP 0-5431,5433-65535 UDP any port SCTP any port by wide",
            ],
            "a peer that nothing isolates, and one that is open to everyone",
        ),
        (vec![to_come], vec![], &["pods of namespaces to come -> shop/db TCP 9 by any"], "a selector that any namespace meets"),
        (vec![no_such], vec![], &[], "a selector that no namespace meets so far"),
        (vec![into(port(53))], vec![], &["one-sided: shop/web -> shop/db TCP 53 by in"], "the originator's side denies it"),
        (vec![out(port(53))], vec![], &["one-sided: shop/web -> shop/db TCP 53 by out"], "the responder's side denies it"),
        (vec![out(port(53)), into(port(53))], vec![], &["shop/web -> shop/db TCP 53 by in"], "both allow it: told once"),
        (
            vec![out(json!([{"port": 53}, {"port": 54}])), into(port(53))],
            vec![],
            &["shop/web -> shop/db TCP 53 by in", "one-sided: shop/web -> shop/db TCP 54 by out"],
            "both allow one of two ports",
        ),
        (vec![into(port(53))], vec![ingress()], &[], "stated on the side that allows it"),
        (
            vec![into(port(53))],
            vec![egress()],
            &["one-sided: shop/web -> shop/db TCP 53 by in"],
            "stated on the other side, which says nothing of it",
        ),
        (
            vec![out(port(53)), into(port(53))],
            vec![ingress(), egress()],
            &["shop/web -> shop/db TCP 53 by in (stated)"],
            "stated on both sides",
        ),
        (
            vec![out(port(53)), into(port(53))],
            vec![ingress()],
            &["shop/web -> shop/db TCP 53 by out"],
            "stated by the responder's side alone: the originator's rule is too wide",
        ),
        (
            vec![out(port(53)), into(port(53))],
            vec![egress()],
            &["shop/web -> shop/db TCP 53 by in"],
            "stated by the originator's side alone",
        ),
        (
            vec![allow("self", "db", "Ingress", json!([app("db")]), port(9))],
            vec![],
            &["one-sided: shop/db -> shop/db TCP 9 by self"],
            "a workload of one pod and itself: tomorrow it may have two",
        ),
        (
            vec![internet()],
            vec![widening("shop/web", Direction::Egress, &["0.0.0.0/0"], &["TCP 443"])],
            &["shop/web -> 0.0.0.0/0 TCP 443 by net (stated)", "shop/web -> ops/metrics TCP 443 ? by net (stated)"],
            "pods by their addresses, as far as those are stated",
        ),
    ];
    for (more, widenings, expected, message) in rows {
        let policies: Vec<NetworkPolicy> = policies_of_the_shop().into_iter().chain(more).collect();
        let result = replay(&policies, &widenings, &shop(), &seen).unwrap();
        let found: BTreeSet<String> = told(&result).into_iter().collect();
        assert_eq!(found, expected.iter().map(|line| (*line).to_owned()).collect(), "{message}");
        assert_eq!(result.has_excess(), expected.iter().any(|line| !line.ends_with(')')), "{message}");
    }
}

#[test]
fn workloads_that_no_selector_tells_apart_are_excused() {
    let mut world = shop();
    world.pods.push(pod("shop/twin-0", "app=web", &["10.1.0.9"]));
    let seen = [edge("shop/web", "shop/db", 5432)];
    let result = replay(&policies_of_the_shop(), &[], &world, &seen).unwrap();
    assert_eq!(told(&result), ["shop/twin -> shop/db TCP 5432 by db-in (workloads with the same labels)"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Each side of every pair against the slow evaluator.
    #[test]
    fn what_nobody_used_is_what_asking_one_by_one_finds(
        world in world(), policies in policies(), choices in proptest::collection::vec(any::<Choice>(), 0..8),
    ) {
        let edges = edges(&world, &choices);
        let result = replay(&policies, &[], &world, &edges).unwrap();
        let proof = prove(&policies, &world, &edges, &Terms::default()).unwrap();
        let denied: BTreeSet<&Edge> = proof.denied.iter().map(|denied| &denied.edge).collect();
        prop_assert_eq!(result.denied.keys().collect::<BTreeSet<_>>(), denied, "the proof says the same");
        let evaluator = Evaluator::new(&policies, &world).unwrap();
        let workloads = workloads(&world);
        let holds = |unused: &Unused, other: &WorkloadName| match &unused.peers {
            UnusedPeers::Pods(parties) => parties.members.iter().any(|member| match member {
                Member::Everyone { except } => !except.contains(other),
                Member::Namespace { name, except } => other.namespace == *name && !except.contains(other),
                Member::Workload(name) | Member::Some { workload: name, .. } => name == other,
            }),
            _ => false,
        };
        for from in &workloads {
            for to in workloads.iter().filter(|to| *to != from) {
                for (protocol, port) in [Protocol::Tcp, Protocol::Udp].into_iter().flat_map(|protocol| PORTS.map(|port| (protocol, port))) {
                    let pods = |name| pods_of(&world, name);
                    let pairs = pods(from).into_iter().flat_map(|one| pods(to).into_iter().map(move |other| (one, other)));
                    let is_allowed = pairs.into_iter().any(|(one, other)| {
                        let side = |direction, pair| naive::side(&policies, &world, direction, pair, (protocol, port)) == Some(Answer::Allowed);
                        let isolated = !evaluator.isolated_by(one, Direction::Egress).is_empty() || !evaluator.isolated_by(other, Direction::Ingress).is_empty();
                        let (one, other) = (Place::Pod(one), Place::Pod(other));
                        isolated && side(Direction::Egress, (one, other)) && side(Direction::Ingress, (other, one))
                    });
                    let edge = Edge { originator: Party::Workload(from.clone().into()), responder: Party::Workload(to.clone().into()), protocol, port: NonZeroU16::new(port).unwrap() };
                    let told = |unused: &&Unused| {
                        let (own, other) = if unused.direction == Direction::Ingress { (to, from) } else { (from, to) };
                        unused.subject == *own && unused.ports.contains(protocol, port) && holds(unused, other)
                    };
                    let open = result.unused.iter().any(|unused| {
                        let own = if unused.direction == Direction::Ingress { to } else { from };
                        unused.peers == UnusedPeers::Everyone && unused.subject == *own && unused.ports.contains(protocol, port)
                    });
                    let told: Vec<_> = result.unused.iter().filter(told).collect();
                    if edges.contains(&edge) {
                        prop_assert!(told.is_empty(), "used: {}", edge);
                    } else {
                        let certain = told.iter().any(|unused| unused.certainty == Answer::Allowed);
                        prop_assert!(!certain || is_allowed, "told and not so: {}", edge);
                        prop_assert!(!is_allowed || certain || open, "not told: {}", edge);
                    }
                }
            }
        }
    }
}
