//! Leaves out what cannot be proved, so that the rest of a run stands.
//!
//! In: policies, what was observed. Out: the policies without the rules that break the promise, the proof of what is left, and what was
//! left out. Guarantees: what is left is proved; each edge that is denied then has a finding that names it. That anything is withheld is
//! a defect of this tool: the makers know what no rule can say, and say so themselves.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Code, Edge, Explained, Findings, NonEmpty, Rule, Rules};
use crate::policy::PolicySet;
use crate::verify::{self, ClusterView, Direction, PolicyError, PolicyName, Proof, RuleName};

use super::proof::{terms, unisolated, written};

/// What was left out.
#[derive(Clone, Debug, Default)]
pub(super) struct Withheld {
    /// Observed edges that the policies deny, with why.
    pub(super) edges: BTreeMap<Edge, BTreeSet<String>>,
    /// Whose rules were left out, with why: a workload, or a namespace.
    rules: BTreeSet<(String, String)>,
}

/// Policies of which everything is proved but what is left.
pub(super) struct Settled {
    pub(super) proof: Proof,
    pub(super) withheld: Withheld,
    /// What is allowed too much by rules of the set beside, as sentences: leaving out does not mend it.
    pub(super) left: Vec<String>,
}

impl Withheld {
    /// Takes over what was left out elsewhere.
    pub(super) fn merge(&mut self, other: Self) {
        for (edge, reasons) in other.edges {
            self.edges.entry(edge).or_default().extend(reasons);
        }
        self.rules.extend(other.rules);
    }

    /// All policies in quarantine are left out, for these reasons.
    pub(super) fn leave_quarantine(&mut self, reasons: &[String]) {
        for reason in reasons {
            let message = format!("all its policies are left out: {reason}");
            self.rules.insert(("the quarantine".to_owned(), message));
        }
    }

    /// What is to be said of it.
    pub(super) fn findings(&self) -> Findings {
        let mut findings = Findings::default();
        for (subject, message) in &self.rules {
            findings.add(Code::PolicyWithheld, subject, message);
        }
        for (edge, reasons) in &self.edges {
            let reasons: Vec<&str> = reasons.iter().map(String::as_str).collect();
            let message = format!("was seen and will be denied: {}", reasons.join("; "));
            findings.add(Code::PolicyWithheld, edge.to_string(), message);
        }
        findings
    }
}

/// Takes rules out of `made` until the proof holds: of its policies alone, or together with another set that is proved already, of
/// which `beside` says what was left out. Edges that are denied then are withheld.
pub(super) fn settle(
    made: &mut PolicySet,
    beside: Option<(&PolicySet, &Withheld)>,
    edges: &[&Edge],
    world: &ClusterView,
) -> Result<Settled, PolicyError> {
    let mut withheld = Withheld::default();
    loop {
        let other = beside.map(|(set, _)| set);
        let subjects = other.unwrap_or(made).namespaces.clone();
        let terms = terms(&subjects, [&*made].into_iter().chain(other));
        let manifests = written(made).chain(other.into_iter().flat_map(written));
        let proof = match verify::prove(manifests, world, edges.iter().copied(), &terms) {
            Ok(proof) => proof,
            Err(error) => {
                if !withheld.malformed(made, &error) {
                    return Err(error);
                }
                continue;
            }
        };
        if withheld.excess(made, &proof) | withheld.unisolated(made, &proof) {
            continue;
        }
        let is_known = |edge: &Edge| {
            let sets = [&*made].into_iter().chain(other);
            sets.into_iter().any(|set| set.inexpressible.contains(edge))
                || beside.is_some_and(|(_, withheld)| withheld.edges.contains_key(edge))
        };
        for denied in proof.denied.iter().filter(|denied| !is_known(&denied.edge)) {
            withheld.edges.entry(denied.edge.clone()).or_default().insert(format!("{} ({})", denied.why, denied.side));
        }
        let left = proof.excess.iter().map(ToString::to_string).chain(proof.unisolated.iter().map(unisolated)).collect();
        return Ok(Settled { proof, withheld, left });
    }
}

impl Withheld {
    /// Leaves out a policy that the API server would refuse; whether there was one.
    fn malformed(&mut self, made: &mut PolicySet, error: &PolicyError) -> bool {
        let is_meant = |explained: &Explained| name(explained) == error.policy;
        let found = made.policies.iter().position(is_meant);
        found.is_some_and(|position| {
            let explained = made.policies.remove(position);
            let message = format!("policy {} is left out: {}", explained.policy.name, error.fault);
            self.rules.insert((subject(&explained), message));
            true
        })
    }

    /// Leaves out the rules that allow more than was seen; whether there were any.
    fn excess(&mut self, made: &mut PolicySet, proof: &Proof) -> bool {
        let mut wrong: BTreeMap<&PolicyName, BTreeMap<usize, BTreeSet<String>>> = BTreeMap::new();
        for excess in &proof.excess {
            for RuleName { policy, index, .. } in &excess.by {
                let reasons = wrong.entry(policy).or_default().entry(*index).or_default();
                reasons.insert(excess.to_string());
            }
        }
        let mut is_any = false;
        let rules = &mut self.rules;
        made.policies.retain_mut(|explained| {
            let Some(wrong) = wrong.get(&name(explained)) else { return true };
            is_any = true;
            for reason in wrong.values().flatten() {
                let message =
                    format!("a rule of {} is left out, which allows more than was seen: {reason}", explained.policy.name);
                rules.insert((subject(explained), message));
            }
            let all: Vec<Rule> = explained.policy.rules.allowing().cloned().collect();
            let kept = (0..).zip(&all).filter(|(index, _)| !wrong.contains_key(index)).map(|(_, rule)| rule.clone());
            let Some(kept) = NonEmpty::new(kept) else { return false };
            explained.grounds.retain(|rule, _| kept.iter().any(|kept| kept == rule));
            explained.policy.rules = match &explained.policy.rules {
                Rules::DenyAll => Rules::DenyAll,
                Rules::Ingress(_) => Rules::Ingress(kept),
                Rules::Egress(_) => Rules::Egress(kept),
            };
            true
        });
        is_any
    }

    /// Leaves out all policies of a namespace in which pods are not isolated; whether there was one.
    fn unisolated(&mut self, made: &mut PolicySet, proof: &Proof) -> bool {
        let mut namespaces: BTreeMap<String, BTreeSet<Direction>> = BTreeMap::new();
        for (workload, direction) in &proof.unisolated {
            namespaces.entry(workload.namespace.clone()).or_default().insert(*direction);
        }
        namespaces.retain(|namespace, _| made.namespaces.remove(namespace));
        made.policies.retain(|explained| !namespaces.contains_key(&explained.policy.namespace));
        for (namespace, directions) in &namespaces {
            let directions: Vec<String> = directions.iter().map(ToString::to_string).collect();
            let message = format!("all policies of the namespace are left out: {} stays open", directions.join(" and "));
            self.rules.insert((namespace.clone(), message));
        }
        !namespaces.is_empty()
    }
}

fn name(explained: &Explained) -> PolicyName {
    PolicyName { namespace: explained.policy.namespace.clone(), name: explained.policy.name.clone() }
}

/// Whom the policy is for.
fn subject(explained: &Explained) -> String {
    explained.policy.subject.as_ref().map_or_else(|| explained.policy.namespace.clone(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use serde_json::json;

    use super::*;
    use crate::edge::Observation;
    use crate::inventory::{Inventory, InventoryBuilder, InventoryOptions};
    use crate::model::{DirectionEvidence, Evidence, Party, PolicyPort, Protocol, Span, Timestamp, WorkloadKind, WorkloadName};
    use crate::policy::{PolicyOptions, make};

    fn inventory() -> Inventory {
        let mut builder = InventoryBuilder::new();
        for (number, name) in ["web", "api", "db"].into_iter().enumerate() {
            builder.apply_value(json!({"apiVersion": "v1", "kind": "Pod",
                "metadata": {"namespace": "shop", "name": name, "labels": {"app": name}},
                "status": {"podIP": format!("10.244.1.{}", number + 1)}}));
        }
        builder.build(&InventoryOptions::default())
    }

    fn edge(from: &str, to: &str, port: u16) -> Edge {
        let party = |name: &str| {
            let name = WorkloadName { namespace: "shop".into(), name: name.into(), kind: WorkloadKind("Pod".into()) };
            Party::Workload(name.into())
        };
        Edge {
            originator: party(from),
            responder: party(to),
            protocol: Protocol::Tcp,
            port: NonZeroU16::new(port).expect("a port"),
        }
    }

    /// Breaks policies in one way, settles them, and gives what is left of them with what was said.
    fn settled(wrong: impl Fn(&mut PolicySet)) -> (Vec<String>, Vec<String>) {
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
        let edges = [edge("web", "api", 80), edge("api", "db", 5432)];
        let observation =
            Observation { edges: edges.iter().map(|edge| (edge.clone(), evidence.clone())).collect(), ..Observation::default() };
        let inventory = inventory();
        let mut set = make(&observation, &inventory, &PolicyOptions::default());
        wrong(&mut set);
        let world = ClusterView::from_inventory(&inventory);
        let edges: Vec<&Edge> = edges.iter().collect();
        let Settled { withheld, left, .. } = settle(&mut set, None, &edges, &world).expect("policies that can be read");
        assert!(left.is_empty(), "{left:?}");
        let again = verify::prove(written(&set), &world, edges, &terms(&set.namespaces, [&set])).expect("readable");
        assert!(again.excess.is_empty() && again.unisolated.is_empty(), "what is left is proved: {again:#?}");
        let denied: BTreeSet<&Edge> = again.denied.iter().map(|denied| &denied.edge).collect();
        assert_eq!(denied, withheld.edges.keys().collect(), "what is denied is said, and nothing else");
        let policies = set.policies.iter().map(|explained| explained.policy.name.clone()).collect();
        let said = withheld.findings().sorted().into_iter().map(|finding| finding.subject).collect();
        (policies, said)
    }

    fn policy<'a>(set: &'a mut PolicySet, name: &str) -> &'a mut Explained {
        set.policies.iter_mut().find(|explained| explained.policy.name == name).expect("a policy of that name")
    }

    #[test]
    fn what_cannot_be_proved_is_left_out_and_the_rest_stays() {
        const ALL: [&str; 5] =
            ["default-deny-all", "allow-egress-from-api", "allow-egress-from-web", "allow-ingress-to-api", "allow-ingress-to-db"];
        let without = |name: &str| ALL.into_iter().filter(|known| *known != name).map(str::to_owned).collect::<Vec<_>>();
        let (policies, said) = settled(|_| {});
        assert_eq!((policies, said), (without(""), vec![]), "right policies stay");

        let (policies, said) = settled(|set| set.policies.retain(|explained| explained.policy.name != "allow-ingress-to-db"));
        assert_eq!(
            (policies, said),
            (without("allow-ingress-to-db"), vec!["shop/api -> shop/db TCP 5432".into()]),
            "a lost rule"
        );

        let (policies, said) = settled(|set| {
            let explained = policy(set, "allow-egress-from-web");
            let rule = explained.policy.rules.allowing().next().expect("a rule").clone();
            let wide = PolicyPort::range(Protocol::Tcp, NonZeroU16::MIN, NonZeroU16::MAX).expect("a range");
            let wide = Rule { ports: NonEmpty::new([wide]).expect("one"), ..rule };
            explained.policy.rules = Rules::Egress(NonEmpty::new([wide]).expect("one"));
        });
        let expected = vec!["shop/web".into(), "shop/web -> shop/api TCP 80".into()];
        assert_eq!((policies, said), (without("allow-egress-from-web"), expected), "a rule that allows too much");

        let (policies, said) = settled(|set| set.policies.retain(|explained| explained.policy.name != "default-deny-all"));
        assert_eq!((policies, said), (vec![], vec!["shop".into()]), "pods that nothing isolates");

        let (policies, said) = settled(|set| policy(set, "allow-ingress-to-api").policy.name = String::new());
        let expected = vec!["shop/api".into(), "shop/web -> shop/api TCP 80".into()];
        assert_eq!((policies, said), (without("allow-ingress-to-api"), expected), "a policy that the API server would refuse");
    }
}
