//! What becomes of each conversation: one class for each, and a word for what makes no rule.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::support::frames::{ACK, PSH, ip, tcp_at, udp};
use crate::world::{Learned, World, learn_files};

const NODE_1: &str = "192.168.0.1";
const NODE_2: &str = "192.168.0.2";
const WEB: &str = "10.244.1.10";
const DB: &str = "10.244.1.11";
const API: &str = "10.244.2.10";
/// In the pod range of node 1, and no pod's.
const NOBODY: &str = "10.244.1.99";
const OUTSIDE: &str = "203.0.113.7";

/// Three pods on two nodes; two of them talk.
fn cluster() -> World {
    World::default()
        .node("n1", NODE_1, &["10.244.1.0/24"])
        .node("n2", NODE_2, &["10.244.2.0/24"])
        .namespace("prod")
        .pod("prod", "web", WEB, "n1", "app=web")
        .pod("prod", "db", DB, "n1", "app=db")
        .pod("prod", "api", API, "n2", "app=api")
        .tcp(WEB, DB, 5432)
}

/// Two pods with a further interface each, on one network.
fn with_interfaces(world: World) -> World {
    let status = |own: &str, further: &str| {
        format!(
            "k8s.v1.cni.cncf.io/network-status: '[{{\"name\":\"cbr0\",\"interface\":\"eth0\",\"ips\":[\"{own}\"],\"default\":true}},{{\"name\":\"prod/fabric\",\"interface\":\"net1\",\"ips\":[\"{further}\"]}}]'"
        )
    };
    let (one, other) = (status("10.244.1.21", "192.168.77.1"), status("10.244.1.22", "192.168.77.2"));
    world.pod_with("prod", "one", "10.244.1.21", "n1", "app=one", "", &one).pod_with(
        "prod",
        "other",
        "10.244.1.22",
        "n1",
        "app=other",
        "",
        &other,
    )
}

/// A policy of the cluster, which nothing may pass.
fn closed(world: World, name: &str, app: &str, direction: &str) -> World {
    world.object(&format!(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: {name}, namespace: prod}}\nspec:\n  podSelector: {{matchLabels: {{app: {app}}}}}\n  policyTypes: [{direction}]"
    ))
}

/// Sends datagrams that nobody answers, from one socket, ten seconds apart.
fn one_way(mut world: World, server: &str, port: u16, times: u32) -> World {
    for _ in 0..times {
        world.packet(&ip(WEB, server, udp(50_123, port, b"line")));
        world = world.wait(10);
    }
    world
}

/// Sends one segment in the middle of a connection.
fn segment(mut world: World, client: &str, server: &str, flags: u8, payload: &[u8]) -> World {
    world.packet(&ip(client, server, tcp_at(51_234, 6379, flags, 1000, 2000, payload)));
    world.wait(1)
}

fn sum(learned: &Learned, field: &str) -> u64 {
    learned.summary[field].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum()
}

/// What it is, the world, the classes expected beside one `edge`, codes that must be there, codes that must not.
type Row = (&'static str, World, &'static [(&'static str, u64)], &'static [&'static str], &'static [&'static str]);

#[test]
fn each_conversation_is_in_one_class() {
    let rows: [Row; 14] = [
        ("an edge", cluster(), &[], &[], &["unanswered-connection"]),
        (
            "an attempt that nobody answers",
            cluster().attempt(WEB, API, 8080),
            &[("unanswered", 1)],
            &["unanswered-connection"],
            &["denied-by-policy"],
        ),
        (
            "an attempt that a policy of the cluster denies",
            closed(cluster().attempt(WEB, API, 8080), "api-closed", "api", "Ingress"),
            &[("denied-by-policy", 1)],
            &["denied-by-policy"],
            &["unanswered-connection"],
        ),
        (
            "repeated datagrams that a policy of the cluster denies",
            closed(one_way(cluster(), API, 514, 6), "api-closed", "api", "Ingress"),
            &[("denied-by-policy", 1)],
            &["denied-by-policy"],
            &["one-way-udp", "unrepeated-udp"],
        ),
        ("one datagram", one_way(cluster(), API, 514, 1), &[("one-way", 1)], &["unrepeated-udp"], &["denied-by-policy"]),
        (
            "the own node",
            cluster().tcp(NODE_1, WEB, 8080),
            &[("own-node", 1)],
            &["own-node-traffic"],
            &["snat-hides-originator", "unattributed-address"],
        ),
        ("no pod at either end", cluster().tcp(OUTSIDE, NODE_2, 22), &[("no-pod", 1)], &[], &["unattributed-address"]),
        (
            "an address of the pod range that no pod has",
            cluster().tcp(WEB, NOBODY, 8080),
            &[("unattributed", 1)],
            &["unattributed-address"],
            &["unanswered-connection"],
        ),
        (
            "secondary interfaces",
            with_interfaces(cluster()).tcp("192.168.77.1", "192.168.77.2", 5000).tcp("192.168.77.1", "192.168.77.9", 5000),
            &[("secondary-interface", 2)],
            &["secondary-interface"],
            &["unattributed-address", "never-asked-by-name"],
        ),
        (
            "the middle of a connection, from one side",
            segment(cluster(), WEB, API, ACK, b""),
            &[("one-sided", 1)],
            &["one-sided-connection"],
            &["unanswered-connection", "weak-direction"],
        ),
        ("a pod and itself", cluster().tcp(WEB, WEB, 9000), &[("loopback", 1)], &[], &["unattributed-address"]),
        (
            "ports picked at run time",
            cluster().tcp(WEB, API, 40_001).tcp(WEB, API, 41_007).tcp(WEB, API, 42_013),
            &[("dynamic-port", 3)],
            &["dynamic-ports"],
            &[],
        ),
        (
            "a Service with nothing behind it",
            cluster()
                .object("apiVersion: v1\nkind: Service\nmetadata: {name: gone, namespace: prod}\nspec: {clusterIP: 10.96.0.9, clusterIPs: [10.96.0.9], selector: {app: gone}, ports: [{port: 80}]}")
                .tcp(WEB, "10.96.0.9", 80),
            &[("service-without-backends", 1)],
            &["service-without-backends"],
            &["unattributed-address"],
        ),
        ("multicast that is answered by nobody", one_way(cluster(), "224.0.0.251", 5353, 1), &[], &["multicast"], &["unrepeated-udp"]),
    ];
    for (what, world, classes, present, absent) in rows {
        let learned = world.learn(&[]);
        assert_eq!(learned.code, Some(0), "{what}: {}", learned.messages);
        let expected: BTreeMap<&str, u64> = classes.iter().copied().chain([("edge", 1)]).collect();
        let counted = learned.summary["flow_classes"].as_object().unwrap();
        let counted: BTreeMap<&str, u64> =
            counted.iter().map(|(class, count)| (class.as_str(), count.as_u64().unwrap())).collect();
        assert_eq!(counted, expected, "{what}: {}", learned.messages);
        assert_eq!(sum(&learned, "flows"), sum(&learned, "flow_classes"), "{what}: {}", learned.summary["flows"]);
        let codes = learned.codes();
        assert!(present.iter().all(|code| codes.contains(code)), "{what}: {codes:?}");
        assert!(!absent.iter().any(|code| codes.contains(code)), "{what}: {codes:?}");
        let expected = [
            "prod/allow-egress-from-web [app=web] -> [app=db] TCP 5432".to_owned(),
            "prod/allow-ingress-to-db [app=db] <- [app=web] TCP 5432".to_owned(),
        ];
        assert_eq!(learned.rules(), BTreeSet::from(expected), "{what}: no other rule");
    }
}

#[test]
fn a_scan_that_is_summed_up_is_counted() {
    let mut world = cluster();
    for port in 1..=600 {
        world.packet(&ip(OUTSIDE, API, tcp_at(40_000, port, crate::support::frames::SYN, 1, 0, b"")));
    }
    let learned = world.learn(&["--flows", "400"]);
    let classes = &learned.summary["flow_classes"];
    assert!(classes["flood"].as_u64() >= Some(256), "{classes}");
    assert_eq!(sum(&learned, "flow_classes"), 601, "{classes}");
    assert_eq!(sum(&learned, "flows"), 601, "{}", learned.summary["flows"]);
}

#[test]
fn a_failed_attempt_names_the_policies_that_deny_it() {
    let world = closed(cluster().attempt(WEB, API, 8080), "api-closed", "api", "Ingress");
    let learned = closed(world, "web-closed", "web", "Egress").learn(&[]);
    let message = "was not answered, and no policy of the cluster allows it: isolated by prod/api-closed, prod/web-closed";
    assert_eq!(learned.findings("denied-by-policy"), [format!("prod/web -> prod/api TCP 8080: {message}")]);
}

#[test]
fn who_talks_over_a_secondary_interface_is_not_silent() {
    let learned = with_interfaces(cluster()).tcp("192.168.77.1", "192.168.77.2", 5000).learn(&[]);
    let message = "talked over a secondary interface, on the network prod/fabric";
    assert_eq!(learned.findings("secondary-interface"), [format!("prod/one: {message}"), format!("prod/other: {message}")]);
    assert_eq!(learned.findings("workload-without-traffic"), ["prod/api: was not seen to talk"]);
}

#[test]
fn verify_counts_what_it_cannot_judge() {
    let learned = cluster().learn(&[]);
    let folder = tempfile::tempdir().unwrap();
    let (capture, inventory) = (0..16).fold(cluster(), |world, _| world.tcp(WEB, NOBODY, 8080)).write(folder.path());
    let rows: [(&[&str], i32); 3] = [(&[], 1), (&["--max-unattributed", "15"], 1), (&["--max-unattributed", "16"], 0)];
    for (arguments, expected) in rows {
        let (code, text, messages) = learned.verify(&capture, &inventory, arguments);
        assert_eq!(code, Some(expected), "{arguments:?}: {text}{messages}");
        assert!(text.contains("16 answered connections") && text.contains(NOBODY), "{arguments:?}: {text}");
        let json = [arguments, &["--format", "json"]].concat();
        let (code, text, _) = learned.verify(&capture, &inventory, &json);
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((code, &answer["unattributed"]["connections"]), (Some(expected), &16.into()), "{text}");
        assert_eq!(answer["unattributed"]["examples"][0]["workload"], "prod/web");
    }
    let (capture, inventory) = cluster().tcp(OUTSIDE, NODE_2, 22).attempt(WEB, NOBODY, 81).write(folder.path());
    let (code, text, _) = learned.verify(&capture, &inventory, &[]);
    assert_eq!(code, Some(0), "nothing was answered there: {text}");
}

#[test]
fn a_directory_says_what_it_could_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let (capture, inventory) = cluster().write(folder.path());
    let whole = fs::read(&capture).unwrap();
    let directory = folder.path().join("captures");
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("good.pcap"), &whole).unwrap();
    for (name, content) in [("README.md", "# captures\n"), ("cluster.yaml", "kind: List\n"), (".gitkeep", "")] {
        fs::write(directory.join(name), content).unwrap();
    }
    let learn = || {
        let folder = tempfile::tempdir().unwrap();
        learn_files(folder, &directory, std::slice::from_ref(&inventory), &[])
    };
    let learned = learn();
    assert_eq!(learned.code, Some(0), "{}", learned.messages);
    assert_eq!(learned.findings("file-passed-over").len(), 3, "{}", learned.messages);
    let rows: [(&str, &[u8]); 5] = [
        ("text.pcap", b"tcpdump: no permission\n"),
        ("noise.cap", &[7, 1, 200, 3, 250, 0, 0, 9]),
        ("empty.pcapng", b""),
        ("cut.pcap", &whole[..10]),
        ("no-ending", b"some words\n"),
    ];
    for (name, content) in rows {
        fs::write(directory.join(name), content).unwrap();
        let learned = learn();
        assert_eq!(learned.code, Some(2), "{name}: {}", learned.messages);
        assert!(
            learned.messages.contains(&format!("{name}: ")) || learned.messages.contains(name),
            "{name}: {}",
            learned.messages
        );
        assert_eq!(learned.rules().len(), 2, "{name}: what could be read is learned from");
        fs::remove_file(directory.join(name)).unwrap();
    }
}

/// Runs `explain` from web to an address; exit code, standard output, standard error.
fn explain(learned: &Learned, to: &str) -> (Option<i32>, String) {
    let (_, inventory) = cluster().write(learned.folder.path());
    let mut command = Command::new(env!("CARGO_BIN_EXE_netpol-gen"));
    command.args(["explain", "--policies"]).arg(&learned.output).arg("--inventory").arg(inventory);
    let result = command.args(["--from", "prod/web", "--to", to, "--port", "5432"]).output().unwrap();
    let text = [result.stdout, result.stderr].concat();
    (result.status.code(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn every_address_can_be_explained() {
    let learned = cluster().learn(&[]);
    let rows = [
        (DB, 0, "prod/db"),
        (API, 1, "prod/api"),
        (NOBODY, 1, "of no pod or Service that is known"),
        (NODE_2, 1, "n2"),
        (OUTSIDE, 1, OUTSIDE),
        ("169.254.169.254", 1, "169.254.169.254"),
        ("fd00:1234::1", 1, "fd00:1234::1"),
    ];
    for (to, expected, words) in rows {
        let (code, text) = explain(&learned, to);
        assert_eq!(code, Some(expected), "{to}: {text}");
        assert!(text.contains(words), "{to}: {text}");
    }
}

#[test]
fn a_node_is_seen_by_what_only_a_capture_there_shows() {
    let unseen = cluster().learn(&[]).findings("node-not-seen");
    assert_eq!(unseen, ["node n2: has one pod, which was not seen to send or answer anything: prod/api"]);
    let probed = cluster().attempt(NODE_2, API, 8080).learn(&[]);
    assert_eq!(probed.findings("node-not-seen"), [""; 0], "a probe of the own node, though not answered");
    let elsewhere = cluster().attempt(WEB, API, 8080).learn(&[]);
    assert_eq!(elsewhere.findings("node-not-seen").len(), 1, "an attempt is seen where it begins");
}

/// web behind a Service of a type and, perhaps, an Ingress; the pod has a readiness probe.
fn exposed(service: &str, has_ingress: bool) -> World {
    let pod = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: shop, namespace: prod, uid: uid-shop, labels: {{app: shop}}}}\nspec:\n  nodeName: n1\n  containers:\n  - {{name: main, image: example/main:1, ports: [{{containerPort: 8080}}], readinessProbe: {{httpGet: {{port: 8080}}}}}}\nstatus: {{phase: Running, podIP: 10.244.1.30, podIPs: [{{ip: 10.244.1.30}}], hostIP: {NODE_1}}}"
    );
    let controller = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: ingress-nginx-controller-x2x4z, namespace: ingress, uid: uid-in, labels: {{app.kubernetes.io/name: ingress-nginx}}}}\nspec:\n  nodeName: n2\n  hostNetwork: true\n  containers:\n  - {{name: main, image: example/main:1}}\nstatus: {{phase: Running, podIP: {NODE_2}, podIPs: [{{ip: {NODE_2}}}], hostIP: {NODE_2}}}"
    );
    let world = cluster().object(&pod).object(&controller).object(&format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: shop, namespace: prod}}\nspec: {{type: {service}, clusterIP: 10.96.0.30, clusterIPs: [10.96.0.30], selector: {{app: shop}}, ports: [{{port: 80, targetPort: 8080}}]}}"
    ));
    if !has_ingress {
        return world;
    }
    world.object("apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: shop, namespace: prod}\nspec: {defaultBackend: {service: {name: shop, port: {number: 80}}}}")
}

#[test]
fn a_caller_is_hidden_only_where_a_node_forwards() {
    let rows: [(&str, World, &str, bool); 6] = [
        ("the own node's probe", exposed("NodePort", false), NODE_1, false),
        ("a node port through another node", exposed("LoadBalancer", false), NODE_2, true),
        ("the ingress controller on another node", exposed("NodePort", true), NODE_2, false),
        ("the same, with no node port", exposed("ClusterIP", true), NODE_2, false),
        ("no node port, and no controller there", exposed("ClusterIP", true), "192.168.0.3", false),
        ("a node port through a node without the controller", exposed("NodePort", true), "192.168.0.3", true),
    ];
    for (what, world, caller, expected) in rows {
        let learned = world.node("n3", "192.168.0.3", &["10.244.3.0/24"]).tcp(caller, "10.244.1.30", 8080).learn(&[]);
        assert_eq!(learned.code, Some(0), "{what}: {}", learned.messages);
        let found = learned.findings("snat-hides-originator");
        assert_eq!(!found.is_empty(), expected, "{what}: {found:?}");
        let named = learned.findings("remote-node-traffic");
        let is_named = named.iter().any(|line| line.contains("on its network runs ingress/ingress-nginx-controller-x2x4z"));
        assert_eq!(is_named, caller == NODE_2, "{what}: {named:?}");
    }
    let (port, data) = (8080, segment(cluster(), API, WEB, ACK | PSH, b"data"));
    let learned = data.tcp(NODE_2, WEB, port).learn(&[]);
    assert!(!learned.codes().contains("snat-hides-originator"), "nothing is forwarded to it: {}", learned.messages);
}
