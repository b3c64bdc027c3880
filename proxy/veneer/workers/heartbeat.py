"""Whether a worker still turns: one that is stopped, or busy for ever, answers nobody and does not end either."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from veneer.workers.worker_client import FOREIGN, Question, ask

EVERY_S = 2.0
PATIENCE_S = 10.0
MISSED = 2
"""A worker hangs when so many questions in a row, PATIENCE_S each, were not answered.

One alone tells nothing: when the whole machine was paused, the question that was open is over at once when it goes on,
and the next one is answered.
"""

_QUESTION = Question("GET", "/health")


async def hangs(
    socket: Path, ended: Callable[[], bool], *, patience_s: float = PATIENCE_S, every_s: float = EVERY_S
) -> bool:
    """Ask the worker at `socket` again and again: returns True once it hangs, False once it has `ended`.

    A socket that nobody listens on is none that hangs: the worker is about to end.
    """
    missed = 0
    while not ended():
        try:
            await ask(socket, _QUESTION, patience_s)
        except TimeoutError:
            missed += 1
            if missed >= MISSED:
                return True
            continue
        except FOREIGN:
            pass
        missed = 0
        await asyncio.sleep(every_s)
    return False
