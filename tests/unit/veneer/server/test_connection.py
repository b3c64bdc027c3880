"""A connection and its fallback."""

from __future__ import annotations

import gc
import weakref

from tests.unit.veneer.server.front_row import FrontRow


async def test_a_lost_connection_keeps_nothing_alive() -> None:
    connection, fallback = FrontRow().connection()
    kept = weakref.ref(fallback)
    gc.disable()
    try:
        connection.connection_lost(None)
        assert fallback.lost
        del fallback
        assert kept() is None
    finally:
        gc.enable()
