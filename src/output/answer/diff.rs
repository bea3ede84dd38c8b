//! What changes from one set of policies to another.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::verify::{Answer, Change, Difference, Parts};

use super::{UNDEFINED, VERSION, addresses, certainty, line, parties, ports, pretty};

/// For people: a line for each group of connections, gained before lost.
#[must_use]
pub fn diff_text(difference: &Difference) -> String {
    if difference.is_empty() {
        return "no difference: the same connections are possible\n".to_owned();
    }
    let mut text = String::new();
    for (title, changes) in [("gained", &difference.gained), ("lost", &difference.lost)] {
        if changes.is_empty() {
            continue;
        }
        let _ = writeln!(text, "{title}:");
        for change in changes {
            let mark = if change.certainty == Answer::Allowed { "" } else { UNDEFINED };
            let (from, to) = (side(&change.originators), side(&change.responders));
            let _ = writeln!(text, "  {}", line(&format!("{from} -> {to} {}{mark}", change.ports)));
        }
    }
    text
}

fn side(parts: &Parts) -> String {
    match parts {
        Parts::Pods(parties) => parties.to_string(),
        Parts::Addresses(set) => set.to_string(),
    }
}

/// For programs.
///
/// # Errors
/// Never: all keys are text.
pub fn diff_json(difference: &Difference) -> Result<String, serde_json::Error> {
    let side = |parts: &Parts| match parts {
        Parts::Pods(members) => json!({ "pods": parties(members) }),
        Parts::Addresses(set) => json!({ "addresses": addresses(set) }),
    };
    let changes = |changes: &[Change]| -> Value {
        let one = |change: &Change| {
            json!({
                "originators": side(&change.originators), "responders": side(&change.responders), "ports": ports(&change.ports),
                "certainty": certainty(change.certainty),
            })
        };
        changes.iter().map(one).collect()
    };
    pretty(&json!({ "version": VERSION, "gained": changes(&difference.gained), "lost": changes(&difference.lost) }))
}
