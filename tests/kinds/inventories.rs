//! Inventories as people have them: one cluster, written in the layouts of the programs that dump clusters. Whatever the layout, the
//! policies are those of the plain `kubectl get -o yaml`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::world::{Learned, World, learn_files};

/// A shop: `web` calls `api`, each with two replicas, and `api` calls `db`.
fn shop() -> World {
    let owner = "apps/v1 ReplicaSet/web-6d4cf56db6";
    World::default()
        .node("n1", "192.168.0.1", &["10.244.1.0/24"])
        .node("n2", "192.168.0.2", &["10.244.2.0/24"])
        .namespace("shop")
        .namespace("data")
        .object("{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}, spec: {selector: {matchLabels: {app: web}}}}")
        .object(
            "{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: web-6d4cf56db6, namespace: shop, ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: web, controller: true}]}, spec: {selector: {matchLabels: {app: web, pod-template-hash: 6d4cf56db6}}}}",
        )
        .pod_of("shop", "web-6d4cf56db6-aaaaa", "10.244.1.10", "n1", "app=web,pod-template-hash=6d4cf56db6", owner)
        .pod_of("shop", "web-6d4cf56db6-bbbbb", "10.244.2.10", "n2", "app=web,pod-template-hash=6d4cf56db6", owner)
        .pod("shop", "api", "10.244.1.11", "n1", "App=Api")
        .pod("data", "db", "10.244.2.12", "n2", "app=db")
        .object(
            "{apiVersion: v1, kind: Service, metadata: {name: api, namespace: shop}, spec: {type: ClusterIP, clusterIP: 10.96.0.20, selector: {App: Api}, ports: [{name: http, port: 80, targetPort: 8080, protocol: TCP}]}}",
        )
        .tcp("10.244.1.10", "10.244.1.11", 8080)
        .tcp("10.244.2.10", "10.96.0.20", 80)
        .tcp("10.244.1.11", "10.244.2.12", 5432)
}

const RULES: [&str; 4] = [
    "data/allow-ingress-to-db [app=db] <- shop [App=Api] TCP 5432",
    "shop/allow-egress-from-api [App=Api] -> data [app=db] TCP 5432",
    "shop/allow-egress-from-web [app=web] -> [App=Api] TCP 8080",
    "shop/allow-ingress-to-api [App=Api] <- [app=web] TCP 8080",
];

/// The objects of a world, as JSON.
fn objects(world: &World) -> Vec<Value> {
    world.inventory().split("\n---\n").map(|text| serde_saphyr::from_str(text).unwrap()).collect()
}

/// Runs `learn` on the capture of a world with these inventories.
fn learn(world: &World, inventories: &[PathBuf], arguments: &[&str]) -> Learned {
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("capture.pcap");
    fs::write(&capture, world.capture()).unwrap();
    learn_files(folder, &capture, inventories, arguments)
}

fn assert_rules(learned: &Learned, message: &str) {
    assert_eq!(learned.code, Some(0), "{message}: {}", learned.messages);
    assert_eq!(learned.rules(), BTreeSet::from(RULES.map(str::to_owned)), "{message}");
}

/// Writes a file, with the directories above it.
fn put(path: &Path, bytes: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// The objects of a kind, of one namespace or of all.
fn of<'o>(objects: &'o [Value], kind: &str, namespace: Option<&str>) -> Vec<&'o Value> {
    let is_meant = |object: &&Value| {
        object["kind"] == kind && namespace.is_none_or(|namespace| object["metadata"]["namespace"] == namespace)
    };
    objects.iter().filter(is_meant).collect()
}

/// An object as a program writes it that has the API's types: it does not say its kind.
fn kindless(object: &Value) -> Value {
    let mut object = object.clone();
    let members = object.as_object_mut().unwrap();
    members.remove("kind");
    members.remove("apiVersion");
    object
}

fn kindless_all(objects: &[&Value]) -> Vec<Value> {
    objects.iter().map(|object| kindless(object)).collect()
}

/// A typed list, as client libraries write it.
fn typed_list(objects: &[Value], kind: &str, namespace: Option<&str>) -> Value {
    let found = of(objects, kind, namespace);
    let version = found.first().map_or(json!("v1"), |first| first["apiVersion"].clone());
    json!({"kind": format!("{kind}List"), "apiVersion": version, "metadata": {}, "items": kindless_all(&found)})
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap() + "\n"
}

fn yaml(value: &Value) -> String {
    serde_saphyr::to_string(value).unwrap()
}

fn list(objects: &[Value]) -> String {
    pretty(&json!({"apiVersion": "v1", "kind": "List", "items": objects}))
}

const NAMESPACES: [&str; 2] = ["data", "shop"];
/// The lists that `cluster-info dump` has of each namespace, and the names of their files.
const DUMPED: [(&str, &str); 7] = [
    ("Event", "events"),
    ("ReplicationController", "replication-controllers"),
    ("Service", "services"),
    ("DaemonSet", "daemonsets"),
    ("Deployment", "deployments"),
    ("ReplicaSet", "replicasets"),
    ("Pod", "pods"),
];

fn log_section(container: &str, namespace: &str, pod: &Value, text: &str) -> String {
    let name = format!("container {container} of pod {namespace}/{}", pod.as_str().unwrap());
    format!("==== START logs for {name} ====\n{text}==== END logs for {name} ====\n")
}

/// `kubectl cluster-info dump` to standard output, each list written by `print`.
fn printed_dump(objects: &[Value], separator: &str, print: fn(&Value) -> String) -> String {
    // Logs that look like what is around them, and one that does not end with a line feed.
    let log =
        pretty(&json!({"kind": "PodList", "apiVersion": "v1", "items": [{"metadata": {"name": "forged", "namespace": "shop"}}]}));
    let mut text = print(&typed_list(objects, "Node", None));
    for namespace in NAMESPACES {
        for (kind, _) in DUMPED {
            let _ = write!(text, "{separator}{}", print(&typed_list(objects, kind, Some(namespace))));
        }
        for pod in of(objects, "Pod", Some(namespace)) {
            text += &log_section("main", namespace, &pod["metadata"]["name"], &log);
            text += &log_section("side", namespace, &pod["metadata"]["name"], "level=info {\"a\": [1,");
        }
    }
    text
}

/// As kubectl before 1.14 prints an object: in the spelling of Kubernetes' internal types.
fn internal(object: &Value) -> Value {
    fn capital(name: &str) -> String {
        if name == "ip" {
            return "IP".into();
        }
        name[..1].to_ascii_uppercase() + &name[1..]
    }
    fn below(value: &Value) -> Value {
        match value {
            Value::Object(members) => members
                .iter()
                .map(|(name, value)| {
                    let value = if name.contains("elector") || name == "labels" { value.clone() } else { below(value) };
                    (capital(name), value)
                })
                .collect::<Map<_, _>>()
                .into(),
            Value::Array(items) => items.iter().map(below).collect(),
            scalar => scalar.clone(),
        }
    }
    let mut members = object["metadata"].as_object().cloned().unwrap_or_default();
    for part in ["spec", "status"] {
        members.insert(capital(part), below(&object[part]));
    }
    members.into()
}

fn internal_list(objects: &[Value], kind: &str, namespace: Option<&str>, link: Option<&str>) -> Value {
    let items: Vec<Value> = of(objects, kind, namespace).into_iter().map(internal).collect();
    match link {
        Some(link) => json!({"selfLink": link, "resourceVersion": "2410", "Items": items}),
        None => json!({"resourceVersion": "2410", "Items": items}),
    }
}

fn utf16(text: &str, to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(to_bytes).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Writes the objects to a place, which is then given to `--inventory`.
type Layout = fn(&[Value], &Path);

const LAYOUTS: &[(&str, Layout)] = &[
    ("kubectl get -o json", |objects, place| put(place, list(objects))),
    ("a typed list without versions", |objects, place| {
        let mut text = String::new();
        for kind in ["Node", "Namespace", "Service", "Deployment", "ReplicaSet", "Pod"] {
            text += &pretty(&json!({"kind": format!("{kind}List"), "items": kindless_all(&of(objects, kind, None))}));
        }
        put(place, text);
    }),
    ("a list of lists", |objects, place| {
        let kinds = ["Node", "Namespace", "Service", "Deployment", "ReplicaSet", "Pod"];
        let lists: Vec<Value> = kinds.iter().map(|kind| typed_list(objects, kind, None)).collect();
        put(place, list(&lists));
    }),
    ("a bare array", |objects, place| put(place, pretty(&json!(objects)))),
    ("a bare array in YAML", |objects, place| put(place, yaml(&json!(objects)))),
    ("JSON lines", |objects, place| {
        put(place, objects.iter().map(|object| object.to_string() + "\n").collect::<String>());
    }),
    ("cluster-info dump in one file", |objects, place| put(place, printed_dump(objects, "", pretty))),
    ("cluster-info dump in one file of YAML", |objects, place| put(place, printed_dump(objects, "---\n", yaml))),
    ("cluster-info dump in one file, compressed, with Windows lines", |objects, place| {
        put(place, gzip(printed_dump(objects, "", pretty).replace('\n', "\r\n").as_bytes()));
    }),
    ("cluster-info dump as a tree", |objects, place| {
        put(&place.join("nodes.json"), pretty(&typed_list(objects, "Node", None)));
        for namespace in NAMESPACES {
            for (kind, file) in DUMPED {
                let list = typed_list(objects, kind, Some(namespace));
                put(&place.join(namespace).join(format!("{file}.json")), pretty(&list));
            }
            for pod in of(objects, "Pod", Some(namespace)) {
                let name = &pod["metadata"]["name"];
                let log = log_section("main", namespace, name, "{\"kind\": \"Pod\"");
                put(&place.join(namespace).join(name.as_str().unwrap()).join("logs.txt"), log);
            }
        }
    }),
    ("cluster-info dump of old kubectl in one file", |objects, place| {
        let mut text = pretty(&internal_list(objects, "Node", None, Some("/api/v1/nodes")));
        for namespace in NAMESPACES {
            for (kind, api, resource) in [
                ("Service", "api/v1", "services"),
                ("Deployment", "apis/extensions/v1beta1", "deployments"),
                ("ReplicaSet", "apis/extensions/v1beta1", "replicasets"),
                ("Pod", "api/v1", "pods"),
            ] {
                let link = format!("/{api}/namespaces/{namespace}/{resource}");
                text += &pretty(&internal_list(objects, kind, Some(namespace), Some(&link)));
            }
        }
        put(place, text);
    }),
    ("cluster-info dump of old kubectl as a tree", |objects, place| {
        put(&place.join("nodes.json"), pretty(&internal_list(objects, "Node", None, None)));
        for namespace in NAMESPACES {
            for (kind, file) in DUMPED {
                let list = internal_list(objects, kind, Some(namespace), None);
                put(&place.join(namespace).join(format!("{file}.json")), pretty(&list));
            }
        }
    }),
    ("a support bundle", |objects, place| {
        let resources = place.join("cluster-resources");
        for (kind, name) in [("Node", "nodes"), ("Namespace", "namespaces")] {
            put(&resources.join(format!("{name}.json")), pretty(&json!(kindless_all(&of(objects, kind, None)))));
            put(&resources.join(format!("{name}-errors.json")), "null");
        }
        for namespace in NAMESPACES {
            for (kind, name) in
                [("Service", "services"), ("Deployment", "deployments"), ("ReplicaSet", "replicasets"), ("Pod", "pods")]
            {
                let found = json!(kindless_all(&of(objects, kind, Some(namespace))));
                put(&resources.join(name).join(format!("{namespace}.json")), pretty(&found));
            }
        }
        put(&resources.join("pods-errors.json"), "{}");
        put(&resources.join("groups.json"), pretty(&json!([{"name": "apps", "versions": [{"version": "v1"}]}])));
        put(&resources.join("auth-cani-list/shop.json"), pretty(&json!([{"verbs": ["*"], "apiGroups": ["*"]}])));
        put(&resources.join("pods/logs/shop/api/main.log"), "{\"kind\": \"Pod\"}\n");
        put(&place.join("cluster-info/cluster_version.json"), pretty(&json!({"info": {"major": "1"}, "string": "v1.31.0"})));
        put(&place.join("version.yaml"), "apiVersion: troubleshoot.sh/v1beta2\nkind: SupportBundle\n");
        put(&place.join("analysis.json"), "[]");
    }),
    ("must-gather", |objects, place| {
        let root = place.join("quay-io-openshift-sha256-0123");
        for node in of(objects, "Node", None) {
            let file = format!("cluster-scoped-resources/core/nodes/{}.yaml", node["metadata"]["name"].as_str().unwrap());
            put(&root.join(file), format!("---\n{}", yaml(node)));
        }
        for namespace in NAMESPACES {
            let home = root.join("namespaces").join(namespace);
            let object = of(objects, "Namespace", None).into_iter().find(|object| object["metadata"]["name"] == namespace);
            put(&home.join(format!("{namespace}.yaml")), yaml(object.unwrap()));
            for (kind, group, name) in [
                ("Pod", "core", "pods"),
                ("Service", "core", "services"),
                ("Deployment", "apps", "deployments"),
                ("ReplicaSet", "apps", "replicasets"),
            ] {
                put(
                    &home.join(group).join(format!("{name}.yaml")),
                    format!("---\n{}", yaml(&typed_list(objects, kind, Some(namespace)))),
                );
            }
            for pod in of(objects, "Pod", Some(namespace)) {
                let name = pod["metadata"]["name"].as_str().unwrap();
                put(&home.join(format!("pods/{name}/{name}.yaml")), format!("---\n{}", yaml(pod)));
                put(&home.join(format!("pods/{name}/main/main/logs/current.log")), "kind: Pod\n");
            }
        }
        put(&place.join("event-filter.html"), "<!DOCTYPE html><html></html>");
        put(&place.join("timestamp"), "2026-09-21 14:00:00 +0000 UTC\n");
    }),
    ("a Velero backup", |objects, place| {
        for (kind, resource) in
            [("Service", "services"), ("Deployment", "deployments.apps"), ("ReplicaSet", "replicasets.apps"), ("Pod", "pods")]
        {
            for object in of(objects, kind, None) {
                let text = |key: &str| object["metadata"][key].as_str().unwrap().to_owned();
                let file = format!("resources/{resource}/namespaces/{}/{}.json", text("namespace"), text("name"));
                put(&place.join(file), object.to_string());
            }
        }
        for (kind, resource) in [("Node", "nodes"), ("Namespace", "namespaces")] {
            for object in of(objects, kind, None) {
                let file = format!("resources/{resource}/cluster/{}.json", object["metadata"]["name"].as_str().unwrap());
                put(&place.join(file), object.to_string());
            }
        }
        put(&place.join("metadata/version"), "1.1.0\n");
    }),
    ("kubectl get with its warnings in the same file", |objects, place| {
        let warning = "Warning: v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice\n";
        put(place, format!("{warning}I0811 04:57:26.161406       1 request.go:690] Waited for 1s\n{}{warning}", list(objects)));
    }),
    ("files without an ending, of any name", |objects, place| {
        put(&place.join("first"), list(&objects[..5]));
        put(&place.join("deep/er/second.txt"), yaml(&json!({"kind": "List", "items": &objects[5..]})));
    }),
    ("UTF-16 of PowerShell", |objects, place| {
        let text = list(objects).replace('\n', "\r\n");
        put(place, [&b"\xff\xfe"[..], &utf16(&text, u16::to_le_bytes)].concat());
    }),
    ("UTF-16 in the other byte order, YAML", |objects, place| {
        let text = yaml(&json!({"apiVersion": "v1", "kind": "List", "items": objects}));
        put(place, [&b"\xfe\xff"[..], &utf16(&text, u16::to_be_bytes)].concat());
    }),
    ("UTF-16 without a mark", |objects, place| put(place, utf16(&list(objects), u16::to_le_bytes))),
    ("cluster-info dump in UTF-16", |objects, place| {
        put(place, [&b"\xff\xfe"[..], &utf16(&printed_dump(objects, "", pretty), u16::to_le_bytes)].concat());
    }),
    ("UTF-8 with a mark and Windows lines", |objects, place| {
        let text = yaml(&json!({"apiVersion": "v1", "kind": "List", "items": objects}));
        put(place, format!("\u{feff}{}", text.replace('\n', "\r\n")));
    }),
    ("zstd", |objects, place| put(place, zstd::encode_all(list(objects).as_bytes(), 1).unwrap())),
    ("gzip in a directory", |objects, place| put(&place.join("cluster.json.gz"), gzip(list(objects).as_bytes()))),
];

#[test]
fn every_layout_gives_the_same_policies() {
    let world = shop();
    let plain = world.learn(&[]);
    assert_rules(&plain, "kubectl get -o yaml");
    let objects = objects(&world);
    for (message, write) in LAYOUTS {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("dump");
        write(&objects, &place);
        let learned = learn(&world, &[place], &[]);
        assert_rules(&learned, message);
        assert_eq!(learned.policies, plain.policies, "{message}");
        let bad = ["unreadable-object", "inventory-file-incomplete", "log-section-repeated", "owner-missing"];
        for code in bad {
            assert_eq!(learned.findings(code), Vec::<String>::new(), "{message}");
        }
    }
}

type Beside = (&'static str, fn(&Path), &'static str, &'static str);

/// Files that may stand in a directory beside the cluster's, and the code and part of the text of the finding that names them.
const BESIDE: &[Beside] = &[
    (
        "a JSON file of another program",
        |place| put(&place.join("mode.json"), "{\"mode\": \"fast\"}"),
        "inventory-file-passed-over",
        "mode.json: was passed over: expected Kubernetes objects (kind and apiVersion), found an object with the key mode",
    ),
    ("a text", |place| put(&place.join("a.yaml"), "\"mode\"\n"), "inventory-file-passed-over", "found a text without keys"),
    ("an empty file", |place| put(&place.join("a.json"), ""), "inventory-file-passed-over", "found an empty file"),
    ("binary data", |place| put(&place.join("a.json"), [0, 1, 2, 3]), "inventory-file-passed-over", "found binary data"),
    (
        "an archive",
        |place| put(&place.join("a.zip"), "PK\x03\x04"),
        "inventory-file-passed-over",
        "a zip archive, which must be unpacked first",
    ),
    (
        "a capture",
        |place| put(&place.join("a.pcap"), [0xd4, 0xc3, 0xb2, 0xa1, 2, 0]),
        "inventory-file-passed-over",
        "a capture, which belongs to --read",
    ),
    (
        "logs",
        |place| put(&place.join("x/kubelet.log.1.gz"), "{\"kind\": \"Pod\""),
        "inventory-file-passed-over",
        "logs in it were passed over",
    ),
    (
        "deep nesting",
        |place| put(&place.join("a.json"), "[".repeat(100_000)),
        "inventory-file-passed-over",
        "found a text without keys",
    ),
    (
        "a kubeconfig",
        |place| put(&place.join("config"), "apiVersion: v1\nkind: Config\nclusters: []\n"),
        "unknown-kind",
        "Config",
    ),
    (
        "JSON that breaks off",
        |place| put(&place.join("a.json"), "{\"kind\": \"PodList\", \"items\": [{\"metadata\": {\"name\": \"x\""),
        "inventory-file-incomplete",
        "was not read to its end: line 1",
    ),
    (
        "gzip that breaks off",
        |place| {
            let whole =
                gzip(pretty(&json!({"kind": "PodList", "items": vec![json!({"metadata": {"name": "x"}}); 999]})).as_bytes());
            put(&place.join("a.json.gz"), &whole[..whole.len() - 12]);
        },
        "inventory-file-incomplete",
        "was not read to its end",
    ),
    (
        "a dump that breaks off within a log",
        |place| {
            put(
                &place.join("a.json"),
                "{\"kind\": \"PodList\", \"items\": []}\n==== START logs for container c of pod shop/web ====\nx\n",
            );
        },
        "inventory-file-incomplete",
        "ends within the log of container c of pod shop/web",
    ),
    (
        "a log that adds objects",
        |place| {
            let name = "container c of pod shop/web ====";
            let text = format!(
                "==== START logs for {name}\nx\n==== END logs for {name}\n{{\"kind\": \"PodList\", \"items\": []}}\n==== START logs for {name}\n==== END logs for {name}\n"
            );
            put(&place.join("a.json"), text);
        },
        "log-section-repeated",
        "container c of pod shop/web: is there twice",
    ),
    (
        "a log line of 40 MB",
        |place| {
            let name = "container c of pod shop/web ====";
            let line = "{\"a\": [".repeat(6 << 20);
            put(
                &place.join("a.json"),
                format!(
                    "{{\"kind\": \"PodList\", \"items\": []}}\n==== START logs for {name}\n{line}\n==== END logs for {name}\n{{\"kind\": \"Config\"}}"
                ),
            );
        },
        "unknown-kind",
        "Config",
    ),
    (
        "an error of kubectl",
        |place| put(&place.join("a.json"), "error: the server has no widgets\n{\"kind\": \"PodList\", \"items\": []}"),
        "inventory-file-incomplete",
        "objects may be missing: error: the server has no widgets",
    ),
    (
        "an answer of the API server",
        |place| {
            put(
                &place.join("pods.json"),
                "{\"kind\": \"Status\", \"apiVersion\": \"v1\", \"metadata\": {}, \"message\": \"pods is forbidden\"}",
            );
        },
        "unreadable-object",
        "pods is forbidden",
    ),
    (
        "a link round in a circle",
        |place| std::os::unix::fs::symlink(place, place.join("again")).unwrap(),
        "inventory-file-passed-over",
        "it is a link to a directory, and those are not followed",
    ),
    (
        "a link to itself",
        |place| std::os::unix::fs::symlink("self.json", place.join("self.json")).unwrap(),
        "inventory-file-passed-over",
        "it cannot be read",
    ),
    (
        "a file that cannot be read",
        |place| std::os::unix::fs::symlink("/proc/self/mem", place.join("a.json")).unwrap(),
        "inventory-file-incomplete",
        "a.json: was not read to its end",
    ),
    (
        "a device",
        |place| std::os::unix::fs::symlink("/dev/zero", place.join("a.json")).unwrap(),
        "inventory-file-passed-over",
        "it is no regular file",
    ),
];

#[test]
fn what_else_is_in_a_directory_is_said_and_costs_nothing() {
    let world = shop();
    for (message, write, code, part) in BESIDE {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("dump");
        put(&place.join("cluster.yaml"), world.inventory());
        put(&place.join(".hidden.json"), "{\"kind\": \"Pod\"");
        write(&place);
        let learned = learn(&world, &[place], &[]);
        assert_rules(&learned, message);
        let findings = learned.findings(code);
        assert!(
            findings.iter().any(|finding| finding.contains(part)),
            "{message}: {findings:#?}\n{:#}",
            learned.summary["findings"]
        );
        let of_inventory =
            learned.codes().into_iter().filter(|code| code.starts_with("inventory-") || code.starts_with("log-")).count();
        assert!(of_inventory <= 1, "{message}: {:?}", learned.codes());
    }
}

#[test]
fn what_was_named_and_is_no_inventory_is_an_error_that_says_what_it_is() {
    let world = shop();
    let rows: &[(&str, &[u8], &str)] = &[
        ("a JSON file of another program", b"{\"mode\": 1, \"version\": 2}", "found an object with the keys mode, version"),
        ("a string", b"\"mode\"", "found a text without keys"),
        ("a table", b"NAME   READY   STATUS\nweb    1/1     Running\n", "found a table, as kubectl prints it without `-o yaml`"),
        ("a log", b"I0811 04:57:26 main.go:293] Error: none\n", "found an object whose keys are no words"),
        ("nothing", b"", "found an empty file"),
        (
            "what kubectl says where it fails",
            b"error: the server doesn't have a resource type \"widgets\"\n",
            "found nothing but an error of kubectl: error: the server doesn't have a resource type",
        ),
        ("JSON that breaks off", b"{\"kind\": \"PodList\", \"items\": [", "line 1, column 30"),
        (
            "only nodes",
            b"{\"kind\": \"NodeList\", \"items\": [{\"metadata\": {\"name\": \"n\"}}]}",
            "find a pod in the inventory: 1 file with 1 Node",
        ),
        ("no pod", b"{\"kind\": \"PodList\", \"items\": []}", "find a pod in the inventory: 1 file with no object"),
    ];
    for (message, bytes, part) in rows {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.json");
        put(&file, bytes);
        let learned = learn(&world, &[file], &[]);
        assert_eq!(learned.code, Some(2), "{message}: {}", learned.messages);
        assert!(learned.messages.contains(part) && learned.messages.contains("hint: "), "{message}: {}", learned.messages);
    }
    let folder = tempfile::tempdir().unwrap();
    put(&folder.path().join(".hidden"), "");
    let learned = learn(&world, &[folder.path().to_owned()], &[]);
    assert_eq!(learned.code, Some(2));
    assert!(learned.messages.contains("it holds no file that is not hidden"), "{}", learned.messages);
    put(&folder.path().join("a/mode.json"), "{\"mode\": 1}");
    let learned = learn(&world, &[folder.path().to_owned()], &[]);
    assert_eq!(learned.code, Some(2));
    let part = "1 file with no object; 1 file was passed over: ";
    assert!(learned.messages.contains(part) && learned.messages.contains("with the key mode"), "{}", learned.messages);
}

/// A pod that has ended, with the address of one that runs.
fn with_finished(running_status: &str, finished_status: &str, restart_policy: &str) -> World {
    let pod = |name: &str, started: &str, policy: &str, status: &str| {
        format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: shop, labels: {{app: {name}}}, creationTimestamp: \"{started}\"}}, spec: {{nodeName: n1, restartPolicy: {policy}, containers: [{{name: c}}]}}, status: {{podIP: 10.244.1.5, startTime: \"{started}\", {status}}}}}"
        )
    };
    World::default()
        .node("n1", "192.168.0.1", &["10.244.1.0/24"])
        .namespace("shop")
        .object(&pod("api", "2026-09-01T00:00:00Z", "Always", running_status))
        .object(&pod("migrate", "2026-09-01T00:04:00Z", restart_policy, finished_status))
        .pod("shop", "web", "10.244.1.6", "n1", "app=web")
        .tcp("10.244.1.6", "10.244.1.5", 8080)
}

#[test]
fn an_address_is_not_that_of_a_pod_that_has_ended() {
    let running =
        "phase: Running, containerStatuses: [{restartCount: 3, state: {running: {startedAt: \"2026-09-20T06:00:00Z\"}}}]";
    let ended = |code: u8| {
        format!(
            "containerStatuses: [{{restartCount: 0, state: {{terminated: {{exitCode: {code}, startedAt: \"2026-09-01T00:04:10Z\", finishedAt: \"2026-09-01T00:05:12Z\"}}}}}}]"
        )
    };
    let rows = [
        ("a Job's pod, and one that restarted", running.to_owned(), format!("phase: Succeeded, {}", ended(0)), "Never", true),
        ("a pod that failed", running.into(), format!("phase: Failed, {}", ended(1)), "Never", true),
        ("a pod whose phase does not say it yet", running.into(), format!("phase: Running, {}", ended(1)), "Never", true),
        ("one that is done", running.into(), format!("phase: Running, {}", ended(0)), "OnFailure", true),
        ("one that will be started again", running.into(), format!("phase: Running, {}", ended(1)), "OnFailure", false),
        ("one that always is", running.into(), format!("phase: Running, {}", ended(0)), "Always", false),
        ("one that was evicted", running.into(), "phase: Failed, reason: Evicted".into(), "Always", true),
        ("one that runs", running.into(), "phase: Running".into(), "Always", false),
        ("no restart", running.replace("restartCount: 3, ", ""), format!("phase: Succeeded, {}", ended(0)), "Never", true),
        ("no time of a container", "phase: Running".into(), format!("phase: Succeeded, {}", ended(0)), "Never", true),
    ];
    for (message, running, finished, policy, is_known) in rows {
        let world = with_finished(&running, &finished, policy);
        let learned = world.learn(&[]);
        let expected = [
            "shop/allow-egress-from-web [app=web] -> [app=api] TCP 8080",
            "shop/allow-ingress-to-api [app=api] <- [app=web] TCP 8080",
        ];
        let expected: BTreeSet<String> = expected.iter().filter(|_| is_known).map(|rule| (*rule).to_owned()).collect();
        assert_eq!(learned.rules(), expected, "{message}: {}", learned.messages);
        assert_eq!(learned.codes().contains("address-claimed-twice"), !is_known, "{message}: {:?}", learned.codes());
        // A dump with a file for each object is one snapshot too.
        let folder = tempfile::tempdir().unwrap();
        for (number, object) in objects(&world).iter().enumerate() {
            put(&folder.path().join(format!("{number}.json")), object.to_string());
        }
        let apart = learn(&world, &[folder.path().to_owned()], &[]);
        assert_eq!(apart.rules(), learned.rules(), "{message}, in files of their own");
    }
}

#[test]
fn before_its_end_the_address_is_the_ended_pods() {
    let running =
        "phase: Running, containerStatuses: [{restartCount: 3, state: {running: {startedAt: \"2026-09-21T14:20:00Z\"}}}]";
    let finished = "phase: Succeeded, containerStatuses: [{state: {terminated: {startedAt: \"2026-09-21T14:00:00Z\", finishedAt: \"2026-09-21T14:15:00Z\"}}}]";
    // The capture begins at 14:13:20; the address changes hands a hundred seconds later.
    let world = with_finished(running, finished, "Never").wait(200).tcp("10.244.1.6", "10.244.1.5", 9090);
    let rules = world.learn(&[]).rules();
    for rule in [
        "shop/allow-ingress-to-migrate [app=migrate] <- [app=web] TCP 8080",
        "shop/allow-ingress-to-api [app=api] <- [app=web] TCP 9090",
    ] {
        assert!(rules.contains(rule), "{rule}: {rules:#?}");
    }
    assert_eq!(rules.len(), 4, "{rules:#?}");
}

/// A pod that calls the API server through `default/kubernetes`, in a cluster without endpoints.
fn with_api_server(labels: &str, addresses: &str, more: &str) -> World {
    let world = World::default()
        .object(&format!("{{apiVersion: v1, kind: Node, metadata: {{name: cp, labels: {{{labels}}}}}, status: {{addresses: [{addresses}]}}}}"))
        .node("n1", "192.168.0.1", &["10.244.1.0/24"])
        .namespace("shop")
        .namespace("default")
        .pod("shop", "web", "10.244.1.10", "n1", "app=web")
        .object(
            "{apiVersion: v1, kind: Service, metadata: {name: kubernetes, namespace: default}, spec: {type: ClusterIP, clusterIP: 10.96.0.1, ports: [{name: https, port: 443, targetPort: 6443, protocol: TCP}]}}",
        )
        .tcp("10.244.1.10", "10.96.0.1", 443);
    if more.is_empty() { world } else { world.object(more) }
}

#[test]
fn the_api_server_is_known_without_its_endpoints() {
    let internal = "{type: InternalIP, address: 192.168.0.9}";
    let both = "{type: InternalIP, address: 192.168.0.9}, {type: ExternalIP, address: 192.0.2.9}";
    let static_pod = "{apiVersion: v1, kind: Pod, metadata: {name: kube-apiserver-cp, namespace: kube-system}, spec: {nodeName: cp, hostNetwork: true, containers: [{name: kube-apiserver, command: [kube-apiserver, --secure-port=8443]}]}, status: {phase: Running, podIP: 192.168.0.9, hostIP: 192.168.0.9}}";
    let agent = "{apiVersion: v1, kind: Pod, metadata: {name: agent, namespace: kube-system}, spec: {nodeName: cp, hostNetwork: true, containers: [{name: agent}]}, status: {phase: Running, podIP: 192.168.0.9, hostIP: 192.168.0.9}}";
    let slice = "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: kubernetes, namespace: default, labels: {kubernetes.io/service-name: kubernetes}}, addressType: IPv4, endpoints: [{addresses: [192.168.0.7]}], ports: [{name: https, port: 7443, protocol: TCP}]}";
    let label = "node-role.kubernetes.io/control-plane: ''";
    for (message, labels, addresses, more, expected) in [
        ("endpoints", label, internal, slice, Some("192.168.0.7/32 TCP 7443")),
        ("a static pod", "", internal, static_pod, Some("192.168.0.9/32 TCP 8443")),
        ("a node of the control plane", label, internal, "", Some("192.168.0.9/32 TCP 6443")),
        ("its old label", "node-role.kubernetes.io/master: ''", internal, "", Some("192.168.0.9/32 TCP 6443")),
        ("a node with an outside address, and a pod that knows the other", label, both, agent, Some("192.168.0.9/32 TCP 6443")),
        ("a node with two addresses", label, both, "", None),
        ("a worker", "", internal, "", None),
    ] {
        let learned = with_api_server(labels, addresses, more).learn(&[]);
        let rules = learned.rules();
        let of_web: Vec<&String> = rules.iter().filter(|rule| rule.starts_with("shop/")).collect();
        let wanted = expected.map(|peer| format!("shop/allow-web-to-kube-apiserver [app=web] -> {peer}"));
        assert_eq!(of_web, wanted.iter().collect::<Vec<_>>(), "{message}: {}", learned.messages);
        let found = learned.findings("service-without-backends");
        assert_eq!(found.len(), usize::from(expected.is_none()), "{message}: {found:?}");
        assert!(found.iter().all(|text| text.contains("kubectl get endpointslices,nodes -A -o yaml")), "{message}: {found:?}");
    }
}
