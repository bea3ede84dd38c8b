//! Captures on a node that say at which interface a frame was seen, or who sent it: pods that forge packets are found by that.

use std::fs;

use crate::hostile_senders::{API, DB, OUTSIDE, WEB, handshake, shop};
use crate::support::captures::{Captured, Order, Pcapng, Variant, pcap};
use crate::support::frames::{ether_type, ip, udp};
use crate::world::{Learned, learn_files};

/// How a capture tells where frames were seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// By the sender's link address and the packet type.
    Cooked1,
    /// By interface and packet type.
    Cooked2,
    /// By interface and flags of each packet.
    Flags,
}

const FORMS: [Form; 3] = [Form::Cooked1, Form::Cooked2, Form::Flags];

/// Interfaces of the node: one for each pod, a bridge and the uplink.
const OF_WEB: u8 = 1;
const OF_API: u8 = 2;
const OF_DB: u8 = 3;
const BRIDGE: u8 = 8;
const UPLINK: u8 = 9;

/// A frame: at which interface, whether it came in, the last byte of the sender's link address, the packet.
type Seen = (u8, bool, u8, Vec<u8>);

/// The capture of these frames.
fn capture(form: Form, frames: &[Seen]) -> Vec<u8> {
    let at = |position: usize| 1_790_000_000_000_000_000 + i64::try_from(position).unwrap() * 1_000_000;
    let cooked = |(interface, is_inbound, last, packet): &Seen| {
        let (protocol, kind) = (ether_type(packet).to_be_bytes(), if *is_inbound { 0 } else { 4 });
        let address = [2, 0, 0, 0, 0, *last, 0, 0];
        if form == Form::Cooked1 {
            return [&[0, kind, 0, 1, 0, 6][..], &address, &protocol, packet].concat();
        }
        [&protocol[..], &[0, 0, 0, 0, 0, *interface, 0, 1, kind, 6], &address, packet].concat()
    };
    if form != Form::Flags {
        let frames: Vec<_> =
            frames.iter().enumerate().map(|(position, seen)| Captured::whole(at(position), cooked(seen))).collect();
        return pcap(Order::Little, Variant::Nanoseconds, if form == Form::Cooked1 { 113 } else { 276 }, &frames);
    }
    let mut file = Pcapng::new(Order::Little);
    for _ in 0..=UPLINK {
        file = file.interface_with_resolution(1, 9);
    }
    for (position, (interface, is_inbound, last, packet)) in frames.iter().enumerate() {
        let bytes = [&[2, 0, 0, 0, 0, 99, 2, 0, 0, 0, 0, *last][..], &ether_type(packet).to_be_bytes(), packet].concat();
        let options = [file.option(1, b"a comment"), file.option(2, &[if *is_inbound { 1 } else { 2 }, 0, 0, 0])].concat();
        let at = at(position);
        file = file.enhanced_with((*interface).into(), at.unsigned_abs(), &Captured::whole(at, bytes), &options);
    }
    file.bytes
}

fn learn(form: Form, frames: &[Seen]) -> Learned {
    let folder = tempfile::tempdir().unwrap();
    let (path, inventory) = (folder.path().join("node.cap"), folder.path().join("inventory.yaml"));
    fs::write(&path, capture(form, frames)).unwrap();
    // All of them are on the node.
    fs::write(&inventory, shop().inventory().replace("nodeName: n2", "nodeName: n1")).unwrap();
    learn_files(folder, &path, &[inventory], &[])
}

/// The interface at which an address is reached.
fn interface(address: &str) -> u8 {
    match address {
        WEB => OF_WEB,
        API => OF_API,
        DB => OF_DB,
        _ => UPLINK,
    }
}

/// A packet on its way through the node, which routes it: it comes in at one interface and goes out at another.
fn routed(frames: &mut Vec<Seen>, from: &str, to: &str, packet: &[u8]) {
    let mut forwarded = packet.to_vec();
    forwarded[8] -= 1;
    let is_from_outside = interface(from) == UPLINK;
    frames.push((interface(from), true, interface(from), if is_from_outside { forwarded.clone() } else { packet.to_vec() }));
    frames.push((interface(to), false, 100 + interface(to), forwarded));
}

fn connection(frames: &mut Vec<Seen>, client: &str, server: &str, port: u16, own: u16) {
    for (is_back, packet) in handshake(client, server, port, own) {
        let (from, to) = if is_back { (server, client) } else { (client, server) };
        routed(frames, from, to, &packet);
    }
}

/// The shop at work: web calls api, api calls the database, web calls something outside.
fn at_work() -> Vec<Seen> {
    let mut frames = Vec::new();
    connection(&mut frames, WEB, API, 8080, 42_000);
    connection(&mut frames, API, DB, 5432, 42_001);
    connection(&mut frames, WEB, "198.51.100.7", 443, 42_002);
    frames
}

#[test]
fn what_comes_in_at_a_pods_interface_is_that_pods() {
    let mut wrong = Vec::new();
    for form in FORMS {
        let mut forged = vec![("with its own link address", OF_WEB)];
        if form != Form::Cooked1 {
            forged.extend([("with another pod's link address", OF_API), ("with a new link address", 77)]);
        }
        for (what, last) in forged {
            for (client, server, port) in [(API, OUTSIDE, 443), (OUTSIDE, DB, 3306)] {
                let mut frames = at_work();
                frames.extend(handshake(client, server, port, 51_000).map(|(_, packet)| (OF_WEB, true, last, packet)));
                let learned = learn(form, &frames);
                if !learned.findings("spoofed-source").iter().any(|finding| finding.starts_with("shop/web: ")) {
                    wrong.push(format!("{form:?}, {what}: {:?}", learned.findings("spoofed-source")));
                }
                let rules = learned.rules();
                if rules.iter().any(|rule| rule.contains(OUTSIDE)) || !rules.iter().any(|rule| rule.contains("TCP 5432")) {
                    wrong.push(format!("{form:?}, {what}: {rules:#?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn honest_traffic_of_a_node_accuses_nobody() {
    // The log of api, which nobody answers, passes a bridge that has answered traffic of web alone.
    let mut bridged = Vec::new();
    for (is_back, packet) in handshake(WEB, OUTSIDE, 443, 42_000) {
        if is_back {
            bridged.push((UPLINK, true, UPLINK, packet.clone()));
            bridged.push((BRIDGE, false, 100 + BRIDGE, packet.clone()));
            bridged.push((OF_WEB, false, 100 + BRIDGE, packet));
        } else {
            bridged.push((OF_WEB, true, OF_WEB, packet.clone()));
            bridged.push((BRIDGE, true, OF_WEB, packet.clone()));
            bridged.push((UPLINK, false, UPLINK, packet));
        }
    }
    for number in 0..1_000 {
        let packet = ip(API, WEB, udp(40_000 + number % 2, 8125, b"log"));
        bridged.push((OF_API, true, OF_API, packet.clone()));
        bridged.push((BRIDGE, true, OF_API, packet.clone()));
        bridged.push((OF_WEB, false, OF_API, packet));
    }
    let mut wrong = Vec::new();
    for form in FORMS {
        for (what, frames, part) in [("routed", at_work(), "TCP 5432"), ("bridged", bridged.clone(), "UDP 8125")] {
            let learned = learn(form, &frames);
            if ["spoofed-source", "forwarding-pod"].iter().any(|code| learned.codes().contains(code)) {
                wrong.push(format!("{form:?}, {what}: {}", learned.messages));
            }
            if !learned.rules().iter().any(|rule| rule.contains(part) && !rule.contains("quarantined")) {
                wrong.push(format!("{form:?}, {what}: no {part}: {:#?} {}", learned.rules(), learned.messages));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
