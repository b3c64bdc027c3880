"""Rate limits as routes apply them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from veneer.core.rate import RateLimit


class RateKeyKind(Enum):
    """What tells one client from another."""

    CLIENT_IP = "client_ip"
    HEADER = "header"
    AUTHORIZATION = "authorization"
    IDENTITY = "identity"
    ROUTE = "route"  # one quota for each route, all clients together
    GLOBAL = "global"  # one quota for everything the limit is applied to


@dataclass(frozen=True, slots=True)
class RateKey:
    """Where the client's name is found: `name` is a lower-case field's, or an identity value's."""

    kind: RateKeyKind
    name: str | None = None


@dataclass(frozen=True, slots=True)
class RateRule:
    """A named limit as it is applied to a route. Routes that name the same limit share one quota per client.

    With `further` parts of the key, clients count as one where all parts are the same. `keys` are all of its parts,
    `identity_names` the names of the identity values by which clients are counted.
    """

    limit: RateLimit
    key: RateKey = RateKey(RateKeyKind.CLIENT_IP)
    further: tuple[RateKey, ...] = ()
    keys: tuple[RateKey, ...] = field(init=False, repr=False, compare=False)
    identity_names: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        keys = (self.key, *self.further)
        named = tuple([key.name or "" for key in keys if key.kind is RateKeyKind.IDENTITY])
        object.__setattr__(self, "keys", keys)
        object.__setattr__(self, "identity_names", named)

    def shared_client(self, route: str) -> str | None:
        """The name under which all clients of a route are counted together; None where each is counted alone."""
        if self.further:
            return None
        match self.key.kind:
            case RateKeyKind.ROUTE:
                return f"route:{route}"
            case RateKeyKind.GLOBAL:
                return "global"
            case _:
                return None
