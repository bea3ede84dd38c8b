"""overlay: the shop across two nodes, recorded on one node's uplink only.

web and db stand on node-1, api on node-2; between the nodes runs VXLAN. On the uplink the users' calls are seen at the load
balancer's address only, and what runs between pods is seen after the translation, inside the envelope.
The other envelopes are the same recording, rewritten.
"""

import capturefile
import forge
from lab import Lab
from scenarios.shop import Shop, buy, users
from tap import recording

FORGED = {
    "overlay-vxlan-8472": forge.as_vxlan_8472,
    "overlay-geneve": forge.as_geneve,
    "overlay-ipip": forge.as_ipip,
    "overlay-gre": forge.as_gre,
}


def overlay(folder):
    with Lab(live=("node-1", "node-2")) as lab:
        here, there = lab.nodes["node-1"], lab.nodes["node-2"]
        lab.overlay(here, there, forge.VXLAN, 4096)
        Shop(lab, api_node="node-2")
        callers = users(lab)
        lab.translate()
        with recording(folder / "overlay.pcap", [(here, "eth0")]):
            buy(callers)
            buy(callers[:2])
        lab.write_inventory(folder / "overlay.yaml")
    frames, link = capturefile.read(folder / "overlay.pcap")
    for name, wrap in FORGED.items():
        capturefile.write(folder / f"{name}.pcap", forge.rewrap(frames, wrap), link)


RECORDINGS = {"overlay": overlay}
