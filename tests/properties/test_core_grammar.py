"""Parsers accept any bytes; parsing, printing and parsing again is stable."""

from __future__ import annotations

from dataclasses import fields as fields_of

from hypothesis import given
from hypothesis import strategies as st

from tests.support.exchanges import request
from tests.support.strategies import cache_control, latin
from veneer.core.accept import choices
from veneer.core.cache_control import (
    MAX_DELTA_S,
    RequestDirectives,
    ResponseDirectives,
    governing_directives,
    request_directives,
    response_directives,
)
from veneer.core.codings import CODINGS
from veneer.core.fields import Fields
from veneer.core.headers import end_to_end, split_list
from veneer.core.key import no_vary_search, normalised_query
from veneer.core.percent import has_bad_percent, normalise_percent
from veneer.core.range_fields import parse_content_range, parse_range
from veneer.core.rules import KeyRules
from veneer.core.target import Target, parse_target, resolve
from veneer.core.validators import split_etags
from veneer.core.vary import normalise

any_bytes = st.text(st.characters(max_codepoint=255), max_size=40)
targets = st.lists(
    st.sampled_from(
        ["/", "a", ".", "%2e", "%2F", "%41", "%", ";", "?", "&", "=", "#", "\\", "\xe4", "\0", ":", "http://h"]
    ),
    max_size=8,
).map("".join)


def printed(directives: RequestDirectives | ResponseDirectives) -> str:
    """Cache-Control text that means `directives`."""
    members: list[str] = []
    for slot in fields_of(directives):
        value = getattr(directives, slot.name)
        name = slot.name.removesuffix("_s").removesuffix("_fields").replace("_", "-")
        if value is True:
            members.append(name)
        elif isinstance(value, int) and value is not False:
            members.append(f"{name}={value}")
        elif isinstance(value, frozenset) and value:
            members.append(f'{name}="{", ".join(sorted(value))}"')
    return ", ".join(members)


def plain(directives: ResponseDirectives) -> bool:
    """Whether the field names in it are names, so that they can be printed."""
    return all(
        name.isascii() and name.replace("-", "").isalnum()
        for name in directives.no_cache_fields | directives.private_fields
    )


@given(st.lists(cache_control, max_size=3))
def test_cache_control_is_stable_and_bounded(lines: list[str]) -> None:
    raw = Fields(("Cache-Control", line) for line in lines)
    for_request = request_directives(raw)
    assert request_directives(Fields([("Cache-Control", printed(for_request))])) == for_request
    found = response_directives(raw)
    if plain(found):
        assert response_directives(Fields([("Cache-Control", printed(found))])) == found
    for each in (found.max_age_s, found.s_maxage_s, found.stale_if_error_s, found.stale_while_revalidate_s):
        assert each is None or 0 <= each <= MAX_DELTA_S


@given(any_bytes)
def test_no_bytes_break_a_parser(text: str) -> None:
    raw = Fields([("Cache-Control", text), ("CDN-Cache-Control", text), ("No-Vary-Search", text), ("Connection", text)])
    governing_directives(raw, ("cdn-cache-control",))
    no_vary_search(raw)
    end_to_end(raw)
    parse_content_range(text)
    split_etags(text)
    specs = parse_range(text)
    assert specs is None or specs
    assert all(0 <= choice.weight <= 1 for choice in choices(text))


@given(any_bytes)
def test_lists_split_into_members_that_do_not_split_again(text: str) -> None:
    members = split_list(text)
    assert all(split_list(member) == [member] for member in members)


@given(st.one_of(targets, any_bytes))
def test_targets_are_refused_or_stable(raw: str) -> None:
    found = parse_target(raw, ("site",), method="GET")
    if isinstance(found, Target):
        again = found.path if found.query is None else f"{found.path}?{found.query}"
        assert parse_target(again, (found.authority,), method="GET", scheme=found.scheme) == found
        assert found.path.startswith("/")
        assert "/../" not in found.path + "/"
        assert "\\" not in found.path


@given(any_bytes)
def test_percent_encoding_has_one_normal_form(text: str) -> None:
    once = normalise_percent(text)
    assert normalise_percent(once) == once or has_bad_percent(text)
    assert once.isascii()


@given(st.one_of(targets, any_bytes))
def test_references_resolve_to_a_path_without_dots(reference: str) -> None:
    found = resolve(request(path="/x/y"), reference)
    if found is not None:
        path = found[2].partition("?")[0]
        assert path.startswith("/")
        assert not {".", ".."} & set(path.split("/"))


@given(st.lists(st.tuples(st.sampled_from("abc%é"), latin), max_size=5), st.booleans())
def test_queries_normalise_once(pairs: list[tuple[str, str]], sort: bool) -> None:
    query = "&".join(f"{name}={value}" for name, value in pairs)
    rules = KeyRules(query_sort=sort, query_except=frozenset({"b"}))
    once = normalised_query(query, rules)
    if not has_bad_percent(query):
        assert normalised_query(once, rules) == once


@given(st.sampled_from(["foo", "accept-language", "accept-encoding"]), any_bytes)
def test_normal_values_stay_normal(name: str, value: str) -> None:
    once = normalise(name, value, CODINGS)
    assert once is not None
    assert normalise(name, once, CODINGS) == once
