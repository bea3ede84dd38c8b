//! Addresses that a pod puts on what it sends, told by who sent the frame.

use std::process::Command;

use crate::support::frames::{ACK, DNS_ANSWER, DNS_QUERY, PSH, SYN, dns, dns_address, ether_type, icmp, ip, tcp_at, udp};
use crate::world::{World, learn_files};

pub const WEB: &str = "10.244.1.10";
pub const API: &str = "10.244.1.20";
pub const DB: &str = "10.244.2.10";
pub const OUTSIDE: &str = "203.0.113.66";
const NODE: &str = "192.168.1.11";

/// Link addresses, by their last byte: pods, and the gateways of their links.
const WEB_MAC: u8 = 1;
const API_MAC: u8 = 2;
const DB_MAC: u8 = 3;
const GATEWAY: u8 = 0xee;
/// The gateway of every pod's link (Calico's ee:ee:ee:ee:ee:ee).
const PODS: [(&str, u8); 3] = [(WEB, WEB_MAC), (API, API_MAC), (DB, DB_MAC)];

pub fn shop() -> World {
    World::default()
        .node("n1", NODE, &["10.244.1.0/24"])
        .node("n2", "192.168.1.12", &["10.244.2.0/24"])
        .namespace("shop")
        .pod("shop", "web", WEB, "n1", "app=web")
        .pod("shop", "api", API, "n1", "app=api")
        .pod("shop", "db", DB, "n2", "app=db")
}

fn mac(last: u8) -> [u8; 6] {
    if last == GATEWAY { [0xee; 6] } else { [2, 0, 0, 0, 0, last] }
}

/// A frame between two stations. What has passed a router has one hop less.
fn frame(world: &mut World, (from, to): (u8, u8), packet: &[u8], hops: u8) {
    let mut packet = packet.to_vec();
    packet[8] = hops;
    let frame = [&mac(to)[..], &mac(from), &ether_type(&packet).to_be_bytes(), &packet].concat();
    world.frame(&frame);
}

/// The packets of a handshake with data: whether the server sent it, and the packet.
pub fn handshake(client: &str, server: &str, port: u16, own: u16) -> [(bool, Vec<u8>); 6] {
    let to = |flags, sequence, acknowledgment, payload: &[u8]| {
        (false, ip(client, server, tcp_at(own, port, flags, sequence, acknowledgment, payload)))
    };
    let back = |flags, sequence, acknowledgment, payload: &[u8]| {
        (true, ip(server, client, tcp_at(port, own, flags, sequence, acknowledgment, payload)))
    };
    [
        to(SYN, 100, 0, b""),
        back(SYN | ACK, 500, 101, b""),
        to(ACK, 101, 501, b""),
        to(ACK | PSH, 101, 501, b"ask"),
        back(ACK | PSH, 501, 104, b"answer"),
        to(ACK, 104, 507, b""),
    ]
}

/// A real connection of a pod as its own interface sees it: its packets leave it, those of the other come from its gateway.
fn real(mut world: World, (client, client_mac): (&str, u8), server: &str, port: u16, own: u16) -> World {
    for (is_back, packet) in handshake(client, server, port, own) {
        let (stations, hops) = if is_back { ((GATEWAY, client_mac), 63) } else { ((client_mac, GATEWAY), 64) };
        frame(&mut world, stations, &packet, hops);
    }
    world.wait(1)
}

/// A connection of which a station sends both sides.
fn forged(mut world: World, station: u8, (client, server): (&str, &str), port: u16) -> World {
    for (_, packet) in handshake(client, server, port, 51_000) {
        frame(&mut world, (station, GATEWAY), &packet, 64);
    }
    world.wait(1)
}

/// The shop's own traffic: web calls api, api calls the database, and web calls something outside.
fn at_work() -> World {
    let mut world = shop();
    for (number, (pod, server, port)) in
        [(PODS[0], API, 8080), (PODS[1], DB, 5432), (PODS[0], "198.51.100.7", 443)].into_iter().enumerate()
    {
        world = real(world, pod, server, port, 42_000 + u16::try_from(number).unwrap());
    }
    world
}

/// What a pod sends, whether it is a lie, and a part of a rule that must not be there then, or must be.
type Row = (&'static str, World, bool, &'static str);

#[test]
fn what_a_pod_sends_with_anothers_address_does_not_count() {
    let attempts = |address: &str| {
        let mut world = at_work();
        for port in 1000..1030u16 {
            let packet = ip(address, DB, tcp_at(40_000 + port, port, SYN, 1, 0, b""));
            frame(&mut world, (WEB_MAC, GATEWAY), &packet, 64);
        }
        world
    };
    let mut asked = at_work();
    frame(&mut asked, (WEB_MAC, GATEWAY), &ip(API, DB, udp(40_000, 9999, b"ask")), 64);
    // The answer goes to whom it is for.
    frame(&mut asked, (GATEWAY, API_MAC), &ip(DB, API, udp(9999, 40_000, b"answer")), 63);
    let mut answered = at_work();
    for (is_back, packet) in handshake(WEB, DB, 3306, 50_000) {
        frame(&mut answered, (WEB_MAC, GATEWAY), &packet, if is_back { 63 } else { 64 });
    }
    let mut refused = at_work();
    frame(&mut refused, (WEB_MAC, GATEWAY), &ip(WEB, DB, tcp_at(50_000, 3306, SYN, 100, 0, b"")), 64);
    frame(&mut refused, (GATEWAY, WEB_MAC), &ip(DB, WEB, tcp_at(3306, 50_000, 0x14, 0, 101, b"")), 63);
    for (_, packet) in handshake(WEB, DB, 3306, 50_000) {
        frame(&mut refused, (WEB_MAC, GATEWAY), &packet, 64);
    }
    // A connection that web pretends for others at its own interface, with answers that it sends itself with the gateway's link address: it
    // looks as if web forwarded for them. Then another one.
    let cancelled = |client: &str, hops: u8| {
        let mut world = real(at_work(), PODS[2], API, 9090, 45_000);
        for (is_back, packet) in handshake(client, "192.0.2.9", 443, 50_000) {
            let stations = if is_back { (GATEWAY, WEB_MAC) } else { (WEB_MAC, GATEWAY) };
            frame(&mut world, stations, &packet, hops);
        }
        forged(world, WEB_MAC, (DB, OUTSIDE), 443)
    };
    let rows: [Row; 12] = [
        ("after a connection that another pod seems to have had there", cancelled(DB, 64), true, OUTSIDE),
        ("the same, as if it had passed a router", cancelled(DB, 63), true, OUTSIDE),
        ("after a connection that outside seems to have had there", cancelled("203.0.113.9", 64), true, OUTSIDE),
        ("both sides, of another pod and outside", forged(at_work(), WEB_MAC, (API, OUTSIDE), 443), true, OUTSIDE),
        ("both sides, of outside and another pod", forged(at_work(), WEB_MAC, (OUTSIDE, DB), 3306), true, "3306"),
        ("an answer to its own opening", answered, true, "3306"),
        ("the same, where the real one said no", refused, true, "3306"),
        ("a node", forged(at_work(), WEB_MAC, ("192.168.1.12", DB), 3306), true, "3306"),
        ("a question whose answer goes to the other", asked, true, "9999"),
        ("a scan", attempts(API), true, "TCP 10"),
        ("its own calls", real(at_work(), PODS[0], OUTSIDE, 443, 43_000), false, OUTSIDE),
        ("calls of others that the gateway brings", real(at_work(), (DB, DB_MAC), API, 9090, 43_000), false, "9090"),
    ];
    let mut wrong = Vec::new();
    for (name, world, is_lie, part) in rows {
        let learned = world.learn(&[]);
        let findings = learned.findings("spoofed-source");
        if is_lie != findings.iter().any(|finding| finding.contains("shop/web")) {
            wrong.push(format!("{name}: {findings:?}"));
        }
        let rules = learned.rules();
        if is_lie == rules.iter().any(|rule| rule.contains(part)) {
            wrong.push(format!("{name}: {part}: {rules:#?}"));
        }
        for kept in ["[app=api] <- [app=web] TCP 8080", "[app=db] <- [app=api] TCP 5432"] {
            if !rules.iter().any(|rule| rule.contains(kept)) {
                wrong.push(format!("{name}: no {kept}: {rules:#?}"));
            }
        }
        if learned.codes().contains("found-by-scan") {
            wrong.push(format!("{name}: {:?}", learned.findings("found-by-scan")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A VPN: answers to its clients are delivered to the pod.
fn vpn() -> World {
    real(real(shop(), PODS[0], API, 8080, 42_000), ("10.8.0.2", WEB_MAC), DB, 5432, 42_001)
}

#[test]
fn a_station_of_several_is_nobodys() {
    // ipvlan: all pods have the address of their parent.
    let parent = |world: World| {
        let world = real(world, (WEB, 9), OUTSIDE, 443, 42_000);
        real(world, (API, 9), OUTSIDE, 443, 42_001)
    };
    // A mirror of a routed network: the router sends for both sides.
    let mut mirrored = shop();
    for (is_back, packet) in handshake(WEB, API, 8080, 42_000) {
        let (from, to) = if is_back { (API_MAC, WEB_MAC) } else { (WEB_MAC, API_MAC) };
        frame(&mut mirrored, (from, GATEWAY), &packet, 64);
        frame(&mut mirrored, (GATEWAY, to), &packet, 63);
    }
    // VRRP: what is sent to the routers' common address comes back from one of them.
    let mut vrrp = shop();
    for (is_back, packet) in handshake(WEB, OUTSIDE, 443, 42_000) {
        let stations = if is_back { (0xaa, WEB_MAC) } else { (WEB_MAC, GATEWAY) };
        frame(&mut vrrp, stations, &packet, if is_back { 57 } else { 64 });
    }
    // A pod that calls itself through its Service, and is called back by the gateway.
    let mut hairpin = at_work();
    for (_, packet) in handshake(WEB, WEB, 80, 44_000) {
        frame(&mut hairpin, (WEB_MAC, GATEWAY), &packet, 64);
        frame(&mut hairpin, (GATEWAY, WEB_MAC), &packet, 63);
    }
    // The inventory gives one address to two pods: it passed from one to the other, nobody knows when.
    let passed_on = || {
        let world =
            shop().pod("shop", "job-1", "10.244.1.30", "n1", "job=first").pod("shop", "job-2", "10.244.1.30", "n1", "job=next");
        real(real(world, PODS[0], API, 8080, 42_000), ("10.244.1.30", WEB_MAC), DB, 5432, 42_001)
    };
    let one_sided = forged(parent(shop()), 9, (DB, API), 7070);
    let rows = [
        ("ipvlan", parent(shop()), false),
        ("ipvlan with traffic between its pods", one_sided, false),
        ("mirror", mirrored, false),
        ("VRRP", vrrp, false),
        ("VPN", vpn(), true),
        ("an address that passed from pod to pod", passed_on(), false),
        ("hairpin", hairpin, false),
        ("everything by one gateway", at_work(), false),
    ];
    let mut wrong = Vec::new();
    for (name, world, forwards) in rows {
        let learned = world.learn(&[]);
        if learned.code != Some(0) {
            wrong.push(format!("{name}: {}", learned.messages));
        }
        if learned.codes().contains("spoofed-source") {
            wrong.push(format!("{name}: {:?}", learned.findings("spoofed-source")));
        }
        if learned.codes().contains("forwarding-pod") != forwards {
            wrong.push(format!("{name}: {:?}", learned.findings("forwarding-pod")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_a_pod_forwards_waits_for_a_decision() {
    /// What it shows, the world, what is decided, a part of a rule, and whether it is written, apart, or not at all.
    type Row<'a> = (&'a str, World, Option<String>, &'a str, &'a str);
    const BEHIND: &str = "[app=db] <- 10.8.0.2/32 TCP 5432";
    let entry = "{from: 10.8.0.2, to: shop/db, port: TCP 5432, reason: the VPN of the operators}";
    let mut both = vpn();
    // The same client, seen where it comes in by itself.
    for (is_back, packet) in handshake("10.8.0.2", DB, 5432, 42_002) {
        frame(&mut both, if is_back { (DB_MAC, GATEWAY) } else { (GATEWAY, DB_MAC) }, &packet, if is_back { 64 } else { 63 });
    }
    // TPROXY: the pod calls with the address of the pod that called it.
    let proxied = real(real(at_work(), PODS[0], DB, 3306, 42_005), (API, WEB_MAC), "198.51.100.7", 8443, 42_006);
    let rows: [Row; 4] = [
        ("nobody decided", vpn(), None, BEHIND, "apart"),
        ("accepted", vpn(), Some(format!("version: 1\naccept:\n- {entry}\n")), BEHIND, "written"),
        ("rejected", vpn(), Some(format!("version: 1\nreject:\n- {entry}\n")), BEHIND, "not at all"),
        ("seen elsewhere too", both, None, BEHIND, "written"),
    ];
    let mut wrong = Vec::new();
    for (name, world, decided, part, expected) in rows {
        let folder = tempfile::tempdir().unwrap();
        let decisions = folder.path().join("decided.yaml");
        std::fs::write(&decisions, decided.as_deref().unwrap_or_default()).unwrap();
        let arguments = if decided.is_some() { vec!["--decisions", decisions.to_str().unwrap()] } else { Vec::new() };
        let learned = world.learn(&arguments);
        let rules = learned.rules();
        let is_in = |is_apart: bool| rules.iter().any(|rule| rule.contains(part) && rule.contains("/quarantined-") == is_apart);
        let found = match (is_in(false), is_in(true)) {
            (true, _) => "written",
            (false, true) => "apart",
            (false, false) => "not at all",
        };
        let has_own = rules.iter().any(|rule| rule.contains("[app=api] <- [app=web] TCP 8080") && !rule.contains("quarantined"));
        if found != expected || !has_own || learned.code != Some(0) {
            wrong.push(format!("{name}: {found}: {rules:#?} {}", learned.messages));
        }
        let asks = learned.findings("forwarding-pod").iter().any(|finding| finding.contains("10.8.0.2 -> shop/db TCP 5432"));
        if asks != (expected == "apart") {
            wrong.push(format!("{name}: {:?}", learned.findings("forwarding-pod")));
        }
        let (capture, inventory) = world.write(folder.path());
        let (code, said, _) = learned.verify(&capture, &inventory, &arguments);
        if (code == Some(1)) != (expected == "apart") || said.contains("through a pod that forwards") != (expected == "apart") {
            wrong.push(format!("{name}: verify: {code:?} {said}"));
        }
    }
    // A pod whose station is known is not among those for whom somebody forwards unrouted: that is a lie.
    let learned = proxied.learn(&[]);
    if !learned.codes().contains("spoofed-source") || learned.rules().iter().any(|rule| rule.contains("8443")) {
        wrong.push(format!("another pod's address: {:#?} {}", learned.rules(), learned.messages));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_pretended_answer_names_nothing() {
    const RESOLVER: &str = "10.244.2.53";
    const NAME: &str = "updates.example.com";
    /// What it shows, whose name it is, which station sends the question and which the answer, and whether that names the address.
    type Row<'a> = (&'a str, (&'a str, u8), u8, u8, bool);
    let rows: [Row; 5] = [
        ("asked, and answered by the resolver", PODS[0], WEB_MAC, GATEWAY, true),
        ("asked, and answered by the pod itself", PODS[0], WEB_MAC, WEB_MAC, false),
        ("another pod, asked and answered by itself", PODS[1], API_MAC, GATEWAY, true),
        ("another pod's question and its answer", PODS[1], WEB_MAC, WEB_MAC, false),
        ("an answer to another pod's question", PODS[1], API_MAC, WEB_MAC, false),
    ];
    let mut wrong = Vec::new();
    for (what, (asker, own), asks, answers, is_named) in rows {
        let mut world = at_work()
            .namespace("kube-system")
            .pod("kube-system", "coredns", RESOLVER, "n2", "k8s-app=kube-dns")
            .object("apiVersion: v1\nkind: Service\nmetadata: {name: kube-dns, namespace: kube-system, labels: {k8s-app: kube-dns}}\nspec: {clusterIP: 10.96.0.10, clusterIPs: [10.96.0.10], selector: {k8s-app: kube-dns}, ports: [{name: dns, port: 53, protocol: UDP}]}");
        // What its own station proves of it.
        world = real(world, (asker, own), "198.51.100.8", 443, 46_000);
        let receiver = |sender| if sender == GATEWAY { own } else { GATEWAY };
        let question = ip(asker, RESOLVER, udp(40_000, 53, &dns(DNS_QUERY, NAME, &[])));
        let (kind, content) = dns_address(OUTSIDE);
        let answer = ip(RESOLVER, asker, udp(53, 40_000, &dns(DNS_ANSWER, NAME, &[(NAME, kind, 300, content)])));
        frame(&mut world, (asks, receiver(asks)), &question, 64);
        frame(&mut world, (answers, receiver(answers)), &answer, if answers == GATEWAY { 63 } else { 64 });
        let learned = real(world, (asker, own), OUTSIDE, 443, 47_000).learn(&[]);
        let rules = learned.rules();
        if !rules.iter().any(|rule| rule.contains(OUTSIDE)) {
            wrong.push(format!("{what}: no edge: {}", learned.messages));
        }
        if rules.iter().any(|rule| rule.contains("updates-example-com")) != is_named {
            wrong.push(format!("{what}: {rules:#?}"));
        }
        if learned.codes().contains("spoofed-source") == is_named {
            wrong.push(format!("{what}: {:?}", learned.findings("spoofed-source")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_error_counts_that_the_destination_or_a_hop_sent() {
    const PORTS: (u16, u16) = (41_000, 514);
    /// What it shows, whose address the error has, which station sends it, whether it counts, whether somebody lies.
    type Row<'a> = (&'a str, &'a str, u8, bool, bool);
    let rows: [Row; 8] = [
        ("nobody", "", 0, false, false),
        ("the destination", API, GATEWAY, true, false),
        ("a node on the way", NODE, GATEWAY, true, false),
        ("a router on the way", "198.51.100.1", GATEWAY, true, false),
        ("another pod", WEB, WEB_MAC, false, false),
        ("another pod, with the destination's address", API, WEB_MAC, false, true),
        ("another pod, with a node's address", NODE, WEB_MAC, false, true),
        ("the sender itself", DB, DB_MAC, false, false),
    ];
    let mut wrong = Vec::new();
    for (what, by, station, counts, lies) in rows {
        // A database that sends its log by UDP.
        let mut world = real(at_work(), PODS[2], API, 9090, 45_000);
        for _ in 0..6 {
            frame(&mut world, (DB_MAC, GATEWAY), &ip(DB, API, udp(PORTS.0, PORTS.1, b"log")), 64);
            world = world.wait(1);
        }
        if !by.is_empty() {
            let quoted = ip(DB, API, udp(PORTS.0, PORTS.1, b"log"));
            let error = ip(by, DB, icmp(3, 3, &quoted));
            let receiver = if station == GATEWAY { DB_MAC } else { GATEWAY };
            frame(&mut world, (station, receiver), &error, if station == GATEWAY { 63 } else { 64 });
        }
        let folder = tempfile::tempdir().unwrap();
        let (capture, inventory) = world.write(folder.path());
        let flows = folder.path().join("web.flows");
        let mut program = Command::new(env!("CARGO_BIN_EXE_netpol-gen"));
        let recorded = program.args(["capture", "--read"]).arg(&capture).arg("--output").arg(&flows).output().unwrap();
        assert!(recorded.status.success(), "{}", String::from_utf8_lossy(&recorded.stderr));
        for (form, learned) in [("packets", world.learn(&[])), ("flow file", learn_files(folder, &flows, &[inventory], &[]))] {
            let is_allowed = learned.rules().iter().any(|rule| rule.contains("[app=api] <- [app=db] UDP 514"));
            if is_allowed == counts || learned.codes().contains("refused-connection") != counts {
                wrong.push(format!("{what}, {form}: {:#?} {}", learned.rules(), learned.messages));
            }
            if learned.codes().contains("spoofed-source") != lies {
                wrong.push(format!("{what}, {form}: {:?}", learned.findings("spoofed-source")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_capture_that_does_not_show_who_sent_what_says_so_once() {
    let run = |first: &World, second: &World| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("second.pcap");
        std::fs::write(&path, second.capture()).unwrap();
        first.learn(&["--read", path.to_str().unwrap()]).findings("sender-not-shown")
    };
    let shown = at_work();
    // All frames go between the same two stations, as a mirror port of a routed network has them.
    let blind = |first: u16| {
        let mut world = shop();
        for (own, (client, server)) in (first..).zip([(WEB, API), (API, DB), (DB, OUTSIDE)]) {
            for (is_back, packet) in handshake(client, server, 8081, own) {
                frame(&mut world, if is_back { (0x21, 0x20) } else { (0x20, 0x21) }, &packet, 63);
            }
        }
        world
    };
    assert!(shown.learn(&[]).findings("sender-not-shown").is_empty());
    let said = blind(43_000).learn(&[]).findings("sender-not-shown");
    assert!(said.len() == 1 && said[0].contains("capture.pcap: "), "{said:?}");
    let said = run(&shown, &blind(43_000));
    assert!(said.len() == 1 && said[0].contains("second.pcap: "), "{said:?}");
    let said = run(&blind(43_000), &blind(44_000));
    assert!(said.len() == 1 && said[0].contains("all 2 captures: "), "{said:?}");
}
