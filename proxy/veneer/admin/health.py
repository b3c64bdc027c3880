"""Health: alive, and part by part."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from veneer.admin.deps import Check
from veneer.admin.views import Health, PartHealth
from veneer.ports import Clock

CHECK_TIMEOUT_S = 2.0


async def examine(checks: Mapping[str, Check], clock: Clock, *, draining: bool) -> Health:
    """Look at every part at once, each for at most two seconds."""
    parts = await asyncio.gather(*(_look(check, clock) for check in checks.values()))
    up = all(part.status == "up" for part in parts)
    status = "draining" if draining else "ok" if up else "degraded"
    return Health(status, dict(zip(checks, parts, strict=True)))


async def _look(check: Check, clock: Clock) -> PartHealth:
    start_s = clock.monotonic()
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            status, detail = "up", await check()
    except TimeoutError:
        status, detail = "down", f"no answer within {CHECK_TIMEOUT_S:g} s"
    except Exception as error:  # noqa: BLE001 - whatever a part raises, the report is that it is down
        status, detail = "down", str(error) or type(error).__name__
    return PartHealth(status, round((clock.monotonic() - start_s) * 1_000, 3), detail)
