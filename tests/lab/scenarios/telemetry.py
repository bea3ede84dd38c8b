"""telemetry: what has no handshake in the capture.

app keeps one connection to queue that was opened before the recording began, sends statsd datagrams that nobody answers, tries to send
syslog where nothing listens (ICMP port unreachable), and calls a partner by a name that is an alias (CNAME).
"""

import sys

from cluster import ServicePort
from lab import Lab
from programs import APPS, fetch, nginx, wait
from tap import recording

PARTNER = "203.0.113.90"


def telemetry(folder):
    with Lab() as lab:
        cluster = lab.cluster
        cluster.namespace("metrics")
        image = "registry.example.com/metrics/{}:1.0".format
        made = {}
        listening = {"app": (), "queue": [("amqp", 5672, "TCP")], "statsd": [("statsd", 8125, "UDP")]}
        for last, (name, ports) in enumerate(listening.items(), start=10):
            workload = cluster.workload("Deployment", "metrics", name, {"app": name}, ports, image(name))
            made[name] = lab.run_pod(workload, "node-1", last)
        cluster.service("metrics", "queue", {"app": "queue"}, [ServicePort(5672, 5672)], ["10.96.52.1"])
        cluster.service("metrics", "statsd", {"app": "statsd"}, [ServicePort(8125, 8125, "UDP")], ["10.96.52.2"])
        app, statsd = made["app"], made["statsd"]
        made["queue"].start(["ncat", "-l", "-k", "-e", "/bin/cat", "5672"])
        statsd.start(["ncat", "-u", "-l", "--recv-only", "8125"])
        wait(made["queue"], 5672)
        wait(statsd, 8125, "udp")
        nginx(lab.outside("partner", [PARTNER]), 8080, "partner")
        lab.start_dns({"edge.partner.example": [PARTNER], "www.partner.example": "edge.partner.example"})
        lab.translate()
        app.start([sys.executable, str(APPS / "hold.py"), "10.96.52.1", "5672"])
        send = [sys.executable, str(APPS / "send.py")]
        with recording(folder / "telemetry.pcap", [(lab.nodes["node-1"], "any")]):
            app.run(*send, "10.96.52.2", "8125", "shop.orders:1|c", "10")
            app.run(*send, statsd.addresses[0], "514", "<14>app: started", "2")
            fetch(app, "http://www.partner.example:8080/")
        lab.write_inventory(folder / "telemetry.yaml")


RECORDINGS = {"telemetry": telemetry}
