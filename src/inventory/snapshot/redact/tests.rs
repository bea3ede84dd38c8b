//! Fields that an inventory keeps of objects, and those it leaves out.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::*;
use crate::inventory::snapshot::read_value;

/// What is in the metadata of each.
fn metadata(name: &str) -> Value {
    json!({
        "name": name, "namespace": "kube-system", "uid": "1-2", "resourceVersion": "7", "labels": {"app": name},
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "secret"},
        "managedFields": [{"manager": "secret"}], "generation": 3,
        "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "owner", "uid": "9", "controller": true}],
        "creationTimestamp": "2026-11-18T12:33:34Z", "deletionTimestamp": "2026-11-18T12:40:00Z",
    })
}

/// Those that only say who will call or come.
fn declarations() -> Vec<Value> {
    vec![
        json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
            "metadata": metadata("checks"), "webhooks": [{"name": "secret", "clientConfig": {"caBundle": "secret",
                "service": {"namespace": "ops", "name": "checks", "port": 8443, "path": "secret"}}}]}),
        json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
            "metadata": metadata("changes"), "webhooks": [{"name": "secret", "clientConfig": {
                "service": {"namespace": "ops", "name": "changes", "port": 8443, "path": "secret"}}}]}),
        json!({"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": metadata("v1.metrics"),
            "spec": {"caBundle": "secret", "service": {"namespace": "ops", "name": "metrics", "port": 4443}}}),
        json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": metadata("web"),
            "spec": {"scaleTargetRef": {"apiVersion": "secret", "kind": "Deployment", "name": "web"}, "metrics": ["secret"]}}),
        json!({"apiVersion": "monitoring.coreos.com/v1", "kind": "ServiceMonitor", "metadata": metadata("any"),
            "spec": {"selector": {"matchLabels": {"app": "web"}}, "namespaceSelector": {"any": true},
                "endpoints": [{"port": "http", "targetPort": 9100, "basicAuth": "secret"}]}}),
        json!({"apiVersion": "monitoring.coreos.com/v1", "kind": "ServiceMonitor", "metadata": metadata("named"),
            "spec": {"selector": {"matchLabels": {"app": "web"}}, "namespaceSelector": {"matchNames": ["ops"]},
                "endpoints": [{"path": "secret", "port": "http"}]}}),
        json!({"apiVersion": "monitoring.coreos.com/v1", "kind": "PodMonitor", "metadata": metadata("any"),
            "spec": {"selector": {"matchLabels": {"app": "web"}}, "namespaceSelector": {"any": true},
                "podMetricsEndpoints": [{"port": "http", "portNumber": 9101, "targetPort": 9102, "path": "secret"}]}}),
        json!({"apiVersion": "monitoring.coreos.com/v1", "kind": "PodMonitor", "metadata": metadata("named"),
            "spec": {"selector": {"matchLabels": {"app": "web"}}, "namespaceSelector": {"matchNames": ["ops"]},
                "podMetricsEndpoints": [{"path": "secret", "port": "http"}]}}),
    ]
}

/// Those of network plug-ins and platforms.
fn network_objects() -> Vec<Value> {
    let named = |name: &str| json!({"name": name, "managedFields": [{"manager": "secret"}]});
    let calico = "crd.projectcalico.org/v1";
    vec![
        json!({"apiVersion": "cilium.io/v2", "kind": "CiliumNode", "metadata": named("n1"), "spec": {
            "addresses": [{"type": "InternalIP", "ip": "10.0.0.1"}, {"type": "CiliumInternalIP", "ip": "10.1.0.7"}],
            "health": {"ipv4": "10.1.0.8", "ipv6": "fd00::8"}, "ingress": {"ipv4": "10.1.0.9", "ipv6": "fd00::9"},
            "ipam": {"podCIDRs": ["10.1.0.0/24"], "pools": {"allocated": [{"pool": "secret", "cidrs": ["10.2.0.0/24"]}]}}}}),
        json!({"apiVersion": "cilium.io/v2", "kind": "CiliumNode", "metadata": named("n2"),
            "status": {"eni": {"enis": {"eni-1": {"mac": "secret"}}}, "ipam": {"used": {"10.0.0.9": {"owner": "secret"}}}}}),
        json!({"apiVersion": "cilium.io/v2", "kind": "CiliumNode", "metadata": named("n3"),
            "status": {"azure": {"interfaces": [{"mac": "secret"}]}}}),
        json!({"apiVersion": calico, "kind": "IPPool", "metadata": named("pool"),
            "spec": {"cidr": "10.3.0.0/16", "allowedUses": ["Tunnel"], "nodeSelector": "secret"}}),
        json!({"apiVersion": calico, "kind": "IPPool", "metadata": named("pods"), "spec": {"cidr": "10.3.0.0/16", "x": "secret"}}),
        json!({"apiVersion": calico, "kind": "BlockAffinity", "metadata": named("n1-block"),
            "spec": {"cidr": "10.3.4.0/26", "node": "n1", "state": "secret"}}),
        json!({"apiVersion": calico, "kind": "IPAMBlock", "metadata": named("block"), "spec": {"cidr": "10.3.4.0/26",
            "allocations": [null, 0], "attributes": [{"handle_id": "ipip-tunnel-addr-n1", "secondary": {"node": "secret"}}]}}),
        json!({"apiVersion": calico, "kind": "FelixConfiguration", "metadata": named("node.n1"), "spec": {
            "deviceRouteSourceAddress": "10.0.0.6", "deviceRouteSourceAddressIPv6": "fd00::6", "logFilePath": "secret"}}),
        json!({"apiVersion": "config.openshift.io/v1", "kind": "Network", "metadata": named("cluster"), "status": {
            "clusterNetwork": [{"cidr": "10.128.0.0/14", "hostPrefix": 23}], "serviceNetwork": ["172.30.0.0/16"], "x": "secret"}}),
        json!({"apiVersion": "operator.openshift.io/v1", "kind": "Network", "metadata": named("cluster"), "spec": {
            "clusterNetwork": [{"cidr": "10.128.0.0/14"}], "serviceNetwork": ["172.30.0.0/16"], "x": "secret"}}),
        json!({"apiVersion": "acn.azure.com/v1alpha", "kind": "NodeNetworkConfig", "metadata": named("n1"), "status": {
            "networkContainers": [{"type": "overlay", "subnetAddressSpace": "10.244.0.0/16", "primaryIP": "10.244.1.0/24",
                "ipAssignments": [{"ip": "10.244.1.9", "name": "secret"}]}]}}),
        json!({"apiVersion": "kubeovn.io/v1", "kind": "Subnet", "metadata": named("ovn-default"),
            "spec": {"cidrBlock": "10.16.0.0/16", "gateway": "secret"}}),
        json!({"apiVersion": "kubeovn.io/v1", "kind": "Subnet", "metadata": named("underlay"),
            "spec": {"cidrBlock": "10.17.0.0/16", "vlan": "vlan7", "gateway": "secret"}}),
    ]
}

/// Objects with every member that is read, and beside each something that is not.
fn samples() -> Vec<Value> {
    let probe = |port: u16| {
        json!({"httpGet": {"httpHeaders": [{"value": "secret"}], "port": port}, "tcpSocket": {"port": port + 1, "host": "secret"},
            "grpc": {"port": port + 2, "service": "secret"}})
    };
    let container = json!({
        "name": "main", "image": "secret", "env": [{"name": "PASSWORD", "value": "secret"}], "envFrom": [{"secret": 1}],
        "command": ["/usr/bin/kube-apiserver", "--token=secret", "--cluster-cidr", "10.244.0.0/16", "secret"],
        "args": ["--service-cluster-ip-range=10.96.0.0/16,fd00::/112", "--secure-port=7443", "--password", "secret"],
        "ports": [{"name": "https", "containerPort": 443, "hostPort": 8443, "protocol": "UDP", "hostIP": "secret"}],
        "livenessProbe": probe(8001), "readinessProbe": probe(8011), "startupProbe": probe(8021),
    });
    let mut side_car = container.clone();
    side_car["name"] = "side-car".into();
    side_car["restartPolicy"] = "Always".into();
    side_car["livenessProbe"] = probe(8101);
    side_car["readinessProbe"] = probe(8111);
    side_car["startupProbe"] = probe(8121);
    let ended = |time: &str| json!([{"state": {"terminated": {"finishedAt": time, "message": "secret"}}, "image": "secret"}]);
    let pod_status = json!({
        "phase": "Succeeded", "startTime": "2026-11-18T12:33:35Z", "message": "secret",
        "podIP": "10.244.1.2", "podIPs": [{"ip": "10.244.1.3"}], "hostIP": "10.0.0.1", "hostIPs": [{"ip": "10.0.0.2"}],
        "containerStatuses": ended("2026-11-18T12:39:00Z"), "initContainerStatuses": ended("2026-11-18T12:34:00Z"),
        "conditions": [{"type": "Ready", "status": "False", "message": "secret", "lastTransitionTime": "2026-11-18T12:39:30Z"}],
    });
    let pod_spec = json!({
        "nodeName": "node-1", "hostNetwork": true, "dnsPolicy": "Default",
        "dnsConfig": {"nameservers": ["10.0.0.53"], "searches": ["secret"], "options": [{"name": "secret"}]}, "containers": [container], "initContainers": [side_car],
        "volumes": [{"secret": {"secretName": "secret"}}], "imagePullSecrets": [{"name": "secret"}],
    });
    let mut evicted =
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata("evicted"), "spec": pod_spec, "status": pod_status});
    evicted["status"]["containerStatuses"] = Value::Null;
    evicted["status"]["initContainerStatuses"] = Value::Null;
    let mut init = evicted.clone();
    init["metadata"]["name"] = "init".into();
    init["metadata"]["annotations"]["k8s.v1.cni.cncf.io/network-status"] =
        r#"[{"name":"n/fabric","interface":"net1","ips":["192.168.7.5"],"mac":"secret","dns":{"domain":"secret"}}]"#.into();
    init["metadata"]["annotations"]["sidecar.istio.io/status"] = r#"{"imagePullSecrets":["secret"]}"#.into();
    init["status"]["initContainerStatuses"] = ended("2026-11-18T12:34:00Z");
    let mut node = metadata("node-1");
    node["annotations"]["projectcalico.org/IPv4Address"] = "10.0.0.9/24".into();
    node["annotations"]["projectcalico.org/IPv4VXLANTunnelAddr"] = "10.244.1.0".into();
    node["annotations"]["network.cilium.io/ipv4-pod-cidr"] = "10.245.1.0/24".into();
    node["annotations"]["k8s.ovn.org/node-subnets"] = r#"{"default":["10.128.0.0/23"]}"#.into();
    node["annotations"]["k3s.io/node-args"] =
        r#"["server","--token","secret","--cluster-cidr","10.52.0.0/16","--service-cidr=10.53.0.0/16"]"#.into();
    let mut scraped = metadata("web");
    scraped["annotations"]["prometheus.io/scrape"] = "true".into();
    scraped["annotations"]["prometheus.io/port"] = "9113".into();
    let mut slice = metadata("web-1");
    slice["labels"]["kubernetes.io/service-name"] = "web".into();
    let backend = |name: &str| json!({"service": {"name": name, "port": {"name": "http"}}});
    let numbered = |name: &str| json!({"service": {"name": name, "port": {"number": 80}}});
    let selector = json!({"matchLabels": {"app": "web"}, "matchExpressions": []});
    let template = json!({"metadata": {"labels": {"app": "job"}}, "spec": {"containers": [{"env": "secret"}]}});
    let mut samples = vec![
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata("prod"), "status": {"phase": "secret"}}),
        json!({"apiVersion": "v1", "kind": "Node", "metadata": node,
            "spec": {"podCIDR": "10.244.3.0/24", "podCIDRs": ["10.244.1.0/24", "fd00:1::/64"], "providerID": "aws:///eu-west-1a/i-secret"},
            "status": {"addresses": [{"type": "InternalIP", "address": "10.0.0.1"}, {"type": "Hostname", "address": "10.9.9.9"}],
                "images": [{"names": ["secret"]}]}}),
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata("api"), "spec": pod_spec, "status": pod_status}),
        evicted,
        init,
        json!({"apiVersion": "v1", "kind": "Service", "metadata": scraped,
            "spec": {"type": "LoadBalancer", "clusterIP": "10.96.0.1", "clusterIPs": ["10.96.0.2"], "externalIPs": ["192.0.2.1"],
                "ports": [{"name": "http", "protocol": "UDP", "port": 80, "targetPort": "web", "nodePort": 30080,
                    "appProtocol": "secret"}],
                "selector": {"app": "web"}, "externalName": "secret"},
            "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.2", "hostname": "secret"}]}}}),
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": slice,
            "endpoints": [{"addresses": ["10.244.1.2"], "zone": "secret",
                "targetRef": {"kind": "Pod", "namespace": "kube-system", "name": "api", "uid": "secret"}}],
            "ports": [{"name": "http", "protocol": "UDP", "port": 8080, "appProtocol": "secret"}]}),
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata("web"),
            "spec": {"selector": selector, "template": template}, "status": {"conditions": "secret"}}),
        json!({"apiVersion": "v1", "kind": "ReplicationController", "metadata": metadata("old"),
            "spec": {"selector": {"app": "old"}, "template": template}}),
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata("job"), "spec": {"template": template},
            "status": {"conditions": [{"type": "Complete", "status": "True", "message": "secret"}]}}),
        json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": metadata("cron"),
            "spec": {"jobTemplate": {"spec": {"template": template}}, "schedule": "0 3 * * *", "timeZone": "Europe/Berlin",
                "suspend": true, "concurrencyPolicy": "secret"}}),
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata("in"),
            "spec": {"defaultBackend": backend("first"), "tls": [{"secretName": "secret"}], "rules": [
                {"host": "secret", "http": {"paths": [{"path": "/secret", "backend": backend("second")}, {"backend": numbered("third")}]}}]}}),
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata("numbered"),
            "spec": {"defaultBackend": numbered("fourth")}}),
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata("deny"),
            "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": []}}),
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR", "metadata": metadata("kubernetes"),
            "spec": {"cidrs": ["10.96.0.0/16"]}, "status": {"conditions": "secret"}}),
    ];
    samples.extend(started(&metadata("started"), &pod_spec));
    samples.push(json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata("done"),
        "spec": {"restartPolicy": "OnFailure", "containers": [{"name": "main", "image": "secret"}]},
        "status": {"phase": "Running", "containerStatuses": [{"image": "secret", "state": {"terminated":
            {"exitCode": 0, "startedAt": "2026-11-18T12:34:01Z", "finishedAt": "2026-11-18T12:39:00Z"}}}]}}));
    samples
}

/// Pods that tell when their containers started.
fn started(metadata: &Value, spec: &Value) -> Vec<Value> {
    // One that ended, one that still runs, one that runs for the second time, one that does for the third.
    let terminated =
        |start: &str| json!({"terminated": {"startedAt": start, "finishedAt": "2026-11-18T12:39:00Z", "reason": "secret"}});
    let running = |start: &str| json!({"running": {"startedAt": start}});
    let containers = [
        json!([{"state": terminated("2026-11-18T12:34:01Z"), "imageID": "secret"}]),
        json!([{"state": running("2026-11-18T12:34:02Z"), "imageID": "secret"}]),
        json!([{"state": running("2026-11-18T12:34:04Z"), "lastState": terminated("2026-11-18T12:34:03Z"), "restartCount": 1}]),
        json!([{"state": running("2026-11-18T12:34:06Z"), "lastState": terminated("2026-11-18T12:34:05Z"), "restartCount": 2,
            "containerID": "secret"}]),
    ];
    let pods = containers.iter().flat_map(|containers| {
        ["containerStatuses", "initContainerStatuses"].map(|member| {
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": {member: containers}})
        })
    });
    pods.collect()
}

/// A NetworkPolicy is kept as it was read, with metadata that no one evaluates.
fn read(object: &Value) -> String {
    let mut object = object.clone();
    if object["kind"] == "NetworkPolicy" {
        object["metadata"] = json!({"name": object["metadata"]["name"], "namespace": object["metadata"]["namespace"]});
    }
    format!("{:#?}", read_value(object, "sample"))
}

#[test]
fn the_same_is_read_and_no_secret_is_left() {
    for sample in samples().into_iter().chain(declarations()).chain(network_objects()) {
        let narrowed = narrow(&sample);
        assert_eq!(read(&narrowed), read(&sample), "{narrowed:#}");
        assert!(sample.to_string().contains("secret"), "the sample has something to hide: {sample:#}");
        assert!(!narrowed.to_string().contains("secret"), "{narrowed:#}");
        assert!(!read(&sample).contains("UnreadableObject"), "the sample is sound: {}", read(&sample));
    }
}

/// The other half of the promise: what is kept is needed.
#[test]
fn nothing_is_kept_that_is_not_read() {
    let samples = [samples(), declarations(), network_objects()].concat();
    let mut useless = Vec::new();
    for kind in samples.iter().filter_map(|sample| sample["kind"].as_str()) {
        let of_kind: Vec<&Value> = samples.iter().filter(|sample| sample["kind"] == kind).collect();
        for dropped in paths(kind) {
            let apart = [
                "metadata.annotations",
                "spec.containers.command",
                "spec.providerID",
                "status.eni",
                "status.azure",
                "status.ipam",
            ];
            let others: Vec<&str> =
                METADATA.iter().chain(paths(kind)).copied().filter(|path| path != dropped).chain(apart).collect();
            let is_missed = of_kind.iter().any(|sample| read(&keep(&narrow(sample), &others)) != read(sample));
            if !is_missed {
                useless.push(format!("{kind}: {dropped}"));
            }
        }
    }
    assert!(useless.is_empty(), "{useless:#?}");
}

#[test]
fn arguments_are_for_the_control_plane_only() {
    let sample = samples().into_iter().find(|sample| sample["metadata"]["name"] == "api").expect("a pod");
    let expected = json!([
        "kube-apiserver",
        "--cluster-cidr=10.244.0.0/16",
        "--service-cluster-ip-range=10.96.0.0/16,fd00::/112",
        "--secure-port=7443"
    ]);
    assert_eq!(narrow(&sample)["spec"]["containers"][0]["command"], expected);
    let mut elsewhere = sample;
    elsewhere["metadata"]["namespace"] = "prod".into();
    let container = &narrow(&elsewhere)["spec"]["containers"][0];
    assert!(container.get("command").is_none() && container.get("args").is_none(), "{container:#}");
}

#[test]
fn every_recorded_inventory_reads_the_same() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures");
    let mut objects = 0;
    for entry in fs::read_dir(folder).expect("captures") {
        let path = entry.expect("an entry").path();
        let text = match path.extension().and_then(|extension| extension.to_str()) {
            Some("yaml" | "json") => fs::read_to_string(&path).expect("text"),
            _ => continue,
        };
        // JSON is YAML.
        let list: Value = serde_saphyr::from_str(&text).expect("YAML");
        for object in list["items"].as_array().expect("a list") {
            objects += 1;
            let narrowed = narrow(object);
            assert_eq!(read(&narrowed), read(object), "{}: {narrowed:#}", path.display());
            assert!(narrowed.to_string().len() <= object.to_string().len(), "{}: {narrowed:#}", path.display());
        }
    }
    assert!(objects > 200, "the inventories were found");
}
