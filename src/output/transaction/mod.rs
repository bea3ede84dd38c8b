//! Files of a directory, replaced as one.
//!
//! In: for paths below a directory, new texts, and files that are to go. Out: all of that or nothing of it. Guarantees:
//!
//! - If anything fails, every file is as it was before.
//! - If the process is killed or the power goes, the next [`recover`] brings back every file as it was before, or, where all were
//!   in place already, only cleans up. Until then the directory may hold new files beside old ones, each of them whole.
//! - Two runs never plan for, or write into, one directory at a time: both need its [`DirectoryLock`].
//! - What lies there in place of the tool's own files (a pipe, a socket, a device, a link) is an error and is never opened.
//!
//! How: a directory `.netpol-gen`, there only while a run writes, first takes in all new texts and, under second names, all files that
//! they replace; so a full disk is met before anything has changed. Then a journal of the steps. Only now is it the files' turn, by
//! renames and removals alone. The run is done when the journal is gone. What must outlast a power cut is flushed in that order;
//! flushing directories is left to file systems that can. Whoever reads in between sees some new and some old files, and asks
//! [`half_written`] first.

mod journal;
mod lock;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::output::EmitError;

pub(in crate::output) use lock::DirectoryLock;

/// The directory that is there while a run writes. No namespace's name begins with a dot.
const WORKSPACE: &str = ".netpol-gen";
/// In it: the steps, from the moment that everything is prepared until everything is done.
const JOURNAL: &str = "journal.json";

/// So many files are flushed at a time: it is waiting for the disk, which does many at once as quickly as one.
const FLUSHED: usize = 8;

/// What happens to one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Step {
    /// Relative, with `/`.
    path: String,
    /// Whether there is a new text; else the file goes.
    is_written: bool,
    /// Whether there was a file before.
    was_there: bool,
}

/// A run's changes to a directory. Dropped before [`Transaction::commit`], it leaves nothing behind.
pub(in crate::output) struct Transaction<'a> {
    directory: &'a Path,
    workspace: PathBuf,
    steps: Vec<Step>,
    /// New texts that are not flushed yet, and for which paths they are.
    written: Vec<(File, PathBuf)>,
    /// Whether the workspace must stay for [`recover`].
    is_needed: bool,
}

impl<'a> Transaction<'a> {
    /// Makes room beside the files.
    pub(in crate::output) fn begin(lock: &'a DirectoryLock) -> Result<Self, EmitError> {
        let directory = lock.directory();
        let workspace = directory.join(WORKSPACE);
        fs::create_dir(&workspace).map_err(|source| match source.kind() {
            // Only where directories cannot be locked.
            io::ErrorKind::AlreadyExists => EmitError::Busy { directory: directory.to_owned() },
            _ => EmitError::Unwritable { path: directory.to_owned(), source },
        })?;
        Ok(Self { directory, workspace, steps: Vec::new(), written: Vec::new(), is_needed: false })
    }

    /// Prepares a new text for `path`, where there is a plain file or nothing.
    pub(in crate::output) fn write(&mut self, path: &str, text: &str) -> Result<(), EmitError> {
        let target = self.directory.join(path);
        let prepare = || -> io::Result<File> {
            let mut file = File::create(self.new_file())?;
            file.write_all(text.as_bytes())?;
            if let Ok(metadata) = fs::metadata(&target) {
                file.set_permissions(metadata.permissions())?;
            }
            Ok(file)
        };
        let file = prepare().map_err(unwritable(&target))?;
        self.written.push((file, target));
        if self.written.len() >= FLUSHED {
            self.flush()?;
        }
        self.keep(path, true)
    }

    /// Prepares the removal of the file `path`.
    pub(in crate::output) fn remove(&mut self, path: &str) -> Result<(), EmitError> {
        self.keep(path, false)
    }

    /// Flushes the new texts.
    fn flush(&mut self) -> Result<(), EmitError> {
        let written = std::mem::take(&mut self.written);
        std::thread::scope(|scope| {
            let mut others = Vec::new();
            let mut flushed = Ok(());
            for (file, target) in &written {
                let flush = || file.sync_all().map_err(unwritable(target));
                match std::thread::Builder::new().spawn_scoped(scope, flush) {
                    Ok(other) => others.push(other),
                    // Without threads it takes longer.
                    Err(_) => flushed = flushed.and(flush()),
                }
            }
            let results = others.into_iter().map(|other| other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            results.fold(flushed, Result::and)
        })
    }

    fn new_file(&self) -> PathBuf {
        self.workspace.join(new_name(self.steps.len()))
    }

    /// Keeps what is there under a second name.
    fn keep(&mut self, path: &str, is_written: bool) -> Result<(), EmitError> {
        let target = self.directory.join(path);
        let was_there = target.exists();
        if was_there {
            let kept = self.workspace.join(old_name(self.steps.len()));
            let copy = || fs::copy(&target, &kept).and_then(|_| File::open(&kept)?.sync_all());
            fs::hard_link(&target, &kept).or_else(|_| copy()).map_err(unwritable(&target))?;
        }
        self.steps.push(Step { path: path.to_owned(), is_written, was_there });
        Ok(())
    }

    /// Does what was prepared: all of it, or nothing.
    pub(in crate::output) fn commit(mut self) -> Result<(), EmitError> {
        self.flush()?;
        self.write_journal().map_err(unwritable(&self.workspace))?;
        self.is_needed = true;
        let done = (0..self.steps.len()).try_for_each(|position| self.apply(position));
        match done {
            Ok(()) => sync_all(self.directory, &self.steps),
            Err(_) => undo(self.directory, &self.steps)?,
        }
        fs::remove_file(self.workspace.join(JOURNAL)).map_err(unwritable(&self.workspace))?;
        self.is_needed = false;
        for step in self.steps.iter().filter(|step| !step.is_written) {
            prune(self.directory, &step.path);
        }
        done
    }

    /// From here on the workspace tells [`recover`] the way back.
    fn write_journal(&self) -> io::Result<()> {
        let prepared = self.workspace.join("journal.new");
        let mut file = File::create(&prepared)?;
        file.write_all(&journal::text(&self.steps)?)?;
        file.sync_all()?;
        sync(&self.workspace);
        fs::rename(prepared, self.workspace.join(JOURNAL))?;
        sync(&self.workspace);
        sync(self.directory);
        Ok(())
    }

    fn apply(&self, position: usize) -> Result<(), EmitError> {
        let step = &self.steps[position];
        let target = self.directory.join(&step.path);
        let parent = target.parent().unwrap_or(self.directory);
        let result = if step.is_written {
            fs::create_dir_all(parent).and_then(|()| fs::rename(self.workspace.join(new_name(position)), &target))
        } else {
            fs::remove_file(&target)
        };
        result.map_err(unwritable(&target))
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if !self.is_needed {
            // Where open files cannot be removed.
            self.written.clear();
            let _ = fs::remove_dir_all(&self.workspace);
        }
    }
}

/// Undoes what a run began and did not end.
///
/// # Errors
/// A file cannot be brought back; then nothing is lost, and this may be tried again.
fn recover(lock: &DirectoryLock) -> Result<(), EmitError> {
    let directory = lock.directory();
    let workspace = directory.join(WORKSPACE);
    if !is_directory(&workspace)? {
        return Ok(());
    }
    if let Some(steps) = journal::read(directory)? {
        undo(directory, &steps)?;
        let journal = workspace.join(JOURNAL);
        fs::remove_file(&journal).map_err(unwritable(&journal))?;
    }
    fs::remove_dir_all(&workspace).map_err(unwritable(&workspace))
}

/// The directory at or above this path in which a run has begun to change files and has not ended: files below may be of two runs.
/// Where the path cannot be resolved there is nothing to read either.
pub(in crate::output) fn half_written(path: &Path) -> Option<PathBuf> {
    let path = path.canonicalize().ok()?;
    // Whatever lies in the journal's place: who reads policies does not judge it.
    let is_begun = |directory: &&Path| directory.join(WORKSPACE).join(JOURNAL).symlink_metadata().is_ok();
    path.ancestors().find(is_begun).map(Path::to_owned)
}

/// Takes back the steps that were done; to do so twice does no harm.
fn undo(directory: &Path, steps: &[Step]) -> Result<(), EmitError> {
    let workspace = directory.join(WORKSPACE);
    for (position, step) in steps.iter().enumerate() {
        let target = directory.join(&step.path);
        let (new, old) = (workspace.join(new_name(position)), workspace.join(old_name(position)));
        let is_done = if step.is_written { !new.exists() } else { !target.exists() };
        let result = match (is_done, step.was_there) {
            (true, true) if old.exists() => fs::rename(old, &target),
            (true, false) if target.exists() => fs::remove_file(&target),
            _ => Ok(()),
        };
        result.map_err(|source| EmitError::Unrestored { path: target, source })?;
        if !step.was_there {
            prune(directory, &step.path);
        }
    }
    sync_all(directory, steps);
    Ok(())
}

/// Removes the directories between `directory` and the file, as far as they are empty.
fn prune(directory: &Path, path: &str) {
    let target = directory.join(path);
    for parent in target.ancestors().skip(1).take_while(|parent| *parent != directory) {
        if fs::remove_dir(parent).is_err() {
            return;
        }
    }
}

fn new_name(position: usize) -> String {
    format!("{position}.new")
}

fn old_name(position: usize) -> String {
    format!("{position}.old")
}

fn is_directory(path: &Path) -> Result<bool, EmitError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => Ok(true),
        Ok(_) => Err(EmitError::OddFile { path: path.to_owned(), what: "no directory" }),
        Err(_) => Ok(false),
    }
}

/// Whether the path leads to a place below the directory, through no link.
fn is_inside(directory: &Path, path: &str) -> bool {
    let mut inner = directory.to_owned();
    !path.is_empty()
        && Path::new(path).components().all(|component| {
            inner.push(component);
            matches!(component, Component::Normal(_)) && !inner.is_symlink()
        })
}

/// Flushes the directories in which something has changed.
fn sync_all(directory: &Path, steps: &[Step]) {
    let targets = steps.iter().map(|step| directory.join(&step.path));
    let parents: BTreeSet<PathBuf> = targets.filter_map(|path| Some(path.parent()?.to_owned())).collect();
    for parent in &parents {
        sync(parent);
    }
    sync(directory);
}

/// Flushes a directory, where that can be done.
fn sync(directory: &Path) {
    let _ = File::open(directory).and_then(|directory| directory.sync_all());
}

fn unwritable(path: &Path) -> impl FnOnce(io::Error) -> EmitError {
    let path = path.to_owned();
    |source| EmitError::Unwritable { path, source }
}
