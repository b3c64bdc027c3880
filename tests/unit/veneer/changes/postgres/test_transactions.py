"""What a stream of pgoutput's messages tells, transaction by transaction."""

from __future__ import annotations

import pytest

from tests.support.change_sources import ALL_TAGS, USERS
from tests.support.pgoutput import begin, commit, delete, insert, message, relation, truncate, update
from veneer.changes.postgres.transactions import UNREADABLE, ReadTransaction, TransactionReader
from veneer.core.row_changes import ColumnTemplate, TableRules
from veneer.ports.changes import Beat, Committed

TABLE = relation(1, "public.users", ["id", "company_id", "name"], identity="f")


def read(*messages: bytes, tables: tuple[TableRules, ...] = (USERS,)) -> list[ReadTransaction]:
    """What the messages tell, of which each has its number as its place."""
    reader = TransactionReader("veneer:main", tables)
    told = [reader.feed(one, lsn) for lsn, one in enumerate(messages)]
    return [one for one in told if one is not None]


def test_a_transaction_is_told_when_it_ends_with_its_id_and_the_place_where_the_log_goes_on() -> None:
    assert read(begin(xid=9), TABLE, insert(1, ["1", "7", None]), delete(1, ["2", None, None], by="O")) == []
    told = read(begin(xid=9), TABLE, insert(1, ["1", "7", None]), commit(end_lsn=0x1_00000230))
    assert told == [
        ReadTransaction(9, 0x1_00000230, (Committed("1/230", ("user:1", "users", "company:7")),)),
    ]


def test_one_that_changes_nothing_of_ours_tells_nothing() -> None:
    assert [one.items for one in read(begin(), commit(), begin(), message("other", "x"), commit())] == [(), ()]


def test_beats_of_this_source_come_after_the_changes() -> None:
    messages = [begin(), message("veneer:main", "a"), TABLE, insert(1, ["1", None, None]), commit(end_lsn=16)]
    assert read(*messages)[0].items == (Committed("0/10", ("user:1", "users")), Beat("0/10", "a"))
    assert read(begin(), message("veneer:main2", "a"), commit())[0].items == ()
    assert read(begin(), message("veneer:main", "a", transactional=False), commit())[0].items == ()


def test_truncate_names_each_of_its_tables() -> None:
    other = TableRules("public.other", (ColumnTemplate(("other",), ()),))
    messages = [TABLE, relation(2, "public.other", ["id"]), begin(), truncate(1, 2), commit(end_lsn=16)]
    told = read(*messages, tables=(USERS, other))
    assert told[0].items == (Committed("0/10", (*ALL_TAGS, "other")),)


def test_what_cannot_be_read_means_everything_and_the_log_says_where(caplog: pytest.LogCaptureFixture) -> None:
    told = read(begin(), TABLE, insert(1, ["1", None, None])[:-1], insert(1, ["1", None, None]), commit(end_lsn=16))
    assert told[0].items == (Committed("0/10", ALL_TAGS, UNREADABLE),)
    assert caplog.messages == ["what PostgreSQL told at 0/2 cannot be read: the message ends too early at byte 15"]


def test_an_end_that_cannot_be_read_is_made_up_for_before_the_next_beat() -> None:
    told = read(begin(), TABLE, commit()[:-1], begin(), message("veneer:main", "a"), commit(end_lsn=16))
    assert [type(item) for item in told[0].items] == [Committed, Beat]
    assert isinstance(told[0].items[0], Committed)
    assert told[0].items[0].tags == ALL_TAGS


def test_a_table_that_is_not_mapped_means_everything() -> None:
    told = read(begin(), relation(2, "public.other", ["id"]), insert(2, ["1"]), commit(end_lsn=16))
    assert told[0].items == (Committed("0/10", ALL_TAGS, "public.other is told of and has no tags"),)


def test_a_table_that_lacks_a_column_means_everything_once_and_then_what_is_not_known() -> None:
    lacking = relation(1, "public.users", ["id", "name"], identity="f")
    messages = [begin(), lacking, insert(1, ["1", None]), commit(end_lsn=16)]
    told = read(*messages, begin(), insert(1, ["2", None]), commit(end_lsn=32))
    why = "public.users has no company_id any more, or does not publish it"
    assert told[0].items == (Committed("0/10", ALL_TAGS, why),)
    assert told[1].items == (Committed("0/20", ("user:2", "users", "company:*")),)


def test_a_replica_identity_that_is_too_narrow_means_everything_and_then_what_is_not_known() -> None:
    narrow = relation(1, "public.users", ["id", "company_id"], keys=["id"])
    messages = [begin(), narrow, insert(1, ["1", "7"]), commit(end_lsn=16)]
    told = read(*messages, begin(), update(1, ["1", "8"]), commit(end_lsn=32))
    why = "the replica identity of public.users does not hold company_id"
    assert told[0].items == (Committed("0/10", ALL_TAGS, why),)
    assert told[1].items == (Committed("0/20", ("user:1", "users", "company:*")),)


def test_a_huge_transaction_is_read_no_further_than_it_matters() -> None:
    reader = TransactionReader("veneer:main", (USERS,))
    reader.feed(begin(), 0)
    reader.feed(TABLE, 0)
    for number in range(1_001):
        reader.feed(insert(1, [str(number), str(number), None]), 0)
    assert reader.feed(insert(1, ["unreadable"]), 0) is None, "nobody looks at it"
    told = reader.feed(commit(end_lsn=16), 0)
    assert told is not None
    assert told.items == (Committed("0/10", ("users", "user:*", "company:*")),)
