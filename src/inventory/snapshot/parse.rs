//! One tree in, one object out; what is wrong with a part of it is a complaint, what is wrong with all of it an error.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use k8s_openapi::api::networking::v1::NetworkPolicy;

use super::node::{Mismatch, Tree, shorten};
use super::{api_types, expected_calls, interfaces, valid};
use crate::inventory::generated;
use crate::inventory::object::{
    Arguments, Body, Declaration, EndpointsBody, Metadata, Object, Owner, OwnerBody, PodBody, PortName, ServiceBody, Subset,
    describe as name,
};
use crate::inventory::timeline::SECOND;
use crate::inventory::{ContainerPort, Mesh, PodDns, Schedule, ServicePort, ServiceType, TargetPort};
use crate::model::{Labels, PodName, Protocol, Timestamp};

/// What a list, or the place of a file, says of objects (`PodList` of `v1` holds items without either).
#[derive(Clone, Debug)]
pub(super) struct ListKind {
    api_version: String,
    kind: String,
}

impl ListKind {
    pub(super) fn new(kind: &str, api_version: &str) -> Self {
        Self { api_version: api_version.to_owned(), kind: kind.to_owned() }
    }

    /// The kind of the items; empty if they must say it themselves.
    pub(super) fn kind(&self) -> &str {
        &self.kind
    }

    /// Of the members of a list other than its items; nothing if it is not one.
    pub(super) fn of(rest: &Tree) -> Option<Self> {
        let kind = rest.get("kind").and_then(Tree::text)?.strip_suffix("List")?.to_owned();
        let api_version = rest.get("apiVersion").and_then(Tree::text).unwrap_or_default().to_owned();
        Some(Self { api_version, kind })
    }
}

/// How messages call the object, if it says so much of itself.
pub(super) fn describe(tree: &Tree, list: Option<&ListKind>) -> Option<String> {
    let kind = tree.get("kind").and_then(Tree::text).or(list.map(|list| list.kind.as_str())).unwrap_or("object");
    let metadata = tree.get("metadata")?;
    let namespace = metadata.get("namespace").and_then(Tree::text).unwrap_or_default();
    let text = metadata.get("name").and_then(Tree::text).filter(|text| !text.is_empty())?;
    Some(name(&shorten(kind), &shorten(namespace), &shorten(text)))
}

/// What all kinds have in common; a list says what its items leave out.
fn envelope(tree: &Tree, list: Option<&ListKind>) -> Result<api_types::Envelope, Mismatch> {
    let mut envelope: api_types::Envelope = tree.read()?;
    if let Some(list) = list {
        if envelope.kind.is_empty() {
            envelope.kind.clone_from(&list.kind);
        }
        // A `List` of `v1` holds objects of all versions.
        if envelope.api_version.is_empty() && envelope.kind == list.kind {
            envelope.api_version.clone_from(&list.api_version);
        }
    }
    valid::fault(&envelope).map_or(Ok(envelope), |fault| Err(Mismatch(fault)))
}

/// The object that a tree describes.
pub(super) fn object(tree: &Tree, list: Option<&ListKind>, complaints: &mut Vec<String>) -> Result<Object, Mismatch> {
    let envelope = envelope(tree, list)?;
    let group = envelope.api_version.rsplit_once('/').map_or("", |(group, _)| group);
    // Snapshots written by hand may leave the version out; then the kind alone decides.
    let is_of = |groups: &[&str]| envelope.api_version.is_empty() || groups.contains(&group);
    let mut reading = Reading { complaints };
    let body = match envelope.kind.as_str() {
        "Namespace" if is_of(&[""]) => Body::Namespace,
        "Node" if is_of(&[""]) => Body::Node(Box::new(reading.node(tree.read()?, &envelope.metadata))),
        "Pod" if is_of(&[""]) => {
            let mut pod = reading.pod(tree.read()?, &envelope.metadata.namespace);
            pod.secondary = interfaces::secondary(&envelope.metadata.annotations, &pod.addresses);
            Body::Pod(Box::new(pod))
        }
        "Service" if is_of(&[""]) => Body::Service(Box::new(reading.service(tree.read()?)?)),
        "EndpointSlice" if is_of(&["discovery.k8s.io"]) => {
            let labels = &envelope.metadata.labels;
            let service = labels.get("kubernetes.io/service-name").cloned().unwrap_or_default();
            // Of the Multi-Cluster Services API, and of Cilium's cluster mesh.
            let is_of_another_cluster = labels.contains_key("multicluster.kubernetes.io/source-cluster")
                || labels.get("endpointslice.kubernetes.io/managed-by").is_some_and(|by| by.contains("mesh"));
            Body::Endpoints(reading.slice(tree.read()?, service, is_of_another_cluster))
        }
        "Endpoints" if is_of(&[""]) => Body::Endpoints(reading.endpoints(tree.read()?, envelope.metadata.name.clone())),
        "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" if is_of(&["apps", "extensions"]) => {
            let controller: api_types::Controller = tree.read()?;
            Body::Owner(reading.templated(controller.spec.selector.match_labels, tree)?)
        }
        // OpenShift's DeploymentConfig is made after the ReplicationController (openshift/api apps/v1/types.go).
        "ReplicationController" | "DeploymentConfig" if is_of(&["", "apps.openshift.io"]) => {
            let controller: api_types::ReplicationController = tree.read()?;
            Body::Owner(reading.templated(controller.spec.selector, tree)?)
        }
        "Job" if is_of(&["batch"]) => {
            let job: api_types::Job = tree.read()?;
            let is_end = |condition: &api_types::Condition| {
                matches!(condition.kind.as_str(), "Complete" | "Failed") && condition.status == "True"
            };
            let is_finished = job.status.conditions.iter().any(is_end);
            let stem = stem(&envelope.metadata.generate_name);
            Body::Owner(OwnerBody {
                selector: reading.selector(job.spec.template.metadata.labels),
                stem,
                is_finished,
                ..OwnerBody::default()
            })
        }
        "CronJob" if is_of(&["batch"]) => {
            let job: api_types::CronJob = tree.read()?;
            let api_types::CronJobSpec { schedule, time_zone, suspend, job_template } = job.spec;
            let time_zone = Some(time_zone).filter(|zone| !zone.is_empty());
            let schedule = (!schedule.is_empty()).then_some(Schedule { text: schedule, time_zone, is_suspended: suspend });
            Body::Owner(OwnerBody {
                selector: reading.selector(job_template.spec.template.metadata.labels),
                schedule,
                ..OwnerBody::default()
            })
        }
        "Ingress" if is_of(&["networking.k8s.io", "extensions"]) => Body::Ingress(reading.ingress(tree.read()?)),
        "NetworkPolicy" if is_of(&["networking.k8s.io", "extensions"]) => {
            let mut policy: NetworkPolicy = tree.read()?;
            policy.metadata.managed_fields = None;
            policy.metadata.namespace.get_or_insert_with(|| "default".into());
            Body::NetworkPolicy(Box::new(policy))
        }
        "ServiceCIDR" if is_of(&["networking.k8s.io"]) => {
            let ranges: api_types::ServiceCidr = tree.read()?;
            Body::ServiceRanges(reading.ranges(&ranges.spec.cidrs))
        }
        "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration" if is_of(&["admissionregistration.k8s.io"]) => {
            let configuration: api_types::WebhookConfiguration = tree.read()?;
            expected_calls::calls(configuration.webhooks.into_iter().map(|webhook| webhook.client_config))
        }
        "APIService" if is_of(&["apiregistration.k8s.io"]) => expected_calls::calls([tree.read::<api_types::ApiService>()?.spec]),
        "HorizontalPodAutoscaler" if is_of(&["autoscaling"]) => expected_calls::scaler(tree.read()?)?,
        "ServiceMonitor" | "PodMonitor" if is_of(&["monitoring.coreos.com"]) => {
            expected_calls::monitor(tree.read()?, envelope.kind == "PodMonitor", &envelope.metadata.namespace)
        }
        kind if let Some(network) = reading.network(kind, is_of, tree, &envelope.metadata.name)? => {
            Body::Network(Box::new(network))
        }
        // Custom controllers mostly follow the built-in ones; where they don't, there is no selector to be had.
        _ => Body::Other(OwnerBody {
            selector: tree
                .read()
                .ok()
                .and_then(|other: api_types::Controller| reading.selector(other.spec.selector.match_labels)),
            template: tree
                .read()
                .ok()
                .and_then(|other: api_types::Templated| reading.selector(other.spec.template.metadata.labels)),
            stem: is_custom(group).then(|| custom_stem(&envelope.metadata)).flatten(),
            ..OwnerBody::default()
        }),
    };
    let metadata = reading.metadata(envelope.metadata, &body);
    Ok(Object { kind: envelope.kind, metadata, body })
}

/// Whether a group is one of custom resources.
fn is_custom(group: &str) -> bool {
    group.contains('.') && !group.ends_with(".k8s.io")
}

/// What a custom resource's name was generated from. A name that only looks generated is whole, which only the object can say.
fn custom_stem(metadata: &api_types::Metadata) -> Option<String> {
    let is_plain = generated::run_stem(&metadata.name).is_none() || generated::is_dated(&metadata.name);
    let is_whole = is_plain && generated::stem(&metadata.name).is_some();
    let whole = || is_whole.then(|| metadata.name.clone());
    stem(&metadata.generate_name).or_else(whole)
}

/// `generateName` without its dash at the end.
fn stem(generate_name: &str) -> Option<String> {
    let stem = generate_name.trim_end_matches('-');
    (!stem.is_empty()).then(|| stem.to_owned())
}

pub(super) struct Reading<'c> {
    complaints: &'c mut Vec<String>,
}

impl Reading<'_> {
    fn complain(&mut self, text: &str, expected: &str) {
        self.complaints.push(format!("`{}`, not {expected}", shorten(text)));
    }

    /// An owner with this selector and a pod template.
    fn templated(&mut self, labels: Labels, tree: &Tree) -> Result<OwnerBody, Mismatch> {
        let template = self.selector(tree.read::<api_types::Templated>()?.spec.template.metadata.labels);
        Ok(OwnerBody { selector: self.selector(labels), template, ..OwnerBody::default() })
    }

    /// An empty selector means every pod to some kinds and none to others; here it means nothing. One with a label that is none means
    /// no pod: without that label it would mean more.
    fn selector(&mut self, labels: Labels) -> Option<Labels> {
        if let Some((key, value)) = valid::not_a_label(&labels) {
            self.complain(&format!("{key}={value}"), "a label, in a selector or template");
            return None;
        }
        (!labels.is_empty()).then_some(labels)
    }

    /// The labels that are some.
    fn labels(&mut self, labels: Labels) -> Labels {
        let (labels, others): (Labels, Labels) = labels.into_iter().partition(|(key, value)| valid::is_label(key, value));
        for (key, value) in others {
            self.complain(&format!("{key}={value}"), "a label");
        }
        labels
    }

    /// The owner, if it can be one.
    fn owner(&mut self, owner: api_types::OwnerReference) -> Option<Owner> {
        if owner.kind.is_empty() || owner.name.is_empty() {
            return None;
        }
        if !valid::is_owner(&owner) {
            self.complain(&format!("{} {}", owner.kind, owner.name), "an owner");
            return None;
        }
        Some(Owner { kind: owner.kind, name: owner.name })
    }

    /// An address, canonical: IPv4-mapped ones are IPv4. `None` without complaint for an empty text.
    pub(super) fn address(&mut self, text: &str) -> Option<IpAddr> {
        if text.is_empty() {
            return None;
        }
        let address = text.parse::<IpAddr>().ok().map(|address| address.to_canonical());
        if address.is_none() {
            self.complain(text, "an address");
        }
        address
    }

    pub(super) fn addresses<'t>(&mut self, texts: impl IntoIterator<Item = &'t String>) -> BTreeSet<IpAddr> {
        texts.into_iter().filter_map(|text| self.address(text)).collect()
    }

    pub(super) fn ranges<'t>(&mut self, texts: impl IntoIterator<Item = &'t String>) -> Vec<IpNet> {
        let mut ranges = BTreeSet::new();
        for text in texts.into_iter().filter(|text| !text.is_empty()) {
            match text.parse::<IpNet>() {
                Ok(range) => {
                    ranges.insert(range.trunc());
                }
                Err(_) => self.complain(text, "an address range"),
            }
        }
        ranges.into_iter().collect()
    }

    fn time(&mut self, text: &str) -> Option<Timestamp> {
        if text.is_empty() {
            return None;
        }
        let time = text.parse::<jiff::Timestamp>().ok().and_then(|time| i64::try_from(time.as_nanosecond()).ok());
        if time.is_none() {
            self.complain(text, "a time");
        }
        time.map(Timestamp)
    }

    /// A protocol; the API takes an absent one for TCP.
    fn protocol(&mut self, text: &str) -> Option<Protocol> {
        if text.is_empty() {
            return Some(Protocol::Tcp);
        }
        let protocol = Protocol::from_name(text);
        if protocol.is_none() {
            self.complain(text, "a transport protocol");
        }
        protocol
    }

    fn metadata(&mut self, raw: api_types::Metadata, body: &Body) -> Metadata {
        let is_cluster_wide =
            matches!(body, Body::Namespace | Body::Node(_) | Body::ServiceRanges(_) | Body::Declaration(Declaration::Calls(_)));
        let is_namespaced = !is_cluster_wide && !matches!(body, Body::Other(_) | Body::Network(_));
        let namespace = match raw.namespace {
            _ if is_cluster_wide => String::new(),
            // What kubectl would make of a file without a namespace.
            empty if is_namespaced && empty.is_empty() => "default".into(),
            namespace => namespace,
        };
        let scrape = matches!(body, Body::Pod(_) | Body::Service(_)).then(|| expected_calls::scrape(&raw.annotations)).flatten();
        let mesh = matches!(body, Body::Pod(_)).then(|| Mesh::by_annotations(&raw.annotations)).flatten();
        let mut owners = raw.owner_references;
        let is_pod = matches!(body, Body::Pod(_));
        let controller = match owners.iter().position(|owner| owner.controller) {
            Some(position) => Some(owners.swap_remove(position)),
            // Some operators leave `controller` out where a pod has but one owner.
            None if is_pod && owners.len() == 1 => owners.pop(),
            None => None,
        };
        // A virtual cluster lets its Service own the copies of its pods, for no other reason than their end.
        let controller = controller.filter(|owner| !is_pod || owner.kind != "Service" && owner.kind != "ConfigMap");
        Metadata {
            namespace,
            stem: if is_pod && controller.is_none() { stem(&raw.generate_name) } else { None },
            name: raw.name,
            uid: raw.uid,
            version: raw.resource_version.parse().ok(),
            labels: self.labels(raw.labels).into(),
            scrape,
            mesh,
            controller: controller.and_then(|owner| self.owner(owner)),
            created: self.time(&raw.creation_timestamp),
            deleted: self.time(&raw.deletion_timestamp),
        }
    }

    fn pod(&mut self, raw: api_types::Pod, namespace: &str) -> PodBody {
        let is_over = is_over(&raw);
        let api_types::PodSpec { node_name, host_network, dns_policy, dns_config, containers, init_containers, .. } = raw.spec;
        let dns = PodDns { nameservers: self.addresses(&dns_config.nameservers), is_as_of_node: dns_policy == "Default" };
        let mut arguments = Arguments::default();
        if namespace == SYSTEM_NAMESPACE {
            for container in &containers {
                self.arguments(container, &mut arguments);
            }
        }
        let side_cars = init_containers.into_iter().filter(|container| container.restart_policy == "Always");
        let mut ports = Vec::new();
        let mut names = BTreeSet::new();
        let mut probes = BTreeSet::new();
        for container in containers.into_iter().chain(side_cars) {
            probes.extend(expected_calls::probes(&container));
            for port in container.ports {
                if port.port == 0 {
                    self.complain("0", "a port");
                } else if let Some(protocol) = self.protocol(&port.protocol) {
                    let host_port = port.host_port.filter(|port| *port != 0);
                    let name = (!port.name.is_empty()).then_some(port.name);
                    ports.push(ContainerPort { name, port: port.port, protocol, host_port });
                }
            }
            names.insert(container.name);
        }
        let status = raw.status;
        let mut addresses = self.addresses(status.pod_ips.iter().map(|address| &address.ip));
        addresses.extend(self.address(&status.pod_ip));
        let mut node_addresses = self.addresses(status.host_ips.iter().map(|address| &address.ip));
        node_addresses.extend(self.address(&status.host_ip));
        let (mut finished, mut gone) = (None, None);
        if is_over {
            let statuses = status.container_statuses.iter().chain(&status.init_container_statuses);
            let ends = statuses.map(|container| &container.state.terminated.finished_at);
            finished = ends.filter_map(|text| self.time(text)).max();
            gone = finished.map(|end| end.plus(SECOND));
            if finished.is_none() {
                // An evicted pod has no container left to tell; its conditions changed when it went.
                let changes = status.conditions.iter().map(|condition| &condition.last_transition_time);
                finished = changes.filter_map(|text| self.time(text)).max();
            }
        }
        PodBody {
            node: (!node_name.is_empty()).then_some(node_name),
            is_on_host_network: host_network,
            dns,
            addresses,
            holds: BTreeMap::new(),
            secondary: BTreeMap::new(),
            node_addresses,
            started: self.time(&status.start_time),
            talks_from: self.first_start(&status),
            finished,
            is_over,
            gone,
            ports,
            probes,
            containers: names,
            arguments,
            changed_labels: BTreeSet::new(),
        }
    }

    /// When the first container started. Init containers run before all others; of one that was restarted, no more than its last
    /// two starts are told.
    fn first_start(&mut self, status: &api_types::PodStatus) -> Option<Timestamp> {
        let init = &status.init_container_statuses;
        let first = if init.is_empty() { &status.container_statuses } else { init };
        let mut earliest = None;
        for container in first {
            let api_types::ContainerStatus { state, last_state, restart_count } = container;
            let before = &last_state.terminated.started_at;
            let now = [&state.running.started_at, &state.terminated.started_at];
            let is_whole = match restart_count {
                0 => true,
                1 => !before.is_empty() && now.iter().any(|text| !text.is_empty()),
                _ => false,
            };
            if !is_whole {
                return None;
            }
            // Of a container that could not be started the runtime says 1970.
            let starts = now.into_iter().chain([before]).filter_map(|text| self.time(text)).filter(|start| start.0 > 0);
            earliest = earliest.into_iter().chain(starts).min();
        }
        earliest
    }

    fn arguments(&mut self, container: &api_types::Container, arguments: &mut Arguments) {
        let words = || container.command.iter().chain(&container.args);
        if container.name == API_SERVER || words().any(|word| word.ends_with(API_SERVER)) {
            arguments.api_server_port = Some(6443);
        }
        self.ranges_of_arguments(words(), arguments);
    }

    fn service(&mut self, raw: api_types::Service) -> Result<ServiceBody, Mismatch> {
        let kind = match raw.spec.kind.as_str() {
            "" | "ClusterIP" => ServiceType::ClusterIp,
            "NodePort" => ServiceType::NodePort,
            "LoadBalancer" => ServiceType::LoadBalancer,
            "ExternalName" => ServiceType::ExternalName,
            other => return Err(Mismatch(format!("`{}` is not a type of Service", shorten(other)))),
        };
        let cluster = raw.spec.cluster_ips.iter().chain([&raw.spec.cluster_ip]).filter(|text| *text != "None");
        let cluster_addresses = self.addresses(cluster);
        let mut outside_addresses = self.addresses(&raw.spec.external_ips);
        outside_addresses.extend(self.addresses(raw.status.load_balancer.ingress.iter().map(|address| &address.ip)));
        let mut ports = Vec::new();
        for port in raw.spec.ports {
            let Some(protocol) = self.protocol(&port.protocol) else { continue };
            let target = match port.target_port {
                None | Some(api_types::IntOrString::Int(0)) => TargetPort::Number(port.port),
                Some(api_types::IntOrString::Int(number)) => {
                    let Ok(number) = u16::try_from(number) else {
                        self.complain(&number.to_string(), "a port");
                        continue;
                    };
                    TargetPort::Number(number)
                }
                Some(api_types::IntOrString::String(text)) if text.is_empty() => TargetPort::Number(port.port),
                Some(api_types::IntOrString::String(text)) => text.parse().map_or(TargetPort::Name(text), TargetPort::Number),
            };
            if port.port == 0 || target == TargetPort::Number(0) {
                self.complain("0", "a port");
                continue;
            }
            let node_port = port.node_port.filter(|port| *port != 0);
            ports.push(ServicePort { name: port.name, protocol, port: port.port, target, node_port });
        }
        Ok(ServiceBody { kind, cluster_addresses, outside_addresses, ports, selector: self.selector(raw.spec.selector) })
    }

    fn slice(&mut self, raw: api_types::EndpointSlice, service: String, is_of_another_cluster: bool) -> EndpointsBody {
        let mut addresses = BTreeMap::new();
        for endpoint in raw.endpoints {
            let pod = pod_name(endpoint.target_ref).filter(|_| !is_of_another_cluster);
            for text in &endpoint.addresses {
                // Slices of address type FQDN hold names.
                if let Ok(address) = text.parse::<IpAddr>() {
                    addresses.insert(address.to_canonical(), pod.clone());
                }
            }
        }
        let ports = self.endpoint_ports(raw.ports);
        EndpointsBody { service, is_legacy: false, subsets: BTreeSet::from([Subset { addresses, ports }]) }
    }

    fn endpoints(&mut self, raw: api_types::Endpoints, service: String) -> EndpointsBody {
        let mut subsets = BTreeSet::new();
        for subset in raw.subsets {
            let mut addresses = BTreeMap::new();
            for endpoint in subset.addresses.into_iter().chain(subset.not_ready_addresses) {
                if let Some(address) = self.address(&endpoint.ip) {
                    addresses.insert(address, pod_name(endpoint.target_ref));
                }
            }
            subsets.insert(Subset { addresses, ports: self.endpoint_ports(subset.ports) });
        }
        EndpointsBody { service, is_legacy: true, subsets }
    }

    fn endpoint_ports(&mut self, raw: Vec<api_types::EndpointPort>) -> BTreeSet<(String, Protocol, u16)> {
        let mut ports = BTreeSet::new();
        for port in raw {
            if let (Some(protocol), Some(number)) = (self.protocol(&port.protocol), port.port.filter(|port| *port != 0)) {
                ports.insert((port.name, protocol, number));
            }
        }
        ports
    }

    fn ingress(&mut self, raw: api_types::Ingress) -> BTreeSet<(String, PortName)> {
        let rules = raw.spec.rules.into_iter().flat_map(|rule| rule.http.paths).map(|path| path.backend);
        let mut backends = BTreeSet::new();
        for backend in rules.chain([raw.spec.default_backend]) {
            let (service, port) = if backend.service.name.is_empty() {
                let port = match backend.service_port {
                    Some(api_types::IntOrString::Int(number)) => u16::try_from(number).ok().map(PortName::Number),
                    Some(api_types::IntOrString::String(text)) => {
                        Some(text.parse().map_or(PortName::Name(text), PortName::Number))
                    }
                    None => None,
                };
                (backend.service_name, port)
            } else {
                let api_types::IngressPort { name, number } = backend.service.port;
                (backend.service.name, number.filter(|port| *port != 0).map(PortName::Number).or(Some(PortName::Name(name))))
            };
            match port {
                Some(port) if !service.is_empty() => {
                    backends.insert((service, port));
                }
                None if !service.is_empty() => self.complain("", "a port of a backend"),
                _ => {}
            }
        }
        backends
    }
}

/// Whether a pod has ended: its phase says so, or all its containers have ended and none will be started again. The phase follows a
/// moment after the last container; a pod whose node is lost keeps the one it had.
fn is_over(pod: &api_types::Pod) -> bool {
    let api_types::Pod { spec, status } = pod;
    let has_ended = |container: &api_types::ContainerStatus| !container.state.terminated.finished_at.is_empty();
    let is_last = |container: &api_types::ContainerStatus| match spec.restart_policy.as_str() {
        "Never" => true,
        "OnFailure" => container.state.terminated.exit_code == Some(0),
        _ => false,
    };
    let ran = &status.container_statuses;
    let all_ran = !ran.is_empty() && ran.len() >= spec.containers.len();
    let side_cars = spec.init_containers.iter().any(|container| container.restart_policy == "Always");
    matches!(status.phase.as_str(), "Succeeded" | "Failed")
        || all_ran
            && ran.iter().all(|container| has_ended(container) && is_last(container))
            && (!side_cars || status.init_container_statuses.iter().all(has_ended))
}

fn pod_name(reference: api_types::Reference) -> Option<PodName> {
    (reference.kind == "Pod" && !reference.name.is_empty())
        .then_some(PodName { namespace: reference.namespace, name: reference.name })
}

/// Where the control plane's own pods are.
pub(super) const SYSTEM_NAMESPACE: &str = "kube-system";

/// The program, and the container, of the API server.
pub(super) const API_SERVER: &str = "kube-apiserver";

/// The flags that [`Reading::ranges_of_arguments`] knows.
pub(super) const ARGUMENTS: &[&str] =
    &["--cluster-cidr", "--service-cluster-ip-range", "--service-cidr", "--secure-port", "-localip", "--localip"];
