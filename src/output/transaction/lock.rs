//! The lock on an output directory: one run at a time reads what is there and changes it.
//!
//! The lock is on the directory itself, so that no file has to be created for it and none can be removed under it. Wrong where the file
//! system cannot lock a directory (some network file systems): there, two runs at once are found out only while one of them writes.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::recover;
use crate::output::EmitError;
use crate::output::directories::{make, unmake};

/// How often a directory may vanish before it is locked, because a run that failed removes the one it created.
const ATTEMPTS: usize = 100;

/// An output directory that this run alone may change. Dropping it frees the directory, and removes it if it was created for this run
/// and is empty.
#[derive(Debug)]
pub(in crate::output) struct DirectoryLock {
    directory: PathBuf,
    /// Directories created for this run, outer first.
    made: Vec<PathBuf>,
    /// Held to the end; `None` where directories cannot be locked.
    _file: Option<File>,
}

impl DirectoryLock {
    /// Creates the directory if it is missing, locks it, and undoes what a killed run left there.
    ///
    /// # Errors
    /// Another run has the lock, the directory cannot be created, or a file of the killed run cannot be brought back.
    pub(in crate::output) fn take(directory: &Path) -> Result<Self, EmitError> {
        let unwritable = |source| EmitError::Unwritable { path: directory.to_owned(), source };
        for attempt in 1..=ATTEMPTS {
            let mut made = Vec::new();
            if let Err(source) = make(directory, &mut made) {
                unmake(&made);
                if source.kind() == ErrorKind::NotFound && attempt < ATTEMPTS {
                    continue;
                }
                return Err(unwritable(source));
            }
            // A pipe in the directory's place must not be opened: that would wait.
            let file = if directory.is_dir() { File::open(directory).ok() } else { None };
            let file = match file.as_ref().map(File::try_lock) {
                Some(Ok(())) => file,
                Some(Err(fs::TryLockError::WouldBlock)) => return Err(EmitError::Busy { directory: directory.to_owned() }),
                Some(Err(fs::TryLockError::Error(_))) | None => None,
            };
            if file.as_ref().is_none_or(|file| is_at(file, directory)) {
                let lock = Self { directory: directory.to_owned(), made, _file: file };
                recover(&lock)?;
                return Ok(lock);
            }
        }
        Err(EmitError::Busy { directory: directory.to_owned() })
    }

    /// The directory.
    pub(in crate::output) fn directory(&self) -> &Path {
        &self.directory
    }
}

impl Drop for DirectoryLock {
    fn drop(&mut self) {
        unmake(&self.made);
    }
}

/// Whether the open directory is still the one at this path.
#[cfg(unix)]
fn is_at(file: &File, directory: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let place = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    file.metadata().ok().map(place) == fs::metadata(directory).ok().map(place)
}

#[cfg(not(unix))]
fn is_at(_: &File, directory: &Path) -> bool {
    directory.is_dir()
}
