//! Later traffic held against policies.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU16;

use k8s_openapi::api::networking::v1::NetworkPolicy;
use proptest::prelude::*;
use serde_json::json;

use super::properties::{Choice, PORTS, edges, pods_of, policies, workloads, world};
use super::{address, allow, app, deny_all, naive, pod, policy, shop, workload};
use crate::model::{Edge, Party, Protocol, WorkloadName};
use crate::verify::{Answer, Direction, Evaluator, Member, Place, PolicyName, Replay, Terms, Unused, UnusedPeers, prove, replay};

fn party(text: &str) -> Party {
    if text.contains('/') { Party::Workload(workload(text).into()) } else { Party::Outside(address(text)) }
}

fn edge(from: &str, to: &str, port: u16) -> Edge {
    Edge { originator: party(from), responder: party(to), protocol: Protocol::Tcp, port: NonZeroU16::new(port).unwrap() }
}

fn told(replay: &Replay) -> Vec<String> {
    let one = |unused: &Unused| {
        let peers = match &unused.peers {
            UnusedPeers::Everyone => "everyone".to_owned(),
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
    };
    replay.unused.iter().map(one).collect()
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
    let none = BTreeMap::new();
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
        let result = replay(&policies_of_the_shop(), &none, &shop(), [&edge]).unwrap();
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
    let none = BTreeMap::new();
    let with = |more: &[NetworkPolicy], stated: &BTreeMap<PolicyName, String>| {
        let policies: Vec<NetworkPolicy> = policies_of_the_shop().into_iter().chain(more.iter().cloned()).collect();
        told(&replay(&policies, stated, &shop(), &seen).unwrap())
    };
    assert_eq!(with(&[], &none), Vec::<String>::new(), "all that is allowed was used");
    let unused = replay(&policies_of_the_shop(), &none, &shop(), &[]).unwrap();
    assert_eq!(told(&unused), ["shop/web -> shop/db TCP 5432 by db-in"], "told by the responder's rule");
    let metrics = || {
        allow("metrics", "db", "Ingress", json!([{"namespaceSelector": {"matchLabels": {"team": "b"}}}]), json!([{"port": 1}]))
    };
    assert_eq!(with(&[metrics()], &none), ["ops/metrics -> shop/db TCP 1 by metrics"], "nothing isolates the other side");
    let half = allow("half", "db", "Ingress", json!([app("web")]), json!([{"port": 2}]));
    assert_eq!(with(&[half], &none), Vec::<String>::new(), "the other side does not allow it");
    let internet = allow("internet", "web", "Ingress", json!([{"ipBlock": {"cidr": "0.0.0.0/0"}}]), json!([{"port": 80}]));
    let expected = ["0.0.0.0/0 -> shop/web TCP 80 by internet", "ops/metrics -> shop/web TCP 80 ? by internet"];
    let found = with(std::slice::from_ref(&internet), &none);
    assert_eq!(found.iter().map(String::as_str).collect::<BTreeSet<_>>(), BTreeSet::from(expected));
    let name = PolicyName { namespace: "shop".to_owned(), name: "internet".to_owned() };
    let stated = BTreeMap::from([(name, "exposed".to_owned())]);
    assert!(with(&[internet], &stated).iter().all(|line| line.ends_with("(exposed)")), "stated");
    let everyone = policy(
        "all",
        json!({"podSelector": {"matchLabels": {"app": "db"}}, "policyTypes": ["Ingress"], "ingress": [{"ports": [{"port": 7}]}]}),
    );
    assert_eq!(with(&[everyone], &none), ["everyone -> shop/db TCP 7 by all"]);
}

#[test]
fn workloads_that_no_selector_tells_apart_are_excused() {
    let mut world = shop();
    world.pods.push(pod("shop/twin-0", "app=web", &["10.1.0.9"]));
    let seen = [edge("shop/web", "shop/db", 5432)];
    let result = replay(&policies_of_the_shop(), &BTreeMap::new(), &world, &seen).unwrap();
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
        let result = replay(&policies, &BTreeMap::new(), &world, &edges).unwrap();
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
