"""From pgoutput's messages to what the source tells: the tags of each transaction, and heartbeats."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from veneer.core.change_tags import TransactionTags, all_tags, wanted_columns
from veneer.core.pgoutput import (
    PgBegin,
    PgCommit,
    PgMessage,
    PgOutputDecoder,
    PgOutputError,
    PgRelation,
    PgTruncate,
)
from veneer.core.postgres import format_lsn
from veneer.core.row_changes import ChangeKind, RowChange, TableRules
from veneer.ports.changes import Beat, ChangeItem, Committed

logger = logging.getLogger(__name__)

UNREADABLE: Final = "what PostgreSQL told cannot be read"


@dataclass(frozen=True, slots=True)
class ReadTransaction:
    """What a transaction of that id (32 bits) tells; the log goes on at `end_lsn`."""

    xid: int
    end_lsn: int
    items: tuple[ChangeItem, ...]


class TransactionReader:
    """Reads the messages of one stream in order, in memory that the size of transactions does not matter to.

    What cannot be read names everything under the source, and so does a table that has no rules, or lacks what they
    need. There are as many reasons for that as tables; the place is in this process's log.
    """

    def __init__(self, beat_prefix: str, tables: Iterable[TableRules]) -> None:
        self._rules = {rules.table: rules for rules in tables}
        self._decoder = PgOutputDecoder({table: wanted_columns(rules) for table, rules in self._rules.items()})
        self._tags = TransactionTags(self._rules.values())
        self._prefix = beat_prefix
        self._beats: list[str] = []
        self._xid = 0
        self._unreadable = False

    @property
    def all_tags(self) -> tuple[str, ...]:
        """What names everything that these tables may invalidate."""
        return all_tags(self._rules.values())

    def feed(self, data: bytes, lsn: int) -> ReadTransaction | None:
        """Read one message, which stood at `lsn`. With the last one of a transaction, what it tells."""
        try:
            read = self._decoder.decode(data, self._tags.settled)
        except PgOutputError as error:
            self._give_up(error, lsn)
            return None
        if read is None:
            return None
        if isinstance(read, RowChange):
            self._tags.add(read)
        elif isinstance(read, PgCommit):
            return self._ended(read)
        elif isinstance(read, PgBegin):
            self._xid = read.xid
        elif isinstance(read, PgRelation):
            self._check(read)
        elif isinstance(read, PgTruncate):
            for table in read.tables:
                self._tags.add(RowChange(table, ChangeKind.TRUNCATE, None, None))
        elif isinstance(read, PgMessage):
            self._hear(read)
        return None

    def _give_up(self, error: PgOutputError, lsn: int) -> None:
        """Take the transaction for everything, and say so once."""
        if not self._unreadable:
            self._unreadable = True
            logger.error("what PostgreSQL told at %s cannot be read: %s", format_lsn(lsn), error)
        self._tags.everything(UNREADABLE)

    def _ended(self, commit: PgCommit) -> ReadTransaction:
        position = format_lsn(commit.end_lsn)
        tags, gap = self._tags.take()
        self._unreadable = False
        items: list[ChangeItem] = [Committed(position, tags, gap)] if tags or gap else []
        items += [Beat(position, content) for content in self._beats]
        self._beats.clear()
        return ReadTransaction(self._xid, commit.end_lsn, tuple(items))

    def _hear(self, message: PgMessage) -> None:
        # Outside of a transaction a message is written at once, and comes before what was committed before it.
        if message.transactional and message.prefix == self._prefix:
            self._beats.append(message.content.decode("utf-8", "replace"))

    def _check(self, relation: PgRelation) -> None:
        """A table is told anew after each change of it."""
        rules = self._rules.get(relation.table)
        if rules is None:
            return
        if missing := sorted(rules.columns.difference(relation.columns)):
            self._tags.everything(f"{relation.table} has no {', '.join(missing)} any more, or does not publish it")
        elif untold := sorted(rules.columns - relation.told_of_old):
            self._tags.everything(f"the replica identity of {relation.table} does not hold {', '.join(untold)}")
