//! Who may name an address for a pod, and who tries.

use std::fs;
use std::process::Command;

use netpol_gen::inventory::snapshot::narrow as narrowed;
use serde_json::Value;

use crate::support::frames::{ACK, DNS_ANSWER, DNS_QUERY, PSH, dns, dns_address, ip, tcp, udp};
use crate::world::{Learned, World};

const WEB: &str = "10.244.1.13";
const API: &str = "10.244.1.14";
const RESOLVER: &str = "10.244.1.53";
const SERVICE: &str = "10.96.0.10";
const OUTSIDE: &str = "203.0.113.66";
const NAME: &str = "updates.example.com";

/// A cluster with a resolver and two pods; `spec` is added to the specification of the first.
fn cluster(spec: &str) -> World {
    let mut world = World::default().namespace("shop").namespace("kube-system").node("n1", "10.0.0.11", &["10.244.1.0/24"]);
    for (namespace, name, address, label, spec) in [
        ("shop", "web", WEB, "app: web", spec),
        ("shop", "api", API, "app: api", ""),
        ("kube-system", "coredns", RESOLVER, "k8s-app: kube-dns", ""),
    ] {
        world = world.object(&format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: {namespace}, labels: {{{label}}}}}\nspec:\n  nodeName: n1\n  containers: [{{name: main, image: example/main:1}}]\n{spec}status: {{phase: Running, podIP: {address}, startTime: \"2026-09-21T10:00:01Z\"}}"
        ));
    }
    world.object(&format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: kube-dns, namespace: kube-system, labels: {{k8s-app: kube-dns}}}}\nspec: {{type: ClusterIP, clusterIP: {SERVICE}, clusterIPs: [{SERVICE}], selector: {{k8s-app: kube-dns}}, ports: [{{name: dns, port: 53, protocol: UDP}}, {{name: dns-tcp, port: 53, protocol: TCP}}]}}"
    ))
}

/// A message with this id.
fn message(id: u16, flags: u16, name: &str, address: Option<&str>) -> Vec<u8> {
    let answers: Vec<_> = address.map(dns_address).map(|(kind, content)| (name, kind, 30, content)).into_iter().collect();
    let mut message = dns(flags, name, &answers);
    message[..2].copy_from_slice(&id.to_be_bytes());
    message
}

fn question(world: &mut World, asker: &str, port: u16, server: &str, id: u16) {
    world.packet(&ip(asker, server, udp(port, 53, &message(id, DNS_QUERY, NAME, None))));
}

fn answer(world: &mut World, server: &str, asker: &str, port: u16, id: u16) {
    world.packet(&ip(server, asker, udp(53, port, &message(id, DNS_ANSWER, NAME, Some(OUTSIDE)))));
}

/// Whether the policy for the call to the outside address is named after the answer. The edge is there in any case.
fn is_named(learned: &Learned) -> bool {
    let rules = learned.rules();
    assert!(rules.iter().any(|rule| rule.contains(&format!("-> {OUTSIDE}/32 TCP 443"))), "{rules:#?}\n{}", learned.messages);
    learned.policies.keys().any(|name| name.contains("updates-example-com"))
}

type Talk = fn(&mut World);

#[test]
#[expect(clippy::too_many_lines, reason = "a table, a row for each server")]
fn an_answer_names_an_address_where_the_pods_own_resolver_was_asked() {
    const OWN: &str = "  dnsPolicy: None\n  dnsConfig: {nameservers: [192.0.2.53]}\n";
    const OWN_SERVICE: &str = "  dnsPolicy: None\n  dnsConfig: {nameservers: [10.96.0.10]}\n";
    const AS_NODE: &str = "  dnsPolicy: Default\n";
    let asks_service: Talk = |world| {
        question(world, WEB, 40_000, SERVICE, 7);
        answer(world, SERVICE, WEB, 40_000, 7);
    };
    let asks_own: Talk = |world| {
        question(world, WEB, 40_000, "192.0.2.53", 7);
        answer(world, "192.0.2.53", WEB, 40_000, 7);
    };
    let rows: [(&str, &str, Talk, bool); 20] = [
        ("the Service", "", asks_service, true),
        (
            "a pod behind it",
            "",
            |world| {
                question(world, WEB, 40_000, RESOLVER, 7);
                answer(world, RESOLVER, WEB, 40_000, 7);
            },
            true,
        ),
        (
            "asked before translation, answered after it",
            "",
            |world| {
                question(world, WEB, 40_000, SERVICE, 7);
                answer(world, RESOLVER, WEB, 40_000, 7);
            },
            true,
        ),
        (
            "both views",
            "",
            |world| {
                question(world, WEB, 40_000, SERVICE, 7);
                question(world, WEB, 40_000, RESOLVER, 7);
                answer(world, RESOLVER, WEB, 40_000, 7);
                answer(world, SERVICE, WEB, 40_000, 7);
            },
            true,
        ),
        (
            "a cache on the node",
            "",
            |world| {
                question(world, WEB, 40_000, "169.254.20.10", 7);
                answer(world, "169.254.20.10", WEB, 40_000, 7);
            },
            true,
        ),
        (
            "the node",
            "",
            |world| {
                question(world, WEB, 40_000, "10.0.0.11", 7);
                answer(world, "10.0.0.11", WEB, 40_000, 7);
            },
            true,
        ),
        (
            "over TCP",
            "",
            |world| {
                let framed = |message: Vec<u8>| [&u16::try_from(message.len()).unwrap().to_be_bytes()[..], &message].concat();
                world.packet(&ip(WEB, SERVICE, tcp(40_000, 53, ACK | PSH, &framed(message(7, DNS_QUERY, NAME, None)))));
                world.packet(&ip(SERVICE, WEB, tcp(53, 40_000, ACK | PSH, &framed(message(7, DNS_ANSWER, NAME, Some(OUTSIDE))))));
            },
            true,
        ),
        ("a resolver outside", "", asks_own, false),
        ("a resolver of its dnsConfig", OWN, asks_own, true),
        (
            "a Service of its dnsConfig, seen behind it",
            OWN_SERVICE,
            |world| {
                question(world, WEB, 40_000, RESOLVER, 7);
                answer(world, RESOLVER, WEB, 40_000, 7);
            },
            true,
        ),
        ("whoever the node asks", AS_NODE, asks_own, true),
        (
            "whoever the node asks, and somebody else answers",
            AS_NODE,
            |world| {
                question(world, WEB, 40_000, "192.0.2.53", 7);
                answer(world, "192.0.2.54", WEB, 40_000, 7);
            },
            false,
        ),
        ("no question", "", |world| answer(world, SERVICE, WEB, 40_000, 7), false),
        ("no question, with any resolver", AS_NODE, |world| answer(world, SERVICE, WEB, 40_000, 7), false),
        (
            "an answer before its question",
            "",
            |world| {
                answer(world, SERVICE, WEB, 40_000, 7);
                question(world, WEB, 40_000, SERVICE, 7);
            },
            false,
        ),
        (
            "another id",
            "",
            |world| {
                question(world, WEB, 40_000, SERVICE, 7);
                answer(world, SERVICE, WEB, 40_000, 8);
            },
            false,
        ),
        (
            "another port",
            "",
            |world| {
                question(world, WEB, 40_000, SERVICE, 7);
                answer(world, SERVICE, WEB, 40_001, 7);
            },
            false,
        ),
        (
            "a stranger answers the resolver's question",
            "",
            |world| {
                question(world, WEB, 40_000, SERVICE, 7);
                answer(world, API, WEB, 40_000, 7);
            },
            false,
        ),
        (
            "it asks itself",
            "",
            |world| {
                question(world, WEB, 40_000, WEB, 7);
                answer(world, WEB, WEB, 40_000, 7);
            },
            false,
        ),
        (
            "it asks another pod",
            "",
            |world| {
                question(world, WEB, 40_000, API, 7);
                answer(world, API, WEB, 40_000, 7);
            },
            false,
        ),
    ];
    for (what, spec, talk, expected) in rows {
        let mut world = cluster(spec);
        talk(&mut world);
        let learned = world.tcp(WEB, OUTSIDE, 443).learn(&[]);
        assert_eq!(is_named(&learned), expected, "{what}\n{}", learned.messages);
        assert_eq!(learned.codes().contains("dns-answer-not-used"), !expected, "{what}\n{}", learned.messages);
    }
}

#[test]
fn what_is_known_of_a_question_goes_through_flow_files_and_narrow_inventories() {
    for (spec, server, expected) in [
        ("", SERVICE, true),
        ("", "192.0.2.53", false),
        ("  dnsPolicy: Default\n", "192.0.2.53", true),
        ("  dnsConfig: {nameservers: [192.0.2.53]}\n", "192.0.2.53", true),
    ] {
        let mut world = cluster(spec);
        question(&mut world, WEB, 40_000, server, 7);
        answer(&mut world, server, WEB, 40_000, 7);
        let world = world.tcp(WEB, OUTSIDE, 443);
        let folder = tempfile::tempdir().unwrap();
        let (capture, inventory) = world.write(folder.path());
        let (flows, narrow) = (folder.path().join("flows.jsonl"), folder.path().join("narrow.yaml"));
        let program = Command::new(env!("CARGO_BIN_EXE_netpol-gen"))
            .args(["capture", "--read"])
            .arg(&capture)
            .arg("--output")
            .arg(&flows)
            .output()
            .unwrap();
        assert!(program.status.success(), "{}", String::from_utf8_lossy(&program.stderr));
        let objects: Vec<Value> = serde_saphyr::from_multiple(&fs::read_to_string(inventory).unwrap()).unwrap();
        let objects: Vec<Value> = objects.iter().map(narrowed).collect();
        fs::write(&narrow, serde_json::to_vec(&objects).unwrap()).unwrap();
        let learned = crate::world::learn_files(folder, &flows, &[narrow], &[]);
        assert_eq!(is_named(&learned), expected, "{spec} {server}\n{}", learned.messages);
    }
}

#[test]
fn one_pods_names_push_out_nobody_elses() {
    let mut world = cluster("");
    for number in 0..30_000_u32 {
        let id = u16::try_from(number % 65_536).unwrap();
        let name = format!("{number:0>60}.{number:0>60}.flood.example");
        let address = std::net::Ipv4Addr::from(0x5db8_0000 + number).to_string();
        world.packet(&ip(API, SERVICE, udp(40_000, 53, &message(id, DNS_QUERY, &name, None))));
        world.packet(&ip(SERVICE, API, udp(53, 40_000, &message(id, DNS_ANSWER, &name, Some(&address)))));
    }
    question(&mut world, WEB, 40_000, SERVICE, 7);
    answer(&mut world, SERVICE, WEB, 40_000, 7);
    let learned = world.tcp(WEB, OUTSIDE, 443).learn(&[]);
    assert!(is_named(&learned), "{}", learned.messages);
    let said = learned.findings("dns-answer-not-used");
    assert!(said.iter().any(|said| said.starts_with(API) && said.contains("more names than are kept")), "{said:?}");
}
