"""What may be stored, how it is updated, and that it comes back as it went."""

from __future__ import annotations

import zlib
from dataclasses import replace

from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.exchanges import RULES, T
from tests.support.strategies import dates, etags, latin, request_fields, response_fields, statuses
from veneer.core import codec
from veneer.core.cache_control import governing_directives
from veneer.core.codings import CODINGS
from veneer.core.dates import format_date
from veneer.core.entry import ByteSpan, CodedBody, Entry, Position
from veneer.core.fields import Fields
from veneer.core.messages import RequestHead, ResponseHead
from veneer.core.negotiation import choose_coding, coded_fields
from veneer.core.preconditions import not_modified_fields
from veneer.core.ranges import Part, Parts, answer_range, combine
from veneer.core.rules import CacheRules, OriginRule
from veneer.core.storability import Storable, StorageTerms, judge, judge_under, storage_terms
from veneer.core.validation import Freshened, freshen

CDN = ("cdn-cache-control",)
BORN = Position("e", 1)
OWN_TTL = replace(RULES, ttl_s=60.0)
OVERRIDING = replace(OWN_TTL, origin=OriginRule.OVERRIDE)


def to(fields: Fields, method: str = "GET") -> RequestHead:
    return RequestHead(method, "/a", None, "site", fields)


@given(statuses, request_fields, response_fields, st.sampled_from(["GET", "HEAD", "POST", "PUT", "QUERY"]))
def test_no_store_and_private_are_never_storable(status: int, asked: Fields, fields: Fields, method: str) -> None:
    judged = judge(to(asked, method), ResponseHead(status, "", fields), RULES, T, T, body_digest="d")
    if not isinstance(judged, Storable):
        return
    directives = governing_directives(fields, CDN)
    assert not directives.private
    assert not directives.no_store or directives.must_understand
    wanted = asked.get("cache-control") or ""
    assert '"' in wanted or "no-store" not in wanted.lower().split(", ")
    assert "*" not in (fields.get("vary") or "")
    assert judged.keep_s > 0
    assert not (directives.private_fields | directives.no_cache_fields) & set(judged.fields.names())
    if "authorization" in asked:
        assert directives.public or directives.must_revalidate or directives.s_maxage_s is not None


NONE, COOKIE = Fields([]), Fields([("Cookie", "a=1")])


def at(offset_s: int) -> str:
    return format_date(T + offset_s)


VALUES = ("Date", "Last-Modified", "ETag", "Content-Length", "X-Trace-Id")


@given(
    statuses,
    request_fields,
    response_fields,
    st.lists(st.tuples(st.sampled_from(VALUES), dates | etags), max_size=4),
    st.lists(dates | etags, min_size=4, max_size=4),
    st.sampled_from([RULES, OWN_TTL, OVERRIDING]),
    st.floats(0, 5),
)
@example(200, NONE, NONE, [("Date", at(0)), ("Last-Modified", at(-9000))], [at(0), at(-10), "", ""], RULES, 1.0)
@example(200, NONE, Fields([("Expires", at(90))]), [("Date", at(0))], [at(80), "", "", ""], RULES, 1.0)
@example(200, COOKIE, Fields([("Expires", at(90))]), [("Date", at(0))], [at(100), "", "", ""], OVERRIDING, 1.0)
@example(404, NONE, Fields([("Expires", at(90))]), [("Date", at(0))], [at(80), "", "", ""], OWN_TTL, 1.0)
def test_terms_of_one_response_are_those_of_another_that_differs_in_its_values(
    status: int,
    asked: Fields,
    constant: Fields,
    own: list[tuple[str, str]],
    others: list[str],
    rules: CacheRules,
    later_s: float,
) -> None:
    common = [(name, value) for name, value in constant.pairs if name not in VALUES]
    first = ResponseHead(status, "", Fields([*common, *own]))
    changed = [(name, value) for (name, _), value in zip(own, others, strict=False)]
    second = ResponseHead(status, "", Fields([*common, *changed]))
    terms = storage_terms(to(asked), first, rules, T)
    if isinstance(terms, StorageTerms) and not terms.depends_on_dates:
        times = (T + later_s, T + later_s + 1)
        assert judge_under(terms, second, rules, *times) == judge(to(asked), second, rules, *times)


@given(statuses, request_fields, response_fields, response_fields)
def test_applying_a_304_twice_is_applying_it_once(
    status: int, asked: Fields, stored_fields: Fields, fresh: Fields
) -> None:
    entry = Entry(status, "", stored_fields, b"0123456789", T, T, "site/a", BORN)
    head = ResponseHead(304, "", fresh)
    once = freshen(entry, to(asked), head, request_time=T + 1, response_time=T + 2, born=BORN, rules=RULES)
    if isinstance(once, Freshened):
        twice = freshen(once.entry, to(asked), head, request_time=T + 1, response_time=T + 2, born=BORN, rules=RULES)
        assert twice == once
        assert once.entry.body == entry.body
        for name in ("content-length", "content-encoding", "content-range"):
            assert once.entry.fields.lines(name) == entry.fields.lines(name)


entries = st.builds(
    Entry,
    status=statuses,
    reason=latin,
    fields=response_fields,
    body=st.one_of(st.binary(max_size=50), st.binary(min_size=1, max_size=3).map(lambda b: b * 1000)),
    request_time=st.floats(0, 2e9),
    response_time=st.floats(0, 2e9),
    uri=latin,
    born=st.builds(Position, latin, st.integers(0, 2**53)),
    vary=st.lists(st.tuples(latin, st.one_of(st.none(), latin)), max_size=3).map(tuple),
    tags=st.lists(latin, max_size=3).map(tuple),
    span=st.one_of(st.none(), st.builds(ByteSpan, st.integers(0, 9), st.integers(9, 99), st.none(), st.none())),
)


def decompress(coding: str, data: bytes, length: int) -> bytes | None:
    try:
        return zlib.decompressobj().decompress(data, length + 1)
    except zlib.error:
        return None


@given(entries, st.lists(st.tuples(latin.filter(bool), st.integers(0, 9), st.booleans()), max_size=3))
def test_the_codec_reads_what_it_wrote(entry: Entry, forms: list[tuple[str, int, bool]]) -> None:
    coded = [CodedBody(coding, zlib.compress(entry.body, level), again) for coding, level, again in forms]
    entry = replace(entry, coded=tuple(coded))
    assert codec.unpack(codec.pack(entry, zlib.compress), decompress) == entry


@given(entries, st.data())
def test_mangled_bytes_are_a_miss(entry: Entry, data: st.DataObject) -> None:
    packed = codec.pack(entry, zlib.compress)
    at = data.draw(st.integers(0, len(packed) - 1))
    inserted = data.draw(st.binary(max_size=8))
    removed = data.draw(st.integers(0, 8))
    mangled = packed[:at] + inserted + packed[at + removed :]
    assert mangled == packed or codec.unpack(mangled, decompress) is None


@given(st.binary(max_size=200))
@example(b"\x9d\x00\xa5\x00\x00\x00\x00\x80")  # a text that is no UTF-8
def test_foreign_bytes_are_a_miss(noise: bytes) -> None:
    assert codec.unpack(noise, decompress) is None
    assert codec.unpack(codec.FORMAT + noise, decompress) is None
    assert codec.unpack(codec.FORMAT + codec._checksum(noise) + noise, decompress) is None


# ---------------------------------------------------------------- ranges and codings


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=5), st.integers(0, 50))
def test_parts_lie_inside_and_hold_every_byte_asked_for(specs: list[tuple[int, int]], length: int) -> None:
    value = "bytes=" + ",".join(f"{min(spec)}-{max(spec)}" for spec in specs)
    found = answer_range(to(Fields([("Range", value)])), 200, Fields(), length)
    parts = found.parts if isinstance(found, Parts) else (found,) if isinstance(found, Part) else None
    if parts is None:
        return
    held = {byte for part in parts for byte in range(part.first, part.last + 1)}
    assert held <= set(range(length))
    assert {byte for spec in specs for byte in range(min(spec), max(spec) + 1) if byte < length} <= held


@given(st.binary(min_size=2, max_size=30), st.data())
def test_two_parts_of_one_body_combine_into_bytes_of_it(body: bytes, data: st.DataObject) -> None:
    spans = []
    for _ in range(2):
        first = data.draw(st.integers(0, len(body) - 1))
        spans.append(ByteSpan(first, data.draw(st.integers(first, len(body) - 1)), len(body)))
    fields = Fields([("ETag", '"x"')])
    a, b = (Entry(206, "", fields, body[span.first : span.last + 1], T, T, "u", BORN, span=span) for span in spans)
    joined = combine(a, b)
    touching = max(spans[0].first, spans[1].first) <= min(spans[0].last, spans[1].last) + 1
    assert (joined is not None) == touching
    if joined is not None:
        first = joined.span.first if joined.span is not None else 0
        assert joined.body == body[first : first + len(joined.body)]
        assert joined.span is not None or joined.body == body


@given(request_fields, response_fields)
def test_a_coding_is_never_chosen_against_the_client(asked: Fields, fields: Fields) -> None:
    coding = choose_coding(asked.get("accept-encoding"), CODINGS)
    accepted = asked.get("accept-encoding") or ""
    assert coding is None or coding in accepted or "*" in accepted
    coded = coded_fields(fields, coding)
    assert "accept-encoding" in (coded.get("vary") or "").lower() or "*" in (coded.get("vary") or "")
    assert "content-type" not in not_modified_fields(coded)
