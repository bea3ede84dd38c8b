//! Pods that are not there yet, as far as policies mean them.
//!
//! In: policies and the [`ClusterView`]. Out: the same world with one pod for each sort that a policy means and nobody has: a pod without any
//! label, in every namespace that has none; a pod with the labels that a selector asks for and no pod has; such
//! a pod in a namespace that does not exist. Nobody was seen to use what is allowed to them, so [`super::replay`] finds that a selector
//! was emptied although it still matches the same pods as before, or that nothing isolates the next workload of a namespace.
//! A selector that asks for labels of a pod at hand adds none: the next pod with these labels is one more replica.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::networking::v1::NetworkPolicy;

use super::cluster_view::{ClusterView, Pod, unknown_namespace};
use super::error::PolicyError;
use super::groups::Groups;
use super::selector::Selector;
use super::spec::{Spec, SpecPeer};
use crate::model::{Labels, PodName, WorkloadKind, WorkloadName};

impl ClusterView {
    /// The same world, with the pods to come that the policies mean. Positions of pods and nodes stay the same.
    ///
    /// # Errors
    /// The first policy that is malformed.
    pub fn with_pods_to_come(&self, policies: impl IntoIterator<Item: Borrow<NetworkPolicy>>) -> Result<Self, PolicyError> {
        let specs = policies.into_iter().map(|policy| Spec::new(policy.borrow())).collect::<Result<Vec<_>, _>>()?;
        let mut search =
            Search { world: self, groups: Groups::new(self, &specs), found: BTreeMap::new(), namespaces: BTreeMap::new() };
        let bare = self.pods.iter().filter(|pod| !pod.is_on_host_network && pod.labels.is_empty());
        let unlabelled: BTreeSet<&str> = bare.map(|pod| pod.name.namespace.as_str()).collect();
        let own = specs.iter().map(|spec| spec.name.namespace.as_str());
        for namespace in self.namespaces.keys().map(String::as_str).chain(own).collect::<BTreeSet<_>>() {
            if !unlabelled.contains(namespace) {
                search.add(namespace, Labels::new());
            }
        }
        let mut known = BTreeSet::new();
        for spec in &specs {
            let namespace = spec.name.namespace.as_str();
            if known.insert((Some(namespace), None, &spec.selects)) {
                search.missing(&[namespace], &spec.selects);
            }
            for peer in spec.rules().flat_map(|rule| rule.peers.iter().flatten()) {
                let SpecPeer::Pods { namespaces, pods } = peer else { continue };
                let scope = namespaces.is_none().then_some(namespace);
                if known.insert((scope, namespaces.as_ref(), pods)) {
                    search.peer(namespace, namespaces.as_ref(), pods);
                }
            }
        }
        let mut world = self.clone();
        world.namespaces.extend(search.namespaces);
        world.pods.extend(search.found.into_iter().map(|((namespace, _), pod)| to_come(namespace, pod)));
        Ok(world)
    }
}

/// A pod that is not there.
struct ToCome {
    name: WorkloadName,
    labels: Labels,
}

struct Search<'w> {
    world: &'w ClusterView,
    groups: Groups,
    /// By namespace and labels.
    found: BTreeMap<(String, Labels), ToCome>,
    /// Namespaces that are not there.
    namespaces: BTreeMap<String, Labels>,
}

impl Search<'_> {
    fn add(&mut self, namespace: &str, labels: Labels) {
        let name = if labels.is_empty() {
            WorkloadName::any_other_pod(namespace)
        } else {
            let name = format!("any pod with {}", text(&labels));
            WorkloadName { namespace: namespace.to_owned(), name, kind: WorkloadKind("Pod".to_owned()) }
        };
        self.found.entry((namespace.to_owned(), labels.clone())).or_insert(ToCome { name, labels });
    }

    /// What a peer means and nobody has.
    fn peer(&mut self, own: &str, namespaces: Option<&Selector>, pods: &Selector) {
        let Some(namespaces) = namespaces else { return self.missing(&[own], pods) };
        let world = self.world;
        let meant = world.namespaces.iter().filter(|(_, labels)| namespaces.matches(labels));
        let meant: Vec<(&str, &Labels)> = meant.map(|(name, labels)| (name.as_str(), labels)).collect();
        let names: Vec<&str> = meant.iter().map(|(name, _)| *name).collect();
        if !names.is_empty() {
            self.missing(&names, pods);
        }
        // What holds for any namespace to come, whatever its labels, is told as that.
        if namespaces.matches(&unknown_namespace()) {
            return;
        }
        let branches: Vec<Labels> = namespaces.branches().collect();
        for branch in branches {
            if !meant.iter().any(|(_, labels)| has(labels, &branch)) {
                let name = if branch.is_empty() {
                    "any other namespace".to_owned()
                } else {
                    format!("any namespace with {}", text(&branch))
                };
                self.namespaces.insert(name.clone(), branch);
                if let Some(labels) = pods.branches().next() {
                    self.add(&name, labels);
                }
            }
        }
    }

    /// What a selector asks for and no pod of the namespaces has.
    fn missing(&mut self, namespaces: &[&str], pods: &Selector) {
        let selected: Vec<_> = namespaces.iter().flat_map(|namespace| self.groups.select(namespace, pods)).collect();
        let branches: Vec<Labels> = pods.branches().collect();
        for branch in branches {
            let is_there = || selected.iter().any(|&group| has(self.groups.get(group).labels(), &branch));
            if let [first, ..] = namespaces
                && !branch.is_empty()
                && !is_there()
            {
                self.add(first, branch);
            }
        }
    }
}

/// Whether these labels hold all that are wanted; one without a value is wanted whatever its value.
fn has(labels: &Labels, wanted: &Labels) -> bool {
    wanted.iter().all(|(key, value)| labels.get(key).is_some_and(|own| value.is_empty() || own == value))
}

/// `app=web,track`.
fn text(labels: &Labels) -> String {
    let one = |(key, value): (&String, &String)| if value.is_empty() { key.clone() } else { format!("{key}={value}") };
    labels.iter().map(one).collect::<Vec<_>>().join(",")
}

fn to_come(namespace: String, pod: ToCome) -> Pod {
    Pod {
        name: PodName { namespace, name: pod.name.name.clone() },
        workload: pod.name,
        labels: Arc::new(pod.labels),
        addresses: BTreeSet::new(),
        is_on_host_network: false,
        node: None,
        named_ports: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::tests::{deny_all, policy, shop};
    use super::*;

    #[test]
    fn pods_to_come_are_those_that_policies_mean_and_nobody_has() {
        let peers = |peers: Value| json!({"podSelector": {"matchLabels": {"app": "db"}}, "ingress": [{"from": peers}]});
        let expression = |key: &str, operator: &str, values: &[&str]| {
            let values = if values.is_empty() { Value::Null } else { json!(values) };
            json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]})
        };
        let labelled = |labels: Value| json!([{"podSelector": {"matchLabels": labels}}]);
        let of = |namespaces: Value| json!([{"namespaceSelector": namespaces, "podSelector": {"matchLabels": {"app": "db"}}}]);
        let rows: [(Value, &[&str], &str); 12] = [
            (peers(labelled(json!({"app": "web"}))), &[], "labels of pods at hand"),
            (peers(labelled(json!({"app": "no"}))), &["shop/any pod with app=no"], "labels that nobody has"),
            (peers(labelled(json!({"app": "web", "x": "y"}))), &["shop/any pod with app=web,x=y"], "one more label"),
            (peers(json!([{"podSelector": {}}])), &[], "every pod: the one without labels is there in any case"),
            (
                peers(json!([{"podSelector": expression("app", "In", &["web", "no"])}])),
                &["shop/any pod with app=no"],
                "one of two values",
            ),
            (peers(json!([{"podSelector": expression("app", "NotIn", &["web"])}])), &[], "all others"),
            (peers(json!([{"podSelector": expression("x", "Exists", &[])}])), &["shop/any pod with x"], "any value"),
            (peers(json!([{"podSelector": expression("app", "Exists", &[])}])), &[], "any value of a label at hand"),
            (
                peers(of(json!({"matchLabels": {"team": "c"}}))),
                &["any namespace with team=c/any pod with app=db"],
                "a namespace that is not there",
            ),
            (peers(of(json!({}))), &[], "any namespace: told as that"),
            (json!({"podSelector": {"matchLabels": {"app": "no"}}}), &["shop/any pod with app=no"], "a policy for nobody"),
            (
                json!({"podSelector": {"matchLabels": {"app": "no"}, "matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["no"]}]}}),
                &[],
                "a contradiction",
            ),
        ];
        for (spec, expected, what) in rows {
            let shop = shop();
            let world = shop.with_pods_to_come([deny_all("shop"), policy("row", spec)]).unwrap();
            let added: BTreeSet<String> = world.pods[shop.pods.len()..].iter().map(|pod| pod.workload.to_string()).collect();
            let mut expected: BTreeSet<String> = expected.iter().map(|name| (*name).to_owned()).collect();
            expected.extend(["shop/any other pod".to_owned(), "ops/any other pod".to_owned()]);
            assert_eq!(added, expected, "{what}");
        }
        let mut shop = shop();
        shop.pods[0].labels = Arc::default();
        let world = shop.with_pods_to_come([deny_all("shop")]).unwrap();
        let added: Vec<String> = world.pods[shop.pods.len()..].iter().map(|pod| pod.workload.to_string()).collect();
        assert_eq!(added, ["ops/any other pod"], "a pod without labels is there");
    }
}
