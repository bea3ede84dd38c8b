//! A cluster in, its objects out.
//!
//! In: which cluster, as kubectl would know it ([`Access`]). Out: [`Listing`], the objects of every kind that
//! [`inventory`](crate::inventory) reads ([`RESOURCES`]), narrowed to what it reads
//! ([`narrow`](crate::inventory::snapshot::narrow)): no `Secret` or `ConfigMap` is asked for, and no environment, argument or
//! annotation of a pod is kept. Guaranteed:
//!
//! - The API is read only, each kind once, in pages of [`PAGE`] objects; of a page, what is not needed is dropped before the next
//!   one is asked for.
//! - Each kind is of one moment (the API serves later pages from the first one's revision); different kinds are seconds apart.
//!   If that revision is compacted away meanwhile, the kind is listed anew, once.
//! - It ends: every request has a time limit, and only what the API asks to repeat (429, 503, 504) is repeated, three times.
//! - No error quotes a kubeconfig, a token or what a credential plugin printed ([`Cause`]).
//! - What one may not list is told ([`LeftOut`]); without namespaces, pods or Services there is no inventory but an error.
//!
//! Or, as long as it is wanted, everything that becomes of these objects: [`Watch`].

mod access;
mod cause;
mod error;
mod list;
mod resource;
mod watch;

pub use access::Access;
pub use cause::Cause;
pub use error::ClusterError;
pub use resource::{RESOURCES, Resource, kubectl_command};
pub use watch::{Watch, WatchReport};

use std::fmt;
use std::io::{self, Write};

use serde_json::Value;

use crate::output::text::json;

/// A manifest that lets a service account list and watch exactly [`RESOURCES`].
pub const ROLE: &str = include_str!("../../templates/cluster-role.yaml");

/// How many objects a request asks for, as kubectl does.
pub const PAGE: u32 = 500;

/// What a cluster holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Listing {
    /// The API server that was asked: scheme, host and port.
    pub server: String,
    /// Narrowed, in the order of [`RESOURCES`], then the API's own (namespace, name).
    pub objects: Vec<Value>,
    /// Kinds that could not be had.
    pub left_out: Vec<LeftOut>,
}

/// A kind that is missing from a [`Listing`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Which.
    pub resource: &'static Resource,
    /// Why.
    pub reason: LeftOutReason,
}

/// Why a kind is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeftOutReason {
    /// Whoever asked may not list it.
    Forbidden {
        /// What the API says.
        message: String,
    },
    /// The cluster has no such kind.
    NotServed,
}

/// In words, for findings.
impl fmt::Display for LeftOutReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forbidden { message } => formatter.write_str(message),
            Self::NotServed => formatter.write_str("the cluster has no such kind"),
        }
    }
}

impl Listing {
    /// How many objects there are of a kind.
    #[must_use]
    pub fn count(&self, kind: &str) -> usize {
        self.objects.iter().filter(|object| object["kind"] == kind).count()
    }

    /// Writes one `kind: List` as JSON, an object a line: what `--inventory` and `kubectl … -f` read.
    ///
    /// # Errors
    ///
    /// If `out` fails.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(b"{\"apiVersion\":\"v1\",\"kind\":\"List\",\"metadata\":{\"resourceVersion\":\"\"},\"items\":[")?;
        for (position, object) in self.objects.iter().enumerate() {
            out.write_all(if position == 0 { b"\n" } else { b",\n" })?;
            out.write_all(json(serde_json::to_string(object)?).as_bytes())?;
        }
        out.write_all(b"\n]}\n")
    }
}

/// Lists everything once. Blocks until it is done; not to be called inside an async runtime.
///
/// # Errors
///
/// See [`ClusterError`].
pub fn list(access: &Access) -> Result<Listing, ClusterError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ClusterError::Runtime)?;
    runtime.block_on(list_all(access))
}

async fn list_all(access: &Access) -> Result<Listing, ClusterError> {
    let connection = access.connect().await?;
    let mut listing = Listing { server: connection.server().to_owned(), objects: Vec::new(), left_out: Vec::new() };
    for resource in RESOURCES {
        match connection.list(resource).await {
            Ok(mut listed) => listing.objects.append(&mut listed.objects),
            Err(ClusterError::Forbidden { message, .. }) if !resource.is_required => {
                listing.left_out.push(LeftOut { resource, reason: LeftOutReason::Forbidden { message } });
            }
            Err(ClusterError::NotServed { .. }) if resource.may_be_absent => {}
            Err(ClusterError::NotServed { .. }) if !resource.is_required => {
                listing.left_out.push(LeftOut { resource, reason: LeftOutReason::NotServed });
            }
            Err(error) => return Err(error),
        }
    }
    if listing.count("Pod") == 0 {
        return Err(ClusterError::NoPods { server: listing.server });
    }
    Ok(listing)
}
