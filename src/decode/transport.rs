//! Transport layer: TCP, UDP, SCTP.

use etherparse::UdpHeaderSlice;

use super::bytes::{Bytes, u16_at, u32_at};
use super::ip::{Datagram, Part};
use super::tally::Skipped;
use super::{Chunk, TcpFlags, Transport, dns};

/// RFC 9293, section 3.1. The fixed part is read by hand and options are not looked at: a snaplen of 68 or 96 bytes cuts the
/// options of a SYN, and such a SYN is still the best there is.
#[inline]
pub(super) fn tcp(datagram: &Datagram<'_>, scratch: &mut Vec<u8>) -> Result<Transport, Skipped> {
    let bytes = datagram.payload;
    let header = bytes.first::<20>()?;
    let header_length = usize::from(header[12] >> 4) * 4;
    if header_length < 20 {
        return Err(Skipped::Malformed);
    }
    let payload = bytes.after(header_length)?;
    let (source_port, destination_port) = (u16_at(header, 0), u16_at(header, 2));
    let dns = if dns::is_expected(source_port, destination_port, datagram.destination) {
        dns::read_segment(payload.captured(), scratch)
    } else {
        None
    };
    Ok(Transport::Tcp {
        source_port,
        destination_port,
        flags: TcpFlags::from_bits(header[13]),
        sequence: u32_at(header, 4),
        acknowledgment: u32_at(header, 8),
        payload_length: u32::try_from(payload.wire_length()).unwrap_or(u32::MAX),
        dns,
    })
}

/// RFC 768.
#[inline]
pub(super) fn udp(datagram: &Datagram<'_>, scratch: &mut Vec<u8>) -> Result<Transport, Skipped> {
    let bytes = datagram.payload;
    let header = UdpHeaderSlice::from_slice(bytes.captured()).map_err(|_| bytes.missing(8))?;
    let payload = match usize::from(header.length()) {
        // Longer than 64 kB: a jumbogram (RFC 2675, section 4) or segmentation offload.
        0 => bytes,
        1..8 => return Err(Skipped::Malformed),
        // A receiver drops what is shorter than it says; the first fragment of a datagram rightly is.
        length if length > bytes.wire_length() && datagram.part == Part::Whole => return Err(Skipped::Malformed),
        length => bytes.limited(length),
    }
    .after(8)?;
    let (source_port, destination_port) = (header.source_port(), header.destination_port());
    let dns = if dns::is_expected(source_port, destination_port, datagram.destination) {
        dns::read(payload.captured(), payload.is_cut(), scratch)
    } else {
        None
    };
    Ok(Transport::Udp { source_port, destination_port, dns })
}

/// RFC 9260, section 3: the common header, and the head of the first chunk.
pub(super) fn sctp(bytes: Bytes<'_>) -> Result<Transport, Skipped> {
    let header = bytes.first::<16>()?;
    let chunk = match header[12] {
        kind @ (1 | 2) => {
            let tag = u32_at(bytes.first::<20>()?, 16);
            if kind == 1 { Chunk::Init { tag } } else { Chunk::InitAck { tag } }
        }
        6 => Chunk::Abort,
        9 => Chunk::Error,
        10 => Chunk::CookieEcho,
        14 => Chunk::ShutdownComplete,
        _ => Chunk::Other,
    };
    Ok(Transport::Sctp {
        source_port: u16_at(header, 0),
        destination_port: u16_at(header, 2),
        verification_tag: u32_at(header, 4),
        chunk,
    })
}
