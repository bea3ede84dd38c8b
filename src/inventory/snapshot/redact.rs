//! An object as the API gives it in, the same object with nothing but what an inventory reads out.
//!
//! For snapshots that are kept or handed on. What goes: `managedFields`, `last-applied-configuration` and all other annotations
//! but the addresses and ranges that network plug-ins write on nodes, the names and addresses of pods' further interfaces, whether and
//! where pods and Services are to be scraped, and which mesh a pod is in;
//! whom pods ask for names;
//! the id that a cloud gives a machine, but for the cloud's own name; owners of allocated addresses;
//! environments, volumes, images and every other part of a container but its name, ports, ports of its probes and, beside the first
//! containers, restart policy; all statuses but addresses, times and how often a container was restarted; of webhooks all but the
//! Services they are at. Of command lines only six flags survive, and only in `kube-system` and on nodes of k3s (see [`flags`]). So a snapshot holds
//! names, labels, addresses, ports, times and how often containers were restarted, and no secret that someone put in an
//! environment, an argument or an annotation.
//!
//! Guaranteed: an inventory reads the same from the narrowed object as from the whole one. The result still is an object of its
//! kind to whoever reads it; it is no manifest to apply.

use serde_json::{Map, Value};

use super::expected_calls::SCRAPE_ANNOTATIONS;
use super::interfaces::{self, INTERFACE_ANNOTATIONS};
use super::parse::{API_SERVER, ARGUMENTS, SYSTEM_NAMESPACE};
use crate::inventory::Cloud;
use crate::inventory::mesh;
use crate::inventory::node_address::{ANNOTATIONS, Meaning, words};

/// Read of every object.
const METADATA: &[&str] = &[
    "apiVersion",
    "kind",
    "metadata.name",
    "metadata.generateName",
    "metadata.namespace",
    "metadata.uid",
    "metadata.resourceVersion",
    "metadata.labels",
    "metadata.ownerReferences.kind",
    "metadata.ownerReferences.name",
    "metadata.ownerReferences.controller",
    "metadata.creationTimestamp",
    "metadata.deletionTimestamp",
];

const NODE: &[&str] = &["spec.podCIDR", "spec.podCIDRs", "status.addresses.type", "status.addresses.address"];

const POD: &[&str] = &[
    "spec.nodeName",
    "spec.hostNetwork",
    "spec.dnsPolicy",
    "spec.dnsConfig.nameservers",
    "spec.restartPolicy",
    "spec.containers.name",
    "spec.containers.ports.name",
    "spec.containers.ports.containerPort",
    "spec.containers.ports.hostPort",
    "spec.containers.ports.protocol",
    "spec.containers.livenessProbe.httpGet.port",
    "spec.containers.livenessProbe.tcpSocket.port",
    "spec.containers.livenessProbe.grpc.port",
    "spec.containers.readinessProbe.httpGet.port",
    "spec.containers.readinessProbe.tcpSocket.port",
    "spec.containers.readinessProbe.grpc.port",
    "spec.containers.startupProbe.httpGet.port",
    "spec.containers.startupProbe.tcpSocket.port",
    "spec.containers.startupProbe.grpc.port",
    "spec.initContainers.name",
    "spec.initContainers.restartPolicy",
    "spec.initContainers.ports.name",
    "spec.initContainers.ports.containerPort",
    "spec.initContainers.ports.hostPort",
    "spec.initContainers.ports.protocol",
    "spec.initContainers.livenessProbe.httpGet.port",
    "spec.initContainers.livenessProbe.tcpSocket.port",
    "spec.initContainers.livenessProbe.grpc.port",
    "spec.initContainers.readinessProbe.httpGet.port",
    "spec.initContainers.readinessProbe.tcpSocket.port",
    "spec.initContainers.readinessProbe.grpc.port",
    "spec.initContainers.startupProbe.httpGet.port",
    "spec.initContainers.startupProbe.tcpSocket.port",
    "spec.initContainers.startupProbe.grpc.port",
    "status.phase",
    "status.startTime",
    "status.podIP",
    "status.podIPs.ip",
    "status.hostIP",
    "status.hostIPs.ip",
    "status.containerStatuses.state.running.startedAt",
    "status.containerStatuses.state.terminated.startedAt",
    "status.containerStatuses.state.terminated.finishedAt",
    "status.containerStatuses.state.terminated.exitCode",
    "status.containerStatuses.lastState.terminated.startedAt",
    "status.containerStatuses.restartCount",
    "status.initContainerStatuses.state.running.startedAt",
    "status.initContainerStatuses.state.terminated.startedAt",
    "status.initContainerStatuses.state.terminated.finishedAt",
    "status.initContainerStatuses.lastState.terminated.startedAt",
    "status.initContainerStatuses.restartCount",
    "status.conditions.lastTransitionTime",
];

const SERVICE: &[&str] = &[
    "spec.type",
    "spec.clusterIP",
    "spec.clusterIPs",
    "spec.externalIPs",
    "spec.ports.name",
    "spec.ports.protocol",
    "spec.ports.port",
    "spec.ports.targetPort",
    "spec.ports.nodePort",
    "spec.selector",
    "status.loadBalancer.ingress.ip",
];

const ENDPOINT_SLICE: &[&str] = &[
    "endpoints.addresses",
    "endpoints.targetRef.kind",
    "endpoints.targetRef.namespace",
    "endpoints.targetRef.name",
    "ports.name",
    "ports.protocol",
    "ports.port",
];

const INGRESS: &[&str] = &[
    "spec.defaultBackend.service.name",
    "spec.defaultBackend.service.port.name",
    "spec.defaultBackend.service.port.number",
    "spec.rules.http.paths.backend.service.name",
    "spec.rules.http.paths.backend.service.port.name",
    "spec.rules.http.paths.backend.service.port.number",
];

const WEBHOOKS: &[&str] =
    &["webhooks.clientConfig.service.namespace", "webhooks.clientConfig.service.name", "webhooks.clientConfig.service.port"];

const SERVICE_MONITOR: &[&str] = &[
    "spec.selector",
    "spec.namespaceSelector.any",
    "spec.namespaceSelector.matchNames",
    "spec.endpoints.port",
    "spec.endpoints.targetPort",
];

const POD_MONITOR: &[&str] = &[
    "spec.selector",
    "spec.namespaceSelector.any",
    "spec.namespaceSelector.matchNames",
    "spec.podMetricsEndpoints.port",
    "spec.podMetricsEndpoints.portNumber",
    "spec.podMetricsEndpoints.targetPort",
];

const CILIUM_NODE: &[&str] = &[
    "spec.addresses.type",
    "spec.addresses.ip",
    "spec.health.ipv4",
    "spec.health.ipv6",
    "spec.ingress.ipv4",
    "spec.ingress.ipv6",
    "spec.ipam.podCIDRs",
    "spec.ipam.pools.allocated.cidrs",
];

const NODE_NETWORK_CONFIG: &[&str] = &[
    "status.networkContainers.type",
    "status.networkContainers.subnetAddressSpace",
    "status.networkContainers.primaryIP",
    "status.networkContainers.ipAssignments.ip",
];

/// What a kind adds to the metadata. A path that ends at a mapping or list keeps all of it; lists are stepped through.
fn paths(kind: &str) -> &'static [&'static str] {
    match kind {
        "Node" => NODE,
        "Pod" => POD,
        "Service" => SERVICE,
        "EndpointSlice" => ENDPOINT_SLICE,
        "ReplicationController" | "DeploymentConfig" => &["spec.selector", "spec.template.metadata.labels"],
        "Job" => &["spec.template.metadata.labels", "status.conditions.type", "status.conditions.status"],
        "CronJob" => &["spec.jobTemplate.spec.template.metadata.labels", "spec.schedule", "spec.timeZone", "spec.suspend"],
        "Ingress" => INGRESS,
        // It is evaluated, so all of it counts; it cannot hold secrets.
        "NetworkPolicy" => &["spec"],
        "ServiceCIDR" => &["spec.cidrs"],
        "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration" => WEBHOOKS,
        "APIService" => &["spec.service.namespace", "spec.service.name", "spec.service.port"],
        "HorizontalPodAutoscaler" => &["spec.scaleTargetRef.kind", "spec.scaleTargetRef.name"],
        "ServiceMonitor" => SERVICE_MONITOR,
        "PodMonitor" => POD_MONITOR,
        "CiliumNode" => CILIUM_NODE,
        "IPPool" => &["spec.cidr", "spec.allowedUses"],
        "BlockAffinity" => &["spec.cidr"],
        "IPAMBlock" => &["spec.cidr", "spec.allocations", "spec.attributes.handle_id"],
        "FelixConfiguration" => &["spec.deviceRouteSourceAddress", "spec.deviceRouteSourceAddressIPv6"],
        "Network" => &["spec.clusterNetwork.cidr", "spec.serviceNetwork", "status.clusterNetwork.cidr", "status.serviceNetwork"],
        "NodeNetworkConfig" => NODE_NETWORK_CONFIG,
        "Subnet" => &["spec.cidrBlock", "spec.vlan"],
        "Namespace" => &[],
        // The controllers, and custom ones made after them.
        _ => &["spec.selector.matchLabels", "spec.template.metadata.labels"],
    }
}

/// The object without what no inventory reads. It names its own `kind`, as items of a typed list do not.
#[must_use]
pub fn narrow(object: &Value) -> Value {
    let kind = object.get("kind").and_then(Value::as_str).unwrap_or_default();
    let kept: Vec<&str> = METADATA.iter().chain(paths(kind)).copied().collect();
    let mut narrowed = keep(object, &kept);
    match kind {
        "Node" => narrow_node(object, &mut narrowed),
        "CiliumNode" => narrow_cilium_node(object, &mut narrowed),
        "Pod" => narrow_annotations(object, &mut narrowed, |key, value| match key {
            key if INTERFACE_ANNOTATIONS.contains(&key) => Some(interfaces::narrow(value.as_str()?)?.into()),
            // That it is there is all that is read of it; it lists the volumes and image pull secrets of the side-car.
            "sidecar.istio.io/status" => Some("{}".into()),
            _ => (SCRAPE_ANNOTATIONS.contains(&key) || mesh::ANNOTATIONS.contains(&key)).then(|| value.clone()),
        }),
        "Service" => {
            narrow_annotations(object, &mut narrowed, |key, value| SCRAPE_ANNOTATIONS.contains(&key).then(|| value.clone()));
        }
        _ => {}
    }
    if kind == "Pod" && object["metadata"]["namespace"] == SYSTEM_NAMESPACE {
        narrow_commands(object, &mut narrowed);
    }
    narrowed
}

fn keep(value: &Value, paths: &[&str]) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| keep(item, paths)).collect(),
        Value::Object(members) => {
            let kept = members.iter().filter_map(|(key, member)| {
                let below: Vec<&str> = paths.iter().filter_map(|path| path.strip_prefix(key.as_str())).collect();
                let member = if below.contains(&"") {
                    member.clone()
                } else {
                    let below: Vec<&str> = below.into_iter().filter_map(|path| path.strip_prefix('.')).collect();
                    Some(below).filter(|below| !below.is_empty()).map(|below| keep(member, &below))?
                };
                (!is_empty(&member)).then(|| (key.clone(), member))
            });
            Value::Object(kept.collect())
        }
        scalar => scalar.clone(),
    }
}

/// Whether a member says nothing: absent, null and empty are the same to the API's readers.
fn is_empty(member: &Value) -> bool {
    match member {
        Value::Null => true,
        Value::Array(items) => items.iter().all(|item| item.as_object().is_some_and(Map::is_empty)),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

/// Annotations with addresses and ranges, and of the provider's id the cloud, without the machine.
fn narrow_node(object: &Value, narrowed: &mut Value) {
    narrow_annotations(object, narrowed, |key, value| {
        let (_, meaning, _) = ANNOTATIONS.iter().find(|(known, ..)| *known == key)?;
        if *meaning != Meaning::Arguments {
            return Some(value.clone());
        }
        let words = words(value.as_str()?);
        let flags = flags(&words.iter().map(String::as_str).collect::<Vec<_>>());
        (!flags.is_empty()).then(|| Value::from(flags).to_string().into())
    });
    let provider = object["spec"]["providerID"].as_str().unwrap_or_default();
    if let Some((cloud, _)) = Cloud::of_provider(provider) {
        narrowed["spec"]["providerID"] = cloud.into();
    }
}

/// Whether addresses come from the cloud's subnets, and which; not the network interfaces by which they do.
fn narrow_cilium_node(object: &Value, narrowed: &mut Value) {
    let status = &object["status"];
    let has = |value: &Value| {
        value.as_object().is_some_and(|members| !members.is_empty()) || value.as_array().is_some_and(|items| !items.is_empty())
    };
    let is_eni = has(&status["eni"]["enis"]);
    if is_eni {
        narrowed["status"]["eni"]["enis"]["any"] = true.into();
    }
    let is_azure = has(&status["azure"]["interfaces"]);
    if is_azure {
        narrowed["status"]["azure"]["interfaces"] = vec![true].into();
    }
    if let (true, Some(used)) = (is_eni || is_azure, status["ipam"]["used"].as_object()) {
        narrowed["status"]["ipam"]["used"] = used.keys().map(|address| (address.clone(), Value::from(true))).collect();
    }
}

fn narrow_annotations(object: &Value, narrowed: &mut Value, kept: impl Fn(&str, &Value) -> Option<Value>) {
    let Some(annotations) = object["metadata"]["annotations"].as_object() else { return };
    let kept: Map<String, Value> = annotations.iter().filter_map(|(key, value)| Some((key.clone(), kept(key, value)?))).collect();
    if !kept.is_empty() {
        narrowed["metadata"]["annotations"] = Value::Object(kept);
    }
}

fn narrow_commands(object: &Value, narrowed: &mut Value) {
    let Some(containers) = object["spec"]["containers"].as_array() else { return };
    for (position, container) in containers.iter().enumerate() {
        let command = command(container);
        if !command.is_empty()
            && let Some(kept) = narrowed.pointer_mut(&format!("/spec/containers/{position}"))
        {
            kept["command"] = command.into();
        }
    }
}

/// Of a control plane component's command line: whether it is the API server, and its address ranges and port.
fn command(container: &Value) -> Vec<String> {
    let words: Vec<&str> =
        ["command", "args"].iter().filter_map(|key| container[key].as_array()).flatten().filter_map(Value::as_str).collect();
    let mut kept = Vec::new();
    if words.iter().any(|word| word.ends_with(API_SERVER)) {
        kept.push(API_SERVER.to_owned());
    }
    kept.extend(flags(&words));
    kept
}

/// The flags of a command line that are read, each with its value.
fn flags(words: &[&str]) -> Vec<String> {
    let mut kept = Vec::new();
    for (position, word) in words.iter().enumerate() {
        let (flag, value) = match word.split_once('=') {
            Some((flag, value)) => (flag, Some(value)),
            // The next word is another flag if this one came without a value.
            None => (*word, words.get(position + 1).copied().filter(|next| !next.starts_with('-'))),
        };
        if let (true, Some(value)) = (ARGUMENTS.contains(&flag), value) {
            kept.push(format!("{flag}={value}"));
        }
    }
    kept
}

#[cfg(test)]
mod tests;
