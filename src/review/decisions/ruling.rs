//! All decisions of a run, and what became of each.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU16;
use std::sync::Arc;

use jiff::civil::Date;

use super::error::DecisionError;
use super::kinds::{Decision, What, added};
use crate::edge::{DynamicPorts, Observation};
use crate::inventory::Inventory;
use crate::model::{Code, Edge, Evidence, Finding, Findings, Party, Protocol, WorkloadName};

/// Decisions in output order, with what came of them.
#[derive(Clone, Debug, Default)]
pub struct Decisions {
    entries: Vec<Entry>,
    ignored: Vec<Ignored>,
}

/// A decision and what came of it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The decision.
    pub decision: Arc<Decision>,
    /// How many edges, policies or findings it meant.
    pub matches: u64,
    /// What came of it beside that, as sentences.
    pub effects: Vec<String>,
    is_expired: bool,
    /// Whether it narrowed a policy, also if nothing of what it means was seen.
    is_cut: bool,
    /// Whether the run was not asked about what it names.
    is_elsewhere: bool,
}

/// What became of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It meant something, and that was done.
    Obeyed,
    /// It meant nothing that this run saw.
    Unmatched,
    /// Its last day is over, so it did not count.
    Expired,
    /// It speaks of namespaces that the run was not asked about.
    Elsewhere,
}

impl State {
    /// As outputs spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Obeyed => "obeyed",
            Self::Unmatched => "unmatched",
            Self::Expired => "expired",
            Self::Elsewhere => "elsewhere",
        }
    }
}

impl Entry {
    /// What became of it.
    #[must_use]
    pub const fn state(&self) -> State {
        if self.is_expired {
            State::Expired
        } else if self.matches > 0 || self.is_cut {
            State::Obeyed
        } else if self.is_elsewhere {
            State::Elsewhere
        } else {
            State::Unmatched
        }
    }
}

/// A finding that is settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignored {
    /// The finding.
    pub finding: Finding,
    /// Why.
    pub reason: String,
}

/// Observed edges that must not become rules.
#[derive(Clone, Debug, Default)]
pub struct Rejected {
    edges: BTreeMap<Edge, Rejection>,
    /// Connections to ports picked at run time as they were, where any of them was rejected.
    dynamic: Option<Vec<DynamicPorts>>,
}

/// Why an edge was rejected.
#[derive(Clone, Debug)]
pub struct Rejection {
    /// By which decision; there may be a million edges.
    pub decision: Arc<Decision>,
    /// Why it is believed that there was such an edge.
    pub evidence: Evidence,
    is_dynamic: bool,
}

impl Rejected {
    /// The edges, with why.
    pub fn edges(&self) -> impl ExactSizeIterator<Item = (&Edge, &Rejection)> {
        self.edges.iter()
    }

    /// Why an edge was rejected, if it was.
    #[must_use]
    pub fn get(&self, edge: &Edge) -> Option<&Rejection> {
        self.edges.get(edge)
    }

    /// Whether an edge is one of them.
    #[must_use]
    pub fn contains(&self, edge: &Edge) -> bool {
        self.edges.contains_key(edge)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.edges.is_empty()
    }

    /// Makes the observation whole again: what is said of the capture is said of all that was seen.
    pub fn restore(&mut self, observation: &mut Observation) {
        let edges = self.edges.iter().filter(|(_, rejection)| !rejection.is_dynamic);
        observation.edges.extend(edges.map(|(edge, rejection)| (edge.clone(), rejection.evidence.clone())));
        if let Some(dynamic) = self.dynamic.take() {
            observation.dynamic = dynamic;
        }
    }
}

impl Decisions {
    /// These decisions, as they count on a day (UTC).
    ///
    /// # Errors
    /// Two that speak of the same, or of which only one can be obeyed whatever was seen.
    pub fn new(mut decisions: Vec<Decision>, today: Date) -> Result<Self, DecisionError> {
        decisions.sort();
        let is_expired = |decision: &Decision| decision.until.is_some_and(|until| until < today);
        for (position, first) in decisions.iter().enumerate() {
            for second in &decisions[position + 1..] {
                if first.what.repeats(&second.what) {
                    let (first, second) = if first.line <= second.line { (first, second) } else { (second, first) };
                    return Err(DecisionError::Twice {
                        first: Box::new(first.what.clone()),
                        first_line: first.line,
                        second: Box::new(second.what.clone()),
                        second_line: second.line,
                    });
                }
                if is_expired(first) || is_expired(second) {
                    continue;
                }
                let over = match (&first.what, &second.what) {
                    (What::Accept(accepted), What::Reject(rejected)) if accepted == rejected => accepted.to_string(),
                    (What::Rename(one), What::Rename(other)) if (&one.namespace, &one.to) == (&other.namespace, &other.to) => {
                        format!("the name {}/{}", one.namespace, one.to)
                    }
                    _ => continue,
                };
                return Err(contradiction(first, second, over));
            }
        }
        let entry = |decision: Decision| {
            let is_expired = is_expired(&decision);
            Entry {
                decision: Arc::new(decision),
                matches: 0,
                effects: Vec::new(),
                is_expired,
                is_cut: false,
                is_elsewhere: false,
            }
        };
        Ok(Self { entries: decisions.into_iter().map(entry).collect(), ignored: Vec::new() })
    }

    /// All of them, in order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The findings that were taken out.
    #[must_use]
    pub fn ignored(&self) -> &[Ignored] {
        &self.ignored
    }

    /// Those that count today.
    fn in_force(&self) -> impl Iterator<Item = &Arc<Decision>> {
        self.entries.iter().filter(|entry| !entry.is_expired).map(|entry| &entry.decision)
    }

    /// The decision that vouches for an edge.
    #[must_use]
    pub fn accepts(&self, edge: &Edge, evidence: &Evidence) -> Option<&Arc<Decision>> {
        self.in_force().find(|decision| matches!(&decision.what, What::Accept(edges) if edges.matches(edge, evidence)))
    }

    /// The decision by which an edge must not become a rule.
    #[must_use]
    pub fn rejects(&self, edge: &Edge, evidence: &Evidence) -> Option<&Arc<Decision>> {
        self.in_force().find(|decision| matches!(&decision.what, What::Reject(edges) if edges.matches(edge, evidence)))
    }

    /// The edges that somebody has vouched for: accepted, or part of a range that was decided on.
    #[must_use]
    pub fn vouched(&self, observation: &Observation) -> BTreeSet<Edge> {
        let is_vouched = |edge: &Edge, evidence: &Evidence| {
            self.accepts(edge, evidence).is_some() || self.in_force().any(|decision| decision.widens(edge).is_some())
        };
        let edges = observation.edges.iter().filter(|(edge, evidence)| is_vouched(edge, evidence)).map(|(edge, _)| edge);
        // Of ports picked at run time, whoever vouches must mean all.
        let is_whole = |dynamic: &&DynamicPorts| {
            dynamic.ports.iter().all(|&port| is_vouched(&Edge { port, ..dynamic.edge.clone() }, &dynamic.evidence))
        };
        let dynamic = observation.dynamic.iter().filter(is_whole).map(|dynamic| &dynamic.edge);
        edges.chain(dynamic).cloned().collect()
    }

    /// The ranges that addresses may be said as, for those who make policies.
    #[must_use]
    pub fn widenings(&self) -> Vec<Arc<Decision>> {
        self.in_force().filter(|decision| matches!(decision.what, What::Widen(_))).cloned().collect()
    }

    /// What may be rejected of callers outside, also of those not seen this time, for those who make policies.
    #[must_use]
    pub fn rejections(&self) -> Vec<Arc<Decision>> {
        self.in_force().filter(|decision| matches!(decision.what, What::Reject(_))).cloned().collect()
    }

    /// Counts the rejections by which addresses are cut out of what everyone outside may call on a port of a workload, in the policy
    /// of this name.
    pub fn shut_out(
        &mut self,
        workload: &WorkloadName,
        (protocol, port): (Protocol, NonZeroU16),
        policy: &str,
    ) -> BTreeSet<Arc<Decision>> {
        let mut shutting = BTreeSet::new();
        for entry in self.entries.iter_mut().filter(|entry| !entry.is_expired) {
            if let Some(range) = entry.decision.shuts_out(workload, protocol, port) {
                entry.is_cut = true;
                entry.effects.push(format!("{range} cut out of {policy} for {protocol} {port}"));
                shutting.insert(Arc::clone(&entry.decision));
            }
        }
        shutting
    }

    /// Counts what each decision means of the edges with a side in a namespace that `is_subject`, and takes out of the observation
    /// what is rejected.
    ///
    /// # Errors
    /// Decisions that contradict one another over an edge, and ranges that are not outside or too wide.
    pub fn apply(
        &mut self,
        observation: &mut Observation,
        inventory: &Inventory,
        is_subject: impl Fn(&str) -> bool,
    ) -> Result<Rejected, DecisionError> {
        for decision in self.in_force() {
            if let What::Widen(widen) = &decision.what
                && let Some(own) = inventory.own_within(widen.range)
            {
                let what = Box::new(decision.what.clone());
                return Err(DecisionError::Overlap { line: decision.line, what, range: widen.range, own });
            }
        }
        let mut rejected = Rejected::default();
        for (edge, evidence) in &observation.edges {
            if !has_subject(edge, &is_subject) {
                continue;
            }
            match self.judge(edge, evidence)? {
                Some(decision) => {
                    let rejection = Rejection { decision, evidence: evidence.clone(), is_dynamic: false };
                    rejected.edges.insert(edge.clone(), rejection);
                }
                None => self.widen(edge)?,
            }
        }
        observation.edges.retain(|edge, _| !rejected.edges.contains_key(edge));
        self.apply_dynamic(observation, &mut rejected, is_subject)?;
        self.bound(observation)?;
        Ok(rejected)
    }

    /// What is rejected of the ports picked at run time. The evidence is of all ports of a pair; each was called once.
    fn apply_dynamic(
        &mut self,
        observation: &mut Observation,
        rejected: &mut Rejected,
        is_subject: impl Fn(&str) -> bool,
    ) -> Result<(), DecisionError> {
        let before = observation.dynamic.clone();
        let known = rejected.edges.len();
        for dynamic in &mut observation.dynamic {
            if !has_subject(&dynamic.edge, &is_subject) {
                continue;
            }
            for port in dynamic.ports.clone() {
                let edge = Edge { port, ..dynamic.edge.clone() };
                let evidence = Evidence { connections: 1, ..dynamic.evidence.clone() };
                if let Some(decision) = self.judge(&edge, &evidence)? {
                    dynamic.ports.remove(&port);
                    rejected.edges.insert(edge, Rejection { decision, evidence, is_dynamic: true });
                }
            }
        }
        observation.dynamic.retain(|dynamic| !dynamic.ports.is_empty());
        if rejected.edges.len() > known {
            rejected.dynamic = Some(before);
        }
        Ok(())
    }

    /// Counts an edge with all that accept or reject it. Gives the decision that rejects it.
    fn judge(&mut self, edge: &Edge, evidence: &Evidence) -> Result<Option<Arc<Decision>>, DecisionError> {
        let mut accepting: Option<Arc<Decision>> = None;
        let mut rejecting: Option<Arc<Decision>> = None;
        for entry in self.entries.iter_mut().filter(|entry| !entry.is_expired) {
            let (edges, found) = match &entry.decision.what {
                What::Accept(edges) => (edges, &mut accepting),
                What::Reject(edges) => (edges, &mut rejecting),
                _ => continue,
            };
            if edges.matches(edge, evidence) {
                entry.matches += 1;
                found.get_or_insert_with(|| Arc::clone(&entry.decision));
            }
        }
        match (accepting, rejecting) {
            (Some(one), Some(other)) => Err(contradiction(&one, &other, edge.to_string())),
            (_, rejecting) => Ok(rejecting),
        }
    }

    /// Counts an edge with the range that it is part of.
    fn widen(&mut self, edge: &Edge) -> Result<(), DecisionError> {
        let mut known: Option<Arc<Decision>> = None;
        for entry in self.entries.iter_mut().filter(|entry| !entry.is_expired && entry.decision.widens(edge).is_some()) {
            if let Some(known) = known {
                return Err(contradiction(&known, &entry.decision, edge.to_string()));
            }
            entry.matches += 1;
            known = Some(Arc::clone(&entry.decision));
        }
        known.map_or(Ok(()), |known| self.hold_range(&known, edge))
    }

    /// Holds a range against what is rejected in it, which need not have been seen this time.
    fn hold_range(&self, decision: &Decision, edge: &Edge) -> Result<(), DecisionError> {
        let What::Widen(widen) = &decision.what else { return Ok(()) };
        let Some((workload, _)) = widen.subject(edge) else { return Ok(()) };
        let rejected = |other: &&Arc<Decision>| {
            let range = other.rejects_addresses(widen.way, workload, edge.protocol, edge.port);
            range.is_some_and(|range| range.contains(&widen.range) || widen.range.contains(&range))
        };
        let Some(other) = self.in_force().find(rejected) else { return Ok(()) };
        let over = format!("addresses of {} with {workload} on {} {}", widen.range, edge.protocol, edge.port);
        Err(contradiction(decision, other, over))
    }

    /// Holds every range to its bound, workload by workload, and says what it adds.
    fn bound(&mut self, observation: &Observation) -> Result<(), DecisionError> {
        for entry in self.entries.iter_mut().filter(|entry| !entry.is_expired && entry.matches > 0) {
            let What::Widen(widen) = &entry.decision.what else { continue };
            let mut by_workload: BTreeMap<&WorkloadName, Vec<&Edge>> = BTreeMap::new();
            for edge in observation.edges.keys() {
                if let Some((workload, _)) = widen.subject(edge) {
                    by_workload.entry(workload).or_default().push(edge);
                }
            }
            for (workload, edges) in by_workload {
                let added = added(widen.range, edges.iter().copied());
                if added > u128::from(widen.bound) {
                    return Err(DecisionError::BeyondBound {
                        line: entry.decision.line,
                        what: Box::new(entry.decision.what.clone()),
                        workload: Box::new(workload.clone()),
                        added,
                        bound: widen.bound,
                    });
                }
                let seen: BTreeSet<_> = edges.iter().filter_map(|edge| widen.subject(edge)).map(|(_, address)| address).collect();
                entry.effects.push(format!("{workload}: {} seen, {added} added", seen.len()));
            }
        }
        Ok(())
    }

    /// The new name of a policy, with the decision; counted.
    pub fn rename(&mut self, namespace: &str, name: &str) -> Option<(String, Arc<Decision>)> {
        self.entries.iter_mut().filter(|entry| !entry.is_expired).find_map(|entry| {
            let What::Rename(rename) = &entry.decision.what else { return None };
            if (rename.namespace.as_str(), rename.from.as_str()) != (namespace, name) {
                return None;
            }
            entry.matches += 1;
            Some((rename.to.clone(), Arc::clone(&entry.decision)))
        })
    }

    /// Takes out the findings that are settled, and keeps them with the reasons.
    pub fn ignore(&mut self, findings: &mut Findings) {
        let entries = &mut self.entries;
        let mut reasons = Vec::new();
        let taken = findings.extract(|finding| {
            let mut reason: Option<&str> = None;
            for entry in entries.iter_mut().filter(|entry| !entry.is_expired) {
                if matches!(&entry.decision.what, What::Ignore(ignore) if ignore.matches(finding)) {
                    entry.matches += 1;
                    reason = reason.or(Some(entry.decision.reason.as_str()));
                }
            }
            reasons.extend(reason.map(str::to_owned));
            reason.is_some()
        });
        self.ignored.extend(taken.into_iter().zip(reasons).map(|(finding, reason)| Ignored { finding, reason }));
    }

    /// Says which decisions did nothing. `scope` are the namespaces that the run was asked about; decisions that name none of them
    /// may well mean something elsewhere.
    pub fn conclude(&mut self, scope: Option<&BTreeSet<String>>, findings: &mut Findings) {
        for entry in &mut self.entries {
            let what = &entry.decision.what;
            let is_in = |scope: &BTreeSet<String>| what.namespaces().iter().any(|namespace| scope.contains(*namespace));
            entry.is_elsewhere = scope.is_some_and(|scope| !is_in(scope));
            if entry.state() == State::Unmatched {
                findings.add(Code::DecisionUnmatched, what.to_string(), "matches nothing that this run saw");
            }
        }
        self.tell_expired(findings);
    }

    /// Says which decisions count no more.
    pub fn tell_expired(&self, findings: &mut Findings) {
        for Entry { decision, .. } in self.entries.iter().filter(|entry| entry.is_expired) {
            let until = decision.until.map(|until| until.to_string()).unwrap_or_default();
            findings.add(Code::DecisionExpired, decision.what.to_string(), format!("counted until {until} and counts no more"));
        }
    }
}

fn has_subject(edge: &Edge, is_subject: impl Fn(&str) -> bool) -> bool {
    [&edge.originator, &edge.responder].into_iter().any(|party| match party {
        Party::Workload(workload) => is_subject(&workload.namespace),
        _ => false,
    })
}

fn contradiction(one: &Decision, other: &Decision, over: String) -> DecisionError {
    let (first, second) = if one.line <= other.line { (one, other) } else { (other, one) };
    DecisionError::Contradiction {
        first: Box::new(first.what.clone()),
        first_line: first.line,
        second: Box::new(second.what.clone()),
        second_line: second.line,
        over,
    }
}
