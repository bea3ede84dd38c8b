//! `metav1.LabelSelector`, as the API reads it.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::error::PolicyFault;
use crate::model::Labels;

/// All requirements must hold; without any, everything is selected. In order, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Selector(Box<[Requirement]>);

/// One requirement on one label.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Requirement {
    /// The label is there with one of the values (`In`; a `matchLabels` entry is one with a single value).
    In(String, Box<[String]>),
    /// The label has another value, or is absent (concept page "Labels and Selectors", set-based requirements).
    NotIn(String, Box<[String]>),
    /// The label is there.
    Exists(String),
    /// The label is absent.
    DoesNotExist(String),
}

impl Requirement {
    fn key(&self) -> &str {
        let (Self::In(key, _) | Self::NotIn(key, _) | Self::Exists(key) | Self::DoesNotExist(key)) = self;
        key
    }

    fn holds(&self, labels: &Labels) -> bool {
        let value = labels.get(self.key());
        match self {
            Self::In(_, values) => value.is_some_and(|value| values.contains(value)),
            Self::NotIn(_, values) => value.is_none_or(|value| !values.contains(value)),
            Self::Exists(_) => value.is_some(),
            Self::DoesNotExist(_) => value.is_none(),
        }
    }
}

impl Selector {
    pub(super) fn new(selector: &LabelSelector) -> Result<Self, PolicyFault> {
        let mut requirements = BTreeSet::new();
        for (key, value) in selector.match_labels.iter().flatten() {
            requirements.insert(Requirement::In(key.clone(), [value.clone()].into()));
        }
        for expression in selector.match_expressions.iter().flatten() {
            let (key, operator) = (expression.key.clone(), expression.operator.clone());
            let values: BTreeSet<&String> = expression.values.iter().flatten().collect();
            let values: Box<[String]> = values.into_iter().cloned().collect();
            requirements.insert(match (operator.as_str(), values.is_empty()) {
                ("In", false) => Requirement::In(key, values),
                ("NotIn", false) => Requirement::NotIn(key, values),
                ("Exists", true) => Requirement::Exists(key),
                ("DoesNotExist", true) => Requirement::DoesNotExist(key),
                ("In" | "NotIn", true) => return Err(PolicyFault::ValuesMissing { key, operator }),
                ("Exists" | "DoesNotExist", false) => return Err(PolicyFault::ValuesGiven { key, operator }),
                _ => return Err(PolicyFault::UnknownOperator(operator)),
            });
        }
        Ok(Self(requirements.into_iter().collect()))
    }

    pub(super) fn matches(&self, labels: &Labels) -> bool {
        self.0.iter().all(|requirement| requirement.holds(labels))
    }

    /// The labels it looks at.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(Requirement::key)
    }

    /// The least labels that match, once for each choice among listed values; the value is empty where any will do. The first ones, where
    /// there are many.
    pub(super) fn branches(&self) -> impl Iterator<Item = Labels> {
        const MOST: usize = 256;
        let mut branches = vec![Labels::new()];
        for requirement in &self.0 {
            let (key, values) = match requirement {
                Requirement::In(key, values) => (key, &**values),
                Requirement::Exists(key) => (key, &[String::new()][..]),
                Requirement::NotIn(..) | Requirement::DoesNotExist(_) => continue,
            };
            let with = |branch: &Labels| {
                let mut labels = branch.clone();
                move |value: &String| {
                    labels.insert(key.clone(), value.clone());
                    labels.clone()
                }
            };
            branches = branches.iter().flat_map(|branch| values.iter().map(with(branch))).take(MOST).collect();
        }
        branches.into_iter().filter(|labels| self.matches(labels))
    }

    /// For one of its requirements, the label and values of which every match has one: where an index can start.
    pub(super) fn anchor(&self) -> Option<(&str, &[String])> {
        let anchors = self.0.iter().filter_map(|requirement| match requirement {
            Requirement::In(key, values) => Some((key.as_str(), &**values)),
            _ => None,
        });
        anchors.min_by_key(|(_, values)| values.len())
    }
}
