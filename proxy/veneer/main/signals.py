"""What signals mean: SIGTERM, SIGQUIT, SIGINT stop with a drain, a second SIGINT at once, SIGHUP takes up changes."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable
from functools import partial

logger = logging.getLogger(__name__)

STOPPING = (signal.SIGTERM, signal.SIGQUIT)
WITHOUT_MEANING = (signal.SIGUSR1, signal.SIGUSR2)
"""Other servers reopen logs or change binaries on these. Unhandled they would end the process without a drain."""


def on_signals(loop: asyncio.AbstractEventLoop, stop: Callable[[], None], hang_up: Callable[[], None]) -> None:
    """Have `stop` called when the process is told to end, and `hang_up` on SIGHUP."""
    for number in STOPPING:
        loop.add_signal_handler(number, stop)
    loop.add_signal_handler(signal.SIGINT, partial(_interrupted, loop, stop))
    loop.add_signal_handler(signal.SIGHUP, hang_up)
    for number in WITHOUT_MEANING:
        loop.add_signal_handler(number, partial(_unknown, number))


def _interrupted(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
    """Whoever presses Ctrl-C twice does not want to wait for the drain."""
    loop.remove_signal_handler(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    stop()


def _unknown(number: signal.Signals) -> None:
    logger.info("%s has no meaning here: SIGHUP takes up changes, SIGTERM stops", number.name)
