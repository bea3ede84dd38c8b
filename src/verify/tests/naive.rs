//! The semantics once more: one connection at a time, straight over the API objects, without groups, sets or indexes.
//! Slow on purpose, and written apart from the evaluator, so that the two can be compared.

use std::net::IpAddr;

use ipnet::IpNet;
use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::model::{Labels, Protocol};
use crate::verify::{Answer, ClusterView, Direction, Place, Pod};

fn selected(selector: &LabelSelector, labels: &Labels) -> bool {
    for (key, value) in selector.match_labels.iter().flatten() {
        if labels.get(key) != Some(value) {
            return false;
        }
    }
    for expression in selector.match_expressions.iter().flatten() {
        let listed = match labels.get(&expression.key) {
            Some(value) => expression.values.iter().flatten().any(|other| other == value),
            None => false,
        };
        let holds = match expression.operator.as_str() {
            "In" => listed,
            "NotIn" => !listed,
            "Exists" => labels.contains_key(&expression.key),
            "DoesNotExist" => !labels.contains_key(&expression.key),
            other => panic!("operator {other}"),
        };
        if !holds {
            return false;
        }
    }
    true
}

fn port_matches(port: &NetworkPolicyPort, protocol: Protocol, number: u16, responder: Option<&Pod>) -> bool {
    if port.protocol.as_deref().unwrap_or("TCP") != protocol.name() {
        return false;
    }
    match &port.port {
        None => true,
        Some(IntOrString::Int(first)) => (*first..=port.end_port.unwrap_or(*first)).contains(&i32::from(number)),
        Some(IntOrString::String(name)) => responder.is_some_and(|pod| {
            pod.named_ports.iter().any(|own| own.name == *name && own.protocol == protocol && own.port == number)
        }),
    }
}

/// The other side, as a policy sees it.
enum Other<'w> {
    Pod(&'w Pod),
    Addresses(Vec<IpAddr>),
}

fn peer_matches(peer: &NetworkPolicyPeer, own_namespace: &str, other: &Other<'_>, world: &ClusterView) -> Answer {
    if let Some(block) = &peer.ip_block {
        let parse = |text: &str| text.parse::<IpNet>().unwrap();
        let within = |address: &IpAddr| {
            parse(&block.cidr).contains(address) && !block.except.iter().flatten().any(|hole| parse(hole).contains(address))
        };
        return match other {
            Other::Pod(pod) if pod.addresses.iter().any(within) => Answer::Undefined,
            Other::Addresses(addresses) if addresses.iter().any(within) => Answer::Allowed,
            _ => Answer::Denied,
        };
    }
    let Other::Pod(pod) = other else { return Answer::Denied };
    let in_namespace = match &peer.namespace_selector {
        None => pod.name.namespace == own_namespace,
        Some(selector) => world.namespaces.get(&pod.name.namespace).is_some_and(|labels| selected(selector, labels)),
    };
    let is_meant = peer.pod_selector.as_ref().is_none_or(|selector| selected(selector, &pod.labels));
    if in_namespace && is_meant { Answer::Allowed } else { Answer::Denied }
}

/// The answer of one side; `None` where policies have no say.
pub(super) fn side(
    policies: &[NetworkPolicy],
    world: &ClusterView,
    direction: Direction,
    (subject, peer): (Place, Place),
    (protocol, number): (Protocol, u16),
) -> Option<Answer> {
    let pod = |place: Place| match place {
        Place::Pod(id) => Some(&world.pods[id.0 as usize]),
        Place::Address(address) => world.pods.iter().find(|pod| !pod.is_on_host_network && pod.addresses.contains(&address)),
    };
    let subject = pod(subject).filter(|pod| !pod.is_on_host_network)?;
    let (other, others_node) = match pod(peer) {
        Some(other) if !other.is_on_host_network => (Other::Pod(other), None),
        Some(other) => (Other::Addresses(other.addresses.iter().copied().collect()), other.node.map(|id| id.0 as usize)),
        None => {
            let Place::Address(address) = peer else { return None };
            (Other::Addresses(vec![address]), world.nodes.iter().position(|node| node.addresses.contains(&address)))
        }
    };
    if matches!(&other, Other::Pod(other) if other.name == subject.name) {
        return None;
    }
    if direction == Direction::Ingress && others_node.is_some() && others_node == subject.node.map(|id| id.0 as usize) {
        return None;
    }
    let (mut is_isolated, mut answer) = (false, Answer::Denied);
    for policy in policies {
        let spec = policy.spec.clone().unwrap();
        if policy.metadata.namespace.as_ref() != Some(&subject.name.namespace)
            || !selected(&spec.pod_selector.unwrap(), &subject.labels)
        {
            continue;
        }
        let egress = spec.egress.unwrap_or_default();
        let default =
            if egress.is_empty() { vec!["Ingress".to_owned()] } else { vec!["Ingress".to_owned(), "Egress".to_owned()] };
        let types = spec.policy_types.filter(|types| !types.is_empty()).unwrap_or(default);
        let rules: Vec<_> = match direction {
            Direction::Ingress if types.contains(&"Ingress".to_owned()) => {
                spec.ingress.unwrap_or_default().into_iter().map(|rule| (rule.from, rule.ports)).collect()
            }
            Direction::Egress if types.contains(&"Egress".to_owned()) => {
                egress.into_iter().map(|rule| (rule.to, rule.ports)).collect()
            }
            _ => continue,
        };
        is_isolated = true;
        for (peers, ports) in rules {
            let responder = match (direction, &other) {
                (Direction::Ingress, _) => Some(subject),
                (Direction::Egress, Other::Pod(pod)) => Some(*pod),
                (Direction::Egress, Other::Addresses(_)) => None,
            };
            let ports = ports.unwrap_or_default();
            if !ports.is_empty() && !ports.iter().any(|port| port_matches(port, protocol, number, responder)) {
                continue;
            }
            let peers = peers.unwrap_or_default();
            let matches = peers.iter().map(|peer| peer_matches(peer, &subject.name.namespace, &other, world)).max();
            answer = answer.max(matches.unwrap_or(Answer::Allowed));
        }
    }
    Some(if is_isolated { answer } else { Answer::Allowed })
}
