//! Who called whom, and how sure that is: first packets of UDP, connections that began before the capture, ports picked at start.

use std::collections::BTreeSet;
use std::fs;

use crate::support::captures::{Captured, Order, Variant, pcap};
use crate::support::frames::{ACK, PSH, ethernet, ip, tcp_at, udp};
use crate::world::{BEGIN, Learned, World, learn_files};

type End = (&'static str, u16);
/// Milliseconds after the first capture began, from, to.
type Datagram = (i64, End, End);

const CLIENT: &str = "10.244.1.10";
const SERVER: &str = "10.244.1.11";

/// Something else, with which a capture begins long before.
const BEFORE: Datagram = (0, ("10.244.1.12", 5000), ("10.244.1.13", 5000));

const fn c(port: u16) -> End {
    (CLIENT, port)
}

const fn s(port: u16) -> End {
    (SERVER, port)
}

fn cluster() -> World {
    World::default()
        .node("n1", "192.168.0.1", &["10.244.1.0/24"])
        .namespace("prod")
        .pod("prod", "client", CLIENT, "n1", "app=client")
        .pod("prod", "server", SERVER, "n1", "app=server")
        .pod("prod", "other", "10.244.1.12", "n1", "app=other")
        .pod("prod", "another", "10.244.1.13", "n1", "app=another")
}

/// Learns from several captures, each with frames at milliseconds.
fn learn(files: &[Vec<(i64, Vec<u8>)>], arguments: &[&str]) -> Learned {
    let folder = tempfile::tempdir().unwrap();
    let inventory = folder.path().join("inventory.yaml");
    fs::write(&inventory, cluster().inventory()).unwrap();
    let mut paths = Vec::new();
    for (position, frames) in files.iter().enumerate() {
        let captured = |(at, packet): &(i64, Vec<u8>)| Captured::whole(BEGIN + at * 1_000_000, ethernet(packet));
        let frames: Vec<Captured> = frames.iter().map(captured).collect();
        let path = folder.path().join(format!("{position}.pcap"));
        fs::write(&path, pcap(Order::Little, Variant::Nanoseconds, 1, &frames)).unwrap();
        paths.push(path);
    }
    let mut all: Vec<&str> = arguments.to_vec();
    for further in &paths[1..] {
        all.extend(["--read", further.to_str().unwrap()]);
    }
    learn_files(folder, &paths[0], &[inventory], &all)
}

/// The egress rules without the names of policies: `client -> server UDP 9999`.
fn calls(learned: &Learned) -> BTreeSet<String> {
    let rules = learned.rules();
    let egress = rules.iter().filter(|rule| rule.contains(" -> ")).filter_map(|rule| rule.split_once(' '));
    egress.map(|(_, rule)| rule.replace("[app=", "").replace(']', "")).collect()
}

/// What it shows, the captures, who calls whom, whether that is weak.
type Row = (&'static str, Vec<Vec<Datagram>>, &'static str, bool);

#[test]
fn the_first_packet_of_udp_decides_where_the_capture_has_it() {
    let stream = |from: End, to: End, start: i64| -> Vec<Datagram> {
        (0..30).flat_map(|number| [(start + number * 20, from, to), (start + number * 20 + 1, to, from)]).collect()
    };
    let with = |further: Vec<Datagram>| [vec![BEFORE], further].concat();
    let rows: [Row; 15] = [
        ("a usual exchange", vec![vec![(0, c(40000), s(9999)), (1, s(9999), c(40000))]], "client -> server UDP 9999", false),
        (
            "a reply opens the capture",
            vec![vec![(0, s(9999), c(40000)), (5, c(40000), s(9999))]],
            "client -> server UDP 9999",
            true,
        ),
        ("RTP, after a pause", vec![with(stream(c(20000), s(50000), 200))], "client -> server UDP 50000", false),
        (
            "one exchange from a low port, after a pause",
            vec![with(vec![(500, c(5062), s(50000)), (501, s(50000), c(5062))])],
            "client -> server UDP 50000",
            false,
        ),
        (
            "QUIC, whose server spoke first when the capture began",
            vec![with(stream(s(443), c(40000), 5000))],
            "client -> server UDP 443",
            true,
        ),
        ("QUIC, opened in the capture", vec![with(stream(c(40000), s(443), 5000))], "client -> server UDP 443", false),
        (
            "kept alive by its server every ten seconds",
            vec![with(
                (0..4).flat_map(|n| [(5000 + n * 10_000, s(1194), c(40000)), (5001 + n * 10_000, c(40000), s(1194))]).collect(),
            )],
            "client -> server UDP 1194",
            true,
        ),
        (
            "a server that calls back after silence",
            vec![with(stream(s(5060), c(40000), 40_000))],
            "server -> client UDP 40000",
            false,
        ),
        ("SIP between equal ports", vec![with(stream(c(5060), s(5060), 1000))], "client -> server UDP 5060", false),
        ("syslog, one way", vec![(0..6).map(|n| (n * 1000, c(514), s(514))).collect()], "client -> server UDP 514", false),
        (
            "NFS on low ports",
            vec![with(vec![(900, c(1023), s(2049)), (901, s(2049), c(1023))])],
            "client -> server UDP 2049",
            false,
        ),
        ("the same instant", vec![vec![(0, c(1023), s(2049)), (0, s(2049), c(1023))]], "client -> server UDP 2049", false),
        (
            "the same instant, the other order",
            vec![vec![(0, s(2049), c(1023)), (0, c(1023), s(2049))]],
            "server -> client UDP 1023",
            false,
        ),
        (
            "question and reply in two files",
            vec![vec![BEFORE, (1000, s(9999), c(2000))], vec![BEFORE, (999, c(2000), s(9999))]],
            "client -> server UDP 9999",
            false,
        ),
        (
            "the same instant in two files",
            vec![vec![BEFORE, (1000, s(2049), c(1023))], vec![BEFORE, (1000, c(1023), s(2049))]],
            "server -> client UDP 1023",
            true,
        ),
    ];
    for (message, files, expected, is_weak) in rows {
        let packet = |(at, from, to): &Datagram| (*at, ip(from.0, to.0, udp(from.1, to.1, b"datagram")));
        let files: Vec<Vec<(i64, Vec<u8>)>> = files.iter().map(|file| file.iter().map(packet).collect()).collect();
        let reversed: Vec<Vec<(i64, Vec<u8>)>> = files.iter().rev().cloned().collect();
        for (files, threads) in [(&files, "1"), (&files, "2"), (&files, "3"), (&reversed, "1")] {
            let learned = learn(files, &["--threads", threads]);
            assert_eq!(calls(&learned), BTreeSet::from([expected.to_owned()]), "{message}: {}", learned.messages);
            assert_eq!(learned.codes().contains("weak-direction"), is_weak, "{message}, {threads} threads");
        }
    }
}

#[test]
fn a_connection_counts_as_answered_when_both_ends_show() {
    /// From whom, to whom, acknowledgment number, payload.
    type Segment = (End, End, u32, &'static [u8]);
    /// What it shows, the segments, who calls whom, whether it is said to be one-sided.
    type Row = (&'static str, Vec<Segment>, &'static [&'static str], bool);
    let rows: [Row; 6] = [
        ("both ends", vec![(s(5432), c(40000), 7, b"row"), (c(40000), s(5432), 9, b"")], &["client -> server TCP 5432"], false),
        (
            "both ends, the client first",
            vec![(c(40000), s(5432), 7, b"ask"), (s(5432), c(40000), 9, b"")],
            &["client -> server TCP 5432"],
            false,
        ),
        ("one segment with data", vec![(c(40000), s(5432), 7, b"ask")], &[], true),
        ("the same one again", vec![(c(40000), s(5432), 7, b"ask"), (c(40000), s(5432), 7, b"ask")], &[], true),
        ("one acknowledgment", vec![(c(40000), s(5432), 7, b"")], &[], true),
        (
            "one side that acknowledges more and more",
            vec![(c(40000), s(5432), 7, b"ask"), (c(40000), s(5432), 90, b"")],
            &[],
            true,
        ),
    ];
    for (message, segments, expected, is_one_sided) in rows {
        // So that there is something to learn.
        let other = [
            (0, ip("10.244.1.12", "10.244.1.13", udp(40000, 8125, b"a"))),
            (1, ip("10.244.1.13", "10.244.1.12", udp(8125, 40000, b"a"))),
        ];
        let segment = |(position, (from, to, acknowledges, payload)): (i64, &Segment)| {
            let flags = if payload.is_empty() { ACK } else { ACK | PSH };
            (1000 + position, ip(from.0, to.0, tcp_at(from.1, to.1, flags, 1, *acknowledges, payload)))
        };
        let frames: Vec<(i64, Vec<u8>)> = other.into_iter().chain((0..).zip(segments.iter()).map(segment)).collect();
        let learned = learn(&[frames], &[]);
        let expected: BTreeSet<String> = expected.iter().map(|call| (*call).to_owned()).collect();
        let found: BTreeSet<String> = calls(&learned).into_iter().filter(|call| call.contains("TCP")).collect();
        assert_eq!(found, expected, "{message}");
        assert_eq!(learned.codes().contains("one-sided-connection"), is_one_sided, "{message}");
        assert!(!learned.codes().contains("unanswered-connection"), "{message}: nothing was tried");
    }
}

#[test]
fn ports_picked_at_start_are_a_range_or_nothing() {
    /// What it shows, the ports that the client calls, each so often, the range.
    type Row = (&'static str, &'static [u16], usize, &'static str);
    let rows: [Row; 3] = [
        ("Ceph's OSDs", &[6801, 6805, 6809, 6822, 6830, 6834, 6900, 7010, 7111], 3, "TCP 6801-7111"),
        ("passive FTP", &[21_100, 21_103, 21_104, 21_109], 2, "TCP 21100-21109"),
        ("calls back to the ephemeral range", &[40_001, 43_210, 51_515], 1, "TCP 40001-51515"),
    ];
    for (message, ports, often, range) in rows {
        let mut world = cluster().tcp(CLIENT, SERVER, 21);
        for port in ports.iter().cycle().take(ports.len() * often) {
            world = world.tcp(CLIENT, SERVER, *port);
        }
        let learned = world.learn(&[]);
        assert_eq!(calls(&learned), BTreeSet::from(["client -> server TCP 21".to_owned()]), "{message}");
        assert!(learned.codes().contains("dynamic-ports"), "{message}");
        let learned = world.learn(&["--port-ranges"]);
        let expected = BTreeSet::from(["client -> server TCP 21".to_owned(), format!("client -> server {range}")]);
        assert_eq!(calls(&learned), expected, "{message}");
    }
}
