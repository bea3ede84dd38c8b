//! Typed policies to text, and the proof that the text says the same.
//!
//! In: [`Explained`] policies and [`Templates`]. Out: the text of files. Guarantee: whatever the template, every text has been read
//! back, as YAML on which 1.1 and 1.2 readers agree, and says exactly what the typed value says; otherwise an error names the
//! template and the first difference.

use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroUsize;
use std::thread::{Builder, ScopedJoinHandle};

use k8s_openapi::api::networking::v1::NetworkPolicy;
use serde::Serialize;
use serde_json::{Value, json};

use crate::model::{Class, Explained, Policy, Rules};
use crate::review::Reasons;

use super::template::{KUSTOMIZATION, POLICY, Templates};
use super::{EmitError, evidence, manifest, text, words, yaml};

/// The first place where a rendered text differs from what it should say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The field, such as `spec.ingress[1]`.
    pub path: String,
    /// What should be there, as JSON; nothing when nothing should.
    pub expected: Option<String>,
    /// What is there, as JSON; nothing when nothing is.
    pub found: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |value: &Option<String>| value.as_ref().map_or_else(|| "nothing".into(), |value| text::one_line(value, 200));
        write!(formatter, "{} should be {} and is {}", self.path, show(&self.expected), show(&self.found))
    }
}

/// What a policy template is given.
#[derive(Serialize)]
struct PolicyValues {
    purpose: String,
    notes: Vec<String>,
    class: &'static str,
    metadata: Value,
    selector: Value,
    types: Value,
    /// `ingress`, `egress`, or `none`.
    direction: &'static str,
    rules: Vec<RuleValues>,
}

#[derive(Serialize)]
struct RuleValues {
    evidence: Vec<String>,
    peers: Value,
    ports: Value,
}

/// The text of one policy file.
///
/// # Errors
/// The template fails, or what it makes is not the policy.
pub fn policy(explained: &Explained, templates: &Templates) -> Result<String, EmitError> {
    quarantined(explained, &Reasons::new(), templates)
}

/// The text of a policy file in quarantine, with the reasons above its rules.
///
/// # Errors
/// As [`policy`].
pub fn quarantined(explained: &Explained, reasons: &Reasons, templates: &Templates) -> Result<String, EmitError> {
    let policy = &explained.policy;
    let file = format!("{}/{}", policy.namespace, policy.name);
    let rendered = templates.render(POLICY, &file, &policy_values(explained, reasons))?;
    check_policy(policy, &file, &rendered, templates)?;
    Ok(rendered)
}

/// The texts of many policy files, in their order, made by so many threads at most.
///
/// # Errors
/// As [`policy`]: the first there is.
pub fn all(
    policies: &[Explained],
    reasons: &Reasons,
    templates: &Templates,
    threads: NonZeroUsize,
) -> Result<Vec<String>, EmitError> {
    /// Policies that are worth a thread.
    const WORTH: usize = 16;
    let render = |some: &[Explained]| some.iter().map(|explained| quarantined(explained, reasons, templates)).collect();
    let some = policies.len().div_ceil(threads.get()).max(WORTH);
    let Some((first, others)) = policies.split_at_checked(some) else { return render(policies) };
    let rendered: Vec<Result<Vec<String>, EmitError>> = std::thread::scope(|scope| {
        let start = |some| (some, Builder::new().name("render".into()).spawn_scoped(scope, move || render(some)).ok());
        let others: Vec<_> = others.chunks(some).map(start).collect();
        let first = render(first);
        let join = |(some, thread): (_, Option<ScopedJoinHandle<'_, _>>)| match thread {
            Some(thread) => thread.join().unwrap_or_else(|defect| std::panic::resume_unwind(defect)),
            // Without the thread it takes longer.
            None => render(some),
        };
        std::iter::once(first).chain(others.into_iter().map(join)).collect()
    });
    Ok(rendered.into_iter().collect::<Result<Vec<_>, _>>()?.concat())
}

fn policy_values(explained: &Explained, reasons: &Reasons) -> PolicyValues {
    let policy = &explained.policy;
    let object = json!(manifest::write(policy));
    let (direction, peers) = match policy.rules {
        Rules::DenyAll => ("none", ""),
        Rules::Ingress(_) => ("ingress", "from"),
        Rules::Egress(_) => ("egress", "to"),
    };
    let rules = policy.rules.allowing().enumerate().map(|(position, rule)| {
        let written = &object["spec"][direction][position];
        RuleValues {
            evidence: evidence::lines(explained, rule, reasons),
            peers: written[peers].clone(),
            ports: written["ports"].clone(),
        }
    });
    PolicyValues {
        purpose: words::purpose(policy),
        notes: explained.notes.clone(),
        class: policy.class.name(),
        metadata: object["metadata"].clone(),
        selector: object["spec"]["podSelector"].clone(),
        types: object["spec"]["policyTypes"].clone(),
        direction,
        rules: rules.collect(),
    }
}

fn check_policy(policy: &Policy, file: &str, rendered: &str, templates: &Templates) -> Result<(), EmitError> {
    let (template, file) = (templates.origin(POLICY), file.to_owned());
    let raw = match yaml::read(rendered) {
        Ok(raw) => raw,
        Err(source) => return Err(EmitError::TemplateYaml { template, file, source }),
    };
    let expected = json!(manifest::write(policy));
    let differs = |difference| EmitError::TemplateDiffers { template: template.clone(), file: file.clone(), difference };
    let object: NetworkPolicy = match serde_json::from_value(raw.clone()) {
        Ok(object) => object,
        // Not even of the API's shape: the comparison of the plain values tells where.
        Err(error) => {
            let whole = Difference {
                path: "the object".into(),
                expected: Some("a NetworkPolicy".into()),
                found: Some(error.to_string()),
            };
            return Err(differs(first_difference("", &expected, &raw).unwrap_or(whole)));
        }
    };
    // Fields that the API does not have get lost in the typed reading; kubectl refuses them.
    if let Some(difference) = first_difference("", &json!(object), &raw) {
        return Err(differs(difference));
    }
    let metadata = &raw["metadata"];
    let known: BTreeSet<&str> = BTreeSet::from(["name", "namespace", "labels", "annotations"]);
    if let Some((key, value)) = metadata.as_object().into_iter().flatten().find(|(key, _)| !known.contains(key.as_str())) {
        return Err(differs(Difference { path: format!("metadata.{key}"), expected: None, found: Some(value.to_string()) }));
    }
    match manifest::read(&object) {
        Ok(read) if read == *policy => Ok(()),
        Ok(read) => {
            let found = json!(manifest::write(&read));
            let whole =
                Difference { path: "the policy".into(), expected: Some(format!("{policy:?}")), found: Some(format!("{read:?}")) };
            Err(differs(first_difference("", &expected, &found).unwrap_or(whole)))
        }
        Err(source) => Err(EmitError::TemplateUnsayable { template, file, source }),
    }
}

/// The policy of a file of this tool; nothing if it is not one, whatever the reason.
#[must_use]
pub fn read_policy(text: &str) -> Option<Policy> {
    manifest::read(&serde_json::from_value(yaml::read_commented(text).ok()?).ok()?).ok()
}

/// The text of a kustomization. `about` is a sentence for its comment.
///
/// # Errors
/// The template fails, or what it makes is not the kustomization.
pub fn kustomization(file: &str, about: &str, resources: &BTreeSet<String>, templates: &Templates) -> Result<String, EmitError> {
    let rendered = templates.render(KUSTOMIZATION, file, &json!({ "about": about, "resources": resources }))?;
    let (template, file) = (templates.origin(KUSTOMIZATION), file.to_owned());
    match yaml::read(&rendered) {
        Err(source) => Err(EmitError::TemplateYaml { template, file, source }),
        // Anything more, such as patches or a prefix, would change what is applied.
        Ok(read) => match first_difference("", &kustomization_value(resources), &read) {
            Some(difference) => Err(EmitError::TemplateDiffers { template, file, difference }),
            None => Ok(rendered),
        },
    }
}

fn kustomization_value(resources: &BTreeSet<String>) -> Value {
    json!({ "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": resources })
}

/// All policies as one YAML stream: what allows first, the default denies last.
///
/// # Errors
/// As [`policy`].
pub fn stream(policies: &[Explained], templates: &Templates, threads: NonZeroUsize) -> Result<String, EmitError> {
    let texts = all(policies, &Reasons::new(), templates, threads)?;
    let mut ordered: Vec<(&Explained, String)> = policies.iter().zip(texts).collect();
    ordered.sort_by_key(|(explained, _)| (explained.policy.class == Class::DefaultDeny, &explained.policy));
    let texts: Vec<String> = ordered.into_iter().map(|(_, text)| text).collect();
    Ok(texts.join("---\n"))
}

/// Where two values first differ, in the order of `expected`.
pub(super) fn first_difference(path: &str, expected: &Value, found: &Value) -> Option<Difference> {
    let child = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    let lone = |path: String, expected: Option<&Value>, found: Option<&Value>| {
        Some(Difference { path, expected: expected.map(Value::to_string), found: found.map(Value::to_string) })
    };
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            for (key, value) in expected {
                let difference = match found.get(key) {
                    Some(found) => first_difference(&child(key), value, found),
                    None => lone(child(key), Some(value), None),
                };
                if difference.is_some() {
                    return difference;
                }
            }
            let (key, value) = found.iter().find(|(key, _)| !expected.contains_key(*key))?;
            lone(child(key), None, Some(value))
        }
        (Value::Array(expected), Value::Array(found)) => {
            for position in 0..expected.len().max(found.len()) {
                let path = format!("{path}[{position}]");
                let difference = match (expected.get(position), found.get(position)) {
                    (Some(expected), Some(found)) => first_difference(&path, expected, found),
                    (expected, found) => lone(path, expected, found),
                };
                if difference.is_some() {
                    return difference;
                }
            }
            None
        }
        _ if expected == found => None,
        _ => lone(path.to_owned(), Some(expected), Some(found)),
    }
}
