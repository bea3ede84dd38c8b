//! Nodes, and objects of network plug-ins and platforms, as far as they say who has which address.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use super::node::{Mismatch, Tree};
use super::parse::Reading;
use super::{api_network_types, api_types};
use crate::inventory::node_address::{ANNOTATIONS, Meaning, OVN_INTERFACES, after, words};
use crate::inventory::object::{Arguments, NetworkBody, NodeBody};
use crate::inventory::{Cloud, NetworkPlugin, NodeInterface};

/// A kind that only a network plug-in or platform has.
#[derive(Clone, Copy, Debug)]
pub(super) struct NetworkKind {
    /// Its `kind`.
    pub(super) kind: &'static str,
    /// The groups that serve it.
    pub(super) groups: &'static [&'static str],
    read: fn(&mut Reading<'_>, &Tree, &str) -> Result<NetworkBody, Mismatch>,
}

const CALICO: &[&str] = &["crd.projectcalico.org", "projectcalico.org"];

/// Every such kind that is read.
pub(super) const KINDS: &[NetworkKind] = &[
    NetworkKind { kind: "CiliumNode", groups: &["cilium.io"], read: |reading, tree, name| reading.cilium_node(tree, name) },
    NetworkKind { kind: "IPPool", groups: CALICO, read: |reading, tree, name| reading.ip_pool(tree, name) },
    NetworkKind { kind: "BlockAffinity", groups: CALICO, read: |reading, tree, name| reading.block_affinity(tree, name) },
    NetworkKind { kind: "IPAMBlock", groups: CALICO, read: |reading, tree, name| reading.ipam_block(tree, name) },
    NetworkKind {
        kind: "FelixConfiguration",
        groups: CALICO,
        read: |reading, tree, name| reading.felix_configuration(tree, name),
    },
    NetworkKind {
        kind: "Network",
        groups: &["config.openshift.io", "operator.openshift.io"],
        read: |reading, tree, name| reading.openshift_network(tree, name),
    },
    NetworkKind {
        kind: "NodeNetworkConfig",
        groups: &["acn.azure.com"],
        read: |reading, tree, name| reading.node_network_config(tree, name),
    },
    NetworkKind { kind: "Subnet", groups: &["kubeovn.io"], read: |reading, tree, name| reading.kube_ovn_subnet(tree, name) },
];

impl Reading<'_> {
    /// The object of a network plug-in or platform; nothing if it is of another kind.
    pub(super) fn network(
        &mut self,
        kind: &str,
        is_of: impl Fn(&[&str]) -> bool,
        tree: &Tree,
        name: &str,
    ) -> Result<Option<NetworkBody>, Mismatch> {
        let is_meant = |known: &&NetworkKind| known.kind == kind && is_of(known.groups);
        KINDS.iter().find(is_meant).map(|known| (known.read)(self, tree, name)).transpose()
    }

    pub(super) fn node(&mut self, raw: api_types::Node, metadata: &api_types::Metadata) -> NodeBody {
        // The other types are host names: Hostname, InternalDNS, ExternalDNS.
        let own = raw.status.addresses.iter().filter(|address| !address.kind.ends_with("name") && !address.kind.ends_with("DNS"));
        let addresses: BTreeSet<IpAddr> = own.filter_map(|own| self.address(&own.address)).collect();
        let cloud = Cloud::of_provider(&raw.spec.provider_id).map(|(_, cloud)| cloud);
        let cloud = cloud.or_else(|| Cloud::of_node(&metadata.name, metadata.labels.keys()));
        let mut body = NodeBody { addresses, cloud, ..NodeBody::default() };
        let mut ranges = raw.spec.pod_cidrs;
        ranges.push(raw.spec.pod_cidr);
        for (key, meaning, plugin) in ANNOTATIONS {
            let Some(value) = metadata.annotations.get(*key) else { continue };
            body.plugins.extend(plugin);
            let words = words(value);
            match meaning {
                Meaning::Addresses => {
                    // Others do not know the node by loopback or link-local addresses.
                    let addresses = self.interface_addresses(&words).into_iter();
                    body.addresses.extend(addresses.filter(|address| !is_private_to_node(*address)));
                }
                Meaning::Interface(interface) => {
                    let addresses = self.interface_addresses(&words).into_iter();
                    body.interfaces.extend(addresses.map(|address| (address, *interface)));
                }
                Meaning::PodRanges => ranges.extend(words),
                Meaning::OvnSubnets => {
                    for range in self.ranges(&words) {
                        body.interfaces.extend(ovn_interfaces(range));
                    }
                    ranges.extend(words);
                }
                Meaning::Masquerade => body.masquerade_ranges.extend(self.ranges(&words)),
                Meaning::Arguments => self.ranges_of_arguments(words.iter(), &mut body.arguments),
            }
        }
        body.pod_ranges = self.ranges(&ranges);
        body
    }

    /// Addresses that may have the length of their network behind them.
    fn interface_addresses(&mut self, words: &[String]) -> Vec<IpAddr> {
        let addresses = words.iter().map(|word| word.split_once('/').map_or(word.as_str(), |(address, _)| address));
        addresses.filter_map(|address| self.address(address)).collect()
    }

    /// What a command line says of the cluster's ranges.
    pub(super) fn ranges_of_arguments<'t>(&mut self, words: impl Iterator<Item = &'t String>, arguments: &mut Arguments) {
        let mut words = words.peekable();
        while let Some(word) = words.next() {
            let (flag, value) = match word.split_once('=') {
                Some((flag, value)) => (flag, value),
                None => (word.as_str(), words.peek().map_or("", |value| value.as_str())),
            };
            let values: Vec<String> = value.split(',').map(|value| value.trim().to_owned()).collect();
            match flag {
                "--cluster-cidr" => arguments.pod_ranges.extend(self.ranges(&values)),
                // The second spelling is that of k3s and RKE2.
                "--service-cluster-ip-range" | "--service-cidr" => arguments.service_ranges.extend(self.ranges(&values)),
                // kubernetes/dns, cmd/node-cache.
                "-localip" | "--localip" => arguments.cache_addresses.extend(self.addresses(&values)),
                "--secure-port" if arguments.api_server_port.is_some() => {
                    arguments.api_server_port = value.parse().ok().or(arguments.api_server_port);
                }
                _ => {}
            }
        }
    }

    /// `CiliumNode` (cilium/cilium, pkg/k8s/apis/cilium.io/v2/types.go); its name is the node's.
    fn cilium_node(&mut self, tree: &Tree, name: &str) -> Result<NetworkBody, Mismatch> {
        let raw: api_network_types::CiliumNode = tree.read()?;
        let mut node = NodeBody::default();
        for address in &raw.spec.addresses {
            let Some(parsed) = self.address(&address.ip) else { continue };
            if address.kind == "CiliumInternalIP" {
                node.interfaces.insert(parsed, NodeInterface::CiliumHost);
            } else {
                node.addresses.insert(parsed);
            }
        }
        for (families, interface) in
            [(&raw.spec.health, NodeInterface::HealthEndpoint), (&raw.spec.ingress, NodeInterface::Ingress)]
        {
            let own = self.addresses([&families.ipv4, &families.ipv6]);
            node.interfaces.extend(own.into_iter().map(|address| (address, interface)));
        }
        let pools = raw.spec.ipam.pools.allocated.iter().flat_map(|pool| &pool.cidrs);
        let pod_ranges = self.ranges(raw.spec.ipam.pod_cidrs.iter().chain(pools));
        // Names of network interfaces are all that matters of them: with any, addresses come from the cloud's own subnets.
        let is_flat = !raw.status.eni.enis.is_empty() || !raw.status.azure.interfaces.is_empty();
        let allocated = if is_flat { self.addresses(raw.status.ipam.used.keys()) } else { BTreeSet::new() };
        let nodes = BTreeMap::from([(name.to_owned(), node)]);
        Ok(NetworkBody { nodes, pod_ranges, allocated, is_flat, plugin: Some(NetworkPlugin::Cilium), ..NetworkBody::default() })
    }

    /// `IPPool` of Calico. A disabled pool gives out no more addresses, but pods still have some of it.
    fn ip_pool(&mut self, tree: &Tree, _name: &str) -> Result<NetworkBody, Mismatch> {
        let raw: api_network_types::IpPool = tree.read()?;
        let is_for_pods = raw.spec.allowed_uses.is_empty() || raw.spec.allowed_uses.iter().any(|usage| usage == "Workload");
        let pod_ranges = if is_for_pods { self.ranges([&raw.spec.cidr]) } else { Vec::new() };
        Ok(NetworkBody { pod_ranges, plugin: Some(NetworkPlugin::Calico), ..NetworkBody::default() })
    }

    /// `BlockAffinity` of Calico. No address of a block is the node's by its position.
    fn block_affinity(&mut self, tree: &Tree, _name: &str) -> Result<NetworkBody, Mismatch> {
        let raw: api_network_types::IpPool = tree.read()?;
        let pod_ranges = self.ranges([&raw.spec.cidr]);
        Ok(NetworkBody { pod_ranges, plugin: Some(NetworkPlugin::Calico), ..NetworkBody::default() })
    }

    /// `IPAMBlock` of Calico: the handle of a tunnel's address holds its node's name (projectcalico/calico,
    /// node/pkg/allocateip: `ipip-tunnel-addr-NODE`, `vxlan-tunnel-addr-NODE`, `vxlan-v6-tunnel-addr-NODE`,
    /// `wireguard-tunnel-addr-NODE`, `wireguard-v6-tunnel-addr-NODE`).
    fn ipam_block(&mut self, tree: &Tree, _name: &str) -> Result<NetworkBody, Mismatch> {
        let raw: api_network_types::IpamBlock = tree.read()?;
        let pod_ranges = self.ranges([&raw.spec.cidr]);
        let mut nodes: BTreeMap<String, NodeBody> = BTreeMap::new();
        if let [range] = pod_ranges[..] {
            for (offset, attribute) in raw.spec.allocations.iter().enumerate() {
                let handle = attribute.and_then(|index| raw.spec.attributes.get(index)).map(|attribute| &attribute.handle_id);
                let node = handle.and_then(|handle| handle.split_once("tunnel-addr-")).map(|(_, node)| node);
                let address = u8::try_from(offset).ok().and_then(|offset| after(range.network(), offset));
                if let (Some(node), Some(address)) = (node.filter(|node| !node.is_empty()), address) {
                    nodes.entry(node.to_owned()).or_default().interfaces.insert(address, NodeInterface::Tunnel);
                }
            }
        }
        Ok(NetworkBody { nodes, pod_ranges, plugin: Some(NetworkPlugin::Calico), ..NetworkBody::default() })
    }

    /// `FelixConfiguration` of Calico: `default` is of all nodes, `node.NAME` of one.
    fn felix_configuration(&mut self, tree: &Tree, name: &str) -> Result<NetworkBody, Mismatch> {
        let raw: api_network_types::FelixConfiguration = tree.read()?;
        let addresses = self.addresses([&raw.spec.source, &raw.spec.source_ipv6]);
        let mut nodes = BTreeMap::new();
        if !addresses.is_empty() {
            let interfaces = addresses.into_iter().map(|address| (address, NodeInterface::RouteSource)).collect();
            let node = name.strip_prefix("node.").unwrap_or_default();
            nodes.insert(node.to_owned(), NodeBody { interfaces, ..NodeBody::default() });
        }
        Ok(NetworkBody { nodes, plugin: Some(NetworkPlugin::Calico), ..NetworkBody::default() })
    }

    /// `Network` `cluster` of OpenShift (openshift/api, config/v1/types_network.go).
    fn openshift_network(&mut self, tree: &Tree, _name: &str) -> Result<NetworkBody, Mismatch> {
        let raw: api_network_types::OpenShiftNetwork = tree.read()?;
        let mut body = NetworkBody { is_openshift: true, ..NetworkBody::default() };
        for ranges in [raw.status, raw.spec] {
            let pods = self.ranges(ranges.cluster_network.iter().map(|network| &network.cidr));
            let services = self.ranges(&ranges.service_network);
            // The status says what is in use; the spec only what is wanted.
            if body.pod_ranges.is_empty() {
                body.pod_ranges = pods;
            }
            if body.service_ranges.is_empty() {
                body.service_ranges = services;
            }
        }
        Ok(body)
    }

    /// `NodeNetworkConfig` of AKS (Azure/azure-container-networking, crd/nodenetworkconfig/api/v1alpha).
    fn node_network_config(&mut self, tree: &Tree, _name: &str) -> Result<NetworkBody, Mismatch> {
        let raw: api_network_types::NodeNetworkConfig = tree.read()?;
        let mut body = NetworkBody::default();
        for container in &raw.status.network_containers {
            match container.kind.as_str() {
                // The address is the node's block of the overlay.
                "overlay" => body.pod_ranges.extend(self.ranges([&container.subnet_address_space, &container.primary_ip])),
                // The address is one of several blocks of the subnet.
                "vnetblock" => body.pod_ranges.extend(self.ranges([&container.primary_ip])),
                _ => body.is_flat = true,
            }
            let assigned = container.ip_assignments.iter().map(|assignment| &assignment.ip);
            if container.kind == "vnetblock" {
                body.pod_ranges.extend(self.ranges(assigned));
            } else {
                body.allocated.extend(self.addresses(assigned));
            }
        }
        Ok(body)
    }

    /// `Subnet` of Kube-OVN. Addresses of `join` are nodes', and those of a VLAN are other machines' too.
    fn kube_ovn_subnet(&mut self, tree: &Tree, name: &str) -> Result<NetworkBody, Mismatch> {
        let raw: api_network_types::KubeOvnSubnet = tree.read()?;
        let ranges: Vec<String> = raw.spec.cidr_block.split(',').map(|range| range.trim().to_owned()).collect();
        let is_for_pods = name != "join" && raw.spec.vlan.is_empty();
        let pod_ranges = if is_for_pods { self.ranges(&ranges) } else { Vec::new() };
        Ok(NetworkBody { pod_ranges, plugin: Some(NetworkPlugin::KubeOvn), ..NetworkBody::default() })
    }
}

/// The addresses that OVN-Kubernetes takes for the node out of its subnet.
fn ovn_interfaces(range: IpNet) -> impl Iterator<Item = (IpAddr, NodeInterface)> {
    let counted = OVN_INTERFACES.into_iter().zip(1..);
    counted.filter_map(move |(interface, count)| Some((after(range.network(), count)?, interface)))
}

/// Whether other machines never see the address.
const fn is_private_to_node(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_link_local(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unicast_link_local(),
    }
}
