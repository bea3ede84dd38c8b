//! A small cluster with its traffic, built row by row, and what `learn` makes of it.
#![expect(dead_code, reason = "each kind uses its part")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::captures::{Captured, Order, Variant, pcap};
use crate::support::frames::{ACK, DNS_ANSWER, DNS_QUERY, FIN, PSH, SYN, dns, dns_address, ethernet, ip, tcp_at, udp};

/// The first frame's time: 2026-09-21T14:13:20Z, in nanoseconds. Objects without times of their own are older.
pub const BEGIN: i64 = 1_790_000_000_000_000_000;
const SECOND: i64 = 1_000_000_000;

/// Objects of a cluster, and frames that were captured there.
#[derive(Clone, Debug)]
pub struct World {
    objects: Vec<String>,
    frames: Vec<Captured>,
    now: i64,
    client_port: u16,
    link: u16,
}

impl Default for World {
    fn default() -> Self {
        Self { objects: Vec::new(), frames: Vec::new(), now: BEGIN, client_port: 40_000, link: 1 }
    }
}

/// `app=web,tier=front` as the lines of a YAML mapping, indented by so many spaces.
pub fn labels(text: &str, indent: usize) -> String {
    let mut lines = String::new();
    for (key, value) in text.split(',').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap()) {
        let _ = writeln!(lines, "{:indent$}{key}: {value:?}", "");
    }
    lines
}

impl World {
    /// Adds objects as YAML; several are separated by `---`.
    #[must_use]
    pub fn object(mut self, yaml: &str) -> Self {
        self.objects.push(yaml.trim().to_owned());
        self
    }

    /// Adds a namespace with the label that the API server sets.
    #[must_use]
    pub fn namespace(self, name: &str) -> Self {
        self.object(&format!(
            "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {name}\n  labels:\n    kubernetes.io/metadata.name: {name}"
        ))
    }

    /// Adds a node; `pod_ranges` are its `podCIDRs`.
    #[must_use]
    pub fn node(self, name: &str, address: &str, pod_ranges: &[&str]) -> Self {
        let spec = match pod_ranges {
            [] => "{}".to_owned(),
            [first, ..] => format!("{{podCIDR: {first:?}, podCIDRs: {pod_ranges:?}}}"),
        };
        self.object(&format!(
            "apiVersion: v1\nkind: Node\nmetadata: {{name: {name}}}\nspec: {spec}\nstatus:\n  addresses:\n  - {{type: InternalIP, address: {address:?}}}"
        ))
    }

    /// Adds a running pod on node `node`, without an owner. `labels` as `app=web,tier=front`.
    #[must_use]
    pub fn pod(self, namespace: &str, name: &str, address: &str, node: &str, labels: &str) -> Self {
        self.pod_of(namespace, name, address, node, labels, "")
    }

    /// Adds a running pod with an owner: `KIND/NAME` of an API group, for instance `apps/v1 ReplicaSet/web-6d4cf56db6`.
    #[must_use]
    pub fn pod_of(self, namespace: &str, name: &str, address: &str, node: &str, labels: &str, owner: &str) -> Self {
        self.pod_with(namespace, name, address, node, labels, owner, "")
    }

    /// As [`World::pod_of`], with annotations as YAML lines (`key: value`).
    #[must_use]
    #[expect(clippy::too_many_arguments, reason = "a row of a table")]
    pub fn pod_with(
        self,
        namespace: &str,
        name: &str,
        address: &str,
        node: &str,
        label_text: &str,
        owner: &str,
        annotations: &str,
    ) -> Self {
        let mut yaml = format!(
            "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n  namespace: {namespace}\n  uid: uid-{namespace}-{name}\n"
        );
        yaml.push_str("  creationTimestamp: \"2026-09-21T10:00:00Z\"\n");
        if !label_text.is_empty() {
            let _ = write!(yaml, "  labels:\n{}", labels(label_text, 4));
        }
        if !annotations.is_empty() {
            yaml.push_str("  annotations:\n");
            for line in annotations.lines() {
                let _ = writeln!(yaml, "    {line}");
            }
        }
        if let Some((api_version, kind_and_name)) = owner.split_once(' ') {
            let (kind, owner) = kind_and_name.split_once('/').unwrap();
            let _ = writeln!(
                yaml,
                "  ownerReferences:\n  - {{apiVersion: {api_version}, kind: {kind}, name: {owner}, uid: uid-{kind}-{owner}, controller: true}}"
            );
        }
        let _ = write!(
            yaml,
            "spec:\n  nodeName: {node}\n  containers:\n  - {{name: main, image: example/main:1}}\nstatus:\n  phase: Running\n  startTime: \"2026-09-21T10:00:01Z\"\n  podIP: {address:?}\n  podIPs:\n  - {{ip: {address:?}}}"
        );
        self.object(&yaml)
    }

    /// Adds a pod that is there for a part of the time: seconds from the first frame on.
    #[must_use]
    pub fn passing_pod(self, name: &str, address: &str, node: &str, since: i64, until: Option<i64>) -> Self {
        let at = |seconds: i64| {
            let clock = 14 * 3600 + 13 * 60 + 20 + seconds;
            format!("\"2026-09-21T{:02}:{:02}:{:02}Z\"", clock / 3600, clock / 60 % 60, clock % 60)
        };
        let (phase, state) = until.map_or_else(
            || ("Running", format!("running: {{startedAt: {}}}", at(since))),
            |until| ("Succeeded", format!("terminated: {{exitCode: 0, startedAt: {}, finishedAt: {}}}", at(since), at(until))),
        );
        self.object(&format!(
            "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n  namespace: shop\n  uid: uid-{name}\n  labels: {{app: {name}}}\n  creationTimestamp: {start}\nspec:\n  nodeName: {node}\n  containers:\n  - {{name: main, image: example/main:1}}\nstatus:\n  phase: {phase}\n  startTime: {start}\n  podIP: {address:?}\n  podIPs:\n  - {{ip: {address:?}}}\n  containerStatuses:\n  - {{name: main, image: example/main:1, imageID: one, ready: true, restartCount: 0, state: {{{state}}}}}",
            start = at(since)
        ))
    }

    /// Lets time pass.
    #[must_use]
    pub fn wait(mut self, seconds: i64) -> Self {
        self.now += seconds * SECOND;
        self
    }

    /// Adds a frame with an IP packet, a millisecond after the one before.
    pub fn packet(&mut self, packet: &[u8]) {
        self.frame(&ethernet(packet));
    }

    /// Says of which link the frames are (`LINKTYPE_`), which is Ethernet otherwise.
    #[must_use]
    pub fn link(self, link: u16) -> Self {
        Self { link, ..self }
    }

    /// Adds a whole frame of that link, a millisecond after the one before.
    pub fn frame(&mut self, frame: &[u8]) {
        self.frames.push(Captured::whole(self.now, frame.to_vec()));
        self.now += SECOND / 1000;
    }

    /// Adds one answered TCP connection: handshake, request, reply, end.
    #[must_use]
    pub fn tcp(mut self, client: &str, server: &str, port: u16) -> Self {
        let own = self.client_port();
        let number = u32::from(own).wrapping_mul(7919);
        let (up, down) = (number, number.wrapping_add(77_777));
        let to = |flags, sequence, acknowledgment, payload: &[u8]| {
            ip(client, server, tcp_at(own, port, flags, sequence, acknowledgment, payload))
        };
        let back = |flags, sequence, acknowledgment, payload: &[u8]| {
            ip(server, client, tcp_at(port, own, flags, sequence, acknowledgment, payload))
        };
        for packet in [
            to(SYN, up, 0, b""),
            back(SYN | ACK, down, up.wrapping_add(1), b""),
            to(ACK, up.wrapping_add(1), down.wrapping_add(1), b""),
            to(ACK | PSH, up.wrapping_add(1), down.wrapping_add(1), b"ask"),
            back(ACK | PSH, down.wrapping_add(1), up.wrapping_add(4), b"answer"),
            to(ACK | FIN, up.wrapping_add(4), down.wrapping_add(7), b""),
            back(ACK | FIN, down.wrapping_add(7), up.wrapping_add(5), b""),
            to(ACK, up.wrapping_add(5), down.wrapping_add(8), b""),
        ] {
            self.packet(&packet);
        }
        self.wait(1)
    }

    /// Adds a connection attempt that nobody answers.
    #[must_use]
    pub fn attempt(mut self, client: &str, server: &str, port: u16) -> Self {
        let own = self.client_port();
        self.packet(&ip(client, server, tcp_at(own, port, SYN, 1, 0, b"")));
        self.wait(1)
    }

    /// Adds an answered exchange of two UDP datagrams.
    #[must_use]
    pub fn udp(mut self, client: &str, server: &str, port: u16) -> Self {
        let own = self.client_port();
        self.packet(&ip(client, server, udp(own, port, b"ask")));
        self.packet(&ip(server, client, udp(port, own, b"answer")));
        self.wait(1)
    }

    /// Adds a DNS question over UDP and its answer with these addresses. `port` is the resolver's port as the pod sees it.
    #[must_use]
    pub fn resolve(mut self, client: &str, resolver: &str, port: u16, name: &str, addresses: &[&str]) -> Self {
        let own = self.client_port();
        let answers: Vec<(&str, u16, u32, Vec<u8>)> = addresses
            .iter()
            .map(|address| {
                let (kind, content) = dns_address(address);
                (name, kind, 30, content)
            })
            .collect();
        self.packet(&ip(client, resolver, udp(own, port, &dns(DNS_QUERY, name, &[]))));
        self.packet(&ip(resolver, client, udp(port, own, &dns(DNS_ANSWER, name, &answers))));
        self.wait(1)
    }

    fn client_port(&mut self) -> u16 {
        self.client_port += 1;
        self.client_port
    }

    /// The inventory as one YAML text.
    pub fn inventory(&self) -> String {
        self.objects.join("\n---\n") + "\n"
    }

    /// The capture as one pcap file.
    pub fn capture(&self) -> Vec<u8> {
        pcap(Order::Little, Variant::Nanoseconds, self.link, &self.frames)
    }

    /// Writes capture and inventory into a folder.
    pub fn write(&self, folder: &Path) -> (PathBuf, PathBuf) {
        let (capture, inventory) = (folder.join("capture.pcap"), folder.join("inventory.yaml"));
        fs::write(&capture, self.capture()).unwrap();
        fs::write(&inventory, self.inventory()).unwrap();
        (capture, inventory)
    }

    /// Runs `netpol-gen learn` with these further arguments.
    pub fn learn(&self, arguments: &[&str]) -> Learned {
        let folder = tempfile::tempdir().unwrap();
        let (capture, inventory) = self.write(folder.path());
        learn_files(folder, &capture, &[inventory], arguments)
    }

    /// The same by way of a flow file.
    pub fn learn_recorded(&self, arguments: &[&str]) -> Learned {
        let folder = tempfile::tempdir().unwrap();
        let (capture, inventory) = self.write(folder.path());
        learn_files(folder, &record(&capture), &[inventory], arguments)
    }
}

/// Records a capture in a flow file beside it.
fn record(capture: &Path) -> PathBuf {
    let recorded = capture.with_extension("flows.zst");
    let mut command = Command::new(env!("CARGO_BIN_EXE_netpol-gen"));
    command.args(["capture", "--read"]).arg(capture).arg("--output").arg(&recorded);
    let result = command.env("KUBECONFIG", "/nonexistent").output().unwrap();
    assert!(result.status.success(), "{}", String::from_utf8_lossy(&result.stderr));
    recorded
}

/// Runs `netpol-gen learn` on files; the policies go into `folder`.
pub fn learn_files(folder: TempDir, capture: &Path, inventories: &[PathBuf], arguments: &[&str]) -> Learned {
    let output = folder.path().join("policies");
    let mut command = Command::new(env!("CARGO_BIN_EXE_netpol-gen"));
    command.args(["learn", "--format", "json", "--output"]).arg(&output).arg("--read").arg(capture);
    for inventory in inventories {
        command.arg("--inventory").arg(inventory);
    }
    let result = command.args(arguments).output().unwrap();
    let summary = serde_json::from_slice(&result.stdout).unwrap_or(Value::Null);
    let policies = if output.is_dir() { policies(&output) } else { BTreeMap::new() };
    Learned {
        code: result.status.code(),
        messages: String::from_utf8_lossy(&result.stderr).into_owned(),
        summary,
        policies,
        output,
        folder,
    }
}

/// What a run of `learn` ended with.
#[derive(Debug)]
pub struct Learned {
    /// The exit code.
    pub code: Option<i32>,
    /// What it printed for people.
    pub messages: String,
    /// The JSON summary; null if there is none.
    pub summary: Value,
    /// The spec of each policy, by `namespace/name`; quarantined policies too.
    pub policies: BTreeMap<String, Value>,
    /// The directory of the policies.
    pub output: PathBuf,
    /// Everything; removed with this value.
    pub folder: TempDir,
}

fn policies(folder: &Path) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let is_yaml = path.extension().is_some_and(|extension| extension == "yaml");
            if !is_yaml || path.ends_with("kustomization.yaml") {
                continue;
            }
            let object: Value = serde_saphyr::from_slice(&fs::read(&path).unwrap()).unwrap();
            if object["kind"] == "NetworkPolicy" {
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                let name = format!("{}/{}", text(&object["metadata"]["namespace"]), text(&object["metadata"]["name"]));
                found.insert(name, object["spec"].clone());
            }
        }
    }
    found
}

impl Learned {
    /// The codes of all findings.
    pub fn codes(&self) -> BTreeSet<&str> {
        let findings = self.summary["findings"].as_array();
        findings.into_iter().flatten().map(|finding| finding["code"].as_str().unwrap()).collect()
    }

    /// Subject and message of each finding of a code.
    pub fn findings(&self, code: &str) -> Vec<String> {
        let findings = self.summary["findings"].as_array();
        let of_code = findings.into_iter().flatten().filter(|finding| finding["code"] == code);
        let text = |finding: &Value| {
            let part = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
            format!("{}: {}", part("subject"), part("message"))
        };
        of_code.map(text).collect()
    }

    /// Every single allowance, one line each, in order. `prod/allow-ingress-to-db [app=db] <- prod [app=api] TCP 5432`; egress
    /// has `->`. A peer is `[selector]` in the policy's own namespace, `namespace [selector]` in another, or a CIDR.
    pub fn rules(&self) -> BTreeSet<String> {
        let mut lines = BTreeSet::new();
        for (name, spec) in &self.policies {
            for (direction, peers, arrow) in [("ingress", "from", "<-"), ("egress", "to", "->")] {
                for rule in spec[direction].as_array().into_iter().flatten() {
                    for peer in listed(&rule[peers]) {
                        for port in listed(&rule["ports"]) {
                            let selects = selector(&spec["podSelector"]);
                            lines.insert(format!("{name} [{selects}] {arrow} {} {}", peer_text(&peer), port_text(&port)));
                        }
                    }
                }
            }
        }
        lines
    }

    /// The selector of a policy, as in [`Learned::rules`].
    pub fn selects(&self, policy: &str) -> String {
        selector(&self.policies[policy]["podSelector"])
    }

    /// Runs `netpol-gen verify` of these policies: exit code, standard output, standard error.
    pub fn verify(&self, capture: &Path, inventory: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_netpol-gen"));
        command.args(["verify", "--policies"]).arg(&self.output);
        let result = command.arg("--read").arg(capture).arg("--inventory").arg(inventory).args(arguments).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (result.status.code(), text(&result.stdout), text(&result.stderr))
    }
}

/// The items of a list; one null where there is no list, which Kubernetes reads as everything.
fn listed(list: &Value) -> Vec<Value> {
    list.as_array().cloned().unwrap_or_else(|| vec![Value::Null])
}

fn selector(selector: &Value) -> String {
    let mut parts = Vec::new();
    for (key, value) in selector["matchLabels"].as_object().into_iter().flatten() {
        parts.push(format!("{key}={}", value.as_str().unwrap()));
    }
    for expression in selector["matchExpressions"].as_array().into_iter().flatten() {
        let values: Vec<&str> = expression["values"].as_array().into_iter().flatten().map(|v| v.as_str().unwrap()).collect();
        let (key, operator) = (expression["key"].as_str().unwrap(), expression["operator"].as_str().unwrap());
        parts.push(format!("{key} {operator} {}", values.join("|")).trim_end().to_owned());
    }
    parts.join(",")
}

fn peer_text(peer: &Value) -> String {
    if peer.is_null() {
        return "EVERYONE".to_owned();
    }
    if let Some(block) = peer.get("ipBlock") {
        let except: Vec<&str> = block["except"].as_array().into_iter().flatten().map(|range| range.as_str().unwrap()).collect();
        let cidr = block["cidr"].as_str().unwrap();
        return if except.is_empty() { cidr.to_owned() } else { format!("{cidr} except {}", except.join(",")) };
    }
    let pods = format!("[{}]", selector(&peer["podSelector"]));
    match peer.get("namespaceSelector") {
        None => pods,
        Some(namespaces) => match namespaces["matchLabels"]["kubernetes.io/metadata.name"].as_str() {
            Some(name) => format!("{name} {pods}"),
            None => format!("namespaces[{}] {pods}", selector(namespaces)),
        },
    }
}

fn port_text(port: &Value) -> String {
    if port.is_null() {
        return "EVERY PORT".to_owned();
    }
    let protocol = port["protocol"].as_str().unwrap_or("TCP");
    let number = port["port"].as_i64().map_or_else(|| port["port"].to_string(), |number| number.to_string());
    port["endPort"].as_i64().map_or_else(|| format!("{protocol} {number}"), |end| format!("{protocol} {number}-{end}"))
}
