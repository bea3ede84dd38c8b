//! Where a missing rule belongs, and what it would be: as the tool itself would write it.

use std::collections::BTreeMap;

use crate::edge::{Observation, Public};
use crate::inventory::Inventory;
use crate::model::{Edge, Evidence, Explained, Findings, Party, Rules};
use crate::output::answer::Remedy;
use crate::policy::{self, PolicyOptions};
use crate::verify::{Direction, Nearest, PolicyName};

use super::policy_set::Policies;

/// The policies that would be learned from these edges alone.
pub(super) struct Learned {
    policies: Vec<Explained>,
    pub(super) findings: Findings,
}

impl Learned {
    /// As `learn` makes them.
    pub(super) fn from(edges: BTreeMap<Edge, Evidence>, public: Public, inventory: &Inventory) -> Self {
        let parties = edges.keys().flat_map(|edge| [&edge.originator, &edge.responder]);
        let namespaces = parties.filter_map(|party| match party {
            Party::Workload(workload) => Some(workload.namespace.clone()),
            _ => None,
        });
        let options = PolicyOptions { namespaces: Some(namespaces.collect()), public, ..PolicyOptions::default() };
        let observation = Observation { edges, ..Observation::default() };
        let set = policy::make(&observation, inventory, &options);
        Self { policies: set.policies, findings: set.findings }
    }

    /// The policy for one side of an edge; nothing where none can say it.
    pub(super) fn side(&self, edge: &Edge, side: Direction) -> Option<&Explained> {
        let party = if side == Direction::Egress { &edge.originator } else { &edge.responder };
        let Party::Workload(subject) = party else { return None };
        self.policies.iter().find(|explained| {
            let is_of_side = match explained.policy.rules {
                Rules::DenyAll => false,
                Rules::Ingress(_) => side == Direction::Ingress,
                Rules::Egress(_) => side == Direction::Egress,
            };
            is_of_side
                && explained.policy.namespace == subject.namespace
                && explained.policy.subject.as_ref().is_none_or(|own| *own == **subject)
                && explained.grounds.values().any(|grounds| grounds.contains_key(edge))
        })
    }
}

/// Where the rule of `made` belongs: into a policy that means the peer already, into the one of its own name, into the nearest one
/// of the same purpose, or into a new one.
pub(super) fn remedy(made: &Explained, nearest: &[Nearest], given: &Policies) -> Remedy {
    let policy = PolicyName { namespace: made.policy.namespace.clone(), name: made.policy.name.clone() };
    // What a person wrote has no class; a policy of this tool is for one purpose.
    let fits = |nearest: &&Nearest| given.class(&nearest.policy).is_none_or(|class| class == made.policy.class.name());
    let mut fitting = nearest.iter().filter(fits);
    let meaning = fitting.clone().find(|nearest| nearest.rule.is_some());
    if let Some(Nearest { policy, rule }) = meaning {
        return Remedy { policy: policy.clone(), is_new: false, rule: rule.clone(), withheld: None };
    }
    if given.objects.contains_key(&policy) {
        return Remedy { policy, is_new: false, rule: None, withheld: None };
    }
    match fitting.next() {
        Some(nearest) => Remedy { policy: nearest.policy.clone(), is_new: false, rule: None, withheld: None },
        None => Remedy { policy, is_new: true, rule: None, withheld: None },
    }
}
