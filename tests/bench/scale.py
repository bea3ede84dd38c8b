"""How time and memory of a whole `learn` run grow with the edges, in a cluster of 5,000 nodes, 150,000 pods and 20,000 Services.

    python3 tests/bench/scale.py PROGRAM DIRECTORY [--files N]

Prints a table. With --files, another run merges so many flow files of 200,000 records each, of one hour, on 100,000 edges.
"""

import argparse
import os
import pathlib
import random
import shutil
import subprocess
import time

import cluster

EDGES = [1, 1_000, 10_000, 100_000]
RECORDS = 200_000


def run(command: list[str]) -> tuple[float, float, float]:
    """Seconds, seconds of processor time and the most MB of memory of one run that must succeed."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{said[-2000:]}")
    return time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("program")
    arguments.add_argument("directory", type=pathlib.Path)
    arguments.add_argument("--files", type=int, default=0)
    given = arguments.parse_args()
    given.directory.mkdir(parents=True, exist_ok=True)
    large = cluster.Cluster(5000, 150_000, 5000, 20_000)
    inventory = given.directory / "inventory.json"
    if not inventory.exists():
        cluster.write_inventory(large, inventory)
    size = inventory.stat().st_size / 1e9

    def learn(flows: pathlib.Path) -> tuple[float, float, float]:
        output = given.directory / "policies"
        shutil.rmtree(output, ignore_errors=True)
        return run([given.program, "learn", "--read", str(flows), "--inventory", str(inventory), "--output", str(output)])

    print(f"Inventory: {size:.1f} GB of JSON.\n\n| Edges | Records | Seconds | CPU seconds | Memory, MB | CPU, ms an edge more |\n|---|---|---|---|---|---|")
    before = None
    for count in EDGES:
        flows = given.directory / f"{count}.flows.zst"
        if not flows.exists():
            cluster.write_flows(large, flows, cluster.edges(large, count), RECORDS, 0, random.Random(1))
        wall, cpu, memory = learn(flows)
        more = f"{(cpu - before[1]) / (count - before[0]) * 1000:.2f}" if before else ""
        before = count, cpu
        print(f"| {count:,} | {RECORDS:,} | {wall:.1f} | {cpu:.1f} | {memory:.0f} | {more} |", flush=True)
    if given.files:
        flows = given.directory / "flows"
        flows.mkdir(exist_ok=True)
        talk, dice = cluster.edges(large, EDGES[-1]), random.Random(1)
        for number in range(given.files):
            path = flows / f"{number:03}.flows.zst"
            if not path.exists():
                cluster.write_flows(large, path, talk, RECORDS, number * RECORDS, dice)
        wall, cpu, memory = learn(flows)
        print(f"| {EDGES[-1]:,} | {given.files * RECORDS:,} in {given.files} files | {wall:.1f} | {cpu:.1f} | {memory:.0f} | |", flush=True)


if __name__ == "__main__":
    main()
