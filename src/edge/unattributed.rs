//! Answered connections of workloads with addresses of which it is not known whose they were, bounded in number.
//!
//! What is kept does not depend on the order in which connections come.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::inventory::{Inventory, WorkloadId};
use crate::model::{Flow, Protocol, WorkloadName};

use super::link::Link;

/// Answered connections between one workload and one unattributed address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnattributedFlows {
    /// The workload.
    pub workload: Arc<WorkloadName>,
    /// Whether the workload was called; otherwise it called.
    pub is_called: bool,
    /// The address at the other end.
    pub address: IpAddr,
    /// The transport protocol.
    pub protocol: Protocol,
    /// The port that was called.
    pub port: u16,
    /// How many connections.
    pub connections: u64,
}

/// All answered connections with unattributed addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unattributed {
    /// In order of workload and address.
    pub flows: Vec<UnattributedFlows>,
    /// Connections beyond those; there were too many different ones.
    pub beyond: u64,
}

type Key = (WorkloadId, bool, IpAddr, Protocol, u16);

/// What is known so far.
#[derive(Debug, Default)]
pub(super) struct Unknowns {
    known: BTreeMap<Key, (u64, BTreeSet<Link>)>,
    beyond: u64,
}

impl Unknowns {
    /// Kept apart.
    const MOST: usize = 20_000;

    /// Counts an answered connection. `links` are the edges that it would be of those who may have had the address.
    pub(super) fn add(&mut self, workload: WorkloadId, is_called: bool, flow: &Flow, port: u16, links: &[Link]) {
        let address = if is_called { flow.originator.address } else { flow.responder.address };
        let (count, known) = self.known.entry((workload, is_called, address, flow.protocol, port)).or_default();
        *count += 1;
        known.extend(links);
        if self.known.len() > Self::MOST
            && let Some((_, (count, _))) = self.known.pop_last()
        {
            self.beyond += count;
        }
    }

    /// All of them. Whose an address was does not matter where each of those who may have had it did what `worked` at other
    /// times: a rule allows it.
    pub(super) fn conclude(self, inventory: &Inventory, worked: impl Fn(Link) -> bool) -> Unattributed {
        let open = self.known.into_iter().filter(|(_, (_, links))| links.is_empty() || !links.iter().copied().all(&worked));
        let flows = open.map(|((workload, is_called, address, protocol, port), (connections, _))| UnattributedFlows {
            workload: Arc::clone(&inventory.workload(workload).name),
            is_called,
            address,
            protocol,
            port,
            connections,
        });
        Unattributed { flows: flows.collect(), beyond: self.beyond }
    }
}
