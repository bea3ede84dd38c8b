mod blind;

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use proptest::prelude::*;

use super::*;
use crate::edge::Observation;
use crate::inventory::Inventory;
use crate::model::{DirectionEvidence, Edge, Evidence, Party, Protocol, Span, Timestamp, WorkloadKind, WorkloadName};
use crate::policy::PolicySet;

const SECOND: i64 = 1_000_000_000;

/// An edge of one of these workloads to the database of namespace `a`.
fn edge(namespace: &str, port: u16) -> Edge {
    let workload = |namespace: &str, name: &str| {
        let kind = WorkloadKind("Deployment".into());
        Party::Workload(WorkloadName { namespace: namespace.into(), name: name.into(), kind }.into())
    };
    let (originator, responder) = (workload(namespace, "api"), workload("a", "db"));
    Edge { originator, responder, protocol: Protocol::Tcp, port: NonZeroU16::new(port).expect("not zero") }
}

/// What observing these connections, each an edge and when it began, leaves.
fn observe(connections: &[(Edge, i64)], span: Span) -> Observation {
    let mut observation = Observation { span: Some(span), ..Observation::default() };
    for (edge, begin) in connections {
        let at = Timestamp(*begin);
        let evidence = Evidence {
            connections: 1,
            span: Span::at(at),
            direction: DirectionEvidence::Syn,
            weakest: DirectionEvidence::Syn,
            weak: 0,
            unchecked: 0,
            forwarded: 0,
            mid_stream: 0,
            one_way: 0,
            called: None,
        };
        observation.arrivals.add(edge, at);
        let known = observation.edges.entry(edge.clone());
        known.and_modify(|known| known.merge(evidence.clone())).or_insert(evidence);
    }
    observation
}

fn span(seconds: i64) -> Span {
    Span::between(Timestamp(0), Timestamp(seconds * SECOND))
}

fn set() -> PolicySet {
    PolicySet { namespaces: ["a", "b"].map(str::to_owned).into(), ..PolicySet::default() }
}

#[test]
fn the_course_of_discovery_is_told_by_namespace_and_in_all() {
    // In a: db called by its own api on 1 (3 times), 2 (once) and by b on 1 (twice); c is nobody's subject but its peer is.
    let uses = [("a", 1, 0), ("a", 1, 10), ("a", 1, 99), ("a", 2, 55), ("b", 1, 30), ("b", 1, 31), ("c", 9, 70)];
    let connections: Vec<(Edge, i64)> = uses.iter().map(|&(namespace, port, at)| (edge(namespace, port), at * SECOND)).collect();
    let discovery = Discovery::new(&observe(&connections, span(100)), &Inventory::default(), &set());
    assert_eq!(discovery.seconds, 100);
    let numbers = |course: &Course| {
        let Estimate { connections, edges, seen_once, seen_twice, .. } = course.estimate;
        ([connections, edges, seen_once, seen_twice], course.known, course.seconds_since_new)
    };
    let all = ([7, 4, 2, 1], [1, 1, 1, 2, 2, 3, 3, 4, 4, 4], Some(30));
    assert_eq!(numbers(&discovery.all), all);
    assert_eq!(numbers(&discovery.namespaces["a"]), all, "all of them lead to a");
    assert_eq!(numbers(&discovery.namespaces["b"]), ([2, 1, 0, 1], [0, 0, 0, 1, 1, 1, 1, 1, 1, 1], Some(70)));
    assert_eq!(discovery.namespaces.keys().collect::<Vec<_>>(), ["a", "b"]);
    let nothing = Discovery::new(&Observation::default(), &Inventory::default(), &set());
    assert_eq!(nothing, Discovery::default());
}

#[test]
fn the_rest_is_what_began_after_four_fifths() {
    let connections = [
        (edge("a", 1), 0),
        (edge("a", 1), 85 * SECOND),
        (edge("a", 2), 79 * SECOND),
        (edge("a", 3), 81 * SECOND),
        (edge("a", 3), 99 * SECOND),
        (edge("a", 4), 90 * SECOND),
    ];
    let mut observation = observe(&connections, span(100));
    let before = observation.edges.clone();
    let split = split(&mut observation, |_| true).expect("time enough");
    let later: Vec<u16> = split.later.keys().map(|edge| edge.port.get()).collect();
    assert_eq!(later, [3, 4]);
    assert_eq!(observation.edges.len(), 2, "they are not learned from");
    // A rule that was made anyway allows port 4.
    let back_test = split.conclude(&mut observation, |edge| edge.port.get() != 4);
    assert_eq!((back_test.connections, back_test.denied, back_test.denied_edges, back_test.learned_seconds), (4, 2, 1, 79));
    assert_eq!(observation.edges, before, "the observation is whole again");
}

#[test]
fn what_cannot_be_split_gives_no_figure() {
    let one = [(edge("a", 1), 5)];
    let mut observation = observe(&one, Span::at(Timestamp(5)));
    assert!(split(&mut observation, |_| true).is_none(), "no time passed");
    let mut observation = Observation { left_out: 1, ..observe(&one, span(100)) };
    assert!(split(&mut observation, |_| true).is_none(), "edges are missing");
    assert!(split(&mut Observation::default(), |_| true).is_none(), "nothing was seen");
    let elsewhere = [(edge("a", 1), 99 * SECOND)];
    let mut observation = observe(&elsewhere, span(100));
    let split = split(&mut observation, |namespace| namespace == "z").expect("time enough");
    assert_eq!((split.later.len(), split.conclude(&mut observation, |_| true).connections), (0, 0), "of no concern");
}

fn any_connections() -> impl Strategy<Value = Vec<(Edge, i64)>> {
    let namespace = prop_oneof![Just("a"), Just("b"), Just("c")];
    let connection = (namespace, 1u16..8, 0..1000 * SECOND).prop_map(|(namespace, port, begin)| (edge(namespace, port), begin));
    proptest::collection::vec(connection, 1..80)
}

proptest! {
    #[test]
    fn the_back_test_is_what_counting_each_connection_gives(
        (connections, shuffled) in any_connections().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
    ) {
        let mut observation = observe(&connections, span(1000));
        let boundary = observation.arrivals.boundary(Timestamp(800 * SECOND)).0;
        prop_assert!((790 * SECOND..=800 * SECOND).contains(&boundary));
        let mut first: BTreeMap<&Edge, i64> = BTreeMap::new();
        for (edge, begin) in &connections {
            let known = first.entry(edge).or_insert(*begin);
            *known = (*known).min(*begin);
        }
        let later = connections.iter().filter(|(_, begin)| *begin >= boundary);
        let denied = later.clone().filter(|(edge, _)| first[edge] >= boundary).count() as u64;
        let back_test = split(&mut observation, |_| true).expect("time enough").conclude(&mut observation, |_| true);
        prop_assert_eq!((back_test.connections, back_test.denied), (later.count() as u64, denied));
        let mut other = observe(&shuffled, span(1000));
        let again = split(&mut other, |_| true).expect("time enough").conclude(&mut other, |_| true);
        prop_assert_eq!(again, back_test);
    }

    #[test]
    fn nothing_is_denied_where_all_edges_came_early(connections in any_connections()) {
        let early = connections.iter().map(|(edge, begin)| (edge.clone(), begin / 2));
        let all: Vec<(Edge, i64)> = early.chain(connections.clone()).collect();
        let mut observation = observe(&all, span(1000));
        let split = split(&mut observation, |_| true).expect("time enough");
        prop_assert!(split.later.is_empty());
        prop_assert_eq!(split.conclude(&mut observation, |_| true).denied, 0);
    }

    #[test]
    fn discovery_does_not_depend_on_the_order(
        (connections, shuffled) in any_connections().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
    ) {
        let discover = |all: &[(Edge, i64)]| Discovery::new(&observe(all, span(1000)), &Inventory::default(), &set());
        prop_assert_eq!(discover(&connections), discover(&shuffled));
    }
}
