//! Objects of any number of snapshots in, one inventory out.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use super::Inventory;
use super::assemble::Parts;
use super::declared::Declarations;
use super::merge::Versions;
use super::object::{Body, Object};
use super::snapshot::{self, Snapshot};
use crate::model::Findings;

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
    /// Of the snapshot at hand, who has each address and has not ended.
    claims: BTreeMap<IpAddr, BTreeSet<Key>>,
    /// Of all snapshots before, the addresses that several had at once, and who.
    contested: BTreeMap<Key, BTreeSet<IpAddr>>,
    unknown: BTreeMap<String, u64>,
    findings: Findings,
}

/// What makes states states of one object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    kind: String,
    namespace: String,
    name: String,
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
        let snapshot = snapshot::read_value(value, "object");
        self.apply_snapshot(snapshot);
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
        for (address, claimants) in std::mem::take(&mut self.claims) {
            if claimants.len() > 1 {
                for claimant in claimants {
                    self.contested.entry(claimant).or_default().insert(address);
                }
            }
        }
    }

    /// Adds one object as the snapshot at hand has it.
    pub fn apply(&mut self, object: Object) {
        if let Body::Other(other) = &object.body
            && other.selector.is_none()
            && object.metadata.controller.is_none()
        {
            // It could be no link of any chain. Secrets and Events come in great numbers: they are not kept.
            *self.unknown.entry(object.kind).or_default() += 1;
            return;
        }
        let key = Key::of(&object);
        if let Body::Pod(pod) = &object.body
            && !pod.is_on_host_network
            && !pod.is_over
            && object.metadata.deleted.is_none()
        {
            // What it is known to have lost it does not claim.
            let holds = |address: &&IpAddr| pod.holds.get(address).is_none_or(|hold| hold.until.is_none());
            for address in pod.addresses.iter().filter(holds) {
                self.claims.entry(*address).or_default().insert(key.clone());
            }
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
            let contested = self.contested.remove(&key).unwrap_or_default();
            if let Some(object) = versions.merged() {
                declarations.take_in(&object);
                parts.sort_in(object, contested);
            }
        }
        Inventory { declarations, ..parts.build(options) }
    }
}
