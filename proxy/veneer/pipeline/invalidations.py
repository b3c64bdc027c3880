"""What a request that is not safe makes invalid, by its route's policy and its response."""

from __future__ import annotations

from functools import partial
from typing import Final

from veneer.core.fields import Fields
from veneer.core.invalidating import GROUP_FIELD, INVALIDATE_FIELD, NAMING_FIELDS, Targets, in_doubt, invalidated_by
from veneer.core.invalidation import Invalidation
from veneer.core.messages import RequestHead, ResponseHead
from veneer.policy.model import Consistency, InvalidatesWhen, Match, Policy, Route

Events = tuple[Invalidation, ...]

_STRICT: Final = Consistency.STRICT  # to look a member of an Enum up runs Python
NOTHING_SPARED: Final = frozenset[str]()


def done_by(policy: Policy, match: Match, request: RequestHead) -> Events:
    """What the request invalidates when it is done and its response names nothing, or there is none."""
    targets = _targets(policy, match.route, NOTHING_SPARED)
    return invalidated_by(request, 204, Fields(), targets=targets, policy_tags=match.invalidates)


def named_by(policy: Policy, match: Match, request: RequestHead, head: ResponseHead, done: Events) -> Events:
    """What the response says it has made invalid, with what the policy says of the route; `done` as in `done_by`."""
    route = match.route
    counts = head.status in route.invalidates_on or in_doubt(head.status, head.fields)
    if NAMING_FIELDS.isdisjoint(head.fields.joined):
        return done if counts else ()
    named = GROUP_FIELD in head.fields or INVALIDATE_FIELD in head.fields
    named_already = named and route.invalidates_when is InvalidatesWhen.SILENT
    spared = route.spare_target_keyed_by if named and head.status < 400 else NOTHING_SPARED
    return invalidated_by(
        request,
        head.status,
        head.fields,
        targets=_targets(policy, route, spared),
        policy_tags=() if named_already else match.invalidates,
        counts=counts,
    )


def is_strict(route: Route) -> bool:
    """Whether a write there is answered only when every node knows of it."""
    return route.consistency is _STRICT


def settles_s(route: Route, head: ResponseHead) -> float:
    """How long what was named is held back, because the backend may still be carrying the request out."""
    return route.write_settles_s if in_doubt(head.status, head.fields) else 0.0


def _targets(policy: Policy, route: Route, spared: frozenset[str]) -> Targets:
    """How the policy files the targets that a write names; `spared` as in `Policy.stored_as`."""
    stored_as = partial(policy.stored_as, spared=spared) if spared else policy.stored_as
    return Targets(stored_as, policy.keyed_as, policy.upstreams[route.upstream].url)
