//! How long conversations are waited for, and which are given up first where there is no room.

use super::SECOND;
use super::connection_map::Seen;
use super::conversation::ConnectionState;
use crate::model::{Protocol, Timestamp};

/// After this silence a UDP exchange is another one: the time Linux keeps a UDP stream in its connection tracking
/// (`nf_conntrack_udp_timeout_stream`), after which a reply is no reply any more.
const UDP_SILENCE: i64 = 120 * SECOND;
/// A shorter silence is borne by all protocols.
pub(super) const LEAST_SILENCE: u64 = UDP_SILENCE.unsigned_abs();
/// A TCP connection or SCTP association without a packet for a day is given up; pools keep connections open that long.
pub(super) const STREAM_SILENCE: i64 = 24 * 3600 * SECOND;
/// How long facts of a connection that is over, or that was never answered, are waited for.
const AFTERMATH: i64 = 300 * SECOND;
/// Where there is no room to wait longer for facts of a connection that is over. Another node's flow file tells of it within its ten seconds;
/// what comes later still is put together by its initial sequence numbers.
const STRAGGLERS: i64 = 15 * SECOND;

/// What is lost with a conversation that is closed early, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Worth {
    /// An attempt that got no answer yet.
    Attempt,
    /// Nothing: it has come to its end, and no packet of it is on the way any more.
    Over,
    /// What one side sent may get its answer yet.
    OneSided,
    /// What comes later would look like another conversation.
    Answered,
}

pub(super) fn worth(seen: Seen<'_>, now: Timestamp) -> Worth {
    match seen.standing() {
        ConnectionState::Attempt => Worth::Attempt,
        _ if seen.is_over() && now.since(seen.last()) > STRAGGLERS => Worth::Over,
        ConnectionState::OneSided => Worth::OneSided,
        ConnectionState::Answered => Worth::Answered,
    }
}

/// The silence after which packets between the same endpoints are another conversation.
pub(super) const fn silence(protocol: Protocol) -> i64 {
    match protocol {
        Protocol::Udp => UDP_SILENCE,
        Protocol::Tcp | Protocol::Sctp => STREAM_SILENCE,
    }
}

/// How long a conversation's silence may last before it is finished.
pub(super) fn patience(seen: Seen<'_>) -> i64 {
    match seen.protocol {
        Protocol::Udp => UDP_SILENCE,
        Protocol::Tcp | Protocol::Sctp if seen.is_over() || seen.standing() != ConnectionState::Answered => AFTERMATH,
        Protocol::Tcp | Protocol::Sctp => STREAM_SILENCE,
    }
}
