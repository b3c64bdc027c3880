"""The whole table of who may share what, on every way by which an answer can reach a second client.

The origin answers everybody with his own page and his own entity tag, whatever it says of the page beside that: so who
gets another's page got it from the cache, and whether he may is what the table says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from itertools import product

import pytest

from checks.conformance.client import Response
from tests.scenarios.dialogue import HANG_UP, Answer, Asked, Dialogue, ago, framed
from veneer.core.sharing import STATED, TABLE, PrivacySignal, Share, Source

POLICIES = """\
version: 1
routes:
  - {name: ttl, match: {path: "/{room}/ttl/{number}"}, cache: {ttl: 1h}}
  - name: windows
    match: {path: "/{room}/windows/{number}"}
    cache: {stale_while_revalidate: 1h, stale_if_error: 1h}
  - name: ttl-windows
    match: {path: "/{room}/ttl-windows/{number}"}
    cache: {ttl: 1h, stale_while_revalidate: 1h, stale_if_error: 1h}
"""
ANN, BOB = "ann", "bob"
FRESH = {
    Source.EXPLICIT: "Cache-Control: max-age=600",
    Source.POLICY: "X-Said: nothing",
    Source.HEURISTIC: f"Last-Modified: {ago(2_000_000)}",
    Source.NONE: "X-Said: nothing",
}
AGED = {Source.EXPLICIT: 1200, Source.POLICY: 4200, Source.HEURISTIC: 87_000, Source.NONE: 1200}
"""Seconds that are past the lifetime, and within the windows of the routes."""
BESIDE = {
    PrivacySignal.NONE: "X-Beside: nothing",
    PrivacySignal.PRIVATE: "Cache-Control: private",
    PrivacySignal.NO_CACHE: "Cache-Control: no-cache",
    PrivacySignal.SET_COOKIE: "Set-Cookie: sid={who}",
}
IN_REQUESTS = (PrivacySignal.NONE, PrivacySignal.AUTHORIZATION, PrivacySignal.COOKIE)


@dataclass(eq=False)
class Case:
    """Ann fetches with `first` beside her request, bob asks with `second`; `beside` is what the response carries."""

    talk: Dialogue
    source: Source
    first: PrivacySignal
    second: PrivacySignal
    beside: PrivacySignal
    path: str
    aged: bool
    error: Answer | None = None
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def ann(self) -> Response:
        """Ann asks."""
        return await self._ask(ANN, self.first)

    async def bob(self) -> Response:
        """Bob asks."""
        return await self._ask(BOB, self.second)

    async def _ask(self, who: str, signal: PrivacySignal) -> Response:
        credentials = {
            PrivacySignal.AUTHORIZATION: f"Authorization: {who}",
            PrivacySignal.COOKIE: f"Cookie: sid={who}",
        }.get(signal)
        fields = (f"X-Who: {who}", *([credentials] if credentials else []))
        return await self.talk.ask(f"GET {self.path}", *fields, client=self.talk.client())

    def page(self, asked: Asked) -> Answer:
        """The origin's answer."""
        who = asked.lines.get("X-Who") or ""
        tag = f'"{who}"'
        if self.error is not None and who == BOB:
            return self.error
        said = "\n".join(
            [
                FRESH[self.source],
                BESIDE[self.beside].format(who=who),
                *([f"Age: {AGED[self.source]}"] if self.aged else []),
            ]
        )
        status = "304" if tag in (asked.lines.get("If-None-Match") or "") else "200"
        raw = framed(f"{status}\n{said}\nETag: {tag}\n\n{who}")
        return [self.gate, raw] if who == ANN else raw

    def is_shareable(self) -> bool:
        """What the table says."""
        if self.beside is not PrivacySignal.NONE or self.source is Source.NONE:
            return False
        row = TABLE[self.source]
        # Section 3.5 of RFC 9111 is about what was asked for with Authorization, not about who is given it.
        return row[self.first] is Share.YES and row[self.second] in (Share.YES, Share.DECLARED)


async def again(case: Case) -> list[Response]:
    """One after the other; often enough for the fast path."""
    case.gate.set()
    await case.ann()
    return [await case.bob() for _ in range(4)]


async def together(case: Case) -> list[Response]:
    """Bob asks while ann's answer is awaited."""
    ann = asyncio.gather(case.ann())
    await case.talk.reached_path(case.path)
    bob = asyncio.gather(case.bob())
    await asyncio.sleep(0.2)  # nothing tells that he waits; if he comes later he is answered the same
    case.gate.set()
    await ann
    return list(await bob)


async def failing(case: Case) -> list[Response]:
    """The origin has nothing but errors for bob."""
    case.error = "503\n\nsorry"
    return await again(case)


async def away(case: Case) -> list[Response]:
    """The origin cannot be reached for bob."""
    case.error = HANG_UP
    return await again(case)


@dataclass(frozen=True, slots=True)
class Way:
    """How an answer might reach a second client; `stale` extends only what somebody stated to be fresh."""

    name: str
    go: Callable[[Case], Awaitable[list[Response]]]
    windows: bool = False
    aged: bool = False
    extends: bool = False


WAYS = [
    Way("stored", again),
    Way("collapsed", together),
    Way("revalidated", again, aged=True),
    Way("stale while revalidate", again, windows=True, aged=True, extends=True),
    Way("stale, collapsed", together, windows=True, aged=True, extends=True),
    Way("stale if error", failing, windows=True, aged=True, extends=True),
    Way("stale on disconnect", away, aged=True, extends=True),
    Way("away, with windows", away, windows=True, aged=True, extends=True),
]


def _cases(talk: Dialogue, source: Source, way: Way) -> Iterator[Case]:
    route = "-".join([*(["ttl"] if source is Source.POLICY else []), *(["windows"] if way.windows else [])])
    every = product(IN_REQUESTS, IN_REQUESTS, BESIDE)
    for number, (first, second, beside) in enumerate(every):
        yield Case(talk, source, first, second, beside, f"/{route or 'plain'}/{number}", way.aged)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
@pytest.mark.parametrize("source", Source, ids=lambda source: source.value)
async def test_nobody_gets_what_the_table_does_not_give_him(talk: Dialogue, source: Source, way: Way) -> None:
    cases = {case.path: case for case in _cases(talk, source, way)}
    talk.answered_by = lambda asked: cases[asked.path].page(asked)
    answered = await asyncio.gather(*[way.go(case) for case in cases.values()])
    shared = 0
    for case, responses in zip(cases.values(), answered, strict=True):
        what = (case.first, case.second, case.beside)
        may = case.is_shareable() and (not way.aged or (way.extends and source in STATED))
        texts = [response.text() for response in responses]
        if not may:
            assert ANN not in texts, (what, texts)
        elif way.go is not together:
            assert texts[0] == ANN, (what, texts, responses[0].lines.get("Cache-Status"))
            shared += 1
    if source in STATED and way.go is not together and way.name != "revalidated":
        assert shared, "nothing was shared at all: the test would pass without a cache"
