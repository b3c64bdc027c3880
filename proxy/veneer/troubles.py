"""What keeps Redis from doing what is asked of it, by its right name, and told once for each state."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from enum import Enum
from typing import Final

from redis.exceptions import AuthenticationError, NoPermissionError, OutOfMemoryError, ReadOnlyError, ResponseError

CALM_S: Final = 5.0
"""A state that comes and goes has ended when it has not been seen for so long."""


class Trouble(Enum):
    """Why Redis did not do it. The value follows "Redis" in the log."""

    AWAY = "cannot be reached"
    FULL = "is full, and its maxmemory-policy evicts nothing that would make room"
    READ_ONLY = "takes no writes: it is a replica"
    FORBIDDEN = "does not permit its user what is needed"
    STRANGER = "wants other credentials"
    UNREADY = "is not ready"
    REFUSES = "refuses what it is asked"


_BY_CLASS: Final = (
    # the client library takes the word away by which Redis names these
    (OutOfMemoryError, Trouble.FULL),
    (ReadOnlyError, Trouble.READ_ONLY),
    (NoPermissionError, Trouble.FORBIDDEN),
    (AuthenticationError, Trouble.STRANGER),
)
_BY_TEXT: Final = (
    (re.compile(r"OOM "), Trouble.FULL),
    (re.compile(r"READONLY "), Trouble.READ_ONLY),
    # what a script may not do is told in words of each version
    (re.compile(r"NOPERM |(?s:.*)(ACL failure|executing the script can't run|no permissions)"), Trouble.FORBIDDEN),
    # the last is what Redis says to a long command of somebody it does not know
    (re.compile(r"NOAUTH |WRONGPASS |(?s:.*)Protocol error: unauthenticated"), Trouble.STRANGER),
    (re.compile(r"(LOADING|BUSY|CLUSTERDOWN|MASTERDOWN|TRYAGAIN) "), Trouble.UNREADY),
)


def trouble_of(error: BaseException) -> Trouble:
    """The trouble that a failed call tells of."""
    for kind, trouble in _BY_CLASS:
        if isinstance(error, kind):
            return trouble
    text = str(error)
    for pattern, trouble in _BY_TEXT:
        if pattern.match(text):
            return trouble
    return Trouble.REFUSES if isinstance(error, ResponseError) else Trouble.AWAY


class Troubles:
    """The state of one use of Redis, and its lines in the log: one when trouble begins, one when it is over.

    Where it comes and goes within CALM_S, it is not over before it has stayed away for as long. `what` names the use,
    and `so` what follows from its trouble. `now` is a monotonic clock.
    """

    def __init__(self, logger: logging.Logger, now: Callable[[], float], what: str, so: str) -> None:
        self._logger = logger
        self._now = now
        self._what = what
        self._so = so
        self._told: Trouble | None = None
        self._met_s = 0.0
        self._over_s: float | None = None
        self._wavers = False
        self.present: Trouble | None = None
        """What the last call met with."""

    def met(self, error: BaseException) -> Trouble:
        """A call failed; returns why."""
        trouble, now_s = trouble_of(error), self._now()
        self.present, self._met_s = trouble, now_s
        if trouble is not self._told:
            self._wavers = self._wavers or (self._over_s is not None and now_s - self._over_s < CALM_S)
            self._told = trouble
            why = str(error) or repr(error)
            self._logger.warning("%s: Redis %s; %s: %s", self._what, trouble.value, self._so, why)
        return trouble

    def over(self, note: object = "") -> None:
        """A call succeeded."""
        self.present = None
        if self._told is None or (self._wavers and self._now() - self._met_s < CALM_S):
            return
        self._told, self._wavers, self._over_s = None, False, self._now()
        self._logger.info("%s: Redis works again%s", self._what, f"; {note}" if note else "")
