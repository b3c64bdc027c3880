"""What a fetched response is to the store: whether it may be kept, and the entry made of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from mypy_extensions import mypyc_attr

from veneer.core.entry import CodedBody, Entry, Position
from veneer.core.fields import Fields, shared_text, shared_texts
from veneer.core.key import NoVarySearch, no_vary_search, uri
from veneer.core.messages import RequestHead, ResponseHead
from veneer.core.outcome import Reason
from veneer.core.record import fast_struct
from veneer.core.rules import CacheRules
from veneer.core.storability import NotStorable, Storable, StorageTerms, judge, judge_under
from veneer.core.tags import search_tags, tags_of
from veneer.core.validators import make_etag
from veneer.pipeline.plan import Plan
from veneer.policy.model import EtagRule, Match
from veneer.ports import UpstreamResponse


@mypyc_attr(acyclic=True)
class FetchTimes:
    """When a response was asked for and came, in seconds since the epoch, and the log position before that."""

    __slots__ = ("born", "request_time", "response_time")

    def __init__(self, request_time: float, response_time: float, born: Position) -> None:
        self.request_time: Final = request_time
        self.response_time: Final = response_time
        self.born: Final = born


@fast_struct
class FetchedResponse:
    """A response head with the facts of its fetch: times in seconds since the epoch, the log position before it."""

    response: UpstreamResponse
    request_time: float
    response_time: float
    born: Position
    upstream_ms: float


def judge_fetched(plan: Plan, fetched: FetchedResponse) -> Storable | NotStorable:
    """Whether the response may be stored, as far as its head tells."""
    response = fetched.response
    length = response.content_length
    if length is not None and length > plan.match.route.cache.max_body_bytes:
        return NotStorable(Reason.TOO_LARGE, remember=True)
    times = fetched.request_time, fetched.response_time
    return judge_head(plan.wanted, plan.match.route.cache, response.head, *times, body_digest=plan.body_digest)


def judge_head(
    wanted: RequestHead,
    rules: CacheRules,
    head: ResponseHead,
    request_time: float,
    response_time: float,
    *,
    body_digest: str | None = None,
) -> Storable | NotStorable:
    """Whether a response of any length may be stored for `wanted`. Times in seconds since the epoch."""
    return _refused(rules, head) or judge(wanted, head, rules, request_time, response_time, body_digest=body_digest)


def judge_alike(
    terms: StorageTerms, rules: CacheRules, head: ResponseHead, request_time: float, response_time: float
) -> Storable | NotStorable:
    """As `judge_head`, where the terms of a response alike are known: see `judge_under` for which these are."""
    return _refused(rules, head) or judge_under(terms, head, rules, request_time, response_time)


def _refused(rules: CacheRules, head: ResponseHead) -> NotStorable | None:
    if not rules.enabled:
        return NotStorable(Reason.CACHE_OFF)
    return NotStorable(Reason.TOO_MANY_TAGS, remember=True) if tags_of(head.fields) is None else None


def entry_of(plan: Plan, fetched: FetchedResponse, storable: Storable, body: bytes | None = None) -> Entry:
    """The entry to store; None stands for a body that is still missing."""
    when = FetchTimes(fetched.request_time, fetched.response_time, fetched.born)
    return entry_of_head(plan.wanted, plan.match, fetched.response.head, storable, body, when)


def entry_of_head(
    wanted: RequestHead,
    match: Match,
    head: ResponseHead,
    storable: Storable,
    body: bytes | None,
    when: FetchTimes,
    coded: tuple[CodedBody, ...] = (),
) -> Entry:
    """As `entry_of`, of the parts. Where the route asks for that and the origin gave none, it has an entity tag."""
    fields, route = storable.fields.shared(), match.route
    if body is not None and route.etag is EtagRule.GENERATE and head.status == 200 and "etag" not in fields.joined:
        fields = fields.added(("ETag", make_etag(body)))  # its own line, as hardly another entry has this tag
    search = no_vary_search(fields)
    return Entry(
        head.status,
        shared_text(head.reason),
        fields,
        body or b"",
        when.request_time,
        when.response_time,
        uri(wanted, route.cache.key, search),
        when.born,
        storable.vary,
        _tags(wanted, match, fields, search),
        storable.span,
        coded,
    )


def tags_for(plan: Plan, fields: Fields) -> tuple[str, ...]:
    """The route's tags and the response's own; the latter were counted when it was judged."""
    return _tags(plan.wanted, plan.match, fields, no_vary_search(fields))


def _tags(wanted: RequestHead, match: Match, fields: Fields, search: NoVarySearch | None) -> tuple[str, ...]:
    names = match.tags + (tags_of(fields) or ())
    if search is not None:
        names = (*names, *search_tags(wanted))
    if not names:
        return ()
    return shared_texts(tuple(dict.fromkeys(names)) if len(names) > 1 else names)


def as_it_came(entry: Entry, fields: Fields, storable: Storable) -> Entry:
    """The entry for the one whose request brought it: with the fields that came, also those that are not stored.

    An entity tag that was made for the entry is kept where they have none.
    """
    if storable.fields is fields:
        return entry
    etag = entry.fields.get("etag")
    shown = fields if etag is None or "etag" in fields else fields.added(("ETag", etag))
    return replace(entry, fields=shown)
