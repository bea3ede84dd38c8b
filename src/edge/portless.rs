//! Traffic without ports: no edge can be made of it, so it is told.

use crate::flow::{PortlessTraffic, PortlessTrafficTable};
use crate::inventory::{Inventory, PodId};
use crate::model::{Code, Endpoint, Findings};

use super::place::Place;

/// What is to be said of it.
pub(super) fn findings(sightings: &PortlessTrafficTable, inventory: &Inventory) -> Findings {
    let mut findings = Findings::default();
    for (sighting, source, destination, span) in sightings.iter() {
        let at = span.first();
        let from = Place::calling(source, at, inventory);
        let to = Place::calling(destination, at, inventory);
        let pair = format!("{} -> {}", from.describe(inventory), to.describe(inventory));
        let is_between_pods = from.pod().is_some() || to.pod().is_some();
        let is_same = from.pod().is_some() && from == to;
        match sighting {
            PortlessTraffic::Multicast(port) if from.pod().is_some() => {
                let group = if port == 0 { destination.to_string() } else { Endpoint { address: destination, port }.to_string() };
                findings.add(Code::Multicast, from.describe(inventory), format!("sent to {group}"));
            }
            PortlessTraffic::Echo if is_between_pods && !is_same => {
                let is_own_node = |pod: Option<PodId>, other: Place| pod.is_some_and(|pod| other.is_own_node_of(pod, inventory));
                if is_own_node(from.pod(), to) || is_own_node(to.pod(), from) {
                    findings.add(Code::OwnNodeTraffic, pair, "ICMP echo");
                } else {
                    findings.add(Code::Icmp, pair, "echo (ping)");
                }
            }
            PortlessTraffic::OpaqueTunnel(name) => {
                let subject = format!("{source} -> {destination}");
                findings.add(Code::OpaqueTunnel, subject, format!("{name} traffic, unreadable"));
            }
            PortlessTraffic::Protocol(number) if is_between_pods && !is_same => {
                findings.add(Code::NotExpressible, pair, format!("IP protocol {number}: NetworkPolicy knows TCP, UDP and SCTP"));
            }
            PortlessTraffic::PortZero if is_between_pods => findings.add(Code::MalformedFrame, pair, "packets with port 0"),
            _ => {}
        }
    }
    findings
}
