"""selectors: workloads whose own selector is not enough to tell them apart.

shop and shop-canary share `app: shop`; only the canary has a `track`. worker's selector also hits worker-fast; their `queue` differs.
store wears Helm's labels, some of which change with every release. debug is a bare pod. Services are called at their addresses.
"""

from cluster import ServicePort
from lab import Lab
from programs import api, fetch
from tap import recording


def selectors(folder):
    with Lab() as lab:
        cluster = lab.cluster
        cluster.namespace("prod")
        image = "registry.example.com/shop/{}:1.0".format
        http = [("http", 8080, "TCP")]
        helm = {"app.kubernetes.io/instance": "prod", "app.kubernetes.io/name": "store"}

        def workload(kind, name, labels, selector, ports=()):
            return cluster.workload(kind, "prod", name, labels, ports, image(name), selector=selector)

        shop = workload("Deployment", "shop", {"app": "shop"}, {"app": "shop"}, http)
        canary = workload("Deployment", "shop-canary", {"app": "shop", "track": "canary"}, {"app": "shop", "track": "canary"}, http)
        worker = workload("Deployment", "worker", {"app": "worker", "queue": "slow"}, {"app": "worker"})
        fast = workload("Deployment", "worker-fast", {"app": "worker", "queue": "fast"}, {"app": "worker", "queue": "fast"})
        store = workload("StatefulSet", "store", {**helm, "app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/version": "7.2.4",
                                                  "helm.sh/chart": "store-19.1.0"}, helm, http)
        debug = workload("Pod", "debug", {"run": "debug"}, {})
        hosts = {w.name: lab.run_pod(w, "node-1", 20 + n) for n, w in enumerate([shop, canary, worker, fast, store, debug])}
        cluster.service("prod", "shop", {"app": "shop"}, [ServicePort(80, "http", name="http")], ["10.96.90.1"])
        cluster.service("prod", "store", helm, [ServicePort(8080, "http", name="http")], ["10.96.90.2"])
        for name in ("shop", "shop-canary", "store"):
            api(hosts[name], 8080)
        lab.translate()
        with recording(folder / "selectors.pcap", [(lab.nodes["node-1"], "any")]):
            for _ in range(2):
                fetch(hosts["worker"], "http://10.96.90.2:8080/")
                fetch(hosts["shop"], "http://10.96.90.2:8080/")
                fetch(hosts["worker-fast"], f"http://{hosts['shop-canary'].addresses[0]}:8080/")
                fetch(hosts["debug"], f"http://{hosts['shop'].addresses[0]}:8080/")
        lab.write_inventory(folder / "selectors.yaml")


RECORDINGS = {"selectors": selectors}
