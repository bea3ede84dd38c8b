//! A flow and who its ends were, asked once.

use crate::inventory::{Identity, Inventory};
use crate::model::memory::advise_hugepages;
use crate::model::{DirectionEvidence, Endpoint, Flow, Outcome, Speaker};

const _: () = assert!(size_of::<Identified>() <= 112, "there are as many as flows, all at once");

/// A flow with the identities of its ends when it began.
#[derive(Clone, Debug)]
pub(super) struct Identified {
    pub(super) flow: Flow,
    pub(super) originator: Identity,
    pub(super) responder: Identity,
}

impl Identified {
    /// All of them, in another order. Memory is given back on the way, for they need more of it than flows.
    pub(super) fn all(mut flows: Vec<Flow>, inventory: &Inventory) -> Vec<Self> {
        const AT_ONCE: usize = 32 * 1024;
        let mut identified = Vec::with_capacity(flows.len());
        advise_hugepages(&identified);
        while let Some(flow) = flows.pop() {
            identified.push(Self::new(flow, inventory));
            if flows.len().is_multiple_of(AT_ONCE) {
                flows.shrink_to_fit();
            }
        }
        identified
    }

    fn new(flow: Flow, inventory: &Inventory) -> Self {
        let at = flow.span.first();
        let [originator, responder] = [flow.originator, flow.responder].map(|end| inventory.identify(end.address, at));
        Self { flow, originator, responder }
    }

    /// The other way round, for that reason.
    pub(super) const fn flip_roles(&mut self, direction: DirectionEvidence) {
        std::mem::swap(&mut self.flow.originator, &mut self.flow.responder);
        std::mem::swap(&mut self.originator, &mut self.responder);
        self.flow.direction = direction;
    }

    /// Whether the responder's address stands for something else.
    pub(super) fn is_translated(&self, inventory: &Inventory) -> bool {
        let Endpoint { address, port } = self.flow.responder;
        let (protocol, at) = (self.flow.protocol, self.flow.span.first());
        !matches!(self.responder, Identity::Pod(_))
            && (inventory.service_call(address, protocol, port).is_some()
                || inventory.host_port(address, protocol, port, at).is_some())
    }

    /// Takes over what another view of the same connection says.
    pub(super) fn merge(&mut self, other: &Flow, inventory: &Inventory) {
        let flow = &mut self.flow;
        flow.outcome = together(flow, other);
        flow.answer = flow.answer.or(other.answer);
        flow.direction = flow.direction.max(other.direction);
        let began = flow.span.first();
        flow.span = flow.span.merge(other.span);
        if flow.span.first() != began {
            let at = flow.span.first();
            self.originator = inventory.identify(flow.originator.address, at);
            self.responder = inventory.identify(flow.responder.address, at);
        }
    }
}

/// What came of a connection of which these are two views. Each of them may have one direction only: one the answer, the other its
/// acknowledgment.
fn together(one: &Flow, other: &Flow) -> Outcome {
    let speaks = |flow: &Flow| match flow.outcome {
        Outcome::OneSided(speaker) => Some(speaker),
        Outcome::HalfOpen { .. } => Some(Speaker::Responder),
        _ => None,
    };
    match (speaks(one), speaks(other)) {
        (Some(speaker), Some(other_speaker))
            if speaker != other_speaker && one.answer.is_some() && one.answer == other.answer =>
        {
            Outcome::Answered
        }
        _ => one.outcome.max(other.outcome),
    }
}
