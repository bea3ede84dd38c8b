//! Ports that a program picked for one occasion: no rule can be made of them that holds tomorrow.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU16;

use crate::inventory::PodId;
use crate::model::{Code, Edge, Evidence, Findings, Party, Protocol};

use super::direction::EPHEMERAL;

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

/// Fewer one-off ports of the ephemeral range than this at one responder are taken for what they may well be: a listener called once
/// (gRPC on 50051).
const PICKED: usize = 3;
/// Below that range, so many one-off ports that one client called at one responder are no listeners.
const PICKED_BELOW: usize = 5;
/// So many ports within a [range](RANGE) that one client called at one responder are no listeners, however often it called them.
const MANY: usize = 8;
/// So many one-off ports within a range between two that speak FTP are for its data.
const OF_FTP: usize = 2;
/// What programs are given to pick from is seldom wider: Ceph's OSDs have 6800 to 7300 (`ms_bind_port_min`, `ms_bind_port_max`), FTP
/// servers often a hundred ports.
const RANGE: u16 = 1024;
/// A port among picked ones that was called so often may have been picked again.
const AGAIN: u64 = 3;
/// So many ports are named in a finding.
const NAMED: usize = 5;
/// Ports below are assigned by the system (RFC 6335, section 6); nobody picks them.
const SYSTEM: u16 = 1024;

/// The control port of FTP (RFC 959): whoever speaks it names ports for its data, in either direction.
const FTP: u16 = 21;

/// Calls to one undeclared port of a responder.
#[derive(Debug, Default)]
struct Calls {
    count: u64,
    by: BTreeSet<Party>,
    /// The only pod that was called there, as far as that is known.
    pod: Option<PodId>,
}

type Ports = BTreeMap<NonZeroU16, Calls>;

/// Takes the edges to picked ports out of `edges`. A port that somebody declares is never one of them. Of the others these are, one
/// responder's taken together:
///
/// - three or more of the ephemeral range, each called once;
/// - five or more below it, each called once, by one client;
/// - eight or more in a range of 1,024, called by one client;
/// - three or more in such a range, each on one pod only of a workload of which several pods were called there, and more than once;
/// - between two that speak FTP, any of the ephemeral range called once; below it two or more called once, and three or more in any
///   case, in such a range.
///
/// Where there are eight or more, what lies between them and was hardly called more often is one of them too. Wrong where a workload
/// really listens on that many ports and declares none of them; then it is told, and a declaration sets it right.
/// `pod` is the pod that was called, if it was the only one. `tell` is told of each edge that goes.
pub(super) fn take_dynamic(
    edges: &mut BTreeMap<Edge, Evidence>,
    is_declared: impl Fn(&Edge) -> bool,
    pod: impl Fn(&Edge) -> Option<PodId>,
    mut tell: impl FnMut(&Edge, &Evidence),
) -> Vec<DynamicPorts> {
    let mut by_responder: BTreeMap<(Party, Protocol), Ports> = BTreeMap::new();
    for (edge, evidence) in edges.iter() {
        if edge.port.get() >= SYSTEM && !is_declared(edge) {
            let ports = by_responder.entry((edge.responder.clone(), edge.protocol)).or_default();
            let calls = ports.entry(edge.port).or_default();
            calls.count += evidence.connections;
            calls.by.insert(edge.originator.clone());
            calls.pod = pod(edge);
        }
    }
    let is_control = |edge: &&Edge| edge.protocol == Protocol::Tcp && edge.port.get() == FTP;
    let controls = edges.keys().filter(is_control).map(|edge| (edge.originator.clone(), edge.responder.clone()));
    let ftp: BTreeSet<(Party, Party)> = controls.flat_map(|(one, other)| [(one.clone(), other.clone()), (other, one)]).collect();

    let picked: BTreeMap<(Party, Protocol), BTreeSet<NonZeroU16>> =
        by_responder.iter().map(|(key, ports)| (key.clone(), picked(&key.0, ports))).collect();
    let is_picked = |edge: &Edge| {
        let key = (edge.responder.clone(), edge.protocol);
        let Some(calls) = by_responder.get(&key).and_then(|ports| ports.get(&edge.port)) else { return false };
        picked.get(&key).is_some_and(|picked| picked.contains(&edge.port))
            || ftp.contains(&(edge.originator.clone(), edge.responder.clone())) && {
                let called = of_client(&by_responder[&key], &edge.originator);
                let is_once = |port: &&NonZeroU16| by_responder[&key][*port].count == 1;
                let once: BTreeSet<NonZeroU16> = called.iter().filter(is_once).copied().collect();
                edge.port.get() >= EPHEMERAL && calls.count == 1
                    || dense(&once, OF_FTP).contains(&edge.port)
                    || dense(&called, PICKED).contains(&edge.port)
            }
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

/// The picked ports of one responder.
fn picked(responder: &Party, ports: &Ports) -> BTreeSet<NonZeroU16> {
    let is_once = |(_, calls): &(&NonZeroU16, &Calls)| calls.count == 1;
    let mut picked: BTreeSet<NonZeroU16> =
        ports.iter().filter(is_once).map(|(port, _)| *port).filter(|port| port.get() >= EPHEMERAL).collect();
    if picked.len() < PICKED {
        picked.clear();
    }
    if matches!(responder, Party::Workload(_) | Party::Node(_)) {
        let clients: BTreeSet<&Party> = ports.values().flat_map(|calls| &calls.by).collect();
        for client in clients {
            let called = of_client(ports, client);
            let is_below = |port: &&NonZeroU16| port.get() < EPHEMERAL && ports.get(port).is_some_and(|calls| calls.count == 1);
            let below: BTreeSet<NonZeroU16> = called.iter().filter(is_below).copied().collect();
            if below.len() >= PICKED_BELOW {
                picked.extend(below);
            }
            picked.extend(dense(&called, MANY));
        }
        picked.extend(by_pod(ports));
    }
    if picked.len() >= MANY
        && let (Some(&first), Some(&last)) = (picked.first(), picked.last())
    {
        picked.extend(ports.range(first..=last).filter(|(_, calls)| calls.count <= AGAIN).map(|(port, _)| *port));
    }
    picked
}

/// The ports that one client called.
fn of_client(ports: &Ports, client: &Party) -> BTreeSet<NonZeroU16> {
    ports.iter().filter(|(_, calls)| calls.by.contains(client)).map(|(port, _)| *port).collect()
}

/// Those of the ports that lie in a range with so many of them.
fn dense(ports: &BTreeSet<NonZeroU16>, together: usize) -> BTreeSet<NonZeroU16> {
    let ascending: Vec<NonZeroU16> = ports.iter().copied().collect();
    let windows = ascending.windows(together.max(1)).filter(|window| match window {
        [first, .., last] => last.get() - first.get() < RANGE,
        _ => true,
    });
    windows.flatten().copied().collect()
}

/// Ports of which each is on another pod: replicas of a workload listen on the same ports, unless each picks its own.
fn by_pod(ports: &Ports) -> BTreeSet<NonZeroU16> {
    let own = ports.iter().filter(|(_, calls)| calls.pod.is_some() && calls.count > 1);
    let own: BTreeSet<NonZeroU16> = dense(&own.map(|(port, _)| *port).collect(), PICKED);
    let pods: BTreeSet<PodId> = own.iter().filter_map(|port| ports[port].pod).collect();
    if pods.len() > 1 { own } else { BTreeSet::new() }
}

/// What is to be said of edges whose ports pods seem to have picked when they started, a port each: of the ephemeral range, declared
/// by nobody, called on one pod only where several pods have such ports (Spark's block managers). Wrong for replicas that listen on
/// several ports and were called on one each.
pub(super) fn of_one_pod_each(
    edges: &BTreeMap<Edge, Evidence>,
    is_declared: impl Fn(&Edge) -> bool,
    pod: impl Fn(&Edge) -> Option<PodId>,
) -> Findings {
    let mut by_responder: BTreeMap<(&Party, Protocol), BTreeMap<NonZeroU16, PodId>> = BTreeMap::new();
    for edge in edges.keys().filter(|edge| edge.port.get() >= EPHEMERAL && !is_declared(edge)) {
        if let Some(pod) = pod(edge) {
            by_responder.entry((&edge.responder, edge.protocol)).or_default().insert(edge.port, pod);
        }
    }
    let mut findings = Findings::default();
    for ((responder, protocol), ports) in by_responder {
        let pods: BTreeSet<PodId> = ports.values().copied().collect();
        if pods.len() > 1 {
            let mut named: Vec<String> = ports.keys().take(NAMED).map(ToString::to_string).collect();
            if ports.len() > NAMED {
                named.push("...".to_owned());
            }
            let message = format!("was called on {protocol} {}, each on one pod only", named.join(", "));
            findings.add(Code::PortOfOnePod, responder.to_string(), message);
        }
    }
    findings
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
                unchecked: 0,
                forwarded: 0,
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
        let below: Vec<(&str, u16, u64)> = (0..6).map(|number| ("a", 21_100 + number * 3, 1)).collect();
        let many: Vec<(&str, u16, u64)> = (0..9).map(|number| ("a", 6800 + number * 50, 7)).collect();
        let again: Vec<(&str, u16, u64)> = (0..12).map(|number| ("a", 50_000 + number * 9, 1 + u64::from(number == 5))).collect();
        let rows: [Row; 12] = [
            ("six one-off ports of one client below the ephemeral range", &below, &[]),
            ("nine ports in a narrow range, called again and again", &many, &[]),
            ("one of many was picked twice", &again, &[]),
            (
                "passive FTP from a low range, each port used again",
                &[("a", 21, 9), ("a", 21_100, 3), ("a", 21_101, 2), ("a", 21_105, 4)],
                &[21],
            ),
            (
                "FTP and listeners far away",
                &[("a", 21, 9), ("a", 8080, 9), ("a", 5432, 1), ("a", 21_101, 1), ("a", 21_109, 1)],
                &[21, 8080, 5432],
            ),
            (
                "one-off ports of several clients may be listeners",
                &[("a", 8001, 1), ("b", 8002, 1), ("c", 8003, 1), ("d", 8004, 1), ("e", 8005, 1)],
                &[8001, 8002, 8003, 8004, 8005],
            ),
            ("three one-off high ports", &[("a", 21, 3), ("a", 40001, 1), ("a", 40007, 1), ("a", 41000, 1)], &[21]),
            ("one-off ports from several callers", &[("a", 40001, 1), ("b", 40007, 1), ("a", 41000, 1)], &[]),
            ("two may be listeners called once", &[("a", 50051, 1), ("a", 50052, 1)], &[50051, 50052]),
            ("called again: a listener", &[("a", 40001, 2), ("a", 40007, 2), ("a", 41000, 2)], &[40001, 40007, 41000]),
            (
                "called by two: a listener",
                &[("a", 40001, 1), ("b", 40001, 1), ("a", 40007, 1), ("a", 41000, 1)],
                &[40001, 40007, 41000],
            ),
            ("few low ports are listeners", &[("a", 8001, 1), ("a", 8002, 1), ("a", 8003, 1)], &[8001, 8002, 8003]),
        ];
        for (message, calls, expected) in rows {
            let mut edges = edges(calls);
            let all = edges.len();
            let dynamic = take_dynamic(&mut edges, |_| false, |_| None, |_, _| {});
            let left: BTreeSet<u16> = edges.keys().map(|edge| edge.port.get()).collect();
            assert_eq!(left, expected.iter().copied().collect(), "{message}");
            let taken: usize = dynamic.iter().map(|dynamic| dynamic.ports.len()).sum();
            assert_eq!(taken + edges.len(), all, "{message}: nothing is lost");
        }
    }

    #[test]
    fn declared_ports_are_listeners_however_rarely_called() {
        let mut edges = edges(&[("a", 40001, 1), ("a", 40007, 1), ("a", 41000, 1), ("a", 42000, 1)]);
        let dynamic = take_dynamic(&mut edges, |edge| edge.port.get() == 40007, |_| None, |_, _| {});
        assert_eq!(edges.len(), 1);
        assert_eq!((dynamic.len(), dynamic[0].ports.len(), dynamic[0].evidence.connections), (1, 3, 3));
    }

    #[test]
    fn each_pod_of_a_workload_picks_its_own_ports() {
        /// What it shows, the ports with the pod that was called there and how often, the ports that remain edges.
        type Row<'a> = (&'a str, &'a [(u16, Option<u32>, u64)], &'a [u16]);
        let rows: [Row; 4] = [
            ("two pods, other ports", &[(6801, Some(0), 4), (6805, Some(0), 3), (7102, Some(1), 5)], &[]),
            ("one pod was called", &[(6801, Some(0), 4), (6805, Some(0), 3), (7102, Some(0), 5)], &[6801, 6805, 7102]),
            ("the same ports on both", &[(6801, None, 4), (6805, None, 3), (7102, None, 5)], &[6801, 6805, 7102]),
            ("called once: chance", &[(8081, Some(0), 1), (8082, Some(1), 1), (8083, Some(1), 1)], &[8081, 8082, 8083]),
        ];
        for (message, ports, expected) in rows {
            let calls: Vec<(&str, u16, u64)> = ports.iter().map(|(port, _, calls)| ("a", *port, *calls)).collect();
            let mut edges = edges(&calls);
            let pod =
                |edge: &Edge| ports.iter().find(|(port, ..)| *port == edge.port.get()).and_then(|(_, pod, _)| pod.map(PodId));
            take_dynamic(&mut edges, |_| false, pod, |_, _| {});
            let left: BTreeSet<u16> = edges.keys().map(|edge| edge.port.get()).collect();
            assert_eq!(left, expected.iter().copied().collect(), "{message}");
        }
    }

    #[test]
    fn high_ports_of_one_pod_each_are_told_and_stay_edges() {
        /// What it shows, the ports with the pod that was called there, what is told.
        type Row<'a> = (&'a str, &'a [(u16, Option<u32>)], Option<&'a str>);
        let rows: [Row; 5] = [
            ("two pods", &[(39_155, Some(0)), (41_873, Some(1))], Some("was called on TCP 39155, 41873, each on one pod only")),
            ("one pod was called", &[(39_155, Some(0)), (41_873, Some(0))], None),
            ("the same port on both", &[(39_155, None), (41_873, Some(1))], None),
            ("below the ephemeral range", &[(7001, Some(0)), (7002, Some(1))], None),
            ("one is declared", &[(40_007, Some(0)), (41_873, Some(1))], None),
        ];
        for (message, ports, expected) in rows {
            let calls: Vec<(&str, u16, u64)> = ports.iter().map(|(port, _)| ("a", *port, 4)).collect();
            let pod = |edge: &Edge| ports.iter().find(|(port, _)| *port == edge.port.get()).and_then(|(_, pod)| pod.map(PodId));
            let findings = of_one_pod_each(&edges(&calls), |edge| edge.port.get() == 40_007, pod).sorted();
            let told: Vec<&str> = findings.iter().map(|finding| finding.message.as_str()).collect();
            assert_eq!(told, expected.into_iter().collect::<Vec<_>>(), "{message}");
        }
    }
}
