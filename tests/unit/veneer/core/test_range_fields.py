"""Range and Content-Range: RFC 9110 section 14."""

import pytest

from veneer.core.range_fields import ContentRange, RangeSpec, parse_content_range, parse_range


@pytest.mark.parametrize(
    ("value", "specs"),
    [
        ("bytes=0-4", [RangeSpec(0, 4)]),
        ("Bytes = 5-, -3", [RangeSpec(5, None), RangeSpec(None, 3)]),
        ("bytes=0-0,,1-1", [RangeSpec(0, 0), RangeSpec(1, 1)]),
        ("bytes=-0", [RangeSpec(None, 0)]),
    ],
)
def test_ranges(value: str, specs: list[RangeSpec]) -> None:
    assert parse_range(value) == specs


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "bytes",
        "bytes=",
        "bytes=a-b",
        "bytes=4-1",
        "bytes=-",
        "bytes=1",
        "items=0-1",
        "bytes=\xb2-",
        "bytes=0-1,x",
    ],
)
def test_malformed_ranges_are_ignored(value: str | None) -> None:
    assert parse_range(value) is None


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("bytes 0-4/10", ContentRange(0, 4, 10)),
        ("BYTES 0-4/*", ContentRange(0, 4, None)),
        (None, None),
        ("bytes */10", None),
        ("bytes 0-4", None),
        ("bytes 0-10/10", None),
        ("bytes 4-0/10", None),
        ("bytes 0-4/x", None),
        ("items 0-4/10", None),
        ("qgwmcsiy", None),
    ],
)
def test_content_ranges(value: str | None, found: ContentRange | None) -> None:
    assert parse_content_range(value) == found
