//! Texts in, objects out.

use std::fmt::Write as _;
use std::fs;

use proptest::prelude::*;

use super::*;
use crate::inventory::object::Body;
use crate::model::Code;

/// As `kubectl get -o yaml` prints a pod: keys in order, kind last but one, strings quoted where YAML 1.1 needs it.
const POD: &str = r#"apiVersion: v1
items:
- apiVersion: v1
  kind: Pod
  metadata:
    annotations:
      kubectl.kubernetes.io/last-applied-configuration: |
        {"apiVersion":"v1","kind":"Pod"}
    creationTimestamp: "2026-03-01T10:00:00Z"
    labels:
      app: web
      env: "on"
      data: "1"
    managedFields:
    - apiVersion: v1
      fieldsV1:
        f:metadata:
          f:labels: {}
    name: web-1
    namespace: prod
    resourceVersion: "812"
    uid: 9f1c
  spec:
    containers:
    - env:
      - name: A
        value: b
      image: nginx
      name: nginx
      ports:
      - containerPort: 80
        name: http
        protocol: TCP
      resources: {}
    nodeName: worker-1
    hostNetwork: null
  status:
    hostIP: 172.18.0.3
    phase: Running
    podIP: 10.244.1.5
    podIPs:
    - ip: 10.244.1.5
    - ip: fd00:10:244:1::5
    startTime: "2026-03-01T10:00:01Z"
kind: List
metadata:
  resourceVersion: ""
"#;

fn read(text: &str) -> Snapshot {
    read_bytes(text.as_bytes(), "test.yaml").unwrap()
}

fn described(snapshot: &Snapshot) -> Vec<String> {
    snapshot.objects.iter().map(Object::describe).collect()
}

#[test]
fn a_pod_as_kubectl_prints_it_is_read() {
    let snapshot = read(POD);
    assert_eq!(snapshot.findings, Findings::default());
    let [object] = snapshot.objects.as_slice() else { panic!("one object, not {}", snapshot.objects.len()) };
    let Body::Pod(pod) = &object.body else { panic!("a pod") };
    assert_eq!(object.describe(), "Pod prod/web-1");
    assert_eq!(object.metadata.version, Some(812));
    let labels: Vec<(&str, &str)> = object.metadata.labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(labels, [("app", "web"), ("data", "1"), ("env", "on")], "labels named as unused fields are kept");
    assert_eq!(pod.addresses, ["10.244.1.5", "fd00:10:244:1::5"].map(|text| text.parse().unwrap()).into());
    assert_eq!(pod.started.unwrap().to_string(), "2026-03-01T10:00:01.000Z");
    assert_eq!((pod.ports[0].port, pod.ports[0].name.as_deref()), (80, Some("http")));
    assert!(!pod.is_on_host_network, "null is false");
}

#[test]
fn every_form_of_file_is_read() {
    let list = r#"{"kind":"List","apiVersion":"v1","items":[{"kind":"Node","apiVersion":"v1","metadata":{"name":"a"}}]}"#;
    let rows: &[(&str, &str, &[&str])] = &[
        ("one document", "kind: Node\nmetadata: {name: a}\n", &["Node a"]),
        (
            "several documents, some empty",
            "---\nkind: Node\nmetadata: {name: a}\n---\n---\n# nothing\n---\nkind: Node\nmetadata: {name: b}\n...\n",
            &["Node a", "Node b"],
        ),
        ("JSON", list, &["Node a"]),
        ("byte order mark", "\u{feff}kind: Node\nmetadata: {name: a}\n", &["Node a"]),
        ("byte order mark before JSON", &format!("\u{feff}\n  {list}"), &["Node a"]),
        ("concatenated JSON", &format!("{list}{list}\n{list}"), &["Node a", "Node a", "Node a"]),
        ("JSON array", r#"[{"kind":"Node","metadata":{"name":"a"}}]"#, &["Node a"]),
        ("YAML that begins like JSON", "{kind: Node, metadata: {name: a}}", &["Node a"]),
        (
            "typed list whose items say nothing",
            r#"{"kind":"PodList","apiVersion":"v1","items":[{"metadata":{"name":"a","namespace":"n"}}]}"#,
            &["Pod n/a"],
        ),
        (
            "typed list that says its kind after its items",
            "apiVersion: v1\nitems:\n- metadata: {name: a}\n- metadata: {name: b, namespace: n}\nkind: PodList\n",
            &["Pod default/a", "Pod n/b"],
        ),
        ("list in a list", &format!(r#"{{"kind":"List","items":[{list},{list}]}}"#), &["Node a", "Node a"]),
        ("empty list", "apiVersion: v1\nitems: []\nkind: List\n", &[]),
        ("null list", r#"{"kind":"PodList","items":null}"#, &[]),
        ("kind that ends in List", "kind: AllowList\nmetadata: {name: a}\n", &["AllowList a"]),
        (
            "anchors",
            "kind: Node\nmetadata: &m {name: a}\n---\nkind: &k Node\nmetadata: {name: b, labels: {of: *k}}\n",
            &["Node a", "Node b"],
        ),
        ("merge key", "x: &m {name: a}\nkind: Node\nmetadata:\n  <<: *m\n", &["Node a"]),
        ("lists of old kubectl", r#"{"selfLink":"/api/v1/nodes","Items":[{"name":"a","Spec":{}}]}"#, &["Node a"]),
        ("items that have links", r#"{"Items":[{"name":"a","selfLink":"/api/v1/nodes/a","Spec":{}}]}"#, &["Node a"]),
        (
            "JSON lines",
            "{\"kind\":\"Node\",\"metadata\":{\"name\":\"a\"}}\n{\"kind\":\"Node\",\"metadata\":{\"name\":\"b\"}}\n",
            &["Node a", "Node b"],
        ),
        ("Windows lines", "apiVersion: v1\r\nkind: Node\r\nmetadata:\r\n  name: a\r\n", &["Node a"]),
        ("a pod by its shape", r#"[{"metadata":{"name":"a"},"spec":{"containers":[],"nodeName":"n"}}]"#, &["Pod default/a"]),
    ];
    for (message, text, expected) in rows {
        let snapshot = read(text);
        assert_eq!(described(&snapshot), *expected, "{message}");
        assert_eq!(snapshot.findings, Findings::default(), "{message}");
    }
}

#[test]
fn plain_scalars_are_strings_where_strings_are_asked_for() {
    let text = "kind: Pod\nmetadata: {name: a, labels: {a: y, b: on, c: 1_000, d: 1.10, e: 0x1F, f: 2026-01-01, g: }}";
    let snapshot = read(text);
    let values: Vec<&str> = snapshot.objects[0].metadata.labels.values().map(String::as_str).collect();
    assert_eq!(values, ["y", "on", "1_000", "1.10", "0x1F", "2026-01-01", ""]);
}

#[test]
fn what_is_no_inventory_is_an_error_with_its_place() {
    let rows: &[(&str, &[u8], usize, usize)] = &[
        ("a bracket that is not closed", b"kind: Pod\nmetadata:\n  name: [a\n", 3, 9),
        ("a tab", b"kind: Pod\nmetadata:\n\tname: a\n", 3, 2),
        ("JSON cut in the middle", b"{\"kind\": \"Pod\",\n \"metadata\": {", 2, 14),
        ("JSON with a comma too many", b"{\"kind\": \"List\",\n\"items\": [1,,]}", 2, 13),
        ("JSON whose items are no list", b"{\"kind\": \"List\", \"items\": 7}", 1, 27),
        ("a log", b"I0811 04:57:26 main.go:293] Error: no lease: none\n", 1, 44),
    ];
    for (message, bytes, line, column) in rows {
        let error = read_bytes(bytes, "x.yaml").unwrap_err();
        let InventoryError::Malformed { line: found_line, column: found_column, .. } = &error else {
            panic!("{message}: {error}")
        };
        assert_eq!((*found_line, *found_column), (*line, *column), "{message}: {error}");
        assert!(error.to_string().starts_with("read the inventory `x.yaml`"), "{message}: {error}");
        assert!(!error.hint().is_empty());
    }
}

#[test]
fn what_is_no_kubernetes_object_is_named() {
    for (message, bytes, expected) in [
        ("nothing", &b""[..], "an empty file"),
        ("a comment", b"# nothing\n", "none"),
        ("null", b"null\n", "none"),
        ("a sentence", b"no inventory", "a text without keys"),
        ("a string", b"\"mode\"", "a text without keys"),
        ("a key", b"-----BEGIN EC PRIVATE KEY-----\nabc\n-----END EC PRIVATE KEY-----\n", "a key or certificate in PEM format"),
        (
            "a long key of a mapping",
            b"{\"eyJhbGciOiJSUzI1NiIsImtpZCI6IjEyMzQ1Njc4OTAiLCJ0eXAiOiJKV1QifQ\": 1}",
            "an object whose keys are no words",
        ),
        ("a JSON object", br#"{"mode": "fast", "version": 3, "data": {}}"#, "an object with the keys mode, version"),
        ("a JSON array", b"[1, 2]", "2 values, the first of them a number"),
        ("objects without a kind", br#"[{"metadata": {"name": "a"}, "spec": {}}]"#, "an object with the keys metadata, spec"),
        ("YAML", b"mode: fast\n", "an object with the key mode"),
        ("a capture file", b"\xd4\xc3\xb2\xa1\x02\x00", "a capture, which belongs to --read"),
        ("bytes in the middle", b"kind: Pod\nmetadata: {name: \xff}", "binary data"),
    ] {
        let error = read_bytes(bytes, "x.yaml").unwrap_err();
        let wanted = format!("read the inventory `x.yaml`: expected Kubernetes objects (kind and apiVersion), found {expected}");
        assert_eq!(error.to_string(), wanted, "{message}");
        assert!(!error.hint().is_empty());
    }
}

#[test]
fn one_bad_object_is_a_finding_and_the_rest_goes_on() {
    let rows: &[(&str, &str, &str, &str)] = &[
        ("no name", "kind: Pod\nmetadata: {namespace: n}", "object at line 1 of test.yaml", "it has no name"),
        ("no kind", "metadata: {name: a, namespace: n}", "object n/a", "found an object with the key metadata"),
        (
            "an answer of the API server",
            "{kind: Status, apiVersion: v1, metadata: {}, status: Failure, message: pods is forbidden}",
            "test.yaml",
            "an error of the API server instead of objects: pods is forbidden",
        ),
        (
            "labels that are a list",
            "kind: Pod\nmetadata: {name: a, namespace: n, labels: [x]}",
            "Pod n/a",
            ".metadata.labels: a mapping was expected, not a list",
        ),
        (
            "metadata that is a string",
            "kind: Pod\nmetadata: x",
            "object at line 1 of test.yaml",
            ".metadata: a mapping was expected, not a text",
        ),
        (
            "a port that is none",
            "kind: Pod\nmetadata: {name: a, namespace: n}\nspec: {containers: [{ports: [{containerPort: 70000}]}]}",
            "Pod n/a",
            ".spec.containers.ports.containerPort: `70000` is not u16",
        ),
        (
            "an address that is none",
            "kind: Pod\nmetadata: {name: a, namespace: n}\nstatus: {podIPs: [{ip: 10.0.0.300}, {ip: 10.0.0.3}]}",
            "Pod n/a",
            "`10.0.0.300`, not an address",
        ),
        (
            "a time that is none",
            "kind: Pod\nmetadata: {name: a, namespace: n, creationTimestamp: yesterday}",
            "Pod n/a",
            "`yesterday`, not a time",
        ),
        (
            "a range that is none",
            "kind: Node\nmetadata: {name: a}\nspec: {podCIDR: 10.0.0.0/33}",
            "Node a",
            "not an address range",
        ),
        (
            "an unknown type",
            "kind: Service\nmetadata: {name: a, namespace: n}\nspec: {type: Magic}",
            "Service n/a",
            "cannot be read: `Magic` is not a type of Service",
        ),
        (
            "a policy that is none",
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a, namespace: n}\nspec: {ingress: 5}",
            "NetworkPolicy n/a",
            "cannot be read: .spec.ingress: a list was expected, not a number",
        ),
    ];
    for (message, text, subject, part) in rows {
        let snapshot = read(&format!("{text}\n---\nkind: Node\nmetadata: {{name: good}}\n"));
        assert_eq!(described(&snapshot).last().map(String::as_str), Some("Node good"), "{message}");
        let findings = snapshot.findings.sorted();
        let [finding] = findings.as_slice() else { panic!("{message}: {findings:?}") };
        assert_eq!((finding.code, finding.subject.as_str()), (Code::UnreadableObject, *subject), "{message}");
        assert!(finding.message.contains(part), "{message}: {}", finding.message);
    }
    let pod = read("kind: Pod\nmetadata: {name: a}\nstatus: {podIPs: [{ip: x}, {ip: '::ffff:10.0.0.3'}, {ip: ''}]}");
    let Body::Pod(body) = &pod.objects[0].body else { panic!("a pod") };
    assert_eq!(body.addresses, ["10.0.0.3".parse().unwrap()].into(), "the good address stays, unmapped");
}

#[test]
fn network_policies_are_read_whole() {
    let text = "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: a}
spec:
  podSelector: {matchLabels: {env: on}, matchExpressions: [{key: tier, operator: NotIn, values: [x]}]}
  policyTypes: [Ingress]
  ingress:
  - from: [{namespaceSelector: {}, podSelector: {}}, {ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}]
    ports: [{port: 80}, {port: http, protocol: UDP}, {port: 8000, endPort: 9000}]
";
    let snapshot = read(text);
    assert_eq!(snapshot.findings, Findings::default());
    let Body::NetworkPolicy(policy) = &snapshot.objects[0].body else { panic!("a policy") };
    assert_eq!(policy.metadata.namespace.as_deref(), Some("default"));
    let spec = serde_json::to_value(&policy.spec).unwrap();
    let expected = serde_json::json!({
        "podSelector": {
            "matchLabels": {"env": "on"}, "matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["x"]}],
        },
        "policyTypes": ["Ingress"],
        "ingress": [{
            "from": [
                {"namespaceSelector": {}, "podSelector": {}},
                {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}},
            ],
            "ports": [{"port": 80}, {"port": "http", "protocol": "UDP"}, {"port": 8000, "endPort": 9000}],
        }],
    });
    assert_eq!(spec, expected);
}

#[test]
fn big_inventories_are_read() {
    let mut text = String::from("apiVersion: v1\nitems:\n");
    for number in 0..20_000 {
        let _ = writeln!(text, "- kind: Pod\n  metadata:\n    name: p{number}\n    labels: {{a: b, c: d, e: f}}");
        let _ = writeln!(text, "  status: {{phase: Running, podIPs: [{{ip: 10.{}.{}.1}}]}}", number / 256, number % 256);
    }
    text.push_str("kind: List\n");
    assert_eq!(read(&text).objects.len(), 20_000);
}

#[test]
fn bombs_fail_cleanly() {
    let mut aliases = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..20 {
        let reference = vec![format!("*a{}", level - 1); 9].join(", ");
        let _ = writeln!(aliases, "a{level}: &a{level} [{reference}]");
    }
    let rows: &[(&str, String)] = &[
        ("aliases of aliases", aliases),
        ("an alias in its own anchor", "a: &a [*a]".into()),
        ("deep flow", "[".repeat(100_000)),
        ("deep JSON", format!("{{\"a\":{}", "[".repeat(100_000))),
        ("deep blocks", "- ".repeat(100_000)),
        ("deep keys", "? ".repeat(100_000)),
        ("deep flow of braces", "{a: ".repeat(1_000)),
        ("nested anchors", (0..90).map(|level| format!("&a{level} [")).collect::<Vec<_>>().concat() + &"x, ".repeat(20_000)),
    ];
    for (message, text) in rows {
        assert!(matches!(read_bytes(text.as_bytes(), "x"), Err(InventoryError::Malformed { .. })), "{message}");
    }
}

#[test]
fn files_and_directories_are_found() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::create_dir_all(path("deep/er")).unwrap();
    fs::create_dir_all(path("empty")).unwrap();
    fs::write(path("deep/er/pods.yaml"), POD).unwrap();
    fs::write(path("nodes.json"), r#"{"kind":"Node","metadata":{"name":"worker-1"}}"#).unwrap();
    fs::write(path("more.YML"), "").unwrap();
    fs::write(path("notes.txt"), "no object").unwrap();
    fs::write(path("deep/logs.txt"), "not read").unwrap();
    fs::write(path(".hidden.yaml"), "not read").unwrap();

    let mut findings = Findings::default();
    let files = sources::expand(&[directory.path(), &path("nodes.json")], &mut findings).unwrap();
    let files: Vec<(&Path, bool)> = files.iter().map(|file| (file.path.as_path(), file.directory.is_none())).collect();
    let expected = [("deep/er/pods.yaml", false), ("more.YML", false), ("nodes.json", true), ("notes.txt", false)]
        .map(|(name, is_named)| (path(name), is_named));
    assert!(files.iter().zip(&expected).all(|(one, (path, is_named))| *one == (path.as_path(), *is_named)), "{files:?}");
    assert_eq!((files.len(), findings.sorted().len()), (4, 1));
    let inventory = load(&[directory.path()], &InventoryOptions::default()).unwrap();
    assert_eq!((inventory.pods().len(), inventory.nodes().len()), (1, 1));

    let error = load(&[path("empty")], &InventoryOptions::default()).unwrap_err();
    assert!(matches!(error, InventoryError::EmptyDirectory { .. }), "{error}");
    let error = load(&[path("absent.yaml")], &InventoryOptions::default()).unwrap_err();
    assert!(matches!(error, InventoryError::Unreadable { .. }), "{error}");
    let error = load(&[path("nodes.json")], &InventoryOptions::default()).unwrap_err();
    assert_eq!(error.to_string(), "find a pod in the inventory: 1 file with 1 Node");
    let error = load(&[path("notes.txt")], &InventoryOptions::default()).unwrap_err();
    assert!(matches!(error, InventoryError::Foreign { .. }), "{error}");
}

#[test]
fn a_large_file_of_json_is_read_as_a_stream() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pods.json");
    let padding = "x".repeat(1 << 20);
    let mut text = String::from("\u{feff}{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"items\":[");
    for number in 0..17 {
        let comma = if number == 0 { "" } else { "," };
        let _ = write!(text, "{comma}{{\"metadata\":{{\"name\":\"p{number}\",\"managedFields\":\"{padding}\"}}}}");
    }
    fs::write(&path, format!("{text}]}}")).unwrap();
    assert_eq!(super::read(&path).unwrap().objects.len(), 17);
    fs::write(&path, &text).unwrap();
    let error = super::read(&path).unwrap_err();
    assert!(matches!(error, InventoryError::Malformed { line: 1, .. }), "{error}");
}

#[test]
fn what_has_no_end_is_no_inventory() {
    let kind = |text: &str| {
        let reader = Metered::new(text.as_bytes(), 1000);
        let mut findings = Findings::default();
        let mut ignore = |_| {};
        let mut sink = Sink::new("x", &mut findings, &mut ignore).metered(reader.meter());
        let small = BufReader::with_capacity(100, reader);
        json::read(IoRead::new(small), &mut sink).map_err(|error| error.io_error_kind())
    };
    for (message, beginning, repeated, expected) in [
        ("one string", "{\"kind\":\"", "x", Some(io::ErrorKind::FileTooLarge)),
        ("one list", "{\"kind\":\"Pod\",\"spec\":[", "1,", Some(io::ErrorKind::FileTooLarge)),
        ("white space", "{", " ", Some(io::ErrorKind::FileTooLarge)),
        ("items of no kind yet", "{\"items\":[", "{\"metadata\":{}},", Some(io::ErrorKind::FileTooLarge)),
        ("items of a kind that was said", "{\"kind\":\"PodList\",\"items\":[", "{\"metadata\":{}},", None),
        ("items of their own kind", "{\"items\":[", "{\"kind\":\"Pod\"},", None),
        ("objects after each other, and a bracket", "", "{\"kind\":\"Pod\"}\n", None),
    ] {
        // Where it is bounded, only the end is missing.
        assert_eq!(kind(&format!("{beginning}{}[", repeated.repeat(2000))), Err(expected), "{message}");
    }

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.json");
    fs::write(&path, format!("{{\"kind\":\"{}", "x".repeat(33 << 20))).unwrap();
    let error = super::read(&path).unwrap_err();
    assert!(matches!(error, InventoryError::EndlessObject { .. }), "{error}");
    assert!(error.hint().contains("kubectl get"), "{}", error.hint());
}

#[cfg(target_os = "linux")]
#[test]
fn devices_are_no_inventories() {
    let error = super::read(Path::new("/dev/zero")).unwrap_err();
    assert!(matches!(error, InventoryError::Foreign { .. }), "{error}");
    // Random bytes begin like JSON at times. They never go on like it.
    super::read(Path::new("/dev/urandom")).unwrap_err();
}

#[test]
fn members_that_are_there_twice_are_said() {
    let rows = [
        (
            "JSON",
            r#"{"kind": "Pod", "metadata": {"name": "a", "namespace": "n", "labels": {"x": "1", "x": "2"}}}"#,
            "Pod n/a",
            "x",
        ),
        ("its own", r#"{"kind": "Service", "kind": "Pod", "metadata": {"name": "a", "namespace": "n"}}"#, "Pod n/a", "kind"),
        (
            "an item",
            r#"{"kind": "PodList", "items": [{"metadata": {"name": "a", "namespace": "n"}, "spec": {}, "spec": {}}]}"#,
            "Pod n/a",
            "spec",
        ),
        ("YAML", "kind: Pod\nmetadata: {name: a, namespace: n, name: a}", "Pod n/a", "name"),
    ];
    for (message, text, subject, key) in rows {
        let snapshot = read(text);
        assert_eq!(described(&snapshot).len(), 1, "{message}: the object is there");
        let found = snapshot.findings.sorted();
        assert_eq!(found.len(), 1, "{message}: {found:?}");
        assert_eq!((found[0].code, found[0].subject.as_str()), (Code::UnreadableObject, subject), "{message}");
        assert!(found[0].message.contains(&format!("`{key}` more than once")), "{message}: {}", found[0].message);
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = read_bytes(&bytes, "x");
    }

    #[test]
    fn no_text_of_its_own_words_makes_it_panic(words in proptest::collection::vec(prop::sample::select(vec![
        "kind", ": ", "Pod", "\n", "  ", "- ", "{", "}", "[", "]", "\"", "items", "metadata", "name", "status", "podIPs", "ip", "::1",
        "10.0.0.1", "null", "&a", "*a", "---\n", "spec", ",", "!!str ", "<<", "|", ">", "'", "#", "List", "Service", "ports", "80",
        "labels", "selector", "NetworkPolicy", "ingress", "\u{feff}", "\t", "%", "@", "?",
    ]), 0..60)) {
        if let Ok(snapshot) = read_bytes(words.concat().as_bytes(), "x") {
            let mut builder = InventoryBuilder::new();
            builder.apply_snapshot(snapshot);
            let _ = builder.build(&InventoryOptions::default());
        }
    }
}
