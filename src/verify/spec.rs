//! The API object as the API documentation reads it: defaults filled in, "missing" and "empty" told apart, everything malformed
//! refused. Knows nothing of pods.

use std::collections::BTreeSet;

use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::block::AddressBlock;
use super::error::{PolicyError, PolicyFault, PolicyName};
use super::ports::PortSet;
use super::selector::Selector;
use crate::model::Protocol;

/// One policy.
#[derive(Clone, Debug)]
pub(super) struct Spec {
    pub(super) name: PolicyName,
    /// Which pods of its namespace it selects.
    pub(super) selects: Selector,
    /// What it allows to come in; `None` if it does not isolate for ingress.
    pub(super) ingress: Option<Vec<SpecRule>>,
    /// What it allows to go out; `None` if it does not isolate for egress.
    pub(super) egress: Option<Vec<SpecRule>>,
}

/// All peers times all ports.
#[derive(Clone, Debug)]
pub(super) struct SpecRule {
    /// `from` or `to`; `None` is everyone.
    pub(super) peers: Option<Vec<SpecPeer>>,
    pub(super) ports: Ports,
}

/// One item of `from` or `to`.
#[derive(Clone, Debug)]
pub(super) enum SpecPeer {
    /// Pods that `pods` matches in the namespaces that `namespaces` matches, or in the policy's own.
    Pods { namespaces: Option<Selector>, pods: Selector },
    /// Addresses.
    Block(AddressBlock),
}

/// The ports of a rule: numbers, and names that are numbers only on a certain pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ports {
    pub(super) numbered: PortSet,
    pub(super) named: BTreeSet<(Protocol, String)>,
}

impl Spec {
    pub(super) fn new(policy: &NetworkPolicy) -> Result<Self, PolicyError> {
        let name = PolicyName {
            namespace: policy.metadata.namespace.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| "default".to_owned()),
            name: policy.metadata.name.clone().unwrap_or_default(),
        };
        Self::read(&name, policy).map_err(|fault| PolicyError { policy: name, fault })
    }

    fn read(name: &PolicyName, policy: &NetworkPolicy) -> Result<Self, PolicyFault> {
        if name.name.is_empty() {
            return Err(PolicyFault::NameMissing);
        }
        let spec = policy.spec.clone().unwrap_or_default();
        let (ingress, egress) = (spec.ingress.unwrap_or_default(), spec.egress.unwrap_or_default());
        let types = spec.policy_types.unwrap_or_default();
        if let Some(unknown) = types.iter().find(|name| *name != "Ingress" && *name != "Egress") {
            return Err(PolicyFault::UnknownPolicyType(unknown.clone()));
        }
        // "If no policyTypes are specified on a NetworkPolicy then by default Ingress will always be set and Egress will be set
        // if the NetworkPolicy has any egress rules."
        let has_type = |name: &str, default: bool| if types.is_empty() { default } else { types.iter().any(|own| own == name) };
        let (isolates_ingress, isolates_egress) = (has_type("Ingress", true), has_type("Egress", !egress.is_empty()));
        // Rules of a direction that the policy does not isolate have no effect; what is malformed there is malformed all the same.
        let ingress = ingress.into_iter().map(|rule| SpecRule::new(rule.from, rule.ports)).collect::<Result<Vec<_>, _>>()?;
        let egress = egress.into_iter().map(|rule| SpecRule::new(rule.to, rule.ports)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            name: name.clone(),
            selects: Selector::new(&spec.pod_selector.unwrap_or_default())?,
            ingress: isolates_ingress.then_some(ingress),
            egress: isolates_egress.then_some(egress),
        })
    }

    /// The selectors over pods: its own and its peers'.
    pub(super) fn pod_selectors(&self) -> impl Iterator<Item = &Selector> {
        let peers = self.rules().flat_map(|rule| rule.peers.iter().flatten()).filter_map(|peer| match peer {
            SpecPeer::Pods { pods, .. } => Some(pods),
            SpecPeer::Block(_) => None,
        });
        std::iter::once(&self.selects).chain(peers)
    }

    pub(super) fn rules(&self) -> impl Iterator<Item = &SpecRule> {
        self.ingress.iter().chain(&self.egress).flatten()
    }
}

impl SpecRule {
    fn new(peers: Option<Vec<NetworkPolicyPeer>>, ports: Option<Vec<NetworkPolicyPort>>) -> Result<Self, PolicyFault> {
        // "If this field is empty or missing, this rule matches all sources"; the same for destinations and ports.
        let peers = peers.filter(|peers| !peers.is_empty());
        let peers = peers.map(|peers| peers.iter().map(SpecPeer::new).collect::<Result<_, _>>()).transpose()?;
        let ports = match ports.filter(|ports| !ports.is_empty()) {
            Some(ports) => Ports::new(&ports)?,
            None => Ports { numbered: PortSet::every(), named: BTreeSet::new() },
        };
        Ok(Self { peers, ports })
    }
}

impl SpecPeer {
    fn new(peer: &NetworkPolicyPeer) -> Result<Self, PolicyFault> {
        match (&peer.ip_block, &peer.namespace_selector, &peer.pod_selector) {
            (Some(block), None, None) => Ok(Self::Block(AddressBlock::new(block)?)),
            (Some(_), _, _) => Err(PolicyFault::BlockWithSelector),
            (None, None, None) => Err(PolicyFault::EmptyPeer),
            // A missing podSelector beside a namespaceSelector is every pod of those namespaces; a missing namespaceSelector
            // is the policy's own namespace, an empty one is every namespace.
            (None, namespaces, pods) => Ok(Self::Pods {
                namespaces: namespaces.as_ref().map(Selector::new).transpose()?,
                pods: pods.as_ref().map(Selector::new).transpose()?.unwrap_or_default(),
            }),
        }
    }
}

impl Ports {
    fn new(ports: &[NetworkPolicyPort]) -> Result<Self, PolicyFault> {
        let mut read = Self::default();
        for port in ports {
            let protocol = match port.protocol.as_deref() {
                None => Protocol::Tcp,
                Some(name) => Protocol::from_name(name).ok_or_else(|| PolicyFault::UnknownProtocol(name.to_owned()))?,
            };
            match (&port.port, port.end_port) {
                (None, None) => read.numbered.insert(protocol, 0, u16::MAX),
                (None | Some(IntOrString::String(_)), Some(end)) => return Err(PolicyFault::EndPortWithoutPort(end)),
                (Some(IntOrString::String(name)), None) if !is_port_name(name) => {
                    return Err(PolicyFault::BadPortName(name.clone()));
                }
                (Some(IntOrString::String(name)), None) => {
                    read.named.insert((protocol, name.clone()));
                }
                (Some(IntOrString::Int(port)), end) => {
                    let first = u16::try_from(*port).ok().filter(|first| *first > 0).ok_or(PolicyFault::BadPort(*port))?;
                    let bad_end = |end| PolicyFault::BadEndPort { port: *port, end };
                    let last = match end {
                        None => first,
                        Some(end) => u16::try_from(end).ok().filter(|last| *last >= first).ok_or_else(|| bad_end(end))?,
                    };
                    read.numbered.insert(protocol, first, last);
                }
            }
        }
        Ok(read)
    }
}

/// As the API server demands it of `port` (`IsValidPortName` of k8s.io/apimachinery): an `IANA_SVC_NAME` of RFC 6335, section 5.1.
fn is_port_name(name: &str) -> bool {
    let is_of_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=15).contains(&name.len())
        && name.bytes().all(is_of_name)
        && name.bytes().any(|byte| byte.is_ascii_lowercase())
        && !name.starts_with('-')
        && !name.ends_with('-')
        && !name.contains("--")
}
