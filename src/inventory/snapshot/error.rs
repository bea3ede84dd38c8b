//! Why there is no inventory.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::bounded::{MAX_OBJECT, MAX_TEXT};
use super::contents::EXPECTED;
use crate::inventory::VERSION;

/// Why there is no inventory.
#[derive(Debug, Error)]
pub enum InventoryError {
    /// A file or directory cannot be read.
    #[error("read the inventory `{}`", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is neither YAML nor JSON.
    #[error("read the inventory `{name}` as YAML or JSON: line {line}, column {column}: {message}")]
    Malformed {
        /// The file.
        name: String,
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
        /// What is wrong there.
        message: String,
    },
    /// A file holds no Kubernetes object.
    #[error("read the inventory `{name}`: {EXPECTED}, found {found}")]
    Foreign {
        /// The file.
        name: String,
        /// What it holds.
        found: String,
    },
    /// JSON in which no object ends.
    #[error("read the inventory `{}`: no object came to its end within {} MiB", path.display(), MAX_OBJECT >> 20)]
    EndlessObject {
        /// The file.
        path: PathBuf,
    },
    /// YAML that is too long to be held.
    #[error("read the inventory `{}`: it is no JSON, and as YAML longer than the {} MiB that are read", path.display(), MAX_TEXT >> 20)]
    LongText {
        /// The file.
        path: PathBuf,
    },
    /// A file of a watch is of a format that is not known.
    #[error("read the inventory `{name}`: its format is version `{version}`, and only version {VERSION} is known")]
    OtherVersion {
        /// The file.
        name: String,
        /// The version it says.
        version: String,
    },
    /// A directory holds no file.
    #[error("find an inventory file in the directory `{}`: it holds no file that is not hidden", path.display())]
    EmptyDirectory {
        /// Which.
        path: PathBuf,
    },
    /// There is not one pod in all files together.
    #[error("find a pod in the inventory: {}", .found)]
    NoPods {
        /// What the files hold instead.
        found: Found,
    },
}

/// What files without a pod hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// How many files were read.
    pub files: usize,
    /// How many objects of each kind they hold.
    pub kinds: BTreeMap<String, u64>,
    /// Files that hold no Kubernetes object, and what the first of them holds.
    pub foreign: Option<(usize, String)>,
}

impl std::fmt::Display for Found {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const KINDS: usize = 8;
        let files = if self.files == 1 { "1 file".to_owned() } else { format!("{} files", self.files) };
        let kinds: Vec<String> = self.kinds.iter().take(KINDS).map(|(kind, count)| format!("{count} {kind}")).collect();
        let others = if self.kinds.len() > KINDS { " and others" } else { "" };
        if kinds.is_empty() {
            write!(formatter, "{files} with no object")?;
        } else {
            write!(formatter, "{files} with {}{others}", kinds.join(", "))?;
        }
        match &self.foreign {
            Some((1, first)) => write!(formatter, "; 1 file was passed over: {first}"),
            Some((count, first)) => write!(formatter, "; {count} files were passed over, the first of them {first}"),
            None => Ok(()),
        }
    }
}

impl InventoryError {
    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } | Self::EmptyDirectory { .. } => {
                "give --inventory a file or directory with the output of `kubectl get namespaces,nodes,pods,services,endpointslices,\
                 deployments,replicasets,statefulsets,daemonsets,jobs,cronjobs,ingresses,networkpolicies -A -o yaml`"
            }
            Self::Foreign { .. } => {
                "give --inventory what `kubectl get … -A -o yaml` (or json) prints; in a directory, files of other kinds are passed over"
            }
            Self::Malformed { .. } => "write the file anew with `kubectl get … -A -o yaml` and do not edit it",
            Self::EndlessObject { .. } => "no Kubernetes object is that long: is it the output of `kubectl get … -A -o json`?",
            Self::LongText { .. } => {
                "write it with `kubectl get … -A -o json`, which is read object by object, whatever its length"
            }
            Self::OtherVersion { .. } => "use the netpol-gen that wrote it (its first line says which), or a newer one",
            Self::NoPods { .. } => {
                "without pods no address has a name: add the output of `kubectl get pods -A -o yaml`, taken during the capture"
            }
        }
    }
}

pub(super) fn unreadable(path: &Path, source: io::Error) -> InventoryError {
    InventoryError::Unreadable { path: path.to_owned(), source }
}
