"""tenants: two teams in one cluster, with workloads of equal names and labels, and one permitted call across the border.

In each team gateway calls public-api (found by DNS, Service port 80 -> container port http, 8080) and public-api its own db.
team-a's gateway also calls team-b's public-api. team-b's gateway tries team-a's public-api and team-b's public-api tries team-a's
db: the border drops both.
"""

from cluster import ServicePort
from lab import Lab
from programs import api, database, fetch, query
from tap import recording

BORDER = """
table ip border {{
  chain forward {{
    type filter hook forward priority filter;
    ip saddr {gateway} ip daddr {api} tcp flags syn drop
    ip saddr {other_api} ip daddr {db} tcp flags syn drop
  }}
}}
"""


class Team:
    def __init__(self, lab, namespace, base, api_ip, db_ip):
        cluster = lab.cluster
        cluster.namespace(namespace, labels={"team": namespace[-1]})
        self.api_ip, self.db_ip = api_ip, db_ip
        gateway = cluster.workload("Deployment", namespace, "gateway", {"app": "gateway"}, (), "registry.example.com/gateway:3.0.0")
        public = cluster.workload("Deployment", namespace, "public-api", {"app": "public-api"}, [("http", 8080, "TCP")],
                                  "registry.example.com/public-api:1.8.0")
        store = cluster.workload("StatefulSet", namespace, "db", {"app": "db"}, [("mysql", 3306, "TCP")], "docker.io/library/mariadb:10.11")
        cluster.service(namespace, "public-api", {"app": "public-api"}, [ServicePort(80, "http", name="http")], [api_ip])
        cluster.service(namespace, "db", {"app": "db"}, [ServicePort(3306, "mysql", name="mysql")], [db_ip])
        self.gateway, self.api, self.db = (lab.run_pod(w, "node-1", base + n) for n, w in enumerate((gateway, public, store)))
        database(self.db)
        lab.name_hosts(self.api, {"db": db_ip})
        api(self.api, 8080, "db")


def tenants(folder):
    with Lab() as lab:
        a = Team(lab, "team-a", 20, "10.96.66.1", "10.96.66.2")
        b = Team(lab, "team-b", 30, "10.96.77.1", "10.96.77.2")
        lab.start_dns()
        lab.translate()
        node = lab.nodes["node-1"]
        node.nft(BORDER.format(gateway=b.gateway.addresses[0], api=a.api.addresses[0], other_api=b.api.addresses[0],
                               db=a.db.addresses[0]))
        with recording(folder / "tenants.pcap", [(node, "any")], nanoseconds=True):
            fetch(a.gateway, "http://public-api/")
            fetch(b.gateway, "http://public-api/")
            fetch(a.gateway, "http://public-api.team-b/")
            fetch(b.gateway, "http://public-api.team-a/", fails=True)
            query(b.api, a.db_ip, fails=True)
            fetch(a.gateway, "http://public-api.team-b/")
            fetch(b.gateway, "http://public-api/")
        lab.write_inventory(folder / "tenants.yaml")


RECORDINGS = {"tenants": tenants}
