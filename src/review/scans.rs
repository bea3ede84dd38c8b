//! Who looked for open ports, and what was found.
//!
//! A scan is known by what it does not find: its originator tries many ports and addresses in vain. What it did find, and used for the
//! first time from then on, is an answered connection like any other, and would become a rule; that is what is doubted. What the
//! same workload did before stays what it was: mostly a scan comes from a workload that has been taken over, and whose own work goes on.
//! Outside addresses that were asked for by name are no targets of a scan ([`Observation::failed_attempts`](crate::edge::Observation)).

use std::collections::BTreeMap;

use super::Reason;
use crate::edge::{FailedTargets, Observation};
use crate::model::{Edge, Evidence, Party};

/// Fewer ports and addresses tried in vain than these are programs whose peers are not there yet, or not any more. Wrong for a slow or
/// well-informed scan of fewer.
const MANY: u64 = 10;

/// A scanner tries several at a time (nmap sends up to some hundred probes before the first comes back), so what it finds may
/// be answered just before the first attempt that fails. Nanoseconds.
const AT_A_TIME: i64 = 1_000_000_000;

/// The parties that scanned.
#[derive(Clone, Debug, Default)]
pub(super) struct Scans {
    scanners: BTreeMap<Party, FailedTargets>,
}

impl Scans {
    /// A scanner fails more often than not; whoever scrapes or proxies for many has some that are gone, and more that answer. Wrong for
    /// one of which nearly all targets are gone.
    pub(super) fn new(observation: &Observation) -> Self {
        let mut scanners: BTreeMap<Party, FailedTargets> = observation
            .failed_attempts
            .iter()
            .filter(|(_, vain)| vain.targets >= MANY)
            .map(|(party, vain)| (party.clone(), *vain))
            .collect();
        let mut answered: BTreeMap<&Party, u64> = BTreeMap::new();
        for edge in observation.edges.keys().filter(|edge| scanners.contains_key(&edge.originator)) {
            *answered.entry(&edge.originator).or_default() += 1;
        }
        scanners.retain(|party, vain| answered.get(party).is_none_or(|answered| vain.targets > *answered));
        Self { scanners }
    }

    pub(super) fn reason(&self, edge: &Edge, evidence: &Evidence) -> Option<Reason> {
        let FailedTargets { targets, since } = *self.scanners.get(&edge.originator)?;
        (evidence.span.first() >= since.plus(-AT_A_TIME)).then_some(Reason::Scan { targets })
    }
}
