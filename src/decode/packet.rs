//! The header facts of one datagram: the only place with a source and a destination.

use std::net::{IpAddr, Ipv4Addr};

use crate::model::{Protocol, Timestamp};

/// One datagram, after all decapsulation (VLAN, VXLAN, Geneve, IP-in-IP, GRE).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Capture time.
    pub at: Timestamp,
    /// Sender; IPv4-mapped IPv6 unmapped.
    pub source: IpAddr,
    /// Receiver; IPv4-mapped IPv6 unmapped.
    pub destination: IpAddr,
    /// What it carries.
    pub transport: Transport,
}

impl Packet {
    /// What stands where a packet was taken from.
    pub(crate) const NONE: Self = Self {
        at: Timestamp::MIN,
        source: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        destination: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        transport: Transport::LaterFragment,
    };
}

/// What a datagram carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// RFC 9293.
    Tcp {
        /// Ports of sender and receiver.
        source_port: u16,
        /// Port of the receiver.
        destination_port: u16,
        /// The control bits that matter.
        flags: TcpFlags,
        /// Sequence number.
        sequence: u32,
        /// Acknowledgement number; meaningful with the ACK flag.
        acknowledgment: u32,
        /// Bytes of payload on the wire (from the IP lengths, not from what was captured).
        payload_length: u32,
        /// A whole DNS message over TCP, if the segment holds one (RFC 1035, section 4.2.2) on a DNS port.
        dns: Option<Box<DnsMessage>>,
    },
    /// RFC 768.
    Udp {
        /// Port of the sender.
        source_port: u16,
        /// Port of the receiver.
        destination_port: u16,
        /// A DNS message, if one side is a DNS port (53, or 5353 to a unicast address) and the payload reads as one.
        dns: Option<Box<DnsMessage>>,
    },
    /// RFC 9260.
    Sctp {
        /// Port of the sender.
        source_port: u16,
        /// Port of the receiver.
        destination_port: u16,
        /// The verification tag of the common header.
        verification_tag: u32,
        /// Its first chunk.
        chunk: Chunk,
    },
    /// An ICMP or `ICMPv6` error that says a datagram could not be delivered: destination unreachable but for
    /// "fragmentation needed" (RFC 792; RFC 4443, section 3.1).
    IcmpError(IcmpError),
    /// An ICMP or `ICMPv6` echo request (RFC 792; RFC 4443, section 4.1).
    EchoRequest,
    /// An echo reply.
    EchoReply,
    /// Other ICMP that only hosts' network stacks speak: neighbour discovery, MLD, time exceeded, fragmentation needed.
    IcmpControl,
    /// A fragment that is not the first: no ports.
    LaterFragment,
    /// An encrypted or unknown tunnel: ESP, `WireGuard`; by name.
    OpaqueTunnel(&'static str),
    /// Another IP protocol, by its number.
    Other(u8),
}

/// TCP control bits (RFC 9293, section 3.1). ECN bits (RFC 3168) never matter here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "they are bits of the header")]
pub struct TcpFlags {
    /// Synchronize.
    pub syn: bool,
    /// Acknowledgement is meaningful.
    pub ack: bool,
    /// Reset.
    pub rst: bool,
    /// No more from the sender.
    pub fin: bool,
}

impl TcpFlags {
    /// Of the byte in which the header has them.
    #[must_use]
    #[inline]
    pub const fn from_bits(bits: u8) -> Self {
        Self { syn: bits & 0x02 != 0, ack: bits & 0x10 != 0, rst: bits & 0x04 != 0, fin: bits & 0x01 != 0 }
    }
}

/// The first chunk of an SCTP packet (RFC 9260, section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chunk {
    /// INIT.
    Init {
        /// The initiate tag.
        tag: u32,
    },
    /// INIT ACK.
    InitAck {
        /// The initiate tag.
        tag: u32,
    },
    /// ABORT.
    Abort,
    /// ERROR: something that was received makes no sense, a stale cookie for instance.
    Error,
    /// COOKIE ECHO: the third step of the handshake.
    CookieEcho,
    /// SHUTDOWN COMPLETE, which also answers a SHUTDOWN ACK of no association (section 8.4).
    ShutdownComplete,
    /// COOKIE ACK, DATA, SACK, HEARTBEAT and all others: only an end that has the association sends them.
    Other,
}

/// The datagram that an ICMP error quotes, as it was when it could not be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IcmpError {
    /// Its transport protocol.
    pub protocol: Protocol,
    /// Who had sent it.
    pub source: IpAddr,
    /// The sender's port.
    pub source_port: u16,
    /// To whom.
    pub destination: IpAddr,
    /// The receiver's port.
    pub destination_port: u16,
}

/// What matters of a DNS message (RFC 1035).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsMessage {
    /// The QR bit: an answer, not a query.
    pub is_response: bool,
    /// The number by which an answer is told from those to other questions.
    pub id: u16,
    /// The name in the first question, lower case, without the final dot; absent if there is none.
    pub question: Option<String>,
    /// Addresses that the question's name leads to through the CNAME chain, with the least time to live (seconds) on the way.
    pub addresses: Vec<(IpAddr, u32)>,
}
