"""The plan, carried out as it is printed: each command of PLAN.md is run by bash with kubectl, in the plan's order.

After each step every pair is tried: what was learned opens, and what the plan said becomes isolated is denied all else; who is not yet
isolated is denied nothing. Then each step is undone, last first, and the cluster's policies are what they were before it, to the byte;
at last all steps are taken again and The way back is gone. Policies of somebody else are there from the beginning, two of them under names
of learned ones.

What is not as it would be elsewhere: each step is recorded for seconds instead of an hour, and ended by Ctrl-C. There are no images: what
the probe calls is a stand-in (`shop/agnhost`), and kubectl falls back from attaching to reading logs. Calico is not there: what its API
would take is tried (`calico/staged.yaml` has its fields), what it would report is not.
"""

import json
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import plan
from api import Object
from application import LEARNED, OPEN, SUBJECTS, Application
from control import wait
from events import run_job
from ground import HERE
from matrix import DENIED, Edge, Truth, differences
from plan import Section, Shell
from scenarios.circle import prove_job
from steps import Failure, expect, say, step
from watch import Program, live

STEPS = ("allow rules", "ingress deny", "egress deny")
# What stands against a look of seconds at a cluster of which some is idle on purpose.
ACCEPTED = ("exposed-not-opened", "start-not-seen", "workload-without-traffic", "namespace-without-traffic", "few-connections", "new-edge-late")
POLICIES = "policies"
NETWORK_POLICIES = "/apis/networking.k8s.io/v1/networkpolicies"
STAGED = "/apis/projectcalico.org/v3/stagedkubernetesnetworkpolicies"
Specs = dict[str, str]  # as the API server has them, by namespace/name


@dataclass(frozen=True)
class Between(Truth):
    """Between two steps: some workloads are isolated in one direction, others not yet."""

    ingress: frozenset[str] = frozenset()
    egress: frozenset[str] = frozenset()

    def verdict(self, edge: Edge) -> frozenset[str]:
        if edge in self.allowed:
            return frozenset({"open"})
        is_denied = edge.originator in self.egress or edge.responder in self.ingress
        return DENIED if is_denied else frozenset({"open", "refused"})


def by_name(objects: list[Object]) -> Specs:
    return {f"{one['metadata']['namespace']}/{one['metadata']['name']}": json.dumps(one["spec"], sort_keys=True) for one in objects}


def specs(application: Application, path: str = NETWORK_POLICIES) -> Specs:
    return by_name(application.ground.api.items(path))


def expect_specs(application: Application, meant: Specs, when: str) -> None:
    found = specs(application)
    for name in sorted(meant.keys() | found.keys()):
        expect(meant.get(name) == found.get(name), f"{when}, {name} is\n{found.get(name)}\nand not\n{meant.get(name)}")


def settled(application: Application, namespace: str) -> bool:
    """Whether no pod comes or goes, and what ran once is over."""
    application.ground.check()
    pods = application.ground.api.items(f"/api/v1/namespaces/{namespace}/pods")
    return all("deletionTimestamp" not in pod["metadata"] and is_there(pod) for pod in pods)


def is_there(pod: Object) -> bool:
    """Whether a pod is ready, or over if it is one that ends."""
    if pod["spec"]["restartPolicy"] != "Always":
        return pod["status"].get("phase") == "Succeeded"
    return any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", ()))


def in_force(application: Application, truth: Truth) -> None:
    """What is meant, once the enforcer has followed. The pairs are tried a last time then, so what is found wrong is told."""
    with suppress(TimeoutError):
        wait("the enforcer", lambda: not differences(application.ground, truth)[0], 30)
    application.compare(truth)


@contextmanager
def recorded(application: Application, shell: Shell, lines: list[str]) -> Iterator[None]:
    """What the plan has recorded in terminals of their own: the inventory and the flows, while the body runs."""
    programs = []
    for line in lines:
        word, *arguments = shlex.split(line)
        expect(word == "netpol-gen", line)
        programs.append(Program(application, *arguments, cwd=shell.folder, env=shell.surroundings))
        output = shell.folder / arguments[arguments.index("--output") + 1]
        wait(line, lambda output=output: output.exists() and output.stat().st_size, 10)
    inventory, capture = programs
    wait("the capture", capture.is_capturing, 10)
    with application.visits():
        yield
    capture.interrupt()
    inventory.interrupt()


def learn(application: Application, shell: Shell) -> None:
    """From the application's traffic, a job that is gone when it is over and a CronJob that is run by hand."""
    ground = application.ground
    with step("watched and learned", 120):
        ground.kubectl("apply", "-f", str(HERE / "shop" / "nightly.yaml"))
        with live(20)(application, shell.folder / POLICIES):
            time.sleep(3)
            ground.kubectl("create", "job", "-n", "billing", "--from", "cronjob/nightly", "nightly-by-hand")
            run_job(application)
            ground.kubectl("wait", "-n", "billing", "job/nightly-by-hand", "--for=condition=complete", "--timeout=30s")
    with step("the API server takes all that was written, by the strictest reading"):
        for written in sorted((shell.folder / POLICIES).rglob("kustomization.yaml")):
            ground.kubectl("apply", "--dry-run=server", "--validate=strict", "-k", str(written.parent))


def watch_longer(application: Application, shell: Shell) -> None:
    """What the plan has done to gather what is missing."""
    sections = make_plan(shell)
    expect("**Not ready:**" in sections[1].lines[0], "\n".join(sections[1].lines))
    lines = next(found for one in sections if (found := one.find("To gather what is missing")))
    record, rest = lines[:2], lines[2:]
    learning = next(number for number, line in enumerate(rest) if line.startswith("netpol-gen learn"))
    with step("watched longer, with restarts", 120):
        with recorded(application, shell, record):
            say(shell.paste(rest[:learning]))
            for name in SUBJECTS:
                wait("the restarted pods", lambda name=name: settled(application, name), 40)
            time.sleep(3)
        told = shell.paste(rest[learning:])
        expect("no difference: the same connections are possible" in told, told)


def make_plan(shell: Shell, *accepted: str) -> list[Section]:
    accept = [word for reason in accepted for word in ("--accept", reason)]
    say(shell.paste([shlex.join(["netpol-gen", "plan", "--policies", POLICIES, "--output", POLICIES, "--staged", "calico",
                                 "--min-watched", "1s", "--max-chance", "100%", *accept])]))
    return plan.read(shell.folder / POLICIES / "PLAN.md")


def before_the_first_step(application: Application, shell: Shell, section: Section) -> None:
    ground = application.ground
    with step("the probe tells that policies are enforced", 90):
        told = shell.paste(section.block("Find out whether policies are enforced"))
        before, after = told.split("networkpolicy.networking.k8s.io/deny created")
        expect("reached\n" in before and "reached" not in after and "REFUSED" in after, told)
    with step("what is there is kept"):
        shell.paste(section.block("Save the present policies"))
        expect("name: kept" in (shell.folder / "networkpolicies-before.yaml").read_text(), "the policy of someone else was not kept")
    with step("Calico's resource takes the dry run"):
        ground.kubectl("apply", "-f", str(HERE / "calico" / "staged.yaml"))
        staged, remove = section.block("Dry run on live traffic"), section.block("Then watch the flow logs")
        wait("the resource", lambda: "StagedKubernetesNetworkPolicy" in shell.paste(staged[:1]), 20)
        ground.kubectl("apply", "--dry-run=server", "--validate=strict", "-k", str(shell.folder / POLICIES / "_staged"))
        refused(application, next((shell.folder / POLICIES / "_staged").rglob("default-deny-all.yaml")))
        shell.paste(staged)
        found = specs(application, STAGED)
        written = json.loads(ground.kubectl("apply", "--dry-run=client", "-o", "json", "-k", str(shell.folder / POLICIES / "_staged")))
        expect(found and found == by_name(written["items"]), f"{found}\nis not\n{written}")
        shell.paste(remove)
        expect(not specs(application, STAGED), "something of the dry run was left")


def refused(application: Application, file: Path) -> None:
    """A field that Calico does not have is noticed; else the resource here would prove nothing."""
    try:
        application.ground.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-",
                                   given=file.read_text().replace("podSelector", "podSelectors"))
    except RuntimeError as error:
        expect('unknown field "spec.podSelectors"' in str(error), str(error))
    else:
        raise Failure("a field that nobody knows was taken")


def take(application: Application, shell: Shell, section: Section, so_far: Between) -> Between:
    """One step, and what is so afterwards."""
    truth = replace(so_far, ingress=so_far.ingress | isolated(section, "ingress"), egress=so_far.egress | isolated(section, "egress"))
    expect(truth != so_far, f"{section.heading}: nobody is isolated by it, so nothing tells whether it was done")
    with step(section.heading, 180):
        with recorded(application, shell, section.block("Start recording")):
            shell.paste(applying(section))
            shell.paste(section.block("Restart, so that connections are opened again"))
            wait("the restarted pods", lambda: settled(application, namespace(section)), 40)
            time.sleep(2)
        told = shell.paste(section.block("Watch. When both recordings have ended, verify"))
        expect(", 0 denied\n" in told, told)
        in_force(application, truth)
    return truth


def applying(section: Section) -> list[str]:
    return section.find("Look at what would change, then apply") or section.block("Apply")


def namespace(section: Section) -> str:
    return section.heading.split(",")[0]


def isolated(section: Section, direction: str) -> frozenset[str]:
    return frozenset(f"{namespace(section)}/{name}" for name in section.isolates(direction))


def circle(application: Application) -> None:
    ground = application.ground
    shell = Shell(application, ground.folder / "work")
    shell.folder.mkdir()
    ground.kubectl("create", "-f", str(HERE / "shop" / "before.yaml"))
    learn(application, shell)
    watch_longer(application, shell)
    sections = make_plan(shell, *ACCEPTED)
    expect("**Ready:**" in sections[1].lines[0], "\n".join(sections[1].lines))
    ground.enforce()
    before_the_first_step(application, shell, next(one for one in sections if one.heading == "Before the first step"))
    steps = [one for one in sections if one.heading.split(", ")[-1] in STEPS]
    expect(len(steps) == 8, f"{len(steps)} steps for three namespaces, of which one has nothing to allow")
    before, truth = [], Between(LEARNED.allowed)
    for one in steps:
        before.append(specs(application))
        truth = take(application, shell, one, truth)
    application.prove(LEARNED)
    prove_job(application)
    for one, was in zip(reversed(steps), reversed(before), strict=True):
        with step(f"undone: {one.heading}"):
            shell.paste(one.block("Undo"))
            expect_specs(application, was, f"after undoing {one.heading}")
    with step("all is open again"):
        in_force(application, OPEN)
    with step("all steps again, and the way back", 120):
        for one in steps:
            shell.paste(applying(one))
            # Faster than any person; kubectl restarts nothing twice within a second.
            shell.paste([line for line in one.block("Restart, so that connections are opened again") if " job " in line])
        wait("the jobs", lambda: settled(application, "billing"), 40)
        in_force(application, LEARNED)
        shell.paste(next(one for one in sections if one.heading == "How to undo everything").block("All steps that remain, last step first"))
        expect_specs(application, before[0], "on the way back")
        in_force(application, OPEN)


SCENARIOS = {"plan-circle": circle}
