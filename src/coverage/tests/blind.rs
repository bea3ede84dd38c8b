use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::coverage::{Caller, blind_spots, candidates};
use crate::edge::{Observation, Observer};
use crate::flow::Names;
use crate::inventory::{Inventory, InventoryBuilder, InventoryOptions};
use crate::model::{Beginning, DirectionEvidence, Endpoint, Flow, Outcome, Protocol, Span, Timestamp};

/// When the capture begins; it lasts a minute.
const BEGIN: &str = "2026-03-01T12:00:00Z";

fn pod(name: &str, address: &str, node: &str, started: &str, more: &Value) -> Value {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"namespace": "n", "name": format!("{name}-1"), "labels": {"app": name},
            "ownerReferences": [{"kind": "StatefulSet", "name": name, "controller": true}]},
        "spec": {"nodeName": node, "containers": [{"name": "c", "ports": []}]},
        "status": {"podIP": address, "startTime": started},
    });
    for (path, value) in more.as_object().expect("an object") {
        *pod.pointer_mut(path.rsplit_once('/').expect("a path").0)
            .expect("a parent")
            .as_object_mut()
            .expect("an object")
            .entry(path.rsplit_once('/').expect("a path").1)
            .or_insert(Value::Null) = value.clone();
    }
    pod
}

fn service(name: &str, app: &str, port: u16, target: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "n", "name": name, "labels": {"app": app}},
        "spec": {"clusterIP": "", "selector": {"app": app}, "ports": [{"name": "main", "port": port, "targetPort": target}]}})
}

/// What is observed of these objects when `n/caller` at 10.1.0.1 calls these addresses and ports.
fn observe(objects: &[Value], calls: &[(&str, &str, u16)]) -> (Observation, Inventory) {
    let mut builder = InventoryBuilder::new();
    builder.apply_value(pod("caller", "10.1.0.1", "node-1", "2026-03-01T12:00:01Z", &json!({})));
    for object in objects {
        builder.apply_value(object.clone());
    }
    let inventory = builder
        .build(&InventoryOptions { pod_ranges: vec!["10.1.0.0/16".parse().expect("a range")], ..InventoryOptions::default() });
    let begin: jiff::Timestamp = BEGIN.parse().expect("a time");
    let begin = Timestamp::from_seconds(begin.as_second());
    let flow = |(position, (from, to, port)): (i64, &(&str, &str, u16))| Flow {
        span: Span::between(begin.plus(45_000_000_000 + position), begin.plus(60_000_000_000)),
        protocol: Protocol::Tcp,
        originator: Endpoint { address: from.parse().expect("an address"), port: 40000 },
        responder: Endpoint { address: to.parse().expect("an address"), port: *port },
        outcome: Outcome::Answered,
        direction: DirectionEvidence::Syn,
        beginning: Beginning::Unknown,
        opening: None,
        answer: None,
        origins: [[0; 2]; 2],
        input: 0,
        refusers: [0; 2],
        unrefused: Outcome::Answered,
        moments: 1,
    };
    let mut observer = Observer::new(&inventory, 1000);
    // Of no concern, but the capture began with it.
    let first = Flow { span: Span::at(begin), ..flow((0, &("203.0.113.8", "203.0.113.9", 80))) };
    observer.observe((0..).zip(calls).map(flow).chain([first]).collect(), &Names::default());
    (observer.conclude(), inventory)
}

/// What is found then.
fn find(objects: &[Value], calls: &[(&str, &str, u16)]) -> Vec<String> {
    let (observation, inventory) = observe(objects, calls);
    let findings = blind_spots(&observation, &inventory, &["n".to_owned()].into());
    findings.sorted().iter().map(|finding| format!("{}: {} {}", finding.code, finding.subject, finding.message)).collect()
}

const OUTSIDE: &str = "203.0.113.1";
const NEW: &str = "2026-03-01T12:00:30Z";
const OLD: &str = "2026-02-01T00:00:00Z";

fn ports(ports: &[u16]) -> Value {
    ports.iter().map(|port| json!({"containerPort": port})).collect()
}

#[test]
fn ports_that_nobody_called_are_told_once_for_a_workload() {
    let declared = json!({"/spec/containers/0/ports": ports(&[80, 9000, 8081]),
        "/spec/containers/0/livenessProbe": {"httpGet": {"port": 8081}}});
    let web = pod("web", "10.1.0.2", "node-1", NEW, &declared);
    let objects = [web, service("web", "web", 8080, &80.into()), service("secure", "web", 443, &8443.into())];
    let ingress = json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"namespace": "n", "name": "in"},
        "spec": {"defaultBackend": {"service": {"name": "secure", "port": {"name": "main"}}}}});
    let found = find(&objects, &[("10.1.0.1", "10.1.0.2", 80)]);
    let expected = "port-not-called: n/web declares TCP 8443 (Service n/secure), TCP 9000 (containerPort): nobody called";
    assert_eq!(found, [expected], "80 was called, 8081 is for the kubelet");
    let with_ingress = [objects.as_slice(), &[ingress]].concat();
    let found = find(&with_ingress, &[("10.1.0.1", "10.1.0.2", 80)]);
    assert!(found[0].contains("TCP 8443 (Service n/secure, Ingress n/in)"), "{found:?}");
    let found = find(&objects, &[("10.1.0.1", OUTSIDE, 443)]);
    assert_eq!(found.len(), 0, "that a workload is silent is said elsewhere: {found:?}");
}

#[test]
fn callers_that_are_known_are_named() {
    let annotated = json!({"/metadata/annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "9113"}});
    let webhook = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "checks"}, "webhooks": [{"clientConfig": {"service": {"namespace": "n", "name": "checks"}}}]});
    let aggregated = json!({"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": "v1.n"},
        "spec": {"service": {"namespace": "n", "name": "metrics", "port": 4443}}});
    let monitor = json!({"apiVersion": "monitoring.coreos.com/v1", "kind": "ServiceMonitor", "metadata": {"namespace": "m", "name": "x"},
        "spec": {"selector": {"matchLabels": {"app": "metrics"}}, "namespaceSelector": {"matchNames": ["n"]},
            "endpoints": [{"targetPort": 9100}]}});
    let objects = [
        pod("web", "10.1.0.2", "node-1", NEW, &annotated),
        pod("checks", "10.1.0.3", "node-1", NEW, &json!({})),
        pod("metrics", "10.1.0.4", "node-1", NEW, &json!({})),
        service("checks", "checks", 443, &8443.into()),
        service("metrics", "metrics", 4443, &4443.into()),
        webhook,
        aggregated,
        monitor,
    ];
    let found = find(&objects, &[("10.1.0.1", OUTSIDE, 443)]);
    let expected = [
        "api-server-call-not-seen: n/checks is to be called by the API server on TCP 8443 (ValidatingWebhookConfiguration checks) and was not",
        "api-server-call-not-seen: n/metrics is to be called by the API server on TCP 4443 (APIService v1.n) and was not",
        "scrape-not-seen: n/metrics is to be scraped on TCP 9100 (ServiceMonitor m/x) and was not",
        "scrape-not-seen: n/web is to be scraped on TCP 9113 (prometheus.io/scrape) and was not",
    ];
    assert_eq!(found, expected);
    let called = [("10.1.0.3", 8443), ("10.1.0.4", 4443), ("10.1.0.4", 9100), ("10.1.0.2", 9113)];
    let calls: Vec<(&str, &str, u16)> = called.iter().map(|&(to, port)| ("10.1.0.1", to, port)).collect();
    assert_eq!(find(&objects, &calls).len(), 0, "all were called");
}

#[test]
fn starts_and_scaling_that_did_not_happen_are_told() {
    let autoscaler = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"namespace": "n", "name": "web"}, "spec": {"scaleTargetRef": {"kind": "StatefulSet", "name": "web"}}});
    let calls = [("10.1.0.1", "10.1.0.2", 80)];
    let rows: [(&str, &str, &[&str]); 3] = [
        (
            "no pod came",
            OLD,
            &[
                "start-not-seen: n has 1 workload of which no pod started while the capture ran: web",
                "scaling-not-seen: n/web is scaled by HorizontalPodAutoscaler n/web: no pod of it came or went while the capture ran",
            ],
        ),
        ("one came", NEW, &[]),
        ("nobody knows when it came", "", &[]),
    ];
    for (message, started, expected) in rows {
        let objects = [pod("web", "10.1.0.2", "node-1", started, &json!({})), autoscaler.clone()];
        assert_eq!(find(&objects, &calls), expected, "{message}");
    }
}

#[test]
fn a_node_is_told_of_when_none_of_its_pods_was_seen() {
    let pods = [
        pod("web", "10.1.1.2", "node-2", NEW, &json!({})),
        pod("api", "10.1.1.3", "node-2", NEW, &json!({})),
        pod("later", "10.1.2.2", "node-3", "2026-03-01T13:00:00Z", &json!({"/metadata/name": "later-1"})),
    ];
    let found = find(&pods, &[("10.1.0.1", OUTSIDE, 443)]);
    let about_nodes =
        |found: Vec<String>| -> Vec<String> { found.into_iter().filter(|line| line.starts_with("node-not-seen")).collect() };
    let expected = "node-not-seen: node node-2 has 2 pods, none of which was seen to send or answer anything: n/api, n/web";
    assert_eq!(about_nodes(found), [expected], "the pod of node-3 was not there yet");
    let found = find(&pods, &[("10.1.0.1", "10.1.1.3", 80)]);
    assert_eq!(about_nodes(found).len(), 0, "one of them answered");
    let expected = "node-not-seen: node node-2 has one pod, which was not seen to send or answer anything: n/web";
    assert_eq!(about_nodes(find(&pods[..1], &[("10.1.0.1", OUTSIDE, 443)])), [expected]);
}

#[test]
fn candidates_name_the_caller_where_it_can_be_told() {
    let annotated = json!({"/metadata/annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "9113"}});
    let kubernetes = json!({"apiVersion": "v1", "kind": "Endpoints", "metadata": {"namespace": "default", "name": "kubernetes"},
        "subsets": [{"addresses": [{"ip": "10.0.0.10"}], "ports": [{"name": "https", "port": 6443}]}]});
    let webhook = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "checks"}, "webhooks": [{"clientConfig": {"service": {"namespace": "n", "name": "checks"}}}]});
    let objects = [
        pod("web", "10.1.0.2", "node-1", NEW, &annotated),
        pod("api", "10.1.0.3", "node-1", NEW, &annotated),
        pod("checks", "10.1.0.4", "node-1", NEW, &json!({})),
        service("checks", "checks", 443, &8443.into()),
        service("cache", "api", 6379, &6379.into()),
        webhook,
        kubernetes,
    ];
    let told = |calls: &[(&str, &str, u16)]| -> Vec<String> {
        let (observation, inventory) = observe(&objects, calls);
        let subjects = BTreeSet::from(["n".to_owned()]);
        let candidates = candidates(&observation, &inventory, &subjects, &crate::policy::selectors(&inventory));
        let caller = |caller: &Caller| match caller {
            Caller::Unknown => "?".to_owned(),
            Caller::Known(_, who) => who.clone(),
        };
        candidates.iter().map(|one| format!("{} {}: {}", one.workload, one.port, caller(&one.caller))).collect()
    };
    let api_server = "n/checks 8443: the API server, if it calls from the addresses of its endpoints";
    let scraped_elsewhere = told(&[("10.1.0.1", "10.1.0.2", 9113)]);
    assert_eq!(scraped_elsewhere, ["n/api 6379: ?", "n/api 9113: n/caller, seen scraping others", api_server]);
    let not_scraped = told(&[("10.1.0.1", OUTSIDE, 443)]);
    assert_eq!(not_scraped, ["n/api 6379: ?", "n/api 9113: ?", api_server, "n/web 9113: ?"]);
}
