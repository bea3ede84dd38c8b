//! Records of a flow file: told in pieces, by several taps and in any order, they add up to the flows of the packets.

use proptest::prelude::*;

use super::*;

/// What a table makes of these packets by way of records, `most` of which are taken whenever so many packets have come, and read
/// back from JSON.
fn by_way_of_records(packets: &[Packet], every: usize, most: usize) -> Vec<Record> {
    let mut table = FlowTable::recording(1000);
    let mut records = Vec::new();
    for (number, packet) in packets.iter().enumerate() {
        table.observe(packet);
        if number % every == 0 {
            records.append(&mut table.take_records(most));
        }
    }
    table.finish();
    records.append(&mut table.take_records(most));
    let read_back = |record: &Record| Record::parse(&serde_json::to_vec(record).unwrap()).unwrap().unwrap();
    let again: Vec<Record> = records.iter().map(read_back).collect();
    assert_eq!(again, records, "a record is read as it was written");
    again
}

fn recalled(records: &[Record]) -> Vec<Flow> {
    let mut table = FlowTable::new(1000);
    for record in records {
        table.recall(record);
    }
    table.finish();
    sorted(table.take_finished())
}

#[test]
fn a_conversation_that_goes_on_is_told_again_only_if_there_is_news() {
    let mut table = FlowTable::recording(1000);
    let mut told = Vec::new();
    let mut checkpoint = |table: &mut FlowTable| {
        let records = table.take_records(usize::MAX);
        told.push(records.iter().filter(|record| matches!(record, Record::Conversation(_))).count());
    };
    for packet in handshake(0, 100) {
        table.observe(&packet);
    }
    checkpoint(&mut table);
    for minute in 1..60 {
        table.observe(&tcp(minute * 60 * SECOND, THERE, UP, "A", (200, 200, 10)));
    }
    checkpoint(&mut table);
    table.observe(&tcp(3600 * SECOND, THERE, UP, "A", (200, 200, 10)));
    checkpoint(&mut table);
    table.observe(&tcp(3601 * SECOND, BACK, DOWN, "FA", (300, 200, 0)));
    checkpoint(&mut table);
    table.finish();
    checkpoint(&mut table);
    assert_eq!(told, [1, 1, 0, 1, 0], "its beginning, its first payload, nothing, its end, nothing");
}

#[test]
fn what_is_told_in_pieces_is_told_once_and_whole() {
    let mut table = FlowTable::recording(1000);
    let connect = |table: &mut FlowTable, at: i64, port: u16, is_ended: bool| {
        table.observe(&tcp(at, THERE, (port, 80), "S", (u32::from(port), 0, 0)));
        table.observe(&tcp(at + 1, BACK, (80, port), "SA", (900, u32::from(port) + 1, 0)));
        if is_ended {
            table.observe(&tcp(at + 2, BACK, (80, port), "RA", (901, u32::from(port) + 1, 0)));
        }
    };
    // Every third is over, and makes room while the others are being told.
    for port in 101..=400u16 {
        connect(&mut table, i64::from(port), port, port.is_multiple_of(3));
    }
    let mut told: Vec<Vec<u16>> = Vec::new();
    loop {
        let records = table.take_records(40);
        let ports = records.iter().filter_map(|record| match record {
            Record::Conversation(conversation) => conversation.ends.iter().map(|end| end.port).find(|port| *port != 80),
            _ => None,
        });
        told.push(ports.collect());
        if table.has_told() {
            break;
        }
        let piece = i64::try_from(told.len()).unwrap();
        connect(&mut table, piece * 100 * SECOND, 1000 + u16::try_from(piece).unwrap(), false);
    }
    assert!(told.len() > 3, "{told:?}");
    assert!(told.iter().all(|piece| piece.is_sorted()), "each in the order of time: {told:?}");
    let mut all: Vec<u16> = told.concat().into_iter().filter(|port| *port <= 400).collect();
    all.sort_unstable();
    assert_eq!(all, (101..=400).collect::<Vec<u16>>());
}

#[test]
fn what_a_later_version_says_is_passed_over_and_nonsense_is_not() {
    let known = br#"{"checkpoint":{"at":"2026-01-02T03:04:05.000000001Z"}}"#;
    assert!(matches!(Record::parse(known), Ok(Some(Record::Checkpoint { at })) if at.0 % 1_000_000_000 == 1));
    assert!(matches!(Record::parse(br#"{"prophecy":{"at":"soon"}}"#), Ok(None)));
    for nonsense in ["", "{}", "[]", "1", "{\"checkpoint\":{\"at\":\"soon\"}}", "{\"a\":1,\"b\":2}", "{\"end\""] {
        assert!(Record::parse(nonsense.as_bytes()).is_err(), "{nonsense}");
    }
}

#[test]
fn a_capture_that_is_killed_has_told_what_one_side_showed() {
    let mut table = FlowTable::recording(1000);
    table.observe(&tcp(0, THERE, UP, "S", (1, 0, 0)));
    table.observe(&tcp(1, THERE, UP, "A", (2, 1, 100)));
    let told = recalled(&table.take_records(usize::MAX));
    assert_eq!(told.len(), 1, "it is in the file at the first checkpoint");
    assert_eq!(told[0].outcome, Outcome::OneSided(Speaker::Originator));
}

#[test]
fn what_finds_no_room_is_counted_and_at_the_end_there_is_room_for_all() {
    let mut table = FlowTable::with(1000, Some(3));
    let attempt = |hour: i64, port: u16| tcp(hour * 3600 * SECOND, THERE, (port, 80), "S", (u32::from(port), 0, 0));
    // Nobody takes anything. The first are given up before the others come, and three of them are told.
    let attempts = (1..=4).map(|port| attempt(0, port)).chain((5..=9).map(|port| attempt(2, port)));
    attempts.for_each(|packet| table.observe(&packet));
    table.finish();
    let lost: Vec<_> = table.findings().sorted().into_iter().map(|finding| (finding.code, finding.count)).collect();
    assert_eq!(lost, [(Code::RecordingIncomplete, 1)]);
    assert_eq!(recalled(&table.take_records(usize::MAX)).len(), 3 + 5);
}

#[test]
fn all_that_a_table_closes_at_once_finds_room() {
    let count = Recorder::ROOM + 10_000;
    let mut table = FlowTable::recording(count);
    let attempt = |at: i64, port: u16, to: &str| tcp(at, (CALLER, to), (port, 80), "S", (1, 0, 0));
    for number in 0..count {
        let [.., high, low] = (number / 30_000).to_be_bytes();
        let port = 1 + u16::try_from(number % 30_000).unwrap();
        table.observe(&attempt(i64::try_from(number).unwrap(), port, &format!("10.1.{high}.{low}")));
    }
    // Long after, so all of them are given up before anybody can take one.
    table.observe(&attempt(3600 * SECOND, 1, CALLED));
    assert_eq!(table.findings().sorted(), []);
    let told = table.take_records(usize::MAX);
    assert_eq!(told.iter().filter(|record| matches!(record, Record::Conversation(_))).count(), count);
}

/// Packets of a small network, with collisions of every kind.
fn any_packet() -> impl Strategy<Value = Packet> {
    let ends = prop_oneof![Just(THERE), Just(BACK)];
    let ports = prop_oneof![Just((40000u16, 80u16)), Just((80, 40000)), Just((53, 53))];
    let flags = prop_oneof![Just("S"), Just("SA"), Just("A"), Just("A"), Just("FA"), Just("R"), Just("RA")];
    let numbers = (0u32..3, 0u32..3, 0u32..2);
    let chunk = prop_oneof![
        (0u32..3).prop_map(|tag| Chunk::Init { tag }),
        (0u32..3).prop_map(|tag| Chunk::InitAck { tag }),
        Just(Chunk::CookieEcho),
        Just(Chunk::Other),
        Just(Chunk::ShutdownComplete),
    ];
    // Within the disorder that is promised to be harmless.
    let at = 0..(100 * SECOND);
    prop_oneof![
        (at.clone(), ends.clone(), ports.clone(), flags, numbers)
            .prop_map(|(at, ends, ports, flags, numbers)| tcp(at, ends, ports, flags, numbers)),
        (at.clone(), ends.clone(), ports.clone()).prop_map(|(at, ends, ports)| udp(at, ends, ports, None)),
        (at.clone(), ends.clone(), ports.clone()).prop_map(|(at, ends, ports)| udp(at, ends, ports, Some(query("a")))),
        (at.clone(), ends.clone(), ports.clone()).prop_map(|(at, ends, ports)| unreachable(at, Protocol::Udp, ends, ports)),
        (at, ends, ports, chunk, 0u32..3).prop_map(|(at, ends, ports, chunk, tag)| sctp(at, ends, ports, tag, chunk)),
    ]
}

proptest! {
    #[test]
    fn order_and_repetition_do_not_matter(
        (packets, shuffled) in proptest::collection::vec(any_packet(), 0..40)
            .prop_flat_map(|packets| (Just(packets.clone()), Just([packets.clone(), packets].concat()).prop_shuffle()))
    ) {
        prop_assert_eq!(flows(&packets), flows(&shuffled));
    }

    #[test]
    fn records_of_several_taps_in_any_order_give_the_same_flows(
        (packets, dealt) in proptest::collection::vec(any_packet(), 0..40)
            .prop_flat_map(|packets| (Just(packets.clone()), proptest::collection::vec(0u8..3, packets.len()))),
        (every, most) in (1usize..10, 1usize..5),
    ) {
        let taps = [1, 2, 0].map(|tap| {
            // The first tap saw everything that any saw, as `any` does.
            let seen = packets.iter().zip(&dealt).filter(|(_, by)| **by == tap || tap == 0).map(|(packet, _)| packet.clone());
            by_way_of_records(&seen.collect::<Vec<_>>(), every, most)
        });
        prop_assert_eq!(recalled(&taps.concat()), flows(&packets));
    }
}
