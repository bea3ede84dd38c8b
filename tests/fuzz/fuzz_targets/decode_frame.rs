//! One frame of any link type: first byte the link type, second how much longer it was on the wire.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netpol_gen::decode::{DecodeOptions, Decoder, Frame, LinkType, Transport};
use netpol_gen::model::Timestamp;

fuzz_target!(|bytes: &[u8]| {
    let [link, beyond, data @ ..] = bytes else { return };
    let link = match link % 8 {
        0 => LinkType::Loopback,
        1 => LinkType::RawIp,
        2 => LinkType::LinuxCooked,
        3 => LinkType::LinuxCooked2,
        4 => LinkType::from_number(105),
        _ => LinkType::Ethernet,
    };
    let length = u32::try_from(data.len()).expect("fuzzers make small inputs");
    let wire_length = length + u32::from(*beyond) * 16;
    let whole = decode(&Frame { at: Timestamp(0), link, wire_length, data });
    // A shorter capture of the same frame gives the same, or nothing.
    let half = decode(&Frame { at: Timestamp(0), link, wire_length, data: &data[..data.len() / 2] });
    if let (Some(half), Some(whole)) = (&half, &whole) {
        assert_eq!(half, whole, "capturing less changed the packet");
    }
    assert!(half.is_none() || whole.is_some(), "capturing more lost the packet");
});

/// The packet without its DNS message, of which a cut frame has less.
fn decode(frame: &Frame<'_>) -> Option<netpol_gen::decode::Packet> {
    let mut decoder = Decoder::new(DecodeOptions::default());
    let mut packet = decoder.decode(frame);
    assert_eq!(decoder.tally().decoded, u64::from(packet.is_some()));
    let _ = decoder.tally().findings();
    if let Some(Transport::Tcp { dns, .. } | Transport::Udp { dns, .. }) = packet.as_mut().map(|packet| &mut packet.transport) {
        *dns = None;
    }
    packet
}
