//! Ports that a program picked for one occasion: no rule can be made of them that holds tomorrow.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU16;

use crate::model::{Edge, Evidence, Party, Protocol};

use super::roles::EPHEMERAL;

/// Connections to ports picked at run time (passive FTP, RPC call-backs), all ports of one pair together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DynamicPorts {
    /// Who opens.
    pub originator: Party,
    /// Who is called.
    pub responder: Party,
    /// The transport protocol.
    pub protocol: Protocol,
    /// The ports seen.
    pub ports: BTreeSet<NonZeroU16>,
    /// Why it is believed.
    pub evidence: Evidence,
}

/// Fewer one-off ports than this at one responder are taken for what they may well be: a listener called once (gRPC on 50051).
const PICKED: usize = 3;

/// The control port of FTP (RFC 959): whoever speaks it names ports for its data, in either direction.
const FTP: u16 = 21;

/// Takes the edges to picked ports out of `edges`: high ports that nobody declares, each called just once, three or more of
/// them at one responder, or any between two that speak FTP. Wrong where a workload really listens on three high ports, declares none and was called once on each.
pub(super) fn take_dynamic(edges: &mut BTreeMap<Edge, Evidence>, is_declared: impl Fn(&Edge) -> bool) -> Vec<DynamicPorts> {
    let mut calls: BTreeMap<(Party, Protocol, NonZeroU16), u64> = BTreeMap::new();
    for (edge, evidence) in edges.iter() {
        if edge.port.get() >= EPHEMERAL && !is_declared(edge) {
            *calls.entry((edge.responder.clone(), edge.protocol, edge.port)).or_default() += evidence.connections;
        }
    }
    let mut picked: BTreeMap<(Party, Protocol), BTreeSet<NonZeroU16>> = BTreeMap::new();
    for ((responder, protocol, port), calls) in calls {
        if calls == 1 {
            picked.entry((responder, protocol)).or_default().insert(port);
        }
    }
    let is_ftp = |edge: &&Edge| edge.protocol == Protocol::Tcp && edge.port.get() == FTP;
    let ftp: BTreeSet<(Party, Party)> =
        edges.keys().filter(is_ftp).map(|edge| (edge.originator.clone(), edge.responder.clone())).collect();

    let is_picked = |edge: &Edge| {
        let (one, other) = (edge.originator.clone(), edge.responder.clone());
        let ports = picked.get(&(edge.responder.clone(), edge.protocol)).filter(|ports| ports.contains(&edge.port));
        ports.is_some_and(|ports| {
            ports.len() >= PICKED || ftp.contains(&(one.clone(), other.clone())) || ftp.contains(&(other, one))
        })
    };
    let mut taken: BTreeMap<(Party, Party, Protocol), DynamicPorts> = BTreeMap::new();
    for (edge, evidence) in edges.extract_if(.., |edge, _| is_picked(edge)) {
        let Edge { originator, responder, protocol, port } = edge;
        match taken.entry((originator, responder, protocol)) {
            std::collections::btree_map::Entry::Vacant(vacant) => {
                let (originator, responder, protocol) = vacant.key().clone();
                vacant.insert(DynamicPorts { originator, responder, protocol, ports: BTreeSet::from([port]), evidence });
            }
            std::collections::btree_map::Entry::Occupied(mut occupied) => {
                let known = occupied.get_mut();
                known.ports.insert(port);
                known.evidence = known.evidence.clone().merge(evidence);
            }
        }
    }
    taken.into_values().collect()
}
