"""A connection and what stands behind it."""

from __future__ import annotations

import gc
import weakref

from tests.unit.veneer.server.front_row import FrontRow


async def test_a_lost_connection_keeps_nothing_alive() -> None:
    connection, behind = FrontRow().connection()
    kept = weakref.ref(behind)
    gc.disable()
    try:
        connection.connection_lost(None)
        assert behind.lost
        del behind
        assert kept() is None
    finally:
        gc.enable()
