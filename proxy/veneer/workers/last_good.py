"""The last policy that was right, kept for workers that start while the file is wrong."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from veneer.policy.load import parse_policy
from veneer.policy.model import Policy
from veneer.policy.settings import Overrides
from veneer.policy.sources import Sources, read_text
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
        self._included: dict[str, str] = {}

    def load(self) -> Policy:
        """The policy in the file now. Raises PolicyError."""
        text, sources = read_text(self._file), Sources(self._file.parent)
        policy = parse_policy(text, str(self._file), self._overrides, sources)
        self._text, self._included = text, sources.texts
        return policy

    def keep(self) -> None:
        """Make what was loaded last the copy: each file whole or not at all. Secrets stay where they are."""
        beside = json.dumps({"folder": str(self._file.parent), "included": self._included})
        for file, text in ((_beside(self._copy), beside), (self._copy, self._text)):
            written = file.with_suffix(".new")
            written.write_text(text, encoding="utf-8")
            written.replace(file)

    def reloaded(self, outcome: ReloadOutcome) -> None:
        """Keep what has come into force, and say what has not."""
        if outcome.error is not None:
            logger.error("workers go on with the policy from before: %s", outcome.error)
        elif outcome.changed:
            self.keep()


def load_kept(copy: Path, overrides: Overrides) -> Policy:
    """The policy that was kept as `copy`, with the included files as they were then. Raises PolicyError."""
    kept = json.loads(_beside(copy).read_text(encoding="utf-8"))
    included: dict[str, str] = kept["included"]

    def read(path: Path) -> str:
        text = included.get(str(path))
        return read_text(path) if text is None else text

    return parse_policy(read_text(copy), str(copy), overrides, Sources(Path(kept["folder"]), read=read))


def _beside(copy: Path) -> Path:
    return copy.with_suffix(".included")
