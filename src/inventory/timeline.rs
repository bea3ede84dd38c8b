//! Lives of pods in, owner of an address at a time out.
//!
//! An address of the pod network has one owner at a time, and after that another: minutes later, or the same minute. So who an
//! address was is asked of the time of the packet, never of the present. What the cluster tells is in whole seconds, cut off, and
//! clocks of nodes differ a little; hence the two slacks, which never take an address from somebody who is known to own it.

use std::collections::HashMap;
use std::net::IpAddr;

use super::PodId;
use crate::model::Timestamp;

/// How long before its start a pod may be seen: clocks of nodes differ.
pub(super) const SLACK_BEFORE: i64 = 2_000_000_000;
/// How long after its end a pod may be seen: the end is cut to whole seconds, and connections are closed after it. A packet that
/// comes later than this is not the pod's, and nobody's if there is no later owner.
pub(super) const SLACK_AFTER: i64 = 10_000_000_000;

/// A pod's hold of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tenure {
    pub(super) pod: PodId,
    pub(super) from: Timestamp,
    /// Known end; [`Timestamp::MAX`] for a pod that was never seen ended.
    pub(super) until: Timestamp,
    /// Breaks ties between tenures that begin at once (snapshots without times): the highest wins.
    pub(super) rank: u64,
}

/// Owners of addresses over time.
#[derive(Clone, Debug, Default)]
pub(super) struct Timeline {
    tenures: HashMap<IpAddr, Vec<Tenure>>,
}

impl Timeline {
    /// Adds a tenure; [`Timeline::settle`] must follow before anything is asked.
    pub(super) fn add(&mut self, address: IpAddr, tenure: Tenure) {
        self.tenures.entry(address).or_default().push(tenure);
    }

    /// Puts all tenures in order; a later owner's start ends an earlier one's tenure.
    pub(super) fn settle(&mut self) {
        // Each address by itself: the order of the map decides nothing.
        self.tenures.values_mut().for_each(|tenures| {
            // Of those that begin at once, the one that has not ended comes last and so wins.
            tenures.sort_by_key(|tenure| (tenure.from, tenure.until, tenure.rank, tenure.pod));
            let mut next = None;
            for tenure in tenures.iter_mut().rev() {
                if let Some(next) = next {
                    tenure.until = tenure.until.min(next);
                }
                next = Some(tenure.from);
            }
        });
    }

    /// The pod that owned `address` at `at`.
    pub(super) fn owner(&self, address: IpAddr, at: Timestamp) -> Option<PodId> {
        let tenures = self.tenures.get(&address)?;
        let following = tenures.partition_point(|tenure| tenure.from <= at);
        let last = following.checked_sub(1).and_then(|position| tenures.get(position));
        if let Some(last) = last
            && at <= last.until.plus(SLACK_AFTER)
        {
            return Some(last.pod);
        }
        tenures.get(following).filter(|next| next.from.plus(-SLACK_BEFORE) <= at).map(|next| next.pod)
    }

    /// Whether any pod ever owned `address`.
    pub(super) fn has(&self, address: IpAddr) -> bool {
        self.tenures.contains_key(&address)
    }

    /// When the tenure of `pod` at `address` ended, also by another's start.
    pub(super) fn end(&self, address: IpAddr, pod: PodId) -> Option<Timestamp> {
        self.tenures.get(&address)?.iter().find(|tenure| tenure.pod == pod).map(|tenure| tenure.until)
    }
}
