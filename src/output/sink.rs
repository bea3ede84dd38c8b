//! The files of a run, brought into a directory that others write to as well.
//!
//! In: a [`Plan`] and a directory. Out: how many files were written, left alone, removed. Guarantees:
//!
//! - A file that the tool did not write (see [`Kind::is_own`]) is never replaced without [`Options::force`], and never removed; all
//!   such files in the way are named before anything is written.
//! - A file that still says the same is left byte for byte as it is, with the comments that people wrote into it, unless
//!   [`Options::refresh_evidence`].
//! - All files of a run change or none does, as [`transaction`](super::transaction) says in detail.
//! - Nothing is written or removed through a symbolic link below the directory.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use crate::coverage::Candidate;
use crate::model::Explained;
use crate::review::Reasons;

use super::layout::{
    ALL_DEFAULT_DENY, CANDIDATES, Content, DEFAULT_DENY, Existing, KUSTOMIZATION, Plan, Planned, QUARANTINE, REVIEW, REVIEW_JSON,
    Scope, is_namespace_name,
};
use super::migration::staged::STAGED;
use super::ownership::Kind;
use super::plain::{is_absent, is_file, what_is};
use super::report::Summary;
use super::transaction::{self, DirectoryLock, Transaction};
use super::{EmitError, Templates, render, report, yaml};

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

/// What a run writes.
#[derive(Clone, Copy, Debug)]
pub struct Output<'a> {
    /// The policies.
    pub policies: &'a [Explained],
    /// Those in quarantine, none unless they were asked for.
    pub quarantined: &'a [Explained],
    /// Why these are there.
    pub reasons: &'a Reasons,
    /// What goes into the review. It need not say anything about files.
    pub summary: &'a Summary,
    /// Rules to be completed by a person, none unless they were asked for.
    pub candidates: &'a [Candidate],
    /// Threads that render the policies.
    pub threads: NonZeroUsize,
}

/// Renders the policies and the review, and brings the directory to that state.
///
/// # Errors
/// See [`EmitError`]; what can be found out is found out before anything is written.
pub fn write(
    directory: &Path,
    output: Output<'_>,
    scope: Scope,
    templates: &Templates,
    options: Options,
) -> Result<Written, EmitError> {
    let lock = DirectoryLock::take(directory)?;
    let mut plan = Plan::new(output.policies, scope, &survey(directory)?, templates, output.threads)?;
    plan.set_review(report::markdown(output.summary, templates)?, report::json(output.summary).map_err(EmitError::Json)?);
    plan.set_candidates(output.candidates);
    plan.set_quarantined(output.quarantined, output.reasons, templates, output.threads)?;
    let stale = stale(&plan, directory)?;
    bring(&plan.files, &stale, &lock, options)
}

/// The namespaces that earlier runs left in the directory; none where there is no directory.
///
/// # Errors
/// The directory cannot be read.
pub fn survey(directory: &Path) -> Result<Existing, EmitError> {
    let mut existing = Existing::default();
    for namespace in namespaces(directory)? {
        if owned_text(directory, &format!("{namespace}/{KUSTOMIZATION}"), Kind::Kustomization)?.is_some() {
            existing.allow.insert(namespace.clone());
        }
        if owned_text(directory, &format!("{namespace}/{DEFAULT_DENY}/{KUSTOMIZATION}"), Kind::Kustomization)?.is_some() {
            existing.default_deny.insert(namespace);
        }
    }
    Ok(existing)
}

/// Brings the files of a migration into a directory, which may be that of the policies: nothing of theirs is touched.
///
/// # Errors
/// As [`write`].
pub fn write_migration(files: &BTreeMap<String, Planned>, directory: &Path, options: Options) -> Result<Written, EmitError> {
    let lock = DirectoryLock::take(directory)?;
    let mut stale = BTreeSet::new();
    let mut pending = vec![STAGED.to_owned()];
    while let Some(inner) = pending.pop() {
        for (name, entry) in entries(&directory.join(&inner))? {
            let path = format!("{inner}/{name}");
            let kind = if name == KUSTOMIZATION { Kind::Kustomization } else { Kind::Staged };
            if entry.is_dir() && inner == STAGED {
                pending.push(path);
            } else if entry.is_file() && !files.contains_key(&path) && owned_text(directory, &path, kind)?.is_some() {
                stale.insert(path);
            }
        }
    }
    bring(files, &stale, &lock, options)
}

/// The directory at or above this path in which a run has begun to change files and has not ended; nothing if the files there are
/// of one run.
#[must_use]
pub fn half_written(path: &Path) -> Option<PathBuf> {
    transaction::half_written(path)
}

/// Writes what is planned and has changed, and removes what is stale.
fn bring(
    files: &BTreeMap<String, Planned>,
    stale: &BTreeSet<String>,
    lock: &DirectoryLock,
    options: Options,
) -> Result<Written, EmitError> {
    let directory = lock.directory();
    let mut changed: Vec<(&str, &Planned)> = Vec::new();
    let mut foreign = Vec::new();
    let mut done = Written::default();
    for (path, planned) in files {
        let target = directory.join(path);
        check_parents(directory, path)?;
        if !is_file(&target)? {
            changed.push((path, planned));
            continue;
        }
        let owned = owned_text(directory, path, Kind::of(&planned.content))?;
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
    // Outer kustomizations name inner ones, and the review speaks of all.
    changed.sort_by_key(|(path, planned)| {
        let rank = match planned.content {
            Content::Policy(_) | Content::Candidates | Content::Staged => 0,
            Content::Kustomization => 1,
            Content::Review | Content::ReviewJson => 2,
        };
        (rank, std::cmp::Reverse(path.matches('/').count()), *path)
    });
    if changed.is_empty() && stale.is_empty() {
        return Ok(done);
    }
    let mut transaction = Transaction::begin(lock)?;
    for (path, planned) in changed {
        transaction.write(path, &planned.text)?;
        done.written += 1;
    }
    for path in stale {
        transaction.remove(path)?;
        done.removed += 1;
    }
    transaction.commit()?;
    Ok(done)
}

/// The longest file that may be the tool's own.
const LONGEST: u64 = 256 << 20;

/// The text of a file of the tool; nothing if there is none or it is someone else's, as links always are.
fn owned_text(directory: &Path, path: &str, kind: Kind) -> Result<Option<String>, EmitError> {
    let target = directory.join(path);
    if matches!(is_file(&target), Ok(false) | Err(EmitError::OddFile { .. })) {
        return Ok(None);
    }
    let unreadable = |source| EmitError::Unreadable { path: target.clone(), source };
    if fs::metadata(&target).map_err(unreadable)?.len() > LONGEST {
        return Ok(None);
    }
    let bytes = fs::read(&target).map_err(unreadable)?;
    Ok(String::from_utf8(bytes).ok().filter(|text| kind.is_own(path, text)))
}

fn is_up_to_date(text: &str, planned: &Planned, options: Options) -> bool {
    if options.refresh_evidence {
        return text == planned.text;
    }
    match &planned.content {
        Content::Policy(policy) => render::read_policy(text).as_ref() == Some(policy),
        Content::Kustomization => yaml::read_commented(text).is_ok_and(|read| yaml::read(&planned.text) == Ok(read)),
        Content::Candidates | Content::ReviewJson | Content::Staged => text == planned.text,
        // It begins with the tool's line; what stands above is not its own.
        Content::Review => text.ends_with(&planned.text),
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
        (KUSTOMIZATION.to_owned(), Kind::Kustomization),
        (REVIEW.to_owned(), Kind::Review),
        (REVIEW_JSON.to_owned(), Kind::ReviewJson),
        (format!("{ALL_DEFAULT_DENY}/{KUSTOMIZATION}"), Kind::Kustomization),
    ];
    for namespace in namespaces(directory)? {
        if !plan.scope.covers(&namespace) {
            continue;
        }
        for inner in [namespace.clone(), format!("{namespace}/{DEFAULT_DENY}"), format!("{namespace}/{QUARANTINE}")] {
            for (name, entry) in entries(&directory.join(&inner))? {
                if entry.is_file() && Path::new(&name).extension().is_some_and(|extension| extension == "yaml") {
                    let kind = match name.as_str() {
                        KUSTOMIZATION => Kind::Kustomization,
                        CANDIDATES => Kind::Candidates,
                        _ => Kind::Policy,
                    };
                    candidates.push((format!("{inner}/{name}"), kind));
                }
            }
        }
    }
    let mut stale = BTreeSet::new();
    for (path, kind) in candidates {
        // What lies behind a link is not the tool's.
        let reachable = !matches!(check_parents(directory, &path), Err(EmitError::OddFile { .. }));
        if reachable && !plan.files.contains_key(&path) && owned_text(directory, &path, kind)?.is_some() {
            stale.insert(path);
        }
    }
    Ok(stale)
}
