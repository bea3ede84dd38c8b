"""The node agent's stand-in: pods of the API become network namespaces with real programs in them.

In: the pods that the controllers make. Out: each pod bound to the node, given an address, its containers' commands started in a
namespace of its own, and its status told to the API as a kubelet tells it: Running and ready once its ports listen, Succeeded or
Failed when its programs ended for good, gone when it was deleted.

The lowest free address is given out, so an address that was freed goes to the next pod at once: what learns from traffic has to cope.
There are no images: a container is its command, run in a folder of its own, with `PROGRAMS` naming the folder of the application's
programs and `NAMES` that of the name server's records. A command that an image would have at its root is one of these programs.
"""

import os
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from api import Api, ApiError, Object
from topology import Host, Network, end, run

PROGRAMS = Path(__file__).parent / "shop"
DNS = "10.96.0.10"


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def path(pod: Object, below: str = "") -> str:
    meta = pod["metadata"]
    return f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}{below}"


@dataclass
class Running:
    """A pod that has a namespace."""

    host: Host
    address: str
    started: str
    programs: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)  # by container name
    is_ready: bool = False


class Kubelet:
    def __init__(self, network: Network, node: Host, name: str, api: Api) -> None:
        self.network, self.node, self.name, self.api = network, node, name, api
        self.running: dict[str, Running] = {}  # by the pod's uid
        self.count = 0

    def step(self) -> None:
        """Bring the node to what the API says, once."""
        pods = {pod["metadata"]["uid"]: pod for pod in self.api.items("/api/v1/pods")}
        for uid in [uid for uid in self.running if uid not in pods]:
            self.stop(uid)
        for uid, pod in pods.items():
            try:
                self.tend(uid, pod)
            except ApiError as error:
                if error.status not in (404, 409):  # changed or gone since it was listed: the next step sees
                    raise

    def tend(self, uid: str, pod: Object) -> None:
        if "deletionTimestamp" in pod["metadata"]:
            self.stop(uid)
            self.api.ask("DELETE", path(pod), {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0,
                                               "preconditions": {"uid": uid}})
        elif not pod["spec"].get("nodeName"):
            self.api.ask("POST", path(pod, "/binding"), {
                "kind": "Binding", "apiVersion": "v1", "metadata": {"name": pod["metadata"]["name"]},
                "target": {"apiVersion": "v1", "kind": "Node", "name": self.name}})
            self.start(uid, pod)
        elif pod["status"].get("phase") in ("Succeeded", "Failed"):
            self.stop(uid)
        elif uid not in self.running:
            self.start(uid, pod)
        else:
            self.watch(uid, pod)

    def free_address(self) -> str:
        taken = {one.address for one in self.running.values()}
        prefix = self.node.pod_ranges[0].rsplit(".", 1)[0]
        return next(address for last in range(10, 250) if (address := f"{prefix}.{last}") not in taken)

    def start(self, uid: str, pod: Object) -> None:
        self.count += 1
        address = self.free_address()
        host = self.network.pod(f"pod{self.count}", self.node, [address])
        one = self.running[uid] = Running(host, address, now())
        namespace = pod["metadata"]["namespace"]
        host.etc("resolv.conf", f"search {namespace}.svc.cluster.local svc.cluster.local cluster.local\nnameserver {DNS}\n"
                                "options ndots:5\n")
        host.etc("hosts", f"127.0.0.1 localhost\n{address} {pod['metadata']['name']}\n")
        for container in pod["spec"]["containers"]:
            self.launch(one, pod, container)
        self.tell(pod, one, "Running")

    def launch(self, one: Running, pod: Object, container: Object) -> None:
        """Start a container's command, with its log beside the others."""
        name = f"{pod['metadata']['namespace']}-{pod['metadata']['name']}-{container['name']}"
        folder = self.network.folder / name
        folder.mkdir(exist_ok=True)
        given = {entry["name"]: entry.get("value", "") for entry in container.get("env", ())}
        with (self.network.folder / f"{name}.log").open("ab") as log:
            program, *rest = [*container.get("command", ()), *container.get("args", ())]
            if program.startswith("/"):
                program = str(PROGRAMS / program[1:])
            one.programs[container["name"]] = one.host.start(
                [program, *rest], stdout=log, stderr=log, cwd=folder,
                env={"PATH": os.environ["PATH"], "PROGRAMS": str(PROGRAMS), "NAMES": str(self.network.names), **given})

    def watch(self, uid: str, pod: Object) -> None:
        """Readiness, restarts and ends."""
        one = self.running[uid]
        codes = [program.poll() for program in one.programs.values()]
        if pod["spec"]["restartPolicy"] == "Always":
            for container in pod["spec"]["containers"]:
                if one.programs[container["name"]].poll() is not None:
                    self.launch(one, pod, container)
        elif None not in codes:
            self.stop(uid)
            self.tell(pod, one, "Failed" if any(codes) else "Succeeded")
            return
        if not one.is_ready and self.listens(one.host, pod):
            one.is_ready = True
            self.tell(pod, one, "Running")

    @staticmethod
    def listens(host: Host, pod: Object) -> bool:
        """Whether every declared port is listened on. The kernel is asked, not the network: no packet is sent."""
        ports = {(port.get("protocol", "TCP"), port["containerPort"])
                 for container in pod["spec"]["containers"] for port in container.get("ports", ())}
        return all(run(["ip", "netns", "exec", host.netns, "ss", "-Hltn" if protocol == "TCP" else "-Hlun", f"sport = :{port}"]).strip()
                   for protocol, port in ports)

    def tell(self, pod: Object, one: Running, phase: str) -> None:
        """The pod's status."""
        is_over = phase != "Running"
        ready = "True" if one.is_ready and not is_over else "False"
        conditions = [{"type": kind, "status": status, "lastTransitionTime": now()} for kind, status in
                      (("PodScheduled", "True"), ("Initialized", "True"), ("ContainersReady", ready), ("Ready", ready))]
        statuses = []
        for container in pod["spec"]["containers"]:
            state: Object = {"running": {"startedAt": one.started}}
            if is_over:
                state = {"terminated": {"exitCode": one.programs[container["name"]].returncode, "startedAt": one.started,
                                        "finishedAt": now(), "reason": "Completed" if phase == "Succeeded" else "Error"}}
            statuses.append({"name": container["name"], "image": container["image"], "imageID": "", "restartCount": 0,
                             "ready": ready == "True", "started": not is_over, "state": state})
        host = self.node.addresses[0]
        self.api.patch(path(pod, "/status"), {"status": {
            "phase": phase, "podIP": one.address, "podIPs": [{"ip": one.address}], "hostIP": host, "hostIPs": [{"ip": host}],
            "startTime": one.started, "conditions": conditions, "containerStatuses": statuses}})

    def stop(self, uid: str) -> None:
        """End the pod's programs, take its namespace away and free its address."""
        if one := self.running.pop(uid, None):
            for program in one.programs.values():
                end(program)
            self.node.ip(f"link del {one.host.near}")  # at once; with its namespace alone it would go some time later
            one.host.stop()
