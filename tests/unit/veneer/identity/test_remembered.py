"""Credentials are remembered as long as they hold, so many at most, and not as they are."""

from __future__ import annotations

import pytest

from veneer.core.identity import Proof, Window
from veneer.identity.remembered import CredentialMemory


def proof(ends: float = 100.0, tenant: str = "a") -> Proof:
    return Proof((("tenant", "s:" + tenant),), "api", Window(0, ends), authorization=True)


@pytest.mark.parametrize("keyed", [True, False])
def test_what_was_learned_is_found_until_it_ends(keyed: bool) -> None:
    memory = CredentialMemory(is_hash_keyed=keyed)
    memory.learn(b"token", (proof(100),))
    assert memory.find(b"token", 99) is not None
    assert memory.find(b"token", 100) is None
    assert memory.find(b"token", -1) is None
    assert memory.find(b"other", 50) is None


def test_the_one_that_ends_first_ends_all() -> None:
    memory = CredentialMemory()
    memory.learn(b"token", (proof(100), proof(50)))
    assert memory.find(b"token", 60) is None


def test_it_is_bounded_and_keeps_what_is_asked_for() -> None:
    memory = CredentialMemory(most=8)
    memory.learn(b"kept", (proof(),))
    for number in range(100):
        memory.learn(b"%d" % number, (proof(),))
        assert memory.find(b"kept", 1) is not None
        assert len(memory) <= 16
    assert memory.find(b"0", 1) is None


def test_scopes_are_worked_out_once_and_end_with_the_proof() -> None:
    memory = CredentialMemory()
    known = memory.learn(b"token", (proof(100),))
    scope = known.scope(("tenant",), 50)
    assert scope is not None
    assert known.scope(("tenant",), 51) is scope
    assert known.scope(("tenant",), 100) is None
    assert known.scope(("tenant", "user"), 50) is None


def test_whose_place_is_another_ones_is_not_taken_for_it() -> None:
    memory = CredentialMemory()
    memory.learn(b"token", (proof(),))
    memory._young[hash(b"forged")] = memory._young.pop(hash(b"token"))
    assert memory.find(b"forged", 1) is None


def test_no_credential_can_be_read_out_of_it() -> None:
    memory = CredentialMemory()
    memory.learn(b"a-very-secret-token", (proof(),))
    assert "a-very-secret-token" not in repr([memory._young, memory._old])
