"""What a response means for the store: judged, given its tags and validator, put, updated or forgotten."""

from __future__ import annotations

from dataclasses import replace

from proxy.core.entry import Entry, Position
from proxy.core.fields import Fields
from proxy.core.key import cache_key, uri
from proxy.core.messages import RequestHead, ResponseHead
from proxy.core.outcome import Reason
from proxy.core.ranges import combine
from proxy.core.record import record
from proxy.core.search import no_vary_search
from proxy.core.storability import NotStorable, Storable, check_body, judge
from proxy.core.tags import search_tag, tags_of
from proxy.core.validation import Freshened, entry_for_304, freshen, freshen_from_head
from proxy.core.validators import make_etag
from proxy.pipeline.context import Services
from proxy.policy.model import EtagRule, Match
from proxy.ports import UpstreamResponse


@record
class Plan:
    """One fetch: what is wanted, as the cache sees it, and what is sent.

    `wanted` is the client's request without conditions of ours: it is keyed, judged and matched. `outgoing` is what the
    backend gets; `validating` are the stored responses that a 304 may select, `completing` the beginning that a 206
    may complete; `unconditional` is sent when neither comes to pass. `body` is the content of a QUERY.
    """

    key: str
    match: Match
    wanted: RequestHead
    outgoing: RequestHead
    unconditional: RequestHead
    validating: tuple[Entry, ...] = ()
    completing: Entry | None = None
    hides_errors: bool = False
    coalesce: bool = True
    body: bytes | None = None
    body_digest: str | None = None


@record
class Fetched:
    """A response head with the facts of its fetch: times in seconds since the epoch, the log position before it."""

    response: UpstreamResponse
    request_time: float
    response_time: float
    born: Position
    upstream_ms: float


class Filler:
    """Keeps the store in step with what the backend answered."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def judge(self, plan: Plan, fetched: Fetched) -> Storable | NotStorable:
        """Whether the response may be stored, as far as its head tells."""
        rules = plan.match.route.cache
        length = fetched.response.content_length
        if length is not None and length > rules.max_body_bytes:
            return NotStorable(Reason.TOO_LARGE, remember=True)
        if tags_of(fetched.response.head.fields) is None:
            return NotStorable(Reason.TOO_MANY_TAGS, remember=True)
        return judge(
            plan.wanted,
            fetched.response.head,
            rules,
            fetched.request_time,
            fetched.response_time,
            body_digest=plan.body_digest,
        )

    def entry(self, plan: Plan, fetched: Fetched, storable: Storable, body: bytes | None = None) -> Entry:
        """The entry to store; None stands for a body that is still missing.

        Where the route asks for that and the origin gave none, it has an entity tag made of its body.
        """
        head = fetched.response.head
        fields = storable.fields
        generates = plan.match.route.etag is EtagRule.GENERATE and head.status == 200
        if generates and body is not None and "etag" not in fields:
            fields = fields.added(("ETag", make_etag(body)))
        return Entry(
            head.status,
            head.reason,
            fields.shared(),
            body or b"",
            fetched.request_time,
            fetched.response_time,
            uri(plan.wanted, plan.match.route.cache.key, no_vary_search(fields)),
            fetched.born,
            storable.vary,
            self._tags(plan, fields),
            storable.span,
        )

    async def put(self, plan: Plan, entry: Entry, storable: Storable) -> tuple[Entry, bool]:
        """Store an entry whose body is here; the entry as it is stored, and whether it could be."""
        checked = check_body(storable, len(entry.body), plan.match.route.cache)
        if isinstance(checked, NotStorable):
            return entry, False
        if checked.span is not entry.span:
            entry = replace(entry, span=checked.span)
        await self._services.store.put(self._key(plan, entry), entry, checked.keep_s)
        return entry, True

    def _key(self, plan: Plan, entry: Entry) -> str:
        """The key under which later requests look for `entry`: its own No-Vary-Search may make more of them alike."""
        search = no_vary_search(entry.fields)
        if plan.wanted.query is None or (search is None and self._services.searches.of(plan.wanted) is None):
            return plan.key
        self._services.searches.learn(plan.wanted, search)
        return cache_key(plan.wanted, plan.match.route.cache, body_digest=plan.body_digest, search=search)

    async def keep(self, plan: Plan, updated: Entry, fetched: Fetched) -> Entry:
        """Store an updated response, judged anew: its new fields may forbid that or change its tags."""
        entry = replace(updated, tags=self._tags(plan, updated.fields))
        verdict = judge(
            replace(plan.wanted, method="GET") if plan.wanted.method == "HEAD" else plan.wanted,
            ResponseHead(entry.status, entry.reason, entry.fields),
            plan.match.route.cache,
            fetched.request_time,
            fetched.response_time,
            body_digest=plan.body_digest,
        )
        if isinstance(verdict, Storable) and tags_of(entry.fields) is not None:
            entry = replace(entry, fields=verdict.fields)
            await self._services.store.put(plan.key, entry, verdict.keep_s)
        else:
            await self._services.store.discard(plan.key)
        return entry

    async def freshen(self, plan: Plan, fetched: Fetched) -> Freshened | None:
        """The stored response that a 304 confirms, updated and stored; None when it confirms none of ours."""
        stored = entry_for_304(plan.validating, fetched.response.head)
        if stored is None:
            return None
        found = freshen(
            stored,
            plan.wanted,
            fetched.response.head,
            request_time=fetched.request_time,
            response_time=fetched.response_time,
            born=fetched.born,
            rules=plan.match.route.cache,
        )
        if not isinstance(found, Freshened):
            return None
        return Freshened(await self.keep(plan, found.entry, fetched), found.personal)

    async def update_by_head(self, plan: Plan, fetched: Fetched) -> Entry | None:
        """Let a 200 to HEAD update the stored response to GET, or end it (RFC 9111 section 4.3.5).

        Returns the response as updated: it answers the HEAD as well.
        """
        for stored in plan.validating[:1]:
            found = freshen_from_head(
                stored,
                plan.wanted,
                fetched.response.head,
                request_time=fetched.request_time,
                response_time=fetched.response_time,
                born=fetched.born,
                rules=plan.match.route.cache,
            )
            if isinstance(found, Freshened):
                return await self.keep(plan, found.entry, fetched)
            if found is not None:
                await self._services.store.discard(plan.key)
        return None

    async def complete(self, plan: Plan, stored: Entry, fetched: Fetched) -> Entry | None:
        """The stored beginning and the rest that a 206 brings, as one (RFC 9111 section 3.4); None if they differ."""
        verdict = self.judge(plan, fetched)
        if isinstance(verdict, NotStorable):
            await fetched.response.aclose()
            return None
        rest = self.entry(plan, fetched, verdict, b"".join([p async for p in fetched.response.body()]))
        whole = combine(stored, rest)
        if whole is None or whole.span is not None:
            return None
        whole = replace(whole, born=min(stored.born, fetched.born))
        await self._services.store.put(plan.key, whole, verdict.keep_s)
        return whole

    def _tags(self, plan: Plan, fields: Fields) -> tuple[str, ...]:
        """The route's tags and the response's own; the latter were counted when it was judged."""
        match = plan.match
        names = (*match.route.tags(match.params), *(tags_of(fields) or ()))
        if no_vary_search(fields) is not None:
            names = (*names, search_tag(plan.wanted))
        return tuple(dict.fromkeys(names))


def as_it_came(entry: Entry, fields: Fields, storable: Storable) -> Entry:
    """The entry for the one whose request brought it: with the fields that came, also those that are not stored.

    An entity tag that was made for the entry is kept where they have none.
    """
    if storable.fields is fields:
        return entry
    etag = entry.fields.get("etag")
    shown = fields if etag is None or "etag" in fields else fields.added(("ETag", etag))
    return replace(entry, fields=shown)
