"""Look-ups in the shared store: one call finds what fits a request, or takes the lock to fetch it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from veneer.core.entry import Entry
from veneer.core.messages import RequestHead
from veneer.core.rules import CacheRules
from veneer.core.vary import normalise
from veneer.redis.script import Argument, Reply, Script
from veneer.stores.held_lock import NOT_TAKEN, RedisLockAttempt
from veneer.stores.redis_access import RedisAccess

_FIND: Final = Script.load("taking", "find")
_USUAL_VARY_NAMES: Final = ("accept-encoding", "accept-language")
_MAX_VARY_NAMES: Final = 64
_UNFIT_BYTES: Final = 256 * 1024

NEVER: Final = -1
"""Before every birth."""

OnFound = Callable[[Sequence[bytes]], None]
"""Gets the stored values that a look-up has found; none where it has failed."""


class StoreQuery:
    """What is looked up. `attempt` is the lock to take along; what was born up to `dead_until` is known to be dead."""

    __slots__ = ("attempt", "dead_until", "key", "request", "rules")

    def __init__(
        self,
        key: str,
        request: RequestHead,
        rules: CacheRules,
        attempt: RedisLockAttempt | None = None,
        dead_until: int = NEVER,
    ) -> None:
        self.key: Final = key
        self.request: Final = request
        self.rules: Final = rules
        self.attempt: Final = attempt
        self.dead_until: Final = dead_until


class RedisFinder:
    """Asks, and remembers by which request fields responses vary, to send their values with each look-up."""

    def __init__(self, access: RedisAccess) -> None:
        self._access = access
        self.vary_names: dict[str, bytes] = {name: raw_text(name) for name in _USUAL_VARY_NAMES}

    def ask(self, asked: StoreQuery, on_found: OnFound) -> None:
        """Look it up; `on_found` is called once, later. Redis was found to admit the call."""
        access, attempt = self._access, asked.attempt
        keys: tuple[str, ...] = (access.name(asked.key),)
        arguments: list[Argument] = [_UNFIT_BYTES, asked.dead_until, "", 0]
        if attempt is not None:
            attempt.begin()
            keys += (attempt.name,)
            arguments[2:] = (attempt.token, attempt.first_held_ms)
        fields = asked.request.fields.joined
        for name, raw_name in self.vary_names.items():
            value = normalise(name, fields.get(name), asked.rules.codings)
            arguments.append(raw_name)
            arguments.append(b"-" if value is None else b"=" + raw_text(value))

        def answered(reply: Reply | Exception) -> None:
            on_found(self._found(attempt, reply))

        access.reading.begin()
        _FIND.call(access.redis, keys, arguments, access.settings.timeout_s, answered)

    def _found(self, attempt: RedisLockAttempt | None, reply: Reply | Exception) -> Sequence[bytes]:
        access = self._access
        left_ms = reply[0] if isinstance(reply, list) and reply else NOT_TAKEN
        if attempt is not None:
            attempt.answered(left_ms if isinstance(left_ms, int) else NOT_TAKEN)
        if isinstance(reply, Exception):
            access.failed(access.reading, reply)
            return ()
        access.reading.succeeded()
        access.counts.lookups += 1
        values = [value for value in reply if isinstance(value, bytes)] if isinstance(reply, list) else []
        access.counts.found += bool(values)
        return values

    def learn(self, entry: Entry) -> None:
        """Remember the names that responses vary by."""
        for name, _ in entry.vary:
            if len(self.vary_names) < _MAX_VARY_NAMES:
                self.vary_names[name] = raw_text(name)


def raw_text(text: str) -> bytes:
    """A text as the scripts compare it."""
    return text.encode("latin-1", "backslashreplace")
