"""The line of a note is that of its record, digit by digit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.veneer.observe.records import note
from veneer.observe.lines import JsonLines
from veneer.observe.repeats import CompactRecord, RecordTemplate, record_of
from veneer.pipeline.exchange import CacheResult

FACTS = [
    RecordTemplate("GET", "a", 200, "br", CacheResult.HIT),
    RecordTemplate("GET", "a", 200, "br", CacheResult.HIT, scheme="https"),
    RecordTemplate("GET", "a", 200, cache=CacheResult.MISS, target="[2001:db8::1]:8000"),
    RecordTemplate("GET", "", 404, cache=CacheResult.MISS, cache_reason="stored"),
]
LINES = JsonLines()
numbers = st.one_of(st.integers(0, 1100), st.integers(0, 2**40), st.integers(0, 10**6).map(lambda n: n * 1000))
perhaps = st.one_of(st.none(), numbers)
targets = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=9).map(lambda text: f"/{text}".encode())
texts = st.sampled_from(["", "curl/8", 'a "b" \\', "\xe9"])


notes = st.builds(
    note,
    st.sampled_from(FACTS),
    st.floats(0, 1e6),
    targets,
    client=texts,
    took_us=numbers,
    bytes_out=numbers,
    bytes_identity=numbers,
    remaining=perhaps,
    agent=texts,
    upstream_us=perhaps,
)


@given(notes, st.floats(0, 4e9))
def test_a_note_has_the_line_of_its_record(one: CompactRecord, wall_minus_monotonic_s: float) -> None:
    assert LINES.note_line(one, wall_minus_monotonic_s) == LINES.line(record_of(one, wall_minus_monotonic_s))
