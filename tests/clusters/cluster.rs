//! A cluster drawn at random: nodes, namespaces, what runs there. Objects of the API, with the facts that traffic is made of.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::{Map, Value, json};

use crate::random::Random;
use crate::{owners, services};

/// When the captures begin: 2026-09-21T14:13:20Z, in nanoseconds.
pub const BEGIN: i64 = 1_790_000_000_000_000_000;
pub const SECOND: i64 = 1_000_000_000;

/// Where pod ranges and the addresses of nodes' devices are written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeSource {
    Nodes,
    Nowhere,
    Calico,
    Flannel,
    Ovn,
    Cilium,
    OpenShift,
}

#[derive(Clone, Debug)]
pub struct Node {
    pub name: String,
    pub addresses: Vec<IpAddr>,
    /// Addresses of its devices in the pod ranges, of either family.
    pub devices: Vec<IpAddr>,
    next_host: u16,
}

#[derive(Clone, Debug)]
pub struct Pod {
    pub namespace: String,
    pub name: String,
    pub node: usize,
    pub addresses: Vec<IpAddr>,
    pub is_on_host_network: bool,
    pub labels: Map<String, Value>,
    /// Protocol and number of what it listens on.
    pub ports: Vec<(&'static str, u16)>,
    /// Whether its containers declare these ports, with names.
    pub is_declaring: bool,
    /// When it runs, in nanoseconds.
    pub from: i64,
    pub until: i64,
}

/// A Service as callers see it.
#[derive(Clone, Debug)]
pub struct Service {
    pub addresses: Vec<IpAddr>,
    /// Protocol, port, node port, and the port of each pod behind it.
    pub ports: Vec<ServicePort>,
}

#[derive(Clone, Debug)]
pub struct ServicePort {
    pub protocol: &'static str,
    pub port: u16,
    pub node_port: Option<u16>,
    /// Positions of pods, with the port there.
    pub backends: Vec<(usize, u16)>,
}

#[derive(Clone, Debug, Default)]
pub struct Cluster {
    pub objects: Vec<Value>,
    pub nodes: Vec<Node>,
    pub namespaces: Vec<String>,
    pub pods: Vec<Pod>,
    pub services: Vec<Service>,
    pub has_v4: bool,
    pub has_v6: bool,
    pub api_server: Vec<IpAddr>,
    /// Positions of the pods that resolve names, their port and the Service in front of them.
    pub resolver_pods: Vec<usize>,
    pub resolver_port: u16,
    pub resolver_addresses: Vec<IpAddr>,
    /// The protocols of that Service's port 53; another is refused there.
    pub resolver_protocols: &'static [&'static str],
    next_uid: u32,
    next_service: u16,
}

impl Cluster {
    pub fn draw(random: &mut Random) -> Self {
        let family = random.below(10);
        let mut cluster = Self { has_v4: family < 9, has_v6: family >= 6, ..Self::default() };
        cluster.draw_nodes(random);
        cluster.draw_namespaces(random);
        cluster.draw_api_server(random);
        cluster.draw_resolver(random);
        for _ in 0..random.between(2, 8) {
            owners::draw(&mut cluster, random);
        }
        for _ in 0..random.between(1, 6) {
            services::draw(&mut cluster, random);
        }
        if random.chance(25) {
            services::draw_existing_policy(&mut cluster, random);
        }
        if random.chance(20) {
            cluster.draw_odd_objects(random);
        }
        random.shuffle(&mut cluster.objects);
        cluster
    }

    pub fn uid(&mut self) -> String {
        self.next_uid += 1;
        format!("00000000-0000-4000-8000-{:012x}", self.next_uid)
    }

    /// An address of each family in use from the Service ranges.
    pub fn service_addresses(&mut self) -> Vec<IpAddr> {
        self.next_service += 1;
        let number = self.next_service;
        let v4 = self.has_v4.then(|| Ipv4Addr::new(10, 96, 0, u8::try_from(number).unwrap()).into());
        let v6 = self.has_v6.then(|| Ipv6Addr::new(0xfd00, 0x10, 0x96, 0, 0, 0, 0, number).into());
        v4.into_iter().chain(v6).collect()
    }

    /// Addresses of the families in use for a pod of a node.
    pub fn pod_addresses(&mut self, node: usize) -> Vec<IpAddr> {
        let host = &mut self.nodes[node].next_host;
        *host += 1;
        let host = *host;
        self.addresses_in(node, host)
    }

    fn addresses_in(&self, node: usize, host: u16) -> Vec<IpAddr> {
        let v4 = self.has_v4.then(|| Ipv4Addr::new(10, 244, u8::try_from(node).unwrap(), u8::try_from(host).unwrap()).into());
        let v6 = self.has_v6.then(|| Ipv6Addr::new(0xfd00, 0x10, 0x244, u16::try_from(node).unwrap(), 0, 0, 0, host).into());
        v4.into_iter().chain(v6).collect()
    }

    fn draw_nodes(&mut self, random: &mut Random) {
        let sources = [
            RangeSource::Nodes,
            RangeSource::Nodes,
            RangeSource::Nowhere,
            RangeSource::Calico,
            RangeSource::Flannel,
            RangeSource::Ovn,
            RangeSource::Cilium,
            RangeSource::OpenShift,
        ];
        let source = *random.pick(&sources);
        let is_public = random.chance(10);
        for number in 0..random.between(1, 4) {
            let host = 10 + u8::try_from(number).unwrap();
            let v4 = if is_public { Ipv4Addr::new(198, 18, 7, host) } else { Ipv4Addr::new(192, 168, 1, host) };
            let v6 = Ipv6Addr::new(0xfd00, 0x192, 0x168, 0, 0, 0, 0, host.into());
            let mut addresses: Vec<IpAddr> = Vec::new();
            if self.has_v4 || random.chance(50) {
                addresses.push(v4.into());
            }
            if self.has_v6 {
                addresses.push(v6.into());
            }
            let name = format!("node-{number}");
            self.nodes.push(Node { name: name.clone(), addresses: addresses.clone(), devices: Vec::new(), next_host: 9 });
            let devices: Vec<IpAddr> = (0..3).flat_map(|host| self.addresses_in(number, host)).collect();
            self.nodes[number].devices = devices;
            let ranges: Vec<String> = self
                .addresses_in(number, 0)
                .iter()
                .map(|address| match address {
                    IpAddr::V4(_) => format!("{address}/24"),
                    IpAddr::V6(_) => format!("{address}/64"),
                })
                .collect();
            let mut spec = Map::new();
            if matches!(source, RangeSource::Nodes | RangeSource::Flannel) {
                spec.insert("podCIDR".into(), json!(ranges[0]));
                if ranges.len() > 1 || random.chance(50) {
                    spec.insert("podCIDRs".into(), json!(ranges));
                }
            }
            let annotations = match source {
                RangeSource::Calico => json!({
                    "projectcalico.org/IPv4Address": format!("{v4}/24"),
                    "projectcalico.org/IPv4IPIPTunnelAddr": format!("10.244.{number}.1"),
                }),
                RangeSource::Flannel => json!({
                    "flannel.alpha.coreos.com/public-ip": v4.to_string(),
                    "flannel.alpha.coreos.com/backend-type": "vxlan",
                }),
                RangeSource::Ovn => json!({
                    "k8s.ovn.org/node-subnets": json!({"default": ranges}).to_string(),
                    "k8s.ovn.org/node-gateway-router-lrp-ifaddrs": json!({"default": {"ipv4": format!("100.64.0.{}/16", number + 2)}}).to_string(),
                }),
                _ => json!({}),
            };
            match source {
                RangeSource::Cilium => {
                    let inside = self.nodes[number].devices.iter().skip(1).take(1);
                    let inside = inside.map(|address| json!({"type": "CiliumInternalIP", "ip": address.to_string()}));
                    let own = addresses.iter().map(|address| json!({"type": "InternalIP", "ip": address.to_string()}));
                    let all: Vec<Value> = own.chain(inside).collect();
                    self.objects.push(json!({"apiVersion": "cilium.io/v2", "kind": "CiliumNode", "metadata": {"name": name},
                        "spec": {"addresses": all, "ipam": {"podCIDRs": ranges}}}));
                }
                RangeSource::OpenShift if number == 0 => {
                    self.objects.push(json!({"apiVersion": "config.openshift.io/v1", "kind": "Network",
                        "metadata": {"name": "cluster"}, "status": {"clusterNetwork": [{"cidr": "10.244.0.0/16", "hostPrefix": 24}],
                            "serviceNetwork": ["10.96.0.0/16"]}}));
                }
                RangeSource::Calico if number == 0 => {
                    self.objects.push(json!({"apiVersion": "crd.projectcalico.org/v1", "kind": "IPPool",
                        "metadata": {"name": "default-ipv4-ippool"}, "spec": {"cidr": "10.244.0.0/16", "ipipMode": "Always"}}));
                }
                _ => {}
            }
            if random.chance(95) {
                let addresses: Vec<Value> =
                    addresses.iter().map(|address| json!({"type": "InternalIP", "address": address.to_string()})).collect();
                self.objects.push(json!({"apiVersion": "v1", "kind": "Node",
                    "metadata": {"name": name, "annotations": annotations}, "spec": spec, "status": {"addresses": addresses}}));
            }
        }
        if random.chance(30) {
            let mut ranges = Vec::new();
            if self.has_v4 {
                ranges.push("10.96.0.0/16");
            }
            if self.has_v6 {
                ranges.push("fd00:10:96::/112");
            }
            self.objects.push(json!({"apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR",
                "metadata": {"name": "kubernetes"}, "spec": {"cidrs": ranges}}));
        }
    }

    fn draw_namespaces(&mut self, random: &mut Random) {
        let mut names = vec!["shop", "prod", "team-a", "openshift-dns", "kube-system", "data"];
        random.shuffle(&mut names);
        names.truncate(random.between(2, 4));
        for name in names {
            self.namespaces.push(name.to_owned());
            let labels = match random.below(20) {
                0..15 => json!({"kubernetes.io/metadata.name": name, "team": "a"}),
                15 => json!({"team": "a"}),
                16 => json!({}),
                _ => continue,
            };
            self.objects.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}));
        }
    }

    fn draw_api_server(&mut self, random: &mut Random) {
        let is_managed = random.chance(30);
        let count = random.between(1, 2);
        for number in 0..count {
            let own = self.nodes.get(number).and_then(|node| node.addresses.first());
            let address = match own {
                Some(address) if !is_managed => *address,
                _ if self.has_v4 => Ipv4Addr::new(172, 31, 0, 5 + u8::try_from(number).unwrap()).into(),
                _ => Ipv6Addr::new(0xfd00, 0x172, 0, 0, 0, 0, 0, 5 + u16::try_from(number).unwrap()).into(),
            };
            self.api_server.push(address);
        }
        if random.chance(85) {
            let addresses = self.service_addresses();
            let cluster_addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            self.objects.push(json!({"apiVersion": "v1", "kind": "Service",
                "metadata": {"namespace": "default", "name": "kubernetes"},
                "spec": {"clusterIP": cluster_addresses[0], "clusterIPs": cluster_addresses,
                    "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}]}}));
            let endpoints: Vec<Value> =
                self.api_server.iter().map(|address| json!({"addresses": [address.to_string()]})).collect();
            let family = if self.api_server[0].is_ipv4() { "IPv4" } else { "IPv6" };
            self.objects.push(json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": family,
                "metadata": {"namespace": "default", "name": "kubernetes", "labels": {"kubernetes.io/service-name": "kubernetes"}},
                "endpoints": endpoints, "ports": [{"name": "https", "port": 6443, "protocol": "TCP"}]}));
        }
    }

    /// Objects that cannot be read, that say nothing, or that are there twice.
    fn draw_odd_objects(&mut self, random: &mut Random) {
        let namespace = self.namespaces[0].clone();
        let odd = [
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": namespace, "name": "pending", "labels": {"app": "web0"}},
                "spec": {"containers": [{"name": "main"}]}, "status": {"phase": "Pending"}}),
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": namespace, "name": "wrong"}, "status": {"podIP": "10.244.0.999"}}),
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": namespace, "name": "wrong"}, "spec": {"ports": "80"}}),
            json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-9"}, "spec": {"podCIDR": "here"}, "status": {"addresses": [5]}}),
            json!({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "thing"}}),
            json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"namespace": namespace, "name": "wrong"},
                "spec": {"podSelector": {}, "ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/40"}}]}]}}),
            json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"namespace": namespace, "name": "web0"},
                "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web0"}, "minReplicas": 1, "maxReplicas": 3}}),
            json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": {"name": "hook"},
                "webhooks": [{"name": "hook.example.com", "clientConfig": {"service": {"namespace": namespace, "name": "svc1", "port": 443}}}]}),
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "empty"}}),
        ];
        for _ in 0..random.between(1, 4) {
            let object = random.pick(&odd).clone();
            self.objects.push(object);
        }
        let twice = random.pick(&self.objects).clone();
        self.objects.push(twice);
    }

    /// A resolver as clusters have it: in kube-system, or in a namespace that is learned.
    fn draw_resolver(&mut self, random: &mut Random) {
        if random.chance(10) {
            return;
        }
        let (namespace, name, port, labels) = if random.chance(50) {
            ("kube-system", "kube-dns", 53, json!({"k8s-app": "kube-dns"}))
        } else {
            ("openshift-dns", "dns-default", 5353, json!({"dns.operator.openshift.io/daemonset-dns": "default"}))
        };
        if !self.namespaces.iter().any(|known| known == namespace) {
            self.namespaces.push(namespace.to_owned());
        }
        let labels = labels.as_object().unwrap().clone();
        let first = self.pods.len();
        let names = [("UDP", port), ("TCP", port)];
        for number in 0..random.between(1, 2) {
            let owner = ("apps/v1", "DaemonSet", name.to_owned());
            owners::add_pod(self, random, namespace, &format!("{name}-x{number}"), &labels, Some(&owner), &names);
        }
        self.objects
            .push(json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"namespace": namespace, "name": name},
            "spec": {"selector": {"matchLabels": labels}}}));
        self.resolver_pods = (first..self.pods.len()).collect();
        self.resolver_port = port;
        let addresses = self.service_addresses();
        let cluster_addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        let declared: &[&str] = if random.chance(80) { &["UDP", "TCP"] } else { &["UDP"] };
        self.resolver_protocols = declared;
        let ports: Vec<Value> = declared
            .iter()
            .map(|protocol| json!({"name": format!("dns-{}", protocol.to_lowercase()), "port": 53, "protocol": protocol, "targetPort": port}))
            .collect();
        let backends: Vec<(usize, u16)> = self.resolver_pods.iter().map(|pod| (*pod, port)).collect();
        self.objects.push(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": namespace, "name": name,
                "labels": {"k8s-app": "kube-dns"}},
            "spec": {"clusterIP": cluster_addresses[0], "clusterIPs": cluster_addresses, "selector": labels, "ports": ports}}));
        self.resolver_addresses.clone_from(&addresses);
        let ports = declared
            .iter()
            .map(|protocol| ServicePort { protocol, port: 53, node_port: None, backends: backends.clone() })
            .collect();
        self.services.push(Service { addresses, ports });
        if random.chance(15) {
            let labels = json!({"k8s-app": "node-local-dns"}).as_object().unwrap().clone();
            let owner = ("apps/v1", "DaemonSet", "node-local-dns".to_owned());
            owners::add_host_pod(self, random, "kube-system", "node-local-dns-a", &labels, Some(&owner));
        }
    }
}
