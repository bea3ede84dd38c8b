//! `IPBlock`: a range of addresses with holes.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use k8s_openapi::api::networking::v1::IPBlock;

use super::error::PolicyFault;
use super::ranges::{after, before};

/// A range of addresses with holes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressBlock {
    cidr: IpNet,
    except: Vec<IpNet>,
}

fn parse(text: &str) -> Result<IpNet, PolicyFault> {
    text.parse().map(|net: IpNet| net.trunc()).map_err(|_| PolicyFault::BadCidr(text.to_owned()))
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

    /// What it holds as ranges from first to last address, disjoint and in order.
    pub(super) fn ranges(&self) -> Vec<(IpAddr, IpAddr)> {
        let mut ranges = Vec::new();
        let mut first = Some(self.cidr.network());
        for hole in &self.except {
            if let Some(first) = first.filter(|first| *first < hole.network())
                && let Some(last) = before(hole.network())
            {
                ranges.push((first, last));
            }
            first = after(hole.broadcast());
        }
        // After a hole at the very end there is nothing more, or something outside the range.
        let last = self.cidr.broadcast();
        ranges.extend(first.filter(|first| *first <= last).map(|first| (first, last)));
        ranges
    }

    /// The first address it holds that is not in `known`, if there is one.
    #[must_use]
    pub fn first_beyond(&self, known: &BTreeSet<IpAddr>) -> Option<IpAddr> {
        self.ranges().into_iter().find_map(|(first, last)| {
            let mut candidate = first;
            for &address in known.range(first..=last) {
                if address != candidate {
                    break;
                }
                candidate = after(address).filter(|next| *next <= last)?;
            }
            Some(candidate)
        })
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

    /// A range, its holes, the known addresses, the first beyond them, what it shows.
    type Row = (&'static str, &'static [&'static str], &'static [&'static str], Option<&'static str>, &'static str);

    #[test]
    fn the_first_address_beyond_those_known() {
        let rows: [Row; 9] = [
            ("10.0.0.1/32", &[], &["10.0.0.1"], None, "one address, known"),
            ("10.0.0.0/31", &[], &["10.0.0.0"], Some("10.0.0.1"), "one of two known"),
            ("10.0.0.0/31", &[], &["10.0.0.1"], Some("10.0.0.0"), "the other of two known"),
            ("10.0.0.0/30", &["10.0.0.0/31"], &["10.0.0.2"], Some("10.0.0.3"), "past the hole"),
            ("10.0.0.0/30", &["10.0.0.2/31"], &["10.0.0.0", "10.0.0.1"], None, "the hole is the end"),
            ("10.0.0.0/31", &["10.0.0.0/32", "10.0.0.1/32"], &[], None, "holes leave nothing"),
            ("0.0.0.0/0", &["255.0.0.0/8"], &["::1"], Some("0.0.0.0"), "nearly everything of IPv4"),
            ("::/0", &["::/1"], &[], Some("8000::"), "half of IPv6"),
            (
                "8000::/1",
                &["8000::/2"],
                &["ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
                Some("c000::"),
                "the last address of IPv6 is known",
            ),
        ];
        for (cidr, except, known, expected, message) in rows {
            let known = known.iter().map(|address| address.parse().unwrap()).collect();
            assert_eq!(block(cidr, except).first_beyond(&known), expected.map(|address| address.parse().unwrap()), "{message}");
        }
        let all = ["255.255.255.254", "255.255.255.255"].map(|address| address.parse().unwrap());
        assert_eq!(block("255.255.255.254/31", &[]).first_beyond(&BTreeSet::from(all)), None, "no address follows the last");
    }
}
