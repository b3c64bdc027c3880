"""Weighted lists: RFC 9110 section 12.4."""

import pytest

from veneer.core.accept import Choice, choices


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("", []),
        ("GZIP, ,br ;q=0.5", [Choice("gzip", 1.0), Choice("br", 0.5)]),
        ("a;q=1.000,b; Q=0", [Choice("a", 1.0), Choice("b", 0.0)]),
        ("a;q=1.5", [Choice("a", 1.0)]),
        ("a;q=, b;q=x, c;q=0.1234, d;v=1, e;q=-1, f;q=.5, g;q", [Choice(n, 0.0) for n in "abcdefg"]),
    ],
)
def test_choices(value: str, found: list[Choice]) -> None:
    assert choices(value) == found
