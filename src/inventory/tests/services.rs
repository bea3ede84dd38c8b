//! What is called through Services, and what is behind them.

use super::*;

const CLUSTER: &str = r"
kind: Node
metadata: {name: n1}
spec: {podCIDR: 10.244.1.0/24}
status: {addresses: [{type: InternalIP, address: 172.18.0.3}, {type: InternalIP, address: 'fd00:18::3'}]}
---
kind: Service
metadata: {name: web, namespace: prod}
spec:
  type: LoadBalancer
  clusterIPs: [10.96.0.7, 'fd00:96::7']
  selector: {app: web}
  ports:
  - {name: http, port: 80, targetPort: http, nodePort: 30080}
  - {name: quic, port: 80, protocol: UDP, targetPort: 8443}
status: {loadBalancer: {ingress: [{ip: 203.0.113.7}, {hostname: lb.example.com}]}}
---
kind: Pod
metadata: {name: web-old, namespace: prod, labels: {app: web}, deletionTimestamp: '2026-03-01T11:00:00Z'}
spec: {nodeName: n1, containers: [{name: nginx, ports: [{name: http, containerPort: 8080}]}, {name: istio-proxy}]}
status: {podIPs: [{ip: 10.244.1.5}, {ip: 'fd00:1::5'}], startTime: '2026-03-01T10:00:00Z'}
---
kind: Pod
metadata: {name: web-new, namespace: prod, labels: {app: web, more: x}}
spec: {nodeName: n1, containers: [{name: nginx, ports: [{name: http, containerPort: 9090, hostPort: 8888}]}]}
status: {podIPs: [{ip: 10.244.1.6}, {ip: 'fd00:1::6'}], startTime: '2026-03-01T10:30:00Z'}
---
kind: Pod
metadata: {name: web, namespace: staging, labels: {app: web}}
spec: {containers: [{name: nginx, ports: [{name: http, containerPort: 8080}]}]}
status: {podIP: 10.244.1.7, startTime: '2026-03-01T10:00:00Z'}
---
kind: Service
metadata: {name: db, namespace: prod}
spec: {clusterIP: 10.96.0.8, ports: [{name: sql, port: 3306}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: db-1, namespace: prod, labels: {kubernetes.io/service-name: db}}
addressType: IPv4
endpoints:
- addresses: [192.168.5.10]
- addresses: [10.244.1.5]
  targetRef: {kind: Pod, namespace: prod, name: web-old}
- addresses: [10.244.1.6]
  targetRef: {kind: Pod, namespace: prod, name: another}
ports: [{name: sql, port: 33060}]
---
kind: Endpoints
metadata: {name: db, namespace: prod}
subsets: [{addresses: [{ip: 192.168.5.99}], ports: [{name: sql, port: 1}]}]
---
kind: Service
metadata: {name: kubernetes, namespace: default}
spec: {clusterIP: 10.96.0.1, ports: [{name: https, port: 443, targetPort: 6443}]}
---
kind: Endpoints
metadata: {name: kubernetes, namespace: default}
subsets: [{addresses: [{ip: 172.18.0.2}], notReadyAddresses: [{ip: 172.18.0.4}], ports: [{name: https, port: 6443}]}]
---
kind: Service
metadata: {name: kube-dns, namespace: kube-system, labels: {k8s-app: kube-dns}}
spec:
  clusterIP: 10.96.0.10
  selector: {k8s-app: kube-dns}
  ports: [{name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53, targetPort: 5353}, {name: metrics, port: 9153}]
---
kind: Pod
metadata: {name: coredns, namespace: kube-system, labels: {k8s-app: kube-dns}}
status: {podIP: 10.244.1.9}
---
kind: Service
metadata: {name: api, namespace: prod}
spec: {clusterIP: 10.96.0.9, selector: {app: api}, ports: [{name: a, port: 5000, targetPort: 5001}, {name: b, port: 6000}]}
---
kind: Pod
metadata: {name: api, namespace: prod, labels: {app: api}}
status: {podIP: 10.244.1.8}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop, namespace: prod}
spec: {rules: [{http: {paths: [{path: /, backend: {service: {name: api, port: {name: a}}}}]}}]}
---
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: api, namespace: prod}
spec: {template: {}}
";

/// A Service's name, the position of its port, by which address it was called.
type Call = (&'static str, usize, ServiceAddress, Family);

#[test]
fn services_are_called_by_all_their_addresses() {
    let inventory = inventory(&[CLUSTER]);
    let rows: &[(&str, &str, Protocol, u16, Option<Call>)] = &[
        ("ClusterIP", "10.96.0.7", Protocol::Tcp, 80, Some(("web", 0, ServiceAddress::Cluster, Family::V4))),
        ("other protocol", "10.96.0.7", Protocol::Udp, 80, Some(("web", 1, ServiceAddress::Cluster, Family::V4))),
        ("other family", "fd00:96::7", Protocol::Tcp, 80, Some(("web", 0, ServiceAddress::Cluster, Family::V6))),
        ("mapped", "::ffff:10.96.0.7", Protocol::Tcp, 80, Some(("web", 0, ServiceAddress::Cluster, Family::V4))),
        ("load balancer", "203.0.113.7", Protocol::Tcp, 80, Some(("web", 0, ServiceAddress::Outside, Family::V4))),
        ("node port", "172.18.0.3", Protocol::Tcp, 30080, Some(("web", 0, ServiceAddress::Node, Family::V4))),
        ("node port, other family", "fd00:18::3", Protocol::Tcp, 30080, Some(("web", 0, ServiceAddress::Node, Family::V6))),
        ("node port elsewhere", "172.18.0.77", Protocol::Tcp, 30080, None),
        ("no such port", "10.96.0.7", Protocol::Tcp, 81, None),
        ("no such protocol", "10.96.0.7", Protocol::Sctp, 80, None),
        ("a pod", "10.244.1.5", Protocol::Tcp, 80, None),
    ];
    for (message, text, protocol, port, expected) in rows {
        let call = inventory.service_call(address(text), *protocol, *port);
        let call = call.map(|call| (inventory.service(call.service).name.as_str(), call.port, call.through, call.family));
        assert_eq!(call, *expected, "{message}");
    }
}

/// A message; what is called when; the backends expected.
type CallAt = (&'static str, &'static str, Protocol, u16, &'static str, &'static [&'static str]);

#[test]
fn backends_are_those_of_the_time() {
    let inventory = inventory(&[CLUSTER]);
    let rows: &[CallAt] = &[
        ("named port, one pod", "10.96.0.7", Protocol::Tcp, 80, "10:10:00", &["10.244.1.5:8080"]),
        (
            "named port, another number in each",
            "10.96.0.7",
            Protocol::Tcp,
            80,
            "10:40:00",
            &["10.244.1.5:8080", "10.244.1.6:9090"],
        ),
        ("the other family", "fd00:96::7", Protocol::Tcp, 80, "10:10:00", &["[fd00:1::5]:8080"]),
        ("the old pod is gone", "10.96.0.7", Protocol::Tcp, 80, "11:30:00", &["10.244.1.6:9090"]),
        ("number", "10.96.0.7", Protocol::Udp, 80, "11:30:00", &["10.244.1.6:8443"]),
        ("node port", "172.18.0.3", Protocol::Tcp, 30080, "10:10:00", &["10.244.1.5:8080"]),
        ("before all pods", "10.96.0.7", Protocol::Tcp, 80, "09:00:00", &[]),
        (
            "slices, not Endpoints of old",
            "10.96.0.8",
            Protocol::Tcp,
            3306,
            "10:40:00",
            &["10.244.1.5:33060", "192.168.5.10:33060"],
        ),
        ("slices, but for pods that are gone", "10.96.0.8", Protocol::Tcp, 3306, "11:30:00", &["192.168.5.10:33060"]),
        ("Endpoints of old", "10.96.0.1", Protocol::Tcp, 443, "10:00:00", &["172.18.0.2:6443", "172.18.0.4:6443"]),
    ];
    for (message, text, protocol, port, time, expected) in rows {
        let call = inventory.service_call(address(text), *protocol, *port).unwrap();
        let backends = inventory.backends(call, at(time));
        let backends: Vec<String> =
            backends.iter().map(|backend| std::net::SocketAddr::new(backend.address, backend.port).to_string()).collect();
        assert_eq!(backends, *expected, "{message}");
    }
    let absent = ServiceCall { service: ServiceId(99), port: 0, through: ServiceAddress::Cluster, family: Family::V4 };
    assert!(inventory.backends(absent, at("10:00:00")).is_empty());
}

#[test]
fn what_is_open_and_declared_is_known() {
    let inventory = inventory(&[CLUSTER]);
    let web = inventory.pods().iter().find(|pod| pod.name.name == "web-new").unwrap().workload;
    let old = inventory.pods().iter().find(|pod| pod.name.name == "web-old").unwrap().workload;
    let (tcp, udp) = (Protocol::Tcp, Protocol::Udp);
    assert_eq!(inventory.exposed_ports(web), [(tcp, 9090), (udp, 8443)].into(), "load balancer, host port");
    assert_eq!(inventory.exposed_ports(workload_named(&inventory, "api")), [(tcp, 5001)].into(), "Ingress backend");
    assert_eq!(inventory.exposed_ports(workload_named(&inventory, "coredns")), [].into());
    let resolvers: Vec<_> = inventory.resolvers().iter().collect();
    assert_eq!(resolvers, [(&workload_named(&inventory, "coredns"), &[(tcp, 5353), (udp, 53)].into())]);
    assert_eq!(inventory.sidecar(old), Some("istio-proxy"));
    assert_eq!(inventory.sidecar(web), None);
    let api_server: Vec<String> = inventory.api_server().iter().map(|backend| backend.address.to_string()).collect();
    assert_eq!(api_server, ["172.18.0.2", "172.18.0.4"]);
    assert_eq!(inventory.host_port(address("172.18.0.3"), tcp, 8888, at("10:40:00")).map(|(_, port)| port), Some(9090));
    assert_eq!(inventory.host_port(address("172.18.0.3"), tcp, 8888, at("09:40:00")), None, "before the pod");

    let rows: &[(&str, &str, Protocol, u16, bool)] = &[
        ("container port", "10.244.1.5", tcp, 8080, true),
        ("target of a Service", "10.244.1.5", udp, 8443, true),
        ("neither", "10.244.1.5", tcp, 8081, false),
        ("Service port", "10.96.0.7", tcp, 80, true),
        ("endpoint outside", "192.168.5.10", tcp, 33060, true),
        ("node port", "172.18.0.3", tcp, 30080, true),
        ("host port", "172.18.0.3", tcp, 8888, true),
        ("nothing of the node", "172.18.0.3", tcp, 22, false),
        ("API server", "172.18.0.2", tcp, 6443, true),
        ("outside", "8.8.8.8", udp, 53, false),
    ];
    for (message, text, protocol, port, expected) in rows {
        assert_eq!(inventory.declares(address(text), *protocol, *port, at("10:40:00")), *expected, "{message}");
    }
    assert!(inventory.workload_declares(web, tcp, 9090));
    assert!(!inventory.workload_declares(web, tcp, 8080), "that is the older pod's");
}

#[test]
fn the_newest_claim_of_an_address_wins() {
    let service = |name: &str, version: u32| {
        format!(
            "kind: Service\nmetadata: {{name: {name}, resourceVersion: '{version}'}}\nspec: {{clusterIP: 10.96.0.5, ports: [{{port: 80}}]}}\n"
        )
    };
    let inventory = inventory(&[&service("a", 100), &service("b", 9)]);
    assert_eq!(who(&inventory, "10.96.0.5", "10:00:00"), "service a");
}

#[test]
fn the_api_server_is_known_from_its_static_pods_too() {
    let text = "kind: Pod
metadata: {name: kube-apiserver-cp, namespace: kube-system, ownerReferences: [{kind: Node, name: cp, controller: true}]}
spec: {hostNetwork: true, nodeName: cp, containers: [{name: kube-apiserver, command: [kube-apiserver, --secure-port=8443]}]}
status: {podIP: 172.18.0.2}
";
    let inventory = inventory(&[text]);
    assert_eq!(inventory.api_server(), &[Backend { address: address("172.18.0.2"), port: 8443 }].into());
}

#[test]
fn values_of_the_api_are_taken_as_they_are() {
    use k8s_openapi::api::core::v1::{Pod, PodStatus};
    let mut pod = Pod::default();
    pod.metadata.name = Some("a".into());
    pod.metadata.namespace = Some("n".into());
    pod.status = Some(PodStatus { pod_ip: Some("10.0.0.1".into()), ..PodStatus::default() });
    let mut builder = InventoryBuilder::new();
    builder.apply_value(serde_json::to_value(&pod).unwrap());
    builder.apply_value(serde_json::json!({"kind": "Pod"}));
    let inventory = builder.build(&InventoryOptions::default());
    assert_eq!(who(&inventory, "10.0.0.1", "10:00:00"), "a");
    assert_eq!(found(&inventory)[0].0, Code::UnreadableObject);
}
