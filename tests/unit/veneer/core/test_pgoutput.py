"""What pgoutput tells is read as PostgreSQL means it, and what is no message is never taken for one."""

from __future__ import annotations

import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.pgoutput import (
    UNCHANGED,
    begin,
    commit,
    delete,
    insert,
    message,
    relation,
    truncate,
    update,
)
from veneer.core.pgoutput import (
    PgBegin,
    PgCommit,
    PgMessage,
    PgOutputDecoder,
    PgOutputError,
    PgRelation,
    PgTruncate,
    ReplicaIdentity,
)
from veneer.core.row_changes import ChangeKind, RowChange

USERS = relation(1, "public.users", ["id", "name", "bio"], keys=["id"])
USERS_FULL = relation(1, "public.users", ["id", "name", "bio"], identity="f")


def decoder(*first: bytes, wanted: frozenset[str] | None = None) -> PgOutputDecoder:
    made = PgOutputDecoder({"public.users": wanted})
    for told in first:
        made.decode(told)
    return made


def test_the_frame_of_a_transaction_is_read() -> None:
    read = decoder().decode
    assert read(begin(0x16B374D848, 5, 9)) == PgBegin(0x16B374D848, 5, 9)
    assert read(commit(0x200, 0x230, 6)) == PgCommit(0x200, 0x230, 6)
    assert read(message("veneer:main", "hé", lsn=3)) == PgMessage(
        transactional=True, lsn=3, prefix="veneer:main", content="hé".encode()
    )
    told = read(message("x", "", transactional=False))
    assert isinstance(told, PgMessage)
    assert not told.transactional


def test_a_table_tells_its_columns_and_which_of_them_old_rows_hold() -> None:
    told = decoder().decode(relation(7, "app.users", ["id", "name"], keys=["id"], identity="i"))
    assert told == PgRelation(7, "app.users", ReplicaIdentity.INDEX, ("id", "name"), frozenset({"id"}))
    told = decoder().decode(relation(7, ".pg_class", ["oid"], identity="f"))
    assert told == PgRelation(7, "pg_catalog.pg_class", ReplicaIdentity.FULL, ("oid",), frozenset({"oid"}))


def test_an_insert_has_a_new_row_alone() -> None:
    change = decoder(USERS).decode(insert(1, ["1", None, "a\nb"]))
    assert change == RowChange("public.users", ChangeKind.INSERT, None, {"id": "1", "name": None, "bio": "a\nb"})


def test_an_update_with_a_full_identity_has_both_rows() -> None:
    change = decoder(USERS_FULL).decode(update(1, ["1", "B", UNCHANGED], ["1", "A", "long"]))
    assert change == RowChange(
        "public.users", ChangeKind.UPDATE, {"id": "1", "name": "A", "bio": "long"}, {"id": "1", "name": "B"}
    )


def test_of_an_old_key_the_other_columns_are_unknown_and_not_null() -> None:
    read = decoder(USERS).decode
    changed = read(update(1, ["2", "A", None], ["1", None, None], by="K"))
    assert changed == RowChange("public.users", ChangeKind.UPDATE, {"id": "1"}, {"id": "2", "name": "A", "bio": None})
    assert read(delete(1, ["1", None, None])) == RowChange("public.users", ChangeKind.DELETE, {"id": "1"}, None)


def test_an_update_that_tells_no_old_key_has_left_it_as_it_was() -> None:
    change = decoder(USERS).decode(update(1, ["1", "A", None]))
    assert isinstance(change, RowChange)
    assert change.old == {"id": "1"}


def test_of_a_full_identity_no_old_row_is_made_up() -> None:
    change = decoder(USERS_FULL).decode(update(1, ["1", "A", None]))
    assert isinstance(change, RowChange)
    assert change.old is None


def test_only_wanted_columns_are_read() -> None:
    read = decoder(USERS_FULL, wanted=frozenset({"name"})).decode
    change = read(update(1, ["1", "B", UNCHANGED], ["1", "A", b"\xff"]))
    assert change == RowChange("public.users", ChangeKind.UPDATE, {"name": "A"}, {"name": "B"})


def test_rows_of_a_table_that_nobody_asked_for_are_told_without_columns() -> None:
    read = decoder(relation(2, "public.other", ["id"])).decode
    assert read(insert(2, ["1"])) == RowChange("public.other", ChangeKind.INSERT, None, None)


def test_rows_of_settled_tables_are_not_read() -> None:
    assert decoder(USERS).decode(insert(1, ["1", None, None]), {"public.users"}) is None


def test_a_truncate_names_its_tables() -> None:
    read = decoder(USERS, relation(2, "public.other", ["id"])).decode
    assert read(truncate(1, 2)) == PgTruncate(("public.users", "public.other"))


def test_a_table_that_is_told_again_has_the_columns_it_has_now() -> None:
    read = decoder(USERS, relation(1, "public.users", ["name", "id"], keys=["id"])).decode
    assert read(insert(1, ["A", "1"])) == RowChange("public.users", ChangeKind.INSERT, None, {"name": "A", "id": "1"})


def test_booleans_read_as_sql_and_json_write_them_and_bytes_that_are_no_text_stay() -> None:
    read = decoder(relation(1, "public.users", ["on", "t"], booleans=["on"], identity="f")).decode
    change = read(insert(1, ["t", "t"]))
    assert isinstance(change, RowChange)
    assert change.new == {"on": "true", "t": "t"}
    change = read(insert(1, ["f", b"\xff"]))
    assert isinstance(change, RowChange)
    assert change.new == {"on": "false", "t": "\udcff"}


def test_origins_and_types_mean_nothing_here() -> None:
    assert decoder().decode(b"O" + struct.pack("!Q", 1) + b"other\0") is None
    assert decoder().decode(b"Y" + struct.pack("!I", 1) + b"public\0mood\0") is None


@pytest.mark.parametrize(
    ("data", "says", "position"),
    [
        (b"", "ends too early", 0),
        (b"S123", "no message of protocol version 1 is of kind 'S' at byte 0", 0),
        (insert(9, ["1"]), "table 9 was not told of before", 1),
        (truncate(9), "table 9 was not told of before", 6),
        (b"T" + struct.pack("!iB", -1, 0), "less than no tables", 1),
        (begin()[:-1], "ends too early", 20),
        (begin() + b"x", "another length than its parts", 21),
        (insert(1, ["1", None, None]) + b"x", "another length", 16),
        (insert(1, ["1"]), "another number of columns than its table: 1", 6),
        (insert(1, ["1", None, None]).replace(b"n", b"x"), "no column is of kind 'x'", 14),
        (b"I" + struct.pack("!I", 1) + b"K", "no row where one should be", 5),
        (b"D" + struct.pack("!I", 1) + b"N", "a deleted row is not told", 5),
        (b"I" + struct.pack("!I", 1) + b"N" + struct.pack("!hci", 3, b"t", 99), "a value ends beyond its message", 13),
        (b"I" + struct.pack("!I", 1) + b"N" + struct.pack("!hci", 3, b"t", -9), "a value ends beyond its message", 13),
        (b"R" + struct.pack("!I", 1) + b"public", "a text does not end", 5),
        (relation(1, "a.b", [], identity="x"), "no replica identity", 9),
        (b"R" + struct.pack("!I", 1) + b"\xff\0", "a name is not UTF-8", 0),
        (message("p", "content")[:-1], "another length", 22),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_an_error_with_its_place(data: bytes, says: str, position: int) -> None:
    with pytest.raises(PgOutputError, match=says) as error:
        decoder(USERS).decode(data)
    assert error.value.position == position


texts = st.one_of(st.none(), st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20))
rows = st.lists(texts, min_size=3, max_size=3)


@given(old=rows, new=rows)
def test_rows_come_through_as_they_are(old: list[str | None], new: list[str | None]) -> None:
    change = decoder(USERS_FULL).decode(update(1, new, old))
    names = ("id", "name", "bio")
    expected = RowChange(
        "public.users", ChangeKind.UPDATE, dict(zip(names, old, strict=True)), dict(zip(names, new, strict=True))
    )
    assert change == expected


MESSAGES = [USERS, begin(), commit(), message("veneer:a", "x"), truncate(1), insert(1, ["1", None, "é"]),
            update(1, ["1", "B", UNCHANGED], ["1", "A", None]), delete(1, ["1", None, None])]  # fmt: skip


@given(st.sampled_from(MESSAGES), st.integers(0, 60), st.binary(max_size=4))
@example(USERS, 0, b"")
@example(message("veneer:a", "x"), 19, b"\x80")
def test_bytes_of_any_kind_are_read_or_refused(whole: bytes, at: int, inserted: bytes) -> None:
    spoiled = whole[:at] + inserted + whole[at + len(inserted) :]
    for data in (spoiled, whole[:at], inserted):
        position = 0
        try:
            decoder(USERS).decode(data)
        except PgOutputError as error:
            position = error.position
        assert 0 <= position <= len(data)


@given(st.sampled_from(MESSAGES), st.data())
def test_a_message_that_was_cut_short_is_never_read(whole: bytes, data: st.DataObject) -> None:
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    with pytest.raises(PgOutputError):
        decoder(USERS).decode(cut)
