//! A thread that opens interfaces for the others. It is the only one that keeps `CAP_NET_RAW`.
//!
//! A process that captures on named interfaces must be able to open them again when they come back, and those of a pattern when they
//! come. Only this thread keeps the right to (`CAP_NET_RAW`); it sees no frame. Threads that decode ask it.

use std::io;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use super::CaptureError;
use super::tap::{self, Tap};

/// Opens interfaces, and lists them.
#[derive(Debug)]
pub(super) struct Opener(Option<SyncSender<Request>>);

enum Request {
    Open { name: String, filter: String, answer: SyncSender<Result<Tap, CaptureError>> },
    List { answer: SyncSender<Result<Vec<String>, CaptureError>> },
}

impl Opener {
    /// Without a thread, interfaces are opened by the caller: nothing has to be opened again later.
    pub(super) const fn none() -> Self {
        Self(None)
    }

    /// Starts the thread, with the rights of the one that calls. It ends when the opener is dropped.
    pub(super) fn start() -> io::Result<Self> {
        let (requests, received) = sync_channel(0);
        let work = move || {
            // The requester may have ended; then nobody reads the answer.
            for request in received {
                match request {
                    Request::Open { name, filter, answer } => drop(answer.send(Tap::open(&name, &filter))),
                    Request::List { answer } => drop(answer.send(tap::names())),
                }
            }
        };
        thread::Builder::new().name("interfaces".to_owned()).spawn(work)?;
        Ok(Self(Some(requests)))
    }

    /// Opens an interface.
    pub(super) fn open(&self, name: &str, filter: &str) -> Result<Tap, CaptureError> {
        let request = |answer| Request::Open { name: name.to_owned(), filter: filter.to_owned(), answer };
        self.ask(request).unwrap_or_else(|| Tap::open(name, filter))
    }

    /// The names of all interfaces there are.
    pub(super) fn names(&self) -> Result<Vec<String>, CaptureError> {
        self.ask(|answer| Request::List { answer }).unwrap_or_else(tap::names)
    }

    /// The answer to a request; nothing if nobody answers.
    fn ask<T>(&self, request: impl FnOnce(SyncSender<T>) -> Request) -> Option<T> {
        let (answer, answered) = sync_channel(1);
        self.0.as_ref()?.send(request(answer)).ok()?;
        answered.recv().ok()
    }
}
