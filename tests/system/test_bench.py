"""The comparison with peers runs and writes what it measured. It says nothing about how fast anything is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from benchmarks.peers.cases import NGINX, VENEER
from benchmarks.peers.results import Results
from benchmarks.peers.tools import find
from devstack.process import ROOT


@pytest.mark.skipif(find("wrk") is None, reason="wrk is not installed: there is nothing to measure with")
def test_a_quick_run_measures_who_is_there_and_writes_all_three_files(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "benchmarks.peers", "--quick", "--cases", "hit-changing,half-load"]
    ran = subprocess.run([*argv, "--results", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    found = msgspec.json.decode((tmp_path / "peers.json").read_bytes(), type=Results)
    assert found.failed == []
    assert found.latency is not None
    assert found.latency.rounds[VENEER][0].p99_us > 0
    labels = [line.label for line in found.outcomes[0].lines]
    assert VENEER in labels
    assert (NGINX in labels) is (find("nginx") is not None)
    assert all(line.windows[0].requests > 0 for line in found.outcomes[0].lines)
    assert "## Bars" in (tmp_path / "peers.md").read_text()
    assert (tmp_path / "peers.png").read_bytes().startswith(b"\x89PNG")
