"""From what a run found to verdicts, and from verdicts to scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from checks.conformance.suite import CacheTest, Kind, Suite


class Finding(Enum):
    """How one run of a test ended."""

    PASSED = "passed"
    FAILED = "failed"
    SETUP_FAILED = "setup-failed"
    RETRIED = "retried"
    BROKEN = "broken"  # no usable response, or a request the origin never saw


@dataclass(frozen=True, slots=True)
class Result:
    """A finding with its reason."""

    finding: Finding
    message: str


class Verdict(Enum):
    """What a finding means for this test, in the suite's own words."""

    PASS = "pass"
    FAIL = "fail"
    OPTIONAL_FAIL = "optional_fail"
    YES = "yes"
    NO = "no"
    SETUP_FAIL = "setup_fail"
    DEPENDENCY_FAIL = "dependency_fail"
    RETRY = "retry"
    UNTESTED = "untested"


_PASSES = {Kind.REQUIRED: Verdict.PASS, Kind.OPTIMAL: Verdict.PASS, Kind.CHECK: Verdict.YES}
_FAILS = {Kind.REQUIRED: Verdict.FAIL, Kind.OPTIMAL: Verdict.OPTIONAL_FAIL, Kind.CHECK: Verdict.NO}


def own_verdict(test: CacheTest, result: Result) -> Verdict:
    """What the test says, whatever it depends on."""
    match result.finding:
        case Finding.RETRIED:
            return Verdict.RETRY
        case Finding.SETUP_FAILED:
            return Verdict.SETUP_FAIL
        case Finding.PASSED:
            return _PASSES[test.kind]
        case Finding.FAILED | Finding.BROKEN:
            return _FAILS[test.kind]


def verdict(suite: Suite, test: CacheTest, results: Mapping[str, Result], *, heed_dependencies: bool = True) -> Verdict:
    """What the test says. It says nothing where a test it depends on has not passed, itself or one before it."""
    result = results.get(test.id)
    if result is None:
        return Verdict.UNTESTED
    if heed_dependencies:
        for dependency in test.depends_on:
            if verdict(suite, suite[dependency], results) not in (Verdict.PASS, Verdict.YES):
                return Verdict.DEPENDENCY_FAIL
    return own_verdict(test, result)


@dataclass(frozen=True, slots=True)
class Score:
    """Passed required and optimal tests, and checks answered with yes."""

    required: int
    optimal: int
    checks: int


def score(suite: Suite, verdicts: Mapping[str, Verdict]) -> Score:
    """Count what was passed."""
    passed = [suite[name].kind for name, said in verdicts.items() if said in (Verdict.PASS, Verdict.YES)]
    return Score(passed.count(Kind.REQUIRED), passed.count(Kind.OPTIMAL), passed.count(Kind.CHECK))
