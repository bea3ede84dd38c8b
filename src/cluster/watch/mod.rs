//! A cluster in; everything that becomes of its objects out, with the times, for as long as it is wanted.
//!
//! In: which cluster ([`Access`]). Out: [`Record`]s, first of all objects that are there, then of every change, as they are heard
//! of; at the end a [`WatchReport`]. [`History`](crate::inventory::History) makes an inventory of them, or of the file they were
//! written to. Guaranteed:
//!
//! - A cluster that cannot be asked is an error before anything begins: every kind has been listed when [`Watch::start`] returns.
//! - After that nothing ends it but [`Watch::stop`]. Connections that break, answers of every kind, expired revisions, credentials
//!   that are replaced (the kubeconfig is read anew) and an API server that is away are waited out; a time in which something could
//!   be missed is told as a gap. Objects that went in a gap are told deleted at its end.
//! - A pod that is there for a moment only is told: each event counts, not what is there when someone looks.
//! - Of an object only what an inventory reads is kept, and only what is new of it is told.
//!
//! Why this is not the `watcher` of kube-runtime: it keeps bookmarks to itself, so that a quiet cluster and a dead connection look
//! the same, and gaps are the point here; what remains beside [`list`](super::list) is little.

mod book;
mod follow;
mod link;
mod stream;

pub use book::WatchReport;

use std::future::pending;
use std::io;
use std::rc::Rc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::LocalSet;

use super::{Access, ClusterError, LeftOutReason, RESOURCES};
use crate::inventory::Record;
use crate::model::Timestamp;
use book::{Book, Receive};
use follow::{Follower, Pace};
use link::Link;
use stream::Lines;

/// How long is waited for the end. A program that the kubeconfig names for credentials may be running.
const LONGEST_END: Duration = Duration::from_millis(700);

/// A watch under way, in a thread of its own. Ends when it is dropped, too.
pub struct Watch {
    server: String,
    book: Arc<Mutex<Book>>,
    stop: Option<oneshot::Sender<()>>,
    ended: Receiver<()>,
}

/// What the thread says when everything has been listed.
struct Begun {
    server: String,
    book: Arc<Mutex<Book>>,
}

impl Watch {
    /// Lists everything and goes on from there. Blocks until all lists are whole.
    ///
    /// `receive` is called in order and from one thread at a time, for the first lists before this returns. While it blocks nothing
    /// else is heard, and [`Watch::stop`] waits for it too.
    ///
    /// # Errors
    ///
    /// See [`ClusterError`]: if the cluster cannot be asked, or what identities rest on may not be listed and watched.
    pub fn start(access: &Access, receive: impl FnMut(Record) + Send + 'static) -> Result<Self, ClusterError> {
        let (report, begun) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let (end, ended) = mpsc::channel();
        let access = access.clone();
        let work = move || {
            let _end: Sender<()> = end;
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => {
                    let _ = report.send(Err(ClusterError::Runtime(error)));
                    return;
                }
            };
            LocalSet::new().block_on(&runtime, async {
                tokio::select! {
                    () = watch(&access, Box::new(receive), &report) => {}
                    // Also when the sender is gone.
                    _ = stopped => {}
                }
            });
            // A name being resolved is not waited for.
            runtime.shutdown_background();
        };
        thread::Builder::new().name("watch".to_owned()).spawn(work).map_err(ClusterError::Runtime)?;
        let Begun { server, book } =
            begun.recv().unwrap_or_else(|_| Err(ClusterError::Runtime(io::Error::other("it ended by itself"))))?;
        Ok(Self { server, book, stop: Some(stop), ended })
    }

    /// The API server: scheme, host and port.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Host (a name or an address) and port of the API server: what a capture on this machine had better leave out.
    #[must_use]
    pub fn endpoint(&self) -> (String, u16) {
        let (scheme, authority) = self.server.split_once("://").unwrap_or(("https", &self.server));
        let customary = if scheme == "http" { 80 } else { 443 };
        let (host, port) = match authority.rsplit_once(':') {
            // Otherwise the colon is one of an IPv6 address.
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().unwrap_or(customary)),
            _ => (authority, customary),
        };
        (host.trim_matches(['[', ']']).to_owned(), port)
    }

    /// Since when changes of some kind are not heard of, if that is so now.
    #[must_use]
    pub fn silent_since(&self) -> Option<Timestamp> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner).silent_since()
    }

    /// Ends it, within a second. The last record has been received when this returns.
    #[must_use]
    pub fn stop(mut self) -> WatchReport {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        let _ = self.ended.recv_timeout(LONGEST_END);
        self.book.lock().unwrap_or_else(PoisonError::into_inner).close()
    }
}

async fn watch(access: &Access, receive: Receive, report: &Sender<Result<Begun, ClusterError>>) {
    match begin(access, receive).await {
        Ok((begun, followers)) => {
            let _ = report.send(Ok(begun));
            for (follower, lines) in followers {
                tokio::task::spawn_local(follower.run(lines));
            }
            pending::<()>().await;
        }
        Err(error) => {
            let _ = report.send(Err(error));
        }
    }
}

/// Lists everything, then begins to watch it.
async fn begin(access: &Access, receive: Receive) -> Result<(Begun, Vec<(Follower, Option<Lines>)>), ClusterError> {
    let pace = Pace::of(access.patience);
    let link = Rc::new(Link::new(access, pace.tolerated * 2).await?);
    let server = link.connection().server().to_owned();
    let tolerated = i64::try_from(pace.tolerated.as_nanos()).unwrap_or(i64::MAX);
    let book = Arc::new(Mutex::new(Book::open(receive, &server, tolerated)));
    let leave_out = |resource, reason| book.lock().unwrap_or_else(PoisonError::into_inner).leave_out(resource, reason);
    let mut listed = Vec::new();
    for (number, resource) in (0u32..).zip(RESOURCES) {
        let mut follower = Follower::new(resource, Rc::clone(&link), Arc::clone(&book), pace, number);
        match follower.begin().await {
            Ok(()) => listed.push(follower),
            Err(ClusterError::Forbidden { message, .. }) if !resource.is_required => {
                leave_out(resource, LeftOutReason::Forbidden { message });
            }
            Err(ClusterError::NotServed { .. }) if !resource.is_required => leave_out(resource, LeftOutReason::NotServed),
            Err(error) => return Err(error),
        }
    }
    let mut followers = Vec::new();
    for mut follower in listed {
        let lines = match follower.establish().await {
            Ok(lines) => Some(lines),
            Err(error @ ClusterError::Forbidden { .. }) if follower.is_required() => return Err(error),
            // It was there a moment ago: it will be tried again.
            Err(error) => {
                follower.fail(&error).await;
                None
            }
        };
        followers.push((follower, lines));
    }
    Ok((Begun { server, book }, followers))
}
