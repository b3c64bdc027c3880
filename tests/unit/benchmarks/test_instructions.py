"""Counted instructions: what is sent, and how the result reads."""

from __future__ import annotations

from benchmarks.instructions import requests_of, table
from benchmarks.peers.requests import MARK


def test_a_miss_asks_for_another_target_each_time_and_a_hit_does_not() -> None:
    sent = requests_of()
    assert MARK.encode() in sent["miss"].split(b" ")[1]
    assert MARK.encode() not in sent["hit"]


def test_cases_can_be_named_in_one_list() -> None:
    assert not [name for name in requests_of() if "," in name]


def test_the_result_has_a_row_for_each_case_and_a_column_for_each_form_counted() -> None:
    page = table({"hit": {"as written": 70_000, "compiled": 30_000}, "304": {"as written": 71_000}})
    assert "| case | as written | compiled |" in page
    assert "| hit | 70,000 | 30,000 |" in page
    assert "| 304 | 71,000 |  |" in page


def test_forms_that_were_not_counted_have_no_column() -> None:
    assert "compiled" not in table({"hit": {"as written": 70_000}}).split("|---|")[0].splitlines()[-1]
