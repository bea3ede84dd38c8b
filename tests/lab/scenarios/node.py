"""node: what is not pod-to-pod. And node-snat: the same NodePort call seen from the pod only, where the caller is hidden.

Namespace ops on node-1, recorded on the node's `any`; everything the scenario's list names happens a few times. `monitoring` holds
the hostNetwork exporter. Names are asked of NodeLocal DNS at 169.254.20.10, by some also of kube-dns itself.
"""

from cluster import ServicePort
from lab import DNS, Lab
from programs import api, dnsmasq, fetch, nginx, tls
from tap import recording

NODE_LOCAL = "169.254.20.10"
METADATA = "169.254.169.254"
USER = "198.51.100.7"
EXPORTER = 9100


def exporter(lab):
    """A hostNetwork DaemonSet on the two workers, listening at their own addresses."""
    cluster = lab.cluster
    cluster.namespace("monitoring")
    made = cluster.workload("DaemonSet", "monitoring", "node-exporter", {"app": "node-exporter"}, [("metrics", EXPORTER, "TCP")],
                            "quay.io/prometheus/node-exporter:v1.9.1", host_network=True)
    for name in ("node-1", "node-2"):
        host = lab.nodes[name]
        cluster.pod(made, name, host.addresses)
        api(host, EXPORTER)


def ops(lab):
    """web behind a NodePort (Service 80 -> container 8080) and monitor, which scrapes it."""
    cluster = lab.cluster
    cluster.namespace("ops")
    image = "registry.example.com/ops/{}:1.0".format
    web = cluster.workload("Deployment", "ops", "web", {"app": "web"}, [("http", 8080, "TCP")], image("web"))
    monitor = cluster.workload("Deployment", "ops", "monitor", {"app": "monitor"}, [("http", 9090, "TCP")], image("monitor"))
    cluster.service("ops", "web", {"app": "web"}, [ServicePort(80, 8080, name="http", node_port=30080)], ["10.96.180.3"], kind="NodePort")
    cluster.service("ops", "monitor", {"app": "monitor"}, [ServicePort(9090, 9090)], ["10.96.61.9"])
    first, second = lab.run_pod(web, "node-1", 10), lab.run_pod(monitor, "node-1", 11)
    nginx(first, 8080, "web")
    api(second, 9090)
    return first, second


def node(folder):
    with Lab(live=("control-plane", "node-1", "node-2")) as lab:
        cluster, here, there = lab.cluster, lab.nodes["node-1"], lab.nodes["node-2"]
        lab.join(here, there)
        web, monitor = ops(lab)
        exporter(lab)
        operator, agent = (
            lab.run_pod(cluster.workload(kind, "ops", name, {"app": name}, (), f"registry.example.com/ops/{name}:1.0"), "node-1", last)
            for kind, name, last in (("Deployment", "operator", 12), ("DaemonSet", "cloud-agent", 13))
        )
        user = lab.outside("user", [USER])
        tls(lab.nodes["control-plane"], 6443)
        resolver = lab.start_dns({"metadata.google.internal": [METADATA]})
        here.ip(f"addr add {NODE_LOCAL}/32 dev lo scope host", f"addr add {METADATA}/32 dev lo scope host")
        dnsmasq(here, {}, listen=[NODE_LOCAL], upstream=resolver.addresses[0])
        nginx(here, 80, "ami-id")
        for host in (web, monitor, operator, agent):
            lab.resolve(host, "ops", NODE_LOCAL)
        lab.translate()
        probe = ("-A", "kube-probe/1.34")
        with recording(folder / "node.pcap", [(here, "any")]):
            for _ in range(2):
                fetch(here, f"http://{web.addresses[0]}:8080/healthz", *probe)
                fetch(here, f"http://{monitor.addresses[0]}:9090/healthz", *probe)
                fetch(monitor, "http://web/metrics")
                fetch(monitor, f"http://{here.addresses[0]}:{EXPORTER}/metrics")
                fetch(monitor, f"http://{there.addresses[0]}:{EXPORTER}/metrics")
                fetch(there, f"http://{monitor.addresses[0]}:9090/targets")
                fetch(operator, "https://kubernetes.default/version", "-k")
                fetch(agent, "http://metadata.google.internal/latest/meta-data/ami-id")
                fetch(user, f"http://{here.addresses[0]}:30080/")
                web.run("getent", "ahostsv4", "monitor")
            operator.run("dig", f"@{DNS}", "+short", "kubernetes.default.svc.cluster.local")
            monitor.run("dig", f"@{DNS}", "+tcp", "+short", "web.ops.svc.cluster.local")
            web.run("ping", "-c", "2", "-i", "0.2", monitor.addresses[0])
            monitor.run("dig", "@224.0.0.251", "-p", "5353", "+tries=1", "+time=1", "_services._dns-sd._udp.local", "PTR", fails=True)
        lab.write_inventory(folder / "node.yaml")


def node_snat(folder):
    with Lab() as lab:
        web, monitor = ops(lab)
        user = lab.outside("user", [USER])
        lab.translate()
        with recording(folder / "node-snat.pcap", [(web, "eth0")]):
            fetch(monitor, "http://10.96.180.3/metrics")
            fetch(user, f"http://{lab.nodes['node-1'].addresses[0]}:30080/")
            fetch(user, f"http://{lab.nodes['node-1'].addresses[0]}:30080/")
        lab.write_inventory(folder / "node-snat.yaml")


RECORDINGS = {"node": node, "node-snat": node_snat}
