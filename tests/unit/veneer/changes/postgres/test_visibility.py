"""Who sees a transaction is decided by 64 bits of which the log tells 32."""

from __future__ import annotations

import pytest

from veneer.changes.postgres.visibility import TransactionSnapshot, parse_snapshot


def test_a_snapshot_is_read_as_postgresql_writes_it() -> None:
    assert parse_snapshot("10:20:10,14,15") == TransactionSnapshot(20, frozenset({10, 14, 15}))
    assert parse_snapshot("10:10:") == TransactionSnapshot(10, frozenset())


@pytest.mark.parametrize("text", ["", "1:2", "1:x:", "1:2:3,x"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - which it is does not matter
        parse_snapshot(text)


@pytest.mark.parametrize(("xid", "seen"), [(9, True), (10, False), (11, True), (14, False), (19, True), (20, False)])
def test_what_is_running_or_younger_is_not_seen(xid: int, seen: bool) -> None:
    assert parse_snapshot("10:20:10,14").sees(xid) is seen


@pytest.mark.parametrize(
    ("snapshot", "xid", "seen"),
    [
        ("4294967300:4294967310:4294967301", 5, False),
        ("4294967300:4294967310:4294967301", 6, True),
        ("4294967300:4294967310:", 4294967290, True),
        ("4294967290:4294967294:", 2, False),
        ("12884901890:12884901890:", 4294967295, True),
    ],
)
def test_ids_are_told_apart_across_epochs(snapshot: str, xid: int, seen: bool) -> None:
    assert parse_snapshot(snapshot).sees(xid) is seen
