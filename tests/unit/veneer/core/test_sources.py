"""How late a source of changes may be."""

from __future__ import annotations

import pytest

from veneer.core.sources import beat_every_s, has_reached, keeps_up


def test_a_source_keeps_up_as_long_as_what_was_heard_of_it_is_no_older_than_it_may_be() -> None:
    assert keeps_up(10.0, 2.0, 12.0)
    assert not keeps_up(10.0, 2.0, 12.001)
    assert not keeps_up(float("-inf"), 3_600.0, 0.0)


@pytest.mark.parametrize(("lag_s", "beat_s"), [(1.0, 0.125), (2.0, 0.25), (60.0, 0.5), (0.1, 0.1)])
def test_heartbeats_are_several_in_the_time_that_a_source_may_be_late(lag_s: float, beat_s: float) -> None:
    assert beat_every_s(lag_s) == beat_s


@pytest.mark.parametrize(
    ("position", "wanted", "reached"),
    [
        ("16/B374D848", "16/B374D848", True),
        ("16/B374D848", "16/B374D849", False),
        ("17/0", "16/FFFFFFFF", True),
        ("9/0", "10/0", False),
        ("1700000000000-10", "1700000000000-9", True),
        ("1700000000000-0", "1700000000001-0", False),
        ("", "0/1", False),
    ],
)
def test_positions_are_compared_by_number(position: str, wanted: str, *, reached: bool) -> None:
    assert has_reached(position, wanted) is reached


@pytest.mark.parametrize("wanted", ["", "now", "16", "16/", "/1", "16/123456789", "0x1/2", "1-2-3", "12-g"])
def test_what_is_no_position_is_refused(wanted: str) -> None:
    with pytest.raises(ValueError, match="is no position of a source"):
        has_reached("16/B374D848", wanted)
