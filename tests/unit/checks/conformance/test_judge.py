"""Verdicts and scores."""

from __future__ import annotations

import msgspec

from checks.conformance.judge import Finding, Result, Score, Verdict, score, verdict
from checks.conformance.suite import Group, Suite

SUITE = Suite(
    [
        msgspec.convert(
            {
                "name": "g",
                "id": "g",
                "tests": [
                    {"name": "", "id": "base", "kind": "check", "requests": []},
                    {"name": "", "id": "first", "requests": [], "depends_on": ["base"]},
                    {"name": "", "id": "second", "kind": "optimal", "requests": [], "depends_on": ["first"]},
                ],
            },
            type=Group,
        )
    ]
)


def verdicts(**findings: Finding) -> dict[str, Verdict]:
    results = {name: Result(finding, "") for name, finding in findings.items()}
    return {test.id: verdict(SUITE, test, results) for test in SUITE}


def test_a_test_means_what_its_kind_says() -> None:
    passed = verdicts(base=Finding.PASSED, first=Finding.PASSED, second=Finding.PASSED)
    assert list(passed.values()) == [Verdict.YES, Verdict.PASS, Verdict.PASS]
    assert score(SUITE, passed) == Score(1, 1, 1)
    failed = verdicts(base=Finding.PASSED, first=Finding.PASSED, second=Finding.FAILED)
    assert failed["second"] is Verdict.OPTIONAL_FAIL
    assert score(SUITE, failed) == Score(1, 0, 1)


def test_nothing_counts_that_builds_on_a_failure_however_far_back() -> None:
    said = verdicts(base=Finding.FAILED, first=Finding.PASSED, second=Finding.PASSED)
    assert list(said.values()) == [Verdict.NO, Verdict.DEPENDENCY_FAIL, Verdict.DEPENDENCY_FAIL]
    assert score(SUITE, said) == Score(0, 0, 0)


def test_a_test_without_result_is_untested_and_stops_those_that_build_on_it() -> None:
    said = verdicts(first=Finding.PASSED)
    assert said["base"] is Verdict.UNTESTED
    assert said["first"] is Verdict.DEPENDENCY_FAIL


def test_broken_is_failed_and_setup_and_retry_are_neither() -> None:
    for finding, said in (
        (Finding.BROKEN, Verdict.FAIL),
        (Finding.SETUP_FAILED, Verdict.SETUP_FAIL),
        (Finding.RETRIED, Verdict.RETRY),
    ):
        assert verdicts(base=Finding.PASSED, first=finding)["first"] is said
