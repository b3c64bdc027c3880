"""The policy in force, and how another one comes into force without a request noticing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from veneer.policy.model import Policy
from veneer.policy.problems import ConfigError, PolicyError

POLL_EVERY_S: Final = 1.0

Load = Callable[[], Policy]
Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class ReloadOutcome:
    """What became of a reload. `policy` is in force afterwards; with `error` it is the one from before.

    `needs_restart` names the sections that differ from those the process started with and are read at start only.
    """

    policy: Policy
    changed: bool
    error: PolicyError | None = None
    needs_restart: tuple[str, ...] = ()


Listener = Callable[[ReloadOutcome], None]


class PolicySource:
    """Holds the policy in force. `current` is replaced whole: whoever takes it once sees one policy to the end."""

    def __init__(
        self,
        policy: Policy,
        load: Load | None = None,
        listener: Listener | None = None,
        witness: Listener | None = None,
    ) -> None:
        self.current = policy
        """The policy in force now; `reload` alone changes it."""
        self.error: PolicyError | None = None
        """Why the file as it was read last is not in force; None while it is."""
        self._started_with = policy
        self._load = load
        self._listener = listener
        self._witness = witness
        self._loading = asyncio.Lock()

    async def reload(self) -> ReloadOutcome:
        """Load again and put the result in force; a bad file leaves the running policy and is reported.

        The listener hears of every outcome but "nothing changed", the witness of that as well. Loading happens in a
        thread, one at a time.
        """
        if self._load is None:
            return ReloadOutcome(self.current, changed=False)
        async with self._loading:
            try:
                policy = await asyncio.to_thread(self._load)
                refuse_emptied(self.current, policy)
            except PolicyError as error:
                self.error = error
                outcome = ReloadOutcome(self.current, changed=False, error=error)
            else:
                self.error = None
                changed = policy.version_digest != self.current.version_digest
                if changed:
                    self.current = policy
                outcome = ReloadOutcome(
                    self.current, changed, needs_restart=restart_reasons(self._started_with, policy)
                )
        if self._witness is not None:
            self._witness(outcome)
        if self._listener is not None and (outcome.changed or outcome.error is not None):
            self._listener(outcome)
        return outcome


def refuse_emptied(running: Policy, loaded: Policy) -> None:
    """Raise PolicyError where a file that held a policy holds nothing any more.

    An empty file is a policy at start. Later it is a write that went wrong: it would take away every route and limit.
    """
    if loaded.is_empty and not running.is_empty:
        hint = "write `version: 1` to run without routes and limits"
        raise PolicyError("the policy file", [ConfigError(0, 0, "", "is empty now", hint)])


Fingerprint = tuple[int, int, int] | None


def fingerprint(path: Path) -> Fingerprint:
    """What changes when a file does: its time, size and identity; None when it cannot be seen."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _fingerprints(source: PolicySource, path: Path) -> tuple[Fingerprint, ...]:
    """Of the policy file, and of all that the policy in force has read beside it."""
    return (fingerprint(path), *(fingerprint(Path(other)) for other in source.current.files))


async def watch_file(source: PolicySource, path: Path, sleep: Sleep, every_s: float = POLL_EVERY_S) -> None:
    """Reload whenever the file has changed and then stayed the same for one interval, so never in mid-write.

    Runs until it is cancelled. A file that vanishes is reported like any bad file, once. The first look reloads:
    the file may have changed since it was read, and reading the same text again changes nothing.
    """
    loaded: tuple[Fingerprint, ...] = ((0, 0, 0),)
    seen = _fingerprints(source, path)
    while True:
        await sleep(every_s)
        before, seen = seen, _fingerprints(source, path)
        if seen == before and seen != loaded:
            loaded = seen
            await source.reload()


def read_at_start(policy: Policy) -> tuple[int, ...]:
    """The limits that connections are made with."""
    limits = policy.limits
    return limits.head_bytes, limits.header_count, limits.target_bytes, limits.connections


def restart_reasons(started_with: Policy, now: Policy) -> tuple[str, ...]:
    """The sections read at start only in which the two policies differ."""
    old, new = started_with, now
    pairs = {
        "listeners": [one.at_start for one in old.listeners] == [one.at_start for one in new.listeners],
        "admin": old.admin == new.admin,
        "stores": old.stores == new.stores,
        "timeouts": old.timeouts == new.timeouts,
        "limits": read_at_start(old) == read_at_start(new),
    }
    return tuple(name for name, equal in pairs.items() if not equal)
