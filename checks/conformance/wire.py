"""HTTP/1.1 messages as bytes: what the scripted origin and the raw client share.

Nothing is normalised: names, values and their order are what came over the wire, read as Latin-1 text.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass

HEAD_LIMIT = 256 * 1024
BODY_LIMIT = 16 * 1024 * 1024


class WireError(Exception):
    """The peer broke off or sent something that is not HTTP/1.1."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Field lines in order."""

    pairs: tuple[tuple[str, str], ...]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.pairs)

    def all(self, name: str) -> list[str]:
        """The values of every line called `name`."""
        return [value for key, value in self.pairs if key.lower() == name.lower()]

    def get(self, name: str) -> str | None:
        """The lines called `name` joined as a list (RFC 9110 section 5.3), None when there is none."""
        values = self.all(name)
        return ", ".join(values) if values else None

    def __contains__(self, name: str) -> bool:
        return any(key.lower() == name.lower() for key, _ in self.pairs)


@dataclass(frozen=True, slots=True)
class Head:
    """A start line and the field lines; `raw` is what was read, blank line included."""

    start: str
    lines: Lines
    raw: bytes


async def read_head(reader: asyncio.StreamReader) -> Head | None:
    """The next message's head, None when the peer closed before its first byte."""
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if not error.partial:
            return None
        raise WireError(f"closed within a head: {error.partial[:200]!r}") from error
    except asyncio.LimitOverrunError as error:
        raise WireError("head too large") from error
    start, *rest = raw[:-4].decode("latin-1").split("\r\n")
    pairs = []
    for line in rest:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise WireError(f"not a field line: {line!r}")
        pairs.append((name, value.strip(" \t")))
    return Head(start, Lines(tuple(pairs)), raw)


def is_chunked(lines: Lines) -> bool:
    """Whether the body comes in chunks (RFC 9112 section 7.1)."""
    return (lines.get("transfer-encoding") or "").lower().split(",")[-1].strip() == "chunked"


def content_length(lines: Lines) -> int | None:
    """The announced length (RFC 9112 section 6.2). Raises WireError when it is not one number."""
    values = set(lines.all("content-length"))
    if not values:
        return None
    if len(values) > 1 or not re.fullmatch(r"[0-9]+", value := values.pop()):
        raise WireError(f"bad Content-Length {lines.get('content-length')!r}")
    return int(value)


async def read_exactly(reader: asyncio.StreamReader, length: int) -> bytes:
    """`length` bytes. Raises WireError when the peer closes before."""
    if length > BODY_LIMIT:
        raise WireError(f"body of {length} bytes is over the limit of {BODY_LIMIT}")
    try:
        return await reader.readexactly(length)
    except asyncio.IncompleteReadError as error:
        raise WireError(f"body ended after {len(error.partial)} of {length} bytes") from error


async def read_chunked(reader: asyncio.StreamReader) -> bytes:
    """A chunked body without its framing; trailers are read and dropped."""
    body = b""
    while True:
        size = int((await _line(reader)).split(b";")[0], 16)
        if size == 0:
            break
        body += await read_exactly(reader, size)
        if await _line(reader):
            raise WireError("chunk longer than announced")
    while await _line(reader):
        pass
    return body


async def _line(reader: asyncio.StreamReader) -> bytes:
    try:
        return (await reader.readuntil(b"\r\n"))[:-2]
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise WireError("chunked body cut short") from error


def leading_int(text: str | None) -> int | None:
    """The integer a text begins with, as lenient readers see it; None when there is none."""
    match = re.match(r"\s*([+-]?\d+)", text or "")
    return int(match[1]) if match else None


class Trace:
    """What went over the wire, in order, for people to read. Off by default: it costs memory."""

    def __init__(self, *, enabled: bool = False) -> None:
        self._enabled = enabled
        self._events: list[tuple[float, str, bytes]] = []

    def note(self, what: str, raw: bytes) -> None:
        """Remember that `raw` went `what` way."""
        if self._enabled:
            self._events.append((asyncio.get_running_loop().time(), what, raw))

    def text(self) -> str:
        """Everything noted since the last call, and forget it."""
        events, self._events = self._events, []
        start = events[0][0] if events else 0.0
        blocks = []
        for moment, what, raw in events:
            body = raw.decode("latin-1").replace("\r\n", "\n").rstrip("\n")
            blocks.append(f"{moment - start:7.3f} {what}\n" + "\n".join(f"    | {line}" for line in body.split("\n")))
        return "\n".join(blocks)
