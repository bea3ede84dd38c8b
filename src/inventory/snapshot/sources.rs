//! Names of files and directories in, the files to be read out.
//!
//! Of a directory, every file below it is tried, in the order of names: dumps and bundles hold objects in files of any name, and
//! others in between. What is left out is said: logs, by their names; links to directories, which may lead round in a circle, and
//! which mounted `ConfigMaps` have beside the files themselves. Hidden files are nobody's.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::InventoryError;
use super::error::unreadable;
use crate::model::{Code, Findings};

/// A file to be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    /// The directory that was named; nothing for a file that was named itself.
    pub(super) directory: Option<PathBuf>,
}

/// The files meant by these names, sorted, each once, and what is to be said of others that are there.
///
/// # Errors
///
/// If something is not there or cannot be listed, and if a directory holds no file.
pub(super) fn expand<P: AsRef<Path>>(paths: &[P], findings: &mut Findings) -> Result<Vec<Source>, InventoryError> {
    // A file that was named counts as named, also if its directory was too.
    let mut sources: BTreeMap<PathBuf, Option<PathBuf>> = BTreeMap::new();
    for path in paths {
        let path = path.as_ref();
        let metadata = fs::metadata(path).map_err(|source| unreadable(path, source))?;
        if metadata.is_dir() {
            let mut listing = Listing { files: Vec::new(), is_empty: true, findings };
            listing.list(path)?;
            if listing.is_empty {
                return Err(InventoryError::EmptyDirectory { path: path.to_owned() });
            }
            for file in listing.files {
                sources.entry(file).or_insert_with(|| Some(path.to_owned()));
            }
        } else {
            sources.insert(path.to_owned(), None);
        }
    }
    Ok(sources.into_iter().map(|(path, directory)| Source { path, directory }).collect())
}

struct Listing<'f> {
    files: Vec<PathBuf>,
    is_empty: bool,
    findings: &'f mut Findings,
}

impl Listing<'_> {
    fn list(&mut self, root: &Path) -> Result<(), InventoryError> {
        let mut logs = 0;
        let mut pending = vec![root.to_owned()];
        while let Some(directory) = pending.pop() {
            let entries = match fs::read_dir(&directory) {
                Err(source) if directory == root => return Err(unreadable(root, source)),
                Err(source) => {
                    let message = format!("is a directory that cannot be listed: {source}");
                    self.findings.add(Code::InventoryFileIncomplete, directory.display().to_string(), message);
                    continue;
                }
                Ok(entries) => entries,
            };
            for entry in entries {
                let entry = entry.map_err(|source| unreadable(&directory, source))?;
                let path = entry.path();
                let name = entry.file_name().to_string_lossy().into_owned();
                if name.starts_with('.') {
                    continue;
                }
                let kind = entry.file_type().map_err(|source| unreadable(&path, source))?;
                if kind.is_dir() {
                    pending.push(path);
                    continue;
                }
                self.is_empty = false;
                if is_log(&name) {
                    logs += 1;
                    continue;
                }
                match fs::metadata(&path) {
                    Ok(target) if target.is_file() => self.files.push(path),
                    Ok(target) if target.is_dir() => {
                        self.pass_over(&path, "it is a link to a directory, and those are not followed");
                    }
                    Ok(_) => self.pass_over(&path, "it is no regular file"),
                    Err(source) => self.pass_over(&path, &format!("it cannot be read ({source})")),
                }
            }
        }
        let message = "was searched, and logs in it were passed over by their names";
        self.findings.add_many(Code::InventoryFilePassedOver, root.display().to_string(), message, logs);
        Ok(())
    }

    fn pass_over(&mut self, path: &Path, reason: &str) {
        self.findings.add(Code::InventoryFilePassedOver, path.display().to_string(), format!("was passed over: {reason}"));
    }
}

/// Whether a file is a log by its name: `logs.txt` of `cluster-info dump`, `current.log`, `audit.log.gz`, `kubelet.log.1`. Dumps hold
/// more of them than of anything else, and what is in them was written by whoever was logged.
fn is_log(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let name = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(&name);
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let name = name.rsplit_once('.').filter(|(_, number)| is_number(number)).map_or(name, |(name, _)| name);
    Path::new(name).extension().is_some_and(|extension| extension == "log") || matches!(name, "logs.txt" | "log.txt")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_are_known_by_their_names() {
        for (name, expected) in [
            ("logs.txt", true),
            ("current.log", true),
            ("Kubelet.LOG", true),
            ("audit.log.gz", true),
            ("kubelet.log.1", true),
            ("kubelet.log.2.gz", true),
            ("pods.json", false),
            ("log", false),
            ("catalog.yaml", false),
            ("pods.1", false),
        ] {
            assert_eq!(is_log(name), expected, "{name}");
        }
    }
}
