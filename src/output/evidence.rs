//! What a reviewer reads above a rule: who was seen to talk to whom, and how sure that is.

use crate::model::{Edge, Evidence, Explained, Rule};
use crate::review::Reasons;

use super::text::{counted, listed};

/// The most lines above one rule beside reasons; one more may say how much is left out.
const LINES: usize = 12;
/// The most names asked for, or Services called, in one line.
const NAMES: usize = 3;

/// The lines above a rule, without comment signs; two an edge, and one for each reason to doubt it.
#[must_use]
pub fn lines(explained: &Explained, rule: &Rule, reasons: &Reasons) -> Vec<String> {
    let Some(grounds) = explained.grounds.get(rule) else { return Vec::new() };
    let shown = LINES / 2;
    let mut lines = Vec::new();
    for (edge, evidence) in grounds.iter().take(shown) {
        lines.push(edge.to_string());
        lines.push(format!("  {}", details(edge, evidence)));
        lines.extend(reasons.get(edge).into_iter().flatten().map(|reason| format!("  {}: {reason}", reason.code())));
    }
    let rest: Vec<&Evidence> = grounds.values().skip(shown).collect();
    if !rest.is_empty() {
        let edges = u64::try_from(rest.len()).unwrap_or(u64::MAX);
        let connections = rest.iter().fold(0_u64, |sum, evidence| sum.saturating_add(evidence.connections));
        let direction = rest.iter().map(|evidence| evidence.direction).min();
        let direction = direction.map(|direction| format!(", client identified by {direction} or better")).unwrap_or_default();
        lines.push(format!("and {}, {}{direction}", counted(edges, "more edge", "more edges"), connections_of(connections)));
    }
    lines
}

fn connections_of(count: u64) -> String {
    counted(count, "connection", "connections")
}

fn details(edge: &Edge, evidence: &Evidence) -> String {
    let (first, last) = (evidence.span.first(), evidence.span.last());
    let when = if first == last { format!("at {first}") } else { format!("{first} to {last}") };
    let mut parts = vec![format!("{}, {when}", connections_of(evidence.connections))];
    let weak = if evidence.direction.is_weak() || evidence.weak == 0 {
        String::new()
    } else {
        format!(" ({} of {} by {} or better)", evidence.weak, evidence.connections, evidence.weakest)
    };
    parts.push(format!("client identified by {}{weak}", evidence.direction));
    // The most asked for first.
    let mut names: Vec<(&str, u64)> = evidence.names().map(|(name, count)| (&**name, count)).collect();
    names.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), *name));
    if !names.is_empty() {
        parts.push(format!("asked for {}", listed(names.into_iter().map(|(name, _)| name.to_owned()), NAMES)));
    }
    let services: Vec<String> = evidence.services().map(ToString::to_string).collect();
    if !services.is_empty() {
        let word = if services.len() == 1 { "Service" } else { "Services" };
        parts.push(format!("through {word} {}", listed(services.into_iter(), NAMES)));
    }
    let marked = |count: u64, mark: &str| {
        if count >= evidence.connections { format!("all {mark}") } else { format!("{count} {mark}") }
    };
    if evidence.mid_stream > 0 {
        parts.push(marked(evidence.mid_stream, "mid-stream (under way before first seen)"));
    }
    if evidence.one_way > 0 {
        parts.push(marked(evidence.one_way, &format!("one-way {} (never answered)", edge.protocol)));
    }
    if evidence.unchecked > 0 {
        parts.push(marked(evidence.unchecked, "out of tunnels that nothing is known of (weak)"));
    }
    if evidence.forwarded > 0 {
        parts.push(marked(evidence.forwarded, "through a pod that forwards for others"));
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Called, DirectionEvidence, Span};
    use crate::output::tests::samples;

    #[test]
    fn what_is_known_of_an_edge() {
        let sample = samples::ingress_to_db("prod");
        let (edge, plain) = sample.grounds.values().flatten().next().expect("an edge");
        let change = |change: &dyn Fn(&mut Evidence)| {
            let mut evidence = samples::evidence(12);
            change(&mut evidence);
            details(edge, &evidence)
        };
        let seen = "12 connections, 2026-09-21T14:13:20.123Z to 2026-09-21T14:18:20.123Z; client identified by";
        assert_eq!(details(edge, plain), format!("{seen} TCP SYN; asked for db.prod.svc.cluster.local; through Service prod/db"));
        let weak = change(&|evidence| {
            evidence.direction = DirectionEvidence::EphemeralRange;
            evidence.mid_stream = 12;
        });
        assert_eq!(weak, format!("{seen} ephemeral port range; all mid-stream (under way before first seen)"));
        let mixed = change(&|evidence| {
            evidence.weakest = DirectionEvidence::LowerPort;
            evidence.weak = 2;
        });
        assert_eq!(mixed, format!("{seen} TCP SYN (2 of 12 by lower port number or better)"));
        let some = change(&|evidence| {
            evidence.mid_stream = 1;
            evidence.one_way = 2;
        });
        assert_eq!(some, format!("{seen} TCP SYN; 1 mid-stream (under way before first seen); 2 one-way TCP (never answered)"));
        let named = change(&|evidence| {
            let names = [("a", 1), ("b", 9), ("c", 1), ("d", 1)].map(|(name, count)| (name.into(), count));
            evidence.called = Called::of(names.into(), ["x/y", "x/z"].map(Into::into).into());
        });
        assert_eq!(named, format!("{seen} TCP SYN; asked for b, a, c and 1 more; through Services x/y, x/z"));
        let once = change(&|evidence| {
            evidence.connections = 1;
            evidence.span = Span::at(evidence.span.first());
        });
        assert_eq!(once, "1 connection, at 2026-09-21T14:13:20.123Z; client identified by TCP SYN");
    }
}
