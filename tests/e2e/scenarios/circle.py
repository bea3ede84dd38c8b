"""The whole circle: watched, learned, applied, enforced, every pair tried. For every way of watching and every event.

A job is proved by running it again: late enough for the enforcer to know its pod, and beside one that was never learned, which fails.
"""

from collections.abc import Callable

import events
import watch
from application import LEARNED, SUBJECTS, Application
from events import run_job
from matrix import Truth
from steps import step
from watch import Way

JOB_DELAY = 4  # seconds; a new pod is filtered some tenths of a second after the API says that it runs, on a busy machine later
CHANGED = Truth(LEARNED.allowed | events.AUDITOR, SUBJECTS)


def prove_job(application: Application) -> None:
    with step("the job works again"):
        run_job(application, delay=JOB_DELAY)
    with step("a job that was not learned does not"):
        run_job(application, "intruder", delay=JOB_DELAY, ends="failed")


def circle(way: Way, event: Callable[[Application], None], truth: Truth, has_job: bool) -> Callable[[Application], None]:
    def scenario(application: Application) -> None:
        output = application.ground.folder / "policies"
        with step("watched and learned", 180), way(application, output):
            event(application)
        application.enforce(output)
        application.prove(truth)
        if has_job:
            prove_job(application)
    return scenario


SCENARIOS = {
    "offline-circle": circle(watch.offline, events.quiet_days, LEARNED, True),
    "offline-reuse": circle(watch.offline, events.addresses_change_hands, CHANGED, False),
    "live-circle": circle(watch.live(20), events.quiet_days, LEARNED, True),
    "live-reuse": circle(watch.live(35), events.addresses_change_hands, CHANGED, False),
    "live-api-restart": circle(watch.live(50), events.api_goes_away, CHANGED, True),
}
