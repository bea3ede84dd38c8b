//! Attempts that came to nothing, bounded in number; a scan is one thing to tell, not thousands.
//!
//! What is kept does not depend on the order in which attempts come.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Code, Edge, Findings, Outcome, Protocol};

/// What was tried.
pub(super) struct Attempt {
    /// Who tried, as findings call it.
    pub(super) from: String,
    /// Whom, as findings call it.
    pub(super) to: String,
    pub(super) protocol: Protocol,
    pub(super) port: u16,
    pub(super) outcome: Outcome,
    /// The edges that it would have been.
    pub(super) edges: BTreeSet<Edge>,
}

/// Attempts by who tried and whom.
#[derive(Debug, Default)]
pub(super) struct Failures {
    pairs: BTreeMap<(String, String), Tries>,
    /// Of pairs that found no room.
    beyond: BTreeMap<Code, u64>,
}

type Port = (Code, Protocol, u16);

/// What one tried at another.
#[derive(Debug)]
enum Tries {
    /// How often, by port, and the edges it would have been.
    Apart(BTreeMap<Port, (u64, BTreeSet<Edge>)>),
    /// So many ports that they tell nothing any more.
    Scan { attempts: u64 },
}

impl Failures {
    /// Pairs kept apart.
    const PAIRS: usize = 20_000;
    /// No program waits for so many ports of one other: it looks for open ones.
    const MANY_PORTS: usize = 64;
    /// No program fails with so many others: it looks for one that answers, or its address is forged.
    const MANY_OTHERS: usize = 256;

    pub(super) fn add(&mut self, attempt: Attempt) {
        let Attempt { from, to, protocol, port, outcome, edges } = attempt;
        let code = if outcome == Outcome::Refused { Code::RefusedConnection } else { Code::UnansweredConnection };
        let tries = self.pairs.entry((from, to)).or_insert_with(|| Tries::Apart(BTreeMap::new()));
        match tries {
            Tries::Scan { attempts } => *attempts += 1,
            Tries::Apart(ports) => {
                let (count, known) = ports.entry((code, protocol, port)).or_default();
                *count += 1;
                known.extend(edges);
                if ports.len() > Self::MANY_PORTS {
                    *tries = Tries::Scan { attempts: ports.values().map(|(count, _)| count).sum() };
                }
            }
        }
        if self.pairs.len() > Self::PAIRS
            && let Some((_, tries)) = self.pairs.pop_last()
        {
            match tries {
                Tries::Scan { attempts } => *self.beyond.entry(Code::Flood).or_default() += attempts,
                Tries::Apart(ports) => {
                    for ((code, ..), (count, _)) in ports {
                        *self.beyond.entry(code).or_default() += count;
                    }
                }
            }
        }
    }

    /// What is to be said of them. An attempt that `worked` at other times needs no mention: a rule allows it.
    pub(super) fn findings(self, worked: impl Fn(&Edge) -> bool) -> Findings {
        let mut findings = Findings::default();
        let from = Self::many(self.pairs.keys().map(|(from, _)| from.clone()));
        let to = Self::many(self.pairs.keys().map(|(_, to)| to.clone()));
        for ((one, other), tries) in self.pairs {
            match tries {
                Tries::Scan { attempts } => {
                    findings.add_many(Code::Flood, format!("{one} -> {other}"), "tried very many ports, in vain", attempts);
                }
                Tries::Apart(ports) => {
                    for ((code, protocol, port), (count, edges)) in ports {
                        if !edges.is_empty() && edges.iter().all(&worked) {
                            continue;
                        }
                        let message = if code == Code::RefusedConnection { "was refused" } else { "was not answered" };
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

    fn attempt(from: &str, to: &str, port: u16, outcome: Outcome) -> Attempt {
        Attempt { from: from.into(), to: to.into(), protocol: Protocol::Tcp, port, outcome, edges: BTreeSet::new() }
    }

    fn told(attempts: impl Iterator<Item = Attempt>) -> Vec<(&'static str, String, u64)> {
        let mut failures = Failures::default();
        attempts.for_each(|attempt| failures.add(attempt));
        let findings = failures.findings(|_| false);
        findings.sorted().into_iter().map(|finding| (finding.code.name(), finding.subject, finding.count)).collect()
    }

    #[test]
    fn a_scan_is_one_finding_and_a_failing_program_is_told_by_port() {
        let scan = (1..=5000).map(|port| attempt("10.9.9.9", "prod/db", port, Outcome::Refused));
        let program = (0..3).map(|_| attempt("prod/web", "prod/db", 5432, Outcome::Unanswered));
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
        let sweep = (0..1000).map(|number| attempt("10.9.9.9", &format!("10.0.{number}"), 22, Outcome::Unanswered));
        assert_eq!(told(sweep), [("flood", "10.9.9.9 -> many others".to_owned(), 1000)]);
        let flood = (0..1000).map(|number| attempt(&format!("203.0.{number}"), "prod/web", 80, Outcome::Unanswered));
        assert_eq!(told(flood), [("flood", "many others -> prod/web".to_owned(), 1000)]);
    }

    #[test]
    fn whatever_comes_first_the_same_is_kept() {
        let attempts =
            || (0..25_000u32).map(|number| attempt(&format!("{number:06}"), &format!("{number}"), 80, Outcome::Refused));
        let mut backward: Vec<Attempt> = attempts().collect();
        backward.reverse();
        let forward = told(attempts());
        assert_eq!(forward, told(backward.into_iter()));
        assert_eq!(forward.iter().map(|(.., count)| count).sum::<u64>(), 25_000, "all are counted");
    }
}
