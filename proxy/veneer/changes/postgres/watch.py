"""What the stream cannot tell: that a table is published no more, and how much of the log the slot keeps.

`ALTER PUBLICATION`, `DROP TABLE` and `SET UNLOGGED` are in no stream. So the publication and the mapped tables are
looked at every second; where they are others than when the slot was opened, it is opened anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Final

from veneer.changes.postgres.catalog import read_slot
from veneer.changes.postgres.session import Found, Session
from veneer.core.row_changes import TableRules
from veneer.policy.model_changes import PostgresRules
from veneer.ports import SourceError

logger = logging.getLogger(__name__)

EVERY_S: Final = 1.0
SLOT_EVERY: Final = 10
"""After how many looks at the publication the slot is looked at."""
MUCH_KEPT_BYTES: Final = 1_000_000_000
"""From here on the log says how much is kept for the slot, each time that it has doubled."""
CHANGED: Final = "the publication, or a table in it, was changed"

_STATE: Final = """
    SELECT 'publication', oid::bigint, xmin::text, '' FROM pg_publication WHERE pubname = %(name)s
    UNION ALL
    SELECT 'member', prrelid::bigint, rel.xmin::text, '' FROM pg_publication_rel AS rel
    JOIN pg_publication AS pub ON pub.oid = prpubid WHERE pubname = %(name)s
    UNION ALL
    SELECT 'table', c.oid::bigint, relpersistence::text, relreplident::text FROM unnest(%(tables)s) AS named
    LEFT JOIN (pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace) ON nspname || '.' || relname = named
    ORDER BY 1, 2"""
"""Tables are found by their names: `to_regclass` asks for USAGE on the schema, which a reader need not have."""


class PublicationWatch:
    """Looks for as long as a slot is read, which had been confirmed up to `confirmed_lsn` when it was opened."""

    def __init__(
        self, session: Session, settings: PostgresRules, tables: Iterable[TableRules], confirmed_lsn: str
    ) -> None:
        self.confirmed_lsn: Final = confirmed_lsn
        self._session = session
        self._settings = settings
        names = [rules.table for rules in tables]
        self._named: dict[str, object] = {"name": settings.publication, "tables": names}
        self._before: list[Found] = []
        self._alarm_bytes = MUCH_KEPT_BYTES
        self.kept_bytes: int | None = None
        """What of the write-ahead log is kept for the slot, as it was seen last."""

    async def begin(self) -> None:
        """What it is now, is right. Raises SourceError."""
        self._before = await self._session.query(_STATE, self._named)

    async def run(self) -> None:
        """Look until something has changed. Raises SourceError then."""
        looks = 0
        while True:
            if looks % SLOT_EVERY == 0:
                await self._look_at_slot()
            await asyncio.sleep(EVERY_S)
            if await self._session.query(_STATE, self._named) != self._before:
                raise PublicationChangedError(CHANGED)
            looks += 1

    async def _look_at_slot(self) -> None:
        slot = await read_slot(self._session, self._settings.slot)
        self.kept_bytes = None if slot is None else slot.kept_bytes
        if slot is not None and slot.kept_bytes >= self._alarm_bytes:
            self._alarm_bytes = 2 * slot.kept_bytes
            logger.warning(
                "slot %s: %d MB of the write-ahead log are kept for it, and it is %s",
                self._settings.slot,
                slot.kept_bytes / 1e6,
                slot.wal_status,
            )


class PublicationChangedError(SourceError):
    """The slot has to be opened anew, and what came meanwhile may not have been told."""
