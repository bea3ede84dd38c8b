//! Policies to be checked: files, directories and the cluster's own in, one set out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use k8s_openapi::api::networking::v1::NetworkPolicy;

use crate::inventory::Inventory;
use crate::output::layout::{QUARANTINE, REVIEW_JSON};
use crate::output::manifest::{CLASS, MANAGED_BY, TOOL};
use crate::output::plain;
use crate::output::policy_file::{self, Given};
use crate::output::sink::half_written;
use crate::output::text::{counted, listed};
use crate::verify::{PolicyName, RuleName};

use super::console::say;
use super::failure::Failure;

/// The word that stands for the policies of the inventory.
pub(super) const CLUSTER: &str = "cluster";
/// How names of policy files in a directory end.
const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];

/// A set of policies.
#[derive(Clone, Debug, Default)]
pub(super) struct Policies {
    /// The policies, by name.
    pub(super) objects: BTreeMap<PolicyName, NetworkPolicy>,
    /// The comments above rules.
    pub(super) comments: BTreeMap<RuleName, Vec<String>>,
    /// In which file each is, and on which line.
    places: BTreeMap<PolicyName, Place>,
    /// Objects that are no policies, by kind.
    others: BTreeMap<String, u64>,
    /// How many files were read.
    files: u64,
    /// Files of policies in quarantine, which do not count.
    quarantine: Vec<PathBuf>,
}

/// Where a policy is.
#[derive(Clone, Debug)]
struct Place {
    file: String,
    /// From 1.
    line: usize,
}

/// The longest file of policies that is read. Everything that a cluster can have fits into one.
const LONGEST: u64 = 64 << 20;
/// How many files a directory of policies may have below it.
const FILES: usize = 100_000;

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}, line {}", self.file, self.line)
    }
}

/// Whether a word that was typed for policies is a path.
pub(super) fn is_path(word: &str) -> bool {
    word != CLUSTER && word != "-"
}

impl Policies {
    /// Looks whether all paths that were named are there, before anything else is asked for.
    ///
    /// # Errors
    /// A path that is not there.
    pub(super) fn find(given: &[impl AsRef<str>]) -> Result<(), Failure> {
        for word in given.iter().map(AsRef::as_ref).filter(|word| is_path(word)) {
            fs::metadata(word).map_err(|source| Failure::PoliciesUnreadable { path: word.into(), source })?;
        }
        Ok(())
    }

    /// Reads all that was named, and says on standard error what was read.
    ///
    /// # Errors
    /// What cannot be read, what is no policy that the API server would take, two of one name, or files without any.
    pub(super) fn load(given: &[String], namespace: Option<&str>, inventory: &Inventory) -> Result<Self, Failure> {
        let mut policies = Self::default();
        for word in given.iter().filter(|word| *word != CLUSTER) {
            if word == "-" {
                let unreadable = |source| Failure::PoliciesUnreadable { path: "standard input".into(), source };
                let text = plain::read(io::stdin().lock(), LONGEST).map_err(unreadable)?;
                policies.read("standard input", &text, namespace)?;
                continue;
            }
            let path = Path::new(word);
            whole(path)?;
            let (mut found, mut seen) = (Vec::new(), 0);
            files(path, (&mut found, &mut policies.quarantine), &mut seen)?;
            for path in found {
                policies.read_file(&path, namespace)?;
            }
            // A run may have begun to write meanwhile.
            whole(path)?;
        }
        let is_of_files = given.iter().any(|word| word != CLUSTER);
        if is_of_files {
            if policies.objects.is_empty() {
                return Err(Failure::NoPolicies { given: given.join(", "), others: policies.others() });
            }
            say(&format!("policies: {}", policies.in_words(given)));
        }
        if given.iter().any(|word| word == CLUSTER) {
            policies.join(inventory);
        }
        Ok(policies)
    }

    fn in_words(&self, given: &[String]) -> String {
        let count = u64::try_from(self.objects.len()).unwrap_or(u64::MAX);
        let others = self.others();
        let others = if others.is_empty() { others } else { format!("; passed over: {others}") };
        let from = listed(given.iter().filter(|word| *word != CLUSTER).cloned(), 3);
        let quarantine = match u64::try_from(self.quarantine.len()) {
            Ok(0) => String::new(),
            files => format!("; {} in quarantine left aside", counted(files.unwrap_or(u64::MAX), "file", "files")),
        };
        format!("{count} in {} of {from}{others}{quarantine}", counted(self.files, "file", "files"))
    }

    /// These policies as they are once all in quarantine have been accepted; nothing if none are there.
    ///
    /// # Errors
    /// As [`Policies::load`].
    pub(super) fn with_quarantine(&self, namespace: Option<&str>) -> Result<Option<Self>, Failure> {
        let mut with = self.clone();
        for path in &self.quarantine {
            with.read_file(path, namespace)?;
        }
        Ok((!self.quarantine.is_empty()).then_some(with))
    }

    fn read_file(&mut self, path: &Path, namespace: Option<&str>) -> Result<(), Failure> {
        let unreadable = |source| Failure::PoliciesUnreadable { path: path.to_owned(), source };
        let text = plain::read_to_string(path, LONGEST).map_err(unreadable)?;
        self.read(&path.display().to_string(), &text, namespace)
    }

    fn others(&self) -> String {
        listed(self.others.iter().map(|(kind, count)| format!("{count} {kind}")), 8)
    }

    fn read(&mut self, file: &str, text: &str, namespace: Option<&str>) -> Result<(), Failure> {
        let malformed = |problem| Failure::PolicyMalformed { file: file.to_owned(), problem };
        let contents = policy_file::read(text, namespace).map_err(malformed)?;
        self.files += 1;
        for (kind, count) in contents.others {
            *self.others.entry(kind).or_default() += count;
        }
        for Given { name, object, line, comments } in contents.policies {
            let place = Place { file: file.to_owned(), line };
            if let Some(known) = self.objects.get(&name) {
                // The same file named twice, or a copy: it counts once.
                if known.spec == object.spec {
                    continue;
                }
                let first = self.places.get(&name).map(ToString::to_string).unwrap_or_default();
                return Err(Failure::PolicyTwice { name, first, second: place.to_string() });
            }
            for ((direction, index), lines) in comments {
                self.comments.insert(RuleName { policy: name.clone(), direction, index }, lines);
            }
            self.places.insert(name.clone(), place);
            self.objects.insert(name, object);
        }
        Ok(())
    }

    /// Adds the policies of the inventory; of one name, what is there already stays. Says so.
    pub(super) fn join(&mut self, inventory: &Inventory) {
        let (mut joined, mut replaced) = (BTreeSet::new(), BTreeSet::new());
        for object in inventory.existing_policies() {
            let name = PolicyName {
                namespace: object.metadata.namespace.clone().unwrap_or_default(),
                name: object.metadata.name.clone().unwrap_or_default(),
            };
            if self.places.contains_key(&name) {
                replaced.insert(name);
            } else {
                joined.insert(name.clone());
                self.objects.insert(name, object.clone());
            }
        }
        if !joined.is_empty() || !replaced.is_empty() || self.objects.is_empty() {
            let names = |names: &BTreeSet<PolicyName>| listed(names.iter().map(ToString::to_string), 5);
            let counted = match joined.len() {
                0 if self.objects.is_empty() => "the inventory has none".to_owned(),
                0 => "none more of the cluster's own".to_owned(),
                count => format!("{count} of the cluster's own count too: {}", names(&joined)),
            };
            let gone = match replaced.len() {
                0 => String::new(),
                count => format!("; {count} replaced by the files' of the same name: {}", names(&replaced)),
            };
            say(&format!("policies: {counted}{gone}"));
        }
    }

    /// Adds those of another set that are in neither this one nor `except`.
    pub(super) fn join_set(&mut self, other: &Self, except: &Self) {
        for (name, object) in &other.objects {
            if !except.objects.contains_key(name) {
                self.objects.entry(name.clone()).or_insert_with(|| object.clone());
            }
        }
    }

    /// The file that a policy is in, unless only the cluster has it.
    pub(super) fn file(&self, name: &PolicyName) -> Option<&str> {
        self.places.get(name).map(|place| place.file.as_str())
    }

    /// The objects, in order of name.
    pub(super) fn list(&self) -> Vec<NetworkPolicy> {
        self.objects.values().cloned().collect()
    }

    /// The class of a policy, if this tool wrote it.
    pub(super) fn class(&self, name: &PolicyName) -> Option<&str> {
        let metadata = &self.objects.get(name)?.metadata;
        let is_own = metadata.labels.as_ref().and_then(|labels| labels.get(MANAGED_BY)).is_some_and(|tool| tool == TOOL);
        metadata.annotations.as_ref().filter(|_| is_own)?.get(CLASS).map(String::as_str)
    }
}

/// Holds that no run is changing, or has left half changed, the files of an output directory to which this path belongs.
fn whole(path: &Path) -> Result<(), Failure> {
    half_written(path).map_or(Ok(()), |directory| Err(Failure::HalfWritten { directory }))
}

/// The file itself, or the policy files of a directory and those below it, in order. What is hidden is left out, so is the review, and
/// what is in quarantine lies apart.
fn files(path: &Path, (found, quarantine): (&mut Vec<PathBuf>, &mut Vec<PathBuf>), seen: &mut usize) -> Result<(), Failure> {
    let unreadable = |source| Failure::PoliciesUnreadable { path: path.to_owned(), source };
    if !fs::metadata(path).map_err(unreadable)?.is_dir() {
        found.push(path.to_owned());
        return Ok(());
    }
    let listing = fs::read_dir(path).map_err(unreadable)?.take(FILES + 1);
    let mut entries = listing.collect::<io::Result<Vec<fs::DirEntry>>>().map_err(unreadable)?;
    *seen += entries.len();
    if *seen > FILES {
        let message = format!("more than {FILES} files are below it");
        return Err(unreadable(io::Error::new(io::ErrorKind::FileTooLarge, message)));
    }
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        // The review of a run is no policy.
        if entry.file_name() == REVIEW_JSON || entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        let path = entry.path();
        let kind = entry.file_type().map_err(unreadable)?;
        let is_named = path.extension().is_some_and(|end| EXTENSIONS.iter().any(|known| end.eq_ignore_ascii_case(known)));
        // A link to a directory may lead back up; one to a file is that file.
        if kind.is_dir() && entry.file_name() == QUARANTINE {
            // Quarantined policies are not part of the set.
            let mut apart = Vec::new();
            files(&path, (&mut apart, quarantine), seen)?;
            quarantine.extend(apart);
        } else if kind.is_dir() {
            whole(&path)?;
            files(&path, (found, quarantine), seen)?;
        } else if is_named && !path.is_dir() {
            // Reading tells what is no file: a policy that is not there to be read must not be passed over.
            found.push(path);
        }
    }
    Ok(())
}
