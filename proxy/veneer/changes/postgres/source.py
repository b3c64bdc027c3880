"""A PostgreSQL database as a source of changes: its tables' rows, told by logical replication (pgoutput)."""

from __future__ import annotations

import logging
from typing import Final

import psycopg2

from veneer.changes.postgres.catalog import SlotFacts, read_catalog, read_slot
from veneer.changes.postgres.errors import SLOT_IN_USE, UNDEFINED_OBJECT, WRONG_STATE, source_error
from veneer.changes.postgres.heartbeats import Heartbeats, beat_prefix
from veneer.changes.postgres.problems import FoundProblem, problems_of
from veneer.changes.postgres.session import Session, replicating
from veneer.changes.postgres.statements import create_slot, drop_slot
from veneer.changes.postgres.stream import PostgresStream
from veneer.changes.postgres.transactions import TransactionReader
from veneer.changes.postgres.watch import PublicationChangedError, PublicationWatch
from veneer.core.change_tags import all_tags
from veneer.core.postgres import quoted_name
from veneer.core.row_changes import TableRules
from veneer.policy.model_changes import PostgresRules
from veneer.ports.changes import Committed, SourceError

logger = logging.getLogger(__name__)

NEW_SLOT_S: Final = 30.0
"""A slot begins where no transaction runs that began before it: making one waits for these."""


class PostgresSource:
    """Reads one slot of one database (veneer.ports.changes.ChangeSource)."""

    def __init__(self, name: str, settings: PostgresRules, tables: tuple[TableRules, ...]) -> None:
        self._name = name
        self._settings = settings
        self._tables = tables
        self._all_tags = all_tags(tables)
        self._slot_is_useless = False
        self._missed = ""

    @property
    def name(self) -> str:
        """As the policy names it."""
        return self._name

    @property
    def all_tags(self) -> tuple[str, ...]:
        """What names everything that changes of these tables may invalidate."""
        return self._all_tags

    async def inspect(self) -> tuple[FoundProblem, ...]:
        """What is wrong with the database, as far as it can be asked. Raises SourceError."""
        session = await Session.open(self._settings.dsn, self._name)
        try:
            return problems_of(await read_catalog(session, self._settings, self._tables), self._settings, self._tables)
        finally:
            session.close()

    async def slot(self) -> SlotFacts | None:
        """How the slot is, and how much of the log is kept for it. Raises SourceError."""
        session = await Session.open(self._settings.dsn, self._name)
        try:
            return await read_slot(session, self._settings.slot)
        finally:
            session.close()

    async def open(self) -> PostgresStream:
        """Begin to read (ChangeSource.open); a slot that is missing or lost is made anew. Raises SourceError."""
        asked = await Session.open(self._settings.dsn, self._name)
        heartbeats = Heartbeats(self._settings.dsn, self._name)
        try:
            made = await self._prepare(asked)
            stream = await self._begin(asked, heartbeats, made)
        except BaseException:
            asked.close()
            await heartbeats.aclose()
            raise
        return stream

    async def _prepare(self, asked: Session) -> str:
        """Check the database, and make the slot where it is missing or lost; then why it was made."""
        catalog = await read_catalog(asked, self._settings, self._tables)
        found = problems_of(catalog, self._settings, self._tables)
        if wrong := [one for one in found if not one.warning]:
            message = "; ".join(one.message for one in wrong)
            raise SourceError(message, sql=[sql for one in wrong for sql in one.sql], lasting=True)
        slot, why = catalog.slot, ""
        if slot is None:
            why = "the replication slot is new"
        elif slot.is_lost:
            why = "the replication slot has lost what it was to keep"
        elif self._slot_is_useless:
            why = "the replication slot could not be read"
        if why:
            await self._make_slot(asked, exists=slot is not None)
        return why

    async def _make_slot(self, asked: Session, *, exists: bool) -> None:
        name = self._settings.slot
        try:
            if exists:
                await asked.query(drop_slot(name))
            await asked.query(create_slot(name), timeout_s=NEW_SLOT_S)
        except SourceError as error:
            sql = (drop_slot(name), create_slot(name)) if exists else (create_slot(name),)
            msg = f'the replication slot "{name}" cannot be made: {error}'
            raise SourceError(msg, sql=sql, lasting=error.lasting) from error
        self._slot_is_useless = False
        logger.warning("changes %s: made the replication slot %s", self._name, name)

    async def _begin(self, asked: Session, heartbeats: Heartbeats, made: str) -> PostgresStream:
        settings = self._settings
        slot = await read_slot(asked, settings.slot)
        if slot is None:
            msg = f'the replication slot "{settings.slot}" is gone again'
            raise SourceError(msg)
        watch = PublicationWatch(asked, settings, self._tables, slot.confirmed_lsn)
        await watch.begin()
        options = {
            "proto_version": "1",
            "publication_names": quoted_name(settings.publication),
            "messages": "true",
        }
        try:
            replication = await replicating(settings.dsn, self._name, settings.slot, options)
        except psycopg2.Error as error:
            raise self.reading_failed(error) from error
        reader = TransactionReader(beat_prefix(self._name), self._tables)
        stream = PostgresStream(replication, reader, (asked, heartbeats), watch, self.reading_failed)
        why, self._missed = made or self._missed, ""
        stream.start(Committed(slot.confirmed_lsn, self._all_tags, why) if why else None)
        return stream

    def reading_failed(self, error: psycopg2.Error | SourceError) -> SourceError:
        """What an error of reading the slot means; the next opening makes it anew where it can tell nothing more."""
        if isinstance(error, SourceError):
            if isinstance(error, PublicationChangedError):
                self._missed = str(error)
            return error
        said = str(error)
        if error.pgcode == SLOT_IN_USE:
            return SourceError(f"another reader has the slot: {said.strip()}")
        is_lost = error.pgcode == WRONG_STATE and ("can no longer" in said or "invalidated" in said)
        # The slot begins before the publication was made, and there it looks for it.
        is_too_old = error.pgcode == UNDEFINED_OBJECT and "publication" in said
        if is_lost or is_too_old:
            self._slot_is_useless = True
            return SourceError(f"the replication slot cannot be read, and is made anew: {said.strip()}")
        return source_error(error, "reading the replication slot")
