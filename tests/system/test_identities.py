"""The checker of identities itself: it passes Veneer, and it finds out Veneer made wrong on purpose."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest

from checks.identities.asking import Findings
from checks.identities.mutants import MUTANTS
from checks.identities.people import BRIEF_S, TokenKind, credential
from devstack.process import ROOT

NOW = 1_700_000_000.0


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "checks.identities", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=170, check=False)


def leaks(kind: TokenKind, body: str, *, page: str = "plain", sent: float = NOW) -> int:
    """How many leaks are found where that body answers who has such a token; {t} and {u} stand for his own letters."""
    findings, who = Findings(), credential(kind, random.Random(1), NOW)
    findings.judge(page, who, sent, 200, body.format(t=who.tenant, u=who.user).encode())
    return len(findings.leaks)


def test_a_byte_of_another_is_a_leak_and_one_s_own_is_none() -> None:
    assert leaks(TokenKind.GOOD, "{t}{t}") == leaks(TokenKind.GOOD, "--") == leaks(TokenKind.FORGED, "--") == 0
    assert leaks(TokenKind.GOOD, "{t}z") == leaks(TokenKind.FORGED, "{t}{t}") == 1
    assert leaks(TokenKind.GOOD, "{t}{u}") == 1, "what is a user's own is not for his whole tenant"
    assert leaks(TokenKind.GOOD, "{t}{u}", page="user") == 0
    assert leaks(TokenKind.BRIEF, "{t}") == 0
    assert leaks(TokenKind.BRIEF, "{t}", sent=NOW + BRIEF_S + 1) == 1


@pytest.mark.timeout(180)
@pytest.mark.parametrize("stores", ["memory", "redis"])
def test_nobody_gets_a_byte_of_another_identity(stores: str) -> None:
    done = _run("--exchanges", "6000", "--stores", stores)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("nobody got a byte of another identity\n")


@pytest.mark.timeout(180)
@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mutant_is_found_out(mutant: str) -> None:
    # Long enough for a busy machine; the run ends with the first leak.
    done = _run("--exchanges", "200000", "--stores", "memory", "--mutant", mutant)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "LEAK: " in done.stdout
