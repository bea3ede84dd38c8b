//! Whose file it is.
//!
//! In: the text of a file and where it stands. Out: whether the tool wrote it. A policy is known by what it says (the tool's label and
//! its annotation, on an object of the file's own name); a kustomization and the review, which bear neither, by the tool's line in the
//! comments at their top; the review as JSON, which can hold no comment, by its member `tool`. So people may write comments above, and a copy that was made into something else is theirs.

use serde_json::Value;

use crate::model::Class;

use super::layout::{
    ALL_DEFAULT_DENY, CANDIDATES, Content, DEFAULT_DENY, KUSTOMIZATION, QUARANTINE, REVIEW, REVIEW_JSON, is_namespace_name,
};
use super::manifest;
use super::migration::staged::{self, STAGED};
use super::report;
use super::template::{MARKDOWN_MARKER, PLAN, YAML_MARKER};

/// What a file would be, if it is the tool's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One policy.
    Policy,
    /// A kustomization.
    Kustomization,
    /// The review.
    Review,
    /// The review as JSON.
    ReviewJson,
    /// Candidates.
    Candidates,
    /// A policy of a dry run.
    Staged,
}

impl Kind {
    /// What a planned file is.
    pub(super) fn of(content: &Content) -> Self {
        match content {
            Content::Policy(_) => Self::Policy,
            Content::Kustomization => Self::Kustomization,
            Content::Review => Self::Review,
            Content::ReviewJson => Self::ReviewJson,
            Content::Candidates => Self::Candidates,
            Content::Staged => Self::Staged,
        }
    }

    /// What the tool writes to this path (relative to the output directory); nothing if it never writes there.
    pub(super) fn at(path: &str) -> Option<Self> {
        let in_namespace = |namespace: &str, file: &str, other: Self| match file {
            _ if !is_namespace_name(namespace) => None,
            KUSTOMIZATION => Some(Self::Kustomization),
            _ => file.strip_suffix(".yaml").map(|_| other),
        };
        match path.split('/').collect::<Vec<_>>().as_slice() {
            [KUSTOMIZATION] | [ALL_DEFAULT_DENY | STAGED, KUSTOMIZATION] => Some(Self::Kustomization),
            [REVIEW | PLAN] => Some(Self::Review),
            [REVIEW_JSON] => Some(Self::ReviewJson),
            [namespace, CANDIDATES] => in_namespace(namespace, CANDIDATES, Self::Candidates),
            [STAGED, namespace, file] => in_namespace(namespace, file, Self::Staged),
            [namespace, file] | [namespace, DEFAULT_DENY | QUARANTINE, file] => in_namespace(namespace, file, Self::Policy),
            _ => None,
        }
    }

    /// Whether the tool wrote this text to this path (relative to the output directory).
    pub(super) fn is_own(self, path: &str, text: &str) -> bool {
        match self {
            Self::Policy => is_own_policy(path, text),
            Self::Kustomization => has_marker(text, |line| line.starts_with('#'), YAML_MARKER) && is_kustomization(text),
            Self::Staged => {
                let is_staged = || read(text).is_some_and(|object| object["kind"] == staged::KIND);
                has_marker(text, |line| line.starts_with('#'), YAML_MARKER) && is_staged()
            }
            // What someone made active is theirs.
            Self::Candidates => {
                let is_comment = |line: &str| line.is_empty() || line.starts_with('#');
                text.lines().all(is_comment) && has_marker(text, is_comment, YAML_MARKER)
            }
            Self::ReviewJson => report::read(text).is_some(),
            Self::Review => has_marker(text, |line| !line.starts_with('#'), MARKDOWN_MARKER),
        }
    }
}

fn is_own_policy(path: &str, text: &str) -> bool {
    let Some(object) = read(text) else { return false };
    let metadata = &object["metadata"];
    let mut parts = path.split('/');
    let namespace = parts.next();
    let name = parts.next_back().and_then(|file| file.strip_suffix(".yaml"));
    let class = metadata["annotations"][manifest::CLASS].as_str();
    object["kind"] == "NetworkPolicy"
        && metadata["labels"][manifest::MANAGED_BY] == manifest::TOOL
        && class.is_some_and(|class| Class::ALL.iter().any(|known| known.name() == class))
        && (metadata["namespace"].as_str(), metadata["name"].as_str()) == (namespace, name)
}

fn is_kustomization(text: &str) -> bool {
    read(text).is_some_and(|object| object["kind"] == "Kustomization")
}

fn read(text: &str) -> Option<Value> {
    // The tool writes no aliases.
    let options = serde_saphyr::options! { budget: serde_saphyr::budget! { max_aliases: 0, max_anchors: 0 } };
    serde_saphyr::from_str_with_options(text, options).ok()
}

/// Whether the marker is on one of the lines at the top: before the first one that is neither empty nor `at_top`.
fn has_marker(text: &str, at_top: impl Fn(&str) -> bool, marker: &str) -> bool {
    let mut top = text.lines().take_while(|line| line.trim().is_empty() || at_top(line));
    top.any(|line| line.starts_with(marker))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::tests::samples;
    use crate::output::{Summary, Templates, render};

    #[test]
    fn what_is_written_where() {
        for (path, expected) in [
            ("kustomization.yaml", Some(Kind::Kustomization)),
            ("REVIEW.md", Some(Kind::Review)),
            ("PLAN.md", Some(Kind::Review)),
            ("REVIEW.json", Some(Kind::ReviewJson)),
            ("_default-deny/kustomization.yaml", Some(Kind::Kustomization)),
            ("prod/kustomization.yaml", Some(Kind::Kustomization)),
            ("prod/allow-web.yaml", Some(Kind::Policy)),
            ("prod/_candidates.yaml", Some(Kind::Candidates)),
            ("prod/_quarantine/allow-web.yaml", Some(Kind::Policy)),
            ("prod/default-deny/kustomization.yaml", Some(Kind::Kustomization)),
            ("prod/default-deny/default-deny.yaml", Some(Kind::Policy)),
            ("_staged/kustomization.yaml", Some(Kind::Kustomization)),
            ("_staged/prod/allow-web.yaml", Some(Kind::Staged)),
            ("notes.yaml", None),
            ("prod/notes.md", None),
            (".git/config", None),
            (".ssh/keys.yaml", None),
            ("prod/other/allow-web.yaml", None),
            ("../prod/allow-web.yaml", None),
            ("", None),
        ] {
            assert_eq!(Kind::at(path), expected, "{path}");
        }
    }

    #[test]
    fn whose_file_it_is() {
        let templates = Templates::embedded().expect("parses");
        let policy = render::policy(&samples::ingress_to_db("prod"), &templates).expect("renders");
        let path = "prod/allow-ingress-to-db.yaml";
        let kustomization = format!("{YAML_MARKER}\n# x\nkind: Kustomization\nresources:\n- prod\n");
        let page = format!("{MARKDOWN_MARKER} -->\n# Review\n");
        let json = report::json(&Summary::default()).expect("writes");
        let staged = format!("{YAML_MARKER}\nkind: StagedKubernetesNetworkPolicy\n");
        let above = |comment: &str, text: &str| format!("{comment}\n{text}");
        let without = |gone: &str| policy.replace(gone, "other");
        for (kind, path, text, is_own, what) in [
            (Kind::Policy, path, policy.clone(), true, "as written"),
            (Kind::Policy, path, above("# checked ✔\u{fe0f} by Ann", &policy), true, "a comment above"),
            (Kind::Policy, path, above("---", &policy), true, "a document mark above"),
            (Kind::Policy, path, policy.replace(YAML_MARKER, "# Ours"), true, "the comment does not matter"),
            (Kind::Policy, path, without("netpol-gen/class"), false, "no class"),
            (Kind::Policy, path, policy.replace("class: workload", "class: mine"), false, "no class of ours"),
            (Kind::Policy, path, policy.replace("managed-by: netpol-gen", "managed-by: us"), false, "someone else's label"),
            (Kind::Policy, path, policy.replace("kind: NetworkPolicy", "kind: CiliumNetworkPolicy"), false, "another kind"),
            (Kind::Policy, path, format!("{policy}---\n{policy}"), false, "two documents: the second is not ours"),
            (Kind::Policy, "prod/mine.yaml", policy.clone(), false, "a copy under another name"),
            (Kind::Policy, "dev/allow-ingress-to-db.yaml", policy.clone(), false, "a copy for another namespace"),
            (Kind::Policy, path, YAML_MARKER.into(), false, "the marker alone"),
            (Kind::Policy, path, String::new(), false, "empty"),
            (Kind::Kustomization, "kustomization.yaml", kustomization.clone(), true, "as written"),
            (Kind::Kustomization, "kustomization.yaml", above("# mine\n", &kustomization), true, "a comment above"),
            (Kind::Kustomization, "kustomization.yaml", above("a: b", &kustomization), false, "content above"),
            (Kind::Kustomization, "kustomization.yaml", without("x"), false, "something else"),
            (Kind::Candidates, "prod/_candidates.yaml", format!("{YAML_MARKER}\n# kind: x\n"), true, "as written"),
            (Kind::Candidates, "prod/_candidates.yaml", format!("{YAML_MARKER}\nkind: x\n"), false, "someone made one active"),
            (Kind::Candidates, "prod/_candidates.yaml", "# mine\n".into(), false, "comments of someone else"),
            (Kind::ReviewJson, "REVIEW.json", json.clone(), true, "as written"),
            (Kind::ReviewJson, "REVIEW.json", json.replace("netpol-gen", "us"), false, "of another tool"),
            (Kind::ReviewJson, "REVIEW.json", json.replace("\"version\": 1", "\"version\": 2"), false, "of a later version"),
            (Kind::ReviewJson, "REVIEW.json", "{}".into(), false, "something else"),
            (Kind::Staged, "_staged/prod/x.yaml", staged.clone(), true, "as written"),
            (Kind::Staged, "_staged/prod/x.yaml", staged.replace("Staged", ""), false, "a policy"),
            (Kind::Staged, "_staged/prod/x.yaml", "kind: StagedKubernetesNetworkPolicy\n".into(), false, "someone else's"),
            (Kind::Review, "REVIEW.md", page.clone(), true, "as written"),
            (Kind::Review, "REVIEW.md", above("Read by Ann.\n\n<!-- and Bob -->", &page), true, "a comment above"),
            (Kind::Review, "REVIEW.md", above("# How we review\n", &page), false, "a text of someone who quotes it"),
        ] {
            assert_eq!(kind.is_own(path, &text), is_own, "{kind:?} {what}:\n{text}");
        }
    }
}
