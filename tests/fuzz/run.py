"""Builds all fuzz targets at once and runs them one after the other; at the end a table says how often each ran and what it reached.

    python3 tests/fuzz/run.py [--seconds N] [TARGET ...]

Any stable compiler will do: coverage comes from LLVM's own pass, and without the address sanitizer, which wants a nightly one. Assertions
and overflow checks are on. Each target begins with its inputs in tests/fuzz/corpus; what it adds goes to target/fuzz/corpus,
where the next run finds it. An input that fails stays in target/fuzz/failures, and the exit code is 1.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = ROOT / "tests/fuzz"
BUILT = ROOT / "target/fuzz"
TARGETS = sorted(path.stem for path in (HERE / "fuzz_targets").glob("*.rs"))
COVERAGE = " ".join(
    [
        "-Cpasses=sancov-module",
        "-Cllvm-args=-sanitizer-coverage-level=4",
        "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
        "-Cllvm-args=-sanitizer-coverage-pc-table",
        "-Cllvm-args=-sanitizer-coverage-trace-compares",
        "--cfg fuzzing",
        "-Cdebug-assertions",
        "-Coverflow-checks",
    ]
)
LIMITS = ["-timeout=30", "-rss_limit_mb=2048", "-print_final_stats=1", "-print_funcs=0"]
# A run of `learn` is a whole cluster, twice, and nearly every one reaches something new: to weigh inputs by it would take most of the time.
CHOICE = {"learn": ["-entropic=0"]}
# Comparisons of values guide parsers.
USUAL_CHOICE = ["-use_value_profile=1"]
LONGEST = {"learn": 2048, "read_capture": 65536}
WORDS = {
    "decisions": "objects", "inventory": "objects", "policies": "objects", "watch_log": "objects",
    "flow_file": "records", "review": "records", "template": "templates",
}


def host() -> str:
    told = subprocess.run(["rustc", "-vV"], check=True, capture_output=True, text=True).stdout
    return re.search(r"^host: (\S+)$", told, re.MULTILINE)[1]


def build(targets: list[str]) -> pathlib.Path:
    # With a target named, build scripts and macros are built without coverage.
    machine = host()
    named = [word for target in targets for word in ("--bin", target)]
    command = ["cargo", "build", "--release", "--locked", "--manifest-path", HERE / "Cargo.toml", "--target", machine, *named]
    subprocess.run(command, check=True, env={**os.environ, "RUSTFLAGS": COVERAGE, "CARGO_TARGET_DIR": str(BUILT)})
    return BUILT / machine / "release"


def run(binary: pathlib.Path, seconds: int) -> dict:
    target = binary.name
    grown, failures, log = BUILT / "corpus" / target, BUILT / "failures", BUILT / f"{target}.log"
    for directory in (grown, failures):
        directory.mkdir(parents=True, exist_ok=True)
    seeds = HERE / "corpus" / target
    command = [binary, grown, seeds, f"-max_total_time={seconds}", f"-artifact_prefix={failures / target}-", *LIMITS]
    command += [f"-max_len={LONGEST.get(target, 8192)}", *CHOICE.get(target, USUAL_CHOICE)]
    if target in WORDS:
        command.append(f"-dict={HERE / 'words' / WORDS[target]}")
    with log.open("w") as out:
        ended = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, cwd=BUILT)
    said = log.read_text(errors="replace")

    def last(pattern: str) -> str:
        found = re.findall(pattern, said)
        return found[-1] if found else "-"

    failed = re.findall(r"Test unit written to (\S+)", said)
    return {
        "target": target,
        "runs": last(r"stat::number_of_executed_units:\s*(\d+)"),
        "runs/s": last(r"stat::average_exec_per_sec:\s*(\d+)"),
        "edges": last(r"cov: (\d+)"),
        "features": last(r"ft: (\d+)"),
        "inputs": last(r"corp: (\d+)"),
        "peak MB": last(r"stat::peak_rss_mb:\s*(\d+)"),
        "result": "ok" if ended.returncode == 0 else f"FAILED: {' '.join(failed) or log}",
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=180, help="for each target")
    parser.add_argument("--build", action="store_true", help="build only")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    arguments = parser.parse_args()
    targets = arguments.targets or TARGETS
    if unknown := set(targets) - set(TARGETS):
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    built = build(targets)
    if arguments.build:
        return 0
    rows = []
    for target in targets:
        print(f"{target}: {arguments.seconds} seconds", file=sys.stderr, flush=True)
        rows.append(run(built / target, arguments.seconds))
        print(f"  {rows[-1]['runs']} runs, {rows[-1]['edges']} edges: {rows[-1]['result']}", file=sys.stderr, flush=True)
    widths = {column: max(len(column), *(len(row[column]) for row in rows)) for column in rows[0]}
    for row in [{column: column for column in widths}, *rows]:
        cells = (cell.ljust(widths[column]) if column in ("target", "result") else cell.rjust(widths[column]) for column, cell in row.items())
        print("  ".join(cells).rstrip())
    failed = [row["target"] for row in rows if row["result"] != "ok"]
    for target in failed:
        log = (BUILT / f"{target}.log").read_text(errors="replace").splitlines()
        print(f"\n{target}:", *log[-40:], sep="\n", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
