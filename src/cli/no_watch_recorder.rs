//! In place of a cluster watched beside a capture, where the adapter for clusters was left out: there is none.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::inventory::{Inventory, InventoryOptions};

use super::args::Learn;
use super::failure::Failure;

/// Nobody who asks.
pub(super) enum Feed {}

impl Feed {
    pub(super) fn start(_: &Learn) -> Result<Self, Failure> {
        Err(Failure::NoInventory)
    }

    pub(super) fn nodes(&self) -> &BTreeSet<String> {
        match *self {}
    }

    pub(super) fn peers(&self) -> Vec<SocketAddr> {
        match *self {}
    }
}

/// Nobody.
pub(super) enum WatchRecorder {}

impl WatchRecorder {
    #[expect(clippy::needless_pass_by_value, reason = "the one that asks a cluster is taken, too")]
    pub(super) fn start(feed: Feed, _: &Path, _: Duration, _: &InventoryOptions) -> Result<Self, Failure> {
        match feed {}
    }

    pub(super) fn keep_up(&self) {
        match *self {}
    }

    pub(super) fn trouble(&self) -> Option<String> {
        match *self {}
    }

    pub(super) fn renewed(&mut self) -> Option<Inventory> {
        match *self {}
    }

    pub(super) fn stop(self) -> bool {
        match self {}
    }
}
