//! Which addresses are the cluster's own, known by range rather than by owner.
//!
//! An address in them that nobody owned is a hole in the inventory, not an outside address; and they are what is cut out of
//! "everyone outside". So a range too narrow makes rules that don't last, and one too wide takes outside addresses for pods:
//! said ranges come first, guesses stay small.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::Family;
use crate::model::{Code, Findings};

/// The fewest ranges that hold exactly the same addresses, in order.
pub(super) fn aggregate(ranges: impl IntoIterator<Item = IpNet>) -> Vec<IpNet> {
    let ranges: Vec<IpNet> = ranges.into_iter().map(|range| range.trunc()).collect();
    let mut ranges = IpNet::aggregate(&ranges);
    ranges.sort_by_key(IpNet::network);
    ranges
}

/// Whether any of these aggregated ranges holds the address; they are in order and none holds another.
pub(super) fn holds(ranges: &[IpNet], address: IpAddr) -> bool {
    let following = ranges.partition_point(|range| range.network() <= address);
    following.checked_sub(1).and_then(|position| ranges.get(position)).is_some_and(|range| range.contains(&address))
}

/// Pod ranges: those said, and blocks around pods that are in none of them.
///
/// Wrong where a block of 256 addresses holds pods and, elsewhere in it, outside machines; blocks with a node or an outside
/// address of a Service in them are not guessed, so on flat networks (AWS's VPC CNI, say) most are not.
pub(super) fn pods(
    said: impl IntoIterator<Item = IpNet>,
    is_guessing: bool,
    pods: &BTreeSet<IpAddr>,
    others: &BTreeSet<IpAddr>,
    findings: &mut Findings,
) -> Vec<IpNet> {
    let mut ranges = aggregate(said);
    if !is_guessing {
        return ranges;
    }
    let mut blocks = BTreeMap::<IpNet, u64>::new();
    let mut mixed = BTreeMap::<IpNet, u64>::new();
    let unsaid = pods.iter().filter(|address| !holds(&ranges, **address) && !super::well_known::is_link_local(**address));
    for &address in unsaid {
        let block = prefix(
            address,
            match address {
                IpAddr::V4(_) => 24,
                IpAddr::V6(_) => 64,
            },
        );
        let is_mixed = others.range(block.network()..=block.broadcast()).next().is_some();
        *if is_mixed { &mut mixed } else { &mut blocks }.entry(block).or_default() += 1;
    }
    for (block, count) in &blocks {
        let message = "was taken for a pod range, because pods have addresses in it that no known range holds";
        findings.add_many(Code::GuessedRanges, block.to_string(), message, *count);
    }
    for (block, count) in &mixed {
        let message = "holds pods and other machines, so it was not taken for a pod range";
        findings.add_many(Code::GuessedRanges, block.to_string(), message, *count);
    }
    ranges.extend(blocks.into_keys());
    aggregate(ranges)
}

/// Service ranges: those said, and for a family without any the least range that holds all `ClusterIPs`.
pub(super) fn services(
    said: impl IntoIterator<Item = IpNet>,
    clusters: &BTreeSet<IpAddr>,
    has_kubernetes: bool,
    findings: &mut Findings,
) -> Vec<IpNet> {
    let mut ranges = aggregate(said);
    for (family, least) in [(Family::V4, 24), (Family::V6, 112)] {
        if ranges.iter().any(|range| Family::of(range.addr()) == family) {
            continue;
        }
        let mut own = clusters.iter().copied().filter(|address| Family::of(*address) == family);
        // Addresses are in order, so the first and the last differ soonest.
        let Some(first) = own.next() else { continue };
        let last = own.next_back().unwrap_or(first);
        let range = prefix(first, common(first, last).min(least));
        if !has_kubernetes {
            let message = "was taken for the Service range: the least that holds all ClusterIPs";
            findings.add(Code::GuessedRanges, range.to_string(), message);
        }
        ranges.push(range);
    }
    aggregate(ranges)
}

/// How many leading bits two addresses of one family have in common.
fn common(one: IpAddr, other: IpAddr) -> u8 {
    let bits = match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => (one.to_bits() ^ other.to_bits()).leading_zeros(),
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits() ^ other.to_bits()).leading_zeros(),
        _ => 0,
    };
    u8::try_from(bits).unwrap_or(128)
}

/// The range of this length that holds the address; the address alone for an impossible length.
fn prefix(address: IpAddr, length: u8) -> IpNet {
    match address {
        IpAddr::V4(address) => Ipv4Net::new(address, length).map_or_else(|_| IpNet::from(IpAddr::V4(address)), IpNet::V4),
        IpAddr::V6(address) => Ipv6Net::new(address, length).map_or_else(|_| IpNet::from(IpAddr::V6(address)), IpNet::V6),
    }
    .trunc()
}

/// The first two addresses of a range, where bridges and tunnel devices of nodes are; none of a range too small for both.
pub(super) fn first_two(range: IpNet) -> Option<[IpAddr; 2]> {
    let second = match range.network() {
        IpAddr::V4(first) => IpAddr::V4(first.to_bits().checked_add(1)?.into()),
        IpAddr::V6(first) => IpAddr::V6(first.to_bits().checked_add(1)?.into()),
    };
    (range.max_prefix_len() - range.prefix_len() > 2).then(|| [range.network(), second])
}
