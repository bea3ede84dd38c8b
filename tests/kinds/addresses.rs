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
