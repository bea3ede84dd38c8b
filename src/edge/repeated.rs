//! What happens again and again is counted by numbers, and put into words once.

use std::hash::Hash;
use std::net::IpAddr;

use crate::inventory::{Inventory, ServiceId};
use crate::model::{DirectionEvidence, Protocol, SeededMap, Timestamp};

use super::failures::Failure;
use super::link::{Link, Side};
use super::nat_correlation::Call;
use super::place::Place;

/// Counts by key, bounded in number: whoever adds takes them out when there are too many.
#[derive(Debug)]
pub(super) struct Repeated<K, V> {
    counts: SeededMap<K, V>,
}

impl<K, V> Default for Repeated<K, V> {
    fn default() -> Self {
        Self { counts: SeededMap::default() }
    }
}

impl<K: Copy + Ord + Hash, V> Repeated<K, V> {
    const MOST: usize = 8192;

    /// What is known of the key, or what is `new`.
    pub(super) fn get(&mut self, key: K, new: impl FnOnce() -> V) -> &mut V {
        self.counts.entry(key).or_insert_with(new)
    }

    pub(super) fn is_full(&self) -> bool {
        self.counts.len() >= Self::MOST
    }

    /// All of them, in order; none are left.
    pub(super) fn take(&mut self) -> Vec<(K, V)> {
        let mut all: Vec<(K, V)> = std::mem::take(&mut self.counts).into_iter().collect();
        all.sort_unstable_by_key(|(key, _)| *key);
        all
    }
}

/// Whom a finding names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Who {
    Side(Side),
    Unknown(IpAddr),
    OwnNode,
    Itself,
    Nowhere,
    Service(ServiceId),
    HostPort,
}

impl Who {
    pub(super) fn at(place: Place, inventory: &Inventory) -> Self {
        match place {
            Place::Unknown(address) => Self::Unknown(address),
            Place::Secondary(pod, _) => Self::Side(Side::Workload(inventory.pod(pod).workload)),
            Place::OwnNode => Self::OwnNode,
            Place::Itself => Self::Itself,
            _ => place.side(inventory).map_or(Self::Nowhere, Self::Side),
        }
    }

    pub(super) const fn called(call: Call) -> Self {
        match call {
            Call::Service(call) => Self::Service(call.service),
            Call::HostPort => Self::HostPort,
        }
    }

    /// For people.
    pub(super) fn describe(self, inventory: &Inventory) -> String {
        match self {
            Self::Side(side) => side.party(inventory).to_string(),
            Self::Unknown(address) => address.to_string(),
            Self::OwnNode => "its own node".into(),
            Self::Itself => "itself".into(),
            Self::Nowhere => "nowhere".into(),
            Self::Service(service) => {
                let service = inventory.service(service);
                format!("Service {}/{}", service.namespace, service.name)
            }
            Self::HostPort => "a host port".into(),
        }
    }
}

/// An attempt that came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Tried {
    pub(super) from: Who,
    pub(super) to: Who,
    pub(super) protocol: Protocol,
    pub(super) port: u16,
    pub(super) failure: Failure,
}

/// The same attempt, however often.
#[derive(Debug)]
pub(super) struct Tries {
    pub(super) count: u64,
    /// Conversations that are counted with it.
    pub(super) own: u64,
    pub(super) since: Timestamp,
    /// Who may have been looking around.
    pub(super) originator: Option<Side>,
    /// The edges that it would have been.
    pub(super) links: Vec<Link>,
}

impl Tries {
    pub(super) const fn none(at: Timestamp) -> Self {
        Self { count: 0, own: 0, since: at, originator: None, links: Vec::new() }
    }

    pub(super) fn add(&mut self, at: Timestamp, originator: Option<Side>, links: impl Iterator<Item = Link>, own: u64) {
        self.count += 1;
        self.own += own;
        self.since = self.since.min(at);
        self.originator = self.originator.or(originator);
        for link in links {
            if !self.links.contains(&link) {
                self.links.push(link);
            }
        }
    }
}

/// What a pod and its own node said to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct OwnNode {
    pub(super) from: Who,
    pub(super) to: Who,
    pub(super) protocol: Protocol,
    pub(super) port: u16,
    pub(super) outcome: &'static str,
    /// What decided who called, where only port numbers did.
    pub(super) guess: Option<DirectionEvidence>,
}
