//! DNS messages, hostile ones among them, and what is to be read from them.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod support;

use std::net::IpAddr;

use netpol_gen::decode::{DecodeOptions, Decoder, DnsMessage, Frame, LinkType, Packet, Transport};
use netpol_gen::model::Timestamp;
use proptest::prelude::*;
use support::frames::*;

const A: &str = "10.244.1.5";
const B: &str = "10.96.0.10";

fn decode(bytes: &[u8], length: usize) -> Option<Packet> {
    let wire_length = u32::try_from(bytes.len()).unwrap();
    let frame = Frame { at: Timestamp(7), link: LinkType::RawIp, wire_length, data: &bytes[..length] };
    Decoder::new(DecodeOptions::default()).decode(&frame)
}

fn dns_of(bytes: &[u8]) -> Option<DnsMessage> {
    match decode(bytes, bytes.len())?.transport {
        Transport::Udp { dns, .. } | Transport::Tcp { dns, .. } => dns.map(|message| *message),
        _ => None,
    }
}

fn record(name: &'static str, address: &str, time_to_live: u32) -> (&'static str, u16, u32, Vec<u8>) {
    let (kind, content) = dns_address(address);
    (name, kind, time_to_live, content)
}

fn alias(name: &'static str, target: &str, time_to_live: u32) -> (&'static str, u16, u32, Vec<u8>) {
    (name, 5, time_to_live, dns_name(target))
}

type DnsRow = (&'static str, Vec<u8>, bool, Option<&'static str>, Vec<(&'static str, u32)>);

fn dns_rows() -> Vec<DnsRow> {
    let asked = "api.example.com";
    let answer = |answers: &[_]| dns(DNS_ANSWER, asked, answers);
    let mut compressed = dns(DNS_ANSWER, asked, &[]);
    compressed[7] = 1;
    compressed.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 203, 0, 113, 7]);
    let mut with_authority = answer(&[record(asked, "203.0.113.7", 60)]);
    with_authority[9] = 3;
    with_authority.extend([0xff; 9]);
    let mut chaos = answer(&[record(asked, "203.0.113.7", 60)]);
    let class_at = chaos.len() - 12;
    chaos[class_at..class_at + 2].copy_from_slice(&[0, 3]);
    vec![
        ("a query", dns(DNS_QUERY, asked, &[]), false, Some(asked), vec![]),
        ("upper case", dns(DNS_QUERY, "API.Example.COM", &[]), false, Some(asked), vec![]),
        ("the root", dns(DNS_QUERY, "", &[]), false, Some(""), vec![]),
        ("an address", answer(&[record(asked, "203.0.113.7", 60)]), true, Some(asked), vec![("203.0.113.7", 60)]),
        ("compressed", compressed, true, Some(asked), vec![("203.0.113.7", 60)]),
        (
            "several, both families",
            answer(&[record(asked, "203.0.113.7", 60), record(asked, "2001:db8::7", 30)]),
            true,
            Some(asked),
            vec![("203.0.113.7", 60), ("2001:db8::7", 30)],
        ),
        (
            "a chain, its least time to live",
            answer(&[
                alias(asked, "lb.example.net", 20),
                alias("LB.example.net", "node7.example.org", 300),
                record("node7.example.org", "203.0.113.7", 60),
            ]),
            true,
            Some(asked),
            vec![("203.0.113.7", 20)],
        ),
        (
            "a chain in any order",
            answer(&[record("b.example.com", "203.0.113.7", 60), alias(asked, "b.example.com", 5)]),
            true,
            Some(asked),
            vec![("203.0.113.7", 5)],
        ),
        (
            "records of other names are not believed",
            answer(&[record("bank.example", "203.0.113.66", 60), record(asked, "203.0.113.7", 60)]),
            true,
            Some(asked),
            vec![("203.0.113.7", 60)],
        ),
        (
            "a chain in circles",
            answer(&[alias(asked, "b.example.com", 5), alias("b.example.com", asked, 5)]),
            true,
            Some(asked),
            vec![],
        ),
        (
            "no such name",
            dns(DNS_NO_SUCH_NAME, "api.example.com.prod.svc.cluster.local", &[]),
            true,
            Some("api.example.com.prod.svc.cluster.local"),
            vec![],
        ),
        (
            "no such name, with an address all the same",
            dns(DNS_NO_SUCH_NAME, asked, &[record(asked, "203.0.113.7", 60)]),
            true,
            Some(asked),
            vec![],
        ),
        ("no address of the kind asked for", answer(&[]), true, Some(asked), vec![]),
        (
            "records of types nobody knows",
            answer(&[(asked, 65, 60, vec![0xff; 3]), (asked, 46, 60, vec![]), record(asked, "203.0.113.7", 60)]),
            true,
            Some(asked),
            vec![("203.0.113.7", 60)],
        ),
        ("an address of three bytes", answer(&[(asked, 1, 60, vec![1, 2, 3])]), true, Some(asked), vec![]),
        ("another class", chaos, true, Some(asked), vec![]),
        (
            "a time to live beyond what is allowed is none",
            answer(&[record(asked, "203.0.113.7", 1 << 31)]),
            true,
            Some(asked),
            vec![("203.0.113.7", 0)],
        ),
        ("a broken authority section does not matter", with_authority, true, Some(asked), vec![("203.0.113.7", 60)]),
        ("v4-mapped", answer(&[record(asked, "::ffff:203.0.113.7", 60)]), true, Some(asked), vec![("203.0.113.7", 60)]),
        ("hostile bytes", dns(DNS_QUERY, "a\nb\u{1b}[31m.\u{e9}", &[]), false, Some("a\nb\u{1b}[31m.\u{e9}"), vec![]),
    ]
}

#[test]
fn dns_messages_give_names_and_addresses() {
    for (what, message, is_response, question, addresses) in dns_rows() {
        let addresses: Vec<(IpAddr, u32)> =
            addresses.into_iter().map(|(address, time_to_live)| (address.parse().unwrap(), time_to_live)).collect();
        let expected = Some(DnsMessage { is_response, id: 0x1234, question: question.map(str::to_owned), addresses });
        let over_udp = ip(B, A, udp(53, 40000, &message));
        assert_eq!(dns_of(&over_udp), expected, "{what}, over UDP");
        let framed = [&u16::try_from(message.len()).unwrap().to_be_bytes()[..], &message].concat();
        let over_tcp = ip(B, A, tcp(53, 40000, ACK | PSH, &framed));
        assert_eq!(dns_of(&over_tcp), expected, "{what}, over TCP");
    }
}

#[test]
fn dns_only_where_it_is_expected() {
    let message = dns(DNS_QUERY, "api.example.com", &[]);
    let rows = [
        ("to a resolver", A, B, 40000, 53, true),
        ("mDNS asked for unicast", A, B, 5353, 40000, true),
        ("mDNS", A, "224.0.0.251", 5353, 5353, false),
        ("mDNS over IPv6", "fd00:10:244::5", "ff02::fb", 5353, 5353, false),
        ("another port", A, B, 40000, 5300, false),
    ];
    for (what, source, destination, source_port, destination_port, is_read) in rows {
        let bytes = ip(source, destination, udp(source_port, destination_port, &message));
        assert_eq!(dns_of(&bytes).is_some(), is_read, "{what}");
    }
}

#[test]
fn what_is_no_dns_message_is_none() {
    let whole = dns(DNS_ANSWER, "api.example.com", &[record("api.example.com", "203.0.113.7", 60)]);
    let with = |at: usize, bytes: &[u8]| {
        let mut message = whole.clone();
        message[at..at + bytes.len()].copy_from_slice(bytes);
        message
    };
    let rows = [
        ("shorter than a header", whole[..11].to_vec()),
        ("an update", with(2, &[0xa8])),
        ("65535 questions", with(4, &[0xff, 0xff])),
        ("a question that points to itself", with(12, &[0xc0, 12])),
        ("a question that points forward", with(12, &[0xc0, 40])),
        ("a label that leads out of the message", with(12, &[63])),
        ("a label of a kind that does not exist", with(12, &[0x80])),
    ];
    for (what, message) in rows {
        assert_eq!(dns_of(&ip(B, A, udp(53, 40000, &message))), None, "{what}");
    }
    let half = [&[0, 200][..], &whole].concat();
    assert_eq!(dns_of(&ip(B, A, tcp(53, 40000, ACK, &half))), None, "a segment with half a message");
}

#[test]
fn answers_before_the_cut_are_used() {
    let name = "api.example.com";
    let message = dns(DNS_ANSWER, name, &[record(name, "203.0.113.7", 60), record(name, "203.0.113.8", 60)]);
    let whole = ip(B, A, udp(53, 40000, &message));
    let read = |length: usize| match decode(&whole, length).unwrap().transport {
        Transport::Udp { dns, .. } => dns.map(|message| *message),
        _ => None,
    };
    let message = read(whole.len() - 1).unwrap();
    assert_eq!(message.addresses, [("203.0.113.7".parse().unwrap(), 60)], "one answer is whole");
    assert_eq!(read(45).unwrap().question, None, "the question is cut");
    assert_eq!(read(35), None, "the header is cut");
}

/// 64 kB of records, each named through a chain of pointers as long as the message admits.
#[test]
fn hostile_compression_costs_little() {
    let mut message = dns(DNS_ANSWER, "a", &[]);
    message[6..8].copy_from_slice(&[0xff, 0xff]);
    let mut previous = 12_u16;
    let filler = message.len();
    // A record whose content is pointers to pointers.
    message.extend([0, 0, 16, 0, 1, 0, 0, 0, 0, 0x3e, 0x80]);
    while message.len() < filler + 11 + 0x3e80 {
        let here = u16::try_from(message.len()).unwrap();
        message.extend((0xc000 | previous).to_be_bytes());
        previous = here;
    }
    while message.len() < 65000 {
        message.extend((0xc000 | previous).to_be_bytes());
        message.extend([0, 16, 0, 1, 0, 0, 0, 0, 0, 0]);
    }
    let bytes = ip(B, A, udp(53, 40000, &message));
    let started = std::time::Instant::now();
    assert_eq!(dns_of(&bytes).unwrap().addresses, []);
    assert!(started.elapsed().as_secs() < 5, "took {:?}", started.elapsed());
}

/// Bytes to be overwritten.
fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, u8)>> {
    prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)
}

proptest! {
    #[test]
    fn damaged_dns_never_panics(row in any::<prop::sample::Index>(), changes in changes()) {
        let rows = dns_rows();
        let mut message = rows[row.index(rows.len())].1.clone();
        for (at, byte) in changes {
            let at = at.index(message.len());
            message[at] = byte;
        }
        dns_of(&ip(B, A, udp(53, 40000, &message)));
    }
}
