"""The one place that reads the machine's clocks."""

from __future__ import annotations

import time
from functools import partial


class SystemClock:
    """The machine's clocks (veneer.ports.Clock)."""

    now = staticmethod(time.time)  # noqa: TID251 - injected from here
    if hasattr(time, "CLOCK_BOOTTIME"):
        # Goes on while the machine is suspended: a lease must not outlive its time because the machine slept.
        monotonic = staticmethod(partial(time.clock_gettime, time.CLOCK_BOOTTIME))
    else:
        monotonic = staticmethod(time.monotonic)  # noqa: TID251 - injected from here
