//! Which ports of workloads are open to the internet, on the evidence of who called them.
//!
//! In: edges, the [`Inventory`] (which ports are exposed on purpose, which addresses are on the internet) and what the user asked for
//! ([`Public`]). Out: [`Exposure`], one answer for each workload and port. Being exposed is no licence: a LoadBalancer that one partner
//! calls is open to that partner. All edges are judged together, so it makes no difference in which order they come.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::inventory::{Inventory, Origin, WorkloadId};
use crate::model::{Edge, Party, Protocol, WorkloadName};

/// From how many addresses on the internet a port must have been called to be taken for public. Wrong for a public service that was
/// hardly used while the capture ran.
const ADDRESSES: usize = 3;
/// In how many unrelated networks they must be: three machines of one partner or one office are no public.
const NETWORKS: usize = 2;

/// Who may call a workload that is exposed on purpose and was called from outside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Public {
    /// Every address on the internet if at least three were seen, in at least two networks (IPv4: /16, IPv6: /32); else the addresses
    /// seen.
    #[default]
    Auto,
    /// Every address on the internet as soon as one there was seen, or the cloud's load balancer.
    Any,
    /// The addresses seen.
    Exact,
}

/// Who called one exposed port from outside the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Callers {
    /// Addresses on the internet.
    pub internet: BTreeSet<IpAddr>,
    /// Load balancers of the cloud, which stand for clients that were not seen.
    pub balancers: BTreeSet<IpAddr>,
    /// Addresses in private and other networks that the internet does not reach.
    pub networks: BTreeSet<IpAddr>,
}

impl Callers {
    /// Whether the port is open to everyone on the internet.
    #[must_use]
    pub fn open(&self, public: Public) -> bool {
        match public {
            Public::Auto => self.internet.len() >= ADDRESSES && self.unrelated() >= NETWORKS,
            Public::Any => !self.internet.is_empty() || !self.balancers.is_empty(),
            Public::Exact => false,
        }
    }

    /// In how many networks those on the internet are: /16 of IPv4, /32 of IPv6. Providers get ranges of about that size.
    #[must_use]
    pub fn unrelated(&self) -> usize {
        self.internet.iter().map(|address| network(*address)).collect::<BTreeSet<IpNet>>().len()
    }
}

/// Who called the exposed ports of all workloads, and which of the ports that opens.
#[derive(Clone, Debug, Default)]
pub struct Exposure {
    public: Public,
    workloads: BTreeMap<Arc<WorkloadName>, BTreeMap<(Protocol, NonZeroU16), Callers>>,
}

impl Exposure {
    /// From these edges. Leave out those that are no evidence for it: rejected, in quarantine, or part of a range that a reviewer
    /// decided on.
    pub fn new<'e>(edges: impl IntoIterator<Item = &'e Edge>, inventory: &Inventory, public: Public) -> Self {
        let ids: BTreeMap<&WorkloadName, WorkloadId> =
            inventory.workloads().iter().zip(0..).map(|(workload, id)| (&*workload.name, WorkloadId(id))).collect();
        let mut workloads: BTreeMap<Arc<WorkloadName>, BTreeMap<(Protocol, NonZeroU16), Callers>> = BTreeMap::new();
        for edge in edges {
            let (Party::Outside(address), Party::Workload(workload)) = (&edge.originator, &edge.responder) else { continue };
            let is_exposed = |id: &WorkloadId| inventory.is_exposed(*id, edge.protocol, edge.port.get());
            if !ids.get(&**workload).is_some_and(is_exposed) || is_api_server(*address, inventory) {
                continue;
            }
            let seen: fn(&mut Callers) -> &mut BTreeSet<IpAddr> = match inventory.origin(*address) {
                Origin::Internet => |callers| &mut callers.internet,
                Origin::Balancer => |callers| &mut callers.balancers,
                Origin::Network => |callers| &mut callers.networks,
                // A probe, or the node's own translation: nobody outside called.
                Origin::AmbientProbe | Origin::Platform => continue,
            };
            let ports = workloads.entry(Arc::clone(workload)).or_default();
            seen(ports.entry((edge.protocol, edge.port)).or_default()).insert(*address);
        }
        Self { public, workloads }
    }

    /// Whether everyone on the internet may call this port of the workload.
    #[must_use]
    pub fn is_open(&self, workload: &WorkloadName, protocol: Protocol, port: NonZeroU16) -> bool {
        self.callers(workload, protocol, port).is_some_and(|callers| callers.open(self.public))
    }

    /// Whether this edge needs no rule of its own, because its port is open to everyone on the internet. Its caller is there: those in
    /// private networks always get a rule of their own.
    #[must_use]
    pub fn admits(&self, edge: &Edge) -> bool {
        let (Party::Outside(address), Party::Workload(workload)) = (&edge.originator, &edge.responder) else { return false };
        let callers = self.callers(workload, edge.protocol, edge.port);
        callers.is_some_and(|callers| {
            callers.open(self.public) && (callers.internet.contains(address) || callers.balancers.contains(address))
        })
    }

    fn callers(&self, workload: &WorkloadName, protocol: Protocol, port: NonZeroU16) -> Option<&Callers> {
        self.workloads.get(workload)?.get(&(protocol, port))
    }

    /// The ports that were called from outside the cluster, in order, with their callers and whether they are open to everyone.
    pub fn ports(&self) -> impl Iterator<Item = (&WorkloadName, (Protocol, NonZeroU16), &Callers, bool)> {
        let ports = self.workloads.iter().flat_map(|(workload, ports)| ports.iter().map(move |port| (workload, port)));
        ports.map(|(workload, (port, callers))| (&**workload, *port, callers, callers.open(self.public)))
    }
}

/// Whether the API server has this address: in a managed cluster it is no node's, and it calls webhooks.
fn is_api_server(address: IpAddr, inventory: &Inventory) -> bool {
    inventory.api_server().iter().any(|endpoint| endpoint.address == address)
}

fn network(address: IpAddr) -> IpNet {
    match address {
        IpAddr::V4(address) => IpNet::V4(Ipv4Net::new_assert(address, 16).trunc()),
        IpAddr::V6(address) => IpNet::V6(Ipv6Net::new_assert(address, 32).trunc()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_addresses_of_two_networks_open_a_port() {
        let rows: [(&[&str], bool, &str); 11] = [
            (&[], false, "nobody"),
            (&["203.0.113.1"], false, "one"),
            (&["203.0.113.1", "198.51.100.1"], false, "two networks, but two addresses"),
            (&["203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.200.4"], false, "four of one /16"),
            (&["203.0.113.1", "203.0.113.2", "203.1.0.1"], true, "the next /16"),
            (&["203.0.113.1", "203.0.113.1", "198.51.100.1"], false, "one of them twice"),
            (&["203.0.113.1", "198.51.100.1", "192.0.2.1"], true, "three networks"),
            (&["2001:db8::1", "2001:db8:1::1", "2001:db8:ffff::1"], false, "one /32"),
            (&["2001:db8::1", "2001:db8:1::1", "2001:db9::1"], true, "two /32"),
            (&["2001:db8::1", "2001:db8:1::1", "203.0.113.1"], true, "both families"),
            (&["2001:db8::1", "203.0.113.1"], false, "both families, but two addresses"),
        ];
        for (addresses, expected, what) in rows {
            let internet = addresses.iter().map(|text| text.parse().unwrap()).collect();
            let callers = Callers { internet, ..Callers::default() };
            assert_eq!(callers.open(Public::Auto), expected, "{what}");
            assert_eq!(callers.open(Public::Any), !addresses.is_empty(), "{what}");
            assert!(!callers.open(Public::Exact), "{what}");
        }
    }

    #[test]
    fn a_load_balancer_is_one_caller_whatever_its_addresses() {
        let balancers = ["35.191.0.1", "35.191.0.2", "130.211.0.1"].map(|text| text.parse().unwrap());
        let callers = Callers { balancers: balancers.into(), ..Callers::default() };
        assert!(!callers.open(Public::Auto) && callers.open(Public::Any));
    }

    #[test]
    fn private_networks_open_nothing() {
        let networks = ["10.1.0.1", "172.16.0.1", "192.168.0.1"].map(|text| text.parse().unwrap());
        let callers = Callers { networks: networks.into(), ..Callers::default() };
        assert!(!callers.open(Public::Auto) && !callers.open(Public::Any));
    }
}
