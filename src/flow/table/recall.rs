//! What records of a flow file tell, taken in as packets are.

use crate::flow::conversation::{Conversation, first_input};
use crate::flow::fact::Stamp;
use crate::flow::key::End;
use crate::flow::origins::note;
use crate::flow::questions::{Answer, Transaction};
use crate::flow::record::{self, Record, RefusedBy};
use crate::flow::refusers::Refuser;
use crate::model::{Endpoint, NameAnswer, Span};

use super::FlowTable;

impl FlowTable {
    /// Takes in what a record tells, as if its packets had been observed. Headers and checkpoints tell of no packets: a header says
    /// when a capture began, and a checkpoint moves the time on.
    pub fn recall(&mut self, record: &Record) {
        self.recall_from(0, record);
    }

    /// As [`recall`](Self::recall), of a record of one of several inputs.
    pub fn recall_from(&mut self, input: u32, record: &Record) {
        match record {
            Record::Checkpoint { at } => self.advance(*at),
            Record::Header(header) => self.begin_capture(header.at),
            Record::Began { at } => self.begin_capture(*at),
            Record::Conversation(facts) => {
                let (key, mut conversation) = Conversation::from_record(facts);
                let context = self.contexts.number(&facts.tunnels);
                let Endpoint { address, port } = facts.ends[0].endpoint();
                let is_in_order = key.endpoint(End::Low) == Endpoint { address: address.to_canonical(), port };
                let context = if is_in_order { context } else { self.contexts.reversed(context) };
                for (position, end) in facts.ends.iter().enumerate() {
                    let here = if is_in_order { position } else { 1 - position };
                    for stations in &end.stations {
                        note(&mut conversation.origins[here], self.origins.number(stations.of_input(input)));
                    }
                }
                conversation.input = first_input(0, Stamp { input, ..facts.first.into() });
                for RefusedBy { address, stations } in &facts.refused_by {
                    let stations = stations.map(|stations| stations.of_input(input));
                    let refuser = Refuser { address: address.to_canonical(), stations };
                    note(&mut conversation.refusers, self.refusers.number(refuser).unwrap_or_default());
                }
                if !facts.refused_by.is_empty() && conversation.refusers == [0; 2] {
                    conversation.forget_errors();
                }
                self.tell_origins();
                self.put(&key.within(context), conversation);
                self.bear();
            }
            Record::Name(record::Name { asker, name, address, at, time_to_live, answers, tunnels }) => {
                let name = name.clone();
                let (asker, at, time_to_live) = (*asker, *at, *time_to_live);
                let context = self.contexts.number(tunnels);
                if let Some((protocol, port, server, id)) = answers.and_then(record::Answers::unasked) {
                    let context = self.contexts.reversed(context);
                    let transaction = Transaction { protocol, asker, port, id, name: name.into(), context };
                    self.answer(Answer { transaction, server, at, addresses: vec![(*address, time_to_live)] });
                } else {
                    let exchange = answers.map(Into::into);
                    self.name(NameAnswer { asker, address: *address, at, name, time_to_live, exchange }, context);
                }
            }
            Record::Question(record::Question { protocol, asker, port, id, name, server, at, tunnels }) => {
                let (name, context) = (name.as_str().into(), self.contexts.number(tunnels));
                let transaction = Transaction { protocol: *protocol, asker: *asker, port: *port, id: *id, name, context };
                self.ask(transaction, *server, *at);
            }
            Record::PortlessTraffic(record::PortlessTrafficRecord { kind, source, destination, first, last, tunnels }) => {
                if let Some(sighting) = kind.sighting() {
                    let context = self.contexts.number(tunnels);
                    self.see(sighting, *source, *destination, Span::between(*first, *last), context);
                }
            }
            Record::Flood(flood) => {
                self.floods.add(flood.originator, flood.responder, flood.attempts, Span::between(flood.first, flood.last));
            }
            Record::Frames(_) | Record::Finding { .. } | Record::End { .. } => {}
        }
    }
}
