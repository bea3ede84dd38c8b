//! Whose a station of a link is: honest traffic that looks as if it came from elsewhere, and forged traffic that is to look honest.

use crate::hostile_senders::handshake;
use crate::support::frames::{SYN, cooked_at, encapsulated, ether_type, ip, tcp_at, udp, vxlan};
use crate::world::World;

const WEB: &str = "10.244.1.10";
const API: &str = "10.244.1.20";
const CACHE: &str = "10.244.1.30";
const DB: &str = "10.244.2.10";
const OUTSIDE: &str = "203.0.113.66";
/// Collects what others report to it, one way.
const COLLECTOR: &str = "198.51.100.9";

/// Link addresses, by their last byte.
const WEB_MAC: u8 = 1;
const API_MAC: u8 = 2;
const CACHE_MAC: u8 = 3;
const DB_MAC: u8 = 4;
const GATEWAY: u8 = 0xee;
/// Linux cooked capture, version 2.
const COOKED: u16 = 276;

fn shop() -> World {
    World::default()
        .node("n1", "192.168.1.11", &["10.244.1.0/24"])
        .node("n2", "192.168.1.12", &["10.244.2.0/24"])
        .namespace("shop")
        .pod("shop", "web", WEB, "n1", "app=web")
        .pod("shop", "api", API, "n1", "app=api")
        .pod("shop", "cache", CACHE, "n1", "app=cache")
        .pod("shop", "db", DB, "n2", "app=db")
        .object("apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\nspec: {type: LoadBalancer, clusterIP: 10.96.0.20, clusterIPs: [10.96.0.20], selector: {app: web}, ports: [{name: http, port: 80, protocol: TCP}]}\nstatus: {loadBalancer: {ingress: [{ip: 198.51.100.80}]}}")
        .object("apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: web-1, namespace: shop, labels: {kubernetes.io/service-name: web}}\naddressType: IPv4\nports: [{name: http, port: 80, protocol: TCP}]\nendpoints: [{addresses: [10.244.1.10], conditions: {ready: true}, targetRef: {kind: Pod, name: web, namespace: shop}}]")
}

fn with_hops(packet: &[u8], hops: u8) -> Vec<u8> {
    let mut packet = packet.to_vec();
    packet[8] = hops;
    packet
}

/// A frame between two stations.
fn frame(world: &mut World, (from, to): (u8, u8), packet: &[u8], hops: u8) {
    let mac = |last| if last == GATEWAY { [0xee; 6] } else { [2, 0, 0, 0, 0, last] };
    let packet = with_hops(packet, hops);
    world.frame(&[&mac(to)[..], &mac(from), &ether_type(&packet).to_be_bytes(), &packet].concat());
}

/// What a cooked capture of the host saw: the interface, whether it went out there, the packet and its hops.
fn cooked(world: &mut World, interface: u8, goes_out: bool, packet: &[u8], hops: u8) {
    world.frame(&cooked_at(interface, goes_out, &with_hops(packet, hops)));
}

/// A connection as the client's own interface sees it, with the hops that the answers have left.
fn called(mut world: World, (client, mac): (&str, u8), (gateway, hops): (u8, u8), server: &str, port: u16, own: u16) -> World {
    for (is_back, packet) in handshake(client, server, port, own) {
        if is_back {
            frame(&mut world, (gateway, mac), &packet, hops);
        } else {
            frame(&mut world, (mac, gateway), &packet, 64);
        }
    }
    world.wait(1)
}

/// Each pod of the first node calls outside, as its own interface sees it; the database too.
fn at_work() -> World {
    let pods = [(WEB, WEB_MAC), (API, API_MAC), (CACHE, CACHE_MAC), (DB, DB_MAC)];
    let call = |world, pod| called(world, pod, (GATEWAY, 57), "198.51.100.7", 443, 42_000);
    pods.into_iter().fold(shop(), call)
}

/// Datagrams that nobody answers, a second apart.
fn reports(mut world: World, stations: (u8, u8), hops: u8, source: &str, destination: &str) -> World {
    for _ in 0..5 {
        frame(&mut world, stations, &ip(source, destination, udp(41_000, 8125, b"m:1|c")), hops);
        world = world.wait(1);
    }
    world
}

#[test]
fn honest_packets_are_nobodys_lie() {
    /// What it shows, the world, and parts of rules that must be there.
    type Row = (&'static str, World, &'static [&'static str]);
    // All pods of an ipvlan send with the address of its parent; the others' answers were not seen.
    let ipvlan = reports(called(shop(), (WEB, 9), (GATEWAY, 57), OUTSIDE, 443, 42_000), (9, GATEWAY), 64, API, COLLECTOR);
    // The only interface of the collector's pod.
    let mut collector = shop().link(COOKED);
    for (is_back, packet) in handshake(API, CACHE, 9102, 42_000) {
        cooked(&mut collector, 2, is_back, &packet, 64);
    }
    for number in 0..5 {
        for (port, source) in [(1, WEB), (2, API)] {
            cooked(&mut collector, 2, false, &ip(source, CACHE, udp(41_000 + port, 8125, &[number])), 64);
        }
        collector = collector.wait(1);
    }
    // A gateway that leaves hop limits as they are, as one pod's interface sees it: others are behind it too.
    let mut keeps_hops = shop();
    for (is_back, packet) in handshake(API, CACHE, 6379, 42_000) {
        frame(&mut keeps_hops, if is_back { (CACHE_MAC, GATEWAY) } else { (GATEWAY, CACHE_MAC) }, &packet, 64);
    }
    let keeps_hops = reports(keeps_hops, (GATEWAY, CACHE_MAC), 64, WEB, CACHE);
    // A pod with a fixed address was replaced, and has the link address made of it.
    let replaced =
        shop().passing_pod("first", "10.244.1.40", "n1", -600, Some(20)).passing_pod("second", "10.244.1.40", "n1", 30, None);
    let replaced = called(replaced, (API, API_MAC), (GATEWAY, 57), OUTSIDE, 443, 42_001);
    let replaced = called(replaced, ("10.244.1.40", 9), (GATEWAY, 57), OUTSIDE, 443, 42_000).wait(60);
    let replaced = reports(replaced, (9, GATEWAY), 64, "10.244.1.40", COLLECTOR);
    // An interface of the hardware goes from a pod that has ended to another, and its link address with it.
    let lent =
        shop().passing_pod("first", "10.244.1.40", "n1", -600, Some(20)).passing_pod("second", "10.244.1.41", "n1", 30, None);
    let lent = called(lent, (API, API_MAC), (GATEWAY, 57), OUTSIDE, 443, 42_001);
    let lent = called(lent, ("10.244.1.40", 9), (GATEWAY, 57), OUTSIDE, 443, 42_000).wait(60);
    let lent = reports(lent, (9, GATEWAY), 64, "10.244.1.41", COLLECTOR);
    // Direct server return: a pod answers by itself with the address of the load balancer.
    let mut returns = at_work();
    for (_, packet) in handshake("198.51.100.23", "198.51.100.80", 80, 43_000).into_iter().filter(|(is_back, _)| *is_back) {
        frame(&mut returns, (WEB_MAC, GATEWAY), &packet, 64);
    }
    // A bridge, all interfaces of the node: what pods send is seen at their own and at the bridge's, what they get at both in turn.
    let mut bridge = shop().link(COOKED);
    for (is_back, packet) in handshake(WEB, OUTSIDE, 443, 42_000) {
        let seen = if is_back {
            [(2, false, 58), (3, true, 57), (4, true, 57)]
        } else {
            [(4, false, 64), (3, false, 64), (2, true, 63)]
        };
        for (interface, goes_out, hops) in seen {
            cooked(&mut bridge, interface, goes_out, &packet, hops);
        }
    }
    for (is_back, packet) in handshake(WEB, CACHE, 6379, 42_001) {
        let (from, to) = if is_back { (6, 4) } else { (4, 6) };
        for (interface, goes_out) in [(from, false), (3, false), (to, true)] {
            cooked(&mut bridge, interface, goes_out, &packet, 64);
        }
    }
    // Captures of all interfaces of two nodes, joined: interface 4 is the web's on one, the database's on the other.
    let mut joined = shop().link(COOKED);
    for (client, server, own, seen) in
        [(WEB, API, 42_000, [(4, 5), (4, 5)]), (WEB, DB, 42_001, [(4, 2), (2, 4)]), (API, DB, 42_002, [(5, 2), (2, 4)])]
    {
        for (is_back, packet) in handshake(client, server, 5432, own) {
            let path = if is_back { [(seen[1].1, seen[1].0), (seen[0].1, seen[0].0)] } else { seen };
            for (position, (from, to)) in path.into_iter().enumerate().take(if seen[0] == seen[1] { 1 } else { 2 }) {
                cooked(&mut joined, from, false, &packet, if position == 0 { 64 } else { 63 });
                cooked(&mut joined, to, true, &packet, if position == 0 { 63 } else { 62 });
            }
        }
    }
    for number in 0..5 {
        cooked(&mut joined, 4, false, &ip(DB, COLLECTOR, udp(41_000, 8125, &[number])), 64);
        joined = joined.wait(1);
    }
    let rows: [Row; 9] = [
        ("ipvlan of which one pod was answered", ipvlan, &["[app=api] -> 198.51.100.9/32 UDP 8125"]),
        ("one interface for everybody", collector, &["[app=cache] <- [app=web] UDP 8125", "[app=cache] <- [app=api] UDP 8125"]),
        ("a gateway that leaves hop limits", keeps_hops, &["[app=cache] <- [app=web] UDP 8125"]),
        ("a pod in the place of another", replaced, &["[app=second] -> 198.51.100.9/32 UDP 8125"]),
        ("a link address that was lent", lent, &["[app=second] -> 198.51.100.9/32 UDP 8125"]),
        ("direct server return", returns, &["[app=web] -> 198.51.100.7/32 TCP 443"]),
        ("a bridge", bridge, &["[app=cache] <- [app=web] TCP 6379", "[app=web] -> 203.0.113.66/32 TCP 443"]),
        ("joined captures", joined, &["[app=db] <- [app=web] TCP 5432", "[app=db] -> 198.51.100.9/32 UDP 8125"]),
        ("every pod for itself", at_work(), &["[app=web] -> 198.51.100.7/32 TCP 443"]),
    ];
    let mut wrong = Vec::new();
    for (name, world, parts) in rows {
        let learned = world.learn(&[]);
        for code in ["spoofed-source", "forwarding-pod"] {
            if learned.codes().contains(code) {
                wrong.push(format!("{name}: {:?}", learned.findings(code)));
            }
        }
        let rules = learned.rules();
        for part in parts {
            if !rules.iter().any(|rule| rule.contains(part) && !rule.contains("quarantined")) {
                wrong.push(format!("{name}: no {part}: {rules:#?} {}", learned.messages));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn forged_packets_prove_nothing() {
    // The station of web, and of its gateway, whose address it forges too.
    let (there, back) = ((WEB_MAC, GATEWAY), (GATEWAY, WEB_MAC));
    let forged = |mut world: World, client: &str, server: &str, port: u16, answers: (u8, u8)| {
        for (is_back, packet) in handshake(client, server, port, 51_000) {
            frame(&mut world, if is_back { answers } else { there }, &packet, 64);
        }
        world.wait(1)
    };
    // It forges answers to others, so that its station seems to be a router, and then sends as the database.
    let cancelled = forged(at_work(), "10.8.0.2", CACHE, 6379, back);
    let cancelled = forged(cancelled, API, OUTSIDE, 8443, back);
    let cancelled = forged(cancelled, DB, OUTSIDE, 9443, there);
    // What looks like a tunnel has a sender as anything else.
    let mut tunnel = at_work();
    for _ in 0..5 {
        let inside = [&[2; 12][..], &[8, 0], &ip(API, DB, udp(1, 2, b"x"))].concat();
        frame(&mut tunnel, there, &ip(DB, OUTSIDE, vxlan(1, &inside)), 64);
        tunnel = tunnel.wait(1);
    }
    // Tunnels between nodes do not come from a pod's station, whatever their outer addresses.
    let nodes = ("192.168.1.11", "192.168.1.12");
    let mut opened = at_work();
    for (is_back, packet) in handshake(API, OUTSIDE, 443, 51_000) {
        let (from, to) = if is_back { (nodes.1, nodes.0) } else { nodes };
        frame(&mut opened, there, &ip(from, to, encapsulated(&packet)), 64);
    }
    let mut opened_reports = at_work();
    for _ in 0..5 {
        let inside = [&[2; 12][..], &[8, 0], &ip(API, OUTSIDE, udp(41_000, 8125, b"x"))].concat();
        frame(&mut opened_reports, there, &ip(nodes.0, nodes.1, vxlan(1, &inside)), 64);
        opened_reports = opened_reports.wait(1);
    }
    let link_local = reports(at_work(), there, 64, "169.254.1.1", CACHE);
    // The cache answers what it was asked, to whom it seems to come from.
    let mut asked = at_work();
    for _ in 0..5 {
        frame(&mut asked, there, &ip(API, CACHE, udp(80, 9999, b"ask")), 64);
        frame(&mut asked, (CACHE_MAC, GATEWAY), &ip(CACHE, API, udp(9999, 80, b"answer")), 64);
        asked = asked.wait(1);
    }
    // What it shows, the world, and a part of a rule that must not be there.
    let rows = [
        ("a tunnel between nodes", opened, OUTSIDE),
        ("datagrams in a tunnel between nodes", opened_reports, OUTSIDE),
        ("a link-local address", link_local, "169.254"),
        ("questions that another pod is said to ask", asked, "UDP 80"),
        ("datagrams as another pod of the node", reports(at_work(), there, 64, API, COLLECTOR), COLLECTOR),
        ("datagrams as a pod elsewhere", reports(at_work(), there, 64, DB, COLLECTOR), COLLECTOR),
        ("datagrams as somebody outside", reports(at_work(), there, 64, COLLECTOR, API), COLLECTOR),
        ("after it gave away its station", cancelled, OUTSIDE),
        ("what looks like a tunnel", tunnel, OUTSIDE),
    ];
    let mut wrong = Vec::new();
    for (name, world, part) in rows {
        for is_recorded in [false, true] {
            let learned = if is_recorded { world.learn_recorded(&[]) } else { world.learn(&[]) };
            let findings = learned.findings("spoofed-source");
            if !findings.iter().any(|finding| finding.contains("shop/web")) {
                wrong.push(format!("{name}, {is_recorded}: {findings:?} {}", learned.messages));
            }
            let rules = learned.rules();
            if rules.iter().any(|rule| rule.contains(part) && !rule.contains("quarantined")) {
                wrong.push(format!("{name}, {is_recorded}: {rules:#?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn forged_packets_take_nothing_from_others() {
    let there = (WEB_MAC, GATEWAY);
    // It answers the database's reports in the collector's place.
    let mut answered = at_work();
    for _ in 0..5 {
        frame(&mut answered, (DB_MAC, GATEWAY), &ip(DB, COLLECTOR, udp(41_000, 8125, b"m:1|c")), 64);
        answered = answered.wait(1);
        frame(&mut answered, there, &ip(COLLECTOR, DB, udp(8125, 41_000, b"x")), 64);
    }
    // It sends first what seems to be the server's, and so the server seems to call.
    let mut first = at_work();
    frame(&mut first, there, &ip(OUTSIDE, DB, udp(8125, 41_000, b"x")), 64);
    for _ in 0..3 {
        frame(&mut first, (DB_MAC, GATEWAY), &ip(DB, OUTSIDE, udp(41_000, 8125, b"ask")), 64);
        frame(&mut first, (GATEWAY, DB_MAC), &ip(OUTSIDE, DB, udp(8125, 41_000, b"answer")), 57);
        first = first.wait(1);
    }
    // The same for a connection of which the handshake was not captured.
    let mut opened = at_work();
    frame(&mut opened, there, &ip(OUTSIDE, DB, tcp_at(8125, 41_000, SYN, 499, 0, b"")), 64);
    for (is_back, packet) in handshake(DB, OUTSIDE, 8125, 41_000).into_iter().skip(3) {
        let (stations, hops) = if is_back { ((GATEWAY, DB_MAC), 57) } else { ((DB_MAC, GATEWAY), 64) };
        frame(&mut opened, stations, &packet, hops);
    }
    // It breaks off and refuses in others' names.
    let mut refused = at_work();
    for (is_back, packet) in handshake(DB, OUTSIDE, 8125, 41_000) {
        let (stations, hops) = if is_back { ((GATEWAY, DB_MAC), 57) } else { ((DB_MAC, GATEWAY), 64) };
        frame(&mut refused, stations, &packet, hops);
        frame(&mut refused, there, &ip(OUTSIDE, DB, tcp_at(8125, 41_000, 0x14, 0, 101, b"")), 64);
    }
    let rows = [
        ("answers to reports", answered, "[app=db] -> 198.51.100.9/32 UDP 8125"),
        ("a first datagram", first, "[app=db] -> 203.0.113.66/32 UDP 8125"),
        ("an opening", opened, "[app=db] -> 203.0.113.66/32 TCP 8125"),
        ("refusals", refused, "[app=db] -> 203.0.113.66/32 TCP 8125"),
    ];
    let mut wrong = Vec::new();
    for (name, world, part) in rows {
        for is_recorded in [false, true] {
            let learned = if is_recorded { world.learn_recorded(&[]) } else { world.learn(&[]) };
            let rules = learned.rules();
            if !rules.iter().any(|rule| rule.contains(part)) || rules.iter().any(|rule| rule.contains("41000")) {
                wrong.push(format!("{name}, {is_recorded}: {rules:#?} {}", learned.messages));
            }
            if !learned.findings("spoofed-source").iter().any(|finding| finding.contains("shop/web")) {
                wrong.push(format!("{name}, {is_recorded}: {}", learned.messages));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
