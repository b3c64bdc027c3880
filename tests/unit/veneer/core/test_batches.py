from __future__ import annotations

import pytest

from veneer.core.batches import terms_of, wanted
from veneer.core.rate import Accuracy, RateLimit

MINUTE = RateLimit("p", 1_000, 60, 1_000)
SECOND = RateLimit("p", 1_000, 1, 1_000)


def test_an_exact_limit_is_taken_one_by_one() -> None:
    terms = terms_of(RateLimit("p", 1_000, 60, 1_000, accuracy=Accuracy.EXACT), 4)
    assert (terms.most, terms.adapts, wanted(terms, 9, 0.1, 9)) == (1, False, 1)


def test_a_leased_limit_is_taken_in_tenths_of_its_burst() -> None:
    terms = terms_of(RateLimit("p", 1_000, 60, 100, accuracy=Accuracy.LEASED), 4)
    assert (terms.most, terms.shares, terms.adapts, wanted(terms, 0, 0, 0)) == (10, 1, False, 10)
    assert terms_of(RateLimit("p", 1_000, 60, 1, accuracy=Accuracy.LEASED), 4).most == 1


def test_each_node_takes_a_part_of_what_is_left() -> None:
    assert [terms_of(MINUTE, nodes).shares for nodes in (0, 1, 4)] == [4, 4, 16]


@pytest.mark.parametrize("window_s", [50, 60, 3_600])
def test_what_comes_late_is_one_percent_of_a_long_window_at_most(window_s: float) -> None:
    terms = terms_of(RateLimit("p", 1_000, window_s, 1_000), 4)
    assert terms.life_s == 0.5
    assert terms.life_s / window_s <= 0.01


@pytest.mark.parametrize("window_s", [0.1, 1, 10, 49])
@pytest.mark.parametrize("nodes", [1, 2, 7])
def test_all_nodes_hold_half_a_percent_of_a_short_window_at_most(window_s: float, nodes: int) -> None:
    terms = terms_of(RateLimit("p", 10_000, window_s, 10_000), nodes)
    assert terms.life_s <= window_s / 2
    assert 1 < terms.most * nodes <= 100
    assert terms_of(RateLimit("p", 10, window_s, 10), nodes).most == 1


def test_a_stranger_gets_a_few() -> None:
    assert wanted(terms_of(MINUTE, 1), 0, 0, 0) == 4


def test_a_batch_is_what_the_client_sends_in_half_a_life() -> None:
    terms = terms_of(MINUTE, 1)
    assert wanted(terms, 40, 0.1, 40) == 100
    assert wanted(terms, 1, 2.0, 40) == 1


def test_a_burst_is_no_pace_yet() -> None:
    terms = terms_of(MINUTE, 1)
    assert [wanted(terms, 4, elapsed_s, 4) for elapsed_s in (0, 1e-9)] == [16, 16]
    assert wanted(terms_of(SECOND, 1), 10, 0, 10) == 10


def test_a_short_life_is_no_reason_to_wait() -> None:
    """A process that did not run for a tenth of a second finds what it holds still good."""
    assert terms_of(SECOND, 1).life_s == 0.5
