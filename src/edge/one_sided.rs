//! Connections of which one side only was seen: what they say of the capture, and edges of them where that is wanted.

use crate::model::{Code, Findings, Outcome, Protocol};

use super::views::Connection;

/// Connections by how much of them was seen.
#[derive(Debug, Default)]
pub(super) struct OneSided {
    is_accepted: bool,
    of_one_side: u64,
    of_both: u64,
}

impl OneSided {
    /// Few connections of one side are packets that were lost, or forged.
    const FEW: u64 = 3;
    /// Where so many times more have both sides, the capture does not lack a direction.
    const MORE: u64 = 4;

    /// Says whether edges are wanted.
    pub(super) const fn accepts(&mut self, is_wanted: bool) {
        self.is_accepted = is_wanted;
    }

    /// Counts a connection whose views are joined, and makes it an answered one if that is wanted.
    pub(super) const fn judge(&mut self, connection: &mut Connection) {
        let flow = &mut connection.known.flow;
        match flow.outcome {
            Outcome::OneSided(_) => {
                self.of_one_side += 1;
                if self.is_accepted {
                    flow.outcome = Outcome::Answered;
                    connection.is_one_sided = true;
                }
            }
            Outcome::Answered if !matches!(flow.protocol, Protocol::Udp) => self.of_both += 1,
            _ => {}
        }
    }

    /// What is to be said of the capture, where no rules were made of them. Wrong where somebody sends many forged packets: rules are made on demand only.
    pub(super) fn findings(self) -> Findings {
        let mut findings = Findings::default();
        let Self { is_accepted, of_one_side, of_both } = self;
        let is_usual = of_one_side >= Self::FEW && of_one_side.saturating_mul(Self::MORE) >= of_both;
        if !is_accepted && of_one_side > 0 && (is_usual || of_both == 0) {
            let message = format!("connections were seen from one side only, and {of_both} from both");
            findings.add_many(Code::OneWayCapture, "the capture", message, of_one_side);
        }
        findings
    }
}
