"""Enforcement of NetworkPolicies on the node, by an engine that is not ours and the kernel's filter.

In: the policies, namespaces and pods of the API. What they permit is asked of PyPI's network-config-analyzer, which shares nothing with
netpol-gen; its answer, pairs of addresses with protocols and ports, becomes one nftables table, put in place atomically. As most
plug-ins do: replies and connections already accepted pass; what is not permitted is dropped without a word; traffic between a pod
and its own node is not looked at (it is never forwarded).

A pod that the engine was not told of yet is not filtered until the next step, as under an eventually consistent plug-in.
"""

import ipaddress
import json
import re
import tempfile
from pathlib import Path

import nca
import yaml
from api import Api, Object
from topology import Host

FORM = re.compile(r"protocols:([A-Z]+(?:, ?[A-Z]+)*)(?:,dst_ports:([0-9,\- ]+))?")
FILTERED = {"TCP": "tcp", "UDP": "udp", "SCTP": "sctp"}


def addresses_of(end: str, pods: dict[str, str]) -> str | None:
    """The addresses of one end of an answer's row, as nftables writes them; None for what has none here (IPv6)."""
    if end in pods:
        return pods[end]
    if ":" in end or end not in pods and not end[0].isdigit():
        return None
    first, _, last = end.partition("-")
    if "/" in first:
        network = ipaddress.ip_network(first)
        first, last = str(network[0]), str(network[-1])
    return f"{first}-{last}" if last and last != first else first


def permitted(text: str) -> list[tuple[str, str]]:
    """(protocol, ports) of an answer's connections; protocol `any` for all of them."""
    if text.strip() == "All connections":
        return [("any", "0-65535")]
    rows = []
    for protocols, ports in FORM.findall(text):
        for protocol in re.split(", ?", protocols):
            if protocol in FILTERED:
                rows += [(FILTERED[protocol], part.strip()) for part in (ports or "0-65535").split(",")]
    if not rows and "ICMP" not in text and "No connections" not in text:
        raise RuntimeError(f"the engine's answer is not understood: {text}")
    return rows


def ruleset(rows: list[tuple[str, str, str]], pods: dict[str, str]) -> str:
    """The nftables script that lets pass what the engine's rows say, and nothing else from or to the pods.

    Between pods and with the outside are kept apart: the engine's ranges of outside addresses may reach over pods' addresses.
    """
    sets: dict[str, set[str]] = {f"{side}_{extent}": set() for side in ("pods", "outside") for extent in ("all", "some")}
    for source, destination, text in rows:
        one, other = addresses_of(source, pods), addresses_of(destination, pods)
        inside = (source in pods) + (destination in pods)
        if one is None or other is None or one == other or not inside:
            continue
        side = "pods" if inside == 2 else "outside"
        for protocol, ports in permitted(text):
            if protocol == "any":
                sets[f"{side}_all"].add(f"{one} . {other}")
            else:
                sets[f"{side}_some"].add(f"{one} . {other} . {protocol} . {ports}")
    types = {"all": "ipv4_addr . ipv4_addr", "some": "ipv4_addr . ipv4_addr . inet_proto . inet_service"}
    declared = "\n".join(f"  set {name} {{ type {types[name.split('_')[1]]}; flags interval; {elements(members)} }}"
                         for name, members in sets.items())
    chains = "\n".join(f"""  chain {side} {{
    ip saddr . ip daddr @{side}_all accept
    ip saddr . ip daddr . meta l4proto . th dport @{side}_some accept
    drop
  }}""" for side in ("pods", "outside"))
    return f"""
table ip policies {{}}
delete table ip policies
table ip policies {{
  set subjects {{ type ipv4_addr; {elements(set(pods.values()))} }}
{declared}
{chains}
  chain forward {{
    type filter hook forward priority 10; policy accept;
    ct state established,related accept
    ip saddr @subjects ip daddr @subjects jump pods
    ip saddr @subjects jump outside
    ip daddr @subjects jump outside
  }}
}}
"""


def elements(members: set[str]) -> str:
    return f"elements = {{ {', '.join(sorted(members))} }}" if members else ""


class Enforcer:
    def __init__(self, node: Host, api: Api) -> None:
        self.node, self.api = node, api
        self.enforced: str | None = None  # what the table in place was made of
        self.rounds = 0  # steps that were done

    def step(self) -> None:
        """Bring the table to what the API says, once."""
        policies = self.api.items("/apis/networking.k8s.io/v1/networkpolicies")
        seen = self.inventory()
        state = json.dumps([[policy["metadata"] | {"managedFields": None}, policy["spec"]] for policy in policies] + [seen], sort_keys=True)
        if state != self.enforced:
            self.replace(policies, seen)
            self.enforced = state
        self.rounds += 1

    def replace(self, policies: list[Object], seen: list[Object]) -> None:
        """Put the table for these policies in place."""
        pods = {f"{item['metadata']['namespace']}/{item['metadata']['name']}": item["status"]["podIP"]
                for item in seen if item["kind"] == "Pod"}
        rows = self.ask(policies, seen) if policies else []
        self.node.nft(ruleset(rows, pods if policies else {}))

    def inventory(self) -> list[Object]:
        """Namespaces, and the pods that have an address now, cut down to what a policy can look at."""
        found = [{"apiVersion": "v1", "kind": "Namespace", "metadata": kept(item)} for item in self.api.items("/api/v1/namespaces")]
        for pod in self.api.items("/api/v1/pods"):
            if pod["status"].get("podIP") and pod["status"].get("phase") == "Running" and not pod["spec"].get("hostNetwork"):
                containers = [{"name": one["name"], "image": one["image"], "ports": one.get("ports", [])}
                              for one in pod["spec"]["containers"]]
                found.append({"apiVersion": "v1", "kind": "Pod", "metadata": kept(pod), "spec": {"containers": containers},
                              "status": {"podIP": pod["status"]["podIP"], "hostIP": pod["status"]["hostIP"]}})
        return sorted(found, key=lambda item: (item["kind"], item["metadata"].get("namespace", ""), item["metadata"]["name"]))

    @staticmethod
    def ask(policies: list[Object], seen: list[Object]) -> list[tuple[str, str, str]]:
        """The engine's answer."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "asked").mkdir()
            whole = [{"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": kept(policy), "spec": policy["spec"]}
                     for policy in policies]
            (folder / "asked" / "policies.yaml").write_text(yaml.safe_dump_all(whole))
            listed = folder / "seen.yaml"
            listed.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": seen}))
            return nca.ask(folder / "asked", nca.Inventory([listed]), folder)


def kept(item: Object) -> Object:
    return {name: item["metadata"][name] for name in ("name", "namespace", "labels") if name in item["metadata"]}
