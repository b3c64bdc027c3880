"""Exchange records for tests."""

from __future__ import annotations

import msgspec

from proxy.app.observe.observer import Observer
from proxy.pipeline.exchange import ExchangeRecord
from tests.support.clock import ManualClock


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


def quiet_observer() -> Observer:
    """An observer that writes nothing."""
    return Observer(None, clock=ManualClock(), later=lambda _delay, _call: None)
