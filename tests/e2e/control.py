"""The control plane: etcd, kube-apiserver and kube-controller-manager in one namespace; kube-proxy and the enforcer on the node.

In: namespaces, keys, the folder with the programs. Out: an API server that is ready. It can be killed and started again, with its store
intact, as an upgrade or an accident does.
"""

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from api import Api, ApiError
from keys import Keys
from topology import Host, end

SERVICES = "10.96.0.0/16"
PODS = "10.244.0.0/16"


def wait(what: str, holds: Callable[[], Any], seconds: float = 60, period: float = 0.2) -> Any:
    """Until `holds` gives something true; what it gave. An API server that is away counts as not yet."""
    until = time.monotonic() + seconds
    last: Exception | None = None
    while time.monotonic() < until:
        try:
            if found := holds():
                return found
        except (ConnectionError, ApiError) as error:
            last = error
        time.sleep(period)
    raise TimeoutError(f"waited {seconds:.0f} s for {what}" + (f" ({last})" if last else ""))


def start(host: Host, name: str, arguments: list[str], **options: Any) -> subprocess.Popen[bytes]:
    """Start a component with a log of its own."""
    with (host.network.folder / f"{name}.log").open("ab") as log:
        return host.start(arguments, stdout=log, stderr=log, **options)


class ControlPlane:
    def __init__(self, host: Host, address: str, keys: Keys, programs: Path) -> None:
        self.host, self.address, self.keys, self.programs = host, address, keys, programs
        self.api = Api(host.netns, keys)
        self.folder = host.network.folder
        start(host, "etcd", ["etcd", "--data-dir", str(self.folder / "etcd"), "--listen-client-urls", "http://127.0.0.1:2379",
                             "--advertise-client-urls", "http://127.0.0.1:2379", "--listen-peer-urls", "http://127.0.0.1:2380"])
        self.start_server()
        start(host, "kube-controller-manager", [
            str(programs / "kube-controller-manager"),
            f"--kubeconfig={keys.kubeconfig('controller-manager')}", f"--root-ca-file={keys.path('ca.crt')}",
            f"--service-account-private-key-file={keys.path('accounts.key')}", "--use-service-account-credentials",
            "--leader-elect=false", "--bind-address=127.0.0.1",
            # Nodes here send no heartbeats, and pods must not be driven off them for that.
            "--controllers=*,-node-lifecycle-controller,-taint-eviction-controller",
        ])

    def start_server(self) -> None:
        """Start the API server and wait until it is ready."""
        keys = self.keys
        self.server = start(self.host, "kube-apiserver", [
            str(self.programs / "kube-apiserver"), "--etcd-servers=http://127.0.0.1:2379", f"--advertise-address={self.address}",
            f"--service-cluster-ip-range={SERVICES}", "--authorization-mode=RBAC", f"--client-ca-file={keys.path('ca.crt')}",
            f"--tls-cert-file={keys.path('server.crt')}", f"--tls-private-key-file={keys.path('server.key')}",
            "--service-account-issuer=https://kubernetes.default.svc", f"--service-account-key-file={keys.path('accounts.pub')}",
            f"--service-account-signing-key-file={keys.path('accounts.key')}",
            "--kubelet-preferred-address-types=InternalIP",  # nobody resolves the nodes' names
        ])
        wait("the API server", self.is_ready)

    def is_ready(self) -> bool:
        if self.server.poll() is not None:
            raise RuntimeError(f"kube-apiserver ended with {self.server.returncode}; see its log")
        return self.api.ask("GET", "/readyz").get("text") == "ok"

    def kill_server(self) -> None:
        """End the API server at once: connections break, no goodbye."""
        self.server.kill()
        end(self.server)


def start_proxy(host: Host, node: str, keys: Keys, programs: Path) -> None:
    """kube-proxy, which translates Service addresses. Settings of the whole machine's connection tracking are left alone."""
    start(host, "kube-proxy", [
        str(programs / "kube-proxy"), f"--kubeconfig={keys.kubeconfig('proxy')}", f"--hostname-override={node}",
        "--proxy-mode=iptables", f"--cluster-cidr={PODS}", "--conntrack-max-per-core=0", "--conntrack-min=0",
        "--conntrack-tcp-timeout-established=0s", "--conntrack-tcp-timeout-close-wait=0s", "--iptables-min-sync-period=100ms",
    ])


def start_enforcer(host: Host, node: str, keys: Keys, programs: Path) -> subprocess.Popen[bytes]:
    """kube-router as the enforcer of NetworkPolicies and nothing else. It looks at what is forwarded to and from the node's pods, lets
    pass replies, what is permitted and what the node itself sends, and rejects the rest (`REJECT`, ICMP port unreachable)."""
    return start(host, "kube-router", [
        str(programs / "kube-router"), f"--kubeconfig={keys.kubeconfig('enforcer')}", f"--service-cluster-ip-range={SERVICES}",
        "--run-firewall=true", "--run-router=false", "--run-service-proxy=false", "--enable-cni=false", "--v=1",
    ], env={**os.environ, "NODE_NAME": node})
