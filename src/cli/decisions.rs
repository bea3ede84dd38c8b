//! The file of decisions, found and read; what is wrong with it becomes a failure that names it.

use std::io;
use std::path::{Path, PathBuf};

use crate::decision::{DecisionError, Decisions, Rejected, file};
use crate::emit::{plain, review};

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

fn read(path: &Path) -> io::Result<String> {
    plain::read_to_string(path, file::LONGEST)
}
