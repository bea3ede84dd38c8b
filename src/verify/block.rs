//! `IPBlock`: a range of addresses with holes.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use k8s_openapi::api::networking::v1::IPBlock;

use super::error::PolicyFault;

/// A range of addresses with holes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressBlock {
    cidr: IpNet,
    except: Vec<IpNet>,
}

fn parse(text: &str) -> Result<IpNet, PolicyFault> {
    text.parse().map(|net: IpNet| net.trunc()).map_err(|_| PolicyFault::BadCidr(text.to_owned()))
}

/// The address as a number of its family.
fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

/// How many addresses the range holds, less one: `::/0` has one more than 128 bits can count.
fn span(net: &IpNet) -> u128 {
    number(net.broadcast()) - number(net.network())
}

impl AddressBlock {
    pub(super) fn new(block: &IPBlock) -> Result<Self, PolicyFault> {
        let cidr = parse(&block.cidr)?;
        let mut except = Vec::new();
        for text in block.except.iter().flatten() {
            let hole = parse(text)?;
            if !cidr.contains(&hole) || hole == cidr {
                return Err(PolicyFault::ExceptOutside { cidr: block.cidr.clone(), except: text.clone() });
            }
            except.push(hole);
        }
        // Disjoint and in order.
        let mut except = IpNet::aggregate(&except);
        except.sort_unstable();
        Ok(Self { cidr, except })
    }

    /// Whether it holds the address. Of the other family it holds none.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.cidr.contains(&address) && !self.except.iter().any(|hole| hole.contains(&address))
    }

    /// Its range.
    #[must_use]
    pub const fn cidr(&self) -> IpNet {
        self.cidr
    }

    /// The holes, disjoint and in order.
    #[must_use]
    pub fn except(&self) -> &[IpNet] {
        &self.except
    }

    /// The first address it holds that is not in `known`, if there is one. Looks at each hole and each known address once.
    #[must_use]
    pub fn first_beyond(&self, known: &BTreeSet<IpAddr>) -> Option<IpAddr> {
        let last = number(self.cidr.broadcast());
        let mut candidate = self.cidr.network();
        // Every step passes a hole or a known address; neither is met twice.
        loop {
            let passed = if let Some(hole) = self.except.iter().find(|hole| hole.contains(&candidate)) {
                hole.broadcast()
            } else if known.contains(&candidate) {
                candidate
            } else {
                return Some(candidate);
            };
            if number(passed) >= last {
                return None;
            }
            candidate = match passed {
                IpAddr::V4(address) => IpAddr::V4(Ipv4Addr::from(u32::from(address).checked_add(1)?)),
                IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from(u128::from(address).checked_add(1)?)),
            };
        }
    }

    /// How many addresses it holds; the greatest number where they are more than that.
    #[must_use]
    pub fn size(&self) -> u128 {
        let holes: u128 = self.except.iter().map(|hole| span(hole).saturating_add(1)).fold(0, u128::saturating_add);
        // The whole is one more than its span; a hole is strictly inside, so nothing is lost by adding the one last.
        (span(&self.cidr) - holes.min(span(&self.cidr))).saturating_add(u128::from(holes <= span(&self.cidr)))
    }
}

impl fmt::Display for AddressBlock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cidr.fmt(formatter)?;
        for (position, hole) in self.except.iter().enumerate() {
            write!(formatter, "{}{hole}", if position == 0 { " except " } else { ", " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(cidr: &str, except: &[&str]) -> AddressBlock {
        let except = Some(except.iter().map(|&hole| hole.to_owned()).collect());
        AddressBlock::new(&IPBlock { cidr: cidr.to_owned(), except }).unwrap()
    }

    #[test]
    fn the_first_address_beyond_those_known() {
        let rows: [(&str, &[&str], &[&str], Option<&str>, u128, &str); 8] = [
            ("10.0.0.1/32", &[], &["10.0.0.1"], None, 1, "one address, known"),
            ("10.0.0.0/31", &[], &["10.0.0.0"], Some("10.0.0.1"), 2, "one of two known"),
            ("10.0.0.0/30", &["10.0.0.0/31"], &["10.0.0.2"], Some("10.0.0.3"), 2, "past the hole"),
            ("10.0.0.0/31", &["10.0.0.0/32", "10.0.0.1/32"], &[], None, 0, "holes leave nothing"),
            ("0.0.0.0/0", &[], &[], Some("0.0.0.0"), 1 << 32, "everything of IPv4"),
            ("255.255.255.255/32", &[], &["255.255.255.255"], None, 1, "the last address of IPv4"),
            ("::/0", &["::/1"], &[], Some("8000::"), 1 << 127, "half of IPv6"),
            (
                "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128",
                &[],
                &["10.0.0.1"],
                Some("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
                1,
                "the last of IPv6",
            ),
        ];
        for (cidr, except, known, expected, size, message) in rows {
            let known = known.iter().map(|address| address.parse().unwrap()).collect();
            let block = block(cidr, except);
            assert_eq!(block.first_beyond(&known), expected.map(|address| address.parse().unwrap()), "{message}");
            assert_eq!(block.size(), size, "{message}: size");
        }
        assert_eq!(block("::/0", &[]).size(), u128::MAX, "everything of IPv6 is more than can be counted");
    }
}
