"""The machine checks the house: each contract and each ban refuses what it is there to refuse."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

ALONE = "The products know nothing of what starts, checks and measures them"
NO_TESTS = "What starts, checks and measures the products knows no tests"
VIOLATIONS = [
    ("proxy/veneer/core/fields.py", "import veneer.pipeline.context", "Imports go downwards only"),
    ("proxy/veneer/stores/memory.py", "import veneer.limits.inflight", "Imports go downwards only"),
    ("proxy/veneer/ports/stores.py", "import veneer.stores.memory", "Imports go downwards only"),
    ("proxy/veneer/fastpath/scan.py", "import veneer.main.node", "Imports go downwards only"),
    ("proxy/veneer/observe/lines.py", "import veneer.server.ports", "Imports go downwards only"),
    ("proxy/veneer/workers/slot.py", "import veneer.fastpath.scan", "Imports go downwards only"),
    ("proxy/veneer/core/dates.py", "import time", "The core and the grammar do no I/O and read no clock"),
    ("proxy/veneer/core/key.py", "import asyncio", "The core and the grammar do no I/O and read no clock"),
    ("proxy/veneer/http1/heads.py", "import asyncio", "The core and the grammar do no I/O and read no clock"),
    ("proxy/veneer/http1/heads.py", "import veneer.upstream.pool", "Imports go downwards only"),
    ("proxy/veneer/server/plain.py", "import veneer.upstream.pool", "Clients and backends are strangers"),
    ("proxy/veneer/pipeline/reply.py", "import aiohttp.web", "Only the rooms at the edge know aiohttp"),
    ("proxy/veneer/fastpath/hits.py", "import aiohttp.web", "Only the rooms at the edge know aiohttp"),
    ("backend/etter/__init__.py", "import veneer.core.dates", "The proxy and the backend do not know each other"),
    ("proxy/veneer/loop/tasks.py", "import etter", "The proxy and the backend do not know each other"),
    (
        "proxy/veneer/main/serve.py",
        "import devstack.run",
        ALONE,
    ),
    (
        "backend/etter/app.py",
        "import checks.relay",
        ALONE,
    ),
    ("checks/relay.py", "import tests.support.clock", NO_TESTS),
    ("devstack/run.py", "import checks.relay", "Benchmarks, checks and the stack import downwards only"),
]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code to spoil."""
    directory = tmp_path_factory.mktemp("house")
    for name in ("proxy", "backend", "devstack", "checks", "benchmarks"):
        shutil.copytree(ROOT / name, directory / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", directory)
    return directory


def run(directory: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / program), *arguments]
    # Before the packages that are installed, which are those of the checkout.
    env = os.environ | {"PYTHONPATH": os.pathsep.join(str(directory / name) for name in ("proxy", "backend", "."))}
    return subprocess.run(command, cwd=directory, env=env, capture_output=True, text=True, timeout=60, check=False)


def test_the_code_as_it_is_keeps_every_contract(copy: Path) -> None:
    result = run(copy, "lint-imports", "--no-cache")
    assert result.returncode == 0, result.stdout
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    assert f"{len(contracts)} kept, 0 broken" in result.stdout


@pytest.mark.parametrize("file", [file for file, _, _ in VIOLATIONS])
def test_every_file_to_be_spoiled_is_there(file: str) -> None:
    assert (ROOT / file).is_file(), "it has moved: name its new place in VIOLATIONS"


@pytest.mark.slow
@pytest.mark.parametrize(("file", "line", "contract"), VIOLATIONS)
def test_a_forbidden_import_breaks_its_contract(copy: Path, file: str, line: str, contract: str) -> None:
    path = copy / file
    before = path.read_text("utf-8")
    path.write_text(f"{before}\n{line}\n", "utf-8")
    try:
        result = run(copy, "lint-imports", "--no-cache")
    finally:
        path.write_text(before, "utf-8")
    assert result.returncode != 0
    assert f"{contract} BROKEN" in result.stdout


@pytest.mark.parametrize(
    "call",
    [
        "import asyncio\nasyncio.create_task(asyncio.sleep(0))\n",
        "import asyncio\nasyncio.ensure_future(asyncio.sleep(0))\n",
        "import time\ntime.time()\n",
        "import time\ntime.monotonic()\n",
        "import datetime\ndatetime.datetime.now(datetime.UTC)\n",
    ],
)
def test_a_banned_call_is_refused(copy: Path, call: str) -> None:
    spoiled = copy / "proxy" / "veneer" / "pipeline" / "spoiled.py"
    spoiled.write_text(f'"""A file that breaks a ban."""\n\n{call}', "utf-8")
    try:
        result = run(copy, "ruff", "check", "--no-cache", "--select", "TID251", "proxy")
    finally:
        spoiled.unlink()
    assert result.returncode != 0
    assert "TID251" in result.stdout
    assert "spoiled.py" in result.stdout
