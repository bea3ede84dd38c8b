//! What a run saw, made and could not see, as one value: for a person on a terminal, as a Markdown review, as JSON.
//!
//! In: what the stages report. Out: [`terminal`] text, [`markdown`] (`REVIEW.md`), [`json`]. No clock: all times are capture
//! times, so the same input gives the same bytes.

mod coverage;
mod decisions;
mod markdown;
mod read;
mod terminal;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::coverage::Coverage;
use crate::edge::{FlowClass, Observation};
use crate::model::{Code, Edge, Explained, Finding, Findings, Policy, Span};
use crate::review::{Reason, Reasons};

use super::manifest;
use super::sink::Written;
use super::text;
use super::words;

pub use decisions::{Decided, DecisionLine, IgnoredLine, RejectedLine};
pub use markdown::markdown;
pub use read::{Learned, read};
pub use terminal::{Detail, Style, terminal};

/// The version of the form.
const VERSION: u32 = 1;

/// A run in numbers and sentences. Its JSON is an interface: fields are added, but none changes its meaning or goes while
/// `version` stays the same.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// The version of this form: 1.
    pub version: u32,
    /// `netpol-gen`, by which it knows its own files.
    pub tool: &'static str,
    /// What was read.
    pub captures: Captures,
    /// What the captures held.
    pub frames: Frames,
    /// Conversations by their outcome: `answered`, `mid-stream` (answered, and begun before the capture), `refused`, `unanswered`,
    /// `one-way`, and `flood` for attempts that were summed up.
    pub flows: BTreeMap<String, u64>,
    /// The same conversations by what became of them, each in exactly one class ([`FlowClass`]): `edge`, `own-node`, `unattributed`
    /// and so on. The sum is that of `flows`.
    pub flow_classes: BTreeMap<String, u64>,
    /// How many distinct edges: who may call whom on which port.
    pub edges: u64,
    /// The namespaces this run speaks for; `null` for all.
    pub scope: Option<Vec<String>>,
    /// The options beside namespaces, quarantine and decisions that decide what is learned, as they are typed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// What was made, by namespace.
    pub namespaces: BTreeMap<String, Namespace>,
    /// What a reviewer has to know, worst first.
    pub findings: Vec<FindingLine>,
    /// What was written; `null` when nothing was meant to be.
    pub files: Option<Written>,
    /// What checking the policies against the capture gave; `null` when they were not checked.
    pub proof: Option<Proof>,
    /// What is kept apart until somebody has accepted it; `null` when that was not asked for and nothing leads to the cloud's
    /// credentials.
    pub quarantine: Option<Quarantine>,
    /// Whether it was watched long enough; `null` when that was not asked.
    pub coverage: Option<Coverage>,
    /// What reviewers decided and what became of it; `null` without a file of decisions.
    pub decisions: Option<Decided>,
}

/// What was read.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Captures {
    /// Files or interfaces, in order.
    pub sources: Vec<String>,
    /// The files that said who is who; none where the cluster was asked, or nobody is to ask them again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inventories: Vec<String>,
    /// When the first frame was captured, in RFC 3339; `null` without frames.
    pub first: Option<String>,
    /// When the last one was.
    pub last: Option<String>,
    /// Whole seconds in between.
    pub seconds: u64,
}

impl Captures {
    /// Of these sources, with frames over this span.
    #[must_use]
    pub fn new(mut sources: Vec<String>, span: Option<Span>) -> Self {
        sources.sort();
        Self {
            sources,
            inventories: Vec::new(),
            first: span.map(|span| span.first().to_string()),
            last: span.map(|span| span.last().to_string()),
            seconds: span.map_or(0, |span| u64::try_from(span.length() / 1_000_000_000).unwrap_or(0)),
        }
    }
}

/// What the captures held.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Frames {
    /// All of them.
    pub total: u64,
    /// Those that were understood.
    pub decoded: u64,
    /// Those that came and were never read, in a live capture.
    pub dropped: u64,
    /// The others, by reason.
    pub left_out: BTreeMap<String, u64>,
}

/// One namespace.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Namespace {
    /// Its workloads, as `name (Kind)`.
    pub workloads: Vec<String>,
    /// Its policies, default deny first.
    pub policies: Vec<PolicyLine>,
}

/// One policy.
#[derive(Clone, Debug, Serialize)]
pub struct PolicyLine {
    /// `metadata.name`.
    pub name: String,
    /// Its class, as in the annotation `netpol-gen/class`.
    pub class: String,
    /// Whom it is for: `name (Kind)`, or `every pod of <namespace>`.
    pub subject: String,
    /// What it is for, as a sentence.
    pub purpose: String,
    /// What it allows, a line a rule.
    pub allows: Vec<String>,
    /// What was widened on purpose.
    pub notes: Vec<String>,
    /// What its `spec` comes to: another one where a rule was changed since.
    pub digest: String,
    /// How many rules it has.
    pub rules: u64,
    /// How many peers, over all rules.
    pub peers: u64,
    /// How many ports, over all rules.
    pub ports: u64,
    /// How many observed edges it is there for.
    pub edges: u64,
}

impl PolicyLine {
    fn new(explained: &Explained) -> Self {
        let policy: &Policy = &explained.policy;
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        Self {
            name: policy.name.clone(),
            class: policy.class.name().to_owned(),
            subject: words::subject(policy),
            purpose: words::purpose(policy),
            allows: words::allows(policy),
            notes: explained.notes.clone(),
            digest: manifest::digest(&manifest::write(policy)),
            rules: count(policy.rules.allowing().count()),
            peers: count(policy.rules.allowing().map(|rule| rule.peers.len()).sum()),
            ports: count(policy.rules.allowing().map(|rule| rule.ports.len()).sum()),
            edges: count(explained.grounds.values().map(BTreeMap::len).sum()),
        }
    }
}

/// One finding.
#[derive(Clone, Debug, Serialize)]
pub struct FindingLine {
    /// The stable code.
    pub code: String,
    /// `serious`, `warning` or `note`.
    pub severity: String,
    /// What it is about.
    pub subject: String,
    /// The rest of a sentence that begins with the subject.
    pub message: String,
    /// How often.
    pub count: u64,
    /// What to do about it.
    pub hint: String,
    /// Whether it stands for all further subjects of the code, which were counted and not kept.
    pub is_rest: bool,
}

impl FindingLine {
    fn new(finding: &Finding) -> Self {
        Self {
            code: finding.code.name().to_owned(),
            severity: finding.code.severity().name().to_owned(),
            subject: finding.subject.clone(),
            message: finding.message.clone(),
            count: finding.count,
            hint: finding.code.hint().to_owned(),
            is_rest: finding.is_rest,
        }
    }
}

/// What checking the policies against the capture gave.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Proof {
    /// Observed edges that the policies allow.
    pub allowed: u64,
    /// Observed edges that are in quarantine.
    pub quarantined: u64,
    /// Observed edges that they deny because a reviewer decided so.
    pub rejected: u64,
    /// Observed edges that they deny though they should not, as sentences; must be empty.
    pub denied: Vec<String>,
    /// Allowed though neither observed nor said to be; must be empty.
    pub excess: Vec<String>,
    /// Allowed though not observed, and said so.
    pub widened: Vec<String>,
    /// Observed edges that they deny because no rule of theirs could be proved; each is a finding.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<String>,
}

impl Proof {
    /// Whether everything observed is allowed and everything allowed was observed or said.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.denied.is_empty() && self.excess.is_empty()
    }
}

/// What is kept apart.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Quarantine {
    /// Whether all that looks odd is kept apart (`--quarantine`), and not only what somebody has to decide on.
    pub is_requested: bool,
    /// How many of the edges are withheld until a decision accepts or rejects them: they lead to the cloud's credentials, or only a pod that
    /// forwards for others shows them.
    pub withheld: u64,
    /// The edges, in order.
    pub edges: Vec<Quarantined>,
    /// The policies that would allow them, by namespace.
    pub policies: BTreeMap<String, Vec<PolicyLine>>,
}

impl Quarantine {
    /// Of these edges, each with whether the policies outside quarantine deny it; as if all that looks odd was to be kept apart.
    #[must_use]
    pub fn new(reasons: &Reasons, is_denied: impl Fn(&Edge) -> bool, policies: &[Explained]) -> Self {
        let edges = reasons.iter().map(|(edge, reasons)| Quarantined {
            edge: edge.to_string(),
            reasons: reasons
                .iter()
                .map(|reason| Doubt { code: reason.code().name().to_owned(), message: reason.to_string() })
                .collect(),
            is_denied: is_denied(edge),
        });
        let withheld = reasons.values().filter(|reasons| reasons.iter().copied().any(Reason::needs_decision)).count();
        let withheld = u64::try_from(withheld).unwrap_or(u64::MAX);
        let mut quarantine = Self { is_requested: true, withheld, edges: edges.collect(), policies: BTreeMap::new() };
        for explained in policies {
            quarantine.policies.entry(explained.policy.namespace.clone()).or_default().push(PolicyLine::new(explained));
        }
        quarantine
    }
}

/// One edge that is kept apart.
#[derive(Clone, Debug, Serialize)]
pub struct Quarantined {
    /// The edge, as a phrase.
    pub edge: String,
    /// Why, at least one.
    pub reasons: Vec<Doubt>,
    /// Whether it will be denied; if not, a policy that says more than what was seen, on purpose, allows it all the same.
    pub is_denied: bool,
}

/// One reason to keep an edge apart.
#[derive(Clone, Debug, Serialize)]
pub struct Doubt {
    /// The code of the finding.
    pub code: String,
    /// The rest of a sentence that begins with the edge.
    pub message: String,
}

impl Default for Summary {
    fn default() -> Self {
        Self {
            version: VERSION,
            tool: manifest::TOOL,
            captures: Captures::default(),
            frames: Frames::default(),
            flows: BTreeMap::new(),
            flow_classes: BTreeMap::new(),
            edges: 0,
            scope: None,
            options: Vec::new(),
            namespaces: BTreeMap::new(),
            findings: Vec::new(),
            files: None,
            proof: None,
            quarantine: None,
            coverage: None,
            decisions: None,
        }
    }
}

impl Summary {
    /// Takes over the policies of a run.
    pub fn set_policies(&mut self, policies: &[Explained]) {
        let mut ordered: Vec<&Explained> = policies.iter().collect();
        ordered.sort_by_key(|explained| &explained.policy);
        for namespace in self.namespaces.values_mut() {
            namespace.policies.clear();
        }
        for explained in ordered {
            let namespace = self.namespaces.entry(explained.policy.namespace.clone()).or_default();
            namespace.policies.push(PolicyLine::new(explained));
        }
    }

    /// Takes over the findings of a run.
    pub fn set_findings(&mut self, findings: &Findings) {
        self.findings = findings.sorted().iter().map(FindingLine::new).collect();
    }

    /// Takes over how many conversations there were, and what became of them.
    pub fn set_flows(&mut self, observation: &Observation) {
        self.flows = observation.flows.iter().map(|(outcome, count)| ((*outcome).to_owned(), *count)).collect();
        self.flow_classes = observation.classes.iter().map(|(class, count)| (class.name().to_owned(), count)).collect();
        self.edges = u64::try_from(observation.edges.len()).unwrap_or(u64::MAX);
    }

    /// The classes of conversations in words with their counts, in the order of classes.
    fn classes(&self) -> Vec<(&'static str, u64)> {
        let counted = |class: &FlowClass| Some((class.words(), *self.flow_classes.get(class.name())?));
        FlowClass::ALL.iter().filter_map(counted).collect()
    }

    /// How many policies there are.
    #[must_use]
    pub fn policies(&self) -> usize {
        self.namespaces.values().map(|namespace| namespace.policies.len()).sum()
    }

    /// The findings by code, worst first, in their order.
    fn grouped(&self) -> Vec<Group<'_>> {
        let mut groups: Vec<Group> = Vec::new();
        for finding in &self.findings {
            if groups.last().is_none_or(|group| group.code != finding.code) {
                let (code, severity, hint) = (&finding.code, &finding.severity, &finding.hint);
                let why = Code::ALL.iter().find(|known| known.name() == code).map_or("", |known| known.why());
                groups.push(Group { code, severity, why, hint, findings: Vec::new(), rest: 0 });
            }
            match groups.last_mut() {
                Some(group) if finding.is_rest => group.rest += finding.count,
                Some(group) => group.findings.push(finding),
                None => {}
            }
        }
        groups
    }

    /// Whether there is a finding of this code.
    fn has(&self, code: Code) -> bool {
        self.findings.iter().any(|finding| finding.code == code.name())
    }
}

/// The findings of one code.
#[derive(Serialize)]
struct Group<'a> {
    code: &'a str,
    severity: &'a str,
    /// Why findings of this code matter; empty if the code is not known.
    why: &'static str,
    hint: &'a str,
    findings: Vec<&'a FindingLine>,
    /// How often there was a finding of a further subject, which was not kept.
    rest: u64,
}

/// The summary as JSON, indented, with a line feed at its end.
///
/// # Errors
/// Never: all keys are text.
pub fn json(summary: &Summary) -> Result<String, serde_json::Error> {
    text::pretty_json(summary)
}
