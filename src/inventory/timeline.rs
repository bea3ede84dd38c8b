//! Lives of pods in, owner of an address at a time out.
//!
//! An address of the pod network has one owner at a time, and after that another: minutes later, or the same minute. So who an
//! address was is asked of the time of the packet, never of the present. What the cluster tells is in whole seconds, cut off, and
//! clocks of nodes differ a little; hence the two slacks, which never take an address from somebody who is known to own it.
//!
//! Where two workloads have one address and none of them is known to have gone, it is nobody's: a guess would open one and close
//! the other.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use super::{PodId, WorkloadId};
use crate::model::{Span, Timestamp};

/// How long before its start a pod may be seen: clocks of nodes differ.
pub(super) const SLACK_BEFORE: i64 = 2_000_000_000;
/// How long after its end a pod may be seen: the end is cut to whole seconds, and connections are closed after it. A packet that
/// comes later than this is not the pod's, and nobody's if there is no later owner.
pub(super) const SLACK_AFTER: i64 = 10_000_000_000;

/// A pod's hold of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tenure {
    pub(super) pod: PodId,
    pub(super) workload: WorkloadId,
    pub(super) from: Timestamp,
    /// Known end; [`Timestamp::MAX`] for a pod that was never seen ended.
    pub(super) until: Timestamp,
    /// Whether it has ended, though perhaps nobody knows when.
    pub(super) is_over: bool,
    /// Whether one snapshot shows the address at another pod as well, with both of them running: no succession explains that.
    pub(super) is_contested: bool,
    /// Breaks ties between tenures that begin at once (replicas): the highest wins.
    pub(super) rank: u64,
}

/// Owners of addresses over time.
#[derive(Clone, Debug, Default)]
pub(super) struct Timeline {
    tenures: HashMap<IpAddr, Vec<Tenure>>,
    /// When an address had more than one owner. There are few.
    contests: BTreeMap<IpAddr, Vec<Span>>,
}

impl Timeline {
    /// Adds a tenure; [`Timeline::settle`] must follow before anything is asked.
    pub(super) fn add(&mut self, address: IpAddr, tenure: Tenure) {
        self.tenures.entry(address).or_default().push(tenure);
    }

    /// Puts all tenures in order; a later owner's start ends an earlier one's tenure. Returns the addresses that several had at
    /// once, and who.
    pub(super) fn settle(&mut self) -> BTreeMap<IpAddr, BTreeSet<PodId>> {
        let mut claimants: BTreeMap<IpAddr, BTreeSet<PodId>> = BTreeMap::new();
        let contests = &mut self.contests;
        // Each address by itself: the order of the map decides nothing.
        self.tenures.iter_mut().filter(|(_, tenures)| tenures.len() > 1).for_each(|(address, tenures)| {
            // Of those that begin at once, the one that has not ended comes last and so wins.
            tenures.sort_by_key(|tenure| (tenure.from, tenure.until, !tenure.is_over, tenure.rank, tenure.pod));
            mark_simultaneous(tenures);
            for (pods, span) in contested(tenures) {
                claimants.entry(*address).or_default().extend(pods);
                contests.entry(*address).or_default().push(span);
            }
            let mut next = None;
            for tenure in tenures.iter_mut().rev() {
                if let Some(next) = next {
                    tenure.until = tenure.until.min(next);
                }
                next = Some(tenure.from);
            }
        });
        claimants
    }

    /// The pod that owned `address` at `at`; nobody where several did.
    pub(super) fn owner(&self, address: IpAddr, at: Timestamp) -> Option<PodId> {
        let tenures = self.tenures.get(&address)?;
        if self.is_contested(address, at) {
            return None;
        }
        let following = tenures.partition_point(|tenure| tenure.from <= at);
        let last = following.checked_sub(1).and_then(|position| tenures.get(position));
        if let Some(last) = last
            && at <= last.until.plus(SLACK_AFTER)
        {
            return Some(last.pod);
        }
        tenures.get(following).filter(|next| next.from.plus(-SLACK_BEFORE) <= at).map(|next| next.pod)
    }

    /// Whether more than one workload owned `address` at `at`.
    pub(super) fn is_contested(&self, address: IpAddr, at: Timestamp) -> bool {
        self.contests.get(&address).is_some_and(|spans| spans.iter().any(|span| span.first() <= at && at <= span.last()))
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

/// Tenures that begin at once and have no end did not follow one another, whatever snapshots they are from: mostly these have no
/// times at all.
fn mark_simultaneous(tenures: &mut [Tenure]) {
    let is_open = |tenure: &Tenure| tenure.until == Timestamp::MAX && !tenure.is_over;
    for position in 1..tenures.len() {
        let (one, other) = (tenures[position - 1], tenures[position]);
        if one.from == other.from && is_open(&one) && is_open(&other) {
            tenures[position - 1].is_contested = true;
            tenures[position].is_contested = true;
        }
    }
}

/// When contested tenures of different workloads overlap, and whose. Each is compared with the one before it that lasts longest:
/// with a shorter one it overlaps only when that one does, or is of the same workload.
fn contested(tenures: &[Tenure]) -> Vec<([PodId; 2], Span)> {
    let mut overlaps: Vec<([PodId; 2], Span)> = Vec::new();
    let mut longest: Option<&Tenure> = None;
    for next in tenures.iter().filter(|tenure| tenure.is_contested) {
        if let Some(longest) = longest
            && longest.workload != next.workload
            && next.from <= longest.until
        {
            // Who took the address from both of them is in no doubt.
            let successor = tenures.iter().find(|tenure| !tenure.is_contested && tenure.from > next.from);
            let successor = successor.map_or(Timestamp::MAX, |successor| successor.from.plus(-1));
            let until = next.until.min(longest.until).plus(SLACK_AFTER).min(successor);
            overlaps.push(([longest.pod, next.pod], Span::between(next.from.plus(-SLACK_BEFORE), until)));
        }
        if longest.is_none_or(|longest| longest.until < next.until) {
            longest = Some(next);
        }
    }
    overlaps
}
