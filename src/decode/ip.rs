//! Network layer: one IP header, or an IPv6 header with its extension headers.
//!
//! Checksums are not verified: captures on the sending host have none yet (offload).

use std::net::IpAddr;

use etherparse::{IpAuthHeaderSlice, Ipv4HeaderSlice, Ipv6FragmentHeaderSlice, Ipv6HeaderSlice, Ipv6RawExtHeaderSlice};

use super::bytes::Bytes;
use super::link::IpVersion;
use super::tally::Skipped;

/// IANA protocol numbers.
pub(super) mod number {
    pub(in super::super) const HOP_BY_HOP: u8 = 0;
    pub(in super::super) const ICMP: u8 = 1;
    pub(in super::super) const IPV4: u8 = 4;
    pub(in super::super) const TCP: u8 = 6;
    pub(in super::super) const UDP: u8 = 17;
    pub(in super::super) const IPV6: u8 = 41;
    pub(in super::super) const ROUTING: u8 = 43;
    pub(in super::super) const FRAGMENT: u8 = 44;
    pub(in super::super) const GRE: u8 = 47;
    pub(in super::super) const ESP: u8 = 50;
    pub(in super::super) const AH: u8 = 51;
    pub(in super::super) const ICMPV6: u8 = 58;
    pub(in super::super) const NO_NEXT: u8 = 59;
    pub(in super::super) const DESTINATION_OPTIONS: u8 = 60;
    pub(in super::super) const SCTP: u8 = 132;
    pub(in super::super) const MOBILITY: u8 = 135;
    pub(in super::super) const HIP: u8 = 139;
    pub(in super::super) const SHIM6: u8 = 140;
}

/// Extension headers that are followed. Nothing real has more than a few (RFC 8200, section 4.1 names eight in all).
const MAX_EXTENSIONS: usize = 16;

/// Which part of a datagram it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    FirstFragment,
    LaterFragment,
}

/// One IP packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Datagram<'a> {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    /// Of the payload; extension headers are behind us.
    pub(super) protocol: u8,
    pub(super) part: Part,
    /// As long as the IP header says.
    pub(super) payload: Bytes<'a>,
    pub(super) is_v6: bool,
}

#[inline]
pub(super) fn read(version: IpVersion, bytes: Bytes<'_>) -> Result<Datagram<'_>, Skipped> {
    let [first] = bytes.first::<1>()?;
    match (first >> 4, version) {
        (4, IpVersion::V4 | IpVersion::Either) => read_v4(bytes),
        (6, IpVersion::V6 | IpVersion::Either) => read_v6(bytes),
        _ => Err(Skipped::Malformed),
    }
}

#[inline]
fn read_v4(bytes: Bytes<'_>) -> Result<Datagram<'_>, Skipped> {
    let header = match Ipv4HeaderSlice::from_slice(bytes.captured()) {
        Ok(header) => header,
        Err(etherparse::err::ipv4::HeaderSliceError::Len(error)) => return Err(bytes.missing(error.required_len)),
        Err(etherparse::err::ipv4::HeaderSliceError::Content(_)) => return Err(Skipped::Malformed),
    };
    let header_length = header.slice().len();
    let bytes = match header.total_len() {
        // Segmentation offload of more than 64 kB: the kernel hands it to the tap with length 0.
        0 => bytes,
        length => bytes.limited(usize::from(length)),
    };
    let part = match (header.fragments_offset().value(), header.more_fragments()) {
        (0, false) => Part::Whole,
        (0, true) => Part::FirstFragment,
        _ => Part::LaterFragment,
    };
    let (protocol, payload) = extensions(header.protocol().0, part, bytes.after(header_length)?)?;
    Ok(Datagram {
        source: header.source_addr().into(),
        destination: header.destination_addr().into(),
        protocol,
        part,
        payload,
        is_v6: false,
    })
}

/// Of the extension headers IPv4 knows only AH (RFC 4302).
#[inline]
fn extensions(mut protocol: u8, part: Part, mut rest: Bytes<'_>) -> Result<(u8, Bytes<'_>), Skipped> {
    for _ in 0..MAX_EXTENSIONS {
        if protocol != number::AH || part == Part::LaterFragment {
            return Ok((protocol, rest));
        }
        (protocol, rest) = authentication(rest)?;
    }
    Err(Skipped::Malformed)
}

/// Steps over an authentication header: it signs and hides nothing.
fn authentication(bytes: Bytes<'_>) -> Result<(u8, Bytes<'_>), Skipped> {
    match IpAuthHeaderSlice::from_slice(bytes.captured()) {
        Ok(header) => Ok((header.next_header().0, bytes.after(header.slice().len())?)),
        Err(etherparse::err::ip_auth::HeaderSliceError::Len(error)) => Err(bytes.missing(error.required_len)),
        Err(etherparse::err::ip_auth::HeaderSliceError::Content(_)) => Err(Skipped::Malformed),
    }
}

fn read_v6(bytes: Bytes<'_>) -> Result<Datagram<'_>, Skipped> {
    let header = Ipv6HeaderSlice::from_slice(bytes.captured()).map_err(|error| match error {
        etherparse::err::ipv6::HeaderSliceError::Len(error) => bytes.missing(error.required_len),
        etherparse::err::ipv6::HeaderSliceError::Content(_) => Skipped::Malformed,
    })?;
    let mut protocol = header.next_header().0;
    let mut rest = bytes.after(40)?;
    match header.payload_length() {
        // A jumbogram (RFC 2675), or segmentation offload of more than 64 kB: the length on the wire counts.
        0 if protocol != number::NO_NEXT => {}
        length => rest = rest.limited(usize::from(length)),
    }
    let mut part = Part::Whole;
    let mut extensions = 0;
    loop {
        match protocol {
            number::HOP_BY_HOP
            | number::ROUTING
            | number::DESTINATION_OPTIONS
            | number::MOBILITY
            | number::HIP
            | number::SHIM6 => {
                let header =
                    Ipv6RawExtHeaderSlice::from_slice(rest.captured()).map_err(|error| rest.missing(error.required_len))?;
                protocol = header.next_header().0;
                rest = rest.after(header.slice().len())?;
            }
            number::FRAGMENT => {
                let header =
                    Ipv6FragmentHeaderSlice::from_slice(rest.captured()).map_err(|error| rest.missing(error.required_len))?;
                protocol = header.next_header().0;
                rest = rest.after(8)?;
                if header.fragment_offset().value() != 0 {
                    part = Part::LaterFragment;
                    break;
                }
                if header.more_fragments() {
                    part = Part::FirstFragment;
                }
            }
            number::AH => (protocol, rest) = authentication(rest)?,
            _ => break,
        }
        extensions += 1;
        if extensions > MAX_EXTENSIONS {
            return Err(Skipped::Malformed);
        }
    }
    Ok(Datagram {
        source: IpAddr::V6(header.source_addr()).to_canonical(),
        destination: IpAddr::V6(header.destination_addr()).to_canonical(),
        protocol,
        part,
        payload: rest,
        is_v6: true,
    })
}
