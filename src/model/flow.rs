//! Conversations, before anyone knows who the addresses are.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;

use super::{Endpoint, Protocol, Span, Timestamp};

/// By what it was decided who called whom; weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DirectionEvidence {
    /// Nothing but the lower port number. Wrong where a caller binds a lower port than the service it calls.
    LowerPort,
    /// Both ports are high, and on one of them programs listen by custom (gRPC on 50051).
    CustomaryPort,
    /// One port lies in the ephemeral range (Linux: 32768 to 60999), the other below it.
    EphemeralRange,
    /// Other traffic of the two: this port was called by others or at other times, or its address was asked for by name.
    OtherTraffic,
    /// One port is declared: EndpointSlice, Service or `containerPort`.
    DeclaredListener,
    /// The first packet after silence. Wrong where capturing began in the middle of the exchange.
    FirstPacket,
    /// The query bit of a DNS header (RFC 1035, section 4.1.1).
    DnsHeader,
    /// An SCTP INIT or INIT ACK chunk (RFC 9260, section 3.3.2).
    SctpInit,
    /// A TCP SYN or SYN+ACK (RFC 9293, section 3.5).
    Syn,
}

impl DirectionEvidence {
    /// Whether it is a guess, however good: no packet shows who opened the connection.
    #[must_use]
    pub const fn is_weak(self) -> bool {
        self.is_by_port() || matches!(self, Self::OtherTraffic | Self::DeclaredListener)
    }

    /// Whether it rests on nothing but the port numbers.
    #[must_use]
    pub const fn is_by_port(self) -> bool {
        matches!(self, Self::LowerPort | Self::CustomaryPort | Self::EphemeralRange)
    }
}

impl fmt::Display for DirectionEvidence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::LowerPort => "lower port number",
            Self::CustomaryPort => "customary port",
            Self::EphemeralRange => "ephemeral port range",
            Self::OtherTraffic => "other traffic of the two",
            Self::DeclaredListener => "declared listener",
            Self::FirstPacket => "first packet",
            Self::DnsHeader => "DNS header",
            Self::SctpInit => "SCTP INIT",
            Self::Syn => "TCP SYN",
        })
    }
}

/// Whether the first packet that was captured of a conversation is the first one there was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Beginning {
    /// The capture may have begun in the middle of it.
    Unknown,
    /// Nothing of it was captured before for longer than it ever paused.
    Likely,
    /// It shows its opening, or nothing of it was captured before for so long that it cannot have gone on then.
    Seen,
}

/// Whose word is all there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Speaker {
    /// Whoever opened.
    Originator,
    /// Whoever was called.
    Responder,
}

/// What became of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The responder was never heard.
    Unanswered,
    /// The responder, or something on the way, said no: RST, SCTP ABORT, ICMP unreachable.
    Refused,
    /// The responder accepted, and the originator, which was heard, never acknowledged that.
    HalfOpen {
        /// Whether the originator said no: it was looking for open ports, or somebody else used its address.
        was_reset: bool,
    },
    /// One side alone sent what belongs to a connection; the other side was not heard, or said nothing that fits.
    OneSided(Speaker),
    /// UDP that nobody answered and nobody refused.
    OneWay {
        /// At how many different moments something was sent, at least 1: repetition, as opposed to one packet seen at several
        /// taps or one message in several packets. At least 3 if it went on for a second, 4 if for ten; otherwise sendings less
        /// than 100 ms apart are one moment.
        moments: u8,
    },
    /// Both sides took part: each was heard, and knew what the other had sent.
    Answered,
}

/// Both directions of one conversation at one place of the network.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flow {
    /// When it was seen.
    pub span: Span,
    /// The transport protocol.
    pub protocol: Protocol,
    /// Who opened.
    pub originator: Endpoint,
    /// Who was called, as addressed at the tap (so a Service address before DNAT).
    pub responder: Endpoint,
    /// What became of it.
    pub outcome: Outcome,
    /// How sure the roles are. `FirstPacket` and weaker may be overruled by whoever knows the declared listeners.
    pub direction: DirectionEvidence,
    /// Whether its first packet is known to be its beginning.
    pub beginning: Beginning,
    /// The originator's TCP initial sequence number or SCTP initiate tag: the same in every view of one connection, before and
    /// after address translation. Absent for UDP, and where the opening was not captured (`mid-stream`).
    pub opening: Option<u32>,
    /// What the originator had to acknowledge: the number behind the responder's TCP initial sequence number, or its SCTP initiate tag. The
    /// same in every view, too. Where the answer was not captured, the least number that the originator acknowledged. Absent where
    /// `opening` is, and where neither was captured.
    pub answer: Option<NonZeroU32>,
    /// Between which stations packets of the originator, and of the responder, were seen to go: numbers of the table's
    /// [origins](crate::flow::FlowTable::origins), 0 for none.
    pub origins: [[u16; 2]; 2],
    /// In which of the inputs it was seen first, from 1; 0 if that is not known.
    pub input: u16,
    /// The first two that said by an ICMP error that packets could not be delivered: numbers of the table's
    /// [refusers](crate::flow::Senders::refusers), 0 for none.
    pub refusers: [u16; 2],
    /// What became of it if none of them is believed.
    pub unrefused: Outcome,
    /// Of UDP, at how many moments the originator sent, as [`Outcome::OneWay`] counts them.
    pub moments: u8,
}

impl Flow {
    /// Whether the conversation was under way before it was first seen (TCP and SCTP only).
    pub fn is_mid_stream(&self) -> bool {
        self.protocol != Protocol::Udp && self.direction < DirectionEvidence::SctpInit
    }

    /// Forgets who opened: nothing but the port numbers tells it.
    pub fn doubt_direction(&mut self) {
        self.direction = DirectionEvidence::LowerPort;
        if self.originator.port < self.responder.port {
            std::mem::swap(&mut self.originator, &mut self.responder);
            self.origins.swap(0, 1);
        }
    }

    /// Forgets that the responder answered.
    pub const fn take_back_answer(&mut self) {
        self.outcome = match (self.outcome, self.protocol) {
            // A question without an answer is no one-way protocol.
            (Outcome::Answered, Protocol::Udp) if matches!(self.direction, DirectionEvidence::DnsHeader) => Outcome::Unanswered,
            (Outcome::Answered, Protocol::Udp) => Outcome::OneWay { moments: self.moments },
            (Outcome::Answered, _) => Outcome::OneSided(Speaker::Originator),
            (outcome, _) => outcome,
        };
    }
}

/// A DNS answer as its asker received it: from `at` on, `name` led to `address`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NameAnswer {
    /// Who asked.
    pub asker: IpAddr,
    /// The address in the answer.
    pub address: IpAddr,
    /// When it was received.
    pub at: Timestamp,
    /// The name in the question (not the last of the CNAME chain), lower case, without the final dot.
    pub name: String,
    /// How long the answer may be used, in seconds: the least time to live along its chain.
    pub time_to_live: u32,
    /// The question that it answers; absent where a flow file does not say, as those of earlier versions do not.
    pub exchange: Option<Exchange>,
}

/// A DNS question that was seen and answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exchange {
    /// Over which protocol.
    pub protocol: Protocol,
    /// The asker's port.
    pub port: u16,
    /// Who answered.
    pub server: IpAddr,
    /// Who was asked: whoever answered, or an address that was translated into that one.
    pub asked: IpAddr,
}
