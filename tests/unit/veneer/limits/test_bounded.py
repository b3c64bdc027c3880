from __future__ import annotations

from veneer.limits.bounded import BoundedMap


def test_forgets_the_oldest_first() -> None:
    values: BoundedMap[int] = BoundedMap(2)
    for number in range(4):
        values[str(number)] = number
    assert [values.get(str(number)) for number in range(4)] == [None, None, 2, 3]
    assert len(values) == 2


def test_discard_takes_known_and_unknown_keys() -> None:
    values: BoundedMap[int] = BoundedMap(2)
    values["a"] = 1
    values.discard("a")
    values.discard("a")
    assert values.get("a") is None
