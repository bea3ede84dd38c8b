"""At which rate does a live capture lose its first frame, and what does watching cost? Beside `tcpdump -w`, in the same run.

Runs in a network namespace of its own that holds a veth pair and nothing else, so nothing sent gets out and all is gone when the script ends, however it
does. Every blast is bounded in time. Both programs get a ring of 64 MB, whose pages cost the kernel 10 ms to 200 ms of processor time, as
memory happens to be: what a program took before the first packet is told apart. Needs root, tcpdump and tcpreplay.

    python3 tests/bench/live.py PROGRAM
"""

import os
import pathlib
import re
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

SECONDS = 3
ROUNDS = 3
RATES = [50_000, 100_000, 200_000, 300_000, 400_000, 600_000, 800_000]
# Packets of a connection: calls that open one each, and calls that share one. `capture` writes a line for each connection.
LENGTHS = [8, 100]
# Connections that are open at a time.
TOGETHER = {8: 1, 100: 50}
QUIET = [0, 10_000]
QUIET_SECONDS = 10
BUFFER_KIB = 65_536


def frame(originator: bytes, responder: bytes, ports: tuple[int, int], sequence: int, acknowledgment: int, flags: int, payload: bytes = b"") -> bytes:
    """Ethernet, IPv4, TCP; checksums are not looked at."""
    ethernet = bytes.fromhex("020000000002020000000001") + b"\x08\x00"
    tcp = struct.pack(">HHIIBBHHH", *ports, sequence, acknowledgment, 0x50, flags, 65535, 0, 0) + payload
    internet = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0x4000, 64, 6, 0, originator, responder)
    return ethernet + internet + tcp


def connection(number: int, length: int) -> Iterator[bytes]:
    """The frames of a TCP connection of so many packets: opened, used and closed."""
    syn, ack, push, fin = 0x02, 0x10, 0x18, 0x11
    caller = bytes([10, 244, 1, 2 + number % 200])
    called = bytes([10, 244, 2, 2 + number % 17])
    port = 32768 + number // 200 % 28000
    sent, answered = number * 7919, number * 104729

    def there(flags: int, payload: bytes = b"", acknowledged: int = 0) -> bytes:
        return frame(caller, called, (port, 8080), sent & 0xFFFFFFFF, answered + acknowledged & 0xFFFFFFFF, flags, payload)

    def back(flags: int, payload: bytes = b"", acknowledged: int = 0) -> bytes:
        return frame(called, caller, (8080, port), answered & 0xFFFFFFFF, sent + acknowledged & 0xFFFFFFFF, flags, payload)

    yield frame(caller, called, (port, 8080), sent & 0xFFFFFFFF, 0, syn)
    yield back(syn | ack, acknowledged=1)
    sent, answered = sent + 1, answered + 1
    yield there(ack)
    for _ in range(length // 2 - 3):
        yield there(push, b"ping")
        sent += 4
        yield back(push, b"pong")
        answered += 4
    yield there(fin)
    yield back(fin, acknowledged=1)
    sent += 1
    yield there(ack, acknowledged=1)


def write_blast(path: pathlib.Path, length: int, packets: int) -> None:
    """Connections of so many small packets each, and so many packets in all: none comes twice, or it would cost no second line, and
    none is left over, or reading it would take time in which the watcher waits."""
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        at = 0
        for first in range(0, packets // length, TOGETHER[length]):
            numbers = range(first, first + TOGETHER[length])
            for frames in zip(*(connection(number, length) for number in numbers), strict=True):
                for data in frames:
                    file.write(struct.pack("<IIII", 1_700_000_000 + at // 1_000_000, at % 1_000_000, len(data), len(data)) + data)
                    at += 1


class Watcher:
    """A program that captures on `seen`, from its start to `end`."""

    def __init__(self, name: str, command: list[str], directory: pathlib.Path) -> None:
        self.name = name
        self.said = directory / "said"
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=self.said.open("w"))
        time.sleep(1.0)
        if self.process.poll() is not None:
            raise SystemExit(f"{name} ended: {self.said.read_text()}")
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task").iterdir()
        self.start = sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    def end(self) -> tuple[int, int, float]:
        """Frames read, frames dropped, seconds of processor time, of which `start` had gone before the first frame."""
        time.sleep(0.5)
        self.process.send_signal(signal.SIGINT)
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        text = self.said.read_text()
        if self.process.returncode != 0 and "not one frame" not in text:
            raise SystemExit(f"{self.name} failed: {text}")
        if self.name == "tcpdump":
            read = int(re.search(r"(\d+) packets? captured", text)[1])
            dropped = int(re.search(r"(\d+) packets? dropped by kernel", text)[1])
        else:
            read = int(re.search(r"(\d+) frames", text)[1])
            found = re.search(r"(\d+) dropped", text)
            dropped = int(found[1]) if found else 0
        return read, dropped, usage.ru_utime + usage.ru_stime


def watch(name: str, program: str, directory: pathlib.Path) -> Watcher:
    out = directory / name
    out.unlink(missing_ok=True)
    if name == "tcpdump":
        command = ["tcpdump", "-i", "seen", "-n", "-B", str(BUFFER_KIB), "-Z", "root", "-w", str(out)]
    else:
        command = [program, "capture", "--interface", "seen", "--output", str(out)]
    return Watcher(name, command, directory)


def blast(path: pathlib.Path, rate: int, seconds: int) -> int:
    """Sends so many packets a second; returns the rate that was reached."""
    if rate == 0:
        time.sleep(seconds)
        return 0
    command = ["tcpreplay", "-q", "-i", "sent", "--preload-pcap", f"--pps={rate}", f"--limit={rate * seconds}", str(path)]
    said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=seconds * 10 + 60).stdout
    return int(float(re.search(r"([\d.]+) pps", said)[1]))


def main() -> None:
    program = str(pathlib.Path(sys.argv[1]).resolve())
    if "--inside" not in sys.argv:
        os.execvp("unshare", ["unshare", "--net", sys.executable, __file__, program, "--inside"])
    for command in ["link add name sent type veth peer name seen", "link set dev sent up", "link set dev seen up"]:
        for interface in ("all", "default"):
            pathlib.Path(f"/proc/sys/net/ipv6/conf/{interface}/disable_ipv6").write_text("1")
        subprocess.run(["ip", *command.split()], check=True)
    names = ["tcpdump", "netpol-gen"]
    with tempfile.TemporaryDirectory() as scratch:
        directory = pathlib.Path(scratch)
        starts = {name: [] for name in names}
        for length in LENGTHS:
            path = directory / "blast.pcap"
            print(f"Connections of {length} packets:\n")
            print("| Packets a second | tcpdump -w: lost | CPU, µs a packet | netpol-gen capture: lost | CPU, µs a packet |\n|---|---|---|---|---|")
            for rate in RATES:
                write_blast(path, length, rate * SECONDS)
                reached, lost, cost = [], {name: [] for name in names}, {name: [] for name in names}
                for _ in range(ROUNDS):
                    for name in names:
                        watcher = watch(name, program, directory)
                        reached.append(blast(path, rate, SECONDS))
                        read, dropped, seconds = watcher.end()
                        lost[name].append(dropped)
                        cost[name].append((seconds - watcher.start) / max(read, 1) * 1e6)
                        starts[name].append(watcher.start)
                cells = [f"{statistics.median(lost[name]):.0f} | {statistics.median(cost[name]):.3f}" for name in names]
                print(f"| {statistics.median(reached):,.0f} | {' | '.join(cells)} |", flush=True)
                if statistics.median(reached) < rate * 0.9:
                    break
            print()
        spans = [f"{name} {min(starts[name]) * 1000:.0f} to {max(starts[name]) * 1000:.0f} ms" for name in names]
        print(f"Processor time before the first packet, which is not in these: {', '.join(spans)}.\n")
        print("| Packets a second | tcpdump -w: share of a core | netpol-gen capture: share of a core |\n|---|---|---|")
        for rate in QUIET:
            write_blast(path, LENGTHS[0], rate * QUIET_SECONDS)
            share = {}
            for name in names:
                watcher = watch(name, program, directory)
                blast(path, rate, QUIET_SECONDS)
                share[name] = (watcher.end()[2] - watcher.start) / (QUIET_SECONDS + 0.5)
            print(f"| {rate:,} | {' | '.join(f'{share[name]:.2%}' for name in names)} |", flush=True)


if __name__ == "__main__":
    main()
