"""Each product alone: its wheel, installed into an empty environment, runs and brings nothing of the other's along."""

from __future__ import annotations

import email
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from devstack.backend import answers
from devstack.callers import bearer, development_environment, development_settings
from devstack.process import ROOT, Launch, ManagedProcess, free_port
from tests.support.client import fetch

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

BACKENDS_ALONE = {"sqlalchemy", "psycopg2-binary", "alembic", "numpy", "aiohttp-cors", "tqdm"}
PROXYS_ALONE = {"redis", "hiredis", "brotli", "http-sf", "pydantic"}
LARGEST_MB = 90


@dataclass(frozen=True, slots=True)
class Wheel:
    """A built wheel."""

    path: Path

    def files(self) -> set[str]:
        with zipfile.ZipFile(self.path) as archive:
            return set(archive.namelist())

    def read(self, ending: str) -> str:
        with zipfile.ZipFile(self.path) as archive:
            (name,) = (name for name in archive.namelist() if name.endswith(ending))
            return archive.read(name).decode()

    def version(self) -> str:
        """As the wheel's metadata say."""
        return str(email.message_from_string(self.read(".dist-info/METADATA"))["Version"])

    def required(self) -> set[str]:
        """The distributions that are installed with it, extras aside."""
        lines = email.message_from_string(self.read(".dist-info/METADATA")).get_all("Requires-Dist", [])
        wanted = [Requirement(line) for line in lines]
        return {canonicalize_name(one.name) for one in wanted if "extra ==" not in str(one.marker)}


def _run(*words: str | Path) -> str:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Wheel]:
    """Builds the wheel of a folder, once."""
    built: dict[str, Wheel] = {}

    def build(folder: str) -> Wheel:
        if folder not in built:
            target = tmp_path_factory.mktemp(folder)
            _run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", target, ROOT / folder)
            (path,) = target.glob("*.whl")
            built[folder] = Wheel(path)
        return built[folder]

    return build


def _installed(wheel: Wheel, directory: Path) -> Path:
    """The programs of an environment that has the wheel, and a `proxy` and a `backend` of somebody else."""
    _run(sys.executable, "-m", "venv", "--without-pip", directory)
    pip = (sys.executable, "-m", "pip", "--python", directory / "bin" / "python", "--disable-pip-version-check")
    _run(*pip, "install", "--quiet", "--no-compile", "-c", ROOT / ".ci/constraints.txt", wheel.path)
    for name in ("proxy", "backend"):
        (_packages(directory) / name).mkdir()
        (_packages(directory) / name / "__init__.py").write_text("raise RuntimeError('of somebody else')\n", "utf-8")
    return directory / "bin"


def _packages(directory: Path) -> Path:
    (found,) = (directory / "lib").glob("python*/site-packages")
    return found


def _megabytes(directory: Path) -> float:
    """What is installed there takes, bytecode aside."""
    return sum(path.stat().st_size for path in _packages(directory).rglob("*") if path.is_file()) / 1e6


def test_the_wheels_hold_one_package_each_and_all_of_its_files(wheel: Callable[[str], Wheel]) -> None:
    for folder, name in (("proxy", "veneer"), ("backend", "etter")):
        files = wheel(folder).files()
        assert {file.partition("/")[0].partition("-")[0] for file in files} == {name}
        kept = _run("git", "-C", ROOT / folder, "ls-files", name).split()
        assert set(kept) <= files
        assert f"{name}/py.typed" in files
        assert f"{name} = {name}." in wheel(folder).read("entry_points.txt")


def test_the_version_is_that_of_the_history_and_without_one_the_fallback(
    wheel: Callable[[str], Wheel], tmp_path: Path
) -> None:
    told = wheel("proxy").version()
    assert re.fullmatch(r"\d+\.\d+\.\d+(\.dev\d+\+g[0-9a-f]+(\.d\d+)?)?", told), told
    assert wheel("backend").version() == told
    shutil.copytree(ROOT / "proxy", tmp_path / "proxy", ignore=shutil.ignore_patterns("__pycache__"))
    _run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path, tmp_path / "proxy")
    (path,) = tmp_path.glob("*.whl")
    assert Wheel(path).version() == "0.1.0"


def test_neither_asks_for_what_only_the_other_needs(wheel: Callable[[str], Wheel]) -> None:
    proxy, backend = wheel("proxy").required(), wheel("backend").required()
    assert proxy >= PROXYS_ALONE
    assert backend >= BACKENDS_ALONE
    assert proxy.isdisjoint(BACKENDS_ALONE)
    assert backend.isdisjoint(PROXYS_ALONE)


def test_each_runs_from_an_environment_of_its_own(
    wheel: Callable[[str], Wheel], tmp_path: Path, etter_database_url: str
) -> None:
    proxy, backend = (_installed(wheel(folder), tmp_path / folder) for folder in ("proxy", "backend"))
    assert _megabytes(tmp_path / "proxy") < LARGEST_MB
    assert _run(proxy / "veneer", "--version") == f"veneer {wheel('proxy').version()} (interpreted)\n"
    assert _distributions(tmp_path / "proxy").isdisjoint(BACKENDS_ALONE)
    assert _distributions(tmp_path / "backend").isdisjoint(PROXYS_ALONE)
    public, inner = free_port(), free_port()
    etter = [str(backend / "etter"), "serve", "--listen", f"127.0.0.1:{inner}", "--database-url", etter_database_url]
    veneer = [
        str(proxy / "veneer"),
        "serve",
        "--listen",
        f"127.0.0.1:{public}",
        "--upstream",
        f"http://127.0.0.1:{inner}",
    ]
    children = [
        ManagedProcess(
            Launch(
                name,
                argv,
                tmp_path / f"{name}.log",
                {"PYTHONSAFEPATH": "1", "PYTHONPATH": "", **development_environment()},
            )
        )
        for name, argv in (("etter", etter), ("veneer", veneer))
    ]
    try:
        for child, port in zip(children, (inner, public), strict=True):
            child.start()
            child.wait_ready(lambda port=port: answers(f"http://127.0.0.1:{port}/health"))  # type: ignore[misc]
        companies, headers = f"http://127.0.0.1:{public}/api/etter/master_companies", bearer(development_settings())
        assert fetch(companies, headers=headers).status == 200
        assert fetch(companies, headers=headers).hit
    finally:
        for child in reversed(children):
            child.stop()


def _distributions(directory: Path) -> set[str]:
    return {canonicalize_name(path.name.partition("-")[0]) for path in _packages(directory).glob("*.dist-info")}
