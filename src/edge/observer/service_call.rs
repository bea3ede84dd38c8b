//! Calls to a Service of which the capture has one view, at the Service's own address.

use std::collections::BTreeSet;

use crate::edge::classes::{FlowClass, Share};
use crate::edge::dns_cache::NameBook;
use crate::edge::failures::Failure;
use crate::edge::link::Link;
use crate::edge::nat_correlation::{Call, Connection};
use crate::edge::place::Place;
use crate::edge::repeated::{Tried, Who};
use crate::inventory::NodeCache;
use crate::model::{Code, Endpoint, Flow, Outcome};

use super::Observer;

/// What to add to an inventory that does not say where the API server is.
const NO_API_SERVER: &str = ", and nothing says where the API server is: `kubectl get endpointslices,nodes -A -o yaml` does";

impl Observer<'_> {
    /// A call to a Service whose delivery was not captured: every backend may have been meant.
    pub(super) fn called(
        &mut self,
        connection: &Connection,
        originator: Place,
        call: Call,
        backends: &[Endpoint],
        book: &NameBook,
        share: &mut Share,
    ) -> FlowClass {
        let inventory = self.inventory;
        let flow = &connection.known.flow;
        let at = flow.span.first();
        // Once for each workload behind the Service, not once for each of its pods.
        let mut others: Vec<(Who, Place, u16)> = Vec::new();
        let (mut is_empty, mut has_pod) = (true, originator.pod().is_some());
        for backend in backends {
            let place = Place::called(*backend, at, inventory);
            is_empty = false;
            has_pod |= place.pod().is_some();
            let who = Who::at(place, inventory);
            if place != originator && !others.iter().any(|(known, _, port)| (*known, *port) == (who, backend.port)) {
                others.push((who, place, backend.port));
            }
        }
        if !connection.is_answered() && !matches!(flow.outcome, Outcome::OneWay { .. }) {
            if !has_pod {
                return FlowClass::NoPod;
            }
            let Flow { protocol, responder: Endpoint { port, .. }, .. } = *flow;
            let links = others.iter().filter_map(|&(_, place, port)| self.link(protocol, originator, place, port));
            let links: Vec<Link> = links.collect();
            let failure = Failure::of(flow);
            let tried = Tried { from: Who::at(originator, inventory), to: Who::called(call), protocol, port, failure };
            self.try_in_vain(tried, at, originator.side(inventory), links.into_iter(), share);
            return failure.class();
        }
        let is_for_names =
            flow.responder.port == 53 && matches!(call, Call::Service(call) if inventory.is_resolver(call.service));
        let mut resolved = None;
        if is_for_names && let Some(pod) = originator.pod() {
            let cache = inventory.node_cache(pod, flow.responder.address);
            if is_empty || cache != NodeCache::None {
                // Answered on the node, at the Service's own address.
                let node = Place::NodeLocalDns(flow.responder.address);
                let class = self.pair(connection, originator, node, flow.responder.port, book, share);
                if is_empty || cache == NodeCache::Answers {
                    return class;
                }
                resolved = Some(class);
            }
        }
        if is_empty {
            let is_kubernetes = matches!(call, Call::Service(call) if inventory.is_kubernetes(call.service));
            let advice = if is_kubernetes { NO_API_SERVER } else { "" };
            let message = format!("called by {}{advice}", originator.describe(inventory));
            self.findings.add(Code::ServiceWithoutBackends, Who::called(call).describe(inventory), message);
            if let (Some(pod), true) = (originator.pod(), connection.is_answered()) {
                self.unattributed.add(inventory.pod(pod).workload, false, flow, flow.responder.port, &[]);
            }
            return FlowClass::ServiceWithoutBackends;
        }
        if others.is_empty() {
            let message = format!("called itself through {}", Who::called(call).describe(inventory));
            self.findings.add(Code::Hairpin, originator.describe(inventory), message);
            return FlowClass::Hairpin;
        }
        let is_one = others.iter().all(|(who, ..)| *who == others[0].0);
        let workloads = || others.iter().map(|(who, ..)| who.describe(inventory)).collect::<BTreeSet<_>>();
        if !is_one
            && others.iter().all(|(_, place, _)| place.pod().is_some())
            && let workloads = workloads()
            && workloads.len() > 1
        {
            let names: Vec<&str> = workloads.iter().map(String::as_str).collect();
            let subject = format!("{} -> {}", originator.describe(inventory), Who::called(call).describe(inventory));
            self.findings.add(Code::ServiceBackendNotSeen, subject, format!("may have reached any of {}", names.join(", ")));
        }
        let classes = others.into_iter().map(|(_, place, port)| self.pair(connection, originator, place, port, book, share));
        classes.chain(resolved).min().unwrap_or(FlowClass::ServiceWithoutBackends)
    }
}
