"""The raw client: sends what the suite's own client (Node's `fetch`) sends, and keeps every byte that comes back."""

from __future__ import annotations

import asyncio
import zlib
from dataclasses import dataclass

from checks.conformance.script import NO_BODY_STATUS
from checks.conformance.wire import (
    HEAD_LIMIT,
    Head,
    Lines,
    Trace,
    WireError,
    content_length,
    is_chunked,
    read_chunked,
    read_exactly,
    read_head,
)

REQUEST_TIMEOUT_S = 10.0
IDLE_REUSE_S = 4.0
"""A connection idle for longer is not used again."""


class FetchError(Exception):
    """No response: the proxy hung up, sent rubbish, or was too slow."""


@dataclass(frozen=True, slots=True)
class Response:
    """A final response. `broken` says why the body is not whole; its bytes so far are lost then."""

    status: int
    reason: str
    lines: Lines
    body: bytes
    interim: tuple[tuple[int, Lines], ...]
    broken: str | None = None

    def text(self) -> str:
        """The decoded body as text. Raises FetchError when it is not whole."""
        if self.broken is not None:
            raise FetchError(self.broken)
        return _decoded(self.body, self.lines.get("content-encoding")).decode("utf-8-sig", "replace")


def _decoded(body: bytes, coding: str | None) -> bytes:
    """The body without the codings the client asked for; an unknown coding is left alone, as `fetch` does."""
    if not body or coding is None or coding.lower() not in ("gzip", "x-gzip", "deflate"):
        return body
    try:
        return zlib.decompress(body, wbits=zlib.MAX_WBITS | 32)
    except zlib.error as error:
        raise FetchError(f"Content-Encoding {coding} does not match the body: {error}") from error


class Client:
    """One persistent connection to the proxy, opened when needed. For one test at a time."""

    def __init__(self, host: str, port: int, trace: Trace | None = None) -> None:
        self._host, self._port = host, port
        self._trace = trace or Trace()
        self._traced = False
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._used_at = 0.0

    async def fetch(self, method: str, target: str, fields: list[tuple[str, str]], body: bytes | None) -> Response:
        """Send a request as `fetch` would and read the answer. Raises FetchError."""
        head = request_head(method, target, f"{self._host}:{self._port}", fields, body)
        self._traced = target.startswith("/test/")
        try:
            return await self.exchange(method, head + (body or b""))
        except FetchError as error:
            raise FetchError(f"{method} {target}: {error}") from error

    async def exchange(self, method: str, raw: bytes) -> Response:
        """Send `raw`, which ask with `method`, and read the answer. Raises FetchError."""
        self._note("client -> proxy", raw)
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                return await self._exchange(method, raw)
        except TimeoutError:
            raise FetchError(f"no answer within {REQUEST_TIMEOUT_S:g} s") from None
        except (OSError, WireError, ValueError) as error:
            raise FetchError(str(error)) from error

    async def _exchange(self, method: str, raw: bytes) -> Response:
        reader, writer = await self._connection()
        try:
            writer.write(raw)
            await writer.drain()
            interim: list[tuple[int, Lines]] = []
            while True:
                head, status, reason = await self._final_or_interim(reader)
                if status >= 200:
                    break
                interim.append((status, head.lines))
            return await self._finish(method, head, status, reason, tuple(interim))
        except BaseException:
            self.close()
            raise

    async def _final_or_interim(self, reader: asyncio.StreamReader) -> tuple[Head, int, str]:
        head = await read_head(reader)
        if head is None:
            raise WireError("the proxy closed the connection instead of answering")
        version, _, rest = head.start.partition(" ")
        code, _, reason = rest.partition(" ")
        if not version.startswith("HTTP/1.") or not (code.isdigit() and len(code) == 3):
            raise WireError(f"not a status line: {head.start!r}")
        if int(code) < 200:
            self._note("proxy -> client", head.raw)
        if int(code) in (100, 101):
            raise WireError(f"nobody asked for status {code}")
        return head, int(code), reason

    async def _finish(
        self, method: str, head: Head, status: int, reason: str, interim: tuple[tuple[int, Lines], ...]
    ) -> Response:
        assert self._streams is not None
        reader = self._streams[0]
        reusable = "close" not in (head.lines.get("connection") or "").lower() and head.start.startswith("HTTP/1.1")
        body, broken = b"", None
        try:
            if method == "HEAD" or status in NO_BODY_STATUS:
                pass
            elif is_chunked(head.lines):
                body = await read_chunked(reader)
            elif (length := content_length(head.lines)) is not None and "transfer-encoding" not in head.lines:
                body = await read_exactly(reader, length)
            else:
                body, reusable = await reader.read(), False
        except (WireError, OSError, ValueError) as error:
            broken, reusable = str(error), False
        self._note("proxy -> client", head.raw + body + (f"\n(broken: {broken})".encode() if broken else b""))
        self._used_at = asyncio.get_running_loop().time()
        if not reusable:
            self.close()
        return Response(status, reason, head.lines, body, interim, broken)

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        now = asyncio.get_running_loop().time()
        if self._streams is not None:
            reader, writer = self._streams
            if now - self._used_at < IDLE_REUSE_S and not writer.is_closing() and await _is_silent(reader):
                return self._streams
            self.close()
        self._streams = await asyncio.open_connection(self._host, self._port, limit=HEAD_LIMIT)
        return self._streams

    def _note(self, what: str, raw: bytes) -> None:
        # Loading a script and asking for the state is not what a reader of the trace looks for.
        if self._traced:
            self._trace.note(what, raw)

    def close(self) -> None:
        """Hang up."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def _is_silent(reader: asyncio.StreamReader) -> bool:
    """Whether nothing has come since the last response: neither the end nor bytes nobody asked for."""
    try:
        async with asyncio.timeout(0):
            await reader.read(1)
    except TimeoutError:
        return True
    return False


def request_head(method: str, target: str, host: str, fields: list[tuple[str, str]], body: bytes | None) -> bytes:
    """The request line and fields as `fetch` writes them: lines of one name joined, its own fields after ours."""
    joined: dict[str, tuple[str, str]] = {}
    for name, value in fields:
        before = joined.get(name.lower())
        text = value.strip(" \t\r\n")
        joined[name.lower()] = (name, text) if before is None else (before[0], f"{before[1]}, {text}")
    if body is not None:
        joined.setdefault("content-type", ("content-type", "text/plain;charset=UTF-8"))
    joined.setdefault("accept", ("accept", "*/*"))
    joined.setdefault("accept-language", ("accept-language", "*"))
    joined["sec-fetch-mode"] = ("sec-fetch-mode", "cors")
    joined.setdefault("user-agent", ("user-agent", "undici"))
    joined["accept-encoding"] = ("accept-encoding", "identity" if "range" in joined else "gzip, deflate")
    if body is not None:
        joined["content-length"] = ("content-length", str(len(body)))
    # `fetch` closes after HEAD, lest a server send a body all the same.
    connection = "close" if method == "HEAD" else "keep-alive"
    lines = [f"{method} {target} HTTP/1.1", f"host: {host}", f"connection: {connection}"]
    lines += [f"{name}: {value}" for name, value in joined.values()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
