"""A cluster that exists twice: as objects (for the inventory) and as running namespaces (for the packets).

In: a scenario's calls (`workload`, `pod`, `service`, ...). Out: both kept in step, the Service translation renewed when pods change.
"""

import json
import time

import objects
import programs
import proxy
import yamltext
from cluster import Cluster, Node, ServicePort
from topology import Network, family_of

NODES = {
    "control-plane": (["10.0.0.10", "fd00:10::10"], ["10.244.0.0/24", "fd00:10:244::/64"]),
    "node-1": (["10.0.0.11", "fd00:10::11"], ["10.244.1.0/24", "fd00:10:244:1::/64"]),
    "node-2": (["10.0.0.12", "fd00:10::12"], ["10.244.2.0/24", "fd00:10:244:2::/64"]),
}
DNS = "10.96.0.10"
API_SERVER = "10.0.0.10"


class Lab(Network):
    """`live` names the nodes whose network is really built; the inventory has all three."""

    def __init__(self, live=("node-1",), families=(4,), bridge=False):
        super().__init__(families)
        self.live, self.bridged = live, bridge
        self.nodes = {}
        self.cluster = Cluster(time.time())

    def own(self, addresses):
        return [a for a in addresses if (6 if ":" in a else 4) in self.families]

    def __enter__(self):
        super().__enter__()
        try:
            for name, (addresses, ranges) in NODES.items():
                addresses, ranges = self.own(addresses), self.own(ranges)
                self.cluster.nodes.append(Node(name, addresses, ranges, name == "control-plane"))
                if name in self.live:
                    self.nodes[name] = self.node(name, addresses, ranges, self.bridged)
            self.system()
        except BaseException:
            self.__exit__()
            raise
        return self

    def system(self):
        """What every cluster has: the API server, kube-proxy, CoreDNS and their Services."""
        cluster = self.cluster
        server = cluster.workload("Node", "kube-system", "kube-apiserver", {"component": "kube-apiserver", "tier": "control-plane"},
                                  [("https", 6443, "TCP")], "registry.k8s.io/kube-apiserver:v1.34.2", host_network=True)
        cluster.pod(server, "control-plane", self.own(NODES["control-plane"][0]))
        kube_proxy = cluster.workload("DaemonSet", "kube-system", "kube-proxy", {"k8s-app": "kube-proxy"}, (),
                                      "registry.k8s.io/kube-proxy:v1.34.2", host_network=True)
        for name, (addresses, _) in NODES.items():
            cluster.pod(kube_proxy, name, self.own(addresses))
        self.coredns = cluster.workload("Deployment", "kube-system", "coredns", {"k8s-app": "kube-dns"},
                                        [("dns", 53, "UDP"), ("dns-tcp", 53, "TCP"), ("metrics", 9153, "TCP")],
                                        "registry.k8s.io/coredns/coredns:v1.12.1")
        self.resolver = cluster.pod(self.coredns, "node-1", self.own(["10.244.1.2", "fd00:10:244:1::2"]))
        cluster.service("default", "kubernetes", {}, [ServicePort(443, 6443, name="https")], ["10.96.0.1"],
                        fixed=[(API_SERVER, 6443)])
        cluster.service("kube-system", "kube-dns", {"k8s-app": "kube-dns"},
                        [ServicePort(53, 53, "UDP", "dns"), ServicePort(53, 53, "TCP", "dns-tcp"),
                         ServicePort(9153, 9153, "TCP", "metrics")], self.own([DNS, "fd00:10:96::a"]))

    def start_dns(self, outside_names=()):
        """Run CoreDNS's stand-in: every Service under its cluster name, and the outside names given."""
        names = {f"{s.name}.{s.namespace}.svc.cluster.local": s.cluster_ips for s in self.cluster.services if s.cluster_ips != ["None"]}
        host = self.pod_host(self.resolver)
        programs.dnsmasq(host, {**names, **dict(outside_names)})
        return host

    def pod_host(self, pod):
        return self.pod(f"{pod.workload.namespace}-{pod.name}"[-48:], self.nodes[pod.node], pod.addresses)

    def run_pod(self, workload, node, last, started=None, job=None):
        """A pod as object and as namespace; `last` is the end of its address (both families)."""
        addresses = self.own([f"10.244.{node[-1]}.{last}", f"fd00:10:244:{node[-1]}::{last:x}"])
        pod = self.cluster.pod(workload, node, addresses, started, job)
        host = self.pod_host(pod)
        host.pod = pod
        self.resolve(host, workload.namespace)
        return host

    def resolve(self, host, namespace, server=DNS):
        """The pod's resolv.conf as the kubelet writes it."""
        host.etc("resolv.conf", f"search {namespace}.svc.cluster.local svc.cluster.local cluster.local\nnameserver {server}\n"
                                "options ndots:5\n")

    def name_hosts(self, host, names):
        """The pod's /etc/hosts."""
        rows = [f"{address} {name}" for name, addresses in names.items()
                for address in ([addresses] if isinstance(addresses, str) else addresses)]
        host.etc("hosts", "\n".join(["127.0.0.1 localhost", *rows]) + "\n")

    def translate(self):
        """Put the Service translation in place on every live node, as kube-proxy does on every change."""
        ranges = [r for n in self.cluster.nodes for r in n.pod_ranges]
        self.cluster.now = time.time()
        for name, host in self.nodes.items():
            host.nft(proxy.ruleset(self.cluster, name, host.addresses, ranges))

    def balancer(self, addresses, node):
        """The load balancer's addresses lead to this node."""
        for address in addresses:
            family = family_of(address)
            via = next(a for a in self.nodes[node].addresses if family_of(a) == family)
            self.world.ip(f"route add {address} via {via}")

    def write_inventory(self, path, at=None):
        """As YAML, or as JSON where the file is named so."""
        listed = objects.inventory(self.cluster, at or time.time())
        path.write_text(json.dumps(listed, indent=4, sort_keys=True) + "\n" if path.suffix == ".json" else yamltext.text(listed))
