//! Conversations between addresses of every class, and their frames.

use std::net::{IpAddr, Ipv4Addr};

use crate::cluster::{BEGIN, Cluster, SECOND};
use crate::random::Random;
use crate::support::frames::{
    ACK, DNS_ANSWER, DNS_NO_SUCH_NAME, DNS_QUERY, FIN, PSH, RST, SYN, Upper, dns, dns_address, ethernet, icmp, icmpv6, ip, sctp,
    sctp_init, tcp_at, udp,
};

/// What comes of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Answered,
    Refused,
    Unanswered,
    OneWay,
    MidStream,
    /// Accepted by the responder's kernel, and never acknowledged; or reset by a kernel that knows of nothing.
    HalfOpen,
    /// One direction of an answered one.
    OneSided,
}

/// One conversation, as it was; what the program sees of it are the frames.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// The pods at its ends, by position.
    pub pods: [Option<usize>; 2],
    pub protocol: &'static str,
    /// The responder's own port.
    pub port: u16,
    /// The port of the Service, or of a node, that was called, where a frame shows that.
    pub front: Option<u16>,
    pub outcome: Outcome,
    pub frames: Vec<(i64, Vec<u8>)>,
}

/// Whom traffic comes from or goes to.
#[derive(Clone, Copy, Debug)]
enum Class {
    Pod,
    OwnNode,
    OtherNode,
    Device,
    Service,
    NodePort,
    Public,
    Private,
    Shared,
    LinkLocal,
    Metadata,
    Multicast,
    UnknownPod,
    UnknownService,
    ApiServer,
    Loopback,
}

const CALLERS: &[Class] = &[
    Class::Pod,
    Class::Pod,
    Class::Pod,
    Class::Pod,
    Class::Pod,
    Class::Pod,
    Class::OwnNode,
    Class::OtherNode,
    Class::Device,
    Class::Public,
    Class::Public,
    Class::Private,
    Class::Shared,
    Class::LinkLocal,
    Class::Metadata,
    Class::UnknownPod,
    Class::ApiServer,
    Class::Service,
];
const CALLED: &[Class] = &[
    Class::Pod,
    Class::Pod,
    Class::Pod,
    Class::Pod,
    Class::Pod,
    Class::Service,
    Class::Service,
    Class::Service,
    Class::OwnNode,
    Class::OtherNode,
    Class::Device,
    Class::NodePort,
    Class::Public,
    Class::Public,
    Class::Private,
    Class::Shared,
    Class::LinkLocal,
    Class::Metadata,
    Class::Multicast,
    Class::UnknownPod,
    Class::UnknownService,
    Class::ApiServer,
    Class::ApiServer,
    Class::Loopback,
];
const NAMES: [&str; 4] = ["api.example.com", "cdn.example.net", "svc1.shop.svc.cluster.local", "ntp.example.org"];
const PORTS: [(&str, u16); 9] = [
    ("UDP", 0),
    ("TCP", 80),
    ("TCP", 443),
    ("TCP", 8080),
    ("UDP", 123),
    ("UDP", 7946),
    ("TCP", 15008),
    ("SCTP", 3868),
    ("TCP", 53),
];

/// Draws all traffic of a capture.
pub fn draw(cluster: &Cluster, random: &mut Random) -> Vec<Conversation> {
    let length = *random.pick(&[30, 600, 3600]);
    let mut traffic = Traffic { cluster, length, all: Vec::new(), port: 33_000 };
    for _ in 0..random.between(5, 40) {
        match random.below(20) {
            0..4 => traffic.resolution(random),
            4 => traffic.dynamic(random),
            5 if random.chance(10) => traffic.scan(random),
            6 => traffic.ping(random),
            _ => traffic.call(random),
        }
    }
    let mut all = traffic.all;
    // A capture on every interface of a node sees packets more than once.
    if random.chance(15) {
        for conversation in &mut all {
            let again: Vec<(i64, Vec<u8>)> = conversation.frames.iter().map(|(at, bytes)| (at + 5_000, bytes.clone())).collect();
            conversation.frames.extend(again);
            conversation.frames.sort_by_key(|(at, _)| *at);
        }
    }
    all
}

struct Traffic<'a> {
    cluster: &'a Cluster,
    /// Of the capture, in seconds.
    length: usize,
    all: Vec<Conversation>,
    port: u16,
}

impl Traffic<'_> {
    fn now(&self, random: &mut Random) -> i64 {
        BEGIN + i64::try_from(random.below(self.length * 1000)).unwrap() * (SECOND / 1000)
    }

    fn client_port(&mut self, random: &mut Random) -> u16 {
        self.port += 1;
        if random.chance(3) { random.u16(1024, 60_000) } else { self.port }
    }

    /// A pod that runs at this time.
    fn pod(&self, random: &mut Random, at: i64) -> Option<usize> {
        let alive: Vec<usize> = (0..)
            .zip(&self.cluster.pods)
            .filter(|(_, pod)| pod.from <= at && at < pod.until)
            .map(|(position, _)| position)
            .collect();
        (!alive.is_empty()).then(|| *random.pick(&alive))
    }

    /// An address of a class, of one family, as the pod at `other` meets it.
    fn address(&self, random: &mut Random, class: Class, other: Option<usize>, is_v6: bool) -> Option<IpAddr> {
        let cluster = self.cluster;
        let of_family = |addresses: &[IpAddr]| addresses.iter().copied().find(|address| address.is_ipv6() == is_v6);
        let own = other.map(|pod| cluster.pods[pod].node);
        let text = match class {
            Class::Pod => return of_family(&cluster.pods[other?].addresses),
            Class::OwnNode => return of_family(&cluster.nodes[own?].addresses),
            Class::OtherNode | Class::NodePort => return of_family(&random.pick(&cluster.nodes).addresses),
            Class::Device => {
                let node = random.pick(&cluster.nodes);
                return random.pick_where(&node.devices, |address| address.is_ipv6() == is_v6).copied();
            }
            Class::Service => return of_family(&random.pick_where(&cluster.services, |_| true)?.addresses),
            Class::ApiServer => return of_family(&cluster.api_server),
            Class::Public if is_v6 => format!("2001:db8::{}", random.between(1, 9)),
            Class::Public => {
                format!("{}.{}", random.pick(&["203.0.113", "198.51.100", "192.0.2", "8.8.8"]), random.between(1, 12))
            }
            Class::Private if is_v6 => format!("fd99::{}", random.between(1, 5)),
            Class::Private => format!("{}.{}", random.pick(&["10.50.0", "172.16.3", "192.168.1"]), random.between(100, 110)),
            Class::Shared if is_v6 => "2001:db8:64::1".to_owned(),
            Class::Shared => format!("100.64.0.{}", random.between(1, 6)),
            Class::LinkLocal if is_v6 => format!("fe80::{}", random.between(1, 4)),
            Class::LinkLocal => format!("169.254.{}", random.pick(&["7.127", "20.10", "42.1", "169.253", "169.5", "1.1"])),
            Class::Metadata if is_v6 => "fd00:ec2::254".to_owned(),
            Class::Metadata => format!("169.254.{}", random.pick(&["169.254", "170.2"])),
            Class::Multicast if is_v6 => "ff02::fb".to_owned(),
            Class::Multicast => (*random.pick(&["224.0.0.251", "239.1.1.1", "255.255.255.255"])).to_owned(),
            Class::UnknownPod if is_v6 => format!("fd00:10:244::{}", random.between(0x200, 0x204)),
            Class::UnknownPod => format!("10.244.0.{}", random.between(200, 204)),
            Class::UnknownService if is_v6 => "fd00:10:96::ee".to_owned(),
            Class::UnknownService => "10.96.0.250".to_owned(),
            Class::Loopback if is_v6 => "::1".to_owned(),
            Class::Loopback => "127.0.0.1".to_owned(),
        };
        Some(text.parse().unwrap())
    }

    fn is_v6(&self, random: &mut Random) -> bool {
        self.cluster.has_v6 && (!self.cluster.has_v4 || random.chance(40))
    }

    /// One call, or several of one kind.
    fn call(&mut self, random: &mut Random) {
        let is_v6 = self.is_v6(random);
        let at = self.now(random);
        let (mut from, mut to) = (*random.pick(CALLERS), *random.pick(CALLED));
        // One side is a pod.
        if !matches!(from, Class::Pod) && !matches!(to, Class::Pod | Class::Service | Class::NodePort) {
            if random.chance(50) { from = Class::Pod } else { to = Class::Pod }
        }
        let client = if matches!(from, Class::Pod) { self.pod(random, at) } else { None };
        let server = if matches!(to, Class::Pod) { self.pod(random, at) } else { None };
        let of_client = if matches!(from, Class::Pod) { client } else { server };
        let of_server = if matches!(to, Class::Pod) { server } else { client };
        let Some(source) = self.address(random, from, of_client, is_v6) else { return };
        let (protocol, port) = match server.map(|pod| &self.cluster.pods[pod].ports).filter(|ports| !ports.is_empty()) {
            Some(ports) if random.chance(75) => *random.pick(ports),
            _ if matches!(to, Class::ApiServer) && random.chance(80) => ("TCP", 6443),
            _ if matches!(to, Class::Metadata) && random.chance(80) => ("TCP", 80),
            _ => *random.pick(&PORTS),
        };
        let count = random.between(1, 4);
        if matches!(to, Class::Service | Class::NodePort) {
            for _ in 0..count {
                let at = self.now(random);
                if client.is_some_and(|pod| at < self.cluster.pods[pod].from || self.cluster.pods[pod].until <= at) {
                    continue;
                }
                self.through_service(random, (source, client), to, at);
            }
            return;
        }
        let Some(target) = self.address(random, to, of_server, is_v6) else { return };
        if source.is_ipv6() != target.is_ipv6() {
            return;
        }
        let outcome = Self::outcome(random, protocol, port);
        for number in 0..count {
            let at =
                if number == 0 { at } else { (at + i64::try_from(random.below(self.length)).unwrap() * SECOND).min(self.end()) };
            let is_alive = |pod: Option<usize>| pod.is_none_or(|pod| self.cluster.pods[pod].until > at);
            if is_alive(client) && is_alive(server) {
                let client_port = self.client_port(random);
                let frames = conversation(random, (source, client_port), (target, port), protocol, outcome, at);
                self.push([client, server], protocol, port, outcome, frames);
            }
        }
    }

    fn end(&self) -> i64 {
        BEGIN + i64::try_from(self.length).unwrap() * SECOND
    }

    fn outcome(random: &mut Random, protocol: &str, port: u16) -> Outcome {
        match random.below(20) {
            0 | 1 => Outcome::Refused,
            2 | 3 => Outcome::Unanswered,
            4 | 5 if protocol == "UDP" => Outcome::OneWay,
            4 if protocol == "TCP" && port != 53 => Outcome::MidStream,
            6 if protocol != "UDP" => Outcome::HalfOpen,
            7 if protocol != "UDP" => Outcome::OneSided,
            _ => Outcome::Answered,
        }
    }

    fn push(
        &mut self,
        pods: [Option<usize>; 2],
        protocol: &'static str,
        port: u16,
        outcome: Outcome,
        frames: Vec<(i64, Vec<u8>)>,
    ) {
        self.all.push(Conversation { pods, protocol, port, front: None, outcome, frames });
    }

    /// A call to a Service's address or node port: seen before the translation, after it, or both.
    fn through_service(&mut self, random: &mut Random, (source, client): (IpAddr, Option<usize>), class: Class, at: i64) {
        let cluster = self.cluster;
        let Some(service) = random.pick_where(&cluster.services, |service| !service.ports.is_empty()) else { return };
        let own = random.pick(&service.ports).clone();
        let alive = |(pod, _): &(usize, u16)| cluster.pods[*pod].from <= at && at < cluster.pods[*pod].until;
        let Some((pod, target)) = random.pick_where(&own.backends, alive).copied() else { return };
        let front = match (class, own.node_port) {
            (Class::NodePort, Some(node_port)) => {
                let node = random.below(cluster.nodes.len());
                cluster.nodes[node]
                    .addresses
                    .iter()
                    .find(|address| address.is_ipv6() == source.is_ipv6())
                    .map(|address| (*address, node_port))
            }
            _ => {
                service.addresses.iter().find(|address| address.is_ipv6() == source.is_ipv6()).map(|address| (*address, own.port))
            }
        };
        let Some(front) = front else { return };
        let Some(back) = cluster.pods[pod].addresses.iter().copied().find(|address| address.is_ipv6() == source.is_ipv6()) else {
            return;
        };
        let client_port = self.client_port(random);
        let outcome = Self::outcome(random, own.protocol, own.port);
        let translated = if random.chance(30) && client.is_none() {
            let node = random.pick(&cluster.nodes);
            node.addresses.iter().copied().find(|address| address.is_ipv6() == source.is_ipv6()).unwrap_or(source)
        } else {
            source
        };
        // Both views have the same sequence numbers.
        let mut numbers = random.clone();
        let before = conversation(random, (source, client_port), front, own.protocol, outcome, at);
        let after = conversation(&mut numbers, (translated, client_port), (back, target), own.protocol, outcome, at + 20_000);
        let (frames, front) = match random.below(3) {
            0 => (before, Some(front.1)),
            1 => (after, None),
            _ => {
                let mut both = before;
                both.extend(after);
                both.sort_by_key(|(at, _)| *at);
                (both, Some(front.1))
            }
        };
        let (pods, protocol) = ([client, Some(pod)], own.protocol);
        self.all.push(Conversation { pods, protocol, port: target, front, outcome, frames });
    }

    /// Name resolution over UDP, TCP or both, and what is called then.
    fn resolution(&mut self, random: &mut Random) {
        let cluster = self.cluster;
        let at = self.now(random);
        let Some(client) = self.pod(random, at) else { return };
        let is_v6 = self.is_v6(random);
        let Some(source) = self.address(random, Class::Pod, Some(client), is_v6) else { return };
        let of_family = |addresses: &[IpAddr]| addresses.iter().copied().find(|address| address.is_ipv6() == is_v6);
        let resolver = random.pick_where(&cluster.resolver_pods.clone(), |pod| cluster.pods[*pod].until > at).copied();
        let (target, port, server) = match (random.below(6), resolver) {
            (0 | 1, Some(pod)) => (of_family(&cluster.pods[pod].addresses), cluster.resolver_port, Some(pod)),
            (2 | 3, _) => (of_family(&cluster.resolver_addresses), 53, None),
            (4, _) if !is_v6 => (Some(Ipv4Addr::new(169, 254, 20, 10).into()), 53, None),
            _ => (self.address(random, Class::Public, None, is_v6), 53, None),
        };
        // An address may have passed from one pod to the next.
        let Some(target) = target.filter(|target| *target != source) else { return };
        let name = *random.pick(&NAMES);
        let outside = self.address(random, Class::Public, None, is_v6).unwrap();
        let answer_text = outside.to_string();
        let protocols: &[&str] = match random.below(4) {
            0 | 1 => &["UDP"],
            2 => &["TCP"],
            _ => &["UDP", "TCP"],
        };
        let has_answer = random.chance(90);
        for protocol in protocols {
            let client_port = self.client_port(random);
            let (kind, content) = dns_address(&answer_text);
            let question = dns(DNS_QUERY, name, &[]);
            let answer = if random.chance(85) {
                dns(DNS_ANSWER, name, &[(name, kind, 60, content)])
            } else {
                dns(DNS_NO_SUCH_NAME, name, &[])
            };
            let (asking, answering) = ((source, client_port), (target, port));
            let is_refused = cluster.resolver_addresses.contains(&target) && !cluster.resolver_protocols.contains(protocol);
            let (frames, protocol) = if is_refused {
                (tcp(random, asking, answering, Outcome::Refused, at + 10_000_000), "TCP")
            } else if *protocol == "UDP" {
                let mut frames = vec![(at, datagram(asking, answering, &question))];
                if has_answer {
                    frames.push((at + 1_000_000, datagram(answering, asking, &answer)));
                }
                (frames, "UDP")
            } else {
                (tcp(random, asking, answering, Outcome::Answered, at + 10_000_000), "TCP")
            };
            let outcome = match protocol {
                _ if is_refused => Outcome::Refused,
                "UDP" if !has_answer => Outcome::Unanswered,
                _ => Outcome::Answered,
            };
            self.push([Some(client), server], protocol, port, outcome, frames);
        }
        let later = at + 100_000_000;
        if random.chance(60) && cluster.pods[client].until > later {
            let client_port = self.client_port(random);
            let frames = tcp(random, (source, client_port), (outside, 443), Outcome::Answered, later);
            self.push([Some(client), None], "TCP", 443, Outcome::Answered, frames);
        }
    }

    /// Ports picked at run time: several high ports of one responder, each called once, by one caller or by a caller each.
    fn dynamic(&mut self, random: &mut Random) {
        let at = self.now(random);
        let Some(server) = self.pod(random, at) else { return };
        let is_v6 = self.is_v6(random);
        let Some(target) = self.address(random, Class::Pod, Some(server), is_v6) else { return };
        let protocol = *random.pick(&["TCP", "TCP", "UDP"]);
        let class = *random.pick(&[Class::Pod, Class::Pod, Class::Public, Class::LinkLocal, Class::OtherNode]);
        let first = self.pod(random, at);
        for _ in 0..random.between(1, 6) {
            let client = if random.chance(50) { first } else { self.pod(random, at) };
            let (client, source) = match class {
                Class::Pod => (client, self.address(random, class, client, is_v6)),
                _ => (None, self.address(random, class, Some(server), is_v6)),
            };
            let Some(source) = source.filter(|source| *source != target) else { continue };
            let port = random.u16(32_768, 60_999);
            let client_port = self.client_port(random);
            let frames = conversation(random, (source, client_port), (target, port), protocol, Outcome::Answered, at);
            self.push([client, Some(server)], protocol, port, Outcome::Answered, frames);
        }
    }

    fn scan(&mut self, random: &mut Random) {
        let at = self.now(random);
        let Some(client) = self.pod(random, at) else { return };
        let is_v6 = self.is_v6(random);
        let Some(source) = self.address(random, Class::Pod, Some(client), is_v6) else { return };
        for port in 1..40 {
            let Some(server) = self.pod(random, at) else { return };
            let Some(target) = self.address(random, Class::Pod, Some(server), is_v6) else { return };
            let outcome = if random.chance(5) { Outcome::Answered } else { Outcome::Refused };
            let client_port = self.client_port(random);
            let frames = tcp(random, (source, client_port), (target, port), outcome, at + i64::from(port) * 1_000_000);
            self.push([Some(client), Some(server)], "TCP", port, outcome, frames);
        }
    }

    fn ping(&mut self, random: &mut Random) {
        let at = self.now(random);
        let is_v6 = self.is_v6(random);
        let (from, to) = (self.pod(random, at), self.pod(random, at));
        let Some(source) = self.address(random, Class::Pod, from, is_v6) else { return };
        let Some(target) = self.address(random, Class::Pod, to, is_v6) else { return };
        let echo = |kind: u8, kind6: u8| if is_v6 { icmpv6(kind6, 0, b"ping") } else { icmp(kind, 0, b"ping") };
        let frames = vec![(at, packet(source, target, echo(8, 128))), (at + 1_000_000, packet(target, source, echo(0, 129)))];
        self.push([None, None], "ICMP", 0, Outcome::Answered, frames);
    }
}

fn packet(source: IpAddr, target: IpAddr, upper: Upper) -> Vec<u8> {
    ethernet(&ip(&source.to_string(), &target.to_string(), upper))
}

type Socket = (IpAddr, u16);

fn datagram(from: Socket, to: Socket, payload: &[u8]) -> Vec<u8> {
    packet(from.0, to.0, udp(from.1, to.1, payload))
}

fn conversation(
    random: &mut Random,
    client: Socket,
    server: Socket,
    protocol: &str,
    outcome: Outcome,
    at: i64,
) -> Vec<(i64, Vec<u8>)> {
    match protocol {
        "TCP" => tcp(random, client, server, outcome, at),
        "UDP" => datagrams(random, client, server, outcome, at),
        _ => association(random, client, server, outcome, at),
    }
}

fn tcp(random: &mut Random, client: Socket, server: Socket, outcome: Outcome, at: i64) -> Vec<(i64, Vec<u8>)> {
    let (up, down) = (random.u32() >> 1, random.u32() >> 1);
    let to = |flags, sequence, acknowledgment, payload: &[u8]| {
        packet(client.0, server.0, tcp_at(client.1, server.1, flags, sequence, acknowledgment, payload))
    };
    let back = |flags, sequence, acknowledgment, payload: &[u8]| {
        packet(server.0, client.0, tcp_at(server.1, client.1, flags, sequence, acknowledgment, payload))
    };
    let data =
        [to(ACK | PSH, up + 1, down + 1, b"ask"), back(ACK | PSH, down + 1, up + 4, b"answer"), to(ACK, up + 4, down + 7, b"")];
    let end = [to(ACK | FIN, up + 4, down + 7, b""), back(ACK | FIN, down + 7, up + 5, b""), to(ACK, up + 5, down + 8, b"")];
    let open = [to(SYN, up, 0, b""), back(SYN | ACK, down, up + 1, b""), to(ACK, up + 1, down + 1, b"")];
    let frames: Vec<Vec<u8>> = match outcome {
        Outcome::Answered if random.chance(50) => open.into_iter().chain(data).chain(end).collect(),
        Outcome::Answered => open.into_iter().chain(data).collect(),
        Outcome::MidStream => data.into_iter().collect(),
        Outcome::Refused => vec![to(SYN, up, 0, b""), back(RST | ACK, 0, up + 1, b"")],
        Outcome::Unanswered | Outcome::OneWay => vec![to(SYN, up, 0, b""), to(SYN, up, 0, b"")],
        Outcome::HalfOpen if random.chance(50) => open.into_iter().take(2).collect(),
        Outcome::HalfOpen => open.into_iter().take(2).chain([to(RST, up + 1, 0, b"")]).collect(),
        Outcome::OneSided => {
            let is_responders = random.chance(50);
            // The second of three is the responder's, in the handshake as behind it.
            let all = open.into_iter().chain(data).enumerate();
            all.filter(|(number, _)| (number % 3 == 1) == is_responders).map(|(_, frame)| frame).collect()
        }
    };
    timed(at, frames)
}

fn datagrams(random: &mut Random, client: Socket, server: Socket, outcome: Outcome, at: i64) -> Vec<(i64, Vec<u8>)> {
    let to = datagram(client, server, b"ask");
    match outcome {
        Outcome::Answered | Outcome::MidStream => timed(at, vec![to, datagram(server, client, b"answer")]),
        Outcome::Refused => {
            let quoted = ip(&client.0.to_string(), &server.0.to_string(), udp(client.1, server.1, b"ask"));
            let refusal = if server.0.is_ipv6() { icmpv6(1, 4, &quoted) } else { icmp(3, 3, &quoted) };
            timed(at, vec![to, packet(server.0, client.0, refusal)])
        }
        Outcome::Unanswered | Outcome::HalfOpen | Outcome::OneSided => timed(at, vec![to]),
        Outcome::OneWay => (0..6).map(|number| (at + number * SECOND * 2 + i64::from(random.u16(0, 9)), to.clone())).collect(),
    }
}

fn association(random: &mut Random, client: Socket, server: Socket, outcome: Outcome, at: i64) -> Vec<(i64, Vec<u8>)> {
    let (own, other) = (random.u32() | 1, random.u32() | 1);
    let to = |tag, kind, value: &[u8]| packet(client.0, server.0, sctp(client.1, server.1, tag, kind, value));
    let back = |tag, kind, value: &[u8]| packet(server.0, client.0, sctp(server.1, client.1, tag, kind, value));
    let init = to(0, 1, &sctp_init(own));
    let frames = match outcome {
        Outcome::Answered | Outcome::MidStream | Outcome::OneWay => {
            vec![init, back(own, 2, &sctp_init(other)), to(other, 10, b"cook"), back(own, 11, b"")]
        }
        Outcome::Refused => vec![init, back(own, 6, b"")],
        Outcome::HalfOpen => vec![init, back(own, 2, &sctp_init(other))],
        Outcome::OneSided => vec![init, to(other, 10, b"cook"), to(other, 0, &[0; 12])],
        Outcome::Unanswered => vec![init],
    };
    timed(at, frames)
}

fn timed(at: i64, frames: Vec<Vec<u8>>) -> Vec<(i64, Vec<u8>)> {
    (0..).zip(frames).map(|(number, frame)| (at + number * 1_000_000, frame)).collect()
}
