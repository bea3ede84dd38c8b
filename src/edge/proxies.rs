//! Peers that are proxies: who talks through one, and which rules open more than one port by it.

use std::collections::{BTreeMap, BTreeSet};

use crate::inventory::{HBONE, Inventory, LINKERD_INBOUND, WorkloadId};
use crate::model::{Code, Edge, Evidence, Findings, Party, Protocol, WorkloadName};

/// What is to be said of side-cars of the workloads that took part, and of edges to a mesh's port for everything.
pub(super) fn findings(
    edges: &BTreeMap<Edge, Evidence>,
    active: &BTreeSet<WorkloadId>,
    ids: &BTreeMap<&WorkloadName, WorkloadId>,
    inventory: &Inventory,
) -> Findings {
    let mut findings = Findings::default();
    for &workload in active {
        if let Some(proxy) = inventory.sidecar(workload) {
            let message = format!("talks through its side-car {proxy}");
            findings.add(Code::ProxyPeer, inventory.workload(workload).name.to_string(), message);
        }
    }
    let id = |party: &Party| if let Party::Workload(name) = party { ids.get(&**name).copied() } else { None };
    for edge in edges.keys().filter(|edge| edge.protocol == Protocol::Tcp) {
        let port = edge.port.get();
        let carrier = match port {
            HBONE => "Istio's HBONE",
            LINKERD_INBOUND => "Linkerd's proxy",
            _ => continue,
        };
        // The client's own mesh tells as much: a proxy calls that port only where it expects another. Without a sign of a mesh,
        // a port that the workload declares is its own affair.
        let ends = [id(&edge.originator), id(&edge.responder)];
        let mut meshes = ends.into_iter().flatten().filter_map(|workload| inventory.mesh(workload));
        let is_declared = || ends[1].is_some_and(|workload| inventory.workload_declares(workload, Protocol::Tcp, port));
        if meshes.any(|mesh| mesh.carries_every_port(port)) || !is_declared() {
            let message = format!(
                "{carrier} carries connections to every port: a rule for TCP {port} opens all ports of {}",
                edge.responder
            );
            findings.add(Code::ProxyPeer, edge.to_string(), message);
        }
    }
    findings
}
