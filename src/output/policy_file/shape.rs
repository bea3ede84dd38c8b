//! The fields of a NetworkPolicy and their types, as the API has them (`networking.k8s.io/v1`).

use serde_json::Value;

use crate::output::yaml::YamlProblem;

use super::tree::{Content, Node};

/// What may stand in a place.
enum Shape {
    Text,
    Number,
    NumberOrText,
    /// Strings by any key.
    Labels,
    List(&'static Self),
    Fields(&'static [(&'static str, Self)]),
}

const SELECTOR: Shape = Shape::Fields(&[
    ("matchLabels", Shape::Labels),
    (
        "matchExpressions",
        Shape::List(&Shape::Fields(&[("key", Shape::Text), ("operator", Shape::Text), ("values", Shape::List(&Shape::Text))])),
    ),
]);
const PEERS: Shape = Shape::List(&Shape::Fields(&[
    ("ipBlock", Shape::Fields(&[("cidr", Shape::Text), ("except", Shape::List(&Shape::Text))])),
    ("namespaceSelector", SELECTOR),
    ("podSelector", SELECTOR),
]));
const PORTS: Shape =
    Shape::List(&Shape::Fields(&[("protocol", Shape::Text), ("port", Shape::NumberOrText), ("endPort", Shape::Number)]));
const SPEC: Shape = Shape::Fields(&[
    ("podSelector", SELECTOR),
    ("policyTypes", Shape::List(&Shape::Text)),
    ("ingress", Shape::List(&Shape::Fields(&[("from", PEERS), ("ports", PORTS)]))),
    ("egress", Shape::List(&Shape::Fields(&[("to", PEERS), ("ports", PORTS)]))),
]);

/// Whether a NetworkPolicy has fields of the API only, each of its type. Of its metadata only what is read is looked at; of its
/// status nothing.
pub(super) fn check(policy: &Node) -> Result<(), YamlProblem> {
    for (key, value) in policy.members() {
        match key.text().unwrap_or_default() {
            "apiVersion" | "kind" => Shape::Text.check(value, key.text().unwrap_or_default())?,
            "spec" => SPEC.check(value, "spec")?,
            "status" => {}
            "metadata" => {
                for (key, value) in value.members() {
                    match key.text().unwrap_or_default() {
                        "name" => Shape::Text.check(value, "metadata.name")?,
                        "namespace" => Shape::Text.check(value, "metadata.namespace")?,
                        "labels" => Shape::Labels.check(value, "metadata.labels")?,
                        "annotations" => Shape::Labels.check(value, "metadata.annotations")?,
                        _ => {}
                    }
                }
            }
            other => return Err(key.problem(&format!("{other}: there is no such field"))),
        }
    }
    Ok(())
}

impl Shape {
    fn check(&self, node: &Node, path: &str) -> Result<(), YamlProblem> {
        let expected = |what: &str| Err(node.problem(&format!("{path}: {what} was expected")));
        match (self, &node.content) {
            // To the API null is a field that is not there.
            (_, Content::Scalar(Value::Null)) | (Self::Text | Self::NumberOrText, Content::Scalar(Value::String(_))) => Ok(()),
            (Self::Number | Self::NumberOrText, Content::Scalar(Value::Number(number))) if number.is_i64() => {
                // The API's numbers have 32 bits.
                let fits = number.as_i64().is_some_and(|number| i32::try_from(number).is_ok());
                if fits { Ok(()) } else { expected("a number of 32 bits") }
            }
            (Self::Labels, Content::Mapping(members)) => {
                let check =
                    |(key, value): &(Node, Node)| Self::Text.check(value, &format!("{path}.{}", key.text().unwrap_or_default()));
                members.iter().try_for_each(check)
            }
            (Self::List(item), Content::Sequence(items)) => {
                items.iter().enumerate().try_for_each(|(position, value)| item.check(value, &format!("{path}[{position}]")))
            }
            (Self::Fields(fields), Content::Mapping(members)) => members.iter().try_for_each(|(key, value)| {
                let name = key.text().unwrap_or_default();
                match fields.iter().find(|(field, _)| *field == name) {
                    Some((_, shape)) => shape.check(value, &format!("{path}.{name}")),
                    None => Err(key.problem(&format!("{path}.{name}: there is no such field"))),
                }
            }),
            (Self::Text, _) => expected("a string"),
            (Self::Number, _) => expected("a number"),
            (Self::NumberOrText, _) => expected("a number or a string"),
            (Self::List(_), _) => expected("a list"),
            (Self::Labels | Self::Fields(_), _) => expected("a mapping"),
        }
    }
}
