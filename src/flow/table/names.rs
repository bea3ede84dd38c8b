//! DNS messages in, names of addresses out.

use std::net::IpAddr;

use super::FlowTable;
use crate::decode::{DnsMessage, Packet};
use crate::flow::questions::{Answer, Transaction};
use crate::model::{Exchange, NameAnswer, Protocol, Timestamp};

impl FlowTable {
    pub(super) fn learn_names(
        &mut self,
        packet: &Packet,
        protocol: Protocol,
        ports: (u16, u16),
        dns: Option<&DnsMessage>,
        context: u16,
    ) {
        let Some(DnsMessage { is_response, id, question: Some(name), addresses }) = dns else { return };
        let name = name.as_str().into();
        if *is_response {
            let (asker, port, context) = (packet.destination, ports.1, self.contexts.reversed(context));
            let transaction = Transaction { protocol, asker, port, id: *id, name, context };
            self.answer(Answer { transaction, server: packet.source, at: packet.at, addresses: addresses.clone() });
        } else {
            let transaction = Transaction { protocol, asker: packet.source, port: ports.0, id: *id, name, context };
            self.ask(transaction, packet.destination, packet.at);
        }
    }

    pub(super) fn ask(&mut self, transaction: Transaction, server: IpAddr, at: Timestamp) {
        for (answer, exchange) in self.questions.ask(transaction, server, at) {
            self.answered(answer, exchange);
        }
    }

    pub(super) fn answer(&mut self, answer: Answer) {
        if let Some((answer, exchange)) = self.questions.answer(answer) {
            self.answered(answer, exchange);
        }
    }

    fn answered(&mut self, Answer { transaction, at, addresses, .. }: Answer, exchange: Exchange) {
        let Transaction { asker, name, context, .. } = transaction;
        let context = self.contexts.reversed(context);
        for (address, time_to_live) in addresses {
            let name = (*name).to_owned();
            self.name(NameAnswer { asker, address, at, name, time_to_live, exchange: Some(exchange) }, context);
        }
    }

    pub(super) fn name(&mut self, answer: NameAnswer, context: u16) {
        let names = if context == 0 { &mut self.names } else { &mut self.names_inside };
        match &mut self.ended.recorder {
            Some(recorder) => {
                if names.add_inside(answer.clone(), context) {
                    recorder.name(answer, context);
                }
            }
            None => {
                names.add_inside(answer, context);
            }
        }
    }
}
