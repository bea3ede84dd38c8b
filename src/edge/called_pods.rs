//! Which pods of a workload were called on ports that nobody declares.

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use crate::inventory::{PodId, WorkloadId};
use crate::model::Protocol;

/// Ports that are kept apart; of more, those that are last in their order are not told from ports of all pods.
const KEPT: usize = 65_536;

type Port = (WorkloadId, Protocol, NonZeroU16);

/// The pod that was called on each port, or that there were several.
#[derive(Debug, Default)]
pub(super) struct CalledPods {
    ports: BTreeMap<Port, Option<PodId>>,
}

impl CalledPods {
    pub(super) fn add(&mut self, port: Port, pod: PodId) {
        let known = self.ports.entry(port).or_insert(Some(pod));
        if *known != Some(pod) {
            *known = None;
        }
        if self.ports.len() > KEPT {
            self.ports.pop_last();
        }
    }

    /// The pod, if it was the only one.
    pub(super) fn only(&self, port: Port) -> Option<PodId> {
        self.ports.get(&port).copied().flatten()
    }
}
