//! The file of decisions, found and read; what is wrong with it becomes a failure that names it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use k8s_openapi::api::networking::v1::NetworkPolicy;

use crate::decision::{DecisionError, Decisions, Rejected, file};
use crate::edge::Observation;
use crate::emit::{self, review};
use crate::inventory::Inventory;
use crate::model::{Code, Edge, Findings};
use crate::policy::{PolicyOptions, PolicySet, subjects};
use crate::suspicion::Reasons;
use crate::verify::{self, PolicyName, World};

use super::args_checks::Deciding;
use super::failure::Failure;
use super::recording::say;

/// The file that is taken unasked, where there is one.
pub(super) const USUAL: &str = "netpol-gen.yaml";

/// The decisions of a run; none where there is no file.
#[derive(Debug, Default)]
pub(super) struct Decided {
    /// As it was named.
    pub(super) file: Option<PathBuf>,
    pub(super) decisions: Decisions,
}

impl Decided {
    /// Reads the file that was named, or the usual one of the current directory, and says so.
    ///
    /// # Errors
    /// A file that cannot be read, or not understood in every word.
    pub(super) fn read(arguments: &Deciding) -> Result<Self, Failure> {
        let path = match &arguments.decisions {
            Some(path) => path.clone(),
            // A link that leads nowhere is there, too, and not to be passed over.
            None if !arguments.no_decisions && Path::new(USUAL).symlink_metadata().is_ok() => {
                say(&format!("decisions: those of {USUAL} in this directory are obeyed; --no-decisions leaves them out"));
                USUAL.into()
            }
            None => return Ok(Self::default()),
        };
        let text = read(&path).map_err(|source| Failure::DecisionsUnreadable { path: path.clone(), source })?;
        // The date is that of the day on which it is asked: a decision that ran out must not come back with an old capture.
        let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
        let decisions = file::read(&text).and_then(|decisions| Decisions::new(decisions, today));
        let decisions = decisions.map_err(|source| Failure::Decisions { file: path.display().to_string(), source })?;
        Ok(Self { file: Some(path), decisions })
    }

    /// Takes what is rejected out of the observation, and asks for the ranges that were decided.
    pub(super) fn apply(
        &mut self,
        observation: &mut Observation,
        inventory: &Inventory,
        options: &mut PolicyOptions,
    ) -> Result<Rejected, Failure> {
        options.widenings = self.decisions.widenings();
        options.rejections = self.decisions.rejections();
        let subjects = subjects(inventory, options);
        let applied = self.decisions.apply(observation, inventory, |namespace| subjects.contains(namespace));
        applied.map_err(|error| self.failure(error))
    }

    /// Gives the policies their names and notes.
    pub(super) fn obey(&mut self, set: &mut PolicySet, rejected: &Rejected) -> Result<(), Failure> {
        set.obey(&mut self.decisions, rejected).map_err(|error| self.failure(error))
    }

    /// Holds the policies, also together with those in quarantine, to what is rejected.
    ///
    /// # Errors
    /// The first edge that the policies let through themselves.
    pub(super) fn hold(
        &self,
        (set, quarantined): (&PolicySet, &PolicySet),
        inventory: &Inventory,
        rejected: &Rejected,
    ) -> Result<(), Failure> {
        if rejected.is_empty() {
            return Ok(());
        }
        let policies = [written(set), written(quarantined)].concat();
        let edges = rejected.edges().map(|(edge, _)| edge);
        if let Some(first) = verify::admitted(&policies, &World::from_inventory(inventory), edges)?.first()
            && let Some(rejection) = rejected.get(&first.edge)
        {
            let (line, what) = (rejection.decision.line, Box::new(rejection.decision.what.clone()));
            let (edge, by) = (Box::new(first.edge.clone()), first.to_string());
            return Err(self.failure(DecisionError::Reallowed { line, what, edge, by }));
        }
        Ok(())
    }

    /// What became of the decisions, for those who read of the run.
    pub(super) fn summary(&self, rejected: &Rejected) -> Option<review::Decided> {
        let file = self.file.as_ref()?.display().to_string();
        Some(review::Decided::new(file, &self.decisions, rejected))
    }

    /// What is wrong with the decisions, with the file they are in.
    pub(super) fn failure(&self, source: DecisionError) -> Failure {
        Failure::Decisions { file: self.file.as_deref().unwrap_or(Path::new(USUAL)).display().to_string(), source }
    }
}

/// Which policies that the cluster has and that stay there let through what is rejected or in quarantine. Policies add up, also those of
/// an earlier run that this one no longer makes: they stay until someone deletes them.
pub(super) fn still_allowed(
    set: &PolicySet,
    inventory: &Inventory,
    rejected: &Rejected,
    reasons: &Reasons,
) -> Result<Findings, Failure> {
    let mut findings = Findings::default();
    if inventory.existing_policies().is_empty() || rejected.is_empty() && reasons.is_empty() {
        return Ok(findings);
    }
    let world = World::from_inventory(inventory);
    let mut policies = written(set);
    // What is allowed on purpose all the same, by what is widened, is said elsewhere.
    let own: BTreeSet<Edge> =
        verify::admitted(&policies, &world, reasons.keys())?.into_iter().map(|admitted| admitted.edge).collect();
    let names: BTreeSet<_> =
        policies.iter().map(|policy| (policy.metadata.namespace.clone(), policy.metadata.name.clone())).collect();
    let is_made = |policy: &NetworkPolicy| names.contains(&(policy.metadata.namespace.clone(), policy.metadata.name.clone()));
    let stays = |policy: &&NetworkPolicy| !is_made(policy) && verify::check(policy).is_ok();
    policies.extend(inventory.existing_policies().iter().filter(stays).cloned());
    let edges = rejected.edges().map(|(edge, _)| edge).chain(reasons.keys().filter(|edge| !own.contains(edge)));
    for admitted in verify::admitted(&policies, &world, edges)? {
        let why = if rejected.contains(&admitted.edge) { "rejected by decision" } else { "in quarantine" };
        let by: BTreeSet<&PolicyName> = admitted.by.iter().map(|rule| &rule.policy).collect();
        let is_old = |policy: &&&PolicyName| !names.contains(&(Some(policy.namespace.clone()), Some(policy.name.clone())));
        for policy in by.iter().filter(is_old) {
            let message = format!("would still let {} through, which is {why}", admitted.edge);
            findings.add(Code::ExistingPolicy, policy.to_string(), message);
        }
    }
    Ok(findings)
}

fn written(set: &PolicySet) -> Vec<NetworkPolicy> {
    set.policies.iter().map(|explained| emit::manifest::write(&explained.policy)).collect()
}

fn read(path: &Path) -> io::Result<String> {
    if fs::metadata(path)?.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a directory"));
    }
    let mut text = String::new();
    File::open(path)?.take(file::LONGEST + 1).read_to_string(&mut text)?;
    if u64::try_from(text.len()).is_ok_and(|length| length <= file::LONGEST) {
        Ok(text)
    } else {
        Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is longer than {} bytes", file::LONGEST)))
    }
}
