//! Addresses that mean the same in every cluster.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::Identity;

/// A cloud, where it makes a difference to what is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cloud {
    /// Amazon Web Services.
    Aws,
    /// Microsoft Azure.
    Azure,
    /// Google Cloud.
    Google,
    /// Alibaba Cloud.
    Alibaba,
    /// Tencent Cloud.
    Tencent,
    /// Oracle Cloud Infrastructure.
    Oracle,
    /// Scaleway.
    Scaleway,
    /// Akamai (Linode).
    Akamai,
    /// OpenStack, and what is built like it.
    OpenStack,
    /// Hetzner.
    Hetzner,
}

impl fmt::Display for Cloud {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Aws => "AWS",
            Self::Azure => "Azure",
            Self::Google => "Google Cloud",
            Self::Alibaba => "Alibaba Cloud",
            Self::Tencent => "Tencent Cloud",
            Self::Oracle => "Oracle Cloud",
            Self::Scaleway => "Scaleway",
            Self::Akamai => "Akamai",
            Self::OpenStack => "OpenStack",
            Self::Hetzner => "Hetzner",
        })
    }
}

/// How a node's `spec.providerID` begins, by cloud (the cloud controller managers of each).
const PROVIDERS: &[(&str, Cloud)] = &[
    ("aws://", Cloud::Aws),
    ("azure://", Cloud::Azure),
    ("gce://", Cloud::Google),
    ("alicloud://", Cloud::Alibaba),
    ("qcloud://", Cloud::Tencent),
    ("oci://", Cloud::Oracle),
    ("scaleway://", Cloud::Scaleway),
    ("linode://", Cloud::Akamai),
    ("openstack://", Cloud::OpenStack),
    ("hcloud://", Cloud::Hetzner),
];

/// How keys of labels begin that managed clusters of a cloud put on nodes.
const LABELS: &[(&str, Cloud)] = &[
    ("eks.amazonaws.com/", Cloud::Aws),
    ("alpha.eksctl.io/", Cloud::Aws),
    ("k8s.amazonaws.com/", Cloud::Aws),
    ("kubernetes.azure.com/", Cloud::Azure),
    ("cloud.google.com/", Cloud::Google),
    ("alibabacloud.com/", Cloud::Alibaba),
];

/// How names of machines end that a cloud gives them.
const NAMES: &[(&str, Cloud)] = &[(".ec2.internal", Cloud::Aws), (".compute.internal", Cloud::Aws)];

impl Cloud {
    /// The cloud of a `providerID`, with what of the id says so.
    pub(super) fn of_provider(id: &str) -> Option<(&'static str, Self)> {
        PROVIDERS.iter().find(|(beginning, _)| id.starts_with(beginning)).copied()
    }

    /// The cloud of a node with this name and these labels.
    pub(super) fn of_node<'l>(name: &str, mut labels: impl Iterator<Item = &'l String>) -> Option<Self> {
        let of_label = |key: &String| LABELS.iter().find(|(beginning, _)| key.starts_with(beginning));
        let named = || NAMES.iter().find(|(end, _)| name.ends_with(end));
        labels.find_map(of_label).or_else(named).map(|(_, cloud)| *cloud)
    }

    /// Whether pods mostly have addresses of the machines' own subnets there: the VPC CNI, the Azure CNI.
    pub(super) const fn is_flat(self) -> bool {
        matches!(self, Self::Aws | Self::Azure)
    }
}

/// An address at which a cloud hands out credentials or controls its machines.
struct CloudService {
    address: IpAddr,
    /// Its cloud; nothing for the address that most clouds share.
    cloud: Option<Cloud>,
}

const fn v4(a: u8, b: u8, c: u8, d: u8, cloud: Option<Cloud>) -> CloudService {
    CloudService { address: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), cloud }
}

const fn v6(parts: [u16; 8], cloud: Cloud) -> CloudService {
    CloudService { address: IpAddr::V6(Ipv6Addr::from_segments(parts)), cloud: Some(cloud) }
}

/// Every such address. Source, where no other is named: canonical/cloud-init, cloudinit/sources.
const CLOUD_SERVICES: &[CloudService] = &[
    // AWS, Google Cloud, Azure, OpenStack, Hetzner, Oracle, Akamai, IBM, DigitalOcean, Vultr, UpCloud, Exoscale.
    v4(169, 254, 169, 254, None),
    v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254], Cloud::Aws),
    // Task roles of ECS, which agents on nodes may serve.
    v4(169, 254, 170, 2, Some(Cloud::Aws)),
    // EKS Pod Identity: awsdocs/amazon-eks-user-guide, service-accounts.adoc.
    v4(169, 254, 170, 23, Some(Cloud::Aws)),
    v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23], Cloud::Aws),
    // The GKE metadata server, TCP 988 and 987, after the node has redirected 169.254.169.254: projectcalico/calico #7458.
    v4(169, 254, 169, 252, Some(Cloud::Google)),
    v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254], Cloud::Google),
    // The WireServer of Azure, TCP 80 and 32526: MicrosoftDocs/azure-docs, what-is-ip-address-168-63-129-16.md.
    v4(168, 63, 129, 16, Some(Cloud::Azure)),
    v6([0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe], Cloud::OpenStack),
    v6([0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe], Cloud::Oracle),
    v4(169, 254, 42, 42, Some(Cloud::Scaleway)),
    v6([0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42], Cloud::Scaleway),
    v6([0xfd00, 0xa9fe, 0xa9fe, 0, 0, 0, 0, 1], Cloud::Akamai),
    // metadata.tencentyun.com.
    v4(169, 254, 0, 23, Some(Cloud::Tencent)),
    v4(100, 100, 100, 200, Some(Cloud::Alibaba)),
];

/// What a port of a cloud's service is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CloudPort {
    /// Names: Google's Cloud DNS at 169.254.169.254, Azure's at 168.63.129.16.
    Dns,
    /// Time.
    Time,
    /// Credentials and control: 80, 443, 8080, 987, 988, 32526; and any other port, because nothing else is known to be there.
    Credentials,
}

impl CloudPort {
    /// What this port of an address with [`Identity::Metadata`] is for.
    #[must_use]
    pub const fn of(port: u16) -> Self {
        match port {
            53 => Self::Dns,
            123 => Self::Time,
            _ => Self::Credentials,
        }
    }
}

/// The address of IPv4 that a translator puts in place of one of IPv6: behind the well-known prefix of NAT64 (RFC 6052, section 2.1), and
/// in 6to4 (RFC 3056, section 2). Wrong for translators with a prefix of their own.
pub(super) fn embedded(address: IpAddr) -> Option<IpAddr> {
    let IpAddr::V6(address) = address else { return None };
    let [a, b, c, d] = match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            [a, b, c, d]
        }
        _ => return None,
    };
    Some(Ipv4Addr::new(a, b, c, d).into())
}

/// The cloud's service that has this address, or is reached by it from networks without IPv4.
fn cloud_service(address: IpAddr) -> Option<&'static CloudService> {
    let has = |address: IpAddr| CLOUD_SERVICES.iter().find(|service| service.address == address);
    has(address).or_else(|| has(embedded(address)?))
}

/// Whether a cloud's service has this address.
fn is_cloud_service(address: IpAddr) -> bool {
    cloud_service(address).is_some()
}

/// The only cloud whose service has this address; nothing if none has, or most have.
pub(super) fn only_cloud_at(address: IpAddr) -> Option<Cloud> {
    cloud_service(address)?.cloud
}

/// The address that Cilium puts in place of a pod's own when the pod calls its own Service (cilium/cilium, pkg/defaults).
pub(super) const CILIUM_HAIRPIN: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 42, 1));

/// The ranges of which OVN-Kubernetes puts addresses in place of others, where nodes do not say another one
/// (ovn-org/ovn-kubernetes, docs/design/service-traffic-policy.md).
pub(super) fn ovn_masquerade() -> [IpNet; 2] {
    [
        Ipv4Net::new_assert(Ipv4Addr::new(169, 254, 169, 0), 29).into(),
        Ipv6Net::new_assert(Ipv6Addr::new(0xfd69, 0, 0, 0, 0, 0, 0, 0), 112).into(),
    ]
}

/// What the address means whoever owns it; nobody can own it.
pub(super) fn fixed(address: IpAddr) -> Option<Identity> {
    if address.is_loopback() || address.is_unspecified() {
        Some(Identity::Loopback)
    } else if address.is_multicast() || address == IpAddr::V4(Ipv4Addr::BROADCAST) {
        Some(Identity::Multicast)
    } else if is_cloud_service(address) {
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
    let metadata = || {
        let mut services = CLOUD_SERVICES.iter();
        services.any(|service| range.contains(&service.address)).then_some("an address of a metadata service")
    };
    ranges.into_iter().find(|(own, _)| overlaps(*own)).map(|(_, words)| words).or_else(metadata)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_clouds_are_known_with_their_cloud() {
        let rows = [
            ("169.254.169.254", Some(Identity::Metadata), None),
            ("169.254.169.252", Some(Identity::Metadata), Some(Cloud::Google)),
            ("168.63.129.16", Some(Identity::Metadata), Some(Cloud::Azure)),
            ("169.254.0.23", Some(Identity::Metadata), Some(Cloud::Tencent)),
            ("fe80::a9fe:a9fe", Some(Identity::Metadata), Some(Cloud::OpenStack)),
            ("fd00:c1::a9fe:a9fe", Some(Identity::Metadata), Some(Cloud::Oracle)),
            ("fd00:a9fe:a9fe::1", Some(Identity::Metadata), Some(Cloud::Akamai)),
            ("169.254.42.42", Some(Identity::Metadata), Some(Cloud::Scaleway)),
            ("169.254.169.253", None, None),
            ("169.254.169.123", None, None),
            ("169.254.169.2", None, None),
            ("169.254.169.5", None, None),
            ("169.254.42.1", None, None),
            ("169.254.7.127", None, None),
            ("169.254.20.10", None, None),
            ("168.63.129.17", None, None),
        ];
        for (address, identity, cloud) in rows {
            let parsed = address.parse().expect("an address");
            assert_eq!((fixed(parsed), only_cloud_at(parsed)), (identity, cloud), "{address}");
        }
    }

    #[test]
    fn nodes_say_their_cloud() {
        let labels = |key: &str| vec![key.to_owned()];
        let rows = [
            ("ip-10-0-1-10.eu-west-1.compute.internal", labels("x"), Some(Cloud::Aws)),
            ("n1", labels("eks.amazonaws.com/nodegroup"), Some(Cloud::Aws)),
            ("aks-pool-1", labels("kubernetes.azure.com/role"), Some(Cloud::Azure)),
            ("gke-node-a", labels("cloud.google.com/gke-nodepool"), Some(Cloud::Google)),
            ("worker", labels("kubernetes.io/os"), None),
        ];
        for (name, labels, cloud) in rows {
            assert_eq!(Cloud::of_node(name, labels.iter()), cloud, "{name}");
        }
        assert_eq!(Cloud::of_provider("azure:///subscriptions/x").map(|(_, cloud)| cloud), Some(Cloud::Azure));
        assert_eq!(Cloud::of_provider("kind://docker/kind/worker"), None);
    }
}
