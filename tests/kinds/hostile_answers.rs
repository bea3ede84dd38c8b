//! What counts as an answer: both sides spoke, and each knew what the other had sent. Everything else is said and makes no rule.

use std::collections::BTreeSet;

use crate::support::frames::{
    ACK, DNS_ANSWER, DNS_QUERY, FIN, PSH, RST, SYN, Upper, dns, dns_address, ip, sctp, sctp_init, tcp_at, udp,
};
use crate::world::{Learned, World};

const CLIENT: &str = "10.244.1.10";
const SERVER: &str = "10.244.1.11";
const ANOTHER: &str = "10.244.1.12";
const SERVICE: &str = "10.96.0.20";
const OUTSIDE: &str = "203.0.113.66";
const NODE: &str = "192.168.0.2";

/// Who sends: the client or the server.
#[derive(Clone, Copy)]
enum By {
    Client,
    Server,
}
use By::{Client, Server};

/// A TCP segment: flags, sequence number, acknowledgment number, payload.
type Segment = (By, u8, u32, u32, &'static [u8]);

/// The numbers of a handshake between client and server, and what follows.
const OPENS: Segment = (Client, SYN, 1000, 0, b"");
const ACCEPTS: Segment = (Server, SYN | ACK, 5000, 1001, b"");
const ACKNOWLEDGES: Segment = (Client, ACK, 1001, 5001, b"");
const ASKS: Segment = (Client, ACK | PSH, 1001, 5001, b"ask");
const ANSWERS: Segment = (Server, ACK | PSH, 5001, 1004, b"answer");
const THANKS: Segment = (Client, ACK, 1004, 5007, b"");

const ALL: [Segment; 6] = [OPENS, ACCEPTS, ACKNOWLEDGES, ASKS, ANSWERS, THANKS];
const UP: [Segment; 4] = [OPENS, ACKNOWLEDGES, ASKS, THANKS];
const DOWN: [Segment; 2] = [ACCEPTS, ANSWERS];

/// A cluster with one connection of which there is no doubt, so that there is something to learn.
fn cluster() -> World {
    World::default()
        .node("n1", "192.168.0.1", &["10.244.1.0/24"])
        .node("n2", NODE, &["10.244.2.0/24"])
        .namespace("prod")
        .pod("prod", "client", CLIENT, "n1", "app=client")
        .pod("prod", "server", SERVER, "n1", "app=server")
        .pod("prod", "another", ANOTHER, "n1", "app=another")
        .object(&format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: server, namespace: prod}}\nspec: {{clusterIP: {SERVICE}, clusterIPs: [{SERVICE}], selector: {{app: server}}, ports: [{{port: 80, targetPort: 8080}}]}}"
        ))
        .tcp(ANOTHER, SERVER, 9090)
}

/// Adds segments between a socket and another, in this order.
fn segments(world: &mut World, client: (&str, u16), server: (&str, u16), segments: &[Segment]) {
    for (by, flags, sequence, acknowledgment, payload) in segments {
        let ((from, source_port), (to, destination_port)) = match by {
            Client => (client, server),
            Server => (server, client),
        };
        let segment = tcp_at(source_port, destination_port, *flags, *sequence, *acknowledgment, payload);
        world.packet(&ip(from, to, segment));
    }
}

/// The egress rules that are there besides those of [`cluster`], without the names of policies: `client -> server TCP 8080`.
fn calls(learned: &Learned) -> BTreeSet<String> {
    let rules = learned.rules();
    let egress = rules.iter().filter(|rule| rule.contains(" -> ")).filter_map(|rule| rule.split_once(' '));
    let calls = egress.map(|(_, rule)| rule.replace("[app=", "").replace("k8s-app=", "").replace(']', ""));
    calls.filter(|call| call != "another -> server TCP 9090").collect()
}

const ONE_SIDED: &str = "one-sided-connection";
const HALF_OPEN: &str = "half-open-connection";
const CONTESTED: [&str; 5] = [ONE_SIDED, HALF_OPEN, "unanswered-connection", "refused-connection", "one-sided-rule"];

/// The rules of a world, and what is said of it.
fn assert_calls(what: &str, world: &World, arguments: &[&str], expected: &[&str], said: &[&str]) {
    let learned = world.learn(arguments);
    assert_eq!(learned.code, Some(0), "{what}: {}", learned.messages);
    let expected: BTreeSet<String> = expected.iter().map(|call| (*call).to_owned()).collect();
    assert_eq!(calls(&learned), expected, "{what}: {}", learned.messages);
    for code in CONTESTED {
        assert_eq!(learned.codes().contains(code), said.contains(&code), "{what}: {code}: {}", learned.messages);
    }
}

#[test]
fn a_tcp_connection_is_answered_when_both_sides_spoke() {
    const EDGE: &[&str] = &["client -> server TCP 8080"];
    const NO_NUMBER: Segment = (Client, ACK | PSH, 1001, 77_777, b"ask");
    /// What it shows, the segments, the rules, what is said.
    type Row = (&'static str, Vec<Segment>, &'static [&'static str], &'static [&'static str]);
    let rows: Vec<Row> = vec![
        ("a whole connection", ALL.to_vec(), EDGE, &[]),
        ("a handshake", vec![OPENS, ACCEPTS, ACKNOWLEDGES], EDGE, &[]),
        ("a handshake whose SYN was not captured", vec![ACCEPTS, ACKNOWLEDGES, ASKS], EDGE, &[]),
        ("a handshake whose last step was not captured", vec![OPENS, ACCEPTS, ASKS], EDGE, &[]),
        (
            "a server that speaks first, and the last step of the handshake was not captured",
            vec![OPENS, ACCEPTS, (Server, ACK | PSH, 5001, 1001, b"hello"), (Client, ACK, 1001, 5006, b"")],
            EDGE,
            &[],
        ),
        ("its SYN+ACK was not captured", vec![OPENS, ACKNOWLEDGES, ASKS, ANSWERS], EDGE, &[]),
        ("in the middle, both sides", vec![ASKS, ANSWERS], EDGE, &[]),
        ("a probe that resets what it has opened", vec![OPENS, ACCEPTS, (Client, RST | ACK, 1001, 5001, b"")], EDGE, &[]),
        (
            "closed without a byte",
            vec![OPENS, ACCEPTS, ACKNOWLEDGES, (Client, ACK | FIN, 1001, 5001, b""), (Server, ACK | FIN, 5001, 1002, b"")],
            EDGE,
            &[],
        ),
        ("a forged SYN, which the kernel answers", vec![OPENS, ACCEPTS], &[], &[HALF_OPEN]),
        ("the kernel behind the forged address resets it", vec![OPENS, ACCEPTS, (Client, RST, 1001, 0, b"")], &[], &[HALF_OPEN]),
        (
            "a forged handshake whose sender does not see the answer",
            vec![OPENS, ACCEPTS, NO_NUMBER, (Server, RST, 77_777, 0, b"")],
            &[],
            &[HALF_OPEN],
        ),
        ("a SYN and data of the same side", vec![OPENS, ASKS], &[], &[ONE_SIDED]),
        ("the same, refused", vec![OPENS, ASKS, (Server, RST, 5001, 0, b"")], &[], &["refused-connection"]),
        ("one direction of a connection", UP.to_vec(), &[], &[ONE_SIDED]),
        ("the other direction", DOWN.to_vec(), &[], &[ONE_SIDED]),
        ("a SYN+ACK alone", vec![ACCEPTS], &[], &[ONE_SIDED]),
        ("one segment in the middle", vec![ASKS], &[], &[ONE_SIDED]),
        ("two segments in the middle that acknowledge more and more", vec![ASKS, THANKS], &[], &[ONE_SIDED]),
        ("a SYN alone", vec![OPENS], &[], &["unanswered-connection"]),
        ("a closed port", vec![OPENS, (Server, RST | ACK, 0, 1001, b"")], &[], &["refused-connection"]),
    ];
    for (what, frames, expected, said) in rows {
        let mut world = cluster();
        segments(&mut world, (CLIENT, 40_000), (SERVER, 8080), &frames);
        assert_calls(what, &world, &[], expected, said);
    }
}

#[test]
fn a_forged_opening_the_other_way_is_no_connection() {
    let mut world = cluster();
    segments(&mut world, (CLIENT, 40_000), (SERVER, 8080), &ALL);
    segments(&mut world, (CLIENT, 40_000), (SERVER, 8080), &[(Server, SYN, 9000, 0, b""), ASKS, ANSWERS]);
    assert_calls("a SYN from the server's port", &world, &[], &["client -> server TCP 8080"], &["unanswered-connection"]);
}

#[test]
fn an_sctp_association_is_answered_with_its_cookie() {
    /// Who, the verification tag, the chunk.
    type Row = (&'static str, Vec<(By, u32, u8, Vec<u8>)>, &'static [&'static str], &'static [&'static str]);
    const EDGE: &[&str] = &["client -> server SCTP 3868"];
    let init = || (Client, 0, 1, sctp_init(7));
    let init_ack = || (Server, 7, 2, sctp_init(9));
    let cookie = || (Client, 9, 10, b"cook".to_vec());
    let data = |by, tag| (by, tag, 0, vec![0; 12]);
    let rows: Vec<Row> = vec![
        ("up to COOKIE ACK", vec![init(), init_ack(), cookie(), (Server, 7, 11, Vec::new())], EDGE, &[]),
        ("COOKIE ACK was not captured, and data was", vec![init(), init_ack(), cookie(), data(Server, 7)], EDGE, &[]),
        ("in the middle, both sides", vec![data(Client, 9), (Server, 7, 3, vec![0; 12])], EDGE, &[]),
        ("a forged INIT, which the kernel answers", vec![init(), init_ack()], &[], &[HALF_OPEN]),
        ("a cookie that is no cookie", vec![init(), init_ack(), (Client, 5, 10, b"cook".to_vec())], &[], &[HALF_OPEN]),
        ("a stale cookie", vec![init(), init_ack(), cookie(), (Server, 7, 9, vec![0, 3, 0, 8, 0, 0, 0, 0])], &[], &[HALF_OPEN]),
        ("INIT and a cookie of the same side", vec![init(), cookie()], &[], &[ONE_SIDED]),
        ("one DATA chunk", vec![data(Client, 9)], &[], &[ONE_SIDED]),
        (
            "SHUTDOWN ACK of no association, which the kernel answers",
            vec![(Client, 9, 8, Vec::new()), (Server, 9, 14, Vec::new())],
            &[],
            &["refused-connection"],
        ),
        ("ABORT", vec![init(), (Server, 7, 6, Vec::new())], &[], &["refused-connection"]),
        ("INIT alone", vec![init()], &[], &["unanswered-connection"]),
    ];
    for (what, frames, expected, said) in rows {
        let mut world = cluster();
        for (by, tag, chunk, value) in frames {
            let packet = match by {
                Client => ip(CLIENT, SERVER, sctp(40_000, 3868, tag, chunk, &value)),
                Server => ip(SERVER, CLIENT, sctp(3868, 40_000, tag, chunk, &value)),
            };
            world.packet(&packet);
        }
        assert_calls(what, &world, &[], expected, said);
    }
}

/// What it shows, who sent what, the rules, what is said.
type Row = (&'static str, Vec<(By, Upper)>, &'static [&'static str], &'static [&'static str]);

#[test]
fn a_datagram_is_an_answer_behind_a_question() {
    let question = |port| (Client, udp(40_000, port, &dns(DNS_QUERY, "example.com", &[])));
    let response = |port| {
        let (kind, content) = dns_address(OUTSIDE);
        (Server, udp(port, 40_000, &dns(DNS_ANSWER, "example.com", &[("example.com", kind, 60, content)])))
    };
    let datagram = |by, port: u16| match by {
        Client => (Client, udp(40_000, port, b"a")),
        Server => (Server, udp(port, 40_000, b"a")),
    };
    let rows: Vec<Row> = vec![
        ("question and response", vec![question(53), response(53)], &["client -> server UDP 53"], &[]),
        ("a response that nobody asked for", vec![response(53)], &[], &[ONE_SIDED]),
        ("a response before its question", vec![response(53), question(53)], &[], &["unanswered-connection"]),
        ("a question alone", vec![question(53)], &[], &["unanswered-connection"]),
        ("an exchange", vec![datagram(Client, 8125), datagram(Server, 8125)], &["client -> server UDP 8125"], &[]),
        ("one datagram", vec![datagram(Client, 8125)], &[], &[]),
    ];
    for (what, frames, expected, said) in rows {
        let mut world = cluster();
        for (by, upper) in frames {
            let packet = match by {
                Client => ip(CLIENT, SERVER, upper),
                Server => ip(SERVER, CLIENT, upper),
            };
            world.packet(&packet);
        }
        assert_calls(what, &world, &[], expected, said);
    }
}

#[test]
fn views_before_and_after_translation_are_one_connection_where_their_numbers_agree() {
    const EDGE: &[&str] = &["client -> server TCP 8080"];
    const NONE: [Segment; 0] = [];
    /// What it shows, what was seen at the Service's address, and at the pod's; the rules, what is said.
    type Row = (&'static str, &'static [Segment], &'static [Segment], &'static [&'static str], &'static [&'static str]);
    let rows: [Row; 14] = [
        ("both whole", &ALL, &ALL, EDGE, &[]),
        ("the call alone", &ALL, &NONE, EDGE, &[]),
        ("the delivery alone", &NONE, &ALL, EDGE, &[]),
        ("the call in one direction", &UP, &ALL, EDGE, &[]),
        ("the call in the other direction", &DOWN, &ALL, EDGE, &[]),
        ("the delivery in one direction", &ALL, &UP, EDGE, &[]),
        ("the delivery in the other direction", &ALL, &DOWN, EDGE, &[]),
        ("asked at the Service, answered at the pod", &UP, &DOWN, EDGE, &[]),
        ("asked at the pod, answered at the Service", &DOWN, &UP, EDGE, &[]),
        ("the same direction twice", &UP, &UP, &[], &[ONE_SIDED]),
        ("the call in one direction and nothing else", &UP, &NONE, &[], &[ONE_SIDED]),
        ("nothing but a SYN at the Service", &[OPENS], &ALL, EDGE, &[]),
        ("nothing but a SYN at both", &[OPENS], &[OPENS], &[], &["unanswered-connection"]),
        ("accepted at both, and never acknowledged", &[OPENS, ACCEPTS], &[OPENS, ACCEPTS], &[], &[HALF_OPEN]),
    ];
    for (what, called, delivered, expected, said) in rows {
        for is_called_first in [true, false] {
            let mut world = cluster();
            let mut views = [((SERVICE, 80), called), ((SERVER, 8080), delivered)];
            if !is_called_first {
                views.reverse();
            }
            for (server, frames) in views {
                segments(&mut world, (CLIENT, 40_000), server, frames);
            }
            assert_calls(what, &world, &[], expected, said);
        }
        // The node that forwards puts its own address in.
        let mut world = cluster();
        segments(&mut world, (CLIENT, 40_000), (SERVICE, 80), called);
        segments(&mut world, (NODE, 40_000), (SERVER, 8080), delivered);
        let learned = world.learn(&[]);
        let is_edge = !expected.is_empty() && (called.len() > 1 || delivered.is_empty());
        let found = calls(&learned).contains(EDGE[0]);
        assert_eq!(found, is_edge, "{what}, through a node: {}", learned.messages);
    }
}

#[test]
fn a_second_opening_with_the_same_numbers_swallows_nothing() {
    const TO_OUTSIDE: &[&str] = &["client -> 203.0.113.66/32 TCP 443"];
    /// What is sent to a pod from the port and with the initial sequence number of a real connection to outside; what is said.
    type Row = (&'static str, Vec<Segment>, &'static [&'static str]);
    let rows: Vec<Row> = vec![
        ("a SYN", vec![OPENS], &["unanswered-connection"]),
        ("a SYN that the pod's kernel refuses", vec![OPENS, (Server, RST | ACK, 0, 1001, b"")], &["refused-connection"]),
        ("a SYN that the pod's kernel answers", vec![OPENS, (Server, SYN | ACK, 8000, 1001, b"")], &[HALF_OPEN]),
        (
            "a SYN that the pod's kernel answers, and the caller's resets",
            vec![OPENS, (Server, SYN | ACK, 8000, 1001, b""), (Client, RST, 1001, 0, b"")],
            &[HALF_OPEN],
        ),
        ("a SYN and data", vec![OPENS, (Client, ACK | PSH, 1001, 4711, b"ask")], &[ONE_SIDED]),
    ];
    for (what, frames, said) in rows {
        for is_real_first in [true, false] {
            let mut world = cluster();
            let mut both = [((OUTSIDE, 443), ALL.to_vec()), ((ANOTHER, 5000), frames.clone())];
            if !is_real_first {
                both.reverse();
            }
            for (server, frames) in both {
                segments(&mut world, (CLIENT, 40_000), server, &frames);
            }
            assert_calls(what, &world, &[], TO_OUTSIDE, said);
        }
    }
}

#[test]
fn a_capture_of_one_direction_is_said_once_and_makes_rules_on_demand() {
    let mut world = cluster();
    for port in 0..6 {
        let frames: &[Segment] = if port % 2 == 0 { &UP } else { &[ASKS, THANKS] };
        segments(&mut world, (CLIENT, 40_000 + port), (SERVER, 8080), frames);
        segments(&mut world, (CLIENT, 41_000 + port), (OUTSIDE, 443), &UP);
    }
    let learned = world.learn(&[]);
    assert_eq!(calls(&learned), BTreeSet::new(), "{}", learned.messages);
    assert_eq!(learned.findings("one-way-capture").len(), 1, "{}", learned.messages);
    assert_calls("by default", &world, &["--one-way", "withhold"], &[], &[ONE_SIDED]);
    let wanted = ["client -> 203.0.113.66/32 TCP 443", "client -> server TCP 8080"];
    assert_calls("on demand", &world, &["--one-way", "accept"], &wanted, &["one-sided-rule"]);
    let learned = world.learn(&["--one-way", "accept"]);
    assert!(!learned.codes().contains("one-way-capture"), "{}", learned.messages);
    assert_eq!(learned.findings("one-sided-rule").len(), 2, "one an edge: {}", learned.messages);
}

#[test]
fn a_few_forged_packets_are_no_capture_of_one_direction() {
    let mut world = cluster().tcp(CLIENT, SERVER, 8080).tcp(CLIENT, OUTSIDE, 443);
    segments(&mut world, (CLIENT, 40_000), (ANOTHER, 5000), &[OPENS, ASKS]);
    let learned = world.learn(&[]);
    assert!(!learned.codes().contains("one-way-capture"), "{}", learned.messages);
    // What nobody acknowledged was seen from both sides, and no option makes a rule of it.
    let mut world = cluster();
    segments(&mut world, (CLIENT, 40_000), (SERVER, 8080), &[OPENS, ACCEPTS]);
    assert_calls("half open", &world, &["--one-way", "accept"], &[], &[HALF_OPEN]);
}

#[test]
fn an_input_with_one_direction_says_nothing_about_another() {
    // One connection after another, each seen from both sides, and packets of one that is forged.
    let mut whole = cluster();
    for _ in 0..40 {
        whole = whole.tcp(CLIENT, SERVER, 8080);
    }
    segments(&mut whole, (CLIENT, 50_000), (ANOTHER, 5000), &[OPENS, ASKS]);
    let mut half = cluster();
    for port in 0..6 {
        segments(&mut half, (CLIENT, 42_000 + port), (OUTSIDE, 443), &UP);
    }
    let folder = tempfile::tempdir().unwrap();
    let second = folder.path().join("half.pcap");
    std::fs::write(&second, half.capture()).unwrap();
    let second = second.to_str().unwrap();
    let learned = whole.learn(&["--read", second]);
    let said = learned.findings("one-way-capture");
    assert_eq!(said.len(), 1, "{}", learned.messages);
    assert!(said[0].starts_with(&format!("{second}: ")), "{said:?}");
    assert_eq!(calls(&learned), BTreeSet::from(["client -> server TCP 8080".to_owned()]));
    let learned = whole.learn(&["--read", second, "--one-way", "accept"]);
    let wanted = ["client -> 203.0.113.66/32 TCP 443", "client -> server TCP 8080"].map(str::to_owned);
    assert_eq!(calls(&learned), BTreeSet::from(wanted), "the forged one is not among them: {}", learned.messages);
}
