"""Exchange records for tests."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from tests.support.clock import ManualClock
from veneer.observe.observer import Observer
from veneer.observe.repeats import NONE, CompactRecord, RecordTemplate
from veneer.pipeline.exchange import ExchangeRecord


def record(**changes: object) -> ExchangeRecord:
    """A plain exchange, with changes."""
    plain = ExchangeRecord(
        time=1_795_000_000.125,
        request_id="r1",
        client="192.0.2.1",
        method="GET",
        path="/a",
        status=200,
        duration_ms=1.5,
    )
    return msgspec.structs.replace(plain, **changes)


def note(
    facts: RecordTemplate,
    started_s: float = 3.0,
    target: bytes = b"/a",
    request_id: bytes = b"r1",
    *,
    client: str = "192.0.2.1",
    took_us: int = 1250,
    bytes_out: int = 0,
    bytes_identity: int = 0,
    bytes_in: int = 0,
    remaining: int | None = None,
    agent: str = "curl/8",
    upstream_us: int | None = None,
) -> CompactRecord:
    """A note, whole."""
    made = CompactRecord(facts, client, agent, started_s, target, request_id, took_us)
    made.bytes_out = bytes_out
    made.bytes_identity = bytes_identity
    made.bytes_in = bytes_in
    made.remaining = NONE if remaining is None else remaining
    made.upstream_us = NONE if upstream_us is None else upstream_us
    return made


def quiet_observer(*also: Callable[[ExchangeRecord], None]) -> Observer:
    """An observer that writes nothing."""
    return Observer(None, also, clock=ManualClock(), later=lambda _delay, _call: None)
