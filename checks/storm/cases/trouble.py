"""A backend that hangs, comes and goes, is cut off, drips, breaks off, or says that it is busy."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Final

from checks.relay import Relay, relay
from checks.storm.backend import Mode
from checks.storm.figures import at_most
from checks.storm.load import Ask, again, ever_new
from checks.storm.servers import Backend, Listening, Setting
from checks.storm.stage import Stage
from veneer.loop.tasks import Tasks

KEPT = Ask("kept", again(1, 20), "control=max-age%3D3600")
STALE = Ask("stale", again(101, 20), "control=max-age%3D1,%20stale-if-error%3D600")
NEW = Ask("new", ever_new(1000))
READ_TIMEOUT_S: Final = 1
FLAPS_S = 0.7

Trouble = Callable[[Backend], AbstractAsyncContextManager[None]]


def mode(mode: Mode) -> Trouble:
    """It is told to be like that."""

    @asynccontextmanager
    async def trouble(backend: Backend) -> AsyncIterator[None]:
        await backend.become(mode)
        yield

    return trouble


@asynccontextmanager
async def stopped(backend: Backend) -> AsyncIterator[None]:
    """It stands still: the system accepts connections for it, and nobody reads them."""
    backend.signal_all(signal.SIGSTOP)
    try:
        yield
    finally:
        backend.signal_all(signal.SIGCONT)


@asynccontextmanager
async def gone(backend: Backend) -> AsyncIterator[None]:
    """It has been killed, and its port refuses."""
    await asyncio.to_thread(backend.stop)
    yield


@asynccontextmanager
async def flapping(backend: Backend) -> AsyncIterator[None]:
    """It is killed, comes back, and is killed again."""

    async def flap() -> None:
        while True:
            backend.crash()
            await asyncio.sleep(FLAPS_S)

    tasks = Tasks()
    tasks.start(flap(), "flapping")
    try:
        yield
    finally:
        await tasks.aclose()


@asynccontextmanager
async def swallowed(between: Relay) -> AsyncIterator[None]:
    """A black hole: connections are taken, and nothing that is said on them arrives."""
    between.swallow()
    try:
        yield
    finally:
        between.mend()


@asynccontextmanager
async def forgotten(between: Relay) -> AsyncIterator[None]:
    """The connections that there are have become half-open; new ones are as ever."""
    between.forget()
    yield


async def beside(stage: Stage, trouble: Trouble, *, whole_answers: bool = True) -> None:
    """What is stored is served meanwhile, fresh or, where an error allows it, stale.

    Where the head of an answer comes in time and its body does not, stale responses do not help any more:
    `whole_answers` is false.
    """
    async with stage.backends() as (backend,):
        await _beside(stage, backend, backend, partial(trouble, backend), whole_answers=whole_answers)


async def beyond(stage: Stage, trouble: Callable[[Relay], AbstractAsyncContextManager[None]]) -> None:
    """The same, where the trouble is on the way to the backend."""
    async with stage.backends() as (backend,), relay(backend.port) as between:
        await _beside(stage, backend, between, partial(trouble, between))


async def _beside(
    stage: Stage,
    backend: Backend,
    front: Listening,
    trouble: Callable[[], AbstractAsyncContextManager[None]],
    *,
    whole_answers: bool = True,
) -> None:
    for contender in stage.contenders([front], Setting(READ_TIMEOUT_S)):
        async with stage.before([backend], contender) as crowd:
            await crowd.once(KEPT, range(1, 21))
            await crowd.once(STALE, range(101, 121))
            calm = await crowd.come(KEPT, 100, 2)
            async with trouble():
                hits, stale, new = await asyncio.gather(
                    crowd.come(KEPT, 100, stage.seconds),
                    crowd.come(STALE, 20, stage.seconds),
                    crowd.come(NEW, 20, stage.seconds),
                )
        stage.note(contender, "hits not served", hits.not_served(), at_most(0))
        stage.note(contender, "hits p99, ms", hits.ms(0.99), at_most(5))
        stage.note(contender, "hits p99 : calm p99", hits.ms(0.99) / calm.ms(0.99))
        bar = at_most(0) if whole_answers else None
        stage.note(contender, "stale ones not served, %", 100 * stale.share_not_served(), bar)
        stage.note(contender, "new ones not served, %", 100 * new.share_not_served())
        stage.note(contender, "wrong answers", crowd.wrong, at_most(0))
