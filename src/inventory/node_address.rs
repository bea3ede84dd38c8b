//! Addresses of nodes beside those in their status: interfaces of network plug-ins, many of them inside the pod ranges.
//!
//! In: annotations of a Node. Out: which of its addresses, interfaces and pod ranges they name. No pod ever has such an address,
//! so a packet from or to it is the node's.

use std::fmt;
use std::net::IpAddr;

use serde_json::Value;

/// What an address of a node belongs to, where that is not the node's own network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NodeInterface {
    /// The bridge or gateway of the node's pods: `cni0`, `cbr0`, `kube-bridge`, `antrea-gw0`, OVN's `.1`.
    Bridge,
    /// A tunnel device: `flannel.1`, Calico's IPIP, VXLAN and WireGuard devices.
    Tunnel,
    /// `cilium_host`.
    CiliumHost,
    /// OVN-Kubernetes' management port `ovn-k8s-mp0`.
    ManagementPort,
    /// OVN-Kubernetes' hybrid overlay port.
    HybridOverlay,
    /// The join address of the node's OVN gateway router.
    GatewayRouter,
    /// Kube-OVN's `ovn0`, in the subnet `join`.
    Join,
    /// Cilium's health endpoint.
    HealthEndpoint,
    /// Cilium's Envoy, which speaks for Ingresses.
    Ingress,
    /// Calico's `deviceRouteSourceAddress`.
    RouteSource,
}

impl fmt::Display for NodeInterface {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Bridge => "bridge",
            Self::Tunnel => "tunnel",
            Self::CiliumHost => "cilium_host",
            Self::ManagementPort => "OVN management port",
            Self::HybridOverlay => "OVN hybrid overlay",
            Self::GatewayRouter => "OVN gateway router",
            Self::Join => "Kube-OVN join subnet",
            Self::HealthEndpoint => "Cilium health endpoint",
            Self::Ingress => "Cilium ingress",
            Self::RouteSource => "route source",
        })
    }
}

/// A network plug-in, where it makes a difference to what is written or said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NetworkPlugin {
    /// Calico, also as part of Canal.
    Calico,
    /// Cilium, also in GKE Dataplane V2 and Azure CNI Powered by Cilium.
    Cilium,
    /// flannel, also in k3s, RKE2's Canal and MicroK8s.
    Flannel,
    /// OVN-Kubernetes.
    OvnKubernetes,
    /// Antrea.
    Antrea,
    /// Kube-OVN.
    KubeOvn,
    /// kube-router.
    KubeRouter,
}

/// What an annotation of a Node says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Addresses of the node on its own network.
    Addresses,
    /// An address of one of its interfaces.
    Interface(NodeInterface),
    /// Ranges of its pods.
    PodRanges,
    /// Ranges of its pods, of which the first three addresses are the node's.
    OvnSubnets,
    /// Addresses that OVN puts in place of others inside the node.
    Masquerade,
    /// The command line of k3s or RKE2.
    Arguments,
}

/// Every annotation that is read.
pub(super) const ANNOTATIONS: &[(&str, Meaning, Option<NetworkPlugin>)] = {
    use Meaning::{Addresses, Arguments, Interface, Masquerade, OvnSubnets, PodRanges};
    use NetworkPlugin::{Antrea, Calico, Cilium, Flannel, KubeOvn, KubeRouter, OvnKubernetes};
    use NodeInterface::{CiliumHost, GatewayRouter, HealthEndpoint, Ingress, Join, Tunnel};
    &[
        // kubernetes/cloud-provider, pkg/api.
        ("alpha.kubernetes.io/provided-node-ip", Addresses, None),
        // flannel-io/flannel, pkg/subnet/kube/annotations.go.
        ("flannel.alpha.coreos.com/public-ip", Addresses, Some(Flannel)),
        ("flannel.alpha.coreos.com/public-ipv6", Addresses, Some(Flannel)),
        ("flannel.alpha.coreos.com/node-public-ip", Addresses, Some(Flannel)),
        ("flannel.alpha.coreos.com/public-ip-overwrite", Addresses, Some(Flannel)),
        ("flannel.alpha.coreos.com/public-ipv6-overwrite", Addresses, Some(Flannel)),
        // k3s-io/k3s, pkg/agent/config and pkg/nodeconfig; rancher/rke2 renames the prefix.
        ("k3s.io/internal-ip", Addresses, None),
        ("k3s.io/external-ip", Addresses, None),
        ("k3s.io/node-args", Arguments, None),
        ("rke2.io/internal-ip", Addresses, None),
        ("rke2.io/external-ip", Addresses, None),
        ("rke2.io/node-args", Arguments, None),
        // projectcalico/calico, libcalico-go/lib/backend/k8s/resources/node.go.
        ("projectcalico.org/IPv4Address", Addresses, Some(Calico)),
        ("projectcalico.org/IPv6Address", Addresses, Some(Calico)),
        ("projectcalico.org/IPv4IPIPTunnelAddr", Interface(Tunnel), Some(Calico)),
        ("projectcalico.org/IPv4VXLANTunnelAddr", Interface(Tunnel), Some(Calico)),
        ("projectcalico.org/IPv6VXLANTunnelAddr", Interface(Tunnel), Some(Calico)),
        ("projectcalico.org/IPv4WireguardInterfaceAddr", Interface(Tunnel), Some(Calico)),
        ("projectcalico.org/IPv6WireguardInterfaceAddr", Interface(Tunnel), Some(Calico)),
        // cilium/cilium, pkg/annotation; before 1.14 without the slash.
        ("network.cilium.io/ipv4-cilium-host", Interface(CiliumHost), Some(Cilium)),
        ("network.cilium.io/ipv6-cilium-host", Interface(CiliumHost), Some(Cilium)),
        ("network.cilium.io/ipv4-health-ip", Interface(HealthEndpoint), Some(Cilium)),
        ("network.cilium.io/ipv6-health-ip", Interface(HealthEndpoint), Some(Cilium)),
        ("network.cilium.io/ipv4-Ingress-ip", Interface(Ingress), Some(Cilium)),
        ("network.cilium.io/ipv6-Ingress-ip", Interface(Ingress), Some(Cilium)),
        ("network.cilium.io/ipv4-pod-cidr", PodRanges, Some(Cilium)),
        ("network.cilium.io/ipv6-pod-cidr", PodRanges, Some(Cilium)),
        ("io.cilium.network.ipv4-cilium-host", Interface(CiliumHost), Some(Cilium)),
        ("io.cilium.network.ipv6-cilium-host", Interface(CiliumHost), Some(Cilium)),
        ("io.cilium.network.ipv4-health-ip", Interface(HealthEndpoint), Some(Cilium)),
        ("io.cilium.network.ipv6-health-ip", Interface(HealthEndpoint), Some(Cilium)),
        ("io.cilium.network.ipv4-pod-cidr", PodRanges, Some(Cilium)),
        ("io.cilium.network.ipv6-pod-cidr", PodRanges, Some(Cilium)),
        // ovn-org/ovn-kubernetes, go-controller/pkg/util/node_annotations.go and subnet_annotations.go.
        ("k8s.ovn.org/node-subnets", OvnSubnets, Some(OvnKubernetes)),
        ("k8s.ovn.org/node-gateway-router-lrp-ifaddrs", Interface(GatewayRouter), Some(OvnKubernetes)),
        ("k8s.ovn.org/node-gateway-router-lrp-ifaddr", Interface(GatewayRouter), Some(OvnKubernetes)),
        ("k8s.ovn.org/node-primary-ifaddr", Addresses, Some(OvnKubernetes)),
        ("k8s.ovn.org/host-cidrs", Addresses, Some(OvnKubernetes)),
        ("k8s.ovn.org/host-addresses", Addresses, Some(OvnKubernetes)),
        ("k8s.ovn.org/node-masquerade-subnet", Masquerade, Some(OvnKubernetes)),
        // kubeovn/kube-ovn, pkg/controller/node.go.
        ("ovn.kubernetes.io/ip_address", Interface(Join), Some(KubeOvn)),
        // antrea-io/antrea, pkg/agent/types/annotations.go.
        ("node.antrea.io/transport-addresses", Addresses, Some(Antrea)),
        // cloudnativelabs/kube-router, docs/ipv6.md.
        ("kube-router.io/pod-cidr", PodRanges, Some(KubeRouter)),
        ("kube-router.io/pod-cidrs", PodRanges, Some(KubeRouter)),
    ]
};

/// The interfaces of the first three addresses after the network address of a node's OVN subnet (ovn-org/ovn-kubernetes,
/// go-controller/pkg/util/net.go: `GetNodeGatewayIfAddr`, `GetNodeManagementIfAddr`, `GetNodeHybridOverlayIfAddr`).
pub(super) const OVN_INTERFACES: [NodeInterface; 3] =
    [NodeInterface::Bridge, NodeInterface::ManagementPort, NodeInterface::HybridOverlay];

/// The words of an annotation's value: what stands between commas, or the texts in its JSON. Of several OVN networks only the
/// default one counts, because the others are secondary.
pub(super) fn words(value: &str) -> Vec<String> {
    match serde_json::from_str::<Value>(value) {
        Ok(Value::Object(members)) => {
            let mut words = Vec::new();
            match members.get("default") {
                Some(default) => texts(default, &mut words),
                None => members.values().for_each(|member| texts(member, &mut words)),
            }
            words
        }
        Ok(list @ Value::Array(_)) => {
            let mut words = Vec::new();
            texts(&list, &mut words);
            words
        }
        _ => value.split(',').map(|word| word.trim().to_owned()).collect(),
    }
}

fn texts(value: &Value, words: &mut Vec<String>) {
    match value {
        Value::String(text) => words.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, words)),
        Value::Object(members) => members.values().for_each(|member| texts(member, words)),
        _ => {}
    }
}

/// The address so many after another; nothing beyond the last.
pub(super) fn after(address: IpAddr, count: u8) -> Option<IpAddr> {
    match address {
        IpAddr::V4(address) => Some(IpAddr::V4(address.to_bits().checked_add(count.into())?.into())),
        IpAddr::V6(address) => Some(IpAddr::V6(address.to_bits().checked_add(count.into())?.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotations_are_lists_or_json() {
        let rows = [
            ("10.0.0.1", vec!["10.0.0.1"]),
            ("10.0.0.1, fd00::1", vec!["10.0.0.1", "fd00::1"]),
            (r#"{"default":"10.128.0.0/23"}"#, vec!["10.128.0.0/23"]),
            (r#"{"default":["10.128.0.0/23","fd01::/64"],"blue":["10.9.0.0/24"]}"#, vec!["10.128.0.0/23", "fd01::/64"]),
            (r#"{"default":{"ipv4":"100.64.0.4/16","ipv6":""}}"#, vec!["100.64.0.4/16", ""]),
            (r#"["10.0.0.5/24","fd00::5/64"]"#, vec!["10.0.0.5/24", "fd00::5/64"]),
            (r#"{"ipv4":"10.0.0.5/24"}"#, vec!["10.0.0.5/24"]),
        ];
        for (value, expected) in rows {
            assert_eq!(words(value), expected, "{value}");
        }
    }
}
