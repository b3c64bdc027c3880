"""Lua scripts: read from lua/, called by their digest, sent in full where Redis does not know them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Protocol

import msgspec
from redis.exceptions import NoScriptError, RedisClusterException, RedisError

from veneer.redis.connect import RedisClient
from veneer.redis.patience import LagTolerantTimeout

Reply = list["Reply"] | bytes | int | None
"""What a script returns, as RESP2 knows it."""

Argument = str | bytes | int

OnReply = Callable[[Reply | Exception], None]
"""Called as the answer is read, without waiting; it must not raise. An exception is what Redis refused, or a loss."""

FAILURES = (RedisError, RedisClusterException, OSError, TimeoutError, msgspec.MsgspecError)
"""All the ways in which Redis, the way to it, or what it says may fail."""


class RedisAsker(Protocol):
    """A way to have Redis carry out commands."""

    async def ask(self, timeout_s: float, *words: Argument) -> Reply:
        """One command and its answer within `timeout_s`. Raises one of FAILURES; it may have been carried out."""
        ...


class RedisCaller(RedisAsker, Protocol):
    """A way that needs no task for each command as well."""

    def call(self, on_reply: OnReply, timeout_s: float, *words: Argument) -> None:
        """As `ask`; `on_reply` gets the answer or one of FAILURES, once, and never before this has returned."""
        ...

    def close(self) -> None:
        """Close what it has opened; who still expects an answer is told."""
        ...


@dataclass(frozen=True, slots=True)
class ViaRedisPy:
    """By the client library, which finds the server of each key."""

    client: RedisClient

    async def ask(self, timeout_s: float, *words: Argument) -> Reply:
        """As a Caller."""
        async with LagTolerantTimeout(timeout_s):
            reply: Reply = await self.client.execute_command(*words)  # type: ignore[no-untyped-call,unused-ignore]
            return reply


@dataclass(frozen=True, slots=True)
class Script:
    """One atomic operation; all its keys lie in one slot."""

    source: str
    digest: str

    @classmethod
    def load(cls, *names: str) -> Script:
        """The script made of the named files of lua/, in order."""
        folder = files("veneer.redis").joinpath("lua")
        return cls.from_source("\n".join(folder.joinpath(f"{name}.lua").read_text("ascii") for name in names))

    @classmethod
    def from_source(cls, source: str) -> Script:
        """A script given as text."""
        return cls(source, hashlib.sha1(source.encode("ascii"), usedforsecurity=False).hexdigest())

    async def run(
        self, caller: RedisAsker, keys: Sequence[str], arguments: Sequence[Argument], timeout_s: float
    ) -> Reply:
        """Run it within `timeout_s`. Raises one of FAILURES; after that it may or may not have been carried out.

        A server that has never seen it is asked twice, and may take as long for each.
        """
        try:
            return await caller.ask(timeout_s, "EVALSHA", self.digest, len(keys), *keys, *arguments)
        except NoScriptError:
            return await caller.ask(timeout_s, "EVAL", self.source, len(keys), *keys, *arguments)

    def call(
        self,
        caller: RedisCaller,
        keys: Sequence[str],
        arguments: Sequence[Argument],
        timeout_s: float,
        on_reply: OnReply,
    ) -> None:
        """As `run`; `on_reply` gets the answer or one of FAILURES, once, and never before this has returned."""
        words = (len(keys), *keys, *arguments)

        def answered(reply: Reply | Exception) -> None:
            if isinstance(reply, NoScriptError):
                caller.call(on_reply, timeout_s, "EVAL", self.source, *words)
            else:
                on_reply(reply)

        caller.call(answered, timeout_s, "EVALSHA", self.digest, *words)
