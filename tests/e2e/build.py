"""The control plane's programs, built once from the Go modules and kept under target/e2e.

In: control-plane/go.mod, whose `tool` lines name the programs. Out: a folder that holds them. The folder's name is made of what
decides its content, so another version is another folder, and a build that was broken off leaves none.

`go install k8s.io/kubernetes/cmd/...@version` refuses, because Kubernetes' own go.mod replaces its staging modules by paths; hence a
module of ours that replaces them by their releases. Without the version stamped in, kubectl and the API server call themselves
v0.0.0, and kubectl then refuses to speak to servers.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

MODULE = Path(__file__).parent / "control-plane"
TARGET = Path(__file__).resolve().parents[2] / "target" / "e2e"
STAMPED = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")


def version() -> str:
    """The release of Kubernetes that go.mod asks for."""
    found = re.search(r"k8s\.io/kubernetes (v\S+)", (MODULE / "go.mod").read_text())
    if not found:
        raise RuntimeError(f"{MODULE}/go.mod names no k8s.io/kubernetes")
    return found[1]


def stamps() -> str:
    """Linker flags that tell the programs their version."""
    release = version()
    major, minor = release.removeprefix("v").split(".")[:2]
    values = {"gitVersion": release, "gitMajor": major, "gitMinor": minor, "gitCommit": "0" * 40, "gitTreeState": "clean",
              "buildDate": "1970-01-01T00:00:00Z"}
    return " ".join(["-s", "-w", *(f"-X {package}.{name}={value}" for package in STAMPED for name, value in values.items())])


def folder() -> Path:
    digest = hashlib.sha256(stamps().encode())
    for name in ("go.mod", "go.sum"):
        digest.update((MODULE / name).read_bytes())
    return TARGET / f"{version()}-{digest.hexdigest()[:8]}"


def programs() -> Path:
    """The folder with the programs; builds them when they are not there."""
    place = folder()
    if place.exists():
        return place
    print(f"building Kubernetes {version()} (once; minutes)", file=sys.stderr, flush=True)
    began = time.monotonic()
    fresh = place.with_suffix(f".{os.getpid()}")
    fresh.mkdir(parents=True)
    try:
        subprocess.run(["go", "build", "-mod=readonly", "-trimpath", "-ldflags", stamps(), "-o", f"{fresh}/", "tool"], cwd=MODULE,
                       env={**os.environ, "CGO_ENABLED": "0"}, check=True)
        fresh.rename(place)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    print(f"built in {time.monotonic() - began:.0f} s: {place}", file=sys.stderr, flush=True)
    return place
