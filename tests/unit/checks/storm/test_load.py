"""How the outcome of an exchange is told, against a server that does as it is told."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from checks.coherence.ledger import Ledger
from checks.storm import load
from checks.storm.load import Ask, Crowd, Outcome
from tests.support.origin import OriginConnection, read_body, running_origin

ANSWERS = {
    b"/well": b"HTTP/1.1 200 OK\r\nCache-Status: x; hit\r\nContent-Length: 4\r\n\r\n7=3\n",
    b"/older": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n7=2\n",
    b"/busy": b"HTTP/1.1 503 Busy\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n",
    b"/bad": b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
    b"/other": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n8=99\n",
    b"/ends": b"",
}


GZIPPED = gzip.compress(b"7=2\n", mtime=0)
CODED_ANSWERS = {
    b"/coded": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s" % (len(GZIPPED), GZIPPED),
    b"/chunked": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5;x=y\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (GZIPPED[:5], len(GZIPPED) - 5, GZIPPED[5:]),
    b"/damaged": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n7=2\n",
    b"/unasked": b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 4\r\n\r\n7=2\n",
}


async def script(connection: OriginConnection) -> None:
    while True:
        head = await connection.request_head()
        await read_body(connection, head)
        target, _, query = head.split(b" ")[1].partition(b"?")
        path = target.removesuffix(b"/7")
        if path == b"/never":
            await connection.closed_by_peer()
            return
        if path in CODED_ANSWERS:
            assert b"\r\nAccept-Encoding: gzip, deflate\r\n" in head
            assert query == b"bytes=2000"
            await connection.send(CODED_ANSWERS[path])
            continue
        await connection.send(ANSWERS[path])
        if path == b"/ends":
            return


@asynccontextmanager
async def server() -> AsyncIterator[int]:
    async with running_origin(script) as origin:
        yield int(origin.url.rpartition(":")[2])


@pytest.mark.parametrize(
    ("route", "outcome"),
    [
        ("well", Outcome.SERVED),
        ("busy", Outcome.REFUSED),
        ("bad", Outcome.FAILED),
        ("ends", Outcome.FAILED),
        ("never", Outcome.GIVEN_UP),
    ],
)
async def test_how_an_exchange_ends(route: str, outcome: Outcome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "PATIENCE_S", 0.1)
    async with server() as port:
        crowd = Crowd([port], Ledger(10))
        samples = await crowd.once(Ask(route, ()), [7])
        crowd.close()
    (sample,) = samples.all
    assert sample.outcome is outcome
    assert sample.hit is (route == "well")
    assert sample.retry_after is (route == "busy")


async def test_a_read_is_judged_by_the_write_before_it() -> None:
    ledger = Ledger(10)
    async with server() as port:
        crowd = Crowd([port], ledger)
        await crowd.once(Ask("older", ()), [7])
        await crowd.once(Ask("well", (), method="PUT"), [7])
        assert (ledger.acknowledged[7], ledger.violations) == (3, [])
        await crowd.once(Ask("older", ()), [7])
        crowd.close()
    assert [violation.served for violation in ledger.violations] == [2]


async def test_what_was_not_asked_for_is_wrong_however_new_it_is() -> None:
    ledger = Ledger(10)
    async with server() as port:
        crowd = Crowd([port], ledger)
        await crowd.once(Ask("other", ()), [7])
        assert crowd.wrong == 1
        crowd.close()
    assert [(violation.register, violation.served) for violation in ledger.violations] == [(8, 99)]


@pytest.mark.parametrize(
    ("route", "outcome"),
    [
        ("coded", Outcome.SERVED),
        ("chunked", Outcome.SERVED),
        ("damaged", Outcome.FAILED),
        ("unasked", Outcome.FAILED),
    ],
)
async def test_a_coded_answer_is_judged_by_what_was_coded(route: str, outcome: Outcome) -> None:
    ledger = Ledger(10)
    ledger.wrote(7, 3)
    async with server() as port:
        crowd = Crowd([port], ledger, coded=True)
        samples = await crowd.once(Ask(route, ()), [7])
        crowd.close()
    assert samples.all[0].outcome is outcome
    assert [violation.served for violation in ledger.violations] == ([2] if outcome is Outcome.SERVED else [])


async def test_clients_come_whether_or_not_the_others_have_been_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "PATIENCE_S", 0.5)
    async with server() as port:
        crowd = Crowd([port], Ledger(100))
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(crowd.come(Ask("never", [7] * 10), 100, 0.1))
            served = group.create_task(crowd.come(Ask("well", [7] * 10), 100, 0.1))
        crowd.close()
    assert len(waiting.result().of(Outcome.GIVEN_UP)) == 10
    assert (len(served.result().of(Outcome.SERVED)), served.result().not_served()) == (10, 0)
