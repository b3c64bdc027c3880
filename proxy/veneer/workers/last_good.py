"""The last policy that was right, kept for workers that start while the file is wrong."""

from __future__ import annotations

import logging
from pathlib import Path

from veneer.policy.load import parse_policy, read_text
from veneer.policy.model import Policy
from veneer.policy.settings import Overrides
from veneer.policy.watch import ReloadOutcome

logger = logging.getLogger(__name__)


class LastGood:
    """A copy of the policy file as it was last in force, beside the workers' sockets.

    A worker that takes the place of one that died starts from the copy: a mistake in the file must not turn a death
    into an outage. What is newer and right in the file it takes up by itself.
    """

    def __init__(self, file: Path, copy: Path, overrides: Overrides) -> None:
        self._file = file
        self._copy = copy
        self._overrides = overrides
        self._text = ""

    def load(self) -> Policy:
        """The policy in the file now. Raises PolicyError."""
        text = read_text(self._file)
        policy = parse_policy(text, str(self._file), self._overrides)
        self._text = text
        return policy

    def keep(self) -> None:
        """Make what was loaded last the copy: whole or not at all."""
        written = self._copy.with_suffix(".new")
        written.write_text(self._text, encoding="utf-8")
        written.replace(self._copy)

    def reloaded(self, outcome: ReloadOutcome) -> None:
        """Keep what has come into force, and say what has not."""
        if outcome.error is not None:
            logger.error("workers go on with the policy from before: %s", outcome.error)
        elif outcome.changed:
            self.keep()
