"""Structured fields, strictly: RFC 9651."""

import pytest

from veneer.core.structured import is_integer, is_token, parse_dictionary, parse_strings


def test_dictionaries() -> None:
    found = parse_dictionary('a=1, b, c="x";p, d=("y" z)')
    assert found is not None
    assert (found["a"], found["b"], found["c"]) == (1, True, "x")
    inner = found["d"]
    assert isinstance(inner, list)
    assert [is_token(member) for member in inner] == [False, True]


@pytest.mark.parametrize("value", ["A=1", "a=1,", "a =1", "a=", "a, &&", "\xe4"])
def test_malformed_dictionaries(value: str) -> None:
    assert parse_dictionary(value) is None


@pytest.mark.parametrize(
    ("value", "found"),
    [('"a", "b";x', ["a", "b"]), ("", []), ("a", None), ('"a", 1', None), ('("a")', None), ('"a', None)],
)
def test_lists_of_strings(value: str, found: list[str] | None) -> None:
    assert parse_strings(value) == found


def test_booleans_are_no_integers() -> None:
    assert is_integer(1)
    assert not is_integer(True)
    assert not is_integer(1.0)
