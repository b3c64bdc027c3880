"""Veneer on a machine whose wall clock is wrong: `python -m checks.coherence.changes.shifted SECONDS serve ...`."""

from __future__ import annotations

import sys
import time

from veneer.cli.main import main
from veneer.loop.clock import SystemClock


def shift(seconds: float) -> None:
    """From here on the wall clock is off by so much; what measures durations is not."""

    def wrong() -> float:
        return time.time() + seconds  # noqa: TID251 - what is to be wrong

    SystemClock.now = staticmethod(wrong)


if __name__ == "__main__":
    shift(float(sys.argv.pop(1)))
    sys.exit(main())
