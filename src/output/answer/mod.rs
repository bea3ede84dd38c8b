//! What checking policies against traffic, against a question or against one another gave: as text for people and as JSON.
//!
//! In: results of [`verify`](crate::verify). Out: text with a line feed at its end. Names in it are made harmless for a terminal.
//! The JSON of each has a `version`; what is there stays, more may come.

mod diff;
mod explain;
pub(super) mod paste;
mod replay;
mod unjudged;

use serde_json::{Value, json};

use crate::verify::{Answer, Member, Parties, PolicyName, PortSet, RuleName};

use super::text::{one_line, pretty_json};

pub use diff::{diff_json, diff_text};
pub use explain::{Explanation, Proposal, explain_json, explain_text};
pub use replay::{Held, RejectedEdge, replay_json, replay_text};
pub use unjudged::Unjudged;

/// The version of all JSON here.
const VERSION: u64 = 1;
/// The longest line.
const WIDTH: usize = 2000;
/// How a connection is called that only an `ipBlock` on pods' addresses decides.
const UNDEFINED: &str = " (up to the network plug-in)";

/// Why somebody has to decide on an edge before there is a rule for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Withheld {
    /// It leads to the cloud's credentials.
    Metadata,
    /// Only a pod that forwards for others shows it.
    Forwarded,
}

/// Where a rule that is missing belongs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Remedy {
    /// The policy.
    pub policy: PolicyName,
    /// Whether there is none of that name yet.
    pub is_new: bool,
    /// The rule that means the peer already, and lacks the port.
    pub rule: Option<RuleName>,
    /// Why `learn` keeps its policy apart until somebody has decided on it, if it does.
    pub withheld: Option<Withheld>,
}

/// `change prod/allow-ingress-to-db`, `a new policy prod/allow-ingress-to-db`.
impl std::fmt::Display for Remedy {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(withheld) = self.withheld {
            let why = match withheld {
                Withheld::Metadata => "it leads to the cloud's credentials",
                Withheld::Forwarded => "it was seen only through a pod that forwards for others",
            };
            let apart = format!("withheld, for {why}: accept or reject it in netpol-gen.yaml");
            return write!(formatter, "{apart}; once it is accepted, learn writes {}", self.policy);
        }
        match &self.rule {
            Some(rule) => write!(formatter, "change {rule}, which lacks the port"),
            None if self.is_new => write!(formatter, "a new policy {}", self.policy),
            None => write!(formatter, "change {}", self.policy),
        }
    }
}

impl Remedy {
    fn json(&self) -> Value {
        let rule = self.rule.as_ref().map(|rule| rule.index);
        json!({ "policy": self.policy.to_string(), "is_new": self.is_new, "rule": rule, "is_withheld": self.withheld.is_some() })
    }
}

fn line(text: &str) -> String {
    one_line(text, WIDTH)
}

fn ports(ports: &PortSet) -> Value {
    let intervals = ports.intervals();
    intervals.map(|(protocol, first, last)| json!({ "protocol": protocol.name(), "first": first, "last": last })).collect()
}

fn rules<'r>(rules: impl IntoIterator<Item = &'r RuleName>) -> Value {
    let one = |rule: &RuleName| json!({ "policy": rule.policy.to_string(), "direction": rule.direction.to_string(), "index": rule.index });
    rules.into_iter().map(one).collect()
}

const fn certainty(answer: Answer) -> &'static str {
    match answer {
        Answer::Allowed => "certain",
        Answer::Undefined | Answer::Denied => "network-plug-in",
    }
}

fn parties(parties: &Parties) -> Value {
    let names = |names: &[crate::model::WorkloadName]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let one = |member: &Member| match member {
        Member::Everyone { except } => json!({ "every": "workload", "except": names(except) }),
        Member::Namespace { name, except } => json!({ "every": "workload", "namespace": name, "except": names(except) }),
        Member::Workload(name) => json!({ "workload": name.to_string(), "kind": name.kind.0 }),
        Member::Some { workload, pods, of } => {
            json!({ "workload": workload.to_string(), "kind": workload.kind.0, "pods": pods, "of": of })
        }
    };
    parties.members.iter().map(one).collect()
}

fn addresses(set: &crate::verify::AddressSet) -> Value {
    let blocks = set.blocks();
    let one = |(cidr, except): &(ipnet::IpNet, Vec<ipnet::IpNet>)| json!({ "cidr": cidr.to_string(), "except": except.iter().map(ToString::to_string).collect::<Vec<_>>() });
    blocks.iter().map(one).collect()
}

fn listed<'n, T: ToString + 'n>(names: impl IntoIterator<Item = &'n T>) -> String {
    names.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn pretty(value: &Value) -> Result<String, serde_json::Error> {
    pretty_json(value)
}
