//! What the policies rest on, as far as readiness asks.

use std::collections::{BTreeMap, BTreeSet};

use crate::coverage::{BackTest, Course};
use crate::model::{Code, Findings};
use crate::verify::PolicyName;

/// What was watched, and what was found to be unknown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    /// Whole seconds that were watched.
    pub seconds: u64,
    /// How edges came up, by namespace; one that is not there was not learned.
    pub namespaces: BTreeMap<String, Course>,
    /// What the first part of the time alone would have denied of the rest.
    pub back_test: Option<BackTest>,
    /// What was found.
    pub findings: BTreeSet<Found>,
    /// The policies that were learned from it, with the digests of their rules; `None` if it says nothing of policies.
    pub policies: Option<BTreeMap<PolicyName, String>>,
}

/// A finding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// What kind.
    pub code: Code,
    /// What it is about.
    pub subject: String,
    /// The rest of the sentence.
    pub message: String,
}

impl Evidence {
    /// Takes over the findings of a run.
    pub fn set_findings(&mut self, findings: &Findings) {
        let found = findings.sorted().into_iter().map(|finding| Found {
            code: finding.code,
            subject: finding.subject,
            message: finding.message,
        });
        self.findings = found.collect();
    }
}
