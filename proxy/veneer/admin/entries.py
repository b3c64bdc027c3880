"""What is stored for a URL, and what a request for it would get now: what GET /entries tells."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from veneer.admin.views import Entries, StoredView
from veneer.core.entry import Entry
from veneer.core.fields import Fields, Pair
from veneer.core.freshness import freshness
from veneer.core.identity import Proofs
from veneer.core.invalidation import Validity
from veneer.core.key import query_matches, uri
from veneer.core.messages import RequestHead, ResponseHead
from veneer.core.outcome import Forward
from veneer.core.redact import MASK, is_secret_name
from veneer.core.reuse import Decision, GatewayTimeout, Hit, Miss, PartialMiss, Revalidate, ServeStale, decide
from veneer.core.rules import CacheRules
from veneer.core.storability import NotStorable, judge
from veneer.core.subjects import path_of
from veneer.core.vary import matches
from veneer.observe.lines import timestamp
from veneer.policy.explain import BadTargetError, Explanation, explain, request_head
from veneer.policy.model import Policy
from veneer.policy.units import format_duration
from veneer.ports import Clock, InvalidationLog

SCANNED_MOST: Final = 200_000
_SCANNED_AT_ONCE: Final = 1_000
_SHOWN: Final = 64
"""Variants that are told; more are counted."""
_KEYS_READ: Final = 8
"""Keys that Redis is asked for."""
_SHOWN_FIELDS: Final = ("content-type", "cache-control", "etag", "last-modified", "date", "age", "expires")

_NOT_LOOKED_UP: Final = frozenset({Forward.BYPASS, Forward.METHOD, Forward.REQUEST})

Items = Callable[[], Iterable[tuple[str, Entry]]]
"""What memory holds, with its keys."""
ReadShared = Callable[[str], Awaitable[Sequence[Entry] | None]]
"""What the shared store holds under a key; None where it cannot be asked."""
Prove = Callable[[Fields, float], Proofs]
"""What a request with these fields proves."""


class BadQuestionError(ValueError):
    """What was asked for cannot be looked up; the text says why."""


@dataclass(frozen=True, slots=True)
class EntryFinder:
    """Looks into the stores of a process. `shared` is None where there is no shared store."""

    policy: Callable[[], Policy]
    log: InvalidationLog
    clock: Clock
    items: Items
    shared: ReadShared | None = None
    prove: Prove = lambda _fields, _now: ()

    async def find(self, url: str, headers: Sequence[Pair] = (), *, ask_shared: bool = True) -> Entries:
        """What is there for a URL, "http://host/path" or "/path" for that of every host. Raises BadQuestionError.

        What a request of every host would get is told for the host of the first response that is stored.
        """
        policy, now = self.policy(), self.clock.now()
        asked = _request(policy, url, headers)
        found = self._explained(policy, asked, now)
        listed = list(islice(self.items(), SCANNED_MOST + 1))
        here = [pair async for pair in _named(listed[:SCANNED_MOST], _wanted(found), found.key)]
        if here and not asked.authority:
            uri = here[0][1].uri
            found = self._explained(policy, replace(asked, authority=uri[: uri.find("/")]), now)
        beyond, redis = await self._beyond(found.key, [key for key, _ in here], ask_shared=ask_shared)
        candidates = [(entry, self.log.validity(entry)) for key, entry in (*here, *beyond) if key == found.key]
        word, reason = _words(decide(found.request, candidates, found.match.route.cache, now))
        views = [self._view("memory", entry, found, now) for _, entry in here]
        views += [self._view("redis", entry, found, now) for _, entry in beyond]
        return Entries(
            url=url,
            route=found.match.route.name,
            key=found.key,
            stores=found.match.route.cache.enabled,
            decision=word,
            reason=reason,
            note="" if views else _note(found),
            complete=len(listed) <= SCANNED_MOST,
            redis=redis,
            found=len(views),
            entries=tuple(views[:_SHOWN]),
        )

    def _explained(self, policy: Policy, asked: RequestHead, now: float) -> Explanation:
        return explain(policy, asked, ResponseHead(200, "", Fields()), self.prove(asked.fields, now), now)

    async def _beyond(self, key: str, known: list[str], *, ask_shared: bool) -> tuple[list[tuple[str, Entry]], str]:
        """What Redis has under the request's key and those of memory."""
        if self.shared is None or not ask_shared:
            return [], ""
        found: list[tuple[str, Entry]] = []
        for one in list(dict.fromkeys((key, *known)))[:_KEYS_READ]:
            entries = await self.shared(one)
            if entries is None:
                return found, "away"
            found += [(one, entry) for entry in entries]
        return found, "asked"

    def _view(self, store: str, entry: Entry, found: Explanation, now: float) -> StoredView:
        rules = found.match.route.cache
        validity, standing = self.log.validity(entry), freshness(entry, rules, now)
        terms = standing.terms
        windows = (0.0, terms.stale_while_revalidate_s, terms.stale_if_error_s, terms.stale_on_overload_s)
        fresh_until = now + standing.ttl_s
        return StoredView(
            store=store,
            uri=entry.uri,
            status=entry.status,
            state=_state(validity, fresh=standing.is_fresh, asks=terms.must_validate),
            age_s=round(standing.age_s, 3),
            ttl_s=round(standing.ttl_s, 3),
            fresh_until=timestamp(fresh_until),
            stale_until=timestamp(fresh_until + max(windows)),
            stored_at=timestamp(entry.response_time),
            why=_lifetime(found, entry),
            usable=_is_usable(found.request, entry, rules),
            vary={name: _hidden(name, value) for name, value in entry.vary},
            tags=entry.tags,
            fields={name: value for name in _SHOWN_FIELDS if (value := entry.fields.get(name)) is not None},
            codings=tuple(coded.coding for coded in entry.coded),
            bytes=entry.size_bytes,
            partial="" if entry.span is None else f"bytes {entry.span.first}-{entry.span.last}",
        )


def _request(policy: Policy, url: str, headers: Sequence[Pair]) -> RequestHead:
    """The request for a URL; without an authority where it names none."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "http", url
    cut = min((at for at in (rest.find("/"), rest.find("?")) if at >= 0), default=len(rest))
    authority, target = rest[:cut].lower(), rest[cut:]
    if scheme not in ("http", "https") or (separator and not authority) or (not separator and authority):
        msg = f'url {url[:200]!r}: write "http://host/path", or "/path" for every host'
        raise BadQuestionError(msg)
    try:
        head = request_head(
            policy, "GET", target if target.startswith("/") else f"/{target}", headers, authority or "x"
        )
    except BadTargetError as error:
        raise BadQuestionError(str(error)) from error
    default = ":443" if scheme == "https" else ":80"
    return replace(head, authority=authority.removesuffix(default), scheme=scheme)


def _wanted(found: Explanation) -> frozenset[str]:
    """The URI as it is filed under this route's key rules, and those of routes that ask for fields."""
    rules = found.match.route.cache.key
    return frozenset(uri(found.request, one) for one in (rules, *rules.beside))


async def _named(
    items: Sequence[tuple[str, Entry]], wanted: frozenset[str], key: str
) -> AsyncIterator[tuple[str, Entry]]:
    """Those of the URI, of any host where none is named, and those under the key; giving way to other work."""
    for index, (stored_under, entry) in enumerate(items):
        if index % _SCANNED_AT_ONCE == 0:
            await asyncio.sleep(0)
        if stored_under == key or entry.uri in wanted or path_of(entry.uri) in wanted:
            yield stored_under, entry


def _is_usable(request: RequestHead, entry: Entry, rules: CacheRules) -> bool:
    return query_matches(entry, request, rules.key) and matches(entry, request, rules)


def _state(validity: Validity, *, fresh: bool, asks: bool) -> str:
    if validity is Validity.DEAD:
        return "dead"
    if validity is not Validity.VALID:
        return "soft"
    return "ask" if asks else "fresh" if fresh else "stale"


def _lifetime(found: Explanation, entry: Entry) -> str:
    """Who gave the stored response its lifetime, by the rules of now."""
    response = ResponseHead(entry.status, entry.reason, entry.fields)
    verdict = judge(found.request, response, found.match.route.cache, entry.request_time, entry.response_time)
    if isinstance(verdict, NotStorable):
        return f"would not be stored now: {verdict.reason.value}"
    return f"{format_duration(verdict.lifetime.seconds)} by {verdict.lifetime.source.value}"


def _hidden(name: str, value: str | None) -> str | None:
    secret = value is not None and (name == "cookie" or is_secret_name(name))
    return MASK if secret else value


def _words(decision: Decision) -> tuple[str, str]:
    """What a request would get, and why."""
    if isinstance(decision, Hit):
        return "hit", ""
    if isinstance(decision, PartialMiss):
        return "partial", ""
    if isinstance(decision, Miss):
        word = "bypass" if decision.forward in _NOT_LOOKED_UP else "miss"
        return word, (decision.forward if decision.reason is None else decision.reason).value
    word = {ServeStale: "stale", Revalidate: "revalidate", GatewayTimeout: "504"}[type(decision)]
    return word, decision.reason.value


def _note(found: Explanation) -> str:
    """What to do where nothing is stored."""
    route = found.match.route
    if not route.cache.enabled:
        return f"the route {route.name} stores nothing: `cache.enabled` is false there"
    if route.cache.shared_by and route.cache.scope is None:
        names = " and ".join(f"identity.{name}" for name in route.cache.shared_by)
        return f"the route {route.name} shares by {names}, and this request proves nothing: name its credentials"
    return (
        "nothing is stored for it here; `veneer explain TARGET --ask` says what becomes of the backend's answer, "
        "and the access log has the reason of each that was not stored (`cache_reason`)"
    )
