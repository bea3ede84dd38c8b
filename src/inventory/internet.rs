//! Which addresses are on the internet: the one place that says so.
//!
//! In: an address, and the cluster's own ranges. Out: whether a client with that address may have come from anywhere, and the ranges
//! that a rule for "everyone on the internet" has to leave out. Both rest on one list, so no address is both.
//!
//! Documentation ranges (RFC 5737: 192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24; RFC 3849: `2001:db8::/32`) count as the internet, although
//! nobody is there: examples and recorded tests stand for clients with them. Wrong where somebody uses them inside a network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::{Identity, Inventory, Mesh, WorkloadId, range, well_known};

const fn v4(first: [u8; 4], length: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::from_octets(first), length))
}

const fn v6(first: u16, length: u8) -> IpNet {
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, 0), length))
}

/// Azure's platform address: metadata, DNS and the probes of its load balancers
/// (MicrosoftDocs/azure-docs articles/virtual-network/what-is-ip-address-168-63-129-16.md).
const AZURE_PLATFORM: [u8; 4] = [168, 63, 129, 16];

/// Ranges that no client on the internet has an address in. The registries of special-purpose addresses (RFC 6890, section 2.2.2 and
/// 2.2.3) call them not global.
const NOT_INTERNET: [IpNet; 17] = [
    // "This network" (RFC 6890, table 1).
    v4([0, 0, 0, 0], 8),
    // Private (RFC 1918, section 3).
    v4([10, 0, 0, 0], 8),
    v4([172, 16, 0, 0], 12),
    v4([192, 168, 0, 0], 16),
    // Shared by carriers and their customers (RFC 6598, section 7); clouds and plug-ins take pods and nodes from it too.
    v4([100, 64, 0, 0], 10),
    // Loopback (RFC 6890, table 4).
    v4([127, 0, 0, 0], 8),
    // Link-local (RFC 3927), with most metadata services.
    v4([169, 254, 0, 0], 16),
    // Azure's platform.
    v4(AZURE_PLATFORM, 32),
    // Protocol assignments (RFC 6890, table 7) and benchmarks (RFC 2544).
    v4([192, 0, 0, 0], 24),
    v4([198, 18, 0, 0], 15),
    // Multicast (RFC 5771), and reserved with limited broadcast (RFC 6890, table 15 and 16).
    v4([224, 0, 0, 0], 4),
    v4([240, 0, 0, 0], 4),
    // Unspecified and loopback (RFC 6890, table 17 and 18).
    v6(0, 127),
    // Discard-only (RFC 6666).
    v6(0x100, 64),
    // Private: unique local (RFC 4193), with the metadata services of clouds over IPv6.
    v6(0xfc00, 7),
    // Link-local (RFC 4291, section 2.5.6).
    v6(0xfe80, 10),
    // Multicast (RFC 4291, section 2.7).
    v6(0xff00, 8),
];

/// Whether an address of IPv6 is in no range that the internet routes: all of that is in 2000::/3 (RFC 4291, section 2.4, and IANA's registry
/// of address space), but for NAT64's prefix (RFC 6052); the ranges for benchmarks (RFC 5180) and ORCHIDs (RFC 4843, RFC 7343) in it
/// are not. Nobody there is a client from the internet. Where nobody is at all, a rule for everyone on the internet need not leave it out.
fn is_unassigned(address: IpAddr) -> bool {
    let IpAddr::V6(address) = address else { return false };
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => false,
        [0x2001, 2, 0, ..] => true,
        [0x2001, second, ..] if matches!(second & 0xfff0, 0x10 | 0x20) => true,
        [first, ..] => first & 0xe000 != 0x2000,
    }
}

/// From where Google Cloud's load balancers probe pods and forward what their clients ask, straight to pods of a NEG
/// (kelseyhightower/kubernetes-the-hard-way issue 198). Globally routable, but no client has an address there.
const BALANCERS: [IpNet; 2] = [v4([35, 191, 0, 0], 16), v4([130, 211, 0, 0], 22)];

/// The address that a kubelet's probes have in pods of Istio's ambient mesh, unless the mesh was configured otherwise
/// (istio/istio.io content/en/docs/ambient/usage/networkpolicy).
const AMBIENT_PROBES: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 7, 127)),
    IpAddr::V6(Ipv6Addr::new(0xfd16, 0x9254, 0x7127, 0x1337, 0xffff, 0xffff, 0xffff, 0xffff)),
];

/// What the address of a caller outside the cluster says about where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// On the internet: globally routable, and none of the cluster's own addresses.
    Internet,
    /// A cloud's load balancer: it stands for clients that are not seen, and for its own probes.
    Balancer,
    /// In a network that the internet does not reach: private, shared by a carrier, or reserved.
    Network,
    /// The pod's own node as it probes through Istio's ambient mesh.
    AmbientProbe,
    /// The pod's own node or the platform beneath it: link-local, or the address of a metadata service. What calls from there is a
    /// probe, or traffic whose source was translated on the node.
    Platform,
}

impl Inventory {
    /// Where a caller with this address is.
    #[must_use]
    pub fn origin(&self, address: IpAddr) -> Origin {
        let address = address.to_canonical();
        if AMBIENT_PROBES.contains(&address) {
            return Origin::AmbientProbe;
        }
        let is_metadata = well_known::fixed(address) == Some(Identity::Metadata);
        if is_metadata || well_known::is_link_local(address) || address == IpAddr::from(AZURE_PLATFORM) {
            return Origin::Platform;
        }
        let is_own = range::holds(&self.pod_ranges, address)
            || range::holds(&self.service_ranges, address)
            || self.node_addresses.contains_key(&address);
        let is_in = |address: IpAddr| NOT_INTERNET.iter().any(|range| range.contains(&address));
        let is_special = is_in(address) || well_known::embedded(address).is_some_and(is_in) || is_unassigned(address);
        if is_own || is_special {
            Origin::Network
        } else if BALANCERS.iter().any(|range| range.contains(&address)) {
            Origin::Balancer
        } else {
            Origin::Internet
        }
    }

    /// Where a caller of this workload is. In Istio's ambient mesh a link-local caller is the kubelet, whatever address the mesh was
    /// configured with. Wrong for a plug-in that gives other traffic of the node such an address too.
    #[must_use]
    pub fn origin_of_caller(&self, address: IpAddr, workload: WorkloadId) -> Origin {
        let is_probe = || well_known::is_link_local(address.to_canonical()) && self.mesh(workload) == Some(Mesh::IstioAmbient);
        match self.origin(address) {
            Origin::Platform if is_probe() => Origin::AmbientProbe,
            origin => origin,
        }
    }

    /// What a rule for everyone on the internet leaves out, in the fewest ranges: all that is not on the internet, and the cluster's
    /// own addresses (pods, Services, nodes).
    #[must_use]
    pub fn not_internet(&self) -> Vec<IpNet> {
        let nodes = self.nodes.iter().flat_map(|node| &node.addresses).map(|address| IpNet::from(*address));
        let own = self.pod_ranges.iter().chain(&self.service_ranges).copied();
        range::aggregate(NOT_INTERNET.into_iter().chain(own).chain(nodes))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{InventoryBuilder, InventoryOptions};
    use super::*;

    fn inventory() -> Inventory {
        let mut builder = InventoryBuilder::new();
        builder.apply_value(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"},
            "spec": {"podCIDRs": ["10.244.0.0/24", "2600:1f00:1::/64"]},
            "status": {"addresses": [{"type": "InternalIP", "address": "10.0.0.1"}, {"type": "ExternalIP", "address": "34.1.2.3"}]}}));
        let services = vec!["34.118.224.0/20".parse().unwrap()];
        builder.build(&InventoryOptions { service_ranges: services, ..InventoryOptions::default() })
    }

    #[test]
    fn an_address_is_on_the_internet_or_left_out_of_it() {
        let rows = [
            ("8.8.8.8", Origin::Internet, "an ordinary address"),
            ("2a00:1450::1", Origin::Internet, "an ordinary address of IPv6"),
            ("192.0.2.1", Origin::Internet, "documentation (RFC 5737)"),
            ("198.51.100.1", Origin::Internet, "documentation (RFC 5737)"),
            ("203.0.113.1", Origin::Internet, "documentation (RFC 5737)"),
            ("2001:db8::1", Origin::Internet, "documentation (RFC 3849)"),
            ("::ffff:203.0.113.1", Origin::Internet, "IPv4 written as IPv6"),
            ("172.15.255.255", Origin::Internet, "just before a private range"),
            ("172.32.0.0", Origin::Internet, "just after it"),
            ("100.63.255.255", Origin::Internet, "just before the shared range"),
            ("100.128.0.0", Origin::Internet, "just after it"),
            ("10.1.2.3", Origin::Network, "private"),
            ("172.16.0.1", Origin::Network, "private"),
            ("172.31.255.255", Origin::Network, "private"),
            ("192.168.5.10", Origin::Network, "private"),
            ("::ffff:10.1.2.3", Origin::Network, "private, written as IPv6"),
            ("100.64.0.1", Origin::Network, "shared"),
            ("100.127.255.255", Origin::Network, "shared"),
            ("fd12:3456::1", Origin::Network, "unique local"),
            ("198.19.0.1", Origin::Network, "benchmarks"),
            ("240.0.0.1", Origin::Network, "reserved"),
            ("127.0.0.1", Origin::Network, "loopback"),
            ("::1", Origin::Network, "loopback"),
            ("0.0.0.0", Origin::Network, "unspecified"),
            ("224.0.0.251", Origin::Network, "multicast"),
            ("ff02::fb", Origin::Network, "multicast"),
            ("34.1.2.3", Origin::Network, "a node's public address"),
            ("2600:1f00:1::9", Origin::Network, "a pod range that looks public"),
            ("34.118.224.10", Origin::Network, "a Service range that looks public"),
            ("169.254.7.127", Origin::AmbientProbe, "Istio ambient"),
            ("fd16:9254:7127:1337:ffff:ffff:ffff:ffff", Origin::AmbientProbe, "Istio ambient over IPv6"),
            ("169.254.42.1", Origin::Platform, "link-local"),
            ("fe80::1", Origin::Platform, "link-local"),
            ("169.254.169.254", Origin::Platform, "metadata"),
            ("100.100.100.200", Origin::Platform, "metadata in the shared range"),
            ("35.191.9.9", Origin::Balancer, "a load balancer of Google Cloud"),
            ("130.211.3.255", Origin::Balancer, "a load balancer of Google Cloud"),
            ("130.211.4.0", Origin::Internet, "just after its range"),
            ("168.63.129.16", Origin::Platform, "Azure's platform and the probes of its load balancers"),
        ];
        let inventory = inventory();
        let left_out = inventory.not_internet();
        for (text, expected, what) in rows {
            let address: IpAddr = text.parse().unwrap();
            assert_eq!(inventory.origin(address), expected, "{text}: {what}");
            let is_left_out = range::holds(&left_out, address.to_canonical());
            assert_eq!(is_left_out, !matches!(expected, Origin::Internet | Origin::Balancer), "{text}: {what}");
        }
    }

    #[test]
    fn addresses_of_ipv6_that_the_internet_does_not_route_are_no_clients_from_there() {
        let rows = [
            ("64:ff9b::198.51.100.1", Origin::Internet, "NAT64 of an ordinary address"),
            ("64:ff9b::10.1.2.3", Origin::Network, "NAT64 of a private address"),
            ("64:ff9b::169.254.169.254", Origin::Platform, "NAT64 of a metadata service"),
            ("64:ff9b:1::1", Origin::Network, "NAT64 of a local network (RFC 8215)"),
            ("2002:c633:6401::1", Origin::Internet, "6to4 of an ordinary address"),
            ("2002:c0a8:101::1", Origin::Network, "6to4 of a private address"),
            ("2001:2::1", Origin::Network, "benchmarks"),
            ("2001:2:1::1", Origin::Internet, "just after them"),
            ("2001:1f::1", Origin::Network, "an ORCHID"),
            ("2001:2f::1", Origin::Network, "an ORCHID of the second version"),
            ("2001:30::1", Origin::Internet, "just after them"),
            ("3fff::1", Origin::Internet, "documentation (RFC 9637)"),
            ("1fff::1", Origin::Network, "just before what is assigned"),
            ("4000::1", Origin::Network, "just after it"),
            ("fec0::1", Origin::Network, "site-local"),
        ];
        let inventory = inventory();
        for (text, expected, what) in rows {
            assert_eq!(inventory.origin(text.parse().unwrap()), expected, "{text}: {what}");
        }
    }

    #[test]
    fn what_is_left_out_is_the_fewest_ranges() {
        let ranges: Vec<String> = inventory().not_internet().iter().map(ToString::to_string).collect();
        let expected = [
            "0.0.0.0/8",
            "10.0.0.0/8",
            "34.1.2.3/32",
            "34.118.224.0/20",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "168.63.129.16/32",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "224.0.0.0/3",
            "::/127",
            "100::/64",
            "2600:1f00:1::/64",
            "fc00::/7",
            "fe80::/10",
            "ff00::/8",
        ];
        assert_eq!(ranges, expected);
    }
}
