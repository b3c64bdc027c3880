"""The expectations cover the suite, and a difference is one whichever side is better."""

from __future__ import annotations

from pathlib import Path

import pytest

from checks.conformance import expectations
from checks.conformance.expectations import Expectation, ExpectationError, differences, load
from checks.conformance.judge import Finding, Result, Verdict
from checks.conformance.suite import Suite, SuiteError, suite_file
from checks.conformance.suite import load as load_suite

FILE = suite_file()
needs_suite = pytest.mark.skipif(not FILE.exists(), reason=f"the public suite is not at {FILE}")


@pytest.fixture(scope="module")
def suite() -> Suite:
    return load_suite(FILE)


@needs_suite
def test_every_test_has_one(suite: Suite) -> None:
    expected = load(suite)
    assert len(suite) == 365
    assert {test.id for test in suite} == set(expected)
    assert sum(e.verdict is Verdict.PASS for e in expected.values()) == 160 + 97


@needs_suite
@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("required: 160", "required: 159", "written for"),
        ("tests: [stale-close]", "tests: []", "says nothing of stale-close"),
        ("tests: [stale-close]", "tests: [stale-close, nonsense]", "nonsense is unknown"),
        ("tests: [stale-close]", "tests: [stale-close, stale-close]", "there twice"),
        ("tests: [conditional-lm-fresh-no-lm]", "tests: [stale-close]", "a check"),
    ],
)
def test_a_file_that_does_not_fit_the_suite_is_refused(
    suite: Suite, tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    text = expectations.FILE.read_text()
    assert text.count(old) == 1
    file = tmp_path / "expectations.yaml"
    file.write_text(text.replace(old, new))
    with pytest.raises(ExpectationError, match=complaint):
        load(suite, file)


@needs_suite
def test_tests_are_chosen_by_their_name_or_their_group(suite: Suite) -> None:
    assert [test.id for test in suite.select(["interim"])] == [t.id for t in suite.groups[-1].tests]
    assert [test.id for test in suite.select(["freshness-none"])] == ["freshness-none"]
    with pytest.raises(SuiteError, match="no test or group"):
        suite.select(["freshness-nine"])


def test_better_than_expected_is_a_difference_too() -> None:
    expected = {"a": Expectation(Verdict.OPTIONAL_FAIL, "defective"), "b": Expectation(Verdict.PASS)}
    results = {"a": Result(Finding.PASSED, ""), "b": Result(Finding.PASSED, "")}
    found = differences(expected, {"a": Verdict.PASS, "b": Verdict.PASS}, results)
    assert [d.test_id for d in found] == ["a"]


def test_a_suite_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="CACHE_TESTS"):
        load_suite(tmp_path / "none.json")


def test_a_field_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "suite.json"
    file.write_text('[{"name":"","id":"g","tests":[{"name":"","id":"t","requests":[{"expected_magic":1}]}]}]')
    with pytest.raises(SuiteError, match="expected_magic"):
        load_suite(file)
