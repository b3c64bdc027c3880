"""The log's calls to Redis: scripts with a short bound, and one long read on a connection of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from redis import asyncio as aioredis

from proxy.core.invalidation import Invalidation
from proxy.stores.connect import RedisClient, disconnect
from proxy.stores.events import (
    Appended,
    LogEvent,
    Renewal,
    encode_event,
    log_event,
    parse_appended,
    parse_renewal,
)
from proxy.stores.patience import Patience
from proxy.stores.script import Script

_RENEW = Script.load("state", "renew")
_APPEND = Script.load("state", "append")
_LEAVE = Script.load("leave")
_EVERYTHING = encode_event(Invalidation(everything=True))
_READ_AT_MOST = 100
_INBOX_KEEPS = 1000
_NOTICES_KEPT = 10_000
_INBOX_EXPIRES_MS = 60_000


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """What every node on one log has to agree on, `prefix` and `lease_s`, and this node's bounds.

    `ghost_s` is how long a write sent by a node that vanished may still take: the backend's longest time for one.
    The log keeps about `events_kept` events, and of large ones about `octets_kept` (never less than half of that).
    `replay` is the number of past events that a newcomer reads, at most 4 MB of them; older entries are dead to it.
    """

    prefix: str = "veneer"
    lease_s: float = 2.0
    events_kept: int = 100_000
    octets_kept: int = 64 * 1024 * 1024
    replay: int = 10_000
    catch_up: int = 1_000
    ghost_s: float = 30.0
    timeout_s: float = 0.75
    block_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """`node` has applied everything up to (epoch_ms, seq)."""

    node: str
    epoch_ms: int
    seq: int


@dataclass(frozen=True, slots=True)
class Notice:
    """`node` has replaced what the shared store holds under `key`, or with `turn`, its turn to fetch that is over."""

    node: str
    key: str
    turn: bool = False


@dataclass(slots=True)
class Heard:
    """What one read brought."""

    events: list[LogEvent] = field(default_factory=list)
    acknowledgements: list[Acknowledgement] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)


class LogLink:
    """One node's calls. Every method raises one of `script.FAILURES` when Redis cannot be reached or understood.

    All keys share one hash tag, so they lie in one slot of a Cluster.
    """

    def __init__(self, commands: RedisClient, reader: RedisClient, node: str, settings: LinkSettings) -> None:
        self._commands = commands
        self._reader = reader
        self.node = node
        self._settings = settings
        root = f"{{{settings.prefix}}}"
        self._state, self._stream, self._notices = f"{root}:state", f"{root}:log", f"{root}:notices"
        self._inboxes = f"{root}:in:"
        self._inbox_at = "0-0"
        self._notices_at: str | None = None

    def _arguments(self) -> list[str | bytes | int]:
        chosen = self._settings
        nonce = f"{self.node[-6:]}"
        lease_ms, ghost_ms = round(chosen.lease_s * 1000), round(chosen.ghost_s * 1000)
        return [self.node, lease_ms, nonce, chosen.events_kept, _EVERYTHING, ghost_ms, chosen.octets_kept]

    async def renew(self, epoch: str, applied: int) -> Renewal:
        """Renew this node's lease; the answer holds events after `applied` of `epoch`, or for a newcomer the last."""
        chosen = self._settings
        arguments = [*self._arguments(), epoch, applied, chosen.catch_up, chosen.replay]
        keys = (self._state, self._stream)
        renewal = parse_renewal(await _RENEW.run(self._commands, keys, arguments, chosen.timeout_s))
        if self._notices_at is None:
            self._notices_at = f"{renewal.redis_ms}-0"
        return renewal

    async def append(self, events: Sequence[tuple[Invalidation, bool]]) -> Appended:
        """Put events into the order, one after the other; the answer holds the position of the last.

        With True beside an event the other nodes will say when they have applied it.
        """
        arguments = self._arguments()
        for event, acknowledge in events:
            arguments += [encode_event(event), self.node if acknowledge else ""]
        keys = (self._state, self._stream)
        return parse_appended(await _APPEND.run(self._commands, keys, arguments, self._settings.timeout_s))

    async def leave(self) -> None:
        """Say good-bye."""
        await _LEAVE.run(self._commands, (self._state,), [self.node], self._settings.timeout_s)

    async def acknowledge(self, writers: Mapping[str, int], epoch_ms: int) -> None:
        """Tell each writer the last position of this node."""
        async with Patience(self._settings.timeout_s):
            pipeline = self._commands.pipeline(transaction=False)
            for writer, seq in writers.items():
                inbox = self._inboxes + writer
                fields: dict[Any, Any] = {"n": self.node, "p": f"{epoch_ms}-{seq}"}
                pipeline.xadd(inbox, fields, maxlen=_INBOX_KEEPS, approximate=True)
                pipeline.pexpire(inbox, _INBOX_EXPIRES_MS)
            await pipeline.execute()

    async def announce(self, key: str, *, turn: bool = False) -> None:
        """Tell the other nodes that `key` was replaced, or a turn is over. It has no position, and may be lost."""
        fields: dict[Any, Any] = {"n": self.node, "t" if turn else "k": key}
        async with Patience(self._settings.timeout_s):
            await self._commands.xadd(self._notices, fields, maxlen=_NOTICES_KEPT, approximate=True)

    async def read(self, epoch_ms: int, applied: int) -> Heard:
        """Wait, at most `block_s`, for events after `applied`, acknowledgements and notices."""
        inbox = self._inboxes + self.node
        chosen = self._settings
        command: list[str | int] = ["XREAD", "COUNT", _READ_AT_MOST, "BLOCK", round(chosen.block_s * 1000), "STREAMS"]
        command += [self._stream, inbox, self._notices]
        command += [f"{epoch_ms}-{applied}", self._inbox_at, self._notices_at or "$"]
        async with Patience(chosen.block_s + chosen.timeout_s):
            reply = await self._execute_read(command)
        heard = Heard()
        for name, items in reply or []:
            for place, fields in items:
                self._sort(heard, name.decode(), place.decode(), fields)
        return heard

    async def _execute_read(self, command: list[str | int]) -> Any:
        if isinstance(self._reader, aioredis.RedisCluster):
            # XREAD names its keys late in the command: the client would ask the server where they are each time.
            await self._reader.initialize()
            node = self._reader.get_node_from_key(self._stream)
            return await self._reader.execute_command(*command, target_nodes=node)
        return await self._reader.execute_command(*command)  # type: ignore[no-untyped-call]

    def _sort(self, heard: Heard, stream: str, place: str, fields: Mapping[bytes, bytes]) -> None:
        node = fields.get(b"n", b"").decode("utf-8", "replace")
        if stream == self._stream:
            heard.events.append(log_event(place, fields.get(b"e"), fields.get(b"w")))
        elif stream == self._notices:
            self._notices_at = place
            if node != self.node:
                turn = fields.get(b"t")
                key = fields.get(b"k", b"") if turn is None else turn
                heard.notices.append(Notice(node, key.decode("utf-8", "surrogateescape"), turn is not None))
        else:
            self._inbox_at = place
            epoch_ms, _, seq = fields.get(b"p", b"").partition(b"-")
            if epoch_ms.isdigit() and seq.isdigit():
                heard.acknowledgements.append(Acknowledgement(node, int(epoch_ms), int(seq)))

    async def aclose(self) -> None:
        """Close the reader's connection; the client for commands belongs to who made it."""
        await disconnect(self._reader)
