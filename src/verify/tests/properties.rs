//! What holds of any policies over any small world.

use std::collections::BTreeSet;
use std::num::NonZeroU16;

use k8s_openapi::api::networking::v1::NetworkPolicy;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{address, labels, naive, pod, policy_in};
use crate::inventory::PodId;
use crate::model::{Block, Edge, Party, PolicyPort, Protocol, WorkloadName};
use crate::verify::{
    Answer, ClusterView, Direction, Evaluator, Excess, Node, Place, PolicyName, Proof, Reached, Reason, Side, Terms, Widening,
    prove,
};

const NAMESPACES: [&str; 2] = ["one", "two"];
/// No pod's and no node's.
pub(super) const OUTSIDE: [&str; 4] = ["10.0.0.200", "198.51.100.1", "fd00::200", "2001:db8::1"];
const NODES: [&str; 2] = ["192.0.2.1", "192.0.2.2"];
pub(super) const PORTS: [u16; 5] = [79, 80, 81, 8080, 8081];

fn some_labels() -> impl Strategy<Value = String> {
    (0..3, 0..3).prop_map(|(first, second)| {
        let label = |key, value| if value == 0 { String::new() } else { format!("{key}=v{value}") };
        format!("{} {}", label("a", first), label("b", second))
    })
}

pub(super) fn world() -> impl Strategy<Value = ClusterView> {
    let pods = proptest::collection::vec((0..2usize, some_labels(), 0..3u32, 0..6, 0..4), 1..6);
    (pods, some_labels(), some_labels()).prop_map(|(pods, one, two)| {
        let mut world = ClusterView {
            namespaces: [("one".to_owned(), labels(&one)), ("two".to_owned(), labels(&two))].into(),
            nodes: NODES.map(|text| Node { name: text.to_owned(), addresses: [address(text)].into() }).into(),
            ..ClusterView::default()
        };
        for (position, (namespace, labels, node, network, named)) in pods.into_iter().enumerate() {
            // Workloads of one to three pods: two in each namespace.
            let name = format!("{}/w{}-{position}", NAMESPACES[namespace], position % 2);
            let own = [format!("10.0.0.{position}"), format!("fd00::{position}")];
            let mut pod = pod(&name, &labels, &[&own[0], &own[1]]);
            if node < 2 {
                pod = pod.on(node);
                if network == 0 {
                    pod.addresses = [address(NODES[node as usize])].into();
                    pod = pod.on_host_network();
                }
            }
            match named {
                0 => pod = pod.naming("http", Protocol::Tcp, 80),
                1 => pod = pod.naming("http", Protocol::Tcp, 8080).naming("http", Protocol::Udp, 81),
                _ => {}
            }
            world.pods.push(pod);
        }
        world
    })
}

fn selector() -> impl Strategy<Value = Value> {
    let key = prop_oneof![Just("a"), Just("b")];
    let expression = (key, 0..6).prop_map(|(key, kind)| match kind {
        0 => json!({"matchLabels": {key: "v1"}}),
        1 => json!({"matchExpressions": [{"key": key, "operator": "In", "values": ["v1", "v2"]}]}),
        2 => json!({"matchExpressions": [{"key": key, "operator": "NotIn", "values": ["v1"]}]}),
        3 => json!({"matchExpressions": [{"key": key, "operator": "Exists"}]}),
        4 => json!({"matchExpressions": [{"key": key, "operator": "DoesNotExist"}]}),
        _ => json!({"matchLabels": {"a": "v2"}, "matchExpressions": [{"key": key, "operator": "In", "values": ["v2"]}]}),
    });
    prop_oneof![Just(json!({})), expression]
}

fn peer() -> impl Strategy<Value = Value> {
    let block = prop_oneof![
        Just(json!({"cidr": "0.0.0.0/0", "except": ["10.0.0.0/24"]})),
        Just(json!({"cidr": "10.0.0.0/24", "except": ["10.0.0.0/31", "10.0.0.1/32"]})),
        Just(json!({"cidr": "10.0.0.2/31"})),
        Just(json!({"cidr": "198.51.100.1/32"})),
        Just(json!({"cidr": "192.0.2.1/32"})),
        Just(json!({"cidr": "::/0", "except": ["fd00::2/127", "2001:db8::/32"]})),
        Just(json!({"cidr": "fd00::/120"})),
    ];
    prop_oneof![
        selector().prop_map(|pods| json!({"podSelector": pods})),
        selector().prop_map(|namespaces| json!({"namespaceSelector": namespaces})),
        (selector(), selector()).prop_map(|(namespaces, pods)| json!({"namespaceSelector": namespaces, "podSelector": pods})),
        block.prop_map(|block| json!({"ipBlock": block})),
    ]
}

fn port() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!({"port": 80})),
        Just(json!({"port": 80, "endPort": 8080, "protocol": "TCP"})),
        Just(json!({"port": 81, "protocol": "UDP"})),
        Just(json!({"port": "http"})),
        Just(json!({"port": "http", "protocol": "UDP"})),
        Just(json!({"protocol": "UDP"})),
    ]
}

/// A rule whose peers stand under this name.
fn rule(who: &'static str) -> impl Strategy<Value = Value> {
    let peers = proptest::option::weighted(0.9, proptest::collection::vec(peer(), 0..3));
    let ports = proptest::option::weighted(0.9, proptest::collection::vec(port(), 0..3));
    (peers, ports).prop_map(move |(peers, ports)| {
        let mut rule = json!({});
        if let Some(peers) = peers {
            rule[who] = json!(peers);
        }
        if let Some(ports) = ports {
            rule["ports"] = json!(ports);
        }
        rule
    })
}

fn policy() -> impl Strategy<Value = NetworkPolicy> {
    let types = prop_oneof![
        Just(json!(null)),
        Just(json!([])),
        Just(json!(["Ingress"])),
        Just(json!(["Egress"])),
        Just(json!(["Ingress", "Egress"])),
    ];
    let ingress = proptest::option::of(proptest::collection::vec(rule("from"), 0..3));
    let egress = proptest::option::of(proptest::collection::vec(rule("to"), 0..3));
    (0..2usize, 0..1000, selector(), types, ingress, egress).prop_map(|(namespace, name, selector, types, ingress, egress)| {
        let spec = json!({"podSelector": selector, "policyTypes": types, "ingress": ingress, "egress": egress});
        policy_in(NAMESPACES[namespace], &format!("p{name}"), &spec)
    })
}

pub(super) fn policies() -> impl Strategy<Value = Vec<NetworkPolicy>> {
    proptest::collection::vec(policy(), 0..4)
}

fn places(world: &ClusterView) -> Vec<Place> {
    let pods = world.pods().map(|(id, _)| Place::Pod(id));
    pods.chain(OUTSIDE.iter().chain(&NODES).map(|text| Place::Address(address(text)))).collect()
}

/// All connections of the small world.
fn triples(world: &ClusterView) -> Vec<(Place, Place, Protocol, u16)> {
    let places = places(world);
    let mut triples = Vec::new();
    for &from in &places {
        for &to in &places {
            for protocol in [Protocol::Tcp, Protocol::Udp] {
                triples.extend(PORTS.map(|port| (from, to, protocol, port)));
            }
        }
    }
    triples
}

/// As the slow evaluator says it.
fn plain(side: &Side) -> Option<Answer> {
    if matches!(side, Side::Exempt(_)) { None } else { Some(side.answer()) }
}

/// The workloads that have pods on the pod network.
pub(super) fn workloads(world: &ClusterView) -> BTreeSet<WorkloadName> {
    world.pods.iter().filter(|pod| !pod.is_on_host_network).map(|pod| pod.workload.clone()).collect()
}

/// Pods of this workload on the pod network.
pub(super) fn pods_of(world: &ClusterView, workload: &WorkloadName) -> Vec<PodId> {
    world.pods().filter(|(_, pod)| pod.workload == *workload && !pod.is_on_host_network).map(|(id, _)| id).collect()
}

/// An edge by chance: one side, the other, the port, whether it is TCP, whether the first side opens.
pub(super) type Choice = (usize, usize, usize, bool, bool);

/// Edges between workloads of the world, and between workloads and addresses.
pub(super) fn edges(world: &ClusterView, choices: &[Choice]) -> BTreeSet<Edge> {
    let workloads: Vec<_> = workloads(world).into_iter().map(|name| Party::Workload(name.into())).collect();
    let mut parties = workloads.clone();
    parties.extend(OUTSIDE.map(|text| Party::Outside(address(text))));
    let edge = |&(one, other, port, is_tcp, is_out): &Choice| {
        let subject = workloads.get(one % workloads.len().max(1))?.clone();
        let peer = parties[other % parties.len()].clone();
        let (originator, responder) = if is_out { (subject, peer) } else { (peer, subject) };
        let protocol = if is_tcp { Protocol::Tcp } else { Protocol::Udp };
        Some(Edge { originator, responder, protocol, port: NonZeroU16::new(PORTS[port % PORTS.len()])? })
    };
    choices.iter().filter_map(edge).collect()
}

/// Whether the proof reports that the subject may reach the peer on a port, although nobody did.
fn reports(proof: &Proof, subject: &WorkloadName, direction: Direction, peer: &Party, protocol: Protocol, port: u16) -> bool {
    let is_meant = |excess: &Excess| {
        let reaches = match (&excess.peer, peer) {
            (Reached::Everyone, _) => true,
            (Reached::Workload(name), Party::Workload(other)) => *name == **other,
            (Reached::Addresses(set), Party::Outside(other)) => {
                set.ranges().iter().any(|(first, last)| first <= other && other <= last)
            }
            _ => false,
        };
        excess.subject == *subject
            && excess.direction == direction
            && excess.certainty == Answer::Allowed
            && reaches
            && excess.ports.contains(protocol, port)
    };
    let same_labels = proof.widened.iter().filter(|widened| widened.reason == Reason::SameLabels);
    proof.unisolated.contains(&(subject.clone(), direction))
        || proof.excess.iter().chain(same_labels.map(|widened| &widened.excess)).any(is_meant)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_evaluator_agrees_with_the_slow_one(world in world(), policies in policies()) {
        let evaluator = Evaluator::new(&policies, &world).unwrap();
        for (from, to, protocol, port) in triples(&world) {
            let verdict = evaluator.verdict(from, to, protocol, port);
            let originator = naive::side(&policies, &world, Direction::Egress, (from, to), (protocol, port));
            let responder = naive::side(&policies, &world, Direction::Ingress, (to, from), (protocol, port));
            prop_assert_eq!(plain(&verdict.originator), originator, "{:?} -> {:?} {} {}", from, to, protocol, port);
            prop_assert_eq!(plain(&verdict.responder), responder, "{:?} -> {:?} {} {}", from, to, protocol, port);
            let reach = evaluator.reach(from, to);
            let by_sets = (reach.allowed.contains(protocol, port), reach.undefined.contains(protocol, port));
            let answer = verdict.answer();
            let expected = (answer == Answer::Allowed, answer == Answer::Undefined);
            prop_assert_eq!(by_sets, expected, "{:?} -> {:?} {} {}", from, to, protocol, port);
        }
    }

    #[test]
    fn a_policy_touches_only_pods_that_it_selects(world in world(), policies in policies(), other in policy()) {
        let before = Evaluator::new(&policies, &world).unwrap();
        let all: Vec<_> = policies.iter().cloned().chain([other.clone()]).collect();
        let after = Evaluator::new(&all, &world).unwrap();
        let name = PolicyName {
            namespace: other.metadata.namespace.clone().unwrap_or_default(),
            name: other.metadata.name.clone().unwrap_or_default(),
        };
        let selects = |place: Place, direction| matches!(place, Place::Pod(id) if after.isolated_by(id, direction).contains(&name));
        for (from, to, protocol, port) in triples(&world) {
            let (old, new) = (before.verdict(from, to, protocol, port), after.verdict(from, to, protocol, port));
            if !selects(from, Direction::Egress) {
                prop_assert_eq!(&old.originator, &new.originator);
            }
            if !selects(to, Direction::Ingress) {
                prop_assert_eq!(&old.responder, &new.responder);
            }
        }
    }

    #[test]
    fn a_rule_more_never_removes_permission(
        world in world(), policies in proptest::collection::vec(policy(), 1..4), choice in any::<prop::sample::Index>(),
        ingress in rule("from"), egress in rule("to"),
    ) {
        let mut more = policies.clone();
        let spec = more[choice.index(policies.len())].spec.as_mut().unwrap();
        // An egress rule can make a policy without types one of egress; that isolates, and is not what is meant here.
        if spec.policy_types.as_ref().is_some_and(|types| !types.is_empty()) {
            spec.egress.get_or_insert_default().push(serde_json::from_value(egress).unwrap());
        }
        spec.ingress.get_or_insert_default().push(serde_json::from_value(ingress).unwrap());
        let (before, after) = (Evaluator::new(&policies, &world).unwrap(), Evaluator::new(&more, &world).unwrap());
        for (from, to, protocol, port) in triples(&world) {
            let (old, new) = (before.verdict(from, to, protocol, port), after.verdict(from, to, protocol, port));
            prop_assert!(old.answer() <= new.answer(), "{:?} -> {:?} {} {}: {:?}, {:?}", from, to, protocol, port, old, new);
        }
    }

    #[test]
    fn the_order_of_policies_does_not_matter(world in world(), policies in policies()) {
        let turned: Vec<_> = policies.iter().rev().cloned().collect();
        let (before, after) = (Evaluator::new(&policies, &world).unwrap(), Evaluator::new(&turned, &world).unwrap());
        for (from, to, protocol, port) in triples(&world) {
            prop_assert_eq!(before.verdict(from, to, protocol, port), after.verdict(from, to, protocol, port));
        }
    }

    /// The proof's sets against every triple, asked one by one of the slow evaluator.
    #[test]
    fn the_proof_finds_what_asking_one_by_one_finds(
        world in world(), policies in policies(), choices in proptest::collection::vec(any::<Choice>(), 0..8),
    ) {
        let edges = edges(&world, &choices);
        let proof = prove(&policies, &world, &edges, &Terms::default()).unwrap();
        let subjects: BTreeSet<_> = policies.iter().filter_map(|policy| policy.metadata.namespace.clone()).collect();
        let workloads = workloads(&world);
        let mut peers: Vec<Party> = workloads.iter().cloned().map(|name| Party::Workload(name.into())).collect();
        peers.extend(OUTSIDE.map(|text| Party::Outside(address(text))));
        let mut denied = BTreeSet::new();
        for subject in workloads.iter().filter(|workload| subjects.contains(&workload.namespace)) {
            for (peer, direction) in peers.iter().flat_map(|peer| [(peer, Direction::Ingress), (peer, Direction::Egress)]) {
                // A workload and itself may be one pod, of which no policy says anything.
                if *peer == Party::Workload(subject.clone().into()) {
                    continue;
                }
                let places: Vec<Place> = match peer {
                    Party::Outside(address) => vec![Place::Address(*address)],
                    Party::Workload(name) => pods_of(&world, name).into_iter().map(Place::Pod).collect(),
                    _ => Vec::new(),
                };
                let ports = [Protocol::Tcp, Protocol::Udp].into_iter().flat_map(|protocol| PORTS.map(|port| (protocol, port)));
                for (protocol, port) in ports {
                    let own = pods_of(&world, subject);
                    let pairs = own.iter().flat_map(|&pod| places.iter().map(move |&place| (Place::Pod(pod), place)));
                    let answer = |pair| naive::side(&policies, &world, direction, pair, (protocol, port));
                    let answers: Vec<_> = pairs.filter_map(answer).collect();
                    let (originator, responder) = match direction {
                        Direction::Egress => (Party::Workload(subject.clone().into()), peer.clone()),
                        Direction::Ingress => (peer.clone(), Party::Workload(subject.clone().into())),
                    };
                    let edge = Edge { originator, responder, protocol, port: NonZeroU16::new(port).unwrap() };
                    if !edges.contains(&edge) {
                        let is_allowed = answers.contains(&Answer::Allowed);
                        let is_reported = reports(&proof, subject, direction, peer, protocol, port);
                        // Of a workload with a pod that nothing isolates it is only said that everything is allowed there.
                        let is_open = proof.unisolated.contains(&(subject.clone(), direction));
                        prop_assert!(is_open || is_allowed == is_reported, "{} {}: {} {}", direction, edge, is_allowed, is_reported);
                    } else if answers.iter().any(|answer| *answer != Answer::Allowed) {
                        denied.insert((edge, direction));
                    }
                }
            }
        }
        let between_two = proof.denied.iter().filter(|denied| denied.edge.originator != denied.edge.responder);
        let found: BTreeSet<_> = between_two.map(|denied| (denied.edge.clone(), denied.side)).collect();
        prop_assert_eq!(found, denied);
    }

    /// Each excess stated as a widening of its own is no excess any more, and of what one leaves out that much stays.
    #[test]
    fn stating_a_widening_excuses_it_and_nothing_else(
        world in world(), policies in policies(), choices in proptest::collection::vec(any::<Choice>(), 0..4),
    ) {
        let edges = edges(&world, &choices);
        let strict = prove(&policies, &world, &edges, &Terms::default()).unwrap();
        let stated: Vec<Option<Widening>> = strict.excess.iter().map(widening).collect();
        let all = Terms { subjects: None, widenings: stated.iter().flatten().cloned().collect() };
        let proof = prove(&policies, &world, &edges, &all).unwrap();
        prop_assert_eq!((&proof.denied, &proof.unisolated), (&strict.denied, &strict.unisolated));
        for left in &proof.excess {
            // Nobody can state everyone, or the port 0.
            let is_zero = left.ports.intervals().all(|(_, _, last)| last == 0);
            let is_anyone = matches!(left.peer, Reached::Everyone | Reached::UnknownNamespaces);
            prop_assert!(is_anyone || is_zero, "{}", left);
        }
        let is_certain = |excess: &Excess| excess.certainty == Answer::Allowed && matches!(excess.peer, Reached::Workload(_));
        for (excess, own) in strict.excess.iter().zip(&stated).filter(|(excess, _)| is_certain(excess)) {
            let others = stated.iter().flatten().filter(|other| Some(*other) != own.as_ref()).cloned().collect();
            let proof = prove(&policies, &world, &edges, &Terms { subjects: None, widenings: others }).unwrap();
            // What blocks may do to the same pods is an excess of its own, and stated too.
            let is_shared = strict.excess.iter().any(|other| {
                other != excess && other.subject == excess.subject && other.direction == excess.direction && other.peer == excess.peer
            });
            prop_assert!(is_shared || proof.excess.contains(excess), "{}", excess);
        }
    }
}

/// An excess as a widening; nothing where none can say it.
fn widening(excess: &Excess) -> Option<Widening> {
    let (mut workloads, mut blocks) = (BTreeSet::new(), BTreeSet::new());
    match &excess.peer {
        Reached::Everyone | Reached::UnknownNamespaces => return None,
        Reached::Workload(workload) => {
            workloads.insert(workload.clone());
        }
        Reached::Addresses(addresses) => {
            blocks.extend(
                addresses.blocks().into_iter().map(|(cidr, except)| Block { cidr, except: except.into_iter().collect() }),
            );
        }
    }
    let number = |port: u16| NonZeroU16::new(port.max(1));
    let ports = excess.ports.intervals();
    let ports = ports.filter_map(|(protocol, first, last)| PolicyPort::range(protocol, number(first)?, number(last)?));
    Some(Widening {
        subjects: BTreeSet::from([excess.subject.clone()]),
        direction: excess.direction,
        workloads,
        blocks,
        ports: ports.collect(),
        reason: "stated".to_owned(),
    })
}
