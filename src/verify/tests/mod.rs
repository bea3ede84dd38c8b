//! Tests of the evaluator and the proof, over worlds and policies written by hand.

mod changes;
mod malformed;
mod naive;
mod promise;
mod properties;
mod replayed;
mod semantics;

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use serde_json::{Value, json};

use super::{ClusterView, Direction, NamedPort, Node, Place, Pod, ToOwnNode, Widening};
use crate::inventory::NodeId;
use crate::model::{Block, Labels, PodName, PolicyPort, Protocol, WorkloadKind, WorkloadName};

pub(super) fn labels(text: &str) -> Labels {
    text.split_whitespace()
        .filter_map(|label| label.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

pub(super) fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// `shop/web` of the kind Deployment.
pub(super) fn workload(text: &str) -> WorkloadName {
    let (namespace, name) = text.split_once('/').unwrap();
    WorkloadName { namespace: namespace.to_owned(), name: name.to_owned(), kind: WorkloadKind("Deployment".to_owned()) }
}

/// What the rules of a workload may allow: peers are workloads or ranges of addresses, ports are as they are printed.
pub(super) fn widening(subject: &str, direction: Direction, peers: &[&str], ports: &[&str]) -> Widening {
    let range = |text: &str| text.parse::<IpNet>().map(|cidr| Block { cidr, except: BTreeSet::new() });
    let port = |text: &&str| {
        let (protocol, numbers) = text.split_once(' ').unwrap();
        let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
        PolicyPort::range(Protocol::from_name(protocol).unwrap(), first.parse().unwrap(), last.parse().unwrap()).unwrap()
    };
    Widening {
        subjects: BTreeSet::from([workload(subject)]),
        direction,
        workloads: peers.iter().filter(|text| range(text).is_err()).map(|text| workload(text)).collect(),
        blocks: peers.iter().filter_map(|text| range(text).ok()).collect(),
        ports: ports.iter().map(port).collect(),
        reason: "stated".to_owned(),
    }
}

/// A pod `shop/web-0` of the workload `shop/web`.
pub(super) fn pod(name: &str, labels_text: &str, addresses: &[&str]) -> Pod {
    let (namespace, name) = name.split_once('/').unwrap();
    let owner = name.rsplit_once('-').map_or(name, |(owner, _)| owner);
    Pod {
        workload: workload(&format!("{namespace}/{owner}")),
        name: PodName { namespace: namespace.to_owned(), name: name.to_owned() },
        labels: labels(labels_text).into(),
        addresses: addresses.iter().map(|text| address(text)).collect(),
        is_on_host_network: false,
        node: None,
        named_ports: Vec::new(),
    }
}

impl Pod {
    fn on(mut self, node: u32) -> Self {
        self.node = Some(NodeId(node));
        self
    }

    fn on_host_network(mut self) -> Self {
        self.is_on_host_network = true;
        self
    }

    fn naming(mut self, name: &str, protocol: Protocol, port: u16) -> Self {
        self.named_ports.push(NamedPort { name: name.to_owned(), protocol, port });
        self
    }
}

/// A shop of two web pods and a database, monitoring in another namespace, an agent on the host network, two nodes.
pub(super) fn shop() -> ClusterView {
    let namespaces = [("shop", "kubernetes.io/metadata.name=shop team=a"), ("ops", "kubernetes.io/metadata.name=ops team=b")];
    ClusterView {
        namespaces: namespaces.map(|(name, text)| (name.to_owned(), labels(text))).into(),
        pods: vec![
            pod("shop/web-0", "app=web", &["10.1.0.1", "fd00:1::1"]).on(0).naming("http", Protocol::Tcp, 8080),
            pod("shop/web-1", "app=web", &["10.1.0.2"]).on(1).naming("http", Protocol::Tcp, 8081),
            pod("shop/db-0", "app=db tier=back", &["10.1.0.3"]).on(1).naming("sql", Protocol::Tcp, 5432),
            pod("ops/metrics-0", "app=web role=metrics", &["10.1.1.1"]).on(0).naming("http", Protocol::Udp, 8080),
            pod("ops/agent-0", "app=web", &["192.0.2.2"]).on(1).on_host_network(),
        ],
        nodes: vec![
            Node { name: "n0".to_owned(), addresses: [address("192.0.2.1"), address("2001:db8::1")].into() },
            Node { name: "n1".to_owned(), addresses: [address("192.0.2.2")].into() },
        ],
        api_server: BTreeSet::new(),
        to_own_node: ToOwnNode::Filtered,
    }
}

pub(super) fn place(world: &ClusterView, text: &str) -> Place {
    match text.split_once('/') {
        None => Place::Address(address(text)),
        Some((namespace, name)) => {
            let name = PodName { namespace: namespace.to_owned(), name: name.to_owned() };
            Place::Pod(world.pod_named(&name).unwrap())
        }
    }
}

/// A policy `shop/NAME`, of this spec.
#[expect(clippy::needless_pass_by_value, reason = "what json! makes goes in here")]
pub(super) fn policy(name: &str, spec: Value) -> NetworkPolicy {
    policy_in("shop", name, &spec)
}

pub(super) fn policy_in(namespace: &str, name: &str, spec: &Value) -> NetworkPolicy {
    serde_json::from_value(json!({"metadata": {"namespace": namespace, "name": name}, "spec": spec})).unwrap()
}

/// `default-deny-all` of a namespace.
pub(super) fn deny_all(namespace: &str) -> NetworkPolicy {
    policy_in(namespace, "default-deny-all", &json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}))
}

/// A policy `shop/NAME` of one direction for the pods of an application, with one rule.
#[expect(clippy::needless_pass_by_value, reason = "what json! makes goes in here")]
pub(super) fn allow(name: &str, app: &str, direction: &str, peers: Value, ports: Value) -> NetworkPolicy {
    let who = if direction == "Ingress" { "from" } else { "to" };
    let rule = json!({who: peers, "ports": ports});
    let list = direction.to_lowercase();
    policy(name, json!({"podSelector": {"matchLabels": {"app": app}}, "policyTypes": [direction], list: [rule]}))
}

/// The pods of an application as a peer.
pub(super) fn app(name: &str) -> Value {
    json!({"podSelector": {"matchLabels": {"app": name}}})
}
