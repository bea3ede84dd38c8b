"""cronjob: DNS and one outside address.

A CronJob's pods look up example.com at kube-dns and fetch it; the namespace's other pods only use DNS (once by TCP). Two runs.
The name has too few dots, so the search list is gone through first, as in every pod: three answers say that no such name is there.
"""

import time

import formats
from lab import Lab
from programs import fetch, nginx
from tap import recording

OUTSIDE = "93.184.216.34"


def cronjob(folder):
    with Lab() as lab:
        cluster = lab.cluster
        cluster.namespace("my-ns")
        minute = time.gmtime().tm_min
        cron = cluster.workload("CronJob", "my-ns", "cronjob", {"app.kubernetes.io/component": "cronjob"}, (),
                                "docker.io/curlimages/curl:8.16.0", schedule=f"{minute} * * * *")
        worker = cluster.workload("Deployment", "my-ns", "worker", {"app.kubernetes.io/component": "worker"}, (),
                                  "registry.example.com/worker:1.0.3")
        workers = [lab.run_pod(worker, "node-1", last) for last in (40, 41)]
        site = lab.outside("example-com", [OUTSIDE])
        nginx(site, 80, "Example Domain")
        lab.start_dns({"example.com": [OUTSIDE], "updates.example.net": ["203.0.113.200"]})
        lab.translate()
        with recording(folder / "cronjob.pcap", [(lab.nodes["node-1"], "any")]):
            for turn, last in enumerate((50, 51)):
                now = time.time()
                name = "cronjob-manual-7k2" if turn else f"cronjob-{int(now // 60)}"
                job = cluster.job(cron, name, now, manual=bool(turn))
                pod = lab.run_pod(cron, "node-1", last, started=now, job=job)
                time.sleep(1)
                fetch(pod, "http://example.com/")
                workers[turn].run("getent", "ahostsv4", "updates.example.net")
                if turn:
                    workers[0].run("dig", "+tcp", "+short", "updates.example.net")
                time.sleep(0.2)
                pod.pod.finished = job.completed = time.time() + 1
                time.sleep(1)
        lab.write_inventory(folder / "cronjob.yaml", time.time() + 2)
    formats.as_zstd(folder / "cronjob.pcap")


RECORDINGS = {"cronjob": cronjob}
