"""dual: the shop on IPv4 and IPv6 at once, db pushing to its backup server by both, and SCTP between two more pods.

The kernel here has no SCTP: the associations between mme and hss (one by each family) are built by forge.py and merged into the
recording. All else is recorded at the pods.
"""

import capturefile
import forge
from cluster import ServicePort
from lab import Lab
from programs import fetch, nginx
from scenarios.shop import Shop, buy
from tap import recording

USERS = ["198.51.100.7", "203.0.113.50", "2001:db8:51:100::7", "2001:db8:51:100::23"]
BALANCERS = {4: "192.0.2.80", 6: "[2001:db8:80::80]"}
BACKUP = ["192.168.5.10", "2001:db8:5::10"]
PORT = 3868


def dual(folder):
    with Lab(families=(4, 6)) as lab:
        cluster = lab.cluster
        one = Shop(lab, addresses=(["10.96.201.7", "fd00:10:96::c907"], ["10.96.87.14", "fd00:10:96::570e"],
                                   ["10.96.143.20", "fd00:10:96::8f14"]))
        callers = [lab.outside(f"user-{n}", [address]) for n, address in enumerate(USERS)]
        backup = lab.outside("backup", BACKUP)
        nginx(backup, 80, "stored")
        image = "registry.example.com/core/{}:4.0".format
        mme = cluster.workload("Deployment", "prod", "mme", {"app": "mme"}, (), image("mme"))
        hss = cluster.workload("Deployment", "prod", "hss", {"app": "hss"}, [("diameter", PORT, "SCTP")], image("hss"))
        first = cluster.pod(mme, "node-1", ["10.244.1.60", "fd00:10:244:1::3c"])
        second = cluster.pod(hss, "node-1", ["10.244.1.61", "fd00:10:244:1::3d"])
        cluster.service("prod", "hss", {"app": "hss"}, [ServicePort(PORT, PORT, "SCTP", "diameter")], ["10.96.150.9", "fd00:10:96::9609"])
        lab.translate()
        with recording(folder / "dual.pcap", one.taps()):
            for _ in range(2):
                buy(callers[:2], BALANCERS[4])
                buy(callers[2:], BALANCERS[6])
            fetch(one.db, f"http://{BACKUP[0]}/store", "--data-binary", "dump of shop.item")
            fetch(one.db, f"http://[{BACKUP[1]}]/store", "--data-binary", "dump of shop.item")
        lab.write_inventory(folder / "dual.yaml")
    frames, link = capturefile.read(folder / "dual.pcap")
    begin = frames[0].at + 20_000_000
    for n in (0, 1):
        frames += forge.association((first.addresses[n], "02:00:0a:f4:01:3c"), (second.addresses[n], "02:00:0a:f4:01:3d"), 45001 + n,
                                    PORT, begin + n * 30_000_000, b"authentication request", b"authentication answer")
    capturefile.write(folder / "dual.pcap", frames, link)


RECORDINGS = {"dual": dual}
