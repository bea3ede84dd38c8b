//! Who and what a decision means: parties and ports as the tool itself prints them.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU16;

use ipnet::IpNet;

use crate::model::{Edge, Evidence, Party, PolicyPort, Protocol, WorkloadName};

/// One side of an edge, as a decision names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PartyPattern {
    /// `namespace/name` or `namespace/Kind/name`: a workload; without its kind, all of that name.
    Workload {
        /// The namespace.
        namespace: String,
        /// The workload's own name.
        name: String,
        /// Its kind, where that was said.
        kind: Option<String>,
    },
    /// `namespace/*`: every workload of a namespace.
    Namespace(String),
    /// `kube-apiserver`.
    ApiServer,
    /// `node` for every node, `node NAME` for one.
    Node(Option<String>),
    /// `outside`: every address outside the cluster, but for the metadata service and a node's cache of names.
    Outside,
    /// An address or range: whoever is no pod and was seen at one of them.
    Addresses(IpNet),
    /// A name that the originator had asked for to find the responder's address; in lower case.
    Name(String),
}

impl PartyPattern {
    /// Reads what stands in a file.
    ///
    /// # Errors
    /// What is wrong with it, as the rest of a sentence that begins with the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "kube-apiserver" => return Ok(Self::ApiServer),
            "outside" => return Ok(Self::Outside),
            "node" => return Ok(Self::Node(None)),
            _ => {}
        }
        if let Some(name) = text.strip_prefix("node ") {
            return if is_subdomain(name) { Ok(Self::Node(Some(name.into()))) } else { Err("is no name of a node".into()) };
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Addresses(IpNet::from(address.to_canonical())));
        }
        // Neither namespaces nor kinds begin with a digit or have a colon, so a range is nothing else.
        if let Ok(range) = text.parse::<IpNet>() {
            return if range.trunc() == range {
                Ok(Self::Addresses(canonical(range)))
            } else {
                Err(format!("has host bits: write {}", range.trunc()))
            };
        }
        let parts: Vec<&str> = text.split('/').collect();
        match parts[..] {
            [namespace, "*"] if is_label(namespace) => Ok(Self::Namespace(namespace.into())),
            [namespace, name] if is_label(namespace) && is_subdomain(name) => {
                Ok(Self::Workload { namespace: namespace.into(), name: name.into(), kind: None })
            }
            [namespace, kind, name] if is_label(namespace) && is_kind(kind) && is_subdomain(name) => {
                Ok(Self::Workload { namespace: namespace.into(), name: name.into(), kind: Some(kind.into()) })
            }
            [name] if name.contains('.') && is_host_name(name) => Ok(Self::Name(name.trim_end_matches('.').to_ascii_lowercase())),
            _ => Err(
                "is nobody: write namespace/workload, namespace/Kind/workload, namespace/*, kube-apiserver, node, node NAME, \
                      outside, an address, a CIDR, or (of a responder) a name that was asked for"
                    .into(),
            ),
        }
    }

    /// Whether this means the party. `evidence` is of the edge of which the party is the responder.
    fn matches(&self, party: &Party, evidence: Option<&Evidence>) -> bool {
        match (self, party) {
            (Self::Workload { .. } | Self::Namespace(_), Party::Workload(workload)) => self.means(workload),
            (Self::ApiServer, Party::ApiServer) | (Self::Outside, Party::Outside(_)) | (Self::Node(None), Party::Node(_)) => true,
            (Self::Node(Some(name)), Party::Node(node)) => *name == node.name,
            (Self::Addresses(range), Party::Outside(address) | Party::Metadata(address) | Party::NodeLocalDns(address)) => {
                range.contains(address)
            }
            (Self::Addresses(range), Party::Node(node)) => range.contains(&node.address),
            (Self::Name(name), Party::Outside(_) | Party::Metadata(_) | Party::Node(_)) => {
                evidence.is_some_and(|evidence| evidence.names().any(|(asked, _)| is_same_name(asked, name)))
            }
            _ => false,
        }
    }

    /// Whether this means the workload.
    #[must_use]
    pub fn means(&self, workload: &WorkloadName) -> bool {
        match self {
            Self::Workload { namespace, name, kind } => {
                *namespace == workload.namespace
                    && *name == workload.name
                    && kind.as_ref().is_none_or(|kind| *kind == workload.kind.0)
            }
            Self::Namespace(namespace) => *namespace == workload.namespace,
            _ => false,
        }
    }

    /// The namespace it names.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        match self {
            Self::Workload { namespace, .. } | Self::Namespace(namespace) => Some(namespace),
            _ => None,
        }
    }
}

/// Addresses of IPv4 written as those of IPv6 (RFC 4291, section 2.5.5.2) are the former: packets have no others.
fn canonical(range: IpNet) -> IpNet {
    let IpNet::V6(mapped) = range else { return range };
    let inner = mapped.addr().to_ipv4_mapped().zip(mapped.prefix_len().checked_sub(96));
    let inner = inner.and_then(|(address, length)| IpNet::new(address.into(), length).ok());
    inner.unwrap_or(range)
}

/// Names come from packets, in whatever case and with or without the root's dot.
fn is_same_name(asked: &str, name: &str) -> bool {
    asked.strip_suffix('.').unwrap_or(asked).eq_ignore_ascii_case(name)
}

impl fmt::Display for PartyPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workload { namespace, name, kind: None } => write!(formatter, "{namespace}/{name}"),
            Self::Workload { namespace, name, kind: Some(kind) } => write!(formatter, "{namespace}/{kind}/{name}"),
            Self::Namespace(namespace) => write!(formatter, "{namespace}/*"),
            Self::ApiServer => formatter.write_str("kube-apiserver"),
            Self::Node(None) => formatter.write_str("node"),
            Self::Node(Some(name)) => write!(formatter, "node {name}"),
            Self::Outside => formatter.write_str("outside"),
            Self::Addresses(range) if range.prefix_len() == range.max_prefix_len() => range.addr().fmt(formatter),
            Self::Addresses(range) => range.fmt(formatter),
            Self::Name(name) => formatter.write_str(name),
        }
    }
}

/// Ports of the responder, as the tool prints them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ports {
    /// `TCP 443`, `UDP 5000-5100`.
    Some(PolicyPort),
    /// `any`, which must be said: a port left out is an error.
    Any,
}

impl Ports {
    /// Reads what stands in a file.
    ///
    /// # Errors
    /// What is wrong with it, as the rest of a sentence that begins with the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || "is no port: write it as it is printed, such as TCP 443, UDP 5000-5100, or any".to_owned();
        if text == "any" {
            return Ok(Self::Any);
        }
        let (protocol, ports) = text.split_once(' ').ok_or_else(wrong)?;
        let protocol = Protocol::from_name(protocol).ok_or_else(wrong)?;
        let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
        let number = |text: &str| text.parse::<NonZeroU16>().map_err(|_| wrong());
        PolicyPort::range(protocol, number(first)?, number(last)?).map(Self::Some).ok_or_else(wrong)
    }

    pub(super) fn matches(self, protocol: Protocol, port: NonZeroU16) -> bool {
        match self {
            Self::Any => true,
            Self::Some(ports) => ports.protocol() == protocol && (ports.first()..=ports.last()).contains(&port),
        }
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Some(ports) => ports.fmt(formatter),
            Self::Any => formatter.write_str("any port"),
        }
    }
}

/// Edges, as a decision names them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EdgePattern {
    /// Who opens.
    pub from: PartyPattern,
    /// Who is called.
    pub to: PartyPattern,
    /// On which of the responder's ports.
    pub ports: Ports,
}

impl EdgePattern {
    /// Whether the edge is meant. Of its evidence only the names asked for count.
    #[must_use]
    pub fn matches(&self, edge: &Edge, evidence: &Evidence) -> bool {
        self.ports.matches(edge.protocol, edge.port)
            && self.from.matches(&edge.originator, None)
            && self.to.matches(&edge.responder, Some(evidence))
    }

    /// The workloads' side and the range of a pattern that goes to or comes from addresses.
    pub(super) fn outside(&self) -> Option<(Way, &PartyPattern, IpNet)> {
        match (&self.from, &self.to) {
            (subject, PartyPattern::Addresses(range)) if subject.namespace().is_some() => Some((Way::To, subject, *range)),
            (PartyPattern::Addresses(range), subject) if subject.namespace().is_some() => Some((Way::From, subject, *range)),
            _ => None,
        }
    }
}

/// On which side of an edge addresses outside are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// They are called.
    To,
    /// They call.
    From,
}

impl fmt::Display for EdgePattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} -> {} {}", self.from, self.to, self.ports)
    }
}

/// Whether `text` is what `pattern` means, in which `*` stands for any text, also none.
#[must_use]
pub(super) fn is_like(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = pieces.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else { return rest.is_empty() };
    for piece in pieces {
        // The first place is as good as any: what is left over is only more.
        let Some(found) = rest.find(piece) else { return false };
        rest = &rest[found + piece.len()..];
    }
    rest.ends_with(last)
}

/// A DNS label (RFC 1123).
pub(super) fn is_label(text: &str) -> bool {
    is_part(text) && text.len() <= 63
}

fn is_part(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.bytes().all(is_inner) && !text.starts_with('-') && !text.ends_with('-')
}

/// What names most objects: labels with dots between, 253 characters at most. RBAC's colons are in no workload's name.
fn is_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_part)
}

fn is_kind(text: &str) -> bool {
    text.starts_with(|letter: char| letter.is_ascii_uppercase()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Host names as programs ask for them, underscores of services among them.
fn is_host_name(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_label = |label: &str| !label.is_empty() && label.len() <= 63 && label.bytes().all(is_inner);
    // A name whose last label is a number is a mistyped address (WHATWG URL, section 3.5).
    let ends_in_number = text.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    text.len() <= 253 && text.split('.').all(is_label) && !ends_in_number
}
