//! Pods that were seen at one time in, what that says of the addresses that several of them have out.
//!
//! In one snapshot an address is at one running pod. A second one that runs is a contradiction. One that has ended had the address
//! before, also if it started later: a pod whose sandbox was made anew (after a reboot of its node, say) has another address than
//! at its start, and its status tells the present one.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::builder::{Key, Shared};
use super::object::{Body, Object};
use crate::model::{Span, Timestamp};

/// Running pods at one address, of each of which is noted who had it before. There is one, but for errors.
const RUNNING: usize = 16;

/// What a snapshot says of a pod's addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// Those that it may have now, or had at its end.
    addresses: BTreeSet<IpAddr>,
    is_running: bool,
    started: Option<Timestamp>,
    ended: Option<Timestamp>,
}

impl State {
    /// Of a pod on the pod network that has ended or runs; one on its way out is neither.
    pub(super) fn of(object: &Object) -> Option<Self> {
        let Body::Pod(pod) = &object.body else { return None };
        if pod.is_on_host_network || (!pod.is_over && object.metadata.deleted.is_some()) {
            return None;
        }
        // What it is known to have lost it does not claim.
        let holds = |address: &&IpAddr| pod.holds.get(address).is_none_or(|hold| hold.until.is_none());
        Some(Self {
            addresses: pod.addresses.iter().filter(holds).copied().collect(),
            is_running: !pod.is_over,
            started: pod.started.or(object.metadata.created),
            ended: pod.gone.or(pod.finished),
        })
    }
}

/// The pods of one snapshot, so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Together {
    pods: BTreeMap<Key, State>,
    /// Namespaces and names of all of them.
    names: BTreeSet<(String, String)>,
    /// Namespaces of which there was a list.
    listed: BTreeSet<String>,
}

impl Together {
    /// Whether these pods, of one file, may have been seen at the time of those before. Files of one snapshot share no pod, or show it
    /// in the same state (must-gather writes each twice), and no list leaves out a pod that is elsewhere. Wrong where files of
    /// different times hold different namespaces: then a pod that took an address over looks like a second one that has it.
    pub(super) fn is_of_one_time(&self, file: &[(Key, State)], is_list: bool) -> bool {
        let is_known = |(key, state): &(Key, State)| self.pods.get(key) == Some(state);
        if file.iter().all(is_known) {
            return true;
        }
        let is_new = |(key, _): &(Key, State)| {
            let own = self.names.range((key.namespace.clone(), String::new())..);
            let mut names = own.take_while(|(namespace, _)| *namespace == key.namespace).map(|(_, name)| name);
            !self.listed.contains(&key.namespace) && !names.any(|name| is_list || *name == key.name)
        };
        file.iter().all(is_new)
    }

    pub(super) fn add(&mut self, pods: Vec<(Key, State)>) {
        self.pods.extend(pods);
    }

    pub(super) fn add_file(&mut self, pods: Vec<(Key, State)>, is_list: bool) {
        for (key, _) in &pods {
            self.names.insert((key.namespace.clone(), key.name.clone()));
            if is_list {
                self.listed.insert(key.namespace.clone());
            }
        }
        self.add(pods);
    }

    /// Notes what they share.
    pub(super) fn conclude(self, shared: &mut BTreeMap<Key, Shared>) {
        let mut by_address: BTreeMap<IpAddr, Vec<(&Key, &State)>> = BTreeMap::new();
        for (key, state) in &self.pods {
            for address in &state.addresses {
                by_address.entry(*address).or_default().push((key, state));
            }
        }
        for (address, pods) in by_address.into_iter().filter(|(_, pods)| pods.len() > 1) {
            let (running, ended): (Vec<_>, Vec<_>) = pods.into_iter().partition(|(_, state)| state.is_running);
            for (key, _) in &running {
                let own = shared.entry((*key).clone()).or_default();
                if running.len() > 1 {
                    own.contested.insert(address);
                }
                // An address that so many have is nobody's, whoever had it before.
                if running.len() > RUNNING {
                    continue;
                }
                let spans = ended.iter().filter_map(|(_, state)| Some(Span::between(state.started?, state.ended?)));
                own.had_before.entry(address).or_default().extend(spans);
            }
            let first = running.iter().map(|(_, running)| running.started).min();
            let is_later = |state: &State| first.is_some_and(|first| first < state.started);
            for (key, _) in ended.iter().filter(|(_, state)| state.ended.is_none() && is_later(state)) {
                shared.entry((*key).clone()).or_default().lost.insert(address);
            }
        }
    }
}
