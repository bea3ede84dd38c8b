//! Nodes with all their addresses: those in their status, and those of interfaces that network plug-ins made.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use super::{Metadata, Parts, range};
use crate::inventory::node_address::after;
use crate::inventory::objects::is_cache;
use crate::inventory::{Family, Identity, NetworkPlugin, Node, NodeId, NodeInterface, index, well_known};

/// Network plug-ins of which nodes have other addresses of their pod ranges than the first two, and say which.
const SAY_THEIR_OWN: [NetworkPlugin; 3] = [NetworkPlugin::Cilium, NetworkPlugin::OvnKubernetes, NetworkPlugin::KubeOvn];

impl Parts {
    /// Nodes, also those that are known only because pods run on them or because other objects name them.
    pub(super) fn settle_node_names(&mut self) {
        let known = std::mem::take(&mut self.inventory.nodes);
        let mut by_name: BTreeMap<String, Node> = known.into_iter().map(|node| (node.name.clone(), node)).collect();
        let named = self.nodes.keys().filter(|name| !name.is_empty());
        let named = named.chain(self.pods.iter().filter_map(|(_, body, _)| body.node.as_ref()));
        for name in named {
            if !by_name.contains_key(name) {
                by_name.insert(name.clone(), Node { name: name.clone(), ..Node::default() });
            }
        }
        for (name, body) in &self.nodes {
            self.inventory.plugins.extend(&body.plugins);
            if let Some(node) = by_name.get_mut(name) {
                node.addresses.extend(&body.addresses);
                node.pod_ranges.extend(&body.pod_ranges);
            }
        }
        // The agent of Cilium, and of what is built on it (GKE's anetd, Azure's cilium), has this label everywhere.
        let is_cilium = |metadata: &Metadata| metadata.labels.get("k8s-app").is_some_and(|value| value == "cilium");
        if self.pods.iter().any(|(metadata, body, _)| body.is_on_host_network && is_cilium(metadata)) {
            self.inventory.plugins.insert(NetworkPlugin::Cilium);
        }
        for (_, body, _) in &self.pods {
            let Some(node) = body.node.as_ref().and_then(|name| by_name.get_mut(name)) else { continue };
            node.addresses.extend(&body.node_addresses);
            if body.is_on_host_network {
                node.addresses.extend(&body.addresses);
            }
        }
        self.inventory.nodes = by_name.into_values().collect();
    }

    /// Interfaces of nodes, and who has which address. An address that a pod ever had is no interface's: policies do not tell
    /// times apart.
    pub(super) fn settle_nodes(&mut self) {
        let has_first_two = SAY_THEIR_OWN.iter().all(|plugin| !self.inventory.plugins.contains(plugin));
        let masqueraded = self.nodes.values().flat_map(|node| &node.masquerade_ranges).flat_map(|range| masquerade_of(*range));
        let mut masquerade: BTreeMap<IpAddr, Identity> = masqueraded.collect();
        if self.inventory.plugins.contains(&NetworkPlugin::OvnKubernetes) && masquerade.is_empty() {
            masquerade.extend(well_known::ovn_masquerade().into_iter().flat_map(masquerade_of));
        }
        if self.inventory.plugins.contains(&NetworkPlugin::Cilium) {
            masquerade.insert(well_known::CILIUM_HAIRPIN, Identity::Hairpin);
        }
        self.inventory.masquerade = masquerade;
        let users = RangeUsers::new(self);
        let shared = self.nodes.remove("").unwrap_or_default().interfaces;
        let timeline = &self.inventory.timeline;
        for (position, node) in self.inventory.nodes.iter_mut().enumerate() {
            let mut interfaces = shared.clone();
            if has_first_two {
                let used = node.pod_ranges.iter().filter(|range| users.gets_from(position, **range));
                for [first, second] in used.filter_map(|range| range::first_two(*range)) {
                    interfaces.extend([(first, NodeInterface::Tunnel), (second, NodeInterface::Bridge)]);
                }
            }
            interfaces.extend(self.nodes.remove(&node.name).unwrap_or_default().interfaces);
            interfaces.retain(|address, _| timeline.owners(*address).is_none() && !node.addresses.contains(address));
            node.addresses.extend(interfaces.keys());
            node.interfaces = interfaces;
        }
        for (position, node) in self.inventory.nodes.iter().enumerate() {
            for address in &node.addresses {
                self.inventory.node_addresses.entry(*address).or_insert(NodeId(index(position)));
            }
        }
        for (position, pod) in self.inventory.pods.iter_mut().enumerate() {
            if !pod.is_on_host_network {
                continue;
            }
            if let Some(node) = pod.node {
                if is_cache(pod) {
                    self.inventory.nodes_with_cache.insert(node);
                }
                self.inventory.host_pods.entry(node).or_default().push(super::PodId(index(position)));
            }
            if let Some(node) = pod.node.filter(|_| pod.addresses.is_empty()) {
                pod.addresses.extend(&self.inventory.nodes[node.0 as usize].addresses);
            }
        }
    }
}

/// Which nodes' pods get their addresses from the node's own ranges. Controllers set `podCIDRs` on nodes also where the network
/// plug-in goes its own way (Calico's IPAM): then the first two addresses of a range are nobody's interface.
struct RangeUsers {
    users: BTreeSet<(usize, Family)>,
    others: BTreeSet<(usize, Family)>,
    /// The families of any of the others.
    families: BTreeSet<Family>,
}

impl RangeUsers {
    fn new(parts: &Parts) -> Self {
        let (mut users, mut others) = (BTreeSet::new(), BTreeSet::new());
        for pod in parts.inventory.pods.iter().filter(|pod| !pod.is_on_host_network) {
            let Some(node) = pod.node.map(|node| node.0 as usize) else { continue };
            for &address in &pod.addresses {
                let ranges = || parts.inventory.nodes[node].pod_ranges.iter().filter(|range| is_of_family(range, address));
                if ranges().next().is_some() {
                    let is_user = ranges().any(|range| range.contains(&address));
                    if is_user { &mut users } else { &mut others }.insert((node, Family::of(address)));
                }
            }
        }
        let families = others.iter().map(|(_, family)| *family).collect();
        Self { users, others, families }
    }

    /// Whether the pods of this node are, or would be, in its range: as its own pods show, else those of other nodes.
    fn gets_from(&self, node: usize, range: IpNet) -> bool {
        let family = Family::of(range.addr());
        !self.others.contains(&(node, family)) && (self.users.contains(&(node, family)) || !self.families.contains(&family))
    }
}

/// What OVN-Kubernetes puts in place of others out of this range: the first four addresses for the node, the fifth for a pod that
/// calls itself (go-controller/pkg/config: `MasqueradeIPsConfig`).
fn masquerade_of(range: IpNet) -> impl Iterator<Item = (IpAddr, Identity)> {
    let identities = [Identity::OwnNode, Identity::OwnNode, Identity::OwnNode, Identity::OwnNode, Identity::Hairpin];
    identities.into_iter().zip(1..).filter_map(move |(identity, count)| Some((after(range.network(), count)?, identity)))
}

fn is_of_family(range: &IpNet, address: IpAddr) -> bool {
    Family::of(range.addr()) == Family::of(address)
}
