//! Trees in, what they say of calls and pods to come out.

use std::collections::{BTreeMap, BTreeSet};

use super::api_types;
use super::node::Mismatch;
use crate::inventory::object::{Body, Declaration, Monitor, Owner, PortName, Scrape};

/// The annotations by which pods and Services ask to be scraped. A convention of Prometheus's examples and Helm charts, no API.
pub(super) const SCRAPE_ANNOTATIONS: &[&str] = &["prometheus.io/scrape", "prometheus.io/port"];

/// The port at which the API server calls a Service unless told otherwise (`ServiceReference.port`).
const HTTPS: u16 = 443;

/// The Services that are called; what is called by its URL is none.
pub(super) fn calls(callers: impl IntoIterator<Item = api_types::ServiceCaller>) -> Body {
    let services = callers.into_iter().map(|caller| caller.service).filter(|service| !service.name.is_empty());
    let services = services.map(|service| (service.namespace, service.name, service.port.unwrap_or(HTTPS)));
    Body::Declaration(Declaration::Calls(services.collect()))
}

/// What an autoscaler scales.
pub(super) fn scaler(raw: api_types::Autoscaler) -> Result<Body, Mismatch> {
    let api_types::Reference { kind, name, .. } = raw.spec.scale_target_ref;
    if kind.is_empty() || name.is_empty() {
        return Err(Mismatch("it has no scaleTargetRef".into()));
    }
    Ok(Body::Declaration(Declaration::Scaler(Owner { kind, name })))
}

/// What Prometheus is to ask; nothing where the selector has expressions: without them it would mean more than it does.
pub(super) fn monitor(raw: api_types::Monitor, is_of_pods: bool, own_namespace: &str) -> Body {
    let api_types::MonitorSpec { selector, namespace_selector, endpoints, pod_metrics_endpoints } = raw.spec;
    if !selector.match_expressions.is_empty() {
        return Body::Declaration(Declaration::Monitor(Monitor::default()));
    }
    let own = if own_namespace.is_empty() { "default" } else { own_namespace };
    let namespaces = match (namespace_selector.any, namespace_selector.match_names) {
        (true, _) => None,
        (false, names) if names.is_empty() => Some(BTreeSet::from([own.to_owned()])),
        (false, names) => Some(names.into_iter().collect()),
    };
    let mut monitor = Monitor { is_of_pods, labels: selector.match_labels, namespaces, ..Monitor::default() };
    for endpoint in endpoints.into_iter().chain(pod_metrics_endpoints) {
        match endpoint.port {
            port if port.is_empty() => {}
            port if is_of_pods => drop(monitor.targets.insert(PortName::Name(port))),
            port => drop(monitor.service_ports.insert(port)),
        }
        monitor.targets.extend(endpoint.port_number.map(PortName::Number));
        monitor.targets.extend(endpoint.target_port.and_then(port));
    }
    Body::Declaration(Declaration::Monitor(monitor))
}

/// What the annotations ask of Prometheus.
pub(super) fn scrape(annotations: &BTreeMap<String, String>) -> Option<Scrape> {
    let [wanted, port] = SCRAPE_ANNOTATIONS else { return None };
    let is_wanted = annotations.get(*wanted).is_some_and(|value| value == "true");
    is_wanted.then(|| Scrape { port: annotations.get(*port).and_then(|port| port.parse().ok()).filter(|port| *port != 0) })
}

/// The ports at which the kubelet asks whether a container is well. A named one is one of the container's own.
pub(super) fn probes(container: &api_types::Container) -> BTreeSet<u16> {
    let probes = [&container.liveness_probe, &container.readiness_probe, &container.startup_probe];
    let ports = probes.into_iter().flat_map(|probe| [&probe.http_get, &probe.tcp_socket, &probe.grpc]);
    let number = |port: &api_types::IntOrString| match port {
        api_types::IntOrString::Int(number) => u16::try_from(*number).ok().filter(|port| *port != 0),
        api_types::IntOrString::String(name) => container.ports.iter().find(|port| port.name == *name).map(|port| port.port),
    };
    ports.filter_map(|probed| probed.port.as_ref()).filter_map(number).collect()
}

fn port(port: api_types::IntOrString) -> Option<PortName> {
    match port {
        api_types::IntOrString::Int(number) => u16::try_from(number).ok().filter(|port| *port != 0).map(PortName::Number),
        api_types::IntOrString::String(name) if name.is_empty() => None,
        api_types::IntOrString::String(name) => Some(name.parse().map_or(PortName::Name(name), PortName::Number)),
    }
}
