//! Packets as they cross a tap, and the flows they must become.

use std::net::IpAddr;

use crate::decode::{Chunk, DnsMessage, IcmpError, Packet, TcpFlags, Transport};
use crate::model::{Code, DirectionEvidence, Flow, Outcome, Protocol, Speaker, Timestamp};

use super::recorder::Recorder;
use super::{FlowTable, PortlessTraffic, Record};

mod records;

const CALLER: &str = "10.0.0.1";
const CALLED: &str = "10.0.0.2";
const MILLISECOND: i64 = 1_000_000;
const SECOND: i64 = 1000 * MILLISECOND;

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A TCP segment: flags as letters of `SAFR`.
fn tcp(
    at: i64,
    (from, to): (&str, &str),
    (source_port, destination_port): (u16, u16),
    flags: &str,
    numbers: (u32, u32, u32),
) -> Packet {
    let (sequence, acknowledgment, payload_length) = numbers;
    let has = |letter| flags.contains(letter);
    let flags = TcpFlags { syn: has('S'), ack: has('A'), fin: has('F'), rst: has('R') };
    let transport = Transport::Tcp { source_port, destination_port, flags, sequence, acknowledgment, payload_length, dns: None };
    Packet { at: Timestamp(at), source: address(from), destination: address(to), transport }
}

fn udp(at: i64, (from, to): (&str, &str), (source_port, destination_port): (u16, u16), dns: Option<DnsMessage>) -> Packet {
    let transport = Transport::Udp { source_port, destination_port, dns: dns.map(Box::new) };
    Packet { at: Timestamp(at), source: address(from), destination: address(to), transport }
}

fn sctp(at: i64, (from, to): (&str, &str), (source_port, destination_port): (u16, u16), tag: u32, chunk: Chunk) -> Packet {
    let transport = Transport::Sctp { source_port, destination_port, verification_tag: tag, chunk };
    Packet { at: Timestamp(at), source: address(from), destination: address(to), transport }
}

fn unreachable(at: i64, protocol: Protocol, (from, to): (&str, &str), (source_port, destination_port): (u16, u16)) -> Packet {
    let error = IcmpError { protocol, source: address(from), source_port, destination: address(to), destination_port };
    Packet { at: Timestamp(at), source: address(to), destination: address(from), transport: Transport::IcmpError(error) }
}

fn query(name: &str) -> DnsMessage {
    DnsMessage { is_response: false, id: 7, question: Some(name.into()), addresses: vec![] }
}

fn response(name: &str, answer: &str) -> DnsMessage {
    DnsMessage { is_response: true, id: 7, question: Some(name.into()), addresses: vec![(address(answer), 60)] }
}

fn flows(packets: &[Packet]) -> Vec<Flow> {
    let mut table = FlowTable::new(1000);
    for packet in packets {
        table.observe(packet);
    }
    table.finish();
    sorted(table.take_finished())
}

/// In an order that does not depend on that of the packets, and without the numbers that do.
fn sorted(mut flows: Vec<Flow>) -> Vec<Flow> {
    for flow in &mut flows {
        flow.refusers = [0; 2];
    }
    flows.sort();
    flows
}

const THERE: (&str, &str) = (CALLER, CALLED);
const BACK: (&str, &str) = (CALLED, CALLER);
const UP: (u16, u16) = (40000, 80);
const DOWN: (u16, u16) = (80, 40000);

fn handshake(at: i64, number: u32) -> Vec<Packet> {
    vec![
        tcp(at, THERE, UP, "S", (number, 0, 0)),
        tcp(at + MILLISECOND, BACK, DOWN, "SA", (900, number + 1, 0)),
        tcp(at + 2 * MILLISECOND, THERE, UP, "A", (number + 1, 901, 0)),
    ]
}

fn conversation() -> Vec<Packet> {
    let mut packets = handshake(0, 100);
    packets.push(tcp(3 * MILLISECOND, THERE, UP, "A", (101, 901, 50)));
    packets.push(tcp(4 * MILLISECOND, BACK, DOWN, "A", (901, 151, 500)));
    packets.push(tcp(5 * MILLISECOND, BACK, DOWN, "FA", (1401, 151, 0)));
    packets.push(tcp(6 * MILLISECOND, THERE, UP, "FA", (151, 1402, 0)));
    packets
}

#[test]
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn one_flow_with_its_originator_and_outcome() {
    use DirectionEvidence::{DnsHeader, FirstPacket, LowerPort, SctpInit, Syn};
    let rows: Vec<(&str, Vec<Packet>, Outcome, DirectionEvidence)> = vec![
        ("a whole connection", conversation(), Outcome::Answered, Syn),
        ("a SYN alone", vec![tcp(0, THERE, UP, "S", (1, 0, 0))], Outcome::Unanswered, Syn),
        (
            "a SYN sent three times is one try",
            vec![
                tcp(0, THERE, UP, "S", (1, 0, 0)),
                tcp(SECOND, THERE, UP, "S", (1, 0, 0)),
                tcp(3 * SECOND, THERE, UP, "S", (1, 0, 0)),
            ],
            Outcome::Unanswered,
            Syn,
        ),
        (
            "a SYN refused by the kernel",
            vec![tcp(0, THERE, UP, "S", (7, 0, 0)), tcp(1, BACK, DOWN, "RA", (0, 8, 0))],
            Outcome::Refused,
            Syn,
        ),
        (
            "a SYN refused by a firewall's ICMP",
            vec![tcp(0, THERE, UP, "S", (7, 0, 0)), unreachable(1, Protocol::Tcp, THERE, UP)],
            Outcome::Refused,
            Syn,
        ),
        ("a SYN+ACK alone", vec![tcp(0, BACK, DOWN, "SA", (9, 8, 0))], Outcome::OneSided(Speaker::Responder), Syn),
        (
            "a handshake and no more",
            vec![tcp(0, THERE, UP, "S", (7, 0, 0)), tcp(1, BACK, DOWN, "SA", (9, 8, 0)), tcp(2, THERE, UP, "A", (8, 10, 0))],
            Outcome::Answered,
            Syn,
        ),
        (
            "a handshake without its end",
            vec![tcp(0, THERE, UP, "S", (7, 0, 0)), tcp(1, BACK, DOWN, "SA", (9, 8, 0))],
            Outcome::HalfOpen { was_reset: false },
            Syn,
        ),
        (
            "a handshake whose SYN was not captured",
            vec![tcp(1, BACK, DOWN, "SA", (9, 8, 0)), tcp(2, THERE, UP, "A", (8, 10, 0))],
            Outcome::Answered,
            Syn,
        ),
        (
            "an acknowledgment of something else",
            vec![
                tcp(0, THERE, UP, "S", (7, 0, 0)),
                tcp(1, BACK, DOWN, "SA", (9, 8, 0)),
                tcp(2, THERE, UP, "A", (8, 4711, 50)),
                tcp(3, BACK, DOWN, "R", (4711, 0, 0)),
            ],
            Outcome::HalfOpen { was_reset: false },
            Syn,
        ),
        (
            "the last step of the handshake was not captured, and data flows both ways",
            vec![
                tcp(0, THERE, UP, "S", (7, 0, 0)),
                tcp(1, BACK, DOWN, "SA", (9, 8, 0)),
                tcp(3, BACK, DOWN, "A", (10, 8, 90)),
                tcp(4, THERE, UP, "A", (8, 100, 0)),
            ],
            Outcome::Answered,
            Syn,
        ),
        (
            "the answer was not captured, and both carry on",
            vec![tcp(0, THERE, UP, "S", (7, 0, 0)), tcp(2, THERE, UP, "A", (8, 10, 20)), tcp(3, BACK, DOWN, "A", (10, 28, 0))],
            Outcome::Answered,
            Syn,
        ),
        (
            "one direction only",
            vec![tcp(0, THERE, UP, "S", (7, 0, 0)), tcp(9, THERE, UP, "A", (8, 10, 0))],
            Outcome::OneSided(Speaker::Originator),
            Syn,
        ),
        (
            "the other direction only",
            vec![tcp(1, BACK, DOWN, "SA", (9, 8, 0)), tcp(3, BACK, DOWN, "A", (10, 8, 90))],
            Outcome::OneSided(Speaker::Responder),
            Syn,
        ),
        (
            "a kernel that knows of no connection resets it",
            vec![tcp(0, THERE, UP, "S", (7, 0, 0)), tcp(1, BACK, DOWN, "SA", (9, 8, 0)), tcp(2, THERE, UP, "R", (8, 0, 0))],
            Outcome::HalfOpen { was_reset: true },
            Syn,
        ),
        (
            "a program that has what it wanted resets its connection",
            vec![tcp(0, THERE, UP, "S", (7, 0, 0)), tcp(1, BACK, DOWN, "SA", (9, 8, 0)), tcp(2, THERE, UP, "RA", (8, 10, 0))],
            Outcome::Answered,
            Syn,
        ),
        (
            "TCP Fast Open: the SYN carried data, and was accepted with it",
            vec![tcp(0, THERE, UP, "S", (7, 0, 30)), tcp(1, BACK, DOWN, "SA", (9, 38, 0)), tcp(2, THERE, UP, "A", (38, 10, 0))],
            Outcome::Answered,
            Syn,
        ),
        (
            "mid-stream: both ends take part",
            vec![tcp(0, BACK, DOWN, "A", (9, 8, 10)), tcp(1, THERE, UP, "A", (8, 19, 0))],
            Outcome::Answered,
            LowerPort,
        ),
        (
            "mid-stream: a stray FIN answered by a reset proves nothing",
            vec![tcp(0, THERE, UP, "FA", (9, 8, 0)), tcp(1, BACK, DOWN, "R", (8, 0, 0))],
            Outcome::Refused,
            LowerPort,
        ),
        ("UDP answered", vec![udp(0, THERE, UP, None), udp(1, BACK, DOWN, None)], Outcome::Answered, FirstPacket),
        ("UDP once", vec![udp(0, THERE, UP, None)], Outcome::OneWay { moments: 1 }, FirstPacket),
        (
            "UDP once, seen at three taps",
            vec![udp(0, THERE, UP, None), udp(50_000, THERE, UP, None), udp(90_000, THERE, UP, None)],
            Outcome::OneWay { moments: 1 },
            FirstPacket,
        ),
        (
            "UDP repeated every 200 ms",
            (0..5).map(|number| udp(number * 200 * MILLISECOND, THERE, UP, None)).collect(),
            Outcome::OneWay { moments: 5 },
            FirstPacket,
        ),
        (
            "UDP once, its copy just after a tenth of a second",
            vec![udp(SECOND - 10, THERE, UP, None), udp(SECOND + 10, THERE, UP, None)],
            Outcome::OneWay { moments: 1 },
            FirstPacket,
        ),
        (
            "UDP repeated over half a minute",
            vec![udp(0, THERE, UP, None), udp(30 * SECOND, THERE, UP, None)],
            Outcome::OneWay { moments: 4 },
            FirstPacket,
        ),
        ("UDP refused", vec![udp(0, THERE, UP, None), unreachable(1, Protocol::Udp, THERE, UP)], Outcome::Refused, FirstPacket),
        (
            "UDP whose late reply was refused was answered",
            vec![udp(0, THERE, UP, None), udp(1, BACK, DOWN, None), unreachable(2, Protocol::Udp, BACK, DOWN)],
            Outcome::Answered,
            FirstPacket,
        ),
        (
            "a DNS response that nobody asked for",
            vec![udp(0, BACK, DOWN, Some(response("a", "10.9.9.9")))],
            Outcome::OneSided(Speaker::Responder),
            DnsHeader,
        ),
        (
            "a DNS response, and a query only then",
            vec![udp(0, BACK, DOWN, Some(response("a", "10.9.9.9"))), udp(1, THERE, UP, Some(query("a")))],
            Outcome::Unanswered,
            DnsHeader,
        ),
        ("a DNS query without response", vec![udp(0, THERE, UP, Some(query("a")))], Outcome::Unanswered, DnsHeader),
        (
            "SCTP up to COOKIE ACK",
            vec![
                sctp(0, THERE, UP, 0, Chunk::Init { tag: 5 }),
                sctp(1, BACK, DOWN, 5, Chunk::InitAck { tag: 6 }),
                sctp(2, THERE, UP, 6, Chunk::CookieEcho),
                sctp(3, BACK, DOWN, 5, Chunk::Other),
            ],
            Outcome::Answered,
            SctpInit,
        ),
        (
            "SCTP whose cookie was not accepted",
            vec![
                sctp(0, THERE, UP, 0, Chunk::Init { tag: 5 }),
                sctp(1, BACK, DOWN, 5, Chunk::InitAck { tag: 6 }),
                sctp(2, THERE, UP, 6, Chunk::CookieEcho),
                sctp(3, BACK, DOWN, 5, Chunk::Error),
            ],
            Outcome::HalfOpen { was_reset: false },
            SctpInit,
        ),
        (
            "SCTP: any kernel that listens sends INIT ACK",
            vec![sctp(0, THERE, UP, 0, Chunk::Init { tag: 5 }), sctp(1, BACK, DOWN, 5, Chunk::InitAck { tag: 6 })],
            Outcome::HalfOpen { was_reset: false },
            SctpInit,
        ),
        (
            "SCTP aborted",
            vec![sctp(0, THERE, UP, 0, Chunk::Init { tag: 5 }), sctp(1, BACK, DOWN, 5, Chunk::Abort)],
            Outcome::Refused,
            SctpInit,
        ),
    ];
    for (message, packets, outcome, direction) in rows {
        let flows = flows(&packets);
        assert_eq!(flows.len(), 1, "{message}: {flows:?}");
        assert_eq!((flows[0].outcome, flows[0].direction), (outcome, direction), "{message}");
        assert_eq!(flows[0].originator.address, address(CALLER), "{message}");
        assert_eq!(flows[0].responder.port, 80, "{message}");
    }
}

#[test]
fn scans_with_odd_flags_are_no_flows_of_their_own() {
    for flags in ["", "F", "SF"] {
        assert!(flows(&[tcp(0, THERE, UP, flags, (1, 0, 0))]).is_empty(), "{flags:?}");
    }
}

#[test]
fn a_port_pair_used_again_is_two_connections_each_at_its_time() {
    let mut packets = handshake(0, 100);
    packets.extend(handshake(40 * SECOND, 5000));
    let flows = flows(&packets);
    let openings: Vec<(Option<u32>, i64)> = flows.iter().map(|flow| (flow.opening, flow.span.first().0)).collect();
    assert_eq!(openings, [(Some(100), 0), (Some(5000), 40 * SECOND)]);
    assert!(flows.iter().all(|flow| flow.outcome == Outcome::Answered));
}

#[test]
fn udp_after_long_silence_is_another_exchange() {
    let packets =
        [udp(0, THERE, (7946, 7946), None), udp(1, BACK, (7946, 7946), None), udp(300 * SECOND, BACK, (7946, 7946), None)];
    let originators: Vec<IpAddr> = flows(&packets).iter().map(|flow| flow.originator.address).collect();
    assert_eq!(originators, [address(CALLER), address(CALLED)]);
}

#[test]
fn a_clock_that_is_set_back_ends_nothing() {
    let mut table = FlowTable::new(16);
    let year = 365 * 24 * 3600 * SECOND;
    table.observe(&udp(80 * year, (CALLER, "10.0.0.9"), (40000, 80), None));
    // Enough time passes for the table to be swept, and enough others for it to be full.
    for (port, at) in (41000u16..).zip(0..40) {
        table.observe(&udp(at * 10 * SECOND, THERE, UP, None));
        table.observe(&udp(at * 10 * SECOND + 1, BACK, DOWN, None));
        table.observe(&tcp(at * 10 * SECOND, THERE, (port, 80), "S", (1, 0, 0)));
    }
    table.finish();
    let flows = table.take_finished();
    let exchange = flows.iter().filter(|flow| flow.protocol == Protocol::Udp && flow.responder.address == address(CALLED));
    assert_eq!(exchange.map(|flow| flow.span.length()).collect::<Vec<_>>(), [390 * SECOND + 1]);
}

#[test]
fn names_are_kept_for_who_asked() {
    let mut table = FlowTable::new(16);
    table.observe(&udp(0, THERE, (40000, 53), Some(query("example.com"))));
    table.observe(&udp(5, BACK, (53, 40000), Some(response("example.com", "93.184.216.34"))));
    let answers: Vec<_> = table.names().iter().collect();
    assert_eq!(answers.len(), 1);
    assert_eq!(
        (answers[0].asker, answers[0].address, answers[0].name.as_str()),
        (address(CALLER), address("93.184.216.34"), "example.com")
    );
}

#[test]
fn multicast_is_seen_but_is_no_flow() {
    let mut table = FlowTable::new(16);
    table.observe(&udp(0, (CALLER, "224.0.0.251"), (5353, 5353), None));
    table.finish();
    assert!(table.take_finished().is_empty());
    assert_eq!(table.sightings().iter().map(|(sighting, ..)| sighting).collect::<Vec<_>>(), [PortlessTraffic::Multicast(5353)]);
}

#[test]
fn a_flood_does_not_push_out_an_answered_connection() {
    let mut table = FlowTable::new(64);
    for packet in handshake(0, 100) {
        table.observe(&packet);
    }
    for number in 0..20_000u16 {
        let flood = ("10.9.9.9", CALLED);
        table.observe(&tcp(SECOND + i64::from(number), flood, (number + 1, 80), "S", (u32::from(number), 0, 0)));
    }
    table.finish();
    let flows = table.take_finished();
    assert_eq!(flows.len(), 20_001, "nothing is lost");
    assert_eq!(flows.iter().filter(|flow| flow.outcome == Outcome::Answered).count(), 1);
    assert_eq!(table.findings().sorted().len(), 1, "the full table is reported");
}

#[test]
fn a_scan_of_many_ports_is_folded_and_real_connections_are_not() {
    let mut table = FlowTable::new(4096);
    for packet in handshake(0, 100) {
        table.observe(&packet);
    }
    let scanner = ("10.9.9.9", CALLED);
    let ports = 60_000u16;
    for number in 0..ports {
        table.observe(&tcp(SECOND + i64::from(number), scanner, (55_555, number + 1), "S", (7, 0, 0)));
    }
    // A client that waits for a service to start is no scan.
    for number in 0..20u16 {
        table.observe(&tcp(2 * SECOND + i64::from(number), ("10.0.0.3", CALLED), (40_000 + number, 5432), "S", (7, 0, 0)));
    }
    for number in 0..ports {
        table.observe(&tcp(3 * SECOND + i64::from(number), scanner, (44_444, number + 1), "S", (7, 0, 0)));
    }
    table.finish();
    let flows = table.take_finished();
    let of = |address: &str| flows.iter().filter(|flow| flow.originator.address.to_string() == address).count();
    assert_eq!((of(CALLER), of("10.0.0.3")), (1, 20), "what is no scan is kept apart");
    assert!(of("10.9.9.9") <= 4096, "{} of the scan are kept apart", of("10.9.9.9"));
    let floods: Vec<_> = table.floods().iter().collect();
    let [(Some(originator), Some(responder), attempts, span)] = floods.as_slice() else { panic!("{floods:?}") };
    assert_eq!((originator.to_string().as_str(), responder.to_string().as_str()), scanner);
    assert_eq!(usize::try_from(*attempts).unwrap() + of("10.9.9.9"), 2 * usize::from(ports), "every attempt is counted");
    assert_eq!(span.first(), Timestamp(SECOND));
}

#[test]
fn what_one_side_shows_of_a_connection_is_no_attempt() {
    let mut table = FlowTable::new(2048);
    for number in 0..6000u16 {
        let at = i64::from(number) * MILLISECOND;
        table.observe(&tcp(at, THERE, (10_000 + number, 8080), "S", (u32::from(number), 0, 0)));
        table.observe(&tcp(at + 1, THERE, (10_000 + number, 8080), "A", (u32::from(number) + 1, 1, 100)));
    }
    for number in 0..300u16 {
        table.observe(&udp(7 * SECOND + i64::from(number), (CALLER, "10.0.0.9"), (20_000 + number, 8125), None));
    }
    table.finish();
    assert_eq!(table.floods().iter().count(), 0, "nothing of it is a flood");
    let flows = table.take_finished();
    let one_sided = flows.iter().filter(|flow| matches!(flow.outcome, Outcome::OneSided(_))).count();
    let one_way = flows.iter().filter(|flow| matches!(flow.outcome, Outcome::OneWay { .. })).count();
    assert_eq!((one_sided, one_way), (6000, 300), "one direction with payload may be a connection, datagrams may be meant");
}

#[test]
fn what_is_carried_proves_the_opening_that_it_belongs_to() {
    let (there, back) = ((3868, 3868), (3868, 3868));
    let flows = flows(&[
        tcp(0, THERE, there, "S", (1, 0, 0)),
        tcp(200 * SECOND, BACK, back, "S", (7, 0, 0)),
        tcp(201 * SECOND, THERE, there, "SA", (9, 8, 0)),
        tcp(202 * SECOND, BACK, back, "A", (8, 10, 50)),
        tcp(203 * SECOND, THERE, there, "A", (10, 58, 50)),
    ]);
    let outcomes: Vec<(String, Outcome)> = flows.iter().map(|flow| (flow.originator.address.to_string(), flow.outcome)).collect();
    assert_eq!(outcomes, [(CALLER.to_owned(), Outcome::Unanswered), (CALLED.to_owned(), Outcome::Answered)]);
}

#[test]
fn a_clock_that_is_set_back_parts_no_question_from_its_answer() {
    let half_an_hour = 1800 * SECOND;
    let exchange = |at| [udp(at, THERE, (40_000, 41_000), None), udp(at + MILLISECOND, BACK, (41_000, 40_000), None)];
    let before = (0..60).flat_map(|number| exchange(half_an_hour + number * 5 * SECOND));
    let after = (0..60).flat_map(|number| exchange(number * 5 * SECOND));
    let flows = flows(&before.chain(after).collect::<Vec<_>>());
    assert!(flows.len() <= 2, "{} flows", flows.len());
    assert!(flows.iter().all(|flow| flow.outcome == Outcome::Answered && flow.originator.port == 40_000), "{flows:?}");
}

#[test]
fn a_flood_from_many_addresses_is_told_by_its_target() {
    let mut table = FlowTable::new(4096);
    for number in 0..20_000u16 {
        let [high, low] = number.to_be_bytes();
        let source = format!("203.{}.{high}.{low}", number % 7);
        table.observe(&tcp(i64::from(number), (&source, CALLED), (1000, 80), "S", (u32::from(number), 0, 0)));
    }
    let floods: Vec<_> = table.floods().iter().collect();
    assert_eq!(floods.len(), 1, "{floods:?}");
    let (originator, responder, attempts, _) = floods[0];
    assert_eq!((originator, responder), (None, Some(address(CALLED))));
    assert!(attempts >= 15_000, "{attempts}");
}

#[test]
fn what_is_over_makes_room_and_nothing_is_lost() {
    let mut table = FlowTable::new(64);
    for packet in handshake(0, 100) {
        table.observe(&packet);
    }
    // One after the other, and each is over before the next begins.
    for number in 0..1000u16 {
        let (at, there, back) = (i64::from(number) * SECOND / 2, (2000 + number, 80), (80, 2000 + number));
        table.observe(&tcp(at, THERE, there, "S", (u32::from(number), 0, 0)));
        table.observe(&tcp(at + 1, BACK, back, "SA", (900, u32::from(number) + 1, 0)));
        table.observe(&tcp(at + 2, THERE, there, "FA", (u32::from(number) + 1, 901, 0)));
        table.observe(&tcp(at + 3, BACK, back, "FA", (901, u32::from(number) + 2, 0)));
    }
    table.finish();
    let flows = table.take_finished();
    assert_eq!(flows.iter().filter(|flow| flow.outcome == Outcome::Answered).count(), 1001);
    assert_eq!(table.findings().sorted(), [], "room was made of what was over; the one under way is whole");
}

#[test]
fn openings_without_end_cost_those_who_make_them() {
    let mut table = FlowTable::new(1000);
    for packet in handshake(0, 7) {
        table.observe(&packet);
    }
    // Few enough pairs of ports, but each is opened anew again and again.
    for number in 0..64 {
        for port in 0..300 {
            for mut packet in handshake(SECOND, 1000 + number * 1000) {
                if let Transport::Tcp { source_port, destination_port, .. } = &mut packet.transport {
                    *if *source_port == 80 { destination_port } else { source_port } = 2000 + port;
                }
                table.observe(&packet);
            }
        }
    }
    let early = table.take_finished();
    assert!(early.len() > 64 * 200, "{} flows are closed while it goes on", early.len());
    assert!(early.iter().all(|flow| flow.originator.port != UP.0), "who opened one connection is not concerned");
    table.finish();
    assert_eq!(table.take_finished().iter().filter(|flow| flow.originator.port == UP.0).count(), 1);
    let found = table.findings().sorted();
    assert!(found.iter().any(|finding| finding.code == Code::FlowTableFull), "{found:?}");
}
