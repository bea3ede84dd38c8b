//! Records of a watch, as trees: taken apart here, kept by [`History`](crate::inventory::History).

use std::collections::BTreeSet;

use serde::Deserialize;

use super::node::{Mismatch, Tree};
use crate::inventory::watched::{Change, Gap, VERSION};
use crate::model::Timestamp;

/// What a record says.
pub(super) enum Said<'t> {
    Header,
    Change {
        change: Change,
        at: Option<Timestamp>,
        object: &'t Tree,
    },
    Gap(Gap),
    LeftOut {
        kinds: BTreeSet<String>,
        reason: String,
    },
    End,
    /// Of no use here.
    Nothing,
    /// A header of a format that is not known.
    OtherVersion(String),
}

/// Members that several types have.
#[derive(Deserialize)]
#[serde(default)]
struct Line {
    at: String,
    version: String,
    from: String,
    until: String,
    kinds: BTreeSet<String>,
    reason: String,
}

impl Default for Line {
    fn default() -> Self {
        let empty = String::new;
        Self { at: empty(), version: empty(), from: empty(), until: empty(), kinds: BTreeSet::new(), reason: empty() }
    }
}

/// The `type` of a record; `None` for what is an object.
pub(super) fn kind(tree: &Tree) -> Option<&str> {
    // Some custom kinds have a member of that name too; but every object says its kind.
    tree.get("type").and_then(Tree::text).filter(|_| tree.get("kind").is_none() && tree.get("metadata").is_none())
}

/// What the record says; what is wrong with it if it cannot be read.
pub(super) fn read<'t>(kind: &str, tree: &'t Tree) -> Result<Said<'t>, Mismatch> {
    let line = || tree.read::<Line>();
    let change = match kind {
        "ADDED" => Change::Added,
        "MODIFIED" => Change::Modified,
        "DELETED" => Change::Deleted,
        "HEADER" => {
            let version = line()?.version;
            return Ok(if version == VERSION.to_string() { Said::Header } else { Said::OtherVersion(version) });
        }
        "GAP" => {
            let Line { from, until, kinds, reason, .. } = line()?;
            return Ok(Said::Gap(Gap { from: time(&from)?, until: time(&until)?, kinds, reason }));
        }
        "LEFT_OUT" => {
            let Line { kinds, reason, .. } = line()?;
            return Ok(Said::LeftOut { kinds, reason });
        }
        "END" => return Ok(Said::End),
        "BOOKMARK" => return Ok(Said::Nothing),
        "ERROR" => {
            // A Status, which the API sends when a watch cannot go on.
            let message = tree.get("object").and_then(|status| status.get("message")).and_then(Tree::text).unwrap_or_default();
            return Err(Mismatch(format!("the watch ended with an error: {message}")));
        }
        _ => return Err(Mismatch("records of this type are not known".into())),
    };
    let object = tree.get("object").ok_or_else(|| Mismatch("it has no object".into()))?;
    let at = Some(line()?.at).filter(|at| !at.is_empty());
    Ok(Said::Change { change, at: at.map(|at| time(&at)).transpose()?, object })
}

fn time(text: &str) -> Result<Timestamp, Mismatch> {
    let time = text.parse::<jiff::Timestamp>().ok().and_then(|time| i64::try_from(time.as_nanosecond()).ok());
    time.map(Timestamp).ok_or_else(|| Mismatch(format!("`{}` is not a time", super::shorten(text))))
}
