"""Measure how fast captures are read, beside other programs: run.py [--missing] [--quick] [--rounds N] [--instructions]

All programs are run in turn, several rounds, on files in the page cache. What is told is the median, and its ratio to `cat FILE` in the
same run. The table goes to standard output and to target/bench/RESULTS.md. With --instructions: how many instructions a packet costs, which
does not depend on what else the machine does (needs valgrind).
"""

import argparse
import contextlib
import datetime
import itertools
import os
import platform
import shutil
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILES = ROOT / "target" / "bench"
PACKAGES = {
    "tcpdump": "tcpdump", "tshark": "tshark", "argus": "argus-server", "zstd": "zstd", "gzip": "gzip",
    "valgrind": "valgrind",
}
MILLION = 1_000_000
# Seconds after which a program is not waited for any more.
LIMIT = 300


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=Path, default=ROOT / "target" / "release" / "netpol-gen")
    parser.add_argument("--traffic", type=Path, default=ROOT / "target" / "release" / "examples" / "traffic")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="a tenth of the packets")
    parser.add_argument("--instructions", action="store_true", help="count instructions instead of time")
    parser.add_argument("--missing", action="store_true", help="print the Debian packages that are missing and end")
    return parser.parse_args()


def make(traffic: Path, kind: str, packets: int, name: str) -> Path:
    """A capture of the generator, made once."""
    path = FILES / f"{name}-{packets}.pcap{'ng' if name == 'pcapng' else ''}"
    if not path.exists():
        subprocess.run([traffic, kind, str(packets), path], check=True)
    return path


def packed(path: Path, ending: str, command: list[str]) -> Path:
    """The same file compressed, once."""
    whole = path.with_name(f"{path.name}.{ending}")
    if not whole.exists():
        subprocess.run([*command, path], check=True)
    return whole


def deal(path: Path, count: int) -> list[Path]:
    """The packets of a little-endian pcap file dealt to so many files, as captures that ran at the same time; done once."""
    parts = [path.with_name(f"{path.stem}-{number:02}-of-{count}.pcap") for number in range(count)]
    if not all(part.exists() for part in parts):
        # Piece by piece: the memory of this program counts for those that it starts.
        with contextlib.ExitStack() as stack:
            whole = stack.enter_context(path.open("rb"))
            files = [stack.enter_context(part.open("wb")) for part in parts]
            header = whole.read(24)
            for file in files:
                file.write(header)
            for file in itertools.cycle(files):
                record = whole.read(16)
                if not record:
                    break
                file.write(record + whole.read(int.from_bytes(record[8:12], "little")))
    return parts


class Run:
    """One program on one file, in all rounds."""

    def __init__(self, title: str, packets: int, command: list, directory: Path | None = None):
        self.title, self.packets, self.command, self.directory = title, packets, [str(part) for part in command], directory
        self.wall: list[float] = []
        self.processor: list[float] = []
        self.memory: list[int] = []

    def once(self) -> None:
        # Each time another directory: ext4 looks long for room where files have just been removed.
        output = ["--output", self.directory / str(time.monotonic_ns())] if self.directory else []
        begin = time.monotonic()
        process = subprocess.Popen([*self.command, *output], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        limit = threading.Timer(LIMIT, process.kill)
        limit.start()
        _, status, usage = os.wait4(process.pid, 0)
        limit.cancel()
        self.wall.append(time.monotonic() - begin)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.processor.append(usage.ru_utime + usage.ru_stime)
        self.memory.append(usage.ru_maxrss)
        if process.returncode != 0:
            raise SystemExit(f"run.py: {' '.join(self.command)} ended with {process.returncode}")

    def row(self, cat: "Run | None") -> str:
        wall, processor = statistics.median(self.wall), statistics.median(self.processor)
        ratio = f"{wall / statistics.median(cat.wall):.2f}" if cat else ""
        processors = f"{processor / statistics.median(cat.processor):.2f}" if cat else ""
        rate, memory = self.packets / wall / MILLION, statistics.median(self.memory) / 1024
        return f"| {self.title} | {wall:.2f} | {processor:.2f} | {ratio} | {processors} | {rate:.2f} | {memory:.0f} |"


def learn(chosen: argparse.Namespace, path: Path | list[Path], packets: int, threads: int) -> Run:
    captures = [word for one in (path if isinstance(path, list) else [path]) for word in ("--read", one)]
    command = [chosen.program, "learn", "--threads", threads, *captures, "--inventory", FILES / "cluster.json"]
    # Packets that are a flow each show one side of a connection only.
    command += ["--one-way", "accept"] if "flows" in str(path) else []
    return Run(f"netpol-gen learn --threads {threads}", packets, command, FILES / "policies")


def groups(chosen: argparse.Namespace) -> list[tuple[str, list[Run]]]:
    scale = 10 if chosen.quick else 1
    many, slice_, small_slice = 10 * MILLION // scale, MILLION // scale, MILLION // scale // 10
    mixed, small = make(chosen.traffic, "mixed", many, "mixed"), make(chosen.traffic, "small", many, "small")
    flows, tenth = make(chosen.traffic, "flows", slice_, "flows"), make(chosen.traffic, "mixed", slice_, "mixed")
    hundredth, pcapng = make(chosen.traffic, "mixed", small_slice, "mixed"), make(chosen.traffic, "mixed", slice_, "pcapng")
    few = make(chosen.traffic, "mixed", 1000, "mixed")
    gz, zst = packed(tenth, "gz", ["gzip", "-1kf"]), packed(mixed, "zst", ["zstd", "-qkf"])
    dealt = deal(tenth, 20)

    def cat(path: Path | list[Path], packets: int) -> Run:
        return Run("cat", packets, ["cat", *(path if isinstance(path, list) else [path])])

    def others(path: Path, packets: int, with_slow: bool) -> list[Run]:
        found = [Run("tcpdump -w /dev/null", packets, ["tcpdump", "-n", "-r", path, "-w", "/dev/null"])]
        if with_slow and shutil.which("argus"):
            found.append(Run("argus", packets, ["argus", "-F", "/dev/null", "-r", path, "-w", "/dev/null"]))
        return found

    def both(path: Path | list[Path], packets: int) -> list[Run]:
        return [learn(chosen, path, packets, threads) for threads in (1, 2)]

    def size(path: Path) -> str:
        return f"{path.stat().st_size / 1e9:.2f} GB"

    return [
        (f"A: {many / MILLION:g} million packets, mixed sizes, {size(mixed)}", [cat(mixed, many), *both(mixed, many), *others(mixed, many, False)]),
        (f"B: {many / MILLION:g} million packets of least size, {size(small)}", [cat(small, many), *both(small, many), *others(small, many, False)]),
        (f"C: {slice_ / MILLION:g} million packets, each a flow of its own", [cat(flows, slice_), *both(flows, slice_)]),
        (f"A tenth of A, {size(tenth)}", [cat(tenth, slice_), *both(tenth, slice_), *others(tenth, slice_, True)]),
        (f"The same as pcapng, {size(pcapng)}", [cat(pcapng, slice_), *both(pcapng, slice_)]),
        (f"The same in {len(dealt)} files, each of which has every {len(dealt)}th packet", [cat(dealt, slice_), *both(dealt, slice_)]),
        (f"The same in gzip, {size(gz)}", [Run("gzip -dc", slice_, ["gzip", "-dc", gz]), *both(gz, slice_)]),
        (f"A in zstd, {size(zst)}", [Run("zstd -dc", many, ["zstd", "-dcq", zst]), *both(zst, many)]),
        (f"A hundredth of A, {size(hundredth)}", [
            cat(hundredth, small_slice), learn(chosen, hundredth, small_slice, 1),
            Run("tshark -q -z conv,tcp", small_slice, ["tshark", "-n", "-q", "-z", "conv,tcp", "-r", hundredth]),
        ]),
        ("Nearly nothing: 1000 packets", [learn(chosen, few, 1000, 1)]),
    ]


def processor_name() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def measure(chosen: argparse.Namespace) -> str:
    measured = groups(chosen)
    for number in range(chosen.rounds + 1):
        for _, runs in measured:
            for run in runs:
                run.once()
        if number == 0:
            # The first one filled the page cache.
            for run in (run for _, runs in measured for run in runs):
                run.wall, run.processor, run.memory = [], [], []
        print(f"round {number} of {chosen.rounds}", file=sys.stderr)
    load = os.getloadavg()[1]
    lines = [
        f"{datetime.date.today()}, {processor_name()}, {os.cpu_count()} processors, load {load:.1f}, Linux {platform.release()}; "
        f"median of {chosen.rounds} rounds",
        "",
        "| | wall s | processor s | wall / cat | processor / cat | M packets/s | MB |",
        "|---|---|---|---|---|---|---|",
    ]
    for title, runs in measured:
        lines.append(f"| **{title}** | | | | | | |")
        lines.extend(run.row(None if run is runs[0] else runs[0]) for run in runs)
    base = statistics.median(measured[-1][1][0].memory)
    for position, name in ((0, "A"), (2, "C")):
        memory = statistics.median(measured[position][1][1].memory)
        lines.append("") if position == 0 else None
        lines.append(f"Memory of {name} beyond nearly nothing ({base / 1024:.0f} MB): {(memory - base) / 1024:.0f} MB.")
    return "\n".join(lines)


def instructions(chosen: argparse.Namespace) -> str:
    """Of each kind of capture, what a packet more costs."""
    lines = [f"{datetime.date.today()}, {processor_name()}", "", "| | instructions a packet |", "|---|---|"]
    for kind in ("mixed", "small", "flows"):
        counted = []
        for packets in (500_000, 1_000_000):
            path, counts = make(chosen.traffic, kind, packets, kind), FILES / "callgrind.out"
            tool = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={counts}"]
            command = [*tool, *learn(chosen, path, packets, 1).command, "--output", FILES / "policies" / path.stem]
            subprocess.run(command, check=True, capture_output=True)
            totals = [line for line in counts.read_text().splitlines() if line.startswith(("summary:", "totals:"))]
            counted.append(int(totals[-1].split()[1]))
        lines.append(f"| {kind} | {(counted[1] - counted[0]) / 500_000:.0f} |")
    return "\n".join(lines)


def main() -> int:
    chosen = arguments()
    if chosen.missing:
        print(" ".join(package for name, package in PACKAGES.items() if not shutil.which(name)))
        return 0
    shutil.rmtree(FILES / "policies", ignore_errors=True)
    (FILES / "policies").mkdir(parents=True)
    subprocess.run([chosen.traffic, "inventory", FILES / "cluster.json"], check=True)
    text = instructions(chosen) if chosen.instructions else measure(chosen)
    (FILES / ("INSTRUCTIONS.md" if chosen.instructions else "RESULTS.md")).write_text(text + "\n")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
