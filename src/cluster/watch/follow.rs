//! One kind of object in, from its first list on; what becomes of each object out.
//!
//! Guaranteed: it never gives up. A watch that ends is resumed where it ended; one that cannot be resumed (410, or a line that
//! cannot be read) is begun anew with a list, and what is not in that list any more has been deleted. What of an object is kept is
//! told once: a node's heartbeat changes nothing here.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::super::list::{Connection, Listed, name};
use super::super::{ClusterError, Resource};
use super::book::{Book, now};
use super::link::Link;
use super::stream::{Ended, Line, Lines, words};
use crate::inventory::Record;
use crate::model::Timestamp;

/// For how long the API is asked to go on, in seconds: as long as it would by itself, but not for all kinds at once.
const LENGTH: u32 = 240;

/// How long to wait for what. All follow from how long one answer may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// The first pause after a failure; each further one is twice as long.
    first_pause: Duration,
    /// The longest. What comes and goes before the watch is taken up again is never heard of, so it is short.
    longest_pause: Duration,
    /// The API sends a bookmark a minute; when nothing came for this long, the connection may be dead without anyone having said so.
    silence: Duration,
    /// Events that come so soon after a silence were held up by it.
    pub(super) tolerated: Duration,
}

impl Pace {
    pub(super) fn of(patience: Duration) -> Self {
        Self {
            first_pause: patience / 120,
            longest_pause: patience / 20,
            silence: patience + patience / 2,
            tolerated: patience / 12,
        }
    }
}

/// A kind that is watched.
pub(super) struct Follower {
    resource: &'static Resource,
    link: Rc<Link>,
    book: Arc<Mutex<Book>>,
    pace: Pace,
    /// Of each object, by namespace and name, as it was last told: as JSON text, which is a tenth of the value's size.
    known: BTreeMap<(String, String), String>,
    revision: String,
    /// Whether the revision does not do to go on from.
    is_stale: bool,
    /// When something came last.
    heard: Timestamp,
    /// Since when perhaps something did not come that should have.
    suspected: Option<Timestamp>,
    length: u32,
}

impl Follower {
    pub(super) const fn new(
        resource: &'static Resource,
        link: Rc<Link>,
        book: Arc<Mutex<Book>>,
        pace: Pace,
        number: u32,
    ) -> Self {
        Self {
            resource,
            link,
            book,
            pace,
            known: BTreeMap::new(),
            revision: String::new(),
            is_stale: true,
            heard: Timestamp::MIN,
            suspected: None,
            length: LENGTH + 3 * (number % 16),
        }
    }

    pub(super) const fn is_required(&self) -> bool {
        self.resource.is_required
    }

    /// The first list.
    pub(super) async fn begin(&mut self) -> Result<(), ClusterError> {
        let listed = self.link.connection().list(self.resource).await?;
        self.take_list(listed);
        Ok(())
    }

    /// Begins to watch what was listed, or lists it anew if that is not possible.
    pub(super) async fn establish(&mut self) -> Result<Lines, ClusterError> {
        let connection = self.link.connection();
        if self.is_stale {
            let listed = connection.list(self.resource).await?;
            self.write(Book::relisted);
            self.take_list(listed);
        }
        match self.open(&connection).await {
            Err(ClusterError::Expired { .. }) => {
                let listed = connection.list(self.resource).await?;
                self.write(Book::relisted);
                self.take_list(listed);
                self.open(&connection).await
            }
            result => result,
        }
    }

    async fn open(&self, connection: &Connection) -> Result<Lines, ClusterError> {
        connection.follow(self.resource, &self.revision, self.length).await.map(Lines::new)
    }

    /// Goes on for ever, from a watch that has begun or from none.
    pub(super) async fn run(mut self, mut lines: Option<Lines>) {
        let mut pause = self.pace.first_pause;
        loop {
            let established = match lines.take() {
                Some(lines) => Ok(lines),
                None => self.establish().await,
            };
            match established {
                Ok(lines) => {
                    self.write(|book| book.hear(self.resource, now()));
                    let start = Instant::now();
                    let ended = self.listen(lines).await;
                    let is_lasting = start.elapsed() >= self.pace.tolerated;
                    if is_lasting {
                        pause = self.pace.first_pause;
                    }
                    // What ends at once will do so again.
                    if self.settle(ended) && is_lasting {
                        continue;
                    }
                }
                Err(error) => self.fail(&error).await,
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(self.pace.longest_pause);
        }
    }

    /// Tells what comes, until nothing comes any more.
    async fn listen(&mut self, mut lines: Lines) -> Ended {
        let (clock, start) = (Instant::now(), now());
        self.heard = start;
        loop {
            let Line { kind, mut object } = match lines.next(self.pace.silence).await {
                Ok(line) => line,
                Err(ended) => return ended,
            };
            self.heard = now();
            let revision = object["metadata"]["resourceVersion"].take();
            match (kind.as_str(), &revision) {
                ("BOOKMARK", Value::String(_)) => self.suspected = None,
                ("ADDED" | "MODIFIED" | "DELETED", Value::String(_)) if object["metadata"]["name"].is_string() => {
                    if let Some(since) = self.suspected.take()
                        && clock.elapsed() < self.pace.tolerated
                    {
                        self.write(|book| {
                            book.fall_silent(self.resource, since, "events came late".to_owned());
                            book.hear(self.resource, start);
                        });
                    }
                    object["metadata"]["resourceVersion"] = revision.clone();
                    self.take_event(&kind, name(object, self.resource));
                }
                ("ERROR", _) => {
                    // The revision is too old: https://kubernetes.io/docs/reference/using-api/api-concepts/#410-gone-responses
                    self.is_stale |= object["code"] == 410;
                    let message = object["message"].as_str().filter(|_| object["kind"] == "Status");
                    let message = message.unwrap_or("it does not say why");
                    return Ended::Broken(format!("the API ended the watch: {message}"));
                }
                _ => return Ended::Garbled("an event is of a type that is none of the API's".to_owned()),
            }
            if let Value::String(revision) = revision {
                self.revision = revision;
            }
        }
    }

    /// What the end of a watch means; whether it can be resumed at once.
    fn settle(&mut self, ended: Ended) -> bool {
        let (since, reason) = match ended {
            // If the next one can begin, there was perhaps nothing to hear.
            Ended::Silent => {
                self.suspected = Some(self.heard);
                return true;
            }
            Ended::Closed => (now(), "the API ended the watch".to_owned()),
            Ended::Broken(reason) => (now(), reason),
            Ended::Garbled(reason) => {
                self.is_stale = true;
                self.write(Book::garbled);
                self.write(|book| book.fall_silent(self.resource, self.heard, reason));
                return false;
            }
        };
        self.write(|book| book.fall_silent(self.resource, since, reason));
        true
    }

    /// Tells why it could not be begun, and does what may help.
    pub(super) async fn fail(&mut self, error: &ClusterError) {
        let reason = format!("failed to {}", words(error));
        let since = self.suspected.take().unwrap_or_else(now);
        self.write(|book| book.fall_silent(self.resource, since, reason));
        if matches!(
            error,
            ClusterError::Unauthorized { .. }
                | ClusterError::Credentials { .. }
                | ClusterError::Unreachable { .. }
                | ClusterError::TimedOut { .. }
        ) {
            self.link.renew().await;
        }
    }

    /// What is in the list is there; what is not, any more, is gone.
    fn take_list(&mut self, listed: Listed) {
        let at = now();
        let mut gone = std::mem::take(&mut self.known);
        for object in listed.objects {
            let key = key(&object);
            if let Some(text) = gone.remove(&key) {
                self.known.insert(key, text);
            }
            self.update(at, object);
        }
        for text in gone.into_values() {
            self.delete(at, &text);
        }
        self.revision = listed.revision;
        self.is_stale = false;
    }

    fn take_event(&mut self, kind: &str, object: Value) {
        let at = self.heard;
        if kind == "DELETED" {
            self.known.remove(&key(&object));
            self.write(|book| book.event(Record::Deleted { at, object }));
        } else {
            self.update(at, object);
        }
    }

    /// Tells of an object that is there, if something of it is new.
    fn update(&mut self, at: Timestamp, object: Value) {
        let key = key(&object);
        let text = without_revision(object.clone()).to_string();
        let record = match self.known.get(&key) {
            Some(known) if *known == text => return,
            Some(known) => {
                let older: Value = serde_json::from_str(known).unwrap_or_default();
                if older["metadata"]["uid"] == object["metadata"]["uid"] {
                    Record::Modified { at, object }
                } else {
                    // Deleted and made anew while no one listened.
                    self.write(|book| book.event(Record::Deleted { at, object: older }));
                    Record::Added { at, object }
                }
            }
            None => Record::Added { at, object },
        };
        self.known.insert(key, text);
        self.write(|book| book.event(record));
    }

    /// Tells of an object that went while no one listened.
    fn delete(&self, at: Timestamp, text: &str) {
        let object = serde_json::from_str(text).unwrap_or_default();
        self.write(|book| book.event(Record::Deleted { at, object }));
    }

    fn write(&self, what: impl FnOnce(&mut Book)) {
        what(&mut self.book.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

fn key(object: &Value) -> (String, String) {
    let text = |member: &str| object["metadata"][member].as_str().unwrap_or_default().to_owned();
    (text("namespace"), text("name"))
}

/// The revision changes also when nothing that is kept does.
fn without_revision(mut object: Value) -> Value {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("resourceVersion");
    }
    object
}
