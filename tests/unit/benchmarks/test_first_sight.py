"""First sight of a token: each algorithm is measured, and the bars are judged."""

from __future__ import annotations

from benchmarks.first_sight import MOST_US, Sight, judged, measure, page


def test_every_algorithm_proves_and_is_measured() -> None:
    found = measure(rounds=1, tokens=3)
    assert set(found) == {"HS256", "RS256", "ES256", "EdDSA"}
    assert set(MOST_US) <= set(found)
    assert all(sight.first_us[0] > 0 for sight in found.values())


def test_the_median_has_to_reach_the_bar() -> None:
    met = judged({"HS256": Sight([100, 149, 900], [1])})
    missed = judged({"HS256": Sight([100, 151, 151], [1])})
    assert [one.met for one in (*met, *missed)] == [True, False]


def test_the_page_shows_the_bars_and_a_row_for_each() -> None:
    text = page({"RS256": Sight([300.0], [2.0]), "EdDSA": Sight([500.0], [2.0])})
    assert "token of RS256, at most 400 us of processor time | 300.0 (300.0 to 300.0) | yes |" in text
    assert "| EdDSA | 500.0 (500.0 to 500.0) | 2.0 (2.0 to 2.0) |" in text
