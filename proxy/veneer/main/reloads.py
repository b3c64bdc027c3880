"""What became of the policy file since the start."""

from __future__ import annotations

from veneer.policy.watch import PolicySource, ReloadOutcome


class ReloadCounts:
    """Which policy of `source` is in force, `since` when (Unix), and how often another file was taken or refused."""

    def __init__(self, source: PolicySource, now: float) -> None:
        self._source = source
        self.since = now
        self.by_result = {"applied": 0, "refused": 0}

    @property
    def digest(self) -> str:
        """What tells the policy in force from others."""
        return self._source.current.version_digest

    @property
    def successful(self) -> bool:
        """Whether the file, as it was read last, is in force."""
        return self._source.error is None

    def note(self, outcome: ReloadOutcome, now: float) -> None:
        """Another file was read."""
        if outcome.error is not None:
            self.by_result["refused"] += 1
        else:
            self.by_result["applied"] += 1
            self.since = now
