//! Workloads of every kind of owner, with labels of every quality.

use serde_json::{Map, Value, json};

use crate::cluster::{BEGIN, Cluster, Pod, SECOND};
use crate::random::Random;

/// `apiVersion`, kind and name of a controller.
pub type Owner = (&'static str, &'static str, String);

const APPS: [&str; 10] = ["web", "api", "db", "cache", "queue", "search", "auth", "mail", "jobs", "feed"];

/// Draws one workload with its pods and, mostly, the objects that own them.
#[expect(clippy::too_many_lines, reason = "one arm for each kind of owner")]
pub fn draw(cluster: &mut Cluster, random: &mut Random) {
    let namespace = random.pick(&cluster.namespaces.clone()).clone();
    let name = format!("{}{}", random.pick(&APPS), random.below(3));
    let labels = draw_labels(random, &name);
    let ports = draw_ports(random);
    let count = random.between(1, 3);
    let is_known = random.chance(85);
    let hash = format!("{:x}", 0x6d4c_0000 + random.below(0xffff));
    let selector = selector_of(random, &labels);
    let mut own = labels.clone();
    let mut objects: Vec<Value> = Vec::new();
    let object = |api: &str, kind: &str, name: &str, spec: Value| json!({"apiVersion": api, "kind": kind, "metadata": {"namespace": namespace, "name": name}, "spec": spec});
    let with_owner = |mut object: Value, (api, kind, owner): (&str, &str, &str)| {
        object["metadata"]["ownerReferences"] =
            json!([{"apiVersion": api, "kind": kind, "name": owner, "uid": format!("uid-{kind}-{owner}"), "controller": true}]);
        object
    };
    let template = json!({"selector": {"matchLabels": selector}, "template": {"metadata": {"labels": labels}}});
    let owner: Option<Owner> = match random.below(15) {
        0..3 => {
            own.insert("pod-template-hash".into(), json!(hash));
            let set = format!("{name}-{hash}");
            objects.push(object("apps/v1", "Deployment", &name, template.clone()));
            objects.push(with_owner(object("apps/v1", "ReplicaSet", &set, template), ("apps/v1", "Deployment", &name)));
            Some(("apps/v1", "ReplicaSet", set))
        }
        3 | 4 => {
            objects.push(object("apps/v1", "StatefulSet", &name, template));
            Some(("apps/v1", "StatefulSet", name.clone()))
        }
        5 => {
            own.insert("controller-revision-hash".into(), json!(hash));
            objects.push(object("apps/v1", "DaemonSet", &name, template));
            Some(("apps/v1", "DaemonSet", name.clone()))
        }
        6 => {
            own.insert("batch.kubernetes.io/job-name".into(), json!(name));
            own.insert("job-name".into(), json!(name));
            objects.push(object("batch/v1", "Job", &name, json!({"template": {"metadata": {"labels": labels}}})));
            Some(("batch/v1", "Job", name.clone()))
        }
        7 => {
            let run = format!("{name}-29333000");
            own.insert("batch.kubernetes.io/job-name".into(), json!(run));
            let job =
                json!({"schedule": "*/10 * * * *", "jobTemplate": {"spec": {"template": {"metadata": {"labels": labels}}}}});
            objects.push(object("batch/v1", "CronJob", &name, job));
            objects.push(with_owner(object("batch/v1", "Job", &run, json!({})), ("batch/v1", "CronJob", &name)));
            Some(("batch/v1", "Job", run))
        }
        8 | 9 => None,
        10 => {
            let controller = format!("{name}-1");
            own.insert("deployment".into(), json!(controller));
            own.insert("deploymentconfig".into(), json!(name));
            objects.push(object("apps.openshift.io/v1", "DeploymentConfig", &name, json!({"selector": selector})));
            let controller_object = object("v1", "ReplicationController", &controller, json!({"selector": selector}));
            objects.push(with_owner(controller_object, ("apps.openshift.io/v1", "DeploymentConfig", &name)));
            Some(("v1", "ReplicationController", controller))
        }
        11 => {
            own.insert("rollouts-pod-template-hash".into(), json!(hash));
            let set = format!("{name}-{hash}");
            objects.push(object("argoproj.io/v1alpha1", "Rollout", &name, template.clone()));
            objects.push(with_owner(object("apps/v1", "ReplicaSet", &set, template), ("argoproj.io/v1alpha1", "Rollout", &name)));
            Some(("apps/v1", "ReplicaSet", set))
        }
        12 => {
            let revision = format!("{name}-00001");
            own.insert("serving.knative.dev/service".into(), json!(name));
            own.insert("serving.knative.dev/revision".into(), json!(revision));
            let deployment = format!("{revision}-deployment");
            let set = format!("{deployment}-{hash}");
            own.insert("pod-template-hash".into(), json!(hash));
            let knative = "serving.knative.dev/v1";
            objects.push(object(knative, "Service", &name, json!({})));
            objects.push(with_owner(object(knative, "Configuration", &name, json!({})), (knative, "Service", &name)));
            objects.push(with_owner(object(knative, "Revision", &revision, json!({})), (knative, "Configuration", &name)));
            objects.push(with_owner(
                object("apps/v1", "Deployment", &deployment, template.clone()),
                (knative, "Revision", &revision),
            ));
            objects.push(with_owner(object("apps/v1", "ReplicaSet", &set, template), ("apps/v1", "Deployment", &deployment)));
            Some(("apps/v1", "ReplicaSet", set))
        }
        13 => {
            let node = random.below(cluster.nodes.len());
            own.insert("component".into(), json!(name));
            Some(("v1", "Node", cluster.nodes[node].name.clone()))
        }
        _ => Some(draw_custom(random, &name, &mut own, &mut objects, &namespace)),
    };
    if is_known {
        cluster.objects.extend(objects);
    } else if random.chance(50) {
        // Some link of the chain is missing.
        cluster.objects.extend(objects.into_iter().skip(1));
    }
    let is_on_host_network = random.chance(8) || owner.as_ref().is_some_and(|(_, kind, _)| *kind == "Node");
    for number in 0..count {
        let mut labels = own.clone();
        if owner.as_ref().is_some_and(|(_, kind, _)| *kind == "StatefulSet") {
            labels.insert("statefulset.kubernetes.io/pod-name".into(), json!(format!("{name}-{number}")));
            labels.insert("apps.kubernetes.io/pod-index".into(), json!(number.to_string()));
        }
        if owner.as_ref().is_some_and(|(_, kind, _)| *kind == "Cluster") {
            labels.insert("cnpg.io/instanceName".into(), json!(format!("{name}-{number}")));
            labels.insert("cnpg.io/instanceRole".into(), json!(if number == 0 { "primary" } else { "replica" }));
        }
        // What differs between replicas.
        if random.chance(5) {
            labels.insert("shard".into(), json!(number.to_string()));
        }
        let pod = format!("{name}-{hash}-{number}");
        // The API server refuses a second pod of a name.
        if cluster.pods.iter().any(|known| known.namespace == namespace && known.name == pod) {
            continue;
        }
        if is_on_host_network {
            add_host_pod(cluster, random, &namespace, &pod, &labels, owner.as_ref());
        } else {
            add_pod(cluster, random, &namespace, &pod, &labels, owner.as_ref(), &ports);
        }
    }
}

fn draw_custom(
    random: &mut Random,
    name: &str,
    own: &mut Map<String, Value>,
    objects: &mut Vec<Value>,
    namespace: &str,
) -> Owner {
    let (api, kind, marks): (&'static str, &'static str, &[(&str, String)]) = match random.below(4) {
        0 => {
            ("postgresql.cnpg.io/v1", "Cluster", &[("cnpg.io/cluster", name.to_owned()), ("cnpg.io/podRole", "instance".into())])
        }
        1 => (
            "core.strimzi.io/v1beta2",
            "StrimziPodSet",
            &[("strimzi.io/cluster", "k".into()), ("strimzi.io/name", name.to_owned())],
        ),
        2 => ("v1", "Pod", &[("spark-role", "executor".into()), ("spark-app-selector", format!("spark-{name}"))]),
        _ => (
            "kubevirt.io/v1",
            "VirtualMachineInstance",
            &[("kubevirt.io/domain", name.to_owned()), ("kubevirt.io/nodeName", "node-0".into())],
        ),
    };
    for (key, value) in marks {
        own.insert((*key).to_owned(), json!(value));
    }
    if kind != "Pod" {
        objects.push(json!({"apiVersion": api, "kind": kind, "metadata": {"namespace": namespace, "name": name}}));
    }
    (api, kind, name.to_owned())
}

/// Labels as templates have them: of its own, shared with others, parts of others', none.
fn draw_labels(random: &mut Random, name: &str) -> Map<String, Value> {
    let labels = match random.below(12) {
        0 => json!({}),
        1 => json!({"app": "common"}),
        2 => json!({"app": "common", "tier": name}),
        3 => json!({"app": "common", "version": "v1"}),
        4 => json!({"app.kubernetes.io/version": "1.2.3", "helm.sh/chart": "chart-1.2.3"}),
        5 => json!({"app.kubernetes.io/name": name, "app.kubernetes.io/instance": "one", "app.kubernetes.io/version": "1.2.3"}),
        6 => json!({"app": name, "role": "server"}),
        7 => json!({"app": name.trim_end_matches(char::is_numeric)}),
        _ => json!({"app": name}),
    };
    labels.as_object().unwrap().clone()
}

/// What an owner selects by: all labels of the template, or a part of them.
fn selector_of(random: &mut Random, labels: &Map<String, Value>) -> Map<String, Value> {
    let mut selector = labels.clone();
    if selector.len() > 1 && random.chance(30) {
        let key = selector.keys().next().unwrap().clone();
        selector.remove(&key);
    }
    selector
}

fn draw_ports(random: &mut Random) -> Vec<(&'static str, u16)> {
    let known = [
        ("TCP", 80),
        ("TCP", 8080),
        ("TCP", 443),
        ("TCP", 5432),
        ("TCP", 9090),
        ("UDP", 7946),
        ("UDP", 514),
        ("SCTP", 3868),
        ("TCP", 50051),
    ];
    (0..random.between(0, 3)).map(|_| *random.pick(&known)).collect()
}

/// Adds a pod on the pod network; sometimes one that ended, and whose address another has now.
pub fn add_pod(
    cluster: &mut Cluster,
    random: &mut Random,
    namespace: &str,
    name: &str,
    labels: &Map<String, Value>,
    owner: Option<&Owner>,
    ports: &[(&'static str, u16)],
) {
    let node = random.below(cluster.nodes.len());
    // The address of one that has ended.
    let is_free = |before: &&Pod| {
        let is_over = before.until < i64::MAX && !before.is_on_host_network && before.node == node;
        is_over && !cluster.pods.iter().any(|pod| pod.addresses == before.addresses && pod.from >= before.until)
    };
    let before = cluster.pods.iter().find(is_free).cloned();
    let (addresses, from) = match before {
        Some(before) if random.chance(40) => (before.addresses, before.until + i64::try_from(random.below(90)).unwrap() * SECOND),
        _ => (cluster.pod_addresses(node), BEGIN - 3600 * SECOND),
    };
    let is_over = random.chance(8) && from < BEGIN;
    let until = if is_over { BEGIN + i64::try_from(random.below(900)).unwrap() * SECOND } else { i64::MAX };
    let declared: Vec<Value> = (0..)
        .zip(ports)
        .map(|(number, (protocol, port)): (u32, _)| {
            let mut own = json!({"name": format!("p{number}"), "containerPort": port, "protocol": protocol});
            if random.chance(4) {
                own["hostPort"] = json!(30000 + port % 1000);
            }
            own
        })
        .collect();
    // What is not declared listens all the same.
    let is_declaring = random.chance(80);
    let declared = if is_declaring { declared } else { Vec::new() };
    let side_car = random.chance(5).then(|| json!({"name": "istio-proxy"}));
    let containers: Vec<Value> = [json!({"name": "main", "ports": declared})].into_iter().chain(side_car).collect();
    let mut object = pod_object(cluster, namespace, name, labels, owner, from);
    object["spec"] = json!({"nodeName": cluster.nodes[node].name, "containers": containers});
    let all: Vec<Value> = addresses.iter().map(|address| json!({"ip": address.to_string()})).collect();
    object["status"]["podIP"] = all[0]["ip"].clone();
    object["status"]["podIPs"] = json!(all);
    object["status"]["hostIP"] = json!(cluster.nodes[node].addresses.first().map(ToString::to_string));
    object["status"]["phase"] = json!(if is_over { "Succeeded" } else { "Running" });
    if is_over {
        object["status"]["containerStatuses"] = json!([{"name": "main", "state": {"terminated": {"exitCode": 0,
            "startedAt": time(from), "finishedAt": time(until)}}}]);
    }
    cluster.objects.push(object);
    cluster.pods.push(Pod {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        node,
        addresses,
        is_on_host_network: false,
        labels: labels.clone(),
        ports: ports.to_vec(),
        is_declaring,
        from,
        until,
    });
}

/// Adds a pod on its node's network.
pub fn add_host_pod(
    cluster: &mut Cluster,
    random: &mut Random,
    namespace: &str,
    name: &str,
    labels: &Map<String, Value>,
    owner: Option<&Owner>,
) {
    let node = random.below(cluster.nodes.len());
    let addresses = cluster.nodes[node].addresses.clone();
    let mut object = pod_object(cluster, namespace, name, labels, owner, BEGIN - 3600 * SECOND);
    let arguments = json!(["kube-apiserver", "--secure-port=6443", "--service-cluster-ip-range=10.96.0.0/16"]);
    let container = if random.chance(20) { json!({"name": "main", "command": arguments}) } else { json!({"name": "main"}) };
    object["spec"] = json!({"nodeName": cluster.nodes[node].name, "hostNetwork": true, "containers": [container]});
    let all: Vec<Value> = addresses.iter().map(|address| json!({"ip": address.to_string()})).collect();
    object["status"] = json!({"phase": "Running", "podIPs": all});
    cluster.objects.push(object);
    cluster.pods.push(Pod {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        node,
        addresses,
        is_on_host_network: true,
        labels: labels.clone(),
        ports: vec![("TCP", 9100)],
        is_declaring: false,
        from: BEGIN - 3600 * SECOND,
        until: i64::MAX,
    });
}

fn pod_object(
    cluster: &mut Cluster,
    namespace: &str,
    name: &str,
    labels: &Map<String, Value>,
    owner: Option<&Owner>,
    from: i64,
) -> Value {
    let mut metadata = json!({"namespace": namespace, "name": name, "uid": cluster.uid(), "creationTimestamp": time(from)});
    if !labels.is_empty() {
        metadata["labels"] = json!(labels);
    }
    if let Some((api, kind, owner)) = owner {
        metadata["ownerReferences"] =
            json!([{"apiVersion": api, "kind": kind, "name": owner, "uid": format!("uid-{kind}-{owner}"), "controller": true}]);
    }
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": {"startTime": time(from)}})
}

fn time(nanoseconds: i64) -> String {
    jiff::Timestamp::from_second(nanoseconds / SECOND).unwrap().to_string()
}
