"""What was proven before, for those who ask on each hit.

Classes to derive from, as in `veneer.ports.leases`: where both sides are compiled, a call of one's method is direct.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Final

from mypy_extensions import mypyc_attr

from veneer.core.identity import Proofs
from veneer.core.rules import Scope

Definitions = tuple[object, ...]
"""The identities of a policy. They are told by which object they are: nobody looks into them here."""


@mypyc_attr(allow_interpreted_subclasses=True)
class KnownScopes:
    """What one credential proves, and the scopes that follow from it alone."""

    __slots__ = ("proofs",)

    def __init__(self, proofs: Proofs) -> None:
        self.proofs: Final = proofs

    @abstractmethod
    def scope(self, shared_by: tuple[str, ...], now: float) -> Scope | None:
        """As `core.identity.scope_of`, at `now` in seconds since the epoch."""


@mypyc_attr(allow_interpreted_subclasses=True)
class RememberedBearers:
    """The Authorization fields that were checked."""

    __slots__ = ()

    @abstractmethod
    def find(self, identities: Definitions, authorization: bytes, now: float) -> KnownScopes | None:
        """What this one proves; None where it was not checked by these definitions, or holds no longer at `now`."""


class NoBearers(RememberedBearers):
    """Remembers nothing."""

    __slots__ = ()

    def find(self, identities: Definitions, authorization: bytes, now: float) -> KnownScopes | None:  # noqa: ARG002 - as the port has it
        """Nothing."""
        return None
