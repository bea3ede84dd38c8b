//! The key of a conversation: an unordered pair of endpoints and a protocol, so that a reply finds what it replies to.

use crate::model::{Endpoint, Protocol};

/// Both endpoints, the lesser first, and the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct FlowKey {
    ends: [Endpoint; 2],
    protocol: Protocol,
}

/// Which of a key's two endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum End {
    /// The lesser.
    Low,
    /// The greater.
    High,
}

impl End {
    /// The one across.
    pub(super) const fn opposite(self) -> Self {
        match self {
            Self::Low => Self::High,
            Self::High => Self::Low,
        }
    }
}

impl FlowKey {
    /// The key of a packet between these two, and which of its ends is the sender.
    pub(super) fn of(sender: Endpoint, receiver: Endpoint, protocol: Protocol) -> (Self, End) {
        if sender <= receiver {
            (Self { ends: [sender, receiver], protocol }, End::Low)
        } else {
            (Self { ends: [receiver, sender], protocol }, End::High)
        }
    }

    /// The endpoint at that end.
    pub(super) const fn endpoint(&self, end: End) -> Endpoint {
        self.ends[end as usize]
    }

    /// The transport protocol.
    pub(super) const fn protocol(&self) -> Protocol {
        self.protocol
    }
}
