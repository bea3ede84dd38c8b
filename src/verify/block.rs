//! `IPBlock`: a range of addresses with holes.

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
        Ok(Self::of(cidr, &except))
    }

    /// The range without the holes, all of which are in it.
    pub(super) fn of<'n>(cidr: IpNet, except: impl IntoIterator<Item = &'n IpNet>) -> Self {
        // Disjoint and in order.
        let mut except = IpNet::aggregate(&except.into_iter().copied().collect::<Vec<IpNet>>());
        except.sort_unstable();
        Self { cidr, except }
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
    fn ranges_leave_out_the_holes() {
        let rows: [(&str, &[&str], &str, &str); 7] = [
            ("10.0.0.1/32", &[], "10.0.0.1-10.0.0.1", "one address"),
            ("10.0.0.0/30", &["10.0.0.0/31"], "10.0.0.2-10.0.0.3", "a hole at the beginning"),
            ("10.0.0.0/30", &["10.0.0.2/31"], "10.0.0.0-10.0.0.1", "a hole at the end"),
            ("10.0.0.0/30", &["10.0.0.1/32"], "10.0.0.0-10.0.0.0 10.0.0.2-10.0.0.3", "a hole inside"),
            ("10.0.0.0/31", &["10.0.0.0/32", "10.0.0.1/32"], "", "holes leave nothing"),
            ("0.0.0.0/0", &["255.0.0.0/8"], "0.0.0.0-254.255.255.255", "nearly everything of IPv4"),
            ("::/0", &["::/1"], "8000::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "half of IPv6"),
        ];
        for (cidr, except, expected, message) in rows {
            let ranges: Vec<String> =
                block(cidr, except).ranges().iter().map(|(first, last)| format!("{first}-{last}")).collect();
            assert_eq!(ranges.join(" "), expected, "{message}");
        }
    }
}
