//! Why a capture cannot be used.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// What stops the reading of captures; what can be read on is a [`Finding`](crate::model::Finding) instead. Messages read after
/// "failed to".
#[derive(Debug, Error)]
pub enum CaptureError {
    /// The file is not there, or not ours to read.
    #[error("open {}", path.display())]
    Open {
        /// As it was named; `-` is standard input.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The directory cannot be listed.
    #[error("list the directory {}", path.display())]
    List {
        /// As it was named, or a directory below.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Reading stopped; frames before stay valid.
    #[error("read on in {} after {frames} frames", path.display())]
    Read {
        /// As it was named.
        path: PathBuf,
        /// Frames that were read before.
        frames: u64,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Nothing in it, not even a header.
    #[error("read {}: it is empty", path.display())]
    Empty {
        /// As it was named.
        path: PathBuf,
    },
    /// Its header is cut, so that nothing can be told of what it holds.
    #[error("read {}: it ends inside the {format} header", path.display())]
    HeaderCut {
        /// As it was named.
        path: PathBuf,
        /// The kind of file its first bytes announce.
        format: &'static str,
    },
    /// Its header contradicts itself.
    #[error("read {}: its {format} header is malformed", path.display())]
    HeaderMalformed {
        /// As it was named.
        path: PathBuf,
        /// The kind of file its first bytes announce.
        format: &'static str,
    },
    /// A flow file in a form that this program does not read.
    #[error("read {}: it is a flow file of version {version}, and this program knows version {}", path.display(), crate::flow::record::VERSION)]
    OtherVersion {
        /// As it was named.
        path: PathBuf,
        /// Of the file.
        version: u32,
    },
    /// It begins like no capture.
    #[error("read {}: {}", path.display(), not_a_capture(*looks_like))]
    NotACapture {
        /// As it was named.
        path: PathBuf,
        /// What it seems to be, if that is known.
        looks_like: Option<&'static str>,
    },
    /// The compressed stream is damaged before the first frame.
    #[error("decompress {} ({compression})", path.display())]
    Decompress {
        /// As it was named.
        path: PathBuf,
        /// `gzip` or `zstd`.
        compression: &'static str,
        /// What the decompressor says.
        #[source]
        source: io::Error,
    },
    /// A file or pattern that stands for nothing.
    #[error("find a file that matches {pattern}")]
    NoMatch {
        /// As it was given.
        pattern: String,
    },
    /// A directory without captures below it.
    #[error("find a capture in the directory {}", path.display())]
    NoCaptures {
        /// As it was named.
        path: PathBuf,
    },
    /// A pattern that is none.
    #[error("read the pattern {pattern}")]
    Pattern {
        /// As it was given.
        pattern: String,
        /// What is wrong with it.
        #[source]
        source: glob::PatternError,
    },
    /// libpcap cannot list the interfaces.
    #[cfg(feature = "live")]
    #[error("list the network interfaces")]
    Interfaces {
        /// What libpcap says.
        #[source]
        source: ::pcap::Error,
    },
    /// libpcap cannot open an interface.
    #[cfg(feature = "live")]
    #[error("capture on {name}")]
    OpenInterface {
        /// The interface.
        name: String,
        /// What libpcap says.
        #[source]
        source: ::pcap::Error,
    },
    /// An interface that is not there, or a pattern that none matches.
    #[cfg(feature = "live")]
    #[error("find the interface {wanted}: there are {}", there.join(", "))]
    NoSuchInterface {
        /// As it was given.
        wanted: String,
        /// Those there are.
        there: Vec<String>,
    },
    /// A filter that is none.
    #[cfg(feature = "live")]
    #[error("compile the filter `{filter}`")]
    Filter {
        /// The whole filter, with this program's own part.
        filter: String,
        /// What libpcap says.
        #[source]
        source: ::pcap::Error,
    },
    /// There is no interface at all, or none that may be seen.
    #[cfg(feature = "live")]
    #[error("find a network interface: libpcap sees none")]
    NoInterfaces,
}

/// How to get the right to capture on Linux: this one capability is enough for libpcap, promiscuous mode too.
#[cfg(feature = "live")]
const RIGHTS: &str = "capturing needs rights: run it as root, or once: \
     sudo setcap cap_net_raw=ep \"$(command -v netpol-gen)\"";

fn not_a_capture(looks_like: Option<&'static str>) -> String {
    match looks_like {
        Some(kind) => format!("it is not a capture but looks like {kind}"),
        None => "it is neither pcap nor pcapng nor a flow file".into(),
    }
}

impl CaptureError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Open { source, .. } | Self::List { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "captures taken by root are often readable by root only: change the file's owner or mode"
            }
            // ENFILE, EMFILE.
            Self::Open { source, .. } if matches!(source.raw_os_error(), Some(23 | 24)) => {
                "too many captures overlap in time: raise the limit of open files (ulimit -n), or merge them before"
            }
            Self::Open { .. } | Self::List { .. } | Self::NoMatch { .. } => "check the path; patterns are matched as in a shell",
            Self::Read { .. } => "copy the file to a local disk and try again",
            Self::Empty { .. } | Self::HeaderCut { .. } => {
                "was the capture stopped before it wrote anything? tcpdump -U writes every packet at once"
            }
            Self::NotACapture { looks_like: Some(_), .. } => {
                "convert it to pcap or pcapng first; gzip and zstd are read as they are"
            }
            Self::OtherVersion { .. } => "read it with the version of netpol-gen that wrote it, or capture anew",
            Self::NotACapture { .. } | Self::HeaderMalformed { .. } => {
                "pcap and pcapng are read, plain or compressed with gzip or zstd; editcap converts others"
            }
            Self::Decompress { .. } => {
                "copy it again if it is damaged; decompress it first if it asks for too much memory (zstd --long)"
            }
            Self::NoCaptures { .. } => "name the files, or a directory that holds pcap or pcapng files",
            Self::Pattern { .. } => "quote the pattern, or escape brackets as [[]",
            #[cfg(feature = "live")]
            Self::Interfaces { source } | Self::OpenInterface { source, .. } if super::interface::is_refused(source) => RIGHTS,
            #[cfg(feature = "live")]
            Self::OpenInterface { .. } | Self::NoSuchInterface { .. } => {
                "`netpol-gen interfaces` lists them; `any` is all of them, also those that come later"
            }
            #[cfg(feature = "live")]
            Self::Filter { .. } => "the syntax is that of tcpdump: see pcap-filter(7)",
            #[cfg(feature = "live")]
            Self::Interfaces { .. } => "is the system short of memory or files? `ip link` lists the interfaces without libpcap",
            #[cfg(feature = "live")]
            Self::NoInterfaces => RIGHTS,
        }
    }
}
