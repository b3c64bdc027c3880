"""What every retriever does: the real one against a server, and the double."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.support.origin import OriginConnection, running_origin
from tests.support.retrieval import ScriptedRetriever
from veneer.core.fields import Fields
from veneer.loop.clock import SystemClock
from veneer.loop.tasks import Tasks
from veneer.ports import Resource, Retrieved, Retriever, UpstreamError, UpstreamFailure
from veneer.upstream.retrieval import ResourceClient

CERTIFICATE = Path(__file__).parents[1] / "support" / "localhost.pem"
FIELDS = Fields([("Accept", "*/*")])
ANSWERS = {"/keys?set=1": Retrieved(200, Fields([("X-A", "b")]), b"x" * 100), "/gone": Retrieved(404, Fields(), b"")}


async def script(connection: OriginConnection) -> None:
    while True:
        target = (await connection.request_head()).split(b" ")[1].decode()
        answer = ANSWERS.get(target)
        if answer is None:
            await connection.closed_by_peer()
            return
        head = f"HTTP/1.1 {answer.status} Said\r\nX-A: b\r\nContent-Length: {len(answer.body)}\r\n\r\n"
        await connection.send(head.encode() + answer.body)


@dataclass(frozen=True, slots=True)
class Asked:
    retriever: Retriever
    origin: str
    ca: str | None = None

    async def get(self, target: str, timeout_s: float = 5, most_bytes: int = 1_000, ca: str | None = None) -> Retrieved:
        return await self.retriever.get(Resource(self.origin, target, ca or self.ca), FIELDS, timeout_s, most_bytes)


@pytest.fixture(params=["double", "http", "https", "unix"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Asked]:
    if request.param == "double":
        yield Asked(ScriptedRetriever({**ANSWERS, "/silent": None}), "http://there.example")
        return
    tls = None
    if request.param == "https":
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(CERTIFICATE)
    unix = str(tmp_path / "socket") if request.param == "unix" else None
    async with running_origin(script, tls=tls, unix_path=unix) as origin:
        tasks = Tasks()
        client = ResourceClient(SystemClock(), tasks)
        ca = None if tls is None else str(CERTIFICATE)
        yield Asked(client, origin.url.replace("127.0.0.1", "localhost"), ca)
        await client.aclose()
        await tasks.aclose()


async def test_an_answer_is_whole_whatever_its_status(place: Asked) -> None:
    for _ in range(2):
        found = await place.get("/keys?set=1")
        assert (found.status, found.body, found.fields.get("x-a")) == (200, b"x" * 100, "b")
        assert (await place.get("/gone")).status == 404


async def test_one_that_does_not_come_in_time_is_given_up(place: Asked) -> None:
    with pytest.raises(UpstreamError) as caught:
        await place.get("/silent", timeout_s=0.05)
    assert caught.value.failure is UpstreamFailure.READ_TIMEOUT
    assert (await place.get("/gone")).status == 404


async def test_where_one_origin_gives_no_answer_another_is_asked_and_remembered() -> None:
    tasks = Tasks()
    client = ResourceClient(SystemClock(), tasks)
    async with running_origin(script) as there, running_origin(script) as hangs, running_origin(script) as gone:
        gone.close()
        resource = Resource(gone.url, "/gone", others=(there.url,))
        for _ in range(2):
            assert (await client.get(resource, FIELDS, 5, 1_000)).status == 404
        assert len(there.heads) == 2
        with pytest.raises(UpstreamError) as caught:
            await client.get(replace(resource, target="/silent"), FIELDS, 0.2, 1_000)
        assert caught.value.failure is UpstreamFailure.CONNECT, "the last that was asked"
        two = Resource(hangs.url, "/silent", others=(there.url,))
        with pytest.raises(UpstreamError):
            await client.get(two, FIELDS, 0.2, 1_000)
        assert (len(hangs.heads), len(there.heads)) == (1, 4), "both are asked in that time"
    await client.aclose()
    await tasks.aclose()


async def test_one_that_is_too_large_is_given_up(place: Asked) -> None:
    with pytest.raises(UpstreamError) as caught:
        await place.get("/keys?set=1", most_bytes=99)
    assert caught.value.failure is UpstreamFailure.MALFORMED
    assert (await place.get("/keys?set=1", most_bytes=100)).status == 200


async def test_who_is_not_there_is_an_error(place: Asked) -> None:
    nowhere = replace(place, origin="http://127.0.0.1:1")
    with pytest.raises(UpstreamError):
        await nowhere.get("/nothing")


async def test_authorities_that_cannot_be_read_are_an_error_and_read_again(tmp_path: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(CERTIFICATE)
    ca, tasks = tmp_path / "ca.pem", Tasks()
    async with running_origin(script, tls=tls) as origin:
        client = ResourceClient(SystemClock(), tasks)
        asked = Asked(client, origin.url.replace("127.0.0.1", "localhost"), str(ca))
        with pytest.raises(UpstreamError, match="cannot be read"):
            await asked.get("/gone")
        await asyncio.to_thread(ca.write_bytes, CERTIFICATE.read_bytes())
        assert (await asked.get("/gone")).status == 404
        await client.aclose()
    await tasks.aclose()
