"""shop: users -> web -> api -> db, with its neighbours and its backup server.

Namespace prod. Users reach web through a load balancer's address (externalTrafficPolicy Local: they keep their own). web calls
api and api calls db through Service addresses found in /etc/hosts. Nothing else talks.
"""

import time

import formats
from cluster import ServicePort
from lab import Lab
from programs import api, database, fetch, nginx, query
from tap import recording

USERS = ["198.51.100.7", "198.51.100.23", "203.0.113.50"]
BALANCER = "192.0.2.80"
BACKUP = "192.168.5.10"


class Shop:
    """The three tiers of one namespace, running. `base` is the last part of its first pod address."""

    def __init__(self, lab, namespace="prod", base=10, addresses=("10.96.201.7", "10.96.87.14", "10.96.143.20"), web=True, node="node-1",
                 api_node="node-1"):
        self.lab, self.namespace = lab, namespace
        cluster = lab.cluster
        cluster.namespace(namespace)
        web_ip, api_ip, db_ip = ([a] if isinstance(a, str) else a for a in addresses)
        self.api_ip, self.db_ip = api_ip, db_ip
        db = cluster.workload("StatefulSet", namespace, "db", {"role": "db"}, [("mysql", 3306, "TCP")], "docker.io/library/mariadb:10.11")
        cluster.service(namespace, "db", {"role": "db"}, [ServicePort(3306, 3306, name="mysql")], db_ip)
        middle = cluster.workload("Deployment", namespace, "api", {"name": "api-pod"}, [("http", 5000, "TCP")],
                                  "registry.example.com/shop/api:2.4.1")
        cluster.service(namespace, "api", {"name": "api-pod"}, [ServicePort(5000, 5000)], api_ip)
        if web:
            front = cluster.workload("Deployment", namespace, "web", {"name": "web-pod"}, [("http", 80, "TCP")],
                                     "docker.io/library/nginx:1.29")
            balancers = lab.own([BALANCER, "2001:db8:80::80"])
            cluster.service(namespace, "web", {"name": "web-pod"}, [ServicePort(80, 80, name="http", node_port=30080)], web_ip,
                            kind="LoadBalancer", balancer_ips=balancers, traffic_policy="Local")
            lab.balancer(balancers, node)
        self.db = lab.run_pod(db, node, base)
        self.apis = [lab.run_pod(middle, api_node, base + n) for n in (1, 2)]
        self.webs = [lab.run_pod(front, node, base + n) for n in (3, 4)] if web else []
        database(self.db)
        for n, host in enumerate(self.apis):
            lab.name_hosts(host, {"db": db_ip[n % len(db_ip)]})
            api(host, 5000, "db")
        for host in self.webs:
            lab.name_hosts(host, {"api": api_ip})
            nginx(host, 80, "shop", upstream="api:5000")

    def pods(self):
        return [self.db, *self.apis, *self.webs]

    def taps(self):
        return [(host, "eth0") for host in self.pods()]

    def poll(self):
        """What api does by itself where no web is in front of it: it reads its own database."""
        for host in self.apis:
            query(host, "db")


def users(lab):
    return [lab.outside(f"user-{n}", [address]) for n, address in enumerate(USERS)]


def buy(callers, address=BALANCER):
    """Each user looks at the shop twice: a page, and one that web has to ask api for."""
    for caller in callers:
        fetch(caller, f"http://{address}/")
        fetch(caller, f"http://{address}/api/items")


def shop(folder):
    with Lab() as lab:
        one, callers = Shop(lab), users(lab)
        lab.translate()
        with recording(folder / "shop.pcap", one.taps()):
            buy(callers)
            fetch(callers[0], f"http://{BALANCER}/")  # from here on, the other web pod gets what asks api
            buy(callers)
        now = time.time()
        lab.write_inventory(folder / "shop.yaml", now)
        lab.write_inventory(folder / "shop.json", now)
    formats.as_pcapng(folder / "shop.pcap")
    formats.cut(folder / "shop.pcap")


def neighbours(folder, name, crossing):
    with Lab(bridge=True) as lab:
        one, callers = Shop(lab), users(lab)
        dev = Shop(lab, "dev", 30, ("", "10.96.12.40", "10.96.12.41"), web=False)
        staging = Shop(lab, "staging", 50, ("", "10.96.33.5", "10.96.33.6"), web=False)
        lab.name_hosts(staging.apis[0], {"db": staging.db_ip[0], "prod-db": one.db_ip[0]})
        lab.translate()
        with recording(folder / f"{name}.pcap", [(lab.nodes["node-1"], "cni0")]):
            buy(callers)
            dev.poll()
            staging.poll()
            if crossing:
                query(staging.apis[0], "prod-db")
            dev.poll()
            buy(callers[:1])
        lab.write_inventory(folder / f"{name}.yaml")


def shop_namespaces(folder):
    neighbours(folder, "shop-namespaces", crossing=False)


def shop_staging_reads_db(folder):
    neighbours(folder, "shop-staging-reads-db", crossing=True)


def backup(folder, name, inwards):
    with Lab() as lab:
        one, callers = Shop(lab), users(lab)
        server = lab.outside("backup", [BACKUP])
        if not inwards:
            nginx(server, 80, "stored")
        lab.translate()
        with recording(folder / f"{name}.pcap", [(lab.nodes["node-1"], "any")] if inwards else one.taps()):
            buy(callers)
            for _ in range(2):
                if inwards:
                    query(server, one.db.addresses[0], sql="select count(*) from shop.item")
                else:
                    fetch(one.db, f"http://{BACKUP}/store", "--data-binary", "dump of shop.item")
        lab.write_inventory(folder / f"{name}.yaml")


def shop_backup_in(folder):
    backup(folder, "shop-backup-in", inwards=True)


def shop_backup_out(folder):
    backup(folder, "shop-backup-out", inwards=False)


RECORDINGS = {
    "shop": shop,
    "shop-namespaces": shop_namespaces,
    "shop-staging-reads-db": shop_staging_reads_db,
    "shop-backup-in": shop_backup_in,
    "shop-backup-out": shop_backup_out,
}
