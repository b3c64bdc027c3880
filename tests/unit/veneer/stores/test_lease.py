"""A lease is in force once what the log held at its grant has been applied."""

from __future__ import annotations

from veneer.stores.lease import NodeLease


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
