//! Files replaced whole or not at all.
//!
//! In: a [`Plan`] and a directory. Out: how many files were written, left alone, removed. Guarantees:
//!
//! - A file that the tool did not write is never replaced without [`Options::force`], and never removed; all such files in the way
//!   are named before anything is written. The tool's own files begin with its marker; policies also bear its label.
//! - A policy file that still says the same is left byte for byte as it is, unless [`Options::refresh_evidence`].
//! - All new texts are written beside their targets first; only when all of them are on the disk are they renamed into place:
//!   policies, then kustomizations from the inner ones to the top, then the review. Last come the removals. So a full disk changes
//!   nothing, and a failure in between leaves every file whole and no kustomization that names a missing file.
//! - Nothing is written or removed through a symbolic link below the directory.
//!
//! Whole against the tool's own failure, not against a power cut: nothing is flushed to the device.

use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use crate::model::Explained;

use super::plan::{
    ALL_DEFAULT_DENY, Content, DEFAULT_DENY, Existing, KUSTOMIZATION, Plan, Planned, REVIEW, Scope, is_namespace_name,
};
use super::review::Summary;
use super::template::{MARKDOWN_MARKER, YAML_MARKER};
use super::{EmitError, Templates, manifest, render, review};

/// What a person may ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Replace files that the tool did not write.
    pub force: bool,
    /// Replace policy files whose policy has not changed, for their comments.
    pub refresh_evidence: bool,
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Written {
    /// Files created or replaced.
    pub written: u64,
    /// Files that were right as they were.
    pub unchanged: u64,
    /// The tool's own files that no longer apply.
    pub removed: u64,
}

/// Renders the policies and the review, and brings the directory to that state. `summary` need not say anything about files.
///
/// # Errors
/// See [`EmitError`]; what can be found out is found out before anything is written.
pub fn write(
    directory: &Path,
    policies: &[Explained],
    scope: Scope,
    summary: &Summary,
    templates: &Templates,
    options: Options,
) -> Result<Written, EmitError> {
    let mut plan = Plan::new(policies, scope, &survey(directory)?, templates)?;
    plan.set_review(review::markdown(summary, templates)?);
    apply(&plan, directory, options)
}

/// The namespaces that earlier runs left in the directory; none where there is no directory.
///
/// # Errors
/// The directory cannot be read.
pub fn survey(directory: &Path) -> Result<Existing, EmitError> {
    let mut existing = Existing::default();
    for namespace in namespaces(directory)? {
        let inner = directory.join(&namespace);
        if owned_text(&inner.join(KUSTOMIZATION), Owner::Kustomization)?.is_some() {
            existing.allow.insert(namespace.clone());
        }
        if owned_text(&inner.join(DEFAULT_DENY).join(KUSTOMIZATION), Owner::Kustomization)?.is_some() {
            existing.default_deny.insert(namespace);
        }
    }
    Ok(existing)
}

/// Brings the directory to the planned state.
///
/// # Errors
/// A file of someone else is in the way, or reading or writing fails.
pub fn apply(plan: &Plan, directory: &Path, options: Options) -> Result<Written, EmitError> {
    let mut changed: Vec<(&str, &Planned)> = Vec::new();
    let mut foreign = Vec::new();
    let mut done = Written::default();
    for (path, planned) in &plan.files {
        let target = directory.join(path);
        check_parents(directory, path)?;
        if !is_file(&target)? {
            changed.push((path, planned));
            continue;
        }
        let owned = owned_text(&target, Owner::of(&planned.content))?;
        if owned.is_none() && !options.force {
            foreign.push(target);
        } else if owned.is_some_and(|text| is_up_to_date(&text, planned, options)) {
            done.unchanged += 1;
        } else {
            changed.push((path, planned));
        }
    }
    if !foreign.is_empty() {
        return Err(EmitError::Foreign { paths: foreign });
    }
    let stale = stale(plan, directory)?;

    // Outer kustomizations name inner ones, and the review speaks of all.
    changed.sort_by_key(|(path, planned)| {
        let rank = match planned.content {
            Content::Policy(_) => 0,
            Content::Kustomization => 1,
            Content::Review => 2,
        };
        (rank, std::cmp::Reverse(path.matches('/').count()), *path)
    });
    let staged = Staged::new(directory, &changed)?;
    done.written = staged.commit()?;
    done.removed = remove(directory, &stale)?;
    Ok(done)
}

/// How to tell whether a file is the tool's.
#[derive(Clone, Copy)]
enum Owner {
    Policy,
    Kustomization,
    Review,
}

impl Owner {
    fn of(content: &Content) -> Self {
        match content {
            Content::Policy(_) => Self::Policy,
            Content::Kustomization => Self::Kustomization,
            Content::Review => Self::Review,
        }
    }

    fn owns(self, text: &str) -> bool {
        match self {
            Self::Review => text.starts_with(MARKDOWN_MARKER),
            Self::Kustomization => text.starts_with(YAML_MARKER),
            Self::Policy => text.starts_with(YAML_MARKER) && bears_label(text),
        }
    }
}

fn bears_label(text: &str) -> bool {
    let Ok(object) = serde_saphyr::from_str::<serde_json::Value>(text) else { return false };
    object["metadata"]["labels"][manifest::MANAGED_BY] == manifest::TOOL
}

/// The text of a file of the tool; nothing if there is none or it is someone else's, as links always are.
fn owned_text(path: &Path, owner: Owner) -> Result<Option<String>, EmitError> {
    if matches!(is_file(path), Ok(false) | Err(EmitError::OddFile { .. })) {
        return Ok(None);
    }
    let bytes = fs::read(path).map_err(|source| EmitError::Unreadable { path: path.to_owned(), source })?;
    Ok(String::from_utf8(bytes).ok().filter(|text| owner.owns(text)))
}

fn is_up_to_date(text: &str, planned: &Planned, options: Options) -> bool {
    match &planned.content {
        Content::Policy(policy) if !options.refresh_evidence => render::read_policy(text).as_ref() == Some(policy),
        _ => *text == planned.text,
    }
}

/// Whether there is a file; a link or anything else that is not a plain file is an error.
fn is_file(path: &Path) -> Result<bool, EmitError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(true),
        Ok(metadata) => Err(EmitError::OddFile { path: path.to_owned(), what: what_is(&metadata) }),
        Err(error) if is_absent(&error) => Ok(false),
        Err(source) => Err(EmitError::Unreadable { path: path.to_owned(), source }),
    }
}

fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn what_is(metadata: &fs::Metadata) -> &'static str {
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

/// Holds that what lies between the directory and the file are directories, where it is there. The directory itself may be a link:
/// that is the caller's choice.
fn check_parents(directory: &Path, path: &str) -> Result<(), EmitError> {
    match fs::metadata(directory) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(metadata) => return Err(EmitError::OddFile { path: directory.to_owned(), what: what_is(&metadata) }),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(EmitError::Unreadable { path: directory.to_owned(), source }),
    }
    let mut inner = directory.to_owned();
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in parts {
        inner.push(part);
        match fs::symlink_metadata(&inner) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(metadata) => return Err(EmitError::OddFile { path: inner, what: what_is(&metadata) }),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(EmitError::Unreadable { path: inner, source }),
        }
    }
    Ok(())
}

/// The entries of a directory with what they are, in order; none where there is no directory.
fn entries(directory: &Path) -> Result<Vec<(String, fs::FileType)>, EmitError> {
    let unreadable = |source| EmitError::Unreadable { path: directory.to_owned(), source };
    let listing = match fs::read_dir(directory) {
        Ok(listing) => listing,
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        Err(source) => return Err(unreadable(source)),
    };
    let mut entries = Vec::new();
    for entry in listing {
        let entry = entry.map_err(unreadable)?;
        // Names that are not text are not the tool's.
        if let Ok(name) = entry.file_name().into_string() {
            entries.push((name, entry.file_type().map_err(unreadable)?));
        }
    }
    entries.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(entries)
}

fn namespaces(directory: &Path) -> Result<Vec<String>, EmitError> {
    let all = entries(directory)?.into_iter();
    Ok(all.filter(|(name, kind)| kind.is_dir() && is_namespace_name(name)).map(|(name, _)| name).collect())
}

/// The tool's own files that the plan does not have, of the namespaces it speaks for.
fn stale(plan: &Plan, directory: &Path) -> Result<BTreeSet<String>, EmitError> {
    let mut candidates = vec![
        (KUSTOMIZATION.to_owned(), Owner::Kustomization),
        (REVIEW.to_owned(), Owner::Review),
        (format!("{ALL_DEFAULT_DENY}/{KUSTOMIZATION}"), Owner::Kustomization),
    ];
    for namespace in namespaces(directory)? {
        if !plan.scope.covers(&namespace) {
            continue;
        }
        for inner in [namespace.clone(), format!("{namespace}/{DEFAULT_DENY}")] {
            for (name, kind) in entries(&directory.join(&inner))? {
                if kind.is_file() && Path::new(&name).extension().is_some_and(|extension| extension == "yaml") {
                    let owner = if name == KUSTOMIZATION { Owner::Kustomization } else { Owner::Policy };
                    candidates.push((format!("{inner}/{name}"), owner));
                }
            }
        }
    }
    let mut stale = BTreeSet::new();
    for (path, owner) in candidates {
        // What lies behind a link is not the tool's.
        let reachable = !matches!(check_parents(directory, &path), Err(EmitError::OddFile { .. }));
        if reachable && !plan.files.contains_key(&path) && owned_text(&directory.join(&path), owner)?.is_some() {
            stale.insert(path);
        }
    }
    Ok(stale)
}

/// Texts on the disk beside their targets. Dropped before [`Staged::commit`], it leaves nothing behind.
struct Staged {
    files: Vec<(TempPath, PathBuf)>,
    /// Directories made on the way, outer first.
    made: Vec<PathBuf>,
}

impl Staged {
    fn new(directory: &Path, files: &[(&str, &Planned)]) -> Result<Self, EmitError> {
        let mut staged = Self { files: Vec::new(), made: Vec::new() };
        for (path, planned) in files {
            let target = directory.join(path);
            let parent = target.parent().unwrap_or(directory).to_owned();
            staged.make(&parent)?;
            let stage = || -> std::io::Result<TempPath> {
                let mut builder = tempfile::Builder::new();
                builder.prefix(".netpol-gen-").suffix(".tmp");
                #[cfg(unix)]
                let builder = {
                    use std::os::unix::fs::PermissionsExt as _;
                    // What the user's umask leaves of it, as for any new file.
                    builder.permissions(fs::Permissions::from_mode(0o666))
                };
                let mut file = builder.tempfile_in(&parent)?;
                file.write_all(planned.text.as_bytes())?;
                if let Ok(metadata) = fs::metadata(&target) {
                    file.as_file().set_permissions(metadata.permissions())?;
                }
                // Closed: a large cluster has more policies than a process may have files open.
                Ok(file.into_temp_path())
            };
            let temporary = stage().map_err(|source| EmitError::Unwritable { path: target.clone(), source })?;
            staged.files.push((temporary, target));
        }
        Ok(staged)
    }

    /// Makes a directory and what is missing above it.
    fn make(&mut self, directory: &Path) -> Result<(), EmitError> {
        let missing: Vec<&Path> =
            directory.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.exists()).collect();
        for path in missing.into_iter().rev() {
            fs::create_dir(path).map_err(|source| EmitError::Unwritable { path: path.to_owned(), source })?;
            self.made.push(path.to_owned());
        }
        Ok(())
    }

    /// Renames all into place.
    fn commit(mut self) -> Result<u64, EmitError> {
        let mut written = 0;
        for (temporary, target) in std::mem::take(&mut self.files) {
            temporary.persist(&target).map_err(|error| EmitError::Unwritable { path: target, source: error.error })?;
            written += 1;
        }
        Ok(written)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        self.files.clear();
        for directory in self.made.iter().rev() {
            // Fails, as it should, where files have come in.
            let _ = fs::remove_dir(directory);
        }
    }
}

/// Removes files, then the directories that this leaves empty.
fn remove(directory: &Path, stale: &BTreeSet<String>) -> Result<u64, EmitError> {
    let mut emptied: BTreeSet<PathBuf> = BTreeSet::new();
    let mut removed = 0;
    for path in stale {
        let target = directory.join(path);
        fs::remove_file(&target).map_err(|source| EmitError::Unwritable { path: target.clone(), source })?;
        removed += 1;
        emptied.extend(target.ancestors().skip(1).take_while(|parent| *parent != directory).map(Path::to_owned));
    }
    // Inner ones first; one that still holds something stays.
    for inner in emptied.iter().rev() {
        let _ = fs::remove_dir(inner);
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A path that cannot be written stands for a disk that is full: nothing that was there or not there changes.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_failure_half_way_leaves_nothing_behind() {
        let temporary = tempfile::tempdir().expect("temporary directory");
        fs::create_dir(temporary.path().join("old")).expect("makes");
        fs::write(temporary.path().join("old/b"), "old").expect("writes");
        let planned = Planned { content: Content::Review, text: "new".into() };
        let files = [("new/inner/a", &planned), ("old/b", &planned), ("/proc/netpol-gen/c", &planned)];
        let refused = Staged::new(temporary.path(), &files).err().expect("not writable");
        assert!(matches!(refused, EmitError::Unwritable { .. }), "{refused}");
        let left: Vec<_> = entries(temporary.path()).expect("lists").into_iter().map(|(name, _)| name).collect();
        assert_eq!(left, ["old"]);
        let left: Vec<_> = entries(&temporary.path().join("old")).expect("lists").into_iter().map(|(name, _)| name).collect();
        assert_eq!(left, ["b"]);
        assert_eq!(fs::read_to_string(temporary.path().join("old/b")).expect("reads"), "old");
    }

    #[cfg(unix)]
    #[test]
    fn files_have_the_permissions_of_any_other() {
        use std::os::unix::fs::PermissionsExt as _;
        let temporary = tempfile::tempdir().expect("temporary directory");
        let mode = |name: &str| fs::metadata(temporary.path().join(name)).expect("is there").permissions().mode() & 0o777;
        fs::write(temporary.path().join("plain"), "").expect("writes");
        fs::write(temporary.path().join("kept"), "").expect("writes");
        fs::set_permissions(temporary.path().join("kept"), fs::Permissions::from_mode(0o640)).expect("sets");
        let planned = Planned { content: Content::Review, text: "new".into() };
        let staged = Staged::new(temporary.path(), &[("new", &planned), ("kept", &planned)]).expect("writes");
        assert_eq!(staged.commit().expect("renames"), 2);
        assert_eq!((mode("new"), mode("kept")), (mode("plain"), 0o640));
    }
}
