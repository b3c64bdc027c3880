"""The fast path sends on what is not stored, answers it as one like it was, and leaves the rest to the pipeline."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.codings import decode
from tests.unit.veneer.fastpath.line import Line
from tests.unit.veneer.fastpath.stage import BR, DATE, LONG, POLICY, Stage, came
from veneer.core.entry import CodedBody
from veneer.core.fields import Fields
from veneer.core.invalidation import Invalidation, InvalidationMode
from veneer.core.messages import ResponseHead
from veneer.fastpath.template_cache import MAX_TEMPLATES
from veneer.policy.load import parse_policy


@pytest.fixture
async def stage() -> Stage:
    return Stage()


async def test_the_pipeline_answers_the_first_and_the_fastpath_the_next(stage: Stage) -> None:
    await stage.teach()
    assert stage.active == stage.services.in_flight.active == 0
    assert stage.ask("/second?a=b", "X-Request-ID: mine", "User-Agent: x")
    assert stage.active == stage.services.in_flight.active == 1
    assert not stage.backend.says(came())  # another shape of request
    await stage.line.is_over.wait()
    assert stage.ask("/third", "X-Request-ID: mine", "User-Agent: x")
    stage.line.sent.clear()
    assert stage.backend.says(came(b"other body"))
    answer = b"".join(stage.line.sent)
    assert answer.endswith(b"\r\n\r\nother body")
    assert b"Content-Length: 10\r\n" in answer
    assert b"\r\nX-Request-ID: mine\r\nX-Response-Time: 0.000ms\r\n" in answer
    assert b"Cache-Status: Veneer; fwd=uri-miss; stored\r\n" in answer
    assert stage.line.overs == [True, True, True]
    assert stage.active == stage.services.in_flight.active == 0
    assert stage.backend.free


async def test_what_is_sent_is_what_the_pipeline_would_send(stage: Stage) -> None:
    await stage.teach()
    assert stage.ask("/second")
    first, second = stage.backend.heads
    before, after = (head.partition(b"X-Request-ID: ")[2].partition(b"\r\n")[0] for head in (first, second))
    assert second == first.replace(b"/first", b"/second").replace(before, after)
    assert b"Host: site\r\n" in second
    assert b"X-Forwarded-For: 192.0.2.1\r\n" in second


async def test_the_record_tells_of_the_backend(stage: Stage) -> None:
    await stage.teach()
    assert stage.ask("/second", "X-Request-ID: mine") is True
    stage.backend.says(came())
    await stage.line.is_over.wait()
    assert stage.ask("/third", "X-Request-ID: mine")
    stage.clock.advance(0.25)
    assert stage.backend.says(came())
    stage.observer.work_off()
    record = stage.seen[-1]
    assert (record.cache.value, record.cache_forward, record.cache_reason) == ("miss", "uri-miss", "")
    assert (record.path, record.query, record.request_id) == ("/third", None, "mine")
    assert (record.client, record.bytes_out) == ("192.0.2.1", 4)
    assert (record.duration_ms, record.upstream_ms) == (250, 250)


async def test_a_coded_answer_is_stored_with_its_coded_body(stage: Stage) -> None:
    await stage.teach("/first", LONG, BR, coded=True)
    assert stage.ask("/second", BR)
    other = LONG.replace(b"1", b"2")
    assert stage.backend.says(came(other, coded=True))
    head, _, body = b"".join(stage.line.sent).partition(b"\r\n\r\n")
    assert decode("br", body) == other
    assert b"\r\nContent-Encoding: br\r\n" in head
    assert head.endswith(b"\r\nContent-Length: %d" % len(body))
    assert b"\r\nVary: Accept-Encoding\r\n" in head
    (entry,) = [entry for entry in stage.store.entries() if entry.uri.endswith("/second")]
    assert (entry.body, entry.coded) == (other, (CodedBody("br", body),))
    stage.observer.work_off()
    record = stage.seen[-1]
    assert (record.coding, record.bytes_out, record.bytes_identity) == ("br", len(body), len(other))


async def test_a_body_too_short_to_be_coded_is_learned_by_itself(stage: Stage) -> None:
    await stage.teach("/first", LONG, BR, coded=True)
    await stage.teach("/short", b"{}", BR, coded=True)
    for number, (body, coding) in enumerate([(LONG, "br"), (b"{}", ""), (LONG, "br")]):
        assert stage.ask(f"/{number}", BR)
        assert stage.backend.says(came(body, coded=True))
        head, _, sent = b"".join(stage.line.sent).partition(b"\r\n\r\n")
        assert decode(coding, sent) == body
        assert (b"\r\nVary: Accept-Encoding" in head) is bool(coding)
        stage.line.sent.clear()


async def test_what_is_coded_as_it_passes_is_left_to_the_pipeline(stage: Stage) -> None:
    await stage.teach("/streams/1", LONG, BR, coded=True)
    assert stage.ask("/streams/2", BR)
    assert not stage.backend.says(came(LONG * 2, coded=True))
    await stage.line.is_over.wait()


async def test_what_is_stored_is_not_sent_on(stage: Stage) -> None:
    await stage.teach()
    for number in range(3):
        assert stage.ask(f"/{number}")
        assert stage.backend.says(came(b"body %d" % number))
    assert len(stage.store) == 4
    stage.line.is_over.clear()
    stage.line.sent.clear()
    assert stage.ask("/0"), "the pipeline answers, and teaches how"
    await stage.line.is_over.wait()
    taught = b"".join(stage.line.sent)
    assert taught.endswith(b"body 0")
    stage.line.is_over.clear()
    for number in range(3):
        stage.line.sent.clear()
        stage.clock.advance(1)
        assert stage.ask(f"/{number}")
        answer = b"".join(stage.line.sent)
        assert answer.endswith(b"\r\n\r\nbody %d" % number), "at once"
        assert b"\r\nAge: %d\r\n" % (number + 1) in answer
        assert b"Cache-Status: Veneer; hit; ttl=%d\r\n" % (59 - number) in answer
        assert [line.partition(b":")[0] for line in answer.splitlines()] == [
            line.partition(b":")[0] for line in taught.replace(b"body 0", b"body %d" % number).splitlines()
        ]
    assert not stage.line.is_over.is_set()
    assert len(stage.backend.heads) == 4
    stage.observer.work_off()
    assert [record.cache.value for record in stage.seen] == ["miss"] * 4 + ["hit"] * 4
    assert stage.active == stage.services.in_flight.active == 0


async def test_who_is_above_the_rate_gets_no_hit_that_is_new(stage: Stage) -> None:
    await stage.teach("/limited/1")
    assert stage.ask("/limited/2")
    assert stage.backend.says(came())
    assert stage.ask("/limited/2")
    await stage.finished()
    assert stage.ask("/limited/1")
    assert b"".join(stage.line.sent).startswith(b"HTTP/1.1 429 ")


@pytest.mark.parametrize(("strength", "taken"), [(InvalidationMode.HARD, True), (InvalidationMode.SOFT, False)])
async def test_what_a_write_has_made_invalid_is_as_good_as_not_stored(
    stage: Stage, strength: InvalidationMode, taken: bool
) -> None:
    await stage.teach()
    stage.log.append_now(Invalidation(uris=("site/first",), strength=strength), 0.0)
    assert stage.ask("/first") is taken
    if taken:
        assert stage.backend.says(came(b"new"))
        assert b"".join(stage.line.sent).endswith(b"\r\n\r\nnew")
        assert [entry.body for entry in stage.store.entries()] == [b"new"]


@pytest.mark.parametrize(
    "ask",
    [
        lambda stage: stage.ask("/a", method="HEAD"),
        lambda stage: stage.ask("/a", 'If-None-Match: "x"'),
        lambda stage: stage.ask("/a", "Range: bytes=0-1"),
        lambda stage: stage.ask("/a", "Cache-Control: no-cache"),
        lambda stage: stage.ask("/%61"),
        lambda stage: stage.ask("/a/../b"),
        lambda stage: stage.ask("http://other/a"),
        lambda stage: stage.ask("*"),
        lambda stage: stage.ask("/\xfc"),
        lambda stage: stage.ask("/" + "a" * 20_000),
        lambda stage: stage.ask("/a", "Cookie: a", "Cookie: b"),
    ],
)
async def test_other_requests_go_the_normal_way(stage: Stage, ask: Callable[[Stage], bool]) -> None:
    await stage.teach()
    assert not ask(stage)
    assert stage.backend.free
    assert stage.active == stage.services.in_flight.active == 0


async def test_without_a_free_connection_it_is_the_pipelines(stage: Stage) -> None:
    await stage.teach()
    stage.backend.free = False
    assert not stage.ask("/second")
    assert stage.active == stage.services.in_flight.active == 0


async def test_as_many_are_in_flight_as_may_be(stage: Stage) -> None:
    await stage.teach()
    stage.services.in_flight.most = 0
    assert not stage.ask("/second")
    assert stage.backend.free


async def use_up_the_rate(stage: Stage) -> None:
    for number in range(3):
        assert stage.ask(f"/limited/{number}")
        stage.backend.says(came())
        if stage.line.pending is not None:
            await stage.line.is_over.wait()
            stage.line.is_over.clear()


async def test_who_is_above_the_rate_is_refused_and_nothing_is_sent(stage: Stage) -> None:
    await use_up_the_rate(stage)
    stage.line.sent.clear()
    assert stage.ask("/limited/4")
    assert stage.line.sent[0].startswith(b"HTTP/1.1 429 ")
    assert stage.backend.free
    assert len(stage.backend.heads) == 3


async def test_who_was_refused_here_is_refused_again_by_what_is_known_of_the_target(stage: Stage) -> None:
    await use_up_the_rate(stage)
    targets = stage.fastpath.state.limited_targets
    assert not targets
    stage.line.sent.clear()
    assert stage.ask("/limited/4")
    assert [*targets] == [("GET", b"site\n/limited/4")]
    assert stage.ask("/limited/4")
    first, second = stage.line.sent
    assert first.startswith(b"HTTP/1.1 429 ")
    assert first.splitlines()[0] == second.splitlines()[0]
    stage.clock.advance(3600)
    assert stage.ask("/limited/4"), "and sent once the rate allows it"
    assert len(stage.backend.heads) == 4


async def test_a_client_that_leaves_gets_nothing_and_the_response_is_stored(stage: Stage) -> None:
    await stage.teach()
    assert stage.ask("/second")
    assert stage.line.pending is not None
    stage.line.pending.leave()
    assert not stage.backend.says(came())
    await stage.line.is_over.wait()
    assert stage.line.sent == []
    assert len(stage.store) == 2
    assert stage.active == stage.services.in_flight.active == 0


async def test_what_took_long_has_an_age(stage: Stage) -> None:
    await stage.teach()
    assert stage.ask("/second")
    stage.clock.advance(2.5)
    assert not stage.backend.says(came())
    await stage.line.is_over.wait()
    assert b"\r\nAge: 2\r\n" in stage.line.sent[0]


async def test_a_stopping_proxy_gives_the_exchange_up(stage: Stage) -> None:
    assert stage.ask("/first")
    assert stage.line.pending is not None
    stage.line.pending.cancel()
    assert stage.backend.aborted


async def test_interim_responses_are_relayed(stage: Stage) -> None:
    assert stage.ask("/first")
    assert stage.backend.taker is not None
    stage.backend.taker.interim(ResponseHead(103, "Early Hints", Fields([("Link", "</x>")])))
    assert stage.line.sent == [b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"]


@pytest.mark.parametrize(
    "raw",
    [came()[:-1], came() + b"x", came(b""), came(b"x" * 70_000), came(date=b"\x01"), b"HTTP/1.1 200 OK\r\n"],
)
async def test_what_is_not_one_whole_response_is_for_the_pipeline(stage: Stage, raw: bytes) -> None:
    await stage.teach()
    assert stage.ask("/second")
    assert not stage.backend.says(raw)
    await stage.line.is_over.wait()


CHUNKED = b"HTTP/1.1 200 OK\r\nDate: %b\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n" % DATE


@pytest.mark.parametrize(
    ("raw", "sends_on"), [(came(b"x" * 70_000), False), (CHUNKED, False), (came()[:-1], True), (came(b""), True)]
)
async def test_what_never_comes_whole_is_the_pipelines_from_the_beginning_the_next_time(
    stage: Stage, raw: bytes, sends_on: bool
) -> None:
    await stage.teach()
    assert stage.ask("/second")
    assert not stage.backend.says(raw)
    await stage.line.is_over.wait()
    elsewhere = b"GET /second HTTP/1.1\r\nHost: elsewhere\r\n\r\n"  # there is nothing stored of it
    assert stage.handler.answer(elsewhere) is sends_on


async def test_another_policy_begins_anew(stage: Stage) -> None:
    await stage.teach()
    assert stage.ask("/second")
    assert stage.backend.says(came())
    stage.source.current = parse_policy(POLICY.replace("limited", "other"), "test")
    assert stage.ask("/third")
    assert not stage.backend.says(came())
    await stage.line.is_over.wait()


@pytest.mark.no_cover
async def test_what_is_remembered_of_requests_is_bounded(stage: Stage) -> None:
    assert stage.fastpath.state.misses is not None
    stage.backend.free = False
    for number in range(MAX_TEMPLATES + 1):
        line = Line(f"192.0.{number // 256}.{number % 256}")
        assert not stage.fastpath.connect(line, line.send).answer(b"GET /a HTTP/1.1\r\nHost: site\r\n\r\n")
    assert len(stage.fastpath.state.misses) == 1
