//! Merged objects in, the parts of an inventory out: each in order, with ids for names and look-ups prepared.

mod nodes;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::builder::Shared;
use super::control_plane::ControlPlane;
use super::merge::{merge_network, merge_node};
use super::mesh::{self, Mesh};
use super::object::{Body, Hold, Metadata, NetworkBody, NodeBody, Object, OwnerBody, PodBody, ServiceBody, Subset};
use super::owner::{Belonging, Owned, OwnerRecord, Owners};
use super::range;
use super::service::{Backends, Draft, ServiceIndex};
use super::snapshot::UNKNOWN;
use super::stable_labels;
use super::timeline::{KILLED_AFTER, SANDBOX_AFTER, SECOND, Tenure, Timeline};
use super::{
    Backend, Cloud, Inventory, InventoryOptions, NAME_LABEL, NetworkPlugin, Node, NodeId, Pod, PodId, Service, ServiceId,
    ServiceType, TargetPort, Workload, WorkloadId, index,
};
use crate::model::{Code, Findings, Labels, PodName, Protocol, Timestamp, WorkloadKind, WorkloadName};

/// Merged objects by what they are for.
#[derive(Default)]
pub(super) struct Parts {
    findings: Findings,
    unknown: BTreeMap<String, u64>,
    inventory: Inventory,
    owners: Owners,
    pods: Vec<(Metadata, Box<PodBody>, Shared)>,
    /// Of each pod, what decides between it and others that had one of its addresses.
    claims: Vec<Claim>,
    /// The meshes that annotations of pods tell.
    by_annotation: BTreeMap<PodId, Mesh>,
    /// What objects say of nodes, by name; with an empty name, of every one.
    nodes: BTreeMap<String, NodeBody>,
    /// What else objects of network plug-ins and platforms say, all together.
    network: NetworkBody,
    services: BTreeMap<(String, String), Draft>,
    slices: BTreeMap<(String, String), Vec<Subset>>,
    legacy: BTreeMap<(String, String), Vec<Subset>>,
    ingresses: Backends,
    service_ranges: Vec<IpNet>,
    control_plane: ControlPlane,
}

impl Parts {
    pub(super) fn new(findings: Findings, unknown: BTreeMap<String, u64>) -> Self {
        Self { findings, unknown, ..Self::default() }
    }

    /// Takes in one object in its final state; of a pod, with what it shares with others.
    pub(super) fn sort_in(&mut self, object: Object, shared: Shared) {
        let Object { kind, metadata, body } = object;
        match body {
            Body::Namespace => {
                if metadata.labels.get(NAME_LABEL) != Some(&metadata.name) {
                    let message = format!("has no label {NAME_LABEL} with its name, by which rules select it");
                    self.findings.add(Code::NamespaceLabelMissing, &metadata.name, message);
                }
                self.inventory.namespaces.insert(metadata.name, Arc::unwrap_or_clone(metadata.labels));
            }
            Body::Node(node) => {
                self.control_plane.add_node(&metadata.name, &metadata.labels, &node.addresses);
                self.inventory.nodes.push(Node { name: metadata.name.clone(), ..Node::default() });
                merge_node(self.nodes.entry(metadata.name).or_default(), *node);
            }
            Body::Network(mut network) => {
                self.inventory.plugins.extend(network.plugin);
                for (name, node) in std::mem::take(&mut network.nodes) {
                    merge_node(self.nodes.entry(name).or_default(), node);
                }
                merge_network(&mut self.network, *network);
            }
            Body::Pod(mut pod) => {
                pod.addresses.retain(|address| !shared.lost.contains(address));
                self.pods.push((metadata, pod, shared));
            }
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
            // The builder has taken it in.
            Body::Declaration(_) => {}
            Body::Owner(body) => self.owner(kind, metadata, body, true),
            Body::Other(body) => self.owner(kind, metadata, body, false),
        }
    }

    fn owner(&mut self, kind: String, metadata: Metadata, body: OwnerBody, is_built_in: bool) {
        let key = (metadata.namespace, kind, metadata.name);
        self.owners.insert(key, OwnerRecord { controller: metadata.controller, body, labels: metadata.labels, is_built_in });
    }

    /// Puts everything in its place; each step needs those before it.
    pub(super) fn build(mut self, options: &InventoryOptions) -> Inventory {
        let mut said = Said::default();
        for node in self.nodes.values() {
            said.pod_ranges.extend(&node.arguments.pod_ranges);
            said.service_ranges.extend(&node.arguments.service_ranges);
        }
        self.settle_node_names();
        self.settle_pods(&mut said);
        self.settle_timeline();
        self.settle_secondary();
        self.settle_ranges(options, said);
        self.settle_nodes();
        self.settle_services();
        for (kind, count) in self.owners.unused() {
            *self.unknown.entry(kind.to_owned()).or_default() += count;
        }
        for (kind, count) in std::mem::take(&mut self.unknown) {
            self.findings.add_many(Code::UnknownKind, kind, UNKNOWN, count);
        }
        let mut inventory = self.inventory;
        let mut namespaces = inventory.namespaces.keys();
        inventory.is_openshift = self.network.is_openshift || namespaces.any(|name| name.starts_with("openshift-"));
        inventory.has_ipv6 = inventory.pods.iter().flat_map(|pod| &pod.addresses).any(IpAddr::is_ipv6)
            || inventory.services.iter().flat_map(|service| &service.cluster_addresses).any(IpAddr::is_ipv6)
            || inventory.pod_ranges.iter().chain(&inventory.service_ranges).any(|range| range.addr().is_ipv6());
        inventory.findings = self.findings;
        inventory
    }

    /// Pods in order of namespace, name and start, and their workloads.
    fn settle_pods(&mut self, said: &mut Said) {
        let nodes = self.inventory.nodes.iter().enumerate();
        let nodes: HashMap<String, NodeId> = nodes.map(|(position, node)| (node.name.clone(), NodeId(index(position)))).collect();
        let mut workloads: BTreeMap<WorkloadName, Workload> = BTreeMap::new();
        for (name, selector) in self.owners.without_pods() {
            let known = workloads.entry(name.clone()).or_insert_with(|| Workload::new(name));
            known.selector = known.selector.take().or(selector);
        }
        // Workloads of kinds that nothing is known of, and those of which a part of a name was taken for generated.
        let mut customs = BTreeSet::new();
        let from = |metadata: &Metadata, body: &PodBody| body.started.or(metadata.created).unwrap_or(Timestamp::MIN);
        let mut drafts = std::mem::take(&mut self.pods);
        drafts.sort_by(|(one, one_body, _), (other, other_body, _)| {
            let start = from(one, one_body).cmp(&from(other, other_body));
            (&one.namespace, &one.name).cmp(&(&other.namespace, &other.name)).then(start)
        });
        self.inventory.pods.reserve_exact(drafts.len());
        for (metadata, body, shared) in drafts {
            let owned = Owned {
                namespace: &metadata.namespace,
                name: &metadata.name,
                stem: metadata.stem.as_deref(),
                labels: &metadata.labels,
                node: body.node.as_deref(),
                controller: metadata.controller.as_ref(),
            };
            let belonging = self.owners.workload(&owned, &mut self.findings);
            let Belonging { workload, selector, template, passing, is_custom } = belonging;
            if is_custom {
                customs.insert(workload.clone());
            }
            let known = workloads.entry(workload.clone()).or_insert_with(|| Workload::new(workload));
            known.pods.insert(PodId(index(self.inventory.pods.len())));
            // Owners that are there have said their selector above; for the others the first ReplicaSet's will do.
            known.selector = known.selector.take().or(selector);
            known.template = known.template.take().or(template);
            known.passing_owners.extend(passing);
            let from = from(&metadata, &body);
            let gone = gone(&metadata, &body);
            let PodBody {
                node,
                is_on_host_network,
                dns,
                addresses,
                holds,
                secondary,
                node_addresses,
                talks_from,
                finished,
                is_over,
                ports,
                containers,
                arguments,
                changed_labels,
                ..
            } = *body;
            if let Some(node) = &node {
                self.control_plane.add_host(node, &node_addresses);
            }
            said.pod_ranges.extend(arguments.pod_ranges);
            said.service_ranges.extend(arguments.service_ranges);
            self.inventory.cache_addresses.extend(arguments.cache_addresses);
            if let Some(port) = arguments.api_server_port {
                said.api_server.extend(addresses.iter().map(|address| Backend { address: *address, port }));
            }
            self.claims.push(Claim { shared, holds, talks_from, gone, is_over, rank: metadata.version.unwrap_or(0) });
            if let Some(mesh) = metadata.mesh {
                self.by_annotation.insert(PodId(index(self.inventory.pods.len())), mesh);
            }
            self.inventory.pods.push(Pod {
                name: PodName { namespace: metadata.namespace, name: metadata.name },
                workload: WorkloadId(0),
                labels: metadata.labels,
                node: node.and_then(|node| nodes.get(&node).copied()),
                is_on_host_network,
                dns,
                addresses,
                secondary,
                from,
                until: finished.or(metadata.deleted).unwrap_or(Timestamp::MAX).max(from),
                ports,
                containers,
                changed_labels,
            });
        }
        self.split_unlike(&mut workloads, &customs);
        self.join_alike(&mut workloads, &customs);
        for workload in workloads.into_values() {
            self.settle_workload(workload);
        }
    }

    /// Runs of which only the names are alike (`run-UID` of two tools) are workloads of their own: their pods differ in a label that
    /// names what they are.
    fn split_unlike(&self, workloads: &mut BTreeMap<WorkloadName, Workload>, customs: &BTreeSet<WorkloadName>) {
        for name in customs {
            let Some(workload) = workloads.get(name).filter(|workload| workload.pods.len() > 1) else { continue };
            let mut parts: BTreeMap<Labels, BTreeSet<PodId>> = BTreeMap::new();
            for id in &workload.pods {
                let pod = &self.inventory.pods[id.0 as usize];
                let naming = stable_labels::judge(workload, std::iter::once(pod), |_| None).naming();
                parts.entry(naming).or_default().insert(*id);
            }
            if parts.len() < 2 {
                continue;
            }
            let Some(whole) = workloads.remove(name) else { continue };
            let is_common = |pair: &(&String, &String)| parts.keys().all(|labels| labels.get(pair.0) == Some(pair.1));
            for (labels, pods) in &parts {
                let own = labels.iter().filter(|pair| !is_common(pair)).map(|(_, value)| value.as_str());
                let words: Vec<&str> = std::iter::once(name.name.as_str()).chain(own).filter(|word| !word.is_empty()).collect();
                let part = WorkloadName { name: words.join("-"), ..name.clone() };
                let mut part = Workload::new(part);
                part.pods.clone_from(pods);
                part.passing_owners.clone_from(&whole.passing_owners);
                workloads.insert((*part.name).clone(), part);
            }
        }
    }

    /// Owners of one unknown kind with one pod each, whose pods have the same lasting labels, are one workload: its controller makes
    /// an owner for each pod, with a name that nothing is known of.
    fn join_alike(&self, workloads: &mut BTreeMap<WorkloadName, Workload>, customs: &BTreeSet<WorkloadName>) {
        let mut alike: BTreeMap<(String, WorkloadKind, Labels), Vec<WorkloadName>> = BTreeMap::new();
        for name in customs {
            let Some(workload) = workloads.get(name).filter(|workload| workload.pods.len() == 1) else { continue };
            let pods = workload.pods.iter().map(|id| &self.inventory.pods[id.0 as usize]);
            let labels = stable_labels::judge(workload, pods, |_| None).lasting;
            if !labels.is_empty() {
                alike.entry((name.namespace.clone(), name.kind.clone(), labels)).or_default().push(name.clone());
            }
        }
        for ((namespace, kind, labels), names) in alike.into_iter().filter(|(_, names)| names.len() > 1) {
            let of_kind = || {
                let first = labels.values().find(|value| !value.is_empty()).map_or("", String::as_str);
                format!("{}-{first}", kind.0.to_ascii_lowercase()).trim_end_matches('-').to_owned()
            };
            let name = common_name(&names).unwrap_or_else(of_kind);
            let joined = WorkloadName { namespace, name, kind };
            let parts: Vec<Workload> = names.iter().filter_map(|name| workloads.remove(name)).collect();
            let whole = workloads.entry(joined.clone()).or_insert_with(|| Workload::new(joined));
            for part in parts {
                whole.passing_owners.insert(part.name.name.clone());
                whole.passing_owners.extend(part.passing_owners);
                whole.pods.extend(part.pods);
                whole.selector = whole.selector.take().or(part.selector);
                whole.template = whole.template.take().or(part.template);
            }
        }
    }

    fn settle_workload(&mut self, workload: Workload) {
        let inventory = &mut self.inventory;
        let id = WorkloadId(index(inventory.workloads.len()));
        for member in &workload.pods {
            inventory.pods[member.0 as usize].workload = id;
        }
        let own = |id: &PodId| &inventory.pods[id.0 as usize].containers;
        let side_car = mesh::SIDE_CARS.iter().find(|name| workload.pods.iter().any(|id| own(id).contains(**name)));
        inventory.side_cars.push(side_car.copied());
        let namespace = inventory.namespaces.get(&workload.name.namespace);
        let mesh = workload.pods.iter().find_map(|id| {
            let pod = inventory.pod(*id);
            let by_annotation = self.by_annotation.get(id).copied();
            by_annotation.or_else(|| Mesh::of(&pod.labels, &pod.containers, namespace))
        });
        inventory.meshes.push(mesh);
        // A namespace that the inventory does not hold has the label that every API server since 1.21 puts on it.
        if !inventory.namespaces.contains_key(&workload.name.namespace) {
            let namespace = workload.name.namespace.clone();
            inventory.namespaces.insert(namespace.clone(), Labels::from([(NAME_LABEL.to_owned(), namespace)]));
        }
        inventory.workloads.push(workload);
    }

    fn settle_secondary(&mut self) {
        for (pod, id) in self.inventory.pods.iter().zip(0..) {
            for &address in pod.secondary.keys() {
                self.inventory.secondary.entry(address).or_default().push(PodId(id));
            }
        }
    }

    fn settle_timeline(&mut self) {
        let mut timeline = Timeline::default();
        let claims = std::mem::take(&mut self.claims);
        for (position, (pod, claim)) in self.inventory.pods.iter().zip(claims).enumerate() {
            if pod.is_on_host_network {
                timeline.add_life(pod.from, pod.until);
                continue;
            }
            for &address in &pod.addresses {
                timeline.add(address, claim.tenure(PodId(index(position)), pod, address));
            }
        }
        for (address, claimants) in timeline.settle() {
            let names = claimants.iter().take(CLAIMANTS).map(|id| self.inventory.pod(*id).name.to_string());
            let further = if claimants.len() > CLAIMANTS { ", and others," } else { "" };
            let message = format!("is claimed by {}{further} at once", names.collect::<Vec<_>>().join(" and "));
            self.findings.add(Code::AddressClaimedTwice, address.to_string(), message);
        }
        let ends = timeline.ends();
        for (position, pod) in self.inventory.pods.iter_mut().enumerate() {
            // A pod that has lost its last address to another is gone, whether or not a snapshot saw its end.
            if let Some(end) = ends.get(&PodId(index(position))) {
                pod.until = *end;
            }
        }
        self.inventory.timeline = timeline;
    }

    fn settle_ranges(&mut self, options: &InventoryOptions, said: Said) {
        let nodes = &self.inventory.nodes;
        let pods = self.inventory.pods.iter().filter(|pod| !pod.is_on_host_network);
        let pods: BTreeSet<IpAddr> = pods.flat_map(|pod| &pod.addresses).copied().collect();
        let services = || self.services.values().map(|draft| &draft.service);
        let others = nodes.iter().flat_map(|node| &node.addresses);
        let others: BTreeSet<IpAddr> = others.chain(services().flat_map(|service| &service.outside_addresses)).copied().collect();
        let of_nodes = nodes.iter().flat_map(|node| &node.pod_ranges).copied();
        let ranges = options.pod_ranges.iter().chain(&self.network.pod_ranges).copied();
        let ranges: Vec<IpNet> = ranges.chain(of_nodes).chain(said.pod_ranges).collect();
        self.inventory.is_flat = self.is_flat(ranges.is_empty());
        self.inventory.allocated = std::mem::take(&mut self.network.allocated);
        self.inventory.cloud = self.nodes.values().find_map(|node| node.cloud);
        let is_guessing = options.pod_ranges.is_empty() && !self.inventory.is_flat;
        self.inventory.pod_ranges = range::pods(ranges, is_guessing, &pods, &others, &mut self.findings);

        let clusters: BTreeSet<IpAddr> = services().flat_map(|service| &service.cluster_addresses).copied().collect();
        let has_kubernetes = self.services.contains_key(&("default".into(), "kubernetes".into()));
        let mut objects = std::mem::take(&mut self.service_ranges);
        objects.append(&mut self.network.service_ranges);
        let objects = if objects.is_empty() { said.service_ranges } else { objects };
        let ranges = options.service_ranges.iter().copied().chain(objects);
        self.inventory.service_ranges = range::services(ranges, &clusters, has_kubernetes, &mut self.findings);
        self.inventory.api_server = said.api_server;
    }

    /// Whether pods have addresses of the same networks as other machines: objects say so, or nodes run on a cloud where that is
    /// usual and nothing says from which range pods get theirs. Wrong for an overlay on such a cloud of which no object with
    /// ranges is in the inventory: a missing pod is an outside address then.
    fn is_flat(&self, has_no_ranges: bool) -> bool {
        let has_overlay = self.inventory.plugins.iter().any(|plugin| *plugin != NetworkPlugin::Cilium);
        let is_usual = self.nodes.values().any(|node| node.cloud.is_some_and(Cloud::is_flat));
        self.network.is_flat || is_usual && has_no_ranges && !has_overlay
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
        } else if inventory.api_server.is_empty()
            && let Some(id) = api_server
        {
            let targets = inventory.services[id.0 as usize].ports.iter().filter(|port| port.protocol == Protocol::Tcp);
            for port in targets {
                if let TargetPort::Number(number) = port.target {
                    inventory.api_server.extend(self.control_plane.api_server(number));
                }
            }
        }
    }
}

/// The most pods that are named of those that have one address at once.
const CLAIMANTS: usize = 4;

/// What decides between a pod and others that had one of its addresses.
struct Claim {
    /// What snapshots say of addresses that others have as well.
    shared: Shared,
    /// When it had which of its addresses.
    holds: BTreeMap<IpAddr, Hold>,
    /// When its first container started, if that is known.
    talks_from: Option<Timestamp>,
    /// When it cannot talk any more.
    gone: Timestamp,
    is_over: bool,
    /// The `resourceVersion`.
    rank: u64,
}

impl Claim {
    fn tenure(&self, id: PodId, pod: &Pod, address: IpAddr) -> Tenure {
        let hold = self.holds.get(&address).copied().unwrap_or_default();
        let (mut since, until) = hold.within(pod.from, pod.until);
        let (mut from, mut by) = match (hold.from, self.talks_from) {
            // Its containers started in another sandbox.
            (Some(_), _) => (since, hold.seen.unwrap_or(since)),
            (None, Some(start)) => (start, start.plus(SECOND)),
            (None, None) if since == Timestamp::MIN => (since, since),
            (None, None) => (since, since.plus(SANDBOX_AFTER)),
        };
        // A snapshot that shows the address at this pod, and at one that started later and has ended: this one has it since then.
        let had_before = self.shared.had_before.get(&address).filter(|_| hold.from.is_none());
        for other in had_before.into_iter().flatten() {
            if since < other.first() {
                since = other.last();
                from = from.max(since);
                by = by.max(since);
            }
        }
        let seen = hold.seen.filter(|seen| *seen >= from).unwrap_or(by);
        Tenure {
            pod: id,
            workload: pod.workload,
            since,
            from,
            by: by.min(seen),
            until: until.max(from),
            gone: hold.until.unwrap_or(self.gone).min(self.gone).max(from),
            is_over: self.is_over,
            is_contested: self.shared.contested.contains(&address),
            rank: self.rank,
        }
    }
}

/// What names begin with, up to a dash: `runner-a` and `runner-b` are `runner`.
fn common_name(names: &[WorkloadName]) -> Option<String> {
    let first = names.first()?.name.as_str();
    let is_common = |length: &usize| names.iter().all(|name| name.name.get(..*length) == first.get(..*length));
    let mut dashes = first.match_indices('-').map(|(position, _)| position);
    dashes.rfind(|length| *length > 0 && is_common(length)).map(|length| first[..length].to_owned())
}

/// When nothing of a pod can talk any more.
fn gone(metadata: &Metadata, body: &PodBody) -> Timestamp {
    body.gone.or_else(|| metadata.deleted.map(|end| end.plus(KILLED_AFTER))).unwrap_or(Timestamp::MAX)
}

/// What command lines of the control plane say.
#[derive(Default)]
struct Said {
    pod_ranges: Vec<IpNet>,
    service_ranges: Vec<IpNet>,
    /// Static pods of the API server, for inventories without its endpoints.
    api_server: BTreeSet<Backend>,
}
