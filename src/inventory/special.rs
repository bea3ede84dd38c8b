//! Addresses that mean the same in every cluster.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::Identity;

/// Metadata services, which hand out credentials of the node or the pod: AWS (and most others), AWS ECS, AWS EKS Pod
/// Identity, their IPv6 forms, Alibaba Cloud, Google Cloud over IPv6.
const METADATA: &[IpAddr] = &[
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
];

/// What the address means whoever owns it; nobody can own it.
pub(super) fn fixed(address: IpAddr) -> Option<Identity> {
    if address.is_loopback() || address.is_unspecified() {
        Some(Identity::Loopback)
    } else if address.is_multicast() || address == IpAddr::V4(Ipv4Addr::BROADCAST) {
        Some(Identity::Multicast)
    } else if METADATA.contains(&address) {
        Some(Identity::Metadata)
    } else {
        None
    }
}

/// 169.254.0.0/16 (RFC 3927) and `fe80::/10` (RFC 4291, section 2.5.6).
pub(super) const fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// What addresses of a range mean in every cluster, where that is something else than a machine outside.
pub(super) fn reserved_within(range: IpNet) -> Option<&'static str> {
    let v4 = |first: [u8; 4], length| Ipv4Net::new_assert(first.into(), length);
    let v6 = |first: u16, length| Ipv6Net::new_assert([first, 0, 0, 0, 0, 0, 0, 0].into(), length);
    let overlaps = |own: IpNet| own.contains(&range) || range.contains(&own);
    let ranges: [(IpNet, &str); 7] = [
        (v4([169, 254, 0, 0], 16).into(), "169.254.0.0/16, link-local addresses and metadata services"),
        (v6(0xfe80, 10).into(), "fe80::/10, link-local addresses"),
        (v4([127, 0, 0, 0], 8).into(), "127.0.0.0/8, loopback"),
        (Ipv6Net::from(Ipv6Addr::LOCALHOST).into(), "::1, loopback"),
        (v4([0, 0, 0, 0], 32).into(), "0.0.0.0, which is no address of a machine"),
        (v4([224, 0, 0, 0], 4).into(), "224.0.0.0/4, multicast"),
        (v6(0xff00, 8).into(), "ff00::/8, multicast"),
    ];
    let metadata = || METADATA.iter().any(|address| range.contains(address)).then_some("an address of a metadata service");
    ranges.into_iter().find(|(own, _)| overlaps(*own)).map(|(_, words)| words).or_else(metadata)
}
