//! The journal of a run's steps, as text and as what is believed of it.
//!
//! In: steps, or the text of a journal that lies in a directory. Out: the text, or the steps. A journal is believed only if undoing it
//! cannot harm anything but the tool's own files: it bears the tool's name, each path is one at which the tool writes files, leads
//! through no link, and what would be removed or replaced there is a plain file that the tool wrote.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::super::manifest::TOOL;
use super::super::ownership::Kind;
use super::super::plain::{self, is_file};
use super::{JOURNAL, Step, WORKSPACE, is_inside, new_name, old_name};
use crate::output::EmitError;

/// The form of the journal. Another one is of another version, which alone knows the way back.
const VERSION: u32 = 1;
/// The longest journal and the longest file that are read. A journal of 100,000 files is a tenth of that.
const LONGEST: u64 = 256 << 20;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Journal {
    tool: String,
    version: u32,
    steps: Vec<Step>,
}

/// The journal of these steps.
pub(super) fn text(steps: &[Step]) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&Journal { tool: TOOL.to_owned(), version: VERSION, steps: steps.to_vec() })
}

/// The steps of the journal that lies in the directory; nothing if none does.
///
/// # Errors
/// It cannot be read, or is not to be believed.
pub(super) fn read(directory: &Path) -> Result<Option<Vec<Step>>, EmitError> {
    let path = directory.join(WORKSPACE).join(JOURNAL);
    if !is_file(&path)? {
        return Ok(None);
    }
    let read = File::open(&path).and_then(|file| plain::read(file, LONGEST));
    let journal: Option<Journal> = match read {
        Ok(text) => serde_json::from_str(&text).ok(),
        Err(error) if matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::FileTooLarge) => None,
        Err(source) => return Err(EmitError::Unreadable { path, source }),
    };
    let steps = journal.filter(|journal| journal.tool == TOOL && journal.version == VERSION).map(|journal| journal.steps);
    let Some(steps) = steps else { return Err(EmitError::BadJournal { path, why: "it is no journal of this tool" }) };
    let mut paths = BTreeSet::new();
    for (position, step) in steps.iter().enumerate() {
        let why = if !paths.insert(step.path.as_str()) {
            Some("it names a file twice")
        } else if !is_inside(directory, &step.path) {
            Some("it names a file elsewhere")
        } else {
            objection(directory, position, step)?
        };
        if let Some(why) = why {
            return Err(EmitError::BadJournal { path, why });
        }
    }
    Ok(Some(steps))
}

/// Why a step is not to be undone.
fn objection(directory: &Path, position: usize, step: &Step) -> Result<Option<&'static str>, EmitError> {
    let Some(kind) = Kind::at(&step.path) else { return Ok(Some("it names a file that this tool never writes")) };
    let workspace = directory.join(WORKSPACE);
    let target = directory.join(&step.path);
    let is_new_left = is_file(&workspace.join(new_name(position)))?;
    let is_old_kept = is_file(&workspace.join(old_name(position)))?;
    let is_there = is_file(&target)?;
    // As `undo` judges it: the step was not done, or is undone already, or there is nothing to lose.
    if !step.is_written || is_new_left || !is_there || (step.was_there && !is_old_kept) {
        return Ok(None);
    }
    let is_own = match File::open(&target).and_then(|file| plain::read(file, LONGEST)) {
        Ok(text) => kind.is_own(&step.path, &text),
        Err(error) if matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::FileTooLarge) => false,
        Err(source) => return Err(EmitError::Unreadable { path: target, source }),
    };
    Ok((!is_own).then_some("it names a file that this tool did not write"))
}
