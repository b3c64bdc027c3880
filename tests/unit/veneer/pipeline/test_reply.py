"""The one place that writes to the client: in which form, with which lines, and what it tells the quicker way."""

from __future__ import annotations

import pytest

from tests.support.codings import decode
from tests.support.pipeline import FRESH, RESET, Bench, ScriptedClient, ScriptedResponse, says
from veneer.core.fields import Pair
from veneer.core.messages import ResponseHead
from veneer.pipeline.account import SentResponse
from veneer.pipeline.answer import Answer
from veneer.pipeline.context import Exchange, ServedHit
from veneer.pipeline.exchange import Refusal
from veneer.pipeline.fetch import Fetcher
from veneer.pipeline.read import CacheHandler
from veneer.pipeline.refuse import refuse
from veneer.pipeline.reply import Replier
from veneer.ports import ClientGoneError, UpstreamError

TEXT: Pair = ("Content-Type", "text/plain")
LONG = b"abc " * 1000


class Learner:
    """What the fast path would be shown."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.served: ServedHit | None = None

    def learn(self, exchange: Exchange, served: ServedHit) -> None:
        self.seen.append("hit")
        self.served = served

    def learn_miss(self, exchange: Exchange, answer: Answer, head: ResponseHead, length: int, coding: str) -> None:
        self.seen.append("miss")

    def learn_passed(self, exchange: Exchange, answer: Answer, head: ResponseHead, length: int | None) -> None:
        raise AssertionError(exchange)

    def learn_refusal(self, exchange: Exchange) -> None:
        raise AssertionError(exchange)


def bench_of(*fields: Pair, body: bytes = LONG, route: str = "{name: r, match: {path: /x}}") -> Bench:
    bench = Bench(route)
    bench.backend.script = [says(*fields, body=body)]
    object.__setattr__(bench.services, "hits", Learner())
    return bench


async def replied(
    bench: Bench, *fields: Pair, method: str = "GET", client: ScriptedClient | None = None
) -> tuple[ScriptedClient, ResponseHead, SentResponse]:
    client = client or ScriptedClient()
    exchange = bench.exchange(*fields, method=method, client=client)
    answer = await CacheHandler(bench.services, Fetcher(bench.services)).answer(exchange)
    sent = await Replier(bench.services).reply(exchange, answer, None)
    assert client.head is not None
    return client, client.head, sent


def seen(bench: Bench) -> list[str]:
    assert isinstance(bench.services.hits, Learner)
    return bench.services.hits.seen


async def test_a_miss_and_a_hit_carry_the_proxys_lines_and_are_shown_to_the_fast_path() -> None:
    bench = bench_of(FRESH)
    _, head, _ = await replied(bench)
    assert "fwd=uri-miss; stored" in (head.fields.get("cache-status") or "")
    assert "age" not in head.fields
    bench.clock.advance(5)
    client, head, _ = await replied(bench)
    assert "hit; ttl=55" in (head.fields.get("cache-status") or "")
    assert (head.fields.get("age"), head.fields.get("x-request-id")) == ("5", "id")
    assert client.body_sent == LONG
    assert seen(bench) == ["miss", "hit"]


async def test_the_coding_that_the_client_likes_is_made_once() -> None:
    bench = bench_of(FRESH, TEXT)
    for _ in range(2):
        client, head, sent = await replied(bench, ("Accept-Encoding", "gzip"))
        assert head.fields.get("content-encoding") == "gzip"
        assert decode("gzip", client.body_sent) == LONG
        assert (sent.coding, sent.identity_bytes) == ("gzip", len(LONG))
    (entry,) = bench.stored()
    assert entry.coded_in("gzip") is not None


async def test_a_condition_that_holds_is_answered_304_without_a_body() -> None:
    bench = bench_of(FRESH, ("ETag", '"one"'))
    client, head, _ = await replied(bench, ("If-None-Match", '"one"'))
    assert (head.status, client.body_sent) == (304, b"")


async def test_a_range_of_what_is_stored() -> None:
    bench = bench_of(FRESH)
    await replied(bench)
    client, head, _ = await replied(bench, ("Range", "bytes=4-7"))
    assert (head.status, client.body_sent) == (206, b"abc ")
    assert head.fields.get("content-range") == f"bytes 4-7/{len(LONG)}"


async def test_head_gets_the_lines_of_get() -> None:
    """The client's side leaves the body out."""
    bench = bench_of(FRESH)
    await replied(bench)
    (_, got, _), (_, asked, _) = await replied(bench), await replied(bench, method="HEAD")
    assert (asked.status, asked.fields.joined) == (got.status, got.fields.joined)


async def test_what_is_left_of_its_life_in_place_of_age() -> None:
    bench = bench_of(FRESH, route="{name: r, match: {path: /x}, cache: {client_lifetime: remaining}}")
    await replied(bench)
    bench.clock.advance(20)
    _, head, _ = await replied(bench)
    assert "age" not in head.fields
    assert head.fields.get("cache-control") == "max-age=40"


async def test_a_large_stored_body_is_coded_piece_by_piece_and_not_kept_so() -> None:
    bench = bench_of(FRESH, TEXT, route="{name: r, match: {path: /x}, compress: {stream_over: 2KB}}")
    for _ in range(2):
        client, _, _ = await replied(bench, ("Accept-Encoding", "gzip"))
        assert decode("gzip", client.body_sent) == LONG
    (entry,) = bench.stored()
    assert entry.coded_in("gzip") is None


async def test_a_stream_passes_and_its_response_is_closed() -> None:
    bench = Bench()
    said = ScriptedResponse(("Cache-Control", "no-store"), body=(b"a", b"b"))
    bench.backend.script = [said]
    client, _, _ = await replied(bench)
    assert (client.body_sent, client.finished, said.closed) == (b"ab", True, True)


@pytest.mark.parametrize("coding", [[], [("Accept-Encoding", "gzip")]], ids=["as it is", "coded"])
async def test_a_stream_that_breaks_off_cuts_the_connection(coding: list[Pair]) -> None:
    bench, client = Bench(), ScriptedClient()
    said = ScriptedResponse(("Cache-Control", "no-store"), TEXT, body=(LONG, RESET))
    bench.backend.script = [said]
    with pytest.raises(UpstreamError):
        await replied(bench, *coding, client=client)
    assert (client.aborted, client.finished, said.closed) == (True, False, True)


async def test_a_client_that_has_left_is_told_to_the_caller() -> None:
    bench, client = bench_of(FRESH), ScriptedClient()
    await replied(bench)
    client.gone = True
    with pytest.raises(ClientGoneError):
        await replied(bench, client=client)
    assert seen(bench) == ["miss"], "what was not sent teaches nothing"


async def test_an_answer_of_the_proxys_own_is_sent_as_it_is() -> None:
    bench, client = Bench(), ScriptedClient()
    exchange = bench.exchange(("Accept-Encoding", "gzip"), client=client)
    sent = await Replier(bench.services).reply(exchange, refuse(exchange, 503, "why", Refusal.LOAD), None)
    assert client.head is not None
    assert (sent.status, sent.coding, client.head.fields.get("x-request-id")) == (503, "", "id")
    assert b"why" in client.body_sent
