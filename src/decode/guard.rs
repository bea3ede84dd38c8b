//! Which tunnels are opened: a pod's UDP socket can send whatever looks like one.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::Timestamp;

/// A form of encapsulation that can be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TunnelKind {
    /// RFC 7348.
    #[serde(rename = "vxlan")]
    Vxlan,
    /// RFC 8926.
    #[serde(rename = "geneve")]
    Geneve,
    /// RFC 2784.
    #[serde(rename = "gre")]
    Gre,
    /// RFC 2003, RFC 2473, RFC 4213.
    #[serde(rename = "ip-in-ip")]
    IpInIp,
}

impl fmt::Display for TunnelKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Vxlan => "VXLAN",
            Self::Geneve => "Geneve",
            Self::Gre => "GRE",
            Self::IpInIp => "IP-in-IP",
        })
    }
}

/// The outer header of one tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Tunnel {
    /// Its form.
    pub kind: TunnelKind,
    /// The outer sender.
    pub source: IpAddr,
    /// The outer receiver.
    pub destination: IpAddr,
}

impl Tunnel {
    /// The same tunnel in the other direction.
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self { kind: self.kind, source: self.destination, destination: self.source }
    }
}

/// An encapsulation of nodes that is not opened, recognised by its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OtherOverlay {
    /// VXLAN to a UDP port that is not among those that carry it.
    Vxlan(u16),
    /// flannel's backend `udp` (flannel-io/flannel, pkg/backend/udp: IPv4 in UDP to port 8285).
    FlannelUdp,
}

/// Says which tunnels are the cluster's own. What is in any other counts for nothing.
pub trait TunnelGuard: fmt::Debug + Send + Sync {
    /// A number that is the same for all times between which no answer changes.
    fn moment(&self, at: Timestamp) -> usize;

    /// Whether the cluster's tunnels may begin and end at this address.
    fn is_end(&self, at: Timestamp, address: IpAddr) -> bool;

    /// Whether what is in the tunnel counts. `inner` are the addresses of the datagram inside, absent where that has none or cannot be
    /// read; `nesting` is the number of tunnels around this one.
    fn admits(&self, at: Timestamp, tunnel: &Tunnel, inner: Option<(IpAddr, IpAddr)>, nesting: usize) -> bool;

    /// Takes note of what seems to be an overlay and is not opened. It is none if it is not between nodes.
    fn note_other(&self, at: Timestamp, overlay: OtherOverlay, outer: (IpAddr, IpAddr));
}

/// What is done with tunnels.
#[derive(Clone, Debug, Default)]
pub enum Decapsulation {
    /// All are opened, whoever sent them: nothing says which ones to trust.
    #[default]
    All,
    /// Those are opened that the guard admits. Any other is the datagram that its sender sent: UDP, GRE or IP-in-IP.
    Guarded(Arc<dyn TunnelGuard>),
    /// All are opened, and what is inside stays apart from the rest, with the outer addresses: somebody will judge later.
    Apart,
    /// None is opened.
    Never,
}

/// A question to a guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Question {
    moment: usize,
    tunnel: Tunnel,
    inner: Option<(IpAddr, IpAddr)>,
    nesting: usize,
}

/// Answers of a guard, so that it need not be asked for every frame.
#[derive(Clone, Debug, Default)]
pub(super) struct Answers {
    /// Direct-mapped; empty until the first question.
    known: Vec<Option<(Question, bool)>>,
}

impl Answers {
    const PLACES: usize = 4096;

    pub(super) fn ask(
        &mut self,
        guard: &dyn TunnelGuard,
        at: Timestamp,
        tunnel: &Tunnel,
        inner: Option<(IpAddr, IpAddr)>,
        nesting: usize,
    ) -> bool {
        let question = Question { moment: guard.moment(at), tunnel: *tunnel, inner, nesting };
        let (source, destination) = inner.unwrap_or((tunnel.source, tunnel.destination));
        let place = (last_bits(source).wrapping_mul(31) ^ last_bits(destination)) % Self::PLACES;
        if let Some(Some((known, answer))) = self.known.get(place)
            && *known == question
        {
            return *answer;
        }
        let answer = guard.admits(at, tunnel, inner, nesting);
        if self.known.is_empty() {
            self.known = vec![None; Self::PLACES];
        }
        self.known[place] = Some((question, answer));
        answer
    }
}

fn last_bits(address: IpAddr) -> usize {
    match address {
        IpAddr::V4(address) => address.to_bits() as usize,
        IpAddr::V6(address) => {
            let [.., third, second, first] = address.segments();
            usize::from(first) | usize::from(second) << 16 ^ usize::from(third)
        }
    }
}
