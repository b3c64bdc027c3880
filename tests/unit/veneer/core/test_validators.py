"""Entity tags and Last-Modified: RFC 9110 section 8.8."""

import pytest

from veneer.core.fields import Fields
from veneer.core.validators import (
    etag_of,
    has_validator,
    is_etag,
    is_own,
    make_etag,
    origin_etag_of,
    split_etags,
    strong_match,
    weak_match,
)


@pytest.mark.parametrize("text", ['""', '"a"', 'W/"a"', '"a,b"', '"\xe4"', '"\\"'])
def test_entity_tags(text: str) -> None:
    assert is_etag(text)


@pytest.mark.parametrize("text", ["", "a", '"', '"a', 'w/"a"', '"a"b"', '"a b"', '"a", "b"', "W/a"])
def test_others_are_none(text: str) -> None:
    assert not is_etag(text)
    assert etag_of(Fields([("ETag", text)])) is None


def test_comparison() -> None:
    assert strong_match('"a"', '"a"')
    assert not strong_match('W/"a"', 'W/"a"')
    assert weak_match('W/"a"', '"a"')
    assert not weak_match('"a"', '"b"')


@pytest.mark.parametrize(
    ("value", "members"),
    [
        ("", []),
        ('"a"', ['"a"']),
        ('"a", W/"b" ,"c,d"', ['"a"', 'W/"b"', '"c,d"']),
        ('a, "b"', ["a", '"b"']),
        ('a"b, "c"', ['a"b', '"c"']),
        ('"open', ['"open']),
        (",, *", ["*"]),
    ],
)
def test_lists_of_tags(value: str, members: list[str]) -> None:
    assert split_etags(value) == members


def test_own_tags_are_stable_strong_and_known_as_own() -> None:
    tag = make_etag(b"hello")
    assert tag == '"v.7Rp8PiSpn2yRGK092g8C"'
    assert is_etag(tag)
    assert tag == make_etag(b"hello") != make_etag(b"hello!")
    assert is_own(tag)
    assert not is_own('"x"')
    own, theirs = Fields([("ETag", tag)]), Fields([("ETag", '"x"')])
    assert (origin_etag_of(own), origin_etag_of(theirs)) == (None, '"x"')
    assert (has_validator(own), has_validator(theirs)) == (False, True)
    assert has_validator(Fields([("Last-Modified", "x")]))
