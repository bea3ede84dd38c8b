//! Services of every type, Ingresses, and policies that are there already.

use std::net::IpAddr;

use serde_json::{Map, Value, json};

use crate::cluster::{Cluster, Service, ServicePort};
use crate::random::Random;

/// Draws one Service of a namespace, mostly in front of pods.
pub fn draw(cluster: &mut Cluster, random: &mut Random) {
    let Some(pod) = random.pick_where(&cluster.pods.clone(), |pod| !pod.labels.is_empty()).cloned() else { return };
    let number = cluster.services.len();
    let name = format!("svc{number}");
    let mut selector: Map<String, Value> = pod.labels.clone();
    if random.chance(50) {
        selector.retain(|key, _| !key.contains("hash") && !key.contains("name"));
    }
    // One that is empty selects nothing.
    if selector.is_empty() {
        selector.clone_from(&pod.labels);
    }
    while selector.len() > 1 {
        let key = random.pick(&selector.keys().cloned().collect::<Vec<_>>()).clone();
        selector.remove(&key);
    }
    let kind = *random.pick(&[
        "ClusterIP",
        "ClusterIP",
        "NodePort",
        "LoadBalancer",
        "Headless",
        "ExternalName",
        "Manual",
        "ExternalIPs",
    ]);
    let (protocol, target) = pod.ports.first().copied().unwrap_or(("TCP", 8080));
    let port = if random.chance(50) { target } else { 80 };
    let node_port = matches!(kind, "NodePort" | "LoadBalancer").then(|| 30_000 + u16::try_from(number).unwrap());
    let is_named = random.chance(30) && !pod.ports.is_empty();
    let mut addresses = if matches!(kind, "Headless" | "ExternalName") { Vec::new() } else { cluster.service_addresses() };
    let cluster_addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    let mut spec = json!({"type": match kind { "NodePort" | "LoadBalancer" | "ExternalName" => kind, _ => "ClusterIP" },
        "ports": [{"name": "main", "port": port, "protocol": protocol, "targetPort": if is_named { json!("p0") } else { json!(target) }}]});
    if let Some(first) = cluster_addresses.first() {
        spec["clusterIP"] = json!(first);
        spec["clusterIPs"] = json!(cluster_addresses);
    }
    if let Some(node_port) = node_port {
        spec["ports"][0]["nodePort"] = json!(node_port);
    }
    match kind {
        "Headless" => spec["clusterIP"] = json!("None"),
        "ExternalName" => spec["externalName"] = json!("db.example.net"),
        "ExternalIPs" => {
            spec["externalIPs"] = json!(["203.0.113.200"]);
            addresses.push("203.0.113.200".parse().unwrap());
        }
        _ => {}
    }
    let is_selecting = !matches!(kind, "ExternalName" | "Manual");
    if is_selecting {
        spec["selector"] = json!(selector);
    }
    let mut object =
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": pod.namespace, "name": name}, "spec": spec});
    if kind == "LoadBalancer" && random.chance(70) {
        object["status"] = json!({"loadBalancer": {"ingress": [{"ip": "203.0.113.201"}]}});
        addresses.push("203.0.113.201".parse().unwrap());
    }
    cluster.objects.push(object);
    let is_meant = |labels: &Map<String, Value>| selector.iter().all(|(key, value)| labels.get(key) == Some(value));
    let members = (0..).zip(&cluster.pods).filter(|(_, other)| {
        is_selecting && other.namespace == pod.namespace && !other.is_on_host_network && is_meant(&other.labels)
    });
    let backends: Vec<(usize, u16)> = members
        .filter_map(|(position, member)| {
            // A named port is found by its name and its protocol, where it is declared.
            let named = member.ports.first().filter(|(own, _)| member.is_declaring && *own == protocol);
            let own = if is_named { named?.1 } else { target };
            Some((position, own))
        })
        .collect();
    if kind == "Manual" || is_selecting && random.chance(50) {
        draw_slice(cluster, random, &pod.namespace, &name, (protocol, target), kind == "Manual", &backends);
    }
    if kind != "Manual" || random.chance(50) {
        cluster.services.push(Service { addresses, ports: vec![ServicePort { protocol, port, node_port, backends }] });
    }
    if random.chance(15) {
        cluster.objects.push(json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": {"namespace": pod.namespace, "name": name},
            "spec": {"rules": [{"http": {"paths": [{"path": "/", "pathType": "Prefix",
                "backend": {"service": {"name": name, "port": {"number": port}}}}]}}]}}));
    }
}

fn draw_slice(
    cluster: &mut Cluster,
    random: &mut Random,
    namespace: &str,
    service: &str,
    (protocol, target): (&str, u16),
    is_manual: bool,
    backends: &[(usize, u16)],
) {
    let outside = ["203.0.113.77", "10.50.0.7"];
    let endpoints: Vec<(String, Option<String>)> = if is_manual {
        vec![((*random.pick(&outside)).to_owned(), None)]
    } else {
        let pods = backends.iter().map(|(pod, _)| &cluster.pods[*pod]);
        pods.filter_map(|pod| Some((pod.addresses.iter().find(|address| address.is_ipv4())?.to_string(), Some(pod.name.clone()))))
            .collect()
    };
    let endpoints: Vec<Value> = endpoints
        .into_iter()
        .map(|(address, pod)| match pod {
            Some(pod) => json!({"addresses": [address], "targetRef": {"kind": "Pod", "namespace": namespace, "name": pod}}),
            None => json!({"addresses": [address]}),
        })
        .collect();
    cluster.objects.push(json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"namespace": namespace, "name": format!("{service}-abcde"), "labels": {"kubernetes.io/service-name": service}},
        "endpoints": endpoints, "ports": [{"name": "main", "port": target, "protocol": protocol}]}));
}

/// A policy that somebody wrote, or an earlier run.
pub fn draw_existing_policy(cluster: &mut Cluster, random: &mut Random) {
    let namespace = random.pick(&cluster.namespaces).clone();
    let labels = if random.chance(30) { json!({"app.kubernetes.io/managed-by": "netpol-gen"}) } else { json!({}) };
    let block: IpAddr = "198.51.100.0".parse().unwrap();
    let spec = match random.below(3) {
        0 => json!({"podSelector": {}, "policyTypes": ["Ingress"]}),
        1 => json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [{}], "egress": [{}]}),
        _ => json!({"podSelector": {"matchLabels": {"app": "common"}}, "policyTypes": ["Egress"],
            "egress": [{"to": [{"ipBlock": {"cidr": format!("{block}/24")}}], "ports": [{"port": 443, "protocol": "TCP"}]}]}),
    };
    cluster.objects.push(json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"namespace": namespace, "name": "by-hand", "labels": labels}, "spec": spec}));
}
