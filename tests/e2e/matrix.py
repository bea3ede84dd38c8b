"""Every pair of ends, over every port: what may be opened and what may not.

In: the running ground, and the edges that are meant to be allowed. Out: the pairs for which it is otherwise. What is meant is written
down by the scenarios and never taken from what the tool learned.
"""

import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ground import CONTROL_PLANE, OUTSIDE, Ground

PORTS = [("TCP", 53), ("UDP", 53), ("TCP", 80), ("TCP", 5000), ("TCP", 6379), ("TCP", 8080)]
Target = tuple[str, str, int]  # protocol, address, port
DENIED = frozenset({"rejected"})  # what kube-router does; so what got lost for another reason, and is silent, is never taken for denied


@dataclass(frozen=True, order=True)
class Edge:
    """A workload or outside host that may open a connection to another; the port is the responder's own."""

    originator: str
    responder: str
    protocol: str
    port: int

    def __str__(self) -> str:
        return f"{self.originator} -> {self.responder} {self.protocol} {self.port}"


@dataclass(frozen=True)
class End:
    name: str  # namespace/workload, outside/host or node/name
    address: str
    netns: str


@dataclass(frozen=True)
class Truth:
    """What is meant: the edges that may be, and the namespaces whose pods may have no others."""

    allowed: frozenset[Edge]
    isolated: frozenset[str] = frozenset()

    def verdict(self, edge: Edge) -> frozenset[str]:
        """The outcomes that are right."""
        if edge in self.allowed:
            return frozenset({"open"})
        if any(end.split("/")[0] in self.isolated for end in (edge.originator, edge.responder)):
            return DENIED
        return frozenset({"open", "refused"})


def ends(ground: Ground) -> list[End]:
    """All pods that run, all outside hosts, and the other node."""
    found = [End(f"outside/{name}", address, ground.hosts[name].netns) for name, address in OUTSIDE.items()]
    found.append(End("node/control-plane", CONTROL_PLANE, ground.control_plane.netns))
    for pod in ground.api.items("/api/v1/pods"):
        meta = pod["metadata"]
        if one := ground.kubelet.running.get(meta["uid"]):
            labels = meta["labels"]
            found.append(End(f"{meta['namespace']}/{labels.get('app') or labels['k8s-app']}", one.address, one.host.netns))
    return found


def ports_of(end: End) -> list[tuple[str, int]]:
    if end.name.startswith("outside/"):
        return [("TCP", 80)]
    return [("TCP", 6443)] if end.name.startswith("node/") else PORTS


def is_pod(end: End) -> bool:
    return end.name.split("/")[0] not in ("outside", "node")


def outcomes(asked: dict[End, list[Target]]) -> dict[tuple[End, Target], str]:
    """Ask from all ends at the same time."""
    running = {}
    for end, targets in asked.items():
        program = subprocess.Popen(["ip", "netns", "exec", end.netns, sys.executable, str(Path(__file__).parent / "probe.py")],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert program.stdin
        program.stdin.write(json.dumps(targets))
        program.stdin.close()
        running[end] = program
    found = {}
    for end, program in running.items():
        assert program.stdout
        answer = program.stdout.read()
        if program.wait(timeout=60) != 0:
            raise RuntimeError(f"the probe in {end.name} ended with {program.returncode}")
        found |= {(end, target): outcome for target, outcome in zip(asked[end], json.loads(answer), strict=True)}
    return found


def are_denied(ground: Ground, edges: Iterable[Edge]) -> bool:
    """Whether all of these are denied."""
    by_name = {end.name: end for end in ends(ground)}
    asked: dict[End, list[Target]] = {}
    for edge in edges:
        asked.setdefault(by_name[edge.originator], []).append((edge.protocol, by_name[edge.responder].address, edge.port))
    return DENIED.issuperset(outcomes(asked).values())


def differences(ground: Ground, truth: Truth) -> tuple[list[str], int]:
    """The pairs whose outcome is not the one that is meant, and how many were tried."""
    every = ends(ground)
    names = {end.address: end.name for end in every}
    asked: dict[End, list[Target]] = {
        one: [(protocol, other.address, port) for other in every
              if one is not other and (is_pod(one) or is_pod(other)) for protocol, port in ports_of(other)]
        for one in every}
    wrong = set()
    found = outcomes(asked)
    for (end, (protocol, address, port)), outcome in found.items():
        edge = Edge(end.name, names[address], protocol, port)
        if outcome not in truth.verdict(edge):
            wrong.add(f"{edge} ({end.address} -> {address}): {outcome}, must be {' or '.join(sorted(truth.verdict(edge)))}")
    return sorted(wrong), len(found)
