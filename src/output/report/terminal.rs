//! The end of a run on a terminal: what was read, what was made, what to look at; at most a screen when all is well.
//!
//! Every word that comes from packets, objects or paths is made printable: a terminal obeys escape codes in names. Notes get a line
//! a code; `REVIEW.md` has their subjects.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::edge::FlowClass;
use crate::model::{Severity, length};
use crate::output::text::{counted, listed, one_line};

use super::coverage::{held_out, outlook, watched};
use super::{Decided, Group, Namespace, Proof, Quarantine, Quarantined, Summary};

/// The most subjects a code.
const SUBJECTS: usize = 5;
/// The most namespaces.
const NAMESPACES: usize = 12;
/// The longest line of a finding.
const WIDTH: usize = 200;

/// How the summary is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Whether there are colors, as ANSI codes.
    pub colours: bool,
    /// How much is written.
    pub detail: Detail,
}

/// How much of the summary is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// Serious findings and a failed proof only.
    Quiet,
    /// What fits a screen.
    #[default]
    Normal,
    /// All subjects of all findings, and why each finding matters.
    Verbose,
}

/// The summary for a person, with a line feed at its end; nothing if nothing is to be said.
#[must_use]
pub fn terminal(summary: &Summary, style: Style) -> String {
    let lines = match style.detail {
        Detail::Quiet => quiet(summary, style),
        Detail::Normal | Detail::Verbose => full(summary, style),
    };
    lines.into_iter().map(|line| line + "\n").collect()
}

/// What must not be missed.
fn quiet(summary: &Summary, style: Style) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(proof) = summary.proof.as_ref().filter(|proof| !proof.holds()) {
        lines.extend(proved(proof, summary.edges, style));
    }
    let groups = summary.grouped();
    for group in groups.iter().filter(|group| group.severity == Severity::Serious.name()) {
        lines.extend(group_lines(group, style));
    }
    lines
}

fn full(summary: &Summary, style: Style) -> Vec<String> {
    let mut lines = vec![captures(summary), flows(summary)];
    lines.extend(classes(summary));
    lines.extend(namespaces(&summary.namespaces));
    if let Some(proof) = &summary.proof {
        lines.extend(proved(proof, summary.edges, style));
    }
    if let Some(decided) = &summary.decisions {
        lines.extend(decisions(decided));
    }
    if let Some(quarantine) = &summary.quarantine {
        lines.extend(quarantined(quarantine, summary.files.is_some(), style));
    }
    if let Some(coverage) = &summary.coverage {
        lines.push(format!("coverage: {}; {}", watched(coverage), outlook(&coverage.discovery.all.estimate)));
        lines.extend(coverage.back_test.iter().map(|back_test| format!("back-test: {}", held_out(back_test))));
    }
    for group in summary.grouped() {
        lines.extend(group_lines(&group, style));
    }
    if let Some(files) = summary.files {
        lines.push(format!(
            "files: {} written, {} unchanged, {} removed; REVIEW.md says how to apply them",
            files.written, files.unchanged, files.removed
        ));
    }
    lines
}

impl Style {
    /// A severity in its colour; notes have none.
    fn severity(self, severity: &str, text: &str) -> String {
        match severity {
            "serious" if self.colours => format!("\u{1b}[1;31m{text}\u{1b}[0m"),
            "warning" if self.colours => format!("\u{1b}[33m{text}\u{1b}[0m"),
            _ => text.to_owned(),
        }
    }
}

fn captures(summary: &Summary) -> String {
    let captures = &summary.captures;
    let mut line = match captures.sources.as_slice() {
        [source] => format!("read: {}", one_line(source, 80)),
        sources => format!("read: {} captures", sources.len()),
    };
    if let (Some(first), Some(last)) = (&captures.first, &captures.last) {
        let _ = write!(line, ", {first} to {last} ({})", length(captures.seconds));
    }
    let _ = write!(line, "; {}, {} decoded", counted(summary.frames.total, "frame", "frames"), summary.frames.decoded);
    if summary.frames.dropped > 0 {
        let _ = write!(line, ", {} dropped", summary.frames.dropped);
    }
    if !summary.frames.left_out.is_empty() {
        let reasons = summary.frames.left_out.iter().map(|(reason, count)| format!("{count} {}", one_line(reason, 40)));
        let _ = write!(line, ", left out: {}", listed(reasons, 8));
    }
    line
}

fn flows(summary: &Summary) -> String {
    let total = summary.flows.values().fold(0_u64, |sum, count| sum.saturating_add(*count));
    let mut outcomes: Vec<(&String, &u64)> = summary.flows.iter().filter(|(_, count)| **count > 0).collect();
    outcomes.sort_by_key(|(outcome, count)| (std::cmp::Reverse(**count), (*outcome).clone()));
    let outcomes = listed(outcomes.into_iter().map(|(outcome, count)| format!("{count} {}", one_line(outcome, 40))), 8);
    let outcomes = if outcomes.is_empty() { outcomes } else { format!(" ({outcomes})") };
    format!("flows: {total}{outcomes}, {}", counted(summary.edges, "edge", "edges"))
}

/// What became of the flows; nothing where all are in edges.
fn classes(summary: &Summary) -> Option<String> {
    let classes = summary.classes();
    let is_plain = classes.iter().all(|(words, _)| *words == FlowClass::Edge.words());
    let counted = classes.iter().map(|(words, count)| format!("{count} {words}"));
    (!is_plain).then(|| format!("  of these: {}", listed(counted, FlowClass::ALL.len())))
}

fn namespaces(namespaces: &BTreeMap<String, Namespace>) -> Vec<String> {
    let width = namespaces.keys().take(NAMESPACES).map(|name| one_line(name, 63).chars().count()).max().unwrap_or(0);
    let mut lines: Vec<String> = namespaces
        .iter()
        .take(NAMESPACES)
        .map(|(name, namespace)| {
            let mut classes: BTreeMap<&str, u64> = BTreeMap::new();
            for policy in &namespace.policies {
                *classes.entry(&policy.class).or_default() += 1;
            }
            let classes = listed(classes.iter().map(|(class, count)| format!("{count} {class}")), 8);
            let policies = u64::try_from(namespace.policies.len()).unwrap_or(u64::MAX);
            let workloads = u64::try_from(namespace.workloads.len()).unwrap_or(u64::MAX);
            let classes = if classes.is_empty() { classes } else { format!(" ({classes})") };
            format!(
                "  {:width$}  {}{classes} for {}",
                one_line(name, 63),
                counted(policies, "policy", "policies"),
                counted(workloads, "workload", "workloads")
            )
        })
        .collect();
    if namespaces.len() > NAMESPACES {
        lines.push(format!("  and {} more namespaces", namespaces.len() - NAMESPACES));
    }
    lines
}

fn proved(proof: &Proof, edges: u64, style: Style) -> Vec<String> {
    let widened = if proof.widened.is_empty() {
        String::new()
    } else {
        format!(
            "; {}, on purpose",
            counted(
                u64::try_from(proof.widened.len()).unwrap_or(u64::MAX),
                "rule is broader than observed",
                "rules are broader than observed"
            )
        )
    };
    let rejected = if proof.rejected > 0 { format!(", {} denied by decision", proof.rejected) } else { String::new() };
    if proof.holds() {
        let quarantined = match proof.quarantined {
            0 => String::new(),
            1 => ", 1 is in quarantine".to_owned(),
            count => format!(", {count} are in quarantine"),
        };
        let withheld = match proof.withheld.len() {
            0 => String::new(),
            count => format!(", {count} withheld"),
        };
        return vec![format!(
            "proof: {} of {} allowed{rejected}{quarantined}{withheld}, and nothing else{widened}",
            proof.allowed,
            counted(edges, "observed edge is", "observed edges are")
        )];
    }
    let mut lines = Vec::new();
    for (what, sentences) in [("denied though observed", &proof.denied), ("allowed though not observed", &proof.excess)] {
        if !sentences.is_empty() {
            lines.push(style.severity("serious", &format!("proof failed: {} {what}", sentences.len())));
            lines.extend(sentences.iter().take(SUBJECTS).map(|sentence| format!("  {}", one_line(sentence, WIDTH))));
            lines.extend(more(sentences.len()));
        }
    }
    lines
}

/// What will be denied on purpose although it was seen.
fn quarantined(quarantine: &Quarantine, has_files: bool, style: Style) -> Vec<String> {
    let (denied, allowed): (Vec<&Quarantined>, Vec<&Quarantined>) = quarantine.edges.iter().partition(|edge| edge.is_denied);
    if denied.is_empty() && allowed.is_empty() {
        return vec!["quarantine: nothing suspicious was seen".to_owned()];
    }
    let mut lines = Vec::new();
    for (edges, fate) in [(denied, "denied for now"), (allowed, "allowed, by a rule that is broader than observed on purpose")] {
        if edges.is_empty() {
            continue;
        }
        let count = u64::try_from(edges.len()).unwrap_or(u64::MAX);
        lines.push(style.severity("warning", &format!("quarantine: {} {fate}", counted(count, "edge is", "edges are"))));
        lines.extend(edges.iter().take(SUBJECTS).map(|edge| {
            let codes = listed(edge.reasons.iter().map(|reason| reason.code.clone()), SUBJECTS);
            format!("  {}", one_line(&format!("{} ({codes})", edge.edge), WIDTH))
        }));
        lines.extend(more(edges.len()));
    }
    if quarantine.withheld > 0 {
        let edges = counted(quarantine.withheld, "edge", "edges");
        lines.push(format!("  withheld: {edges}, whatever the options: a decision must accept or reject each"));
    }
    lines.push(if has_files {
        "  hint: the rules are in NAMESPACE/_quarantine/, which no kustomization includes; accept what is wanted in netpol-gen.yaml"
            .to_owned()
    } else {
        "  hint: the rules are in no file; with --output DIRECTORY they are written to NAMESPACE/_quarantine/".to_owned()
    });
    lines
}

/// What became of the decisions, and what is denied by them.
fn decisions(decided: &Decided) -> Vec<String> {
    let mut lines = vec![format!("decisions: {}", decided.in_words())];
    for rejected in decided.rejected.iter().take(SUBJECTS) {
        let connections = counted(rejected.connections, "connection", "connections");
        lines.push(format!("  {}", one_line(&format!("denied: {} ({connections}): {}", rejected.edge, rejected.reason), WIDTH)));
    }
    lines.extend(more(decided.rejected.len()));
    let ignored = u64::try_from(decided.ignored.len()).unwrap_or(u64::MAX);
    if ignored > 0 {
        lines.push(format!("  {} ignored; REVIEW.md lists them", counted(ignored, "finding", "findings")));
    }
    lines
}

fn more(count: usize) -> Option<String> {
    (count > SUBJECTS).then(|| format!("  and {} more", count - SUBJECTS))
}

fn group_lines(group: &Group, style: Style) -> Vec<String> {
    let is_verbose = style.detail == Detail::Verbose;
    if group.severity == Severity::Note.name() && !is_verbose {
        let beyond = if group.rest > 0 { " and more" } else { "" };
        return vec![format!("note: {} ({}{beyond}): {}", group.code, group.findings.len(), group.hint)];
    }
    let mut lines = vec![style.severity(group.severity, &format!("{}: {}", group.severity, group.code))];
    let most = if is_verbose { usize::MAX } else { SUBJECTS };
    for finding in group.findings.iter().take(most) {
        let times = if finding.count > 1 { format!(" ({} times)", finding.count) } else { String::new() };
        lines.push(format!("  {}{times}", one_line(&format!("{} {}", finding.subject, finding.message), WIDTH)));
    }
    if !is_verbose {
        lines.extend(more(group.findings.len()));
    }
    if group.rest > 0 {
        lines.push(format!("  and {} of further subjects, which were not kept", counted(group.rest, "finding", "findings")));
    }
    if is_verbose {
        lines.push(format!("  why: {}", group.why));
    }
    lines.push(format!("  hint: {}", group.hint));
    lines
}
