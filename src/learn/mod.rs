//! The use case `learn`: an observation and an inventory in, proved policies out.
//!
//! In: what was observed, the inventory, the options, the reviewers' decisions. Out: [`Learned`]. Guarantees: the policies are proved
//! by an evaluator that shares no code with their making. A rule that cannot be proved is left out, an edge that no rule allows is
//! named, and both are findings ([`Code::PolicyWithheld`]): one bad object costs its own rules and not the run.
//!
//! [`Code::PolicyWithheld`]: crate::model::Code::PolicyWithheld

mod back_test;
mod pipeline;
mod proof;
mod rejections;
mod withhold;

use thiserror::Error;

use crate::coverage::BackTest;
use crate::edge::Observation;
use crate::inventory::Inventory;
use crate::model::Findings;
use crate::output::report;
use crate::policy::{PolicyOptions, PolicySet};
use crate::review::Reasons;
use crate::review::decisions::{DecisionError, Decisions, Rejected};
use crate::verify::{ClusterView, PolicyError};

use pipeline::Made;
use proof::Seen;

pub use back_test::back_test;

/// What a run learned.
#[derive(Clone, Debug)]
pub struct Learned {
    /// The policies to be applied.
    pub set: PolicySet,
    /// The policies in quarantine; empty where nothing is.
    pub quarantined: PolicySet,
    /// Why the edges in quarantine are there.
    pub reasons: Reasons,
    /// What a reviewer does not want.
    pub rejected: Rejected,
    /// What the first part of the time would have done to the rest.
    pub back_test: Option<BackTest>,
    /// The proof of `set`, alone and together with what is in quarantine.
    pub proof: report::Proof,
    /// What is in quarantine, in words.
    pub quarantine: report::Quarantine,
    /// What is to be said of the policies; those of the observation and the inventory are not among them.
    pub findings: Findings,
}

/// Why nothing was learned.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LearnError {
    /// A decision that cannot be obeyed.
    #[error(transparent)]
    Decision(#[from] DecisionError),
    /// A policy that is malformed.
    #[error(transparent)]
    Policy(#[from] PolicyError),
}

/// Makes policies of what was observed and proves them. Policies on which somebody has to decide and has not lie apart, with
/// `has_quarantine` those of all that looks odd. The observation is afterwards what it was.
///
/// # Errors
/// Decisions that contradict one another or cannot be obeyed.
pub fn learn(
    observation: &mut Observation,
    inventory: &Inventory,
    options: &mut PolicyOptions,
    decisions: &mut Decisions,
    has_quarantine: bool,
) -> Result<Learned, LearnError> {
    let made = pipeline::make(observation, inventory, options, decisions, has_quarantine)?;
    let Made { mut set, mut quarantined, reasons, rejected, back_test, mut findings } = made;
    let world = ClusterView::from_inventory(inventory);
    let dynamic = proof::dynamic_edges(observation, options);
    let seen = Seen::new(observation, &dynamic, &reasons, &rejected);
    let (proof, quarantine) = proof::prove(&seen, &world, (&mut set, &mut quarantined), &reasons, &mut findings)?;
    rejections::check((&set, &quarantined), &world, &rejected)?;
    findings.merge(rejections::still_allowed(&set, inventory, &world, &rejected, &reasons)?);
    Ok(Learned { set, quarantined, reasons, rejected, back_test, proof, quarantine, findings })
}
