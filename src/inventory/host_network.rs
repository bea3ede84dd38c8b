//! What runs on the network of a node: to others, its traffic is the node's.

use std::collections::BTreeSet;

use super::{Inventory, NodeId, PodId, WorkloadId};
use crate::model::Protocol;

/// The most names in one message.
const NAMED: usize = 4;

/// Parts of the names of programs that take calls from outside for Ingresses and Gateways.
const CONTROLLERS: &[&str] = &["ingress", "traefik", "haproxy", "contour", "envoy", "kong", "nginx-gateway", "router-default"];

/// A workload with pods on a node's network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostWorkload {
    /// The workload.
    pub workload: WorkloadId,
    /// Whether it is taken for an ingress controller.
    pub is_ingress_controller: bool,
}

impl Inventory {
    /// The workloads on a node's network, in order.
    #[must_use]
    pub fn host_workloads(&self, node: NodeId) -> Vec<HostWorkload> {
        let pods = self.host_pods.get(&node).into_iter().flatten();
        let workloads: BTreeSet<HostWorkload> = pods
            .map(|&pod| HostWorkload { workload: self.pod(pod).workload, is_ingress_controller: self.is_ingress_controller(pod) })
            .collect();
        workloads.into_iter().collect()
    }

    /// Who may have called from a node's address, in words: the ingress controllers on its network, or else all workloads there;
    /// nothing where there are none.
    #[must_use]
    pub fn hosted(&self, node: NodeId) -> Option<String> {
        let all = self.host_workloads(node);
        let has_controller = all.iter().any(|hosted| hosted.is_ingress_controller);
        let meant = all.iter().filter(|hosted| hosted.is_ingress_controller == has_controller);
        let names: BTreeSet<String> = meant.map(|hosted| self.workload(hosted.workload).name.to_string()).collect();
        let shown = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(" or ");
        match names.len() {
            0 => None,
            1..=NAMED => Some(shown),
            count => Some(format!("{shown} or {} more", count - NAMED)),
        }
    }

    /// Whether a pod on a node's network is an ingress controller: by its name, or because it declares both ports of the web. Wrong
    /// for a web server that serves its own pages there.
    fn is_ingress_controller(&self, pod: PodId) -> bool {
        let pod = self.pod(pod);
        let names = [&pod.name.name, &self.workload(pod.workload).name.name];
        let labels = ["app.kubernetes.io/name", "app", "k8s-app"];
        let labels = labels.iter().filter_map(|key| pod.labels.get(*key));
        let is_named = names.into_iter().chain(labels).any(|name| CONTROLLERS.iter().any(|part| name.contains(part)));
        let declares = |port| pod.ports.iter().any(|own| own.protocol == Protocol::Tcp && own.port == port);
        is_named || declares(80) && declares(443)
    }
}
