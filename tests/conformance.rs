//! The evaluator against cases with known verdicts: the project's own in `tests/conformance`, and those in the directory that
//! the environment variable `NETPOL_CASES` names, which has the same layout (see `tests/conformance/README.md`).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::{Namespace, Node as NodeObject, Pod as PodObject};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use netpol_gen::inventory::NodeId;
use netpol_gen::model::{PodName, Protocol, WorkloadKind, WorkloadName};
use netpol_gen::verify::{Answer, ClusterView, Evaluator, NamedPort, Node, Place, Pod, ToOwnNode};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// How a run over some cases went.
#[derive(Debug, Default)]
struct Tally {
    cases: usize,
    verdicts: usize,
    disagreements: Vec<String>,
}

#[test]
fn policies_mean_what_the_cases_say() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance");
    let given = std::env::var_os("NETPOL_CASES").map(PathBuf::from);
    for directory in std::iter::once(own).chain(given) {
        let tally = run(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
        let shown = tally.disagreements.iter().take(20).map(String::as_str).collect::<Vec<_>>().join("\n");
        let (cases, verdicts, wrong) = (tally.cases, tally.verdicts, tally.disagreements.len());
        assert_eq!(wrong, 0, "{}: {wrong} of {verdicts} verdicts disagree:\n{shown}", directory.display());
        eprintln!("{}: {cases} cases, {verdicts} verdicts, all agree", directory.display());
    }
}

#[test]
fn a_directory_without_cases_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    assert!(run(directory.path()).is_err_and(|error| error.contains("no case")), "nothing in it");
    let case = directory.path().join("case");
    fs::create_dir(&case).expect("a directory");
    fs::write(case.join("case.json"), r#"{"cluster": "cluster.yaml"}"#).expect("written");
    fs::write(case.join("policies.yaml"), "").expect("written");
    fs::write(case.join("expected.tsv"), "originator\tresponder\tport\tprotocol\tallowed\n").expect("written");
    fs::write(directory.path().join("cluster.yaml"), "{apiVersion: v1, kind: Namespace, metadata: {name: x}}").expect("written");
    assert!(run(directory.path()).is_err_and(|error| error.contains("no verdict")), "a case without verdicts");
}

#[test]
fn a_wrong_verdict_is_noticed() {
    let directory = tempfile::tempdir().expect("a directory");
    let case = directory.path().join("case");
    fs::create_dir(&case).expect("a directory");
    fs::write(case.join("case.json"), r#"{"cluster": "cluster.yaml"}"#).expect("written");
    fs::write(case.join("policies.yaml"), "").expect("written");
    fs::write(case.join("expected.tsv"), "originator\tresponder\tport\tprotocol\tallowed\n8.8.8.8\tx/a\t80\tTCP\tno\n")
        .expect("written");
    fs::write(directory.path().join("cluster.yaml"), "{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: x}}")
        .expect("written");
    let tally = run(directory.path()).expect("a tally");
    assert_eq!((tally.cases, tally.verdicts, tally.disagreements.len()), (1, 1, 1), "{tally:?}");
}

fn run(directory: &Path) -> Result<Tally, String> {
    let mut cases = BTreeSet::new();
    find(directory, &mut cases)?;
    if cases.is_empty() {
        return Err("no case: a case is a directory that has expected.tsv".to_owned());
    }
    let mut clusters: BTreeMap<PathBuf, ClusterView> = BTreeMap::new();
    let mut tally = Tally::default();
    for case in &cases {
        let context = |error: String| format!("{}: {error}", case.display());
        let about: Value = serde_json::from_str(&read(&case.join("case.json"))?).map_err(|error| context(error.to_string()))?;
        let cluster = about["cluster"].as_str().ok_or_else(|| context("case.json names no cluster".to_owned()))?;
        let cluster = case.parent().unwrap_or(case).join(cluster);
        if !clusters.contains_key(&cluster) {
            clusters.insert(cluster.clone(), world(&documents(&cluster)?)?);
        }
        check(case, &clusters[&cluster], &mut tally).map_err(context)?;
    }
    Ok(tally)
}

fn find(directory: &Path, cases: &mut BTreeSet<PathBuf>) -> Result<(), String> {
    if directory.join("expected.tsv").is_file() {
        cases.insert(directory.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(directory).map_err(|error| error.to_string())? {
        let path = entry.map_err(|error| error.to_string())?.path();
        if path.is_dir() {
            find(&path, cases)?;
        }
    }
    Ok(())
}

fn check(case: &Path, world: &ClusterView, tally: &mut Tally) -> Result<(), String> {
    let policies: Vec<NetworkPolicy> = documents(&case.join("policies.yaml"))?.iter().map(object).collect::<Result<_, _>>()?;
    let evaluator = Evaluator::new(&policies, world).map_err(|error| format!("{error}: {}", error.fault))?;
    let table = read(&case.join("expected.tsv"))?;
    let rows: Vec<&str> = table.lines().skip(1).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    if rows.is_empty() {
        return Err("no verdict in expected.tsv".to_owned());
    }
    for row in rows {
        let columns: Vec<&str> = row.split('\t').collect();
        let [from, to, port, protocol, expected] = columns[..] else { return Err(format!("not five columns: {row}")) };
        let port: u16 = port.parse().map_err(|_| format!("no port: {row}"))?;
        let protocol = Protocol::from_name(protocol).ok_or_else(|| format!("no protocol: {row}"))?;
        let expected = match expected {
            "yes" => Answer::Allowed,
            "no" => Answer::Denied,
            "undefined" => Answer::Undefined,
            _ => return Err(format!("no verdict: {row}")),
        };
        let (from, to) = (place(world, from)?, place(world, to)?);
        let verdict = evaluator.verdict(from, to, protocol, port);
        // The same question asked of sets must get the same answer.
        let reach = evaluator.reach(from, to);
        let by_sets = match (reach.allowed.contains(protocol, port), reach.undefined.contains(protocol, port)) {
            (true, false) => Some(Answer::Allowed),
            (false, true) => Some(Answer::Undefined),
            (false, false) => Some(Answer::Denied),
            (true, true) => None,
        };
        if verdict.answer() != expected || by_sets != Some(expected) {
            tally.disagreements.push(format!("{}: {row}: {verdict:?}, by sets {by_sets:?}", case.display()));
        }
        tally.verdicts += 1;
    }
    tally.cases += 1;
    Ok(())
}

fn place(world: &ClusterView, text: &str) -> Result<Place, String> {
    match text.split_once('/') {
        None => text.parse().map(Place::Address).map_err(|_| format!("neither pod nor address: {text}")),
        Some((namespace, name)) => {
            let name = PodName { namespace: namespace.to_owned(), name: name.to_owned() };
            world.pod_named(&name).map(Place::Pod).ok_or_else(|| format!("no such pod: {text}"))
        }
    }
}

fn world(objects: &[Value]) -> Result<ClusterView, String> {
    // The cases are about the API's text.
    let mut world = ClusterView { to_own_node: ToOwnNode::Exempt, ..ClusterView::default() };
    for value in objects.iter().filter(|value| value["kind"] == "Namespace") {
        let namespace: Namespace = object(value)?;
        world.namespaces.insert(namespace.metadata.name.unwrap_or_default(), namespace.metadata.labels.unwrap_or_default());
    }
    for value in objects.iter().filter(|value| value["kind"] == "Node") {
        let node: NodeObject = object(value)?;
        let addresses = node.status.and_then(|status| status.addresses).unwrap_or_default();
        let addresses = addresses.iter().filter_map(|address| address.address.parse().ok()).collect();
        world.nodes.push(Node { name: node.metadata.name.unwrap_or_default(), addresses });
    }
    for value in objects.iter().filter(|value| value["kind"] == "Pod") {
        let pod = pod(object(value)?, &world.nodes)?;
        world.pods.push(pod);
    }
    Ok(world)
}

fn pod(pod: PodObject, nodes: &[Node]) -> Result<Pod, String> {
    let name = PodName { namespace: pod.metadata.namespace.unwrap_or_default(), name: pod.metadata.name.unwrap_or_default() };
    let spec = pod.spec.unwrap_or_default();
    let mut named_ports = Vec::new();
    for port in spec.containers.iter().flat_map(|container| container.ports.iter().flatten()) {
        let protocol = port.protocol.as_deref().unwrap_or("TCP");
        let protocol = Protocol::from_name(protocol).ok_or_else(|| format!("no protocol: {protocol}"))?;
        let number = u16::try_from(port.container_port).map_err(|error| error.to_string())?;
        named_ports.extend(port.name.clone().map(|name| NamedPort { name, protocol, port: number }));
    }
    let addresses = pod.status.and_then(|status| status.pod_ips).unwrap_or_default();
    Ok(Pod {
        workload: WorkloadName {
            namespace: name.namespace.clone(),
            name: name.name.clone(),
            kind: WorkloadKind("Pod".to_owned()),
        },
        name,
        labels: pod.metadata.labels.unwrap_or_default().into(),
        addresses: addresses.iter().filter_map(|address| address.ip.parse().ok()).collect(),
        is_on_host_network: spec.host_network.unwrap_or_default(),
        node: (0..).map(NodeId).zip(nodes).find(|(_, node)| Some(&node.name) == spec.node_name.as_ref()).map(|(id, _)| id),
        named_ports,
    })
}

fn documents(path: &Path) -> Result<Vec<Value>, String> {
    let text = read(path)?;
    serde_saphyr::from_multiple(&text).map_err(|error| format!("{}: {error}", path.display()))
}

fn object<T: DeserializeOwned>(value: &Value) -> Result<T, String> {
    serde_json::from_value(value.clone()).map_err(|error| error.to_string())
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}
