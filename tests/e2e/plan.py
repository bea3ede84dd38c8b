"""The plan as a person has it before them, and the shell in which they run it.

In: PLAN.md. Out: for each heading the lines below it and its blocks of commands, each with the paragraph that introduces it; commands are
run as they were printed. Nothing is taken from the plan's JSON: what a person copies is what is tried.
"""

import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from application import Application
from steps import Failure, expect

# A block is pasted whole: bash reads it from its standard input, so a command that reads that itself would swallow those after it, and
# the end would not be told. These say by 1 that there are differences, or that something is not ready.
PRELUDE = """set -o pipefail
trap 'code=$?; [[ $code = 1 && $BASH_COMMAND =~ ^(kubectl diff|netpol-gen diff|netpol-gen plan)\\  ]] ||
  { echo "exit $code: $BASH_COMMAND"; exit 1; }' ERR
"""
WHOLE = "every line was run"


@dataclass
class Section:
    """What is below one heading."""

    heading: str
    lines: list[str] = field(default_factory=list)
    blocks: list[tuple[str, list[str]]] = field(default_factory=list)  # with the paragraph before each

    def block(self, begin: str) -> list[str]:
        """The commands after the paragraph that begins so; the plan has to have them."""
        found = self.find(begin)
        expect(found, f"{self.heading}: no commands after {begin!r}")
        return found

    def find(self, begin: str) -> list[str]:
        return next((commands for said, commands in self.blocks if said.startswith(begin)), [])

    def isolates(self, direction: str) -> set[str]:
        """The workloads that the plan says become isolated."""
        said = (re.match(rf"Isolates at once, {direction}: (.*?)\.( |$)", line) for line in self.lines)
        return {name for one in said if one for name in re.findall(r"`([^`]+)`", one[1])}


def read(path: Path) -> list[Section]:
    """The sections of a plan, in its order. Code is indented by four or more, the paragraphs of a list by three."""
    sections = [Section("")]
    said = before = ""
    for line in path.read_text().splitlines():
        here = sections[-1]
        if line.startswith("    "):
            if not before.startswith("    "):
                here.blocks.append((said, []))
            here.blocks[-1][1].append(line.strip())
        elif line.startswith("#"):
            sections.append(Section(line.lstrip("# ")))
        elif line:
            here.lines.append(line)
            is_new = not before or line.startswith("1. ")
            said = line.strip().removeprefix("1. ") if is_new else f"{said} {line.strip()}"
        before = line
    return sections


class Shell:
    """bash on the node with the pods, in the directory in which the plan was made, as the administrator."""

    def __init__(self, application: Application, folder: Path) -> None:
        ground = application.ground
        self.netns, self.folder = ground.node_1.netns, folder
        self.surroundings = {**os.environ, "HOME": str(folder), "KUBECONFIG": str(ground.keys.kubeconfig("admin")),
                             "PATH": f"{ground.programs}:{application.tool.parent}:{os.environ['PATH']}"}

    def paste(self, commands: list[str], seconds: float = 120) -> str:
        """Run a block; each command has to end well. What was told."""
        text = "\n".join([*commands, f"echo {WHOLE}", ""])
        done = subprocess.run(["ip", "netns", "exec", self.netns, "bash", "-s"], input=PRELUDE + text, cwd=self.folder,
                              env=self.surroundings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds,
                              check=False)
        if done.returncode != 0 or not done.stdout.endswith(f"{WHOLE}\n"):
            raise Failure(f"pasted:\n{text}\ntold:\n{done.stdout}")
        return done.stdout.removesuffix(f"{WHOLE}\n")
