//! From all that was taken in to what was observed.

use std::collections::{BTreeMap, BTreeSet};

use crate::edge::classes::FlowClass;
use crate::edge::contradictions;
use crate::edge::observation::Observation;
use crate::edge::ports::{of_one_pod_each, take_dynamic};
use crate::edge::proxies;
use crate::inventory::{PodId, WorkloadId};
use crate::model::{Edge, Evidence, Party, Protocol, WorkloadName};

use super::{Kept, Observer};

impl Observer<'_> {
    /// What has been observed.
    pub fn conclude(mut self) -> Observation {
        let waiting = self.views.finish(self.inventory);
        self.connections(waiting);
        self.judge_one_way();
        self.tell_tried();
        self.tell_own_node();
        self.findings.merge(self.senders.forwarders(self.inventory));
        let inventory = self.inventory;
        let known = &self.edges;
        let mut failed_attempts = self.failures.failed_attempts(|link| known.contains(link));
        for (side, vain) in std::mem::take(&mut self.scans) {
            failed_attempts.entry(side).and_modify(|known| known.merge(vain)).or_insert(vain);
        }
        let mut failed = std::mem::take(&mut self.failed);
        if self.explains_failures() {
            failed.extend(self.failures.attempts(inventory, |link| known.contains(link)));
        }
        self.findings.merge(std::mem::take(&mut self.failures).findings(|link| known.contains(link)));
        self.findings.merge(std::mem::take(&mut self.passed_on).findings(|link| known.contains(link)));
        self.findings.merge(std::mem::take(&mut self.masked).findings());
        self.findings.merge(self.inputs.findings());
        self.findings.merge(std::mem::take(&mut self.one_sided).findings(&self.inputs));
        let unattributed = std::mem::take(&mut self.unattributed).conclude(inventory, |link| known.contains(link));
        self.answered.note(&mut self.edges);
        let contradicted = std::mem::take(&mut self.guesses).contradicted(&self.edges, inventory);
        let mut classes = self.classes;
        classes.add(FlowClass::OtherView, self.views.merged());
        let mut edges: BTreeMap<Edge, Evidence> = BTreeMap::new();
        // Of edges that have another number of conversations than their evidence has connections.
        let mut shared: BTreeMap<Edge, u64> = BTreeMap::new();
        for (link, Kept { evidence, own }) in self.edges.take() {
            classes.add(FlowClass::Edge, own);
            let edge = link.edge(inventory);
            if own != evidence.connections {
                shared.insert(edge.clone(), own);
            }
            edges.insert(edge, evidence);
        }
        let mut arrivals = std::mem::take(&mut self.arrivals);
        let workloads = inventory.workloads().iter().zip(0..).map(|(workload, id)| (&*workload.name, WorkloadId(id)));
        let ids: BTreeMap<&WorkloadName, WorkloadId> = workloads.collect();
        let called = |edge: &Edge| {
            let Party::Workload(name) = &edge.responder else { return None };
            ids.get(&**name).copied()
        };
        let is_declared =
            |edge: &Edge| called(edge).is_some_and(|id| inventory.workload_declares(id, edge.protocol, edge.port.get()));
        let only_pod = |edge: &Edge| called(edge).and_then(|id| self.called_pods.only((id, edge.protocol, edge.port)));
        let dynamic = take_dynamic(&mut edges, is_declared, only_pod, |edge, evidence| {
            // Nearly all were called once, so their evidence knows when.
            arrivals.remove(edge, evidence.span.first(), evidence.connections - evidence.one_way);
            let own = shared.get(edge).copied().unwrap_or(evidence.connections);
            classes.reclassify(FlowClass::Edge, FlowClass::DynamicPort, own);
        });
        self.findings.merge(of_one_pod_each(&edges, is_declared, only_pod));
        let one_way = edges.iter().filter(|(edge, evidence)| {
            edge.protocol == Protocol::Udp && evidence.one_way > 0 && evidence.one_way == evidence.connections
        });
        let one_way = one_way.map(|(edge, evidence)| (edge.clone(), shared.get(edge).copied().unwrap_or(evidence.connections)));
        let one_way = one_way.collect();
        self.findings.merge(contradictions::findings(&edges, &contradicted));
        let numbered = |is_there: &[bool]| -> Vec<u32> { (0..).zip(is_there).filter(|(_, is)| **is).map(|(id, _)| id).collect() };
        let active: BTreeSet<WorkloadId> = numbered(&self.active).into_iter().map(WorkloadId).collect();
        self.findings.merge(proxies::findings(&edges, &active, &ids, inventory));
        debug_assert_eq!(classes.total(), self.flows.values().sum::<u64>(), "each conversation is in one class");
        Observation {
            edges,
            dynamic,
            active,
            seen: numbered(&self.seen).into_iter().map(PodId).collect(),
            seen_nodes: self.seen_nodes,
            answered_own_node: self.answered_own_node,
            failed_attempts: failed_attempts.into_iter().map(|(side, vain)| (side.party(inventory), vain)).collect(),
            asked: self.asked,
            flows: self.flows,
            classes,
            one_way,
            failed,
            unattributed,
            span: self.span,
            arrivals,
            left_out: self.left_out,
            findings: self.findings,
        }
    }

    /// Whether the inventory holds policies that may be why attempts failed.
    pub(super) fn explains_failures(&self) -> bool {
        !self.inventory.existing_policies().is_empty()
    }
}
