//! Labels and the selectors over them (`metav1.LabelSelector`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::NonEmpty;

/// The labels of an object.
pub type Labels = BTreeMap<String, String>;

/// One requirement of a selector; all of a selector's requirements must hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Requirement {
    /// `matchLabels`: the label is there with this value.
    Equals {
        /// The label's key.
        key: String,
        /// Its value.
        value: String,
    },
    /// `matchExpressions`, operator `NotIn`: the label is absent or has none of these values.
    NotIn {
        /// The label's key.
        key: String,
        /// The values it must not have.
        values: BTreeSet<String>,
    },
    /// `matchExpressions`, operator `Exists`: the label is there, whatever its value.
    Present {
        /// The label's key.
        key: String,
    },
    /// `matchExpressions`, operator `DoesNotExist`: the label is absent.
    Absent {
        /// The label's key.
        key: String,
    },
}

impl Requirement {
    /// The key that it asks for.
    pub fn key(&self) -> &str {
        match self {
            Self::Equals { key, .. } | Self::NotIn { key, .. } | Self::Present { key } | Self::Absent { key } => key,
        }
    }

    /// Whether an object with these labels meets it.
    pub fn is_met_by(&self, labels: &Labels) -> bool {
        match self {
            Self::Equals { key, value } => labels.get(key) == Some(value),
            Self::NotIn { key, values } => labels.get(key).is_none_or(|value| !values.contains(value)),
            Self::Present { key } => labels.contains_key(key),
            Self::Absent { key } => !labels.contains_key(key),
        }
    }
}

/// Which pods of one namespace are meant. "Every pod" is said in so many words, never by leaving something out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PodSelector {
    /// `podSelector: {}`.
    EveryPod,
    /// The pods that meet all requirements.
    Labelled(NonEmpty<Requirement>),
}

impl PodSelector {
    /// Whether some label must be there; else pods without any are meant.
    pub fn is_positive(&self) -> bool {
        let asks = |requirement: &Requirement| matches!(requirement, Requirement::Equals { .. } | Requirement::Present { .. });
        matches!(self, Self::Labelled(requirements) if requirements.iter().any(asks))
    }

    /// Whether a pod with these labels is meant.
    pub fn matches(&self, labels: &Labels) -> bool {
        match self {
            Self::EveryPod => true,
            Self::Labelled(requirements) => requirements.iter().all(|requirement| requirement.is_met_by(labels)),
        }
    }
}

/// As `kubectl get -l` takes it: `app=web,tier!=canary,!track`.
impl fmt::Display for PodSelector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Labelled(requirements) = self else {
            return formatter.write_str("every pod");
        };
        for (position, requirement) in requirements.iter().enumerate() {
            if position > 0 {
                formatter.write_str(",")?;
            }
            match requirement {
                Requirement::Equals { key, value } => write!(formatter, "{key}={value}")?,
                Requirement::NotIn { key, values } => {
                    let values: Vec<&str> = values.iter().map(String::as_str).collect();
                    write!(formatter, "{key} notin ({})", values.join(","))?;
                }
                Requirement::Present { key } => formatter.write_str(key)?,
                Requirement::Absent { key } => write!(formatter, "!{key}")?,
            }
        }
        Ok(())
    }
}
