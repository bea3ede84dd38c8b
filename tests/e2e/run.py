"""Run the scenarios against a real control plane: run.py [--list | --missing | --clean] [scenario ...]

Needs root (network namespaces), and Go for the first run.
Every scenario gets a cluster of its own. Exit code 1 when one fails. E2E_LOGS=DIRECTORY keeps the logs of all components.
"""

import argparse
import os
import signal
import sys
import time
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT / "tests" / "lab")]

import tools  # noqa: E402

OF_THE_LAB = ("curl", "dnsmasq", "ip", "ncat", "nginx", "openssl", "ss", "sysctl", "tcpdump")
PACKAGES = {name: tools.PACKAGES[name] for name in OF_THE_LAB} | {
    "etcd": "etcd-server", "ipset": "ipset", "iptables": "iptables", "redis-server": "redis-server",
}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenario", nargs="*", help="names to run; without any, all")
    parser.add_argument("--program", type=Path, default=ROOT / "target" / "release" / "netpol-gen", help="the program under test")
    parser.add_argument("--list", action="store_true", help="print the names and end")
    parser.add_argument("--missing", action="store_true", help="print the Debian packages that are missing and end")
    parser.add_argument("--clean", action="store_true", help="remove what killed runs left behind and end")
    return parser.parse_args()


def main() -> int:
    chosen = arguments()
    if chosen.missing:
        print(" ".join(tools.missing(PACKAGES)))
        return 0
    if os.geteuid() != 0:
        print("run.py: network namespaces need root\nhint: run it with sudo", file=sys.stderr)
        return 2
    import build
    from application import Application
    from ground import Ground, clean
    from scenarios import SCENARIOS
    from steps import Failure, say

    if chosen.list:
        print("\n".join(SCENARIOS))
        return 0
    for name in clean():
        say(f"left by a run that was killed, removed: {name}")
    if chosen.clean:
        return 0
    if unknown := [name for name in chosen.scenario if name not in SCENARIOS]:
        print(f"run.py: no such scenario: {', '.join(unknown)} (known: {', '.join(SCENARIOS)})", file=sys.stderr)
        return 2
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    programs, enforcer = build.CONTROL_PLANE.programs(), build.ENFORCER.programs()
    failed = []
    for name in chosen.scenario or SCENARIOS:
        say(name)
        began = time.monotonic()
        try:
            with Ground(programs, enforcer) as ground:
                application = Application(ground, chosen.program.resolve())
                application.deploy()
                SCENARIOS[name](application)
                ground.check()
        except Failure as failure:
            failed.append(name)
            say(f"{name}: FAILED: {failure}")
        except Exception:
            failed.append(name)
            say(f"{name}: FAILED\n{traceback.format_exc()}")
        else:
            say(f"{name}: passed ({time.monotonic() - began:.0f} s)")
    say(f"{len(failed)} failed: {', '.join(failed)}" if failed else "all passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
