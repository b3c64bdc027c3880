"""Clients that come at their own pace, whether or not the earlier ones have been answered, and give up in the end."""

from __future__ import annotations

import asyncio
import gzip
import math
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from itertools import count, cycle

from checks.coherence.http import Connection, Reply
from checks.coherence.ledger import Ledger
from checks.storm.figures import quantile

REGISTERS = 200_000
CODED = "User-Agent: python-requests/2.32.3\r\nAccept-Encoding: gzip, deflate\r\nAccept: */*\r\n"
CODED_BYTES = 2000
"""Long enough to be coded."""
PATIENCE_S = 3.0
"""How long a client waits."""


class Outcome(Enum):
    """How an exchange ended for its client."""

    SERVED = auto()
    """With a success."""
    REFUSED = auto()
    """503 or 429: nothing was done."""
    FAILED = auto()
    """With another status, or the connection's end."""
    GIVEN_UP = auto()
    """The client left after PATIENCE_S."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One exchange; `at_s` is when it began, by the clock of `perf_counter`."""

    at_s: float
    took_s: float
    outcome: Outcome
    hit: bool
    retry_after: bool


@dataclass(slots=True)
class Samples:
    """What a stream of clients has seen."""

    all: list[Sample] = field(default_factory=list[Sample])

    @property
    def began_s(self) -> float:
        """When the first one came."""
        return min((sample.at_s for sample in self.all), default=0.0)

    def since(self, at_s: float) -> Samples:
        """Those that began later."""
        return Samples([sample for sample in self.all if sample.at_s >= at_s])

    def of(self, outcome: Outcome) -> list[Sample]:
        """Those that ended like that."""
        return [sample for sample in self.all if sample.outcome is outcome]

    def share_not_served(self) -> float:
        """Of all; NaN without any."""
        return 1 - len(self.of(Outcome.SERVED)) / len(self.all) if self.all else math.nan

    def hits_percent(self) -> float:
        """How many were answered from the store, of all; NaN without any."""
        return 100 * sum(sample.hit for sample in self.all) / len(self.all) if self.all else math.nan

    def not_served(self) -> int:
        """How many."""
        return len(self.all) - len(self.of(Outcome.SERVED))

    def ms(self, share: float, outcome: Outcome = Outcome.SERVED) -> float:
        """How long `share` of those took at most that ended like that, in ms; NaN without any."""
        return quantile([sample.took_s for sample in self.of(outcome)], share) * 1000


@dataclass(frozen=True, slots=True)
class Ask:
    """What a stream of clients asks for. `registers` is where the numbers of the paths come from."""

    route: str
    registers: Iterable[int]
    query: str = ""
    method: str = "GET"


def ever_new(first: int) -> Iterator[int]:
    """Registers that nobody has asked for."""
    return count(first)


def again(first: int, many: int) -> Iterator[int]:
    """The same few registers for ever."""
    return cycle(range(first, first + many))


def _decoded(reply: Reply) -> Reply:
    """The reply with its body as it was before it was coded. Raises ValueError where that is not what it says."""
    coding = reply.fields.get("content-encoding", "identity")
    if coding == "identity":
        return reply
    if coding != "gzip":
        raise ValueError(f"not asked for: {coding}")
    try:
        return replace(reply, body=gzip.decompress(reply.body))
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError("not gzip") from error


class Crowd:
    """Clients of some ports, in turns. Answers are judged by the ledger of the checker of coherence.

    Connections are kept and used again, as many as are needed at once. With `coded` they take coded answers, and ask
    for some that are long enough for it.
    """

    def __init__(self, ports: Iterable[int], ledger: Ledger, *, coded: bool = False) -> None:
        self._coded = coded
        self._idle: dict[int, list[Connection]] = {port: [] for port in ports}
        self._next_port = cycle(self._idle)
        self._ledger = ledger
        self._wrong_before = len(ledger.violations)

    @property
    def wrong(self) -> int:
        """How many answers were not what these clients had to get."""
        return len(self._ledger.violations) - self._wrong_before

    async def come(self, ask: Ask, rate: float, seconds: float, into: Samples | None = None) -> Samples:
        """`rate` clients a second for so long; returns when the last one has an answer or has left."""
        samples = Samples() if into is None else into
        registers, began = iter(ask.registers), time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in range(round(rate * seconds)):
                await asyncio.sleep(began + number / rate - time.perf_counter())
                group.create_task(self._one(ask, next(registers), samples))
        return samples

    async def once(self, ask: Ask, registers: Iterable[int]) -> Samples:
        """One client after the other for each of the registers: what is to be stored beforehand."""
        samples = Samples()
        for register in registers:
            await self._one(ask, register, samples)
        return samples

    async def _one(self, ask: Ask, register: int, samples: Samples) -> None:
        port = next(self._next_port)
        idle = self._idle[port]
        connection = idle.pop() if idle else Connection(port)
        floor, began = self._ledger.acknowledged[register], time.perf_counter()
        query = "&".join(filter(None, (ask.query, f"bytes={CODED_BYTES}" if self._coded else "")))
        path = f"/{ask.route}/{register}" + (f"?{query}" if query else "")
        reply: Reply | None = None
        outcome = Outcome.FAILED
        try:
            content, fields = b"{}" if ask.method != "GET" else b"", CODED if self._coded else ""
            reply = _decoded(await connection.ask(ask.method, path, content, PATIENCE_S, fields))
        except TimeoutError:
            outcome = Outcome.GIVEN_UP
        except (OSError, EOFError, ValueError):
            pass
        else:
            idle.append(connection)
            outcome = self._judged(ask, register, floor, reply)
        hit = reply is not None and "hit" in reply.cache_status
        retry = reply is not None and "retry-after" in reply.fields
        samples.all.append(Sample(began, time.perf_counter() - began, outcome, hit, retry))

    def _judged(self, ask: Ask, register: int, floor: int, reply: Reply) -> Outcome:
        if reply.status in {429, 503}:
            return Outcome.REFUSED
        if reply.status != 200:
            return Outcome.FAILED
        if ask.method == "GET":
            self._ledger.judge("", f"/{ask.route}/{register}", {register: floor}, reply.body, reply.cache_status)
        else:
            with suppress(ValueError):
                self._ledger.wrote(register, int(reply.body.partition(b"=")[2]))
        return Outcome.SERVED

    def close(self) -> None:
        """Drop all connections."""
        for connections in self._idle.values():
            while connections:
                connections.pop().close()
