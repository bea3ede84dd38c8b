//! Addresses outside the cluster: which of them share a policy, and by what name.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::rc::Rc;

use crate::inventory::Origin;
use crate::model::{Class, Code, Edge, Evidence, PolicyPort, WorkloadName};

use super::blocks;
use super::builder::RuleBuilder;
use super::draft::Direction;
use super::name::of_range;

/// Outside addresses without a name get a policy each up to this many for a workload and direction; beyond, they share one.
const OWN_POLICY: usize = 8;
/// A name that led to more addresses than this will lead to others tomorrow: pools answer with a part of theirs each time. Wrong
/// for a name with that many fixed addresses.
const STEADY: usize = 4;

/// An edge with an address outside the cluster, and the ports it needs. The sets of ports are few.
pub(super) struct OutsideCall<'a> {
    pub(super) address: IpAddr,
    pub(super) ports: Rc<BTreeSet<PolicyPort>>,
    pub(super) edge: &'a Edge,
    pub(super) evidence: &'a Evidence,
}

impl RuleBuilder<'_> {
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
            self.tell_pools(&workload, &asked, &calls);
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
        let services = self.services_of(&workload.namespace, direction, calls);
        let unnamed: BTreeMap<IpAddr, Rc<BTreeSet<PolicyPort>>> = ports
            .iter()
            .filter(|(address, _)| !asked.contains_key(address) && !services.contains_key(address))
            .filter(|(address, _)| direction == Direction::Egress || self.known_caller(workload, **address).is_none())
            .map(|(address, ports)| (*address, Rc::clone(ports)))
            .collect();
        let ranges = blocks::aggregated(&unnamed);
        if ranges.len() > OWN_POLICY {
            let message = format!("{} outside addresses without a name", unnamed.len());
            self.findings.add(Code::ManyAddresses, workload.to_string(), message);
        }
        let all_others: Rc<str> = "outside".into();
        let group = |address: &IpAddr| -> Rc<str> {
            let name = asked.get(address);
            if let Some(service) = name.and_then(|name| self.service_name(name, &workload.namespace)) {
                return service.into();
            }
            if let Some(service) = services.get(address) {
                return service.as_str().into();
            }
            if let Some(name) = name {
                return (*name).into();
            }
            if direction == Direction::Ingress
                && let Some(known) = self.known_caller(workload, *address)
            {
                return known.into();
            }
            let range = if ranges.len() <= OWN_POLICY { blocks::holding(&ranges, *address) } else { None };
            range.map_or_else(|| Rc::clone(&all_others), |range| of_range(range).into())
        };
        ports.keys().map(|address| (*address, group(address))).collect()
    }

    /// The name of a caller that is known by more than its address.
    fn known_caller(&self, workload: &WorkloadName, address: IpAddr) -> Option<&'static str> {
        match self.origin(workload, address) {
            Origin::AmbientProbe => Some("ambient-probe"),
            _ => self.is_api_server(address).then_some("kube-apiserver"),
        }
    }

    /// Says which names lead to more addresses than a list of addresses can follow: those that DNS answered, called or not.
    fn tell_pools(&mut self, workload: &WorkloadName, asked: &BTreeMap<IpAddr, &str>, calls: &[OutsideCall<'_>]) {
        let mut by_name: BTreeMap<&str, (BTreeSet<IpAddr>, u64)> = BTreeMap::new();
        for OutsideCall { address, evidence, .. } in calls {
            if let Some(name) = asked.get(address) {
                let (called, answered) = by_name.entry(name).or_default();
                called.insert(*address);
                *answered = (*answered).max(evidence.answered(name));
            }
        }
        for (name, (called, answered)) in by_name {
            let called = called.len();
            if usize::try_from(answered).is_ok_and(|answered| answered > STEADY.max(called)) {
                let message = format!("leads to {answered} addresses, of which {called} were called");
                self.findings.add(Code::ManyAddresses, format!("{workload} -> {name}"), message);
            } else if called > STEADY {
                let message = format!("was called at {called} addresses");
                self.findings.add(Code::ManyAddresses, format!("{workload} -> {name}"), message);
            }
        }
    }

    /// The Services with endpoints outside the cluster, by address: those through which calls went, else those that list an
    /// address as an endpoint that is no pod.
    fn services_of(&self, from: &str, direction: Direction, calls: &[OutsideCall<'_>]) -> BTreeMap<IpAddr, String> {
        if direction == Direction::Ingress {
            return BTreeMap::new();
        }
        let called = |call: &OutsideCall<'_>| {
            let (namespace, service) = call.evidence.services().next()?.split_once('/')?;
            Some((namespace.to_owned(), service.to_owned()))
        };
        let listed = |call: &OutsideCall<'_>| {
            let service = self.inventory.service_outside(call.address)?;
            Some((service.namespace.clone(), service.name.clone()))
        };
        let named = |call: &OutsideCall<'_>| {
            let (namespace, service) = called(call).or_else(|| listed(call))?;
            Some((call.address, if namespace == from { service } else { format!("{service}.{namespace}") }))
        };
        let mut services = BTreeMap::new();
        for (address, service) in calls.iter().filter_map(named) {
            services.entry(address).or_insert(service);
        }
        services
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
            unchecked: 0,
            forwarded: 0,
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
