"""The systemd unit: what systemd's own checks say, and that it asks for what the product does."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from veneer.policy.load import default_policy
from veneer.workers.supervisor import EXIT_MARGIN_S

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "deploy" / "systemd" / "veneer.service"
PROGRAM = "/opt/veneer/bin/veneer"
MAX_EXPOSURE = 15
"""Tenths; systemd calls up to 19 "OK", and a unit without hardening has 96."""

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not there")


def settings() -> dict[str, list[str]]:
    """Every assignment of the unit, in order."""
    found = defaultdict[str, list[str]](list)
    for line in UNIT.read_text("utf-8").splitlines():
        if line and not line.startswith(("#", "[")):
            name, _, value = line.partition("=")
            found[name].append(value)
    return found


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The unit as if its program were there."""
    unit = tmp_path / "veneer.service"
    unit.write_text(UNIT.read_text("utf-8").replace(PROGRAM, sys.executable), "utf-8")
    return unit


def analyzed(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False)


@needs_systemd
def test_systemd_understands_every_line(installed: Path) -> None:
    done = analyzed("verify", "--man=no", str(installed))
    assert (done.returncode, done.stderr) == (0, "")


@needs_systemd
def test_a_word_that_systemd_does_not_know_is_found(installed: Path) -> None:
    installed.write_text(installed.read_text("utf-8").replace("LimitNOFILE", "LimitNOFILES"), "utf-8")
    assert "LimitNOFILES" in analyzed("verify", "--man=no", str(installed)).stderr


@needs_systemd
def test_it_is_open_to_little(installed: Path) -> None:
    done = analyzed("security", "--offline=true", f"--threshold={MAX_EXPOSURE}", "--no-pager", str(installed))
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_starts_reloads_and_is_watched_as_the_product_does() -> None:
    found = settings()
    assert found["Type"] == ["notify"]
    assert found["ExecStart"] == [f"{PROGRAM} serve"]
    assert found["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    assert found["WatchdogSec"]


def test_every_client_that_the_policy_allows_gets_a_file() -> None:
    policy = default_policy()
    upstreams = sum(one.max_connections + one.max_streams for one in policy.upstreams.values())
    assert int(settings()["LimitNOFILE"][0]) > policy.limits.connections + upstreams


def test_a_drain_is_over_before_systemd_loses_patience() -> None:
    patience = re.fullmatch(r"(\d+)s", settings()["TimeoutStopSec"][0])
    assert patience is not None
    assert int(patience[1]) > default_policy().timeouts.drain_s + EXIT_MARGIN_S
