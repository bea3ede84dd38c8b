//! What can be decided.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU16;

use ipnet::IpNet;
use jiff::civil::Date;

use super::pattern::{EdgePattern, PartyPattern, Way, is_like};
use crate::model::{Code, Edge, Finding, Party, Protocol, WorkloadName};

/// One decision of a reviewer. The line comes last: where it stands in the file makes no difference to any output.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decision {
    /// What was decided.
    pub what: What,
    /// Why.
    pub reason: String,
    /// Who decided, in free words.
    pub by: Option<String>,
    /// The last day on which it counts (UTC).
    pub until: Option<Date>,
    /// Where it begins in the file, from 1; for errors alone.
    pub line: u64,
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// These edges are meant, however odd they look.
    Accept(EdgePattern),
    /// These edges must not become rules.
    Reject(EdgePattern),
    /// Addresses outside may be said as a range.
    Widen(Widen),
    /// A policy has a better name.
    Rename(Rename),
    /// A finding is settled.
    Ignore(Ignore),
}

/// The kinds of decisions, as the file spells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// See [`What::Accept`].
    Accept,
    /// See [`What::Reject`].
    Reject,
    /// See [`What::Widen`].
    Widen,
    /// See [`What::Rename`].
    Rename,
    /// See [`What::Ignore`].
    Ignore,
}

impl Kind {
    /// As the file spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Reject => "reject",
            Self::Widen => "widen",
            Self::Rename => "rename",
            Self::Ignore => "ignore",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl What {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Accept(_) => Kind::Accept,
            Self::Reject(_) => Kind::Reject,
            Self::Widen(_) => Kind::Widen,
            Self::Rename(_) => Kind::Rename,
            Self::Ignore(_) => Kind::Ignore,
        }
    }

    /// The namespaces it names; none where it names nobody in particular.
    #[must_use]
    pub fn namespaces(&self) -> BTreeSet<&str> {
        match self {
            Self::Accept(edges) | Self::Reject(edges) | Self::Widen(Widen { edges, .. }) => {
                [&edges.from, &edges.to].into_iter().filter_map(|party| party.namespace()).collect()
            }
            Self::Rename(rename) => BTreeSet::from([rename.namespace.as_str()]),
            Self::Ignore(ignore) => {
                let named = ignore.subject.as_deref().and_then(|subject| subject.split_once('/')).map(|(namespace, _)| namespace);
                named.into_iter().filter(|namespace| super::pattern::is_label(namespace)).collect()
            }
        }
    }

    /// Whether two decisions speak of the same, so that one of them is too many.
    pub(super) fn repeats(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Widen(one), Self::Widen(other)) => one.edges == other.edges,
            (Self::Rename(one), Self::Rename(other)) => (&one.namespace, &one.from) == (&other.namespace, &other.from),
            _ => self == other,
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ", self.kind())?;
        match self {
            Self::Accept(edges) | Self::Reject(edges) | Self::Widen(Widen { edges, .. }) => edges.fmt(formatter),
            Self::Rename(Rename { namespace, from, to }) => write!(formatter, "{namespace}/{from} to {to}"),
            Self::Ignore(Ignore { code, subject: None }) => code.fmt(formatter),
            Self::Ignore(Ignore { code, subject: Some(subject) }) => write!(formatter, "{code} of {subject}"),
        }
    }
}

/// Addresses outside, said as a range instead of one by one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Widen {
    /// The edges that become one; on one side workloads, on the other the range.
    pub edges: EdgePattern,
    /// Which side the range is on.
    pub way: Way,
    /// The range.
    pub range: IpNet,
    /// How many addresses may be added at most, on any port of a workload, to those seen on it.
    pub bound: u64,
}

impl Widen {
    /// The workload whose edge with an address in the range this is; nothing where it is another edge.
    pub fn subject<'e>(&self, edge: &'e Edge) -> Option<(&'e WorkloadName, IpAddr)> {
        let (subject, outside) = match self.way {
            Way::To => (&edge.originator, &edge.responder),
            Way::From => (&edge.responder, &edge.originator),
        };
        let (Party::Workload(workload), Party::Outside(address)) = (subject, outside) else { return None };
        let pattern = if self.way == Way::To { &self.edges.from } else { &self.edges.to };
        let is_meant =
            self.range.contains(address) && pattern.means(workload) && self.edges.ports.matches(edge.protocol, edge.port);
        is_meant.then_some((workload, *address))
    }
}

/// How many addresses of a range were not seen: on the port on which most were not, of those on which any was.
pub fn added<'e>(range: IpNet, edges: impl IntoIterator<Item = &'e Edge>) -> u128 {
    let mut seen: BTreeMap<(Protocol, NonZeroU16), BTreeSet<IpAddr>> = BTreeMap::new();
    for edge in edges {
        for party in [&edge.originator, &edge.responder] {
            if let Party::Outside(address) = party
                && range.contains(address)
            {
                seen.entry((edge.protocol, edge.port)).or_default().insert(*address);
            }
        }
    }
    let host_bits = u32::from(range.max_prefix_len() - range.prefix_len());
    let all = 1_u128.checked_shl(host_bits).unwrap_or(u128::MAX);
    seen.values().map(|seen| all.saturating_sub(seen.len() as u128)).max().unwrap_or(0)
}

/// How names of policies in quarantine begin. Nothing is renamed so: applied, the one would take the place of the other.
pub const QUARANTINED: &str = "quarantined-";

/// A policy's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rename {
    /// The policy's namespace.
    pub namespace: String,
    /// The name that the tool gives it.
    pub from: String,
    /// The name it is to have; a DNS label.
    pub to: String,
}

/// A finding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ignore {
    /// Its code.
    pub code: Code,
    /// What it is about; `*` stands for any text. All of the code where nothing is said.
    pub subject: Option<String>,
}

impl Ignore {
    /// Whether the finding is meant. What stands for subjects that were not kept is only meant by the code alone.
    #[must_use]
    pub fn matches(&self, finding: &Finding) -> bool {
        finding.code == self.code
            && self.subject.as_deref().is_none_or(|subject| !finding.is_rest && is_like(subject, &finding.subject))
    }
}

impl Decision {
    /// The range by which this widens an edge.
    #[must_use]
    pub fn widens(&self, edge: &Edge) -> Option<&Widen> {
        let What::Widen(widen) = &self.what else { return None };
        widen.subject(edge).map(|_| widen)
    }

    /// The addresses that must not call a workload on a port, where this says so of addresses.
    #[must_use]
    pub fn shuts_out(&self, workload: &WorkloadName, protocol: Protocol, port: NonZeroU16) -> Option<IpNet> {
        self.rejects_addresses(Way::From, workload, protocol, port)
    }

    /// The addresses outside that a workload must have nothing to do with on a port.
    pub(super) fn rejects_addresses(
        &self,
        way: Way,
        workload: &WorkloadName,
        protocol: Protocol,
        port: NonZeroU16,
    ) -> Option<IpNet> {
        let What::Reject(EdgePattern { from, to, ports }) = &self.what else { return None };
        let (subject, outside) = if way == Way::To { (from, to) } else { (to, from) };
        let PartyPattern::Addresses(range) = outside else { return None };
        (subject.means(workload) && ports.matches(protocol, port)).then_some(*range)
    }
}
