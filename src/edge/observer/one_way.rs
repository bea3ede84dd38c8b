//! UDP that nobody answers: a rule only where it was repeated.

use std::collections::BTreeSet;

use crate::model::{Code, Evidence};

use super::super::bounded_edges::Kept;
use super::super::classes::{FlowClass, Share};
use super::super::dns_cache::NameBook;
use super::super::failures::FailedAttempts;
use super::super::link::Link;
use super::super::nat_correlation::Connection;
use super::super::place::Place;
use super::Observer;

/// One-way UDP of one edge: how often, and why it may be believed.
#[derive(Debug)]
pub(super) struct OneWay {
    flows: u64,
    /// Conversations that are counted with it.
    own: u64,
    moments: u64,
    evidence: Evidence,
}

impl Observer<'_> {
    /// Takes in a conversation that was not answered.
    pub(super) fn one_way(
        &mut self,
        connection: &Connection,
        link: Link,
        moments: u8,
        (from, book): (Place, &NameBook),
        share: &mut Share,
    ) {
        let (evidence, name, service) = self.evidence(connection, from, book);
        let (moments, own) = (u64::from(moments), share.take());
        if let Some(known) = self.one_way.get_mut(link) {
            known.flows += 1;
            known.own += own;
            known.moments += moments;
            known.evidence.merge(evidence);
            known.evidence.call(name, service.as_ref());
            return;
        }
        let mut evidence = evidence;
        evidence.call(name, service.as_ref());
        let evicted = self.one_way.insert(link, OneWay { flows: 1, own, moments, evidence });
        self.leave_out(evicted.map(|(link, OneWay { evidence, own, .. })| (link, Kept { evidence, own })));
    }

    /// One-way UDP is an edge when it was repeated: at two moments to a port somebody declares, at three from several sockets,
    /// or at five to any. Wrong for a caller that tries a dead address again and again; therefore always a finding.
    pub(super) fn judge_one_way(&mut self) {
        for (link, OneWay { flows, own, moments, evidence }) in self.one_way.take() {
            let known = self.edges.get_mut(link);
            let is_known = known.is_some();
            if is_known || moments >= 2 && link.is_declared(self.inventory) || moments >= 3 && flows >= 2 || moments >= 5 {
                if let Some(known) = known {
                    known.own += own;
                    known.evidence.merge(evidence);
                } else {
                    self.findings.add_many(Code::OneWayUdp, link.edge(self.inventory).to_string(), "nobody answers", flows);
                    let evicted = self.edges.insert(link, Kept { evidence, own });
                    self.leave_out(evicted);
                }
                self.activate([link.originator, link.responder]);
            } else {
                self.classes.add(FlowClass::OneWay, own);
                let edge = link.edge(self.inventory);
                let subject = edge.to_string();
                self.findings.add_many(Code::UnrepeatedUdp, &subject, "nobody answered", flows);
                if self.explains_failures() {
                    let (code, counted) = (Code::UnrepeatedUdp, (FlowClass::OneWay, own));
                    self.failed.push(FailedAttempts { code, subject, attempts: flows, counted, edges: BTreeSet::from([edge]) });
                }
            }
        }
    }
}
