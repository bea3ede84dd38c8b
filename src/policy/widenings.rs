//! What policies may allow beyond what was seen: name resolution over both protocols, workloads exposed on purpose, ranges of ports
//! picked at run time, ranges that a reviewer decided on, and workloads that no selector tells apart.
//!
//! In: what was observed, the inventory, the options and the decisions. Out: [`Widening`]s, each with its workloads, peers and ports.
//! No policy is looked at: the same observation and options justify the same, whatever the policies say.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU16;

use crate::edge::{DynamicPorts, Exposure, Public};
use crate::inventory::{Inventory, WorkloadId};
use crate::model::{Block, Direction, Edge, Evidence, Party, PodSelector, PolicyPort, Protocol, Widening, WorkloadName};
use crate::review::decisions::{PartyPattern, Ports, Way, What, Widen};

use super::blocks;
use super::resolution::{is_for_all, resolver_ports};
use super::selector::{Selection, select_all};
use super::set::{PolicyOptions, exposure, wanted};

const RESOLUTION: &str = "name resolution over UDP and TCP";
const EXPOSED: &str = "exposed on purpose";
const RANGE: &str = "a range over ports picked at run time";
const NOT_TOLD_APART: &str = "workloads that no selector tells apart";

/// The workloads that a selector means.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Selected<'a> {
    One(&'a WorkloadName),
    /// All that this selector of a namespace matches.
    Alike(&'a str, &'a PodSelector),
    /// Every pod of a namespace, also of those to come.
    Namespace(&'a str),
}

/// The other side of a connection.
#[derive(Clone)]
enum Peer<'a> {
    Workload(&'a WorkloadName),
    Blocks(BTreeSet<Block>),
}

/// Whose rules, of which direction, on which ports, and why.
type Key<'a> = (Direction, Selected<'a>, BTreeSet<PolicyPort>, String);

/// What is known so far.
pub(super) struct Collector<'a> {
    inventory: &'a Inventory,
    options: &'a PolicyOptions,
    workloads: &'a BTreeMap<String, BTreeSet<WorkloadName>>,
    subjects: &'a BTreeSet<String>,
    selections: &'a BTreeMap<WorkloadName, Selection>,
    exposure: &'a Exposure,
    ids: BTreeMap<&'a WorkloadName, WorkloadId>,
    found: BTreeMap<Key<'a>, (BTreeSet<Selected<'a>>, BTreeSet<Block>)>,
    /// What selectors match that match more than one workload.
    alike: BTreeMap<(&'a str, &'a PodSelector), BTreeSet<WorkloadName>>,
}

/// What policies may allow beyond these edges, by these options.
pub fn widenings(
    edges: &BTreeMap<Edge, Evidence>,
    dynamic: &[DynamicPorts],
    inventory: &Inventory,
    options: &PolicyOptions,
) -> BTreeSet<Widening> {
    let workloads = inventory.selectable();
    let subjects = wanted(&workloads, options);
    let selections = select_all(inventory);
    let exposure = exposure(edges, inventory, options);
    Collector::new(inventory, options, (&workloads, &subjects), &selections, &exposure).collect(edges, dynamic)
}

impl<'a> Collector<'a> {
    pub(super) fn new(
        inventory: &'a Inventory,
        options: &'a PolicyOptions,
        (workloads, subjects): (&'a BTreeMap<String, BTreeSet<WorkloadName>>, &'a BTreeSet<String>),
        selections: &'a BTreeMap<WorkloadName, Selection>,
        exposure: &'a Exposure,
    ) -> Self {
        let ids = inventory.workloads().iter().zip(0..).map(|(workload, id)| (&*workload.name, WorkloadId(id))).collect();
        let (found, alike) = (BTreeMap::new(), BTreeMap::new());
        Self { inventory, options, workloads, subjects, selections, exposure, ids, found, alike }
    }

    pub(super) fn collect(mut self, edges: &'a BTreeMap<Edge, Evidence>, dynamic: &'a [DynamicPorts]) -> BTreeSet<Widening> {
        for edge in edges.keys() {
            let own = BTreeSet::from([PolicyPort::single(edge.protocol, edge.port)]);
            if [&edge.originator, &edge.responder].into_iter().any(|party| self.is_broad(party)) {
                self.both_sides(edge, &own, NOT_TOLD_APART);
            }
            let ports = resolver_ports(edge, self.inventory, &self.ids);
            if !ports.is_empty() {
                self.both_sides(edge, &ports, RESOLUTION);
            }
            self.decided(edge, &own);
        }
        self.resolution(edges);
        for DynamicPorts { edge, ports, .. } in dynamic.iter().filter(|_| self.options.allows_port_ranges) {
            let ends = ports.first().zip(ports.last());
            if let Some(range) = ends.and_then(|(first, last)| PolicyPort::range(edge.protocol, *first, *last)) {
                let range = BTreeSet::from([range]);
                self.both_sides(edge, &range, RANGE);
                if let Party::Workload(workload) = &edge.responder
                    && self.is_open(workload, edge.protocol, edge.port)
                {
                    self.internet(workload, (edge.protocol, edge.port), &range, RANGE);
                }
            }
        }
        self.decided_without_traffic();
        self.exposed();
        self.conclude()
    }

    /// Whether a selector that means the party means others too, be it pods to come.
    fn is_broad(&self, party: &Party) -> bool {
        let Party::Workload(workload) = party else { return false };
        let has_others = |selection: &Selection| selection.others(workload).next().is_some();
        self.selections.get(&**workload).is_some_and(|selection| has_others(selection) || is_open(selection))
    }

    /// What is selected where a workload is meant.
    fn selected(&mut self, workload: &'a WorkloadName) -> Selected<'a> {
        match self.selections.get(workload) {
            Some(selection @ Selection::Broad(selector, _)) => {
                let others = selection.others(workload).chain([workload]).cloned();
                self.alike.entry((&workload.namespace, selector)).or_insert_with(|| others.collect());
                Selected::Alike(&workload.namespace, selector)
            }
            _ => Selected::One(workload),
        }
    }

    fn add(&mut self, direction: Direction, subject: Selected<'a>, peer: Peer<'a>, ports: &BTreeSet<PolicyPort>, reason: &str) {
        let peer = match peer {
            Peer::Workload(workload) => Ok(self.selected(workload)),
            Peer::Blocks(blocks) => Err(blocks),
        };
        let (workloads, blocks) = self.found.entry((direction, subject, ports.clone(), reason.to_owned())).or_default();
        match peer {
            Ok(selected) => drop(workloads.insert(selected)),
            Err(more) => blocks.extend(more),
        }
    }

    /// The rules of a workload, if policies are made for it.
    fn add_for(
        &mut self,
        direction: Direction,
        subject: &'a WorkloadName,
        peer: Peer<'a>,
        ports: &BTreeSet<PolicyPort>,
        reason: &str,
    ) {
        if self.subjects.contains(&subject.namespace) {
            let subject = self.selected(subject);
            self.add(direction, subject, peer, ports, reason);
        }
    }

    fn peer(&self, party: &'a Party) -> Peer<'a> {
        let single = |address| BTreeSet::from([blocks::single(address)]);
        Peer::Blocks(match party {
            Party::Workload(workload) => return Peer::Workload(workload),
            Party::ApiServer => self.inventory.api_server().iter().map(|endpoint| blocks::single(endpoint.address)).collect(),
            Party::Node(node) => single(node.address),
            Party::Metadata(address) | Party::NodeLocalDns(address) | Party::Outside(address) => single(*address),
        })
    }

    /// The egress of the originator and the ingress of the responder.
    fn both_sides(&mut self, edge: &'a Edge, ports: &BTreeSet<PolicyPort>, reason: &str) {
        if let (Party::Workload(subject), Party::ApiServer) = (&edge.originator, &edge.responder) {
            // Any endpoint may answer, each at its own port.
            for endpoint in self.inventory.api_server() {
                let peer = Peer::Blocks(BTreeSet::from([blocks::single(endpoint.address)]));
                let port = NonZeroU16::new(endpoint.port).map(|port| PolicyPort::single(edge.protocol, port));
                self.add_for(Direction::Egress, subject, peer, &port.into_iter().collect(), reason);
            }
            return;
        }
        let sides =
            [(Direction::Egress, &edge.originator, &edge.responder), (Direction::Ingress, &edge.responder, &edge.originator)];
        for (direction, subject, peer) in sides {
            if let Party::Workload(subject) = subject {
                let peer = self.peer(peer);
                self.add_for(direction, subject, peer, ports, reason);
            }
        }
    }

    /// One policy for all pods of a namespace that resolve names.
    fn resolution(&mut self, edges: &'a BTreeMap<Edge, Evidence>) {
        let mut asked: BTreeMap<&str, BTreeMap<&WorkloadName, Vec<&Edge>>> = BTreeMap::new();
        for edge in edges.keys() {
            if let Party::Workload(workload) = &edge.originator
                && self.subjects.contains(&workload.namespace)
                && !resolver_ports(edge, self.inventory, &self.ids).is_empty()
            {
                asked.entry(&workload.namespace).or_default().entry(&**workload).or_default().push(edge);
            }
        }
        for (namespace, asked) in asked {
            let all = self.workloads.get(namespace).map_or(0, BTreeSet::len);
            if is_for_all(asked.len(), all, self.options) {
                for edge in asked.into_values().flatten() {
                    let ports = resolver_ports(edge, self.inventory, &self.ids);
                    let peer = self.peer(&edge.responder);
                    self.add(Direction::Egress, Selected::Namespace(namespace), peer, &ports, RESOLUTION);
                }
            }
        }
    }

    /// A range that a reviewer decided on, on the port on which one of its addresses was seen.
    fn decided(&mut self, edge: &'a Edge, own: &BTreeSet<PolicyPort>) {
        let decisions = self.options.widenings.iter();
        let found = decisions.filter_map(|decision| Some((decision, decision.widens(edge)?)));
        for (decision, widen) in found {
            if let Some((workload, _)) = widen.subject(edge) {
                self.range(workload, widen, own, &decision.reason);
            }
        }
    }

    /// A range that a reviewer decided on for one port may be said whether or not one of its addresses was seen this time. Of several
    /// ports, those seen are meant.
    fn decided_without_traffic(&mut self) {
        for decision in &self.options.widenings {
            let What::Widen(widen) = &decision.what else { continue };
            let Ports::Some(port) = widen.edges.ports else { continue };
            if port.first() != port.last() {
                continue;
            }
            let subject = if widen.way == Way::To { &widen.edges.from } else { &widen.edges.to };
            for workload in meant(subject, self.workloads) {
                self.range(workload, widen, &BTreeSet::from([port]), &decision.reason);
            }
        }
    }

    fn range(&mut self, workload: &'a WorkloadName, widen: &Widen, ports: &BTreeSet<PolicyPort>, reason: &str) {
        // What lies in the cluster is no address outside, whatever was decided.
        if self.inventory.own_within(widen.range).is_none() {
            let direction = if widen.way == Way::To { Direction::Egress } else { Direction::Ingress };
            let blocks = BTreeSet::from([Block { cidr: widen.range, except: BTreeSet::new() }]);
            self.add_for(direction, workload, Peer::Blocks(blocks), ports, &format!("widened by decision: {reason}"));
        }
    }

    /// Everyone outside, on the ports that are open to them.
    fn exposed(&mut self) {
        let ids: Vec<(&'a WorkloadName, WorkloadId)> = self.ids.iter().map(|(workload, id)| (*workload, *id)).collect();
        for (workload, id) in ids {
            for (protocol, port) in self.inventory.exposed_ports(id) {
                let Some(port) = NonZeroU16::new(port).filter(|port| self.is_open(workload, protocol, *port)) else { continue };
                let mut ports = BTreeSet::from([PolicyPort::single(protocol, port)]);
                // A resolver answers everyone over both protocols.
                let resolves = self.inventory.resolvers().get(&id).filter(|own| own.contains(&(protocol, port.get())));
                let further = resolves.into_iter().flatten();
                ports.extend(further.filter_map(|&(protocol, port)| Some(PolicyPort::single(protocol, NonZeroU16::new(port)?))));
                self.internet(workload, (protocol, port), &ports, EXPOSED);
            }
        }
    }

    /// Whether everyone on the internet may call this port: by option, if it is exposed at all; else by who called.
    fn is_open(&self, workload: &WorkloadName, protocol: Protocol, port: NonZeroU16) -> bool {
        let is_exposed = |id: &WorkloadId| self.inventory.is_exposed(*id, protocol, port.get());
        match self.options.public {
            Public::Any => self.ids.get(workload).is_some_and(is_exposed),
            Public::Auto | Public::Exact => self.exposure.is_open(workload, protocol, port),
        }
    }

    fn internet(
        &mut self,
        workload: &'a WorkloadName,
        (protocol, port): (Protocol, NonZeroU16),
        ports: &BTreeSet<PolicyPort>,
        reason: &str,
    ) {
        let rejections = self.options.rejections.iter();
        let shut_out: Vec<_> = rejections.filter_map(|decision| decision.shuts_out(workload, protocol, port)).collect();
        let blocks = blocks::internet(self.inventory, &shut_out);
        self.add_for(Direction::Ingress, workload, Peer::Blocks(blocks), ports, reason);
    }

    fn conclude(self) -> BTreeSet<Widening> {
        let names = |selected: &Selected<'_>| -> BTreeSet<WorkloadName> {
            match *selected {
                Selected::One(workload) => {
                    let to_come = self.selections.get(workload).filter(|selection| is_open(selection));
                    let to_come = to_come.map(|_| WorkloadName::any_other_pod(&workload.namespace));
                    to_come.into_iter().chain([workload.clone()]).collect()
                }
                Selected::Alike(namespace, selector) => {
                    let to_come = (!selector.is_positive()).then(|| WorkloadName::any_other_pod(namespace));
                    let matched = self.alike.get(&(namespace, selector)).into_iter().flatten().cloned();
                    matched.chain(to_come).collect()
                }
                Selected::Namespace(namespace) => {
                    let own = self.workloads.get(namespace).into_iter().flatten().cloned();
                    own.chain([WorkloadName::any_other_pod(namespace)]).collect()
                }
            }
        };
        let widening = |((direction, subject, ports, reason), (workloads, blocks)): (&Key<'_>, &(BTreeSet<Selected<'_>>, _))| {
            let blocks: &BTreeSet<Block> = blocks;
            Widening {
                subjects: names(subject),
                direction: *direction,
                workloads: workloads.iter().flat_map(names).collect(),
                blocks: blocks.clone(),
                ports: ports.clone(),
                reason: reason.clone(),
            }
        };
        self.found.iter().map(widening).collect()
    }
}

/// Whether the workload's selector asks for no label at all, so that it means pods without any.
fn is_open(selection: &Selection) -> bool {
    selection.selector().is_some_and(|selector| !selector.is_positive())
}

/// The workloads that a decision means.
fn meant<'w>(
    pattern: &PartyPattern,
    workloads: &'w BTreeMap<String, BTreeSet<WorkloadName>>,
) -> impl Iterator<Item = &'w WorkloadName> {
    let own = pattern.namespace().and_then(|namespace| workloads.get(namespace));
    own.into_iter().flatten().filter(|workload| pattern.means(workload))
}
