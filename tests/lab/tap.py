"""Recording: tcpdump on one interface of one namespace, surely running before the first packet and surely drained at the end."""

import contextlib
import os
import re
import signal
import subprocess
import time

import capturefile

DRAIN = 0.6  # seconds for the last frames to pass from the kernel to the file


class Tap:
    """tcpdump. `length` is what it keeps of a frame; 0 keeps all, and makes room for few frames at a time: not for a busy wire."""

    def __init__(self, host, interface, path, nanoseconds=False, length=0):
        arguments = ["tcpdump", "-n", "-U", "--immediate-mode", "-B", "16384", "-Z", "root", "-s", str(length), "-i", interface,
                     "-w", str(path)]
        if interface == "any":
            arguments += ["-y", "LINUX_SLL2"]
        if nanoseconds:
            arguments.append("--time-stamp-precision=nano")
        self.where = f"{host.name} {interface}"
        self.program = host.start(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.said = b""
        while b"listening on" not in self.said:
            line = self.program.stderr.readline()
            if not line:
                raise RuntimeError(f"tcpdump on {self.where}: {self.said.decode()}")
            self.said += line

    def stop(self):
        os.killpg(self.program.pid, signal.SIGINT)
        self.said += self.program.stderr.read()
        self.program.wait(timeout=10)
        lost = re.search(rb"(\d+) packets dropped by kernel", self.said)
        if not lost or int(lost[1]):
            raise RuntimeError(f"tcpdump on {self.where} lost packets: {self.said.decode()}")


@contextlib.contextmanager
def recording(target, taps, nanoseconds=False, length=0):
    """Record while the body runs. `taps` are (host, interface) pairs; several become one file, merged by time."""
    folder = taps[0][0].network.folder
    parts = [folder / f"tap-{n}.pcap" for n in range(len(taps))]
    running = [Tap(host, interface, part, nanoseconds, length) for (host, interface), part in zip(taps, parts, strict=True)]
    time.sleep(1.2)  # object times have whole seconds: what stood before must be clearly earlier than the first packet
    yield
    time.sleep(DRAIN)
    for tap in running:
        tap.stop()
    capturefile.merge(target, parts, nanoseconds)
