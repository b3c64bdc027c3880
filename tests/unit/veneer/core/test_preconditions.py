"""The client's conditions: RFC 9110 section 13, RFC 9111 section 4.3.2."""

import pytest

from tests.support.exchanges import DATE, T, request
from veneer.core.dates import format_date
from veneer.core.fields import Fields, Pair
from veneer.core.preconditions import Precondition, evaluate, not_modified_fields

FRESH: Pair = ("Cache-Control", "max-age=10")
ETAG: Pair = ("ETag", '"x"')
MODIFIED: Pair = ("Last-Modified", format_date(T - 1000))


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ([], Precondition.PROCEED),
        ([("If-None-Match", '"x"')], Precondition.NOT_MODIFIED),
        ([("If-None-Match", '"a", W/"x"')], Precondition.NOT_MODIFIED),
        ([("If-None-Match", "*")], Precondition.NOT_MODIFIED),
        ([("If-None-Match", '"a"')], Precondition.PROCEED),
        ([("If-None-Match", "x")], Precondition.PROCEED),
        ([("If-None-Match", '"a"'), ("If-Modified-Since", MODIFIED[1])], Precondition.PROCEED),
        ([("If-None-Match", '"x"'), ("If-Modified-Since", format_date(0))], Precondition.NOT_MODIFIED),
        ([("If-Modified-Since", MODIFIED[1])], Precondition.NOT_MODIFIED),
        ([("If-Modified-Since", format_date(T))], Precondition.NOT_MODIFIED),
        ([("If-Modified-Since", format_date(T - 1001))], Precondition.PROCEED),
        ([("If-Modified-Since", "yesterday")], Precondition.PROCEED),
        ([("If-Match", '"a"')], Precondition.PROCEED),
    ],
)
def test_conditions_of_the_client(conditions: list[Pair], expected: Precondition) -> None:
    fields = Fields([DATE, ETAG, MODIFIED])
    assert evaluate(request(*conditions), 200, fields, T) is expected
    assert evaluate(request(*conditions), 404, fields, T) is Precondition.PROCEED


def test_without_last_modified_the_date_counts() -> None:
    for since, expected in ((T, Precondition.NOT_MODIFIED), (T - 1, Precondition.PROCEED)):
        assert evaluate(request(("If-Modified-Since", format_date(since))), 200, Fields([DATE]), T) is expected
    broken = Fields([DATE, ("Last-Modified", "x")])
    assert evaluate(request(("If-Modified-Since", format_date(T))), 200, broken, T) is Precondition.PROCEED


def test_what_is_no_entity_tag_matches_nothing() -> None:
    bare = Fields([("ETag", "abc")])
    assert evaluate(request(("If-None-Match", "abc")), 200, bare, T) is Precondition.PROCEED
    assert evaluate(request(("If-None-Match", '"abc"')), 200, bare, T) is Precondition.PROCEED
    assert evaluate(request(("If-None-Match", '"abc"')), 200, Fields(), T) is Precondition.PROCEED


@pytest.mark.parametrize(
    ("condition", "failed"),
    [
        (("If-Match", "*"), False),
        (("If-Match", '"x"'), False),
        (("If-Match", 'W/"x"'), True),
        (("If-Unmodified-Since", MODIFIED[1]), False),
        (("If-Unmodified-Since", format_date(T - 1001)), True),
        (("If-Unmodified-Since", "x"), False),
    ],
)
def test_conditions_for_origins_count_only_where_we_are_one(condition: Pair, failed: bool) -> None:
    fields = Fields([DATE, ETAG, MODIFIED])
    assert evaluate(request(condition), 200, fields, T) is Precondition.PROCEED
    expected = Precondition.FAILED if failed else Precondition.PROCEED
    assert evaluate(request(condition), 200, fields, T, as_origin=True) is expected


def test_unsafe_methods_fail_on_a_match() -> None:
    fields = Fields([ETAG])
    assert evaluate(request(("If-None-Match", "*"), method="PUT"), 200, fields, T) is Precondition.FAILED


def test_a_304_carries_what_updates_caches_and_no_representation_metadata() -> None:
    fields = Fields(
        [DATE, ETAG, MODIFIED, FRESH, ("Vary", "a"), ("Content-Type", "b"), ("Content-Length", "1"), ("X", "y")]
    )
    assert list(not_modified_fields(fields).names()) == ["date", "etag", "cache-control", "vary", "x"]
    assert "last-modified" in not_modified_fields(Fields([MODIFIED]))
