"""Storing in the shared store, and forgetting: in order for each key, bounded, while nobody has to wait."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from typing import Final

from veneer.core.entry import Entry
from veneer.core.remembered import memoised
from veneer.core.vary import Variant
from veneer.redis.script import Argument, OnReply, Reply, Script
from veneer.redis.wire import refusal
from veneer.stores.held_lock import HeldLock
from veneer.stores.key_order import KeyOrder
from veneer.stores.redis_access import RedisAccess
from veneer.stores.redis_finder import raw_text

_KEEP: Final = Script.load("releasing", "keep")
_FORGET: Final = Script.load("forget")


class RedisWriter:
    """What is on its way to Redis. `announce` tells the other nodes that a key was replaced."""

    def __init__(self, access: RedisAccess, announce: Callable[[str], None]) -> None:
        self._access = access
        self._announce = announce
        self._bytes = 0
        self.order = KeyOrder()

    @property
    def full(self) -> bool:
        """Whether so much is on its way that nothing more is taken."""
        chosen = self._access.settings
        return len(self.order) >= chosen.max_storing or self._bytes >= chosen.max_storing_bytes

    def put(self, key: str, entry: Entry, raw: bytes, keep_ms: int, held: HeldLock | None) -> None:
        """Store `raw`, the bytes of `entry`; empty, they take away what it would replace. `held` is given back."""
        size = len(raw)
        self._bytes += size

        def stored(reply: Reply | Exception) -> None:
            self._bytes -= size
            self._stored(key, entry, held, reply)
            self.order.done(key)

        self.order.add(key, lambda: self._keep(key, entry, raw, keep_ms, held, stored))

    def _keep(self, key: str, entry: Entry, raw: bytes, keep_ms: int, held: HeldLock | None, stored: OnReply) -> None:
        access = self._access
        names = raw_text(",".join([name for name, _ in entry.vary]))
        keys: tuple[str, ...] = (access.name(key, entry.born.epoch),)
        lock: tuple[Argument, ...] = ("", 0, "")
        if held is not None and held.attempt.key == key:
            keys += (held.attempt.name,)
            lock = (held.attempt.token, held.remembered_ms, names)
        arguments = (variant_field(entry), names, raw, keep_ms, access.settings.max_variants, *lock)
        access.writing.begin()
        _KEEP.call(access.redis, keys, arguments, access.settings.timeout_s, stored)

    def _stored(self, key: str, entry: Entry, held: HeldLock | None, reply: Reply | Exception) -> None:
        """Redis has stored it, or could not: who has what was replaced, or waits for the lock, is told."""
        access = self._access
        replaced, waiting = _kept(reply)
        kept = not isinstance(replaced, Exception)
        if isinstance(replaced, Exception):
            access.failed(access.writing, replaced)
        else:
            access.writing.succeeded()
            access.counts.stored += 1
            if replaced == 1:
                access.counts.replaced += 1
                self._announce(key)
        if held is None:
            return
        varies = [name for name, _ in entry.vary]
        if held.attempt.key != key:  # in another slot: the response says that more requests are alike than was known
            held.unlock(stored=kept, varies=varies)
        elif waiting > 0:
            held.announce(stored=kept, varies=varies)

    async def forget(self, key: str, entry: Entry) -> None:
        """Forget `entry` unless a later one has its place, and tell the other nodes."""
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.order.add(key, lambda: self._forget(key, entry, over))
        await over
        self._announce(key)

    def _forget(self, key: str, entry: Entry, over: asyncio.Future[None]) -> None:
        access = self._access

        def done() -> None:
            self.order.done(key)
            if not over.done():
                over.set_result(None)

        def forgotten(reply: Reply | Exception) -> None:
            if isinstance(reply, Exception):
                access.failed(access.reading, reply)
            else:
                access.reading.succeeded()
            done()

        if not access.admits(access.reading):
            done()
            return
        access.reading.begin()
        arguments: tuple[Argument, ...] = (variant_field(entry), entry.born.seq)
        _FORGET.call(access.redis, (access.name(key),), arguments, access.settings.timeout_s, forgotten)


def _kept(reply: Reply | Exception) -> tuple[Exception | int, int]:
    """Whether something was replaced, or why nothing was stored; and how many wait for the lock."""
    if isinstance(reply, Exception):
        return reply, 0
    if isinstance(reply, list) and len(reply) == 2:
        replaced, waiting = reply
        if isinstance(waiting, int):
            if isinstance(replaced, int):
                return replaced, waiting
            if isinstance(replaced, bytes):
                return refusal(replaced.decode("utf-8", "replace")), waiting
    return refusal(f"ERR an answer that is none: {reply!r}"), 0


def _digest(vary: Variant) -> str:
    text = "".join([f"{name}{'-' if value is None else '=' + value}\n" for name, value in vary])
    return hashlib.sha1(raw_text(text), usedforsecurity=False).hexdigest()


_variant_digest: Final = memoised(_digest, 512)
"""Most responses do not vary, or vary in few ways."""


def variant_field(entry: Entry) -> str:
    """The name of the entry's place in its key's hash: its Vary values, and its part if it is one (see find.lua)."""
    digest = _variant_digest(entry.vary)
    if entry.span is None:
        return digest
    span = entry.span
    asked = hashlib.sha1(raw_text(span.asked or ""), usedforsecurity=False).hexdigest()[:8]
    return f"{digest}:{span.first}-{span.last}/{span.complete}:{asked}"
