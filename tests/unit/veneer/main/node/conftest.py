"""The event loop that the proxy runs on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import uvloop


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """uvloop alone: asyncio's transports hold other things."""
    return {"uvloop": uvloop.new_event_loop}
