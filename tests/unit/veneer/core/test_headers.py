"""What crosses the proxy, and the grammar of lists."""

import pytest

from veneer.core.fields import Fields
from veneer.core.headers import end_to_end, is_token, split_list, unquote


def test_hop_by_hop_fields_and_those_that_connection_names_stay_behind() -> None:
    fields = Fields(
        [("Connection", "close, X-Mine"), ("x-mine", "1"), ("Keep-Alive", "t"), ("TE", "trailers"), ("A", "b")]
    )
    assert end_to_end(fields).pairs == (("A", "b"),)


def test_connection_cannot_remove_what_is_meant_for_everyone() -> None:
    fields = Fields(
        [("Connection", "cache-control, authorization"), ("Cache-Control", "private"), ("Authorization", "x")]
    )
    assert list(end_to_end(fields).names()) == ["cache-control", "authorization"]


@pytest.mark.parametrize(
    ("value", "members"),
    [
        ("", []),
        (" , ,", []),
        ("a, b ,c", ["a", "b", "c"]),
        ('a="x, y", b', ['a="x, y"', "b"]),
        (r'a="x\", y", b', [r'a="x\", y"', "b"]),
        ('a="open, b', ['a="open', "b"]),
        ('a="x, y", b="open, c', ['a="x, y"', 'b="open', "c"]),
    ],
)
def test_lists_split_outside_quotes(value: str, members: list[str]) -> None:
    assert split_list(value) == members


@pytest.mark.parametrize(
    ("text", "content"),
    [('"a"', "a"), (r'"a\"b"', 'a"b'), ('""', ""), ("a", None), ('"', None), ('"a"b"', None), (r'"a\"', None)],
)
def test_a_quoted_string_is_all_or_nothing(text: str, content: str | None) -> None:
    assert unquote(text) == content


def test_tokens() -> None:
    assert is_token("X-Y_z!")
    assert not any(is_token(text) for text in ("", "a b", "a:", "\xe4"))
