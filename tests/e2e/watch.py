"""The ways in which the tool watches the node while a body runs, and learns.

In: the application, the folder for the policies. Out: the policies, when the body has ended. A way is a context manager, so that every
event can be watched in every way.
"""

import contextlib
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from application import Application
from control import start, wait
from loop import Loop
from steps import Failure, expect, say
from tap import recording
from topology import end

Way = Callable[[Application, Path], AbstractContextManager[None]]
KEPT = 2048  # bytes of a frame: all headers and DNS


@contextlib.contextmanager
def offline(application: Application, output: Path) -> Iterator[None]:
    """tcpdump on the node, and the inventory asked for again and again; what the tool can do without watching by itself."""
    ground = application.ground
    capture, snapshots = ground.folder / "node-1.pcap", ground.folder / "snapshots"
    snapshots.mkdir()
    count = 0

    def snapshot() -> None:
        nonlocal count
        count += 1
        application.must("inventory", "--kubeconfig", str(application.reader), "--output", str(snapshots / f"{count:03}.json"))

    snapshot()
    asking = Loop("inventory", 0.3, snapshot)
    try:
        with recording(capture, [(ground.node_1, "any")], length=KEPT), application.visits():
            yield
    finally:
        asking.stop()
    asking.check()
    snapshot()
    say(application.must("learn", "--read", str(capture), "--inventory", str(snapshots), "--output", str(output)))


class Program:
    """The tool at work on the node, beside a scenario. `shell` is a script that runs it as `"$@"`; options are those of `Popen`."""

    def __init__(self, application: Application, *arguments: str, name: str = "", shell: str = "", **options: Any) -> None:
        self.name = name or arguments[0]
        self.log = application.ground.folder / f"netpol-gen-{self.name}.log"
        wrapped = ["sh", "-c", shell, "sh"] if shell else []
        command = [*wrapped, str(application.tool), *arguments]
        self.process = start(application.ground.node_1, f"netpol-gen-{self.name}", command, **options)

    def told(self) -> str:
        return self.log.read_text(errors="replace")

    def is_capturing(self) -> bool:
        """Whether it has a packet socket; said by the kernel."""
        expect(self.process.poll() is None, f"{self.name} ended at once with {self.process.returncode}\n{self.told()}")
        process = Path(f"/proc/{self.process.pid}")
        inodes = {f"socket:[{line.split()[-1]}]" for line in (process / "net" / "packet").read_text().splitlines()[1:]}
        return any(str(link.readlink()) in inodes for link in (process / "fd").iterdir() if link.is_symlink())

    def kill(self) -> None:
        """`kill -9`."""
        expect(self.process.poll() is None, f"{self.name} ended before it was killed, with {self.process.returncode}\n{self.told()}")
        self.process.kill()
        self.process.wait(10)

    def interrupt(self) -> str:
        """Ctrl-C, which ends it in order; what it told."""
        self.process.send_signal(signal.SIGINT)
        return self.finish(20)

    def finish(self, seconds: float, code: int = 0) -> str:
        """What it told, once it has ended by itself, with this exit code."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            end(self.process)
            raise Failure(f"{self.name} did not end by itself\n{self.told()}") from None
        expect(self.process.returncode == code, f"{self.name}: exit {self.process.returncode}\n{self.told()}")
        return self.told()


def live(seconds: int) -> Way:
    """`learn --duration`: one command on the node, with nothing but what the shipped ClusterRole allows."""
    @contextlib.contextmanager
    def way(application: Application, output: Path) -> Iterator[None]:
        program = Program(application, "learn", "--duration", f"{seconds}s", "--interface", "any",
                          "--kubeconfig", str(application.reader), "--output", str(output))
        wait("the capture", program.is_capturing, 10)
        with application.visits():
            yield
            say(program.finish(seconds + 30))
    return way
