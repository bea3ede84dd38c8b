//! Capture files in, frames out; with feature `live`, also the interfaces there are.
//!
//! In: paths, patterns, directories, standard input. Out: [`Frame`](crate::decode::Frame)s in the order of time, in place in one
//! buffer per open file. A file is told by its content, never by its name: pcap, pcapng, and either of them inside gzip or zstd.
//! A file that is cut or damaged gives all whole frames before that place and a finding that says so; memory is bounded whatever
//! a file claims.

mod clock;
mod compression;
mod error;
mod expand;
mod file;
#[cfg(feature = "live")]
mod interface;
mod merged;
mod pcap;
mod pcapng;
mod record;
mod window;

pub use error::CaptureError;
pub use expand::{Input, expand};
pub use file::CaptureFile;
#[cfg(feature = "live")]
pub use interface::{Interface, interfaces};
pub use merged::Merged;
