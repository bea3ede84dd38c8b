"""One cluster to test on: a control plane, a node whose pods really run, an outside, and nothing of it connected to this machine.

    outside hosts --- world (router) === lan === control-plane: etcd, kube-apiserver, kube-controller-manager
                                             === node-1: kube-proxy, pods, kube-router when asked for

In: the folders with the programs. Out: a context; when it ends, for whatever reason, no namespace, process or file is left.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import logs
from api import Api
from control import PODS, ControlPlane, start_enforcer, start_proxy
from keys import make
from kubelet import Kubelet
from loop import Loop
from names import Names
from programs import nginx
from topology import Network, run

PREFIX = "npge"
CONTROL_PLANE, NODE = "10.0.0.10", "10.0.0.11"
NODES = {"control-plane": (CONTROL_PLANE, "10.244.0.0/24"), "node-1": (NODE, "10.244.1.0/24")}
OUTSIDE = {"visitor": "198.51.100.7", "payments": "203.0.113.50", "elsewhere": "203.0.113.77"}
OUTSIDE_NAMES = {"payments.example.com": OUTSIDE["payments"], "elsewhere.example.com": OUTSIDE["elsewhere"]}
HERE = Path(__file__).parent


class Ground(Network):
    """The cluster. `node` is the host that stands for the node with the pods."""

    def __init__(self, programs: Path, enforcer: Path) -> None:
        super().__init__()
        self.prefix = f"{PREFIX}{os.getpid()}"
        self.programs, self.enforcer = programs, enforcer
        self.loops: list[Loop] = []
        self.enforcing: subprocess.Popen[bytes] | None = None
        self.logs: logs.Listener | None = None

    def __enter__(self) -> "Ground":
        super().__enter__()
        try:
            self.names = self.folder / "names"
            hosts = {name: self.node(name, [address], [pods]) for name, (address, pods) in NODES.items()}
            self.node_1, self.control_plane = hosts["node-1"], hosts["control-plane"]
            self.join(self.node_1, self.control_plane)
            for name, address in OUTSIDE.items():
                nginx(self.outside(name, [address]), 80, name)
            self.keys = make(self.folder / "keys", CONTROL_PLANE)
            self.control = ControlPlane(self.control_plane, CONTROL_PLANE, self.keys, self.programs)
            self.api = Api(self.control_plane.netns, self.keys)  # from there, so that captures on the node are the application's
            self.register_nodes()
            self.start_node()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for loop in reversed(self.loops):
            loop.stop()
        self.loops.clear()
        if self.logs:
            self.logs.stop()
        if keep := os.environ.get("E2E_LOGS"):
            self.keep_logs(Path(keep))
        super().__exit__()

    def register_nodes(self) -> None:
        """The Node objects, as ready nodes report themselves."""
        for name, (address, pods) in NODES.items():
            labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}
            if name == "control-plane":
                labels["node-role.kubernetes.io/control-plane"] = ""
            self.api.ask("POST", "/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels},
                                                   "spec": {"podCIDR": pods, "podCIDRs": [pods]}})
            self.api.patch(f"/api/v1/nodes/{name}/status", {"status": {
                "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}],
                "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
                "daemonEndpoints": {"kubeletEndpoint": {"Port": logs.PORT}}}})

    def start_node(self) -> None:
        """What runs on the node, and the way of its pods to the outside under the node's address."""
        node = self.node_1
        node.sysctl("net.ipv4.icmp_ratemask=0")  # else the kernel tells only some of those whose connections the enforcer rejects
        node.run("iptables", "-t", "nat", "-A", "POSTROUTING", "-s", PODS, "!", "-d", PODS, "-o", "eth0", "-j", "MASQUERADE")
        start_proxy(node, "node-1", self.keys, self.programs)
        self.loop("names", 0.5, Names(self.names, self.api, OUTSIDE_NAMES).step)
        self.kubelet = Kubelet(self, node, "node-1", self.api)
        self.loop("kubelet", 0.2, self.kubelet.step)
        self.logs = logs.Listener(node.netns, NODE, self.keys, self.folder)

    def enforce(self) -> None:
        """Start the enforcer; it works on from here."""
        self.kubectl("apply", "-f", str(HERE / "enforcer" / "cluster-role.yaml"))
        self.enforcing = start_enforcer(self.node_1, "node-1", self.keys, self.enforcer)

    def loop(self, name: str, period: float, step: Callable[[], None]) -> None:
        self.loops.append(Loop(name, period, step))

    def check(self) -> None:
        """Fail when something that should be at work has failed."""
        for loop in self.loops:
            loop.check()
        if self.enforcing and self.enforcing.poll() is not None:
            raise RuntimeError(f"kube-router ended with {self.enforcing.returncode}\n{(self.folder / 'kube-router.log').read_text()}")

    def kubectl(self, *arguments: str, given: str | None = None) -> str:
        """kubectl as the administrator, from the node."""
        self.check()
        return run(["ip", "netns", "exec", self.node_1.netns, str(self.programs / "kubectl"),
                    f"--kubeconfig={self.keys.kubeconfig('admin')}", f"--cache-dir={self.folder}/kubectl", *arguments],
                   input=given, timeout=120)

    def reader(self) -> Path:
        """The kubeconfig of the ServiceAccount that the tool ships, with the rights it asks for and no others."""
        self.kubectl("apply", "-f", str(HERE.parents[1] / "templates" / "cluster-role.yaml"))
        token = self.kubectl("create", "token", "netpol-gen", "-n", "netpol-gen", "--duration=1h").strip()
        return self.keys.write_kubeconfig("reader", {"token": token})

    def keep_logs(self, target: Path) -> None:
        """Copy the components' logs to where a person can read them after a failure."""
        target.mkdir(parents=True, exist_ok=True)
        for log in self.folder.glob("*.log"):
            shutil.copy(log, target)


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def clean() -> list[str]:
    """Remove what runs that were killed left behind: their namespaces, the programs in them, their folders. Of running ones, nothing."""
    removed = []
    for line in run(["ip", "netns", "list"]).splitlines():
        name = line.split()[0]
        owner = re.match(rf"{PREFIX}(\d+)-", name)
        if owner and not is_alive(int(owner[1])):
            for pid in run(["ip", "netns", "pids", name]).split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            subprocess.run(["ip", "netns", "del", name], check=False)
            shutil.rmtree(Path("/etc/netns") / name, ignore_errors=True)
            removed.append(name)
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*"):
        owner = re.match(rf"{PREFIX}(\d+)-", folder.name)
        if owner and not is_alive(int(owner[1])):
            shutil.rmtree(folder, ignore_errors=True)
            removed.append(str(folder))
    return removed
