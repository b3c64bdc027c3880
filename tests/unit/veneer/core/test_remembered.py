"""What is remembered is what would be made, is made once while there is room, and never grows beyond its bound."""

from __future__ import annotations

import pytest

from veneer.core.remembered import memoised


def test_a_result_is_made_once_while_there_is_room() -> None:
    asked: list[str] = []

    def lower(text: str) -> str:
        asked.append(text)
        return text.lower()

    known = memoised(lower, 2)
    assert [known(name) for name in ("A", "B", "A", "C", "A")] == ["a", "b", "a", "c", "a"]
    assert asked == ["A", "B", "C", "A"]  # the third made room for itself by forgetting


def test_what_is_remembered_is_the_same_object_until_it_is_forgotten() -> None:
    known = memoised(lambda number: [number], 3)
    first = known(0)
    assert known(0) is first
    for number in range(1, 4):
        known(number)
    assert known(0) is not first


def test_a_failure_is_not_remembered() -> None:
    known = memoised(int, 3)
    for _ in range(2):
        with pytest.raises(ValueError, match="invalid literal"):
            known("x")
    assert known("1") == 1
