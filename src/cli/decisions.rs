//! The file of decisions, found and read; what is wrong with it becomes a failure that names it.

use std::io;
use std::path::{Path, PathBuf};

use crate::output::{plain, report};
use crate::review::decisions::{DecisionError, Decisions, Rejected, file};

use super::args_checks::Deciding;
use super::console::say;
use super::failure::Failure;

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
    /// Reads the file that was named; or else the usual one beside the policies or, if there is none, in the current directory. Says
    /// which one.
    ///
    /// # Errors
    /// A file that cannot be read, or not understood in every word.
    pub(super) fn read(arguments: &Deciding, policies: &[PathBuf]) -> Result<Self, Failure> {
        let path = match &arguments.decisions {
            Some(path) => path.clone(),
            None if arguments.no_decisions => return Ok(Self::default()),
            None => match find(policies) {
                Some(path) => path,
                None => return Ok(Self::default()),
            },
        };
        let text = read(&path).map_err(|source| Failure::DecisionsUnreadable { path: path.clone(), source })?;
        // The date is that of the day on which it is asked: a decision that ran out must not come back with an old capture.
        let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
        let decisions = file::read(&text).and_then(|decisions| Decisions::new(decisions, today));
        let decisions = decisions.map_err(|source| Failure::Decisions { file: path.display().to_string(), source })?;
        Ok(Self { file: Some(path), decisions })
    }

    /// What became of the decisions, for those who read of the run.
    pub(super) fn summary(&self, rejected: &Rejected) -> Option<report::Decided> {
        let file = self.file.as_ref()?.display().to_string();
        Some(report::Decided::new(file, &self.decisions, rejected))
    }

    /// What is wrong with the decisions, with the file they are in.
    pub(super) fn failure(&self, source: DecisionError) -> Failure {
        Failure::Decisions { file: self.file.as_deref().unwrap_or(Path::new(USUAL)).display().to_string(), source }
    }
}

/// The usual file beside the policies, else in the current directory.
fn find(policies: &[PathBuf]) -> Option<PathBuf> {
    let beside = policies.iter().filter_map(|path| path.parent()).map(|directory| directory.join(USUAL));
    // A link that leads nowhere is there, too, and not to be passed over.
    let mut there: Vec<PathBuf> = beside.chain([USUAL.into()]).filter(|path| path.symlink_metadata().is_ok()).collect();
    let is_same = |one: &PathBuf, other: &PathBuf| one == other || one.canonicalize().ok() == other.canonicalize().ok();
    there.dedup_by(|later, earlier| is_same(later, earlier));
    let path = there.first()?.clone();
    let unused = match &there[1..] {
        [] => String::new(),
        others => format!("; not used: {}", others.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")),
    };
    say(&format!("decisions: applying {}{unused}; --no-decisions ignores them", path.display()));
    Some(path)
}

fn read(path: &Path) -> io::Result<String> {
    plain::read_to_string(path, file::LONGEST)
}
