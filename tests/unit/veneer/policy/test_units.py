import pytest
from hypothesis import given
from hypothesis import strategies as st

from veneer.policy.units import (
    Rate,
    UnitError,
    format_duration,
    format_size,
    parse_duration,
    parse_rate,
    parse_size,
    parse_statuses,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("30s", 30),
        ("5m", 300),
        ("1h", 3600),
        ("1d", 86_400),
        ("1.5h", 5400),
        ("2 s", 2),
        (0, 0),
        ("0", 0),
    ],
)
def test_durations(text: object, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "size"), [("512B", 512), ("64KB", 65_536), ("1MB", 1024**2), ("1.5KB", 1536), ("0", 0)]
)
def test_sizes(text: object, size: int) -> None:
    assert parse_size(text) == size


def test_rates() -> None:
    assert parse_rate("1000/60s") == Rate(1000, 60)
    assert parse_rate("10 / 1m") == Rate(10, 60)


def test_statuses() -> None:
    assert parse_statuses(404) == {404}
    assert parse_statuses("2xx") == set(range(200, 300))
    assert parse_statuses("500-503") == {500, 501, 502, 503}


@pytest.mark.parametrize(
    "text", ["", "s", "1", 1, 1.5, True, None, [], {}, "1x", "-1s", "1s1", "\u0661s", "9" * 40 + "s", "99999d"]
)
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(UnitError):
        parse_duration(text)


@pytest.mark.parametrize("text", ["", "KB", 1, "1.5B", "1TB", "9" * 12 + "GB", None, True, "1 K B"])
def test_what_is_no_size(text: object) -> None:
    with pytest.raises(UnitError):
        parse_size(text)


@pytest.mark.parametrize("text", ["", "1/", "/1s", "0/1s", "1/0s", "1/1", 5, None, "1.5/1s", "9999999999/1s"])
def test_what_is_no_rate(text: object) -> None:
    with pytest.raises(UnitError):
        parse_rate(text)


@pytest.mark.parametrize("text", ["", "6xx", "600", 99, True, None, "200-100", "2x"])
def test_what_is_no_status(text: object) -> None:
    with pytest.raises(UnitError):
        parse_statuses(text)


@given(st.integers(0, 10**8))
def test_durations_are_read_back(milliseconds: int) -> None:
    assert parse_duration(format_duration(milliseconds / 1000)) == pytest.approx(milliseconds / 1000)


@given(st.integers(0, 10**11))
def test_sizes_are_read_back(size: int) -> None:
    assert parse_size(format_size(size)) == size
