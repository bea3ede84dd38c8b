"""What goes wrong at the capture itself: killed without warning, or left without room on the disk."""

import errno
import json
import time
from collections.abc import Callable
from pathlib import Path

from application import Application
from control import wait
from events import run_job
from scenarios.circle import prove_job
from steps import expect, say, step
from watch import Program

DISK = 256  # KiB; more than the flow file needs
CUT = "truncated-file"
LOST = "recording-incomplete"
FULL = "No space left on device"


def policies_of(application: Application, folder: Path) -> dict[tuple[str, str], object]:
    """What the policies in a folder say to kubectl, without how it is written or why."""
    found = {}
    for part in (folder, folder / "_default-deny"):
        listed = json.loads(application.ground.kubectl("apply", "--dry-run=client", "-o", "json", "-k", str(part)))
        found |= {(one["metadata"]["namespace"], one["metadata"]["name"]): one["spec"] for one in listed["items"]}
    return found


def grows(*files: Path) -> Callable[[], bool]:
    """Whether all of these files have grown since now."""
    before = {file: file.stat().st_size for file in files}
    return lambda: all(file.stat().st_size > size for file, size in before.items())


def only(folder: Path, ending: str) -> Path:
    """The one file in a folder with this ending."""
    found = list(folder.glob(f"*{ending}"))
    expect(len(found) == 1, f"{len(found)} files end with {ending} in {folder}")
    return found[0]


def capture_killed(application: Application) -> None:
    """`kill -9` of everything that watches. What its files have by then is enough: read as they are, or gone on with by `--resume`, when
    nobody visits any more. `learn` and the pair of `capture` and `inventory --watch` do so beside each other."""
    folder = application.ground.folder
    record, flows, inventory = folder / "record", folder / "node-1.flows.zst", folder / "cluster.inventory.zst"
    cluster, tap = ("--kubeconfig", str(application.reader)), ("--interface", "any", "--every", "2s")
    learn = ("learn", "--duration", "40s", *tap, *cluster, "--record", str(record), "--output", str(folder / "resumed"))
    with step("watched, killed", 90):
        capturing = [Program(application, *learn), Program(application, "capture", "--duration", "120s", *tap, "--output", str(flows))]
        watching = Program(application, "inventory", "--watch", "120s", *cluster, "--output", str(inventory))
        for one in capturing:
            wait(f"{one.name} to capture", one.is_capturing, 10)
        with application.visits():
            time.sleep(5)
            for _ in range(2):
                wait("another checkpoint of each", grows(only(record, ".flows.zst"), flows), 20)
            for one in (*capturing, watching):
                one.kill()
    # Its directory is made before the run gives up its rights.
    expect(not list((folder / "resumed").rglob("*.yaml")), "policies of a run that was killed")
    for name, read, seen in (("learn", record, record), ("capture", flows, inventory)):
        with step(f"learned from unfinished files ({name})"):
            told = application.must("learn", "--read", str(read), "--inventory", str(seen), "--output", str(folder / f"from-{name}"))
            expect(CUT in told, f"no {CUT} is told\n{told}")
    with step("gone on with, without visits", 90):
        told = application.must(*learn, "--resume", seconds=80)
        expect(CUT in told, f"no {CUT} is told\n{told}")
    with step("the policies are the same"):
        resumed = policies_of(application, folder / "resumed")
        for name in ("learn", "capture"):
            killed = policies_of(application, folder / f"from-{name}")
            expect(killed == resumed, f"{name} that was killed makes other policies than what was gone on with")
    application.enforce(folder / "resumed")
    application.prove()


class SmallDisk:
    """A capture onto a small disk that only the program and its shell see, and that is gone with them. What was written is kept."""

    def __init__(self, application: Application, name: str) -> None:
        folder = application.ground.folder
        place, self.kept = folder / f"{name}.disk", folder / f"{name}.flows.zst"
        place.mkdir()
        shell = f'mount -t tmpfs -o size={DISK}k e2e {place} && "$@"; code=$?; cp {place}/node-1.flows.zst {self.kept}; exit $code'
        self.program = Program(application, "capture", "--duration", "30s", "--interface", "any", "--every", "1s",
                               "--output", f"{place}/node-1.flows.zst", name=name, shell=shell)
        inside = Path(f"/proc/{self.program.process.pid}/root{place}")
        self.flows, self.filler = inside / "node-1.flows.zst", inside / "filler"

    def is_written(self) -> bool:
        return self.flows.exists() and self.flows.stat().st_size > 0

    def fill(self) -> None:
        with self.filler.open("wb", buffering=0) as filler:
            try:
                for _ in range(DISK):
                    filler.write(bytes(1024))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise

    def is_full(self) -> bool:
        """Whether the program has noticed."""
        return FULL in self.program.told()


def disk_full(application: Application) -> None:
    """Two captures whose disks have no room any more: one stays so, one gets room again, after a job has come and gone."""
    folder = application.ground.folder
    inventory = folder / "cluster.inventory.zst"
    with step("captured onto full disks", 90):
        watching = Program(application, "inventory", "--watch", "45s", "--kubeconfig", str(application.reader), "--output", str(inventory))
        full, relieved = disks = SmallDisk(application, "full"), SmallDisk(application, "relieved")
        with application.visits():
            for disk in disks:
                wait("the flow file", disk.is_written, 10)
            time.sleep(3)
            wait("another checkpoint of each", grows(*(disk.flows for disk in disks)), 10)
            for disk in disks:
                disk.fill()
            for disk in disks:
                wait("the full disk to be told", disk.is_full, 15)
            run_job(application)
            relieved.filler.unlink()
            told = {"full": full.program.finish(40, code=2), "relieved": relieved.program.finish(40)}
        for text in told.values():
            expect("panicked" not in text, text)
        watching.finish(60)
    for disk, is_whole in ((full, False), (relieved, True)):
        name = disk.program.name
        with step(f"what was written is learned from ({name})"):
            learned = application.must("learn", "--read", str(disk.kept), "--inventory", str(inventory), "--output", str(folder / name))
            say(learned)
            expect((CUT in learned) != is_whole, f"{CUT}: must be {'un' if is_whole else ''}told\n{learned}")
            expect(LOST not in learned, f"something was lost\n{learned}")
    application.enforce(folder / "relieved")
    application.prove()
    prove_job(application)


SCENARIOS = {"capture-killed": capture_killed, "disk-full": disk_full}
