//! Frames, built from the inside out, with right lengths and checksums:
//!
//! ```ignore
//! ethernet(&ip("10.0.0.1", "10.0.0.2", tcp(40000, 80, SYN, b"")))
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub const FIN: u8 = 0x01;
pub const SYN: u8 = 0x02;
pub const RST: u8 = 0x04;
pub const PSH: u8 = 0x08;
pub const ACK: u8 = 0x10;
pub const ECE: u8 = 0x40;
pub const CWR: u8 = 0x80;

/// What goes into an IP packet. Its checksum is filled in when the addresses are known.
#[derive(Clone, Debug)]
pub struct Upper {
    pub protocol: u8,
    pub bytes: Vec<u8>,
    /// Where a checksum over the pseudo header goes, if there is one.
    pub checksum_at: Option<usize>,
}

impl Upper {
    pub fn new(protocol: u8, bytes: impl Into<Vec<u8>>) -> Self {
        Self { protocol, bytes: bytes.into(), checksum_at: None }
    }
}

pub fn tcp(source_port: u16, destination_port: u16, flags: u8, payload: &[u8]) -> Upper {
    tcp_at(source_port, destination_port, flags, 1000, 2000, payload)
}

/// With sequence and acknowledgement numbers. A SYN has the options of a Linux SYN.
pub fn tcp_at(source_port: u16, destination_port: u16, flags: u8, sequence: u32, acknowledgment: u32, payload: &[u8]) -> Upper {
    let options: &[u8] = if flags & SYN == 0 { &[] } else { &[2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7] };
    let mut bytes = Vec::new();
    bytes.extend(source_port.to_be_bytes());
    bytes.extend(destination_port.to_be_bytes());
    bytes.extend(sequence.to_be_bytes());
    bytes.extend(if flags & ACK == 0 { [0; 4] } else { acknowledgment.to_be_bytes() });
    bytes.push(u8::try_from((20 + options.len()) / 4).unwrap() << 4);
    bytes.push(flags);
    bytes.extend([0xfa, 0xf0, 0, 0, 0, 0]);
    bytes.extend(options);
    bytes.extend(payload);
    Upper { protocol: 6, bytes, checksum_at: Some(16) }
}

pub fn udp(source_port: u16, destination_port: u16, payload: &[u8]) -> Upper {
    let mut bytes = Vec::new();
    bytes.extend(source_port.to_be_bytes());
    bytes.extend(destination_port.to_be_bytes());
    bytes.extend(u16::try_from(8 + payload.len()).unwrap().to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(payload);
    Upper { protocol: 17, bytes, checksum_at: Some(6) }
}

/// With one chunk (RFC 9260, section 3.2).
pub fn sctp(source_port: u16, destination_port: u16, verification_tag: u32, chunk_type: u8, value: &[u8]) -> Upper {
    let mut bytes = Vec::new();
    bytes.extend(source_port.to_be_bytes());
    bytes.extend(destination_port.to_be_bytes());
    bytes.extend(verification_tag.to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend([chunk_type, 0]);
    bytes.extend(u16::try_from(4 + value.len()).unwrap().to_be_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    let checksum = crc32c(&bytes);
    bytes[8..12].copy_from_slice(&checksum.to_le_bytes());
    Upper::new(132, bytes)
}

/// An INIT or INIT ACK chunk's value: tag, window, streams, first sequence number.
pub fn sctp_init(tag: u32) -> Vec<u8> {
    [&tag.to_be_bytes()[..], &[0, 1, 0, 0, 0, 10, 0, 10, 0, 0, 0, 1]].concat()
}

/// ICMP for IPv4.
pub fn icmp(kind: u8, code: u8, rest: &[u8]) -> Upper {
    let mut bytes = [&[kind, code, 0, 0, 0, 0, 0, 0][..], rest].concat();
    let checksum = internet_checksum(&[&bytes]);
    bytes[2..4].copy_from_slice(&checksum.to_be_bytes());
    Upper::new(1, bytes)
}

/// ICMP for IPv6.
pub fn icmpv6(kind: u8, code: u8, rest: &[u8]) -> Upper {
    let bytes = [&[kind, code, 0, 0, 0, 0, 0, 0][..], rest].concat();
    Upper { protocol: 58, bytes, checksum_at: Some(2) }
}

/// An IP packet inside another.
pub fn encapsulated(packet: &[u8]) -> Upper {
    Upper::new(if packet[0] >> 4 == 4 { 4 } else { 41 }, packet)
}

/// RFC 7348, to port 4789.
pub fn vxlan(identifier: u32, frame: &[u8]) -> Upper {
    vxlan_to(4789, identifier, frame)
}

pub fn vxlan_to(port: u16, identifier: u32, frame: &[u8]) -> Upper {
    udp(54321, port, &[&[8, 0, 0, 0][..], &(identifier << 8).to_be_bytes(), frame].concat())
}

/// RFC 8926; options in whole words.
pub fn geneve(identifier: u32, options: &[u8], protocol: u16, inner: &[u8]) -> Upper {
    let head = [u8::try_from(options.len() / 4).unwrap(), 0];
    udp(54321, 6081, &[&head[..], &protocol.to_be_bytes(), &(identifier << 8).to_be_bytes(), options, inner].concat())
}

/// RFC 2784 and 2890: `flags` of 0x8000 checksum, 0x2000 key, 0x1000 sequence number.
pub fn gre(flags: u16, protocol: u16, inner: &[u8]) -> Upper {
    let optional = [0x8000_u16, 0x2000, 0x1000].iter().filter(|flag| flags & **flag != 0).count() * 4;
    Upper::new(47, [&flags.to_be_bytes()[..], &protocol.to_be_bytes(), &vec![0; optional], inner].concat())
}

/// An authentication header with 12 bytes of signature before `inner` (RFC 4302).
pub fn authenticated(inner: &Upper) -> Upper {
    let head = [inner.protocol, 4, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
    Upper::new(51, [&head[..], &[0xaa; 12], &inner.bytes].concat())
}

/// An IPv4 or IPv6 packet, by the addresses.
pub fn ip(source: &str, destination: &str, upper: Upper) -> Vec<u8> {
    match (source.parse().unwrap(), destination.parse().unwrap()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => ipv4(source, destination, &[], upper),
        (IpAddr::V6(source), IpAddr::V6(destination)) => ipv6(source, destination, &[], upper),
        _ => panic!("{source} and {destination} are of different versions"),
    }
}

/// With IPv4 options, in whole words.
pub fn ipv4(source: Ipv4Addr, destination: Ipv4Addr, options: &[u8], mut upper: Upper) -> Vec<u8> {
    let length = u32::try_from(upper.bytes.len()).unwrap();
    let pseudo = [&source.octets()[..], &destination.octets(), &u32::from(upper.protocol).to_be_bytes(), &length.to_be_bytes()];
    fill_checksum(&mut upper, &pseudo.concat());
    let header_length = 20 + options.len();
    let mut packet = vec![0x40 | u8::try_from(header_length / 4).unwrap(), 0];
    packet.extend(u16::try_from(header_length + upper.bytes.len()).unwrap().to_be_bytes());
    packet.extend([0x12, 0x34, 0x00, 0x00, 64, upper.protocol, 0, 0]);
    packet.extend(source.octets());
    packet.extend(destination.octets());
    packet.extend(options);
    let checksum = internet_checksum(&[&packet]);
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
    packet.extend(upper.bytes);
    packet
}

/// With extension headers: their number, and what they hold after the next header and length bytes (which are put in; 6 bytes, or
/// 8 more for each further unit).
pub fn ipv6(source: Ipv6Addr, destination: Ipv6Addr, extensions: &[(u8, Vec<u8>)], mut upper: Upper) -> Vec<u8> {
    let length = u32::try_from(upper.bytes.len()).unwrap();
    let pseudo = [&source.octets()[..], &destination.octets(), &length.to_be_bytes(), &u32::from(upper.protocol).to_be_bytes()];
    fill_checksum(&mut upper, &pseudo.concat());
    let mut chain = Vec::new();
    let numbers: Vec<u8> = extensions.iter().map(|(number, _)| *number).chain([upper.protocol]).collect();
    for ((number, content), next) in extensions.iter().zip(&numbers[1..]) {
        assert_eq!((content.len() + 2) % 8, 0, "extension header {number} is in units of 8 bytes");
        let units = if *number == 44 { 0 } else { u8::try_from((content.len() + 2) / 8 - 1).unwrap() };
        chain.extend([*next, units]);
        chain.extend(content);
    }
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend(u16::try_from(chain.len() + upper.bytes.len()).unwrap().to_be_bytes());
    packet.extend([numbers[0], 64]);
    packet.extend(source.octets());
    packet.extend(destination.octets());
    packet.extend(chain);
    packet.extend(upper.bytes);
    packet
}

/// The content of an IPv6 fragment header: `offset` in bytes, a multiple of 8.
pub fn fragment_header(offset: u16, has_more: bool) -> Vec<u8> {
    [&(offset | u16::from(has_more)).to_be_bytes()[..], &[0, 0, 0x12, 0x34]].concat()
}

/// An IPv4 packet in fragments of at most `size` payload bytes (a multiple of 8).
pub fn fragments(packet: &[u8], size: usize) -> Vec<Vec<u8>> {
    let header_length = usize::from(packet[0] & 0x0f) * 4;
    let (header, payload) = packet.split_at(header_length);
    let count = payload.chunks(size).count();
    let fragment = |(index, chunk): (usize, &[u8])| {
        let mut header = header.to_vec();
        let more = if index + 1 < count { 0x2000 } else { 0 };
        let offset = u16::try_from(index * size / 8).unwrap() | more;
        header[2..4].copy_from_slice(&u16::try_from(header_length + chunk.len()).unwrap().to_be_bytes());
        header[6..8].copy_from_slice(&offset.to_be_bytes());
        header[10..12].fill(0);
        let checksum = internet_checksum(&[&header]);
        header[10..12].copy_from_slice(&checksum.to_be_bytes());
        header.extend(chunk);
        header
    };
    payload.chunks(size).enumerate().map(fragment).collect()
}

/// The Ethernet type of an IP packet.
pub fn ether_type(packet: &[u8]) -> u16 {
    if packet[0] >> 4 == 4 { 0x0800 } else { 0x86dd }
}

/// An Ethernet frame with an IP packet; padded to the least length.
pub fn ethernet(packet: &[u8]) -> Vec<u8> {
    let mut frame = ethernet_of(ether_type(packet), packet);
    frame.resize(frame.len().max(60), 0);
    frame
}

/// An Ethernet frame of any type, not padded.
pub fn ethernet_of(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1][..], &ether_type.to_be_bytes(), payload].concat()
}

/// What follows the addresses of a frame with VLAN tags, the outermost first, from its first type on.
pub fn vlan(tags: &[(u16, u16)], packet: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (kind, identifier) in tags {
        bytes.extend(kind.to_be_bytes());
        bytes.extend(identifier.to_be_bytes());
    }
    bytes.extend(ether_type(packet).to_be_bytes());
    bytes.extend(packet);
    bytes
}

/// Linux cooked, version 1; `hardware` is the `ARPHRD_` type.
pub fn cooked(hardware: u16, protocol: u16, payload: &[u8]) -> Vec<u8> {
    [&[0, 4][..], &hardware.to_be_bytes(), &[0, 6, 2, 0, 0, 0, 0, 1, 0, 0], &protocol.to_be_bytes(), payload].concat()
}

/// Linux cooked, version 2.
pub fn cooked2(hardware: u16, protocol: u16, payload: &[u8]) -> Vec<u8> {
    let head = [&protocol.to_be_bytes()[..], &[0, 0, 0, 0, 0, 7], &hardware.to_be_bytes(), &[4, 6, 2, 0, 0, 0, 0, 1, 0, 0]];
    [&head.concat(), payload].concat()
}

/// Linux cooked, version 2, as an interface of the host sees an IP packet come in, or go out.
pub fn cooked_at(interface: u8, goes_out: bool, packet: &[u8]) -> Vec<u8> {
    let packet_type = if goes_out { 4 } else { 0 };
    let rest = [0, 1, packet_type, 6, 2, 0, 0, 0, 0, interface, 0, 0];
    [&ether_type(packet).to_be_bytes()[..], &[0, 0, 0, 0, 0, interface], &rest, packet].concat()
}

fn fill_checksum(upper: &mut Upper, pseudo: &[u8]) {
    if let Some(at) = upper.checksum_at {
        upper.bytes[at..at + 2].fill(0);
        let checksum = match internet_checksum(&[pseudo, &upper.bytes]) {
            0 => 0xffff,
            checksum => checksum,
        };
        upper.bytes[at..at + 2].copy_from_slice(&checksum.to_be_bytes());
    }
}

/// RFC 1071; the parts are of even length, but for the last.
fn internet_checksum(parts: &[&[u8]]) -> u16 {
    let words = parts.iter().flat_map(|part| part.chunks(2));
    let sum: u64 = words.map(|word| u64::from(word[0]) << 8 | u64::from(*word.get(1).unwrap_or(&0))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap()
}

/// RFC 9260, appendix A.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 })
    };
    !bytes.iter().fold(u32::MAX, step)
}

/// A DNS message (RFC 1035) with one question of type A, without compression. Records: name, type, time to live, content.
pub fn dns(flags: u16, question: &str, answers: &[(&str, u16, u32, Vec<u8>)]) -> Vec<u8> {
    let mut message = vec![0x12, 0x34];
    message.extend(flags.to_be_bytes());
    message.extend([0, 1]);
    message.extend(u16::try_from(answers.len()).unwrap().to_be_bytes());
    message.extend([0; 4]);
    message.extend(dns_name(question));
    message.extend([0, 1, 0, 1]);
    for (name, kind, time_to_live, content) in answers {
        message.extend(dns_name(name));
        message.extend(kind.to_be_bytes());
        message.extend([0, 1]);
        message.extend(time_to_live.to_be_bytes());
        message.extend(u16::try_from(content.len()).unwrap().to_be_bytes());
        message.extend(content);
    }
    message
}

pub const DNS_QUERY: u16 = 0x0100;
pub const DNS_ANSWER: u16 = 0x8180;
pub const DNS_NO_SUCH_NAME: u16 = 0x8183;

/// A name on the wire.
pub fn dns_name(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

/// The content of an A or AAAA record, with the record's type.
pub fn dns_address(address: &str) -> (u16, Vec<u8>) {
    match address.parse().unwrap() {
        IpAddr::V4(address) => (1, address.octets().to_vec()),
        IpAddr::V6(address) => (28, address.octets().to_vec()),
    }
}
