//! Lives of pods in, owner of an address at a time out.
//!
//! An address of the pod network has one owner at a time, and after that another: minutes later, or the same second. So who an
//! address was is asked of the time of the packet, never of the present. Clocks of nodes differ a little; hence the two slacks,
//! which never take an address from somebody who is known to own it.
//!
//! # From one pod to the next
//!
//! Times in objects are whole seconds, cut off: S means some time in [S, S + 1). That the old pod gave the address back before the
//! sandbox of the new one got it is certain; when, must be told from what came before and after:
//!
//! - Nothing of the new pod talks before its first container has started, init containers included. Up to the second in which it
//!   did (C) the address is the old pod's, and from C + 1 on the new one's. The clock is the node's, as of a capture taken there.
//! - Where that start is not told (a container that was restarted since; snapshots of older versions), it is some time from
//!   `status.startTime` on, mostly within [`SANDBOX_AFTER`]. Wrong for a pod that waits longer for its sandbox, while the
//!   old one talks on.
//! - The old pod is known to be gone a second after its last container's `finishedAt`; after its `deletionTimestamp`, which is when
//!   it is killed, with [`KILLED_AFTER`] added.
//! - What a watch hears it hears late, by nobody knows how much, and never early. So a deletion, or the address in the new pod's
//!   status, ends the doubt at once, and neither ever moves its beginning: the old pod is gone when its deletion is heard
//!   (the kubelet lets go of the object last; if it was forced to, with [`FORCED_AFTER`] added).
//!
//! From the first moment in which the address may be the new pod's to the last in which it may be the old one's it is nobody's,
//! unless both are of one workload. Where nobody else may have it, it is a pod's from its start (or a moment before) to its end (or
//! a moment after): a Job that comes and goes within a second talks in none of the seconds that are certain.
//!
//! Where two workloads have one address and none of them is known to have gone, it is nobody's too: a guess would open one and
//! close the other.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::{PodId, WorkloadId};
use crate::model::{SeededMap, Span, Timestamp};

/// How long before its start a pod may be seen: clocks of nodes differ.
pub(super) const SLACK_BEFORE: i64 = 2_000_000_000;
/// How long after its end a pod may be seen: the end is cut to whole seconds, and connections are closed after it. A packet that
/// comes later than this is not the pod's, and nobody's if there is no later owner.
pub(super) const SLACK_AFTER: i64 = 10_000_000_000;

/// What a time that was cut to whole seconds may be short of.
pub(super) const SECOND: i64 = 1_000_000_000;
/// Within which time of its start a pod has its sandbox, and so its address.
pub(super) const SANDBOX_AFTER: i64 = 3_000_000_000;
/// How long after its `deletionTimestamp` a pod is killed at the latest: a hook that is still running then is given two seconds
/// (`minimumGracePeriodInSeconds` of the kubelet).
pub(super) const KILLED_AFTER: i64 = 3_000_000_000;
/// How long a pod may go on after it was deleted without having been told to go: the usual time of grace.
pub(super) const FORCED_AFTER: i64 = 30_000_000_000;

/// A pod's hold of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tenure {
    pub(super) pod: PodId,
    pub(super) workload: WorkloadId,
    /// Since when it may have the address if nobody else has it.
    pub(super) since: Timestamp,
    /// Since when it may talk, whoever had the address before.
    pub(super) from: Timestamp,
    /// Since when nobody can have the address who had it before.
    pub(super) by: Timestamp,
    /// Known end; [`Timestamp::MAX`] for a pod that was never seen ended.
    pub(super) until: Timestamp,
    /// When it cannot talk any more; [`Timestamp::MAX`] if that is not known.
    pub(super) gone: Timestamp,
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
    addresses: SeededMap<IpAddr, Owners>,
    /// All times at which an owner may have changed, in order.
    changes: Vec<Timestamp>,
}

/// Who owned one address when.
#[derive(Clone, Debug)]
pub(super) enum Owners {
    /// One pod, as of most addresses: nothing else need be looked up.
    Sole(Tenure),
    Several(Box<Several>),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Several {
    tenures: Vec<Tenure>,
    /// When there was more than one owner.
    contests: Vec<Span>,
    /// When it went from one workload to another, and between which pods.
    handovers: Vec<Handover>,
}

/// A time in which an address had one owner and then another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Handover {
    span: Span,
    pods: [PodId; 2],
}

impl Timeline {
    /// Adds a tenure; [`Timeline::settle`] must follow before anything is asked.
    pub(super) fn add(&mut self, address: IpAddr, tenure: Tenure) {
        match self.addresses.entry(address) {
            Entry::Vacant(vacant) => {
                vacant.insert(Owners::Sole(tenure));
            }
            Entry::Occupied(mut known) => known.get_mut().add(tenure),
        }
    }

    /// Adds a life that has no address of its own.
    pub(super) fn add_life(&mut self, from: Timestamp, until: Timestamp) {
        self.changes.extend([from.plus(-SLACK_BEFORE), after(until.plus(SLACK_AFTER))]);
    }

    /// Puts all tenures in order; a later owner's start ends an earlier one's tenure. Returns the addresses that several had at
    /// once, and who.
    pub(super) fn settle(&mut self) -> BTreeMap<IpAddr, BTreeSet<PodId>> {
        let mut claimants: BTreeMap<IpAddr, BTreeSet<PodId>> = BTreeMap::new();
        // Each address by itself: the order of the map decides nothing.
        self.addresses.iter_mut().for_each(|(address, owners)| {
            let Owners::Several(several) = owners else { return };
            let Several { tenures, contests, handovers } = &mut **several;
            // Of those that begin at once, the one that has not ended comes last and so wins.
            tenures.sort_by_key(|tenure| (tenure.from, tenure.until, !tenure.is_over, tenure.rank, tenure.pod));
            mark_simultaneous(tenures);
            for (pods, span) in contested(tenures) {
                claimants.entry(*address).or_default().extend(pods);
                contests.push(span);
            }
            *handovers = handed_over(tenures);
            let mut next = None;
            for tenure in tenures.iter_mut().rev() {
                if let Some(next) = next {
                    tenure.until = tenure.until.min(next);
                }
                next = Some(tenure.from);
            }
        });
        self.settle_changes();
        claimants
    }

    fn settle_changes(&mut self) {
        let owners = || self.addresses.values();
        let tenures = owners().flat_map(Owners::tenures);
        let of_tenures = tenures.flat_map(|own| [own.since.plus(-SLACK_BEFORE), own.from, after(own.until.plus(SLACK_AFTER))]);
        let contests = owners().flat_map(Owners::contests).copied();
        let handovers = owners().flat_map(Owners::handovers).map(|handover| handover.span);
        let of_spans = contests.chain(handovers).flat_map(|span| [span.first(), after(span.last())]);
        self.changes.extend(of_tenures.chain(of_spans));
        self.changes.sort_unstable();
        self.changes.dedup();
        self.changes.shrink_to_fit();
    }

    /// All owners of `address`; nothing if no pod ever owned it.
    #[inline]
    pub(super) fn owners(&self, address: IpAddr) -> Option<&Owners> {
        self.addresses.get(&address)
    }

    /// The pod that owned `address` at `at`; nobody where several did.
    pub(super) fn owner(&self, address: IpAddr, at: Timestamp) -> Option<PodId> {
        self.owners(address)?.at(at)
    }

    /// Which of the spans between changes of owners `at` is in: in one span, everybody owns what he owns.
    pub(super) fn moment(&self, at: Timestamp) -> usize {
        self.changes.partition_point(|change| *change <= at)
    }

    /// When each pod lost its last address, also by another's start.
    pub(super) fn ends(&self) -> SeededMap<PodId, Timestamp> {
        let mut ends = SeededMap::default();
        // The latest of each: the order of the map decides nothing.
        self.addresses.values().flat_map(Owners::tenures).for_each(|tenure| {
            let end = ends.entry(tenure.pod).or_insert(tenure.until);
            *end = tenure.until.max(*end);
        });
        ends
    }
}

impl Owners {
    fn add(&mut self, tenure: Tenure) {
        match self {
            Self::Sole(first) => {
                let tenures = vec![*first, tenure];
                *self = Self::Several(Box::new(Several { tenures, ..Several::default() }));
            }
            Self::Several(several) => several.tenures.push(tenure),
        }
    }

    fn tenures(&self) -> &[Tenure] {
        match self {
            Self::Sole(tenure) => std::slice::from_ref(tenure),
            Self::Several(several) => &several.tenures,
        }
    }

    fn contests(&self) -> &[Span] {
        match self {
            Self::Sole(_) => &[],
            Self::Several(several) => &several.contests,
        }
    }

    fn handovers(&self) -> &[Handover] {
        match self {
            Self::Sole(_) => &[],
            Self::Several(several) => &several.handovers,
        }
    }

    /// The pod that owned the address at `at`; nobody where several did.
    pub(super) fn at(&self, at: Timestamp) -> Option<PodId> {
        if self.is_contested(at) || self.candidates(at).next().is_some() {
            return None;
        }
        let tenures = self.tenures();
        let following = tenures.partition_point(|tenure| tenure.from <= at);
        let last = following.checked_sub(1).and_then(|position| tenures.get(position));
        if let Some(last) = last
            && at <= last.until.plus(SLACK_AFTER)
        {
            return Some(last.pod);
        }
        tenures.get(following).filter(|next| next.since.plus(-SLACK_BEFORE) <= at).map(|next| next.pod)
    }

    /// Whether more than one workload owned the address at `at`.
    pub(super) fn is_contested(&self, at: Timestamp) -> bool {
        self.contests().iter().any(|span| span.first() <= at && at <= span.last())
    }

    /// The pods of different workloads of which one owned the address at `at`, where it cannot be told which.
    pub(super) fn candidates(&self, at: Timestamp) -> impl Iterator<Item = PodId> + '_ {
        let doubtful = move |handover: &&Handover| handover.span.first() <= at && at <= handover.span.last();
        self.handovers().iter().filter(doubtful).flat_map(|known| known.pods)
    }
}

/// The first moment after this one.
const fn after(at: Timestamp) -> Timestamp {
    at.plus(1)
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
    let uncontested: Vec<Timestamp> = tenures.iter().filter(|tenure| !tenure.is_contested).map(|tenure| tenure.from).collect();
    let mut overlaps: Vec<([PodId; 2], Span)> = Vec::new();
    let mut longest: Option<&Tenure> = None;
    for next in tenures.iter().filter(|tenure| tenure.is_contested) {
        if let Some(longest) = longest
            && longest.workload != next.workload
            && next.from <= longest.until
        {
            // Who took the address from both of them is in no doubt.
            let successor = uncontested.get(uncontested.partition_point(|from| *from <= next.from));
            let successor = successor.map_or(Timestamp::MAX, |from| from.plus(-1));
            let until = next.until.min(longest.until).plus(SLACK_AFTER).min(successor);
            overlaps.push(([longest.pod, next.pod], Span::between(next.since.min(next.from).plus(-SLACK_BEFORE), until)));
        }
        if longest.is_none_or(|longest| longest.until < next.until) {
            longest = Some(next);
        }
    }
    overlaps
}

/// When the address went from one workload to another: from when the later one may have it to when the earlier one cannot have it
/// any more.
///
/// So many that begin at once have had no address one after the other: it is nobody's then. That also keeps an inventory in which all
/// pods have one address from costing the square of their number.
fn handed_over(tenures: &[Tenure]) -> Vec<Handover> {
    /// Earlier owners that are looked at for each later one.
    const MOST: usize = 64;
    let mut handovers = Vec::new();
    let mut is_all_contested = true;
    for (position, next) in tenures.iter().enumerate() {
        let is_contest_only = is_all_contested && next.is_contested;
        is_all_contested &= next.is_contested;
        if is_contest_only {
            continue;
        }
        // Who is sure to have the address has it alone: what was before is over by then.
        let mut taken = next.by.min(next.gone);
        for (count, earlier) in tenures[..position].iter().rev().enumerate() {
            if taken <= next.from {
                break;
            }
            if count == MOST {
                handovers.push(Handover { span: Span::between(next.from, taken.plus(-1)), pods: [earlier.pod, next.pod] });
                break;
            }
            let last = taken.min(earlier.gone);
            let is_contest = earlier.is_contested && next.is_contested;
            if earlier.workload != next.workload && !is_contest && next.from < last {
                handovers.push(Handover { span: Span::between(next.from, last.plus(-1)), pods: [earlier.pod, next.pod] });
            }
            taken = taken.min(earlier.by).min(earlier.gone);
        }
    }
    handovers
}
