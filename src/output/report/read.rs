//! The review as JSON, read back: what `learn` wrote beside the policies, as far as `plan` asks for it.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::coverage::Coverage;
use crate::output::manifest;

use super::VERSION;

/// What a run that learned policies said of them.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Learned {
    version: u32,
    tool: String,
    /// What it read.
    pub captures: LearnedCaptures,
    /// What it made, by namespace.
    pub namespaces: BTreeMap<String, LearnedNamespace>,
    /// What it found.
    pub findings: Vec<LearnedFinding>,
    /// How long was watched, and what that says.
    pub coverage: Option<Coverage>,
    /// The namespaces that were asked for, if not all.
    #[serde(default)]
    pub scope: Option<Vec<String>>,
    /// The options that decide what is learned, as they are typed.
    #[serde(default)]
    pub options: Vec<String>,
    /// What was kept apart.
    #[serde(default)]
    pub quarantine: Option<LearnedQuarantine>,
}

/// What was kept apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct LearnedQuarantine {
    /// Whether that was asked for. Reviews without this field are of a time when there was a quarantine only then.
    #[serde(default = "yes")]
    pub is_requested: bool,
}

const fn yes() -> bool {
    true
}

/// What was read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct LearnedCaptures {
    /// Files or interfaces.
    pub sources: Vec<String>,
    /// Files that said who is who.
    #[serde(default)]
    pub inventories: Vec<String>,
}

/// One namespace.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct LearnedNamespace {
    /// Its policies.
    pub policies: Vec<LearnedPolicy>,
}

/// One policy.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct LearnedPolicy {
    /// `metadata.name`.
    pub name: String,
    /// What its `spec` comes to, as [`manifest::digest`] tells it.
    pub digest: String,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct LearnedFinding {
    /// Its code.
    pub code: String,
    /// What it is about.
    pub subject: String,
    /// The rest of the sentence.
    pub message: String,
    /// Whether it stands for further subjects, which were not kept.
    pub is_rest: bool,
}

/// Reads a review; nothing if the text is none, or one of a version that is not known.
#[must_use]
pub fn read(text: &str) -> Option<Learned> {
    let learned: Learned = serde_json::from_str(text).ok()?;
    (learned.version == VERSION && learned.tool == manifest::TOOL).then_some(learned)
}
