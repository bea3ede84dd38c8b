//! Frames in, packets out: header facts, DNS answers, and nothing else.

mod frame;
mod packet;

pub use frame::{Frame, FrameSource, LinkType};
pub use packet::{Chunk, DnsMessage, IcmpError, Packet, TcpFlags, Transport};
