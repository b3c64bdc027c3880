"""Directives: RFC 9111 section 5.2, RFC 9213."""

import pytest

from veneer.core.cache_control import (
    MAX_DELTA_S,
    RequestDirectives,
    ResponseDirectives,
    governing_directives,
    request_directives,
    response_directives,
)
from veneer.core.fields import Fields

CDN = ("cdn-cache-control",)


def of_response(*lines: str) -> ResponseDirectives:
    return response_directives(Fields(("Cache-Control", line) for line in lines))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("max-age=60", 60),
        ("MAX-AGE=60", 60),
        ('max-age="60"', 60),
        ("max-age=0060", 60),
        ("max-age=60, max-age=1", 1),
        ("max-age=1, max-age=60", 1),
        ("max-age=99999999999999999999999999", MAX_DELTA_S),
        ("max-age=2147483649", MAX_DELTA_S),
        ("max-age=-1", 0),
        ("max-age=60.0", 0),
        ("max-age=a60", 0),
        ("max-age='60'", 0),
        ("max-age=\xb2", 0),
        ("max-age=", 0),
        ("max-age", 0),
        ("max-age =60", None),
        ('x="max-age=60"', None),
        ("", None),
    ],
)
def test_max_age_is_the_least_given_and_nought_when_invalid(value: str, seconds: int | None) -> None:
    assert of_response(value).max_age_s == (0 if value == "max-age= 60" else seconds)


def test_space_after_equals_is_invalid_and_so_stale() -> None:
    assert of_response("max-age= 60").max_age_s == 0


def test_qualified_forms_name_fields() -> None:
    directives = of_response('no-cache="A, b", private=c', "max-age=1")
    assert directives.no_cache_fields == {"a", "b"}
    assert directives.private_fields == {"c"}
    assert not directives.no_cache
    assert not directives.private


def test_an_unqualified_form_beside_a_qualified_one_counts() -> None:
    assert of_response('private="a", private').private
    assert of_response('no-cache=""').no_cache


@pytest.mark.parametrize("text", ["private='x'", "private=\"'x'\"", 'private="a b"', "private='set-cookie, x'"])
def test_names_that_are_none_count_for_the_whole_response(text: str) -> None:
    assert of_response(text).private
    assert of_response(text.replace("private", "no-cache")).no_cache


def test_a_quote_that_is_never_closed_hides_nothing() -> None:
    directives = of_response('x="a, private, no-store')
    assert directives.private
    assert directives.no_store


def test_flags_and_windows() -> None:
    assert of_response(
        "Public, must-revalidate, proxy-revalidate, must-understand, no-store, no-transform, immutable",
        "stale-while-revalidate=5, stale-if-error=x",
    ) == ResponseDirectives(
        public=True,
        must_revalidate=True,
        proxy_revalidate=True,
        must_understand=True,
        no_store=True,
        no_transform=True,
        immutable=True,
        stale_while_revalidate_s=5,
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            "no-cache, no-store, no-transform, only-if-cached",
            RequestDirectives(None, None, None, True, True, True, True),
        ),
        ("max-age=5, max-stale=6, min-fresh=7", RequestDirectives(5, 6, 7)),
        ("max-stale", RequestDirectives(max_stale_s=MAX_DELTA_S)),
        ("max-stale=x", RequestDirectives()),
        ("max-age=x", RequestDirectives(max_age_s=0)),
        ("nothing-to-see-here", RequestDirectives()),
    ],
)
def test_request_directives(value: str, expected: RequestDirectives) -> None:
    assert request_directives(Fields([("Cache-Control", value)])) == expected


@pytest.mark.parametrize(
    ("targeted", "expected"),
    [
        ("max-age=9", ResponseDirectives(max_age_s=9, targeted=True)),
        ("no-store", ResponseDirectives(no_store=True, targeted=True)),
        ('no-cache="a"', ResponseDirectives(no_cache_fields=frozenset({"a"}), targeted=True)),
        ('max-age="9"', ResponseDirectives(targeted=True)),
        ("max-age=9.5, public", ResponseDirectives(public=True, targeted=True)),
        ("", ResponseDirectives(max_age_s=1)),
        ("max-age=9, &&&", ResponseDirectives(max_age_s=1)),
        ("Max-Age=9", ResponseDirectives(max_age_s=1)),
        ("max-age =9", ResponseDirectives(max_age_s=1)),
    ],
)
def test_a_usable_targeted_field_replaces_cache_control(targeted: str, expected: ResponseDirectives) -> None:
    fields = Fields([("Cache-Control", "max-age=1"), ("CDN-Cache-Control", targeted)])
    assert governing_directives(fields, CDN) == expected


def test_the_first_usable_targeted_field_wins() -> None:
    fields = Fields([("CDN-Cache-Control", "max-age=1"), ("Veneer-Cache-Control", "max-age=2")])
    assert governing_directives(fields, ("veneer-cache-control", *CDN)).max_age_s == 2
    assert governing_directives(fields, CDN).max_age_s == 1
    assert governing_directives(fields, ()).max_age_s is None
