//! Many workloads in few words: whole namespaces, all but some.
//!
//! In: workloads, or parts of them. Out: [`Parties`], which say the same and are short wherever a set is a namespace or the cluster
//! but for a few.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::groups::GroupId;
use super::proof::observed::{ActorId, Actors};
use crate::model::WorkloadName;

/// The most exceptions that are named; where more are missing, those that are there are named.
const EXCEPT: usize = 8;
/// The most members that are spelled out in a line.
const SHOWN: usize = 12;

/// A set of workloads.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Parties {
    /// Its members, none twice.
    pub members: Vec<Member>,
    /// How many workloads it holds, in whole or in part.
    pub workloads: u64,
}

/// A part of [`Parties`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Member {
    /// Every workload on the pod network, but these.
    Everyone {
        /// Those that are not meant.
        except: Vec<WorkloadName>,
    },
    /// Every workload of a namespace, but these.
    Namespace {
        /// The namespace.
        name: String,
        /// Those that are not meant.
        except: Vec<WorkloadName>,
    },
    /// A workload.
    Workload(WorkloadName),
    /// Some pods of a workload, which differ from its others in what selectors look at.
    Some {
        /// The workload.
        workload: WorkloadName,
        /// How many of its pods.
        pods: usize,
        /// Out of how many.
        of: usize,
    },
}

/// What is left of `all` where few are missing of many.
fn except<'n>(all: &BTreeSet<&'n WorkloadName>, own: &BTreeSet<&'n WorkloadName>) -> Option<Vec<WorkloadName>> {
    let missing = all.len() - own.len();
    let is_short = own.len() > 1 && missing <= EXCEPT && missing * 3 <= own.len();
    is_short.then(|| all.difference(own).map(|&name| name.clone()).collect())
}

/// Puts sets of workloads into few words.
pub(super) struct Namer<'a> {
    actors: &'a Actors<'a>,
    all: BTreeSet<&'a WorkloadName>,
    by_namespace: BTreeMap<&'a str, BTreeSet<&'a WorkloadName>>,
}

impl<'a> Namer<'a> {
    pub(super) fn new(actors: &'a Actors<'a>) -> Self {
        let own = actors.workloads().iter().filter(|actor| !actor.groups.is_empty()).map(|actor| actor.name);
        let all: BTreeSet<&WorkloadName> = own.collect();
        let mut by_namespace: BTreeMap<&str, BTreeSet<&WorkloadName>> = BTreeMap::new();
        for name in &all {
            by_namespace.entry(&name.namespace).or_default().insert(name);
        }
        Self { actors, all, by_namespace }
    }

    /// Whole workloads.
    pub(super) fn of_actors(&self, actors: &BTreeSet<ActorId>) -> Parties {
        self.parties(actors.iter().map(|&id| self.actors.workloads()[id].name).collect(), Vec::new())
    }

    /// The workloads of groups; in part where not all of their groups are there.
    pub(super) fn of_groups(&self, groups: &[GroupId]) -> Parties {
        let mut found: BTreeMap<ActorId, Vec<GroupId>> = BTreeMap::new();
        for &group in groups {
            for actor in self.actors.of_group(group) {
                found.entry(actor).or_default().push(group);
            }
        }
        let (mut whole, mut some) = (BTreeSet::new(), Vec::new());
        for (id, groups) in found {
            let actor = &self.actors.workloads()[id];
            if groups.len() == actor.groups.len() {
                whole.insert(actor.name);
            } else {
                let pods = groups.iter().filter_map(|group| actor.groups.get(group)).map(Vec::len).sum();
                let of = actor.groups.values().map(Vec::len).sum();
                some.push(Member::Some { workload: actor.name.clone(), pods, of });
            }
        }
        self.parties(whole, some)
    }

    fn parties(&self, whole: BTreeSet<&'a WorkloadName>, some: Vec<Member>) -> Parties {
        let workloads = u64::try_from(whole.len() + some.len()).unwrap_or(u64::MAX);
        if let Some(except) = except(&self.all, &whole).filter(|_| some.is_empty() && self.by_namespace.len() > 1) {
            return Parties { members: vec![Member::Everyone { except }], workloads };
        }
        let mut by_namespace: BTreeMap<&str, BTreeSet<&WorkloadName>> = BTreeMap::new();
        for name in whole {
            by_namespace.entry(&name.namespace).or_default().insert(name);
        }
        let mut members = Vec::new();
        for (namespace, own) in by_namespace {
            match except(&self.by_namespace[namespace], &own) {
                Some(except) => members.push(Member::Namespace { name: namespace.to_owned(), except }),
                None => members.extend(own.into_iter().cloned().map(Member::Workload)),
            }
        }
        members.extend(some);
        Parties { members, workloads }
    }
}

fn but(except: &[WorkloadName]) -> String {
    let names: Vec<String> = except.iter().map(ToString::to_string).collect();
    if names.is_empty() { String::new() } else { format!(" but {}", names.join(" and ")) }
}

impl fmt::Display for Member {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everyone { except } => write!(formatter, "every workload{}", but(except)),
            Self::Namespace { name, except } => write!(formatter, "every workload of {name}{}", but(except)),
            Self::Workload(name) => name.fmt(formatter),
            Self::Some { workload, pods, of } => write!(formatter, "{workload} ({pods} of {of} pods)"),
        }
    }
}

/// `prod/web, every workload of dev but dev/db`.
impl fmt::Display for Parties {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: Vec<String> = self.members.iter().take(SHOWN).map(ToString::to_string).collect();
        formatter.write_str(&shown.join(", "))?;
        if self.members.len() > SHOWN { write!(formatter, " and {} more", self.members.len() - SHOWN) } else { Ok(()) }
    }
}
