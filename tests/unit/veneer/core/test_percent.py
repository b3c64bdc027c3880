"""Percent-encoding in normal form."""

import pytest

from veneer.core.percent import folded, has_bad_percent, normalise_percent


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("a", "a"),
        ("%41%2d%7e", "A-~"),
        ("%2f%3a", "%2F%3A"),
        ("\xe4", "%E4"),
        ("%", "%"),
        ("%g1%4", "%g1%4"),
        ("%2541", "%2541"),
    ],
)
def test_unreserved_are_decoded_and_hex_is_upper(text: str, normal: str) -> None:
    assert normalise_percent(text) == normal


def test_bad_ones_are_found() -> None:
    assert all(has_bad_percent(text) for text in ("%", "%4", "%4g", "a%%41"))
    assert not any(has_bad_percent(text) for text in ("", "a", "%41", "%e4%E4"))


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/report%20%281%29.txt", "/report%20(1).txt"),
        ("/it%27s", "/it's"),
        ("/a%2Bb+c", "/a+b+c"),
        ("/%40scope%2Fpkg", "/@scope%2Fpkg"),
        ("/100%25%32%46", "/100%25%32%46"),
        ("/%C3%A9", "/%C3%A9"),
        ("/plain", "/plain"),
        ("/%2", "/%2"),
    ],
)
def test_spellings_that_servers_take_for_one_have_one_name(path: str, name: str) -> None:
    assert folded(path) == name
