//! Tunnels that are the cluster's own, and those that somebody else sends.

use std::process::Command;

use crate::support::frames::{ACK, PSH, SYN, Upper, encapsulated, ethernet, geneve, gre, ip, tcp_at, udp, vxlan, vxlan_to};
use crate::world::{Learned, World, learn_files};

/// Wraps a packet between outer addresses.
type Wrap = fn(&[u8]) -> Upper;

const VXLAN: Wrap = |packet| vxlan(1, &ethernet(packet));
const GENEVE: Wrap = |packet| geneve(1, &[], 0x6558, &ethernet(packet));
const GRE: Wrap = |packet| gre(0, if packet[0] >> 4 == 4 { 0x0800 } else { 0x86dd }, packet);
const IP_IN_IP: Wrap = |packet| encapsulated(packet);
const ALL: [(&str, Wrap); 4] = [("VXLAN", VXLAN), ("Geneve", GENEVE), ("GRE", GRE), ("IP-in-IP", IP_IN_IP)];

const WEB: &str = "10.244.1.10";
const CACHE: &str = "10.244.1.20";
const DB: &str = "10.244.2.10";
const N1: &str = "192.168.1.11";
const N2: &str = "192.168.1.12";
const OUTSIDE: &str = "203.0.113.66";
const RULE: &str = "<- [app=web] TCP 5432";

/// Web and a cache on one node, which talk, and a database on another.
fn pods(world: World) -> World {
    world
        .namespace("shop")
        .pod("shop", "web", WEB, "n1", "app=web")
        .pod("shop", "cache", CACHE, "n1", "app=cache")
        .pod("shop", "db", DB, "n2", "app=db")
        .tcp(WEB, CACHE, 6379)
}

fn shop() -> World {
    pods(World::default().node("n1", N1, &["10.244.1.0/24"]).node("n2", N2, &["10.244.2.0/24"]))
}

/// A handshake and data of `client` with port 5432 of `server`, each packet wrapped; the outer addresses are those of the client's side
/// and of the server's.
fn inside(mut world: World, (client, server): (&str, &str), outer: (&str, &str), wraps: &[Wrap]) -> World {
    let to = |flags, sequence, acknowledgment, payload: &[u8]| {
        (ip(client, server, tcp_at(41000, 5432, flags, sequence, acknowledgment, payload)), outer)
    };
    let back = |flags, sequence, acknowledgment, payload: &[u8]| {
        let packet = ip(server, client, tcp_at(5432, 41000, flags, sequence, acknowledgment, payload));
        (packet, (outer.1, outer.0))
    };
    let packets = [
        to(SYN, 100, 0, b""),
        back(SYN | ACK, 500, 101, b""),
        to(ACK, 101, 501, b""),
        to(ACK | PSH, 101, 501, b"ask"),
        back(ACK | PSH, 501, 104, b"answer"),
        to(ACK, 104, 507, b""),
    ];
    for (packet, (from, to)) in packets {
        let wrapped = wraps.iter().fold(packet, |packet, wrap| ip(from, to, wrap(&packet)));
        world.packet(&wrapped);
    }
    world.wait(1)
}

/// The policies from the capture itself, and from the flow file that was made of it without an inventory.
fn learn_both(world: &World, arguments: &[&str]) -> [Learned; 2] {
    let folder = tempfile::tempdir().unwrap();
    let (capture, inventory) = world.write(folder.path());
    let flows = folder.path().join("flows.zst");
    let converted = Command::new(env!("CARGO_BIN_EXE_netpol-gen"))
        .args(["capture", "--read"])
        .arg(&capture)
        .arg("--output")
        .arg(&flows)
        .output()
        .unwrap();
    assert!(converted.status.success(), "{}", String::from_utf8_lossy(&converted.stderr));
    let learn = |capture| learn_files(tempfile::tempdir().unwrap(), capture, std::slice::from_ref(&inventory), arguments);
    [learn(&capture), learn(&flows)]
}

/// What must come out: parts of rules that are there, and that are not; a finding's code and a part of it.
struct Expected<'a> {
    rules: &'a [&'a str],
    no_rules: &'a [&'a str],
    finding: Option<(&'a str, &'a str)>,
}

const OPENED: Expected<'_> = Expected { rules: &[RULE], no_rules: &[OUTSIDE], finding: None };
const FOREIGN: &str = "tunnel-not-between-nodes";
const CODES: [&str; 4] = [FOREIGN, "unknown-tunnel-end", "unchecked-tunnels", "overlay-not-opened"];

fn refused<'a>(code: &'a str, part: &'a str) -> Expected<'a> {
    Expected { rules: &[], no_rules: &["5432", "[app=db]"], finding: Some((code, part)) }
}

fn check(name: &str, world: &World, arguments: &[&str], expected: &Expected<'_>, wrong: &mut Vec<String>) {
    let both = learn_both(world, arguments);
    for (learned, source) in both.iter().zip(["capture", "flow file"]) {
        let name = format!("{name} ({source})");
        if learned.code != Some(0) {
            wrong.push(format!("{name}: {:?} {}", learned.code, learned.messages));
            continue;
        }
        let rules = learned.rules();
        let has = |part: &&&str| rules.iter().any(|rule| rule.contains(**part));
        expected.rules.iter().filter(|part| !has(part)).for_each(|part| wrong.push(format!("{name}: no {part}: {rules:#?}")));
        expected.no_rules.iter().filter(has).for_each(|part| wrong.push(format!("{name}: there is {part}: {rules:#?}")));
        let codes = learned.codes();
        let found: Vec<&str> = CODES.into_iter().filter(|code| codes.contains(code)).collect();
        let wanted: Vec<&str> = expected.finding.iter().map(|(code, _)| *code).collect();
        if found != wanted {
            wrong.push(format!("{name}: {found:?}, not {wanted:?}"));
        }
        if let Some((code, part)) = expected.finding
            && !learned.findings(code).iter().any(|finding| finding.contains(part))
        {
            wrong.push(format!("{name}: no {part} in {:?}", learned.findings(code)));
        }
    }
    if both[0].policies != both[1].policies {
        wrong.push(format!("{name}: the flow file gives other policies"));
    }
}

#[test]
fn only_tunnels_between_nodes_are_opened() {
    let mut wrong = Vec::new();
    for (kind, wrap) in ALL {
        let row = |pair, outer| inside(shop(), pair, outer, &[wrap]);
        let rows = [
            ("between the pods' nodes", row((WEB, DB), (N1, N2)), OPENED),
            ("from a pod to outside", row((WEB, DB), (WEB, OUTSIDE)), refused(FOREIGN, "(10.244.1.10) -> 203.0.113.66")),
            ("from a pod to a node", row((WEB, DB), (WEB, N2)), refused(FOREIGN, "node n2")),
            ("from outside to a node", row((WEB, DB), (OUTSIDE, N2)), refused(FOREIGN, "203.0.113.66 -> node n2")),
            ("masqueraded, as from a pod of another node", row((DB, CACHE), (N1, N2)), refused(FOREIGN, "not on these nodes")),
            (
                "unknown ends",
                row((WEB, DB), ("172.31.9.1", "172.31.9.2")),
                refused("unknown-tunnel-end", "172.31.9.1, 172.31.9.2"),
            ),
        ];
        for (name, world, expected) in rows {
            check(&format!("{kind} {name}"), &world, &[], &expected, &mut wrong);
        }
    }
    let mirrored = inside(shop(), (WEB, DB), (N1, "172.31.9.9"), &[VXLAN]);
    let mirror = ["--tunnel-endpoint", "172.31.9.0/24"];
    check("a mirror's collector, declared", &mirrored, &mirror, &OPENED, &mut wrong);
    check(
        "a pod in a declared range",
        &inside(shop(), (WEB, DB), (WEB, N2), &[VXLAN]),
        &["--tunnel-endpoint", "0.0.0.0/0"],
        &refused(FOREIGN, WEB),
        &mut wrong,
    );
    let no_nodes = inside(pods(World::default()), (WEB, DB), (N1, N2), &[GENEVE]);
    let unchecked = Expected { finding: Some(("unchecked-tunnels", "no nodes")), ..OPENED };
    check("without nodes in the inventory", &no_nodes, &[], &unchecked, &mut wrong);
    let never = Expected { rules: &[], no_rules: &["5432"], finding: None };
    check("with --no-decapsulation", &inside(shop(), (WEB, DB), (N1, N2), &[VXLAN]), &["--no-decapsulation"], &never, &mut wrong);
    check("an overlay in a mirror", &inside(shop(), (WEB, DB), (N1, N2), &[IP_IN_IP, VXLAN]), &[], &OPENED, &mut wrong);
    let three = inside(shop(), (WEB, DB), (N1, N2), &[VXLAN, GRE, VXLAN]);
    check("three in each other", &three, &[], &refused(FOREIGN, "more tunnels"), &mut wrong);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn tunnels_over_ipv6_are_judged_alike() {
    let (web, db) = ("fd00:10:1::10", "fd00:10:2::10");
    let world = || {
        World::default()
            .node("n1", "fd00:1::11", &["fd00:10:1::/64"])
            .node("n2", "fd00:1::12", &["fd00:10:2::/64"])
            .namespace("shop")
            .pod("shop", "web", web, "n1", "app=web")
            .pod("shop", "cache", "fd00:10:1::20", "n1", "app=cache")
            .pod("shop", "db", db, "n2", "app=db")
            .tcp(web, "fd00:10:1::20", 6379)
    };
    let mut wrong = Vec::new();
    for (kind, wrap) in [("VXLAN", VXLAN), ("Geneve", GENEVE), ("GRE", GRE)] {
        let own = inside(world(), (web, db), ("fd00:1::11", "fd00:1::12"), &[wrap]);
        check(&format!("{kind} between nodes"), &own, &[], &OPENED, &mut wrong);
        let foreign = inside(world(), (web, db), (web, "2001:db8::66"), &[wrap]);
        check(&format!("{kind} from a pod"), &foreign, &[], &refused(FOREIGN, web), &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_real_exchange_in_the_form_of_a_tunnel_is_an_edge() {
    let mut wrong = Vec::new();
    let egress = ["[app=web] -> 203.0.113.66/32 UDP 4789"];
    let expected = Expected { rules: &egress, no_rules: &["5432"], finding: Some((FOREIGN, OUTSIDE)) };
    check("both call the port", &inside(shop(), (WEB, DB), (WEB, OUTSIDE), &[VXLAN]), &[], &expected, &mut wrong);
    let mut answered = shop();
    let form = ip(WEB, OUTSIDE, vxlan(1, &ethernet(&ip(DB, CACHE, udp(1, 2, b"x")))));
    answered.packet(&form);
    // To the port that the form comes from, where the frames of these tests have it.
    let from = u16::from_be_bytes([form[20], form[21]]);
    answered.packet(&ip(OUTSIDE, WEB, udp(4789, from, b"plain")));
    check("answered from the port", &answered, &[], &expected, &mut wrong);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn overlays_on_other_ports_are_named_between_nodes_only() {
    const ON_9999: Wrap = |packet| vxlan_to(9999, 1, &ethernet(packet));
    const FLANNEL: Wrap = |packet| udp(8285, 8285, packet);
    for (wrap, part) in [(ON_9999, "port 9999"), (FLANNEL, "flannel")] {
        // A flow file has no payload, so nothing can be recognised there.
        let learned = inside(shop(), (WEB, DB), (N1, N2), &[wrap]).learn(&[]);
        let findings = learned.findings("overlay-not-opened");
        assert!(findings.iter().any(|finding| finding.contains(part)), "{part}: {findings:?}");
        assert!(!learned.rules().iter().any(|rule| rule.contains("5432")), "{part}: {:?}", learned.rules());
        let from_pod = inside(shop(), (WEB, DB), (WEB, N2), &[wrap]).learn(&[]);
        assert!(!from_pod.codes().contains("overlay-not-opened"), "{part}: a pod may send what it likes");
    }
    let named = inside(shop(), (WEB, DB), (N1, N2), &[ON_9999]).learn(&["--vxlan-port", "9999"]);
    assert!(named.rules().iter().any(|rule| rule.contains(RULE)), "{:?}", named.rules());
}
