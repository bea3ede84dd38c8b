"""churn: addresses that change hands while the capture runs.

web calls api and cart, api and the hourly report query db. Meanwhile
- a Job of the CronJob runs and ends; its pod stays in the inventory as Succeeded, with its address;
- api rolls out: the new pod gets the ended Job pod's address, the old pod's address goes to a second cart pod seconds later;
- db-0 restarts on another node with another address; its old address goes to the pod of the second Job.
churn-1.yaml is taken while the old api pod is terminating, churn-2.yaml at the end.
"""

import time

from cluster import ServicePort
from lab import Lab
from programs import api, database, fetch, query
from tap import recording

GRACE = 5
DB = "10.96.45.3"


def unplug(host, lab):
    lab.nodes[host.pod.node].ip(f"link del {host.near}")
    host.stop()


def leave(host, lab):
    """The pod's containers stop and its address is free: the object leaves the API."""
    host.pod.removed = time.time()
    unplug(host, lab)


def churn(folder):
    with Lab(live=("node-1", "node-2")) as lab:
        cluster = lab.cluster
        lab.join(lab.nodes["node-1"], lab.nodes["node-2"])
        cluster.namespace("prod")
        image = "registry.example.com/shop/{}:{}".format
        web = cluster.workload("Deployment", "prod", "web", {"app": "web"}, (), image("web", "5.2.0"))
        middle = cluster.workload("Deployment", "prod", "api", {"app": "api"}, [("http", 5000, "TCP")], image("api", "2.4.1"))
        basket = cluster.workload("Deployment", "prod", "cart", {"app": "cart"}, [("http", 8080, "TCP")], image("cart", "0.9.7"))
        store = cluster.workload("StatefulSet", "prod", "db", {"app": "db"}, [("mysql", 3306, "TCP")], "docker.io/library/mariadb:10.11")
        report = cluster.workload("CronJob", "prod", "report", {"app": "report"}, (), image("report", "1.1.0"),
                                  schedule=f"{time.gmtime().tm_min} * * * *")
        for name, port, address in (("api", 5000, "10.96.45.1"), ("cart", 8080, "10.96.45.2"), ("db", 3306, DB)):
            cluster.service("prod", name, {"app": name}, [ServicePort(port, port)], [address])

        def start_api(last, **more):
            host = lab.run_pod(middle, "node-1", last, **more)
            lab.name_hosts(host, {"db": DB})
            api(host, 5000, "db")
            return host

        def start_cart(last, **more):
            host = lab.run_pod(basket, "node-1", last, **more)
            api(host, 8080)
            return host

        def visit():
            fetch(front, "http://api:5000/")
            fetch(front, "http://cart:8080/")

        def settle():
            """Object times have whole seconds: no packet of a new pod within the second of its start."""
            time.sleep(1.1)
            lab.translate()

        front = lab.run_pod(web, "node-1", 10)
        lab.name_hosts(front, {"api": "10.96.45.1", "cart": "10.96.45.2"})
        db = lab.run_pod(store, "node-1", 21)
        database(db)
        old = start_api(20)
        start_cart(25)
        lab.translate()
        with recording(folder / "churn.pcap", [(lab.nodes["node-1"], "any")]):
            visit()
            first = cluster.job(report, f"report-{int(time.time() // 60)}", time.time())
            run = lab.run_pod(report, "node-1", 40, started=time.time(), job=first)
            settle()
            query(run, DB)
            run.pod.finished = first.completed = time.time() + 1
            unplug(run, lab)
            visit()
            time.sleep(2.2)

            middle.revisions.append((time.time(), image("api", "2.5.0")))
            new = start_api(40, started=time.time())
            assert new.pod.revision == 1
            settle()
            requested = time.time()
            old.pod.deletion = requested + GRACE
            lab.translate()
            visit()
            time.sleep(1)
            lab.write_inventory(folder / "churn-1.yaml")
            leave(old, lab)
            visit()
            time.sleep(max(0, requested + GRACE + 1.2 - time.time()))
            start_cart(20, started=time.time())
            settle()
            for _ in range(2):
                visit()

            db.pod.deletion = time.time() + GRACE
            lab.translate()
            leave(db, lab)
            time.sleep(1.2)
            db = lab.run_pod(store, "node-2", 21, started=time.time())
            database(db)
            settle()
            visit()
            second = cluster.job(report, "report-manual-q8d", time.time(), manual=True)
            run = lab.run_pod(report, "node-1", 21, started=time.time(), job=second)
            settle()
            query(run, DB)
            run.pod.finished = second.completed = time.time() + 1
            visit()
        time.sleep(1.2)
        lab.write_inventory(folder / "churn-2.yaml")


RECORDINGS = {"churn": churn}
