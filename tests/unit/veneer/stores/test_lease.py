"""A lease is in force once what the log held at its grant has been applied."""

from __future__ import annotations

from veneer.ports import SourceTold
from veneer.stores.lease import NEVER_S, NodeLease


def test_a_grant_waits_for_what_was_not_applied_yet() -> None:
    lease = NodeLease()
    lease.grant(5, 10.0, applied=4)
    assert lease.until_s < 0
    lease.applied(5)
    assert lease.until_s == 10.0


def test_a_later_grant_does_not_shorten_an_earlier_one() -> None:
    lease = NodeLease()
    lease.grant(1, 10.0, applied=1)
    lease.grant(1, 9.0, applied=1)
    assert lease.until_s == 10.0


def test_what_was_dropped_never_comes_into_force() -> None:
    lease = NodeLease()
    lease.grant(1, 10.0, applied=1)
    lease.grant(5, 20.0, applied=1)
    lease.drop()
    lease.applied(9)
    assert lease.until_s < 0


def test_how_far_a_source_has_come_counts_once_what_it_brought_is_applied() -> None:
    lease, told = NodeLease(), SourceTold(8.0, "0/1", "a")
    assert lease.as_of("db") == NEVER_S
    lease.grant(5, 10.0, 4, {"db": told})
    assert (lease.told("db"), lease.as_of("db")) == (None, NEVER_S)
    lease.applied(5)
    assert (lease.told("db"), lease.as_of("db"), lease.as_of("other")) == (told, 8.0, NEVER_S)
    lease.drop()
    assert lease.as_of("db") == NEVER_S
