"""What Redis publishes of the log: the same events and acknowledgements, for nodes to which the long read is late.

The long read (stores.log_reader) brings everything, but each of its answers has to be followed by another question,
and what comes meanwhile waits for it: up to a round trip at the node that is to apply an event, and once more at the
writer. Where memory is full Redis takes no acknowledgement for it at all. What is published waits for nobody. It may be
lost, which costs time and nothing else: an event that does not follow the last one applied is left to the long read.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from veneer.redis.keys import LogKeys
from veneer.redis.line import Dial
from veneer.redis.patience import LagTolerantTimeout
from veneer.redis.script import FAILURES
from veneer.redis.wire import RedisConnection
from veneer.stores.events import LogEvent, log_event

logger = logging.getLogger(__name__)

FAR_S: Final = 0.005
"""A round trip from which on it is worth a connection."""
_SAMPLES: Final = 2
_PING_S: Final = 5.0
"""How often the connection is tried, and how long after a failure another one."""
_SILENCE_S: Final = 2.0

OnEvent = Callable[[LogEvent], None]
OnAcknowledgement = Callable[[str, int, int], None]
"""Gets a node, and the epoch's number and the position up to which it has applied the log."""


class PublishingLink(Protocol):
    """The log's link, as far as it hears what is published."""

    async def hear_published(self, on_event: OnEvent, on_acknowledgement: OnAcknowledgement) -> None:
        """Hear until the connection fails. Raises one of `script.FAILURES`."""
        ...


class PublishedLog:
    """Listens from when Redis was far away (`measured` is told of round trips), or an acknowledgement was `missed`."""

    def __init__(self, link: PublishingLink, on_event: OnEvent, on_acknowledgement: OnAcknowledgement) -> None:
        self._link = link
        self._on_event = on_event
        self._on_acknowledgement = on_acknowledgement
        self._took_s: deque[float] = deque(maxlen=_SAMPLES)
        self._wanted = asyncio.Event()

    def measured(self, took_s: float) -> None:
        """A call took so long: from the second far one on it listens. Once it does, it goes on."""
        self._took_s.append(took_s)
        if len(self._took_s) == _SAMPLES and min(self._took_s) >= FAR_S:
            self._wanted.set()

    def missed(self, nodes: Sequence[str]) -> None:
        """The leases of these nodes had to run out, as they were not heard; one without a name never says anything."""
        if any(nodes):
            self._wanted.set()

    async def listen(self) -> None:
        """Listen whenever it is worth it, for ever."""
        while True:
            await self._wanted.wait()
            try:
                await self._link.hear_published(self._on_event, self._on_acknowledgement)
            except FAILURES as error:
                logger.debug("what the log publishes is not heard: %r", error)
            self._wanted.clear()
            await asyncio.sleep(_PING_S)


async def hear_published(
    dial: Dial, keys: LogKeys, node: str, listeners: tuple[OnEvent, OnAcknowledgement], ping_s: float = _PING_S
) -> None:
    """Subscribe on a connection of its own, and hear until it fails. Raises one of `script.FAILURES`."""
    on_event, on_acknowledgement = listeners
    stream, inbox = keys.stream.encode(), keys.inbox(node).encode()

    def published(channel: bytes, payload: bytes) -> None:
        try:
            if channel == stream:
                on_event(published_event(payload))
            elif channel == inbox:
                on_acknowledgement(*published_acknowledgement(payload))
        except ValueError as error:
            logger.debug("what was published is not understood: %r", error)

    async with LagTolerantTimeout(_SILENCE_S):
        wire = await dial()
    try:
        wire.on_published = published
        for channel in (stream, inbox):
            await _ask(wire, "SUBSCRIBE", channel)
        while True:
            await asyncio.sleep(ping_s)
            await _ask(wire, "PING")
    finally:
        wire.drop()


async def _ask(wire: RedisConnection, *words: str | bytes) -> None:
    async with LagTolerantTimeout(_SILENCE_S):
        await wire.ask(*words)


def published_event(payload: bytes) -> LogEvent:
    """An event from the lines that state.lua publishes; the last holds it, whatever is in it. Raises ValueError."""
    place, writer, mark, value, raw = payload.split(b"\n", 4)
    return log_event(place.decode(), {"w": writer, mark.decode("latin-1"): value, "e": raw})


def published_acknowledgement(payload: bytes) -> tuple[str, int, int]:
    """What `log_reader.Applied` publishes. Raises ValueError."""
    node, place = payload.split(b"\n")
    epoch_ms, seq = place.split(b"-")
    return node.decode(), int(epoch_ms), int(seq)
