"""Clients that ask for anything as anybody, and judge every byte that comes back."""

from __future__ import annotations

import asyncio
import random
import time
import zlib
from collections import Counter
from dataclasses import dataclass, field

from checks.identities.backend import HOW, NOBODY, OF_USERS
from checks.identities.heads import fields_of
from checks.identities.people import HARMLESS, Credential, Crowd, TokenKind

PAGES = 3
MARGIN_S = 0.25
"""Around the end of a token it may count or not: a request takes its time."""
SHOWN = 10
SAME_FOR_ALL = '"the-same-for-all"'
"""The entity tag of a backend that knows no better: who is told that nothing has changed learns nothing by it."""
MOST_TAGS = 256
WAYS = {
    "hit": "; hit",
    "stored": "; stored",
    "collapsed": "; collapsed",
    "stale while revalidated": "=stale-while-revalidate",
    "stale as the backend failed": "=stale-if-error",
    "revalidated": "; fwd-status=304",
    "without an identity": "=no-identity",
}
"""Ways of answering, and what Cache-Status says of them (RFC 9211)."""
MORE_WAYS = ("range", "coded", "not modified")


@dataclass
class Findings:
    """What came back. `own` counts the answers that were made of their askers' letters."""

    exchanges: int = 0
    own: int = 0
    judged_bytes: int = 0
    failed: int = 0
    results: Counter[str] = field(default_factory=Counter[str])
    leaks: list[str] = field(default_factory=list[str])

    def judge(self, asked: str, who: Credential, sent: float, status: int, body: bytes) -> None:
        """See a whole answer to a request that was `sent` then."""
        self.exchanges += 1
        self.judged_bytes += len(body)
        if status > 500:
            self.failed += 1
            return
        letters = set(map(chr, frozenset(body)))
        self.own += who.tenant in letters
        strange = letters - allowed(asked, who, sent)
        if strange and len(self.leaks) < SHOWN:
            self.leaks.append(
                f"{asked} by {who.tenant}{who.user} ({who.kind.value}): {status} with {''.join(sorted(strange))!r}"
            )


def allowed(kind: str, who: Credential, sent: float) -> set[str]:
    """The bytes that an answer may be made of."""
    may = {NOBODY}
    if who.kind not in HARMLESS or sent > who.ends + MARGIN_S:
        return may
    may.add(who.tenant)
    return may | {who.user} if kind in OF_USERS else may


class Asker:
    """One connection, in turn to one node after the other."""

    def __init__(self, ports: list[int], crowd: Crowd, chance: random.Random, findings: Findings) -> None:
        self._ports = ports
        self._crowd = crowd
        self._chance = chance
        self._findings = findings
        self._letters: dict[str, bytes] = {}

    async def run(self, until: int) -> None:
        """Ask until there were so many exchanges, or a leak."""
        findings = self._findings
        while findings.exchanges < until and not findings.leaks:
            port = self._chance.choice(self._ports)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                for _ in range(500):
                    if findings.exchanges >= until or findings.leaks:
                        break
                    if not await self._ask(reader, writer, port):
                        break
            except (ConnectionError, asyncio.IncompleteReadError):
                findings.failed += 1
            finally:
                writer.close()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> bool:
        """One exchange; whether the connection may be used again."""
        chance, now = self._chance, time.time()  # noqa: TID251
        who, draw = self._crowd.one(now), chance.random()
        kind = _page(chance, who)
        method = "PUT" if draw < 0.005 else "HEAD" if draw < 0.05 else "GET"
        kind = "tagged" if method == "PUT" else kind
        tag = chance.choice(tuple(self._letters)) if self._letters and chance.random() < 0.05 else ""
        wishes = f"If-None-Match: {tag}\r\n" if tag else _wishes(chance, who)
        lines = f"Host: 127.0.0.1:{port}\r\n{who.line}{wishes}"
        writer.write(f"{method} /{kind}/{chance.randrange(PAGES)} HTTP/1.1\r\n{lines}\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status, fields = int(head[9:12]), fields_of(head.split("\r\n")[1:])
        body = b"" if method == "HEAD" or status in (204, 304) else await _body(reader, fields)
        self._findings.results.update(_ways(status, fields))
        if status == 304:
            # Whoever is told that a body has not changed knows that this one is his: as good as the body.
            body = self._letters.get(tag, b"")
        elif body and SAME_FOR_ALL[1:-1] not in fields.get("etag", SAME_FOR_ALL):
            self._remember(fields["etag"], body)
        if status != 416:
            self._findings.judge(kind, who, now, status, body)
        return fields.get("connection") != "close"

    def _remember(self, tag: str, body: bytes) -> None:
        if len(self._letters) >= MOST_TAGS:
            self._letters.clear()
        self._letters[tag] = bytes(set(body))


def _page(chance: random.Random, who: Credential) -> str:
    """A kind of page: mostly one where such a credential proves something."""
    kind = chance.choice(tuple(HOW))
    is_known_there = (kind == "asked") is (who.kind is TokenKind.OPAQUE)
    if is_known_there or chance.random() < 0.3:
        return kind
    return "asked" if who.kind is TokenKind.OPAQUE else "plain"


def _wishes(chance: random.Random, who: Credential) -> str:
    """What leads to other ways of answering."""
    start, draw = chance.randrange(700), chance.random()
    wishes = (
        (0.1, f"Range: bytes={start}-{start + 700}\r\n"),
        (0.3, "Accept-Encoding: gzip\r\n"),
        (0.32, "Cache-Control: no-cache\r\n"),
        (0.34, f"Cookie: sid={who.user}\r\n"),
        (0.36, 'If-None-Match: "another"\r\n'),
        (0.38, f"If-None-Match: {SAME_FOR_ALL}\r\n"),
    )
    return next((line for below, line in wishes if draw < below), "")


async def _body(reader: asyncio.StreamReader, fields: dict[str, str]) -> bytes:
    length = fields.get("content-length")
    body = await (_chunks(reader) if length is None else reader.readexactly(int(length)))
    return zlib.decompress(body, wbits=zlib.MAX_WBITS | 32) if fields.get("content-encoding") == "gzip" else body


def _ways(status: int, fields: dict[str, str]) -> list[str]:
    said = fields.get("cache-status", "")
    more = (status == 206, "content-encoding" in fields, status == 304)
    return [way for way, sign in WAYS.items() if sign in said] + [
        way for way, seen in zip(MORE_WAYS, more, strict=True) if seen
    ]


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int((await reader.readline()).strip() or b"0", 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readline()
    return body


def why_meaningless(findings: Findings) -> str | None:
    """What keeps the run from saying anything; None where each way of answering was seen, and one's own came often."""
    missing = [way for way in (*WAYS, *MORE_WAYS) if not findings.results[way]]
    if missing:
        return f"never seen: {', '.join(missing)}"
    if min(findings.results["hit"], findings.own) < findings.exchanges / 5:
        return "too few hits, or too few answers for the one who asks"
    return "too many failures" if findings.failed > findings.exchanges / 100 else None
