"""Where a case plays: a directory, backends, what stands before them, clients, and the figures that come of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from checks.coherence.ledger import Ledger
from checks.storm.figures import Bar, Figure
from checks.storm.load import REGISTERS, Crowd
from checks.storm.servers import BY_DEFAULT, Backend, Contender, Listening, Setting, Veneer, peers_there
from devstack.redis import RedisServer
from devstack.redis_sets import SentinelSet


@dataclass(slots=True)
class Stage:
    """Everything that the cases need. `seconds` is about how long each of their measurements lasts.

    With `coded` clients take coded answers, and with `redis_url` each Veneer that has no Redis shares that one, by
    two workers. `requests` is how many a case makes that has to show what becomes of very many; 0 for what fits into
    the time.
    """

    directory: Path
    seconds: float
    peers: bool = True
    requests: int = 0
    coded: bool = False
    redis_url: str | None = None
    ledger: Ledger = field(default_factory=lambda: Ledger(REGISTERS))
    figures: list[Figure] = field(default_factory=list[Figure])
    case: str = ""
    _made: int = 0

    @contextmanager
    def playing(self, case: str) -> Iterator[None]:
        """Name the case, for the figures and the ledger. Each begins with registers at nought."""
        self.case = case
        self.ledger.acknowledged = [0] * REGISTERS
        self.ledger.begin(case)
        yield

    @asynccontextmanager
    async def backends(self, count: int = 1, under: tuple[str, ...] = ()) -> AsyncIterator[list[Backend]]:
        """That many backends, well and running, each started by the command `under`."""
        async with AsyncExitStack() as stack:
            backends = [Backend(self.place(), number, under) for number in range(count)]
            for backend in backends:
                stack.push_async_callback(asyncio.to_thread, backend.stop)
                await asyncio.to_thread(backend.start)
            yield backends

    @asynccontextmanager
    async def redis(self, *extra_args: str) -> AsyncIterator[RedisServer]:
        """A Redis, empty and running."""
        server = RedisServer(self.place(), extra_args=extra_args)
        await asyncio.to_thread(server.start)
        try:
            yield server
        finally:
            await asyncio.to_thread(server.stop)

    @asynccontextmanager
    async def watched_redis(self) -> AsyncIterator[SentinelSet]:
        """A master, its replica, and Sentinels that watch them."""
        watched = SentinelSet(self.place())
        try:
            await asyncio.to_thread(watched.start)
            yield watched
        finally:
            await asyncio.to_thread(watched.stop)

    def veneer(self, backends: Sequence[Listening], setting: Setting = BY_DEFAULT) -> Veneer:
        """Veneer before these backends."""
        if self.redis_url is not None and setting.redis_urls == BY_DEFAULT.redis_urls:
            setting = replace(setting, redis_urls=(self.redis_url,), workers=2)
        return Veneer([backend.port for backend in backends], self.place(), setting)

    def contenders(self, backends: Sequence[Listening], setting: Setting = BY_DEFAULT) -> list[Contender]:
        """Veneer first, then the peers where they are asked for; none of them has been started."""
        targets = [backend.port for backend in backends]
        peers = [peer(targets, self.place(), setting) for peer in peers_there()] if self.peers else []
        return [self.veneer(backends, setting), *peers]

    @asynccontextmanager
    async def before(self, backends: Sequence[Backend], contender: Contender) -> AsyncIterator[Crowd]:
        """Start the contender before backends that are started anew; the clients that come to it.

        What others have given up is worked on for long: nobody is to find it there.
        """
        for backend in backends:
            await asyncio.to_thread(backend.stop)
            await asyncio.to_thread(backend.start)
        await asyncio.to_thread(contender.start)
        # What others serve is not ours to judge.
        ledger = self.ledger if isinstance(contender, Veneer) else Ledger(REGISTERS)
        crowd = Crowd(contender.ports, ledger, coded=self.coded)
        try:
            yield crowd
        finally:
            crowd.close()
            await asyncio.to_thread(contender.stop)

    def note(self, contender: Contender, name: str, value: float, bar: Bar | None = None) -> None:
        """Keep a figure. Only ours is held to a bar."""
        held = bar if isinstance(contender, Veneer) else None
        self.figures.append(Figure(self.case, contender.name, name, value, held))

    def place(self) -> Path:
        """A new directory."""
        self._made += 1
        place = self.directory / str(self._made)
        place.mkdir()
        return place
