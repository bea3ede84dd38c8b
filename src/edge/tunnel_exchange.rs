//! What two peers of UDP tunnels exchange: each calls the other's port of the tunnel, from ports that say nothing (RFC 7348, section 5;
//! RFC 8926, section 3.3). So the answers to a tunnel's datagrams look like calls the other way.
//!
//! In: flows of which some are the outer datagrams of tunnels that were not opened. Out: the same, with those that answer each other as
//! one answered exchange that the first of the two began. Wrong for two one-way programs on such a port that call each other by chance.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::model::{DirectionEvidence, Flow, Outcome, Protocol, Span};

/// How long (nanoseconds) after the last datagram one the other way is still an answer.
const ANSWER: i64 = 30_000_000_000;

/// Between whom, the lesser first, and on which port.
type Pair = (IpAddr, IpAddr, u16);

/// Joins what peers of tunnels on these ports exchanged; returns how many flows are another view of such an exchange.
pub(super) fn join(flows: &mut Vec<Flow>, ports: &BTreeSet<u16>) -> u64 {
    let mut spans: BTreeMap<Pair, [Option<Span>; 2]> = BTreeMap::new();
    for flow in flows.iter() {
        if let Some((pair, direction)) = call(flow, ports) {
            let span = &mut spans.entry(pair).or_default()[direction];
            *span = Some(span.map_or(flow.span, |known| known.merge(flow.span)));
        }
    }
    spans.retain(|_, [there, back]| match (there, back) {
        (Some(there), Some(back)) => there.first().since(back.last()) <= ANSWER && back.first().since(there.last()) <= ANSWER,
        _ => false,
    });
    if spans.is_empty() {
        return 0;
    }
    let before = flows.len();
    flows.retain_mut(|flow| {
        let Some((pair, direction)) = call(flow, ports) else { return true };
        let Some([there, back]) = spans.get(&pair) else { return true };
        let opened_by = usize::from(back < there);
        if direction == opened_by {
            flow.outcome = Outcome::Answered;
            flow.direction = flow.direction.max(DirectionEvidence::FirstPacket);
        }
        direction == opened_by
    });
    u64::try_from(before - flows.len()).unwrap_or(u64::MAX)
}

/// Between whom a call of a tunnel's port is that nobody answered from there, and which of the two called.
fn call(flow: &Flow, ports: &BTreeSet<u16>) -> Option<(Pair, usize)> {
    let is_call = flow.protocol == Protocol::Udp
        && matches!(flow.outcome, Outcome::OneWay { .. })
        && ports.contains(&flow.responder.port)
        && flow.originator.address != flow.responder.address;
    let (from, to) = (flow.originator.address, flow.responder.address);
    is_call.then(|| ((from.min(to), from.max(to), flow.responder.port), usize::from(to < from)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Beginning, Endpoint, Timestamp};

    fn flow(from: [u8; 4], to: [u8; 4], ports: (u16, u16), second: i64) -> Flow {
        let end = |address: [u8; 4], port| Endpoint { address: address.into(), port };
        Flow {
            span: Span::at(Timestamp(second * 1_000_000_000)),
            protocol: Protocol::Udp,
            originator: end(from, ports.0),
            responder: end(to, ports.1),
            outcome: Outcome::OneWay { moments: 1 },
            direction: DirectionEvidence::FirstPacket,
            beginning: Beginning::Seen,
            opening: None,
            answer: None,
            origins: [[0; 2]; 2],
            input: 0,
            refusers: [0; 2],
            unrefused: Outcome::OneWay { moments: 1 },
            moments: 1,
        }
    }

    #[test]
    fn two_that_call_each_others_tunnel_port_exchange_something() {
        let (pod, peer) = ([10, 0, 0, 1], [203, 0, 113, 66]);
        let ask = |second| flow(pod, peer, (40000, 4789), second);
        let reply = |port, second| flow(peer, pod, (50000, port), second);
        // What it shows, the flows, how many are left and how many of these are answered.
        let rows = [
            ("asked and answered", vec![ask(0), reply(4789, 1)], (1, 1)),
            ("the answer was the first", vec![ask(5), reply(4789, 1)], (1, 1)),
            ("several ports of entropy", vec![ask(0), flow(pod, peer, (40001, 4789), 1), reply(4789, 2)], (2, 2)),
            ("one way only", vec![ask(0), ask(1)], (2, 0)),
            ("much later", vec![ask(0), reply(4789, 100)], (2, 0)),
            ("on another port", vec![ask(0), reply(6081, 1)], (2, 0)),
            ("on a port of no tunnel", vec![flow(pod, peer, (1, 514), 0), flow(peer, pod, (1, 514), 1)], (2, 0)),
        ];
        for (message, mut flows, expected) in rows {
            let all = flows.len();
            let first = flows.iter().map(|flow| (flow.span, flow.originator.address)).min();
            let joined = join(&mut flows, &[4789, 6081].into());
            let answered: Vec<&Flow> = flows.iter().filter(|flow| flow.outcome == Outcome::Answered).collect();
            assert_eq!((flows.len(), answered.len()), expected, "{message}");
            assert_eq!(joined, u64::try_from(all - flows.len()).expect("few"), "{message}");
            let by_first = answered.iter().all(|flow| first.is_some_and(|(_, address)| flow.originator.address == address));
            assert!(by_first, "{message}: the first one called");
        }
    }
}
