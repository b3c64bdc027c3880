"""The client writes what `fetch` writes and reads what HTTP/1.1 allows."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from checks.conformance.client import Client, FetchError, request_head


@asynccontextmanager
async def answering(*answers: bytes, close: bool = False) -> AsyncIterator[tuple[Client, list[bytes]]]:
    """A client of a server that gives these answers, one a request; also what the server read."""
    pending, read, serving = list(answers), list[bytes](), list["asyncio.Task[None] | None"]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append(asyncio.current_task())
        while pending:
            try:
                read.append(await reader.readuntil(b"\r\n\r\n"))
            except asyncio.IncompleteReadError:
                break
            writer.write(pending.pop(0))
            if close:
                break
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    client = Client("127.0.0.1", server.sockets[0].getsockname()[1])
    async with server:
        yield client, read
        client.close()
        await asyncio.gather(*(task for task in serving if task is not None))


def test_the_request_as_fetch_writes_it() -> None:
    fields = [("Cache-Control", "a"), ("Foo", " 1 "), ("cache-control", "b"), ("Range", "bytes=0-1")]
    assert request_head("POST", "/t", "h:1", fields, b"abc").decode().split("\r\n") == [
        "POST /t HTTP/1.1",
        "host: h:1",
        "connection: keep-alive",
        "Cache-Control: a, b",
        "Foo: 1",
        "Range: bytes=0-1",
        "content-type: text/plain;charset=UTF-8",
        "accept: */*",
        "accept-language: *",
        "sec-fetch-mode: cors",
        "user-agent: undici",
        "accept-encoding: identity",
        "content-length: 3",
        "",
        "",
    ]
    assert b"connection: close\r\n" in request_head("HEAD", "/", "h", [], None)


async def test_interim_responses_are_kept_apart() -> None:
    answer = b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
    async with answering(answer) as (client, _):
        response = await client.fetch("GET", "/", [], None)
    assert [(status, lines.get("link")) for status, lines in response.interim] == [(103, "a")]
    assert (response.status, response.text()) == (200, "hi")


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX: y\r\n\r\n", "hi"),
        (b"HTTP/1.1 200 OK\r\n\r\nto the end", "to the end"),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", ""),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"hi", mtime=0), "hi"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: odd\r\nContent-Length: 2\r\n\r\nhi", "hi"),
    ],
)
async def test_bodies(answer: bytes, text: str) -> None:
    async with answering(answer, close=True) as (client, _):
        assert (await client.fetch("GET", "/", [], None)).text() == text


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ],
)
async def test_no_response(answer: bytes) -> None:
    async with answering(answer, close=True) as (client, _):
        with pytest.raises(FetchError):
            await client.fetch("GET", "/", [], None)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nhi",
    ],
)
async def test_a_body_that_is_not_whole_is_told_when_it_is_asked_for(answer: bytes) -> None:
    async with answering(answer, close=True) as (client, _):
        response = await client.fetch("GET", "/", [], None)
        assert response.status == 200
        with pytest.raises(FetchError):
            response.text()


async def test_bytes_nobody_asked_for_end_the_connection() -> None:
    over_long = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi and more"
    fine = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    async with answering(over_long, fine, fine) as (client, read):
        assert (await client.fetch("GET", "/1", [], None)).text() == "hi"
        assert (await client.fetch("GET", "/2", [], None)).text() == "ok"
    assert len(read) == 2
