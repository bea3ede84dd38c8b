//! Many workloads in few words: whole namespaces, all but some.
//!
//! In: workloads, or parts of them. Out: [`Parties`], which say the same and are short wherever a set is a namespace or the cluster
//! but for a few.

use std::collections::BTreeMap;
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

/// Puts sets of workloads into few words.
pub(super) struct Namer<'a> {
    actors: &'a Actors<'a>,
    /// Those on the pod network, in order; so those of a namespace stand together.
    all: Vec<ActorId>,
    by_namespace: BTreeMap<&'a str, Vec<ActorId>>,
}

impl<'a> Namer<'a> {
    pub(super) fn new(actors: &'a Actors<'a>) -> Self {
        let known = (0..).zip(actors.workloads()).filter(|(_, actor)| !actor.groups.is_empty());
        let mut namer = Self { actors, all: Vec::new(), by_namespace: BTreeMap::new() };
        for (id, actor) in known {
            namer.all.push(id);
            namer.by_namespace.entry(&actor.name.namespace).or_default().push(id);
        }
        namer
    }

    /// What is left of `all` where few are missing of many. Both are in order.
    fn except(&self, all: &[ActorId], own: &[ActorId]) -> Option<Vec<WorkloadName>> {
        let missing = all.len() - own.len();
        let is_short = own.len() > 1 && missing <= EXCEPT && missing * 3 <= own.len();
        let left = all.iter().filter(|id| own.binary_search(id).is_err());
        is_short.then(|| left.map(|&id| self.actors.workloads()[id].name.clone()).collect())
    }

    /// Whole workloads, in order.
    pub(super) fn of_actors(&self, actors: &[ActorId]) -> Parties {
        self.parties(actors, Vec::new())
    }

    /// The workloads of groups; in part where not all of their groups are there.
    pub(super) fn of_groups(&self, groups: &[GroupId]) -> Parties {
        let mut found: Vec<(ActorId, GroupId)> =
            groups.iter().flat_map(|&group| self.actors.of_group(group).map(move |actor| (actor, group))).collect();
        found.sort_unstable();
        let (mut whole, mut some) = (Vec::new(), Vec::new());
        for own in found.chunk_by(|one, other| one.0 == other.0) {
            let id = own[0].0;
            let actor = &self.actors.workloads()[id];
            if own.len() == actor.groups.len() {
                whole.push(id);
            } else {
                let pods = own.iter().filter_map(|(_, group)| actor.groups.get(group)).map(Vec::len).sum();
                let of = actor.groups.values().map(Vec::len).sum();
                some.push(Member::Some { workload: actor.name.clone(), pods, of });
            }
        }
        self.parties(&whole, some)
    }

    fn parties(&self, whole: &[ActorId], some: Vec<Member>) -> Parties {
        let workloads = u64::try_from(whole.len() + some.len()).unwrap_or(u64::MAX);
        if some.is_empty()
            && self.by_namespace.len() > 1
            && let Some(except) = self.except(&self.all, whole)
        {
            return Parties { members: vec![Member::Everyone { except }], workloads };
        }
        let name = |id: ActorId| self.actors.workloads()[id].name;
        let mut members = Vec::new();
        for own in whole.chunk_by(|&one, &other| name(one).namespace == name(other).namespace) {
            let namespace = &name(own[0]).namespace;
            let all = self.by_namespace.get(namespace.as_str()).map(Vec::as_slice).unwrap_or_default();
            match self.except(all, own) {
                Some(except) => members.push(Member::Namespace { name: namespace.clone(), except }),
                None => members.extend(own.iter().map(|&id| Member::Workload(name(id).clone()))),
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
