//! UDP that nobody answers: a rule only where it was repeated.

use crate::model::{Code, Evidence};

use super::super::book::NameBook;
use super::super::link::Link;
use super::super::place::Place;
use super::super::views::Connection;
use super::Observer;

/// One-way UDP of one edge: how often, and why it may be believed.
#[derive(Debug)]
pub(super) struct OneWay {
    flows: u64,
    moments: u64,
    evidence: Evidence,
}

impl Observer<'_> {
    /// Takes in a conversation that was not answered.
    pub(super) fn one_way(&mut self, connection: &Connection, link: Link, moments: u8, (from, book): (Place, &NameBook)) {
        let (evidence, name, service) = self.evidence(connection, from, book);
        let moments = u64::from(moments);
        if let Some(known) = self.one_way.get_mut(link) {
            known.flows += 1;
            known.moments += moments;
            known.evidence.merge(evidence);
            known.evidence.call(name, service.as_ref());
            return;
        }
        let mut evidence = evidence;
        evidence.call(name, service.as_ref());
        let evicted = self.one_way.insert(link, OneWay { flows: 1, moments, evidence });
        self.leave_out(evicted.map(|(link, one_way)| (link, one_way.evidence)));
    }

    /// One-way UDP is an edge when it was repeated: at two moments to a port somebody declares, at three from several sockets,
    /// or at five to any. Wrong for a caller that tries a dead address again and again; therefore always a finding.
    pub(super) fn judge_one_way(&mut self) {
        for (link, OneWay { flows, moments, evidence }) in self.one_way.take() {
            let known = self.edges.get_mut(link);
            let is_known = known.is_some();
            if is_known || moments >= 2 && link.is_declared(self.inventory) || moments >= 3 && flows >= 2 || moments >= 5 {
                if let Some(known) = known {
                    known.merge(evidence);
                } else {
                    self.findings.add_many(Code::OneWayUdp, link.edge(self.inventory).to_string(), "nobody answers", flows);
                    let evicted = self.edges.insert(link, evidence);
                    self.leave_out(evicted);
                }
                self.activate([link.originator, link.responder]);
            } else {
                self.findings.add_many(Code::UnrepeatedUdp, link.edge(self.inventory).to_string(), "nobody answered", flows);
            }
        }
    }
}
