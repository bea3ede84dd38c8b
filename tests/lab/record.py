"""Record the reference captures: python3 tests/lab/record.py [--list | --missing] [scenario ...]

Needs root (network namespaces, nftables, packet capture). Writes captures/<name>.pcap and their inventories; everything it makes
besides is gone at the end, also after a failure or an interrupt.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import tools  # noqa: E402
from scenarios import RECORDINGS  # noqa: E402

CAPTURES = Path(__file__).resolve().parents[2] / "captures"


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("scenario", nargs="*", metavar="scenario", help="names to record; all without any")
    arguments.add_argument("--list", action="store_true", help="print the names and end")
    arguments.add_argument("--folder", type=Path, default=CAPTURES, help="where to write (default: captures/)")
    arguments.add_argument("--missing", action="store_true", help="print the Debian packages that are missing and end")
    chosen = arguments.parse_args()
    if chosen.missing:
        print(" ".join(tools.missing()))
        return 0
    if chosen.list:
        print("\n".join(RECORDINGS))
        return 0
    unknown = [name for name in chosen.scenario if name not in RECORDINGS]
    if unknown:
        arguments.error(f"no such scenario: {', '.join(unknown)} (known: {', '.join(RECORDINGS)})")
    if os.geteuid() != 0:
        print("record.py: network namespaces need root\nhint: run it with sudo, or use the captures as they are", file=sys.stderr)
        return 2
    lacking = tools.missing()
    if lacking:
        print(f"record.py: programs are missing\nhint: apt-get install --no-install-recommends {' '.join(lacking)}", file=sys.stderr)
        return 2
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    chosen.folder.mkdir(exist_ok=True)
    for name, record in RECORDINGS.items():
        if chosen.scenario and name not in chosen.scenario:
            continue
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="captures-") as fresh:
            record(Path(fresh))  # a capture and its inventory belong together: all files of a scenario are replaced, or none
            for file in sorted(Path(fresh).iterdir()):
                shutil.copy(file, chosen.folder / file.name)
        print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
