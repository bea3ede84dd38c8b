//! Frames of every kind, and the packets they are to give.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod support;

use netpol_gen::decode::{Chunk, DecodeOptions, Decoder, Frame, IcmpError, LinkType, Packet, Tally, TcpFlags, Transport};
use netpol_gen::model::{Code, Protocol, Timestamp};
use proptest::prelude::*;
use support::frames::*;

const A: &str = "10.244.1.5";
const B: &str = "10.96.0.10";
const A6: &str = "fd00:10:244::5";
const B6: &str = "fd00:10:96::a";
const NODE_A: &str = "192.168.0.1";
const NODE_B: &str = "192.168.0.2";

fn frame(link: LinkType, data: &[u8]) -> Frame<'_> {
    Frame { at: Timestamp(7), link, wire_length: u32::try_from(data.len()).unwrap(), data }
}

fn decode(link: LinkType, data: &[u8]) -> (Option<Packet>, Tally) {
    decode_frame(&frame(link, data))
}

fn decode_frame(frame: &Frame<'_>) -> (Option<Packet>, Tally) {
    let mut decoder = Decoder::new(DecodeOptions::default());
    let packet = decoder.decode(frame);
    (packet, decoder.tally().clone())
}

fn packet(source: &str, destination: &str, transport: Transport) -> Packet {
    Packet { at: Timestamp(7), source: source.parse().unwrap(), destination: destination.parse().unwrap(), transport }
}

fn a_tcp(flags: u8, payload_length: u32) -> Transport {
    let has = |flag| flags & flag != 0;
    Transport::Tcp {
        source_port: 40000,
        destination_port: 80,
        flags: TcpFlags { syn: has(SYN), ack: has(ACK), rst: has(RST), fin: has(FIN) },
        sequence: 1000,
        acknowledgment: if has(ACK) { 2000 } else { 0 },
        payload_length,
        dns: None,
    }
}

fn a_udp() -> Transport {
    Transport::Udp { source_port: 40000, destination_port: 8125, dns: None }
}

fn syn() -> Upper {
    tcp(40000, 80, SYN, b"")
}

fn statsd() -> Upper {
    udp(40000, 8125, b"a:1|c")
}

type Row = (&'static str, LinkType, Vec<u8>, Option<Packet>);

/// Frames that carry datagrams, and what is to come of them.
fn rows() -> Vec<Row> {
    [link_rows(), network_rows(), transport_rows(), icmp_rows(), tunnel_rows()].concat()
}

fn link_rows() -> Vec<Row> {
    use LinkType::{Ethernet, LinuxCooked, LinuxCooked2, Loopback, RawIp};
    let syn4 = ip(A, B, syn());
    let syn6 = ip(A6, B6, syn());
    let is_syn4 = Some(packet(A, B, a_tcp(SYN, 0)));
    let is_syn6 = Some(packet(A6, B6, a_tcp(SYN, 0)));
    let tagged = |tags: &[(u16, u16)]| [&[2; 12][..], &vlan(tags, &syn4)].concat();
    vec![
        ("Ethernet, IPv4", Ethernet, ethernet(&syn4), is_syn4.clone()),
        ("Ethernet, IPv6", Ethernet, ethernet(&syn6), is_syn6.clone()),
        ("802.1Q", Ethernet, tagged(&[(0x8100, 5)]), is_syn4.clone()),
        ("802.1ad", Ethernet, tagged(&[(0x88a8, 5), (0x8100, 6)]), is_syn4.clone()),
        ("old stacked tags, three of them", Ethernet, tagged(&[(0x9100, 5), (0x9100, 6), (0x8100, 7)]), is_syn4.clone()),
        ("priority tag", Ethernet, tagged(&[(0x8100, 0xe000)]), is_syn4.clone()),
        ("cooked v1", LinuxCooked, cooked(1, 0x0800, &syn4), is_syn4.clone()),
        ("cooked v1, loopback device", LinuxCooked, cooked(772, 0x86dd, &syn6), is_syn6.clone()),
        ("cooked v1, tun device", LinuxCooked, cooked(65534, 0x0800, &syn4), is_syn4.clone()),
        ("cooked v1, VLAN", LinuxCooked, cooked(1, 0x8100, &vlan(&[], &syn4).splice_tag(9)), is_syn4.clone()),
        ("cooked v2", LinuxCooked2, cooked2(1, 0x0800, &syn4), is_syn4.clone()),
        ("cooked v2, loopback device", LinuxCooked2, cooked2(772, 0x0800, &syn4), is_syn4.clone()),
        ("cooked v2, VLAN", LinuxCooked2, cooked2(1, 0x8100, &vlan(&[], &syn6).splice_tag(9)), is_syn6.clone()),
        ("raw, IPv4", RawIp, syn4.clone(), is_syn4.clone()),
        ("raw, IPv6", RawIp, syn6.clone(), is_syn6.clone()),
        ("null, little-endian", Loopback, [&[2, 0, 0, 0][..], &syn4].concat(), is_syn4.clone()),
        ("null, big-endian", Loopback, [&[0, 0, 0, 2][..], &syn4].concat(), is_syn4),
        ("null, NetBSD's IPv6", Loopback, [&[24, 0, 0, 0][..], &syn6].concat(), is_syn6.clone()),
        ("null, FreeBSD's IPv6", Loopback, [&[0, 0, 0, 28][..], &syn6].concat(), is_syn6.clone()),
        ("null, macOS's IPv6", Loopback, [&[30, 0, 0, 0][..], &syn6].concat(), is_syn6),
    ]
}

trait SpliceTag {
    fn splice_tag(self, identifier: u16) -> Vec<u8>;
}

impl SpliceTag for Vec<u8> {
    /// A cooked header has the tag's type as its protocol; only the identifier precedes the inner type.
    fn splice_tag(self, identifier: u16) -> Vec<u8> {
        [&identifier.to_be_bytes()[..], &self].concat()
    }
}

fn network_rows() -> Vec<Row> {
    use LinkType::{Ethernet, RawIp};
    let is_udp4 = Some(packet(A, B, a_udp()));
    let is_udp6 = Some(packet(A6, B6, a_udp()));
    let is_later = |source, destination| Some(packet(source, destination, Transport::LaterFragment));
    let extended = |extensions: &[(u8, Vec<u8>)]| ipv6(A6.parse().unwrap(), B6.parse().unwrap(), extensions, statsd());
    let pieces = fragments(&ip(A, B, udp(40000, 8125, &[1; 3000])), 1480);
    let mut offloaded = ip(A, B, tcp(40000, 80, ACK, &[1; 600]));
    offloaded[2..4].fill(0);
    let mut offloaded6 = ip(A6, B6, tcp(40000, 80, ACK, &[1; 600]));
    offloaded6[4..6].fill(0);
    let padding = |bytes: usize| vec![0; bytes];
    vec![
        ("IPv4 options", RawIp, ipv4(A.parse().unwrap(), B.parse().unwrap(), &[1; 40], statsd()), is_udp4.clone()),
        ("first fragment", RawIp, pieces[0].clone(), is_udp4.clone()),
        ("middle fragment", RawIp, pieces[1].clone(), is_later(A, B)),
        ("last fragment", RawIp, pieces[2].clone(), is_later(A, B)),
        ("a trailer is no payload", Ethernet, ethernet(&ip(A, B, tcp(40000, 80, ACK, b""))), Some(packet(A, B, a_tcp(ACK, 0)))),
        ("payload length", RawIp, ip(A, B, tcp(40000, 80, ACK | PSH, b"GET /")), Some(packet(A, B, a_tcp(ACK, 5)))),
        ("total length 0: the wire counts", RawIp, offloaded, Some(packet(A, B, a_tcp(ACK, 600)))),
        ("IPv6 payload length 0: the wire counts", RawIp, offloaded6, Some(packet(A6, B6, a_tcp(ACK, 600)))),
        ("hop-by-hop", RawIp, extended(&[(0, padding(6))]), is_udp6.clone()),
        ("long destination options", RawIp, extended(&[(60, padding(22))]), is_udp6.clone()),
        (
            "a chain of extension headers",
            RawIp,
            extended(&[(0, padding(6)), (60, padding(14)), (43, padding(22)), (44, fragment_header(0, false)), (60, padding(6))]),
            is_udp6.clone(),
        ),
        ("IPv6, first fragment", RawIp, extended(&[(44, fragment_header(0, true))]), is_udp6.clone()),
        ("IPv6, later fragment", RawIp, extended(&[(44, fragment_header(1448, false))]), is_later(A6, B6)),
        ("AH in IPv4", RawIp, ip(A, B, authenticated(&statsd())), is_udp4.clone()),
        ("AH in IPv6", RawIp, ip(A6, B6, authenticated(&statsd())), is_udp6),
        ("no next header", RawIp, ip(A6, B6, Upper::new(59, [])), Some(packet(A6, B6, Transport::Other(59)))),
        ("IGMP", RawIp, ip(A, "224.0.0.22", Upper::new(2, [0x22; 8])), Some(packet(A, "224.0.0.22", Transport::Other(2)))),
        ("v4-mapped addresses", RawIp, ip("::ffff:10.244.1.5", "::ffff:10.96.0.10", statsd()), is_udp4),
        ("more extension headers than are believed", RawIp, extended(&vec![(60, padding(6)); 30]), None),
    ]
}

fn transport_rows() -> Vec<Row> {
    use LinkType::RawIp;
    let is = |transport| Some(packet(A, B, transport));
    let sctp_with = |chunk| Transport::Sctp { source_port: 5000, destination_port: 38412, verification_tag: 9, chunk };
    let association = |kind, value: &[u8]| ip(A, B, sctp(5000, 38412, 9, kind, value));
    vec![
        ("SYN", RawIp, ip(A, B, syn()), is(a_tcp(SYN, 0))),
        ("SYN with ECN", RawIp, ip(A, B, tcp(40000, 80, SYN | ECE | CWR, b"")), is(a_tcp(SYN, 0))),
        ("SYN with payload", RawIp, ip(A, B, tcp(40000, 80, SYN, b"hello")), is(a_tcp(SYN, 5))),
        ("SYN+ACK", RawIp, ip(A, B, tcp(40000, 80, SYN | ACK, b"")), is(a_tcp(SYN | ACK, 0))),
        ("RST", RawIp, ip(A, B, tcp(40000, 80, RST, b"")), is(a_tcp(RST, 0))),
        ("FIN", RawIp, ip(A, B, tcp(40000, 80, FIN | ACK, b"")), is(a_tcp(FIN | ACK, 0))),
        ("UDP", RawIp, ip(A, B, statsd()), is(a_udp())),
        ("UDP, empty", RawIp, ip(A, B, udp(40000, 8125, b"")), is(a_udp())),
        ("SCTP INIT", RawIp, association(1, &sctp_init(77)), is(sctp_with(Chunk::Init { tag: 77 }))),
        ("SCTP INIT ACK", RawIp, association(2, &sctp_init(78)), is(sctp_with(Chunk::InitAck { tag: 78 }))),
        ("SCTP ABORT", RawIp, association(6, &[]), is(sctp_with(Chunk::Abort))),
        ("SCTP ERROR", RawIp, association(9, &[0, 3, 0, 8, 0, 0, 0, 0]), is(sctp_with(Chunk::Error))),
        ("SCTP COOKIE ECHO", RawIp, association(10, &[1; 4]), is(sctp_with(Chunk::CookieEcho))),
        ("SCTP COOKIE ACK", RawIp, association(11, &[]), is(sctp_with(Chunk::Other))),
        ("SCTP SHUTDOWN COMPLETE", RawIp, association(14, &[]), is(sctp_with(Chunk::ShutdownComplete))),
        ("SCTP DATA", RawIp, association(0, &[1; 20]), is(sctp_with(Chunk::Other))),
    ]
}

fn icmp_rows() -> Vec<Row> {
    use LinkType::RawIp;
    let error = |source: &str, destination: &str| {
        Transport::IcmpError(IcmpError {
            protocol: Protocol::Udp,
            source: source.parse().unwrap(),
            source_port: 40000,
            destination: destination.parse().unwrap(),
            destination_port: 8125,
        })
    };
    let quoted = ip(A, B, statsd());
    let quoted6 = ip(A6, B6, statsd());
    let extended = ipv6(A6.parse().unwrap(), B6.parse().unwrap(), &[(0, vec![0; 6])], statsd());
    let later = fragments(&ip(A, B, udp(40000, 8125, &[1; 3000])), 1480)[1].clone();
    let v4 = |kind, code, rest: &[u8]| ip(NODE_A, A, icmp(kind, code, rest));
    let v6 = |kind, code, rest: &[u8]| ip("fe80::1", A6, icmpv6(kind, code, rest));
    let is = |transport| Some(packet(NODE_A, A, transport));
    let is6 = |transport| Some(packet("fe80::1", A6, transport));
    let sctp_error = Transport::IcmpError(IcmpError {
        protocol: Protocol::Sctp,
        source: A.parse().unwrap(),
        source_port: 1,
        destination: B.parse().unwrap(),
        destination_port: 2,
    });
    vec![
        ("echo request", RawIp, v4(8, 0, b"ping"), is(Transport::EchoRequest)),
        ("echo reply", RawIp, v4(0, 0, b"ping"), is(Transport::EchoReply)),
        ("IPv6 echo request", RawIp, v6(128, 0, b"ping"), is6(Transport::EchoRequest)),
        ("IPv6 echo reply", RawIp, v6(129, 0, b"ping"), is6(Transport::EchoReply)),
        ("net unreachable", RawIp, v4(3, 0, &quoted), is(error(A, B))),
        ("host unreachable", RawIp, v4(3, 1, &quoted), is(error(A, B))),
        ("port unreachable", RawIp, v4(3, 3, &quoted), is(error(A, B))),
        ("admin prohibited", RawIp, v4(3, 13, &quoted), is(error(A, B))),
        ("quotes no more than 8 bytes", RawIp, v4(3, 3, &quoted[..28]), is(error(A, B))),
        ("quotes SCTP", RawIp, v4(3, 3, &ip(A, B, sctp(1, 2, 3, 0, b""))), is(sctp_error)),
        ("quotes a ping", RawIp, v4(3, 1, &ip(A, B, icmp(8, 0, b"ping"))), is(Transport::IcmpControl)),
        ("quotes a later fragment", RawIp, v4(3, 1, &later), is(Transport::IcmpControl)),
        ("fragmentation needed", RawIp, v4(3, 4, &quoted), is(Transport::IcmpControl)),
        ("time exceeded", RawIp, v4(11, 0, &quoted), is(Transport::IcmpControl)),
        ("redirect", RawIp, v4(5, 1, &quoted), is(Transport::IcmpControl)),
        ("IPv6 port unreachable", RawIp, v6(1, 4, &quoted6), is6(error(A6, B6))),
        ("IPv6 admin prohibited, quotes extension headers", RawIp, v6(1, 1, &extended), is6(error(A6, B6))),
        ("packet too big", RawIp, v6(2, 0, &quoted6), is6(Transport::IcmpControl)),
        ("IPv6 time exceeded", RawIp, v6(3, 0, &quoted6), is6(Transport::IcmpControl)),
        ("neighbour solicitation", RawIp, v6(135, 0, &[0; 16]), is6(Transport::IcmpControl)),
        ("ICMP for IPv4 in IPv6 is no ICMP", RawIp, ip(A6, B6, icmp(8, 0, b"")), Some(packet(A6, B6, Transport::Other(1)))),
    ]
}

fn tunnel_rows() -> Vec<Row> {
    use LinkType::{Ethernet, RawIp};
    let syn4 = ip(A, B, syn());
    let syn6 = ip(A6, B6, syn());
    let is_syn4 = Some(packet(A, B, a_tcp(SYN, 0)));
    let is_syn6 = Some(packet(A6, B6, a_tcp(SYN, 0)));
    let outer = |upper| ip(NODE_A, NODE_B, upper);
    let is_opaque = |name| Some(packet(NODE_A, NODE_B, Transport::OpaqueTunnel(name)));
    let is_plain =
        |source_port, destination_port| Some(packet(NODE_A, NODE_B, Transport::Udp { source_port, destination_port, dns: None }));
    let deep = (0..3).fold(syn4.clone(), |inner, _| outer(encapsulated(&inner)));
    let tagged = [&[2; 12][..], &vlan(&[(0x8100, 5)], &syn4)].concat();
    vec![
        ("VXLAN", Ethernet, ethernet(&outer(vxlan(1, &ethernet(&syn4)))), is_syn4.clone()),
        ("VXLAN on flannel's port", RawIp, outer(vxlan_to(8472, 1, &ethernet(&syn6))), is_syn6.clone()),
        ("VXLAN over IPv6", RawIp, ip("fd00::1", "fd00::2", vxlan(1, &ethernet(&syn4))), is_syn4.clone()),
        ("VXLAN with a VLAN inside", RawIp, outer(vxlan(1, &tagged)), is_syn4.clone()),
        ("VXLAN on a port nobody named", RawIp, outer(vxlan_to(4790, 1, &ethernet(&syn4))), is_plain(54321, 4790)),
        ("a datagram to the VXLAN port that is none", RawIp, outer(udp(5353, 4789, &[0; 40])), is_plain(5353, 4789)),
        ("a short datagram to the VXLAN port", RawIp, outer(udp(1, 4789, b"hi")), is_plain(1, 4789)),
        ("VXLAN with ARP inside", RawIp, outer(vxlan(1, &ethernet_of(0x0806, &[0; 28]))), None),
        ("Geneve", RawIp, outer(geneve(1, &[], 0x6558, &ethernet(&syn4))), is_syn4.clone()),
        ("Geneve with options", RawIp, outer(geneve(1, &[7; 12], 0x6558, &ethernet(&syn6))), is_syn6.clone()),
        ("Geneve with IP inside", RawIp, outer(geneve(1, &[7; 4], 0x86dd, &syn6)), is_syn6.clone()),
        ("4 in 4", RawIp, outer(encapsulated(&syn4)), is_syn4.clone()),
        ("6 in 4", RawIp, outer(encapsulated(&syn6)), is_syn6.clone()),
        ("4 in 6", RawIp, ip("fd00::1", "fd00::2", encapsulated(&syn4)), is_syn4.clone()),
        ("6 in 6", RawIp, ip("fd00::1", "fd00::2", encapsulated(&syn6)), is_syn6),
        ("GRE", RawIp, outer(gre(0, 0x0800, &syn4)), is_syn4.clone()),
        ("GRE with everything", RawIp, outer(gre(0xb000, 0x0800, &syn4)), is_syn4.clone()),
        ("GRE with Ethernet", RawIp, outer(gre(0, 0x6558, &ethernet(&syn4))), is_syn4.clone()),
        ("NVGRE", RawIp, outer(gre(0x2000, 0x6558, &ethernet(&syn4))), is_syn4.clone()),
        ("PPTP", RawIp, outer(gre(0x3001, 0x880b, &[0; 20])), is_opaque("PPTP")),
        ("ESP", RawIp, outer(Upper::new(50, [9; 60])), is_opaque("ESP")),
        ("ESP behind NAT", RawIp, outer(udp(4500, 4500, &[9; 60])), is_opaque("IPsec NAT traversal")),
        ("keepalive of ESP behind NAT", RawIp, outer(udp(4500, 33333, &[0xff])), is_opaque("IPsec NAT traversal")),
        ("port 4500, other content", RawIp, outer(udp(4500, 33333, b"hello")), is_plain(4500, 33333)),
        ("a resolver's answer to port 4500", RawIp, outer(udp(53, 4500, &[9; 8])), is_plain(53, 4500)),
        ("WireGuard", RawIp, outer(udp(51820, 51820, &[4, 0, 0, 0, 1, 2, 3, 4])), is_opaque("WireGuard")),
        ("WireGuard, from any port", RawIp, outer(udp(33333, 51821, &[1, 0, 0, 0, 1, 2, 3, 4])), is_opaque("WireGuard")),
        ("WireGuard's port, other content", RawIp, outer(udp(33333, 51820, b"hello")), is_plain(33333, 51820)),
        ("four tunnels in each other", RawIp, outer(vxlan(1, &ethernet(&deep))), is_syn4),
        ("five are one too many", RawIp, outer(vxlan(1, &ethernet(&outer(encapsulated(&deep))))), None),
    ]
}

#[test]
fn frames_give_their_packets() {
    for (what, link, bytes, expected) in rows() {
        let (packet, tally) = decode(link, &bytes);
        assert_eq!(packet, expected, "{what}: {tally:?}");
        assert_eq!((tally.frames, tally.decoded), (1, u64::from(expected.is_some())), "{what} is counted");
    }
}

#[test]
fn a_cut_frame_gives_the_same_packet_or_none() {
    for (what, link, bytes, expected) in rows() {
        let wire_length = u32::try_from(bytes.len()).unwrap();
        let mut is_given = false;
        for length in 0..bytes.len() {
            let (packet, tally) = decode_frame(&Frame { at: Timestamp(7), link, wire_length, data: &bytes[..length] });
            if let Some(packet) = packet {
                assert_eq!(Some(packet), expected, "{what}, cut at {length}");
                is_given = true;
            } else {
                assert!(!is_given, "{what}, cut at {length}: given when shorter");
                assert!(expected.is_none() || tally.malformed == 0, "{what}, cut at {length}: nothing is wrong with it");
            }
        }
    }
}

#[test]
fn what_is_left_out_is_counted_by_reason() {
    use LinkType::{Ethernet, LinuxCooked, Loopback, RawIp, Unsupported};
    let plain = ip(A, B, syn());
    let with = |at: usize, byte: u8| {
        let mut bytes = plain.clone();
        bytes[at] = byte;
        bytes
    };
    let udp_with_length = |length: u16| {
        let mut bytes = ip(A, B, udp(40000, 8125, b"hello"));
        bytes[24..26].copy_from_slice(&length.to_be_bytes());
        bytes
    };
    let reason = |count: fn(&mut Tally)| {
        let mut tally = Tally { frames: 1, ..Tally::default() };
        count(&mut tally);
        tally
    };
    let not_ip = reason(|tally| tally.not_ip = 1);
    let malformed = reason(|tally| tally.malformed = 1);
    let rows: Vec<(&str, LinkType, Vec<u8>, Tally)> = vec![
        ("ARP", Ethernet, ethernet_of(0x0806, &[0; 46]), not_ip.clone()),
        ("LLDP", Ethernet, ethernet_of(0x88cc, &[0; 46]), not_ip.clone()),
        ("spanning tree", Ethernet, ethernet_of(38, &[0x42, 0x42, 3]), not_ip.clone()),
        ("802.2 in a cooked capture", LinuxCooked, cooked(1, 4, &[0x42, 0x42, 3]), not_ip.clone()),
        ("netlink", LinuxCooked, cooked(824, 0, &[0; 16]), not_ip.clone()),
        ("AppleTalk on loopback", Loopback, [&[16, 0, 0, 0][..], &plain].concat(), not_ip),
        ("MPLS", Ethernet, ethernet_of(0x8847, &plain), reason(|tally| tally.unsupported_ether_types = [(0x8847, 1)].into())),
        ("Wi-Fi", Unsupported(105), plain.clone(), reason(|tally| tally.unsupported_link_types = [(105, 1)].into())),
        ("nothing at all", Ethernet, vec![], malformed.clone()),
        ("an Ethernet header and no more", Ethernet, ethernet_of(0x0800, &[]), malformed.clone()),
        ("IPv6 under the type of IPv4", Ethernet, ethernet_of(0x0800, &ip(A6, B6, syn())), malformed.clone()),
        ("IP version 5", RawIp, with(0, 0x55), malformed.clone()),
        ("IHL of 4", RawIp, with(0, 0x44), malformed.clone()),
        ("IHL beyond the packet", RawIp, ip(A, B, Upper::new(6, []))[..20].iter().map(|_| 0x4f).collect(), malformed.clone()),
        ("total length shorter than the header", RawIp, with(3, 19), malformed.clone()),
        ("total length that cuts the TCP header", RawIp, with(3, 39), malformed.clone()),
        ("TCP data offset of 4", RawIp, with(32, 0x40), malformed.clone()),
        ("TCP data offset beyond the packet", RawIp, with(32, 0xf0), malformed.clone()),
        ("UDP length of 7", RawIp, udp_with_length(7), malformed.clone()),
        ("UDP length beyond the packet", RawIp, udp_with_length(14), malformed.clone()),
        ("SCTP without a chunk", RawIp, ip(A, B, Upper::new(132, [0; 12])), malformed.clone()),
        ("an ICMP error that quotes nothing", RawIp, ip(A, B, icmp(3, 3, &[])), malformed.clone()),
        ("GRE of version 3", RawIp, ip(A, B, gre(3, 0x0800, &plain)), malformed.clone()),
        ("an AH that is too short", RawIp, ip(A, B, Upper::new(51, [6, 0, 0, 0, 0, 0, 0, 0])), malformed),
    ];
    for (what, link, bytes, expected) in rows {
        let (packet, tally) = decode(link, &bytes);
        assert_eq!(packet, None, "{what}");
        assert_eq!(tally, expected, "{what}");
    }
}

#[test]
fn a_cut_inner_frame_is_a_cut_frame() {
    let whole = ethernet(&ip(NODE_A, NODE_B, vxlan(1, &ethernet(&ip(A, B, syn())))));
    let wire_length = u32::try_from(whole.len()).unwrap();
    let (packet, tally) = decode_frame(&Frame { at: Timestamp(7), link: LinkType::Ethernet, wire_length, data: &whole[..68] });
    assert_eq!((packet, tally.cut), (None, 1));
}

#[test]
fn options_of_a_syn_may_be_cut() {
    // What tcpdump captured by default for many years.
    let whole = ethernet(&ip(A, B, syn()));
    let wire_length = u32::try_from(whole.len()).unwrap();
    let (packet_given, _) = decode_frame(&Frame { at: Timestamp(7), link: LinkType::Ethernet, wire_length, data: &whole[..68] });
    assert_eq!(packet_given, Some(packet(A, B, a_tcp(SYN, 0))));
}

#[test]
fn vxlan_ports_are_those_given() {
    let bytes = ip(NODE_A, NODE_B, vxlan_to(4790, 1, &ethernet(&ip(A, B, syn()))));
    let mut decoder = Decoder::new(DecodeOptions { vxlan_ports: [4790].into(), ..DecodeOptions::default() });
    assert_eq!(decoder.decode(&frame(LinkType::RawIp, &bytes)), Some(packet(A, B, a_tcp(SYN, 0))));
    assert_eq!(decoder.tally().decapsulated, 1);
}

#[test]
fn findings_name_what_was_left_out() {
    let mut decoder = Decoder::new(DecodeOptions::default());
    let tunnel = ip(NODE_A, NODE_B, udp(51820, 51820, &[4, 0, 0, 0, 1, 2, 3, 4]));
    let later = &fragments(&ip(A, B, udp(40000, 8125, &[1; 3000])), 1480)[1];
    for (link, bytes) in [
        (LinkType::Ethernet, ethernet_of(0x0806, &[0; 46])),
        (LinkType::Ethernet, ethernet_of(0x8847, &[0; 46])),
        (LinkType::Unsupported(105), vec![0; 20]),
        (LinkType::RawIp, vec![0x55; 40]),
        (LinkType::RawIp, tunnel.clone()),
        (LinkType::RawIp, tunnel),
        (LinkType::RawIp, later.clone()),
    ] {
        decoder.decode(&frame(link, &bytes));
    }
    decoder.decode(&Frame { at: Timestamp(7), link: LinkType::RawIp, wire_length: 60, data: &[0x45] });
    let found: Vec<_> =
        decoder.tally().findings().sorted().into_iter().map(|finding| (finding.code, finding.subject, finding.count)).collect();
    let expected = [
        (Code::CutFrames, "frames", 1),
        (Code::MalformedFrame, "frames", 1),
        (Code::UnsupportedFrame, "Ethernet type 0x8847 (MPLS)", 1),
        (Code::UnsupportedFrame, "link type 105", 1),
        (Code::Fragment, "later fragments", 1),
    ];
    assert_eq!(found, expected.map(|(code, subject, count)| (code, subject.to_owned(), count)));
    let mut twice = decoder.tally().clone();
    twice.merge(decoder.tally());
    assert_eq!((twice.frames, twice.opaque["WireGuard"]), (16, 4));
}

fn any_link() -> impl Strategy<Value = LinkType> {
    prop_oneof![
        Just(LinkType::Ethernet),
        Just(LinkType::Loopback),
        Just(LinkType::RawIp),
        Just(LinkType::LinuxCooked),
        Just(LinkType::LinuxCooked2),
        any::<u16>().prop_map(LinkType::from_number),
    ]
}

/// Bytes to be overwritten.
fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, u8)>> {
    prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_counted_and_no_more(
        link in any_link(),
        data in prop::collection::vec(any::<u8>(), 0..200),
        beyond in 0_u32..2000,
    ) {
        let wire_length = u32::try_from(data.len()).unwrap() + beyond;
        let (packet, tally) = decode_frame(&Frame { at: Timestamp(7), link, wire_length, data: &data });
        let left_out = tally.not_ip + tally.cut + tally.malformed + tally.nested_too_deep
            + tally.unsupported_link_types.values().sum::<u64>() + tally.unsupported_ether_types.values().sum::<u64>();
        prop_assert_eq!(tally.decoded, u64::from(packet.is_some()));
        prop_assert_eq!(tally.decoded + left_out, 1);
    }

    #[test]
    fn damaged_frames_never_panic(row in any::<prop::sample::Index>(), changes in changes()) {
        let rows = rows();
        let (_, link, bytes, _) = &rows[row.index(rows.len())];
        let mut bytes = bytes.clone();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        decode(*link, &bytes);
    }
}
