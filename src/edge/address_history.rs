//! Which pods ever had an address, for addresses that were nobody's when they were seen.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::inventory::{Inventory, PodId};
use crate::model::Timestamp;

/// Pods by the addresses they ever had.
#[derive(Debug)]
pub(super) struct AddressHistory(BTreeMap<IpAddr, Vec<PodId>>);

impl AddressHistory {
    pub(super) fn new(inventory: &Inventory) -> Self {
        let mut tenants: BTreeMap<IpAddr, Vec<PodId>> = BTreeMap::new();
        for (pod, id) in inventory.pods().iter().zip(0..).filter(|(pod, _)| !pod.is_on_host_network) {
            for &address in &pod.addresses {
                tenants.entry(address).or_default().push(PodId(id));
            }
        }
        Self(tenants)
    }

    /// An address nobody owned at the time, with who owns it at other times: that tells a stale inventory from a missing one.
    pub(super) fn describe(&self, address: IpAddr, inventory: &Inventory) -> String {
        let pods = self.0.get(&address).into_iter().flatten().map(|&id| inventory.pod(id));
        let owners: BTreeSet<String> = pods
            .map(|pod| {
                let since = if pod.from == Timestamp::MIN { "ever".into() } else { pod.from.to_string() };
                format!("{} from {since}", pod.name)
            })
            .collect();
        let owners: Vec<String> = owners.into_iter().collect();
        if owners.is_empty() { address.to_string() } else { format!("{address} ({})", owners.join("; ")) }
    }
}
