//! A cluster watched beside a capture: who had which address when, kept in memory for the view and in a file for the result.
//!
//! Another process asks the cluster ([`feed`]); this one never has its credentials.

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader};
use std::net::{Shutdown, SocketAddr, ToSocketAddrs as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::cluster::RESOURCES;
use crate::inventory::{Gap, History, Inventory, InventoryBuilder, InventoryOptions, Record};
use crate::model::Timestamp;

use super::args::Learn;
use super::capture::now;
use super::checkpointed_log::CheckpointedLog;
use super::console::warn;
use super::failure::Failure;
use super::feed::Message;

/// So many records are not kept in memory, even if they come at once.
const MOST_WAITING: u64 = 10_000;
/// How long is waited for the last words of the process that asks.
const LONGEST_END: Duration = Duration::from_secs(5);

/// An inventory for the view is made anew no more often than this,
const RENEW_EVERY: Duration = Duration::from_secs(5);
/// and in a large cluster takes no more than this part of the time.
const RENEWAL_SHARE: u32 = 20;

/// The process that asks the cluster, which has answered.
pub(super) struct Feed {
    child: Child,
    stream: UnixStream,
    messages: BufReader<UnixStream>,
    host: String,
    port: u16,
    nodes: BTreeSet<String>,
}

impl Feed {
    /// Starts it, and waits until the cluster has said all there is. To be called with the rights that credentials need.
    pub(super) fn start(arguments: &Learn) -> Result<Self, Failure> {
        let (stream, other) = UnixStream::pair().map_err(Failure::Feed)?;
        let mut command = Command::new(std::env::current_exe().map_err(Failure::Feed)?);
        command.arg("feed").stdout(OwnedFd::from(other));
        if let Some(context) = &arguments.cluster.context {
            command.arg("--context").arg(context);
        }
        if let Some(kubeconfig) = &arguments.cluster.kubeconfig {
            command.arg("--kubeconfig").arg(kubeconfig);
        }
        let child = command.spawn().map_err(Failure::Feed)?;
        // It holds the other end, by which the end of the process is noticed.
        drop(command);
        let mut messages = BufReader::new(stream.try_clone().map_err(Failure::Feed)?);
        match read(&mut messages).map_err(Failure::Feed)? {
            Some(Message::Begun { host, port, nodes }) => Ok(Self { child, stream, messages, host, port, nodes }),
            Some(Message::Failed { message, hint }) => Err(Failure::NotFed { message, hint }),
            _ => Err(Failure::Feed(io::Error::other("it ended before it said anything"))),
        }
    }

    /// The names and addresses of the nodes.
    pub(super) const fn nodes(&self) -> &BTreeSet<String> {
        &self.nodes
    }

    /// The addresses of the API server: what a capture on this machine leaves out.
    pub(super) fn peers(&self) -> Vec<SocketAddr> {
        (self.host.as_str(), self.port).to_socket_addrs().map(Iterator::collect).unwrap_or_default()
    }
}

/// The next message; nothing at the end.
fn read(messages: &mut BufReader<UnixStream>) -> io::Result<Option<Message>> {
    let mut line = Vec::new();
    messages.read_until(b'\n', &mut line)?;
    Ok(if line.ends_with(b"\n") { Some(serde_json::from_slice(&line)?) } else { None })
}

/// A watch, and what came of it.
pub(super) struct WatchRecorder {
    child: Child,
    stream: UnixStream,
    thread: JoinHandle<()>,
    kept: Arc<Mutex<Kept>>,
    path: PathBuf,
    options: InventoryOptions,
    /// When an inventory is worth making anew.
    next: Instant,
}

struct Kept {
    journal: CheckpointedLog,
    history: History,
    waiting: u64,
    every: Duration,
    next: Instant,
    /// Why the disk took nothing the last time.
    trouble: Option<String>,
    /// Since when nothing was heard.
    silent_since: Option<Timestamp>,
    /// When the process that asks ended by itself.
    broken_at: Option<Timestamp>,
    /// Whether it said that it ends.
    is_ended: bool,
}

impl WatchRecorder {
    /// Writes what is heard to a new file, from what is there on.
    pub(super) fn start(feed: Feed, path: &Path, every: Duration, options: &InventoryOptions) -> Result<Self, Failure> {
        let failed = |source| Failure::Unwritable { path: path.to_owned(), source };
        let journal = CheckpointedLog::create(path).map_err(failed)?;
        let next = Instant::now() + every;
        let kept = Kept {
            journal,
            history: History::default(),
            waiting: 0,
            every,
            next,
            trouble: None,
            silent_since: None,
            broken_at: None,
            is_ended: false,
        };
        let kept = Arc::new(Mutex::new(kept));
        let shared = Arc::clone(&kept);
        let Feed { child, stream, mut messages, .. } = feed;
        let work = move || {
            while let Ok(Some(message)) = read(&mut messages) {
                lock(&shared).hear(message);
            }
            lock(&shared).conclude();
        };
        let thread = thread::Builder::new().name("cluster".to_owned()).spawn(work).map_err(Failure::Feed)?;
        let path = path.to_owned();
        Ok(Self { child, stream, thread, kept, path, options: options.clone(), next: Instant::now() })
    }

    /// Writes what has come together, if it is time.
    pub(super) fn keep_up(&self) {
        let mut kept = lock(&self.kept);
        if Instant::now() >= kept.next {
            kept.checkpoint();
        }
    }

    /// What is wrong at the moment, for whoever looks on.
    pub(super) fn trouble(&self) -> Option<String> {
        let kept = lock(&self.kept);
        if let Some(at) = kept.broken_at {
            return Some(format!("the process that asks the cluster ended at {at}; going on without it"));
        }
        if let Some(since) = kept.silent_since {
            return Some(format!("the API server has not been heard since {since}; going on"));
        }
        kept.trouble.as_ref().map(|error| format!("cannot write {}: {error}; going on", self.path.display()))
    }

    /// Who is who, by what was heard so far; nothing if it was asked a moment ago.
    pub(super) fn renewed(&mut self) -> Option<Inventory> {
        let begin = Instant::now();
        if begin < self.next {
            return None;
        }
        let history = lock(&self.kept).history.clone();
        let mut builder = InventoryBuilder::new();
        builder.apply_snapshot(history.conclude("cluster"));
        let inventory = builder.build(&self.options);
        self.next = Instant::now() + (begin.elapsed() * RENEWAL_SHARE).max(RENEW_EVERY);
        Some(inventory)
    }

    /// Ends the watch. Whether everything reached the disk; if not, that is told.
    pub(super) fn stop(mut self) -> bool {
        // It ends when it is no longer listened to; its last words are waited for.
        let _ = self.stream.set_read_timeout(Some(LONGEST_END));
        let _ = self.stream.shutdown(Shutdown::Write);
        let _ = self.thread.join();
        let _ = self.child.try_wait();
        let mut kept = lock(&self.kept);
        if let Some(from) = kept.broken_at.take() {
            let kinds: BTreeSet<String> = RESOURCES.iter().map(|resource| resource.kind.to_owned()).collect();
            let reason = "the process that asks the cluster ended by itself".to_owned();
            kept.take(Record::Gap(Gap { from, until: now(), kinds, reason }));
            kept.take(Record::End { at: now() });
        }
        kept.checkpoint();
        let lost = kept.journal.lost();
        if kept.trouble.is_none() && lost == 0 {
            return true;
        }
        let why = kept.trouble.take().unwrap_or_default();
        warn(&format!("error: failed to write {}: {why} ({lost} records lost)", self.path.display()));
        false
    }
}

impl Kept {
    fn hear(&mut self, message: Message) {
        match message {
            Message::Record(record) => self.take(*record),
            Message::Silent(since) => self.silent_since = since.map(Timestamp),
            // Said once, at the beginning.
            Message::Begun { .. } | Message::Failed { .. } => {}
        }
    }

    /// There is nothing more to be heard.
    fn conclude(&mut self) {
        if !self.is_ended {
            self.broken_at = Some(now());
        }
    }

    fn take(&mut self, record: Record) {
        self.is_ended |= matches!(record, Record::End { .. });
        // Records have a form in JSON; what finds no room is counted by the journal.
        let _ = self.journal.add(&record);
        self.history.apply(record);
        self.waiting += 1;
        if self.waiting >= MOST_WAITING {
            self.checkpoint();
        }
    }

    fn checkpoint(&mut self) {
        self.waiting = 0;
        self.next = Instant::now() + self.every;
        self.trouble = self.journal.checkpoint().err().map(|error| error.to_string());
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}
