//! Makes captures to measure with, and the inventory of the cluster they come from. The same arguments make the same bytes.
//!
//! ```text
//! traffic KIND PACKETS FILE     KIND: mixed, small or flows; FILE ends in .pcap or .pcapng
//! traffic inventory FILE
//! ```

#[path = "../support/traffic.rs"]
mod traffic;

use std::fs::File;
use std::io;

use traffic::Kind;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (kind, packets, file) = match words.as_slice() {
        ["inventory", file] => return std::fs::write(file, traffic::inventory()),
        ["mixed", packets, file] => (Kind::Mixed, packets, file),
        ["small", packets, file] => (Kind::Small, packets, file),
        ["flows", packets, file] => (Kind::Flows, packets, file),
        _ => return Err(io::Error::other("traffic mixed|small|flows PACKETS FILE, or traffic inventory FILE")),
    };
    let packets = packets.parse().map_err(io::Error::other)?;
    traffic::write(kind, packets, file.ends_with(".pcapng"), File::create(file)?)
}
