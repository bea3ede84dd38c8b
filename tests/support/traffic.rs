//! Captures of any length, and the inventory of the cluster they come from: the same numbers make the same bytes.
//!
//! - *mixed*: TCP from handshake to FIN between pods, to and from the outside, DNS before calls outside, exchanges over UDP, attempts
//!   without an answer; a tenth over IPv6, some in VXLAN; as many at a time as a hundredth of the packets, 100,000 at most.
//! - *small*: the same connections, in frames of 60 bytes, IPv4 only.
//! - *flows*: every packet is a connection of its own, half of them SYN, half SYN+ACK.

#![expect(clippy::cast_possible_truncation, reason = "numbers are cut to the fields that take them")]

use std::io::{self, BufWriter, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const NODES: usize = 10;
const NAMESPACES: usize = 3;
const APPS: usize = 8;
const REPLICAS: usize = 8;
/// Packets for each of the connections that are under way at a time.
const PACKETS_EACH: u64 = 100;
/// Nanoseconds between two packets, in the mean: ten million in ten minutes.
const PAUSE: u64 = 60_000;
const BEGIN: u64 = 1_790_000_000_000_000_000;

const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const PUSH: u8 = 0x08;
const ACK: u8 = 0x10;
const FIN: u8 = 0x01;

/// What a capture holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Mixed,
    Small,
    Flows,
}

/// Writes a capture of so many packets.
pub fn write(kind: Kind, packets: u64, is_pcapng: bool, to: impl Write) -> io::Result<()> {
    let mut capture = Capture::begin(to, is_pcapng)?;
    if kind == Kind::Flows {
        flows(packets, &mut capture)?;
    } else {
        connections(packets, kind == Kind::Small, &mut capture)?;
    }
    capture.writer.flush()
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }

    fn of_hundred(&mut self, part: usize) -> bool {
        self.below(100) < part
    }
}

/// The pod of a replica of an app of a namespace.
const fn pod_number(namespace: usize, app: usize, replica: usize) -> usize {
    (namespace * APPS + app) * REPLICAS + replica
}

fn pod_address(pod: usize, is_v6: bool) -> IpAddr {
    let (node, host) = (pod % NODES, 2 + pod / NODES);
    if is_v6 {
        Ipv6Addr::new(0xfd00, 0x10, 0x244, node as u16, 0, 0, 0, host as u16).into()
    } else {
        Ipv4Addr::new(10, 244, node as u8, host as u8).into()
    }
}

fn node_address(node: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, 10 + node as u8)
}

fn port_of(app: usize) -> u16 {
    8080 + app as u16
}

const RESOLVER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 244, 0, 250));

/// A connection under way.
struct Connection {
    /// Originator and responder.
    addresses: [IpAddr; 2],
    ports: [u16; 2],
    sequence: [u32; 2],
    /// The nodes of an overlay around it.
    overlay: Option<[Ipv4Addr; 2]>,
    what: What,
    step: u32,
    /// Steps of data between handshake and end.
    steps: u32,
}

#[derive(Clone, Copy, PartialEq)]
enum What {
    Tcp,
    /// A SYN that gets nothing, or RST.
    Attempt,
    /// A query and its answer; what is called then, over TCP.
    Dns(u8),
    Udp,
}

fn pod_of(random: &mut Random) -> (usize, usize) {
    (random.below(NAMESPACES), random.below(APPS))
}

fn open(random: &mut Random, before: Option<&Connection>, is_small: bool) -> Connection {
    let caller_port = 32768 + random.below(28000) as u16;
    let sequence = [random.next() as u32, random.next() as u32];
    let steps = 8 + random.below(100) as u32;
    let made = |what, addresses, ports, overlay| Connection { addresses, ports, sequence, overlay, what, step: 0, steps };
    // A name was asked for to be called.
    if let Some(Connection { what: What::Dns(outside), addresses: [caller, _], .. }) = before {
        let address = Ipv4Addr::new(203, 0, 113, *outside).into();
        return made(What::Tcp, [*caller, address], [caller_port, 443], None);
    }
    let is_v6 = !is_small && random.of_hundred(10);
    let (namespace, app) = pod_of(random);
    let pod = pod_number(namespace, app, random.below(REPLICAS));
    match random.below(100) {
        0..15 if !is_small => {
            let addresses = [pod_address(pod, false), RESOLVER];
            made(What::Dns((1 + 4 * app + random.below(4)) as u8), addresses, [caller_port, 53], None)
        }
        15..25 => {
            let outside = Ipv4Addr::new(198, 51, 100, 1 + random.below(250) as u8).into();
            let web = pod_number(namespace, 0, random.below(REPLICAS));
            made(What::Tcp, [outside, pod_address(web, false)], [caller_port, port_of(0)], None)
        }
        number => {
            let called_app = (app + [1, 3][random.below(2)]) % APPS;
            let other = pod_number(namespace, called_app, random.below(REPLICAS));
            let addresses = [pod_address(pod, is_v6), pod_address(other, is_v6)];
            let overlay = (!is_small && random.of_hundred(15))
                .then(|| [pod, other].map(|pod| node_address(pod % NODES)))
                .filter(|[one, other]| one != other);
            let what = match number {
                25..28 => What::Attempt,
                28..33 => What::Udp,
                _ => What::Tcp,
            };
            let port = if what == What::Udp { 9000 + called_app as u16 } else { port_of(called_app) };
            made(what, addresses, [caller_port, port], overlay)
        }
    }
}

/// What one packet is to be.
struct Packet {
    /// 0 for the originator.
    by: usize,
    flags: u8,
    payload: usize,
    is_last: bool,
}

/// The next packet of a connection.
fn step(connection: &mut Connection, random: &mut Random, is_small: bool) -> Packet {
    let step = connection.step;
    connection.step += 1;
    let packet = |by, flags, payload, is_last| Packet { by, flags, payload, is_last };
    let bulk = if is_small { 1 + random.below(6) } else { 1448 };
    match connection.what {
        What::Dns(_) => packet(step as usize & 1, 0, 0, step == 1),
        What::Udp => {
            packet(step as usize & 1, 0, if is_small { 12 } else { 100 + random.below(400) }, step + 1 >= connection.steps)
        }
        What::Attempt => match step {
            0 | 1 => packet(0, SYN, 0, step == 1 && random.of_hundred(50)),
            _ => packet(1, RST | ACK, 0, true),
        },
        What::Tcp => match step {
            0 => packet(0, SYN, 0, false),
            1 => packet(1, SYN | ACK, 0, false),
            2 => packet(0, ACK, 0, false),
            _ if step < connection.steps => match random.below(100) {
                0..42 => packet(random.below(2), ACK, 0, false),
                42..72 => packet(1, ACK, bulk, false),
                _ => {
                    let payload = if is_small { bulk } else { 20 + random.below(380) };
                    packet(random.below(2), ACK | PUSH, payload, false)
                }
            },
            _ => match step - connection.steps {
                0 => packet(0, FIN | ACK, 0, false),
                1 => packet(1, FIN | ACK, 0, false),
                _ => packet(0, ACK, 0, true),
            },
        },
    }
}

fn connections(packets: u64, is_small: bool, capture: &mut Capture<impl Write>) -> io::Result<()> {
    let mut random = Random(1);
    // Half of it random, as much as compression finds in real traffic.
    let filler: Vec<u8> = (0..70_000).map(|position| if position % 2 == 0 { random.next() as u8 } else { b'a' }).collect();
    let at_a_time = (packets / PACKETS_EACH).clamp(64, 100_000) as usize;
    let mut under_way: Vec<Option<Connection>> = (0..at_a_time).map(|_| None).collect();
    let mut frame = Vec::with_capacity(2048);
    let mut at = BEGIN;
    let mut written = 0;
    while written < packets {
        let place = random.below(at_a_time);
        let connection = under_way[place].get_or_insert_with(|| open(&mut random, None, is_small));
        // Packets come in trains.
        for _ in 0..=random.below(4) {
            let packet = step(connection, &mut random, is_small);
            frame.clear();
            let from = random.below(64 * 1024);
            write_frame(&mut frame, connection, &packet, &filler[from..], is_small);
            // SYN and FIN count as one byte each (RFC 9293, section 3.4).
            let counted = packet.payload as u32 + u32::from(packet.flags & (SYN | FIN) != 0);
            connection.sequence[packet.by] = connection.sequence[packet.by].wrapping_add(counted);
            at += random.below(2 * PAUSE as usize) as u64;
            capture.write(at, &frame)?;
            written += 1;
            if packet.is_last {
                *connection = open(&mut random, Some(&*connection), is_small);
                break;
            }
            if written == packets {
                break;
            }
        }
    }
    Ok(())
}

fn flows(packets: u64, capture: &mut Capture<impl Write>) -> io::Result<()> {
    const PORTS: u64 = 28_000;
    let mut random = Random(2);
    let mut frame = Vec::with_capacity(128);
    let mut at = BEGIN;
    for number in 0..packets {
        // Every pair of pods has so many callers' ports.
        let pair = (number / PORTS) as usize;
        let (namespace, app, replicas) = (pair % NAMESPACES, pair / NAMESPACES % APPS, pair / (NAMESPACES * APPS));
        let called_app = (app + 1) % APPS;
        let pod = pod_number(namespace, app, replicas % REPLICAS);
        let other = pod_number(namespace, called_app, replicas / REPLICAS % REPLICAS);
        let connection = Connection {
            addresses: [pod_address(pod, false), pod_address(other, false)],
            ports: [32768 + (number % PORTS) as u16, port_of(called_app)],
            sequence: [random.next() as u32, random.next() as u32],
            overlay: None,
            what: What::Tcp,
            step: 0,
            steps: 0,
        };
        let is_answer = number % 2 == 1;
        let flags = if is_answer { SYN | ACK } else { SYN };
        frame.clear();
        write_frame(&mut frame, &connection, &Packet { by: usize::from(is_answer), flags, payload: 0, is_last: true }, &[], true);
        at += random.below(2 * PAUSE as usize) as u64;
        capture.write(at, &frame)?;
    }
    Ok(())
}

fn write_frame(frame: &mut Vec<u8>, connection: &Connection, packet: &Packet, filler: &[u8], is_small: bool) {
    let turned = |pair: [IpAddr; 2]| [pair[packet.by], pair[1 - packet.by]];
    let [source, destination] = turned(connection.addresses);
    let (source_port, destination_port) = (connection.ports[packet.by], connection.ports[1 - packet.by]);
    let mut segment = [0u8; 128];
    let mut length;
    let is_udp = matches!(connection.what, What::Dns(_) | What::Udp);
    segment[0..2].copy_from_slice(&source_port.to_be_bytes());
    segment[2..4].copy_from_slice(&destination_port.to_be_bytes());
    if is_udp {
        length = 8;
        if let What::Dns(outside) = connection.what {
            length += dns(&mut segment[8..], outside, packet.by == 1, connection.sequence[0] as u16);
        }
        segment[4..6].copy_from_slice(&((length + packet.payload) as u16).to_be_bytes());
    } else {
        // A timestamp option, as nearly all have.
        length = if is_small { 20 } else { 32 };
        segment[4..8].copy_from_slice(&connection.sequence[packet.by].to_be_bytes());
        let acknowledged = if packet.flags & ACK != 0 { connection.sequence[1 - packet.by] } else { 0 };
        if packet.flags & RST != 0 {
            segment[4..8].fill(0);
        }
        segment[8..12].copy_from_slice(&acknowledged.to_be_bytes());
        segment[12] = (length as u8 / 4) << 4;
        segment[13] = packet.flags;
        segment[14..16].copy_from_slice(&64240u16.to_be_bytes());
        if !is_small {
            segment[20..24].copy_from_slice(&[1, 1, 8, 10]);
        }
    }
    let whole = length + packet.payload;
    if let Some(nodes) = connection.overlay {
        let [outer_source, outer_destination] = [nodes[packet.by], nodes[1 - packet.by]];
        let inner = 14 + if source.is_ipv6() { 40 } else { 20 } + whole;
        ethernet(frame, false);
        ip(frame, outer_source.into(), outer_destination.into(), 17, 16 + inner);
        let udp_length = (16 + inner) as u16;
        for field in [connection.ports[0] | 0xc000, 4789, udp_length, 0] {
            frame.extend_from_slice(&field.to_be_bytes());
        }
        frame.extend_from_slice(&[8, 0, 0, 0, 0, 0, 1, 0]);
    }
    ethernet(frame, source.is_ipv6());
    ip(frame, source, destination, if is_udp { 17 } else { 6 }, whole);
    frame.extend_from_slice(&segment[..length]);
    frame.extend_from_slice(&filler[..packet.payload]);
    if frame.len() < 60 {
        frame.resize(60, 0);
    }
}

fn ethernet(frame: &mut Vec<u8>, is_v6: bool) {
    frame.extend_from_slice(&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]);
    frame.extend_from_slice(if is_v6 { &[0x86, 0xdd] } else { &[8, 0] });
}

fn ip(frame: &mut Vec<u8>, source: IpAddr, destination: IpAddr, protocol: u8, payload: usize) {
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let mut header = [0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, protocol, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            header[2..4].copy_from_slice(&((20 + payload) as u16).to_be_bytes());
            header[12..16].copy_from_slice(&source.octets());
            header[16..20].copy_from_slice(&destination.octets());
            let sum: u32 = header.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
            let folded = (sum & 0xffff) + (sum >> 16);
            header[10..12].copy_from_slice(&(!(((folded & 0xffff) + (folded >> 16)) as u16)).to_be_bytes());
            frame.extend_from_slice(&header);
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            frame.extend_from_slice(&[0x60, 0, 0, 0]);
            frame.extend_from_slice(&(payload as u16).to_be_bytes());
            frame.extend_from_slice(&[protocol, 64]);
            frame.extend_from_slice(&source.octets());
            frame.extend_from_slice(&destination.octets());
        }
        _ => unreachable!("both ends of a connection have one family"),
    }
}

/// A query for the name of an outside host, or its answer; returns the length.
fn dns(message: &mut [u8], outside: u8, is_answer: bool, identifier: u16) -> usize {
    let name = format!("host-{outside:03}");
    let mut bytes = Vec::with_capacity(80);
    bytes.extend_from_slice(&identifier.to_be_bytes());
    bytes.extend_from_slice(if is_answer { &[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0] } else { &[1, 0, 0, 1, 0, 0, 0, 0, 0, 0] });
    for label in [name.as_str(), "example", "net"] {
        bytes.push(label.len() as u8);
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.extend_from_slice(&[0, 0, 1, 0, 1]);
    if is_answer {
        bytes.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 203, 0, 113, outside]);
    }
    message[..bytes.len()].copy_from_slice(&bytes);
    bytes.len()
}

/// A capture that is being written: pcap or pcapng with nanoseconds.
struct Capture<W: Write> {
    writer: BufWriter<W>,
    is_pcapng: bool,
}

impl<W: Write> Capture<W> {
    fn begin(to: W, is_pcapng: bool) -> io::Result<Self> {
        let mut writer = BufWriter::with_capacity(1 << 20, to);
        // Of pcapng a section header, then Ethernet, 256 kB, if_tsresol 9 and the end of options; of pcap its header.
        let section = [0x0a0d_0d0a, 28, 0x1a2b_3c4d, 1, u32::MAX, u32::MAX, 28, 1, 32, 1, 262_144, 9 | 1 << 16, 9, 0, 32];
        let header = [0xa1b2_3c4d, 2 | 4 << 16, 0, 0, 262_144, 1];
        for number in if is_pcapng { section.as_slice() } else { header.as_slice() } {
            writer.write_all(&number.to_le_bytes())?;
        }
        Ok(Self { writer, is_pcapng })
    }

    fn write(&mut self, at: u64, frame: &[u8]) -> io::Result<()> {
        let length = frame.len() as u32;
        let put = |writer: &mut BufWriter<W>, numbers: &[u32]| {
            numbers.iter().try_for_each(|number| writer.write_all(&number.to_le_bytes()))
        };
        if self.is_pcapng {
            let padded = length.next_multiple_of(4);
            put(&mut self.writer, &[6, 32 + padded, 0, (at >> 32) as u32, at as u32, length, length])?;
            self.writer.write_all(frame)?;
            self.writer.write_all(&[0; 3][..(padded - length) as usize])?;
            put(&mut self.writer, &[32 + padded])
        } else {
            put(&mut self.writer, &[(at / 1_000_000_000) as u32, (at % 1_000_000_000) as u32, length, length])?;
            self.writer.write_all(frame)
        }
    }
}

/// The cluster's objects, as `kubectl get -o json` prints them.
pub fn inventory() -> String {
    let mut items = Vec::new();
    for node in 0..NODES {
        items.push(format!(
            r#"{{"kind":"Node","apiVersion":"v1","metadata":{{"name":"node-{node}"}},"spec":{{"podCIDRs":["10.244.{node}.0/24","fd00:10:244:{node:x}::/64"]}},"status":{{"addresses":[{{"type":"InternalIP","address":"{}"}}]}}}}"#,
            node_address(node)
        ));
    }
    let mut workload = |namespace: &str, name: &str, port: u16, protocol: &str, addresses: &[(usize, Vec<String>)]| {
        let labels = format!(r#"{{"app":"{name}"}}"#);
        items.push(format!(
            r#"{{"kind":"Deployment","apiVersion":"apps/v1","metadata":{{"name":"{name}","namespace":"{namespace}","uid":"d-{namespace}-{name}"}},"spec":{{"selector":{{"matchLabels":{labels}}},"template":{{"metadata":{{"labels":{labels}}}}}}}}}"#
        ));
        items.push(format!(
            r#"{{"kind":"ReplicaSet","apiVersion":"apps/v1","metadata":{{"name":"{name}-5d","namespace":"{namespace}","uid":"r-{namespace}-{name}","ownerReferences":[{{"apiVersion":"apps/v1","kind":"Deployment","name":"{name}","uid":"d-{namespace}-{name}","controller":true}}]}},"spec":{{"selector":{{"matchLabels":{labels}}}}}}}"#
        ));
        for (replica, (node, addresses)) in addresses.iter().enumerate() {
            let list: Vec<String> = addresses.iter().map(|address| format!(r#"{{"ip":"{address}"}}"#)).collect();
            items.push(format!(
                r#"{{"kind":"Pod","apiVersion":"v1","metadata":{{"name":"{name}-5d-{replica}","namespace":"{namespace}","uid":"p-{namespace}-{name}-{replica}","creationTimestamp":"2026-01-01T00:00:00Z","labels":{{"app":"{name}","pod-template-hash":"5d"}},"ownerReferences":[{{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"{name}-5d","uid":"r-{namespace}-{name}","controller":true}}]}},"spec":{{"nodeName":"node-{node}","containers":[{{"name":"main","ports":[{{"containerPort":{port},"protocol":"{protocol}"}}]}}]}},"status":{{"phase":"Running","startTime":"2026-01-01T00:00:00Z","podIP":"{}","podIPs":[{}]}}}}"#,
                addresses[0],
                list.join(",")
            ));
        }
    };
    for namespace in 0..NAMESPACES {
        for app in 0..APPS {
            let pods: Vec<(usize, Vec<String>)> = (0..REPLICAS)
                .map(|replica| {
                    let pod = pod_number(namespace, app, replica);
                    (pod % NODES, [false, true].map(|is_v6| pod_address(pod, is_v6).to_string()).to_vec())
                })
                .collect();
            workload(&format!("team-{namespace}"), &format!("app-{app}"), port_of(app), "TCP", &pods);
        }
    }
    workload("kube-system", "coredns", 53, "UDP", &[(0, vec![RESOLVER.to_string()])]);
    let namespaces = (0..NAMESPACES).map(|namespace| format!("team-{namespace}")).chain(["kube-system".to_owned()]);
    let namespaces: Vec<String> = namespaces
        .map(|name| {
            format!(
                r#"{{"kind":"Namespace","apiVersion":"v1","metadata":{{"name":"{name}","labels":{{"kubernetes.io/metadata.name":"{name}"}}}}}}"#
            )
        })
        .collect();
    // The first app of a team is called from outside.
    let service = |kind: &str, namespace: &str, name: &str, app: &str, address: &str, port: u16, protocol: &str| {
        format!(
            r#"{{"kind":"Service","apiVersion":"v1","metadata":{{"name":"{name}","namespace":"{namespace}"}},"spec":{{"type":"{kind}","clusterIP":"{address}","clusterIPs":["{address}"],"selector":{{"app":"{app}"}},"ports":[{{"name":"main","port":{port},"targetPort":{port},"protocol":"{protocol}"}}]}}}}"#
        )
    };
    for namespace in 0..NAMESPACES {
        for app in 0..APPS {
            let (team, name) = (format!("team-{namespace}"), format!("app-{app}"));
            let kind = if app == 0 { "LoadBalancer" } else { "ClusterIP" };
            items.push(service(kind, &team, &name, &name, &format!("10.96.{}.{}", 1 + namespace, 10 + app), port_of(app), "TCP"));
        }
    }
    items.push(service("ClusterIP", "kube-system", "kube-dns", "coredns", "10.96.0.10", 53, "UDP"));
    items.extend(namespaces);
    format!("{{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[\n{}\n]}}\n", items.join(",\n"))
}
