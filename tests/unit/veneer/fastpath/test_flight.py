"""Who asks for what a miss of the fast path is fetching already waits for that, and is answered as in the pipeline."""

from __future__ import annotations

import asyncio
import gc

import pytest

from tests.support.codings import decode
from tests.unit.veneer.fastpath.line import Line
from tests.unit.veneer.fastpath.stage import BR, LONG, Stage, came, response_of
from veneer.core.invalidation import Invalidation
from veneer.fastpath.flight import FastFlight
from veneer.fastpath.whole_response import WholeResponse
from veneer.pipeline.coalesce import Complete, Flight
from veneer.pipeline.exchange import CacheResult


class Herd(Stage):
    """Two clients and one backend."""

    def __init__(self) -> None:
        super().__init__()
        self.other = Line("192.0.2.2")
        self.other_handler = self.fastpath.connect(self.other, self.other.send)

    def follow(self, target: str, *fields: str) -> bool:
        """Whether the fast path takes the same request of the second client."""
        lines = [f"GET {target} HTTP/1.1", "Host: site", *fields, "", ""]
        return self.other_handler.answer("\r\n".join(lines).encode("latin-1"))

    async def followed(self) -> bytes:
        """What the second client got."""
        line = self.other
        await asyncio.wait_for(line.is_over.wait(), 10)
        line.is_over.clear()
        sent = b"".join(line.sent)
        line.sent.clear()
        return sent

    async def teach_following(self, *fields: str, body: bytes = b"body", coded: bool = False) -> bytes:
        """Have the pipeline answer one that has waited; what it got."""
        await self.teach("/first", body, *fields, coded=coded)
        assert self.ask("/second", *fields)
        assert self.follow("/second", *fields)
        assert self.backend.says(came(body, coded=coded)), "the first is answered on the fast path"
        await self.finished()
        return await self.followed()


@pytest.fixture
async def herd() -> Herd:
    return Herd()


async def test_the_pipeline_answers_the_first_that_waits_and_the_fastpath_the_next(herd: Herd) -> None:
    taught = await herd.teach_following()
    assert b"; fwd=uri-miss; stored; collapsed\r\n" in taught
    assert herd.ask("/third")
    assert herd.follow("/third")
    assert herd.other.sent == []
    assert herd.backend.says(came(b"more"))
    head, _, body = b"".join(herd.other.sent).partition(b"\r\n\r\n")
    assert (body, herd.other.overs) == (b"more", [True, True])
    assert b"; fwd=uri-miss; stored; collapsed\r\n" in head
    assert len(herd.backend.heads) == 3, "one fetch for each target"
    record = herd.seen[-1]
    assert (record.cache, record.client, record.bytes_out) == (CacheResult.COLLAPSED, "192.0.2.2", 4)
    assert herd.active == herd.services.in_flight.active == 0


async def test_what_is_coded_is_made_once_for_both(herd: Herd) -> None:
    await herd.teach_following(BR, body=LONG, coded=True)
    assert herd.ask("/third", BR)
    assert herd.follow("/third", BR)
    assert herd.backend.says(came(LONG, coded=True))
    head, _, body = b"".join(herd.other.sent).partition(b"\r\n\r\n")
    assert b"\r\nContent-Encoding: br\r\n" in head
    assert decode("br", body) == LONG
    assert body == b"".join(herd.line.sent).partition(b"\r\n\r\n")[2]


async def test_whoever_waits_in_the_pipeline_is_told_too(herd: Herd) -> None:
    await herd.teach()
    assert herd.ask("/second")
    flight = herd.services.flights.join("3:GET4:http4:site7:/second1:-")
    assert isinstance(flight, Flight)
    waiting = herd.services.tasks.start(flight.wait(), "follow")
    await asyncio.sleep(0)
    assert herd.backend.says(came())
    outcome = await waiting
    assert isinstance(outcome, Complete)
    assert (outcome.entry.body, outcome.stored, outcome.may_share) == (
        b"body",
        True,
        True,
    )


async def test_what_was_invalidated_meanwhile_is_fetched_again(herd: Herd, monkeypatch: pytest.MonkeyPatch) -> None:
    async def exchange(*_: object, **__: object) -> WholeResponse:
        return response_of(came(b"new").partition(b"\r\n\r\n")[0], b"new")

    monkeypatch.setattr(herd.backend, "exchange", exchange)
    await herd.teach_following()
    assert herd.ask("/third")
    assert herd.follow("/third")
    await herd.log.append(Invalidation(everything=True), strict=True)
    assert herd.backend.says(came(b"old"))
    assert herd.other.sent == [], "it is the pipeline's, which asks again"
    assert (await herd.followed()).endswith(b"new")


async def test_a_response_that_the_pipeline_takes_answers_who_has_waited(herd: Herd) -> None:
    await herd.teach_following()
    assert herd.ask("/third")
    assert herd.follow("/third")
    assert not herd.backend.says(came(b"more").replace(b"Cache-Control", b"Server: other\r\nCache-Control"))
    await herd.finished()
    sent = await herd.followed()
    assert sent.endswith(b"more")
    assert b"; stored; collapsed\r\n" in sent
    assert herd.active == herd.services.in_flight.active == 0


async def test_who_has_waited_for_long_waits_on_in_the_pipeline(herd: Herd) -> None:
    await herd.teach_following()
    assert herd.ask("/third")
    assert herd.follow("/third")
    flight = herd.services.flights.join("3:GET4:http4:site6:/third1:-")
    assert isinstance(flight, FastFlight)
    flight.let_go()  # as its timer does
    await asyncio.sleep(0)
    assert herd.other.client is not None, "the pipeline has it"
    assert herd.backend.says(came(b"late"))
    assert (await herd.followed()).endswith(b"late")


async def test_a_client_that_leaves_while_it_waits_gets_nothing(herd: Herd) -> None:
    await herd.teach_following()
    assert herd.ask("/third")
    assert herd.follow("/third")
    pending = herd.other.pending
    assert pending is not None
    pending.leave()
    await asyncio.sleep(0)
    assert herd.backend.says(came(b"more"))
    assert await herd.followed() == b""
    await herd.finished()
    assert herd.active == herd.services.in_flight.active == 0


async def test_who_waits_for_a_client_that_leaves_is_answered(herd: Herd) -> None:
    await herd.teach_following()
    assert herd.ask("/third")
    assert herd.follow("/third")
    assert herd.line.pending is not None
    herd.line.pending.leave()
    assert not herd.backend.says(came(b"more")), "without its client the first is for the pipeline"
    assert (await herd.followed()).endswith(b"more")


async def test_nothing_of_a_flight_is_left_to_the_cycle_collector(herd: Herd) -> None:
    """Also where its lease knows it, since the client may have left."""
    await herd.teach_following()
    assert herd.ask("/third")
    assert herd.follow("/third")
    assert herd.line.pending is not None
    assert herd.line.pending.ended()
    gc.collect()
    gc.disable()
    try:
        assert herd.backend.says(came(b"more"))
        del herd.backend.demand
        assert not [one for one in gc.get_objects() if isinstance(one, FastFlight) and "/third" in one.key]
    finally:
        gc.enable()
