"""The control plane's programs and the enforcer, built once from their Go modules and kept under target/e2e.

In: control-plane/go.mod and enforcer/go.mod, whose `tool` lines name the programs. Out: a folder for each module that holds them. A
folder's name is made of what decides its content, so another version is another folder, and a build that was broken off leaves none.

`go install k8s.io/kubernetes/cmd/...@version` refuses, because Kubernetes' own go.mod replaces its staging modules by paths; hence a
module of ours that replaces them by their releases. kube-router has a module of its own, as it asks for other versions of the same
libraries. Without the version stamped in, kubectl and the API server call themselves v0.0.0, and kubectl then refuses to speak to
servers.

Every checksum is in go.sum and nothing is added (`-mod=readonly`), so Go asks no checksum database: its default settings do.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
TARGET = Path(__file__).resolve().parents[2] / "target" / "e2e"


def kubernetes(release: str) -> dict[str, str]:
    """What the linker tells Kubernetes' programs of their version."""
    major, minor = release.removeprefix("v").split(".")[:2]
    values = {"gitVersion": release, "gitMajor": major, "gitMinor": minor, "gitCommit": "0" * 40, "gitTreeState": "clean",
              "buildDate": "1970-01-01T00:00:00Z"}
    return {f"{package}.{name}": value for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
            for name, value in values.items()}


def kube_router(release: str) -> dict[str, str]:
    return {"github.com/cloudnativelabs/kube-router/v2/pkg/version.Version": release}


@dataclass(frozen=True)
class Module:
    """A Go module here whose tools are to be built."""

    folder: Path
    name: str  # of what is built, for people and for the folder
    path: str  # of the module that has the tools
    stamps: Callable[[str], dict[str, str]]  # linker variables, by release

    def release(self) -> str:
        """The release that go.mod asks for."""
        found = re.search(rf"{re.escape(self.path)} (v\S+)", (self.folder / "go.mod").read_text())
        if not found:
            raise RuntimeError(f"{self.folder}/go.mod names no {self.path}")
        return found[1]

    def flags(self) -> str:
        return " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in self.stamps(self.release()).items())])

    def place(self) -> Path:
        digest = hashlib.sha256(self.flags().encode())
        for name in ("go.mod", "go.sum"):
            digest.update((self.folder / name).read_bytes())
        return TARGET / f"{self.name}-{self.release()}-{digest.hexdigest()[:8]}"

    def programs(self) -> Path:
        """The folder with the programs; builds them when they are not there."""
        place = self.place()
        if place.exists():
            return place
        print(f"building {self.name} {self.release()} (once; minutes)", file=sys.stderr, flush=True)
        began = time.monotonic()
        fresh = place.with_name(f"{place.name}.{os.getpid()}")
        fresh.mkdir(parents=True)
        try:
            subprocess.run(["go", "build", "-mod=readonly", "-trimpath", "-ldflags", self.flags(), "-o", f"{fresh}/", "tool"],
                           cwd=self.folder, env={**os.environ, "CGO_ENABLED": "0"}, check=True)
            fresh.rename(place)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        print(f"built in {time.monotonic() - began:.0f} s: {place}", file=sys.stderr, flush=True)
        return place


CONTROL_PLANE = Module(HERE / "control-plane", "kubernetes", "k8s.io/kubernetes", kubernetes)
ENFORCER = Module(HERE / "enforcer", "kube-router", "github.com/cloudnativelabs/kube-router/v2", kube_router)
