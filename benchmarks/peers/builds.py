"""Earlier builds of Veneer, to be measured beside this one in the same run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from devstack.process import ROOT


@dataclass(frozen=True, slots=True)
class Build:
    """A Veneer to run: its command, and the environment that makes it the compiled form of its own tree."""

    program: tuple[str, ...]
    env: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit of this repository, and the package that it runs as."""

    name: str
    package: str


EARLIER = Commit("880bd00", "proxy")
"""Before the shared configuration was made fast; the proxy's package had another name."""


def build_of(commit: Commit) -> Build:
    """How a commit is run that `provide_build` has built."""
    tree = _tree(commit)
    env = {"PYTHONSAFEPATH": "1", "PYTHONPATH": str(tree / ".compiled"), "VENEER_FORM": "compiled"}
    return Build((str(tree / ".venv" / "bin" / "python"), "-m", commit.package), env)


def why_not(commit: Commit) -> str | None:
    """Why a commit cannot be run; None where it is built."""
    there = (_tree(commit) / ".compiled" / commit.package / "compiled.digest").is_file()
    return None if there else f"the build of {commit.name} is missing: it is made of the repository's history"


def provide_build(commit: Commit, say: Callable[[str], None]) -> None:
    """Check a commit out, install it and compile it, unless that is done; some minutes."""
    if why_not(commit) is None:
        return
    say(f"building {commit.name}")
    tree = _tree(commit)
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    archive = subprocess.run(
        ["git", "-C", str(ROOT), "archive", "--format=tar", commit.name], capture_output=True, check=False
    )
    if archive.returncode:
        return  # a clone without history
    subprocess.run(["tar", "-x", "-C", str(tree)], input=archive.stdout, check=True)
    env = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VENEER_FORM", "MAKEFLAGS"}}
    argv = ["make", "-C", str(tree), f"PYTHON={sys.executable}", "compiled"]
    subprocess.run(argv, env=env, check=False, stdout=subprocess.DEVNULL)


def _tree(commit: Commit) -> Path:
    return ROOT / ".veneer" / "bench" / commit.name
