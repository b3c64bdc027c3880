"""Programs of others that the comparison needs: found, installed where that is allowed, or named as missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from devstack.process import ROOT

PACKAGES = {"nginx": "nginx-light", "varnishd": "varnish", "wrk": "wrk"}
"""Program and Debian package."""

WHERE = ("/usr/sbin", "/usr/local/sbin")
REQUIREMENTS = Path(__file__).parent / "files" / "fastapi-requirements.txt"
ENVIRONMENT = ROOT / ".veneer" / "bench" / "fastapi"


def find(program: str) -> str | None:
    """The program's path; directories for administrators are looked at as well."""
    return shutil.which(program) or shutil.which(program, path=os.pathsep.join(WHERE))


def provide(*, install: bool) -> list[str]:
    """Install what is missing where that is allowed and possible; returns one line for each thing still missing."""
    missing = [program for program in PACKAGES if find(program) is None]
    if missing and install and os.geteuid() == 0 and shutil.which("apt-get"):
        _apt_get([PACKAGES[program] for program in missing])
        missing = [program for program in PACKAGES if find(program) is None]
    lines = [f"{program} is missing: install the package {PACKAGES[program]}" for program in missing]
    if not fastapi_ready() and not (install and _make_environment()):
        lines.append(f"the FastAPI contender is missing: its packages are in {REQUIREMENTS.name}")
    return lines


def fastapi_ready() -> bool:
    """Whether the FastAPI contender's own environment has what its requirements name."""
    mark = ENVIRONMENT / "installed.txt"
    return mark.is_file() and mark.read_bytes() == REQUIREMENTS.read_bytes()


def _apt_get(packages: list[str]) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update", "-qq"], ["install", "-qq", "-y", "--no-install-recommends", *packages]):
        subprocess.run(["apt-get", *arguments], env=environment, check=False, stdout=subprocess.DEVNULL)


def _make_environment() -> bool:
    """A virtual environment for the FastAPI contender, so that the project does not depend on it."""
    python = ENVIRONMENT / "bin" / "python"
    steps = (
        [sys.executable, "-m", "venv", str(ENVIRONMENT)],
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(REQUIREMENTS)],
    )
    for step in steps:
        if subprocess.run(step, check=False, stderr=subprocess.DEVNULL).returncode:
            return False
    (ENVIRONMENT / "installed.txt").write_bytes(REQUIREMENTS.read_bytes())
    return True
