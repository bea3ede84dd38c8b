//! Why one connection is possible or not, and the least that would make it so.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::model::Policy;
use crate::verify::{Answer, Direction, Exempt, RuleName, Side, Verdict};

use super::{Remedy, UNDEFINED, VERSION, line, listed, paste, pretty, rules};

/// One question with its answers.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// Who opens, as it is called.
    pub originator: String,
    /// Who is called.
    pub responder: String,
    /// Protocol and port, such as `TCP 3306`.
    pub port: String,
    /// The different answers, each with a pair for which it holds.
    pub cases: Vec<(Verdict, String, String)>,
    /// What is written above rules.
    pub comments: BTreeMap<RuleName, Vec<String>>,
    /// The rules in quarantine that would allow it, once they are accepted.
    pub quarantine: BTreeSet<RuleName>,
    /// What would allow it, a policy for each side that lacks one.
    pub proposals: Vec<Proposal>,
    /// Why there is no such policy, or why it would not be enough.
    pub obstacles: Vec<String>,
}

/// A rule that would allow it.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// The side.
    pub side: Direction,
    /// Where it belongs.
    pub remedy: Remedy,
    /// The policy that says it and nothing else.
    pub policy: Policy,
}

impl Explanation {
    /// The answer for all pods: the worst.
    #[must_use]
    pub fn answer(&self) -> Answer {
        self.cases.iter().map(|(verdict, ..)| verdict.answer()).min().unwrap_or(Answer::Denied)
    }

    fn best(&self) -> Answer {
        self.cases.iter().map(|(verdict, ..)| verdict.answer()).max().unwrap_or(Answer::Denied)
    }
}

const fn word(answer: Answer) -> &'static str {
    match answer {
        Answer::Allowed => "allowed",
        Answer::Denied => "denied",
        Answer::Undefined => "up to the network plug-in",
    }
}

/// For people.
#[must_use]
pub fn explain_text(explanation: &Explanation) -> String {
    let Explanation { originator, responder, port, .. } = explanation;
    let mut answer = word(explanation.answer()).to_owned();
    if explanation.best() != explanation.answer() {
        let _ = write!(answer, " for some pods, {} for others", word(explanation.best()));
    }
    let mut text = line(&format!("{originator} -> {responder} {port}: {answer}"));
    text.push('\n');
    for (verdict, one, other) in &explanation.cases {
        let (mut from, mut to) = (originator, responder);
        if explanation.cases.len() > 1 {
            (from, to) = (one, other);
            let _ = writeln!(text, "{}", line(&format!("such as {one} -> {other}: {}", word(verdict.answer()))));
        }
        for (direction, side, subject) in
            [(Direction::Egress, &verdict.originator, from), (Direction::Ingress, &verdict.responder, to)]
        {
            let _ = writeln!(text, "  {}", line(&format!("{direction} of {subject}: {}", in_words(side))));
            for rule in grounds(side) {
                for comment in explanation.comments.get(rule).into_iter().flatten() {
                    let _ = writeln!(text, "    # {}", line(comment));
                }
            }
        }
    }
    if !explanation.quarantine.is_empty() {
        let _ = writeln!(text, "  {}", line(&format!("in quarantine, and would allow it: {}", listed(&explanation.quarantine))));
    }
    for Proposal { remedy, policy, .. } in &explanation.proposals {
        if remedy.is_new {
            let _ = writeln!(text, "\n# to allow it: {}", line(&remedy.to_string()));
            text.push_str(&paste::whole(policy));
        } else {
            let list = paste::list(policy);
            let which = remedy.rule.as_ref().map_or_else(String::new, |rule| format!("; {rule} means the peer, on other ports"));
            let _ = writeln!(text, "\n# to allow it: add to spec.{list} of {}", line(&format!("{}{which}", remedy.policy)));
            text.push_str(&paste::rules(policy));
        }
    }
    for obstacle in &explanation.obstacles {
        let _ = writeln!(text, "{}", line(obstacle));
    }
    text
}

fn grounds(side: &Side) -> &BTreeSet<RuleName> {
    const NONE: &BTreeSet<RuleName> = &BTreeSet::new();
    match side {
        Side::Allowed { by } | Side::Undefined { by } => by,
        _ => NONE,
    }
}

fn in_words(side: &Side) -> String {
    match side {
        Side::Exempt(Exempt::SamePod) => "allowed, as it is the same pod".to_owned(),
        Side::Exempt(Exempt::Loopback) => "allowed, as it never leaves where it began".to_owned(),
        Side::Exempt(Exempt::OwnNode) => "allowed, as a node may always call its own pods".to_owned(),
        Side::Exempt(Exempt::HostNetwork) => "allowed, as no policy selects a node or what is on its network".to_owned(),
        Side::Exempt(Exempt::Outside) => "allowed, as no policy selects what is outside the cluster".to_owned(),
        Side::NotIsolated => "allowed, as no policy isolates it".to_owned(),
        Side::Allowed { by } => format!("allowed by {}", listed(by)),
        Side::Undefined { by } => format!("only an ipBlock on a pod's address matches{UNDEFINED}: {}", listed(by)),
        Side::Denied { isolated_by } => format!("denied: isolated by {}, and no rule matches", listed(isolated_by)),
    }
}

/// For programs.
///
/// # Errors
/// Never: all keys are text.
pub fn explain_json(explanation: &Explanation) -> Result<String, serde_json::Error> {
    let side = |side: &Side| {
        let (answer, reason, isolated_by) = match side {
            Side::Exempt(exempt) => {
                let reason = match exempt {
                    Exempt::SamePod => "same-pod",
                    Exempt::Loopback => "loopback",
                    Exempt::OwnNode => "own-node",
                    Exempt::HostNetwork => "host-network",
                    Exempt::Outside => "outside",
                };
                ("allowed", reason, None)
            }
            Side::NotIsolated => ("allowed", "not-isolated", None),
            Side::Allowed { .. } => ("allowed", "rule", None),
            Side::Undefined { .. } => ("network-plug-in", "ip-block-on-pod", None),
            Side::Denied { isolated_by } => ("denied", "no-rule", Some(isolated_by)),
        };
        let isolated_by: Vec<String> = isolated_by.into_iter().flatten().map(ToString::to_string).collect();
        let comments = grounds(side).iter().filter_map(|rule| explanation.comments.get(rule)).flatten();
        let evidence: Vec<&String> = comments.collect();
        json!({ "answer": answer, "reason": reason, "rules": rules(grounds(side)), "isolated_by": isolated_by, "evidence": evidence })
    };
    let case = |(verdict, one, other): &(Verdict, String, String)| {
        json!({
            "answer": answer(verdict.answer()), "originator": one, "responder": other,
            "egress": side(&verdict.originator), "ingress": side(&verdict.responder),
        })
    };
    let proposal = |proposal: &Proposal| {
        let object = json!(crate::output::manifest::write(&proposal.policy));
        let list = paste::list(&proposal.policy);
        json!({ "side": proposal.side.to_string(), "remedy": proposal.remedy.json(), "rules": object["spec"][list] })
    };
    pretty(&json!({
        "version": VERSION, "originator": explanation.originator, "responder": explanation.responder, "port": explanation.port,
        "answer": answer(explanation.answer()), "quarantine": rules(&explanation.quarantine), "cases": explanation.cases.iter().map(case).collect::<Value>(),
        "proposals": explanation.proposals.iter().map(proposal).collect::<Value>(), "obstacles": explanation.obstacles,
    }))
}

const fn answer(answer: Answer) -> &'static str {
    match answer {
        Answer::Allowed => "allowed",
        Answer::Denied => "denied",
        Answer::Undefined => "network-plug-in",
    }
}
