"""Windows, cursors and links, without a database."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from etter.errors import ValidationError
from etter.web.pagination import (
    ListQuery,
    Slice,
    Window,
    chosen_fields,
    decode_cursor,
    encode_cursor,
    link_header,
    page_of,
    window_of,
)

keys = st.tuples(
    st.one_of(st.integers(-(2**31), 2**31), st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))),
    st.integers(0, 2**63 - 1),
)


@given(keys)
def test_cursors_come_back_as_they_went(key: tuple[str | int, int]) -> None:
    assert decode_cursor(encode_cursor(key)) == key


@given(st.text(st.sampled_from("abcXYZ019-_"), min_size=1))
def test_foreign_cursors_are_input_errors(text: str) -> None:
    try:
        decoded = decode_cursor(text)
    except ValidationError:
        return
    assert decoded is not None


@given(st.integers(0, 500), st.integers(1, 100), st.integers(1, 20))
def test_pages_cover_the_list_exactly(total: int, size: int, page: int) -> None:
    rows = range(total)[(page - 1) * size : page * size]
    part = Slice(rows, total, has_next=page * size < total, last_key=(1, 1))
    window = Window(page, size)
    if page > max(1, -(-total // size)):
        with pytest.raises(ValidationError):
            page_of(part, window, URL("/x"))
        return
    shown = page_of(part, window, URL("/x"))
    assert shown.has_next == (window.offset + len(rows) < total)
    assert shown.has_previous == (page > 1)
    assert (shown.next_cursor is not None) == shown.has_next


def test_links_keep_other_parameters() -> None:
    part = Slice([1], 3, has_next=True, last_key=(1, 1))
    page = page_of(part, Window(2, 1), URL("/x?q=a%20b&page=2"))
    assert page.links.next == "/x?q=a+b&page=3"
    assert link_header(page.links) == (
        '</x?q=a+b&page=1>; rel="first", </x?q=a+b&page=1>; rel="prev", '
        '</x?q=a+b&page=3>; rel="next", </x?q=a+b&page=3>; rel="last"'
    )


def test_the_first_page_says_the_same_however_it_was_asked_for() -> None:
    part = Slice([1], 3, has_next=True, last_key=(1, 1))
    asked = [page_of(part, Window(1, 1), URL(text)).links for text in ("/x", "/x?page=1")]
    assert asked[0] == asked[1]


def test_deep_offsets_are_refused() -> None:
    assert window_of(ListQuery(page=101, page_size=100)).offset == 10_000
    with pytest.raises(ValidationError, match="cursor"):
        window_of(ListQuery(page=102, page_size=100))


def test_fields() -> None:
    assert chosen_fields(None, ("a", "b")) == {"a", "b"}
    assert chosen_fields("a", ("a", "b")) == {"a"}
    with pytest.raises(ValidationError):
        chosen_fields("a,c", ("a", "b"))
