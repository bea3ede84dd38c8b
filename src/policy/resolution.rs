//! Name resolution: one policy for a namespace, or one for each workload that asked.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Class, Edge, Evidence, Peer, PolicyPort, WorkloadName};

use super::classify::Sorter;
use super::draft::{Direction, Draft, DraftKey};

/// Peers that resolve names, each with its ports and grounds.
pub(super) type Resolvers<'a> = BTreeMap<Peer, (BTreeSet<PolicyPort>, BTreeMap<&'a Edge, &'a Evidence>)>;

impl Sorter<'_> {
    /// One policy for the namespace when all its workloads asked the cluster's resolver or its cache on the node, else one for each
    /// that did.
    pub(super) fn finish_resolution(&mut self, workloads: &BTreeMap<String, BTreeSet<WorkloadName>>, for_all: bool) {
        for (namespace, asked) in std::mem::take(&mut self.resolvers) {
            let all = workloads.get(&namespace).cloned().unwrap_or_default();
            let peers: BTreeSet<Vec<&Peer>> = asked.values().map(|resolvers| resolvers.keys().collect()).collect();
            let differ = peers.len() > 1;
            let is_everyone = asked.len() == all.len();
            let one = is_everyone || for_all;
            for (workload, resolvers) in &asked {
                let (subject, name) = if one {
                    (None, "allow-allpods-to-dns".to_owned())
                } else {
                    (Some(workload.clone()), format!("allow-{}-to-dns", self.short.of(workload)))
                };
                let key = DraftKey {
                    namespace: namespace.clone(),
                    class: Class::Dns,
                    direction: Direction::Egress,
                    subject,
                    group: String::new(),
                };
                let draft = self.drafts.entry(key).or_insert_with(|| Draft::named(name));
                if is_everyone && differ {
                    draft.notes.insert(
                        "Wider than what was seen: some asked the cache on their node only, some the resolver itself.".into(),
                    );
                }
                if for_all && !is_everyone {
                    draft.notes.insert(
                        "Wider than what was seen: all pods of the namespace may resolve names (--dns namespace).".into(),
                    );
                }
                for (peer, (ports, grounds)) in resolvers {
                    for (edge, evidence) in grounds {
                        draft.allow(peer, ports, edge, evidence);
                    }
                }
            }
        }
    }
}
