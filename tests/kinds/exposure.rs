//! Workloads that the internet may call, and those that ask for the cloud's credentials: neither is opened by what one client did.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::world::{Learned, World};

/// What a rule for everyone on the internet says of IPv4 in the cluster of these rows: its pods, Services and nodes have private
/// addresses.
const INTERNET: &str = "0.0.0.0/0 except 0.0.0.0/8,10.0.0.0/8,100.64.0.0/10,127.0.0.0/8,168.63.129.16/32,169.254.0.0/16,\
    172.16.0.0/12,192.0.0.0/24,192.168.0.0/16,198.18.0.0/15,224.0.0.0/3";
/// The same of IPv6.
const INTERNET_6: &str = "::/0 except ::/127,100::/64,fc00::/7,fe80::/10,ff00::/8";

/// Three clients in two networks.
const PUBLIC: [&str; 3] = ["198.51.100.7", "198.51.100.23", "203.0.113.50"];

const WEB: &str = "10.244.1.10";
const WEB_6: &str = "fd00:10:244:1::10";

/// A Service in front of `web`, with these further fields of its `spec`.
fn service(fields: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: web, namespace: prod}}\nspec:\n  clusterIP: 10.96.0.80\n  \
         selector: {{app: web}}\n  ports:\n  - {{name: http, port: 80, targetPort: 8080}}\n  - {{name: admin, port: 81, targetPort: 9090}}\n  {fields}"
    )
}

fn ingress() -> String {
    "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: web, namespace: prod}\nspec:\n  defaultBackend:\n    \
     service: {name: web, port: {number: 80}}"
        .to_owned()
}

/// A controller on the network of node n2.
fn controller() -> String {
    "apiVersion: v1\nkind: Pod\nmetadata: {name: ingress-nginx, namespace: prod, labels: {app: ingress-nginx}}\nspec:\n  \
     nodeName: n2\n  hostNetwork: true\n  containers:\n  - {name: c, image: example/c:1}\nstatus:\n  phase: Running\n  \
     startTime: \"2026-09-21T10:00:01Z\"\n  hostIP: 10.0.0.2\n  podIP: 10.0.0.2\n  podIPs:\n  - {ip: 10.0.0.2}"
        .to_owned()
}

/// A pod `web` whose port 8080 its node forwards.
fn host_port() -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: web, namespace: prod, labels: {{app: web}}}}\nspec:\n  nodeName: n1\n  \
         containers:\n  - name: c\n    image: example/c:1\n    ports:\n    - {{containerPort: 8080, hostPort: 80}}\nstatus:\n  \
         phase: Running\n  startTime: \"2026-09-21T10:00:01Z\"\n  podIP: {WEB}\n  podIPs:\n  - {{ip: {WEB}}}"
    )
}

fn cluster(exposed: &[String]) -> World {
    let world =
        World::default().node("n1", "10.0.0.1", &["10.244.1.0/24"]).node("n2", "10.0.0.2", &["10.244.2.0/24"]).namespace("prod");
    let world = if exposed.iter().any(|object| object.contains("hostPort")) {
        world
    } else {
        world.pod("prod", "web", WEB, "n1", "app=web")
    };
    exposed.iter().fold(world, |world, object| world.object(object))
}

/// Who may call, with the ports, without the names of the policies.
fn callers(learned: &Learned) -> BTreeSet<String> {
    let rules = learned.rules();
    rules.iter().filter_map(|rule| Some(rule.split_once(" <- ")?.1.to_owned())).collect()
}

/// One row: what it shows, how `web` is exposed, who calls it on which port, arguments, decisions, who may call on port 8080
/// if not said otherwise, findings that must be there and findings that must not.
struct Row {
    what: &'static str,
    exposed: Vec<String>,
    calls: Vec<(&'static str, u16)>,
    arguments: &'static [&'static str],
    decisions: &'static str,
    expected: Vec<&'static str>,
    told: &'static [&'static str],
}

impl Row {
    fn new(what: &'static str, clients: &[&'static str], expected: &[&'static str]) -> Self {
        Self {
            what,
            exposed: vec![service("type: LoadBalancer")],
            calls: clients.iter().map(|client| (*client, 8080)).collect(),
            arguments: &[],
            decisions: "",
            expected: expected.to_vec(),
            told: &[],
        }
    }

    fn exposed(self, exposed: Vec<String>) -> Self {
        Self { exposed, ..self }
    }

    fn arguments(self, arguments: &'static [&'static str]) -> Self {
        Self { arguments, ..self }
    }

    fn decisions(self, decisions: &'static str) -> Self {
        Self { decisions, ..self }
    }

    fn told(self, told: &'static [&'static str]) -> Self {
        Self { told, ..self }
    }

    /// That the port of an exposed workload was opened or was not is said; for all other rows neither is.
    fn check(&self) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("decisions.yaml");
        fs::write(&file, format!("version: 1\n{}", self.decisions)).unwrap();
        let mut arguments = self.arguments.to_vec();
        arguments.extend(["--decisions", file.to_str().unwrap()]);
        let world = self.calls.iter().fold(cluster(&self.exposed), |world, (client, port)| world.tcp(client, WEB, *port));
        let learned = world.learn(&arguments);
        assert_eq!(learned.code, Some(0), "{}: {}", self.what, learned.messages);
        let port = |peer: &&str| if peer.contains(" TCP ") { (*peer).to_owned() } else { format!("{peer} TCP 8080") };
        assert_eq!(callers(&learned), self.expected.iter().map(port).collect(), "{}", self.what);
        let codes = learned.codes();
        let known = ["internet-exposure", "exposed-not-opened", "ambient-probe", "platform-caller", "remote-node-traffic"];
        let told: BTreeSet<&str> = known.into_iter().filter(|code| codes.contains(code)).collect();
        assert_eq!(told, self.told.iter().copied().collect(), "{}", self.what);
    }
}

const OPENED: &[&str] = &["internet-exposure"];
const CLOSED: &[&str] = &["exposed-not-opened"];
const ANY: &[&str] = &["--public", "any"];

#[test]
fn exposure_is_no_licence() {
    let one = ["203.0.113.50/32"];
    let three = ["198.51.100.7/32", "198.51.100.23/32", "203.0.113.50/32"];
    let rows = [
        Row::new("one client", &["203.0.113.50"], &one).told(CLOSED),
        Row::new("one client, three times", &["203.0.113.50"; 3], &one).told(CLOSED),
        Row::new("two clients in two networks", &PUBLIC[1..], &three[1..]).told(CLOSED),
        Row::new(
            "three clients in one network",
            &["203.0.113.50", "203.0.113.60", "203.0.7.1"],
            &["203.0.113.50/32", "203.0.113.60/32", "203.0.7.1/32"],
        )
        .told(CLOSED),
        Row::new("three clients in two networks", &PUBLIC, &[INTERNET]).told(OPENED),
        Row::new("real addresses", &["8.8.8.8", "8.8.4.4", "1.1.1.1"], &[INTERNET]).told(OPENED),
        Row::new(
            "private clients behind an internal load balancer",
            &["10.1.0.9", "172.16.0.9", "192.168.7.9"],
            &["10.1.0.9/32", "172.16.0.9/32", "192.168.7.9/32"],
        )
        .told(CLOSED),
        Row::new(
            "the shared range of carriers",
            &["100.64.0.9", "100.65.0.9", "100.66.0.9"],
            &["100.64.0.9/32", "100.65.0.9/32", "100.66.0.9/32"],
        )
        .told(CLOSED),
        Row::new(
            "two on the internet and a private one",
            &["198.51.100.7", "203.0.113.50", "192.168.7.9"],
            &["198.51.100.7/32", "203.0.113.50/32", "192.168.7.9/32"],
        )
        .told(CLOSED),
        Row::new("a private client beside the public", &[&PUBLIC[..], &["192.168.7.9"]].concat(), &[INTERNET, "192.168.7.9/32"])
            .told(OPENED),
        Row::new("one client, opened by one", &["203.0.113.50"], &[INTERNET]).arguments(ANY).told(OPENED),
        Row::new("private clients are no internet", &["10.1.0.9"], &["10.1.0.9/32"]).arguments(ANY).told(CLOSED),
        Row::new("never opened", &PUBLIC, &three).arguments(&["--public", "exact"]),
        Row::new("not exposed", &PUBLIC, &three).arguments(ANY).exposed(vec![service("type: ClusterIP")]),
        Row::new("externalIPs", &PUBLIC, &[INTERNET]).exposed(vec![service("externalIPs: [198.51.100.80]")]).told(OPENED),
        Row::new("the backend of an Ingress", &PUBLIC, &[INTERNET])
            .exposed(vec![service("type: ClusterIP"), ingress()])
            .told(OPENED),
        Row::new("hostPort", &PUBLIC, &[INTERNET]).exposed(vec![host_port()]).told(OPENED),
        Row::new("a NodePort whose clients are hidden behind the other node", &["10.0.0.2"], &["10.0.0.2/32"])
            .exposed(vec![service("type: NodePort")])
            .arguments(ANY)
            .told(&["remote-node-traffic"]),
        Row::new("an ingress controller on the network of the other node", &["10.0.0.2"], &["10.0.0.2/32"])
            .exposed(vec![service("type: ClusterIP"), ingress(), controller()])
            .arguments(ANY)
            .told(&["remote-node-traffic"]),
        Row::new("a probe through Istio ambient", &["169.254.7.127"], &["169.254.7.127/32"])
            .arguments(ANY)
            .told(&["ambient-probe"]),
        Row::new(
            "the probe and two clients",
            &["169.254.7.127", "198.51.100.7", "203.0.113.50"],
            &["169.254.7.127/32", "198.51.100.7/32", "203.0.113.50/32"],
        )
        .told(&["ambient-probe", "exposed-not-opened"]),
        Row::new("the probe beside the public", &[&PUBLIC[..], &["169.254.7.127"]].concat(), &[INTERNET, "169.254.7.127/32"])
            .told(&["ambient-probe", "internet-exposure"]),
        Row::new("a link-local address of the node", &["169.254.42.1"], &["169.254.42.1/32"])
            .arguments(ANY)
            .told(&["platform-caller"]),
        Row::new("a probe of Azure's load balancer", &["168.63.129.16"], &["168.63.129.16/32"])
            .arguments(ANY)
            .told(&["platform-caller"]),
        Row::new(
            "a load balancer of Google Cloud, straight to the pod",
            &["35.191.0.9", "35.191.7.9", "130.211.1.9"],
            &["35.191.0.9/32", "35.191.7.9/32", "130.211.1.9/32"],
        )
        .told(&["exposed-not-opened", "platform-caller"]),
        Row::new("the load balancer beside the public", &[&PUBLIC[..], &["35.191.0.9"]].concat(), &[INTERNET]).told(OPENED),
        Row::new("a range that was decided on is no public", &PUBLIC, &["198.51.100.0/24", "203.0.113.50/32"])
            .decisions("widen:\n- {from: 198.51.100.0/24, to: prod/web, port: TCP 8080, bound: 256, reason: offices}\n")
            .told(CLOSED),
        Row::new("who is rejected is no public", &PUBLIC, &three[..2])
            .decisions("reject:\n- {from: 203.0.113.50, to: prod/web, port: any, reason: a scanner}\n")
            .told(CLOSED),
    ];
    for row in &rows {
        row.check();
    }
}

#[test]
fn each_port_is_judged_by_itself() {
    let calls = PUBLIC.iter().map(|client| (*client, 8080)).chain([("203.0.113.50", 9090), ("198.51.100.7", 9090)]).collect();
    let expected = vec![INTERNET, "203.0.113.50/32 TCP 9090", "198.51.100.7/32 TCP 9090"];
    let row = Row::new("two ports", &[], &[]).told(&["internet-exposure", "exposed-not-opened"]);
    Row { calls, expected, ..row }.check();
}

#[test]
fn what_was_not_opened_says_how_many_called_and_how_to_open_it() {
    let world = cluster(&[service("type: LoadBalancer")]);
    let clients = ["198.51.100.7", "198.51.100.23", "10.1.0.9"];
    let learned = clients.iter().fold(world, |world, client| world.tcp(client, WEB, 8080)).learn(&[]);
    let said = "prod/web: is exposed on TCP 8080: 2 addresses on the internet (one network) and one private address called it, and \
                nobody else outside is allowed to";
    assert_eq!(learned.findings("exposed-not-opened"), [said]);
    let finding = learned.summary["findings"].as_array().unwrap().iter().find(|finding| finding["code"] == "exposed-not-opened");
    let hint = finding.unwrap()["hint"].as_str().unwrap();
    assert!(hint.contains("--public any") && hint.contains("widen decision"), "{hint}");
}

#[test]
fn networks_of_ipv6_are_of_32_bits() {
    let cluster = || {
        World::default()
            .node("n1", "fd00:10::1", &["fd00:10:244:1::/64"])
            .namespace("prod")
            .pod("prod", "web", WEB_6, "n1", "app=web")
            .object(&service("type: LoadBalancer").replace("10.96.0.80", "'fd00:10:96::80'"))
    };
    let rows: [(&str, &[&str], &[&str]); 4] = [
        (
            "three clients in one /32",
            &["2001:db8::7", "2001:db8:7::7", "2001:db8:ffff::7"],
            &["2001:db8::7/128", "2001:db8:7::7/128", "2001:db8:ffff::7/128"],
        ),
        ("three clients in two /32", &["2001:db8::7", "2001:db8:7::7", "2a00:1450::7"], &[INTERNET_6]),
        ("unique local addresses", &["fd12::7", "fd13::7", "fd14::7"], &["fd12::7/128", "fd13::7/128", "fd14::7/128"]),
        (
            "a probe through Istio ambient",
            &["fd16:9254:7127:1337:ffff:ffff:ffff:ffff"],
            &["fd16:9254:7127:1337:ffff:ffff:ffff:ffff/128"],
        ),
    ];
    for (what, clients, expected) in rows {
        let learned = clients.iter().fold(cluster(), |world, client| world.tcp(client, WEB_6, 8080)).learn(&[]);
        assert_eq!(learned.code, Some(0), "{what}: {}", learned.messages);
        assert_eq!(callers(&learned), expected.iter().map(|peer| format!("{peer} TCP 8080")).collect(), "{what}");
    }
}

#[test]
fn in_an_ambient_mesh_a_link_local_caller_is_the_kubelet() {
    let learned = cluster(&[service("type: LoadBalancer"), host_port()])
        .pod_with("prod", "api", "10.244.1.20", "n1", "app=api", "", "ambient.istio.io/redirection: enabled")
        .tcp("169.254.9.9", WEB, 8080)
        .tcp("169.254.9.9", "10.244.1.20", 5000)
        .learn(&[]);
    let expected = [
        "prod/allow-169-254-9-9-to-web [app=web] <- 169.254.9.9/32 TCP 8080",
        "prod/allow-ambient-probe-to-api [app=api] <- 169.254.9.9/32 TCP 5000",
    ];
    assert_eq!(learned.rules(), expected.map(str::to_owned).into(), "{}", learned.messages);
}

/// `api` asks the metadata service, and is asked by `web`.
fn credentials() -> World {
    cluster(&[service("type: ClusterIP")])
        .pod("prod", "api", "10.244.1.20", "n1", "app=api")
        .tcp(WEB, "10.244.1.20", 5000)
        .tcp("10.244.1.20", "169.254.169.254", 80)
        .tcp(WEB, "10.244.1.20", 5000)
}

/// The exit code of `plan` for policies of which everything but the metadata service is beyond doubt.
fn plan(learned: &Learned, decisions: &Path) -> Option<i32> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netpol-gen"));
    command
        .arg("plan")
        .arg("--policies")
        .arg(&learned.output)
        .arg("--inventory")
        .arg(learned.folder.path().join("inventory.yaml"));
    command
        .args(["--min-watched", "1s", "--accept", "few-connections", "--accept", "new-edge-late"])
        .arg("--decisions")
        .arg(decisions);
    command.args(["--accept", "node-not-seen", "--accept", "start-not-seen", "--accept", "port-not-called"]);
    command.output().unwrap().status.code()
}

#[test]
fn credentials_are_withheld_until_a_decision_accepts_or_rejects_them() {
    let entry = "{from: prod/api, to: '169.254.169.254', port: TCP 80, reason: WHY}";
    let asked = "prod/api: called 169.254.169.254 on TCP 80; decide by accept or reject: - ".to_owned() + entry;
    let rule = "[app=api] -> 169.254.169.254/32 TCP 80";
    let withheld = format!("prod/quarantined-allow-api-to-cloud-metadata {rule}");
    let accepted = format!("prod/allow-api-to-cloud-metadata {rule}");
    // What is decided; allowed, rejected and withheld edges; rules; the policy that the kustomization names; plan.
    let rows = [
        ("", [1, 0, 1], vec![withheld], false, Some(1)),
        ("accept", [2, 0, 0], vec![accepted], true, Some(0)),
        ("reject", [1, 1, 0], vec![], false, Some(0)),
    ];
    for (kind, counts, expected, is_applied, code) in rows {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("decisions.yaml");
        // The entry is the finding's own.
        let text = if kind.is_empty() { String::new() } else { format!("{kind}:\n- {entry}\n") };
        fs::write(&file, format!("version: 1\n{text}")).unwrap();
        let learned = credentials().learn(&["--decisions", file.to_str().unwrap()]);
        assert_eq!(learned.code, Some(0), "{kind}: {}", learned.messages);
        let proof = &learned.summary["proof"];
        let found = ["allowed", "rejected", "quarantined"].map(|part| proof[part].as_u64().unwrap());
        assert_eq!(found, counts, "{kind}");
        let rules: Vec<String> = learned.rules().into_iter().filter(|rule| rule.contains("169.254")).collect();
        assert_eq!(rules, expected, "{kind}");
        let kustomization = fs::read_to_string(learned.output.join("prod/kustomization.yaml")).unwrap();
        assert_eq!(kustomization.contains("metadata"), is_applied, "{kind}: {kustomization}");
        let is_undecided = kind.is_empty();
        assert_eq!(learned.findings("metadata-address"), Vec::from_iter(is_undecided.then(|| asked.clone())), "{kind}");
        let quarantine = &learned.summary["quarantine"];
        assert_eq!(quarantine["withheld"].as_u64(), is_undecided.then_some(1), "{kind}: {quarantine}");
        assert_eq!(plan(&learned, &file), code, "{kind}");
    }
}

#[test]
fn verify_says_that_credentials_are_withheld_and_what_to_decide() {
    let world = credentials();
    let learned = world.learn(&["--no-decisions"]);
    let folder = tempfile::tempdir().unwrap();
    let (capture, inventory) = world.write(folder.path());
    let (code, stdout, stderr) = learned.verify(&capture, &inventory, &["--no-decisions"]);
    assert_eq!(code, Some(1), "nobody decided: {stdout}{stderr}");
    let expected = "    withheld, for it leads to the cloud's credentials: accept or reject it in netpol-gen.yaml; once it is accepted, learn writes \
                    prod/allow-api-to-cloud-metadata\n";
    assert!(stdout.starts_with("2 edges: 1 allowed, 1 denied (1 of them withheld)\n") && stdout.contains(expected), "{stdout}");
    // Accepted, it is a rule that these policies lack; rejected, they are right.
    let rows = [
        ("accept", Some(1), "    a new policy prod/allow-api-to-cloud-metadata\n"),
        ("reject", Some(0), ", 1 rejected by decision\n"),
    ];
    for (kind, expected, told) in rows {
        let file = folder.path().join("decisions.yaml");
        let entry = "{from: prod/api, to: '169.254.169.254', port: TCP 80, reason: WHY}";
        fs::write(&file, format!("version: 1\n{kind}:\n- {entry}\n")).unwrap();
        let (code, stdout, stderr) = learned.verify(&capture, &inventory, &["--decisions", file.to_str().unwrap()]);
        assert_eq!(code, expected, "{kind}: {stdout}{stderr}");
        assert!(stdout.contains(told) && !stdout.contains("withheld"), "{kind}: {stdout}");
    }
}

#[test]
fn credentials_behind_nat64_are_withheld_too() {
    let world = World::default()
        .node("n1", "fd00:10::1", &["fd00:10:244:1::/64"])
        .namespace("prod")
        .pod("prod", "web", WEB_6, "n1", "app=web")
        .tcp(WEB_6, "64:ff9b::a9fe:a9fe", 80);
    let learned = world.learn(&["--no-decisions"]);
    let names: Vec<&String> = learned.policies.keys().collect();
    assert_eq!(names, ["prod/default-deny-all", "prod/quarantined-allow-web-to-cloud-metadata"], "{}", learned.messages);
}

#[test]
fn the_plan_learns_again_by_the_same_options() {
    let rows: [(&[&str], &str); 3] = [
        (&[], " --no-decisions --output "),
        (&["--public", "any"], " --public any --no-decisions --output "),
        (
            &[
                "--port-ranges",
                "--dns",
                "namespace",
                "--public",
                "exact",
                "--pod-cidr",
                "10.244.0.0/16",
                "--service-cidr",
                "10.96.0.0/12",
            ],
            " --public exact --dns namespace --port-ranges --pod-cidr 10.244.0.0/16 --service-cidr 10.96.0.0/12 --no-decisions --output ",
        ),
    ];
    for (options, expected) in rows {
        let world = cluster(&[service("type: LoadBalancer")]).tcp("198.51.100.7", WEB, 8080);
        let learned = world.learn(&[options, &["--no-decisions"]].concat());
        let mut command = Command::new(env!("CARGO_BIN_EXE_netpol-gen"));
        command.args(["plan", "--no-decisions", "--policies"]).arg(&learned.output).arg("--inventory");
        let output = command.arg(learned.folder.path().join("inventory.yaml")).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let line = text.lines().find(|line| line.contains("netpol-gen learn ")).unwrap_or_default();
        assert!(line.contains(&format!("more.inventory.zst{expected}")), "{options:?}: {line}");
    }
}

#[test]
fn a_workload_that_only_asks_for_credentials_gets_a_default_deny_and_nothing_to_apply() {
    let learned = cluster(&[]).tcp(WEB, "169.254.169.254", 80).learn(&[]);
    assert_eq!(learned.code, Some(0), "{}", learned.messages);
    let names: Vec<&String> = learned.policies.keys().collect();
    assert_eq!(names, ["prod/default-deny-all", "prod/quarantined-allow-web-to-cloud-metadata"]);
    assert!(!learned.output.join("kustomization.yaml").exists() && learned.output.join("_default-deny").exists());
    assert_ne!(learned.summary["quarantine"], Value::Null);
}
