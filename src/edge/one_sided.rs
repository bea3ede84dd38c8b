//! Connections of which one side only was seen: what they say of a capture, and edges of them where that is wanted.
//!
//! Each input counts by itself: one that carries one direction only says nothing about connections that another one shows.

use std::collections::BTreeMap;

use crate::model::{Code, Findings, Flow, Outcome, Protocol};

use super::inputs::Inputs;
use super::nat_correlation::Connection;

/// Connections by how much of them was seen, and in which input.
#[derive(Debug, Default)]
pub(super) struct OneSided {
    is_accepted: bool,
    /// By the numbers that flows have.
    inputs: BTreeMap<u16, Counts>,
}

/// Connections of an input.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    of_one_side: u64,
    of_both: u64,
}

impl Counts {
    /// Few connections of one side are packets that were lost, or forged.
    const FEW: u64 = 3;
    /// Where so many times more have both sides, the capture does not lack a direction.
    const MORE: u64 = 4;

    /// Whether the input seems to have one direction only. Wrong where somebody sends many forged packets: rules are made on demand only.
    const fn lacks_a_direction(self) -> bool {
        self.of_one_side >= Self::FEW && self.of_one_side.saturating_mul(Self::MORE) >= self.of_both
    }
}

impl OneSided {
    /// Says whether edges are wanted.
    pub(super) const fn accepts(&mut self, is_wanted: bool) {
        self.is_accepted = is_wanted;
    }

    /// Counts a connection whose views are joined.
    pub(super) fn count(&mut self, flow: &Flow) {
        let input = flow.input;
        match flow.outcome {
            Outcome::OneSided(_) => self.inputs.entry(input).or_default().of_one_side += 1,
            Outcome::Answered if flow.protocol != Protocol::Udp => self.inputs.entry(input).or_default().of_both += 1,
            _ => {}
        }
    }

    /// Makes a connection of one side an answered one if that is wanted: where inputs lack a direction, in these; elsewhere any.
    pub(super) fn judge(&self, connection: &mut Connection) {
        let flow = &mut connection.known.flow;
        if !self.is_accepted || !matches!(flow.outcome, Outcome::OneSided(_)) {
            return;
        }
        let lacks_a_direction = |counts: &Counts| counts.lacks_a_direction();
        if self.inputs.get(&flow.input).is_some_and(lacks_a_direction) || !self.inputs.values().any(lacks_a_direction) {
            flow.outcome = Outcome::Answered;
            connection.is_one_sided = true;
        }
    }

    /// What is to be said of the inputs, where no rules were made of such connections.
    pub(super) fn findings(self, inputs: &Inputs) -> Findings {
        let mut findings = Findings::default();
        if self.is_accepted {
            return findings;
        }
        let has_both = self.inputs.values().any(|counts| counts.of_both > 0);
        for (input, counts) in self.inputs {
            let Counts { of_one_side, of_both } = counts;
            if counts.lacks_a_direction() || of_one_side > 0 && !has_both {
                let message = format!("connections were seen from one side only, and {of_both} from both");
                findings.add_many(Code::OneWayCapture, inputs.name(input), message, of_one_side);
            }
        }
        findings
    }
}
