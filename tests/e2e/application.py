"""The application that the scenarios watch, what it is meant to do, and the tool that watches it.

In: a running ground, the program under test. Out: the application's pods, ready; its traffic while a body runs; the policies put in
place; the truth that the matrix is compared with.
"""

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from control import wait
from ground import HERE, NODE, Ground
from matrix import Edge, Truth, are_denied, differences
from steps import Failure, expect, step
from topology import Host, end

SUBJECTS = frozenset({"shop", "billing", "quiet"})
CALLS = frozenset({
    Edge("outside/visitor", "shop/web", "TCP", 80),
    Edge("shop/web", "shop/api", "TCP", 5000),
    Edge("shop/api", "shop/db", "TCP", 6379),
    Edge("billing/worker", "shop/api", "TCP", 5000),
    Edge("billing/worker", "outside/payments", "TCP", 80),
})


def dns_of(*workloads: str) -> frozenset[Edge]:
    """Resolving names. Both protocols are allowed where one was seen: stated widening."""
    return frozenset(Edge(one, "kube-system/kube-dns", protocol, 53) for one in workloads for protocol in ("UDP", "TCP"))


BARRED = frozenset(edge for namespace, port in (("shop", 8080), ("billing", 8080), ("quiet", 80)) for edge in (
    Edge("outside/elsewhere", f"{namespace}/idle", "TCP", port), Edge(f"{namespace}/idle", "outside/elsewhere", "TCP", 80)))
OPEN = Truth(CALLS | BARRED)
LEARNED = Truth(CALLS | dns_of("shop/web", "shop/api", "billing/worker"), SUBJECTS)


@dataclass
class Result:
    code: int
    told: str


class Application:
    def __init__(self, ground: Ground, tool: Path) -> None:
        self.ground, self.tool = ground, tool

    def deploy(self) -> None:
        """Everything ready and the tool's ServiceAccount there."""
        ground = self.ground
        with step("the application stands", 90):
            ground.kubectl("apply", "-f", str(HERE / "shop" / "dns.yaml"))
            self.settle("kube-system", 1)
            ground.kubectl("apply", "-f", str(HERE / "shop" / "shop.yaml"))
            self.settle("shop", 6)
            self.settle("billing", 2)
            self.settle("quiet", 1)
            self.reader = ground.reader()
            wait("an answer through all tiers", lambda: not self.buy(), 30)
        with step("without policies everything arrives"):
            self.compare(OPEN)

    def settle(self, namespace: str, count: int) -> None:
        def ready() -> bool:
            self.ground.check()
            pods = self.ground.api.items(f"/api/v1/namespaces/{namespace}/pods")
            conditions = [one["status"] for pod in pods for one in pod["status"].get("conditions", ()) if one["type"] == "Ready"]
            return len(pods) == count and conditions == ["True"] * count
        wait(f"{count} ready pods in {namespace}", ready)

    def buy(self) -> int:
        """One visit through all tiers; curl's exit code."""
        return subprocess.run(["ip", "netns", "exec", self.ground.hosts["visitor"].netns, "curl", "-sSf", "-o", "/dev/null", "-m", "5",
                               f"http://{NODE}:30080/"], check=False, capture_output=True).returncode

    @contextlib.contextmanager
    def visits(self) -> Iterator[None]:
        """A visitor who comes again and again while the body runs, five minutes at most."""
        visitor = self.ground.hosts["visitor"]
        program = visitor.start(["sh", "-c", f"for round in $(seq 600); do curl -sS -m 3 http://{NODE}:30080/; sleep 0.4; done"])
        try:
            yield
        finally:
            end(program)

    def command(self, *arguments: str) -> list[str]:
        """The tool's command line, run on the node."""
        return ["ip", "netns", "exec", self.ground.node_1.netns, str(self.tool), *arguments]

    def run(self, *arguments: str, seconds: float = 120) -> Result:
        done = subprocess.run(self.command(*arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=seconds, check=False)
        return Result(done.returncode, done.stdout)

    def must(self, *arguments: str, seconds: float = 120) -> str:
        """Run the tool; it has to end well."""
        result = self.run(*arguments, seconds=seconds)
        expect(result.code == 0, f"netpol-gen {' '.join(arguments)}: exit {result.code}\n{result.told}")
        return result.told

    def enforce(self, policies: Path) -> None:
        """The way a person goes: a dry run by the server, the rules that allow, the default deny; under an enforcer at work."""
        with step("the API server takes the policies"):
            self.ground.kubectl("apply", "--dry-run=server", "-k", str(policies))
            self.ground.kubectl("apply", "--dry-run=server", "-k", str(policies / "_default-deny"))
        self.ground.enforce()
        with step("applied and enforced"):
            self.ground.kubectl("apply", "-k", str(policies))
            self.ground.kubectl("apply", "-k", str(policies / "_default-deny"))
            self.in_force()

    def in_force(self) -> None:
        """Until what is denied in each namespace, in both directions, is rejected. The default deny is applied last, and changes of
        policies reach the enforcer in their order: so what allows is in force by then."""
        def holds() -> bool:
            self.ground.check()
            return are_denied(self.ground, BARRED)
        wait("the enforcer", holds, 30)

    def compare(self, truth: Truth) -> None:
        wrong, count = differences(self.ground, truth)
        if wrong:
            raise Failure(f"{len(wrong)} of {count} pairs are not as meant:\n" + "\n".join(wrong))

    def prove(self, truth: Truth = LEARNED) -> None:
        """Under enforcement: what was learned opens anew, also through Services and by name; nothing else does."""
        with step("what was learned opens, nothing else does"):
            self.compare(truth)
        with step("the application works through Services and names"):
            expect(self.buy() == 0, "the visitor gets no answer")
            worker = self.pod("billing/worker")
            worker.run("curl", "-sSf", "-m", "5", "http://api.shop:8000/")
            worker.run("curl", "-sSf", "-m", "5", "http://payments.example.com/")

    def pod(self, workload: str) -> Host:
        """The namespace of a workload's first pod."""
        namespace, name = workload.split("/")
        pods = self.ground.api.items(f"/api/v1/namespaces/{namespace}/pods?labelSelector=app%3D{name}")
        return next(one.host for pod in pods if (one := self.ground.kubelet.running.get(pod["metadata"]["uid"])))
