//! Interfaces in, records out, while it happens.
//!
//! One thread an interface decodes frames, keeps conversations, and every few seconds hands on what is new as
//! [`Record`]s: never a frame. Memory is bounded by the table's capacity, whatever comes; if nobody takes the records, the
//! table keeps them until it must give up conversations, and counts those. An interface that goes away is waited for; those of
//! a pattern are taken up as they come.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::capabilities::{self, Needed, User};
use super::opener::Opener;
use super::tap::{self, Tap};
use super::{CaptureError, confine, interfaces, own_requests};
use crate::decode::{DecodeOptions, Decoder, Tally};
use crate::flow::record::{Frames, Record};
use crate::flow::{self, FlowTable};
use crate::model::{Code, Findings};

/// How long a thread waits for frames before it looks whether it is time to hand on, or to end.
const PATIENCE: Duration = Duration::from_millis(200);
/// How long frames are left to come together in the kernel's buffer, which holds a tenth of a second of a fast network.
const PAUSE: Duration = Duration::from_millis(20);
/// How long is read on at the end: what is in the kernel's buffer was seen as well; but it fills again.
const LAST: Duration = Duration::from_millis(200);
/// How often the kernel is asked what it dropped: libpcap reads files for the answer.
const COUNT_EVERY: Duration = Duration::from_secs(1);
/// How often an interface that went away is looked for.
const RETRY: Duration = Duration::from_millis(500);
/// Hand-overs that may wait for whoever writes them.
const WAITING: usize = 16;
/// Records after which a hand-over does not wait for its time.
const EARLY: usize = 20_000;
/// Conversations that are handed on together: all of them on a quiet node, and no more than a cache holds on any.
const TOGETHER: usize = 2048;

/// What is to be captured.
#[derive(Clone, Debug)]
pub struct LiveOptions {
    /// Names or glob patterns of interfaces; `any` for all of them.
    pub interfaces: Vec<String>,
    /// A filter in the syntax of pcap-filter(7), or nothing.
    pub filter: String,
    /// What cannot be read from frames.
    pub decoding: DecodeOptions,
    /// Conversations kept at a time, of each interface.
    pub capacity: usize,
    /// How often records are handed on.
    pub every: Duration,
}

/// What one interface had to tell.
#[derive(Debug)]
pub struct Batch {
    /// The interface.
    pub source: String,
    /// In the order in which they are to be written.
    pub records: Vec<Record>,
}

/// Counts of all interfaces together, as they are now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames read.
    pub frames: u64,
    /// Frames that found no room.
    pub dropped: u64,
    /// Conversations that were begun, or found under way.
    pub conversations: u64,
}

/// What is left after giving up rights: which user runs, and which protections the kernel lacks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Whether the process now runs as another user.
    pub is_other_user: bool,
    /// Protections that the kernel lacks, as sentences for the user.
    pub lacking: Vec<String>,
}

/// Interfaces that are opened and not read yet.
pub struct Opened {
    opener: Opener,
    taps: Vec<(String, Tap)>,
    options: LiveOptions,
    filter: String,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Opened").field("interfaces", &self.interfaces()).finish_non_exhaustive()
    }
}

/// Interfaces that are being read.
#[derive(Debug)]
pub struct Live {
    shared: Arc<Shared>,
    threads: BTreeMap<String, JoinHandle<()>>,
    sender: SyncSender<Batch>,
    receiver: Receiver<Batch>,
}

#[derive(Debug)]
struct Shared {
    opener: Opener,
    options: LiveOptions,
    filter: String,
    stop: AtomicBool,
    frames: AtomicU64,
    dropped: AtomicU64,
    conversations: AtomicU64,
}

impl Shared {
    fn counts(&self) -> Counts {
        Counts {
            frames: self.frames.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
            conversations: self.conversations.load(Ordering::Relaxed),
        }
    }
}

/// Opens all interfaces.
///
/// # Errors
/// When rights are missing, an interface is not there, or the filter is none.
pub fn open(options: LiveOptions) -> Result<Opened, CaptureError> {
    let filter = options.filter.trim().to_owned();
    let there = tap::names()?;
    let mut names = BTreeSet::new();
    let mut matched = BTreeSet::new();
    for wanted in &options.interfaces {
        if wanted == "any" || there.contains(wanted) || !is_pattern(wanted) {
            names.insert(wanted.clone());
            continue;
        }
        let pattern = pattern(wanted)?;
        matched.extend(there.iter().filter(|name| pattern.matches(name)).cloned());
    }
    if names.is_empty() && matched.is_empty() {
        return Err(CaptureError::NoSuchInterface { wanted: options.interfaces.join(", "), there });
    }
    let mut taps = Vec::new();
    for name in names {
        if name != "any" && !there.contains(&name) {
            return Err(CaptureError::NoSuchInterface { wanted: name, there });
        }
        let tap = Tap::open(&name, &filter)?;
        taps.push((name, tap));
    }
    let mut failed = None;
    for name in matched {
        if taps.iter().any(|(known, _)| *known == name) {
            continue;
        }
        match Tap::open(&name, &filter) {
            Ok(tap) => taps.push((name, tap)),
            // One that is down, or no network interface: it is tried again while the capture goes on.
            Err(error) => failed = Some(error),
        }
    }
    if taps.is_empty()
        && let Some(error) = failed
    {
        return Err(error);
    }
    Ok(Opened { opener: Opener::none(), taps, options, filter })
}

impl Opened {
    /// The interfaces, by name.
    #[must_use]
    pub fn interfaces(&self) -> Vec<String> {
        self.taps.iter().map(|(name, _)| name.clone()).collect()
    }

    /// The filter that was compiled for all of them; empty if there is none.
    #[must_use]
    pub fn filter(&self) -> &str {
        &self.filter
    }

    /// Leaves out what this machine says to `peers`: requests of this program, which are no traffic of the cluster. What pods say
    /// to them stays in.
    ///
    /// # Errors
    /// When the own addresses cannot be told, or libpcap does not take the filter.
    pub fn leave_out(&mut self, peers: &[SocketAddr]) -> Result<(), CaptureError> {
        let own: BTreeSet<IpAddr> = interfaces()?.into_iter().flat_map(|interface| interface.addresses).collect();
        let parts = peers.iter().filter_map(|peer| own_requests::leave_out(*peer, &own));
        self.filter = parts.fold(std::mem::take(&mut self.filter), |filter, part| own_requests::join(&filter, Some(&part)));
        for (_, tap) in &mut self.taps {
            tap.set_filter(&self.filter)?;
        }
        Ok(())
    }

    /// Gives up every right that reading on does not need, and with `user` the identity of root; files can be written below these
    /// directories only. To be called while this is the only thread: later ones have its rights.
    ///
    /// # Errors
    /// When the system refuses; it has no reason to.
    pub fn give_up(&mut self, user: Option<User>, directories: &[&Path]) -> io::Result<Kept> {
        // `any` stays open whatever comes and goes.
        let is_reopened = self.taps.iter().any(|(name, _)| name != "any");
        let needed = if is_reopened { Needed::Reopening } else { Needed::Nothing };
        let is_other_user = capabilities::give_up(user, needed)?;
        let mut lacking = confine::confine(directories);
        if is_reopened {
            self.opener = Opener::start()?;
            capabilities::give_up(None, Needed::Nothing)?;
        }
        lacking.extend(confine::without_sockets());
        Ok(Kept { is_other_user, lacking })
    }

    /// Begins to read.
    #[must_use]
    pub fn start(self) -> Live {
        let (sender, receiver) = sync_channel(WAITING);
        let shared = Arc::new(Shared {
            opener: self.opener,
            options: self.options,
            filter: self.filter,
            stop: AtomicBool::new(false),
            frames: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            conversations: AtomicU64::new(0),
        });
        let mut live = Live { shared, threads: BTreeMap::new(), sender, receiver };
        for (name, tap) in self.taps {
            live.follow(name, Some(tap), false);
        }
        live
    }
}

impl Live {
    /// The next records, or nothing after so long.
    #[must_use]
    pub fn receive(&self, patience: Duration) -> Option<Batch> {
        self.receiver.recv_timeout(patience).ok()
    }

    /// Counts as they are now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.counts()
    }

    /// Takes up interfaces that have come since and match a pattern.
    pub fn refresh(&mut self) {
        let wanted = &self.shared.options.interfaces;
        let patterns: Vec<_> = wanted.iter().filter(|name| is_pattern(name)).filter_map(|name| pattern(name).ok()).collect();
        // Those of a pattern that went away; one of the same name may be there again.
        let ended: Vec<String> =
            self.threads.iter().filter(|(_, thread)| thread.is_finished()).map(|(name, _)| name.clone()).collect();
        for name in ended {
            if let Some(thread) = self.threads.remove(&name) {
                self.bury(&name, thread);
            }
        }
        if patterns.is_empty() {
            return;
        }
        for name in self.shared.opener.names().unwrap_or_default() {
            if !self.threads.contains_key(&name) && patterns.iter().any(|pattern| pattern.matches(&name)) {
                self.follow(name, None, true);
            }
        }
    }

    /// A thread that ended by a defect is not passed over.
    fn bury(&self, name: &str, thread: JoinHandle<()>) {
        if thread.join().is_err() {
            let finding = Record::Finding {
                code: Code::RecordingIncomplete.name().to_owned(),
                subject: name.to_owned(),
                message: "is not captured any more, by a defect of this program".to_owned(),
                count: 1,
            };
            let _ = self.sender.try_send(Batch { source: name.to_owned(), records: vec![finding] });
        }
    }

    /// Ends reading: hands what the interfaces still have to tell to `take`, until nothing more comes, and returns the counts.
    pub fn stop(self, mut take: impl FnMut(Batch)) -> Counts {
        let Self { shared, threads, sender, receiver, .. } = self;
        shared.stop.store(true, Ordering::Relaxed);
        drop(sender);
        // Ends when the last thread has told all and dropped its end.
        while let Ok(batch) = receiver.recv() {
            take(batch);
        }
        for (source, thread) in threads {
            if thread.join().is_err() {
                let message = "was not captured to the end, by a defect of this program".to_owned();
                let code = Code::RecordingIncomplete.name().to_owned();
                let finding = Record::Finding { code, subject: source.clone(), message, count: 1 };
                take(Batch { source, records: vec![finding] });
            }
        }
        shared.counts()
    }

    fn follow(&mut self, name: String, tap: Option<Tap>, is_late: bool) {
        let follower = Follower::new(name.clone(), is_late, Arc::clone(&self.shared), self.sender.clone());
        self.threads.insert(name, thread::spawn(move || follower.run(tap)));
    }
}

/// Follows one interface, in its own thread.
struct Follower {
    name: String,
    shared: Arc<Shared>,
    sender: SyncSender<Batch>,
    decoder: Decoder,
    /// As it was when it was last told.
    told: Tally,
    /// As many as have been counted.
    conversations: u64,
    dropped: u64,
    /// When it is time to ask for that again.
    count_at: Instant,
    table: FlowTable,
    /// On their way to the table.
    packets: flow::Batch,
    findings: Findings,
    /// Whether it came during the capture and has not been opened yet.
    is_late: bool,
    /// Whether it was opened during the capture and nothing has come since.
    is_resumed: bool,
    /// What found no room in the channel.
    unsent: Option<Batch>,
}

impl Follower {
    fn new(name: String, is_late: bool, shared: Arc<Shared>, sender: SyncSender<Batch>) -> Self {
        let table = FlowTable::recording(shared.options.capacity);
        Self {
            decoder: Decoder::new(shared.options.decoding.clone()),
            packets: table.batch(),
            table,
            name,
            shared,
            sender,
            told: Tally::default(),
            conversations: 0,
            dropped: 0,
            count_at: Instant::now(),
            findings: Findings::default(),
            is_late,
            is_resumed: false,
            unsent: None,
        }
    }

    fn run(mut self, mut tap: Option<Tap>) {
        let mut next = Instant::now() + self.shared.options.every;
        let mut lost_at = None;
        let mut is_busy = false;
        if let Some(open) = &mut tap {
            // The capture begins now, not when the interface was opened.
            let _ = open.discard();
        }
        while !self.shared.stop.load(Ordering::Relaxed) {
            let Some(open) = &mut tap else {
                if !self.reopen(&mut tap, &mut lost_at) {
                    break;
                }
                continue;
            };
            match self.take(open) {
                // Where frames come all the time, many are taken at each look; where none come, nobody looks.
                Ok(0) if std::mem::take(&mut is_busy) => thread::sleep(PAUSE),
                Ok(0) => open.wait(PATIENCE),
                Ok(_) => is_busy = true,
                Err(_) => {
                    self.count(open);
                    tap = None;
                    lost_at = Some(Instant::now());
                }
            }
            let now = Instant::now();
            if now >= self.count_at
                && let Some(open) = &mut tap
            {
                self.count(open);
                self.count_at = now + COUNT_EVERY;
            }
            let is_time = now >= next || self.table.waiting() >= EARLY;
            if is_time {
                next = now + self.shared.options.every;
            }
            if is_time || self.unsent.is_some() || !self.table.has_told() {
                self.hand_on();
            }
        }
        let end = Instant::now() + LAST;
        while let Some(open) = &mut tap
            && Instant::now() < end
            && self.take(open).is_ok_and(|count| count > 0)
        {}
        if let Some(open) = &mut tap {
            self.count(open);
        }
        self.conclude();
    }

    fn take(&mut self, tap: &mut Tap) -> Result<usize, ::pcap::Error> {
        let (decoder, packets) = (&mut self.decoder, &mut self.packets);
        let taken = tap.take(|frame| packets.take(frame, decoder));
        if self.is_resumed
            && let Some(at) = packets.next_at()
        {
            self.is_resumed = false;
            self.table.resume_capture(at);
        }
        // What came before an error was seen too.
        self.table.observe_all(packets);
        let count = taken?;
        self.shared.frames.fetch_add(count as u64, Ordering::Relaxed);
        let conversations = self.table.opened() - self.conversations;
        self.conversations += conversations;
        self.shared.conversations.fetch_add(conversations, Ordering::Relaxed);
        Ok(count)
    }

    /// Counts what the kernel has dropped.
    fn count(&mut self, tap: &mut Tap) {
        let dropped = u64::from(tap.dropped());
        self.dropped += dropped;
        self.shared.dropped.fetch_add(dropped, Ordering::Relaxed);
    }

    /// Waits for an interface that is not there. False if it is not to be waited for: those of a pattern come and go.
    fn reopen(&mut self, tap: &mut Option<Tap>, lost_at: &mut Option<Instant>) -> bool {
        match self.shared.opener.open(&self.name, &self.shared.filter) {
            Ok(opened) => {
                *tap = Some(opened);
                self.is_resumed = true;
                if std::mem::take(&mut self.is_late) {
                    let message = "came during the capture: what passed before it was opened was not seen";
                    self.findings.add(Code::InterfaceGap, &self.name, message);
                }
                if let Some(since) = lost_at.take() {
                    let message = format!("went away, and came back {} s later", since.elapsed().as_secs().max(1));
                    self.findings.add(Code::InterfaceGap, &self.name, message);
                }
                true
            }
            Err(_) if !self.shared.options.interfaces.contains(&self.name) && !self.is_there() => false,
            Err(_) => {
                if lost_at.is_none() {
                    *lost_at = Some(Instant::now());
                }
                thread::sleep(RETRY);
                if self.shared.stop.load(Ordering::Relaxed) {
                    self.findings.add(Code::InterfaceGap, &self.name, "could not be captured at the end of the capture");
                }
                true
            }
        }
    }

    fn is_there(&self) -> bool {
        self.shared.opener.names().is_ok_and(|names| names.contains(&self.name))
    }

    /// Hands on what is new, as far as there is room; the rest waits in the table.
    fn hand_on(&mut self) {
        loop {
            let batch = match self.unsent.take() {
                Some(batch) => batch,
                None => self.batch(),
            };
            if let Err(TrySendError::Full(batch)) = self.sender.try_send(batch) {
                self.unsent = Some(batch);
                return;
            }
            if self.table.has_told() {
                return;
            }
        }
    }

    /// Hands on all there is; here it waits for room.
    fn conclude(mut self) {
        // If nobody listens any more, the run was given up.
        if let Some(batch) = self.unsent.take() {
            let _ = self.sender.send(batch);
        }
        // What came since the round under way began is told in another one.
        for _ in 0..2 {
            loop {
                let batch = self.batch();
                let _ = self.sender.send(batch);
                if self.table.has_told() {
                    break;
                }
            }
        }
        self.table.finish();
        self.findings.merge(self.decoder.tally().findings());
        self.findings.merge(self.table.findings());
        let last = self.batch();
        let _ = self.sender.send(last);
    }

    fn batch(&mut self) -> Batch {
        let mut records = self.table.take_records(TOGETHER);
        let tally = self.decoder.tally();
        if tally.frames > self.told.frames || self.dropped > 0 {
            let before = self.told.left_out();
            let new = |(reason, count): (&'static str, u64)| {
                (reason.to_owned(), count - before.get(reason).copied().unwrap_or_default())
            };
            records.push(Record::Frames(Frames {
                source: self.name.clone(),
                read: tally.frames - self.told.frames,
                decoded: tally.decoded - self.told.decoded,
                dropped: std::mem::take(&mut self.dropped),
                left_out: tally.left_out().into_iter().map(new).filter(|(_, count)| *count > 0).collect::<BTreeMap<_, _>>(),
            }));
            self.told = tally.clone();
        }
        records.extend(std::mem::take(&mut self.findings).sorted().into_iter().map(|finding| Record::Finding {
            code: finding.code.name().to_owned(),
            subject: finding.subject,
            message: finding.message,
            count: finding.count,
        }));
        Batch { source: self.name.clone(), records }
    }
}

fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?', '['])
}

fn pattern(text: &str) -> Result<glob::Pattern, CaptureError> {
    glob::Pattern::new(text).map_err(|source| CaptureError::Pattern { pattern: text.to_owned(), source })
}

/// The name of this machine.
#[must_use]
pub fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
