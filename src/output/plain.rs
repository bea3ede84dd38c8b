//! Whether what lies at a path is a plain file.
//!
//! Pipes, sockets and devices are never opened: one to which nobody writes would not answer, and others have no end.

use std::fs;
use std::io::{self, ErrorKind, Read};
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
/// It is no plain file, is longer than `longest` bytes, or cannot be read as text.
pub fn read_to_string(path: &Path, longest: u64) -> io::Result<String> {
    check(path)?;
    read(fs::File::open(path)?, longest)
}

/// All that is left of a text.
///
/// # Errors
/// It is longer than `longest` bytes, or cannot be read as text.
pub fn read(source: impl Read, longest: u64) -> io::Result<String> {
    let mut text = String::new();
    let read = source.take(longest.saturating_add(1)).read_to_string(&mut text);
    if u64::try_from(text.len()).is_ok_and(|length| length > longest) {
        return Err(io::Error::new(ErrorKind::FileTooLarge, format!("it is longer than {longest} bytes")));
    }
    read.map(|_| text)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_an_end() {
        let letters = |count| io::repeat(b'a').take(count);
        assert_eq!(read(letters(10), 10).expect("a text").len(), 10);
        for source in [letters(11), letters(u64::MAX)] {
            assert_eq!(read(source, 10).expect_err("too long").kind(), ErrorKind::FileTooLarge);
        }
    }
}
