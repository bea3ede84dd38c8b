//! Packets in, flows out, by way of a file where it is wanted ([`record`]): both directions of a conversation become one value with one originator and one outcome.
//!
//! What is kept of a conversation is a set of facts (who sent a SYN when, who acknowledged what, who was heard at all), never a
//! state that steps from packet to packet. So the same packets give the same flows in any order and however often a capture on
//! `any` shows each of them, as long as disorder stays below [`REORDERING`].
//!
//! Captures hold millions of packets of hundreds of thousands of conversations. So a packet comes as a short step, thousands in a
//! [`Batch`], and a usual conversation is kept in 80 bytes; the rare rest has room of its own.

mod admission;
mod beginning;
mod compact;
mod connection_map;
mod contexts;
mod conversation;
mod event;
mod fact;
mod floods;
mod history;
mod key;
mod line;
mod names;
mod order;
mod origins;
mod portless_traffic;
mod questions;
pub mod record;
mod recorder;
mod refusers;
mod table;
#[cfg(test)]
mod tests;
mod timeouts;

pub use event::Batch;
pub use floods::Floods;
pub use line::Lines;
pub use names::Names;
pub use portless_traffic::{PortlessTraffic, PortlessTrafficTable};
pub use record::Record;
pub use refusers::{Refuser, Senders};
pub use table::{FlowTable, TableTally};

/// How far apart in capture time (nanoseconds) packets may be out of order without changing any flow: two minutes.
pub const REORDERING: i64 = 120 * SECOND;

/// Nanoseconds in a second.
const SECOND: i64 = 1_000_000_000;
