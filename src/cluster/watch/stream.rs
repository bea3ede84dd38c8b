//! The answer to a watch in, piece by piece; its lines out.
//!
//! Guaranteed: no line grows beyond [`LONGEST`], and no wait is longer than it may be.

use std::time::Duration;

use http_body_util::BodyExt as _;
use kube::client::Body;
use serde::Deserialize;
use serde_json::Value;

use crate::cluster::Cause;

/// The longest line. An object is not larger than what etcd takes (1.5 MiB), written as JSON at most a few times that.
const LONGEST: usize = 16 << 20;

/// What the API sends.
#[derive(Debug, Deserialize)]
pub(super) struct Line {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) object: Value,
}

/// Why there is no further line.
#[derive(Debug)]
pub(super) enum Ended {
    /// The API has ended the watch, as it does every few minutes.
    Closed,
    /// The connection broke.
    Broken(String),
    /// Nothing came for too long, not even a bookmark.
    Silent,
    /// A line is not of the API's shape. What it would have said is lost.
    Garbled(String),
}

/// A watch under way.
pub(super) struct Lines {
    body: Body,
    buffer: Vec<u8>,
    /// How much of the buffer has been looked through for a line's end.
    searched: usize,
}

impl Lines {
    pub(super) const fn new(body: Body) -> Self {
        Self { body, buffer: Vec::new(), searched: 0 }
    }

    /// The next line, if it comes in time.
    pub(super) async fn next(&mut self, silence: Duration) -> Result<Line, Ended> {
        loop {
            if let Some(end) = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n') {
                let rest = self.buffer.split_off(self.searched + end + 1);
                let line = std::mem::replace(&mut self.buffer, rest);
                self.searched = 0;
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                return serde_json::from_slice(&line).map_err(|error| Ended::Garbled(Cause::of_answer(&error).to_string()));
            }
            self.searched = self.buffer.len();
            if self.searched > LONGEST {
                return Err(Ended::Garbled(format!("a line is longer than {LONGEST} bytes")));
            }
            match tokio::time::timeout(silence, self.body.frame()).await {
                Err(_) => return Err(Ended::Silent),
                // A line that is not ended was not sent to its end; it comes again.
                Ok(None) => return Err(Ended::Closed),
                Ok(Some(Err(error))) => return Err(Ended::Broken(words(&error))),
                Ok(Some(Ok(frame))) => {
                    if let Ok(bytes) = frame.into_data() {
                        self.buffer.extend_from_slice(&bytes);
                    }
                }
            }
        }
    }
}

/// An error with its causes.
pub(super) fn words(error: &dyn std::error::Error) -> String {
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
