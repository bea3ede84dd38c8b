"""lab: two nginx tiers and two callers in one namespace, found by DNS and called at Service addresses.

busybox1 may fetch the front end only, busybox2 both tiers. busybox1 also tries the back end and pings busybox2, and does not get
through: in `lab` without an answer, in `lab-refused` with a refusal.
"""

import formats
from cluster import ServicePort
from lab import Lab
from programs import fetch, nginx
from tap import recording

WALL = """
table ip wall {{
  chain forward {{
    type filter hook forward priority filter;
    ip saddr {caller} ip daddr {other} icmp type echo-request {verdict_ping}
  }}
}}
"""
DOOR = """
table ip door {{
  chain input {{
    type filter hook input priority filter;
    ip saddr {caller} tcp dport 80 {verdict_call}
  }}
}}
"""


def nginx_lab(folder, name, refused):
    with Lab() as lab:
        cluster = lab.cluster
        made = {}
        for last, (workload, labels, image) in enumerate([
            ("frontend-nginx", {"app": "my-nginx", "tier": "frontend"}, "docker.io/library/nginx:1.29"),
            ("backend-nginx", {"app": "my-nginx", "tier": "backend"}, "docker.io/library/nginx:1.29"),
            ("busybox1", {"app": "my-busybox", "access": "frontend"}, "docker.io/library/busybox:1.36"),
            ("busybox2", {"app": "my-nginx", "access": "full"}, "docker.io/library/busybox:1.36"),
        ], start=21):
            ports = [("", 80, "TCP")] if "nginx:" in image else []
            made[workload] = lab.run_pod(cluster.workload("Deployment", "default", workload, labels, ports, image), "node-1", last)
        for tier, address in (("frontend", "10.96.54.11"), ("backend", "10.96.110.92")):
            cluster.service("default", f"nginx-{tier}-service", {"app": "my-nginx", "tier": tier}, [ServicePort(80, 80)], [address])
            nginx(made[f"{tier}-nginx"], 80, tier)
        lab.start_dns()
        lab.translate()
        first, second, node = made["busybox1"], made["busybox2"], lab.nodes["node-1"]
        caller = first.addresses[0]
        node.nft(WALL.format(caller=caller, other=second.addresses[0],
                             verdict_ping="reject with icmp type admin-prohibited" if refused else "drop"))
        made["backend-nginx"].nft(DOOR.format(caller=caller, verdict_call="reject with tcp reset" if refused else "drop"))
        with recording(folder / f"{name}.pcap", [(node, "any")]):
            fetch(first, "http://nginx-frontend-service/")
            fetch(second, "http://nginx-frontend-service/")
            fetch(second, "http://nginx-backend-service/")
            fetch(first, "http://nginx-backend-service/", fails=True)
            first.run("ping", "-c", "1", "-W", "1", second.addresses[0], fails=True)
            fetch(first, "http://nginx-frontend-service/")
            fetch(second, "http://nginx-backend-service/")
        lab.write_inventory(folder / f"{name}.yaml")


def lab_unanswered(folder):
    nginx_lab(folder, "lab", refused=False)
    formats.as_gzip(folder / "lab.pcap")


def lab_refused(folder):
    nginx_lab(folder, "lab-refused", refused=True)


RECORDINGS = {"lab": lab_unanswered, "lab-refused": lab_refused}
