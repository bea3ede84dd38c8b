//! Addresses that mean the same in every cluster.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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
