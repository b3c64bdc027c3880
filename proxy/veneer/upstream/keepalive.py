"""How long an idle connection may be trusted."""

from __future__ import annotations

import re
from typing import Final

from veneer.upstream.head import ParsedHead

_TIMEOUT: Final = re.compile(r"(?:^|,)[ \t]*timeout[ \t]*=[ \t]*\"?([0-9]{1,6})", re.IGNORECASE)
_MAX_IDLE_S: Final = 60.0


def idle_limit_s(final: ParsedHead | None, default_s: float) -> float:
    """Seconds until the backend may close: a second less than its Keep-Alive timeout says, else `default_s`."""
    if final is None or final.keep_alive is None:
        return default_s
    match = _TIMEOUT.search(final.keep_alive)
    return default_s if match is None else min(max(int(match[1]) - 1.0, 0.0), _MAX_IDLE_S)
