"""marks: workloads that no label of their own tells apart, and a connection of which nothing but high ports is seen.

store (StatefulSet) and web (Deployment) have the same label; the CronJob report gives its pods none. feed keeps one connection to
calc, port 50051, that was opened before the recording began; calc declares no port. Pods are called at their addresses.
"""

import sys
import time

from lab import Lab
from programs import APPS, api, fetch, wait
from tap import recording


def marks(folder):
    with Lab() as lab:
        cluster = lab.cluster
        cluster.namespace("marks")
        made, image = {}, "registry.example.com/marks/{}:1.0".format
        for last, (kind, name, label, ports) in enumerate([
            ("Deployment", "web", "web", [("http", 8080, "TCP")]), ("StatefulSet", "store", "web", [("http", 9090, "TCP")]),
            ("Deployment", "feed", "feed", ()), ("Deployment", "calc", "calc", ()),
        ], start=10):
            made[name] = lab.run_pod(cluster.workload(kind, "marks", name, {"app": label}, ports, image(name)), "node-1", last)
        cron = cluster.workload("CronJob", "marks", "report", {}, (), image("report"), schedule="0 * * * *")
        api(made["web"], 8080)
        api(made["store"], 9090)
        made["calc"].start(["ncat", "-l", "-k", "-e", "/bin/cat", "50051"])
        wait(made["calc"], 50051)
        lab.translate()
        made["feed"].start([sys.executable, str(APPS / "hold.py"), made["calc"].addresses[0], "50051"])
        time.sleep(0.5)
        with recording(folder / "marks.pcap", [(lab.nodes["node-1"], "any")]):
            fetch(made["web"], f"http://{made['store'].addresses[0]}:9090/")
            now = time.time()
            job = cluster.job(cron, f"report-{int(now // 60)}", now)
            pod = lab.run_pod(cron, "node-1", 20, started=now, job=job)
            time.sleep(1)
            fetch(pod, f"http://{made['web'].addresses[0]}:8080/")
            pod.pod.finished = job.completed = time.time() + 1
            time.sleep(1)
        lab.write_inventory(folder / "marks.yaml", time.time() + 2)


RECORDINGS = {"marks": marks}
