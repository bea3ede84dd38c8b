//! Addresses that platforms give to nodes, resolvers and services of clouds: one row for each plug-in or platform.
//!
//! In every row `shop/web` is the pod whose rules are written down; what it calls and who calls it differs.

use std::collections::BTreeSet;

use crate::world::World;

/// A platform, and what must come out of its traffic.
struct Row {
    what: &'static str,
    world: World,
    /// All rules but those of `default-deny-all`, in the words of `Learned::rules`.
    rules: &'static [&'static str],
    /// Codes that must be among the findings.
    found: &'static [&'static str],
    /// Codes that must not be.
    not_found: &'static [&'static str],
}

fn check(rows: Vec<Row>) {
    let mut wrong = Vec::new();
    for Row { what, world, rules, found, not_found } in rows {
        let learned = world.learn(&[]);
        let made = learned.rules();
        let expected: BTreeSet<String> = rules.iter().map(|rule| (*rule).to_owned()).collect();
        let codes = learned.codes();
        let is_as_found = found.iter().all(|code| codes.contains(code)) && !not_found.iter().any(|code| codes.contains(code));
        if learned.code != Some(0) || made != expected || !is_as_found {
            wrong.push(format!("{what}: {:?}\nmade {made:#?}\nexpected {expected:#?}\n{}", learned.code, learned.messages));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// A node with annotations as YAML lines.
fn annotated(name: &str, address: &str, pod_range: &str, annotations: &[(&str, &str)]) -> String {
    let lines: Vec<String> = annotations.iter().map(|(key, value)| format!("    {key}: '{value}'")).collect();
    let spec = if pod_range.is_empty() { "{}".to_owned() } else { format!("{{podCIDR: {pod_range}, podCIDRs: [{pod_range}]}}") };
    format!(
        "apiVersion: v1\nkind: Node\nmetadata:\n  name: {name}\n  annotations:\n{}\nspec: {spec}\nstatus:\n  addresses:\n  - {{type: InternalIP, address: {address}}}",
        lines.join("\n")
    )
}

/// `shop/web` at an address on node `w1`.
fn web(address: &str) -> World {
    World::default().namespace("shop").pod("shop", "web", address, "w1", "app=web")
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table, a row for each network plug-in")]
fn a_node_is_a_node_at_every_one_of_its_addresses() {
    check(vec![
        Row {
            what: "flannel: a NodePort call by way of another node has the source flannel.1",
            world: web("10.244.1.5")
                .node("w0", "10.0.0.10", &["10.244.0.0/24"])
                .node("w1", "10.0.0.11", &["10.244.1.0/24"])
                .tcp("10.244.0.0", "10.244.1.5", 8080)
                .tcp("10.244.1.1", "10.244.1.5", 8080),
            rules: &["shop/allow-node-to-web [app=web] <- 10.244.0.0/32 TCP 8080"],
            found: &["remote-node-traffic", "own-node-traffic"],
            not_found: &["not-expressible", "unattributed-address", "own-node-called"],
        },
        Row {
            what: "RKE2's Canal: Calico's marks, flannel's tunnel",
            world: web("10.42.1.5")
                .object(&annotated(
                    "w0",
                    "192.0.2.10",
                    "10.42.0.0/24",
                    &[("projectcalico.org/IPv4Address", "10.0.0.10/24"), ("rke2.io/internal-ip", "10.0.0.10")],
                ))
                .object(&annotated("w1", "192.0.2.11", "10.42.1.0/24", &[("rke2.io/internal-ip", "10.0.0.11")]))
                .tcp("10.42.0.0", "10.42.1.5", 8080)
                .tcp("10.42.1.5", "10.0.0.11", 9100)
                .tcp("10.42.1.5", "10.0.0.10", 9100),
            rules: &[
                "shop/allow-node-to-web [app=web] <- 10.42.0.0/32 TCP 8080",
                "shop/allow-web-to-node [app=web] -> 10.0.0.10/32 TCP 9100",
                "shop/allow-web-to-node [app=web] -> 10.0.0.11/32 TCP 9100",
            ],
            found: &["remote-node-traffic", "own-node-called"],
            not_found: &["not-expressible", "unattributed-address"],
        },
        Row {
            what: "Calico's IPAM: the tunnel address is in a block, and podCIDRs mean nothing",
            world: web("192.168.190.195")
                .object(&annotated(
                    "cp",
                    "172.18.0.2",
                    "192.168.0.0/24",
                    &[("projectcalico.org/IPv4IPIPTunnelAddr", "192.168.219.64")],
                ))
                .object(&annotated("w1", "172.18.0.3", "192.168.1.0/24", &[]))
                .object("apiVersion: crd.projectcalico.org/v1\nkind: IPPool\nmetadata: {name: default}\nspec: {cidr: 192.168.0.0/16}")
                .tcp("192.168.219.64", "192.168.190.195", 9443)
                .tcp("192.168.0.1", "192.168.190.195", 9443),
            rules: &["shop/allow-node-to-web [app=web] <- 192.168.219.64/32 TCP 9443"],
            found: &["remote-node-traffic", "unattributed-address"],
            not_found: &["not-expressible"],
        },
        Row {
            what: "Calico's VXLAN and WireGuard, known from the blocks alone",
            world: web("10.10.1.5")
                .node("w0", "10.0.0.10", &[])
                .node("w1", "10.0.0.11", &[])
                .object("apiVersion: crd.projectcalico.org/v1\nkind: IPAMBlock\nmetadata: {name: 10-10-2-0-26}\nspec:\n  cidr: 10.10.2.0/26\n  allocations: [null, 1, 0]\n  attributes:\n  - {handle_id: wireguard-tunnel-addr-w0, secondary: {node: w0}}\n  - {handle_id: vxlan-tunnel-addr-w0, secondary: {node: w0}}")
                .tcp("10.10.2.1", "10.10.1.5", 8080)
                .tcp("10.10.2.2", "10.10.1.5", 8080),
            rules: &[
                "shop/allow-node-to-web [app=web] <- 10.10.2.1/32 TCP 8080",
                "shop/allow-node-to-web [app=web] <- 10.10.2.2/32 TCP 8080",
            ],
            found: &["remote-node-traffic"],
            not_found: &["unattributed-address"],
        },
        Row {
            what: "Cilium's tunnel: cilium_host of another node, which no ipBlock means",
            world: web("10.0.1.5")
                .node("w0", "172.18.0.2", &[])
                .node("w1", "172.18.0.3", &[])
                .object("apiVersion: cilium.io/v2\nkind: CiliumNode\nmetadata: {name: w0}\nspec:\n  addresses:\n  - {type: InternalIP, ip: 172.18.0.2}\n  - {type: CiliumInternalIP, ip: 10.0.0.77}\n  ipam: {podCIDRs: [10.0.0.0/24]}")
                .tcp("10.0.0.77", "10.0.1.5", 8080),
            rules: &["shop/allow-node-to-web [app=web] <- 10.0.0.77/32 TCP 8080"],
            found: &["remote-node-traffic", "node-rule-ignored"],
            not_found: &["unattributed-address"],
        },
        Row {
            what: "OpenShift: management ports, the router on another node's network",
            world: web("10.129.0.9")
                .namespace("openshift-ingress")
                .object(&annotated("w1", "10.0.0.11", "", &[("k8s.ovn.org/node-subnets", r#"{"default":["10.129.0.0/23"]}"#)]))
                .object(&annotated("w2", "10.0.0.12", "", &[("k8s.ovn.org/node-subnets", r#"{"default":["10.130.0.0/23"]}"#)]))
                .tcp("10.129.0.2", "10.129.0.9", 8080)
                .tcp("10.130.0.2", "10.129.0.9", 8080),
            rules: &["shop/allow-node-to-web [app=web] <- 10.130.0.2/32 TCP 8080"],
            found: &["remote-node-traffic", "own-node-traffic", "policy-group-label"],
            not_found: &["unattributed-address", "not-expressible", "node-rule-ignored"],
        },
        Row {
            what: "OVN in shared gateway mode: the join address of another node",
            world: web("10.129.0.9")
                .object(&annotated("w1", "10.0.0.11", "", &[("k8s.ovn.org/node-subnets", r#"{"default":"10.129.0.0/23"}"#)]))
                .object(&annotated(
                    "w2",
                    "10.0.0.12",
                    "",
                    &[("k8s.ovn.org/node-gateway-router-lrp-ifaddrs", r#"{"default":{"ipv4":"100.64.0.4/16"}}"#)],
                ))
                .tcp("100.64.0.4", "10.129.0.9", 8080),
            rules: &["shop/allow-node-to-web [app=web] <- 100.64.0.4/32 TCP 8080"],
            found: &["remote-node-traffic"],
            not_found: &["policy-group-label", "node-rule-ignored"],
        },
        Row {
            what: "Antrea: gateways of the node itself and of another",
            world: web("10.10.1.5")
                .object(&annotated("w0", "10.0.0.10", "10.10.0.0/24", &[("node.antrea.io/transport-addresses", "10.9.0.10")]))
                .object(&annotated("w1", "10.0.0.11", "10.10.1.0/24", &[("node.antrea.io/transport-addresses", "10.9.0.11")]))
                .tcp("10.10.1.1", "10.10.1.5", 8080)
                .tcp("10.10.0.1", "10.10.1.5", 8080)
                .tcp("10.10.1.5", "10.9.0.10", 9100),
            rules: &[
                "shop/allow-node-to-web [app=web] <- 10.10.0.1/32 TCP 8080",
                "shop/allow-web-to-node [app=web] -> 10.9.0.10/32 TCP 9100",
            ],
            found: &["remote-node-traffic", "own-node-traffic"],
            not_found: &["own-node-called", "not-expressible"],
        },
        Row {
            what: "Kube-OVN: nodes have addresses of the subnet join",
            world: web("10.16.0.5")
                .object(&annotated("w1", "10.0.0.11", "", &[("ovn.kubernetes.io/ip_address", "100.64.0.3")]))
                .object(&annotated("w2", "10.0.0.12", "", &[("ovn.kubernetes.io/ip_address", "100.64.0.4")]))
                .object("apiVersion: kubeovn.io/v1\nkind: Subnet\nmetadata: {name: ovn-default}\nspec: {cidrBlock: 10.16.0.0/16}")
                .tcp("100.64.0.3", "10.16.0.5", 8080)
                .tcp("100.64.0.4", "10.16.0.5", 8080)
                .tcp("10.16.9.9", "10.16.0.5", 8080),
            rules: &["shop/allow-node-to-web [app=web] <- 100.64.0.4/32 TCP 8080"],
            found: &["remote-node-traffic", "own-node-traffic", "unattributed-address"],
            not_found: &["guessed-ranges"],
        },
        Row {
            what: "the capture begins with UDP of a pod and its node, and the node calls the pod elsewhere: who called is not certain",
            world: web("10.244.1.5")
                .node("w1", "10.0.0.11", &["10.244.1.0/24"])
                .node("w0", "10.0.0.10", &["10.244.0.0/24"])
                .udp("10.244.1.5", "10.0.0.11", 39095)
                .tcp("10.0.0.11", "10.244.1.5", 8080)
                .tcp("10.0.0.10", "10.244.1.5", 8080),
            rules: &["shop/allow-node-to-web [app=web] <- 10.0.0.10/32 TCP 8080"],
            found: &["own-node-traffic", "weak-direction", "remote-node-traffic"],
            not_found: &["own-node-called"],
        },
        Row {
            what: "kube-router, both families: bridges of another node",
            world: web("fd00:1::5")
                .object(&annotated("w0", "10.0.0.10", "", &[("kube-router.io/pod-cidrs", "10.1.0.0/24,fd00:0:0:1::/64")]))
                .object(&annotated("w1", "10.0.0.11", "", &[("kube-router.io/pod-cidrs", "10.1.1.0/24,fd00:1::/64")]))
                .tcp("fd00:0:0:1::1", "fd00:1::5", 8080)
                .tcp("fd00:1::1", "fd00:1::5", 8080),
            rules: &["shop/allow-node-to-web [app=web] <- fd00:0:0:1::1/128 TCP 8080"],
            found: &["remote-node-traffic", "own-node-traffic"],
            not_found: &["unattributed-address"],
        },
        Row {
            what: "kind: hostPort agents on the own node and on another",
            world: web("10.244.1.5")
                .node("w0", "172.18.0.2", &["10.244.0.0/24"])
                .node("w1", "172.18.0.3", &["10.244.1.0/24"])
                .tcp("10.244.1.5", "172.18.0.3", 8126)
                .udp("10.244.1.5", "172.18.0.3", 8125),
            rules: &[
                "shop/allow-web-to-node [app=web] -> 172.18.0.3/32 TCP 8126",
                "shop/allow-web-to-node [app=web] -> 172.18.0.3/32 UDP 8125",
            ],
            found: &["own-node-called"],
            not_found: &["remote-node-traffic", "own-node-traffic"],
        },
    ]);
}

/// kube-dns with its Service at 10.96.0.10, its pod at 10.244.0.2 on `w0`, and `shop/web` at 10.244.1.5 on `w1`.
fn with_resolver() -> World {
    web("10.244.1.5")
        .namespace("kube-system")
        .node("w0", "10.0.0.10", &["10.244.0.0/24"])
        .node("w1", "10.0.0.11", &["10.244.1.0/24"])
        .pod("kube-system", "coredns", "10.244.0.2", "w0", "k8s-app=kube-dns")
        .object("apiVersion: v1\nkind: Service\nmetadata: {name: kube-dns, namespace: kube-system, labels: {k8s-app: kube-dns}}\nspec:\n  clusterIP: 10.96.0.10\n  selector: {k8s-app: kube-dns}\n  ports:\n  - {name: dns, port: 53, protocol: UDP, targetPort: 53}\n  - {name: dns-tcp, port: 53, protocol: TCP, targetPort: 53}")
}

/// NodeLocal DNSCache on `w1`, with these arguments.
fn node_cache(arguments: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: node-local-dns-x, namespace: kube-system, labels: {{k8s-app: node-local-dns}}}}\nspec:\n  nodeName: w1\n  hostNetwork: true\n  containers:\n  - {{name: node-cache, args: [{arguments}]}}\nstatus: {{phase: Running, podIP: 10.0.0.11, hostIP: 10.0.0.11, startTime: \"2026-09-21T10:00:01Z\"}}"
    )
}

#[test]
fn names_are_resolved_where_the_platform_has_its_resolver() {
    let to = |address: &str| {
        web("10.244.1.5").node("w1", "10.0.0.11", &["10.244.1.0/24"]).resolve(
            "10.244.1.5",
            address,
            53,
            "example.com",
            &["203.0.113.9"],
        )
    };
    let kubernetes = "apiVersion: v1\nkind: Service\nmetadata: {name: kubernetes, namespace: default}\nspec: {clusterIP: 172.20.0.1, ports: [{name: https, port: 443}]}";
    check(vec![
        Row {
            what: "NodeLocal DNSCache in iptables mode: the cache answers at the Service's address",
            world: with_resolver().object(&node_cache("\"-localip\", \"169.254.20.10,10.96.0.10\"")).resolve(
                "10.244.1.5",
                "10.96.0.10",
                53,
                "example.com",
                &["203.0.113.9"],
            ),
            rules: &[
                "shop/allow-allpods-to-dns [] -> 10.96.0.10/32 TCP 53",
                "shop/allow-allpods-to-dns [] -> 10.96.0.10/32 UDP 53",
            ],
            found: &[],
            not_found: &["foreign-resolver", "unattributed-address"],
        },
        Row {
            what: "NodeLocal DNSCache in IPVS mode: the Service's address leads to its pods",
            world: with_resolver()
                .object(&node_cache("\"-localip\", \"169.254.20.10\""))
                .resolve("10.244.1.5", "10.96.0.10", 53, "example.com", &["203.0.113.9"])
                .resolve("10.244.1.5", "169.254.20.10", 53, "example.org", &["203.0.113.8"]),
            rules: &[
                "shop/allow-allpods-to-dns [] -> 169.254.20.10/32 TCP 53",
                "shop/allow-allpods-to-dns [] -> 169.254.20.10/32 UDP 53",
                "shop/allow-allpods-to-dns [] -> kube-system [k8s-app=kube-dns] TCP 53",
                "shop/allow-allpods-to-dns [] -> kube-system [k8s-app=kube-dns] UDP 53",
            ],
            found: &[],
            not_found: &["foreign-resolver"],
        },
        Row {
            what: "EKS Auto Mode: a process of the node answers at an address of the Service range",
            world: to("172.20.0.10").object(kubernetes),
            rules: &[
                "shop/allow-allpods-to-dns [] -> 172.20.0.10/32 TCP 53",
                "shop/allow-allpods-to-dns [] -> 172.20.0.10/32 UDP 53",
            ],
            found: &[],
            not_found: &["unattributed-address", "foreign-resolver"],
        },
        Row {
            what: "AKS LocalDNS",
            world: to("169.254.10.11"),
            rules: &[
                "shop/allow-allpods-to-dns [] -> 169.254.10.11/32 TCP 53",
                "shop/allow-allpods-to-dns [] -> 169.254.10.11/32 UDP 53",
            ],
            found: &[],
            not_found: &["foreign-resolver"],
        },
        Row {
            what: "GKE's Cloud DNS is no metadata",
            world: to("169.254.169.254"),
            rules: &[
                "shop/allow-allpods-to-dns [] -> 169.254.169.254/32 TCP 53",
                "shop/allow-allpods-to-dns [] -> 169.254.169.254/32 UDP 53",
            ],
            found: &[],
            not_found: &["metadata-address", "foreign-resolver"],
        },
        Row {
            what: "Azure's DNS is no metadata",
            world: to("168.63.129.16"),
            rules: &[
                "shop/allow-allpods-to-dns [] -> 168.63.129.16/32 TCP 53",
                "shop/allow-allpods-to-dns [] -> 168.63.129.16/32 UDP 53",
            ],
            found: &[],
            not_found: &["metadata-address", "foreign-resolver"],
        },
    ]);
}

/// A node of a cloud.
fn cloud_node(address: &str, pod_range: &str, id: &str) -> String {
    let range = if pod_range.is_empty() { String::new() } else { format!("podCIDR: {pod_range}, ") };
    format!(
        "apiVersion: v1\nkind: Node\nmetadata: {{name: w1}}\nspec: {{{range}providerID: \"{id}\"}}\nstatus: {{addresses: [{{type: InternalIP, address: {address}}}]}}"
    )
}

#[test]
fn what_is_no_pod_of_the_cluster_is_outside() {
    let plain = || web("10.244.1.5").node("w1", "10.0.0.11", &["10.244.1.0/24"]);
    check(vec![
        Row {
            what: "EKS: a database in the pods' subnet that nobody asked for by name",
            world: web("10.0.32.20")
                .object(&cloud_node("10.0.1.10", "", "aws:///eu-west-1a/i-1"))
                .tcp("10.0.32.20", "10.0.32.200", 5432),
            rules: &["shop/allow-web-to-10-0-32-200 [app=web] -> 10.0.32.200/32 TCP 5432"],
            found: &[],
            not_found: &["unattributed-address", "guessed-ranges"],
        },
        Row {
            what: "a guessed range, and a database in it with a name",
            world: World::default()
                .namespace("shop")
                .object("apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: shop, labels: {app: web}}\nspec: {nodeName: w1, dnsConfig: {nameservers: [203.0.113.53]}, containers: [{name: main}]}\nstatus: {phase: Running, podIP: 10.0.32.20, startTime: \"2026-09-21T10:00:01Z\"}")
                .node("w1", "10.0.1.10", &[])
                .resolve("10.0.32.20", "203.0.113.53", 53, "db.example.com", &["10.0.32.200"])
                .tcp("10.0.32.20", "10.0.32.200", 5432)
                .tcp("10.0.32.20", "10.0.32.201", 5432),
            rules: &[
                "shop/allow-web-to-203-0-113-53 [app=web] -> 203.0.113.53/32 UDP 53",
                "shop/allow-web-to-db-example-com [app=web] -> 10.0.32.200/32 TCP 5432",
            ],
            found: &["guessed-ranges", "unattributed-address"],
            not_found: &[],
        },
        Row {
            what: "an endpoint that is no pod, inside the pod range",
            world: plain()
                .object("apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: db-1, namespace: shop, labels: {kubernetes.io/service-name: db}}\nendpoints: [{addresses: [10.244.1.200]}]\nports: [{port: 5432, protocol: TCP}]")
                .object("apiVersion: v1\nkind: Service\nmetadata: {name: db, namespace: shop}\nspec: {clusterIP: 10.96.0.7, ports: [{port: 5432}]}")
                .tcp("10.244.1.5", "10.244.1.200", 5432),
            rules: &["shop/allow-web-to-db [app=web] -> 10.244.1.200/32 TCP 5432"],
            found: &[],
            not_found: &["unattributed-address"],
        },
        Row {
            what: "AKS: addresses of a virtual network, and of another machine in it",
            world: web("10.241.0.5")
                .object(&cloud_node("10.240.0.4", "", "azure:///subscriptions/x"))
                .object("apiVersion: acn.azure.com/v1alpha\nkind: NodeNetworkConfig\nmetadata: {name: w1, namespace: kube-system}\nstatus: {networkContainers: [{type: vnet, subnetAddressSpace: 10.241.0.0/16, ipAssignments: [{ip: 10.241.0.5}, {ip: 10.241.0.6}]}]}")
                .tcp("10.241.0.5", "10.241.0.99", 443)
                .tcp("10.241.0.5", "10.241.0.6", 443),
            rules: &["shop/allow-web-to-10-241-0-99 [app=web] -> 10.241.0.99/32 TCP 443"],
            found: &["unattributed-address"],
            not_found: &["guessed-ranges"],
        },
        Row {
            what: "another cluster's pod behind a Service of both",
            world: plain()
                .object("apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: api-far, namespace: shop, labels: {kubernetes.io/service-name: api, multicluster.kubernetes.io/source-cluster: far}}\nendpoints: [{addresses: [10.2.1.5], targetRef: {kind: Pod, name: api-0, namespace: shop}}]\nports: [{port: 8080, protocol: TCP}]")
                .object("apiVersion: v1\nkind: Service\nmetadata: {name: api, namespace: shop}\nspec: {clusterIP: 10.96.0.8, selector: {app: api}, ports: [{port: 8080}]}")
                .tcp("10.244.1.5", "10.2.1.5", 8080),
            rules: &["shop/allow-web-to-api [app=web] -> 10.2.1.5/32 TCP 8080"],
            found: &[],
            not_found: &["unattributed-address"],
        },
        Row {
            what: "OVN's own addresses are no metadata: a pod through its own Service, the node in another guise",
            world: web("10.244.1.5")
                .object(&annotated("w1", "10.0.0.11", "", &[("k8s.ovn.org/node-subnets", r#"{"default":["10.244.1.0/24"]}"#)]))
                .tcp("169.254.169.5", "10.244.1.5", 8080)
                .tcp("169.254.169.2", "10.244.1.5", 8080)
                .tcp("10.244.1.5", "203.0.113.9", 443),
            rules: &["shop/allow-web-to-203-0-113-9 [app=web] -> 203.0.113.9/32 TCP 443"],
            found: &["hairpin", "own-node-traffic"],
            not_found: &["metadata-address"],
        },
        Row {
            what: "AWS's clock is no metadata",
            world: plain().udp("10.244.1.5", "169.254.169.123", 123),
            rules: &["shop/allow-web-to-169-254-169-123 [app=web] -> 169.254.169.123/32 UDP 123"],
            found: &[],
            not_found: &["metadata-address"],
        },
    ]);
}

#[test]
fn credentials_are_named_with_their_cloud() {
    let rows = [
        ("169.254.169.254", 80, "aws:///eu-west-1a/i-1", "169.254.169.254 of AWS on TCP 80"),
        ("169.254.169.254", 8080, "gce://project/zone/node", "169.254.169.254 of Google Cloud on TCP 8080"),
        ("169.254.169.254", 80, "kind://docker/kind/w1", "169.254.169.254 on TCP 80"),
        ("169.254.169.252", 988, "", "169.254.169.252 of Google Cloud on TCP 988"),
        ("168.63.129.16", 32526, "", "168.63.129.16 of Azure on TCP 32526"),
        ("169.254.170.23", 80, "", "169.254.170.23 of AWS on TCP 80"),
        ("169.254.0.23", 80, "", "169.254.0.23 of Tencent Cloud on TCP 80"),
        ("169.254.42.42", 80, "", "169.254.42.42 of Scaleway on TCP 80"),
        ("100.100.100.200", 80, "", "100.100.100.200 of Alibaba Cloud on TCP 80"),
    ];
    for (address, port, id, expected) in rows {
        let world = web("10.244.1.5").object(&cloud_node("10.0.0.11", "10.244.1.0/24", id)).tcp("10.244.1.5", address, port);
        let found = world.learn(&[]).findings("metadata-address").join("\n");
        assert!(found.contains(expected), "{expected}: {found}");
    }
    // A link-local address of IPv6, which otherwise is the node's own.
    let world = web("fd00:1::5").node("w1", "fd00::11", &["fd00:1::/64"]).tcp("fd00:1::5", "fe80::a9fe:a9fe", 80);
    assert!(world.learn(&[]).findings("metadata-address").join("\n").contains("of OpenStack"));
}
