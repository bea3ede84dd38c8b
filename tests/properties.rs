//! What the folding promises, checked by an evaluator that shares no code with it: over all workloads, all outside addresses
//! and all ports seen, exactly the observed edges are allowed, and no rule could be left out.

#![expect(clippy::unwrap_used, reason = "in tests a failed unwrap is the failure to report")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::sync::Arc;

use jiff::civil::date;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use netpol_gen::edge::Observation;
use netpol_gen::inventory::{Inventory, InventoryBuilder, InventoryOptions, PodId, snapshot};
use netpol_gen::model::{
    Code, DirectionEvidence, Edge, Evidence, Explained, NonEmpty, Party, Policy, Protocol, Rules, Span, Timestamp, WorkloadName,
};
use netpol_gen::output::manifest;
use netpol_gen::policy::{PolicyOptions, PolicySet, Public, make, make_quarantined};
use netpol_gen::review::decisions::{DecisionError, Decisions, file};
use netpol_gen::verify::{Answer, ClusterView, Evaluator, Place, Terms, admitted, prove};
use proptest::prelude::*;
use serde_json::json;

const NAMESPACES: [&str; 3] = ["alpha", "beta", "gamma"];
const PORTS: [u16; 4] = [80, 443, 5432, 50051];
const OUTSIDE: [&str; 6] = ["203.0.113.4", "203.0.113.5", "203.0.113.6", "203.0.113.7", "198.51.100.1", "2001:db8::5"];

/// A workload: its namespace, the labels of each of its pods.
type Template = (usize, BTreeMap<String, String>, usize);

fn labels() -> impl Strategy<Value = BTreeMap<String, String>> {
    let key = prop_oneof![Just("app"), Just("tier"), Just("release")];
    let value = prop_oneof![Just("one"), Just("two"), Just("on")];
    proptest::collection::btree_map(key.prop_map(String::from), value.prop_map(String::from), 0..4)
}

fn templates() -> impl Strategy<Value = Vec<Template>> {
    proptest::collection::vec((0..NAMESPACES.len(), labels(), 1..3usize), 2..9)
}

fn inventory(templates: &[Template]) -> Inventory {
    let mut items: Vec<serde_json::Value> = NAMESPACES
        .iter()
        .map(|name| {
            json!({"apiVersion": "v1", "kind": "Namespace",
                   "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}}})
        })
        .collect();
    items.push(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"},
        "spec": {"podCIDRs": ["10.244.0.0/16"]}, "status": {"addresses": [{"type": "InternalIP", "address": "192.168.0.1"}]}}));
    let mut next = 10;
    for (number, (namespace, labels, replicas)) in templates.iter().enumerate() {
        for replica in 0..*replicas {
            next += 1;
            let mut labels = labels.clone();
            labels.insert("statefulset.kubernetes.io/pod-name".into(), format!("w{number}-{replica}"));
            items.push(json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": format!("w{number}-{replica}"), "namespace": NAMESPACES[*namespace], "uid": format!("{next}"),
                    "labels": labels,
                    "ownerReferences": [{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": format!("w{number}"), "uid": "s", "controller": true}]},
                "spec": {"nodeName": "n1", "containers": [{"name": "c"}]},
                "status": {"phase": "Running", "podIPs": [{"ip": format!("10.244.0.{next}")}]},
            }));
        }
    }
    let mut builder = InventoryBuilder::new();
    for object in snapshot::read_value(json!({"apiVersion": "v1", "kind": "List", "items": items}), "test").objects {
        builder.apply(object);
    }
    builder.build(&InventoryOptions::default())
}

fn evidence() -> Evidence {
    Evidence {
        connections: 2,
        span: Span::at(Timestamp(0)),
        direction: DirectionEvidence::Syn,
        weakest: DirectionEvidence::Syn,
        weak: 0,
        unchecked: 0,
        forwarded: 0,
        mid_stream: 0,
        one_way: 0,
        called: None,
    }
}

/// Edges between the parties drawn by number: workloads first, then outside addresses.
fn edges(inventory: &Inventory, drawn: &[(usize, usize, usize, bool)]) -> BTreeMap<Edge, Evidence> {
    let mut parties: Vec<Party> = inventory.workloads().iter().map(|workload| Party::Workload(workload.name.clone())).collect();
    parties.extend(OUTSIDE.iter().map(|address| Party::Outside(address.parse().unwrap())));
    let mut edges = BTreeMap::new();
    for &(from, to, port, is_tcp) in drawn {
        let (originator, responder) = (parties[from % parties.len()].clone(), parties[to % parties.len()].clone());
        let has_workload = [&originator, &responder].iter().any(|party| matches!(party, Party::Workload(_)));
        if has_workload {
            let protocol = if is_tcp { Protocol::Tcp } else { Protocol::Udp };
            let port = NonZeroU16::new(PORTS[port % PORTS.len()]).unwrap();
            edges.insert(Edge { originator, responder, protocol, port }, evidence());
        }
    }
    edges
}

fn learned(templates: &[Template], drawn: &[(usize, usize, usize, bool)]) -> (Inventory, BTreeMap<Edge, Evidence>, PolicySet) {
    let inventory = inventory(templates);
    let edges = edges(&inventory, drawn);
    let observation = Observation { edges: edges.clone(), ..Observation::default() };
    let set = make(&observation, &inventory, &PolicyOptions { public: Public::Exact, ..PolicyOptions::default() });
    (inventory, edges, set)
}

fn manifests(policies: &[Explained]) -> Vec<NetworkPolicy> {
    policies.iter().map(|explained| manifest::write(&explained.policy)).collect()
}

/// What the makers admit.
fn terms(sets: &[&PolicySet]) -> Terms {
    let widenings = sets.iter().flat_map(|set| &set.widenings).cloned();
    Terms { subjects: Some(sets[0].namespaces.clone()), widenings: widenings.collect() }
}

fn has(set: &PolicySet, codes: &[Code]) -> bool {
    set.findings.sorted().iter().any(|finding| codes.contains(&finding.code))
}

/// Everyone that can be one side, with the places that stand for it.
fn places(inventory: &Inventory) -> Vec<(Party, Vec<Place>)> {
    let mut pods: BTreeMap<Arc<WorkloadName>, Vec<Place>> = BTreeMap::new();
    for (pod, id) in inventory.pods().iter().zip(0..) {
        pods.entry(inventory.workload(pod.workload).name.clone()).or_default().push(Place::Pod(PodId(id)));
    }
    let pods = pods.into_iter().map(|(name, pods)| (Party::Workload(name), pods));
    let outside = OUTSIDE.iter().map(|address| -> (Party, Vec<Place>) {
        let address: IpAddr = address.parse().unwrap();
        (Party::Outside(address), vec![Place::Address(address)])
    });
    pods.chain(outside).collect()
}

/// All connections of the universe that the policies allow, by party: allowed if any pair of their places may talk.
fn allowed(inventory: &Inventory, policies: &[NetworkPolicy]) -> BTreeSet<Edge> {
    let world = ClusterView::from_inventory(inventory);
    let evaluator = Evaluator::new(policies, &world).unwrap();
    let places = places(inventory);
    let mut allowed = BTreeSet::new();
    for (originator, from) in &places {
        for (responder, to) in &places {
            let is_outside = |party: &Party| matches!(party, Party::Outside(_));
            if is_outside(originator) && is_outside(responder) {
                continue;
            }
            for protocol in Protocol::ALL {
                for port in PORTS {
                    let may = |from: &Place, to: &Place| {
                        from != to && evaluator.verdict(*from, *to, protocol, port).answer() == Answer::Allowed
                    };
                    if from.iter().any(|from| to.iter().any(|to| may(from, to))) {
                        let port = NonZeroU16::new(port).unwrap();
                        allowed.insert(Edge { originator: originator.clone(), responder: responder.clone(), protocol, port });
                    }
                }
            }
        }
    }
    allowed
}

/// A workload of one pod calling itself leaves no trace: its traffic is never filtered.
fn is_seen_by_policies(edge: &Edge, inventory: &Inventory) -> bool {
    let Party::Workload(name) = &edge.originator else { return true };
    let replicas = inventory.workloads().iter().find(|workload| &workload.name == name).map_or(0, |workload| workload.pods.len());
    edge.originator != edge.responder || replicas > 1
}

fn drawn() -> impl Strategy<Value = Vec<(usize, usize, usize, bool)>> {
    proptest::collection::vec((0..20usize, 0..20usize, 0..PORTS.len(), any::<bool>()), 0..25)
}

/// Labels of two workloads that differ in nothing but the release they are at: no selector may rest on that.
fn twins() -> impl Strategy<Value = Vec<Template>> {
    (templates(), any::<bool>()).prop_map(|(mut templates, differ)| {
        let (namespace, mut labels, replicas) = templates[0].clone();
        if differ {
            labels.insert("app.kubernetes.io/version".into(), "2".into());
        }
        templates.push((namespace, labels, replicas));
        templates
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_proof_holds_also_where_workloads_cannot_be_told_apart(templates in twins(), drawn in drawn()) {
        let (inventory, edges, set) = learned(&templates, &drawn);
        let terms = terms(&[&set]);
        let expressible = edges.keys().filter(|edge| !set.inexpressible.contains(edge));
        let proof = prove(manifests(&set.policies), &ClusterView::from_inventory(&inventory), expressible, &terms).unwrap();
        prop_assert!(proof.holds(), "{proof:#?}");
    }

    #[test]
    fn what_is_in_quarantine_is_denied_without_it_and_allowed_with_it(templates in twins(), drawn in drawn(), every in 2..5usize) {
        let inventory = inventory(&templates);
        let edges = edges(&inventory, &drawn);
        let (apart, kept): (Vec<_>, Vec<_>) = edges.clone().into_iter().enumerate().partition(|(number, _)| number % every == 0);
        let of = |edges: Vec<(usize, (Edge, Evidence))>| -> BTreeMap<Edge, Evidence> { edges.into_iter().map(|(_, edge)| edge).collect() };
        let (apart, kept) = (of(apart), of(kept));
        let observation = Observation { edges: kept.clone(), ..Observation::default() };
        let set = make(&observation, &inventory, &PolicyOptions::default());
        let quarantined = make_quarantined(&apart, &[], &inventory, &PolicyOptions::default());
        let world = ClusterView::from_inventory(&inventory);
        let mut policies = manifests(&set.policies);
        let main = kept.keys().filter(|edge| !set.inexpressible.contains(edge));
        let proof = prove(&policies, &world, main, &terms(&[&set])).unwrap();
        prop_assert!(proof.holds(), "without: {proof:#?}");
        policies.extend(manifests(&quarantined.policies));
        let names: BTreeSet<_> = policies.iter().map(|policy| (&policy.metadata.namespace, &policy.metadata.name)).collect();
        prop_assert_eq!(names.len(), policies.len(), "no policy replaces another");
        let all = edges.keys().filter(|edge| !set.inexpressible.contains(edge) && !quarantined.inexpressible.contains(edge));
        let proof = prove(&policies, &world, all, &terms(&[&set, &quarantined])).unwrap();
        prop_assert!(proof.holds(), "with: {proof:#?}");
    }

    #[test]
    fn exactly_the_observed_is_allowed(templates in templates(), drawn in drawn()) {
        let (inventory, edges, set) = learned(&templates, &drawn);
        let allowed = allowed(&inventory, &manifests(&set.policies));
        if !has(&set, &[Code::NotExpressible, Code::WorkloadNotSelectable]) {
            for edge in edges.keys().filter(|edge| is_seen_by_policies(edge, &inventory)) {
                prop_assert!(allowed.contains(edge), "observed, but denied: {edge}");
            }
        }
        if !has(&set, &[Code::BroadSelector]) && selections_are_exact(&templates) {
            for edge in &allowed {
                prop_assert!(edges.contains_key(edge), "not observed, but allowed: {edge}");
            }
        }
    }

    #[test]
    fn decisions_take_away_what_they_say_and_add_a_range_at_most(
        templates in twins(),
        drawn in drawn(),
        chosen in any::<u32>(),
        is_widened in any::<bool>(),
    ) {
        let inventory = inventory(&templates);
        let edges = edges(&inventory, &drawn);
        let is_chosen = |(_, position): &(&Edge, u32)| chosen >> position & 1 == 1;
        let rejections = edges.keys().zip(0..32).filter(is_chosen).map(|(edge, _)| {
            let Edge { originator, responder, protocol, port } = edge;
            format!("- {{from: '{originator}', to: '{responder}', port: {protocol} {port}, reason: chosen}}\n")
        });
        let mut text = format!("version: 1\nreject:\n{}", rejections.collect::<Vec<_>>().concat());
        if is_widened {
            text += "widen:\n- {from: alpha/*, to: 203.0.113.4/30, port: any, bound: 4, reason: a pool}\n";
        }
        let mut decisions = Decisions::new(file::read(&text).unwrap(), date(2026, 1, 1)).unwrap();
        let mut observation = Observation { edges: edges.clone(), ..Observation::default() };
        let contradicts = |(edge, _): (&Edge, u32)| match (&edge.originator, &edge.responder) {
            (Party::Workload(workload), Party::Outside(IpAddr::V4(address))) => {
                workload.namespace == "alpha" && matches!(address.octets(), [203, 0, 113, 4..8])
            }
            _ => false,
        };
        let mut rejected = match decisions.apply(&mut observation, &inventory, |_| true) {
            Err(DecisionError::Contradiction { .. }) => {
                prop_assert!(is_widened && edges.keys().zip(0..32).filter(is_chosen).any(contradicts), "nothing contradicts");
                return Ok(());
            }
            applied => applied.unwrap(),
        };
        let widenings = decisions.widenings();
        let options = PolicyOptions { public: Public::Exact, widenings, ..PolicyOptions::default() };
        let mut set = make(&observation, &inventory, &options);
        set.obey(&mut decisions, &rejected).unwrap();
        let terms = Terms { subjects: Some(set.namespaces.clone()), widenings: set.widenings.clone() };
        let kept = observation.edges.keys().filter(|edge| !set.inexpressible.contains(edge));
        let (manifests, world) = (manifests(&set.policies), ClusterView::from_inventory(&inventory));
        let proof = prove(&manifests, &world, kept, &terms).unwrap();
        prop_assert!(proof.holds(), "{proof:#?}");
        let may_be_widened = |edge: &Edge| match (&edge.originator, &edge.responder) {
            (Party::Workload(workload), Party::Outside(IpAddr::V4(address))) => {
                is_widened && workload.namespace == "alpha" && address.octets()[..3] == [203, 0, 113]
            }
            _ => false,
        };
        let told_apart = !has(&set, &[Code::BroadSelector]) && selections_are_exact(&templates);
        for admitted in admitted(&manifests, &world, rejected.edges().map(|(edge, _)| edge)).unwrap() {
            prop_assert!(!told_apart || may_be_widened(&admitted.edge), "rejected, and let through {admitted}: {}", admitted.edge);
        }
        rejected.restore(&mut observation);
        prop_assert_eq!(observation.edges, edges, "nothing is lost");
    }

    #[test]
    fn no_rule_can_be_left_out(templates in templates(), drawn in drawn()) {
        let (inventory, _, set) = learned(&templates, &drawn);
        if !selections_are_exact(&templates) {
            return Ok(());
        }
        let whole = allowed(&inventory, &manifests(&set.policies));
        for (position, explained) in set.policies.iter().enumerate() {
            for rule in explained.policy.rules.allowing() {
                let edges = explained.grounds[rule].keys();
                if edges.clone().all(|edge| !is_seen_by_policies(edge, &inventory)) {
                    continue;
                }
                let mut fewer = set.policies.clone();
                fewer[position].policy = without(&explained.policy, rule);
                let less = allowed(&inventory, &manifests(&fewer));
                prop_assert!(less.is_subset(&whole) && less != whole, "{}: a rule does nothing", explained.policy.name);
            }
        }
    }

    #[test]
    fn the_order_of_edges_does_not_matter(templates in templates(), drawn in drawn()) {
        let (_, _, set) = learned(&templates, &drawn);
        let mut backwards = drawn.clone();
        backwards.reverse();
        let (_, _, again) = learned(&templates, &backwards);
        prop_assert_eq!(set.policies, again.policies);
    }

    #[test]
    fn a_manifest_reads_back_as_the_policy(templates in templates(), drawn in drawn()) {
        let (_, _, set) = learned(&templates, &drawn);
        for explained in &set.policies {
            let read = manifest::read(&manifest::write(&explained.policy)).unwrap();
            prop_assert_eq!(&read, &explained.policy);
        }
    }
}

/// Whether no two workloads of a namespace have the same labels: then some selector tells any two apart.
fn selections_are_exact(templates: &[Template]) -> bool {
    let mut seen = BTreeSet::new();
    templates.iter().all(|(namespace, labels, _)| seen.insert((namespace, labels)))
}

/// The policy without one rule; it still isolates.
fn without(policy: &Policy, rule: &netpol_gen::model::Rule) -> Policy {
    let rest = NonEmpty::new(policy.rules.allowing().filter(|other| *other != rule).cloned());
    let rules = match (&policy.rules, rest) {
        (Rules::Ingress(_), Some(rest)) => Rules::Ingress(rest),
        (Rules::Egress(_), Some(rest)) => Rules::Egress(rest),
        _ => Rules::DenyAll,
    };
    Policy { rules, ..policy.clone() }
}
