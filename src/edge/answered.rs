//! To how many addresses names led, whichever of them were called.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::inventory::{Inventory, WorkloadId};

use super::bounded_edges::{BoundedEdges, Kept};
use super::dns_cache::NameBook;
use super::link::Side;

/// The addresses in DNS answers that pods of a workload got, by name.
#[derive(Debug, Default)]
pub(super) struct Answered {
    by_name: BTreeMap<(WorkloadId, Arc<str>), BTreeSet<IpAddr>>,
}

impl Answered {
    pub(super) fn add(&mut self, book: &NameBook, inventory: &Inventory) {
        for (pod, name, address) in book.answers() {
            self.by_name.entry((inventory.pod(pod).workload, Arc::clone(name))).or_default().insert(address);
        }
    }

    /// Says in the evidence of edges to outside addresses, to how many addresses each name led that was called. Families count
    /// apart: whoever has both answers twice, with as many addresses as ever.
    pub(super) fn note(&self, edges: &mut BoundedEdges<Kept>) {
        for (link, Kept { evidence, .. }) in edges.iter_mut() {
            let (Some(workload), Side::Outside(_), Some(called)) =
                (link.originator.workload(), link.responder, &mut evidence.called)
            else {
                continue;
            };
            let count = |name: &Arc<str>| {
                let addresses = self.by_name.get(&(workload, Arc::clone(name)))?;
                let of_v4 = addresses.iter().filter(|address| address.is_ipv4()).count();
                u64::try_from(of_v4.max(addresses.len() - of_v4)).ok()
            };
            let counts: Vec<(Arc<str>, u64)> =
                called.names.keys().filter_map(|name| Some((Arc::clone(name), count(name)?))).collect();
            if !counts.is_empty() {
                Arc::make_mut(called).answered.extend(counts);
            }
        }
    }
}
