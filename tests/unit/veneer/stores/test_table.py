"""The table of recent invalidations, its horizon, and the memo that saves asking it."""

from __future__ import annotations

import pytest

from tests.support.entries import stored
from veneer.core.entry import Position
from veneer.core.invalidation import Invalidation, InvalidationMode, Validity
from veneer.stores.table import SubjectTable, check

TAG = Invalidation(tags=("x",))


def _ask(table: SubjectTable, born: int, *tags: str, uri: str = "site/x") -> Validity:
    return check(stored(Position("e", born), *tags, uri=uri), table, moved=0, epoch="e", applied=born)


def test_what_is_forgotten_is_dead_from_then_on_and_never_revived() -> None:
    table = SubjectTable(max_bytes=10 * 300)
    for seq in range(1, 101):
        table.apply(Invalidation(tags=(f"tag:{seq}",)), seq)
    assert table.size_bytes <= 10 * 300
    assert 80 < table.horizon < 100
    assert _ask(table, table.horizon - 1, "other") is Validity.DEAD
    assert _ask(table, table.horizon, "other") is Validity.VALID
    assert _ask(table, 98, "tag:100") is Validity.DEAD


@pytest.mark.no_cover
def test_a_hundred_thousand_tags_stay_within_the_bound() -> None:
    table = SubjectTable(max_bytes=500_000)
    for seq in range(1, 100_001, 10):
        table.apply(Invalidation(tags=tuple(f"tag:{seq + n}" for n in range(10))), seq)
    assert table.size_bytes <= 500_000
    assert len(table) <= 500_000 // 200


def test_a_soft_event_that_is_forgotten_leaves_softness_not_death() -> None:
    table = SubjectTable(max_bytes=5 * 300)
    for seq in range(1, 21):
        table.apply(Invalidation(tags=(f"tag:{seq}",), strength=InvalidationMode.SOFT), seq)
    assert table.horizon == 0
    assert _ask(table, 1, "other") is Validity.SOFT
    assert _ask(table, 20, "other") is Validity.VALID


def test_a_hard_event_wins_over_a_later_soft_one() -> None:
    table = SubjectTable()
    table.apply(TAG, 1)
    table.apply(Invalidation(tags=("x",), strength=InvalidationMode.SOFT), 2)
    assert _ask(table, 0, "x") is Validity.DEAD
    assert _ask(table, 1, "x") is Validity.SOFT
    assert _ask(table, 2, "x") is Validity.VALID


def test_an_event_applied_twice_or_late_takes_nothing_back() -> None:
    table = SubjectTable()
    table.apply(TAG, 5)
    size = table.size_bytes
    table.apply(TAG, 3)
    assert (_ask(table, 4, "x"), table.size_bytes) == (Validity.DEAD, size)


def test_prefix_lengths_are_forgotten_with_their_prefixes() -> None:
    table = SubjectTable(max_bytes=300)
    table.apply(Invalidation(uri_prefixes=("/api/",)), 1)
    table.apply(Invalidation(uri_prefixes=("site/a",)), 2)
    assert _ask(table, 1, uri="site/abc") is Validity.DEAD
    assert _ask(table, 1, uri="site/xyz") is Validity.VALID
    table.clear(0)
    assert _ask(table, 0, uri="site/abc") is Validity.VALID


@pytest.mark.parametrize(("tag", "kept"), [("a:b:c", True), (":".join("x" * 500), False)])
def test_what_a_tag_of_many_colons_answers_to_is_not_kept(tag: str, kept: bool) -> None:
    """It takes 250 KB, of which no store knows."""
    entry, table = stored(Position("e", 5), tag), SubjectTable()
    for moved in (1, 2, 3):
        table.apply(Invalidation(tags=("other:*",)), moved)
        assert check(entry, table, moved=moved, epoch="e", applied=5) is Validity.VALID
    assert (entry.memo.subjects is not None) is kept
    table.apply(Invalidation(tags=(f"{tag[:3]}:*",)), 6)
    assert check(entry, table, moved=6, epoch="e", applied=6) is Validity.DEAD


def test_an_entry_found_valid_outlives_a_horizon_that_rises_later() -> None:
    table = SubjectTable(max_bytes=600)
    used, unused = stored(Position("e", 0), "x"), stored(Position("e", 0), "x")
    for seq in range(1, 50):
        table.apply(Invalidation(tags=(f"t{seq}",)), seq)
        assert check(used, table, moved=seq, epoch="e", applied=seq) is Validity.VALID
    assert check(unused, table, moved=49, epoch="e", applied=49) is Validity.DEAD
    table.apply(TAG, 50)
    assert check(used, table, moved=50, epoch="e", applied=50) is Validity.DEAD


@pytest.mark.parametrize("strength", InvalidationMode)
def test_everything_means_what_was_born_before(strength: InvalidationMode) -> None:
    table = SubjectTable()
    table.apply(Invalidation(tags=("*",), strength=strength), 7)
    assert _ask(table, 6) is (Validity.DEAD if strength is InvalidationMode.HARD else Validity.SOFT)
    assert _ask(table, 7) is Validity.VALID
    assert len(table) == 0
