//! Objects of any number of snapshots in, one inventory out.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use super::Inventory;
use super::assemble::Parts;
use super::expected_calls::Declarations;
use super::merge::Versions;
use super::object::{Body, Object};
use super::snapshot::{self, Snapshot};
use super::together::{State, Together};
use crate::model::{Findings, Span};

/// What a person says of the cluster beside its objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InventoryOptions {
    /// Ranges from which pods get addresses; if there are any, none is guessed.
    pub pod_ranges: Vec<IpNet>,
    /// Ranges from which Services get addresses; if there are any of a family, none of it is guessed.
    pub service_ranges: Vec<IpNet>,
}

/// Collects objects; the order makes no difference.
#[derive(Clone, Debug, Default)]
pub struct InventoryBuilder {
    objects: BTreeMap<Key, Versions>,
    /// The pods of the file at hand.
    file: Vec<(Key, State)>,
    /// The pods of the snapshot at hand.
    together: Together,
    /// What snapshots before say of addresses that several pods have, by pod.
    shared: BTreeMap<Key, Shared>,
    unknown: BTreeMap<String, u64>,
    findings: Findings,
}

/// What a snapshot says of the addresses that a pod shares with others.
#[derive(Clone, Debug, Default)]
pub(super) struct Shared {
    /// Those that another had as well, with both of them running.
    pub(super) contested: BTreeSet<IpAddr>,
    /// When others had them that have ended.
    pub(super) had_before: BTreeMap<IpAddr, BTreeSet<Span>>,
    /// Those that another has, which started before this one did; this one has ended nobody knows when.
    pub(super) lost: BTreeSet<IpAddr>,
}

/// What makes states states of one object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    kind: String,
    pub(super) namespace: String,
    pub(super) name: String,
    /// Of a pod its uid, because names of pods come again (`db-0`); of all other objects nothing, because a Deployment deleted
    /// and made anew is the same workload.
    identity: String,
    /// Whether the API's own kind is meant, and not one of the same name (Knative has a `Service` beside each Service).
    is_built_in: bool,
}

impl Key {
    pub(super) fn of(object: &Object) -> Self {
        let metadata = &object.metadata;
        let identity = match &object.body {
            Body::Pod(_) if !metadata.uid.is_empty() => metadata.uid.clone(),
            Body::Pod(pod) => metadata.created.or(pod.started).map_or_else(String::new, |time| time.0.to_string()),
            _ => String::new(),
        };
        Self {
            kind: object.kind.clone(),
            namespace: metadata.namespace.clone(),
            name: metadata.name.clone(),
            identity,
            // Last in order, so that the API's own kind is what remains where both would own pods of one name.
            is_built_in: !matches!(object.body, Body::Other(_)),
        }
    }
}

impl InventoryBuilder {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an object or a list of them, as the API or a serializer gives it; what cannot be read is a finding.
    pub fn apply_value(&mut self, value: serde_json::Value) {
        self.apply_values([value]);
    }

    /// Adds objects, or lists of them, that were seen at one time.
    pub fn apply_values(&mut self, values: impl IntoIterator<Item = serde_json::Value>) {
        for value in values {
            let snapshot = snapshot::read_value(value, "object");
            self.report(snapshot.findings);
            for object in snapshot.objects {
                self.apply(object);
            }
        }
        self.end_snapshot();
    }

    /// Adds all objects of a snapshot, and what was found while reading it.
    pub fn apply_snapshot(&mut self, snapshot: Snapshot) {
        self.report(snapshot.findings);
        for object in snapshot.objects {
            self.apply(object);
        }
        self.end_snapshot();
    }

    /// What is added from here on was seen at another time: that two pods have one address then is no contradiction.
    pub fn end_snapshot(&mut self) {
        self.together.add(std::mem::take(&mut self.file));
        std::mem::take(&mut self.together).conclude(&mut self.shared);
    }

    /// A file of a directory ends, of which many may be one snapshot: a dump has one for each namespace, or for each object. `is_list`
    /// if it is meant to hold all pods of its namespaces.
    pub(super) fn end_file(&mut self, is_list: bool) {
        let file = std::mem::take(&mut self.file);
        if !self.together.is_of_one_time(&file, is_list) {
            std::mem::take(&mut self.together).conclude(&mut self.shared);
        }
        self.together.add_file(file, is_list);
    }

    /// Adds one object as the snapshot at hand has it.
    pub fn apply(&mut self, object: Object) {
        if let Body::Other(other) = &object.body
            && other.selector.is_none()
            && other.template.is_none()
            && other.stem.is_none()
            && object.metadata.controller.is_none()
        {
            // It could be no link of any chain, and says nothing of pods. Secrets and Events come in great numbers: they are not kept.
            *self.unknown.entry(object.kind).or_default() += 1;
            return;
        }
        let key = Key::of(&object);
        if let Some(state) = State::of(&object) {
            self.file.push((key.clone(), state));
        }
        self.objects.entry(key).or_default().add(object);
    }

    /// Takes over what was found while the objects were read.
    pub fn report(&mut self, findings: Findings) {
        self.findings.merge(findings);
    }

    /// The inventory of all objects so far.
    #[must_use]
    pub fn build(mut self, options: &InventoryOptions) -> Inventory {
        self.end_snapshot();
        let mut parts = Parts::new(self.findings, self.unknown);
        let mut declarations = Declarations::default();
        for (key, versions) in self.objects {
            let shared = self.shared.remove(&key).unwrap_or_default();
            if let Some(object) = versions.merged() {
                declarations.take_in(&object);
                parts.sort_in(object, shared);
            }
        }
        Inventory { declarations, ..parts.build(options) }
    }
}
