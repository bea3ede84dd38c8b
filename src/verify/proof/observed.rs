//! Who takes part, and who was seen with whom on which ports.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::inventory::PodId;
use crate::model::{Edge, Labels, Party, WorkloadName};
use crate::verify::cluster_view::ClusterView;
use crate::verify::evaluator::Evaluator;
use crate::verify::groups::GroupId;
use crate::verify::ports::PortSet;
use crate::verify::ranges::AddressPorts;
use crate::verify::verdict::Direction;

/// The position of a workload in [`Actors`].
pub(in crate::verify) type ActorId = usize;

/// A workload with its pods.
#[derive(Debug)]
pub(in crate::verify) struct Actor<'w> {
    pub(in crate::verify) name: &'w WorkloadName,
    /// Its pods on the pod network, by group.
    pub(in crate::verify) groups: BTreeMap<GroupId, Vec<PodId>>,
    /// Its pods on the host network.
    pub(in crate::verify) on_host_network: Vec<PodId>,
    /// The workloads with which it positions_of the labels of some pod, itself among them.
    pub(in crate::verify) twins: TwinsId,
}

/// The position of a set of workloads in [`Actors`]. Workloads of the same labels share theirs.
pub(in crate::verify) type TwinsId = usize;

/// All workloads.
#[derive(Debug)]
pub(in crate::verify) struct Actors<'w> {
    all: Vec<Actor<'w>>,
    twins: Vec<BTreeSet<ActorId>>,
    by_name: BTreeMap<&'w WorkloadName, ActorId>,
    /// The workloads that have pods in a group.
    of_group: BTreeMap<GroupId, BTreeSet<ActorId>>,
    subject_namespaces: BTreeSet<String>,
}

impl<'w> Actors<'w> {
    pub(in crate::verify) fn new(evaluator: &Evaluator<'w>, subjects: Option<&BTreeSet<String>>) -> Self {
        let world = evaluator.world;
        let names: BTreeSet<&WorkloadName> = world.pods.iter().map(|pod| &pod.workload).collect();
        let by_name: BTreeMap<&WorkloadName, ActorId> = names.iter().copied().zip(0..).collect();
        let none = |(id, name): (ActorId, _)| Actor { name, groups: BTreeMap::new(), on_host_network: Vec::new(), twins: id };
        let mut all: Vec<Actor<'_>> = (0..).zip(names).map(none).collect();
        let mut of_group: BTreeMap<GroupId, BTreeSet<ActorId>> = BTreeMap::new();
        let mut same_labels: BTreeMap<(&str, &Labels), BTreeSet<ActorId>> = BTreeMap::new();
        for (id, pod) in world.pods() {
            let actor = by_name[&pod.workload];
            if let Some(group) = evaluator.groups.of_pod(id) {
                all[actor].groups.entry(group).or_default().push(id);
                of_group.entry(group).or_default().insert(actor);
                same_labels.entry((&pod.name.namespace, &pod.labels)).or_default().insert(actor);
            } else {
                all[actor].on_host_network.push(id);
            }
        }
        let mut twins: Vec<BTreeSet<ActorId>> = (0..all.len()).map(|id| BTreeSet::from([id])).collect();
        let shared: Vec<&BTreeSet<ActorId>> = same_labels.values().filter(|actors| actors.len() > 1).collect();
        let mut positions_of: BTreeMap<ActorId, Vec<usize>> = BTreeMap::new();
        for (position, actors) in shared.iter().enumerate() {
            actors.iter().for_each(|&actor| positions_of.entry(actor).or_default().push(position));
        }
        let mut alike: BTreeMap<Vec<usize>, TwinsId> = BTreeMap::new();
        for (actor, positions) in positions_of {
            all[actor].twins = *alike.entry(positions).or_insert_with_key(|positions| {
                twins.push(positions.iter().flat_map(|&position| shared[position]).copied().collect());
                twins.len() - 1
            });
        }
        let subject_namespaces = match subjects {
            Some(subjects) => subjects.clone(),
            None => evaluator.policy_namespaces().into_iter().map(str::to_owned).collect(),
        };
        Self { all, twins, by_name, of_group, subject_namespaces }
    }

    pub(in crate::verify) fn workloads(&self) -> &[Actor<'w>] {
        &self.all
    }

    /// The workloads with which one positions_of the labels of some pod, itself among them.
    pub(in crate::verify) fn twins(&self, actor: ActorId) -> &BTreeSet<ActorId> {
        &self.twins[self.all[actor].twins]
    }

    pub(in crate::verify) fn is_subject_namespace(&self, namespace: &str) -> bool {
        self.subject_namespaces.contains(namespace)
    }

    /// The workloads of subject namespaces that policies can select.
    pub(in crate::verify) fn subjects(&self) -> impl Iterator<Item = (ActorId, &Actor<'w>)> {
        let is_subject = |actor: &&Actor<'_>| !actor.groups.is_empty() && self.is_subject_namespace(&actor.name.namespace);
        (0..).zip(&self.all).filter(move |(_, actor)| is_subject(actor))
    }

    pub(in crate::verify) fn named(&self, name: &WorkloadName) -> Option<&Actor<'w>> {
        self.id(name).map(|id| &self.all[id])
    }

    pub(in crate::verify) fn id(&self, name: &WorkloadName) -> Option<ActorId> {
        self.by_name.get(name).copied()
    }

    pub(in crate::verify) fn of_group(&self, group: GroupId) -> impl Iterator<Item = ActorId> {
        self.of_group.get(&group).into_iter().flatten().copied()
    }
}

/// The other side of an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::verify) enum Peer {
    Workload(ActorId),
    Address(IpAddr),
}

/// Who was seen with a workload, in one direction, on which of the responder's ports.
pub(in crate::verify) type Seen = BTreeMap<Peer, PortSet>;

/// All edges, by workload and direction.
#[derive(Debug, Default)]
pub(in crate::verify) struct Observed {
    seen: BTreeMap<(ActorId, Direction), Seen>,
    addresses: BTreeSet<IpAddr>,
}

/// The addresses by which a party that is no workload is known.
pub(in crate::verify) fn addresses(party: &Party, world: &ClusterView) -> BTreeSet<IpAddr> {
    match party {
        Party::Workload(_) => BTreeSet::new(),
        Party::ApiServer => world.api_server.iter().map(|backend| backend.address).collect(),
        Party::Node(node) => BTreeSet::from([node.address]),
        Party::Metadata(address) | Party::NodeLocalDns(address) | Party::Outside(address) => BTreeSet::from([*address]),
    }
}

impl Observed {
    pub(in crate::verify) fn add(&mut self, edge: &Edge, actors: &Actors<'_>, world: &ClusterView) {
        let sides =
            [(Direction::Egress, &edge.originator, &edge.responder), (Direction::Ingress, &edge.responder, &edge.originator)];
        for (direction, subject, peer) in sides {
            self.addresses.extend(addresses(peer, world));
            let Party::Workload(subject) = subject else { continue };
            let Some(subject) = actors.id(subject) else { continue };
            let seen = self.seen.entry((subject, direction)).or_default();
            let mut add = |peer: Peer, port: u16| seen.entry(peer).or_default().insert(edge.protocol, port, port);
            match peer {
                // The edge does not say which endpoint; all of them are one server, each at its own port.
                Party::ApiServer if direction == Direction::Egress => {
                    for backend in &world.api_server {
                        add(Peer::Address(backend.address), backend.port);
                    }
                }
                _ => peers(peer, actors, world).into_iter().for_each(|peer| add(peer, edge.port.get())),
            }
        }
    }

    /// The addresses that edges name.
    pub(in crate::verify) const fn addresses(&self) -> &BTreeSet<IpAddr> {
        &self.addresses
    }

    /// The addresses that workloads were seen with, each with its ports.
    pub(in crate::verify) fn by_address(
        &self,
        subjects: impl IntoIterator<Item = ActorId>,
        direction: Direction,
    ) -> AddressPorts {
        let seen = subjects.into_iter().filter_map(|subject| self.with(subject, direction)).flatten();
        let addresses = seen.filter_map(|(peer, ports)| match peer {
            Peer::Address(address) => Some((*address, *address, ports.clone())),
            Peer::Workload(_) => None,
        });
        AddressPorts::of(&addresses.collect::<Vec<_>>())
    }

    pub(in crate::verify) fn with(&self, subject: ActorId, direction: Direction) -> Option<&Seen> {
        self.seen.get(&(subject, direction))
    }

    /// The ports that the subject was seen with on this peer.
    pub(in crate::verify) fn ports(&self, subject: ActorId, direction: Direction, peer: Peer) -> Option<&PortSet> {
        self.with(subject, direction)?.get(&peer)
    }

    /// The ports that workloads with the same labels as the subject were seen with, on those with the same labels as the peer.
    pub(in crate::verify) fn ports_alike(
        &self,
        actors: &Actors<'_>,
        subject: ActorId,
        direction: Direction,
        peer: ActorId,
    ) -> PortSet {
        let mut ports = PortSet::none();
        let (twins, peers) = (actors.twins(subject), actors.twins(peer));
        for (peer, seen) in twins.iter().filter_map(|&twin| self.with(twin, direction)).flatten() {
            if matches!(peer, Peer::Workload(peer) if peers.contains(peer)) {
                ports.add(seen);
            }
        }
        ports
    }
}

/// The peers that a party stands for: a workload on the pod network, or addresses; so are workloads that are nowhere else than on
/// the host network.
fn peers(party: &Party, actors: &Actors<'_>, world: &ClusterView) -> BTreeSet<Peer> {
    let Party::Workload(name) = party else {
        return addresses(party, world).into_iter().map(Peer::Address).collect();
    };
    let Some(id) = actors.id(name) else { return BTreeSet::new() };
    let actor = &actors.all[id];
    if actor.groups.is_empty() {
        return actor.on_host_network.iter().flat_map(|&pod| &world.pod(pod).addresses).copied().map(Peer::Address).collect();
    }
    BTreeSet::from([Peer::Workload(id)])
}
