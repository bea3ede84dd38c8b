//! Policies as the API's own objects, and back.
//!
//! In: [`Policy`]. Out: `networking.k8s.io/v1` NetworkPolicy; [`read`] is the exact inverse of [`write`] and refuses whatever the
//! model cannot say, above all the forms by which the API means "everyone" or "every port" (an absent `from` or `ports`, an
//! empty `namespaceSelector`). Both directions are total functions of their input: no clock, no cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU16;

use ipnet::IpNet;
use k8s_openapi::api::networking::v1::{
    IPBlock, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort,
    NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::json;

use crate::model::{
    Block, Class, NonEmpty, Peer, PodSelector, Policy, PolicyPort, Protocol, Requirement, Rule, Rules, WorkloadKind, WorkloadName,
};

/// The label by which the tool finds its own policies again.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// That label's value.
pub const TOOL: &str = "netpol-gen";
/// The annotation that holds the policy's class.
pub const CLASS: &str = "netpol-gen/class";
/// The annotation that holds the policy's subject as `Kind/name`.
pub const WORKLOAD: &str = "netpol-gen/workload";
/// The label that the API server gives every namespace since Kubernetes 1.21.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// Why a NetworkPolicy cannot be read as one of this tool's policies.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {what}")]
pub struct Unsayable {
    /// The field, such as `spec.ingress[0].ports`.
    pub path: String,
    /// What is wrong with it.
    pub what: String,
}

fn refuse<T>(path: impl Into<String>, what: impl Into<String>) -> Result<T, Unsayable> {
    Err(Unsayable { path: path.into(), what: what.into() })
}

/// The policy as an API object. `policyTypes` is always written: left out, it would follow from the rules.
#[must_use]
pub fn write(policy: &Policy) -> NetworkPolicy {
    let types: &[&str] = match policy.rules {
        Rules::DenyAll => &["Ingress", "Egress"],
        Rules::Ingress(_) => &["Ingress"],
        Rules::Egress(_) => &["Egress"],
    };
    let mut spec = NetworkPolicySpec {
        pod_selector: Some(write_selector(&policy.selects)),
        policy_types: Some(types.iter().map(ToString::to_string).collect()),
        ingress: None,
        egress: None,
    };
    match &policy.rules {
        Rules::DenyAll => {}
        Rules::Ingress(rules) => {
            let write = |rule: &Rule| NetworkPolicyIngressRule { from: Some(write_peers(rule)), ports: Some(write_ports(rule)) };
            spec.ingress = Some(rules.iter().map(write).collect());
        }
        Rules::Egress(rules) => {
            let write = |rule: &Rule| NetworkPolicyEgressRule { to: Some(write_peers(rule)), ports: Some(write_ports(rule)) };
            spec.egress = Some(rules.iter().map(write).collect());
        }
    }
    let mut annotations = BTreeMap::from([(CLASS.to_owned(), policy.class.name().to_owned())]);
    if let Some(subject) = &policy.subject {
        annotations.insert(WORKLOAD.to_owned(), format!("{}/{}", subject.kind.0, subject.name));
    }
    let metadata = ObjectMeta {
        name: Some(policy.name.clone()),
        namespace: Some(policy.namespace.clone()),
        labels: Some(BTreeMap::from([(MANAGED_BY.to_owned(), TOOL.to_owned())])),
        annotations: Some(annotations),
        ..ObjectMeta::default()
    };
    NetworkPolicy { metadata, spec: Some(spec) }
}

/// What the `spec` of a policy comes to, as sixteen hexadecimal digits: the same for the same rules however they are written down.
/// FNV-1a over its JSON; it tells a change from none, and nothing more rests on it.
#[must_use]
pub fn digest(policy: &NetworkPolicy) -> String {
    let text = json!(policy.spec).to_string();
    let digest =
        text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{digest:016x}")
}

fn write_selector(selector: &PodSelector) -> LabelSelector {
    let PodSelector::Labelled(requirements) = selector else {
        return LabelSelector::default();
    };
    let mut labels = BTreeMap::new();
    let mut expressions = Vec::new();
    let expression = |key: &str, operator: &str, values: Option<Vec<String>>| LabelSelectorRequirement {
        key: key.to_owned(),
        operator: operator.to_owned(),
        values,
    };
    for requirement in requirements {
        match requirement {
            // matchLabels holds one value a key; a second one can never be met as well, but must not be lost.
            Requirement::Equals { key, value } if labels.contains_key(key) => {
                expressions.push(expression(key, "In", Some(vec![value.clone()])));
            }
            Requirement::Equals { key, value } => {
                labels.insert(key.clone(), value.clone());
            }
            Requirement::NotIn { key, values } => {
                expressions.push(expression(key, "NotIn", Some(values.iter().cloned().collect())));
            }
            Requirement::Present { key } => expressions.push(expression(key, "Exists", None)),
            Requirement::Absent { key } => expressions.push(expression(key, "DoesNotExist", None)),
        }
    }
    LabelSelector {
        match_labels: (!labels.is_empty()).then_some(labels),
        match_expressions: (!expressions.is_empty()).then_some(expressions),
    }
}

fn write_peers(rule: &Rule) -> Vec<NetworkPolicyPeer> {
    let write = |peer: &Peer| match peer {
        Peer::Pods { namespace, pods } => NetworkPolicyPeer {
            namespace_selector: namespace.as_ref().map(|namespace| LabelSelector {
                match_labels: Some(BTreeMap::from([(NAMESPACE_NAME.to_owned(), namespace.clone())])),
                match_expressions: None,
            }),
            pod_selector: Some(write_selector(pods)),
            ip_block: None,
        },
        Peer::Block(block) => {
            let except: Vec<String> = block.except.iter().map(ToString::to_string).collect();
            let except = (!except.is_empty()).then_some(except);
            NetworkPolicyPeer { ip_block: Some(IPBlock { cidr: block.cidr.to_string(), except }), ..NetworkPolicyPeer::default() }
        }
    };
    rule.peers.iter().map(write).collect()
}

fn write_ports(rule: &Rule) -> Vec<NetworkPolicyPort> {
    let write = |port: &PolicyPort| NetworkPolicyPort {
        protocol: Some(port.protocol().name().to_owned()),
        port: Some(IntOrString::Int(i32::from(port.first().get()))),
        end_port: (port.last() > port.first()).then(|| i32::from(port.last().get())),
    };
    rule.ports.iter().map(write).collect()
}

/// The policy that an API object says, if it is one that this tool can say. Labels and annotations beyond the tool's own, and what
/// the cluster fills in (`uid`, `resourceVersion`), are no part of it.
///
/// # Errors
/// The first field that says more, less or something else than the model can.
pub fn read(object: &NetworkPolicy) -> Result<Policy, Unsayable> {
    let metadata = &object.metadata;
    let Some(namespace) = metadata.namespace.clone() else { return refuse("metadata.namespace", "is absent") };
    let Some(name) = metadata.name.clone() else { return refuse("metadata.name", "is absent") };
    if metadata.labels.as_ref().and_then(|labels| labels.get(MANAGED_BY)).map(String::as_str) != Some(TOOL) {
        return refuse("metadata.labels", format!("{MANAGED_BY} is not {TOOL}"));
    }
    let annotation = |key: &str| metadata.annotations.as_ref().and_then(|annotations| annotations.get(key));
    let class = annotation(CLASS).and_then(|class| Class::ALL.into_iter().find(|known| known.name() == class));
    let Some(class) = class else { return refuse("metadata.annotations", format!("{CLASS} is no class")) };
    let subject = annotation(WORKLOAD).map(|text| read_subject(&namespace, text)).transpose()?;
    let Some(spec) = &object.spec else { return refuse("spec", "is absent") };
    let selects = read_selector("spec.podSelector", spec.pod_selector.as_ref())?;
    let rules = read_rules(spec)?;
    Ok(Policy { namespace, class, name, subject, selects, rules })
}

fn read_subject(namespace: &str, text: &str) -> Result<WorkloadName, Unsayable> {
    match text.split_once('/') {
        Some((kind, name)) => {
            Ok(WorkloadName { namespace: namespace.to_owned(), name: name.to_owned(), kind: WorkloadKind(kind.to_owned()) })
        }
        None => refuse("metadata.annotations", format!("{WORKLOAD} is not Kind/name")),
    }
}

fn read_rules(spec: &NetworkPolicySpec) -> Result<Rules, Unsayable> {
    let types: Vec<&str> = spec.policy_types.iter().flatten().map(String::as_str).collect();
    let ingress = spec.ingress.as_deref().unwrap_or_default();
    let egress = spec.egress.as_deref().unwrap_or_default();
    match types[..] {
        ["Ingress", "Egress"] | ["Egress", "Ingress"] if ingress.is_empty() && egress.is_empty() => Ok(Rules::DenyAll),
        ["Ingress"] if egress.is_empty() => {
            let read = |(position, rule): (usize, &NetworkPolicyIngressRule)| {
                read_rule(&format!("spec.ingress[{position}]"), "from", rule.from.as_deref(), rule.ports.as_deref())
            };
            let rules = ingress.iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()?;
            NonEmpty::new(rules).map_or_else(|| refuse("spec.ingress", "is empty"), |rules| Ok(Rules::Ingress(rules)))
        }
        ["Egress"] if ingress.is_empty() => {
            let read = |(position, rule): (usize, &NetworkPolicyEgressRule)| {
                read_rule(&format!("spec.egress[{position}]"), "to", rule.to.as_deref(), rule.ports.as_deref())
            };
            let rules = egress.iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()?;
            NonEmpty::new(rules).map_or_else(|| refuse("spec.egress", "is empty"), |rules| Ok(Rules::Egress(rules)))
        }
        _ => refuse("spec.policyTypes", "does not fit the rules: one direction with its rules, or both without any"),
    }
}

fn read_rule(
    path: &str,
    peers_field: &str,
    peers: Option<&[NetworkPolicyPeer]>,
    ports: Option<&[NetworkPolicyPort]>,
) -> Result<Rule, Unsayable> {
    let read = |(position, peer)| read_peer(&format!("{path}.{peers_field}[{position}]"), peer);
    let peers = peers.unwrap_or_default().iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()?;
    let Some(peers) = NonEmpty::new(peers) else {
        return refuse(format!("{path}.{peers_field}"), "is empty, which means everyone");
    };
    let read = |(position, port)| read_port(&format!("{path}.ports[{position}]"), port);
    let ports = ports.unwrap_or_default().iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()?;
    let Some(ports) = NonEmpty::new(ports) else {
        return refuse(format!("{path}.ports"), "is empty, which means every port of every protocol");
    };
    Ok(Rule { peers, ports })
}

fn read_peer(path: &str, peer: &NetworkPolicyPeer) -> Result<Peer, Unsayable> {
    match peer {
        NetworkPolicyPeer { ip_block: Some(block), namespace_selector: None, pod_selector: None } => read_block(path, block),
        NetworkPolicyPeer { ip_block: Some(_), .. } => refuse(path, "has an ipBlock beside a selector"),
        NetworkPolicyPeer { namespace_selector: None, pod_selector: None, .. } => refuse(path, "is empty"),
        NetworkPolicyPeer { namespace_selector, pod_selector, .. } => {
            let namespace = namespace_selector.as_ref().map(|selector| read_namespace(path, selector)).transpose()?;
            // A namespaceSelector alone means all pods of the namespace.
            let pods = match pod_selector {
                Some(selector) => read_selector(&format!("{path}.podSelector"), Some(selector))?,
                None => PodSelector::EveryPod,
            };
            Ok(Peer::Pods { namespace, pods })
        }
    }
}

fn read_namespace(path: &str, selector: &LabelSelector) -> Result<String, Unsayable> {
    let labels = selector.match_labels.iter().flatten().collect::<Vec<_>>();
    let expressions = selector.match_expressions.as_deref().unwrap_or_default();
    match labels[..] {
        [(key, value)] if key == NAMESPACE_NAME && expressions.is_empty() => Ok(value.clone()),
        _ => refuse(format!("{path}.namespaceSelector"), format!("must select one namespace by {NAMESPACE_NAME}")),
    }
}

fn read_selector(path: &str, selector: Option<&LabelSelector>) -> Result<PodSelector, Unsayable> {
    let Some(selector) = selector else { return refuse(path, "is absent") };
    let mut requirements = BTreeSet::new();
    for (key, value) in selector.match_labels.iter().flatten() {
        requirements.insert(Requirement::Equals { key: key.clone(), value: value.clone() });
    }
    for (position, expression) in selector.match_expressions.iter().flatten().enumerate() {
        let key = expression.key.clone();
        let values: BTreeSet<String> = expression.values.iter().flatten().cloned().collect();
        let single = (values.len() == 1).then(|| values.first().cloned()).flatten();
        requirements.insert(match (expression.operator.as_str(), single) {
            ("In", Some(value)) => Requirement::Equals { key, value },
            ("NotIn", _) if !values.is_empty() => Requirement::NotIn { key, values },
            ("Exists", _) if values.is_empty() => Requirement::Present { key },
            ("DoesNotExist", _) if values.is_empty() => Requirement::Absent { key },
            (operator, _) => {
                let what = format!("operator {operator} with {} values cannot be said", values.len());
                return refuse(format!("{path}.matchExpressions[{position}]"), what);
            }
        });
    }
    Ok(NonEmpty::new(requirements).map_or(PodSelector::EveryPod, PodSelector::Labelled))
}

fn read_block(path: &str, block: &IPBlock) -> Result<Peer, Unsayable> {
    let parse = |path: String, text: &str| match text.parse::<IpNet>() {
        Ok(range) if range.trunc() == range => Ok(range),
        Ok(_) => refuse(path, format!("{text} has host bits")),
        Err(_) => refuse(path, format!("{text} is no address range")),
    };
    let cidr = parse(format!("{path}.ipBlock.cidr"), &block.cidr)?;
    let mut except = BTreeSet::new();
    for (position, text) in block.except.iter().flatten().enumerate() {
        let path = format!("{path}.ipBlock.except[{position}]");
        let hole = parse(path.clone(), text)?;
        if !(cidr.contains(&hole.network()) && hole.prefix_len() > cidr.prefix_len()) {
            return refuse(path, format!("{hole} is no strict part of {cidr}"));
        }
        except.insert(hole);
    }
    Ok(Peer::Block(Block { cidr, except }))
}

fn read_port(path: &str, port: &NetworkPolicyPort) -> Result<PolicyPort, Unsayable> {
    // The API takes an absent protocol for TCP.
    let name = port.protocol.as_deref().unwrap_or("TCP");
    let Some(protocol) = Protocol::from_name(name) else {
        return refuse(format!("{path}.protocol"), format!("{name} is none of TCP, UDP, SCTP"));
    };
    let number = |path: String, number: i32| match u16::try_from(number).ok().and_then(NonZeroU16::new) {
        Some(number) => Ok(number),
        None => refuse(path, format!("{number} is no port")),
    };
    let first = match &port.port {
        Some(IntOrString::Int(port)) => number(format!("{path}.port"), *port)?,
        Some(IntOrString::String(name)) => return refuse(format!("{path}.port"), format!("{name:?} is a name, not a number")),
        None => return refuse(format!("{path}.port"), "is absent, which means every port"),
    };
    let last = port.end_port.map_or(Ok(first), |last| number(format!("{path}.endPort"), last))?;
    PolicyPort::range(protocol, first, last).map_or_else(|| refuse(format!("{path}.endPort"), "is less than the port"), Ok)
}
