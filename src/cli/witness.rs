//! A cluster watched beside a capture: who had which address when, kept in memory for the view and in a file for the result.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::cluster::Watch;
use crate::inventory::{History, Inventory, InventoryBuilder, InventoryOptions, Record};

use super::args::Learn;
use super::failure::Failure;
use super::journal::Journal;
use super::recording::say;

/// So many records are not kept in memory, even if they come at once.
const MOST_WAITING: u64 = 10_000;

/// An inventory for the view is made anew no more often than this,
const RENEW_EVERY: Duration = Duration::from_secs(5);
/// and in a large cluster takes no more than this part of the time.
const RENEWAL_SHARE: u32 = 20;

/// A watch, and what came of it.
pub(super) struct Witness {
    watch: Watch,
    kept: Arc<Mutex<Kept>>,
    path: PathBuf,
    options: InventoryOptions,
    /// When an inventory is worth making anew.
    next: Instant,
}

struct Kept {
    journal: Journal,
    history: History,
    waiting: u64,
    every: Duration,
    next: Instant,
    /// Why the disk took nothing the last time.
    trouble: Option<String>,
}

impl Witness {
    /// Asks the cluster for everything, and goes on from there.
    pub(super) fn start(arguments: &Learn, path: &Path, options: &InventoryOptions) -> Result<Self, Failure> {
        let every = arguments.live.tapping.every;
        let journal = Journal::create(path).map_err(|source| Failure::Unwritable { path: path.to_owned(), source })?;
        let next = Instant::now() + every;
        let kept = Kept { journal, history: History::default(), waiting: 0, every, next, trouble: None };
        let kept = Arc::new(Mutex::new(kept));
        let shared = Arc::clone(&kept);
        match Watch::start(&arguments.cluster.access(), move |record| lock(&shared).take(record)) {
            Ok(watch) => {
                lock(&kept).checkpoint();
                Ok(Self { watch, kept, path: path.to_owned(), options: options.clone(), next: Instant::now() })
            }
            Err(error) => {
                // It holds nothing that could be learned from.
                let _ = std::fs::remove_file(path);
                Err(Failure::NoWitness(error))
            }
        }
    }

    /// The addresses of the API server: what a capture on this machine leaves out.
    pub(super) fn peers(&self) -> Vec<SocketAddr> {
        self.watch.endpoint().to_socket_addrs().map(Iterator::collect).unwrap_or_default()
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
        if let Some(since) = self.watch.silent_since() {
            return Some(format!("the API server has not been heard since {since}; going on"));
        }
        lock(&self.kept).trouble.as_ref().map(|error| format!("cannot write {}: {error}; going on", self.path.display()))
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
    pub(super) fn stop(self) -> bool {
        // What it reports is in the file, too, and becomes findings from there.
        let _ = self.watch.stop();
        let mut kept = lock(&self.kept);
        kept.checkpoint();
        let lost = kept.journal.lost();
        if kept.trouble.is_none() && lost == 0 {
            return true;
        }
        let why = kept.trouble.take().unwrap_or_default();
        say(&format!("error: failed to write {}: {why} ({lost} records lost)", self.path.display()));
        false
    }
}

impl Kept {
    fn take(&mut self, record: Record) {
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
