"""The checker itself: it passes Veneer, and it finds out Veneer made wrong on purpose."""

from __future__ import annotations

import subprocess
import sys

import pytest

from checks.coherence.ledger import Ledger
from checks.coherence.mutants import MUTANTS
from devstack.process import ROOT

TELLING_FAULT = {
    "answer-before-the-others-know": "route slow",
    "no-lease": "route lost",
    "hold-nothing": "write late",
}
"""Which phase shows a mutant for what it is; by default the one without faults.

A node that goes on after a stop reads the events before it answers; one that is cut off cannot.
"""


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "checks.coherence", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=170, check=False)


def test_a_stale_answer_is_a_violation_and_a_newer_one_is_not() -> None:
    ledger = Ledger(2)
    before = ledger.floor()
    ledger.wrote(1, 5)
    ledger.read("n", "/page/0", before, b"0=0\n1=4\n", "hit")
    assert not ledger.violations
    ledger.read("n", "/page/0", ledger.floor(), b"0=0\n1=6\n", "hit")
    assert not ledger.violations
    ledger.read("n", "/page/0", ledger.floor(), b"0=0\n1=4\n", "hit")
    assert [(found.register, found.acknowledged, found.served) for found in ledger.violations] == [(1, 5, 4)]


def test_veneer_passes() -> None:
    done = _run("--seconds", "6", "--faults", "no fault,node stopped")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("coherent\n")


@pytest.mark.timeout(180)
@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mutant_is_found_out(mutant: str) -> None:
    fault = TELLING_FAULT.get(mutant, "no fault")
    # Long enough for a busy machine; the run ends with the first lie.
    done = _run("--seconds", "90", "--faults", fault, "--mutant", mutant)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "FAILED: the cache lied" in done.stdout
