"""One event of this node on its way: shared, acknowledged by the others, and then known everywhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from veneer.core.entry import Position
from veneer.core.invalidation import Invalidation
from veneer.ports import OnReceipt, Receipt
from veneer.stores.acks import AckOutcome
from veneer.stores.events import Appended
from veneer.stores.log_counts import LogCounts


class AppendingLog(Protocol):
    """The log, as an event on its way needs it."""

    counts: LogCounts

    @property
    def position(self) -> Position:
        """The last position applied here."""
        ...

    def missed(self, nodes: Sequence[str]) -> None:
        """The leases of these nodes had to run out."""
        ...

    def place(self, append: Append, answer: Appended) -> None:
        """Apply the event of `append` at its place, and tell it when those who have to know of it do."""
        ...


class Append:
    """An event that was given to the outbox, applied here already; `on_receipt` is told once.

    `strict` and `settles_s` as in `InvalidationLog.append`.
    """

    __slots__ = ("_answer", "_began", "_log", "_monotonic", "_on_receipt", "event", "settles_s", "strict")

    def __init__(
        self,
        log: AppendingLog,
        event: Invalidation,
        on_receipt: OnReceipt,
        monotonic: Callable[[], float],
        *,
        strict: bool,
        settles_s: float,
    ) -> None:
        self._log: Final = log
        self.event: Final = event
        self._on_receipt: Final = on_receipt
        self._monotonic: Final = monotonic
        self.strict: Final = strict
        self.settles_s: Final = settles_s
        self._began = monotonic()
        self._answer: Appended | None = None

    def shared(self, answer: Appended | None) -> None:
        """It has a place in the log, or none that is known in time."""
        self._answer = answer
        if answer is not None:
            self._log.place(self, answer)
            return
        self._log.counts.not_shared += 1
        self._on_receipt(Receipt(self._log.position, (), (), self._waited_ms(), shared=False))

    def acknowledged(self, outcome: AckOutcome) -> None:
        """Those who have to know of it do."""
        answer = self._answer
        assert answer is not None
        if outcome.expired:
            self._log.counts.leases_waited_out += 1
            self._log.missed(outcome.expired)
        position = Position(answer.epoch, answer.seq)
        self._on_receipt(Receipt(position, outcome.acknowledged, outcome.expired, self._waited_ms()))

    def _waited_ms(self) -> float:
        waited_ms = (self._monotonic() - self._began) * 1000
        if self.strict:  # nobody waits for the others
            self._log.counts.waits.observe(waited_ms)
        return waited_ms


def nobody_waits(_: Receipt) -> None:
    """For an event whose writer was answered before it was shared."""


def tells(waiting: asyncio.Future[Receipt]) -> OnReceipt:
    """Hands a receipt to who awaits it, if it is still awaited."""

    def tell(receipt: Receipt) -> None:
        if not waiting.done():
            waiting.set_result(receipt)

    return tell
