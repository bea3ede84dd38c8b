//! Who was answered by whom, in addresses: what can be told of a capture while it goes on, and which records bring news.

use std::net::IpAddr;

use crate::flow::record::{Conversation, Opening, Record};
use crate::model::{Endpoint, Flow, Outcome, Protocol, SeededSet};

/// Pairs that are remembered.
const MOST: usize = 200_000;

/// Pairs of addresses that are known.
#[derive(Default)]
pub(super) struct Addresses(SeededSet<(IpAddr, Endpoint, Protocol)>);

impl Addresses {
    /// The answered flows of a record between addresses of which nothing was known before, and what is sent one way, again and
    /// again: it may become an edge by repetition. Where there are very many, what was known may be news again.
    pub(super) fn news(&mut self, record: &Record) -> Vec<Flow> {
        let Record::Conversation(conversation) = record else { return Vec::new() };
        if self.knows(conversation) {
            return Vec::new();
        }
        let mut flows = conversation.flows();
        flows.retain(|flow| match flow.outcome {
            Outcome::Answered => {
                let pair = (flow.originator.address, flow.responder, flow.protocol);
                let is_news = !self.0.contains(&pair);
                if is_news && self.0.len() >= MOST {
                    self.0.clear();
                }
                is_news && self.0.insert(pair)
            }
            Outcome::OneWay { .. } => true,
            _ => false,
        });
        flows
    }

    /// Whether nothing new can come of it: told by its openings, quicker than by its flows.
    fn knows(&self, conversation: &Conversation) -> bool {
        let Conversation { ends: [one, other], protocol, openings, .. } = conversation;
        let is_known = |opening: &Opening| {
            let (by, of) = if opening.by == 0 { (one, other) } else { (other, one) };
            self.0.contains(&(by.address, of.endpoint(), *protocol))
        };
        !openings.is_empty() && openings.iter().all(is_known)
    }

    /// From now on nothing is known.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use crate::flow::record::{After, End, EndpointFlags};
    use crate::model::Timestamp;

    use super::*;

    fn conversation(protocol: Protocol, port: u16, openings: Vec<Opening>, carried: Option<After>) -> Record {
        let did: EndpointFlags = serde_json::from_str(r#"["carried-payload"]"#).expect("deeds");
        let end = |last, port| End {
            address: IpAddr::from([10, 0, 0, last]),
            port,
            heard: Some([After(0), After(1)]),
            carried,
            acknowledges: None,
            did: if carried.is_some() { did } else { EndpointFlags::default() },
            tenths: 0,
            stations: Vec::new(),
        };
        let ends = [end(1, port), end(2, 80)];
        let (first, last) = (Timestamp(0), None);
        Record::Conversation(Conversation {
            protocol,
            first,
            last,
            ends,
            openings,
            ordered: 0,
            tunnels: Vec::new(),
            refused_by: Vec::new(),
        })
    }

    #[test]
    fn what_is_answered_is_news_once() {
        let opening = |answer| vec![Opening { by: 0, number: 7, after: After(0), answer, rejected: false }];
        let carried = Some(After(1));
        let mut addresses = Addresses::default();
        let mut news = |record: &Record| addresses.news(record).len();
        assert_eq!(news(&Record::End { at: Timestamp(0) }), 0);
        assert_eq!(news(&conversation(Protocol::Tcp, 1000, opening(None), None)), 0, "nobody answered");
        assert_eq!(news(&conversation(Protocol::Tcp, 1000, opening(Some(9)), None)), 0, "it was not acknowledged");
        assert_eq!(news(&conversation(Protocol::Tcp, 1001, opening(Some(9)), carried)), 1);
        assert_eq!(news(&conversation(Protocol::Tcp, 1002, opening(Some(9)), carried)), 0, "another port of the same caller");
        assert_eq!(news(&conversation(Protocol::Sctp, 1002, opening(Some(9)), carried)), 1, "another protocol");
        assert_eq!(news(&conversation(Protocol::Tcp, 1003, Vec::new(), Some(After(1)))), 0, "under way, between the same");
        addresses.forget();
        assert_eq!(addresses.news(&conversation(Protocol::Tcp, 1003, Vec::new(), Some(After(1)))).len(), 1);
    }

    #[test]
    fn after_very_many_a_new_one_is_still_news() {
        let mut addresses = Addresses::default();
        for caller in 0..=u32::try_from(MOST).expect("a number") {
            let mut record = conversation(Protocol::Tcp, 1000, Vec::new(), Some(After(1)));
            if let Record::Conversation(conversation) = &mut record {
                conversation.ends[0].address = IpAddr::from((0x0b00_0000 + caller).to_be_bytes());
            }
            assert_eq!(addresses.news(&record).len(), 1, "{caller}");
            assert_eq!(addresses.news(&record).len(), 0, "{caller}");
        }
    }
}
