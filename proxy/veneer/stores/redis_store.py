"""L2: stored responses in Redis, one hash per key, one round trip per lookup."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from veneer.core import breaker
from veneer.core.entry import CodedBody, Entry
from veneer.core.messages import RequestHead
from veneer.core.rules import CacheRules
from veneer.core.vary import normalise
from veneer.ports import Clock, EvictionListener
from veneer.redis.keys import entry_key
from veneer.redis.script import FAILURES, Argument, RedisCaller, Reply, Script
from veneer.stores.pack import from_bytes, to_bytes
from veneer.troubles import Trouble, Troubles

logger = logging.getLogger(__name__)

_FIND = Script.load("find")
_KEEP = Script.load("keep")
_FORGET = Script.load("forget")
_USUAL_VARY_NAMES = ("accept-encoding", "accept-language")
_MAX_VARY_NAMES = 64
_UNFIT_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class RedisStoreSettings:
    """Bounds. `timeout_s` is for one call; `max_failures` in a row leave Redis alone for `open_s`.

    `max_entry_bytes` is counted after compression.
    """

    timeout_s: float = 0.25
    max_failures: int = 3
    open_s: float = 1.0
    max_entry_bytes: int = 8 * 1024 * 1024
    compress_over_bytes: int = 1024
    max_variants: int = 16
    max_keep_s: float = 30 * 86_400.0


@dataclass(slots=True)
class RedisStoreCounts:
    """What the shared store has done since the start. `skipped` calls were not made: Redis was being left alone."""

    lookups: int = 0
    found: int = 0
    stored: int = 0
    replaced: int = 0
    too_large: int = 0
    damaged: int = 0
    failures: int = 0
    skipped: int = 0


async def _tell_nobody(key: str) -> None:
    """No other node to tell."""


class _Side:
    """Reading or storing: what is in its way, and whether it is tried at all.

    A Redis that is full, or a replica, refuses one and does the other. Forgetting goes with reading: what is still read
    must not be left there because nothing new can be stored.
    """

    def __init__(self, clock: Clock, what: str, so: str) -> None:
        self.breaker = breaker.Breaker()
        self.troubles = Troubles(logger, clock.monotonic, what, so)


class RedisStore:
    """An EntryStore shared by every node on one Redis, Sentinel set or Cluster; each call touches one key.

    Its keys carry the log's `epoch`, so that positions of different epochs never meet, and each has an expiry.
    `announce` tells the other nodes that a key was replaced. A failing Redis is a miss, soon without being asked.
    """

    def __init__(
        self,
        redis: RedisCaller,
        clock: Clock,
        epoch: Callable[[], str],
        settings: RedisStoreSettings | None = None,
        announce: Callable[[str], Awaitable[None]] = _tell_nobody,
    ) -> None:
        self._redis = redis
        self._clock = clock
        self._epoch = epoch
        self._settings = settings or RedisStoreSettings()
        self._announce = announce
        self._vary_names = dict.fromkeys(_USUAL_VARY_NAMES)
        self._reading = _Side(clock, "the shared store", "what it holds is not used")
        self._writing = _Side(clock, "the shared store", "nothing new is stored there")
        self.counts = RedisStoreCounts()

    async def start(self) -> None:
        """Nothing to open: Redis is reached when it is first needed."""

    async def aclose(self) -> None:
        """Nothing to close: the way to Redis belongs to who made it."""

    @property
    def local(self) -> None:
        """Nothing of it is in this process."""

    async def lookup(self, key: str, request: RequestHead, rules: CacheRules) -> Sequence[Entry]:
        """The stored responses under `key` that fit `request`; when none fits some of the others."""
        if not self._epoch():
            return ()
        arguments: list[Argument] = [_UNFIT_BYTES]
        for name in self._vary_names:
            value = normalise(name, request.fields.get(name), rules.codings)
            arguments += [_raw(name), b"-" if value is None else b"=" + _raw(value)]
        reply = await self._call(self._reading, _FIND, key, arguments)
        self.counts.lookups += 1
        entries = [entry for raw in _values(reply) if (entry := await self._read(key, raw)) is not None]
        self.counts.found += bool(entries)
        return sorted(entries, key=lambda entry: (entry.response_time, entry.span is not None), reverse=True)

    def add_listener(self, key: str, entry: Entry, listener: EvictionListener) -> bool:  # noqa: ARG002 - not here
        """False: nothing is held in memory."""
        return False

    async def put(self, key: str, entry: Entry, keep_s: float) -> None:
        """Store `entry` unless it is dead already, or too large: then what it would replace goes."""
        if keep_s <= 0 or not self._epoch() or entry.born.epoch != self._epoch():
            return
        raw = await to_bytes(entry, self._settings.compress_over_bytes)
        if len(raw) > self._settings.max_entry_bytes:
            self.counts.too_large += 1
            raw = b""
        self._learn(entry)
        keep_ms = round(min(keep_s, self._settings.max_keep_s) * 1000)
        names = _raw(",".join(name for name, _ in entry.vary))
        arguments: list[Argument] = [variant_field(entry), names, raw, max(1, keep_ms), self._settings.max_variants]
        replaced = await self._call(self._writing, _KEEP, key, arguments)
        self.counts.stored += 1
        if replaced == 1:
            self.counts.replaced += 1
            await self._announce(key)

    def attach(self, key: str, entry: Entry, coded: CodedBody) -> bool:  # noqa: ARG002 - nothing is kept
        """Nothing: a coded body is cheaper made again than sent to and fro."""
        return False

    def used_since(self, key: str, entry: Entry) -> bool | None:  # noqa: ARG002 - memory holds nothing
        """None: nothing is held in memory."""
        return None

    async def forget(self, key: str, entry: Entry) -> None:
        """Forget `entry`, and tell the other nodes. One that was fetched later, and knows of more events, stays."""
        if self._epoch():
            await self._call(self._reading, _FORGET, key, [variant_field(entry), entry.born.seq])
            await self._announce(key)

    async def _read(self, key: str, raw: bytes) -> Entry | None:
        entry = await from_bytes(raw)
        if entry is None or entry.born.epoch != self._epoch():
            self.counts.damaged += 1
            logger.warning("a stored value cannot be read and counts as a miss: %s", self._name(key))
            return None
        self._learn(entry)
        return entry

    def _learn(self, entry: Entry) -> None:
        """Remember the names that responses vary by, to send their values with a lookup."""
        for name, _ in entry.vary:
            if len(self._vary_names) < _MAX_VARY_NAMES:
                self._vary_names[name] = None

    def _name(self, key: str) -> str:
        digest = hashlib.blake2b(key.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
        return entry_key(self._epoch(), digest)

    async def _call(self, side: _Side, script: Script, key: str, arguments: Sequence[Argument]) -> Reply:
        """Run a script on the key, or None: Redis failed, or has failed too often to be asked just now."""
        if not breaker.admits(side.breaker, self._clock.monotonic()):
            self.counts.skipped += 1
            return None
        side.breaker = breaker.begun(side.breaker)
        try:
            reply = await script.run(self._redis, (self._name(key),), arguments, self._settings.timeout_s)
        except FAILURES as error:
            self._failed(side, error)
            return None
        except BaseException:
            side.breaker = breaker.abandoned(side.breaker)
            raise
        side.breaker = breaker.succeeded()
        side.troubles.over()
        return reply

    def _failed(self, side: _Side, error: BaseException) -> None:
        chosen = self._settings
        self.counts.failures += 1
        side.breaker = breaker.failed(side.breaker, self._clock.monotonic(), chosen.max_failures, chosen.open_s)
        trouble = side.troubles.met(error)
        other = self._writing if side is self._reading else self._reading
        if trouble is Trouble.AWAY and not other.breaker.trying:  # as good as tried
            other.breaker = side.breaker


def variant_field(entry: Entry) -> str:
    """The name of the entry's place in its key's hash: its Vary values, and its part if it is one (see find.lua)."""
    text = "".join(f"{name}{'-' if value is None else '=' + value}\n" for name, value in entry.vary)
    digest = hashlib.sha1(_raw(text), usedforsecurity=False).hexdigest()
    if entry.span is None:
        return digest
    span = entry.span
    asked = hashlib.sha1(_raw(span.asked or ""), usedforsecurity=False).hexdigest()[:8]
    return f"{digest}:{span.first}-{span.last}/{span.complete}:{asked}"


def _raw(text: str) -> bytes:
    return text.encode("latin-1", "backslashreplace")


def _values(reply: Reply) -> list[bytes]:
    return [value for value in reply if isinstance(value, bytes)] if isinstance(reply, list) else []
