//! Capture files in, frames out; with feature `live`, interfaces in, records out ([`live`](open)).
//!
//! In: paths, patterns, directories, standard input. Out: [`Frame`](crate::decode::Frame)s in the order of time, in place in one
//! buffer per open file; of flow files, [`Record`](crate::flow::Record)s. A file is told by its content, never by its name: pcap,
//! pcapng, flow file, and each of them inside gzip or zstd.
//! A long file may be read in pieces by several threads, and files that overlap in time side by side; these threads decode the frames
//! as well, and [`Decoded`] frames are then given in place of its frames. Files are read, never mapped into memory: one that is cut short or goes on growing meanwhile is a file like any other.
//! A file that is cut or damaged gives all whole frames before that place and a finding that says so; memory is bounded whatever
//! a file claims.

#[cfg(feature = "live")]
mod capabilities;
mod compression;
#[cfg(feature = "live")]
mod confine;
mod error;
mod expand;
mod file;
mod flows;
mod foreign;
mod format;
mod frame_batch;
#[cfg(feature = "live")]
mod interface;
#[cfg(feature = "live")]
mod live;
mod merged;
#[cfg(feature = "live")]
mod opener;
#[cfg(feature = "live")]
mod own_requests;
mod parallel;
mod pcap;
mod pcapng;
mod read_ahead;
mod record;
mod strays;
#[cfg(feature = "live")]
mod tap;
mod timestamp_filter;
mod window;

#[cfg(feature = "live")]
pub use capabilities::{Needed, User, as_user, give_up, is_root};
pub use error::CaptureError;
pub use expand::{Expanded, Input, expand};
pub use file::{CaptureFile, Observed};
pub use frame_batch::Decoded;
#[cfg(feature = "live")]
pub use interface::{Interface, interfaces};
#[cfg(feature = "live")]
pub use live::{Batch, Counts, Kept, Live, LiveOptions, Opened, host, open};
pub use merged::{Following, Merged};
pub use parallel::Splitting;
