//! From what the command line says to the inputs it means.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::foreign::is_foreign;
use super::{CaptureError, CaptureFile};
use crate::model::{Code, Findings};

/// Something that frames can be read from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Input {
    /// `-`.
    StandardInput,
    /// A file, or a pipe that has a name.
    File(PathBuf),
}

impl Input {
    /// As messages call it.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::StandardInput => Path::new("-"),
            Self::File(path) => path,
        }
    }
}

/// Captures found by paths, patterns and directories.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expanded {
    /// The captures to read, in order.
    pub inputs: Vec<Input>,
    /// Directory entries that are not read, in path order, each with the reason.
    pub passed_over: BTreeMap<PathBuf, &'static str>,
}

impl Expanded {
    /// Names the files that are not read.
    #[must_use]
    pub fn findings(&self) -> Findings {
        let mut findings = Findings::default();
        for (path, reason) in &self.passed_over {
            findings.add(Code::FilePassedOver, path.display().to_string(), *reason);
        }
        findings
    }
}

/// The inputs that `patterns` stand for: paths, glob patterns (`*`, `?`, `[…]`, `**`), directories, `-`. Of a directory, all files
/// below are meant but those that are no captures by their name and by their content: one that cannot be read is no less an
/// error than if it were named. Each once, in the order of their paths, so that the order of the arguments
/// never matters.
///
/// # Errors
/// When a pattern stands for nothing, or a directory cannot be listed.
pub fn expand(patterns: &[String]) -> Result<Expanded, CaptureError> {
    // By the file they lead to in the end, under the first of their names.
    let mut files: BTreeMap<PathBuf, PathBuf> = BTreeMap::new();
    let mut inputs = Vec::new();
    let mut passed_over = BTreeMap::new();
    let mut add = |path: PathBuf| {
        let target = path.canonicalize().unwrap_or_else(|_| path.clone());
        let name = files.entry(target).or_insert_with(|| path.clone());
        if path < *name {
            *name = path;
        }
    };
    for pattern in patterns {
        if pattern == "-" {
            inputs = vec![Input::StandardInput];
            continue;
        }
        let path = Path::new(pattern);
        // A name that exists is itself, whatever brackets are in it.
        if path.is_dir() {
            let found = captures_below(path, &mut passed_over)?;
            if found.is_empty() {
                return Err(CaptureError::NoCaptures { path: path.into() });
            }
            found.into_iter().for_each(&mut add);
        } else if path.symlink_metadata().is_ok() {
            add(path.into());
        } else {
            let mut has_matches = false;
            let matches = glob::glob(pattern).map_err(|source| CaptureError::Pattern { pattern: pattern.clone(), source })?;
            for found in matches {
                let found = found.map_err(|error| CaptureError::List { path: error.path().into(), source: error.into() })?;
                if found.is_dir() {
                    for file in captures_below(&found, &mut passed_over)? {
                        has_matches = true;
                        add(file);
                    }
                } else {
                    has_matches = true;
                    add(found);
                }
            }
            if !has_matches {
                return Err(CaptureError::NoMatch { pattern: pattern.clone() });
            }
        }
    }
    let mut names: Vec<PathBuf> = files.into_values().collect();
    names.sort();
    inputs.extend(names.into_iter().map(Input::File));
    Ok(Expanded { inputs, passed_over })
}

/// Finds files in and below a directory that may be captures. Symbolic links to directories are not followed (they may lead in circles), and
/// pipes and devices are not opened (they may never answer).
fn captures_below(directory: &Path, passed_over: &mut BTreeMap<PathBuf, &'static str>) -> Result<Vec<PathBuf>, CaptureError> {
    let mut captures = Vec::new();
    let mut directories = vec![directory.to_path_buf()];
    while let Some(directory) = directories.pop() {
        let failed = |source: io::Error| CaptureError::List { path: directory.clone(), source };
        for entry in std::fs::read_dir(&directory).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
                directories.push(path);
            } else if path.is_file() {
                if is_capture(&path) || !is_foreign(&path) {
                    captures.push(path);
                } else {
                    passed_over.insert(path, "is no capture");
                }
            } else {
                let reason = what_else(&path);
                passed_over.insert(path, reason);
            }
        }
    }
    Ok(captures)
}

/// Why a path that is neither a regular file nor a directory is not read.
fn what_else(path: &Path) -> &'static str {
    match path.metadata() {
        Ok(metadata) if metadata.is_dir() => "is a link to a directory, and those are not followed",
        Ok(_) => "is a pipe, a socket or a device, and those are not opened",
        Err(_) => "is a link that leads to no file",
    }
}

/// Whether a file is to be read as a capture. One that cannot be read at all is taken for one, so that it is not passed over in
/// silence.
fn is_capture(path: &Path) -> bool {
    match CaptureFile::open(&Input::File(path.into())) {
        Ok(_) | Err(CaptureError::Open { .. } | CaptureError::Read { .. }) => true,
        Err(_) => false,
    }
}
