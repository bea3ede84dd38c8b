//! Whether what lies at a path is a plain file.
//!
//! Pipes, sockets and devices are never opened: one to which nobody writes would not answer, and others have no end.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use super::EmitError;

/// Whether there is a file; a link or anything else that is not a plain file is an error.
pub(super) fn is_file(path: &Path) -> Result<bool, EmitError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(true),
        Ok(metadata) => Err(EmitError::OddFile { path: path.to_owned(), what: what_is(&metadata) }),
        Err(error) if is_absent(&error) => Ok(false),
        Err(source) => Err(EmitError::Unreadable { path: path.to_owned(), source }),
    }
}

/// Whether an error says that there is nothing.
pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// What lies there, for messages.
pub(super) fn what_is(metadata: &fs::Metadata) -> &'static str {
    if metadata.is_symlink() {
        "a symbolic link"
    } else if metadata.is_dir() {
        "a directory"
    } else if metadata.is_file() {
        "a file"
    } else {
        "no ordinary file"
    }
}

/// Reads a file that a person named, or that lies in a directory that was named. Links are followed. A pipe is read only where a
/// shell made it for the command (`<(kubectl get ...)`).
///
/// # Errors
/// It is no plain file, or cannot be read as text.
pub fn read_to_string(path: &Path) -> io::Result<String> {
    check(path)?;
    fs::read_to_string(path)
}

/// Holds that a path leads to what can be read to its end, as [`read_to_string`] says.
///
/// # Errors
/// It does not, or there is nothing.
pub fn check(path: &Path) -> io::Result<()> {
    let metadata = fs::metadata(path)?;
    let is_of_shell = ["/dev/fd", "/proc", "/dev/stdin"].iter().any(|place| path.starts_with(place));
    if metadata.is_file() || is_of_shell {
        return Ok(());
    }
    let kind = if metadata.is_dir() { ErrorKind::IsADirectory } else { ErrorKind::InvalidInput };
    Err(io::Error::new(kind, format!("it is {}", what_is(&metadata))))
}
