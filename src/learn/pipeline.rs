//! From what was observed to the policies: those to be applied, and those in quarantine. Nothing is proved yet.

use crate::coverage::BackTest;
use crate::edge::Observation;
use crate::inventory::Inventory;
use crate::model::Findings;
use crate::policy::{self, PolicyOptions, PolicySet};
use crate::review::decisions::{Decisions, Rejected};
use crate::review::{Reasons, Suspicions};

use super::LearnError;
use super::back_test::back_test;

/// What was made.
pub(super) struct Made {
    pub(super) set: PolicySet,
    /// Empty where nothing is in quarantine.
    pub(super) quarantined: PolicySet,
    /// Why the edges in quarantine are there.
    pub(super) reasons: Reasons,
    /// What a reviewer does not want.
    pub(super) rejected: Rejected,
    pub(super) back_test: Option<BackTest>,
    /// Of the policies, and of what looks odd.
    pub(super) findings: Findings,
}

/// Makes the policies, without what is rejected; those on which somebody has to decide and has not lie apart, with
/// `has_quarantine` those of all that looks odd. The observation is afterwards what it was.
pub(super) fn make(
    observation: &mut Observation,
    inventory: &Inventory,
    options: &mut PolicyOptions,
    decisions: &mut Decisions,
    has_quarantine: bool,
) -> Result<Made, LearnError> {
    options.widenings = decisions.widenings();
    options.rejections = decisions.rejections();
    let subjects = policy::subjects(inventory, options);
    let mut rejected = decisions.apply(observation, inventory, |namespace| subjects.contains(namespace))?;
    let suspicions = Suspicions::new(observation, inventory, &subjects, decisions.vouched(observation));
    let mut findings = suspicions.findings(observation);
    let mut quarantine = suspicions.quarantine(observation, has_quarantine);
    // Before the policies themselves are made: only one set of them is in memory at a time.
    let back_test = back_test(observation, inventory, options)?;
    let mut set = policy::make(observation, inventory, options);
    let mut quarantined = policy::make_quarantined(&quarantine.edges, &quarantine.dynamic, inventory, options);
    findings.merge(std::mem::take(&mut set.findings));
    findings.merge_new(std::mem::take(&mut quarantined.findings));
    set.obey(decisions, &rejected)?;
    quarantine.give_back(observation);
    rejected.restore(observation);
    Ok(Made { set, quarantined, reasons: quarantine.reasons, rejected, back_test, findings })
}
