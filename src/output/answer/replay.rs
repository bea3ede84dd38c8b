//! What policies would deny of later traffic, and what they allow that nobody used.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::model::{Edge, Evidence};
use crate::verify::{Answer, Direction, Missing, Replay, UNKNOWN_NAMESPACES, Unused, UnusedPeers, Why};

use super::{Remedy, UNDEFINED, Unjudged, VERSION, addresses, certainty, line, listed, parties, ports, pretty, rules};
use crate::output::text::counted;

/// Traffic that was held against policies.
#[derive(Clone, Copy, Debug)]
pub struct Held<'a> {
    /// What came of it.
    pub replay: &'a Replay,
    /// How often and when each edge was seen.
    pub seen: &'a BTreeMap<Edge, Evidence>,
    /// Where the missing rules belong, by edge and side; nothing where no policy can say it.
    pub remedies: &'a BTreeMap<(Edge, Direction), Remedy>,
    /// Edges that a reviewer rejected; none of them is among those denied.
    pub rejected: &'a BTreeMap<Edge, RejectedEdge>,
    /// Answered connections that no policy can be held against.
    pub unjudged: &'a Unjudged<'a>,
}

/// An edge that is not to be allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedEdge {
    /// Why.
    pub reason: String,
    /// Whether the policies allow it all the same.
    pub is_allowed: bool,
}

impl Held<'_> {
    fn unused(&self, is_stated: bool) -> impl Iterator<Item = &Unused> {
        self.replay.unused.iter().filter(move |unused| unused.reason.is_some() == is_stated)
    }
}

/// For people.
#[must_use]
pub fn replay_text(held: Held<'_>) -> String {
    let replay = held.replay;
    let denied = u64::try_from(replay.denied.len()).unwrap_or(u64::MAX);
    let edges = counted(replay.edges, "edge", "edges");
    let shut = u64::try_from(held.rejected.values().filter(|rejected| !rejected.is_allowed).count()).unwrap_or(u64::MAX);
    let by_decision = if shut > 0 { format!(", {shut} rejected by decision") } else { String::new() };
    let allowed = replay.edges.saturating_sub(denied).saturating_sub(shut);
    let mut withheld: BTreeSet<&Edge> = BTreeSet::new();
    withheld.extend(held.remedies.iter().filter(|(_, remedy)| remedy.withheld.is_some()).map(|((edge, _), _)| edge));
    let apart = if withheld.is_empty() { String::new() } else { format!(" ({} of them withheld)", withheld.len()) };
    let mut text = format!("{edges}: {allowed} allowed, {denied} denied{apart}{by_decision}\n");
    for (is_allowed, title) in [(true, "rejected by decision, and allowed"), (false, "rejected by decision")] {
        for (edge, rejected) in held.rejected.iter().filter(|(_, rejected)| rejected.is_allowed == is_allowed) {
            let _ = writeln!(text, "{title}: {}", line(&format!("{edge}: {}", rejected.reason)));
        }
    }
    text.push_str(&held.unjudged.text());
    for (edge, missing) in &replay.denied {
        let _ = writeln!(text, "denied: {}", line(&edge.to_string()));
        if let Some(evidence) = held.seen.get(edge) {
            let (first, last) = (evidence.span.first(), evidence.span.last());
            let when = if first == last { format!("at {first}") } else { format!("{first} to {last}") };
            let _ = writeln!(text, "  {}, {when}", counted(evidence.connections, "connection", "connections"));
        }
        for missing in missing {
            let _ = writeln!(text, "  {}", line(&lacking(edge, missing)));
            let remedy = held.remedies.get(&(edge.clone(), missing.side));
            let remedy = remedy.map_or_else(|| "no policy can allow it".to_owned(), ToString::to_string);
            let _ = writeln!(text, "    {}", line(&remedy));
        }
    }
    for (title, is_stated) in [("allowed but unused", false), ("allowed but unused, on purpose", true)] {
        let pairs = held.unused(is_stated).map(Unused::pairs).fold(0, u64::saturating_add);
        if pairs > 0 {
            let _ = writeln!(text, "{title}: {}", counted(pairs, "connection", "connections"));
            for unused in held.unused(is_stated) {
                let _ = writeln!(text, "  {}", line(&told(unused)));
            }
        }
    }
    let pairs = replay.one_sided.iter().map(Unused::pairs).fold(0, u64::saturating_add);
    if pairs > 0 {
        let _ = writeln!(
            text,
            "allowed by one side but unused, and denied by the other side: {}",
            counted(pairs, "connection", "connections")
        );
        for unused in &replay.one_sided {
            let _ = writeln!(text, "  {}", line(&told(unused)));
        }
    }
    if !replay.unisolated.is_empty() {
        let _ = writeln!(text, "isolated by no policy, so everything is allowed:");
        for (workload, direction) in &replay.unisolated {
            let _ = writeln!(text, "  {direction} of {}", line(&workload.to_string()));
        }
    }
    text
}

fn lacking(edge: &Edge, missing: &Missing) -> String {
    let subject = if missing.side == Direction::Egress { &edge.originator } else { &edge.responder };
    let side = format!("{} of {subject}", missing.side);
    match &missing.why {
        Why::NoRule { pod, isolated_by } => {
            format!("{side}: isolated by {}, and no rule matches (pod {pod})", listed(isolated_by))
        }
        Why::Undefined { pod, by } => {
            format!("{side}: up to the network plug-in, only an ipBlock on a pod's address matches (pod {pod}): {}", listed(by))
        }
        Why::UnknownParty(party) => format!("{side}: no address of {party} is known"),
    }
}

fn told(unused: &Unused) -> String {
    let peers = match &unused.peers {
        UnusedPeers::Everyone => "everyone".to_owned(),
        UnusedPeers::UnknownNamespaces => UNKNOWN_NAMESPACES.to_owned(),
        UnusedPeers::Pods(parties) => parties.to_string(),
        UnusedPeers::Addresses(set) => set.to_string(),
    };
    let way = match unused.direction {
        Direction::Ingress => format!("{peers} -> {}", unused.subject),
        Direction::Egress => format!("{} -> {peers}", unused.subject),
    };
    let mark = if unused.certainty == Answer::Allowed { "" } else { UNDEFINED };
    let reason = unused.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
    format!("{way} {}{mark}, by {}{reason}", unused.ports, listed(&unused.by))
}

/// For programs.
///
/// # Errors
/// Never: all keys are text.
pub fn replay_json(held: Held<'_>) -> Result<String, serde_json::Error> {
    let replay = held.replay;
    let denied: Value = replay.denied.iter().map(|(edge, missing)| denied_json(held, edge, missing)).collect();
    let rejected = held.rejected.iter().map(|(edge, rejected)| {
        json!({
            "originator": edge.originator.to_string(), "responder": edge.responder.to_string(),
            "protocol": edge.protocol.name(), "port": edge.port, "reason": rejected.reason, "is_allowed": rejected.is_allowed,
        })
    });
    let rejected: Value = rejected.collect();
    let unused: Value = replay.unused.iter().map(unused_json).collect();
    let one_sided: Value = replay.one_sided.iter().map(unused_json).collect();
    let open = replay.unisolated.iter();
    let open: Value = open
        .map(|(workload, direction)| {
            json!({ "workload": workload.to_string(), "kind": workload.kind.0, "direction": direction.to_string() })
        })
        .collect();
    pretty(&json!({
        "version": VERSION, "edges": replay.edges, "denied": denied, "rejected": rejected,
        "unattributed": held.unjudged.json(), "not_judged": held.unjudged.without_policies(), "unused": unused,
        "one_sided": one_sided, "unisolated": open,
    }))
}

fn denied_json(held: Held<'_>, edge: &Edge, missing: &[Missing]) -> Value {
    let seen = held.seen.get(edge);
    let one = |missing: &Missing| {
        let (reason, pod, policies, by) = match &missing.why {
            Why::NoRule { pod, isolated_by } => {
                let names: Vec<String> = isolated_by.iter().map(ToString::to_string).collect();
                ("no-rule", Some(pod.to_string()), names, json!([]))
            }
            Why::Undefined { pod, by } => ("network-plug-in", Some(pod.to_string()), Vec::new(), rules(by)),
            Why::UnknownParty(_) => ("unknown-party", None, Vec::new(), json!([])),
        };
        json!({
            "side": missing.side.to_string(), "reason": reason, "pod": pod, "isolated_by": policies, "rules": by,
            "remedy": held.remedies.get(&(edge.clone(), missing.side)).map(Remedy::json),
        })
    };
    json!({
        "originator": edge.originator.to_string(), "responder": edge.responder.to_string(),
        "protocol": edge.protocol.name(), "port": edge.port,
        "connections": seen.map(|seen| seen.connections),
        "first": seen.map(|seen| seen.span.first().to_string()), "last": seen.map(|seen| seen.span.last().to_string()),
        "missing": missing.iter().map(one).collect::<Value>(),
    })
}

fn unused_json(unused: &Unused) -> Value {
    let peers = match &unused.peers {
        UnusedPeers::Everyone => json!("everyone"),
        UnusedPeers::UnknownNamespaces => json!("unknown-namespaces"),
        UnusedPeers::Pods(members) => json!({ "pods": parties(members) }),
        UnusedPeers::Addresses(set) => json!({ "addresses": addresses(set) }),
    };
    json!({
        "subject": unused.subject.to_string(), "kind": unused.subject.kind.0, "direction": unused.direction.to_string(),
        "peers": peers, "ports": ports(&unused.ports), "certainty": certainty(unused.certainty), "by": rules(&unused.by),
        "stated": unused.reason, "pairs": unused.pairs(),
    })
}
