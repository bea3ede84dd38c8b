//! Name resolution: one policy for a namespace, or one for each workload that asked.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU16;

use crate::inventory::{Inventory, WorkloadId};
use crate::model::{Class, Edge, Evidence, Party, Peer, PolicyPort, Protocol, WorkloadName};

use super::builder::RuleBuilder;
use super::draft::{Direction, Draft, DraftKey};
use super::set::{DnsScope, PolicyOptions};

/// Peers that resolve names, each with its ports and grounds.
pub(super) type Resolvers<'a> = BTreeMap<Peer, (BTreeSet<PolicyPort>, BTreeMap<&'a Edge, &'a Evidence>)>;

/// The ports on which a resolver answers; nothing if the edge is no name resolution. It answers over both protocols: an answer over
/// UDP that was cut off is asked for again over TCP (RFC 7766, section 5).
pub(super) fn resolver_ports(
    edge: &Edge,
    inventory: &Inventory,
    ids: &BTreeMap<&WorkloadName, WorkloadId>,
) -> BTreeSet<PolicyPort> {
    let ports = match &edge.responder {
        Party::Workload(workload) => match ids.get(&**workload).and_then(|id| inventory.resolvers().get(id)) {
            Some(ports) if ports.contains(&(edge.protocol, edge.port.get())) => ports.clone(),
            _ => BTreeSet::new(),
        },
        Party::NodeLocalDns(_) => BTreeSet::from([(Protocol::Tcp, edge.port.get()), (Protocol::Udp, edge.port.get())]),
        _ => BTreeSet::new(),
    };
    ports.into_iter().filter_map(|(protocol, port)| Some(PolicyPort::single(protocol, NonZeroU16::new(port)?))).collect()
}

/// Whether all pods of a namespace may resolve names, of whose workloads so many did.
pub(super) fn is_for_all(asked: usize, all: usize, options: &PolicyOptions) -> bool {
    asked == all || options.dns == DnsScope::Namespace
}

impl RuleBuilder<'_> {
    /// One policy for the namespace when all its workloads asked the cluster's resolver or its cache on the node, else one for each
    /// that did.
    pub(super) fn finish_resolution(&mut self, workloads: &BTreeMap<String, BTreeSet<WorkloadName>>) {
        let for_all = self.options.dns == DnsScope::Namespace;
        for (namespace, asked) in std::mem::take(&mut self.resolvers) {
            let all = workloads.get(&namespace).cloned().unwrap_or_default();
            let peers: BTreeSet<Vec<&Peer>> = asked.values().map(|resolvers| resolvers.keys().collect()).collect();
            let differ = peers.len() > 1;
            let is_everyone = asked.len() == all.len();
            let one = is_for_all(asked.len(), all.len(), self.options);
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
