//! Which ports are allowed with which addresses, for all addresses of both families at once.
//!
//! In: ranges of addresses with their ports. Out: disjoint ranges in order, so that two such maps can be compared by walking along
//! their ends, and sets of addresses that are written as few blocks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Subnets, Ipv6Subnets};

use super::ports::PortSet;

/// The first address of each family and the last.
const FAMILIES: [(IpAddr, IpAddr); 2] = [
    (IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::BROADCAST)),
    (IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::from_bits(u128::MAX))),
];

/// The next address of the same family.
pub(super) fn after(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(address) => u32::from(address).checked_add(1).map(|number| IpAddr::V4(number.into())),
        IpAddr::V6(address) => u128::from(address).checked_add(1).map(|number| IpAddr::V6(number.into())),
    }
}

/// The address before it of the same family.
pub(super) fn before(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(address) => u32::from(address).checked_sub(1).map(|number| IpAddr::V4(number.into())),
        IpAddr::V6(address) => u128::from(address).checked_sub(1).map(|number| IpAddr::V6(number.into())),
    }
}

/// Ports by address: ranges from first to last, disjoint, in order, none without ports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct AddressPorts(Vec<(IpAddr, IpAddr, PortSet)>);

impl AddressPorts {
    /// These ports on every address.
    pub(super) fn everywhere(ports: &PortSet) -> Self {
        let ranges = FAMILIES.map(|(first, last)| (first, last, ports.clone()));
        Self(if ports.is_empty() { Vec::new() } else { ranges.into() })
    }

    /// The union of pieces that may overlap.
    pub(super) fn of(pieces: &[(IpAddr, IpAddr, PortSet)]) -> Self {
        // Where pieces begin and where they have ended; the address after the last of a family is the first of the next.
        let mut changes: BTreeMap<IpAddr, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
        for (position, (first, last, _)) in pieces.iter().enumerate() {
            changes.entry(*first).or_default().0.push(position);
            if let Some(next) = after(*last) {
                changes.entry(next).or_default().1.push(position);
            }
        }
        let mut ranges = Self::default();
        let mut open: BTreeSet<usize> = BTreeSet::new();
        let mut changes = changes.into_iter().peekable();
        while let Some((first, (begun, ended))) = changes.next() {
            if first == FAMILIES[1].0 {
                // What reaches the last address of IPv4 has no end of its own.
                open.retain(|&position| pieces[position].0.is_ipv6());
            }
            for position in ended {
                open.remove(&position);
            }
            open.extend(begun);
            let family_end = if first.is_ipv4() { FAMILIES[0].1 } else { FAMILIES[1].1 };
            let next = changes.peek().map(|(next, _)| *next).filter(|next| next.is_ipv4() == first.is_ipv4());
            let last = next.and_then(before).unwrap_or(family_end);
            let mut ports = PortSet::none();
            for &position in &open {
                if pieces[position].0.is_ipv4() == first.is_ipv4() {
                    ports.add(&pieces[position].2);
                }
            }
            ranges.push(first, last, ports);
        }
        ranges
    }

    fn push(&mut self, first: IpAddr, last: IpAddr, ports: PortSet) {
        if ports.is_empty() {
            return;
        }
        if let Some((_, end, known)) = self.0.last_mut()
            && *known == ports
            && after(*end) == Some(first)
        {
            *end = last;
            return;
        }
        self.0.push((first, last, ports));
    }

    /// What is in either.
    pub(super) fn joined(&self, other: &Self) -> Self {
        let pieces: Vec<_> = self.0.iter().chain(&other.0).cloned().collect();
        Self::of(&pieces)
    }

    /// What is in this one and not in the other.
    pub(super) fn minus(&self, other: &Self) -> Self {
        let mut rest = Self::default();
        for (first, last, ports) in &self.0 {
            let mut position = Some(*first);
            let begin = other.0.partition_point(|(_, end, _)| end < first);
            for (from, to, taken) in other.0[begin..].iter().take_while(|(from, _, _)| from <= last) {
                let Some(at) = position else { break };
                if let Some(end) = before(*from).filter(|end| at <= *end) {
                    rest.push(at, end, ports.clone());
                }
                rest.push(at.max(*from), (*to).min(*last), ports.minus(taken));
                position = after(*to).filter(|next| next.is_ipv4() == first.is_ipv4());
            }
            if let Some(at) = position.filter(|at| at <= last) {
                rest.push(at, *last, ports.clone());
            }
        }
        rest
    }

    /// Whether there is none.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The ports of an address; nothing where it has none.
    pub(super) fn at(&self, address: IpAddr) -> Option<&PortSet> {
        let next = self.0.partition_point(|(_, last, _)| *last < address);
        self.0.get(next).filter(|(first, ..)| *first <= address).map(|(.., ports)| ports)
    }

    /// What is in both.
    pub(super) fn and(&self, other: &Self) -> Self {
        self.minus(&self.minus(other))
    }

    /// The addresses by the ports that they share.
    pub(super) fn by_ports(self) -> BTreeMap<PortSet, AddressSet> {
        let mut sets: BTreeMap<PortSet, AddressSet> = BTreeMap::new();
        for (first, last, ports) in self.0 {
            sets.entry(ports).or_default().push(first, last);
        }
        sets
    }
}

/// A set of addresses: ranges from first to last, disjoint, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct AddressSet(Vec<(IpAddr, IpAddr)>);

impl AddressSet {
    fn push(&mut self, first: IpAddr, last: IpAddr) {
        match self.0.last_mut() {
            Some((_, end)) if after(*end) == Some(first) => *end = last,
            _ => self.0.push((first, last)),
        }
    }

    /// Its ranges, from first to last address.
    #[must_use]
    pub fn ranges(&self) -> &[(IpAddr, IpAddr)] {
        &self.0
    }

    /// The same as blocks, each with holes; of each family in the way that takes fewer.
    #[must_use]
    pub fn blocks(&self) -> Vec<(IpNet, Vec<IpNet>)> {
        let mut blocks = Vec::new();
        for (first, last) in FAMILIES {
            let own: Vec<_> = self.0.iter().copied().filter(|(from, _)| from.is_ipv4() == first.is_ipv4()).collect();
            let mut holes = Vec::new();
            let mut position = Some(first);
            for &(from, to) in &own {
                if let (Some(at), Some(end)) = (position, before(from)) {
                    holes.extend((at <= end).then_some((at, end)));
                }
                position = after(to);
            }
            holes.extend(position.map(|at| (at, last)));
            let plain: Vec<IpNet> = own.iter().flat_map(|&range| subnets(range)).collect();
            let except: Vec<IpNet> = holes.into_iter().flat_map(subnets).collect();
            if plain.len() > except.len() + 1 {
                blocks.extend(subnets((first, last)).into_iter().map(|whole| (whole, except.clone())));
            } else {
                blocks.extend(plain.into_iter().map(|block| (block, Vec::new())));
            }
        }
        blocks
    }
}

/// The least blocks that make up a range.
fn subnets((first, last): (IpAddr, IpAddr)) -> Vec<IpNet> {
    match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => Ipv4Subnets::new(first, last, 0).map(IpNet::V4).collect(),
        (IpAddr::V6(first), IpAddr::V6(last)) => Ipv6Subnets::new(first, last, 0).map(IpNet::V6).collect(),
        _ => Vec::new(),
    }
}

/// The most blocks, and holes of one, that are spelled out.
const SHOWN: usize = 6;

/// `0.0.0.0/0 except 10.0.0.0/8, ::/0`; a single address without its length.
impl fmt::Display for AddressSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_single = |block: &IpNet| block.prefix_len() == block.max_prefix_len();
        let short = |block: &IpNet| if is_single(block) { block.addr().to_string() } else { block.to_string() };
        let list = |items: Vec<String>| {
            let shown = items.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
            if items.len() > SHOWN { format!("{shown} and {} more", items.len() - SHOWN) } else { shown }
        };
        let blocks = self.blocks();
        let text = blocks.iter().map(|(block, except)| match except.as_slice() {
            [] => short(block),
            except => format!("{} except {}", short(block), list(except.iter().map(short).collect())),
        });
        formatter.write_str(&list(text.collect()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Protocol;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn tcp(port: u16) -> PortSet {
        PortSet::one(Protocol::Tcp, port)
    }

    #[test]
    fn sets_are_written_as_few_blocks() {
        let range = |first: &str, last: &str| (address(first), address(last), tcp(80));
        let rows = [
            (vec![range("10.0.0.0", "10.0.0.255")], "10.0.0.0/24", "a block"),
            (vec![range("10.0.0.7", "10.0.0.7"), range("fd00::1", "fd00::1")], "10.0.0.7, fd00::1", "single addresses"),
            (
                vec![range("0.0.0.0", "9.255.255.255"), range("11.0.0.0", "255.255.255.255")],
                "0.0.0.0/0 except 10.0.0.0/8",
                "a hole",
            ),
            (vec![range("10.0.0.0", "10.0.0.128"), range("10.0.0.129", "10.0.0.255")], "10.0.0.0/24", "neighbours"),
        ];
        for (pieces, expected, message) in rows {
            let sets = AddressPorts::of(&pieces).by_ports();
            assert_eq!(sets[&tcp(80)].to_string(), expected, "{message}");
        }
        assert_eq!(AddressPorts::everywhere(&tcp(80)).by_ports()[&tcp(80)].to_string(), "0.0.0.0/0, ::/0");
    }

    fn few() -> impl Strategy<Value = Vec<(IpAddr, IpAddr, PortSet)>> {
        // Around the ends of both families, where an address has no neighbour.
        let v4 = prop_oneof![0u32..6, u32::MAX - 5..=u32::MAX];
        let v6 = prop_oneof![0u128..6, u128::MAX - 5..=u128::MAX];
        let v4 = (v4.clone(), v4).prop_map(|(one, other)| (IpAddr::V4(one.min(other).into()), IpAddr::V4(one.max(other).into())));
        let v6 = (v6.clone(), v6).prop_map(|(one, other)| (IpAddr::V6(one.min(other).into()), IpAddr::V6(one.max(other).into())));
        proptest::collection::vec((prop_oneof![v4, v6], 1u16..3).prop_map(|((first, last), port)| (first, last, tcp(port))), 0..5)
    }

    fn at(map: &AddressPorts, address: IpAddr) -> PortSet {
        map.at(address).cloned().unwrap_or_default()
    }

    proptest! {
        #[test]
        fn maps_behave_address_by_address(one in few(), other in few()) {
            let (left, right) = (AddressPorts::of(&one), AddressPorts::of(&other));
            let rest = left.minus(&right);
            let v4 = (0..8).chain(u32::MAX - 7..=u32::MAX).map(|number| IpAddr::V4(number.into()));
            let v6 = (0..8).chain(u128::MAX - 7..=u128::MAX).map(|number| IpAddr::V6(number.into()));
            for address in v4.chain(v6) {
                let mut expected = PortSet::none();
                for (first, last, ports) in &one {
                    if *first <= address && address <= *last {
                        expected.add(ports);
                    }
                }
                prop_assert_eq!(at(&left, address), expected.clone(), "{}", address);
                prop_assert_eq!(at(&rest, address), expected.minus(&at(&right, address)), "{}", address);
                prop_assert_eq!(at(&left.and(&right), address), expected.and(&at(&right, address)), "{}", address);
            }
            for (ports, set) in rest.clone().by_ports() {
                for (block, except) in set.blocks() {
                    for address in [block.network(), block.broadcast()] {
                        let is_hole = except.iter().any(|hole| hole.contains(&address));
                        prop_assert_eq!(at(&rest, address) == ports, !is_hole, "{} in {}", address, &set);
                    }
                }
            }
        }
    }
}
