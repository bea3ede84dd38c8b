//! Addresses as blocks, without gaining or losing one.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::inventory::Inventory;
use crate::model::Block;

/// The block of one address: /32 or /128.
pub(super) fn single(address: IpAddr) -> Block {
    Block { cidr: IpNet::from(address), except: BTreeSet::new() }
}

/// Joins addresses that are wanted alike (same value) into the fewest ranges that hold exactly them.
pub(super) fn aggregated<V: Ord + Clone>(addresses: &BTreeMap<IpAddr, V>) -> BTreeMap<IpNet, V> {
    let mut alike: BTreeMap<&V, Vec<IpNet>> = BTreeMap::new();
    for (&address, value) in addresses {
        alike.entry(value).or_default().push(IpNet::from(address));
    }
    let joined = alike
        .into_iter()
        .flat_map(|(value, ranges)| IpNet::aggregate(&ranges).into_iter().map(move |range| (range, value.clone())));
    joined.collect()
}

/// The range that holds an address, of ranges that share none.
pub(super) fn holding<V>(ranges: &BTreeMap<IpNet, V>, address: IpAddr) -> Option<IpNet> {
    let (range, _) = ranges.range(..=IpNet::from(address)).next_back()?;
    range.contains(&address).then_some(*range)
}

/// Everyone on the internet: all addresses but those that are not on it, the cluster's own and those shut out, in each family in use.
pub(super) fn internet(inventory: &Inventory, shut_out: &[IpNet]) -> BTreeSet<Block> {
    let ranges: Vec<IpNet> = inventory.not_internet().into_iter().chain(shut_out.iter().copied()).collect();
    let ranges = IpNet::aggregate(&ranges);
    let everything = [IpNet::from(Ipv4Net::default()), IpNet::from(Ipv6Net::default())];
    let in_use = everything.into_iter().filter(|all| match all {
        IpNet::V4(_) => has_ipv4(inventory) || !inventory.has_ipv6(),
        IpNet::V6(_) => inventory.has_ipv6(),
    });
    in_use
        .filter(|all| !ranges.contains(all))
        .map(|all| Block {
            cidr: all,
            except: ranges.iter().copied().filter(|range| all.contains(range) && *range != all).collect(),
        })
        .collect()
}

/// Whether pods or Services have IPv4 addresses; nodes may have them in a cluster of IPv6 as well.
fn has_ipv4(inventory: &Inventory) -> bool {
    let pods = inventory.pods().iter().filter(|pod| !pod.is_on_host_network).flat_map(|pod| &pod.addresses);
    let services = inventory.services().iter().flat_map(|service| &service.cluster_addresses);
    let ranges = inventory.pod_ranges().iter().chain(inventory.service_ranges());
    pods.chain(services).any(IpAddr::is_ipv4) || ranges.into_iter().any(|range| range.addr().is_ipv4())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::inventory::{InventoryBuilder, InventoryOptions};

    #[test]
    fn the_internet_has_the_families_of_the_cluster() {
        let rows = [("10.244.1.9", vec!["0.0.0.0/0"]), ("fd00:10:244::9", vec!["::/0"]), ("", vec!["0.0.0.0/0"])];
        for (address, expected) in rows {
            let mut builder = InventoryBuilder::new();
            builder.apply_value(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "n", "name": "a"},
                "status": {"podIP": address, "hostIP": "10.0.0.1"}}));
            let blocks = internet(&builder.build(&InventoryOptions::default()), &[]);
            let found: Vec<String> = blocks.iter().map(|block| block.cidr.to_string()).collect();
            assert_eq!(found, expected, "pod address {address:?}");
        }
    }

    #[test]
    fn ranges_hold_exactly_the_addresses_and_never_mix_what_is_wanted_differently() {
        let address = |text: &str| -> IpAddr { text.parse().unwrap() };
        let addresses = BTreeMap::from([
            (address("203.0.113.4"), 1),
            (address("203.0.113.5"), 1),
            (address("203.0.113.6"), 1),
            (address("203.0.113.7"), 2),
            (address("2001:db8::2"), 1),
            (address("2001:db8::3"), 1),
        ]);
        let ranges: Vec<String> = aggregated(&addresses).iter().map(|(range, value)| format!("{range} {value}")).collect();
        assert_eq!(ranges, ["203.0.113.4/31 1", "203.0.113.6/32 1", "203.0.113.7/32 2", "2001:db8::2/127 1"]);
    }
}
