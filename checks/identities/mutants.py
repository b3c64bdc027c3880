"""Veneer made wrong on purpose, to see the checker find it: `python -m checks.identities.mutants NAME serve ...`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from unittest.mock import patch

import jwt

from veneer.cli.main import main
from veneer.core.identity import Proof
from veneer.core.rules import Scope
from veneer.fastpath import hits, state
from veneer.fastpath.fingerprint import Fingerprint, fingerprint_of, scope_mark
from veneer.identity import key_sets, published, remembered, subrequests
from veneer.identity.keys import CheckingKey
from veneer.identity.tokens import TokenReader
from veneer.pipeline import identify


def values_do_not_count() -> None:
    """Whoever proves anything shares with whoever else does."""

    def wrong(proofs: Sequence[Proof], shared_by: Sequence[str], now: float) -> Scope | None:
        return Scope("all", authorization=True) if shared_by and any(proof.holds(now) for proof in proofs) else None

    patch.object(identify, "scope_of", wrong).start()
    patch.object(remembered, "scope_of", wrong).start()


def tokens_never_end() -> None:
    """A token that was good once is good for ever."""

    def wrong(*_: object) -> bool:
        return True

    patch.object(Proof, "holds", wrong).start()
    patch.object(remembered.KnownCredential, "holds", wrong).start()


def signatures_do_not_count() -> None:
    """What a token says is believed, whoever has signed it."""

    def wrong(reader: TokenReader, token: str, key: object) -> bytes | None:
        try:
            found = reader._jws.decode(token, options={"verify_signature": False})
        except jwt.PyJWTError:
            return None  # what is no token at all
        return found if isinstance(found, bytes) else None

    patch.object(TokenReader, "_payload", wrong).start()


def fast_path_forgets_the_scope() -> None:
    """The fast path knows a target whoever asks."""

    def wrong(target_key: bytes, scope: Scope | None = None) -> Fingerprint:
        return fingerprint_of(target_key, None if scope is None else Scope("all"))

    def wrong_mark(_: Scope) -> Fingerprint:
        return scope_mark(Scope("all"))

    patch.object(hits, "fingerprint_of", wrong).start()
    patch.object(state, "scope_mark", wrong_mark).start()


def keys_are_never_taken_back() -> None:
    """A key that was published once is good for ever."""
    right, known = published.published_keys, dict[str | None, CheckingKey]()

    def wrong(body: bytes) -> tuple[CheckingKey, ...]:
        known.update({key.key_id: key for key in right(body)})
        return tuple(known.values())

    patch.object(key_sets, "published_keys", wrong).start()


def revoked_credentials_go_on() -> None:
    """What a service has said once of a credential counts as long as it is remembered."""

    def wrong(*_: object) -> float:
        return 3600.0

    patch.object(subrequests, "word_lasts", wrong).start()


MUTANTS: dict[str, Callable[[], None]] = {
    "values-do-not-count": values_do_not_count,
    "tokens-never-end": tokens_never_end,
    "signatures-do-not-count": signatures_do_not_count,
    "fast-path-forgets-the-scope": fast_path_forgets_the_scope,
    "keys-are-never-taken-back": keys_are_never_taken_back,
    "revoked-credentials-go-on": revoked_credentials_go_on,
}

if __name__ == "__main__":
    MUTANTS[sys.argv.pop(1)]()
    sys.exit(main())
