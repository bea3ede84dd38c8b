//! What reviewers decided about policies: their names, and notes where a decision shaped what they say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{Class, Explained, Party, Policy, PolicyPort, Rules, WorkloadName};
use crate::review::decisions::{Decision, DecisionError, Decisions, Rejected};

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
        for Explained { policy, notes, .. } in &mut self.policies {
            let generated = policy.name.clone();
            let mut decision = None;
            if let Some((name, renaming)) = decisions.rename(&policy.namespace, &generated) {
                notes.push(format!("By decision: named so instead of {generated} ({})", renaming.reason));
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

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use jiff::civil::date;
    use serde_json::json;

    use super::*;
    use crate::edge::Observation;
    use crate::inventory::{InventoryBuilder, InventoryOptions};
    use crate::model::{DirectionEvidence, Edge, Evidence, Protocol, Span, Timestamp, Widening, WorkloadKind};
    use crate::policy::{PolicyOptions, make};
    use crate::review::decisions::file;

    #[test]
    fn two_decisions_on_one_range_make_one_policy_with_both_reasons() {
        let mut builder = InventoryBuilder::new();
        builder.apply_value(
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "n", "name": "db", "labels": {"app": "db"}},
            "status": {"podIP": "10.244.1.9"}}),
        );
        let inventory = builder.build(&InventoryOptions::default());
        let workload = WorkloadName { namespace: "n".into(), name: "db".into(), kind: WorkloadKind("Pod".into()) };
        let edge = |address: [u8; 4], port: u16| Edge {
            originator: Party::Workload(workload.clone().into()),
            responder: Party::Outside(address.into()),
            protocol: Protocol::Tcp,
            port: NonZeroU16::new(port).expect("a port"),
        };
        let evidence = Evidence {
            connections: 1,
            span: Span::at(Timestamp(0)),
            direction: DirectionEvidence::Syn,
            weakest: DirectionEvidence::Syn,
            weak: 0,
            unchecked: 0,
            forwarded: 0,
            mid_stream: 0,
            one_way: 0,
            called: None,
        };
        let edges = [edge([192, 0, 2, 1], 80), edge([192, 0, 2, 1], 443), edge([192, 0, 2, 2], 443), edge([192, 0, 2, 9], 80)];
        let mut observation =
            Observation { edges: edges.into_iter().map(|edge| (edge, evidence.clone())).collect(), ..Observation::default() };
        let text = "{version: 1, widen: [
            {from: n/db, to: 192.0.2.0/30, port: TCP 443, bound: 4, reason: b},
            {from: n/db, to: 192.0.2.0/30, port: TCP 80, bound: 4, reason: a}]}";
        let mut decisions = Decisions::new(file::read(text).expect("reads"), date(2026, 1, 1)).expect("agree");
        let rejected = decisions.apply(&mut observation, &inventory, |_| true).expect("applies");
        let options = PolicyOptions { widenings: decisions.widenings(), ..PolicyOptions::default() };
        let mut set = make(&observation, &inventory, &options);
        set.obey(&mut decisions, &rejected).expect("obeys");
        let names: Vec<&str> = set.policies.iter().map(|explained| explained.policy.name.as_str()).collect();
        assert_eq!(names, ["default-deny-all", "allow-db-to-192-0-2-0-30", "allow-db-to-192-0-2-9"]);
        let notes = [
            "By decision: 192.0.2.0/30, which adds 3 addresses that were not seen (a)",
            "By decision: 192.0.2.0/30, which adds 2 addresses that were not seen (b)",
        ];
        assert_eq!(set.policies[1].notes, notes);
        let widened: Vec<String> = set
            .widenings
            .iter()
            .map(|Widening { blocks, ports, reason, .. }| {
                let blocks: Vec<String> = blocks.iter().map(|block| block.cidr.to_string()).collect();
                let ports: Vec<String> = ports.iter().map(ToString::to_string).collect();
                format!("{} on {}: {reason}", blocks.join(" "), ports.join(" "))
            })
            .collect();
        let expected = ["192.0.2.0/30 on TCP 80: widened by decision: a", "192.0.2.0/30 on TCP 443: widened by decision: b"];
        assert_eq!(widened, expected);
    }
}
