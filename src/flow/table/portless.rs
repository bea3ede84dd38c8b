//! Traffic without ports in, sightings out.

use std::net::IpAddr;

use super::FlowTable;
use crate::decode::Packet;
use crate::flow::portless_traffic::{PortlessTraffic, PortlessTrafficTable};
use crate::model::Span;

impl FlowTable {
    pub(super) fn sight(&mut self, sighting: PortlessTraffic, packet: &Packet, context: u16) {
        self.see(sighting, packet.source, packet.destination, Span::at(packet.at), context);
    }

    pub(super) fn see(&mut self, sighting: PortlessTraffic, source: IpAddr, destination: IpAddr, span: Span, context: u16) {
        let is_new = if context == 0 {
            self.sightings.add(sighting, source, destination, span)
        } else if self.sighted_inside < PortlessTrafficTable::CAPACITY {
            self.sightings_inside.entry(context).or_default().add(sighting, source, destination, span)
        } else {
            // Whatever tunnels there are: one sender can make up as many as it likes.
            let known = self.sightings_inside.get_mut(&context);
            if !known.is_some_and(|known| known.merge(sighting, source, destination, span)) {
                self.sightings.leave_out();
            }
            false
        };
        self.sighted_inside += usize::from(is_new && context != 0);
        if let Some(recorder) = &mut self.ended.recorder
            && is_new
        {
            recorder.sight(sighting, source, destination, span, context);
        }
    }
}
