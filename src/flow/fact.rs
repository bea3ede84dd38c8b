//! What packets say to a conversation.

use crate::model::Timestamp;

/// What one packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    /// TCP SYN or SCTP INIT by the sender, with its initial sequence number or initiate tag.
    Opens(u32),
    /// TCP SYN+ACK or SCTP INIT ACK by the sender, in answer to the receiver's opening with the first number. The receiver
    /// acknowledges the second one, if it gets that.
    Accepts(u32, u32),
    /// A TCP reset in answer to the receiver's SYN with this number (RFC 9293, section 3.5.2: sequence 0).
    Rejects(u32),
    /// A TCP reset by an end that knows the connection, with the number that it acknowledges. The kernel's reset to a segment that it
    /// does not expect has no such number (RFC 9293, section 3.10.7.1).
    Breaks(u32),
    /// An ICMP error says that a packet of the "sender" could not be delivered; with the number of who sent the error.
    Undeliverable(u16),
    /// Anything else that the sender did, as its [deeds](super::conversation::EndpointFlags) have it, with the acknowledgment number of a TCP segment or the
    /// verification tag of an SCTP packet.
    Did(u8, u32),
}

/// When a packet came, and in which input.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamp {
    pub(super) at: Timestamp,
    pub(super) input: u32,
    /// Between which stations.
    pub(super) origin: u16,
}

impl From<Timestamp> for Stamp {
    fn from(at: Timestamp) -> Self {
        Self { at, input: 0, origin: 0 }
    }
}

impl Fact {
    /// A reset or ABORT of the sender that does not say what it answers.
    pub(super) const RESETS: Self = Self::Did(RESET, 0);
    /// A UDP datagram that is no DNS message.
    pub(super) const DATAGRAM: Self = Self::Did(SENT_DATAGRAM, 0);
    /// A DNS query by the sender.
    pub(super) const ASKS: Self = Self::Did(SENT_DATAGRAM | ASKED, 0);
    /// A DNS response by the sender.
    pub(super) const RESPONDS: Self = Self::Did(SENT_DATAGRAM | RESPONDED, 0);

    /// A segment that only an established connection carries, with or without payload.
    #[inline]
    pub(super) const fn carries(payload_length: u32, acknowledgment: u32) -> Self {
        let payload = if payload_length > 0 { CARRIED_PAYLOAD } else { 0 };
        Self::Did(CARRIED | payload, acknowledgment)
    }

    /// The sender will send no more (TCP FIN).
    #[inline]
    pub(super) const fn finishes(acknowledgment: u32) -> Self {
        Self::Did(CARRIED | FINISHED, acknowledgment)
    }
}

pub(super) const CARRIED_PAYLOAD: u8 = 1;
pub(super) const ASKED: u8 = 1 << 1;
pub(super) const RESPONDED: u8 = 1 << 2;
pub(super) const WAS_UNDELIVERABLE: u8 = 1 << 3;
pub(super) const RESET: u8 = 1 << 4;
pub(super) const FINISHED: u8 = 1 << 5;
pub(super) const SENT_DATAGRAM: u8 = 1 << 6;
/// Whether there is a `last_carried`. A flow file has only that; of the others it has the words, in this order.
pub(super) const CARRIED: u8 = 1 << 7;

/// What an end sends only to one that it takes for connected.
pub(super) const GAVE: u8 = CARRIED_PAYLOAD | FINISHED;
