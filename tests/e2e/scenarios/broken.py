"""What goes wrong at the capture itself: killed without warning, or left without room on the disk."""

import time

from application import Application
from control import wait
from steps import expect, step
from watch import Program

ROOM = 4  # KiB that are left for the flow file


def capture_killed(application: Application) -> None:
    """`kill -9` of a capture: what its flow file has by then is enough, read as it is and with --resume."""
    folder = application.ground.folder
    flows, inventory = folder / "node-1.flows.zst", folder / "cluster.inventory.zst"
    with step("captured, killed", 180):
        watching = Program(application, "inventory", "--watch", "90s", "--kubeconfig", str(application.reader), "--output", str(inventory))
        program = Program(application, "capture", "--duration", "120s", "--interface", "any", "--output", str(flows))
        wait("the capture", program.is_capturing, 10)
        with application.visits():
            time.sleep(10)
            size = flows.stat().st_size
            wait("another checkpoint", lambda: flows.stat().st_size > size, 60)
        program.process.kill()
        program.process.wait(10)
        watching.finish(120)
    read = ("--read", str(flows), "--inventory", str(inventory))
    with step("learned from the unfinished file"):
        application.must("learn", *read, "--output", str(folder / "policies"))
        application.must("learn", *read, "--resume", "--output", str(folder / "resumed"))
    application.enforce(folder / "policies")
    application.prove()


def disk_full(application: Application) -> None:
    """A flow file that finds no room: the run says so and ends in order; what was written can be read.

    The small disk is mounted where only the program and its shell see it, and is gone with them.
    """
    folder = application.ground.folder
    disk, kept = folder / "disk", folder / "kept.flows.zst"
    disk.mkdir()
    script = (f"mount -t tmpfs -o size=64k e2e {disk} && dd if=/dev/zero of={disk}/filler bs=1k count={64 - ROOM} status=none && "
              f"{application.tool} capture --duration 20s --interface any --output {disk}/node-1.flows.zst; "
              f"code=$?; cp {disk}/node-1.flows.zst {kept}; exit $code")
    log = folder / "disk-full.log"
    with step("captured onto a full disk", 60), application.visits(), log.open("wb") as told:
        program = application.ground.node_1.start(["sh", "-c", script], stdout=told, stderr=told)
        code = program.wait(50)
    said = log.read_text(errors="replace")
    expect(code in (1, 2), f"exit {code}, must be 1 or 2\n{said}")
    expect("no space" in said.lower() or "full" in said.lower(), f"the full disk is not said\n{said}")
    expect("panicked" not in said, said)
    with step("what was written is read"):
        inventory = folder / "cluster.json"
        application.must("inventory", "--kubeconfig", str(application.reader), "--output", str(inventory))
        result = application.run("learn", "--read", str(kept), "--inventory", str(inventory), "--output", str(folder / "policies"))
        expect("panicked" not in result.told and result.code in (0, 1, 2), f"exit {result.code}\n{result.told}")


SCENARIOS = {"capture-killed": capture_killed, "disk-full": disk_full}
