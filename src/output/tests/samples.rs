//! A three-tier shop, written by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU16;

use crate::model::{
    Block, Called, Class, DirectionEvidence, Edge, Evidence, Explained, NonEmpty, Party, Peer, PodSelector, Policy, PolicyPort,
    Protocol, Requirement, Rule, Rules, Span, Timestamp, WorkloadKind, WorkloadName,
};

pub fn port(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).expect("not zero")
}

pub fn tcp(number: u16) -> PolicyPort {
    PolicyPort::single(Protocol::Tcp, port(number))
}

pub fn workload(namespace: &str, name: &str) -> WorkloadName {
    WorkloadName { namespace: namespace.into(), name: name.into(), kind: WorkloadKind("Deployment".into()) }
}

pub fn labelled(key: &str, value: &str) -> PodSelector {
    PodSelector::Labelled(NonEmpty::one(Requirement::Equals { key: key.into(), value: value.into() }))
}

pub fn pods(namespace: Option<&str>, key: &str, value: &str) -> Peer {
    Peer::Pods { namespace: namespace.map(Into::into), pods: labelled(key, value) }
}

pub fn rule(peer: Peer, ports: &[PolicyPort]) -> Rule {
    Rule { peers: NonEmpty::one(peer), ports: NonEmpty::new(ports.iter().copied()).expect("ports") }
}

pub fn evidence(connections: u64) -> Evidence {
    let first = Timestamp::from_seconds(1_790_000_000).plus(123_000_000);
    Evidence {
        connections,
        span: Span::between(first, first.plus(300_000_000_000)),
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

pub fn default_deny(namespace: &str) -> Explained {
    let policy = Policy {
        namespace: namespace.into(),
        class: Class::DefaultDeny,
        name: "default-deny-all".into(),
        subject: None,
        selects: PodSelector::EveryPod,
        rules: Rules::DenyAll,
    };
    Explained { policy, grounds: BTreeMap::new(), notes: Vec::new() }
}

/// `db` admits `api` on 3306.
pub fn ingress_to_db(namespace: &str) -> Explained {
    let rule = rule(pods(None, "name", "api-pod"), &[tcp(3306)]);
    let edge = Edge {
        originator: Party::Workload(workload(namespace, "api").into()),
        responder: Party::Workload(workload(namespace, "db").into()),
        protocol: Protocol::Tcp,
        port: port(3306),
    };
    let mut evidence = evidence(12);
    let name = format!("db.{namespace}.svc.cluster.local").into();
    evidence.called = Called::of([(name, 12)].into(), [format!("{namespace}/db").into()].into());
    let policy = Policy {
        namespace: namespace.into(),
        class: Class::Workload,
        name: "allow-ingress-to-db".into(),
        subject: Some(workload(namespace, "db")),
        selects: labelled("role", "db"),
        rules: Rules::Ingress(NonEmpty::one(rule.clone())),
    };
    Explained { policy, grounds: BTreeMap::from([(rule, BTreeMap::from([(edge, evidence)]))]), notes: Vec::new() }
}

/// All pods may ask kube-dns.
pub fn dns(namespace: &str) -> Explained {
    let both = [Protocol::Tcp, Protocol::Udp].map(|protocol| PolicyPort::single(protocol, port(53)));
    let rule = rule(pods(Some("kube-system"), "k8s-app", "kube-dns"), &both);
    let grounds = ["api", "web"].map(|name| {
        let edge = Edge {
            originator: Party::Workload(workload(namespace, name).into()),
            responder: Party::Workload(workload("kube-system", "coredns").into()),
            protocol: Protocol::Udp,
            port: port(53),
        };
        let mut evidence = evidence(40);
        evidence.direction = DirectionEvidence::DnsHeader;
        evidence.called = Called::of(BTreeMap::new(), ["kube-system/kube-dns".into()].into());
        (edge, evidence)
    });
    let policy = Policy {
        namespace: namespace.into(),
        class: Class::Dns,
        name: "allow-allpods-to-dns".into(),
        subject: None,
        selects: PodSelector::EveryPod,
        rules: Rules::Egress(NonEmpty::one(rule.clone())),
    };
    Explained { policy, grounds: BTreeMap::from([(rule, BTreeMap::from(grounds))]), notes: Vec::new() }
}

/// `web` is open to the world but for the cluster's own ranges.
pub fn internet_to_web(namespace: &str) -> Explained {
    let except = ["10.0.0.0/8", "169.254.169.254/32"].map(|range| range.parse().expect("range"));
    let all4 = Block { cidr: "0.0.0.0/0".parse().expect("range"), except: BTreeSet::from(except) };
    let all6 = Block { cidr: "::/0".parse().expect("range"), except: BTreeSet::new() };
    let peers = NonEmpty::new([Peer::Block(all4), Peer::Block(all6)]).expect("peers");
    let rule = Rule { peers, ports: NonEmpty::one(tcp(80)) };
    let grounds = (1..=9_u8).map(|last| {
        let edge = Edge {
            originator: Party::Outside([203, 0, 113, last].into()),
            responder: Party::Workload(workload(namespace, "web").into()),
            protocol: Protocol::Tcp,
            port: port(80),
        };
        (edge, evidence(u64::from(last)))
    });
    let policy = Policy {
        namespace: namespace.into(),
        class: Class::Internet,
        name: "allow-internet-to-web".into(),
        subject: Some(workload(namespace, "web")),
        selects: labelled("name", "web-pod"),
        rules: Rules::Ingress(NonEmpty::one(rule.clone())),
    };
    Explained {
        policy,
        grounds: BTreeMap::from([(rule, grounds.collect())]),
        notes: vec!["9 outside addresses were seen; any is allowed, because Service prod/web is a LoadBalancer".into()],
    }
}

pub fn shop(namespace: &str) -> Vec<Explained> {
    vec![internet_to_web(namespace), ingress_to_db(namespace), dns(namespace), default_deny(namespace)]
}
