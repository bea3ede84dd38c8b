//! Blind spots by name: what the cluster's objects speak of and nothing was seen of.
//!
//! In: what was observed, the inventory, the namespaces that policies are made for. Out: findings, one for a workload, a namespace or a
//! node, not one for each port or pod. Of workloads that were not seen at all only their nodes are told here: that they are silent is
//! said where policies are made.

use std::collections::{BTreeMap, BTreeSet};

use crate::edge::Observation;
use crate::inventory::{Ground, Inventory, Listeners, NodeId, Pod, Workload, WorkloadId};
use crate::model::{Code, Findings, Party, Protocol, Span, Timestamp, WorkloadName};

/// Kinds of which pods come and go while the workload stays.
const ROLLED_OUT: [&str; 3] = ["DaemonSet", "Deployment", "StatefulSet"];
/// The most names in one message.
const NAMED: usize = 10;

/// What was not seen in the namespaces that policies are made for.
#[must_use]
pub fn blind_spots(observation: &Observation, inventory: &Inventory, subjects: &BTreeSet<String>) -> Findings {
    let mut findings = Findings::default();
    let Some(span) = observation.span else { return findings };
    let view = View { observation, inventory, subjects, span };
    view.ports(&mut findings);
    view.starts(&mut findings);
    view.nodes(&mut findings);
    findings
}

/// Ports that are declared and that nobody called, of workloads that policies are made for.
#[must_use]
pub fn uncalled(observation: &Observation, inventory: &Inventory, subjects: &BTreeSet<String>) -> Listeners {
    let called: BTreeSet<(&WorkloadName, Protocol, u16)> = observation
        .edges
        .keys()
        .filter_map(|edge| match &edge.responder {
            Party::Workload(workload) => Some((&**workload, edge.protocol, edge.port.get())),
            _ => None,
        })
        .collect();
    let mut listeners = inventory.listeners();
    listeners.retain(|&id, ports| {
        let workload = inventory.workload(id);
        if !subjects.contains(&workload.name.namespace) || is_on_host_network(workload, inventory) {
            return false;
        }
        // A rule for names is for both protocols.
        let names = inventory.resolvers().get(&id);
        let is_asked =
            names.is_some_and(|names| names.iter().any(|&(protocol, port)| called.contains(&(&workload.name, protocol, port))));
        ports.retain(|&(protocol, port), grounds| {
            let is_called = called.contains(&(&workload.name, protocol, port))
                || is_asked && names.is_some_and(|names| names.contains(&(protocol, port)));
            // A port for the kubelet alone needs no rule, and neither does what a pod's own node asks.
            let is_probed_only = grounds.contains(&Ground::Probe) && grounds.len() <= 2 && !grounds.iter().any(is_for_others);
            let is_of_own_node =
                observation.answered_own_node.contains(&(id, protocol, port)) && !grounds.iter().any(is_for_others);
            !is_called && !is_probed_only && !is_of_own_node
        });
        !ports.is_empty()
    });
    listeners
}

const fn is_for_others(ground: &Ground) -> bool {
    !matches!(ground, Ground::ContainerPort | Ground::Probe)
}

fn is_on_host_network(workload: &Workload, inventory: &Inventory) -> bool {
    !workload.pods.is_empty() && workload.pods.iter().all(|&pod| inventory.pod(pod).is_on_host_network)
}

struct View<'a> {
    observation: &'a Observation,
    inventory: &'a Inventory,
    subjects: &'a BTreeSet<String>,
    span: Span,
}

impl View<'_> {
    fn ports(&self, findings: &mut Findings) {
        for (id, ports) in uncalled(self.observation, self.inventory, self.subjects) {
            let name = self.inventory.workload(id).name.to_string();
            let is_active = self.observation.active.contains(&id);
            let mut plain = Vec::new();
            for ((protocol, port), grounds) in ports {
                let of = |pick: fn(&Ground) -> Option<&str>| grounds.iter().filter_map(pick).collect::<Vec<_>>().join(", ");
                let callers = of(|ground| if let Ground::ApiServer(object) = ground { Some(object) } else { None });
                let scrapers = of(|ground| if let Ground::Scrape(object) = ground { Some(object) } else { None });
                if !callers.is_empty() {
                    let message = format!("is to be called by the API server on {protocol} {port} ({callers}) and was not");
                    findings.add(Code::ApiServerCallNotSeen, &name, message);
                } else if !scrapers.is_empty() {
                    let message = format!("is to be scraped on {protocol} {port} ({scrapers}) and was not");
                    findings.add(Code::ScrapeNotSeen, &name, message);
                } else if is_active {
                    let grounds: Vec<String> = grounds.iter().map(ToString::to_string).collect();
                    plain.push(format!("{protocol} {port} ({})", grounds.join(", ")));
                }
            }
            if !plain.is_empty() {
                let message = format!("declares {}: nobody called", some(plain.iter().map(String::as_str)));
                findings.add(Code::PortNotCalled, &name, message);
            }
        }
    }

    /// Workloads of which no pod came, or, where they are scaled, none came or went.
    fn starts(&self, findings: &mut Findings) {
        let mut unstarted: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for workload in self.inventory.workloads() {
            let name = &workload.name;
            let is_concerned = self.subjects.contains(&name.namespace) && ROLLED_OUT.contains(&name.kind.0.as_str());
            if !is_concerned || is_on_host_network(workload, self.inventory) {
                continue;
            }
            let pods: Vec<&Pod> = workload.pods.iter().map(|&pod| self.inventory.pod(pod)).collect();
            let is_within = |at: Timestamp| self.span.first() <= at && at <= self.span.last();
            // Snapshots written by hand tell no times.
            if pods.is_empty() || pods.iter().any(|pod| pod.from == Timestamp::MIN || is_within(pod.from)) {
                continue;
            }
            unstarted.entry(&name.namespace).or_default().push(&name.name);
            if let Some(scaler) = self.inventory.scaler(name)
                && !pods.iter().any(|pod| is_within(pod.until))
            {
                let message = format!("is scaled by {scaler}: no pod of it came or went while the capture ran");
                findings.add(Code::ScalingNotSeen, name.to_string(), message);
            }
        }
        for (namespace, workloads) in unstarted {
            let are = if workloads.len() == 1 { "workload" } else { "workloads" };
            let message =
                format!("has {} {are} of which no pod started while the capture ran: {}", workloads.len(), some(workloads));
            findings.add(Code::StartNotSeen, namespace, message);
        }
    }

    /// Nodes with pods of which none was seen, though pods elsewhere were.
    fn nodes(&self, findings: &mut Findings) {
        let mut pods: BTreeMap<NodeId, (usize, bool, BTreeSet<WorkloadId>)> = BTreeMap::new();
        for (pod, id) in self.inventory.pods().iter().zip(0..) {
            let is_alive = pod.from <= self.span.last() && pod.until >= self.span.first();
            let Some(node) = pod.node.filter(|_| is_alive && !pod.is_on_host_network) else { continue };
            let (count, is_seen, workloads) = pods.entry(node).or_default();
            *is_seen |= self.observation.seen.contains(&crate::inventory::PodId(id));
            if self.subjects.contains(&pod.name.namespace) {
                *count += 1;
                workloads.insert(pod.workload);
            }
        }
        for (node, (count, is_seen, workloads)) in pods {
            if is_seen || count == 0 || self.observation.seen_nodes.contains(&node) {
                continue;
            }
            let names = workloads.iter().map(|&id| self.inventory.workload(id).name.to_string());
            let names: BTreeSet<String> = names.collect();
            let were =
                if count == 1 { "has one pod, which was not".to_owned() } else { format!("has {count} pods, none of which was") };
            let message = format!("{were} seen to send or answer anything: {}", some(names.iter().map(String::as_str)));
            findings.add(Code::NodeNotSeen, format!("node {}", self.inventory.node(node).name), message);
        }
    }
}

/// The first of these, and how many more there are.
fn some<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    let shown = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    if names.len() > NAMED { format!("{shown} and {} more", names.len() - NAMED) } else { shown }
}
