//! Why a command could not be done, and what to do about it.

use std::borrow::Cow;
use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;

use thiserror::Error;

use crate::capture::CaptureError;
#[cfg(feature = "cluster")]
use crate::cluster::ClusterError;
use crate::emit::EmitError;
use crate::inventory::InventoryError;
use crate::verify::PolicyError;

use super::output::printable;

/// The stage that failed.
#[derive(Debug, Error)]
pub(super) enum Failure {
    /// A capture.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// The inventory.
    #[error(transparent)]
    Inventory(#[from] InventoryError),
    /// The cluster.
    #[cfg(feature = "cluster")]
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The cluster, which a live capture wants to ask.
    #[cfg(all(feature = "live", feature = "cluster"))]
    #[error(transparent)]
    NoWitness(ClusterError),
    /// A file that was asked for.
    #[error("write {}", path.display())]
    Unwritable {
        /// As it was named.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Rights that are not needed any more.
    #[cfg(feature = "live")]
    #[error("give up the rights to capture")]
    Rights(#[source] io::Error),
    /// A directory of records.
    #[cfg(feature = "live")]
    #[error("read {}", path.display())]
    Unreadable {
        /// As it was named.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A capture of nothing.
    #[cfg(feature = "live")]
    #[error("capture anything: not one frame passed the interfaces")]
    NothingCaptured,
    /// Every run came to its end, or there was none.
    #[cfg(feature = "live")]
    #[error("find a run to go on with in {}: there is none that was killed", directory.display())]
    NothingToResume {
        /// Where it was looked for.
        directory: PathBuf,
    },
    /// Nobody knows who is who.
    #[cfg(not(feature = "cluster"))]
    #[error("tell who is who: there is no inventory")]
    NoInventory,
    /// What cannot be had again would be written over.
    #[error("make a new file {}: it is there already", .0.display())]
    Occupied(PathBuf),
    /// Signals.
    #[cfg(any(feature = "live", feature = "cluster"))]
    #[error("listen for Ctrl-C")]
    Signals(#[source] io::Error),
    /// Writing.
    #[error(transparent)]
    Emit(#[from] EmitError),
    /// Checking.
    #[error("check the policies")]
    Verify(#[from] PolicyError),
    /// Standard output.
    #[error("write to standard output")]
    Output(#[from] io::Error),
    /// A summary as JSON.
    #[error("write the summary as JSON")]
    Json(#[from] serde_json::Error),
    /// There is nothing to make policies of.
    #[error("find a connection to make a rule of: {reason}")]
    Empty {
        /// Where the traffic went instead.
        reason: String,
        /// What to do about it.
        hint: &'static str,
    },
    /// The policies do not do what they promise; nothing was written.
    #[error("prove the policies: {}", .0.join("; "))]
    Unproved(Vec<String>),
    /// A namespace asked for is not there.
    #[error("find pods of the namespace `{0}` in the inventory")]
    NoSuchNamespace(String),
    /// Policies and summary would both go to standard output.
    #[error("write policies (--output -) and summary (--format json) to standard output both")]
    TwoOutputs,
    /// `--deny` names something that is no code and no severity.
    #[error("understand --deny {0}: it is neither a finding's code nor note, warning or serious")]
    NoSuchCode(String),
}

impl Failure {
    fn hint(&self) -> Option<Cow<'_, str>> {
        let hint = match self {
            Self::Capture(error) => error.hint(),
            Self::Inventory(error) => error.hint(),
            #[cfg(feature = "cluster")]
            Self::Cluster(error) => return Some(error.hint()),
            #[cfg(all(feature = "live", feature = "cluster"))]
            Self::NoWitness(error) => {
                return Some(
                    format!("{}; --offline captures only, to learn from it where there is a cluster", error.hint()).into(),
                );
            }
            Self::Unwritable { .. } => "name a file in a directory that is there and that you may write to",
            Self::Occupied(_) => "what it holds may not be had again: name another file, or move this one away",
            Self::Emit(error) => error.hint(),
            Self::Empty { hint, .. } => hint,
            Self::NoSuchNamespace(_) => {
                "names are written as in the cluster; a namespace whose pods all use the host network cannot be a subject"
            }
            Self::TwoOutputs => "give --output a directory, or leave --format out",
            Self::NoSuchCode(_) => "`netpol-gen findings` lists the codes",
            Self::Unproved(_) => "this is a defect of netpol-gen, not of your capture: please report it with the lines above",
            #[cfg(not(feature = "cluster"))]
            Self::NoInventory => {
                "add --inventory FILE with the output of `kubectl get namespaces,nodes,pods,services,endpointslices,deployments,replicasets,\
                 statefulsets,daemonsets,jobs,cronjobs,ingresses,networkpolicies -A -o yaml`"
            }
            #[cfg(feature = "live")]
            Self::NothingCaptured => "is it the right interface (`any` is all of them), or the filter too narrow?",
            #[cfg(feature = "live")]
            Self::Unreadable { .. } => "name the directory of the earlier run with --record",
            #[cfg(feature = "live")]
            Self::NothingToResume { .. } => {
                "a run that came to its end is learned from with --read DIRECTORY --inventory DIRECTORY"
            }
            #[cfg(feature = "live")]
            Self::Rights(_) => return None,
            #[cfg(any(feature = "live", feature = "cluster"))]
            Self::Signals(_) => return None,
            Self::Verify(_) | Self::Output(_) | Self::Json(_) => return None,
        };
        Some(hint.into())
    }

    /// Whether whoever reads standard output went away: no error, the rest was not wanted.
    pub(super) fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// Tells it on standard error: what failed, why, what to do.
    pub(super) fn print(&self) {
        print(self, &self.hint().unwrap_or_default());
    }
}

/// Tells an error on standard error: what failed, why, and, unless it is empty, what to do.
pub(super) fn print(error: &dyn Error, hint: &str) {
    let mut text = format!("error: failed to {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.ends_with(&message) {
            text = format!("{text}: {message}");
        }
        cause = error.source();
    }
    if !hint.is_empty() {
        text = format!("{text}\nhint: {hint}");
    }
    let _ = writeln!(io::stderr(), "{}", printable(&text));
}
