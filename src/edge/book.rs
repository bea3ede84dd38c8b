//! Names that pods asked for, by pod instead of by address.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use crate::flow::Names;
use crate::inventory::{Identity, Inventory, PodId, ServiceType};
use crate::model::{SeededMap, SeededSet, Timestamp};

/// Resolvers on the pod may keep an answer longer than it says; this much longer (nanoseconds) is believed without doubt.
const GRACE: i64 = 60 * 1_000_000_000;

/// Which name a pod had asked for when it called an address.
///
/// Keyed by pod, not by its address: a pod with two families asks over one for addresses of the other, and an address may pass
/// to another pod.
#[derive(Debug, Default)]
pub(super) struct NameBook {
    answers: SeededMap<(PodId, IpAddr), BTreeSet<Answer>>,
    /// Addresses that pods asked for by names that are not the cluster's own.
    outside: SeededSet<IpAddr>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Answer {
    at: Timestamp,
    until: Timestamp,
    name: Arc<str>,
}

impl NameBook {
    pub(super) fn new(names: &Names, inventory: &Inventory) -> Self {
        let mut answers: SeededMap<(PodId, IpAddr), BTreeSet<Answer>> = SeededMap::default();
        let mut outside = SeededSet::default();
        for answer in names.iter() {
            if let Identity::Pod(asker) = inventory.identify(answer.asker, answer.at) {
                let until = answer.at.plus(i64::from(answer.time_to_live) * 1_000_000_000 + GRACE);
                if !is_of_cluster(&answer.name, inventory) {
                    outside.insert(answer.address);
                }
                answers.entry((asker, answer.address)).or_default().insert(Answer {
                    at: answer.at,
                    until,
                    name: answer.name.into(),
                });
            }
        }
        Self { answers, outside }
    }

    /// Who asked at any time for a name of which address.
    pub(super) fn asked(&self) -> impl Iterator<Item = (PodId, IpAddr)> {
        self.answers.keys().copied()
    }

    /// All answers: who asked, for which name, and an address that it led to.
    pub(super) fn answers(&self) -> impl Iterator<Item = (PodId, &Arc<str>, IpAddr)> {
        self.answers
            .iter()
            .flat_map(|(&(asker, address), answers)| answers.iter().map(move |answer| (asker, &answer.name, address)))
    }

    /// Whether this pod asked at any time for a name of this address.
    pub(super) fn has_asked(&self, asker: PodId, address: IpAddr) -> bool {
        self.answers.contains_key(&(asker, address))
    }

    /// Whether a pod asked for this address by a name that is not the cluster's own.
    pub(super) fn is_named_outside(&self, address: IpAddr) -> bool {
        self.outside.contains(&address)
    }

    /// The name this pod asked for last before `at`, of those still valid then; an expired one only if there is no other name
    /// for the address, for programs that resolve once when they start. Wrong where such a program's address has since been
    /// given to another name that the pod never asked for.
    pub(super) fn name(&self, asker: PodId, address: IpAddr, at: Timestamp) -> Option<&Arc<str>> {
        let answers = self.answers.get(&(asker, address))?;
        let before = answers.iter().take_while(|answer| answer.at <= at);
        let valid = before.clone().filter(|answer| answer.until >= at).last();
        let only = || {
            let mut before = before.clone();
            let first = before.next()?;
            before.all(|answer| answer.name == first.name).then_some(first)
        };
        valid.or_else(only).map(|answer| &answer.name)
    }
}

/// Whether a name is one that the cluster's own resolver makes up, whatever the cluster's domain: `SERVICE.NAMESPACE.svc.DOMAIN`,
/// with a pod's name before it, `ADDRESS.NAMESPACE.pod.DOMAIN`. An `ExternalName` is only another word for a name outside. A name
/// without a dot may be completed by anybody. Wrong for a name outside that has `svc` or `pod` as its third part.
fn is_of_cluster(name: &str, inventory: &Inventory) -> bool {
    let parts: Vec<&str> = name.split('.').collect();
    let is_kind = parts.iter().skip(2).any(|part| matches!(*part, "svc" | "pod"));
    let leads_outside = || {
        let mut services = inventory.services().iter().filter(|service| service.kind == ServiceType::ExternalName);
        parts.get(2) == Some(&"svc")
            && services.any(|service| [parts[0], parts[1]] == [service.name.as_str(), &service.namespace])
    };
    parts.len() < 2 || is_kind && !leads_outside()
}
