"""The images' own install and start lines, run outside an engine: only wheels, only what is copied in."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pytest

from devstack.backend import answers
from devstack.process import ROOT, Launch, ManagedProcess, free_port
from tests.support.dockerfile import context_copies, final_stage, parse_dockerfile

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@dataclass(frozen=True, slots=True)
class Image:
    """A directory that stands for /app, and a Python that has what the image has."""

    python: Path
    app: Path

    def child(self, name: str, arguments: list[str], log: Path, env: dict[str, str]) -> ManagedProcess:
        # The shell changes into the image's directory; nothing of the checkout is importable from there.
        command = ["/bin/sh", "-c", 'cd "$0" && exec "$@"', str(self.app), str(self.python), *arguments]
        return ManagedProcess(Launch(name, command, log, env))


def _run_lines(dockerfile: str) -> list[str]:
    return [one.text for one in parse_dockerfile(ROOT / dockerfile) if one.name == "RUN" and one.stage == 0]


def _installed(dockerfile: str, directory: Path) -> Path:
    """The Python of the virtual environment that the build stage makes."""
    work, target = directory / "build", directory / "venv"
    work.mkdir()
    first = next(one for one in parse_dockerfile(ROOT / dockerfile) if one.name == "COPY")
    for source in first.words()[:-1]:
        shutil.copy(ROOT / source, work)
    for line in _run_lines(dockerfile):
        here = line.replace("/opt/venv", str(target)).replace("python -", f"{sys.executable} -")
        here = here.replace("--no-cache-dir", "--no-compile")  # what is installed is the same, sooner
        done = subprocess.run(["/bin/sh", "-ec", here], cwd=work, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return target / "bin" / "python"


def _image(python: Path, dockerfile: str, app: Path) -> Image:
    app.mkdir()
    for sources, destination in context_copies(parse_dockerfile(ROOT / dockerfile)):
        for source in sources:
            if destination.startswith("./") and destination != "./":
                origin, target = ROOT / source, app / destination
                copy: Callable[[Path, Path], object] = shutil.copytree if origin.is_dir() else shutil.copy
                copy(origin, target)
    return Image(python, app)


def _start_line(dockerfile: str) -> list[str]:
    stage = {one.name: one for one in final_stage(parse_dockerfile(ROOT / dockerfile))}
    return stage["ENTRYPOINT"].words()[1:] + stage["CMD"].words()


def _environment(dockerfile: str) -> dict[str, str]:
    """What the image sets, but for the place of its Python."""
    lines = [one.words() for one in final_stage(parse_dockerfile(ROOT / dockerfile)) if one.name == "ENV"]
    return {
        name: value for word in chain.from_iterable(lines) for name, _, value in [word.partition("=")] if name != "PATH"
    }


def _with_ports(words: list[str], ports: dict[str, int]) -> list[str]:
    moved = words
    for before, after in ports.items():
        moved = [re.sub(rf"^(?:0\.0\.0\.0|127\.0\.0\.1):{before}$", f"127.0.0.1:{after}", word) for word in moved]
    return moved


def test_the_proxy_image_starts_with_the_shipped_policies(tmp_path: Path) -> None:
    image = _image(_installed("Dockerfile.proxy", tmp_path), "Dockerfile.proxy", tmp_path / "app")
    admin = free_port()
    words = _with_ports(_start_line("Dockerfile.proxy"), {"8080": free_port(), "9090": admin})
    child = image.child("proxy image", words, tmp_path / "proxy.log", _environment("Dockerfile.proxy"))
    child.start()
    try:
        child.wait_ready(lambda: answers(f"http://127.0.0.1:{admin}/health"))
    finally:
        child.stop()


def test_the_backend_image_prepares_its_database_and_starts(tmp_path: Path, database_url: str) -> None:
    image = _image(_installed("Dockerfile.backend", tmp_path), "Dockerfile.backend", tmp_path / "app")
    env = _environment("Dockerfile.backend") | {"DATABASE_URL": database_url}
    for number, words in enumerate((["etter.migrate"], ["etter.indexes", "apply"], ["etter.seed", "--size", "tiny"])):
        step = image.child("prepare", ["-m", *words], tmp_path / f"step{number}.log", env)
        step.start()
        assert step.wait(60), words
        assert step.exit_code == 0, step.log_text()
    port = free_port()
    words = _with_ports(_start_line("Dockerfile.backend"), {"7071": port})
    child = image.child("backend image", words, tmp_path / "backend.log", env)
    child.start()
    try:
        child.wait_ready(lambda: answers(f"http://127.0.0.1:{port}/health"))
    finally:
        child.stop()
