"""What a request proves as far as it can be told without asking anybody: for `veneer explain`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from veneer.core.fields import Fields
from veneer.core.identity import Proofs, known_at, shown
from veneer.identity.provers import IdentityProvers
from veneer.loop.tasks import Tasks
from veneer.policy.explain import Explanation
from veneer.policy.model import Policy
from veneer.policy.model_identity import Identity, JwtIdentity, SubrequestIdentity
from veneer.ports import Retrieved, UpstreamError, UpstreamFailure


class NobodyToAsk:
    """Implements `veneer.ports.Retriever`: finds nobody."""

    async def get(self, *_: object) -> Retrieved:
        """Nothing."""
        raise UpstreamError(UpstreamFailure.CONNECT, "nobody is asked", sent=False)


def proofs_here(policy: Policy, fields: Fields, now: float) -> Proofs:
    """What the fields prove by keys and sessions, as if a trusted proxy had sent them."""
    known = tuple([here for one in policy.identities if (here := _without_services(one)) is not None])
    provers = IdentityProvers(NobodyToAsk(), Tasks())
    provers.apply(known)
    return provers.prove(known, fields, now, trusted=True)


def _without_services(identity: Identity) -> Identity | None:
    """What of an identity needs nobody to be asked."""
    match identity.proof:
        case SubrequestIdentity():
            return None
        case JwtIdentity(key_sets=published) as proof if published:
            return replace(identity, proof=replace(proof, key_sets=()))
        case _:
            return identity


def identity_rows(policy: Policy, found: Explanation, proofs: Proofs, now: float) -> Iterator[tuple[str, str]]:
    """What is proven, and with whom the route's responses are shared by it."""
    if not policy.identities:
        return
    values = known_at(proofs, now)
    said = [f"{name}={shown(value)}" for name, value in values.items()]
    elsewhere = [one for one in policy.identities if _without_services(one) is not one]
    unasked = [one for one in elsewhere if values.keys().isdisjoint(one.values)]
    said += [f"of {one.name} nobody was asked (--identity {one.values[0]}=VALUE)" for one in unasked]
    yield "identity", ", ".join(said) or "nothing is proven"
    rules = found.match.route.cache
    if rules.shared_by:
        names = " and ".join(f"identity.{name}" for name in rules.shared_by)
        scope = rules.scope
        yield "shared", f"by {names}, scope {scope.name}" if scope is not None else f"with nobody: by {names}"
