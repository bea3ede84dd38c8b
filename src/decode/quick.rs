//! The short way through the usual frames: TCP and UDP over IPv4 without tunnels, fragments or DNS, of which nearly all traffic is.
//!
//! What it reads it reads as the long way does; whatever is unusual in the least it leaves to that.

use std::net::Ipv4Addr;

use super::ip::number;
use super::{Frame, LinkType, Packet, TcpFlags, Transport, dns};

/// UDP ports behind which there may be more than a datagram.
#[derive(Clone, Debug)]
pub(super) struct Ports(Box<[u64; 1024]>);

impl Ports {
    pub(super) fn new(ports: impl IntoIterator<Item = u16>) -> Self {
        let mut bits = Box::new([0; 1024]);
        for port in ports {
            bits[usize::from(port / 64)] |= 1 << (port % 64);
        }
        Self(bits)
    }

    #[inline]
    fn has(&self, port: u16) -> bool {
        self.0[usize::from(port / 64)] >> (port % 64) & 1 == 1
    }
}

/// The packet of a usual frame.
#[inline(always)]
#[expect(clippy::inline_always, reason = "where it is used at once, the packet never is put together in memory")]
pub(super) fn read(frame: &Frame<'_>, special: &Ports) -> Option<Packet> {
    let header: &[u8; 34] = frame.data.first_chunk()?;
    let (link, ip) = header.split_first_chunk::<14>()?;
    let (ip, rest): (&[u8; 20], _) = (ip.first_chunk()?, &frame.data[14..]);
    let total_length = usize::from(u16::from_be_bytes([ip[2], ip[3]]));
    // IPv4 without options, and neither a later fragment nor one that has such.
    let is_ipv4 = frame.link == LinkType::Ethernet && u16::from_be_bytes([link[12], link[13]]) == 0x0800;
    if !is_ipv4 || ip[0] != 0x45 || ip[6] & 0x3f != 0 || ip[7] != 0 {
        return None;
    }
    let there = &rest[20..rest.len().min(total_length).max(20)];
    let on_the_wire = total_length.checked_sub(20)?;
    let transport = match ip[9] {
        number::TCP => {
            let header: &[u8; 20] = there.first_chunk()?;
            let header_length = usize::from(header[12] >> 4) * 4;
            let (source_port, destination_port) = ports([header[0], header[1], header[2], header[3]]);
            if header_length < 20 || dns::PORTS.contains(&source_port) || dns::PORTS.contains(&destination_port) {
                return None;
            }
            let flags = header[13];
            Transport::Tcp {
                source_port,
                destination_port,
                flags: TcpFlags {
                    syn: flags & 0x02 != 0,
                    ack: flags & 0x10 != 0,
                    rst: flags & 0x04 != 0,
                    fin: flags & 0x01 != 0,
                },
                sequence: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
                acknowledgment: u32::from_be_bytes([header[8], header[9], header[10], header[11]]),
                payload_length: u32::try_from(on_the_wire.checked_sub(header_length)?).ok()?,
                dns: None,
            }
        }
        number::UDP => {
            let header: &[u8; 8] = there.first_chunk()?;
            let (source_port, destination_port) = ports([header[0], header[1], header[2], header[3]]);
            let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
            if !(8..=on_the_wire).contains(&length) || special.has(source_port) || special.has(destination_port) {
                return None;
            }
            Transport::Udp { source_port, destination_port, dns: None }
        }
        _ => return None,
    };
    let source = Ipv4Addr::new(ip[12], ip[13], ip[14], ip[15]).into();
    let destination = Ipv4Addr::new(ip[16], ip[17], ip[18], ip[19]).into();
    Some(Packet { at: frame.at, source, destination, transport })
}

#[inline]
const fn ports([a, b, c, d]: [u8; 4]) -> (u16, u16) {
    (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
}
