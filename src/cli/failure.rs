//! Why a command could not be done, and what to do about it.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::error::Error;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::PathBuf;

use thiserror::Error;

use crate::capture::CaptureError;
#[cfg(feature = "cluster")]
use crate::cluster::ClusterError;
use crate::inventory::{Inventory, InventoryError};
use crate::migration::MigrationError;
use crate::output::text::{lines, listed, one_line};
use crate::output::{EmitError, YamlProblem};
use crate::review::decisions::DecisionError;
use crate::verify::{PolicyError, PolicyName};

use super::console::painted;
use super::suggest::nearest;
#[cfg(feature = "live")]
use super::writer::as_named;

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
    /// The user whose files they would be cannot write there.
    #[cfg(feature = "live")]
    #[error("write into {} as user {uid}: it is another user's", path.display())]
    NotTheWriters {
        /// As it was named.
        path: PathBuf,
        /// PeerQuery root becomes.
        uid: u32,
    },
    /// The process that asks the cluster beside a capture.
    #[cfg(all(feature = "live", feature = "cluster"))]
    #[error("start the process that asks the cluster")]
    Feed(#[source] io::Error),
    /// What that process says.
    #[cfg(all(feature = "live", feature = "cluster"))]
    #[error("{message}")]
    NotFed {
        /// Why the cluster cannot be asked.
        message: String,
        /// What to do about it.
        hint: String,
    },
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
    /// A file of decisions.
    #[error("read the decisions of {}", path.display())]
    DecisionsUnreadable {
        /// As it was named.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Decisions that cannot be obeyed.
    #[error("apply the decisions of {file}: {source}")]
    Decisions {
        /// The file.
        file: String,
        /// Why.
        source: DecisionError,
    },
    /// All that was seen is rejected.
    #[error("find a connection to make a rule of: all {0} edges seen are rejected by decision")]
    AllRejected(usize),
    /// Policies that are given.
    #[error("read policies from {}", path.display())]
    PoliciesUnreadable {
        /// As it was named.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Policies of two runs, some of the one and some of the other.
    #[error("read policies from {}: a run is writing there, or ended before it was done", directory.display())]
    HalfWritten {
        /// The output directory.
        directory: PathBuf,
    },
    /// A file of policies that is none.
    #[error("read the policies of {file}: {problem}")]
    PolicyMalformed {
        /// The file.
        file: String,
        /// Where and what.
        problem: YamlProblem,
    },
    /// Two policies of one name that say different things.
    #[error("tell which policy {name} counts: there is one in {first}, and another in {second}")]
    PolicyTwice {
        /// Their name.
        name: PolicyName,
        /// Where the first is.
        first: String,
        /// Where the second is.
        second: String,
    },
    /// Files without a policy.
    #[error("find a NetworkPolicy in {given}{}", if others.is_empty() { String::new() } else { format!(": there is {others}") })]
    NoPolicies {
        /// What was named.
        given: String,
        /// What is there instead.
        others: String,
    },
    /// Policies that cannot be applied one after the other.
    #[error("plan steps for {names}: both are in {file}")]
    SeveralInAFile {
        /// The file.
        file: String,
        /// Two of its policies.
        names: String,
    },
    /// No policy of a namespace that is wanted.
    #[error("find a policy in {directory} that is for one of the namespaces asked for")]
    NothingToPlan {
        /// Where.
        directory: String,
    },
    /// `--accept` names something that is no reason.
    #[error("understand --accept {word}: no plan gives that reason")]
    NoSuchReason {
        /// The word.
        word: String,
        /// Those that there are.
        known: String,
    },
    /// The steps of a plan.
    #[error(transparent)]
    Migration(#[from] MigrationError),
    /// Both sets of policies would come from standard input.
    #[error("read both sets of policies from standard input")]
    TwoInputs,
    /// `--from` or `--to` means nobody who is known.
    #[error("find {argument} {text} in the inventory")]
    Nobody {
        /// Which argument.
        argument: &'static str,
        /// What it says.
        text: String,
        /// Who may be meant.
        candidates: Vec<String>,
        /// Whether names outside the cluster were known.
        has_captures: bool,
    },
    /// What was asked for may mean several.
    #[error("tell whom {argument} {text} means: it may be {}", candidates.join(", "))]
    Ambiguous {
        /// Which argument.
        argument: &'static str,
        /// What it says.
        text: String,
        /// PeerQuery it may mean.
        candidates: Vec<String>,
    },
    /// A workload that has no pods.
    #[error("ask about {argument} {text}: it has no pods in the inventory")]
    Podless {
        /// Which argument.
        argument: &'static str,
        /// What it says.
        text: String,
    },
    /// The address of a Service, of which policies know nothing.
    #[error("ask about {argument} {address}: it is an address of the Service {service}")]
    OfService {
        /// Which argument.
        argument: &'static str,
        /// The address.
        address: IpAddr,
        /// The Service.
        service: String,
    },
    /// A port that is no number and no name.
    #[error("find the port {port}{}", if known.is_empty() { String::new() } else { format!(": {known} have names") })]
    NoSuchPort {
        /// What was asked for.
        port: String,
        /// The ports that have names.
        known: String,
    },
    /// Nobody knows who is who.
    #[cfg(not(feature = "cluster"))]
    #[error("attribute addresses to pods: no inventory given")]
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
    #[error("find pods of the namespace `{name}` in the inventory")]
    NoSuchNamespace {
        /// The namespace.
        name: String,
        /// The namespaces that have pods.
        known: BTreeSet<String>,
    },
    /// A live capture would be of a machine that is not in the cluster.
    #[cfg(feature = "live")]
    #[error("capture the cluster's traffic here: {host} is not one of its nodes ({nodes})")]
    NotANode {
        /// The name of this machine.
        host: String,
        /// The nodes.
        nodes: String,
    },
    /// Policies and summary would both go to standard output.
    #[error("write policies (--output -) and summary (--format json) to standard output both")]
    TwoOutputs,
    /// `--deny` names something that is no code and no severity.
    #[error("understand --deny {word}: it is neither a finding's code nor note, warning or serious")]
    NoSuchCode {
        /// The word.
        word: String,
        /// The code that may be meant.
        nearest: Option<&'static str>,
    },
    /// `findings` was asked about a code that there is not.
    #[error("find the code `{code}`")]
    UnknownCode {
        /// The word.
        code: String,
        /// The code that may be meant.
        nearest: Option<&'static str>,
    },
}

/// The hint for a namespace that has no pods in the inventory: the nearest name, or the names that exist.
fn known_namespaces(name: &str, known: &BTreeSet<String>) -> String {
    if known.contains(name) {
        return "all its pods use the host network, and no policy applies to those".to_owned();
    }
    match nearest(name, known.iter().map(String::as_str)) {
        Some(nearest) => format!("did you mean `{nearest}`? The inventory has pods in {}", listed(known.iter().cloned(), 10)),
        None => format!("the inventory has pods in {}", listed(known.iter().cloned(), 10)),
    }
}

impl Failure {
    /// A namespace that was named and has no pods.
    pub(super) fn no_such_namespace(name: &str, inventory: &Inventory) -> Self {
        let known = inventory.workloads().iter().map(|workload| workload.name.namespace.clone()).collect();
        Self::NoSuchNamespace { name: name.to_owned(), known }
    }

    fn hint(&self) -> Option<Cow<'_, str>> {
        let hint = match self {
            Self::Capture(error) => error.hint(),
            Self::Inventory(error) => error.hint(),
            #[cfg(feature = "cluster")]
            Self::Cluster(error) => return Some(error.hint()),
            #[cfg(all(feature = "live", feature = "cluster"))]
            Self::NotFed { hint, .. } => {
                let offline = "--offline captures only, to learn from it where there is a cluster";
                return Some(if hint.is_empty() { offline.into() } else { format!("{hint}; {offline}").into() });
            }
            #[cfg(all(feature = "live", feature = "cluster"))]
            Self::Feed(_) => "is the program still where it was started from?",
            #[cfg(feature = "live")]
            Self::NotTheWriters { .. } => {
                "root gives up its rights before it captures: name a new directory, or give this one to that user (chown)"
            }
            Self::Unwritable { .. } => "name a file in a directory that is there and that you may write to",
            Self::Occupied(_) => "what it holds may not be had again: name another file, or move this one away",
            Self::Emit(error) => error.hint(),
            Self::Empty { hint, .. } => hint,
            Self::NoSuchNamespace { name, known } => return Some(known_namespaces(name, known).into()),
            #[cfg(feature = "live")]
            Self::NotANode { .. } => {
                "run this on a node (in a pod: with hostNetwork: true), or learn from a capture with --read; \
                 --interface any captures here all the same"
            }
            Self::TwoOutputs => "give --output a directory, or leave --format out",
            Self::DecisionsUnreadable { .. } => "name a file with --decisions, or leave decisions out with --no-decisions",
            Self::Decisions { source, .. } => source.hint(),
            Self::AllRejected(_) => "take one of the decisions back, or write the default deny by hand",
            Self::PoliciesUnreadable { .. } => {
                "name a file or directory of NetworkPolicies, or `cluster` for those of the inventory"
            }
            Self::HalfWritten { .. } => {
                "wait until it has ended; if it was killed, run it again: learn first brings all files back as they were before"
            }
            Self::PolicyMalformed { problem, .. } if problem.what.ends_with("says no namespace") => {
                "write metadata.namespace, or name one with --default-namespace"
            }
            Self::PolicyMalformed { .. } => {
                "`kubectl apply --dry-run=server -f FILE` should refuse it too; files that are templates must be rendered first"
            }
            Self::PolicyTwice { .. } => "in a cluster the later one would replace the first: name one of them",
            Self::NoPolicies { .. } => "name a file or directory that holds some, or `cluster` for those of the inventory",
            Self::SeveralInAFile { .. } => "write each policy to a file of its own, as learn does",
            Self::NothingToPlan { .. } => "name others with --namespace, or learn policies for them first",
            Self::NoSuchReason { known, .. } => return Some(format!("the reasons are {known}").into()),
            Self::Migration(MigrationError::Broken(_)) => {
                "this is a defect of netpol-gen: please report it with the line above; nothing was written"
            }
            Self::Migration(MigrationError::Policy(_)) => return None,
            Self::TwoInputs => "name a file or directory for one of them",
            Self::Nobody { candidates, .. } if !candidates.is_empty() => {
                return Some(format!("did you mean {}?", candidates.join(" or ")).into());
            }
            Self::Nobody { has_captures, .. } => {
                if *has_captures {
                    "write an address, namespace/pod, namespace/workload, namespace/kind/name, or a name that a pod asked for in the captures"
                } else {
                    "write an address, namespace/pod, namespace/workload or namespace/kind/name; names outside are known with --read"
                }
            }
            Self::Ambiguous { argument: "--port", .. } => "give the number",
            Self::Ambiguous { .. } => "name one of them",
            Self::Podless { .. } => "add an inventory of a time when it had some (--inventory is repeatable)",
            Self::OfService { .. } => {
                "policies see what is behind a Service: name the workload there, and its own port (targetPort)"
            }
            Self::NoSuchPort { .. } => "give a number from 1 to 65535, as the pod sees it, or the name of a container port",
            Self::NoSuchCode { nearest: Some(nearest), .. } | Self::UnknownCode { nearest: Some(nearest), .. } => {
                return Some(format!("did you mean `{nearest}`? `netpol-gen findings` lists all codes").into());
            }
            Self::NoSuchCode { .. } | Self::UnknownCode { .. } => "`netpol-gen findings` lists all codes",
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

/// What failed, and why.
pub(super) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.ends_with(&message) {
            text = format!("{text}: {message}");
        }
        cause = error.source();
    }
    text
}

/// Tells an error on standard error: what failed, why, and, unless it is empty, what to do.
pub(super) fn print(error: &dyn Error, hint: &str) {
    // No name in it begins a line of its own.
    let text = one_line(&format!("failed to {}", with_causes(error)), usize::MAX);
    let mut told = format!("{}: {}\n", painted("error", 31), lines(&text));
    if !hint.is_empty() {
        told = format!("{told}{}: {}\n", painted("hint", 36), lines(hint));
    }
    #[cfg(feature = "live")]
    let told = as_named(&told);
    let _ = write!(io::stderr(), "{told}");
}
