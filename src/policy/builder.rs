//! Sorts edges into the policies they belong to.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::rc::Rc;

use ipnet::IpNet;

use crate::edge::{Callers, DynamicPorts, Exposure, Public};
use crate::inventory::{Inventory, NetworkPlugin, NodeId, Origin, WorkloadId};
use crate::model::{
    Block, Class, Code, Edge, Evidence, Findings, NodeAddress, Party, Peer, PodSelector, PolicyPort, WorkloadName,
};
use crate::review::decisions::{Decision, Way, Widen};

use super::blocks;
use super::draft::{Direction, Draft, DraftKey};
use super::name::{ShortNames, of_range};
use super::outside::OutsideCall;
use super::resolution::{Resolvers, resolver_ports};
use super::selector::{Selection, ignored_by_cilium, may_not_last};
use super::set::PolicyOptions;

/// How many workloads with the same labels are named.
const NAMED: usize = 10;

/// The drafts of a run, under construction.
pub(super) struct RuleBuilder<'a> {
    pub(super) inventory: &'a Inventory,
    pub(super) options: &'a PolicyOptions,
    subjects: &'a BTreeSet<String>,
    selections: &'a BTreeMap<WorkloadName, Selection>,
    exposure: &'a Exposure,
    ids: BTreeMap<&'a WorkloadName, WorkloadId>,
    pub(super) short: ShortNames,
    /// The policies so far.
    pub(super) drafts: BTreeMap<DraftKey, Draft<'a>>,
    /// Per namespace and workload: the resolvers it asked.
    pub(super) resolvers: BTreeMap<String, BTreeMap<WorkloadName, Resolvers<'a>>>,
    pub(super) outside: BTreeMap<(WorkloadName, Direction), Vec<OutsideCall<'a>>>,
    /// The policies that say a range where addresses were seen, and why.
    pub(super) widened: BTreeMap<DraftKey, BTreeSet<&'a Decision>>,
    /// Edges that no policy can allow.
    pub(super) inexpressible: BTreeSet<Edge>,
    /// Workloads whose selectors were judged.
    judged: BTreeSet<WorkloadId>,
    /// What is to be said beside the policies.
    pub(super) findings: Findings,
}

/// These ports, as one value with the call before where that needs the same.
fn shared(calls: &[OutsideCall<'_>], ports: &BTreeSet<PolicyPort>) -> Rc<BTreeSet<PolicyPort>> {
    let known = calls.last().filter(|last| *last.ports == *ports);
    known.map_or_else(|| Rc::new(ports.clone()), |last| Rc::clone(&last.ports))
}

/// Who called an exposed port, for a finding.
fn in_words(callers: &Callers) -> String {
    let counted = |number: usize, one: &str, many: &str| match number {
        1 => format!("one {one}"),
        number => format!("{number} {many}"),
    };
    let networks = counted(callers.unrelated(), "network", "networks");
    let parts = [
        (&callers.internet, "address", "addresses", format!(" on the internet ({networks})")),
        (&callers.balancers, "address", "addresses", " of the cloud's load balancer".to_owned()),
        (&callers.networks, "private address", "private addresses", String::new()),
    ];
    let parts = parts.into_iter().filter(|(addresses, ..)| !addresses.is_empty());
    parts.map(|(addresses, one, many, which)| counted(addresses.len(), one, many) + &which).collect::<Vec<_>>().join(" and ")
}

fn draft_key(workload: &WorkloadName, class: Class, direction: Direction, group: &str) -> DraftKey {
    let (namespace, subject) = (workload.namespace.clone(), Some(workload.clone()));
    DraftKey { namespace, class, direction, subject, group: group.to_owned() }
}

impl<'a> RuleBuilder<'a> {
    pub(super) fn new(
        inventory: &'a Inventory,
        options: &'a PolicyOptions,
        subjects: &'a BTreeSet<String>,
        selections: &'a BTreeMap<WorkloadName, Selection>,
        exposure: &'a Exposure,
    ) -> Self {
        let ids = inventory.workloads().iter().zip(0..).map(|(workload, id)| (&*workload.name, WorkloadId(id))).collect();
        Self {
            inventory,
            options,
            subjects,
            selections,
            exposure,
            ids,
            short: ShortNames::new(inventory),
            drafts: BTreeMap::new(),
            resolvers: BTreeMap::new(),
            outside: BTreeMap::new(),
            widened: BTreeMap::new(),
            inexpressible: BTreeSet::new(),
            judged: BTreeSet::new(),
            findings: Findings::default(),
        }
    }

    /// Puts one edge where it belongs: an egress rule of its originator, an ingress rule of its responder, or both.
    pub(super) fn sort(&mut self, edge: &'a Edge, evidence: &'a Evidence) {
        let ports = self.ports(edge);
        if self.widen(&ports, edge, evidence) {
            return;
        }
        if let Party::Workload(originator) = &edge.originator
            && self.is_subject(originator)
        {
            self.egress(originator, &ports, edge, evidence);
        }
        if let Party::Workload(responder) = &edge.responder
            && self.is_subject(responder)
        {
            self.ingress(responder, &ports, edge, evidence);
        }
    }

    /// Allows a range over ports picked at run time, as the user asked for.
    pub(super) fn sort_dynamic(&mut self, dynamic: &'a DynamicPorts) {
        let DynamicPorts { edge, ports, evidence } = dynamic;
        let Edge { originator, responder, protocol, .. } = edge;
        let (Some(&first), Some(&last)) = (ports.first(), ports.last()) else { return };
        let subject = format!("{originator} -> {responder}");
        if !self.options.allows_port_ranges {
            let seen: Vec<String> = ports.iter().take(5).map(ToString::to_string).collect();
            let (are, rest) = (if ports.len() == 1 { "port" } else { "ports" }, if ports.len() > 5 { ", ..." } else { "" });
            let often = if evidence.connections > ports.len() as u64 { "picked at run time" } else { "each called once" };
            let message = format!("{} {protocol} {are}, {often} ({}{rest})", ports.len(), seen.join(", "));
            self.findings.add(Code::DynamicPorts, subject, message);
            return;
        }
        let Some(range) = PolicyPort::range(*protocol, first, last) else { return };
        let added = usize::from(last.get() - first.get()) + 1 - ports.len();
        self.findings.add(Code::DynamicPorts, subject, format!("were given the range {range}, which adds {added} never seen"));
        let ports = BTreeSet::from([range]);
        if let Party::Workload(workload) = originator
            && self.is_subject(workload)
        {
            self.egress(workload, &ports, edge, evidence);
        }
        if let Party::Workload(workload) = responder
            && self.is_subject(workload)
        {
            self.ingress(workload, &ports, edge, evidence);
        }
    }

    /// The ports an edge needs: its own, and for name resolution the other protocol's too.
    fn ports(&self, edge: &Edge) -> BTreeSet<PolicyPort> {
        let own = PolicyPort::single(edge.protocol, edge.port);
        resolver_ports(edge, self.inventory, &self.ids).into_iter().chain([own]).collect()
    }

    fn is_resolution(&self, edge: &Edge) -> bool {
        !resolver_ports(edge, self.inventory, &self.ids).is_empty()
    }

    /// Puts an edge where a decision says a range for its address. Comes before all else that is done with outside addresses: a
    /// workload all of whose callers are in such ranges is not opened to everyone.
    fn widen(&mut self, ports: &BTreeSet<PolicyPort>, edge: &'a Edge, evidence: &'a Evidence) -> bool {
        let options = self.options;
        let found = options.widenings.iter().find_map(|decision| Some((decision, decision.widens(edge)?)));
        let Some((decision, widen)) = found else { return false };
        let Some((workload, _)) = widen.subject(edge).filter(|(workload, _)| self.is_subject(workload)) else { return false };
        let Widen { way, range, .. } = widen;
        let (short, place) = (self.short.of(workload), of_range(*range));
        let (direction, wanted) = match way {
            Way::To => (Direction::Egress, format!("allow-{short}-to-{place}")),
            Way::From => (Direction::Ingress, format!("allow-{place}-to-{short}")),
        };
        let group = format!("decided {range}");
        self.draft(workload, Class::Outside, direction, &group, wanted).allow(
            &Peer::Block(Block { cidr: *range, except: BTreeSet::new() }),
            ports,
            edge,
            evidence,
        );
        self.widened.entry(draft_key(workload, Class::Outside, direction, &group)).or_default().insert(&**decision);
        true
    }

    fn egress(&mut self, workload: &WorkloadName, ports: &BTreeSet<PolicyPort>, edge: &'a Edge, evidence: &'a Evidence) {
        let short = self.short.of(workload);
        match &edge.responder {
            Party::Workload(_) | Party::NodeLocalDns(_) if self.is_resolution(edge) => {
                let peer = match &edge.responder {
                    Party::NodeLocalDns(address) => Some(Peer::Block(blocks::single(*address))),
                    Party::Workload(responder) => self.pods(responder, &workload.namespace, edge),
                    _ => None,
                };
                if let Some(peer) = peer {
                    let known =
                        self.resolvers.entry(workload.namespace.clone()).or_default().entry(workload.clone()).or_default();
                    let (known_ports, grounds) = known.entry(peer).or_default();
                    known_ports.extend(ports);
                    grounds.insert(edge, evidence);
                }
            }
            Party::Workload(responder) => {
                if let Some(peer) = self.pods(responder, &workload.namespace, edge) {
                    let wanted = format!("allow-egress-from-{short}");
                    let draft = self.draft(workload, Class::Workload, Direction::Egress, "", wanted);
                    draft.allow(&peer, ports, edge, evidence);
                }
            }
            Party::ApiServer => {
                let endpoints = self.inventory.api_server().clone();
                let wanted = format!("allow-{short}-to-kube-apiserver");
                let draft = self.draft(workload, Class::ApiServer, Direction::Egress, "", wanted.clone());
                if endpoints.len() > 1 {
                    draft.notes.insert(format!("All {} endpoints of the API server: any of them may answer.", endpoints.len()));
                }
                for endpoint in &endpoints {
                    if self.inventory.is_node(endpoint.address) {
                        self.advise_on_node(workload, Direction::Egress, endpoint.address);
                    }
                }
                let draft = self.draft(workload, Class::ApiServer, Direction::Egress, "", wanted);
                for endpoint in endpoints {
                    if let Some(port) = NonZeroU16::new(endpoint.port) {
                        let ports = BTreeSet::from([PolicyPort::single(edge.protocol, port)]);
                        draft.allow_address(endpoint.address, &ports, edge, evidence);
                    }
                }
            }
            Party::Metadata(address) => {
                let wanted = format!("allow-{short}-to-cloud-metadata");
                let draft = self.draft(workload, Class::Metadata, Direction::Egress, "", wanted);
                draft.notes.insert(
                    "The cloud's metadata service hands out credentials: keep this policy only if they are needed.".into(),
                );
                draft.allow_address(*address, ports, edge, evidence);
            }
            Party::Node(node) => self.node(workload, Direction::Egress, node, ports, edge, evidence),
            Party::NodeLocalDns(address) | Party::Outside(address) => {
                let calls = self.outside.entry((workload.clone(), Direction::Egress)).or_default();
                calls.push(OutsideCall { address: *address, ports: shared(calls, ports), edge, evidence });
            }
        }
    }

    fn ingress(&mut self, workload: &WorkloadName, ports: &BTreeSet<PolicyPort>, edge: &'a Edge, evidence: &'a Evidence) {
        let short = self.short.of(workload);
        match &edge.originator {
            Party::Workload(originator) => {
                if let Some(peer) = self.pods(originator, &workload.namespace, edge) {
                    let wanted = format!("allow-ingress-to-{short}");
                    let draft = self.draft(workload, Class::Workload, Direction::Ingress, "", wanted);
                    draft.allow(&peer, ports, edge, evidence);
                }
            }
            Party::Node(node) => self.node(workload, Direction::Ingress, node, ports, edge, evidence),
            Party::Outside(_) if self.exposure.admits(edge) => {
                let shut_out: Vec<IpNet> = self.shut_out(workload, edge);
                let blocks = blocks::internet(self.inventory, &shut_out);
                let draft = self.draft(workload, Class::Internet, Direction::Ingress, "", format!("allow-internet-to-{short}"));
                draft.notes.insert(
                    "Wider than what was seen: the workload is exposed on purpose, so every address on the internet may call."
                        .into(),
                );
                for block in blocks {
                    draft.allow(&Peer::Block(block), ports, edge, evidence);
                }
            }
            Party::Outside(address) | Party::Metadata(address) | Party::NodeLocalDns(address) => {
                let calls = self.outside.entry((workload.clone(), Direction::Ingress)).or_default();
                calls.push(OutsideCall { address: *address, ports: shared(calls, ports), edge, evidence });
            }
            Party::ApiServer => {}
        }
    }

    /// Says of each exposed port that was called from outside whether it was opened.
    pub(super) fn finish_exposed(&mut self) {
        let (exposure, subjects) = (self.exposure, self.subjects);
        let own = exposure.ports().filter(|(workload, ..)| subjects.contains(&workload.namespace));
        for (workload, (protocol, port), callers, is_open) in own {
            let at = PolicyPort::single(protocol, port);
            let seen = in_words(callers);
            if is_open {
                let mut rejections = self.options.rejections.iter();
                let is_cut = rejections.any(|decision| decision.shuts_out(workload, protocol, port).is_some());
                let but = if is_cut { " but those rejected" } else { "" };
                let message =
                    format!("is exposed on {at}: {seen} called it, and every address on the internet{but} is allowed to");
                self.findings.add(Code::InternetExposure, workload.to_string(), message);
            } else if self.options.public != Public::Exact {
                let message = format!("is exposed on {at}: {seen} called it, and nobody else outside is allowed to");
                self.findings.add(Code::ExposedNotOpened, workload.to_string(), message);
            }
        }
    }

    /// Where a caller of the workload is.
    pub(super) fn origin(&self, workload: &WorkloadName, address: IpAddr) -> Origin {
        let own = self.ids.get(workload).map(|id| self.inventory.origin_of_caller(address, *id));
        own.unwrap_or_else(|| self.inventory.origin(address))
    }

    /// Says of a caller that is a probe or the platform, not somebody outside, what it is.
    pub(super) fn tell_platform(&mut self, workload: &WorkloadName, address: IpAddr, edge: &Edge) {
        let (code, message) = match self.origin(workload, address) {
            Origin::AmbientProbe => {
                (Code::AmbientProbe, "the kubelet's probe through Istio ambient; no other address is allowed for it")
            }
            Origin::Platform => {
                (Code::PlatformCaller, "an address of the node or the platform; no other address is allowed for it")
            }
            Origin::Balancer => (
                Code::PlatformCaller,
                "a load balancer of Google Cloud; it may use any address of 35.191.0.0/16 and 130.211.0.0/22, which a widen decision \
                 can allow",
            ),
            Origin::Internet | Origin::Network => return,
        };
        let message = format!("was called by {address} on {} {}: {message}", edge.protocol, edge.port);
        self.findings.add_once(code, workload.to_string(), message);
    }

    /// A node at one of its addresses, also at one inside the pod ranges: no pod ever had it.
    fn node(
        &mut self,
        workload: &WorkloadName,
        direction: Direction,
        node: &NodeAddress,
        ports: &BTreeSet<PolicyPort>,
        edge: &'a Edge,
        evidence: &'a Evidence,
    ) {
        let NodeAddress { name, address } = node;
        let interface =
            self.inventory.node_interface(*address).map_or_else(String::new, |interface| format!(", its {interface}"));
        let place = format!("{name} ({address}{interface}) on {} {}", edge.protocol, edge.port);
        let (code, message) = match direction {
            Direction::Egress if self.runs_on(workload, name) => (Code::OwnNodeCalled, format!("called its own node {place}")),
            Direction::Egress => (Code::RemoteNodeTraffic, format!("called node {place}")),
            Direction::Ingress => {
                let hosted = self.hosted(name).map_or_else(String::new, |hosted| format!("; on its network runs {hosted}"));
                (Code::RemoteNodeTraffic, format!("was called by node {place}{hosted}"))
            }
        };
        self.findings.add(code, workload.to_string(), message);
        self.advise_on_node(workload, direction, *address);
        let short = self.short.of(workload);
        let wanted = match direction {
            Direction::Ingress => format!("allow-node-to-{short}"),
            Direction::Egress => format!("allow-{short}-to-node"),
        };
        let draft = self.draft(workload, Class::Node, direction, "", wanted);
        // Each address by itself: two that happen to make a range are two nodes, or two interfaces.
        draft.allow(&Peer::Block(blocks::single(*address)), ports, edge, evidence);
    }

    /// Who may have called from a node's address, in words.
    fn hosted(&self, node: &str) -> Option<String> {
        let mut nodes = self.inventory.nodes().iter().zip(0..);
        nodes.find(|(known, _)| known.name == node).and_then(|(_, id)| self.inventory.hosted(NodeId(id)))
    }

    /// Whether a pod of the workload is or was on the node.
    fn runs_on(&self, workload: &WorkloadName, node: &str) -> bool {
        let pods = self.ids.get(workload).map(|&id| &self.inventory.workload(id).pods);
        let mut nodes = pods.into_iter().flatten().filter_map(|&pod| self.inventory.pod(pod).node);
        nodes.any(|id| self.inventory.node(id).name == node)
    }

    /// Says what else is needed where a node's address alone does not do.
    fn advise_on_node(&mut self, workload: &WorkloadName, direction: Direction, address: IpAddr) {
        let did = if direction == Direction::Egress { "its calls to" } else { "calls from" };
        if self.inventory.plugins().contains(&NetworkPlugin::Cilium) {
            let message = format!("Cilium matches no node by ipBlock, so it denies {did} {address}");
            self.findings.add(Code::NodeRuleIgnored, workload.to_string(), message);
        }
        if direction == Direction::Ingress && self.inventory.is_openshift() {
            let message = format!("was called from {address}: a node's own processes, or a router on its network");
            self.findings.add(Code::PolicyGroupLabel, workload.to_string(), message);
        }
    }

    /// Whether the API server has this address: in a managed cluster it is no node's, and it calls webhooks.
    pub(super) fn is_api_server(&self, address: IpAddr) -> bool {
        self.inventory.api_server().iter().any(|endpoint| endpoint.address == address)
    }

    /// The callers outside that a reviewer rejected. None of them is seen here: their edges are no part of the observation.
    fn shut_out(&self, workload: &WorkloadName, edge: &Edge) -> Vec<IpNet> {
        let rejections = self.options.rejections.iter();
        rejections.filter_map(|decision| decision.shuts_out(workload, edge.protocol, edge.port)).collect()
    }

    fn is_subject(&self, workload: &WorkloadName) -> bool {
        self.subjects.contains(&workload.namespace)
    }

    /// The peer that means a workload's pods, seen from a namespace.
    fn pods(&mut self, workload: &WorkloadName, from: &str, edge: &Edge) -> Option<Peer> {
        let namespace = (workload.namespace != from).then(|| workload.namespace.clone());
        if let Some(name) = namespace.as_ref().filter(|name| !self.inventory.is_namespace_selectable(name)) {
            let message = format!("cannot be allowed in {from}: the namespace {name} has no label by which a rule selects it");
            self.findings.add(Code::NamespaceLabelMissing, edge.to_string(), message);
            self.inexpressible.insert(edge.clone());
            return None;
        }
        let pods = self.selections.get(workload).and_then(Selection::selector).cloned();
        if let Some(selector) = &pods {
            self.tell_weakness(workload, selector);
        }
        if pods.is_none() {
            self.findings.add(Code::NotExpressible, edge.to_string(), format!("no selector means {workload} alone"));
            self.inexpressible.insert(edge.clone());
        }
        pods.map(|pods| Peer::Pods { namespace, pods })
    }

    pub(super) fn draft(
        &mut self,
        workload: &WorkloadName,
        class: Class,
        direction: Direction,
        group: &str,
        name: String,
    ) -> &mut Draft<'a> {
        let key = draft_key(workload, class, direction, group);
        self.drafts.entry(key).or_insert_with(|| Draft::named(name))
    }

    /// What a policy selects, and a finding where that is more than its subject.
    pub(super) fn selects(&mut self, subject: Option<&WorkloadName>) -> Option<PodSelector> {
        let Some(workload) = subject else {
            return Some(PodSelector::EveryPod);
        };
        if let Some(selector) = self.selections.get(workload).and_then(Selection::selector) {
            self.tell_weakness(workload, selector);
        }
        match self.selections.get(workload) {
            Some(Selection::Exact(selector)) => {
                if !selector.is_positive() {
                    let message = "has no label of its own: it is selected by what others have, so pods to come may be meant too";
                    self.findings.add_once(Code::BroadSelector, workload.to_string(), message);
                }
                Some(selector.clone())
            }
            Some(selection @ Selection::Broad(selector, _)) => {
                let mut others = selection.others(workload);
                let named: Vec<String> = others.by_ref().take(NAMED).map(ToString::to_string).collect();
                let further = match others.count() {
                    0 => String::new(),
                    count => format!(" and {count} more"),
                };
                let message = format!("has the same labels as {}{further}: its policies select them too", named.join(", "));
                self.findings.add_once(Code::BroadSelector, workload.to_string(), message);
                Some(selector.clone())
            }
            Some(Selection::TooCostly) => {
                let message = "has labels that too many workloads of its namespace have too: no selector was sought";
                self.findings.add_once(Code::WorkloadNotSelectable, workload.to_string(), message);
                None
            }
            Some(Selection::Impossible) | None => {
                self.findings.add_once(Code::WorkloadNotSelectable, workload.to_string(), "has no label by which to select it");
                None
            }
        }
    }

    /// Says once of each workload what will end its selector, or keeps a network plug-in from seeing it.
    fn tell_weakness(&mut self, workload: &WorkloadName, selector: &PodSelector) {
        let Some(&id) = self.ids.get(workload) else { return };
        if !self.judged.insert(id) {
            return;
        }
        if let Some(message) = may_not_last(selector, &self.inventory.stable_labels(id)) {
            self.findings.add_once(Code::SelectorMayNotLast, workload.to_string(), message);
        }
        if self.inventory.plugins().contains(&NetworkPlugin::Cilium)
            && let Some(key) = ignored_by_cilium(selector)
        {
            let message = format!("is selected by {key}, which Cilium leaves out of what it knows of pods");
            self.findings.add_once(Code::LabelIgnoredByPlugin, workload.to_string(), message);
        }
    }
}
