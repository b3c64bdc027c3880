"""The table of commands: each can be loaded, and what is asked for often starts without what it does not need."""

from __future__ import annotations

import gc
import json
import subprocess
import sys

import pytest

from veneer.cli import commands
from veneer.cli.commands import COMMANDS, loaded

SLOW = {"aiohttp", "redis", "prometheus_client", "opentelemetry", "uvloop", "pydantic", "yaml", "asyncio"}
"""What takes long to import, or is a sign of what does."""
SERVING = ("veneer.server", "veneer.policy.model", "veneer.admin.application", "veneer.fastpath", "veneer.stores")
NOBODY = ["--admin", "127.0.0.1:1"]

PROGRAM = """
import json, sys
from veneer.cli.main import main
try:
    status = main(sys.argv[1:])
except SystemExit as ended:
    status = ended.code
print("\\n" + json.dumps([status, sorted(sys.modules)]))
"""


@pytest.mark.parametrize("name", [command.name for command in COMMANDS])
def test_each_command_can_be_loaded(name: str) -> None:
    assert callable(loaded(name))


def test_the_cycle_collector_rests_while_a_command_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []

    def imported(_module: str) -> object:
        seen.append(gc.isenabled())
        raise ImportError

    monkeypatch.setattr(commands, "import_module", imported)
    with pytest.raises(ImportError):
        loaded("serve")
    assert (seen, gc.isenabled()) == ([False], True)


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (["--help"], 0),
        (["health", *NOBODY], 3),
        (["status", *NOBODY], 3),
        (["purge", *NOBODY, "users"], 3),
        (["tail", *NOBODY, "--status", "5xx"], 3),
        (["top", *NOBODY], 3),
        (["completion", "bash"], 0),
    ],
    ids=lambda said: said[0] if isinstance(said, list) else "",
)
def test_what_asks_a_running_proxy_imports_no_proxy(said: list[str], status: int) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, *said], capture_output=True, text=True, timeout=60, check=True
    )
    found, modules = json.loads(ended.stdout.splitlines()[-1])
    assert found == status
    assert not SLOW & {module.partition(".")[0] for module in modules}
    assert not [module for module in modules if module.startswith(SERVING)]
