//! What the cluster's objects say of calls and pods to come: who listens where and why, what is started when, what is scaled.
//!
//! In: objects as they are merged, beside what else becomes of them. Out: look-ups by workload. All of it is a claim: a declared port
//! may have no listener, and a listener no declaration.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::object::{Body, Declaration, Monitor, Object, Owner, PortName, Scrape};
use super::{Inventory, Schedule, Service, ServiceId, WorkloadId, index, service};
use crate::model::{Labels, PodName, Protocol, WorkloadName};

/// Why a workload is thought to listen on a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ground {
    /// `containerPort`.
    ContainerPort,
    /// A probe of the kubelet, which needs no rule.
    Probe,
    /// A Service leads there.
    Service(String),
    /// An Ingress leads there.
    Ingress(String),
    /// The API server calls it: a webhook or an aggregated API, by its object.
    ApiServer(String),
    /// Prometheus is to ask it, as this object says.
    Scrape(String),
}

impl fmt::Display for Ground {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ContainerPort => formatter.write_str("containerPort"),
            Self::Probe => formatter.write_str("probe"),
            Self::Service(name) => write!(formatter, "Service {name}"),
            Self::Ingress(object) | Self::ApiServer(object) | Self::Scrape(object) => formatter.write_str(object),
        }
    }
}

/// Grounds of one kind that are kept for a port: thousands of Services may lead to thousands of pods. The first say enough.
const GROUNDS: usize = 16;

/// The ports of workloads, with why each is thought to have a listener.
pub type Listeners = BTreeMap<WorkloadId, BTreeMap<(Protocol, u16), BTreeSet<Ground>>>;

/// What the objects said, by what they are about.
#[derive(Clone, Debug, Default)]
pub(super) struct Declarations {
    /// Of pods with probes: their ports. Pods of one name, one after the other, are of one workload.
    probes: BTreeMap<PodName, BTreeSet<u16>>,
    scraped_pods: BTreeMap<PodName, Scrape>,
    scraped_services: BTreeMap<(String, String), Scrape>,
    /// By Service: its ports that Ingresses lead to, with the Ingress.
    ingresses: BTreeMap<(String, String), BTreeSet<(PortName, String)>>,
    /// By Service: its ports that the API server calls, with the object that says so.
    calls: BTreeMap<(String, String), BTreeSet<(u16, String)>>,
    monitors: BTreeMap<String, Monitor>,
    scalers: BTreeMap<(String, Owner), String>,
    schedules: BTreeMap<(String, String), Schedule>,
}

impl Declarations {
    /// Takes in one object in its final state.
    pub(super) fn take_in(&mut self, object: &Object) {
        let metadata = &object.metadata;
        let (namespace, name) = (&metadata.namespace, &metadata.name);
        let key = || (namespace.clone(), name.clone());
        match &object.body {
            Body::Pod(pod) => {
                let pod_name = || PodName { namespace: namespace.clone(), name: name.clone() };
                if !pod.probes.is_empty() {
                    self.probes.entry(pod_name()).or_default().extend(&pod.probes);
                }
                if let Some(scrape) = metadata.scrape {
                    self.scraped_pods.insert(pod_name(), scrape);
                }
            }
            Body::Service(_) => {
                if let Some(scrape) = metadata.scrape {
                    self.scraped_services.insert(key(), scrape);
                }
            }
            Body::Ingress(backends) => {
                for (service, port) in backends {
                    let known = self.ingresses.entry((namespace.clone(), service.clone())).or_default();
                    known.insert((port.clone(), object.describe()));
                }
            }
            Body::Owner(owner) => {
                if let Some(schedule) = &owner.schedule {
                    self.schedules.insert(key(), schedule.clone());
                }
            }
            Body::Declaration(Declaration::Calls(services)) => {
                for (namespace, service, port) in services {
                    let known = self.calls.entry((namespace.clone(), service.clone())).or_default();
                    known.insert((*port, object.describe()));
                }
            }
            Body::Declaration(Declaration::Monitor(monitor)) => {
                self.monitors.insert(object.describe(), monitor.clone());
            }
            Body::Declaration(Declaration::Scaler(target)) => {
                self.scalers.insert((namespace.clone(), target.clone()), object.describe());
            }
            _ => {}
        }
    }
}

impl Inventory {
    /// When a CronJob is due, where the inventory says so.
    #[must_use]
    pub fn schedule(&self, workload: &WorkloadName) -> Option<&Schedule> {
        let key = (workload.namespace.clone(), workload.name.clone());
        (workload.kind.0 == "CronJob").then(|| self.declarations.schedules.get(&key)).flatten()
    }

    /// What scales a workload: `HorizontalPodAutoscaler prod/web`.
    #[must_use]
    pub fn scaler(&self, workload: &WorkloadName) -> Option<&str> {
        let owner = Owner { kind: workload.kind.0.clone(), name: workload.name.clone() };
        self.declarations.scalers.get(&(workload.namespace.clone(), owner)).map(String::as_str)
    }

    /// All ports on which workloads are said to listen.
    #[must_use]
    pub fn listeners(&self) -> Listeners {
        let mut listeners = Listeners::new();
        let mut add = |workload: WorkloadId, protocol: Protocol, port: u16, ground: Ground| {
            let grounds: &mut BTreeSet<Ground> = listeners.entry(workload).or_default().entry((protocol, port)).or_default();
            let is_alike = |known: &&Ground| std::mem::discriminant(*known) == std::mem::discriminant(&ground);
            if grounds.iter().filter(is_alike).count() < GROUNDS {
                grounds.insert(ground);
            }
        };
        for pod in &self.pods {
            for port in &pod.ports {
                add(pod.workload, port.protocol, port.port, Ground::ContainerPort);
            }
            for &port in self.declarations.probes.get(&pod.name).into_iter().flatten() {
                add(pod.workload, Protocol::Tcp, port, Ground::Probe);
            }
            if let Some(scrape) = self.declarations.scraped_pods.get(&pod.name) {
                let declared = pod.ports.iter().filter(|port| port.protocol == Protocol::Tcp).map(|port| port.port);
                let ports: BTreeSet<u16> = scrape.port.map_or_else(|| declared.collect(), |port| BTreeSet::from([port]));
                for port in ports {
                    add(pod.workload, Protocol::Tcp, port, Ground::Scrape("prometheus.io/scrape".to_owned()));
                }
            }
        }
        for (position, service) in self.services.iter().enumerate() {
            let id = ServiceId(index(position));
            for (workload, protocol, port, ground) in self.behind(id, service) {
                add(workload, protocol, port, ground);
            }
        }
        for (object, monitor) in self.declarations.monitors.iter().filter(|(_, monitor)| monitor.is_of_pods) {
            for pod in self.pods.iter().filter(|pod| monitor.means(&pod.name.namespace, &pod.labels)) {
                for target in &monitor.targets {
                    if let Some(port) = target_of(target, pod) {
                        add(pod.workload, Protocol::Tcp, port, Ground::Scrape(object.clone()));
                    }
                }
            }
        }
        listeners
    }

    /// What a Service says of the workloads behind it.
    fn behind(&self, id: ServiceId, service: &Service) -> BTreeSet<(WorkloadId, Protocol, u16, Ground)> {
        let name = format!("{}/{}", service.namespace, service.name);
        let key = (service.namespace.clone(), service.name.clone());
        let scrape = self.declarations.scraped_services.get(&key);
        let monitors: Vec<(&String, &Monitor)> = self
            .declarations
            .monitors
            .iter()
            .filter(|(_, monitor)| !monitor.is_of_pods && monitor.means(&service.namespace, &service.labels))
            .collect();
        let mut behind = BTreeSet::new();
        for pod in self.service_index.members(id).iter().map(|&id| self.pod(id)) {
            let mut add = |protocol, port, ground| {
                behind.insert((pod.workload, protocol, port, ground));
            };
            for port in &service.ports {
                let Some(target) = service::target(pod, port) else { continue };
                add(port.protocol, target, Ground::Service(name.clone()));
                for object in self.declarations.ingresses_to(&key, port) {
                    add(port.protocol, target, Ground::Ingress(object));
                }
                for object in self.declarations.calls_to(&key, port.port) {
                    add(port.protocol, target, Ground::ApiServer(object));
                }
                if scrape.is_some_and(|scrape| scrape.port.is_none()) && port.protocol == Protocol::Tcp {
                    add(port.protocol, target, Ground::Scrape(format!("prometheus.io/scrape of Service {name}")));
                }
                for (object, _) in monitors.iter().filter(|(_, monitor)| monitor.service_ports.contains(&port.name)) {
                    add(port.protocol, target, Ground::Scrape((*object).clone()));
                }
            }
            if let Some(port) = scrape.and_then(|scrape| scrape.port) {
                add(Protocol::Tcp, port, Ground::Scrape(format!("prometheus.io/scrape of Service {name}")));
            }
            for (object, monitor) in &monitors {
                for port in monitor.targets.iter().filter_map(|target| target_of(target, pod)) {
                    add(Protocol::Tcp, port, Ground::Scrape((*object).clone()));
                }
            }
        }
        behind
    }
}

impl Declarations {
    pub(super) fn is_probed(&self, pod: &PodName, port: u16) -> bool {
        self.probes.get(pod).is_some_and(|ports| ports.contains(&port))
    }

    fn ingresses_to<'d>(&'d self, service: &(String, String), port: &'d super::ServicePort) -> impl Iterator<Item = String> + 'd {
        let wanted = self.ingresses.get(service).into_iter().flatten();
        wanted.filter(|(wanted, _)| service::is_meant(wanted, port)).map(|(_, object)| object.clone())
    }

    fn calls_to(&self, service: &(String, String), port: u16) -> impl Iterator<Item = String> {
        let called = self.calls.get(service).into_iter().flatten();
        called.filter(move |(called, _)| *called == port).map(|(_, object)| object.clone())
    }
}

impl Monitor {
    fn means(&self, namespace: &str, labels: &Labels) -> bool {
        self.namespaces.as_ref().is_none_or(|namespaces| namespaces.contains(namespace))
            && self.labels.iter().all(|(key, value)| labels.get(key) == Some(value))
    }
}

fn target_of(target: &PortName, pod: &super::Pod) -> Option<u16> {
    match target {
        PortName::Number(number) => Some(*number),
        PortName::Name(name) => pod.ports.iter().find(|port| port.name.as_ref() == Some(name)).map(|port| port.port),
    }
}
