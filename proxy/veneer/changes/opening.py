"""From what the policy says of a source to the source."""

from __future__ import annotations

from veneer.policy.model_changes import ChangeSettings
from veneer.ports import ChangeSource, ChangeStream, SourceError


def open_source(settings: ChangeSettings) -> ChangeSource:
    """The source; nothing is connected yet."""
    return _Unknown(settings.name)


class _Unknown:
    all_tags = ("*",)

    def __init__(self, name: str) -> None:
        self.name = name

    async def open(self) -> ChangeStream:
        raise SourceError("this build reads no PostgreSQL yet", lasting=True)
