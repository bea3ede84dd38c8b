//! A policy, or its rules alone, as YAML for a person to paste: without the marks by which the tool knows its own files, so that no
//! later run takes it for one of them.

use serde_json::{Value, json};

use crate::model::{Policy, Rules};
use crate::output::{manifest, yaml};

/// The keys in the order in which people write them; others come after them.
const ORDER: [&str; 10] =
    ["apiVersion", "kind", "metadata", "namespaceSelector", "podSelector", "policyTypes", "from", "to", "protocol", "port"];

/// The list of the spec that the rules are in.
pub(super) const fn list(policy: &Policy) -> &'static str {
    match policy.rules {
        Rules::Egress(_) => "egress",
        Rules::Ingress(_) | Rules::DenyAll => "ingress",
    }
}

/// The items of that list.
pub(super) fn rules(policy: &Policy) -> String {
    let mut text = String::new();
    write(&json!(manifest::write(policy))["spec"][list(policy)], "", &mut text);
    text
}

/// The whole policy.
pub(super) fn whole(policy: &Policy) -> String {
    let mut object = json!(manifest::write(policy));
    object["metadata"] = json!({ "name": policy.name, "namespace": policy.namespace });
    let mut text = String::new();
    write(&object, "", &mut text);
    text
}

/// Any object in block style.
pub(in crate::output) fn object(object: &Value) -> String {
    let mut text = String::new();
    write(object, "", &mut text);
    text
}

/// A mapping or list in block style, each line behind `indent`.
fn write(value: &Value, indent: &str, text: &mut String) {
    match value {
        Value::Object(members) => {
            let mut members: Vec<(&String, &Value)> = members.iter().collect();
            members.sort_by_key(|(key, _)| ORDER.iter().position(|known| known == key).unwrap_or(ORDER.len()));
            for (position, (key, value)) in members.into_iter().enumerate() {
                // The first key stands behind the dash of its item.
                let indent = if position == 0 && text.ends_with("- ") { "" } else { indent };
                text.push_str(indent);
                text.push_str(&yaml::scalar(key));
                text.push(':');
                member(value, &" ".repeat(indent_of(text)), text);
            }
        }
        Value::Array(items) => {
            for item in items {
                text.push_str(indent);
                text.push_str("- ");
                if matches!(item, Value::Object(members) if !members.is_empty()) {
                    write(item, &format!("{indent}  "), text);
                } else {
                    text.push_str(&flow(item));
                    text.push('\n');
                }
            }
        }
        other => {
            text.push_str(&flow(other));
            text.push('\n');
        }
    }
}

/// The value of a key that stands at this depth.
fn member(value: &Value, indent: &str, text: &mut String) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            text.push('\n');
            write(value, &format!("{indent}  "), text);
        }
        Value::Array(items) if !items.is_empty() => {
            text.push('\n');
            write(value, indent, text);
        }
        other => {
            text.push(' ');
            text.push_str(&flow(other));
            text.push('\n');
        }
    }
}

/// How far the key in the last line stands from its beginning, dashes included.
fn indent_of(text: &str) -> usize {
    let line = text.rsplit('\n').next().unwrap_or_default();
    line.len() - line.trim_start_matches([' ', '-']).len()
}

fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => yaml::scalar(text),
        Value::Object(_) => "{}".to_owned(),
        Value::Array(_) => "[]".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::tests::samples;

    #[test]
    fn what_is_pasted_says_the_same() {
        for explained in [samples::ingress_to_db("prod"), samples::dns("prod"), samples::internet_to_web("prod")] {
            let policy = &explained.policy;
            let expected = json!(manifest::write(policy));
            let (whole, rules) = (whole(policy), rules(policy));
            let read: Value = serde_saphyr::from_str(&whole).unwrap_or_else(|error| panic!("{error}:\n{whole}"));
            assert_eq!(read["spec"], expected["spec"], "{whole}");
            assert_eq!(read["metadata"], json!({"name": policy.name, "namespace": "prod"}), "{whole}");
            let read: Value = serde_saphyr::from_str(&rules).unwrap_or_else(|error| panic!("{error}:\n{rules}"));
            assert_eq!(read, expected["spec"][list(policy)], "{rules}");
            assert!(yaml::read(&whole).is_ok(), "all readers agree upon it: {whole}");
        }
        let rules = rules(&samples::ingress_to_db("prod").policy);
        assert_eq!(
            rules,
            "- from:\n  - podSelector:\n      matchLabels:\n        name: api-pod\n  ports:\n  - protocol: TCP\n    port: 3306\n"
        );
    }
}
