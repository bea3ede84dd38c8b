//! The lines of a flow file: what a capture saw, without one byte of payload.
//!
//! A flow file is JSON Lines, one [`Record`] a line: an object with one field, whose name tells what it is. It holds facts of
//! conversations (who sent a SYN when, who was heard), not flows: facts of the same conversation from several lines, files and
//! nodes add up ([`FlowTable::recall`](super::FlowTable::recall)), just as packets do, in any order and however often they are
//! told. So a file may be read while it grows, after its writer was killed, and beside those of other nodes.
//!
//! The first line is the [`Header`]. A later version of this form adds fields and kinds of records, or gets a higher
//! [`VERSION`]; what a released one wrote stays readable.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::beginning::Beginnings;
use super::conversation as facts;
use super::{PortlessTraffic, line};
use crate::decode::{Stations, Tunnel, opaque_tunnel};
use crate::model::{Endpoint, Exchange, Flow, Protocol, Timestamp};

/// The version of the form that is written, and read. No older one was released: the codes of findings had other names in version
/// 3, and before that nothing said what came out of a tunnel and whether an answer was acknowledged.
pub const VERSION: u32 = 4;

/// One line of a flow file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Record {
    /// The first line.
    Header(Header),
    /// The records from here to the next checkpoint were written at this time.
    Checkpoint {
        /// The latest capture time.
        #[serde(with = "time")]
        at: Timestamp,
    },
    /// Another capture began that went into this file: of what it has at its beginning, the beginning may be missing.
    Began {
        /// When.
        #[serde(with = "time")]
        at: Timestamp,
    },
    /// What is known of a conversation; a later record of the same one says more, never less.
    Conversation(Conversation),
    /// A DNS answer as its asker received it.
    Name(Name),
    /// A DNS question without its answer.
    Question(Question),
    /// Traffic that is no conversation of ports.
    PortlessTraffic(PortlessTrafficRecord),
    /// So many attempts that got no answer that they were no longer kept apart.
    Flood(FloodRecord),
    /// Frames and their fate since the last such record.
    Frames(Frames),
    /// Something that could not be seen, as `netpol-gen findings` lists it.
    Finding {
        /// The finding's code.
        code: String,
        /// What it is about.
        subject: String,
        /// The rest of the sentence.
        message: String,
        /// How often.
        count: u64,
    },
    /// The capture ended in order. A file without it is unfinished.
    End {
        /// When.
        #[serde(with = "time")]
        at: Timestamp,
    },
}

/// Who wrote the file, where and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`VERSION`] of the writer.
    pub version: u32,
    /// The program and its version.
    pub tool: String,
    /// The name of the machine; in a cluster mostly the node's.
    pub host: String,
    /// Interfaces, as they were asked for.
    pub interfaces: Vec<String>,
    /// The BPF filter, in the syntax of pcap-filter(7); empty if there was none.
    pub filter: String,
    /// When the capture began.
    #[serde(with = "time")]
    pub at: Timestamp,
}

/// Facts of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    /// `TCP`, `UDP` or `SCTP`.
    #[serde(with = "protocol")]
    pub protocol: Protocol,
    /// The first packet, or ICMP error about one. All other times are told from here.
    #[serde(with = "time")]
    pub first: Timestamp,
    /// The last ICMP error so far, where it came after all that was heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<After>,
    /// The two ends, in the order of their addresses; which of them called is told by the openings, or by their deeds.
    pub ends: [End; 2],
    /// TCP SYNs and SCTP INITs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub openings: Vec<Opening>,
    /// Of UDP whose ends were first heard at the same instant, which of them a capture has first: bit 0 for the first of `ends`, bit 1
    /// for the other. Both where captures disagree.
    #[serde(default, skip_serializing_if = "is_no_bit")]
    pub ordered: u8,
    /// The tunnels that it came out of, outermost first, as packets of the first of `ends` travel. Whoever reads it judges whether these
    /// are the cluster's own; what the tunnels' ends exchanged is told by another record.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tunnels: Vec<Tunnel>,
    /// Who said by an ICMP error that packets could not be delivered, up to two.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused_by: Vec<RefusedBy>,
}

/// The sender of an ICMP error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedBy {
    /// Its address.
    pub address: IpAddr,
    /// Between which stations the error went, as in [`End::stations`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stations: Option<Stations>,
}

/// One end of a conversation, and what it was seen to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// As seen at the tap.
    pub address: IpAddr,
    /// Of the conversation's protocol.
    pub port: u16,
    /// Its first and its last packet; absent if it was not heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<[After; 2]>,
    /// Its last packet that only an established connection carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carried: Option<After>,
    /// The least TCP acknowledgment number or SCTP verification tag that it sent, as long as it is not certain that it got the other
    /// end's answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledges: Option<u32>,
    /// What else it did.
    #[serde(default, skip_serializing_if = "EndpointFlags::is_none")]
    pub did: EndpointFlags,
    /// Of UDP, in which tenths of a second (modulo 64) it sent; a bit set, in hexadecimal.
    #[serde(default, with = "hexadecimal", skip_serializing_if = "is_zero")]
    pub tenths: u64,
    /// Between which stations its packets went, up to two pairs: who put them on the link, for whom, and the sum of 1 if no router had
    /// passed them on and 2 if they came out of a tunnel there (see [`Stations`]).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stations: Vec<Stations>,
}

/// An opening of a connection or association.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// The end that opened: 0 or 1, as in `ends`.
    #[serde(deserialize_with = "position")]
    pub by: u8,
    /// TCP initial sequence number or SCTP initiate tag: the same before and after address translation.
    pub number: u32,
    /// When it was first seen.
    pub after: After,
    /// What whoever opened has to acknowledge, if the other end accepted: the number behind its TCP initial sequence number, or its
    /// SCTP initiate tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<u32>,
    /// Whether the other end rejected it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub rejected: bool,
}

/// Nanoseconds after the first packet of a conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct After(pub u64);

/// A DNS answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Name {
    /// Who asked.
    pub asker: IpAddr,
    /// The name asked for.
    pub name: String,
    /// An address in the answer.
    pub address: IpAddr,
    /// When it was received.
    #[serde(with = "time")]
    pub at: Timestamp,
    /// How long it may be used, in seconds.
    pub time_to_live: u32,
    /// The question that it answers. Earlier versions did not say; such an answer names nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<Answers>,
    /// The tunnels that it came out of, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tunnels: Vec<Tunnel>,
}

/// The question that a DNS answer answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answers {
    /// Over which protocol.
    #[serde(with = "protocol")]
    pub protocol: Protocol,
    /// The asker's port.
    pub port: u16,
    /// Who answered.
    pub server: IpAddr,
    /// Who was asked; absent where that is who answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<IpAddr>,
    /// The number of the question, where it was not seen: another file may have it. Until then the answer names nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unasked: Option<u16>,
}

impl Answers {
    /// Protocol, port, who answered and number, where the question was not seen.
    pub(super) fn unasked(self) -> Option<(Protocol, u16, IpAddr, u16)> {
        Some((self.protocol, self.port, self.server.to_canonical(), self.unasked?))
    }
}

impl From<Exchange> for Answers {
    fn from(Exchange { protocol, port, server, asked }: Exchange) -> Self {
        Self { protocol, port, server, asked: (asked != server).then_some(asked), unasked: None }
    }
}

impl From<Answers> for Exchange {
    fn from(Answers { protocol, port, server, asked, .. }: Answers) -> Self {
        let server = server.to_canonical();
        Self { protocol, port, server, asked: asked.map_or(server, |asked| asked.to_canonical()) }
    }
}

/// A DNS question whose answer was not seen: another file may have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Over which protocol.
    #[serde(with = "protocol")]
    pub protocol: Protocol,
    /// Who asked.
    pub asker: IpAddr,
    /// The asker's port.
    pub port: u16,
    /// Its number.
    pub id: u16,
    /// The name asked for.
    pub name: String,
    /// Who was asked.
    pub server: IpAddr,
    /// When.
    #[serde(with = "time")]
    pub at: Timestamp,
    /// The tunnels that it came out of, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tunnels: Vec<Tunnel>,
}

/// Traffic that is no conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortlessTrafficRecord {
    /// What it was.
    pub kind: Kind,
    /// Who sent it.
    pub source: IpAddr,
    /// To whom.
    pub destination: IpAddr,
    /// The first of its kind between the two.
    #[serde(with = "time")]
    pub first: Timestamp,
    /// The last one so far.
    #[serde(with = "time")]
    pub last: Timestamp,
    /// The tunnels that it came out of, outermost first, as it travels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tunnels: Vec<Tunnel>,
}

/// [`PortlessTraffic`] in a form that can be read back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// An ICMP echo request.
    Echo,
    /// A datagram to a group, with its port.
    Multicast(u16),
    /// A tunnel whose inside cannot be read, by name.
    OpaqueTunnel(String),
    /// Another IP protocol, by number.
    Protocol(u8),
    /// A packet with port 0.
    PortZero,
}

/// Attempts that were folded because they were too many.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FloodRecord {
    /// Who tried; absent where that were many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub originator: Option<IpAddr>,
    /// Whom; absent where that were many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub responder: Option<IpAddr>,
    /// How many different ones, at least.
    pub attempts: u64,
    /// The first.
    #[serde(with = "time")]
    pub first: Timestamp,
    /// The last so far.
    #[serde(with = "time")]
    pub last: Timestamp,
}

/// Frames of one source, and what became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frames {
    /// The interface.
    pub source: String,
    /// How many frames were read.
    pub read: u64,
    /// Those that were understood.
    pub decoded: u64,
    /// Those that came and were never read, since nobody was quick enough.
    pub dropped: u64,
    /// Those that were not understood, by reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub left_out: BTreeMap<String, u64>,
}

/// A set of deeds: words in JSON, bits in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EndpointFlags(pub(super) u8);

/// The names of all kinds of records.
const KINDS: [&str; 11] = [
    "header",
    "checkpoint",
    "began",
    "conversation",
    "name",
    "question",
    "portless-traffic",
    "flood",
    "frames",
    "finding",
    "end",
];

/// The words, by position of their bit.
pub(super) const DEEDS: [&str; 7] =
    ["carried-payload", "asked", "responded", "was-undeliverable", "reset", "finished", "sent-datagram"];

impl Record {
    /// One line, without its end. Nothing for a kind of record that a later version added.
    ///
    /// # Errors
    /// When it is no record.
    pub fn parse(line: &[u8]) -> Result<Option<Self>, serde_json::Error> {
        if let Some(conversation) = line::conversation(line) {
            return Ok(Some(Self::Conversation(conversation)));
        }
        serde_json::from_slice(line).map(Some).or_else(|error| {
            match serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(line) {
                Ok(fields) if fields.len() == 1 && !fields.keys().any(|name| KINDS.contains(&name.as_str())) => Ok(None),
                _ => Err(error),
            }
        })
    }
}

impl EndpointFlags {
    /// What both ends of a usual connection do.
    pub(super) const CARRIED_PAYLOAD_AND_FINISHED: Self = Self(1 | 1 << 5);

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
    const fn is_none(&self) -> bool {
        self.0 == 0
    }
}

impl Serialize for EndpointFlags {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(DEEDS.iter().enumerate().filter(|(bit, _)| self.0 >> bit & 1 == 1).map(|(_, word)| word))
    }
}

impl<'de> Deserialize<'de> for EndpointFlags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let words = Vec::<std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        // A word that a later version added says more than this one knows to use.
        let bits = words.iter().filter_map(|word| DEEDS.iter().position(|known| known == word));
        Ok(Self(bits.fold(0, |bits, bit| bits | 1 << bit)))
    }
}

impl From<PortlessTraffic> for Kind {
    fn from(sighting: PortlessTraffic) -> Self {
        match sighting {
            PortlessTraffic::Echo => Self::Echo,
            PortlessTraffic::Multicast(port) => Self::Multicast(port),
            PortlessTraffic::OpaqueTunnel(name) => Self::OpaqueTunnel(name.to_owned()),
            PortlessTraffic::Protocol(number) => Self::Protocol(number),
            PortlessTraffic::PortZero => Self::PortZero,
        }
    }
}

impl Kind {
    /// What it is a record of; nothing for a tunnel that only a later version knows.
    pub(super) fn sighting(&self) -> Option<PortlessTraffic> {
        Some(match self {
            Self::Echo => PortlessTraffic::Echo,
            Self::Multicast(port) => PortlessTraffic::Multicast(*port),
            Self::OpaqueTunnel(name) => PortlessTraffic::OpaqueTunnel(opaque_tunnel(name)?),
            Self::Protocol(number) => PortlessTraffic::Protocol(*number),
            Self::PortZero => PortlessTraffic::PortZero,
        })
    }
}

impl After {
    /// From `first` to `at`, which is not earlier.
    pub(super) fn between(first: Timestamp, at: Timestamp) -> Self {
        Self(at.max(first).after(first))
    }

    /// So long after `first`, saturating at the end of time.
    pub(super) const fn to_time(self, first: Timestamp) -> Timestamp {
        Timestamp(first.0.saturating_add_unsigned(self.0))
    }
}

impl Conversation {
    /// The last packet, or ICMP error about one.
    #[must_use]
    pub fn last(&self) -> After {
        let heard = self.ends.iter().filter_map(|end| end.heard).flatten();
        heard.chain(self.last).max().unwrap_or_default()
    }

    /// The flows that these facts alone add up to.
    #[must_use]
    pub fn flows(&self) -> Vec<Flow> {
        let mut flows = Vec::new();
        let (key, facts) = facts::Conversation::from_record(self);
        facts.flows(&key, &Beginnings::default(), &mut flows);
        flows
    }
}

impl End {
    /// Address and port.
    #[must_use]
    pub const fn endpoint(&self) -> Endpoint {
        Endpoint { address: self.address, port: self.port }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_no_bit(bits: &u8) -> bool {
    *bits == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// There are two ends.
fn position<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    let by = u8::deserialize(deserializer)?;
    if by <= 1 { Ok(by) } else { Err(serde::de::Error::custom(format!("there is no end {by}"))) }
}

/// RFC 3339 in UTC, to the nanosecond.
mod time {
    use super::{Deserialize, Deserializer, Serialize, Serializer, Timestamp};
    use serde::de::Error as _;
    use serde::ser::Error as _;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
    pub(super) fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        jiff::Timestamp::from_nanosecond(at.0.into()).map_err(S::Error::custom)?.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let at = jiff::Timestamp::deserialize(deserializer)?;
        i64::try_from(at.as_nanosecond()).map(Timestamp).map_err(|_| D::Error::custom("a time that no capture can have"))
    }
}

/// As the Kubernetes API spells them.
mod protocol {
    use super::{Deserialize, Deserializer, Protocol, Serializer};
    use serde::de::Error as _;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
    pub(super) fn serialize<S: Serializer>(protocol: &Protocol, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(protocol.name())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Protocol, D::Error> {
        let name = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Protocol::from_name(&name).ok_or_else(|| D::Error::custom(format!("{name} is no protocol that has ports")))
    }
}

/// Programs such as jq read JSON's numbers with 53 bits.
mod hexadecimal {
    use super::{Deserialize, Deserializer, Serializer};
    use serde::de::Error as _;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
    pub(super) fn serialize<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{number:x}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let digits = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        u64::from_str_radix(&digits, 16).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kinds_are_those_of_records() {
        let error = serde_json::from_str::<Record>(r#"{"no-such-kind":{}}"#).unwrap_err().to_string();
        let (_, expected) = error.split_once("expected one of ").unwrap();
        let expected: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
        assert_eq!(expected, KINDS);
    }
}
