//! Services, what is behind them and what they open.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use super::object::{PortName, Subset};
use super::{
    Backend, Family, NodeId, Pod, PodId, Service, ServiceAddress, ServiceCall, ServiceId, ServicePort, ServiceType, TargetPort,
    Workload, WorkloadId, index,
};
use crate::model::{Labels, Protocol, SeededMap, SeededSet};

/// A set of ports.
pub(super) type Ports = BTreeSet<(Protocol, u16)>;

/// What is asked of Services, prepared.
#[derive(Clone, Debug, Default)]
pub(super) struct ServiceIndex {
    by_address: SeededMap<IpAddr, ServiceId>,
    calls: SeededMap<(IpAddr, Protocol, u16), ServiceCall>,
    node_ports: SeededMap<(Protocol, u16), (ServiceId, usize)>,
    /// Ports that nodes forward to pods.
    host_ports: SeededMap<(NodeId, Protocol, u16), Vec<(PodId, u16)>>,
    /// Of each Service, the pods that its selector matches, at any time.
    members: Vec<Arc<[PodId]>>,
    /// Of each Service, its endpoints.
    endpoints: Vec<Vec<Subset>>,
    declared_endpoints: SeededSet<(IpAddr, Protocol, u16)>,
    /// Endpoints that are said to be no pods, with the first Service that lists each.
    outside: SeededMap<IpAddr, ServiceId>,
    /// Of each workload, the ports that it or a Service declares.
    declared: Vec<Ports>,
    /// Of each workload, the ports that are open to the outside on purpose.
    exposed: Vec<Ports>,
    /// Of those, the ports that nodes forward calls to,
    forwarded: Vec<Ports>,
    /// and those that Ingresses lead to.
    ingressed: Vec<Ports>,
    pub(super) resolvers: BTreeMap<WorkloadId, Ports>,
}

/// A Service with what snapshots say of it beside its specification.
pub(super) struct Draft {
    pub(super) service: Service,
    /// The newest claim of an address wins.
    pub(super) version: Option<u64>,
    pub(super) subsets: Vec<Subset>,
}

/// What Ingresses lead to: ports by namespace and Service.
pub(super) type Backends = BTreeMap<(String, String), BTreeSet<PortName>>;

impl ServiceIndex {
    pub(super) fn new(drafts: Vec<Draft>, pods: &[Pod], workloads: &[Workload], ingresses: &Backends) -> (Vec<Service>, Self) {
        let mut order: Vec<usize> = (0..drafts.len()).collect();
        order.sort_by_key(|position| drafts[*position].version);
        let mut this = Self::default();
        for &position in &order {
            this.enter_addresses(ServiceId(index(position)), &drafts[position].service);
        }
        let by_label = by_label(pods);
        // Services that select the same share what they select.
        let mut known: BTreeMap<(String, Labels), Arc<[PodId]>> = BTreeMap::new();
        let mut services = Vec::with_capacity(drafts.len());
        for draft in drafts {
            for subset in &draft.subsets {
                for &(_, protocol, port) in &subset.ports {
                    this.declared_endpoints.extend(subset.addresses.keys().map(|address| (*address, protocol, port)));
                }
            }
            let service = ServiceId(index(services.len()));
            for (address, _) in draft.subsets.iter().flat_map(|subset| &subset.addresses).filter(|(_, pod)| pod.is_none()) {
                this.outside.entry(*address).or_insert(service);
            }
            let members = match &draft.service.selector {
                Some(selector) => {
                    let key = (draft.service.namespace.clone(), selector.clone());
                    let found = |key: &(String, Labels)| matching(&key.0, &key.1, pods, &by_label).into();
                    Arc::clone(known.entry(key).or_insert_with_key(found))
                }
                None => Arc::default(),
            };
            this.members.push(members);
            this.endpoints.push(draft.subsets);
            services.push(draft.service);
        }
        this.enter_workloads(&services, pods, workloads, ingresses);
        (services, this)
    }

    /// Later claims of an address replace earlier ones.
    fn enter_addresses(&mut self, id: ServiceId, service: &Service) {
        let cluster = service.cluster_addresses.iter().map(|address| (*address, ServiceAddress::Cluster));
        let outside = service.outside_addresses.iter().map(|address| (*address, ServiceAddress::Outside));
        for (address, through) in cluster.chain(outside) {
            self.by_address.insert(address, id);
            for (position, port) in service.ports.iter().enumerate() {
                let call = ServiceCall { service: id, port: position, through, family: Family::of(address) };
                self.calls.insert((address, port.protocol, port.port), call);
            }
        }
        for (position, port) in service.ports.iter().enumerate() {
            if let Some(node_port) = port.node_port {
                self.node_ports.insert((port.protocol, node_port), (id, position));
            }
        }
    }

    fn enter_workloads(&mut self, services: &[Service], pods: &[Pod], workloads: &[Workload], ingresses: &Backends) {
        self.declared = vec![Ports::new(); workloads.len()];
        self.exposed = vec![Ports::new(); workloads.len()];
        self.forwarded = vec![Ports::new(); workloads.len()];
        self.ingressed = vec![Ports::new(); workloads.len()];
        for (position, pod) in pods.iter().enumerate() {
            for port in &pod.ports {
                self.declared[pod.workload.0 as usize].insert((port.protocol, port.port));
                // On the host network every port is one of the node; the API writes it as hostPort too.
                if let Some(host_port) = port.host_port
                    && !pod.is_on_host_network
                {
                    self.exposed[pod.workload.0 as usize].insert((port.protocol, port.port));
                    self.forwarded[pod.workload.0 as usize].insert((port.protocol, port.port));
                    if let Some(node) = pod.node {
                        let own = self.host_ports.entry((node, port.protocol, host_port)).or_default();
                        own.push((PodId(index(position)), port.port));
                    }
                }
            }
        }
        for (service, members) in services.iter().zip(&self.members) {
            let is_open = matches!(service.kind, ServiceType::NodePort | ServiceType::LoadBalancer)
                || !service.outside_addresses.is_empty();
            let is_resolver = is_resolver(service);
            let wanted = ingresses.get(&(service.namespace.clone(), service.name.clone()));
            for port in &service.ports {
                let is_named = wanted.is_some_and(|wanted| wanted.iter().any(|wanted| is_meant(wanted, port)));
                for pod in members.iter().map(|id| &pods[id.0 as usize]) {
                    let Some(target) = target(pod, port) else { continue };
                    self.declared[pod.workload.0 as usize].insert((port.protocol, target));
                    for (ports, is_meant) in [
                        (&mut self.exposed, is_open || is_named),
                        (&mut self.forwarded, is_open),
                        (&mut self.ingressed, is_named),
                    ] {
                        if is_meant {
                            ports[pod.workload.0 as usize].insert((port.protocol, target));
                        }
                    }
                    if is_resolver && (port.name.starts_with("dns") || port.port == 53) {
                        self.resolvers.entry(pod.workload).or_default().insert((port.protocol, target));
                    }
                }
            }
        }
        if self.resolvers.is_empty() {
            // An inventory without Services.
            let is_dns = |pod: &&Pod| {
                pod.name.namespace == "kube-system" && pod.labels.get("k8s-app").is_some_and(|value| value == "kube-dns")
            };
            for pod in pods.iter().filter(is_dns) {
                let named = |port: &&super::ContainerPort| {
                    port.port == 53 || port.name.as_ref().is_some_and(|name| name.starts_with("dns"))
                };
                let ports: Ports = pod.ports.iter().filter(named).map(|port| (port.protocol, port.port)).collect();
                if !ports.is_empty() {
                    self.resolvers.entry(pod.workload).or_default().extend(ports);
                }
            }
        }
    }

    pub(super) fn at(&self, address: IpAddr) -> Option<ServiceId> {
        self.by_address.get(&address).copied()
    }

    pub(super) fn call(&self, address: IpAddr, protocol: Protocol, port: u16) -> Option<ServiceCall> {
        self.calls.get(&(address, protocol, port)).copied()
    }

    pub(super) fn node_port(&self, address: IpAddr, protocol: Protocol, port: u16) -> Option<ServiceCall> {
        let &(service, port) = self.node_ports.get(&(protocol, port))?;
        Some(ServiceCall { service, port, through: ServiceAddress::Node, family: Family::of(address) })
    }

    pub(super) fn host_ports(&self, node: NodeId, protocol: Protocol, port: u16) -> &[(PodId, u16)] {
        self.host_ports.get(&(node, protocol, port)).map_or(&[], Vec::as_slice)
    }

    pub(super) fn members(&self, service: ServiceId) -> &[PodId] {
        self.members.get(service.0 as usize).map_or(&[], |members| members)
    }

    /// Endpoints of a Service's port, with the pods that the snapshots say they are.
    pub(super) fn endpoints<'a>(&'a self, service: ServiceId, port: &'a ServicePort) -> impl Iterator<Item = Named<'a>> {
        self.endpoints.get(service.0 as usize).into_iter().flatten().flat_map(move |subset| {
            let numbers = subset.ports.iter().filter(|(name, protocol, _)| *name == port.name && *protocol == port.protocol);
            numbers.flat_map(|(_, _, number)| {
                let named = |(address, pod): (&IpAddr, &'a Option<_>)| Named {
                    backend: Backend { address: *address, port: *number },
                    pod: pod.as_ref(),
                };
                subset.addresses.iter().map(named)
            })
        })
    }

    /// All endpoints of a Service for TCP.
    pub(super) fn tcp_endpoints(&self, service: ServiceId) -> BTreeSet<Backend> {
        self.endpoints.get(service.0 as usize).into_iter().flatten().flat_map(Subset::tcp).collect()
    }

    pub(super) fn declares_endpoint(&self, address: IpAddr, protocol: Protocol, port: u16) -> bool {
        self.declared_endpoints.contains(&(address, protocol, port))
    }

    pub(super) fn outside(&self, address: IpAddr) -> Option<ServiceId> {
        self.outside.get(&address).copied()
    }

    pub(super) fn declared(&self, workload: WorkloadId) -> Option<&Ports> {
        self.declared.get(workload.0 as usize)
    }

    pub(super) fn exposed(&self, workload: WorkloadId) -> Option<&Ports> {
        self.exposed.get(workload.0 as usize)
    }

    pub(super) fn forwarded(&self, workload: WorkloadId) -> Option<&Ports> {
        self.forwarded.get(workload.0 as usize)
    }

    pub(super) fn ingressed(&self, workload: WorkloadId) -> Option<&Ports> {
        self.ingressed.get(workload.0 as usize)
    }
}

/// An endpoint and the pod it is said to be.
pub(super) struct Named<'a> {
    pub(super) backend: Backend,
    pub(super) pod: Option<&'a crate::model::PodName>,
}

/// The number that a Service's port leads to in this pod; nothing if the pod has no port of that name.
pub(super) fn target(pod: &Pod, port: &ServicePort) -> Option<u16> {
    match &port.target {
        TargetPort::Number(number) => Some(*number),
        TargetPort::Name(name) => {
            let is_meant = |own: &&super::ContainerPort| own.name.as_ref() == Some(name) && own.protocol == port.protocol;
            pod.ports.iter().find(is_meant).map(|own| own.port)
        }
    }
}

/// The cluster's DNS by the names that kubeadm, Helm charts and `OpenShift` give its Service; clouds keep to the label.
pub(super) fn is_resolver(service: &Service) -> bool {
    matches!(service.name.as_str(), "kube-dns" | "coredns" | "dns-default")
        || service.labels.get("k8s-app").is_some_and(|value| value == "kube-dns")
}

pub(super) fn is_meant(wanted: &PortName, port: &ServicePort) -> bool {
    match wanted {
        PortName::Number(number) => *number == port.port,
        PortName::Name(name) => *name == port.name,
    }
}

type ByLabel<'a> = HashMap<(&'a str, &'a str, &'a str), Vec<PodId>>;

fn by_label(pods: &[Pod]) -> ByLabel<'_> {
    let mut by_label = ByLabel::new();
    for (position, pod) in pods.iter().enumerate() {
        for (key, value) in &*pod.labels {
            by_label.entry((&pod.name.namespace, key, value)).or_default().push(PodId(index(position)));
        }
    }
    by_label
}

/// The pods of a namespace that have all these labels: sought among those with the rarest of them.
fn matching(namespace: &str, selector: &Labels, pods: &[Pod], by_label: &ByLabel<'_>) -> Vec<PodId> {
    let holders = selector.iter().map(|(key, value)| by_label.get(&(namespace, key.as_str(), value.as_str())));
    let Some(Some(fewest)) = holders.min_by_key(|holders| holders.map_or(0, Vec::len)) else { return Vec::new() };
    let has_all = |id: &&PodId| {
        let labels = &pods[id.0 as usize].labels;
        selector.iter().all(|(key, value)| labels.get(key) == Some(value))
    };
    fewest.iter().filter(has_all).copied().collect()
}
