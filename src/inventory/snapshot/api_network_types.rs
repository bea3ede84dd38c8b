//! Shapes of objects that network plug-ins and platforms have, as far as they are read. What is absent or null is empty.

#![expect(clippy::zero_sized_map_values, reason = "of some of the API's mappings only the keys are read")]

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

/// A structure of which each member may be absent.
macro_rules! shape {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Default, Deserialize)]
        #[serde(default, rename_all = "camelCase")]
        pub(super) struct $name { $($(#[$field_meta])* pub(super) $field: $type,)* }
    };
}

shape!(CiliumNode { spec: CiliumNodeSpec, status: CiliumNodeStatus });
shape!(CiliumNodeSpec { addresses: Vec<CiliumNodeAddress>, health: Families, ingress: Families, ipam: CiliumIpam, });
shape!(CiliumNodeAddress {
    #[serde(rename = "type")]
    kind: String,
    ip: String,
});
shape!(
    /// An address of each family.
    Families { ipv4: String, ipv6: String, }
);
shape!(CiliumIpam {
    #[serde(rename = "podCIDRs")]
    pod_cidrs: Vec<String>,
    pools: CiliumPools,
});
shape!(CiliumPools { allocated: Vec<CiliumPool>, });
shape!(CiliumPool { cidrs: Vec<String>, });
shape!(CiliumNodeStatus { eni: CiliumEni, azure: CiliumAzure, ipam: CiliumUsage });
shape!(CiliumEni { enis: BTreeMap<String, IgnoredAny>, });
shape!(CiliumAzure { interfaces: Vec<IgnoredAny>, });
shape!(CiliumUsage { used: BTreeMap<String, IgnoredAny>, });

shape!(
    /// `IPPool` and `BlockAffinity`.
    IpPool { spec: IpPoolSpec, }
);
shape!(IpPoolSpec { cidr: String, allowed_uses: Vec<String>, });
shape!(IpamBlock { spec: IpamBlockSpec });
shape!(IpamBlockSpec {
    cidr: String,
    /// Of each address in order, the position of its attributes.
    allocations: Vec<Option<usize>>,
    attributes: Vec<IpamAttribute>,
});
shape!(IpamAttribute {
    #[serde(rename = "handle_id")]
    handle_id: String,
});
shape!(FelixConfiguration { spec: FelixConfigurationSpec });
shape!(FelixConfigurationSpec {
    #[serde(rename = "deviceRouteSourceAddress")]
    source: String,
    #[serde(rename = "deviceRouteSourceAddressIPv6")]
    source_ipv6: String,
});

shape!(
    /// `Network` of `config.openshift.io` and of `operator.openshift.io`.
    OpenShiftNetwork { spec: OpenShiftRanges, status: OpenShiftRanges, }
);
shape!(OpenShiftRanges { cluster_network: Vec<OpenShiftRange>, service_network: Vec<String>, });
shape!(OpenShiftRange { cidr: String });

shape!(NodeNetworkConfig { status: NodeNetworkConfigStatus });
shape!(NodeNetworkConfigStatus { network_containers: Vec<NetworkContainer>, });
shape!(NetworkContainer {
    #[serde(rename = "type")]
    kind: String,
    subnet_address_space: String,
    #[serde(rename = "primaryIP")]
    primary_ip: String,
    ip_assignments: Vec<IpAssignment>,
});
shape!(IpAssignment { ip: String });

shape!(KubeOvnSubnet { spec: KubeOvnSubnetSpec });
shape!(KubeOvnSubnetSpec { cidr_block: String, vlan: String });
