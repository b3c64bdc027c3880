"""The checked-in expectation of every test, each deviation with its reason, and its comparison with a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec import Struct

from checks.conformance.judge import Result, Verdict
from checks.conformance.suite import Kind, Suite

FILE = Path(__file__).with_name("expectations.yaml")


class ExpectationError(Exception):
    """The expectations do not fit the suite."""


class Entry(Struct, forbid_unknown_fields=True):
    """Several tests of one verdict for one reason."""

    tests: list[str]
    verdict: Verdict
    reason: str


class Document(Struct, forbid_unknown_fields=True):
    """The file."""

    counts: dict[Kind, int]
    deviations: list[Entry]
    checks: list[Entry]


@dataclass(frozen=True, slots=True)
class Expectation:
    """A verdict and why it is right; no reason where a pass needs none."""

    verdict: Verdict
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """A test that said something else than expected."""

    test_id: str
    expected: Expectation
    verdict: Verdict
    message: str


def load(suite: Suite, file: Path = FILE) -> dict[str, Expectation]:
    """The expectation of every test of the suite. Raises ExpectationError where one is missing, double or unknown."""
    document = msgspec.yaml.decode(file.read_bytes(), type=Document)
    counts = Counter(test.kind for test in suite)
    if counts != document.counts:
        told, found = ({kind.value: n[kind] for kind in Kind} for n in (Counter(document.counts), counts))
        raise ExpectationError(f"{file.name} is written for {told} tests, the suite has {found}")
    expected = {test.id: Expectation(Verdict.PASS) for test in suite if test.kind is not Kind.CHECK}
    for entry in document.deviations:
        for test_id in entry.tests:
            if test_id not in expected or expected[test_id].reason:
                raise ExpectationError(f"{file.name}: deviation {test_id} is unknown, a check, or there twice")
            expected[test_id] = Expectation(entry.verdict, entry.reason)
    for entry in document.checks:
        for test_id in entry.tests:
            if test_id not in suite or test_id in expected:
                raise ExpectationError(f"{file.name}: check {test_id} is unknown or there twice")
            expected[test_id] = Expectation(entry.verdict, entry.reason)
    if missing := [test.id for test in suite if test.id not in expected]:
        raise ExpectationError(f"{file.name} says nothing of {', '.join(missing)}")
    return expected


def differences(
    expected: Mapping[str, Expectation], verdicts: Mapping[str, Verdict], results: Mapping[str, Result]
) -> list[Difference]:
    """Every test whose verdict is not the expected one, whichever of the two is better."""
    return [
        Difference(test_id, expected[test_id], verdict, results[test_id].message)
        for test_id, verdict in verdicts.items()
        if verdict is not expected[test_id].verdict
    ]
