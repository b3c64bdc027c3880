"""Veneer made wrong on purpose, to see the checker find it: `python -m checks.coherence.mutants NAME serve ...`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace

from veneer.cli.main import main
from veneer.core.entry import Entry
from veneer.core.messages import RequestHead
from veneer.fastpath.miss import FastMiss
from veneer.fastpath.replies import FoundReply
from veneer.pipeline.fetch import Fetcher
from veneer.pipeline.made import FetchedResponse
from veneer.pipeline.plan import Plan
from veneer.ports import Demand, InterimSink, LeaseState
from veneer.stores.acks import Acknowledgements, AckOutcome, Live, OnAcknowledged
from veneer.stores.events import LogEvent
from veneer.stores.holds import Holds
from veneer.stores.redis_log import RedisLog


def acknowledge_without_applying() -> None:
    """Other nodes' events are acknowledged, never applied."""
    apply = RedisLog._apply

    def wrong(log: RedisLog, events: Sequence[LogEvent]) -> dict[str, int]:
        table, log._table = log._table, type(log._table)()
        try:
            return apply(log, events)
        finally:
            log._table = table

    RedisLog._apply = wrong  # type: ignore[method-assign,assignment]


def born_after_the_fetch() -> None:
    """An entry is born when its response has arrived."""
    ask = Fetcher._ask

    async def wrong(
        fetcher: Fetcher, plan: Plan, request: RequestHead, interim: InterimSink, demand: Demand
    ) -> FetchedResponse:
        fetched = await ask(fetcher, plan, request, interim, demand)
        return replace(fetched, born=fetcher._services.log.position)

    stored = FastMiss._stored

    def as_wrong(miss: FastMiss, found: FoundReply, body: bytes, sent: bytes) -> Entry | None:
        miss.born = miss._services.log.position
        return stored(miss, found, body, sent)

    Fetcher._ask = wrong  # type: ignore[method-assign,assignment]
    FastMiss._stored = as_wrong  # type: ignore[method-assign,assignment]


def answer_before_the_others_know() -> None:
    """A write is answered as soon as Redis has its event."""

    def wrong(_: Acknowledgements, epoch_ms: int, seq: int, live: Live, on_outcome: OnAcknowledged) -> None:
        on_outcome(AckOutcome(tuple(node for node, _ in live), ()))

    Acknowledgements.when = wrong  # type: ignore[method-assign,assignment]


def no_lease() -> None:
    """The lease is not looked at."""

    def wrong(_: RedisLog) -> LeaseState:
        return LeaseState.HELD

    RedisLog.lease_state = wrong  # type: ignore[method-assign,assignment]


def hold_nothing() -> None:
    """A write in doubt invalidates once, as if it were over."""

    def wrong(*_: object) -> bool:
        return False

    Holds.touch = wrong  # type: ignore[method-assign,assignment]


MUTANTS: dict[str, Callable[[], None]] = {
    "acknowledge-without-applying": acknowledge_without_applying,
    "born-after-the-fetch": born_after_the_fetch,
    "answer-before-the-others-know": answer_before_the_others_know,
    "no-lease": no_lease,
    "hold-nothing": hold_nothing,
}

if __name__ == "__main__":
    MUTANTS[sys.argv.pop(1)]()
    sys.exit(main())
