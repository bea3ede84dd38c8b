//! Attempts that came to nothing, bounded in number; a scan is one thing to tell, not thousands.
//!
//! What is kept does not depend on the order in which attempts come.

use std::collections::{BTreeMap, BTreeSet};

use crate::inventory::Inventory;
use crate::model::{Code, Edge, Findings, Flow, Outcome, Protocol, Timestamp};

use super::classes::FlowClass;
use super::link::{Link, Side};

/// Why a conversation came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Failure {
    /// Nobody answered.
    Unanswered,
    /// It was refused.
    Refused,
    /// It was accepted, and whoever opened it never acknowledged that,
    HalfOpen,
    /// or even reset it.
    Disowned,
    /// It is no attempt: packets of one side, of a connection whose other side goes another way, or of one that is not there.
    OneSided,
}

impl Failure {
    /// Why this one did, which was not answered.
    pub(super) fn of(flow: &Flow) -> Self {
        match flow.outcome {
            Outcome::Refused => Self::Refused,
            Outcome::HalfOpen { was_reset: false } => Self::HalfOpen,
            Outcome::HalfOpen { was_reset: true } => Self::Disowned,
            Outcome::OneSided(_) => Self::OneSided,
            _ => Self::Unanswered,
        }
    }

    /// The class of such a conversation.
    pub(super) const fn class(self) -> FlowClass {
        match self {
            Self::Unanswered => FlowClass::Unanswered,
            Self::Refused => FlowClass::Refused,
            Self::HalfOpen | Self::Disowned => FlowClass::HalfOpen,
            Self::OneSided => FlowClass::OneSided,
        }
    }

    const fn code(self) -> Code {
        match self {
            Self::Unanswered => Code::UnansweredConnection,
            Self::Refused => Code::RefusedConnection,
            Self::HalfOpen | Self::Disowned => Code::HalfOpenConnection,
            Self::OneSided => Code::OneSidedConnection,
        }
    }

    /// What a finding says of it.
    const fn message(self) -> &'static str {
        match self {
            Self::Unanswered => "was not answered",
            Self::Refused => "was refused",
            Self::HalfOpen => "was accepted, and the caller did not acknowledge that while the capture went on",
            Self::Disowned => "was accepted, and the caller reset it: a scan, a half-open probe, or somebody else's packets",
            Self::OneSided => "was seen from one side only",
        }
    }

    /// Whether somebody tried to reach somebody, for all that was seen, and did not.
    pub(super) const fn is_attempt(self) -> bool {
        matches!(self, Self::Unanswered | Self::Refused)
    }
}

/// Attempts that failed, all of one finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedAttempts {
    /// The code of the finding.
    pub code: Code,
    /// The subject of the finding.
    pub subject: String,
    /// How many attempts there were.
    pub attempts: u64,
    /// In which class they are counted, and how many of them are.
    pub counted: (FlowClass, u64),
    /// The edges that they would have been; several where a Service was called.
    pub edges: BTreeSet<Edge>,
}

/// What was tried.
pub(super) struct Attempt {
    pub(super) count: u64,
    /// Conversations that are counted with it.
    pub(super) own: u64,
    /// When first.
    pub(super) since: Timestamp,
    /// Who tried, as findings call it.
    pub(super) from: String,
    /// Who may have been looking around, if it can be a party of an edge.
    pub(super) originator: Option<Side>,
    /// Whom, as findings call it.
    pub(super) to: String,
    pub(super) protocol: Protocol,
    pub(super) port: u16,
    pub(super) failure: Failure,
    /// The edges that it would have been.
    pub(super) links: Vec<Link>,
}

/// What one party tried in vain, and never with success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailedTargets {
    /// At how many different responders and ports; where those were too many to be kept apart, a lower bound.
    pub targets: u64,
    /// When it first did.
    pub since: Timestamp,
}

impl FailedTargets {
    /// Takes over what else it tried.
    pub(super) fn merge(&mut self, other: Self) {
        self.targets = self.targets.saturating_add(other.targets);
        self.since = self.since.min(other.since);
    }
}

/// Attempts by who tried and whom.
#[derive(Debug, Default)]
pub(super) struct Failures {
    pairs: BTreeMap<(String, String), Pair>,
    /// Of pairs that found no room.
    beyond: BTreeMap<Code, u64>,
}

type Port = (Failure, Protocol, u16);

/// One and another.
#[derive(Debug)]
struct Pair {
    originator: Option<Side>,
    tries: Tries,
}

/// What was tried at one port.
#[derive(Debug)]
struct AtPort {
    count: u64,
    own: u64,
    since: Timestamp,
    /// The edges it would have been.
    links: BTreeSet<Link>,
}

/// What one tried at another.
#[derive(Debug)]
enum Tries {
    /// By port.
    Apart(BTreeMap<Port, AtPort>),
    /// So many ports that they tell nothing any more.
    Scan { attempts: u64, since: Timestamp },
}

impl Failures {
    /// Pairs kept apart.
    const PAIRS: usize = 20_000;
    /// No program waits for so many ports of one other: it looks for open ones.
    const MANY_PORTS: usize = 64;
    /// No program fails with so many others: it looks for one that answers, or its address is forged.
    const MANY_OTHERS: usize = 256;

    pub(super) fn add(&mut self, attempt: Attempt) {
        let Attempt { count, own, since, from, originator, to, protocol, port, failure, links } = attempt;
        let new = || Pair { originator: None, tries: Tries::Apart(BTreeMap::new()) };
        let Pair { originator: known, tries } = self.pairs.entry((from, to)).or_insert_with(new);
        // Two workloads may be called alike.
        *known = known.take().into_iter().chain(originator).min();
        match tries {
            Tries::Scan { attempts, since: known } => {
                *attempts += count;
                *known = since.min(*known);
            }
            Tries::Apart(ports) => {
                let new = || AtPort { count: 0, own: 0, since, links: BTreeSet::new() };
                let known = ports.entry((failure, protocol, port)).or_insert_with(new);
                known.count += count;
                known.own += own;
                known.since = since.min(known.since);
                known.links.extend(links);
                if ports.len() > Self::MANY_PORTS {
                    let attempts = ports.values().map(|port| port.count).sum();
                    let since = ports.values().map(|port| port.since).min().unwrap_or(since);
                    *tries = Tries::Scan { attempts, since };
                }
            }
        }
        if self.pairs.len() > Self::PAIRS
            && let Some((_, Pair { tries, .. })) = self.pairs.pop_last()
        {
            match tries {
                Tries::Scan { attempts, .. } => *self.beyond.entry(Code::Flood).or_default() += attempts,
                Tries::Apart(ports) => {
                    for ((failure, ..), AtPort { count, .. }) in ports {
                        *self.beyond.entry(failure.code()).or_default() += count;
                    }
                }
            }
        }
    }

    /// Who tried what in vain. What `worked` at other times does not count.
    pub(super) fn failed_attempts(&self, worked: impl Fn(Link) -> bool) -> BTreeMap<Side, FailedTargets> {
        let mut failed_attempts: BTreeMap<Side, FailedTargets> = BTreeMap::new();
        for Pair { originator, tries } in self.pairs.values() {
            let Some(originator) = *originator else { continue };
            let found = match tries {
                Tries::Scan { since, .. } => vec![FailedTargets { targets: Self::MANY_PORTS as u64 + 1, since: *since }],
                Tries::Apart(ports) => {
                    let attempts = ports.iter().filter(|((failure, ..), _)| failure.is_attempt()).map(|(_, port)| port);
                    let failed = attempts.filter(|port| port.links.is_empty() || !port.links.iter().copied().all(&worked));
                    failed.map(|port| FailedTargets { targets: 1, since: port.since }).collect()
                }
            };
            for vain in found {
                failed_attempts.entry(originator).and_modify(|known| known.merge(vain)).or_insert(vain);
            }
        }
        failed_attempts
    }

    /// The attempts that never `worked` and were no scan, each with the finding that [`Failures::findings`] makes of it.
    pub(super) fn attempts(&self, inventory: &Inventory, worked: impl Fn(Link) -> bool) -> Vec<FailedAttempts> {
        let mut attempts = Vec::new();
        for ((one, other), Pair { tries, .. }) in &self.pairs {
            let Tries::Apart(ports) = tries else { continue };
            for ((failure, protocol, port), at_port) in ports {
                let AtPort { count, own, links, .. } = at_port;
                if !failure.is_attempt() || links.is_empty() || links.iter().copied().all(&worked) {
                    continue;
                }
                attempts.push(FailedAttempts {
                    code: failure.code(),
                    subject: format!("{one} -> {other} {protocol} {port}"),
                    attempts: *count,
                    counted: (failure.class(), *own),
                    edges: links.iter().map(|link| link.edge(inventory)).collect(),
                });
            }
        }
        attempts
    }

    /// What is to be said of them. An attempt that `worked` at other times needs no mention: a rule allows it.
    pub(super) fn findings(self, worked: impl Fn(Link) -> bool) -> Findings {
        let mut findings = Findings::default();
        let from = Self::many(self.pairs.keys().map(|(from, _)| from.clone()));
        let to = Self::many(self.pairs.keys().map(|(_, to)| to.clone()));
        for ((one, other), Pair { tries, .. }) in self.pairs {
            match tries {
                Tries::Scan { attempts, .. } => {
                    findings.add_many(Code::Flood, format!("{one} -> {other}"), "tried very many ports, in vain", attempts);
                }
                Tries::Apart(ports) => {
                    for ((failure, protocol, port), AtPort { count, links, .. }) in ports {
                        if !links.is_empty() && links.into_iter().all(&worked) {
                            continue;
                        }
                        let code = failure.code();
                        let message = failure.message();
                        if from.contains(&one) {
                            findings.add_many(Code::Flood, format!("{one} -> many others"), "tried in vain", count);
                        } else if to.contains(&other) {
                            findings.add_many(Code::Flood, format!("many others -> {other}"), "tried in vain", count);
                        } else {
                            findings.add_many(code, format!("{one} -> {other} {protocol} {port}"), message, count);
                        }
                    }
                }
            }
        }
        for (code, count) in self.beyond {
            let message = format!("in number, beyond those of the first {} pairs", Self::PAIRS);
            findings.add_many(code, "further attempts", message, count);
        }
        findings
    }

    /// Those that are there very often.
    fn many(names: impl Iterator<Item = String>) -> BTreeSet<String> {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for name in names {
            *counts.entry(name).or_default() += 1;
        }
        counts.into_iter().filter(|(_, count)| *count > Self::MANY_OTHERS).map(|(name, _)| name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(from: &str, to: &str, port: u16, failure: Failure) -> Attempt {
        Attempt {
            count: 1,
            own: 1,
            since: Timestamp(i64::from(port)),
            from: from.into(),
            originator: from.parse().ok().map(Side::Outside),
            to: to.into(),
            protocol: Protocol::Tcp,
            port,
            failure,
            links: Vec::new(),
        }
    }

    fn told(attempts: impl Iterator<Item = Attempt>) -> Vec<(&'static str, String, u64)> {
        let mut failures = Failures::default();
        attempts.for_each(|attempt| failures.add(attempt));
        let findings = failures.findings(|_| false);
        findings.sorted().into_iter().map(|finding| (finding.code.name(), finding.subject, finding.count)).collect()
    }

    #[test]
    fn a_scan_is_one_finding_and_a_failing_program_is_told_by_port() {
        let scan = (1..=5000).map(|port| attempt("10.9.9.9", "prod/db", port, Failure::Refused));
        let program = (0..3).map(|_| attempt("prod/web", "prod/db", 5432, Failure::Unanswered));
        assert_eq!(
            told(scan.chain(program)),
            [
                ("unanswered-connection", "prod/web -> prod/db TCP 5432".to_owned(), 3),
                ("flood", "10.9.9.9 -> prod/db".to_owned(), 5000)
            ]
        );
    }

    #[test]
    fn who_tries_many_others_and_who_is_tried_by_many_is_one_finding() {
        let sweep = (0..1000).map(|number| attempt("10.9.9.9", &format!("10.0.{number}"), 22, Failure::Unanswered));
        assert_eq!(told(sweep), [("flood", "10.9.9.9 -> many others".to_owned(), 1000)]);
        let flood = (0..1000).map(|number| attempt(&format!("203.0.{number}"), "prod/web", 80, Failure::Unanswered));
        assert_eq!(told(flood), [("flood", "many others -> prod/web".to_owned(), 1000)]);
    }

    #[test]
    fn who_tried_what_in_vain_is_counted_by_target() {
        let mut failures = Failures::default();
        for port in [443, 22, 22, 80] {
            failures.add(attempt("10.9.9.9", "prod/db", port, Failure::Refused));
        }
        failures.add(attempt("10.9.9.9", "prod/web", 22, Failure::Unanswered));
        (1..=5000).for_each(|port| failures.add(attempt("10.9.9.8", "prod/db", port, Failure::Refused)));
        failures.add(attempt("its own node", "prod/db", 80, Failure::Refused));
        let failed_attempts = failures.failed_attempts(|_| false);
        let vain = |address: &str| failed_attempts.get(&Side::Outside(address.parse().unwrap())).copied();
        assert_eq!(vain("10.9.9.9"), Some(FailedTargets { targets: 4, since: Timestamp(22) }), "a retry is no target more");
        assert_eq!(vain("10.9.9.8"), Some(FailedTargets { targets: 65, since: Timestamp(1) }), "at least so many");
        assert_eq!(failed_attempts.len(), 2, "who can be no party of an edge is left out");
    }

    #[test]
    fn whatever_comes_first_the_same_is_kept() {
        let attempts =
            || (0..25_000u32).map(|number| attempt(&format!("{number:06}"), &format!("{number}"), 80, Failure::Refused));
        let mut backward: Vec<Attempt> = attempts().collect();
        backward.reverse();
        let forward = told(attempts());
        assert_eq!(forward, told(backward.into_iter()));
        assert_eq!(forward.iter().map(|(.., count)| count).sum::<u64>(), 25_000, "all are counted");
    }
}
