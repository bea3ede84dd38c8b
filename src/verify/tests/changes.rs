//! What one set of policies allows that another does not, and why single connections are possible.

use std::net::IpAddr;

use k8s_openapi::api::networking::v1::NetworkPolicy;
use proptest::prelude::*;
use serde_json::json;

use super::properties::{OUTSIDE, PORTS, pods_of, policies, workloads, world};
use super::{address, allow, app, deny_all, naive, place, pod, policy_in, shop};
use crate::model::{Protocol, WorkloadName};
use crate::verify::{
    Answer, Case, Change, ClusterView, Direction, Evaluator, Exempt, Member, Parties, Parts, Place, Side, diff, explain,
};

fn told(changes: &[Change]) -> Vec<String> {
    let side = |parts: &Parts| match parts {
        Parts::Pods(parties) => parties.to_string(),
        Parts::Addresses(set) => set.to_string(),
    };
    let mark = |change: &Change| if change.certainty == Answer::Allowed { "" } else { " ?" };
    changes
        .iter()
        .map(|change| format!("{} -> {} {}{}", side(&change.originators), side(&change.responders), change.ports, mark(change)))
        .collect()
}

/// What it shows, the old and the new policies, what is gained and lost.
type Row = (&'static str, Vec<NetworkPolicy>, Vec<NetworkPolicy>, &'static [&'static str], &'static [&'static str]);

#[test]
fn connections_gained_and_lost() {
    let base = || vec![deny_all("shop")];
    let to_db = || allow("web-out", "web", "Egress", json!([app("db")]), json!([{"port": 5432}]));
    let from_web = || allow("db-in", "db", "Ingress", json!([app("web")]), json!([{"port": 5432}]));
    let block = |cidr: &str| allow("store", "web", "Egress", json!([{"ipBlock": {"cidr": cidr}}]), json!([{"port": 443}]));
    let with = |more: Vec<NetworkPolicy>| base().into_iter().chain(more).collect::<Vec<_>>();
    let rows: [Row; 9] = [
        ("the same", with(vec![to_db()]), with(vec![to_db()]), &[], &[]),
        ("one side alone opens nothing", base(), with(vec![to_db()]), &[], &[]),
        ("both sides do", base(), with(vec![to_db(), from_web()]), &["shop/web -> shop/db TCP 5432"], &[]),
        ("and the way back", with(vec![to_db(), from_web()]), with(vec![from_web()]), &[], &["shop/web -> shop/db TCP 5432"]),
        ("another name is no difference", with(vec![to_db(), from_web()]), with(vec![from_web(), to_db()]), &[], &[]),
        (
            "a block that grows",
            with(vec![block("203.0.113.0/31")]),
            with(vec![block("203.0.113.0/30")]),
            &["shop/web -> 203.0.113.2/31 TCP 443"],
            &[],
        ),
        (
            "a block on a pod's address",
            with(vec![]),
            with(vec![block("10.1.1.1/32")]),
            &["shop/web -> ops/metrics TCP 443 ?", "shop/web -> 10.1.1.1 TCP 443"],
            &[],
        ),
        (
            "isolation of one namespace",
            vec![],
            vec![policy_in("ops", "deny", &json!({"podSelector": {}, "policyTypes": ["Egress"]}))],
            &[],
            &["ops/metrics -> every workload of shop every port", "ops/metrics -> 0.0.0.0/0, ::/0 every port"],
        ),
        (
            "isolation where something stays allowed",
            vec![],
            vec![allow("db-in", "db", "Ingress", json!([app("web")]), json!([{"port": 5432}]))],
            &[],
            &[
                "ops/metrics -> shop/db every port",
                "shop/web -> shop/db TCP 0-5431,5433-65535 UDP any port SCTP any port",
                "0.0.0.0/0, ::/0 -> shop/db every port",
            ],
        ),
    ];
    for (message, old, new, gained, lost) in rows {
        let difference = diff(&old, &new, &shop()).unwrap();
        assert_eq!(told(&difference.gained), gained, "{message}: gained");
        assert_eq!(told(&difference.lost), lost, "{message}: lost");
        let back = diff(&new, &old, &shop()).unwrap();
        assert_eq!((back.gained, back.lost), (difference.lost, difference.gained), "{message}: the other way round");
    }
}

#[test]
fn pods_of_one_workload_that_are_treated_differently_are_told_apart() {
    let mut world = shop();
    world.pods.push(pod("shop/web-2", "app=web track=canary", &["10.1.0.9"]));
    let canary = json!({"podSelector": {"matchLabels": {"track": "canary"}}});
    let old = vec![deny_all("shop"), allow("db-in", "db", "Ingress", json!([app("web")]), json!([{"port": 1}]))];
    let mut new = old.clone();
    new.push(allow("web-out", "web", "Egress", json!([app("db")]), json!([{"port": 1}])));
    assert_eq!(told(&diff(&old, &new, &world).unwrap().gained), ["shop/web -> shop/db TCP 1"]);
    new[1] = allow("db-in", "db", "Ingress", json!([canary]), json!([{"port": 1}]));
    assert_eq!(told(&diff(&old, &new, &world).unwrap().gained), ["shop/web (1 of 3 pods) -> shop/db TCP 1"]);
}

#[test]
fn cases_name_what_is_missing_and_which_policy_is_nearest() {
    let world = shop();
    let policies = [
        deny_all("shop"),
        allow("web-out", "web", "Egress", json!([app("db")]), json!([{"port": 5432}])),
        allow("db-in", "db", "Ingress", json!([app("cache")]), json!([{"port": 1}])),
    ];
    let evaluator = Evaluator::new(&policies, &world).unwrap();
    let web = [place(&world, "shop/web-0"), place(&world, "shop/web-1")];
    let db = [place(&world, "shop/db-0")];
    let nearest = |case: &Case, side| -> Vec<String> {
        let found = case.nearest.get(&side).into_iter().flatten();
        found.map(|nearest| nearest.rule.as_ref().map_or_else(|| nearest.policy.to_string(), ToString::to_string)).collect()
    };
    let cases = explain(&evaluator, &web, &db, Protocol::Tcp, 5432);
    assert_eq!(cases.len(), 1, "both pods are alike: {cases:#?}");
    assert!(matches!(cases[0].verdict.originator, Side::Allowed { .. }));
    assert_eq!(nearest(&cases[0], Direction::Egress), Vec::<String>::new(), "that side allows it");
    assert_eq!(nearest(&cases[0], Direction::Ingress), ["shop/db-in"], "the default deny selects others too");
    let cases = explain(&evaluator, &web, &db, Protocol::Tcp, 1);
    assert_eq!(nearest(&cases[0], Direction::Egress), ["shop/web-out egress[0]"], "this rule means db, on another port");
    let outside = [Place::Address(address("203.0.113.1"))];
    let cases = explain(&evaluator, &web, &outside, Protocol::Tcp, 443);
    assert_eq!(nearest(&cases[0], Direction::Egress), Vec::<String>::new(), "no policy of web speaks of addresses");
    let node = [Place::Address(address("192.0.2.1"))];
    let cases = explain(&evaluator, &node, &web, Protocol::Tcp, 80);
    let answers: Vec<Answer> = cases.iter().map(|case| case.verdict.answer()).collect();
    assert_eq!(answers, [Answer::Denied], "one pod is on another node, and that one counts");
    let cases = explain(&evaluator, &db, &db, Protocol::Tcp, 80);
    assert_eq!(cases[0].verdict.originator, Side::Exempt(Exempt::SamePod), "where there is no other, it is told");
}

fn holds(parts: &Parts, workload: &WorkloadName) -> bool {
    let Parts::Pods(Parties { members, .. }) = parts else { return false };
    members.iter().any(|member| match member {
        Member::Everyone { except } => !except.contains(workload),
        Member::Namespace { name, except } => workload.namespace == *name && !except.contains(workload),
        Member::Workload(name) | Member::Some { workload: name, .. } => name == workload,
    })
}

fn within(parts: &Parts, address: IpAddr) -> bool {
    let Parts::Addresses(set) = parts else { return false };
    set.ranges().iter().any(|(first, last)| (*first..=*last).contains(&address))
}

/// The answer of both sides, by the slow evaluator.
fn answer(policies: &[NetworkPolicy], world: &ClusterView, pair: (Place, Place), port: (Protocol, u16)) -> Answer {
    let egress = naive::side(policies, world, Direction::Egress, pair, port).unwrap_or(Answer::Allowed);
    let ingress = naive::side(policies, world, Direction::Ingress, (pair.1, pair.0), port).unwrap_or(Answer::Allowed);
    egress.min(ingress)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_set_differs_from_itself_in_nothing(world in world(), policies in policies()) {
        let turned: Vec<_> = policies.iter().rev().cloned().collect();
        prop_assert!(diff(&policies, &turned, &world).unwrap().is_empty());
    }

    #[test]
    fn the_difference_is_what_asking_one_by_one_finds(world in world(), old in policies(), new in policies()) {
        let difference = diff(&old, &new, &world).unwrap();
        let workloads = workloads(&world);
        let pods = |name: &WorkloadName| pods_of(&world, name).into_iter().map(Place::Pod).collect::<Vec<_>>();
        let mut sides: Vec<(Option<&WorkloadName>, Option<IpAddr>, Vec<Place>)> =
            workloads.iter().map(|name| (Some(name), None, pods(name))).collect();
        // Those of OUTSIDE that no pod's block makes one.
        sides.extend(OUTSIDE.map(address).map(|address| (None, Some(address), vec![Place::Address(address)])));
        let ports = [Protocol::Tcp, Protocol::Udp].into_iter().flat_map(|protocol| PORTS.map(|port| (protocol, port)));
        let ports: Vec<(Protocol, u16)> = ports.collect();
        for (from, from_address, originators) in &sides {
            for (to, to_address, responders) in &sides {
                // A workload and itself may be one pod; between addresses nobody decides.
                if from == to {
                    continue;
                }
                for &port in &ports {
                    let pairs = originators.iter().flat_map(|&one| responders.iter().map(move |&other| (one, other)));
                    let answers: Vec<_> =
                        pairs.map(|pair| (answer(&old, &world, pair, port), answer(&new, &world, pair, port))).collect();
                    for (changes, turned) in [(&difference.gained, false), (&difference.lost, true)] {
                        let told: Vec<&Change> = changes.iter().filter(|change| {
                            let is_from = from.map_or_else(|| from_address.is_some_and(|address| within(&change.originators, address)), |name| holds(&change.originators, name));
                            let is_to = to.map_or_else(|| to_address.is_some_and(|address| within(&change.responders, address)), |name| holds(&change.responders, name));
                            is_from && is_to && change.ports.contains(port.0, port.1)
                        }).collect();
                        let certain = answers.iter().any(|&(before, after)| {
                            let (before, after) = if turned { (after, before) } else { (before, after) };
                            before == Answer::Denied && after == Answer::Allowed
                        });
                        prop_assert!(!certain || !told.is_empty(), "not told: {:?}{:?} -> {:?}{:?} {:?}", from, from_address, to, to_address, port);
                        let is_told = told.iter().any(|change| change.certainty == Answer::Allowed);
                        prop_assert!(certain || !is_told, "told and not so: {:?}{:?} -> {:?}{:?} {:?}", from, from_address, to, to_address, port);
                    }
                }
            }
        }
    }

    #[test]
    fn cases_agree_with_the_evaluator(world in world(), policies in policies(), port in 0..PORTS.len()) {
        let evaluator = Evaluator::new(&policies, &world).unwrap();
        let workloads: Vec<_> = workloads(&world).into_iter().collect();
        for from in &workloads {
            for to in workloads.iter().filter(|to| *to != from) {
                let places = |name| pods_of(&world, name).into_iter().map(Place::Pod).collect::<Vec<_>>();
                let (from, to) = (places(from), places(to));
                let mut told: Vec<_> = explain(&evaluator, &from, &to, Protocol::Tcp, PORTS[port]).into_iter().map(|case| case.verdict).collect();
                let pairs = from.iter().flat_map(|&one| to.iter().map(move |&other| (one, other)));
                let mut asked: Vec<_> = pairs.map(|(one, other)| evaluator.verdict(one, other, Protocol::Tcp, PORTS[port])).collect();
                asked.sort();
                asked.dedup();
                told.sort();
                prop_assert_eq!(told, asked);
            }
        }
    }
}
