"""The circle without a live capture: tcpdump on the node, the inventory asked for again and again, then policies, then the proof."""

from application import CALLS, REPORT, SUBJECTS, WIDENED, Application
from control import wait
from ground import HERE
from loop import Loop
from matrix import Edge, Truth
from steps import step
from tap import recording


def run_job(application: Application) -> None:
    """A job that talks once; until its object is gone."""
    ground = application.ground
    ground.kubectl("apply", "-f", str(HERE / "shop" / "report.yaml"))
    ground.kubectl("wait", "--for=condition=complete", "--timeout=30s", "-n", "billing", "job/report")
    wait("the job to be gone", lambda: not ground.api.items("/apis/batch/v1/namespaces/billing/jobs"), 30)


def offline_circle(application: Application) -> None:
    ground = application.ground
    capture, snapshots, output = ground.folder / "node-1.pcap", ground.folder / "snapshots", ground.folder / "policies"
    snapshots.mkdir()
    count = 0

    def snapshot() -> None:
        nonlocal count
        count += 1
        application.must("inventory", "--kubeconfig", str(application.reader), "--output", str(snapshots / f"{count:03}.json"))

    with step("recorded, with a job that comes and goes", 120):
        snapshot()
        asking = Loop("inventory", 0.3, snapshot)
        try:
            with recording(capture, [(ground.node_1, "any")], length=2048), application.visits():
                run_job(application)
                wait("visits", lambda: ground.check() or count > 12, 60)
        finally:
            asking.stop()
        asking.check()
        snapshot()
    with step("learned"):
        print(application.must("learn", "--read", str(capture), "--inventory", str(snapshots), "--output", str(output)))
    enforcer = application.enforce(output)
    application.prove()
    with step("the job works again"):
        run_job(application)
        application.in_force(enforcer)


SCENARIOS = {"offline-circle": offline_circle}
