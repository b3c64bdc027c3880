"""The log's calls to Redis: scripts with a short bound, and one long read on a connection of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from veneer.core.invalidation import Invalidation
from veneer.loop.tasks import Tasks
from veneer.ports import SourceMoment
from veneer.redis.keys import LogKeys
from veneer.redis.line import Dial, GatheringConnection
from veneer.redis.script import FAILURES, Argument, Reply, Script
from veneer.redis.wire import command
from veneer.stores.events import Appended, Claimed, Renewal, encode_event, parse_appended, parse_claimed, parse_renewal
from veneer.stores.log_reader import Applied, Known, LogReader, OnBatch
from veneer.stores.open_writes import NO_WRITE, WriteReport
from veneer.stores.published import OnAcknowledgement, OnEvent, hear_published
from veneer.stores.skew import ClockSkew

logger = logging.getLogger(__name__)
_RENEW = Script.load("state", "renew")
_APPEND = Script.load("state", "append")
_CLAIM = Script.load("state", "claim")
_LEAVE = Script.load("leave")
_EVERYTHING = encode_event(Invalidation(everything=True))
_NOTICES_KEPT = 10_000

OnAppended = Callable[[Appended | Exception], None]
"""Called once with where events were placed, or one of FAILURES: they may or may not have been."""


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """What every node on one log has to agree on, `lease_s`, and this node's bounds.

    The log keeps about `events_kept` events, and of large ones about `bytes_kept` (never less than half of that).
    `replay` is the number of past events that a newcomer reads, at most 4 MB of them; older entries are dead to it.
    """

    lease_s: float = 2.0
    events_kept: int = 100_000
    bytes_kept: int = 64 * 1024 * 1024
    replay: int = 10_000
    catch_up: int = 1_000
    timeout_s: float = 0.75
    block_s: float = 1.0


class LogLink:
    """One node's calls. Every method raises one of `script.FAILURES` when Redis cannot be reached or understood.

    It has two connections of its own: one for commands, and one for the long read.
    """

    def __init__(self, dial: Dial, node: str, settings: LinkSettings, tasks: Tasks, skew: ClockSkew) -> None:
        self._line = GatheringConnection(dial, tasks)
        self.node = node
        self._settings = settings
        self._skew = skew
        self._keys = LogKeys()
        self._dial = dial
        self._reader = LogReader(dial, self._keys, node, settings.block_s, settings.timeout_s)

    @property
    def lease_s(self) -> float:
        """How long what this node is granted lasts."""
        return self._settings.lease_s

    def _arguments(self) -> list[str | bytes | int]:
        chosen = self._settings
        nonce = f"{self.node[-6:]}"
        lease_ms = round(chosen.lease_s * 1000)
        return [self.node, lease_ms, nonce, chosen.events_kept, _EVERYTHING, chosen.bytes_kept]

    async def _run(self, script: Script, keys: Sequence[str], arguments: Sequence[Argument]) -> Reply:
        return await script.run(self._line, keys, arguments, self._settings.timeout_s)

    async def renew(self, epoch: str, applied: int, writes: WriteReport = NO_WRITE) -> Renewal:
        """Renew this node's lease; the answer holds events after `applied` of `epoch`, or for a newcomer the last.

        `writes` is what the others have to know of this node's writes, should it vanish.
        """
        chosen = self._settings
        told = (writes.telling, round(writes.settles_s * 1000))
        arguments = [*self._arguments(), epoch, applied, chosen.catch_up, chosen.replay, *told]
        sent_s = self._skew.now()
        reply = await self._run(_RENEW, self._log_keys(), arguments)
        received_s = self._skew.now()
        renewal = parse_renewal(reply)
        self._skew.measured(sent_s, renewal.redis_ms, received_s)
        if self._reader.decoder.notices_at is None:
            self._reader.decoder.notices_at = f"{renewal.redis_ms}-0"
        return renewal

    async def claim(self, source: str, lasts_s: float, as_of: SourceMoment | None = None) -> Claimed:
        """Take the right to read a source of changes for so long, or with 0 give it back (claim.lua)."""
        told: tuple[str | int, ...] = ("", "", "", "")
        if as_of is not None:
            told = ("" if as_of.ms is None else as_of.ms, as_of.position, as_of.clock, as_of.origin)
        arguments = [*self._arguments(), source, round(lasts_s * 1000), *told]
        return parse_claimed(await self._run(_CLAIM, self._log_keys(), arguments))

    def append(self, events: Sequence[tuple[Invalidation, bool, float]], on_appended: OnAppended) -> None:
        """Put events into the order, one after the other; what `on_appended` gets holds the position of the last.

        With True beside an event the other nodes will say when they have applied it; what it names is held for the
        seconds beside that. They leave at once: writers wait.
        """
        arguments = self._arguments()
        for event, acknowledge, hold_s in events:
            arguments += [encode_event(event), self.node if acknowledge else "", round(hold_s * 1000)]

        def answered(reply: Reply | Exception) -> None:
            on_appended(reply if isinstance(reply, Exception) else _appended(reply))

        _APPEND.call(self._line, self._log_keys(), arguments, self._settings.timeout_s, answered)
        self._line.calls.leave()

    def _log_keys(self) -> tuple[str, ...]:
        return (self._keys.state, self._keys.stream, self._keys.holds)

    async def leave(self) -> None:
        """Say good-bye."""
        await self._run(_LEAVE, (self._keys.state,), [self.node])

    def acknowledge(self, told: Applied) -> None:
        """Tell the writers without waiting for Redis: who hears nothing waits for this node's lease."""
        try:
            self._say(told.commands(self._keys, self.node))
        except FAILURES as error:
            logger.debug("acknowledging failed: %r", error)

    def announce(self, key: str, *, released: bool = False) -> None:
        """Tell the other nodes that `key` was replaced, or its lock released. It has no position, and may be lost."""
        name = "t" if released else "k"
        words = ("XADD", self._keys.notices, "MAXLEN", "~", _NOTICES_KEPT, "*", "n", self.node, name, key)
        self._say([command(*words)])

    def _say(self, commands: Sequence[bytes]) -> None:
        wire = self._line.wire
        if wire is not None and commands:
            wire.say(b"".join(commands), *(_whatever,) * len(commands))

    async def listen(self, start: Applied, hear: OnBatch, known: Known) -> None:
        """Read events, acknowledgements and notices from `start` on, until `hear` says None."""
        await self._reader.listen(start, hear, known)

    async def hear_published(self, on_event: OnEvent, on_acknowledgement: OnAcknowledgement) -> None:
        """Hear events and acknowledgements as they are published, until the connection fails."""
        await hear_published(self._dial, self._keys, self.node, (on_event, on_acknowledgement))

    def close(self) -> None:
        """Close the connections."""
        self._line.close()


def _appended(reply: Reply) -> Appended | Exception:
    try:
        return parse_appended(reply)
    except FAILURES as error:
        return error


def _whatever(reply: Reply | Exception) -> None:
    if isinstance(reply, Exception):
        logger.debug("what nobody waits for was not done: %r", reply)
