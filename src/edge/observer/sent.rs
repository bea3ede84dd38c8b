//! Flows with where their packets came from: what pods forged is left out.

use crate::edge::classes::FlowClass;
use crate::edge::refusals;
use crate::edge::senders::{Senders, Verdict};
use crate::flow::{Names, Senders as Sent};
use crate::model::{Code, Flow};

use super::{OUTCOMES, Observer, kind};

impl Observer<'_> {
    /// Takes in finished flows with the stations between which their packets went ([`FlowTable::senders`](crate::flow::FlowTable::senders)):
    /// what pods sent with others' addresses does not count, and names nothing.
    pub fn observe_sent(&mut self, mut flows: Vec<Flow>, sent: Sent<'_>, names: &Names) {
        let inventory = self.inventory;
        self.senders.prove(&flows, sent.origins, inventory);
        for flow in &mut flows {
            refusals::judge(flow, sent, &self.senders, inventory, &mut self.findings);
        }
        let mut spoofed = Vec::new();
        flows.retain_mut(|flow| {
            let verdict = self.senders.judge(flow, inventory);
            let forger = match verdict {
                Verdict::Honest => return true,
                Verdict::Mixed(forger) => {
                    let message = "sent packets of others' connections: who called whom there is told by ports";
                    self.findings.add(Code::SpoofedSource, inventory.pod(forger).name.to_string(), message);
                    flow.doubt_direction();
                    return true;
                }
                Verdict::Pretended(forger) | Verdict::PretendedAnswer(forger) => forger,
            };
            spoofed.push((flow.protocol, [flow.originator, flow.responder], flow.span));
            if let Verdict::PretendedAnswer(_) = verdict {
                let message = "answered with another's address: the answers count for nothing";
                self.findings.add(Code::SpoofedSource, inventory.pod(forger).name.to_string(), message);
                flow.take_back_answer();
                return true;
            }
            Senders::report(flow, forger, inventory, &mut self.findings);
            *self.flows.entry(OUTCOMES[kind(flow)]).or_default() += 1;
            self.classes.add(FlowClass::Spoofed, 1);
            false
        });
        self.spoofed_answers.add(spoofed, names);
        self.observe(flows, names);
    }
}
