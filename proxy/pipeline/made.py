"""What a fetched response is to the store: whether it may be kept, and the entry made of it."""

from __future__ import annotations

from dataclasses import replace

from proxy.core.entry import Entry, Position
from proxy.core.fields import Fields, shared_text, shared_texts
from proxy.core.key import uri
from proxy.core.outcome import Reason
from proxy.core.record import record
from proxy.core.search import no_vary_search
from proxy.core.storability import NotStorable, Storable, judge
from proxy.core.tags import search_tag, tags_of
from proxy.core.validators import make_etag
from proxy.pipeline.plan import Plan
from proxy.policy.model import EtagRule
from proxy.ports import UpstreamResponse


@record
class Fetched:
    """A response head with the facts of its fetch: times in seconds since the epoch, the log position before it."""

    response: UpstreamResponse
    request_time: float
    response_time: float
    born: Position
    upstream_ms: float


def judge_fetched(plan: Plan, fetched: Fetched) -> Storable | NotStorable:
    """Whether the response may be stored, as far as its head tells."""
    rules = plan.match.route.cache
    response = fetched.response
    head, length = response.head, response.content_length
    if length is not None and length > rules.max_body_bytes:
        return NotStorable(Reason.TOO_LARGE, remember=True)
    if tags_of(head.fields) is None:
        return NotStorable(Reason.TOO_MANY_TAGS, remember=True)
    return judge(plan.wanted, head, rules, fetched.request_time, fetched.response_time, body_digest=plan.body_digest)


def entry_of(plan: Plan, fetched: Fetched, storable: Storable, body: bytes | None = None) -> Entry:
    """The entry to store; None stands for a body that is still missing.

    Where the route asks for that and the origin gave none, it has an entity tag made of its body.
    """
    head, route = fetched.response.head, plan.match.route
    fields = storable.fields
    if body is not None and route.etag is EtagRule.GENERATE and head.status == 200 and "etag" not in fields.joined:
        fields = fields.added(("ETag", make_etag(body)))
    return Entry(
        head.status,
        shared_text(head.reason),
        fields.shared(),
        body or b"",
        fetched.request_time,
        fetched.response_time,
        uri(plan.wanted, route.cache.key, no_vary_search(fields)),
        fetched.born,
        storable.vary,
        tags_for(plan, fields),
        storable.span,
    )


def tags_for(plan: Plan, fields: Fields) -> tuple[str, ...]:
    """The route's tags and the response's own; the latter were counted when it was judged."""
    match = plan.match
    names = match.route.tags(match.params) + (tags_of(fields) or ())
    if no_vary_search(fields) is not None:
        names = (*names, search_tag(plan.wanted))
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
