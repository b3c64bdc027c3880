"""A fast path over a shared store in which the test says what is found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from tests.support.pipeline import Log
from tests.unit.veneer.fastpath.stage import Stage, came
from veneer.core.entry import Entry
from veneer.core.messages import RequestHead
from veneer.core.rules import CacheRules
from veneer.ports import FetchLock, LockAttempt, LockReleased, OnLooked
from veneer.stores.memory import MemoryStore


class Far:
    """A store of which memory is the near part. `look` waits for the test to say what was found."""

    def __init__(self, memory: MemoryStore) -> None:
        self.memory = memory
        self.vary_names: Iterable[str] = ("accept-encoding",)
        self.told: list[OnLooked] = []
        self.keys: list[str] = []
        self.locks: list[FetchLock | None] = []
        self.lookup = memory.lookup
        self.add_listener = memory.add_listener
        self.attach = memory.attach
        self.used_since = memory.used_since
        self.forget = memory.forget
        self.get_local = memory.get_local

    @property
    def local(self) -> Far:
        return self

    @property
    def beyond(self) -> Far:
        return self

    def look(
        self, key: str, request: RequestHead, rules: CacheRules, attempt: LockAttempt | None, on_looked: OnLooked
    ) -> None:
        self.told.append(on_looked)
        self.keys.append(key)

    def put_now(self, key: str, entry: Entry, keep_s: float, lock: FetchLock | None) -> None:
        self.locks.append(lock)
        self.memory.put_now(key, entry, keep_s)

    async def put(self, key: str, entry: Entry, keep_s: float, lock: FetchLock | None = None) -> None:
        self.put_now(key, entry, keep_s, lock)


class Lock:
    """The one attempt and the one lock of a test, and what became of them."""

    alone = False

    def __init__(self) -> None:
        self.got = True
        self.dropped = 0
        self.released: list[bool] = []

    def attempt(self, key: str, group: str) -> LockAttempt:
        return self

    def drop(self) -> None:
        self.dropped += 1

    def taken(self, attempt: LockAttempt) -> FetchLock | None:
        return self if self.got else None

    def release(self, *, stored: bool, varies: Iterable[str] = ()) -> None:
        self.released.append(stored)

    async def acquire(
        self, key: str, group: str, wait_s: float, *, again: bool = False, attempt: LockAttempt | None = None
    ) -> FetchLock | LockReleased:
        return self


class SharedStage(Stage):
    """A stage whose store has a far part."""

    def __init__(self) -> None:
        self.lock = Lock()
        super().__init__()

    def made(self) -> None:
        """What stands behind the fast path."""
        self.far = Far(self.store)
        self.heard = Log(self.clock)
        self.services = replace(self.services, store=self.far, locks=self.lock, log=self.heard)

    def found(self, *, anything: bool = False) -> bool:
        """End a look-up; whether the same is looked up once more."""
        return self.far.told.pop(0)(anything)

    def brings(self, entry: Entry) -> bool:
        """End a look-up that has brought this into memory; whether the pipeline answers."""
        self.store.put_now(self.far.keys[-1], entry, 60)
        return self.found(anything=True)

    async def teach_shared(self) -> None:
        assert self.ask("/first")
        self.found()
        assert not self.backend.says(came())
        await self.finished()
        self.lock.released.clear()
        self.far.locks.clear()
