//! Pods that no policy at hand can tell apart are one group: same namespace, same values of the labels that some selector looks
//! at, same numbers of the port names that some rule uses. Verdicts are worked out for groups, so a cluster of 150,000 pods
//! costs as much as its few thousand groups.

use std::collections::{BTreeMap, BTreeSet};

use super::cluster_view::{ClusterView, NamedPort};
use super::ports::PortSet;
use super::selector::Selector;
use super::spec::{Ports, Spec};
use crate::inventory::PodId;
use crate::model::Labels;

/// The position of a group in [`Groups`].
pub(super) type GroupId = u32;

/// Pods that are treated alike.
#[derive(Debug)]
pub(super) struct Group {
    /// The labels that selectors look at.
    labels: Labels,
    /// The named ports that rules name.
    ports: BTreeSet<NamedPort>,
}

/// The groups of one namespace, found by label.
#[derive(Debug, Default)]
struct Index {
    groups: Vec<GroupId>,
    by_label: BTreeMap<String, BTreeMap<String, Vec<GroupId>>>,
}

/// All groups.
#[derive(Debug)]
pub(super) struct Groups {
    all: Vec<Group>,
    /// The group of each pod; pods on the host network have none.
    of_pod: Vec<Option<GroupId>>,
    by_namespace: BTreeMap<String, Index>,
}

impl Group {
    pub(super) const fn labels(&self) -> &Labels {
        &self.labels
    }
}

impl Groups {
    pub(super) fn new(world: &ClusterView, specs: &[Spec]) -> Self {
        let keys: BTreeSet<&str> = specs.iter().flat_map(Spec::pod_selectors).flat_map(Selector::keys).collect();
        let names: BTreeSet<&str> =
            specs.iter().flat_map(Spec::rules).flat_map(|rule| &rule.ports.named).map(|(_, name)| name.as_str()).collect();
        let mut alike: BTreeMap<_, Vec<PodId>> = BTreeMap::new();
        for (id, pod) in world.pods().filter(|(_, pod)| !pod.is_on_host_network) {
            let labels: Vec<(&String, &String)> = pod.labels.iter().filter(|(key, _)| keys.contains(key.as_str())).collect();
            let ports: BTreeSet<&NamedPort> = pod.named_ports.iter().filter(|port| names.contains(port.name.as_str())).collect();
            alike.entry((&pod.name.namespace, labels, ports)).or_default().push(id);
        }
        let mut groups = Self { all: Vec::new(), of_pod: vec![None; world.pods.len()], by_namespace: BTreeMap::new() };
        for (id, ((namespace, labels, ports), pods)) in (0..).zip(alike) {
            for pod in &pods {
                groups.of_pod[pod.0 as usize] = Some(id);
            }
            let index = groups.by_namespace.entry(namespace.clone()).or_default();
            index.groups.push(id);
            for (key, value) in &labels {
                index.by_label.entry((*key).clone()).or_default().entry((*value).clone()).or_default().push(id);
            }
            groups.all.push(Group {
                labels: labels.into_iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
                ports: ports.into_iter().cloned().collect(),
            });
        }
        groups
    }

    pub(super) fn get(&self, id: GroupId) -> &Group {
        &self.all[id as usize]
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The pod's group; none for a pod on the host network.
    pub(super) fn of_pod(&self, pod: PodId) -> Option<GroupId> {
        self.of_pod.get(pod.0 as usize).copied().flatten()
    }

    /// The groups that the selector matches in one namespace, in order.
    pub(super) fn select(&self, namespace: &str, selector: &Selector) -> Vec<GroupId> {
        let Some(index) = self.by_namespace.get(namespace) else { return Vec::new() };
        let mut candidates: Vec<GroupId> = match selector.anchor() {
            None => index.groups.clone(),
            Some((key, values)) => match index.by_label.get(key) {
                None => Vec::new(),
                Some(by_value) => values.iter().filter_map(|value| by_value.get(value)).flatten().copied().collect(),
            },
        };
        candidates.retain(|&id| selector.matches(&self.get(id).labels));
        candidates.sort_unstable();
        candidates
    }
}

impl Ports {
    /// The numbers on a responder of this group; on an address (`None`) names mean nothing.
    pub(super) fn on(&self, responder: Option<&Group>) -> PortSet {
        let mut ports = self.numbered.clone();
        for (protocol, name) in &self.named {
            let meant = responder.into_iter().flat_map(|group| &group.ports);
            for port in meant.filter(|port| port.protocol == *protocol && port.name == *name) {
                ports.insert(*protocol, port.port, port.port);
            }
        }
        ports
    }
}
