//! ICMP for both versions of IP: errors that refuse the datagram they quote, echo, and the rest.

use super::bytes::{Bytes, u16_at};
use super::ip::{self, Part, number};
use super::link::IpVersion;
use super::tally::Skipped;
use super::{IcmpError, Transport};
use crate::model::Protocol;

/// RFC 792.
pub(super) fn v4(bytes: Bytes<'_>) -> Result<Transport, Skipped> {
    match bytes.first::<2>()? {
        [0, _] => Ok(Transport::EchoReply),
        [8, _] => Ok(Transport::EchoRequest),
        // "Fragmentation needed" asks for smaller datagrams and refuses nothing.
        [3, 4] => Ok(Transport::IcmpControl),
        [3, _] => unreachable(IpVersion::V4, bytes),
        _ => Ok(Transport::IcmpControl),
    }
}

/// RFC 4443.
pub(super) fn v6(bytes: Bytes<'_>) -> Result<Transport, Skipped> {
    match bytes.first::<2>()? {
        [128, _] => Ok(Transport::EchoRequest),
        [129, _] => Ok(Transport::EchoReply),
        [1, _] => unreachable(IpVersion::V6, bytes),
        _ => Ok(Transport::IcmpControl),
    }
}

/// Destination unreachable: what it quotes after its own 8 bytes. The quotation is cut by its sender, often to the IP header and
/// 8 bytes, so its lengths hold for the datagram it quotes and not for the quotation.
fn unreachable(version: IpVersion, bytes: Bytes<'_>) -> Result<Transport, Skipped> {
    bytes.first::<8>()?;
    let quoted = ip::read(version, bytes.after(8)?)?;
    let protocol = match quoted.protocol {
        number::TCP => Protocol::Tcp,
        number::UDP => Protocol::Udp,
        number::SCTP => Protocol::Sctp,
        _ => return Ok(Transport::IcmpControl),
    };
    if quoted.part == Part::LaterFragment {
        return Ok(Transport::IcmpControl);
    }
    let ports = quoted.payload.first::<4>()?;
    Ok(Transport::IcmpError(IcmpError {
        protocol,
        source: quoted.source,
        source_port: u16_at(ports, 0),
        destination: quoted.destination,
        destination_port: u16_at(ports, 2),
    }))
}
