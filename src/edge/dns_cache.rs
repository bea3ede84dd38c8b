//! Names that pods asked for, by pod instead of by address.
//!
//! In: DNS answers to questions that were seen, the inventory. Out: names, from whoever may give this pod names (see [`resolver`]). A pod
//! that has an accomplice answer it, or answers itself with the resolver's address, names nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::flow::Names;
use crate::inventory::{Identity, Inventory, PodId, ServiceType, WorkloadId};
use crate::model::{Code, Findings, SeededMap, SeededSet, Timestamp};

use super::resolver::{Answerer, answerer};
use super::spoofed_answers::SpoofedAnswers;

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
    /// Whose answers were not believed, by who asked them; nothing where no question is known.
    strangers: BTreeMap<WorkloadId, BTreeSet<Option<IpAddr>>>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Answer {
    at: Timestamp,
    until: Timestamp,
    name: Arc<str>,
}

impl NameBook {
    /// All answers but those that nobody sent.
    pub(super) fn new(names: &Names, inventory: &Inventory, spoofed: &SpoofedAnswers) -> Self {
        let mut answers: SeededMap<(PodId, IpAddr), BTreeSet<Answer>> = SeededMap::default();
        let mut outside = SeededSet::default();
        let mut strangers: BTreeMap<WorkloadId, BTreeSet<Option<IpAddr>>> = BTreeMap::new();
        for answer in names.iter().filter(|answer| !spoofed.has(answer)) {
            if let Identity::Pod(asker) = inventory.identify(answer.asker, answer.at) {
                match answerer(asker, answer.exchange.as_ref(), answer.at, inventory) {
                    Answerer::Resolver => {}
                    Answerer::Stranger(server) => {
                        strangers.entry(inventory.pod(asker).workload).or_default().insert(server);
                        continue;
                    }
                }
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
        Self { answers, outside, strangers }
    }

    /// Says whose answers were not believed.
    pub(super) fn note(&self, inventory: &Inventory, findings: &mut Findings) {
        for (workload, servers) in &self.strangers {
            let subject = inventory.workload(*workload).name.to_string();
            for server in servers {
                let message = match server {
                    Some(server) => format!("got DNS answers from {server}, which is no resolver of its own: they name nothing"),
                    None => {
                        "got DNS answers that a flow file of an earlier version does not say whose they are: they name nothing"
                            .into()
                    }
                };
                findings.add_once(Code::DnsAnswerNotUsed, subject.clone(), message);
            }
        }
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
