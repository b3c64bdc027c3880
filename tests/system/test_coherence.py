"""The checker itself: it passes Veneer, and it finds out Veneer made wrong on purpose."""

from __future__ import annotations

import subprocess
import sys

import pytest

from checks.coherence.changes.ledger import CommitLedger
from checks.coherence.changes.mutants import MUTANTS as CHANGES_MUTANTS
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


TELLING_FAULT_OF_CHANGES = {
    "confirm-before-the-log": "killed with changes",
    "ignore-the-lag": "replication held",
}


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


def test_a_commit_binds_the_reads_that_begin_later_than_the_lag() -> None:
    at_once, later = CommitLedger(2, bound_s=0.0), CommitLedger(2, bound_s=60.0)
    for ledger in (at_once, later):
        ledger.committed(1, 5)
        ledger.read("n", "/page/0", ledger.floor(), b"0=0\n1=4\n", "hit")
    assert [(found.register, found.served) for found in at_once.violations] == [(1, 4)]
    assert not later.violations


def test_a_write_through_a_node_binds_its_own_url_at_once() -> None:
    ledger = CommitLedger(2, bound_s=60.0)
    ledger.wrote(1, 5)
    assert (ledger.floor_of_register(1), ledger.floor()) == ({1: 5}, (0, 0))


@pytest.mark.timeout(180)
def test_veneer_passes_with_commits_behind_it() -> None:
    done = _run("--changes", "--seconds", "8", "--faults", "no fault,replication cut", "--bulk", "1000")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("coherent\n")


@pytest.mark.timeout(180)
@pytest.mark.parametrize("mutant", CHANGES_MUTANTS)
def test_a_mutant_about_changes_is_found_out(mutant: str) -> None:
    fault = TELLING_FAULT_OF_CHANGES.get(mutant, "no fault")
    done = _run("--changes", "--seconds", "90", "--faults", fault, "--mutant", mutant, "--bulk", "1000")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "FAILED: a read was older than a commit" in done.stdout
