//! What several snapshots say of one object, put together.
//!
//! Guaranteed: the order in which snapshots are read makes no difference. So they are kept side by side until all are there.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use ipnet::IpNet;

use super::object::{Body, NetworkBody, NodeBody, Object, OwnerBody, Subset};

/// The different states of one object.
#[derive(Clone, Debug, Default)]
pub(super) struct Versions(Vec<Object>);

impl Versions {
    pub(super) fn add(&mut self, object: Object) {
        if !self.0.contains(&object) {
            // Mostly there is one, and a list's usual first room is for four.
            self.0.reserve_exact(1);
            self.0.push(object);
        }
    }

    /// The newest state, with what older ones knew of addresses, owners and ends. `None` if there was none.
    pub(super) fn merged(mut self) -> Option<Object> {
        self.0.sort_by(compare);
        self.0.into_iter().reduce(merge)
    }
}

/// By `resourceVersion`; states without one, or (from other clusters) with the same, by what shows that time went on, and then
/// by anything that does not depend on the order of reading.
fn compare(one: &Object, other: &Object) -> Ordering {
    let age = |object: &Object| {
        let finished = match &object.body {
            Body::Pod(pod) => pod.finished,
            _ => None,
        };
        (object.metadata.version, object.metadata.created, object.metadata.deleted, finished)
    };
    age(one).cmp(&age(other)).then_with(|| format!("{one:?}").cmp(&format!("{other:?}")))
}

/// A state with what an older one knew of addresses, owners and ends.
pub(super) fn merge(older: Object, mut newer: Object) -> Object {
    if let Body::Pod(pod) = &mut newer.body {
        let (now, then) = (&*newer.metadata.labels, &*older.metadata.labels);
        let keys = now.keys().chain(then.keys());
        pod.changed_labels.extend(keys.filter(|key| now.get(*key) != then.get(*key)).cloned());
    }
    let metadata = &mut newer.metadata;
    metadata.version = metadata.version.or(older.metadata.version);
    metadata.controller = metadata.controller.take().or(older.metadata.controller);
    metadata.created = earliest(metadata.created, older.metadata.created);
    metadata.deleted = metadata.deleted.or(older.metadata.deleted);
    match (&mut newer.body, older.body) {
        (Body::Pod(newer), Body::Pod(older)) => {
            newer.node = newer.node.take().or(older.node);
            newer.addresses.extend(older.addresses);
            for (address, network) in older.secondary {
                newer.secondary.entry(address).or_insert(network);
            }
            newer.node_addresses.extend(older.node_addresses);
            newer.started = earliest(newer.started, older.started);
            newer.talks_from = earliest(newer.talks_from, older.talks_from);
            newer.gone = earliest(newer.gone, older.gone);
            newer.finished = newer.finished.or(older.finished);
            for (address, hold) in older.holds {
                let known = newer.holds.entry(address).or_insert(hold);
                known.seen = earliest(known.seen, hold.seen);
            }
            newer.is_over |= older.is_over;
            newer.changed_labels.extend(older.changed_labels);
        }
        (Body::Node(newer), Body::Node(older)) => merge_node(newer, *older),
        (Body::Network(newer), Body::Network(older)) => merge_network(newer, *older),
        (Body::Service(newer), Body::Service(older)) => {
            newer.cluster_addresses.extend(older.cluster_addresses);
            newer.outside_addresses.extend(older.outside_addresses);
        }
        (Body::Endpoints(newer), Body::Endpoints(older)) => merge_subsets(&mut newer.subsets, older.subsets),
        (Body::Owner(newer), Body::Owner(older)) | (Body::Other(newer), Body::Other(older)) => merge_owner(newer, older),
        _ => {}
    }
    newer
}

/// Takes over what else is said of a node.
pub(super) fn merge_node(newer: &mut NodeBody, older: NodeBody) {
    newer.addresses.extend(older.addresses);
    for (address, interface) in older.interfaces {
        newer.interfaces.entry(address).or_insert(interface);
    }
    union(&mut newer.pod_ranges, older.pod_ranges);
    union(&mut newer.masquerade_ranges, older.masquerade_ranges);
    union(&mut newer.arguments.pod_ranges, older.arguments.pod_ranges);
    union(&mut newer.arguments.service_ranges, older.arguments.service_ranges);
    newer.plugins.extend(older.plugins);
    newer.cloud = newer.cloud.or(older.cloud);
}

/// Takes over what else objects of network plug-ins say.
pub(super) fn merge_network(newer: &mut NetworkBody, older: NetworkBody) {
    for (name, node) in older.nodes {
        merge_node(newer.nodes.entry(name).or_default(), node);
    }
    union(&mut newer.pod_ranges, older.pod_ranges);
    union(&mut newer.service_ranges, older.service_ranges);
    newer.allocated.extend(older.allocated);
    newer.is_flat |= older.is_flat;
}

fn union(ranges: &mut Vec<IpNet>, others: Vec<IpNet>) {
    let all: BTreeSet<IpNet> = ranges.drain(..).chain(others).collect();
    ranges.extend(all);
}

/// Endpoints come and go one by one: what has the same ports becomes one subset, unless an address went from pod to pod.
fn merge_subsets(newer: &mut BTreeSet<Subset>, older: BTreeSet<Subset>) {
    for mut subset in older {
        let agrees = |known: &&Subset| {
            let same = |(address, pod)| known.addresses.get(address).is_none_or(|known| known == pod);
            known.ports == subset.ports && subset.addresses.iter().all(same)
        };
        if let Some(known) = newer.iter().find(agrees).cloned() {
            newer.remove(&known);
            subset.addresses.extend(known.addresses);
        }
        newer.insert(subset);
    }
}

fn merge_owner(newer: &mut OwnerBody, older: OwnerBody) {
    newer.selector = newer.selector.take().or(older.selector);
    newer.template = newer.template.take().or(older.template);
    newer.stem = newer.stem.take().or(older.stem);
    newer.schedule = newer.schedule.take().or(older.schedule);
}

/// The earlier of two times, of which either may be unknown.
pub(super) fn earliest<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
