"""The one place that reads the machine's clocks."""

from __future__ import annotations

import time


class SystemClock:
    """The machine's clocks (proxy.ports.Clock)."""

    now = staticmethod(time.time)  # noqa: TID251 - injected from here
    monotonic = staticmethod(time.monotonic)  # noqa: TID251 - injected from here
