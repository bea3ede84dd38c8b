"""Ask an independent engine what a case's policies permit, and compare with what case.toml says.

python3 tests/cases/nca.py [--policies DIRECTORY] [case ...]

In: a directory of NetworkPolicies (without --policies: tests/cases/<case>/expected; with several cases: DIRECTORY/<case>), the pods and
namespaces of the case's inventory, the list `permitted` of its case.toml. Out: for every case `ok` or the difference; exit 1 if any
differs. The engine is PyPI's network-config-analyzer (`pip install network-config-analyzer`; run this with that environment's Python).

Compared are all pairs of workloads of which one is a subject, and all pairs of a workload and an outside address named in the
case, over all protocols and ports, pod by pod: a permitted connection must hold for every pod, any other for none. Besides, addresses
that no case names are tried: those inside pod, Service and link-local ranges must reach nothing and be reached by nothing; those
elsewhere may reach at most what a named outside address may reach, and be reached by nothing.
Not seen by the engine, as not by a policy: traffic between a pod and its own node; hostNetwork pods.
"""

import argparse
import ipaddress
import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import yaml

CASES = Path(__file__).resolve().parent
CAPTURES = CASES.parents[1] / "captures"
SYSTEM = {"kube-system", "kube-public", "kube-node-lease"}
INSIDE = ["10.244.1.250", "10.96.0.77", "169.254.9.9", "fd00:10:244:1::fa", "fd00:10:96::77", "fe80::77"]
ELSEWHERE = ["8.8.4.4", "203.0.113.99", "2001:4860:4860::8844"]
CONNECTION = re.compile(r"\{protocols:([A-Z]+(?:, ?[A-Z]+)*)(?:,dst_ports:([0-9,\- ]+))?\}")
TOP = {"ReplicaSet", "Job"}  # kinds that have an owner worth asking for


class Problem(Exception):
    """The comparison could not be made."""


def documents(path):
    """The objects of a YAML or JSON file, Lists opened."""
    for document in yaml.load_all(path.read_text(), yaml.CSafeLoader):
        if document and document.get("kind", "").endswith("List"):
            yield from document["items"]
        elif document:
            yield document


class Inventory:
    def __init__(self, files):
        self.objects = {}
        for file in files:
            for item in documents(file):
                key = item["kind"], item["metadata"].get("namespace"), item["metadata"]["name"]
                self.objects[key] = item
        self.pods = {}  # "namespace/pod" -> "namespace/workload"
        for (kind, namespace, name), item in self.objects.items():
            if kind == "Pod" and not item["spec"].get("hostNetwork"):
                self.pods[f"{namespace}/{name}"] = f"{namespace}/{self.workload(item)}"

    def workload(self, item):
        owner = next((o for o in item["metadata"].get("ownerReferences", ()) if o.get("controller")), None)
        if owner is None:
            return item["metadata"]["name"]
        above = self.objects.get((owner["kind"], item["metadata"]["namespace"], owner["name"]))
        return self.workload(above) if above and owner["kind"] in TOP else owner["name"]

    def write(self, path):
        """What the engine needs to know: namespaces, and pods that a policy can select."""
        kept = [item for (kind, namespace, name), item in self.objects.items()
                if kind == "Namespace" or kind == "Pod" and f"{namespace}/{name}" in self.pods]
        path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": kept}))


def ask(policies, inventory, folder):
    """The engine's answer as (source, destination, connections) rows; ends are "namespace/pod" or address ranges."""
    files = [file for file in sorted(policies.rglob("*.yaml")) if "_quarantine" not in file.parts]  # nothing applies those
    found = [d for file in files for d in documents(file) if d.get("kind") == "NetworkPolicy"]
    if not found:
        raise Problem(f"no NetworkPolicy below {policies}")
    (folder / "policies").mkdir()
    (folder / "policies" / "all.yaml").write_text(yaml.safe_dump_all(found))
    cluster = folder / "cluster.yaml"
    inventory.write(cluster)
    beside = Path(sys.executable).parent / "nca"
    command = str(beside) if beside.exists() else shutil.which("nca")
    if not command:
        raise Problem("no command nca\nhint: pip install network-config-analyzer, and run this with that environment's Python")
    done = subprocess.run([command, "--connectivity", str(folder / "policies"), "--ns_list", str(cluster), "--pod_list", str(cluster),
                           "--output_endpoints", "pods", "--output_format", "txt_no_fw_rules", "--print_ipv6"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    rows = re.findall(r"^(\S+) => (\S+) : (.+)$", done.stdout, re.MULTILINE)
    if done.returncode != 0 or "cluster has" not in done.stdout:
        raise Problem(f"nca ended with {done.returncode}\n{done.stderr}{done.stdout}")
    return rows


def connections(text):
    """'{protocols:TCP, UDP,dst_ports:53}' -> {'TCP 53', 'UDP 53'}. What is not of that form is kept as it is."""
    matched = CONNECTION.findall(text)
    if not matched or CONNECTION.sub("", text).strip(" ,;"):
        return {text}
    return {f"{protocol} {port}" for protocols, ports in matched for protocol in re.split(", ?", protocols)
            for part in (ports.replace(" ", "").split(",") if ports else ["all ports"]) for port in single(part)}


def single(part):
    """'5432-5433' -> 5432 and 5433: the engine joins neighbours. A long range is kept as one."""
    first, _, last = part.partition("-")
    if last and int(last) - int(first) < 100:
        return [str(port) for port in range(int(first), int(last) + 1)]
    return [part]


def holds(end, address):
    """Whether an end of a row, an address or a range of them, holds the address."""
    try:
        bounds = [ipaddress.ip_address(part) for part in end.split("-")] if "/" not in end else None
    except ValueError:
        return False
    address = ipaddress.ip_address(address)
    return bounds is not None and bounds[0].version == address.version and bounds[0] <= address <= bounds[-1]


def reported(rows, inventory, subjects, addresses):
    """{(source, destination, connection)} pod by pod, outside ends as the single addresses asked about."""
    result = set()
    for source, destination, text in rows:
        ends = []
        for end in (source, destination):
            ends.append([end] if end in inventory.pods else [f"outside {a}" for a in addresses if holds(end, a)])
        for one in ends[0]:
            for other in ends[1]:
                if any(inventory.pods.get(end, "").split("/")[0] in subjects for end in (one, other)):
                    result |= {(one, other, connection) for connection in connections(text)}
    return result


def compare(case, policies):
    """Lines that say how the engine's answer differs from the case."""
    facts = tomllib.loads((CASES / case / "case.toml").read_text())
    inventory = Inventory([CAPTURES / name for name in facts["inventory"]])
    subjects = {pod.split("/")[0] for pod in inventory.pods} - SYSTEM
    wanted, members, named = set(), {}, set()
    for pod, workload in inventory.pods.items():
        members.setdefault(workload, []).append(pod)
    outside_may = set()
    lines = []
    for entry in facts["permitted"]:
        source, rest = entry.split(" -> ")
        destination, connection = re.fullmatch(r"(\S+|outside \S+) ([A-Z]+ \d+)", rest).groups()
        ends = []
        for end in (source, destination):
            if end.startswith("outside "):
                named.add(end.removeprefix("outside "))
                ends.append([end])
            elif end in members:
                ends.append(members[end])
            else:
                raise Problem(f"permitted names {end}, which the inventory does not have")
        if source.startswith("outside "):
            outside_may.add((destination, connection))
        wanted |= {(one, other, connection) for one in ends[0] for other in ends[1] if one != other}
    with tempfile.TemporaryDirectory() as folder:
        rows = ask(policies, inventory, Path(folder))
    found = reported(rows, inventory, subjects, named)
    lines += [f"not permitted, but should be: {' -> '.join(row[:2])} {row[2]}" for row in sorted(wanted - found)]
    lines += [f"permitted, but should not be: {' -> '.join(row[:2])} {row[2]}" for row in sorted(found - wanted)]
    unnamed = [a for a in INSIDE + ELSEWHERE if a not in named]
    for source, destination, connection in sorted(reported(rows, inventory, subjects, unnamed)):
        if source.startswith("outside "):
            address = source.removeprefix("outside ")
            if address in ELSEWHERE and (inventory.pods[destination], connection) in outside_may:
                continue
        elif not destination.startswith("outside "):
            continue
        lines.append(f"permitted, but the case names no such address: {source} -> {destination} {connection}")
    return lines


def learned(case, program, output):
    """The policies that the program makes of a case's captures."""
    described = tomllib.loads((CASES / case / "case.toml").read_text())
    command = [program.resolve(), "learn", "--output", output, *described["arguments"]]
    for option, key in (("--read", "read"), ("--inventory", "inventory")):
        for name in described[key]:
            command += [option, CAPTURES / name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Problem(f"learn ended with {done.returncode}: {done.stderr.strip()}")
    return output


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("case", nargs="*", help="names of cases; all without any")
    source = arguments.add_mutually_exclusive_group()
    source.add_argument("--policies", type=Path, help="policies to ask about, instead of the expected ones")
    source.add_argument("--program", type=Path, help="netpol-gen: ask about what it makes of each case's captures")
    chosen = arguments.parse_args()
    cases = chosen.case or sorted(file.parent.name for file in CASES.glob("*/case.toml"))
    failed = 0
    for case in cases:
        policies = (CASES / case / "expected").resolve()
        if chosen.policies:
            policies = chosen.policies if len(cases) == 1 else chosen.policies / case
        with tempfile.TemporaryDirectory() as folder:
            try:
                if chosen.program:
                    policies = learned(case, chosen.program, Path(folder) / "policies")
                lines = compare(case, policies)
            except (Problem, OSError) as problem:
                lines = [str(problem)]
        failed += bool(lines)
        print(f"{case}: {'differs' if lines else 'ok'}")
        for line in lines:
            print(f"    {line}")
    print(f"{len(cases) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
