"""Hits that only the shared store had: what the pipeline would say, from the callback, and then hits of memory."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.veneer.fastpath.shared_stage import SharedStage
from tests.unit.veneer.fastpath.stage import BR, DATE, LONG, POLICY
from veneer.compress.codec import Codecs
from veneer.core.entry import ByteSpan, CodedBody, Entry
from veneer.core.fields import Fields
from veneer.core.invalidation import Invalidation
from veneer.pipeline.exchange import CacheResult
from veneer.policy.load import parse_policy
from veneer.ports import LeaseState

JSON = ("Content-Type", "application/json")
DATED = ("Date", DATE.decode("ascii"))
LASTING = ("Cache-Control", "max-age=60")
MOVING = re.compile(rb"(?m)^(X-Request-ID|X-Response-Time): [^\r]*")


def kept(stage: SharedStage, *fields: tuple[str, str], body: bytes = LONG, coded: str = "", level: int = 1) -> Entry:
    """What the shared store has, with a form in the coding where one is named."""
    now = stage.clock.now()
    forms = (CodedBody(coding, encoded(coding, body, level)) for coding in coded.split())
    length = ("Content-Length", str(len(body)))
    position = stage.heard.position
    return Entry(
        200, "OK", Fields([DATED, JSON, *fields, length]), body, now, now, "site/x", position, coded=tuple(forms)
    )


def encoded(coding: str, body: bytes, level: int = 1) -> bytes:
    found = Codecs().encode_now(coding, level, body)
    assert found is not None
    return found


async def answered(stage: SharedStage, target: str, entry: Entry, *fields: str) -> tuple[bytes, bool]:
    """The answer to a request for what a look-up brings, and whether the fast path gave it."""
    stage.line.sent.clear()
    stage.line.is_over.clear()
    assert stage.ask(target, *fields)
    again = stage.brings(replace(entry, uri=f"site{target}"))
    assert again is not stage.line.is_over.is_set()
    await stage.line.is_over.wait()
    return MOVING.sub(rb"\1: ~", b"".join(stage.line.sent)), not again


@pytest.fixture
async def stage() -> SharedStage:
    return SharedStage()


async def test_an_answer_says_what_the_entry_says_and_its_age(stage: SharedStage) -> None:
    await answered(stage, "/first", kept(stage, LASTING, ("ETag", '"1"')))
    entry = kept(stage, LASTING, ("ETag", '"2"'), body=b"other")
    stage.clock.advance(5)
    answer, quick = await answered(stage, "/second", entry)
    assert not quick, "too short to be coded, it is of another shape"
    third = replace(entry, fields=Fields([*list(entry.fields)[:3], ("ETag", '"3"'), ("Content-Length", "5")]))
    answer, quick = await answered(stage, "/third", third)
    assert quick
    assert b'ETag: "3"\r\n' in answer
    assert b"\r\nAge: 5\r\n" in answer
    assert b"Cache-Status: Veneer; hit; ttl=55\r\n" in answer
    assert answer.endswith(b"\r\n\r\nother")
    stage.observer.work_off()
    assert [record.cache for record in stage.seen] == [CacheResult.HIT] * 3
    assert stage.active == stage.services.in_flight.active == 0
    assert stage.lock.dropped == 3
    assert not stage.backend.heads


async def test_the_next_is_a_hit_of_memory(stage: SharedStage) -> None:
    await answered(stage, "/first", kept(stage, LASTING))
    await answered(stage, "/second", kept(stage, LASTING, body=LONG + b" "))
    looked = len(stage.far.keys)
    stage.line.sent.clear()
    assert stage.ask("/second")
    assert b"".join(stage.line.sent).endswith(LONG + b" ")
    assert len(stage.far.keys) == looked
    await stage.heard.append(Invalidation(uris=("site/second",)), strict=True)
    assert stage.ask("/second")
    assert len(stage.far.keys) == looked + 1, "what the log has killed is looked up again"


@pytest.mark.parametrize("coded", ["br", "gzip", "gzip br", ""])
async def test_the_form_that_was_stored_leaves_and_where_there_is_none_it_is_made(
    stage: SharedStage, coded: str
) -> None:
    await answered(stage, "/first", kept(stage, LASTING, ("ETag", '"1"'), coded="br"), BR)
    body = LONG.replace(b"1", b"2")
    answer, quick = await answered(stage, "/second", kept(stage, LASTING, ("ETag", '"2"'), body=body, coded=coded), BR)
    assert quick
    assert b'ETag: "2-br"\r\n' in answer
    assert b"Content-Encoding: br\r\n" in answer
    assert answer.endswith(b"\r\n\r\n" + encoded("br", body))
    stage.observer.work_off()
    assert stage.seen[-1].bytes_identity == len(body)
    (entry,) = stage.store.get_local(stage.far.keys[-1])
    assert entry.coded_in("br") is not None


async def test_a_recompressed_form_has_its_own_tag(stage: SharedStage) -> None:
    await answered(stage, "/first", kept(stage, LASTING, ("ETag", '"1"'), coded="br"), BR)
    entry = kept(stage, LASTING, ("ETag", '"2"'))
    entry = replace(entry, coded=(CodedBody("br", encoded("br", LONG, 5), recompressed=True),))
    answer, quick = await answered(stage, "/second", entry, BR)
    assert quick
    assert b'ETag: "2-br+"\r\n' in answer
    assert answer.endswith(encoded("br", LONG, 5))


@pytest.mark.parametrize("why", ["lease", "dead", "last", "policy", "part", "variant", "credentials", "odd", "nothing"])
async def test_where_the_pipeline_has_to_decide_it_does(stage: SharedStage, why: str) -> None:
    silent = () if why == "credentials" else (LASTING,)
    await answered(stage, "/first", kept(stage, *silent), *["Cookie: a=1"] * (why == "credentials"))
    entry = replace(kept(stage, *silent), uri="site/second")
    stage.line.is_over.clear()
    assert stage.ask("/second", *["Cookie: a=1"] * (why == "credentials"))
    if why == "lease":
        stage.heard.lease = LeaseState.EXPIRED
    elif why == "dead":
        await stage.heard.append(Invalidation(uris=("site/second",)), strict=True)
    elif why == "last":
        stage.line.is_last = True
    elif why == "policy":
        stage.source.current = parse_policy(POLICY, "test")
    elif why == "part":
        entry = replace(entry, status=206, span=ByteSpan(0, len(LONG) - 1, None))
    elif why == "variant":
        stage.store.put_now(stage.far.keys[-1], replace(entry, vary=(("accept-language", "de"),)), 60)
    elif why == "odd":
        entry = replace(entry, fields=entry.fields.added(("ETag", '"\xfc"')))
    if why == "nothing":
        assert stage.found(anything=True), "it was too large for memory, or was replaced just now"
    else:
        assert stage.brings(entry)
    assert stage.lock.dropped == 2
    await asyncio.sleep(0)
    await stage.services.tasks.aclose()
    assert stage.active == stage.services.in_flight.active == 0


OPTIONAL = st.lists(
    st.sampled_from(
        [
            LASTING,
            ("Cache-Control", "public, s-maxage=60"),
            ("ETag", '"NUMBER"'),
            ("ETag", 'W/"NUMBER"'),
            ("Last-Modified", "Sun, 15 Nov 2026 08:12:3NUMBER GMT"),
            ("Vary", "Accept-Encoding"),
            ("Vary", "Origin"),
            ("Age", "3"),
            ("Via", "1.1 other"),
            ("Cache-Status", "Other; hit"),
            ("Cache-Tag", "tag-NUMBER"),
            ("X-Trace-Id", "NUMBER"),
            ("Set-Cookie", "a=NUMBER"),
            ("Content-Digest", "sha-256=:NUMBER:"),
            ("Server", "origin/1.0"),
            ("X-Text", "\xfc"),
        ]
    ),
    unique_by=lambda pair: pair[0],
    max_size=7,
)
ASKED = st.lists(
    st.sampled_from(
        [
            BR,
            "Accept-Encoding: gzip, br;q=0.5",
            "Cookie: a=b",
            "Authorization: Bearer x",
            "User-Agent: t",
            "Accept: */*",
        ]
    ),
    unique_by=lambda line: line.partition(":")[0],
    max_size=3,
)


@pytest.mark.no_cover
@settings(deadline=None, max_examples=150)
@given(
    fields=OPTIONAL,
    asked=ASKED,
    coded=st.sampled_from(["", "br", "gzip", "gzip br"]),
    bodies=st.tuples(*[st.sampled_from([LONG, LONG * 2, b"short"])] * 2),
    length=st.booleans(),
    waits_s=st.integers(0, 40),
    under=st.sampled_from(["", "", "/edited"]),
)
async def test_every_answer_is_the_pipelines(
    fields: list[tuple[str, str]],
    asked: list[str],
    coded: str,
    bodies: tuple[bytes, bytes],
    length: bool,
    waits_s: int,
    under: str,
) -> None:
    """What the second of two alike gets from who has seen the first, and from who has not."""

    def entry(stage: SharedStage, number: int) -> Entry:
        said = [(name, value.replace("NUMBER", str(number))) for name, value in fields]
        made = kept(stage, LASTING, *said, body=bodies[number - 1], coded=coded)
        return made if length else replace(made, fields=made.fields.without(("content-length",)))

    taught, fresh = SharedStage(), SharedStage()
    await answered(taught, f"{under}/first", entry(taught, 1), *asked)
    second = entry(taught, 2)
    for stage in (taught, fresh):
        stage.clock.advance(waits_s)
    quick, _ = await answered(taught, f"{under}/second", second, *asked)
    whole, by_fastpath = await answered(fresh, f"{under}/second", replace(second, born=fresh.heard.position), *asked)
    assert not by_fastpath
    assert quick == whole
    for stage in (taught, fresh):
        await stage.services.tasks.aclose()
