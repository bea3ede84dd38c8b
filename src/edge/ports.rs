//! Ports that a program picked for one occasion: no rule can be made of them that holds tomorrow.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU16;

use crate::model::{Edge, Evidence, Party, Protocol};

use super::roles::EPHEMERAL;

/// Connections to ports picked at run time (passive FTP, RPC call-backs), all ports of one pair together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DynamicPorts {
    /// Who opens and who is called; its port is the first seen.
    pub edge: Edge,
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
/// `tell` is told of each edge that goes.
pub(super) fn take_dynamic(
    edges: &mut BTreeMap<Edge, Evidence>,
    is_declared: impl Fn(&Edge) -> bool,
    mut tell: impl FnMut(&Edge, &Evidence),
) -> Vec<DynamicPorts> {
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
        tell(&edge, &evidence);
        match taken.entry((edge.originator.clone(), edge.responder.clone(), edge.protocol)) {
            Entry::Vacant(vacant) => {
                let ports = BTreeSet::from([edge.port]);
                vacant.insert(DynamicPorts { edge, ports, evidence });
            }
            Entry::Occupied(mut occupied) => {
                let known = occupied.get_mut();
                known.ports.insert(edge.port);
                known.evidence.merge(evidence);
            }
        }
    }
    taken.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DirectionEvidence, Span, Timestamp, WorkloadKind, WorkloadName};

    fn workload(name: &str) -> Party {
        let kind = WorkloadKind("Deployment".into());
        Party::Workload(WorkloadName { namespace: "n".into(), name: name.into(), kind }.into())
    }

    fn edges(calls: &[(&str, u16, u64)]) -> BTreeMap<Edge, Evidence> {
        let edge = |&(originator, port, connections): &(&str, u16, u64)| {
            let evidence = Evidence {
                connections,
                span: Span::at(Timestamp(0)),
                direction: DirectionEvidence::Syn,
                weakest: DirectionEvidence::Syn,
                weak: 0,
                mid_stream: 0,
                one_way: 0,
                called: None,
            };
            let port = NonZeroU16::new(port).unwrap();
            let edge = Edge { originator: workload(originator), responder: workload("ftp"), protocol: Protocol::Tcp, port };
            (edge, evidence)
        };
        calls.iter().map(edge).collect()
    }

    #[test]
    fn ports_picked_at_run_time_are_told_from_listeners() {
        /// What it shows, the calls (who, port, connections), the ports that remain edges.
        type Row<'a> = (&'a str, &'a [(&'a str, u16, u64)], &'a [u16]);
        let rows: [Row; 6] = [
            ("three one-off high ports", &[("a", 21, 3), ("a", 40001, 1), ("a", 40007, 1), ("a", 41000, 1)], &[21]),
            ("one-off ports from several callers", &[("a", 40001, 1), ("b", 40007, 1), ("a", 41000, 1)], &[]),
            ("two may be listeners called once", &[("a", 50051, 1), ("a", 50052, 1)], &[50051, 50052]),
            ("called again: a listener", &[("a", 40001, 2), ("a", 40007, 2), ("a", 41000, 2)], &[40001, 40007, 41000]),
            (
                "called by two: a listener",
                &[("a", 40001, 1), ("b", 40001, 1), ("a", 40007, 1), ("a", 41000, 1)],
                &[40001, 40007, 41000],
            ),
            ("low ports are never picked", &[("a", 8001, 1), ("a", 8002, 1), ("a", 8003, 1)], &[8001, 8002, 8003]),
        ];
        for (message, calls, expected) in rows {
            let mut edges = edges(calls);
            let all = edges.len();
            let dynamic = take_dynamic(&mut edges, |_| false, |_, _| {});
            let left: BTreeSet<u16> = edges.keys().map(|edge| edge.port.get()).collect();
            assert_eq!(left, expected.iter().copied().collect(), "{message}");
            let taken: usize = dynamic.iter().map(|dynamic| dynamic.ports.len()).sum();
            assert_eq!(taken + edges.len(), all, "{message}: nothing is lost");
        }
    }

    #[test]
    fn declared_ports_are_listeners_however_rarely_called() {
        let mut edges = edges(&[("a", 40001, 1), ("a", 40007, 1), ("a", 41000, 1), ("a", 42000, 1)]);
        let dynamic = take_dynamic(&mut edges, |edge| edge.port.get() == 40007, |_, _| {});
        assert_eq!(edges.len(), 1);
        assert_eq!((dynamic.len(), dynamic[0].ports.len(), dynamic[0].evidence.connections), (1, 3, 3));
    }
}
