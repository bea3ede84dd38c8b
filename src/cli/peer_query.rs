//! Who is meant by `--from` and `--to`.
//!
//! An address; a pod or a workload as `namespace/name`; either of them for certain as `namespace/kind/name`; or a name outside the
//! cluster that a pod asked for in the captures. What may mean several is an error that lists them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::inventory::{Identity, Inventory, PodId};
use crate::model::{NodeAddress, Party, Timestamp, WorkloadName};
use crate::verify::{ClusterView, Place};

use super::failure::Failure;
use super::suggest::nearest;

/// One side of the question.
#[derive(Clone, Debug)]
pub(super) struct PeerQuery {
    /// As it is called in the answer.
    pub(super) label: String,
    /// All that it stands for.
    pub(super) places: Vec<Place>,
    /// The same as sides of edges.
    pub(super) parties: BTreeSet<Party>,
}

/// Those who can be meant.
pub(super) struct PeerQueries<'a> {
    pub(super) inventory: &'a Inventory,
    pub(super) world: &'a ClusterView,
    /// Outside addresses by name.
    pub(super) names: BTreeMap<String, BTreeSet<IpAddr>>,
    /// Whether names were looked for.
    pub(super) has_captures: bool,
}

impl PeerQueries<'_> {
    /// The one that is meant.
    pub(super) fn find(&self, argument: &'static str, text: &str) -> Result<PeerQuery, Failure> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return self.address(argument, text, address.to_canonical());
        }
        match text.split('/').collect::<Vec<_>>()[..] {
            [namespace, name] => self.named(argument, text, namespace, None, name),
            [namespace, kind, name] => self.named(argument, text, namespace, Some(kind), name),
            [name] => self.outside(argument, name),
            _ => Err(self.unknown(argument, text, BTreeSet::new())),
        }
    }

    fn named(
        &self,
        argument: &'static str,
        text: &str,
        namespace: &str,
        kind: Option<&str>,
        name: &str,
    ) -> Result<PeerQuery, Failure> {
        let is_kind = |own: &str| kind.is_none_or(|kind| kind.eq_ignore_ascii_case(own));
        let workloads: Vec<_> = self
            .inventory
            .workloads()
            .iter()
            .filter(|known| known.name.namespace == namespace && known.name.name == name && is_kind(&known.name.kind.0))
            .collect();
        let pods: Vec<PodId> = self
            .world
            .pods()
            .filter(|(_, pod)| pod.name.namespace == namespace && pod.name.name == name && is_kind("Pod"))
            // A pod without an owner is a workload by itself.
            .filter(|(_, pod)| !workloads.iter().any(|workload| *workload.name == pod.workload))
            .map(|(id, _)| id)
            .collect();
        match (workloads.as_slice(), pods.as_slice()) {
            ([workload], []) if workload.pods.is_empty() => Err(Failure::Podless { argument, text: text.to_owned() }),
            ([workload], []) => {
                let places = workload.pods.iter().copied().map(Place::Pod).collect();
                Ok(PeerQuery { label: workload.name.to_string(), places, parties: self.parties(workload.pods.iter().copied()) })
            }
            // Of several pods that had the name one after the other all are meant: a rule must hold for each.
            ([], [_, ..]) => {
                let places = pods.iter().copied().map(Place::Pod).collect();
                Ok(PeerQuery { label: text.to_owned(), places, parties: self.parties(pods.iter().copied()) })
            }
            ([], []) => {
                let alike = self.inventory.workloads().iter().filter(|known| known.name.name == name);
                let mut candidates: BTreeSet<String> = alike.map(|known| full(&known.name)).collect();
                if candidates.is_empty() {
                    let names: Vec<String> = self.inventory.workloads().iter().map(|known| full(&known.name)).collect();
                    candidates.extend(nearest(text, names.iter().map(String::as_str)).map(str::to_owned));
                }
                Err(self.unknown(argument, text, candidates))
            }
            _ => {
                let mut candidates: Vec<String> = workloads.iter().map(|workload| full(&workload.name)).collect();
                candidates.extend((!pods.is_empty()).then(|| format!("{namespace}/Pod/{name}")));
                Err(Failure::Ambiguous { argument, text: text.to_owned(), candidates })
            }
        }
    }

    /// The workloads of these pods; pods on the host network are their nodes' addresses to others.
    fn parties(&self, pods: impl Iterator<Item = PodId>) -> BTreeSet<Party> {
        let party = |id: PodId| Party::Workload(Arc::clone(&self.inventory.workload(self.inventory.pod(id).workload).name));
        let node = |id: PodId, address: IpAddr| {
            let node = self.inventory.pod(id).node?;
            Some(Party::Node(Arc::new(NodeAddress { name: self.inventory.node(node).name.clone(), address })))
        };
        pods.flat_map(|id| {
            let pod = self.inventory.pod(id);
            if pod.is_on_host_network {
                pod.addresses.iter().filter_map(|&address| node(id, address)).collect()
            } else {
                vec![party(id)]
            }
        })
        .collect()
    }

    fn address(&self, argument: &'static str, text: &str, address: IpAddr) -> Result<PeerQuery, Failure> {
        let tenants: Vec<PodId> = self
            .world
            .pods()
            .filter(|(_, pod)| !pod.is_on_host_network && pod.addresses.contains(&address))
            .map(|(id, _)| id)
            .collect();
        let workloads: BTreeSet<&WorkloadName> =
            tenants.iter().filter_map(|id| self.world.pods.get(id.0 as usize)).map(|pod| &pod.workload).collect();
        if workloads.len() > 1 {
            let pods = tenants.iter().filter_map(|id| self.world.pods.get(id.0 as usize));
            let candidates: BTreeSet<String> = pods.map(|pod| pod.name.to_string()).collect();
            return Err(Failure::Ambiguous { argument, text: text.to_owned(), candidates: candidates.into_iter().collect() });
        }
        if let Some(&last) = tenants.last() {
            let name = self.world.pods.get(last.0 as usize).map_or_else(String::new, |pod| pod.name.to_string());
            let parties = self.parties(std::iter::once(last));
            return Ok(PeerQuery { label: format!("{name} ({address})"), places: vec![Place::Pod(last)], parties });
        }
        let service = self
            .inventory
            .services()
            .iter()
            .find(|service| service.cluster_addresses.contains(&address) || service.outside_addresses.contains(&address));
        if let Some(service) = service {
            let service = format!("{}/{}", service.namespace, service.name);
            return Err(Failure::OfService { argument, address, service });
        }
        let identity = self.inventory.identify(address, Timestamp::MAX);
        let places = vec![Place::Address(address)];
        let party = match identity {
            Identity::Node(node) => {
                let name = self.inventory.node(node).name.clone();
                Party::Node(Arc::new(NodeAddress { name, address }))
            }
            Identity::Metadata => Party::Metadata(address),
            // It may be a pod's that is not in the inventory, so nothing is proposed that names it.
            Identity::UnknownInCluster => {
                let label = format!("{address} (in the cluster's ranges, of no pod or Service that is known)");
                return Ok(PeerQuery { label, places, parties: BTreeSet::new() });
            }
            Identity::Secondary(pod) => {
                let label = format!("{address} (a secondary interface of {})", self.inventory.pod(pod).name);
                return Ok(PeerQuery { label, places, parties: BTreeSet::from([Party::Outside(address)]) });
            }
            _ => Party::Outside(address),
        };
        let label = party.to_string();
        Ok(PeerQuery { label, places, parties: BTreeSet::from([party]) })
    }

    fn outside(&self, argument: &'static str, name: &str) -> Result<PeerQuery, Failure> {
        let wanted = name.trim_end_matches('.').to_ascii_lowercase();
        let Some(addresses) = self.names.get(&wanted) else {
            let alike = self.inventory.workloads().iter().filter(|known| known.name.name == name);
            return Err(self.unknown(argument, name, alike.map(|known| full(&known.name)).collect()));
        };
        let places = addresses.iter().copied().map(Place::Address).collect();
        let parties = addresses.iter().copied().map(Party::Outside).collect();
        let list = addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        Ok(PeerQuery { label: format!("{wanted} ({list})"), places, parties })
    }

    fn unknown(&self, argument: &'static str, text: &str, candidates: BTreeSet<String>) -> Failure {
        Failure::Nobody {
            argument,
            text: text.to_owned(),
            candidates: candidates.into_iter().take(10).collect(),
            has_captures: self.has_captures,
        }
    }
}

fn full(name: &WorkloadName) -> String {
    format!("{}/{}/{}", name.namespace, name.kind.0, name.name)
}
