//! The process that asks the cluster beside a live capture.
//!
//! Credentials stay where no packet is decoded: this process reads the kubeconfig, runs the programs that it names for credentials and
//! reads tokens again when they are replaced, as the user who started `learn`; it opens no interface, and as root keeps nothing but
//! access to other users' files. In: the end of the run, as the end of its connection to `learn`. Out: [`Message`]s, one a line.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::capture::{self, Needed};
use crate::cluster::{ClusterError, Watch};
use crate::inventory::Record;
use crate::model::Timestamp;

use super::args::Cluster;
use super::exit;
use super::failure::{self, Failure};

/// How late a silence of the API server is passed on.
const LATENESS: Duration = Duration::from_millis(200);

/// What this process says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Message {
    /// All kinds have been listed; the objects follow.
    Begun {
        /// The API server's name or address.
        host: String,
        /// Its port.
        port: u16,
        /// The names and addresses of the nodes.
        nodes: BTreeSet<String>,
    },
    /// The cluster cannot be asked. Nothing follows.
    Failed {
        /// Reads after "failed to".
        message: String,
        /// What to do about it.
        hint: String,
    },
    /// What was heard.
    Record(Box<Record>),
    /// Since when nothing was heard, in nanoseconds of the epoch; nothing if all is well again.
    Silent(Option<i64>),
}

/// Where messages go.
struct Output {
    stream: UnixStream,
    /// Records that were heard before the beginning was said; nothing after that.
    waiting: Option<Vec<Record>>,
    /// Whether nobody listens any more.
    is_over: bool,
}

impl Output {
    fn take(&mut self, record: Record) {
        match &mut self.waiting {
            Some(waiting) => waiting.push(record),
            None => self.say(&Message::Record(Box::new(record))),
        }
    }

    fn begin(&mut self, (host, port): (String, u16)) {
        let waiting = self.waiting.take().unwrap_or_default();
        self.say(&Message::Begun { host, port, nodes: waiting.iter().flat_map(names).collect() });
        for record in waiting {
            self.say(&Message::Record(Box::new(record)));
        }
    }

    fn say(&mut self, message: &Message) {
        // Messages have a form in JSON.
        let Ok(mut line) = serde_json::to_vec(message) else { return };
        line.push(b'\n');
        self.is_over |= self.stream.write_all(&line).is_err();
    }
}

/// The name and the addresses of a node; nothing of other objects.
fn names(record: &Record) -> Vec<String> {
    let Record::Added { object, .. } = record else { return Vec::new() };
    if object["kind"] != "Node" {
        return Vec::new();
    }
    let addresses = object["status"]["addresses"].as_array().into_iter().flatten().map(|entry| &entry["address"]);
    std::iter::once(&object["metadata"]["name"]).chain(addresses).filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

/// Asks, and says what it hears, until the other side ends the connection, which is standard output.
pub(super) fn run(cluster: &Cluster) -> Result<u8, Failure> {
    capture::give_up(None, Needed::Credentials).map_err(Failure::Rights)?;
    let mut stream = UnixStream::from(io::stdout().as_fd().try_clone_to_owned().map_err(Failure::Feed)?);
    stream.set_read_timeout(Some(LATENESS)).map_err(Failure::Feed)?;
    let clone = stream.try_clone().map_err(Failure::Feed)?;
    let output = Arc::new(Mutex::new(Output { stream: clone, waiting: Some(Vec::new()), is_over: false }));
    let shared = Arc::clone(&output);
    let watch = match Watch::start(&cluster.access(), move |record| lock(&shared).take(record)) {
        Ok(watch) => watch,
        Err(error) => {
            lock(&output).say(&failed(&error));
            return Ok(exit::FAILED);
        }
    };
    // Ctrl-C reaches all processes of a terminal; this one ends when the run does.
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false))).map_err(Failure::Signals)?;
    }
    lock(&output).begin(watch.endpoint());
    let mut said: Option<Timestamp> = None;
    loop {
        match stream.read(&mut [0; 16]) {
            Ok(0) => break,
            Err(error) if !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => break,
            _ => {}
        }
        let silent = watch.silent_since();
        let mut output = lock(&output);
        if silent != said {
            output.say(&Message::Silent(silent.map(|since| since.0)));
            said = silent;
        }
        if output.is_over {
            break;
        }
    }
    // What it reports has been said.
    let _ = watch.stop();
    Ok(exit::DONE)
}

fn failed(error: &ClusterError) -> Message {
    Message::Failed { message: failure::with_causes(error), hint: error.hint().into_owned() }
}

fn lock(output: &Mutex<Output>) -> MutexGuard<'_, Output> {
    output.lock().unwrap_or_else(PoisonError::into_inner)
}
