"""The last policy that was right, kept for workers that start while the file is wrong."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path

from veneer.policy.load import parse_policy
from veneer.policy.model import Policy
from veneer.policy.settings import Overrides
from veneer.policy.sources import Sources, read_text
from veneer.policy.watch import ReloadOutcome
from veneer.workers.kept_files import KeptFiles, inherited

logger = logging.getLogger(__name__)


class LastGood:
    """A copy of the policy file as it was last in force, beside the workers' sockets.

    A worker that takes the place of one that died starts from the copy: a mistake in the file must not turn a death
    into an outage. What is newer and right in the file it takes up by itself. Secrets, certificates and keys that the
    policy reads are kept as well, in memory alone: who starts while one of them is broken has the last good one.
    """

    def __init__(self, file: Path, copy: Path, overrides: Overrides) -> None:
        self._file = file
        self._copy = copy
        self._overrides = overrides
        self._text = ""
        self._included: dict[str, str] = {}
        self._loaded = self._kept = KeptFiles()

    def load(self) -> Policy:
        """The policy in the file now. Raises PolicyError."""
        files = KeptFiles()
        text, sources = read_text(self._file), Sources(self._file.parent, copy=files.copy)
        try:
            policy = parse_policy(text, str(self._file), self._overrides, sources)
        except BaseException:
            files.close()
            raise
        self._text, self._included = text, sources.texts
        if self._loaded is not self._kept:
            self._loaded.close()
        self._loaded = files
        return policy

    def files(self) -> Mapping[str, int]:
        """The descriptors of copies of secrets, certificates and keys, by path."""
        return self._kept.descriptors

    def close(self) -> None:
        """Let the copies in memory go."""
        for files in {self._loaded, self._kept}:
            files.close()

    def keep(self) -> None:
        """Make what was loaded last the copy: each file whole or not at all. Secrets are written to no file."""
        if self._kept is not self._loaded:
            self._kept.close()
            self._kept = self._loaded
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


def load_kept(copy: Path, overrides: Overrides, files: Mapping[str, int] | None = None) -> Policy:
    """The policy that was kept as `copy`, with the included files as they were then. Raises PolicyError.

    `files` are the descriptors of copies of what else it reads, by path.
    """
    kept = json.loads(_beside(copy).read_text(encoding="utf-8"))
    included: dict[str, str] = kept["included"]

    def read(path: Path) -> str:
        text = included.get(str(path))
        return read_text(path) if text is None else text

    sources = Sources(Path(kept["folder"]), read=read, copy=inherited(files or {}))
    return parse_policy(read_text(copy), str(copy), overrides, sources)


def _beside(copy: Path) -> Path:
    return copy.with_suffix(".included")
