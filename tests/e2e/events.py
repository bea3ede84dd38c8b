"""What happens in the cluster while it is watched, and what that adds to the truth.

Each event leaves the cluster with all learned workloads running, so that the matrix can be tried afterwards; jobs are gone by then and
are tried by running them again.
"""

import time

from application import Application, dns_of
from control import wait
from ground import HERE
from matrix import Edge
from steps import expect

AUDITOR = frozenset({Edge("billing/auditor", "outside/elsewhere", "TCP", 80)}) | dns_of("billing/auditor")
RESUMED = 6  # seconds; a watch pauses three at the most between two tries


def run_job(application: Application, name: str = "report", delay: int = 0, ends: str = "complete") -> None:
    """A job that makes one call; until its object is gone. `ends` is the condition it has to end in."""
    ground = application.ground
    manifest = (HERE / "shop" / "report.yaml").read_text().replace("NAME", name).replace("DELAY", str(delay))
    ground.kubectl("apply", "-f", "-", given=manifest)
    ground.kubectl("wait", f"--for=condition={ends}", "--timeout=30s", "-n", "billing", f"job/{name}")
    jobs = "/apis/batch/v1/namespaces/billing/jobs"
    wait("the job to be gone", lambda: name not in {job["metadata"]["name"] for job in ground.api.items(jobs)}, 30)


def quiet_days(application: Application) -> None:
    """Nothing but a job that comes and goes."""
    time.sleep(3)
    run_job(application)
    time.sleep(3)


def addresses_change_hands(application: Application) -> None:
    """The worker goes, another pod gets its address at once and makes other calls, the worker comes back elsewhere. Both make
    their calls also in seconds in which the address is theirs alone."""
    ground = application.ground
    time.sleep(3)
    old = application.pod("billing/worker").addresses
    ground.kubectl("scale", "-n", "billing", "deployment/worker", "--replicas=0")
    wait("the worker to be gone", lambda: all(one.host.addresses != old for one in list(ground.kubelet.running.values())), 20)
    ground.kubectl("apply", "-f", str(HERE / "shop" / "auditor.yaml"))
    application.settle("billing", 2)
    expect(application.pod("billing/auditor").addresses == old, "the freed address did not go to the next pod")
    time.sleep(4)
    ground.kubectl("scale", "-n", "billing", "deployment/worker", "--replicas=1")
    application.settle("billing", 3)
    time.sleep(3)


def api_goes_away(application: Application) -> None:
    """The API server is killed and comes back some seconds later; what happens once the watch is taken up again is attributed.

    A pod that comes and goes before that is known to nobody, and said to be so.
    """
    ground = application.ground
    time.sleep(3)
    ground.control.kill_server()
    time.sleep(4)
    ground.control.start_server()
    time.sleep(RESUMED)
    run_job(application)
    addresses_change_hands(application)
