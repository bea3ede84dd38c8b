//! What policies allow, asked pod by pod and peer by peer, straight from the text of the API. Slow, and written apart from the crate.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use netpol_gen::model::{Edge, Party, WorkloadName};
use netpol_gen::verify::ClusterView;
use serde_json::Value;

type Labels = BTreeMap<String, String>;
/// Protocol, first and last port.
type Interval = (u8, u32, u32);

/// Nobody's name, so a namespace that is not there yet.
const NOWHERE: &str = "?";
/// The name of a namespace, and value of labels, that mutations ask for.
const ANOTHER: &str = "another";
const NAME: &str = "kubernetes.io/metadata.name";

/// Someone whom a rule may mean.
#[derive(Clone, Debug)]
enum Peer {
    Pod { name: String, namespace: String, labels: Labels, addresses: BTreeSet<IpAddr>, ports: Vec<(String, u8, u32)> },
    Address(IpAddr),
}

/// A side of the observed connections that must stay allowed: pod, whether it is egress, peer, protocol and port.
type Needed = (usize, bool, usize, u8, u32);

/// A pod, whether it is about its egress, and a peer.
type Key = (usize, bool, usize);
/// What a policy allows each pod that it isolates in a direction with each peer.
type Allowed = BTreeMap<Key, Vec<Interval>>;

const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];

fn number(protocol: &str) -> u8 {
    u8::try_from(PROTOCOLS.iter().position(|known| *known == protocol).unwrap()).unwrap()
}

pub struct Naive {
    policies: Vec<Value>,
    namespaces: BTreeMap<String, Labels>,
    peers: Vec<Peer>,
    /// Positions of the pods on the pod network, in `peers`.
    pods: Vec<usize>,
    needed: Vec<Needed>,
    /// Positions of pods that only a selector with another value, or without its namespaces, means.
    changed: BTreeSet<usize>,
    /// By policy, what it allows.
    allowed: Vec<Allowed>,
}

/// What a mutation does.
pub struct Change {
    /// Some side allows more.
    pub widens: bool,
    /// Some side that was used is no longer allowed.
    pub denies: bool,
    /// One example of each.
    pub because: String,
}

impl Naive {
    pub fn new<'e>(world: &ClusterView, policies: &[Value], edges: impl Iterator<Item = &'e Edge>) -> Self {
        let mut namespaces: BTreeMap<String, Labels> =
            world.namespaces.iter().map(|(name, labels)| (name.clone(), labels.clone().into_iter().collect())).collect();
        for name in [NOWHERE, ANOTHER] {
            namespaces.insert(name.to_owned(), Labels::from([(NAME.to_owned(), name.to_owned())]));
        }
        let mut naive = Self {
            policies: policies.to_vec(),
            namespaces,
            peers: Vec::new(),
            pods: Vec::new(),
            needed: Vec::new(),
            changed: BTreeSet::new(),
            allowed: Vec::new(),
        };
        let mut by_workload: BTreeMap<WorkloadName, Vec<usize>> = BTreeMap::new();
        let mut nodes: BTreeMap<usize, BTreeSet<IpAddr>> = BTreeMap::new();
        for pod in world.pods.iter().filter(|pod| !pod.is_on_host_network) {
            let ports = pod.named_ports.iter().map(|port| (port.name.clone(), number(port.protocol.name()), port.port.into()));
            naive.pods.push(naive.peers.len());
            by_workload.entry(pod.workload.clone()).or_default().push(naive.peers.len());
            if let Some(node) = pod.node {
                nodes.insert(naive.peers.len(), world.nodes[usize::try_from(node.0).unwrap()].addresses.clone());
            }
            naive.peers.push(Peer::Pod {
                name: pod.name.to_string(),
                namespace: pod.name.namespace.clone(),
                labels: (*pod.labels).clone().into_iter().collect(),
                addresses: pod.addresses.clone(),
                ports: ports.collect(),
            });
        }
        naive.add_strangers();
        naive.add_pods_to_come(world);
        let edges: Vec<&Edge> = edges.collect();
        naive.add_addresses(world, &edges);
        for edge in edges {
            naive.need(edge, world, &by_workload, &nodes);
        }
        naive.allowed = policies.iter().map(|policy| naive.by(policy)).collect();
        naive
    }

    /// Pods with the labels that selectors ask for, in a namespace that is not there yet.
    fn add_strangers(&mut self) {
        let mut wanted = BTreeSet::from([Labels::new()]);
        for policy in &self.policies {
            for peer in rules(policy, false).chain(rules(policy, true)).flat_map(peers) {
                wanted.insert(labels(&peer["podSelector"]["matchLabels"]));
            }
        }
        for pod in self.pods.clone() {
            if let Peer::Pod { labels, .. } = &self.peers[pod] {
                wanted.insert(labels.clone());
            }
        }
        for namespace in [NOWHERE, ANOTHER] {
            for labels in &wanted {
                self.peers.push(stranger(namespace, labels.clone()));
            }
        }
    }

    /// Pods that come later to the namespaces at hand: one without labels, and those that a selector means after a mutation of one of its
    /// values.
    fn add_pods_to_come(&mut self, world: &ClusterView) {
        let mut wanted: BTreeSet<(String, Labels)> = world.namespaces.keys().map(|name| (name.clone(), Labels::new())).collect();
        // A pod on the network of its node is none that a selector means; one with its labels may come.
        let on_hosts = world.pods.iter().filter(|pod| pod.is_on_host_network);
        wanted.extend(on_hosts.map(|pod| (pod.name.namespace.clone(), (*pod.labels).clone().into_iter().collect())));
        let (mut only_changed, mut at_home) = (BTreeSet::new(), BTreeSet::new());
        let mut changed = |namespace: &str, selector: &Value| {
            let own = labels(&selector["matchLabels"]);
            let expressions = list(&selector["matchExpressions"]).iter();
            let present = expressions.filter(|expression| expression["operator"] == "Exists");
            let present = present.map(|expression| (expression["key"].as_str().unwrap().to_owned(), ANOTHER.to_owned()));
            for key in own.keys() {
                let mut labels: Labels = own.clone().into_iter().chain(present.clone()).collect();
                labels.insert(key.clone(), ANOTHER.to_owned());
                only_changed.insert((namespace.to_owned(), labels));
            }
        };
        for policy in &self.policies {
            let home = policy["metadata"]["namespace"].as_str().unwrap();
            changed(home, &policy["spec"]["podSelector"]);
            for peer in rules(policy, false).chain(rules(policy, true)).flat_map(peers) {
                let namespace = peer["namespaceSelector"]["matchLabels"][NAME].as_str();
                changed(namespace.unwrap_or(home), &peer["podSelector"]);
                if namespace.is_some() {
                    at_home.insert((home.to_owned(), labels(&peer["podSelector"]["matchLabels"])));
                }
            }
        }
        only_changed.append(&mut at_home);
        only_changed.retain(|own| !wanted.contains(own));
        self.changed = (self.peers.len() + wanted.len()..).take(only_changed.len()).collect();
        for (namespace, labels) in wanted.into_iter().chain(only_changed) {
            self.pods.push(self.peers.len());
            self.peers.push(stranger(&namespace, labels));
        }
    }

    /// Every address where something may begin or end.
    fn add_addresses(&mut self, world: &ClusterView, edges: &[&Edge]) {
        let mut addresses: BTreeSet<IpAddr> = BTreeSet::new();
        let mut around = |range: IpNet| {
            let (first, last) = (range.network(), range.broadcast());
            addresses.extend([first, last]);
            addresses.extend(step(first, false).into_iter().chain(step(last, true)));
            // A range of half the length or double the length has its ends elsewhere.
            let wider = range.supernet();
            addresses.extend(wider.iter().flat_map(|wider| [wider.network(), wider.broadcast()]));
            if range.prefix_len() < range.max_prefix_len() {
                let halves = range.subnets(range.prefix_len() + 1).unwrap();
                addresses.extend(halves.flat_map(|half| [half.network(), half.broadcast()]));
            }
        };
        for policy in &self.policies {
            for peer in rules(policy, false).chain(rules(policy, true)).flat_map(peers) {
                let block = &peer["ipBlock"];
                for text in block["cidr"].as_str().into_iter().chain(list(&block["except"]).iter().filter_map(Value::as_str)) {
                    around(text.parse().unwrap());
                }
            }
        }
        for edge in edges {
            for party in [&edge.originator, &edge.responder] {
                for address in own_addresses(party, world) {
                    around(IpNet::from(address));
                }
            }
        }
        for text in ["0.0.0.0", "8.8.8.8", "255.255.255.255", "::", "2001:db8:ffff::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]
        {
            addresses.insert(text.parse().unwrap());
        }
        addresses.extend(world.nodes.iter().flat_map(|node| node.addresses.iter().copied()));
        self.peers.extend(addresses.into_iter().map(Peer::Address));
    }

    fn need(
        &mut self,
        edge: &Edge,
        world: &ClusterView,
        by_workload: &BTreeMap<WorkloadName, Vec<usize>>,
        nodes: &BTreeMap<usize, BTreeSet<IpAddr>>,
    ) {
        let sides = [(true, &edge.originator, &edge.responder), (false, &edge.responder, &edge.originator)];
        for (is_egress, subject, peer) in sides {
            let Party::Workload(subject) = subject else { continue };
            for &pod in by_workload.get(&**subject).into_iter().flatten() {
                let mut need = |peer: usize, port: u32| {
                    let is_exempt = match &self.peers[peer] {
                        Peer::Pod { .. } => peer == pod,
                        // What comes from the pod's own node is let in whatever policies say; what goes there may be filtered.
                        Peer::Address(address) => !is_egress && nodes.get(&pod).is_some_and(|own| own.contains(address)),
                    };
                    if !is_exempt {
                        self.needed.push((pod, is_egress, peer, number(edge.protocol.name()), port));
                    }
                };
                match peer {
                    Party::Workload(peer) if by_workload.contains_key(&**peer) => {
                        for &other in &by_workload[&**peer] {
                            need(other, edge.port.get().into());
                        }
                    }
                    Party::ApiServer if is_egress => {
                        for backend in &world.api_server {
                            need(position(&self.peers, backend.address), backend.port.into());
                        }
                    }
                    _ => {
                        for address in own_addresses(peer, world) {
                            need(position(&self.peers, address), edge.port.get().into());
                        }
                    }
                }
            }
        }
    }

    /// What one policy allows.
    fn by(&self, policy: &Value) -> Allowed {
        let mut table = Allowed::new();
        let spec = &policy["spec"];
        let home = policy["metadata"]["namespace"].as_str().unwrap();
        let types: Vec<&str> = list(&spec["policyTypes"]).iter().filter_map(Value::as_str).collect();
        for is_egress in [false, true] {
            let is_isolating = if types.is_empty() {
                // Left out, it is what there are rules for; ingress always.
                !is_egress || !list(&spec["egress"]).is_empty()
            } else {
                types.contains(&if is_egress { "Egress" } else { "Ingress" })
            };
            let is_meant = |pod: &&usize| match &self.peers[**pod] {
                Peer::Pod { namespace, labels, .. } => namespace == home && selects(&spec["podSelector"], labels),
                Peer::Address(_) => false,
            };
            for &pod in self.pods.iter().filter(is_meant).filter(|_| is_isolating) {
                for (position, peer) in self.peers.iter().enumerate() {
                    let responder = if is_egress { peer } else { &self.peers[pod] };
                    let meaning = rules(policy, is_egress).filter(|rule| {
                        let mut items = peers(rule).peekable();
                        items.peek().is_none() || items.any(|item| self.means(item, home, peer))
                    });
                    table.insert((pod, is_egress, position), meaning.flat_map(|rule| ports(rule, responder)).collect());
                }
            }
        }
        table
    }

    /// Whether one item of `from` or `to` means someone. What a block does to pods is up to the network plug-in; here it does.
    fn means(&self, item: &Value, home: &str, other: &Peer) -> bool {
        if let Some(block) = item.get("ipBlock") {
            let holds = |text: &Value, address: &IpAddr| text.as_str().unwrap().parse::<IpNet>().unwrap().contains(address);
            let is_in = |address: &IpAddr| {
                holds(&block["cidr"], address) && !list(&block["except"]).iter().any(|hole| holds(hole, address))
            };
            return match other {
                Peer::Pod { addresses, .. } => addresses.iter().any(is_in),
                Peer::Address(address) => is_in(address),
            };
        }
        let Peer::Pod { namespace, labels, .. } = other else { return false };
        let is_home = match item.get("namespaceSelector") {
            None => namespace == home,
            Some(selector) => self.namespaces.get(namespace).is_some_and(|labels| selects(selector, labels)),
        };
        is_home && item.get("podSelector").is_none_or(|selector| selects(selector, labels))
    }

    /// What becomes of everything if one policy is another, or gone.
    pub fn change(&self, kind: &str, policy: usize, changed: Option<&Value>) -> Change {
        let new = changed.map(|changed| self.by(changed)).unwrap_or_default();
        let old = &self.allowed[policy];
        let is_of_values = matches!(kind, "selector changed" | "namespaceSelector dropped");
        let mut change = Change { widens: false, denies: false, because: String::new() };
        // A namespace whose last policy is gone is still part of the promise; one that never had any is not.
        let judged: BTreeSet<&str> =
            self.policies.iter().map(|policy| policy["metadata"]["namespace"].as_str().unwrap()).collect();
        let is_judged =
            |pod: usize| matches!(&self.peers[pod], Peer::Pod { namespace, .. } if judged.contains(namespace.as_str()));
        let all = |key: &Key, own: &Allowed| {
            let others = self.allowed.iter().enumerate().filter(|(other, _)| *other != policy).map(|(_, other)| other);
            let isolating: Vec<Vec<Interval>> = others.chain([own]).filter_map(|part| part.get(key).cloned()).collect();
            // Where none isolates, all is allowed.
            (!isolating.is_empty()).then(|| isolating.concat())
        };
        let keys: BTreeSet<&Key> = old.keys().chain(new.keys()).collect();
        let is_meant = |key: &&&Key| is_of_values || !self.changed.contains(&key.0) && !self.changed.contains(&key.2);
        for key in keys.iter().filter(is_meant).copied().filter(|key| is_judged(key.0) && old.get(*key) != new.get(*key)) {
            if let Some(point) = first_beyond(all(key, &new), all(key, old)) {
                change.widens = true;
                let (pod, is_egress, peer) = *key;
                change.because = format!("{} egress {is_egress} with {} on {point:?}", self.name(pod), self.name(peer));
            }
        }
        for &(pod, is_egress, peer, protocol, port) in self.needed.iter().filter(|(pod, ..)| is_judged(*pod)) {
            if all(&(pod, is_egress, peer), &new).is_some_and(|after| !holds(&after, protocol, port)) {
                change.denies = true;
                let protocol = PROTOCOLS[usize::from(protocol)];
                let (pod, peer) = (self.name(pod), self.name(peer));
                let _ = write!(change.because, "; {pod} egress {is_egress} needs {peer} on {protocol} {port}");
            }
        }
        change
    }

    fn name(&self, peer: usize) -> String {
        match &self.peers[peer] {
            Peer::Pod { name, .. } => name.clone(),
            Peer::Address(address) => address.to_string(),
        }
    }
}

/// A pod that is not there.
fn stranger(namespace: &str, labels: Labels) -> Peer {
    let name = format!("{namespace}/{labels:?}");
    Peer::Pod { name, namespace: namespace.to_owned(), labels, addresses: BTreeSet::new(), ports: Vec::new() }
}

fn holds(allowed: &[Interval], protocol: u8, port: u32) -> bool {
    allowed.iter().any(|(own, first, last)| *own == protocol && (*first..=*last).contains(&port))
}

/// A port that the one allows and the other does not. What differs begins where an interval of the one begins, or after one of the
/// other ended.
fn first_beyond(after: Option<Vec<Interval>>, before: Option<Vec<Interval>>) -> Option<(&'static str, u32)> {
    let before = before?;
    let Some(after) = after else { return Some(("every", 0)) };
    after.iter().find_map(|&(protocol, first, last)| {
        let ends = before.iter().filter(|(own, ..)| *own == protocol).map(|(_, _, end)| end + 1);
        let mut candidates = ends.chain([first]).filter(|port| (first..=last).contains(port));
        let port = candidates.find(|port| !holds(&before, protocol, *port))?;
        Some((PROTOCOLS[usize::from(protocol)], port))
    })
}

fn ports(rule: &Value, responder: &Peer) -> Vec<Interval> {
    let all = |protocol: u8| (protocol, 0, 65535);
    let ports = list(&rule["ports"]);
    if ports.is_empty() {
        return [0, 1, 2].map(all).into();
    }
    let one = |port: &Value| -> Vec<Interval> {
        let protocol = number(port["protocol"].as_str().unwrap_or("TCP"));
        let value = |value: &Value| value.as_u64().map(|number| u32::try_from(number).unwrap());
        match (&port["port"], responder) {
            (Value::Null, _) => vec![all(protocol)],
            (Value::String(name), Peer::Pod { ports, .. }) => {
                let meant = ports.iter().filter(|(own, of, _)| own == name && *of == protocol);
                meant.map(|(_, _, port)| (protocol, *port, *port)).collect()
            }
            (Value::String(_), Peer::Address(_)) => Vec::new(),
            (first, _) => {
                let first = value(first).unwrap();
                vec![(protocol, first, value(&port["endPort"]).unwrap_or(first))]
            }
        }
    };
    ports.iter().flat_map(one).collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

pub fn rules(policy: &Value, is_egress: bool) -> impl Iterator<Item = &Value> {
    list(&policy["spec"][if is_egress { "egress" } else { "ingress" }]).iter()
}

/// Whom a rule means; none stands for everyone.
fn peers(rule: &Value) -> impl Iterator<Item = &Value> {
    list(&rule["from"]).iter().chain(list(&rule["to"]))
}

fn labels(value: &Value) -> Labels {
    let labels = value.as_object().into_iter().flatten();
    labels.map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned())).collect()
}

fn selects(selector: &Value, own: &Labels) -> bool {
    let mut wanted = selector["matchLabels"].as_object().into_iter().flatten();
    let equal = wanted.all(|(key, value)| own.get(key).map(String::as_str) == value.as_str());
    let one = |expression: &Value| {
        let value = own.get(expression["key"].as_str().unwrap());
        let is_listed = value.is_some_and(|value| list(&expression["values"]).iter().any(|listed| listed == value.as_str()));
        match expression["operator"].as_str().unwrap() {
            "In" => is_listed,
            "NotIn" => !is_listed,
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            other => panic!("operator {other}"),
        }
    };
    equal && list(&selector["matchExpressions"]).iter().all(one)
}

/// The addresses of a party that is no workload on the pod network.
fn own_addresses(party: &Party, world: &ClusterView) -> Vec<IpAddr> {
    match party {
        Party::Workload(workload) => {
            let pods = world.pods.iter().filter(|pod| pod.is_on_host_network && pod.workload == **workload);
            pods.flat_map(|pod| pod.addresses.iter().copied()).collect()
        }
        Party::ApiServer => world.api_server.iter().map(|backend| backend.address).collect(),
        Party::Node(node) => vec![node.address],
        Party::Metadata(address) | Party::NodeLocalDns(address) | Party::Outside(address) => vec![*address],
    }
}

fn position(peers: &[Peer], address: IpAddr) -> usize {
    peers.iter().position(|peer| matches!(peer, Peer::Address(own) if *own == address)).unwrap()
}

/// The next address, or the one before.
fn step(address: IpAddr, is_up: bool) -> Option<IpAddr> {
    match address {
        IpAddr::V4(address) => {
            let number = u32::from(address);
            let next = if is_up { number.checked_add(1) } else { number.checked_sub(1) };
            next.map(|number| IpAddr::V4(Ipv4Addr::from(number)))
        }
        IpAddr::V6(address) => {
            let number = u128::from(address);
            let next = if is_up { number.checked_add(1) } else { number.checked_sub(1) };
            next.map(|number| IpAddr::V6(Ipv6Addr::from(number)))
        }
    }
}
