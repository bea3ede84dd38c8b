//! What reviewers decided about policies: their names, and notes where a decision shaped what they say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::decision::{Decision, DecisionError, Decisions, Rejected};
use crate::model::{Class, Explained, Party, Policy, PolicyPort, Rules, WorkloadName};

use super::set::PolicySet;

impl PolicySet {
    /// Gives policies the names that were decided, and notes what was accepted and rejected.
    ///
    /// # Errors
    /// A name that another policy of the namespace has.
    pub fn obey(&mut self, decisions: &mut Decisions, rejected: &Rejected) -> Result<(), DecisionError> {
        self.rename(decisions)?;
        let denied = denied(rejected);
        for explained in &mut self.policies {
            let accepted: BTreeSet<String> = explained
                .grounds
                .values()
                .flatten()
                .filter_map(|(edge, evidence)| decisions.accepts(edge, evidence))
                .map(|decision| format!("By decision: {} ({})", decision.what, decision.reason))
                .collect();
            explained.notes.extend(accepted);
            let Some((subject, is_egress)) = side(&explained.policy) else { continue };
            let mut rejections: BTreeSet<Arc<Decision>> = BTreeSet::new();
            rejections.extend(denied.get(&(subject, is_egress)).into_iter().flatten().copied().cloned());
            if explained.policy.class == Class::Internet {
                let name = format!("{}/{}", explained.policy.namespace, explained.policy.name);
                let ports: BTreeSet<PolicyPort> =
                    explained.policy.rules.allowing().flat_map(|rule| rule.ports.iter().copied()).collect();
                for port in ports {
                    rejections.extend(decisions.shut_out(subject, (port.protocol(), port.first()), &name));
                }
            }
            let note = |decision: &Arc<Decision>| format!("By decision: {} ({})", decision.what, decision.reason);
            explained.notes.extend(rejections.iter().map(note));
        }
        Ok(())
    }

    fn rename(&mut self, decisions: &mut Decisions) -> Result<(), DecisionError> {
        let mut named: BTreeMap<Name, Named> = BTreeMap::new();
        let mut renamed: BTreeMap<Name, String> = BTreeMap::new();
        for Explained { policy, notes, .. } in &mut self.policies {
            let generated = policy.name.clone();
            let mut decision = None;
            if let Some((name, renaming)) = decisions.rename(&policy.namespace, &generated) {
                notes.push(format!("By decision: named so instead of {generated} ({})", renaming.reason));
                renamed.insert((policy.namespace.clone(), generated.clone()), name.clone());
                policy.name = name;
                decision = Some(renaming);
            }
            let own = Named { generated: generated.clone(), decision: decision.clone() };
            let Some(other) = named.insert((policy.namespace.clone(), policy.name.clone()), own) else { continue };
            // The tool's own names are unique: at least one of the two was given its name.
            let (decision, other) = match (decision, other.decision) {
                (Some(decision), _) => (decision, other.generated),
                (None, Some(decision)) => (decision, generated),
                (None, None) => continue,
            };
            let (line, what) = (decision.line, Box::new(decision.what.clone()));
            return Err(DecisionError::NameTaken { line, what, other: format!("{}/{other}", policy.namespace) });
        }
        self.policies.sort_by(|one, other| one.policy.cmp(&other.policy));
        let widenings = std::mem::take(&mut self.widenings).into_iter().map(|mut widening| {
            if let Some(name) = renamed.get(&(widening.namespace.clone(), widening.name.clone())) {
                widening.name.clone_from(name);
            }
            widening
        });
        self.widenings = widenings.collect();
        Ok(())
    }
}

/// A policy's namespace and name.
type Name = (String, String);

/// How a policy came to its name.
struct Named {
    /// The name that the tool gave it.
    generated: String,
    /// By which it has another.
    decision: Option<Arc<Decision>>,
}

/// The decisions that took something from a workload's rules, by workload and whether it is egress.
fn denied(rejected: &Rejected) -> BTreeMap<(&WorkloadName, bool), BTreeSet<&Arc<Decision>>> {
    let mut denied: BTreeMap<(&WorkloadName, bool), BTreeSet<&Arc<Decision>>> = BTreeMap::new();
    for (edge, rejection) in rejected.edges() {
        for (party, is_egress) in [(&edge.originator, true), (&edge.responder, false)] {
            if let Party::Workload(workload) = party {
                denied.entry((&**workload, is_egress)).or_default().insert(&rejection.decision);
            }
        }
    }
    denied
}

fn side(policy: &Policy) -> Option<(&WorkloadName, bool)> {
    let is_egress = match policy.rules {
        Rules::DenyAll => return None,
        Rules::Ingress(_) => false,
        Rules::Egress(_) => true,
    };
    Some((policy.subject.as_ref()?, is_egress))
}
