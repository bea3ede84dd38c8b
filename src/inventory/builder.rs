//! Objects of any number of snapshots in, one inventory out.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use ipnet::IpNet;

use super::merge::Versions;
use super::object::{Body, Metadata, NodeBody, Object, OwnerBody, PodBody, ServiceBody, Subset};
use super::owner::{Owned, OwnerRecord, Owners};
use super::range;
use super::service::{Backends, Draft, ServiceIndex};
use super::snapshot::{self, Snapshot};
use super::timeline::{Tenure, Timeline};
use super::{
    Backend, Inventory, Node, NodeId, Pod, PodId, SIDE_CARS, Service, ServiceId, ServiceType, Workload, WorkloadId, index,
};
use crate::model::{Code, Findings, Labels, PodName, Timestamp, WorkloadName};

/// What a person says of the cluster beside its objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InventoryOptions {
    /// Ranges from which pods get addresses; if there are any, none is guessed.
    pub pod_ranges: Vec<IpNet>,
    /// Ranges from which Services get addresses; if there are any of a family, none of it is guessed.
    pub service_ranges: Vec<IpNet>,
}

/// Collects objects; the order makes no difference.
#[derive(Clone, Debug, Default)]
pub struct InventoryBuilder {
    objects: BTreeMap<Key, Versions>,
    unknown: BTreeMap<String, u64>,
    findings: Findings,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    kind: String,
    namespace: String,
    name: String,
    /// Of a pod its uid, because names of pods come again (`db-0`); of all other objects nothing, because a Deployment deleted
    /// and made anew is the same workload.
    identity: String,
    /// Whether the API's own kind is meant, and not one of the same name (Knative has a `Service` beside each Service).
    is_built_in: bool,
}

impl InventoryBuilder {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an object or a list of them, as the API or a serializer gives it; what cannot be read is a finding.
    pub fn apply_value(&mut self, value: serde_json::Value) {
        let snapshot = snapshot::read_value(value, "object");
        self.apply_snapshot(snapshot);
    }

    /// Adds all objects of a snapshot, and what was found while reading it.
    pub fn apply_snapshot(&mut self, snapshot: Snapshot) {
        self.report(snapshot.findings);
        for object in snapshot.objects {
            self.apply(object);
        }
    }

    /// Adds one object as one snapshot has it.
    pub fn apply(&mut self, object: Object) {
        if let Body::Other(other) = &object.body
            && other.selector.is_none()
            && object.metadata.controller.is_none()
        {
            // It could be no link of any chain. Secrets and Events come in great numbers: they are not kept.
            *self.unknown.entry(object.kind).or_default() += 1;
            return;
        }
        let metadata = &object.metadata;
        let identity = match &object.body {
            Body::Pod(_) if !metadata.uid.is_empty() => metadata.uid.clone(),
            Body::Pod(pod) => metadata.created.or(pod.started).map_or_else(String::new, |time| time.0.to_string()),
            _ => String::new(),
        };
        let key = Key {
            kind: object.kind.clone(),
            namespace: metadata.namespace.clone(),
            name: metadata.name.clone(),
            identity,
            // Last in order, so that the API's own kind is what remains where both would own pods of one name.
            is_built_in: !matches!(object.body, Body::Other(_)),
        };
        self.objects.entry(key).or_default().add(object);
    }

    /// Takes over what was found while the objects were read.
    pub fn report(&mut self, findings: Findings) {
        self.findings.merge(findings);
    }

    /// The inventory of all objects so far.
    #[must_use]
    pub fn build(self, options: &InventoryOptions) -> Inventory {
        let mut parts = Parts { findings: self.findings, unknown: self.unknown, ..Parts::default() };
        for (_, versions) in self.objects {
            if let Some(object) = versions.merged() {
                parts.sort_in(object);
            }
        }
        parts.build(options)
    }
}

/// Merged objects by what they are for.
#[derive(Default)]
struct Parts {
    findings: Findings,
    unknown: BTreeMap<String, u64>,
    inventory: Inventory,
    owners: Owners,
    pods: Vec<(Metadata, Box<PodBody>)>,
    /// Addresses of nodes out of the pod ranges.
    devices: BTreeMap<String, BTreeSet<IpAddr>>,
    services: BTreeMap<(String, String), Draft>,
    slices: BTreeMap<(String, String), Vec<Subset>>,
    legacy: BTreeMap<(String, String), Vec<Subset>>,
    ingresses: Backends,
    service_ranges: Vec<IpNet>,
}

impl Parts {
    fn sort_in(&mut self, object: Object) {
        let Object { kind, metadata, body } = object;
        match body {
            Body::Namespace => {
                if metadata.labels.get(NAME_LABEL) != Some(&metadata.name) {
                    let message = format!("has no label {NAME_LABEL} with its name, by which rules select it");
                    self.findings.add(Code::NamespaceLabelMissing, &metadata.name, message);
                }
                self.inventory.namespaces.insert(metadata.name, metadata.labels);
            }
            Body::Node(node) => {
                let NodeBody { addresses, device_addresses, pod_ranges } = node;
                self.devices.insert(metadata.name.clone(), device_addresses);
                self.inventory.nodes.push(Node { name: metadata.name, addresses, pod_ranges });
            }
            Body::Pod(pod) => self.pods.push((metadata, pod)),
            Body::Service(body) => {
                let ServiceBody { kind, cluster_addresses, outside_addresses, ports, selector } = *body;
                let key = (metadata.namespace.clone(), metadata.name.clone());
                let service = Service {
                    namespace: metadata.namespace,
                    name: metadata.name,
                    selector: selector.filter(|_| kind != ServiceType::ExternalName),
                    kind,
                    cluster_addresses,
                    outside_addresses,
                    ports,
                    labels: metadata.labels,
                };
                self.services.insert(key, Draft { service, version: metadata.version, subsets: Vec::new() });
            }
            Body::Endpoints(body) => {
                let known = if body.is_legacy { &mut self.legacy } else { &mut self.slices };
                known.entry((metadata.namespace, body.service)).or_default().extend(body.subsets);
            }
            Body::Ingress(backends) => {
                for (service, port) in backends {
                    self.ingresses.entry((metadata.namespace.clone(), service)).or_default().insert(port);
                }
            }
            Body::NetworkPolicy(policy) => {
                let is_own = metadata.labels.get("app.kubernetes.io/managed-by").is_some_and(|value| value == "netpol-gen");
                if !is_own {
                    let subject = format!("{}/{}", metadata.namespace, metadata.name);
                    self.findings.add(Code::ExistingPolicy, subject, "is a NetworkPolicy that netpol-gen did not write");
                }
                self.inventory.existing_policies.push(*policy);
            }
            Body::ServiceRanges(ranges) => self.service_ranges.extend(ranges),
            Body::Owner(body) => self.owner(kind, metadata, body, true),
            Body::Other(body) => self.owner(kind, metadata, body, false),
        }
    }

    fn owner(&mut self, kind: String, metadata: Metadata, body: OwnerBody, is_built_in: bool) {
        let key = (metadata.namespace, kind, metadata.name);
        self.owners.insert(key, OwnerRecord { controller: metadata.controller, body, is_built_in });
    }

    fn build(mut self, options: &InventoryOptions) -> Inventory {
        let mut said = Said::default();
        let drafts = self.draft_pods(&mut said);
        self.settle_workloads(drafts);
        self.settle_timeline();
        self.settle_ranges(options, said);
        self.settle_nodes();
        self.settle_services();
        for (kind, count) in self.owners.unused() {
            *self.unknown.entry(kind.to_owned()).or_default() += count;
        }
        for (kind, count) in std::mem::take(&mut self.unknown) {
            self.findings.add_many(Code::UnknownKind, kind, "objects say nothing about addresses or owners", count);
        }
        let mut inventory = self.inventory;
        inventory.has_ipv6 = inventory.pods.iter().flat_map(|pod| &pod.addresses).any(IpAddr::is_ipv6)
            || inventory.services.iter().flat_map(|service| &service.cluster_addresses).any(IpAddr::is_ipv6)
            || inventory.pod_ranges.iter().chain(&inventory.service_ranges).any(|range| range.addr().is_ipv6());
        inventory.findings = self.findings;
        inventory
    }

    /// Pods with their workloads by name, in order of namespace, name and start.
    fn draft_pods(&mut self, said: &mut Said) -> Vec<(Pod, u64, WorkloadName, Option<Labels>)> {
        let mut nodes: BTreeMap<String, BTreeSet<IpAddr>> = BTreeMap::new();
        let mut drafts = Vec::with_capacity(self.pods.len());
        for (metadata, body) in std::mem::take(&mut self.pods) {
            let owned = Owned {
                namespace: &metadata.namespace,
                name: &metadata.name,
                labels: &metadata.labels,
                node: body.node.as_deref(),
                controller: metadata.controller.as_ref(),
            };
            let (workload, selector) = self.owners.workload(&owned, &mut self.findings);
            said.pod_ranges.extend(body.arguments.pod_ranges);
            said.service_ranges.extend(body.arguments.service_ranges);
            if let Some(port) = body.arguments.api_server_port {
                said.api_server.extend(body.addresses.iter().map(|address| Backend { address: *address, port }));
            }
            // A node that the inventory does not hold is known from its pods.
            if let Some(node) = &body.node {
                let addresses = nodes.entry(node.clone()).or_default();
                addresses.extend(&body.node_addresses);
                if body.is_on_host_network {
                    addresses.extend(&body.addresses);
                }
            }
            // A namespace that the inventory does not hold has the label that every API server since 1.21 puts on it.
            self.inventory
                .namespaces
                .entry(metadata.namespace.clone())
                .or_insert_with(|| Labels::from([(NAME_LABEL.to_owned(), metadata.namespace.clone())]));
            let from = body.started.or(metadata.created).unwrap_or(Timestamp::MIN);
            let pod = Pod {
                name: PodName { namespace: metadata.namespace, name: metadata.name },
                workload: WorkloadId(0),
                labels: metadata.labels,
                node: None,
                is_on_host_network: body.is_on_host_network,
                addresses: body.addresses,
                from,
                until: body.finished.or(metadata.deleted).unwrap_or(Timestamp::MAX).max(from),
                ports: body.ports,
                containers: body.containers,
            };
            drafts.push((pod, metadata.version.unwrap_or(0), workload, selector, body.node));
        }
        let known = std::mem::take(&mut self.inventory.nodes);
        let mut by_name: BTreeMap<String, Node> = known.into_iter().map(|node| (node.name.clone(), node)).collect();
        for (name, addresses) in nodes {
            let node = by_name.entry(name.clone());
            node.or_insert(Node { name, addresses: BTreeSet::new(), pod_ranges: Vec::new() }).addresses.extend(addresses);
        }
        self.inventory.nodes = by_name.into_values().collect();
        let ids: HashMap<&str, NodeId> = self
            .inventory
            .nodes
            .iter()
            .enumerate()
            .map(|(position, node)| (node.name.as_str(), NodeId(index(position))))
            .collect();
        let found = |(mut pod, version, workload, selector, node): (Pod, u64, _, _, Option<String>)| {
            pod.node = node.and_then(|node| ids.get(node.as_str()).copied());
            (pod, version, workload, selector)
        };
        let mut drafts: Vec<_> = drafts.into_iter().map(found).collect();
        drafts.sort_by(|(one, ..), (other, ..)| (&one.name, one.from).cmp(&(&other.name, other.from)));
        drafts
    }

    fn settle_workloads(&mut self, drafts: Vec<(Pod, u64, WorkloadName, Option<Labels>)>) {
        let mut workloads: BTreeMap<WorkloadName, (BTreeSet<PodId>, Option<Labels>)> = BTreeMap::new();
        for (name, selector) in self.owners.without_pods() {
            workloads.insert(name, (BTreeSet::new(), selector));
        }
        for (position, (.., name, selector)) in drafts.iter().enumerate() {
            let (pods, known) = workloads.entry(name.clone()).or_default();
            pods.insert(PodId(index(position)));
            // Owners that are there have said their selector above; for the others the newest ReplicaSet's will do.
            if known.is_none() {
                known.clone_from(selector);
            }
        }
        let mut pods: Vec<Pod> = Vec::with_capacity(drafts.len());
        for (pod, version, ..) in drafts {
            self.inventory.ranks.push(version);
            pods.push(pod);
        }
        for (position, (name, (members, selector))) in workloads.into_iter().enumerate() {
            for member in &members {
                pods[member.0 as usize].workload = WorkloadId(index(position));
            }
            let own = |id: &PodId| &pods[id.0 as usize].containers;
            let side_car = SIDE_CARS.iter().find(|name| members.iter().any(|id| own(id).contains(**name)));
            self.inventory.side_cars.push(side_car.copied());
            self.inventory
                .namespaces
                .entry(name.namespace.clone())
                .or_insert_with(|| Labels::from([(NAME_LABEL.to_owned(), name.namespace.clone())]));
            self.inventory.workloads.push(Workload { name, pods: members, selector });
        }
        self.inventory.pods = pods;
    }

    fn settle_timeline(&mut self) {
        let mut timeline = Timeline::default();
        let ranks = std::mem::take(&mut self.inventory.ranks);
        for (position, (pod, rank)) in self.inventory.pods.iter().zip(ranks).enumerate() {
            if pod.is_on_host_network {
                continue;
            }
            for &address in &pod.addresses {
                timeline.add(address, Tenure { pod: PodId(index(position)), from: pod.from, until: pod.until, rank });
            }
        }
        timeline.settle();
        for (position, pod) in self.inventory.pods.iter_mut().enumerate() {
            // A pod that has lost its last address to another is gone, whether or not a snapshot saw its end.
            let ends = pod.addresses.iter().filter_map(|address| timeline.end(*address, PodId(index(position))));
            if let Some(end) = ends.max() {
                pod.until = end;
            }
        }
        self.inventory.timeline = timeline;
    }

    fn settle_nodes(&mut self) {
        let timeline = &self.inventory.timeline;
        for node in &mut self.inventory.nodes {
            let devices = node.pod_ranges.iter().filter_map(|range| range::first_two(*range)).flatten();
            node.addresses.extend(devices.filter(|address| !timeline.has(*address)));
            node.addresses.extend(self.devices.remove(&node.name).unwrap_or_default());
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
                self.inventory.host_pods.entry(node).or_default().push(PodId(index(position)));
            }
            if let Some(node) = pod.node.filter(|_| pod.addresses.is_empty()) {
                pod.addresses.extend(&self.inventory.nodes[node.0 as usize].addresses);
            }
        }
    }

    fn settle_ranges(&mut self, options: &InventoryOptions, said: Said) {
        let nodes = &self.inventory.nodes;
        let pods = self.inventory.pods.iter().filter(|pod| !pod.is_on_host_network);
        let pods: BTreeSet<IpAddr> = pods.flat_map(|pod| &pod.addresses).copied().collect();
        let services = || self.services.values().map(|draft| &draft.service);
        let others = nodes.iter().flat_map(|node| &node.addresses);
        let others: BTreeSet<IpAddr> = others.chain(services().flat_map(|service| &service.outside_addresses)).copied().collect();
        let of_nodes = nodes.iter().flat_map(|node| &node.pod_ranges).copied();
        let ranges = options.pod_ranges.iter().copied().chain(of_nodes).chain(said.pod_ranges);
        self.inventory.pod_ranges = range::pods(ranges, options.pod_ranges.is_empty(), &pods, &others, &mut self.findings);

        let clusters: BTreeSet<IpAddr> = services().flat_map(|service| &service.cluster_addresses).copied().collect();
        let has_kubernetes = self.services.contains_key(&("default".into(), "kubernetes".into()));
        let objects = std::mem::take(&mut self.service_ranges);
        let objects = if objects.is_empty() { said.service_ranges } else { objects };
        let ranges = options.service_ranges.iter().copied().chain(objects);
        self.inventory.service_ranges = range::services(ranges, &clusters, has_kubernetes, &mut self.findings);
        self.inventory.api_server = said.api_server;
    }

    fn settle_services(&mut self) {
        let mut drafts = Vec::with_capacity(self.services.len());
        let mut api_server = None;
        for (key, mut draft) in std::mem::take(&mut self.services) {
            draft.subsets = self.slices.remove(&key).or_else(|| self.legacy.remove(&key)).unwrap_or_default();
            if key.0 == "default" && key.1 == "kubernetes" {
                api_server = Some(ServiceId(index(drafts.len())));
            }
            drafts.push(draft);
        }
        let inventory = &mut self.inventory;
        (inventory.services, inventory.service_index) =
            ServiceIndex::new(drafts, &inventory.pods, &inventory.workloads, &self.ingresses);
        let mut endpoints = api_server.map(|id| inventory.service_index.tcp_endpoints(id)).unwrap_or_default();
        if endpoints.is_empty() {
            // The endpoints without the Service.
            let key = ("default".to_owned(), "kubernetes".to_owned());
            let subsets = self.slices.get(&key).or_else(|| self.legacy.get(&key));
            endpoints = subsets.into_iter().flatten().flat_map(Subset::tcp).collect();
        }
        if !endpoints.is_empty() {
            inventory.api_server = endpoints;
        }
    }
}

/// By this label rules select a namespace by its name.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// What command lines of the control plane say.
#[derive(Default)]
struct Said {
    pod_ranges: Vec<IpNet>,
    service_ranges: Vec<IpNet>,
    /// Static pods of the API server, for inventories without its endpoints.
    api_server: BTreeSet<Backend>,
}
