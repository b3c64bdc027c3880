"""What to fetch: the request that the backend gets, and what its answer may apply to."""

from __future__ import annotations

import math
from dataclasses import replace

from veneer.core.entry import Entry
from veneer.core.forwarding import to_origin
from veneer.core.messages import RequestHead
from veneer.core.record import fast_struct
from veneer.core.reuse import Decision, Miss, PartialMiss, Revalidate, ServeStale, wants_its_own
from veneer.core.sharing import passes, withheld
from veneer.core.validation import completion_request, conditional_request, miss_request, unconditional_request
from veneer.core.validators import has_validator
from veneer.pipeline.context import Exchange
from veneer.policy.model import Match, Route
from veneer.ports import LockAttempt


@fast_struct
class Plan:
    """One fetch: what is wanted, as the cache sees it, and what is sent.

    `wanted` is the client's request without conditions of ours: it is keyed, judged and matched. `outgoing` is what the
    backend gets; `validating` are the stored responses that a 304 may confirm, `selected` the one of them that matches
    the request; `completing` is the beginning that a 206 may complete; `unconditional` is sent when neither comes to
    pass. `alike` are all stored responses that could have been chosen: a final answer ends them. With `for_all`
    the unconditional request is sent at once where others may wait for the response: the client's condition, which goes
    along otherwise, is answered from what comes. `body` is the content of a QUERY. `attempt` is the fetch lock that the
    look-up took along. Until `hides_errors_until`, in seconds since the epoch, something stored stands in for an error
    of the backend; afterwards the error is passed on as it came. Until `stale_on_overload_until` it does so rather than
    wait for a backend that is overloaded. Once a fetch has taken `stale_after_s`, what is stale is shown in its place.
    """

    key: str
    match: Match
    wanted: RequestHead
    outgoing: RequestHead
    unconditional: RequestHead
    validating: tuple[Entry, ...] = ()
    selected: Entry | None = None
    alike: tuple[Entry, ...] = ()
    completing: Entry | None = None
    hides_errors_until: float = 0.0
    stale_on_overload_until: float = 0.0
    stale_after_s: float | None = None
    coalesce: bool = True
    for_all: bool = False
    body: bytes | None = None
    body_digest: str | None = None
    attempt: LockAttempt | None = None


@fast_struct
class CacheLookup:
    """What was looked up: the request as the cache sees it, its key, and the content of a QUERY with its digest.

    `attempt` is the fetch lock that went along.
    """

    wanted: RequestHead
    key: str
    body: bytes | None = None
    body_digest: str | None = None
    attempt: LockAttempt | None = None


def plan_of(exchange: Exchange, looked: CacheLookup, decision: Decision, via: str) -> Plan:
    """What to fetch if the decision needs it."""
    wanted, route = looked.wanted, exchange.match.route
    outgoing, validating, completing, hides_until = _wanted_of_backend(
        wanted, decision, coded_here=route.compress.enabled
    )
    selected = decision.entry if isinstance(decision, Revalidate | ServeStale) else None
    for_all = (
        isinstance(decision, Miss)
        and not validating
        and _has_own_condition(wanted)
        and withheld(wanted.fields, route.cache) is None
    )
    as_it_is = not (validating or completing is not None or for_all)
    unconditional = outgoing if as_it_is else unconditional_request(wanted)
    if exchange.request.method != wanted.method:
        # The backend knows this request as a POST, to which conditions and ranges do not apply as to QUERY.
        validating, selected, completing = (), None, None
        outgoing = unconditional = replace(unconditional_request(wanted), method=exchange.request.method)
    codings = None if route.compress.enabled else route.cache.codings
    sent = to_origin(outgoing, exchange.peer, via=via, codings=codings)
    same = unconditional.fields is outgoing.fields
    return Plan(
        key=looked.key,
        match=exchange.match,
        wanted=wanted,
        outgoing=sent,
        unconditional=sent if same else to_origin(unconditional, exchange.peer, via=via, codings=codings),
        validating=validating,
        selected=selected,
        alike=decision.alike if isinstance(decision, Revalidate | ServeStale | PartialMiss | Miss) else (),
        completing=completing,
        hides_errors_until=hides_until,
        stale_on_overload_until=_stale_on_overload_until(decision),
        stale_after_s=_stale_after_s(route, decision),
        coalesce=may_coalesce(route, wanted),
        for_all=for_all,
        body=looked.body,
        body_digest=looked.body_digest,
        attempt=looked.attempt,
    )


def _stale_after_s(route: Route, decision: Decision) -> float | None:
    """After how long what is stored may be shown; None for what is fresh: who asks anew for that wants it validated."""
    is_stale = isinstance(decision, Revalidate) and decision.ttl_s <= 0
    return route.stale_if_error_after_s if is_stale else None


def _stale_on_overload_until(decision: Decision) -> float:
    return (decision.fallback.on_overload_until or 0.0) if isinstance(decision, Revalidate) else 0.0


def may_coalesce(route: Route, wanted: RequestHead) -> bool:
    """Whether what the request fetches may be for others, and what others fetch for it."""
    return (
        route.coalesce
        and route.cache.enabled
        and wanted.method in ("GET", "QUERY")
        and "range" not in wanted.fields.joined
        and not wants_its_own(wanted, route.cache)
        and passes(wanted.fields, route.cache) is None
    )


def _has_own_condition(wanted: RequestHead) -> bool:
    """Whether the client asks for the whole under a condition about its own copy."""
    asked = wanted.fields.joined
    return ("if-none-match" in asked or "if-modified-since" in asked) and "range" not in asked


def _wanted_of_backend(
    wanted: RequestHead, decision: Decision, *, coded_here: bool
) -> tuple[RequestHead, tuple[Entry, ...], Entry | None, float]:
    """The request to send, what a 304 may select, what a 206 may complete, and until when errors are hidden."""
    if isinstance(decision, Miss):
        return miss_request(wanted, decision.variants, coded_here=coded_here), decision.variants, None, 0.0
    if isinstance(decision, Revalidate):
        entry = decision.entry
        validating = tuple([e for e in (entry, *decision.others) if e is entry or has_validator(e.fields)])
        return conditional_request(wanted, validating), validating, None, decision.fallback.on_error_until or 0.0
    if isinstance(decision, ServeStale):
        return conditional_request(wanted, (decision.entry,)), (decision.entry,), None, math.inf
    if isinstance(decision, PartialMiss):
        entry = decision.entry
        return completion_request(wanted, entry, decision.range_value), (), entry, 0.0
    return unconditional_request(wanted), (), None, 0.0
