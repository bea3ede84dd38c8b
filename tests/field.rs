//! Captures and inventories of real clusters' kinds, kept outside this repository: `make field FIELD=DIRECTORY DUMPS=DIRECTORY
//! POISON=DIRECTORY`.
//!
//! Each case is a directory (`capture.pcap`, `inventory.yaml`, `inventory-next.yaml`) or a file of inventories; what must come out
//! is written here by hand. `cargo test` alone leaves this target out (Cargo.toml): it needs those directories, whose paths are in
//! `NETPOL_FIELD`, `NETPOL_DUMPS` and `NETPOL_POISON`. A poisoned capture is what one pod adds to the traffic of `captures/shop.pcap`.

#![expect(clippy::unwrap_used, reason = "in tests a failed unwrap is the failure to report")]

#[path = "support/mod.rs"]
mod support;
#[path = "kinds/world.rs"]
mod world;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use world::{Learned, learn_files};

/// What must hold of a case; panics where it does not.
type Check = fn(&Path);

/// The cases of the field directory.
const FIELD: &[(&str, Check)] = &[
    ("01-cnpg-instance", cnpg_instance),
    ("03-gke-metadata", gke_metadata),
    ("04-ambient-probe", ambient_probe),
    ("07-ovn-management-port", ovn_management_port),
    ("09-named-port-per-pod", named_port_per_pod),
    ("11-spark-executors", spark_executors),
    ("12-knative-revision", knative_revision),
    ("14-eks-rds-same-subnet", database_in_the_pods_subnet),
    ("19-multus-secondary", multus_secondary),
    ("22-webhook-from-tunnel", webhook_from_tunnel),
    ("23-argo-rollouts", argo_rollouts),
    ("frames/dir-silent", directory_with_damage),
    ("dns-openshift", dns_openshift),
    ("namespace-label-missing", namespace_label_missing),
    ("26-rtp-range", rtp_range),
    ("28-name-with-pool", name_with_pool),
    ("frames/one-data-segment.pcap", one_data_segment),
    ("frames/shop-one-midstream.pcap", one_of_six_is_mid_stream),
    ("frames/udp-same-instant.pcap", udp_at_the_same_instant),
];

/// The cases of the directory of inventories.
const DUMPS: &[(&str, Check)] = &[
    ("ip1-finished-pod-same-address.json", the_address_is_the_running_pods),
    ("ip1a-no-restart.json", the_address_is_the_running_pods),
    ("read1", a_foreign_file_is_passed_over),
    ("read1/mode.json", a_foreign_file_that_was_named_is_an_error),
    ("read4-cluster-info-dump-stdout.json", the_shop_is_read),
    ("read4b-lists-only.json", the_shop_is_read),
    ("read6-utf16le-bom.json", the_shop_is_read),
    ("dc1-dc-and-rc.json", rollouts_of_a_deployment_config),
    ("dc5-next-rollout.json", is_read),
    ("olm1-catalog-pod.json", catalog_pod),
    ("vpc1-database-in-the-pods-subnet.json", three_edges_of_a_shared_subnet),
];

/// What an attacker puts on the wire beside `captures/shop.pcap`.
const POISON: &[(&str, Check)] = &[
    ("15-name-impersonation.pcap", a_name_that_the_pod_sent_itself),
    ("01-vxlan-from-pod-udp-socket.pcap", tunnel_of_a_stranger),
    ("02-vxlan-from-pod-other-pods.pcap", tunnel_of_a_stranger),
    ("03-vxlan-from-internet-to-node.pcap", tunnel_of_a_stranger),
    ("14-C2-hidden-in-vxlan.pcap", exchange_in_the_form_of_a_tunnel),
    ("07-one-spoofed-payload-segment.pcap", sent_with_anothers_address),
    ("10-forged-synack-apiserver.pcap", sent_with_anothers_address),
    ("16-spoofed-outside-to-db.pcap", sent_with_anothers_address),
    ("17-spoofed-other-pod.pcap", sent_with_anothers_address),
    ("19-scan-spoofed-as-api.pcap", scan_with_anothers_address),
    ("09-syn-then-own-payload-no-answer.pcap", one_segment_without_an_answer),
    ("13-C2-hidden-by-same-isn.pcap", a_connection_and_a_second_opening),
    ("40-linklocal-spoof.pcap", an_answer_that_nobody_acknowledged),
    ("47-ports-3callers-1each.pcap", three_callers_of_one_port_each),
];

fn run_all(variable: &str, cases: &[(&str, Check)]) {
    let directory = PathBuf::from(std::env::var_os(variable).unwrap_or_else(|| panic!("{variable} is not set")));
    let mut failed = Vec::new();
    for (name, check) in cases {
        let path = directory.join(name);
        if std::panic::catch_unwind(|| check(&path)).is_err() {
            failed.push(*name);
        }
    }
    assert!(failed.is_empty(), "failed: {failed:?}");
}

#[test]
fn field_cases_give_what_their_facts_say() {
    run_all("NETPOL_FIELD", FIELD);
}

#[test]
fn inventories_of_real_clusters_are_read() {
    run_all("NETPOL_DUMPS", DUMPS);
}

#[test]
fn poisoned_captures_give_what_the_rest_of_the_traffic_proves() {
    run_all("NETPOL_POISON", POISON);
}

/// Learns from the shop's capture, and from `poison` beside it.
fn learn_poisoned(poison: Option<&Path>, arguments: &[&str]) -> Learned {
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures");
    let mut all: Vec<&str> = arguments.to_vec();
    if let Some(poison) = poison {
        all.extend(["--read", poison.to_str().unwrap()]);
    }
    learn_files(tempfile::tempdir().unwrap(), &captures.join("shop.pcap"), &[captures.join("shop.yaml")], &all)
}

/// The policies are those of the shop without the poison.
fn assert_changes_nothing(poisoned: &Learned, arguments: &[&str]) {
    assert_eq!(poisoned.policies, learn_poisoned(None, arguments).policies, "{}", poisoned.messages);
}

fn one_segment_without_an_answer(poison: &Path) {
    let learned = learn_poisoned(Some(poison), &[]);
    assert_changes_nothing(&learned, &[]);
    assert!(learned.codes().contains("one-sided-connection"), "{}", learned.messages);
}

fn tunnel_of_a_stranger(poison: &Path) {
    let learned = learn_poisoned(Some(poison), &[]);
    assert_changes_nothing(&learned, &[]);
    assert!(learned.codes().contains("tunnel-not-between-nodes"), "{}", learned.messages);
}

fn exchange_in_the_form_of_a_tunnel(poison: &Path) {
    let learned = learn_poisoned(Some(poison), &[]);
    let mut rules = learned.rules();
    assert!(rules.iter().any(|rule| rule.contains("[name=web-pod] -> 203.0.113.66/32 UDP 4789")), "{rules:#?}");
    rules.retain(|rule| !rule.contains("203.0.113.66/32 UDP 4789"));
    assert_eq!(rules, learn_poisoned(None, &[]).rules(), "{}", learned.messages);
    assert!(learned.codes().contains("tunnel-not-between-nodes"), "{}", learned.messages);
}

fn a_connection_and_a_second_opening(poison: &Path) {
    let learned = learn_poisoned(Some(poison), &[]);
    let (with, without) = (learned.rules(), learn_poisoned(None, &[]).rules());
    let new: Vec<&String> = with.difference(&without).collect();
    assert!(!new.is_empty() && new.iter().all(|rule| rule.contains("-> 203.0.113.66/32 TCP 443")), "{new:?}");
}

fn an_answer_that_nobody_acknowledged(poison: &Path) {
    let learned = learn_poisoned(Some(poison), &[]);
    assert_changes_nothing(&learned, &[]);
    assert!(learned.codes().contains("half-open-connection"), "{}", learned.messages);
}

fn a_name_that_the_pod_sent_itself(poison: &Path) {
    let learned = learn_poisoned(Some(poison), &[]);
    let rules = learned.rules();
    assert!(rules.contains("prod/allow-web-to-203-0-113-66 [name=web-pod] -> 203.0.113.66/32 TCP 443"), "{rules:#?}");
    assert!(learned.codes().contains("dns-answer-not-used"), "{}", learned.messages);
}

fn sent_with_anothers_address(poison: &Path) {
    let learned = learn_poisoned(Some(poison), &[]);
    assert_changes_nothing(&learned, &[]);
    let findings = learned.findings("spoofed-source");
    assert!(findings.iter().any(|finding| finding.starts_with("prod/web")), "{findings:?} {}", learned.messages);
}

fn scan_with_anothers_address(poison: &Path) {
    sent_with_anothers_address(poison);
    let learned = learn_poisoned(Some(poison), &["--quarantine"]);
    assert_changes_nothing(&learned, &["--quarantine"]);
    assert!(!learned.codes().contains("found-by-scan"), "{}", learned.messages);
}

fn three_callers_of_one_port_each(poison: &Path) {
    let learned = learn_poisoned(Some(poison), &["--port-ranges"]);
    assert_eq!(learned.code, Some(0), "{}", learned.messages);
    assert!(!learned.codes().contains("policy-withheld"), "{}", learned.messages);
}

/// Learns from `capture.pcap` and `inventory.yaml` of a case; the run must succeed.
fn learn(case: &Path, arguments: &[&str]) -> Learned {
    let capture = case.join("capture.pcap");
    let learned = learn_files(tempfile::tempdir().unwrap(), &capture, &[case.join("inventory.yaml")], arguments);
    assert_eq!(learned.code, Some(0), "{}: {}", case.display(), learned.messages);
    learned
}

/// The policies must deny nothing of the same traffic in the cluster of `inventory-next.yaml`.
fn assert_lasts(learned: &Learned, case: &Path) {
    let (code, stdout, stderr) = learned.verify(&case.join("capture.pcap"), &case.join("inventory-next.yaml"), &[]);
    assert_eq!(code, Some(0), "{}: {stdout}\n{stderr}", case.display());
}

fn gke_metadata(case: &Path) {
    let learned = learn(case, &[]);
    let rules = learned.rules();
    let metadata: Vec<&String> = rules.iter().filter(|rule| rule.contains("169.254.169.254")).collect();
    assert_eq!(metadata, ["app/quarantined-allow-uploader-to-cloud-metadata [app=uploader] -> 169.254.169.254/32 TCP 80"]);
    assert!(learned.codes().contains("metadata-address"));
}

fn ambient_probe(case: &Path) {
    for public in ["auto", "any"] {
        let learned = learn(case, &["--public", public]);
        let rules = learned.rules();
        let of_web: Vec<&String> = rules.iter().filter(|rule| rule.contains("-to-web") && rule.contains("<-")).collect();
        assert_eq!(of_web, ["shop/allow-ambient-probe-to-web [app=web] <- 169.254.7.127/32 TCP 8080"], "{public}");
        assert!(rules.contains("shop/allow-ingress-to-api [app=api] <- [app=web] TCP 15008"), "{rules:#?}");
        assert!(learned.codes().contains("ambient-probe"));
        let proxies = learned.findings("proxy-peer");
        assert!(proxies.iter().any(|found| found.starts_with("shop/web -> shop/api TCP 15008")), "{proxies:#?}");
    }
}

/// The management port of the own node is a probe; that of another node is the router there.
fn ovn_management_port(case: &Path) {
    let learned = learn(case, &[]);
    let rules = learned.rules();
    let from_nodes: Vec<&String> = rules.iter().filter(|rule| rule.contains("<-") && rule.contains("/32")).collect();
    assert!(from_nodes.len() == 1 && from_nodes[0].ends_with("<- 10.128.4.2/32 TCP 8080"), "{rules:#?}");
    assert!(learned.findings("own-node-traffic").join("\n").contains("10.128.2.2"), "{:?}", learned.findings("own-node-traffic"));
    assert!(learned.findings("remote-node-traffic").join("\n").contains("OVN management port"));
    assert!(learned.codes().contains("policy-group-label"), "{:?}", learned.codes());
    for port in ["TCP 5353", "UDP 5353"] {
        assert!(rules.iter().any(|rule| rule.contains("-> openshift-dns [") && rule.ends_with(port)), "{port}: {rules:#?}");
    }
    assert!(!learned.policies.keys().any(|policy| policy.starts_with("openshift")), "{:?}", learned.policies.keys());
}

/// Two servers with addresses of the subnet that pods have theirs from, each with a name.
fn database_in_the_pods_subnet(case: &Path) {
    let learned = learn(case, &[]);
    let rules = learned.rules();
    for address in ["10.0.32.200/32 TCP 5432", "10.0.40.15/32 TCP 6379"] {
        assert!(rules.iter().any(|rule| rule.contains("->") && rule.ends_with(address)), "{address}: {rules:#?}");
    }
    assert!(!learned.codes().contains("unattributed-address"), "{:?}", learned.findings("unattributed-address"));
    assert!(!rules.iter().any(|rule| rule.contains("to-10-0-32-200")), "named after what was asked for: {rules:#?}");
}

/// The API server calls from its node's tunnel, whichever way the inventory says the pod range.
fn webhook_from_tunnel(case: &Path) {
    for inventory in ["inventory.yaml", "inventory-kubeadm.yaml"] {
        let folder = tempfile::tempdir().unwrap();
        let learned = learn_files(folder, &case.join("capture.pcap"), &[case.join(inventory)], &[]);
        assert_eq!(learned.code, Some(0), "{inventory}: {}", learned.messages);
        let rules = learned.rules();
        let is_webhook = |rule: &String| rule.contains("/allow-node-to-") && rule.ends_with("<- 192.168.219.64/32 TCP 9443");
        assert!(rules.iter().any(is_webhook), "{inventory}: {rules:#?}");
        assert!(learned.codes().contains("remote-node-traffic"), "{inventory}: {:?}", learned.codes());
    }
}

/// Pods, a database and a load balancer in one subnet.
fn three_edges_of_a_shared_subnet(inventory: &Path) {
    let learned = learn_files(tempfile::tempdir().unwrap(), &inventory.with_extension("pcap"), &[inventory.to_owned()], &[]);
    assert_eq!(learned.code, Some(0), "{}", learned.messages);
    let rules = learned.rules();
    for rule in ["-> 10.50.160.77/32 TCP 5432", "<- 10.50.160.88/32 TCP 8080", "-> [app=web] TCP 8080", "<- [app=b] TCP 8080"] {
        assert!(rules.iter().any(|known| known.ends_with(rule)), "{rule}: {rules:#?}");
    }
    assert_eq!(rules.len(), 4, "{rules:#?}");
    assert!(!learned.codes().contains("unattributed-address"), "{:?}", learned.codes());
}

fn named_port_per_pod(case: &Path) {
    let learned = learn(case, &[]);
    let rules = learned.rules();
    for port in ["TCP 8080", "TCP 9090"] {
        assert!(rules.iter().any(|rule| rule.contains("<-") && rule.ends_with(port)), "{port}: {rules:#?}");
    }
}

/// Calls come from outside to a port each; nothing goes to the ports of the clients.
fn rtp_range(case: &Path) {
    let learned = learn(case, &[]);
    assert!(learned.codes().contains("dynamic-ports"));
    assert!(learned.rules().iter().all(|rule| rule.contains(" <- ") && rule.ends_with(" UDP 5060")), "{:#?}", learned.rules());
    let rules = learn(case, &["--port-ranges"]).rules();
    let (signalling, media): (Vec<&String>, Vec<&String>) = rules.iter().partition(|rule| rule.ends_with(" UDP 5060"));
    assert!(!signalling.is_empty() && !media.is_empty(), "{rules:#?}");
    for rule in media {
        let (first, last) = rule.rsplit_once(' ').unwrap().1.split_once('-').unwrap();
        let is_within = |port: &str| (50_000..=60_000).contains(&port.parse::<u32>().unwrap());
        assert!(rule.contains(" <- ") && is_within(first) && is_within(last), "{rule}");
    }
}

fn name_with_pool(case: &Path) {
    let found = learn(case, &[]).findings("many-addresses");
    assert!(matches!(found.as_slice(), [one] if one.contains("24 addresses") && one.contains("3 were called")), "{found:#?}");
}

/// Learns from a capture with the inventory of the shop.
fn learn_with_shop_inventory(capture: &Path) -> Learned {
    let inventory = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures/shop.yaml");
    learn_files(tempfile::tempdir().unwrap(), capture, &[inventory], &[])
}

fn one_data_segment(capture: &Path) {
    let learned = learn_with_shop_inventory(capture);
    assert_eq!(learned.code, Some(2), "nothing was learned: {}", learned.messages);
    assert!(learned.codes().contains("one-sided-connection") && !learned.codes().contains("unanswered-connection"));
}

fn one_of_six_is_mid_stream(capture: &Path) {
    let learned = learn_with_shop_inventory(capture);
    assert!(learned.summary["flows"]["mid-stream"].as_u64() > Some(0), "{}", learned.summary["flows"]);
    assert!(!learned.codes().contains("weak-direction") && !learned.codes().contains("direction-contradicted"));
}

fn udp_at_the_same_instant(capture: &Path) {
    let learned = learn_with_shop_inventory(capture);
    let rules: Vec<String> = learned.rules().into_iter().collect();
    let [egress, ingress] = rules.as_slice() else { panic!("{rules:#?}") };
    assert!(egress.starts_with("prod/allow-egress-from-web ") && egress.ends_with(" UDP 2049"), "{egress}");
    assert!(ingress.starts_with("prod/allow-ingress-to-db ") && ingress.ends_with(" UDP 2049"), "{ingress}");
    assert!(!learned.codes().contains("weak-direction"));
}

fn argo_rollouts(case: &Path) {
    let learned = learn(case, &[]);
    let rules = learned.rules();
    assert!(rules.iter().any(|rule| rule.contains("[app=guestbook]")), "{rules:#?}");
    assert!(!rules.iter().any(|rule| rule.contains("role=") || rule.contains("hash")), "{rules:#?}");
}

/// The selectors of all policies and peers that mean pods, but for those of DNS.
fn selectors(learned: &Learned) -> BTreeSet<String> {
    let rules = learned.rules();
    let parts = rules.iter().flat_map(|rule| rule.split(['[', ']']).skip(1).step_by(2)).map(str::to_owned);
    parts.filter(|selector| !selector.is_empty() && selector != "k8s-app=kube-dns").collect()
}

/// The workloads of a namespace, as the summary lists them.
fn workloads(learned: &Learned, namespace: &str) -> Vec<String> {
    let listed = learned.summary["namespaces"][namespace]["workloads"].as_array();
    listed.into_iter().flatten().map(|line| line.as_str().unwrap().to_owned()).collect()
}

fn cnpg_instance(case: &Path) {
    let learned = learn(case, &[]);
    assert_eq!(workloads(&learned, "shop"), ["audit-db (Cluster)", "orders (Deployment)", "orders-db (Cluster)"]);
    let expected = [
        "app.kubernetes.io/name=cloudnative-pg",
        "app.kubernetes.io/name=prometheus",
        "app=orders",
        "cnpg.io/cluster=audit-db,cnpg.io/podRole=instance",
        "cnpg.io/cluster=orders-db,cnpg.io/podRole=instance",
    ];
    assert_eq!(selectors(&learned), BTreeSet::from(expected.map(str::to_owned)));
    assert!(!learned.codes().contains("selector-may-not-last"), "{:?}", learned.codes());
    let rules = learned.rules();
    let ingress = |port: &str| {
        let to_db = |rule: &&String| rule.contains("-db [") && rule.contains("<-") && rule.ends_with(port);
        rules.iter().filter(to_db).map(|rule| rule.split("<- ").nth(1).unwrap().to_owned()).collect::<BTreeSet<String>>()
    };
    assert_eq!(ingress("TCP 8000"), BTreeSet::from(["cnpg-system [app.kubernetes.io/name=cloudnative-pg] TCP 8000".into()]));
    assert_eq!(ingress("TCP 9187"), BTreeSet::from(["monitoring [app.kubernetes.io/name=prometheus] TCP 9187".into()]));
    assert!(rules.iter().any(|rule| rule.contains("orders-db") && rule.ends_with("-> 172.18.0.2/32 TCP 6443")), "{rules:#?}");
    assert_lasts(&learned, case);
}

fn spark_executors(case: &Path) {
    let learned = learn(case, &[]);
    let of_spark = selectors(&learned);
    let expected = ["spark-app-name=etl,spark-role=driver", "spark-app-name=etl,spark-role=executor"];
    assert_eq!(of_spark, BTreeSet::from(expected.map(str::to_owned)));
    assert!(learned.codes().contains("port-of-one-pod"), "{:?}", learned.codes());
    assert_lasts(&learned, case);
}

fn knative_revision(case: &Path) {
    let learned = learn(case, &[]);
    assert_eq!(workloads(&learned, "shop"), ["hello (Service)"]);
    let of_revisions = selectors(&learned).into_iter().filter(|selector| selector.contains("revision")).count();
    assert_eq!(of_revisions, 0, "{:?}", selectors(&learned));
    assert!(selectors(&learned).iter().any(|selector| selector.contains("serving.knative.dev/service=hello")));
    assert_lasts(&learned, case);
}

/// The policies of one rollout fit the next and the other way round, also where the inventory lacks the owners.
fn rollouts_of_a_deployment_config(first: &Path) {
    let folder = first.parent().unwrap();
    let second = folder.join("dc5-next-rollout.json");
    for missing in [&[][..], &["DeploymentConfig"], &["ReplicationController"], &["DeploymentConfig", "ReplicationController"]] {
        let scratch = tempfile::tempdir().unwrap();
        let without = |path: &Path| {
            let mut list: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
            let is_kept = |object: &serde_json::Value| !missing.contains(&object["kind"].as_str().unwrap());
            list["items"].as_array_mut().unwrap().retain(is_kept);
            let copy = scratch.path().join(path.file_name().unwrap());
            std::fs::write(&copy, list.to_string()).unwrap();
            copy
        };
        let copies = [without(first), without(&second)];
        let captures = [first, &second].map(|path| path.with_extension("pcap"));
        for (here, there) in [(0, 1), (1, 0)] {
            let known = [copies[here].clone()];
            let learned = learn_files(tempfile::tempdir().unwrap(), &captures[here], &known, &[]);
            assert_eq!(workloads(&learned, "shop"), ["api (DeploymentConfig)", "web (Pod)"], "without {missing:?}");
            assert!(!selectors(&learned).iter().any(|selector| selector.contains("deployment=")), "without {missing:?}");
            let (code, stdout, stderr) = learned.verify(&captures[there], &copies[there], &[]);
            assert_eq!(code, Some(0), "without {missing:?}: {stdout}\n{stderr}");
        }
    }
}

/// Catalogs are in a namespace of the platform, which only `--system` learns.
fn catalog_pod(inventory: &Path) {
    let capture = inventory.with_extension("pcap");
    let learned = learn_files(tempfile::tempdir().unwrap(), &capture, &[inventory.to_owned()], &["--system"]);
    assert_eq!(learned.code, Some(0), "{}", learned.messages);
    assert_eq!(workloads(&learned, "openshift-marketplace"), ["redhat-operators (CatalogSource)"]);
    let expected = ["app=web", "olm.catalogSource=redhat-operators"];
    assert_eq!(selectors(&learned), BTreeSet::from(expected.map(str::to_owned)));
}

/// Learns from an inventory of the dumps and a capture beside it.
fn learn_dump(inventory: &Path, capture: &str) -> Learned {
    let capture = inventory.ancestors().map(|folder| folder.join(capture)).find(|path| path.is_file()).unwrap();
    learn_files(tempfile::tempdir().unwrap(), &capture, &[inventory.to_owned()], &[])
}

/// Learns from an inventory and the capture of the same name.
fn learn_its_own(inventory: &Path) -> Learned {
    let name = inventory.with_extension("pcap").file_name().unwrap().to_string_lossy().into_owned();
    let learned = learn_dump(inventory, &name);
    assert_eq!(learned.code, Some(0), "{}: {}", inventory.display(), learned.messages);
    learned
}

fn is_read(inventory: &Path) {
    let learned = learn_its_own(inventory);
    assert!(!learned.policies.is_empty(), "{}: {}", inventory.display(), learned.messages);
    assert!(!learned.codes().contains("unreadable-object"), "{:?}", learned.codes());
}

fn the_address_is_the_running_pods(inventory: &Path) {
    let learned = learn_its_own(inventory);
    let expected = [
        "shop/allow-egress-from-web [app=web] -> [app=api] TCP 8080",
        "shop/allow-ingress-to-api [app=api] <- [app=web] TCP 8080",
    ];
    assert_eq!(learned.rules(), BTreeSet::from(expected.map(str::to_owned)));
    assert!(!learned.codes().contains("unattributed-address"), "{:?}", learned.codes());
}

/// The cluster of dc1 in another form: `web` calls `api`.
fn learn_shop(inventory: &Path) -> Learned {
    let learned = learn_dump(inventory, "dc1-dc-and-rc.pcap");
    assert_eq!(learned.code, Some(0), "{}: {}", inventory.display(), learned.messages);
    let rules = learned.rules();
    assert_eq!(rules.len(), 2, "{rules:#?}");
    let is_of_api = |rule: &String| rule.starts_with("shop/allow-ingress-to-api ") && rule.ends_with("<- [app=web] TCP 8080");
    assert!(rules.iter().any(is_of_api), "{rules:#?}");
    learned
}

fn the_shop_is_read(inventory: &Path) {
    learn_shop(inventory);
}

fn a_foreign_file_is_passed_over(inventory: &Path) {
    let learned = learn_shop(inventory);
    let found = learned.findings("inventory-file-passed-over");
    assert!(
        matches!(found.as_slice(), [only] if only.contains("mode.json: was passed over: expected Kubernetes objects")),
        "{found:?}"
    );
}

fn a_foreign_file_that_was_named_is_an_error(inventory: &Path) {
    let learned = learn_dump(inventory, "dc1-dc-and-rc.pcap");
    assert_eq!(learned.code, Some(2), "{}", learned.messages);
    assert!(learned.messages.contains("found a text without keys"), "{}", learned.messages);
}

/// OpenShift's namespaces are the platform's: with them, the resolver has policies too.
fn dns_openshift(case: &Path) {
    let learned = learn(case, &["--system"]);
    let rules = learned.rules();
    for port in ["TCP 5353", "UDP 5353"] {
        let has = |arrow: &str| rules.iter().any(|rule| rule.contains(arrow) && rule.ends_with(port));
        assert!(has("<- shop "), "the resolver's ingress, {port}: {rules:#?}");
        assert!(has("-> openshift-dns "), "the callers' egress, {port}: {rules:#?}");
    }
    assert!(!learned.codes().contains("policy-withheld"), "{:#?}", learned.findings("policy-withheld"));
    let widened = learned.summary["proof"]["widened"].as_array().unwrap();
    let both = |name: &str| {
        widened
            .iter()
            .filter_map(|line| line.as_str())
            .any(|line| line.contains(name) && line.contains("name resolution over UDP and TCP"))
    };
    assert!(both("shop/") && both("openshift-dns/"), "{widened:#?}");
}

fn namespace_label_missing(case: &Path) {
    let learned = learn(case, &[]);
    let named = learned.findings("namespace-label-missing");
    assert!(named.iter().any(|finding| finding.starts_with("shop/web -> legacy/soap TCP 8080")), "{named:#?}");
    let rules = learned.rules();
    assert!(rules.iter().any(|rule| rule.contains("[app=soap] <- shop [app=web] TCP 8080")), "{rules:#?}");
    assert!(!rules.iter().any(|rule| rule.contains("-> legacy")), "{rules:#?}");
    assert!(!learned.codes().contains("policy-withheld"), "{:#?}", learned.findings("policy-withheld"));
}

fn multus_secondary(case: &Path) {
    let learned = learn(case, &[]);
    assert!(learned.rules().iter().all(|rule| rule.ends_with(" 53")), "names alone: {:#?}", learned.rules());
    let found = learned.findings("secondary-interface");
    for workload in ["telco/smf", "telco/upf"] {
        assert!(
            found.iter().any(|line| line.starts_with(workload) && line.contains("telco/macvlan-conf")),
            "{workload}: {found:?}"
        );
    }
    assert!(!learned.codes().contains("workload-without-traffic"), "{}", learned.messages);
    let sum =
        |field: &str| -> u64 { learned.summary[field].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum() };
    assert_eq!((sum("flows"), sum("flow_classes")), (37, 37), "{}", learned.summary["flow_classes"]);
}

/// The inventory of the directory is the project's own.
fn directory_with_damage(case: &Path) {
    let inventory = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures/shop.yaml");
    let learned = learn_files(tempfile::tempdir().unwrap(), case, &[inventory], &[]);
    assert_eq!(learned.code, Some(2), "{}", learned.messages);
    for name in ["node-3.pcap", "node-4.pcap", "node-5.pcap", "node-6.pcap"] {
        assert!(learned.messages.contains(name), "{name}: {}", learned.messages);
    }
    assert!(learned.rules().iter().any(|rule| rule.contains("TCP 3306")), "the good capture is learned from");
}
