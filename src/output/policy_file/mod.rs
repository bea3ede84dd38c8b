//! Policies that anyone may have written: text in, NetworkPolicies out, with where they stand and what is written above their rules.
//!
//! In: YAML (any number of documents, lists too) or JSON. Out: [`Contents`]: each `networking.k8s.io/v1` NetworkPolicy, and how many
//! objects of other kinds were passed over. A policy that the API server would refuse (a field that there is not, a value of another
//! type, `yes` where a string belongs) is an error with line and column: nothing is left out in silence, nothing guessed.

mod shape;
mod tree;

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::networking::v1::NetworkPolicy;
use serde_json::json;

use crate::verify::{self, Direction, PolicyName};

use super::yaml::YamlProblem;
use tree::{Content, Node};

/// What a kustomization that only lists files has.
const PLAIN: [&str; 3] = ["apiVersion", "kind", "resources"];

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contents {
    /// Its policies, in their order.
    pub policies: Vec<Given>,
    /// How many objects are no NetworkPolicies, by kind.
    pub others: BTreeMap<String, u64>,
}

/// One policy of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Given {
    /// Its name, with the namespace that it says or was given.
    pub name: PolicyName,
    /// The object.
    pub object: NetworkPolicy,
    /// The line on which it begins, from 1.
    pub line: usize,
    /// The comments right above its rules, by direction and position, without comment signs.
    pub comments: BTreeMap<(Direction, usize), Vec<String>>,
}

/// Reads a text. `namespace` is for policies that say none.
///
/// # Errors
/// The first place that is no YAML, no Kubernetes object, or a policy that the API server would refuse.
pub fn read(text: &str, namespace: Option<&str>) -> Result<Contents, YamlProblem> {
    let mut reading = Reading { lines: text.lines().collect(), namespace, contents: Contents::default() };
    for document in tree::read(text)? {
        reading.document(&document)?;
    }
    Ok(reading.contents)
}

/// The resources of a kustomization that has nothing else: no patch, no prefix, nothing that changes what is applied.
#[must_use]
pub fn resources(text: &str) -> Option<BTreeSet<String>> {
    let [document] = &tree::read(text).ok()?[..] else { return None };
    let is_plain = document.members().iter().all(|(key, _)| key.text().is_some_and(|key| PLAIN.contains(&key)));
    let is_kustomization = document.get("kind").and_then(Node::text) == Some("Kustomization");
    let items = document.get("resources").filter(|_| is_plain && is_kustomization)?.items();
    items.iter().map(|item| item.text().map(str::to_owned)).collect()
}

struct Reading<'a> {
    lines: Vec<&'a str>,
    namespace: Option<&'a str>,
    contents: Contents,
}

impl Reading<'_> {
    fn document(&mut self, node: &Node) -> Result<(), YamlProblem> {
        match &node.content {
            Content::Scalar(value) if value.is_null() => return Ok(()),
            Content::Mapping(_) => {}
            _ => return Err(node.problem("a Kubernetes object was expected")),
        }
        let text = |key: &str| node.get(key).and_then(Node::text).unwrap_or_default();
        let kind = text("kind");
        if let (true, Some(items)) = (kind.ends_with("List"), node.get("items")) {
            return match &items.content {
                Content::Sequence(items) => items.iter().try_for_each(|item| self.document(item)),
                Content::Scalar(value) if value.is_null() => Ok(()),
                _ => Err(items.problem("a list of Kubernetes objects was expected")),
            };
        }
        match (kind, text("apiVersion")) {
            ("NetworkPolicy", "networking.k8s.io/v1") => self.policy(node),
            // Before Kubernetes 1.16; the same in meaning, but no API server takes it any more.
            ("NetworkPolicy", "extensions/v1beta1" | "") => {
                let place = node.get("apiVersion").unwrap_or(node);
                Err(place.problem("the apiVersion of a NetworkPolicy must be networking.k8s.io/v1"))
            }
            ("", _) => self.other("objects without a kind"),
            (kind, version) => {
                let group = version.split_once('/').map_or("", |(group, _)| group);
                let is_foreign = kind == "NetworkPolicy";
                self.other(&if is_foreign { format!("{kind} of {group}") } else { kind.to_owned() })
            }
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "an arm beside others that fail")]
    fn other(&mut self, kind: &str) -> Result<(), YamlProblem> {
        *self.contents.others.entry(kind.to_owned()).or_default() += 1;
        Ok(())
    }

    fn policy(&mut self, node: &Node) -> Result<(), YamlProblem> {
        shape::check(node)?;
        let metadata = node.get("metadata").ok_or_else(|| node.problem("a policy has no metadata"))?;
        let text = |key: &str| metadata.get(key).and_then(Node::text).filter(|text| !text.is_empty());
        let name = text("name").ok_or_else(|| metadata.problem("a policy has no name"))?;
        let Some(namespace) = text("namespace").or(self.namespace) else {
            return Err(metadata.problem(&format!("the policy {name} says no namespace")));
        };
        let map = |key: &str| metadata.get(key).map_or_else(|| json!({}), Node::value);
        let spec = node.get("spec").map_or_else(|| json!({}), Node::value);
        let value = json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "spec": spec,
            "metadata": {"name": name, "namespace": namespace, "labels": map("labels"), "annotations": map("annotations")},
        });
        // What has the right shape is read; should the two ever disagree, it is an error all the same.
        let object: NetworkPolicy = serde_json::from_value(value).map_err(|error| node.problem(&error.to_string()))?;
        verify::check(&object).map_err(|error| node.problem(&format!("the policy {}: {}", error.policy, error.fault)))?;
        let name = PolicyName { namespace: namespace.to_owned(), name: name.to_owned() };
        let comments = self.comments(node);
        self.contents.policies.push(Given { name, object, line: node.line, comments });
        Ok(())
    }

    fn comments(&self, node: &Node) -> BTreeMap<(Direction, usize), Vec<String>> {
        let mut comments = BTreeMap::new();
        for (direction, list) in [(Direction::Ingress, "ingress"), (Direction::Egress, "egress")] {
            let rules = node.get("spec").and_then(|spec| spec.get(list)).map_or(&[][..], Node::items);
            for (position, rule) in rules.iter().enumerate() {
                let above = self.lines.get(..rule.line.saturating_sub(1)).unwrap_or_default().iter().rev();
                let mut lines: Vec<String> = above.map_while(|line| Some(line.trim().strip_prefix('#')?.to_owned())).collect();
                lines.reverse();
                for line in &mut lines {
                    *line = line.strip_prefix(' ').unwrap_or(line).to_owned();
                }
                if !lines.is_empty() {
                    comments.insert((direction, position), lines);
                }
            }
        }
        comments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: a\n  namespace: prod\n";

    fn policy(spec: &str) -> String {
        format!("{POLICY}spec:\n{spec}")
    }

    #[test]
    fn any_file_of_policies_is_read() {
        let other = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [a.yaml]\n";
        let list = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: networking.k8s.io/v1\n  kind: NetworkPolicy\n  \
                    metadata: {name: b, namespace: dev, creationTimestamp: null}\n  spec: {podSelector: {}}\n";
        let json = r#"{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"c","namespace":"dev"},
            "spec":{"podSelector":{},"ingress":[{"ports":[{"port":80}]}]}}"#;
        let calico = "apiVersion: crd.projectcalico.org/v1\nkind: NetworkPolicy\nmetadata: {name: x}\n";
        let rows = [
            (policy("  podSelector: {}\n"), vec!["prod/a"], vec![], "one policy"),
            (
                format!("{}---\n{other}---\n{list}", policy("  podSelector: {}\n")),
                vec!["prod/a", "dev/b"],
                vec!["Kustomization"],
                "a stream",
            ),
            (json.to_owned(), vec!["dev/c"], vec![], "JSON"),
            (json.replace("            ", "\t"), vec!["dev/c"], vec![], "JSON with tabs"),
            (calico.to_owned(), vec![], vec!["NetworkPolicy of crd.projectcalico.org"], "another API's policy"),
            ("a: b\n---\n".to_owned(), vec![], vec!["objects without a kind"], "no object"),
            ("# nothing\n".to_owned(), vec![], vec![], "nothing"),
            (
                policy("  podSelector: &all {}\n  ingress:\n  - from:\n    - podSelector: *all\n"),
                vec!["prod/a"],
                vec![],
                "an alias",
            ),
        ];
        for (text, names, others, message) in rows {
            let contents = read(&text, None).unwrap_or_else(|problem| panic!("{message}: {problem}"));
            assert_eq!(contents.policies.iter().map(|given| given.name.to_string()).collect::<Vec<_>>(), names, "{message}");
            assert_eq!(contents.others.keys().collect::<Vec<_>>(), others, "{message}");
        }
    }

    #[test]
    fn what_the_api_server_would_refuse_is_an_error_with_its_place() {
        let rows = [
            (policy("  podSelector: {}\n  polcyTypes: [Ingress]\n"), "line 8, column 3: spec.polcyTypes: there is no such field"),
            (
                policy("  podSelector:\n    matchLabels:\n      app: yes\n"),
                "line 9, column 12: spec.podSelector.matchLabels.app: a string",
            ),
            (policy("  podSelector:\n    matchLabels: {app: 1}\n"), "spec.podSelector.matchLabels.app: a string"),
            (policy("  podSelector: {}\n  ingress: {}\n"), "line 8, column 12: spec.ingress: a list"),
            (
                policy("  podSelector: {}\n  egress:\n  - to:\n    - podSelector: []\n"),
                "spec.egress[0].to[0].podSelector: a mapping",
            ),
            (
                policy("  podSelector: {}\n  ingress:\n  - ports:\n    - port: 80.5\n"),
                "spec.ingress[0].ports[0].port: a number or a string",
            ),
            (policy("  podSelector: {}\n  ingress:\n  - ports:\n    - endPort: 90\n"), "endPort 90 without a numeric port"),
            (policy("  podSelector: {}\n  podSelector: {}\n"), "line 8, column 3: the key podSelector is there twice"),
            (
                POLICY.replace("  namespace: prod\n", "") + "spec: {podSelector: {}}\n",
                "line 4, column 3: the policy a says no namespace",
            ),
            (POLICY.replace("  name: a\n", "") + "spec: {podSelector: {}}\n", "a policy has no name"),
            (POLICY.replace("networking.k8s.io/v1", "extensions/v1beta1"), "must be networking.k8s.io/v1"),
            ("kind: [".to_owned(), "line 1"),
            ("- a\n".to_owned(), "a Kubernetes object was expected"),
            ("{{ if .Values.x }}\nkind: NetworkPolicy\n{{ end }}\n".to_owned(), "line 1"),
        ];
        for (text, expected) in rows {
            let problem = read(&text, None).expect_err(&text).to_string();
            assert!(problem.contains(expected), "{expected:?}: {problem}");
        }
        let named = read(&(POLICY.replace("  namespace: prod\n", "") + "spec: {podSelector: {}}\n"), Some("dev")).unwrap();
        assert_eq!(named.policies[0].name.to_string(), "dev/a", "a namespace that was given");
        assert_eq!(named.policies[0].object.metadata.namespace.as_deref(), Some("dev"));
    }

    #[test]
    fn comments_above_rules_are_kept() {
        let spec = "  podSelector: {}\n  # of the list\n  ingress:\n  # prod/web -> prod/db TCP 80\n  #   2 connections\n  - from:\n    - podSelector: {}\n  - {}\n";
        let given = &read(&policy(spec), None).unwrap().policies[0];
        let expected = vec!["prod/web -> prod/db TCP 80".to_owned(), "  2 connections".to_owned()];
        assert_eq!(given.comments, BTreeMap::from([((Direction::Ingress, 0), expected)]));
    }
}
