//! Arbitrary policies, as hostile as the types allow.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::num::NonZeroU16;

use ipnet::IpNet;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use proptest::sample::select;

use crate::model::{
    Block, Called, Class, DirectionEvidence, Edge, Evidence, Explained, NodeAddress, NonEmpty, Party, Peer, PodSelector, Policy,
    PolicyPort, Protocol, Requirement, Rule, Rules, Span, Timestamp, WorkloadKind, WorkloadName,
};

/// Strings that YAML readers, comments, paths and terminals have been tripped by, and any others.
pub fn hostile() -> impl Strategy<Value = String> {
    let awkward = vec![
        "",
        "yes",
        "No",
        "on",
        "OFF",
        "y",
        "N",
        "true",
        "null",
        "~",
        "NULL",
        "1_000",
        "0x1f",
        "0o17",
        "017",
        "0b1",
        "1e3",
        "1.5",
        ".5",
        ".inf",
        "-.INF",
        ".nan",
        "12:30",
        "12:30:45",
        "190:20:30",
        "2001-12-14",
        "2001-12-14t21:59:43.10-05:00",
        "=",
        "<<",
        "-",
        "--- ",
        "---",
        "...",
        "- a",
        "? a",
        ": a",
        "a: b",
        "a:",
        "a #b",
        "#a",
        "&a",
        "*a",
        "!a",
        "!!str a",
        "%YAML 1.1",
        "@a",
        "`a`",
        "{a: b}",
        "[a]",
        "{}",
        "|",
        ">",
        "'a'",
        "\"a\"",
        "'",
        "\"",
        "\\",
        "a\\n",
        " a",
        "a ",
        "\t",
        "a\tb",
        "a\nb",
        "a\r\nb",
        "\n---\nkind: Evil\n",
        "a\u{85}b",
        "a\u{2028}b",
        "a\u{2029}b",
        "\u{feff}a",
        "\u{7f}",
        "\u{0}",
        "\u{1b}[2J",
        "\u{202e}gnp",
        "ünïcödé",
        "😀",
        "../../etc",
        "{{ marker }}",
        "{% raw %}",
        "+1",
        "-1",
        "+.inf",
        "0",
        "00",
        "1,000",
        "e3",
        "0x",
        "0_",
        "_1",
        "1__0",
        "a/b",
        "10.0.0.0/8",
    ];
    prop_oneof![3 => select(awkward).prop_map(String::from), 1 => any::<String>(), 1 => "[a-z0-9./-]{1,20}"]
}

fn non_empty<T: Ord + std::fmt::Debug>(strategy: impl Strategy<Value = T>, most: usize) -> impl Strategy<Value = NonEmpty<T>> {
    btree_set(strategy, 1..=most).prop_map(|set| NonEmpty::new(set).expect("at least one"))
}

fn requirement() -> impl Strategy<Value = Requirement> {
    prop_oneof![
        3 => (hostile(), hostile()).prop_map(|(key, value)| Requirement::Equals { key, value }),
        1 => (hostile(), btree_set(hostile(), 1..4)).prop_map(|(key, values)| Requirement::NotIn { key, values }),
        1 => hostile().prop_map(|key| Requirement::Present { key }),
        1 => hostile().prop_map(|key| Requirement::Absent { key }),
    ]
}

fn selector() -> impl Strategy<Value = PodSelector> {
    prop_oneof![1 => Just(PodSelector::EveryPod), 4 => non_empty(requirement(), 4).prop_map(PodSelector::Labelled)]
}

fn block() -> impl Strategy<Value = Block> {
    (any::<IpAddr>(), 0_u8..=32, vec((1_u8..=32, any::<u64>()), 0..3)).prop_map(|(address, length, holes)| {
        let cidr = IpNet::new(address, length).expect("a length of both families").trunc();
        let hole = |(more, seed): (u8, u64)| {
            let longer = length.checked_add(more).filter(|longer| *longer <= cidr.max_prefix_len())?;
            let base = cidr.network();
            let size = u32::from(more).min(63);
            let shift = u32::from(cidr.max_prefix_len() - longer);
            let address = match base {
                IpAddr::V4(base) => {
                    let offset = u32::try_from(seed % (1_u64 << size)).ok()?.checked_shl(shift)?;
                    IpAddr::V4((u32::from(base) | offset).into())
                }
                IpAddr::V6(base) => {
                    IpAddr::V6((u128::from(base) | u128::from(seed % (1_u64 << size)).checked_shl(shift)?).into())
                }
            };
            Some(IpNet::new(address, longer).expect("in range").trunc()).filter(|hole| cidr.contains(hole))
        };
        Block { cidr, except: holes.into_iter().filter_map(hole).collect() }
    })
}

fn peer() -> impl Strategy<Value = Peer> {
    prop_oneof![
        2 => (proptest::option::of(hostile()), selector()).prop_map(|(namespace, pods)| Peer::Pods { namespace, pods }),
        1 => block().prop_map(Peer::Block),
    ]
}

fn port() -> impl Strategy<Value = PolicyPort> {
    (select(&Protocol::ALL[..]), any::<NonZeroU16>(), any::<NonZeroU16>(), any::<bool>()).prop_map(
        |(protocol, one, other, single)| {
            if single {
                PolicyPort::single(protocol, one)
            } else {
                PolicyPort::range(protocol, one.min(other), one.max(other)).expect("in order")
            }
        },
    )
}

fn rule() -> impl Strategy<Value = Rule> {
    (non_empty(peer(), 3), non_empty(port(), 3)).prop_map(|(peers, ports)| Rule { peers, ports })
}

fn rules() -> impl Strategy<Value = Rules> {
    prop_oneof![
        1 => Just(Rules::DenyAll),
        3 => non_empty(rule(), 3).prop_map(Rules::Ingress),
        3 => non_empty(rule(), 3).prop_map(Rules::Egress),
    ]
}

fn class() -> impl Strategy<Value = Class> {
    select(vec![
        Class::DefaultDeny,
        Class::Dns,
        Class::Workload,
        Class::ApiServer,
        Class::Node,
        Class::Metadata,
        Class::Outside,
        Class::Internet,
    ])
}

/// Any policy that the model can hold and the API can take.
pub fn policy() -> impl Strategy<Value = Policy> {
    let kind = hostile().prop_map(|kind| kind.replace('/', ""));
    (hostile(), class(), hostile(), proptest::option::of((hostile(), kind)), selector(), rules()).prop_map(
        |(namespace, class, name, subject, selects, rules)| {
            let subject =
                subject.map(|(name, kind)| WorkloadName { namespace: namespace.clone(), name, kind: WorkloadKind(kind) });
            Policy { namespace, class, name, subject, selects, rules }
        },
    )
}

fn party() -> impl Strategy<Value = Party> {
    prop_oneof![
        (hostile(), hostile(), hostile()).prop_map(|(namespace, name, kind)| Party::Workload(
            WorkloadName { namespace, name, kind: WorkloadKind(kind) }.into()
        )),
        (hostile(), any::<IpAddr>()).prop_map(|(name, address)| Party::Node(NodeAddress { name, address }.into())),
        any::<IpAddr>().prop_map(Party::Outside),
    ]
}

fn grounds() -> impl Strategy<Value = BTreeMap<Edge, Evidence>> {
    let edge = (party(), party(), any::<NonZeroU16>()).prop_map(|(originator, responder, port)| Edge {
        originator,
        responder,
        protocol: Protocol::Udp,
        port,
    });
    let evidence = (1_u64..9, any::<(i64, i64)>(), btree_map(hostile(), 1_u64..9, 0..5), btree_set(hostile(), 0..5)).prop_map(
        |(connections, (one, other), names, services): (u64, (i64, i64), BTreeMap<String, u64>, BTreeSet<String>)| Evidence {
            connections,
            span: Span::between(Timestamp(one), Timestamp(other)),
            direction: DirectionEvidence::FirstPacket,
            weakest: DirectionEvidence::FirstPacket,
            weak: 0,
            unchecked: 0,
            forwarded: 0,
            mid_stream: connections / 2,
            one_way: connections / 3,
            called: Called::of(
                names.into_iter().map(|(name, connections)| (name.into(), connections)).collect(),
                services.into_iter().map(Into::into).collect(),
            ),
        },
    );
    btree_map(edge, evidence, 0..9)
}

/// Any policy with any evidence and notes.
pub fn explained() -> impl Strategy<Value = Explained> {
    (policy(), vec(grounds(), 3), vec(hostile(), 0..3)).prop_map(|(policy, grounds, notes)| {
        let grounds = policy.rules.allowing().cloned().zip(grounds).collect();
        Explained { policy, grounds, notes }
    })
}
