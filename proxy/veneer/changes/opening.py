"""From what the policy says of a source to the source."""

from __future__ import annotations

from typing import Final

from veneer.core.change_tags import all_tags
from veneer.policy.model_changes import ChangeSettings
from veneer.ports import ChangeSource, ChangeStream, SourceError

NO_DRIVER: Final = "PostgreSQL's driver is not installed: install veneer[postgres]"


def open_source(settings: ChangeSettings) -> ChangeSource:
    """The source; nothing is connected yet. One that cannot be read because of what is not installed says so then."""
    try:
        from veneer.changes.postgres.source import PostgresSource  # noqa: PLC0415 - psycopg2 is an extra
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "psycopg2":
            raise
        return NotInstalled(settings, NO_DRIVER)
    return PostgresSource(settings.name, settings.kind, settings.tables)


class NotInstalled:
    """A source that cannot be read here (veneer.ports.ChangeSource)."""

    def __init__(self, settings: ChangeSettings, why: str) -> None:
        self.name: Final = settings.name
        self.all_tags: Final = all_tags(settings.tables)
        self._why = why

    async def open(self) -> ChangeStream:
        """Raises SourceError."""
        raise SourceError(self._why, lasting=True)
