"""Streams decode to what was fed, whatever the pieces and wherever they are flushed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.support.codings import decode, decode_so_far
from veneer.compress.coders import coding, decoded
from veneer.core.codings import CODINGS

codings = st.sampled_from(CODINGS)
levels = st.integers(-1, 12)
# What is fed, how often it is repeated, and whether a flush follows.
pieces = st.lists(st.tuples(st.binary(max_size=200), st.integers(0, 900), st.booleans()), max_size=12)


@given(codings, levels, pieces)
def test_streams_decode_to_what_was_fed(name: str, level: int, parts: list[tuple[bytes, int, bool]]) -> None:
    how = coding(name)
    encoder = how.stream(how.levels.nearest(level))
    coded, fed = b"", b""
    for part, times, flush in parts:
        fed += part * times
        coded += encoder.feed(part * times)
        if flush:
            coded += encoder.flush()
            assert decode_so_far(name, coded) == fed
    assert decode(name, coded + encoder.finish()) == fed


@given(codings, levels, st.binary(max_size=5_000))
def test_whole_bodies_decode_to_what_they_were(name: str, level: int, body: bytes) -> None:
    how = coding(name)
    coded = how.encode(body, how.levels.nearest(level))
    assert decode(name, coded) == body
    assert decoded(name, coded, len(body) + 1) == body, "`Coding.decode` reads what the shared store keeps"
