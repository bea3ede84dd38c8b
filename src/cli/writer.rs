//! Which user writes the files of a live run, and where that user can.
//!
//! Root gives up being root before it decodes the first frame. In: the user who typed `sudo`, or else `nobody`; the directories of the
//! run. Out: directories that are there and in which that user can write, before anything is captured. What is missing is made, and
//! given to the user; so is a directory of an earlier run of root's. A directory of anybody else is left as it is: that it cannot be
//! written to is an error.
//!
//! Root's own directories are often closed to others from above (`/root`, a temporary directory): there, the directory is held open and
//! reached by way of `/proc/self/fd`. Messages and files name it as it was typed ([`as_named`]).

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::capture::{self, User};
use crate::output::directories::{make, unmake};
use crate::output::layout::REVIEW_JSON;
use crate::output::report;

use super::failure::Failure;
use super::session;

/// Number of user and group that have nothing, where `/etc/passwd` names none.
const NOBODY: User = User { uid: 65534, gid: 65534 };

/// Directories that are reached by being held open, until the process ends, and how they were named.
static HELD: Mutex<Vec<(File, String)>> = Mutex::new(Vec::new());

/// Whose the files are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Writer {
    /// User that a root process switches to; `None` if the process is not root's.
    pub(super) user: Option<User>,
}

/// A directory that the writer can write in. Dropped before [`Directory::keep`], what was made for it is removed.
#[derive(Debug)]
pub(super) struct Directory {
    /// By which it is reached.
    pub(super) path: PathBuf,
    /// Directories that were made, outer first.
    made: Vec<PathBuf>,
}

/// What a directory of an earlier run is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// Flow files and inventories.
    Record,
    /// Policies.
    Output,
}

impl Writer {
    /// By who runs the program.
    pub(super) fn of_process() -> Self {
        if !capture::is_root() {
            return Self { user: None };
        }
        let number = |name: &str| std::env::var(name).ok()?.parse::<u32>().ok().filter(|number| ![0, u32::MAX].contains(number));
        let of_sudo = number("SUDO_UID").zip(number("SUDO_GID")).map(|(uid, gid)| User { uid, gid });
        let user = of_sudo.or_else(|| nobody(&fs::read_to_string("/etc/passwd").unwrap_or_default())).unwrap_or(NOBODY);
        Self { user: Some(user) }
    }

    /// Makes the directory if it is missing, and holds that the writer can write in it.
    pub(super) fn directory(self, named: &Path, purpose: Use) -> Result<Directory, Failure> {
        let mut directory = Directory { path: named.to_owned(), made: Vec::new() };
        let failed = |source| Failure::Unwritable { path: named.to_owned(), source };
        make(named, &mut directory.made).map_err(failed)?;
        self.give(&directory.made).map_err(failed)?;
        let refused = match self.try_to_write(named) {
            Ok(()) => return Ok(directory),
            Err(error) => error,
        };
        if self.user.is_none() {
            return Err(failed(refused));
        }
        // The way there may be closed, or the directory itself may be root's.
        let held = File::open(named).map_err(failed)?;
        let path = by_number(&held);
        if self.try_to_write(&path).is_err() {
            let own = purpose.own(named).map_err(failed)?;
            if own.is_empty() {
                return Err(self.not_the_writers(named));
            }
            self.give(&own).map_err(failed)?;
        }
        if self.try_to_write(named).is_ok() {
            return Ok(directory);
        }
        self.try_to_write(&path).map_err(|_| self.not_the_writers(named))?;
        HELD.lock().unwrap_or_else(PoisonError::into_inner).push((held, named.display().to_string()));
        directory.path = path;
        Ok(directory)
    }

    /// A file that was made by root, for the writer.
    pub(super) fn give_file(self, path: &Path) -> Result<(), Failure> {
        self.give(&[path.to_owned()]).map_err(|source| Failure::Unwritable { path: path.to_owned(), source })
    }

    #[cfg(unix)]
    fn give(self, paths: &[PathBuf]) -> io::Result<()> {
        let Some(user) = self.user else { return Ok(()) };
        paths.iter().try_for_each(|path| std::os::unix::fs::lchown(path, Some(user.uid), Some(user.gid)))
    }

    #[cfg(not(unix))]
    fn give(self, _paths: &[PathBuf]) -> io::Result<()> {
        Ok(())
    }

    /// Makes a file without a name there, as the writer.
    fn try_to_write(self, directory: &Path) -> io::Result<()> {
        capture::as_user(self.user, || tempfile::tempfile_in(directory).map(drop))?
    }

    fn not_the_writers(self, named: &Path) -> Failure {
        Failure::NotTheWriters { path: named.to_owned(), uid: self.user.map_or(0, |user| user.uid) }
    }
}

impl Directory {
    /// From here on it stays, whatever becomes of the run.
    pub(super) fn keep(&mut self) {
        self.made.clear();
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        unmake(&self.made);
    }
}

impl Use {
    /// What an earlier run of root's left in a directory, itself first; nothing if the directory is not such a run's.
    fn own(self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        let mut own = vec![directory.to_owned()];
        let mut is_runs = is_roots(directory)?;
        let mut is_empty = true;
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            is_empty = false;
            let (path, kind) = (entry.path(), entry.file_type()?);
            match self {
                Self::Record if kind.is_file() && session::is_own(&path) && is_roots(&path)? => own.push(path),
                Self::Record => is_runs = false,
                // New files take the place of old ones there, whose owner does not matter.
                Self::Output if kind.is_dir() => {
                    let inner = fs::read_dir(&path)?.collect::<io::Result<Vec<_>>>()?;
                    let inner = inner.into_iter().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
                    own.extend(inner.map(|entry| entry.path()));
                    own.push(path);
                }
                Self::Output => {}
            }
        }
        if self == Self::Output && !is_empty {
            let path = directory.join(REVIEW_JSON);
            let is_file = path.symlink_metadata().is_ok_and(|metadata| metadata.is_file());
            is_runs &= is_file && fs::read_to_string(path).is_ok_and(|text| report::read(&text).is_some());
        }
        Ok(if is_runs { own } else { Vec::new() })
    }
}

/// Whether only root can have put it there: root's own, under one name, and writable by nobody else.
#[cfg(unix)]
fn is_roots(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = path.symlink_metadata()?;
    let is_under_one_name = metadata.is_dir() || metadata.nlink() == 1;
    Ok(metadata.uid() == 0 && metadata.mode() & 0o022 == 0 && is_under_one_name)
}

#[cfg(not(unix))]
fn is_roots(_path: &Path) -> io::Result<bool> {
    Ok(false)
}

/// A text with directories called as they were named.
pub(super) fn as_named(text: &str) -> String {
    let held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    held.iter().fold(text.to_owned(), |text, (file, named)| called(&text, &by_number(file).display().to_string(), named))
}

/// A text with a path called by another name.
fn called(text: &str, path: &str, named: &str) -> String {
    let mut parts = text.split(path);
    let mut renamed = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // Its number may be the beginning of another one.
        renamed.push_str(if part.starts_with(|next: char| next.is_ascii_digit()) { path } else { named });
        renamed.push_str(part);
    }
    renamed
}

#[cfg(unix)]
fn by_number(held: &File) -> PathBuf {
    use std::os::fd::AsRawFd as _;
    PathBuf::from(format!("/proc/self/fd/{}", held.as_raw_fd()))
}

#[cfg(not(unix))]
fn by_number(_held: &File) -> PathBuf {
    PathBuf::new()
}

/// The user `nobody` of a table of users.
fn nobody(table: &str) -> Option<User> {
    let fields = table.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let numbers = fields.filter_map(|fields| match fields.as_slice() {
        ["nobody", _, uid, gid, ..] => Some(User { uid: uid.parse().ok()?, gid: gid.parse().ok()? }),
        _ => None,
    });
    numbers.into_iter().find(|user| user.uid != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_found_by_name_and_is_never_root() {
        for (table, expected) in [
            ("root:x:0:0::/root:/bin/sh\nnobody:x:99:98::/:/sbin/nologin\n", Some(User { uid: 99, gid: 98 })),
            ("nobody:x:0:0::/:/bin/sh\n", None),
            ("nobody:x:many:98::/:\n", None),
            ("somebody:x:99:98::/:\n", None),
            ("", None),
        ] {
            assert_eq!(nobody(table), expected, "{table}");
        }
    }

    #[test]
    fn a_directory_is_called_as_it_was_named() {
        let text = "write /proc/self/fd/7/prod/a.yaml, /proc/self/fd/70, /proc/self/fd/7: no";
        assert_eq!(called(text, "/proc/self/fd/7", "out"), "write out/prod/a.yaml, /proc/self/fd/70, out: no");
    }

    #[test]
    fn only_a_directory_of_an_earlier_run_is_taken() {
        let folder = tempfile::tempdir().expect("a directory");
        let with = |files: &[&str]| {
            let directory = tempfile::tempdir_in(folder.path()).expect("a directory").keep();
            for file in files {
                let path = directory.join(file);
                fs::create_dir_all(path.parent().expect("a parent")).expect("makes");
                let review = report::json(&report::Summary::default()).expect("JSON");
                fs::write(path, if file.ends_with("REVIEW.json") { review } else { String::new() }).expect("writes");
            }
            directory
        };
        let rows: [(&str, Use, &[&str], usize); 7] = [
            ("an empty directory of flow files", Use::Record, &[], 1),
            ("a run", Use::Record, &["20231114T221320000Z.flows.zst", "20231114T221320000Z.inventory.zst"], 3),
            ("a run and something else", Use::Record, &["20231114T221320000Z.flows.zst", "passwd"], 0),
            ("an empty output", Use::Output, &[], 1),
            ("an earlier output", Use::Output, &["REVIEW.json", "prod/a.yaml", "prod/default-deny/b.yaml"], 3),
            ("someone's files", Use::Output, &["passwd"], 0),
            ("someone's directories", Use::Output, &["etc/passwd"], 0),
        ];
        for (what, purpose, files, expected) in rows {
            // A directory of anybody but root is never taken.
            let expected = if capture::is_root() { expected } else { 0 };
            assert_eq!(purpose.own(&with(files)).expect("lists").len(), expected, "{what}");
        }
    }
}
