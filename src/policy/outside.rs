//! Addresses outside the cluster: which of them share a policy, and by what name.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::rc::Rc;

use crate::inventory::Origin;
use crate::model::{Class, Code, Edge, Evidence, PolicyPort, WorkloadName};

use super::blocks;
use super::classify::Sorter;
use super::draft::Direction;
use super::name::of_range;

/// Outside addresses without a name get a policy each up to this many for a workload and direction; beyond, they share one.
const OWN_POLICY: usize = 8;
/// A name behind which more addresses than this were called will lead to others tomorrow.
const STEADY: usize = 4;

/// An edge with an address outside the cluster, and the ports it needs. The sets of ports are few.
pub(super) struct OutsideCall<'a> {
    pub(super) address: IpAddr,
    pub(super) ports: Rc<BTreeSet<PolicyPort>>,
    pub(super) edge: &'a Edge,
    pub(super) evidence: &'a Evidence,
}

impl Sorter<'_> {
    /// Groups the outside addresses, now that all are known.
    pub(super) fn finish_outside(&mut self) {
        for ((workload, direction), calls) in std::mem::take(&mut self.outside) {
            let mut names: BTreeMap<IpAddr, BTreeMap<&str, u64>> = BTreeMap::new();
            for OutsideCall { address, evidence, .. } in &calls {
                for (name, connections) in evidence.names() {
                    *names.entry(*address).or_default().entry(name).or_default() += connections;
                }
            }
            // The name most connections asked for; the first in the alphabet of equals.
            let asked: BTreeMap<IpAddr, &str> = names
                .into_iter()
                .filter_map(|(address, names)| {
                    let best = names.into_iter().max_by(|one, other| one.1.cmp(&other.1).then_with(|| other.0.cmp(one.0)));
                    best.map(|(name, _)| (address, name))
                })
                .collect();
            let groups = self.outside_groups(&workload, direction, &asked, &calls);
            for OutsideCall { address, ports, edge, evidence } in calls {
                if direction == Direction::Ingress {
                    self.tell_platform(&workload, address, edge);
                }
                let group = &groups[&address];
                let wanted = match direction {
                    Direction::Egress => format!("allow-{}-to-{group}", self.short.of(&workload)),
                    Direction::Ingress => format!("allow-{group}-to-{}", self.short.of(&workload)),
                };
                self.draft(&workload, Class::Outside, direction, group, wanted).allow_address(address, &ports, edge, evidence);
            }
        }
    }

    fn outside_groups(
        &mut self,
        workload: &WorkloadName,
        direction: Direction,
        asked: &BTreeMap<IpAddr, &str>,
        calls: &[OutsideCall<'_>],
    ) -> BTreeMap<IpAddr, Rc<str>> {
        let mut ports: BTreeMap<IpAddr, Rc<BTreeSet<PolicyPort>>> = BTreeMap::new();
        for call in calls {
            match ports.entry(call.address) {
                Entry::Vacant(vacant) => drop(vacant.insert(Rc::clone(&call.ports))),
                Entry::Occupied(mut known) => Rc::make_mut(known.get_mut()).extend(call.ports.iter()),
            }
        }
        let mut by_name: BTreeMap<&str, usize> = BTreeMap::new();
        for name in asked.values() {
            *by_name.entry(name).or_default() += 1;
        }
        for (name, addresses) in by_name {
            if addresses > STEADY {
                let message = format!("was called by {workload} at {addresses} addresses");
                self.findings.add(Code::ManyAddresses, name, message);
            }
        }
        let unnamed: BTreeMap<IpAddr, Rc<BTreeSet<PolicyPort>>> = ports
            .iter()
            .filter(|(address, _)| !asked.contains_key(address))
            .filter(|(address, _)| direction == Direction::Egress || self.known_caller(**address).is_none())
            .map(|(address, ports)| (*address, Rc::clone(ports)))
            .collect();
        let ranges = blocks::aggregated(&unnamed);
        if ranges.len() > OWN_POLICY {
            let message = format!("{} outside addresses without a name", unnamed.len());
            self.findings.add(Code::ManyAddresses, workload.to_string(), message);
        }
        let all_others: Rc<str> = "outside".into();
        let group = |address: &IpAddr| -> Rc<str> {
            if let Some(name) = asked.get(address) {
                return self.service_name(name, &workload.namespace).map_or_else(|| (*name).into(), Into::into);
            }
            if direction == Direction::Ingress
                && let Some(known) = self.known_caller(*address)
            {
                return known.into();
            }
            let range = if ranges.len() <= OWN_POLICY { blocks::holding(&ranges, *address) } else { None };
            range.map_or_else(|| Rc::clone(&all_others), |range| of_range(range).into())
        };
        ports.keys().map(|address| (*address, group(address))).collect()
    }

    /// The name of a caller that is known by more than its address.
    fn known_caller(&self, address: IpAddr) -> Option<&'static str> {
        match self.inventory.origin(address) {
            Origin::AmbientProbe => Some("ambient-probe"),
            _ => self.is_api_server(address).then_some("kube-apiserver"),
        }
    }

    /// A name of the cluster's own zone, as short as pods of the namespace may say it: a Service that leads outside (without
    /// selector, or an `ExternalName`) is known by its name, not by `name.namespace.svc.cluster.local`.
    fn service_name(&self, name: &str, from: &str) -> Option<String> {
        let mut parts = name.split('.');
        let (service, namespace) = (parts.next()?, parts.next()?);
        let is_known = || self.inventory.services().iter().any(|known| known.name == service && known.namespace == namespace);
        let is_service = parts.next() == Some("svc") && is_known();
        is_service.then(|| if namespace == from { service.to_owned() } else { format!("{service}.{namespace}") })
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use serde_json::json;

    use super::*;
    use crate::edge::Observation;
    use crate::inventory::{InventoryBuilder, InventoryOptions};
    use crate::model::{Called, DirectionEvidence, Party, Protocol, Span, Timestamp, WorkloadKind};
    use crate::policy::{PolicyOptions, make};

    fn evidence(names: &[&str]) -> Evidence {
        Evidence {
            connections: 1,
            span: Span::at(Timestamp(0)),
            direction: DirectionEvidence::Syn,
            weakest: DirectionEvidence::Syn,
            weak: 0,
            mid_stream: 0,
            one_way: 0,
            called: Called::of(names.iter().map(|name| ((*name).into(), 1)).collect(), BTreeSet::new()),
        }
    }

    #[test]
    fn outside_addresses_are_named_as_a_person_would() {
        let mut builder = InventoryBuilder::new();
        let objects = json!({"apiVersion": "v1", "kind": "List", "items": [
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "n", "name": "hook", "labels": {"app": "hook"}},
             "spec": {"containers": [{"name": "c", "ports": [{"containerPort": 9443}]}]}, "status": {"podIP": "10.244.1.9"}},
            {"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "n", "name": "hook"},
             "spec": {"type": "NodePort", "clusterIP": "10.96.0.9", "selector": {"app": "hook"}, "ports": [{"port": 9443}]}},
            {"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "n", "name": "smtp"},
             "spec": {"type": "ExternalName", "externalName": "smtp.example"}},
            {"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "default", "name": "kubernetes"},
             "spec": {"clusterIP": "10.96.0.1", "ports": [{"name": "https", "port": 443}]}},
            {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
             "metadata": {"namespace": "default", "name": "kubernetes", "labels": {"kubernetes.io/service-name": "kubernetes"}},
             "endpoints": [{"addresses": ["172.16.0.5"]}], "ports": [{"name": "https", "port": 443, "protocol": "TCP"}]}]});
        builder.apply_value(objects);
        let inventory = builder.build(&InventoryOptions::default());
        let hook = WorkloadName { namespace: "n".into(), name: "hook".into(), kind: WorkloadKind("Pod".into()) };
        let hook = Party::Workload(hook.into());
        let outside = |address: &str| Party::Outside(address.parse().expect("an address"));
        let edge = |originator: &Party, responder: &Party, port: u16| Edge {
            originator: originator.clone(),
            responder: responder.clone(),
            protocol: Protocol::Tcp,
            port: NonZeroU16::new(port).expect("a port"),
        };
        let observation = Observation {
            edges: BTreeMap::from([
                (edge(&outside("172.16.0.5"), &hook, 9443), evidence(&[])),
                (edge(&hook, &outside("203.0.113.25"), 587), evidence(&["smtp.n.svc.cluster.local"])),
                (edge(&hook, &outside("203.0.113.26"), 443), evidence(&["api.svc.example"])),
                (edge(&hook, &outside("203.0.113.27"), 443), evidence(&[])),
            ]),
            ..Observation::default()
        };
        let set = make(&observation, &inventory, &PolicyOptions::default());
        let names: Vec<&str> = set.policies.iter().map(|explained| explained.policy.name.as_str()).collect();
        let expected = [
            "default-deny-all",
            "allow-hook-to-203-0-113-27",
            "allow-hook-to-api-svc-example",
            "allow-hook-to-smtp",
            // A managed cluster's API server is no node; that the webhook is exposed opens it to nobody else.
            "allow-kube-apiserver-to-hook",
        ];
        assert_eq!(names, expected);
    }
}
