//! A DNS message, as a datagram, as a segment and cut by the snaplen, of which names and addresses are taken. The first byte says
//! how, the second how much of it the capture has.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netpol_gen::decode::{DecodeOptions, Decoder, DnsMessage, Frame, LinkType, Transport};
use netpol_gen::flow::FlowTable;
use netpol_gen::model::Timestamp;

/// RFC 1035, section 2.3.4: 255 bytes on the wire, of which every one may be escaped as `\DDD` in text.
const LONGEST_NAME: usize = 255 * 4;

fuzz_target!(|bytes: &[u8]| {
    let [how, part, message @ ..] = bytes else { return };
    let message = &message[..message.len().min(65_000)];
    let (is_tcp, is_answer) = (how & 1 != 0, how & 2 != 0);
    let packet = packet(message, is_tcp, is_answer);
    let wire_length = u32::try_from(packet.len()).expect("fuzzers make small inputs");
    let captured = if how & 4 != 0 { packet.len() * usize::from(*part) / 255 } else { packet.len() };
    let frame = Frame { at: Timestamp(1_000_000_000), link: LinkType::RawIp, wire_length, data: &packet[..captured] };
    let mut decoder = Decoder::new(DecodeOptions::default());
    let Some(packet) = decoder.decode(&frame) else { return };
    if let Transport::Tcp { dns: Some(message), .. } | Transport::Udp { dns: Some(message), .. } = &packet.transport {
        check(message);
    }
    let mut table = FlowTable::new(64);
    table.observe(&packet);
    table.finish();
    let _ = table.names();
});

fn check(message: &DnsMessage) {
    let text = format!("{message:?}");
    assert!(text.len() < 2 * LONGEST_NAME * 20 + 1024 * 60, "what is taken of a message is bounded");
}

/// From or to port 53, without checksums, which nobody judges.
fn packet(message: &[u8], is_tcp: bool, is_answer: bool) -> Vec<u8> {
    let ports = if is_answer { [53_u16, 40_000] } else { [40_000, 53] };
    let mut upper: Vec<u8> = ports.iter().flat_map(|port| port.to_be_bytes()).collect();
    if is_tcp {
        upper.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0]);
        upper.extend(u16::try_from(message.len()).unwrap_or(u16::MAX).to_be_bytes());
    } else {
        upper.extend(u16::try_from(message.len() + 8).unwrap_or(u16::MAX).to_be_bytes());
        upper.extend([0, 0]);
    }
    upper.extend(message);
    let length = u16::try_from(20 + upper.len()).expect("messages are cut to fit");
    let mut packet = vec![0x45, 0];
    packet.extend(length.to_be_bytes());
    packet.extend([0, 1, 0, 0, 64, if is_tcp { 6 } else { 17 }, 0, 0]);
    let addresses = if is_answer { [[10, 96, 0, 10], [10, 244, 0, 5]] } else { [[10, 244, 0, 5], [10, 96, 0, 10]] };
    packet.extend(addresses.concat());
    packet.extend(upper);
    packet
}
