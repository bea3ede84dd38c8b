"""Hours in minutes: a live `learn` while pods come and go, connections are opened by the thousand and the API server fails again and again.
Memory, open files and threads must stay what they are once the program has warmed up.

Runs in a network namespace of its own that holds a veth pair and nothing else. Needs root.

    python3 tests/soak/run.py PROGRAM [--minutes N] [--rate CONNECTIONS_A_SECOND]

Prints the figures of each ten seconds' end, then the first after the warm-up and the last; exit code 1 if one has grown, if the run did not
end well, or if it wrote no policies.
"""

import argparse
import ctypes
import os
import pathlib
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "bench"))

from api import Object, Store, serve  # noqa: E402
from live import connection, frame  # noqa: E402

CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
CALLERS = [f"10.244.1.{host}" for host in range(2, 202)]
CALLED = [f"10.244.2.{host}" for host in range(2, 19)]
RESOLVER = "10.244.2.250"
# Conversations that are kept at a time: few, so that the table is full soon and stays so.
FLOWS = 50_000
EVERY = 10
# What the rest of a run may add: the history of pods that have gone is kept, some kilobytes each.
MORE_MEMORY = 1.10
MORE_MIB = 16
MORE_FILES = 8
MORE_THREADS = 1


def pod(address: str, number: int) -> Object:
    """A pod of the workload that the address belongs to; the next one with the same address is another pod."""
    part, host = (int(word) for word in address.split(".")[2:])
    app = "resolver" if address == RESOLVER else f"app-{part}-{host % 10}"
    return {
        "metadata": {
            "name": f"{app}-{host}-{number}", "namespace": "soak", "uid": f"{app}-{host}-{number}", "labels": {"app": app},
            "creationTimestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": app, "uid": app, "controller": True}],
        },
        "spec": {"nodeName": "node-1", "containers": [{"name": "app", "ports": [{"containerPort": 8080}]}]},
        "status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]},
    }


class Cluster:
    """The objects that the API serves, some of which change every second."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.pods = {address: 0 for address in [*CALLERS, *CALLED, RESOLVER]}
        for namespace in ("soak", "default", "kube-system"):
            store.apply("/api/v1/namespaces", {"metadata": {"name": namespace, "labels": {"kubernetes.io/metadata.name": namespace}}})
        node = {"metadata": {"name": "node-1"}, "spec": {"podCIDR": "10.244.0.0/16"}, "status": {"addresses": [{"type": "InternalIP", "address": "10.0.0.1"}]}}
        store.apply("/api/v1/nodes", node)
        service = {"metadata": {"name": "resolver", "namespace": "soak"}, "spec": {"clusterIP": "10.96.0.10", "selector": {"app": "resolver"}, "ports": [{"port": 53, "protocol": "UDP"}]}}
        store.apply("/api/v1/services", service)
        for address in self.pods:
            store.apply("/api/v1/pods", pod(address, 0))

    def replace(self, address: str) -> None:
        number = self.pods[address]
        self.store.delete("/api/v1/pods", "soak", pod(address, number)["metadata"]["name"])
        self.pods[address] = number + 1
        self.store.apply("/api/v1/pods", pod(address, number + 1))


def churn(store: Store, cluster: Cluster, second: int) -> None:
    """What happens to the cluster in one second."""
    addresses = list(cluster.pods)
    cluster.replace(addresses[second % len(addresses)])
    if second % 20 == 10:
        store.cut()
    if second % 45 == 30:
        store.compact()
    if second % 60 in (50, 55):
        store.set_down(second % 60 == 50)


def resolution(number: int) -> list[bytes]:
    """A question of a pod, and its answer."""
    caller, resolver = (socket.inet_aton(address) for address in (CALLERS[number % len(CALLERS)], RESOLVER))
    name = b"".join(bytes([len(label)]) + label for label in (f"name-{number % 50}".encode(), b"example", b"com")) + b"\0"
    question = name + struct.pack(">HH", 1, 1)
    answer = b"\xc0\x0c" + struct.pack(">HHIH4s", 1, 1, 30, 4, bytes([203, 0, 113, number % 50]))
    asked = struct.pack(">HHHHHH", number & 0xFFFF, 0x0100, 1, 0, 0, 0) + question
    answered = struct.pack(">HHHHHH", number & 0xFFFF, 0x8180, 1, 1, 0, 0) + question + answer
    port = 40_000 + number % 20_000

    def datagram(source: bytes, destination: bytes, ports: tuple[int, int], payload: bytes) -> bytes:
        udp = struct.pack(">HHHH", *ports, 8 + len(payload), 0) + payload
        internet = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0x4000, 64, 17, 0, source, destination)
        return frame(source, destination, (0, 0), 0, 0, 0)[:14] + internet + udp

    return [datagram(caller, resolver, (port, 53), asked), datagram(resolver, caller, (53, port), answered)]


def send(rate: int) -> None:
    """Sends connections until it is ended; a process of its own."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    out.bind(("sent", 0))
    begin, number = time.monotonic(), 0
    while True:
        due = int((time.monotonic() - begin) * rate)
        # What could not be sent in time is not caught up with.
        number = max(number, due - rate // 2)
        for number in range(number, due):
            frames = [*connection(number, 8), *(resolution(number) if number % 100 == 0 else [])]
            for data in frames:
                try:
                    out.send(data)
                except OSError:
                    time.sleep(0.001)
        number = due
        time.sleep(0.01)


def family(process: int) -> list[int]:
    """The process and those that it has started."""
    parents = {}
    for entry in pathlib.Path("/proc").iterdir():
        try:
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
    found = [process]
    for known in found:
        found.extend(child for child, parent in parents.items() if parent == known)
    return found


def figures(process: int) -> tuple[float, int, int]:
    """MiB in memory, open files, threads."""
    memory, files, threads = 0.0, 0, 0
    for one in family(process):
        try:
            status = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{one}/status").read_text().splitlines())
            memory += int(status["VmRSS"].split()[0]) / 1024
            threads += int(status["Threads"])
            files += len(os.listdir(f"/proc/{one}/fd"))
        except (OSError, KeyError):
            continue
    return memory, files, threads


def prepare() -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        raise SystemExit(f"a network namespace of its own is needed: {os.strerror(ctypes.get_errno())}; run as root")
    for words in ("link set lo up", "link add sent type veth peer name seen", "link set sent up", "link set seen up"):
        subprocess.run(["ip", *words.split()], check=True)


def middle(samples: list[tuple[float, int, int]]) -> tuple[float, int, int]:
    memory, files, threads = zip(*samples, strict=True)
    return statistics.median(memory), int(statistics.median(files)), int(statistics.median(threads))


def soak(program: str, minutes: float, rate: int) -> int:
    prepare()
    store = Store()
    cluster = Cluster(store)
    server = serve(store)
    seconds = int(minutes * 60)
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        directory.chmod(0o777)
        config = directory / "config"
        user = "users: [{name: u, user: {token: soak}}]\ncontexts: [{name: here, context: {cluster: c, user: u}}]\n"
        config.write_text(f"apiVersion: v1\nkind: Config\ncurrent-context: here\nclusters: [{{name: c, cluster: {{server: '{server}'}}}}]\n{user}")
        command = [program, "learn", "--interface", "seen", "--duration", f"{seconds}s", "--every", "5s", "--flows", str(FLOWS), "--no-decisions"]
        command += ["--kubeconfig", str(config), "--record", str(directory / "record"), "--output", str(directory / "policies")]
        sender = os.fork()
        if sender == 0:
            send(rate)
        said = directory / "said"
        running = subprocess.Popen(command, cwd=directory, stdout=subprocess.DEVNULL, stderr=said.open("w"))
        samples = []
        try:
            begin = time.monotonic()
            for second in range(seconds + 120):
                time.sleep(max(0.0, begin + second - time.monotonic()))
                if running.poll() is not None:
                    break
                if second < seconds:
                    churn(store, cluster, second)
                if second % EVERY == EVERY - 1 and second < seconds - 5:
                    samples.append(figures(running.pid))
                    memory, files, threads = samples[-1]
                    print(f"{second + 1:6} s: {memory:7.1f} MiB, {files:3} files, {threads:3} threads", flush=True)
        finally:
            os.kill(sender, signal.SIGKILL)
            os.waitpid(sender, 0)
            store.set_down(False)
            if running.poll() is None:
                running.kill()
                running.wait()
        text = said.read_text()
        written = sorted(path for path in (directory / "policies").rglob("allow-*.yaml"))
    replaced = sum(cluster.pods.values())
    print(f"{replaced} pods replaced, {store.lists} lists, {store.watches} watches, {store.gone} of them answered with 410")
    print("\n".join(line for line in text.splitlines() if line.startswith(("read:", "flows:", "error:", "hint:", "proof:"))))
    warm = [sample for position, sample in enumerate(samples) if (position + 1) * EVERY > min(120, seconds // 4)]
    if len(warm) < 8:
        print("too short: less than 80 seconds after the warm-up")
        return 1
    first, last = middle(warm[:4]), middle(warm[-4:])
    for label, sample in (("first", first), ("last", last)):
        print(f"{label:5}: {sample[0]:.1f} MiB, {sample[1]} files, {sample[2]} threads")
    wrong = []
    if last[0] > first[0] * MORE_MEMORY + MORE_MIB:
        wrong.append("memory has grown")
    if last[1] > first[1] + MORE_FILES:
        wrong.append("open files have grown")
    if last[2] > first[2] + MORE_THREADS:
        wrong.append("threads have grown")
    if running.returncode != 0:
        wrong.append(f"the run ended with exit code {running.returncode}:\n{text[-3000:]}")
    if not written:
        wrong.append("no policy was written")
    print("\n".join(wrong) or "memory, open files and threads are flat")
    return 1 if wrong else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=lambda path: str(pathlib.Path(path).resolve()))
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=int, default=2000, help="connections a second, of 8 packets each")
    arguments = parser.parse_args()
    return soak(arguments.program, arguments.minutes, arguments.rate)


if __name__ == "__main__":
    sys.exit(main())
